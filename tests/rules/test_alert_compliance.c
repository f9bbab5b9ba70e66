/* test_alert_compliance.c -- the four cases of Prometheus' alert generator compliance suite, with
 * its tolerances, over injected time: samples every 15 s, evaluations every 30 s, from several
 * phases.
 *
 * At every evaluation and half-way to the next: which alerts are pending or fire, since when, with
 * which value and texts; the series ALERTS and ALERTS_FOR_STATE. Of what is told: when it comes
 * first, how often again, its times, and that nothing else comes. */
#include "rules_testing.h"

#include <math.h>

#include "base/mem.h"
#include "query/series_notation.h"

enum {
    PLACE_S = 15, /* between samples */
    INTERVAL_S = 30,
    DELIVERY_S = 10, /* what the suite allows an alert to take to arrive */
    RESEND_MIN_S = 55,
    RESEND_MAX_S = 95,
    KEPT_S = 15 * 60, /* what ended is told of that long */
    ENDS_S = 4 * 60,
    STATES_MAX = 10,
    EPISODES_MAX = 2,
    ALERTS_MAX = 3,
    SERIES_MAX = 5,
};

/* A state an alert may be in from place `from` on, up to one interval after place `to`. */
struct may_be {
    enum alert_state state;
    int from, to, active; /* places; `active`: where it began */
    double value;
    const char *text; /* the annotations, one after the other */
};

struct episode {                /* of firing; in places */
    int fires, resolved, again; /* again: when it is active next */
};

struct expected {
    const char *alert, *variant;
    struct may_be states[STATES_MAX];
    struct episode episodes[EPISODES_MAX];
};

struct compliance {
    const char *rules;
    const char *series[SERIES_MAX];
    struct expected alerts[ALERTS_MAX];
    int places; /* how long it goes on */
};

/* ---- What is told ---- */

struct told {                                                   /* of one alert in one episode */
    int64_t first_s, last_s, resolved_first_s, resolved_last_s; /* -1: not yet */
    int firing, resolved;
};

struct recorder {
    const struct compliance *c;
    struct told told[ALERTS_MAX][EPISODES_MAX];
    int64_t now_s;
    int count;
};

static bool is_alert(const struct expected *e, struct labels ls)
{
    str variant = labels_get(ls, STR("variant"));
    return e->alert != NULL && str_eq(labels_get(ls, STR("alertname")), str_from(e->alert)) &&
           str_eq(variant, e->variant != NULL ? str_from(e->variant) : STR(""));
}

static size_t find_alert(const struct compliance *c, struct labels ls)
{
    for (size_t i = 0; i < ALERTS_MAX; i++)
        if (is_alert(&c->alerts[i], ls))
            return i;
    fail_msg("an alert that no case has");
    return 0;
}

/* Within [from, from + tolerance]. */
static void assert_within(int64_t got_s, int64_t from_s, int64_t tolerance_s, const char *what)
{
    if (got_s < from_s || got_s > from_s + tolerance_s)
        fail_msg("%s: %lld is not in [%lld, %lld]", what, (long long)got_s, (long long)from_s,
                 (long long)(from_s + tolerance_s));
}

static void hear_firing(struct recorder *r, const struct episode *e, struct told *t,
                        const struct alert *a)
{
    assert_within(seconds(a->starts_at_ms), e->fires * PLACE_S, INTERVAL_S, "startsAt");
    assert_int_equal(seconds(a->ends_at_ms), r->now_s + ENDS_S);
    assert_true(t->resolved == 0);
    if (t->firing++ == 0)
        assert_within(r->now_s, e->fires * PLACE_S, INTERVAL_S + DELIVERY_S, "first told of");
    else
        assert_within(r->now_s - t->last_s, RESEND_MIN_S, RESEND_MAX_S - RESEND_MIN_S,
                      "told again");
    t->last_s = r->now_s;
}

