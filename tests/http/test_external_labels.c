/* External labels: setting and replacing them; what remote read and /federate make of them, asked
 * of a server over a store on a simulated disk. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/protobuf_put.h"
#include "http/api.h"
#include "http/read_request.h"
#include "ingest/protobuf.h"
#include "ingest/snappy.h"
#include "support/db_testing.h"

#define L(n, v)                                                                                    \
    {                                                                                              \
        STR(n), STR(v)                                                                             \
    }
#define SET(...)                                                                                   \
    ((struct labels){(const struct label[]){__VA_ARGS__},                                          \
                     sizeof((const struct label[]){__VA_ARGS__}) / sizeof(struct label)})

/* ---- A server ---- */

struct fixture {
    struct fs_sim *sim;
    struct db *db;
    struct api *api;
};

static int setup(void **state)
{
    struct fixture *f = mem_zalloc(1, sizeof(*f));
    struct diag d;
    size_t count;
    f->sim = fs_sim_new(1);
    f->db = testing_open(f->sim, NULL);
    f->api = mem_zalloc(1, sizeof(*f->api));
    f->api->db = f->db;
    f->api->lookback_ms =
        INT64_C(86400000) * 36500; /* the store's clock stands still, ours does not */
    f->api->query_timeout_ms = 10000;
    f->api->read_frame_bytes = 1 << 20;
    external_labels_init(&f->api->external);
    insight_init(&f->api->insight);
    atomic_store(&f->api->ready, true);
    struct http_options o = {.listen_address = STR("127.0.0.1:0"),
                             .routes = api_routes(&count),
                             .user = f->api,
                             .threads = 1,
                             .workers = 1,
                             .queue_max = 4,
                             .connections_max = 4,
                             .bodies_bytes_max = 1 << 20,
                             .ready = &f->api->ready,
                             .route_prefix = {"", 0}};
    o.route_count = count;
    assert_int_equal(http_server_open(&o, &f->api->server, &d), OK);
    assert_int_equal(testing_put(f->db, testing_series(f->db, "m", "job", "a"), T0, 1), OK);
    assert_int_equal(testing_put(f->db, testing_series(f->db, "m", "region", "own"), T0, 2), OK);
    assert_int_equal(testing_put(f->db, testing_series(f->db, "m", "a", "1"), T0, 3), OK);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    http_server_close(f->api->server, 1000);
    external_labels_fini(&f->api->external);
    insight_fini(&f->api->insight);
    db_close(f->db);
    fs_sim_free(f->sim);
    mem_free(f->api);
    mem_free(f);
    return 0;
}

/* The whole answer to a request of `head` and `body`; the connection is closed behind it. */
static void ask(struct fixture *f, const char *head, slice body, struct buf *out)
{
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)http_server_port(f->api->server)),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct buf request = {0};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof(at)), 0);
    buf_printf(&request,
               "%s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n", head,
               body.len);
    buf_put(&request, body.ptr, body.len);
    assert_int_equal(write(fd, request.ptr, request.len), request.len);
    buf_reset(out);
    ssize_t n;
    while ((n = read(fd, buf_reserve(out, 65536), 65536)) > 0)
        out->len += (size_t)n;
    (void)close(fd);
    buf_fini(&request);
}

static const char *body_of(struct buf *answer)
{
    const char *end = strstr(buf_cstr(answer), "\r\n\r\n");
    assert_non_null(end);
    return end + 4;
}

/* ---- Setting ---- */

static void assert_labels(struct external_labels *e, const char *want)
{
    struct arena a;
    struct labels ls;
    struct buf b = {0};
    arena_init(&a, 4 << 20);
    assert_int_equal(external_labels_get(e, &a, &ls), OK);
    labels_format(ls, &b);
    assert_string_equal(buf_cstr(&b), want);
    buf_fini(&b);
    arena_fini(&a);
}

static void test_external_labels__the_last_set_holds(void **state)
{
    (void)state;
    struct external_labels e;
    struct arena small;
    struct labels ls;
    external_labels_init(&e);
    assert_labels(&e, "{}");
    char value[] = "eu";
    assert_int_equal(external_labels_set(&e, SET({STR("region"), str_from(value)})), OK);
    value[0] = 'x'; /* it was copied */
    assert_labels(&e, "{region=\"eu\"}");
    assert_int_equal(external_labels_set(&e, SET(L("a", "1"), L("b", "2"))), OK);
    assert_labels(&e, "{a=\"1\", b=\"2\"}");
    char *large = mem_alloc(2 << 20);
    memset(large, 'x', 2 << 20);
    assert_int_equal(external_labels_set(&e, SET({STR("a"), {large, 2 << 20}})), ERR_LIMIT);
    mem_free(large);
    assert_labels(&e, "{a=\"1\", b=\"2\"}");
    arena_init(&small, 16);
    assert_int_equal(external_labels_get(&e, &small, &ls), ERR_LIMIT);
    arena_fini(&small);
    external_labels_fini(&e);
}

/* ---- Federation ---- */

