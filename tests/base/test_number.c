/* Numbers: texts agreed with Go's strconv, and round trips of random bits. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/hash.h"
#include "base/number.h"

static uint64_t rng;

static uint64_t next_random(void)
{
    rng += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t z = rng;
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static void assert_text(size_t (*format)(double, char *), double v, const char *want)
{
    char text[NUMBER_SIZE_MAX];
    size_t n = format(v, text);
    if (n != strlen(want) || memcmp(text, want, n) != 0)
        fail_msg("%a: got \"%.*s\", want \"%s\"", v, (int)n, text, want);
}

static const struct {
    double v;
    const char *f, *json, *e, *g;
} FORMATS[] = {
    {0, "0", "0", "0e+00", "0"},
    {-0.0, "-0", "-0", "-0e+00", "-0"},
    {1, "1", "1", "1e+00", "1"},
    {-1.5, "-1.5", "-1.5", "-1.5e+00", "-1.5"},
    {0.1, "0.1", "0.1", "1e-01", "0.1"},
    {0.3 - 0.1, "0.19999999999999998", "0.19999999999999998", "1.9999999999999998e-01",
     "0.19999999999999998"},
    {123456, "123456", "123456", "1.23456e+05", "123456"},
    {1234567, "1234567", "1234567", "1.234567e+06", "1.234567e+06"},
    {1e6, "1000000", "1000000", "1e+06", "1e+06"},
    {0.0001, "0.0001", "0.0001", "1e-04", "0.0001"},
    {0.00001, "0.00001", "0.00001", "1e-05", "1e-05"},
    {0.000001, "0.000001", "0.000001", "1e-06", "1e-06"},
    {1.5e-7, "0.00000015", "1.5e-07", "1.5e-07", "1.5e-07"},
    {1e15, "1000000000000000", "1000000000000000", "1e+15", "1e+15"},
    {999999999999999, "999999999999999", "999999999999999", "9.99999999999999e+14",
     "9.99999999999999e+14"},
    {123456789.123456, "123456789.123456", "123456789.123456", "1.23456789123456e+08",
     "1.23456789123456e+08"},
    {9007199254740992, "9007199254740992", "9007199254740992", "9.007199254740992e+15",
     "9.007199254740992e+15"},
    {1e20, "100000000000000000000", "100000000000000000000", "1e+20", "1e+20"},
    {1e21, "1000000000000000000000", "1e+21", "1e+21", "1e+21"},
    {1e23, "100000000000000000000000", "1e+23", "1e+23", "1e+23"},
    {-1e100, NULL, "-1e+100", "-1e+100", "-1e+100"},
    {1.7976931348623157e308, NULL, "1.7976931348623157e+308", "1.7976931348623157e+308",
     "1.7976931348623157e+308"},
    {5e-324, NULL, "5e-324", "5e-324", "5e-324"},
    {INFINITY, "+Inf", "+Inf", "+Inf", "+Inf"},
    {-INFINITY, "-Inf", "-Inf", "-Inf", "-Inf"},
    {NAN, "NaN", "NaN", "NaN", "NaN"},
};

static void test_number__formats_as_go(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(FORMATS); i++) {
        if (FORMATS[i].f != NULL)
            assert_text(number_format_f, FORMATS[i].v, FORMATS[i].f);
        assert_text(number_format_json, FORMATS[i].v, FORMATS[i].json);
        assert_text(number_format_e, FORMATS[i].v, FORMATS[i].e);
        assert_text(number_format_g, FORMATS[i].v, FORMATS[i].g);
    }
}

static void test_number__longest_texts_fit(void **state)
{
    char text[NUMBER_SIZE_MAX];
    (void)state;
    assert_int_equal(number_format_f(-1.7976931348623157e308, text), 310);
    assert_int_equal(number_format_f(-5e-324, text), 327);
    assert_int_equal(number_format_f(-2.2250738585072014e-308, text), 1 + 2 + 307 + 17);
}

/* A random double: any bits, or a decimal of few digits, as metrics are. */
static double random_double(void)
{
    uint64_t r = next_random();
    switch (r % 4) {
    case 0:
        return f64_from_bits(next_random());
    case 1:
        return (double)(int64_t)(next_random() >> (r >> 8) % 64);
    case 2:
        return (double)(int64_t)(next_random() % 1000000000) / pow(10, (double)((r >> 8) % 12));
    default:
        return (double)(next_random() % 100000) * pow(2, (double)((r >> 8) % 100) - 50);
    }
}

static void assert_reads_back(double v, const char *text, size_t n)
{
    double back;
    assert_int_equal(number_parse_f64((str){text, n}, false, &back), OK);
    if (isnan(v) ? !isnan(back) : f64_bits(v) != f64_bits(back))
        fail_msg("%a printed as %.*s reads back as %a", v, (int)n, text, back);
}

/* No text with fewer digits reads back: C's %.*e is the oracle for the digits. */
static void assert_shortest(double v)
{
    char want[64], got[NUMBER_SIZE_MAX];
    int precision = -1;
    if (!isfinite(v))
        return;
    do
        (void)snprintf(want, sizeof(want), "%.*e", ++precision, v);
    while (strtod(want, NULL) != v && precision < 17);
    size_t n = number_format_e(v, got);
    if (n != strlen(want))
        fail_msg("%.*s is not as short as %s", (int)n, got, want);
}

