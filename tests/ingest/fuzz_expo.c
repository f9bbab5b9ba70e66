/* fuzz_expo.c -- any bytes as an exposition page: no crash, every entry lies in the page, and
 * reading again by the keys of the first reading gives the same. The first byte chooses format and
 * options. */
#include "base/assert.h"
#include "base/mem.h"
#include "ingest/expo.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_entry(struct expo *p, const struct buf *page, const struct expo_entry *e)
{
    struct arena a;
    struct label *items;
    size_t count;
    if (e->kind != EXPO_SERIES && e->kind != EXPO_HISTOGRAM)
        return;
    ASSERT(e->key.len > 0);
    ASSERT(p->options.format == EXPO_PROTOBUF || e->kind == EXPO_HISTOGRAM ||
           (e->key.ptr >= page->ptr && e->key.ptr + e->key.len <= page->ptr + page->len));
    ASSERT(e->kind != EXPO_HISTOGRAM || histogram_check(e->histogram, NULL) == OK);
    arena_init(&a, 16 << 20);
    err r = expo_labels(p, &a, &items, &count);
    ASSERT(r == OK            ? count > 0
           : r == ERR_INVALID ? p->options.format == EXPO_PROTOBUF
                              : arena_exceeded(&a));
    arena_fini(&a);
}

/* The same page by keys: `e` is what parsing gave. */
static void check_known(struct expo *q, const struct expo_entry *e)
{
    struct expo_entry f;
    struct diag d = {.text = ""};
    slice key;
    bool known =
        expo_peek(q, &key) && e->key.len > 0 && str_eq(slice_text(key), slice_text(e->key));
    if (known && (e->kind == EXPO_TYPE || e->kind == EXPO_HELP || e->kind == EXPO_UNIT)) {
        expo_take_metadata(q, key, e->kind, e->type, e->name);
        return;
    }
    if (!known || e->kind != EXPO_SERIES || !expo_take(q, key, &f)) {
        ASSERT(expo_next(q, &f, &d) == OK);
        return;
    }
    ASSERT(f64_bits(f.value) == f64_bits(e->value));
    ASSERT(f.has_ts == e->has_ts && (!f.has_ts || f.ts_ms == e->ts_ms));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct expo_options o = {.format = (data[0] & 8) != 0   ? EXPO_PROTOBUF
                                       : (data[0] & 1) != 0 ? EXPO_OPENMETRICS
                                                            : EXPO_TEXT,
                             .native_histograms = (data[0] & 1) != 0,
                             .classic_histograms = (data[0] & 16) != 0,
                             .convert_classic = (data[0] & 32) != 0,
                             .start_timestamps = (data[0] & 2) != 0,
                             .type_and_unit_labels = (data[0] & 4) != 0};
    struct expo p, q;
    struct expo_entry e;
    struct buf page = {0}, again = {0};
    struct diag d = {.text = ""};
    buf_put(&page, data + 1, size - 1);
    buf_put(&again, data + 1, size - 1);
    expo_open(&p, &page, &o);
    expo_open(&q, &again, &o);
    err r;
    while ((r = expo_next(&p, &e, &d)) == OK && e.kind != EXPO_END) {
        check_entry(&p, &page, &e);
        check_known(&q, &e);
        ASSERT(p.pos == q.pos && p.state == q.state);
    }
    ASSERT(r == OK || d.text[0] != '\0');
    expo_close(&p);
    expo_close(&q);
    buf_fini(&page);
    buf_fini(&again);
    return 0;
}
