/* target.c -- see target.h. */
#include "http/target.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "http/params.h"

/* Bytes of "http://" in front of an absolute target, 0 when it is none. */
static size_t scheme_size(str s)
{
    static const char *const SCHEMES[] = {"http://", "https://"};
    for (size_t i = 0; i < COUNT_OF(SCHEMES); i++) {
        size_t n = strlen(SCHEMES[i]);
        if (s.len >= n && strncasecmp(s.ptr, SCHEMES[i], n) == 0)
            return n;
    }
    return 0;
}

str target_authority(str target)
{
    size_t start = scheme_size(target), n = start;
    while (start > 0 && n < target.len && target.ptr[n] != '/' && target.ptr[n] != '?')
        n++;
    return (str){target.ptr + start, n - start};
}

/* The path of an absolute target: what follows the authority. */
static str strip_authority(str s)
{
    size_t start = scheme_size(s), n = start + target_authority(s).len;
    if (start == 0)
        return s;
    return n < s.len && s.ptr[n] == '/' ? (str){s.ptr + n, s.len - n} : STR("/");
}

static bool is_control(unsigned char c)
{
    return c <= 0x20 || c == 0x7f;
}

/* Where names begin in which a slash may be encoded; the end of `s` when none do. */
static const char *find_names(str s)
{
    const char *at = memmem(s.ptr, s.len, TARGET_NAMES, strlen(TARGET_NAMES));
    return at != NULL ? at : s.ptr + s.len;
}

static enum target_verdict decode(str s, struct buf *path)
{
    enum target_verdict verdict = TARGET_OK;
    const char *names = find_names(s);
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];
        if (is_control(c))
            return TARGET_MALFORMED;
        if (c == '%') {
            int decoded = params_unhex((str){s.ptr + i, s.len - i});
            if (decoded <= 0 || decoded == TARGET_SLASH) /* broken, or a NUL */
                return TARGET_MALFORMED;
            if (decoded == '/' && s.ptr + i > names)
                decoded = TARGET_SLASH;
            if (decoded == '/' || decoded == '\\')
                verdict = TARGET_FOREIGN;
            c = (unsigned char)decoded;
            i += 2;
        }
        buf_put_u8(path, c);
    }
    return verdict;
}

/* Is there a segment that is empty (but for the last), "." or ".."? */
static bool has_odd_segment(str path)
{
    for (size_t i = 1; i <= path.len;) {
        size_t start = i;
        while (i < path.len && path.ptr[i] != '/')
            i++;
        str segment = {path.ptr + start, i - start};
        if (str_eq(segment, STR(".")) || str_eq(segment, STR("..")) ||
            (segment.len == 0 && i < path.len))
            return true;
        i++;
    }
    return false;
}

enum target_verdict target_parse(str target, struct buf *path, str *query)
{
    const char *mark = target.len > 0 ? memchr(target.ptr, '?', target.len) : NULL;
    size_t n = mark != NULL ? (size_t)(mark - target.ptr) : target.len;
    str s = strip_authority((str){target.ptr, n});
    enum target_verdict verdict = TARGET_MALFORMED;
    *query = mark != NULL ? (str){mark + 1, target.len - n - 1} : (str){"", 0};
    buf_reset(path);
    if (str_eq(s, STR("*")) || (s.len > 0 && s.ptr[0] == '/'))
        verdict = decode(s, path);
    if (verdict == TARGET_OK && has_odd_segment(buf_str(path)))
        verdict = TARGET_FOREIGN;
    buf_put_u8(path, 0);
    path->len--;
    return verdict;
}
