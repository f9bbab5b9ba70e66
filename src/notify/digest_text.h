/* digest_text.h -- a digest as people read it: a title, a short text for chats, HTML for mails with
 * more rows. */
#ifndef NOTIFY_DIGEST_TEXT_H
#define NOTIFY_DIGEST_TEXT_H

#include "notify/digest_facts.h"

enum {
    DIGEST_TEXT_ROWS = 8,   /* of a part; what is left out is counted */
    DIGEST_TEXT_RUNES = 80, /* of a line: five parts fit into 4096, what chats take */
    DIGEST_HTML_RUNES = 300,
};

/* Append to the three. */
void digest_write(const struct digest_facts *f, struct buf *title, struct buf *text,
                  struct buf *html);

#endif
