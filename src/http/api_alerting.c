/* api_alerting.c -- see api_alerting.h. */
#include "http/api_alerting.h"

#include "base/duration.h"
#include "http/json.h"

struct engine *alerting_lock(struct http_request *r)
{
    struct notify_service *s = api_of(r)->notify;
    if (s != NULL)
        return notify_service_lock(s);
    api_fail(r, API_NOT_FOUND,
             "nobody is told from here: the server was started without --alertmanager.config-file");
    return NULL;
}

void alerting_unlock(struct http_request *r)
{
    notify_service_unlock(api_of(r)->notify);
}

void alerting_fail(struct http_request *r, err e, const struct diag *d)
{
    api_fail(r,
             e == ERR_NOTFOUND ? API_NOT_FOUND
             : e == ERR_ORDER  ? API_CONFLICT
                               : API_BAD_DATA,
             d->text[0] != '\0' ? d->text : err_name(e));
}

static void put_key(struct buf *b, const char *key)
{
    buf_printf(b, "%s\"%s\":", b->ptr[b->len - 1] == '{' ? "" : ",", key);
}

void alerting_put_text(struct buf *b, const char *key, str s)
{
    put_key(b, key);
    json_html(b, s);
}

void alerting_put_time(struct buf *b, const char *key, int64_t ms)
{
    char text[64];
    put_key(b, key);
    if (ms == 0)
        buf_put_str(b, STR("null"));
    else
        json_str(b, (str){text, timestamp_format_rfc3339(ms, text)});
}
