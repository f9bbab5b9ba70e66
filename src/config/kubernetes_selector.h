/* kubernetes_selector.h -- the selectors of Kubernetes: "app=web,tier in (a, b),!canary" of labels,
 * "status.phase=Running" of fields. Judged by the API server's rules, so that a mistake is found
 * when the file is read and not in each answer of the server. */
#ifndef CONFIG_KUBERNETES_SELECTOR_H
#define CONFIG_KUBERNETES_SELECTOR_H

#include "base/err.h"
#include "base/slice.h"

/* ERR_INVALID  `d` says what is wrong */
MUST_USE err label_selector_check(str s, struct diag *d);
MUST_USE err field_selector_check(str s, struct diag *d);

#endif
