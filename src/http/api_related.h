/* api_related.h -- related alerts as JSON. */
#ifndef HTTP_API_RELATED_H
#define HTTP_API_RELATED_H

#include "notify/related.h"

/* Append {"alerts":[...],"more":0,"complete":true}; sorted ones. */
void api_put_related(struct buf *b, const struct related *r);

#endif
