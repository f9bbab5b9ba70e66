/* api_alerting.h -- what the handlers below /api/v1/alerting/ share. */
#ifndef HTTP_API_ALERTING_H
#define HTTP_API_ALERTING_H

#include "http/api.h"
#include "notify/engine.h"

/* The engine with its lock; NULL, and answered, when the server has none. */
struct engine *alerting_lock(struct http_request *r);
void alerting_unlock(struct http_request *r);

/* Refuse: 404 for ERR_NOTFOUND, 409 for ERR_ORDER, 400 for the rest. */
void alerting_fail(struct http_request *r, err e, const struct diag *d);

/* Members of an object that has been begun; a time of 0 is null. */
void alerting_put_text(struct buf *b, const char *key, str s);
void alerting_put_time(struct buf *b, const char *key, int64_t ms);

#endif
