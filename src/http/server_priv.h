/* server_priv.h -- what the files of the HTTP server share; for src/http only.
 *
 * server.c      life of the server and of a request: callbacks of the library, dispatch
 * conn.c        open connections: deadlines, limits
 * access.c      who may be served, and under which name
 * guard.c       requests that are refused for how they are written
 * listen.c      the listening socket
 * body.c        collecting request bodies, within their limits
 * request.c     what handlers ask about a request and say in answer
 * suspend.c     requests that wait: for a worker, for http_resume(); clients that leave meanwhile
 * route_stats.c answers by route and status
 * send.c        encoding and handing out the answer */
#ifndef HTTP_SERVER_PRIV_H
#define HTTP_SERVER_PRIV_H

#include <microhttpd.h>
#include <poll.h>

#include "base/gzip.h"
#include "base/thread.h"
#include "http/auth.h"
#include "http/params.h"
#include "http/peers.h"
#include "http/server.h"
#include "http/target.h"

enum phase { PHASE_ACCESS, PHASE_BODY, PHASE_WORKING, PHASE_ANSWERED };

struct answer_header {
    const char *name;
    char value[HTTP_ANSWER_HEADER_SIZE];
};

struct http_request {
    struct http_server *server;
    struct MHD_Connection *connection;
    const struct http_route *route;
    struct buf target; /* the decoded path, NUL behind it */
    enum target_verdict verdict;
    const char *path; /* `target` without the prefix */
    char *query;      /* as it was sent */
    char *location;   /* of a redirect */
    unsigned method;
    enum phase phase;
    bool busy, routed, head_only, deferred, bad_params, must_close;
    bool below_prefix, is_api;
    bool refused;               /* has its answer; the body is drained */
    enum auth_verdict password; /* of PHASE_ACCESS */
    struct peer *verifying;     /* whose password is being checked for it */
    str authority;              /* host:port of an absolute target; in `target_text` */
    char *target_text;
    atomic_bool canceled;
    struct buf body, out;
    struct params params;
    size_t body_charged, drained;
    unsigned status;
    const char *content_type;
    struct answer_header headers[HTTP_ANSWER_HEADERS_MAX];
    unsigned header_count;
    uint64_t start_mono_ns;
    void *state;
    struct gate_job job;
    void (*on_end)(void *arg);
    void *on_end_arg;
    char client[46]; /* INET6_ADDRSTRLEN; set by http_client() */
    bool (*next)(void *state, struct buf *out);
    void (*close)(void *state);
    void *stream_state;
    bool stream_more; /* next() has more to give */
    bool live;        /* and may wait before it does */
    struct gzip_stream *gzip;
    bool encoded;                 /* `wire` has the answer, or its first piece */
    const char *content_encoding; /* of it; NULL: none */
    struct buf wire;              /* encoded bytes not yet taken */
    size_t wire_pos;
    struct http_request *watch_prev, *watch_next;
    bool watched;
};

enum connection_phase {
    CONNECTION_IDLE,   /* between two requests */
    CONNECTION_HEAD,   /* handshake, request line, headers */
    CONNECTION_BODY,   /* body */
    CONNECTION_WORK,   /* the request waits or runs */
    CONNECTION_ANSWER, /* the answer is handed out */
};

struct connection { /* one open connection */
    struct connection *prev, *next;
    int fd;
    struct peer *peer;
    _Atomic uint64_t phase;      /* enum connection_phase and since when: conn.c */
    _Atomic uint64_t body_bytes; /* come of this request's body */
    bool cut;
    bool tls, asked;                    /* a request has begun */
    uint64_t idle_since_ns, idle_bytes; /* the idle phase looked at last; received until then */
    uint64_t window_ns, window_bytes;   /* while the client takes an answer: a point in time */
};

