/* search.h -- how well a name matches what somebody typed, from 0 to 1: the two algorithms of
 * Prometheus' search API.
 *
 *   subsequence   all characters of the term, in this order; runs count, gaps are a malus
 *   jarowinkler   the term is part of the name, else similarity by common characters
 *
 * A name that begins with a term scores 1. Several terms: any may match, the best score counts. */
#ifndef HTTP_SEARCH_H
#define HTTP_SEARCH_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"

enum search_algorithm { SEARCH_SUBSEQUENCE, SEARCH_JAROWINKLER };

enum { SEARCH_TERMS_MAX = 32, SEARCH_TERM_BYTES_MAX = 4096 };

struct search { /* zero but for the options is empty: everything matches with 1; rest is private */
    enum search_algorithm algorithm;
    double threshold; /* least score of a match, 0 to 1 */
    bool ignore_case;
    struct buf terms[SEARCH_TERMS_MAX]; /* characters, uint32_t each */
    unsigned count;
    struct buf value, marks; /* scratch */
};

/* ERR_LIMIT  more terms, or longer ones, than above */
MUST_USE err search_add(struct search *s, str term);
void search_fini(struct search *s);

/* Does `value` match? One thread at a time. */
bool search_matches(struct search *s, str value, double *score);

#endif
