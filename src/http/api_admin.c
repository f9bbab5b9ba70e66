/* api_admin.c -- admin routes: only with --web.enable-admin-api. */
#include "base/number.h"
#include "base/utf8.h"
#include "http/api.h"
#include "http/json.h"

bool api_admin_allowed(struct http_request *r)
{
    if (api_of(r)->admin)
        return true;
    api_fail(r, API_UNAVAILABLE, "admin APIs disabled");
    return false;
}

void api_delete_series(struct http_request *r)
{
    struct api_selectors s;
    int64_t start_ms, end_ms;
    struct diag d = {.text = ""};
    if (!api_admin_allowed(r) || !api_has_selectors(r) ||
        !api_param_time(r, "start", INT64_MIN, &start_ms) ||
        !api_param_time(r, "end", INT64_MAX, &end_ms))
        return;
    if (!api_selectors(r, true, &s))
        return;
    err e = OK;
    for (size_t i = 0; i < s.count && e == OK && start_ms <= end_ms; i++) {
        struct db_select_args args = {.matchers = s.matchers[i],
                                      .matcher_count = s.counts[i],
                                      .min_ms = start_ms,
                                      .max_ms = end_ms};
        e = db_delete(api_of(r)->db, &args);
    }
    if (e != OK)
        api_fail_err(r, e, &d);
    else
        http_answer(r, 204, NULL);
    api_selectors_fini(&s);
}

void api_clean_tombstones(struct http_request *r)
{
    struct diag d = {.text = ""};
    if (!api_admin_allowed(r))
        return;
    err e = db_clean_tombstones(api_of(r)->db);
    if (e != OK)
        api_fail_err(r, e, &d);
    else
        http_answer(r, 204, NULL);
}

void api_snapshot(struct http_request *r)
{
    char name[64];
    bool skip_head = false;
    struct diag d = {.text = ""};
    str s = http_param(r, STR("skip_head"));
    if (!api_admin_allowed(r))
        return;
    if (s.len > 0 && !number_parse_bool(s, &skip_head)) {
        struct buf b = {0};
        buf_put_str(&b, STR("unable to parse boolean: strconv.ParseBool: parsing "));
        utf8_quote(&b, s);
        buf_put_str(&b, STR(": invalid syntax"));
        api_fail_param(r, "skip_head", buf_cstr(&b));
        buf_fini(&b);
        return;
    }
    err e = db_snapshot(api_of(r)->db, skip_head, name);
    if (e != OK) {
        api_fail_err(r, e, &d);
        return;
    }
    struct buf *b = api_begin(r);
    buf_put_str(b, STR("{\"name\":"));
    json_html(b, str_from(name));
    buf_put_u8(b, '}');
    api_end(b, NULL, 0, NULL, 0);
}
