/* test_inbound.c -- webhooks of providers: their proofs, what they say, and what hostile ones do.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "base/sha256.h"
#include "notify/inbound.h"

#define KEY "91b9c2e1b5ae1cb0b0dd0c7d9dbef1d3fd1a5b6e0b8c3b3d8c1f4f1b5a6c7d8e"

static const int64_t NOW = INT64_C(1795449600000);

static const char *path_of(const char *name)
{
    static char paths[2][64];
    static unsigned turn;
    char *path = paths[turn++ % COUNT_OF(paths)];
    (void)snprintf(path, sizeof(paths[0]), "/tmp/varve-inbound-%s-%d", name, (int)getpid());
    return path;
}

static const char *write_file(const char *name, const char *text)
{
    const char *path = path_of(name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
    return path;
}

static err open_with(const char *pagerduty, const char *opsgenie, struct inbound **in,
                     struct diag *d)
{
    struct ack_inbound config = {.pagerduty_webhook_secret_file = STR(""),
                                 .opsgenie_webhook_token_file = STR("")};
    if (pagerduty != NULL)
        config.pagerduty_webhook_secret_file = str_from(write_file("pd", pagerduty));
    if (opsgenie != NULL)
        config.opsgenie_webhook_token_file = str_from(write_file("og", opsgenie));
    return inbound_open(&config, in, d);
}

static struct inbound *open_both(void)
{
    struct inbound *in = NULL;
    struct diag d = {.text = ""};
    if (open_with("secret-one\n\n secret-two \n", "token-one\n", &in, &d) != OK)
        fail_msg("%s", d.text);
    return in;
}

static void sign(const char *secret, const char *body, struct buf *out)
{
    uint8_t mac[HMAC_SHA256_SIZE];
    hmac_sha256(str_bytes(str_from(secret)), str_bytes(str_from(body)), mac);
    buf_put_str(out, out->len > 0 ? STR(",v1=") : STR("v1="));
    for (size_t i = 0; i < sizeof(mac); i++)
        buf_printf(out, "%02x", mac[i]);
}

static err pagerduty(const struct inbound *in, const char *body, struct inbound_event *e,
                     struct diag *d)
{
    struct buf header = {0};
    sign("secret-one", body, &header);
    err result = inbound_pagerduty(in, buf_str(&header), str_bytes(str_from(body)), NOW, e, d);
    buf_fini(&header);
    return result;
}

#define EVENT(type, more)                                                                          \
    "{\"event\":{\"id\":\"5ac64822\",\"event_type\":\"" type "\",\"resource_type\":\"incident\","  \
    "\"occurred_at\":\"2026-11-23T15:59:00.5Z\",\"agent\":{\"summary\":\"Tenex "                   \
    "Engineer\",\"type\":\"user_reference\"}," more "\"data\":{\"id\":\"PGR0VU2\",\"type\":"       \
    "\"incident\",\"incident_key\":\"" KEY "\"}}}"

static void test_pagerduty__events(void **state)
{
    static const struct {
        const char *body;
        enum inbound_change change;
        enum provider_change provider;
    } CASES[] = {
        {EVENT("incident.acknowledged", ""), INBOUND_ACK, PROVIDER_ACK},
        {EVENT("incident.unacknowledged", ""), INBOUND_UNACK, PROVIDER_UNACK},
        {EVENT("incident.resolved", ""), INBOUND_NOTE, PROVIDER_ACK},
        {EVENT("incident.reopened", ""), INBOUND_OTHER, PROVIDER_ACK},
        {EVENT("incident.reassigned", ""), INBOUND_OTHER, PROVIDER_ACK},
        {EVENT("incident.made_up", "\"x\":[1,{}],"), INBOUND_OTHER, PROVIDER_ACK},
    };
    struct inbound *in = open_both();
    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct inbound_event e = {.root = NULL};
        struct diag d = {.text = ""};
        if (pagerduty(in, CASES[i].body, &e, &d) != OK)
            fail_msg("%s", d.text);
        assert_int_equal(e.change, CASES[i].change);
        assert_int_equal(e.event.via, ACK_VIA_PAGERDUTY);
        if (e.change != INBOUND_OTHER)
            assert_int_equal(e.event.change, CASES[i].provider);
        if (e.change != INBOUND_OTHER)
            assert_int_equal(e.event.at_ms, NOW - 59500);
        assert_true(str_eq(e.event.key, STR(KEY)));
        assert_true(str_eq(e.event.by, STR("Tenex Engineer")));
        inbound_event_fini(&e);
    }
    inbound_close(in);
}

/* What PagerDuty sends for a test of the subscription. */
static void test_pagerduty__ping(void **state)
{
    struct inbound *in = open_both();
    struct inbound_event e = {.root = NULL};
    (void)state;
    assert_int_equal(pagerduty(in,
                               "{\"event\":{\"event_type\":\"pagey.ping\",\"agent\":null,\"data\":"
                               "{\"message\":\"Hello\",\"type\":\"ping\"}}}",
                               &e, NULL),
                     OK);
    assert_int_equal(e.change, INBOUND_OTHER);
    inbound_event_fini(&e);
    inbound_close(in);
}

