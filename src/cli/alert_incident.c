/* alert_incident.c -- varve alert incidents and ack: who is told of what, and who has taken it on.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "base/json_text.h"
#include "base/mem.h"
#include "cli/alert_commands.h"

struct incident_flags {
    struct alert_client_flags client;
    const char *output, *state, *by, *comment, *expires;
};

static size_t flag_table(struct incident_flags *f, bool ack, struct flag *out)
{
    const struct flag LIST[] = {
        {"output", "format", "simple or json.", FLAG_TEXT, &f->output, false},
        {"state", "name", "Only those that are open, acked or resolved.", FLAG_TEXT, &f->state,
         false}};
    const struct flag ACK[] = {
        {"by", "name", "Who acknowledges; default: the user.", FLAG_TEXT, &f->by, false},
        {"comment", "text", "Why.", FLAG_TEXT, &f->comment, false},
        {"expires", "time", "A duration (2h), or RFC 3339.", FLAG_TEXT, &f->expires, false}};
    const char *user = getenv("USER"); /* before any thread */
    *f = (struct incident_flags){.output = "simple",
                                 .state = "",
                                 .by = user != NULL ? user : "",
                                 .comment = "",
                                 .expires = ""};
    alert_client_flags(&f->client, out);
    memcpy(out + ALERT_CLIENT_FLAGS, ack ? ACK : LIST, ack ? sizeof(ACK) : sizeof(LIST));
    return ALERT_CLIENT_FLAGS + (ack ? COUNT_OF(ACK) : COUNT_OF(LIST));
}

static const char *const HEAD[] = {"ID", "State", "Policy", "Level", "Group", "Since", "Acked By"};

static void put_row(struct text_table *t, const struct jtree *i)
{
    struct buf text = {0};
    const struct jtree *acked = jtree_get(i, "acknowledgement");
    text_table_put(t, jtree_text(jtree_get(i, "id")));
    text_table_put(t, jtree_text(jtree_get(i, "state")));
    text_table_put(t, jtree_text(jtree_get(i, "policy")));
    buf_printf(&text, "%lld", (long long)jtree_int(jtree_get(i, "level"), 0));
    text_table_put(t, buf_str(&text));
    text_table_put(t, jtree_text(jtree_get(i, "groupKey")));
    text_table_put(t, jtree_text(jtree_get(i, "startedAt")));
    text_table_put(t, jtree_is_object(acked) ? jtree_text(jtree_get(acked, "by")) : STR(""));
    buf_fini(&text);
}

static err list(struct alert_client *c, const struct incident_flags *f, struct diag *d)
{
    static const struct alert_columns INCIDENTS = {HEAD, COUNT_OF(HEAD), put_row};
    struct buf path = {0};
    buf_put_str(&path, STR("/api/v1/alerting/incidents"));
    if (f->state[0] != '\0')
        alert_client_param(&path, "state", str_from(f->state));
    err e = alert_print_list(c, buf_str(&path), strcmp(f->output, "json") == 0, &INCIDENTS, d);
    buf_fini(&path);
    return e;
}

static err check_id(const char *id, struct diag *d)
{
    for (const char *p = id; *p != '\0'; p++)
        if (strchr("0123456789abcdef", *p) == NULL)
            return diag_set(d, ERR_INVALID, "\"%s\" is no id of an incident", id);
    return OK;
}

static void put_related(struct text_table *t, const struct jtree *a)
{
    struct buf labels = {0};
    struct jtree_member m = {0};
    text_table_put(t, jtree_text(jtree_get(a, "because")));
    text_table_put(t, jtree_text(jtree_get(a, "state")));
    text_table_put(t, jtree_text(jtree_get(a, "startsAt")));
    while (jtree_is_object(jtree_get(a, "labels")) && jtree_next(jtree_get(a, "labels"), &m))
        buf_printf(&labels, "%s" STR_FMT "=\"" STR_FMT "\"", labels.len > 0 ? " " : "",
                   STR_ARG(m.key), STR_ARG(jtree_text(m.value)));
    text_table_put(t, buf_str(&labels));
    buf_fini(&labels);
}

