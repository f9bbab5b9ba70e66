/* api_discovery.c -- Alertmanagers: the answer of a server that sends to none. */
#include "http/api.h"

static void answer(struct http_request *r, const char *data)
{
    struct buf *b = api_begin(r);
    buf_put_str(b, str_from(data));
    api_end(b, NULL, 0, NULL, 0);
}

void api_alertmanagers(struct http_request *r)
{
    answer(r, "{\"activeAlertmanagers\":[],\"droppedAlertmanagers\":[]}");
}
