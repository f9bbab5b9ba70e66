/* labels_json.c -- see labels_json.h. */
#include "model/labels_json.h"

#include "base/json_text.h"

static inline __attribute__((always_inline)) void put(struct buf *out, struct labels ls,
                                                      void (*text)(struct buf *out, str s))
{
    buf_put_u8(out, '{');
    for (size_t i = 0; i < ls.count; i++) {
        if (i > 0)
            buf_put_u8(out, ',');
        text(out, ls.items[i].name);
        buf_put_u8(out, ':');
        text(out, ls.items[i].value);
    }
    buf_put_u8(out, '}');
}

void labels_json(struct buf *out, struct labels ls)
{
    put(out, ls, json_str);
}

void labels_json_html(struct buf *out, struct labels ls)
{
    put(out, ls, json_html);
}
