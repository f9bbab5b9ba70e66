/* api_rules.c -- /api/v1/rules and /api/v1/alerts, as Prometheus answers them. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "base/duration.h"
#include "base/mem.h"
#include "base/number.h"
#include "base/utf8.h"
#include "http/api.h"
#include "http/json.h"

/* ---- Parameters ---- */

enum rule_kinds { KIND_ALERT = 1, KIND_RECORD = 2 };

struct rule_filter {
    struct http_request *r; /* rule_name[], rule_group[] and file[] are looked up in it */
    struct api_selectors selectors;
    unsigned kinds;
    bool exclude_alerts;
    uint64_t group_limit; /* 0: none */
    str token;            /* of the group to begin with */
};

static bool is_word(str s, const char *word)
{
    return s.len == strlen(word) && strncasecmp(s.ptr, word, s.len) == 0;
}

static bool read_type(struct http_request *r, struct rule_filter *f)
{
    str type = http_param(r, STR("type"));
    struct buf b = {0};
    f->kinds = type.len == 0             ? KIND_ALERT | KIND_RECORD
               : is_word(type, "alert")  ? KIND_ALERT
               : is_word(type, "record") ? KIND_RECORD
                                         : 0;
    if (f->kinds != 0)
        return true;
    buf_put_str(&b, STR("not supported value "));
    utf8_quote(&b, type);
    api_fail_param(r, "type", buf_cstr(&b));
    buf_fini(&b);
    return false;
}

static bool read_exclude_alerts(struct http_request *r, struct rule_filter *f)
{
    str s = http_param(r, STR("exclude_alerts"));
    if (s.len == 0 || number_parse_bool(s, &f->exclude_alerts))
        return true;
    struct buf b = {0};
    buf_put_str(&b, STR("error converting exclude_alerts: strconv.ParseBool: parsing "));
    utf8_quote(&b, s);
    buf_put_str(&b, STR(": invalid syntax"));
    api_fail_param(r, "exclude_alerts", buf_cstr(&b));
    buf_fini(&b);
    return false;
}

static bool read_page(struct http_request *r, struct rule_filter *f)
{
    int64_t n = 0;
    str limit = http_param(r, STR("group_limit"));
    struct buf b = {0};
    f->token = http_param(r, STR("group_next_token"));
    if (limit.len > 0 && (number_parse_i64(limit, &n) != OK || n > INT32_MAX || n < INT32_MIN)) {
        buf_put_str(&b, STR("group_limit needs to be a valid number: strconv.ParseInt: parsing "));
        utf8_quote(&b, limit);
        buf_put_str(&b, n == 0 ? STR(": invalid syntax") : STR(": value out of range"));
        api_fail_param(r, "group_limit", buf_cstr(&b));
    } else if (limit.len > 0 && n <= 0) {
        api_fail_param(r, "group_limit", "group_limit needs to be greater than 0");
    } else if (f->token.len > 0 && limit.len == 0) {
        api_fail_param(r, "group_next_token",
                       "group_limit needs to be present in order to paginate over the groups");
    } else {
        f->group_limit = (uint64_t)n;
        return true;
    }
    buf_fini(&b);
    return false;
}

/* Is `value` among the repeated parameter's, or are there none? */
static bool is_asked_for(struct http_request *r, const char *param, str value)
{
    size_t i = 0;
    str s = http_param_nth(r, str_from(param), 0);
    if (s.ptr == NULL)
        return true;
    for (; s.ptr != NULL; s = http_param_nth(r, str_from(param), ++i))
        if (str_eq(s, value))
            return true;
    return false;
}

static bool is_selected(const struct rule_filter *f, const struct rule *r)
{
    if ((f->kinds & (r->alerting ? KIND_ALERT : KIND_RECORD)) == 0 ||
        !is_asked_for(f->r, "rule_name[]", r->name))
        return false;
    for (size_t i = 0; i < f->selectors.count; i++)
        if (matchers_match(f->selectors.matchers[i], f->selectors.counts[i], r->labels))
            return true;
    return f->selectors.count == 0;
}

/* ---- Writing ---- */

static void put_time(struct buf *b, int64_t ms)
{
    buf_put_u8(b, '"');
    if (ms == ALERT_NEVER)
        buf_put_str(b, STR("0001-01-01T00:00:00Z"));
    else
        b->len += timestamp_format_rfc3339(ms, (char *)buf_reserve(b, 40));
    buf_put_u8(b, '"');
}

