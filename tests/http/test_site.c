/* test_site.c -- which names are the server's, and which calls come from where they may; clients'
 * addresses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <stdio.h>

#include "base/regex.h"
#include "http/peers.h"
#include "http/site.h"

static struct site make(const char *allowed)
{
    struct site s;
    struct diag d = {.text = ""};
    assert_int_equal(site_init(&s, str_from(allowed), STR("[::]:9090"),
                               STR("https://user@prom.example.com:444/x?y"), STR("box"), &d),
                     OK);
    return s;
}

static void test_site__names(void **state)
{
    (void)state;
    static const struct {
        const char *host;
        bool browser, strict;
    } CASES[] = {
        {"", true, true},
        {"127.0.0.1", true, true},
        {"127.0.0.1:9090", true, true},
        {"[::1]:9090", true, true},
        {"[fe80::1%eth0]", true, true},
        {"LOCALHOST:1", true, true},
        {"prom.example.com", true, true},
        {"prom.example.com.:444", true, true},
        {"box", true, true},
        {"a.b", true, true}, /* listed */
        {"varve", true, false},
        {"varve.mon.svc.cluster.local:9090", true, false},
        {"x.home.arpa", true, false},
        {"evil.example.com", false, false},
        {"local.evil.com", false, false},
        {"xlocal", true, false}, /* a single label */
        {"evil.xlocal", false, false},
        {".local", false, false},
        {"127.0.0.1.evil.com", false, false},
        {"[::1", false, false},
        {"[evil]", true, false},
        {"1.2.3", false, false},
    };
    struct site open = make(""), strict = make("a.b , c.d:9"), any = make("*");
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        str host = str_from(CASES[i].host);
        bool listed = str_eq(host, STR("a.b"));
        if (site_knows(&open, host, true) != (CASES[i].browser && !listed))
            fail_msg("browser: %s", CASES[i].host);
        if (site_knows(&strict, host, false) != CASES[i].strict)
            fail_msg("strict: %s", CASES[i].host);
        assert_true(site_knows(&open, host, false));
        assert_true(site_knows(&any, host, true));
    }
    assert_true(site_knows(&strict, STR("c.d"), true));
}

static void test_site__too_many_names(void **state)
{
    (void)state;
    struct site s;
    struct diag d = {.text = ""};
    char list[2 * SITE_NAMES_MAX + 1], name[SITE_NAME_SIZE + 1];
    for (size_t i = 0; i < SITE_NAMES_MAX; i++)
        memcpy(list + 2 * i, "x,", 3);
    memset(name, 'a', sizeof(name));
    assert_int_equal(site_init(&s, str_from(list), STR(":1"), STR(""), STR("box"), &d),
                     ERR_INVALID);
    assert_string_equal(d.text, "more than 64 host names, or one longer than 255 bytes");
    assert_int_equal(site_init(&s, (str){name, sizeof(name)}, STR(":1"), STR(""), STR(""), &d),
                     ERR_INVALID);
}

static void test_site__calls(void **state)
{
    (void)state;
    struct site s = make("");
    struct regex *cors;
    struct diag d = {.text = ""};
    assert_int_equal(regex_compile(STR("https://good\\.example"), &cors, &d), OK);
    static const struct {
        struct site_call call;
        bool plain, with_cors;
    } CASES[] = {
        {{.host = STR("a:1")}, true, true},
        {{.host = STR("a:1"), .origin = STR("http://A:1")}, true, true},
        {{.host = STR("a:1"), .origin = STR("http://a:2")}, false, false},
        {{.host = STR("a:1"), .origin = STR("http://a")}, false, false},
        {{.host = STR("a"), .origin = STR("null")}, false, false},
        {{.host = STR(""), .origin = STR("http://")}, false, false},
        {{.host = STR("a"), .origin = STR("https://prom.example.com:444")}, true, true},
        {{.host = STR("a"), .origin = STR("https://good.example")}, false, true},
        {{.host = STR("a"), .origin = STR("https://good.example.evil")}, false, false},
        {{.host = STR("a"), .origin = STR("http://a"), .fetch_site = STR("cross-site")},
         false,
         false},
        {{.host = STR("a"), .origin = STR("http://b"), .fetch_site = STR("same-origin")},
         true,
         true},
        {{.host = STR("a"), .fetch_site = STR("none")}, true, true},
        {{.host = STR("a"), .fetch_site = STR("same-site")}, false, false},
        {{.host = STR("a"), .origin = STR("http://b"), .authorization = STR("bearer x")},
         true,
         true},
        {{.host = STR("a"), .origin = STR("http://b"), .authorization = STR("Basic x")},
         false,
         false},
        {{.host = STR("a"), .origin = STR("http://b"), .authorization = STR("Bearer ")},
         false,
         false},
        {{.host = STR("a"), .origin = STR("http://b"), .requested_with = STR("x")}, true, true},
    };
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        if (site_may_change(&s, &CASES[i].call, NULL) != CASES[i].plain)
            fail_msg("case %zu", i);
        if (site_may_change(&s, &CASES[i].call, cors) != CASES[i].with_cors)
            fail_msg("case %zu with an origin named", i);
    }
    regex_close(cors);
}

static struct sockaddr_storage address(const char *text)
{
    struct sockaddr_storage a = {0};
    struct sockaddr_in *v4 = (struct sockaddr_in *)&a;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&a;
    a.ss_family = AF_INET;
    if (inet_pton(AF_INET, text, &v4->sin_addr) == 1)
        return a;
    a.ss_family = AF_INET6;
    assert_int_equal(inet_pton(AF_INET6, text, &v6->sin6_addr), 1);
    return a;
}

static void test_peers__count_by_address(void **state)
{
    (void)state;
    struct peers *p = peers_open();
    struct sockaddr_storage a = address("10.0.0.1"), b = address("10.0.0.2"),
                            v6 = address("2001:db8::1"), same = address("2001:db8::ffff"),
                            other = address("2001:db8:0:1::1"), many;
    struct peer *first = peers_enter(p, (struct sockaddr *)&a);
    assert_ptr_equal(peers_enter(p, (struct sockaddr *)&a), first);
    assert_int_equal(first->connections, 2);
    assert_null(peers_find(p, (struct sockaddr *)&b));
    struct peer *net = peers_enter(p, (struct sockaddr *)&v6);
    assert_ptr_equal(peers_find(p, (struct sockaddr *)&same), net); /* one /64, one client */
    assert_null(peers_find(p, (struct sockaddr *)&other));
    assert_non_null(peers_enter(p, NULL));
    for (unsigned i = 0; i < 5000; i++) {
        char text[32];
        snprintf(text, sizeof(text), "10.1.%u.%u", i >> 8, i & 255);
        many = address(text);
        assert_int_equal(peers_enter(p, (struct sockaddr *)&many)->connections, 1);
    }
    for (unsigned i = 0; i < 5000; i++) {
        char text[32];
        snprintf(text, sizeof(text), "10.1.%u.%u", i >> 8, i & 255);
        many = address(text);
        peers_leave(p, peers_find(p, (struct sockaddr *)&many));
        assert_null(peers_find(p, (struct sockaddr *)&many));
    }
    peers_leave(p, first);
    assert_int_equal(first->connections, 1);
    peers_close(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_site__names),
        cmocka_unit_test(test_site__too_many_names),
        cmocka_unit_test(test_site__calls),
        cmocka_unit_test(test_peers__count_by_address),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
