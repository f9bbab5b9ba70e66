/* api_maintenance.c -- /api/v1/alerting/maintenance: maintenance windows, seen, made ad hoc, taken
 * away and overridden. Changes are on disk before they are answered. docs/operations/maintenance.md
 * explains it. */
#include "base/clock.h"
#include "base/duration.h"
#include "base/jtree.h"
#include "http/api_alerting.h"
#include "http/json.h"
#include "notify/maintenance.h"

enum {
    LIST_BYTES_MAX = 256 << 20,
    ARENA_BYTES_MAX = 64 << 20, /* of the matchers of a request */
};

static const char BELOW[] = "/api/v1/alerting/maintenance/";

/* ---- JSON ---- */

static void put_sets(struct buf *b, const char *key, const struct matcher_sets *sets)
{
    struct buf text = {0};
    buf_printf(b, ",\"%s\":[", key);
    for (size_t i = 0; i < sets->count; i++) {
        buf_reset(&text);
        alert_matchers_format(&sets->items[i], &text);
        buf_put_str(b, i > 0 ? STR(",") : STR(""));
        json_html(b, buf_str(&text));
    }
    buf_put_u8(b, ']');
    buf_fini(&text);
}

static void put_texts(struct buf *b, const char *key, struct texts texts)
{
    buf_printf(b, "\"%s\":[", key);
    for (size_t i = 0; i < texts.count; i++) {
        buf_put_str(b, i > 0 ? STR(",") : STR(""));
        json_html(b, texts.items[i]);
    }
    buf_put_u8(b, ']');
}

static void put_notify(struct buf *b, const struct maintenance_notify *n)
{
    buf_put_str(b, STR(",\"notify\":"));
    if (n == NULL) {
        buf_put_str(b, STR("null"));
        return;
    }
    buf_put_u8(b, '{');
    put_texts(b, "receivers", n->receivers);
    buf_put_str(b, STR(",\"beforeSeconds\":"));
    json_time_float(b, n->before_ms);
    buf_printf(b, ",\"onStart\":%s,\"onEnd\":%s}", n->on_start ? "true" : "false",
               n->on_end ? "true" : "false");
}

static void put_current(struct buf *b, const struct maintenance_view *v)
{
    char id[SILENCE_ID_SIZE + 1];
    buf_put_str(b, STR(",\"current\":"));
    if (v->current.starts_at_ms == 0) {
        buf_put_str(b, STR("null"));
        return;
    }
    buf_put_u8(b, '{');
    alerting_put_time(b, "startsAt", v->current.starts_at_ms);
    alerting_put_time(b, "endsAt", v->current.ends_at_ms);
    alerting_put_time(b, "endedAt", v->ended_at_ms);
    alerting_put_text(b, "overriddenBy", v->by);
    alerting_put_text(b, "reason", v->reason);
    buf_put_str(b, STR(",\"silences\":["));
    for (size_t i = 0; i < v->window->matchers.count; i++) {
        maintenance_silence_id(v->window->name, v->current.starts_at_ms, i, id);
        buf_printf(b, "%s\"%s\"", i > 0 ? "," : "", id);
    }
    buf_put_str(b, STR("]}"));
}

static void put_window(struct buf *b, const struct maintenance_view *v)
{
    const struct maintenance_window *w = v->window;
    buf_put_str(b, STR("{\"name\":"));
    json_html(b, w->name);
    buf_printf(b, ",\"state\":\"%s\",\"adHoc\":%s", maintenance_state_name(v->state),
               v->ad_hoc ? "true" : "false");
    put_sets(b, "matchers", &w->matchers);
    put_sets(b, "overrideMatchers", &w->override_matchers);
    buf_put_u8(b, ',');
    put_texts(b, "timeIntervals", w->time_intervals);
    alerting_put_text(b, "comment", w->comment);
    alerting_put_text(b, "createdBy", w->created_by);
    buf_printf(b, ",\"resendOnEnd\":%s,\"resolveNotifications\":%s",
               w->resend_on_end ? "true" : "false", w->resolve_notifications ? "true" : "false");
    put_notify(b, w->notify);
    put_current(b, v);
    buf_put_str(b, STR(",\"next\":"));
    if (v->next.starts_at_ms == 0) {
        buf_put_str(b, STR("null}"));
        return;
    }
    buf_put_u8(b, '{');
    alerting_put_time(b, "startsAt", v->next.starts_at_ms);
    alerting_put_time(b, "endsAt", v->next.ends_at_ms);
    buf_put_str(b, STR("}}"));
}

