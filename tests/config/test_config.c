/* test_config.c -- prometheus.yml: every file of config/bad is refused for the reason its first
 * line names, every file of config/good is taken, and printed it holds no secret. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/fs.h"
#include "config/config.h"

static void each_file(const char *pattern, size_t min, void (*check)(const char *path))
{
    struct arena a;
    struct texts files;
    arena_init(&a, 1 << 20);
    assert_int_equal(config_glob(str_from(pattern), &a, &files), OK);
    assert_true(files.count >= min);
    for (size_t i = 0; i < files.count; i++)
        check(files.items[i].ptr);
    arena_fini(&a);
}

static void check_bad(const char *path)
{
    struct buf text = {0};
    struct diag d = {.text = ""};
    struct config *c = NULL;
    assert_int_equal(fs_read_file(fs_posix(), path, 1 << 20, &text), OK);
    char *line = (char *)(uintptr_t)buf_cstr(&text), *end = strchr(line, '\n');
    assert_non_null(end);
    *end = '\0';
    assert_memory_equal(line, "# expect: ", 10);
    err e = config_load(path, &c, &d);
    if (e == OK)
        fail_msg("%s: taken", path);
    if (strstr(d.text, line + 10) == NULL || strncmp(d.text, path, strlen(path)) != 0)
        fail_msg("%s: got \"%s\", want \"%s\"", path, d.text, line + 10);
    unsigned at_line, at_column;
    bool placed = sscanf(d.text + strlen(path), ":%u:%u:", &at_line, &at_column) == 2;
    if (!placed && e != ERR_LIMIT)
        fail_msg("%s: no line and column in \"%s\"", path, d.text);
    buf_fini(&text);
}

static void test_config__bad_files(void **state)
{
    (void)state;
    each_file("config/bad/*.yml", 100, check_bad);
}

/* What is printed is a configuration too, and prints the same once more. */
static void check_good(const char *path)
{
    struct diag d = {.text = ""};
    struct config *c = NULL, *again = NULL;
    struct buf first = {0}, second = {0};
    char name[] = "/tmp/varve_test_config_XXXXXX";
    char *absolute = realpath(path, NULL); /* so that paths in it do not depend on where it lies */
    assert_non_null(absolute);
    if (config_load(absolute, &c, &d) != OK)
        fail_msg("%s: %s", path, d.text);
    free(absolute);
    config_yaml(c, &first);
    assert_null(strstr(buf_cstr(&first), "canary-secret"));
    int fd = mkstemp(name);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, first.ptr, first.len), (ssize_t)first.len);
    (void)close(fd);
    if (config_load(name, &again, &d) != OK)
        fail_msg("%s: printed it is refused: %s\n%s", path, d.text, buf_cstr(&first));
    config_yaml(again, &second);
    assert_string_equal(buf_cstr(&first), buf_cstr(&second));
    (void)unlink(name);
    config_unref(c);
    config_unref(again);
    buf_fini(&first);
    buf_fini(&second);
}

static void test_config__good_files(void **state)
{
    (void)state;
    each_file("config/good/*.yml", 6, check_good);
}

static struct config *load(const char *path)
{
    struct diag d = {.text = ""};
    struct config *c = NULL;
    if (config_load(path, &c, &d) != OK)
        fail_msg("%s", d.text);
    return c;
}

static void test_config__printed(void **state)
{
    (void)state;
    struct config *c = load("config/good/full.yml");
    struct buf got = {0}, want = {0};
    config_yaml(c, &got);
    assert_int_equal(fs_read_file(fs_posix(), "config/good/full.printed", 1 << 20, &want), OK);
    assert_string_equal(buf_cstr(&got), buf_cstr(&want));
    config_unref(c);
    buf_fini(&got);
    buf_fini(&want);
}

static void test_config__defaults(void **state)
{
    (void)state;
    struct config *c = load("");
    assert_int_equal(c->global.scrape_interval_ms, 60000);
    assert_int_equal(c->global.scrape_timeout_ms, 10000);
    assert_int_equal(c->global.evaluation_interval_ms, 60000);
    assert_int_equal(c->global.names, NAMES_UTF8);
    assert_int_equal(c->storage.exemplars_max, 100000);
    assert_int_equal(c->gogc, 75);
    assert_int_equal(c->jobs.count, 0);
    config_unref(c);
}

static void test_config__inherits(void **state)
{
    (void)state;
    struct config *c = load("config/good/full.yml");
    const struct scrape_config *all = &c->jobs.items[0], *token = &c->jobs.items[1];
    assert_int_equal(token->scrape_interval_ms, 15000);
    assert_int_equal(token->limits.samples, 1500);
    assert_int_equal(all->limits.samples, 1000);
    assert_int_equal(all->limits.body_size_bytes, 10 << 20);
    assert_int_equal(token->protocols.count, 5); /* native histograms: protobuf first */
    assert_int_equal(token->protocols.items[0], SCRAPE_PROTO);
    assert_int_equal(all->protocols.count, 1);
    assert_int_equal(token->always_scrape_classic_histograms, 1);
    assert_int_equal(token->escaping, ESCAPING_ALLOW_UTF8);
    assert_int_equal(c->jobs.items[4].escaping, ESCAPING_UNDERSCORES);
    assert_true(str_eq(token->http.authorization->credentials, STR("canary-secret")));
    assert_true(
        str_eq(c->jobs.items[2].http.authorization->credentials_file, STR("config/good/t.txt")));
    assert_true(str_eq(all->http.tls.cert_file, STR("config/good/c.pem")));
    assert_true(str_eq(c->global.external_labels.items[0].name, STR("cluster")));
    assert_int_equal(all->discovery.count, 8);
    assert_int_equal(all->discovery.items[0].kind, SD_CONSUL);
    assert_int_equal(all->discovery.items[7].kind, SD_STATIC);
    assert_int_equal(all->relabel.items[3].action, RELABEL_KEEP);
    assert_non_null(all->relabel.items[3].regex);
    config_unref(c);
}

