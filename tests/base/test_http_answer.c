/* test_http_answer.c -- HTTP answers however they are cut into pieces: head, body, end, and what is
 * refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/http_answer.h"

struct seen {
    struct buf text; /* lines in <>, then the body */
    size_t body_max;
};

static bool on_line(void *arg, str line)
{
    struct seen *s = arg;
    while (line.len > 0 && (line.ptr[line.len - 1] == '\n' || line.ptr[line.len - 1] == '\r'))
        line.len--;
    buf_printf(&s->text, "<" STR_FMT ">", STR_ARG(line));
    return !str_eq(line, STR("Stop: here"));
}

static bool on_body(void *arg, slice bytes)
{
    struct seen *s = arg;
    buf_put(&s->text, bytes.ptr, bytes.len);
    return s->text.len <= s->body_max;
}

/* In pieces of `step` bytes; then the connection ends, if it has to. */
static void feed(str answer, size_t step, struct buf *out)
{
    static const char *const STATES[] = {"more", "done", "broken", "stopped"};
    struct http_answer a = {.status = 0};
    struct seen seen = {.body_max = 1 << 20};
    struct http_answer_sink sink = {&seen, on_line, on_body};
    enum http_answer_state s = HTTP_ANSWER_MORE;
    http_answer_begin(&a);
    for (size_t at = 0; at < answer.len && s == HTTP_ANSWER_MORE; at += step) {
        size_t n = MIN(step, answer.len - at);
        s = http_answer_take(&a, (slice){(const uint8_t *)answer.ptr + at, n}, &sink);
    }
    buf_put_str(out, buf_str(&seen.text));
    buf_printf(out, " %s %d%s%s", STATES[s], a.status, a.keeps ? " keeps" : "",
               s == HTTP_ANSWER_MORE && http_answer_ends(&a) ? " ends" : "");
    http_answer_fini(&a);
    buf_fini(&seen.text);
}

static void check(str answer, const char *expected)
{
    for (size_t step = 1; step <= answer.len; step++) {
        struct buf out = {0};
        feed(answer, step, &out);
        assert_string_equal(buf_cstr(&out), expected);
        buf_fini(&out);
    }
}

#define CHECK(answer, expected) check(STR(answer), expected)

static void test_answer__of_known_length(void **state)
{
    (void)state;
    CHECK("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX: y\r\n\r\nhello",
          "<HTTP/1.1 200 OK><Content-Length: 5><X: y>hello done 200 keeps");
    CHECK("HTTP/1.1 200 OK\ncontent-length:5\n\nhello",
          "<HTTP/1.1 200 OK><content-length:5>hello done 200 keeps");
    CHECK("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n",
          "<HTTP/1.1 503 Service Unavailable><Content-Length: 0> done 503 keeps");
    CHECK("HTTP/1.1 204 No Content\r\n\r\n", "<HTTP/1.1 204 No Content> done 204 keeps");
    CHECK("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel",
          "<HTTP/1.1 200 OK><Content-Length: 5>hel more 200 keeps");
}

static void test_answer__in_chunks(void **state)
{
    (void)state;
    CHECK("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n00A;x=y\r\n, "
          "23456789\r\n"
          "0\r\n\r\n",
          "<HTTP/1.1 200 OK><Transfer-Encoding: chunked>hello, 23456789 done 200 keeps");
    CHECK("HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n1\nx\n0\nT: u\nV: w\n\n",
          "<HTTP/1.1 200 OK><Transfer-Encoding: Chunked>x done 200 keeps");
    CHECK("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
          "<HTTP/1.1 200 OK><Transfer-Encoding: chunked><Content-Length: 3> done 200");
}

static void test_answer__to_the_end(void **state)
{
    (void)state;
    CHECK("HTTP/1.0 200 OK\r\n\r\nall of it", "<HTTP/1.0 200 OK>all of it more 200 ends");
    CHECK("HTTP/1.1 200\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx",
          "<HTTP/1.1 200><Connection: close><Content-Length: 1>x done 200");
}

static void test_answer__behind_an_interim_one(void **state)
{
    (void)state;
    CHECK(
        "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx",
        "<HTTP/1.1 200 OK><Content-Length: 1>x done 200 keeps");
}

static void test_answer__refuses(void **state)
{
    (void)state;
    CHECK("HTTP/2 200 OK\r\n\r\n", " broken 0");
    CHECK("ICY 200 OK\r\n\r\n", " broken 0");
    CHECK("HTTP/1.1 2000 OK\r\n\r\n", " broken 0");
    CHECK("\r\n\r\n", " broken 0");
    CHECK("HTTP/1.1 200 OK\r\n folded\r\n\r\n", "<HTTP/1.1 200 OK> broken 200");
    CHECK("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "<HTTP/1.1 200 OK> broken 200");
    CHECK("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
          "<HTTP/1.1 200 OK><Content-Length: 1> broken 200");
    CHECK("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
          "<HTTP/1.1 200 OK><Transfer-Encoding: gzip, chunked> broken 200");
    CHECK("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n;\r\n",
          "<HTTP/1.1 200 OK><Transfer-Encoding: chunked> broken 200");
    CHECK("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nxy",
          "<HTTP/1.1 200 OK><Transfer-Encoding: chunked>x broken 200");
    CHECK("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
          "<HTTP/1.1 200 OK><Transfer-Encoding: chunked> broken 200");
    CHECK("HTTP/1.1 200 OK\r\nStop: here\r\nX: y\r\n\r\n",
          "<HTTP/1.1 200 OK><Stop: here> stopped 200");
}

static void test_answer__with_something_behind(void **state)
{
    (void)state;
    struct buf out = {0};
    str answer = STR("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nxHTTP/1.1");
    feed(answer, answer.len, &out);
    assert_string_equal(buf_cstr(&out), "<HTTP/1.1 200 OK><Content-Length: 1>x done 200");
    buf_fini(&out);
}

static void test_answer__bounds_its_head(void **state)
{
    (void)state;
    struct buf head = {0}, out = {0};
    buf_put_str(&head, STR("HTTP/1.1 200 OK\r\nX: "));
    while (head.len < HTTP_ANSWER_HEAD_BYTES_MAX)
        buf_put_u8(&head, 'x');
    feed(buf_str(&head), 1000, &out);
    assert_string_equal(buf_cstr(&out), " broken 0");
    buf_reset(&out);
    head.len -= 4;
    buf_put_str(&head, STR("\r\n\r\n"));
    feed(buf_str(&head), head.len, &out);
    assert_true(str_ends(buf_str(&out), STR("> more 200 ends")));
    buf_fini(&head);
    buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answer__of_known_length),
        cmocka_unit_test(test_answer__in_chunks),
        cmocka_unit_test(test_answer__to_the_end),
        cmocka_unit_test(test_answer__behind_an_interim_one),
        cmocka_unit_test(test_answer__refuses),
        cmocka_unit_test(test_answer__with_something_behind),
        cmocka_unit_test(test_answer__bounds_its_head),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
