/* text_table.h -- columns of text for a terminal, as wide as their widest cell and two blanks. */
#ifndef CLI_TEXT_TABLE_H
#define CLI_TEXT_TABLE_H

#include <stdio.h>

#include "base/buf.h"
#include "base/slice.h"

enum { TEXT_TABLE_COLUMNS_MAX = 8 };

struct text_table { /* zero-initialised; then text_table_begin(), or `columns` is set */
    size_t columns;
    struct buf text;  /* of all cells */
    struct buf sizes; /* of each, as size_t */
};

/* As many columns as titles, which are its first row. */
void text_table_begin(struct text_table *t, const char *const *titles, size_t count);

/* Cells come row by row. What steers a terminal is replaced: cells are written by strangers. */
void text_table_put(struct text_table *t, str cell);
void text_table_print(struct text_table *t, FILE *to);
void text_table_fini(struct text_table *t);

#endif
