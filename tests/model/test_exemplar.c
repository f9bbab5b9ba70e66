/* Exemplars and metadata: the length limit counts runes, types have Prometheus' names. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include <string.h>

#include "model/exemplar.h"
#include "model/metadata.h"

static void test_exemplar__limits_runes(void **state)
{
    char value[2 * 128 + 2];
    struct diag d = {0};
    (void)state;
    for (size_t i = 0; i < sizeof(value); i += 2)
        memcpy(value + i, "\xc3\xa9", 2);
    struct label l = {STR("trace"), {value, 2 * (128 - 5)}};
    struct exemplar e = {.labels = {&l, 1}};
    assert_int_equal(exemplar_check(&e, &d), OK);
    l.value.len += 2;
    assert_int_equal(exemplar_check(&e, &d), ERR_INVALID);
    assert_string_equal(d.text,
                        "label length for exemplar exceeds maximum of 128 UTF-8 characters");
}

static void test_exemplar__checks_labels(void **state)
{
    struct exemplar none = {0};
    (void)state;
    assert_int_equal(exemplar_check(&none, NULL), OK);
    struct label bad_value[] = {{STR("a"), STR("\xff")}}, no_name[] = {{STR(""), STR("x")}},
                 twice[] = {{STR("a"), STR("1")}, {STR("a"), STR("2")}};
    struct diag d = {0};
    struct exemplar e = {.labels = {bad_value, 1}};
    assert_int_equal(exemplar_check(&e, &d), ERR_INVALID);
    assert_string_equal(d.text, "invalid exemplar labels, got {a=\"\\xff\"}");
    e.labels = (struct labels){no_name, 1};
    assert_int_equal(exemplar_check(&e, NULL), ERR_INVALID);
    e.labels = (struct labels){twice, 2};
    assert_int_equal(exemplar_check(&e, NULL), ERR_INVALID);
}

static void test_metadata__type_names(void **state)
{
    (void)state;
    assert_string_equal(metric_type_name(METRIC_UNKNOWN), "unknown");
    assert_string_equal(metric_type_name(METRIC_COUNTER), "counter");
    assert_string_equal(metric_type_name(METRIC_GAUGEHISTOGRAM), "gaugehistogram");
    assert_string_equal(metric_type_name(METRIC_STATESET), "stateset");
    assert_string_equal(metric_type_name((enum metric_type)99), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exemplar__limits_runes),
        cmocka_unit_test(test_exemplar__checks_labels),
        cmocka_unit_test(test_metadata__type_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
