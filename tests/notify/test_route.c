/* test_route.c -- which routes an alert takes, what routes inherit, and keys of groups. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "notify/route.h"
#include "notify_testing.h"

static const char CONFIG[] = "route:\n"
                             "  receiver: root\n"
                             "  group_by: [alertname]\n"
                             "  group_wait: 1s\n"
                             "  labels: {tier: one, who: me}\n"
                             "  routes:\n"
                             "  - match: {owner: team-A}\n"
                             "    receiver: A\n"
                             "    routes:\n"
                             "    - match: {env: testing}\n"
                             "      receiver: A-testing\n"
                             "      group_by: [...]\n"
                             "      labels: {tier: two}\n"
                             "    - match: {env: production}\n"
                             "      receiver: A-production\n"
                             "      group_wait: 0s\n"
                             "      group_interval: 5m\n"
                             "      continue: true\n"
                             "    - match_re: {env: 'produ.*'}\n"
                             "      receiver: A-again\n"
                             "      group_by: []\n"
                             "  - match_re: {owner: 'team-(B|C)'}\n"
                             "    group_by: [foo, bar]\n"
                             "    repeat_interval: 1h\n"
                             "    receiver: BC\n"
                             "  - matchers: ['x=\"\"', y=~\".+\"]\n"
                             "    continue: true\n"
                             "  - matchers: [y=z]\n"
                             "    receiver: Y\n"
                             "receivers: [{name: root}, {name: A}, {name: A-testing}, "
                             "{name: A-production}, {name: A-again}, {name: BC}, {name: Y}]\n";

struct tree {
    struct alertmanager_file *f;
    struct arena a;
    struct routes routes;
};

static void open_tree(struct tree *t)
{
    t->f = testing_config(CONFIG);
    arena_init(&t->a, 1 << 20);
    assert_int_equal(routes_build(t->f, &t->a, &t->routes), OK);
}

static void close_tree(struct tree *t)
{
    arena_fini(&t->a);
    alertmanager_config_unref(t->f);
}

static void test_route__finds_receivers(void **state)
{
    static const struct {
        const char *labels, *receivers;
    } CASES[] = {
        {"", "root"},
        {"owner=team-A", "A"},
        {"owner=team-A env=unset", "A"},
        {"owner=team-A env=testing", "A-testing"},
        {"owner=team-A env=production", "A-production,A-again"},
        {"owner=team-A env=produce", "A-again"},
        {"owner=team-B", "BC"},
        {"owner=team-Bx", "root"},
        {"y=z", "root,Y"},
        {"y=a", "root"},
        {"x=1 y=z", "Y"},
    };
    struct tree t;
    (void)state;
    open_tree(&t);
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct testing_labels l;
        const struct route *found[16];
        struct buf text = {0};
        size_t count = routes_match(&t.routes, testing_labels(&l, CASES[i].labels), found);
        for (size_t k = 0; k < count; k++)
            buf_printf(&text, "%s" STR_FMT, k > 0 ? "," : "", STR_ARG(found[k]->receiver));
        assert_string_equal(buf_cstr(&text), CASES[i].receivers);
        buf_fini(&text);
    }
    close_tree(&t);
}

static const struct route *only(struct tree *t, const char *labels)
{
    struct testing_labels l;
    const struct route *found[16];
    assert_int_equal(routes_match(&t->routes, testing_labels(&l, labels), found), 1);
    return found[0];
}

static void test_route__inherits(void **state)
{
    struct tree t;
    (void)state;
    open_tree(&t);
    const struct route *r = only(&t, "owner=team-A env=testing");
    assert_true(r->group_by_all);
    assert_int_equal(r->group_wait_ms, 1000);
    assert_int_equal(r->group_interval_ms, ROUTE_GROUP_INTERVAL_MS);
    assert_int_equal(r->repeat_interval_ms, ROUTE_REPEAT_INTERVAL_MS);
    assert_int_equal(r->labels.count, 2);
    assert_true(str_eq(r->labels.items[0].value, STR("two")));
    assert_true(str_eq(r->labels.items[1].value, STR("me")));
    r = only(&t, "owner=team-A");
    assert_int_equal(r->group_by.count, 1);
    r = only(&t, "owner=team-A env=produce"); /* an empty list is not none */
    assert_int_equal(r->group_by.count, 0);
    assert_false(r->group_by_all);
    r = only(&t, "owner=team-C");
    assert_int_equal(r->repeat_interval_ms, 3600000);
    close_tree(&t);
}

static void test_route__makes_keys_of_groups(void **state)
{
    static const struct {
        const char *labels, *key;
    } CASES[] = {
        {"alertname=Up job=a", "{}:{alertname=\"Up\"}"},
        {"job=a", "{}:{}"},
        {"owner=team-C foo=1 bar=2 baz=3",
         "{}/{owner=~\"^(?:team-(B|C))$\"}:{bar=\"2\", foo=\"1\"}"},
        {"owner=team-A env=testing q=\"",
         "{}/{owner=\"team-A\"}/{env=\"testing\"}:{env=\"testing\", owner=\"team-A\", "
         "q=\"\\\"\"}"},
        {"owner=team-A env=produce", "{}/{owner=\"team-A\"}/{env=~\"^(?:produ.*)$\"}:{}"},
    };
    struct tree t;
    (void)state;
    open_tree(&t);
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct testing_labels l;
        struct label items[16];
        struct buf key = {0};
        const struct route *r = only(&t, CASES[i].labels);
        struct labels ls = testing_labels(&l, CASES[i].labels);
        route_group_key(r, route_group_labels(r, ls, items), &key);
        assert_string_equal(buf_cstr(&key), CASES[i].key);
        buf_fini(&key);
    }
    close_tree(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_route__finds_receivers),
        cmocka_unit_test(test_route__inherits),
        cmocka_unit_test(test_route__makes_keys_of_groups),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
