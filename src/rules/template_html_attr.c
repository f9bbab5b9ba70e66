/* template_html_attr.c -- what the names of attributes say of their values, by HTML 4 and 5, as
 * html/template classifies them. */
#include <string.h>

#include "base/unicode.h"
#include "base/utf8.h"
#include "rules/template_html_context.h"

/* Words between blanks. Those with plain values are listed for names that would otherwise look
 * like handlers ("on...") or addresses ("...src..."). */
static const char URLS[] =
    " action archive background cite classid codebase data formaction href icon longdesc manifest "
    "poster profile src usemap xmlns ";
static const char UNSAFE[] =
    " accept-charset async challenge charset content crossorigin defer enctype form formenctype "
    "formmethod formnovalidate http-equiv keytype language method novalidate pattern rel sandbox "
    "type value ";
static const char PLAIN[] = " srclang ";

static bool is_word_of(const char *words, str name)
{
    if (name.len == 0 || html_find_any(name, " ") < name.len ||
        memchr(name.ptr, '\0', name.len) != NULL)
        return false;
    for (const char *p = words; (p = strchr(p, name.ptr[0])) != NULL; p++)
        if (p[-1] == ' ' && strncmp(p, name.ptr, name.len) == 0 && p[name.len] == ' ')
            return true;
    return false;
}

static bool contains(str s, str part)
{
    return memmem(s.ptr, s.len, part.ptr, part.len) != NULL;
}

static enum html_value_type by_form(str name)
{
    if (str_starts(name, STR("on")))
        return HTML_VALUE_JS;
    if (contains(name, STR("src")) || contains(name, STR("uri")) || contains(name, STR("url")))
        return HTML_VALUE_URL;
    return HTML_VALUE_PLAIN;
}

enum html_value_type html_attr_type(str name)
{
    if (str_starts(name, STR("data-"))) {
        name = html_rest(name, 5);
    } else {
        size_t colon = html_find_any(name, ":");
        if (colon < name.len) {
            if (str_eq((str){name.ptr, colon}, STR("xmlns")))
                return HTML_VALUE_URL;
            name = html_rest(name, colon + 1);
        }
    }
    if (is_word_of(URLS, name))
        return HTML_VALUE_URL;
    if (is_word_of(UNSAFE, name))
        return HTML_VALUE_UNSAFE;
    if (is_word_of(PLAIN, name))
        return HTML_VALUE_PLAIN;
    if (str_eq(name, STR("style")))
        return HTML_VALUE_CSS;
    if (str_eq(name, STR("srcdoc")))
        return HTML_VALUE_HTML;
    if (str_eq(name, STR("srcset")))
        return HTML_VALUE_SRCSET;
    return by_form(name);
}

void html_lower(str s, struct buf *out)
{
    while (s.len > 0) {
        unsigned size;
        uint32_t rune = utf8_decode(s, &size);
        utf8_append(out, unicode_lower(rune));
        s = html_rest(s, size);
    }
}
