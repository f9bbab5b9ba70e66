/* ulid.c -- see ulid.h. */
#include "storage/ulid.h"

#include "base/clock.h"
#include "base/hash.h"
#include "base/thread.h"

static const char LETTERS[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

enum {
    BITS = 5,     /* of a letter; the first has 3 */
    TIME_SIZE = 6 /* bytes */
};

/* Guards `last`. Rank: leaf (nothing is locked while it is held). */
static pthread_mutex_t last_lock = PTHREAD_MUTEX_INITIALIZER;
static ulid last;

ulid ulid_make(int64_t ms, uint64_t hi, uint64_t lo)
{
    ulid u;
    for (int i = 0; i < TIME_SIZE; i++)
        u.bytes[i] = (uint8_t)((uint64_t)ms >> (40 - 8 * i));
    u.bytes[6] = (uint8_t)(hi >> 8);
    u.bytes[7] = (uint8_t)hi;
    for (int i = 0; i < 8; i++)
        u.bytes[8 + i] = (uint8_t)(lo >> (56 - 8 * i));
    return u;
}

static void increment(ulid *u)
{
    for (int i = ULID_SIZE - 1; i >= 0; i--) {
        if (++u->bytes[i] != 0)
            return;
    }
}

ulid ulid_new(void)
{
    ulid u = ulid_make(clock_wall_ms(), hash_random_seed(), hash_random_seed());
    (void)pthread_mutex_lock(&last_lock);
    if (ulid_cmp(u, last) <= 0) {
        u = last;
        increment(&u);
    }
    last = u;
    (void)pthread_mutex_unlock(&last_lock);
    return u;
}

void ulid_format(ulid u, char out[ULID_TEXT_SIZE])
{
    uint32_t bits = 0;
    int have = 2; /* 130 bits are written: two leading zeros */
    int at = 0;
    for (int i = 0; i < ULID_SIZE; i++) {
        bits = bits << 8 | u.bytes[i];
        have += 8;
        while (have >= BITS) {
            have -= BITS;
            out[at++] = LETTERS[bits >> have & 31];
        }
    }
    out[at] = '\0';
}

err ulid_parse(str text, ulid *out)
{
    if (text.len != ULID_TEXT_SIZE - 1 || text.ptr[0] > '7')
        return ERR_INVALID;
    ulid u = {{0}};
    uint32_t bits = 0;
    int have = -2, at = 0;
    for (size_t i = 0; i < text.len; i++) {
        const char *p = text.ptr[i] != '\0' ? strchr(LETTERS, text.ptr[i]) : NULL;
        if (p == NULL)
            return ERR_INVALID;
        bits = bits << BITS | (uint32_t)(p - LETTERS);
        have += BITS;
        if (have >= 8) {
            have -= 8;
            u.bytes[at++] = (uint8_t)(bits >> have);
        }
    }
    *out = u;
    return OK;
}

int64_t ulid_ms(ulid u)
{
    int64_t ms = 0;
    for (int i = 0; i < TIME_SIZE; i++)
        ms = ms << 8 | u.bytes[i];
    return ms;
}
