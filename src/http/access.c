/* access.c -- may a request be served: connections left, the name it asks for, the page it comes
 * from, the person who sends it. Asked before its body is read, of the route that was found. */
#include "base/log.h"
#include "http/server_priv.h"
#include "http/site.h"

enum {
    VERIFY_PER_CLIENT_MAX = 8, /* passwords of one address checked or waiting for it */
    VERIFY_MAX = 64,           /* and of all */
};

static const char *const NAMES[HTTP_REFUSALS] = {
    [HTTP_REFUSED_MALFORMED] = "malformed",
    [HTTP_REFUSED_HOST] = "unknown_host",
    [HTTP_REFUSED_ORIGIN] = "foreign_origin",
    [HTTP_REFUSED_UNAUTHORIZED] = "unauthorized",
    [HTTP_REFUSED_FORBIDDEN] = "forbidden",
    [HTTP_REFUSED_PASSWORDS] = "too_many_passwords",
    [HTTP_REFUSED_TOO_LARGE] = "body_too_large",
    [HTTP_REFUSED_BODIES] = "too_many_bodies",
    [HTTP_REFUSED_QUEUE] = "queue_full",
    [HTTP_REFUSED_QUEUE_TIME] = "queue_time",
    [HTTP_REFUSED_CONNECTIONS] = "connections",
    [HTTP_REFUSED_PER_CLIENT] = "connections_per_client",
    [HTTP_REFUSED_SLOW_HEADERS] = "slow_headers",
    [HTTP_REFUSED_SLOW_BODY] = "slow_body",
    [HTTP_REFUSED_SLOW_READER] = "slow_reader",
    [HTTP_REFUSED_ROOM] = "made_room",
    [HTTP_REFUSED_TLS] = "tls",
};

const char *http_refusal_name(enum http_refusal why)
{
    return NAMES[why];
}

void http_refused(struct http_server *s, enum http_refusal why)
{
    (void)atomic_fetch_add_explicit(&s->counters.refused[why], 1, memory_order_relaxed);
}

void request_refuse(struct http_request *r, enum http_refusal why, unsigned status,
                    const char *text)
{
    http_refused(r->server, why);
    http_text(r, status, text);
    r->refused = true;
}

/* Somebody tried. What was sent is not logged: it may be a secret with a slip of the pen. */
static void log_refusal(struct http_request *r, enum http_refusal why)
{
    const char *path = r->route != NULL ? r->route->path : "(no route)";
    bool tried = why != HTTP_REFUSED_UNAUTHORIZED || http_header(r, "Authorization").len > 0;
    if (tried && why != HTTP_REFUSED_CONNECTIONS && why != HTTP_REFUSED_PASSWORDS)
        log_warn("request refused", LOG_CSTR("reason", NAMES[why]),
                 LOG_STR("client", http_client(r)), LOG_CSTR("route", path));
}

static enum access refuse(struct http_request *r, enum http_refusal why, unsigned status,
                          const char *text)
{
    request_refuse(r, why, status, text);
    log_refusal(r, why);
    return ACCESS_REFUSED;
}

/* ---- Where it goes and where it comes from ---- */

static bool has_prefix(str s, const char *prefix)
{
    return str_starts(s, str_from(prefix));
}

/* Browsers can be led here by a page; other programs go where they were told to. */
static bool is_from_browser(const struct http_request *r)
{
    return has_prefix(http_header(r, "User-Agent"), "Mozilla/") ||
           http_header(r, "Origin").len > 0 || http_header(r, "Accept-Language").len > 0;
}

/* Whom the request is for: an absolute target goes before the header (RFC 9112, 3.2.2). */
static str host_of(const struct http_request *r)
{
    return r->authority.len > 0 ? r->authority : http_header(r, "Host");
}

/* With TLS a browser has checked the name already. */
static bool is_known_host(const struct http_request *r)
{
    const struct site *site = r->server->options.site;
    bool tls = r->server->options.auth != NULL && auth_has_tls(r->server->options.auth);
    return site == NULL || site_knows(site, host_of(r), !tls && is_from_browser(r));
}

/* What the route asks of this method. */
static unsigned route_scope(const struct http_request *r)
{
    const struct http_route *route = r->route;
    bool get = r->method == HTTP_GET || r->method == HTTP_OPTIONS;
    return !get && route->change_scope != 0 ? route->change_scope : route->scope;
}

static bool is_change(const struct http_request *r)
{
    unsigned scope = r->route != NULL ? route_scope(r) : SCOPE_ALL;
    return r->route != NULL && (scope == 0 || scope == SCOPE_ADMIN || scope == SCOPE_WRITE) &&
           r->method != HTTP_GET && r->method != HTTP_OPTIONS;
}

