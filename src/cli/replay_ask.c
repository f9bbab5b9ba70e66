/* replay_ask.c -- expressions asked of a server, at one time after the other. What is asked at even
 * steps is asked ahead for many steps by one range query, more each time; not so expressions whose
 * answer depends on what the replay itself writes there, or on the bounds of a range (@ start()).
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/jtree.h"
#include "base/mem.h"
#include "base/number.h"
#include "base/url_text.h"
#include "cli/replay_http_priv.h"
#include "query/parser.h"

enum {
    STEPS_FIRST = 16, /* asked ahead at first; four times as many each time */
    STEPS_MAX = 5000,
    POINTS_MAX = 200000,         /* of one answer */
    POINTS_HELD_MAX = 20000000,  /* of all together: 9 bytes each */
    ASKED_MAX = 20000,           /* expressions remembered; others are asked singly */
    EXPRESSION_BYTES = 64 << 20, /* to parse one */
};

struct asked {
    struct asked *next;
    hash128 key;
    bool single, known; /* never ahead; asked before, for last_ms */
    int64_t last_ms;
    size_t steps_next;
    /* what was asked ahead: `series` rows of `steps` values */
    struct arena arena;
    int64_t from_ms, step_ms;
    size_t steps, series;
    struct labels *labels;
    double *values;
    bool *present;
};

/* ---- Which expressions ---- */

static bool is_written(const struct replay_http_options *o, str name)
{
    if (str_eq(name, STR("ALERTS")) || str_eq(name, STR("ALERTS_FOR_STATE")))
        return true;
    for (size_t f = 0; f < o->file_count; f++)
        for (size_t g = 0; g < o->files[f].group_count; g++)
            for (size_t r = 0; r < o->files[f].groups[g].rule_count; r++)
                if (str_eq(o->files[f].groups[g].rules[r].record.text, name))
                    return true;
    return false;
}

/* Does the selector name one metric, which no rule writes? */
static bool reads_others(const struct replay_http_options *o, const struct expr *e)
{
    for (size_t i = 0; i < e->vector.matcher_count; i++) {
        const struct matcher *m = &e->vector.matchers[i];
        if (m->type == MATCH_EQUAL && str_eq(m->name, LABEL_NAME))
            return !is_written(o, m->value);
    }
    return false;
}

/* Of a range query these tell other things than of its steps asked singly. */
static bool is_about_range(str name)
{
    return str_eq(name, STR("start")) || str_eq(name, STR("end")) || str_eq(name, STR("range")) ||
           str_eq(name, STR("step"));
}

static bool is_even(const struct replay_http *h, const struct expr *e)
{
    const struct expr *child;
    if (e->kind == EXPR_VECTOR)
        return e->vector.time.at != AT_START && e->vector.time.at != AT_END &&
               (h->o.write_url[0] == '\0' || reads_others(&h->o, e));
    if (e->kind == EXPR_SUBQUERY &&
        (e->subquery.time.at == AT_START || e->subquery.time.at == AT_END))
        return false;
    if (e->kind == EXPR_CALL && is_about_range(e->call.func->name))
        return false;
    for (size_t i = 0; (child = expr_child(e, i)) != NULL; i++)
        if (!is_even(h, child))
            return false;
    return true;
}

/* May the expression be asked for many steps at once? */
static bool may_go_ahead(const struct replay_http *h, str text)
{
    const struct promql_options options = {
        .experimental_functions = true, .fill_modifiers = true, .extended_range_selectors = true};
    struct arena a;
    struct expr *e = NULL;
    struct diag d = {.text = ""};
    arena_init(&a, EXPRESSION_BYTES);
    bool even = promql_parse(text, &options, &a, &e, &d) == OK && is_even(h, e);
    expr_fini(e);
    arena_fini(&a);
    return even;
}

