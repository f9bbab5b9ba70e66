/* template_html_context.c -- contexts compared, named and joined. */
#include "rules/template_html_context.h"

#include <string.h>

static const char *const STATES[] = {
    [HTML_TEXT] = "stateText",
    [HTML_TAG] = "stateTag",
    [HTML_ATTR_NAME] = "stateAttrName",
    [HTML_AFTER_NAME] = "stateAfterName",
    [HTML_BEFORE_VALUE] = "stateBeforeValue",
    [HTML_COMMENT] = "stateHTMLCmt",
    [HTML_RCDATA] = "stateRCDATA",
    [HTML_ATTR] = "stateAttr",
    [HTML_URL] = "stateURL",
    [HTML_SRCSET] = "stateSrcset",
    [HTML_JS] = "stateJS",
    [HTML_JS_DOUBLE] = "stateJSDqStr",
    [HTML_JS_SINGLE] = "stateJSSqStr",
    [HTML_JS_TEMPLATE] = "stateJSTmplLit",
    [HTML_JS_REGEXP] = "stateJSRegexp",
    [HTML_JS_BLOCK_COMMENT] = "stateJSBlockCmt",
    [HTML_JS_LINE_COMMENT] = "stateJSLineCmt",
    [HTML_JS_OPEN_COMMENT] = "stateJSHTMLOpenCmt",
    [HTML_JS_CLOSE_COMMENT] = "stateJSHTMLCloseCmt",
    [HTML_CSS] = "stateCSS",
    [HTML_CSS_DOUBLE] = "stateCSSDqStr",
    [HTML_CSS_SINGLE] = "stateCSSSqStr",
    [HTML_CSS_DOUBLE_URL] = "stateCSSDqURL",
    [HTML_CSS_SINGLE_URL] = "stateCSSSqURL",
    [HTML_CSS_URL] = "stateCSSURL",
    [HTML_CSS_BLOCK_COMMENT] = "stateCSSBlockCmt",
    [HTML_CSS_LINE_COMMENT] = "stateCSSLineCmt",
    [HTML_ERROR] = "stateError",
    [HTML_META] = "stateMetaContent",
    [HTML_META_URL] = "stateMetaContentURL",
    [HTML_DEAD] = "stateDead",
};
static const char *const DELIMS[] = {"delimNone", "delimDoubleQuote", "delimSingleQuote",
                                     "delimSpaceOrTagEnd"};
static const char *const URL_PARTS[] = {"urlPartNone", "urlPartPreQuery", "urlPartQueryOrFrag",
                                        "urlPartUnknown"};
static const char *const SLASHES[] = {"jsCtxRegexp", "jsCtxDivOp", "jsCtxUnknown"};
static const char *const ATTRS[] = {"attrNone", "attrScript", "attrScriptType", "attrStyle",
                                    "attrURL",  "attrSrcset", "attrMetaContent"};
static const char *const ELEMENTS[] = {"elementNone",     "elementScript", "elementStyle",
                                       "elementTextarea", "elementTitle",  "elementMeta"};

bool html_context_equal(const struct html_context *a, const struct html_context *b)
{
    return a->state == b->state && a->delim == b->delim && a->url_part == b->url_part &&
           a->slash == b->slash && a->attr == b->attr && a->element == b->element &&
           a->brace_count == b->brace_count &&
           memcmp(a->braces, b->braces, a->brace_count * sizeof(a->braces[0])) == 0;
}

static void print_braces(const struct html_context *c, struct buf *out)
{
    buf_put_u8(out, '[');
    for (uint32_t i = 0; i < c->brace_count; i++)
        buf_printf(out, "%s%d", i > 0 ? " " : "", c->braces[i]);
    buf_put_u8(out, ']');
}

