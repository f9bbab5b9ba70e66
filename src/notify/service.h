/* service.h -- the engine at work in a server: takes alerts from rules and from the API, sends what
 * is due on threads of its own, and changes its configuration while it runs.
 *
 * Threads: one looks after what is due; senders, started as needed, wait for providers. All calls
 * may come from any thread. */
#ifndef NOTIFY_SERVICE_H
#define NOTIFY_SERVICE_H

#include "base/timing.h"
#include "ingest/relabel.h"
#include "notify/engine.h"
#include "notify/incident.h"
#include "notify/notifiers.h"
#include "notify/trial.h"
#include "rules/alert_sink.h"

enum {
    NOTIFY_INBOX_BYTES_MAX =
        64 << 20, /* alerts of rules that are not taken in yet; older ones go */
    NOTIFY_STATES_MS = 10000,
};

struct notify_options {
    struct fs *fs;
    const char *dir;             /* of what must survive; made when missing */
    int64_t retention_ms;        /* of silences and the notification log */
    const char *config_path;     /* alertmanager.yml */
    const char *extensions_path; /* config/alerting_ext.h; "": none */
    int64_t start_delay_ms;      /* before incidents of the last run go on */
    str external_url;            /* for links, without a slash at the end */
    str server_url;              /* the server itself, the same way: for links to its API */
    str version;                 /* told to providers */
    int64_t history_ms;          /* retention of the history; 0: none is kept */
    uint64_t history_bytes;      /* its size, at most */
    /* Judges what of the extensions only the caller can, at each load; NULL: nothing is left. */
    err (*check)(const struct alerting_ext *x, struct diag *d);
};

struct notify_service;

/* Load the configuration, and what DIR remembers. Nothing is sent before the start.
 *   ERR_NOTFOUND, ERR_IO, ERR_INVALID, ERR_LIMIT, ERR_UNSUPPORTED, ERR_NOSPACE  with `d` */
MUST_USE err notify_service_open(const struct notify_options *o, struct notify_service **out,
                                 struct diag *d);
MUST_USE err notify_service_start(struct notify_service *s); /* ERR_IO  no thread */

/* When rules have stopped: what they said last is taken in and kept on disk. Deliveries under way
 * are called off; what they were about is told after the next start. NULL is allowed. */
void notify_service_close(struct notify_service *s);

/* Where rules send their alerts. Those get what they would get on their way to an Alertmanager. */
struct alert_sink notify_service_sink(struct notify_service *s);
/* External labels and alert_relabel_configs from now on; NULL: none. Held as long as `config`. */
void notify_service_relabel(struct notify_service *s, struct config *config);

/* A reload in two steps, as reload.h has it. */
MUST_USE err notify_service_prepare(struct notify_service *s, void **prepared, struct diag *d);
void notify_service_commit(struct notify_service *s, void *prepared);
void notify_service_discard(struct notify_service *s, void *prepared);

/* The engine, for one thread at a time; what became due by the caller's doing is looked after. */
struct engine *notify_service_lock(struct notify_service *s);
void notify_service_unlock(struct notify_service *s);

/* What a token of a link allows (ack_link.h). `out` is to be ended whatever comes of it.
 *   ERR_UNSUPPORTED  there are no links      ERR_INVALID, ERR_ORDER  as ack_signer_read() */
struct ack_token;
MUST_USE err notify_service_read_ack_link(struct notify_service *s, str token, int64_t now_ms,
                                          struct ack_token *out);

/* What a webhook of a provider says (inbound.h), when it proves that it is from there. `out` is to
 * be ended whatever comes of it.   Errors: as inbound_pagerduty() */
struct inbound_event;
MUST_USE err notify_service_read_inbound(struct notify_service *s, enum ack_via from, str proof,
                                         slice body, int64_t now_ms, struct inbound_event *out,
                                         struct diag *d);

/* Send a test notification through all integrations of a receiver, now: see trial.h, also for how
 * long that may take. Results are to be freed with mem_free().
 *   ERR_NOTFOUND  there is no such receiver */
MUST_USE err notify_service_try(struct notify_service *s, str receiver,
                                struct trial_result **results, size_t *count);

/* Test notifications under way end soon, others are not begun: nobody waits for them at the end. */
void notify_service_call_off(struct notify_service *s);

struct notify_stats {
    struct engine_counts engine;
    size_t senders, sending, queued; /* threads; deliveries they have; those that wait for one */
    size_t inbox_bytes;
    uint64_t inbox_dropped;    /* alerts of rules */
    size_t silences[3];        /* by enum silence_state */
    size_t active, suppressed; /* alerts that have not ended; found anew every NOTIFY_STATES_MS */
    size_t receivers, integrations, inhibit_rules; /* of the configuration */
    uint64_t config_hash;
    int64_t config_loaded_ms;
    bool config_ok; /* the last load */
    bool has_history;
    struct history_stats history;
};

void notify_service_stats(struct notify_service *s, struct notify_stats *out);
/* NULL: none is kept. Lives as long as the service. */
struct history *notify_service_history(const struct notify_service *s);
/* How long requests of a kind took, failed ones included. */
const struct timing *notify_service_latency(const struct notify_service *s,
                                            enum integration_kind kind);

#endif
