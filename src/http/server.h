/* server.h -- the HTTP server: the fence around libmicrohttpd.
 *
 * Its epoll threads never block. A route either answers on the epoll thread (short work from
 * memory), or runs on the bounded worker pool while the connection is suspended, or starts work
 * that some other thread finishes (http_defer, http_resume). Bodies are collected up to a limit per
 * route and a budget for all. Parameters of URL and form body are merged, body first.
 *
 * Requests that could be read in two ways (two lengths, a length and a transfer encoding, no or two
 * Hosts, control characters) are answered with 400 and the connection is closed; paths with empty,
 * "." or ".." segments or encoded slashes with 404.
 *
 * Before a route is run, or a body collected, a request must come by a name the server has
 * (site.h), from where it may, and from somebody who may (auth.h): asked of the route found, not of
 * the path.
 *
 * Above connections_max some more connections are accepted; those that wait for a request make
 * room. When connections_max have one, only vital routes are served, others get 503.
 *
 * Answers are a buffer, or a stream: the first HTTP_PIECE_BYTES are made where the handler runs;
 * if there is more, pieces are made as the client takes them, on threads of their own, so a slow
 * reader costs one piece and a running stream does not wait for queries in the queue. */
#ifndef HTTP_SERVER_H
#define HTTP_SERVER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"
#include "base/thread.h"
#include "base/timing.h"
#include "http/gate.h"

enum {
    HTTP_GET = 1, /* HEAD is served as GET without a body */
    HTTP_POST = 2,
    HTTP_PUT = 4,
    HTTP_DELETE = 8,
    HTTP_OPTIONS = 16,

    HTTP_PIECE_BYTES = 256 << 10,              /* of a streamed answer held at once */
    HTTP_HEADER_BYTES_MAX = 128 << 10,         /* request line and headers: more is 431 or 414 */
    HTTP_FORM_BYTES_MAX = 4 << 20,             /* body of any route that does not say otherwise */
    HTTP_BODIES_BYTES_MAX_DEFAULT = 512 << 20, /* bodies held at once, all requests */
    HTTP_PARAMS_MAX = 4096,                    /* parameters of one request */
    HTTP_CONNECTIONS_RESERVE = 64,             /* accepted above connections_max: see below */
    HTTP_ANSWER_HEADERS_MAX = 8,
    HTTP_ANSWER_HEADER_SIZE = 256,
};

struct auth;
struct http_server;
struct regex;
struct site;

/* One request with its answer. Borrowed by handlers until the answer is complete. */
struct http_request;

typedef void (*http_handler)(struct http_request *r);

struct http_route {
    const char *path;    /* exact; a '*' matches one segment, at the end any rest */
    unsigned methods;    /* HTTP_GET | ... ; another method is 405 */
    http_handler run;    /* must answer, or http_defer() */
    http_handler queued; /* of on_pool routes: before the request waits for a worker, on an epoll
                            thread; may not answer. NULL: nothing to do */
    http_handler finish; /* after http_resume() of a deferred request, on an epoll thread */
    bool on_pool;        /* run on a worker */
    /* Of on_pool routes: how dear, and what is alike in that; NULL: light, of no kind. */
    enum gate_class (*classify)(struct http_request *r, uint64_t *fingerprint);
    bool before_ready; /* served while the store is still opening */
    bool vital; /* health and metrics: served when connections run out, and while the server stops;
                   may not defer then */
    unsigned scope;        /* who may: enum web_scope; 0: only the administrator */
    unsigned change_scope; /* the same for all methods but GET; 0: as `scope` */
    bool plain;            /* never compressed: the client reads line by line */
    size_t body_bytes_max; /* 0: HTTP_FORM_BYTES_MAX */
};

