/* notice_text.c -- see notice_text.h. */
#include "notify/notice_text.h"

#include <string.h>

#include "base/compiler.h"
#include "rules/template_escape.h"

enum saying {
    SAY_TITLE,
    SAY_TEXT,
    SAY_SLACK,  /* text, with Slack's three entities */
    SAY_BLOCKS, /* text for Markdown that joins lines: each is a paragraph */
    SAY_BOTH,   /* title and text */
    SAY_MAIL,   /* HTML */
    SAY_PRIORITY,
    SAY_SEVERITY,
};

static const struct words {
    enum integration_kind kind;
    const char *key; /* as senders name it in errors */
    enum saying saying;
} WORDS[] = {
    {INTEGRATION_EMAIL, "headers.Subject", SAY_TITLE},
    {INTEGRATION_EMAIL, "text", SAY_TEXT},
    {INTEGRATION_EMAIL, "html", SAY_MAIL},
    {INTEGRATION_PAGERDUTY, "description", SAY_TITLE},
    {INTEGRATION_PAGERDUTY, "severity", SAY_SEVERITY},
    {INTEGRATION_OPSGENIE, "message", SAY_TITLE},
    {INTEGRATION_OPSGENIE, "description", SAY_TEXT},
    {INTEGRATION_OPSGENIE, "priority", SAY_PRIORITY},
    {INTEGRATION_SLACK, "title", SAY_TITLE},
    {INTEGRATION_SLACK, "fallback", SAY_TITLE},
    {INTEGRATION_SLACK, "text", SAY_SLACK},
    {INTEGRATION_TELEGRAM, "message", SAY_BOTH},
    {INTEGRATION_DISCORD, "title", SAY_TITLE},
    {INTEGRATION_DISCORD, "message", SAY_TEXT},
    {INTEGRATION_MSTEAMS, "title", SAY_TITLE},
    {INTEGRATION_MSTEAMS, "summary", SAY_TITLE},
    {INTEGRATION_MSTEAMS, "text", SAY_BLOCKS},
    {INTEGRATION_MSTEAMSV2, "title", SAY_TITLE},
    {INTEGRATION_MSTEAMSV2, "text", SAY_BLOCKS},
};

static const struct words *find(const struct notification *n, const char *key)
{
    for (size_t i = 0; i < COUNT_OF(WORDS); i++)
        if (WORDS[i].kind == n->kind && strcmp(WORDS[i].key, key) == 0)
            return &WORDS[i];
    return NULL;
}

/* Slack reads these three as markup, and nothing else as an entity. */
static void put_slack(str s, struct buf *out)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] == '&' || s.ptr[i] == '<' || s.ptr[i] == '>')
            escape_html((str){s.ptr + i, 1}, out);
        else
            buf_put_u8(out, (uint8_t)s.ptr[i]);
    }
}

static void put_lines(str s, const char *end, struct buf *out)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] == '\n')
            buf_put_str(out, str_from(end));
        else
            buf_put_u8(out, (uint8_t)s.ptr[i]);
    }
}

static void put_mail(const struct notice_text *t, struct buf *out)
{
    struct buf escaped = {0};
    buf_put_str(out, STR("<!DOCTYPE html>\n<html>\n<head>\n<meta charset=\"UTF-8\" />\n<title>"));
    escape_html(t->title, out);
    buf_put_str(out, STR("</title>\n</head>\n<body style=\"margin:0;padding:20px;font-family:"
                         "Helvetica,Arial,sans-serif;font-size:14px\">\n"));
    escape_html(t->text, &escaped);
    if (t->html.len > 0) {
        buf_put_str(out, t->html);
    } else {
        buf_put_str(out, STR("<p>"));
        put_lines(buf_str(&escaped), "<br />\n", out);
        buf_put_str(out, STR("</p>"));
    }
    buf_put_str(out, STR("\n</body>\n</html>\n"));
    buf_fini(&escaped);
}

static void say(enum saying how, const struct notice_text *t, struct buf *out)
{
    switch (how) {
    case SAY_TITLE:
        buf_put_str(out, t->title);
        break;
    case SAY_TEXT:
        buf_put_str(out, t->text);
        break;
    case SAY_SLACK:
        put_slack(t->text, out);
        break;
    case SAY_BLOCKS:
        put_lines(t->text, "\n\n", out);
        break;
    case SAY_BOTH:
        buf_printf(out, STR_FMT "\n" STR_FMT, STR_ARG(t->title), STR_ARG(t->text));
        break;
    case SAY_MAIL:
        put_mail(t, out);
        break;
    case SAY_PRIORITY:
        buf_put_str(out, STR("P5"));
        break;
    case SAY_SEVERITY:
        buf_put_str(out, STR("info"));
        break;
    }
}

bool notice_text_for(const struct notification *n, const char *key, struct buf *out)
{
    const struct words *w = n->notice != NULL ? find(n, key) : NULL;
    if (w != NULL)
        say(w->saying, n->notice, out);
    return w != NULL;
}
