/* http_answer.h -- reads an HTTP/1.1 answer to a GET, piece by piece as it arrives: status line and
 * headers, then a body of known length, in chunks, or up to the end of the connection. For who
 * drives sockets of his own and needs no more than that; all else goes through http_client.h.
 *
 * What is not plainly well-formed is refused, never guessed at. Threads: one at a time. */
#ifndef BASE_HTTP_ANSWER_H
#define BASE_HTTP_ANSWER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/slice.h"

enum { HTTP_ANSWER_HEAD_BYTES_MAX = 64 << 10 }; /* of one head, and of what lies before a chunk */

enum http_answer_state {
    HTTP_ANSWER_MORE,    /* it goes on */
    HTTP_ANSWER_DONE,    /* it is complete */
    HTTP_ANSWER_BROKEN,  /* no answer that this reader takes */
    HTTP_ANSWER_STOPPED, /* on_line or on_body said so */
};

struct http_answer_sink {
    void *arg;
    /* Status line and header lines, with their ends of line. False: stop. */
    bool (*on_line)(void *arg, str line);
    bool (*on_body)(void *arg, slice bytes);
};

struct http_answer { /* zero-initialised; fields but `status` and `keeps` are private */
    int status;      /* 0: the head is not complete yet */
    bool keeps;      /* another request may follow on the connection */
    unsigned phase;
    uint64_t left; /* bytes of body or chunk to come */
    size_t extra;  /* bytes of chunk extensions and trailers so far */
    bool digits;   /* of a chunk's size: there were some */
    struct buf head;
};

/* Begin anew, for the next answer. */
void http_answer_begin(struct http_answer *a);
void http_answer_fini(struct http_answer *a);

/* Take the bytes that arrived. Bytes behind the answer's end make `keeps` false: nobody asked for
 * them. */
enum http_answer_state http_answer_take(struct http_answer *a, slice in,
                                        const struct http_answer_sink *sink);

/* Was the head read? Before that, nothing but lines was given to the sink. */
bool http_answer_has_head(const struct http_answer *a);

/* The connection has ended: is the answer complete by that? */
bool http_answer_ends(const struct http_answer *a);

#endif
