/* log_ids.c -- two tables of pages that appear as ids do. */
#include "storage/log_ids.h"

#include "base/mem.h"

struct log_pair { /* name and value follow */
    uint32_t name_len, value_len;
};

enum { PAGE = 1 << LOG_IDS_PAGE_BITS };

void log_ids_init(struct log_ids *l)
{
    arena_init(&l->texts, SIZE_MAX / 2);
}

void log_ids_fini(struct log_ids *l)
{
    for (size_t i = 0; i < LOG_IDS_PAGES; i++) {
        mem_free(l->series[i]);
        mem_free(l->pairs[i]);
    }
    arena_fini(&l->texts);
}

void log_ids_reset(struct log_ids *l)
{
    for (size_t i = 0; i < LOG_IDS_PAGES; i++) {
        if (l->series[i] != NULL)
            memset(l->series[i], 0, PAGE * sizeof(**l->series));
        if (l->pairs[i] != NULL)
            memset(l->pairs[i], 0, PAGE * sizeof(**l->pairs));
    }
    arena_reset(&l->texts);
    l->ordered_count = 0;
}

static err define_pair(struct log_ids *l, uint32_t id, slice payload)
{
    struct label pair;
    TRY(record_read_pair(payload, &pair));
    struct log_pair *p = arena_alloc(&l->texts, sizeof(*p) + pair.name.len + pair.value.len);
    if (p == NULL)
        return ERR_LIMIT;
    *p = (struct log_pair){(uint32_t)pair.name.len, (uint32_t)pair.value.len};
    memcpy(p + 1, pair.name.ptr, pair.name.len);
    memcpy((char *)(p + 1) + pair.name.len, pair.value.ptr, pair.value.len);
    struct log_pair ***page = &l->pairs[id >> LOG_IDS_PAGE_BITS];
    if (*page == NULL)
        *page = mem_zalloc(PAGE, sizeof(**page));
    if ((*page)[id & (PAGE - 1)] != NULL)
        l->ordered_count = 0;
    (*page)[id & (PAGE - 1)] = p;
    return OK;
}

static err find_pair(const struct log_ids *l, uint32_t id, struct label *out)
{
    struct log_pair **page = l->pairs[id >> LOG_IDS_PAGE_BITS];
    const struct log_pair *p = page != NULL ? page[id & (PAGE - 1)] : NULL;
    if (p == NULL)
        return ERR_CORRUPT;
    const char *text = (const char *)(p + 1);
    *out = (struct label){{text, p->name_len}, {text + p->name_len, p->value_len}};
    return OK;
}

/* Were labels i - 1 and i the same two in the definition before? Those of neighbours mostly are. */
static bool known_order(const struct log_ids *l, size_t i)
{
    return i < l->ordered_count && l->ordered[i - 1] == l->ids[i - 1] && l->ordered[i] == l->ids[i];
}

static err find_labels(struct log_ids *l, slice payload, struct labels *out)
{
    size_t count;
    TRY(record_read_series(payload, l->ids, &count));
    for (size_t i = 0; i < count; i++) {
        TRY(find_pair(l, l->ids[i], &l->items[i]));
        if (i > 0 && !known_order(l, i) && str_cmp(l->items[i - 1].name, l->items[i].name) >= 0)
            return ERR_CORRUPT;
    }
    memcpy(l->ordered, l->ids, count * sizeof(*l->ids));
    l->ordered_count = count;
    *out = (struct labels){l->items, count};
    return OK;
}

err log_ids_define(struct log_ids *l, uint32_t id, slice payload, bool *is_series,
                   struct labels *out)
{
    uint32_t bare = id & ~RECORD_PAIR_BIT;
    if (bare >= RECORD_ID_MAX)
        return ERR_CORRUPT;
    *is_series = bare == id;
    return *is_series ? find_labels(l, payload, out) : define_pair(l, bare, payload);
}

void log_ids_set(struct log_ids *l, uint32_t id, uint32_t number)
{
    uint32_t **page = &l->series[id >> LOG_IDS_PAGE_BITS];
    if (*page == NULL)
        *page = mem_zalloc(PAGE, sizeof(**page));
    (*page)[id & (PAGE - 1)] = number + 1;
}

uint32_t log_ids_run(const struct log_ids *l, uint32_t id, uint32_t count, uint32_t *first)
{
    const uint32_t *page = l->series[id >> LOG_IDS_PAGE_BITS];
    uint32_t at = id & (PAGE - 1), n = 1, max = MIN(count, PAGE - at);
    *first = page != NULL ? page[at] : 0;
    if (page == NULL)
        return max;
    uint32_t step = *first != 0;
    while (n < max && page[at + n] == *first + n * step)
        n++;
    return n;
}
