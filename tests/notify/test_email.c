/* test_email.c -- mails as they go over the wire: the dialogue, headers, parts; addresses; what
 * refusals mean. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "notify/email_message.h"
#include "provider_stub.h"
#include "support/smtp_stub.h"

#define MAIL "email_configs: [{smarthost: '127.0.0.1:MAILPORT', require_tls: false, hello: me.x, "
#define TO   "from: 'Varve <am@x.org>', to: 'Ops <ops@x.org>, \"b, c\" <b@x.org>'"

struct fixture {
    struct provider p;
    struct smtp_stub *mail;
};

static void send_mail(struct fixture *fx, const struct smtp_stub_options *o, const char *receiver)
{
    fx->mail = smtp_stub_open(o);
    fx->p.mail_port = smtp_stub_port(fx->mail);
    if (fx->p.sample.n.alert_count == 0)
        sample_init(&fx->p.sample);
    provider_send(&fx->p, INTEGRATION_EMAIL, receiver);
}

static void expect(struct fixture *fx, const char *text)
{
    if (strstr(smtp_stub_text(fx->mail), text) == NULL)
        fail_msg("no \"%s\" in: %s (%s)", text, smtp_stub_text(fx->mail), fx->p.d.text);
}

static void expect_not(struct fixture *fx, const char *text)
{
    if (strstr(smtp_stub_text(fx->mail), text) != NULL)
        fail_msg("\"%s\" in: %s", text, smtp_stub_text(fx->mail));
}

static void test_email__sends_headers_and_parts(void **state)
{
    struct fixture fx = {.mail = NULL};
    (void)state;
    send_mail(&fx, &(struct smtp_stub_options){.auth = NULL},
              MAIL TO ", headers: {x-thing: 'ü {{ .Status }}'}, text: \"{{ .Status }}=\\n.dot \","
                      "html: '<b>{{ (index .Alerts 0).Annotations.summary }}</b>'}]");
    assert_int_equal(fx.p.result.outcome, NOTIFY_SENT);
    expect(&fx, "EHLO me.x\r\nMAIL FROM:<am@x.org>");
    expect(&fx, "RCPT TO:<ops@x.org>\r\nRCPT TO:<b@x.org>\r\nDATA\r\n");
    expect(&fx,
           "X-Thing: =?utf-8?q?=C3=BC_firing?=\r\nSubject: [FIRING:2] Up (node)\r\n"
           "To: Ops <ops@x.org>, \"b, c\" <b@x.org>\r\nFrom: Varve <am@x.org>\r\nMessage-Id: <");
    expect(&fx, "\r\nDate: ");
    expect(&fx, " +0000\r\nContent-Type: multipart/alternative; boundary=");
    expect(&fx, "\r\nMIME-Version: 1.0\r\n\r\n--");
    expect(&fx, "Content-Type: text/plain; charset=UTF-8\r\n\r\nfiring=3D\r\n..dot=20\r\n--");
    expect(&fx, "Content-Type: text/html; charset=UTF-8\r\n\r\n<b>x &lt; &#34;1&#34;</b>\r\n--");
    expect(&fx, "--\r\n.\r\nQUIT\r\n");
    expect_not(&fx, "References:");
    smtp_stub_close(fx.mail);
}

static void test_email__sends_the_default(void **state)
{
    struct fixture fx = {.mail = NULL};
    (void)state;
    send_mail(&fx, &(struct smtp_stub_options){.auth = NULL},
              MAIL TO ", threading: {enabled: true, thread_by_date: none}, "
                      "headers: {subject: S, Message-ID: <1@x>}}]");
    assert_int_equal(fx.p.result.outcome, NOTIFY_SENT);
    expect(&fx, "Subject: S\r\nMessage-Id: <1@x>\r\nTo: ");
    expect(&fx, "\r\nReferences: <alert-");
    expect(&fx, "-@alertmanager>\r\nIn-Reply-To: <alert-");
    expect(&fx, "[2] Firing");
    expect(&fx, "[1] Resolved");
    expect_not(&fx, "text/plain");
    smtp_stub_close(fx.mail);
}

static void test_email__keeps_lines_out_of_headers(void **state)
{
    struct fixture fx = {.mail = NULL};
    (void)state;
    sample_init(&fx.p.sample);
    for (size_t i = 0; i < SAMPLE_ALERTS; i++)
        fx.p.sample.labels[i][2].value =
            STR("x\r\nBcc: evil@x.org\r\n\r\n.\r\nMAIL FROM:<e@x.org>");
    send_mail(&fx, &(struct smtp_stub_options){.auth = NULL},
              MAIL TO ", headers: {X-Job: '{{ .CommonLabels.job }}'}, html: '', "
                      "text: '{{ .CommonLabels.job }}'}]");
    assert_int_equal(fx.p.result.outcome, NOTIFY_SENT);
    expect(&fx, "X-Job: =?utf-8?q?x=0D=0ABcc:_evil@x.org");
    expect_not(&fx, "\r\nBcc: evil@x.org\r\n\r\n.\r\n");
    expect(&fx, "\r\n..\r\nMAIL FROM:<e@x.org>");
    smtp_stub_close(fx.mail);
    send_mail(&fx, &(struct smtp_stub_options){.auth = NULL},
              MAIL "from: am@x.org, to: '{{ .CommonLabels.job }} <a@x.org>', html: ''}]");
    assert_int_equal(fx.p.result.outcome, NOTIFY_FAILED); /* no address in there */
    assert_string_equal(smtp_stub_text(fx.mail), "");
    smtp_stub_close(fx.mail);
}

