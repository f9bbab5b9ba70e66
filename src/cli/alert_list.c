/* alert_list.c -- a list that a server answers with, as it came or as a table. */
#include <stdio.h>

#include "cli/alert_commands.h"

err alert_print_list(struct alert_client *c, str path, bool json, const struct alert_columns *as,
                     struct diag *d)
{
    struct text_table t = {0};
    struct buf text = {0};
    struct jtree *root = NULL;
    err e = alert_client_get(c, path, &root, &text, d);
    const struct jtree *data = e == OK ? jtree_get(root, "data") : NULL;
    if (e == OK && json) {
        (void)fwrite(text.ptr, 1, text.len, stdout);
        printf("\n");
    } else if (e == OK) {
        text_table_begin(&t, as->titles, as->count);
        for (size_t i = 0; i < jtree_count(data); i++)
            as->put_row(&t, jtree_at(data, i));
        text_table_print(&t, stdout);
    }
    text_table_fini(&t);
    jtree_free(root);
    buf_fini(&text);
    return e;
}
