/* trial.h -- a test notification: an alert that says it is a test goes through the integrations of
 * a receiver at once, past routes, groups, silences and the notification log. */
#ifndef NOTIFY_TRIAL_H
#define NOTIFY_TRIAL_H

#include "notify/notifiers.h"

enum {
    TRIAL_MS = 10000,      /* each integration has that long ... */
    TRIAL_ALL_MS = 20000,  /* ... and none begins when all had that long */
    TRIAL_THREADS_MAX = 8, /* integrations that are asked at once */
};

#define TRIAL_ALERTNAME "VarveTest"

struct trial_result { /* of one integration */
    enum integration_kind kind;
    size_t index; /* among those of its kind in the receiver */
    bool tried;   /* else there was no time */
    struct notify_result result;
    int64_t latency_ms;
    struct diag why; /* of what was not sent; without secrets */
};

struct trial_options {
    const atomic_bool *canceled;            /* once it is true, it ends soon; NULL: never */
    const struct delivery_config *delivery; /* NULL: not given */
};

/* Ask all integrations of `r`, which is of the notifiers' configuration; their results have room
 * for all. Returns after TRIAL_MS + TRIAL_ALL_MS at the latest. */
void trial_run(struct notifiers *all, const struct receiver_config *r,
               const struct trial_options *o, struct trial_result *results);

#endif
