/* Go's logarithm and power of two. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "base/bytes.h"
#include "base/gomath.h"
#include "base/hash.h"

static void assert_near(double got, double want)
{
    if (!(fabs(got - want) <= 4.5e-16 * fabs(want)))
        fail_msg("got %.17g, want %.17g", got, want);
}

static void test_go_log2__is_exact_for_powers(void **state)
{
    (void)state;
    for (int e = -1070; e < 1024; e++)
        assert_true(go_log2(ldexp(1, e)) == e);
    assert_true(go_log2(0) == (double)-INFINITY);
    assert_true(go_log2((double)INFINITY) == (double)INFINITY);
    assert_true(isnan(go_log2(-1)) && isnan(go_log2((double)NAN)));
}

static void test_go_exp2__ends(void **state)
{
    (void)state;
    for (int e = -1074; e < 1023; e++)
        assert_true(go_exp2(e) == ldexp(1, e));
    assert_true(go_exp2(1024) == (double)INFINITY);
    assert_true(go_exp2(-1080) == 0);
    assert_true(isnan(go_exp2((double)NAN)));
    assert_true(go_exp2((double)-INFINITY) == 0);
}

static void test_gomath__is_within_an_ulp_or_two(void **state)
{
    (void)state;
    uint64_t rng = 5;
    for (int i = 0; i < 20000; i++) {
        rng = hash64((slice){(const uint8_t *)&rng, sizeof(rng)}, 1);
        double unit = (double)(rng >> 11) / 9007199254740992.0, v = ldexp(0.5 + unit, i % 90 - 45);
        assert_near(go_exp2(unit * 200 - 100), exp2(unit * 200 - 100));
        if (fabs(log2(v)) > 0.5)
            assert_near(go_log2(v), log2(v));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_go_log2__is_exact_for_powers),
        cmocka_unit_test(test_go_exp2__ends),
        cmocka_unit_test(test_gomath__is_within_an_ulp_or_two),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
