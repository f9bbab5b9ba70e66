/* alert_maintenance.c -- varve alert maintenance: windows are listed, added, overridden, removed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/compiler.h"
#include "base/duration.h"
#include "base/json_text.h"
#include "base/mem.h"
#include "cli/alert_commands.h"

enum {
    HOUR_MS = 3600 * 1000,
    MATCHERS_BYTES_MAX = 64 << 20,
};

#define WINDOWS "/api/v1/alerting/maintenance"

struct maintenance_flags {
    struct alert_client_flags client;
    const char *output, *name, *comment, *author, *start, *end, *by, *reason;
    int64_t duration_ms;
};

enum verb { LIST = 1, ADD = 2, OVERRIDE = 4, REMOVE = 8 };

/* The flags of one verb. */
static size_t flag_table(struct maintenance_flags *f, enum verb verb, struct flag *out)
{
    const struct {
        struct flag flag;
        unsigned verbs;
    } FLAGS[] = {
        {{"output", "format", "simple or json.", FLAG_TEXT, &f->output, false}, LIST},
        {{"name", "name", "What the window is called; required.", FLAG_TEXT, &f->name, false}, ADD},
        {{"author", "name", "Who makes it; default: the user.", FLAG_TEXT, &f->author, false}, ADD},
        {{"comment", "text", "Why.", FLAG_TEXT, &f->comment, false}, ADD},
        {{"start", "time", "RFC 3339; default: now.", FLAG_TEXT, &f->start, false}, ADD},
        {{"duration", "duration", "How long from its start.", FLAG_DURATION, &f->duration_ms,
          false},
         ADD},
        {{"end", "time", "RFC 3339; goes before the duration.", FLAG_TEXT, &f->end, false}, ADD},
        {{"by", "name", "Who overrides; default: the user.", FLAG_TEXT, &f->by, false}, OVERRIDE},
        {{"reason", "text", "Why.", FLAG_TEXT, &f->reason, false}, OVERRIDE},
    };
    size_t count = ALERT_CLIENT_FLAGS;
    const char *user = getenv("USER"); /* before any thread */
    user = user != NULL ? user : "";
    *f = (struct maintenance_flags){.output = "simple",
                                    .name = "",
                                    .comment = "",
                                    .author = user,
                                    .start = "",
                                    .end = "",
                                    .by = user,
                                    .reason = "",
                                    .duration_ms = HOUR_MS};
    alert_client_flags(&f->client, out);
    for (size_t i = 0; i < COUNT_OF(FLAGS); i++)
        if ((FLAGS[i].verbs & verb) != 0)
            out[count++] = FLAGS[i].flag;
    return count;
}

/* ---- list ---- */

static void put_occurrence(struct text_table *t, const struct jtree *o)
{
    text_table_put(t, jtree_text(jtree_get(o, "startsAt")));
    text_table_put(t, jtree_text(jtree_get(o, "endsAt")));
}

static void put_row(struct text_table *t, const struct jtree *w)
{
    struct buf matchers = {0};
    const struct jtree *sets = jtree_get(w, "matchers");
    str state = jtree_text(jtree_get(w, "state"));
    bool under_way = str_eq(state, STR("active")) || str_eq(state, STR("overridden"));
    for (size_t i = 0; i < jtree_count(sets); i++)
        buf_printf(&matchers, "%s" STR_FMT, i > 0 ? " or " : "",
                   STR_ARG(jtree_text(jtree_at(sets, i))));
    text_table_put(t, jtree_text(jtree_get(w, "name")));
    text_table_put(t, state);
    put_occurrence(t, jtree_get(w, under_way ? "current" : "next"));
    text_table_put(t, buf_str(&matchers));
    text_table_put(t, jtree_text(jtree_get(w, "createdBy")));
    text_table_put(t, jtree_text(jtree_get(w, "comment")));
    buf_fini(&matchers);
}

