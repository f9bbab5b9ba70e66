/* Arithmetic of native histograms: the rules one by one, and sums against a plain map.
 *
 * Sides are written "0:1 1:2 | 4:3": bucket index and count, `|` between spans (a gap makes one
 * without it). */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "model/histogram_math.h"

static struct arena arena;

static int setup(void **state)
{
    (void)state;
    arena_init(&arena, 64 << 20);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_fini(&arena);
    return 0;
}

static struct histogram_side side(const char *text)
{
    enum { ROOM = 64 };
    struct histogram_side s = {.spans = ARENA_ARRAY(&arena, struct histogram_span, ROOM)};
    s.counts = ARENA_ARRAY(&arena, double, ROOM);
    int64_t end = 0;
    bool begin = true;
    while (*text != '\0') {
        char *next;
        if (*text == ' ' || *text == '|') {
            begin = begin || *text == '|';
            text++;
            continue;
        }
        long index = strtol(text, &next, 10);
        assert_int_equal(*next, ':');
        double count = strtod(next + 1, &next);
        text = next;
        if (begin || index != end)
            s.spans[s.span_count++] = (struct histogram_span){(int32_t)(index - end), 0};
        begin = false;
        s.spans[s.span_count - 1].length++;
        s.counts[s.bucket_count++] = count;
        end = index + 1;
    }
    return s;
}

static const char *side_text(const struct histogram_side *s)
{
    char *out = arena_alloc(&arena, 4096);
    size_t n = 0, at = 0;
    int64_t index = 0;
    out[0] = '\0';
    for (uint32_t k = 0; k < s->span_count; k++) {
        index += s->spans[k].offset;
        n += (size_t)sprintf(out + n, "%s", k > 0 ? " |" : "");
        for (uint32_t i = 0; i < s->spans[k].length; i++)
            n += (size_t)sprintf(out + n, "%s%lld:%.17g", n > 0 ? " " : "", (long long)index++,
                                 s->counts[at++]);
    }
    assert_int_equal(at, s->bucket_count);
    return out;
}

static struct histogram *exponential(int32_t schema, double threshold, double zero,
                                     const char *positive, const char *negative)
{
    struct histogram *h = ARENA_NEW(&arena, struct histogram);
    *h = (struct histogram){.schema = schema,
                            .is_float = true,
                            .zero_threshold = threshold,
                            .zero_count = zero,
                            .count = zero,
                            .sum = 1,
                            .positive = side(positive),
                            .negative = side(negative)};
    for (uint32_t i = 0; i < h->positive.bucket_count; i++)
        h->count += h->positive.counts[i];
    for (uint32_t i = 0; i < h->negative.bucket_count; i++)
        h->count += h->negative.counts[i];
    return h;
}

static struct histogram *custom(size_t bounds, const double *values, const char *positive)
{
    struct histogram *h = exponential(0, 0, 0, positive, "");
    h->schema = HISTOGRAM_SCHEMA_CUSTOM;
    h->custom_count = (uint32_t)bounds;
    h->custom_values = ARENA_ARRAY(&arena, double, bounds);
    memcpy(h->custom_values, values, bounds * sizeof(double));
    return h;
}

#define CUSTOM(positive, ...)                                                                      \
    custom(sizeof((double[]){__VA_ARGS__}) / sizeof(double), (double[]){__VA_ARGS__}, positive)

static struct histogram_notes add(struct histogram *h, const struct histogram *other)
{
    struct histogram_notes n = {0};
    assert_int_equal(histogram_add(h, other, &arena, &n), OK);
    return n;
}

static struct histogram_notes sub(struct histogram *h, const struct histogram *other)
{
    struct histogram_notes n = {0};
    assert_int_equal(histogram_sub(h, other, &arena, &n), OK);
    return n;
}

static void assert_positive(const struct histogram *h, const char *want)
{
    assert_string_equal(side_text(&h->positive), want);
}

/* ---- adding ---- */

