/* slo_engine.c -- see slo_engine.h. */
#include "rules/slo_engine.h"

#include <math.h>
#include <stdio.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "rules/slo_record.h"

enum {
    MINUTE_MS = 60000,
    CHUNK_SLICES = 288,         /* reckoned at once: a day */
    RECORDED_SLICES = 30 * 288, /* read back at once */
    WAKE_NS = 1000000000,
    GAUGES = 4,
};

#define DAY_MS 86400000LL

struct slo_state { /* an objective and its books */
    unsigned refs; /* the list's, and that of who evaluates it */
    struct slo_served *served;
    const struct slo_def *def;
    hash128 digest; /* of all the books depend on */
    struct slo_budget *budget;
    int64_t period_ms;
    bool opened;        /* the two below are set */
    int64_t history_ms; /* slices that end up to here were read back */
    int64_t filled_ms;  /* slices that end up to here were reckoned or are known */
    int64_t booked_ms;  /* up to here at the last time when nothing was left to do */
    int64_t looked_ms;  /* gaps before it were tried again when this was due */
    int64_t gauges_ms;  /* the state of the budget was written for this minute */
    char error[256];
    int64_t evaluated_ms;
};

struct slo_engine {
    struct slo_engine_options options;
    struct query_switch off;
    struct slo_record *record; /* of the thread */
    pthread_t thread;
    bool running;
    struct cond wake;
    struct mutex lock; /* guards all below, and the states */
    struct slo_state **states;
    size_t count;
    size_t turn; /* whose turn it is */
    struct slo_counters counters;
};

/* ---- States ---- */

static void put_window(const struct slo_window *w, struct buf *out)
{
    buf_printf(out, "%d %d %lld %d %d %lld-%d-%d %d:%d " STR_FMT "\n", w->given, w->calendar,
               (long long)w->rolling_ms, w->months, w->days, (long long)w->anchor.year,
               w->anchor.month, w->anchor.day, w->anchor.hour, w->anchor.minute,
               STR_ARG(w->zone_name));
}

/* Labels count: series are recorded with them. */
static hash128 digest_of(const struct slo_def *def, int64_t period_ms)
{
    struct buf text = {0};
    struct slo_events q;
    slo_query_events(def, def->slice_ms, &q);
    buf_printf(&text, "%lld %lld %d %a %a %d %a\n", (long long)period_ms, (long long)def->slice_ms,
               def->budgeting, def->slice_target, def->objective, q.good, q.scale);
    put_window(&def->window, &text);
    buf_put_string(&text, def->id);
    buf_put_string(&text, buf_str(&q.error));
    buf_put_string(&text, buf_str(&q.total));
    for (size_t i = 0; i < def->labels.count; i++) {
        buf_put_string(&text, def->labels.items[i].name);
        buf_put_string(&text, def->labels.items[i].value);
    }
    hash128 h = hash128_of(buf_slice(&text), 0);
    slo_events_fini(&q);
    buf_fini(&text);
    return h;
}

static void state_drop(struct slo_state *s)
{
    if (--s->refs > 0)
        return;
    slo_budget_close(s->budget);
    slo_served_drop(s->served);
    mem_free(s);
}

static struct slo_state *state_open(struct slo_served *served, const struct slo_def *def)
{
    struct slo_state *s = mem_zalloc(1, sizeof(*s));
    s->refs = 1;
    s->served = slo_served_ref(served);
    s->def = def;
    s->period_ms = slo_period_ms(def, served->rules.period_ms);
    s->digest = digest_of(def, s->period_ms);
    s->booked_ms = INT64_MIN;
    struct slo_budget_options o = slo_served_budget(def, s->period_ms);
    s->budget = slo_budget_open(&o);
    return s;
}

