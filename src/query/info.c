/* info.c -- info(): which metrics are info metrics, and their series. How labels are joined is in
 * info_join.c. */
#include "query/info.h"

#include "base/number.h"
#include "query/call.h"
#include "query/pipe.h"

enum { ID_VALUES_MAX = 1000 }; /* listed in a regular expression; more are looked for afterwards */

const str INFO_IDENTITY[INFO_IDENTITY_COUNT] = {{"instance", 8}, {"job", 3}};

/* Values of one identifying label among the rows that want labels. */
struct id_values {
    struct signature signature;
    struct group_table table;
    uint32_t count;
};

struct info_call {
    struct exec *x;
    const struct grid *grid;
    struct matcher
        *matchers; /* of info series: first those on __name__, then on data labels, ... */
    size_t name_count, data_count, count;           /* ... then on identifying labels */
    struct matcher *owned[1 + INFO_IDENTITY_COUNT]; /* those compiled here */
    size_t owned_count;
    struct id_values ids[INFO_IDENTITY_COUNT];
};

static err add_matcher(struct info_call *c, enum matcher_type type, str name, str value)
{
    struct matcher *m = &c->matchers[c->count];
    TRY(matcher_init(m, type, name, value, c->x->diag));
    c->owned[c->owned_count++] = m;
    c->count++;
    return OK;
}

/* Without a matcher on __name__ it is target_info; with negative ones alone, what is named like an
 * info metric. */
static err add_names(struct info_call *c, const struct matcher *ms, size_t count)
{
    bool any = false, positive = false;
    for (size_t i = 0; i < count; i++) {
        bool is_name = str_eq(ms[i].name, LABEL_NAME);
        any |= is_name;
        positive |= is_name && (ms[i].type == MATCH_EQUAL || ms[i].type == MATCH_REGEX);
    }
    if (!any)
        TRY(add_matcher(c, MATCH_EQUAL, LABEL_NAME, STR("target_info")));
    else if (!positive)
        TRY(add_matcher(c, MATCH_REGEX, LABEL_NAME, STR(".+_info")));
    for (size_t i = 0; i < count; i++)
        if (str_eq(ms[i].name, LABEL_NAME))
            c->matchers[c->count++] = ms[i];
    c->name_count = c->count;
    for (size_t i = 0; i < count; i++)
        if (!str_eq(ms[i].name, LABEL_NAME))
            c->matchers[c->count++] = ms[i];
    c->data_count = c->count - c->name_count;
    return OK;
}

static err make_matchers(struct info_call *c, const struct plan *p)
{
    const struct expr_vector *selector = p->arg_count > 1 ? plan_vector(p->args[1]) : NULL;
    size_t count = selector != NULL ? selector->matcher_count : 0;
    c->matchers = ARENA_ARRAY(&c->x->arena, struct matcher, count + COUNT_OF(c->owned));
    if (c->matchers == NULL)
        return exec_memory_error(c->x, c->x->diag);
    return add_names(c, selector != NULL ? selector->matchers : NULL, count);
}

/* Rows whose name is that of an info metric are left as they are. */
static err find_ignored(struct info_call *c, const struct vec *base, bool **out)
{
    bool *ignored = ARENA_ARRAY(&c->x->arena, bool, base->count + 1);
    if (ignored == NULL)
        return exec_memory_error(c->x, c->x->diag);
    for (size_t i = 0; i < base->count; i++)
        ignored[i] = matchers_match(c->matchers, c->name_count, base->rows[i].labels);
    *out = ignored;
    return OK;
}

static err collect_ids(struct info_call *c, const struct vec *base, const bool *ignored)
{
    for (size_t i = 0; i < base->count; i++) {
        for (size_t n = 0; n < INFO_IDENTITY_COUNT && !ignored[i]; n++) {
            uint32_t id;
            if (labels_get(base->rows[i].labels, INFO_IDENTITY[n]).len > 0)
                TRY(group_table_add(&c->ids[n].table, base->rows[i].labels, &id));
        }
    }
    for (size_t n = 0; n < INFO_IDENTITY_COUNT; n++)
        c->ids[n].count = c->ids[n].table.count;
    return OK;
}

static void put_literal(struct buf *b, str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (strchr("\\.+*?()|[]{}^$", s.ptr[i]) != NULL && s.ptr[i] != '\0')
            buf_put_u8(b, '\\');
        buf_put_u8(b, (uint8_t)s.ptr[i]);
    }
}

/* A matcher that accepts the values of an identifying label, so that indexes find the series. */
static err add_id_matcher(struct info_call *c, str name, const struct id_values *ids)
{
    struct buf b = {0};
    for (uint32_t i = 0; i < ids->count && ids->count <= ID_VALUES_MAX; i++) {
        if (i > 0)
            buf_put_u8(&b, '|');
        put_literal(&b, ids->table.groups[i].items[0].value);
    }
    if (ids->count > ID_VALUES_MAX)
        buf_put_str(&b, STR(".+"));
    str pattern = arena_str(&c->x->arena, buf_str(&b));
    buf_fini(&b);
    if (pattern.ptr == NULL)
        return exec_memory_error(c->x, c->x->diag);
    return add_matcher(c, MATCH_REGEX, name, pattern);
}

