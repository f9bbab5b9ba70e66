/* front.c -- /query: where people who open the server in a browser, or follow the link of an alert,
 * find out what is here. Expressions that a link carries are shown with their answers' address. */
#include <stdio.h>

#include "base/url_text.h"
#include "http/api.h"
#include "http/page.h"

enum { EXPRESSIONS_MAX = 16 }; /* of one link */

static void put_link(struct buf *b, const char *prefix, const char *path, const char *what)
{
    buf_put_str(b, STR("<li><a href=\""));
    html_put(b, str_from(prefix));
    buf_printf(b, "%s\">%s</a></li>\n", path, what);
}

/* Parameters g0.expr, g1.expr ..., as links to Prometheus' page have them. */
static void put_expressions(struct http_request *r, struct buf *b, const char *prefix)
{
    for (unsigned i = 0; i < EXPRESSIONS_MAX; i++) {
        char name[16];
        (void)snprintf(name, sizeof(name), "g%u.expr", i);
        str expr = http_param(r, str_from(name));
        if (expr.len == 0)
            return;
        buf_put_str(b, STR("<p><code>"));
        html_put(b, expr);
        buf_put_str(b, STR("</code> <a href=\""));
        html_put(b, str_from(prefix));
        buf_put_str(b, STR("/api/v1/query?query="));
        url_put(b, expr);
        buf_put_str(b, STR("\">what it gives now</a></p>\n"));
    }
}

void front_page(struct http_request *r)
{
    static const char *const LINKS[][2] = {
        {"/api/v1/targets", "targets that are scraped"},
        {"/api/v1/rules", "rules"},
        {"/api/v1/alerts", "alerts"},
        {"/api/v1/status/tsdb", "series by metric and label"},
        {"/api/v1/status/active_queries", "queries that run"},
        {"/health", "health"},
        {"/metrics", "metrics of this server"},
        {"/api/v1/status/buildinfo", "version"},
        {"/api/v1/openapi.yaml", "the API"},
    };
    const char *prefix = api_of(r)->urls.external_path;
    struct buf *b = http_out(r);
    page_begin(r, 200, "Varve");
    put_expressions(r, b, prefix);
    buf_put_str(b, STR("<p>Dashboards are drawn by Grafana: add a data source of the kind "
                       "Prometheus with the address of this page, without what follows the last "
                       "slash.</p>\n<ul>\n"));
    for (size_t i = 0; i < COUNT_OF(LINKS); i++)
        put_link(b, prefix, LINKS[i][0], LINKS[i][1]);
    buf_put_str(b, STR("</ul>\n"));
    page_end(r);
}
