/* test_ack_link.c -- links by which incidents are acknowledged: what is signed, what is refused,
 * and where they stand in messages. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "base/fs.h"
#include "notify/ack_link.h"
#include "notify/notify_template.h"
#include "provider_stub.h"

#define SECRET "0123456789abcdef0123456789abcdef"
#define ID     "00112233aabbccdd"

static const int64_t NOW = INT64_C(1795449600000);

static char *write_secret(const char *text)
{
    static char path[64];
    (void)snprintf(path, sizeof(path), "/tmp/varve-ack-%d", (int)getpid());
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
    return path;
}

static struct ack_signer *open_signer(const char *secret, const char *base_url, int64_t ttl_ms)
{
    struct ack_signer *s = NULL;
    struct diag d = {.text = ""};
    const struct ack_links links = {.enabled = true,
                                    .base_url = str_from(base_url),
                                    .secret_file = str_from(write_secret(secret)),
                                    .ttl_ms = ttl_ms};
    if (ack_signer_open(&links, STR("http://am:9093/x"), &s, &d) != OK)
        fail_msg("%s", d.text);
    return s;
}

static void make(const struct ack_signer *s, const char *receiver, struct buf *token)
{
    struct buf url = {0};
    ack_signer_put(s, STR(ID), str_from(receiver), NOW, &url);
    const char *at = strstr(buf_cstr(&url), "token=");
    assert_non_null(at);
    buf_put_str(token, str_from(at + 6));
    buf_fini(&url);
}

static err reads(const struct ack_signer *s, str token, int64_t now_ms)
{
    struct ack_token t = {.expires_ms = 0};
    err e = ack_signer_read(s, token, now_ms, &t);
    ack_token_fini(&t);
    return e;
}

static void test_ack_link__reads_what_it_made(void **state)
{
    struct ack_signer *s = open_signer(" " SECRET "\n", "", 60000);
    struct buf token = {0};
    struct ack_token t = {.expires_ms = 0};
    (void)state;
    make(s, "team \"x\"", &token);
    assert_int_equal(ack_signer_read(s, buf_str(&token), NOW, &t), OK);
    assert_string_equal(t.incident, ID);
    assert_string_equal(buf_cstr(&t.receiver), "team \"x\"");
    assert_int_equal(t.expires_ms, NOW + 60000);
    ack_token_fini(&t);
    assert_int_equal(reads(s, buf_str(&token), NOW + 59999), OK);
    assert_int_equal(reads(s, buf_str(&token), NOW + 60000), ERR_ORDER);
    buf_fini(&token);
    ack_signer_close(s);
}

/* Every byte of a token is under the signature, and nothing may follow. */
static void test_ack_link__refuses_what_was_changed(void **state)
{
    struct ack_signer *s = open_signer(SECRET, "", 60000);
    struct buf token = {0};
    (void)state;
    make(s, "r", &token);
    for (size_t i = 0; i < token.len; i++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            token.ptr[i] ^= (uint8_t)(1U << bit);
            assert_int_equal(reads(s, buf_str(&token), NOW), ERR_INVALID);
            token.ptr[i] ^= (uint8_t)(1U << bit);
        }
        assert_int_equal(reads(s, (str){(const char *)token.ptr, i}, NOW), ERR_INVALID);
    }
    buf_put_u8(&token, '0');
    assert_int_equal(reads(s, buf_str(&token), NOW), ERR_INVALID);
    buf_fini(&token);
    ack_signer_close(s);
}

static void test_ack_link__refuses_nonsense(void **state)
{
    static const char *const TEXTS[] = {"",
                                        ".",
                                        "....",
                                        ".....",
                                        "1." ID ".99999999999..",
                                        "1." ID ".99999999999..00",
                                        "......................"};
    struct ack_signer *s = open_signer(SECRET, "", 60000);
    struct buf longer = {0};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(TEXTS); i++)
        assert_int_equal(reads(s, str_from(TEXTS[i]), NOW), ERR_INVALID);
    assert_int_equal(reads(s, (str){NULL, 0}, NOW), ERR_INVALID);
    for (unsigned i = 0; i <= ACK_TOKEN_BYTES_MAX; i++)
        buf_put_u8(&longer, i % 10 == 0 ? '.' : 'a');
    assert_int_equal(reads(s, buf_str(&longer), NOW), ERR_INVALID);
    buf_fini(&longer);
    ack_signer_close(s);
}