static void test_histogram_add__keeps_upstreams_spans(void **state)
{
    (void)state;
    static const struct {
        const char *a, *b, *sum;
    } cases[] = {
        {"0:1 1:2", "0:3 1:4", "0:4 1:6"},
        {"", "2:1", "2:1"},
        {"2:1", "", "2:1"},
        {"3:1", "2:1", "2:1 3:1"},             /* directly before: extends the next */
        {"3:1", "4:1", "3:1 4:1"},             /* directly behind */
        {"3:1", "0:1", "0:1 | 3:1"},           /* before all */
        {"3:1", "9:1", "3:1 | 9:1"},           /* behind all */
        {"0:1 | 2:1", "1:1", "0:1 1:1 | 2:1"}, /* fills the gap: spans stay apart */
        {"0:1 | 3:1", "2:1", "0:1 | 2:1 3:1"}, /* the end of the gap */
        {"0:1 | 9:1", "4:1 5:1", "0:1 | 4:1 5:1 | 9:1"},
        {"0:1 | 9:1", "1:1 8:1", "0:1 1:1 | 8:1 9:1"},
        {"5:1 6:2", "1:1 5:1 6:1 8:1", "1:1 | 5:2 6:3 | 8:1"},
        {"0:1 | 1:1", "0:1 1:1", "0:2 | 1:2"},
        {"0:0", "0:0 1:0", "0:0 1:0"}, /* empty buckets stay */
        {"-2147483648:1", "2147483646:1", "-2147483648:1 | | 2147483646:1"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct histogram *h = exponential(0, 0, 1, cases[i].a, cases[i].b);
        struct histogram *other = exponential(0, 0, 2, cases[i].b, cases[i].a);
        struct histogram_notes n = add(h, other);
        assert_positive(h, cases[i].sum);
        assert_false(n.conflicting_resets || n.bounds_reconciled);
        assert_true(h->zero_count == 3 && h->sum == 2);
    }
}

static void test_histogram_sub__negates_what_is_missing(void **state)
{
    (void)state;
    struct histogram *h = exponential(0, 0.5, 5, "0:3 1:4", "1:1");
    sub(h, exponential(0, 0.5, 2, "1:1 2:7", "1:3"));
    assert_positive(h, "0:3 1:3 2:-7");
    assert_string_equal(side_text(&h->negative), "1:-2");
    assert_true(h->zero_count == 3 && h->count == 0 && h->sum == 0);
}

static void test_histogram_add__meets_at_the_lower_schema(void **state)
{
    (void)state;
    struct histogram *coarse = exponential(0, 0, 0, "0:1 1:1", "");
    struct histogram *fine = exponential(1, 0, 0, "0:1 1:2 2:4 | 5:8", "");
    struct histogram *h;
    assert_int_equal(histogram_copy(coarse, &arena, &h), OK);
    add(h, fine);
    assert_int_equal(h->schema, 0);
    assert_positive(h, "0:2 1:7 | 3:8");
    assert_positive(fine, "0:1 1:2 2:4 | 5:8");
    add(fine, coarse);
    assert_int_equal(fine->schema, 0);
    assert_positive(fine, "0:2 1:7 | 3:8");
}

static void test_histogram_add__widens_the_zero_bucket(void **state)
{
    (void)state;
    /* Schema 0: bucket 0 is (0.5, 1], 1 is (1, 2], 2 is (2, 4]. */
    struct histogram *h = exponential(0, 0.5, 1, "0:2 1:3 2:4", "0:5 1:1");
    add(h, exponential(0, 1, 10, "1:1", ""));
    assert_true(h->zero_threshold == 1 && h->zero_count == 18);
    assert_positive(h, "1:4 2:4");
    assert_string_equal(side_text(&h->negative), "1:1");
    /* The other one has the smaller zero bucket: its buckets within count as zero. */
    h = exponential(0, 1, 1, "1:1", "");
    add(h, exponential(0, 0.25, 1, "-1:2 0:3 1:4", "0:1"));
    assert_true(h->zero_threshold == 1 && h->zero_count == 8);
    assert_positive(h, "1:5");
    assert_string_equal(side_text(&h->negative), "");
}

static void test_histogram_add__never_cuts_a_populated_bucket(void **state)
{
    (void)state;
    /* 1.5 is within (1, 2]: populated in the first, the threshold becomes 2; the other's bucket
     * (1.41, 2] joins as well. */
    struct histogram *h = exponential(0, 0.5, 1, "1:3 2:4", "");
    add(h, exponential(1, 1.5, 10, "2:5 3:6", ""));
    assert_true(h->zero_threshold == 2 && h->zero_count == 19);
    assert_positive(h, "2:10");
    /* Empty: the threshold stays within it. */
    h = exponential(0, 0.5, 1, "1:0 2:4", "");
    add(h, exponential(0, 1.5, 10, "2:5", ""));
    assert_true(h->zero_threshold == 1.5 && h->zero_count == 11);
    /* On the negative side: the positive ones are looked at again. */
    h = exponential(0, 0.5, 1, "1:3 2:4", "2:1");
    add(h, exponential(0, 2.5, 10, "", ""));
    assert_true(h->zero_threshold == 4 && h->zero_count == 19);
    assert_positive(h, "");
}

static void test_histogram_add__leaves_out_buckets_within_the_zero_bucket(void **state)
{
    (void)state;
    struct histogram *h = exponential(0, 1, 1, "1:1", "");
    add(h, exponential(0, 1, 1, "-3:9 0:9 1:1", ""));
    assert_true(h->zero_count == 2);
    assert_positive(h, "1:2");
}

static void test_histogram_add__reconciles_custom_bounds(void **state)
{
    (void)state;
    struct histogram *h = CUSTOM("0:1 1:2 2:4 3:8", 1, 2, 3);
    struct histogram_notes n = add(h, CUSTOM("0:1 1:1 2:1", 1, 2, 3));
    assert_false(n.bounds_reconciled);
    assert_positive(h, "0:2 1:3 2:5 3:8");
    n = add(h, CUSTOM("0:10 1:20 2:40", 2, 5));
    assert_true(n.bounds_reconciled);
    assert_int_equal(h->custom_count, 1);
    assert_true(h->custom_values[0] == 2);
    assert_positive(h, "0:15 1:73");
    n = sub(h, CUSTOM("0:5 1:6", 7));
    assert_true(n.bounds_reconciled);
    assert_int_equal(h->custom_count, 0);
    assert_positive(h, "0:77");
    n = sub(h, CUSTOM("0:77", 1));
    assert_positive(h, ""); /* what comes to nothing goes */
}

static void test_histogram_add__refuses_other_kinds_of_buckets(void **state)
{
    (void)state;
    struct histogram *h = exponential(0, 0, 1, "0:1", ""), *c = CUSTOM("0:1", 1);
    struct histogram_notes n = {0};
    struct histogram_sum s;
    assert_int_equal(histogram_add(h, c, &arena, &n), ERR_INVALID);
    assert_int_equal(histogram_sub(c, h, &arena, &n), ERR_INVALID);
    assert_int_equal(histogram_sum_init(&s, h, &arena), OK);
    assert_int_equal(histogram_sum_add(&s, c, &arena, &n), ERR_INVALID);
    assert_true(h->count == 2 && c->count == 1);
}

static void test_histogram_add__resolves_reset_hints(void **state)
{
    (void)state;
    static const struct {
        uint8_t a, b, sum;
        bool conflict;
    } cases[] = {
        {RESET_UNKNOWN, RESET_UNKNOWN, RESET_UNKNOWN, false},
        {RESET_YES, RESET_YES, RESET_YES, false},
        {RESET_NO, RESET_NO, RESET_NO, false},
        {RESET_GAUGE, RESET_YES, RESET_GAUGE, false},
        {RESET_NO, RESET_GAUGE, RESET_GAUGE, false},
        {RESET_UNKNOWN, RESET_NO, RESET_UNKNOWN, false},
        {RESET_YES, RESET_UNKNOWN, RESET_UNKNOWN, false},
        {RESET_YES, RESET_NO, RESET_UNKNOWN, true},
        {RESET_NO, RESET_YES, RESET_UNKNOWN, true},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct histogram *h = exponential(0, 0, 0, "0:1", ""), *o = exponential(0, 0, 0, "0:1", "");
        h->reset_hint = cases[i].a;
        o->reset_hint = cases[i].b;
        struct histogram_notes n = i % 2 == 0 ? add(h, o) : sub(h, o);
        assert_int_equal(h->reset_hint, cases[i].sum);
        assert_int_equal(n.conflicting_resets, cases[i].conflict);
    }
}

/* ---- scaling, compacting, copies ---- */

static void test_histogram_mul__negative_factors_make_gauges(void **state)
{
    (void)state;
    struct histogram *h = exponential(0, 1, 2, "1:3", "1:4");
    h->reset_hint = RESET_NO;
    histogram_mul(h, 2);
    assert_true(h->zero_count == 4 && h->count == 18 && h->sum == 2);
    assert_positive(h, "1:6");
    assert_int_equal(h->reset_hint, RESET_NO);
    histogram_mul(h, -0.5);
    assert_true(h->negative.counts[0] == -4);
    assert_int_equal(h->reset_hint, RESET_GAUGE);
}

static void test_histogram_div__by_zero_leaves_no_buckets(void **state)
{
    (void)state;
    struct histogram *h = exponential(0, 1, 2, "1:3", "1:4");
    histogram_div(h, -4);
    assert_true(h->zero_count == -0.5 && h->count == -2.25);
    assert_int_equal(h->reset_hint, RESET_GAUGE);
    h->reset_hint = RESET_NO;
    histogram_div(h, 0);
    assert_true(isinf(h->count) && isinf(h->zero_count) && isinf(h->sum));
    assert_positive(h, "");
    assert_int_equal(h->negative.span_count, 0);
    assert_int_equal(h->reset_hint, RESET_NO);
}

static void test_histogram_compact__keeps_what_is_populated(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"0:1 1:2 | 5:3", "0:1 1:2 | 5:3"},
        {"0:0 1:1 2:0", "1:1"},
        {"0:1 1:0 2:0 3:1", "0:1 | 3:1"},
        {"0:1 | 1:1", "0:1 1:1"},
        {"0:0 | 7:0", ""},
        {"-3:0 | -1:2 0:0 | 4:0 5:1", "-1:2 | 5:1"},
        {"0:nan 1:0", "0:nan"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct histogram *h = exponential(0, 0, 0, cases[i][0], cases[i][0]);
        assert_int_equal(histogram_compact(h, &arena), OK);
        assert_positive(h, cases[i][1]);
        assert_string_equal(side_text(&h->negative), cases[i][1]);
    }
}

