/* selection_pick.c -- labels of selected series as numbers: pair ids of the registry, symbol ids of
 * a block. Neither strings nor all labels of a series are touched. */
#include "base/mem.h"
#include "storage/block_priv.h"
#include "storage/registry_select.h"
#include "storage/selection_priv.h"

struct source_names {             /* of the picker's names in one source */
    uint32_t id[PICK_LABELS_MAX]; /* ID_NONE: no series has it */
};

struct label_picker {
    struct selection *s;
    size_t count;
    struct source_names *sources;
    unsigned guess[PICK_LABELS_MAX]; /* registry_pair_of() */
};

static err find_names(const struct label_picker *p, struct select_source *src, const str *names,
                      struct source_names *out)
{
    for (size_t k = 0; k < p->count; k++) {
        out->id[k] = ID_NONE;
        if (src->window != NULL) {
            out->id[k] = registry_name_id(p->s->db->registry, names[k]);
            continue;
        }
        struct diag d;
        d.text[0] = '\0';
        mutex_lock(&p->s->labels_lock);
        err e = block_symbol_find(src->cursor, names[k], &out->id[k], &d);
        mutex_unlock(&p->s->labels_lock);
        if (e == ERR_CORRUPT)
            db_quarantine(p->s->db, src->block, d.text);
        if (e != OK && e != ERR_NOTFOUND)
            return e;
    }
    return OK;
}

err label_picker_open(struct selection *s, const str *names, size_t count,
                      struct label_picker **out)
{
    struct label_picker *p = ARENA_NEW(s->a, struct label_picker);
    if (p == NULL)
        return ERR_LIMIT;
    p->s = s;
    p->count = count;
    p->sources = ARENA_ARRAY(s->a, struct source_names, s->source_count + 1);
    if (p->sources == NULL)
        return ERR_LIMIT;
    for (size_t i = 0; i < s->source_count; i++)
        if (s->sources[i].window != NULL || s->sources[i].cursor != NULL)
            TRY(find_names(p, &s->sources[i], names, &p->sources[i]));
    *out = p;
    return OK;
}

static void pick_in_head(struct label_picker *p, uint32_t id, const struct source_names *names,
                         uint64_t *out)
{
    struct registry *r = p->s->db->registry;
    for (size_t k = 0; k < p->count; k++) {
        out[k] = 0;
        if (names->id[k] == ID_NONE)
            continue;
        uint32_t pair = registry_pair_id_of(r, id, names->id[k], &p->guess[k]);
        out[k] = pair == ID_NONE ? 0 : (uint64_t)pair + 1;
    }
}

/* Numbers of blocks have the source in their upper half. */
static err pick_in_block(struct label_picker *p, const struct select_part *part, uint64_t *out)
{
    struct select_source *src = &p->s->sources[part->source];
    const struct source_names *names = &p->sources[part->source];
    struct diag d;
    d.text[0] = '\0';
    mutex_lock(&p->s->labels_lock);
    struct reader refs;
    hash128 hash;
    size_t pairs, chunks;
    err e = cursor_series(src->cursor, part->id, &hash, &pairs, &chunks, &refs, &d);
    for (size_t k = 0; k < p->count && e == OK; k++) {
        out[k] = 0;
        for (size_t i = 0; i < pairs; i++)
            if (src->cursor->pairs[2 * i] == names->id[k])
                out[k] = (uint64_t)(part->source + 1) << 32 | src->cursor->pairs[2 * i + 1];
    }
    mutex_unlock(&p->s->labels_lock);
    if (e == ERR_CORRUPT)
        db_quarantine(p->s->db, src->block, d.text);
    return e;
}

err label_picker_get(struct label_picker *p, size_t i, uint64_t *out)
{
    const struct selection *s = p->s;
    const struct select_part *part = &s->parts[s->series[i].last]; /* as selection_labels() */
    if (s->sources[part->source].window == NULL)
        return pick_in_block(p, part, out);
    pick_in_head(p, part->id, &p->sources[part->source], out);
    return OK;
}
