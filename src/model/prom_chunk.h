/* prom_chunk.h -- chunks in the encodings of Prometheus' tsdb, to the bit: XOR (floats), HISTOGRAM
 * and FLOAT_HISTOGRAM (native histograms). Source: tsdb/chunkenc and storage/series.go, which also
 * say where a chunk ends: after PROM_CHUNK_SAMPLES_MAX samples, when the kind of sample changes,
 * and before a histogram that the chunk cannot take: a counter reset, another schema or zero
 * threshold, the first one behind stale markers.
 *
 *   struct prom_chunker c = prom_chunker_of(ts, values, histograms, count);
 *   while (!prom_chunker_done(&c))
 *       TRY(prom_chunker_next(&c, scratch, bytes, &chunk)); */
#ifndef MODEL_PROM_CHUNK_H
#define MODEL_PROM_CHUNK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "model/histogram.h"

enum { PROM_CHUNK_SAMPLES_MAX = 120 };

enum prom_chunk_type { /* numbers of the remote-read protobuf */
                       PROM_CHUNK_XOR = 1,
                       PROM_CHUNK_HISTOGRAM = 2,
                       PROM_CHUNK_FLOAT_HISTOGRAM = 3,
};

/* What the first two bits of a histogram chunk's third byte say about its first sample. */
enum prom_chunk_header {
    PROM_HEADER_UNKNOWN = 0x00,
    PROM_HEADER_NO_RESET = 0x40,
    PROM_HEADER_RESET = 0x80,
    PROM_HEADER_GAUGE = 0xc0,
};

struct prom_chunk {
    enum prom_chunk_type type;
    int64_t min_ms, max_ms; /* first and last sample */
    size_t count;           /* samples */
};

struct prom_chunker { /* over borrowed columns in time order; fields are private */
    const int64_t *ts_ms;
    const double *values;
    const struct histogram *const *histograms; /* NULL: floats only */
    size_t count, pos;
    bool header_known; /* the chunk before could not take what comes next */
    uint8_t header;    /* then: of the next chunk */
};

static inline struct prom_chunker prom_chunker_of(const int64_t *ts_ms, const double *values,
                                                  const struct histogram *const *histograms,
                                                  size_t count)
{
    return (struct prom_chunker){
        .ts_ms = ts_ms, .values = values, .histograms = histograms, .count = count};
}

static inline bool prom_chunker_done(const struct prom_chunker *c)
{
    return c->pos == c->count;
}

/* Encode the next chunk, appended to `bytes`. Requires samples left. `scratch` is used for layouts
 * of histograms and may be reset between calls. ERR_LIMIT  the scratch's budget; nothing was taken
 */
MUST_USE err prom_chunker_next(struct prom_chunker *c, struct arena *scratch, struct buf *bytes,
                               struct prom_chunk *out);

#endif
