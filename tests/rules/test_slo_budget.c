/* test_slo_budget.c -- the books of objectives over simulated days: months of all lengths, clocks
 * that leap, late starts, gaps, slices out of order, against sums made the plain way. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/mem.h"
#include "rules/slo_budget.h"

enum { SLICE_MS = 300000, HOUR_MS = 3600000 };
#define DAY_MS 86400000LL

static const struct zone *zone(const char *name)
{
    const struct zone *z = NULL;
    assert_int_equal(zone_find(str_from(name), &z, &(struct diag){.text = ""}), OK);
    return z;
}

static int64_t at(const char *zone_name, int64_t year, int month, int day, int hour)
{
    return zone_instant_ms(zone(zone_name), &(struct civil){year, month, day, hour, 0, 0});
}

static struct slo_budget *open_calendar(const char *zone_name, int months, int days,
                                        double error_budget)
{
    struct slo_budget_options o = {
        .slice_ms = SLICE_MS,
        .error_budget = error_budget,
        .window = {.given = true,
                   .calendar = true,
                   .months = months,
                   .days = days,
                   .anchor = {1970, 1, days > 0 ? 5 : 1, 0, 0, 0},
                   .zone = zone(zone_name)},
        .months = zone(zone_name),
    };
    return slo_budget_open(&o);
}

static struct slo_budget *open_rolling(int days, double error_budget)
{
    struct slo_budget_options o = {.slice_ms = SLICE_MS,
                                   .error_budget = error_budget,
                                   .window = {.given = true, .rolling_ms = days * DAY_MS},
                                   .months = zone("UTC")};
    return slo_budget_open(&o);
}

/* `total` events and that share of errors in each slice of (from, to]. */
static void fill(struct slo_budget *b, int64_t from_ms, int64_t to_ms, double total, double ratio)
{
    for (int64_t ms = from_ms + SLICE_MS; ms <= to_ms; ms += SLICE_MS)
        slo_budget_add(b, ms, total * ratio, total);
}

static void close_to(double got, double want)
{
    if (!(fabs(got - want) <= 1e-9 * MAX(1, fabs(want))))
        print_error("got %.17g, want %.17g\n", got, want);
    assert_true(fabs(got - want) <= 1e-9 * MAX(1, fabs(want)));
}

/* 10 requests a second, 0.08 % of them errors, a budget of 0.1 %: four fifths of it at the end. */
static void test_slo_budget__forty_even_days(void **state)
{
    (void)state;
    struct slo_budget *b = open_calendar("UTC", 1, 0, 0.001);
    struct slo_status s;
    int64_t start = at("UTC", 2026, 1, 1, 0);
    for (int day = 1; day <= 40; day++) {
        int64_t now = start + day * DAY_MS;
        fill(b, now - DAY_MS, now, 3000, 0.0008);
        slo_budget_status(b, now - 1, &s); /* the last slice of the day is not over */
        int length = day <= 31 ? 31 : 28, of_month = day <= 31 ? day : day - 31;
        double over = (of_month * DAY_MS - SLICE_MS) / (double)(length * DAY_MS);
        close_to(s.elapsed, over);
        close_to(s.burn_rate, 0.8);
    }
    /* At noon of 20 January the books of a new one say so much. */
    slo_budget_close(b);
    b = open_calendar("UTC", 1, 0, 0.001);
    fill(b, start, start + 20 * DAY_MS, 3000, 0.0008);
    slo_budget_status(b, start + 20 * DAY_MS, &s);
    close_to(s.consumed, 0.8 * 20 / 31); /* 0.5161 */
    close_to(s.projected, 0.2);
    close_to(s.coverage, 1);
    close_to(s.sum.total, 20 * 864000);
    close_to(s.exhausted_in_s, (31 - 0.8 * 20) / 0.8 * 86400);
    slo_budget_close(b);
}

