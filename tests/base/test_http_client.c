/* test_http_client.c -- authentication, redirects, limits, tokens and refusals of the HTTP client,
 * against a small server in the same process. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/http_client.h"
#include "base/jtree.h"
#include "support/http_stub.h"

struct site {
    unsigned other_port; /* where /away leads */
    unsigned tokens;     /* given out */
    bool only_body;      /* the token server refuses a header */
};

static bool asks(str request, const char *start)
{
    return str_starts(request, str_from(start));
}

static bool holds(str request, const char *text)
{
    return memmem(request.ptr, request.len, text, strlen(text)) != NULL;
}

static void answer_token(struct site *s, str request, struct buf *reply)
{
    char body[128];
    bool in_body = holds(request, "client_secret=s3cret%2F");
    bool in_header = holds(request, "Authorization: Basic aWQ6czNjcmV0JTJG\r\n");
    if (s->only_body ? !in_body : !in_header) {
        http_stub_reply(reply, "401 Unauthorized", "", "{\"error\":\"invalid_client\"}");
        return;
    }
    s->tokens++;
    (void)snprintf(body, sizeof(body),
                   "{\"access_token\":\"T%u\",\"token_type\":\"bearer\",\"expires_in\":%d}",
                   s->tokens, s->tokens < 2 ? 5 : 3600);
    http_stub_reply(reply, "200 OK", "Content-Type: application/json\r\n", body);
}

static void answer(void *arg, str request, struct buf *reply)
{
    struct site *s = arg;
    char location[128];
    if (asks(request, "GET /away ")) {
        (void)snprintf(location, sizeof(location), "Location: http://127.0.0.1:%u/hello\r\n",
                       s->other_port);
        http_stub_reply(reply, "302 Found", location, "");
    } else if (asks(request, "GET /here ") || asks(request, "POST /here ")) {
        http_stub_reply(reply, "303 See Other", "Location: hello?x=1\r\n", "");
    } else if (asks(request, "GET /loop ")) {
        http_stub_reply(reply, "302 Found", "Location: /loop\r\n", "");
    } else if (asks(request, "GET /file ")) {
        http_stub_reply(reply, "302 Found", "Location: file:///etc/passwd\r\n", "");
    } else if (asks(request, "GET /missing ")) {
        http_stub_reply(reply, "404 Not Found", "X-Why: none\r\n", "gone");
    } else if (asks(request, "GET /big ")) {
        char body[5001];
        memset(body, 'x', sizeof(body) - 1);
        body[sizeof(body) - 1] = '\0';
        http_stub_reply(reply, "200 OK", "", body);
    } else if (asks(request, "GET /slow ")) {
        clock_sleep_ns(1500000000);
    } else if (asks(request, "POST /token ")) {
        answer_token(s, request, reply);
    } else {
        http_stub_reply(reply, "200 OK", "Content-Type: text/plain\r\n", "hello");
    }
}

struct pairing {
    struct site site;
    struct http_stub *here, *there;
};

static int set_up(void **state)
{
    struct pairing *p = calloc(1, sizeof(*p));
    p->there = http_stub_open(answer, &p->site);
    p->site.other_port = http_stub_port(p->there);
    p->here = http_stub_open(answer, &p->site);
    *state = p;
    return 0;
}

static int tear_down(void **state)
{
    struct pairing *p = *state;
    http_stub_close(p->here);
    http_stub_close(p->there);
    free(p);
    return 0;
}

static const char *url_of(const struct http_stub *s, const char *path)
{
    static char url[128];
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%u%s", http_stub_port(s), path);
    return url;
}

static err get(const struct http_client_config *config, const char *url, struct http_reply *r,
               struct diag *d)
{
    struct http_client *c = NULL;
    assert_int_equal(http_client_open(config, STR("Test/1"), &c, d), OK);
    struct http_request_options o = {
        .url = str_from(url), .body_bytes_max = 1000, .timeout_ms = 5000};
    err e = http_fetch(c, &o, r, d);
    http_client_close(c);
    return e;
}

