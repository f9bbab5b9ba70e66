/* test_namespaces.c -- groups set by the API on disk: set, replaced, removed, read again; damaged
 * files, crashes, limits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "rules/manager.h"
#include "rules/namespaces.h"
#include "support/fs_sim.h"

static const char DIR[] = "/data/groups";

static struct namespaces *open_dir(struct fs_sim *sim)
{
    struct rule_check check = {0};
    struct namespaces *n = NULL;
    struct diag d = {.text = ""};
    if (namespaces_open(fs_sim_fs(sim), DIR, &check, &n, &d) != OK)
        fail_msg("%s", d.text);
    return n;
}

static struct fs_sim *empty_disk(void)
{
    struct fs_sim *sim = fs_sim_new(1);
    assert_int_equal(fs_make_dir(fs_sim_fs(sim), "/data"), OK);
    return sim;
}

static err set(struct namespaces **n, const char *name, const char *yaml, struct diag *d)
{
    struct namespaces *with = NULL;
    err e = namespaces_with(*n, str_from(name), str_bytes(str_from(yaml)), &with, d);
    if (e != OK)
        return e;
    e = namespaces_save(with, str_from(name));
    namespaces_close(*n);
    *n = with;
    return e;
}

static void must_set(struct namespaces **n, const char *name, const char *yaml)
{
    struct diag d = {.text = ""};
    if (set(n, name, yaml, &d) != OK)
        fail_msg("%s", d.text);
}

static err drop(struct namespaces **n, const char *name, const char *group)
{
    struct namespaces *without = NULL;
    str g = group != NULL ? str_from(group) : (str){0};
    err e = namespaces_without(*n, str_from(name), g, &without, &(struct diag){.text = ""});
    if (e != OK)
        return e;
    assert_int_equal(namespaces_save(without, str_from(name)), OK);
    namespaces_close(*n);
    *n = without;
    return OK;
}

/* "a: g1 g2; b: g3; " */
static void assert_holds(const struct namespaces *n, const char *expected)
{
    struct buf b = {0};
    for (size_t i = 0; i < namespaces_count(n); i++) {
        const struct rule_file *f = namespaces_file(n, i);
        buf_printf(&b, STR_FMT ":", STR_ARG(namespaces_name(n, i)));
        for (size_t k = 0; k < f->group_count; k++)
            buf_printf(&b, " " STR_FMT, STR_ARG(f->groups[k].name));
        buf_put_str(&b, STR("; "));
    }
    assert_string_equal(buf_cstr(&b), expected);
    buf_fini(&b);
}

#define GROUP(name, expr) "name: " name "\nrules: [{record: r, expr: " expr "}]\n"

static void test_namespaces__set_replace_remove(void **state)
{
    struct fs_sim *sim = empty_disk();
    struct namespaces *n = open_dir(sim);
    (void)state;
    assert_holds(n, "");
    must_set(&n, "b", GROUP("g1", "x"));
    must_set(&n, "b", GROUP("g2", "x"));
    must_set(&n, "a/../\xc3\xa9 %", GROUP("g3", "x"));
    must_set(&n, "b", GROUP("g1", "y"));
    assert_holds(n, "a/../\xc3\xa9 %: g3; b: g2 g1; ");
    namespaces_close(n);
    n = open_dir(sim);
    assert_holds(n, "a/../\xc3\xa9 %: g3; b: g2 g1; ");
    assert_true(str_eq(namespaces_file(n, 1)->groups[1].rules[0].expr.text, STR("y")));
    assert_int_equal(namespaces_find(n, STR("b")), 1);
    assert_true(namespaces_find(n, STR("c")) == SIZE_MAX);
    assert_int_equal(drop(&n, "b", "none"), ERR_NOTFOUND);
    assert_int_equal(drop(&n, "none", NULL), ERR_NOTFOUND);
    assert_int_equal(drop(&n, "b", "g1"), OK);
    assert_holds(n, "a/../\xc3\xa9 %: g3; b: g2; ");
    assert_int_equal(drop(&n, "b", "g2"), OK); /* the last one takes the namespace along */
    assert_holds(n, "a/../\xc3\xa9 %: g3; ");
    must_set(&n, "b", GROUP("g1", "x"));
    assert_int_equal(drop(&n, "b", NULL), OK);
    namespaces_close(n);
    n = open_dir(sim);
    assert_holds(n, "a/../\xc3\xa9 %: g3; ");
    namespaces_close(n);
    fs_sim_free(sim);
}