static void test_histogram_copy_to_schema__forgets_the_hint(void **state)
{
    (void)state;
    struct histogram *h = exponential(2, 0.01, 3, "1:1 2:2 3:4 4:8 5:16", "4:1"), *c;
    h->reset_hint = RESET_GAUGE;
    assert_int_equal(histogram_copy_to_schema(h, 2, &arena, &c), OK);
    assert_int_equal(c->reset_hint, RESET_GAUGE);
    assert_int_equal(histogram_copy_to_schema(h, 0, &arena, &c), OK);
    assert_int_equal(c->reset_hint, RESET_UNKNOWN);
    assert_positive(c, "1:15 2:16");
    assert_true(c->zero_count == 3 && c->count == 35);
    assert_positive(h, "1:1 2:2 3:4 4:8 5:16");
}

/* ---- compensated sums ---- */

static struct histogram *sum_of(struct histogram *const *h, size_t count)
{
    struct histogram_notes n = {0};
    struct histogram_sum s;
    assert_int_equal(histogram_sum_init(&s, h[0], &arena), OK);
    for (size_t i = 1; i < count; i++)
        assert_int_equal(histogram_sum_add(&s, h[i], &arena, &n), OK);
    assert_int_equal(histogram_sum_finish(&s, &arena, &n), OK);
    return s.value;
}

