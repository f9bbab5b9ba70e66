/* digest.h -- small cryptography for authentication, over GnuTLS and libcrypt: hashes, comparison,
 * base64, bcrypt. */
#ifndef HTTP_DIGEST_H
#define HTTP_DIGEST_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"

enum { SHA256_SIZE = 32, BCRYPT_PASSWORD_MAX = 72 /* bytes; the rest would be ignored */ };

/* SHA-256 of `bytes`. ERR_UNSUPPORTED: the library refuses (a FIPS policy). */
MUST_USE err digest_sha256(slice bytes, uint8_t out[SHA256_SIZE]);

/* HMAC-SHA-256 of `bytes` under `key`. ERR_UNSUPPORTED: as above. */
MUST_USE err digest_hmac(slice key, slice bytes, uint8_t out[SHA256_SIZE]);

/* Unpredictable bytes. ERR_IO: the system gives none. */
MUST_USE err digest_random(uint8_t *out, size_t size);

/* Equal, in a time that does not depend on where they differ. */
bool digest_equal(const uint8_t *a, const uint8_t *b, size_t size);

/* Append what the base64 text (RFC 4648, padded) stands for. ERR_INVALID */
MUST_USE err digest_base64_decode(str text, struct buf *out);

/* Is `password` the one of the bcrypt hash? Takes 50 ms and more of processor time. False for
 * passwords with a NUL or longer than BCRYPT_PASSWORD_MAX. */
bool digest_bcrypt_matches(str password, str hash);

#endif
