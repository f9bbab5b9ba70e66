/* Random queries over random data: the engine against the reference evaluator, bit for bit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/hash.h"
#include "query/engine.h"
#include "support/fake_source.h"
#include "support/promql_reference.h"

enum { DATA_SETS = 12, QUERIES_PER_SET = 400, TEXT_MAX = 4000, DEPTH_MAX = 4 };

static uint64_t rng_state;

static uint64_t rnd(uint64_t bound)
{
    rng_state ^= rng_state << 13;
    rng_state ^= rng_state >> 7;
    rng_state ^= rng_state << 17;
    return rng_state % bound;
}

static bool chance(unsigned percent)
{
    return rnd(100) < percent;
}

static const char *pick(const char *const *items, size_t count)
{
    return items[rnd(count)];
}
#define PICK(...)                                                                                  \
    pick((const char *const[]){__VA_ARGS__},                                                       \
         sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))

/* ---- data ---- */

enum { DATA_START_S = 0, DATA_END_S = 1800 };

struct target { /* scrapes at times of its own, misses some */
    int64_t ts_ms[256];
    size_t count;
};

static void make_target(struct target *t)
{
    int64_t gap = (int64_t[]){10000, 15000, 30000, 60000}[rnd(4)], at = (int64_t)rnd(20000);
    t->count = 0;
    for (; at < DATA_END_S * 1000 && t->count < 256; at += gap) {
        if (chance(5))
            continue;
        if (chance(2))
            at += gap * (int64_t)(5 + rnd(10));
        t->ts_ms[t->count++] = at + (chance(30) ? (int64_t)rnd(40) : 0);
    }
}

static double gauge_value(void)
{
    if (chance(3))
        return (double[]){NAN, INFINITY, -INFINITY, 0, -0.0, 1e300, -1e300}[rnd(7)];
    if (chance(30))
        return (double)(int64_t)rnd(10) - 4;
    return ((double)rnd(1u << 30) - (1 << 29)) / 1024.0;
}

static double unique_value(void)
{
    return (double)rnd(UINT64_C(1) << 52) / 4096.0 - 5e11;
}

static void fill_series(struct fake_store *s, size_t series, const struct target *t, int kind)
{
    double counter = chance(50) ? 0 : (double)rnd(1000000);
    for (size_t i = 0; i < t->count; i++) {
        if (chance(1)) {
            fake_store_add(s, series, t->ts_ms[i], f64_from_bits(STALE_NAN_BITS));
            if (chance(50)) /* gone for a while */
                i += rnd(20);
            continue;
        }
        counter += chance(20) ? 0 : chance(50) ? (double)rnd(100) : (double)rnd(1000) / 7;
        if (chance(2))
            counter = chance(50) ? 0 : (double)rnd(50);
        double v = kind == 0 ? counter : kind == 1 ? gauge_value() : unique_value();
        fake_store_add(s, series, t->ts_ms[i], v);
    }
}

static void add_histogram(struct fake_store *s, const char *job, const char *instance,
                          const struct target *t)
{
    static const char *const bounds[] = {"0.1", "0.5", "1", "2.5", "+Inf"};
    double counts[5] = {0};
    for (size_t i = 0; i < t->count; i++) {
        for (int n = (int)rnd(5); n > 0; n--)
            for (size_t b = rnd(5); b < 5; b++)
                counts[b] += 1;
        if (chance(2))
            memset(counts, 0, sizeof(counts));
        for (size_t b = 0; b < 5; b++) {
            size_t series = fake_store_series(s, "__name__", "h_bucket", "job", job, "instance",
                                              instance, "le", bounds[b], NULL);
            if (!chance(1))
                fake_store_add(s, series, t->ts_ms[i], counts[b]);
        }
    }
}

