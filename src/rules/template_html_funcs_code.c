/* template_html_funcs_code.c -- values made safe for scripts and styles. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/utf8.h"
#include "rules/template_exec.h"
#include "rules/template_format.h"
#include "rules/template_html_context.h"
#include "rules/template_html_funcs.h"
#include "rules/template_notify.h"

/* ---- values of scripts ---- */

static bool is_identifier_byte(char c)
{
    return c == '$' || c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
           (c >= 'A' && c <= 'Z');
}

/* An error's words within a comment that they cannot end. */
static void put_json_error(struct buf *out, const char *words)
{
    buf_put_str(out, STR(" /* "));
    for (str s = str_from(words); s.len > 0; s = html_rest(s, 1)) {
        bool tag = (s.len >= 7 && strncasecmp(s.ptr, "<script", 7) == 0) ||
                   (s.len >= 8 && strncasecmp(s.ptr, "</script", 8) == 0) ||
                   str_starts(s, STR("<!--"));
        if (tag)
            buf_put_str(out, STR("\\x3C"));
        else
            buf_put_u8(out, (uint8_t)s.ptr[0]);
        if (str_starts(s, STR("*/")))
            buf_put_u8(out, ' ');
    }
    buf_put_str(out, STR(" */null "));
}

/* `v` as JSON; texts of values that have one, but for times, whose JSON is their own. */
static err json_of(struct template_call *c, const struct template_value *v, struct buf *out,
                   struct diag *d)
{
    struct buf text = {0};
    if (v->type == NULL) {
        buf_put_str(out, STR("null"));
        return OK;
    }
    if (v->type->text == NULL || v->type->kind == TEMPLATE_KIND_TIME || template_is_nil(v))
        return template_json(v, call_room(c) / HTML_GROWTH_MAX, out, d);
    v->type->text(v, &text);
    struct template_value shown = template_string(buf_str(&text));
    err e = template_json(&shown, call_room(c) / HTML_GROWTH_MAX, out, d);
    buf_fini(&text);
    return e;
}

/* Words and numbers do not run into those beside them. */
static void put_padded(struct buf *out, str json)
{
    bool pad = is_identifier_byte(json.ptr[0]) || is_identifier_byte(json.ptr[json.len - 1]);
    if (pad)
        buf_put_u8(out, ' ');
    buf_put_str(out, json);
    if (pad)
        buf_put_u8(out, ' ');
}

err html_js_value(struct template_call *c, const struct template_value *args, size_t count,
                  struct template_value *out)
{
    struct buf json = {0}, b = {0};
    struct html_shown joined = {0};
    struct diag d = {0};
    struct template_value v = {0};
    if (count == 1) {
        v = args[0];
    } else {
        TRY(html_shown(c, args, count, &joined));
        v = template_string(joined.s);
    }
    err e = json_of(c, &v, &json, &d);
    if (e == OK && json.len > call_room(c) / 2)
        e = ERR_LIMIT;
    if (e == OK)
        put_padded(&b, buf_str(&json));
    else if (e == ERR_INVALID)
        put_json_error(&b, d.text);
    buf_fini(&json);
    buf_fini(&joined.own);
    return call_text(c, &b, e == ERR_INVALID ? OK : e, out);
}

/* ---- strings and expressions of scripts ---- */

static const char STRING_SPECIALS[] = "\"'`&+<>";

/* The escape of an ASCII character, or NULL; `text` has room for it. */
static const char *script_escape(char c, const char *by_code, const char *by_backslash, char *text)
{
    static const char CONTROLS[] = "\t\n\f\r", LETTERS[] = "tnfr";
    unsigned char byte = (unsigned char)c;
    const char *control = byte != 0 ? strchr(CONTROLS, c) : NULL;
    if (control != NULL)
        (void)snprintf(text, 8, "\\%c", LETTERS[control - CONTROLS]);
    else if (byte < ' ' || strchr(by_code, c) != NULL)
        (void)snprintf(text, 8, "\\u%04x", byte);
    else if (strchr(by_backslash, c) != NULL)
        (void)snprintf(text, 8, "\\%c", c);
    else
        return NULL;
    return text;
}

