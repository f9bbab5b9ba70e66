/* sender_alert.c -- see sender_alert.h. Order of fields, escapes and times are those of
 * Prometheus' client of the API, so that what is recorded can be compared. */
#include "rules/sender_alert.h"

#include "base/duration.h"
#include "base/json_text.h"
#include "model/labels_json.h"

err sender_relabel(struct relabel_labels *work, struct labels from, struct labels external,
                   const struct relabel_configs *rules, bool *keep, struct labels *out)
{
    *keep = true;
    TRY(relabel_labels_base(work, from));
    for (size_t i = 0; i < external.count; i++)
        if (relabel_labels_get(work, external.items[i].name).len == 0)
            TRY(relabel_labels_set(work, external.items[i].name, external.items[i].value));
    TRY(relabel_run(rules, work, keep));
    *out = relabel_labels_done(work);
    return arena_exceeded(work->arena) ? ERR_LIMIT : OK;
}

/* Always three decimals. */
static void put_time(struct buf *b, int64_t ms)
{
    char text[64];
    int64_t below = ((ms % 1000) + 1000) % 1000;
    size_t n = timestamp_format_rfc3339(ms - below, text); /* whole seconds: ends in Z */
    buf_printf(b, "\"%.*s.%03dZ\"", (int)n - 1, text, (int)below);
}

void sender_alert_json(const struct alert *a, struct labels ls, struct buf *b)
{
    buf_put_u8(b, '{');
    if (a->annotations.count > 0) {
        buf_put_str(b, STR("\"annotations\":"));
        labels_json_html(b, a->annotations);
        buf_put_u8(b, ',');
    }
    buf_put_str(b, STR("\"endsAt\":"));
    put_time(b, a->ends_at_ms);
    buf_put_str(b, STR(",\"startsAt\":"));
    put_time(b, a->starts_at_ms);
    if (a->generator_url.len > 0) {
        buf_put_str(b, STR(",\"generatorURL\":"));
        json_html(b, a->generator_url);
    }
    buf_put_str(b, STR(",\"labels\":"));
    labels_json_html(b, ls);
    buf_put_u8(b, '}');
}
