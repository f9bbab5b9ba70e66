/* alertmanager_values.c -- kinds of values that only alertmanager.yml has. */
#include "base/duration.h"
#include "base/number.h"
#include "config/alertmanager_priv.h"

err config_over_budget(struct decode *c)
{
    return diag_set(c->d, ERR_LIMIT, "%s: too large", c->path);
}

err check_not_both(struct decode *c, const struct yaml *n, str value, str file, const char *name)
{
    return value.len > 0 && file.len > 0
               ? decode_fail(c, n, "at most one of %s & %s_file must be configured", name, name)
               : OK;
}

err check_one(struct decode *c, const struct yaml *n, str value, str file, const char *name)
{
    return value.len == 0 && file.len == 0
               ? decode_fail(c, n, "one of %s or %s_file must be configured", name, name)
               : check_not_both(c, n, value, file, name);
}

/* ---- URLs ---- */

static err check_url(struct decode *c, const struct yaml *n, str url)
{
    for (size_t i = 0; i < url.len; i++)
        if ((uint8_t)url.ptr[i] < ' ' || url.ptr[i] == 0x7f)
            return decode_fail(c, n, "net/url: invalid control character in URL");
    const char *colon = url.len > 0 ? memchr(url.ptr, ':', url.len) : NULL;
    const char *slash = url.len > 0 ? memchr(url.ptr, '/', url.len) : NULL;
    if (colon == url.ptr && colon != NULL)
        return decode_fail(c, n, "missing protocol scheme");
    size_t scheme =
        colon != NULL && (slash == NULL || colon < slash) ? (size_t)(colon - url.ptr) : 0;
    str name = {url.ptr, scheme};
    if (!str_eq(name, STR("http")) && !str_eq(name, STR("https")))
        return decode_fail(c, n, "unsupported scheme \"" STR_FMT "\" for URL", STR_ARG(name));
    str rest = {url.ptr + scheme + 1, url.len - scheme - 1};
    bool host = str_starts(rest, STR("//")) && rest.len > 2 && strchr("/?#", rest.ptr[2]) == NULL;
    return host ? OK : decode_fail(c, n, "missing host for URL");
}

err read_url(struct decode *c, const struct yaml *n, void *place)
{
    str text;
    TRY(decode_text(c, n, &text));
    if (n->type == YAML_NULL)
        return OK;
    TRY(check_url(c, n, text));
    *(str *)place = text;
    return OK;
}

/* What was printed as <secret> reads back. */
err read_secret_url(struct decode *c, const struct yaml *n, void *place)
{
    str text;
    TRY(decode_text(c, n, &text));
    if (n->type == YAML_NULL)
        return OK;
    if (!str_eq(text, STR("<secret>")))
        TRY(check_url(c, n, text));
    *(str *)place = text;
    return OK;
}

err read_template_url(struct decode *c, const struct yaml *n, void *place)
{
    str text;
    TRY(decode_text(c, n, &text));
    if (n->type == YAML_NULL)
        return OK;
    if (!str_eq(text, STR("<secret>")) &&
        (text.len == 0 || memmem(text.ptr, text.len, "{{", 2) == NULL))
        TRY(check_url(c, n, text));
    *(str *)place = text;
    return OK;
}

bool print_url(const void *place, struct yaml_out *out)
{
    const str *url = place;
    if (url->len > 0 && out != NULL) {
        struct buf text = {0};
        print_redacted_url(*url, &text);
        print_text(out, buf_str(&text));
        buf_fini(&text);
    }
    return url->len > 0;
}

bool print_secret_url(const void *place, struct yaml_out *out)
{
    const str *url = place;
    if (url->len > 0 && out != NULL)
        print_secret(out, *url);
    return url->len > 0;
}

bool print_plain_text(const void *place, struct yaml_out *out)
{
    const str *text = place;
    if (text->len > 0 && out != NULL)
        print_text(out, *text);
    return text->len > 0;
}

/* ---- host:port ---- */

err read_host_port(struct decode *c, const struct yaml *n, void *place)
{
    str s;
    TRY(decode_text(c, n, &s));
    if (s.len == 0)
        return OK;
    const char *colon = memrchr(s.ptr, ':', s.len);
    const char *bracket = s.ptr[0] == '[' ? memchr(s.ptr, ']', s.len) : NULL;
    if (colon == NULL || (bracket != NULL && colon < bracket))
        return decode_fail(c, n, "address " STR_FMT ": missing port in address", STR_ARG(s));
    if (bracket == NULL && memchr(s.ptr, ':', (size_t)(colon - s.ptr)) != NULL)
        return decode_fail(c, n, "address " STR_FMT ": too many colons in address", STR_ARG(s));
    if (bracket != NULL && colon != bracket + 1)
        return decode_fail(c, n, "address " STR_FMT ": missing port in address", STR_ARG(s));
    if (colon + 1 == s.ptr + s.len)
        return decode_fail(c, n, "address \"" STR_FMT "\": port cannot be empty", STR_ARG(s));
    *(str *)place = s;
    return OK;
}

/* ---- Durations ---- */

struct unit {
    const char *name;
    double ns;
};

/* Units of Go's time.ParseDuration, longer names before their beginnings. */
static const struct unit UNITS[] = {{"ns", 1},          {"us", 1e3},  {"\xc2\xb5s", 1e3},
                                    {"\xce\xbcs", 1e3}, {"ms", 1e6},  {"s", 1e9},
                                    {"m", 6e10},        {"h", 3.6e12}};

