/* test_manager.c -- the rules of a server in real time, with intervals of milliseconds: the
 * schedule, reloads, bounds, groups set by the API. Queries are watched as they begin and end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/thread.h"
#include "rules/manager.h"
#include "support/config_text.h"

#define T0_MS INT64_C(1700000000000)

enum { SEEN_MAX = 4096, GROUPS_MAX = 16, NAME_MAX_BYTES = 32 };

struct seen { /* a query that began */
    char group[NAME_MAX_BYTES];
    int64_t ts_ms, began_ms;
};

struct watched_group {
    char name[NAME_MAX_BYTES];
    int running;
};

struct world {
    char dir[64];
    struct db *db;
    struct rules *rules;
    struct query_watch watch;
    struct alert_sink sink;
    struct mutex lock; /* guards what follows */
    struct seen seen[SEEN_MAX];
    size_t count;
    struct watched_group groups[GROUPS_MAX];
    int running, running_max; /* queries at once */
    bool overlaps;            /* two of one group were */
    int64_t look_ms;          /* of critical rules between evaluations; 0: never */
    unsigned slow_us;         /* how long a query of a group "slow..." takes */
    struct buf told;          /* "firing A; removed B; " */
    atomic_bool looked_enough;
    uint64_t seen_evals; /* of who looks */
};

/* ---- Queries that are watched ---- */

static struct watched_group *group_of(struct world *w, const char *name)
{
    for (size_t i = 0; i < GROUPS_MAX; i++) {
        if (w->groups[i].name[0] == '\0')
            (void)snprintf(w->groups[i].name, NAME_MAX_BYTES, "%s", name);
        if (strcmp(w->groups[i].name, name) == 0)
            return &w->groups[i];
    }
    fail_msg("too many groups");
    return NULL;
}

static void *begin(void *arg, const struct query_asker *who, str text,
                   const struct query_options *o, struct query_progress **progress)
{
    struct world *w = arg;
    char name[NAME_MAX_BYTES];
    (void)text, (void)progress;
    (void)snprintf(name, sizeof(name), STR_FMT, STR_ARG(who->group));
    mutex_lock(&w->lock);
    struct watched_group *g = group_of(w, name);
    w->overlaps |= g->running++ > 0;
    w->running++;
    w->running_max = MAX(w->running_max, w->running);
    if (w->count < SEEN_MAX) {
        struct seen *s = &w->seen[w->count++];
        memcpy(s->group, name, sizeof(name));
        s->ts_ms = o->start_ms;
        s->began_ms = clock_wall_ms();
    }
    unsigned slow_us = strncmp(name, "slow", 4) == 0 ? w->slow_us : 0;
    mutex_unlock(&w->lock);
    if (slow_us > 0)
        (void)usleep(slow_us);
    return g;
}

static void end(void *arg, void *begun, const struct query *q, err e, const char *error)
{
    struct world *w = arg;
    struct watched_group *g = begun;
    (void)q, (void)e, (void)error;
    mutex_lock(&w->lock);
    g->running--;
    w->running--;
    mutex_unlock(&w->lock);
}

static void write_down(void *arg, const struct alert *alerts, size_t count)
{
    static const char *const ENDS[] = {"firing", "resolved", "removed"};
    struct world *w = arg;
    mutex_lock(&w->lock);
    for (size_t i = 0; i < count; i++)
        buf_printf(&w->told, "%s " STR_FMT "; ", ENDS[alerts[i].end],
                   STR_ARG(labels_get(alerts[i].labels, STR("alertname"))));
    mutex_unlock(&w->lock);
}

static bool was_told(struct world *w, const char *text)
{
    mutex_lock(&w->lock);
    bool told = strstr(buf_cstr(&w->told), text) != NULL;
    mutex_unlock(&w->lock);
    return told;
}

/* ---- A server's rules ---- */

static void open_store(struct world *w)
{
    struct diag d = {.text = ""};
    struct db_options o = db_options_default();
    o.path = w->dir;
    o.sync = DB_SYNC_OFF;
    o.no_background = true;
    if (db_open(&o, &w->db, &d) != OK)
        fail_msg("%s", d.text);
}

