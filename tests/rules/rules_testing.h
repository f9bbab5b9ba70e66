/* rules_testing.h -- what tests of rules share: samples in arrays, rules from YAML, a sink that
 * writes down what it is told. Times are seconds in texts, and from T0 on. */
#ifndef TESTS_RULES_TESTING_H
#define TESTS_RULES_TESTING_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "rules/group.h"
#include "rules/restore.h"
#include "rules/rule_check.h"
#include "support/fake_source.h"

#define T0 INT64_C(1700000000000)

struct world {
    struct fake_store *store;
    struct rules_env env;
    struct alert_sink sink;
    struct buf told; /* "firing High{a=1} from 30 until 270; " */
    struct group *group;
    err append_fails;
};

static inline int64_t seconds(int64_t ms)
{
    return ms == ALERT_NEVER ? -1 : (ms - T0) / 1000;
}

static inline void put_set(struct buf *out, struct labels ls, const char *skip)
{
    bool first = true;
    buf_put_u8(out, '{');
    for (size_t i = 0; i < ls.count; i++) {
        if (str_eq(ls.items[i].name, str_from(skip)) || str_eq(ls.items[i].name, LABEL_NAME))
            continue;
        buf_printf(out, "%s" STR_FMT "=" STR_FMT, first ? "" : ",", STR_ARG(ls.items[i].name),
                   STR_ARG(ls.items[i].value));
        first = false;
    }
    buf_put_u8(out, '}');
}

static void write_down(void *arg, const struct alert *alerts, size_t count)
{
    static const char *const ENDS[] = {"firing", "resolved", "removed"};
    struct world *w = arg;
    for (size_t i = 0; i < count; i++) {
        const struct alert *a = &alerts[i];
        buf_printf(&w->told, "%s " STR_FMT, ENDS[a->end],
                   STR_ARG(labels_get(a->labels, STR("alertname"))));
        put_set(&w->told, a->labels, "alertname");
        buf_printf(&w->told, " from %lld until %lld; ", (long long)seconds(a->starts_at_ms),
                   (long long)seconds(a->ends_at_ms));
    }
}

static err append_to_store(void *arg, const struct rule_sample *samples, size_t count,
                           struct rule_appended *out, struct diag *d)
{
    struct world *w = arg;
    *out = (struct rule_appended){0};
    if (w->append_fails != OK)
        return diag_set(d, w->append_fails, "the disk is full");
    for (size_t i = 0; i < count; i++) {
        size_t s = fake_store_series_of(w->store, samples[i].labels);
        if (samples[i].histogram != NULL)
            fake_store_add_histogram(w->store, s, samples[i].ts_ms, samples[i].histogram);
        else
            fake_store_add(w->store, s, samples[i].ts_ms, samples[i].value);
    }
    return OK;
}

static inline void world_open(struct world *w)
{
    *w = (struct world){.store = fake_store_open()};
    w->sink = (struct alert_sink){w, write_down};
    w->env = (struct rules_env){
        .querier = {.env = {.source = &FAKE_SOURCE, .store = w->store}},
        .append = {w, append_to_store},
        .sink = &w->sink,
        .external_url = STR("http://varve.example"),
        .resend_delay_ms = RULES_RESEND_DELAY_MS,
        .outage_tolerance_ms = RULES_OUTAGE_TOLERANCE_MS,
        .grace_period_ms = RULES_GRACE_PERIOD_MS,
    };
}

static inline void world_close(struct world *w)
{
    group_close(w->group);
    alert_log_close(w->env.log);
    fake_store_close(w->store);
    buf_fini(&w->told);
}

/* The first group of `yaml`, whose interval is 30 s unless it says otherwise. */
static inline struct group *load_group(struct world *w, const char *yaml)
{
    struct arena a;
    struct rule_file f;
    struct rule_errors errors;
    struct rule_check check = {0};
    struct diag d = {.text = ""};
    struct group *g = NULL;
    const struct label external[] = {{STR("replica"), STR("r1")}};
    arena_init(&a, RULE_FILE_MEMORY_BYTES);
    if (rule_check_text("rules.yml", str_bytes(str_from(yaml)), &check, &a, &f, &errors) != OK)
        fail_msg(STR_FMT, STR_ARG(errors.items[0]));
    struct group_options o = {
        .file = f.path, .interval_ms = 30000, .external_labels = {external, 1}};
    if (group_open(&f.groups[0], &o, &w->env, &g, &d) != OK)
        fail_msg("%s", d.text);
    arena_fini(&a);
    return g;
}

