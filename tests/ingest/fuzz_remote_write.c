/* fuzz_remote_write.c -- any bytes as a remote-write message, of either version: no crash, and
 * every row handed out belongs to an item whose labels lie inside the message. */
#include "base/assert.h"
#include "base/mem.h"
#include "ingest/rw_priv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void decode(const uint8_t *data, size_t size, bool v2)
{
    static struct metadata_slot seen[METADATA_SEEN_SLOTS];
    struct receiver r = {.options = receiver_options_default(NULL), .metadata_seen = seen};
    struct remote_write w = {.receiver = &r, .v2 = v2};
    struct diag d = {.text = ""};
    arena_init(&w.arena, 16 << 20);
    buf_put(&w.decoded, data, size);
    err e = v2 ? rw_v2_decode(&w, &d) : rw_v1_decode(&w, &d);
    ASSERT(e == OK || d.text[0] != '\0');
    for (size_t i = 0; i < w.item_count && e == OK; i++) {
        const struct rw_item *it = &w.items[i];
        ASSERT(it->labels.len == 0 || (it->labels.ptr >= w.decoded.ptr &&
                                       it->labels.ptr + it->labels.len <= w.decoded.ptr + size));
        ASSERT((size_t)it->row_first + it->row_count <= w.row_count);
        for (uint32_t k = 0; k < it->row_count; k++)
            ASSERT(w.rows[it->row_first + k].tag == i);
    }
    buf_fini(&w.decoded);
    buf_fini(&w.errors);
    mem_free(w.items);
    mem_free(w.aliases);
    mem_free(w.series);
    mem_free(w.rows);
    mem_free(w.start_ts_ms);
    mem_free(w.symbols);
    mem_free(w.symbol_hashes);
    mem_free(w.batch.exemplars);
    mem_free(w.batch.metadata);
    arena_fini(&w.arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    decode(data, size, false);
    decode(data, size, true);
    return 0;
}
