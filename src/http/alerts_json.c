/* alerts_json.c -- see alerts_json.h. */
#include "http/alerts_json.h"

#include <stdlib.h>

#include "base/duration.h"
#include "http/json.h"

/* Clients compare versions: this is the API's, with ours behind it. */
#define API_VERSION "0.34.0+varve."

void json_time_ms(struct buf *b, int64_t ms)
{
    char text[40];
    size_t n = timestamp_format_rfc3339(ms - ((ms % 1000) + 1000) % 1000, text);
    int64_t fraction = ((ms % 1000) + 1000) % 1000;
    buf_printf(b, "\"%.*s.%03dZ\"", (int)n - 1, text, (int)fraction); /* n - 1: without the Z */
}

static void put_texts(struct buf *b, const char *key, const str *items, size_t count)
{
    buf_printf(b, "\"%s\":[", key);
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            buf_put_u8(b, ',');
        json_html(b, items[i]);
    }
    buf_put_u8(b, ']');
}

static void put_name(struct buf *b, str name)
{
    buf_put_str(b, STR("{\"name\":"));
    json_html(b, name);
    buf_put_u8(b, '}');
}

/* ---- Alerts ---- */

static void put_status(struct buf *b, const struct view_alert *va, const str *muted_by,
                       size_t muted_count)
{
    bool suppressed = va->silenced_count > 0 || va->inhibited || muted_count > 0;
    buf_put_str(b, STR("\"status\":{\"inhibitedBy\":["));
    if (va->inhibited)
        buf_printf(b, "\"%016llx\"", (unsigned long long)va->inhibited_by);
    buf_put_str(b, STR("],"));
    put_texts(b, "mutedBy", muted_by, muted_count);
    buf_put_u8(b, ',');
    put_texts(b, "silencedBy", va->silenced_by, va->silenced_count);
    buf_printf(b, ",\"state\":\"%s\"}", suppressed ? "suppressed" : "active");
}

void json_alert(struct buf *b, const struct view_alert *va, const str *muted_by, size_t muted_count)
{
    const struct live_alert *a = va->alert;
    buf_put_str(b, STR("{\"annotations\":"));
    labels_json(b, a->annotations);
    buf_put_str(b, STR(",\"endsAt\":"));
    json_time_ms(b, a->ends_at_ms);
    buf_printf(b, ",\"fingerprint\":\"%016llx\",\"receivers\":[",
               (unsigned long long)a->fingerprint);
    for (size_t i = 0; i < va->receiver_count; i++) {
        if (i > 0)
            buf_put_u8(b, ',');
        put_name(b, va->receivers[i]);
    }
    buf_put_str(b, STR("],\"startsAt\":"));
    json_time_ms(b, a->starts_at_ms);
    buf_put_u8(b, ',');
    put_status(b, va, muted_by, muted_count);
    buf_put_str(b, STR(",\"updatedAt\":"));
    json_time_ms(b, a->updated_at_ms);
    if (a->generator_url.len > 0) {
        buf_put_str(b, STR(",\"generatorURL\":"));
        json_html(b, a->generator_url);
    }
    buf_put_str(b, STR(",\"labels\":"));
    labels_json(b, a->labels);
    buf_put_u8(b, '}');
}

void json_group_begin(struct buf *b, const struct view_group *g)
{
    buf_put_str(b, STR("{\"labels\":"));
    labels_json(b, g->labels);
    buf_put_str(b, STR(",\"receiver\":"));
    put_name(b, g->receiver);
    if (g->route_labels.count > 0) {
        buf_put_str(b, STR(",\"routeLabels\":"));
        json_pairs(b, g->route_labels);
    }
    buf_put_str(b, STR(",\"alerts\":["));
}

void json_group_end(struct buf *b)
{
    buf_put_str(b, STR("]}"));
}

/* ---- Silences ---- */

static const char *const STATES[] = {
    [SILENCE_PENDING] = "pending", [SILENCE_ACTIVE] = "active", [SILENCE_EXPIRED] = "expired"};

static void put_matcher(struct buf *b, const struct matcher *m)
{
    bool equal = m->type == MATCH_EQUAL || m->type == MATCH_REGEX;
    bool regex = m->type == MATCH_REGEX || m->type == MATCH_NOT_REGEX;
    buf_printf(b, "{\"isEqual\":%s,\"isRegex\":%s,\"name\":", equal ? "true" : "false",
               regex ? "true" : "false");
    json_html(b, m->name);
    buf_put_str(b, STR(",\"value\":"));
    json_html(b, m->value);
    buf_put_u8(b, '}');
}

