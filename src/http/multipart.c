/* multipart.c -- fields of a multipart/form-data body (RFC 7578): see params.h. */
#include <strings.h>

#include "http/params.h"

enum { BOUNDARY_LEN_MAX = 70 }; /* RFC 2046, 5.1.1 */

/* The value of `name` in "type; a=b; c=\"d\""; false when it is not there. */
static bool parameter_of(str header, str name, str *out)
{
    for (size_t i = 0; i < header.len; i++) {
        if (header.ptr[i] != ';')
            continue;
        size_t k = i + 1;
        while (k < header.len && (header.ptr[k] == ' ' || header.ptr[k] == '\t'))
            k++;
        if (header.len - k <= name.len || strncasecmp(header.ptr + k, name.ptr, name.len) != 0 ||
            header.ptr[k + name.len] != '=')
            continue;
        k += name.len + 1;
        bool quoted = k < header.len && header.ptr[k] == '"';
        size_t start = quoted ? k + 1 : k, end = start;
        while (end < header.len && header.ptr[end] != (quoted ? '"' : ';') &&
               (quoted || header.ptr[end] != ' '))
            end++;
        *out = (str){header.ptr + start, end - start};
        return !quoted || end < header.len;
    }
    return false;
}

bool multipart_boundary(str content_type, str *out)
{
    str type = STR("multipart/form-data");
    return content_type.len > type.len && strncasecmp(content_type.ptr, type.ptr, type.len) == 0 &&
           parameter_of(content_type, STR("boundary"), out) && out->len > 0 &&
           out->len <= BOUNDARY_LEN_MAX;
}

/* Where the next "--boundary" at the start of a line begins; `text.len` when there is none. */
static size_t find_delimiter(str text, size_t from, str boundary)
{
    for (size_t i = from; i < text.len; i++) {
        const char *dash = memchr(text.ptr + i, '-', text.len - i);
        if (dash == NULL)
            break;
        i = (size_t)(dash - text.ptr);
        if (text.len - i >= boundary.len + 2 && text.ptr[i + 1] == '-' &&
            (i == 0 || text.ptr[i - 1] == '\n') &&
            memcmp(text.ptr + i + 2, boundary.ptr, boundary.len) == 0)
            return i;
    }
    return text.len;
}

/* Take one header line off `rest`; false when it has no end. */
static bool next_line(str *rest, str *line)
{
    const char *end = rest->len > 0 ? memchr(rest->ptr, '\n', rest->len) : NULL;
    if (end == NULL)
        return false;
    size_t n = (size_t)(end - rest->ptr);
    *line = (str){rest->ptr, n > 0 && rest->ptr[n - 1] == '\r' ? n - 1 : n};
    *rest = (str){end + 1, rest->len - n - 1};
    return true;
}

/* One part: its headers, then its value. */
static bool take_part(str part, bool (*field)(void *arg, str name, str value), void *arg)
{
    str disposition = STR("content-disposition:"), line, name = {NULL, 0}, file;
    bool is_file = false;
    do {
        if (!next_line(&part, &line))
            return false;
        if (line.len > disposition.len &&
            strncasecmp(line.ptr, disposition.ptr, disposition.len) == 0) {
            if (!parameter_of(line, STR("name"), &name))
                name = (str){NULL, 0};
            is_file = parameter_of(line, STR("filename"), &file);
        }
    } while (line.len > 0);
    if (name.ptr == NULL || is_file)
        return true;
    /* the line break before the delimiter belongs to it */
    size_t n = part.len;
    n -= n > 0 && part.ptr[n - 1] == '\n';
    n -= n > 0 && n < part.len && part.ptr[n - 1] == '\r';
    return field(arg, name, (str){part.ptr, n});
}

bool multipart_each(str boundary, slice body, bool (*field)(void *arg, str name, str value),
                    void *arg)
{
    str text = slice_text(body), line;
    size_t at = find_delimiter(text, 0, boundary);
    for (;;) {
        if (at == text.len)
            return false;
        str rest = {text.ptr + at + 2 + boundary.len, text.len - at - 2 - boundary.len};
        if (rest.len >= 2 && rest.ptr[0] == '-' && rest.ptr[1] == '-')
            return true;
        if (!next_line(&rest, &line))
            return false;
        size_t start = (size_t)(rest.ptr - text.ptr);
        at = find_delimiter(text, start, boundary);
        if (at == text.len || !take_part((str){rest.ptr, at - start}, field, arg))
            return false;
    }
}