static struct fake_store *make_store(void)
{
    static const char *const jobs[] = {"a", "b"}, *const instances[] = {"1", "2", "3"};
    static const char *const names[] = {"c_total", "g", "u"};
    struct fake_store *s = fake_store_open();
    for (size_t j = 0; j < 2; j++) {
        for (size_t i = 0; i < 3; i++) {
            struct target t;
            make_target(&t);
            for (int kind = 0; kind < 3; kind++) {
                if (chance(10))
                    continue;
                size_t series = fake_store_series(s, "__name__", names[kind], "job", jobs[j],
                                                  "instance", instances[i], NULL);
                fill_series(s, series, &t, kind);
                if (!chance(25))
                    continue;
                series = fake_store_series(s, "__name__", names[kind], "job", jobs[j], "instance",
                                           instances[i], "x", chance(50) ? "1" : "2", NULL);
                fill_series(s, series, &t, kind);
            }
            if (chance(60))
                add_histogram(s, jobs[j], instances[i], &t);
        }
    }
    return s;
}

/* ---- queries ---- */

static void put(struct buf *b, const char *text)
{
    buf_put_str(b, str_from(text));
}

static void gen_vector(struct buf *b, int depth);

static void gen_time(struct buf *b)
{
    if (chance(15))
        buf_printf(b, " offset %s", PICK("30s", "1m", "7m", "-2m", "15s500ms"));
    if (chance(10))
        buf_printf(b, " @ %s", PICK("600", "start()", "end()", "1234.567"));
}

static void gen_matchers(struct buf *b)
{
    if (chance(40))
        buf_printf(b, "{%s}",
                   PICK("job=\"a\"", "job!=\"a\"", "instance=~\"1|2\"", "instance!~\"3\"", "x=\"\"",
                        "x!=\"\"", "job=\"a\",instance=\"1\"", "job=\"nope\""));
}

static void gen_selector(struct buf *b)
{
    if (chance(8)) {
        put(b, "{__name__=~\"c_total|g\",x=\"\"}");
        return;
    }
    put(b, PICK("c_total", "g", "u", "g", "h_bucket"));
    gen_matchers(b);
}

static void gen_number(struct buf *b)
{
    put(b, PICK("0", "1", "2", "0.5", "-1", "100", "1e6", "3.25", "NaN", "Inf"));
}

static void gen_scalar(struct buf *b, int depth)
{
    if (depth <= 0 || chance(60)) {
        gen_number(b);
    } else if (chance(30)) {
        put(b, PICK("time()", "pi()", "(time() / 60)"));
    } else if (chance(50)) {
        put(b, "scalar(");
        gen_vector(b, depth - 1);
        put(b, ")");
    } else {
        put(b, "(");
        gen_scalar(b, depth - 1);
        buf_printf(b, " %s ", PICK("+", "-", "*", "/", "%", "^", "> bool", "== bool"));
        gen_scalar(b, depth - 1);
        put(b, ")");
    }
}

static void gen_range_arg(struct buf *b, int depth)
{
    if (depth > 1 && chance(20)) {
        put(b, "(");
        gen_vector(b, depth - 2);
        buf_printf(b, ")[%s:%s]", PICK("2m", "5m", "90s"), PICK("30s", "1m", "", "17s"));
    } else {
        gen_selector(b);
        buf_printf(b, "[%s]", PICK("1m", "2m", "5m", "10m", "31s", "1h", "10s"));
    }
    gen_time(b);
}

static void gen_range_call(struct buf *b, int depth)
{
    if (chance(8)) {
        buf_printf(b, "quantile_over_time(%s, ", PICK("0.5", "0.9", "0", "1", "2", "-1"));
        gen_range_arg(b, depth);
        put(b, ")");
        return;
    }
    if (chance(6)) {
        put(b, "predict_linear(");
        gen_range_arg(b, depth);
        put(b, ", 60)");
        return;
    }
    put(b, PICK("rate", "rate", "rate", "increase", "delta", "irate", "idelta", "deriv", "changes",
                "resets", "sum_over_time", "avg_over_time", "min_over_time", "max_over_time",
                "count_over_time", "last_over_time", "first_over_time", "present_over_time",
                "stddev_over_time", "stdvar_over_time"));
    put(b, "(");
    gen_range_arg(b, depth);
    put(b, ")");
}

