/* template_strings.c -- letters' cases and regular expressions. */
#include "rules/template_strings.h"

#include <string.h>

#include "base/regex.h"
#include "base/unicode.h"
#include "base/utf8.h"
#include "rules/template_exec.h"

/* Every rune mapped; invalid bytes become U+FFFD, as with Go's strings.Map. */
static err map_runes(struct template_call *c, str s, uint32_t (*map)(uint32_t),
                     struct template_value *out)
{
    struct buf b = {0};
    if (s.len > call_room(c) / 3)
        return diag_set(c->diag, ERR_LIMIT, "text too long");
    while (s.len > 0) {
        unsigned size;
        utf8_append(&b, map(utf8_decode(s, &size)));
        s = (str){s.ptr + size, s.len - size};
    }
    return call_text(c, &b, OK, out);
}

static err fn_to_upper(struct template_call *c, const struct template_value *args, size_t count,
                       struct template_value *out)
{
    (void)count;
    return map_runes(c, args[0].s, unicode_upper, out);
}

static err fn_to_lower(struct template_call *c, const struct template_value *args, size_t count,
                       struct template_value *out)
{
    (void)count;
    return map_runes(c, args[0].s, unicode_lower, out);
}

static err fn_match(struct template_call *c, const struct template_value *args, size_t count,
                    struct template_value *out)
{
    const struct regex_search *re;
    (void)count;
    TRY(exec_regex(c->exec, args[0].s, &re, c->diag));
    *out = template_bool(regex_search_match(re, args[1].s));
    return OK;
}

/* Go compiles with MustCompile here, whose panic is worded "regexp: Compile(`...`): ...". */
static err must_compile(struct template_call *c, str expr, const struct regex_search **out)
{
    struct diag d = {0};
    err e = exec_regex(c->exec, expr, out, &d);
    if (e == OK)
        return OK;
    struct buf quoted = {0};
    bool raw = utf8_valid(expr) && memchr(expr.ptr, '`', expr.len) == NULL &&
               memchr(expr.ptr, '\n', expr.len) == NULL;
    if (raw)
        buf_printf(&quoted, "`" STR_FMT "`", STR_ARG(expr));
    else
        utf8_quote(&quoted, expr);
    e = diag_set(c->diag, e, "regexp: Compile(" STR_FMT "): %s", STR_ARG(buf_str(&quoted)), d.text);
    buf_fini(&quoted);
    return e;
}

static err fn_re_replace_all(struct template_call *c, const struct template_value *args,
                             size_t count, struct template_value *out)
{
    const struct regex_search *re;
    struct buf b = {0};
    (void)count;
    TRY(must_compile(c, args[0].s, &re));
    err e = regex_search_replace(re, args[2].s, args[1].s, call_room(c), &b);
    return call_text(c, &b, e, out);
}

static err fn_safe_html(struct template_call *c, const struct template_value *args, size_t count,
                        struct template_value *out)
{
    (void)c, (void)count;
    *out = (struct template_value){.type = &TEMPLATE_HTML, .s = args[0].s};
    return OK;
}

#define STRING &TEMPLATE_STRING

static const struct template_func FUNCS[] = {
    {"match", fn_match, {STRING, STRING}, false},
    {"reReplaceAll", fn_re_replace_all, {STRING, STRING, STRING}, false},
    {"safeHtml", fn_safe_html, {STRING}, false},
    {"toLower", fn_to_lower, {STRING}, false},
    {"toUpper", fn_to_upper, {STRING}, false},
};

const struct template_funcs TEMPLATE_STRING_FUNCS = {FUNCS, COUNT_OF(FUNCS), NULL};
