/* scrape_pages.c -- from answers to samples in the store: answers wait a little for each other, a
 * worker reads them together and commits them together, so that waking threads and syncing the log
 * cost once for many targets. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "ingest/scrape_failures.h"
#include "ingest/scrape_priv.h"

/* ---- Tasks of workers ---- */

static void push_task(struct scrape_loop *l, enum loop_task task)
{
    struct scraper *s = l->owner;
    l->task = task;
    l->next_task = NULL;
    mutex_lock(&s->task_lock);
    *s->tasks_end = l;
    s->tasks_end = &l->next_task;
    mutex_unlock(&s->task_lock);
    cond_signal(&s->task_wake); /* who wakes should find the lock free */
}

void scrape_get_token(struct scrape_loop *l)
{
    push_task(l, TASK_TOKEN);
}

/* ---- Objects for pages ---- */

/* On the commit thread, once for each page of the group. */
static void committed(struct db_batch *b)
{
    struct scrape_loop *l = b->user;
    struct scraper *s = l->owner;
    mutex_lock(&s->task_lock);
    l->next_page = s->committed;
    s->committed = l;
    /* Under the lock: the scraper may be gone once a worker can have finished its last scrape. */
    if (l->next_page == NULL)
        cond_signal(&s->task_wake);
    mutex_unlock(&s->task_lock);
}

struct scrape_append *scrape_take_append(struct scrape_loop *l)
{
    struct scraper *s = l->owner;
    struct scrape_append *a = NULL;
    mutex_lock(&s->append_lock);
    if (s->idle_append_count > 0)
        a = s->idle_appends[--s->idle_append_count];
    mutex_unlock(&s->append_lock);
    if (a == NULL) {
        a = mem_zalloc(1, sizeof(*a));
        scrape_append_open(a, &s->env);
    }
    buf_reset(&a->page);
    buf_reset(&a->raw);
    a->batch.done = committed;
    a->batch.user = l;
    return a;
}

static void give_append(struct scraper *s, struct scrape_append *a)
{
    mutex_lock(&s->append_lock);
    bool kept = s->idle_append_count < APPENDS_KEPT_MAX;
    if (kept)
        s->idle_appends[s->idle_append_count++] = a;
    mutex_unlock(&s->append_lock);
    if (!kept) {
        scrape_append_close(a);
        mem_free(a);
    }
}

/* ---- Waiting for each other, on the driving thread ---- */

void scrape_pass_on(struct scraper *s)
{
    struct fetched_pages *f = &s->fetched;
    struct scrape_loop *first = f->first;
    *f = (struct fetched_pages){.first = NULL};
    if (first != NULL)
        push_task(first, TASK_PAGES);
}

void scrape_fetched(struct scrape_loop *l)
{
    struct scraper *s = l->owner;
    struct fetched_pages *f = &s->fetched;
    (void)atomic_fetch_add_explicit(&s->scrape_count, 1, memory_order_relaxed);
    l->fetched_mono_ns = clock_mono_ns();
    if (l->append->raw.len >= PAGE_ALONE_BYTES) {
        l->next_page = NULL;
        push_task(l, TASK_PAGES);
        return;
    }
    if (f->first == NULL)
        f->since_mono_ns = l->fetched_mono_ns;
    l->next_page = f->first;
    f->first = l;
    f->count++;
    f->bytes += l->append->raw.len;
    f->urgent |= l->interval_ns < (uint64_t)PAGES_DELAY_MS * 10 * 1000000;
    if (f->count >= PAGES_TOGETHER_MAX || f->bytes >= PAGES_TOGETHER_BYTES)
        scrape_pass_on(s);
}

uint64_t scrape_pages_due(struct scraper *s)
{
    const struct fetched_pages *f = &s->fetched;
    uint64_t due = f->since_mono_ns + (uint64_t)PAGES_DELAY_MS * 1000000;
    if (f->first == NULL)
        return UINT64_MAX;
    if (!f->urgent && clock_mono_ns() < due)
        return due;
    scrape_pass_on(s);
    return UINT64_MAX;
}

/* ---- Pages and results, on the workers ---- */

/* From the answer to a page; what goes wrong is the transfer's error. */
static void unpack(struct scrape_loop *l)
{
    struct transfer *x = &l->transfer;
    uint64_t limit = l->job->config->limits.body_size_bytes;
    if (limit == 0 || limit > TRANSFER_BODY_BYTES_MAX)
        limit = TRANSFER_BODY_BYTES_MAX;
    err e = scrape_append_unpack(l->append, x->gzipped, limit);
    x->too_large = e == ERR_LIMIT;
    if (e != OK)
        (void)snprintf(x->error, sizeof(x->error), "%s",
                       e == ERR_LIMIT ? "body size limit exceeded"
                                      : "gzip: invalid header, data or checksum");
}

/* A page that failed will not be looked at again, and may be large. */
static void drop_failed_page(struct scrape_loop *l)
{
    struct scrape_append *a = l->append;
    if (a->good || a->in.error != NULL || a->diag.text[0] == '\0')
        return;
    (void)snprintf(l->transfer.error, sizeof(l->transfer.error), "%s", a->diag.text);
    a->in.error = l->transfer.error;
    buf_fini(&a->page);
    buf_fini(&a->raw);
}

/* The time that the answer waited for others is no part of the scrape's duration. */
static uint64_t start_without_waiting(const struct scrape_loop *l)
{
    return l->start_mono_ns + (clock_mono_ns() - l->fetched_mono_ns);
}

