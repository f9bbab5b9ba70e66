/* template_html_tags.c -- how text moves a context through tags, attributes and special elements;
 * and which file does it within scripts and styles. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/utf8.h"
#include "rules/template_html_context.h"

size_t html_find_any(str s, const char *set)
{
    size_t n = strlen(set);
    for (size_t i = 0; i < s.len; i++)
        if (memchr(set, s.ptr[i], n) != NULL)
            return i;
    return s.len;
}

size_t html_skip(str s, const char *set)
{
    size_t n = strlen(set), i = 0;
    while (i < s.len && memchr(set, s.ptr[i], n) != NULL)
        i++;
    return i;
}

size_t html_fail(struct html_context *c, str s, struct diag *d, const char *format, ...)
{
    char words[DIAG_TEXT_SIZE];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(words, sizeof(words), format, args);
    va_end(args);
    (void)diag_set(d, ERR_INVALID, "%s", words);
    *c = (struct html_context){.state = HTML_ERROR};
    return s.len;
}

void html_quote(str s, size_t runes_max, struct buf *out)
{
    size_t end = 0;
    for (size_t n = 0; n < runes_max && end < s.len; n++) {
        unsigned size;
        (void)utf8_decode(html_rest(s, end), &size);
        end += size;
    }
    utf8_quote(out, (str){s.ptr, end});
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_letter_or_digit(char c)
{
    return is_letter(c) || (c >= '0' && c <= '9');
}

static enum html_element element_of(str name)
{
    static const char *const NAMES[] = {"", "script", "style", "textarea", "title", "meta"};
    for (size_t i = 1; i < COUNT_OF(NAMES); i++)
        if (name.len == strlen(NAMES[i]) && strncasecmp(name.ptr, NAMES[i], name.len) == 0)
            return (enum html_element)i;
    return HTML_ELEMENT_NONE;
}

/* The end of a tag's name that begins at `from`; `from` when there is none. '-' and ':' join. */
static size_t tag_name_end(str s, size_t from)
{
    if (from == s.len || !is_letter(s.ptr[from]))
        return from;
    size_t i = from + 1;
    while (i < s.len) {
        bool joint = (s.ptr[i] == ':' || s.ptr[i] == '-') && i + 1 < s.len &&
                     is_letter_or_digit(s.ptr[i + 1]);
        if (!joint && !is_letter_or_digit(s.ptr[i]))
            break;
        i += joint ? 2 : 1;
    }
    return i;
}

static size_t next_text(struct html_context *c, str s, struct diag *d)
{
    (void)d;
    for (size_t k = 0;;) {
        size_t i = k + html_find_any(html_rest(s, k), "<");
        if (i + 1 >= s.len)
            return s.len;
        if (str_starts(html_rest(s, i), STR("<!--"))) {
            *c = (struct html_context){.state = HTML_COMMENT};
            return i + 4;
        }
        size_t name = i + 1;
        bool is_end = s.ptr[name] == '/';
        if (is_end && ++name == s.len)
            return s.len;
        k = tag_name_end(s, name);
        if (k == name)
            continue;
        enum html_element e = element_of((str){s.ptr + name, k - name});
        *c = (struct html_context){.state = HTML_TAG, .element = is_end ? HTML_ELEMENT_NONE : e};
        return k;
    }
}

/* The end of an attribute's name, or SIZE_MAX: a character that must not be in one. */
static size_t attr_name_end(struct html_context *c, str s, size_t from, struct diag *d)
{
    size_t i = from + html_find_any(html_rest(s, from), " \t\n\f\r=>'\"<");
    if (i == s.len || strchr("'\"<", s.ptr[i]) == NULL)
        return i;
    struct buf what = {0}, where = {0};
    utf8_quote(&what, (str){s.ptr + i, 1});
    html_quote(s, 32, &where);
    (void)html_fail(c, s, d, STR_FMT " in attribute name: " STR_FMT, STR_ARG(buf_str(&what)),
                    STR_ARG(buf_str(&where)));
    buf_fini(&what);
    buf_fini(&where);
    return SIZE_MAX;
}

