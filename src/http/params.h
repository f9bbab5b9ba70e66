/* params.h -- request parameters: name and value pairs of URL and form body, decoded. */
#ifndef HTTP_PARAMS_H
#define HTTP_PARAMS_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/slice.h"

struct params {      /* zero-initialised is empty; fields are private */
    struct buf text; /* names and values back to back */
    struct buf refs; /* struct param_ref */
    size_t count;
};

/* Add the pairs of a URL's query, the text behind '?' as it was sent. False when an escape is
 * broken or there are more than HTTP_PARAMS_MAX. */
bool params_add_url(struct params *p, str query);

/* Add the pairs of a form body: they stand before those of the URL. A body of another content type,
 * or of none (RFC 9110 8.3: octets), is no form. False when malformed or too many. */
bool params_add_form(struct params *p, str content_type, slice body);

/* The i-th value of `name`, those of the body first; {NULL, 0} when there are fewer. */
str params_nth(const struct params *p, str name, size_t i);

void params_fini(struct params *p);

/* Does a list header such as Accept-Encoding name `token` without q=0? */
bool params_header_accepts(str header, str token);

#endif
