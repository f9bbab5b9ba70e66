#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "storage/id_pool.h"
#include "storage/id_table.h"
#include "storage/idset.h"
#include "storage/symbols.h"
#include "support/codec_classes.h"

static uint64_t print_seed(void)
{
    uint64_t seed = hash_random_seed();
    print_message("seed %llu\n", (unsigned long long)seed);
    return seed;
}

/* ---- Symbols ---- */

enum { NAMES = 7, VALUES = 300 };

static void test_symbols__model(void **state)
{
    (void)state;
    static uint32_t refs[NAMES][VALUES], ids[NAMES][VALUES];
    struct rng r = rng_of(print_seed());
    struct symbols s;
    size_t pairs = 0;
    memset(refs, 0, sizeof(refs));
    symbols_init(&s);
    size_t bytes_empty = symbols_bytes(&s);
    for (unsigned step = 0; step < 60000 || pairs > 0; step++) {
        unsigned n = rng_u64(&r) % NAMES, v = rng_u64(&r) % VALUES;
        char name[16], value[16];
        snprintf(name, sizeof(name), "name%u", n);
        snprintf(value, sizeof(value), "value%u", v);
        struct label l = {{name, strlen(name)}, {value, v == 0 ? 0 : strlen(value)}};
        bool grow = step < 60000 && rng_u64(&r) % 100 < (step / 5000 % 2 == 0 ? 60 : 40);
        if (grow) {
            uint32_t id;
            assert_int_equal(symbols_acquire(&s, l, (uint32_t)(rng_u64(&r) % 400), &id), OK);
            if (refs[n][v]++ == 0) {
                ids[n][v] = id;
                pairs++;
            }
            assert_int_equal(ids[n][v], id);
        } else if (refs[n][v] > 0) {
            const struct symbol_pair *p = symbols_pair(&s, ids[n][v]);
            assert_true(str_eq(symbols_value(p), l.value));
            assert_true(str_eq(symbols_text(symbols_name(&s, p->name)), l.name));
            symbols_release(&s, ids[n][v]);
            pairs -= --refs[n][v] == 0;
        }
        uint32_t found = symbols_find_name(&s, l.name);
        if (found != ID_NONE)
            found = symbols_find_pair(&s, found, l.value);
        assert_int_equal(found, refs[n][v] > 0 ? ids[n][v] : ID_NONE);
        assert_int_equal(s.pair_count, pairs);
    }
    assert_int_equal(s.name_count, 0);
    assert_int_equal(s.string_bytes, 0);
    assert_true(symbols_bytes(&s) >= bytes_empty);
    symbols_fini(&s);
}

/* ---- Sets of ids ---- */

enum { IDS = 9000 };

static void check_set(const struct idset *s, const bool *in, uint32_t *scratch, struct rng *r)
{
    size_t n = 0, asked = 0, both = 0;
    static uint32_t ask[IDS];
    static uint64_t bitmap[IDS / 64 + 1];
    for (uint32_t i = 0; i < IDS; i++)
        n += in[i];
    assert_int_equal(s->count, n);
    idset_copy(s, scratch);
    n = 0;
    for (uint32_t i = 0; i < IDS; i++)
        if (in[i])
            assert_int_equal(scratch[n++], i);
    unsigned rate = 1 + (unsigned)(rng_u64(r) % 200);
    for (uint32_t i = 0; i < IDS; i++) {
        if (rng_u64(r) % rate != 0)
            continue;
        ask[asked++] = i;
        scratch[both] = i;
        both += in[i];
    }
    assert_int_equal(idset_intersect(s, ask, asked), both);
    if (both > 0)
        assert_memory_equal(ask, scratch, both * sizeof(uint32_t));
    memset(bitmap, 0, sizeof(bitmap));
    idset_mark(s, bitmap);
    for (uint32_t i = 0; i < IDS; i++)
        assert_int_equal(bitmap[i / 64] >> (i % 64) & 1, in[i]);
}

static void test_idset__model(void **state)
{
    (void)state;
    static bool in[IDS];
    static uint32_t scratch[IDS];
    static uint64_t gone[IDS / 64 + 1];
    struct rng r = rng_of(print_seed());
    struct idset s = {.count = 0};
    memset(in, 0, sizeof(in));
    for (unsigned phase = 0; phase < 60; phase++) {
        unsigned adds = (unsigned)(rng_u64(&r) % (phase % 3 == 0 ? 4000 : 20));
        uint32_t next = (uint32_t)(rng_u64(&r) % IDS);
        size_t bytes = idset_bytes(&s);
        for (unsigned i = 0; i < adds; i++) {
            uint32_t id = phase % 2 == 0 ? next++ % IDS : (uint32_t)(rng_u64(&r) % IDS);
            bytes += idset_add(&s, id);
            in[id] = true;
        }
        assert_int_equal(idset_bytes(&s), bytes);
        check_set(&s, in, scratch, &r);
        unsigned keep = (unsigned)(rng_u64(&r) % 4);
        uint32_t end = (uint32_t)(rng_u64(&r) % (IDS + 1));
        memset(gone, 0, sizeof(gone));
        for (uint32_t i = 0; i < end; i++) {
            if (keep > 0 && rng_u64(&r) % (keep * 3) != 0)
                continue;
            gone[i / 64] |= (uint64_t)1 << (i % 64);
            in[i] = false;
        }
        idset_remove(&s, gone, end);
        check_set(&s, in, scratch, &r);
    }
    idset_fini(&s);
    assert_int_equal(idset_bytes(&s), 0);
}

