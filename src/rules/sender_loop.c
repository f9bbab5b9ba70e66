/* sender_loop.c -- see sender_loop.h. */
#include "rules/sender_loop.h"

#include <stdatomic.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/http_multi.h"
#include "base/log.h"
#include "base/mem.h"
#include "config/config.h"

enum { REPLY_BYTES_MAX = 1 << 20 };

struct sender_loop {
    struct sender_loop_options o;
    struct buf url, shown; /* shown: without a password */
    struct timing seconds;
    struct timing_recent recent;
    pthread_t thread;
    int wake_fd;       /* readable: a request that waits looks again whether it may */
    struct mutex lock; /* guards what follows; a leaf */
    struct cond wake;
    struct sender_queue queue;
    bool stopping, ended;
    uint64_t end_mono_ns; /* when a loop that stops gives up */
    uint64_t sent, errors, dropped;
    bool tried, failing;
    char reason[SENDER_REASON_SIZE];
};

/* ---- One batch ---- */

static bool swallow(void *arg, slice bytes)
{
    (void)arg;
    (void)bytes;
    return true;
}

/* How long a request may still wait; 0: not at all. */
static int64_t patience_ms(struct sender_loop *l)
{
    mutex_lock(&l->lock);
    uint64_t now = clock_mono_ns(), end = l->stopping ? l->end_mono_ns : UINT64_MAX;
    mutex_unlock(&l->lock);
    if (end <= now)
        return 0;
    return (int64_t)MIN((end - now) / 1000000 + 1, (uint64_t)l->o.timeout_ms + 1000);
}

static void unwake(struct sender_loop *l)
{
    uint64_t n;
    (void)!read(l->wake_fd, &n, sizeof(n));
}

/* Run the request to its end, or until the loop must end. */
static err run_request(struct sender_loop *l, struct http_multi *m,
                       const struct http_request_options *o, int *status, struct diag *d)
{
    struct http_multi_result r = {.tag = NULL};
    http_multi_start(m, l->o.client, o, l);
    for (;;) {
        int64_t ms = patience_ms(l);
        if (ms > 0 && http_multi_wait(m, l->wake_fd, ms, &r))
            break;
        unwake(l);
        if (ms > 0)
            continue;
        http_multi_cancel(m, l);
        return diag_set(d, ERR_CANCELED, "the server ends");
    }
    *status = r.reply.status;
    http_reply_fini(&r.reply);
    if (r.e != OK)
        (void)diag_set(d, r.e, "%s", r.d.text);
    return r.e;
}

static err post(struct sender_loop *l, struct http_multi *m, slice body, struct diag *d)
{
    const struct http_request_options o = {
        .method = "POST",
        .url = buf_str(&l->url),
        .content_type = STR("application/json"),
        .body = body,
        .body_bytes_max = REPLY_BYTES_MAX,
        .timeout_ms = l->o.timeout_ms,
        .piece = swallow,
    };
    int status = 0;
    TRY(run_request(l, m, &o, &status, d));
    if (status / 100 == 2)
        return OK;
    struct buf text = {0};
    http_status_text(status, &text);
    err e = diag_set(d, ERR_IO, "bad response status " STR_FMT, STR_ARG(buf_str(&text)));
    buf_fini(&text);
    return e;
}

static void note(struct sender_loop *l, size_t count, err e, const struct diag *d, uint64_t took_ns)
{
    mutex_lock(&l->lock);
    l->tried = true;
    l->failing = e != OK;
    if (e == OK) {
        l->sent += count;
    } else {
        l->errors += count;
        l->dropped += count;
        (void)snprintf(l->reason, sizeof(l->reason), "%.*s", (int)sizeof(l->reason) - 1, d->text);
    }
    mutex_unlock(&l->lock);
    if (e == OK) {
        timing_add(&l->seconds, took_ns);
        timing_recent_add(&l->recent, took_ns, clock_mono_ns());
    } else {
        log_error("alerts not sent", LOG_STR("alertmanager", buf_str(&l->shown)),
                  LOG_INT("count", count), LOG_CSTR("reason", d->text));
    }
}

static void send_batch(struct sender_loop *l, struct http_multi *m, struct sent_alert **batch,
                       size_t count)
{
    struct diag d = {.text = ""};
    struct buf body = {0};
    uint64_t begin = clock_mono_ns();
    buf_put_u8(&body, '[');
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            buf_put_u8(&body, ',');
        buf_put(&body, batch[i]->json, batch[i]->len);
        sent_alert_unref(batch[i]);
    }
    buf_put_u8(&body, ']');
    err e = post(l, m, buf_slice(&body), &d);
    buf_fini(&body);
    note(l, count, e, &d, clock_mono_ns() - begin);
}

/* ---- The thread ---- */

