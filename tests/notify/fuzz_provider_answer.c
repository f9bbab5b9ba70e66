/* Fuzz target: what providers answer (status, headers with Retry-After and rate limits, JSON and
 * other bodies) is judged by every kind of receiver. The first byte chooses the kind, the next two
 * the status; headers end with an empty line. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "notify/notifiers_priv.h"
#include "notify/sending.h"
#include "notify_sample.h"

#define SECRET "fuzz-canary-4711"

static void require(bool good)
{
    if (!good)
        abort();
}

static const enum integration_kind KINDS[] = {
    INTEGRATION_WEBHOOK,  INTEGRATION_PAGERDUTY, INTEGRATION_OPSGENIE, INTEGRATION_SLACK,
    INTEGRATION_TELEGRAM, INTEGRATION_DISCORD,   INTEGRATION_MSTEAMS,  INTEGRATION_MSTEAMSV2,
};

static struct {
    int status;
    slice headers, body;
} answer;

static err provider_says(struct http_client *c, const struct http_request_options *o,
                         struct http_reply *out, struct diag *d)
{
    (void)c;
    require(o->timeout_ms >= 1 && o->body_bytes_max > 0);
    out->status = answer.status;
    buf_put(&out->headers, answer.headers.ptr, answer.headers.len);
    buf_put(&out->body, answer.body.ptr, answer.body.len);
    if (answer.status == 0)
        return diag_set(d, ERR_IO, "no connection");
    return answer.body.len > SENDING_SHOWN_BYTES * 16 ? ERR_LIMIT : OK;
}

static struct notifiers *open_once(void)
{
    static struct notifiers *all;
    static struct alertmanager_file *f; /* both live as long as the program */
    static const char CONFIG[] =
        "route: {receiver: a}\n"
        "receivers:\n"
        "- name: a\n"
        "  webhook_configs: [{url: 'http://h/" SECRET "'}]\n"
        "  pagerduty_configs: [{routing_key: " SECRET "}, {service_key: " SECRET "}]\n"
        "  opsgenie_configs: [{api_key: " SECRET ", update_alerts: true}]\n"
        "  slack_configs: [{api_url: 'http://h/" SECRET "', channel: c}]\n"
        "  telegram_configs: [{bot_token: " SECRET ", chat_id: 1}]\n"
        "  discord_configs: [{webhook_url: 'http://h/" SECRET "'}]\n"
        "  msteams_configs: [{webhook_url: 'http://h/" SECRET "'}]\n"
        "  msteamsv2_configs: [{webhook_url: 'http://h/" SECRET "'}]\n";
    const struct notifiers_options o = {.external_url = STR("http://x")};
    if (all == NULL) {
        require(alertmanager_config_parse("am.yml", str_bytes(str_from(CONFIG)), &f, NULL) == OK);
        require(notifiers_open(&o, f, &all, NULL) == OK);
        all->fetch = provider_says;
    }
    return all;
}

static void check(const struct notify_result *r, const struct diag *d)
{
    str text = str_from(d->text);
    require(r->retry_after_ms >= 0 && r->retry_after_ms <= SENDING_RETRY_AFTER_MS_MAX);
    require(r->outcome == NOTIFY_SENT || text.len > 0);
    require(r->outcome != NOTIFY_SENT || (answer.status >= 200 && answer.status < 300));
    require(memmem(text.ptr, text.len, SECRET, strlen(SECRET)) == NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sample sample;
    struct diag d = {.text = ""};
    if (size < 3)
        return 0;
    struct notifiers *all = open_once();
    enum integration_kind kind = KINDS[data[0] % COUNT_OF(KINDS)];
    answer.status = (data[1] << 8 | data[2]) % 600;
    slice rest = {data + 3, size - 3};
    const uint8_t *end = memmem(rest.ptr, rest.len, "\n\n", 2);
    size_t head = end != NULL ? (size_t)(end - rest.ptr) + 1 : 0;
    answer.headers = (slice){rest.ptr, head};
    answer.body = (slice){rest.ptr + head + (head > 0), rest.len - head - (head > 0)};
    sample_init(&sample);
    if (data[0] & 0x80)
        sample_resolve(&sample);
    const struct receiver_config *r = &all->file->receivers.items[0];
    struct notifier who = notifiers_of(all, kind);
    for (size_t i = 0; i < r->integration_count; i++) {
        if (r->integrations[i].kind != kind)
            continue;
        sample.n.kind = kind;
        sample.n.config = r->integrations[i].config;
        d.text[0] = '\0';
        struct notify_result result = who.send(who.arg, &sample.n, &d);
        check(&result, &d);
    }
    return 0;
}
