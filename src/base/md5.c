/* md5.c -- see md5.h: over nettle, which GnuTLS brings along. */
#include "base/md5.h"

#include <nettle/md5.h>

void md5_of(slice bytes, uint8_t out[16])
{
    struct md5_ctx ctx;
    md5_init(&ctx);
    md5_update(&ctx, bytes.len, bytes.ptr);
    md5_digest(&ctx, 16, out);
}
