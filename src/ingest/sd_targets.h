/* sd_targets.h -- targets that a discovery found: label sets, immutable once built, counted. */
#ifndef INGEST_SD_TARGETS_H
#define INGEST_SD_TARGETS_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "model/labels.h"

enum {
    SD_BYTES_MAX = 512 << 20, /* memory of the targets of one source */
    SD_TARGETS_MAX = 1000000, /* of one source */
    SD_LABELS_MAX = 2000,     /* of one target */
};

struct sd_targets;

struct sd_targets *sd_targets_ref(struct sd_targets *t);
void sd_targets_unref(struct sd_targets *t); /* NULL is allowed */
size_t sd_targets_count(const struct sd_targets *t);

/* The labels of the i-th target, sorted by name; they live as long as `t`. */
struct labels sd_targets_at(const struct sd_targets *t, size_t i);

/* ---- Building ---- */

struct sd_build { /* zero-initialised; private */
    struct sd_targets *t;
    struct label *pending; /* of the target in the making */
    size_t count, common, room;
    size_t targets_room;
    struct buf text;
    err e; /* the first that went wrong */
};

void sd_build_begin(struct sd_build *b);

/* Add a label to the target in the making; the text is copied. A later one of the same name wins.
 * The second form makes the name of `prefix` and the sanitised `name`. Empty values are kept out.
 */
void sd_build_label(struct sd_build *b, const char *name, str value);
void sd_build_meta(struct sd_build *b, const char *prefix, str name, const char *suffix, str value);
void sd_build_number(struct sd_build *b, const char *name, int64_t value);

/* How many labels are pending; back to that many: what several targets have in common stays. */
size_t sd_build_mark(const struct sd_build *b);
void sd_build_back(struct sd_build *b, size_t mark);

/* The pending labels are a target. They stay pending: go back to the mark before the next. */
void sd_build_target(struct sd_build *b);

/* The targets with one reference.   ERR_LIMIT  too many or too large; nothing is left to free */
MUST_USE err sd_build_end(struct sd_build *b, struct sd_targets **out);
void sd_build_abandon(struct sd_build *b);

#endif
