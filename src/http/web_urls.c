/* web_urls.c -- see web_urls.h. */
#include "http/web_urls.h"

#include <stdbool.h>
#include <stdio.h>
#include <strings.h>

static bool is_quote(char c)
{
    return c == '"' || c == '\'';
}

/* Printable, and nothing that would end an attribute, a header or a path. */
static bool is_plain(str s)
{
    for (size_t i = 0; i < s.len; i++)
        if ((unsigned char)s.ptr[i] <= 0x20 || (unsigned char)s.ptr[i] >= 0x7f ||
            strchr("\"<>\\^`{|}?#", s.ptr[i]) != NULL)
            return false;
    return true;
}

static str trim_slashes(str s)
{
    while (s.len > 0 && s.ptr[s.len - 1] == '/')
        s.len--;
    while (s.len > 0 && s.ptr[0] == '/')
        s = (str){s.ptr + 1, s.len - 1};
    return s;
}

/* "" or "/a/b" */
static void put_path(str s, char *out)
{
    s = trim_slashes(s);
    out[0] = '\0';
    if (s.len == 0)
        return;
    out[0] = '/';
    memcpy(out + 1, s.ptr, s.len);
    out[s.len + 1] = '\0';
}

static err bad_url(str url, const char *why, struct diag *d)
{
    return diag_set(d, ERR_INVALID, "parse external URL \"" STR_FMT "\": %s", STR_ARG(url), why);
}

/* Bytes of "http://host:port" at the start; 0 when `s` is a path. */
static err authority_len(str s, size_t *out, struct diag *d)
{
    const char *mark = s.len > 3 ? memmem(s.ptr, s.len, "://", 3) : NULL;
    *out = 0;
    if (mark == NULL)
        return OK;
    size_t scheme = (size_t)(mark - s.ptr), n = scheme + 3;
    if (!(scheme == 4 && strncasecmp(s.ptr, "http", 4) == 0) &&
        !(scheme == 5 && strncasecmp(s.ptr, "https", 5) == 0))
        return bad_url(s, "the scheme must be http or https", d);
    while (n < s.len && s.ptr[n] != '/')
        n++;
    if (n == scheme + 3)
        return bad_url(s, "no host", d);
    *out = n;
    return OK;
}

err web_urls_resolve(str external, str prefix, str listen, str hostname, struct web_urls *out,
                     struct diag *d)
{
    size_t n;
    if (external.len >= WEB_URL_SIZE - 1 || prefix.len >= WEB_URL_SIZE - 1)
        return diag_set(d, ERR_INVALID, "a URL is longer than %d bytes", WEB_URL_SIZE - 2);
    if (external.len > 0 && (is_quote(external.ptr[0]) || is_quote(external.ptr[external.len - 1])))
        return bad_url(external, "URL must not begin or end with quotes", d);
    if (!is_plain(external) || !is_plain(prefix))
        return bad_url(is_plain(external) ? prefix : external, "a character must be encoded", d);
    TRY(authority_len(external, &n, d));
    str path = {external.ptr + n, external.len - n};
    put_path(path, out->external_path);
    put_path(prefix.len > 0 ? prefix : path, out->prefix);
    const char *colon = listen.len > 0 ? memrchr(listen.ptr, ':', listen.len) : NULL;
    str port =
        colon != NULL ? (str){colon + 1, listen.len - (size_t)(colon + 1 - listen.ptr)} : listen;
    int size = external.len == 0
                   ? snprintf(out->external, sizeof(out->external),
                              "http://" STR_FMT ":" STR_FMT "/", STR_ARG(hostname), STR_ARG(port))
                   : snprintf(out->external, sizeof(out->external), STR_FMT "%s",
                              STR_ARG(((str){external.ptr, n})), out->external_path);
    return size > 0 && (size_t)size < sizeof(out->external) ? OK : bad_url(external, "too long", d);
}
