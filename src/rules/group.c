/* group.c -- see group.h. */
#include "rules/group.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "query/printer.h"
#include "rules/rule_check.h"

enum { GROUP_BYTES_MAX = 256 << 20, EXPR_BYTES_MAX = 64 << 20 };

/* ---- Definition ---- */

static err over_budget(struct diag *d)
{
    return diag_set(d, ERR_LIMIT, "the group of rules needs too much memory");
}

static err copy_str(struct arena *a, str s, str *out, struct diag *d)
{
    *out = arena_str(a, s);
    return out->ptr != NULL ? OK : over_budget(d);
}

static err print_expr(struct group *g, str text, str *out, struct diag *d)
{
    const struct query_options *o = &g->env->querier.options;
    struct promql_options po = {.experimental_functions = o->experimental_functions,
                                .fill_modifiers = o->fill_modifiers,
                                .extended_range_selectors = o->extended_range_selectors};
    struct arena a;
    struct expr *tree = NULL;
    struct buf printed = {0};
    arena_init(&a, EXPR_BYTES_MAX);
    err e = promql_parse(text, &po, &a, &tree, d);
    if (e == OK) {
        expr_format(tree, &printed);
        e = copy_str(&g->arena, buf_str(&printed), out, d);
        expr_fini(tree);
    }
    buf_fini(&printed);
    arena_fini(&a);
    return e;
}

