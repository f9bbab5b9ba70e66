/* alert_matcher.c -- see alert_matcher.h. */
#include "model/alert_matcher.h"

#include <stdlib.h>

#include "base/utf8.h"
#include "model/alert_matcher_priv.h"

/* Alertmanager compiles ^(?:...)$, and its errors show that; those of match_re come that way. */
static err fail_expression(str value, err e, const struct diag *plain, struct diag *d)
{
    if (str_starts(value, STR("^(?:")) && str_ends(value, STR(")$")))
        return diag_set(d, e, "%s", plain->text);
    struct buf text = {0};
    struct regex_search *search = NULL;
    struct diag why = {.text = ""};
    buf_printf(&text, "^(?:" STR_FMT ")$", STR_ARG(value));
    if (regex_search_compile(buf_str(&text), &search, &why) == OK)
        why = *plain;
    regex_search_close(search);
    buf_fini(&text);
    return diag_set(d, e, "%s", why.text);
}

/* Our expressions are (?s:...); where there is a dot, that is undone inside. */
static err compile(str value, struct regex **out, struct diag *d)
{
    struct regex *plain;
    struct diag why = {.text = ""};
    err failed = regex_compile(value, &plain, &why);
    if (failed != OK)
        return fail_expression(value, failed, &why, d);
    if (value.len == 0 || memchr(value.ptr, '.', value.len) == NULL) {
        *out = plain;
        return OK;
    }
    regex_close(plain);
    struct buf text = {0};
    buf_printf(&text, "(?-s:" STR_FMT ")", STR_ARG(value));
    err e = regex_compile(buf_str(&text), out, d);
    buf_fini(&text);
    return e;
}

err alert_matcher_init(struct matcher *m, enum matcher_type type, str name, str value,
                       struct diag *d)
{
    struct matcher made = {.type = type, .name = name, .value = value};
    if (type == MATCH_REGEX || type == MATCH_NOT_REGEX)
        TRY(compile(value, &made.regex, d));
    made.matches_empty = matcher_matches(&made, STR(""));
    *m = made;
    return OK;
}

err matcher_reader_add(struct matcher_reader *r, enum matcher_type type, str name, str value)
{
    struct alert_matchers *ms = r->out;
    if (ms->count == ALERT_MATCHERS_MAX)
        return diag_set(r->d, ERR_LIMIT, "more than %d matchers", ALERT_MATCHERS_MAX);
    if (ms->count == r->room) {
        size_t room = r->room == 0 ? 4 : r->room * 2;
        struct matcher *items =
            arena_grow(r->arena, ms->items, ms->count, room, sizeof(*ms->items));
        if (items == NULL)
            return ERR_LIMIT;
        ms->items = items;
        r->room = room;
    }
    str own_name = arena_str(r->arena, name), own_value = arena_str(r->arena, value);
    if (own_name.ptr == NULL || own_value.ptr == NULL)
        return ERR_LIMIT;
    TRY(alert_matcher_init(&ms->items[ms->count], type, own_name, own_value, r->d));
    ms->count++;
    return OK;
}

static bool same(const struct alert_matchers *a, const struct alert_matchers *b)
{
    bool equal = a->count == b->count;
    for (size_t i = 0; equal && i < a->count; i++)
        equal = a->items[i].type == b->items[i].type &&
                str_eq(a->items[i].name, b->items[i].name) &&
                str_eq(a->items[i].value, b->items[i].value);
    return equal;
}

static void warn(struct buf *warning, str text, const struct alert_matchers *classic,
                 const char *why)
{
    if (warning == NULL)
        return;
    buf_printf(warning, "matchers " STR_FMT " are read in the classic way: %s; write them as ",
               STR_ARG(text), why);
    alert_matchers_format(classic, warning);
}

err alert_matchers_parse(str text, struct arena *a, struct alert_matchers *out, struct buf *warning,
                         struct diag *d)
{
    struct alert_matchers utf8 = {0}, classic = {0};
    struct diag why = {.text = ""}, why_classic = {.text = ""};
    struct matcher_reader r = {.arena = a, .out = &utf8, .d = &why};
    struct matcher_reader rc = {.arena = a, .out = &classic, .d = &why_classic};
    err e = matchers_read_utf8(&r, text), ec = matchers_read_classic(&rc, text);
    if (e == ERR_LIMIT || ec == ERR_LIMIT || (e != OK && ec != OK)) {
        alert_matchers_fini(&utf8);
        alert_matchers_fini(&classic);
        bool limit = e == ERR_LIMIT || ec == ERR_LIMIT;
        return diag_set(d, limit ? ERR_LIMIT : ERR_INVALID, "%s",
                        ec != OK && why_classic.text[0] != '\0' ? why_classic.text
                        : why.text[0] != '\0'                   ? why.text
                                                                : "matchers too large");
    }
    bool use_classic = ec == OK && (e != OK || !same(&utf8, &classic));
    if (use_classic)
        warn(warning, text, &classic,
             e != OK ? why.text : "they would mean something else in the newer one");
    *out = use_classic ? classic : utf8;
    alert_matchers_fini(use_classic ? &utf8 : &classic);
    return OK;
}

void alert_matchers_fini(struct alert_matchers *ms)
{
    for (size_t i = 0; i < ms->count; i++)
        matcher_fini(&ms->items[i]);
    ms->count = 0;
}

static int compare(const void *pa, const void *pb)
{
    const struct matcher *a = pa, *b = pb;
    int c = str_cmp(a->name, b->name);
    if (c == 0)
        c = str_cmp(a->value, b->value);
    return c != 0 ? c : (int)a->type - (int)b->type;
}

void alert_matchers_sort(struct alert_matchers *ms)
{
    if (ms->count > 1)
        qsort(ms->items, ms->count, sizeof(*ms->items), compare);
}

static bool name_is_bare(str name)
{
    unsigned size;
    for (size_t i = 0; i < name.len; i += size)
        if (matcher_rune_is_reserved(utf8_decode((str){name.ptr + i, name.len - i}, &size)))
            return false;
    return true;
}

static void put_escaped(str s, struct buf *out)
{
    buf_put_u8(out, '"');
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] == '\\' || s.ptr[i] == '"')
            buf_put_u8(out, '\\');
        if (s.ptr[i] == '\n')
            buf_put_str(out, STR("\\n"));
        else
            buf_put_u8(out, (uint8_t)s.ptr[i]);
    }
    buf_put_u8(out, '"');
}

void alert_matcher_format(const struct matcher *m, struct buf *out)
{
    static const str OPERATORS[] = {
        [MATCH_EQUAL] = {"=", 1},
        [MATCH_NOT_EQUAL] = {"!=", 2},
        [MATCH_REGEX] = {"=~", 2},
        [MATCH_NOT_REGEX] = {"!~", 2},
    };
    bool bare = name_is_bare(m->name);
    if (bare)
        buf_put_str(out, m->name);
    else
        utf8_quote(out, m->name);
    buf_put_str(out, OPERATORS[m->type]);
    if (bare)
        put_escaped(m->value, out);
    else
        utf8_quote(out, m->value);
}

void alert_matchers_format(const struct alert_matchers *ms, struct buf *out)
{
    buf_put_u8(out, '{');
    for (size_t i = 0; i < ms->count; i++) {
        if (i > 0)
            buf_put_u8(out, ',');
        alert_matcher_format(&ms->items[i], out);
    }
    buf_put_u8(out, '}');
}