static void test_email__logs_in(void **state)
{
    static const struct {
        const char *offers, *keys, *want, *want_next;
    } CASES[] = {
        {"PLAIN LOGIN", "auth_username: me, auth_password: pass1, auth_identity: id",
         "AUTH PLAIN\r\naWQAbWUAcGFzczE=\r\n", ""}, /* id\0me\0pass1 */
        {"LOGIN", "auth_username: me, auth_password: pass1", "AUTH LOGIN", "cGFzczE=\r\n"},
        {"CRAM-MD5", "auth_username: me, auth_secret: sec1", "AUTH CRAM-MD5\r\n", "bWUg"},
        {NULL, "auth_username: me, auth_password: pass1", "MAIL FROM", ""},
        {"PLAIN", "", "MAIL FROM", ""},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct fixture fx = {.mail = NULL};
        char receiver[512];
        (void)snprintf(receiver, sizeof(receiver), MAIL TO ", html: x, %s}]", CASES[i].keys);
        send_mail(&fx, &(struct smtp_stub_options){.auth = CASES[i].offers}, receiver);
        if (fx.p.result.outcome != NOTIFY_SENT)
            fail_msg("%zu: %s", i, fx.p.d.text);
        expect(&fx, CASES[i].want);
        expect(&fx, CASES[i].want_next);
        smtp_stub_close(fx.mail);
    }
}

