/* slo_served.c -- sets of objectives in service: files read, checked, and made into rules. */
#include "base/assert.h"
#include "base/mem.h"
#include "config/config.h"
#include "rules/sli_expand.h"
#include "rules/slo_engine.h"

struct slo_budget_options slo_served_budget(const struct slo_def *def, int64_t period_ms)
{
    struct slo_budget_options o = {.slice_ms = def->slice_ms,
                                   .error_budget = slo_error_budget(def),
                                   .window = def->window,
                                   .months = def->window.zone};
    if (!def->window.given)
        o.window = (struct slo_window){.given = true, .rolling_ms = period_ms};
    if (o.months == NULL) {
        err e = zone_find(STR("UTC"), &o.months, NULL); /* needs no file */
        ASSERT(e == OK);
    }
    return o;
}

static err read_patterns(const char *patterns, struct arena *a, struct texts *files, struct diag *d)
{
    files->items = ARENA_ARRAY(a, str, SLO_FILES_MAX);
    if (files->items == NULL)
        return ERR_LIMIT;
    while (*patterns != '\0') {
        size_t n = strcspn(patterns, ",");
        struct texts found = {0};
        if (n > 0)
            TRY(config_glob((str){patterns, n}, a, &found));
        bool literal = strcspn(patterns, "*?[,") >= n;
        if (n > 0 && found.count == 0 && literal)
            return diag_set(d, ERR_NOTFOUND, "%.*s: no such file", (int)n, patterns);
        if (files->count + found.count > SLO_FILES_MAX)
            return diag_set(d, ERR_LIMIT, "more than %d files of objectives", SLO_FILES_MAX);
        for (size_t i = 0; i < found.count; i++)
            files->items[files->count++] = found.items[i];
        patterns += n + (patterns[n] == ',');
    }
    return OK;
}

static err check_memory(const struct slo_set *set, int64_t default_ms, struct diag *d)
{
    size_t bytes = 0;
    for (size_t i = 0; i < set->count; i++) {
        struct slo_budget_options o =
            slo_served_budget(&set->defs[i], slo_period_ms(&set->defs[i], default_ms));
        struct slo_budget *b = slo_budget_open(&o);
        bytes += slo_budget_bytes(b);
        slo_budget_close(b);
    }
    if (bytes <= SLO_BOOKS_BYTES_MAX)
        return OK;
    return diag_set(d, ERR_LIMIT,
                    "%zu objectives need %zu MB of memory for their time slices; at most %d MB: "
                    "use fewer, or longer slices",
                    set->count, bytes >> 20, SLO_BOOKS_BYTES_MAX >> 20);
}

/* Can all be made into rules? */
static err check_rules(const struct slo_served *s, struct diag *d)
{
    struct arena a;
    struct rule_file *files;
    size_t count;
    arena_init(&a, SLO_MEMORY_BYTES);
    err e = slo_served_rules(s, &a, &files, &count, d);
    arena_fini(&a);
    return e;
}

err slo_served_read(const char *patterns, const struct slo_rules_options *o,
                    struct slo_served **out, struct diag *d)
{
    struct slo_served *s = mem_zalloc(1, sizeof(*s));
    struct texts files = {0};
    s->rules = *o;
    atomic_init(&s->refs, 1);
    arena_init(&s->arena, SLO_MEMORY_BYTES);
    err e = read_patterns(patterns, &s->arena, &files, d);
    if (e == OK)
        e = slo_files_read(files.items, files.count, &s->arena, &s->set, d);
    if (e == OK)
        e = sli_expand(&s->set, &s->arena, d);
    if (e == OK && !slo_period_known(&s->set, o->period_ms))
        e = diag_set(d, ERR_INVALID,
                     "flag --slo.default-period: must be 28d, 30d or a period with AlertWindows");
    if (e == OK)
        e = check_rules(s, d);
    if (e == OK)
        e = check_memory(&s->set, o->period_ms, d);
    if (e != OK) {
        slo_served_drop(s);
        return diag_set(d, e, "files of objectives: %s", err_name(e));
    }
    *out = s;
    return OK;
}

struct slo_served *slo_served_ref(struct slo_served *s)
{
    (void)atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
    return s;
}

void slo_served_drop(struct slo_served *s)
{
    if (s == NULL || atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) > 1)
        return;
    arena_fini(&s->arena);
    mem_free(s);
}

/* ---- Rules ---- */

err slo_served_rules(const struct slo_served *s, struct arena *a, struct rule_file **out,
                     size_t *count, struct diag *d)
{
    struct rule_file *files = ARENA_ARRAY(a, struct rule_file, s->set.count + 1);
    size_t used = 0;
    if (files == NULL)
        return diag_set(d, ERR_LIMIT, "rules of objectives: too large");
    for (size_t i = 0, end; i < s->set.count; i = end) {
        struct slo_def *first = &s->set.defs[i];
        for (end = i + 1; end < s->set.count; end++)
            if (!str_eq(s->set.defs[end].path, first->path))
                break;
        struct slo_set part = {.defs = first, .count = end - i, .catalog = s->set.catalog};
        struct rule_file *f = &files[used++];
        f->path = arena_str(a, first->path);
        if (f->path.ptr == NULL)
            return diag_set(d, ERR_LIMIT, "rules of objectives: too large");
        TRY(slo_rules_make(&part, &s->rules, a, &f->groups, &f->group_count, d));
    }
    *out = files;
    *count = used;
    return OK;
}
