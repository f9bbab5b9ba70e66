/* ack_link.h -- links in messages by which whoever has one may acknowledge one incident for a
 * while: a token with an HMAC-SHA-256 over what it is for, the incident, its end and the receiver
 * the message was for. It is made of digits, letters and points alone: no markup of a chat takes it
 * apart. docs/operations/acknowledging.md explains it to users. */
#ifndef NOTIFY_ACK_LINK_H
#define NOTIFY_ACK_LINK_H

#include "base/buf.h"
#include "config/alerting_ext.h"

enum {
    ACK_SECRET_BYTES_MIN = 16, /* of the file, without blanks around */
    ACK_SECRET_BYTES_MAX = 1 << 16,
    ACK_TOKEN_BYTES_MAX = 4096,          /* longer ones are not looked at */
    ACK_TOKEN_RECEIVER_BYTES_MAX = 1024, /* longer names are left out: they are only proposed */
    ACK_TOKEN_INCIDENT_SIZE = 16,
};

struct ack_signer; /* immutable once opened */

/* Read the secret of `links`. `server_url` (without a slash at the end) is where links lead
 * unless the configuration says otherwise. ERR_NOTFOUND, ERR_IO, ERR_LIMIT, ERR_INVALID  the file;
 * `d` has its path and never its text */
MUST_USE err ack_signer_open(const struct ack_links *links, str server_url, struct ack_signer **out,
                             struct diag *d);
void ack_signer_close(struct ack_signer *s); /* NULL is allowed */

/* Append the URL of a link. `incident` has ACK_TOKEN_INCIDENT_SIZE bytes. */
void ack_signer_put(const struct ack_signer *s, str incident, str receiver, int64_t now_ms,
                    struct buf *out);

struct ack_token { /* zero-initialised; end with ack_token_fini() */
    char incident[ACK_TOKEN_INCIDENT_SIZE + 1];
    int64_t expires_ms;
    struct buf receiver;
};

/* What a token allows.
 *   ERR_INVALID  nobody here made it, or not with this secret      ERR_ORDER  its time is over */
MUST_USE err ack_signer_read(const struct ack_signer *s, str token, int64_t now_ms,
                             struct ack_token *out);
void ack_token_fini(struct ack_token *t);

#endif
