/* test_secrets.c -- no secret of a receiver is ever told: not in diagnostics, not in logs, whatever
 * the other side does. Every secret here holds the word CANARY; the stub repeats all it was sent.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "notify/notifiers.h"
#include "notify_sample.h"
#include "notify_testing.h"
#include "support/http_stub.h"
#include "support/smtp_stub.h"

#define FILE_SECRET "CANARYinAfile"

static const struct {
    enum integration_kind kind;
    const char *text; /* URL: of the provider; FILE: a file with a secret; MAIL: host and port */
} RECEIVERS[] = {
    {INTEGRATION_WEBHOOK, "webhook_configs: [{url: 'URL/CANARYpath?key=CANARYkey'}]"},
    {INTEGRATION_WEBHOOK, "webhook_configs: [{url: 'URL/', http_config: {basic_auth: {username: u, "
                          "password: CANARYpassword}}}]"},
    {INTEGRATION_WEBHOOK, "webhook_configs: [{url: 'URL/', http_config: {basic_auth: {username: u, "
                          "password_file: FILE}}}]"},
    {INTEGRATION_WEBHOOK,
     "webhook_configs: [{url: 'URL/', http_config: {authorization: {credentials: CANARYbearer}}}]"},
    {INTEGRATION_WEBHOOK, "webhook_configs: [{url: 'URL/', http_config: {authorization: "
                          "{credentials_file: FILE}}}]"},
    {INTEGRATION_WEBHOOK, "webhook_configs: [{url: 'URL/', http_config: {http_headers: {X-Key: "
                          "{secrets: [CANARYheader], files: [FILE]}}}}]"},
    {INTEGRATION_PAGERDUTY, "pagerduty_configs: [{url: 'URL/', routing_key: CANARYrouting}]"},
    {INTEGRATION_PAGERDUTY, "pagerduty_configs: [{url: 'URL/', routing_key_file: FILE}]"},
    {INTEGRATION_OPSGENIE, "opsgenie_configs: [{api_url: 'URL/', api_key: CANARYgenie}]"},
    {INTEGRATION_OPSGENIE, "opsgenie_configs: [{api_url: 'URL/', api_key_file: FILE}]"},
    {INTEGRATION_SLACK, "slack_configs: [{api_url: 'URL/services/T/B/CANARYslack'}]"},
    {INTEGRATION_SLACK, "slack_configs: [{app_url: 'URL/', app_token: CANARYtoken}]"},
    {INTEGRATION_TELEGRAM,
     "telegram_configs: [{api_url: 'URL', bot_token: '1:CANARYbot', chat_id: 1}]"},
    {INTEGRATION_DISCORD, "discord_configs: [{webhook_url: 'URL/api/CANARYdiscord'}]"},
    {INTEGRATION_MSTEAMS, "msteams_configs: [{webhook_url: 'URL/CANARYteams'}]"},
    {INTEGRATION_MSTEAMSV2, "msteamsv2_configs: [{webhook_url: 'URL/x?sig=CANARYteams'}]"},
    {INTEGRATION_EMAIL, "email_configs: [{smarthost: 'MAIL', from: a@x, to: b@x, html: x, "
                        "require_tls: false, auth_username: u, auth_password: CANARYmail}]"},
    {INTEGRATION_EMAIL, "email_configs: [{smarthost: 'MAIL', from: a@x, to: b@x, html: x, "
                        "auth_username: u, auth_secret_file: FILE, force_implicit_tls: true}]"},
};

struct world {
    struct http_stub *http;
    struct smtp_stub *mail, *silent;
    char file[32], log[32];
    const char *status; /* of the HTTP stub */
    bool tls, refused, slow;
};

/* The status line, and the whole request as headers and body. */
static void repeat(void *arg, str request, struct buf *reply)
{
    const struct world *w = arg;
    size_t head = 0;
    while (head < request.len && request.ptr[head] != '\n')
        head++;
    buf_printf(reply, "HTTP/1.1 %s\r\nContent-Length: %zu\r\nX-Said: " STR_FMT "\r\n\r\n",
               w->status, request.len, (int)(head > 0 ? head - 1 : 0), request.ptr);
    buf_put_str(reply, request);
}

/* With TLS, the other side is one that speaks none: the mail server, who says hello first. */
static void put_url(const struct world *w, struct buf *out)
{
    unsigned port = w->refused ? 1
                    : w->tls   ? smtp_stub_port(w->mail)
                    : w->slow  ? smtp_stub_port(w->silent)
                               : http_stub_port(w->http);
    buf_printf(out, "%s://127.0.0.1:%u", w->tls ? "https" : "http", port);
}

static void put_mail(const struct world *w, struct buf *out)
{
    unsigned port = w->refused ? 1 : smtp_stub_port(w->slow ? w->silent : w->mail);
    buf_printf(out, "127.0.0.1:%u", port);
}

