/* unit_test.c -- see unit_test.h: the life of one test. */
#include "rules/unit_test.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/duration.h"
#include "config/config.h"
#include "rules/rule_check.h"
#include "rules/unit_test_priv.h"

enum { GROUPS_MAX = 100000, FAILURES_FIRST = 8 };

static const struct promql_options PROMQL = {
    .experimental_functions = true,
    .fill_modifiers = true,
    .extended_range_selectors = true,
};

/* ---- Failures ---- */

static bool push(struct unit_failures *out, str text)
{
    if (out->count == out->room) {
        size_t room = out->room > 0 ? out->room * 2 : FAILURES_FIRST;
        str *items = arena_grow(out->arena, out->items, out->count, room, sizeof(*items));
        if (items == NULL)
            return false;
        out->items = items;
        out->room = room;
    }
    str copy = arena_str(out->arena, text);
    if (copy.ptr == NULL)
        return false;
    out->items[out->count++] = copy;
    return true;
}

void unit_fail(struct unit_failures *out, struct buf *text)
{
    static const str MORE = {"    and more, too long to tell", 30};
    if (out->bytes <= UNIT_TEST_TEXT_BYTES_MAX) {
        out->bytes += text->len + 1;
        bool fits = out->bytes <= UNIT_TEST_TEXT_BYTES_MAX;
        if (!push(out, fits ? buf_str(text) : MORE))
            out->bytes = UNIT_TEST_TEXT_BYTES_MAX + 1;
    }
    buf_reset(text);
}

static void fail_text(struct unit_run *run, str text)
{
    struct buf copy = {0};
    buf_put_str(&copy, text);
    unit_fail(run->failures, &copy);
    buf_fini(&copy);
}

/* ---- Rule files ---- */

static bool has_text(const struct texts *l, str text)
{
    for (size_t i = 0; i < l->count; i++)
        if (str_eq(l->items[i], text))
            return true;
    return false;
}

err unit_test_rule_files(const struct rule_test_file *f, struct arena *a, struct texts *files,
                         struct texts *unmatched, struct diag *d)
{
    *files = *unmatched = (struct texts){0};
    files->items = ARENA_ARRAY(a, str, UNIT_TEST_FILES_MAX);
    unmatched->items = ARENA_ARRAY(a, str, f->rule_files.count + 1);
    if (files->items == NULL || unmatched->items == NULL)
        return diag_set(d, ERR_LIMIT, "too many rule_files");
    for (size_t i = 0; i < f->rule_files.count; i++) {
        struct texts found = {0};
        err e = config_glob(f->rule_files.items[i], a, &found);
        if (e != OK)
            return diag_set(d, e, STR_FMT ": cannot be searched", STR_ARG(f->rule_files.items[i]));
        if (found.count == 0)
            unmatched->items[unmatched->count++] = f->rule_files.items[i];
        for (size_t k = 0; k < found.count; k++) {
            if (has_text(files, found.items[k]))
                continue;
            if (files->count == UNIT_TEST_FILES_MAX)
                return diag_set(d, ERR_LIMIT, "more than %d rule files", UNIT_TEST_FILES_MAX);
            files->items[files->count++] = found.items[k];
        }
    }
    return OK;
}

/* Groups of one file, opened; what is wrong with it becomes failures. */
static bool open_file(struct unit_run *run, str path)
{
    struct rule_check check = {
        .promql = PROMQL,
        .ignore_unknown_fields = run->options->ignore_unknown_fields,
    };
    struct group_options o = {.file = path, .interval_ms = run->test->interval_ms};
    struct rule_file f;
    struct rule_errors errors = {0};
    struct diag d = {.text = ""};
    if (rule_check_file(path.ptr, &check, run->arena, &f, &errors) != OK) {
        for (size_t i = 0; i < errors.count; i++)
            fail_text(run, errors.items[i]);
        return false;
    }
    err e = unit_labels(&run->test->external_labels, NULL, run->arena, &o.external_labels);
    struct group **groups = arena_grow(run->arena, run->groups, run->group_count,
                                       run->group_count + f.group_count + 1, sizeof(*groups));
    if (e != OK || groups == NULL || run->group_count + f.group_count > GROUPS_MAX) {
        fail_text(run, STR("the rules of the test need too much memory"));
        return false;
    }
    run->groups = groups;
    for (size_t i = 0; i < f.group_count; i++) {
        if (group_open(&f.groups[i], &o, &run->env, &groups[run->group_count], &d) != OK) {
            fail_text(run, str_from(d.text));
            return false;
        }
        run->group_count++;
    }
    return true;
}

