/* opsgenie.c -- OpsGenie's alerts: created while a group fires, closed when it is resolved. */
#include "base/json_text.h"
#include "base/number.h"
#include "notify/sending.h"
#include "notify/severity.h"

enum { MESSAGE_RUNES_MAX = 130, USER_RUNES_MAX = 100 };

struct alert {
    struct sending *s;
    const struct opsgenie_config *o;
    str alias, authorization, message, description;
};

/* ---- Bodies ---- */

/* Labels that all alerts share, and what the configuration adds or replaces. */
static void put_details(const struct alert *a, struct buf *out)
{
    const struct template_value *common = &a->s->data.fields[NOTIFY_COMMON_LABELS];
    const struct pairs *own = &a->o->details;
    sending_put_key(out, "details");
    buf_put_u8(out, '{');
    for (size_t i = 0; i < common->map.count; i++) {
        const struct template_entry *e = &common->map.entries[i];
        bool replaced = false;
        for (size_t k = 0; k < own->count; k++)
            replaced = replaced || str_eq(own->items[k].name, e->key);
        if (replaced)
            continue;
        buf_put_str(out, out->ptr[out->len - 1] == '{' ? STR("") : STR(","));
        json_html(out, e->key);
        buf_put_u8(out, ':');
        json_html(out, e->value.s);
    }
    for (size_t i = 0; i < own->count; i++) {
        buf_put_str(out, out->ptr[out->len - 1] == '{' ? STR("") : STR(","));
        json_html(out, own->items[i].name);
        buf_put_u8(out, ':');
        json_html(out, sending_text(a->s, "details", own->items[i].value));
    }
    buf_put_u8(out, '}');
}

/* The next entry of a comma-separated list, as it stands there; empty ones are none. */
static bool next_entry(str *rest, str *out)
{
    while (rest->len > 0) {
        const char *comma = memchr(rest->ptr, ',', rest->len);
        size_t n = comma != NULL ? (size_t)(comma - rest->ptr) : rest->len;
        size_t skip = n + (comma != NULL);
        *out = (str){rest->ptr, n};
        *rest = (str){rest->ptr + skip, rest->len - skip};
        if (n > 0)
            return true;
    }
    return false;
}

static void put_list(const struct alert *a, const char *key, str text, struct buf *out)
{
    str rest = sending_trim(sending_text(a->s, key, text)), entry;
    bool any = false;
    while (next_entry(&rest, &entry)) {
        if (!any)
            sending_put_key(out, key);
        buf_put_u8(out, any ? ',' : '[');
        json_html(out, entry);
        any = true;
    }
    if (any)
        buf_put_u8(out, ']');
}

static void put_responder(str id, str name, str username, str type, bool *any, struct buf *out)
{
    if (!*any)
        sending_put_key(out, "responders");
    buf_put_str(out, *any ? STR(",{") : STR("[{"));
    sending_put_unless_empty(out, "id", id);
    sending_put_unless_empty(out, "name", name);
    sending_put_unless_empty(out, "username", username);
    sending_put(out, "type", type);
    buf_put_u8(out, '}');
    *any = true;
}

/* Those whose templates give nothing are left out; "teams" stands for a list of them. */
static void put_responders(const struct alert *a, struct buf *out)
{
    bool any = false;
    for (size_t i = 0; i < a->o->responders.count; i++) {
        const struct opsgenie_responder *r = &a->o->responders.items[i];
        str id = sending_text(a->s, "responders.id", r->id);
        str name = sending_text(a->s, "responders.name", r->name);
        str username = sending_text(a->s, "responders.username", r->username);
        str type = sending_text(a->s, "responders.type", r->type), team;
        if (id.len + name.len + username.len + type.len == 0)
            continue;
        if (!str_eq(type, STR("teams"))) {
            put_responder(id, name, username, type, &any, out);
            continue;
        }
        for (name = sending_trim(name); next_entry(&name, &team);)
            put_responder(STR(""), team, STR(""), STR("team"), &any, out);
    }
    if (any)
        buf_put_u8(out, ']');
}

static void put_create(const struct alert *a, struct buf *out)
{
    const struct opsgenie_config *o = a->o;
    buf_put_u8(out, '{');
    sending_put(out, "alias", a->alias);
    sending_put(out, "message", a->message);
    sending_put_unless_empty(out, "description", a->description);
    put_details(a, out);
    sending_put(out, "source", sending_text(a->s, "source", o->source));
    put_responders(a, out);
    put_list(a, "tags", o->tags, out);
    sending_put_unless_empty(out, "note", sending_text(a->s, "note", o->note));
    bool own = o->priority.len > 0 || a->s->n->notice != NULL;
    sending_put_unless_empty(out, "priority",
                             own ? sending_text(a->s, "priority", o->priority)
                                 : severity_for_opsgenie(a->s->n));
    sending_put_unless_empty(out, "entity", sending_text(a->s, "entity", o->entity));
    put_list(a, "actions", o->actions, out);
    buf_put_str(out, STR("}\n"));
}

