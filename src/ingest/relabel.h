/* relabel.h -- relabelling: rules of config/relabel_config.h applied to a set of labels, as
 * Prometheus does it, order of evaluation included. Rules are compiled when the configuration is
 * loaded and immutable: threads share them; callers remember results for what they know already. */
#ifndef INGEST_RELABEL_H
#define INGEST_RELABEL_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "config/relabel_config.h"
#include "model/labels.h"

enum {
    RELABEL_VALUE_BYTES_MAX = 1 << 20, /* of one value or name that a rule makes */
    RELABEL_LABELS_MAX = 10000,        /* of one set */
};

struct relabel_labels { /* a set being relabelled; zero but for `arena` is empty */
    struct label *items;
    size_t count, room;
    size_t base_count;      /* the first ones were there at the start; rules' own come behind */
    struct arena *arena;    /* of `items` and of what rules write */
    struct buf join, value; /* scratch */
};

/* An empty set in `a`; relabel_labels_fini() frees the scratch memory. May be started again with
 * relabel_labels_reset() for the next set, which keeps it. */
void relabel_labels_init(struct relabel_labels *l, struct arena *a);
void relabel_labels_reset(struct relabel_labels *l, struct arena *a);
void relabel_labels_fini(struct relabel_labels *l);

/* Start from `base`, sorted by name; its strings are borrowed for as long as `l` is used.
 * ERR_LIMIT  arena budget, or more than RELABEL_LABELS_MAX */
MUST_USE err relabel_labels_base(struct relabel_labels *l, struct labels base);

/* The value of `name`, "" when it is not there. */
str relabel_labels_get(const struct relabel_labels *l, str name);

/* Set a label, or remove it when `value` is empty; both are borrowed.  ERR_LIMIT  as above */
MUST_USE err relabel_labels_set(struct relabel_labels *l, str name, str value);
void relabel_labels_del(struct relabel_labels *l, str name);

/* Sort by name; the set as it stands, which aliases `l`. */
struct labels relabel_labels_done(struct relabel_labels *l);

/* Apply all rules in order; *keep is false when one dropped the set (the rest is then not applied).
 *   ERR_LIMIT  a value became too large, or the arena's budget is spent */
MUST_USE err relabel_run(const struct relabel_configs *rules, struct relabel_labels *l, bool *keep);

/* One rule: for those who show each step. */
MUST_USE err relabel_apply(const struct relabel_config *rule, struct relabel_labels *l, bool *keep);

/* Append `name` with every byte that a legacy label name cannot have as '_': what discovery does to
 * foreign names before they become labels. */
void relabel_sanitize(str name, struct buf *out);

#endif