/* NULL: it is not remembered. */
static struct asked *find(struct replay_http *h, str expr)
{
    hash128 key = hash128_of(str_bytes(expr), 0);
    struct asked **at = &h->asked[key.lo % REPLAY_ASKED_BUCKETS];
    while (*at != NULL && !hash128_eq((*at)->key, key))
        at = &(*at)->next;
    if (*at != NULL || h->asked_count == ASKED_MAX)
        return *at;
    struct asked *q = mem_zalloc(1, sizeof(*q));
    q->key = key;
    q->single = !may_go_ahead(h, expr);
    q->steps_next = STEPS_FIRST;
    h->asked_count++;
    return *at = q;
}

static void forget_steps(struct replay_http *h, struct asked *q)
{
    if (q->steps > 0)
        arena_fini(&q->arena);
    h->points_held -= q->steps * q->series;
    q->steps = q->series = 0;
}

void replay_ask_fini(struct replay_http *h)
{
    for (size_t i = 0; i < REPLAY_ASKED_BUCKETS; i++)
        for (struct asked *q = h->asked[i], *next; q != NULL; q = next) {
            next = q->next;
            forget_steps(h, q);
            mem_free(q);
        }
}

/* ---- Answers ---- */

static err no_room(struct diag *d)
{
    return diag_set(d, ERR_LIMIT, "the result of the rule needs too much memory");
}

static err read_labels(const struct jtree *metric, struct arena *a, struct labels *out,
                       struct diag *d)
{
    struct jtree_member m = {0};
    size_t n = 0;
    struct label *items = ARENA_ARRAY(a, struct label, jtree_count(metric) + 1);
    if (items == NULL)
        return no_room(d);
    while (jtree_next(metric, &m)) {
        items[n] = (struct label){arena_str(a, m.key), arena_str(a, jtree_text(m.value))};
        if (items[n].name.ptr == NULL || items[n].value.ptr == NULL)
            return no_room(d);
        n += items[n].value.len > 0;
    }
    *out = (struct labels){items, labels_sort(items, n)};
    return OK;
}

/* [1700000000.25, "1.5"] */
static bool read_point(const struct jtree *point, int64_t *ts_ms, double *value)
{
    double seconds = jtree_number(jtree_at(point, 0), (double)NAN);
    *ts_ms = isnan(seconds) ? 0 : (int64_t)llround(seconds * 1000);
    return !isnan(seconds) && fabs(seconds) < 1e13 &&
           number_parse_f64(jtree_text(jtree_at(point, 1)), false, value) == OK;
}

static err not_understood(struct diag *d)
{
    return diag_set(d, ERR_INVALID, "the answer is not that of Prometheus' API");
}

static err has_histograms(struct diag *d)
{
    return diag_set(d, ERR_UNSUPPORTED,
                    "the answer has native histograms, which the API gives rounded: replay on a "
                    "data directory");
}

static err read_instant(const struct jtree *data, struct arena *a, struct rule_vector *out,
                        struct diag *d)
{
    const struct jtree *result = jtree_get(data, "result");
    str type = jtree_text(jtree_get(data, "resultType"));
    bool scalar = str_eq(type, STR("scalar"));
    int64_t ts_ms;
    if (!scalar && !str_eq(type, STR("vector")))
        return diag_set(d, ERR_INVALID, "rule result is not a vector or scalar");
    out->count = scalar ? 1 : jtree_count(result);
    out->items = ARENA_ARRAY(a, struct rule_element, out->count + 1);
    if (out->items == NULL)
        return no_room(d);
    for (size_t i = 0; i < out->count; i++) {
        const struct jtree *element = scalar ? NULL : jtree_at(result, i);
        if (jtree_get(element, "histogram") != NULL)
            return has_histograms(d);
        if (!read_point(scalar ? result : jtree_get(element, "value"), &ts_ms,
                        &out->items[i].value))
            return not_understood(d);
        TRY(read_labels(jtree_get(element, "metric"), a, &out->items[i].labels, d));
    }
    return OK;
}