static void expect(const struct http_client_config *config, const char *url, int status,
                   const char *body)
{
    struct http_reply r = {0};
    struct diag d = {.text = ""};
    if (get(config, url, &r, &d) != OK)
        fail_msg("%s: %s", url, d.text);
    assert_int_equal(r.status, status);
    assert_string_equal(buf_cstr(&r.body), body);
    http_reply_fini(&r);
}

static const struct http_client_config PLAIN = {.follow_redirects = true};

static void test_http_client__plain(void **state)
{
    struct pairing *p = *state;
    struct http_reply r = {0};
    struct diag d = {.text = ""};
    expect(&PLAIN, url_of(p->here, "/x"), 200, "hello");
    assert_non_null(strstr(http_stub_request(p->here, 0), "User-Agent: Test/1\r\n"));
    assert_null(strstr(http_stub_request(p->here, 0), "Authorization"));
    assert_int_equal(get(&PLAIN, url_of(p->here, "/missing"), &r, &d), OK);
    assert_int_equal(r.status, 404);
    assert_true(str_eq(http_reply_header(&r, STR("x-why")), STR("none")));
    assert_null(http_reply_header(&r, STR("x-nothing")).ptr);
    struct buf text = {0};
    http_status_text(r.status, &text);
    assert_string_equal(buf_cstr(&text), "404 Not Found");
    buf_fini(&text);
    http_reply_fini(&r);
}

static void test_http_client__credentials(void **state)
{
    struct pairing *p = *state;
    char file[] = "/tmp/varve_test_secret_XXXXXX";
    int fd = mkstemp(file);
    assert_int_equal(write(fd, " from-file\n", 11), 11);
    (void)close(fd);
    struct http_basic_auth basic = {.username = STR("u"), .password = STR("p:w")};
    struct http_client_config c = {.basic_auth = &basic};
    expect(&c, url_of(p->here, "/"), 200, "hello");
    assert_non_null(strstr(http_stub_request(p->here, 0), "Authorization: Basic dTpwOnc=\r\n"));
    struct http_authorization auth = {.type = STR("Custom"), .credentials_file = str_from(file)};
    c = (struct http_client_config){.authorization = &auth};
    expect(&c, url_of(p->here, "/"), 200, "hello");
    assert_non_null(strstr(http_stub_request(p->here, 1), "Authorization: Custom from-file\r\n"));
    str value = STR("v"), secret = STR("s"), path = str_from(file);
    struct http_header h = {STR("X-H"), {&value, 1}, {&secret, 1}, {&path, 1}};
    c = (struct http_client_config){.headers = &h, .header_count = 1};
    expect(&c, url_of(p->here, "/"), 200, "hello");
    assert_non_null(
        strstr(http_stub_request(p->here, 2), "X-H: v\r\nX-H: s\r\nX-H: from-file\r\n"));
    (void)unlink(file);
    struct http_reply r = {0};
    struct diag d = {.text = ""};
    assert_int_equal(get(&c, url_of(p->here, "/"), &r, &d), ERR_NOTFOUND);
    assert_non_null(strstr(d.text, "unable to read headers file: unable to read file /tmp/"));
    http_reply_fini(&r);
    assert_int_equal(http_stub_count(p->here), 3);
}

/* Whoever a redirect leads to sees no credentials; the same server does. */
static void test_http_client__redirects(void **state)
{
    struct pairing *p = *state;
    str plain = STR("plain"), secret = STR("canary-secret");
    struct http_header h = {STR("X-H"), {&plain, 1}, {&secret, 1}, {NULL, 0}};
    struct http_authorization auth = {.type = STR("Bearer"), .credentials = STR("canary-secret")};
    struct http_client_config c = {
        .authorization = &auth, .headers = &h, .header_count = 1, .follow_redirects = true};
    expect(&c, url_of(p->here, "/here"), 200, "hello");
    const char *second = http_stub_request(p->here, 1);
    assert_non_null(strstr(second, "GET /hello?x=1 HTTP/1.1\r\n"));
    assert_non_null(strstr(second, "Authorization: Bearer canary-secret\r\n"));
    expect(&c, url_of(p->here, "/away"), 200, "hello");
    assert_int_equal(http_stub_count(p->there), 1);
    assert_null(strstr(http_stub_request(p->there, 0), "canary-secret"));
    assert_non_null(strstr(http_stub_request(p->there, 0), "X-H: plain\r\n"));
    struct http_basic_auth basic = {.username = STR("u"), .password = STR("canary-secret")};
    struct http_client_config b = {.basic_auth = &basic, .follow_redirects = true};
    expect(&b, url_of(p->here, "/away"), 200, "hello");
    assert_null(strstr(http_stub_request(p->there, 1), "Authorization"));
    c.follow_redirects = false;
    expect(&c, url_of(p->here, "/away"), 302, "");
    assert_int_equal(http_stub_count(p->there), 2);
}

