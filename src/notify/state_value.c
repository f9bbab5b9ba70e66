/* state_value.c -- see state_value.h. */
#include "notify/state_value.h"

void value_put_texts(struct buf *out, struct texts t)
{
    buf_put_varint(out, t.count);
    for (size_t i = 0; i < t.count; i++)
        buf_put_string(out, t.items[i]);
}

void value_put_labels(struct buf *out, struct labels ls)
{
    buf_put_varint(out, ls.count);
    for (size_t i = 0; i < ls.count; i++) {
        buf_put_string(out, ls.items[i].name);
        buf_put_string(out, ls.items[i].value);
    }
}

str value_text(struct reader *r, struct arena *a)
{
    return arena_str(a, slice_text(read_string(r)));
}

size_t value_count(struct reader *r)
{
    uint64_t count = read_varint(r);
    if (count > reader_left(r))
        r->overrun = true;
    return r->overrun ? 0 : (size_t)count;
}

struct texts value_texts(struct reader *r, struct arena *a)
{
    size_t count = value_count(r);
    struct texts t = {ARENA_ARRAY(a, str, count + 1), 0};
    while (t.items != NULL && t.count < count && !r->overrun)
        t.items[t.count++] = value_text(r, a);
    return t;
}

struct labels value_labels(struct reader *r, struct arena *a)
{
    size_t count = value_count(r), n = 0;
    struct label *items = ARENA_ARRAY(a, struct label, count + 1);
    for (; items != NULL && n < count && !r->overrun; n++) {
        items[n].name = value_text(r, a);
        items[n].value = value_text(r, a);
    }
    return (struct labels){items, n};
}
