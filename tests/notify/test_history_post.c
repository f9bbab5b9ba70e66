/* test_history_post.c -- events of the history as they go to a webhook: in their order, again after
 * a failure, never more than may wait; limits that change. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/jtree.h"
#include "base/thread.h"
#include "notify/history.h"
#include "notify_testing.h"
#include "support/fs_sim.h"
#include "support/http_stub.h"

struct hook {
    struct http_stub *stub;
    struct mutex lock;     /* guards what follows */
    const char *status[8]; /* of the first answers; then "200 OK" */
    unsigned answers;
    struct buf seqs; /* "1 2 3 " of what was taken */
};

static void note_events(struct hook *w, str request)
{
    struct jtree *root = NULL;
    struct diag d = {.text = ""};
    const char *body = memmem(request.ptr, request.len, "\r\n\r\n", 4);
    assert_non_null(body);
    slice json = {(const uint8_t *)body + 4, request.len - (size_t)(body + 4 - request.ptr)};
    if (jtree_parse(json, &root, &d) != OK)
        fail_msg("%s", d.text);
    assert_true(str_eq(jtree_text(jtree_get(root, "version")), STR("1")));
    const struct jtree *events = jtree_get(root, "events");
    for (size_t i = 0; i < jtree_count(events); i++)
        buf_printf(&w->seqs, STR_FMT " ",
                   STR_ARG(jtree_text(jtree_get(jtree_at(events, i), "seq"))));
    jtree_free(root);
}

static void answer(void *arg, str request, struct buf *reply)
{
    struct hook *w = arg;
    mutex_lock(&w->lock);
    const char *status = w->answers < COUNT_OF(w->status) ? w->status[w->answers] : NULL;
    w->answers++;
    if (status == NULL)
        note_events(w, request);
    mutex_unlock(&w->lock);
    http_stub_reply(reply, status != NULL ? status : "200 OK", "", "");
}

static void hook_open(struct hook *w)
{
    mutex_init(&w->lock);
    w->stub = http_stub_open(answer, w);
}

static void hook_close(struct hook *w)
{
    http_stub_close(w->stub);
    mutex_fini(&w->lock);
    buf_fini(&w->seqs);
}

static bool has_taken(struct hook *w, const char *seqs)
{
    mutex_lock(&w->lock);
    bool so = strcmp(buf_cstr(&w->seqs), seqs) == 0;
    mutex_unlock(&w->lock);
    return so;
}

static void wait_for(struct hook *w, const char *seqs)
{
    for (int i = 0; i < 1000 && !has_taken(w, seqs); i++)
        (void)nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    if (!has_taken(w, seqs))
        fail_msg("not \"%s\": %s", seqs, buf_cstr(&w->seqs));
}

static struct history_post *open_post(unsigned port)
{
    struct buf url = {0};
    struct history_post *p;
    struct diag d = {.text = ""};
    buf_printf(&url, "http://127.0.0.1:%u/take/secret-1234", port);
    assert_int_equal(history_post_open(buf_str(&url), STR("Varve/1"), &p, &d), OK);
    assert_true(history_post_goes_to(p, buf_str(&url)));
    assert_false(history_post_goes_to(p, STR("http://else/")));
    assert_int_equal(history_post_start(p), OK);
    buf_fini(&url);
    return p;
}

static struct history *open_history(struct fs_sim *disk)
{
    struct history *h;
    struct diag d = {.text = ""};
    const struct history_options o = {.fs = fs_sim_fs(disk),
                                      .dir = "/history",
                                      .retention_ms = INT64_C(640000),
                                      .bytes_max = 64 * HISTORY_BYTES_MIN};
    assert_int_equal(history_open(&o, &h, &d), OK);
    return h;
}

static void put(struct history *h, unsigned count, int64_t at_ms)
{
    struct testing_labels l;
    struct history_event e = {.kind = HISTORY_ALERT_FIRING, .at_ms = at_ms};
    e.labels = testing_labels(&l, "alertname=<A>");
    for (unsigned i = 0; i < count; i++)
        history_put(h, &e);
}

static struct history_post_stats stats(struct history *h)
{
    struct history_stats s;
    history_stats(h, &s);
    assert_true(s.posts);
    return s.post;
}