struct http_server {
    struct http_options options;
    char listen_address[256];
    struct MHD_Daemon *daemon;
    struct gate *gate;      /* to the workers; NULL: none */
    struct pool *pieces;    /* makes what streams have beyond their first piece */
    struct pool *passwords; /* checks them; NULL without `auth` */
    struct http_counters counters;
    struct http_route_counters *route_counters;
    unsigned port;
    int quiet_fd;         /* where it listened, once it is drained */
    atomic_bool stopping; /* running requests are canceled */
    /* No request begins and no listener waits any more. Both are read and written in one total
     * order (seq_cst), so that either a request sees `closing` or the end sees the request in
     * `busy`. */
    atomic_bool closing;
    atomic_uint busy;  /* requests from dispatch to answer */
    struct mutex lock; /* guards the two lists; rank: leaf */
    struct http_request *suspended;
    struct connection *connections;
    atomic_uint working;      /* connections with a request */
    struct peers *peers;      /* guarded by `lock` too */
    unsigned verifying;       /* requests whose passwords are being checked; the same */
    struct pollfd *watch_fds; /* the watcher's, watch_cap of each */
    struct http_request **watch_requests;
    size_t watch_cap;
    pthread_t watcher;
    atomic_bool watching; /* until the watcher shall end */
};

/* listen.c: a listening socket for host:port and the port it got.
 *   ERR_INVALID  not an address      ERR_IO  it cannot be had; `d` says why */
MUST_USE err server_listen(const char *address, int *out, unsigned *port, struct diag *d);

/* guard.c: 0, or the status of a refusal with its text; the connection must be closed then. */
unsigned guard_request(struct http_request *r, const char *version, const char **why);

/* conn.c: may a client connect? A connection comes and goes; what it does now; bytes of a body. */
enum MHD_Result connection_admit(void *server, const struct sockaddr *address, socklen_t size);
void connection_opened(struct http_server *s, struct MHD_Connection *c, void **context);
void connection_closed(struct http_server *s, void **context);
struct connection *connection_of(struct MHD_Connection *c);
void connection_phase(struct http_server *s, struct MHD_Connection *c, enum connection_phase p);
void connection_got(struct MHD_Connection *c, size_t bytes);
/* Cut connections that are too slow or in the way. */
void connections_check(struct http_server *s);

/* access.c: may it be served? Else it has its answer (`refused`) or waits for a password's check:
 * access_settle() is called when it is resumed. */
enum access { ACCESS_ALLOWED, ACCESS_REFUSED, ACCESS_WAITS };
enum access access_check(struct http_request *r);
enum access access_settle(struct http_request *r);
/* Count the refusal; answer with `text`, and drain the body. */
void request_refuse(struct http_request *r, enum http_refusal why, unsigned status,
                    const char *text);
void http_refused(struct http_server *s, enum http_refusal why);

/* body.c: how long the body will be by its header: SIZE_MAX when only its end will tell. */
size_t body_declared(const struct http_request *r);
size_t body_max(const struct http_request *r);
/* Keep another piece of the body, or note why not; false: there is no end to it. */
bool body_take(struct http_request *r, const char *data, size_t size);

/* server.c: something is to be done about the request before the server may end; it has been. */
void request_begun(struct http_request *r);
void request_done(struct http_request *r);

/* suspend.c */
void request_suspend(struct http_request *r);
/* Wait for a worker, which runs the route; or refuse. */
void request_queue(struct http_request *r);
/* Main loop of the thread that looks for clients that left; `server` until its `watching` ends. */
void *watcher_main(void *server);

/* End the waiting of streams to listeners: the server stops. */
void suspend_cancel_live(struct http_server *s);
/* No thread looks at `r` any more. */
void suspend_forget(struct http_request *r);
/* Suspend `r` until a worker has made the next piece of its stream. False: the server is about to
 * end, and the caller makes it. */
bool suspend_for_piece(struct http_request *r);

/* route_stats.c: a request has ended: count it. */
void route_count(const struct http_request *r);

/* send.c: queue the answer. */
enum MHD_Result answer_send(struct http_request *r);
/* Compress the answer, or its first piece, if the client wants that: by whoever has the time. Else
 * answer_send() does. Nothing may change the answer afterwards. */
void answer_encode(struct http_request *r);
/* Make the next piece of the stream and encode it into `wire`; false: a listener's had nothing. */
bool answer_make_piece(struct http_request *r);
/* End the stream of an answer, when there is one. */
void answer_stream_close(struct http_request *r);

#endif