/* Books of the same objective go on under its new definition. */
static void keep_books(struct slo_engine *e, struct slo_state *s)
{
    for (size_t i = 0; i < e->count; i++) {
        struct slo_state *old = e->states[i];
        if (!hash128_eq(old->digest, s->digest))
            continue;
        struct slo_budget *empty = s->budget;
        s->budget = old->budget;
        old->budget = empty; /* who evaluates it now books there, and is dropped then */
        s->opened = old->opened;
        s->history_ms = old->history_ms;
        s->filled_ms = old->filled_ms;
        s->booked_ms = old->booked_ms;
        s->looked_ms = old->looked_ms;
        s->gauges_ms = old->gauges_ms;
        s->evaluated_ms = old->evaluated_ms;
        (void)snprintf(s->error, sizeof(s->error), "%s", old->error);
        return;
    }
}

void slo_engine_set(struct slo_engine *e, struct slo_served *served)
{
    struct slo_state **states = mem_zalloc(served->set.count + 1, sizeof(struct slo_state *));
    for (size_t i = 0; i < served->set.count; i++)
        states[i] = state_open(served, &served->set.defs[i]);
    mutex_lock(&e->lock);
    for (size_t i = 0; i < served->set.count; i++)
        keep_books(e, states[i]);
    for (size_t i = 0; i < e->count; i++)
        state_drop(e->states[i]);
    mem_free(e->states);
    e->states = states;
    e->count = served->set.count;
    e->turn = 0;
    slo_served_drop(served);
    cond_signal(&e->wake);
    mutex_unlock(&e->lock);
}

/* ---- Work ---- */

struct work { /* one piece, of one objective */
    struct slo_state *state;
    struct slo_def def; /* a copy: the state may get another meanwhile */
    enum { WORK_HISTORY, WORK_FILL, WORK_GAUGES } kind;
    int64_t first_ms, now_ms;
    size_t count;
    struct slo_sample gauges[GAUGES];
};

static int64_t floor_to(int64_t ms, int64_t step_ms)
{
    return ms / step_ms * step_ms;
}

/* The end of the newest slice that is to be booked. */
static int64_t due_ms(const struct slo_engine *e, const struct slo_state *s, int64_t now_ms)
{
    return floor_to(now_ms - e->options.delay_ms, s->def->slice_ms);
}

static void open_state(struct slo_state *s, int64_t due)
{
    int64_t slice_ms = s->def->slice_ms;
    s->history_ms = due - SLO_HISTORY_DAYS * DAY_MS;
    s->filled_ms = floor_to(due - slo_budget_span_ms(s->budget), slice_ms);
    s->history_ms = floor_to(s->history_ms, slice_ms);
    s->opened = true;
}

/* The next stretch of slices that are due and not known. */
static bool find_gap(struct slo_state *s, int64_t due, struct work *w)
{
    int64_t slice_ms = s->def->slice_ms;
    while (s->filled_ms < due && slo_budget_has(s->budget, s->filled_ms + slice_ms))
        s->filled_ms += slice_ms;
    if (s->filled_ms >= due)
        return false;
    w->kind = WORK_FILL;
    w->first_ms = s->filled_ms + slice_ms;
    for (w->count = 1; w->count < CHUNK_SLICES; w->count++) {
        int64_t end_ms = w->first_ms + (int64_t)w->count * slice_ms;
        if (end_ms > due || slo_budget_has(s->budget, end_ms))
            break;
    }
    return true;
}

static void put_gauges(struct slo_state *s, struct work *w, int64_t minute_ms)
{
    struct slo_status status;
    slo_budget_status(s->budget, s->booked_ms, &status);
    const struct slo_sample all[GAUGES] = {
        {SLO_METRIC_CONSUMED, minute_ms, status.consumed},
        {SLO_METRIC_REMAINING, minute_ms, status.remaining},
        {SLO_METRIC_PROJECTED, minute_ms, status.projected},
        {SLO_METRIC_COVERAGE, minute_ms, status.coverage},
    };
    w->kind = WORK_GAUGES;
    w->count = 0;
    for (size_t i = 0; i < GAUGES; i++)
        if (!isnan(all[i].value))
            w->gauges[w->count++] = all[i];
    s->gauges_ms = minute_ms;
}

