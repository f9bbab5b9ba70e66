/* template_html_funcs.c -- texts made safe for HTML, names, URLs and lists of images. */
#include "rules/template_html_funcs.h"

#include <string.h>
#include <strings.h>

#include "base/utf8.h"
#include "rules/template_exec.h"
#include "rules/template_format.h"
#include "rules/template_html_context.h"

#define FUNC(name)                                                                                 \
    static err name(struct template_call *c, const struct template_value *args, size_t count,      \
                    struct template_value *out)

err html_shown(struct template_call *c, const struct template_value *args, size_t count,
               struct html_shown *out)
{
    *out = (struct html_shown){.type = &TEMPLATE_STRING, .s = STR("")};
    err e = OK;
    if (count == 1 && args[0].type != NULL && args[0].type->kind == TEMPLATE_KIND_STRING &&
        args[0].type->text == NULL) {
        out->s = args[0].s;
        out->type = args[0].type;
    } else {
        struct template_value *some = ARENA_ARRAY(c->arena, struct template_value, count + 1);
        size_t n = 0;
        for (size_t i = 0; i < count && some != NULL; i++)
            if (args[i].type != NULL)
                some[n++] = template_pointee(&args[i]);
        e = some != NULL ? template_sprint(some, n, false, call_room(c), &out->own) : ERR_LIMIT;
        out->s = out->own.len > 0 ? buf_str(&out->own) : STR("");
    }
    if (e == OK && out->s.len > call_room(c) / HTML_GROWTH_MAX)
        e = ERR_LIMIT;
    if (e != OK)
        buf_fini(&out->own);
    return e == ERR_LIMIT
               ? diag_set(c->diag, e, "the text would exceed %zu bytes", c->arena->budget_bytes)
               : e;
}

/* ---- text and attributes ---- */

enum {
    KEEP_ENTITIES = 1, /* '&' stays */
    UNQUOTED = 2,      /* blanks and the like are escaped, too */
};

static const char *entity(char c, unsigned flags)
{
    switch (c) {
    case '\0':
        return flags & UNQUOTED ? "&#xfffd;" : "\xef\xbf\xbd";
    case '"':
        return "&#34;";
    case '\'':
        return "&#39;";
    case '+':
        return "&#43;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '&':
        return flags & KEEP_ENTITIES ? NULL : "&amp;";
    default:
        return NULL;
    }
}

static void put_entity(struct buf *out, str one, uint32_t rune, unsigned flags)
{
    const char *text = one.len == 1 ? entity(one.ptr[0], flags) : NULL;
    bool odd = (rune >= 0xfdd0 && rune <= 0xfdef) || (rune >= 0xfff0 && rune <= 0xffff);
    if (text != NULL)
        buf_put_str(out, str_from(text));
    else if ((flags & UNQUOTED) && one.len == 1 && memchr("\t\n\v\f\r =`", one.ptr[0], 8) != NULL)
        buf_printf(out, "&#%d;", one.ptr[0]);
    else if ((flags & UNQUOTED) && odd)
        buf_printf(out, "&#x%x;", rune);
    else
        buf_put_str(out, one);
}

static void put_escaped(struct buf *out, str s, unsigned flags)
{
    while (s.len > 0) {
        unsigned size;
        uint32_t rune = utf8_decode(s, &size);
        put_entity(out, (str){s.ptr, size}, rune, flags);
        s = html_rest(s, size);
    }
}

/* An attribute: of trusted HTML its text, whose entities stay. */
static err attribute(struct template_call *c, struct html_shown *v, unsigned flags,
                     struct template_value *out)
{
    struct buf plain = {0}, b = {0};
    bool trusted = v->type == &TEMPLATE_HTML;
    if (trusted)
        html_strip_tags(v->s, &plain);
    put_escaped(&b, trusted ? buf_str(&plain) : v->s, flags | (trusted ? KEEP_ENTITIES : 0));
    buf_fini(&plain);
    buf_fini(&v->own);
    return call_text(c, &b, OK, out);
}

FUNC(attr_escape)
{
    struct html_shown v;
    TRY(html_shown(c, args, count, &v));
    return attribute(c, &v, 0, out);
}

