/* alert_history.c -- varve alert history: what happened to alerts, notifications and silences. */
#include <stdio.h>
#include <string.h>

#include "base/compiler.h"
#include "base/mem.h"
#include "cli/alert_commands.h"

struct history_flags {
    struct alert_client_flags client;
    const char *output, *start, *end, *type, *fingerprint, *related, *cursor;
    uint64_t limit;
};

static size_t flag_table(struct history_flags *f, struct flag *out)
{
    const struct flag FLAGS[] = {
        {"output", "format", "simple or json.", FLAG_TEXT, &f->output, false},
        {"start", "time", "Events from then on.", FLAG_TEXT, &f->start, false},
        {"end", "time", "Events until then.", FLAG_TEXT, &f->end, false},
        {"type", "names", "Of these types, with commas between.", FLAG_TEXT, &f->type, false},
        {"fingerprint", "digits", "Of this alert.", FLAG_TEXT, &f->fingerprint, false},
        {"related", "digits", "Around the begin of this alert, and related to it.", FLAG_TEXT,
         &f->related, false},
        {"limit", "count", "The newest so many.", FLAG_COUNT, &f->limit, false},
        {"cursor", "text", "Those behind a page, as it says.", FLAG_TEXT, &f->cursor, false},
    };
    *f = (struct history_flags){.output = "simple",
                                .start = "",
                                .end = "",
                                .type = "",
                                .fingerprint = "",
                                .related = "",
                                .cursor = "",
                                .limit = 100};
    alert_client_flags(&f->client, out);
    memcpy(out + ALERT_CLIENT_FLAGS, FLAGS, sizeof(FLAGS));
    return ALERT_CLIENT_FLAGS + COUNT_OF(FLAGS);
}

/* What a line says besides time, type and labels. */
static void put_details(struct text_table *t, const struct jtree *n)
{
    static const char *const KEYS[] = {"receiver", "integration", "fallback", "by",    "reason",
                                       "author",   "comment",     "matchers", "error", "id"};
    struct buf text = {0};
    bool silence = jtree_text(jtree_get(n, "matchers")).len > 0;
    for (size_t i = 0; i < COUNT_OF(KEYS); i++) {
        str value = jtree_text(jtree_get(n, KEYS[i]));
        if (value.len > 0 && (silence || strcmp(KEYS[i], "id") != 0))
            buf_printf(&text, "%s%s=" STR_FMT, text.len > 0 ? " " : "", KEYS[i], STR_ARG(value));
    }
    text_table_put(t, buf_str(&text));
    buf_fini(&text);
}

static void put_labels(struct text_table *t, const struct jtree *n)
{
    struct buf text = {0};
    struct jtree_member m = {0};
    while (jtree_is_object(n) && jtree_next(n, &m))
        buf_printf(&text, "%s" STR_FMT "=\"" STR_FMT "\"", text.len > 0 ? " " : "", STR_ARG(m.key),
                   STR_ARG(jtree_text(m.value)));
    text_table_put(t, buf_str(&text));
    buf_fini(&text);
}

static void show(const struct jtree *data)
{
    static const char *const HEAD[] = {"Time", "Type", "Labels", "Details"};
    struct text_table t = {0};
    const struct jtree *list = jtree_get(data, "events");
    str next = jtree_text(jtree_get(data, "nextCursor"));
    text_table_begin(&t, HEAD, COUNT_OF(HEAD));
    for (size_t i = 0; i < jtree_count(list); i++) {
        const struct jtree *n = jtree_at(list, i);
        text_table_put(&t, jtree_text(jtree_get(n, "time")));
        text_table_put(&t, jtree_text(jtree_get(n, "type")));
        put_labels(&t, jtree_get(n, "labels"));
        put_details(&t, n);
    }
    text_table_print(&t, stdout);
    text_table_fini(&t);
    if (next.len > 0 && next.len < 24)
        printf("older ones: --cursor=" STR_FMT "\n", STR_ARG(next));
}

static void put_path(struct buf *path, const struct history_flags *f, char *const *matchers,
                     int count)
{
    const char *const PARAMS[][2] = {{"start", f->start},
                                     {"end", f->end},
                                     {"fingerprint", f->fingerprint},
                                     {"related", f->related},
                                     {"cursor", f->cursor}};
    buf_printf(path, "/api/v1/alerting/history?limit=%llu", (unsigned long long)f->limit);
    for (size_t i = 0; i < COUNT_OF(PARAMS); i++)
        if (PARAMS[i][1][0] != '\0')
            alert_client_param(path, PARAMS[i][0], str_from(PARAMS[i][1]));
    for (const char *at = f->type; *at != '\0';) {
        size_t n = strcspn(at, ",");
        alert_client_param(path, "type", (str){at, n});
        at += n + (at[n] == ',');
    }
    for (int i = 0; i < count; i++)
        alert_client_param(path, "matcher", str_from(matchers[i]));
}

static err ask(const struct history_flags *f, char *const *matchers, int count, bool json,
               struct diag *d)
{
    struct alert_client *c = NULL;
    struct buf path = {0}, text = {0};
    struct jtree *root = NULL;
    TRY(alert_client_open(&f->client, &c, d));
    put_path(&path, f, matchers, count);
    err e = alert_client_get(c, buf_str(&path), &root, &text, d);
    if (e == OK && !jtree_is_array(jtree_get(jtree_get(root, "data"), "events")))
        e = diag_set(d, ERR_INVALID, "the server's answer has no list of events");
    if (e == OK && json)
        printf(STR_FMT "\n", STR_ARG(buf_str(&text)));
    else if (e == OK)
        show(jtree_get(root, "data"));
    jtree_free(root);
    alert_client_close(c);
    buf_fini(&path);
    buf_fini(&text);
    return e;
}

int alert_history(int argc, char **argv)
{
    struct flag flags[ALERT_COMMAND_FLAGS_MAX];
    struct history_flags f;
    struct diag d = {.text = ""};
    char **rest = mem_zalloc((size_t)argc + 1, sizeof(*rest));
    size_t flag_count = flag_table(&f, flags);
    enum alert_output output = ALERT_OUTPUT_SIMPLE;
    int count = 0, code = 2;
    err e = flags_parse(flags, flag_count, argc, argv, rest, &count, &d);
    if (e == OK)
        e = alert_output_of(f.output, &output, &d);
    if (e == OK && output == ALERT_OUTPUT_EXTENDED)
        e = diag_set(&d, ERR_INVALID, "flag --output: \"extended\" is not one of simple, json");
    if (e == ERR_NOTFOUND) {
        printf("usage: varve alert history [<flags>] [<matcher>...]\n\nShow what happened to "
               "alerts, notifications and silences, the newest first.\n\nFlags:\n");
        flags_help(flags, flag_count, stdout);
        code = 0;
    } else if (e != OK) {
        (void)alert_failed("history", &d);
    } else {
        e = ask(&f, rest, count, output == ALERT_OUTPUT_JSON, &d);
        code = e == OK ? 0 : alert_failed("history", &d);
    }
    mem_free(rest);
    return code;
}
