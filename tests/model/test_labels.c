/* Label sets: order, canonical bytes, Prometheus' texts and limits. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include <string.h>

#include "base/hash.h"
#include "model/labels.h"

#define L(n, v)                                                                                    \
    {                                                                                              \
        STR(n), STR(v)                                                                             \
    }
#define SET(...)                                                                                   \
    ((struct labels){(const struct label[]){__VA_ARGS__},                                          \
                     sizeof((const struct label[]){__VA_ARGS__}) / sizeof(struct label)})

static void assert_format(void (*format)(struct labels, struct buf *), struct labels ls,
                          const char *want)
{
    struct buf b = {0};
    format(ls, &b);
    assert_string_equal(buf_cstr(&b), want);
    buf_fini(&b);
}

static void test_labels__format_as_prometheus(void **state)
{
    (void)state;
    struct labels up = SET(L("__name__", "up"), L("job", "a\"b\n"));
    assert_format(labels_format, up, "{__name__=\"up\", job=\"a\\\"b\\n\"}");
    assert_format(labels_format_metric, up, "up{job=\"a\\\"b\\n\"}");
    assert_format(labels_format, SET(L("service.name", "x")), "{\"service.name\"=\"x\"}");
    assert_format(labels_format, (struct labels){NULL, 0}, "{}");
    assert_format(labels_format_metric, (struct labels){NULL, 0}, "{}");
    assert_format(labels_format_metric, SET(L("__name__", "up")), "up");
    assert_format(labels_format_metric, SET(L("a", "b")), "{a=\"b\"}");
    assert_format(labels_format_metric, SET(L("__name__", "http.requests"), L("a", "b")),
                  "{\"http.requests\", a=\"b\"}");
    assert_format(labels_format_metric, SET(L("A", "1"), L("__name__", "up"), L("a", "b")),
                  "up{A=\"1\", a=\"b\"}");
}

static void test_labels__sort_drops_empty_values(void **state)
{
    (void)state;
    struct label items[] = {L("b", "2"), L("a", ""), L("c", "3"), L("a", "1"), L("B", "0")};
    size_t n = labels_sort(items, 5);
    assert_int_equal(n, 4);
    assert_format(labels_format, (struct labels){items, n}, "{B=\"0\", a=\"1\", b=\"2\", c=\"3\"}");
    assert_true(str_eq(labels_get((struct labels){items, n}, STR("c")), STR("3")));
    assert_null(labels_get((struct labels){items, n}, STR("d")).ptr);
}

static void test_labels__compare_as_prometheus(void **state)
{
    (void)state;
    struct labels a = SET(L("a", "1")), b = SET(L("a", "1"), L("b", "2")), c = SET(L("a", "2")),
                  d = SET(L("aa", "1"));
    assert_true(labels_cmp(a, b) < 0);
    assert_true(labels_cmp(b, c) < 0);
    assert_true(labels_cmp(c, d) < 0);
    assert_true(labels_cmp(d, a) > 0);
    assert_int_equal(labels_cmp(b, b), 0);
    assert_true(labels_eq(b, b));
    assert_false(labels_eq(a, b));
    assert_false(labels_eq(a, c));
}

static void assert_check(struct labels ls, err want, const char *message)
{
    struct diag d = {0};
    assert_int_equal(labels_check(ls, &LABELS_LIMITS_DEFAULT, &d), want);
    assert_string_equal(d.text, message);
}

static void test_labels__check_in_the_words_of_prometheus(void **state)
{
    (void)state;
    assert_check(SET(L("__name__", "up"), L("a", "b")), OK, "");
    assert_check(SET(L("__name__", "utf8.name"), L("a b", "b")), OK, "");
    assert_check(SET(L("a", "b")), ERR_INVALID, "invalid metric name or labels, got {a=\"b\"}");
    assert_check(SET(L("", "b"), L("__name__", "up")), ERR_INVALID,
                 "invalid metric name or labels, got {\"\"=\"b\", __name__=\"up\"}");
    assert_check(SET(L("__name__", "up"), L("a", "\xff")), ERR_INVALID,
                 "invalid metric name or labels, got {__name__=\"up\", a=\"\\xff\"}");
    assert_check(SET(L("__name__", "up"), L("a", "b"), L("a", "c")), ERR_INVALID,
                 "invalid labels for series, labels {__name__=\"up\", a=\"b\", a=\"c\"}, "
                 "duplicated label a");
    assert_check((struct labels){NULL, 0}, ERR_INVALID, "invalid metric name or labels, got {}");
}

static void test_labels__check_names_the_limit(void **state)
{
    struct labels_limits limits = {2, 4, 6};
    struct diag d = {0};
    (void)state;
    struct labels many = SET(L("__name__", "up"), L("a", "1"), L("b", "2"));
    assert_int_equal(labels_check(many, &limits, &d), ERR_LIMIT);
    assert_non_null(strstr(d.text, "3 labels; at most 2"));
    limits.count_max = 3;
    d.text[0] = '\0';
    assert_int_equal(labels_check(many, &limits, &d), ERR_LIMIT);
    assert_non_null(strstr(d.text, "label name of \"__name__\" is 8 bytes long; at most 4"));
    limits.name_size_max = 8;
    d.text[0] = '\0';
    struct labels wide = SET(L("__name__", "up"), L("a", "1234567"));
    assert_int_equal(labels_check(wide, &limits, &d), ERR_LIMIT);
    assert_non_null(strstr(d.text, "label value of \"a\" is 7 bytes long; at most 6"));
    limits.value_size_max = 7;
    assert_int_equal(labels_check(wide, &limits, NULL), OK);
}

static void test_labels__encode_and_decode(void **state)
{
    struct arena a;
    struct buf b = {0};
    struct labels out = {NULL, 0};
    (void)state;
    arena_init(&a, 1 << 16);
    char long_value[300];
    memset(long_value, 'v', sizeof(long_value));
    struct labels ls = {(const struct label[]){L("__name__", "up"),
                                               {STR("long"), {long_value, sizeof(long_value)}}},
                        2};
    labels_encode(ls, &b);
    assert_int_equal(labels_decode(buf_slice(&b), &a, &out), OK);
    assert_true(labels_eq(ls, out));
    for (size_t cut = 1; cut < b.len; cut++)
        if (cut != 12) /* the end of the first pair */
            assert_int_equal(labels_decode((slice){b.ptr, cut}, &a, &out), ERR_CORRUPT);
    hash128 want = hash128_of(buf_slice(&b), 7), got = labels_hash(ls, 7);
    assert_true(hash128_eq(want, got));
    buf_reset(&b);
    labels_encode(SET(L("b", "1"), L("a", "1")), &b);
    assert_int_equal(labels_decode(buf_slice(&b), &a, &out), ERR_CORRUPT);
    buf_reset(&b);
    labels_encode(SET(L("a", "1"), L("a", "1")), &b);
    assert_int_equal(labels_decode(buf_slice(&b), &a, &out), ERR_CORRUPT);
    buf_reset(&b);
    labels_encode(SET(L("a", "")), &b);
    assert_int_equal(labels_decode(buf_slice(&b), &a, &out), ERR_CORRUPT);
    assert_int_equal(labels_decode((slice){NULL, 0}, &a, &out), OK);
    assert_int_equal(out.count, 0);
    buf_fini(&b);
    arena_fini(&a);
}

