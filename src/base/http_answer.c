/* http_answer.c -- see http_answer.h. */
#include "base/http_answer.h"

#include <string.h>
#include <strings.h>

#include "base/number.h"

enum {
    PHASE_HEAD,
    PHASE_LENGTH,     /* `left` bytes of body */
    PHASE_CHUNK_SIZE, /* hexadecimal digits */
    PHASE_CHUNK_REST, /* what stands behind them, up to the newline */
    PHASE_CHUNK,      /* `left` bytes of a chunk */
    PHASE_CHUNK_END,  /* the end of line behind it */
    PHASE_TRAILER,    /* at the beginning of a line behind the last chunk */
    PHASE_TRAILER_LINE,
    PHASE_UNTIL_END, /* of the connection */
    PHASE_OVER,
};

struct framing { /* what the head says of the body */
    bool has_length, chunked, other_coding, closes;
    uint64_t length;
};

void http_answer_begin(struct http_answer *a)
{
    struct buf head = a->head;
    buf_reset(&head);
    *a = (struct http_answer){.head = head};
}

void http_answer_fini(struct http_answer *a)
{
    buf_fini(&a->head);
    *a = (struct http_answer){.status = 0};
}

/* ---- The head ---- */

/* The head's bytes up to and with the empty line, or 0 when it is not complete. */
static size_t head_size(str s)
{
    const char *at = s.ptr, *end = s.ptr + s.len;
    while (at < end && (at = memchr(at, '\n', (size_t)(end - at))) != NULL) {
        at++;
        if (at < end && *at == '\n')
            return (size_t)(at - s.ptr) + 1;
        if (end - at >= 2 && at[0] == '\r' && at[1] == '\n')
            return (size_t)(at - s.ptr) + 2;
    }
    return 0;
}

static str trimmed(str s)
{
    while (s.len > 0 && strchr(" \t\r\n", s.ptr[s.len - 1]) != NULL)
        s.len--;
    while (s.len > 0 && (s.ptr[0] == ' ' || s.ptr[0] == '\t'))
        s = (str){s.ptr + 1, s.len - 1};
    return s;
}

static bool is_word(str s, const char *word)
{
    return s.len == strlen(word) && strncasecmp(s.ptr, word, s.len) == 0;
}

/* "HTTP/1.1 200 OK": only this version keeps connections unless it says otherwise. */
static bool read_status(struct http_answer *a, str line, struct framing *f)
{
    bool version = str_starts(line, STR("HTTP/1.1 ")) || str_starts(line, STR("HTTP/1.0 "));
    if (!version || line.len < 12)
        return false;
    for (size_t i = 9; i < 12; i++)
        if (line.ptr[i] < '0' || line.ptr[i] > '9')
            return false;
    if (line.len > 12 && strchr(" \r\n", line.ptr[12]) == NULL)
        return false;
    a->status = (line.ptr[9] - '0') * 100 + (line.ptr[10] - '0') * 10 + (line.ptr[11] - '0');
    f->closes = line.ptr[7] == '0';
    return a->status >= 100;
}

static bool read_length(str value, struct framing *f)
{
    int64_t n = 0;
    for (size_t i = 0; i < value.len; i++)
        if (value.ptr[i] < '0' || value.ptr[i] > '9')
            return false;
    if (number_parse_i64(value, &n) != OK || (f->has_length && f->length != (uint64_t)n))
        return false;
    f->has_length = true;
    f->length = (uint64_t)n;
    return true;
}

static bool read_header(str line, struct framing *f)
{
    const char *colon = memchr(line.ptr, ':', line.len);
    if (colon == NULL || colon == line.ptr || line.ptr[0] == ' ' || line.ptr[0] == '\t')
        return false; /* no header, or a folded one */
    str name = {line.ptr, (size_t)(colon - line.ptr)};
    str value = trimmed((str){colon + 1, line.len - name.len - 1});
    if (is_word(name, "content-length"))
        return read_length(value, f);
    if (is_word(name, "transfer-encoding")) {
        f->other_coding |= f->chunked || !is_word(value, "chunked");
        f->chunked = true;
    } else if (is_word(name, "connection")) {
        f->closes |= !is_word(value, "keep-alive"); /* "close", or what nobody here knows */
    }
    return true;
}

static bool read_lines(struct http_answer *a, str head, struct framing *f,
                       const struct http_answer_sink *sink, bool *stopped)
{
    for (bool first = true; head.len > 0; first = false) {
        const char *end = memchr(head.ptr, '\n', head.len);
        str line = {head.ptr, (size_t)(end - head.ptr) + 1};
        head = (str){end + 1, head.len - line.len};
        if (head.len == 0)
            return true; /* the empty line */
        if (first ? !read_status(a, line, f) : !read_header(line, f))
            return false;
        *stopped = a->status >= 200 && !sink->on_line(sink->arg, line);
        if (*stopped)
            return true;
    }
    return true;
}

/* Where the body begins, by what the head says of it. */
static enum http_answer_state begin_body(struct http_answer *a, const struct framing *f)
{
    a->keeps = !f->closes && !(f->chunked && f->has_length);
    if (f->other_coding || a->status == 101)
        return HTTP_ANSWER_BROKEN;
    if (a->status < 200) { /* an interim answer: the real one follows */
        a->status = 0;
        a->phase = PHASE_HEAD;
        return HTTP_ANSWER_MORE;
    }
    bool none = a->status == 204 || a->status == 304;
    a->left = f->length;
    if (none || (!f->chunked && f->has_length && f->length == 0)) {
        a->phase = PHASE_OVER;
        return HTTP_ANSWER_DONE;
    }
    a->phase = f->chunked ? PHASE_CHUNK_SIZE : f->has_length ? PHASE_LENGTH : PHASE_UNTIL_END;
    a->left = f->chunked ? 0 : f->length;
    a->keeps = a->keeps && a->phase != PHASE_UNTIL_END;
    return HTTP_ANSWER_MORE;
}