static void open_rules(struct world *w, unsigned workers)
{
    struct rules_options o = {.workers = workers, .interval_ms = 60000, .look_ms = w->look_ms};
    w->watch = (struct query_watch){w, begin, end};
    w->sink = (struct alert_sink){w, write_down};
    o.env.querier = (struct rule_querier){.env = {.source = &QUERY_SOURCE_DB}, .watch = &w->watch};
    o.env.sink = &w->sink;
    o.env.resend_delay_ms = RULES_RESEND_DELAY_MS;
    o.env.outage_tolerance_ms = RULES_OUTAGE_TOLERANCE_MS;
    o.env.grace_period_ms = RULES_GRACE_PERIOD_MS;
    w->rules = rules_open(&o);
}

static void open_world_that_looks(struct world *w, unsigned workers, int64_t look_ms)
{
    *w = (struct world){.dir = "/tmp/varve-manager-XXXXXX", .look_ms = look_ms};
    assert_non_null(mkdtemp(w->dir));
    mutex_init(&w->lock);
    open_store(w);
    open_rules(w, workers);
}

static void open_world(struct world *w, unsigned workers)
{
    open_world_that_looks(w, workers, 0);
}

static void close_world(struct world *w)
{
    rules_close(w->rules);
    db_abandon(w->db);
    assert_int_equal(fs_remove_tree(fs_posix(), w->dir), OK);
    mutex_fini(&w->lock);
    buf_fini(&w->told);
}

/* The rule file is `yaml` from now on (NULL: there is none). */
static err try_load(struct world *w, const char *yaml, struct diag *d)
{
    char path[96], text[192];
    struct config *c = NULL;
    struct rules_update *u = NULL;
    (void)snprintf(path, sizeof(path), "%s/r.yml", w->dir);
    (void)snprintf(text, sizeof(text), "rule_files: [%s]\n", path);
    if (yaml != NULL)
        assert_int_equal(fs_write_file(fs_posix(), path, str_bytes(str_from(yaml))), OK);
    assert_int_equal(config_from_text(yaml != NULL ? text : "rule_files: []\n", &c, d), OK);
    err e = rules_prepare(w->rules, c, &u, d);
    if (e == OK)
        rules_commit(w->rules, u);
    config_unref(c);
    return e;
}

static void load(struct world *w, const char *yaml)
{
    struct diag d = {.text = ""};
    if (try_load(w, yaml, &d) != OK)
        fail_msg("%s", d.text);
}

static void start(struct world *w)
{
    struct diag d = {.text = ""};
    if (rules_start(w->rules, w->db, w->dir, &d) != OK)
        fail_msg("%s", d.text);
}

static void load_and_start(struct world *w, const char *yaml)
{
    load(w, yaml);
    start(w);
}

static void wait_ms(unsigned ms)
{
    (void)usleep(ms * 1000);
}

/* Wait up to 10 s until it was told. */
static void assert_told(struct world *w, const char *text)
{
    for (int i = 0; i < 1000 && !was_told(w, text); i++)
        wait_ms(10);
    if (!was_told(w, text))
        fail_msg("not told: %s, but %s", text, buf_cstr(&w->told));
}

static struct group *find_group(struct rules_view *v, const char *name)
{
    for (size_t i = 0; i < v->count; i++)
        if (str_eq(v->groups[i]->name, str_from(name)))
            return v->groups[i];
    return NULL;
}

static uint64_t count_of(const atomic_uint_least64_t *c)
{
    return atomic_load_explicit(c, memory_order_relaxed);
}

/* Evaluations of a group so far; waits up to 10 s for `least`. */
static uint64_t evaluations(struct world *w, const char *name, uint64_t least)
{
    uint64_t n = 0;
    for (int i = 0; i < 1000; i++) {
        struct rules_view v = rules_view(w->rules);
        struct group *g = find_group(&v, name);
        assert_non_null(g);
        group_lock(g);
        n = g->evals;
        group_unlock(g);
        rules_view_fini(&v);
        if (n >= least)
            return n;
        wait_ms(10);
    }
    fail_msg("group %s: %llu evaluations", name, (unsigned long long)n);
    return n;
}

/* ---- The schedule ---- */

#define QUICK(name)                                                                                \
    "- name: " name "\n  interval: 100ms\n  rules:\n  - {record: r:" name ", expr: vector(1)}\n"

/* All times of a group are its offset plus multiples of the interval, and each of its rules is
 * evaluated once at most for a time. */
