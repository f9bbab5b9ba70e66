/* external_labels.c -- see external_labels.h. */
#include "http/external_labels.h"

enum { EXTERNAL_BYTES_MAX = 1 << 20 };

void external_labels_init(struct external_labels *e)
{
    mutex_init(&e->lock);
    arena_init(&e->arena, EXTERNAL_BYTES_MAX);
    e->labels = (struct labels){0};
}

void external_labels_fini(struct external_labels *e)
{
    arena_fini(&e->arena);
    mutex_fini(&e->lock);
}

err external_labels_set(struct external_labels *e, struct labels ls)
{
    struct arena fresh;
    struct labels copy;
    arena_init(&fresh, EXTERNAL_BYTES_MAX);
    err failed = labels_copy(ls, &fresh, &copy);
    if (failed == OK) {
        mutex_lock(&e->lock);
        struct arena old = e->arena;
        e->arena = fresh;
        e->labels = copy;
        mutex_unlock(&e->lock);
        fresh = old;
    }
    arena_fini(&fresh);
    return failed;
}

err external_labels_get(struct external_labels *e, struct arena *a, struct labels *out)
{
    mutex_lock(&e->lock);
    err failed = labels_copy(e->labels, a, out);
    mutex_unlock(&e->lock);
    return failed;
}
