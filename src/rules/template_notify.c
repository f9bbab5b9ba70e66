/* template_notify.c -- see template_notify.h. */
#include "rules/template_notify.h"

#include <string.h>

#include "base/clock.h"
#include "base/unicode.h"
#include "base/utf8.h"
#include "base/zone.h"
#include "rules/template_exec.h"
#include "rules/template_format.h"
#include "rules/template_strings.h"
#include "rules/template_time.h"

#define FUNC(name)                                                                                 \
    static err name(struct template_call *c, const struct template_value *args, size_t count,      \
                    struct template_value *out)

static err too_long(struct template_call *c)
{
    return diag_set(c->diag, ERR_LIMIT, "text too long");
}

/* May this rune stand inside a word, between letters? (Unicode's MidLetter and MidNumLet, as far as
 * they are ASCII or common quotation marks.) */
static bool joins_letters(uint32_t rune)
{
    return rune == '\'' || rune == '.' || rune == ':' || rune == 0xb7 || rune == 0x2018 ||
           rune == 0x2019;
}

static bool is_word(uint32_t rune)
{
    return unicode_is_letter(rune) || unicode_is_digit(rune) || rune == '_';
}

static uint32_t rune_after(str s, unsigned size)
{
    unsigned next;
    return s.len > size ? utf8_decode((str){s.ptr + size, s.len - size}, &next) : 0;
}

/* Words begin in title case and go on in lower case, as x/text/cases.Title for English. */
FUNC(fn_title)
{
    struct buf b = {0};
    str s = args[0].s;
    bool in_word = false, titled = false;
    (void)count;
    if (s.len > call_room(c) / 3)
        return too_long(c);
    while (s.len > 0) {
        unsigned size;
        uint32_t rune = utf8_decode(s, &size);
        bool letter = unicode_is_letter(rune);
        if (letter)
            utf8_append(&b, titled ? unicode_lower(rune) : unicode_title(rune));
        else
            utf8_append(&b, rune);
        bool joins = in_word && joins_letters(rune) && is_word(rune_after(s, size));
        in_word = is_word(rune) || joins;
        titled = in_word && (titled || letter);
        s = (str){s.ptr + size, s.len - size};
    }
    return call_text(c, &b, OK, out);
}

FUNC(fn_trim_space)
{
    str s = args[0].s;
    unsigned size;
    (void)c, (void)count;
    while (s.len > 0 && unicode_is_space(utf8_decode(s, &size)))
        s = (str){s.ptr + size, s.len - size};
    for (size_t end = s.len; end > 0; end = s.len) {
        size_t start = end - 1;
        while (start > 0 && end - start < 4 && (s.ptr[start] & 0xc0) == 0x80)
            start--;
        uint32_t rune = utf8_decode((str){s.ptr + start, end - start}, &size);
        if (!unicode_is_space(rune))
            break;
        s.len = start;
    }
    *out = template_string(s);
    return OK;
}

FUNC(fn_join)
{
    struct buf b = {0};
    size_t room = call_room(c);
    (void)count;
    for (size_t i = 0; i < args[1].list.count; i++) {
        str s = args[1].list.items[i].s;
        if (b.len + s.len + args[0].s.len > room) {
            buf_fini(&b);
            return too_long(c);
        }
        if (i > 0)
            buf_put_str(&b, args[0].s);
        buf_put_str(&b, s);
    }
    return call_text(c, &b, OK, out);
}

FUNC(fn_safe_url)
{
    (void)c, (void)count;
    *out = (struct template_value){.type = &TEMPLATE_URL, .s = args[0].s};
    return OK;
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    char lower = (char)(c | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

FUNC(fn_url_unescape)
{
    struct buf b = {0};
    str s = args[0].s;
    (void)count;
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] != '%') {
            buf_put_u8(&b, (uint8_t)(s.ptr[i] == '+' ? ' ' : s.ptr[i]));
            continue;
        }
        int hi = i + 2 < s.len ? hex_value(s.ptr[i + 1]) : -1;
        int lo = i + 2 < s.len ? hex_value(s.ptr[i + 2]) : -1;
        if (hi < 0 || lo < 0) {
            struct buf bad = {0};
            utf8_quote(&bad, (str){s.ptr + i, MIN(s.len - i, 3)});
            err e = diag_set(c->diag, ERR_INVALID, "invalid URL escape " STR_FMT,
                             STR_ARG(buf_str(&bad)));
            buf_fini(&bad);
            buf_fini(&b);
            return e;
        }
        buf_put_u8(&b, (uint8_t)(hi << 4 | lo));
        i += 2;
    }
    return call_text(c, &b, OK, out);
}

