/* url_text.h -- texts as parts of URLs (RFC 3986): bytes that could mean something become %XX. */
#ifndef BASE_URL_TEXT_H
#define BASE_URL_TEXT_H

#include <stdbool.h>

#include "base/buf.h"

/* Letters, digits and `plain` stay; a blank becomes "+" if `plus`, as in forms. */
void url_put_but(struct buf *out, str s, const char *plain, bool plus);

/* Unreserved characters stay: right anywhere in a URL. */
static inline void url_put(struct buf *out, str s)
{
    url_put_but(out, s, "-_.~", false);
}

/* As a name or value of a form or a query, as Go's url.QueryEscape writes it. */
static inline void url_put_form(struct buf *out, str s)
{
    url_put_but(out, s, "-_.~", true);
}

#endif