#define BIG 9007199254740992.0 /* 2^53: adding 1 is lost */

static void test_histogram_sum__keeps_what_rounding_loses(void **state)
{
    (void)state;
    struct histogram *plain = exponential(0, 1, BIG, "1:9007199254740992", "");
    struct histogram *one = exponential(0, 1, 1, "1:1 2:1", "3:1");
    struct histogram *h = sum_of((struct histogram *[]){plain, one, one}, 3);
    assert_true(h->zero_count == BIG + 2);
    assert_positive(h, "1:9007199254740994 2:2");
    assert_string_equal(side_text(&h->negative), "3:2");
    add(plain, one);
    add(plain, one);
    assert_true(plain->zero_count == BIG && plain->positive.counts[0] == BIG);
}

static void test_histogram_sum__keeps_errors_through_changes_of_layout(void **state)
{
    (void)state;
    struct histogram *big = exponential(1, 0.5, 0, "3:9007199254740992", "");
    struct histogram *one = exponential(1, 0.5, 0, "3:1", "");
    /* To a coarser schema. */
    struct histogram *coarse = exponential(0, 0.5, 0, "2:1", "");
    struct histogram *h = sum_of((struct histogram *[]){big, one, coarse}, 3);
    assert_int_equal(h->schema, 0);
    assert_positive(h, "2:9007199254740994");
    /* A finer one that is added: its own merging may lose as well. */
    struct histogram *fine = exponential(1, 0.5, 0, "3:9007199254740992 4:1", "");
    h = sum_of((struct histogram *[]){coarse, fine}, 2);
    assert_positive(h, "2:9007199254740994");
    /* Into the zero bucket. */
    struct histogram *wide = exponential(1, 4, 0, "", "");
    h = sum_of((struct histogram *[]){big, one, one, wide}, 4);
    assert_true(h->zero_count == BIG + 2);
    /* To other custom bounds. */
    h = sum_of((struct histogram *[]){CUSTOM("0:9007199254740992", 5), CUSTOM("0:1", 5),
                                      CUSTOM("0:1", 5, 10)},
               3);
    assert_positive(h, "0:9007199254740994");
    assert_int_equal(h->custom_count, 1);
}

