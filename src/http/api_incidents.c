/* api_incidents.c -- /api/v1/alerting/incidents: what is going on, who has taken it on. Changes are
 * on disk before they are answered. docs/operations/escalation.md explains it. */
#include "base/clock.h"
#include "base/duration.h"
#include "base/jtree.h"
#include "http/api_alerting.h"
#include "http/api_related.h"
#include "http/api_v2.h"
#include "http/json.h"
#include "notify/incident.h"

enum { LIST_BYTES_MAX = 256 << 20 };

static const char BELOW[] = "/api/v1/alerting/incidents/";

/* ---- JSON ---- */

static void put_level(struct buf *b, const struct incident_view *v, size_t l)
{
    const struct escalation_level *level = &v->policy->levels.items[l];
    buf_printf(b, "%s{\"level\":%zu,\"afterSeconds\":", l > 0 ? "," : "", l + 1);
    json_time_float(b, level->after_ms);
    buf_put_str(b, STR(",\"receivers\":["));
    for (size_t i = 0; i < level->receivers.count; i++) {
        buf_put_str(b, i > 0 ? STR(",") : STR(""));
        json_str(b, level->receivers.items[i]);
    }
    if (level->receivers.count == 0)
        json_str(b, v->receiver);
    buf_put_u8(b, ']');
    alerting_put_time(b, "toldAt", v->fired_ms[l]);
    buf_put_u8(b, '}');
}

/* Without the brace at the end. */
static void put_members(struct buf *b, const struct incident_view *v)
{
    buf_printf(b, "{\"id\":\"%s\",\"state\":\"%s\"", v->id, incident_state_name(v->state));
    alerting_put_text(b, "groupKey", v->group_key);
    alerting_put_text(b, "receiver", v->receiver);
    alerting_put_text(b, "policy", v->policy->name);
    buf_put_str(b, STR(",\"labels\":"));
    labels_json(b, v->labels);
    alerting_put_time(b, "startedAt", v->started_ms);
    alerting_put_time(b, "resolvedAt", v->resolved_ms);
    buf_printf(b, ",\"alerts\":%zu,\"firing\":%zu,\"level\":%zu,\"paused\":%s", v->alert_count,
               v->firing_count, v->level, v->paused ? "true" : "false");
    alerting_put_time(b, "nextLevelAt", v->next_ms);
    buf_put_str(b, STR(",\"levels\":["));
    for (size_t l = 0; l < v->policy->levels.count; l++)
        put_level(b, v, l);
    buf_put_str(b, STR("],\"acknowledgement\":"));
    if (v->acked_ms == 0) {
        buf_put_str(b, STR("null"));
        return;
    }
    buf_put_str(b, STR("{\"by\":"));
    json_str(b, v->acked_by);
    alerting_put_text(b, "comment", v->comment);
    alerting_put_text(b, "via", str_from(ack_via_name(v->acked_via)));
    alerting_put_time(b, "at", v->acked_ms);
    alerting_put_time(b, "expires", v->ack_expires_ms);
    buf_put_u8(b, '}');
}

static void put_incident(struct buf *b, const struct incident_view *v)
{
    put_members(b, v);
    buf_put_u8(b, '}');
}

/* ---- The list ---- */

/* False, and answered: it is no state. -1: any. */
static bool read_state(struct http_request *r, int *out)
{
    str text = http_param(r, STR("state"));
    *out = -1;
    for (int s = 0; s < INCIDENT_STATES; s++)
        if (str_eq(text, str_from(incident_state_name((enum incident_state)s))))
            *out = s;
    if (text.len == 0 || *out >= 0)
        return true;
    api_fail_param(r, "state", "it must be open, acked or resolved");
    return false;
}

static bool passes(const struct incident_view *v, int state, const struct api_v2_filters *f)
{
    bool good = state < 0 || (int)v->state == state;
    for (size_t i = 0; good && i < f->count; i++)
        good = alert_matchers_match(&f->items[i], v->labels);
    return good;
}

void api_incidents(struct http_request *r)
{
    struct api_v2_filters f;
    struct incident_view v;
    size_t at = 0, shown = 0;
    int state;
    if (!read_state(r, &state) || !api_v2_filters(r, "matcher", &f))
        return;
    struct engine *e = alerting_lock(r);
    if (e != NULL) {
        int64_t now_ms = clock_wall_ms();
        struct buf *b = api_begin(r);
        buf_put_u8(b, '[');
        while (b->len <= LIST_BYTES_MAX && incidents_next(e, now_ms, &at, &v)) {
            if (!passes(&v, state, &f))
                continue;
            buf_put_str(b, shown++ > 0 ? STR(",") : STR(""));
            put_incident(b, &v);
        }
        alerting_unlock(r);
        buf_put_u8(b, ']');
        api_end(b, NULL, 0, NULL, 0);
        if (b->len > LIST_BYTES_MAX)
            api_fail(r, API_EXECUTION,
                     "incidents are longer than 256 MiB: ask for less with state= or matcher=");
    }
    api_v2_filters_fini(&f);
}

/* ---- One of them ---- */

/* False, and answered: there is none. What is known of it now goes to the answer, but for the end.
 */
