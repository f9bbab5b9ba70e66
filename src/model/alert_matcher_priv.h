/* alert_matcher_priv.h -- the two grammars. Both append what they read to a list. */
#ifndef MODEL_ALERT_MATCHER_PRIV_H
#define MODEL_ALERT_MATCHER_PRIV_H

#include "model/alert_matcher.h"

struct matcher_reader {
    struct arena *arena;
    struct alert_matchers *out;
    size_t room;
    struct diag *d;
};

MUST_USE err matcher_reader_add(struct matcher_reader *r, enum matcher_type type, str name,
                                str value);
/* Must a name with this rune be quoted? */
bool matcher_rune_is_reserved(uint32_t r);

MUST_USE err matchers_read_utf8(struct matcher_reader *r, str text);
MUST_USE err matchers_read_classic(struct matcher_reader *r, str text);

#endif
