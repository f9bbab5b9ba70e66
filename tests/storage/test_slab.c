#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "storage/pages.h"
#include "storage/slab.h"
#include "support/codec_classes.h"

/* Pieces are zeroed, aligned, do not overlap and keep what is written. */
static void test_slab__pieces(void **state)
{
    (void)state;
    enum { PIECES = 4000 };
    static struct {
        uint8_t *p;
        size_t size;
    } piece[PIECES];
    static const size_t sizes[] = {1, 8, 32, 33, 64, 65, 128, 500, 5000, 70000};
    uint64_t seed = hash_random_seed();
    print_message("seed %llu\n", (unsigned long long)seed);
    struct rng r = rng_of(seed);
    struct slab s = {0};
    size_t total = 0;
    for (unsigned i = 0; i < PIECES; i++) {
        size_t size = sizes[rng_u64(&r) % (i % 50 == 0 ? 10 : 7)];
        uint8_t *p = slab_alloc(&s, size);
        assert_int_equal((uintptr_t)p % (size <= 32 ? 32 : 64), 0);
        for (size_t k = 0; k < slab_round(size); k++)
            assert_int_equal(p[k], 0);
        memset(p, (int)(i % 255 + 1), slab_round(size));
        piece[i].p = p;
        piece[i].size = slab_round(size);
        total += piece[i].size;
    }
    for (unsigned i = 0; i < PIECES; i++)
        for (size_t k = 0; k < piece[i].size; k++)
            assert_int_equal(piece[i].p[k], i % 255 + 1);
    assert_true(s.used_bytes >= total && s.used_bytes <= total + 64);
    slab_fini(&s);
    assert_int_equal(s.used_bytes, 0);
    assert_non_null(slab_alloc(&s, 10)); /* usable again */
    slab_fini(&s);
}

static void test_pages__array(void **state)
{
    (void)state;
    struct paged a;
    paged_init(&a, 24, 10, 1 << 28);
    assert_false(paged_has_page(&a, 0));
    assert_false(paged_has_page(&a, SIZE_MAX));
    paged_page_add(&a, 3);
    paged_page_add(&a, (1 << 18) - 1);
    assert_int_equal(a.page_count, 2);
    uint8_t *first = paged_at(&a, 3 * 1024), *last = paged_at(&a, (1u << 28) - 1);
    memset(first, 1, 24);
    memset(last, 2, 24);
    assert_int_equal(*(uint8_t *)paged_at(&a, 3 * 1024 + 1), 0);
    paged_page_drop(&a, 3);
    paged_page_drop(&a, 3);
    assert_int_equal(a.page_count, 1);
    paged_page_add(&a, 3);
    assert_int_equal(*(uint8_t *)paged_at(&a, 3 * 1024), 0);
    assert_int_equal(*last, 2);
    paged_fini(&a);
}

static void test_pages__large_is_aligned(void **state)
{
    (void)state;
    enum { SIZE = 5 << 20 };
    uint8_t *p = pages_map(SIZE);
    assert_int_equal((uintptr_t)p % (2 << 20), 0);
    p[0] = p[SIZE - 1] = 1;
    pages_unmap(p, SIZE);
    pages_unmap(NULL, 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_slab__pieces),
        cmocka_unit_test(test_pages__array),
        cmocka_unit_test(test_pages__large_is_aligned),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
