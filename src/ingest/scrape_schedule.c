/* scrape_schedule.c -- when loops are due, what they then do, and the way of one scrape: request,
 * page, commit, result. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/number.h"
#include "ingest/scrape_failures.h"
#include "ingest/scrape_priv.h"

enum {
    TOLERANCE_MS = 2,     /* a scrape this late counts as on time, */
    TOLERANCE_PART = 100, /* but at most this part of the interval */
    IDLE_WAIT_MS = 1000,
};

static int64_t wall_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* ---- The heap ---- */

static void heap_set(struct scraper *s, size_t at, struct scrape_loop *l)
{
    s->heap[at] = l;
    l->heap_at = at + 1;
}

static void sift_up(struct scraper *s, size_t at, struct scrape_loop *l)
{
    for (; at > 0; at = (at - 1) / 2) {
        struct scrape_loop *up = s->heap[(at - 1) / 2];
        if (up->due_mono_ns <= l->due_mono_ns)
            break;
        heap_set(s, at, up);
    }
    heap_set(s, at, l);
}

static void sift_down(struct scraper *s, size_t at, struct scrape_loop *l)
{
    for (;;) {
        size_t child = at * 2 + 1;
        if (child >= s->heap_count)
            break;
        if (child + 1 < s->heap_count &&
            s->heap[child + 1]->due_mono_ns < s->heap[child]->due_mono_ns)
            child++;
        if (s->heap[child]->due_mono_ns >= l->due_mono_ns)
            break;
        heap_set(s, at, s->heap[child]);
        at = child;
    }
    heap_set(s, at, l);
}

void schedule_remove(struct scraper *s, struct scrape_loop *l)
{
    if (l->heap_at == 0)
        return;
    size_t at = l->heap_at - 1;
    struct scrape_loop *last = s->heap[--s->heap_count];
    l->heap_at = 0;
    if (last == l)
        return;
    if (at > 0 && s->heap[(at - 1) / 2]->due_mono_ns > last->due_mono_ns)
        sift_up(s, at, last);
    else
        sift_down(s, at, last);
}

void schedule_put(struct scraper *s, struct scrape_loop *l, uint64_t due_mono_ns)
{
    schedule_remove(s, l);
    if (s->heap_count == s->heap_cap) {
        s->heap_cap = s->heap_cap < 64 ? 64 : s->heap_cap * 2;
        s->heap = mem_resize(s->heap, s->heap_cap, sizeof(struct scrape_loop *));
    }
    l->due_mono_ns = due_mono_ns;
    sift_up(s, s->heap_count++, l);
    if (l->heap_at == 1)
        transfers_wake(s->transfers);
}

/* ---- Loops ---- */

/* The next time that the target's offset from multiples of its interval comes round. */
static uint64_t first_due(const struct scraper *s, const struct scrape_target *t)
{
    int64_t interval = t->interval_ms * 1000000, now = wall_ns();
    int64_t next = interval - now % interval + scrape_target_offset_ns(t, s->offset_seed);
    if (next > interval)
        next -= interval;
    return clock_mono_ns() + (uint64_t)next;
}

struct scrape_loop *loop_new(struct scraper *s, struct scrape_pool *p, struct scrape_target *target)
{
    struct scrape_loop *l = mem_zalloc(1, sizeof(*l));
    l->owner = s;
    l->pool = p;
    l->target = l->seen = target;
    l->interval_ns = (uint64_t)target->interval_ms * 1000000;
    l->next = s->loops;
    if (s->loops != NULL)
        s->loops->prev = l;
    s->loops = l;
    scrape_memory_init(&l->memory);
    schedule_put(s, l, first_due(s, target));
    return l;
}

void loop_end(struct scraper *s, struct scrape_loop *l, bool markers)
{
    l->pool = NULL;
    bool over = !markers || l->last_start_mono_ns == 0; /* never scraped: nothing to mark */
    l->phase = over ? LOOP_OVER : LOOP_ENDING_1;
    if (over)
        schedule_put(s, l, clock_mono_ns());
}

