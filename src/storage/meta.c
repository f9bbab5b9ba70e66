/* meta.c -- see meta.h. Written by hand in a fixed order, read through jansson. */
#include "storage/meta.h"

#include <jansson.h>
#include <stdio.h>

#include "base/hash.h"
#include "base/mem.h"

static const char SUM_KEY[] = "\"checksum\": \"";
enum {
    SUM_DIGITS = 16,
    SUM_SEED = 0x4154454d, /* "META" */
};

void block_meta_fini(struct block_meta *m)
{
    mem_free(m->sources);
    mem_free(m->parents);
    *m = (struct block_meta){0};
}

static void *copy_of(const void *from, size_t count, size_t size)
{
    if (count == 0)
        return NULL;
    void *to = mem_resize(NULL, count, size);
    memcpy(to, from, count * size);
    return to;
}

void block_meta_copy(const struct block_meta *m, struct block_meta *out)
{
    *out = *m;
    out->sources = copy_of(m->sources, m->source_count, sizeof(*m->sources));
    out->parents = copy_of(m->parents, m->parent_count, sizeof(*m->parents));
}

/* ---- Encoding ---- */

static void put_i64(struct buf *out, const char *indent, const char *key, int64_t v,
                    const char *end)
{
    buf_printf(out, "%s\"%s\": %lld%s\n", indent, key, (long long)v, end);
}

static void put_hex(struct buf *out, const char *indent, const char *key, uint64_t v,
                    const char *end)
{
    buf_printf(out, "%s\"%s\": \"%016llx\"%s\n", indent, key, (unsigned long long)v, end);
}

static void put_compaction(const struct block_meta *m, struct buf *out)
{
    char text[ULID_TEXT_SIZE];
    buf_printf(out, "  \"compaction\": {\n    \"level\": %u,\n    \"sources\": [", m->level);
    for (size_t i = 0; i < m->source_count; i++) {
        ulid_format(m->sources[i], text);
        buf_printf(out, "%s\"%s\"", i > 0 ? ", " : "", text);
    }
    buf_put_str(out, STR("],\n    \"parents\": ["));
    for (size_t i = 0; i < m->parent_count; i++) {
        ulid_format(m->parents[i].ulid, text);
        buf_printf(out, "%s{\"ulid\": \"%s\", \"minTime\": %lld, \"maxTime\": %lld}",
                   i > 0 ? ", " : "", text, (long long)m->parents[i].min_ms,
                   (long long)m->parents[i].max_ms);
    }
    buf_put_str(out, STR("]\n  },\n"));
}

static void put_own(const struct block_meta *m, struct buf *out)
{
    buf_put_str(out, STR("  \"varve\": {\n"));
    put_i64(out, "    ", "format", META_FORMAT, ",");
    put_i64(out, "    ", "resolution_ms", m->resolution_ms, ",");
    put_hex(out, "    ", "label_seed", m->label_seed, ",");
    put_i64(out, "    ", "columns", (int64_t)m->columns, ",");
    put_i64(out, "    ", "symbols", (int64_t)m->symbols, ",");
    put_i64(out, "    ", "index_size", (int64_t)m->index_size, ",");
    put_i64(out, "    ", "chunks_size", (int64_t)m->chunks_size, ",");
    put_i64(out, "    ", "sums_size", (int64_t)m->sums_size, ",");
    put_hex(out, "    ", "sums_hash", m->sums_hash, ",");
    put_hex(out, "    ", "checksum", 0, "");
    buf_put_str(out, STR("  }\n}\n"));
}

/* Offset of the checksum's first digit in a text that has its key exactly once; 0: not found. */
static size_t find_sum(slice text)
{
    const uint8_t *end = text.ptr + text.len;
    const uint8_t *p = memmem(text.ptr, text.len, SUM_KEY, sizeof(SUM_KEY) - 1);
    if (p == NULL)
        return 0;
    p += sizeof(SUM_KEY) - 1;
    if (end - p < SUM_DIGITS || memmem(p, (size_t)(end - p), SUM_KEY, sizeof(SUM_KEY) - 1) != NULL)
        return 0;
    return (size_t)(p - text.ptr);
}

