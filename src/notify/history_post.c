/* history_post.c -- see history_post.h. */
#include "notify/history_post.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/http_client.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"
#include "notify/history_event.h"
#include "notify/history_json.h"
#include "notify/sending.h"

enum { SIZE_BYTES = 4, ARENA_BYTES_MAX = 64 << 20, REPLY_BYTES_MAX = 1 << 16 };

struct history_post {
    struct buf url;
    struct http_client_config config;
    struct http_client *client;
    struct mutex lock; /* guards what follows; rank: behind the history's */
    struct cond woken;
    struct buf waiting; /* sizes (u32) and records */
    struct history_post_stats stats;
    uint64_t end_ns; /* when closing: the last moment */
    atomic_bool closing, late;
    pthread_t thread;
    bool started;
};

struct batch { /* taken from what waits; stays there until it is done with */
    struct buf body;
    size_t bytes, events;
};

/* ---- In ---- */

void history_post_put(struct history_post *p, slice record)
{
    mutex_lock(&p->lock);
    if (p->waiting.len + SIZE_BYTES + record.len > HISTORY_POST_BYTES_MAX) {
        p->stats.dropped++;
    } else {
        buf_put_u32(&p->waiting, (uint32_t)record.len);
        buf_put(&p->waiting, record.ptr, record.len);
        if (p->waiting.len == SIZE_BYTES + record.len)
            cond_signal(&p->woken);
    }
    mutex_unlock(&p->lock);
}

/* ---- Batches ---- */

static void put_event(slice record, struct arena *a, struct batch *b)
{
    struct history_event e;
    arena_reset(a);
    if (history_event_decode(record, a, &e) != OK)
        return; /* never: it was encoded here */
    buf_put_str(&b->body, b->events > 0 ? STR(",") : STR(""));
    history_event_json(&e, &b->body);
    b->events++;
}

/* The first of what waits. Nobody else takes any away, so that it is copied without haste. */
static void take_batch(struct history_post *p, struct batch *b)
{
    struct buf records = {0};
    struct arena a;
    mutex_lock(&p->lock);
    struct reader r = reader_of(buf_slice(&p->waiting));
    for (size_t n = 0; n < HISTORY_POST_EVENTS_MAX && reader_left(&r) > 0; n++) {
        uint32_t size = read_u32(&r);
        slice record = read_bytes(&r, size);
        if (n > 0 && b->bytes + SIZE_BYTES + size > HISTORY_POST_BATCH_BYTES_MAX)
            break;
        buf_put_u32(&records, size);
        buf_put(&records, record.ptr, record.len);
        b->bytes += SIZE_BYTES + size;
    }
    mutex_unlock(&p->lock);
    arena_init(&a, ARENA_BYTES_MAX);
    buf_put_str(&b->body, STR("{\"version\":\"1\",\"events\":["));
    for (r = reader_of(buf_slice(&records)); reader_left(&r) > 0;) {
        uint32_t size = read_u32(&r);
        put_event(read_bytes(&r, size), &a, b);
    }
    buf_put_str(&b->body, STR("]}\n"));
    arena_fini(&a);
    buf_fini(&records);
}

/* Done with: posted, or refused for good. */
static void drop_batch(struct history_post *p, const struct batch *b, bool posted)
{
    mutex_lock(&p->lock);
    memmove(p->waiting.ptr, p->waiting.ptr + b->bytes, p->waiting.len - b->bytes);
    p->waiting.len -= b->bytes;
    if (posted)
        p->stats.posted += b->events;
    else
        p->stats.dropped += b->events;
    mutex_unlock(&p->lock);
}

/* ---- Out ---- */

static bool is_called_off(void *arg)
{
    struct history_post *p = arg;
    return atomic_load(&p->closing) && clock_mono_ns() > p->end_ns;
}

static struct notify_result post(struct history_post *p, const struct batch *b)
{
    struct http_reply reply = {0};
    struct diag d = {.text = ""};
    struct notify_result result = {NOTIFY_RETRY, 0};
    const struct http_request_options o = {.method = "POST",
                                           .url = buf_str(&p->url),
                                           .content_type = STR("application/json"),
                                           .body = buf_slice(&b->body),
                                           .body_bytes_max = REPLY_BYTES_MAX,
                                           .timeout_ms = HISTORY_POST_TIMEOUT_MS,
                                           .canceled = is_called_off,
                                           .arg = p};
    err e = http_fetch(p->client, &o, &reply, &d);
    if (e == OK || (e == ERR_LIMIT && reply.status != 0)) /* who answers at length answered */
        result =
            notify_result_of_status(reply.status, http_reply_header(&reply, STR("Retry-After")));
    if (result.outcome != NOTIFY_SENT)
        log_warn("the webhook of the history does not take events",
                 LOG_INT("events", (int64_t)b->events), LOG_INT("status", reply.status),
                 LOG_CSTR("again", result.outcome == NOTIFY_RETRY ? "yes" : "no"),
                 LOG_CSTR("err", d.text));
    http_reply_fini(&reply);
    return result;
}

