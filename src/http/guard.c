/* guard.c -- requests that another reader of the same bytes could take apart differently are
 * refused before anything looks at them (request smuggling: RFC 9112, 6.1, 6.3, 11.2). The library
 * reads some of these as it likes; the rest of what it refuses, it refuses by itself. */
#include <ctype.h>
#include <strings.h>

#include "http/server_priv.h"

struct headers { /* what was seen of the headers that decide where a request ends */
    unsigned hosts, lengths, encodings;
    bool odd_encoding, malformed;
    unsigned once[8]; /* of ONCE */
};

/* Headers that decide who is served: two of them could be read as either. */
static const char *const ONCE[] = {"Authorization", "Content-Type",   "Content-Encoding",
                                   "Origin",        "Sec-Fetch-Site", "Expect"};

/* RFC 9110, 5.6.2 */
static bool is_token(const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!isalnum((unsigned char)s[i]) &&
            (s[i] == '\0' || strchr("!#$%&'*+-.^_`|~", s[i]) == NULL))
            return false;
    return n > 0;
}

static bool is_field_value(const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (((unsigned char)s[i] < 0x20 && s[i] != '\t') || s[i] == 0x7f)
            return false;
    return true;
}

static bool named(const char *key, size_t n, const char *name)
{
    return n == strlen(name) && strncasecmp(key, name, n) == 0;
}

static enum MHD_Result look(void *cls, enum MHD_ValueKind kind, const char *key, size_t key_size,
                            const char *value, size_t value_size)
{
    struct headers *h = cls;
    (void)kind;
    if (!is_token(key, key_size) || (value != NULL && !is_field_value(value, value_size)))
        h->malformed = true;
    if (named(key, key_size, "Host"))
        h->hosts++;
    if (named(key, key_size, "Content-Length"))
        h->lengths++;
    if (named(key, key_size, "Transfer-Encoding")) {
        h->encodings++;
        h->odd_encoding |= value == NULL || strcasecmp(value, "chunked") != 0;
    }
    for (size_t i = 0; i < COUNT_OF(ONCE); i++)
        h->once[i] += named(key, key_size, ONCE[i]);
    return MHD_YES;
}

static bool has_two(const struct headers *h)
{
    for (size_t i = 0; i < COUNT_OF(ONCE); i++)
        if (h->once[i] > 1)
            return true;
    return false;
}

unsigned guard_request(struct http_request *r, const char *version, const char **why)
{
    struct headers h = {0};
    bool is_11 = strcmp(version, "HTTP/1.1") == 0;
    (void)MHD_get_connection_values_n(r->connection, MHD_HEADER_KIND, look, &h);
    if (!is_11 && strcmp(version, "HTTP/1.0") != 0) {
        *why = "unsupported protocol version\n";
        return 505;
    }
    if (h.encodings > 0 && h.odd_encoding) {
        *why = "unsupported transfer encoding\n";
        return 501;
    }
    *why = h.malformed                        ? "malformed header\n"
           : is_11 && h.hosts == 0            ? "missing required Host header\n"
           : h.hosts > 1                      ? "too many Host headers\n"
           : h.lengths > 1                    ? "more than one Content-Length\n"
           : h.encodings > 1                  ? "more than one Transfer-Encoding\n"
           : h.encodings > 0 && h.lengths > 0 ? "both Content-Length and Transfer-Encoding\n"
           : h.encodings > 0 && !is_11        ? "Transfer-Encoding in an HTTP/1.0 request\n"
           : has_two(&h)                      ? "a header that may stand once stands twice\n"
           : r->verdict == TARGET_MALFORMED   ? "malformed request target\n"
                                              : NULL;
    return *why != NULL ? 400 : 0;
}
