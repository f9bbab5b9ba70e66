/* template_html_style.c -- contexts within CSS: strings, url(), comments. */
#include <string.h>
#include <strings.h>

#include "base/utf8.h"
#include "rules/template_html_context.h"

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static uint32_t hex_value(char c)
{
    return (uint32_t)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
}

/* One white space may end the digits of an escape. */
static size_t skip_space(str s)
{
    if (s.len > 1 && s.ptr[0] == '\r' && s.ptr[1] == '\n')
        return 2;
    return s.len > 0 && strchr(HTML_SPACES, s.ptr[0]) != NULL && s.ptr[0] != '\0' ? 1 : 0;
}

/* The escape at the start of `s` ("\2f ", "\;"), appended; returns its length. */
static size_t decode_escape(str s, struct buf *out)
{
    size_t n = 1;
    uint32_t rune = 0;
    if (!is_hex(s.ptr[1])) {
        unsigned size;
        (void)utf8_decode(html_rest(s, 1), &size);
        buf_put(out, s.ptr + 1, size);
        return 1 + size;
    }
    while (n < s.len && n < 7 && is_hex(s.ptr[n]))
        rune = rune * 16 + hex_value(s.ptr[n++]);
    if (rune > 0x10ffff) {
        rune /= 16;
        n--;
    }
    utf8_append(out, rune);
    return n + skip_space(html_rest(s, n));
}

void html_css_decode(str s, struct buf *out)
{
    while (s.len > 0) {
        size_t i = html_find_any(s, "\\");
        buf_put(out, s.ptr, i);
        s = html_rest(s, i);
        if (s.len < 2)
            break;
        s = html_rest(s, decode_escape(s, out));
    }
}

/* May the character before byte `end` be part of a name? */
static bool name_goes_before(str s, size_t end)
{
    if (end == 0)
        return false;
    unsigned char c = (unsigned char)s.ptr[end - 1];
    return c >= 0x80 || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
           (c >= 'A' && c <= 'Z') || c == '-' || c == '_';
}

/* Is the bracket at `i` that of "url("? */
static bool is_url(str s, size_t i)
{
    while (i > 0 && memchr(HTML_SPACES, s.ptr[i - 1], 5) != NULL)
        i--;
    return i >= 3 && strncasecmp(s.ptr + i - 3, "url", 3) == 0 && !name_goes_before(s, i - 3);
}

static size_t begin_url(struct html_context *c, str s, size_t i)
{
    size_t j = i + 1 + html_skip(html_rest(s, i + 1), HTML_SPACES);
    char quote = j < s.len ? s.ptr[j] : '\0';
    c->state = quote == '"'    ? HTML_CSS_DOUBLE_URL
               : quote == '\'' ? HTML_CSS_SINGLE_URL
                               : HTML_CSS_URL;
    return c->state == HTML_CSS_URL ? j : j + 1;
}

size_t html_next_css(struct html_context *c, str s, struct diag *d)
{
    (void)d;
    for (size_t i = html_find_any(s, "(\"'/"); i < s.len;
         i += 1 + html_find_any(html_rest(s, i + 1), "(\"'/")) {
        char next = i + 1 < s.len ? s.ptr[i + 1] : '\0';
        if (s.ptr[i] == '"' || s.ptr[i] == '\'') {
            c->state = s.ptr[i] == '"' ? HTML_CSS_DOUBLE : HTML_CSS_SINGLE;
            return i + 1;
        }
        if (s.ptr[i] == '/' && (next == '/' || next == '*')) {
            c->state = next == '/' ? HTML_CSS_LINE_COMMENT : HTML_CSS_BLOCK_COMMENT;
            return i + 2;
        }
        if (s.ptr[i] == '(' && is_url(s, i))
            return begin_url(c, s, i);
    }
    return s.len;
}

static void url_after(struct html_context *c, str s)
{
    struct buf b = {0};
    html_css_decode(s, &b);
    if (b.len > 0)
        (void)html_next_url(c, buf_str(&b), NULL);
    buf_fini(&b);
}

/* Strings are taken for URLs, which is the careful reading. */
size_t html_next_css_string(struct html_context *c, str s, struct diag *d)
{
    const char *ends = c->state == HTML_CSS_DOUBLE || c->state == HTML_CSS_DOUBLE_URL ? "\\\""
                       : c->state == HTML_CSS_SINGLE || c->state == HTML_CSS_SINGLE_URL
                           ? "\\'"
                           : "\\\t\n\f\r )";
    size_t escaped = 0; /* behind the first byte of the last escape */
    size_t i = html_find_any(s, ends);
    for (; i < s.len; i += html_find_any(html_rest(s, i), ends)) {
        if (s.ptr[i] != '\\')
            break;
        if (i + 1 == s.len) {
            struct buf b = {0};
            utf8_quote(&b, s);
            i = html_fail(c, s, d, "unfinished escape sequence in CSS string: " STR_FMT,
                          STR_ARG(buf_str(&b)));
            buf_fini(&b);
            return i;
        }
        i += 2;
        escaped = i;
    }
    url_after(c, (str){s.ptr, escaped});
    if (i < s.len) {
        c->state = HTML_CSS;
        return i + 1;
    }
    url_after(c, html_rest(s, escaped));
    return s.len;
}