/* When the info series are looked at: as the first selector of the expression says, so that they
 * are those of the time the samples are from. */
static bool find_time(const struct plan *p, struct plan_time *out)
{
    enum expr_kind kind = p->expr->kind;
    if (kind == EXPR_VECTOR || kind == EXPR_MATRIX) {
        *out = p->time;
        return true;
    }
    for (size_t i = 0; i < p->arg_count; i++) {
        if (!find_time(p->args[i], out))
            continue;
        if (kind == EXPR_SUBQUERY && !out->fixed) {
            out->offset_ms += p->time.offset_ms;
            out->fixed = p->time.fixed;
            out->at_ms = p->time.at_ms;
        }
        return true;
    }
    return false;
}

/* Rows of the info series with the times of their newest samples. */
static err select_info(struct info_call *c, const struct plan *p, struct vec *out)
{
    struct exec *x = c->x;
    struct expr *e = ARENA_NEW(&x->arena, struct expr);
    struct plan *selector = ARENA_NEW(&x->arena, struct plan);
    if (e == NULL || selector == NULL)
        return exec_memory_error(x, x->diag);
    *e = (struct expr){.kind = EXPR_VECTOR, .type = VALUE_VECTOR};
    e->vector.matchers = c->matchers;
    e->vector.matcher_count = c->count;
    selector->expr = e;
    (void)find_time(p->args[0], &selector->time);
    selector->time.range_ms = x->options->lookback_ms;
    struct pipe pipe;
    TRY(pipe_open_info(x, selector, c->grid, &pipe));
    err r = pipe_rows(&pipe, out);
    pipe_close(&pipe);
    return r;
}

/* Drop info series of others' identity, which a matcher for too many values let through. */
static err drop_others(struct info_call *c, struct vec *info)
{
    size_t kept = 0;
    for (size_t i = 0; i < info->count; i++) {
        bool keep = true;
        for (size_t n = 0; n < INFO_IDENTITY_COUNT; n++) {
            uint32_t id = 0;
            if (c->ids[n].count > ID_VALUES_MAX)
                TRY(group_table_add(&c->ids[n].table, info->rows[i].labels, &id));
            keep = keep && id < MAX(c->ids[n].count, 1);
        }
        if (keep)
            info->rows[kept++] = info->rows[i];
    }
    info->count = kept;
    return OK;
}

static err fetch_info(struct info_call *c, const struct plan *p, struct vec *out)
{
    for (size_t n = 0; n < INFO_IDENTITY_COUNT; n++)
        if (c->ids[n].count > 0)
            TRY(add_id_matcher(c, INFO_IDENTITY[n], &c->ids[n]));
    if (c->count == c->name_count + c->data_count) { /* nothing to find series by */
        vec_init(c->x, out, 1);
        return OK;
    }
    TRY(select_info(c, p, out));
    err e = drop_others(c, out);
    if (e != OK)
        vec_fini(c->x, out);
    return e;
}

static err info_of_rows(struct info_call *c, const struct plan *p, struct vec *base,
                        struct vec *out)
{
    bool *ignored;
    struct vec info;
    TRY(make_matchers(c, p));
    TRY(find_ignored(c, base, &ignored));
    TRY(collect_ids(c, base, ignored));
    TRY(fetch_info(c, p, &info));
    struct info_join j = {.x = c->x,
                          .grid = c->grid,
                          .data = c->matchers + c->name_count,
                          .data_count = c->data_count,
                          .ignored = ignored,
                          .info = &info};
    err e = info_join_rows(&j, base, out);
    vec_fini(c->x, &info);
    return e;
}

err call_info(struct exec *x, const struct plan *p, const struct grid *g, struct vec *out)
{
    struct info_call c = {.x = x, .grid = g};
    struct vec base;
    TRY(exec_vector(x, p->args[0], g, &base));
    for (size_t n = 0; n < INFO_IDENTITY_COUNT; n++) {
        c.ids[n].signature =
            (struct signature){.names = &INFO_IDENTITY[n], .count = 1, .keep = true};
        group_table_init(&c.ids[n].table, x, &c.ids[n].signature);
    }
    err e = info_of_rows(&c, p, &base, out);
    for (size_t n = 0; n < INFO_IDENTITY_COUNT; n++)
        group_table_fini(&c.ids[n].table);
    for (size_t i = 0; i < c.owned_count; i++)
        matcher_fini(c.owned[i]);
    if (base.arenas != NULL)
        vec_fini(x, &base);
    return e;
}