static void test_history_post__posts_in_order_and_again(void **state)
{
    struct fs_sim *disk = fs_sim_new(1);
    struct hook w = {.status = {"500 Oh", "429 Slow"}};
    (void)state;
    hook_open(&w);
    struct history *h = open_history(disk);
    assert_null(history_set_post(h, open_post(http_stub_port(w.stub))));
    put(h, 3, 1000);
    wait_for(&w, "1 2 3 ");
    put(h, 2, 2000);
    wait_for(&w, "1 2 3 4 5 ");
    const char *first = http_stub_request(w.stub, 0);
    assert_non_null(strstr(first, "POST /take/secret-1234 HTTP/1.1\r\n"));
    assert_non_null(strstr(first, "User-Agent: Varve/1\r\n"));
    assert_non_null(
        strstr(first, "\r\n\r\n{\"version\":\"1\",\"events\":[{\"seq\":\"1\",\"type\":"
                      "\"alert_firing\",\"time\":\"1970-01-01T00:00:01Z\",\"labels\":{"
                      "\"alertname\":\"\\u003cA\\u003e\"},\"fingerprints\":[]},{\"seq\":\"2\""));
    for (int i = 0; i < 5000 && stats(h).posted < 5; i++) /* the answer is still to be noted */
        clock_sleep_ns(1000000);
    assert_int_equal(stats(h).posted, 5);
    assert_int_equal(stats(h).failures, 2);
    assert_int_equal(stats(h).dropped, 0);
    assert_int_equal(stats(h).waiting_bytes, 0);
    history_close(h);
    hook_close(&w);
    fs_sim_free(disk);
}

/* What is refused for good is not sent again; what comes behind it is. */
static void test_history_post__goes_on_behind_a_refusal(void **state)
{
    struct fs_sim *disk = fs_sim_new(1);
    struct hook w = {.status = {"400 No"}};
    (void)state;
    hook_open(&w);
    struct history *h = open_history(disk);
    struct history_post *p = open_post(http_stub_port(w.stub));
    assert_null(history_set_post(h, p));
    put(h, 3, 1000);
    for (int i = 0; i < 1000 && stats(h).dropped == 0; i++)
        (void)nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    assert_int_equal(stats(h).dropped, 3);
    put(h, 1200, 2000); /* more than a batch */
    for (int i = 0; i < 1000 && stats(h).posted < 1200; i++)
        (void)nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    assert_int_equal(stats(h).posted, 1200);
    assert_true(http_stub_count(w.stub) >= 4);
    put(h, 2, 3000); /* at the end, what waits is sent */
    assert_ptr_equal(history_set_post(h, NULL), p);
    history_post_close(p);
    assert_true(str_ends(buf_str(&w.seqs), STR(" 1203 1204 1205 ")));
    put(h, 1, 3000);
    history_close(h);
    hook_close(&w);
    fs_sim_free(disk);
}

/* Nobody listens: what waits is bounded, the history has it all, and the end comes soon. */
static void test_history_post__holds_up_nothing(void **state)
{
    struct fs_sim *disk = fs_sim_new(1);
    struct history_stats s;
    struct testing_labels l;
    struct buf text = {0};
    (void)state;
    struct history *h = open_history(disk);
    assert_null(history_set_post(h, open_post(1)));
    for (int i = 0; i < 10000; i++)
        buf_put_u8(&text, 'x');
    struct history_event e = {.kind = HISTORY_NOTIFICATION_FAILED, .at_ms = 1000};
    e.labels = testing_labels(&l, "alertname=A");
    e.texts[HISTORY_ERROR] = buf_str(&text);
    for (int i = 0; i < 1000; i++)
        history_put(h, &e);
    history_stats(h, &s);
    assert_int_equal(s.dropped, 0);
    assert_true(s.post.dropped > 100 && s.post.dropped < 200);
    assert_true(s.post.waiting_bytes <= HISTORY_POST_BYTES_MAX);
    uint64_t begin_ns = clock_mono_ns();
    history_close(h);
    assert_true(clock_mono_ns() - begin_ns < UINT64_C(5000000000));
    buf_fini(&text);
    fs_sim_free(disk);
}

static void test_history__obeys_other_limits(void **state)
{
    struct fs_sim *disk = fs_sim_new(1);
    struct history_stats s;
    (void)state;
    struct history *h = open_history(disk);
    for (int i = 0; i < 64; i++) {
        put(h, 1000, 10001 * i);
        assert_int_equal(history_flush(h, true), OK);
    }
    history_gc(h, 640064);
    history_stats(h, &s);
    assert_true(s.segments >= 60);
    uint64_t bytes = s.bytes;
    history_set_limits(h, 640000, bytes / 2);
    history_gc(h, 640064);
    history_stats(h, &s);
    assert_true(s.bytes <= bytes / 2 && s.bytes > bytes / 3);
    history_set_limits(h, 100000, bytes);
    history_gc(h, 640064);
    history_stats(h, &s);
    assert_in_range(s.segments, 9, 12);
    assert_false(s.posts);
    history_close(h);
    fs_sim_free(disk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_history_post__posts_in_order_and_again),
        cmocka_unit_test(test_history_post__goes_on_behind_a_refusal),
        cmocka_unit_test(test_history_post__holds_up_nothing),
        cmocka_unit_test(test_history__obeys_other_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
