/* alerts_json.h -- the shapes of Alertmanager's API v2, written straight into a buffer. Times are
 * UTC with milliseconds; empty lists are [], never null. */
#ifndef HTTP_ALERTS_JSON_H
#define HTTP_ALERTS_JSON_H

#include "base/buf.h"
#include "notify/silences.h"
#include "notify/view.h"

/* "2026-11-23T03:14:27.401Z", with the quotes. */
void json_time_ms(struct buf *b, int64_t ms);

/* An alert; `muted_by` are the names of the group it is shown in. */
void json_alert(struct buf *b, const struct view_alert *va, const str *muted_by,
                size_t muted_count);

/* A group up to its alerts, which come with commas between, and what is behind them. */
void json_group_begin(struct buf *b, const struct view_group *g);
void json_group_end(struct buf *b);

void json_silence(struct buf *b, const struct silence *s, int64_t now_ms);

/* Pointers to silences into the order of the API: active ones by their end, pending ones by their
 * start, expired ones by their end, the latest first; then by id. */
void silences_order(const struct silence **items, size_t count, int64_t now_ms);

/* The list of receivers whose labels match all of these lists of matchers. */
void json_receivers(struct buf *b, const struct alertmanager_file *f,
                    const struct alert_matchers *matchers, size_t count);

/* The status of an Alertmanager that is alone. */
void json_alertmanager_status(struct buf *b, const struct alertmanager_file *f, const char *version,
                              int64_t start_ms);

#endif
