/* unit_test_alerts.c -- alert_rule_test: alerts that fire against those expected. */
#include <stdlib.h>

#include "base/duration.h"
#include "base/utf8.h"
#include "rules/unit_test_priv.h"

/* Colours of terminals, of what --diff marks. */
#define COLOR_ONLY_EXPECTED "\x1b[0;31m"
#define COLOR_ONLY_GOT      "\x1b[0;32m"
#define COLOR_DIFFERENT     "\x1b[0;33m"
#define COLOR_END           "\x1b[0m"

struct alert_text {
    struct labels labels, annotations;
};

struct alert_list {
    struct alert_text *items;
    size_t count;
};

static int by_labels(const void *a, const void *b)
{
    const struct alert_text *x = a, *y = b;
    int c = labels_cmp(x->labels, y->labels);
    return c != 0 ? c : labels_cmp(x->annotations, y->annotations);
}

static int by_name(const void *a, const void *b)
{
    return str_cmp(((const struct label *)a)->name, ((const struct label *)b)->name);
}

err unit_labels(const struct pairs *pairs, const struct label *more, struct arena *a,
                struct labels *out)
{
    size_t n = 0;
    struct label *items = ARENA_ARRAY(a, struct label, pairs->count + 1);
    if (items == NULL)
        return ERR_LIMIT;
    for (size_t i = 0; i < pairs->count; i++)
        if (more == NULL || !str_eq(pairs->items[i].name, more->name))
            items[n++] = (struct label){pairs->items[i].name, pairs->items[i].value};
    if (more != NULL)
        items[n++] = *more;
    qsort(items, n, sizeof(*items), by_name);
    *out = (struct labels){items, n};
    return OK;
}

static err expected_list(const struct rule_test_alerts *c, struct arena *a, struct alert_list *out)
{
    const struct label name = {STR("alertname"), c->alertname};
    out->items = ARENA_ARRAY(a, struct alert_text, c->expected_count + 1);
    if (out->items == NULL)
        return ERR_LIMIT;
    for (size_t i = 0; i < c->expected_count; i++) {
        struct alert_text *t = &out->items[out->count++];
        TRY(unit_labels(&c->expected[i].labels, &name, a, &t->labels));
        TRY(unit_labels(&c->expected[i].annotations, NULL, a, &t->annotations));
    }
    qsort(out->items, out->count, sizeof(*out->items), by_labels);
    return OK;
}

/* The alerts of one rule that fire, appended to `out`, which has room. Returns how many. */
static size_t add_firing(const struct rule *r, struct alert_text *out)
{
    size_t n = 0;
    for (size_t i = 0; i < r->alerts.count; i++) {
        const struct active_alert *alert = r->alerts.items[i];
        if (alert->state != ALERT_STATE_FIRING)
            continue;
        if (out != NULL)
            out[n] = (struct alert_text){alert->labels, alert->annotations};
        n++;
    }
    return n;
}

/* All alerts of that name that fire: rules of several groups may share one. */
static err got_list(const struct unit_run *run, str alertname, struct arena *a,
                    struct alert_list *out)
{
    for (int fill = 0; fill < 2; fill++) {
        size_t n = 0;
        for (size_t g = 0; g < run->group_count; g++)
            for (size_t i = 0; i < run->groups[g]->rule_count; i++) {
                const struct rule *r = &run->groups[g]->rules[i];
                if (r->alerting && str_eq(r->name, alertname))
                    n += add_firing(r, fill ? out->items + n : NULL);
            }
        if (!fill && (out->items = ARENA_ARRAY(a, struct alert_text, n + 1)) == NULL)
            return ERR_LIMIT;
        out->count = n;
    }
    qsort(out->items, out->count, sizeof(*out->items), by_labels);
    return OK;
}

static bool same_list(const struct alert_list *x, const struct alert_list *y)
{
    if (x->count != y->count)
        return false;
    for (size_t i = 0; i < x->count; i++)
        if (!labels_eq(x->items[i].labels, y->items[i].labels) ||
            !labels_eq(x->items[i].annotations, y->items[i].annotations))
            return false;
    return true;
}

/* ---- As promtool shows them ---- */

