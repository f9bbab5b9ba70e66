/* insight.c -- see insight.h. */
#include "http/insight.h"

void insight_init(struct insight *i)
{
    active_init(&i->active);
}

void insight_fini(struct insight *i)
{
    active_fini(&i->active);
}
