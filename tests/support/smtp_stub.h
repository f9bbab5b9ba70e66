/* smtp_stub.h -- a small mail server on a free port of 127.0.0.1, for tests of who sends mail: one
 * connection after the other, every line of its clients is remembered. */
#ifndef TESTS_SUPPORT_SMTP_STUB_H
#define TESTS_SUPPORT_SMTP_STUB_H

#include <stdbool.h>

struct smtp_stub_options {
    const char *auth;   /* mechanisms: "PLAIN LOGIN"; NULL: none */
    const char *refuse; /* commands that begin with this are answered with 550; NULL: none */
    bool silent;        /* accept, and say nothing */
};

struct smtp_stub;

struct smtp_stub *smtp_stub_open(const struct smtp_stub_options *o); /* `o` is copied */
void smtp_stub_close(struct smtp_stub *s);
unsigned smtp_stub_port(const struct smtp_stub *s);

/* All that clients sent so far, lines as they came; valid until the server is closed. */
const char *smtp_stub_text(struct smtp_stub *s);

#endif
