/* digest.c -- see digest.h. */
#include "http/digest.h"

#include <crypt.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>

#include "base/mem.h"

err digest_sha256(slice bytes, uint8_t out[SHA256_SIZE])
{
    return gnutls_hash_fast(GNUTLS_DIG_SHA256, bytes.ptr, bytes.len, out) == 0 ? OK
                                                                               : ERR_UNSUPPORTED;
}

err digest_hmac(slice key, slice bytes, uint8_t out[SHA256_SIZE])
{
    return gnutls_hmac_fast(GNUTLS_MAC_SHA256, key.ptr, key.len, bytes.ptr, bytes.len, out) == 0
               ? OK
               : ERR_UNSUPPORTED;
}

err digest_random(uint8_t *out, size_t size)
{
    return gnutls_rnd(GNUTLS_RND_KEY, out, size) == 0 ? OK : ERR_IO;
}

bool digest_equal(const uint8_t *a, const uint8_t *b, size_t size)
{
    return gnutls_memcmp(a, b, size) == 0;
}

err digest_base64_decode(str text, struct buf *out)
{
    gnutls_datum_t from = {(unsigned char *)(uintptr_t)text.ptr, (unsigned)text.len}, to;
    if (text.len > 1 << 16 || gnutls_base64_decode2(&from, &to) != 0)
        return ERR_INVALID;
    buf_put(out, to.data, to.size);
    gnutls_free(to.data);
    return OK;
}

bool digest_bcrypt_matches(str password, str hash)
{
    char phrase[BCRYPT_PASSWORD_MAX + 1] = "", setting[CRYPT_OUTPUT_SIZE] = "";
    if (password.len > BCRYPT_PASSWORD_MAX || memchr(password.ptr, '\0', password.len) != NULL ||
        hash.len >= sizeof(setting))
        return false;
    memcpy(phrase, password.ptr, password.len);
    memcpy(setting, hash.ptr, hash.len);
    struct crypt_data *data = mem_zalloc(1, sizeof(*data));
    const char *got = crypt_r(phrase, setting, data);
    bool same = got != NULL && strlen(got) == hash.len &&
                digest_equal((const uint8_t *)got, (const uint8_t *)hash.ptr, hash.len);
    gnutls_memset(phrase, 0, sizeof(phrase));
    gnutls_memset(data, 0, sizeof(*data));
    mem_free(data);
    return same;
}
