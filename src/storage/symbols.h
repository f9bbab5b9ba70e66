/* symbols.h -- interned label names and (name, value) pairs, with the series of each pair.
 *
 * A pair is a u32 id: a label set is an array of them, and equal sets have equal arrays. Values are
 * stored with their pair, so that adding a label costs two lookups. Pairs count their references
 * and go with the last one; names go with their last pair. A string stays where it is as long as
 * its pair is referenced.
 *
 * Threads: the registry's lock; strings and struct symbol_pair of referenced pairs may be read
 * without it. */
#ifndef STORAGE_SYMBOLS_H
#define STORAGE_SYMBOLS_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/err.h"
#include "base/slice.h"
#include "model/labels.h"
#include "storage/id_table.h"
#include "storage/idset.h"
#include "storage/pages.h"

enum {
    SYMBOL_PAGE_BITS = 10,
    SYMBOL_NAMES_MAX = 1 << 24,
    SYMBOL_PAIRS_MAX = 1 << 28,
};

struct presence;

struct symbol_pair {
    const char *value;
    uint32_t value_len;
    uint32_t name;
    uint32_t refs;       /* 0: free, and `slot` is the next free pair + 1 */
    uint32_t slot;       /* index in its name's `pairs` */
    struct idset series; /* the registry's */
};

struct symbol_name {
    const char *text; /* NULL: free, and `pair_count` is the next free name + 1 */
    uint32_t *pairs;  /* all pairs of the name, in no order */
    /* The series that have the label, or NULL: the registry's. Readers that need it make it
     * (release), others find it (acquire); writers have the write lock. */
    _Atomic(struct presence *) presence;
    uint32_t text_len;
    uint32_t pair_count, pair_cap;
};

struct symbols { /* fields are private but for the counts */
    struct paged names, pairs;
    struct id_table name_table, pair_table;
    uint64_t seed;
    uint32_t name_count, pair_count; /* in use */
    uint32_t name_end, pair_end;     /* ids are below */
    uint32_t name_free, pair_free;   /* first free id + 1 */
    uint64_t string_bytes;           /* strings and the names' arrays, with the heap's overhead */
};

void symbols_init(struct symbols *s);
void symbols_fini(struct symbols *s);

static inline struct symbol_pair *symbols_pair(const struct symbols *s, uint32_t pair)
{
    struct symbol_pair *page =
        (struct symbol_pair *)(void *)s->pairs.pages[pair >> SYMBOL_PAGE_BITS];
    return page + (pair & ((1U << SYMBOL_PAGE_BITS) - 1));
}

static inline struct symbol_name *symbols_name(const struct symbols *s, uint32_t name)
{
    struct symbol_name *page =
        (struct symbol_name *)(void *)s->names.pages[name >> SYMBOL_PAGE_BITS];
    return page + (name & ((1U << SYMBOL_PAGE_BITS) - 1));
}

static inline str symbols_value(const struct symbol_pair *p)
{
    return (str){p->value, p->value_len};
}

static inline str symbols_text(const struct symbol_name *n)
{
    return (str){n->text, n->text_len};
}

/* The id, or ID_NONE. */
uint32_t symbols_find_name(const struct symbols *s, str text);
uint32_t symbols_find_pair(const struct symbols *s, uint32_t name, str value);

/* Find or add a pair and take a reference. `guess` is any number; if it is the pair's id, this is
 * fast. ERR_LIMIT  SYMBOL_NAMES_MAX or SYMBOL_PAIRS_MAX reached; nothing changed */
MUST_USE err symbols_acquire(struct symbols *s, struct label l, uint32_t guess, uint32_t *pair);

/* One more reference to a pair that has some. */
void symbols_again(struct symbols *s, uint32_t pair);

/* Give back a reference. With the last one the pair goes; its `series` must be empty then. */
void symbols_release(struct symbols *s, uint32_t pair);

/* Memory of names and pairs, and of their two tables; without the pairs' series. */
size_t symbols_bytes(const struct symbols *s);
size_t symbols_table_bytes(const struct symbols *s);

#endif
