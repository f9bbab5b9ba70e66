/* notify_health.h -- is telling people well? */
#ifndef NOTIFY_NOTIFY_HEALTH_H
#define NOTIFY_NOTIFY_HEALTH_H

#include "base/health.h"
#include "notify/service.h"

struct notify_health { /* private; as long as the checks */
    struct notify_service *service;
    uint64_t failed[INTEGRATION_KINDS]; /* as of the last run */
};

/* Add the check "notify"; the service must outlive the checks.   ERR_FULL, ERR_IO */
MUST_USE err notify_register_health(struct notify_service *s, struct notify_health *h,
                                    struct health *checks);

#endif
