/* scrape_wire.h -- a connection of our own to one target, for what nearly all scrapes are: a GET
 * over plain HTTP/1.1 without credentials, proxy or redirects. libcurl's way through such a request
 * costs several times what reading its page does.
 *
 * It only goes where libcurl has just been: the first request, and each that finds no connection
 * and no answer this way, is libcurl's, which resolves names, tries addresses and knows what to say
 * of failures. A name is resolved anew for every connection.
 * Threads: the one that drives transfers. */
#ifndef INGEST_SCRAPE_WIRE_H
#define INGEST_SCRAPE_WIRE_H

#include <stdbool.h>
#include <sys/socket.h>

#include "base/http_answer.h"
#include "base/http_client.h"

enum { WIRE_PIECE_BYTES = 256 << 10 }; /* taken from a socket at once */

struct wire {     /* zero-initialised: nothing is known yet; fields are private */
    bool unfit;   /* the target does not answer plainly: libcurl asks it for good */
    bool known;   /* `address` is where it answered */
    bool literal; /* the URL names an address: it stays known */
    bool open, connecting;
    int fd;
    struct sockaddr_storage address;
    socklen_t address_size;
    uint64_t event; /* what epoll calls it */
    struct http_answer answer;
    struct buf request;
    void *user; /* of the request under way; NULL: none */
};

enum wire_state {
    WIRE_WAITS,
    WIRE_DONE,    /* the answer is complete: see wire_status() */
    WIRE_LOST,    /* no connection or no answer: the request may be made again by other means */
    WIRE_CUT,     /* the connection ended within the body */
    WIRE_BROKEN,  /* the body is malformed */
    WIRE_STOPPED, /* the sink did not want more */
};

/* Can requests of this client to this URL go this way at all? */
bool wire_fits(const struct http_client *c, const char *url, const char *unix_socket);

/* libcurl had an answer from here: "127.0.0.1", "::1". */
void wire_learn(struct wire *w, const char *ip, unsigned port, const char *url);

/* Send the request, over the connection that is there or a new one. Its events are reported to
 * `epoll_fd` with `event`. False: not this way, and nothing was sent. */
bool wire_begin(struct wire *w, const struct http_client *c, const char *url, struct pairs headers,
                int epoll_fd, uint64_t event, void *user);

/* There is news of the socket while a request is under way. `piece`: WIRE_PIECE_BYTES of scratch
 * memory. Behind any state but WIRE_WAITS it is over. */
enum wire_state wire_step(struct wire *w, int epoll_fd, const struct http_answer_sink *sink,
                          uint8_t *piece);
int wire_status(const struct wire *w);

/* End the connection and what is under way on it. */
void wire_close(struct wire *w);
void wire_fini(struct wire *w);

#endif