/* The checksum as text: of the bytes with its own digits as zeros. */
static void sum_text(slice text, size_t at, char out[SUM_DIGITS + 1])
{
    uint64_t parts[2] = {
        hash64((slice){text.ptr, at}, SUM_SEED),
        hash64((slice){text.ptr + at + SUM_DIGITS, text.len - at - SUM_DIGITS}, SUM_SEED + 1)};
    uint64_t sum = hash64((slice){(const uint8_t *)parts, sizeof(parts)}, text.len);
    (void)snprintf(out, SUM_DIGITS + 1, "%016llx", (unsigned long long)sum);
}

void block_meta_seal(uint8_t *text, size_t size)
{
    size_t at = find_sum((slice){text, size});
    char sum[SUM_DIGITS + 1];
    if (at == 0)
        return;
    sum_text((slice){text, size}, at, sum);
    memcpy(text + at, sum, SUM_DIGITS);
}

void block_meta_encode(const struct block_meta *m, struct buf *out)
{
    char text[ULID_TEXT_SIZE];
    size_t start = out->len;
    ulid_format(m->ulid, text);
    buf_printf(out, "{\n  \"ulid\": \"%s\",\n", text);
    put_i64(out, "  ", "minTime", m->min_ms, ",");
    put_i64(out, "  ", "maxTime", m->max_ms, ",");
    buf_put_str(out, STR("  \"stats\": {\n"));
    put_i64(out, "    ", "numSamples", (int64_t)m->samples, ",");
    put_i64(out, "    ", "numFloatSamples", (int64_t)m->floats, ",");
    put_i64(out, "    ", "numHistogramSamples", (int64_t)m->histograms, ",");
    put_i64(out, "    ", "numSeries", (int64_t)m->series, ",");
    put_i64(out, "    ", "numChunks", (int64_t)m->chunks, "");
    buf_put_str(out, STR("  },\n"));
    put_compaction(m, out);
    put_i64(out, "  ", "version", 1, ",");
    put_own(m, out);
    block_meta_seal(out->ptr + start, out->len - start);
}

/* ---- Decoding: sticky; `bad` names the first key that is missing or out of range ---- */

struct in {
    const char *bad;
};

static const json_t *get(struct in *in, const json_t *o, const char *key)
{
    const json_t *v = json_object_get(o, key);
    if (v == NULL && in->bad == NULL)
        in->bad = key;
    return v;
}

static int64_t get_i64(struct in *in, const json_t *o, const char *key, int64_t min, int64_t max)
{
    const json_t *v = get(in, o, key);
    int64_t n = json_is_integer(v) ? (int64_t)json_integer_value(v) : 0;
    if ((!json_is_integer(v) || n < min || n > max) && in->bad == NULL)
        in->bad = key;
    return n;
}

static uint64_t get_count(struct in *in, const json_t *o, const char *key)
{
    return (uint64_t)get_i64(in, o, key, 0, INT64_MAX);
}

static str string_of(const json_t *v)
{
    return json_is_string(v) ? (str){json_string_value(v), json_string_length(v)} : STR("");
}

static uint64_t get_hex(struct in *in, const json_t *o, const char *key)
{
    str s = string_of(get(in, o, key));
    uint64_t v = 0;
    bool ok = s.len == SUM_DIGITS;
    for (size_t i = 0; i < s.len && ok; i++) {
        char c = s.ptr[i];
        ok = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
        v = v << 4 | (uint64_t)(c <= '9' ? c - '0' : c - 'a' + 10);
    }
    if (!ok && in->bad == NULL)
        in->bad = key;
    return v;
}

static ulid ulid_of(struct in *in, const json_t *v, const char *key)
{
    ulid u = {{0}};
    if (ulid_parse(string_of(v), &u) != OK && in->bad == NULL)
        in->bad = key;
    return u;
}

static size_t get_array(struct in *in, const json_t *o, const char *key, const json_t **out)
{
    *out = get(in, o, key);
    size_t n = json_array_size(*out);
    if ((!json_is_array(*out) || n > META_ULIDS_MAX) && in->bad == NULL)
        in->bad = key;
    return in->bad == NULL ? n : 0;
}

