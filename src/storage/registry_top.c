/* registry_top.c -- the heaviest labels, values and metrics. */
#include "storage/heaviest.h"
#include "storage/registry_priv.h"

static void top_pairs_of(const struct registry *r, const struct symbol_name *n,
                         enum db_top_kind kind, struct heaviest *t)
{
    uint64_t values = 0, bytes = 0, n_series = 0;
    bool is_metric = str_eq(symbols_text(n), LABEL_NAME);
    for (uint32_t i = 0; i < n->pair_count; i++) {
        const struct symbol_pair *p = symbols_pair(&r->symbols, n->pairs[i]);
        if (p->series.count == 0)
            continue;
        values++;
        n_series += p->series.count;
        bytes += (uint64_t)p->series.count * p->value_len;
        if (kind == TOP_SERIES_BY_METRIC && is_metric)
            heaviest_add(t, (struct heavy_item){p->series.count, symbols_value(p), STR("")});
        if (kind == TOP_SERIES_BY_PAIR)
            heaviest_add(t,
                         (struct heavy_item){p->series.count, symbols_text(n), symbols_value(p)});
    }
    if (values > 0 && kind == TOP_SERIES_BY_LABEL)
        heaviest_add(t, (struct heavy_item){n_series, symbols_text(n), STR("")});
    if (values > 0 && kind == TOP_VALUES_BY_LABEL)
        heaviest_add(t, (struct heavy_item){values, symbols_text(n), STR("")});
    if (values > 0 && kind == TOP_BYTES_BY_LABEL)
        heaviest_add(t, (struct heavy_item){bytes, symbols_text(n), STR("")});
}

err registry_top(struct registry *r, enum db_top_kind kind, size_t limit, struct arena *a,
                 struct db_top **out, size_t *count)
{
    struct heaviest t = {.limit = limit};
    struct registry_pin pin;
    registry_pin(r, &pin);
    rwlock_read(&r->lock);
    for (uint32_t i = 0; i < r->symbols.name_end; i++)
        if (symbols_name(&r->symbols, i)->text != NULL)
            top_pairs_of(r, symbols_name(&r->symbols, i), kind, &t);
    rwlock_unlock(&r->lock);
    err e = heaviest_finish(&t, a, out, count);
    registry_unpin(r, &pin);
    return e;
}