static enum html_attr attr_of(enum html_element element, str name)
{
    static const enum html_attr BY_TYPE[] = {
        [HTML_VALUE_PLAIN] = HTML_ATTR_PLAIN,  [HTML_VALUE_CSS] = HTML_ATTR_STYLE,
        [HTML_VALUE_HTML] = HTML_ATTR_PLAIN,   [HTML_VALUE_JS] = HTML_ATTR_SCRIPT,
        [HTML_VALUE_URL] = HTML_ATTR_URL,      [HTML_VALUE_SRCSET] = HTML_ATTR_SRCSET,
        [HTML_VALUE_UNSAFE] = HTML_ATTR_PLAIN,
    };
    if (element == HTML_ELEMENT_SCRIPT && str_eq(name, STR("type")))
        return HTML_ATTR_SCRIPT_TYPE;
    if (element == HTML_ELEMENT_META && str_eq(name, STR("content")))
        return HTML_ATTR_META;
    return BY_TYPE[html_attr_type(name)];
}

static enum html_state content_state(enum html_element e)
{
    if (e == HTML_ELEMENT_SCRIPT)
        return HTML_JS;
    if (e == HTML_ELEMENT_STYLE)
        return HTML_CSS;
    return e == HTML_ELEMENT_TEXTAREA || e == HTML_ELEMENT_TITLE ? HTML_RCDATA : HTML_TEXT;
}

static size_t next_tag(struct html_context *c, str s, struct diag *d)
{
    size_t i = html_skip(s, HTML_SPACES);
    enum html_element element = c->element;
    if (i == s.len)
        return i;
    if (s.ptr[i] == '>') {
        enum html_element inside = element == HTML_ELEMENT_META ? HTML_ELEMENT_NONE : element;
        *c = (struct html_context){.state = content_state(element), .element = inside};
        return i + 1;
    }
    size_t end = attr_name_end(c, s, i, d);
    if (end == SIZE_MAX)
        return s.len;
    if (end == i) {
        struct buf rest = {0};
        utf8_quote(&rest, html_rest(s, i));
        end = html_fail(c, s, d, "expected space, attr name, or end of tag, but got " STR_FMT,
                        STR_ARG(buf_str(&rest)));
        buf_fini(&rest);
        return end;
    }
    struct buf name = {0};
    html_lower((str){s.ptr + i, end - i}, &name);
    *c = (struct html_context){.state = end == s.len ? HTML_ATTR_NAME : HTML_AFTER_NAME,
                               .element = element,
                               .attr = attr_of(element, buf_str(&name))};
    buf_fini(&name);
    return end;
}

static size_t next_attr_name(struct html_context *c, str s, struct diag *d)
{
    size_t i = attr_name_end(c, s, 0, d);
    if (i == SIZE_MAX)
        return s.len;
    if (i != s.len)
        c->state = HTML_AFTER_NAME;
    return i;
}

static size_t next_after_name(struct html_context *c, str s, struct diag *d)
{
    (void)d;
    size_t i = html_skip(s, HTML_SPACES);
    if (i == s.len)
        return i;
    bool has_value = s.ptr[i] == '=';
    c->state = has_value ? HTML_BEFORE_VALUE : HTML_TAG;
    return has_value ? i + 1 : i;
}

static size_t next_before_value(struct html_context *c, str s, struct diag *d)
{
    (void)d;
    size_t i = html_skip(s, HTML_SPACES);
    if (i == s.len)
        return i;
    c->state = html_value_state(c->attr);
    c->delim = s.ptr[i] == '"'    ? HTML_DELIM_DOUBLE
               : s.ptr[i] == '\'' ? HTML_DELIM_SINGLE
                                  : HTML_DELIM_SPACE;
    return c->delim == HTML_DELIM_SPACE ? i : i + 1;
}

static size_t next_comment(struct html_context *c, str s, struct diag *d)
{
    (void)d;
    const char *end = memmem(s.ptr, s.len, "-->", 3);
    if (end == NULL)
        return s.len;
    *c = (struct html_context){0};
    return (size_t)(end - s.ptr) + 3;
}