static void put_list(struct buf *out, const struct alert_list *l)
{
    if (l->count == 0) {
        buf_put_str(out, STR("[]"));
        return;
    }
    buf_put_str(out, STR("["));
    for (size_t i = 0; i < l->count; i++) {
        buf_printf(out, "%s\n            %zu:\n              Labels:", i > 0 ? "," : "", i);
        labels_format(l->items[i].labels, out);
        buf_put_str(out, STR("\n              Annotations:"));
        labels_format(l->items[i].annotations, out);
    }
    buf_put_str(out, STR("\n            ]"));
}

static void put_label(struct buf *out, const char *color, const struct label *l, str other)
{
    buf_printf(out, "\n                    %s", color);
    utf8_quote(out, l->name);
    buf_put_str(out, STR(": "));
    utf8_quote(out, l->value);
    if (other.ptr != NULL) {
        buf_put_str(out, STR(" => "));
        utf8_quote(out, other);
    }
    buf_put_str(out, color[0] != '\0' ? STR(COLOR_END) : STR(""));
}

/* Two sets as one: what both have, and what one has alone in its colour. */
static void put_merged(struct buf *out, const char *name, struct labels want, struct labels got)
{
    const str none = {NULL, 0};
    size_t i = 0, k = 0;
    buf_printf(out, "\n                \"%s\": {", name);
    while (i < want.count || k < got.count) {
        int c = i == want.count  ? 1
                : k == got.count ? -1
                                 : str_cmp(want.items[i].name, got.items[k].name);
        if (c < 0) {
            put_label(out, COLOR_ONLY_EXPECTED, &want.items[i++], none);
        } else if (c > 0) {
            put_label(out, COLOR_ONLY_GOT, &got.items[k++], none);
        } else {
            bool same = str_eq(want.items[i].value, got.items[k].value);
            put_label(out, same ? "" : COLOR_DIFFERENT, &want.items[i],
                      same ? none : got.items[k].value);
            i++;
            k++;
        }
    }
    buf_put_str(out, STR("\n                }"));
}

static void put_diff(struct buf *out, const struct alert_list *want, const struct alert_list *got)
{
    const struct alert_text none = {{NULL, 0}, {NULL, 0}};
    buf_put_str(out, STR("        diff: ["));
    for (size_t i = 0; i < want->count || i < got->count; i++) {
        const struct alert_text *w = i < want->count ? &want->items[i] : &none;
        const struct alert_text *g = i < got->count ? &got->items[i] : &none;
        buf_put_str(out, STR("\n            {"));
        put_merged(out, "Labels", w->labels, g->labels);
        put_merged(out, "Annotations", w->annotations, g->annotations);
        buf_put_str(out, STR("\n            }"));
    }
    buf_put_str(out, STR("\n        ]"));
}

static void put_failure(const struct unit_run *run, const struct rule_test_alerts *c,
                        const struct alert_list *want, const struct alert_list *got,
                        struct buf *out)
{
    char time[DURATION_SIZE_MAX];
    if (run->test->name.len > 0)
        buf_printf(out, "    name: " STR_FMT ",\n", STR_ARG(run->test->name));
    buf_printf(out, "    alertname: " STR_FMT ", time: %.*s, \n", STR_ARG(c->alertname),
               (int)duration_format(c->eval_ms, time), time);
    if (run->options->diff) {
        put_diff(out, want, got);
        return;
    }
    buf_put_str(out, STR("        exp:"));
    put_list(out, want);
    buf_put_str(out, STR(", \n        got:"));
    put_list(out, got);
}

void unit_compare_alerts(struct unit_run *run, const struct rule_test_alerts *c)
{
    struct arena a;
    struct alert_list want = {0}, got = {0};
    struct buf text = {0};
    arena_init(&a, UNIT_TEST_MEMORY_BYTES);
    err e = expected_list(c, &a, &want);
    if (e == OK)
        e = got_list(run, c->alertname, &a, &got);
    if (e != OK)
        buf_printf(&text, "    alertname: " STR_FMT ": the alerts need too much memory",
                   STR_ARG(c->alertname));
    else if (!same_list(&want, &got))
        put_failure(run, c, &want, &got, &text);
    if (text.len > 0)
        unit_fail(run->failures, &text);
    buf_fini(&text);
    arena_fini(&a);
}
