/* external_labels.h -- the labels of the server as a whole (global.external_labels of the
 * configuration). What leaves it for other systems carries them: remote read, federation, alerts.
 * A label that a series has itself wins.
 *
 * Threads: every function may be called from any, but init and fini. */
#ifndef HTTP_EXTERNAL_LABELS_H
#define HTTP_EXTERNAL_LABELS_H

#include "base/arena.h"
#include "base/err.h"
#include "base/thread.h"
#include "model/labels.h"

struct external_labels { /* fields are private */
    struct mutex lock;   /* guards all below; rank: leaf */
    struct arena arena;
    struct labels labels;
};

void external_labels_init(struct external_labels *e);
void external_labels_fini(struct external_labels *e);

/* From now on `ls` hold: sorted by name, names unique, no empty value; copied.
 *   ERR_LIMIT  more than 1 MiB of text; nothing changed */
MUST_USE err external_labels_set(struct external_labels *e, struct labels ls);

/* A copy of the labels in force, in `a`. ERR_LIMIT: its budget. */
MUST_USE err external_labels_get(struct external_labels *e, struct arena *a, struct labels *out);

#endif
