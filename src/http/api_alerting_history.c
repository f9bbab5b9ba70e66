/* api_alerting_history.c -- GET /api/v1/alerting/history: what happened to alerts, notifications
 * and silences. docs/operations/history.md explains it to users. */
#include <inttypes.h>

#include "base/duration.h"
#include "base/number.h"
#include "http/api.h"
#include "http/json.h"
#include "notify/history_json.h"
#include "notify/related.h"

enum {
    LIMIT = 100, /* events, unless the request says otherwise */
    LIMIT_MAX = 10000,
    TYPES_MAX = 100,
    MATCHERS_MAX = 100,
    MATCHERS_BYTES_MAX = 16 << 20,
    ANSWER_BYTES_MAX = 64 << 20, /* then a page ends early */
};

struct request { /* what was asked for; request_fini() is due */
    struct history_query q;
    bool has_related;
    uint64_t related; /* the alert it is about */
    struct arena arena;
    struct alert_matchers matchers[MATCHERS_MAX];
};

/* ---- Parameters ---- */

static bool add_type(struct http_request *r, str name, uint32_t *kinds)
{
    for (unsigned k = 1; k < HISTORY_KINDS; k++) {
        if (!str_eq(name, str_from(history_kind_name((enum history_kind)k))))
            continue;
        *kinds |= UINT32_C(1) << k;
        return true;
    }
    api_fail_param(r, "type", "there is no such type of events");
    return false;
}

static bool read_types(struct http_request *r, uint32_t *kinds)
{
    str name;
    for (size_t i = 0; (name = http_param_nth(r, STR("type"), i)).ptr != NULL; i++) {
        if (i == TYPES_MAX) {
            api_fail_param(r, "type", "more than 100");
            return false;
        }
        if (!add_type(r, name, kinds))
            return false;
    }
    return true;
}

static bool read_matchers(struct http_request *r, struct request *q)
{
    str text;
    for (size_t i = 0; (text = http_param_nth(r, STR("matcher"), i)).ptr != NULL; i++) {
        struct diag d = {.text = ""};
        if (i == MATCHERS_MAX) {
            api_fail_param(r, "matcher", "more than 100");
            return false;
        }
        if (alert_matchers_parse(text, &q->arena, &q->matchers[i], NULL, &d) != OK) {
            api_fail_param(r, "matcher", d.text[0] != '\0' ? d.text : "too long");
            return false;
        }
        q->q.matchers_count++;
    }
    return true;
}

static bool read_fingerprint(struct http_request *r, const char *name, bool *has, uint64_t *out)
{
    str s = http_param(r, str_from(name));
    for (size_t i = 0; i < s.len && s.len == 16; i++) {
        static const char DIGITS[] = "0123456789abcdef";
        const char *at = s.ptr[i] != '\0' ? strchr(DIGITS, s.ptr[i] | 0x20) : NULL;
        if (at == NULL)
            break;
        *out = *out << 4 | (uint64_t)(at - DIGITS);
        *has = i == 15;
    }
    if (s.len == 0 || *has)
        return true;
    api_fail_param(r, name, "it has 16 hex digits");
    return false;
}

static bool read_page(struct http_request *r, struct history_query *q)
{
    int64_t before = 0;
    str cursor = http_param(r, STR("cursor"));
    if (!api_param_limit(r, &q->limit))
        return false;
    if (q->limit > LIMIT_MAX) {
        api_fail_param(r, "limit", "more than 10000");
        return false;
    }
    if (cursor.len > 0 && (number_parse_i64(cursor, &before) != OK || before <= 0)) {
        api_fail_param(r, "cursor", "it is none that an answer had");
        return false;
    }
    q->limit = q->limit == 0 ? LIMIT : q->limit;
    q->before_seq = (uint64_t)before;
    return true;
}