void loop_free(struct scraper *s, struct scrape_loop *l)
{
    if (l->prev != NULL)
        l->prev->next = l->next;
    else
        s->loops = l->next;
    if (l->next != NULL)
        l->next->prev = l->prev;
    schedule_remove(s, l);
    if (l->append != NULL)
        scrape_append_close(l->append);
    mem_free(l->append);
    if (l->seen != l->target)
        scrape_target_free(l->seen);
    wire_fini(&l->wire);
    scrape_memory_fini(&l->memory);
    scrape_target_free(l->target);
    scrape_job_unref(l->job);
    buf_fini(&l->last_error);
    mem_free(l);
}

/* ---- Objects for pages ---- */

static void push_task(struct scrape_loop *l, enum loop_task task)
{
    struct scraper *s = l->owner;
    l->task = task;
    l->next_task = NULL;
    if (task == TASK_APPEND)
        (void)atomic_fetch_add_explicit(&s->task_count, 1, memory_order_relaxed);
    mutex_lock(&s->task_lock);
    *s->tasks_end = l;
    s->tasks_end = &l->next_task;
    /* Who wakes should find the lock free; but the commit thread may not touch the scraper any more
     * once a worker can have finished its last scrape. */
    if (task == TASK_FINISH)
        cond_signal(&s->task_wake);
    mutex_unlock(&s->task_lock);
    if (task != TASK_FINISH)
        cond_signal(&s->task_wake);
}

/* On the commit thread. */
static void committed(struct db_batch *b)
{
    push_task(b->user, TASK_FINISH);
}

static struct scrape_append *take_append(struct scrape_loop *l)
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

/* ---- Starting a scrape, on the driving thread ---- */

static void begin_interval(struct scrape_interval_stats *i, int64_t interval_ms)
{
    *i = (struct scrape_interval_stats){.interval_ms = interval_ms,
                                        .recent = mem_alloc(sizeof(*i->recent))};
    timing_recent_init(i->recent);
}

static void note_interval(struct scraper *s, int64_t interval_ms, uint64_t ns, uint64_t now_ns)
{
    struct scraper_stats *st = &s->stats;
    size_t i = 0;
    while (i < st->interval_count && st->intervals[i].interval_ms != interval_ms)
        i++;
    if (i == SCRAPE_INTERVALS_MAX)
        return;
    if (i == st->interval_count)
        begin_interval(&st->intervals[st->interval_count++], interval_ms);
    st->intervals[i].count++;
    st->intervals[i].sum_ns += ns;
    timing_recent_add(st->intervals[i].recent, ns, now_ns);
}

/* The time of the scrape's samples: that of the schedule when it is kept well enough. */
static int64_t align(struct scrape_loop *l, int64_t now_ms)
{
    int64_t interval = l->target->interval_ms;
    if (l->aligned_ms == 0 || now_ms < l->aligned_ms)
        l->aligned_ms = now_ms;
    l->aligned_ms += (now_ms - l->aligned_ms) / interval * interval;
    int64_t tolerance = MIN((int64_t)TOLERANCE_MS, interval / TOLERANCE_PART);
    return now_ms - l->aligned_ms <= tolerance ? l->aligned_ms : now_ms;
}

/* Under the lock: what the scrape needs of what the lock guards. */
static void prepare(struct scraper *s, struct scrape_loop *l)
{
    l->busy = true;
    l->late = false;
    l->start_wall_ns = wall_ns();
    l->start_mono_ns = clock_mono_ns();
    l->ts_ms = align(l, l->start_wall_ns / 1000000);
    if (l->last_start_mono_ns != 0)
        note_interval(s, l->target->interval_ms, l->start_mono_ns - l->last_start_mono_ns,
                      l->start_mono_ns);
    l->last_start_mono_ns = l->start_mono_ns;
    scrape_job_unref(l->job);
    l->job = scrape_job_ref(l->pool->job);
    memcpy(l->forced_error, l->pool->forced_error, sizeof(l->forced_error));
    l->final = false;
}

static void fetched(struct transfer *x)
{
    push_task(x->user, TASK_APPEND);
}