static void hear_resolved(struct recorder *r, const struct episode *e, struct told *t,
                          const struct alert *a)
{
    int64_t ended_s = seconds(a->ends_at_ms);
    assert_int_equal(a->end, ALERT_INACTIVE);
    assert_within(ended_s, e->resolved * PLACE_S, INTERVAL_S, "endsAt");
    assert_within(seconds(a->starts_at_ms), e->fires * PLACE_S, INTERVAL_S, "startsAt");
    assert_true(t->firing > 0);
    assert_true(r->now_s <= ended_s + KEPT_S);
    assert_true(r->now_s < e->again * PLACE_S + INTERVAL_S);
    if (t->resolved++ == 0)
        assert_within(r->now_s, e->resolved * PLACE_S, INTERVAL_S + DELIVERY_S, "told of the end");
    else
        assert_within(r->now_s - t->resolved_last_s, RESEND_MIN_S, RESEND_MAX_S - RESEND_MIN_S,
                      "told of the end again");
    t->resolved_last_s = r->now_s;
}

static void hear(void *arg, const struct alert *alerts, size_t count)
{
    struct recorder *r = arg;
    for (size_t i = 0; i < count; i++) {
        const struct alert *a = &alerts[i];
        size_t which = find_alert(r->c, a->labels), k = 0;
        const struct episode *e = r->c->alerts[which].episodes;
        assert_int_equal(seconds(a->evaluated_ms), r->now_s);
        assert_true(e[0].resolved > 0); /* pending ones are not told of */
        if (e[1].resolved > 0 && r->now_s >= e[1].fires * PLACE_S)
            k = 1;
        if (alert_is_resolved(a))
            hear_resolved(r, &e[k], &r->told[which][k], a);
        else
            hear_firing(r, &e[k], &r->told[which][k], a);
        r->count++;
    }
}

/* Nothing was left out: told of as long as it fired, and as long after its end as is due. */
static void check_told(const struct recorder *r)
{
    int64_t end_s = r->c->places * PLACE_S;
    for (size_t i = 0; i < ALERTS_MAX; i++)
        for (size_t k = 0; k < EPISODES_MAX && r->c->alerts[i].episodes[k].resolved > 0; k++) {
            const struct episode *e = &r->c->alerts[i].episodes[k];
            const struct told *t = &r->told[i][k];
            int64_t until_s = e->resolved * PLACE_S + KEPT_S;
            until_s = MIN(until_s, MIN(end_s, (int64_t)e->again * PLACE_S));
            assert_true(t->firing > 0);
            assert_true(t->last_s >= e->resolved * PLACE_S - RESEND_MAX_S);
            assert_true(t->resolved > 0);
            assert_true(t->resolved_last_s >= until_s - RESEND_MAX_S);
        }
}

/* ---- What is so ---- */

static void annotations_text(struct labels ls, struct buf *out)
{
    buf_reset(out);
    for (size_t i = 0; i < ls.count; i++)
        buf_printf(out, "%s" STR_FMT, i > 0 ? "; " : "", STR_ARG(ls.items[i].value));
}

static bool state_fits(const struct may_be *m, const struct active_alert *a, int64_t now_s)
{
    struct buf text = {0};
    enum alert_state state = a != NULL ? a->state : ALERT_STATE_INACTIVE;
    bool fits = m->state == state && now_s >= m->from * PLACE_S - 1 &&
                now_s <= m->to * PLACE_S + INTERVAL_S;
    if (fits && state != ALERT_STATE_INACTIVE) {
        annotations_text(a->annotations, &text);
        fits = a->value == m->value && strcmp(buf_cstr(&text), m->text) == 0 &&
               seconds(a->active_at_ms) >= m->active * PLACE_S &&
               seconds(a->active_at_ms) <= m->active * PLACE_S + INTERVAL_S;
    }
    buf_fini(&text);
    return fits;
}

/* The alert as it is; NULL: there is none. */
static const struct active_alert *actual(const struct group *g, const struct expected *e)
{
    const struct active_alert *found = NULL;
    for (size_t i = 0; i < g->rule_count; i++)
        for (size_t k = 0; k < g->rules[i].alerts.count; k++) {
            const struct active_alert *a = g->rules[i].alerts.items[k];
            if (a->state == ALERT_STATE_INACTIVE || !is_alert(e, a->labels))
                continue;
            assert_null(found); /* once */
            found = a;
        }
    return found;
}

