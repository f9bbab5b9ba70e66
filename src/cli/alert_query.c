/* alert_query.c -- varve alert query: alerts of a server, as amtool shows them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "base/duration.h"
#include "base/mem.h"
#include "cli/alert_commands.h"
#include "cli/text_table.h"
#include "http/postable.h"

enum { ARENA_BYTES_MAX = 16 << 20 };

/* ---- What commands share ---- */

err alert_output_of(const char *text, enum alert_output *out, struct diag *d)
{
    static const char *const NAMES[] = {"simple", "extended", "json"};
    for (size_t i = 0; i < COUNT_OF(NAMES); i++) {
        if (strcmp(text, NAMES[i]) == 0) {
            *out = (enum alert_output)i;
            return OK;
        }
    }
    return diag_set(d, ERR_INVALID, "flag --output: \"%s\" is not one of simple, extended, json",
                    text);
}

static err read_matcher(str text, bool first, struct arena *a, struct matcher *out, struct diag *d)
{
    struct alert_matchers one = {NULL, 0};
    struct diag why = {.text = ""};
    err e = alert_matchers_parse(text, a, &one, NULL, &why);
    if (e == OK && one.count == 1) {
        *out = one.items[0];
        return OK;
    }
    if (e == OK)
        alert_matchers_fini(&one);
    bool word = memchr(text.ptr, '=', text.len) == NULL && memchr(text.ptr, '~', text.len) == NULL;
    if (first && word)
        return alert_matcher_init(out, MATCH_EQUAL, STR("alertname"), text, d);
    return diag_set(d, ERR_INVALID, "%s",
                    why.text[0] != '\0' ? why.text : "an argument has several matchers");
}

err alert_matchers_of(char *const *args, int count, struct arena *a, struct alert_matchers *out,
                      struct diag *d)
{
    *out = (struct alert_matchers){ARENA_ARRAY(a, struct matcher, (size_t)count + 1), 0};
    if (count > ALERT_COMMAND_MATCHERS_MAX || out->items == NULL)
        return diag_set(d, ERR_LIMIT, "more than %d matchers", ALERT_COMMAND_MATCHERS_MAX);
    for (int i = 0; i < count; i++) {
        TRY(read_matcher(str_from(args[i]), i == 0, a, &out->items[i], d));
        out->count++;
    }
    return OK;
}

void alert_filters(struct buf *path, const struct alert_matchers *ms)
{
    struct buf text = {0};
    for (size_t i = 0; i < ms->count; i++) {
        buf_reset(&text);
        alert_matcher_format(&ms->items[i], &text);
        alert_client_param(path, "filter", buf_str(&text));
    }
    buf_fini(&text);
}

void alert_date(struct buf *b, int64_t ms)
{
    char text[40];
    size_t n = timestamp_format_rfc3339(ms - ((ms % 1000) + 1000) % 1000, text);
    for (size_t i = 0; i + 1 < n; i++) /* the last is Z */
        buf_put_u8(b, (uint8_t)(text[i] == 'T' ? ' ' : text[i]));
    buf_put_str(b, STR(" UTC"));
}

int alert_failed(const char *command, const struct diag *d)
{
    (void)fprintf(stderr, "varve alert %s: error: %s\n", command, d->text);
    return 1;
}

/* ---- Alerts ---- */

struct query_flags {
    struct alert_client_flags client;
    const char *output, *receiver;
    bool inhibited, silenced, active, unprocessed;
};

static size_t flag_table(struct query_flags *f, struct flag *out)
{
    const struct flag FLAGS[] = {
        {"output", "format", "simple, extended or json.", FLAG_TEXT, &f->output, false},
        {"inhibited", "", "Alerts that are inhibited.", FLAG_BOOL, &f->inhibited, false},
        {"silenced", "", "Alerts that are silenced.", FLAG_BOOL, &f->silenced, false},
        {"active", "", "Alerts that are neither; alone without these flags.", FLAG_BOOL, &f->active,
         false},
        {"unprocessed", "", "Alerts no group has seen yet; Varve has none.", FLAG_BOOL,
         &f->unprocessed, false},
        {"receiver", "regex", "Alerts for receivers of such names.", FLAG_TEXT, &f->receiver,
         false},
    };
    *f = (struct query_flags){.output = "simple", .receiver = ""};
    alert_client_flags(&f->client, out);
    memcpy(out + ALERT_CLIENT_FLAGS, FLAGS, sizeof(FLAGS));
    return ALERT_CLIENT_FLAGS + COUNT_OF(FLAGS);
}

struct shown_alert {
    const struct jtree *node;
    int64_t starts_at_ms;
};

static int compare_starts(const void *pa, const void *pb)
{
    const struct shown_alert *a = pa, *b = pb;
    return (a->starts_at_ms > b->starts_at_ms) - (a->starts_at_ms < b->starts_at_ms);
}

static int compare_members(const void *pa, const void *pb)
{
    return str_cmp(((const struct pair *)pa)->name, ((const struct pair *)pb)->name);
}

/* `a="b" c="d"`, sorted. */
static void put_pairs(struct text_table *t, const struct jtree *n)
{
    struct buf text = {0};
    struct jtree_member m = {0};
    size_t count = 0;
    struct pair *pairs = mem_zalloc(jtree_count(n) + 1, sizeof(*pairs));
    while (jtree_is_object(n) && jtree_next(n, &m))
        pairs[count++] = (struct pair){m.key, jtree_text(m.value)};
    if (count > 1)
        qsort(pairs, count, sizeof(*pairs), compare_members);
    for (size_t i = 0; i < count; i++)
        buf_printf(&text, "%s" STR_FMT "=\"" STR_FMT "\"", i > 0 ? " " : "", STR_ARG(pairs[i].name),
                   STR_ARG(pairs[i].value));
    text_table_put(t, buf_str(&text));
    mem_free(pairs);
    buf_fini(&text);
}

