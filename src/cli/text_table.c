/* text_table.c -- see text_table.h. */
#include "cli/text_table.h"

#include <string.h>

#include "base/assert.h"
#include "base/utf8.h"

void text_table_put(struct text_table *t, str cell)
{
    size_t begin = t->text.len;
    for (size_t i = 0; i < cell.len; i++) {
        uint8_t c = (uint8_t)cell.ptr[i];
        bool c1 = c == 0xc2 && i + 1 < cell.len && (uint8_t)cell.ptr[i + 1] < 0xa0;
        if (c == '\n' || c == '\t' || c == '\r') {
            buf_put_u8(&t->text, ' ');
        } else if (c < 0x20 || c == 0x7f || c1) {
            buf_put_u8(&t->text, '?');
            i += c1;
        } else {
            buf_put_u8(&t->text, c);
        }
    }
    size_t size = t->text.len - begin;
    buf_put(&t->sizes, &size, sizeof(size));
}

static size_t size_at(const struct text_table *t, size_t i)
{
    size_t size;
    memcpy(&size, t->sizes.ptr + i * sizeof(size), sizeof(size));
    return size;
}

void text_table_begin(struct text_table *t, const char *const *titles, size_t count)
{
    t->columns = count;
    for (size_t i = 0; i < count; i++)
        text_table_put(t, str_from(titles[i]));
}

void text_table_print(struct text_table *t, FILE *to)
{
    size_t widths[TEXT_TABLE_COLUMNS_MAX] = {0}, count = t->sizes.len / sizeof(size_t);
    const char *at = (const char *)t->text.ptr;
    ASSERT(t->columns > 0 && t->columns <= TEXT_TABLE_COLUMNS_MAX);
    for (size_t i = 0; i < count; at += size_at(t, i++)) {
        size_t width = utf8_count((str){at, size_at(t, i)});
        size_t *widest = &widths[i % t->columns];
        *widest = width > *widest ? width : *widest;
    }
    at = (const char *)t->text.ptr;
    for (size_t i = 0; i < count; at += size_at(t, i++)) {
        str cell = {at, size_at(t, i)};
        int blanks = (int)(widths[i % t->columns] - utf8_count(cell)) + 2;
        (void)fwrite(cell.ptr, 1, cell.len, to);
        (void)fprintf(to, "%*s%s", blanks, "", i % t->columns + 1 == t->columns ? "\n" : "");
    }
}

void text_table_fini(struct text_table *t)
{
    buf_fini(&t->text);
    buf_fini(&t->sizes);
}