static void check_state(const struct compliance *c, const struct group *g, int64_t now_s)
{
    for (size_t i = 0; i < ALERTS_MAX && c->alerts[i].alert != NULL; i++) {
        const struct expected *e = &c->alerts[i];
        const struct active_alert *a = actual(g, e);
        bool fits = false;
        for (size_t k = 0; k < STATES_MAX && e->states[k].to > 0; k++)
            fits = fits || state_fits(&e->states[k], a, now_s);
        if (!fits)
            fail_msg("%s at %lld s: %s, value %g", e->alert, (long long)now_s,
                     alert_state_name(a != NULL ? a->state : ALERT_STATE_INACTIVE),
                     a != NULL ? a->value : NAN);
    }
}

/* How many elements of `v` have exactly the alert's labels and, of ALERTS, its state. */
static size_t count_series(const struct rule_vector *v, const char *name,
                           const struct active_alert *a, double *value)
{
    size_t n = 0, more = strcmp(name, "ALERTS") == 0 ? 2 : 1;
    for (size_t i = 0; i < v->count; i++) {
        struct labels ls = v->items[i].labels;
        bool same = ls.count == a->labels.count + more &&
                    str_eq(labels_get(ls, LABEL_NAME), str_from(name));
        for (size_t k = 0; same && k < a->labels.count; k++)
            same = str_eq(labels_get(ls, a->labels.items[k].name), a->labels.items[k].value);
        if (same && more == 2)
            same = str_eq(labels_get(ls, STR("alertstate")), str_from(alert_state_name(a->state)));
        if (same)
            *value = v->items[i].value;
        n += same;
    }
    return n;
}

/* ALERTS and ALERTS_FOR_STATE are what the states are, to the last label. */
static void check_series(struct world *w, int64_t now_s)
{
    static const char *const NAMES[] = {"ALERTS", "ALERTS_FOR_STATE"};
    for (size_t n = 0; n < COUNT_OF(NAMES); n++) {
        struct arena a;
        struct rule_vector v;
        struct diag d = {.text = ""};
        size_t active = 0;
        arena_init(&a, 16 << 20);
        assert_int_equal(rule_query(&w->env.querier, &(struct query_asker){.kind = "test"},
                                    str_from(NAMES[n]), T0 + now_s * 1000, &a, &v, &d),
                         OK);
        for (size_t i = 0; i < w->group->rule_count; i++)
            for (size_t k = 0; k < w->group->rules[i].alerts.count; k++) {
                const struct active_alert *alert = w->group->rules[i].alerts.items[k];
                double value = 0;
                if (alert->state == ALERT_STATE_INACTIVE)
                    continue;
                active++;
                if (n == 0 && labels_get(alert->labels, STR("alertstate")).ptr != NULL)
                    continue; /* the series has the alert's own state in its place */
                assert_int_equal(count_series(&v, NAMES[n], alert, &value), 1);
                assert_true(value == (n == 0 ? 1 : (double)(alert->active_at_ms / 1000)));
            }
        assert_int_equal(v.count, active);
        arena_fini(&a);
    }
}

/* ---- Running ---- */

static void give_series(struct world *w, const struct compliance *c)
{
    for (size_t i = 0; i < SERIES_MAX && c->series[i] != NULL; i++) {
        struct arena a;
        struct series_notation n;
        struct diag d = {.text = ""};
        arena_init(&a, 16 << 20);
        if (series_notation_parse(str_from(c->series[i]), &a, &n, &d) != OK)
            fail_msg("%s", d.text);
        size_t s = fake_store_series_of(w->store, n.labels);
        for (size_t k = 0; k < n.count; k++)
            fake_store_add(w->store, s, T0 + (int64_t)k * PLACE_S * 1000, n.places[k].value);
        arena_fini(&a);
    }
}

