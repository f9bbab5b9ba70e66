/* fs_sim.c -- the operations of the simulated disk, its faults and its controls. See fs_sim.h. */
#include "support/fs_sim.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "support/fs_sim_priv.h"

struct verdict { /* on one operation */
    err e;       /* OK: go ahead */
    bool partly; /* although it fails, do (a part of) it */
};

static struct fs_sim *sim_of(struct fs *fs)
{
    return (struct fs_sim *)(void *)fs;
}

static struct fs_sim *lock(struct fs *fs)
{
    struct fs_sim *sim = sim_of(fs);
    ASSERT(pthread_mutex_lock(&sim->lock) == 0);
    return sim;
}

static err unlock(struct fs_sim *sim, err e)
{
    ASSERT(pthread_mutex_unlock(&sim->lock) == 0);
    return e;
}

static struct verdict strike(struct fs_sim *sim, struct sim_fault *f)
{
    sim->failures++;
    if (!f->forever)
        f->at = 0;
    if (f->dies) {
        sim->dead = true;
        return (struct verdict){ERR_IO, sim_chance(sim, 50)};
    }
    bool is_short = f->how == SIM_SHORT_EIO || f->how == SIM_SHORT_ENOSPC;
    bool is_full = f->how == SIM_ENOSPC || f->how == SIM_SHORT_ENOSPC;
    return (struct verdict){is_full ? ERR_NOSPACE : ERR_IO, is_short};
}

/* Count an operation and decide what becomes of it. */
static struct verdict judge(struct fs_sim *sim, enum sim_op op)
{
    struct verdict v = {OK, false};
    if (sim->dead)
        return (struct verdict){ERR_IO, false};
    sim->ops[__builtin_ctz((unsigned)op)]++;
    for (unsigned i = 0; i < sim->fault_count; i++) {
        struct sim_fault *f = &sim->faults[i];
        if ((f->ops & (unsigned)op) == 0 || f->at == 0)
            continue;
        if (f->at > 1)
            f->at--;
        else if (v.e == OK)
            v = strike(sim, f);
    }
    if (v.e == OK && sim->read_only && (op & SIM_CHANGING) != 0)
        v.e = ERR_IO;
    return v;
}

static err judge_file(struct fs_sim *sim, const struct fs_file *f, enum sim_op op,
                      struct verdict *v)
{
    *v = judge(sim, op);
    if (f->dead)
        *v = (struct verdict){ERR_IO, false};
    return v->e;
}

static void attach(struct fs_sim *sim, size_t node, bool writable, struct fs_file **out)
{
    struct fs_file *f = mem_alloc(sizeof(*f));
    *f = (struct fs_file){.node = node, .writable = writable, .next = sim->open};
    sim->open = f;
    *out = f;
}

static err create(struct fs_sim *sim, const char *path, struct fs_file **out)
{
    struct verdict v = judge(sim, SIM_CREATE);
    const char *name;
    size_t dir = sim_find_parent(sim, path, &name);
    if (v.e != OK && !v.partly)
        return v.e;
    if (dir == SIZE_MAX)
        return v.e != OK ? v.e : ERR_NOTFOUND;
    if (sim_entry_find(&sim->nodes[dir].names, name) != NULL)
        return ERR_IO;
    size_t node = sim_add_node(sim, SIM_FILE);
    sim_change_dirs(sim, (struct sim_dir_change){.add = name, .to_dir = dir, .node = node});
    if (v.e == OK)
        attach(sim, node, true, out);
    return v.e;
}

static err open_existing(struct fs_sim *sim, const char *path, bool writable, struct fs_file **out)
{
    struct verdict v = judge(sim, SIM_OPEN);
    if (v.e != OK)
        return v.e;
    size_t node = sim_find(sim, path);
    if (node == SIZE_MAX)
        return ERR_NOTFOUND;
    if (sim->nodes[node].kind != SIM_FILE)
        return ERR_INVALID;
    if (writable && sim->read_only)
        return ERR_IO;
    attach(sim, node, writable, out);
    return OK;
}

static err op_open(struct fs *fs, const char *path, enum fs_open_mode mode, struct fs_file **out)
{
    struct fs_sim *sim = lock(fs);
    return unlock(sim, mode == FS_CREATE ? create(sim, path, out)
                                         : open_existing(sim, path, mode == FS_APPEND, out));
}

