/* discovery_text.h -- discovery from a text of configuration, and its targets as text, for tests.
 */
#ifndef TESTS_SUPPORT_DISCOVERY_TEXT_H
#define TESTS_SUPPORT_DISCOVERY_TEXT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "ingest/discovery.h"
#include "support/config_text.h"

static inline struct config *config_of(const char *sd)
{
    struct buf text = {0};
    struct diag d = {.text = ""};
    struct config *c = NULL;
    buf_printf(&text, "scrape_configs:\n- job_name: j\n  %s\n", sd);
    if (config_from_text(buf_cstr(&text), &c, &d) != OK)
        fail_msg("%s", d.text);
    buf_fini(&text);
    return c;
}

/* Apply the first job as set "scrape/j"; the configuration is discovery's alone from here. */
static inline void apply(struct discovery *d, struct config *c)
{
    struct diag why = {.text = ""};
    struct discovery_set set = {STR("scrape/j"), &c->jobs.items[0].discovery};
    if (discovery_apply(d, c, &set, 1, &why) != OK)
        fail_msg("%s", why.text);
    config_unref(c);
}

static inline int compare_lines(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* All targets as sorted lines "a=b,c=d". */
static inline void show(struct discovery *d, struct buf *out)
{
    struct discovery_view v;
    char *lines[64];
    size_t count = 0;
    discovery_look(d, STR("scrape/j"), &v);
    for (size_t i = 0; i < v.count; i++) {
        for (size_t k = 0; k < sd_targets_count(v.parts[i]); k++) {
            struct buf line = {0};
            struct labels ls = sd_targets_at(v.parts[i], k);
            for (size_t n = 0; n < ls.count; n++)
                buf_printf(&line, "%s" STR_FMT "=" STR_FMT, n > 0 ? "," : "",
                           STR_ARG(ls.items[n].name), STR_ARG(ls.items[n].value));
            assert_true(count < COUNT_OF(lines));
            lines[count++] = strdup(buf_cstr(&line));
            buf_fini(&line);
        }
    }
    qsort(lines, count, sizeof(*lines), compare_lines);
    buf_reset(out);
    for (size_t i = 0; i < count; i++) {
        buf_printf(out, "%s\n", lines[i]);
        free(lines[i]);
    }
    discovery_view_fini(&v);
}

/* Wait until the targets are these, at most 5 s. */
static inline void expect(struct discovery *d, const char *want)
{
    struct buf got = {0};
    for (int i = 0; i < 500; i++) {
        show(d, &got);
        if (strcmp(buf_cstr(&got), want) == 0)
            break;
        clock_sleep_ns(10000000);
    }
    assert_string_equal(buf_cstr(&got), want);
    buf_fini(&got);
}

/* The value that /metrics would have after `line` and a blank. */
static inline unsigned long long metric_of(struct discovery *d, const char *line)
{
    struct buf text = {0};
    discovery_metrics(&d, 1, &text);
    const char *at = strstr(buf_cstr(&text), line);
    if (at == NULL)
        fail_msg("no %s in\n%s", line, buf_cstr(&text));
    unsigned long long v = strtoull(at + strlen(line), NULL, 10);
    buf_fini(&text);
    return v;
}

static inline void expect_reason(struct discovery *d, const char *part)
{
    struct buf why = {0};
    for (int i = 0; i < 500; i++) {
        buf_reset(&why);
        discovery_reasons(d, STR("scrape/j"), &why);
        if (part == NULL ? why.len == 0 : strstr(buf_cstr(&why), part) != NULL)
            break;
        clock_sleep_ns(10000000);
    }
    if (part == NULL)
        assert_int_equal(why.len, 0);
    else if (strstr(buf_cstr(&why), part) == NULL)
        fail_msg("got \"%s\", want \"%s\"", buf_cstr(&why), part);
    buf_fini(&why);
}

#endif
