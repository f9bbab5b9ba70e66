/* pagerduty.c -- PagerDuty's events: version 2, and version 1 for services that have a service key.
 */
#include <strings.h>

#include "base/json_text.h"
#include "base/jtree.h"
#include "notify/notify_texts.h"
#include "notify/pagerduty.h"
#include "notify/severity.h"

#define V1_URL "https://events.pagerduty.com/generic/2010-04-15/create_event.json"

enum {
    EVENT_BYTES_MAX = 512000,
    SUMMARY_RUNES_MAX = 1024,
    STATUS_V1_LIMITED = 403, /* how version 1 says "later" */
};

struct event {
    struct sending *s;
    const struct pagerduty_config *p;
    const char *action;
    str dedup_key, summary, key;
};

/* ---- Details ---- */

static void put_details(const struct event *e, struct buf *out)
{
    const struct yaml *own = e->p->details;
    bool any = false;
    buf_put_u8(out, '{');
    for (size_t i = 0; i < PAGERDUTY_DETAILS; i++) {
        if (own != NULL && yaml_get(own, str_from(PAGERDUTY_DETAIL[i].name)) != NULL)
            continue;
        buf_printf(out, "%s\"%s\":", any ? "," : "", PAGERDUTY_DETAIL[i].name);
        sending_put_rendered(e->s, "details", str_from(PAGERDUTY_DETAIL[i].text), out);
        any = true;
    }
    for (const struct yaml *n = own != NULL ? own->first : NULL; n != NULL; n = n->next) {
        if (any)
            buf_put_u8(out, ',');
        json_html(out, n->key);
        buf_put_u8(out, ':');
        sending_put_value(e->s, "details", n, false, out);
        any = true;
    }
    buf_put_u8(out, '}');
}

static void put_no_details(struct buf *out)
{
    buf_put_str(out, STR("{\"error\":\"Custom details have been removed because the original event "
                         "exceeds the maximum size of 512KB\"}"));
}

static void put_details_or_error(const struct event *e, bool whole, const char *key,
                                 struct buf *out)
{
    sending_put_key(out, key);
    if (whole)
        put_details(e, out);
    else
        put_no_details(out);
}

/* ---- Version 2 ---- */

/* PagerDuty refuses an event whose severity it does not know: the page would be lost. */
static str known_severity(str severity)
{
    static const struct {
        const char *known;
        const char *words[6];
    } LEVELS[] = {
        {"critical", {"critical", "page", "fatal", "emergency", "crit", NULL}},
        {"error", {"error", "high", "major", "err", NULL}},
        {"warning", {"warning", "warn", "minor", "medium", NULL}},
        {"info", {"info", "none", "notice", "low", "informational", NULL}},
    };
    for (size_t i = 0; i < COUNT_OF(LEVELS); i++)
        for (size_t k = 0; LEVELS[i].words[k] != NULL; k++)
            if (severity.len == strlen(LEVELS[i].words[k]) &&
                strncasecmp(severity.ptr, LEVELS[i].words[k], severity.len) == 0)
                return str_from(LEVELS[i].known);
    return STR("error");
}

static void put_payload(const struct event *e, bool whole, struct buf *out)
{
    const struct pagerduty_config *p = e->p;
    sending_put_key(out, "payload");
    buf_put_u8(out, '{');
    sending_put(out, "summary", e->summary);
    sending_put(out, "source", sending_text(e->s, "source", p->source));
    bool own = p->severity.len > 0 || e->s->n->notice != NULL;
    str severity =
        own ? sending_text(e->s, "severity", p->severity) : severity_for_pagerduty(e->s->n);
    sending_put(out, "severity", known_severity(severity));
    sending_put_unless_empty(out, "class", sending_text(e->s, "class", p->class_));
    sending_put_unless_empty(out, "component", sending_text(e->s, "component", p->component));
    sending_put_unless_empty(out, "group", sending_text(e->s, "group", p->group));
    put_details_or_error(e, whole, "custom_details", out);
    buf_put_u8(out, '}');
}

static void put_list_head(const char *key, bool first, struct buf *out)
{
    if (first) {
        sending_put_key(out, key);
        buf_put_u8(out, '[');
    } else {
        buf_put_u8(out, ',');
    }
    buf_put_u8(out, '{');
}

/* Those whose template gives no source are left out. */
static void put_images(const struct event *e, struct buf *out)
{
    bool any = false;
    for (size_t i = 0; i < e->p->images.count; i++) {
        const struct pagerduty_image *image = &e->p->images.items[i];
        str src = sending_text(e->s, "images.src", image->src);
        if (src.len == 0)
            continue;
        put_list_head("images", !any, out);
        sending_put(out, "src", src);
        sending_put(out, "alt", sending_text(e->s, "images.alt", image->alt));
        sending_put(out, "href", sending_text(e->s, "images.href", image->href));
        buf_put_u8(out, '}');
        any = true;
    }
    if (any)
        buf_put_u8(out, ']');
}