static err with_header(const struct inbound *in, const char *header)
{
    struct inbound_event e = {.root = NULL};
    const char *body = EVENT("incident.acknowledged", "");
    err result = inbound_pagerduty(in, str_from(header), str_bytes(str_from(body)), NOW, &e, NULL);
    inbound_event_fini(&e);
    return result;
}

static void test_pagerduty__signatures(void **state)
{
    const char *body = EVENT("incident.acknowledged", "");
    struct inbound *in = open_both();
    struct buf old = {0}, both = {0}, strange = {0}, many = {0};
    (void)state;
    sign("secret-two", body, &old);
    assert_int_equal(with_header(in, buf_cstr(&old)), OK);
    sign("another", body, &both);
    assert_int_equal(with_header(in, buf_cstr(&both)), ERR_ORDER);
    sign("secret-one", body, &both);
    assert_int_equal(with_header(in, buf_cstr(&both)), OK);
    buf_put_str(&strange, STR("v2=00, , v1=, x,"));
    buf_put_str(&strange, buf_str(&old));
    assert_int_equal(with_header(in, buf_cstr(&strange)), OK);
    assert_int_equal(with_header(in, buf_cstr(&old) + 3), ERR_ORDER); /* no version */
    assert_int_equal(with_header(in, ""), ERR_ORDER);
    assert_int_equal(with_header(in, "v1="), ERR_ORDER);
    for (unsigned i = 0; i < INBOUND_SIGNATURES_MAX; i++)
        buf_put_str(&many, STR("v1=00,"));
    buf_put_str(&many, buf_str(&old));
    assert_int_equal(with_header(in, buf_cstr(&many)), ERR_ORDER);
    for (size_t i = 3; i < old.len; i++) {
        old.ptr[i] ^= 1;
        assert_int_equal(with_header(in, buf_cstr(&old)), ERR_ORDER);
        old.ptr[i] ^= 1;
    }
    buf_fini(&old);
    buf_fini(&both);
    buf_fini(&strange);
    buf_fini(&many);
    inbound_close(in);
}

static void test_pagerduty__malformed(void **state)
{
    static const char *const BODIES[] = {
        "",
        "[]",
        "{",
        "null",
        "{}",
        "{\"event\":[]}",
        "{\"event\":{\"event_type\":7}}",
        "{\"event\":{\"event_type\":\"incident.acknowledged\",\"occurred_at\":\"soon\"}}",
        "{\"event\":{\"event_type\":\"\xff\"}}",
    };
    struct inbound *in = open_both();
    struct buf deep = {0};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(BODIES); i++) {
        struct inbound_event e = {.root = NULL};
        struct diag d = {.text = ""};
        assert_int_equal(pagerduty(in, BODIES[i], &e, &d), ERR_INVALID);
        assert_true(d.text[0] != '\0');
        inbound_event_fini(&e);
    }
    buf_put_str(&deep, STR("{\"event\":"));
    for (unsigned i = 0; i < 100000; i++)
        buf_put_u8(&deep, '[');
    struct inbound_event e = {.root = NULL};
    assert_int_equal(pagerduty(in, buf_cstr(&deep), &e, NULL), ERR_INVALID);
    inbound_event_fini(&e);
    buf_fini(&deep);
    inbound_close(in);
}

/* Names are kept and shown: they are cut where a rune ends, and steer no terminal. */
static void test_names__are_tame(void **state)
{
    struct inbound *in = open_both();
    struct buf body = {0};
    struct inbound_event e = {.root = NULL};
    (void)state;
    buf_put_str(&body, STR("{\"event\":{\"event_type\":\"incident.acknowledged\",\"agent\":{"
                           "\"summary\":\"x"));
    for (unsigned i = 0; i < 200; i++)
        buf_put_str(&body, STR("ö"));
    buf_put_str(&body, STR("\"}}}"));
    assert_int_equal(pagerduty(in, buf_cstr(&body), &e, NULL), OK);
    assert_int_equal(e.event.by.len, 255);
    assert_int_equal(e.event.at_ms, NOW);
    inbound_event_fini(&e);
    e = (struct inbound_event){.root = NULL};
    assert_int_equal(pagerduty(in,
                               "{\"event\":{\"event_type\":\"incident.acknowledged\",\"agent\":{"
                               "\"summary\":\"a\\u001b[2J\"}}}",
                               &e, NULL),
                     OK);
    assert_true(str_eq(e.event.by, STR("PagerDuty")));
    inbound_event_fini(&e);
    buf_fini(&body);
    inbound_close(in);
}

