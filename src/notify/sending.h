/* sending.h -- one notification on its way to a provider: texts expanded, secrets read and kept out
 * of all that is told, one or more requests, and what their answers mean. */
#ifndef NOTIFY_SENDING_H
#define NOTIFY_SENDING_H

#include "notify/notifiers_priv.h"

enum {
    SENDING_TIMEOUT_MS = 30000,        /* of a request, unless the configuration says otherwise */
    SENDING_REPLY_BYTES_MAX = 1 << 20, /* of an answer; larger ones are failures */
    SENDING_SHOWN_BYTES = 256,         /* of an answer that is told */
    SENDING_SECRETS_MAX = 64,          /* of one notification; with more, nothing is shown */
    SENDING_RETRY_AFTER_MS_MAX = 86400000, /* longer pauses are cut to that */
};

struct sending {
    const struct notifiers *all;
    const struct notification *n;
    struct notify_data data;
    struct diag *d;
    err failed; /* the first failure of a text or secret; nothing may be sent then */
    str secrets[SENDING_SECRETS_MAX];
    size_t secret_count;
    bool too_secret; /* there are more */
};

/* Start; sending_end() is due. Failures stick: texts are empty then. */
void sending_begin(struct sending *s, const struct notifiers *all, const struct notification *n,
                   struct diag *d);

/* Keeps secrets out of the diagnostic; returns `r`, or, after a failure of a text, NOTIFY_FAILED.
 */
struct notify_result sending_end(struct sending *s, struct notify_result r);

/* What a text of the configuration becomes; lives as long as `s`. `key` names it in errors. */
str sending_text(struct sending *s, const char *key, str text);
/* The same as HTML. */
str sending_html(struct sending *s, const char *key, str text);

/* A secret of the configuration, or the trimmed contents of its file, read now. It is never told.
 */
str sending_secret(struct sending *s, const char *key, str text, str file);

/* The same, where it is a template. */
str sending_secret_text(struct sending *s, const char *key, str text, str file);

/* `s` without blanks around. */
str sending_trim(str s);

/* Hide what is secret of a URL, its path; returns it without blanks around. */
str sending_hide_url(struct sending *s, str url);

/* `text` must not be told: it is replaced by <secret>. The text must live as long as `s`. */
void sending_hide(struct sending *s, str text);

/* Copies of what was made on the way. */
str sending_keep(struct sending *s, str text);

/* Fail for good, in the words of `format`. */
struct notify_result sending_fail(struct sending *s, const char *format, ...) PRINTF_LIKE(2, 3);

/* SHA-256 of the group's key in hex: how providers tell one group from another. */
str sending_dedup_key(struct sending *s);

/* How long a request may take: `own_ms`, or if that is 0, what the configuration says of all, or if
 * it says nothing, `else_ms`. Not beyond the deadline, but at least 1. */
int64_t sending_time_left_ms(const struct sending *s, int64_t own_ms, int64_t else_ms);

struct sending_request {
    const char *method; /* NULL: POST */
    str url;
    str authorization;  /* of the header; "": none but what http_config says */
    struct pair header; /* another one; name "": none */
    slice body;         /* JSON */
    int64_t timeout_ms; /* of the receiver; 0: it says none ... */
    int64_t else_ms;    /* ... nor does delivery.request_timeout; 0: SENDING_TIMEOUT_MS */
    int also_retried; /* a status that is tried again, besides those of notify_result_of_status() */
    /* Append what the body of a refusal says; nothing: its beginning is told. May be NULL. */
    void (*explain)(const struct http_reply *r, struct buf *out);
};

/* For requests' `canceled`; `arg` is the struct sending. */
bool sending_canceled(void *arg);

/* Send and judge by status. `reply` (NULL: nobody wants it) is to be freed whatever comes of it. */
struct notify_result sending_post(struct sending *s, const struct sending_request *r,
                                  struct http_reply *reply);

/* What an answer to any provider's request means: sent, later (5xx, 408, 425, 429) or never.
 * `retry_after` is the value of that header, "" when there was none: seconds, or a date. */
struct notify_result notify_result_of_status(int status, str retry_after);

/* Append the beginning of a text of strangers: trimmed, without secrets, as UTF-8 in one line. */
void sending_put_shown(const struct sending *s, str text, struct buf *out);

/* `text` cut to `runes_max` runes, the last of them an ellipsis when something is missing. */
str sending_cut(struct sending *s, str text, size_t runes_max);

/* ---- Bodies ---- */

/* Append "key":"text" behind a comma unless it is the first (`out` ends with '{'). */
void sending_put(struct buf *out, const char *key, str text);
void sending_put_unless_empty(struct buf *out, const char *key, str text);
void sending_put_key(struct buf *out, const char *key);

/* Append a value of the configuration as JSON. Its texts are templates; what they become is read
 * as YAML again, so that "3" is a number and JSON stays what it is. Keys are templates too when
 * `keys` is true, and below the first map in any case. Failures stick to `s`. */
void sending_put_value(struct sending *s, const char *name, const struct yaml *v, bool keys,
                       struct buf *out);
/* The same of one text. */
void sending_put_rendered(struct sending *s, const char *name, str text, struct buf *out);

#endif
