/* test_notice.c -- notices over scripted time: told once to each integration, through failures,
 * crashes and reloads, and by providers in words of their own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "base/mem.h"
#include "base/sha256.h"
#include "engine_sim.h"
#include "notify/notice_priv.h"
#include "provider_stub.h"
#include "support/smtp_stub.h"

#define TWO                                                                                        \
    "route: {receiver: r}\n"                                                                       \
    "receivers: [{name: r, webhook_configs: [{url: 'http://h'}, {url: 'http://i'}]}, "             \
    "{name: none}]\n"

struct two { /* a simulated engine with a receiver of two webhooks */
    struct sim sim;
    enum notify_outcome outcome[2]; /* of each webhook */
};

static void two_open(struct two *s)
{
    *s = (struct two){.outcome = {NOTIFY_SENT, NOTIFY_SENT}};
    sim_open(&s->sim, TWO, NULL);
}

/* Power goes, and the server comes back. */
static void crash(struct two *s)
{
    fs_sim_crash(s->sim.disk);
    engine_close(s->sim.e);
    sim_open_engine(&s->sim, 0);
}

static void reload(struct two *s, const char *config)
{
    alertmanager_config_unref(s->sim.f);
    s->sim.f = testing_config(config);
    assert_int_equal(engine_reload(s->sim.e, s->sim.f, (struct engine_companion){0}, s->sim.now_ms),
                     OK);
}

/* "+30s r/0 Title! text" -- an exclamation mark behind what is not open. */
static void record(struct two *s, const struct notification *n)
{
    buf_printf(&s->sim.told, "+%llds " STR_FMT "/%zu " STR_FMT "%s\n",
               (long long)(s->sim.now_ms - T0) / SECOND, STR_ARG(n->receiver), n->index,
               STR_ARG(n->notice->title), n->notice->open ? "" : "!");
    assert_int_equal(n->alert_count, 1);
    assert_int_equal(n->alerts[0].resolved, !n->notice->open);
    assert_int_equal(n->firing_count, n->notice->open);
    assert_string_equal(notify_reason_text(n->reason), "notice");
}

static void send_due(struct two *s)
{
    struct delivery *d;
    while ((d = engine_take(s->sim.e, s->sim.now_ms)) != NULL) {
        const struct notification *n = delivery_notification(d);
        enum notify_outcome outcome = s->outcome[n->index];
        s->sim.attempts++;
        if (outcome == NOTIFY_SENT)
            record(s, n);
        engine_done(s->sim.e, d, (struct notify_result){outcome, 0}, s->sim.now_ms);
        assert_int_equal(engine_sync(s->sim.e), OK);
    }
}

static void let_pass(struct two *s, int64_t ms)
{
    int64_t at_ms = s->sim.now_ms + ms;
    send_due(s);
    for (int64_t next_ms; (next_ms = engine_next_ms(s->sim.e)) <= at_ms;) {
        s->sim.now_ms = MAX(next_ms, s->sim.now_ms);
        send_due(s);
    }
    s->sim.now_ms = at_ms;
}

static struct label NAME[] = {{STR("alertname"), STR("Window")}, {STR("window"), STR("db")}};

static struct alert_notice notice_of(const char *id, const char *title)
{
    return (struct alert_notice){.id = str_from(id),
                                 .receiver = STR("r"),
                                 .key = STR("window/db"),
                                 .title = str_from(title),
                                 .text = STR("words"),
                                 .labels = {NAME, 2}};
}

static void tell(struct two *s, const char *id, const char *title, bool open)
{
    struct diag d = {.text = ""};
    struct alert_notice n = notice_of(id, title);
    n.open = open;
    if (notice_put(s->sim.e, &n, s->sim.now_ms, &d) != OK)
        fail_msg("%s", d.text);
}

static struct notice_counts counts(const struct two *s)
{
    struct notice_counts c;
    notice_count(s->sim.e, &c);
    return c;
}

/* ---- Through the engine ---- */

static void test_notice__is_told_once(void **state)
{
    struct two s;
    (void)state;
    two_open(&s);
    tell(&s, "a", "A", true);
    tell(&s, "a", "A", true);
    assert_true(notice_is_pending(s.sim.e, STR("a"), STR("r")));
    let_pass(&s, MINUTE);
    assert_told(&s.sim, "+0s r/0 A\n+0s r/1 A\n");
    assert_false(notice_is_pending(s.sim.e, STR("a"), STR("r")));
    tell(&s, "a", "A", true);
    crash(&s);
    tell(&s, "a", "A", true);
    let_pass(&s, HOUR);
    assert_told(&s.sim, "");
    tell(&s, "b", "B", false);
    let_pass(&s, MINUTE);
    assert_told(&s.sim, "+3660s r/0 B!\n+3660s r/1 B!\n");
    assert_int_equal(counts(&s).pending, 0);
    assert_int_equal(counts(&s).told, 1);
    sim_close(&s.sim);
}