static void op_close(struct fs *fs, struct fs_file *f)
{
    struct fs_sim *sim = lock(fs);
    struct fs_file **link = &sim->open;
    while (*link != f)
        link = &(*link)->next;
    *link = f->next;
    mem_free(f);
    (void)unlock(sim, OK);
}

static err op_read_at(struct fs *fs, struct fs_file *f, void *out, size_t size, uint64_t pos,
                      size_t *got)
{
    struct fs_sim *sim = lock(fs);
    struct verdict v;
    if (judge_file(sim, f, SIM_READ, &v) != OK)
        return unlock(sim, v.e);
    const struct buf *now = &sim->nodes[f->node].now;
    *got = pos < now->len ? MIN(size, now->len - (size_t)pos) : 0;
    if (*got > 0)
        memcpy(out, now->ptr + pos, *got);
    return unlock(sim, OK);
}

static uint64_t used_bytes(const struct fs_sim *sim)
{
    uint64_t used = 0;
    for (size_t i = 0; i < sim->node_count; i++) {
        const struct sim_node *n = &sim->nodes[i];
        bool alive = n->links > 0;
        for (const struct fs_file *f = sim->open; f != NULL && !alive; f = f->next)
            alive = f->node == i && !f->dead;
        used += alive ? n->now.len : 0;
    }
    return used;
}

/* How much of a write of [pos, pos + size) the capacity allows. */
static size_t size_that_fits(const struct fs_sim *sim, size_t node, size_t size, uint64_t pos)
{
    uint64_t len = sim->nodes[node].now.len, used = used_bytes(sim);
    if (sim->capacity == 0 || pos + size <= len)
        return size;
    uint64_t room = sim->capacity > used ? sim->capacity - used : 0;
    uint64_t end = MIN(pos + size, len + room);
    return end > pos ? (size_t)(end - pos) : 0;
}

static err op_write_at(struct fs *fs, struct fs_file *f, const void *bytes, size_t size,
                       uint64_t pos)
{
    struct fs_sim *sim = lock(fs);
    struct verdict v;
    size_t done = size;
    if (judge_file(sim, f, SIM_WRITE, &v) != OK)
        done = v.partly && size > 0 ? (size_t)(sim_random(sim) % (size + 1)) : 0;
    else if (!f->writable)
        return unlock(sim, ERR_IO);
    size_t fits = size_that_fits(sim, f->node, done, pos);
    if (v.e == OK && fits < done)
        v.e = ERR_NOSPACE;
    sim_write(sim, f->node, bytes, MIN(fits, done), pos);
    return unlock(sim, v.e);
}

static err op_sync(struct fs *fs, struct fs_file *f)
{
    struct fs_sim *sim = lock(fs);
    struct verdict v;
    if (judge_file(sim, f, SIM_SYNC, &v) == OK) {
        if (!sim->file_lies)
            sim_sync_file(&sim->nodes[f->node]);
    } else if (!sim->dead && !f->dead && !sim->read_only) {
        sim_lose_some(sim, f->node);
    }
    return unlock(sim, v.e);
}

static err op_truncate(struct fs *fs, struct fs_file *f, uint64_t size)
{
    struct fs_sim *sim = lock(fs);
    struct verdict v;
    if (judge_file(sim, f, SIM_TRUNCATE, &v) == OK || (v.partly && sim->dead))
        sim_truncate(sim, f->node, size);
    return unlock(sim, v.e);
}

static err op_size(struct fs *fs, struct fs_file *f, uint64_t *out)
{
    struct fs_sim *sim = lock(fs);
    struct verdict v;
    if (judge_file(sim, f, SIM_READ, &v) == OK)
        *out = sim->nodes[f->node].now.len;
    return unlock(sim, v.e);
}

static err op_map(struct fs *fs, struct fs_file *f, uint64_t size, const uint8_t **out)
{
    uint8_t *copy = mem_zalloc((size_t)size, 1);
    size_t got;
    err e = op_read_at(fs, f, copy, (size_t)size, 0, &got);
    if (e == OK)
        *out = copy;
    else
        mem_free(copy);
    return e;
}

static void op_unmap(struct fs *fs, const uint8_t *p, uint64_t size)
{
    (void)fs, (void)size;
    mem_free((void *)(uintptr_t)p);
}

