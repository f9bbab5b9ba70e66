/* fuzz_remote_write.c -- any bytes as a remote-write message, of either version: no crash, and
 * every row handed out belongs to an item whose labels lie inside the message. */
#include "base/assert.h"
#include "base/mem.h"
#include "ingest/rw_priv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct metadata_slot seen[METADATA_SEEN_SLOTS];

static err decode(struct remote_write *w, const uint8_t *data, size_t size)
{
    struct diag d = {.text = ""};
    arena_init(&w->arena, 16 << 20);
    buf_put(&w->decoded, data, size);
    err e = w->v2 ? rw_v2_decode(w, &d) : rw_v1_decode(w, &d);
    ASSERT(e == OK || d.text[0] != '\0');
    for (size_t i = 0; i < w->item_count && e == OK; i++) {
        const struct rw_item *it = &w->items[i];
        ASSERT(it->labels.len == 0 || (it->labels.ptr >= w->decoded.ptr &&
                                       it->labels.ptr + it->labels.len <= w->decoded.ptr + size));
        ASSERT((size_t)it->row_first + it->row_count <= w->row_count);
        for (uint32_t k = 0; k < it->row_count; k++)
            ASSERT(w->rows[it->row_first + k].tag == i);
        ASSERT(!w->one_row || (it->row_first == i && it->row_count == 1));
    }
    return e;
}

static void release(struct remote_write *w)
{
    buf_fini(&w->decoded);
    buf_fini(&w->errors);
    mem_free(w->items);
    mem_free(w->aliases);
    mem_free(w->series);
    mem_free(w->rows);
    mem_free(w->start_ts_ms);
    mem_free(w->symbols);
    mem_free(w->symbol_hashes);
    mem_free(w->batch.exemplars);
    mem_free(w->batch.metadata);
    arena_fini(&w->arena);
}

/* Guessing where labels end, if the guesses hold, gives what looking does. */
static void compare(const struct remote_write *guessed, const struct remote_write *exact, err e)
{
    for (size_t i = 0; i < guessed->item_count; i++)
        if (!rw_v1_guess_holds(guessed, i))
            return;
    ASSERT(e == OK);
    ASSERT(guessed->item_count == exact->item_count && guessed->row_count == exact->row_count);
    ASSERT(guessed->batch.exemplar_count == exact->batch.exemplar_count);
    for (size_t i = 0; i < exact->item_count; i++) {
        const struct rw_item *a = &guessed->items[i], *b = &exact->items[i];
        ASSERT(a->labels.len == b->labels.len && a->body.len == b->body.len);
        ASSERT(a->row_first == b->row_first && a->row_count == b->row_count);
        ASSERT(hash128_eq(guessed->aliases[i], exact->aliases[i]));
    }
    for (size_t i = 0; i < exact->row_count; i++) {
        const struct db_row *a = &guessed->rows[i], *b = &exact->rows[i];
        ASSERT(a->ts_ms == b->ts_ms && f64_bits(a->value) == f64_bits(b->value));
        ASSERT((a->histogram == NULL) == (b->histogram == NULL));
    }
}

static void decode_v1(const uint8_t *data, size_t size)
{
    struct receiver r = {.options = receiver_options_default(NULL), .metadata_seen = seen};
    struct remote_write guessed = {.receiver = &r}, exact = {.receiver = &r, .exact = true};
    keyed_hash_init(&r.label_hash);
    err e = decode(&guessed, data, size);
    err e_exact = decode(&exact, data, size);
    if (e == OK)
        compare(&guessed, &exact, e_exact);
    release(&guessed);
    release(&exact);
}

static void decode_v2(const uint8_t *data, size_t size)
{
    struct receiver r = {.options = receiver_options_default(NULL), .metadata_seen = seen};
    struct remote_write w = {.receiver = &r, .v2 = true};
    (void)decode(&w, data, size);
    release(&w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    decode_v1(data, size);
    decode_v2(data, size);
    return 0;
}
