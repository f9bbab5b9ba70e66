/* print.c -- see print.h. libyaml writes; it is the program yaml.v2's emitter was made from, so
 * that quoting and folding agree. */
#include "config/print.h"

#include <stdio.h>
#include <yaml.h>

#include "base/assert.h"
#include "base/duration.h"
#include "base/number.h"
#include "base/utf8.h"

struct yaml_out {
    yaml_emitter_t emitter;
    bool reveal; /* secrets as they are: for digests, never for eyes */
};

static int write_out(void *arg, unsigned char *bytes, size_t size)
{
    buf_put(arg, bytes, size);
    return 1;
}

/* Fails only when memory is short or the order of events is wrong; the document then ends early. */
static void emit(struct yaml_out *o, yaml_event_t *ev, int made)
{
    if (made != 0)
        (void)yaml_emitter_emit(&o->emitter, ev);
}

static void put_scalar(struct yaml_out *o, str text, yaml_scalar_style_t style)
{
    yaml_event_t ev;
    yaml_char_t empty[] = "";
    const void *bytes = text.len > 0 ? (const void *)text.ptr : empty;
    emit(o, &ev,
         yaml_scalar_event_initialize(&ev, NULL, NULL, (const yaml_char_t *)bytes, (int)text.len, 1,
                                      1, style));
}

void print_map_begin(struct yaml_out *o)
{
    yaml_event_t ev;
    emit(o, &ev, yaml_mapping_start_event_initialize(&ev, NULL, NULL, 1, YAML_BLOCK_MAPPING_STYLE));
}

void print_map_end(struct yaml_out *o)
{
    yaml_event_t ev;
    emit(o, &ev, yaml_mapping_end_event_initialize(&ev));
}

static void list_begin(struct yaml_out *o, yaml_sequence_style_t style)
{
    yaml_event_t ev;
    emit(o, &ev, yaml_sequence_start_event_initialize(&ev, NULL, NULL, 1, style));
}

void print_list_begin(struct yaml_out *o)
{
    list_begin(o, YAML_BLOCK_SEQUENCE_STYLE);
}

void print_flow_list_begin(struct yaml_out *o)
{
    list_begin(o, YAML_FLOW_SEQUENCE_STYLE);
}

void print_list_end(struct yaml_out *o)
{
    yaml_event_t ev;
    emit(o, &ev, yaml_sequence_end_event_initialize(&ev));
}

/* ---- Scalars ---- */

static bool is_word(str s)
{
    static const char *const WORDS[] = {
        "y",    "Y",    "yes",  "Yes", "YES",   "true",  "True",  "TRUE",  "on",    "On",
        "ON",   "n",    "N",    "no",  "No",    "NO",    "false", "False", "FALSE", "off",
        "Off",  "OFF",  "",     "~",   "null",  "Null",  "NULL",  ".nan",  ".NaN",  ".NAN",
        ".inf", ".Inf", ".INF", "<<",  "+.inf", "+.Inf", "+.INF", "-.inf", "-.Inf", "-.INF"};
    for (size_t i = 0; i < COUNT_OF(WORDS); i++)
        if (str_eq(s, str_from(WORDS[i])))
            return true;
    return false;
}

/* Would YAML 1.1 read it as a number, a base 60 number or a date? Digits with these marks only;
 * text quoted once too often reads back the same. */
static bool looks_like_number(str s)
{
    double v;
    size_t digits = 0, colons = 0, dashes = 0, others = 0;
    if (s.len == 0 || strchr("+-.0123456789", s.ptr[0]) == NULL)
        return false;
    if ((s.ptr[0] != '+' && s.ptr[0] != '-') || s.len > 1)
        if (number_parse_f64(s, true, &v) == OK)
            return true;
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        digits += c >= '0' && c <= '9';
        colons += c == ':';
        dashes += c == '-' && i > 0;
        others += (c < '0' || c > '9') && strchr(":-+._TtZz ", c) == NULL;
    }
    bool base60 = colons > 0 && dashes == 0 && others == 0 && digits > 1;
    bool date = dashes == 2 && others == 0 && digits >= 6 && s.ptr[0] >= '0' && s.ptr[0] <= '9';
    bool integer = s.len > 2 && (s.ptr[0] == '0') && strchr("xob", s.ptr[1] | 0x20) != NULL &&
                   number_parse_f64((str){s.ptr + 2, s.len - 2}, true, &v) == OK;
    return base60 || date || integer;
}

