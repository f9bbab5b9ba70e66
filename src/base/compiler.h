/* compiler.h -- attributes and small macros that every file may use. */
#ifndef BASE_COMPILER_H
#define BASE_COMPILER_H

#define MUST_USE         __attribute__((warn_unused_result))
#define PRINTF_LIKE(f, a) __attribute__((format(printf, f, a)))
#define LIKELY(x)        __builtin_expect(!!(x), 1)
#define UNLIKELY(x)      __builtin_expect(!!(x), 0)
#define COUNT_OF(array)  (sizeof(array) / sizeof((array)[0]))
#define MIN(a, b)        ((a) < (b) ? (a) : (b))
#define MAX(a, b)        ((a) > (b) ? (a) : (b))
#define CACHE_LINE       64 /* bytes */

/* Hot loops over plain arrays are compiled twice, for any x86-64 and for AVX2 machines; the loader
 * picks. Results are the same bit for bit: fused multiply-add is off everywhere (cmake/flags.cmake).
 * Sanitizers run before the loader can resolve such functions, so their builds have one version. */
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(VARVE_SANITIZED)
#define HOT_CLONES __attribute__((target_clones("default", "arch=x86-64-v3")))
#else
#define HOT_CLONES
#endif

#endif