static int64_t check_times(const struct world *w, const char *name, int64_t interval_ms, int rules)
{
    int64_t last_ms = -1, offset_ms = -1;
    int queries = 0;
    for (size_t i = 0; i < w->count; i++) {
        const struct seen *s = &w->seen[i];
        if (strcmp(s->group, name) != 0)
            continue;
        if (offset_ms < 0)
            offset_ms = s->ts_ms % interval_ms;
        assert_int_equal(s->ts_ms % interval_ms, offset_ms);
        assert_true(s->ts_ms >= last_ms);
        queries = s->ts_ms == last_ms ? queries + 1 : 1;
        assert_in_range(queries, 1, rules);
        assert_true(s->began_ms >= s->ts_ms);
        last_ms = s->ts_ms;
    }
    assert_true(last_ms > 0);
    return offset_ms;
}

static void test_manager__evaluates_at_aligned_times_that_are_spread(void **state)
{
    static const char *const NAMES[] = {"a", "b", "c", "d", "e", "f"};
    struct world w;
    int64_t least = 100, most = 0;
    (void)state;
    open_world(&w, 4);
    load_and_start(&w,
                   "groups:\n" QUICK("a") QUICK("b") QUICK("c") QUICK("d") QUICK("e") QUICK("f"));
    for (size_t i = 0; i < COUNT_OF(NAMES); i++)
        (void)evaluations(&w, NAMES[i], 5);
    rules_stop(w.rules);
    assert_false(w.overlaps);
    for (size_t i = 0; i < COUNT_OF(NAMES); i++) {
        int64_t offset_ms = check_times(&w, NAMES[i], 100, 1);
        least = MIN(least, offset_ms);
        most = MAX(most, offset_ms);
    }
    assert_true(most - least > 20); /* by their names: not all at once */
    size_t evaluated = w.count;
    wait_ms(150);
    assert_int_equal(w.count, evaluated); /* a stop is one */
    close_world(&w);
}

static void test_manager__counts_what_it_misses_and_never_overlaps(void **state)
{
    struct world w;
    (void)state;
    open_world(&w, 4);
    w.slow_us = 250000;
    load_and_start(&w, "groups:\n" QUICK("slow") QUICK("quick"));
    (void)evaluations(&w, "slow", 3);
    rules_stop(w.rules);
    assert_false(w.overlaps);
    (void)check_times(&w, "slow", 100, 1);
    struct rules_view v = rules_view(w.rules);
    const struct group_counters *c = &find_group(&v, "slow")->counters;
    const struct group_counters *quick = &find_group(&v, "quick")->counters;
    uint64_t missed = count_of(&c->missed), iterations = count_of(&c->iterations);
    assert_in_range(missed, 3, 1000); /* two of three */
    assert_in_range(iterations - missed, count_of(&c->evaluations), count_of(&c->evaluations) + 1);
    assert_true(count_of(&quick->evaluations) > count_of(&c->evaluations));
    rules_view_fini(&v);
    close_world(&w);
}

static void test_manager__follows_a_clock_that_is_set(void **state)
{
    static const struct { /* the clock, from when the first evaluation is due; evaluations by then
                           */
        int64_t ms;
        uint64_t evals;
    } STEPS[] = {{0, 1}, {-99, 1}, {100, 2}, {250, 3}, {-3600000, 3}, {-3599800, 4}, {7200000, 5}};
    struct world w;
    int64_t due_ms = T0_MS;
    uint64_t evals[COUNT_OF(STEPS)];
    (void)state;
    open_world(&w, 2);
    clock_set_for_test(due_ms);
    load_and_start(&w, "groups:\n" QUICK("a"));
    struct rules_view v = rules_view(w.rules);
    due_ms = group_slot_ns(find_group(&v, "a"), due_ms * 1000000) / 1000000 + 101;
    rules_view_fini(&v);
    for (size_t i = 0; i < COUNT_OF(STEPS); i++) {
        clock_set_for_test(due_ms + STEPS[i].ms);
        if (i > 0 && STEPS[i].evals == STEPS[i - 1].evals)
            wait_ms(1200); /* who waits looks at the clock each second */
        evals[i] = evaluations(&w, "a", STEPS[i].evals);
    }
    clock_set_for_test(INT64_MIN);
    close_world(&w);
    for (size_t i = 0; i < COUNT_OF(STEPS); i++)
        assert_int_equal(evals[i], STEPS[i].evals);
}

#define CRITICAL(name)                                                                             \
    "- name: " name "\n  interval: 400ms\n  rules:\n"                                              \
    "  - {alert: C, expr: vector(1), labels: {severity: critical}}\n"

