/* active.h -- the queries that wait, run or are being answered, and how to end one.
 *
 * An entry lives in its owner's memory from active_add() to active_remove(); its strings are
 * borrowed for as long. Whoever looks at the list gets copies. Ending a query sets the flag that
 * its execution polls (query_options.canceled).
 *
 * Threads: any. Lock: one mutex over the list and the strings of its entries; rank: leaf. */
#ifndef QUERY_ACTIVE_H
#define QUERY_ACTIVE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/slice.h"
#include "base/thread.h"
#include "query/engine.h"
#include "query/origin.h"

enum { ACTIVE_TEXT_MAX = 64 << 10 }; /* bytes of a query's text in a copy; more is cut */

enum active_state { ACTIVE_QUEUED, ACTIVE_RUNNING, ACTIVE_SENDING };
const char *active_state_text(enum active_state s); /* "queued", "running", "sending" */

/* What a query is and where it comes from; all of it may be copied with active_list(). */
struct active_info {
    uint64_t id;      /* by active_add() */
    const char *kind; /* static: "query", "query_range", "series", ... */
    str query;
    size_t query_bytes; /* of the whole text */
    int64_t start_ms, end_ms, step_ms;
    uint64_t start_mono_ns; /* when it arrived */
    struct query_origin origin;
};

struct active_query { /* the owner fills in `info` and `cancel`, zero elsewhere */
    struct active_info info;
    atomic_bool *cancel; /* set to end it */
    struct query_progress progress;
    _Atomic enum active_state state;
    bool canceled;        /* by active_cancel(); under the lock */
    uint64_t run_mono_ns; /* when it left the queue; by active_run(); 0: not yet */
    struct active_query *prev, *next;
};

struct active_queries { /* private */
    struct mutex lock;
    struct active_query *first;
    uint64_t next_id;
    size_t count;
};

void active_init(struct active_queries *a);
void active_fini(struct active_queries *a); /* requires that no entry is left */

void active_add(struct active_queries *a, struct active_query *q);
/* Also for an entry that was never added. */
void active_remove(struct active_queries *a, struct active_query *q);

/* It leaves the queue; its times, once they are known; it is being answered. */
void active_run(struct active_query *q);
void active_times(struct active_queries *a, struct active_query *q, int64_t start_ms,
                  int64_t end_ms, int64_t step_ms);
void active_sending(struct active_query *q);

struct active_copy {
    struct active_info info;
    enum active_state state;
    uint64_t series, samples, bytes, memory_bytes;
    uint64_t elapsed_ns, queue_ns;
};

/* The entries at this moment, oldest first, in `a`.   ERR_LIMIT  the arena's budget */
MUST_USE err active_list(struct active_queries *q, struct arena *a, struct active_copy **out,
                         size_t *count);
/* How many there are of a state. */
size_t active_count(struct active_queries *q, enum active_state s);

struct active_memory { /* what all of them hold, as far as they have told */
    uint64_t bytes, largest_bytes, largest_id;
    size_t holders;
};
struct active_memory active_memory_of(struct active_queries *q);

/* End a query.   ERR_NOTFOUND  there is none of this id */
MUST_USE err active_cancel(struct active_queries *a, uint64_t id);

/* Was it ended so? For the owner. */
bool active_was_canceled(struct active_queries *a, const struct active_query *q);

#endif
