/* pagerduty_ack.c -- an acknowledgement to PagerDuty: its incident stops calling people. It knows
 * which one by the key of the trigger, with the same routing key. */
#include "notify/pagerduty.h"

static void put_v2(struct sending *s, str key, struct buf *out)
{
    sending_put(out, "routing_key", key);
    sending_put(out, "dedup_key", sending_dedup_key(s));
    sending_put(out, "event_action", STR("acknowledge"));
}

static void put_v1(struct sending *s, str key, struct buf *out)
{
    struct buf text = {0};
    sending_put(out, "service_key", key);
    sending_put(out, "incident_key", sending_dedup_key(s));
    sending_put(out, "event_type", STR("acknowledge"));
    buf_printf(&text, "Acknowledged by " STR_FMT, STR_ARG(s->n->ack->by));
    sending_put(out, "description", buf_str(&text));
    buf_fini(&text);
}

struct notify_result pagerduty_ack(struct sending *s, const struct pagerduty_config *p)
{
    bool v1 = p->service_key.len > 0 || p->service_key_file.len > 0;
    struct buf body = {0};
    str key = v1 ? sending_secret_text(s, "service_key", p->service_key, p->service_key_file)
                 : sending_secret_text(s, "routing_key", p->routing_key, p->routing_key_file);
    buf_put_u8(&body, '{');
    if (v1)
        put_v1(s, key, &body);
    else
        put_v2(s, key, &body);
    buf_put_str(&body, STR("}\n"));
    struct notify_result result = pagerduty_post(s, p, v1, &body);
    buf_fini(&body);
    return result;
}