size_t html_special_end(const struct html_context *c, str s)
{
    static const char *const MARKERS[] = {"", "script", "style", "textarea", "title", ""};
    bool in_script = html_is_script_literal(c->state) || html_is_comment(c->state);
    if (c->element == HTML_ELEMENT_NONE || (c->element == HTML_ELEMENT_SCRIPT && in_script))
        return s.len;
    const char *marker = MARKERS[c->element];
    size_t n = strlen(marker);
    for (size_t i = 0; i + 2 <= s.len;) {
        const char *found = memmem(s.ptr + i, s.len - i, "</", 2);
        if (found == NULL)
            break;
        i = (size_t)(found - s.ptr) + 2;
        if (s.len - i < n || strncasecmp(s.ptr + i, marker, n) != 0)
            continue;
        if (i + n < s.len && memchr("> \t\n\f/", s.ptr[i + n], 6) != NULL)
            return i - 2;
        i += n;
    }
    return s.len;
}

static size_t next_rcdata(struct html_context *c, str s, struct diag *d)
{
    (void)d;
    size_t end = html_special_end(c, s);
    if (end < s.len)
        *c = (struct html_context){0};
    return end;
}

static size_t next_nothing(struct html_context *c, str s, struct diag *d)
{
    (void)c, (void)d;
    return s.len;
}

size_t html_next_url(struct html_context *c, str s, struct diag *d)
{
    (void)d;
    if (html_find_any(s, "#?") < s.len)
        c->url_part = HTML_URL_QUERY;
    else if (html_skip(s, HTML_SPACES) < s.len && c->url_part == HTML_URL_START)
        c->url_part = HTML_URL_PATH;
    return s.len;
}

/* "url=" in a <meta>'s content. */
static size_t next_meta(struct html_context *c, str s, struct diag *d)
{
    (void)d;
    for (size_t i = 0; i + 4 <= s.len; i++) {
        if (strncasecmp(s.ptr + i, "url", 3) != 0)
            continue;
        size_t j = i + 3 + html_skip(html_rest(s, i + 3), HTML_SPACES);
        if (j < s.len && s.ptr[j] == '=') {
            c->state = HTML_META_URL;
            return j + 1;
        }
    }
    return s.len;
}

static size_t next_meta_url(struct html_context *c, str s, struct diag *d)
{
    (void)d;
    size_t i = html_find_any(s, ";");
    if (i == s.len)
        return i;
    c->state = HTML_META;
    return i + 1;
}

size_t html_next(struct html_context *c, str s, struct diag *d)
{
    static size_t (*const NEXT[])(struct html_context *, str, struct diag *) = {
        [HTML_TEXT] = next_text,
        [HTML_TAG] = next_tag,
        [HTML_ATTR_NAME] = next_attr_name,
        [HTML_AFTER_NAME] = next_after_name,
        [HTML_BEFORE_VALUE] = next_before_value,
        [HTML_COMMENT] = next_comment,
        [HTML_RCDATA] = next_rcdata,
        [HTML_ATTR] = next_nothing,
        [HTML_URL] = html_next_url,
        [HTML_SRCSET] = html_next_url,
        [HTML_JS] = html_next_js,
        [HTML_JS_DOUBLE] = html_next_js_string,
        [HTML_JS_SINGLE] = html_next_js_string,
        [HTML_JS_TEMPLATE] = html_next_js_template,
        [HTML_JS_REGEXP] = html_next_js_string,
        [HTML_JS_BLOCK_COMMENT] = html_next_block_comment,
        [HTML_JS_LINE_COMMENT] = html_next_line_comment,
        [HTML_JS_OPEN_COMMENT] = html_next_line_comment,
        [HTML_JS_CLOSE_COMMENT] = html_next_line_comment,
        [HTML_CSS] = html_next_css,
        [HTML_CSS_DOUBLE] = html_next_css_string,
        [HTML_CSS_SINGLE] = html_next_css_string,
        [HTML_CSS_DOUBLE_URL] = html_next_css_string,
        [HTML_CSS_SINGLE_URL] = html_next_css_string,
        [HTML_CSS_URL] = html_next_css_string,
        [HTML_CSS_BLOCK_COMMENT] = html_next_block_comment,
        [HTML_CSS_LINE_COMMENT] = html_next_line_comment,
        [HTML_ERROR] = next_nothing,
        [HTML_META] = next_meta,
        [HTML_META_URL] = next_meta_url,
        [HTML_DEAD] = next_nothing,
    };
    return NEXT[c->state](c, s, d);
}