static void test_http_client__bad_redirects(void **state)
{
    struct pairing *p = *state;
    struct http_reply r = {0};
    struct diag d = {.text = ""};
    assert_int_equal(get(&PLAIN, url_of(p->here, "/loop"), &r, &d), ERR_LIMIT);
    assert_string_equal(d.text, "stopped after 10 redirects");
    assert_int_equal(http_stub_count(p->here), 11);
    d.text[0] = '\0';
    assert_int_equal(get(&PLAIN, url_of(p->here, "/file"), &r, &d), ERR_INVALID);
    http_reply_fini(&r);
}

static void test_http_client__a_post_becomes_a_get(void **state)
{
    struct pairing *p = *state;
    struct http_client *c = NULL;
    struct http_reply r = {0};
    struct diag d = {.text = ""};
    assert_int_equal(http_client_open(&PLAIN, STR(""), &c, &d), OK);
    struct http_request_options o = {.url = str_from(url_of(p->here, "/here")),
                                     .body = str_bytes(STR("a=b")),
                                     .content_type = STR("text/x"),
                                     .body_bytes_max = 100,
                                     .timeout_ms = 5000};
    assert_int_equal(http_fetch(c, &o, &r, &d), OK);
    assert_int_equal(r.status, 200);
    assert_non_null(strstr(http_stub_request(p->here, 0), "Content-Type: text/x\r\n"));
    assert_non_null(strstr(http_stub_request(p->here, 0), "\r\n\r\na=b"));
    assert_non_null(strstr(http_stub_request(p->here, 1), "GET /hello?x=1 "));
    http_reply_fini(&r);
    http_client_close(c);
}

static bool always(void *arg)
{
    (void)arg;
    return true;
}

static void test_http_client__limits(void **state)
{
    struct pairing *p = *state;
    struct http_reply r = {0};
    struct diag d = {.text = ""};
    struct http_client *c = NULL;
    assert_int_equal(get(&PLAIN, url_of(p->here, "/big"), &r, &d), ERR_LIMIT);
    assert_string_equal(d.text, "body size limit of 1000 bytes exceeded");
    assert_int_equal(http_client_open(&PLAIN, STR(""), &c, &d), OK);
    struct http_request_options o = {
        .url = str_from(url_of(p->here, "/slow")), .body_bytes_max = 100, .timeout_ms = 200};
    uint64_t start = clock_mono_ns();
    d.text[0] = '\0';
    assert_int_equal(http_fetch(c, &o, &r, &d), ERR_TIMEOUT);
    assert_true(clock_mono_ns() - start < 1000000000);
    o.canceled = always;
    o.timeout_ms = 5000;
    d.text[0] = '\0';
    assert_int_equal(http_fetch(c, &o, &r, &d), ERR_CANCELED);
    http_reply_fini(&r);
    http_client_close(c);
}

static void test_http_client__refusals(void **state)
{
    (void)state;
    static const char *const URLS[] = {"ftp://127.0.0.1/", "file:///etc/passwd", "", "http://",
                                       "gopher://127.0.0.1:1/x"};
    struct http_reply r = {0};
    for (size_t i = 0; i < COUNT_OF(URLS); i++) {
        struct diag d = {.text = ""};
        if (get(&PLAIN, URLS[i], &r, &d) != ERR_INVALID)
            fail_msg("%s was not refused", URLS[i]);
        assert_true(d.text[0] != '\0');
    }
    struct diag d = {.text = ""};
    assert_int_equal(get(&PLAIN, "http://127.0.0.1:1/", &r, &d), ERR_IO);
    http_reply_fini(&r);
}