static bool may_change(const struct http_request *r)
{
    const struct http_options *o = &r->server->options;
    const struct site_call call = {
        .host = host_of(r),
        .origin = http_header(r, "Origin"),
        .fetch_site = http_header(r, "Sec-Fetch-Site"),
        .authorization = http_header(r, "Authorization"),
        .requested_with = http_header(r, "X-Requested-With"),
    };
    return o->site == NULL || site_may_change(o->site, &call, o->cors_origin);
}

/* ---- Who ---- */

static unsigned scope_of(const struct http_request *r)
{
    if (r->route == NULL)
        return SCOPE_ALL; /* what there is not is nobody's secret but a stranger's */
    unsigned scope = route_scope(r);
    return scope != 0 ? scope : SCOPE_ADMIN;
}

/* A browser asks before it sends credentials; the answer tells nothing. */
static bool is_preflight(const struct http_request *r)
{
    return r->method == HTTP_OPTIONS && r->is_api && http_header(r, "Origin").len > 0;
}

static enum access unauthorized(struct http_request *r)
{
    http_answer_header(r, "WWW-Authenticate", str_from(auth_challenge(r->server->options.auth)));
    return refuse(r, HTTP_REFUSED_UNAUTHORIZED, 401, "Unauthorized\n");
}

static enum access apply(struct http_request *r, enum auth_verdict verdict)
{
    if (verdict == AUTH_ALLOWED)
        return ACCESS_ALLOWED;
    if (verdict == AUTH_UNKNOWN)
        return unauthorized(r);
    return refuse(r, HTTP_REFUSED_FORBIDDEN, 403, "Forbidden: the token has not this scope\n");
}

/* Take a place among those whose passwords are checked; one address cannot have them all. */
static bool verify_enter(struct http_request *r)
{
    struct http_server *s = r->server;
    struct connection *k = connection_of(r->connection);
    if (k == NULL)
        return false;
    mutex_lock(&s->lock);
    bool room = s->verifying < VERIFY_MAX && k->peer->verifying < VERIFY_PER_CLIENT_MAX;
    if (room) {
        s->verifying++;
        k->peer->verifying++;
        r->verifying = k->peer;
    }
    mutex_unlock(&s->lock);
    return room;
}

static void verify_leave(struct http_request *r)
{
    mutex_lock(&r->server->lock);
    r->server->verifying--;
    r->verifying->verifying--;
    mutex_unlock(&r->server->lock);
    r->verifying = NULL;
}

static void verify(void *arg)
{
    struct http_request *r = arg;
    thread_yield_to_others();
    r->password = AUTH_UNKNOWN;
    if (!atomic_load_explicit(&r->canceled, memory_order_relaxed))
        r->password =
            auth_verify(r->server->options.auth, http_header(r, "Authorization"), scope_of(r));
    verify_leave(r);
    http_resume(r);
}

static enum access verify_later(struct http_request *r)
{
    if (verify_enter(r)) {
        request_suspend(r);
        r->phase = PHASE_ACCESS;
        if (pool_submit(r->server->passwords, verify, r) == OK)
            return ACCESS_WAITS;
        verify_leave(r);
        r->password = AUTH_PASSWORD;
        http_resume(r);
        return ACCESS_WAITS;
    }
    http_answer_header(r, "Retry-After", STR("1"));
    return refuse(r, HTTP_REFUSED_PASSWORDS, 503, "too many passwords to check, try again later\n");
}

static enum access check_sender(struct http_request *r)
{
    const struct http_options *o = &r->server->options;
    unsigned scope = scope_of(r);
    if (o->auth == NULL || scope == SCOPE_NOBODY || (scope == SCOPE_HEALTH && o->open_health) ||
        is_preflight(r))
        return ACCESS_ALLOWED;
    enum auth_verdict verdict = auth_check(o->auth, http_header(r, "Authorization"), scope);
    return verdict == AUTH_PASSWORD ? verify_later(r) : apply(r, verdict);
}

enum access access_settle(struct http_request *r)
{
    if (r->password != AUTH_PASSWORD)
        return apply(r, r->password);
    http_answer_header(r, "Retry-After", STR("1"));
    return refuse(r, HTTP_REFUSED_PASSWORDS, 503, "too many passwords to check, try again later\n");
}

enum access access_check(struct http_request *r)
{
    const struct http_server *s = r->server;
    bool vital = r->route != NULL && r->route->vital;
    if (!vital &&
        atomic_load_explicit(&s->working, memory_order_relaxed) >= s->options.connections_max) {
        http_answer_header(r, "Retry-After", STR("1"));
        r->must_close = true;
        return refuse(r, HTTP_REFUSED_CONNECTIONS, 503,
                      "too many connections (--web.max-connections), try again later\n");
    }
    if (!is_known_host(r))
        return refuse(r, HTTP_REFUSED_HOST, 403,
                      "Forbidden: not a name of this server; add it with --web.allowed-hosts or "
                      "--web.external-url\n");
    if (is_change(r) && !may_change(r))
        return refuse(r, HTTP_REFUSED_ORIGIN, 403,
                      "Forbidden: a page of another origin may not change anything here\n");
    return check_sender(r);
}
