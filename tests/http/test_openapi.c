/* test_openapi.c -- the document knows every route of the API. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "config/web_config.h"
#include "http/api.h"
#include "http/openapi.h"

static void check_method(const char *path, const struct http_route *route, unsigned bit,
                         const char *name)
{
    if ((route->methods & bit) != 0 && !openapi_has(str_from(path), str_from(name)))
        fail_msg("%s %s is not in the document", name, path);
}

static void test_openapi__has_every_route(void **state)
{
    (void)state;
    size_t count, checked = 0;
    const struct http_route *routes = api_routes(&count);
    for (size_t i = 0; i < count; i++) {
        const char *base = "/api/v1", *path = routes[i].path;
        if (strncmp(path, "/health", 7) == 0)
            check_method(path, &routes[i], HTTP_GET, "get");
        if (strncmp(path, base, strlen(base)) != 0)
            continue;
        path += strlen(base);
        if (strcmp(path, "/label/*/values") == 0)
            path = "/label/{name}/values";
        if (strcmp(path, "/status/active_queries/*/cancel") == 0)
            path = "/status/active_queries/{id}/cancel";
        struct buf named = {0}; /* with what stands for the id of an incident */
        if (strncmp(path, "/alerting/incidents/*/", 22) == 0) {
            buf_printf(&named, "/alerting/incidents/{id}/%s", path + 22);
            path = buf_cstr(&named);
        }
        if (strcmp(path, "/alerting/incidents/*") == 0)
            path = "/alerting/incidents/{id}";
        if (strcmp(path, "/alerting/maintenance/*/override") == 0)
            path = "/alerting/maintenance/{name}/override";
        if (strcmp(path, "/alerting/maintenance/*") == 0)
            path = "/alerting/maintenance/{name}";
        check_method(path, &routes[i], HTTP_GET, "get");
        check_method(path, &routes[i], HTTP_POST, "post");
        check_method(path, &routes[i], HTTP_PUT, "put");
        if (strncmp(path, "/alerting/", 10) == 0)
            check_method(path, &routes[i], HTTP_DELETE, "delete");
        buf_fini(&named);
        checked++;
    }
    assert_true(checked > 30);
}

static bool has(const struct buf *b, const char *text)
{
    return memmem(b->ptr, b->len, text, strlen(text)) != NULL;
}

static void test_openapi__versions(void **state)
{
    (void)state;
    struct buf old = {0}, new = {0};
    openapi_yaml(false, "1.2.3", STR("/p/api/v1"), &old);
    openapi_yaml(true, "1.2.3", STR("/p/api/v1"), &new);
    assert_true(has(&old, "openapi: 3.1.0\n") && has(&new, "openapi: 3.2.0\n"));
    assert_true(has(&old, "version: \"1.2.3\"\n") && has(&old, "url: \"/p/api/v1\"\n"));
    assert_true(has(&old, "  /health/live:\n    servers:\n      - url: \"/p\"\n"));
    assert_false(has(&old, "/notifications/live:")); /* streams cannot be described before 3.2 */
    assert_true(has(&new, "/notifications/live:") && has(&new, "itemSchema:"));
    buf_fini(&old);
    buf_fini(&new);
}

static void test_openapi__has_alertmanagers_routes(void **state)
{
    (void)state;
    size_t count, checked = 0;
    const struct http_route *routes = api_routes(&count);
    struct buf document = {0}, line = {0};
    openapi_yaml(false, "1.2.3", STR("/p/api/v1"), &document);
    for (size_t i = 0; i < count; i++) {
        if (strncmp(routes[i].path, "/api/v2/", 8) != 0)
            continue;
        size_t n = strcspn(routes[i].path, "*");
        buf_reset(&line);
        buf_printf(&line, "  %.*s%s:\n    servers:\n      - url: \"/p\"\n", (int)n, routes[i].path,
                   routes[i].path[n] == '*' ? "{silenceID}" : "");
        if (!has(&document, buf_cstr(&line)))
            fail_msg("%s is not in the document", routes[i].path);
        checked++;
    }
    assert_int_equal(checked, 6);
    buf_fini(&line);
    buf_fini(&document);
}

static void test_routes__each_says_who_may(void **state)
{
    (void)state;
    size_t count;
    const struct http_route *routes = api_routes(&count);
    for (size_t i = 0; i < count; i++) {
        const char *p = routes[i].path;
        bool admin = strstr(p, "/admin/") != NULL || strstr(p, "/cancel") != NULL ||
                     strncmp(p, "/api/v1/alerting/incidents/*/", 29) == 0 ||
                     strncmp(p, "/api/v1/alerting/maintenance/", 29) == 0 ||
                     strcmp(p, "/-/reload") == 0 || strcmp(p, "/-/quit") == 0 ||
                     strcmp(p, "/config/v1/rules/*") == 0 ||
                     strcmp(p, "/api/v1/alerting/test") == 0;
        if (routes[i].scope == 0 || (routes[i].scope == SCOPE_ADMIN) != admin)
            fail_msg("%s", p);
        bool silences = strstr(p, "/api/v2/silence") != NULL ||
                        strcmp(p, "/api/v1/alerting/maintenance") == 0;
        bool alerts =
            strcmp(p, "/api/v2/alerts") == 0 || strcmp(p, "/alertmanager/api/v2/alerts") == 0;
        assert_int_equal(routes[i].change_scope, silences ? SCOPE_ADMIN : alerts ? SCOPE_WRITE : 0);
        bool probe = strcmp(p, "/health/live") == 0 || strcmp(p, "/health/ready") == 0 ||
                     strcmp(p, "/health/startup") == 0;
        size_t skip = strncmp(p, "/alertmanager/-/", 16) == 0 ? 13 : 0;
        bool health = strcmp(p + skip, "/-/healthy") == 0 || strcmp(p + skip, "/-/ready") == 0 ||
                      strcmp(p, "/health") == 0;
        bool is_signed = strcmp(p, "/api/v1/alerting/ack") == 0 || /* what it is sent says who */
                         strncmp(p, "/api/v1/alerting/inbound/", 25) == 0;
        assert_int_equal(routes[i].scope == SCOPE_NOBODY, probe || is_signed);
        assert_int_equal(routes[i].scope == SCOPE_HEALTH, health);
        bool below = strncmp(p, "/health", 7) == 0;
        assert_int_equal(routes[i].vital, health || below || strcmp(p, "/metrics") == 0);
        assert_false(routes[i].vital && routes[i].on_pool); /* the listener for these has none */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_openapi__has_every_route),
                                       cmocka_unit_test(test_openapi__has_alertmanagers_routes),
                                       cmocka_unit_test(test_routes__each_says_who_may),
                                       cmocka_unit_test(test_openapi__versions)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