static void put_date(struct text_table *t, const struct jtree *n)
{
    struct buf text = {0};
    int64_t ms;
    if (postable_time(jtree_text(n), &ms))
        alert_date(&text, ms);
    else
        buf_put_str(&text, jtree_text(n));
    text_table_put(t, buf_str(&text));
    buf_fini(&text);
}

static void put_head(struct text_table *t, const char *const *names, size_t count)
{
    t->columns = count;
    for (size_t i = 0; i < count; i++)
        text_table_put(t, str_from(names[i]));
}

static void put_simple(struct text_table *t, const struct jtree *n)
{
    text_table_put(t, jtree_text(jtree_get(jtree_get(n, "labels"), "alertname")));
    put_date(t, jtree_get(n, "startsAt"));
    text_table_put(t, jtree_text(jtree_get(jtree_get(n, "annotations"), "summary")));
    text_table_put(t, jtree_text(jtree_get(jtree_get(n, "status"), "state")));
}

static void put_extended(struct text_table *t, const struct jtree *n)
{
    put_pairs(t, jtree_get(n, "labels"));
    put_pairs(t, jtree_get(n, "annotations"));
    put_date(t, jtree_get(n, "startsAt"));
    put_date(t, jtree_get(n, "endsAt"));
    text_table_put(t, jtree_text(jtree_get(n, "generatorURL")));
    text_table_put(t, jtree_text(jtree_get(jtree_get(n, "status"), "state")));
}

static void show(const struct jtree *list, bool extended)
{
    static const char *const SIMPLE[] = {"Alertname", "Starts At", "Summary", "State"};
    static const char *const EXTENDED[] = {"Labels",  "Annotations",   "Starts At",
                                           "Ends At", "Generator URL", "State"};
    struct text_table t = {0};
    size_t count = jtree_is_array(list) ? jtree_count(list) : 0;
    struct shown_alert *alerts = mem_zalloc(count + 1, sizeof(*alerts));
    for (size_t i = 0; i < count; i++) {
        alerts[i].node = jtree_at(list, i);
        if (!postable_time(jtree_text(jtree_get(alerts[i].node, "startsAt")),
                           &alerts[i].starts_at_ms))
            alerts[i].starts_at_ms = INT64_MAX;
    }
    if (count > 1)
        qsort(alerts, count, sizeof(*alerts), compare_starts);
    put_head(&t, extended ? EXTENDED : SIMPLE, extended ? COUNT_OF(EXTENDED) : COUNT_OF(SIMPLE));
    for (size_t i = 0; i < count; i++) {
        if (extended)
            put_extended(&t, alerts[i].node);
        else
            put_simple(&t, alerts[i].node);
    }
    text_table_print(&t, stdout);
    text_table_fini(&t);
    mem_free(alerts);
}

static err query(struct alert_client *c, const struct query_flags *f,
                 const struct alert_matchers *ms, enum alert_output output, struct diag *d)
{
    struct buf path = {0}, text = {0};
    struct jtree *list = NULL;
    bool any = f->inhibited || f->silenced || f->active || f->unprocessed;
    buf_printf(&path, "/alerts?active=%s&inhibited=%s&silenced=%s&unprocessed=%s",
               f->active || !any ? "true" : "false", f->inhibited ? "true" : "false",
               f->silenced ? "true" : "false", f->unprocessed ? "true" : "false");
    if (f->receiver[0] != '\0')
        alert_client_param(&path, "receiver", str_from(f->receiver));
    alert_filters(&path, ms);
    err e = alert_client_get(c, buf_str(&path), &list, &text, d);
    if (e == OK && output == ALERT_OUTPUT_JSON)
        (void)fwrite(text.ptr, 1, text.len, stdout);
    else if (e == OK)
        show(list, output == ALERT_OUTPUT_EXTENDED);
    jtree_free(list);
    buf_fini(&path);
    buf_fini(&text);
    return e;
}

static int run_query(const struct query_flags *f, char *const *args, int count,
                     enum alert_output output)
{
    struct diag d = {.text = ""};
    struct arena a;
    struct alert_matchers ms = {NULL, 0};
    struct alert_client *c = NULL;
    arena_init(&a, ARENA_BYTES_MAX);
    err e = alert_matchers_of(args, count, &a, &ms, &d);
    if (e == OK)
        e = alert_client_open(&f->client, &c, &d);
    if (e == OK)
        e = query(c, f, &ms, output, &d);
    alert_client_close(c);
    alert_matchers_fini(&ms);
    arena_fini(&a);
    return e == OK ? 0 : alert_failed("query", &d);
}

int alert_query(int argc, char **argv)
{
    struct flag flags[ALERT_COMMAND_FLAGS_MAX];
    struct query_flags f;
    struct diag d = {.text = ""};
    enum alert_output output;
    char **rest = mem_zalloc((size_t)argc + 1, sizeof(*rest));
    size_t flag_count = flag_table(&f, flags);
    int count = 0, code = 2;
    err e = flags_parse(flags, flag_count, argc, argv, rest, &count, &d);
    if (e == OK)
        e = alert_output_of(f.output, &output, &d);
    if (e == ERR_NOTFOUND) {
        printf("usage: varve alert query [<flags>] [<matcher>...]\n\nShow alerts; those with all "
               "of these labels. A first word that is no matcher is an alertname.\n\nFlags:\n");
        flags_help(flags, flag_count, stdout);
        code = 0;
    } else if (e != OK) {
        (void)alert_failed("query", &d);
    } else {
        code = run_query(&f, rest, count, output);
    }
    mem_free(rest);
    return code;
}