/* An outage of an hour: errors by traffic, not by time. */
static void test_slo_budget__weighs_by_events(void **state)
{
    (void)state;
    for (int night = 0; night < 2; night++) {
        struct slo_budget *b = open_calendar("UTC", 1, 0, 0.001);
        struct slo_status s;
        int64_t start = at("UTC", 2026, 4, 1, 0), now = start + 30 * DAY_MS;
        double errors = 0, total = 0;
        for (int64_t ms = start + SLICE_MS; ms <= now; ms += SLICE_MS) {
            int64_t hour = (ms - 1 - start) / HOUR_MS;
            double events = hour % 24 < 6 ? 10 : 1000;
            bool out = hour == 240 + (night ? 3 : 12);
            slo_budget_add(b, ms, out ? events : 0, events);
            errors += out ? events : 0;
            total += events;
        }
        slo_budget_status(b, now - SLICE_MS, &s);
        close_to(s.error_ratio, errors / total);
        assert_int_equal((int)s.sum.errors, night ? 120 : 12000);
        slo_budget_close(b);
    }
}

static void test_slo_budget__all_month_lengths(void **state)
{
    (void)state;
    static const char *const ZONES[] = {"UTC", "Europe/Berlin", "America/New_York",
                                        "Asia/Kathmandu", "Australia/Lord_Howe"};
    for (size_t z = 0; z < sizeof(ZONES) / sizeof(*ZONES); z++) {
        struct slo_account months[SLO_MONTHS];
        struct slo_budget *b = open_calendar(ZONES[z], 1, 0, 0.01);
        int64_t start = at(ZONES[z], 2027, 11, 1, 0), end = at(ZONES[z], 2028, 12, 20, 0);
        fill(b, start, end, 1, 0); /* with 29 February */
        size_t count = slo_budget_months(b, months);
        assert_int_equal(count, 14);
        for (size_t i = 0; i < count; i++) {
            int month = 12 - (int)i; /* 12 .. -1: Dec 2028 back to Nov 2027 */
            assert_true(months[i].period.start_ms == at(ZONES[z], 2028, month, 1, 0));
            assert_true(months[i].period.end_ms == at(ZONES[z], 2028, month + 1, 1, 0));
            int64_t length = months[i].period.end_ms - months[i].period.start_ms;
            if (i > 0)
                assert_true(months[i].sum.slices == length / SLICE_MS);
            if (i > 0)
                assert_true(months[i].sum.total == (double)(length / SLICE_MS));
        }
        slo_budget_close(b);
    }
    struct slo_period march = slo_month_of(zone("Europe/Berlin"), at("UTC", 2026, 3, 15, 0));
    struct slo_period october = slo_month_of(zone("Europe/Berlin"), at("UTC", 2026, 10, 15, 0));
    assert_true(march.end_ms - march.start_ms == 743LL * HOUR_MS);
    assert_true(october.end_ms - october.start_ms == 745LL * HOUR_MS);
}

/* The month of the zone ends while UTC's goes on. */
static void test_slo_budget__periods_turn_over(void **state)
{
    (void)state;
    struct slo_status s;
    struct slo_budget *b = open_calendar("Europe/Berlin", 1, 0, 0.01);
    int64_t turn = at("Europe/Berlin", 2026, 7, 1, 0);
    fill(b, turn - DAY_MS, turn, 100, 0.5);
    slo_budget_status(b, turn - SLICE_MS, &s);
    assert_true(s.sum.slices == 288 && s.sum.errors == 288 * 50);
    slo_budget_status(b, turn, &s);
    assert_true(s.sum.slices == 0 && isnan(s.consumed) && s.elapsed == 0);
    fill(b, turn, turn + SLICE_MS, 100, 0);
    slo_budget_status(b, turn + SLICE_MS, &s);
    assert_true(s.sum.slices == 1 && s.sum.errors == 0 && s.consumed == 0 && s.burn_rate == 0);
    close_to(s.elapsed, 1.0 / (31 * 288));
    assert_true(s.projected < 0); /* the last day was bad */
    assert_true(s.period.start_ms == turn);
    slo_budget_close(b);
}

static void test_slo_budget__late_start_and_gaps(void **state)
{
    (void)state;
    struct slo_status s;
    struct slo_budget *b = open_calendar("UTC", 1, 0, 0.001);
    int64_t start = at("UTC", 2026, 6, 1, 0);
    fill(b, start + 15 * DAY_MS, start + 20 * DAY_MS, 1000, 0.0005);
    slo_budget_status(b, start + 20 * DAY_MS, &s);
    close_to(s.coverage, 0.25);
    close_to(s.elapsed, 20.0 / 30);
    close_to(s.error_ratio, 0.0005);
    /* 15 of 30 days have or will have events. */
    close_to(s.consumed, 0.5 * 5 / 15);
    close_to(s.projected, 0.5);
    /* Two days without data, then it goes on. */
    fill(b, start + 22 * DAY_MS, start + 24 * DAY_MS, 1000, 0.0005);
    slo_budget_status(b, start + 24 * DAY_MS, &s);
    close_to(s.coverage, 7.0 / 24);
    close_to(s.consumed, 0.5 * 7 / 13);
    close_to(s.projected, 0.5);
    /* A gap in the last day: what came before it tells how it goes on. */
    slo_budget_status(b, start + 26 * DAY_MS, &s);
    close_to(s.projected, 1 - 0.5);
    slo_budget_close(b);
}

