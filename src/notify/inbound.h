/* inbound.h -- webhooks that providers send here: PagerDuty's (version 3) and OpsGenie's. Each
 * proves first who sent it, then tells what somebody did there. What they send is docs/operations/
 * acknowledging.md; what comes of it incident.h, "What providers tell". */
#ifndef NOTIFY_INBOUND_H
#define NOTIFY_INBOUND_H

#include "notify/incident.h"

enum {
    INBOUND_SECRETS_MAX = 8,            /* of a file, one a line: an old and a new one */
    INBOUND_SECRET_BYTES_MIN = 8,       /* of each */
    INBOUND_SIGNATURES_MAX = 16,        /* of a request that are looked at */
    INBOUND_BODY_BYTES_MAX = 256 << 10, /* PagerDuty sends no more than that */
};

struct inbound; /* immutable once opened */

/* Read the files of secrets; those that `config` does not name stay without.
 *   ERR_NOTFOUND, ERR_IO, ERR_LIMIT, ERR_INVALID  a file; `d` has its path and never its text */
MUST_USE err inbound_open(const struct ack_inbound *config, struct inbound **out, struct diag *d);
void inbound_close(struct inbound *in); /* NULL is allowed */

enum inbound_change { INBOUND_ACK, INBOUND_UNACK, INBOUND_NOTE, INBOUND_OTHER };

struct inbound_event { /* zero-initialised; end with inbound_event_fini() */
    enum inbound_change change;
    struct provider_event event; /* of INBOUND_ACK and INBOUND_UNACK; key and by also of a note */
    str name;                    /* the provider's: "incident.acknowledged", "Close" */
    struct jtree *root;          /* has the texts */
};
void inbound_event_fini(struct inbound_event *e);

/* A webhook from PagerDuty: `signatures` is its header X-PagerDuty-Signature. Or from OpsGenie,
 * with the token it was told to send. A time that is not said is `now_ms`. ERR_UNSUPPORTED  there
 * is no secret for it ERR_ORDER        it is not from there: no signature is right, the token is
 * not the one ERR_INVALID      it is, but cannot be understood; `d` says why */
MUST_USE err inbound_pagerduty(const struct inbound *in, str signatures, slice body, int64_t now_ms,
                               struct inbound_event *out, struct diag *d);
MUST_USE err inbound_opsgenie(const struct inbound *in, str token, slice body, int64_t now_ms,
                              struct inbound_event *out, struct diag *d);

#endif