static void test_ack_link__another_secret_makes_other_links(void **state)
{
    struct ack_signer *s = open_signer(SECRET, "", 60000);
    struct ack_signer *other = open_signer(SECRET "0", "", 60000);
    struct buf token = {0};
    (void)state;
    make(s, "r", &token);
    assert_int_equal(reads(other, buf_str(&token), NOW), ERR_INVALID);
    buf_fini(&token);
    ack_signer_close(s);
    ack_signer_close(other);
}

static void test_ack_link__leads_where_the_configuration_says(void **state)
{
    static const struct {
        const char *base, *want;
    } CASES[] = {
        {"", "http://am:9093/x/api/v1/alerting/ack?token=1." ID "."},
        {"https://mon.example/", "https://mon.example/api/v1/alerting/ack?token=1." ID "."},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct ack_signer *s = open_signer(SECRET, CASES[i].base, 60000);
        struct buf url = {0};
        ack_signer_put(s, STR(ID), STR("r"), NOW, &url);
        assert_true(str_starts(buf_str(&url), str_from(CASES[i].want)));
        assert_null(strstr(buf_cstr(&url), SECRET));
        buf_fini(&url);
        ack_signer_close(s);
    }
}

/* A name that is too long is not proposed; the link holds. */
static void test_ack_link__long_receivers(void **state)
{
    struct ack_signer *s = open_signer(SECRET, "", 60000);
    char name[ACK_TOKEN_RECEIVER_BYTES_MAX + 2];
    struct buf token = {0};
    struct ack_token t = {.expires_ms = 0};
    (void)state;
    memset(name, 'n', sizeof(name));
    name[sizeof(name) - 1] = '\0';
    make(s, name, &token);
    assert_int_equal(ack_signer_read(s, buf_str(&token), NOW, &t), OK);
    assert_int_equal(t.receiver.len, 0);
    ack_token_fini(&t);
    buf_reset(&token);
    make(s, name + 1, &token);
    assert_true(token.len <= ACK_TOKEN_BYTES_MAX);
    assert_int_equal(ack_signer_read(s, buf_str(&token), NOW, &t), OK);
    assert_int_equal(t.receiver.len, ACK_TOKEN_RECEIVER_BYTES_MAX);
    ack_token_fini(&t);
    buf_fini(&token);
    ack_signer_close(s);
}

static void test_ack_signer__refuses_weak_and_missing_secrets(void **state)
{
    struct ack_signer *s = NULL;
    struct diag d = {.text = ""};
    struct ack_links links = {.secret_file = str_from(write_secret("  short-secret \n"))};
    (void)state;
    assert_int_equal(ack_signer_open(&links, STR(""), &s, &d), ERR_INVALID);
    assert_non_null(strstr(d.text, "16 bytes"));
    assert_null(strstr(d.text, "short-secret"));
    assert_int_equal(unlink(links.secret_file.ptr), 0);
    assert_int_equal(ack_signer_open(&links, STR(""), &s, &d), ERR_NOTFOUND);
    assert_non_null(strstr(d.text, links.secret_file.ptr));
    assert_null(s);
}

/* ---- In messages ---- */

static const char *send_to(struct provider *p, enum integration_kind kind, const char *receiver,
                           bool links)
{
    static char text[65536];
    struct buf ext = {0};
    provider_open(p);
    p->sample.n.incident = STR(ID);
    buf_printf(&ext, "acknowledgements: {links: {enabled: %s, secret_file: %s}}\n",
               links ? "true" : "false", write_secret(SECRET));
    p->ext_text = buf_cstr(&ext);
    provider_send(p, kind, receiver);
    if (p->result.outcome != NOTIFY_SENT)
        fail_msg("%s: %s", receiver, p->d.text);
    (void)snprintf(text, sizeof(text), "%s", provider_body(p, 0));
    provider_close(p);
    p->ext_text = NULL;
    buf_fini(&ext);
    return text;
}

#define LINK "http://varve:9090/api/v1/alerting/ack?token=1." ID "."

