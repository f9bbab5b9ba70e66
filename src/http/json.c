/* json.c -- see json.h. */
#include "http/json.h"

#include <math.h>

#include "base/number.h"

void json_pairs(struct buf *b, struct pairs pairs)
{
    buf_put_u8(b, '{');
    for (size_t i = 0; i < pairs.count; i++) {
        if (i > 0)
            buf_put_u8(b, ',');
        json_html(b, pairs.items[i].name);
        buf_put_u8(b, ':');
        json_html(b, pairs.items[i].value);
    }
    buf_put_u8(b, '}');
}

static size_t format_time(int64_t ms, char *p)
{
    size_t n = 0;
    uint64_t u = ms < 0 ? -(uint64_t)ms : (uint64_t)ms;
    if (ms < 0)
        p[n++] = '-';
    n += number_format_i64((int64_t)(u / 1000), p + n);
    unsigned rest = (unsigned)(u % 1000);
    if (rest > 0) {
        p[n++] = '.';
        p[n++] = (char)('0' + rest / 100);
        p[n++] = (char)('0' + rest / 10 % 10);
        p[n++] = (char)('0' + rest % 10);
    }
    return n;
}

void json_time(struct buf *b, int64_t ms)
{
    b->len += format_time(ms, (char *)buf_reserve(b, 32));
}

void json_number(struct buf *b, double v)
{
    char *p = (char *)buf_reserve(b, NUMBER_SIZE_MAX);
    size_t n = number_format_json(isfinite(v) ? v : 0, p);
    /* encoding/json writes e-7 where the sample format writes e-07 */
    if (n > 4 && p[n - 4] == 'e' && p[n - 3] == '-' && p[n - 2] == '0') {
        p[n - 2] = p[n - 1];
        n--;
    }
    b->len += n;
}

void json_time_float(struct buf *b, int64_t ms)
{
    json_number(b, (double)ms / 1000);
}

void json_value(struct buf *b, double v)
{
    uint8_t *p = buf_reserve(b, NUMBER_SIZE_MAX + 2);
    size_t n = 0;
    p[n++] = '"';
    n += number_format_json(v, (char *)p + n);
    p[n++] = '"';
    b->len += n;
}

void json_point(struct buf *b, int64_t ms, double v)
{
    buf_put_u8(b, '[');
    json_time(b, ms);
    buf_put_u8(b, ',');
    json_value(b, v);
    buf_put_u8(b, ']');
}

void json_time_slot(int64_t ms, uint8_t *slot)
{
    size_t n = 1;
    slot[0] = '[';
    n += format_time(ms, (char *)slot + n);
    slot[n++] = ',';
    slot[n++] = '"';
    slot[JSON_TIME_SLOT - 1] = (uint8_t)n;
}

void json_points(struct buf *b, const uint8_t *slots, const double *values, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const uint8_t *slot = slots + i * JSON_TIME_SLOT;
        uint8_t *start = buf_reserve(b, JSON_TIME_SLOT + NUMBER_SIZE_MAX + 3), *p = start;
        if (i > 0)
            *p++ = ',';
        memcpy(p, slot, JSON_TIME_SLOT); /* a fixed size is a move; what is too much goes under */
        p += slot[JSON_TIME_SLOT - 1];
        p += number_format_json(values[i], (char *)p);
        *p++ = '"';
        *p++ = ']';
        b->len += (size_t)(p - start);
    }
}

static unsigned boundaries(const struct histogram_bucket *k)
{
    if (k->lower_inclusive)
        return k->upper_inclusive ? 3 : 1;
    return k->upper_inclusive ? 0 : 2;
}

err json_histogram_point(struct buf *b, int64_t ms, const struct histogram *h, struct arena *a)
{
    struct histogram_bucket *buckets;
    size_t count;
    TRY(histogram_buckets(h, a, &buckets, &count));
    buf_put_u8(b, '[');
    json_time(b, ms);
    buf_put_str(b, STR(",{\"count\":"));
    json_value(b, h->count);
    buf_put_str(b, STR(",\"sum\":"));
    json_value(b, h->sum);
    for (size_t i = 0; i < count; i++) {
        buf_put_str(b, i == 0 ? STR(",\"buckets\":[[") : STR(",["));
        buf_put_u8(b, (uint8_t)('0' + boundaries(&buckets[i])));
        buf_put_u8(b, ',');
        json_value(b, buckets[i].lower);
        buf_put_u8(b, ',');
        json_value(b, buckets[i].upper);
        buf_put_u8(b, ',');
        json_value(b, buckets[i].count);
        buf_put_u8(b, ']');
    }
    if (count > 0)
        buf_put_u8(b, ']');
    buf_put_str(b, STR("}]"));
    return OK;
}