static err list(struct alert_client *c, const struct maintenance_flags *f, struct diag *d)
{
    static const char *const HEAD[] = {"Name",     "State",      "Starts At", "Ends At",
                                       "Matchers", "Created By", "Comment"};
    static const struct alert_columns ALL = {HEAD, COUNT_OF(HEAD), put_row};
    bool json = strcmp(f->output, "json") == 0;
    if (!json && strcmp(f->output, "simple") != 0)
        return diag_set(d, ERR_INVALID, "flag --output: it must be simple or json");
    return alert_print_list(c, STR(WINDOWS), json, &ALL, d);
}

/* ---- add ---- */

static err time_flag(const char *name, const char *text, int64_t *out, struct diag *d)
{
    if (text[0] == '\0' || timestamp_parse(str_from(text), out, NULL) == OK)
        return OK;
    return diag_set(d, ERR_INVALID, "flag --%s: \"%s\" is no time like 2006-01-02T15:04:05Z", name,
                    text);
}

static void put_time(struct buf *body, const char *key, int64_t ms)
{
    char text[64];
    size_t n = timestamp_format_rfc3339(ms, text);
    buf_printf(body, ",\"%s\":", key);
    json_str(body, (str){text, n});
}

static void put_body(struct buf *body, const struct maintenance_flags *f,
                     const struct alert_matchers *ms, int64_t starts_at_ms, int64_t ends_at_ms)
{
    struct buf matcher = {0};
    buf_put_str(body, STR("{\"name\":"));
    json_str(body, str_from(f->name));
    buf_put_str(body, STR(",\"comment\":"));
    json_str(body, str_from(f->comment));
    buf_put_str(body, STR(",\"created_by\":"));
    json_str(body, str_from(f->author));
    put_time(body, "starts_at", starts_at_ms);
    put_time(body, "ends_at", ends_at_ms);
    buf_put_str(body, STR(",\"matchers\":["));
    for (size_t i = 0; i < ms->count; i++) {
        buf_reset(&matcher);
        alert_matcher_format(&ms->items[i], &matcher);
        buf_put_str(body, i > 0 ? STR(",") : STR(""));
        json_str(body, buf_str(&matcher));
    }
    buf_put_str(body, STR("]}"));
    buf_fini(&matcher);
}

static err add(struct alert_client *c, const struct maintenance_flags *f, char *const *args,
               int count, struct diag *d)
{
    struct arena a;
    struct alert_matchers ms = {NULL, 0};
    struct buf body = {0};
    int64_t starts_at_ms = clock_wall_ms();
    if (f->name[0] == '\0')
        return diag_set(d, ERR_INVALID, "required flag --name not provided");
    if (count == 0)
        return diag_set(d, ERR_INVALID, "no matchers specified");
    TRY(time_flag("start", f->start, &starts_at_ms, d));
    int64_t ends_at_ms = starts_at_ms + f->duration_ms;
    TRY(time_flag("end", f->end, &ends_at_ms, d));
    arena_init(&a, MATCHERS_BYTES_MAX);
    err e = alert_matchers_of(args, count, &a, &ms, d);
    if (e == OK) {
        put_body(&body, f, &ms, starts_at_ms, ends_at_ms);
        e = alert_client_send(c, "POST", STR(WINDOWS), buf_slice(&body), NULL, d);
    }
    alert_matchers_fini(&ms);
    arena_fini(&a);
    buf_fini(&body);
    return e;
}

/* ---- override, remove ---- */

/* A name as a part of a path. */
static void put_path(struct buf *path, const char *name)
{
    static const char DIGITS[] = "0123456789ABCDEF";
    buf_put_str(path, STR(WINDOWS "/"));
    for (const char *p = name; *p != '\0'; p++) {
        unsigned char c = (unsigned char)*p;
        bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                     strchr("-_.~", c) != NULL;
        if (plain) {
            buf_put_u8(path, c);
        } else {
            buf_put_u8(path, '%');
            buf_put_u8(path, (uint8_t)DIGITS[c >> 4]);
            buf_put_u8(path, (uint8_t)DIGITS[c & 15]);
        }
    }
}

