/* packed_page.c -- see packed_page.h. */
#include "storage/packed_page.h"

#include "base/assert.h"

void page_writer_fini(struct page_writer *w)
{
    buf_fini(&w->starts);
    buf_fini(&w->records);
    w->count = 0;
}

void page_put(struct page_writer *w, slice record)
{
    ASSERT(page_has_room(w, record.len));
    buf_put_u16(&w->starts, (uint16_t)w->records.len);
    buf_put(&w->records, record.ptr, record.len);
    w->count++;
}

void page_finish(struct page_writer *w, struct buf *out)
{
    ASSERT(w->count > 0);
    buf_put_u16(out, (uint16_t)w->count);
    buf_put(out, w->starts.ptr, w->starts.len);
    buf_put(out, w->records.ptr, w->records.len);
    buf_reset(&w->starts);
    buf_reset(&w->records);
    w->count = 0;
}

bool page_open(slice bytes, struct page *out)
{
    if (bytes.len < 2)
        return false;
    uint32_t count = load_u16(bytes.ptr);
    size_t table = 2 + 2 * (size_t)count;
    if (count == 0 || bytes.len < table)
        return false;
    *out = (struct page){{bytes.ptr + table, bytes.len - table}, bytes.ptr + 2, count};
    return true;
}

bool page_get(const struct page *p, uint32_t i, slice *out)
{
    size_t start = load_u16(p->starts + 2 * (size_t)i);
    size_t end = i + 1 < p->count ? load_u16(p->starts + 2 * (size_t)(i + 1)) : p->records.len;
    if (start > end || end > p->records.len)
        return false;
    *out = (slice){p->records.ptr + start, end - start};
    return true;
}