static void test_histogram_sum__joins_parts(void **state)
{
    (void)state;
    struct histogram *big = exponential(0, 1, BIG, "1:9007199254740992", "");
    struct histogram *one = exponential(0, 1, 1, "1:1", "");
    struct histogram_notes n = {0};
    struct histogram_sum a, b, c;
    assert_int_equal(histogram_sum_init(&a, big, &arena), OK);
    assert_int_equal(histogram_sum_add(&a, one, &arena, &n), OK);
    assert_int_equal(histogram_sum_init(&b, one, &arena), OK);
    assert_int_equal(histogram_sum_copy(&a, &arena, &c), OK);
    assert_int_equal(histogram_sum_join(&b, &a, &arena, &n), OK);
    assert_int_equal(histogram_sum_join(&c, &b, &arena, &n), OK);
    assert_int_equal(histogram_sum_finish(&b, &arena, &n), OK);
    assert_positive(b.value, "1:9007199254740994");
    assert_int_equal(histogram_sum_finish(&c, &arena, &n), OK);
    assert_positive(c.value, "1:18014398509481988"); /* twice 2^53, and 3: to even */
    assert_true(a.value->count == BIG * 2);
    histogram_sum_mul(&a, 2);
    histogram_sum_div(&a, 4);
    assert_true(a.comp->positive.counts[0] == 0.5);
}

static void test_histogram_has_overflow(void **state)
{
    (void)state;
    struct histogram *h = exponential(0, 1, 1, "1:1", "");
    assert_false(histogram_has_overflow(h));
    h->positive.counts[0] = -INFINITY;
    assert_true(histogram_has_overflow(h));
    h->positive.counts[0] = NAN;
    assert_false(histogram_has_overflow(h));
    h->sum = INFINITY;
    assert_true(histogram_has_overflow(h));
}

/* ---- resets ---- */

static bool resets(struct histogram *now, struct histogram *before)
{
    return histogram_detect_reset(now, before);
}

static void test_histogram_detect_reset__looks_at_every_count(void **state)
{
    (void)state;
    struct histogram *h = exponential(1, 1, 5, "3:5 4:5", "3:5");
    assert_false(resets(h, h));
    assert_false(resets(h, exponential(1, 1, 4, "3:5", "3:5")));
    assert_true(resets(h, exponential(1, 1, 6, "3:5", "3:5")));    /* zero bucket */
    assert_true(resets(h, exponential(1, 1, 1, "3:6", "")));       /* bucket */
    assert_true(resets(h, exponential(1, 1, 1, "", "3:6")));       /* negative */
    assert_true(resets(h, exponential(1, 1, 1, "5:1", "")));       /* gone */
    assert_false(resets(h, exponential(1, 1, 1, "5:0", "")));      /* gone, but empty */
    assert_true(resets(h, exponential(1, 1, 1, "2:0 | 9:1", ""))); /* gone behind the end */
    assert_true(resets(h, exponential(1, 1, 100, "", "")));        /* count */
}

static void test_histogram_detect_reset__looks_at_the_layout(void **state)
{
    (void)state;
    struct histogram *h = exponential(1, 1, 5, "3:5 4:5", "");
    assert_true(resets(h, exponential(0, 1, 1, "", ""))); /* finer now */
    assert_false(resets(h, exponential(2, 1, 1, "5:2 6:3 7:1", "")));
    assert_true(resets(h, exponential(2, 1, 1, "5:3 6:3 7:1", ""))); /* 5 and 6 are its 3 */
    assert_true(resets(h, exponential(1, 2, 1, "", "")));            /* zero threshold fell */
    assert_false(resets(h, exponential(1, 0.5, 1, "-1:1 0:3 3:5", "")));
    assert_true(resets(h, exponential(1, 0.5, 1, "-1:2 0:3", ""))); /* 6 in the zero bucket */
    h->zero_threshold = 1.2;                                        /* within bucket 1, (1, 1.41] */
    assert_true(resets(h, exponential(1, 0.5, 1, "1:1", "")));
    assert_false(resets(h, exponential(1, 0.5, 1, "1:0", "")));
    assert_true(resets(h, CUSTOM("0:1", 1)));
    assert_true(resets(CUSTOM("0:9", 1), exponential(0, 0, 0, "0:1", "")));
}