/* One provider is down, then the machine: it alone is told when both are back. */
static void test_notice__survives(void **state)
{
    struct two s;
    (void)state;
    two_open(&s);
    s.outcome[1] = NOTIFY_RETRY;
    tell(&s, "a", "A", true);
    let_pass(&s, 20 * MINUTE);
    assert_told(&s.sim, "+0s r/0 A\n");
    assert_true(s.sim.attempts > 20);
    crash(&s);
    assert_int_equal(counts(&s).pending, 1);
    s.outcome[1] = NOTIFY_SENT;
    let_pass(&s, MINUTE);
    assert_told(&s.sim, "+1200s r/1 A\n");
    assert_int_equal(counts(&s).pending, 0);
    crash(&s);
    let_pass(&s, MINUTE);
    assert_told(&s.sim, "");
    sim_close(&s.sim);
}

/* A notice is on disk before it is handed out: whenever power goes, it is told. */
static void test_notice__is_on_disk_first(void **state)
{
    struct two s;
    (void)state;
    two_open(&s);
    tell(&s, "a", "A", true);
    struct delivery *d = engine_take(s.sim.e, s.sim.now_ms);
    assert_non_null(d);
    fs_sim_crash(s.sim.disk);
    engine_done(s.sim.e, d, (struct notify_result){NOTIFY_RETRY, 0}, s.sim.now_ms);
    engine_close(s.sim.e);
    sim_open_engine(&s.sim, 0);
    let_pass(&s, SECOND);
    assert_told(&s.sim, "+0s r/0 A\n+0s r/1 A\n");
    sim_close(&s.sim);
}

static void test_notice__tries_in_rounds_until_its_time_is_over(void **state)
{
    struct two s;
    (void)state;
    two_open(&s);
    s.outcome[0] = NOTIFY_FAILED;
    s.outcome[1] = NOTIFY_FAILED;
    tell(&s, "a", "A", true);
    let_pass(&s, 4 * MINUTE);
    assert_int_equal(s.sim.attempts, 2);
    let_pass(&s, 2 * MINUTE);
    assert_int_equal(s.sim.attempts, 4);
    s.outcome[0] = NOTIFY_SENT;
    let_pass(&s, 5 * MINUTE);
    assert_told(&s.sim, "+600s r/0 A\n");
    let_pass(&s, 4 * HOUR);
    assert_told(&s.sim, "");
    assert_int_equal(counts(&s).expired, 1);
    assert_int_equal(counts(&s).pending, 0);
    assert_int_equal(engine_next_ms(s.sim.e), INT64_MAX);
    sim_close(&s.sim);
}

/* Both are told, in their order; as the end is known, neither stays open. */
static void test_notice__leaves_nothing_open(void **state)
{
    struct two s;
    (void)state;
    two_open(&s);
    s.outcome[0] = s.outcome[1] = NOTIFY_RETRY;
    tell(&s, "began", "Began", true);
    let_pass(&s, 2 * MINUTE);
    tell(&s, "ended", "Ended", false);
    assert_int_equal(engine_sync(s.sim.e), OK);
    crash(&s);
    s.outcome[0] = s.outcome[1] = NOTIFY_SENT;
    let_pass(&s, MINUTE);
    assert_told(&s.sim, "+120s r/0 Began!\n+120s r/1 Began!\n+120s r/0 Ended!\n+120s r/1 Ended!\n");
    sim_close(&s.sim);
}

static void test_notice__outlives_reloads(void **state)
{
    struct two s;
    (void)state;
    two_open(&s);
    s.outcome[0] = s.outcome[1] = NOTIFY_RETRY;
    tell(&s, "a", "A", true);
    let_pass(&s, SECOND);
    struct delivery *d = NULL;
    while (d == NULL) {
        s.sim.now_ms += SECOND;
        d = engine_take(s.sim.e, s.sim.now_ms);
    }
    reload(&s, "route: {receiver: x}\nreceivers: [{name: x}]\n");
    engine_done(s.sim.e, d, (struct notify_result){NOTIFY_RETRY, 0}, s.sim.now_ms);
    s.outcome[0] = s.outcome[1] = NOTIFY_SENT;
    let_pass(&s, 6 * MINUTE);
    assert_told(&s.sim, ""); /* there is no such receiver, for now */
    assert_int_equal(counts(&s).pending, 1);
    reload(&s, TWO);
    let_pass(&s, 6 * MINUTE);
    assert_non_null(strstr(buf_cstr(&s.sim.told), "r/0 A\n"));
    assert_non_null(strstr(buf_cstr(&s.sim.told), "r/1 A\n"));
    assert_int_equal(counts(&s).pending, 0);
    sim_close(&s.sim);
}

