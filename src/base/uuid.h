/* uuid.h -- UUIDs that follow from a name. */
#ifndef BASE_UUID_H
#define BASE_UUID_H

#include <stdint.h>

#include "base/slice.h"

enum { UUID_SIZE = 16, UUID_TEXT_SIZE = 36 };

/* The UUID of version 5 (SHA-1) of a name in a name space: 36 characters and a NUL. */
void uuid_of_name(const uint8_t space[UUID_SIZE], str name, char out[UUID_TEXT_SIZE + 1]);

#endif
