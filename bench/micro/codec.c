/* codec.c -- bytes per sample and nanoseconds per sample of the column codecs.
 *
 *   bench_codec [recording...]    uncompressed recordings: u32 series; then per series u32 name
 *                                 bytes, u32 samples, name, i64 timestamps (ms), f64 values
 *
 * One line per data set and chunk length. Times are thread CPU time, best of several runs. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/buf.h"
#include "base/mem.h"
#include "storage/codec_time.h"
#include "storage/codec_value.h"
#include "storage/codec_value_priv.h"
#include "storage/codec_xor.h"
#include "support/codec_classes.h"

enum { RUNS = 9, CLASS_SERIES = 60, CLASS_SAMPLES = 5760, SHORTEST = 30 };

struct series {
    uint32_t n;
    double *v;
    int64_t *t;
};

struct set {
    uint32_t count;
    struct series *series;
};

struct chunk {
    size_t offset, len;
    const struct series *s;
    uint32_t from, n;
};

static double now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void read_exactly(FILE *f, void *p, size_t n)
{
    if (fread(p, 1, n, f) != n) {
        fprintf(stderr, "recording cut short\n");
        exit(1);
    }
}

static struct set load(const char *path)
{
    FILE *f = fopen(path, "rb");
    uint32_t count;
    if (f == NULL) {
        perror(path);
        exit(1);
    }
    read_exactly(f, &count, 4);
    struct set set = {count, mem_zalloc(count, sizeof(struct series))};
    for (uint32_t i = 0; i < count; i++) {
        uint32_t head[2];
        char name[65536];
        read_exactly(f, head, 8);
        read_exactly(f, name, head[0]);
        struct series *s = &set.series[i];
        *s = (struct series){head[1], mem_zalloc(head[1] + 1, 8), mem_zalloc(head[1] + 1, 8)};
        read_exactly(f, s->t, head[1] * 8);
        read_exactly(f, s->v, head[1] * 8);
    }
    fclose(f);
    return set;
}

static struct set synthesize(enum codec_class kind)
{
    struct set set = {CLASS_SERIES, mem_zalloc(CLASS_SERIES, sizeof(struct series))};
    for (uint32_t i = 0; i < CLASS_SERIES; i++) {
        struct series *s = &set.series[i];
        *s = (struct series){CLASS_SAMPLES, mem_zalloc(CLASS_SAMPLES, 8),
                             mem_zalloc(CLASS_SAMPLES, 8)};
        class_fill(kind, i, s->v, s->n);
        for (uint32_t k = 0; k < s->n; k++)
            s->t[k] = 1795400000123 + 15000ll * k;
    }
    return set;
}

/* Every `stride`-th sample. */
static struct set thinned(struct set from, uint32_t stride)
{
    struct set set = {from.count, mem_zalloc(from.count, sizeof(struct series))};
    for (uint32_t i = 0; i < from.count; i++) {
        const struct series *a = &from.series[i];
        struct series *s = &set.series[i];
        *s = (struct series){0, mem_zalloc(a->n + 1, 8), mem_zalloc(a->n + 1, 8)};
        for (uint32_t k = 0; k < a->n; k += stride, s->n++) {
            s->t[s->n] = a->t[k];
            s->v[s->n] = a->v[k];
        }
    }
    return set;
}

static struct chunk *split(struct set set, uint32_t length, size_t *count)
{
    struct chunk *chunks = mem_zalloc(set.count * (CLASS_SAMPLES / length + 100), sizeof(*chunks));
    *count = 0;
    for (uint32_t i = 0; i < set.count; i++)
        for (uint32_t from = 0; from < set.series[i].n; from += length) {
            uint32_t n = MIN(length, set.series[i].n - from);
            if (n >= SHORTEST)
                chunks[(*count)++] = (struct chunk){0, 0, &set.series[i], from, n};
        }
    return chunks;
}

struct result {
    double bytes, encode_ns, decode_ns, portable_ns;
};

static void less(double *a, double b)
{
    *a = *a == 0 || b < *a ? b : *a;
}

enum field { VALUES, TIMES };

static double encode_all(enum field field, struct chunk *chunks, size_t count,
                         struct codec_scratch *scratch, struct buf *out)
{
    double start = now_ns();
    buf_reset(out);
    for (size_t i = 0; i < count; i++) {
        struct chunk *c = &chunks[i];
        c->offset = out->len;
        if (field == VALUES)
            value_encode(c->s->v + c->from, c->n, scratch, out);
        else
            time_encode(c->s->t + c->from, c->n, scratch, out);
        c->len = out->len - c->offset;
    }
    return now_ns() - start;
}

static double decode_all(enum field field, const struct chunk *chunks, size_t count,
                         const struct buf *in, bool portable)
{
    static double out[CODEC_SAMPLES_MAX + CODEC_PAD];
    static int64_t times[CODEC_SAMPLES_MAX + CODEC_PAD];
    double start = now_ns();
    for (size_t i = 0; i < count; i++) {
        const struct chunk *c = &chunks[i];
        slice bytes = {in->ptr + c->offset, c->len};
        struct reader r = reader_of(bytes);
        err e = field == TIMES ? time_decode(bytes, c->n, times)
                : portable     ? value_read_portable(&r, c->n, out)
                               : value_decode(bytes, c->n, out);
        if (e != OK)
            abort();
    }
    return now_ns() - start;
}