static void test_config__an_empty_path_is_the_root(void **state)
{
    (void)state;
    struct config *c = load("config/files/root_path.yml");
    assert_int_equal(c->jobs.items[0].metrics_path.len, 0);
    assert_true(str_eq(c->jobs.items[1].metrics_path, STR("/metrics")));
    assert_true(str_eq(c->jobs.items[1].scheme, STR("http")));
    config_unref(c);
}

static void test_config__external_labels_from_environment(void **state)
{
    (void)state;
    assert_int_equal(setenv("VARVE_TEST_A", "v", 1), 0);
    struct config *c = load("config/files/env.yml");
    assert_true(str_eq(c->global.external_labels.items[0].value, STR("v-v$x$")));
    assert_int_equal(c->global.external_labels.items[1].value.len, 0);
    config_unref(c);
}

static void test_config__unsupported_is_named(void **state)
{
    (void)state;
    struct config *c = load("config/good/full.yml");
    struct diag d = {.text = ""};
    unsigned all = CONFIG_SCRAPE | CONFIG_RULES | CONFIG_ALERTING;
    assert_int_equal(config_supported(c, all, 0, &d), ERR_UNSUPPORTED);
    assert_non_null(strstr(d.text, "\"remote_write\" is understood, but this version does not"));
    assert_non_null(strstr(d.text, "config/good/full.yml:"));
    config_unref(c);
    c = load("config/good/minimal.yml");
    d.text[0] = '\0';
    assert_int_equal(config_supported(c, CONFIG_SCRAPE, 0, &d), OK);
    assert_int_equal(config_supported(c, 0, 0, &d), ERR_UNSUPPORTED);
    assert_non_null(strstr(d.text, "\"scrape_configs\""));
    config_unref(c);
}

static void test_config__missing_file(void **state)
{
    (void)state;
    struct diag d = {.text = ""};
    struct config *c = NULL;
    assert_int_equal(config_load("config/good/nothing.yml", &c, &d), ERR_NOTFOUND);
    assert_string_equal(d.text, "config/good/nothing.yml: no such file");
}

static void test_config__scrape_config_files(void **state)
{
    (void)state;
    struct config *c = load("config/files/main.yml");
    assert_int_equal(c->own_job_count, 1);
    assert_int_equal(c->jobs.count, 3);
    assert_true(str_eq(c->jobs.items[1].job_name, STR("one")));
    assert_int_equal(c->jobs.items[1].scrape_interval_ms, 7000);
    assert_true(str_eq(c->jobs.items[2].http.basic_auth->password_file,
                       STR("config/files/jobs/secret.txt")));
    config_unref(c);
    struct diag d = {.text = ""};
    assert_int_equal(config_load("config/files/twice.yml", &c, &d), ERR_INVALID);
    assert_non_null(strstr(d.text, "found multiple scrape configs with job name \"one\", first "
                                   "found in main config file"));
}

static void test_config__checksum_follows_files(void **state)
{
    (void)state;
    char dir[] = "/tmp/varve_test_config_XXXXXX", path[64], rules[64];
    struct diag d = {.text = ""};
    struct config *c = NULL;
    assert_non_null(mkdtemp(dir));
    (void)snprintf(path, sizeof(path), "%s/p.yml", dir);
    (void)snprintf(rules, sizeof(rules), "%s/r1.yml", dir);
    str text = STR("rule_files: ['r*.yml']\n"), rule = STR("groups: []\n");
    assert_int_equal(fs_write_file(fs_posix(), path, str_bytes(text)), OK);
    assert_int_equal(config_load(path, &c, &d), OK);
    uint64_t before = config_checksum(c);
    assert_int_equal(config_checksum(c), before);
    assert_int_equal(fs_write_file(fs_posix(), rules, str_bytes(rule)), OK);
    uint64_t with_rule = config_checksum(c);
    assert_true(with_rule != before);
    assert_int_equal(fs_write_file(fs_posix(), path, str_bytes(STR("rule_files: []\n"))), OK);
    assert_true(config_checksum(c) != with_rule);
    config_unref(c);
    assert_int_equal(fs_remove_tree(fs_posix(), dir), OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_config__bad_files),
        cmocka_unit_test(test_config__good_files),
        cmocka_unit_test(test_config__printed),
        cmocka_unit_test(test_config__defaults),
        cmocka_unit_test(test_config__inherits),
        cmocka_unit_test(test_config__an_empty_path_is_the_root),
        cmocka_unit_test(test_config__external_labels_from_environment),
        cmocka_unit_test(test_config__unsupported_is_named),
        cmocka_unit_test(test_config__missing_file),
        cmocka_unit_test(test_config__scrape_config_files),
        cmocka_unit_test(test_config__checksum_follows_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
