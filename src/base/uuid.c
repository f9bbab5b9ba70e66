/* uuid.c -- see uuid.h: RFC 9562, over nettle. */
#include "base/uuid.h"

#include <nettle/sha1.h>

void uuid_of_name(const uint8_t space[UUID_SIZE], str name, char out[UUID_TEXT_SIZE + 1])
{
    static const char DIGITS[] = "0123456789abcdef";
    uint8_t digest[SHA1_DIGEST_SIZE];
    struct sha1_ctx ctx;
    size_t at = 0;
    sha1_init(&ctx);
    sha1_update(&ctx, UUID_SIZE, space);
    sha1_update(&ctx, name.len, (const uint8_t *)name.ptr);
    sha1_digest(&ctx, sizeof(digest), digest);
    digest[6] = (uint8_t)((digest[6] & 0x0f) | 0x50);
    digest[8] = (uint8_t)((digest[8] & 0x3f) | 0x80);
    for (size_t i = 0; i < UUID_SIZE; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            out[at++] = '-';
        out[at++] = DIGITS[digest[i] >> 4];
        out[at++] = DIGITS[digest[i] & 15];
    }
    out[at] = '\0';
}