void html_context_print(const struct html_context *c, struct buf *out)
{
    buf_printf(out, "{%s %s %s %s ", STATES[c->state], DELIMS[c->delim], URL_PARTS[c->url_part],
               SLASHES[c->slash]);
    print_braces(c, out);
    buf_printf(out, " %s %s <nil>}", ATTRS[c->attr], ELEMENTS[c->element]);
}

void html_context_mangle(const struct html_context *c, str name, struct buf *out)
{
    buf_put_str(out, name);
    if (c->state == HTML_TEXT)
        return;
    buf_printf(out, "$htmltemplate_%s", STATES[c->state]);
    if (c->delim != HTML_DELIM_NONE)
        buf_printf(out, "_%s", DELIMS[c->delim]);
    if (c->url_part != HTML_URL_START)
        buf_printf(out, "_%s", URL_PARTS[c->url_part]);
    if (c->slash != HTML_SLASH_REGEXP)
        buf_printf(out, "_%s", SLASHES[c->slash]);
    if (c->brace_count > 0) {
        buf_put_str(out, STR("_jsBraceDepth("));
        print_braces(c, out);
        buf_put_u8(out, ')');
    }
    if (c->attr != HTML_ATTR_PLAIN)
        buf_printf(out, "_%s", ATTRS[c->attr]);
    if (c->element != HTML_ELEMENT_NONE)
        buf_printf(out, "_%s", ELEMENTS[c->element]);
}

enum html_state html_value_state(enum html_attr attr)
{
    static const enum html_state STARTS[] = {
        [HTML_ATTR_PLAIN] = HTML_ATTR,       [HTML_ATTR_SCRIPT] = HTML_JS,
        [HTML_ATTR_SCRIPT_TYPE] = HTML_ATTR, [HTML_ATTR_STYLE] = HTML_CSS,
        [HTML_ATTR_URL] = HTML_URL,          [HTML_ATTR_SRCSET] = HTML_SRCSET,
        [HTML_ATTR_META] = HTML_META,
    };
    return STARTS[attr];
}

struct html_context html_context_nudge(struct html_context c)
{
    if (c.state == HTML_TAG) {
        c.state = HTML_ATTR_NAME;
    } else if (c.state == HTML_AFTER_NAME) {
        c.state = HTML_ATTR_NAME;
        c.attr = HTML_ATTR_PLAIN;
    } else if (c.state == HTML_BEFORE_VALUE) {
        c.state = html_value_state(c.attr);
        c.delim = HTML_DELIM_SPACE;
        c.attr = HTML_ATTR_PLAIN;
    }
    return c;
}

/* Do the two differ in nothing but the URL's part or what a slash means? */
static bool join_close(const struct html_context *a, const struct html_context *b,
                       struct html_context *out)
{
    *out = *a;
    if (html_context_equal(a, b))
        return true;
    out->url_part = b->url_part;
    if (html_context_equal(out, b)) {
        out->url_part = HTML_URL_UNKNOWN;
        return true;
    }
    *out = *a;
    out->slash = b->slash;
    if (html_context_equal(out, b)) {
        out->slash = HTML_SLASH_UNKNOWN;
        return true;
    }
    return false;
}

bool html_context_join(const struct html_context *a, const struct html_context *b,
                       struct html_context *out)
{
    if (a->state == HTML_DEAD || b->state == HTML_DEAD) {
        *out = a->state == HTML_DEAD ? *b : *a;
        return true;
    }
    if (join_close(a, b, out))
        return true;
    struct html_context c = html_context_nudge(*a), d = html_context_nudge(*b);
    return join_close(&c, &d, out);
}

bool html_is_comment(enum html_state s)
{
    return s == HTML_COMMENT || (s >= HTML_JS_BLOCK_COMMENT && s <= HTML_JS_CLOSE_COMMENT) ||
           s == HTML_CSS_BLOCK_COMMENT || s == HTML_CSS_LINE_COMMENT;
}

bool html_is_script_literal(enum html_state s)
{
    return s >= HTML_JS_DOUBLE && s <= HTML_JS_REGEXP;
}