static void test_opsgenie__actions(void **state)
{
    static const struct {
        const char *action, *time;
        enum inbound_change change;
        int64_t at_ms;
    } CASES[] = {
        {"Acknowledge", "\"updatedAt\":1795449590123000246,", INBOUND_ACK, NOW - 9877},
        {"UnAcknowledge", "\"updatedAt\":1795449590123,", INBOUND_UNACK, NOW - 9877},
        {"acknowledge", "", INBOUND_ACK, NOW},
        {"Close", "\"updatedAt\":-1,", INBOUND_NOTE, NOW},
        {"AddNote", "", INBOUND_NOTE, NOW},
        {"Create", "", INBOUND_OTHER, NOW},
        {"AssignOwnership", "", INBOUND_OTHER, NOW},
    };
    struct inbound *in = open_both();
    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct inbound_event e = {.root = NULL};
        struct diag d = {.text = ""};
        struct buf body = {0};
        buf_printf(&body,
                   "{\"source\":{\"name\":\"\",\"type\":\"web\"},\"alert\":{%s\"alias\":\"" KEY
                   "\",\"username\":\"fili@x.org\"},\"action\":\"%s\",\"integrationName\":\"I\"}",
                   CASES[i].time, CASES[i].action);
        if (inbound_opsgenie(in, STR("token-one"), buf_slice(&body), NOW, &e, &d) != OK)
            fail_msg("%s", d.text);
        assert_int_equal(e.change, CASES[i].change);
        assert_int_equal(e.event.via, ACK_VIA_OPSGENIE);
        assert_int_equal(e.event.at_ms, CASES[i].at_ms);
        assert_true(str_eq(e.event.key, STR(KEY)));
        assert_true(str_eq(e.event.by, STR("fili@x.org")));
        inbound_event_fini(&e);
        buf_fini(&body);
    }
    inbound_close(in);
}

static void test_opsgenie__tokens_and_nonsense(void **state)
{
    static const char *const TOKENS[] = {"", "token-on", "token-one ", "token-two", "secret-one"};
    const slice body = str_bytes(STR("{\"action\":\"Close\"}"));
    struct inbound *in = open_both();
    struct inbound_event e = {.root = NULL};
    struct diag d = {.text = ""};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(TOKENS); i++)
        assert_int_equal(inbound_opsgenie(in, str_from(TOKENS[i]), body, NOW, &e, &d), ERR_ORDER);
    assert_int_equal(inbound_opsgenie(in, STR("token-one"), body, NOW, &e, &d), OK);
    assert_int_equal(e.event.key.len, 0);
    assert_true(str_eq(e.event.by, STR("OpsGenie")));
    inbound_event_fini(&e);
    e = (struct inbound_event){.root = NULL};
    assert_int_equal(
        inbound_opsgenie(in, STR("token-one"), str_bytes(STR("{\"action\":{}}")), NOW, &e, &d),
        ERR_INVALID);
    inbound_event_fini(&e);
    inbound_close(in);
}

static void test_open__files(void **state)
{
    static const struct {
        const char *text, *why;
        err want;
    } CASES[] = {
        {"\n \n", "is empty", ERR_INVALID},
        {"secret-one\nshort\n", "less than 8 bytes", ERR_INVALID},
        {"11111111\n22222222\n33333333\n44444444\n55555555\n66666666\n77777777\n88888888\n99999999",
         "more than 8 lines", ERR_LIMIT},
    };
    struct inbound *in = NULL;
    struct inbound_event e = {.root = NULL};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct diag d = {.text = ""};
        assert_int_equal(open_with(CASES[i].text, NULL, &in, &d), CASES[i].want);
        assert_non_null(strstr(d.text, CASES[i].why));
        assert_null(strstr(d.text, "secret-one"));
    }
    assert_int_equal(open_with(NULL, "token-one", &in, NULL), OK);
    assert_int_equal(pagerduty(in, "{}", &e, NULL), ERR_UNSUPPORTED);
    inbound_close(in);
    assert_int_equal(inbound_opsgenie(NULL, STR(""), (slice){NULL, 0}, NOW, &e, NULL),
                     ERR_UNSUPPORTED);
    (void)unlink(path_of("pd"));
    const struct ack_inbound missing = {.pagerduty_webhook_secret_file = str_from(path_of("pd")),
                                        .opsgenie_webhook_token_file = STR("")};
    assert_int_equal(inbound_open(&missing, &in, NULL), ERR_NOTFOUND);
}

static int remove_files(void **state)
{
    (void)state;
    (void)unlink(path_of("pd"));
    (void)unlink(path_of("og"));
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pagerduty__events),
        cmocka_unit_test(test_pagerduty__ping),
        cmocka_unit_test(test_pagerduty__signatures),
        cmocka_unit_test(test_pagerduty__malformed),
        cmocka_unit_test(test_names__are_tame),
        cmocka_unit_test(test_opsgenie__actions),
        cmocka_unit_test(test_opsgenie__tokens_and_nonsense),
        cmocka_unit_test(test_open__files),
    };
    return cmocka_run_group_tests(tests, NULL, remove_files);
}
