/* notify_data.h -- what templates see of a notification: Alertmanager's data, by Alertmanager's
 * names, as values of rules/template_value.h. */
#ifndef NOTIFY_NOTIFY_DATA_H
#define NOTIFY_NOTIFY_DATA_H

#include "notify/notification.h"
#include "rules/template_value.h"

enum { NOTIFY_DATA_BYTES_MAX = 256 << 20 }; /* of one notification */

enum notify_field { /* of the data, in the order of its JSON */
                    NOTIFY_RECEIVER,
                    NOTIFY_STATUS,
                    NOTIFY_ALERTS,
                    NOTIFY_REASON,
                    NOTIFY_GROUP_LABELS,
                    NOTIFY_COMMON_LABELS,
                    NOTIFY_COMMON_ANNOTATIONS,
                    NOTIFY_ROUTE_LABELS,
                    NOTIFY_EXTERNAL_URL,
                    NOTIFY_FIELDS,
                    /* Beside the data, by methods: neither in its JSON nor in its text. */
                    NOTIFY_ACK_URL = NOTIFY_FIELDS,
                    NOTIFY_VALUES,
};

struct notify_data { /* start with notify_data_init(), end with notify_data_fini() */
    struct arena arena;
    struct template_value fields[NOTIFY_VALUES];
    struct template_value root; /* the dot of templates; borrows `fields` */
    bool firing;                /* any of the alerts */
};

/* The data of `n`, which it borrows, as the strings. Labels of the route are none yet:
 * notify_data_route_labels() sets them, since their values are templates themselves.
 *   ERR_LIMIT  more than NOTIFY_DATA_BYTES_MAX; notify_data_fini() is due all the same */
MUST_USE err notify_data_init(struct notify_data *data, const struct notification *n,
                              str external_url, struct diag *d);
void notify_data_fini(struct notify_data *data);
MUST_USE err notify_data_route_labels(struct notify_data *data, struct labels labels,
                                      struct diag *d);

/* Where the incident may be acknowledged (`url` is borrowed); "", as at the beginning: nowhere. */
void notify_data_ack_url(struct notify_data *data, str url);

/* What the first `count` alerts say alike, in `a`. ERR_LIMIT: arena budget */
MUST_USE err notify_common(const struct notification *n, size_t count, bool annotations,
                           struct arena *a, struct labels *out);

/* Append `s` with the signs of regular expressions quoted, as Go's regexp.QuoteMeta: people put
 * receivers into expressions. */
void notify_quote_meta(str s, struct buf *out);

#endif