static void fetch(struct scraper *s, struct scrape_loop *l)
{
    struct scrape_job *j = l->job;
    const struct scrape_target *t = l->target;
    str timeout = {l->timeout_text, number_format_f((double)t->timeout_ms / 1000, l->timeout_text)};
    l->headers[0] = (struct pair){STR("Accept"), buf_str(&j->accept)};
    l->headers[2] = (struct pair){STR("Accept-Encoding"),
                                  j->config->enable_compression ? STR("gzip") : STR("identity")};
    l->headers[1] = (struct pair){STR("X-Prometheus-Scrape-Timeout-Seconds"), timeout};
    l->transfer = (struct transfer){.client = j->client,
                                    .url = t->url.ptr,
                                    .unix_socket = t->unix_socket.len > 0 ? t->unix_socket.ptr : "",
                                    .headers = {l->headers, 3},
                                    .timeout_ms = t->timeout_ms,
                                    .body_bytes_max = j->config->limits.body_size_bytes,
                                    .body = &l->append->raw,
                                    .shard = (size_t)l->target->hash,
                                    .wire = &l->wire,
                                    .keep_wire = t->interval_ms <= WIRE_KEPT_MS,
                                    .done = fetched,
                                    .user = l};
    transfers_begin(s->transfers, &l->transfer);
}

