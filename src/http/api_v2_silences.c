/* api_v2_silences.c -- silences: listed, made, changed, ended. A change is on disk before it is
 * answered. */
#include "base/clock.h"
#include "base/mem.h"
#include "http/alerts_json.h"
#include "http/api_v2.h"

/* ---- Lists ---- */

/* Has it, for each of these, the very same matcher? That is how upstream filters. */
static bool has_matchers(const struct silence *s, const struct api_v2_filters *f)
{
    for (size_t i = 0; i < f->count; i++) {
        const struct matcher *wanted = &f->items[i].items[0];
        bool found = false;
        for (size_t k = 0; !found && k < s->matchers.count; k++) {
            const struct matcher *m = &s->matchers.items[k];
            found = m->type == wanted->type && str_eq(m->name, wanted->name) &&
                    str_eq(m->value, wanted->value);
        }
        if (!found)
            return false;
    }
    return true;
}

struct list { /* of silences to be shown */
    const struct silence **items;
    size_t count;
};

static struct list choose(struct http_request *r, const struct silences *all,
                          const struct api_v2_filters *f, int64_t now_ms)
{
    const bool shown[] = {[SILENCE_PENDING] = api_v2_flag(r, "pending", true),
                          [SILENCE_ACTIVE] = api_v2_flag(r, "active", true),
                          [SILENCE_EXPIRED] = api_v2_flag(r, "expired", true)};
    struct list l = {mem_zalloc(silences_count(all) + 1, sizeof(struct silence *)), 0};
    for (size_t i = 0; i < silences_count(all); i++) {
        const struct silence *s = silences_at(all, i);
        if (shown[silence_state_at(s, now_ms)] && has_matchers(s, f))
            l.items[l.count++] = s;
    }
    silences_order(l.items, l.count, now_ms);
    return l;
}

/* Silences change in place: their text is made with the lock. */
static void list(struct http_request *r)
{
    struct api_v2_filters f;
    int64_t now_ms = clock_wall_ms();
    if (!api_v2_filters(r, "filter", &f))
        return;
    struct engine *e = api_v2_lock(r);
    if (e != NULL) {
        struct list l = choose(r, engine_silences(e), &f, now_ms);
        struct buf *b = api_v2_begin(r);
        size_t i = 0;
        buf_put_u8(b, '[');
        for (; i < l.count && b->len <= API_V2_SILENCES_BYTES_MAX; i++) {
            if (i > 0)
                buf_put_u8(b, ',');
            json_silence(b, l.items[i], now_ms);
        }
        buf_put_str(b, STR("]\n"));
        api_v2_unlock(r);
        if (i < l.count)
            api_v2_fail(r, 500, "silences are longer than 256 MiB: ask for less with filter=");
        mem_free(l.items);
    }
    api_v2_filters_fini(&f);
}

/* ---- Changes ---- */

/* Make changes durable, and let go of the lock; false, and answered, when the disk refuses. */
static bool finish(struct http_request *r, struct engine *e)
{
    err failed = engine_sync(e);
    api_v2_unlock(r);
    if (failed == OK)
        return true;
    api_v2_fail(r, 500,
                "the change is in force, but could not be written to disk: after a "
                "restart it may be lost");
    return false;
}

static void set(struct http_request *r, const struct silence *made, int64_t now_ms)
{
    struct diag d = {.text = ""};
    char copy[SILENCE_ID_SIZE + 1];
    str id = {NULL, 0};
    struct engine *e = api_v2_lock(r);
    if (e == NULL)
        return;
    err failed = silences_set(engine_silences(e), made, now_ms, &id, &d);
    if (failed != OK) {
        api_v2_unlock(r);
        api_v2_fail(r, failed == ERR_NOTFOUND ? 404 : 400,
                    d.text[0] != '\0' ? d.text : err_name(failed));
        return;
    }
    size_t n = MIN(id.len, (size_t)SILENCE_ID_SIZE);
    memcpy(copy, id.ptr, n);
    copy[n] = '\0';
    if (finish(r, e))
        buf_printf(api_v2_begin(r), "{\"silenceID\":\"%s\"}\n", copy);
}

static void post(struct http_request *r)
{
    struct postable_silence p;
    struct postable_error e;
    int64_t now_ms = clock_wall_ms();
    if (!api_v2_takes_json(r))
        return;
    if (postable_silence_parse(http_body(r), &p, &e) != OK)
        api_v2_fail_body(r, &e);
    else if (p.silence.starts_at_ms >= p.silence.ends_at_ms)
        api_v2_fail(r, 400, "Failed to create silence: start time must be before end time");
    else if (p.silence.ends_at_ms < now_ms)
        api_v2_fail(r, 400, "Failed to create silence: end time can't be in the past");
    else
        set(r, &p.silence, now_ms);
    postable_silence_fini(&p);
}

void api_v2_silences(struct http_request *r)
{
    if (http_method(r) == HTTP_POST)
        post(r);
    else
        list(r);
}

/* ---- One ---- */

/* The id in the path; false, and answered, when it is none. */
static bool id_of(struct http_request *r, str *id)
{
    str path = http_path(r);
    size_t at = path.len;
    struct buf b = {0};
    while (at > 0 && path.ptr[at - 1] != '/')
        at--;
    *id = (str){path.ptr + at, path.len - at};
    if (postable_is_uuid(*id))
        return true;
    buf_printf(&b, "silenceID in path must be of type uuid: \"%.*s\"",
               (int)MIN(id->len, (size_t)256), id->ptr);
    api_v2_refuse(r, 422, 601, buf_cstr(&b));
    buf_fini(&b);
    return false;
}

static void get_one(struct http_request *r, str id)
{
    struct engine *e = api_v2_lock(r);
    if (e == NULL)
        return;
    const struct silence *s = silences_get(engine_silences(e), id);
    if (s != NULL) {
        struct buf *b = api_v2_begin(r);
        json_silence(b, s, clock_wall_ms());
        buf_put_u8(b, '\n');
    } else {
        http_answer(r, 404, NULL);
    }
    api_v2_unlock(r);
}

static void end_one(struct http_request *r, str id)
{
    struct engine *e = api_v2_lock(r);
    if (e == NULL)
        return;
    if (silences_expire(engine_silences(e), id, clock_wall_ms()) != OK) {
        api_v2_unlock(r);
        http_answer(r, 404, NULL);
    } else if (finish(r, e)) {
        http_answer(r, 200, NULL);
    }
}

void api_v2_silence(struct http_request *r)
{
    str id;
    if (!id_of(r, &id))
        return;
    if (http_method(r) == HTTP_DELETE)
        end_one(r, id);
    else
        get_one(r, id);
}