/* ---- Requests ---- */

/* `what` NULL: all alerts; else a part of this one. */
static struct notify_result request(const struct alert *a, const char *method, const char *what,
                                    const struct buf *body)
{
    struct buf url = {0};
    struct http_reply reply = {0};
    int64_t seconds = 0;
    buf_printf(&url, STR_FMT "v2/alerts", STR_ARG(a->o->api_url));
    if (what != NULL)
        buf_printf(&url, "/" STR_FMT "/%s?identifierType=alias", STR_ARG(a->alias), what);
    const struct sending_request r = {.method = method,
                                      .url = buf_str(&url),
                                      .authorization = a->authorization,
                                      .body = buf_slice(body)};
    struct notify_result result = sending_post(a->s, &r, &reply);
    str period = http_reply_header(&reply, STR("X-RateLimit-Period-In-Sec"));
    if (result.outcome == NOTIFY_RETRY && reply.status == 429 && result.retry_after_ms == 0 &&
        number_parse_i64(period, &seconds) == OK && seconds > 0)
        result.retry_after_ms = seconds < SENDING_RETRY_AFTER_MS_MAX / 1000
                                    ? seconds * 1000
                                    : SENDING_RETRY_AFTER_MS_MAX;
    http_reply_fini(&reply);
    buf_fini(&url);
    return result;
}

static struct notify_result close_alert(const struct alert *a)
{
    struct buf body = {0};
    buf_put_u8(&body, '{');
    sending_put(&body, "source", sending_text(a->s, "source", a->o->source));
    buf_put_str(&body, STR("}\n"));
    struct notify_result result = request(a, "POST", "close", &body);
    buf_fini(&body);
    return result;
}

static struct notify_result acknowledge(const struct alert *a, const struct ack_told *t)
{
    struct buf body = {0};
    buf_put_u8(&body, '{');
    sending_put(&body, "source", sending_text(a->s, "source", a->o->source));
    sending_put_unless_empty(&body, "user", sending_cut(a->s, t->by, USER_RUNES_MAX));
    sending_put_unless_empty(&body, "note", t->comment);
    buf_put_str(&body, STR("}\n"));
    struct notify_result result =
        request(a, "POST", t->acked ? "acknowledge" : "unacknowledge", &body);
    buf_fini(&body);
    return result;
}

static struct notify_result update(const struct alert *a, const char *what, str text)
{
    struct buf body = {0};
    buf_put_u8(&body, '{');
    sending_put_unless_empty(&body, what, text);
    buf_put_str(&body, STR("}\n"));
    struct notify_result result = request(a, "PUT", what, &body);
    buf_fini(&body);
    return result;
}

static struct notify_result create(const struct alert *a)
{
    struct buf body = {0};
    put_create(a, &body);
    struct notify_result result = request(a, "POST", NULL, &body);
    buf_fini(&body);
    if (result.outcome == NOTIFY_SENT && a->o->update_alerts)
        result = update(a, "message", a->message);
    if (result.outcome == NOTIFY_SENT && a->o->update_alerts)
        result = update(a, "description", a->description);
    return result;
}

struct notify_result opsgenie_send(void *arg, const struct notification *n, struct diag *d)
{
    const struct opsgenie_config *o = (const void *)n->config;
    struct sending s;
    struct buf authorization = {0};
    sending_begin(&s, arg, n, d);
    struct alert a = {.s = &s, .o = o, .alias = sending_dedup_key(&s)};
    str key = sending_trim(sending_secret_text(&s, "api_key", o->api_key, o->api_key_file));
    buf_printf(&authorization, "GenieKey " STR_FMT, STR_ARG(key));
    a.authorization = sending_keep(&s, buf_str(&authorization));
    a.message = sending_cut(&s, sending_text(&s, "message", o->message), MESSAGE_RUNES_MAX);
    a.description = sending_text(&s, "description", o->description);
    for (size_t i = 0; i < key.len; i++)
        if ((uint8_t)key.ptr[i] < ' ' && s.failed == OK)
            s.failed = diag_set(d, ERR_INVALID, "api_key: the key has more than one line");
    bool told = s.data.firing || n->notice != NULL; /* a notice is told even of what is over */
    struct notify_result result = n->ack != NULL ? acknowledge(&a, n->ack)
                                  : told         ? create(&a)
                                                 : close_alert(&a);
    if (told && !s.data.firing && result.outcome == NOTIFY_SENT)
        result = close_alert(&a);
    buf_fini(&authorization);
    return sending_end(&s, result);
}