static uint64_t looks(struct world *w)
{
    return count_of(&rules_counters(w->rules)->looks);
}

/* The interval is divided evenly: 400 ms by 150 ms are three looks and evaluations, 133 ms apart.
 */
static void test_manager__looks_at_critical_rules_between_evaluations(void **state)
{
    struct world w;
    int64_t seen[3] = {0};
    (void)state;
    open_world_that_looks(&w, 4, 150);
    load_and_start(&w, "groups:\n" CRITICAL(
                           "c") "- name: other\n  interval: 400ms\n  rules:\n"
                                "  - {alert: W, expr: vector(1), labels: {severity: warning}}\n");
    for (size_t n = 5; n <= 30 && looks(&w) < 8; n += 5) /* a busy machine skips some */
        (void)evaluations(&w, "c", n);
    rules_stop(w.rules);
    assert_false(w.overlaps);
    (void)check_times(&w, "other", 400, 1);
    struct rules_view v = rules_view(w.rules);
    int64_t slot_ms = group_slot_ns(find_group(&v, "c"), w.seen[0].ts_ms * 1000000) / 1000000;
    rules_view_fini(&v);
    for (size_t i = 0; i < w.count; i++) {
        const struct seen *s = &w.seen[i];
        if (strcmp(s->group, "c") != 0)
            continue;
        int64_t into_ms = ((s->ts_ms - slot_ms + 2) % 400 + 400) % 400; /* slots are in ns */
        assert_true(into_ms % 133 <= 4);
        assert_true(s->began_ms >= s->ts_ms);
        seen[into_ms / 133]++;
    }
    assert_true(seen[0] >= 5 && seen[1] >= 1 && seen[2] >= 1);
    assert_true(looks(&w) >= (uint64_t)(seen[1] + seen[2]));
    close_world(&w);
}

static void test_manager__skips_looks_of_a_group_that_is_late(void **state)
{
    struct world w;
    (void)state;
    open_world_that_looks(&w, 2, 100);
    w.slow_us = 390000; /* nearly as long as it has: no look is in time */
    load_and_start(&w, "groups:\n" CRITICAL("slow"));
    (void)evaluations(&w, "slow", 4);
    rules_stop(w.rules);
    assert_false(w.overlaps);
    assert_true(count_of(&rules_counters(w.rules)->looks_skipped) >= 2);
    assert_true(looks(&w) <= 1);
    close_world(&w);
}

static void test_manager__evaluates_so_many_groups_at_once(void **state)
{
    struct world w;
    (void)state;
    open_world(&w, 2);
    w.slow_us = 60000;
    load_and_start(&w, "groups:\n" QUICK("slow1") QUICK("slow2") QUICK("slow3") QUICK("slow4")
                           QUICK("slow5"));
    for (int i = 1; i <= 5; i++) {
        char name[8];
        (void)snprintf(name, sizeof(name), "slow%d", i);
        (void)evaluations(&w, name, 2); /* nobody starves */
    }
    rules_stop(w.rules);
    assert_int_equal(w.running_max, 2);
    assert_false(w.overlaps);
    close_world(&w);
}

/* ---- Reloads ---- */

#define ALERTS(name, rules) "- name: " name "\n  interval: 100ms\n  rules:\n" rules
#define FIRES(alert)        "  - {alert: " alert ", expr: vector(1)}\n"
#define WAITS(alert)        "  - {alert: " alert ", expr: vector(1), for: 1h}\n"

static int64_t active_since(struct world *w, const char *group, size_t rule)
{
    struct rules_view v = rules_view(w->rules);
    struct group *g = find_group(&v, group);
    assert_non_null(g);
    group_lock(g);
    assert_int_equal(g->rules[rule].alerts.count, 1);
    int64_t since_ms = g->rules[rule].alerts.items[0]->active_at_ms;
    group_unlock(g);
    rules_view_fini(&v);
    return since_ms;
}