static bool begin_one(struct http_request *r, str id, struct related *related, struct buf **b)
{
    struct incident_view v;
    int64_t now_ms = clock_wall_ms();
    struct engine *e = alerting_lock(r);
    if (e == NULL)
        return false;
    err failed = incident_get(e, id, now_ms, &v);
    if (failed == OK)
        failed = related_of_incident(e, id, now_ms, related);
    if (failed == OK) {
        *b = api_begin(r);
        put_members(*b, &v);
    }
    alerting_unlock(r);
    if (failed == OK)
        return true;
    api_fail(r, failed == ERR_NOTFOUND ? API_NOT_FOUND : API_EXECUTION,
             failed == ERR_NOTFOUND ? "there is no such incident"
                                    : "what is related is larger than 32 MiB");
    return false;
}

/* /api/v1/alerting/incidents/ID: with what is related, for which the history is read. */
void api_incident_one(struct http_request *r)
{
    struct related related = {.count = 0};
    struct buf *b = NULL;
    str path = http_path(r), id = {path.ptr + sizeof(BELOW) - 1, path.len - sizeof(BELOW) + 1};
    if (begin_one(r, id, &related, &b)) {
        err e = related_from_history(&related, notify_service_history(api_of(r)->notify),
                                     http_canceled(r));
        related_sort(&related);
        buf_put_str(b, STR(",\"related\":"));
        api_put_related(b, &related);
        buf_put_u8(b, '}');
        api_end(b, NULL, 0, NULL, 0);
        const struct diag d = {.text = "the history cannot be read"};
        if (e != OK)
            api_fail_err(r, e, &d);
    }
    related_close(&related);
}

/* ---- Changes ---- */

/* How long, or until when. */
static err read_expiry(str text, int64_t now_ms, int64_t *out, struct diag *d)
{
    int64_t v = 0;
    if (text.len == 0)
        return OK;
    if (duration_parse(text, &v, NULL) == OK) {
        *out = now_ms + v;
        return OK;
    }
    return timestamp_parse(text, out, NULL) == OK
               ? OK
               : diag_set(d, ERR_INVALID,
                          "\"expires\" must be a time such as 2026-11-23T17:00:00Z or a duration "
                          "such as 2h");
}

static err read_ack(const struct jtree *body, int64_t now_ms, struct incident_ack *out,
                    struct diag *d)
{
    struct jtree_member m = {0};
    if (!jtree_is_object(body))
        return diag_set(d, ERR_INVALID, "the body must be an object: {\"by\": \"...\"}");
    while (jtree_next(body, &m)) {
        str text = jtree_text(m.value);
        if (!jtree_is_text(m.value))
            return diag_set(d, ERR_INVALID, "\"" STR_FMT "\" must be text", STR_ARG(m.key));
        if (str_eq(m.key, STR("by")))
            out->by = text;
        else if (str_eq(m.key, STR("comment")))
            out->comment = text;
        else if (str_eq(m.key, STR("expires")))
            TRY(read_expiry(text, now_ms, &out->expires_ms, d));
        else
            return diag_set(d, ERR_INVALID, "\"" STR_FMT "\" is none of by, comment, expires",
                            STR_ARG(m.key));
    }
    return OK;
}

static err change(struct engine *e, str id, str what, const struct incident_ack *ack,
                  int64_t now_ms, struct diag *d)
{
    if (str_eq(what, STR("ack")))
        return incident_ack(e, id, ack, now_ms, d);
    if (str_eq(what, STR("unack")))
        return incident_unack(e, id, now_ms, d);
    return incident_escalate(e, id, now_ms, d);
}

/* The answer is the incident as it is now. */
static void run(struct http_request *r, str id, str what, const struct incident_ack *ack)
{
    struct diag d = {.text = ""};
    struct incident_view v;
    int64_t now_ms = clock_wall_ms();
    struct engine *e = alerting_lock(r);
    if (e == NULL)
        return;
    err failed = change(e, id, what, ack, now_ms, &d);
    err synced = failed == OK ? engine_sync(e) : OK;
    if (failed == OK && synced == OK && incident_get(e, id, now_ms, &v) == OK) {
        struct buf *b = api_begin(r);
        put_incident(b, &v);
        api_end(b, NULL, 0, NULL, 0);
    }
    alerting_unlock(r);
    if (failed != OK)
        alerting_fail(r, failed, &d);
    else if (synced != OK)
        api_fail(r, API_INTERNAL,
                 "the change is in force, but could not be written to disk: after a restart it "
                 "may be lost");
}

/* /api/v1/alerting/incidents/ID/ack, /unack, /escalate: there are no other routes. */
void api_incident(struct http_request *r)
{
    struct diag d = {.text = ""};
    struct incident_ack ack = {.by = STR("")};
    struct jtree *body = NULL;
    str path = http_path(r), rest = {path.ptr + sizeof(BELOW) - 1, path.len - sizeof(BELOW) + 1};
    const char *slash = memchr(rest.ptr, '/', rest.len);
    size_t id_size = slash != NULL ? (size_t)(slash - rest.ptr) : rest.len;
    str what = slash != NULL ? (str){slash + 1, rest.len - id_size - 1} : STR("");
    err failed = OK;
    if (str_eq(what, STR("ack"))) {
        failed = jtree_parse(http_body(r), &body, NULL) == OK ? OK : ERR_INVALID;
        failed = failed == OK ? read_ack(body, clock_wall_ms(), &ack, &d)
                              : diag_set(&d, failed, "the body must be JSON: {\"by\": \"...\"}");
    }
    if (failed != OK)
        alerting_fail(r, failed, &d);
    else
        run(r, (str){rest.ptr, id_size}, what, &ack);
    jtree_free(body);
}