static void put_seconds(struct buf *b, const char *key, double s)
{
    buf_printf(b, "\"%s\":", key);
    json_number(b, s);
}

static void put_alert(struct buf *b, const struct active_alert *a)
{
    buf_put_str(b, STR("{\"labels\":"));
    labels_json(b, a->labels);
    buf_put_str(b, STR(",\"annotations\":"));
    labels_json(b, a->annotations);
    buf_printf(b, ",\"state\":\"%s\",\"activeAt\":", alert_state_name(a->state));
    put_time(b, a->active_at_ms);
    if (a->keep_firing_since_ms != ALERT_NEVER) {
        buf_put_str(b, STR(",\"keepFiringSince\":"));
        put_time(b, a->keep_firing_since_ms);
    }
    buf_put_str(b, STR(",\"value\":\""));
    b->len += number_format_e(a->value, (char *)buf_reserve(b, NUMBER_SIZE_MAX));
    buf_put_str(b, STR("\"}"));
}

static int compare_alerts(const void *pa, const void *pb)
{
    return labels_cmp((*(struct active_alert *const *)pa)->labels,
                      (*(struct active_alert *const *)pb)->labels);
}

/* Those pending or firing, by their labels; `first` is whether no comma is needed. */
static void put_alerts(struct buf *b, const struct alert_set *s, bool *first)
{
    struct active_alert **sorted = mem_alloc((s->count + 1) * sizeof(struct active_alert *));
    size_t n = 0;
    for (size_t i = 0; i < s->count; i++)
        if (s->items[i]->state != ALERT_STATE_INACTIVE)
            sorted[n++] = s->items[i];
    if (n > 1)
        qsort(sorted, n, sizeof(struct active_alert *), compare_alerts);
    for (size_t i = 0; i < n; i++) {
        if (!*first)
            buf_put_u8(b, ',');
        *first = false;
        put_alert(b, sorted[i]);
    }
    mem_free(sorted);
}

static void put_alerting(struct buf *b, const struct rule *r, bool exclude_alerts)
{
    bool first = true;
    enum alert_state state = alert_set_state(&r->alerts);
    bool known = r->health != RULE_UNKNOWN || state != ALERT_STATE_INACTIVE;
    buf_printf(b, "{\"state\":\"%s\",\"name\":", known ? alert_state_name(state) : "unknown");
    json_str(b, r->name);
    buf_put_str(b, STR(",\"query\":"));
    json_str(b, r->expr);
    buf_put_u8(b, ',');
    put_seconds(b, "duration", (double)r->for_ms / 1000);
    buf_put_u8(b, ',');
    put_seconds(b, "keepFiringFor", (double)r->keep_firing_for_ms / 1000);
    buf_put_str(b, STR(",\"labels\":"));
    labels_json(b, r->labels);
    buf_put_str(b, STR(",\"annotations\":"));
    labels_json(b, r->annotations);
    if (exclude_alerts) {
        buf_put_str(b, STR(",\"alerts\":null"));
        return;
    }
    buf_put_str(b, STR(",\"alerts\":["));
    put_alerts(b, &r->alerts, &first);
    buf_put_u8(b, ']');
}

static void put_recording(struct buf *b, const struct rule *r)
{
    buf_put_str(b, STR("{\"name\":"));
    json_str(b, r->name);
    buf_put_str(b, STR(",\"query\":"));
    json_str(b, r->expr);
    if (r->labels.count == 0)
        return;
    buf_put_str(b, STR(",\"labels\":"));
    labels_json(b, r->labels);
}

static void put_rule(struct buf *b, const struct rule *r, bool exclude_alerts)
{
    static const char *const HEALTH[] = {"unknown", "ok", "err"};
    if (r->alerting)
        put_alerting(b, r, exclude_alerts);
    else
        put_recording(b, r);
    buf_printf(b, ",\"health\":\"%s\",", HEALTH[r->health]);
    if (r->last_error.len > 0) {
        buf_put_str(b, STR("\"lastError\":"));
        json_str(b, buf_str(&r->last_error));
        buf_put_u8(b, ',');
    }
    put_seconds(b, "evaluationTime", (double)r->eval_ns / 1e9);
    buf_put_str(b, STR(",\"lastEvaluation\":"));
    put_time(b, r->last_eval_ms);
    buf_printf(b, ",\"type\":\"%s\"}", r->alerting ? "alerting" : "recording");
}

