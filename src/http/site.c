/* site.c -- see site.h. */
#include "http/site.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <strings.h>

#include "base/regex.h"

static bool same_text(str a, str b)
{
    return a.len == b.len && (a.len == 0 || strncasecmp(a.ptr, b.ptr, a.len) == 0);
}

/* The name of host:port, [v6]:port; without brackets and the dot of the root. */
static str host_name(str host)
{
    if (host.len > 0 && host.ptr[0] == '[') {
        const char *end = memchr(host.ptr, ']', host.len);
        return end != NULL ? (str){host.ptr + 1, (size_t)(end - host.ptr - 1)} : (str){"", 0};
    }
    const char *colon = host.len > 0 ? memchr(host.ptr, ':', host.len) : NULL;
    str name = {host.ptr, colon != NULL ? (size_t)(colon - host.ptr) : host.len};
    if (name.len > 1 && name.ptr[name.len - 1] == '.')
        name.len--;
    return name;
}

/* host:port of a URL; "" when it has none. */
static str url_authority(str url)
{
    const char *mark = url.len > 3 ? memmem(url.ptr, url.len, "://", 3) : NULL;
    if (mark == NULL)
        return (str){"", 0};
    str rest = {mark + 3, url.len - (size_t)(mark + 3 - url.ptr)};
    size_t n = 0;
    while (n < rest.len && rest.ptr[n] != '/' && rest.ptr[n] != '?' && rest.ptr[n] != '#')
        n++;
    const char *at = n > 0 ? memrchr(rest.ptr, '@', n) : NULL;
    size_t user = at != NULL ? (size_t)(at + 1 - rest.ptr) : 0;
    return (str){rest.ptr + user, n - user};
}

/* ---- Names ---- */

static err add_name(struct site *s, str name, struct diag *d)
{
    if (name.len == 0)
        return OK;
    if (s->count == SITE_NAMES_MAX || name.len >= SITE_NAME_SIZE)
        return diag_set(d, ERR_INVALID, "more than %d host names, or one longer than %d bytes",
                        SITE_NAMES_MAX, SITE_NAME_SIZE - 1);
    memcpy(s->names[s->count], name.ptr, name.len);
    s->names[s->count++][name.len] = '\0';
    return OK;
}

static str trim(str s)
{
    while (s.len > 0 && s.ptr[0] == ' ')
        s = (str){s.ptr + 1, s.len - 1};
    while (s.len > 0 && s.ptr[s.len - 1] == ' ')
        s.len--;
    return s;
}

static err add_list(struct site *s, str list, struct diag *d)
{
    while (list.len > 0) {
        const char *comma = memchr(list.ptr, ',', list.len);
        size_t n = comma != NULL ? (size_t)(comma - list.ptr) : list.len;
        TRY(add_name(s, host_name(trim((str){list.ptr, n})), d));
        n += comma != NULL;
        list = (str){list.ptr + n, list.len - n};
    }
    return OK;
}

err site_init(struct site *s, str allowed, str listen, str external_url, str hostname,
              struct diag *d)
{
    *s = (struct site){.any = str_eq(allowed, STR("*")), .strict = allowed.len > 0};
    str external = url_authority(external_url);
    if (external.len >= sizeof(s->external))
        return diag_set(d, ERR_INVALID, "the host of the external URL is too long");
    if (external.len > 0)
        memcpy(s->external, external.ptr, external.len);
    TRY(add_name(s, host_name(listen), d));
    TRY(add_name(s, host_name(external), d));
    TRY(add_name(s, hostname, d));
    return s->any ? OK : add_list(s, allowed, d);
}

static bool is_address(str name)
{
    char text[64];
    unsigned char address[16];
    if (name.len == 0 || name.len >= sizeof(text))
        return false;
    memcpy(text, name.ptr, name.len);
    text[name.len] = '\0';
    text[strcspn(text, "%")] = '\0'; /* a zone */
    return inet_pton(AF_INET, text, address) == 1 || inet_pton(AF_INET6, text, address) == 1;
}

/* Top-level names that are reserved, or set aside for networks of one's own. */
static bool is_private_name(str name)
{
    static const char *const TOPS[] = {"localhost",   "local",   "internal", "svc",
                                       "localdomain", "lan",     "home",     "corp",
                                       "intranet",    "private", "test",     "home.arpa"};
    if (name.len > 0 && memchr(name.ptr, '.', name.len) == NULL)
        return true;
    for (size_t i = 0; i < COUNT_OF(TOPS); i++) {
        size_t n = strlen(TOPS[i]);
        if (name.len > n + 1 && name.ptr[name.len - n - 1] == '.' &&
            same_text((str){name.ptr + name.len - n, n}, (str){TOPS[i], n}))
            return true;
    }
    return false;
}

static bool is_listed(const struct site *s, str name)
{
    for (size_t i = 0; i < s->count; i++)
        if (same_text(name, str_from(s->names[i])))
            return true;
    return false;
}

bool site_knows(const struct site *s, str host, bool from_browser)
{
    str name = host_name(host);
    if (s->any || host.len == 0 || is_address(name) || same_text(name, STR("localhost")) ||
        is_listed(s, name))
        return true;
    return !s->strict && (!from_browser || is_private_name(name));
}

/* ---- Calls ---- */

static bool is_own_page(const struct site *s, const struct site_call *c)
{
    str authority = url_authority(c->origin);
    if (c->fetch_site.len > 0)
        return same_text(c->fetch_site, STR("same-origin")) ||
               same_text(c->fetch_site, STR("none"));
    if (c->origin.len == 0)
        return true; /* no browser: those tell where they come from */
    return authority.len > 0 &&
           (same_text(authority, c->host) || same_text(authority, str_from(s->external)));
}

bool site_may_change(const struct site *s, const struct site_call *c, const struct regex *cors)
{
    static const char BEARER[] = "Bearer ";
    size_t n = strlen(BEARER);
    if (is_own_page(s, c) || c->requested_with.len > 0)
        return true;
    if (c->authorization.len > n && strncasecmp(c->authorization.ptr, BEARER, n) == 0)
        return true;
    return cors != NULL && c->origin.len > 0 && regex_match(cors, c->origin);
}
