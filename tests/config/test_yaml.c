/* test_yaml.c -- documents as trees: types, positions, aliases and merge keys, and hostile ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "config/yaml.h"

enum { BUDGET = 256 << 20 };

/* {a:1,b:[x,~]} */
static void show(const struct yaml *n, struct buf *out)
{
    if (n->type == YAML_NULL)
        buf_put_u8(out, '~');
    if (n->type == YAML_SCALAR)
        buf_put_str(out, n->text);
    if (n->type == YAML_NULL || n->type == YAML_SCALAR)
        return;
    buf_put_u8(out, n->type == YAML_MAP ? '{' : '[');
    for (const struct yaml *child = n->first; child != NULL; child = child->next) {
        if (child != n->first)
            buf_put_u8(out, ',');
        if (n->type == YAML_MAP)
            buf_printf(out, STR_FMT ":", STR_ARG(child->key));
        show(child, out);
    }
    buf_put_u8(out, n->type == YAML_MAP ? '}' : ']');
}

static void check(const char *text, const char *want)
{
    struct arena a;
    struct yaml *root;
    struct diag d = {.text = ""};
    struct buf got = {0};
    arena_init(&a, BUDGET);
    if (yaml_parse(str_bytes(str_from(text)), &a, &root, &d) != OK)
        fail_msg("%s: %s", text, d.text);
    show(root, &got);
    assert_string_equal(buf_cstr(&got), want);
    buf_fini(&got);
    arena_fini(&a);
}

static void refuse(const char *text, err e, const char *why)
{
    struct arena a;
    struct yaml *root;
    struct diag d = {.text = ""};
    arena_init(&a, BUDGET);
    assert_int_equal(yaml_parse(str_bytes(str_from(text)), &a, &root, &d), e);
    assert_string_equal(d.text, why);
    arena_fini(&a);
}

static void test_yaml__documents(void **state)
{
    (void)state;
    check("", "~");
    check("# nothing\n", "~");
    check("a: 1\nb: [x, ~, 'null', \"\"]\nc:\n", "{a:1,b:[x,~,null,],c:~}");
    check("- {k: v}\n- - 1\n", "[{k:v},[1]]");
    check("a: |\n  x\n  y\n", "{a:x\ny\n}");
}

static void test_yaml__aliases_are_copies(void **state)
{
    (void)state;
    check("a: &x [1, 2]\nb: *x\nc: *x\n", "{a:[1,2],b:[1,2],c:[1,2]}");
    check("a: &x 1\nb: &x 2\nc: *x\n", "{a:1,b:2,c:2}");
    check("a: &k key\n*k : v\n", "{a:key,key:v}");
    check("d: &d {p: 1, q: 2}\ne:\n  <<: *d\n  q: 3\n", "{d:{p:1,q:2},e:{q:3,p:1}}");
    check("d: &d {p: 1}\nf: &f {p: 2, r: 4}\ne: {<<: [*d, *f], s: 5}\n",
          "{d:{p:1},f:{p:2,r:4},e:{s:5,p:1,r:4}}");
    check("d: &d {p: 1}\nm: &m {<<: *d, q: 2}\ne: {<<: *m}\n", "{d:{p:1},m:{q:2,p:1},e:{q:2,p:1}}");
}

static void test_yaml__empty_documents_may_follow(void **state)
{
    (void)state;
    check("a: 1\n---\n", "{a:1}");
    check("---\na: 1\n---\n# nothing\n---\n...\n", "{a:1}");
    refuse("a: 1\n---\n---\nb: 2\n", ERR_INVALID, "4:1: more than one document");
}

static void test_yaml__hostile_documents_are_refused(void **state)
{
    (void)state;
    refuse("a: 1\na: 2\n", ERR_INVALID, "2:1: key \"a\" already set in map");
    refuse("a: *x\n", ERR_INVALID, "1:4: unknown anchor \"x\" referenced");
    refuse("a: &x [*x]\n", ERR_INVALID, "1:8: anchor \"x\" value contains itself");
    refuse("a: &x {b: {<<: *x}}\n", ERR_INVALID, "1:16: anchor \"x\" value contains itself");
    refuse("a: {<<: 1}\n", ERR_INVALID,
           "1:10: map merge requires map or sequence of maps as the value");
    refuse("? [a]\n: b\n", ERR_INVALID, "1:3: a key must be text");
    refuse("a: 1\n---\nb: 2\n", ERR_INVALID, "3:1: more than one document");
    struct buf deep = {0}, bomb = {0};
    for (int i = 0; i < 40; i++)
        buf_put_u8(&deep, '[');
    refuse(buf_cstr(&deep), ERR_INVALID, "1:33: nested too deeply (limit 32)");
    buf_printf(&bomb, "a0: &a0 [x,x,x,x,x,x,x,x,x]\n");
    for (int i = 1; i < 20; i++)
        buf_printf(&bomb, "a%d: &a%d [*a%d,*a%d,*a%d,*a%d]\n", i, i, i - 1, i - 1, i - 1, i - 1);
    refuse(buf_cstr(&bomb), ERR_LIMIT, "more than 1000000 YAML nodes");
    struct buf keys = {0};
    for (int i = 0; i <= YAML_KEYS_MAX; i++)
        buf_printf(&keys, "k%d:\n", i);
    refuse(buf_cstr(&keys), ERR_LIMIT, "more than 10000 keys in one YAML map");
    buf_fini(&keys);
    buf_fini(&deep);
    buf_fini(&bomb);
}

static void test_yaml__streams_of_documents(void **state)
{
    (void)state;
    struct arena a;
    struct yaml *list = NULL;
    struct diag d = {.text = ""};
    struct buf shown = {0};
    arena_init(&a, BUDGET);
    assert_int_equal(
        yaml_parse_all(str_bytes(STR("---\n---\na: 1\n---\n# no more\n---\n[b]\n")), &a, &list, &d),
        OK);
    show(list, &shown);
    assert_string_equal(buf_cstr(&shown), "[{a:1},[b]]");
    assert_int_equal(list->first->next->line, 7);
    assert_int_equal(yaml_parse_all(str_bytes(STR("")), &a, &list, &d), OK);
    assert_null(list->first);
    assert_int_equal(yaml_parse_all(str_bytes(STR("a: 1\n---\n}\n")), &a, &list, &d), ERR_INVALID);
    assert_true(strncmp(d.text, "3:1:", 4) == 0);
    buf_fini(&shown);
    arena_fini(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_yaml__documents),
        cmocka_unit_test(test_yaml__streams_of_documents),
        cmocka_unit_test(test_yaml__aliases_are_copies),
        cmocka_unit_test(test_yaml__empty_documents_may_follow),
        cmocka_unit_test(test_yaml__hostile_documents_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