FUNC(nospace_escape)
{
    struct html_shown v;
    TRY(html_shown(c, args, count, &v));
    if (v.s.len > 0)
        return attribute(c, &v, UNQUOTED, out);
    buf_fini(&v.own);
    *out = template_string(STR(HTML_FAILSAFE));
    return OK;
}

FUNC(rcdata_escape)
{
    struct html_shown v;
    struct buf b = {0};
    TRY(html_shown(c, args, count, &v));
    put_escaped(&b, v.s, v.type == &TEMPLATE_HTML ? KEEP_ENTITIES : 0);
    buf_fini(&v.own);
    return call_text(c, &b, OK, out);
}

FUNC(html_escape)
{
    struct html_shown v;
    struct buf b = {0};
    TRY(html_shown(c, args, count, &v));
    if (v.type == &TEMPLATE_HTML)
        buf_put_str(&b, v.s);
    else
        put_escaped(&b, v.s, 0);
    buf_fini(&v.own);
    return call_text(c, &b, OK, out);
}

static bool is_plain_name(str name)
{
    if (name.len == 0 || html_attr_type(name) != HTML_VALUE_PLAIN)
        return false;
    for (size_t i = 0; i < name.len; i++)
        if (!(name.ptr[i] >= '0' && name.ptr[i] <= '9') &&
            !(name.ptr[i] >= 'a' && name.ptr[i] <= 'z'))
            return false;
    return true;
}

/* Part of the name of a tag or attribute. */
FUNC(name_filter)
{
    struct html_shown v;
    struct buf b = {0};
    TRY(html_shown(c, args, count, &v));
    html_lower(v.s, &b);
    buf_fini(&v.own);
    if (!is_plain_name(buf_str(&b))) {
        buf_reset(&b);
        buf_put_str(&b, STR(HTML_FAILSAFE));
    }
    return call_text(c, &b, OK, out);
}

FUNC(comment_escape)
{
    (void)c, (void)args, (void)count;
    *out = template_string(STR(""));
    return OK;
}

/* ---- URLs ---- */

/* Relative, or of a scheme that at worst shows another page. */
static bool is_safe_url(str s)
{
    size_t colon = html_find_any(s, ":");
    str scheme = {s.ptr, colon};
    if (colon == s.len || html_find_any(scheme, "/") < scheme.len)
        return true;
    static const char *const SAFE[] = {"http", "https", "mailto"};
    for (size_t i = 0; i < COUNT_OF(SAFE); i++)
        if (scheme.len == strlen(SAFE[i]) && strncasecmp(scheme.ptr, SAFE[i], scheme.len) == 0)
            return true;
    return false;
}

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool is_url_byte(str s, size_t i, bool normalize)
{
    char c = s.ptr[i];
    if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
        memchr("-._~", c, 4) != NULL)
        return true;
    if (!normalize)
        return false;
    if (c == '%')
        return i + 2 < s.len && is_hex(s.ptr[i + 1]) && is_hex(s.ptr[i + 2]);
    return memchr("!#$&*+,/:;=?@[]", c, 15) != NULL;
}

static void put_url(struct buf *out, str s, bool normalize)
{
    for (size_t i = 0; i < s.len; i++) {
        if (is_url_byte(s, i, normalize))
            buf_put_u8(out, (uint8_t)s.ptr[i]);
        else
            buf_printf(out, "%%%02x", (unsigned char)s.ptr[i]);
    }
}

FUNC(url_filter)
{
    struct html_shown v;
    struct buf b = {0};
    TRY(html_shown(c, args, count, &v));
    bool safe = v.type == &TEMPLATE_URL || is_safe_url(v.s);
    buf_put_str(&b, safe ? v.s : STR("#" HTML_FAILSAFE));
    buf_fini(&v.own);
    return call_text(c, &b, OK, out);
}

FUNC(url_escape)
{
    struct html_shown v;
    struct buf b = {0};
    TRY(html_shown(c, args, count, &v));
    put_url(&b, v.s, v.type == &TEMPLATE_URL);
    buf_fini(&v.own);
    return call_text(c, &b, OK, out);
}

