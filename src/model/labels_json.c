/* labels_json.c -- see labels_json.h. */
#include "model/labels_json.h"

#include "base/json_text.h"

void labels_json_html(struct buf *out, struct labels ls)
{
    buf_put_u8(out, '{');
    for (size_t i = 0; i < ls.count; i++) {
        if (i > 0)
            buf_put_u8(out, ',');
        json_html(out, ls.items[i].name);
        buf_put_u8(out, ':');
        json_html(out, ls.items[i].value);
    }
    buf_put_u8(out, '}');
}
