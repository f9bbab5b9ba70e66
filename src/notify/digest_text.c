/* digest_text.c -- see digest_text.h. */
#include "notify/digest_text.h"

#include <math.h>

#include "base/compiler.h"
#include "base/utf8.h"
#include "base/zone.h"
#include "notify/digest_schedule.h"
#include "rules/template_escape.h"

struct writer {
    const struct digest_facts *f;
    struct buf *text, *html;
    struct buf left, right; /* of a row */
    size_t rows;            /* of the part, so far */
};

static void put_time(const struct digest_facts *f, int64_t ms, struct buf *out)
{
    struct civil c;
    zone_civil(digest_zone(&f->config->schedule), ms, &c);
    buf_printf(out, "%04lld-%02d-%02d %02d:%02d", (long long)c.year, c.month, c.day, c.hour,
               c.minute);
}

static void put_zone(const struct digest_facts *f, int64_t ms, struct buf *out)
{
    const char *abbreviation;
    (void)zone_offset(digest_zone(&f->config->schedule), ms, &abbreviation);
    buf_printf(out, " %s", abbreviation);
}

/* In one line, the last rune an ellipsis when something is missing. */
static void put_cut(str s, size_t runes_max, struct buf *out)
{
    bool whole = utf8_count(s) <= runes_max;
    for (size_t at = 0, runes = whole ? 0 : 1; at < s.len && runes < runes_max; runes++) {
        unsigned size;
        uint32_t rune = utf8_decode((str){s.ptr + at, s.len - at}, &size);
        utf8_append(out, rune < ' ' || rune == 0x7f ? ' ' : rune);
        at += size;
    }
    if (!whole)
        buf_put_str(out, STR("…"));
}

/* ---- Parts, and rows of `left` and `right` ---- */

static void begin_part(struct writer *w, const char *title, size_t count)
{
    w->rows = 0;
    buf_printf(w->text, "\n%s: ", title);
    buf_printf(w->html, "<h3>%s: ", title);
    buf_printf(w->text, count > 0 ? "%zu\n" : "none\n", count);
    buf_printf(w->html, count > 0 ? "%zu" : "none", count);
    buf_put_str(w->html, STR("</h3>\n<table cellpadding=\"4\">\n"));
}

static void put_html(str s, struct buf *out)
{
    struct buf cut = {0};
    put_cut(s, DIGEST_HTML_RUNES, &cut);
    escape_html(buf_str(&cut), out);
    buf_fini(&cut);
}

static void put_row(struct writer *w)
{
    struct buf line = {0};
    if (w->rows < DIGEST_TEXT_ROWS) {
        buf_printf(&line, "- " STR_FMT ": " STR_FMT, STR_ARG(buf_str(&w->left)),
                   STR_ARG(buf_str(&w->right)));
        put_cut(buf_str(&line), DIGEST_TEXT_RUNES, w->text);
        buf_put_u8(w->text, '\n');
    }
    if (w->rows < DIGEST_ROWS_MAX) {
        buf_put_str(w->html, STR("<tr><td>"));
        put_html(buf_str(&w->left), w->html);
        buf_put_str(w->html, STR("</td><td>"));
        put_html(buf_str(&w->right), w->html);
        buf_put_str(w->html, STR("</td></tr>\n"));
    }
    w->rows++;
    buf_fini(&line);
    buf_reset(&w->left);
    buf_reset(&w->right);
}

/* `all` rows there are, of which put_row() had the first. */
static void end_part(struct writer *w, size_t all)
{
    if (all > DIGEST_TEXT_ROWS)
        buf_printf(w->text, "- and %zu more\n", all - DIGEST_TEXT_ROWS);
    buf_put_str(w->html, STR("</table>\n"));
    if (all > DIGEST_ROWS_MAX)
        buf_printf(w->html, "<p>and %zu more</p>\n", all - DIGEST_ROWS_MAX);
}

/* ---- The parts ---- */

static void put_names(struct writer *w, const char *title, enum digest_count count)
{
    const struct digest_name *top[DIGEST_ROWS_MAX];
    size_t all, n = digest_top(w->f, count, top, &all);
    begin_part(w, title, w->f->totals[count]);
    for (size_t i = 0; i < n; i++) {
        buf_put_str(&w->left, top[i]->name);
        buf_printf(&w->right, "%zu", top[i]->counts[count]);
        if (count == DIGEST_OF_OPEN && top[i]->counts[DIGEST_OF_HELD] > 0)
            buf_printf(&w->right, " (%zu muted)", top[i]->counts[DIGEST_OF_HELD]);
        if (count == DIGEST_OF_OPEN) {
            buf_put_str(&w->right, STR(", since "));
            put_time(w->f, top[i]->since_ms, &w->right);
        }
        put_row(w);
    }
    end_part(w, all);
}

