/* cost.c -- see cost.h. The text is looked through once, not parsed: a regular expression alone may
 * take longer to compile than an epoll thread has. */
#include "http/cost.h"

#include <ctype.h>

#include "base/clock.h"
#include "base/duration.h"
#include "base/hash.h"

enum { HOUR_MS = 3600000 };

struct scan {
    str s;
    size_t pos;
    int64_t range_ms; /* the longest */
    bool unbounded;   /* a selector without a name or an equality */
};

/* Behind the string that begins here. */
static void skip_string(struct scan *c)
{
    char quote = c->s.ptr[c->pos++];
    while (c->pos < c->s.len && c->s.ptr[c->pos] != quote)
        c->pos += c->s.ptr[c->pos] == '\\' && quote != '`' ? 2 : 1;
    c->pos++;
}

static bool is_quote(char ch)
{
    return ch == '"' || ch == '\'' || ch == '`';
}

/* [5m], [30d:1m]; what is no plain duration counts for an hour. */
static void take_range(struct scan *c)
{
    struct diag d;
    size_t start = ++c->pos;
    while (c->pos < c->s.len && c->s.ptr[c->pos] != ']' && c->s.ptr[c->pos] != ':')
        c->pos++;
    int64_t ms = HOUR_MS;
    if (duration_param_parse((str){c->s.ptr + start, c->pos - start}, &ms, &d) != OK)
        ms = HOUR_MS;
    c->range_ms = MAX(c->range_ms, ms);
}

static bool has_name_before(const struct scan *c)
{
    size_t i = c->pos;
    while (i > 0 && isspace((unsigned char)c->s.ptr[i - 1]))
        i--;
    return i > 0 && (isalnum((unsigned char)c->s.ptr[i - 1]) || c->s.ptr[i - 1] == '_' ||
                     c->s.ptr[i - 1] == ':');
}

/* {a="b",c=~"d"}: is one of them an equality, or is there a quoted name? */
static void take_matchers(struct scan *c)
{
    bool bounded = has_name_before(c), after_equals = false, at_start = true;
    c->pos++;
    while (c->pos < c->s.len && c->s.ptr[c->pos] != '}') {
        char ch = c->s.ptr[c->pos];
        if (is_quote(ch)) {
            bounded |= after_equals || at_start;
            skip_string(c);
            after_equals = at_start = false;
            continue;
        }
        if (ch == '=')
            after_equals = c->s.ptr[c->pos - 1] != '!';
        else if (ch == '~')
            after_equals = false;
        at_start = ch == ',' || (at_start && isspace((unsigned char)ch));
        c->pos++;
    }
    c->unbounded |= !bounded;
}

enum gate_class cost_of_query(str query, int64_t span_ms)
{
    struct scan c = {.s = query};
    if (query.len > COST_TEXT_MAX)
        return GATE_HEAVY;
    while (c.pos < c.s.len) {
        char ch = c.s.ptr[c.pos];
        if (is_quote(ch))
            skip_string(&c);
        else if (ch == '[')
            take_range(&c);
        else if (ch == '{')
            take_matchers(&c);
        else
            c.pos++;
    }
    int64_t max_ms = COST_LIGHT_SPAN_MS;
    bool long_time = c.range_ms > max_ms || span_ms > max_ms - c.range_ms;
    return c.unbounded || long_time ? GATE_HEAVY : GATE_LIGHT;
}

/* ---- Requests ---- */

static int64_t span_of(const struct http_request *r)
{
    struct diag d;
    int64_t start_ms, end_ms;
    if (timestamp_parse(http_param(r, STR("start")), &start_ms, &d) != OK)
        return 0;
    if (timestamp_parse(http_param(r, STR("end")), &end_ms, &d) != OK)
        end_ms = clock_wall_ms();
    return end_ms > start_ms ? (int64_t)MIN((uint64_t)end_ms - (uint64_t)start_ms, INT64_MAX / 2)
                             : 0;
}

/* Ranges within a factor of two are one. */
static uint64_t size_of(int64_t span_ms)
{
    uint64_t bits = 0;
    while (span_ms > 0) {
        span_ms >>= 1;
        bits++;
    }
    return bits;
}

static uint64_t add(uint64_t hash, str s)
{
    return hash64((slice){(const uint8_t *)s.ptr, s.len}, hash);
}

enum gate_class cost_query(struct http_request *r, uint64_t *fingerprint)
{
    str query = http_param(r, STR("query"));
    int64_t span_ms = span_of(r);
    *fingerprint = add(add(size_of(span_ms), http_path(r)), query);
    return cost_of_query(query, span_ms);
}

static void fingerprint_selectors(struct http_request *r, uint64_t *fingerprint)
{
    enum { LOOKED_AT = 16 };
    uint64_t hash = add(size_of(span_of(r)), http_path(r));
    for (size_t i = 0; i < LOOKED_AT; i++) {
        str s = http_param_nth(r, STR("match[]"), i);
        if (s.ptr == NULL)
            break;
        hash = add(hash, s);
    }
    slice body = http_body(r);
    *fingerprint = add(hash, (str){(const char *)body.ptr, MIN(body.len, (size_t)COST_TEXT_MAX)});
}

enum gate_class cost_select(struct http_request *r, uint64_t *fingerprint)
{
    fingerprint_selectors(r, fingerprint);
    return GATE_LIGHT;
}

enum gate_class cost_bulk(struct http_request *r, uint64_t *fingerprint)
{
    fingerprint_selectors(r, fingerprint);
    return GATE_HEAVY;
}

enum gate_class cost_admin(struct http_request *r, uint64_t *fingerprint)
{
    (void)r;
    *fingerprint = 0;
    return GATE_ADMIN;
}