static void put_links(const struct event *e, struct buf *out)
{
    bool any = false;
    for (size_t i = 0; i < e->p->links.count; i++) {
        const struct pagerduty_link *link = &e->p->links.items[i];
        str href = sending_text(e->s, "links.href", link->href);
        if (href.len == 0)
            continue;
        put_list_head("links", !any, out);
        sending_put(out, "href", href);
        sending_put(out, "text", sending_text(e->s, "links.text", link->text));
        buf_put_u8(out, '}');
        any = true;
    }
    if (any)
        buf_put_u8(out, ']');
}

static void put_client(const struct event *e, struct buf *out)
{
    sending_put_unless_empty(out, "client", sending_text(e->s, "client", e->p->client));
    sending_put_unless_empty(out, "client_url", sending_text(e->s, "client_url", e->p->client_url));
}

static void put_v2(const struct event *e, bool whole, struct buf *out)
{
    buf_put_u8(out, '{');
    sending_put(out, "routing_key", e->key);
    sending_put(out, "dedup_key", e->dedup_key);
    sending_put(out, "event_action", str_from(e->action));
    put_payload(e, whole, out);
    put_client(e, out);
    put_images(e, out);
    put_links(e, out);
    buf_put_str(out, STR("}\n"));
}

/* ---- Version 1 ---- */

static void put_v1(const struct event *e, bool whole, struct buf *out)
{
    buf_put_u8(out, '{');
    sending_put(out, "service_key", e->key);
    sending_put(out, "incident_key", e->dedup_key);
    sending_put(out, "event_type", str_from(e->action));
    sending_put_unless_empty(out, "description", e->summary);
    if (e->s->data.firing)
        put_client(e, out);
    put_details_or_error(e, whole, "details", out);
    buf_put_str(out, STR("}\n"));
}

/* ---- Sending ---- */

/* {"status":"invalid event","message":"...","errors":["..."]} */
static void explain(const struct http_reply *r, struct buf *out)
{
    struct jtree *root = NULL;
    struct diag ignored = {.text = ""};
    if (r->status != 400 || jtree_parse(buf_slice(&r->body), &root, &ignored) != OK)
        return;
    const struct jtree *errors = jtree_get(root, "errors");
    str message = jtree_text(jtree_get(root, "message"));
    if (message.len > 0 || jtree_count(errors) > 0)
        buf_printf(out, STR_FMT ": ", STR_ARG(message));
    for (size_t i = 0; i < jtree_count(errors) && out->len < SENDING_SHOWN_BYTES; i++) {
        buf_put_str(out, i > 0 ? STR(",") : STR(""));
        buf_put_str(out, jtree_text(jtree_at(errors, i)));
    }
    jtree_free(root);
}

bool pagerduty_body(struct sending *s, const struct pagerduty_config *p, struct buf *out)
{
    bool v1 = p->service_key.len > 0 || p->service_key_file.len > 0;
    void (*put)(const struct event *e, bool whole, struct buf *out) = v1 ? put_v1 : put_v2;
    struct event e = {
        s, p, s->data.firing ? "trigger" : "resolve", sending_dedup_key(s),
        .key = v1 ? sending_secret_text(s, "service_key", p->service_key, p->service_key_file)
                  : sending_secret_text(s, "routing_key", p->routing_key, p->routing_key_file)};
    e.summary = sending_cut(s, sending_text(s, "description", p->description), SUMMARY_RUNES_MAX);
    if (s->failed == OK && e.key.len == 0)
        s->failed =
            diag_set(s->d, ERR_INVALID, "the %s is empty", v1 ? "service key" : "routing key");
    put(&e, true, out);
    if (out->len > EVENT_BYTES_MAX) {
        buf_reset(out);
        put(&e, false, out);
    }
    return v1;
}

struct notify_result pagerduty_post(struct sending *s, const struct pagerduty_config *p, bool v1,
                                    const struct buf *body)
{
    const struct sending_request r = {.url = v1 ? STR(V1_URL) : p->url,
                                      .body = buf_slice(body),
                                      .timeout_ms = p->timeout_ms,
                                      .also_retried = v1 ? STATUS_V1_LIMITED : 0,
                                      .explain = explain};
    return sending_post(s, &r, NULL);
}

struct notify_result pagerduty_event(struct sending *s, const struct pagerduty_config *p)
{
    struct buf body = {0};
    bool v1 = pagerduty_body(s, p, &body);
    struct notify_result result = pagerduty_post(s, p, v1, &body);
    buf_fini(&body);
    return result;
}

struct notify_result pagerduty_send(void *arg, const struct notification *n, struct diag *d)
{
    const struct pagerduty_config *p = (const void *)n->config;
    struct sending s;
    sending_begin(&s, arg, n, d);
    struct notify_result result = n->ack != NULL      ? pagerduty_ack(&s, p)
                                  : n->notice != NULL ? pagerduty_notice(&s, p)
                                                      : pagerduty_event(&s, p);
    return sending_end(&s, result);
}
