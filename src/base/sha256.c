/* sha256.c -- see sha256.h: over nettle, which GnuTLS brings along. */
#include "base/sha256.h"

#include <nettle/sha2.h>

void sha256_hex(slice bytes, char out[SHA256_HEX_SIZE])
{
    static const char DIGITS[] = "0123456789abcdef";
    uint8_t digest[SHA256_DIGEST_SIZE];
    struct sha256_ctx ctx;
    sha256_init(&ctx);
    sha256_update(&ctx, bytes.len, bytes.ptr);
    sha256_digest(&ctx, sizeof(digest), digest);
    for (size_t i = 0; i < sizeof(digest); i++) {
        out[2 * i] = DIGITS[digest[i] >> 4];
        out[2 * i + 1] = DIGITS[digest[i] & 15];
    }
}
