/* fs_sim_priv.h -- the state of the simulated disk; see fs_sim.h. */
#ifndef SUPPORT_FS_SIM_PRIV_H
#define SUPPORT_FS_SIM_PRIV_H

#include <pthread.h>

#include "base/buf.h"
#include "support/fs_sim.h"

enum sim_kind { SIM_FILE, SIM_DIR, SIM_SPECIAL };

struct sim_change { /* of a file, not synced yet */
    bool is_truncate;
    uint64_t pos; /* of a write; the new size of a truncation */
    struct buf bytes;
};

struct sim_entry {
    char *name;
    size_t node; /* index in fs_sim.nodes */
};

struct sim_entries {
    struct sim_entry *at;
    size_t count, cap;
};

/* A change of directories, not synced yet; a rename is one change of two. */
struct sim_dir_change {
    const char *add, *remove; /* names; NULL: none */
    size_t to_dir, node;      /* where `add` goes, and what it names */
    size_t from_dir;          /* where `remove` is */
};

struct sim_node {
    enum sim_kind kind;
    unsigned links;             /* directory entries as programs see them */
    struct buf now, synced;     /* SIM_FILE: contents */
    struct sim_change *changes; /* SIM_FILE: between the two, oldest first */
    size_t change_count, change_cap;
    struct sim_entries names, synced_names; /* SIM_DIR */
};

struct fs_file {
    size_t node;
    bool writable, dead;
    struct fs_file *next; /* of the disk's open files */
};

struct sim_fault {
    unsigned ops;
    uint64_t at; /* operations of these kinds yet to come, this one included; 0: struck */
    enum sim_failure how;
    bool forever, dies;
};

enum { SIM_FAULTS_MAX = 8, SIM_OP_KINDS = 10 };

struct fs_sim {
    struct fs base; /* first: fs_sim_fs() */
    pthread_mutex_t lock;
    uint64_t random;
    struct sim_node *nodes; /* 0 is the root; nodes are never freed before the disk */
    size_t node_count, node_cap;
    struct sim_dir_change *dir_changes; /* of all directories, oldest first */
    size_t dir_change_count, dir_change_cap;
    struct fs_file *open;
    struct sim_fault faults[SIM_FAULTS_MAX];
    unsigned fault_count;
    uint64_t ops[SIM_OP_KINDS];
    uint64_t failures, capacity;
    bool dead, read_only, file_lies, dir_lies;
};

/* fs_sim_disk.c: nodes, their unsynced changes, and what becomes of them. */
uint64_t sim_random(struct fs_sim *sim);
bool sim_chance(struct fs_sim *sim, unsigned percent);
size_t sim_add_node(struct fs_sim *sim, enum sim_kind kind);
void sim_node_fini(struct sim_node *n);
void sim_node_copy(struct sim_node *to, const struct sim_node *from);
/* The node `path` names, or SIZE_MAX. With `name`: the directory that holds it, and its last part.
 */
size_t sim_find(const struct fs_sim *sim, const char *path);
size_t sim_find_parent(const struct fs_sim *sim, const char *path, const char **name);
struct sim_entry *sim_entry_find(const struct sim_entries *entries, const char *name);
/* Programs see the change at once; it is durable when the directory is synced. Names are copied. */
void sim_change_dirs(struct fs_sim *sim, struct sim_dir_change change);
void sim_dir_change_fini(struct sim_dir_change *c);
void sim_dir_change_copy(struct sim_dir_change *to, const struct sim_dir_change *from);
void sim_write(struct fs_sim *sim, size_t node, const uint8_t *bytes, size_t size, uint64_t pos);
void sim_truncate(struct fs_sim *sim, size_t node, uint64_t size);
void sim_sync_file(struct sim_node *n);
void sim_sync_dir(struct fs_sim *sim, size_t dir);
void sim_lose_some(struct fs_sim *sim, size_t node); /* a failed sync */
void sim_power_loss(struct fs_sim *sim);
void sim_image_write(struct buf *image, const uint8_t *bytes, size_t size, uint64_t pos);
void sim_image_truncate(struct buf *image, uint64_t size);

#endif