static err read_row(struct asked *q, size_t row, const struct jtree *series, struct diag *d)
{
    const struct jtree *values = jtree_get(series, "values");
    if (jtree_count(jtree_get(series, "histograms")) > 0)
        return has_histograms(d);
    TRY(read_labels(jtree_get(series, "metric"), &q->arena, &q->labels[row], d));
    for (size_t i = 0; i < jtree_count(values); i++) {
        int64_t ts_ms;
        double v;
        if (!read_point(jtree_at(values, i), &ts_ms, &v) || ts_ms < q->from_ms ||
            (ts_ms - q->from_ms) % q->step_ms != 0 ||
            (uint64_t)((ts_ms - q->from_ms) / q->step_ms) >= q->steps)
            return not_understood(d);
        size_t at = row * q->steps + (size_t)((ts_ms - q->from_ms) / q->step_ms);
        q->values[at] = v;
        q->present[at] = true;
    }
    return OK;
}

/* `q` has begun: its arena and steps are set. */
static err read_range(struct replay_http *h, struct asked *q, const struct jtree *data,
                      struct diag *d)
{
    const struct jtree *result = jtree_get(data, "result");
    size_t series = jtree_count(result);
    if (!str_eq(jtree_text(jtree_get(data, "resultType")), STR("matrix")))
        return not_understood(d);
    q->labels = ARENA_ARRAY(&q->arena, struct labels, series + 1);
    q->values = ARENA_ARRAY(&q->arena, double, series * q->steps + 1);
    q->present = ARENA_ARRAY(&q->arena, bool, series * q->steps + 1);
    if (q->labels == NULL || q->values == NULL || q->present == NULL)
        return no_room(d);
    q->series = series;
    h->points_held += series * q->steps;
    for (size_t i = 0; i < series; i++)
        TRY(read_row(q, i, jtree_at(result, i), d));
    return OK;
}

/* ---- Questions ---- */

static void put_form(struct buf *b, const char *name, str value)
{
    buf_printf(b, "%s%s=", b->len > 0 ? "&" : "", name);
    url_put(b, value);
}

static void put_seconds(struct buf *b, const char *name, int64_t ms)
{
    char text[32];
    (void)snprintf(text, sizeof(text), "%s%lld.%03d", ms < 0 ? "-" : "",
                   (long long)(ms < 0 ? -ms : ms) / 1000, (int)((ms < 0 ? -ms : ms) % 1000));
    put_form(b, name, str_from(text));
}

/* The tree of an answer, whose member data is what was asked for. */
static err post(struct replay_http *h, const char *path, const struct buf *form, struct jtree **out,
                struct diag *d)
{
    struct buf url = {0}, words = {0};
    struct http_reply reply = {0};
    buf_printf(&url, STR_FMT "/api/v1/%s", STR_ARG(buf_str(&h->url)), path);
    err e = replay_http_post(h, buf_str(&url), STR("application/x-www-form-urlencoded"),
                             buf_slice(form), (struct pairs){NULL, 0}, &reply, d);
    if (e == OK && reply.status != 200) {
        replay_http_words(&reply, &words);
        e = diag_set(d, ERR_INVALID, "%s", buf_cstr(&words));
    } else if (e == OK && jtree_parse_lax(buf_slice(&reply.body), out, NULL) != OK) {
        e = not_understood(d);
    }
    buf_fini(&words);
    buf_fini(&url);
    http_reply_fini(&reply);
    return e;
}

static err ask_instant(struct replay_http *h, str expr, int64_t ts_ms, struct arena *a,
                       struct rule_vector *out, struct diag *d)
{
    struct buf form = {0};
    struct jtree *root = NULL;
    put_form(&form, "query", expr);
    put_seconds(&form, "time", ts_ms);
    err e = post(h, "query", &form, &root, d);
    if (e == OK)
        e = read_instant(jtree_get(root, "data"), a, out, d);
    jtree_free(root);
    buf_fini(&form);
    return e;
}

