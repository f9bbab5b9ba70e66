#include "ingest/scrape_labels.h"

#include <string.h>

#include "base/utf8.h"
#include "ingest/relabel.h"

#define EXPORTED STR("exported_")

struct draft { /* a label set being made; an empty value means no label */
    struct label *items;
    size_t count, cap;
    struct arena *arena;
};

static struct label *find(const struct draft *s, str name)
{
    for (size_t i = 0; i < s->count; i++)
        if (str_eq(s->items[i].name, name))
            return &s->items[i];
    return NULL;
}

static bool add(struct draft *s, str name, str value)
{
    if (s->count == s->cap) {
        size_t cap = s->cap * 2 + 8;
        struct label *items = arena_grow(s->arena, s->items, s->count, cap, sizeof(*items));
        if (items == NULL)
            return false;
        s->items = items;
        s->cap = cap;
    }
    s->items[s->count++] = (struct label){name, value};
    return true;
}

/* ---- Conflicts ---- */

/* The value stays under the name with exported_ in front, as often as it takes. */
static bool add_exported(struct draft *s, str name, str value)
{
    for (;;) {
        char *text = arena_alloc(s->arena, EXPORTED.len + name.len);
        if (text == NULL)
            return false;
        memcpy(text, EXPORTED.ptr, EXPORTED.len);
        memcpy(text + EXPORTED.len, name.ptr, name.len);
        name = (str){text, EXPORTED.len + name.len};
        struct label *taken = find(s, name);
        if (taken == NULL)
            return add(s, name, value);
        if (taken->value.len == 0) {
            taken->value = value;
            return true;
        }
    }
}

static void sort_by_length(struct label *items, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        struct label x = items[i];
        size_t k = i;
        for (; k > 0 && items[k - 1].name.len > x.name.len; k--)
            items[k] = items[k - 1];
        items[k] = x;
    }
}

/* honor_labels: what the page says stays, even when it says nothing. */
static bool add_honored(struct draft *s, struct labels target)
{
    for (size_t i = 0; i < target.count; i++)
        if (find(s, target.items[i].name) == NULL &&
            !add(s, target.items[i].name, target.items[i].value))
            return false;
    return true;
}

/* Else the target's labels win. */
static bool add_enforced(struct draft *s, struct labels target)
{
    struct label *conflicts = ARENA_ARRAY(s->arena, struct label, target.count);
    size_t conflict_count = 0;
    if (conflicts == NULL)
        return false;
    for (size_t i = 0; i < target.count; i++) {
        const struct label *t = &target.items[i];
        struct label *old = find(s, t->name);
        if (old == NULL) {
            if (!add(s, t->name, t->value))
                return false;
            continue;
        }
        if (old->value.len > 0)
            conflicts[conflict_count++] = *old;
        old->value = t->value;
    }
    sort_by_length(conflicts, conflict_count);
    for (size_t i = 0; i < conflict_count; i++)
        if (!add_exported(s, conflicts[i].name, conflicts[i].value))
            return false;
    return true;
}

/* ---- Validity ---- */

bool scrape_label_name_ok(str name, int scheme)
{
    return scheme == NAMES_LEGACY ? label_name_is_legacy(name) : name.len > 0 && utf8_valid(name);
}

static bool label_ok(const struct label *l, int scheme)
{
    if (!str_eq(l->name, LABEL_NAME))
        return scrape_label_name_ok(l->name, scheme) && utf8_valid(l->value);
    return scheme == NAMES_LEGACY ? metric_name_is_legacy(l->value) : utf8_valid(l->value);
}

static err check_names(struct labels ls, int scheme, struct diag *d)
{
    bool ok = true;
    if (labels_get(ls, LABEL_NAME).ptr == NULL)
        return diag_set(d, ERR_INVALID, "missing metric name (__name__ label)");
    for (size_t i = 0; i < ls.count; i++)
        ok &= label_ok(&ls.items[i], scheme);
    if (!ok) {
        struct buf text = {0};
        labels_format(ls, &text);
        (void)diag_set(d, ERR_INVALID, "invalid metric name or label names: %s", buf_cstr(&text));
        buf_fini(&text);
        return ERR_INVALID;
    }
    for (size_t i = 1; i < ls.count; i++)
        if (str_eq(ls.items[i - 1].name, ls.items[i].name))
            return diag_set(d, ERR_INVALID,
                            "label name \"" STR_FMT "\" is not unique: invalid sample",
                            STR_ARG(ls.items[i].name));
    return OK;
}

