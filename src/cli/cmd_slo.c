/* cmd_slo.c -- varve slo: rules out of files of objectives, in the manner of Sloth. */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/fs.h"
#include "base/mem.h"
#include "cli/commands.h"
#include "cli/flags.h"
#include "cli/slo_tree.h"
#include "config/config.h"
#include "model/labels.h"
#include "rules/sli_expand.h"
#include "rules/slo_rules.h"

struct slo_flags {
    const char *input, *out, *windows, *include, *exclude;
    int64_t period_ms;
    struct texts labels, sli_plugins, slo_plugins;
    bool no_recordings, no_alerts, not_optimized, no_default_plugins;
};

enum { FLAGS_MAX = 16 };

static size_t flag_table(struct slo_flags *f, bool generate, struct flag *out)
{
    const struct flag FLAGS[] = {
        {"input", "path",
         "Files of objectives: a file, a pattern such as slo/*.yml, or a directory with all below "
         "it; also -i.",
         FLAG_TEXT, &f->input, false},
        {"fs-include", "regex", "Of a directory only files whose path matches; also -n.", FLAG_TEXT,
         &f->include, false},
        {"fs-exclude", "regex", "Of a directory no file whose path matches; also -e.", FLAG_TEXT,
         &f->exclude, false},
        {"default-slo-period", "duration",
         "The window of objectives that say none: 28d, 30d or one that has alert windows.",
         FLAG_DURATION, &f->period_ms, false},
        {"slo-period-windows-path", "path",
         "AlertWindows: a file, a pattern, or a directory of *.yml and *.yaml.", FLAG_TEXT,
         &f->windows, false},
        {"sli-plugins", "path",
         "Declared SLI plugins: a file, a pattern, or a directory of *.yml and *.yaml; may be "
         "repeated.",
         FLAG_TEXTS, &f->sli_plugins, false},
        {"plugins-path", "path", "Sloth's name of --sli-plugins; also -p.", FLAG_TEXTS,
         &f->sli_plugins, false},
        {"slo-plugins", "json",
         "An SLO plugin for all objectives, {\"id\": ..., \"config\": {...}, \"priority\": 0}; "
         "also -s; may be repeated.",
         FLAG_TEXTS, &f->slo_plugins, false},
        {"disable-default-slo-plugins", "", "Only SLO plugins that are named.", FLAG_BOOL,
         &f->no_default_plugins, false},
        {"out", "path",
         "Where the rules go; also -o. Default: standard output; of a directory a directory.",
         FLAG_TEXT, &f->out, false},
        {"extra-labels", "name=value", "A label of all recording rules; also -l; may be repeated.",
         FLAG_TEXTS, &f->labels, false},
        {"disable-recordings", "", "No recording rules.", FLAG_BOOL, &f->no_recordings, false},
        {"disable-alerts", "", "No alerting rules.", FLAG_BOOL, &f->no_alerts, false},
        {"disable-optimized-rules", "",
         "The ratio over the whole period from raw samples, as those over other windows.",
         FLAG_BOOL, &f->not_optimized, false},
    };
    enum { OF_GENERATE = 5 }; /* the last ones */
    size_t count = generate ? COUNT_OF(FLAGS) : COUNT_OF(FLAGS) - OF_GENERATE;
    static_assert(COUNT_OF(FLAGS) <= FLAGS_MAX, "room of the callers");
    memcpy(out, FLAGS, count * sizeof(*FLAGS));
    return count;
}

/* Sloth's short flags; the arguments themselves are not changed. */
static void lengthen(int argc, char **argv)
{
    static char input[] = "--input", out[] = "--out", label[] = "--extra-labels",
                path[] = "--plugins-path", plugin[] = "--slo-plugins", include[] = "--fs-include",
                exclude[] = "--fs-exclude";
    static const struct {
        const char *brief;
        char *full;
    } FLAGS[] = {{"-i", input},  {"-o", out},     {"-l", label},  {"-p", path},
                 {"-s", plugin}, {"-n", include}, {"-e", exclude}};
    for (int i = 0; i < argc; i++)
        for (size_t k = 0; k < COUNT_OF(FLAGS); k++)
            if (strcmp(argv[i], FLAGS[k].brief) == 0)
                argv[i] = FLAGS[k].full;
}

struct files {
    struct texts list;
    size_t room;
};

static err add(struct files *to, const struct texts *found, struct arena *a)
{
    size_t count = to->list.count + found->count;
    if (count > to->room) {
        str *more = arena_grow(a, to->list.items, to->list.count, count * 2, sizeof(*more));
        if (more == NULL)
            return ERR_LIMIT;
        to->list.items = more;
        to->room = count * 2;
    }
    for (size_t i = 0; i < found->count; i++)
        to->list.items[to->list.count++] = found->items[i];
    return OK;
}

static err add_found(struct files *to, str pattern, struct arena *a)
{
    struct texts found = {0};
    TRY(config_glob(pattern, a, &found));
    return add(to, &found, a);
}

