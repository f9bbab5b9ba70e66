/* assert.h -- ASSERT: programmer errors only, on in every build. DASSERT: costlier than O(1),
 * debug builds only. Bytes from disk, network or configuration never reach either. */
#ifndef BASE_ASSERT_H
#define BASE_ASSERT_H

#include "base/compiler.h"

/* Log the failed expression with its place and abort. */
__attribute__((noreturn)) void assert_fail(const char *expr, const char *file, int line);

#define ASSERT(x) (LIKELY(x) ? (void)0 : assert_fail(#x, __FILE__, __LINE__))
#ifdef NDEBUG
#define DASSERT(x) ((void)sizeof(x))
#else
#define DASSERT(x) ASSERT(x)
#endif

#endif
