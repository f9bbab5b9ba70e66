#include "ingest/scrape_families.h"

#include <string.h>

#include "base/hash.h"
#include "base/mem.h"

enum { KEEP_SCRAPES = 10, SLOTS_MIN = 16 };

void scrape_families_init(struct scrape_families *f)
{
    *f = (struct scrape_families){.seed = hash_random_seed()};
    mutex_init(&f->lock);
}

void scrape_families_fini(struct scrape_families *f)
{
    for (uint32_t i = 0; i < f->count; i++)
        mem_free(f->items[i].text);
    mem_free(f->items);
    mem_free(f->slots);
    mutex_fini(&f->lock);
}

static uint32_t slot_of(const struct scrape_families *f, str name)
{
    return (uint32_t)hash64(str_bytes(name), f->seed) & f->slot_mask;
}

static void put_slot(struct scrape_families *f, uint32_t i)
{
    uint32_t s = slot_of(f, f->items[i].name);
    while (f->slots[s] != 0)
        s = (s + 1) & f->slot_mask;
    f->slots[s] = i + 1;
}

static void rebuild(struct scrape_families *f)
{
    uint32_t slots = SLOTS_MIN;
    while (slots / 2 < f->used + 1)
        slots *= 2;
    mem_free(f->slots);
    f->slots = mem_zalloc(slots, sizeof(*f->slots));
    f->slot_mask = slots - 1;
    for (uint32_t i = 0; i < f->count; i++)
        if (f->items[i].text != NULL)
            put_slot(f, i);
}

static uint32_t find(const struct scrape_families *f, str name)
{
    if (f->slots == NULL)
        return FAMILY_NONE;
    for (uint32_t s = slot_of(f, name); f->slots[s] != 0; s = (s + 1) & f->slot_mask)
        if (str_eq(f->items[f->slots[s] - 1].name, name))
            return f->slots[s] - 1;
    return FAMILY_NONE;
}

static void set_text(struct scrape_families *f, struct scrape_family *m, str name,
                     const struct metadata *data)
{
    size_t size = name.len + data->help.len + data->unit.len;
    char *text = mem_alloc(size + 1), *at = text;
    str *places[] = {&m->name, &m->metadata.help, &m->metadata.unit};
    str values[] = {name, data->help, data->unit};
    for (size_t i = 0; i < COUNT_OF(places); i++) {
        if (values[i].len > 0)
            memcpy(at, values[i].ptr, values[i].len);
        *places[i] = (str){at, values[i].len};
        at += values[i].len;
    }
    m->metadata.type = data->type;
    mem_free(m->text);
    m->text = text;
    f->text_bytes += size;
}

/* A free place, or a new one. */
static uint32_t place(struct scrape_families *f)
{
    if (f->used < f->count)
        for (uint32_t i = 0; i < f->count; i++)
            if (f->items[i].text == NULL)
                return i;
    if (f->count == f->cap) {
        f->cap = f->cap < 16 ? 16 : f->cap + f->cap / 2;
        f->items = mem_resize(f->items, f->cap, sizeof(*f->items));
    }
    f->items[f->count] = (struct scrape_family){.text = NULL};
    return f->count++;
}

static uint32_t add(struct scrape_families *f, str name)
{
    uint32_t i = place(f);
    struct metadata none = {.type = METRIC_UNKNOWN, .help = {"", 0}, .unit = {"", 0}};
    set_text(f, &f->items[i], name, &none);
    f->used++;
    if (f->slots == NULL || f->used > (f->slot_mask + 1) / 2)
        rebuild(f);
    else
        put_slot(f, i);
    return i;
}

/* Does the entry say something new? Then so in *m. */
static bool differs(const struct expo_entry *e, struct metadata *m)
{
    if (e->kind == EXPO_TYPE) {
        bool same = m->type == e->type;
        m->type = e->type;
        return !same;
    }
    str *place = e->kind == EXPO_HELP ? &m->help : &m->unit;
    bool same = str_eq(*place, e->text);
    *place = e->text;
    return !same;
}

uint32_t scrape_families_note(struct scrape_families *f, const struct expo_entry *e)
{
    mutex_lock(&f->lock);
    uint32_t i = find(f, e->name);
    if (i == FAMILY_NONE) {
        i = add(f, e->name);
        f->items[i].changed = true;
    }
    struct scrape_family *m = &f->items[i];
    struct metadata data = m->metadata;
    if (differs(e, &data)) {
        f->text_bytes -= m->name.len + m->metadata.help.len + m->metadata.unit.len;
        set_text(f, m, m->name, &data);
        m->changed = true;
    }
    m->last_scrape = f->scrape;
    mutex_unlock(&f->lock);
    return i;
}

void scrape_families_end(struct scrape_families *f, bool good)
{
    uint32_t leaving = 0;
    for (uint32_t i = 0; i < f->count && good; i++)
        leaving += f->items[i].text != NULL && f->scrape - f->items[i].last_scrape > KEEP_SCRAPES;
    f->scrape++;
    if (leaving == 0)
        return;
    mutex_lock(&f->lock);
    for (uint32_t i = 0; i < f->count; i++) {
        struct scrape_family *m = &f->items[i];
        if (m->text == NULL || f->scrape - 1 - m->last_scrape <= KEEP_SCRAPES)
            continue;
        f->text_bytes -= m->name.len + m->metadata.help.len + m->metadata.unit.len;
        mem_free(m->text);
        *m = (struct scrape_family){.text = NULL};
        f->used--;
    }
    rebuild(f);
    mutex_unlock(&f->lock);
}

void scrape_families_each(struct scrape_families *f,
                          void (*fn)(void *arg, str name, const struct metadata *m), void *arg)
{
    mutex_lock(&f->lock);
    for (uint32_t i = 0; i < f->count; i++)
        if (f->items[i].text != NULL)
            fn(arg, f->items[i].name, &f->items[i].metadata);
    mutex_unlock(&f->lock);
}
