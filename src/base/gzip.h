/* gzip.h -- gzip and zlib ("deflate" of HTTP) compression over zlib. Memory of a stream: 256 KiB.
 */
#ifndef BASE_GZIP_H
#define BASE_GZIP_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"

enum gzip_format {
    GZIP_GZIP, /* RFC 1952, "gzip" */
    GZIP_ZLIB, /* RFC 1950, what HTTP calls "deflate" */
};

/* A stream that compresses piece by piece. Threads: one at a time. */
struct gzip_stream;

/* Start a stream; gzip_stream_open() is in gzip format. */
struct gzip_stream *gzip_stream_open(void);
struct gzip_stream *gzip_stream_open_format(enum gzip_format format);

/* Compress `in` and append what is ready to `out` (possibly nothing). With `last` the stream is
 * finished and only gzip_stream_close() may follow. */
void gzip_stream_put(struct gzip_stream *s, slice in, bool last, struct buf *out);

/* Free the stream; NULL is allowed. */
void gzip_stream_close(struct gzip_stream *s);

/* Compress `in` at once and append it to `out`. */
void gzip_encode(slice in, enum gzip_format format, struct buf *out);

/* Append what `in`, in either format, decompresses to. Several gzip members in a row are one text.
 * Memory grows with what comes out, never with what a header promises. On errors `out` is as it
 * was. ERR_INVALID  malformed, cut short, a wrong checksum or something behind the end ERR_LIMIT
 * more than `out_max` bytes would come out */
MUST_USE err gzip_decode(slice in, size_t out_max, struct buf *out);

/* As gzip_decode(), faster for what it is given again and again. A decoder serves one thread at a
 * time. */
struct gzip_decoder;
struct gzip_decoder *gzip_decoder_open(void);
void gzip_decoder_close(struct gzip_decoder *g); /* NULL is allowed */
MUST_USE err gzip_decode_whole(struct gzip_decoder *g, slice in, size_t out_max, struct buf *out);

#endif
