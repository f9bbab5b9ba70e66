/* test_web_config.c -- the web configuration and token files: what is read, and how each mistake is
 * told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "config/web_config.h"

#define HASH "$2y$10$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi"

static char dir[64], path[128];

static void put(const char *text)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fputs(text, f) >= 0, 1);
    assert_int_equal(fclose(f), 0);
}

static int make_dir(void **state)
{
    (void)state;
    snprintf(dir, sizeof(dir), "/tmp/varve-web-XXXXXX");
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/web.yml", dir);
    return 0;
}

static int remove_dir(void **state)
{
    (void)state;
    (void)unlink(path);
    return rmdir(dir);
}

static void test_web_config__reads_everything(void **state)
{
    (void)state;
    struct arena a;
    struct web_config w;
    struct diag d = {.text = ""};
    char want[160];
    put("tls_server_config:\n  cert_file: server.crt\n  key_file: /keys/server.key\n"
        "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.crt\n"
        "  client_allowed_sans: [agent-1, agent-2]\n  min_version: TLS13\n"
        "  cipher_suites: [TLS_AES_128_GCM_SHA256]\n  curve_preferences: [X25519]\n"
        "http_server_config:\n  http2: false\n  headers:\n    X-Frame-Options: deny\n"
        "basic_auth_users:\n  alice: " HASH "\n  bob: " HASH "\n");
    arena_init(&a, 1 << 20);
    if (web_config_load(path, &a, &w, &d) != OK)
        fail_msg("%s", d.text);
    snprintf(want, sizeof(want), "%s/server.crt", dir);
    assert_string_equal(w.tls.cert_file.ptr, want);
    assert_string_equal(w.tls.key_file.ptr, "/keys/server.key");
    assert_true(w.has_tls && !w.http2 && w.tls.prefer_server_cipher_suites);
    assert_int_equal(w.tls.client_auth, CLIENT_AUTH_REQUIRE_AND_VERIFY);
    assert_int_equal(w.tls.min_version, TLS_1_3);
    assert_int_equal(w.tls.max_version, TLS_1_3);
    assert_int_equal(w.tls.client_allowed_sans.count, 2);
    assert_true(str_eq(w.tls.client_allowed_sans.items[1], STR("agent-2")));
    assert_int_equal(w.tls.cipher_suites.count, 1);
    assert_int_equal(w.headers.count, 1);
    assert_true(str_eq(w.headers.items[0].value, STR("deny")));
    assert_int_equal(w.users.count, 2);
    assert_true(str_eq(w.users.items[1].name, STR("bob")));
    arena_fini(&a);
}

static void test_web_config__an_empty_file_asks_for_nothing(void **state)
{
    (void)state;
    static const char *const EMPTY[] = {"", "tls_server_config:\n", "basic_auth_users: {}\n",
                                        "http_server_config:\n  headers:\n"};
    for (size_t i = 0; i < COUNT_OF(EMPTY); i++) {
        struct arena a;
        struct web_config w;
        put(EMPTY[i]);
        arena_init(&a, 1 << 20);
        assert_int_equal(web_config_load(path, &a, &w, NULL), OK);
        assert_true(!w.has_tls && w.http2 && w.users.count == 0 && w.headers.count == 0);
        arena_fini(&a);
    }
}

static void check_wrong(err (*load)(const char *, struct arena *, void *, struct diag *),
                        const char *text, const char *why)
{
    struct arena a;
    struct diag d = {.text = ""};
    char want[DIAG_TEXT_SIZE];
    union {
        struct web_config w;
        struct web_tokens t;
    } out;
    put(text);
    arena_init(&a, 1 << 20);
    assert_int_equal(load(path, &a, &out, &d), ERR_INVALID);
    snprintf(want, sizeof(want), "%s:%s", path, why);
    assert_string_equal(d.text, want);
    arena_fini(&a);
}

static err load_web(const char *file, struct arena *a, void *out, struct diag *d)
{
    return web_config_load(file, a, out, d);
}

static err load_tokens(const char *file, struct arena *a, void *out, struct diag *d)
{
    return web_tokens_load(file, a, out, d);
}

static void test_web_config__tells_what_is_wrong(void **state)
{
    (void)state;
    static const struct {
        const char *text, *why;
    } CASES[] = {
        {"tls_config: {}\n", "1:13: field \"tls_config\": no such field here"},
        {"[]\n", "1:1: must be a map"},
        {"tls_server_config:\n  cert_file: a\n",
         "2:3: field \"tls_server_config\": key_file is missing"},
        {"tls_server_config:\n  key_file: a\n",
         "2:3: field \"tls_server_config\": cert_file is missing"},
        {"tls_server_config: {cert_file: a, cert: b, key_file: c}\n",
         "1:20: field \"tls_server_config\": only one of cert and cert_file may be given"},
        {"tls_server_config: {cert_file: a, key_file: b, client_auth_type: Maybe}\n",
         "1:66: field \"client_auth_type\": must be one of NoClientCert, RequestClientCert, "
         "RequireAnyClientCert, VerifyClientCertIfGiven, RequireAndVerifyClientCert"},
        {"tls_server_config: {cert_file: a, key_file: b, client_auth_type: "
         "VerifyClientCertIfGiven}\n",
         "1:20: field \"tls_server_config\": client_auth_type VerifyClientCertIfGiven needs a "
         "client_ca_file"},
        {"tls_server_config: {cert_file: a, key_file: b, client_ca_file: c}\n",
         "1:20: field \"tls_server_config\": a client CA needs a client_auth_type other than "
         "NoClientCert"},
        {"tls_server_config: {cert_file: a, key_file: b, min_version: TLS13, max_version: TLS12}\n",
         "1:20: field \"tls_server_config\": min_version is above max_version"},
        {"tls_server_config: {cert_file: [a], key_file: b}\n",
         "1:32: field \"cert_file\": must be text, not a list"},
        {"http_server_config: {http2: 1}\n", "1:29: field \"http2\": must be true or false"},
        {"http_server_config: {headers: {X-Own: a}}\n",
         "1:31: field \"headers\": HTTP header \"X-Own\" can not be configured"},
        {"http_server_config: {headers: {X-Frame-Options: \"a\\r\\nb\"}}\n",
         "1:31: field \"headers\": control characters in the value of \"X-Frame-Options\""},
        {"basic_auth_users: {alice: secret}\n",
         "1:19: field \"basic_auth_users\": the password of \"alice\" must be a bcrypt hash"},
        {"basic_auth_users: [alice]\n", "1:19: field \"basic_auth_users\": must be a map"},
        {"a: 1\na: 2\n", "2:1: key \"a\" already set in map"},
    };
    for (size_t i = 0; i < COUNT_OF(CASES); i++)
        check_wrong(load_web, CASES[i].text, CASES[i].why);
    struct diag d = {.text = ""};
    struct arena a;
    struct web_config w;
    arena_init(&a, 1 << 20);
    assert_int_equal(web_config_load("/nowhere/web.yml", &a, &w, &d), ERR_NOTFOUND);
    assert_string_equal(d.text, "/nowhere/web.yml: no such file");
    arena_fini(&a);
}

#define SUM "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"

static void test_web_tokens__are_read_and_checked(void **state)
{
    (void)state;
    struct arena a;
    struct web_tokens t;
    put("tokens:\n  - {name: grafana, sha256: " SUM ", scopes: [read]}\n"
        "  - {name: agent, sha256: " SUM ", scopes: [write, metrics]}\n");
    arena_init(&a, 1 << 20);
    assert_int_equal(web_tokens_load(path, &a, &t, NULL), OK);
    assert_int_equal(t.count, 2);
    assert_int_equal(t.items[0].scopes, SCOPE_READ);
    assert_int_equal(t.items[1].scopes, SCOPE_WRITE | SCOPE_METRICS);
    assert_int_equal(t.items[1].sha256[0], 0x9f);
    assert_int_equal(t.items[1].sha256[31], 0x08);
    arena_fini(&a);
    check_wrong(load_tokens, "tokens:\n  - {name: a, sha256: 12, scopes: [read]}\n",
                "2:23: field \"sha256\": must be 64 hexadecimal digits");
    check_wrong(load_tokens, "tokens:\n  - {name: a, sha256: " SUM ", scopes: [root]}\n",
                "2:97: field \"scopes\": scopes are read, write, admin, metrics");
    check_wrong(load_tokens, "tokens:\n  - {name: a, sha256: " SUM "}\n",
                "2:5: \"scopes\" is missing");
    check_wrong(load_tokens, "{}\n", "1:1: \"tokens\" is missing");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_web_config__reads_everything),
        cmocka_unit_test(test_web_config__an_empty_file_asks_for_nothing),
        cmocka_unit_test(test_web_config__tells_what_is_wrong),
        cmocka_unit_test(test_web_tokens__are_read_and_checked),
    };
    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