static err add_tree(struct files *to, const struct slo_flags *f, const char *path, struct arena *a,
                    struct diag *d)
{
    const struct slo_tree tree = {path, f->include, f->exclude};
    struct texts found = {0};
    TRY(slo_tree_find(&tree, a, &found, d));
    return add(to, &found, a);
}

/* Files of a pattern, or one; with `flag` set also those of a directory. */
static err find(struct files *to, str path, const char *flag, struct arena *a, struct diag *d)
{
    static const char *const ENDS[] = {"/*.yml", "/*.yaml"};
    bool directory = flag != NULL && slo_tree_is_directory(path.ptr);
    size_t before = to->list.count;
    err e = directory ? OK : add_found(to, path, a);
    for (size_t i = 0; directory && i < COUNT_OF(ENDS) && e == OK; i++) {
        struct buf pattern = {0};
        buf_printf(&pattern, STR_FMT "%s", STR_ARG(path), ENDS[i]);
        e = add_found(to, buf_str(&pattern), a);
        buf_fini(&pattern);
    }
    if (e != OK || to->list.count > before)
        return e;
    return diag_set(d, ERR_NOTFOUND, "%s%s%s" STR_FMT ": %s", flag != NULL ? "flag " : "",
                    flag != NULL ? flag : "", flag != NULL ? ": " : "", STR_ARG(path),
                    directory ? "no file *.yml or *.yaml in it" : "no such file");
}

/* Files named by -i, a pattern, by arguments, and those of AlertWindows and plugins; of directories
 * all that is below. */
static err find_files(const struct slo_flags *f, char *const *rest, int count, struct arena *a,
                      struct texts *out, struct diag *d)
{
    struct files all = {0};
    if (slo_tree_is_directory(f->input))
        TRY(add_tree(&all, f, f->input, a, d));
    else if (f->input[0] != '\0')
        TRY(find(&all, str_from(f->input), NULL, a, d));
    if (all.list.count + (size_t)count == 0)
        return diag_set(d, ERR_INVALID, "no file given: try --help");
    for (int i = 0; i < count; i++) {
        str name = str_from(rest[i]);
        if (slo_tree_is_directory(rest[i]))
            TRY(add_tree(&all, f, rest[i], a, d));
        else
            TRY(add(&all, &(struct texts){&name, 1}, a));
    }
    if (f->windows[0] != '\0')
        TRY(find(&all, str_from(f->windows), "--slo-period-windows-path", a, d));
    for (size_t i = 0; i < f->sli_plugins.count; i++)
        TRY(find(&all, f->sli_plugins.items[i], "--sli-plugins", a, d));
    *out = all.list;
    return OK;
}

/* SLO plugins of the command line. */
static err read_plugins(const struct texts *texts, struct arena *a, struct slo_plugin_list *out,
                        struct diag *d)
{
    struct decode c = {.path = "flag --slo-plugins", .arena = a, .d = d};
    out->items = ARENA_ARRAY(a, struct slo_plugin, texts->count + 1);
    if (out->items == NULL)
        return ERR_LIMIT;
    for (size_t i = 0; i < texts->count; i++) {
        struct diag why = {.text = ""};
        struct yaml *n = NULL;
        err e = yaml_parse(str_bytes(texts->items[i]), a, &n, &why);
        if (e != OK)
            return diag_set(d, e, "flag --slo-plugins:%s", why.text);
        TRY(slo_plugin_read(&c, n, &out->items[out->count]));
        out->items[out->count++].line = 0; /* it has no place in a file */
    }
    return OK;
}

static err write_out(const char *path, const struct buf *text, struct diag *d)
{
    if (path[0] == '\0' || strcmp(path, "-") == 0)
        return fwrite(text->ptr, 1, text->len, stdout) == text->len && fflush(stdout) == 0
                   ? OK
                   : diag_set(d, ERR_IO, "standard output cannot be written");
    err e = fs_write_file(fs_posix(), path, buf_slice(text));
    return e == OK ? OK : diag_set(d, e, "%s: cannot be written", path);
}

static err generate(const struct slo_flags *f, const struct texts *files, const struct slo_set *set,
                    const struct slo_rules_options *o, struct arena *a, struct diag *d)
{
    const struct slo_tree tree = {f->input, f->include, f->exclude};
    struct buf head = {0}, text = {0};
    buf_printf(&head, "# Rules of service level objectives, generated by Varve %s. Do not edit.\n",
               varve_version());
    buf_put(&text, head.ptr, head.len);
    err e = slo_rules_documents(set, o, a, &text, d);
    if (e == OK)
        e = slo_tree_is_directory(f->input)
                ? slo_tree_write(&tree, files, set, o, buf_str(&head), f->out, a, d)
                : write_out(f->out, &text, d);
    buf_fini(&head);
    buf_fini(&text);
    return e;
}

static err check(const struct slo_set *set, const struct slo_rules_options *o, struct arena *a,
                 struct diag *d)
{
    struct rule_group_def *groups = NULL;
    size_t count = 0, rules = 0;
    TRY(slo_rules_make(set, o, a, &groups, &count, d));
    for (size_t i = 0; i < count; i++)
        rules += groups[i].rule_count;
    printf("SUCCESS: %zu objectives, %zu groups, %zu rules\n", set->count, count, rules);
    return OK;
}

