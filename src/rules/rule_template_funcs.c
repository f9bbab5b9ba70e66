/* rule_template_funcs.c -- the functions of Prometheus' templates that are not shared with others:
 * queries and their results, links, hosts and ports. */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/duration.h"
#include "base/unicode.h"
#include "base/utf8.h"
#include "rules/rule_template.h"
#include "rules/template_escape.h"
#include "rules/template_exec.h"
#include "rules/template_strings.h"

#define FUNC(name)                                                                                 \
    static err name(struct template_call *c, const struct template_value *args, size_t count,      \
                    struct template_value *out)

static const char *const SAMPLE_FIELDS[] = {"Labels", "Value", NULL};
static const struct template_type SAMPLE = {
    .name = "template.sample", .kind = TEMPLATE_KIND_OBJECT, .fields = SAMPLE_FIELDS};
static const struct template_type SAMPLE_POINTER = {.name = "*template.sample",
                                                    .kind = TEMPLATE_KIND_OBJECT,
                                                    .is_pointer = true,
                                                    .target = &SAMPLE,
                                                    .fields = SAMPLE_FIELDS};
static const struct template_type QUERY_RESULT = {
    .name = "template.queryResult", .kind = TEMPLATE_KIND_LIST, .elem = &SAMPLE_POINTER};

static err make_samples(struct template_call *c, const struct template_sample *samples, size_t count,
                        struct template_value *out)
{
    struct template_value *items = ARENA_ARRAY(c->arena, struct template_value, count + 1);
    struct template_value *fields = ARENA_ARRAY(c->arena, struct template_value, count * 2 + 1);
    if (items == NULL || fields == NULL)
        return ERR_LIMIT;
    for (size_t i = 0; i < count; i++) {
        struct template_value *f = &fields[i * 2];
        TRY(template_label_map(&TEMPLATE_STRING_MAP, samples[i].labels, c->arena, &f[0]));
        f[1] = template_float(samples[i].value);
        items[i] = template_object(&SAMPLE_POINTER, f);
    }
    *out = template_list(&QUERY_RESULT, items, count);
    return OK;
}

FUNC(fn_query)
{
    const struct rule_template_host *host = c->host;
    struct template_sample *samples = NULL;
    size_t n = 0;
    (void)count;
    if (host == NULL || host->query == NULL)
        return diag_set(c->diag, ERR_UNSUPPORTED, "queries are not available here");
    TRY(template_exec_query(c->exec, c->diag));
    uint64_t start_ns = clock_thread_cpu_ns();
    err e = host->query->run(host->query->arg, args[0].s, c->arena, &samples, &n, c->diag);
    template_exec_pause(c->exec, clock_thread_cpu_ns() - start_ns);
    return e == OK ? make_samples(c, samples, n, out) : e;
}

FUNC(fn_first)
{
    (void)count;
    if (args[0].list.count == 0)
        return diag_set(c->diag, ERR_INVALID, "first() called on vector with no elements");
    *out = args[0].list.items[0];
    return OK;
}

static err sample_label(struct template_call *c, const struct template_value *sample, str name,
                        struct template_value *out)
{
    if (template_is_nil(sample))
        return diag_set(c->diag, ERR_INVALID,
                        "runtime error: invalid memory address or nil pointer dereference");
    const struct template_value *v = template_map_get(&sample->fields[0], name);
    *out = template_string(v != NULL ? v->s : STR(""));
    return OK;
}

FUNC(fn_label)
{
    (void)count;
    return sample_label(c, &args[1], args[0].s, out);
}

FUNC(fn_strvalue)
{
    (void)count;
    return sample_label(c, &args[0], STR("__value__"), out);
}

FUNC(fn_value)
{
    (void)count;
    if (template_is_nil(&args[0]))
        return diag_set(c->diag, ERR_INVALID,
                        "runtime error: invalid memory address or nil pointer dereference");
    *out = args[0].fields[1];
    return OK;
}

FUNC(fn_args)
{
    struct template_entry *entries = ARENA_ARRAY(c->arena, struct template_entry, count + 1);
    char name[32];
    if (entries == NULL)
        return ERR_LIMIT;
    for (size_t i = 0; i < count; i++) {
        int n = snprintf(name, sizeof(name), "arg%zu", i);
        entries[i].key = arena_str(c->arena, (str){name, (size_t)n});
        entries[i].value = template_boxed(args[i]);
        if (entries[i].key.ptr == NULL)
            return ERR_LIMIT;
    }
    template_entries_sort(entries, count);
    *out = template_map(&TEMPLATE_ANY_MAP, entries, count);
    return OK;
}

