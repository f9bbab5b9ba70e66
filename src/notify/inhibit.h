/* inhibit.h -- inhibition: alerts that mute others while they fire. */
#ifndef NOTIFY_INHIBIT_H
#define NOTIFY_INHIBIT_H

#include "config/alertmanager_config.h"

struct inhibitor;

/* One for the rules of a configuration, which must outlive it. */
struct inhibitor *inhibitor_open(const struct alertmanager_file *f);
void inhibitor_close(struct inhibitor *in); /* NULL is allowed */

/* An alert as it is now: a source from here on until `ends_at_ms`. `labels` must live until the
 * alert is forgotten or told again. */
void inhibitor_put(struct inhibitor *in, uint64_t fingerprint, struct labels labels,
                   int64_t ends_at_ms);

/* The alert is gone. */
void inhibitor_forget(struct inhibitor *in, uint64_t fingerprint, struct labels labels);

/* Is an alert with these labels muted at `now_ms`? *by is the fingerprint of a source. A source
 * that is itself a target of the rule does not mute what is a source as well. */
bool inhibitor_mutes(const struct inhibitor *in, struct labels labels, int64_t now_ms,
                     uint64_t *by);

#endif
