/* unit_test_store.c -- the store of one unit test: in a temporary directory, for the test's life.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/fs.h"
#include "base/log.h"
#include "rules/unit_test_priv.h"

err unit_store_open(struct unit_store *s, struct diag *d)
{
    const char *tmp = getenv("TMPDIR");
    struct db_options o = db_options_default();
    *s = (struct unit_store){0};
    int n = snprintf(s->dir, sizeof(s->dir), "%s/varve-rules-XXXXXX",
                     tmp != NULL && tmp[0] != '\0' ? tmp : "/tmp");
    if (n < 0 || (size_t)n >= sizeof(s->dir) || mkdtemp(s->dir) == NULL) {
        s->dir[0] = '\0';
        return diag_set(d, ERR_IO, "a temporary directory cannot be made in %s",
                        tmp != NULL && tmp[0] != '\0' ? tmp : "/tmp");
    }
    o.path = s->dir;
    o.sync = DB_SYNC_OFF;
    o.no_background = true;
    o.future_ms_max = INT64_MAX / 2; /* tests live in a time of their own */
    err e = db_open(&o, &s->db, d);
    if (e == OK)
        s->writer = rule_store_open(s->db);
    else
        unit_store_close(s);
    return e;
}

void unit_store_close(struct unit_store *s)
{
    rule_store_close(s->writer);
    if (s->db != NULL)
        db_abandon(s->db); /* nothing of it will be read again */
    if (s->dir[0] != '\0' && fs_remove_tree(fs_posix(), s->dir) != OK)
        log_warn("a temporary directory cannot be removed", LOG_CSTR("path", s->dir));
    *s = (struct unit_store){0};
}
