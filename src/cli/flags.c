/* flags.c -- see flags.h. */
#include "cli/flags.h"

#include <string.h>

#include "base/duration.h"
#include "base/number.h"

static const struct {
    const char *suffix;
    unsigned shift;
} UNITS[] = {{"EiB", 60}, {"PiB", 50}, {"TiB", 40}, {"GiB", 30}, {"MiB", 20},
             {"KiB", 10}, {"EB", 60},  {"PB", 50},  {"TB", 40},  {"GB", 30},
             {"MB", 20},  {"KB", 10},  {"B", 0}};

static err parse_bytes(str s, uint64_t *out)
{
    unsigned shift = 0;
    for (size_t i = 0; i < COUNT_OF(UNITS); i++) {
        if (str_ends(s, str_from(UNITS[i].suffix))) {
            s.len -= strlen(UNITS[i].suffix);
            shift = UNITS[i].shift;
            break;
        }
    }
    uint64_t n;
    TRY(number_parse_u64(s, &n));
    if (n > UINT64_MAX >> shift)
        return ERR_LIMIT;
    *out = n << shift;
    return OK;
}

static err set_value(struct flag *f, char *text, struct diag *d)
{
    str s = str_from(text);
    err e = OK;
    switch (f->type) {
    case FLAG_BOOL:
        if (!str_eq(s, STR("true")) && !str_eq(s, STR("false")))
            e = ERR_INVALID;
        else
            *(bool *)f->value = str_eq(s, STR("true"));
        break;
    case FLAG_TEXT:
        *(const char **)f->value = text;
        break;
    case FLAG_DURATION:
        e = duration_parse(s, f->value, d);
        break;
    case FLAG_BYTES:
        e = parse_bytes(s, f->value);
        break;
    case FLAG_COUNT:
        e = number_parse_u64(s, f->value);
        break;
    case FLAG_TEXTS:
        ((struct texts *)f->value)->items[((struct texts *)f->value)->count++] = s;
        break;
    }
    if (e != OK) {
        char why[DIAG_TEXT_SIZE / 2];
        (void)snprintf(why, sizeof(why), "%.500s", d->text);
        d->text[0] = '\0';
        return diag_set(d, ERR_INVALID, "flag --%s: \"%.200s\" is not a valid %s%s%s", f->name,
                        text, f->placeholder, why[0] != '\0' ? ": " : "", why);
    }
    return OK;
}

static struct flag *find(struct flag *flags, size_t count, str name)
{
    for (size_t i = 0; i < count; i++)
        if (str_eq(name, str_from(flags[i].name)))
            return &flags[i];
    return NULL;
}

/* One argument that starts with "--"; *i moves on when it takes the next as its value. */
static err parse_flag(struct flag *flags, size_t count, int argc, char **argv, int *i,
                      struct diag *d)
{
    char *text = argv[*i] + 2, *eq = strchr(text, '=');
    str name = {text, eq != NULL ? (size_t)(eq - text) : strlen(text)};
    struct flag *f = find(flags, count, name);
    bool negated = f == NULL && eq == NULL && str_starts(name, STR("no-"));
    if (negated) {
        f = find(flags, count, (str){name.ptr + 3, name.len - 3});
        if (f != NULL && f->type != FLAG_BOOL)
            f = NULL;
    }
    if (f == NULL)
        return diag_set(d, ERR_INVALID, "unknown long flag '--" STR_FMT "', try --help",
                        STR_ARG(name));
    if (f->given && f->type != FLAG_TEXTS)
        return diag_set(d, ERR_INVALID, "flag --%s is given twice", f->name);
    f->given = true;
    if (f->type == FLAG_BOOL && eq == NULL) {
        *(bool *)f->value = !negated;
        return OK;
    }
    if (eq == NULL && *i + 1 == argc)
        return diag_set(d, ERR_INVALID, "expected argument for flag '--%s'", f->name);
    return set_value(f, eq != NULL ? eq + 1 : argv[++*i], d);
}

err flags_parse(struct flag *flags, size_t count, int argc, char **argv, char **rest,
                int *rest_count, struct diag *d)
{
    *rest_count = 0;
    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return ERR_NOTFOUND;
        if (strncmp(argv[i], "--", 2) == 0 && argv[i][2] != '\0')
            TRY(parse_flag(flags, count, argc, argv, &i, d));
        else if (argv[i][0] == '-' && argv[i][1] != '\0')
            return diag_set(d, ERR_INVALID, "unknown short flag '%s', try --help", argv[i]);
        else
            rest[(*rest_count)++] = argv[i];
    }
    return OK;
}

void flag_text(const struct flag *f, char *out, size_t size)
{
    char text[DURATION_SIZE_MAX];
    switch (f->type) {
    case FLAG_BOOL:
        (void)snprintf(out, size, "%s", *(bool *)f->value ? "true" : "false");
        break;
    case FLAG_TEXT:
        (void)snprintf(out, size, "%s", *(const char **)f->value);
        break;
    case FLAG_DURATION:
        (void)snprintf(out, size, "%.*s", (int)duration_format(*(int64_t *)f->value, text), text);
        break;
    case FLAG_BYTES:
    case FLAG_COUNT:
        (void)snprintf(out, size, "%llu", (unsigned long long)*(uint64_t *)f->value);
        break;
    case FLAG_TEXTS:
        (void)snprintf(out, size, "%s", "");
        break;
    }
}

void flags_help(const struct flag *flags, size_t count, FILE *to)
{
    for (size_t i = 0; i < count; i++) {
        char value[256];
        flag_text(&flags[i], value, sizeof(value));
        if (flags[i].type == FLAG_BOOL)
            (void)fprintf(to, "  --[no-]%s\n", flags[i].name);
        else
            (void)fprintf(to, "  --%s=<%s>%s%s%s\n", flags[i].name, flags[i].placeholder,
                          value[0] != '\0' ? "  (default: " : "", value,
                          value[0] != '\0' ? ")" : "");
        (void)fprintf(to, "      %s\n", flags[i].help);
    }
}
