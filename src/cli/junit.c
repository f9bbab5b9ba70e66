/* junit.c -- see junit.h. */
#include "cli/junit.h"

#include <time.h>

#include "base/utf8.h"

/* Text within an element or attribute. What XML has no place for becomes U+FFFD, as Go has it. */
static void put_escaped(struct buf *out, str s)
{
    for (size_t i = 0; i < s.len;) {
        unsigned size;
        uint32_t rune = utf8_decode((str){s.ptr + i, s.len - i}, &size);
        i += size;
        if (rune == '<')
            buf_put_str(out, STR("&lt;"));
        else if (rune == '>')
            buf_put_str(out, STR("&gt;"));
        else if (rune == '&')
            buf_put_str(out, STR("&amp;"));
        else if (rune == '"')
            buf_put_str(out, STR("&#34;"));
        else if (rune == '\'')
            buf_put_str(out, STR("&#39;"));
        else if (rune == '\t' || rune == '\n' || rune == '\r')
            buf_printf(out, "&#x%X;", rune);
        else
            utf8_append(out, rune < ' ' || rune == 0xfffe || rune == 0xffff ? 0xfffd : rune);
    }
}

void junit_fini(struct junit *j)
{
    buf_fini(&j->suites);
    buf_fini(&j->cases);
}

void junit_case(struct junit *j, str name, const struct texts *failures, bool aborted)
{
    const char *element = aborted ? "error" : "failure";
    buf_put_str(&j->cases, STR("<testcase name=\""));
    put_escaped(&j->cases, name);
    buf_put_str(&j->cases, STR("\">"));
    for (size_t i = 0; i < failures->count; i++) {
        buf_printf(&j->cases, "<%s>", element);
        put_escaped(&j->cases, failures->items[i]);
        buf_printf(&j->cases, "</%s>", element);
    }
    buf_put_str(&j->cases, STR("</testcase>"));
    j->tests++;
    *(aborted ? &j->errors : &j->failures) += failures->count;
}

void junit_end_suite(struct junit *j, str name, int64_t started_ms)
{
    time_t seconds = (time_t)(started_ms / 1000);
    struct tm tm;
    char when[32] = "";
    if (localtime_r(&seconds, &tm) != NULL)
        (void)strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%S", &tm);
    buf_put_str(&j->suites, STR("<testsuite name=\""));
    put_escaped(&j->suites, name);
    buf_printf(&j->suites,
               "\" tests=\"%zu\" failures=\"%zu\" errors=\"%zu\" skipped=\"0\" timestamp=\"%s\">",
               j->tests, j->failures, j->errors, when);
    buf_put_str(&j->suites, buf_str(&j->cases));
    buf_put_str(&j->suites, STR("</testsuite>"));
    buf_reset(&j->cases);
    j->tests = j->failures = j->errors = 0;
}

void junit_write(const struct junit *j, struct buf *out)
{
    buf_put_str(out, STR("<testsuites>"));
    buf_put_str(out, buf_str(&j->suites));
    buf_put_str(out, STR("</testsuites>"));
}
