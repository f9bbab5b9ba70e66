/* scrape_families.h -- what a target's pages say about its metric families: type, help, unit. A
 * family stays for ten scrapes after its last mention. Threads: one writer; scrape_families_each()
 * may run beside it. */
#ifndef INGEST_SCRAPE_FAMILIES_H
#define INGEST_SCRAPE_FAMILIES_H

#include "base/thread.h"
#include "ingest/expo.h"

enum { FAMILY_NONE = UINT32_MAX };

struct scrape_family {
    char *text;               /* owned: name, help and unit back to back; NULL: the place is free */
    struct metadata metadata; /* points into `text` */
    str name;
    uint32_t last_scrape;
    bool changed; /* since the store was told */
};

struct scrape_families {
    struct scrape_family *items;
    uint32_t count, cap, used;
    uint32_t *slots; /* index + 1; 0: free */
    uint32_t slot_mask;
    uint32_t scrape; /* number of the present one */
    size_t text_bytes;
    uint64_t seed;
    struct mutex lock; /* guards all but `last_scrape`, `changed`, `scrape`; rank: leaf */
};

void scrape_families_init(struct scrape_families *f);
void scrape_families_fini(struct scrape_families *f);

/* A page says so (EXPO_TYPE, EXPO_HELP or EXPO_UNIT). Returns the family's index, good until a
 * scrape_families_end() after scrapes that did not mention it. */
uint32_t scrape_families_note(struct scrape_families *f, const struct expo_entry *e);

/* It said so again. */
static inline void scrape_families_again(struct scrape_families *f, uint32_t family)
{
    f->items[family].last_scrape = f->scrape;
}

/* A scrape is over; `good`: its page was read, what has not been mentioned for long leaves. */
void scrape_families_end(struct scrape_families *f, bool good);

/* Call `fn` for each; texts are borrowed for the call, which must not come back here. */
void scrape_families_each(struct scrape_families *f,
                          void (*fn)(void *arg, str name, const struct metadata *m), void *arg);

#endif
