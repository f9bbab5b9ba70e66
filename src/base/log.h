/* log.h -- structured logs: a constant message and key=value pairs, as logfmt or JSON, to stderr.
 *
 *   log_warn("block set aside", LOG_STR("block", name), LOG_STR("reason", why));
 *
 * One write(2) a line, any thread. Every call site may write LOG_BURST lines at once and
 * LOG_PER_MINUTE in the long run; what is held back is counted and reported by its next line
 * (suppressed=N). Values are escaped; they may be any bytes. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/slice.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };
enum log_format { LOG_LOGFMT, LOG_JSON };
enum { LOG_BURST = 20, LOG_PER_MINUTE = 60 };

struct log_field {
    const char *key;
    enum { LOG_FIELD_STR, LOG_FIELD_INT, LOG_FIELD_F64 } type;
    str text;
    int64_t number;
    double real;
};

#define LOG_STR(k, s)  ((struct log_field){.key = (k), .type = LOG_FIELD_STR, .text = (s)})
#define LOG_CSTR(k, s) ((struct log_field){.key = (k), .type = LOG_FIELD_STR, .text = str_from(s)})
#define LOG_INT(k, n)  ((struct log_field){.key = (k), .type = LOG_FIELD_INT, .number = (int64_t)(n)})
#define LOG_F64(k, x)  ((struct log_field){.key = (k), .type = LOG_FIELD_F64, .real = (x)})
#define LOG_ERR(e)     LOG_CSTR("err", err_name(e))

struct log_site { /* one static object a call site: its rate limit */
    _Atomic uint64_t paid_until_mono_ns; /* every line pays a minute / LOG_PER_MINUTE */
    atomic_uint suppressed;              /* lines held back since the last one written */
};

/* Set what is written (default: LOG_INFO and above, logfmt). Call before threads start. */
void log_configure(enum log_level min_level, enum log_format format);

/* Is a line of this level written at all? For callers whose values are costly. */
bool log_enabled(enum log_level level);

/* Write one line; use the macros below. `fields` are borrowed for the call. */
void log_write(struct log_site *site, enum log_level level, const char *file, int line,
               const char *message, const struct log_field *fields, unsigned field_count);

#define LOG_AT(level, message, ...)                                                                \
    do {                                                                                           \
        static struct log_site log_site_;                                                          \
        const struct log_field log_fields_[] = {LOG_INT("", 0), __VA_ARGS__};                      \
        log_write(&log_site_, (level), __FILE__, __LINE__, (message), log_fields_ + 1,             \
                  (unsigned)COUNT_OF(log_fields_) - 1);                                            \
    } while (0)
#define log_debug(...) LOG_AT(LOG_DEBUG, __VA_ARGS__, LOG_END)
#define log_info(...)  LOG_AT(LOG_INFO, __VA_ARGS__, LOG_END)
#define log_warn(...)  LOG_AT(LOG_WARN, __VA_ARGS__, LOG_END)
#define log_error(...) LOG_AT(LOG_ERROR, __VA_ARGS__, LOG_END)
#define LOG_END        ((struct log_field){.key = ""}) /* fields with an empty key are skipped */

#endif