static void run_from(const struct compliance *c, int64_t phase_s)
{
    struct world w;
    struct recorder *r = mem_zalloc(1, sizeof(*r));
    const struct alert_sink sink = {r, hear};
    world_open(&w);
    w.env.sink = &sink;
    r->c = c;
    world_load(&w, c->rules);
    for (size_t i = 0; i < w.group->rule_count; i++)
        w.group->rules[i].restored = true; /* the suite begins long after the start */
    give_series(&w, c);
    for (int64_t s = phase_s; s < c->places * PLACE_S; s += INTERVAL_S) {
        r->now_s = s;
        group_eval(w.group, T0 + s * 1000);
        for (size_t i = 0; i < w.group->rule_count; i++)
            assert_error(&w, i, "");
        check_state(c, w.group, s);
        check_series(&w, s);
        check_state(c, w.group, s + INTERVAL_S / 2);
        check_series(&w, s + INTERVAL_S / 2);
    }
    check_told(r);
    world_close(&w);
    mem_free(r);
}

static void run(const struct compliance *c)
{
    static const int64_t PHASES_S[] = {0, 1, 7, 15, 22, 29};
    for (size_t i = 0; i < COUNT_OF(PHASES_S); i++)
        run_from(c, PHASES_S[i]);
}

#define SERIES      "alert_generator_test_suite"
#define GROUP(text) "groups:\n- name: g\n  interval: 30s\n  rules:\n" text

/* ---- The cases ---- */

/* An alert waits, fires, changes its value, ends, is told of, and fires again meanwhile. */
static void test_compliance__pending_firing_resolved(void **state)
{
    static const struct compliance CASE = {
        .rules = GROUP("  - alert: Simple\n"
                       "    expr: '" SERIES "{job=\"x\"} > 10'\n"
                       "    for: 6m\n"
                       "    labels: {foo: bar}\n"
                       "    annotations:\n"
                       "      description: it fires\n"
                       "      summary: The value is {{$value}} {{.Value}}\n"),
        .series = {SERIES "{job=\"x\"} 3 5x2 9x3 11x12 15x31 19x15 9x19 15x44 8x15"},
        .places = 150,
        .alerts = {{
            .alert = "Simple",
            .states =
                {
                    {ALERT_STATE_INACTIVE, 0, 8, 0, 0, ""},
                    {ALERT_STATE_PENDING, 8, 21, 8, 11, "it fires; The value is 11 11"},
                    {ALERT_STATE_PENDING, 21, 32, 8, 15, "it fires; The value is 15 15"},
                    {ALERT_STATE_FIRING, 32, 53, 8, 15, "it fires; The value is 15 15"},
                    {ALERT_STATE_FIRING, 53, 69, 8, 19, "it fires; The value is 19 19"},
                    {ALERT_STATE_INACTIVE, 69, 89, 0, 0, ""},
                    {ALERT_STATE_PENDING, 89, 113, 89, 15, "it fires; The value is 15 15"},
                    {ALERT_STATE_FIRING, 113, 134, 89, 15, "it fires; The value is 15 15"},
                    {ALERT_STATE_INACTIVE, 134, 240, 0, 0, ""},
                },
            .episodes = {{32, 69, 89}, {113, 134, 1000}},
        }},
    };
    (void)state;
    run(&CASE);
}

/* A wait that ends before it is over is told to nobody; nor is what never begins. */
static void test_compliance__pending_resolved_always_inactive(void **state)
{
    static const struct compliance CASE = {
        .rules = GROUP("  - alert: Pending\n"
                       "    expr: " SERIES "{job=\"x\"} > 10\n"
                       "    for: 3m\n"
                       "    labels: {foo: bar}\n"
                       "    annotations: {description: it fires}\n"
                       "  - alert: Never\n"
                       "    expr: " SERIES "{job=\"y\"} > 99\n"
                       "    for: 3m\n"
                       "    annotations: {description: no}\n"),
        .series = {SERIES "{job=\"x\"} 3 5x2 9x3 11x10 9", SERIES "{job=\"y\"} 3 5x2 9x3 11x10 9"},
        .places = 60,
        .alerts =
            {
                {.alert = "Pending",
                 .states = {{ALERT_STATE_INACTIVE, 0, 8, 0, 0, ""},
                            {ALERT_STATE_PENDING, 8, 19, 8, 11, "it fires"},
                            {ALERT_STATE_INACTIVE, 19, 240, 0, 0, ""}}},
                {.alert = "Never", .states = {{ALERT_STATE_INACTIVE, 0, 240, 0, 0, ""}}},
            },
    };
    (void)state;
    run(&CASE);
}