/* Wait for the next batch; 0: the loop ends. */
static size_t next_batch(struct sender_loop *l, struct sent_alert **batch)
{
    mutex_lock(&l->lock);
    while (l->queue.count == 0 && !l->stopping)
        cond_wait(&l->wake, &l->lock);
    bool over = l->stopping && (!l->o.drain || clock_mono_ns() >= l->end_mono_ns);
    size_t n = over ? 0 : sender_queue_take(&l->queue, l->o.batch_max, batch);
    mutex_unlock(&l->lock);
    return n;
}

static void *loop_main(void *arg)
{
    struct sender_loop *l = arg;
    struct http_multi *m = http_multi_open();
    struct sent_alert **batch = mem_zalloc(l->o.batch_max, sizeof(struct sent_alert *));
    for (size_t n; (n = next_batch(l, batch)) > 0;)
        send_batch(l, m, batch, n);
    http_multi_close(m);
    mem_free(batch);
    mutex_lock(&l->lock);
    size_t left = l->queue.count;
    l->dropped += left;
    l->ended = true;
    mutex_unlock(&l->lock);
    if (left > 0)
        log_warn("alerts that were queued are not sent",
                 LOG_STR("alertmanager", buf_str(&l->shown)), LOG_INT("count", left),
                 LOG_CSTR("reason", l->o.drain ? "no time left" : "draining is switched off"));
    return NULL;
}

void sender_loop_add(struct sender_loop *l, struct sent_alert *const *alerts, size_t count)
{
    size_t lost = 0;
    mutex_lock(&l->lock);
    if (!l->stopping)
        lost = sender_queue_add(&l->queue, alerts, count);
    l->dropped += lost;
    cond_signal(&l->wake);
    mutex_unlock(&l->lock);
    if (lost > 0)
        log_warn("the queue of alerts is full: the oldest are dropped",
                 LOG_STR("alertmanager", buf_str(&l->shown)), LOG_INT("count", lost));
}

/* ---- Life ---- */

static void loop_free(struct sender_loop *l)
{
    if (l->wake_fd >= 0)
        (void)close(l->wake_fd);
    sender_queue_fini(&l->queue);
    timing_recent_fini(&l->recent);
    cond_fini(&l->wake);
    mutex_fini(&l->lock);
    buf_fini(&l->url);
    buf_fini(&l->shown);
    mem_free(l);
}

err sender_loop_open(const struct sender_loop_options *o, struct sender_loop **out)
{
    struct sender_loop *l = mem_zalloc(1, sizeof(*l));
    l->o = *o;
    l->o.batch_max = MIN(MAX(o->batch_max, 1), SENDER_BATCH_MAX);
    buf_put_str(&l->url, o->url);
    config_redacted_url(o->url, &l->shown);
    mutex_init(&l->lock);
    cond_init(&l->wake);
    timing_recent_init(&l->recent);
    sender_queue_init(&l->queue, MAX(o->capacity, 1));
    l->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    err e = l->wake_fd >= 0 ? thread_start(&l->thread, "alertmanager", loop_main, l) : ERR_IO;
    if (e != OK)
        loop_free(l);
    else
        *out = l;
    return e;
}

void sender_loop_stop(struct sender_loop *l)
{
    uint64_t one = 1;
    mutex_lock(&l->lock);
    if (!l->stopping) {
        int64_t ms = l->o.drain ? MAX(l->o.timeout_ms, (int64_t)SENDER_DRAIN_MS) : 0;
        l->stopping = true;
        l->end_mono_ns = clock_mono_ns() + (uint64_t)ms * 1000000;
        cond_signal(&l->wake);
        (void)!write(l->wake_fd, &one, sizeof(one));
    }
    mutex_unlock(&l->lock);
}

bool sender_loop_has_ended(struct sender_loop *l)
{
    mutex_lock(&l->lock);
    bool ended = l->ended;
    mutex_unlock(&l->lock);
    return ended;
}

void sender_loop_close(struct sender_loop *l)
{
    if (l == NULL)
        return;
    sender_loop_stop(l);
    thread_join(l->thread);
    loop_free(l);
}

str sender_loop_url(const struct sender_loop *l)
{
    return buf_str(&l->url);
}

void sender_loop_stats_of(struct sender_loop *l, struct sender_loop_stats *out)
{
    mutex_lock(&l->lock);
    *out = (struct sender_loop_stats){
        .sent = l->sent,
        .errors = l->errors,
        .dropped = l->dropped,
        .queued = l->queue.count,
        .capacity = l->queue.capacity,
        .seconds = &l->seconds,
        .recent = &l->recent,
        .tried = l->tried,
        .failing = l->failing,
    };
    memcpy(out->reason, l->reason, sizeof(out->reason));
    mutex_unlock(&l->lock);
}