FUNC(url_normalize)
{
    struct html_shown v;
    struct buf b = {0};
    TRY(html_shown(c, args, count, &v));
    put_url(&b, v.s, true);
    buf_fini(&v.own);
    return call_text(c, &b, OK, out);
}

static bool is_metadata(str s)
{
    for (size_t i = 0; i < s.len; i++)
        if (memchr(HTML_SPACES, s.ptr[i], 5) == NULL && !(s.ptr[i] >= '0' && s.ptr[i] <= '9') &&
            !(s.ptr[i] >= 'a' && s.ptr[i] <= 'z') && !(s.ptr[i] >= 'A' && s.ptr[i] <= 'Z'))
            return false;
    return true;
}

/* One image of a srcset: blanks, URL, "2x". */
static void put_image(struct buf *out, str s)
{
    size_t start = html_skip(s, HTML_SPACES);
    size_t end = start + html_find_any(html_rest(s, start), HTML_SPACES);
    str url = {s.ptr + start, end - start}, metadata = html_rest(s, end);
    if (!is_safe_url(url) || !is_metadata(metadata)) {
        buf_put_str(out, STR("#" HTML_FAILSAFE));
        return;
    }
    buf_put(out, s.ptr, start);
    put_url(out, url, true);
    buf_put_str(out, metadata);
}

/* A trusted URL is one image: its commas do not part. */
static void put_one_image(struct buf *out, str s)
{
    struct buf url = {0};
    put_url(&url, s, true);
    for (size_t i = 0; i < url.len; i++) {
        if (url.ptr[i] == ',')
            buf_put_str(out, STR("%2c"));
        else
            buf_put_u8(out, url.ptr[i]);
    }
    buf_fini(&url);
}

FUNC(srcset_escape)
{
    struct html_shown v;
    struct buf b = {0};
    TRY(html_shown(c, args, count, &v));
    if (v.type == &TEMPLATE_URL) {
        put_one_image(&b, v.s);
    } else {
        for (str s = v.s;;) {
            size_t comma = html_find_any(s, ",");
            put_image(&b, (str){s.ptr, comma});
            if (comma == s.len)
                break;
            buf_put_u8(&b, ',');
            s = html_rest(s, comma + 1);
        }
    }
    buf_fini(&v.own);
    return call_text(c, &b, OK, out);
}

/* The arguments of "html" or "urlquery", which another function makes safe. */
FUNC(eval_args)
{
    struct buf b = {0};
    if (count == 1 && args[0].type == &TEMPLATE_STRING) {
        *out = args[0];
        return OK;
    }
    return call_text(c, &b, template_sprint(args, count, false, call_room(c), &b), out);
}

const struct template_func *template_html_func(str name)
{
#define ANY &TEMPLATE_ANY
    static const struct template_func FUNCS[] = {
        {"_eval_args_", eval_args, {ANY}, true},
        {"_html_template_attrescaper", attr_escape, {ANY}, true},
        {"_html_template_commentescaper", comment_escape, {ANY}, true},
        {"_html_template_cssescaper", html_css_escape, {ANY}, true},
        {"_html_template_cssvaluefilter", html_css_filter, {ANY}, true},
        {"_html_template_htmlescaper", html_escape, {ANY}, true},
        {"_html_template_htmlnamefilter", name_filter, {ANY}, true},
        {"_html_template_jsregexpescaper", html_js_regexp, {ANY}, true},
        {"_html_template_jsstrescaper", html_js_string, {ANY}, true},
        {"_html_template_jstmpllitescaper", html_js_template, {ANY}, true},
        {"_html_template_jsvalescaper", html_js_value, {ANY}, true},
        {"_html_template_nospaceescaper", nospace_escape, {ANY}, true},
        {"_html_template_rcdataescaper", rcdata_escape, {ANY}, true},
        {"_html_template_srcsetescaper", srcset_escape, {ANY}, true},
        {"_html_template_urlescaper", url_escape, {ANY}, true},
        {"_html_template_urlfilter", url_filter, {ANY}, true},
        {"_html_template_urlnormalizer", url_normalize, {ANY}, true},
    };
    static const struct template_funcs ALL = {FUNCS, COUNT_OF(FUNCS), NULL};
    return name.len > 0 && name.ptr[0] == '_' ? template_func_find(&ALL, name) : NULL;
}
