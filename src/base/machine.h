/* machine.h -- what this process may use of the machine's memory, and what it uses. */
#ifndef BASE_MACHINE_H
#define BASE_MACHINE_H

#include <stdbool.h>
#include <stdint.h>

/* Bytes this process may have: the tightest limit of its control group (version 2 or 1) and the
 * groups above it, else the machine's memory; 0: unknown. `*of_group` says which. `root` stands
 * before /proc and /sys: "" but in tests. */
uint64_t machine_memory_limit(const char *root, bool *of_group);

/* Resident bytes of this process; 0: unknown. */
uint64_t machine_resident(const char *root);

#endif
