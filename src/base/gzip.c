/* gzip.c -- see gzip.h. */
#include "base/gzip.h"

#include <limits.h>
#include <zlib.h>

#include "base/assert.h"
#include "base/mem.h"

enum {
    LEVEL = 1, /* answers are read once: a third of the time for a tenth more bytes */
    WINDOW_BITS = 15,
    WINDOW_GZIP = 16,       /* added to WINDOW_BITS: gzip wrapper */
    WINDOW_ANY = 32,        /* added to WINDOW_BITS: either wrapper, found by its first bytes */
    MEM_LEVEL = 8,          /* zlib's default */
    PIECE_BYTES = 64 << 10, /* room made for output at a time */
    SMALL_BYTES = 4 << 10,  /* a text this short needs no larger window: less to set up */
    SMALL_WINDOW_BITS = 12,
    SMALL_MEM_LEVEL = 4,
};

struct gzip_stream {
    z_stream z;
    bool finished;
};

static void *zalloc(void *opaque, unsigned count, unsigned size)
{
    (void)opaque;
    return mem_zalloc(count, size);
}

static void zfree(void *opaque, void *p)
{
    (void)opaque;
    mem_free(p);
}

/* zlib counts input in 32 bits: hand it the next part of `in`. */
static void feed(z_stream *z, slice *in)
{
    size_t n = MIN(in->len, (size_t)UINT_MAX);
    /* the field is not const, but input is only read */
    z->next_in = (z_const Bytef *)(uintptr_t)in->ptr;
    z->avail_in = (unsigned)n;
    *in = (slice){n > 0 ? in->ptr + n : in->ptr, in->len - n};
}

static struct gzip_stream *open_stream(enum gzip_format format, int window, int mem_level)
{
    struct gzip_stream *s = mem_zalloc(1, sizeof(*s));
    s->z.zalloc = zalloc;
    s->z.zfree = zfree;
    window += format == GZIP_GZIP ? WINDOW_GZIP : 0;
    int rc = deflateInit2(&s->z, LEVEL, Z_DEFLATED, window, mem_level, Z_DEFAULT_STRATEGY);
    ASSERT(rc == Z_OK);
    return s;
}

struct gzip_stream *gzip_stream_open_format(enum gzip_format format)
{
    return open_stream(format, WINDOW_BITS, MEM_LEVEL);
}

struct gzip_stream *gzip_stream_open(void)
{
    return gzip_stream_open_format(GZIP_GZIP);
}

void gzip_stream_put(struct gzip_stream *s, slice in, bool last, struct buf *out)
{
    ASSERT(!s->finished);
    do {
        feed(&s->z, &in);
        int flush = last && in.len == 0 ? Z_FINISH : Z_NO_FLUSH;
        do {
            s->z.next_out = buf_reserve(out, PIECE_BYTES);
            s->z.avail_out = PIECE_BYTES;
            int rc = deflate(&s->z, flush);
            ASSERT(rc != Z_STREAM_ERROR);
            out->len += PIECE_BYTES - s->z.avail_out;
        } while (s->z.avail_out == 0);
        ASSERT(s->z.avail_in == 0);
    } while (in.len > 0);
    s->finished = last;
}

void gzip_stream_close(struct gzip_stream *s)
{
    if (s == NULL)
        return;
    (void)deflateEnd(&s->z); /* "data error" only says that the stream was not finished */
    mem_free(s);
}

void gzip_encode(slice in, enum gzip_format format, struct buf *out)
{
    bool small = in.len <= SMALL_BYTES;
    struct gzip_stream *s = open_stream(format, small ? SMALL_WINDOW_BITS : WINDOW_BITS,
                                        small ? SMALL_MEM_LEVEL : MEM_LEVEL);
    gzip_stream_put(s, in, true, out);
    gzip_stream_close(s);
}

/* Has `start` + `out_max` bytes been passed? One byte more than allowed is decoded to find out. */
static bool over(const struct buf *out, size_t start, size_t out_max)
{
    return out->len - start > out_max;
}

/* Decompress up to the end of one member. */
static err decode_member(z_stream *z, slice *in, size_t start, size_t out_max, struct buf *out)
{
    int rc = Z_OK;
    while (rc != Z_STREAM_END) {
        if (z->avail_in == 0)
            feed(z, in);
        size_t room = MIN(out_max - (out->len - start), (size_t)PIECE_BYTES - 1) + 1;
        z->next_out = buf_reserve(out, room);
        z->avail_out = (unsigned)room;
        rc = inflate(z, Z_NO_FLUSH);
        out->len += room - z->avail_out;
        if (over(out, start, out_max))
            return ERR_LIMIT;
        if (rc != Z_OK && rc != Z_STREAM_END)
            return ERR_INVALID; /* Z_BUF_ERROR: the input ended too early */
    }
    return OK;
}

static err decode(z_stream *z, slice in, size_t start, size_t out_max, struct buf *out)
{
    slice whole = in;
    for (;;) {
        TRY(decode_member(z, &in, start, out_max, out));
        if (z->avail_in == 0 && in.len == 0)
            return OK;
        /* Only gzip files have members; behind a zlib stream nothing may stand. */
        if (whole.ptr[0] != 0x1f || inflateReset2(z, WINDOW_BITS + WINDOW_GZIP) != Z_OK)
            return ERR_INVALID;
    }
}

err gzip_decode(slice in, size_t out_max, struct buf *out)
{
    z_stream z = {.zalloc = zalloc, .zfree = zfree};
    size_t start = out->len;
    if (inflateInit2(&z, WINDOW_BITS + WINDOW_ANY) != Z_OK)
        return ERR_INVALID;
    err e = decode(&z, in, start, out_max, out);
    (void)inflateEnd(&z);
    if (e != OK)
        out->len = start;
    return e;
}
