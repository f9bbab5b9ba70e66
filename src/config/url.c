/* url.c -- see url.h. */
#include "config/url.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

struct parts { /* of a URL, as they stand in it */
    str scheme, authority, path;
    bool opaque; /* "mailto:x": nothing more is looked at */
};

static bool is_alpha(char c)
{
    return (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_hex(char c)
{
    return is_digit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f');
}

static str from(str s, size_t pos)
{
    return (str){s.ptr + pos, s.len - pos};
}

static str upto(str s, size_t len)
{
    return (str){s.ptr, len};
}

/* Where `c` stands first, or s.len. */
static size_t first_of(str s, char c)
{
    const char *at = s.len > 0 ? memchr(s.ptr, c, s.len) : NULL;
    return at != NULL ? (size_t)(at - s.ptr) : s.len;
}

/* Where `c` stands last, or s.len. */
static size_t last_of(str s, char c)
{
    for (size_t i = s.len; i > 0; i--)
        if (s.ptr[i - 1] == c)
            return i - 1;
    return s.len;
}

static const char *bad_escape(str at, char *text)
{
    str s = upto(at, at.len < 3 ? at.len : 3);
    (void)snprintf(text, URL_FAULT_SIZE, "invalid URL escape \"" STR_FMT "\"", STR_ARG(s));
    return text;
}

static const char *escapes_fault(str s, char *text)
{
    for (size_t i = first_of(s, '%'); i < s.len; i++)
        if (s.ptr[i] == '%' && (s.len - i < 3 || !is_hex(s.ptr[i + 1]) || !is_hex(s.ptr[i + 2])))
            return bad_escape(from(s, i), text);
    return NULL;
}

/* A host may hold escapes of bytes that are not ASCII, and of the % before a zone. */
static const char *host_bytes_fault(str s, char *text)
{
    const char *fault = escapes_fault(s, text);
    for (size_t i = 0; i < s.len && fault == NULL; i++) {
        char c = s.ptr[i];
        if (c == '%') {
            if (s.ptr[i + 1] < '8' && memcmp(s.ptr + i, "%25", 3) != 0)
                return bad_escape(from(s, i), text);
            i += 2;
        } else if ((uint8_t)c < 0x80 && !is_alpha(c) && !is_digit(c) &&
                   memchr("-_.~!$&'()*+,;=:[]<>\"", c, 21) == NULL) {
            (void)snprintf(text, URL_FAULT_SIZE,
                           c == '\\' ? "invalid character \"\\%c\" in host name"
                                     : "invalid character \"%c\" in host name",
                           c);
            fault = text;
        }
    }
    return fault;
}

static const char *port_fault(str s, bool secret, char *text)
{
    bool ok = s.len == 0 || s.ptr[0] == ':';
    for (size_t i = 1; i < s.len; i++)
        ok = ok && is_digit(s.ptr[i]);
    if (ok)
        return NULL;
    str shown = upto(s, s.len < 32 ? s.len : 32); /* without an @: else it may be a password */
    if (secret)
        return "invalid port after host";
    (void)snprintf(text, URL_FAULT_SIZE, "invalid port \"" STR_FMT "\" after host", STR_ARG(shown));
    return text;
}

/* `s` is what stands between the brackets. */
static bool is_ipv6(str s)
{
    struct in6_addr address;
    char copy[INET6_ADDRSTRLEN];
    const char *zone = memchr(s.ptr, '%', s.len);
    size_t len = zone != NULL ? (size_t)(zone - s.ptr) : s.len;
    if (len >= sizeof(copy))
        return false;
    memcpy(copy, s.ptr, len);
    copy[len] = '\0';
    return inet_pton(AF_INET6, copy, &address) == 1;
}

static const char *host_fault(str host, bool secret, char *text)
{
    size_t close = last_of(host, ']'), colon = last_of(host, ':');
    bool bracketed = host.len > 0 && host.ptr[0] == '[';
    if (bracketed && close == host.len)
        return "missing ']' in host";
    const char *fault = port_fault(from(host, bracketed ? close + 1 : colon), secret, text);
    if (fault == NULL && bracketed && !is_ipv6((str){host.ptr + 1, close - 1}))
        return "invalid host: no IPv6 address between [ and ]";
    return fault != NULL ? fault : host_bytes_fault(host, text);
}

static const char *user_fault(str user, char *text)
{
    for (size_t i = 0; i < user.len; i++)
        if (!is_alpha(user.ptr[i]) && !is_digit(user.ptr[i]) &&
            memchr("-._:~!$&'()*+,;=%@", user.ptr[i], 18) == NULL)
            return "net/url: invalid userinfo";
    return escapes_fault(user, text) != NULL ? "net/url: invalid userinfo" : NULL;
}

static str scheme_of(str url)
{
    for (size_t i = 0; i < url.len; i++) {
        char c = url.ptr[i];
        if (c == ':')
            return upto(url, i);
        if (!is_alpha(c) && (i == 0 || (!is_digit(c) && c != '+' && c != '-' && c != '.')))
            break;
    }
    return STR("");
}

static struct parts split(str url)
{
    struct parts p = {.scheme = scheme_of(url)};
    str rest = upto(url, first_of(url, '#'));
    rest = from(rest, p.scheme.len > 0 ? p.scheme.len + 1 : 0);
    rest = upto(rest, first_of(rest, '?'));
    p.opaque = p.scheme.len > 0 && !str_starts(rest, STR("/"));
    if (str_starts(rest, STR("//")) && (p.scheme.len > 0 || !str_starts(rest, STR("///")))) {
        rest = from(rest, 2);
        p.authority = upto(rest, first_of(rest, '/'));
        rest = from(rest, p.authority.len);
    }
    p.path = rest;
    return p;
}

const char *url_fault(str url, char *text)
{
    for (size_t i = 0; i < url.len; i++)
        if ((uint8_t)url.ptr[i] < ' ' || url.ptr[i] == 0x7f)
            return "net/url: invalid control character in URL";
    if (url.len > 0 && url.ptr[0] == ':')
        return "missing protocol scheme";
    struct parts p = split(url);
    size_t hash = first_of(url, '#'), at = last_of(p.authority, '@');
    bool relative = p.scheme.len == 0 && p.authority.len == 0;
    str segment = upto(p.path, first_of(p.path, '/'));
    if (relative && first_of(segment, ':') < segment.len)
        return "first path segment in URL cannot contain colon";
    const char *fault = p.opaque ? NULL : escapes_fault(p.path, text);
    if (fault == NULL && at < p.authority.len)
        fault = user_fault(upto(p.authority, at), text);
    if (fault == NULL)
        fault = host_fault(url_host(url), first_of(url, '@') < url.len, text);
    return fault != NULL ? fault : escapes_fault(from(url, hash), text);
}

str url_host(str url)
{
    str authority = split(url).authority;
    size_t at = last_of(authority, '@');
    return at < authority.len ? from(authority, at + 1) : authority;
}
