/* prom_chunk_layout_priv.h -- which histograms one chunk takes, and with which buckets. A chunk has
 * one layout of spans; it grows with every histogram that brings new buckets, and a histogram
 * without one of its buckets counts 0 there. */
#ifndef MODEL_PROM_CHUNK_LAYOUT_PRIV_H
#define MODEL_PROM_CHUNK_LAYOUT_PRIV_H

#include "model/prom_chunk_priv.h"

struct span_list { /* borrowed from a histogram, or in the scratch arena */
    const struct histogram_span *items;
    uint32_t count;
};

struct bucket_walk { /* over the bucket indexes of a span list, ascending */
    struct span_list spans;
    uint32_t span, inside; /* the next one to give */
    int64_t index;
};

static inline struct bucket_walk bucket_walk_of(struct span_list spans)
{
    return (struct bucket_walk){.spans = spans,
                                .index = spans.count > 0 ? spans.items[0].offset : 0};
}

/* The next index; false behind the last. */
static inline bool bucket_next(struct bucket_walk *w, int64_t *index)
{
    while (w->span < w->spans.count && w->inside == w->spans.items[w->span].length) {
        w->inside = 0;
        if (++w->span < w->spans.count)
            w->index += w->spans.items[w->span].offset;
    }
    if (w->span == w->spans.count)
        return false;
    w->inside++;
    *index = w->index++;
    return true;
}

static inline struct span_list spans_of(const struct histogram_side *s)
{
    return (struct span_list){s->spans, s->span_count};
}

struct prom_layout {
    struct span_list sides[2]; /* positive, negative */
    size_t count;              /* histograms that it holds */
    bool refused;              /* the next one is of the same kind but needs a new chunk ... */
    uint8_t header;            /* ... with this header */
};

/* Take histograms from the front of `h` until one does not fit or `count` are in. `gauge`: the
 * chunk is one of gauges. ERR_LIMIT  the scratch's budget */
MUST_USE err prom_layout_plan(const struct histogram *const *h, size_t count, bool gauge,
                              struct arena *scratch, struct prom_layout *out);

#endif