static void test_slo_budget__no_events_and_no_budget(void **state)
{
    (void)state;
    struct slo_status s;
    struct slo_budget *b = open_rolling(30, 0.01);
    slo_budget_status(b, at("UTC", 2026, 6, 1, 0), &s);
    assert_true(isnan(s.error_ratio) && isnan(s.consumed) && s.coverage == 0);
    assert_true(slo_budget_newest_ms(b) == INT64_MIN);
    slo_budget_add(b, at("UTC", 2026, 6, 1, 0), 0, 0);
    slo_budget_status(b, at("UTC", 2026, 6, 1, 0), &s);
    assert_true(isnan(s.error_ratio) && s.sum.slices == 1);
    slo_budget_close(b);
    b = open_rolling(30, 0); /* an objective of 100 % */
    fill(b, at("UTC", 2026, 6, 1, 0), at("UTC", 2026, 6, 2, 0), 10, 0);
    slo_budget_status(b, at("UTC", 2026, 6, 2, 0), &s);
    assert_true(s.consumed == 0 && s.burn_rate == 0);
    slo_budget_add(b, at("UTC", 2026, 6, 2, 0), 1, 10);
    slo_budget_status(b, at("UTC", 2026, 6, 2, 0), &s);
    assert_true(isinf(s.consumed) && isinf(s.burn_rate) && s.exhausted_in_s == 0);
    slo_budget_close(b);
}

static void test_slo_budget__rolling(void **state)
{
    (void)state;
    static const int DAYS[] = {1, 28, 30, 90};
    for (size_t i = 0; i < sizeof(DAYS) / sizeof(*DAYS); i++) {
        struct slo_status s;
        struct slo_budget *b = open_rolling(DAYS[i], 0.01);
        int64_t start = at("UTC", 2026, 1, 1, 0), end = start + 120 * DAY_MS;
        fill(b, start, end - DAYS[i] * DAY_MS, 7, 1); /* all that is outside is bad */
        fill(b, end - DAYS[i] * DAY_MS, end, 10, 0.005);
        slo_budget_status(b, end, &s);
        assert_true(s.sum.slices == DAYS[i] * 288);
        close_to(s.error_ratio, 0.005);
        close_to(s.consumed, 0.5);
        close_to(s.coverage, 1);
        close_to(s.exhausted_in_s, DAYS[i] * 86400.0);
        assert_true(isnan(s.projected));
        slo_budget_close(b);
    }
}

static void test_slo_budget__weeks_quarters_years(void **state)
{
    (void)state;
    struct slo_window week = {.calendar = true, .days = 7, .anchor = {2022, 1, 1, 12, 0, 0}};
    struct slo_window quarter = {.calendar = true, .months = 3, .anchor = {1970, 1, 1, 0, 0, 0}};
    week.zone = zone("America/New_York");
    quarter.zone = zone("Europe/Berlin");
    /* From Saturday noon to Saturday noon, over the leap of 8 March. */
    struct slo_period p = slo_period_of(&week, at("UTC", 2026, 3, 8, 20));
    assert_true(p.start_ms == at("America/New_York", 2026, 3, 7, 12));
    assert_true(p.end_ms - p.start_ms == 7 * DAY_MS - HOUR_MS);
    p = slo_period_of(&quarter, at("Europe/Berlin", 2026, 10, 1, 0));
    assert_true(p.start_ms == at("Europe/Berlin", 2026, 10, 1, 0));
    assert_true(p.end_ms == at("Europe/Berlin", 2027, 1, 1, 0));
    p = slo_period_of(&quarter, at("Europe/Berlin", 2026, 10, 1, 0) - 1);
    assert_true(p.start_ms == at("Europe/Berlin", 2026, 7, 1, 0));
    quarter.months = 12;
    p = slo_period_of(&quarter, at("UTC", 1969, 7, 1, 0)); /* before the anchor */
    assert_true(p.start_ms == at("Europe/Berlin", 1969, 1, 1, 0));
}