static err op_mkdir(struct fs *fs, const char *path)
{
    struct fs_sim *sim = lock(fs);
    size_t there = sim_find(sim, path);
    if (there != SIZE_MAX && !sim->dead)
        return unlock(sim, sim->nodes[there].kind == SIM_DIR ? OK : ERR_IO);
    struct verdict v = judge(sim, SIM_MKDIR);
    const char *name;
    size_t dir = sim_find_parent(sim, path, &name);
    if (v.e == OK && dir == SIZE_MAX)
        v.e = ERR_NOTFOUND;
    if (v.e == OK || (v.partly && dir != SIZE_MAX)) {
        size_t node = sim_add_node(sim, SIM_DIR);
        sim_change_dirs(sim, (struct sim_dir_change){.add = name, .to_dir = dir, .node = node});
    }
    return unlock(sim, v.e);
}

static err rename_or_link(struct fs *fs, const char *from, const char *to, bool keep)
{
    struct fs_sim *sim = lock(fs);
    struct verdict v = judge(sim, SIM_RENAME);
    const char *old_name, *new_name;
    size_t from_dir = sim_find_parent(sim, from, &old_name);
    size_t to_dir = sim_find_parent(sim, to, &new_name);
    size_t node = sim_find(sim, from);
    if (v.e != OK && !(v.partly && sim->dead))
        return unlock(sim, v.e);
    if (node == SIZE_MAX || from_dir == SIZE_MAX || to_dir == SIZE_MAX)
        return unlock(sim, ERR_NOTFOUND);
    const struct sim_entry *there = sim_entry_find(&sim->nodes[to_dir].names, new_name);
    if (there != NULL && (keep || sim->nodes[there->node].names.count > 0))
        return unlock(sim, ERR_IO);
    sim_change_dirs(sim, (struct sim_dir_change){.add = new_name,
                                                 .remove = keep ? NULL : old_name,
                                                 .to_dir = to_dir,
                                                 .node = node,
                                                 .from_dir = from_dir});
    return unlock(sim, v.e);
}

static err op_rename(struct fs *fs, const char *from, const char *to)
{
    return rename_or_link(fs, from, to, false);
}

static err op_link(struct fs *fs, const char *from, const char *to)
{
    return rename_or_link(fs, from, to, true);
}

static err remove_entry(struct fs *fs, const char *path, bool is_dir)
{
    struct fs_sim *sim = lock(fs);
    const char *name;
    size_t dir = sim_find_parent(sim, path, &name), node = sim_find(sim, path);
    struct verdict v = judge(sim, SIM_UNLINK);
    if (v.e != OK && !(v.partly && sim->dead))
        return unlock(sim, v.e);
    if (node == SIZE_MAX || dir == SIZE_MAX)
        return unlock(sim, ERR_NOTFOUND);
    if (is_dir != (sim->nodes[node].kind == SIM_DIR))
        return unlock(sim, is_dir ? ERR_IO : ERR_INVALID);
    if (sim->nodes[node].names.count > 0)
        return unlock(sim, ERR_IO);
    sim_change_dirs(sim, (struct sim_dir_change){.remove = name, .from_dir = dir});
    return unlock(sim, v.e);
}

static err op_unlink(struct fs *fs, const char *path)
{
    return remove_entry(fs, path, false);
}

static err op_rmdir(struct fs *fs, const char *path)
{
    return remove_entry(fs, path, true);
}

static err op_sync_dir(struct fs *fs, const char *path)
{
    struct fs_sim *sim = lock(fs);
    struct verdict v = judge(sim, SIM_SYNC_DIR);
    size_t dir = sim_find(sim, path);
    if (v.e == OK && (dir == SIZE_MAX || sim->nodes[dir].kind != SIM_DIR))
        v.e = ERR_NOTFOUND;
    if (v.e == OK && !sim->dir_lies)
        sim_sync_dir(sim, dir);
    return unlock(sim, v.e);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(((const struct sim_entry *)a)->name, ((const struct sim_entry *)b)->name);
}