static void gen_grouping(struct buf *b)
{
    if (chance(75))
        buf_printf(b, " %s ",
                   PICK("by (job)", "by (instance)", "without (instance)", "by (job, le)",
                        "without (x, job)", "by (__name__)", "by (nope)", "by ()", "without ()"));
}

static void gen_aggregate(struct buf *b, int depth)
{
    if (chance(12)) { /* members of distinct values, so that there are no ties */
        put(b, PICK("topk", "bottomk"));
        gen_grouping(b);
        buf_printf(b, "(%s, u)", PICK("1", "2", "3.7", "0", "100"));
        return;
    }
    if (chance(12)) {
        put(b, "quantile");
        gen_grouping(b);
        buf_printf(b, "(%s, ", PICK("0.5", "0.9", "0", "1", "-1", "2"));
    } else {
        put(b, PICK("sum", "sum", "avg", "min", "max", "count", "group", "stddev", "stdvar"));
        gen_grouping(b);
        put(b, "(");
    }
    gen_vector(b, depth - 1);
    put(b, ")");
}

static void gen_matched(struct buf *b, int depth)
{
    bool set = chance(25);
    put(b, "(");
    gen_vector(b, depth - 1);
    if (set)
        buf_printf(b, " %s ", PICK("and", "or", "unless"));
    else
        buf_printf(
            b, " %s ",
            PICK("+", "-", "*", "/", "%", "^", "atan2", ">", "<=", "== bool", "!=", ">= bool"));
    if (chance(60))
        put(b, PICK("on (job, instance) ", "on (job) ", "ignoring (x) ", "ignoring (le, x) ",
                    "on () ", "on (job, instance, x) "));
    else if (!set && chance(50))
        put(b, PICK("on (job) group_left () ", "on (job, instance) group_left (x) ",
                    "ignoring (x, le) group_right () ", "on (job) group_right (instance) ",
                    "on (instance) group_left (job) "));
    gen_vector(b, depth - 1);
    put(b, ")");
}

static void gen_map(struct buf *b, int depth)
{
    if (chance(20)) {
        put(b, PICK("clamp(", "clamp_min(", "clamp_max("));
        bool both = b->ptr[b->len - 2] == 'p';
        gen_vector(b, depth - 1);
        put(b, both ? PICK(", 0, 10)", ", 5, 1)", ", -3, 100)") : PICK(", 0)", ", 10)", ", -2)"));
        return;
    }
    if (chance(10)) {
        put(b, "round(");
        gen_vector(b, depth - 1);
        put(b, PICK(")", ", 5)", ", 0.1)"));
        return;
    }
    put(b, PICK("abs(", "ceil(", "floor(", "sqrt(", "exp(", "ln(", "log2(", "log10(", "sin(",
                "sgn(", "timestamp(", "-(", "+("));
    gen_vector(b, depth - 1);
    put(b, ")");
}

static void gen_with_scalar(struct buf *b, int depth)
{
    const char *op = PICK("+", "-", "*", "/", "%", "^", "atan2", ">", "<",
                          ">=", "<=", "==", "!=", "> bool", "== bool");
    put(b, "(");
    if (chance(50)) {
        gen_vector(b, depth - 1);
        buf_printf(b, " %s ", op);
        gen_scalar(b, depth - 1);
    } else {
        gen_scalar(b, depth - 1);
        buf_printf(b, " %s ", op);
        gen_vector(b, depth - 1);
    }
    put(b, ")");
}

static void gen_vector(struct buf *b, int depth)
{
    if (depth <= 0) {
        gen_selector(b);
        gen_time(b);
        return;
    }
    switch (rnd(10)) {
    case 0:
        gen_selector(b);
        gen_time(b);
        return;
    case 1:
    case 2:
        gen_range_call(b, depth);
        return;
    case 3:
    case 4:
        gen_aggregate(b, depth);
        return;
    case 5:
        gen_map(b, depth);
        return;
    case 6:
        gen_with_scalar(b, depth);
        return;
    case 7:
    case 8:
        gen_matched(b, depth);
        return;
    default:
        break;
    }
    if (chance(50)) {
        buf_printf(b, "histogram_quantile(%s, sum by (le%s) (rate(h_bucket[%s])))",
                   PICK("0.5", "0.9", "0", "1", "1.5"), PICK("", ", job", ", instance"),
                   PICK("1m", "5m"));
    } else if (chance(50)) {
        put(b, "vector(");
        gen_scalar(b, depth - 1);
        put(b, ")");
    } else {
        put(b, "absent(sum(");
        gen_vector(b, depth - 1);
        put(b, "))");
    }
}