static void test_number__random_bits_round_trip(void **state)
{
    char text[NUMBER_SIZE_MAX];
    (void)state;
    for (int i = 0; i < 100000; i++) {
        double v = random_double();
        assert_reads_back(v, text, number_format_f(v, text));
        assert_reads_back(v, text, number_format_json(v, text));
        assert_reads_back(v, text, number_format_e(v, text));
        assert_reads_back(v, text, number_format_g(v, text));
        if (i % 8 == 0)
            assert_shortest(v);
    }
}

/* The short path of 'f' must print what the digits of 'e' say. */
static void test_number__f_and_e_have_the_same_digits(void **state)
{
    (void)state;
    for (int i = 0; i < 100000; i++) {
        double v = fabs(random_double());
        char f[NUMBER_SIZE_MAX], e[NUMBER_SIZE_MAX], digits[NUMBER_SIZE_MAX];
        if (!isfinite(v))
            continue;
        size_t f_size = number_format_f(v, f), e_size = number_format_e(v, e), n = 0, m = 0;
        for (size_t k = 0; k < f_size; k++)
            if (f[k] != '.' && (n > 0 || f[k] != '0'))
                digits[n++] = f[k];
        while (n > 0 && digits[n - 1] == '0')
            n--;
        for (size_t k = 0; k < e_size && e[k] != 'e'; k++)
            if (e[k] != '.')
                e[m++] = e[k];
        if (v == 0)
            m = 0;
        if (n != m || memcmp(digits, e, n) != 0)
            fail_msg("%a: %.*s has other digits than %.*s", v, (int)f_size, f, (int)m, e);
    }
}

static const struct {
    const char *text;
    bool underscores;
    err e;
    double v;
} PARSES[] = {
    {"0", false, OK, 0},
    {"-0", false, OK, -0.0},
    {"+5", false, OK, 5},
    {"5.", false, OK, 5},
    {".5", false, OK, 0.5},
    {".", false, ERR_INVALID, 0},
    {"", false, ERR_INVALID, 0},
    {"-", false, ERR_INVALID, 0},
    {"+-1", false, ERR_INVALID, 0},
    {" 1", false, ERR_INVALID, 0},
    {"1 ", false, ERR_INVALID, 0},
    {"1e", false, ERR_INVALID, 0},
    {"1e+", false, ERR_INVALID, 0},
    {"1E+2", false, OK, 100},
    {"1e22", false, OK, 1e22},
    {"1e23", false, OK, 1e23},
    {"9007199254740993", false, OK, 9007199254740992.0},
    {"9007199254740993.00000000000000000000000001", false, OK, 9007199254740994.0},
    {"123456789012345678901234567890", false, OK, 1.2345678901234568e29},
    {"0.000000000000000000000000000001", false, OK, 1e-30},
    {"1e400", false, OK, INFINITY},
    {"-1e400", false, OK, -INFINITY},
    {"1e-400", false, OK, 0},
    {"0e999999999999999999999", false, OK, 0},
    {"1e999999999999999999999", false, OK, INFINITY},
    {"1e-999999999999999999999", false, OK, 0},
    {"4.9e-324", false, OK, 5e-324},
    {"2.4e-324", false, OK, 0},
    {"1.7976931348623159e308", false, OK, INFINITY},
    {"inf", false, OK, INFINITY},
    {"-iNf", false, OK, -INFINITY},
    {"+Infinity", false, OK, INFINITY},
    {"infin", false, ERR_INVALID, 0},
    {"nan", false, OK, NAN},
    {"NaN", false, OK, NAN},
    {"+nan", false, ERR_INVALID, 0},
    {"nano", false, ERR_INVALID, 0},
    {"0x1p4", false, OK, 16},
    {"-0X1.8P1", false, OK, -3},
    {"0x.8p0", false, OK, 0.5},
    {"0x1", false, ERR_INVALID, 0},
    {"0x", false, ERR_INVALID, 0},
    {"0xp1", false, ERR_INVALID, 0},
    {"0x1p", false, ERR_INVALID, 0},
    {"0x1p-1074", false, OK, 5e-324},
    {"0x1p-1075", false, OK, 0},
    {"0x1.8p-1075", false, OK, 5e-324},
    {"0x1.00000000000008p0", false, OK, 1},
    {"0x1.000000000000080000000000001p0", false, OK, 0x1.0000000000001p0},
    {"0x1.fffffffffffff8p1023", false, OK, INFINITY},
    {"0x1p1024", false, OK, INFINITY},
    {"0x0p99999999999", false, OK, 0},
    {"1_000", false, ERR_INVALID, 0},
    {"1_000", true, OK, 1000},
    {"1__0", true, ERR_INVALID, 0},
    {"_1", true, ERR_INVALID, 0},
    {"1_", true, ERR_INVALID, 0},
    {"1_.5", true, ERR_INVALID, 0},
    {"1_0e1_0", true, OK, 1e11},
    {"0x_1p0", true, OK, 1},
    {"0x1_0p0", true, OK, 16},
    {"0b1", true, ERR_INVALID, 0},
};

