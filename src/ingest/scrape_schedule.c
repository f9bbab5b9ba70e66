/* scrape_schedule.c -- when loops are due, what they then do, and the requests of scrapes. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/number.h"
#include "ingest/scrape_priv.h"

enum {
    TOLERANCE_MS = 2,     /* a scrape this late or early counts as on time, */
    TOLERANCE_PART = 100, /* but at most this part of the interval */
    EARLY_NS = 1000000,   /* a scrape may start this much before its time */
    IDLE_WAIT_MS = 1000,
};

static int64_t wall_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* ---- The heap ---- */

static void heap_set(struct scraper *s, size_t at, struct scrape_due d)
{
    s->heap[at] = d;
    d.loop->heap_at = at + 1;
}

static void sift_up(struct scraper *s, size_t at, struct scrape_due d)
{
    for (; at > 0; at = (at - 1) / 2) {
        struct scrape_due up = s->heap[(at - 1) / 2];
        if (up.mono_ns <= d.mono_ns)
            break;
        heap_set(s, at, up);
    }
    heap_set(s, at, d);
}

static void sift_down(struct scraper *s, size_t at, struct scrape_due d)
{
    for (;;) {
        size_t child = at * 2 + 1;
        if (child >= s->heap_count)
            break;
        if (child + 1 < s->heap_count && s->heap[child + 1].mono_ns < s->heap[child].mono_ns)
            child++;
        if (s->heap[child].mono_ns >= d.mono_ns)
            break;
        heap_set(s, at, s->heap[child]);
        at = child;
    }
    heap_set(s, at, d);
}

void schedule_remove(struct scraper *s, struct scrape_loop *l)
{
    if (l->heap_at == 0)
        return;
    size_t at = l->heap_at - 1;
    struct scrape_due last = s->heap[--s->heap_count];
    l->heap_at = 0;
    if (last.loop == l)
        return;
    if (at > 0 && s->heap[(at - 1) / 2].mono_ns > last.mono_ns)
        sift_up(s, at, last);
    else
        sift_down(s, at, last);
}

void schedule_put(struct scraper *s, struct scrape_loop *l, uint64_t due_mono_ns)
{
    schedule_remove(s, l);
    if (s->heap_count == s->heap_cap) {
        s->heap_cap = s->heap_cap < 64 ? 64 : s->heap_cap * 2;
        s->heap = mem_resize(s->heap, s->heap_cap, sizeof(*s->heap));
    }
    l->due_mono_ns = due_mono_ns;
    sift_up(s, s->heap_count++, (struct scrape_due){due_mono_ns, l});
    if (l->heap_at == 1)
        transfers_wake(s->transfers);
}

/* ---- Loops ---- */

/* The first scrape is when the target's offset from multiples of its interval comes round. */
static void schedule_first(struct scraper *s, struct scrape_loop *l)
{
    int64_t interval = (int64_t)l->interval_ns, now = wall_ns();
    int64_t next = interval - now % interval + scrape_target_offset_ns(l->target, s->offset_seed);
    if (next > interval)
        next -= interval;
    l->aligned_ms = (now + next) / 1000000;
    schedule_put(s, l, clock_mono_ns() + (uint64_t)next);
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
    schedule_first(s, l);
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
    int64_t tolerance = MIN((int64_t)TOLERANCE_MS, interval / TOLERANCE_PART);
    if (now_ms < l->aligned_ms - tolerance) /* the clock was set back */
        l->aligned_ms = now_ms;
    l->aligned_ms += (now_ms + tolerance - l->aligned_ms) / interval * interval;
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
    scrape_fetched(x->user);
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
    l->append = scrape_take_append(l);
    l->transfer.error[0] = '\0';
    l->transfer.too_large = false;
    if (l->final || l->forced_error[0] != '\0')
        scrape_fetched(l);
    else if (http_client_blocks(l->job->client))
        scrape_get_token(l);
    else
        fetch(s, l);
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

/* A little early is fine: those of one point of the grid shall start together. */
static struct scrape_loop *next_to_start(struct scraper *s, uint64_t now)
{
    if (s->heap_count == 0 || s->stopping || s->heap[0].mono_ns > now + EARLY_NS)
        return NULL;
    struct scrape_loop *l = s->heap[0].loop;
    return l->due_mono_ns <= now + MIN((uint64_t)EARLY_NS, l->interval_ns / 1000) ? l : NULL;
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
    for (struct scrape_loop *l; (l = next_to_start(s, now)) != NULL;) {
        schedule_remove(s, l);
        l->next_due = NULL;
        if (!is_to_start(s, l, now))
            continue;
        *end = l;
        end = &l->next_due;
    }
    *next = s->heap_count > 0 ? s->heap[0].mono_ns : now + (uint64_t)IDLE_WAIT_MS * 1000000;
    s->stats.transfers = transfers_active(s->transfers);
    mutex_unlock(&s->lock);
    return first;
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
        transfers_poll(s->transfers, MIN(next, scrape_pages_due(s)));
    }
}
