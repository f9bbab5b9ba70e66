/* provider_stub.h -- a provider on this machine for tests of receivers: it answers as it is told
 * and keeps what it was sent. Include once a test program. */
#ifndef TESTS_PROVIDER_STUB_H
#define TESTS_PROVIDER_STUB_H

#include "notify/notifiers.h"
#include "notify_sample.h"
#include "notify_testing.h"
#include "support/http_stub.h"

struct provider { /* zero-initialised; set what it shall answer, then provider_send() */
    const char *status, *headers, *body; /* NULL: "200 OK", "", "" */
    struct http_stub *stub;
    struct sample sample;
    struct notify_result result;
    struct diag d;
    unsigned mail_port; /* for MAILPORT */
    const atomic_bool *canceled;
    bool no_server;       /* nobody listens */
    const char *ext_text; /* of the extensions; NULL: none */
    int64_t time_ms;      /* until the deadline; 0: a minute */
};

static inline void provider_answer(void *arg, str request, struct buf *reply)
{
    const struct provider *p = arg;
    (void)request;
    http_stub_reply(reply, p->status != NULL ? p->status : "200 OK",
                    p->headers != NULL ? p->headers : "", p->body != NULL ? p->body : "");
}

static inline void provider_open(struct provider *p)
{
    if (p->sample.n.config == NULL && p->sample.n.alert_count == 0)
        sample_init(&p->sample);
    p->stub = http_stub_open(provider_answer, p);
}

static inline void provider_close(struct provider *p)
{
    http_stub_close(p->stub);
    p->stub = NULL;
}

/* Send the sample by the first integration of kind `kind`; every "URL" in `receiver` (what stands
 * between the braces of the receiver) becomes that of the stub, MAILPORT the port of a mail server.
 */
static inline void provider_send(struct provider *p, enum integration_kind kind,
                                 const char *receiver)
{
    struct buf text = {0};
    struct notifiers *all = NULL;
    struct alerting_ext *ext = NULL;
    struct notifiers_options o = {.external_url = STR("http://am:9093"),
                                  .server_url = STR("http://varve:9090"),
                                  .version = STR("1.2"),
                                  .canceled = p->canceled};
    buf_printf(&text, "route: {receiver: all.x}\nreceivers: [{name: all.x, ");
    for (const char *at = receiver; *at != '\0';) {
        if (strncmp(at, "URL", 3) == 0) {
            buf_printf(&text, "http://127.0.0.1:%u", p->no_server ? 1 : http_stub_port(p->stub));
            at += 3;
        } else if (strncmp(at, "MAILPORT", 8) == 0) {
            buf_printf(&text, "%u", p->mail_port);
            at += 8;
        } else {
            buf_put_u8(&text, (uint8_t)*at++);
        }
    }
    buf_printf(&text, "}]\n");
    struct alertmanager_file *f = testing_config(buf_cstr(&text));
    p->d = (struct diag){.text = ""};
    if (p->ext_text != NULL &&
        alerting_ext_parse("ext.yml", str_bytes(str_from(p->ext_text)), f, &ext, &p->d) != OK)
        fail_msg("%s", p->d.text);
    o.ext = ext;
    if (notifiers_open(&o, f, &all, &p->d) != OK)
        fail_msg("%s", p->d.text);
    p->sample.n.kind = kind;
    p->sample.n.config = f->receivers.items[0].configs[kind].items;
    p->sample.n.deadline_ms = clock_wall_ms() + (p->time_ms > 0 ? p->time_ms : 60000);
    struct notifier who = notifiers_of(all, kind);
    p->result = who.send(who.arg, &p->sample.n, &p->d);
    notifiers_close(all);
    alerting_ext_unref(ext);
    alertmanager_config_unref(f);
    buf_fini(&text);
}

/* The body of the i-th request. */
static inline const char *provider_body(struct provider *p, unsigned i)
{
    const char *body = strstr(http_stub_request(p->stub, i), "\r\n\r\n");
    return body != NULL ? body + 4 : "(no request)";
}

static inline void provider_expect(struct provider *p, unsigned i, const char *line)
{
    if (strstr(http_stub_request(p->stub, i), line) == NULL)
        fail_msg("no \"%s\" in: %s (%s)", line, http_stub_request(p->stub, i), p->d.text);
}

#endif
