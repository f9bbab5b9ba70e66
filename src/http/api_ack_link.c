/* api_ack_link.c -- /api/v1/alerting/ack: the page behind a link in a message. Who has the link may
 * acknowledge that incident, without a token of the API. A GET does nothing, as programs that look
 * for harm in mail follow links; the page's form does it. docs/operations/acknowledging.md */
#include "base/clock.h"
#include "base/duration.h"
#include "base/utf8.h"
#include "http/api.h"
#include "http/page.h"
#include "notify/ack_link.h"
#include "notify/incident.h"

enum {
    BAD_LINKS_MAX = 30, /* a minute, of an address: more are not looked at */
    ACKS_MAX = 30,      /* a minute, of a link */
};

/* ---- The page ---- */

static void say(struct http_request *r, unsigned status, const char *title, const char *text)
{
    page_begin(r, status, title);
    buf_put_str(http_out(r), STR("<p>"));
    html_put(http_out(r), str_from(text));
    buf_put_str(http_out(r), STR("</p>\n"));
    page_end(r);
}

static void put_time(struct buf *b, int64_t ms)
{
    char text[DURATION_SIZE_MAX];
    buf_put_str(b, (str){text, timestamp_format_rfc3339(ms / 1000 * 1000, text)});
}

static void put_incident(struct buf *b, const struct incident_view *v)
{
    buf_put_str(b, STR("<dl>\n"));
    for (size_t i = 0; i < v->labels.count; i++) {
        buf_put_str(b, STR("<dt>"));
        html_put(b, v->labels.items[i].name);
        buf_put_str(b, STR("</dt><dd>"));
        html_put(b, v->labels.items[i].value);
        buf_put_str(b, STR("</dd>\n"));
    }
    buf_printf(b, "</dl>\n<p>%zu of %zu alerts fire. It began at ", v->firing_count,
               v->alert_count);
    put_time(b, v->started_ms);
    buf_put_str(b, STR(".</p>\n"));
    if (v->acked_ms == 0)
        return;
    buf_put_str(b, STR("<p>Acknowledged by "));
    html_put(b, v->acked_by);
    buf_put_str(b, STR(" at "));
    put_time(b, v->acked_ms);
    if (v->ack_expires_ms != 0) {
        buf_put_str(b, STR(", until "));
        put_time(b, v->ack_expires_ms);
    }
    buf_put_str(b, STR(".</p>\n"));
    if (v->comment.len > 0) {
        buf_put_str(b, STR("<p>"));
        html_put(b, v->comment);
        buf_put_str(b, STR("</p>\n"));
    }
}

/* It is sent to the page's own address, wherever that is seen from outside. */
static void put_form(struct buf *b, str by)
{
    buf_printf(b,
               "<form method=\"post\">\n<p><label>Your name<br>\n<input name=\"by\" required "
               "maxlength=\"%d\" value=\"",
               INCIDENT_BY_BYTES_MAX);
    html_put(b, by);
    buf_printf(b,
               "\"></label></p>\n<p><label>Comment<br>\n<input name=\"comment\" maxlength=\"%d\">"
               "</label></p>\n<p><button>Acknowledge</button></p>\n</form>\n",
               INCIDENT_COMMENT_BYTES_MAX);
}

/* ---- The link ---- */

/* False, and answered: it allows nothing. */
static bool read_link(struct http_request *r, int64_t now_ms, struct ack_token *out)
{
    struct api *api = api_of(r);
    str token = http_param(r, STR("token"));
    err e = api->notify == NULL ? ERR_UNSUPPORTED
                                : notify_service_read_ack_link(api->notify, token, now_ms, out);
    if (e == OK)
        return true;
    bool room = tries_take(&api->forged, http_client(r), now_ms, BAD_LINKS_MAX);
    if (e == ERR_UNSUPPORTED) {
        say(r, 404, "No links", "This server makes no links by which incidents are acknowledged.");
    } else if (e == ERR_ORDER) {
        say(r, 410, "Link expired",
            "The time of this link is over. A newer message has a newer link.");
    } else if (!room) {
        http_answer_header(r, "Retry-After", STR("60"));
        say(r, 429, "Too many tries", "Too many links from here were wrong. Try again later.");
    } else {
        say(r, 403, "Not a valid link",
            "This link was not made by this server, was changed on its way, or is older than the "
            "secret that signs links. A newer message has a newer link.");
    }
    return false;
}

