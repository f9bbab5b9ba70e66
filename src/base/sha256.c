/* sha256.c -- see sha256.h: over nettle, which GnuTLS brings along. */
#include "base/sha256.h"

#include <assert.h>

#include <nettle/hmac.h>
#include <nettle/memops.h>
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

void hmac_sha256(slice key, slice bytes, uint8_t out[HMAC_SHA256_SIZE])
{
    static_assert(HMAC_SHA256_SIZE == SHA256_DIGEST_SIZE, "the whole digest");
    struct hmac_sha256_ctx ctx;
    hmac_sha256_set_key(&ctx, key.len, key.ptr);
    hmac_sha256_update(&ctx, bytes.len, bytes.ptr);
    hmac_sha256_digest(&ctx, HMAC_SHA256_SIZE, out);
    explicit_bzero(&ctx, sizeof(ctx));
}

bool secret_equal(const uint8_t *a, const uint8_t *b, size_t size)
{
    return memeql_sec(a, b, size) != 0;
}
