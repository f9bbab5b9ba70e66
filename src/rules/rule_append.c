/* rule_append.c -- see rule_append.h. */
#include "rules/rule_append.h"

#include "base/mem.h"

enum { ATTEMPTS_MAX = 3 }; /* a series is forgotten once in a while, not three times in a row */

struct rule_store {
    struct db *db;
    uint64_t seed; /* of hashes of labels: a key of our own, since our bytes are no sender's */
    bool takes_old;
};

struct rule_store *rule_store_open(struct db *db)
{
    struct rule_store *s = mem_zalloc(1, sizeof(*s));
    s->db = db;
    s->seed = hash_random_seed();
    return s;
}

void rule_store_close(struct rule_store *s)
{
    mem_free(s);
}

void rule_store_take_old(struct rule_store *s)
{
    s->takes_old = true;
}

static err resolve(struct rule_store *s, const struct rule_sample *samples, size_t count,
                   struct db_batch *b, struct diag *d)
{
    hash128 *aliases = mem_alloc((count + 1) * sizeof(*aliases));
    uint32_t *ids = mem_alloc((count + 1) * sizeof(*ids));
    err e = OK;
    for (size_t i = 0; i < count; i++)
        aliases[i] = labels_hash(samples[i].labels, s->seed);
    b->epoch = db_resolve(s->db, aliases, count, ids);
    for (size_t i = 0; e == OK && i < count; i++) {
        if (ids[i] == SERIES_NONE)
            e = db_create(s->db, samples[i].labels, &aliases[i], &ids[i], d);
        b->rows[i] = (struct db_row){.ts_ms = samples[i].ts_ms,
                                     .value = samples[i].value,
                                     .histogram = samples[i].histogram,
                                     .series = ids[i]};
    }
    b->row_count = count;
    mem_free(aliases);
    mem_free(ids);
    return e;
}

static void count_refused(const struct db_batch *b, const struct rule_sample *samples,
                          struct rule_appended *out)
{
    for (size_t i = 0; i < b->refused_count; i++) {
        const struct db_refused *r = &b->refused[i];
        if (samples[r->row].stale)
            continue;
        out->refused[r->why]++;
        out->any_refused = true;
        out->last = r->why;
    }
}

static err append_once(struct rule_store *s, const struct rule_sample *samples, size_t count,
                       struct rule_appended *out, struct diag *d)
{
    struct db_batch b = {.in_order = !s->takes_old};
    b.rows = mem_alloc((count + 1) * sizeof(*b.rows));
    err e = resolve(s, samples, count, &b, d);
    if (e == OK) {
        e = db_commit_wait(s->db, &b);
        if (e == OK)
            count_refused(&b, samples, out);
        else if (e != ERR_RETRY)
            (void)diag_set(d, e, "samples cannot be written: %s", err_name(e));
    }
    mem_free(b.rows);
    db_batch_fini(&b);
    return e;
}

static err append(void *arg, const struct rule_sample *samples, size_t count,
                  struct rule_appended *out, struct diag *d)
{
    err e = OK;
    *out = (struct rule_appended){0};
    for (size_t from = 0; e == OK && from < count;) {
        size_t n = MIN(count - from, (size_t)DB_BATCH_ROWS_MAX);
        e = ERR_RETRY;
        for (int i = 0; e == ERR_RETRY && i < ATTEMPTS_MAX; i++)
            e = append_once(arg, samples + from, n, out, d);
        from += n;
    }
    if (e == ERR_RETRY)
        (void)diag_set(d, e, "samples cannot be written: their series are forgotten meanwhile");
    return e;
}

struct rule_appender rule_store_appender(struct rule_store *s)
{
    return (struct rule_appender){s, append};
}
