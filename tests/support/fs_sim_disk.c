/* fs_sim_disk.c -- what the simulated disk holds: contents as seen, as synced, and what is between.
 * See fs_sim_priv.h. */
#include "support/fs_sim_priv.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"

uint64_t sim_random(struct fs_sim *sim)
{
    uint64_t z = (sim->random += 0x9e3779b97f4a7c15u); /* splitmix64 */
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

bool sim_chance(struct fs_sim *sim, unsigned percent)
{
    return sim_random(sim) % 100 < percent;
}

static char *copy_name(const char *name)
{
    if (name == NULL)
        return NULL;
    size_t size = strlen(name) + 1;
    return memcpy(mem_alloc(size), name, size);
}

/* Room for one more of `size` bytes in the array `p` of `count` elements. */
static void *grow(void *p, size_t count, size_t *cap, size_t size)
{
    if (count < *cap)
        return p;
    *cap = MAX(*cap * 2, (size_t)8);
    return mem_resize(p, *cap, size);
}

/* Entries of directories. */

struct sim_entry *sim_entry_find(const struct sim_entries *entries, const char *name)
{
    for (size_t i = 0; i < entries->count; i++)
        if (strcmp(entries->at[i].name, name) == 0)
            return &entries->at[i];
    return NULL;
}

static void entries_remove(struct sim_entries *entries, const char *name)
{
    struct sim_entry *entry = sim_entry_find(entries, name);
    if (entry == NULL)
        return;
    mem_free(entry->name);
    *entry = entries->at[--entries->count];
}

static void entries_add(struct sim_entries *entries, const char *name, size_t node)
{
    entries_remove(entries, name);
    entries->at = grow(entries->at, entries->count, &entries->cap, sizeof(*entries->at));
    entries->at[entries->count++] = (struct sim_entry){copy_name(name), node};
}

static void entries_fini(struct sim_entries *entries)
{
    for (size_t i = 0; i < entries->count; i++)
        mem_free(entries->at[i].name);
    mem_free(entries->at);
    *entries = (struct sim_entries){0};
}

static void entries_copy(struct sim_entries *to, const struct sim_entries *from)
{
    entries_fini(to);
    for (size_t i = 0; i < from->count; i++)
        entries_add(to, from->at[i].name, from->at[i].node);
}

/* Nodes. */

size_t sim_add_node(struct fs_sim *sim, enum sim_kind kind)
{
    sim->nodes = grow(sim->nodes, sim->node_count, &sim->node_cap, sizeof(*sim->nodes));
    sim->nodes[sim->node_count] = (struct sim_node){.kind = kind};
    return sim->node_count++;
}

static void forget_changes(struct sim_node *n)
{
    for (size_t i = 0; i < n->change_count; i++)
        buf_fini(&n->changes[i].bytes);
    n->change_count = 0;
}

void sim_node_fini(struct sim_node *n)
{
    forget_changes(n);
    mem_free(n->changes);
    buf_fini(&n->now);
    buf_fini(&n->synced);
    entries_fini(&n->names);
    entries_fini(&n->synced_names);
}

static void put_change(struct sim_node *n, struct sim_change change)
{
    n->changes = grow(n->changes, n->change_count, &n->change_cap, sizeof(*n->changes));
    n->changes[n->change_count++] = change;
}

void sim_node_copy(struct sim_node *to, const struct sim_node *from)
{
    *to = (struct sim_node){.kind = from->kind, .links = from->links};
    buf_put(&to->now, from->now.ptr, from->now.len);
    buf_put(&to->synced, from->synced.ptr, from->synced.len);
    for (size_t i = 0; i < from->change_count; i++) {
        struct sim_change change = from->changes[i];
        change.bytes = (struct buf){0};
        buf_put(&change.bytes, from->changes[i].bytes.ptr, from->changes[i].bytes.len);
        put_change(to, change);
    }
    entries_copy(&to->names, &from->names);
    entries_copy(&to->synced_names, &from->synced_names);
}

/* The entry named by the first part of `*path`, which is moved behind it. */
static size_t find_part(const struct fs_sim *sim, size_t dir, const char **path)
{
    const char *end = strchr(*path, '/');
    size_t len = end != NULL ? (size_t)(end - *path) : strlen(*path);
    const struct sim_entries *names = &sim->nodes[dir].names;
    str part = {*path, len};
    *path += len;
    for (size_t i = 0; i < names->count; i++)
        if (str_eq(str_from(names->at[i].name), part))
            return names->at[i].node;
    return SIZE_MAX;
}

static size_t walk(const struct fs_sim *sim, const char *path, const char *end)
{
    size_t node = 0;
    while (node != SIZE_MAX) {
        while (path < end && (*path == '/' || (*path == '.' && (path[1] == '/' || !path[1]))))
            path++;
        if (path >= end)
            break;
        node = sim->nodes[node].kind == SIM_DIR ? find_part(sim, node, &path) : SIZE_MAX;
    }
    return node;
}

size_t sim_find(const struct fs_sim *sim, const char *path)
{
    return walk(sim, path, path + strlen(path));
}

size_t sim_find_parent(const struct fs_sim *sim, const char *path, const char **name)
{
    const char *slash = strrchr(path, '/');
    *name = slash != NULL ? slash + 1 : path;
    size_t dir = slash != NULL ? walk(sim, path, slash) : 0;
    return dir != SIZE_MAX && sim->nodes[dir].kind == SIM_DIR && **name != '\0' ? dir : SIZE_MAX;
}

/* Images of files. */

void sim_image_truncate(struct buf *image, uint64_t size)
{
    if (size > image->len) {
        size_t more = (size_t)size - image->len;
        memset(buf_reserve(image, more), 0, more);
    }
    image->len = (size_t)size;
}

void sim_image_write(struct buf *image, const uint8_t *bytes, size_t size, uint64_t pos)
{
    if (pos + size > image->len)
        sim_image_truncate(image, pos + size);
    memcpy(image->ptr + pos, bytes, size);
}

void sim_write(struct fs_sim *sim, size_t node, const uint8_t *bytes, size_t size, uint64_t pos)
{
    struct sim_node *n = &sim->nodes[node];
    if (size == 0)
        return;
    sim_image_write(&n->now, bytes, size, pos);
    struct sim_change change = {.pos = pos};
    buf_put(&change.bytes, bytes, size);
    put_change(n, change);
}

void sim_truncate(struct fs_sim *sim, size_t node, uint64_t size)
{
    struct sim_node *n = &sim->nodes[node];
    sim_image_truncate(&n->now, size);
    put_change(n, (struct sim_change){.is_truncate = true, .pos = size});
}

void sim_sync_file(struct sim_node *n)
{
    for (size_t i = 0; i < n->change_count; i++) {
        const struct sim_change *c = &n->changes[i];
        if (c->is_truncate)
            sim_image_truncate(&n->synced, c->pos);
        else
            sim_image_write(&n->synced, c->bytes.ptr, c->bytes.len, c->pos);
    }
    forget_changes(n);
}

/* Write a random part of the sectors of `c`. */
static void land_sectors(struct fs_sim *sim, struct sim_node *n, const struct sim_change *c,
                         unsigned percent)
{
    for (size_t at = 0; at < c->bytes.len;) {
        uint64_t pos = c->pos + at;
        size_t size = MIN((size_t)(SIM_SECTOR - pos % SIM_SECTOR), c->bytes.len - at);
        if (sim_chance(sim, percent))
            sim_image_write(&n->synced, c->bytes.ptr + at, size, pos);
        at += size;
    }
}

/* Let a random part of the unsynced changes reach the disk and forget the rest. */
static void land_some(struct fs_sim *sim, struct sim_node *n)
{
    static const unsigned percents[] = {0, 10, 50, 90, 100};
    unsigned percent = percents[sim_random(sim) % COUNT_OF(percents)];
    for (size_t i = 0; i < n->change_count; i++) {
        const struct sim_change *c = &n->changes[i];
        if (!c->is_truncate)
            land_sectors(sim, n, c, percent);
        else if (sim_chance(sim, percent))
            sim_image_truncate(&n->synced, c->pos);
    }
    /* The file's size may be durable without its data. */
    if (n->change_count > 0 && n->now.len > n->synced.len && sim_chance(sim, 50))
        sim_image_truncate(&n->synced, n->now.len);
    forget_changes(n);
}

void sim_lose_some(struct fs_sim *sim, size_t node)
{
    land_some(sim, &sim->nodes[node]);
}

/* Directories. */

static void apply(struct fs_sim *sim, const struct sim_dir_change *c, bool synced)
{
    if (c->remove != NULL) {
        struct sim_node *from = &sim->nodes[c->from_dir];
        entries_remove(synced ? &from->synced_names : &from->names, c->remove);
    }
    if (c->add != NULL) {
        struct sim_node *to = &sim->nodes[c->to_dir];
        entries_add(synced ? &to->synced_names : &to->names, c->add, c->node);
    }
}

static void count_links(struct fs_sim *sim)
{
    for (size_t i = 0; i < sim->node_count; i++)
        sim->nodes[i].links = 0;
    for (size_t i = 0; i < sim->node_count; i++)
        for (size_t k = 0; k < sim->nodes[i].names.count; k++)
            sim->nodes[sim->nodes[i].names.at[k].node].links++;
}

void sim_change_dirs(struct fs_sim *sim, struct sim_dir_change change)
{
    change.add = copy_name(change.add);
    change.remove = copy_name(change.remove);
    apply(sim, &change, false);
    sim->dir_changes = grow(sim->dir_changes, sim->dir_change_count, &sim->dir_change_cap,
                            sizeof(*sim->dir_changes));
    sim->dir_changes[sim->dir_change_count++] = change;
    count_links(sim);
}

static bool touches(const struct sim_dir_change *c, const bool *dirs)
{
    return (c->add != NULL && dirs[c->to_dir]) || (c->remove != NULL && dirs[c->from_dir]);
}

/* Renames tie directories together: with one of them the other is synced. */
static void mark_tied(const struct fs_sim *sim, bool *dirs)
{
    for (bool again = true; again;) {
        again = false;
        for (size_t i = 0; i < sim->dir_change_count; i++) {
            const struct sim_dir_change *c = &sim->dir_changes[i];
            if (c->add == NULL || c->remove == NULL || dirs[c->to_dir] == dirs[c->from_dir])
                continue;
            dirs[c->to_dir] = dirs[c->from_dir] = again = true;
        }
    }
}

void sim_dir_change_copy(struct sim_dir_change *to, const struct sim_dir_change *from)
{
    *to = *from;
    to->add = copy_name(from->add);
    to->remove = copy_name(from->remove);
}

void sim_dir_change_fini(struct sim_dir_change *c)
{
    mem_free((void *)(uintptr_t)c->add);
    mem_free((void *)(uintptr_t)c->remove);
}

void sim_sync_dir(struct fs_sim *sim, size_t dir)
{
    bool *dirs = mem_zalloc(sim->node_count, sizeof(*dirs));
    dirs[dir] = true;
    mark_tied(sim, dirs);
    size_t kept = 0;
    for (size_t i = 0; i < sim->dir_change_count; i++) {
        struct sim_dir_change c = sim->dir_changes[i];
        if (touches(&c, dirs)) {
            apply(sim, &c, true);
            sim_dir_change_fini(&c);
        } else {
            sim->dir_changes[kept++] = c;
        }
    }
    sim->dir_change_count = kept;
    mem_free(dirs);
}

void sim_power_loss(struct fs_sim *sim)
{
    static const unsigned percents[] = {0, 50, 80, 100};
    unsigned percent = percents[sim_random(sim) % COUNT_OF(percents)];
    for (size_t i = 0; i < sim->dir_change_count; i++) {
        if (sim_chance(sim, percent))
            apply(sim, &sim->dir_changes[i], true);
        sim_dir_change_fini(&sim->dir_changes[i]);
    }
    sim->dir_change_count = 0;
    for (size_t i = 0; i < sim->node_count; i++) {
        struct sim_node *n = &sim->nodes[i];
        land_some(sim, n);
        buf_reset(&n->now);
        buf_put(&n->now, n->synced.ptr, n->synced.len);
        entries_copy(&n->names, &n->synced_names);
    }
    count_links(sim);
}