static void test_histogram_detect_reset__hints_decide(void **state)
{
    (void)state;
    struct histogram *h = exponential(0, 0, 0, "0:5", ""), *more = exponential(0, 0, 0, "0:6", "");
    h->reset_hint = RESET_YES;
    assert_true(resets(h, h));
    h->reset_hint = RESET_NO;
    assert_false(resets(h, more));
    h->reset_hint = RESET_GAUGE;
    assert_true(resets(h, more));
    assert_false(resets(more, h));
}

static void test_histogram_detect_reset__compares_common_custom_bounds(void **state)
{
    (void)state;
    struct histogram *h = CUSTOM("0:1 1:2 2:3 3:4", 1, 2, 3);
    assert_false(resets(h, CUSTOM("0:3 1:7", 2))); /* 1+2 to 2, 3+4 behind it */
    assert_true(resets(h, CUSTOM("0:4 1:1", 2)));  /* 4 > 1+2 */
    assert_true(resets(h, CUSTOM("0:1 1:8", 2)));  /* 8 > 3+4 */
    assert_false(resets(h, CUSTOM("0:5 1:5", 7))); /* only +Inf in common */
    assert_false(resets(h, CUSTOM("0:1 1:2 2:3 3:4", 1, 2, 3)));
    assert_true(resets(h, CUSTOM("0:1 1:3 2:3 3:1", 1, 2, 3)));
}

/* ---- equality, size ---- */

static void test_histogram_value_eq__looks_through_empty_spans(void **state)
{
    (void)state;
    struct histogram *a = exponential(0, 1, 2, "1:1 | 5:2", "1:1");
    struct histogram *b = exponential(0, 1, 2, "1:1 | 5:2", "1:1");
    b->reset_hint = RESET_GAUGE;
    b->is_float = false;
    assert_true(histogram_value_eq(a, b));
    struct histogram_span split[] = {{1, 1}, {1, 0}, {2, 1}, {4, 0}};
    b->positive.spans = split;
    b->positive.span_count = 4;
    assert_true(histogram_value_eq(a, b) && histogram_value_eq(b, a));
    split[2].offset = 1;
    assert_false(histogram_value_eq(a, b));
    assert_false(histogram_value_eq(exponential(0, 0, 0, "0:1 | 1:1", ""),
                                    exponential(0, 0, 0, "0:1 1:1", "")));
    struct histogram *c = exponential(0, 1, 2, "1:1 | 5:2", "1:1");
    c->sum = a->sum = NAN;
    assert_true(histogram_value_eq(a, c));
    c->zero_threshold = 0.5;
    assert_false(histogram_value_eq(a, c));
    assert_false(histogram_value_eq(CUSTOM("0:1", 1), CUSTOM("0:1", 2)));
    assert_true(histogram_value_eq(CUSTOM("0:1", 1), CUSTOM("0:1", 1)));
}

static void test_histogram_points__counts_as_upstream(void **state)
{
    (void)state;
    assert_int_equal(histogram_size_bytes(exponential(0, 0, 0, "", "")), 168);
    assert_int_equal(histogram_points(exponential(0, 0, 0, "", "")), 11);
    /* 2 spans and 4 buckets: 168 + 48 and the time. */
    struct histogram *h = exponential(0, 0, 0, "0:1 1:1 | 5:1 6:1", "");
    assert_int_equal(histogram_size_bytes(h), 216);
    assert_int_equal(histogram_points(h), 14);
}

/* ---- against a plain map ---- */

enum { INDEX_MIN = -20, INDEX_COUNT = 60, ROUNDS = 4000 };

static uint64_t rng = 20261123;

static uint64_t next_random(uint64_t below)
{
    rng = hash64((slice){(const uint8_t *)&rng, sizeof(rng)}, 1);
    return rng % below;
}

