/* sd_targets.c -- see sd_targets.h. */
#include "ingest/sd_targets.h"

#include <stdatomic.h>
#include <stdio.h>

#include "base/mem.h"
#include "ingest/relabel.h"

struct sd_targets {
    atomic_uint refs;
    struct arena arena;
    struct labels *items;
    size_t count;
};

struct sd_targets *sd_targets_ref(struct sd_targets *t)
{
    (void)atomic_fetch_add_explicit(&t->refs, 1, memory_order_relaxed);
    return t;
}

void sd_targets_unref(struct sd_targets *t)
{
    /* acquire: whoever else read the targets is done with them */
    if (t == NULL || atomic_fetch_sub_explicit(&t->refs, 1, memory_order_acq_rel) > 1)
        return;
    arena_fini(&t->arena);
    mem_free(t->items);
    mem_free(t);
}

size_t sd_targets_count(const struct sd_targets *t)
{
    return t->count;
}

struct labels sd_targets_at(const struct sd_targets *t, size_t i)
{
    return t->items[i];
}

/* ---- Building ---- */

void sd_build_begin(struct sd_build *b)
{
    *b = (struct sd_build){.t = mem_zalloc(1, sizeof(*b->t))};
    atomic_init(&b->t->refs, 1);
    arena_init(&b->t->arena, SD_BYTES_MAX);
}

static void add(struct sd_build *b, str name, str value)
{
    if (b->e != OK || value.len == 0)
        return;
    if (b->count == SD_LABELS_MAX) {
        b->e = ERR_LIMIT;
        return;
    }
    if (b->count == b->room) {
        b->room = b->room * 2 + 32;
        b->pending = mem_resize(b->pending, b->room, sizeof(*b->pending));
    }
    struct label *l = &b->pending[b->count++];
    l->name = arena_str(&b->t->arena, name);
    l->value = arena_str(&b->t->arena, value);
    if (l->name.ptr == NULL || l->value.ptr == NULL)
        b->e = ERR_LIMIT;
}

void sd_build_label(struct sd_build *b, const char *name, str value)
{
    add(b, str_from(name), value);
}

void sd_build_meta(struct sd_build *b, const char *prefix, str name, const char *suffix, str value)
{
    buf_reset(&b->text);
    buf_put_str(&b->text, str_from(prefix));
    relabel_sanitize(name, &b->text);
    buf_put_str(&b->text, str_from(suffix));
    add(b, buf_str(&b->text), value);
}

void sd_build_number(struct sd_build *b, const char *name, int64_t value)
{
    char text[24];
    int n = snprintf(text, sizeof(text), "%lld", (long long)value);
    add(b, str_from(name), (str){text, (size_t)n});
}

size_t sd_build_mark(const struct sd_build *b)
{
    return b->count;
}

void sd_build_back(struct sd_build *b, size_t mark)
{
    b->count = MIN(b->count, mark);
}

void sd_build_target(struct sd_build *b)
{
    struct sd_targets *t = b->t;
    if (b->e == OK && t->count == SD_TARGETS_MAX)
        b->e = ERR_LIMIT;
    struct label *items =
        b->e == OK ? arena_alloc(&t->arena, (b->count + 1) * sizeof(*items)) : NULL;
    if (items == NULL) {
        b->e = ERR_LIMIT;
        return;
    }
    size_t count = 0;
    for (size_t i = 0; i < b->count; i++) {
        size_t k = 0;
        while (k < count && !str_eq(items[k].name, b->pending[i].name))
            k++;
        items[k] = b->pending[i];
        count += k == count;
    }
    if (t->count == b->targets_room) {
        b->targets_room = b->targets_room * 2 + 16;
        t->items = mem_resize(t->items, b->targets_room, sizeof(*t->items));
    }
    t->items[t->count++] = (struct labels){items, labels_sort(items, count)};
}

void sd_build_abandon(struct sd_build *b)
{
    sd_targets_unref(b->t);
    mem_free(b->pending);
    buf_fini(&b->text);
    *b = (struct sd_build){0};
}

err sd_build_end(struct sd_build *b, struct sd_targets **out)
{
    err e = b->e;
    if (e == OK) {
        *out = b->t;
        b->t = NULL;
    }
    sd_build_abandon(b);
    return e;
}
