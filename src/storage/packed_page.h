/* packed_page.h -- a few hundred small records in one value of the index, found by number.
 * Layout: u16 count, count x u16 start of each record after this table, the records back to
 * back. */
#ifndef STORAGE_PACKED_PAGE_H
#define STORAGE_PACKED_PAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/slice.h"

enum {
    /* Bytes a page is filled to: with its checksum exactly one page of LMDB (4096 - 16 of
     * header). A single larger record makes a larger page. */
    PAGE_SIZE_TARGET = 4096 - 16 - 4,
    PAGE_RECORDS_MAX = 4000,
};

struct page_writer { /* fields are private; zeroed is empty */
    struct buf starts, records;
    uint32_t count;
};

void page_writer_fini(struct page_writer *w);

/* Is there room for one more record of `size` bytes? Always true for the first. */
static inline bool page_has_room(const struct page_writer *w, size_t size)
{
    return w->count == 0 ||
           (w->count < PAGE_RECORDS_MAX &&
            2 + 2 * ((size_t)w->count + 1) + w->records.len + size <= PAGE_SIZE_TARGET);
}

/* Append a record. Requires page_has_room(). */
void page_put(struct page_writer *w, slice record);

/* Append the page to `out` and start an empty one. Requires count > 0. */
void page_finish(struct page_writer *w, struct buf *out);

struct page { /* over borrowed bytes; fields are read-only */
    slice records;
    const uint8_t *starts;
    uint32_t count;
};

/* False when malformed. */
bool page_open(slice bytes, struct page *out);

/* Record `i` < count; false when the table is malformed there. */
bool page_get(const struct page *p, uint32_t i, slice *out);

#endif
