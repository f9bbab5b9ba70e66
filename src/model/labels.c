/* labels.c -- see labels.h. */
#include "model/labels.h"

#include <stdlib.h>

#include "base/bytes.h"
#include "base/compiler.h"
#include "base/utf8.h"

enum {
    HASH_STACK_BYTES = 2048, /* encodings up to this size are hashed without the heap */
    SHOWN_LABELS_MAX = 8,    /* of a set in a message that is cut anyway (DIAG_TEXT_SIZE) */
};

const struct labels_limits LABELS_LIMITS_DEFAULT = {
    .count_max = 64, .name_size_max = 512, .value_size_max = 16384};

str labels_get(struct labels ls, str name)
{
    for (size_t i = 0; i < ls.count; i++)
        if (str_eq(ls.items[i].name, name))
            return ls.items[i].value;
    return (str){NULL, 0};
}

static int by_name(const void *a, const void *b)
{
    return str_cmp(((const struct label *)a)->name, ((const struct label *)b)->name);
}

size_t labels_sort(struct label *items, size_t count)
{
    size_t kept = 0;
    bool sorted = true;
    for (size_t i = 0; i < count; i++) {
        if (items[i].value.len == 0)
            continue;
        items[kept] = items[i];
        sorted = sorted && (kept == 0 || by_name(&items[kept - 1], &items[kept]) <= 0);
        kept++;
    }
    if (!sorted)
        qsort(items, kept, sizeof(*items), by_name);
    return kept;
}

/* Report with the set as Prometheus prints it. */
static err fail_set(struct diag *d, err e, const char *before, struct labels ls, const char *after,
                    str name)
{
    struct buf text = {0};
    labels_format(ls, &text);
    (void)diag_set(d, e, "%s" STR_FMT "%s" STR_FMT, before, STR_ARG(buf_str(&text)), after,
                   STR_ARG(name));
    buf_fini(&text);
    return e;
}

/* Too long names and values are not repeated in full: their start says which they are. */
static err fail_size(struct diag *d, const char *what, str name, size_t size, size_t size_max)
{
    enum { NAME_SHOWN_MAX = 64 };
    struct buf text = {0};
    str shown = {name.ptr, MIN(name.len, (size_t)NAME_SHOWN_MAX)};
    utf8_quote(&text, shown);
    (void)diag_set(d, ERR_LIMIT,
                   "label %s of " STR_FMT "%s is %zu bytes long; at most %zu are allowed", what,
                   STR_ARG(buf_str(&text)), shown.len < name.len ? "..." : "", size, size_max);
    buf_fini(&text);
    return ERR_LIMIT;
}

static err check_limits(struct labels ls, const struct labels_limits *limits, struct diag *d)
{
    if (ls.count > limits->count_max) {
        struct labels start = {ls.items, MIN(ls.count, (size_t)SHOWN_LABELS_MAX)};
        struct buf text = {0};
        labels_format(start, &text);
        (void)diag_set(
            d, ERR_LIMIT, "series has %zu labels; at most %zu are allowed: " STR_FMT "%s", ls.count,
            limits->count_max, STR_ARG(buf_str(&text)), start.count < ls.count ? "..." : "");
        buf_fini(&text);
        return ERR_LIMIT;
    }
    for (size_t i = 0; i < ls.count; i++) {
        const struct label *l = &ls.items[i];
        if (l->name.len > limits->name_size_max)
            return fail_size(d, "name", l->name, l->name.len, limits->name_size_max);
        if (l->value.len > limits->value_size_max)
            return fail_size(d, "value", l->name, l->value.len, limits->value_size_max);
    }
    return OK;
}

static bool is_valid_series(struct labels ls)
{
    for (size_t i = 0; i < ls.count; i++) {
        const struct label *l = &ls.items[i];
        if (l->name.len == 0 || !utf8_valid(l->name) || !utf8_valid(l->value))
            return false;
    }
    return labels_get(ls, LABEL_NAME).len > 0;
}

err labels_check(struct labels ls, const struct labels_limits *limits, struct diag *d)
{
    TRY(check_limits(ls, limits, d));
    if (!is_valid_series(ls))
        return fail_set(d, ERR_INVALID, "invalid metric name or labels, got ", ls, "", STR(""));
    for (size_t i = 1; i < ls.count; i++)
        if (str_eq(ls.items[i - 1].name, ls.items[i].name))
            return fail_set(d, ERR_INVALID, "invalid labels for series, labels ", ls,
                            ", duplicated label ", ls.items[i].name);
    return OK;
}

int labels_cmp(struct labels a, struct labels b)
{
    size_t n = MIN(a.count, b.count);
    for (size_t i = 0; i < n; i++) {
        int c = str_cmp(a.items[i].name, b.items[i].name);
        if (c == 0)
            c = str_cmp(a.items[i].value, b.items[i].value);
        if (c != 0)
            return c;
    }
    return (a.count > b.count) - (a.count < b.count);
}

bool labels_eq(struct labels a, struct labels b)
{
    if (a.count != b.count)
        return false;
    for (size_t i = 0; i < a.count; i++)
        if (!str_eq(a.items[i].name, b.items[i].name) ||
            !str_eq(a.items[i].value, b.items[i].value))
            return false;
    return true;
}

