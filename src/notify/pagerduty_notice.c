/* pagerduty_notice.c -- notices to PagerDuty. A change event opens nothing and pages nobody; it
 * goes with the routing key of alerts to a place beside theirs. */
#include "base/duration.h"
#include "base/json_text.h"
#include "model/labels_json.h"
#include "notify/pagerduty.h"

#define EVENTS  "/v2/enqueue"
#define CHANGES "/v2/change/enqueue"

enum { SUMMARY_RUNES_MAX = 1024 };

static void put_payload(struct sending *s, const struct pagerduty_config *p, struct buf *out)
{
    char time[DURATION_SIZE_MAX];
    const struct notice_text *t = s->n->notice;
    sending_put_key(out, "payload");
    buf_put_u8(out, '{');
    sending_put(out, "summary", sending_cut(s, t->title, SUMMARY_RUNES_MAX));
    sending_put(out, "timestamp", (str){time, timestamp_format_rfc3339(s->n->flushed_ms, time)});
    sending_put(out, "source", sending_text(s, "source", p->source));
    sending_put_key(out, "custom_details");
    buf_put_u8(out, '{');
    sending_put(out, "text", t->text);
    sending_put_key(out, "labels");
    labels_json_html(out, s->n->group_labels);
    buf_put_str(out, STR("}}"));
}

static void put_change(struct sending *s, const struct pagerduty_config *p, str key,
                       struct buf *out)
{
    str href = sending_text(s, "client_url", p->client_url);
    buf_put_u8(out, '{');
    sending_put(out, "routing_key", key);
    put_payload(s, p, out);
    if (href.len > 0) {
        buf_put_str(out, STR(",\"links\":[{"));
        sending_put(out, "href", href);
        sending_put(out, "text", sending_text(s, "client", p->client));
        buf_put_str(out, STR("}]"));
    }
    buf_put_str(out, STR("}\n"));
}

static struct notify_result send_change(struct sending *s, const struct pagerduty_config *p)
{
    struct pagerduty_config to = *p;
    struct buf url = {0}, body = {0};
    str key = sending_secret_text(s, "routing_key", p->routing_key, p->routing_key_file);
    if (s->failed == OK && key.len == 0)
        s->failed = diag_set(s->d, ERR_INVALID, "the routing key is empty");
    buf_printf(&url, STR_FMT CHANGES, STR_ARG(((str){p->url.ptr, p->url.len - strlen(EVENTS)})));
    to.url = buf_str(&url);
    put_change(s, p, key, &body);
    struct notify_result result = pagerduty_post(s, &to, false, &body);
    buf_fini(&url);
    buf_fini(&body);
    return result;
}

static struct notify_result send_as(struct sending *s, const struct pagerduty_config *p,
                                    bool firing)
{
    s->data.firing = firing;
    return pagerduty_event(s, p);
}

struct notify_result pagerduty_notice(struct sending *s, const struct pagerduty_config *p)
{
    bool v1 = p->service_key.len > 0 || p->service_key_file.len > 0;
    if (!v1 && str_ends(p->url, STR(EVENTS)))
        return send_change(s, p);
    struct notify_result result = send_as(s, p, true);
    return result.outcome == NOTIFY_SENT && !s->n->notice->open ? send_as(s, p, false) : result;
}
