/* fuzz_wal.c -- a log's directory holds arbitrary bytes. The first byte says how they are used: as
 * a segment's file, as a companion, or as the records of groups whose checksums are then made
 * right, so that what is behind them is reached too. Opening must neither fail nor hand out what is
 * not there; a second opening must agree with the first. */
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/log.h"
#include "storage/wal.h"
#include "storage/wal_format.h"
#include "support/fs_sim.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct tally {
    uint64_t segments, defines, records, damages, bytes, sum;
};

static err on_segment(void *arg, uint32_t segment, unsigned index, unsigned count)
{
    struct tally *t = arg;
    ASSERT(index < count && segment > 0);
    t->segments++;
    return OK;
}

static void add(struct tally *t, slice payload)
{
    t->bytes += payload.len;
    for (size_t i = 0; i < payload.len; i++) /* every byte is ours to read */
        t->sum = t->sum * 31 + payload.ptr[i];
}

static err on_define(void *arg, uint32_t id, slice payload)
{
    struct tally *t = arg;
    t->defines++;
    t->sum += id;
    add(t, payload);
    return OK;
}

static err on_record(void *arg, uint8_t type, slice payload, uint64_t seq)
{
    struct tally *t = arg;
    ASSERT(type != WAL_TYPE_DEFINE && seq > 0);
    t->records++;
    add(t, payload);
    return OK;
}

static void on_damage(void *arg, const struct wal_damage *damage)
{
    struct tally *t = arg;
    ASSERT(damage->segment > 0);
    t->damages++;
}

static const struct wal_header header = {
    .uuid = {1, 2}, .first_seq = 1, .segment = 1, .previous = {.pos = WAL_HEADER_SIZE}};
static const struct wal_header next_header = {
    .uuid = {3, 4},
    .first_seq = 9,
    .segment = 2,
    .previous = {.uuid = {1, 2}, .pos = 16384, .synced_pos = 16384, .last_seq = 8}};

static void put_header(struct buf *out)
{
    wal_header_encode(&header, buf_reserve(out, WAL_HEADER_SIZE));
    out->len += WAL_HEADER_SIZE;
}

/* Groups whose bodies are pieces of the data: {size, count, flags, pos by synced} and bytes. */
static void put_groups(struct buf *out, slice data)
{
    struct reader r = reader_of(data);
    for (uint64_t seq = 1; reader_left(&r) > 4; seq++) {
        size_t size = MIN((size_t)read_u8(&r) * 8, reader_left(&r));
        struct wal_group_header h = {.seq = seq, .record_count = read_u8(&r)};
        uint8_t odd = read_u8(&r);
        slice body = read_bytes(&r, MIN(size, reader_left(&r)));
        uint64_t pos = out->len;
        h.flags = odd == 255;
        h.synced_pos = (odd & 1) != 0 ? pos : 0;
        h.body_size = (uint32_t)body.len;
        h.body_hash = wal_body_hash(body, wal_seed(header.uuid, pos, seq)) + ((odd & 6) == 6);
        uint8_t *p = buf_reserve(out, (size_t)wal_group_file_size(h.body_size));
        memset(p, 0, (size_t)wal_group_file_size(h.body_size));
        wal_group_header_encode(&h, header.uuid, pos, p);
        if (body.len > 0)
            memcpy(p + WAL_GROUP_HEADER_SIZE, body.ptr, body.len);
        out->len += (size_t)wal_group_file_size(h.body_size);
    }
}

static void put_companion(struct fs_sim *sim, slice entries)
{
    struct buf file = {0};
    wal_companion_header_encode(&header, buf_reserve(&file, WAL_COMPANION_HEADER_SIZE));
    file.len += WAL_COMPANION_HEADER_SIZE;
    buf_put(&file, entries.ptr, entries.len);
    fs_sim_put(sim, "/wal/00000001.defs", buf_slice(&file));
    buf_fini(&file);
}

static void make_directory(struct fs_sim *sim, uint8_t how, slice data)
{
    struct buf segment = {0}, next = {0};
    ASSERT(fs_mkdir(fs_sim_fs(sim), "/wal") == OK);
    if (how % 4 > 0)
        put_header(&segment);
    if (how % 4 == 2)
        put_groups(&segment, data);
    else
        buf_put(&segment, data.ptr, data.len);
    fs_sim_put(sim, "/wal/00000001.wal", buf_slice(&segment));
    if (how % 4 == 3)
        put_companion(sim, data);
    if ((how & 4) != 0) {
        wal_header_encode(&next_header, buf_reserve(&next, WAL_HEADER_SIZE));
        next.len += WAL_HEADER_SIZE;
        fs_sim_put(sim, "/wal/00000002.wal", buf_slice(&next));
    }
    buf_fini(&segment);
    buf_fini(&next);
}

static struct tally open_once(struct fs_sim *sim, bool write)
{
    struct tally t = {0};
    struct wal_options options = {.ahead_size = 512, .read_size = 4096, .uuid_seed = 5};
    struct wal_replay replay = {&t, on_segment, on_define, on_record, on_damage};
    struct wal *w;
    err e = wal_open(fs_sim_fs(sim), "/wal", &options, &replay, &w);
    ASSERT(e == OK || e == ERR_UNSUPPORTED);
    if (e != OK)
        return t;
    if (write) {
        ASSERT(wal_begin(w) == OK);
        ASSERT(wal_append(w, 1, (slice){(const uint8_t *)"x", 1}) == OK);
        ASSERT(wal_commit(w, NULL) == OK);
    }
    ASSERT(wal_close(w) == OK);
    return t;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    log_configure((enum log_level)(LOG_ERROR + 1), LOG_LOGFMT);
    if (size == 0)
        return 0;
    struct fs_sim *sim = fs_sim_new(1);
    make_directory(sim, data[0], (slice){data + 1, size - 1});
    struct tally first = open_once(sim, false);
    struct tally second = open_once(sim, true);
    ASSERT(second.records == first.records && second.defines == first.defines);
    ASSERT(second.sum == first.sum && second.bytes == first.bytes);
    struct tally third = open_once(sim, false);
    ASSERT(third.records <= second.records + 1);
    fs_sim_free(sim);
    return 0;
}