static err copy_values(struct template_call *c, const struct template_value *values, size_t count,
                       bool boxed, struct template_value **out)
{
    *out = ARENA_ARRAY(c->arena, struct template_value, count + 1);
    if (*out == NULL)
        return ERR_LIMIT;
    for (size_t i = 0; i < count; i++) {
        (*out)[i] = values[i];
        (*out)[i].boxed = boxed;
    }
    return OK;
}

FUNC(fn_string_slice)
{
    struct template_value *items;
    TRY(copy_values(c, args, count, false, &items));
    *out = template_list(&TEMPLATE_STRINGS, items, count);
    return OK;
}

FUNC(fn_list)
{
    struct template_value *items;
    TRY(copy_values(c, args, count, true, &items));
    *out = template_list(&TEMPLATE_ANY_LIST, items, count);
    return OK;
}

FUNC(fn_append)
{
    size_t before = args[0].list.count;
    struct template_value *items = ARENA_ARRAY(c->arena, struct template_value, before + count);
    if (items == NULL)
        return ERR_LIMIT;
    for (size_t i = 0; i < before; i++)
        items[i] = args[0].list.items[i];
    for (size_t i = 1; i < count; i++)
        items[before + i - 1] = template_boxed(args[i]);
    *out = template_list(&TEMPLATE_ANY_LIST, items, before + count - 1);
    return OK;
}

/* Keys and values in turn; a key that comes again replaces the value before. */
FUNC(fn_dict)
{
    if (count % 2 != 0)
        return diag_set(c->diag, ERR_INVALID, "dict requires an even number of arguments");
    struct template_entry *entries = ARENA_ARRAY(c->arena, struct template_entry, count / 2 + 1);
    size_t n = 0;
    if (entries == NULL)
        return ERR_LIMIT;
    for (size_t i = 0; i < count; i += 2) {
        if (args[i].type != &TEMPLATE_STRING)
            return diag_set(c->diag, ERR_INVALID, "dict keys must be strings");
        size_t at = 0;
        while (at < n && !str_eq(entries[at].key, args[i].s))
            at++;
        n += at == n;
        entries[at] = (struct template_entry){args[i].s, template_boxed(args[i + 1])};
    }
    template_entries_sort(entries, n);
    *out = template_map(&TEMPLATE_ANY_MAP, entries, n);
    return OK;
}

FUNC(fn_date)
{
    struct buf b = {0};
    (void)count;
    if (args[0].s.len > call_room(c) / 16)
        return too_long(c);
    template_time_format(*args[1].time, args[0].s, &b);
    return call_text(c, &b, OK, out);
}

FUNC(fn_must_to_date)
{
    struct template_time t;
    (void)count;
    if (args[0].s.len > call_room(c) / 16 || args[1].s.len > call_room(c) / 16)
        return too_long(c);
    TRY(template_time_parse(args[0].s, args[1].s, c->arena, &t, c->diag));
    return template_time_value(&TEMPLATE_TIME, t, c->arena, out);
}

/* Of a text that is no date, Go's zero time. */
FUNC(fn_to_date)
{
    static const int64_t ZERO_MS = INT64_C(-62135596800000);
    err e = fn_must_to_date(c, args, count, out);
    return e == ERR_INVALID
               ? template_time_value(&TEMPLATE_TIME, template_time_ms(ZERO_MS), c->arena, out)
               : e;
}

FUNC(fn_tz)
{
    const struct zone *zone;
    struct template_time t = *args[1].time;
    struct diag d = {0};
    (void)count;
    err e = zone_find(args[0].s, &zone, &d);
    if (e != OK)
        return diag_set(c->diag, ERR_INVALID, "unknown time zone " STR_FMT, STR_ARG(args[0].s));
    t.offset_sec = zone_offset(zone, t.sec * 1000, &t.zone);
    t.location = args[0].s.len == 0 || str_eq(args[0].s, STR("UTC")) ? NULL : zone;
    return template_time_value(&TEMPLATE_TIME, t, c->arena, out);
}

FUNC(fn_now)
{
    (void)args, (void)count;
    return template_time_value(&TEMPLATE_TIME, template_time_ms(clock_wall_ms()), c->arena, out);
}

FUNC(fn_since)
{
    (void)c, (void)count;
    int64_t now_ms = clock_wall_ms(), ns;
    const struct template_time *t = args[0].time;
    if (__builtin_sub_overflow(now_ms / 1000, t->sec, &ns) ||
        __builtin_mul_overflow(ns, INT64_C(1000000000), &ns) ||
        __builtin_add_overflow(ns, now_ms % 1000 * 1000000 - t->nsec, &ns))
        ns = t->sec > now_ms / 1000 ? INT64_MIN : INT64_MAX; /* as Go: the longest there is */
    *out = (struct template_value){.type = &TEMPLATE_DURATION, .i = ns};
    return OK;
}