static void test_notice__of_nobody_is_over(void **state)
{
    struct two s;
    struct diag d = {.text = ""};
    struct alert_notice n = notice_of("a", "A");
    (void)state;
    two_open(&s);
    n.receiver = STR("none"); /* it has no integrations */
    assert_int_equal(notice_put(s.sim.e, &n, s.sim.now_ms, &d), OK);
    let_pass(&s, SECOND);
    assert_told(&s.sim, "");
    assert_int_equal(counts(&s).pending, 0);
    sim_close(&s.sim);
}

static void refuse(struct two *s, const struct alert_notice *n, err want, const char *why)
{
    struct diag d = {.text = ""};
    assert_int_equal(notice_put(s->sim.e, n, s->sim.now_ms, &d), want);
    if (strstr(d.text, why) == NULL)
        fail_msg("no \"%s\" in: %s", why, d.text);
}

static void test_notice__is_refused(void **state)
{
    struct two s;
    struct alert_notice n;
    struct diag d = {.text = ""};
    struct buf large = {0};
    char id[16];
    (void)state;
    two_open(&s);
    n = notice_of("", "A");
    refuse(&s, &n, ERR_INVALID, "needs an id, of at most 512 bytes");
    n = notice_of("a", "");
    refuse(&s, &n, ERR_INVALID, "a title of one line");
    n = notice_of("a", "A\nB");
    refuse(&s, &n, ERR_INVALID, "a title of one line");
    n = notice_of("a", "A");
    n.receiver = STR("x");
    refuse(&s, &n, ERR_NOTFOUND, "there is no receiver \"x\"");
    n = notice_of("a", "A");
    n.labels.items++;
    n.labels.count--;
    refuse(&s, &n, ERR_INVALID, "needs a label alertname");
    n = notice_of("a", "A");
    n.annotations =
        (struct labels){(struct label[]){{STR("b"), STR("1")}, {STR("a"), STR("1")}}, 2};
    refuse(&s, &n, ERR_INVALID, "annotations must be sorted");
    n = notice_of("a", "A");
    for (size_t i = 0; i <= NOTICE_BYTES_MAX; i++)
        buf_put_u8(&large, 'x');
    n.text = buf_str(&large);
    refuse(&s, &n, ERR_LIMIT, "more than 1048576 bytes");
    buf_fini(&large);
    for (int i = 0; i < NOTICES_MAX; i++) {
        (void)snprintf(id, sizeof(id), "%d", i);
        n = notice_of(id, "A");
        assert_int_equal(notice_put(s.sim.e, &n, s.sim.now_ms, &d), OK);
    }
    n = notice_of("one more", "A");
    refuse(&s, &n, ERR_LIMIT, "too many notices");
    sim_close(&s.sim);
}

struct kept { /* the value of the one notice in a state */
    struct buf key, value;
};

static void take_kept(void *arg, slice key, slice value)
{
    struct kept *k = arg;
    buf_put(&k->key, key.ptr, key.len);
    buf_put(&k->value, value.ptr, value.len);
}

/* Whatever stands in the state: no crash, nothing that is not whole is told. */
static void test_notice__is_not_made_of_damage(void **state)
{
    struct two s;
    struct kept k = {.key = {0}};
    uint64_t random = 7;
    (void)state;
    two_open(&s);
    tell(&s, "a", "A", true);
    state_log_each(s.sim.e->state, STATE_NOTICE, take_kept, &k);
    assert_true(k.value.len > 60);
    for (unsigned i = 0; i < 2000; i++) {
        random = random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        size_t at = (size_t)(random >> 33) % k.value.len;
        uint8_t was = k.value.ptr[at];
        k.value.ptr[at] ^= (uint8_t)(1u << (random >> 20) % 8);
        slice damaged = {k.value.ptr, i % 2 == 0 ? k.value.len : at};
        state_log_put(s.sim.e->state, STATE_NOTICE, buf_slice(&k.key), &damaged);
        notices_close(s.sim.e);
        s.sim.e->notices = notices_open(s.sim.e);
        assert_true(counts(&s).pending <= (i % 2 == 0 ? 1u : 0u));
        k.value.ptr[at] = was;
    }
    buf_fini(&k.key);
    buf_fini(&k.value);
    sim_close(&s.sim);
}

