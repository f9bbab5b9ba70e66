/* api_notifications.c -- notifications, and notifications/live as server-sent events. */
#include "base/mem.h"
#include "http/api.h"
#include "http/notifications.h"

struct listener {
    struct http_request *request;
    struct notifications *notes;
    struct subscriber *subscriber;
    bool waiting; /* guarded by the lock of `notes` */
};

static void wake(void *arg)
{
    struct listener *l = arg;
    if (!l->waiting)
        return;
    l->waiting = false;
    http_stream_wake(l->request);
}

static bool is_canceled(const struct listener *l)
{
    return atomic_load_explicit(http_canceled(l->request), memory_order_relaxed);
}

static void idle(void *arg)
{
    struct listener *l = arg;
    if (is_canceled(l))
        return;
    l->waiting = true;
    http_stream_wait(l->request);
}

static bool listener_next(void *state, struct buf *out)
{
    struct listener *l = state;
    size_t before = out->len;
    notifications_take(l->notes, l->subscriber, out, idle);
    return out->len > before || !is_canceled(l);
}

static void listener_close(void *state)
{
    struct listener *l = state;
    notifications_unsubscribe(l->notes, l->subscriber);
    mem_free(l);
}

void api_notifications_live(struct http_request *r)
{
    struct listener *l = mem_zalloc(1, sizeof(*l));
    l->request = r;
    l->notes = &api_of(r)->notifications;
    if (notifications_subscribe(l->notes, wake, l, &l->subscriber) != OK) {
        mem_free(l);
        http_answer(r, 204, NULL);
        return;
    }
    http_answer(r, 200, "text/event-stream");
    http_answer_header(r, "Cache-Control", STR("no-cache"));
    http_stream_live(r, listener_next, listener_close, l);
}

void api_notifications(struct http_request *r)
{
    struct buf *b = api_begin(r);
    notifications_json(&api_of(r)->notifications, b);
    api_end(b, NULL, 0, NULL, 0);
}