/* The same where the data stops while the alert waits. */
static void test_compliance__pending_until_data_stops(void **state)
{
    static const struct compliance CASE = {
        .rules = GROUP("  - alert: Pending\n"
                       "    expr: " SERIES " > 10\n"
                       "    for: 10m\n"),
        .series = {SERIES " 3x7 11x4"},
        .places = 60,
        .alerts = {{.alert = "Pending",
                    .states = {{ALERT_STATE_INACTIVE, 0, 8, 0, 0, ""},
                               {ALERT_STATE_PENDING, 8, 32, 8, 11, ""}, /* five minutes more */
                               {ALERT_STATE_INACTIVE, 32, 240, 0, 0, ""}}}},
    };
    (void)state;
    run(&CASE);
}

#define NUMBERS                                                                                    \
    "{{humanize 1048576}} {{humanize1024 1048576}} {{humanizeDuration 135.3563}} "                 \
    "{{humanizePercentage 0.959}} {{humanizeTimestamp 1643114203}}"
#define NUMBERS_TEXT "1.049M 1Mi 2m 15s 95.9% 2022-01-25 12:36:43 +0000 UTC"
#define ASKED                                                                                      \
    "{{ define \"t\" }}Args are: {{.arg0}} {{.arg1}} {{.arg2}}. {{ with query "                    \
    "\"" SERIES "{for=''template''}\" }}first_id:{{ . | sortByLabel \"id\" | first | label "       \
    "\"id\"}},{{ range $v := sortByLabel \"id\" .}}{{ . | label \"id\" }}:{{ . | value }},"        \
    "{{end}}{{end}}{{ end }}{{ template \"t\" (args \"foo\" \"bar\" 99) }}"
#define STRINGS                                                                                    \
    "{{title \"this part\"}} {{toUpper \"is testing\"}} {{toLower \"THE STRINGS\"}}. {{ "          \
    "stripPort "                                                                                   \
    "\"[::1]:6006\"}} {{ stripPort \"127.0.0.1:4004\"}}. {{parseDuration \"2h10m15s\"}}. {{if "    \
    "match \"[0-9]+\" \"1234\"}}{{reReplaceAll \"r.*d\" \"replaced\" \"rpld text\"}}{{end}}. "     \
    "{{if "                                                                                        \
    "match \"[0-9]+$\" \"1234a\"}}WRONG{{end}}."
#define STRINGS_TEXT "This Part IS TESTING the strings. ::1 127.0.0.1. 7815. replaced text. ."

/* Without a wait an alert fires at once, with one shorter than the interval at the second
 * evaluation; the end of one that nobody hears of any more is no hindrance to fire again. */
static void test_compliance__zero_for_small_for(void **state)
{
#define ZERO_FIRST  "at once; Args are: foo bar 99. first_id:101,101:1,102:2,103:3,; " NUMBERS_TEXT
#define ZERO_SECOND "at once; Args are: foo bar 99. first_id:101,101:2,102:4,103:6,; " NUMBERS_TEXT
#define SMALL       "after an interval; " STRINGS_TEXT
    static const struct compliance CASE = {
        .rules = GROUP("  - alert: Zero\n"
                       "    expr: '" SERIES "{job=\"x\"} > 10'\n"
                       "    labels: {foo: bar}\n"
                       "    annotations:\n"
                       "      description: at once\n"
                       "      template_query_test: '" ASKED "'\n"
                       "      template_test: '" NUMBERS "'\n"
                       "  - alert: Small\n"
                       "    expr: '" SERIES "{job=\"x\"} > 13'\n"
                       "    for: 15s\n"
                       "    labels: {ba_dum: tss}\n"
                       "    annotations:\n"
                       "      description: after an interval\n"
                       "      template_test: '" STRINGS "'\n"),
        .series = {SERIES "{job=\"x\"} 3 5x2 9x3 15x12 9x71 11x12 9",
                   SERIES "{for=\"template\",id=\"101\"} 1x27 2x200",
                   SERIES "{for=\"template\",id=\"102\"} 2x27 4x200",
                   SERIES "{for=\"template\",id=\"103\"} 3x27 6x200"},
        .places = 127,
        .alerts =
            {
                {.alert = "Zero",
                 .states = {{ALERT_STATE_INACTIVE, 0, 8, 0, 0, ""},
                            {ALERT_STATE_FIRING, 8, 21, 8, 15, ZERO_FIRST},
                            {ALERT_STATE_INACTIVE, 21, 93, 0, 0, ""},
                            {ALERT_STATE_FIRING, 93, 106, 93, 11, ZERO_SECOND},
                            {ALERT_STATE_INACTIVE, 106, 240, 0, 0, ""}},
                 .episodes = {{8, 21, 93}, {93, 106, 1000}}},
                {.alert = "Small",
                 .states = {{ALERT_STATE_INACTIVE, 0, 8, 0, 0, ""},
                            {ALERT_STATE_PENDING, 8, 10, 8, 15, SMALL},
                            {ALERT_STATE_FIRING, 10, 21, 8, 15, SMALL},
                            {ALERT_STATE_INACTIVE, 21, 240, 0, 0, ""}},
                 .episodes = {{10, 21, 1000}}},
            },
    };
    (void)state;
    run(&CASE);
}

