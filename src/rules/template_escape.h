/* template_escape.h -- text made safe to stand in HTML, scripts and URLs, byte for byte as Go's
 * template.HTMLEscaper, template.JSEscaper and url.QueryEscape do it. */
#ifndef RULES_TEMPLATE_ESCAPE_H
#define RULES_TEMPLATE_ESCAPE_H

#include "base/buf.h"
#include "base/slice.h"

enum { ESCAPE_GROWTH_MAX = 6 }; /* bytes that one may become */

void escape_html(str s, struct buf *out);
void escape_js(str s, struct buf *out);
void escape_url_query(str s, struct buf *out);

#endif
