/* alert_silence_list.c -- see alert_silence_list.h. */
#include "cli/alert_silence_list.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/compiler.h"
#include "cli/text_table.h"
#include "http/alerts_json.h"
#include "http/postable.h"

/* ---- Reading ---- */

static err fail(struct diag *d)
{
    return diag_set(d, ERR_INVALID, "this is no silence of an Alertmanager");
}

static err read_matchers(const struct jtree *list, struct arena *a, struct alert_matchers *out,
                         struct diag *d)
{
    size_t count = jtree_is_array(list) ? jtree_count(list) : 0;
    out->items = ARENA_ARRAY(a, struct matcher, count + 1);
    if (out->items == NULL)
        return diag_set(d, ERR_LIMIT, "the list of silences is too large");
    for (size_t i = 0; i < count; i++) {
        const struct jtree *n = jtree_at(list, i);
        bool regex = jtree_bool(jtree_get(n, "isRegex"), false);
        bool equal = jtree_bool(jtree_get(n, "isEqual"), true);
        out->items[out->count++] =
            (struct matcher){.type = regex ? (equal ? MATCH_REGEX : MATCH_NOT_REGEX)
                                           : (equal ? MATCH_EQUAL : MATCH_NOT_EQUAL),
                             .name = jtree_text(jtree_get(n, "name")),
                             .value = jtree_text(jtree_get(n, "value"))};
    }
    return OK;
}

static err read_annotations(const struct jtree *n, struct arena *a, struct pairs *out,
                            struct diag *d)
{
    struct jtree_member m = {0};
    if (!jtree_is_object(n))
        return OK;
    out->items = ARENA_ARRAY(a, struct pair, jtree_count(n) + 1);
    if (out->items == NULL)
        return diag_set(d, ERR_LIMIT, "the list of silences is too large");
    while (jtree_next(n, &m))
        out->items[out->count++] = (struct pair){m.key, jtree_text(m.value)};
    return OK;
}

err shown_silence_read(const struct jtree *n, struct arena *a, struct shown_silence *out,
                       struct diag *d)
{
    *out = (struct shown_silence){.state = jtree_text(jtree_get(jtree_get(n, "status"), "state"))};
    struct silence *s = &out->silence;
    s->id = jtree_text(jtree_get(n, "id"));
    s->created_by = jtree_text(jtree_get(n, "createdBy"));
    s->comment = jtree_text(jtree_get(n, "comment"));
    if (s->id.len == 0 || !postable_time(jtree_text(jtree_get(n, "startsAt")), &s->starts_at_ms) ||
        !postable_time(jtree_text(jtree_get(n, "endsAt")), &s->ends_at_ms) ||
        !postable_time(jtree_text(jtree_get(n, "updatedAt")), &s->updated_at_ms))
        return fail(d);
    TRY(read_matchers(jtree_get(n, "matchers"), a, &s->matchers, d));
    return read_annotations(jtree_get(n, "annotations"), a, &s->annotations, d);
}

/* ---- Showing ---- */

static int compare_ends(const void *pa, const void *pb)
{
    int64_t a = ((const struct shown_silence *)pa)->silence.ends_at_ms;
    int64_t b = ((const struct shown_silence *)pb)->silence.ends_at_ms;
    return (a > b) - (a < b);
}

static void put_date(struct text_table *t, int64_t ms)
{
    struct buf text = {0};
    alert_date(&text, ms);
    text_table_put(t, buf_str(&text));
    buf_fini(&text);
}

static void put_matchers(struct text_table *t, const struct alert_matchers *ms, bool extended)
{
    struct buf text = {0};
    if (extended)
        alert_matchers_format(ms, &text);
    for (size_t i = 0; !extended && i < ms->count; i++) {
        buf_put_str(&text, i > 0 ? STR(" ") : STR(""));
        alert_matcher_format(&ms->items[i], &text);
    }
    text_table_put(t, buf_str(&text));
    buf_fini(&text);
}

static void put_row(struct text_table *t, const struct silence *s, bool extended)
{
    text_table_put(t, s->id);
    put_matchers(t, &s->matchers, extended);
    if (extended)
        put_date(t, s->starts_at_ms);
    put_date(t, s->ends_at_ms);
    if (extended)
        put_date(t, s->updated_at_ms);
    text_table_put(t, s->created_by);
    text_table_put(t, s->comment);
}

static void print_table(const struct shown_silence *items, size_t count, bool extended)
{
    static const char *const SIMPLE[] = {"ID", "Matchers", "Ends At", "Created By", "Comment"};
    static const char *const EXTENDED[] = {"ID",         "Matchers",   "Starts At", "Ends At",
                                           "Updated At", "Created By", "Comment"};
    struct text_table t = {.columns = extended ? COUNT_OF(EXTENDED) : COUNT_OF(SIMPLE)};
    for (size_t i = 0; i < t.columns; i++)
        text_table_put(&t, str_from(extended ? EXTENDED[i] : SIMPLE[i]));
    for (size_t i = 0; i < count; i++)
        put_row(&t, &items[i].silence, extended);
    text_table_print(&t, stdout);
    text_table_fini(&t);
}

/* A time at which a silence has the state the server said it has: clocks may differ. */
static int64_t time_of(const struct shown_silence *s)
{
    return str_eq(s->state, STR("pending"))  ? s->silence.starts_at_ms - 1
           : str_eq(s->state, STR("active")) ? s->silence.ends_at_ms - 1
                                             : INT64_MAX;
}

void shown_silences_print(struct shown_silence *items, size_t count, enum alert_output output)
{
    struct buf b = {0};
    if (count > 1)
        qsort(items, count, sizeof(*items), compare_ends);
    if (output != ALERT_OUTPUT_JSON) {
        print_table(items, count, output == ALERT_OUTPUT_EXTENDED);
        return;
    }
    buf_put_u8(&b, '[');
    for (size_t i = 0; i < count; i++) {
        buf_put_str(&b, i > 0 ? STR(",") : STR(""));
        json_silence(&b, &items[i].silence, time_of(&items[i]));
    }
    buf_put_str(&b, STR("]\n"));
    (void)fwrite(b.ptr, 1, b.len, stdout);
    buf_fini(&b);
}

void silence_body(const struct silence *s, struct buf *out)
{
    json_silence(out, s, s->starts_at_ms); /* status and updatedAt are not looked at */
}