static str label_of(const struct template_value *sample, str name)
{
    const struct template_value *v =
        template_is_nil(sample) ? NULL : template_map_get(&sample->fields[0], name);
    return v != NULL ? v->s : STR("");
}

/* Merge the sorted halves of [from, to). */
static void merge(struct template_value *items, struct template_value *spare, size_t from,
                  size_t mid, size_t to, str name)
{
    size_t a = from, b = mid, n = from;
    while (a < mid || b < to) {
        bool take_a = b == to || (a < mid && str_cmp(label_of(&items[a], name),
                                                     label_of(&items[b], name)) <= 0);
        spare[n++] = items[take_a ? a++ : b++];
    }
    memcpy(items + from, spare + from, (to - from) * sizeof(*items));
}

FUNC(fn_sort_by_label)
{
    size_t n = args[1].list.count;
    (void)count;
    struct template_value *items = ARENA_ARRAY(c->arena, struct template_value, n + 1);
    struct template_value *spare = ARENA_ARRAY(c->arena, struct template_value, n + 1);
    if (items == NULL || spare == NULL)
        return ERR_LIMIT;
    for (size_t i = 0; i < n; i++)
        items[i] = args[1].list.items[i];
    for (size_t width = 1; width < n; width *= 2) /* stable: equal ones keep their order */
        for (size_t from = 0; from + width < n; from += 2 * width)
            merge(items, spare, from, from + width, MIN(from + 2 * width, n), args[0].s);
    *out = template_list(&QUERY_RESULT, items, n);
    return OK;
}

/* strings.Title: the first letter of each word in title case, the others as they are. */
FUNC(fn_title)
{
    struct buf b = {0};
    str s = args[0].s;
    bool starts = true;
    (void)count;
    if (s.len > call_room(c) / 3)
        return diag_set(c->diag, ERR_LIMIT, "text too long");
    while (s.len > 0) {
        unsigned size;
        uint32_t rune = utf8_decode(s, &size);
        utf8_append(&b, starts ? unicode_title(rune) : rune);
        bool in_word = unicode_is_letter(rune) || unicode_is_digit(rune) || rune == '_';
        starts = rune < 0x80 ? !in_word : !in_word && unicode_is_space(rune);
        s = (str){s.ptr + size, s.len - size};
    }
    return call_text(c, &b, OK, out);
}

static err make_link(struct template_call *c, str expr, const char *tab, struct template_value *out)
{
    struct buf b = {0};
    if (expr.len > call_room(c) / ESCAPE_GROWTH_MAX)
        return diag_set(c->diag, ERR_LIMIT, "text too long");
    buf_put_str(&b, STR("/graph?g0.expr="));
    escape_url_query(expr, &b);
    buf_printf(&b, "&g0.tab=%s", tab);
    return call_text(c, &b, OK, out);
}

FUNC(fn_graph_link)
{
    (void)count;
    return make_link(c, args[0].s, "0", out);
}

FUNC(fn_table_link)
{
    (void)count;
    return make_link(c, args[0].s, "1", out);
}

FUNC(fn_url_query_escape)
{
    struct buf b = {0};
    (void)count;
    if (args[0].s.len > call_room(c) / ESCAPE_GROWTH_MAX)
        return diag_set(c->diag, ERR_LIMIT, "text too long");
    escape_url_query(args[0].s, &b);
    return call_text(c, &b, OK, out);
}

/* "host:port" or "[host]:port" in two; false as net.SplitHostPort reports an error. */
static bool split_host_port(str s, str *host, str *port)
{
    size_t colon = s.len;
    while (colon > 0 && s.ptr[colon - 1] != ':')
        colon--;
    if (colon == 0)
        return false;
    *port = (str){s.ptr + colon, s.len - colon};
    *host = (str){s.ptr, colon - 1};
    if (s.ptr[0] == '[') {
        const char *close = memchr(s.ptr, ']', s.len);
        if (close == NULL || (size_t)(close - s.ptr) + 2 != colon)
            return false;
        *host = (str){s.ptr + 1, (size_t)(close - s.ptr) - 1};
    } else if (memchr(host->ptr, ':', host->len) != NULL) {
        return false;
    }
    str rest = {s.ptr + (s.ptr[0] == '['), s.len - (s.ptr[0] == '[')};
    if (memchr(rest.ptr, '[', rest.len) != NULL)
        return false;
    str tail = s.ptr[0] == '[' ? *port : s;
    return tail.len == 0 || memchr(tail.ptr, ']', tail.len) == NULL;
}