static err ask_range(struct replay_http *h, struct asked *q, str expr, int64_t from_ms,
                     int64_t step_ms, size_t steps, struct diag *d)
{
    struct buf form = {0};
    struct jtree *root = NULL;
    forget_steps(h, q);
    put_form(&form, "query", expr);
    put_seconds(&form, "start", from_ms);
    put_seconds(&form, "end", from_ms + (int64_t)(steps - 1) * step_ms);
    put_seconds(&form, "step", step_ms);
    err e = post(h, "query_range", &form, &root, d);
    if (e == OK) {
        arena_init(&q->arena, REPLAY_ANSWER_BYTES_MAX);
        q->from_ms = from_ms;
        q->step_ms = step_ms;
        q->steps = steps;
        e = read_range(h, q, jtree_get(root, "data"), d);
    }
    if (e != OK)
        forget_steps(h, q);
    jtree_free(root);
    buf_fini(&form);
    return e;
}

/* How many steps to ask ahead; fewer than two: none. */
static size_t steps_ahead(const struct replay_http *h, const struct asked *q, int64_t ts_ms)
{
    if (q == NULL || q->single || !q->known || ts_ms <= q->last_ms ||
        h->points_held > POINTS_HELD_MAX || ts_ms > h->o.end_ms)
        return 0;
    uint64_t left = (uint64_t)((h->o.end_ms - ts_ms) / (ts_ms - q->last_ms)) + 1;
    return (size_t)MIN((uint64_t)q->steps_next, left);
}

static bool has_step(const struct asked *q, int64_t ts_ms, size_t *step)
{
    if (q == NULL || q->steps == 0 || ts_ms < q->from_ms || (ts_ms - q->from_ms) % q->step_ms != 0)
        return false;
    *step = (size_t)((ts_ms - q->from_ms) / q->step_ms);
    return *step < q->steps;
}

static err take_step(const struct asked *q, size_t step, struct arena *a, struct rule_vector *out,
                     struct diag *d)
{
    out->count = 0;
    out->items = ARENA_ARRAY(a, struct rule_element, q->series + 1);
    if (out->items == NULL)
        return no_room(d);
    for (size_t i = 0; i < q->series; i++) {
        if (!q->present[i * q->steps + step])
            continue;
        struct rule_element *to = &out->items[out->count++];
        *to = (struct rule_element){.value = q->values[i * q->steps + step]};
        if (labels_copy(q->labels[i], a, &to->labels) != OK)
            return no_room(d);
    }
    return OK;
}

static void note_answer(struct asked *q, size_t asked)
{
    size_t room = POINTS_MAX / MAX(q->series, (size_t)1);
    q->steps_next = MAX(MIN(MIN(4 * asked, (size_t)STEPS_MAX), room), (size_t)1);
}

err replay_ask(void *arg, str expr, int64_t ts_ms, struct arena *a, struct rule_vector *out,
               struct diag *d)
{
    struct replay_http *h = arg;
    struct asked *q = find(h, expr);
    struct diag why = {.text = ""};
    size_t step = 0, ahead;
    *out = (struct rule_vector){0};
    if (!has_step(q, ts_ms, &step) && (ahead = steps_ahead(h, q, ts_ms)) >= 2) {
        if (ask_range(h, q, expr, ts_ms, ts_ms - q->last_ms, ahead, &why) == OK)
            note_answer(q, ahead);
        else
            q->steps_next = 1; /* each step has an error or a result of its own */
    }
    bool known = has_step(q, ts_ms, &step);
    if (q != NULL) {
        q->last_ms = ts_ms;
        q->known = true;
    }
    if (known)
        return take_step(q, step, a, out, d);
    if (q == NULL || q->single)
        TRY(replay_send_rest(h, d));
    return ask_instant(h, expr, ts_ms, a, out, d);
}