/* ---- By providers ---- */

static const struct notice_text OPEN = {STR("Window db"), STR("a < b & c\nsecond"), STR(""), true};
static const struct notice_text SHUT = {STR("Window db"), STR("a < b & c\nsecond"), STR(""), false};

static void setup(struct provider *p, const struct notice_text *t)
{
    sample_init(&p->sample);
    p->sample.n.notice = t;
    p->sample.n.alert_count = 1;
    if (!t->open)
        sample_resolve(&p->sample);
    provider_open(p);
}

static void test_notice__to_pagerduty_is_a_change_event(void **state)
{
    struct provider p = {.status = "202 Accepted"};
    (void)state;
    setup(&p, &OPEN);
    provider_send(&p, INTEGRATION_PAGERDUTY,
                  "pagerduty_configs: [{routing_key: rk-1234, url: 'URL/v2/enqueue'}]");
    assert_int_equal(p.result.outcome, NOTIFY_SENT);
    assert_int_equal(http_stub_count(p.stub), 1);
    provider_expect(&p, 0, "POST /v2/change/enqueue HTTP/1.1\r\n");
    assert_string_equal(
        provider_body(&p, 0),
        "{\"routing_key\":\"rk-1234\",\"payload\":{\"summary\":\"Window db\",\"timestamp\":"
        "\"2026-11-23T16:01:40Z\",\"source\":\"Alertmanager\",\"custom_details\":{\"text\":"
        "\"a \\u003c b \\u0026 c\\nsecond\",\"labels\":{\"alertname\":\"Up\"}}},\"links\":[{"
        "\"href\":\"http://am:9093/#/alerts?receiver=all%5C.x\",\"text\":\"Alertmanager\"}]}\n");
    provider_close(&p);
}

/* Where there are no change events, nothing is left open. */
static void test_notice__to_an_older_pagerduty_is_resolved(void **state)
{
    struct provider p = {.status = "202 Accepted"};
    (void)state;
    setup(&p, &SHUT);
    provider_send(&p, INTEGRATION_PAGERDUTY,
                  "pagerduty_configs: [{routing_key: rk-1234, url: 'URL/own'}]");
    assert_int_equal(p.result.outcome, NOTIFY_SENT);
    assert_int_equal(http_stub_count(p.stub), 2);
    provider_expect(&p, 0, "\"event_action\":\"trigger\",\"payload\":{\"summary\":\"Window db\"");
    provider_expect(&p, 0, "\"severity\":\"info\"");
    provider_expect(&p, 1, "\"event_action\":\"resolve\"");
    provider_close(&p);
    p = (struct provider){.status = "202 Accepted"};
    setup(&p, &OPEN);
    provider_send(&p, INTEGRATION_PAGERDUTY,
                  "pagerduty_configs: [{routing_key: rk-1234, url: 'URL/own'}]");
    assert_int_equal(http_stub_count(p.stub), 1);
    provider_expect(&p, 0, "\"event_action\":\"trigger\"");
    provider_close(&p);
}

#define GENIE "opsgenie_configs: [{api_key: genie-1234, api_url: 'URL', priority: P1}]"

static void test_notice__to_opsgenie_is_closed(void **state)
{
    struct provider p = {.status = "202 Accepted"};
    (void)state;
    setup(&p, &OPEN);
    provider_send(&p, INTEGRATION_OPSGENIE, GENIE);
    assert_int_equal(http_stub_count(p.stub), 1);
    provider_expect(&p, 0, "\"message\":\"Window db\",\"description\":\"a \\u003c b");
    provider_expect(&p, 0, "\"priority\":\"P5\"");
    provider_close(&p);
    p = (struct provider){.status = "202 Accepted"};
    setup(&p, &SHUT);
    provider_send(&p, INTEGRATION_OPSGENIE, GENIE);
    assert_int_equal(p.result.outcome, NOTIFY_SENT);
    assert_int_equal(http_stub_count(p.stub), 2);
    provider_expect(&p, 0, "POST /v2/alerts HTTP/1.1\r\n");
    provider_expect(&p, 1, "/close?identifierType=alias HTTP/1.1\r\n");
    provider_close(&p);
}