static err read_labels(const struct texts *texts, struct arena *a, struct pairs *out,
                       struct diag *d)
{
    out->items = ARENA_ARRAY(a, struct pair, texts->count + 1);
    if (out->items == NULL)
        return ERR_LIMIT;
    for (size_t i = 0; i < texts->count; i++) {
        str text = texts->items[i];
        const char *eq = memchr(text.ptr, '=', text.len);
        str name = {text.ptr, eq != NULL ? (size_t)(eq - text.ptr) : 0};
        if (!label_name_is_legacy(name) || str_eq(name, LABEL_NAME))
            return diag_set(d, ERR_INVALID,
                            "flag --extra-labels: \"" STR_FMT "\" is not name=value",
                            STR_ARG(text));
        out->items[out->count++] = (struct pair){name, {eq + 1, text.len - name.len - 1}};
    }
    return OK;
}

static err run(const struct slo_flags *f, bool to_generate, char *const *rest, int count,
               struct diag *d)
{
    struct arena a;
    struct texts files = {0};
    struct slo_set set = {0};
    struct buf warnings = {0};
    struct slo_rules_options o = {.period_ms = f->period_ms,
                                  .version = varve_version(),
                                  .generated_by_tool = true,
                                  .no_recordings = f->no_recordings,
                                  .no_alerts = f->no_alerts,
                                  .not_optimized = f->not_optimized,
                                  .no_default_plugins = f->no_default_plugins};
    struct slo_plugin_list plugins = {0};
    arena_init(&a, SLO_MEMORY_BYTES);
    err e = read_labels(&f->labels, &a, &o.extra_labels, d);
    if (e == OK && to_generate && slo_tree_is_directory(f->input))
        e = slo_tree_check_out(&(struct slo_tree){.path = f->input}, f->out, d);
    if (e == OK)
        e = find_files(f, rest, count, &a, &files, d);
    if (e == OK)
        e = read_plugins(&f->slo_plugins, &a, &plugins, d);
    if (e == OK)
        e = slo_files_read_with(files.items, files.count, &plugins, &a, &set, d);
    if (e == OK)
        e = sli_expand(&set, &a, d);
    if (e == OK && !slo_period_known(&set, f->period_ms))
        e = diag_set(d, ERR_INVALID,
                     "flag --default-slo-period: must be 28d, 30d or a period with AlertWindows");
    if (e == OK)
        e = to_generate ? generate(f, &files, &set, &o, &a, d) : check(&set, &o, &a, d);
    if (e == OK)
        slo_rules_warnings(&set, &o, &warnings);
    if (warnings.len > 0)
        (void)fprintf(stderr, "WARNING: %s", buf_cstr(&warnings));
    buf_fini(&warnings);
    arena_fini(&a);
    return e;
}

static int run_command(const char *name, bool to_generate, int argc, char **argv)
{
    struct flag flags[FLAGS_MAX];
    struct slo_flags f = {.input = "",
                          .out = "",
                          .windows = "",
                          .include = "",
                          .exclude = "",
                          .period_ms = 30 * SLO_DAY_MS};
    struct diag d = {.text = ""};
    int count = 0;
    char **rest = mem_zalloc((size_t)argc + 1, sizeof(*rest));
    struct texts *const lists[] = {&f.labels, &f.sli_plugins, &f.slo_plugins};
    for (size_t i = 0; i < COUNT_OF(lists); i++)
        lists[i]->items = mem_zalloc((size_t)argc + 1, sizeof(str));
    size_t flag_count = flag_table(&f, to_generate, flags);
    lengthen(argc, argv);
    err e = flags_parse(flags, flag_count, argc, argv, rest, &count, &d);
    bool help = e == ERR_NOTFOUND;
    if (help) {
        printf("usage: varve slo %s [<flags>] [<files>...]\n\nFlags:\n", name);
        flags_help(flags, flag_count, stdout);
    } else if (e == OK) {
        e = run(&f, to_generate, rest, count, &d);
    }
    if (e != OK && !help)
        (void)fprintf(stderr, "varve slo %s: error: %s\n", name,
                      d.text[0] != '\0' ? d.text : err_name(e));
    for (size_t i = 0; i < COUNT_OF(lists); i++)
        mem_free(lists[i]->items);
    mem_free(rest);
    return e == OK || help ? 0 : 1;
}

int cmd_slo(int argc, char **argv)
{
    const char *name = argc > 0 ? argv[0] : "";
    bool help = strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0;
    if (strcmp(name, "generate") == 0)
        return run_command(name, true, argc - 1, argv + 1);
    if (strcmp(name, "validate") == 0 || strcmp(name, "check") == 0)
        return run_command(name, false, argc - 1, argv + 1);
    (void)fprintf(help ? stdout : stderr,
                  "usage: varve slo generate -i <file or directory> [-o <same>]   rules as YAML\n"
                  "       varve slo check <files>...   are they valid? (also: "
                  "validate)\n\n"
                  "Files are Sloth's (prometheus/v1, PrometheusServiceLevel) or OpenSLO v1.\n");
    return help ? 0 : 2;
}