/* The group with those of its rules that are asked for; false, and nothing written: none is. */
static bool put_group(struct buf *b, struct group *g, const struct rule_filter *f)
{
    size_t begin = b->len, rules = 0;
    buf_put_str(b, STR("{\"name\":"));
    json_str(b, g->name);
    buf_put_str(b, STR(",\"file\":"));
    json_str(b, g->file);
    buf_put_str(b, STR(",\"rules\":["));
    group_lock(g);
    for (size_t i = 0; i < g->rule_count; i++) {
        if (!is_selected(f, &g->rules[i]))
            continue;
        if (rules++ > 0)
            buf_put_u8(b, ',');
        put_rule(b, &g->rules[i], f->exclude_alerts);
    }
    uint64_t eval_ns = g->eval_ns;
    int64_t last_eval_ms = g->last_eval_ms;
    group_unlock(g);
    if (rules == 0) {
        b->len = begin;
        return false;
    }
    buf_put_str(b, STR("],"));
    put_seconds(b, "interval", (double)g->interval_ms / 1000);
    buf_printf(b, ",\"limit\":%" PRId64 ",", g->limit);
    put_seconds(b, "evaluationTime", (double)eval_ns / 1e9);
    buf_put_str(b, STR(",\"lastEvaluation\":"));
    put_time(b, last_eval_ms);
    buf_put_u8(b, '}');
    return true;
}

enum { TOKEN_SIZE = 33 };

static void token_of(const struct group *g, char *out)
{
    (void)snprintf(out, TOKEN_SIZE, "%016" PRIx64 "%016" PRIx64, g->key.hi, g->key.lo);
}

/* From which group on; SIZE_MAX: the token is of none. */
static size_t page_begin(const struct rules_view *v, str token)
{
    char text[TOKEN_SIZE];
    if (token.len == 0)
        return 0;
    for (size_t i = 0; i < v->count; i++) {
        token_of(v->groups[i], text);
        if (str_eq(token, str_from(text)))
            return i;
    }
    return SIZE_MAX;
}

static void answer_rules(struct http_request *r, const struct rules_view *v,
                         const struct rule_filter *f, size_t begin)
{
    struct buf *b = api_begin(r);
    uint64_t groups = 0;
    char next[TOKEN_SIZE] = "";
    buf_put_str(b, STR("{\"groups\":["));
    for (size_t i = begin; i < v->count && next[0] == '\0'; i++) {
        struct group *g = v->groups[i];
        size_t at = b->len;
        if (!is_asked_for(r, "rule_group[]", g->name) || !is_asked_for(r, "file[]", g->file))
            continue;
        if (groups > 0)
            buf_put_u8(b, ',');
        if (!put_group(b, g, f)) {
            b->len = at;
        } else if (f->group_limit > 0 && groups == f->group_limit) {
            b->len = at; /* the first of the next page */
            token_of(g, next);
        } else {
            groups++;
        }
    }
    buf_put_u8(b, ']');
    if (next[0] != '\0')
        buf_printf(b, ",\"groupNextToken\":\"%s\"", next);
    buf_put_u8(b, '}');
    api_end(b, NULL, 0, NULL, 0);
}

void api_rules(struct http_request *r)
{
    struct rule_filter f = {.r = r};
    if (!api_selectors(r, false, &f.selectors))
        return;
    if (read_type(r, &f) && read_exclude_alerts(r, &f) && read_page(r, &f)) {
        struct rules_view v = rules_view(api_of(r)->rules);
        size_t begin = page_begin(&v, f.token);
        if (begin == SIZE_MAX) {
            struct buf b = {0};
            buf_printf(&b, "invalid group_next_token '" STR_FMT "'. were rule groups changed?",
                       STR_ARG(f.token));
            api_fail_param(r, "group_next_token", buf_cstr(&b));
            buf_fini(&b);
        } else {
            answer_rules(r, &v, &f, begin);
        }
        rules_view_fini(&v);
    }
    api_selectors_fini(&f.selectors);
}

void api_alerts(struct http_request *r)
{
    struct rules_view v = rules_view(api_of(r)->rules);
    struct buf *b = api_begin(r);
    bool first = true;
    buf_put_str(b, STR("{\"alerts\":["));
    for (size_t i = 0; i < v.count; i++) {
        struct group *g = v.groups[i];
        group_lock(g);
        for (size_t k = 0; k < g->rule_count; k++)
            put_alerts(b, &g->rules[k].alerts, &first);
        group_unlock(g);
    }
    buf_put_str(b, STR("]}"));
    api_end(b, NULL, 0, NULL, 0);
    rules_view_fini(&v);
}
