/* Sorting texts: against qsort() and str_cmp(). */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/str_sort.h"

static int compare(const void *a, const void *b)
{
    return str_cmp(*(const str *)a, *(const str *)b);
}

static void check(const str *texts, size_t count)
{
    str *a = mem_alloc((count + 1) * sizeof(str)), *b = mem_alloc((count + 1) * sizeof(str));
    memcpy(a, texts, count * sizeof(str));
    memcpy(b, texts, count * sizeof(str));
    str_sort(a, count);
    if (count > 0)
        qsort(b, count, sizeof(str), compare);
    for (size_t i = 0; i < count; i++)
        assert_true(str_eq(a[i], b[i]));
    mem_free(a);
    mem_free(b);
}

static uint64_t rng;

static uint64_t next(void)
{
    rng ^= rng << 13;
    rng ^= rng >> 7;
    rng ^= rng << 17;
    return rng;
}

/* `alphabet` letters from `first` on, up to `len_max` of them behind a shared beginning. */
static void check_random(size_t count, size_t shared, size_t len_max, unsigned alphabet,
                         unsigned char first)
{
    struct arena a;
    arena_init(&a, 256 << 20);
    str *texts = mem_alloc((count + 1) * sizeof(str));
    for (size_t i = 0; i < count; i++) {
        size_t len = shared + next() % (len_max + 1);
        char *p = arena_alloc(&a, len + 1);
        assert_non_null(p);
        memset(p, first, shared);
        for (size_t k = shared; k < len; k++)
            p[k] = (char)(first + next() % alphabet);
        texts[i] = (str){p, len};
    }
    check(texts, count);
    mem_free(texts);
    arena_fini(&a);
}

static void test_str_sort__same_order_as_comparing(void **state)
{
    (void)state;
    rng = hash_random_seed() | 1;
    print_message("seed %llu\n", (unsigned long long)rng);
    static const size_t COUNTS[] = {0, 1, 2, 40, 49, 300, 5000};
    for (size_t c = 0; c < sizeof(COUNTS) / sizeof(COUNTS[0]); c++)
        for (size_t shared = 0; shared < 90; shared += 7) {
            check_random(COUNTS[c], shared, 3, 3, 0);
            check_random(COUNTS[c], shared, 20, 2, 0);
            check_random(COUNTS[c], shared, 20, 200, 30);
            check_random(COUNTS[c], shared, 100, 1, 'a');
        }
}

static void test_str_sort__ends_count_as_before_zero_bytes(void **state)
{
    (void)state;
    str texts[300];
    static const char ZEROS[400];
    for (size_t i = 0; i < 300; i++)
        texts[i] = (str){ZEROS, 299 - i};
    str_sort(texts, 300);
    for (size_t i = 0; i < 300; i++)
        assert_int_equal(texts[i].len, i);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_str_sort__same_order_as_comparing),
        cmocka_unit_test(test_str_sort__ends_count_as_before_zero_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