static void verify(enum field field, const struct chunk *chunks, size_t count, const struct buf *in)
{
    static double out[CODEC_SAMPLES_MAX + CODEC_PAD];
    static int64_t times[CODEC_SAMPLES_MAX + CODEC_PAD];
    for (size_t i = 0; i < count; i++) {
        const struct chunk *c = &chunks[i];
        slice bytes = {in->ptr + c->offset, c->len};
        if (field == VALUES
                ? value_decode(bytes, c->n, out) != OK || memcmp(out, c->s->v + c->from, c->n * 8)
                : time_decode(bytes, c->n, times) != OK ||
                      memcmp(times, c->s->t + c->from, c->n * 8)) {
            fprintf(stderr, "not exact\n");
            exit(1);
        }
    }
}

static struct result measure(enum field field, struct set set, uint32_t length)
{
    struct codec_scratch *scratch = codec_scratch_new();
    struct buf out = {0};
    struct result r = {0};
    size_t count, samples = 0;
    struct chunk *chunks = split(set, length, &count);
    for (size_t i = 0; i < count; i++)
        samples += chunks[i].n;
    for (int run = 0; run < RUNS; run++) {
        less(&r.encode_ns, encode_all(field, chunks, count, scratch, &out) / (double)samples);
        (void)buf_reserve(&out, CODEC_PAD_BYTES);
        less(&r.decode_ns, decode_all(field, chunks, count, &out, false) / (double)samples);
        if (field == VALUES)
            less(&r.portable_ns, decode_all(field, chunks, count, &out, true) / (double)samples);
    }
    verify(field, chunks, count, &out);
    r.bytes = (double)out.len / (double)samples;
    buf_fini(&out);
    codec_scratch_free(scratch);
    mem_free(chunks);
    return r;
}

/* The open stream of the head: all series are appended to in turn, as a head does, then decoded. */
static void print_xor(const char *name, struct set set, uint32_t length)
{
    static double out[CODEC_SAMPLES_MAX + CODEC_PAD];
    struct result r = {0};
    size_t count, samples = 0, bytes = 0, room = length * 10 + XOR_APPEND_BYTES_MAX;
    struct chunk *chunks = split(set, length, &count);
    struct xor_state *states = mem_zalloc(count, sizeof(*states));
    uint8_t *bufs = mem_zalloc(count, room);
    for (int run = 0; run < RUNS; run++) {
        samples = bytes = 0;
        memset(states, 0, count * sizeof(*states));
        double start = now_ns();
        for (uint32_t k = 0; k < length; k++)
            for (size_t i = 0; i < count; i++)
                if (k < chunks[i].n)
                    xor_append(&states[i], chunks[i].s->v[chunks[i].from + k], bufs + i * room);
        double middle = now_ns();
        for (size_t i = 0; i < count; i++)
            if (xor_decode(&states[i], bufs + i * room, states[i].len_bytes, chunks[i].n, out) !=
                OK)
                abort();
        double end = now_ns();
        for (size_t i = 0; i < count; i++) {
            samples += chunks[i].n;
            bytes += states[i].len_bytes + (states[i].acc_bits + 7) / 8;
        }
        less(&r.encode_ns, (middle - start) / (double)samples);
        less(&r.decode_ns, (end - middle) / (double)samples);
    }
    printf("%-34s %5u  %7.4f %8.2f %8.3f\n", name, length, (double)bytes / (double)samples,
           r.encode_ns, r.decode_ns);
    mem_free(states);
    mem_free(bufs);
    mem_free(chunks);
}

static void print_set(const char *name, struct set set, const uint32_t lengths[2])
{
    for (int k = 0; k < 2; k++) {
        struct result r = measure(VALUES, set, lengths[k]);
        printf("%-34s %5u  %7.4f %8.2f %8.3f %8.3f\n", name, lengths[k], r.bytes, r.encode_ns,
               r.decode_ns, r.portable_ns);
    }
}

static void print_times(const char *name, struct set set, const uint32_t lengths[2])
{
    for (int k = 0; k < 2; k++) {
        struct result r = measure(TIMES, set, lengths[k]);
        printf("%-34s %5u  %7.4f %8.2f %8.3f\n", name, lengths[k], r.bytes, r.encode_ns,
               r.decode_ns);
    }
}

int main(int argc, char **argv)
{
    static const uint32_t lengths[2] = {120, 480};
    printf("%-34s %5s  %7s %8s %8s %8s\n", "values", "chunk", "B/smp", "enc ns", "dec ns",
           "portable");
    for (int c = 0; c < CLASS_COUNT; c++)
        print_set(class_names[c], synthesize((enum codec_class)c), lengths);
    for (int i = 1; i < argc; i++) {
        struct set set = load(argv[i]), third = thinned(set, 3);
        print_set(argv[i], set, lengths);
        print_set("every third sample", third, lengths);
        printf("open XOR stream\n");
        print_xor(argv[i], set, 120);
        print_xor("every third sample", third, 120);
        printf("times\n");
        print_times(argv[i], set, lengths);
        print_times("every third sample", third, lengths);
    }
    printf("open XOR stream\n");
    for (int c = 0; c < CLASS_COUNT; c++)
        print_xor(class_names[c], synthesize((enum codec_class)c), 120);
    return 0;
}
