/* send.c -- encoding and handing out the answer. */
#include "http/server_priv.h"

enum {
    GZIP_BYTES_MIN = 1024, /* smaller answers are sent as they are */
};

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

static ssize_t send_piece(void *cls, uint64_t pos, char *to, size_t max)
{
    struct http_request *r = cls;
    (void)pos;
    while (r->wire_pos == r->wire.len) {
        if (!r->stream_more)
            return MHD_CONTENT_READER_END_OF_STREAM;
        buf_reset(&r->wire);
        r->wire_pos = 0;
        while (r->stream_more && r->out.len < HTTP_PIECE_BYTES)
            r->stream_more = r->next(r->stream_state, &r->out);
        encode(r, !r->stream_more);
    }
    size_t n = MIN(max, r->wire.len - r->wire_pos);
    memcpy(to, r->wire.ptr + r->wire_pos, n);
    r->wire_pos += n;
    return (ssize_t)n;
}

static bool wants_gzip(struct http_request *r)
{
    str accept = http_header(r, "Accept-Encoding");
    return params_header_accepts(accept, STR("gzip"));
}

static void common_headers(struct http_request *r, struct MHD_Response *response)
{
    str origin = http_header(r, "Origin");
    (void)MHD_add_response_header(response, "Content-Type",
                                  r->content_type != NULL ? r->content_type : "text/plain");
    (void)MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    (void)MHD_add_response_header(response, "Vary", "Origin, Accept-Encoding");
    if (origin.len > 0) {
        (void)MHD_add_response_header(response, "Access-Control-Allow-Headers",
                                      "Accept, Authorization, Content-Type, Origin");
        (void)MHD_add_response_header(response, "Access-Control-Allow-Methods",
                                      "GET, POST, OPTIONS");
        (void)MHD_add_response_header(response, "Access-Control-Allow-Origin", "*");
        (void)MHD_add_response_header(response, "Access-Control-Expose-Headers", "Date");
    }
    for (unsigned i = 0; i < r->header_count; i++)
        (void)MHD_add_response_header(response, r->headers[i].name, r->headers[i].value);
}

enum MHD_Result answer_send(struct http_request *r)
{
    struct MHD_Response *response;
    bool whole = !r->stream_more;
    r->phase = PHASE_ANSWERED;
    if (r->status == 0)
        http_text(r, 500, "internal error: no answer\n");
    bool zip = r->status != 204 && !r->head_only && (!whole || r->out.len >= GZIP_BYTES_MIN) &&
               wants_gzip(r);
    if (zip)
        r->gzip = gzip_stream_open();
    encode(r, whole);
    if (whole) {
        answer_stream_close(r);
        response =
            MHD_create_response_from_buffer(r->wire.len, r->wire.ptr, MHD_RESPMEM_PERSISTENT);
    } else {
        response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, HTTP_PIECE_BYTES, send_piece,
                                                     r, NULL);
    }
    if (response == NULL)
        return MHD_NO;
    common_headers(r, response);
    if (zip)
        (void)MHD_add_response_header(response, "Content-Encoding", "gzip");
    unsigned class = r->status / 100;
    (void)atomic_fetch_add_explicit(&r->server->counters.by_class[class < 6 ? class : 5], 1,
                                    memory_order_relaxed);
    enum MHD_Result result = MHD_queue_response(r->connection, r->status, response);
    MHD_destroy_response(response);
    return result;
}
