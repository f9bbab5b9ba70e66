/* api_discovery.c -- targets, scrape pools, rules, alerts and Alertmanagers: the answers of a
 * server without scrape configurations and rules. Parameters are checked as if there were some. */
#include <strings.h>

#include "base/number.h"
#include "base/utf8.h"
#include "http/api.h"
#include "query/parser.h"

enum { SELECTOR_BYTES_MAX = 1 << 20 };

static void answer(struct http_request *r, const char *data)
{
    struct buf *b = api_begin(r);
    buf_put_str(b, str_from(data));
    api_end(b, NULL, 0, NULL, 0);
}

static bool is_state(str state, const char *name)
{
    return state.len == strlen(name) && strncasecmp(state.ptr, name, state.len) == 0;
}

void api_targets(struct http_request *r)
{
    str state = http_param(r, STR("state"));
    bool any = state.len == 0 || is_state(state, "any");
    bool dropped = any || is_state(state, "dropped");
    struct buf *b = api_begin(r);
    buf_printf(b, "{\"activeTargets\":[],\"droppedTargets\":[],\"droppedTargetCounts\":%s}",
               dropped ? "{}" : "null");
    api_end(b, NULL, 0, NULL, 0);
}

/* 400 when `text` is no selector. */
static bool check_selector(struct http_request *r, str text)
{
    struct diag d = {.text = ""};
    struct promql_options options = {.canceled = http_canceled(r)};
    struct arena a;
    struct matcher *matchers;
    size_t count;
    arena_init(&a, SELECTOR_BYTES_MAX);
    bool ok = promql_parse_selector(text, &options, &a, &matchers, &count, &d) == OK;
    if (ok)
        promql_selector_fini(matchers, count);
    else
        api_fail(r, API_BAD_DATA, d.text);
    arena_fini(&a);
    return ok;
}

void api_targets_metadata(struct http_request *r)
{
    int64_t limit;
    str selector = http_param(r, STR("match_target"));
    if (api_param_number(r, "limit", &limit) && (selector.len == 0 || check_selector(r, selector)))
        answer(r, "[]");
}

/* There is no pool: whichever is asked for is unknown. */
static void fail_pool(struct http_request *r, str pool)
{
    struct buf b = {0};
    buf_put_str(&b, STR("error retrieving scrape config: scrape pool "));
    utf8_quote(&b, pool);
    buf_put_str(&b, STR(" not found"));
    api_fail(r, API_BAD_DATA, buf_cstr(&b));
    buf_fini(&b);
}

void api_relabel_steps(struct http_request *r)
{
    str pool = http_param(r, STR("scrapePool"));
    if (pool.len == 0)
        api_fail(r, API_BAD_DATA, "no scrapePool parameter provided");
    else if (http_param(r, STR("labels")).len == 0)
        api_fail(r, API_BAD_DATA, "no labels parameter provided");
    else
        fail_pool(r, pool);
}

void api_scrape_pools(struct http_request *r)
{
    answer(r, "{\"scrapePools\":[]}");
}

void api_scrape_pool_config(struct http_request *r)
{
    str pool = http_param(r, STR("scrapePool"));
    if (pool.len == 0)
        api_fail(r, API_BAD_DATA, "no scrapePool parameter provided");
    else
        fail_pool(r, pool);
}

/* ---- Rules ---- */

static bool check_rule_type(struct http_request *r)
{
    str type = http_param(r, STR("type"));
    if (type.len == 0 || is_state(type, "alert") || is_state(type, "record"))
        return true;
    struct buf b = {0};
    buf_put_str(&b, STR("not supported value "));
    utf8_quote(&b, type);
    api_fail_param(r, "type", buf_cstr(&b));
    buf_fini(&b);
    return false;
}

static bool check_exclude_alerts(struct http_request *r)
{
    bool exclude;
    str s = http_param(r, STR("exclude_alerts"));
    if (s.len == 0 || api_parse_bool(s, &exclude))
        return true;
    struct buf b = {0};
    buf_put_str(&b, STR("error converting exclude_alerts: strconv.ParseBool: parsing "));
    utf8_quote(&b, s);
    buf_put_str(&b, STR(": invalid syntax"));
    api_fail_param(r, "exclude_alerts", buf_cstr(&b));
    buf_fini(&b);
    return false;
}

static bool check_page(struct http_request *r)
{
    int64_t n = 0;
    str limit = http_param(r, STR("group_limit")), token = http_param(r, STR("group_next_token"));
    struct buf b = {0};
    if (limit.len > 0 && (number_parse_i64(limit, &n) != OK || n > INT32_MAX || n < INT32_MIN)) {
        buf_put_str(&b, STR("group_limit needs to be a valid number: strconv.ParseInt: parsing "));
        utf8_quote(&b, limit);
        buf_put_str(&b, n == 0 ? STR(": invalid syntax") : STR(": value out of range"));
        api_fail_param(r, "group_limit", buf_cstr(&b));
    } else if (limit.len > 0 && n <= 0) {
        api_fail_param(r, "group_limit", "group_limit needs to be greater than 0");
    } else if (token.len > 0 && limit.len == 0) {
        api_fail_param(r, "group_next_token",
                       "group_limit needs to be present in order to paginate over the groups");
    } else if (token.len > 0) { /* there is no group it could have come from */
        buf_printf(&b, "invalid group_next_token '" STR_FMT "'. were rule groups changed?",
                   STR_ARG(token));
        api_fail_param(r, "group_next_token", buf_cstr(&b));
    } else {
        return true;
    }
    buf_fini(&b);
    return false;
}

void api_rules(struct http_request *r)
{
    struct api_selectors s;
    if (!api_selectors(r, false, &s))
        return;
    api_selectors_fini(&s);
    if (check_rule_type(r) && check_exclude_alerts(r) && check_page(r))
        answer(r, "{\"groups\":[]}");
}

void api_alerts(struct http_request *r)
{
    answer(r, "{\"alerts\":[]}");
}

void api_alertmanagers(struct http_request *r)
{
    answer(r, "{\"activeAlertmanagers\":[],\"droppedAlertmanagers\":[]}");
}