static void test_number__parses_as_go(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(PARSES); i++) {
        double v = -42;
        err e = number_parse_f64(str_from(PARSES[i].text), PARSES[i].underscores, &v);
        if (e != PARSES[i].e)
            fail_msg("\"%s\": %s", PARSES[i].text, err_name(e));
        if (e != OK)
            assert_true(v == -42); /* outputs are set only on OK */
        else if (isnan(PARSES[i].v))
            assert_true(f64_bits(v) == UINT64_C(0x7ff8000000000001));
        else if (f64_bits(v) != f64_bits(PARSES[i].v))
            fail_msg("\"%s\": got %a, want %a", PARSES[i].text, v, PARSES[i].v);
    }
    double v;
    assert_int_equal(number_parse_f64((str){"1\0", 2}, false, &v), ERR_INVALID);
}

/* Random texts of the number alphabet: C's strtod reads the same grammar but for a few forms. */
static void test_number__parses_as_strtod(void **state)
{
    static const char DECIMAL[] = "0123456789000.e+-19";
    static const char HEX[] = "0123456789abcdef000.p+-";
    (void)state;
    int valid = 0;
    for (int i = 0; i < 200000; i++) {
        char text[48];
        uint64_t r = next_random();
        bool hex = r % 4 == 0;
        size_t size = 1 + (r >> 8) % 24, n = 0;
        if (hex)
            n = (size_t)snprintf(text, sizeof(text), "0x");
        while (n < size)
            text[n++] = hex ? HEX[next_random() % (sizeof(HEX) - 1)]
                            : DECIMAL[next_random() % (sizeof(DECIMAL) - 1)];
        text[n] = '\0';
        char *end;
        double want = strtod(text, &end), got = 0;
        bool ok = *end == '\0' && n > 0 && (!hex || strpbrk(text, "p") != NULL);
        err e = number_parse_f64((str){text, n}, false, &got);
        if ((e == OK) != ok || (ok && f64_bits(want) != f64_bits(got)))
            fail_msg("\"%s\": %s %a, strtod %d %a", text, err_name(e), got, ok, want);
        valid += ok;
    }
    assert_true(valid > 10000);
}

static void test_number__integers(void **state)
{
    int64_t i = 7;
    uint64_t u = 7;
    char text[NUMBER_SIZE_MAX];
    (void)state;
    assert_int_equal(number_parse_i64(STR("-9223372036854775808"), &i), OK);
    assert_true(i == INT64_MIN);
    assert_int_equal(number_format_i64(i, text), 20);
    assert_memory_equal(text, "-9223372036854775808", 20);
    assert_int_equal(number_parse_i64(STR("9223372036854775808"), &i), ERR_LIMIT);
    assert_int_equal(number_parse_i64(STR("+42"), &i), OK);
    assert_int_equal(i, 42);
    assert_int_equal(number_parse_i64(STR("-+4"), &i), ERR_INVALID);
    assert_int_equal(number_parse_i64(STR("4.0"), &i), ERR_INVALID);
    assert_int_equal(number_parse_i64(STR(""), &i), ERR_INVALID);
    assert_int_equal(number_parse_u64(STR("18446744073709551615"), &u), OK);
    assert_true(u == UINT64_MAX);
    assert_int_equal(number_parse_u64(STR("18446744073709551616"), &u), ERR_LIMIT);
    assert_int_equal(number_parse_u64(STR("184467440737095516160000x"), &u), ERR_INVALID);
    assert_int_equal(number_parse_u64(STR("-1"), &u), ERR_INVALID);
    for (int n = 0; n < 1000; n++) {
        int64_t v = (int64_t)(next_random() >> (1 + next_random() % 63)), back;
        v = n % 2 ? -v : v;
        size_t size = number_format_i64(v, text);
        assert_int_equal(number_parse_i64((str){text, size}, &back), OK);
        assert_true(back == v);
    }
}

static void test_number__booleans(void **state)
{
    (void)state;
    bool b = false;
    assert_true(number_parse_bool(STR("1"), &b) && b);
    assert_true(number_parse_bool(STR("False"), &b) && !b);
    assert_true(number_parse_bool(STR("T"), &b) && b);
    assert_false(number_parse_bool(STR("yes"), &b));
    assert_false(number_parse_bool(STR(""), &b));
    assert_true(b); /* unchanged */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_number__formats_as_go),
        cmocka_unit_test(test_number__longest_texts_fit),
        cmocka_unit_test(test_number__random_bits_round_trip),
        cmocka_unit_test(test_number__f_and_e_have_the_same_digits),
        cmocka_unit_test(test_number__parses_as_go),
        cmocka_unit_test(test_number__parses_as_strtod),
        cmocka_unit_test(test_number__integers),
        cmocka_unit_test(test_number__booleans),
    };
    rng = hash_random_seed();
    print_message("seed %llu\n", (unsigned long long)rng);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