static void test_namespaces__what_is_refused(void **state)
{
    static const struct {
        const char *name, *yaml, *words;
    } BAD[] = {
        {"a", "name: g\nrules: [{record: r, expr: 'x +'}]\n", "unexpected end of input"},
        {"a", "rules: [{record: r, expr: x}]\n", "name"},
        {"a", "groups: [{name: g, rules: []}]\n", "groups"},
        {"a", "", ""},
        {"a", "name: g\nrules: [{alert: A, expr: x, annotations: {a: '{{ nofunc }}'}}]\n",
         "nofunc"},
    };
    struct fs_sim *sim = empty_disk();
    struct namespaces *n = open_dir(sim);
    char longest[RULES_NAMESPACE_BYTES_MAX + 2];
    (void)state;
    must_set(&n, "a", GROUP("before", "x"));
    for (size_t i = 0; i < COUNT_OF(BAD); i++) {
        struct diag d = {.text = ""};
        assert_int_equal(set(&n, BAD[i].name, BAD[i].yaml, &d), ERR_INVALID);
        if (d.text[0] == '\0' || strstr(d.text, BAD[i].words) == NULL)
            fail_msg("%s: %s", BAD[i].yaml, d.text);
    }
    memset(longest, 'n', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    assert_int_not_equal(set(&n, longest, GROUP("g", "x"), &(struct diag){.text = ""}), OK);
    longest[sizeof(longest) - 2] = '\0';
    must_set(&n, longest, GROUP("g", "x"));
    assert_int_equal(namespaces_count(n), 2);
    namespaces_close(n);
    fs_sim_free(sim);
}

/* A file that cannot be read is left alone; the others are there. */
static void test_namespaces__damaged_files_stay(void **state)
{
    struct fs_sim *sim = empty_disk();
    struct fs *fs = fs_sim_fs(sim);
    struct namespaces *n = open_dir(sim);
    struct buf names = {0}, path = {0}, content = {0};
    (void)state;
    must_set(&n, "a", GROUP("g", "x"));
    must_set(&n, "b", GROUP("g", "x"));
    namespaces_close(n);
    assert_int_equal(fs_list(fs, DIR, &names), OK);
    fs_join(&path, DIR, fs_list_next(&names, NULL));
    assert_int_equal(fs_write_file(fs, buf_cstr(&path), str_bytes(STR("{"))), OK);
    n = open_dir(sim);
    assert_int_equal(namespaces_count(n), 1);
    assert_int_equal(fs_read_file(fs, buf_cstr(&path), 100, &content), OK);
    assert_int_equal(content.len, 1);
    namespaces_close(n);
    buf_fini(&names);
    buf_fini(&path);
    buf_fini(&content);
    fs_sim_free(sim);
}

/* Power fails at every operation of a change: what is read then is as before, or as after. */
static void test_namespaces__changes_are_whole(void **state)
{
    size_t befores = 0, afters = 0;
    (void)state;
    for (unsigned at = 1; at < 200; at++) {
        struct fs_sim *sim = empty_disk();
        struct namespaces *n = open_dir(sim);
        must_set(&n, "a", GROUP("g", "old"));
        assert_int_equal(fs_sync_dir(fs_sim_fs(sim), "/data"), OK);
        fs_sim_die_at(sim, at);
        struct namespaces *with = NULL;
        assert_int_equal(namespaces_with(n, STR("a"), str_bytes(STR(GROUP("g", "new"))), &with,
                                         &(struct diag){.text = ""}),
                         OK);
        err e = namespaces_save(with, STR("a"));
        bool crashed = fs_sim_is_dead(sim);
        namespaces_close(with);
        namespaces_close(n);
        fs_sim_crash(sim);
        n = open_dir(sim);
        assert_int_equal(namespaces_count(n), 1);
        str expr = namespaces_file(n, 0)->groups[0].rules[0].expr.text;
        bool after = str_eq(expr, STR("new"));
        assert_true(after || str_eq(expr, STR("old")));
        assert_true(after || e != OK || crashed); /* what was said to be durable is */
        befores += !after;
        afters += after;
        namespaces_close(n);
        fs_sim_free(sim);
        if (!crashed)
            break;
    }
    assert_true(befores > 0 && afters > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_namespaces__set_replace_remove),
        cmocka_unit_test(test_namespaces__what_is_refused),
        cmocka_unit_test(test_namespaces__damaged_files_stay),
        cmocka_unit_test(test_namespaces__changes_are_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
