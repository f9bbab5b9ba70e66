/* api_alerting_test.c -- POST /api/v1/alerting/test: a test notification for a receiver. Providers
 * may take their time: a thread of its own asks them, while the request is put off. */
#include "base/mem.h"
#include "base/thread.h"
#include "http/api.h"
#include "http/json.h"

enum { TESTS_MAX = 4 }; /* at once */

static atomic_uint running;

struct test { /* lives as long as its request */
    struct http_request *request;
    struct notify_service *service;
    struct buf receiver;
    err failed;
    struct trial_result *results;
    size_t count;
};

static void end(void *arg)
{
    struct test *t = arg;
    buf_fini(&t->receiver);
    mem_free(t->results);
    mem_free(t);
}

static void *run(void *arg)
{
    struct test *t = arg;
    t->failed = notify_service_try(t->service, buf_str(&t->receiver), &t->results, &t->count);
    atomic_fetch_sub(&running, 1);
    http_resume(t->request); /* the last: the request, and this with it, may be gone */
    return NULL;
}

/* False, and answered, when there is nothing to send. */
static bool may_test(struct http_request *r)
{
    struct api *api = api_of(r);
    if (api->notify == NULL)
        api_fail(r, API_NOT_FOUND,
                 "there are no receivers: the server was started without "
                 "--alertmanager.config-file");
    else if (http_param(r, STR("receiver")).len == 0)
        api_fail_param(r, "receiver", "the name of a receiver is missing");
    else if (atomic_load(&api->stopping))
        api_fail(r, API_TIMEOUT, "the server stops");
    else
        return true;
    return false;
}

void api_alerting_test(struct http_request *r)
{
    pthread_t thread;
    if (!may_test(r))
        return;
    if (atomic_fetch_add(&running, 1) >= TESTS_MAX) {
        atomic_fetch_sub(&running, 1);
        api_fail(r, API_TIMEOUT, "4 test notifications are on their way, try again later");
        return;
    }
    struct test *t = mem_zalloc(1, sizeof(*t));
    t->request = r;
    t->service = api_of(r)->notify;
    buf_put_str(&t->receiver, http_param(r, STR("receiver")));
    http_on_end(r, end, t);
    http_set_state(r, t);
    http_defer(r); /* first: the thread may be done before this returns */
    if (thread_start(&thread, "notify-trial", run, t) == OK) {
        (void)pthread_detach(thread);
        return;
    }
    t->failed = ERR_BUSY;
    atomic_fetch_sub(&running, 1);
    http_resume(r);
}

/* ---- The answer ---- */

static void put_result(struct buf *b, const struct trial_result *t)
{
    static const char *const STATUS[] = {
        [NOTIFY_SENT] = "sent", [NOTIFY_RETRY] = "failed", [NOTIFY_FAILED] = "failed"};
    buf_printf(b, "{\"integration\":\"%s\",\"index\":%zu,\"status\":\"%s\",\"latencyMs\":%lld",
               integration_name(t->kind), t->index,
               t->tried ? STATUS[t->result.outcome] : "not tried", (long long)t->latency_ms);
    if (!t->tried || t->result.outcome != NOTIFY_SENT) {
        buf_printf(b, ",\"retryable\":%s,\"error\":",
                   !t->tried || t->result.outcome == NOTIFY_RETRY ? "true" : "false");
        json_html(b, str_from(t->why.text));
    }
    buf_put_u8(b, '}');
}

void api_alerting_test_finish(struct http_request *r)
{
    const struct test *t = http_state(r);
    if (t->failed == ERR_NOTFOUND) {
        api_fail(r, API_NOT_FOUND, "there is no such receiver");
        return;
    }
    if (t->failed != OK) {
        api_fail(r, API_TIMEOUT, "no thread could be started, try again later");
        return;
    }
    struct buf *b = api_begin(r);
    buf_put_str(b, STR("{\"receiver\":"));
    json_html(b, buf_str(&t->receiver));
    buf_put_str(b, STR(",\"integrations\":["));
    for (size_t i = 0; i < t->count; i++) {
        if (i > 0)
            buf_put_u8(b, ',');
        put_result(b, &t->results[i]);
    }
    buf_put_str(b, STR("]}"));
    api_end(b, NULL, 0, NULL, 0);
}
