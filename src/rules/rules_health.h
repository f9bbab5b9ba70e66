/* rules_health.h -- the check of health "rules": are groups evaluated in time, and do their rules
 * work? */
#ifndef RULES_RULES_HEALTH_H
#define RULES_RULES_HEALTH_H

#include "base/health.h"
#include "rules/manager.h"

/* `m` lives until health_close().   ERR_FULL, ERR_IO  as health_register() */
MUST_USE err rules_register_health(struct rules *m, struct health *h);

#endif