static void list(struct http_request *r)
{
    struct maintenance_view v;
    size_t at = 0, shown = 0;
    struct engine *e = alerting_lock(r);
    if (e == NULL)
        return;
    int64_t now_ms = clock_wall_ms();
    struct buf *b = api_begin(r);
    buf_put_u8(b, '[');
    while (b->len <= LIST_BYTES_MAX && maintenance_next(e, now_ms, &at, &v)) {
        buf_put_str(b, shown++ > 0 ? STR(",") : STR(""));
        put_window(b, &v);
    }
    alerting_unlock(r);
    buf_put_u8(b, ']');
    api_end(b, NULL, 0, NULL, 0);
    if (b->len > LIST_BYTES_MAX)
        api_fail(r, API_EXECUTION, "maintenance windows are longer than 256 MiB");
}

/* ---- What is posted ---- */

struct posted { /* posted_fini() is due whatever comes of reading it */
    struct arena arena;
    struct jtree *root;
    struct maintenance_window window;
    struct maintenance_notify notify; /* of the window, when it says something of it */
    str by, reason;
};

static void free_sets(const struct matcher_sets *sets)
{
    for (size_t i = 0; i < sets->count; i++)
        alert_matchers_fini(&sets->items[i]);
}

static void posted_fini(struct posted *p)
{
    free_sets(&p->window.matchers);
    free_sets(&p->window.override_matchers);
    arena_fini(&p->arena);
    jtree_free(p->root);
}

/* Append the matchers of a text to a list. */
static err add_matchers(struct posted *p, str text, struct alert_matchers *to, struct diag *d)
{
    struct alert_matchers more = {NULL, 0};
    TRY(alert_matchers_parse(text, &p->arena, &more, NULL, d));
    struct matcher *items = to->count + more.count <= SILENCE_MATCHERS_MAX
                                ? arena_grow(&p->arena, to->items, to->count,
                                             to->count + more.count + 1, sizeof(*items))
                                : NULL;
    if (items == NULL) {
        alert_matchers_fini(&more);
        return diag_set(d, ERR_LIMIT, "\"matchers\": more than %d", SILENCE_MATCHERS_MAX);
    }
    if (more.count > 0)
        memcpy(items + to->count, more.items, more.count * sizeof(*items));
    *to = (struct alert_matchers){items, to->count + more.count};
    return OK;
}

/* A list of texts, or lists of lists of them. */
static err read_matchers(struct posted *p, const char *key, const struct jtree *n, bool sets,
                         struct matcher_sets *out, struct diag *d)
{
    size_t count = sets ? jtree_count(n) : 1;
    if (!jtree_is_array(n) || count == 0)
        return diag_set(d, ERR_INVALID, "\"%s\" must be a list%s of matchers such as a=\"b\"", key,
                        sets ? " of lists" : "");
    if (out->count > 0)
        return diag_set(d, ERR_INVALID, "\"%s\" stand twice, or in two ways", key);
    out->items = ARENA_ARRAY(&p->arena, struct alert_matchers, count);
    if (out->items == NULL)
        return diag_set(d, ERR_LIMIT, "\"%s\" are too large", key);
    for (size_t s = 0; s < count; s++) {
        const struct jtree *set = sets ? jtree_at(n, s) : n;
        struct alert_matchers *to = &out->items[out->count++];
        for (size_t i = 0; i < jtree_count(set); i++) {
            if (!jtree_is_text(jtree_at(set, i)))
                return diag_set(d, ERR_INVALID, "a matcher must be text such as a=\"b\"");
            TRY(add_matchers(p, jtree_text(jtree_at(set, i)), to, d));
        }
    }
    return OK;
}

static err read_time(const char *key, const struct jtree *n, int64_t *out, struct diag *d)
{
    return jtree_is_text(n) && timestamp_parse(jtree_text(n), out, NULL) == OK
               ? OK
               : diag_set(d, ERR_INVALID, "\"%s\" must be a time such as 2026-11-23T17:00:00Z",
                          key);
}

