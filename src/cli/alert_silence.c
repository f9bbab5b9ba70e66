/* alert_silence.c -- varve alert silence: add, list, expire, update, as amtool has them. */
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/compiler.h"
#include "base/duration.h"
#include "base/mem.h"
#include "cli/alert_silence_list.h"
#include "http/postable.h"

enum {
    HOUR_MS = 3600 * 1000,
    LIST_BYTES_MAX = 1 << 30, /* of silences in memory */
    IDS_MAX = 10000,          /* on a command line */
    NAME_SIZE = 256,
};

struct silence_flags {
    struct alert_client_flags client;
    const char *output, *author, *comment, *start, *end, *created_by, *id;
    int64_t duration_ms, within_ms; /* 0: not given */
    bool expired, quiet;
};

enum verb { ADD = 1, LIST = 2, EXPIRE = 4, UPDATE = 8 };

/* The flags of one verb. */
static size_t flag_table(struct silence_flags *f, enum verb verb, struct flag *out)
{
    const struct {
        struct flag flag;
        unsigned verbs;
    } FLAGS[] = {
        {{"output", "format", "simple, extended or json.", FLAG_TEXT, &f->output, false},
         LIST | UPDATE},
        {{"quiet", "", "Only ids.", FLAG_BOOL, &f->quiet, false}, LIST | UPDATE},
        {{"expired", "", "Those that have ended, instead of the others.", FLAG_BOOL, &f->expired,
          false},
         LIST},
        {{"within", "duration", "Only those that end within it, or ended.", FLAG_DURATION,
          &f->within_ms, false},
         LIST},
        {{"created-by", "name", "Only those of this author.", FLAG_TEXT, &f->created_by, false},
         LIST},
        {{"id", "id", "Only this one.", FLAG_TEXT, &f->id, false}, LIST},
        {{"author", "name", "Who silences; default: the user.", FLAG_TEXT, &f->author, false}, ADD},
        {{"comment", "text", "Why; required to add one.", FLAG_TEXT, &f->comment, false},
         ADD | UPDATE},
        {{"duration", "duration", "How long from its start.", FLAG_DURATION, &f->duration_ms,
          false},
         ADD | UPDATE},
        {{"start", "time", "RFC 3339; default: now.", FLAG_TEXT, &f->start, false}, ADD | UPDATE},
        {{"end", "time", "RFC 3339; goes before the duration.", FLAG_TEXT, &f->end, false},
         ADD | UPDATE},
    };
    size_t count = ALERT_CLIENT_FLAGS;
    *f = (struct silence_flags){.output = "simple",
                                .author = "",
                                .comment = "",
                                .start = "",
                                .end = "",
                                .created_by = "",
                                .id = "",
                                .duration_ms = verb == ADD ? HOUR_MS : 0};
    alert_client_flags(&f->client, out);
    for (size_t i = 0; i < COUNT_OF(FLAGS); i++)
        if ((FLAGS[i].verbs & verb) != 0)
            out[count++] = FLAGS[i].flag;
    return count;
}

static err time_flag(const char *name, const char *text, int64_t *out, struct diag *d)
{
    if (text[0] == '\0' || postable_time(str_from(text), out))
        return OK;
    return diag_set(d, ERR_INVALID, "flag --%s: \"%s\" is no time like 2006-01-02T15:04:05Z", name,
                    text);
}

/* ---- add ---- */

static void user_name(char out[NAME_SIZE])
{
    struct passwd entry, *found = NULL;
    char text[4096];
    const char *name = getenv("USER");
    if ((name == NULL || name[0] == '\0') &&
        getpwuid_r(geteuid(), &entry, text, sizeof(text), &found) == 0 && found != NULL)
        name = found->pw_name;
    (void)snprintf(out, NAME_SIZE, "%s", name != NULL ? name : "");
}

/* The id a server gave to what was posted, as a line. */
static err post(struct alert_client *c, const struct silence *s, struct buf *id, struct diag *d)
{
    struct buf body = {0}, answer = {0};
    struct jtree *root = NULL;
    silence_body(s, &body);
    err e = alert_client_send(c, "POST", STR("/silences"), buf_slice(&body), &answer, d);
    if (e == OK && (jtree_parse_lax(buf_slice(&answer), &root, NULL) != OK ||
                    jtree_text(jtree_get(root, "silenceID")).len == 0))
        e = diag_set(d, ERR_INVALID, "the server did not say which id the silence has");
    if (e == OK)
        buf_put_str(id, jtree_text(jtree_get(root, "silenceID")));
    jtree_free(root);
    buf_fini(&body);
    buf_fini(&answer);
    return e;
}

