/* fuzz_http_answer.c -- any bytes as an HTTP answer: whole and cut into pieces it gives the same
 * lines, body and end. The first byte is the size of the pieces. */
#include "base/assert.h"
#include "base/http_answer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct seen {
    struct buf lines, body;
};

static bool on_line(void *arg, str line)
{
    ASSERT(line.len > 0 && line.ptr[line.len - 1] == '\n');
    buf_put_str(&((struct seen *)arg)->lines, line);
    return true;
}

static bool on_body(void *arg, slice bytes)
{
    buf_put(&((struct seen *)arg)->body, bytes.ptr, bytes.len);
    return true;
}

static enum http_answer_state read_all(struct http_answer *a, slice in, size_t step,
                                       struct seen *seen)
{
    struct http_answer_sink sink = {seen, on_line, on_body};
    enum http_answer_state s = HTTP_ANSWER_MORE;
    http_answer_begin(a);
    for (size_t at = 0; at < in.len && s == HTTP_ANSWER_MORE; at += step)
        s = http_answer_take(a, (slice){in.ptr + at, MIN(step, in.len - at)}, &sink);
    return s;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    struct http_answer a = {.status = 0}, b = {.status = 0};
    struct seen x = {.lines = {0}}, y = {.lines = {0}};
    slice in = {data + 1, size - 1};
    enum http_answer_state s = read_all(&a, in, in.len, &x);
    ASSERT(s == read_all(&b, in, (size_t)data[0] + 1, &y));
    ASSERT(a.status == b.status && http_answer_ends(&a) == http_answer_ends(&b));
    ASSERT(str_eq(buf_str(&x.lines), buf_str(&y.lines)));
    ASSERT(str_eq(buf_str(&x.body), buf_str(&y.body)));
    ASSERT(x.lines.len + x.body.len <= in.len);
    ASSERT(s == HTTP_ANSWER_DONE || s == HTTP_ANSWER_MORE || !a.keeps);
    http_answer_fini(&a);
    http_answer_fini(&b);
    buf_fini(&x.lines);
    buf_fini(&x.body);
    buf_fini(&y.lines);
    buf_fini(&y.body);
    return 0;
}