/* How long to wait before the next one. */
static int64_t post_some(struct history_post *p, int64_t *pause_ms)
{
    struct batch b = {.bytes = 0};
    take_batch(p, &b);
    struct notify_result result = post(p, &b);
    buf_fini(&b.body);
    if (result.outcome != NOTIFY_RETRY)
        drop_batch(p, &b, result.outcome == NOTIFY_SENT);
    if (result.outcome == NOTIFY_SENT) {
        *pause_ms = HISTORY_POST_PAUSE_MS;
        return b.events < HISTORY_POST_EVENTS_MAX ? HISTORY_POST_WAIT_MS : 0;
    }
    mutex_lock(&p->lock);
    p->stats.failures++;
    mutex_unlock(&p->lock);
    int64_t wait_ms = MAX(*pause_ms, result.retry_after_ms);
    *pause_ms = MIN(2 * *pause_ms, HISTORY_POST_PAUSE_MS_MAX);
    return wait_ms;
}

/* Wait so long, and then until there is something. False: it is the end. */
static bool wait_for_events(struct history_post *p, int64_t wait_ms)
{
    uint64_t until_ns = clock_mono_ns() + (uint64_t)wait_ms * 1000000;
    mutex_lock(&p->lock);
    while (!atomic_load(&p->closing) && wait_ms > 0 &&
           cond_wait_until(&p->woken, &p->lock, until_ns))
        ;
    while (!atomic_load(&p->closing) && p->waiting.len == 0)
        cond_wait(&p->woken, &p->lock);
    mutex_unlock(&p->lock);
    return !atomic_load(&p->closing);
}

static void *work(void *arg)
{
    struct history_post *p = arg;
    int64_t pause_ms = HISTORY_POST_PAUSE_MS, wait_ms = HISTORY_POST_WAIT_MS;
    while (wait_for_events(p, wait_ms))
        wait_ms = post_some(p, &pause_ms);
    bool good = pause_ms == HISTORY_POST_PAUSE_MS; /* the last one was taken */
    while (good && p->waiting.len > 0 && !is_called_off(p)) {
        (void)post_some(p, &pause_ms);
        good = pause_ms == HISTORY_POST_PAUSE_MS;
    }
    return NULL;
}

/* ---- Begin and end ---- */

err history_post_open(str url, str agent, struct history_post **out, struct diag *d)
{
    struct history_post *p = mem_zalloc(1, sizeof(*p));
    p->config = (struct http_client_config){.follow_redirects = true, .enable_http2 = true};
    err e = http_client_open(&p->config, agent, &p->client, d);
    if (e != OK) {
        mem_free(p);
        return e;
    }
    buf_put_str(&p->url, url);
    mutex_init(&p->lock);
    cond_init(&p->woken);
    *out = p;
    return OK;
}

err history_post_start(struct history_post *p)
{
    TRY(thread_start(&p->thread, "history-post", work, p));
    p->started = true;
    return OK;
}

void history_post_close(struct history_post *p)
{
    if (p == NULL)
        return;
    mutex_lock(&p->lock);
    p->end_ns = clock_mono_ns() + (uint64_t)HISTORY_POST_END_MS * 1000000;
    atomic_store(&p->closing, true);
    cond_signal(&p->woken);
    mutex_unlock(&p->lock);
    if (p->started)
        thread_join(p->thread);
    if (p->waiting.len > 0)
        log_warn("events of the history were not posted",
                 LOG_INT("bytes", (int64_t)p->waiting.len));
    http_client_close(p->client);
    buf_fini(&p->url);
    buf_fini(&p->waiting);
    cond_fini(&p->woken);
    mutex_fini(&p->lock);
    mem_free(p);
}

bool history_post_goes_to(const struct history_post *p, str url)
{
    return str_eq(buf_str(&p->url), url);
}

void history_post_stats(struct history_post *p, struct history_post_stats *out)
{
    mutex_lock(&p->lock);
    *out = p->stats;
    out->waiting_bytes = p->waiting.len;
    mutex_unlock(&p->lock);
}
