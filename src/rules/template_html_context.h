/* template_html_context.h -- where in a page of HTML a template's text has come to: what an HTML
 * parser has seen so far, as much of it as decides how to escape what comes next. */
#ifndef RULES_TEMPLATE_HTML_CONTEXT_H
#define RULES_TEMPLATE_HTML_CONTEXT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"

enum html_state {
    HTML_TEXT,
    HTML_TAG,          /* before an attribute or the end of a tag */
    HTML_ATTR_NAME,    /* within a name */
    HTML_AFTER_NAME,   /* behind it, before '=' */
    HTML_BEFORE_VALUE, /* behind '=' */
    HTML_COMMENT,
    HTML_RCDATA, /* within <textarea> or <title> */
    HTML_ATTR,   /* a value that is text */
    HTML_URL,
    HTML_SRCSET,
    HTML_JS, /* within <script> or a handler's value */
    HTML_JS_DOUBLE,
    HTML_JS_SINGLE,
    HTML_JS_TEMPLATE, /* `...` */
    HTML_JS_REGEXP,
    HTML_JS_BLOCK_COMMENT,
    HTML_JS_LINE_COMMENT,
    HTML_JS_OPEN_COMMENT,  /* <!-- in a script: to the end of the line */
    HTML_JS_CLOSE_COMMENT, /* --> in a script: the same */
    HTML_CSS,
    HTML_CSS_DOUBLE,
    HTML_CSS_SINGLE,
    HTML_CSS_DOUBLE_URL, /* url("...") */
    HTML_CSS_SINGLE_URL,
    HTML_CSS_URL, /* url(...) */
    HTML_CSS_BLOCK_COMMENT,
    HTML_CSS_LINE_COMMENT,
    HTML_ERROR,
    HTML_META, /* the value of a <meta>'s content */
    HTML_META_URL,
    HTML_DEAD, /* behind {{break}} and {{continue}} */
};

enum html_delim { /* what ends the value of an attribute */
                  HTML_DELIM_NONE,
                  HTML_DELIM_DOUBLE,
                  HTML_DELIM_SINGLE,
                  HTML_DELIM_SPACE, /* or the tag's end */
};

enum html_url_part { HTML_URL_START, HTML_URL_PATH, HTML_URL_QUERY, HTML_URL_UNKNOWN };

enum html_slash { HTML_SLASH_REGEXP, HTML_SLASH_DIVISION, HTML_SLASH_UNKNOWN };

enum html_element {
    HTML_ELEMENT_NONE,
    HTML_ELEMENT_SCRIPT,
    HTML_ELEMENT_STYLE,
    HTML_ELEMENT_TEXTAREA,
    HTML_ELEMENT_TITLE,
    HTML_ELEMENT_META,
};

enum html_attr {
    HTML_ATTR_PLAIN,
    HTML_ATTR_SCRIPT,
    HTML_ATTR_SCRIPT_TYPE,
    HTML_ATTR_STYLE,
    HTML_ATTR_URL,
    HTML_ATTR_SRCSET,
    HTML_ATTR_META,
};

enum {
    HTML_BRACES_MAX = 16,    /* `${ within `${ */
    HTML_NESTING_MAX = 1000, /* actions and templates within each other: C stack */
};

struct html_context { /* zero: the start of a fragment */
    enum html_state state;
    enum html_delim delim;
    enum html_url_part url_part;
    enum html_slash slash; /* what a '/' would begin */
    enum html_attr attr;
    enum html_element element;
    uint32_t brace_count;
    int32_t braces[HTML_BRACES_MAX]; /* open within each `${ */
};

bool html_context_equal(const struct html_context *a, const struct html_context *b);
/* As Go prints it: "{stateURL delimDoubleQuote urlPartNone jsCtxRegexp [] attrNone elementNone
 * <nil>}". */
void html_context_print(const struct html_context *c, struct buf *out);
/* The name of template `name` when it is called from here. */
void html_context_mangle(const struct html_context *c, str name, struct buf *out);
/* Where an action stands when text ended here: before a name or a value that it begins itself. */
struct html_context html_context_nudge(struct html_context c);
/* After a branch: false when its two ends differ. */
bool html_context_join(const struct html_context *a, const struct html_context *b,
                       struct html_context *out);

bool html_is_comment(enum html_state s);
/* A string, template or expression of a script, where "</script" must not stand. */
bool html_is_script_literal(enum html_state s);
/* The state in which the value of an attribute begins. */
enum html_state html_value_state(enum html_attr attr);

/* What a name of an attribute (in lower case) says of its value. */
enum html_value_type {
    HTML_VALUE_PLAIN,
    HTML_VALUE_CSS,
    HTML_VALUE_HTML,
    HTML_VALUE_JS,
    HTML_VALUE_URL,
    HTML_VALUE_SRCSET,
    HTML_VALUE_UNSAFE, /* it changes what the page or a request is */
};
enum html_value_type html_attr_type(str name);
void html_lower(str s, struct buf *out);

/* ---- transitions: `c` moves behind the first bytes of `s` (not empty), whose number is returned.
 * Mistakes make it HTML_ERROR and are told to `d`. template_html_{tags,script,style}.c ---- */

size_t html_next(struct html_context *c, str s, struct diag *d); /* by state */
size_t html_next_js(struct html_context *c, str s, struct diag *d);
size_t html_next_js_string(struct html_context *c, str s, struct diag *d);
size_t html_next_js_template(struct html_context *c, str s, struct diag *d);
size_t html_next_block_comment(struct html_context *c, str s, struct diag *d);
size_t html_next_line_comment(struct html_context *c, str s, struct diag *d);
size_t html_next_css(struct html_context *c, str s, struct diag *d);
size_t html_next_css_string(struct html_context *c, str s, struct diag *d);
size_t html_next_url(struct html_context *c, str s, struct diag *d);
/* The special element's end tag ("</script"), or the length. */
size_t html_special_end(const struct html_context *c, str s);
/* `c` becomes HTML_ERROR; returns the length of `s`. */
size_t html_fail(struct html_context *c, str s, struct diag *d, const char *format, ...)
    PRINTF_LIKE(4, 5);

/* Append `s`, at most `runes_max` characters of it, in Go's quotes. */
void html_quote(str s, size_t runes_max, struct buf *out);

/* Of `s`: the place of the first byte that is in `set` (or is not), or the length. */
size_t html_find_any(str s, const char *set);
size_t html_skip(str s, const char *set);
static inline str html_rest(str s, size_t from)
{
    return (str){s.ptr + from, s.len - from};
}
#define HTML_SPACES " \t\n\f\r"

/* Escapes of CSS undone. */
void html_css_decode(str s, struct buf *out);

/* ---- template_html_text.c ---- */

/* Text of a template: `c` moves behind it, what it prints goes to `out`: without comments, with
 * "&lt;" for a '<' that begins no tag.
 *   ERR_INVALID  `d` says what cannot be understood */
MUST_USE err html_text(struct html_context *c, str text, struct buf *out, struct diag *d);

/* The text within a snippet of HTML, without its tags. */
void html_strip_tags(str html, struct buf *out);

#endif
