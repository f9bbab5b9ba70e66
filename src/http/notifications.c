/* notifications.c -- see notifications.h. */
#include "http/notifications.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/duration.h"
#include "base/mem.h"
#include "http/json.h"

enum {
    PENDING_MAX = 64
}; /* events a slow subscriber may be behind; more are dropped, oldest last */

struct subscriber {
    struct subscriber *prev, *next;
    void (*wake)(void *arg);
    void *arg;
    struct notice pending[PENDING_MAX];
    unsigned count;
};

void notifications_init(struct notifications *n, unsigned subscribers_max)
{
    *n = (struct notifications){.subscribers_max = subscribers_max};
    mutex_init(&n->lock);
}

void notifications_fini(struct notifications *n)
{
    ASSERT(n->subscribers == NULL);
    mutex_fini(&n->lock);
}

static void push(struct subscriber *s, const struct notice *event)
{
    if (s->count < PENDING_MAX)
        s->pending[s->count++] = *event;
}

static void tell(struct notifications *n, const struct notice *event)
{
    for (struct subscriber *s = n->subscribers; s != NULL; s = s->next) {
        push(s, event);
        s->wake(s->arg);
    }
}

static void change(struct notifications *n, const char *text, bool active)
{
    unsigned i = 0;
    while (i < n->count && strcmp(n->items[i].text, text) != 0)
        i++;
    if (i == n->count && (!active || n->count == NOTIFICATIONS_MAX))
        return;
    struct notice event = {text, clock_wall_ms(), active};
    if (active) {
        n->items[i] = event;
        n->count = MAX(n->count, i + 1);
    } else {
        event.ms = n->items[i].ms;
        memmove(n->items + i, n->items + i + 1, (n->count - i - 1) * sizeof(*n->items));
        n->count--;
    }
    tell(n, &event);
}

void notifications_set(struct notifications *n, const char *text, bool active)
{
    mutex_lock(&n->lock);
    change(n, text, active);
    mutex_unlock(&n->lock);
}

static void put_item(struct buf *b, const struct notice *item)
{
    char time[40];
    buf_put_str(b, STR("{\"text\":"));
    json_html(b, str_from(item->text));
    buf_put_str(b, STR(",\"date\":"));
    json_html(b, (str){time, timestamp_format_rfc3339(item->ms, time)});
    buf_printf(b, ",\"active\":%s}", item->active ? "true" : "false");
}

void notifications_json(struct notifications *n, struct buf *b)
{
    buf_put_u8(b, '[');
    mutex_lock(&n->lock);
    for (unsigned i = 0; i < n->count; i++) {
        if (i > 0)
            buf_put_u8(b, ',');
        put_item(b, &n->items[i]);
    }
    mutex_unlock(&n->lock);
    buf_put_u8(b, ']');
}

err notifications_subscribe(struct notifications *n, void (*wake)(void *arg), void *arg,
                            struct subscriber **out)
{
    struct subscriber *s = mem_zalloc(1, sizeof(*s));
    s->wake = wake;
    s->arg = arg;
    mutex_lock(&n->lock);
    bool room = n->subscriber_count < n->subscribers_max;
    if (room) {
        for (unsigned i = 0; i < n->count; i++)
            push(s, &n->items[i]);
        s->next = n->subscribers;
        if (s->next != NULL)
            s->next->prev = s;
        n->subscribers = s;
        n->subscriber_count++;
    }
    mutex_unlock(&n->lock);
    if (!room) {
        mem_free(s);
        return ERR_BUSY;
    }
    *out = s;
    return OK;
}

void notifications_unsubscribe(struct notifications *n, struct subscriber *s)
{
    mutex_lock(&n->lock);
    if (s->prev != NULL)
        s->prev->next = s->next;
    else
        n->subscribers = s->next;
    if (s->next != NULL)
        s->next->prev = s->prev;
    n->subscriber_count--;
    mutex_unlock(&n->lock);
    mem_free(s);
}

void notifications_take(struct notifications *n, struct subscriber *s, struct buf *b,
                        void (*idle)(void *arg))
{
    mutex_lock(&n->lock);
    for (unsigned i = 0; i < s->count; i++) {
        buf_put_str(b, STR("data: "));
        put_item(b, &s->pending[i]);
        buf_put_str(b, STR("\n\n"));
    }
    if (s->count == 0)
        idle(s->arg);
    s->count = 0;
    mutex_unlock(&n->lock);
}
