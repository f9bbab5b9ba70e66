/* series_notation_histogram.c -- {{...}}: histograms from text, and back. */
#include <inttypes.h>

#include "base/number.h"
#include "query/series_notation_priv.h"

enum { BUCKETS_FIRST = 16 };

struct bucket_list {
    double *items;
    uint32_t count;
};

/* What the keys said; which of them did. */
struct description {
    int64_t schema, offset, n_offset;
    double sum, count, z_bucket, z_bucket_w;
    struct bucket_list custom_values, buckets, n_buckets;
    uint8_t hint;
    unsigned seen;
};

enum key_kind { KEY_INT, KEY_NUMBER, KEY_UNSIGNED, KEY_LIST, KEY_HINT };

static const struct key {
    const char *name;
    enum key_kind kind;
    size_t offset;
} KEYS[] = {
    {"schema", KEY_INT, offsetof(struct description, schema)},
    {"sum", KEY_NUMBER, offsetof(struct description, sum)},
    {"count", KEY_NUMBER, offsetof(struct description, count)},
    {"z_bucket", KEY_NUMBER, offsetof(struct description, z_bucket)},
    {"z_bucket_w", KEY_UNSIGNED, offsetof(struct description, z_bucket_w)},
    {"custom_values", KEY_LIST, offsetof(struct description, custom_values)},
    {"buckets", KEY_LIST, offsetof(struct description, buckets)},
    {"offset", KEY_INT, offsetof(struct description, offset)},
    {"n_buckets", KEY_LIST, offsetof(struct description, n_buckets)},
    {"n_offset", KEY_INT, offsetof(struct description, n_offset)},
    {"counter_reset_hint", KEY_HINT, offsetof(struct description, hint)},
};

static const char *const HINTS[] = {"unknown", "reset", "not_reset", "gauge"};

/* As upstream says it: before the first whole key, the text is still a series value. */
static err unexpected(struct notation *n)
{
    return n->has_key ? notation_unexpected(n, "histogram description",
                                            "histogram description key, e.g. buckets:[5 10 7]")
                      : notation_unexpected(n, "series values", NULL);
}

/* What a parse of a part came to, with NOTFOUND as the grammar's error. */
static err part(struct notation *n, err e)
{
    return e == ERR_NOTFOUND ? unexpected(n) : e;
}

static err read_int(struct notation *n, int64_t *out)
{
    bool minus = notation_accept(n, NOTE_SUB);
    uint64_t v;
    TRY(part(n, notation_uint(n, &v)));
    if (v > INT32_MAX)
        return parser_fail(&n->p, n->token.start, n->token.end, "%" PRIu64 " is too large", v);
    *out = minus ? -(int64_t)v : (int64_t)v;
    return OK;
}

static err read_list(struct notation *n, struct bucket_list *out)
{
    struct list l = {0};
    double v, *slot;
    if (!notation_accept(n, NOTE_LEFT_BRACKET))
        return unexpected(n);
    do {
        if (l.count > 0 && notation_peek(n) == NOTE_RIGHT_BRACKET)
            break;
        TRY(part(n, notation_number(n, &v)));
        if (l.count == HISTOGRAM_BUCKETS_MAX)
            return diag_set(n->p.diag, ERR_LIMIT, "more than %d buckets in a histogram",
                            HISTOGRAM_BUCKETS_MAX);
        if ((slot = parser_push(&n->p, &l, sizeof(v))) == NULL)
            return parser_no_memory(&n->p);
        *slot = v;
    } while (notation_accept(n, NOTE_SPACE));
    if (!notation_accept(n, NOTE_RIGHT_BRACKET))
        return unexpected(n);
    *out = (struct bucket_list){l.items, (uint32_t)l.count};
    return OK;
}

static err read_hint(struct notation *n, uint8_t *out)
{
    if (notation_peek(n) != NOTE_HINT)
        return unexpected(n);
    str word = notation_text(n, notation_take(n));
    for (uint8_t i = 0; i < COUNT_OF(HINTS); i++)
        if (str_eq(word, str_from(HINTS[i])))
            *out = i;
    return OK;
}

static err read_value(struct notation *n, const struct key *k, struct description *to)
{
    void *place = (char *)to + k->offset;
    switch (k->kind) {
    case KEY_INT:
        return read_int(n, place);
    case KEY_UNSIGNED:
        if (notation_peek(n) == NOTE_SUB)
            return unexpected(n);
        return part(n, notation_number(n, place));
    case KEY_NUMBER:
        return part(n, notation_number(n, place));
    case KEY_LIST:
        return read_list(n, place);
    case KEY_HINT:
        return read_hint(n, place);
    }
    return ERR_INVALID;
}

static err read_key(struct notation *n, struct description *to)
{
    if (notation_peek(n) != NOTE_KEY)
        return unexpected(n);
    str name = notation_text(n, notation_take(n));
    const struct key *k = KEYS;
    while (!str_eq(name, str_from(k->name)))
        k++; /* the scanner takes no others */
    if (!notation_accept(n, NOTE_COLON))
        return unexpected(n);
    TRY(read_value(n, k, to));
    unsigned bit = 1U << (k - KEYS);
    if ((to->seen & bit) != 0)
        return parser_fail(&n->p, 0, 0, "duplicate key \"%s\" in histogram", k->name);
    to->seen |= bit;
    n->has_key = true;
    return OK;
}

