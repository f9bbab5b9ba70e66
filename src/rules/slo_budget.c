/* slo_budget.c -- see slo_budget.h. */
#include "rules/slo_budget.h"

#include <math.h>

#include "base/assert.h"
#include "base/mem.h"

#define DAY_MS 86400000LL

struct entry {
    double errors, total; /* total < 0: not added */
};

struct slo_budget {
    struct slo_budget_options options;
    size_t room;          /* slices kept */
    struct entry *slices; /* of slice number i at i % room */
    int64_t newest;       /* number of the newest slice: end_ms / slice_ms */
    bool any;
    struct slo_account period;             /* of a calendar window: the newest one */
    struct slo_account months[SLO_MONTHS]; /* newest first; slices 0: unused */
    size_t month_count;
};

struct slo_budget *slo_budget_open(const struct slo_budget_options *o)
{
    ASSERT(o->slice_ms > 0);
    ASSERT(DAY_MS % o->slice_ms == 0);
    int64_t span_ms = SLO_BUDGET_DAYS * DAY_MS;
    if (!o->window.calendar)
        span_ms = MAX(span_ms, o->window.rolling_ms);
    struct slo_budget *b = mem_zalloc(1, sizeof(*b));
    b->options = *o;
    b->room = (size_t)(span_ms / o->slice_ms);
    b->slices = mem_zalloc(b->room, sizeof(*b->slices));
    return b;
}

void slo_budget_close(struct slo_budget *b)
{
    if (b != NULL)
        mem_free(b->slices);
    mem_free(b);
}

int64_t slo_budget_span_ms(const struct slo_budget *b)
{
    return (int64_t)b->room * b->options.slice_ms;
}

size_t slo_budget_bytes(const struct slo_budget *b)
{
    return sizeof(*b) + b->room * sizeof(*b->slices);
}

/* ---- Slices ---- */

static struct entry *place_of(const struct slo_budget *b, int64_t number)
{
    return &b->slices[(uint64_t)number % b->room];
}

static bool is_kept(const struct slo_budget *b, int64_t number)
{
    return b->any && number <= b->newest && number > b->newest - (int64_t)b->room;
}

/* Make `number` the newest: what it pushes out is forgotten. */
static void move_on(struct slo_budget *b, int64_t number)
{
    int64_t first = b->any ? b->newest + 1 : number - (int64_t)b->room + 1;
    if (number - first >= (int64_t)b->room)
        first = number - (int64_t)b->room + 1;
    for (int64_t i = first; i <= number; i++)
        place_of(b, i)->total = -1;
    b->newest = number;
    b->any = true;
}

bool slo_budget_has(const struct slo_budget *b, int64_t end_ms)
{
    int64_t number = end_ms / b->options.slice_ms;
    return is_kept(b, number) && place_of(b, number)->total >= 0;
}

int64_t slo_budget_newest_ms(const struct slo_budget *b)
{
    return b->any ? b->newest * b->options.slice_ms : INT64_MIN;
}

/* ---- Accounts ---- */

static void book(struct slo_account *a, const struct entry *old, const struct entry *now)
{
    if (old != NULL) {
        a->sum.errors -= old->errors;
        a->sum.total -= old->total;
        a->sum.slices--;
    }
    a->sum.errors += now->errors;
    a->sum.total += now->total;
    a->sum.slices++;
}

static bool holds(const struct slo_account *a, int64_t ms)
{
    return a->period.start_ms <= ms && ms < a->period.end_ms;
}

/* The month of `ms`; NULL: it is older than all that are kept. */
static struct slo_account *month_of(struct slo_budget *b, int64_t ms)
{
    size_t at = 0;
    while (at < b->month_count && ms < b->months[at].period.start_ms)
        at++;
    if (at < b->month_count && holds(&b->months[at], ms))
        return &b->months[at];
    if (at == SLO_MONTHS)
        return NULL;
    size_t kept = MIN(b->month_count, SLO_MONTHS - 1);
    for (size_t i = kept; i > at; i--)
        b->months[i] = b->months[i - 1];
    b->months[at] = (struct slo_account){.period = slo_month_of(b->options.months, ms)};
    b->month_count = kept + 1;
    return &b->months[at];
}

static void book_period(struct slo_budget *b, int64_t ms, const struct entry *old,
                        const struct entry *now)
{
    struct slo_account *p = &b->period;
    if (!b->options.window.calendar)
        return;
    if (ms >= p->period.end_ms || p->period.end_ms == 0)
        *p = (struct slo_account){.period = slo_period_of(&b->options.window, ms)};
    if (holds(p, ms))
        book(p, old, now);
}

void slo_budget_add(struct slo_budget *b, int64_t end_ms, double errors, double total)
{
    ASSERT(end_ms % b->options.slice_ms == 0);
    ASSERT(errors >= 0 && isfinite(errors));
    ASSERT(total >= 0 && isfinite(total));
    int64_t number = end_ms / b->options.slice_ms, inside_ms = end_ms - 1;
    struct entry now = {errors, total}, old = {0, -1};
    if (!b->any || number > b->newest)
        move_on(b, number);
    if (is_kept(b, number)) {
        old = *place_of(b, number);
        *place_of(b, number) = now;
    }
    struct slo_account *month = month_of(b, inside_ms);
    if (month != NULL)
        book(month, old.total >= 0 ? &old : NULL, &now);
    book_period(b, inside_ms, old.total >= 0 ? &old : NULL, &now);
}