/* ---- Against a plain array ---- */

enum { MODEL_SLICES = 60 * 288 };

struct model {
    double errors[MODEL_SLICES], total[MODEL_SLICES];
    bool has[MODEL_SLICES];
};

static struct slo_sum model_sum(const struct model *m, int64_t first, int64_t last)
{
    struct slo_sum s = {0};
    for (int64_t i = MAX(first, 0); i <= MIN(last, MODEL_SLICES - 1); i++) {
        if (!m->has[i])
            continue;
        s.errors += m->errors[i];
        s.total += m->total[i];
        s.slices++;
    }
    return s;
}

static void same_sum(const struct slo_sum *got, const struct slo_sum *want)
{
    assert_true(got->slices == want->slices);
    close_to(got->errors, want->errors);
    close_to(got->total, want->total);
}

/* Whole numbers, so that sums are exact whatever their order. */
static void add_random(struct slo_budget *b, struct model *m, int64_t start, int64_t i)
{
    m->total[i] = rand() % 1000;
    m->errors[i] = m->total[i] > 0 ? rand() % ((int)m->total[i] + 1) : 0;
    m->has[i] = true;
    slo_budget_add(b, start + (i + 1) * SLICE_MS, m->errors[i], m->total[i]);
}

static void compare(const struct slo_budget *b, const struct model *m, int64_t start,
                    int64_t newest)
{
    static const int64_t WINDOWS[] = {SLICE_MS, HOUR_MS, 6LL * HOUR_MS, DAY_MS, 30 * DAY_MS};
    int64_t now = start + (newest + 1) * SLICE_MS;
    struct slo_account months[SLO_MONTHS];
    for (size_t w = 0; w < sizeof(WINDOWS) / sizeof(*WINDOWS); w++) {
        struct slo_sum got = slo_budget_window(b, now, WINDOWS[w]);
        struct slo_sum want = model_sum(m, newest - WINDOWS[w] / SLICE_MS + 1, newest);
        same_sum(&got, &want);
    }
    size_t count = slo_budget_months(b, months);
    for (size_t k = 0; k < count; k++) {
        int64_t first = (months[k].period.start_ms - start) / SLICE_MS;
        int64_t last = (months[k].period.end_ms - start) / SLICE_MS - 1;
        struct slo_sum want = model_sum(m, first, last);
        same_sum(&months[k].sum, &want);
    }
}

static void test_slo_budget__random_order(void **state)
{
    (void)state;
    unsigned seed = (unsigned)time(NULL);
    print_message("seed %u\n", seed);
    srand(seed);
    struct model *m = mem_zalloc(1, sizeof(*m));
    struct slo_budget *b = open_calendar("Europe/Berlin", 1, 0, 0.01);
    int64_t start = at("Europe/Berlin", 2026, 10, 5, 0); /* over the leap of 25 October */
    int64_t newest = 0;
    for (int64_t i = 0; i < MODEL_SLICES; i++) {
        if (rand() % 10 == 0)
            continue; /* a gap, perhaps filled below */
        add_random(b, m, start, i);
        newest = i;
        /* Late and repeated slices, of the last 20 days. */
        int64_t other = i - rand() % (20 * 288);
        if (other >= 0 && rand() % 3 == 0)
            add_random(b, m, start, other);
        if (rand() % 997 == 0)
            compare(b, m, start, newest);
        assert_int_equal(slo_budget_has(b, start + (i + 1) * SLICE_MS), 1);
    }
    compare(b, m, start, newest);
    assert_false(slo_budget_has(b, start + (MODEL_SLICES + 1) * (int64_t)SLICE_MS));
    slo_budget_close(b);
    mem_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_slo_budget__forty_even_days),
        cmocka_unit_test(test_slo_budget__weighs_by_events),
        cmocka_unit_test(test_slo_budget__all_month_lengths),
        cmocka_unit_test(test_slo_budget__periods_turn_over),
        cmocka_unit_test(test_slo_budget__late_start_and_gaps),
        cmocka_unit_test(test_slo_budget__no_events_and_no_budget),
        cmocka_unit_test(test_slo_budget__rolling),
        cmocka_unit_test(test_slo_budget__weeks_quarters_years),
        cmocka_unit_test(test_slo_budget__random_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