static err op_list(struct fs *fs, const char *path, struct buf *names)
{
    struct fs_sim *sim = lock(fs);
    struct verdict v = judge(sim, SIM_READ);
    size_t dir = sim_find(sim, path);
    if (v.e == OK && dir == SIZE_MAX)
        v.e = ERR_NOTFOUND;
    else if (v.e == OK && sim->nodes[dir].kind != SIM_DIR)
        v.e = ERR_IO;
    if (v.e != OK)
        return unlock(sim, v.e);
    struct sim_entries *entries = &sim->nodes[dir].names;
    if (entries->count > 0)
        qsort(entries->at, entries->count, sizeof(*entries->at), compare_names);
    buf_reset(names);
    for (size_t i = 0; i < entries->count; i++)
        buf_put(names, entries->at[i].name, strlen(entries->at[i].name) + 1);
    return unlock(sim, OK);
}

static err op_usage(struct fs *fs, const char *path, struct fs_usage *out)
{
    struct fs_sim *sim = lock(fs);
    uint64_t used = used_bytes(sim), total = sim->capacity != 0 ? sim->capacity : 1ull << 40;
    err e = sim->dead ? ERR_IO : sim_find(sim, path) == SIZE_MAX ? ERR_NOTFOUND : OK;
    if (e == OK)
        *out =
            (struct fs_usage){.total_bytes = total, .free_bytes = total > used ? total - used : 0};
    return unlock(sim, e);
}

static const struct fs_ops sim_ops = {
    .open = op_open,
    .close = op_close,
    .read_at = op_read_at,
    .write_at = op_write_at,
    .sync = op_sync,
    .truncate = op_truncate,
    .size = op_size,
    .map = op_map,
    .unmap = op_unmap,
    .mkdir = op_mkdir,
    .rename = op_rename,
    .unlink = op_unlink,
    .rmdir = op_rmdir,
    .sync_dir = op_sync_dir,
    .link = op_link,
    .list = op_list,
    .usage = op_usage,
};

static struct fs_sim *new_empty(uint64_t seed)
{
    struct fs_sim *sim = mem_zalloc(1, sizeof(*sim));
    sim->base.ops = &sim_ops;
    sim->random = seed;
    ASSERT(pthread_mutex_init(&sim->lock, NULL) == 0);
    return sim;
}

struct fs_sim *fs_sim_new(uint64_t seed)
{
    struct fs_sim *sim = new_empty(seed);
    (void)sim_add_node(sim, SIM_DIR);
    return sim;
}

void fs_sim_free(struct fs_sim *sim)
{
    if (sim == NULL)
        return;
    for (size_t i = 0; i < sim->node_count; i++)
        sim_node_fini(&sim->nodes[i]);
    for (size_t i = 0; i < sim->dir_change_count; i++)
        sim_dir_change_fini(&sim->dir_changes[i]);
    mem_free(sim->dir_changes);
    mem_free(sim->nodes);
    ASSERT(pthread_mutex_destroy(&sim->lock) == 0);
    mem_free(sim);
}

struct fs *fs_sim_fs(struct fs_sim *sim)
{
    return &sim->base;
}

struct fs_sim *fs_sim_clone(struct fs_sim *sim, uint64_t seed)
{
    struct fs_sim *copy = new_empty(seed);
    (void)lock(&sim->base);
    for (size_t i = 0; i < sim->node_count; i++) {
        size_t node = sim_add_node(copy, sim->nodes[i].kind);
        sim_node_copy(&copy->nodes[node], &sim->nodes[i]);
    }
    copy->dir_changes = mem_zalloc(sim->dir_change_count, sizeof(*copy->dir_changes));
    copy->dir_change_count = copy->dir_change_cap = sim->dir_change_count;
    for (size_t i = 0; i < sim->dir_change_count; i++)
        sim_dir_change_copy(&copy->dir_changes[i], &sim->dir_changes[i]);
    (void)unlock(sim, OK);
    return copy;
}

static void reboot(struct fs_sim *sim)
{
    for (struct fs_file *f = sim->open; f != NULL; f = f->next)
        f->dead = true;
    sim->dead = false;
    sim->fault_count = 0;
}

void fs_sim_crash(struct fs_sim *sim)
{
    (void)lock(&sim->base);
    sim_power_loss(sim);
    reboot(sim);
    (void)unlock(sim, OK);
}

void fs_sim_kill(struct fs_sim *sim)
{
    (void)lock(&sim->base);
    reboot(sim);
    (void)unlock(sim, OK);
}

uint64_t fs_sim_ops(const struct fs_sim *sim, unsigned ops)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < SIM_OP_KINDS; i++)
        sum += (ops >> i & 1) != 0 ? sim->ops[i] : 0;
    return sum;
}

