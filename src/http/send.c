/* send.c -- encoding and handing out the answer. */
#include "base/regex.h"
#include "http/server_priv.h"

void answer_stream_close(struct http_request *r)
{
    if (r->close != NULL)
        r->close(r->stream_state);
    r->close = NULL;
    r->next = NULL;
    r->stream_more = false;
}

/* Encode what is in `out` into `wire`; with `last`, finish the encoding. */
static void encode(struct http_request *r, bool last)
{
    if (r->gzip != NULL) {
        gzip_stream_put(r->gzip, buf_slice(&r->out), last, &r->wire);
        buf_reset(&r->out);
    } else {
        struct buf b = r->wire;
        r->wire = r->out;
        r->out = b;
        buf_reset(&r->out);
    }
}

bool answer_make_piece(struct http_request *r)
{
    buf_reset(&r->wire);
    r->wire_pos = 0;
    do
        r->stream_more = r->next(r->stream_state, &r->out);
    while (r->stream_more && !r->live && r->out.len < HTTP_PIECE_BYTES);
    if (r->live && r->stream_more && r->out.len == 0)
        return false;
    encode(r, !r->stream_more);
    return true;
}

/* Listeners' pieces are small and made here. All others are a worker's: decoding and compressing
 * them takes long enough to keep the other connections of this thread waiting. */
static ssize_t send_piece(void *cls, uint64_t pos, char *to, size_t max)
{
    struct http_request *r = cls;
    (void)pos;
    request_done(r); /* it waited for a worker, or as a listener */
    while (r->wire_pos == r->wire.len) {
        if (!r->stream_more)
            return MHD_CONTENT_READER_END_OF_STREAM;
        if (!r->live && atomic_load_explicit(&r->canceled, memory_order_relaxed))
            return MHD_CONTENT_READER_END_WITH_ERROR;
        if (!r->live && suspend_for_piece(r))
            return 0; /* suspended until the piece is there */
        if (!answer_make_piece(r) && !atomic_load_explicit(&r->canceled, memory_order_relaxed))
            return 0; /* suspended until http_stream_wake() */
    }
    size_t n = MIN(max, r->wire.len - r->wire_pos);
    memcpy(to, r->wire.ptr + r->wire_pos, n);
    r->wire_pos += n;
    return (ssize_t)n;
}

/* Who may read the answer from a page of another origin. */
static void cors_headers(struct http_request *r, struct MHD_Response *response)
{
    const struct regex *allowed = r->server->options.cors_origin;
    str origin = http_header(r, "Origin");
    if (!r->is_api || origin.len == 0)
        return;
    (void)MHD_add_response_header(response, "Access-Control-Allow-Headers",
                                  "Accept, Authorization, Content-Type, Origin");
    (void)MHD_add_response_header(response, "Access-Control-Allow-Methods", "GET, POST, OPTIONS");
    (void)MHD_add_response_header(response, "Access-Control-Expose-Headers", "Date");
    if (allowed == NULL)
        (void)MHD_add_response_header(response, "Access-Control-Allow-Origin", "*");
    else if (regex_match(allowed, origin)) /* the library ends it with a NUL */
        (void)MHD_add_response_header(response, "Access-Control-Allow-Origin", origin.ptr);
}

struct header {
    const char *name, *value;
};

/* On every answer, unless the web configuration says otherwise. Pages load what comes from here
 * alone, are shown in no frame, and tell nobody where they were. */
static const struct header SECURE[] = {
    {"X-Content-Type-Options", "nosniff"},
    {"X-Frame-Options", "DENY"},
    {"Referrer-Policy", "no-referrer"},
    {"Content-Security-Policy",
     "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
     "font-src 'self'; connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action "
     "'self'; "
     "frame-ancestors 'none'"},
};

static void configured_headers(void *arg, const struct web_config *w)
{
    struct MHD_Response *response = arg;
    for (size_t i = 0; i < w->headers.count; i++) {
        const struct pair *p = &w->headers.items[i];
        if (p->value.len > 0)
            (void)MHD_add_response_header(response, p->name.ptr, p->value.ptr);
    }
}

