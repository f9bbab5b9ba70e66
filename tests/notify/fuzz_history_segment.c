/* Fuzz target: a segment of the history. The first byte chooses: 0: the bytes are a file; 1: they
 * are payloads, each behind its size (u8), which get the frames of a good file; 2: the same, of
 * which bytes are flipped then. What is read is searched, shown as JSON and posted; what reads back
 * from a directory is what the walk found. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/jtree.h"
#include "notify/history_json.h"
#include "notify/history_segment.h"
#include "support/fs_sim.h"

enum { SEED = 7, FLIPS_MAX = 4, ARENA_BYTES = 64 << 20 };

static const int64_t NOW_MS = INT64_C(1795449600000);

static void require(bool good)
{
    if (!good)
        abort();
}

/* ---- A file ---- */

static void put_frames(slice data, struct buf *file)
{
    history_header_put(file, SEED);
    while (data.len > 0) {
        size_t size = data.ptr[0] < data.len ? data.ptr[0] : data.len - 1;
        if (size > 0)
            history_record_put(file, SEED, file->len, (slice){data.ptr + 1, size});
        data = (slice){data.ptr + 1 + size, data.len - 1 - size};
    }
}

/* Pairs of bytes at the front: where, and what is changed. */
static slice take_flips(slice data, struct buf *file)
{
    struct buf framed = {0};
    size_t flips = data.len / 4 < FLIPS_MAX ? data.len / 4 : FLIPS_MAX;
    put_frames((slice){data.ptr + 2 * flips, data.len - 2 * flips}, &framed);
    for (size_t i = 0; i < flips; i++)
        framed.ptr[(size_t)data.ptr[2 * i] * 31 % framed.len] ^= data.ptr[2 * i + 1];
    buf_put(file, framed.ptr, framed.len);
    buf_fini(&framed);
    return buf_slice(file);
}

/* ---- Its events ---- */

/* Texts that JSON's reader takes are those of the event. */
static void show(const struct history_event *e)
{
    struct buf json = {0};
    struct jtree *root = NULL;
    struct diag d = {.text = ""};
    history_event_json(e, &json);
    if (jtree_parse(buf_slice(&json), &root, &d) == OK)
        require(str_eq(jtree_text(jtree_get(root, "type")), str_from(history_kind_name(e->kind))));
    jtree_free(root);
    buf_fini(&json);
}

/* What was read is written as it was read. */
static void check_event(const struct history_event *e, struct arena *a)
{
    struct buf again = {0};
    struct history_event other;
    const struct history_query q = {.start_ms = e->at_ms,
                                    .end_ms = e->at_ms,
                                    .kinds = UINT32_C(1) << e->kind,
                                    .has_fingerprint = e->fingerprint_count > 0,
                                    .fingerprint =
                                        e->fingerprint_count > 0 ? e->fingerprints[0] : 0};
    require(e->kind > 0 && e->kind < HISTORY_KINDS);
    require(history_event_matches(e, &q));
    history_event_encode(e, &again);
    require(history_event_decode(buf_slice(&again), a, &other) == OK);
    require(other.seq == e->seq && other.kind == e->kind && other.at_ms == e->at_ms);
    require(other.fingerprint_count <= e->fingerprint_count);
    require(labels_eq(other.labels, e->labels));
    for (unsigned t = 0; t < HISTORY_TEXTS; t++)
        require(str_eq(other.texts[t], e->texts[t]));
    require(other.numbers_said == e->numbers_said);
    show(e);
    buf_fini(&again);
}

static size_t walk(slice file, uint64_t *last_seq)
{
    struct history_cursor c;
    struct history_segment s = {.number = 1};
    struct arena a;
    slice payload;
    size_t events = 0;
    history_segment_clear(&s);
    if (!history_cursor_begin(&c, file))
        return 0;
    arena_init(&a, ARENA_BYTES);
    while (history_cursor_next(&c, &payload)) {
        struct history_event e;
        require(payload.ptr >= file.ptr && payload.ptr + payload.len <= file.ptr + file.len);
        arena_reset(&a);
        if (history_event_decode(payload, &a, &e) != OK)
            continue;
        check_event(&e, &a);
        history_segment_note(&s, &e);
        events++;
    }
    require(c.pos_bytes + c.damaged_bytes <= 2 * file.len);
    *last_seq = s.last_seq;
    arena_fini(&a);
    return events;
}

/* ---- In a directory ---- */

struct found {
    size_t count;
    uint64_t seq;
};

static bool take(void *arg, const struct history_event *e)
{
    struct found *f = arg;
    require(f->count == 0 || e->seq < f->seq);
    f->seq = e->seq;
    f->count++;
    return true;
}

static void open_and_search(slice file, size_t events)
{
    struct fs_sim *disk = fs_sim_new(1);
    struct fs *fs = fs_sim_fs(disk);
    struct history *h = NULL;
    struct diag d = {.text = ""};
    struct found f = {.count = 0};
    uint64_t next;
    const struct history_options o = {
        .fs = fs, .dir = "/h", .retention_ms = INT64_C(1) << 40, .bytes_max = HISTORY_BYTES_MIN};
    const struct history_query q = {.start_ms = INT64_MIN, .end_ms = INT64_MAX, .limit = SIZE_MAX};
    require(fs_make_dir(fs, "/h") == OK && fs_write_file(fs, "/h/00000001", file) == OK);
    require(history_open(&o, &h, &d) == OK);
    history_put(h, &(struct history_event){.kind = HISTORY_CONFIG_RELOADED, .at_ms = NOW_MS});
    require(history_search(h, &q, take, &f, &next) == OK);
    require(f.count >= 1 && f.count <= events + 1);
    history_close(h);
    fs_sim_free(disk);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf made = {0};
    uint64_t last_seq = 0;
    if (size == 0)
        return 0;
    slice file = {data + 1, size - 1};
    if (data[0] % 3 == 1) {
        put_frames(file, &made);
        file = buf_slice(&made);
    } else if (data[0] % 3 == 2) {
        file = take_flips(file, &made);
    }
    size_t events = walk(file, &last_seq);
    if (last_seq < UINT64_MAX / 2)
        open_and_search(file, events);
    buf_fini(&made);
    return 0;
}