static void test_external_labels__federation_attaches_them(void **state)
{
    struct fixture *f = *state;
    struct buf answer = {0};
    assert_int_equal(
        external_labels_set(&f->api->external, SET(L("region", "eu"), L("zone", "z\"1"))), OK);
    ask(f, "GET /federate?match[]=m", (slice){0}, &answer);
    assert_string_equal(strstr(body_of(&answer), "# TYPE"),
                        "# TYPE m untyped\n"
                        "m{a=\"1\",instance=\"\",region=\"eu\",zone=\"z\\\"1\"} 3 1700000000000\n"
                        "m{job=\"a\",instance=\"\",region=\"eu\",zone=\"z\\\"1\"} 1 1700000000000\n"
                        "m{region=\"own\",instance=\"\",zone=\"z\\\"1\"} 2 1700000000000\n");
    assert_int_equal(external_labels_set(&f->api->external, SET(L("instance", "i"))), OK);
    ask(f, "GET /federate?match[]=m{job!=''}", (slice){0}, &answer);
    assert_non_null(strstr(body_of(&answer), "m{job=\"a\",instance=\"i\"} 1 1700000000000\n"));
    assert_int_equal(external_labels_set(&f->api->external, (struct labels){NULL, 0}), OK);
    buf_fini(&answer);
}

/* ---- Remote read ---- */

/* A query for m and one more matcher. */
static void put_request(struct buf *b, enum matcher_type type, const char *name, const char *value)
{
    size_t query = pb_begin(b, 1);
    pb_put_varint(b, 1, (uint64_t)T0);
    pb_put_varint(b, 2, (uint64_t)T0 + 1);
    size_t m = pb_begin(b, 3);
    pb_put_str(b, 2, LABEL_NAME);
    pb_put_str(b, 3, STR("m"));
    pb_end(b, m);
    m = pb_begin(b, 3);
    pb_put_varint(b, 1, type);
    pb_put_str(b, 2, str_from(name));
    pb_put_str(b, 3, str_from(value));
    pb_end(b, m);
    pb_end(b, query);
}

/* The label sets of a SAMPLES answer, as text, one behind the other. */
static void print_series(slice message, struct buf *out)
{
    struct pb results = pb_of(message);
    assert_true(pb_next(&results));
    struct pb series = pb_of(pb_bytes(&results));
    while (pb_next(&series)) {
        struct pb parts = pb_of(pb_bytes(&series));
        struct label items[16];
        size_t n = 0;
        while (pb_next(&parts)) {
            struct pb pair = pb_of(pb_bytes(&parts));
            if (parts.field != 1)
                continue;
            assert_true(n < 16 && pb_next(&pair));
            items[n].name = pb_text(&pair);
            assert_true(pb_next(&pair));
            items[n++].value = pb_text(&pair);
        }
        labels_format((struct labels){items, n}, out);
    }
    assert_false(results.bad || series.bad);
}

static void assert_read(struct fixture *f, enum matcher_type type, const char *name,
                        const char *value, const char *want)
{
    struct buf request = {0}, packed = {0}, answer = {0}, message = {0}, text = {0};
    struct diag d = {.text = ""};
    put_request(&request, type, name, value);
    snappy_encode(buf_slice(&request), &packed);
    ask(f, "POST /api/v1/read", buf_slice(&packed), &answer);
    assert_int_equal(strncmp(buf_cstr(&answer), "HTTP/1.1 200", 12), 0);
    const char *body = body_of(&answer);
    size_t n = answer.len - (size_t)(body - (const char *)answer.ptr);
    assert_int_equal(snappy_decode((slice){(const uint8_t *)body, n}, 1 << 20, &message, &d), OK);
    print_series(buf_slice(&message), &text);
    assert_string_equal(buf_cstr(&text), want);
    buf_fini(&request);
    buf_fini(&packed);
    buf_fini(&answer);
    buf_fini(&message);
    buf_fini(&text);
}

#define A   "{__name__=\"m\", a=\"1\", region=\"eu\"}"
#define JOB "{__name__=\"m\", job=\"a\", region=\"eu\"}"
#define OWN "{__name__=\"m\", region=\"own\"}"

static void test_external_labels__remote_read_matches_what_it_answers(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(external_labels_set(&f->api->external, SET(L("region", "eu"))), OK);
    assert_read(f, MATCH_EQUAL, "region", "eu", A JOB);
    assert_read(f, MATCH_NOT_EQUAL, "region", "eu", OWN);
    assert_read(f, MATCH_EQUAL, "region", "own", OWN);
    assert_read(f, MATCH_EQUAL, "region", "other", "");
    assert_read(f, MATCH_EQUAL, "region", "", "");
    assert_read(f, MATCH_NOT_EQUAL, "region", "", A JOB OWN);
    assert_read(f, MATCH_REGEX, "region", "e.|own", A JOB OWN);
    assert_read(f, MATCH_NOT_REGEX, "region", "e.", OWN);
    assert_read(f, MATCH_EQUAL, "job", "a", JOB);
    assert_read(f, MATCH_EQUAL, "nothing", "", A JOB OWN);
    /* "b" sorts between: series stand in the order of what they look like */
    assert_int_equal(external_labels_set(&f->api->external, SET(L("b", "2"))), OK);
    assert_read(f, MATCH_EQUAL, "b", "2",
                "{__name__=\"m\", a=\"1\", b=\"2\"}{__name__=\"m\", b=\"2\", job=\"a\"}"
                "{__name__=\"m\", b=\"2\", region=\"own\"}");
    assert_int_equal(external_labels_set(&f->api->external, (struct labels){NULL, 0}), OK);
    assert_read(f, MATCH_EQUAL, "region", "eu", "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_external_labels__the_last_set_holds),
        cmocka_unit_test_setup_teardown(test_external_labels__federation_attaches_them, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_external_labels__remote_read_matches_what_it_answers,
                                        setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
