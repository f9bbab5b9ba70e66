/* history_json.c -- see history_json.h. docs/operations/history.md explains it to users. */
#include "notify/history_json.h"

#include <inttypes.h>

#include "base/duration.h"
#include "base/json_text.h"
#include "model/labels_json.h"

static void put_time(struct buf *out, int64_t ms)
{
    char text[40];
    buf_put_u8(out, '"');
    buf_put_str(out, (str){text, timestamp_format_rfc3339(ms, text)});
    buf_put_u8(out, '"');
}

static void put_texts(const struct history_event *e, struct buf *out)
{
    for (unsigned t = 0; t < HISTORY_TEXTS; t++) {
        if (e->texts[t].len == 0)
            continue;
        buf_printf(out, ",\"%s\":", history_text_name((enum history_text)t));
        json_html(out, e->texts[t]);
    }
}

static void put_numbers(const struct history_event *e, struct buf *out)
{
    for (unsigned n = 0; n < HISTORY_NUMBERS; n++) {
        if ((e->numbers_said >> n & 1) == 0)
            continue;
        buf_printf(out, ",\"%s\":", history_number_name((enum history_number)n));
        if (n == HISTORY_STARTS_AT_MS || n == HISTORY_ENDS_AT_MS)
            put_time(out, e->numbers[n]);
        else
            buf_printf(out, "%" PRId64, e->numbers[n]);
    }
}

void history_event_json(const struct history_event *e, struct buf *out)
{
    buf_printf(out, "{\"seq\":\"%" PRIu64 "\",\"type\":\"%s\",\"time\":", e->seq,
               history_kind_name(e->kind));
    put_time(out, e->at_ms);
    buf_put_str(out, STR(",\"labels\":"));
    labels_json_html(out, e->labels);
    buf_put_str(out, STR(",\"fingerprints\":["));
    for (size_t i = 0; i < e->fingerprint_count; i++)
        buf_printf(out, "%s\"%016" PRIx64 "\"", i > 0 ? "," : "", e->fingerprints[i]);
    buf_put_u8(out, ']');
    put_texts(e, out);
    put_numbers(e, out);
    buf_put_u8(out, '}');
}