static void test_manager__reloads_keep_what_did_not_change(void **state)
{
    struct world w;
    (void)state;
    open_world(&w, 2);
    load_and_start(&w,
                   "groups:\n" ALERTS("same", WAITS("P")) ALERTS("other", FIRES("F") WAITS("Q")));
    uint64_t before = evaluations(&w, "same", 2);
    (void)evaluations(&w, "other", 2);
    assert_told(&w, "firing F; ");
    int64_t p_ms = active_since(&w, "same", 0), q_ms = active_since(&w, "other", 1);
    struct rules_view v = rules_view(w.rules);
    load(&w, "groups:\n" ALERTS("same", WAITS("P")) ALERTS("other", WAITS("Q") FIRES("G")));
    struct rules_view after = rules_view(w.rules);
    assert_ptr_equal(find_group(&v, "same"), find_group(&after, "same"));
    assert_ptr_not_equal(find_group(&v, "other"), find_group(&after, "other"));
    rules_view_fini(&v);
    rules_view_fini(&after);
    assert_told(&w, "removed F; ");
    assert_told(&w, "firing G; ");
    assert_true(evaluations(&w, "same", before + 2) > before);
    (void)evaluations(&w, "other", 1);
    assert_int_equal(active_since(&w, "same", 0), p_ms);
    assert_int_equal(active_since(&w, "other", 0), q_ms); /* it met its predecessor by its name */
    rules_stop(w.rules);
    (void)check_times(&w, "same", 100, 1);
    (void)check_times(&w, "other", 100, 2); /* no time twice, also across the reload */
    close_world(&w);
}

static void test_manager__a_bad_file_changes_nothing(void **state)
{
    struct world w;
    struct diag d = {.text = ""};
    (void)state;
    open_world(&w, 2);
    load_and_start(&w, "groups:\n" ALERTS("g", FIRES("F")));
    uint64_t before = evaluations(&w, "g", 1);
    assert_int_equal(try_load(&w, "groups:\n" ALERTS("g", "  - {alert: F, expr: 'up =='}\n"), &d),
                     ERR_INVALID);
    assert_non_null(strstr(d.text, "r.yml: 5:"));
    (void)evaluations(&w, "g", before + 2);
    assert_false(was_told(&w, "removed"));
    close_world(&w);
}

static void test_manager__alerts_of_groups_that_go_end(void **state)
{
    struct world w;
    (void)state;
    open_world(&w, 2);
    load_and_start(&w, "groups:\n" ALERTS("g", FIRES("F")) ALERTS("h", WAITS("P")));
    assert_told(&w, "firing F; ");
    (void)evaluations(&w, "h", 1);
    load(&w, NULL);
    assert_told(&w, "removed F; ");
    assert_false(was_told(&w, "P;")); /* of what only waited nobody knew */
    struct rules_view v = rules_view(w.rules);
    assert_int_equal(v.count, 0);
    rules_view_fini(&v);
    close_world(&w);
}

static void test_manager__a_reload_is_no_failure_of_what_it_cuts_short(void **state)
{
    static const char *const FILES[] = {
        "groups:\n" QUICK("slow"),
        "groups:\n" QUICK("slow") "  - {record: more, expr: vector(1)}\n",
    };
    struct world w;
    (void)state;
    open_world(&w, 2);
    w.slow_us = 150000; /* longer than the interval: there is always an evaluation to cut */
    load_and_start(&w, FILES[0]);
    (void)evaluations(&w, "slow", 1);
    for (int i = 1; i <= 4; i++) {
        wait_ms(70);
        load(&w, FILES[i % 2]);
        struct rules_view v = rules_view(w.rules);
        struct group *g = find_group(&v, "slow");
        group_lock(g);
        enum rule_health health = g->rules[0].health;
        group_unlock(g);
        assert_int_equal(health, RULE_OK);
        assert_int_equal(count_of(&g->counters.failures), 0);
        rules_view_fini(&v);
    }
    close_world(&w);
}

/* Looks at everything, as /api/v1/rules does, until told to stop. */
static void *look(void *arg)
{
    struct world *w = arg;
    struct buf b = {0};
    while (!atomic_load(&w->looked_enough)) {
        struct rules_view v = rules_view(w->rules);
        buf_reset(&b);
        for (size_t i = 0; i < v.count; i++) {
            struct group *g = v.groups[i];
            group_lock(g);
            for (size_t k = 0; k < g->rule_count; k++) {
                buf_put_str(&b, buf_str(&g->rules[k].last_error));
                for (size_t n = 0; n < g->rules[k].alerts.count; n++)
                    buf_put_str(&b,
                                labels_get(g->rules[k].alerts.items[n]->labels, STR("alertname")));
            }
            w->seen_evals += g->evals;
            group_unlock(g);
        }
        rules_view_fini(&v);
    }
    buf_fini(&b);
    return NULL;
}

