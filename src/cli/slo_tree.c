/* slo_tree.c -- see slo_tree.h. */
#include "cli/slo_tree.h"

#include <strings.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "base/regex.h"

enum { DEPTH_MAX = 32 };

bool slo_tree_is_directory(const char *path)
{
    struct stat s;
    return stat(path, &s) == 0 && S_ISDIR(s.st_mode);
}

/* ---- Finding ---- */

struct walk {
    struct regex_search *include, *exclude; /* NULL: not asked */
    struct arena *arena;
    struct texts *out; /* room for SLO_FILES_MAX */
    struct diag *d;
};

static bool is_yaml(const char *name)
{
    const char *end = strrchr(name, '.');
    return end != NULL && (strcasecmp(end, ".yml") == 0 || strcasecmp(end, ".yaml") == 0);
}

static err add_file(struct walk *w, str path)
{
    if ((w->exclude != NULL && regex_search_match(w->exclude, path)) ||
        (w->include != NULL && !regex_search_match(w->include, path)))
        return OK;
    if (w->out->count == SLO_FILES_MAX)
        return diag_set(w->d, ERR_LIMIT, "more than %d files of objectives", SLO_FILES_MAX);
    str kept = arena_str(w->arena, path);
    if (kept.ptr == NULL)
        return ERR_LIMIT;
    w->out->items[w->out->count++] = kept;
    return OK;
}

static err walk(struct walk *w, const char *path, int depth);

/* Symbolic links to directories are not followed: Sloth does not, and they may lead back. */
static err visit(struct walk *w, const char *directory, const char *name, int depth)
{
    struct stat s;
    struct buf path = {0};
    size_t end = strlen(directory);
    buf_printf(&path, "%s%s%s", directory, end > 0 && directory[end - 1] == '/' ? "" : "/", name);
    err e = OK;
    if (lstat(buf_cstr(&path), &s) == 0 && S_ISDIR(s.st_mode))
        e = walk(w, buf_cstr(&path), depth + 1);
    else if (is_yaml(name) && stat(buf_cstr(&path), &s) == 0 && S_ISREG(s.st_mode))
        e = add_file(w, buf_str(&path));
    buf_fini(&path);
    return e;
}

static err walk(struct walk *w, const char *path, int depth)
{
    struct buf names = {0};
    if (depth > DEPTH_MAX)
        return diag_set(w->d, ERR_LIMIT, "%s: more than %d directories deep", path, DEPTH_MAX);
    err e = fs_list(fs_posix(), path, &names);
    if (e != OK)
        (void)diag_set(w->d, e, "%s: cannot be read", path);
    const char *name = e == OK ? fs_list_next(&names, NULL) : NULL;
    for (; e == OK && name != NULL; name = fs_list_next(&names, name))
        e = visit(w, path, name, depth);
    buf_fini(&names);
    return e;
}

static err compile(const char *flag, const char *text, struct regex_search **out, struct diag *d)
{
    struct diag why = {.text = ""};
    if (text[0] == '\0')
        return OK;
    err e = regex_search_compile(str_from(text), out, &why);
    return e == OK ? OK : diag_set(d, e, "flag %s: %s", flag, why.text);
}

err slo_tree_find(const struct slo_tree *t, struct arena *a, struct texts *out, struct diag *d)
{
    struct walk w = {.arena = a, .out = out, .d = d};
    *out = (struct texts){ARENA_ARRAY(a, str, SLO_FILES_MAX), 0};
    err e = out->items != NULL ? OK : ERR_LIMIT;
    if (e == OK)
        e = compile("--fs-include", t->include, &w.include, d);
    if (e == OK)
        e = compile("--fs-exclude", t->exclude, &w.exclude, d);
    if (e == OK)
        e = walk(&w, t->path, 0);
    regex_search_close(w.include);
    regex_search_close(w.exclude);
    if (e == OK && out->count == 0)
        return diag_set(d, ERR_NOTFOUND, "%s: no file *.yml or *.yaml in it", t->path);
    return e == OK ? OK : diag_set(d, e, "%s: too large", t->path);
}

/* ---- Writing ---- */

err slo_tree_check_out(const struct slo_tree *t, const char *out, struct diag *d)
{
    struct stat in, to;
    if (!slo_tree_is_directory(out))
        return diag_set(d, ERR_INVALID, "%s: of a directory the rules go to a directory: --out",
                        out[0] != '\0' ? out : "-");
    if (stat(t->path, &in) == 0 && stat(out, &to) == 0 && in.st_dev == to.st_dev &&
        in.st_ino == to.st_ino)
        return diag_set(d, ERR_INVALID, "%s: input and output are the same directory", out);
    return OK;
}

/* The directories of a path below `from` bytes. */
static err make_directories(char *path, size_t from, struct diag *d)
{
    for (char *slash = strchr(path + from, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        err e = fs_mkdir(fs_posix(), path);
        if (e != OK)
            return diag_set(d, e, "%s: cannot be made", path);
        *slash = '/';
    }
    return OK;
}

static err write_file(const struct slo_tree *t, str from, const struct buf *text, const char *out,
                      struct diag *d)
{
    struct buf path = {0};
    size_t skip = strlen(t->path);
    while (skip < from.len && from.ptr[skip] == '/')
        skip++;
    buf_printf(&path, "%s/", out);
    size_t below = path.len;
    buf_put(&path, from.ptr + skip, from.len - skip);
    buf_put_u8(&path, '\0');
    err e = make_directories((char *)path.ptr, below, d);
    if (e == OK && fs_write_file(fs_posix(), (const char *)path.ptr, buf_slice(text)) != OK)
        e = diag_set(d, ERR_IO, "%s: cannot be written", (const char *)path.ptr);
    buf_fini(&path);
    return e;
}

/* The objectives of one file. */
static struct slo_set of_file(const struct slo_set *set, str path, struct slo_def *room)
{
    struct slo_set part = *set;
    part.defs = room;
    part.count = 0;
    for (size_t i = 0; i < set->count; i++)
        if (str_eq(set->defs[i].path, path))
            room[part.count++] = set->defs[i];
    return part;
}

err slo_tree_write(const struct slo_tree *t, const struct texts *files, const struct slo_set *set,
                   const struct slo_rules_options *o, str head, const char *out, struct arena *a,
                   struct diag *d)
{
    struct slo_def *room = ARENA_ARRAY(a, struct slo_def, set->count + 1);
    struct buf text = {0};
    err e = room != NULL ? OK : diag_set(d, ERR_LIMIT, "rules of objectives: too large");
    for (size_t i = 0; i < files->count && e == OK; i++) {
        struct slo_set part = of_file(set, files->items[i], room);
        if (part.count == 0)
            continue;
        buf_reset(&text);
        buf_put_str(&text, head);
        e = slo_rules_documents(&part, o, a, &text, d);
        if (e == OK)
            e = write_file(t, files->items[i], &text, out, d);
    }
    buf_fini(&text);
    return e;
}