void labels_encode(struct labels ls, struct buf *out)
{
    for (size_t i = 0; i < ls.count; i++) {
        buf_put_string(out, ls.items[i].name);
        buf_put_string(out, ls.items[i].value);
    }
}

/* Pairs in well-formed bytes; 0 with r->overrun set when they are not. */
static size_t count_pairs(struct reader r, bool *malformed)
{
    size_t count = 0;
    while (reader_left(&r) > 0 && !r.overrun) {
        (void)read_string(&r);
        (void)read_string(&r);
        count++;
    }
    *malformed = r.overrun;
    return count;
}

err labels_decode(slice bytes, struct arena *a, struct labels *out)
{
    struct reader r = reader_of(bytes);
    bool malformed;
    size_t count = count_pairs(r, &malformed);
    if (malformed)
        return ERR_CORRUPT;
    struct label *items = ARENA_ARRAY(a, struct label, count);
    if (items == NULL)
        return ERR_LIMIT;
    for (size_t i = 0; i < count; i++) {
        items[i].name = slice_text(read_string(&r));
        items[i].value = slice_text(read_string(&r));
        if (items[i].value.len == 0 || (i > 0 && by_name(&items[i - 1], &items[i]) >= 0))
            return ERR_CORRUPT;
    }
    *out = (struct labels){items, count};
    return OK;
}

static size_t encoded_size(struct labels ls)
{
    size_t size = 0;
    for (size_t i = 0; i < ls.count; i++) {
        const struct label *l = &ls.items[i];
        size += varint_size(l->name.len) + l->name.len + varint_size(l->value.len) + l->value.len;
    }
    return size;
}

static uint8_t *put_string(uint8_t *p, str s)
{
    p = varint_put(p, s.len);
    if (s.len > 0)
        memcpy(p, s.ptr, s.len);
    return p + s.len;
}

hash128 labels_hash(struct labels ls, uint64_t seed)
{
    size_t size = encoded_size(ls);
    if (size > HASH_STACK_BYTES) {
        struct buf b = {0};
        labels_encode(ls, &b);
        hash128 h = hash128_of(buf_slice(&b), seed);
        buf_fini(&b);
        return h;
    }
    uint8_t bytes[HASH_STACK_BYTES], *p = bytes;
    for (size_t i = 0; i < ls.count; i++)
        p = put_string(put_string(p, ls.items[i].name), ls.items[i].value);
    return hash128_of((slice){bytes, size}, seed);
}

err labels_copy(struct labels ls, struct arena *a, struct labels *out)
{
    struct label *items = ARENA_ARRAY(a, struct label, ls.count);
    if (items == NULL)
        return ERR_LIMIT;
    for (size_t i = 0; i < ls.count; i++) {
        items[i].name = arena_str(a, ls.items[i].name);
        items[i].value = arena_str(a, ls.items[i].value);
        if (items[i].name.ptr == NULL || items[i].value.ptr == NULL)
            return ERR_LIMIT;
    }
    *out = (struct labels){items, ls.count};
    return OK;
}

err labels_merge(struct labels a, struct labels b, struct arena *arena, struct labels *out)
{
    struct label *items = ARENA_ARRAY(arena, struct label, a.count + b.count);
    size_t n = 0, i = 0, k = 0;
    if (items == NULL)
        return ERR_LIMIT;
    while (i < a.count || k < b.count) {
        int c = i == a.count ? 1 : k == b.count ? -1 : str_cmp(a.items[i].name, b.items[k].name);
        items[n++] = c <= 0 ? a.items[i] : b.items[k];
        i += c <= 0;
        k += c >= 0;
    }
    *out = (struct labels){items, n};
    return OK;
}

static void put_pair(struct buf *out, const struct label *l)
{
    if (label_name_is_legacy(l->name))
        buf_put_str(out, l->name);
    else
        utf8_quote(out, l->name);
    buf_put_u8(out, '=');
    utf8_quote(out, l->value);
}

void labels_format(struct labels ls, struct buf *out)
{
    buf_put_u8(out, '{');
    for (size_t i = 0; i < ls.count; i++) {
        if (i > 0)
            buf_put_str(out, STR(", "));
        put_pair(out, &ls.items[i]);
    }
    buf_put_u8(out, '}');
}

void labels_format_metric(struct labels ls, struct buf *out)
{
    str name = labels_get(ls, LABEL_NAME);
    bool in_front = metric_name_is_legacy(name);
    if (in_front)
        buf_put_str(out, name);
    if (in_front && ls.count == 1)
        return;
    buf_put_u8(out, '{');
    bool first = true;
    if (name.len > 0 && !in_front) {
        utf8_quote(out, name);
        first = false;
    }
    for (size_t i = 0; i < ls.count; i++) {
        if (str_eq(ls.items[i].name, LABEL_NAME))
            continue;
        if (!first)
            buf_put_str(out, STR(", "));
        put_pair(out, &ls.items[i]);
        first = false;
    }
    buf_put_u8(out, '}');
}

static bool is_legacy(str name, bool colons)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        bool digit = c >= '0' && c <= '9' && i > 0;
        if (!letter && !digit && !(colons && c == ':'))
            return false;
    }
    return name.len > 0;
}

bool label_name_is_legacy(str name)
{
    return is_legacy(name, false);
}

bool metric_name_is_legacy(str name)
{
    return is_legacy(name, true);
}
