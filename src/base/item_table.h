/* item_table.h -- things found by a key: a hash table of pointers, open addressing, deletion by
 * shifting back. The key is part of the item, and only its owner knows how it is compared. Not for
 * several threads at once. */
#ifndef BASE_ITEM_TABLE_H
#define BASE_ITEM_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct table_item { /* the first member of what is kept, which is one piece of mem_alloc() */
    uint64_t hash;
};

struct item_table { /* fields are private but for `count` and `seed` */
    struct table_item **slots;
    size_t slot_count, count;
    uint64_t seed; /* for the hashes of keys, which others may choose */
};

void item_table_init(struct item_table *t);
void item_table_fini(struct item_table *t); /* frees the items; no-op when zeroed */

/* The item with this hash of which same(item, key) is true; NULL: none. */
struct table_item *item_table_find(const struct item_table *t, uint64_t hash,
                                   bool (*same)(const struct table_item *item, const void *key),
                                   const void *key);

/* Put in an item whose key is not there. It is the table's now. */
void item_table_put(struct item_table *t, struct table_item *item);

/* Remove an item that is there, and free it. */
void item_table_remove(struct item_table *t, struct table_item *item);

/* All items, in no order: *at starts as 0; NULL after the last. Nothing may be put meanwhile; the
 * item given last may be removed, if *at is decreased by one then: another may be in its place. */
struct table_item *item_table_next(const struct item_table *t, size_t *at);

#endif
