/* tries.h -- how often somebody did something in this minute: counts by a hash of who, so that
 * strangers share some. Zero-initialised: nobody did anything. Threads: any. */
#ifndef HTTP_TRIES_H
#define HTTP_TRIES_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

enum { TRIES_SLOTS = 1024 };

struct tries {
    _Atomic uint64_t slots[TRIES_SLOTS]; /* minute << 24 | count */
};

/* Count one more of `who`; false: there were `most` of them in this minute already. */
bool tries_take(struct tries *t, str who, int64_t now_ms, unsigned most);

#endif
