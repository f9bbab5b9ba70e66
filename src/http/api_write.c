/* api_write.c -- /api/v1/write and its alias /api/v1/push: decoding happens on the connection's own
 * thread (it is short), the commit elsewhere; meanwhile the connection is suspended. */
#include "base/clock.h"
#include "base/number.h"
#include "http/api.h"

static void written(void *arg)
{
    http_resume(arg);
}

void api_write(struct http_request *r)
{
    struct remote_write *w;
    http_defer(r); /* first: `written` may be called before begin returns */
    remote_write_begin(api_of(r)->receiver, http_header(r, "Content-Type"),
                       http_header(r, "Content-Encoding"), http_body(r), written, r, &w);
    http_set_state(r, w); /* finish runs later on this very thread */
}

static void put_count(struct http_request *r, const char *name, size_t n)
{
    char text[24];
    http_answer_header(r, name, (str){text, number_format_i64((int64_t)n, text)});
}

void api_write_finish(struct http_request *r)
{
    struct remote_write_reply reply;
    err e = remote_write_finish(http_state(r), &reply);
    if (e == ERR_RETRY) {
        api_write(r);
        return;
    }
    if (reply.status == 204)
        http_answer(r, 204, "text/plain; charset=utf-8");
    else
        http_text(r, reply.status, buf_cstr(&reply.text));
    if (reply.retry_after)
        http_answer_header(r, "Retry-After", STR("1"));
    put_count(r, "X-Prometheus-Remote-Write-Samples-Written", reply.samples);
    put_count(r, "X-Prometheus-Remote-Write-Histograms-Written", reply.histograms);
    put_count(r, "X-Prometheus-Remote-Write-Exemplars-Written", reply.exemplars);
    buf_fini(&reply.text);
    timing_add(&api_of(r)->write_seconds, clock_mono_ns() - http_start_mono_ns(r));
}
