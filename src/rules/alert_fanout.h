/* alert_fanout.h -- one sink for rules, several behind it: each alert goes to all, in the order in
 * which they joined. */
#ifndef RULES_ALERT_FANOUT_H
#define RULES_ALERT_FANOUT_H

#include "base/err.h"
#include "base/thread.h"
#include "rules/alert_sink.h"

enum { ALERT_SINKS_MAX = 8 };

struct alert_fanout {
    struct rwlock lock; /* guards what follows; before the locks of sinks */
    struct alert_sink sinks[ALERT_SINKS_MAX];
    unsigned count;
};

void alert_fanout_init(struct alert_fanout *f);
void alert_fanout_fini(struct alert_fanout *f);

/* From now on alerts go there too.   ERR_FULL  ALERT_SINKS_MAX are there */
MUST_USE err alert_fanout_join(struct alert_fanout *f, struct alert_sink s);
/* No alert goes there any more, nor is on its way when this returns; `arg` is the sink's. */
void alert_fanout_leave(struct alert_fanout *f, const void *arg);

/* What rules are given; as long as `f`. */
struct alert_sink alert_fanout_sink(struct alert_fanout *f);

#endif