struct http_options {
    str listen_address; /* host:port, :port, [v6]:port */
    const struct http_route *routes;
    size_t route_count;
    str route_prefix;        /* "/prefix" that all routes stand under, "" for none */
    http_handler not_found;  /* for paths without a route; NULL: 404 text */
    http_handler bad_params; /* http_params_error() says why; NULL: 400 text */
    http_handler canceled;   /* a request whose flag was set while it waited; NULL: 503 text */
    const struct regex *cors_origin; /* origins that may read API answers; NULL: all */
    void *user;
    struct auth *auth;       /* NULL: nobody is asked, no TLS */
    bool open_health;        /* routes of SCOPE_HEALTH are everybody's */
    bool vital_only;         /* the others are not found */
    const struct site *site; /* NULL: whatever name, whoever's page */
    unsigned threads;        /* epoll threads */
    unsigned workers;        /* pool threads: requests that run at once; 0: no route is on_pool */
    unsigned queue_max;      /* waiting for a worker, of each class; more is 503 */
    int64_t queue_ms_max;    /* longer is 503; 0: no limit */
    bool (*may_start)(void *user); /* is there memory for another query? NULL: yes */
    void (*tick)(void *user);      /* called every 100 ms or so; NULL: nothing to do */
    void (*busy)(struct http_request *r, const char *why); /* answer 503; NULL: with the text */
    unsigned connections_max;
    unsigned connections_per_client_max; /* 0: no limit; more are closed at once */
    size_t bodies_bytes_max;
    int64_t read_timeout_ms;   /* to send a request, and between two; 0: none */
    int64_t header_timeout_ms; /* for the handshake, request line and headers; 0: none */
    uint64_t rate_bytes_min;   /* a second, of bodies and of answers that wait to be taken */
    int64_t rate_grace_ms;     /* the time that rate is taken over; 0: no such limit */
    const atomic_bool *ready;  /* NULL: always */
};

/* Bind and start.   ERR_IO  with a line for people in `d` (address in use, not permitted, ...) */
MUST_USE err http_server_open(const struct http_options *o, struct http_server **out,
                              struct diag *d);

/* Stop accepting and let running requests end, at most `drain_ms`; then they are canceled. Only
 * vital routes are served on connections that are open still. */
void http_server_drain(struct http_server *s, int64_t drain_ms); /* NULL is allowed */

/* http_server_drain(), unless that was done, and close. */
void http_server_close(struct http_server *s, int64_t drain_ms);

/* The port it listens on (for :0). */
unsigned http_server_port(const struct http_server *s);

enum http_refusal { /* why something was not served; names: http_refusal_name() */
                    HTTP_REFUSED_MALFORMED,
                    HTTP_REFUSED_HOST,
                    HTTP_REFUSED_ORIGIN,
                    HTTP_REFUSED_UNAUTHORIZED,
                    HTTP_REFUSED_FORBIDDEN,
                    HTTP_REFUSED_PASSWORDS, /* too many to check */
                    HTTP_REFUSED_TOO_LARGE,
                    HTTP_REFUSED_BODIES, /* too much held */
                    HTTP_REFUSED_QUEUE,
                    HTTP_REFUSED_QUEUE_TIME,
                    HTTP_REFUSED_CONNECTIONS,
                    HTTP_REFUSED_PER_CLIENT, /* connections of one address */
                    HTTP_REFUSED_SLOW_HEADERS,
                    HTTP_REFUSED_SLOW_BODY,
                    HTTP_REFUSED_SLOW_READER,
                    HTTP_REFUSED_ROOM, /* closed to make room for others */
                    HTTP_REFUSED_TLS,  /* a handshake failed, or no request came after it */
                    HTTP_REFUSALS,
};
const char *http_refusal_name(enum http_refusal why); /* as a label's value */

struct http_counters { /* relaxed loads, for /metrics */
    _Atomic uint64_t requests, rejected_busy, bodies_bytes, connections;
    _Atomic uint64_t by_class[6]; /* answers by status class: [2] is 2xx */
    _Atomic uint64_t refused[HTTP_REFUSALS];
    _Atomic uint64_t clients_gone; /* requests canceled because the client left */
};
const struct http_counters *http_counters_of(const struct http_server *s);
/* Of the workers; zero without any. */
struct gate_stats http_gate_stats(struct http_server *s);