/* What is to be done for `s`? False: nothing yet. */
static bool next_work(struct slo_engine *e, struct slo_state *s, int64_t now_ms, struct work *w)
{
    int64_t due = due_ms(e, s, now_ms), minute_ms = floor_to(now_ms, MINUTE_MS);
    if (!s->opened)
        open_state(s, due);
    if (s->booked_ms == INT64_MIN && s->history_ms < due) {
        w->kind = WORK_HISTORY;
        w->first_ms = s->history_ms + s->def->slice_ms;
        w->count = (size_t)MIN(RECORDED_SLICES, (due - s->history_ms) / s->def->slice_ms);
        return true;
    }
    if (find_gap(s, due, w))
        return true;
    s->booked_ms = due;
    if (s->gauges_ms >= minute_ms)
        return false;
    put_gauges(s, w, minute_ms);
    return true;
}

/* When a new slice is due, gaps of the last hours get another chance: samples may have come late.
 */
static void look_back(struct slo_engine *e, struct slo_state *s, int64_t now_ms)
{
    int64_t due = due_ms(e, s, now_ms);
    if (s->opened && s->booked_ms != INT64_MIN && due > s->booked_ms &&
        s->filled_ms == s->booked_ms)
        s->filled_ms = floor_to(s->booked_ms - SLO_RETRY_MS, s->def->slice_ms);
}

static bool take_work(struct slo_engine *e, int64_t now_ms, struct work *w)
{
    bool found = false;
    mutex_lock(&e->lock);
    for (size_t i = 0; i < e->count && !found; i++) {
        struct slo_state *s = e->states[e->turn % e->count];
        e->turn++;
        look_back(e, s, now_ms);
        found = next_work(e, s, now_ms, w);
        if (!found)
            continue;
        w->state = s;
        w->def = *s->def;
        w->now_ms = now_ms;
        s->refs++;
    }
    mutex_unlock(&e->lock);
    return found;
}

/* ---- Doing it ---- */

/* Is the state still the one whose work this was? A reload may have given its books to another. */
static bool is_current(const struct slo_engine *e, const struct slo_state *s)
{
    for (size_t i = 0; i < e->count; i++)
        if (e->states[i] == s)
            return true;
    return false;
}

static void book(struct slo_engine *e, const struct work *w, const struct slo_slice *slices,
                 err result, const struct diag *d, uint64_t took_ns)
{
    struct slo_state *s = w->state;
    int64_t slice_ms = w->def.slice_ms, last_ms = w->first_ms + (int64_t)(w->count - 1) * slice_ms;
    mutex_lock(&e->lock);
    if (is_current(e, s)) {
        for (size_t i = 0; result == OK && i < w->count; i++)
            if (slices[i].has)
                slo_budget_add(s->budget, w->first_ms + (int64_t)i * slice_ms, slices[i].errors,
                               slices[i].total);
        if (w->kind == WORK_HISTORY)
            s->history_ms = last_ms;
        else
            s->filled_ms = last_ms; /* with an error too: it is tried again with the next slices */
        (void)snprintf(s->error, sizeof(s->error), "%.250s", result == OK ? "" : d->text);
        s->evaluated_ms = w->now_ms;
    }
    e->counters.evaluations += w->kind == WORK_FILL;
    e->counters.failures += result != OK;
    e->counters.evaluation_ns += took_ns;
    for (size_t i = 0; result == OK && w->kind == WORK_FILL && i < w->count; i++) {
        e->counters.slices += slices[i].has;
        e->counters.slices_without_data += !slices[i].has;
    }
    mutex_unlock(&e->lock);
}

