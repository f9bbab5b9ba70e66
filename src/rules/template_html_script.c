/* template_html_script.c -- contexts within JavaScript: strings, templates, regular expressions,
 * comments, and whether a '/' divides or begins an expression. */
#include <string.h>
#include <strings.h>

#include "base/utf8.h"
#include "rules/template_html_context.h"

static bool is_identifier_byte(char c)
{
    return c == '$' || c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
           (c >= 'A' && c <= 'Z');
}

static bool is_wide_space(uint32_t rune)
{
    return rune == 0xa0 || rune == 0x1680 || (rune >= 0x2000 && rune <= 0x200a) || rune == 0x2028 ||
           rune == 0x2029 || rune == 0x202f || rune == 0x205f || rune == 0x3000 || rune == 0xfeff;
}

/* `s` without the white space of JavaScript at its end. */
static str trim_end(str s)
{
    while (s.len > 0) {
        char last = s.ptr[s.len - 1];
        if (memchr(" \t\n\v\f\r", last, 6) != NULL) {
            s.len--;
            continue;
        }
        size_t start = s.len;
        while (start > 0 && s.len - start < 3 && (s.ptr[start - 1] & 0xc0) == 0x80)
            start--;
        if (start == s.len || start == 0)
            return s;
        unsigned size;
        uint32_t rune = utf8_decode(html_rest(s, start - 1), &size);
        if (start - 1 + size != s.len || !is_wide_space(rune))
            return s;
        s.len = start - 1;
    }
    return s;
}

/* Words behind which an expression begins. */
static bool is_operator_word(str word)
{
    static const char *const WORDS[] = {"break", "case",    "continue", "delete",     "do",
                                        "else",  "finally", "in",       "instanceof", "return",
                                        "throw", "try",     "typeof",   "void"};
    for (size_t i = 0; i < COUNT_OF(WORDS); i++)
        if (str_eq(word, str_from(WORDS[i])))
            return true;
    return false;
}

/* What a '/' means behind the tokens `s`; `before` when they are only blanks. */
static enum html_slash slash_after(str s, enum html_slash before)
{
    s = trim_end(s);
    if (s.len == 0)
        return before;
    size_t n = s.len;
    char last = s.ptr[n - 1];
    if (last == '+' || last == '-') { /* x++ is a value, x+ awaits one */
        size_t run = 0;
        while (run < n && s.ptr[n - 1 - run] == last)
            run++;
        return run % 2 == 1 ? HTML_SLASH_REGEXP : HTML_SLASH_DIVISION;
    }
    if (last == '.') { /* "42." */
        bool is_number = n > 1 && s.ptr[n - 2] >= '0' && s.ptr[n - 2] <= '9';
        return is_number ? HTML_SLASH_DIVISION : HTML_SLASH_REGEXP;
    }
    if (memchr(",<>=*%&|^?!~([:;{}", last, 18) != NULL)
        return HTML_SLASH_REGEXP;
    size_t word = n;
    while (word > 0 && is_identifier_byte(s.ptr[word - 1]))
        word--;
    return is_operator_word(html_rest(s, word)) ? HTML_SLASH_REGEXP : HTML_SLASH_DIVISION;
}

static size_t next_slash(struct html_context *c, str s, size_t i, struct diag *d)
{
    char next = i + 1 < s.len ? s.ptr[i + 1] : '\0';
    if (next == '/' || next == '*') {
        c->state = next == '/' ? HTML_JS_LINE_COMMENT : HTML_JS_BLOCK_COMMENT;
        return i + 2;
    }
    if (c->slash == HTML_SLASH_UNKNOWN) {
        struct buf rest = {0};
        html_quote(html_rest(s, i), 32, &rest);
        i = html_fail(c, s, d, "'/' could start a division or regexp: " STR_FMT,
                      STR_ARG(buf_str(&rest)));
        buf_fini(&rest);
        return i;
    }
    if (c->slash == HTML_SLASH_REGEXP)
        c->state = HTML_JS_REGEXP;
    else
        c->slash = HTML_SLASH_REGEXP;
    return i + 1;
}

/* Braces end the expressions of templates: `a${ {b: 1} }`. */
static size_t next_brace(struct html_context *c, str s, size_t i)
{
    str brace = {s.ptr + i, 1};
    bool closes = s.ptr[i] == '}';
    if (c->brace_count > 0) {
        int32_t *open = &c->braces[c->brace_count - 1];
        *open += closes ? -1 : 1;
        if (*open < 0) {
            c->brace_count--;
            c->state = HTML_JS_TEMPLATE;
            return i + 1;
        }
    }
    c->slash = slash_after(brace, c->slash);
    return i + 1;
}