/* Where group_eval_order puts a group; those it does not name go with its first. */
static size_t rank_of(const struct unit_run *run, const struct group *g)
{
    const struct texts *order = &run->file->group_eval_order;
    for (size_t i = 0; i < order->count; i++)
        if (str_eq(order->items[i], g->name))
            return i;
    return 0;
}

/* By rank, else in the order of the files: groups are few, and mostly in order. */
static void order_groups(struct unit_run *run)
{
    for (size_t i = 1; i < run->group_count; i++) {
        struct group *g = run->groups[i];
        size_t k = i;
        for (; k > 0 && rank_of(run, run->groups[k - 1]) > rank_of(run, g); k--)
            run->groups[k] = run->groups[k - 1];
        run->groups[k] = g;
    }
}

static bool open_groups(struct unit_run *run, const struct texts *rule_files)
{
    bool ok = true;
    for (size_t i = 0; i < rule_files->count; i++)
        ok = open_file(run, rule_files->items[i]) && ok;
    if (!ok)
        return false;
    order_groups(run);
    for (size_t g = 0; g < run->group_count; g++) /* nothing was before: ALERTS may be written */
        for (size_t i = 0; i < run->groups[g]->rule_count; i++)
            run->groups[g]->rules[i].restored = true;
    return true;
}

/* ---- Evaluations ---- */

/* False: some rule failed. */
static bool eval_groups(struct unit_run *run, int64_t ts_ms)
{
    struct buf text = {0};
    bool ok = true;
    for (size_t g = 0; g < run->group_count; g++) {
        struct group *group = run->groups[g];
        group_eval(group, ts_ms);
        for (size_t i = 0; i < group->rule_count; i++) {
            const struct rule *r = &group->rules[i];
            if (r->last_error.len == 0)
                continue;
            buf_printf(&text, "    rule: " STR_FMT ", time: ", STR_ARG(r->name));
            char at[DURATION_SIZE_MAX];
            buf_put_str(&text, (str){at, duration_format_go(ts_ms, at)});
            buf_printf(&text, ", err: " STR_FMT, STR_ARG(buf_str(&r->last_error)));
            unit_fail(run->failures, &text);
            ok = false;
        }
    }
    buf_fini(&text);
    return ok;
}

static int64_t last_ms(const struct rule_test *t)
{
    int64_t last = 0;
    for (size_t i = 0; i < t->alerts_count; i++)
        last = MAX(last, t->alerts[i].eval_ms);
    for (size_t i = 0; i < t->queries_count; i++)
        last = MAX(last, t->queries[i].eval_ms);
    return last;
}

static int by_time(const void *a, const void *b)
{
    const struct rule_test_alerts *x = *(const struct rule_test_alerts *const *)a;
    const struct rule_test_alerts *y = *(const struct rule_test_alerts *const *)b;
    int c = (x->eval_ms > y->eval_ms) - (x->eval_ms < y->eval_ms);
    return c != 0 ? c : (x > y) - (x < y); /* of one array: the order of the file */
}

struct alert_cases {
    const struct rule_test_alerts **items; /* by time */
    size_t count, next;
};

/* Names are needed; the first case without one is the test's only failure. */
static bool list_cases(struct unit_run *run, struct alert_cases *out)
{
    const struct rule_test *t = run->test;
    char time[DURATION_SIZE_MAX];
    struct buf text = {0};
    for (size_t i = 0; i < t->alerts_count; i++) {
        if (t->alerts[i].alertname.len > 0)
            continue;
        buf_printf(&text,
                   "an item under alert_rule_test misses required attribute alertname at eval_time "
                   "%.*s",
                   (int)duration_format(t->alerts[i].eval_ms, time), time);
        if (t->name.len > 0)
            buf_printf(&text, " (in TestGroup " STR_FMT ")", STR_ARG(t->name));
        unit_fail(run->failures, &text);
        buf_fini(&text);
        return false;
    }
    out->items = ARENA_ARRAY(run->arena, const struct rule_test_alerts *, t->alerts_count + 1);
    if (out->items == NULL) {
        fail_text(run, STR("the alerts of the test need too much memory"));
        return false;
    }
    for (size_t i = 0; i < t->alerts_count; i++)
        out->items[out->count++] = &t->alerts[i];
    qsort(out->items, out->count, sizeof(*out->items), by_time);
    return true;
}

