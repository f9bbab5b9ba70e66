/* matcher.c -- see matcher.h. */
#include "model/matcher.h"

#include "base/utf8.h"

static bool is_regex(enum matcher_type type)
{
    return type == MATCH_REGEX || type == MATCH_NOT_REGEX;
}

err matcher_init(struct matcher *m, enum matcher_type type, str name, str value, struct diag *d)
{
    struct matcher made = {.type = type, .name = name, .value = value};
    if (is_regex(type))
        TRY(regex_compile(value, &made.regex, d));
    made.matches_empty = matcher_matches(&made, STR(""));
    *m = made;
    return OK;
}

void matcher_fini(struct matcher *m)
{
    regex_close(m->regex);
    m->regex = NULL;
}

bool matcher_matches(const struct matcher *m, str value)
{
    switch (m->type) {
    case MATCH_EQUAL:
        return str_eq(m->value, value);
    case MATCH_NOT_EQUAL:
        return !str_eq(m->value, value);
    case MATCH_REGEX:
        return regex_match(m->regex, value);
    case MATCH_NOT_REGEX:
        return !regex_match(m->regex, value);
    }
    return false;
}

bool matchers_match(const struct matcher *ms, size_t count, struct labels ls)
{
    for (size_t i = 0; i < count; i++) {
        str value = labels_get(ls, ms[i].name);
        if (!matcher_matches(&ms[i], value.ptr != NULL ? value : STR("")))
            return false;
    }
    return true;
}

void matcher_format(const struct matcher *m, struct buf *out)
{
    static const str OPERATORS[] = {
        [MATCH_EQUAL] = {"=", 1},
        [MATCH_NOT_EQUAL] = {"!=", 2},
        [MATCH_REGEX] = {"=~", 2},
        [MATCH_NOT_REGEX] = {"!~", 2},
    };
    if (label_name_is_legacy(m->name))
        buf_put_str(out, m->name);
    else
        utf8_quote(out, m->name);
    buf_put_str(out, OPERATORS[m->type]);
    utf8_quote(out, m->value);
}
