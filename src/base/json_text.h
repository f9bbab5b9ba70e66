/* json_text.h -- texts as JSON has them. Bytes that are not UTF-8 become U+FFFD. */
#ifndef BASE_JSON_TEXT_H
#define BASE_JSON_TEXT_H

#include "base/buf.h"
#include "base/slice.h"

/* A quoted string; json_html() also escapes <, >, & as Go's encoding/json does. */
void json_str(struct buf *b, str s);
void json_html(struct buf *b, str s);

#endif
