/* select_shape.c -- see select_shape.h. */
#include "storage/select_shape.h"

#include "base/compiler.h"
#include "base/mem.h"

static struct select_shape list(const struct matcher *m, const str *values, size_t count)
{
    return (struct select_shape){
        .kind = SHAPE_LIST, .keeps = !m->matches_empty, .values = values, .value_count = count};
}

static struct select_shape any(const struct matcher *m)
{
    return (struct select_shape){.kind = SHAPE_ANY, .keeps = !m->matches_empty};
}

/* `names_them`: does the matcher accept what its values match? */
static struct select_shape shape_of_literals(const struct matcher *m, const str *values,
                                             size_t count, bool names_them)
{
    if (names_them != m->matches_empty)
        return list(m, values, count);
    if (count == 1) /* the empty string alone */
        return any(m);
    return (struct select_shape){.kind = SHAPE_SCAN, .keeps = !m->matches_empty};
}

static struct select_shape shape_of_regex(const struct matcher *m, bool names_them)
{
    const str *values;
    size_t count = regex_literals(m->regex, &values);
    if (count > 0)
        return shape_of_literals(m, values, count, names_them);
    switch (regex_breadth(m->regex)) {
    case REGEX_MATCHES_ALL:
        return (struct select_shape){.kind = names_them ? SHAPE_ALL : SHAPE_NONE};
    case REGEX_MATCHES_NONEMPTY:
        return any(m);
    case REGEX_MATCHES_SOME:
        break;
    }
    bool prefixed = names_them != m->matches_empty;
    return (struct select_shape){.kind = SHAPE_SCAN,
                                 .keeps = !m->matches_empty,
                                 .prefix = prefixed ? regex_prefix(m->regex) : STR("")};
}

struct select_shape select_shape_of(const struct matcher *m)
{
    bool names_them = m->type == MATCH_EQUAL || m->type == MATCH_REGEX;
    if (m->regex != NULL)
        return shape_of_regex(m, names_them);
    return shape_of_literals(m, &m->value, 1, names_them);
}

static bool is_own(const struct matcher *m, str label)
{
    return str_eq(m->name, label);
}

static bool keeps_listed(const struct matcher *m)
{
    struct select_shape shape = select_shape_of(m);
    return shape.keeps && shape.kind == SHAPE_LIST;
}

void select_split_init(struct select_split *s, str label, const struct matcher *ms, size_t count)
{
    bool listed = false;
    *s = (struct select_split){.own = mem_zalloc(MAX(count, (size_t)1), sizeof(*s->own))};
    for (size_t i = 0; i < count; i++)
        listed |= is_own(&ms[i], label) && keeps_listed(&ms[i]);
    for (size_t i = 0; i < count && !listed; i++)
        if (is_own(&ms[i], label))
            s->own[s->own_count++] = ms[i];
    s->rest = s->own + s->own_count;
    for (size_t i = 0; i < count; i++)
        if (listed || !is_own(&ms[i], label))
            s->rest[s->rest_count++] = ms[i];
}

void select_split_fini(struct select_split *s)
{
    mem_free(s->own);
    *s = (struct select_split){.own = NULL};
}

bool select_accepts(const struct select_split *s, str value)
{
    for (size_t i = 0; i < s->own_count; i++)
        if (!matcher_matches(&s->own[i], value))
            return false;
    return true;
}
