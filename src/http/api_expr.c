/* api_expr.c -- what a query says, without running it: format_query, parse_query. */
#include "http/api.h"
#include "http/ast_json.h"
#include "http/json.h"
#include "query/parser.h"
#include "query/printer.h"

enum { EXPR_BYTES_MAX = 64 << 20 }; /* memory of one tree */

/* Parse the parameter `query` and have `put` write about it; errors are answered. */
static void answer_expr(struct http_request *r, void (*put)(struct buf *b, const struct expr *e))
{
    struct arena a;
    struct diag d = {.text = ""};
    struct expr *e;
    const struct query_options *f = &api_of(r)->features;
    struct promql_options o = {.experimental_functions = f->experimental_functions,
                               .fill_modifiers = f->fill_modifiers,
                               .extended_range_selectors = f->extended_range_selectors,
                               .canceled = http_canceled(r)};
    arena_init(&a, EXPR_BYTES_MAX);
    if (promql_parse(http_param(r, STR("query")), &o, &a, &e, &d) != OK) {
        api_fail_param(r, "query", d.text);
    } else {
        struct buf *b = api_begin(r);
        put(b, e);
        api_end(b, NULL, 0, NULL, 0);
        expr_fini(e);
    }
    arena_fini(&a);
}

static void put_pretty(struct buf *b, const struct expr *e)
{
    struct buf text = {0};
    expr_pretty(e, &text);
    json_html(b, buf_str(&text));
    buf_fini(&text);
}

void api_format_query(struct http_request *r)
{
    answer_expr(r, put_pretty);
}

void api_parse_query(struct http_request *r)
{
    answer_expr(r, ast_json);
}