void json_silence(struct buf *b, const struct silence *s, int64_t now_ms)
{
    buf_put_str(b, STR("{\"id\":"));
    json_html(b, s->id);
    buf_printf(
        b, ",\"status\":{\"state\":\"%s\"},\"updatedAt\":", STATES[silence_state_at(s, now_ms)]);
    json_time_ms(b, s->updated_at_ms);
    if (s->annotations.count > 0) {
        buf_put_str(b, STR(",\"annotations\":"));
        json_pairs(b, s->annotations);
    }
    buf_put_str(b, STR(",\"comment\":"));
    json_html(b, s->comment);
    buf_put_str(b, STR(",\"createdBy\":"));
    json_html(b, s->created_by);
    buf_put_str(b, STR(",\"endsAt\":"));
    json_time_ms(b, s->ends_at_ms);
    buf_put_str(b, STR(",\"matchers\":["));
    for (size_t i = 0; i < s->matchers.count; i++) {
        if (i > 0)
            buf_put_u8(b, ',');
        put_matcher(b, &s->matchers.items[i]);
    }
    buf_put_str(b, STR("],\"startsAt\":"));
    json_time_ms(b, s->starts_at_ms);
    buf_put_u8(b, '}');
}

static int compare_ms(int64_t a, int64_t b)
{
    return (a > b) - (a < b);
}

static int compare_silences(const void *pa, const void *pb, void *arg)
{
    static const int RANKS[] = {[SILENCE_ACTIVE] = 0, [SILENCE_PENDING] = 1, [SILENCE_EXPIRED] = 2};
    const struct silence *a = *(const struct silence *const *)pa;
    const struct silence *b = *(const struct silence *const *)pb;
    int64_t now_ms = *(const int64_t *)arg;
    enum silence_state state = silence_state_at(a, now_ms);
    int c = RANKS[state] - RANKS[silence_state_at(b, now_ms)];
    if (c == 0 && state == SILENCE_PENDING)
        c = compare_ms(a->starts_at_ms, b->starts_at_ms);
    else if (c == 0)
        c = compare_ms(a->ends_at_ms, b->ends_at_ms) * (state == SILENCE_EXPIRED ? -1 : 1);
    return c != 0 ? c : str_cmp(a->id, b->id);
}

void silences_order(const struct silence **items, size_t count, int64_t now_ms)
{
    if (count > 1)
        qsort_r(items, count, sizeof(struct silence *), compare_silences, &now_ms);
}

/* ---- The server ---- */

void json_receivers(struct buf *b, const struct alertmanager_file *f,
                    const struct alert_matchers *matchers, size_t count)
{
    bool first = true;
    buf_put_u8(b, '[');
    for (size_t i = 0; i < f->receivers.count; i++) {
        const struct receiver_config *r = &f->receivers.items[i];
        if (!receiver_matches(r, matchers, count))
            continue;
        buf_put_str(b, first ? STR("{\"name\":") : STR(",{\"name\":"));
        first = false;
        json_html(b, r->name);
        if (r->labels.count > 0) {
            buf_put_str(b, STR(",\"labels\":"));
            json_pairs(b, r->labels);
        }
        buf_put_u8(b, '}');
    }
    buf_put_u8(b, ']');
}

void json_alertmanager_status(struct buf *b, const struct alertmanager_file *f, const char *version,
                              int64_t start_ms)
{
    struct buf yaml = {0};
    alertmanager_config_yaml(f, &yaml);
    buf_put_str(b, STR("{\"cluster\":{\"peers\":[],\"status\":\"disabled\"},"
                       "\"config\":{\"original\":"));
    json_html(b, buf_str(&yaml));
    buf_put_str(b, STR("},\"uptime\":"));
    json_time_ms(b, start_ms);
    buf_put_str(b, STR(",\"versionInfo\":{\"branch\":\"\",\"buildDate\":\"\",\"buildUser\":\"\","
                       "\"goVersion\":\"\",\"revision\":\"\",\"version\":\"" API_VERSION));
    buf_printf(b, "%s\"}}", version);
    buf_fini(&yaml);
}