static void put_receiver(const struct world *w, const char *text, struct buf *out)
{
    buf_printf(out, "route: {receiver: a}\nreceivers: [{name: a, ");
    while (*text != '\0') {
        if (strncmp(text, "URL", 3) == 0)
            put_url(w, out);
        else if (strncmp(text, "FILE", 4) == 0)
            buf_printf(out, "%s", w->file);
        else if (strncmp(text, "MAIL", 4) == 0)
            put_mail(w, out);
        else
            buf_put_u8(out, (uint8_t)*text);
        text += strncmp(text, "URL", 3) == 0                                     ? 3
                : strncmp(text, "FILE", 4) == 0 || strncmp(text, "MAIL", 4) == 0 ? 4
                                                                                 : 1;
    }
    buf_printf(out, "}]\n");
}

static void check_clean(const char *text, const char *where, const char *receiver)
{
    if (strstr(text, "CANARY") != NULL || strstr(text, "Q0FOQVJZ") != NULL ||
        strstr(text, "1Q0FOQVJZ") != NULL || strstr(text, "DQU5BUl") != NULL ||
        strstr(text, "NBTkFSW") != NULL) /* the same in base64, at each offset */
        fail_msg("%s of %s: %s", where, receiver, text);
}

static void send_one(const struct world *w, size_t i)
{
    const struct notifiers_options o = {.external_url = STR("http://am:9093")};
    struct buf text = {0};
    struct sample sample;
    struct notifiers *all;
    struct diag d = {.text = ""};
    put_receiver(w, RECEIVERS[i].text, &text);
    struct alertmanager_file *f = testing_config(buf_cstr(&text));
    sample_init(&sample);
    assert_int_equal(notifiers_open(&o, f, &all, &d), OK);
    sample.n.kind = RECEIVERS[i].kind;
    sample.n.config = f->receivers.items[0].configs[sample.n.kind].items;
    sample.n.deadline_ms = clock_wall_ms() + (w->slow ? 30 : 20000);
    struct notifier who = notifiers_of(all, sample.n.kind);
    struct notify_result r = who.send(who.arg, &sample.n, &d);
    bool failure = w->tls || w->refused || w->slow || w->status[0] != '2';
    if (failure && RECEIVERS[i].kind != INTEGRATION_EMAIL)
        assert_int_not_equal(r.outcome, NOTIFY_SENT);
    if (r.outcome != NOTIFY_SENT)
        assert_int_not_equal(d.text[0], '\0');
    check_clean(d.text, "diagnostic", RECEIVERS[i].text);
    notifiers_close(all);
    alertmanager_config_unref(f);
    buf_fini(&text);
}

static void check_log(const struct world *w)
{
    char text[8192];
    FILE *f = fopen(w->log, "r");
    assert_non_null(f);
    while (fgets(text, sizeof(text), f) != NULL)
        check_clean(text, "log", "all");
    (void)fclose(f);
}

static void open_world(struct world *w)
{
    *w = (struct world){.file = "/tmp/varve-secret-XXXXXX", .log = "/tmp/varve-log-XXXXXX"};
    int fd = mkstemp(w->file), log = mkstemp(w->log);
    assert_true(fd >= 0 && log >= 0);
    assert_int_equal(write(fd, FILE_SECRET "\n", strlen(FILE_SECRET) + 1), strlen(FILE_SECRET) + 1);
    (void)close(fd);
    (void)close(log);
    w->http = http_stub_open(repeat, w);
    w->mail = smtp_stub_open(&(struct smtp_stub_options){.auth = "PLAIN LOGIN", .refuse = "AUTH"});
    w->silent = smtp_stub_open(&(struct smtp_stub_options){.silent = true});
}

static void close_world(struct world *w)
{
    http_stub_close(w->http);
    smtp_stub_close(w->mail);
    smtp_stub_close(w->silent);
    (void)unlink(w->file);
    (void)unlink(w->log);
}

static void test_secrets__are_never_told(void **state)
{
    static const struct {
        const char *status;
        bool tls, refused, slow;
    } WORLDS[] = {
        {"200 OK", false, false, false},   {"400 CANARY", false, false, false},
        {"401 No", false, false, false},   {"429 Slowly", false, false, false},
        {"500 Oops", false, false, false}, {"302 Elsewhere", false, false, false},
        {"200 OK", true, false, false},    {"200 OK", false, true, false},
        {"200 OK", false, false, true},
    };
    struct world w;
    (void)state;
    open_world(&w);
    int kept = dup(STDERR_FILENO);
    assert_true(kept >= 0 && freopen(w.log, "w", stderr) != NULL);
    for (size_t i = 0; i < COUNT_OF(WORLDS); i++) {
        w.status = WORLDS[i].status;
        w.tls = WORLDS[i].tls;
        w.refused = WORLDS[i].refused;
        w.slow = WORLDS[i].slow;
        for (size_t k = 0; k < COUNT_OF(RECEIVERS); k++)
            send_one(&w, k);
    }
    (void)fflush(stderr);
    assert_true(dup2(kept, STDERR_FILENO) >= 0);
    (void)close(kept);
    check_log(&w);
    close_world(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_secrets__are_never_told)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
