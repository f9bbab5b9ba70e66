/* sha256.h -- SHA-256, for keys that other programs make the same way. */
#ifndef BASE_SHA256_H
#define BASE_SHA256_H

#include <stdint.h>

#include "base/slice.h"

enum { SHA256_HEX_SIZE = 64 };

/* 64 hexadecimal digits, without an end. */
void sha256_hex(slice bytes, char out[SHA256_HEX_SIZE]);

#endif
