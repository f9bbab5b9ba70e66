/* api_discovery.c -- rules, alerts and Alertmanagers: the answers of a server without rules.
 * Parameters are checked as if there were some. */
#include <strings.h>

#include "base/number.h"
#include "base/utf8.h"
#include "http/api.h"

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
