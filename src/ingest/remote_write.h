/* remote_write.h -- Prometheus remote write 1.0 and 2.0: from a request body to durable samples.
 *
 * A known series costs one hash: the raw bytes of its labels (1.0) or the hashes of the symbols
 * they refer to (2.0) are looked up, and only what is unknown is decoded and checked. Statuses,
 * texts and headers are those of Prometheus 3.14. Limits: docs/limits.md.
 *
 * Life of a request: remote_write_begin() decodes on the calling thread and commits; `done` is
 * called once, on any thread; then remote_write_finish() gives the reply. */
#ifndef INGEST_REMOTE_WRITE_H
#define INGEST_REMOTE_WRITE_H

#include <stdatomic.h>

#include "base/buf.h"
#include "base/timing.h"
#include "storage/db.h"

struct receiver;     /* shared by all requests */
struct remote_write; /* one request in flight */

struct receiver_options {
    struct db *db;
    size_t decoded_bytes_max; /* default 32 MiB */
    bool accept_v1, accept_v2;
    bool type_and_unit_labels; /* 2.0: add __type__ and __unit__ from the metadata */
    bool store_metadata;
    struct labels_limits labels_limits;
    size_t recall_bytes_max; /* for the order in which senders repeat labels; default 16 MiB, 0:
                                none */
};

struct receiver_counters { /* read with relaxed loads for /metrics */
    _Atomic uint64_t requests_v1, requests_v2, invalid_label_series, refused_requests;
    struct timing decode, resolve; /* of a request: snappy and protobuf; finding its series */
    struct timing commit;          /* from there to durable samples */
};

struct receiver_options receiver_options_default(struct db *db);
MUST_USE err receiver_open(const struct receiver_options *o, struct receiver **out);
/* No request may be in flight. */
void receiver_close(struct receiver *r);
const struct receiver_counters *receiver_counters_of(const struct receiver *r);

struct remote_write_reply {
    unsigned status;                       /* HTTP */
    struct buf text;                       /* body; empty with 204. The caller's to fini */
    size_t samples, histograms, exemplars; /* X-Prometheus-Remote-Write-*-Written */
    bool retry_after;                      /* add Retry-After: overloaded, not wrong */
};

/* Take in `body` (compressed, borrowed until remote_write_finish()). `content_type` and
 * `content_encoding` are the headers' values, empty when absent. `done(arg)` may be called before
 * this returns. */
void remote_write_begin(struct receiver *r, str content_type, str content_encoding, slice body,
                        void (*done)(void *arg), void *arg, struct remote_write **out);

/* After `done`: fill `reply` and free the request. ERR_RETRY: begin again with the same body. */
MUST_USE err remote_write_finish(struct remote_write *w, struct remote_write_reply *reply);

#endif
