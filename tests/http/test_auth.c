/* test_auth.c -- passwords, tokens, scopes, and files that change. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "http/auth.h"
#include "http/digest.h"

/* bcrypt of "secret" at the lowest cost */
#define HASH "$2b$04$Kb6HOSUdXzZqvqHdOeHnoeLT/YdzQmMxKBBtJCtq7cgRzmW.moZPy"
/* SHA-256 of "test" */
#define SUM "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"

static char dir[64], web[128], tokens[128];

static void put(const char *path, const char *text)
{
    char next[160];
    snprintf(next, sizeof(next), "%s.next", path);
    FILE *f = fopen(next, "w");
    assert_non_null(f);
    assert_int_equal(fputs(text, f) >= 0, 1);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(rename(next, path), 0);
}

static int make_files(void **state)
{
    (void)state;
    snprintf(dir, sizeof(dir), "/tmp/varve-auth-XXXXXX");
    assert_non_null(mkdtemp(dir));
    snprintf(web, sizeof(web), "%s/web.yml", dir);
    snprintf(tokens, sizeof(tokens), "%s/tokens.yml", dir);
    put(web, "basic_auth_users: {alice: " HASH "}\n");
    put(tokens, "tokens:\n  - {name: grafana, sha256: " SUM ", scopes: [read, metrics]}\n");
    return 0;
}

static int remove_files(void **state)
{
    (void)state;
    (void)unlink(web);
    (void)unlink(tokens);
    return rmdir(dir);
}

static struct auth *open_auth(const char *web_path, const char *token_path)
{
    struct auth *a;
    struct diag d = {.text = ""};
    if (auth_open(web_path, token_path, &a, &d) != OK)
        fail_msg("%s", d.text);
    return a;
}

static enum auth_verdict check(struct auth *a, const char *header, unsigned scope)
{
    return auth_check(a, str_from(header), scope);
}

static enum auth_verdict verify(struct auth *a, const char *header)
{
    return auth_verify(a, str_from(header), SCOPE_ADMIN);
}

static void test_auth__without_rules_all_is_allowed(void **state)
{
    (void)state;
    struct auth *a = open_auth("", "");
    assert_false(auth_is_on(a));
    assert_int_equal(check(a, "", SCOPE_ADMIN), AUTH_ALLOWED);
    auth_close(a);
}

static void test_auth__passwords(void **state)
{
    (void)state;
    struct auth *a = open_auth(web, "");
    const char *right = "Basic YWxpY2U6c2VjcmV0";     /* alice:secret */
    const char *wrong = "Basic YWxpY2U6c2VjcmV0cw=="; /* alice:secrets */
    const char *other = "Basic Ym9iOnNlY3JldA==";     /* bob:secret */
    assert_true(auth_is_on(a));
    assert_int_equal(check(a, "", SCOPE_READ), AUTH_UNKNOWN);
    assert_int_equal(check(a, "Basic", SCOPE_READ), AUTH_UNKNOWN);
    assert_int_equal(check(a, "Basic ####", SCOPE_READ), AUTH_UNKNOWN);
    assert_int_equal(check(a, "Basic YWxpY2U=", SCOPE_READ), AUTH_UNKNOWN); /* no colon */
    assert_int_equal(check(a, "Negotiate YWxpY2U6c2VjcmV0", SCOPE_READ), AUTH_UNKNOWN);
    assert_int_equal(check(a, right, SCOPE_READ), AUTH_PASSWORD);
    assert_int_equal(verify(a, right), AUTH_ALLOWED);
    assert_int_equal(check(a, right, SCOPE_READ), AUTH_ALLOWED); /* from now on at once */
    assert_int_equal(check(a, "bAsIc YWxpY2U6c2VjcmV0", SCOPE_ADMIN), AUTH_ALLOWED);
    assert_int_equal(check(a, wrong, SCOPE_READ), AUTH_PASSWORD);
    assert_int_equal(verify(a, wrong), AUTH_UNKNOWN);
    assert_int_equal(check(a, wrong, SCOPE_READ), AUTH_PASSWORD); /* failures are not kept */
    assert_int_equal(check(a, other, SCOPE_READ), AUTH_PASSWORD); /* takes as long */
    assert_int_equal(verify(a, other), AUTH_UNKNOWN);
    auth_close(a);
}