static err read_description(struct notation *n, struct description *out)
{
    n->has_key = false;
    if (notation_accept(n, NOTE_SPACE) || notation_peek(n) == NOTE_CLOSE) { /* {{}} and {{ }} */
        if (!notation_accept(n, NOTE_CLOSE))
            return unexpected(n);
        return OK;
    }
    for (;;) {
        TRY(read_key(n, out));
        bool space = notation_accept(n, NOTE_SPACE);
        if (notation_accept(n, NOTE_CLOSE))
            return OK;
        if (!space)
            return unexpected(n);
    }
}

static err set_side(struct notation *n, struct bucket_list buckets, int64_t offset,
                    struct histogram_side *out)
{
    if (buckets.count == 0)
        return OK;
    struct histogram_span *span = ARENA_NEW(n->p.arena, struct histogram_span);
    if (span == NULL)
        return parser_no_memory(&n->p);
    *span = (struct histogram_span){(int32_t)offset, buckets.count};
    *out = (struct histogram_side){span, buckets.items, 1, buckets.count};
    return OK;
}

/* What no arithmetic survives: another schema, bounds that do not ascend, indexes out of range.
 * Counts may be anything, since results are written in this notation too. */
static err check_shape(struct notation *n, const struct histogram *h)
{
    struct histogram shape = *h;
    shape.count = shape.sum = shape.zero_count = 0;
    shape.positive.counts = ARENA_ARRAY(n->p.arena, double, h->positive.bucket_count);
    shape.negative.counts = ARENA_ARRAY(n->p.arena, double, h->negative.bucket_count);
    if (shape.positive.counts == NULL || shape.negative.counts == NULL)
        return parser_no_memory(&n->p);
    return histogram_check(&shape, n->p.diag);
}

err notation_histogram(struct notation *n, struct histogram **out)
{
    struct description desc = {0};
    TRY(read_description(n, &desc));
    struct histogram *h = ARENA_NEW(n->p.arena, struct histogram);
    if (h == NULL)
        return parser_no_memory(&n->p);
    h->schema = (int32_t)desc.schema;
    h->reset_hint = desc.hint;
    h->is_float = true;
    h->sum = desc.sum;
    h->count = desc.count;
    h->zero_count = desc.z_bucket;
    h->zero_threshold = desc.z_bucket_w;
    h->custom_values = desc.custom_values.items;
    h->custom_count = desc.custom_values.count;
    TRY(set_side(n, desc.buckets, desc.offset, &h->positive));
    TRY(set_side(n, desc.n_buckets, desc.n_offset, &h->negative));
    TRY(check_shape(n, h));
    *out = h;
    return OK;
}

/* ---- Back to text ---- */

static void put_number(struct buf *out, const char *key, double v)
{
    char text[NUMBER_SIZE_MAX];
    size_t len = number_format_g(v, text);
    buf_printf(out, "%s%.*s", key, (int)len, text);
}

static void put_field(struct buf *out, const char *key, double v)
{
    if (v != 0)
        put_number(out, key, v);
}

static void put_gap(struct buf *out, int64_t count)
{
    if (count > HISTOGRAM_BUCKETS_MAX) {
        buf_printf(out, "_x%" PRId64 " ", count);
        return;
    }
    for (int64_t i = 0; i < count; i++)
        buf_put_str(out, STR("0 "));
}

/* The counts of a side from the first that is not 0 to the last: two passes over its spans. */
static void put_side(struct buf *out, const char *offset_key, const char *key,
                     const struct histogram_side *s)
{
    int64_t index = 0, begin = 0, next = 0;
    bool begun = false;
    uint32_t bucket = 0;
    for (uint32_t k = 0; k < s->span_count; k++) {
        index += s->spans[k].offset;
        for (uint32_t i = 0; i < s->spans[k].length; i++, index++, bucket++) {
            double count = s->counts[bucket];
            if (count == 0)
                continue;
            if (!begun) {
                begin = index;
                if (begin != 0)
                    buf_printf(out, "%s%" PRId64, offset_key, begin);
                buf_put_str(out, str_from(key));
            } else {
                buf_put_u8(out, ' ');
                put_gap(out, index - next);
            }
            put_number(out, "", count);
            begun = true;
            next = index + 1;
        }
    }
    if (begun)
        buf_put_u8(out, ']');
}

void series_notation_format(const struct histogram *h, struct buf *out)
{
    struct buf fields = {0};
    if (h->schema != 0)
        buf_printf(&fields, " schema:%" PRId32, h->schema);
    put_field(&fields, " count:", h->count);
    put_field(&fields, " sum:", h->sum);
    put_field(&fields, " z_bucket:", h->zero_count);
    put_field(&fields, " z_bucket_w:", h->zero_threshold);
    if (h->schema == HISTOGRAM_SCHEMA_CUSTOM &&
        h->custom_count > 0) { /* an empty list is no list */
        buf_put_str(&fields, STR(" custom_values:["));
        for (uint32_t i = 0; i < h->custom_count; i++)
            put_number(&fields, i > 0 ? " " : "", h->custom_values[i]);
        buf_put_u8(&fields, ']');
    }
    if (h->reset_hint != RESET_UNKNOWN)
        buf_printf(&fields, " counter_reset_hint:%s", HINTS[h->reset_hint & 3]);
    put_side(&fields, " offset:", " buckets:[", &h->positive);
    put_side(&fields, " n_offset:", " n_buckets:[", &h->negative);
    buf_put_str(out, STR("{{"));
    if (fields.len > 0)
        buf_put(out, fields.ptr + 1, fields.len - 1); /* without the first blank */
    buf_put_str(out, STR("}}"));
    buf_fini(&fields);
}
