/* Any bytes: no crash; a position inside the text for every error; what parses prints to text that
 * parses to a tree which prints the same, on one line and on several. */
#include <stdint.h>
#include <string.h>

#include "base/assert.h"
#include "query/durations.h"
#include "query/parser.h"
#include "query/printer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { BUDGET = 64 << 20 };

static const struct promql_options EXPERIMENTAL = {
    .experimental_functions = true,
    .fill_modifiers = true,
    .extended_range_selectors = true,
};

typedef void (*print)(const struct expr *e, struct buf *out);

/* A number that prints longer than it was written may not fit the limit of a query. */
static void check_print(const struct expr *e, print how)
{
    struct buf once = {0}, again = {0};
    struct arena a;
    struct expr *copy = NULL;
    how(e, &once);
    arena_init(&a, BUDGET);
    if (once.len <= PROMQL_TEXT_SIZE_MAX) {
        ASSERT(promql_parse(buf_str(&once), &EXPERIMENTAL, &a, &copy, NULL) == OK);
        how(copy, &again);
        ASSERT(str_eq(buf_str(&once), buf_str(&again)));
        expr_fini(copy);
    }
    arena_fini(&a);
    buf_fini(&once);
    buf_fini(&again);
}

static void check_selector(str text)
{
    struct arena a;
    struct matcher *ms;
    size_t count;
    arena_init(&a, BUDGET);
    if (promql_parse_selector(text, NULL, &a, &ms, &count, NULL) == OK) {
        (void)promql_selector_is_empty(ms, count);
        promql_selector_fini(ms, count);
    }
    arena_fini(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    str text = slice_text((slice){data, size});
    struct diag d = {0};
    struct arena a;
    struct expr *e = NULL;
    arena_init(&a, BUDGET);
    if (promql_parse(text, &EXPERIMENTAL, &a, &e, &d) == OK) {
        struct duration_context ctx = {15000, 3600000};
        check_print(e, expr_format);
        check_print(e, expr_pretty);
        err resolved = durations_resolve(e, &ctx, NULL);
        ASSERT(resolved == OK || resolved == ERR_INVALID);
        expr_fini(e);
    } else {
        ASSERT(d.text[0] != '\0');
        ASSERT(d.start <= d.end);
        ASSERT(d.end <= size);
    }
    arena_fini(&a);
    check_selector(text);
    return 0;
}
