/* state_value.h -- what values of the state log are made of: texts, lists and labels, to bytes and
 * back into an arena. Format: docs/formats/notify-state.md.
 *
 * What is read is checked: what is missing latches the reader's `overrun`. Without memory a text is
 * NULL and a list empty. */
#ifndef NOTIFY_STATE_VALUE_H
#define NOTIFY_STATE_VALUE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/bytes.h"
#include "base/texts.h"
#include "model/labels.h"

void value_put_texts(struct buf *out, struct texts t);
void value_put_labels(struct buf *out, struct labels ls);

str value_text(struct reader *r, struct arena *a);
/* How many there are; never more than there are bytes. */
size_t value_count(struct reader *r);
struct texts value_texts(struct reader *r, struct arena *a);
struct labels value_labels(struct reader *r, struct arena *a);

#endif
