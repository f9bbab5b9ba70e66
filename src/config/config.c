/* config.c -- see config.h. Sections of Prometheus' file that this version does not act on are
 * refused by name: a file that loads is a file that is obeyed. */
#include "config/config.h"

#include "base/duration.h"
#include "base/fs.h"
#include "base/mem.h"
#include "config/yaml.h"

enum {
    CONFIG_ARENA_BYTES_MAX = 64 << 20,
    INTERVAL_MS_DEFAULT = 60000, /* Prometheus' for scraping and evaluation */
};

static err fail(const char *path, const struct yaml *n, const char *what, struct diag *d)
{
    return diag_set(d, ERR_INVALID, "%s:%u:%u: \"" STR_FMT "\": %s", path, n->line, n->column,
                    STR_ARG(n->key), what);
}

static err read_duration(const char *path, const struct yaml *n, int64_t *out, struct diag *d)
{
    struct diag why = {.text = ""};
    if (n->type != YAML_SCALAR)
        return fail(path, n, "must be a duration", d);
    if (duration_parse(n->text, out, &why) != OK)
        return fail(path, n, why.text, d);
    return OK;
}

static err read_global(const char *path, const struct yaml *global, struct config *c,
                       struct diag *d)
{
    if (global->type != YAML_MAP && global->type != YAML_NULL)
        return fail(path, global, "must be a map", d);
    for (const struct yaml *n = global->first; n != NULL; n = n->next) {
        if (str_eq(n->key, STR("evaluation_interval")))
            TRY(read_duration(path, n, &c->evaluation_interval_ms, d));
        else if (str_eq(n->key, STR("scrape_interval")))
            TRY(read_duration(path, n, &c->scrape_interval_ms, d));
        else
            return fail(path, n, "this version does not support this setting", d);
    }
    return OK;
}

static err read_root(const char *path, const struct yaml *root, struct config *c, struct diag *d)
{
    if (root->type == YAML_NULL)
        return OK;
    if (root->type != YAML_MAP)
        return diag_set(d, ERR_INVALID, "%s: must be a YAML map", path);
    for (const struct yaml *n = root->first; n != NULL; n = n->next) {
        if (!str_eq(n->key, STR("global")))
            return fail(path, n, "this version does not support this section", d);
        TRY(read_global(path, n, c, d));
    }
    return OK;
}

static err parse(const char *path, slice text, struct config *c, struct diag *d)
{
    struct arena a;
    struct yaml *root;
    struct diag why = {.text = ""};
    arena_init(&a, CONFIG_ARENA_BYTES_MAX);
    err e = yaml_parse(text, &a, &root, &why);
    if (e != OK)
        e = diag_set(d, ERR_INVALID, "%s:%s", path, why.text);
    else
        e = read_root(path, root, c, d);
    arena_fini(&a);
    return e;
}

err config_load(const char *path, struct config **out, struct diag *d)
{
    struct config *c = mem_zalloc(1, sizeof(*c));
    struct buf text = {0};
    err e = OK;
    if (path[0] != '\0') {
        e = fs_read_file(fs_posix(), path, YAML_SIZE_MAX, &text);
        if (e != OK)
            (void)diag_set(d, e, "configuration file \"%s\": %s", path,
                           e == ERR_NOTFOUND ? "no such file"
                           : e == ERR_LIMIT  ? "larger than 1 MiB"
                                             : "cannot be read");
        else
            e = parse(path, buf_slice(&text), c, d);
    }
    buf_fini(&text);
    if (e != OK) {
        config_free(c);
        return e;
    }
    *out = c;
    return OK;
}

static void put_duration(struct buf *out, const char *name, int64_t ms, int64_t default_ms)
{
    char text[DURATION_SIZE_MAX];
    size_t n = duration_format(ms > 0 ? ms : default_ms, text);
    buf_printf(out, "  %s: %.*s\n", name, (int)n, text);
}

void config_yaml(const struct config *c, struct buf *out)
{
    buf_put_str(out, STR("global:\n"));
    put_duration(out, "scrape_interval", c->scrape_interval_ms, INTERVAL_MS_DEFAULT);
    put_duration(out, "evaluation_interval", c->evaluation_interval_ms, INTERVAL_MS_DEFAULT);
}

void config_free(struct config *c)
{
    mem_free(c);
}