/* Answers of one route, by status; times are from the request's first byte to the answer's last. */
enum { HTTP_STATUS_COUNT = 24 };
struct http_route_counters {
    struct timing seconds;
    _Atomic uint64_t by_status[HTTP_STATUS_COUNT];
};
extern const unsigned HTTP_STATUSES[HTTP_STATUS_COUNT]; /* the last, 0: any other */
/* Those of http_options.routes[i]. */
const struct http_route_counters *http_route_counters_of(const struct http_server *s, size_t i);

/* ---- The request ---- */

void *http_user(const struct http_request *r); /* http_options.user */
str http_path(const struct http_request *r);   /* decoded, without the route prefix */
str http_query(const struct http_request *r);  /* the text behind '?', as it was sent */
str http_params_error(const struct http_request *r);
unsigned http_method(const struct http_request *r);
slice http_body(const struct http_request *r);
/* A header's value, case-insensitive name; "" when absent. */
str http_header(const struct http_request *r, const char *name);
/* First value of a parameter, {NULL, 0} when absent; decoded. */
str http_param(const struct http_request *r, str name);
/* The i-th value of a repeated parameter ("match[]"), {NULL, 0} behind the last. */
str http_param_nth(const struct http_request *r, str name, size_t i);
/* Set to true when the client has gone or the server stops; to be polled by long work. */
const atomic_bool *http_canceled(const struct http_request *r);
/* The same flag, to end the work on a request. A streamed answer that has begun is cut off then. */
atomic_bool *http_cancel_flag(struct http_request *r);
/* The client's address without port: "127.0.0.1", "::1"; "" when it has none. */
str http_client(struct http_request *r);
/* When the request arrived. */
uint64_t http_start_mono_ns(const struct http_request *r);
/* A word the handler keeps with the request between run and finish. */
void http_set_state(struct http_request *r, void *state);
void *http_state(const struct http_request *r);
/* Call `end(arg)` when all is done with the request, whatever came of it, before what it lends is
 * freed. One a request. */
void http_on_end(struct http_request *r, void (*end)(void *arg), void *arg);
/* The `arg` given with this `end`, or NULL. */
void *http_end_arg(const struct http_request *r, void (*end)(void *arg));

/* ---- The answer ---- */

/* Set status and content type (static strings), then write into http_out(). */
void http_answer(struct http_request *r, unsigned status, const char *content_type);
struct buf *http_out(struct http_request *r);
/* Add a header; `name` static, `value` copied; one with control characters or of more than
 * HTTP_ANSWER_HEADER_SIZE - 1 bytes is dropped. */
void http_answer_header(struct http_request *r, const char *name, str value);

/* Append `s` as text or the value of an attribute of HTML. */
void html_put(struct buf *b, str s);

/* Whole small text answer. */
void http_text(struct http_request *r, unsigned status, const char *text);

/* 302 to `location`, with a link for people. */
void http_redirect(struct http_request *r, str location);

/* Stream: `next(state, out)` appends the next piece and returns false after the last; `close` frees
 * `state` (also when the client goes early). Pieces are asked for until HTTP_PIECE_BYTES are there.
 */
void http_stream(struct http_request *r, bool (*next)(void *state, struct buf *out),
                 void (*close)(void *state), void *state);

/* Stream to a client that listens: `next` may append nothing after it has called
 * http_stream_wait(), and is asked again after http_stream_wake(), which may be called from any
 * thread until `close`, at any time, and more often than needed. When http_canceled() is set,
 * `next` is asked once more. */
void http_stream_live(struct http_request *r, bool (*next)(void *state, struct buf *out),
                      void (*close)(void *state), void *state);
void http_stream_wait(struct http_request *r);
void http_stream_wake(struct http_request *r);

/* The handler returned without an answer: keep the connection suspended until http_resume(), which
 * may be called from any thread, once, even before the handler returns. Not for on_pool routes. */
void http_defer(struct http_request *r);
void http_resume(struct http_request *r);

#endif