static void show_one(const struct jtree *incident)
{
    static const char *const RELATED[] = {"Related", "State", "Since", "Labels"};
    struct text_table t = {0};
    const struct jtree *related = jtree_get(incident, "related");
    const struct jtree *alerts = jtree_get(related, "alerts");
    text_table_begin(&t, HEAD, COUNT_OF(HEAD));
    put_row(&t, incident);
    text_table_print(&t, stdout);
    text_table_fini(&t);
    if (jtree_count(alerts) == 0)
        return;
    printf("\n");
    t = (struct text_table){0};
    text_table_begin(&t, RELATED, COUNT_OF(RELATED));
    for (size_t i = 0; i < jtree_count(alerts); i++)
        put_related(&t, jtree_at(alerts, i));
    text_table_print(&t, stdout);
    text_table_fini(&t);
    int64_t more = jtree_int(jtree_get(related, "more"), 0);
    if (more > 0)
        printf("and %lld more\n", (long long)more);
}

static err show(struct alert_client *c, const struct incident_flags *f, const char *id,
                struct diag *d)
{
    struct buf path = {0}, text = {0};
    struct jtree *root = NULL;
    TRY(check_id(id, d));
    buf_printf(&path, "/api/v1/alerting/incidents/%s", id);
    err e = alert_client_get(c, buf_str(&path), &root, &text, d);
    if (e == OK && strcmp(f->output, "json") == 0)
        printf(STR_FMT "\n", STR_ARG(buf_str(&text)));
    else if (e == OK)
        show_one(jtree_get(root, "data"));
    jtree_free(root);
    buf_fini(&path);
    buf_fini(&text);
    return e;
}

static err acknowledge(struct alert_client *c, const struct incident_flags *f, const char *id,
                       struct diag *d)
{
    struct buf path = {0}, body = {0};
    TRY(check_id(id, d));
    buf_printf(&path, "/api/v1/alerting/incidents/%s/ack", id);
    buf_put_str(&body, STR("{\"by\":"));
    json_str(&body, str_from(f->by));
    buf_put_str(&body, STR(",\"comment\":"));
    json_str(&body, str_from(f->comment));
    buf_put_str(&body, STR(",\"expires\":"));
    json_str(&body, str_from(f->expires));
    buf_put_u8(&body, '}');
    err e = alert_client_send(c, "POST", buf_str(&path), buf_slice(&body), NULL, d);
    buf_fini(&path);
    buf_fini(&body);
    return e;
}

int alert_incident(bool ack, int argc, char **argv)
{
    struct flag flags[ALERT_COMMAND_FLAGS_MAX];
    struct incident_flags f;
    struct diag d = {.text = ""};
    struct alert_client *c = NULL;
    char **rest = mem_zalloc((size_t)argc + 1, sizeof(*rest));
    int count = 0, code = 0;
    size_t flag_count = flag_table(&f, ack, flags);
    err e = flags_parse(flags, flag_count, argc, argv, rest, &count, &d);
    if (e == ERR_NOTFOUND) {
        printf("usage: varve alert %s\n\n%s\n\nFlags:\n",
               ack ? "ack [<flags>] <id>..." : "incidents [<flags>] [<id>...]",
               ack ? "Acknowledge incidents: no further level is told."
                   : "Show incidents; those that are named, with the alerts that are related.");
        flags_help(flags, flag_count, stdout);
        mem_free(rest);
        return 0;
    }
    if (e == OK && ack && count == 0)
        e = diag_set(&d, ERR_INVALID, "an id is missing");
    if (e == OK && !ack && strcmp(f.output, "simple") != 0 && strcmp(f.output, "json") != 0)
        e = diag_set(&d, ERR_INVALID, "flag --output: it must be simple or json");
    if (e == OK)
        e = alert_client_open(&f.client, &c, &d);
    if (e == OK && !ack && count == 0)
        e = list(c, &f, &d);
    for (int i = 0; e == OK && i < count; i++)
        e = ack ? acknowledge(c, &f, rest[i], &d) : show(c, &f, rest[i], &d);
    if (e != OK)
        code = alert_failed(ack ? "ack" : "incidents", &d);
    alert_client_close(c);
    mem_free(rest);
    return code;
}
