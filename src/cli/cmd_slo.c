/* cmd_slo.c -- varve slo: rules out of files of objectives, in the manner of Sloth. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "base/mem.h"
#include "cli/commands.h"
#include "cli/flags.h"
#include "config/config.h"
#include "model/labels.h"
#include "rules/slo_rules.h"

struct slo_flags {
    const char *input, *out, *windows;
    int64_t period_ms;
    struct texts labels;
    bool no_recordings, no_alerts, not_optimized;
};

static size_t flag_table(struct slo_flags *f, bool generate, struct flag *out)
{
    const struct flag FLAGS[] = {
        {"input", "file", "Files of objectives, a pattern such as slo/*.yml; also -i.", FLAG_TEXT,
         &f->input, false},
        {"default-slo-period", "duration",
         "The window of objectives that say none: 28d, 30d or one that has alert windows.",
         FLAG_DURATION, &f->period_ms, false},
        {"slo-period-windows-path", "path",
         "AlertWindows: a file, a pattern, or a directory of *.yml and *.yaml.", FLAG_TEXT,
         &f->windows, false},
        {"out", "file", "Where the rules go; also -o. Default: standard output.", FLAG_TEXT,
         &f->out, false},
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
    memcpy(out, FLAGS, count * sizeof(*FLAGS));
    return count;
}

/* Sloth's short flags; the arguments themselves are not changed. */
static void lengthen(int argc, char **argv)
{
    static char input[] = "--input", out[] = "--out", label[] = "--extra-labels";
    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "-i") == 0)
            argv[i] = input;
        else if (strcmp(argv[i], "-o") == 0)
            argv[i] = out;
        else if (strcmp(argv[i], "-l") == 0)
            argv[i] = label;
    }
}

/* Files of AlertWindows: in a directory, of a pattern, or one. */
static err find_windows(const char *path, struct arena *a, struct texts *yml, struct texts *yaml,
                        struct diag *d)
{
    struct stat s;
    if (path[0] == '\0')
        return OK;
    if (stat(path, &s) != 0 || !S_ISDIR(s.st_mode)) {
        TRY(config_glob(str_from(path), a, yml));
    } else {
        struct buf pattern = {0};
        buf_printf(&pattern, "%s/*.yml", path);
        err e = config_glob(buf_str(&pattern), a, yml);
        buf_reset(&pattern);
        buf_printf(&pattern, "%s/*.yaml", path);
        if (e == OK)
            e = config_glob(buf_str(&pattern), a, yaml);
        buf_fini(&pattern);
        TRY(e);
    }
    if (yml->count + yaml->count == 0)
        return diag_set(d, ERR_NOTFOUND, "flag --slo-period-windows-path: %s: no such file", path);
    return OK;
}

static void add_texts(struct texts *to, const struct texts *from)
{
    for (size_t i = 0; i < from->count; i++)
        to->items[to->count++] = from->items[i];
}

/* Files named by -i, a pattern, by arguments, and those of AlertWindows. */
static err find_files(const struct slo_flags *f, char *const *rest, int count, struct arena *a,
                      struct texts *out, struct diag *d)
{
    struct texts named = {0}, yml = {0}, yaml = {0};
    if (f->input[0] != '\0')
        TRY(config_glob(str_from(f->input), a, &named));
    if (f->input[0] != '\0' && named.count == 0)
        return diag_set(d, ERR_NOTFOUND, "%s: no such file", f->input);
    if (named.count + (size_t)count == 0)
        return diag_set(d, ERR_INVALID, "no file given: try --help");
    TRY(find_windows(f->windows, a, &yml, &yaml, d));
    out->items = ARENA_ARRAY(a, str, named.count + (size_t)count + yml.count + yaml.count);
    if (out->items == NULL)
        return ERR_LIMIT;
    add_texts(out, &named);
    for (int i = 0; i < count; i++)
        out->items[out->count++] = str_from(rest[i]);
    add_texts(out, &yml);
    add_texts(out, &yaml);
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

static err generate(const struct slo_flags *f, const struct rule_group_def *groups, size_t count,
                    struct diag *d)
{
    struct buf text = {0};
    buf_printf(&text,
               "# Rules of service level objectives, generated by Varve %s. Do not edit.\n"
               "---\n",
               varve_version());
    slo_rules_yaml(groups, count, &text);
    err e = write_out(f->out, &text, d);
    buf_fini(&text);
    return e;
}

static void report(const struct slo_set *set, const struct rule_group_def *groups, size_t count)
{
    size_t rules = 0;
    for (size_t i = 0; i < count; i++)
        rules += groups[i].rule_count;
    printf("SUCCESS: %zu objectives, %zu groups, %zu rules\n", set->count, count, rules);
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
    struct rule_group_def *groups = NULL;
    size_t group_count = 0;
    struct buf warnings = {0};
    struct slo_rules_options o = {.period_ms = f->period_ms,
                                  .version = varve_version(),
                                  .generated_by_tool = true,
                                  .no_recordings = f->no_recordings,
                                  .no_alerts = f->no_alerts,
                                  .not_optimized = f->not_optimized};
    arena_init(&a, SLO_MEMORY_BYTES);
    err e = read_labels(&f->labels, &a, &o.extra_labels, d);
    if (e == OK)
        e = find_files(f, rest, count, &a, &files, d);
    if (e == OK)
        e = slo_files_read(files.items, files.count, &a, &set, d);
    if (e == OK && !slo_period_known(&set, f->period_ms))
        e = diag_set(d, ERR_INVALID,
                     "flag --default-slo-period: must be 28d, 30d or a period with AlertWindows");
    if (e == OK)
        e = slo_rules_make(&set, &o, &a, &groups, &group_count, d);
    if (e == OK && to_generate)
        e = generate(f, groups, group_count, d);
    else if (e == OK)
        report(&set, groups, group_count);
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
    struct flag flags[9];
    struct slo_flags f = {.input = "", .out = "", .windows = "", .period_ms = 30 * SLO_DAY_MS};
    struct diag d = {.text = ""};
    int count = 0;
    char **rest = mem_zalloc((size_t)argc + 1, sizeof(*rest));
    f.labels.items = mem_zalloc((size_t)argc + 1, sizeof(str));
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
    mem_free(f.labels.items);
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
                  "usage: varve slo generate -i <file> [-o <file>]   rules as YAML\n"
                  "       varve slo check <files>...                 are they valid? (also: "
                  "validate)\n\n"
                  "Files are Sloth's (prometheus/v1, PrometheusServiceLevel) or OpenSLO v1.\n");
    return help ? 0 : 2;
}
