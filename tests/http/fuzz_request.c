/* Any bytes as request target, query, body of a form and of a multipart form, and Accept-Encoding:
 * no crash; a path that is routed has no odd segment; every parameter lies in what was sent. */
#include <stdint.h>
#include <string.h>

#include "base/assert.h"
#include "http/cost.h"
#include "http/params.h"
#include "http/search.h"
#include "http/server.h"
#include "http/site.h"
#include "http/target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_target(str text)
{
    struct buf path = {0};
    str query;
    if (target_parse(text, &path, &query) == TARGET_OK) {
        const char *p = (const char *)path.ptr;
        ASSERT(strlen(p) == path.len);
        ASSERT(strcmp(p, "*") == 0 || p[0] == '/');
        ASSERT(strstr(p, "//") == NULL);
        ASSERT(strstr(p, "/../") == NULL && strstr(p, "/./") == NULL);
    }
    ASSERT(query.len <= text.len);
    str authority = target_authority(text);
    ASSERT(authority.len == 0 || memchr(authority.ptr, '/', authority.len) == NULL);
    buf_fini(&path);
}

static void check_params(str content_type, str body)
{
    struct params p = {0};
    bool ok = params_add_url(&p, body) && params_add_body(&p, content_type, str_bytes(body));
    ASSERT(ok == (p.error[0] == '\0'));
    ASSERT(p.count <= HTTP_PARAMS_MAX);
    ASSERT(p.text.len <= 2 * body.len);
    (void)params_nth(&p, STR("query"), 0);
    params_fini(&p);
}

static void check_site(str text)
{
    struct site s;
    struct diag d;
    if (site_init(&s, text, STR(":1"), STR(""), STR("box"), &d) != OK)
        return;
    bool browser = site_knows(&s, text, true);
    ASSERT(!browser || site_knows(&s, text, false));
    struct site_call call = {.host = STR("a"), .origin = text};
    ASSERT(text.len == 0 || !site_may_change(&s, &call, NULL) ||
           memmem(text.ptr, text.len, "://a", 4) != NULL ||
           memmem(text.ptr, text.len, "://A", 4) != NULL ||
           memchr(text.ptr, '@', text.len) != NULL);
}

static void check_search(str text)
{
    size_t half = text.len / 2;
    double score;
    for (int i = 0; i < 4; i++) {
        struct search s = {.algorithm = (i & 1) != 0 ? SEARCH_JAROWINKLER : SEARCH_SUBSEQUENCE,
                           .ignore_case = (i & 2) != 0,
                           .threshold = 0.5};
        if (search_add(&s, (str){text.ptr, half}) == OK) {
            bool found = search_matches(&s, (str){text.ptr + half, text.len - half}, &score);
            ASSERT(score >= 0 && score <= 1);
            ASSERT(!found || score > 0);
        }
        search_fini(&s);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    str text = size > 0 ? slice_text((slice){data, size}) : (str){"", 0}, boundary;
    check_target(text);
    check_site(text);
    ASSERT(cost_of_query(text, 0) <= GATE_HEAVY);
    check_params(STR("application/x-www-form-urlencoded"), text);
    check_params(STR("multipart/form-data; boundary=b"), text);
    check_params(text, STR("a=b"));
    (void)multipart_boundary(text, &boundary);
    (void)params_coding(text);
    if (size <= 256)
        check_search(text);
    return 0;
}