void print_text(struct yaml_out *o, str text)
{
    yaml_scalar_style_t style = YAML_PLAIN_SCALAR_STYLE;
    if (!utf8_valid(text)) { /* cannot come from a YAML file */
        struct buf quoted = {0};
        utf8_quote(&quoted, text);
        put_scalar(o, buf_str(&quoted), YAML_SINGLE_QUOTED_SCALAR_STYLE);
        buf_fini(&quoted);
        return;
    }
    if (text.len > 0 && memchr(text.ptr, '\n', text.len) != NULL)
        style = YAML_LITERAL_SCALAR_STYLE;
    else if (is_word(text) || looks_like_number(text))
        style = YAML_DOUBLE_QUOTED_SCALAR_STYLE;
    put_scalar(o, text, style);
}

void print_plain(struct yaml_out *o, const char *text)
{
    put_scalar(o, str_from(text), YAML_PLAIN_SCALAR_STYLE);
}

void print_int(struct yaml_out *o, int64_t v)
{
    char text[24];
    (void)snprintf(text, sizeof(text), "%lld", (long long)v);
    print_plain(o, text);
}

void print_duration(struct yaml_out *o, int64_t ms)
{
    char text[DURATION_SIZE_MAX];
    print_text(o, (str){text, duration_format(ms, text)});
}