static void test_messages__have_the_link(void **state)
{
    static const struct { /* "URL" alone is the stub's */
        enum integration_kind kind;
        const char *receiver, *answer, *want;
    } CASES[] = {
        {INTEGRATION_WEBHOOK, "webhook_configs: [{url: 'URL/h'}]", "", "\"ackURL\":\"" LINK},
        {INTEGRATION_SLACK, "slack_configs: [{api_url: 'URL/h', channel: c}]", "ok",
         "\"text\":\"\\u003c" LINK},
        {INTEGRATION_TELEGRAM, "telegram_configs: [{api_url: 'URL', bot_token: abcd, chat_id: 1}]",
         "{\"ok\":true}", "\"text\":\"Acknowledge: " LINK},
        {INTEGRATION_DISCORD, "discord_configs: [{webhook_url: 'URL/h'}]", "",
         "\"description\":\"[Acknowledge](" LINK},
        {INTEGRATION_MSTEAMS, "msteams_configs: [{webhook_url: 'URL/h'}]", "",
         "\"text\":\"[Acknowledge](" LINK},
        {INTEGRATION_MSTEAMSV2, "msteamsv2_configs: [{webhook_url: 'URL/h'}]", "",
         "\"text\":\"[Acknowledge](" LINK},
        {INTEGRATION_WEBHOOK,
         "webhook_configs: [{url: 'URL/h', payload: {at: \"{{ .Ack\\x55RL }}\", all: '{{ . | "
         "toJson "
         "}}'}}]",
         "", "\"at\":\"" LINK},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct provider p = {.body = CASES[i].answer};
        const char *body = send_to(&p, CASES[i].kind, CASES[i].receiver, true);
        if (strstr(body, CASES[i].want) == NULL)
            fail_msg("no %s in %s", CASES[i].want, body);
        assert_null(strstr(body, SECRET));
        p = (struct provider){.body = CASES[i].answer};
        body = send_to(&p, CASES[i].kind, CASES[i].receiver, false);
        if (strstr(body, "alerting/ack") != NULL || strstr(body, "ackURL") != NULL ||
            strstr(body, "Acknowledge") != NULL)
            fail_msg("a link in %s", body);
    }
}

static void test_messages__have_none_when_all_is_over(void **state)
{
    struct provider p = {.body = ""};
    (void)state;
    sample_init(&p.sample);
    sample_resolve(&p.sample);
    const char *body = send_to(&p, INTEGRATION_WEBHOOK, "webhook_configs: [{url: 'URL/h'}]", true);
    assert_non_null(strstr(body, "\"status\":\"resolved\""));
    assert_null(strstr(body, "ackURL"));
}

/* There is a mail program between the text and its reader: the link is an attribute. */
static void test_messages__mail_has_a_button(void **state)
{
    static const char *const URLS[] = {"", "http://x/y?token=1.2&a=\"b\""};
    struct alertmanager_file *f = testing_config("route: {receiver: r}\nreceivers: [{name: r}]\n");
    struct notify_templates *t = NULL;
    struct sample sample;
    struct diag d = {.text = ""};
    (void)state;
    sample_init(&sample);
    assert_int_equal(notify_templates_open(f, &t, &d), OK);
    for (size_t i = 0; i < COUNT_OF(URLS); i++) {
        struct notify_data data;
        struct buf out = {0};
        assert_int_equal(notify_templates_data(t, &sample.n, STR("http://am"), &data, &d), OK);
        notify_data_ack_url(&data, str_from(URLS[i]));
        assert_int_equal(notify_expand(t, &data, STR("{{ template \"email.default.html\" . }}"),
                                       NOTIFY_HTML, &out, &d),
                         OK);
        bool found = strstr(buf_cstr(&out), "href=\"http://x/y?token=1.2&amp;a=%22b%22\"") != NULL;
        assert_int_equal(found, i > 0);
        assert_int_equal(strstr(buf_cstr(&out), "Acknowledge") != NULL, i > 0);
        buf_fini(&out);
        notify_data_fini(&data);
    }
    notify_templates_close(t);
    alertmanager_config_unref(f);
}

static int remove_secret(void **state)
{
    (void)state;
    (void)unlink(write_secret(""));
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ack_link__reads_what_it_made),
        cmocka_unit_test(test_ack_link__refuses_what_was_changed),
        cmocka_unit_test(test_ack_link__refuses_nonsense),
        cmocka_unit_test(test_ack_link__another_secret_makes_other_links),
        cmocka_unit_test(test_ack_link__leads_where_the_configuration_says),
        cmocka_unit_test(test_ack_link__long_receivers),
        cmocka_unit_test(test_ack_signer__refuses_weak_and_missing_secrets),
        cmocka_unit_test(test_messages__have_the_link),
        cmocka_unit_test(test_messages__have_none_when_all_is_over),
        cmocka_unit_test(test_messages__mail_has_a_button),
    };
    return cmocka_run_group_tests(tests, NULL, remove_secret);
}
