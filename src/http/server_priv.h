/* server_priv.h -- what the files of the HTTP server share; for src/http only.
 *
 * server.c      life of the server and of a request: callbacks of the library, dispatch
 * conn.c        open connections and their time to send a request
 * guard.c       requests that are refused for how they are written
 * listen.c      the listening socket
 * body.c        collecting request bodies, within their limits
 * request.c     what handlers ask about a request and say in answer
 * suspend.c     requests that wait: for a worker, for http_resume(); clients that leave meanwhile
 * send.c        encoding and handing out the answer */
#ifndef HTTP_SERVER_PRIV_H
#define HTTP_SERVER_PRIV_H

#include <microhttpd.h>

#include "base/gzip.h"
#include "base/thread.h"
#include "http/params.h"
#include "http/server.h"
#include "http/target.h"

enum phase { PHASE_BODY, PHASE_WORKING, PHASE_ANSWERED };

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
    bool busy, routed, head_only, deferred, too_large, refused_busy, bad_params, must_close;
    bool below_prefix, is_api;
    atomic_bool canceled;
    struct buf body, out;
    struct params params;
    size_t body_charged;
    unsigned status;
    const char *content_type;
    struct answer_header headers[HTTP_ANSWER_HEADERS_MAX];
    unsigned header_count;
    uint64_t start_mono_ns;
    void *state;
    void (*on_end)(void *arg);
    void *on_end_arg;
    char client[46]; /* INET6_ADDRSTRLEN; set by http_client() */
    bool (*next)(void *state, struct buf *out);
    void (*close)(void *state);
    void *stream_state;
    bool stream_more; /* next() has more to give */
    bool live;        /* and may wait before it does */
    struct gzip_stream *gzip;
    struct buf wire; /* encoded bytes not yet taken */
    size_t wire_pos;
    struct http_request *watch_prev, *watch_next;
    bool watched;
};

struct connection { /* one open connection */
    struct connection *prev, *next;
    int fd;
    _Atomic uint64_t reading_ns; /* since when a request is waited for or read; 0: it is served */
};

struct http_server {
    struct http_options options;
    char listen_address[256];
    struct MHD_Daemon *daemon;
    struct pool *pool;
    struct pool *pieces; /* makes what streams have beyond their first piece */
    struct http_counters counters;
    unsigned port;
    atomic_bool stopping; /* running requests are canceled */
    /* No request begins and no listener waits any more. Both are read and written in one total
     * order (seq_cst), so that either a request sees `closing` or the end sees the request in
     * `busy`. */
    atomic_bool closing;
    atomic_uint busy;  /* requests from dispatch to answer */
    struct mutex lock; /* guards the two lists; rank: leaf */
    struct http_request *suspended;
    struct connection *connections;
    pthread_t watcher;
    atomic_bool watching; /* until the watcher shall end */
};

/* listen.c: a listening socket for host:port and the port it got.
 *   ERR_INVALID  not an address      ERR_IO  it cannot be had; `d` says why */
MUST_USE err server_listen(const char *address, int *out, unsigned *port, struct diag *d);

/* guard.c: 0, or the status of a refusal with its text; the connection must be closed then. */
unsigned guard_request(struct http_request *r, const char *version, const char **why);

/* conn.c: a connection comes and goes; its request has been read, and is done with. */
void connection_opened(struct http_server *s, struct MHD_Connection *c, void **context);
void connection_closed(struct http_server *s, void **context);
void connection_reading(struct MHD_Connection *c, bool reading);
/* Cut connections that have been reading for longer than the read timeout. */
void connections_check(struct http_server *s);

/* body.c: keep another piece of the body, or note why not. */
void body_take(struct http_request *r, const char *data, size_t size);

/* server.c: something is to be done about the request before the server may end; it has been. */
void request_begun(struct http_request *r);
void request_done(struct http_request *r);

/* suspend.c */
void request_suspend(struct http_request *r);
/* For the worker pool: run the route and resume. */
void request_run_on_worker(void *request);
/* Main loop of the thread that looks for clients that left; `server` until its `watching` ends. */
void *watcher_main(void *server);

/* End the waiting of streams to listeners: the server stops. */
void suspend_cancel_live(struct http_server *s);
/* No thread looks at `r` any more. */
void suspend_forget(struct http_request *r);
/* Suspend `r` until a worker has made the next piece of its stream. False: the server is about to
 * end, and the caller makes it. */
bool suspend_for_piece(struct http_request *r);

/* send.c: queue the answer. */
enum MHD_Result answer_send(struct http_request *r);
/* Make the next piece of the stream and encode it into `wire`; false: a listener's had nothing. */
bool answer_make_piece(struct http_request *r);
/* End the stream of an answer, when there is one. */
void answer_stream_close(struct http_request *r);

#endif