/* Reloads all the time, while evaluations run and somebody looks. */
static void test_manager__reloads_meet_evaluations(void **state)
{
    static const char *const FILES[] = {
        "groups:\n" QUICK("a") ALERTS("slow", FIRES("F") FIRES("G")),
        "groups:\n" QUICK("a") ALERTS("slow", FIRES("G") FIRES("H")) QUICK("b"),
        "groups:\n" QUICK("b") ALERTS("slow", WAITS("F") FIRES("H")),
        NULL,
    };
    struct world w;
    (void)state;
    open_world(&w, 3);
    w.slow_us = 5000;
    load_and_start(&w, FILES[0]);
    pthread_t looker;
    assert_int_equal(thread_start(&looker, "look", look, &w), OK);
    for (int i = 1; i <= 60; i++) {
        load(&w, FILES[i % 4]);
        wait_ms(i % 7 * 5);
    }
    load(&w, FILES[0]);
    (void)evaluations(&w, "slow", 2);
    atomic_store(&w.looked_enough, true);
    thread_join(looker);
    assert_true(w.seen_evals > 0);
    rules_stop(w.rules);
    assert_false(w.overlaps);
    close_world(&w);
}

/* ---- Groups by the API ---- */

static err set_group(struct world *w, const char *yaml, struct diag *d)
{
    return rules_set_group(w->rules, STR("team a/b"), str_bytes(str_from(yaml)), d);
}

static void test_manager__groups_of_the_api_live_through_restarts(void **state)
{
    static const char GROUP[] =
        "name: set\ninterval: 100ms\nrules:\n- {alert: A, expr: vector(1)}\n"
        "- {alert: P, expr: vector(1), for: 1h}\n";
    struct world w;
    struct diag d = {.text = ""};
    struct buf yaml = {0}, again = {0};
    (void)state;
    open_world(&w, 2);
    load_and_start(&w, "groups:\n" QUICK("file"));
    assert_int_equal(set_group(&w, GROUP, &d), OK);
    assert_int_equal(set_group(&w, "name: x\nrules: [{record: a, expr: 'b ='}]\n", &d),
                     ERR_INVALID);
    assert_told(&w, "firing A; ");
    (void)evaluations(&w, "set", 2);
    int64_t since_ms = active_since(&w, "set", 1);
    assert_int_equal(rules_groups_yaml(w.rules, (str){0}, (str){0}, &yaml), OK);
    rules_close(w.rules);
    db_abandon(w.db);
    buf_reset(&w.told);

    open_store(&w);
    open_rules(&w, 2);
    load_and_start(&w, "groups:\n" QUICK("file"));
    assert_int_equal(rules_groups_yaml(w.rules, (str){0}, (str){0}, &again), OK);
    assert_string_equal(buf_cstr(&again), buf_cstr(&yaml));
    (void)evaluations(&w, "set", 2);
    assert_in_range(active_since(&w, "set", 1), since_ms, since_ms + 60000);
    assert_false(was_told(&w, "firing A; ")); /* it goes on, and the resend delay has not passed */
    assert_int_equal(rules_delete_group(w.rules, STR("team a/b"), STR("set"), &d), OK);
    assert_told(&w, "removed A; ");
    assert_int_equal(rules_delete_group(w.rules, STR("team a/b"), STR("set"), &d), ERR_NOTFOUND);
    (void)evaluations(&w, "file", 2);
    buf_fini(&yaml);
    buf_fini(&again);
    close_world(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_manager__evaluates_at_aligned_times_that_are_spread),
        cmocka_unit_test(test_manager__counts_what_it_misses_and_never_overlaps),
        cmocka_unit_test(test_manager__follows_a_clock_that_is_set),
        cmocka_unit_test(test_manager__looks_at_critical_rules_between_evaluations),
        cmocka_unit_test(test_manager__skips_looks_of_a_group_that_is_late),
        cmocka_unit_test(test_manager__evaluates_so_many_groups_at_once),
        cmocka_unit_test(test_manager__reloads_keep_what_did_not_change),
        cmocka_unit_test(test_manager__a_reload_is_no_failure_of_what_it_cuts_short),
        cmocka_unit_test(test_manager__a_bad_file_changes_nothing),
        cmocka_unit_test(test_manager__alerts_of_groups_that_go_end),
        cmocka_unit_test(test_manager__reloads_meet_evaluations),
        cmocka_unit_test(test_manager__groups_of_the_api_live_through_restarts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