static err change(struct alert_client *c, const struct maintenance_flags *f, enum verb verb,
                  const char *name, struct diag *d)
{
    struct buf path = {0}, body = {0};
    put_path(&path, name);
    if (verb == OVERRIDE) {
        buf_put_str(&path, STR("/override"));
        buf_put_str(&body, STR("{\"by\":"));
        json_str(&body, str_from(f->by));
        buf_put_str(&body, STR(",\"reason\":"));
        json_str(&body, str_from(f->reason));
        buf_put_u8(&body, '}');
    }
    err e = alert_client_send(c, verb == OVERRIDE ? "POST" : "DELETE", buf_str(&path),
                              buf_slice(&body), NULL, d);
    buf_fini(&path);
    buf_fini(&body);
    return e;
}

static err change_all(struct alert_client *c, const struct maintenance_flags *f, enum verb verb,
                      char *const *names, int count, struct diag *d)
{
    err e = count > 0 ? OK : diag_set(d, ERR_INVALID, "a name is missing");
    for (int i = 0; e == OK && i < count; i++)
        e = change(c, f, verb, names[i], d);
    return e;
}

/* ---- The command ---- */

static const struct {
    const char *name, *args, *help;
    enum verb verb;
} VERBS[] = {
    {"list", "", "Show maintenance windows.", LIST},
    {"add", "<matcher>...",
     "Make a window: alerts with all of these labels tell nobody. A first word that is no matcher "
     "is an alertname.",
     ADD},
    {"override", "<name>...", "End what is under way, for good: an emergency.", OVERRIDE},
    {"remove", "<name>...", "Take windows away that were made with add.", REMOVE},
};

static int run(size_t verb, const struct maintenance_flags *f, char *const *args, int count)
{
    struct diag d = {.text = ""};
    struct alert_client *c = NULL;
    char name[32];
    err e = alert_client_open(&f->client, &c, &d);
    if (e == OK && VERBS[verb].verb == LIST)
        e = count == 0 ? list(c, f, &d) : diag_set(&d, ERR_INVALID, "no arguments are expected");
    else if (e == OK && VERBS[verb].verb == ADD)
        e = add(c, f, args, count, &d);
    else if (e == OK)
        e = change_all(c, f, VERBS[verb].verb, args, count, &d);
    alert_client_close(c);
    (void)snprintf(name, sizeof(name), "maintenance %s", VERBS[verb].name);
    return e == OK ? 0 : alert_failed(name, &d);
}

static int run_verb(size_t verb, int argc, char **argv)
{
    struct flag flags[ALERT_COMMAND_FLAGS_MAX];
    struct maintenance_flags f;
    struct diag d = {.text = ""};
    char **rest = mem_zalloc((size_t)argc + 1, sizeof(*rest));
    size_t flag_count = flag_table(&f, VERBS[verb].verb, flags);
    int count = 0, code = 2;
    err e = flags_parse(flags, flag_count, argc, argv, rest, &count, &d);
    if (e == ERR_NOTFOUND) {
        printf("usage: varve alert maintenance %s [<flags>] %s\n\n%s\n\nFlags:\n", VERBS[verb].name,
               VERBS[verb].args, VERBS[verb].help);
        flags_help(flags, flag_count, stdout);
        code = 0;
    } else if (e != OK) {
        (void)alert_failed("maintenance", &d);
    } else {
        code = run(verb, &f, rest, count);
    }
    mem_free(rest);
    return code;
}

int alert_maintenance(int argc, char **argv)
{
    bool help = argc > 0 && (strcmp(argv[0], "--help") == 0 || strcmp(argv[0], "-h") == 0);
    for (size_t i = 0; argc > 0 && i < COUNT_OF(VERBS); i++)
        if (strcmp(argv[0], VERBS[i].name) == 0)
            return run_verb(i, argc - 1, argv + 1);
    if (argc == 0 || (!help && argv[0][0] == '-')) /* list is what is meant without a word */
        return run_verb(0, argc, argv);
    for (size_t i = 0; i < COUNT_OF(VERBS); i++)
        (void)fprintf(help ? stdout : stderr, "%s varve alert maintenance %s [<flags>] %s\n",
                      i == 0 ? "usage:" : "      ", VERBS[i].name, VERBS[i].args);
    return help ? 0 : 2;
}