static size_t number_size(str s)
{
    size_t n = 0;
    while (n < s.len && ((s.ptr[n] >= '0' && s.ptr[n] <= '9') || s.ptr[n] == '.'))
        n++;
    return n;
}

/* One number with its unit at the start of `s`; false: there is none. */
static bool take_part(str *s, double *ns)
{
    double v;
    size_t n = number_size(*s);
    if (n == 0 || number_parse_f64((str){s->ptr, n}, false, &v) != OK)
        return false;
    str rest = {s->ptr + n, s->len - n};
    for (size_t i = 0; i < COUNT_OF(UNITS); i++) {
        str name = str_from(UNITS[i].name);
        if (str_starts(rest, name)) {
            *ns += v * UNITS[i].ns;
            *s = (str){rest.ptr + name.len, rest.len - name.len};
            return true;
        }
    }
    return false;
}

err read_go_duration(struct decode *c, const struct yaml *n, void *place)
{
    str text;
    double ns = 0;
    TRY(decode_text(c, n, &text));
    if (n->type == YAML_NULL)
        return OK;
    str s = text;
    if (str_eq(s, STR("0"))) {
        *(int64_t *)place = 0;
        return OK;
    }
    while (s.len > 0 && take_part(&s, &ns))
        ;
    if (s.len > 0 || text.len == 0)
        return decode_fail(c, n, "time: invalid duration \"" STR_FMT "\"", STR_ARG(text));
    if (ns > 9.2e18)
        return decode_fail(c, n, "time: invalid duration \"" STR_FMT "\": out of range",
                           STR_ARG(text));
    int64_t ms = (int64_t)(ns / 1e6);
    *(int64_t *)place = ms == 0 && ns > 0 ? 1 : ms; /* 0 would be none at all */
    return OK;
}

bool print_go_duration(const void *place, struct yaml_out *out)
{
    int64_t ms = *(const int64_t *)place;
    char text[DURATION_SIZE_MAX];
    if (ms == 0 || out == NULL)
        return ms != 0;
    print_text(out, (str){text, duration_format_go(ms, text)});
    return true;
}

err read_optional_duration(struct decode *c, const struct yaml *n, void *place)
{
    static const struct decode_field FIELD[] = {{.key = "d", .kind = DECODE_DURATION}};
    static const struct decode_schema SCHEMA = {FIELD, 1, sizeof(int64_t), NULL, NULL, NULL, NULL};
    struct yaml value = *n, map = {.type = YAML_MAP, .line = n->line, .column = n->column};
    struct diag why = {.text = ""}, *d = c->d;
    int64_t v;
    if (n->type == YAML_NULL)
        return OK;
    value.key = STR("d");
    value.next = NULL;
    map.first = &value;
    c->d = &why; /* its words name the key of a stand-in */
    err e = decode_struct(c, &SCHEMA, &map, &v);
    c->d = d;
    if (e == OK) {
        *(int64_t *)place = v;
        return OK;
    }
    const char *text = strstr(why.text, "\"d\": ");
    return decode_fail(c, n, "%s", text != NULL ? text + 5 : why.text);
}

bool print_optional_duration(const void *place, struct yaml_out *out)
{
    int64_t v = *(const int64_t *)place;
    if (v >= 0 && out != NULL)
        print_duration(out, v);
    return v >= 0;
}

/* ---- Values of any shape ---- */

static err copy_value(struct decode *c, const struct yaml *from, struct yaml **out)
{
    struct yaml *n = ARENA_NEW(c->arena, struct yaml);
    if (n == NULL)
        return config_over_budget(c);
    *n = *from;
    n->first = n->next = NULL;
    n->key = arena_str(c->arena, from->key);
    n->text = arena_str(c->arena, from->text);
    if (n->key.ptr == NULL || n->text.ptr == NULL)
        return config_over_budget(c);
    struct yaml **place = &n->first;
    for (const struct yaml *child = from->first; child != NULL; child = child->next) {
        TRY(copy_value(c, child, place)); /* as deep as the document: YAML_DEPTH_MAX */
        place = &(*place)->next;
    }
    *out = n;
    return OK;
}

err read_value(struct decode *c, const struct yaml *n, void *place)
{
    struct yaml *copy = NULL;
    if (n->type == YAML_NULL)
        return OK;
    TRY(copy_value(c, n, &copy));
    *(const struct yaml **)place = copy;
    return OK;
}

err read_value_map(struct decode *c, const struct yaml *n, void *place)
{
    if (n->type != YAML_MAP && n->type != YAML_NULL)
        return decode_fail(c, n, "must be a map");
    return read_value(c, n, place);
}

static void put_value(struct yaml_out *out, const struct yaml *n)
{
    switch (n->type) {
    case YAML_NULL:
        print_plain(out, "null");
        break;
    case YAML_SCALAR:
        if (n->quoted)
            print_text(out, n->text);
        else
            print_plain(out, n->text.ptr); /* arena_str() ends it with a NUL */
        break;
    case YAML_LIST:
        print_list_begin(out);
        for (const struct yaml *child = n->first; child != NULL; child = child->next)
            put_value(out, child);
        print_list_end(out);
        break;
    case YAML_MAP:
        print_map_begin(out);
        for (const struct yaml *child = n->first; child != NULL; child = child->next) {
            print_text(out, child->key);
            put_value(out, child);
        }
        print_map_end(out);
        break;
    }
}

bool print_value(const void *place, struct yaml_out *out)
{
    const struct yaml *n = *(const struct yaml *const *)place;
    if (n != NULL && out != NULL)
        put_value(out, n);
    return n != NULL;
}
