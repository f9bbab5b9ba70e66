/* wal_oracle.c -- see wal_oracle.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/wal_oracle.h"

#include <stdio.h>
#include <string.h>

#include "base/assert.h"

enum { RECORD_TYPE = 7, IDS_MAX = 3 };

void oracle_init(struct wal_oracle *o, uint64_t seed)
{
    *o = (struct wal_oracle){.random = seed, .size_max = 700};
}

uint64_t oracle_random(struct wal_oracle *o, uint64_t below)
{
    o->random = o->random * 6364136223846793005u + 1442695040888963407u;
    return (o->random >> 33) % below;
}

struct wal_options oracle_options(void)
{
    return (struct wal_options){
        .segment_size_max = 16 << 10, .ahead_size = 4 << 10, .read_size = 8 << 10, .uuid_seed = 42};
}

/* What record `n` holds: {n, count, ids..., filler}. */
static void make_record(const struct wal_oracle *o, uint32_t n, struct buf *out)
{
    uint64_t x = (n + 1) * 0x9e3779b97f4a7c15u;
    uint32_t ids = 1 + (uint32_t)(x >> 60) % IDS_MAX;
    size_t filler = (size_t)(x >> 20) % o->size_max;
    buf_reset(out);
    buf_put_u32(out, n);
    buf_put_u32(out, ids);
    for (uint32_t i = 0; i < ids; i++)
        buf_put_u32(out, (uint32_t)(x >> (8 * i)) % ORACLE_IDS);
    for (size_t i = 0; i < filler; i++)
        buf_put_u8(out, (uint8_t)(x >> (i % 8 * 8)));
}

static void make_define(uint32_t id, struct buf *out)
{
    buf_reset(out);
    buf_printf(out, "series %u", id);
    for (uint32_t i = 0; i < id * 5; i++)
        buf_put_u8(out, (uint8_t)('a' + i % 26));
}

/* Writing. */

static void define_ids(struct wal_oracle *o, struct wal *w, const struct buf *record)
{
    struct buf payload = {0};
    uint32_t count = load_u32(record->ptr + 4);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t id = load_u32(record->ptr + 8 + 4 * i);
        if (o->defined_in[id] == wal_segment(w))
            continue;
        make_define(id, &payload);
        assert_int_equal(wal_define(w, id, buf_slice(&payload)), OK);
        o->defined_in[id] = wal_segment(w);
    }
    buf_fini(&payload);
}

bool oracle_group(struct wal_oracle *o, struct wal *w, unsigned records)
{
    struct buf record = {0};
    uint32_t first = o->count;
    if (wal_begin(w) != OK)
        return false;
    for (unsigned i = 0; i < records; i++) {
        assert_true(o->count < ORACLE_RECORDS_MAX);
        make_record(o, o->count, &record);
        define_ids(o, w, &record);
        assert_int_equal(wal_append(w, RECORD_TYPE, buf_slice(&record)), OK);
        o->segment_of[o->count++] = wal_segment(w);
    }
    buf_fini(&record);
    bool ok = wal_commit(w, NULL) == OK;
    for (uint32_t n = first; n < o->count; n++)
        o->acked[n] = ok;
    return ok;
}

static void drop_before(struct wal_oracle *o, struct wal *w, uint32_t segment)
{
    for (uint32_t n = 0; n < o->count; n++)
        if (o->segment_of[n] < segment)
            o->optional[n] = true;
    (void)!wal_drop_before(w, segment);
}

void oracle_work(struct wal_oracle *o, struct wal *w, unsigned groups)
{
    for (unsigned i = 0; i < groups; i++) {
        if (!wal_available(w))
            (void)!wal_try_recover(w);
        (void)oracle_group(o, w, 1 + (unsigned)oracle_random(o, 4));
        uint64_t dice = oracle_random(o, 16);
        if (dice < 6)
            wal_tick(w);
        else if (dice == 6)
            (void)!wal_rotate(w);
        else if (dice == 7 && wal_segment(w) > 2)
            drop_before(o, w, wal_segment(w) - 1);
        else if (dice == 8)
            (void)!wal_flush(w);
    }
}

/* Replaying. */

static err on_segment(void *arg, uint32_t segment, unsigned index, unsigned count)
{
    struct wal_oracle *o = arg;
    assert_true(index < count && segment > o->last_segment);
    o->last_segment = segment;
    memset(o->defined, 0, sizeof(o->defined));
    return OK;
}

static err on_define(void *arg, uint32_t id, slice payload)
{
    struct wal_oracle *o = arg;
    struct buf expected = {0};
    assert_true(id < ORACLE_IDS);
    make_define(id, &expected);
    assert_int_equal(payload.len, expected.len);
    assert_memory_equal(payload.ptr, expected.ptr, payload.len);
    buf_fini(&expected);
    o->defined[id] = true;
    return OK;
}

static err on_record(void *arg, uint8_t type, slice payload, uint64_t seq)
{
    struct wal_oracle *o = arg;
    struct buf expected = {0};
    assert_int_equal(type, RECORD_TYPE);
    assert_true(payload.len >= 8 && seq >= o->last_seq);
    uint32_t n = load_u32(payload.ptr), ids = load_u32(payload.ptr + 4);
    assert_true(n < o->count); /* nothing foreign */
    assert_false(o->seen[n]);  /* nothing twice */
    make_record(o, n, &expected);
    assert_int_equal(payload.len, expected.len); /* nothing half */
    assert_memory_equal(payload.ptr, expected.ptr, payload.len);
    for (uint32_t i = 0; i < ids && !o->allow_undefined; i++)
        if (!o->defined[load_u32(payload.ptr + 8 + 4 * i)])
            fail_msg("record %u uses an id that is not defined", n);
    buf_fini(&expected);
    o->seen[n] = true;
    o->last_seq = seq;
    return OK;
}

static void on_damage(void *arg, const struct wal_damage *damage)
{
    struct wal_oracle *o = arg;
    o->damages++;
    o->damage = *damage;
    (void)snprintf(o->copy, sizeof(o->copy), "%s",
                   damage->quarantined != NULL ? damage->quarantined : "");
}

err oracle_open(struct wal_oracle *o, struct fs *fs, const struct wal_options *options,
                struct wal **out)
{
    struct wal_replay replay = {o, on_segment, on_define, on_record, on_damage};
    memset(o->seen, 0, sizeof(o->seen));
    memset(o->defined_in, 0, sizeof(o->defined_in));
    o->last_seq = 0;
    o->last_segment = 0;
    o->damages = 0;
    return wal_open(fs, "/wal", options, &replay, out);
}

void oracle_check(const struct wal_oracle *o)
{
    for (uint32_t n = 0; n < o->count && !o->allow_loss; n++)
        if (o->acked[n] && !o->optional[n] && !o->seen[n])
            fail_msg("acknowledged record %u of segment %u is lost", n, o->segment_of[n]);
}

uint32_t oracle_seen(const struct wal_oracle *o)
{
    uint32_t seen = 0;
    for (uint32_t n = 0; n < o->count; n++)
        seen += o->seen[n];
    return seen;
}

struct wal_stats wal_stats_of(const struct wal *w)
{
    struct wal_stats stats;
    wal_stats(w, &stats);
    return stats;
}
