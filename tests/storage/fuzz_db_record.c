/* Records, definitions and the state file from any bytes. The first byte chooses. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/mem.h"
#include "storage/log_ids.h"
#include "storage/state.h"

enum { ARENA_BYTES = 32 << 20 };

static void read_floats(const struct record_section *s)
{
    struct record_floats f;
    struct record_run run;
    uint64_t sum = 0, count = 0;
    err e = record_floats_init(&f, s);
    while (e == OK && (e = record_floats_next(&f, &run)) == OK) {
        for (uint32_t i = 0; i < run.count; i++)
            sum += load_u64(run.values + (size_t)i * 8);
        count += run.count;
        if (run.count == 0 || run.id >= RECORD_ID_MAX || run.count > RECORD_ID_MAX - run.id ||
            count > s->count)
            abort();
    }
    if (e == ERR_NOTFOUND && count != s->count)
        abort();
    *(volatile uint64_t *)&sum = sum;
}

static void read_rows(const struct record_section *s)
{
    struct record_rows rr;
    struct arena a;
    err e = OK;
    arena_init(&a, ARENA_BYTES);
    record_rows_init(&rr, s);
    while (e == OK) {
        struct db_row row;
        struct db_exemplar_row exemplar;
        struct db_metadata_row metadata;
        int64_t start_ms;
        if (s->kind == RECORD_HISTOGRAMS)
            e = record_histogram_next(&rr, &a, &row, &start_ms);
        else if (s->kind == RECORD_EXEMPLARS)
            e = record_exemplar_next(&rr, &a, &exemplar);
        else
            e = record_metadata_next(&rr, &metadata);
    }
    arena_fini(&a);
}

static void read_record(slice bytes)
{
    struct reader r;
    struct record_section s;
    err e = record_open(bytes, &r);
    while (e == OK && (e = record_next(&r, &s)) == OK) {
        if (s.kind == RECORD_FLOATS)
            read_floats(&s);
        else
            read_rows(&s);
    }
}

/* Definitions: pieces of a length byte each, ids counted. */
static void read_definitions(slice bytes)
{
    struct log_ids *l = mem_zalloc(1, sizeof(*l));
    struct reader r = reader_of(bytes);
    log_ids_init(l);
    for (uint32_t id = 0; !r.overrun && reader_left(&r) > 0; id++) {
        uint8_t size = read_u8(&r);
        slice payload = read_bytes(&r, size & 0x7f);
        struct labels ls;
        bool is_series;
        uint32_t id_of = id / 2 | ((size & 0x80) != 0 ? RECORD_PAIR_BIT : 0);
        if (log_ids_define(l, id_of, payload, &is_series, &ls) == OK && is_series) {
            log_ids_set(l, id_of, 7);
            for (size_t i = 1; i < ls.count; i++)
                if (str_cmp(ls.items[i - 1].name, ls.items[i].name) >= 0)
                    abort();
        }
    }
    log_ids_fini(l);
    mem_free(l);
}

static void read_state(slice bytes)
{
    struct buf copy = {0};
    struct state s;
    buf_put(&copy, bytes.ptr, bytes.len);
    if (copy.len > 12) /* a fuzzer does not guess checksums */
        store_u32(copy.ptr + 8, checksum32((slice){copy.ptr + 12, copy.len - 12}, 0));
    struct metadata_store *metadata = metadata_store_new((struct metadata_limits){1000, 1 << 16});
    struct exemplar_store *exemplars = exemplar_store_new(64);
    if (state_decode(buf_slice(&copy), &s, metadata, exemplars) == OK) {
        struct buf again = {0};
        state_encode(&s, metadata, exemplars, &again);
        buf_fini(&again);
    }
    metadata_store_free(metadata);
    exemplar_store_free(exemplars);
    buf_fini(&copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    slice bytes = {data + 1, size - 1};
    if (data[0] % 3 == 0)
        read_record(bytes);
    else if (data[0] % 3 == 1)
        read_definitions(bytes);
    else
        read_state(bytes);
    return 0;
}
