/* crc32c.h -- CRC-32C (Castagnoli), as iSCSI (RFC 3720) and Prometheus' remote-read frames have it.
 */
#ifndef BASE_CRC32C_H
#define BASE_CRC32C_H

#include <stdint.h>

#include "base/slice.h"

/* The checksum of `bytes`. */
uint32_t crc32c(slice bytes);

#endif