FUNC(fn_to_json)
{
    struct buf b = {0};
    (void)count;
    return call_text(c, &b, template_json(&args[0], call_room(c), &b, c->diag), out);
}

static const char BASE64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

FUNC(fn_base64_encode)
{
    struct buf b = {0};
    str s = args[0].s;
    (void)count;
    if (s.len > call_room(c) / 2)
        return too_long(c);
    for (size_t i = 0; i < s.len; i += 3) {
        size_t n = MIN(s.len - i, 3);
        uint32_t v = (uint32_t)(unsigned char)s.ptr[i] << 16;
        v |= n > 1 ? (uint32_t)(unsigned char)s.ptr[i + 1] << 8 : 0;
        v |= n > 2 ? (uint32_t)(unsigned char)s.ptr[i + 2] : 0;
        buf_put_u8(&b, (uint8_t)BASE64[v >> 18]);
        buf_put_u8(&b, (uint8_t)BASE64[v >> 12 & 63]);
        buf_put_u8(&b, (uint8_t)(n > 1 ? BASE64[v >> 6 & 63] : '='));
        buf_put_u8(&b, (uint8_t)(n > 2 ? BASE64[v & 63] : '='));
    }
    return call_text(c, &b, OK, out);
}

/* Bytes of a text in base64, up to the first that does not belong: its place goes to `bad`. */
static bool decode_base64(str s, struct buf *out, size_t *bad)
{
    uint32_t bits = 0;
    size_t digits = 0, i = 0;
    for (; i < s.len && s.ptr[i] != '='; i++) {
        const char *at = s.ptr[i] != '\0' ? strchr(BASE64, s.ptr[i]) : NULL;
        if (s.ptr[i] == '\n' || s.ptr[i] == '\r')
            continue;
        *bad = i;
        if (at == NULL)
            return false;
        bits = bits << 6 | (uint32_t)(at - BASE64);
        if (digits++ % 4 == 0)
            continue;
        unsigned kept = (unsigned)(6 - 2 * ((digits - 1) % 4)); /* bits of the next byte: 4, 2, 0 */
        buf_put_u8(out, (uint8_t)(bits >> kept & 0xff));
    }
    size_t padding = 0;
    for (*bad = i; i < s.len && (s.ptr[i] == '=' || s.ptr[i] == '\n' || s.ptr[i] == '\r'); i++)
        padding += s.ptr[i] == '=';
    return i == s.len && digits % 4 != 1 && padding == (4 - digits % 4) % 4;
}

FUNC(fn_base64_decode)
{
    struct buf b = {0};
    size_t bad = 0;
    (void)count;
    if (decode_base64(args[0].s, &b, &bad))
        return call_text(c, &b, OK, out);
    buf_fini(&b);
    return diag_set(c->diag, ERR_INVALID, "illegal base64 data at input byte %zu", bad);
}

#define STRING &TEMPLATE_STRING
#define ANY    &TEMPLATE_ANY
#define TIME   &TEMPLATE_TIME

static const struct template_func FUNCS[] = {
    {"append", fn_append, {&TEMPLATE_ANY_LIST, ANY}, true},
    {"base64decode", fn_base64_decode, {STRING}, false},
    {"base64encode", fn_base64_encode, {STRING}, false},
    {"date", fn_date, {STRING, TIME}, false},
    {"dict", fn_dict, {ANY}, true},
    {"humanizeDuration", template_humanize_duration, {ANY}, false},
    {"join", fn_join, {STRING, &TEMPLATE_STRINGS}, false},
    {"list", fn_list, {ANY}, true},
    {"mustToDate", fn_must_to_date, {STRING, STRING}, false},
    {"now", fn_now, {NULL}, false},
    {"safeUrl", fn_safe_url, {STRING}, false},
    {"since", fn_since, {TIME}, false},
    {"stringSlice", fn_string_slice, {STRING}, true},
    {"title", fn_title, {STRING}, false},
    {"toDate", fn_to_date, {STRING, STRING}, false},
    {"toJson", fn_to_json, {ANY}, false},
    {"trimSpace", fn_trim_space, {STRING}, false},
    {"tz", fn_tz, {STRING, TIME}, false},
    {"urlUnescape", fn_url_unescape, {STRING}, false},
};

const struct template_funcs TEMPLATE_NOTIFY_FUNCS = {FUNCS, COUNT_OF(FUNCS),
                                                     &TEMPLATE_STRING_FUNCS};