static struct histogram_side random_side(double *map)
{
    char text[2048];
    size_t n = 0;
    text[0] = '\0';
    for (int i = 0; i < INDEX_COUNT; i++) {
        if (next_random(4) == 0)
            continue;
        bool gap = next_random(3) == 0;
        if (next_random(2) == 0) {
            n += (size_t)sprintf(text + n, " |");
            continue;
        }
        double count = (double)next_random(5);
        n += (size_t)sprintf(text + n, "%s %d:%g", gap || n == 0 ? " |" : "", i + INDEX_MIN, count);
        map[i] += count;
    }
    return side(text);
}

static void test_histogram_add__equals_a_map(void **state)
{
    (void)state;
    print_message("seed %llu\n", (unsigned long long)rng);
    for (int round = 0; round < ROUNDS; round++) {
        double map[2][INDEX_COUNT] = {{0}};
        struct histogram *h = exponential(0, 0, 0, "", ""), *o = exponential(0, 0, 0, "", "");
        h->positive = random_side(map[0]);
        o->positive = random_side(map[1]);
        struct histogram_sum s;
        struct histogram_notes n = {0};
        assert_int_equal(histogram_sum_init(&s, h, &arena), OK);
        assert_int_equal(histogram_sum_add(&s, o, &arena, &n), OK);
        if (round % 2 == 0)
            add(h, o);
        else
            sub(h, o);
        assert_int_equal(histogram_sum_finish(&s, &arena, &n), OK);
        if (round % 2 == 0)
            assert_true(histogram_value_eq(h, s.value));
        assert_int_equal(histogram_compact(h, &arena), OK);
        int64_t index = 0;
        uint32_t at = 0, want = 0;
        for (uint32_t k = 0; k < h->positive.span_count; k++) {
            index += h->positive.spans[k].offset;
            assert_true(k == 0 || h->positive.spans[k].offset > 0);
            for (uint32_t i = 0; i < h->positive.spans[k].length; i++, index++) {
                double a = map[0][index - INDEX_MIN], b = map[1][index - INDEX_MIN];
                assert_true(h->positive.counts[at++] == (round % 2 == 0 ? a + b : a - b));
            }
        }
        for (int i = 0; i < INDEX_COUNT; i++)
            want += (round % 2 == 0 ? map[0][i] + map[1][i] : map[0][i] - map[1][i]) != 0;
        assert_int_equal(at, want);
        arena_reset(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_histogram_add__keeps_upstreams_spans),
        cmocka_unit_test(test_histogram_sub__negates_what_is_missing),
        cmocka_unit_test(test_histogram_add__meets_at_the_lower_schema),
        cmocka_unit_test(test_histogram_add__widens_the_zero_bucket),
        cmocka_unit_test(test_histogram_add__never_cuts_a_populated_bucket),
        cmocka_unit_test(test_histogram_add__leaves_out_buckets_within_the_zero_bucket),
        cmocka_unit_test(test_histogram_add__reconciles_custom_bounds),
        cmocka_unit_test(test_histogram_add__refuses_other_kinds_of_buckets),
        cmocka_unit_test(test_histogram_add__resolves_reset_hints),
        cmocka_unit_test(test_histogram_mul__negative_factors_make_gauges),
        cmocka_unit_test(test_histogram_div__by_zero_leaves_no_buckets),
        cmocka_unit_test(test_histogram_compact__keeps_what_is_populated),
        cmocka_unit_test(test_histogram_copy_to_schema__forgets_the_hint),
        cmocka_unit_test(test_histogram_sum__keeps_what_rounding_loses),
        cmocka_unit_test(test_histogram_sum__keeps_errors_through_changes_of_layout),
        cmocka_unit_test(test_histogram_sum__joins_parts),
        cmocka_unit_test(test_histogram_has_overflow),
        cmocka_unit_test(test_histogram_detect_reset__looks_at_every_count),
        cmocka_unit_test(test_histogram_detect_reset__looks_at_the_layout),
        cmocka_unit_test(test_histogram_detect_reset__hints_decide),
        cmocka_unit_test(test_histogram_detect_reset__compares_common_custom_bounds),
        cmocka_unit_test(test_histogram_value_eq__looks_through_empty_spans),
        cmocka_unit_test(test_histogram_points__counts_as_upstream),
        cmocka_unit_test(test_histogram_add__equals_a_map),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
