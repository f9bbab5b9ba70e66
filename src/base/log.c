/* log.c -- see log.h. A line is built in memory and written with one write(2).
 *
 * The rate limit is a virtual clock for each site: a line pays LINE_NS; a site may be ahead of
 * the real clock by at most BURST_NS. */
#include "base/log.h"

#include <errno.h>
#include <math.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/duration.h"
#include "base/number.h"
#include "base/utf8.h"

#define LINE_NS  (UINT64_C(60000000000) / LOG_PER_MINUTE)
#define BURST_NS (LINE_NS * LOG_BURST)

enum { VALUE_SIZE_MAX = 16 << 10 }; /* bytes shown of one value */

static enum log_level level_min = LOG_INFO;
static enum log_format line_format = LOG_LOGFMT;

static const char *const LEVELS[] = {
    [LOG_DEBUG] = "debug", [LOG_INFO] = "info", [LOG_WARN] = "warn", [LOG_ERROR] = "error"};

void log_configure(enum log_level min_level, enum log_format format)
{
    level_min = min_level;
    line_format = format;
}

bool log_enabled(enum log_level level)
{
    return level >= level_min;
}

/* May the site write now? Pays for the line when it may. The counters order nothing else. */
static bool take_token(struct log_site *site, uint64_t now_ns)
{
    uint64_t paid = atomic_load_explicit(&site->paid_until_mono_ns, memory_order_relaxed);
    for (;;) {
        uint64_t from = MAX(paid, now_ns);
        if (from + LINE_NS > now_ns + BURST_NS)
            return false;
        if (atomic_compare_exchange_weak_explicit(&site->paid_until_mono_ns, &paid, from + LINE_NS,
                                                  memory_order_relaxed, memory_order_relaxed))
            return true;
    }
}

static void put_json_char(struct buf *b, uint32_t rune)
{
    switch (rune) {
    case '"':
    case '\\':
        buf_put_u8(b, '\\');
        buf_put_u8(b, (uint8_t)rune);
        break;
    case '\n':
        buf_put_str(b, STR("\\n"));
        break;
    case '\t':
        buf_put_str(b, STR("\\t"));
        break;
    default:
        if (rune < 0x20 || rune == 0x7f)
            buf_printf(b, "\\u%04x", rune);
        else
            utf8_append(b, rune);
    }
}

static void put_json_text(struct buf *b, str s)
{
    buf_put_u8(b, '"');
    while (s.len > 0) {
        unsigned size;
        put_json_char(b, utf8_decode(s, &size));
        s = (str){s.ptr + size, s.len - size};
    }
    buf_put_u8(b, '"');
}

/* logfmt readers need quotes around blanks, '=', quotes and what does not print. */
static bool is_bare(str s)
{
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];
        if (c <= ' ' || c == '=' || c == '"' || c == '\\' || c >= 0x7f)
            return false;
    }
    return s.len > 0;
}

static void put_text(struct buf *b, str s)
{
    s.len = MIN(s.len, (size_t)VALUE_SIZE_MAX);
    if (line_format == LOG_JSON)
        put_json_text(b, s);
    else if (is_bare(s))
        buf_put_str(b, s);
    else
        utf8_quote(b, s);
}

static void put_key(struct buf *b, const char *key)
{
    if (line_format == LOG_JSON) {
        buf_put_u8(b, b->len > 0 ? ',' : '{');
        put_json_text(b, str_from(key));
        buf_put_u8(b, ':');
        return;
    }
    if (b->len > 0)
        buf_put_u8(b, ' ');
    buf_put_str(b, str_from(key));
    buf_put_u8(b, '=');
}

static void put_int(struct buf *b, const char *key, int64_t v)
{
    char text[NUMBER_SIZE_MAX];
    put_key(b, key);
    buf_put(b, text, number_format_i64(v, text));
}

static void put_field(struct buf *b, const struct log_field *f)
{
    char text[NUMBER_SIZE_MAX];
    if (f->key[0] == '\0')
        return;
    switch (f->type) {
    case LOG_FIELD_STR:
        put_key(b, f->key);
        put_text(b, f->text);
        break;
    case LOG_FIELD_INT:
        put_int(b, f->key, f->number);
        break;
    case LOG_FIELD_F64:
        put_key(b, f->key);
        str s = {text, number_format_json(f->real, text)};
        if (isfinite(f->real))
            buf_put_str(b, s);
        else
            put_text(b, s);
        break;
    }
}

/* "base/log.c:42": the folder and file are enough to find the place. */
static void put_caller(struct buf *b, const char *file, int line)
{
    const char *from = file;
    unsigned slashes = 0;
    for (const char *p = file + strlen(file); p > file; p--) {
        if (p[-1] == '/' && ++slashes == 2) {
            from = p;
            break;
        }
    }
    struct buf text = {0};
    buf_printf(&text, "%s:%d", from, line);
    put_key(b, "caller");
    put_text(b, buf_str(&text));
    buf_fini(&text);
}

/* RFC 3339 with always three decimals, so that lines align and sort. */
static void put_time(struct buf *b, int64_t now_ms)
{
    char text[64];
    int64_t ms = ((now_ms % 1000) + 1000) % 1000;
    size_t n = timestamp_format_rfc3339(now_ms - ms, text) - 1; /* without the Z */
    text[n++] = '.';
    text[n++] = (char)('0' + ms / 100);
    text[n++] = (char)('0' + ms / 10 % 10);
    text[n++] = (char)('0' + ms % 10);
    text[n++] = 'Z';
    put_key(b, "ts");
    put_text(b, (str){text, n});
}

/* One write; only an interrupted or short one (a pipe) is continued. Nobody to tell if it fails. */
static void write_out(slice line)
{
    while (line.len > 0) {
        ssize_t n = write(STDERR_FILENO, line.ptr, line.len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return;
        line = (slice){line.ptr + n, line.len - (size_t)n};
    }
}

void log_write(struct log_site *site, enum log_level level, const char *file, int line,
               const char *message, const struct log_field *fields, unsigned field_count)
{
    if (!log_enabled(level))
        return;
    if (!take_token(site, clock_mono_ns())) {
        atomic_fetch_add_explicit(&site->suppressed, 1, memory_order_relaxed);
        return;
    }
    int saved_errno = errno;
    struct buf b = {0};
    put_time(&b, clock_wall_ms());
    put_key(&b, "level");
    put_text(&b, str_from(LEVELS[level]));
    put_caller(&b, file, line);
    put_key(&b, "msg");
    put_text(&b, str_from(message));
    for (unsigned i = 0; i < field_count; i++)
        put_field(&b, &fields[i]);
    unsigned suppressed = atomic_exchange_explicit(&site->suppressed, 0, memory_order_relaxed);
    if (suppressed > 0)
        put_int(&b, "suppressed", suppressed);
    buf_put_str(&b, line_format == LOG_JSON ? STR("}\n") : STR("\n"));
    write_out(buf_slice(&b));
    buf_fini(&b);
    errno = saved_errno;
}
