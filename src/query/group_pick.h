/* group_pick.h -- groups of many series by numbers that stand for the values of their labels,
 * instead of by texts: a series whose numbers were seen is in the group of the one that had them.
 */
#ifndef QUERY_GROUP_PICK_H
#define QUERY_GROUP_PICK_H

#include "query/exec_priv.h"

enum {
    GROUP_PICK_MIN = 64,            /* series: of fewer, texts are as good */
    GROUP_PICK_SLOTS_MAX = 1 << 16, /* half of them combinations that are remembered */
};

struct pick_slot {
    uint64_t key[PICK_LABELS_MAX];
    uint32_t group; /* + 1; 0: free */
};

struct group_pick { /* zero is valid, and knows nothing */
    const struct query_source *source;
    struct label_picker *picker;
    size_t label_count;
    struct pick_slot *slots; /* open addressing; heap */
    uint32_t slot_count, used;
    struct pick_slot last; /* what was asked for last: group 0 when it is not known */
};

/* Prepare to ask for names[0..count) of the series of `s`. Leaves `g` zero when the source has no
 * picker, there are too many names, or few series. */
MUST_USE err group_pick_init(struct exec *x, const struct selected *s, const str *names,
                             size_t count, struct group_pick *g);
void group_pick_fini(struct group_pick *g);

/* Is the group of series `i` known? */
MUST_USE err group_pick_find(struct exec *x, struct group_pick *g, size_t i, bool *known,
                             uint32_t *group);

/* The series asked for last is in `group`. */
void group_pick_learn(struct group_pick *g, uint32_t group);

#endif
