/* slo_record.c -- see slo_record.h. */
#include "rules/slo_record.h"

#include <string.h>

#include "base/mem.h"
#include "rules/rule_append.h"

struct slo_record {
    struct rule_store *store;
    struct arena arena; /* labels and rows */
    struct rule_sample *rows;
    size_t count, cap;
    int64_t since_ms; /* when the first was collected */
};

struct slo_record *slo_record_open(struct db *db)
{
    struct slo_record *r = mem_zalloc(1, sizeof(*r));
    r->store = rule_store_open(db);
    rule_store_take_old(r->store);
    arena_init(&r->arena, SLO_ROWS_BYTES_MAX);
    return r;
}

void slo_record_close(struct slo_record *r)
{
    if (r == NULL)
        return;
    rule_store_close(r->store);
    arena_fini(&r->arena);
    mem_free(r->rows);
    mem_free(r);
}

static bool is_own(str name)
{
    return str_eq(name, STR("sloth_id")) || str_eq(name, STR("sloth_service")) ||
           str_eq(name, STR("sloth_slo"));
}

static err labels_of(struct slo_record *r, const struct slo_def *def, const char *name,
                     struct labels *out)
{
    size_t count = 0;
    struct label *items = mem_zalloc(def->labels.count + 4, sizeof(*items));
    items[count++] = (struct label){STR("__name__"), str_from(name)};
    items[count++] = (struct label){STR("sloth_id"), def->id};
    items[count++] = (struct label){STR("sloth_service"), def->service};
    items[count++] = (struct label){STR("sloth_slo"), def->name};
    for (size_t i = 0; i < def->labels.count; i++)
        if (!is_own(def->labels.items[i].name) && def->labels.items[i].value.len > 0)
            items[count++] = (struct label){def->labels.items[i].name, def->labels.items[i].value};
    err e = labels_copy((struct labels){items, labels_sort(items, count)}, &r->arena, out);
    mem_free(items);
    return e;
}

static void make_room(struct slo_record *r, size_t more)
{
    if (r->cap - r->count >= more)
        return;
    r->cap = MAX(r->cap * 2, r->count + more);
    r->rows = mem_resize(r->rows, r->cap, sizeof(*r->rows));
}

err slo_record_add(struct slo_record *r, const struct slo_def *def,
                   const struct slo_sample *samples, size_t count, int64_t now_ms)
{
    struct labels labels = {0};
    size_t before = r->count;
    if (count > SLO_ROWS_MAX && r->count > 0)
        return ERR_LIMIT; /* many slices of a past that is reckoned: alone */
    make_room(r, count);
    for (size_t i = 0; i < count; i++) {
        bool same = i > 0 && strcmp(samples[i].name, samples[i - 1].name) == 0;
        if (!same && labels_of(r, def, samples[i].name, &labels) != OK) {
            r->count = before;
            return ERR_LIMIT;
        }
        r->rows[r->count++] = (struct rule_sample){
            .labels = labels, .ts_ms = samples[i].ts_ms, .value = samples[i].value};
    }
    if (before == 0)
        r->since_ms = now_ms;
    return OK;
}

size_t slo_record_count(const struct slo_record *r)
{
    return r->count;
}

bool slo_record_is_due(const struct slo_record *r, int64_t now_ms)
{
    return r->count >= SLO_ROWS_MAX || (r->count > 0 && now_ms - r->since_ms > SLO_ROWS_AGE_MS_MAX);
}

err slo_record_write(struct slo_record *r, struct diag *d)
{
    struct rule_appender append = rule_store_appender(r->store);
    struct rule_appended done;
    err e = append.append(append.arg, r->rows, r->count, &done, d);
    size_t lost = 0; /* of a time that is there already the first sample stays */
    for (unsigned why = 0; e == OK && why < REFUSED_COUNT; why++)
        lost += why != REFUSED_DUPLICATE ? done.refused[why] : 0;
    if (lost > 0)
        e = diag_set(d, ERR_ORDER, "the store refused %zu", lost);
    r->count = 0;
    arena_reset(&r->arena);
    return e;
}