static void read_page(struct scrape_loop *l)
{
    uint64_t start_mono_ns = start_without_waiting(l);
    const struct transfer *x = &l->transfer;
    struct scrape_append *a = l->append;
    bool end = l->final;
    if (!end && l->forced_error[0] == '\0' && x->error[0] == '\0')
        unpack(l);
    const char *error = l->forced_error[0] != '\0' ? l->forced_error
                        : x->error[0] != '\0'      ? x->error
                                                   : NULL;
    struct scrape_input in = {
        .config = l->job->config,
        .memory = &l->memory,
        .target = l->target->shown,
        .histograms = l->target->histograms,
        .ts_ms = end ? l->stale_ms : l->ts_ms,
        .timeout_ms = l->target->timeout_ms,
        .start_mono_ns = start_mono_ns,
        .error = end ? NULL : error,
        .body_bytes = error == NULL ? (int64_t)a->page.len : 0,
        .content_type = str_from(x->content_type),
        .end_of_life = end,
    };
    if (error != NULL && x->too_large) {
        in.body_bytes = -1;
        (void)atomic_fetch_add_explicit(&l->owner->env.counters.exceeded_body_size, 1,
                                        memory_order_relaxed);
    }
    scrape_append_begin(a, &in);
    drop_failed_page(l);
}

/* What has been read is committed together: the log is synced once. When pages turn out to be large
 * or slow, those read so far go first, and the others to whoever is free. */
static void read_pages(struct scrape_loop *l)
{
    struct db *db = l->owner->env.db;
    struct db_batch *first = NULL, **end = &first;
    uint64_t until_mono_ns = clock_mono_ns() + (uint64_t)PAGES_READ_MS * 1000000;
    size_t bytes = 0;
    do {
        read_page(l);
        bytes += l->append->page.len;
        *end = &l->append->batch;
        end = &l->append->batch.next;
        *end = NULL;
        l = l->next_page;
    } while (l != NULL && bytes < PAGES_READ_BYTES && clock_mono_ns() < until_mono_ns);
    if (l != NULL)
        push_task(l, TASK_PAGES);
    db_commit_list(db, first); /* their loops are the commit thread's from here on */
}

static void publish(struct scrape_loop *l)
{
    const struct scrape_append *a = l->append;
    bool up = a->diag.text[0] == '\0';
    l->health = up ? SCRAPE_UP : SCRAPE_DOWN;
    l->last_scrape_ns = l->start_wall_ns;
    l->last_duration_ns = a->duration_ns;
    buf_reset(&l->last_error);
    buf_put_str(&l->last_error, str_from(a->diag.text));
    if (!up)
        log_debug("Scrape failed", LOG_STR("target", l->target->url),
                  LOG_CSTR("err", a->diag.text));
}

static void finish(struct scrape_loop *l)
{
    struct scraper *s = l->owner;
    struct scrape_append *a = l->append;
    if (!scrape_append_end(a)) {
        db_commit(s->env.db, &a->batch);
        return;
    }
    const struct scrape_config *c = l->job->config;
    if (!l->final && a->diag.text[0] != '\0' && c->failure_log_file.len > 0)
        scrape_failure_log(c->failure_log_file, c->job_name, l->target->url, str_from(a->diag.text),
                           l->start_wall_ns / 1000000);
    mutex_lock(&s->lock);
    if (l->final)
        l->phase = LOOP_OVER;
    else
        publish(l);
    l->append = NULL;
    l->busy = false;
    if (l->late && l->phase == LOOP_RUNNING)
        l->resume_mono_ns = l->due_mono_ns;
    if (l->late || l->phase == LOOP_OVER)
        schedule_put(s, l, clock_mono_ns());
    mutex_unlock(&s->lock);
    give_append(s, a); /* `l` may be gone */
    (void)atomic_fetch_sub_explicit(&s->scrape_count, 1, memory_order_release);
}

static void finish_all(struct scrape_loop *l)
{
    for (struct scrape_loop *next; l != NULL; l = next) {
        next = l->next_page;
        finish(l);
    }
}

/* On a worker: what the request would wait for. Then it goes back to the thread that drives. */
static void get_token(struct scrape_loop *l)
{
    struct scraper *s = l->owner;
    transfer_prepare_client(l->job->client, l->target->timeout_ms);
    mutex_lock(&s->lock);
    l->next_task = s->warm;
    s->warm = l;
    mutex_unlock(&s->lock);
    transfers_wake(s->transfers);
}

/* The first task in the queue; NULL: there is none. With the lock. */
static struct scrape_loop *take_task(struct scraper *s)
{
    struct scrape_loop *l = s->tasks;
    if (l == NULL)
        return NULL;
    s->tasks = l->next_task;
    if (s->tasks == NULL)
        s->tasks_end = &s->tasks;
    return l;
}

void *scrape_work(void *arg)
{
    struct scraper *s = arg;
    for (;;) {
        mutex_lock(&s->task_lock);
        while (s->tasks == NULL && s->committed == NULL && !s->workers_stop)
            cond_wait(&s->task_wake, &s->task_lock);
        struct scrape_loop *done = s->committed, *l = done == NULL ? take_task(s) : NULL;
        s->committed = NULL;
        mutex_unlock(&s->task_lock);
        if (done != NULL)
            finish_all(done);
        else if (l == NULL)
            return NULL;
        else if (l->task == TASK_TOKEN)
            get_token(l);
        else
            read_pages(l);
    }
}