static void say_failed(struct http_request *r, err e, const struct diag *d)
{
    if (e == ERR_NOTFOUND)
        say(r, 404, "Incident not known", "It ended some time ago.");
    else if (e == ERR_ORDER)
        say(r, 409, "Nothing to acknowledge", "The incident is resolved.");
    else
        say(r, 400, "Not acknowledged", d->text);
}

static void show(struct http_request *r, const struct ack_token *t, int64_t now_ms)
{
    struct incident_view v;
    const struct engine *e = notify_service_lock(api_of(r)->notify);
    err found = incident_get(e, str_from(t->incident), now_ms, &v);
    if (found == OK && v.state != INCIDENT_RESOLVED) {
        page_begin(r, 200, v.acked_ms != 0 ? "Incident, acknowledged" : "Incident");
        put_incident(http_out(r), &v);
        put_form(http_out(r), buf_str(&t->receiver));
        page_end(r);
    }
    bool resolved = found == OK && v.state == INCIDENT_RESOLVED;
    notify_service_unlock(api_of(r)->notify);
    if (found != OK || resolved)
        say_failed(r, resolved ? ERR_ORDER : found, NULL);
}

/* ---- Acknowledging ---- */

static bool is_line(str s)
{
    for (size_t i = 0; i < s.len; i++)
        if ((uint8_t)s.ptr[i] < ' ' || s.ptr[i] == 0x7f)
            return false;
    return utf8_valid(s);
}

static err acknowledge(struct engine *e, const struct ack_token *t, const struct incident_ack *ack,
                       int64_t now_ms, struct diag *d)
{
    if (!is_line(ack->by) || !is_line(ack->comment))
        return diag_set(d, ERR_INVALID, "Name and comment must be lines of UTF-8.");
    return incident_ack(e, str_from(t->incident), ack, now_ms, d);
}

static void change(struct http_request *r, const struct ack_token *t, int64_t now_ms)
{
    struct diag d = {.text = ""};
    struct incident_view v;
    str by = http_param(r, STR("by")), comment = http_param(r, STR("comment"));
    const struct incident_ack ack = {.by = by.len > 0 ? by : buf_str(&t->receiver),
                                     .comment = comment.len > 0 ? comment : STR(""),
                                     .via = ACK_VIA_LINK};
    struct engine *e = notify_service_lock(api_of(r)->notify);
    err failed = acknowledge(e, t, &ack, now_ms, &d);
    err synced = failed == OK ? engine_sync(e) : OK;
    if (failed == OK && incident_get(e, str_from(t->incident), now_ms, &v) == OK) {
        page_begin(r, synced == OK ? 200 : 500, "Acknowledged");
        put_incident(http_out(r), &v);
        if (synced != OK)
            buf_put_str(http_out(r), STR("<p>It could not be written to disk: after a restart it "
                                         "may be lost.</p>\n"));
        page_end(r);
    }
    notify_service_unlock(api_of(r)->notify);
    if (failed != OK)
        say_failed(r, failed, &d);
}

void api_ack_link(struct http_request *r)
{
    int64_t now_ms = clock_wall_ms();
    struct ack_token t = {.expires_ms = 0};
    if (read_link(r, now_ms, &t)) {
        if (http_method(r) == HTTP_GET) {
            show(r, &t, now_ms);
        } else if (tries_take(&api_of(r)->acks_by_link, str_from(t.incident), now_ms, ACKS_MAX)) {
            change(r, &t, now_ms);
        } else {
            http_answer_header(r, "Retry-After", STR("60"));
            say(r, 429, "Too many changes",
                "This incident was acknowledged very often in the last minute. Try again later.");
        }
    }
    ack_token_fini(&t);
}
