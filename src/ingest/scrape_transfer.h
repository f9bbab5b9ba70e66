/* scrape_transfer.h -- many HTTP requests at once on one thread: libcurl's multi interface over
 * epoll, and past it where that will do (scrape_wire.h). Connections are kept and used again,
 * answers arrive as they were sent. Threads: all functions on the one thread that drives, but
 * transfers_wake(), which any may call. */
#ifndef INGEST_SCRAPE_TRANSFER_H
#define INGEST_SCRAPE_TRANSFER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/http_client.h"
#include "ingest/scrape_wire.h"

enum {
    TRANSFER_BODY_BYTES_MAX = 256 << 20, /* of one answer, whatever the job allows */
    TRANSFER_BODIES_BYTES_MAX = 1 << 30, /* of all that are arriving */
    TRANSFER_SHARDS = 256,               /* groups of targets that share connections */
    TRANSFER_IDLE_HANDLES_MAX = 64,      /* kept for later requests */
};

struct transfers;

struct transfer { /* one request; the caller's until `done` is called */
    /* Asked for, borrowed until then. */
    struct http_client *client;
    const char *url, *unix_socket; /* "": none */
    struct pairs headers;
    bool compressed;         /* offer gzip */
    int64_t timeout_ms;      /* of all */
    uint64_t body_bytes_max; /* 0: TRANSFER_BODY_BYTES_MAX; as many bytes are too many already */
    struct buf *body;        /* filled */
    size_t shard;            /* any number; requests to one server should have the same */
    struct wire *wire;       /* where the next request may go by itself; NULL: it may not */
    bool keep_wire;          /* the next request comes soon */
    void (*done)(struct transfer *x); /* on the driving thread */
    void *user;

    /* Answered. `error` is "" for a 200 whose body arrived; else why there is none. */
    char error[1024];
    char content_type[256], status_text[128];
    bool too_large, gzipped; /* `gzipped`: so is the body */

    void *easy; /* private, from here */
    struct http_transfer http;
    struct transfers *owner;
    struct transfer *prev, *next;
    char curl_error[256];
    uint64_t deadline_mono_ns;
    bool no_memory, on_wire;
    bool has_head; /* the blank line behind the headers came */
};

MUST_USE err transfers_open(unsigned connections_kept, struct transfers **out, struct diag *d);

/* End all transfers without calling `done`, close all connections. */
void transfers_close(struct transfers *t); /* NULL is allowed */

/* Start `x`. `done` comes later, from transfers_poll(), errors to start included. */
void transfers_begin(struct transfers *t, struct transfer *x);

/* Wait for news until `until_mono_ns`, and handle them. */
void transfers_poll(struct transfers *t, uint64_t until_mono_ns);

/* Make a transfers_poll() that waits return, or the next one not wait. */
void transfers_wake(struct transfers *t);

/* Let `c` get what its requests would have to wait for (http_client_blocks()); any thread. */
void transfer_prepare_client(struct http_client *c, int64_t timeout_ms);

/* Transfers under way. */
size_t transfers_active(const struct transfers *t);

#endif
