/* template_notify.h -- functions that Alertmanager's templates have, as far as they need nothing
 * but their arguments and the clock: toUpper toLower title trimSpace join match safeHtml safeUrl
 * urlUnescape reReplaceAll stringSlice date toDate mustToDate tz now since humanizeDuration toJson
 * base64encode base64decode list append dict. Notifications search them behind functions of their
 * own. */
#ifndef RULES_TEMPLATE_NOTIFY_H
#define RULES_TEMPLATE_NOTIFY_H

#include "rules/template.h"

extern const struct template_funcs TEMPLATE_NOTIFY_FUNCS;

/* Append `v` as encoding/json does: keys sorted, '<', '>' and '&' escaped, times in RFC 3339.
 *   ERR_INVALID  NaN or infinite numbers ("json: unsupported value: NaN")
 *   ERR_LIMIT    more than `bytes_max`, or nested too deep */
MUST_USE err template_json(const struct template_value *v, size_t bytes_max, struct buf *out,
                           struct diag *d);

#endif