static void put_script(struct buf *out, str s, const char *by_code, const char *by_backslash)
{
    while (s.len > 0) {
        unsigned size;
        char text[8];
        uint32_t rune = utf8_decode(s, &size);
        const char *escape = NULL;
        if (rune < 0x80)
            escape = script_escape(s.ptr[0], by_code, by_backslash, text);
        else if (rune == 0x2028 || rune == 0x2029)
            escape = rune == 0x2028 ? "\\u2028" : "\\u2029";
        if (escape != NULL)
            buf_put_str(out, str_from(escape));
        else
            buf_put(out, s.ptr, size);
        s = html_rest(s, size);
    }
}

err html_js_string(struct template_call *c, const struct template_value *args, size_t count,
                   struct template_value *out)
{
    struct html_shown v;
    struct buf b = {0};
    TRY(html_shown(c, args, count, &v));
    put_script(&b, v.s, STRING_SPECIALS, "/\\");
    buf_fini(&v.own);
    return call_text(c, &b, OK, out);
}

err html_js_template(struct template_call *c, const struct template_value *args, size_t count,
                     struct template_value *out)
{
    struct html_shown v;
    struct buf b = {0};
    TRY(html_shown(c, args, count, &v));
    put_script(&b, v.s, "\"'`&+<>${}", "/\\");
    buf_fini(&v.own);
    return call_text(c, &b, OK, out);
}

err html_js_regexp(struct template_call *c, const struct template_value *args, size_t count,
                   struct template_value *out)
{
    struct html_shown v;
    struct buf b = {0};
    TRY(html_shown(c, args, count, &v));
    put_script(&b, v.s, "\"'&+<>", "$()*-./?[\\]^{|}");
    if (b.len == 0) /* "//" would be a comment */
        buf_put_str(&b, STR("(?:)"));
    buf_fini(&v.own);
    return call_text(c, &b, OK, out);
}

/* ---- styles ---- */

static const char *css_escape(char c, char *text)
{
    if (c == '\\')
        return "\\\\";
    if (c != '\0' && strchr("\t\n\f\r\"&'()+/:;<>{}", c) == NULL)
        return NULL;
    (void)snprintf(text, 8, "\\%x", (unsigned char)c);
    return text;
}

static bool takes_for_digit(str s)
{
    return s.len == 0 || strchr("0123456789abcdefABCDEF\t\n\f\r ", s.ptr[0]) != NULL;
}

err html_css_escape(struct template_call *c, const struct template_value *args, size_t count,
                    struct template_value *out)
{
    struct html_shown v;
    struct buf b = {0};
    TRY(html_shown(c, args, count, &v));
    for (str s = v.s; s.len > 0;) {
        char text[8];
        const char *escape = css_escape(s.ptr[0], text);
        if (escape == NULL) {
            buf_put_u8(&b, (uint8_t)s.ptr[0]);
            s = html_rest(s, 1);
            continue;
        }
        buf_put_str(&b, str_from(escape));
        s = html_rest(s, 1);
        bool next_is_nul = s.len > 0 && s.ptr[0] == '\0';
        if (escape[1] != '\\' && !next_is_nul && takes_for_digit(s))
            buf_put_u8(&b, ' ');
    }
    buf_fini(&v.own);
    return call_text(c, &b, OK, out);
}

/* Quantities, names and colours; nothing that ends a value or runs a script. */
static bool is_safe_css(str s)
{
    struct buf word = {0};
    bool safe = true;
    for (size_t i = 0; i < s.len && safe; i++) {
        char c = s.ptr[i];
        safe = memchr("\0\"'()/;@[\\]`{}<>", c, 16) == NULL;
        if (c == '-')
            safe = i == 0 || s.ptr[i - 1] != '-';
        else if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || c == '_')
            buf_put_u8(&word, (uint8_t)c);
        else if (c >= 'A' && c <= 'Z')
            buf_put_u8(&word, (uint8_t)(c | 0x20));
    }
    str w = word.len > 0 ? buf_str(&word) : STR("");
    safe = safe && memmem(w.ptr, w.len, "expression", 10) == NULL &&
           memmem(w.ptr, w.len, "mozbinding", 10) == NULL;
    buf_fini(&word);
    return safe;
}

err html_css_filter(struct template_call *c, const struct template_value *args, size_t count,
                    struct template_value *out)
{
    struct html_shown v;
    struct buf b = {0};
    TRY(html_shown(c, args, count, &v));
    html_css_decode(v.s, &b);
    if (!is_safe_css(b.len > 0 ? buf_str(&b) : STR(""))) {
        buf_reset(&b);
        buf_put_str(&b, STR(HTML_FAILSAFE));
    }
    buf_fini(&v.own);
    return call_text(c, &b, OK, out);
}
