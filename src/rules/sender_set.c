/* sender_set.c -- see sender_set.h. */
#include "rules/sender_set.h"

#include <stdatomic.h>
#include <stdio.h>

#include "base/assert.h"
#include "base/mem.h"
#include "rules/sender_target.h"

err sender_set_new(struct config *owner, const struct alertmanager_config *c, size_t index,
                   str user_agent, struct sender_set **out, struct diag *d)
{
    struct sender_set *set = mem_zalloc(1, sizeof(*set));
    atomic_init(&set->refs, 1);
    set->owner = config_ref(owner);
    set->config = c;
    set->digest = config_alertmanager_digest(c);
    (void)snprintf(set->name, sizeof(set->name), "notify/config-%zu", index);
    err e = http_client_open(&c->http, user_agent, &set->client, d);
    if (e != OK)
        sender_set_unref(set);
    else
        *out = set;
    return e;
}

static void forget_parts(struct sender_set *set)
{
    for (size_t i = 0; i < set->part_count; i++)
        sd_targets_unref(set->parts[i]);
    mem_free(set->parts);
    set->parts = NULL;
    set->part_count = 0;
}

static void free_texts(struct buf *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        buf_fini(&list[i]);
    mem_free(list);
}

void sender_set_unref(struct sender_set *set)
{
    if (set == NULL || atomic_fetch_sub_explicit(&set->refs, 1, memory_order_acq_rel) > 1)
        return;
    ASSERT(set->loop_count == 0);
    forget_parts(set);
    free_texts(set->dropped, set->dropped_count);
    http_client_close(set->client);
    mem_free(set->loops);
    config_unref(set->owner);
    mem_free(set);
}

/* ---- Targets ---- */

static void add_text(struct buf **list, size_t *count, str text)
{
    *list = mem_resize(*list, *count + 1, sizeof(**list));
    (*list)[*count] = (struct buf){0};
    buf_put_str(&(*list)[(*count)++], text);
}

static bool has_text(const struct buf *list, size_t count, str text)
{
    for (size_t i = 0; i < count; i++)
        if (str_eq(buf_str(&list[i]), text))
            return true;
    return false;
}

static void find_one(const struct sender_set *set, struct labels found, struct arena *a,
                     struct relabel_labels *work, struct sender_found *out)
{
    enum sender_verdict verdict = SENDER_INVALID;
    struct buf url = {0};
    arena_reset(a);
    relabel_labels_reset(work, a);
    if (sender_target_url(set->config, found, work, &verdict, &url) != OK)
        verdict = SENDER_INVALID;
    if (verdict == SENDER_ACTIVE && !has_text(out->active, out->active_count, buf_str(&url)))
        add_text(&out->active, &out->active_count, buf_str(&url));
    else if (verdict == SENDER_DROPPED)
        add_text(&out->dropped, &out->dropped_count, buf_str(&url));
    out->invalid_count += verdict == SENDER_INVALID;
    buf_fini(&url);
}

void sender_set_find(const struct sender_set *set, const struct discovery_view *v,
                     struct sender_found *out)
{
    struct relabel_labels work;
    struct arena a;
    *out = (struct sender_found){.active = NULL};
    arena_init(&a, SENDER_TARGET_BYTES_MAX);
    relabel_labels_init(&work, &a);
    for (size_t i = 0; i < v->count; i++)
        for (size_t k = 0; k < sd_targets_count(v->parts[i]); k++)
            find_one(set, sd_targets_at(v->parts[i], k), &a, &work, out);
    relabel_labels_fini(&work);
    arena_fini(&a);
}

void sender_found_fini(struct sender_found *f)
{
    free_texts(f->active, f->active_count);
    free_texts(f->dropped, f->dropped_count);
    *f = (struct sender_found){.active = NULL};
}

/* Targets are never changed in place: the same parts are the same targets. */
bool sender_set_is_news(struct sender_set *set, const struct discovery_view *v)
{
    bool same = set->synced && set->part_count == v->count;
    for (size_t i = 0; same && i < v->count; i++)
        same = set->parts[i] == v->parts[i];
    if (same)
        return false;
    forget_parts(set);
    set->parts = mem_zalloc(v->count + 1, sizeof(struct sd_targets *));
    for (size_t i = 0; i < v->count; i++)
        set->parts[i] = sd_targets_ref(v->parts[i]);
    set->part_count = v->count;
    set->synced = true;
    return true;
}

struct sender_loop *sender_set_loop(const struct sender_set *set, str url)
{
    for (size_t i = 0; i < set->loop_count; i++)
        if (str_eq(sender_loop_url(set->loops[i]), url))
            return set->loops[i];
    return NULL;
}