static inline void world_load(struct world *w, const char *yaml)
{
    w->group = load_group(w, yaml);
}

/* In place of what is loaded, as a reload does. */
static inline void world_reload(struct world *w, const char *yaml, int64_t s)
{
    struct group *g = load_group(w, yaml);
    group_copy_state(g, w->group, T0 + s * 1000);
    group_restore(g, T0 + s * 1000);
    group_close(w->group);
    w->group = g;
}

/* name{key="value"} gets a sample at second `s`; key NULL: no label. */
static inline void give(struct world *w, const char *name, const char *key, const char *value,
                        int64_t s, double v)
{
    size_t series = fake_store_series(w->store, "__name__", name, key, value, NULL);
    fake_store_add(w->store, series, T0 + s * 1000, v);
}

/* It ends at second `s`. */
static inline void stop(struct world *w, const char *name, const char *key, const char *value,
                        int64_t s)
{
    give(w, name, key, value, s, f64_from_bits(STALE_NAN_BITS));
}

static inline void eval(struct world *w, int64_t s)
{
    buf_reset(&w->told);
    group_eval(w->group, T0 + s * 1000);
}

static inline void assert_told(struct world *w, const char *want)
{
    assert_string_equal(buf_cstr(&w->told), want);
}

/* The newest samples of `name`: "{a=1}=3@30; ", stale ones as "stale"; valid until the next call.
 */
static inline const char *newest(struct world *w, const char *name)
{
    static char text[4096];
    struct buf out = {0};
    for (size_t i = 0; i < fake_store_count(w->store); i++) {
        struct labels ls = fake_store_labels(w->store, i);
        if (!str_eq(labels_get(ls, LABEL_NAME), str_from(name)))
            continue;
        struct series_columns c = fake_store_columns(w->store, i);
        double v = c.values[c.count - 1];
        put_set(&out, ls, "");
        if (value_is_stale(v))
            buf_put_str(&out, STR("=stale"));
        else
            buf_printf(&out, "=%g", v);
        buf_printf(&out, "@%lld; ", (long long)seconds(c.ts_ms[c.count - 1]));
    }
    (void)snprintf(text, sizeof(text), "%s", buf_cstr(&out));
    buf_fini(&out);
    return text;
}

static inline void assert_newest(struct world *w, const char *name, const char *want)
{
    assert_string_equal(newest(w, name), want);
}

/* The alerts of rule `i`: "firing {a=1}=3 at 0 fired 60; "; resolved ones too. */
static inline const char *alerts_of(struct world *w, size_t i)
{
    static char text[4096];
    struct buf out = {0};
    const struct alert_set *s = &w->group->rules[i].alerts;
    for (size_t k = 0; k < s->count; k++) {
        const struct active_alert *a = s->items[k];
        buf_printf(&out, "%s ", alert_state_name(a->state));
        put_set(&out, a->labels, "alertname");
        buf_printf(&out, "=%g at %lld fired %lld; ", a->value, (long long)seconds(a->active_at_ms),
                   (long long)seconds(a->fired_at_ms));
    }
    (void)snprintf(text, sizeof(text), "%s", buf_cstr(&out));
    buf_fini(&out);
    return text;
}

static inline void assert_alerts(struct world *w, size_t i, const char *want)
{
    assert_string_equal(alerts_of(w, i), want);
}

static inline void assert_error(struct world *w, size_t i, const char *want)
{
    struct rule *r = &w->group->rules[i];
    assert_int_equal(r->health, want[0] == '\0' ? RULE_OK : RULE_ERR);
    assert_string_equal(buf_cstr(&r->last_error), want);
}

#endif
