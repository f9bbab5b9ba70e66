/* discovery.h -- finds the targets of jobs: static ones, files, HTTP, DNS, Kubernetes, Consul,
 * Docker. Each section of the configuration that is not static is a provider with a thread of its
 * own, shared by jobs that say the same; it fails alone, keeps what it knew, and its reason can be
 * asked for. A reload keeps the providers whose section did not change.
 *
 * Threads: any. `changed` is called on a thread of discovery's with no lock held. */
#ifndef INGEST_DISCOVERY_H
#define INGEST_DISCOVERY_H

#include "config/config.h"
#include "ingest/sd_targets.h"

enum { DISCOVERY_PROVIDERS_MAX = 1000 }; /* threads; more are refused */

struct discovery;

struct discovery_options {
    const char *name; /* in metrics: "scrape" (NULL) or "notify"; static */
    str user_agent;
    int64_t delay_ms;           /* least time between two calls of `changed`; 0: 5 s */
    void (*changed)(void *arg); /* the targets of some set changed; NULL: nobody is told */
    void *arg;
};

MUST_USE err discovery_open(const struct discovery_options *o, struct discovery **out);
void discovery_close(struct discovery *d); /* stops all providers; NULL is allowed */

struct discovery_set { /* the targets of one job or Alertmanager */
    str name;          /* unique: "scrape/JOB" */
    const struct sd_configs *configs;
};

/* From now on find these sets and no others. `owner` is what they hang on; a reference is kept as
 * long as needed.   ERR_LIMIT  more than DISCOVERY_PROVIDERS_MAX; nothing changed */
MUST_USE err discovery_apply(struct discovery *d, struct config *owner,
                             const struct discovery_set *sets, size_t count, struct diag *why);

/* What is known of a set now: parts, each with targets whose labels are those of the discovery,
 * group labels included. Unknown sets have none. Free with discovery_view_fini(). */
struct discovery_view {
    struct sd_targets **parts;
    size_t count;
};
void discovery_look(struct discovery *d, str set, struct discovery_view *out);
void discovery_view_fini(struct discovery_view *v);

/* Append the reasons why providers of a set fail now, a line each; nothing when all is well. */
void discovery_reasons(struct discovery *d, str set, struct buf *out);

/* Add the targets of groups to `b`, each with the label `meta` when it is not NULL. */
void sd_groups_static(const struct static_sd_config *s, const char *meta, str meta_value,
                      struct sd_build *b);

/* Append the prometheus_sd_* metrics of several in text format. */
void discovery_metrics(struct discovery *const *all, size_t count, struct buf *out);

#endif