static err add(struct alert_client *c, const struct silence_flags *f, char *const *args, int count,
               struct arena *a, struct diag *d)
{
    char author[NAME_SIZE];
    struct buf id = {0};
    int64_t now_ms = clock_wall_ms();
    struct silence s = {.starts_at_ms = now_ms, .updated_at_ms = now_ms};
    user_name(author);
    s.created_by = str_from(f->author[0] != '\0' ? f->author : author);
    s.comment = str_from(f->comment);
    if (count == 0)
        return diag_set(d, ERR_INVALID, "no matchers specified");
    if (f->comment[0] == '\0')
        return diag_set(d, ERR_INVALID, "comment required: --comment says why");
    TRY(time_flag("start", f->start, &s.starts_at_ms, d));
    s.ends_at_ms = s.starts_at_ms + f->duration_ms;
    TRY(time_flag("end", f->end, &s.ends_at_ms, d));
    if (s.ends_at_ms <= s.starts_at_ms)
        return diag_set(d, ERR_INVALID, "silence cannot start after it ends");
    err e = alert_matchers_of(args, count, a, &s.matchers, d);
    if (e == OK)
        e = post(c, &s, &id, d);
    if (e == OK)
        printf("%s\n", buf_cstr(&id));
    alert_matchers_fini(&s.matchers);
    buf_fini(&id);
    return e;
}

/* ---- list ---- */

static bool is_shown(const struct shown_silence *s, const struct silence_flags *f, int64_t now_ms)
{
    int64_t ends_ms = s->silence.ends_at_ms;
    if (f->expired != str_eq(s->state, STR("expired")))
        return false;
    if (f->within_ms > 0 &&
        (f->expired ? ends_ms < now_ms - f->within_ms : ends_ms > now_ms + f->within_ms))
        return false;
    return (f->created_by[0] == '\0' || str_eq(s->silence.created_by, str_from(f->created_by))) &&
           (f->id[0] == '\0' || str_eq(s->silence.id, str_from(f->id)));
}

static void print(struct shown_silence *items, size_t count, const struct silence_flags *f,
                  enum alert_output output)
{
    for (size_t i = 0; f->quiet && i < count; i++)
        printf(STR_FMT "\n", STR_ARG(items[i].silence.id));
    if (!f->quiet)
        shown_silences_print(items, count, output);
}

static err choose(const struct jtree *root, const struct silence_flags *f, struct arena *a,
                  enum alert_output output, struct diag *d)
{
    size_t all = jtree_is_array(root) ? jtree_count(root) : 0, count = 0;
    int64_t now_ms = clock_wall_ms();
    struct shown_silence *items = ARENA_ARRAY(a, struct shown_silence, all + 1);
    if (items == NULL)
        return diag_set(d, ERR_LIMIT, "the list of silences is too large");
    for (size_t i = 0; i < all; i++) {
        TRY(shown_silence_read(jtree_at(root, i), a, &items[count], d));
        count += is_shown(&items[count], f, now_ms);
    }
    print(items, count, f, output);
    return OK;
}

static err list(struct alert_client *c, const struct silence_flags *f, char *const *args, int count,
                struct arena *a, enum alert_output output, struct diag *d)
{
    struct alert_matchers ms = {NULL, 0};
    struct buf path = {0};
    struct jtree *root = NULL;
    buf_put_str(&path, STR("/silences"));
    err e = alert_matchers_of(args, count, a, &ms, d);
    alert_filters(&path, &ms);
    if (e == OK)
        e = alert_client_get(c, buf_str(&path), &root, NULL, d);
    if (e == OK)
        e = choose(root, f, a, output, d);
    alert_matchers_fini(&ms);
    jtree_free(root);
    buf_fini(&path);
    return e;
}

/* ---- expire, update ---- */

static err check_ids(char *const *ids, int count, struct diag *d)
{
    if (count == 0)
        return diag_set(d, ERR_INVALID, "no silence IDs specified");
    if (count > IDS_MAX)
        return diag_set(d, ERR_LIMIT, "more than %d silences", IDS_MAX);
    for (int i = 0; i < count; i++)
        if (!postable_is_uuid(str_from(ids[i])))
            return diag_set(d, ERR_INVALID, "\"%s\" is no id of a silence", ids[i]);
    return OK;
}

static void one_path(const char *id, struct buf *out)
{
    buf_reset(out);
    buf_printf(out, "/silence/%s", id);
}

static err expire(struct alert_client *c, char *const *ids, int count, struct diag *d)
{
    struct buf path = {0};
    err e = check_ids(ids, count, d);
    for (int i = 0; e == OK && i < count; i++) {
        one_path(ids[i], &path);
        e = alert_client_send(c, "DELETE", buf_str(&path), (slice){NULL, 0}, NULL, d);
    }
    buf_fini(&path);
    return e;
}

static err change(const struct silence_flags *f, struct silence *s, struct diag *d)
{
    TRY(time_flag("start", f->start, &s->starts_at_ms, d));
    if (f->duration_ms > 0)
        s->ends_at_ms = s->starts_at_ms + f->duration_ms;
    TRY(time_flag("end", f->end, &s->ends_at_ms, d));
    if (f->comment[0] != '\0')
        s->comment = str_from(f->comment);
    return s->ends_at_ms > s->starts_at_ms
               ? OK
               : diag_set(d, ERR_INVALID, "silence cannot start after it ends");
}