static void tokens(struct pairing *p, bool only_body)
{
    char token_url[64];
    (void)snprintf(token_url, sizeof(token_url), "%s", url_of(p->there, "/token"));
    p->site.only_body = only_body;
    struct http_oauth2 oauth = {
        .client_id = STR("id"), .client_secret = STR("s3cret/"), .token_url = str_from(token_url)};
    struct http_client_config config = {.oauth2 = &oauth};
    struct http_client *c = NULL;
    struct diag d = {.text = ""};
    assert_int_equal(http_client_open(&config, STR(""), &c, &d), OK);
    assert_true(http_client_blocks(c));
    struct http_request_options o = {
        .url = str_from(url_of(p->here, "/")), .body_bytes_max = 100, .timeout_ms = 5000};
    for (unsigned i = 0; i < 3; i++) {
        struct http_reply r = {0};
        if (http_fetch(c, &o, &r, &d) != OK)
            fail_msg("%s", d.text);
        assert_int_equal(r.status, 200);
        http_reply_fini(&r);
    }
    assert_false(http_client_blocks(c));
    http_client_close(c);
    /* the first token ends within the margin, so it is used once; the second lasts */
    assert_int_equal(p->site.tokens, 2);
    assert_non_null(strstr(http_stub_request(p->here, 0), "Authorization: Bearer T1\r\n"));
    assert_non_null(strstr(http_stub_request(p->here, 1), "Authorization: Bearer T2\r\n"));
    assert_non_null(strstr(http_stub_request(p->here, 2), "Authorization: Bearer T2\r\n"));
    assert_non_null(strstr(http_stub_request(p->there, 0), "grant_type=client_credentials"));
}

static void test_http_client__tokens(void **state)
{
    tokens(*state, false);
}

static void test_http_client__tokens_with_secret_in_body(void **state)
{
    tokens(*state, true);
    assert_int_equal(http_stub_count(((struct pairing *)*state)->there), 3);
}

static void test_jtree__reads(void **state)
{
    (void)state;
    struct jtree *t = NULL;
    struct diag d = {.text = ""};
    str text = STR("{\"b\":{\"x\":[1,\"two\",true,null]},\"a\":2.5}");
    assert_int_equal(jtree_parse(str_bytes(text), &t, &d), OK);
    const struct jtree *x = jtree_get(jtree_get(t, "b"), "x");
    assert_int_equal(jtree_count(x), 4);
    assert_int_equal(jtree_int(jtree_at(x, 0), -1), 1);
    assert_true(str_eq(jtree_text(jtree_at(x, 1)), STR("two")));
    assert_true(jtree_bool(jtree_at(x, 2), false));
    assert_true(jtree_is_null(jtree_at(x, 3)));
    assert_true(jtree_is_null(jtree_get(jtree_get(t, "no"), "more")));
    assert_int_equal(jtree_int(jtree_get(t, "a"), 7), 7);
    struct jtree_member m = {0};
    assert_true(jtree_next(t, &m));
    assert_true(str_eq(m.key, STR("b")));
    assert_true(jtree_next(t, &m));
    assert_false(jtree_next(t, &m));
    jtree_free(t);
    assert_int_equal(jtree_parse(str_bytes(STR("{\"a\":1,\"a\":2}")), &t, &d), ERR_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_http_client__plain, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_http_client__credentials, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_http_client__redirects, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_http_client__bad_redirects, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_http_client__a_post_becomes_a_get, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_http_client__limits, set_up, tear_down),
        cmocka_unit_test(test_http_client__refusals),
        cmocka_unit_test_setup_teardown(test_http_client__tokens, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_http_client__tokens_with_secret_in_body, set_up,
                                        tear_down),
        cmocka_unit_test(test_jtree__reads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