/* ---- Sums ---- */

struct slo_sum slo_budget_window(const struct slo_budget *b, int64_t at_ms, int64_t window_ms)
{
    struct slo_sum sum = {0};
    if (!b->any)
        return sum;
    int64_t last = at_ms / b->options.slice_ms;
    int64_t count = MAX(window_ms / b->options.slice_ms, 1);
    int64_t first = MAX(last - count + 1, b->newest - (int64_t)b->room + 1);
    for (int64_t i = first; i <= MIN(last, b->newest); i++) {
        const struct entry *s = place_of(b, i);
        if (s->total < 0)
            continue;
        sum.errors += s->errors;
        sum.total += s->total;
        sum.slices++;
    }
    return sum;
}

double slo_sum_ratio(const struct slo_sum *s)
{
    return s->total > 0 ? MAX(s->errors, 0) / s->total : (double)NAN;
}

size_t slo_budget_months(const struct slo_budget *b, struct slo_account out[SLO_MONTHS])
{
    memcpy(out, b->months, b->month_count * sizeof(*out));
    return b->month_count;
}

/* ---- Status ---- */

/* errors of so many events as a share of the budget of `total` events. */
static double spent(double errors, double total, double error_budget)
{
    if (errors <= 0)
        return 0;
    return errors / (error_budget * total);
}

/* Per slice, of the last day; where that has no data, of the whole window. */
static double recent_errors(const struct slo_budget *b, int64_t at_ms, const struct slo_sum *whole)
{
    struct slo_sum day = slo_budget_window(b, at_ms, DAY_MS);
    const struct slo_sum *s = day.slices > 0 ? &day : whole;
    return s->slices > 0 ? MAX(s->errors, 0) / (double)s->slices : (double)NAN;
}

static double time_left(const struct slo_budget *b, const struct slo_status *s, double allowed,
                        double per_slice)
{
    double left = allowed - s->sum.errors;
    if (isnan(per_slice) || isnan(left))
        return (double)NAN;
    if (left <= 0 && s->sum.errors > 0)
        return 0;
    if (per_slice <= 0)
        return (double)INFINITY;
    return left / per_slice * (double)b->options.slice_ms / 1000;
}

/* A period that ends: the budget is that of all events it will have, which are reckoned as those of
 * the slices seen so far, per slice. */
static void calendar_status(const struct slo_budget *b, struct slo_status *s)
{
    double slices = (double)(s->period.end_ms - s->period.start_ms) / (double)b->options.slice_ms;
    double over = (double)(s->at_ms - s->period.start_ms) / (double)b->options.slice_ms;
    over = MIN(MAX(over, 0), slices);
    s->elapsed = over / slices;
    s->coverage = over > 0 ? (double)s->sum.slices / over : (double)NAN;
    if (s->sum.slices == 0 || s->sum.total <= 0)
        return;
    double mean_total = s->sum.total / (double)s->sum.slices, left = slices - over;
    double whole = s->sum.total + mean_total * left;
    double per_slice = recent_errors(b, s->at_ms, &s->sum);
    s->consumed = spent(s->sum.errors, whole, b->options.error_budget);
    s->remaining = 1 - s->consumed;
    s->projected = 1 - spent(s->sum.errors + per_slice * left, whole, b->options.error_budget);
    s->exhausted_in_s = time_left(b, s, b->options.error_budget * whole, per_slice);
}

static void rolling_status(const struct slo_budget *b, struct slo_status *s)
{
    double slices = (double)b->options.window.rolling_ms / (double)b->options.slice_ms;
    s->elapsed = 1;
    s->coverage = (double)s->sum.slices / slices;
    if (s->sum.slices == 0 || s->sum.total <= 0)
        return;
    s->consumed = spent(s->sum.errors, s->sum.total, b->options.error_budget);
    s->remaining = 1 - s->consumed;
    s->exhausted_in_s = time_left(b, s, b->options.error_budget * s->sum.total,
                                  recent_errors(b, s->at_ms, &s->sum));
}

void slo_budget_status(const struct slo_budget *b, int64_t now_ms, struct slo_status *out)
{
    const struct slo_window *w = &b->options.window;
    const double unknown = (double)NAN;
    int64_t slice_ms = b->options.slice_ms;
    *out = (struct slo_status){.at_ms = now_ms / slice_ms * slice_ms,
                               .consumed = unknown,
                               .remaining = unknown,
                               .projected = unknown,
                               .exhausted_in_s = unknown,
                               .coverage = unknown};
    if (w->calendar) {
        out->period = slo_period_of(w, out->at_ms);
        if (out->period.start_ms == b->period.period.start_ms)
            out->sum = b->period.sum;
    } else {
        out->period = (struct slo_period){out->at_ms - w->rolling_ms, out->at_ms};
        out->sum = slo_budget_window(b, out->at_ms, w->rolling_ms);
    }
    out->error_ratio = slo_sum_ratio(&out->sum);
    out->burn_rate = out->error_ratio == 0 ? 0 : out->error_ratio / b->options.error_budget;
    if (w->calendar)
        calendar_status(b, out);
    else
        rolling_status(b, out);
}