/* Heads are gathered until they are complete; *used of `in` belong to it. */
static enum http_answer_state take_head(struct http_answer *a, slice in, size_t *used,
                                        const struct http_answer_sink *sink)
{
    struct framing f = {.has_length = false};
    bool stopped = false;
    size_t before = a->head.len;
    size_t room = HTTP_ANSWER_HEAD_BYTES_MAX - before;
    buf_put(&a->head, in.ptr, MIN(in.len, room));
    size_t size = head_size(buf_str(&a->head));
    if (size == 0) {
        *used = MIN(in.len, room);
        return in.len >= room ? HTTP_ANSWER_BROKEN : HTTP_ANSWER_MORE;
    }
    *used = size - before;
    bool good = read_lines(a, (str){(const char *)a->head.ptr, size}, &f, sink, &stopped);
    buf_reset(&a->head);
    if (stopped)
        return HTTP_ANSWER_STOPPED;
    return good ? begin_body(a, &f) : HTTP_ANSWER_BROKEN;
}

/* ---- The body ---- */

static int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* A byte of what lies around the chunks. */
static enum http_answer_state take_mark(struct http_answer *a, uint8_t c)
{
    int digit = hex_digit(c);
    if (a->phase == PHASE_CHUNK_SIZE && digit >= 0) {
        if (a->left >> 58 != 0)
            return HTTP_ANSWER_BROKEN;
        a->left = a->left << 4 | (uint64_t)digit;
        a->digits = true;
        return HTTP_ANSWER_MORE;
    }
    if (++a->extra > HTTP_ANSWER_HEAD_BYTES_MAX)
        return HTTP_ANSWER_BROKEN;
    if (a->phase == PHASE_CHUNK_SIZE && (!a->digits || strchr("\r\n; \t", c) == NULL || c == 0))
        return HTTP_ANSWER_BROKEN;
    if (a->phase == PHASE_CHUNK_END && c != '\r' && c != '\n')
        return HTTP_ANSWER_BROKEN;
    if (c != '\n') {
        if (a->phase == PHASE_CHUNK_SIZE)
            a->phase = PHASE_CHUNK_REST;
        else if (a->phase == PHASE_TRAILER && c != '\r')
            a->phase = PHASE_TRAILER_LINE;
        return HTTP_ANSWER_MORE;
    }
    if (a->phase == PHASE_TRAILER) {
        a->phase = PHASE_OVER;
        return HTTP_ANSWER_DONE;
    }
    a->phase = a->phase == PHASE_CHUNK_END      ? PHASE_CHUNK_SIZE
               : a->phase == PHASE_TRAILER_LINE ? PHASE_TRAILER
               : a->left > 0                    ? PHASE_CHUNK
                                                : PHASE_TRAILER;
    a->extra = a->phase == PHASE_CHUNK_SIZE ? 0 : a->extra;
    a->digits = false;
    return HTTP_ANSWER_MORE;
}

/* Bytes of body, as many of `in` as there are; *used of them. */
static enum http_answer_state take_body(struct http_answer *a, slice in, size_t *used,
                                        const struct http_answer_sink *sink)
{
    bool open = a->phase == PHASE_UNTIL_END;
    *used = open ? in.len : (size_t)MIN((uint64_t)in.len, a->left);
    if (!sink->on_body(sink->arg, (slice){in.ptr, *used}))
        return HTTP_ANSWER_STOPPED;
    if (open)
        return HTTP_ANSWER_MORE;
    a->left -= *used;
    if (a->left > 0)
        return HTTP_ANSWER_MORE;
    bool chunk = a->phase == PHASE_CHUNK;
    a->phase = chunk ? PHASE_CHUNK_END : PHASE_OVER;
    return chunk ? HTTP_ANSWER_MORE : HTTP_ANSWER_DONE;
}

static bool is_body(const struct http_answer *a)
{
    return a->phase == PHASE_LENGTH || a->phase == PHASE_CHUNK || a->phase == PHASE_UNTIL_END;
}

enum http_answer_state http_answer_take(struct http_answer *a, slice in,
                                        const struct http_answer_sink *sink)
{
    enum http_answer_state s = HTTP_ANSWER_MORE;
    while (in.len > 0 && s == HTTP_ANSWER_MORE) {
        size_t used = 1;
        if (a->phase == PHASE_HEAD)
            s = take_head(a, in, &used, sink);
        else if (is_body(a))
            s = take_body(a, in, &used, sink);
        else
            s = take_mark(a, in.ptr[0]);
        in = (slice){in.ptr + used, in.len - used};
    }
    if (s != HTTP_ANSWER_MORE && (s != HTTP_ANSWER_DONE || in.len > 0))
        a->keeps = false;
    return s;
}

bool http_answer_has_head(const struct http_answer *a)
{
    return a->phase != PHASE_HEAD;
}

bool http_answer_ends(const struct http_answer *a)
{
    return a->phase == PHASE_UNTIL_END || a->phase == PHASE_OVER;
}