static bool is_ip(str host)
{
    char text[INET6_ADDRSTRLEN + 1];
    unsigned char address[16];
    if (host.len >= sizeof(text))
        return false;
    if (host.len > 0)
        memcpy(text, host.ptr, host.len);
    text[host.len] = '\0';
    return inet_pton(AF_INET, text, address) == 1 || inet_pton(AF_INET6, text, address) == 1;
}

FUNC(fn_strip_port)
{
    str host, port;
    (void)c, (void)count;
    *out = template_string(split_host_port(args[0].s, &host, &port) ? host : args[0].s);
    return OK;
}

FUNC(fn_strip_domain)
{
    str host = args[0].s, port = STR("");
    (void)count;
    *out = args[0];
    if (!split_host_port(args[0].s, &host, &port)) {
        host = args[0].s;
        port = STR("");
    }
    if (is_ip(host))
        return OK;
    const char *dot = host.len > 0 ? memchr(host.ptr, '.', host.len) : NULL;
    if (dot != NULL)
        host.len = (size_t)(dot - host.ptr);
    struct buf b = {0};
    bool bracket = port.len > 0 && host.len > 0 && memchr(host.ptr, ':', host.len) != NULL;
    buf_printf(&b, "%s" STR_FMT "%s%s" STR_FMT, bracket ? "[" : "", STR_ARG(host),
               bracket ? "]" : "", port.len > 0 ? ":" : "", STR_ARG(port));
    return call_text(c, &b, OK, out);
}

FUNC(fn_parse_duration)
{
    int64_t ms;
    (void)count;
    TRY(duration_parse(args[0].s, &ms, c->diag));
    *out = template_float((double)(ms * 1000000) / 1e9);
    return OK;
}

FUNC(fn_now)
{
    const struct rule_template_host *host = c->host;
    (void)args, (void)count;
    *out = template_float(host != NULL ? (double)host->ts_ms / 1000.0 : 0);
    return OK;
}

FUNC(fn_external_url)
{
    const struct rule_template_host *host = c->host;
    (void)args, (void)count;
    *out = template_string(host != NULL ? host->external_url : STR(""));
    return OK;
}

/* The path of the external URL. */
FUNC(fn_path_prefix)
{
    const struct rule_template_host *host = c->host;
    (void)args, (void)count;
    str url = host != NULL ? host->external_url : STR("");
    const char *authority = url.len > 0 ? memmem(url.ptr, url.len, "://", 3) : NULL;
    size_t from = authority != NULL ? (size_t)(authority - url.ptr) + 3 : 0;
    while (from < url.len && url.ptr[from] != '/' && url.ptr[from] != '?' && url.ptr[from] != '#')
        from++;
    size_t to = from;
    while (to < url.len && url.ptr[to] != '?' && url.ptr[to] != '#')
        to++;
    *out = template_string((str){url.ptr != NULL ? url.ptr + from : "", to - from});
    return OK;
}

#define STRING &TEMPLATE_STRING

static const struct template_func FUNCS[] = {
    {"args", fn_args, {&TEMPLATE_ANY}, true},
    {"externalURL", fn_external_url, {NULL}, false},
    {"first", fn_first, {&QUERY_RESULT}, false},
    {"graphLink", fn_graph_link, {STRING}, false},
    {"label", fn_label, {STRING, &SAMPLE_POINTER}, false},
    {"now", fn_now, {NULL}, false},
    {"parseDuration", fn_parse_duration, {STRING}, false},
    {"pathPrefix", fn_path_prefix, {NULL}, false},
    {"query", fn_query, {STRING}, false},
    {"sortByLabel", fn_sort_by_label, {STRING, &QUERY_RESULT}, false},
    {"stripDomain", fn_strip_domain, {STRING}, false},
    {"stripPort", fn_strip_port, {STRING}, false},
    {"strvalue", fn_strvalue, {&SAMPLE_POINTER}, false},
    {"tableLink", fn_table_link, {STRING}, false},
    {"title", fn_title, {STRING}, false},
    {"urlQueryEscape", fn_url_query_escape, {STRING}, false},
    {"value", fn_value, {&SAMPLE_POINTER}, false},
};

const struct template_funcs RULE_TEMPLATE_FUNCS = {FUNCS, COUNT_OF(FUNCS),
                                                   &TEMPLATE_HUMANIZE_FUNCS};
