/* alert_silence_list.h -- silences as a server lists them: read, chosen, shown. */
#ifndef CLI_ALERT_SILENCE_LIST_H
#define CLI_ALERT_SILENCE_LIST_H

#include "cli/alert_commands.h"
#include "notify/silences.h"

struct shown_silence {
    struct silence silence; /* texts live as long as the answer, matchers need no freeing */
    str state;
};

/* A silence out of an answer; lists are in `a`. Expressions are not compiled: they are shown.
 *   ERR_INVALID  it is none; ERR_LIMIT */
MUST_USE err shown_silence_read(const struct jtree *n, struct arena *a, struct shown_silence *out,
                                struct diag *d);

/* Show them, sorted by their end, as a table or as JSON. */
void shown_silences_print(struct shown_silence *items, size_t count, enum alert_output output);

/* What is posted to make or change a silence. */
void silence_body(const struct silence *s, struct buf *out);

#endif
