/* replay_send.c -- results of a replay by remote write 1.0. */
#include <stdio.h>

#include "base/protobuf_put.h"
#include "cli/replay_http_priv.h"
#include "ingest/snappy.h"

static void put_row(struct buf *b, const struct rule_sample *s)
{
    size_t series = pb_begin(b, 1);
    for (size_t i = 0; i < s->labels.count; i++) {
        size_t label = pb_begin(b, 1);
        pb_put_str(b, 1, s->labels.items[i].name);
        pb_put_str(b, 2, s->labels.items[i].value);
        pb_end(b, label);
    }
    size_t sample = pb_begin(b, 2);
    pb_put_double(b, 1, s->value);
    pb_put_varint(b, 2, (uint64_t)s->ts_ms);
    pb_end(b, sample);
    pb_end(b, series);
}

err replay_send(void *arg, const struct rule_sample *samples, size_t count,
                struct rule_appended *out, struct diag *d)
{
    struct replay_http *h = arg;
    *out = (struct rule_appended){0};
    for (size_t i = 0; i < count; i++) {
        if (samples[i].histogram != NULL)
            return diag_set(d, ERR_UNSUPPORTED, "native histograms are not sent");
        put_row(&h->rows, &samples[i]);
        h->row_count++;
    }
    return h->row_count < REPLAY_SENT_ROWS ? OK : replay_send_rest(h, d);
}

/* 400: some rows were refused, the others were taken; sending them again would change nothing. */
static err judge(struct replay_http *h, const struct http_reply *reply, struct diag *d)
{
    struct buf words = {0};
    err e = OK;
    if (reply->status / 100 == 2)
        return OK;
    replay_http_words(reply, &words);
    if (reply->status != 400)
        e = replay_http_break(h, ERR_IO, buf_cstr(&words), d);
    else if (h->counts.refusals++ == 0)
        (void)snprintf(h->counts.refusal, sizeof(h->counts.refusal), "%s", buf_cstr(&words));
    buf_fini(&words);
    return e;
}

err replay_send_rest(struct replay_http *h, struct diag *d)
{
    const struct pair headers[] = {
        {STR("Content-Encoding"), STR("snappy")},
        {STR("X-Prometheus-Remote-Write-Version"), STR("0.1.0")},
    };
    const struct pairs all = {(struct pair *)(uintptr_t)headers, COUNT_OF(headers)};
    struct buf body = {0};
    struct http_reply reply = {0};
    if (h->row_count == 0)
        return OK;
    snappy_encode(buf_slice(&h->rows), &body);
    err e = replay_http_post(h, str_from(h->o.write_url), STR("application/x-protobuf"),
                             buf_slice(&body), all, &reply, d);
    if (e == OK)
        e = judge(h, &reply, d);
    if (e == OK)
        h->counts.rows_sent += h->row_count;
    buf_reset(&h->rows);
    h->row_count = 0;
    http_reply_fini(&reply);
    buf_fini(&body);
    return e;
}