static err read_text(const char *key, const struct jtree *n, str *out, struct diag *d)
{
    if (!jtree_is_text(n))
        return diag_set(d, ERR_INVALID, "\"%s\" must be text", key);
    *out = jtree_text(n);
    return OK;
}

static err read_bool(const char *key, const struct jtree *n, bool *out, struct diag *d)
{
    *out = jtree_bool(n, true);
    return *out == jtree_bool(n, false)
               ? OK
               : diag_set(d, ERR_INVALID, "\"%s\" must be true or false", key);
}

/* "receivers" of "notify". */
static err read_receivers(struct posted *p, const struct jtree *n, struct texts *out,
                          struct diag *d)
{
    size_t count = jtree_count(n);
    str *items = jtree_is_array(n) ? ARENA_ARRAY(&p->arena, str, count + 1) : NULL;
    if (!jtree_is_array(n) || count == 0)
        return diag_set(d, ERR_INVALID, "\"receivers\" must be a list of names of receivers");
    if (items == NULL)
        return diag_set(d, ERR_LIMIT, "\"receivers\" are too large");
    for (size_t i = 0; i < count; i++)
        TRY(read_text("receivers", jtree_at(n, i), &items[i], d));
    *out = (struct texts){items, count};
    return OK;
}

/* Who is told of the window itself, as in the file. */
static err read_notify(struct posted *p, const struct jtree *n, struct diag *d)
{
    struct jtree_member m = {0};
    if (!jtree_is_object(n))
        return diag_set(d, ERR_INVALID,
                        "\"notify\" must be an object with receivers, before, "
                        "on_start, on_end");
    while (jtree_next(n, &m)) {
        if (str_eq(m.key, STR("receivers")))
            TRY(read_receivers(p, m.value, &p->notify.receivers, d));
        else if (str_eq(m.key, STR("on_start")))
            TRY(read_bool("on_start", m.value, &p->notify.on_start, d));
        else if (str_eq(m.key, STR("on_end")))
            TRY(read_bool("on_end", m.value, &p->notify.on_end, d));
        else if (!str_eq(m.key, STR("before")))
            return diag_set(d, ERR_INVALID,
                            "\"" STR_FMT "\" of \"notify\" is none of receivers, before, on_start, "
                            "on_end",
                            STR_ARG(m.key));
        else if (!jtree_is_text(m.value) ||
                 duration_parse(jtree_text(m.value), &p->notify.before_ms, NULL) != OK)
            return diag_set(d, ERR_INVALID, "\"before\" must be a duration such as 15m");
    }
    p->window.notify = &p->notify;
    return OK;
}

static err read_sets(struct posted *p, str key, const struct jtree *n, struct diag *d)
{
    struct maintenance_window *w = &p->window;
    if (str_eq(key, STR("override_matchers")))
        return read_matchers(p, "override_matchers", n, false, &w->override_matchers, d);
    return str_eq(key, STR("matchers"))
               ? read_matchers(p, "matchers", n, false, &w->matchers, d)
               : read_matchers(p, "matcher_sets", n, true, &w->matchers, d);
}

static err read_member(struct posted *p, str key, const struct jtree *n, struct diag *d)
{
    struct maintenance_window *w = &p->window;
    if (str_eq(key, STR("name")))
        return read_text("name", n, &w->name, d);
    if (str_eq(key, STR("comment")))
        return read_text("comment", n, &w->comment, d);
    if (str_eq(key, STR("created_by")))
        return read_text("created_by", n, &w->created_by, d);
    if (str_eq(key, STR("starts_at")))
        return read_time("starts_at", n, &w->starts_at_ms, d);
    if (str_eq(key, STR("ends_at")))
        return read_time("ends_at", n, &w->ends_at_ms, d);
    if (str_eq(key, STR("resend_on_end")))
        return read_bool("resend_on_end", n, &w->resend_on_end, d);
    if (str_eq(key, STR("resolve_notifications")))
        return read_bool("resolve_notifications", n, &w->resolve_notifications, d);
    if (str_eq(key, STR("notify")))
        return read_notify(p, n, d);
    if (str_eq(key, STR("matchers")) || str_eq(key, STR("matcher_sets")) ||
        str_eq(key, STR("override_matchers")))
        return read_sets(p, key, n, d);
    return diag_set(d, ERR_INVALID,
                    "\"" STR_FMT "\" is none of name, matchers, matcher_sets, starts_at, ends_at, "
                    "comment, created_by, override_matchers, notify, resend_on_end, "
                    "resolve_notifications",
                    STR_ARG(key));
}