/* Write what was collected of all objectives. */
static void write_all(struct slo_engine *e)
{
    struct diag d = {.text = ""};
    size_t count = slo_record_count(e->record);
    if (count == 0)
        return;
    err result = slo_record_write(e->record, &d);
    if (result != OK)
        log_warn("samples of objectives were not written", LOG_INT("samples", count),
                 LOG_CSTR("reason", d.text));
    mutex_lock(&e->lock);
    e->counters.writes++;
    if (result == OK)
        e->counters.samples_written += count;
    else
        e->counters.writes_failed++;
    mutex_unlock(&e->lock);
}

static void write_samples(struct slo_engine *e, const struct work *w,
                          const struct slo_sample *samples, size_t count)
{
    if (slo_record_add(e->record, &w->def, samples, count, w->now_ms) == OK)
        return;
    write_all(e);
    if (slo_record_add(e->record, &w->def, samples, count, w->now_ms) != OK)
        log_warn("an objective's samples need too much memory", LOG_STR("slo", w->def.id));
}

static void record(struct slo_engine *e, const struct work *w, const struct slo_slice *slices)
{
    char total[SLO_METRIC_SIZE], errors[SLO_METRIC_SIZE];
    struct slo_sample *samples = mem_zalloc(2 * w->count, sizeof(*samples));
    size_t count = 0;
    slo_slice_metric(&w->def, false, total);
    slo_slice_metric(&w->def, true, errors);
    for (int which = 0; which < 2; which++)
        for (size_t i = 0; i < w->count; i++) {
            int64_t end_ms = w->first_ms + (int64_t)i * w->def.slice_ms;
            if (slices[i].has)
                samples[count++] =
                    (struct slo_sample){which == 0 ? total : errors, end_ms,
                                        which == 0 ? slices[i].total : slices[i].errors};
        }
    write_samples(e, w, samples, count);
    mem_free(samples);
}

static void do_work(struct slo_engine *e, const struct work *w)
{
    if (w->kind == WORK_GAUGES) {
        write_samples(e, w, w->gauges, w->count);
        return;
    }
    struct diag d = {.text = ""};
    struct slo_slice *slices = mem_zalloc(w->count, sizeof(*slices));
    const struct slo_source *source = &e->options.source;
    uint64_t start_ns = clock_mono_ns();
    err result = w->kind == WORK_HISTORY
                     ? slo_recorded(source, &w->def, w->first_ms, w->count, slices, &d)
                     : slo_measure(source, &w->def, w->first_ms, w->count, slices, &d);
    if (result != OK && result != ERR_CANCELED)
        log_warn("an objective cannot be reckoned", LOG_STR("slo", w->def.id),
                 LOG_CSTR("reason", d.text));
    if (result == OK && w->kind == WORK_FILL)
        record(e, w, slices);
    book(e, w, slices, result, &d, clock_mono_ns() - start_ns);
    mem_free(slices);
}

bool slo_engine_step(struct slo_engine *e, int64_t now_ms)
{
    struct work w = {0};
    if (!take_work(e, now_ms, &w)) {
        write_all(e);
        return false;
    }
    do_work(e, &w);
    if (slo_record_is_due(e->record, now_ms))
        write_all(e);
    mutex_lock(&e->lock);
    state_drop(w.state);
    mutex_unlock(&e->lock);
    return true;
}

/* ---- The thread ---- */

static void *run_thread(void *arg)
{
    struct slo_engine *e = arg;
    thread_yield_to_others();
    while (!query_switch_stopped(&e->off)) {
        if (slo_engine_step(e, clock_wall_ms()))
            continue;
        mutex_lock(&e->lock);
        if (!query_switch_stopped(&e->off))
            (void)cond_wait_until(&e->wake, &e->lock, clock_mono_ns() + WAKE_NS);
        mutex_unlock(&e->lock);
    }
    return NULL;
}

