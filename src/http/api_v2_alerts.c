/* api_v2_alerts.c -- alerts and their groups, out and in. A snapshot is taken with the engine's
 * lock; what is sent is made from it piece by piece, as the client takes it. */
#include "base/clock.h"
#include "base/mem.h"
#include "base/regex.h"
#include "http/alerts_json.h"
#include "http/api_v2.h"

/* ---- What is asked for ---- */

struct question {
    struct api_v2_filters filters, receivers;
    struct regex_search *receiver;
    struct view_filter f;
};

static void question_fini(struct question *q)
{
    api_v2_filters_fini(&q->filters);
    api_v2_filters_fini(&q->receivers);
    regex_search_close(q->receiver);
}

static bool read_receiver(struct http_request *r, struct question *q)
{
    str text = http_param(r, STR("receiver"));
    struct buf b = {0};
    struct diag d = {.text = ""};
    if (text.len == 0)
        return true;
    buf_printf(&b, "^(?:" STR_FMT ")$", STR_ARG(text));
    err e = regex_search_compile(buf_str(&b), &q->receiver, &d);
    buf_reset(&b);
    buf_printf(&b, "failed to parse receiver param: %s", d.text);
    if (e != OK)
        api_v2_fail(r, 400, buf_cstr(&b));
    buf_fini(&b);
    return e == OK;
}

/* False when answered. */
static bool question_read(struct http_request *r, struct question *q)
{
    *q = (struct question){0};
    if (!api_v2_filters(r, "filter", &q->filters))
        return false;
    if (!api_v2_filters(r, "receiver_matchers", &q->receivers) || !read_receiver(r, q)) {
        question_fini(q);
        return false;
    }
    q->f = (struct view_filter){
        .matchers = q->filters.items,
        .matchers_count = q->filters.count,
        .receiver = q->receiver,
        .receiver_matchers = q->receivers.items,
        .receiver_matchers_count = q->receivers.count,
        .active = api_v2_flag(r, "active", true),
        .silenced = api_v2_flag(r, "silenced", true),
        .inhibited = api_v2_flag(r, "inhibited", true),
        .muted = api_v2_flag(r, "muted", true),
    };
    return true;
}

/* ---- Answers ---- */

struct listing {
    struct view view;
    size_t group, alert; /* what comes next */
    bool begun;
};

static void listing_close(void *state)
{
    struct listing *l = state;
    view_close(&l->view);
    mem_free(l);
}

/* What goes before the next thing of a list. */
static void put_mark(struct buf *out, size_t index)
{
    if (index > 0)
        buf_put_u8(out, ',');
}

static bool next_alert(void *state, struct buf *out)
{
    struct listing *l = state;
    if (!l->begun)
        buf_put_u8(out, '[');
    l->begun = true;
    if (l->alert == l->view.alert_count) {
        buf_put_str(out, STR("]\n"));
        return false;
    }
    put_mark(out, l->alert);
    json_alert(out, &l->view.alerts[l->alert++], NULL, 0);
    return true;
}

static bool next_of_groups(void *state, struct buf *out)
{
    struct listing *l = state;
    if (!l->begun)
        buf_put_u8(out, '[');
    l->begun = true;
    if (l->group == l->view.group_count) {
        buf_put_str(out, STR("]\n"));
        return false;
    }
    const struct view_group *g = &l->view.groups[l->group];
    if (l->alert == 0) {
        put_mark(out, l->group);
        json_group_begin(out, g);
    }
    put_mark(out, l->alert);
    json_alert(out, g->alerts[l->alert++], g->muted_by, g->muted_count);
    if (l->alert == g->alert_count) {
        json_group_end(out);
        l->group++;
        l->alert = 0;
    }
    return true;
}

typedef err (*view_of)(struct engine *e, const struct view_filter *f, int64_t now_ms,
                       struct view *v);

static void list(struct http_request *r, view_of take, bool (*next)(void *state, struct buf *out))
{
    struct question q;
    if (!question_read(r, &q))
        return;
    struct engine *e = api_v2_lock(r);
    if (e == NULL) {
        question_fini(&q);
        return;
    }
    struct listing *l = mem_zalloc(1, sizeof(*l));
    err failed = take(e, &q.f, clock_wall_ms(), &l->view);
    api_v2_unlock(r);
    question_fini(&q);
    if (failed != OK) {
        listing_close(l);
        api_v2_fail(r, 500, "too many alerts for one answer: ask for less with filter=");
        return;
    }
    view_sort(&l->view);
    http_answer(r, 200, "application/json");
    http_stream(r, next, listing_close, l);
}

void api_v2_alerts(struct http_request *r)
{
    if (http_method(r) == HTTP_POST)
        api_v2_post_alerts(r);
    else
        list(r, view_alerts, next_alert);
}

void api_v2_groups(struct http_request *r)
{
    list(r, view_groups, next_of_groups);
}

/* ---- Alerts that are posted ---- */

static void put_alerts(struct http_request *r, struct postable_alerts *p, int64_t now_ms)
{
    struct engine *e = api_v2_lock(r);
    if (e == NULL)
        return;
    err failed = engine_put(e, p->items, p->count, now_ms);
    api_v2_unlock(r);
    (void)atomic_fetch_add_explicit(&api_of(r)->alerts_invalid, p->invalid, memory_order_relaxed);
    if (failed != OK)
        api_v2_fail(
            r, 500,
            "too many alerts are kept, or too much of their text: some of these were not taken");
    else if (p->invalid > 0)
        api_v2_fail(r, 400, buf_cstr(&p->errors));
    else
        http_answer(r, 200, NULL);
}

void api_v2_post_alerts(struct http_request *r)
{
    struct postable_alerts p;
    struct postable_error e;
    int64_t now_ms = clock_wall_ms();
    if (!api_v2_takes_json(r))
        return;
    if (postable_alerts_parse(http_body(r), now_ms, &p, &e) != OK)
        api_v2_fail_body(r, &e);
    else
        put_alerts(r, &p, now_ms);
    postable_alerts_fini(&p);
}
