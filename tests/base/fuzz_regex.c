/* Expression, NUL, text: what the recognisers of literals and globs say is what RE2 says. */
#include <stdint.h>
#include <string.h>

#include "base/assert.h"
#include "base/regex.h"
#include "base/utf8.h"

/* The same expression in a form that no recogniser knows. */
static struct regex *compile_automaton(str expr)
{
    struct buf b = {0};
    struct regex *re = NULL;
    buf_printf(&b, "(?:" STR_FMT ")x{0}", STR_ARG(expr));
    err e = regex_compile(buf_str(&b), &re, NULL);
    buf_fini(&b);
    return e == OK ? re : NULL;
}

static void check(const struct regex *re, const struct regex *automaton, str text)
{
    const str *items;
    bool matches = regex_match(re, text);
    size_t count = regex_literals(re, &items);
    ASSERT(regex_match(automaton, text) == matches);
    if (matches && utf8_valid(text))
        ASSERT(str_starts(text, regex_prefix(re)));
    for (size_t i = 0; i < count; i++)
        ASSERT(regex_match(automaton, items[i]));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *nul = size > 0 ? memchr(data, 0, size) : NULL;
    size_t split = nul != NULL ? (size_t)(nul - data) : size;
    str expr = {(const char *)data, split};
    str text = {(const char *)data + split + (nul != NULL), size - split - (nul != NULL)};
    struct regex *re = NULL, *automaton;
    struct diag d = {0};
    if (split > 256)
        return 0;
    err e = regex_compile(expr, &re, &d);
    if (e != OK) {
        ASSERT(re == NULL && d.text[0] != '\0');
        return 0;
    }
    automaton = compile_automaton(expr);
    if (automaton != NULL)
        check(re, automaton, text);
    struct buf b = {0};
    ASSERT(regex_expand(re, text, expr, &b) == regex_match(re, text));
    buf_fini(&b);
    regex_close(automaton);
    regex_close(re);
    return 0;
}
