/* api_inbound.c -- /api/v1/alerting/inbound/: webhooks of providers, who prove by a signature or a
 * token of their own that it is them. What is not about us is answered with 200: providers switch
 * off webhooks that are refused. docs/operations/acknowledging.md */
#include "base/clock.h"
#include "base/log.h"
#include "http/api.h"
#include "http/json.h"
#include "notify/inbound.h"

enum { FORGED_MAX = 60 /* a minute, of an address: more are not told why */ };

static void answer(struct http_request *r, const struct inbound_event *e, const char *result,
                   const char *incident)
{
    struct buf *b = api_begin(r);
    buf_put_str(b, STR("{\"event\":"));
    json_str(b, e->name);
    buf_printf(b, ",\"result\":\"%s\",\"incident\":", result);
    if (incident[0] != '\0')
        json_str(b, str_from(incident));
    else
        buf_put_str(b, STR("null"));
    buf_put_u8(b, '}');
    api_end(b, NULL, 0, NULL, 0);
}

static const char *result_of(const struct provider_outcome *o, enum provider_change change)
{
    if (o->changed > 0)
        return change == PROVIDER_ACK ? "acknowledged" : "unacknowledged";
    return o->same > 0 ? "no change" : o->stale > 0 ? "old" : "no such incident";
}

static void take(struct http_request *r, const struct inbound_event *e, int64_t now_ms)
{
    struct provider_outcome o = {.id = ""};
    if (e->change == INBOUND_OTHER || e->change == INBOUND_NOTE) {
        if (e->change == INBOUND_NOTE)
            log_info("a provider tells what changes nothing here", LOG_STR("event", e->name),
                     LOG_CSTR("via", ack_via_name(e->event.via)), LOG_STR("by", e->event.by),
                     LOG_STR("key", e->event.key));
        answer(r, e, e->change == INBOUND_NOTE ? "noted" : "ignored", "");
        return;
    }
    struct engine *engine = notify_service_lock(api_of(r)->notify);
    o = incident_provider_event(engine, &e->event, now_ms);
    err synced = engine_sync(engine);
    notify_service_unlock(api_of(r)->notify);
    if (synced != OK)
        api_fail(r, API_INTERNAL, "the event could not be written to disk: send it again");
    else
        answer(r, e, result_of(&o, e->event.change), o.id);
}

static void refuse(struct http_request *r, err e, const struct diag *d, int64_t now_ms)
{
    if (e == ERR_UNSUPPORTED) {
        api_fail(r, API_NOT_FOUND,
                 "acknowledgements: inbound: of the extensions has no such file "
                 "of secrets");
    } else if (e == ERR_INVALID) {
        api_fail(r, API_BAD_DATA, d->text);
    } else if (tries_take(&api_of(r)->forged, http_client(r), now_ms, FORGED_MAX)) {
        http_text(r, 403, "Forbidden: this was not signed with, or does not have, the secret\n");
    } else {
        http_answer_header(r, "Retry-After", STR("60"));
        http_text(r, 429, "too many webhooks without the secret, try again later\n");
    }
}

static void receive(struct http_request *r, enum ack_via from, str proof)
{
    struct diag d = {.text = ""};
    struct inbound_event e = {.root = NULL};
    int64_t now_ms = clock_wall_ms();
    err failed = api_of(r)->notify == NULL
                     ? ERR_UNSUPPORTED
                     : notify_service_read_inbound(api_of(r)->notify, from, proof, http_body(r),
                                                   now_ms, &e, &d);
    if (failed == OK)
        take(r, &e, now_ms);
    else
        refuse(r, failed, &d, now_ms);
    inbound_event_fini(&e);
}

void api_inbound_pagerduty(struct http_request *r)
{
    receive(r, ACK_VIA_PAGERDUTY, http_header(r, "X-PagerDuty-Signature"));
}

/* Where OpsGenie was told to put it: its webhooks have headers of one's own, and any URL. */
static str opsgenie_token(struct http_request *r)
{
    static const char *const SCHEMES[] = {"Bearer ", "GenieKey "};
    str value = http_header(r, "X-OpsGenie-Token");
    if (value.len > 0)
        return value;
    value = http_header(r, "Authorization");
    for (size_t i = 0; i < COUNT_OF(SCHEMES); i++)
        if (str_starts(value, str_from(SCHEMES[i]))) {
            size_t n = strlen(SCHEMES[i]);
            return (str){value.ptr + n, value.len - n};
        }
    value = http_param(r, STR("token"));
    return value.ptr != NULL ? value : STR("");
}

void api_inbound_opsgenie(struct http_request *r)
{
    receive(r, ACK_VIA_OPSGENIE, opsgenie_token(r));
}
