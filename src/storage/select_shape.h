/* select_shape.h -- what a matcher asks of an inverted index.
 *
 * A value of the label *decides* when the matcher's verdict on it differs from that on an absent
 * label. A matcher that refuses the absent label keeps the series of the deciding values; one that
 * accepts it removes them. */
#ifndef STORAGE_SELECT_SHAPE_H
#define STORAGE_SELECT_SHAPE_H

#include "model/matcher.h"

enum select_shape_kind {             /* in the order in which they are best applied */
                         SHAPE_NONE, /* nothing matches */
                         SHAPE_ALL, /* everything matches: no value decides, and the absent label is
                                       accepted */
                         SHAPE_LIST, /* these values decide */
                         SHAPE_ANY,  /* every value decides: the label's presence is all that counts
                                      */
                         SHAPE_SCAN, /* values have to be looked at */
};

struct select_shape {
    enum select_shape_kind kind;
    bool keeps;        /* the series of deciding values are kept; else they are removed */
    const str *values; /* SHAPE_LIST; live as long as the matcher */
    size_t value_count;
    str prefix; /* SHAPE_SCAN: deciding values have it; may be "" */
};

struct select_shape select_shape_of(const struct matcher *m);

/* Does `value`, which some series has, decide? */
static inline bool select_decides(const struct matcher *m, str value)
{
    return matcher_matches(m, value) != m->matches_empty;
}

/* The matchers of a request for the values of one label: those of the label itself judge values,
 * the rest select series. Where one of the label lists what it keeps, all of them select: few
 * series are left then. */
struct select_split {
    struct matcher *own, *rest; /* borrowed inside; `own` is in the heap, `rest` behind it */
    size_t own_count, rest_count;
};

void select_split_init(struct select_split *s, str label, const struct matcher *ms, size_t count);
void select_split_fini(struct select_split *s);

/* Do the label's own matchers accept the value? */
bool select_accepts(const struct select_split *s, str value);

#endif
