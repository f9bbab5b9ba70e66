/* api_related.c -- what else began with an incident or an alert: in GET
 * /api/v1/alerting/incidents/ID and in the history. docs/operations/history.md explains it. */
#include <inttypes.h>

#include "base/duration.h"
#include "http/api_related.h"
#include "model/labels_json.h"

static void put_alert(struct buf *b, const struct related_alert *a)
{
    char text[40];
    buf_printf(b, "{\"fingerprint\":\"%016" PRIx64 "\",\"because\":\"%s\",\"state\":\"%s\"",
               a->fingerprint, related_why_name(a->why), a->firing ? "firing" : "resolved");
    buf_printf(b, ",\"startsAt\":\"%.*s\",\"labels\":",
               (int)timestamp_format_rfc3339(a->starts_at_ms, text), text);
    labels_json(b, a->labels);
    buf_put_u8(b, '}');
}

void api_put_related(struct buf *b, const struct related *r)
{
    buf_put_str(b, STR("{\"alerts\":["));
    for (size_t i = 0; i < r->count; i++) {
        buf_put_str(b, i > 0 ? STR(",") : STR(""));
        put_alert(b, &r->items[i]);
    }
    buf_printf(b, "],\"more\":%zu,\"complete\":%s}", r->more, r->whole ? "true" : "false");
}