static void start(struct scraper *s, struct scrape_loop *l)
{
    l->append = take_append(l);
    l->transfer.error[0] = '\0';
    l->transfer.too_large = false;
    if (l->final || l->forced_error[0] != '\0')
        push_task(l, TASK_APPEND);
    else if (http_client_blocks(l->job->client))
        push_task(l, TASK_TOKEN);
    else
        fetch(s, l);
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

/* ---- Pages and results, on the workers ---- */

/* Commit what has been read: in one go, so that it is synced to disk at once. */
void scrape_commit_read(struct scraper *s)
{
    mutex_lock(&s->task_lock);
    struct scrape_loop *l = s->read;
    s->read = NULL;
    s->read_rows = 0;
    s->read_since_mono_ns = 0;
    mutex_unlock(&s->task_lock);
    for (struct scrape_loop *next; l != NULL; l = next) {
        next = l->next_task; /* `l` is the commit thread's from here on */
        db_commit(s->env.db, &l->append->batch);
    }
}

/* The page was read: it waits for others a little. */
static void queue_read(struct scraper *s, struct scrape_loop *l)
{
    mutex_lock(&s->task_lock);
    bool first = s->read == NULL;
    if (first)
        s->read_since_mono_ns = clock_mono_ns();
    l->next_task = s->read;
    s->read = l;
    s->read_rows += l->append->batch.row_count;
    bool full = s->read_rows >= COMMIT_ROWS || l->target->interval_ms < COMMIT_DELAY_MS * 10;
    mutex_unlock(&s->task_lock);
    if (full)
        scrape_commit_read(s);
    else if (first)
        transfers_wake(s->transfers); /* which commits in time */
}

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

static void append(struct scrape_loop *l)
{
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
        .ts_ms = end ? l->stale_ms : l->ts_ms,
        .timeout_ms = l->target->timeout_ms,
        .start_mono_ns = l->start_mono_ns,
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
    queue_read(l->owner, l);
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
    (void)atomic_fetch_sub_explicit(&s->task_count, 1, memory_order_release);
}

void *scrape_work(void *arg)
{
    struct scraper *s = arg;
    for (;;) {
        mutex_lock(&s->task_lock);
        while (s->tasks == NULL && !s->workers_stop)
            cond_wait(&s->task_wake, &s->task_lock);
        struct scrape_loop *l = s->tasks;
        if (l == NULL) {
            mutex_unlock(&s->task_lock);
            return NULL;
        }
        s->tasks = l->next_task;
        if (s->tasks == NULL)
            s->tasks_end = &s->tasks;
        mutex_unlock(&s->task_lock);
        if (l->task == TASK_TOKEN)
            get_token(l);
        else if (l->task == TASK_APPEND)
            append(l);
        else
            finish(l);
    }
}

/* ---- The driving thread ---- */

/* The time behind the present one in the loop's schedule. */
static uint64_t next_due(struct scrape_loop *l, uint64_t now)
{
    uint64_t next = l->due_mono_ns + l->interval_ns;
    if (l->resume_mono_ns != 0) {
        next = l->resume_mono_ns;
        l->resume_mono_ns = 0;
    }
    return next > now ? next
                      : next + (now - next) / l->interval_ns * l->interval_ns + l->interval_ns;
}

/* A loop whose target is gone is due. True: write its stale markers. */
static bool goes_on_ending(struct scraper *s, struct scrape_loop *l, uint64_t now)
{
    if (l->phase == LOOP_ENDING_1) { /* when the next scrape would have been */
        l->stale_ms = clock_wall_ms();
        l->phase = LOOP_ENDING_2;
        schedule_put(s, l, next_due(l, now) + l->interval_ns / 10);
        return false;
    }
    if (l->busy) { /* with a scrape that takes longer than its interval */
        schedule_put(s, l, now + l->interval_ns / 10);
        return false;
    }
    l->phase = LOOP_ENDING_3;
    l->busy = l->final = true;
    l->start_mono_ns = now;
    l->forced_error[0] = '\0';
    return true;
}

/* What a loop does that is due, under the lock. True: start its scrape. */
static bool is_to_start(struct scraper *s, struct scrape_loop *l, uint64_t now)
{
    if (l->phase == LOOP_OVER) {
        if (!l->busy)
            loop_free(s, l);
        return false; /* finish() makes a busy one due again */
    }
    if (l->phase != LOOP_RUNNING)
        return goes_on_ending(s, l, now);
    schedule_put(s, l, next_due(l, now));
    if (l->busy) {
        l->late = true;
        return false;
    }
    prepare(s, l);
    return true;
}

/* All that are due, as a list in the order of their times; *next is when the next one is. */
static struct scrape_loop *take_due(struct scraper *s, struct scrape_loop **warm, uint64_t *next,
                                    bool *stopping)
{
    struct scrape_loop *first = NULL, **end = &first;
    uint64_t now = clock_mono_ns();
    mutex_lock(&s->lock);
    *stopping = s->stopping;
    *warm = s->warm;
    s->warm = NULL;
    while (s->heap_count > 0 && s->heap[0]->due_mono_ns <= now && !s->stopping) {
        struct scrape_loop *l = s->heap[0];
        schedule_remove(s, l);
        l->next_due = NULL;
        if (!is_to_start(s, l, now))
            continue;
        *end = l;
        end = &l->next_due;
    }
    *next = s->heap_count > 0 ? s->heap[0]->due_mono_ns : now + (uint64_t)IDLE_WAIT_MS * 1000000;
    s->stats.transfers = transfers_active(s->transfers);
    mutex_unlock(&s->lock);
    return first;
}

/* Commit the pages that have waited long enough; when the others will have. */
static uint64_t commit_due(struct scraper *s)
{
    const uint64_t delay = (uint64_t)COMMIT_DELAY_MS * 1000000;
    mutex_lock(&s->task_lock);
    uint64_t since = s->read_since_mono_ns;
    mutex_unlock(&s->task_lock);
    if (since == 0)
        return UINT64_MAX;
    if (clock_mono_ns() < since + delay)
        return since + delay;
    scrape_commit_read(s);
    return UINT64_MAX;
}

void *scrape_drive(void *arg)
{
    struct scraper *s = arg;
    for (;;) {
        uint64_t next;
        bool stopping;
        struct scrape_loop *warm, *l = take_due(s, &warm, &next, &stopping);
        if (stopping)
            return NULL;
        for (struct scrape_loop *after; warm != NULL; warm = after) {
            after = warm->next_task;
            fetch(s, warm);
        }
        for (struct scrape_loop *after; l != NULL; l = after) {
            after = l->next_due;
            start(s, l);
        }
        transfers_poll(s->transfers, MIN(next, commit_due(s)));
    }
}