static void secure_headers(struct http_request *r, struct MHD_Response *response)
{
    struct auth *auth = r->server->options.auth;
    if (auth != NULL)
        auth_with_config(auth, configured_headers, response);
    for (size_t i = 0; i < COUNT_OF(SECURE); i++)
        if (MHD_get_response_header(response, SECURE[i].name) == NULL)
            (void)MHD_add_response_header(response, SECURE[i].name, SECURE[i].value);
    if (r->is_api && MHD_get_response_header(response, "Cache-Control") == NULL)
        (void)MHD_add_response_header(response, "Cache-Control", "no-store");
}

static void common_headers(struct http_request *r, struct MHD_Response *response)
{
    if (r->content_type != NULL)
        (void)MHD_add_response_header(response, "Content-Type", r->content_type);
    (void)MHD_add_response_header(response, "Vary", "Origin, Accept-Encoding");
    cors_headers(r, response);
    if (r->location != NULL)
        (void)MHD_add_response_header(response, "Location", r->location);
    if (r->must_close)
        (void)MHD_add_response_header(response, "Connection", "close");
    for (unsigned i = 0; i < r->header_count; i++)
        (void)MHD_add_response_header(response, r->headers[i].name, r->headers[i].value);
    secure_headers(r, response);
}

/* Did the handler encode the answer itself? */
static bool has_encoding(const struct http_request *r)
{
    for (unsigned i = 0; i < r->header_count; i++)
        if (strcmp(r->headers[i].name, "Content-Encoding") == 0)
            return true;
    return false;
}

/* The coding of the answer. A whole one is known to have bytes. */
static enum params_coding choose_coding(struct http_request *r, bool whole)
{
    if (r->head_only || has_encoding(r) || (whole && r->out.len == 0) ||
        (r->route != NULL && r->route->plain))
        return CODING_NONE;
    return params_coding(http_header(r, "Accept-Encoding"));
}

void answer_encode(struct http_request *r)
{
    bool whole = !r->stream_more;
    enum params_coding coding = choose_coding(r, whole);
    enum gzip_format format = coding == CODING_GZIP ? GZIP_GZIP : GZIP_ZLIB;
    if (whole && coding != CODING_NONE) {
        gzip_encode(buf_slice(&r->out), format, &r->wire);
        buf_fini(&r->out);
    } else {
        if (coding != CODING_NONE)
            r->gzip = gzip_stream_open_format(format);
        encode(r, whole);
    }
    r->encoded = true;
    r->content_encoding =
        coding == CODING_NONE ? NULL : (coding == CODING_GZIP ? "gzip" : "deflate");
}

static struct MHD_Response *make_response(struct http_request *r)
{
    if (!r->encoded)
        answer_encode(r);
    if (r->stream_more)
        return MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, HTTP_PIECE_BYTES, send_piece, r,
                                                 NULL);
    answer_stream_close(r);
    return MHD_create_response_from_buffer(r->wire.len, r->wire.ptr, MHD_RESPMEM_PERSISTENT);
}

enum MHD_Result answer_send(struct http_request *r)
{
    r->phase = PHASE_ANSWERED;
    connection_phase(r->server, r->connection, CONNECTION_ANSWER);
    request_done(r);
    if (r->status == 0)
        http_text(r, 500, "internal error: no answer\n");
    struct MHD_Response *response = make_response(r);
    if (response == NULL)
        return MHD_NO;
    common_headers(r, response);
    if (r->content_encoding != NULL)
        (void)MHD_add_response_header(response, "Content-Encoding", r->content_encoding);
    unsigned class = r->status / 100;
    (void)atomic_fetch_add_explicit(&r->server->counters.by_class[class < 6 ? class : 5], 1,
                                    memory_order_relaxed);
    enum MHD_Result result = MHD_queue_response(r->connection, r->status, response);
    MHD_destroy_response(response);
    return result;
}
