/* md5.h -- MD5, for what other programs fixed on it (hashmod relabelling); not for secrets. */
#ifndef BASE_MD5_H
#define BASE_MD5_H

#include <stdint.h>

#include "base/slice.h"

void md5_of(slice bytes, uint8_t out[16]);

#endif
