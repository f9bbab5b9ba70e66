/* namespaces.c -- see namespaces.h. */
#include "rules/namespaces.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "rules/manager.h"

static const char SUFFIX[] = ".yml";

struct namespace
{
    unsigned refs; /* of sets that have it */
    struct arena arena;
    str name;
    struct rule_file file;
    struct buf yaml;
};

struct namespaces {
    struct fs *fs;
    struct buf dir;
    struct rule_check check;
    struct namespace **items; /* sorted by name */
    size_t count;
};

static void drop(struct namespace *s)
{
    if (s == NULL || --s->refs > 0)
        return;
    arena_fini(&s->arena);
    buf_fini(&s->yaml);
    mem_free(s);
}

/* ---- Names ---- */

static void encode_name(str name, struct buf *out)
{
    for (size_t i = 0; i < name.len; i++) {
        unsigned char ch = (unsigned char)name.ptr[i];
        bool plain = (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') ||
                     (ch >= '0' && ch <= '9') || ch == '-' || ch == '_';
        if (plain)
            buf_put_u8(out, ch);
        else
            buf_printf(out, "%%%02x", ch);
    }
}

static int hex(char ch)
{
    return ch >= '0' && ch <= '9' ? ch - '0' : ch >= 'a' && ch <= 'f' ? ch - 'a' + 10 : -1;
}

static bool decode_name(str file, struct buf *out)
{
    if (!str_ends(file, str_from(SUFFIX)))
        return false;
    for (size_t i = 0; i < file.len - strlen(SUFFIX); i++) {
        if (file.ptr[i] != '%') {
            buf_put_u8(out, (uint8_t)file.ptr[i]);
            continue;
        }
        int hi = i + 2 < file.len ? hex(file.ptr[i + 1]) : -1;
        int lo = i + 2 < file.len ? hex(file.ptr[i + 2]) : -1;
        if (hi < 0 || lo < 0)
            return false;
        buf_put_u8(out, (uint8_t)(hi * 16 + lo));
        i += 2;
    }
    return out->len > 0;
}

static const char *path_of(const struct namespaces *n, str name, struct buf *out)
{
    struct buf file = {0};
    encode_name(name, &file);
    buf_put_str(&file, str_from(SUFFIX));
    const char *path = fs_join(out, (const char *)n->dir.ptr, buf_cstr(&file));
    buf_fini(&file);
    return path;
}

/* ---- Making ---- */

static err first_error(err e, const struct rule_errors *errors, struct diag *d)
{
    return errors->count > 0 ? diag_set(d, e, STR_FMT, STR_ARG(errors->items[0])) : e;
}

static err make(str name, slice yaml, const struct rule_check *check, struct namespace **out,
                struct diag *d)
{
    struct namespace *s = mem_zalloc(1, sizeof(*s));
    struct rule_errors errors;
    struct buf path = {0};
    s->refs = 1;
    arena_init(&s->arena, RULE_FILE_MEMORY_BYTES);
    s->name = arena_str(&s->arena, name);
    buf_put(&s->yaml, yaml.ptr, yaml.len);
    buf_printf(&path, "api:" STR_FMT, STR_ARG(name));
    err e = s->name.ptr == NULL
                ? ERR_LIMIT
                : rule_check_text(buf_cstr(&path), yaml, check, &s->arena, &s->file, &errors);
    if (e != OK && s->name.ptr != NULL)
        (void)first_error(e, &errors, d);
    buf_fini(&path);
    if (e != OK) {
        drop(s);
        return e;
    }
    *out = s;
    return OK;
}

static struct namespaces *make_set(struct fs *fs, str dir, const struct rule_check *check,
                                   size_t room)
{
    struct namespaces *n = mem_zalloc(1, sizeof(*n));
    n->fs = fs;
    buf_put_str(&n->dir, dir);
    (void)buf_cstr(&n->dir);
    n->check = *check;
    n->items = mem_zalloc(room + 1, sizeof(struct namespace *));
    return n;
}

void namespaces_close(struct namespaces *n)
{
    if (n == NULL)
        return;
    for (size_t i = 0; i < n->count; i++)
        drop(n->items[i]);
    mem_free(n->items);
    buf_fini(&n->dir);
    mem_free(n);
}

static int compare(const void *a, const void *b)
{
    return str_cmp((*(struct namespace *const *)a)->name, (*(struct namespace *const *)b)->name);
}

/* All of `from` but `name`, and `added` (NULL: nothing), whose reference is taken over. */
static struct namespaces *changed(const struct namespaces *from, str name, struct namespace *added)
{
    struct namespaces *n = make_set(from->fs, buf_str(&from->dir), &from->check, from->count + 1);
    for (size_t i = 0; i < from->count; i++) {
        if (str_eq(from->items[i]->name, name))
            continue;
        n->items[n->count] = from->items[i];
        n->items[n->count++]->refs++;
    }
    if (added != NULL)
        n->items[n->count++] = added;
    if (n->count > 1)
        qsort(n->items, n->count, sizeof(struct namespace *), compare);
    return n;
}

static void read_file(struct namespaces *n, const char *file)
{
    struct buf name = {0}, path = {0}, text = {0};
    struct diag d = {.text = ""};
    struct namespace *s;
    fs_join(&path, buf_cstr(&n->dir), file);
    err e = fs_read_file(n->fs, buf_cstr(&path), RULE_FILE_SIZE_MAX, &text);
    if (e == OK && decode_name(str_from(file), &name)) {
        e = make(buf_str(&name), buf_slice(&text), &n->check, &s, &d);
        if (e == OK)
            n->items[n->count++] = s;
    }
    if (e != OK)
        log_error("rules that were set by the API cannot be read and are not used",
                  LOG_CSTR("path", buf_cstr(&path)), LOG_CSTR("reason", d.text), LOG_ERR(e));
    buf_fini(&text);
    buf_fini(&path);
    buf_fini(&name);
}

err namespaces_open(struct fs *fs, const char *dir, const struct rule_check *check,
                    struct namespaces **out, struct diag *d)
{
    struct buf names = {0};
    err e = fs_make_dir(fs, dir);
    if (e == OK)
        e = fs_list(fs, dir, &names);
    size_t count = 0;
    for (const char *f = NULL; e == OK && (f = fs_list_next(&names, f)) != NULL;)
        count++;
    if (e == OK && count > RULES_NAMESPACES_MAX)
        e = diag_set(d, ERR_LIMIT, "%s: more than %d files", dir, RULES_NAMESPACES_MAX);
    if (e == OK) {
        struct namespaces *n = make_set(fs, str_from(dir), check, count);
        for (const char *f = NULL; (f = fs_list_next(&names, f)) != NULL;)
            if (str_ends(str_from(f), str_from(SUFFIX)))
                read_file(n, f);
        if (n->count > 1)
            qsort(n->items, n->count, sizeof(struct namespace *), compare);
        *out = n;
    }
    buf_fini(&names);
    return e == OK ? OK : diag_set(d, e, "%s: %s", dir, err_name(e));
}

/* ---- Looking ---- */

size_t namespaces_count(const struct namespaces *n)
{
    return n->count;
}

str namespaces_name(const struct namespaces *n, size_t i)
{
    return n->items[i]->name;
}

const struct rule_file *namespaces_file(const struct namespaces *n, size_t i)
{
    return &n->items[i]->file;
}

size_t namespaces_find(const struct namespaces *n, str name)
{
    for (size_t i = 0; i < n->count; i++)
        if (str_eq(n->items[i]->name, name))
            return i;
    return SIZE_MAX;
}

/* ---- Changing ---- */

static err check_name(str name, struct diag *d)
{
    struct buf encoded = {0};
    encode_name(name, &encoded);
    size_t size = encoded.len;
    buf_fini(&encoded);
    if (name.len == 0 || !utf8_valid(name) || memchr(name.ptr, '\0', name.len) != NULL)
        return diag_set(d, ERR_INVALID, "the namespace must be text and not empty");
    if (size > RULES_NAMESPACE_BYTES_MAX)
        return diag_set(d, ERR_LIMIT, "the namespace is too long: %zu bytes when escaped, limit %d",
                        size, RULES_NAMESPACE_BYTES_MAX);
    return OK;
}

/* The groups of a file without `name` and with `added` (NULL: nothing) as a namespace. */
static err rewritten(const struct namespaces *n, str name, const struct rule_file *old, str without,
                     const struct rule_group_def *added, struct namespace **out, struct diag *d)
{
    size_t count = 0, had = old != NULL ? old->group_count : 0;
    struct rule_group_def *groups = mem_zalloc(had + 1, sizeof(*groups));
    struct buf yaml = {0};
    for (size_t i = 0; i < had; i++)
        if (!str_eq(old->groups[i].name, without))
            groups[count++] = old->groups[i];
    if (added != NULL)
        groups[count++] = *added;
    struct rule_file f = {.groups = groups, .group_count = count};
    err e = count <= RULES_NAMESPACE_GROUPS_MAX
                ? OK
                : diag_set(d, ERR_LIMIT, "more than %d groups in one namespace",
                           RULES_NAMESPACE_GROUPS_MAX);
    *out = NULL;
    if (e == OK && count > 0) {
        rule_file_yaml(&f, &yaml);
        e = make(name, buf_slice(&yaml), &n->check, out, d);
    }
    buf_fini(&yaml);
    mem_free(groups);
    return e;
}

err namespaces_with(const struct namespaces *n, str name, slice yaml, struct namespaces **out,
                    struct diag *d)
{
    struct rule_check one = n->check;
    struct namespace *group = NULL, *fresh = NULL;
    size_t at = namespaces_find(n, name);
    TRY(check_name(name, d));
    if (yaml.len > RULES_GROUP_BYTES_MAX)
        return diag_set(d, ERR_LIMIT, "the group is larger than %d bytes", RULES_GROUP_BYTES_MAX);
    if (at == SIZE_MAX && n->count >= RULES_NAMESPACES_MAX)
        return diag_set(d, ERR_LIMIT, "more than %d namespaces", RULES_NAMESPACES_MAX);
    one.one_group = true;
    TRY(make(name, yaml, &one, &group, d));
    const struct rule_group_def *def = &group->file.groups[0];
    err e =
        rewritten(n, name, at != SIZE_MAX ? &n->items[at]->file : NULL, def->name, def, &fresh, d);
    drop(group);
    if (e == OK)
        *out = changed(n, name, fresh);
    return e;
}

static bool has_group(const struct rule_file *f, str group)
{
    for (size_t i = 0; i < f->group_count; i++)
        if (str_eq(f->groups[i].name, group))
            return true;
    return false;
}

err namespaces_without(const struct namespaces *n, str name, str group, struct namespaces **out,
                       struct diag *d)
{
    size_t at = namespaces_find(n, name);
    struct namespace *rest = NULL;
    if (at == SIZE_MAX || (group.ptr != NULL && !has_group(&n->items[at]->file, group)))
        return diag_set(d, ERR_NOTFOUND, "group does not exist");
    if (group.ptr != NULL)
        TRY(rewritten(n, name, &n->items[at]->file, group, NULL, &rest, d));
    *out = changed(n, name, rest);
    return OK;
}

err namespaces_save(const struct namespaces *n, str name)
{
    struct buf path = {0};
    size_t at = namespaces_find(n, name);
    path_of(n, name, &path);
    err e;
    if (at != SIZE_MAX) {
        e = fs_write_file(n->fs, buf_cstr(&path), buf_slice(&n->items[at]->yaml));
    } else {
        e = fs_unlink(n->fs, buf_cstr(&path));
        if (e == OK || e == ERR_NOTFOUND)
            e = fs_sync_dir(n->fs, (const char *)n->dir.ptr);
    }
    buf_fini(&path);
    return e;
}
