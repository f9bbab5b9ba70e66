/* replay_http_priv.h -- what asking (replay_ask.c) and sending (replay_send.c) share. */
#ifndef CLI_REPLAY_HTTP_PRIV_H
#define CLI_REPLAY_HTTP_PRIV_H

#include "cli/replay_http.h"

enum {
    REPLAY_ANSWER_BYTES_MAX = 256 << 20,
    REPLAY_TIMEOUT_MS = 150 * 1000, /* servers give up after two minutes */
    REPLAY_SENT_ROWS = 5000,        /* sent together */
    REPLAY_ASKED_BUCKETS = 4096,
};

struct asked; /* an expression that was asked: replay_ask.c */

struct replay_http {
    struct replay_http_options o;
    struct rule_remote source;
    struct rule_appender sink;
    struct arena arena; /* of the settings */
    struct http_client_config config;
    struct http_client *client;
    struct buf url; /* without a slash at the end */
    struct asked *asked[REPLAY_ASKED_BUCKETS];
    size_t asked_count, points_held;
    struct buf rows; /* a WriteRequest, being filled */
    size_t row_count;
    err broken; /* no server: whatever is asked fails */
    char why[256];
    struct replay_http_counts counts;
};

/* POST; any status is OK. Once a server was not there it is not asked again. */
MUST_USE err replay_http_post(struct replay_http *h, str url, str content_type, slice body,
                              struct pairs headers, struct http_reply *out, struct diag *d);

/* What an answer says is wrong, at most 400 bytes: the text of an API's error, or its body. */
void replay_http_words(const struct http_reply *reply, struct buf *out);

/* No more is to be had of the server: told by whatever is asked from now on. Returns `e`. */
err replay_http_break(struct replay_http *h, err e, const char *why, struct diag *d);

err replay_ask(void *arg, str expr, int64_t ts_ms, struct arena *a, struct rule_vector *out,
               struct diag *d);
void replay_ask_fini(struct replay_http *h);

err replay_send(void *arg, const struct rule_sample *samples, size_t count,
                struct rule_appended *out, struct diag *d);
err replay_send_rest(struct replay_http *h, struct diag *d);

#endif
