/* email_message.h -- the parts of a mail: addresses, headers, bodies as quoted-printable. */
#ifndef NOTIFY_EMAIL_MESSAGE_H
#define NOTIFY_EMAIL_MESSAGE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/texts.h"

enum {
    EMAIL_ADDRESSES_MAX = 1000,
    EMAIL_LINE_BYTES_MAX = 900, /* longer values of headers are encoded, which folds them */
};

/* The bare addresses of a list as headers have it: `Ops <ops@x.org>, "b, c" <b@x.org>, d@x.org`.
 *   ERR_INVALID  `d`: what is no address      ERR_LIMIT */
MUST_USE err email_addresses(str list, struct arena *a, struct texts *out, struct diag *d);

/* May a header have that name? (Printable ASCII without a colon.) */
bool email_header_is_named(str name);

/* Append "name: value" and the line's end. A value with anything but printable ASCII becomes
 * encoded words (RFC 2047, "Q"): a line's end in it ends no header. */
void email_put_header(str name, str value, struct buf *out);

/* Append text as quoted-printable, lines ended by CRLF. */
void email_put_quoted(str text, struct buf *out);

#endif