static void put_past(struct writer *w, const char *title, enum digest_count count)
{
    if (!w->f->has_history) {
        buf_printf(w->text, "\n%s: not known, no history is kept\n", title);
        buf_printf(w->html, "<h3>%s: not known, no history is kept</h3>\n", title);
        return;
    }
    put_names(w, title, count);
    if (!w->f->has_all_events) {
        buf_put_str(w->text, STR("- older ones were not counted\n"));
        buf_put_str(w->html, STR("<p>older ones were not counted</p>\n"));
    }
}

static void put_silences(struct writer *w)
{
    begin_part(w, "Silences", w->f->silence_count);
    for (size_t i = 0; i < MIN(w->f->silence_count, (size_t)DIGEST_ROWS_MAX); i++) {
        const struct digest_silence *s = &w->f->silences[i];
        buf_put_str(&w->left, s->matchers);
        buf_put_str(&w->right, STR("until "));
        put_time(w->f, s->ends_at_ms, &w->right);
        buf_printf(&w->right, ", by " STR_FMT "%s" STR_FMT, STR_ARG(s->by),
                   s->comment.len > 0 ? ": " : "", STR_ARG(s->comment));
        put_row(w);
    }
    end_part(w, w->f->silence_count);
}

static void put_slos(struct writer *w)
{
    begin_part(w, "Objectives short of budget", w->f->slo_count);
    for (size_t i = 0; i < MIN(w->f->slo_count, (size_t)DIGEST_ROWS_MAX); i++) {
        const struct digest_slo *s = &w->f->slos[i];
        buf_printf(&w->left, STR_FMT "/" STR_FMT, STR_ARG(s->service), STR_ARG(s->name));
        if (s->remaining < 0)
            buf_printf(&w->right, "overspent by %.1f %%", -100 * s->remaining);
        else
            buf_printf(&w->right, "%.1f %% left, spent before the period ends", 100 * s->remaining);
        put_row(w);
    }
    end_part(w, w->f->slo_count);
}

/* ---- The whole ---- */

static bool is_wanted(const struct digest_facts *f, enum digest_part part)
{
    return (f->config->include & (1u << part)) != 0;
}

/* "Digest 2026-11-23 08:00 CET: 3 open, 12 fired" */
static void put_title(const struct digest_facts *f, struct buf *out)
{
    const struct {
        enum digest_part part;
        size_t count;
        const char *one, *many;
    } PARTS[] = {
        {DIGEST_OPEN, f->totals[DIGEST_OF_OPEN], "open", "open"},
        {DIGEST_FIRED, f->totals[DIGEST_OF_FIRED], "fired", "fired"},
        {DIGEST_RESOLVED, f->totals[DIGEST_OF_RESOLVED], "resolved", "resolved"},
        {DIGEST_SILENCES, f->silence_count, "silence", "silences"},
        {DIGEST_SLO, f->slo_count, "objective short of budget", "objectives short of budget"}};
    bool any = false;
    buf_put_str(out, STR("Digest "));
    put_time(f, f->until_ms, out);
    put_zone(f, f->until_ms, out);
    for (size_t i = 0; i < COUNT_OF(PARTS); i++) {
        if (!is_wanted(f, PARTS[i].part) || PARTS[i].count == 0)
            continue;
        buf_printf(out, "%s%zu %s", any ? ", " : ": ", PARTS[i].count,
                   PARTS[i].count == 1 ? PARTS[i].one : PARTS[i].many);
        any = true;
    }
    if (!any)
        buf_put_str(out, STR(": nothing to tell"));
}

static void put_span(const struct writer *w)
{
    struct buf span = {0};
    buf_put_str(&span, STR("From "));
    put_time(w->f, w->f->since_ms, &span);
    put_zone(w->f, w->f->since_ms, &span);
    buf_put_str(&span, STR(" to "));
    put_time(w->f, w->f->until_ms, &span);
    put_zone(w->f, w->f->until_ms, &span);
    buf_printf(w->text, "%s\n", buf_cstr(&span));
    buf_printf(w->html, "<p>%s</p>\n", buf_cstr(&span));
    buf_fini(&span);
}

void digest_write(const struct digest_facts *f, struct buf *title, struct buf *text,
                  struct buf *html)
{
    struct writer w = {.f = f, .text = text, .html = html};
    put_title(f, title);
    buf_put_str(html, STR("<h2>"));
    escape_html(buf_str(title), html);
    buf_put_str(html, STR("</h2>\n"));
    put_span(&w);
    if (is_wanted(f, DIGEST_OPEN))
        put_names(&w, "Open", DIGEST_OF_OPEN);
    if (is_wanted(f, DIGEST_FIRED))
        put_past(&w, "Fired", DIGEST_OF_FIRED);
    if (is_wanted(f, DIGEST_RESOLVED))
        put_past(&w, "Resolved", DIGEST_OF_RESOLVED);
    if (is_wanted(f, DIGEST_SILENCES))
        put_silences(&w);
    if (is_wanted(f, DIGEST_SLO))
        put_slos(&w);
    buf_fini(&w.left);
    buf_fini(&w.right);
}