static err read_override(struct posted *p, str key, const struct jtree *n, struct diag *d)
{
    if (str_eq(key, STR("by")))
        return read_text("by", n, &p->by, d);
    if (str_eq(key, STR("reason")))
        return read_text("reason", n, &p->reason, d);
    return diag_set(d, ERR_INVALID, "\"" STR_FMT "\" is none of by, reason", STR_ARG(key));
}

static err read_body(struct http_request *r, struct posted *p,
                     err (*member)(struct posted *p, str key, const struct jtree *n,
                                   struct diag *d),
                     struct diag *d)
{
    struct jtree_member m = {0};
    if (jtree_parse(http_body(r), &p->root, NULL) != OK || !jtree_is_object(p->root))
        return diag_set(d, ERR_INVALID, "the body must be a JSON object");
    while (jtree_next(p->root, &m))
        TRY(member(p, m.key, m.value, d));
    return OK;
}

/* ---- Changes ---- */

/* With the lock, which is let go: the answer is the window as it is now, or that it is gone. */
static void answer(struct http_request *r, struct engine *e, err failed, str name, struct diag *d)
{
    struct maintenance_view v;
    err synced = failed == OK ? engine_sync(e) : OK;
    if (failed == OK && synced == OK) {
        struct buf *b = api_begin(r);
        if (maintenance_get(e, name, clock_wall_ms(), &v) == OK)
            put_window(b, &v);
        else
            buf_put_str(b, STR("null"));
        api_end(b, NULL, 0, NULL, 0);
    }
    alerting_unlock(r);
    if (failed != OK)
        alerting_fail(r, failed, d);
    else if (synced != OK)
        api_fail(r, API_INTERNAL,
                 "the change is in force, but could not be written to disk: after a restart it "
                 "may be lost");
}

static void add(struct http_request *r)
{
    struct diag d = {.text = ""};
    struct posted p = {.window = {.resend_on_end = true, .resolve_notifications = true}};
    arena_init(&p.arena, ARENA_BYTES_MAX);
    err failed = read_body(r, &p, read_member, &d);
    struct engine *e = failed == OK ? alerting_lock(r) : NULL;
    if (failed != OK)
        alerting_fail(r, failed, &d);
    else if (e != NULL)
        answer(r, e, maintenance_add(e, &p.window, clock_wall_ms(), &d), p.window.name, &d);
    posted_fini(&p);
}

void api_maintenance(struct http_request *r)
{
    if (http_method(r) == HTTP_POST)
        add(r);
    else
        list(r);
}

/* Behind BELOW, without what follows the name. */
static str name_of(const struct http_request *r, size_t behind)
{
    str path = http_path(r);
    return (str){path.ptr + sizeof(BELOW) - 1, path.len - sizeof(BELOW) + 1 - behind};
}

void api_maintenance_remove(struct http_request *r)
{
    struct diag d = {.text = ""};
    str name = name_of(r, 0);
    struct engine *e = alerting_lock(r);
    if (e != NULL)
        answer(r, e, maintenance_remove(e, name, clock_wall_ms(), &d), name, &d);
}

void api_maintenance_override(struct http_request *r)
{
    struct diag d = {.text = ""};
    struct posted p = {.by = STR(""), .reason = STR("")};
    str name = name_of(r, strlen("/override"));
    arena_init(&p.arena, ARENA_BYTES_MAX);
    err failed = read_body(r, &p, read_override, &d);
    struct engine *e = failed == OK ? alerting_lock(r) : NULL;
    if (failed != OK)
        alerting_fail(r, failed, &d);
    else if (e != NULL)
        answer(r, e, maintenance_override(e, name, p.by, p.reason, clock_wall_ms(), &d), name, &d);
    posted_fini(&p);
}
