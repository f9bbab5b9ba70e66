/* insight.h -- what the server knows of its queries: those that are active. */
#ifndef HTTP_INSIGHT_H
#define HTTP_INSIGHT_H

#include "query/active.h"

struct insight {
    struct active_queries active;
};

/* Requires that no request is served when it ends. */
void insight_init(struct insight *i);
void insight_fini(struct insight *i);

#endif