struct slo_engine *slo_engine_open(const struct slo_engine_options *o)
{
    struct slo_engine *e = mem_zalloc(1, sizeof(*e));
    e->options = *o;
    e->options.source.off = &e->off;
    e->record = slo_record_open(o->source.db);
    mutex_init(&e->lock);
    cond_init(&e->wake);
    return e;
}

err slo_engine_start(struct slo_engine *e)
{
    TRY(thread_start(&e->thread, "slo", run_thread, e));
    e->running = true;
    return OK;
}

void slo_engine_close(struct slo_engine *e)
{
    if (e == NULL)
        return;
    mutex_lock(&e->lock);
    query_switch_stop(&e->off);
    cond_signal(&e->wake);
    mutex_unlock(&e->lock);
    if (e->running)
        thread_join(e->thread);
    write_all(e);
    slo_record_close(e->record);
    for (size_t i = 0; i < e->count; i++)
        state_drop(e->states[i]);
    mem_free(e->states);
    cond_fini(&e->wake);
    mutex_fini(&e->lock);
    mem_free(e);
}

/* ---- What is known ---- */

static void add_window(struct slo_view *v, const struct slo_budget *b, int64_t window_ms,
                       int64_t at_ms)
{
    size_t at = 0;
    while (at < v->window_count && v->windows[at].window_ms < window_ms)
        at++;
    if (at < v->window_count && v->windows[at].window_ms == window_ms)
        return;
    for (size_t i = v->window_count++; i > at; i--)
        v->windows[i] = v->windows[i - 1];
    v->windows[at] = (struct slo_window_sum){window_ms, slo_budget_window(b, at_ms, window_ms)};
}

static void view_months(struct slo_view *v, const struct slo_budget *b, int64_t at_ms)
{
    v->month_count = slo_budget_months(b, v->months);
    for (size_t i = 0; i < v->month_count; i++) {
        const struct slo_period *p = &v->months[i].period;
        int64_t over_ms = MIN(p->end_ms, MAX(at_ms, p->start_ms)) - p->start_ms;
        v->month_slices[i] = (double)over_ms / (double)v->def->slice_ms;
    }
}

static void view_of(struct slo_engine *e, const struct slo_state *s, int64_t now_ms,
                    struct slo_view *v)
{
    struct slo_pace paces[SLO_PACES];
    int64_t at_ms = s->booked_ms != INT64_MIN ? s->booked_ms : due_ms(e, s, now_ms);
    *v = (struct slo_view){.def = s->def,
                           .period_ms = s->period_ms,
                           .error_budget = slo_error_budget(s->def),
                           .booked_ms = s->booked_ms,
                           .error = s->error,
                           .evaluated_ms = s->evaluated_ms};
    slo_budget_status(s->budget, at_ms, &v->status);
    slo_paces(s->def, s->period_ms, paces);
    for (size_t i = 0; i < SLO_PACES; i++) {
        add_window(v, s->budget, paces[i].short_ms, at_ms);
        add_window(v, s->budget, paces[i].long_ms, at_ms);
    }
    view_months(v, s->budget, at_ms);
}

void slo_engine_each(struct slo_engine *e, bool (*fn)(void *arg, const struct slo_view *v),
                     void *arg)
{
    int64_t now_ms = clock_wall_ms();
    bool more = true;
    mutex_lock(&e->lock);
    for (size_t i = 0; more && i < e->count; i++) {
        struct slo_view v;
        view_of(e, e->states[i], now_ms, &v);
        more = fn(arg, &v);
    }
    mutex_unlock(&e->lock);
}

void slo_engine_counters(struct slo_engine *e, struct slo_counters *out)
{
    mutex_lock(&e->lock);
    *out = e->counters;
    out->objectives = e->count;
    for (size_t i = 0; i < e->count; i++) {
        out->behind += e->states[i]->booked_ms == INT64_MIN;
        out->bytes += slo_budget_bytes(e->states[i]->budget);
    }
    mutex_unlock(&e->lock);
}