static void test_email__judges_refusals(void **state)
{
    static const struct {
        const char *refuse, *keys;
        enum notify_outcome outcome;
        const char *text;
    } CASES[] = {
        {"RCPT TO:<b@", "", NOTIFY_RETRY, "550 5.1.1 refused, says the stub"},
        {"MAIL", "", NOTIFY_RETRY, "550 5.1.1 refused"},
        {"AUTH", "auth_username: me, auth_password: pass1, ", NOTIFY_RETRY,
         "the server says: 550)"},
        {NULL, "require_tls: true, ", NOTIFY_RETRY, "require_tls is true (the default): STARTTLS"},
        {NULL, "auth_username: me, auth_password_file: /nowhere/x, ", NOTIFY_FAILED,
         "auth_password_file /nowhere/x cannot be read"},
        {NULL, "headers: {X: '{{ .Nothing }}'}, ", NOTIFY_FAILED, "can't evaluate field Nothing"},
        {NULL, "headers: {'X y': z}, ", NOTIFY_FAILED, "cannot have the name \"X y\""},
        {NULL, "tls_config: {ca_file: /nowhere/ca}, require_tls: true, ", NOTIFY_FAILED,
         "/nowhere/ca"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct fixture fx = {.mail = NULL};
        char receiver[512];
        (void)snprintf(receiver, sizeof(receiver),
                       "email_configs: [{smarthost: '127.0.0.1:MAILPORT', %s%s html: x, " TO "}]",
                       strstr(CASES[i].keys, "require_tls") ? "" : "require_tls: false, ",
                       CASES[i].keys);
        send_mail(&fx, &(struct smtp_stub_options){.auth = "PLAIN", .refuse = CASES[i].refuse},
                  receiver);
        assert_int_equal(fx.p.result.outcome, CASES[i].outcome);
        if (strstr(fx.p.d.text, CASES[i].text) == NULL)
            fail_msg("%zu: %s", i, fx.p.d.text);
        expect_not(&fx, "DATA");
        smtp_stub_close(fx.mail);
    }
}

static void test_email__gives_up_at_the_deadline(void **state)
{
    struct fixture fx = {.p = {.time_ms = 300}};
    (void)state;
    send_mail(&fx, &(struct smtp_stub_options){.silent = true}, MAIL TO ", html: x}]");
    assert_int_equal(fx.p.result.outcome, NOTIFY_RETRY);
    smtp_stub_close(fx.mail);
    const atomic_bool stop = true;
    fx.p.canceled = &stop;
    fx.p.time_ms = 60000;
    send_mail(&fx, &(struct smtp_stub_options){.silent = true}, MAIL TO ", html: x}]");
    assert_int_equal(fx.p.result.outcome, NOTIFY_RETRY);
    smtp_stub_close(fx.mail);
}

static void test_email__reads_addresses(void **state)
{
    static const struct {
        const char *list, *want; /* NULL: refused */
    } CASES[] = {
        {"a@x.org", "a@x.org"},
        {" a@x.org , b@y.org,", "a@x.org b@y.org"},
        {"A B <a@x.org>, \"q, <z@z.org>\" <b@y.org>", "a@x.org b@y.org"},
        {"(comment, here) a@x.org (and \\) here)", "a@x.org"},
        {"ü@x.org", "ü@x.org"},
        {"", NULL},
        {",", NULL},
        {"a", NULL},
        {"a@", NULL},
        {"@x.org", NULL},
        {"a@b@c", NULL},
        {"a b@x.org", NULL},
        {"<a@x.org", NULL},
        {"a@x.org>", NULL},
        {"<a@x.org> b", NULL},
        {"<>", NULL},
        {"\"a", NULL},
        {"(a", NULL},
        {"<a@x.org\r\nRCPT TO:<b@x.org>>", NULL},
        {"a@x.org\xff", NULL},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct arena a;
        struct texts out;
        struct buf all = {0};
        struct diag d = {.text = ""};
        arena_init(&a, 1 << 20);
        err e = email_addresses(str_from(CASES[i].list), &a, &out, &d);
        if ((e == OK) != (CASES[i].want != NULL))
            fail_msg("%s: %s", CASES[i].list, d.text);
        for (size_t k = 0; e == OK && k < out.count; k++)
            buf_printf(&all, "%s" STR_FMT, k > 0 ? " " : "", STR_ARG(out.items[k]));
        if (e == OK)
            assert_string_equal(buf_cstr(&all), CASES[i].want);
        buf_fini(&all);
        arena_fini(&a);
    }
}

static void test_email__folds(void **state)
{
    struct buf out = {0}, longest = {0};
    (void)state;
    for (unsigned i = 0; i < 300; i++)
        buf_put_str(&longest, STR("é?"));
    email_put_header(STR("S"), buf_str(&longest), &out);
    email_put_quoted(buf_str(&longest), &out);
    buf_put_str(&out, STR("\r\n"));
    email_put_quoted(STR("\ta =\r\nb\rc \n\t"), &out);
    buf_put_str(&out, STR("\r\n"));
    buf_reset(&longest);
    for (unsigned i = 0; i < 1000; i++)
        buf_put_str(&longest, STR("x "));
    email_put_header(STR("L"), buf_str(&longest), &out);
    size_t lines = 0;
    for (const char *line = buf_cstr(&out); *line != '\0'; lines++) {
        size_t n = strcspn(line, "\r\n");
        assert_true(n <= 78 && memcmp(line + n, "\r\n", 2) == 0);
        line += n + 2;
    }
    assert_true(lines > 60);
    assert_non_null(strstr(buf_cstr(&out), "\ta =3D\r\nb=0Dc=20\r\n=09"));
    assert_null(strstr(buf_cstr(&out), "?=\r\n =?utf-8?q?=A9")); /* no rune is torn */
    buf_fini(&out);
    buf_fini(&longest);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_email__sends_headers_and_parts),
        cmocka_unit_test(test_email__sends_the_default),
        cmocka_unit_test(test_email__keeps_lines_out_of_headers),
        cmocka_unit_test(test_email__logs_in),
        cmocka_unit_test(test_email__judges_refusals),
        cmocka_unit_test(test_email__gives_up_at_the_deadline),
        cmocka_unit_test(test_email__reads_addresses),
        cmocka_unit_test(test_email__folds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