/* ---- comparing ---- */

struct run {
    struct fake_store *store;
    struct pool *pool;
    struct query_options options;
    const char *text;
    size_t compared, errors, exact;
};

/* Sums of the same values in another order may differ in the last digits. */
static const double ORDER_TOLERANCE = 1e-12;

static bool identical(double a, double b)
{
    return (isnan(a) && isnan(b)) || f64_bits(a) == f64_bits(b);
}

static bool same(double a, double b)
{
    return identical(a, b) || fabs(a - b) <= ORDER_TOLERANCE * fmax(fabs(a), fabs(b));
}

static void report(const struct run *r, const char *what)
{
    print_error("%s\n  query %s\n  start %lld end %lld step %lld\n", what, r->text,
                (long long)r->options.start_ms, (long long)r->options.end_ms,
                (long long)r->options.step_ms);
    fail();
}

/* Points of the engine's result, as (series, step) to look up. */
struct answer {
    struct query_series series[512];
    size_t count;
};

static const double *find_point(const struct answer *a, struct labels ls, int64_t ts)
{
    for (size_t i = 0; i < a->count; i++) {
        const struct query_series *s = &a->series[i];
        if (!labels_eq(s->labels, ls))
            continue;
        for (size_t k = 0; k < s->count; k++)
            if (s->ts_ms[k] == ts)
                return &s->values[k];
    }
    return NULL;
}

static void copy_answer(struct query *q, struct arena *a, struct answer *out)
{
    struct query_series s;
    out->count = 0;
    while (query_next_series(q, &s)) {
        assert_true(out->count < COUNT_OF(out->series));
        assert_true(s.count > 0);
        int64_t *ts = arena_alloc(a, s.count * sizeof(*ts));
        double *values = arena_alloc(a, s.count * sizeof(*values));
        memcpy(ts, s.ts_ms, s.count * sizeof(*ts));
        memcpy(values, s.values, s.count * sizeof(*values));
        s.ts_ms = ts;
        s.values = values;
        out->series[out->count++] = s;
    }
}

static void compare_step(struct run *r, const struct answer *a, struct ref_vector v, int64_t ts)
{
    char text[256];
    size_t points = 0;
    for (size_t i = 0; i < a->count; i++)
        for (size_t k = 0; k < a->series[i].count; k++)
            points += a->series[i].ts_ms[k] == ts;
    if (points != v.count) {
        snprintf(text, sizeof(text), "at %lld: %zu points, expected %zu", (long long)ts, points,
                 v.count);
        report(r, text);
    }
    for (size_t i = 0; i < v.count; i++) {
        const double *got = find_point(a, v.items[i].labels, ts);
        struct buf ls = {0};
        labels_format(v.items[i].labels, &ls);
        if (got == NULL || !same(*got, v.items[i].value)) {
            snprintf(text, sizeof(text), "at %lld %s: got %.17g, expected %.17g", (long long)ts,
                     buf_cstr(&ls), got != NULL ? *got : (double)NAN, v.items[i].value);
            report(r, text);
        }
        buf_fini(&ls);
        r->compared++;
        r->exact += identical(*got, v.items[i].value);
    }
}

static void compare_errors(struct run *r, struct query *q, struct ref_query *ref, err e,
                           const struct diag *d)
{
    int64_t step = r->options.step_ms > 0 ? r->options.step_ms : 1;
    for (int64_t t = r->options.start_ms; t <= r->options.end_ms && ref->error[0] == 0; t += step)
        ref_eval(ref, query_expr(q), t);
    r->errors++;
    if (e == ERR_INVALID && ref->error[0] != 0)
        return;
    /* Functions over ranges refuse equal label sets even at different steps. */
    bool names_differ = strstr(r->text, "=~\"c_total") != NULL || strstr(r->text, " or ") != NULL;
    if (r->options.step_ms > 0 && names_differ && strstr(d->text, "same labelset") != NULL)
        return;
    char text[2048];
    snprintf(text, sizeof(text), "engine: %s (%s), reference: %s", d->text, err_name(e),
             ref->error);
    report(r, text);
}

