/* notice_text.h -- which of a receiver's texts a notice has words of its own for. */
#ifndef NOTIFY_NOTICE_TEXT_H
#define NOTIFY_NOTICE_TEXT_H

#include "notify/notification.h"

/* Append what stands in place of the text `key` of the configuration ("title"). False: the
 * notification is no notice, or the text is the configuration's. */
bool notice_text_for(const struct notification *n, const char *key, struct buf *out);

#endif
