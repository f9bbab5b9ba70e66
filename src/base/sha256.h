/* sha256.h -- SHA-256, for keys that other programs make the same way, and HMAC with it (RFC 2104),
 * for what nobody else may make. */
#ifndef BASE_SHA256_H
#define BASE_SHA256_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

enum { SHA256_HEX_SIZE = 64, HMAC_SHA256_SIZE = 32 };

/* 64 hexadecimal digits, without an end. */
void sha256_hex(slice bytes, char out[SHA256_HEX_SIZE]);

/* HMAC-SHA-256 of `bytes` under `key`. */
void hmac_sha256(slice key, slice bytes, uint8_t out[HMAC_SHA256_SIZE]);

/* Equal, in a time that does not depend on where they differ. */
bool secret_equal(const uint8_t *a, const uint8_t *b, size_t size);

#endif