static void compare_values(struct run *r, struct query *q, struct ref_query *ref)
{
    static struct answer a;
    const struct query_result *res = query_result(q);
    int64_t step = r->options.step_ms > 0 ? r->options.step_ms : 1;
    copy_answer(q, ref->arena, &a);
    for (int64_t t = r->options.start_ms; t <= r->options.end_ms; t += step) {
        struct ref_vector v = ref_eval(ref, query_expr(q), t);
        if (ref->error[0] != 0)
            report(r, ref->error);
        if (res->type == VALUE_SCALAR)
            assert_true(v.count == 1 && same(v.items[0].value, res->scalar));
        else
            compare_step(r, &a, v, t);
    }
}

static void run_query(struct run *r)
{
    struct query_env env = {&FAKE_SOURCE, r->store, r->pool};
    struct query *q;
    struct diag d = {0};
    struct arena a;
    arena_init(&a, (size_t)1 << 30);
    if (query_prepare(&env, str_from(r->text), &r->options, &q, &d) != OK)
        report(r, d.text);
    struct ref_query ref = {r->store,
                            r->options.start_ms,
                            r->options.end_ms,
                            QUERY_LOOKBACK_MS_DEFAULT,
                            QUERY_SUBQUERY_STEP_MS_DEFAULT,
                            &a,
                            {0}};
    if (r->options.lookback_ms > 0)
        ref.lookback_ms = r->options.lookback_ms;
    err e = query_exec(q, &d);
    if (e != OK)
        compare_errors(r, q, &ref, e, &d);
    else
        compare_values(r, q, &ref);
    query_close(q);
    arena_fini(&a);
}

static void choose_times(struct query_options *o)
{
    *o = (struct query_options){0};
    o->start_ms = (int64_t)rnd(DATA_END_S * 1000 + 200000) - 60000;
    if (chance(60))
        o->start_ms = o->start_ms / 1000 * 1000;
    o->end_ms = o->start_ms;
    if (chance(20))
        o->lookback_ms = 45000;
    if (chance(25))
        return;
    o->step_ms = (int64_t[]){1000, 5000, 15000, 30000, 60000, 61234, 600000}[rnd(7)];
    o->end_ms += o->step_ms * (int64_t)rnd(24) + (int64_t)rnd(500);
}

static void test_engine__agrees_with_reference(void **state)
{
    (void)state;
    uint64_t seed = hash_random_seed() | 1;
    const char *given = getenv("VARVE_TEST_SEED");
    if (given != NULL)
        seed = strtoull(given, NULL, 10);
    print_message("seed %llu (VARVE_TEST_SEED)\n", (unsigned long long)seed);
    rng_state = seed;
    struct run r = {0};
    assert_int_equal(pool_open("query", 3, 64, &r.pool), OK);
    struct buf text = {0};
    for (int set = 0; set < DATA_SETS; set++) {
        r.store = make_store();
        for (int i = 0; i < QUERIES_PER_SET; i++) {
            buf_reset(&text);
            gen_vector(&text, 1 + (int)rnd(DEPTH_MAX));
            if (text.len > TEXT_MAX)
                continue;
            r.text = buf_cstr(&text);
            choose_times(&r.options);
            run_query(&r);
        }
        fake_store_close(r.store);
    }
    print_message("%zu points agree, %zu of them bit for bit; %zu errors agree\n", r.compared,
                  r.exact, r.errors);
    assert_true(r.compared > 1000 && r.errors > 10);
    assert_true(r.exact > r.compared / 100 * 99);
    buf_fini(&text);
    pool_close(r.pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_engine__agrees_with_reference),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
