/* params.h -- request parameters: name and value pairs of URL and form body, decoded. */
#ifndef HTTP_PARAMS_H
#define HTTP_PARAMS_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/slice.h"

enum { PARAMS_ERROR_SIZE = 96 };

struct params {      /* zero-initialised is empty; fields but `error` are private */
    struct buf text; /* names and values back to back */
    struct buf refs; /* struct param_ref */
    size_t count;
    char error[PARAMS_ERROR_SIZE]; /* why the last call returned false */
};

/* Add the pairs of a URL's query, the text behind '?' as it was sent. False when an escape is
 * broken, a semicolon stands where '&' should, or there are more than HTTP_PARAMS_MAX. */
bool params_add_url(struct params *p, str query);

/* Add the pairs of a body. Those of a form stand before those of the URL, those of a
 * multipart/form-data body behind them (fields only, files are no parameters), as Go's FormValue
 * has it. A body of another content type, or of none (RFC 9110 8.3: octets), is no form. False when
 * malformed or too many. */
bool params_add_body(struct params *p, str content_type, slice body);

/* The i-th value of `name`; {NULL, 0} when there are fewer. */
str params_nth(const struct params *p, str name, size_t i);

void params_fini(struct params *p);

/* Value of "%4a" at the start of `s`, -1 when it is no escape. */
int params_unhex(str s);

/* The first content coding an Accept-Encoding header names that is served here, and not with q=0.
 */
enum params_coding { CODING_NONE, CODING_GZIP, CODING_DEFLATE };
enum params_coding params_coding(str accept_encoding);

/* multipart.c: does this content type name a multipart form? Then its boundary. */
bool multipart_boundary(str content_type, str *out);
/* Hand every field of a multipart form to `field`, which returns false to stop. False when stopped
 * or malformed. */
bool multipart_each(str boundary, slice body, bool (*field)(void *arg, str name, str value),
                    void *arg);

#endif