/* Sets that do not fit the stack hash as their encoding does, too. */
static void test_labels__hash_of_large_sets(void **state)
{
    enum { SIZE = 5000 };
    static char value[SIZE];
    struct buf b = {0};
    (void)state;
    memset(value, 'x', SIZE);
    struct label items[] = {{STR("a"), {value, SIZE}}, {STR("b"), {value, 1}}};
    struct labels ls = {items, 2};
    labels_encode(ls, &b);
    hash128 want = hash128_of(buf_slice(&b), 9), got = labels_hash(ls, 9);
    assert_true(hash128_eq(want, got));
    buf_fini(&b);
}

static void test_labels__copies_own_their_strings(void **state)
{
    struct arena a;
    struct labels out;
    char text[] = "value";
    (void)state;
    arena_init(&a, 1 << 16);
    struct label item = {STR("name"), {text, 5}};
    assert_int_equal(labels_copy((struct labels){&item, 1}, &a, &out), OK);
    text[0] = 'X';
    assert_true(str_eq(labels_get(out, STR("name")), STR("value")));
    arena_fini(&a);
    arena_init(&a, 8);
    assert_int_equal(labels_copy((struct labels){&item, 1}, &a, &out), ERR_LIMIT);
    arena_fini(&a);
}

static void test_labels__legacy_names(void **state)
{
    (void)state;
    assert_true(label_name_is_legacy(STR("__name__")));
    assert_true(label_name_is_legacy(STR("a1")));
    assert_false(label_name_is_legacy(STR("1a")));
    assert_false(label_name_is_legacy(STR("a:b")));
    assert_false(label_name_is_legacy(STR("")));
    assert_true(metric_name_is_legacy(STR("a:b")));
    assert_true(metric_name_is_legacy(STR(":a")));
    assert_false(metric_name_is_legacy(STR("a-b")));
}

static void test_labels__merge_prefers_the_first(void **state)
{
    (void)state;
    struct arena a;
    struct labels got;
    arena_init(&a, 4096);
    struct labels own = SET(L("a", "1"), L("c", "3")),
                  more = SET(L("b", "2"), L("c", "x"), L("d", "4"));
    assert_int_equal(labels_merge(own, more, &a, &got), OK);
    assert_format(labels_format, got, "{a=\"1\", b=\"2\", c=\"3\", d=\"4\"}");
    assert_int_equal(labels_merge(own, (struct labels){NULL, 0}, &a, &got), OK);
    assert_format(labels_format, got, "{a=\"1\", c=\"3\"}");
    assert_int_equal(labels_merge((struct labels){NULL, 0}, more, &a, &got), OK);
    assert_format(labels_format, got, "{b=\"2\", c=\"x\", d=\"4\"}");
    arena_fini(&a);
    arena_init(&a, 16);
    assert_int_equal(labels_merge(own, more, &a, &got), ERR_LIMIT);
    arena_fini(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_labels__format_as_prometheus),
        cmocka_unit_test(test_labels__sort_drops_empty_values),
        cmocka_unit_test(test_labels__compare_as_prometheus),
        cmocka_unit_test(test_labels__check_in_the_words_of_prometheus),
        cmocka_unit_test(test_labels__check_names_the_limit),
        cmocka_unit_test(test_labels__encode_and_decode),
        cmocka_unit_test(test_labels__hash_of_large_sets),
        cmocka_unit_test(test_labels__copies_own_their_strings),
        cmocka_unit_test(test_labels__merge_prefers_the_first),
        cmocka_unit_test(test_labels__legacy_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
