/* str_sort.h -- sorting many texts by bytes. */
#ifndef BASE_STR_SORT_H
#define BASE_STR_SORT_H

#include "base/slice.h"

/* Sort ascending by str_cmp(). Takes 48 bytes more for each text while it runs, and about 30 ns for
 * each of 100,000 texts: digits of their first bytes instead of comparisons. */
void str_sort(str *items, size_t count);

#endif