/* A second alert of a rule comes and goes while the first fires; a rule that reads ALERTS sees what
 * the one before it wrote at the same time; templates see the labels of the element. */
static void test_compliance__new_alerts_order(void **state)
{
#define FIRING_OF(variant)                                                                         \
    "ALERTS{alertstate=\"firing\", alertname=\"Rule1\", foo=\"bar\", variant=\"" variant "\"}"
    static const struct compliance CASE =
        {
            .rules = GROUP("  - alert: Rule1\n"
                           "    expr: " SERIES " > 10\n"
                           "    for: 3m\n"
                           "    labels: {foo: bar}\n"
                           "    annotations: {description: more later}\n"
                           "  - alert: Rule2\n"
                           "    expr: '(" FIRING_OF("one") " + ignoring (variant) " FIRING_OF(
                               "two") ") == 2'\n"
                                      "    labels: {foo: baz, ba_dum: tss}\n"
                                      "    annotations:\n"
                                      "      description: Old alertname was {{$labels.alertname}}. "
                                      "foo was {{.Labels.foo}}.\n"),
            .series = {SERIES "{variant=\"one\"} 1x7 11x64 9x20",
                       SERIES "{variant=\"two\"} 1x31 11x32 9x20"},
            .places = 94,
            .alerts =
                {
                    {.alert = "Rule1",
                     .variant = "one",
                     .states = {{ALERT_STATE_INACTIVE, 0, 8, 0, 0, ""},
                                {ALERT_STATE_PENDING, 8, 20, 8, 11, "more later"},
                                {ALERT_STATE_FIRING, 20, 73, 8, 11, "more later"},
                                {ALERT_STATE_INACTIVE, 73, 240, 0, 0, ""}},
                     .episodes = {{20, 73, 1000}}},
                    {.alert = "Rule1",
                     .variant = "two",
                     .states = {{ALERT_STATE_INACTIVE, 0, 32, 0, 0, ""},
                                {ALERT_STATE_PENDING, 32, 44, 32, 11, "more later"},
                                {ALERT_STATE_FIRING, 44, 65, 32, 11, "more later"},
                                {ALERT_STATE_INACTIVE, 65, 240, 0, 0, ""}},
                     .episodes = {{44, 65, 1000}}},
                    {.alert = "Rule2",
                     .states = {{ALERT_STATE_INACTIVE, 0, 44, 0, 0, ""},
                                {ALERT_STATE_FIRING, 44, 65, 44, 2,
                                 "Old alertname was Rule1. foo was bar."},
                                {ALERT_STATE_INACTIVE, 65, 240, 0, 0, ""}},
                     .episodes = {{44, 65, 1000}}},
                },
        };
    (void)state;
    run(&CASE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_compliance__pending_firing_resolved),
        cmocka_unit_test(test_compliance__pending_resolved_always_inactive),
        cmocka_unit_test(test_compliance__pending_until_data_stops),
        cmocka_unit_test(test_compliance__zero_for_small_for),
        cmocka_unit_test(test_compliance__new_alerts_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
