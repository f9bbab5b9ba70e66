#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "storage/idbits.h"
#include "storage/postings.h"
#include "support/block_model.h"

enum { IDS = 200000 };

struct set { /* the naive one */
    uint8_t has[IDS];
};

static void random_set(struct model_rng *r, struct set *s)
{
    memset(s, 0, sizeof(*s));
    uint64_t kind = model_below(r, 4), n = kind == 0 ? model_below(r, 70) : model_below(r, 20000);
    uint64_t start = model_below(r, IDS);
    for (uint64_t i = 0; i < n; i++)
        s->has[kind == 1 ? (start + i) % IDS : model_below(r, IDS)] = 1;
}

static size_t ids_of(const struct set *s, uint32_t *ids)
{
    size_t n = 0;
    for (uint32_t i = 0; i < IDS; i++) {
        if (s->has[i])
            ids[n++] = i;
    }
    return n;
}

static void check(const struct postings *p, const struct set *s)
{
    static uint32_t want[IDS], have[IDS];
    size_t n = ids_of(s, want);
    assert_int_equal(postings_count(p), n);
    postings_ids(p, have);
    assert_memory_equal(have, want, n * sizeof(*want));
}

/* Whether the stored set meets another, asked with and without a bitmap. */
static void check_stored_meet(const struct buf *stored, const struct postings *among, bool want)
{
    uint64_t *bits = mem_zalloc(idbits_words(IDS), sizeof(*bits));
    bool met;
    postings_mark(among, bits);
    assert_int_equal(idbits_count(bits, idbits_words(IDS)), postings_count(among));
    assert_int_equal(postings_stored_meet(buf_slice(stored), IDS, among, bits, &met), OK);
    assert_int_equal(met, want);
    assert_int_equal(postings_stored_meet(buf_slice(stored), IDS, among, NULL, &met), OK);
    assert_int_equal(met, want);
    mem_free(bits);
}

static void test_postings__model(void **state)
{
    (void)state;
    struct model_rng r = {(uint64_t)time(NULL)};
    print_message("SEED=%llu\n", (unsigned long long)r.state);
    struct set *a = mem_alloc(sizeof(*a)), *b = mem_alloc(sizeof(*b));
    uint32_t *ids = mem_resize(NULL, IDS, sizeof(*ids));
    for (int round = 0; round < 60; round++) {
        struct buf bytes = {0};
        random_set(&r, a);
        random_set(&r, b);
        struct postings *p = postings_from(ids, ids_of(a, ids)), *q;
        size_t n = ids_of(b, ids);
        if (n > 0) {
            postings_encode(ids, n, &bytes);
            assert_int_equal(postings_decode(buf_slice(&bytes), IDS, &q), OK);
            struct postings *unused;
            assert_int_equal(postings_decode(buf_slice(&bytes), ids[n - 1], &unused), ERR_CORRUPT);
        } else {
            q = postings_empty();
        }
        check(q, b);
        if (n > 0)
            check_stored_meet(&bytes, p, postings_meet(p, q));
        /* The same by way of a bitmap. */
        uint64_t *bits = mem_zalloc(idbits_words(IDS), sizeof(*bits));
        struct postings *large = postings_empty();
        if (n > 0) {
            assert_int_equal(postings_decode_mark(buf_slice(&bytes), IDS, bits, large), OK);
            assert_int_equal(postings_decode_mark(buf_slice(&bytes), ids[n - 1], bits, large),
                             ERR_CORRUPT);
        }
        struct postings *few = postings_from_bits(bits, idbits_words(IDS));
        postings_or(large, few);
        check(large, b);
        for (size_t i = 0; i < n; i++)
            idbits_set(bits, ids[i]);
        struct postings *same = postings_from_bits(bits, idbits_words(IDS));
        check(same, b);
        postings_free(same);
        postings_free(few);
        postings_free(large);
        mem_free(bits);
        bool meet = false;
        for (int i = 0; i < IDS; i++) {
            bool x = a->has[i], y = b->has[i];
            meet |= x && y;
            a->has[i] = round % 3 == 0 ? x && y : round % 3 == 1 ? x || y : x && !y;
        }
        assert_int_equal(postings_meet(p, q), meet);
        if (round % 3 == 0)
            postings_and(p, q);
        else if (round % 3 == 1)
            postings_or(p, q);
        else
            postings_andnot(p, q);
        check(p, a);
        assert_int_equal(postings_eq(p, q), memcmp(a, b, sizeof(*a)) == 0);
        postings_free(p);
        postings_free(q);
        buf_fini(&bytes);
    }
    mem_free(a);
    mem_free(b);
    mem_free(ids);
}

static void test_postings__range_and_empty(void **state)
{
    (void)state;
    struct postings *r = postings_range(1000), *e = postings_empty(), *z = postings_range(0);
    assert_int_equal(postings_count(r), 1000);
    assert_true(postings_has(r, 999));
    assert_false(postings_has(r, 1000));
    assert_int_equal(postings_count(e), 0);
    assert_true(postings_eq(e, z));
    postings_free(r);
    postings_free(e);
    postings_free(z);
    postings_free(NULL);
}

static void test_postings__malformed_bytes_are_corrupt(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t size;
    } BAD[] = {{"", 0},
               {"\0", 1},
               {"\1", 1},
               {"\2\1", 2},
               {"\0\x80", 2},                 /* cut varint */
               {"\0\5\x80", 3},               /* cut difference */
               {"\0\xff\xff\xff\xff\x7f", 6}, /* beyond 32 bits */
               {"\0\5\x7f", 3},               /* beyond the limit */
               {"\1\0\0\0\0", 5},
               {"\1garbage garbage garbage", 24}};
    for (size_t i = 0; i < COUNT_OF(BAD); i++) {
        struct postings *p;
        slice s = {(const uint8_t *)BAD[i].bytes, BAD[i].size};
        assert_int_equal(postings_decode(s, 100, &p), ERR_CORRUPT);
        struct postings *none = postings_empty();
        bool met;
        assert_int_equal(postings_stored_meet(s, 100, none, NULL, &met), ERR_CORRUPT);
        postings_free(none);
    }
    struct buf many = {0}; /* more than a list may hold */
    buf_put_u8(&many, 0);
    for (int i = 0; i < 65; i++)
        buf_put_u8(&many, 0);
    struct postings *p;
    assert_int_equal(postings_decode(buf_slice(&many), 100, &p), ERR_CORRUPT);
    buf_fini(&many);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_postings__model),
        cmocka_unit_test(test_postings__range_and_empty),
        cmocka_unit_test(test_postings__malformed_bytes_are_corrupt),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
