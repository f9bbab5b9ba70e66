/* api_alertmanagers.c -- /api/v1/alertmanagers: where alerts are sent. */
#include "http/api.h"
#include "http/json.h"

struct url_list {
    struct buf *out;
    size_t count;
};

static void put_url(void *arg, str url)
{
    struct url_list *l = arg;
    buf_put_str(l->out, l->count++ > 0 ? STR(",{\"url\":") : STR("{\"url\":"));
    json_html(l->out, url);
    buf_put_u8(l->out, '}');
}

static void put_active(void *arg, const struct sender_view *v)
{
    put_url(arg, v->url);
}

void api_alertmanagers(struct http_request *r)
{
    struct sender *s = api_of(r)->sender;
    struct url_list active = {.out = api_begin(r)}, dropped = active;
    buf_put_str(active.out, STR("{\"activeAlertmanagers\":["));
    sender_each_active(s, put_active, &active);
    buf_put_str(active.out, STR("],\"droppedAlertmanagers\":["));
    sender_each_dropped(s, put_url, &dropped);
    buf_put_str(active.out, STR("]}"));
    api_end(active.out, NULL, 0, NULL, 0);
}