/* Change one; the trees of answers stay, since what is shown points into them. */
static err update_one(struct alert_client *c, const struct silence_flags *f, const char *id,
                      struct arena *a, struct jtree **root, struct shown_silence *out,
                      struct diag *d)
{
    struct buf path = {0}, new_id = {0};
    one_path(id, &path);
    err e = alert_client_get(c, buf_str(&path), root, NULL, d);
    if (e == OK)
        e = shown_silence_read(*root, a, out, d);
    if (e == OK)
        e = change(f, &out->silence, d);
    if (e == OK)
        e = post(c, &out->silence, &new_id, d);
    if (e == OK)
        out->silence.id = arena_str(a, buf_str(&new_id));
    buf_fini(&path);
    buf_fini(&new_id);
    return e;
}

static err update(struct alert_client *c, const struct silence_flags *f, char *const *ids,
                  int count, struct arena *a, enum alert_output output, struct diag *d)
{
    TRY(check_ids(ids, count, d));
    struct jtree **roots = mem_zalloc((size_t)count, sizeof(*roots));
    struct shown_silence *items = mem_zalloc((size_t)count, sizeof(*items));
    err e = OK;
    int done = 0;
    while (e == OK && done < count) {
        e = update_one(c, f, ids[done], a, &roots[done], &items[done], d);
        done += e == OK;
    }
    if (done > 0)
        print(items, (size_t)done, f, output);
    for (int i = 0; i < count; i++)
        jtree_free(roots[i]);
    mem_free(roots);
    mem_free(items);
    return e;
}

/* ---- The command ---- */

static const struct {
    const char *name, *args, *help;
    enum verb verb;
} VERBS[] = {
    {"add", "<matcher>...",
     "Silence alerts with all of these labels. A first word that is no matcher is an alertname.",
     ADD},
    {"list", "[<matcher>...]", "Show silences, those that have each of these very matchers.", LIST},
    {"query", "[<matcher>...]", "The same as list.", LIST},
    {"expire", "<id>...", "Let silences end now.", EXPIRE},
    {"update", "<id>...", "Change silences. One that cannot be changed gets another id.", UPDATE},
};

static int run(size_t verb, const struct silence_flags *f, char *const *args, int count,
               enum alert_output output)
{
    struct diag d = {.text = ""};
    struct arena a;
    struct alert_client *c = NULL;
    char name[32];
    arena_init(&a, LIST_BYTES_MAX);
    err e = alert_client_open(&f->client, &c, &d);
    if (e == OK && VERBS[verb].verb == ADD)
        e = add(c, f, args, count, &a, &d);
    else if (e == OK && VERBS[verb].verb == LIST)
        e = list(c, f, args, count, &a, output, &d);
    else if (e == OK && VERBS[verb].verb == EXPIRE)
        e = expire(c, args, count, &d);
    else if (e == OK)
        e = update(c, f, args, count, &a, output, &d);
    alert_client_close(c);
    arena_fini(&a);
    (void)snprintf(name, sizeof(name), "silence %s", VERBS[verb].name);
    return e == OK ? 0 : alert_failed(name, &d);
}

static int run_verb(size_t verb, int argc, char **argv)
{
    struct flag flags[ALERT_COMMAND_FLAGS_MAX];
    struct silence_flags f;
    struct diag d = {.text = ""};
    enum alert_output output = ALERT_OUTPUT_SIMPLE;
    char **rest = mem_zalloc((size_t)argc + 1, sizeof(*rest));
    size_t flag_count = flag_table(&f, VERBS[verb].verb, flags);
    int count = 0, code = 2;
    err e = flags_parse(flags, flag_count, argc, argv, rest, &count, &d);
    if (e == OK)
        e = alert_output_of(f.output, &output, &d);
    if (e == ERR_NOTFOUND) {
        printf("usage: varve alert silence %s [<flags>] %s\n\n%s\n\nFlags:\n", VERBS[verb].name,
               VERBS[verb].args, VERBS[verb].help);
        flags_help(flags, flag_count, stdout);
        code = 0;
    } else if (e != OK) {
        (void)alert_failed("silence", &d);
    } else {
        code = run(verb, &f, rest, count, output);
    }
    mem_free(rest);
    return code;
}

int alert_silence(int argc, char **argv)
{
    bool help = argc > 0 && (strcmp(argv[0], "--help") == 0 || strcmp(argv[0], "-h") == 0);
    for (size_t i = 0; argc > 0 && i < COUNT_OF(VERBS); i++)
        if (strcmp(argv[0], VERBS[i].name) == 0)
            return run_verb(i, argc - 1, argv + 1);
    for (size_t i = 0; i < COUNT_OF(VERBS); i++)
        (void)fprintf(help ? stdout : stderr, "%s varve alert silence %s [<flags>] %s\n",
                      i == 0 ? "usage:" : "      ", VERBS[i].name, VERBS[i].args);
    return help ? 0 : 2;
}