static void get_compaction(struct in *in, const json_t *o, struct block_meta *m)
{
    const json_t *a;
    m->level = (uint32_t)get_i64(in, o, "level", 1, META_LEVEL_MAX);
    m->source_count = get_array(in, o, "sources", &a);
    if (m->source_count == 0 && in->bad == NULL)
        in->bad = "sources";
    m->sources = mem_zalloc(m->source_count, sizeof(*m->sources));
    for (size_t i = 0; i < m->source_count; i++) {
        m->sources[i] = ulid_of(in, json_array_get(a, i), "sources");
        if (i > 0 && ulid_cmp(m->sources[i - 1], m->sources[i]) >= 0 && in->bad == NULL)
            in->bad = "sources";
    }
    m->parent_count = get_array(in, o, "parents", &a);
    m->parents = mem_zalloc(m->parent_count, sizeof(*m->parents));
    for (size_t i = 0; i < m->parent_count; i++) {
        const json_t *p = json_array_get(a, i);
        m->parents[i].ulid = ulid_of(in, get(in, p, "ulid"), "parents");
        m->parents[i].min_ms = get_i64(in, p, "minTime", INT64_MIN, INT64_MAX);
        m->parents[i].max_ms = get_i64(in, p, "maxTime", INT64_MIN, INT64_MAX);
    }
}

static void get_own(struct in *in, const json_t *o, struct block_meta *m)
{
    m->resolution_ms = get_i64(in, o, "resolution_ms", 0, INT64_MAX);
    m->label_seed = get_hex(in, o, "label_seed");
    m->columns = get_count(in, o, "columns");
    m->symbols = get_count(in, o, "symbols");
    m->index_size = get_count(in, o, "index_size");
    m->chunks_size = get_count(in, o, "chunks_size");
    m->sums_size = get_count(in, o, "sums_size");
    m->sums_hash = get_hex(in, o, "sums_hash");
}

static err decode_root(const json_t *root, struct block_meta *m, struct diag *d)
{
    struct in in = {NULL};
    const json_t *own = json_object_get(root, "varve");
    int64_t format = json_integer_value(json_object_get(own, "format"));
    if (format > META_FORMAT)
        return diag_set(d, ERR_UNSUPPORTED, "block format %lld is newer than this program's %d",
                        (long long)format, META_FORMAT);
    if (format != META_FORMAT)
        return diag_set(d, ERR_CORRUPT, "not a block of this program: no \"format\"");
    m->ulid = ulid_of(&in, get(&in, root, "ulid"), "ulid");
    m->min_ms = get_i64(&in, root, "minTime", INT64_MIN, INT64_MAX);
    m->max_ms = get_i64(&in, root, "maxTime", INT64_MIN, INT64_MAX);
    if (m->min_ms > m->max_ms && in.bad == NULL)
        in.bad = "maxTime";
    const json_t *stats = get(&in, root, "stats");
    m->samples = get_count(&in, stats, "numSamples");
    m->floats = get_count(&in, stats, "numFloatSamples");
    m->histograms = get_count(&in, stats, "numHistogramSamples");
    m->series = (uint64_t)get_i64(&in, stats, "numSeries", 0, UINT32_MAX);
    m->chunks = get_count(&in, stats, "numChunks");
    get_compaction(&in, get(&in, root, "compaction"), m);
    get_own(&in, own, m);
    return in.bad == NULL ? OK : diag_set(d, ERR_CORRUPT, "\"%s\" is missing or bad", in.bad);
}

static err check_sum(slice text, struct diag *d)
{
    size_t at = text.len > 0 && text.len <= META_SIZE_MAX ? find_sum(text) : 0;
    char sum[SUM_DIGITS + 1];
    if (at == 0)
        return diag_set(d, ERR_CORRUPT, "no checksum in %zu bytes", text.len);
    sum_text(text, at, sum);
    if (memcmp(text.ptr + at, sum, SUM_DIGITS) != 0)
        return diag_set(d, ERR_CORRUPT, "checksum mismatch");
    return OK;
}

err block_meta_decode(slice text, struct block_meta *out, struct diag *d)
{
    TRY(check_sum(text, d));
    json_error_t why;
    json_t *root = json_loadb((const char *)text.ptr, text.len, JSON_REJECT_DUPLICATES, &why);
    if (root == NULL)
        return diag_set(d, ERR_CORRUPT, "line %d: %s", why.line, why.text);
    struct block_meta m = {0};
    err e = decode_root(root, &m, d);
    json_decref(root);
    if (e != OK)
        block_meta_fini(&m);
    else
        *out = m;
    return e;
}