/* From the start to the last time asked for. False: the rest of the test means nothing. */
static bool run_steps(struct unit_run *run, struct alert_cases *cases)
{
    int64_t step_ms = run->file->evaluation_interval_ms, end_ms = last_ms(run->test);
    for (int64_t at_ms = 0; at_ms <= end_ms; at_ms += step_ms) {
        int64_t ts_ms = run->test->start_ms + at_ms;
        struct diag d = {.text = ""};
        if (unit_input_write(&run->input, ts_ms, &run->env.append, &d) != OK) {
            fail_text(run, str_from(d.text));
            return false;
        }
        if (!eval_groups(run, ts_ms))
            return false;
        for (; cases->next < cases->count; cases->next++) {
            const struct rule_test_alerts *c = cases->items[cases->next];
            if (c->eval_ms >= at_ms + step_ms) /* alerts are those of the evaluation before */
                break;
            unit_compare_alerts(run, c);
        }
    }
    return true;
}

/* ---- The test ---- */

static bool check_times(struct unit_run *run)
{
    const int64_t year_ms = INT64_C(365) * 86400 * 1000;
    int64_t end_ms = last_ms(run->test), start_ms = run->test->start_ms;
    struct buf text = {0};
    if (end_ms / run->file->evaluation_interval_ms >= UNIT_TEST_EVALUATIONS_MAX)
        buf_printf(&text, "the last eval_time is more than %d times evaluation_interval",
                   UNIT_TEST_EVALUATIONS_MAX);
    else if (start_ms < -10000 * year_ms || start_ms > 10000 * year_ms || end_ms > 10000 * year_ms)
        buf_put_str(&text, STR("start_timestamp or eval_time is out of range"));
    bool ok = text.len == 0;
    if (!ok)
        unit_fail(run->failures, &text);
    buf_fini(&text);
    return ok;
}

static bool prepare(struct unit_run *run, struct diag *d)
{
    if (unit_store_open(&run->store, d) != OK)
        return false;
    run->env = (struct rules_env){
        .querier = {.env = {.source = &QUERY_SOURCE_DB, .store = run->store.db},
                    .options = {.subquery_step_ms = run->file->evaluation_interval_ms,
                                .experimental_functions = true,
                                .fill_modifiers = true,
                                .extended_range_selectors = true,
                                .delayed_name_removal = run->options->delayed_name_removal}},
        .append = rule_store_appender(run->store.writer),
        .external_url = run->test->external_url,
        .resend_delay_ms = RULES_RESEND_DELAY_MS,
        .outage_tolerance_ms = RULES_OUTAGE_TOLERANCE_MS,
        .grace_period_ms = RULES_GRACE_PERIOD_MS,
    };
    return true;
}

static void run_opened(struct unit_run *run, const struct texts *rule_files)
{
    struct alert_cases cases = {0};
    if (!open_groups(run, rule_files) || !list_cases(run, &cases) || !run_steps(run, &cases))
        return;
    for (size_t i = 0; i < run->test->queries_count; i++)
        unit_compare_query(run, &run->test->queries[i]);
    if (run->options->debug != NULL)
        unit_dump(run, last_ms(run->test), run->options->debug);
}

void unit_test_run(const struct rule_test_file *f, const struct rule_test *t,
                   const struct texts *rule_files, const struct unit_test_options *o,
                   struct arena *a, struct texts *failures)
{
    struct arena work;
    struct unit_failures failed = {.arena = a};
    struct unit_run run = {.file = f, .test = t, .options = o, .arena = &work, .failures = &failed};
    struct diag d = {.text = ""};
    arena_init(&work, UNIT_TEST_MEMORY_BYTES);
    if (check_times(&run)) {
        if (unit_input_read(t, &work, &run.input, &d) == OK && prepare(&run, &d))
            run_opened(&run, rule_files);
        else
            fail_text(&run, str_from(d.text));
    }
    for (size_t i = 0; i < run.group_count; i++)
        group_close(run.groups[i]);
    unit_store_close(&run.store);
    arena_fini(&work);
    *failures = (struct texts){failed.items, failed.count};
}