/* As Go's url.QueryEscape. */
static void put_escaped(str s, struct buf *out)
{
    static const char HEX[] = "0123456789ABCDEF";
    for (size_t i = 0; i < s.len; i++) {
        unsigned char ch = (unsigned char)s.ptr[i];
        bool plain = (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') ||
                     (ch >= '0' && ch <= '9') || ch == '-' || ch == '_' || ch == '.' || ch == '~';
        if (plain)
            buf_put_u8(out, ch);
        else if (ch == ' ')
            buf_put_u8(out, '+');
        else
            buf_printf(out, "%%%c%c", HEX[ch >> 4], HEX[ch & 15]);
    }
}

static err make_url(struct group *g, struct rule *r, struct diag *d)
{
    struct buf url = {0};
    buf_printf(&url, STR_FMT "/graph?g0.expr=", STR_ARG(g->env->external_url));
    put_escaped(r->expr, &url);
    buf_put_str(&url, STR("&g0.tab=1"));
    err e = copy_str(&g->arena, buf_str(&url), &r->generator_url, d);
    buf_fini(&url);
    return e;
}

static int compare_labels(const void *a, const void *b)
{
    return str_cmp(((const struct label *)a)->name, ((const struct label *)b)->name);
}

static err annotations_of(const struct rule_def *def, struct arena *a, struct labels *out)
{
    const struct rule_labels *from = &def->annotations;
    struct label *items = ARENA_ARRAY(a, struct label, from->count + 1);
    if (items == NULL)
        return ERR_LIMIT;
    for (size_t i = 0; i < from->count; i++)
        items[i] = (struct label){from->items[i].name, from->items[i].value.text};
    if (from->count > 1)
        qsort(items, from->count, sizeof(*items), compare_labels);
    return labels_copy((struct labels){items, from->count}, a, out);
}

static err define_rule(struct group *g, const struct rule_group_def *gd, const struct rule_def *def,
                       struct rule *r, struct diag *d)
{
    struct labels own;
    r->alerting = def->alert.text.len > 0;
    r->for_ms = def->for_ms;
    r->keep_firing_for_ms = def->keep_firing_for_ms;
    r->line = def->line;
    r->column = def->column;
    r->health = RULE_UNKNOWN;
    r->last_eval_ms = ALERT_NEVER;
    r->restored = true; /* unless a log says otherwise */
    TRY(copy_str(&g->arena, r->alerting ? def->alert.text : def->record.text, &r->name, d));
    TRY(print_expr(g, def->expr.text, &r->expr, d));
    if (rule_own_labels(gd, def, &g->arena, &own) != OK ||
        labels_copy(own, &g->arena, &r->labels) != OK ||
        annotations_of(def, &g->arena, &r->annotations) != OK)
        return over_budget(d);
    r->looked_at = r->alerting && r->for_ms == 0 &&
                   str_eq(labels_get(r->labels, STR("severity")), STR("critical"));
    g->looked_at = g->looked_at || r->looked_at;
    TRY(make_url(g, r, d));
    return r->alerting ? rule_text_open(r->name, r->labels, r->annotations, &r->texts, d) : OK;
}

/* ---- Keys ---- */

static void put_labels(struct labels ls, struct buf *out)
{
    buf_put_varint(out, ls.count);
    for (size_t i = 0; i < ls.count; i++) {
        buf_put_string(out, ls.items[i].name);
        buf_put_string(out, ls.items[i].value);
    }
}

static hash128 hash_rule(const struct group *g, const struct rule *r, struct buf *scratch)
{
    buf_reset(scratch);
    buf_put_string(scratch, g->file);
    buf_put_string(scratch, g->name);
    buf_put_u8(scratch, r->alerting);
    buf_put_string(scratch, r->name);
    put_labels(r->labels, scratch);
    return hash128_of(buf_slice(scratch), 0); /* without a seed: it is kept on disk */
}

static int compare_keys(hash128 a, hash128 b)
{
    if (a.hi != b.hi)
        return a.hi < b.hi ? -1 : 1;
    return (a.lo > b.lo) - (a.lo < b.lo);
}

struct keyed { /* a rule by its key */
    hash128 key;
    size_t index;
};

static int compare_keyed(const void *pa, const void *pb)
{
    const struct keyed *a = pa, *b = pb;
    int c = compare_keys(a->key, b->key);
    return c != 0 ? c : (a->index > b->index) - (a->index < b->index);
}

static struct keyed *by_key(const struct group *g)
{
    struct keyed *all = mem_alloc((g->rule_count + 1) * sizeof(*all));
    for (size_t i = 0; i < g->rule_count; i++)
        all[i] = (struct keyed){g->rules[i].key, i};
    if (g->rule_count > 1)
        qsort(all, g->rule_count, sizeof(*all), compare_keyed);
    return all;
}

/* Of rules with equal names and labels the first meets the first, the second the second. */
static void set_keys(struct group *g)
{
    struct buf scratch = {0};
    buf_put_string(&scratch, g->file);
    buf_put_string(&scratch, g->name);
    g->key = hash128_of(buf_slice(&scratch), 0);
    for (size_t i = 0; i < g->rule_count; i++)
        g->rules[i].key = hash_rule(g, &g->rules[i], &scratch);
    struct keyed *all = by_key(g);
    for (size_t i = 1, nth = 0; i < g->rule_count; i++) {
        nth = compare_keys(all[i].key, all[i - 1].key) == 0 ? nth + 1 : 0;
        g->rules[all[i].index].key.lo += nth;
    }
    mem_free(all);
    buf_fini(&scratch);
}

static void set_digest(struct group *g)
{
    struct buf b = {0};
    buf_put_string(&b, g->file);
    buf_put_string(&b, g->name);
    buf_put_zigzag(&b, g->interval_ms);
    buf_put_zigzag(&b, g->query_offset_ms);
    buf_put_zigzag(&b, g->subquery_step_ms);
    buf_put_zigzag(&b, g->limit);
    put_labels(g->external_labels, &b);
    for (size_t i = 0; i < g->rule_count; i++) {
        const struct rule *r = &g->rules[i];
        buf_put_u8(&b, r->alerting);
        buf_put_string(&b, r->name);
        buf_put_string(&b, r->expr);
        buf_put_zigzag(&b, r->for_ms);
        buf_put_zigzag(&b, r->keep_firing_for_ms);
        put_labels(r->labels, &b);
        put_labels(r->annotations, &b);
    }
    g->digest = hash128_of(buf_slice(&b), 0);
    buf_fini(&b);
}

static err define(struct group *g, const struct rule_group_def *def, const struct group_options *o,
                  struct diag *d)
{
    g->interval_ms = def->interval_ms > 0 ? def->interval_ms : o->interval_ms;
    g->query_offset_ms = def->has_query_offset ? def->query_offset_ms : o->query_offset_ms;
    g->subquery_step_ms = o->subquery_step_ms;
    g->limit = def->limit;
    TRY(copy_str(&g->arena, o->file, &g->file, d));
    TRY(copy_str(&g->arena, def->name, &g->name, d));
    if (labels_copy(o->external_labels, &g->arena, &g->external_labels) != OK)
        return over_budget(d);
    g->rules = ARENA_ARRAY(&g->arena, struct rule, def->rule_count + 1);
    if (g->rules == NULL)
        return over_budget(d);
    for (size_t i = 0; i < def->rule_count; i++) {
        g->rule_count = i + 1;
        TRY(define_rule(g, def, &def->rules[i], &g->rules[i], d));
    }
    set_keys(g);
    set_digest(g);
    return OK;
}

err group_open(const struct rule_group_def *def, const struct group_options *o,
               const struct rules_env *env, struct group **out, struct diag *d)
{
    struct group *g = mem_zalloc(1, sizeof(*g));
    arena_init(&g->arena, GROUP_BYTES_MAX);
    mutex_init(&g->lock);
    atomic_init(&g->refs, 1);
    g->env = env;
    g->last_eval_ms = g->last_ts_ms = ALERT_NEVER;
    err e = define(g, def, o, d);
    if (e != OK) {
        group_close(g);
        return e;
    }
    *out = g;
    return OK;
}

struct group *group_ref(struct group *g)
{
    (void)atomic_fetch_add_explicit(&g->refs, 1, memory_order_relaxed);
    return g;
}

void group_close(struct group *g)
{
    /* acquire: the other holders are done with it */
    if (g == NULL || atomic_fetch_sub_explicit(&g->refs, 1, memory_order_acq_rel) > 1)
        return;
    for (size_t i = 0; i < g->rule_count; i++) {
        struct rule *r = &g->rules[i];
        rule_text_close(r->texts);
        buf_fini(&r->last_error);
        rule_series_fini(&r->written);
        alert_set_fini(&r->alerts);
    }
    rule_series_fini(&g->orphans);
    arena_fini(&g->arena);
    mutex_fini(&g->lock);
    mem_free(g);
}

/* ---- Schedule ---- */

int64_t group_slot_ns(const struct group *g, int64_t now_ns)
{
    const struct label items[] = {{STR("file"), g->file}, {STR("name"), g->name}};
    struct buf b = {0};
    labels_encode((struct labels){items, COUNT_OF(items)}, &b);
    int64_t interval_ns = g->interval_ms * 1000000;
    int64_t offset_ns = (int64_t)(hash_xxh64(buf_slice(&b)) % (uint64_t)interval_ns);
    buf_fini(&b);
    int64_t adjusted_ns = now_ns - offset_ns;
    return adjusted_ns - adjusted_ns % interval_ns + offset_ns;
}

void group_key(const struct group *g, struct buf *out)
{
    buf_printf(out, STR_FMT ";" STR_FMT, STR_ARG(g->file), STR_ARG(g->name));
}

/* ---- When definitions change ---- */

/* Alerts of a rule that is gone, told of and forgotten. */
static void end_rule(struct group *g, struct rule *r, int64_t ts_ms)
{
    const struct rules_env *env = g->env;
    struct arena a;
    struct alert *alerts;
    size_t count;
    if (!r->alerting)
        return;
    arena_init(&a, RULE_EVAL_BYTES_MAX);
    group_lock(g);
    err e = alert_set_end(&r->alerts, ts_ms, r->generator_url, &a, &alerts, &count);
    group_unlock(g);
    if (e != OK)
        log_error("alerts of a rule that is gone cannot be told of", LOG_STR("rule", r->name));
    if (env->log != NULL)
        alert_log_drop(env->log, r->key);
    if (e == OK && count > 0 && env->sink != NULL)
        env->sink->send(env->sink->arg, alerts, count);
    arena_fini(&a);
}

static void take_rule(struct rule *to, struct rule *from)
{
    rule_series_fini(&to->written);
    to->written = from->written;
    from->written = (struct rule_series){0};
    alert_set_move(&to->alerts, &from->alerts);
    to->restored = from->restored;
    to->health = from->health;
    buf_fini(&to->last_error);
    to->last_error = from->last_error;
    from->last_error = (struct buf){0};
    to->eval_ns = from->eval_ns;
    to->last_eval_ms = from->last_eval_ms;
}

static void take_count(atomic_uint_least64_t *to, atomic_uint_least64_t *from)
{
    uint64_t n = atomic_load_explicit(from, memory_order_relaxed);
    (void)atomic_fetch_add_explicit(to, n, memory_order_relaxed);
}

/* What is known of the group as a whole. Holding the locks of both. */
static void take_group(struct group *g, struct group *from)
{
    g->eval_ns = from->eval_ns;
    g->last_eval_ms = from->last_eval_ms;
    g->last_ts_ms = from->last_ts_ms;
    g->evals = from->evals;
    g->waits = from->waits;
    take_count(&g->counters.evaluations, &from->counters.evaluations);
    take_count(&g->counters.failures, &from->counters.failures);
    take_count(&g->counters.iterations, &from->counters.iterations);
    take_count(&g->counters.missed, &from->counters.missed);
    rule_series_move(&g->orphans, &from->orphans);
    g->orphaned_ms = from->orphaned_ms;
}

/* What the group wrote may become stale from then on: never at a time it has written at. */
static void orphan(struct group *g, struct rule_series *written, int64_t ts_ms)
{
    if (written->count == 0)
        return;
    rule_series_move(&g->orphans, written);
    g->orphaned_ms = MAX(ts_ms, g->last_ts_ms + 1);
}

/* For each rule of `from` the one that takes its place, or NULL; to be freed. */
static struct rule **heirs_of(struct group *g, struct group *from)
{
    struct rule **heirs = mem_zalloc(from->rule_count + 1, sizeof(struct rule *));
    struct keyed *keys = by_key(g), *others = by_key(from);
    size_t k = 0;
    for (size_t i = 0; i < from->rule_count; i++) {
        while (k < g->rule_count && compare_keys(keys[k].key, others[i].key) < 0)
            k++;
        if (k < g->rule_count && compare_keys(keys[k].key, others[i].key) == 0)
            heirs[others[i].index] = &g->rules[keys[k].index];
    }
    mem_free(keys);
    mem_free(others);
    return heirs;
}

void group_copy_state(struct group *g, struct group *from, int64_t ts_ms)
{
    struct rule **heirs = heirs_of(g, from);
    for (size_t i = 0; i < from->rule_count; i++)
        if (heirs[i] == NULL)
            end_rule(from, &from->rules[i], ts_ms);
    group_lock(from); /* others look at it still, and may at the new one */
    group_lock(g);
    take_group(g, from);
    for (size_t i = 0; i < from->rule_count; i++) {
        if (heirs[i] != NULL)
            take_rule(heirs[i], &from->rules[i]);
        else
            orphan(g, &from->rules[i].written, ts_ms);
    }
    group_unlock(g);
    group_unlock(from);
    mem_free(heirs);
}

void group_end(struct group *g, int64_t ts_ms)
{
    for (size_t i = 0; i < g->rule_count; i++) {
        end_rule(g, &g->rules[i], ts_ms);
        orphan(g, &g->rules[i].written, ts_ms);
    }
    if (g->env->log != NULL)
        alert_log_drop(g->env->log, g->key);
}