size_t html_next_js(struct html_context *c, str s, struct diag *d)
{
    size_t i = html_find_any(s, "\"`'/{}<-#");
    str rest = html_rest(s, i);
    c->slash = slash_after((str){s.ptr, i}, c->slash);
    if (i == s.len)
        return i;
    if (s.ptr[i] == '/')
        return next_slash(c, s, i, d);
    if (s.ptr[i] == '{' || s.ptr[i] == '}')
        return next_brace(c, s, i);
    if (str_starts(rest, STR("<!--"))) {
        c->state = HTML_JS_OPEN_COMMENT;
        return i + 4;
    }
    if (str_starts(rest, STR("-->"))) {
        c->state = HTML_JS_CLOSE_COMMENT;
        return i + 3;
    }
    if (str_starts(rest, STR("#!"))) {
        c->state = HTML_JS_LINE_COMMENT;
        return i + 2;
    }
    if (memchr("\"'`", s.ptr[i], 3) != NULL) {
        c->state = s.ptr[i] == '"'    ? HTML_JS_DOUBLE
                   : s.ptr[i] == '\'' ? HTML_JS_SINGLE
                                      : HTML_JS_TEMPLATE;
        c->slash = HTML_SLASH_REGEXP;
    }
    return i + 1;
}

static size_t fail_quoted(struct html_context *c, str s, struct diag *d, const char *words)
{
    struct buf b = {0};
    utf8_quote(&b, s);
    size_t n = html_fail(c, s, d, "%s: " STR_FMT, words, STR_ARG(buf_str(&b)));
    buf_fini(&b);
    return n;
}

static size_t begin_expression(struct html_context *c, str s, size_t i, struct diag *d)
{
    if (c->brace_count == HTML_BRACES_MAX)
        return html_fail(c, s, d, "more than %d templates within templates of a script",
                         HTML_BRACES_MAX);
    c->braces[c->brace_count++] = 0;
    c->state = HTML_JS;
    return i + 2;
}

size_t html_next_js_template(struct html_context *c, str s, struct diag *d)
{
    for (size_t i = html_find_any(s, "`\\$"); i < s.len;
         i += 1 + html_find_any(html_rest(s, i + 1), "`\\$")) {
        if (s.ptr[i] == '`') {
            c->state = HTML_JS;
            return i + 1;
        }
        if (s.ptr[i] == '\\' && i + 1 == s.len)
            return fail_quoted(c, s, d, "unfinished escape sequence in JS string");
        if (s.ptr[i] == '\\')
            i++;
        else if (str_starts(html_rest(s, i), STR("${")))
            return begin_expression(c, s, i, d);
    }
    return s.len;
}

/* "</script" in an expression: its '/' does not end it. */
static bool is_script_end(str s, size_t slash)
{
    return slash > 0 && slash + 7 <= s.len && strncasecmp(s.ptr + slash - 1, "</script", 8) == 0;
}

size_t html_next_js_string(struct html_context *c, str s, struct diag *d)
{
    bool is_regexp = c->state == HTML_JS_REGEXP, in_set = false;
    const char *specials = is_regexp ? "\\/[]" : c->state == HTML_JS_SINGLE ? "\\'" : "\\\"";
    for (size_t i = html_find_any(s, specials); i < s.len;
         i += 1 + html_find_any(html_rest(s, i + 1), specials)) {
        char at = s.ptr[i];
        if (at == '\\') {
            if (++i == s.len)
                return fail_quoted(c, s, d, "unfinished escape sequence in JS string");
        } else if (at == '[' || at == ']') {
            in_set = at == '[';
        } else if (is_regexp && is_script_end(s, i)) {
            i++;
        } else if (!in_set) {
            c->state = HTML_JS;
            c->slash = HTML_SLASH_DIVISION;
            return i + 1;
        }
    }
    return in_set ? fail_quoted(c, s, d, "unfinished JS regexp charset") : s.len;
}

size_t html_next_block_comment(struct html_context *c, str s, struct diag *d)
{
    (void)d;
    const char *end = memmem(s.ptr, s.len, "*/", 2);
    if (end == NULL)
        return s.len;
    c->state = c->state == HTML_JS_BLOCK_COMMENT ? HTML_JS : HTML_CSS;
    return (size_t)(end - s.ptr) + 2;
}

/* The line's end stays: it ends statements. */
size_t html_next_line_comment(struct html_context *c, str s, struct diag *d)
{
    (void)d;
    bool is_css = c->state == HTML_CSS_LINE_COMMENT;
    size_t i = html_find_any(s, is_css ? "\n\f\r" : "\n\r");
    for (const char *sep = "\xe2\x80\xa8"; !is_css && sep != NULL;
         sep = sep[2] == '\xa8' ? "\xe2\x80\xa9" : NULL) {
        const char *found = memmem(s.ptr, i, sep, 3);
        if (found != NULL)
            i = (size_t)(found - s.ptr);
    }
    if (i < s.len)
        c->state = is_css ? HTML_CSS : HTML_JS;
    return i;
}