static void test_idset__appending_wastes_little(void **state)
{
    (void)state;
    struct idset s = {.count = 0};
    for (uint32_t i = 0; i < 100000; i++)
        idset_add(&s, i * 3);
    assert_true(idset_bytes(&s) < 100000 * 5);
    idset_fini(&s);
}

/* ---- Table of ids ---- */

static void test_id_table__model(void **state)
{
    (void)state;
    enum { KEYS = 5000 };
    static uint32_t tag[KEYS];
    static bool in[KEYS];
    struct rng r = rng_of(print_seed());
    struct id_table t;
    size_t count = 0;
    id_table_init(&t);
    size_t bytes_empty = id_table_bytes(&t);
    for (unsigned i = 0; i < KEYS; i++) /* few distinct, some at the very end of the table */
        tag[i] = i % 3 == 0 ? UINT32_MAX - i % 7
                            : (uint32_t)rng_u64(&r) & (i % 2 == 0 ? ~0u : 0xff00ff00);
    memset(in, 0, sizeof(in));
    for (unsigned step = 0; step < 40000; step++) {
        unsigned k = (unsigned)(rng_u64(&r) % KEYS);
        if (k % 3 == 0 && k % 60 != 0) /* not too many that all are in one run */
            continue;
        if (in[k] || step > 30000)
            assert_int_equal(id_table_remove(&t, tag[k], k), in[k]);
        else
            id_table_add(&t, tag[k], k);
        count += in[k] ? (size_t)-1 : step <= 30000;
        in[k] = !in[k] && step <= 30000;
        assert_int_equal(t.count, count);
        for (unsigned probe = 0; probe < 3; probe++) {
            unsigned q = (unsigned)(rng_u64(&r) % KEYS), hits = 0;
            struct id_cursor c;
            uint32_t id = id_table_first(&t, tag[q], &c);
            for (; id != ID_NONE; id = id_table_next(&t, tag[q], &c)) {
                assert_int_equal(tag[id], tag[q]);
                assert_true(in[id]);
                hits += id == q;
            }
            assert_int_equal(hits, in[q]);
        }
    }
    for (unsigned k = 0; k < KEYS; k++)
        if (in[k])
            assert_true(id_table_remove(&t, tag[k], k));
    assert_int_equal(t.count, 0);
    assert_int_equal(id_table_bytes(&t), bytes_empty);
    id_table_fini(&t);
}

/* ---- Pool of ids ---- */

/* Searches find everything at every moment of growing. */
static void test_id_table__grows_little_by_little(void **state)
{
    (void)state;
    enum { KEYS = 20000 };
    static uint32_t tag[KEYS];
    struct rng r = rng_of(print_seed());
    struct id_table t;
    unsigned growing = 0;
    id_table_init(&t);
    for (unsigned i = 0; i < KEYS; i++) {
        tag[i] = (uint32_t)rng_u64(&r) | (i % 4 == 0 ? 0xffff0000 : 0);
        id_table_add(&t, tag[i], i);
        growing += t.old.at != NULL;
        for (unsigned probe = 0; probe < 20; probe++) {
            unsigned q = (unsigned)(rng_u64(&r) % (i + 1));
            struct id_cursor c;
            uint32_t id = id_table_first(&t, tag[q], &c);
            while (id != ID_NONE && id != q)
                id = id_table_next(&t, tag[q], &c);
            assert_int_equal(id, q);
        }
    }
    assert_true(growing > KEYS / 100);
    while (!id_table_move(&t, 100))
        continue;
    assert_null(t.old.at);
    id_table_fini(&t);
}

static void test_id_pool__model(void **state)
{
    (void)state;
    enum { MAX_ID = 8 * ID_PAGE };
    static bool used[MAX_ID];
    struct rng r = rng_of(print_seed());
    struct id_pool p;
    size_t count = 0;
    memset(used, 0, sizeof(used));
    id_pool_init(&p, MAX_ID);
    for (unsigned step = 0; step < 200000; step++) {
        bool take = rng_u64(&r) % 100 < (step / 20000 % 2 == 0 ? 65 : 35);
        uint32_t id = (uint32_t)(rng_u64(&r) % MAX_ID);
        if (take) {
            bool ok = id_pool_take(&p, &id);
            assert_int_equal(ok, count < MAX_ID);
            if (!ok)
                continue;
            assert_true(id < MAX_ID && id < p.id_end && !used[id]);
            used[id] = true;
            count++;
        } else if (used[id]) {
            used[id] = false;
            count--;
            bool empty = true;
            for (uint32_t i = id / ID_PAGE * ID_PAGE; i < (id / ID_PAGE + 1) * ID_PAGE; i++)
                empty = empty && !used[i];
            assert_int_equal(id_pool_give(&p, id), empty);
        }
    }
    for (uint32_t i = 0; i < p.id_end; i++)
        assert_int_equal(id_pool_used(&p, i), used[i]);
    id_pool_fini(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_symbols__model),
        cmocka_unit_test(test_idset__model),
        cmocka_unit_test(test_idset__appending_wastes_little),
        cmocka_unit_test(test_id_table__model),
        cmocka_unit_test(test_id_pool__model),
        cmocka_unit_test(test_id_table__grows_little_by_little),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