static bool read_request(struct http_request *r, struct request *q)
{
    return api_param_time(r, "start", INT64_MIN, &q->q.start_ms) &&
           api_param_time(r, "end", INT64_MAX, &q->q.end_ms) && read_types(r, &q->q.kinds) &&
           read_matchers(r, q) &&
           read_fingerprint(r, "fingerprint", &q->q.has_fingerprint, &q->q.fingerprint) &&
           read_fingerprint(r, "related", &q->has_related, &q->related) && read_page(r, &q->q);
}

/* ---- The answer ---- */

struct answer {
    struct buf *out;
    const struct related *related; /* NULL: all events are wanted */
    uint64_t fingerprint;          /* of what they are related to */
    size_t count, limit;
};

static bool is_wanted(const struct answer *a, const struct history_event *e)
{
    enum related_why why;
    bool wanted = a->related == NULL || related_labels(&a->related->subject, e->labels, &why);
    for (size_t i = 0; !wanted && i < e->fingerprint_count; i++)
        wanted = e->fingerprints[i] == a->fingerprint;
    return wanted;
}

static bool take(void *arg, const struct history_event *e)
{
    struct answer *a = arg;
    if (!is_wanted(a, e))
        return true;
    if (a->count++ > 0)
        buf_put_u8(a->out, ',');
    history_event_json(e, a->out);
    return a->count < a->limit && a->out->len < ANSWER_BYTES_MAX;
}

/* `related` NULL: of all. */
static void answer(struct http_request *r, struct history *h, const struct request *asked,
                   const struct related *related)
{
    struct diag d = {.text = ""};
    struct answer a = {.out = api_begin(r),
                       .related = related,
                       .fingerprint = asked->related,
                       .limit = asked->q.limit};
    struct history_query q = asked->q;
    uint64_t next = 0;
    if (related != NULL) {
        q.start_ms = MAX(q.start_ms, related->subject.start_ms - RELATED_MS);
        q.end_ms = MIN(q.end_ms, related->subject.start_ms + RELATED_MS);
        q.limit = SIZE_MAX; /* of those that are wanted take() counts */
    }
    buf_put_str(a.out, STR("{\"events\":["));
    err e = history_search(h, &q, take, &a, &next);
    if (e != OK) {
        (void)diag_set(&d, e, "the history cannot be read: %s", err_name(e));
        api_fail_err(r, e, &d);
        return;
    }
    buf_put_u8(a.out, ']');
    if (next != 0)
        buf_printf(a.out, ",\"nextCursor\":\"%" PRIu64 "\"", next);
    buf_put_u8(a.out, '}');
    api_end(a.out, NULL, 0, NULL, 0);
}

/* Of events around the last begin of an alert, before the end that was asked for. */
static void answer_related(struct http_request *r, struct history *h, const struct request *asked)
{
    struct related related = {.count = 0};
    const struct diag d = {.text = "the history cannot be read"};
    err e = related_of_alert(h, asked->related, asked->q.end_ms, http_canceled(r), &related);
    if (e == OK)
        answer(r, h, asked, &related);
    else if (e == ERR_NOTFOUND)
        api_fail(r, API_NOT_FOUND, "the history knows no begin of that alert");
    else
        api_fail_err(r, e, &d);
    related_close(&related);
}

void api_alerting_history(struct http_request *r)
{
    struct notify_service *s = api_of(r)->notify;
    struct history *h = s != NULL ? notify_service_history(s) : NULL;
    struct request q = {.q = {.canceled = http_canceled(r)}};
    if (h == NULL) {
        api_fail(r, API_NOT_FOUND,
                 s == NULL ? "there is no history: the server was started without "
                             "--alertmanager.config-file"
                           : "there is no history: --alertmanager.history-retention is 0");
        return;
    }
    arena_init(&q.arena, MATCHERS_BYTES_MAX);
    q.q.matchers = q.matchers;
    bool good = read_request(r, &q);
    if (good && q.has_related)
        answer_related(r, h, &q);
    else if (good)
        answer(r, h, &q, NULL);
    for (size_t i = 0; i < q.q.matchers_count; i++)
        alert_matchers_fini(&q.matchers[i]);
    arena_fini(&q.arena);
}