/* The first 50 runes: what Prometheus shows of names. */
static str shown(str s)
{
    size_t n = 0;
    for (unsigned i = 0, size; i < 50 && n < s.len; i++) {
        (void)utf8_decode((str){s.ptr + n, s.len - n}, &size);
        n += size;
    }
    return (str){s.ptr, n};
}

static err value_too_long(str metric, const struct label *l, int64_t limit, struct diag *d)
{
    struct buf value = {0};
    utf8_quote(&value, shown(l->value));
    (void)diag_set(d, ERR_LIMIT,
                   "label_value_length_limit exceeded (metric: " STR_FMT ", label name: " STR_FMT
                   ", value: %s, length: %zu, limit: %lld)",
                   STR_ARG(metric), STR_ARG(shown(l->name)), buf_cstr(&value), l->value.len,
                   (long long)limit);
    buf_fini(&value);
    return ERR_LIMIT;
}

static err check_limits(struct labels ls, const struct scrape_limits *limits, struct diag *d)
{
    str metric = shown(labels_get(ls, LABEL_NAME));
    if (limits->labels > 0 && ls.count > (uint64_t)limits->labels)
        return diag_set(d, ERR_LIMIT,
                        "label_limit exceeded (metric: " STR_FMT
                        ", number of labels: %zu, limit: %lld)",
                        STR_ARG(metric), ls.count, (long long)limits->labels);
    for (size_t i = 0; i < ls.count; i++) {
        const struct label *l = &ls.items[i];
        if (limits->label_name_bytes > 0 && l->name.len > (uint64_t)limits->label_name_bytes)
            return diag_set(d, ERR_LIMIT,
                            "label_name_length_limit exceeded (metric: " STR_FMT
                            ", label name: " STR_FMT ", length: %zu, limit: %lld)",
                            STR_ARG(metric), STR_ARG(shown(l->name)), l->name.len,
                            (long long)limits->label_name_bytes);
        if (limits->label_value_bytes > 0 && l->value.len > (uint64_t)limits->label_value_bytes)
            return value_too_long(metric, l, limits->label_value_bytes, d);
    }
    return OK;
}

/* ---- Sets ---- */

static err no_room(struct diag *d)
{
    return diag_set(d, ERR_LIMIT, "the labels of one series need too much memory");
}

/* *ls becomes what the rules make of it: nothing when they drop it. False: it gets too large. */
static bool relabel(const struct relabel_configs *rules, struct arena *a, struct labels *ls)
{
    struct relabel_labels l;
    bool keep = true;
    relabel_labels_init(&l, a);
    err e = relabel_labels_base(&l, *ls);
    if (e == OK)
        e = relabel_run(rules, &l, &keep);
    if (e == OK && keep)
        *ls = relabel_labels_done(&l);
    else
        ls->count = 0;
    relabel_labels_fini(&l);
    return e == OK;
}

err scrape_sample_labels(const struct scrape_config *c, struct labels target,
                         const struct label *page, size_t count, struct arena *a,
                         struct labels *out, struct diag *d)
{
    struct draft s = {.cap = count + target.count + 2, .count = count, .arena = a};
    s.items = ARENA_ARRAY(a, struct label, s.cap);
    if (s.items == NULL)
        return no_room(d);
    if (count > 0)
        memcpy(s.items, page, count * sizeof(*page));
    if (!(c->honor_labels ? add_honored : add_enforced)(&s, target))
        return no_room(d);
    struct labels ls = {s.items, labels_sort(s.items, s.count)};
    if (c->metric_relabel.count > 0 && !relabel(&c->metric_relabel, a, &ls))
        return no_room(d);
    *out = ls;
    if (ls.count == 0)
        return OK;
    TRY(check_names(ls, c->names, d));
    return check_limits(ls, &c->limits, d);
}

err scrape_report_labels(str name, struct labels target, struct arena *a, struct labels *out)
{
    struct draft s = {.cap = target.count + 1, .arena = a};
    s.items = ARENA_ARRAY(a, struct label, s.cap);
    if (s.items == NULL || !add(&s, LABEL_NAME, name))
        return ERR_LIMIT;
    for (size_t i = 0; i < target.count; i++) {
        const struct label *t = &target.items[i];
        if (!str_eq(t->name, LABEL_NAME) && !add(&s, t->name, t->value))
            return ERR_LIMIT;
    }
    *out = (struct labels){s.items, labels_sort(s.items, s.count)};
    return OK;
}
