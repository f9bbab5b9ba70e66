/* test_reload.c -- reloads are all or nothing: whoever cannot prepare leaves everybody as they
 * were. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/fs.h"
#include "config/reload.h"

struct part {
    bool refuses;
    int prepared, committed, discarded;
    int64_t interval_ms; /* in force */
};

static err prepare(void *arg, struct config *fresh, void **prepared, struct diag *d)
{
    struct part *p = arg;
    (void)fresh;
    if (p->refuses)
        return diag_set(d, ERR_INVALID, "not me");
    p->prepared++;
    *prepared = p;
    return OK;
}

static void commit(void *arg, struct config *fresh, void *prepared)
{
    struct part *p = arg;
    assert_ptr_equal(prepared, p);
    p->committed++;
    p->interval_ms = fresh->global.scrape_interval_ms;
}

static void discard(void *arg, void *prepared)
{
    struct part *p = arg;
    assert_ptr_equal(prepared, p);
    p->discarded++;
}

static char dir[64], path[96];

static void put(const char *text)
{
    assert_int_equal(fs_write_file(fs_posix(), path, str_bytes(str_from(text))), OK);
}

static int set_up(void **state)
{
    (void)state;
    (void)snprintf(dir, sizeof(dir), "/tmp/varve_test_reload_XXXXXX");
    assert_non_null(mkdtemp(dir));
    (void)snprintf(path, sizeof(path), "%s/p.yml", dir);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    assert_int_equal(fs_remove_tree(fs_posix(), dir), OK);
    return 0;
}

static void test_reload__all_or_nothing(void **state)
{
    (void)state;
    struct part a = {0}, b = {0};
    struct diag d = {.text = ""};
    put("global: {scrape_interval: 20s}\nscrape_configs: [{job_name: j}]\n");
    struct config_reloader *r = config_reloader_open(path);
    assert_null(config_in_force(r));
    config_subscribe(r, &(struct config_subscriber){"a", 0, NULL, prepare, commit, discard, &a});
    assert_int_equal(config_reload(r, &d), ERR_UNSUPPORTED); /* nobody scrapes */
    config_subscribe(
        r, &(struct config_subscriber){"b", CONFIG_SCRAPE, NULL, prepare, commit, discard, &b});
    assert_int_equal(config_parts(r), CONFIG_SCRAPE);
    d.text[0] = '\0';
    assert_int_equal(config_reload(r, &d), OK);
    assert_int_equal(a.interval_ms, 20000);
    assert_int_equal(b.interval_ms, 20000);
    put("global: {scrape_interval: 30s}\n");
    b.refuses = true;
    assert_int_equal(config_reload(r, &d), ERR_INVALID);
    assert_string_equal(d.text, "not me");
    assert_int_equal(a.discarded, 1);
    assert_int_equal(a.committed, 1);
    assert_int_equal(a.interval_ms, 20000);
    struct config *c = config_in_force(r);
    assert_int_equal(c->global.scrape_interval_ms, 20000);
    config_unref(c);
    put("global: {scrape_interval: 30}\n");
    d.text[0] = '\0';
    assert_int_equal(config_reload(r, &d), ERR_INVALID);
    assert_non_null(strstr(d.text, "p.yml:1:"));
    assert_int_equal(a.prepared, 2);
    put("global: {scrape_interval: 30s}\n");
    b.refuses = false;
    assert_int_equal(config_reload(r, &d), OK);
    assert_int_equal(a.interval_ms, 30000);
    assert_int_equal(b.interval_ms, 30000);
    config_reloader_close(r);
}

struct watched {
    struct config_reloader *r;
    atomic_int calls, good;
};

static err on_change(void *arg, struct diag *d)
{
    struct watched *w = arg;
    err e = config_reload(w->r, d);
    if (e == OK)
        (void)atomic_fetch_add(&w->good, 1);
    (void)atomic_fetch_add(&w->calls, 1);
    return e;
}

static bool reaches(atomic_int *n, int want)
{
    for (int i = 0; i < 500 && atomic_load(n) < want; i++)
        clock_sleep_ns(10000000);
    return atomic_load(n) >= want;
}

static void test_reload__watching(void **state)
{
    (void)state;
    struct watched w = {.r = NULL};
    struct diag d = {.text = ""};
    put("global: {scrape_interval: 20s}\n");
    w.r = config_reloader_open(path);
    assert_int_equal(config_reload(w.r, &d), OK);
    assert_int_equal(config_watch(w.r, 20, on_change, &w), OK);
    clock_sleep_ns(100000000);
    assert_int_equal(atomic_load(&w.calls), 0); /* nothing changed */
    put("global: {scrape_interval: 21s}\n");
    assert_true(reaches(&w.good, 1));
    put("nonsense\n");
    assert_true(reaches(&w.calls, 2));
    assert_int_equal(atomic_load(&w.good), 1);
    put("global: {scrape_interval: 22s}\n");
    assert_true(reaches(&w.good, 2));
    struct config *c = config_in_force(w.r);
    assert_int_equal(c->global.scrape_interval_ms, 22000);
    config_unref(c);
    config_reloader_close(w.r);
}

/* Files that a part reads itself: changed, new, gone. */
static void test_reload__watches_files_of_parts(void **state)
{
    static char more[128], first[128], second[128];
    struct part p = {.refuses = false};
    struct watched w = {.r = NULL};
    struct diag d = {.text = ""};
    (void)state;
    (void)snprintf(more, sizeof(more), "/nowhere/*,%s/more-*.x", dir);
    (void)snprintf(first, sizeof(first), "%s/more-1.x", dir);
    (void)snprintf(second, sizeof(second), "%s/more-2.x", dir);
    put("global: {scrape_interval: 20s}\n");
    assert_int_equal(fs_write_file(fs_posix(), first, str_bytes(STR("a"))), OK);
    w.r = config_reloader_open(path);
    config_subscribe(w.r, &(struct config_subscriber){.name = "p",
                                                      .files = more,
                                                      .prepare = prepare,
                                                      .commit = commit,
                                                      .discard = discard,
                                                      .arg = &p});
    assert_int_equal(config_reload(w.r, &d), OK);
    assert_int_equal(config_watch(w.r, 20, on_change, &w), OK);
    clock_sleep_ns(100000000);
    assert_int_equal(atomic_load(&w.calls), 0);
    assert_int_equal(fs_write_file(fs_posix(), first, str_bytes(STR("b"))), OK);
    assert_true(reaches(&w.good, 1));
    assert_int_equal(fs_write_file(fs_posix(), second, str_bytes(STR("c"))), OK);
    assert_true(reaches(&w.good, 2));
    assert_int_equal(fs_unlink(fs_posix(), first), OK);
    assert_true(reaches(&w.good, 3));
    assert_int_equal(fs_unlink(fs_posix(), second), OK);
    assert_true(reaches(&w.good, 4));
    config_reloader_close(w.r);
    assert_int_equal(p.committed, 5);
}

static void test_reload__no_file(void **state)
{
    (void)state;
    struct diag d = {.text = ""};
    struct config_reloader *r = config_reloader_open("");
    assert_int_equal(config_reload(r, &d), OK);
    struct config *c = config_in_force(r);
    assert_int_equal(c->global.scrape_interval_ms, 60000);
    config_unref(c);
    config_reloader_close(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_reload__all_or_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_reload__watching, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_reload__watches_files_of_parts, set_up, tear_down),
        cmocka_unit_test(test_reload__no_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