size_t print_bytes_text(uint64_t v, char *out, size_t size)
{
    static const char *const UNITS[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    size_t used = 0;
    if (v == 0)
        return (size_t)snprintf(out, size, "0B");
    for (unsigned i = COUNT_OF(UNITS); i-- > 0 && used < size;) {
        uint64_t part = v >> (10 * i);
        if (part == 0)
            continue;
        used +=
            (size_t)snprintf(out + used, size - used, "%llu%s", (unsigned long long)part, UNITS[i]);
        v -= part << (10 * i);
    }
    return MIN(used, size - 1);
}

void print_redacted_url(str url, struct buf *out)
{
    const char *end = url.ptr + url.len, *p = url.ptr;
    while (p + 2 < end && !(p[0] == ':' && p[1] == '/' && p[2] == '/'))
        p++;
    const char *user = p + 2 < end ? p + 3 : end, *stop = user, *at = NULL, *colon = NULL;
    while (stop < end && strchr("/?#", *stop) == NULL)
        stop++;
    for (const char *q = user; q < stop; q++)
        if (*q == '@')
            at = q;
    for (const char *q = user; at != NULL && q < at && colon == NULL; q++)
        if (*q == ':')
            colon = q;
    if (colon == NULL) {
        buf_put_str(out, url);
        return;
    }
    buf_put(out, url.ptr, (size_t)(colon - url.ptr) + 1);
    buf_put_str(out, STR("xxxxx"));
    buf_put(out, at, (size_t)(end - at));
}

void print_texts(struct yaml_out *o, struct texts list)
{
    print_list_begin(o);
    for (size_t i = 0; i < list.count; i++)
        print_text(o, list.items[i]);
    print_list_end(o);
}

void print_secrets(struct yaml_out *o, struct texts list)
{
    print_list_begin(o);
    for (size_t i = 0; i < list.count; i++)
        print_text(o, o->reveal ? list.items[i] : STR("<secret>"));
    print_list_end(o);
}

/* ---- Structs ---- */

/* Go prints maps in the order of their keys. */
void print_pairs(struct yaml_out *o, const struct pairs *pairs)
{
    str last = {NULL, 0};
    print_map_begin(o);
    for (size_t done = 0; done < pairs->count; done++) {
        const struct pair *next = NULL;
        for (size_t i = 0; i < pairs->count; i++) {
            const struct pair *p = &pairs->items[i];
            if (last.ptr != NULL && str_cmp(p->name, last) <= 0)
                continue;
            if (next == NULL || str_cmp(p->name, next->name) < 0)
                next = p;
        }
        if (next == NULL)
            break;
        print_text(o, next->name);
        print_text(o, next->value);
        last = next->name;
    }
    print_map_end(o);
}

static void put_struct(struct yaml_out *o, const struct decode_schema *schema, const void *s)
{
    print_map_begin(o);
    print_fields(o, schema, s);
    print_map_end(o);
}

static void put_structs(struct yaml_out *o, const struct decode_schema *schema,
                        const struct structs *list)
{
    print_list_begin(o);
    for (size_t i = 0; i < list->count; i++)
        put_struct(o, schema, (const uint8_t *)list->items + i * schema->size);
    print_list_end(o);
}

static void put_number(struct yaml_out *o, double v)
{
    char text[NUMBER_SIZE_MAX + 1];
    text[number_format_g(v, text)] = '\0';
    print_plain(o, text);
}

static void put_url(struct yaml_out *o, str url)
{
    struct buf shown = {0};
    if (o->reveal)
        buf_put_str(&shown, url);
    else
        print_redacted_url(url, &shown);
    print_text(o, buf_str(&shown));
    buf_fini(&shown);
}

static void put_flow(struct yaml_out *o, const struct texts *list)
{
    print_flow_list_begin(o);
    for (size_t i = 0; i < list->count; i++)
        print_text(o, list->items[i]);
    print_list_end(o);
}

static void put_bytes(struct yaml_out *o, uint64_t v)
{
    char text[128];
    print_text(o, (str){text, print_bytes_text(v, text, sizeof(text))});
}

static void put_u64(struct yaml_out *o, uint64_t v)
{
    char text[24];
    (void)snprintf(text, sizeof(text), "%llu", (unsigned long long)v);
    print_plain(o, text);
}

static void put_value(struct yaml_out *o, const struct decode_field *f, const void *p)
{
    switch (f->kind) {
    case DECODE_BOOL:
        print_plain(o, *(const bool *)p ? "true" : "false");
        break;
    case DECODE_TRISTATE:
        print_plain(o, *(const int8_t *)p > 0 ? "true" : "false");
        break;
    case DECODE_INT:
    case DECODE_LIMIT:
        print_int(o, *(const int64_t *)p);
        break;
    case DECODE_U64:
        put_u64(o, *(const uint64_t *)p);
        break;
    case DECODE_FLOAT:
        put_number(o, *(const double *)p);
        break;
    case DECODE_TEXT:
    case DECODE_PATH:
        print_text(o, *(const str *)p);
        break;
    case DECODE_SECRET:
        print_secret(o, *(const str *)p);
        break;
    case DECODE_URL:
        put_url(o, *(const str *)p);
        break;
    case DECODE_DURATION:
        print_duration(o, *(const int64_t *)p);
        break;
    case DECODE_BYTES:
        put_bytes(o, *(const uint64_t *)p);
        break;
    case DECODE_ENUM:
        print_text(o, str_from(f->names[*(const int *)p]));
        break;
    case DECODE_TEXTS:
        if (f->flow)
            put_flow(o, p);
        else
            print_texts(o, *(const struct texts *)p);
        break;
    case DECODE_PAIRS:
        print_pairs(o, p);
        break;
    case DECODE_STRUCT:
        put_struct(o, f->schema, p);
        break;
    case DECODE_STRUCTS:
        put_structs(o, f->schema, p);
        break;
    case DECODE_POINTER:
        put_struct(o, f->schema, *(const void *const *)p);
        break;
    case DECODE_CUSTOM:
        (void)f->print(p, o);
        break;
    case DECODE_INLINE:
        break;
    }
}

void print_secret(struct yaml_out *o, str text)
{
    print_text(o, o->reveal || text.len == 0 ? text : STR("<secret>"));
}

void print_fields(struct yaml_out *o, const struct decode_schema *schema, const void *s)
{
    for (size_t i = 0; i < schema->field_count; i++) {
        const struct decode_field *f = &schema->fields[i];
        const uint8_t *place = (const uint8_t *)s + f->offset;
        bool unprinted = f->kind == DECODE_CUSTOM && f->print == NULL;
        if (f->kind == DECODE_INLINE) {
            print_fields(o, f->schema, place);
        } else if (!f->hidden && !unprinted && (f->shown_when_zero || !decode_is_zero(f, place))) {
            print_text(o, str_from(f->key));
            put_value(o, f, place);
        }
    }
}

static void print_any(void (*put)(const void *arg, struct yaml_out *out), const void *arg,
                      bool reveal, struct buf *out)
{
    struct yaml_out o = {.reveal = reveal};
    yaml_event_t ev;
    if (yaml_emitter_initialize(&o.emitter) == 0)
        return;
    yaml_emitter_set_output(&o.emitter, write_out, out);
    yaml_emitter_set_unicode(&o.emitter, 1);
    emit(&o, &ev, yaml_stream_start_event_initialize(&ev, YAML_UTF8_ENCODING));
    emit(&o, &ev, yaml_document_start_event_initialize(&ev, NULL, NULL, NULL, 1));
    put(arg, &o);
    emit(&o, &ev, yaml_document_end_event_initialize(&ev, 1));
    emit(&o, &ev, yaml_stream_end_event_initialize(&ev));
    yaml_emitter_delete(&o.emitter);
}

struct print_job {
    const struct decode_schema *schema;
    const void *s;
};

static void put_job(const void *arg, struct yaml_out *o)
{
    const struct print_job *job = arg;
    put_struct(o, job->schema, job->s);
}

void print_struct(const struct decode_schema *schema, const void *s, struct buf *out)
{
    struct print_job job = {schema, s};
    print_any(put_job, &job, false, out);
}

hash128 print_digest(const struct decode_schema *schema, const void *s)
{
    struct print_job job = {schema, s};
    struct buf text = {0};
    print_any(put_job, &job, true, &text);
    hash128 digest = hash128_of(buf_slice(&text), 0);
    explicit_bzero(text.ptr, text.len);
    buf_fini(&text);
    return digest;
}
