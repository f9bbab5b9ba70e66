/* site.h -- which names the server goes by, and whether a page of another site speaks through a
 * browser. Both checks are about browsers alone: other programs cannot be made to call by a page.
 *
 * Names (against DNS rebinding: a page makes its own name point here). Always known are addresses,
 * "localhost", names that nobody can own in the public DNS (a single label, .local, .internal, .svc
 * and the like), the machine's name, the name listened on and that of the external URL. Another one
 * is refused to what looks like a browser; with a list of names it is refused to everybody. */
#ifndef HTTP_SITE_H
#define HTTP_SITE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/slice.h"

struct regex;

enum { SITE_NAMES_MAX = 64, SITE_NAME_SIZE = 256 };

struct site {
    bool any;    /* whatever name */
    bool strict; /* names were given */
    char names[SITE_NAMES_MAX][SITE_NAME_SIZE];
    size_t count;
    char external[SITE_NAME_SIZE]; /* host:port of the external URL, "" for none */
};

/* `allowed`: --web.allowed-hosts, names with commas, "" or "*".   ERR_INVALID  too many or too long
 */
MUST_USE err site_init(struct site *s, str allowed, str listen, str external_url, str hostname,
                       struct diag *d);

/* May a request for `host` (of the Host header, "" when it has none) be answered? */
bool site_knows(const struct site *s, str host, bool from_browser);

struct site_call { /* headers of a call that changes something; "" when absent */
    str host, origin, fetch_site, authorization, requested_with;
};

/* Does the call come from where it may: no browser, a page of our own, a page whose origin `cors`
 * names (NULL: none), or with what no other page can send (a bearer token, a header of its own)? */
bool site_may_change(const struct site *s, const struct site_call *c, const struct regex *cors);

#endif