static void add_fault(struct fs_sim *sim, struct sim_fault fault)
{
    (void)lock(&sim->base);
    ASSERT(sim->fault_count < SIM_FAULTS_MAX && fault.at > 0);
    sim->faults[sim->fault_count++] = fault;
    (void)unlock(sim, OK);
}

void fs_sim_fail(struct fs_sim *sim, unsigned ops, uint64_t at, enum sim_failure how, bool forever)
{
    add_fault(sim, (struct sim_fault){.ops = ops, .at = at, .how = how, .forever = forever});
}

void fs_sim_die_at(struct fs_sim *sim, uint64_t at)
{
    add_fault(sim, (struct sim_fault){.ops = SIM_CHANGING, .at = at, .dies = true});
}

bool fs_sim_is_dead(const struct fs_sim *sim)
{
    return sim->dead;
}

void fs_sim_clear(struct fs_sim *sim)
{
    (void)lock(&sim->base);
    sim->fault_count = 0;
    sim->capacity = 0;
    sim->read_only = sim->file_lies = sim->dir_lies = false;
    (void)unlock(sim, OK);
}

uint64_t fs_sim_failures(const struct fs_sim *sim)
{
    return sim->failures;
}

void fs_sim_set_capacity(struct fs_sim *sim, uint64_t bytes)
{
    sim->capacity = bytes;
}

uint64_t fs_sim_used(const struct fs_sim *sim)
{
    return used_bytes(sim);
}

void fs_sim_set_read_only(struct fs_sim *sim, bool on)
{
    sim->read_only = on;
}

void fs_sim_set_lies(struct fs_sim *sim, bool files, bool dirs)
{
    sim->file_lies = files;
    sim->dir_lies = dirs;
}

slice fs_sim_bytes(const struct fs_sim *sim, const char *path)
{
    size_t node = sim_find(sim, path);
    if (node == SIZE_MAX || sim->nodes[node].kind != SIM_FILE)
        return (slice){NULL, 0};
    return buf_slice(&sim->nodes[node].now);
}

/* The file at `path`, with nothing unsynced. */
static struct sim_node *settled(struct fs_sim *sim, const char *path)
{
    size_t node = sim_find(sim, path);
    ASSERT(node != SIZE_MAX && sim->nodes[node].kind == SIM_FILE);
    sim_sync_file(&sim->nodes[node]);
    return &sim->nodes[node];
}

void fs_sim_flip(struct fs_sim *sim, const char *path, uint64_t bit)
{
    struct sim_node *n = settled(sim, path);
    ASSERT(bit / 8 < n->now.len && bit / 8 < n->synced.len);
    n->now.ptr[bit / 8] ^= (uint8_t)(1u << bit % 8);
    n->synced.ptr[bit / 8] ^= (uint8_t)(1u << bit % 8);
}

void fs_sim_fill(struct fs_sim *sim, const char *path, uint64_t pos, size_t size, uint8_t byte)
{
    struct sim_node *n = settled(sim, path);
    ASSERT(pos + size <= n->now.len && pos + size <= n->synced.len);
    memset(n->now.ptr + pos, byte, size);
    memset(n->synced.ptr + pos, byte, size);
}

void fs_sim_cut(struct fs_sim *sim, const char *path, uint64_t size)
{
    struct sim_node *n = settled(sim, path);
    sim_image_truncate(&n->now, size);
    sim_image_truncate(&n->synced, size);
}

static size_t put_entry(struct fs_sim *sim, const char *path, enum sim_kind kind)
{
    const char *name;
    size_t dir = sim_find_parent(sim, path, &name);
    ASSERT(dir != SIZE_MAX);
    size_t node = sim_add_node(sim, kind);
    sim_change_dirs(sim, (struct sim_dir_change){.add = name, .to_dir = dir, .node = node});
    sim_sync_dir(sim, dir);
    return node;
}

void fs_sim_put(struct fs_sim *sim, const char *path, slice bytes)
{
    size_t node = put_entry(sim, path, SIM_FILE);
    sim_write(sim, node, bytes.ptr, bytes.len, 0);
    sim_sync_file(&sim->nodes[node]);
}

void fs_sim_put_special(struct fs_sim *sim, const char *path)
{
    (void)put_entry(sim, path, SIM_SPECIAL);
}