static void test_auth__tokens_have_scopes(void **state)
{
    (void)state;
    struct auth *a = open_auth("", tokens);
    assert_int_equal(check(a, "Bearer test", SCOPE_READ), AUTH_ALLOWED);
    assert_int_equal(check(a, "bearer test", SCOPE_METRICS), AUTH_ALLOWED);
    assert_int_equal(check(a, "Bearer test", SCOPE_WRITE), AUTH_REFUSED);
    assert_int_equal(check(a, "Bearer test", SCOPE_ADMIN), AUTH_REFUSED);
    assert_int_equal(check(a, "Bearer tests", SCOPE_READ), AUTH_UNKNOWN);
    assert_int_equal(check(a, "Bearer ", SCOPE_READ), AUTH_UNKNOWN);
    assert_int_equal(check(a, "Basic dGVzdDp0ZXN0", SCOPE_READ), AUTH_UNKNOWN);
    auth_close(a);
}

static err refresh(struct auth *a)
{
    struct diag d = {.text = ""};
    err e = auth_refresh(a, &d);
    assert_int_equal(e == OK, d.text[0] == '\0');
    return e;
}

static void test_auth__changed_files_are_read_again(void **state)
{
    (void)state;
    struct auth *a = open_auth(web, tokens);
    const char *right = "Basic YWxpY2U6c2VjcmV0";
    assert_int_equal(verify(a, right), AUTH_ALLOWED);
    put(tokens, "tokens: [\n");
    assert_int_equal(refresh(a), ERR_INVALID);
    assert_int_equal(refresh(a), ERR_INVALID); /* still wrong, counted once */
    assert_int_equal(auth_counters_of(a).reloads_failed, 1);
    assert_false(auth_counters_of(a).last_reload_ok);
    assert_int_equal(check(a, "Bearer test", SCOPE_READ), AUTH_ALLOWED); /* wrong: old stays */
    put(tokens, "tokens: []\n");
    assert_int_equal(refresh(a), OK);
    assert_int_equal(check(a, "Bearer test", SCOPE_READ), AUTH_UNKNOWN);
    put(web, "basic_auth_users: {}\n");
    assert_int_equal(refresh(a), OK);
    assert_int_equal(check(a, "", SCOPE_READ), AUTH_UNKNOWN); /* no token is no open door */
    put(tokens, "tokens:\n  - {name: g, sha256: " SUM ", scopes: [write]}\n");
    put(web, "basic_auth_users: {carol: " HASH "}\n");
    assert_int_equal(refresh(a), OK);
    assert_true(auth_counters_of(a).last_reload_ok);
    assert_int_equal(check(a, "Bearer test", SCOPE_READ), AUTH_REFUSED);
    assert_int_equal(verify(a, right), AUTH_UNKNOWN); /* known or not: the user is gone */
    auth_close(a);
    make_files(NULL);
}

static void test_auth__wrong_files_do_not_open(void **state)
{
    (void)state;
    struct auth *a;
    struct diag d = {.text = ""};
    assert_int_equal(auth_open("/nowhere/web.yml", "", &a, &d), ERR_NOTFOUND);
    assert_string_equal(d.text, "/nowhere/web.yml: no such file");
}

static void test_digest__refuses_what_bcrypt_would_cut(void **state)
{
    (void)state;
    char text[100];
    memset(text, 'a', sizeof(text));
    assert_true(digest_bcrypt_matches(STR("secret"), STR(HASH)));
    assert_false(digest_bcrypt_matches(STR("secret\0x"), STR(HASH)));
    assert_false(digest_bcrypt_matches((str){text, BCRYPT_PASSWORD_MAX + 1}, STR(HASH)));
    assert_false(digest_bcrypt_matches(STR(""), STR(HASH)));
    assert_false(digest_bcrypt_matches(STR("secret"), STR("$2b$04$broken")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_auth__without_rules_all_is_allowed),
        cmocka_unit_test(test_auth__passwords),
        cmocka_unit_test(test_auth__tokens_have_scopes),
        cmocka_unit_test(test_auth__changed_files_are_read_again),
        cmocka_unit_test(test_auth__wrong_files_do_not_open),
        cmocka_unit_test(test_digest__refuses_what_bcrypt_would_cut),
    };
    return cmocka_run_group_tests(tests, make_files, remove_files);
}