static void test_notice__to_chats_is_title_and_text(void **state)
{
    static const struct {
        enum integration_kind kind;
        const char *receiver, *reply, *wants[3];
    } CHATS[] = {
        {INTEGRATION_SLACK,
         "slack_configs: [{api_url: 'URL/s', channel: c, title: mine, text: '{{ .Alerts }}'}]",
         "ok",
         {"\"title\":\"Window db\"", "\"text\":\"a \\u0026lt; b \\u0026amp; c\\nsecond\"",
          "\"fallback\":\"Window db\""}},
        {INTEGRATION_TELEGRAM,
         "telegram_configs: [{api_url: 'URL', bot_token: tok-1234, chat_id: 1, message: mine}]",
         "{\"ok\":true}",
         {"\"text\":\"Window db\\na \\u003c b \\u0026 c\\nsecond\",\"disable", "sendMessage", "1"}},
        {INTEGRATION_DISCORD,
         "discord_configs: [{webhook_url: 'URL/d', title: mine, message: mine}]",
         "",
         {"\"title\":\"Window db\"", "\"description\":\"a \\u003c b \\u0026 c\\nsecond\"",
          "10038562"}},
        {INTEGRATION_MSTEAMSV2,
         "msteamsv2_configs: [{webhook_url: 'URL/t', title: mine, text: mine}]",
         "",
         {"\"text\":\"Window db\"", "c\\n\\nsecond\"", "AdaptiveCard"}},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(CHATS); i++) {
        struct provider p = {.body = CHATS[i].reply};
        if (CHATS[i].kind == INTEGRATION_TELEGRAM)
            p.headers = "Content-Type: application/json\r\n";
        setup(&p, &OPEN);
        provider_send(&p, CHATS[i].kind, CHATS[i].receiver);
        if (p.result.outcome != NOTIFY_SENT)
            fail_msg("%s: %s", CHATS[i].receiver, p.d.text);
        for (size_t k = 0; k < COUNT_OF(CHATS[i].wants); k++)
            provider_expect(&p, 0, CHATS[i].wants[k]);
        provider_close(&p);
    }
}

static void expect_mail(const char *mail, const char *want)
{
    if (strstr(mail, want) == NULL)
        fail_msg("no \"%s\" in: %s", want, mail);
}

static void test_notice__to_mail_is_text_and_html(void **state)
{
    struct notice_text own = OPEN;
    (void)state;
    for (int round = 0; round < 2; round++) {
        struct provider p = {.status = NULL};
        struct smtp_stub *mail = smtp_stub_open(&(struct smtp_stub_options){.auth = NULL});
        own.html = round == 1 ? STR("<h1>x</h1>") : STR("");
        sample_init(&p.sample);
        p.sample.n.notice = &own;
        p.mail_port = smtp_stub_port(mail);
        provider_send(&p, INTEGRATION_EMAIL,
                      "email_configs: [{smarthost: '127.0.0.1:MAILPORT', require_tls: false, from: "
                      "a@x.org, to: b@x.org, headers: {subject: 'mine {{ .Status }}'}}]");
        assert_int_equal(p.result.outcome, NOTIFY_SENT);
        const char *text = smtp_stub_text(mail);
        expect_mail(text, "Subject: Window db\r\n");
        expect_mail(text, "text/plain; charset=UTF-8\r\n\r\na < b & c\r\nsecond\r\n--");
        expect_mail(text, "<title>Window db</title>");
        expect_mail(text, round == 1 ? "<h1>x</h1>" : "<p>a &lt; b &amp; c<br />\r\nsecond</p>");
        assert_null(strstr(text, "mine"));
        smtp_stub_close(mail);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_notice__is_told_once),
        cmocka_unit_test(test_notice__survives),
        cmocka_unit_test(test_notice__is_on_disk_first),
        cmocka_unit_test(test_notice__tries_in_rounds_until_its_time_is_over),
        cmocka_unit_test(test_notice__leaves_nothing_open),
        cmocka_unit_test(test_notice__outlives_reloads),
        cmocka_unit_test(test_notice__of_nobody_is_over),
        cmocka_unit_test(test_notice__is_refused),
        cmocka_unit_test(test_notice__is_not_made_of_damage),
        cmocka_unit_test(test_notice__to_pagerduty_is_a_change_event),
        cmocka_unit_test(test_notice__to_an_older_pagerduty_is_resolved),
        cmocka_unit_test(test_notice__to_opsgenie_is_closed),
        cmocka_unit_test(test_notice__to_chats_is_title_and_text),
        cmocka_unit_test(test_notice__to_mail_is_text_and_html),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
