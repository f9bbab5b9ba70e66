/* notify_health.h -- is telling people well? */
#ifndef NOTIFY_NOTIFY_HEALTH_H
#define NOTIFY_NOTIFY_HEALTH_H

#include "base/health.h"
#include "notify/heartbeats.h"

struct notify_health { /* private; as long as the checks */
    struct notify_service *service;
    struct heartbeats *heartbeats;      /* NULL: there are none */
    uint64_t failed[INTEGRATION_KINDS]; /* as of the last run */
};

/* Add the check "notify"; service and heartbeats must outlive the checks.   ERR_FULL, ERR_IO */
MUST_USE err notify_register_health(struct notify_service *s, struct heartbeats *heartbeats,
                                    struct notify_health *h, struct health *checks);

#endif
