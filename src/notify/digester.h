/* digester.h -- sends the digests of the extensions file: at each time of a digest's schedule its
 * receiver gets one notice (notice.h) with what happened since the one before. The state keeps when
 * that was: a restart sends none twice, and one that the server was down for is sent at the start,
 * when it is less than DIGEST_LATE_MS late; else the next one tells of that time, too.
 *
 * Threads: one of its own, for the history is read from disk. */
#ifndef NOTIFY_DIGESTER_H
#define NOTIFY_DIGESTER_H

#include "notify/digest_facts.h"
#include "notify/service.h"

enum {
    DIGEST_LATE_MS = 3600000,
    DIGEST_RETRY_MS = 60000, /* after the history could not be read, or a notice was refused */
    DIGEST_LOOK_MS = 1000,   /* between two looks: the wall clock may leap, the file change */
};

struct digester_options {
    struct notify_service *service; /* outlives the digester */
    int64_t start_delay_ms;         /* nothing is sent before: alerts are said anew first */
    /* Give every objective to `take`, which does not wait. NULL: there are none. */
    void (*slos)(void *arg, void (*take)(void *to, const struct digest_slo *slo), void *to);
    void *arg;
};

struct digester;

struct digester *digester_open(const struct digester_options *o, int64_t now_ms);
MUST_USE err digester_start(struct digester *d); /* ERR_IO  no thread */
void digester_close(struct digester *d);         /* NULL is allowed */

/* Send what is due. For the thread, and tests. */
void digester_step(struct digester *d, int64_t now_ms);

#endif
