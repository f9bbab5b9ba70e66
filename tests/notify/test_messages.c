/* test_messages.c -- which message of a chat the next word about a group changes: the last one,
 * also after a crash; none when it fires anew. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "engine_sim.h"
#include "notify/engine_priv.h"
#include "notify/incident_priv.h"
#include "notify/messages.h"

#define CONFIG(more)                                                                               \
    "route: {receiver: r, group_by: [g], group_wait: 0s, group_interval: 5m, repeat_interval: "    \
    "1h}\n"                                                                                        \
    "receivers: [{name: r, slack_configs: [{app_token: xoxb-1, channel: c, send_resolved: true, "  \
    "update_message: " more "}]}]\n"
#define EXT                                                                                        \
    "escalation_policies: [{name: p, levels: [{}]}]\n"                                             \
    "escalation_bindings: [{matchers: [sev=high], policy: p}]\n"                                   \
    "acknowledgements: {propagate: true}\n"

/* What is sent until `ms` from now, as "reason: message it changes"; each is answered with the
 * next of "m1", "m2"... or with the one that it changed. */
static void run(struct sim *s, int64_t ms, const char *want)
{
    struct delivery *d;
    int64_t until_ms = s->now_ms + ms;
    struct buf got = {0};
    for (; s->now_ms <= until_ms; s->now_ms = MAX(engine_next_ms(s->e), s->now_ms + 1)) {
        while ((d = engine_take(s->e, s->now_ms)) != NULL) {
            const struct notification *n = delivery_notification(d);
            const char *ts = n->message == NULL ? "(every one is new)" : n->message->ts;
            buf_printf(&got, "%s: %s", notify_reason_text(n->reason), ts[0] != '\0' ? ts : "-");
            if (n->still_acked != NULL)
                buf_printf(&got, ", acknowledged by " STR_FMT, STR_ARG(n->still_acked->by));
            buf_put_u8(&got, '\n');
            if (n->message != NULL && ts[0] == '\0') {
                (void)snprintf(n->message->channel, MESSAGE_ID_SIZE, "C1");
                (void)snprintf(n->message->ts, MESSAGE_ID_SIZE, "m%u", ++s->attempts);
            }
            engine_done(s->e, d, (struct notify_result){NOTIFY_SENT, 0}, s->now_ms);
            assert_int_equal(engine_sync(s->e), OK);
        }
    }
    s->now_ms = until_ms;
    assert_string_equal(buf_cstr(&got), want);
    buf_fini(&got);
}

static void test_messages__the_last_is_changed(void **state)
{
    struct sim s;
    (void)state;
    sim_open(&s, CONFIG("true"), NULL);
    fire(&s, "n=a g=1");
    run(&s, MINUTE, "first notification: -\n");
    fire(&s, "n=b g=1");
    run(&s, 5 * MINUTE, "new alerts added: m1\n");
    engine_close(s.e);
    sim_open_engine(&s, 0);
    resolve(&s, "n=a g=1");
    resolve(&s, "n=b g=1");
    run(&s, 10 * MINUTE, "all alerts resolved: m1\n");
    fire(&s, "n=a g=1");
    run(&s, 10 * MINUTE, "first notification: -\n");
    resolve(&s, "n=a g=1");
    run(&s, 10 * MINUTE, "all alerts resolved: m2\n");
    sim_close(&s);
}

static void test_messages__only_when_asked_for(void **state)
{
    struct sim s;
    (void)state;
    sim_open(&s, CONFIG("false"), NULL);
    fire(&s, "n=a g=1");
    run(&s, MINUTE, "first notification: (every one is new)\n");
    sim_close(&s);
}

static void test_messages__acknowledgements_change_that_of_the_alerts(void **state)
{
    struct sim s;
    struct incident_view v;
    size_t at = 0;
    const struct incident_ack ack = {.by = STR("ann"), .comment = STR("")};
    (void)state;
    sim_open(&s, CONFIG("true"), EXT);
    fire(&s, "n=a g=1 sev=high");
    run(&s, MINUTE, "first notification: -\n");
    assert_true(incidents_next(s.e, s.now_ms, &at, &v));
    assert_int_equal(incident_ack(s.e, str_from(v.id), &ack, s.now_ms, NULL), OK);
    run(&s, MINUTE, "acknowledged: m1\n");
    fire(&s, "n=b g=1 sev=high");
    run(&s, 5 * MINUTE, "new alerts added: m1, acknowledged by ann\n");
    assert_int_equal(incident_unack(s.e, str_from(v.id), s.now_ms, NULL), OK);
    run(&s, MINUTE, "acknowledgement ended: m1\nrepeat interval elapsed: m1\n");
    resolve(&s, "n=a g=1 sev=high");
    resolve(&s, "n=b g=1 sev=high");
    run(&s, 10 * MINUTE, "all alerts resolved: m1\n");
    sim_close(&s);
}

/* They are forgotten with the notification log, and what is torn on disk is none. */
static void test_messages__are_forgotten(void **state)
{
    struct sim s;
    struct message_ref ref = {"C1", "m1"}, got;
    struct buf odd = {0};
    (void)state;
    sim_open(&s, CONFIG("true"), NULL);
    messages_put(s.e->messages, STR("k"), &ref, T0 + MINUTE);
    messages_put(s.e->messages, STR("l"), &ref, T0 + HOUR);
    assert_true(messages_get(s.e->messages, STR("k"), T0, &got));
    assert_false(messages_get(s.e->messages, STR("k"), T0 + MINUTE, &got));
    messages_gc(s.e->messages, T0 + MINUTE);
    assert_false(messages_get(s.e->messages, STR("k"), T0, &got));
    buf_put_zigzag(&odd, T0 + HOUR);
    buf_put_varint(&odd, 200);
    slice bytes = buf_slice(&odd);
    state_log_put(s.e->state, STATE_MESSAGE, str_bytes(STR("m")), &bytes);
    assert_int_equal(engine_sync(s.e), OK);
    engine_close(s.e);
    sim_open_engine(&s, 0);
    assert_true(messages_get(s.e->messages, STR("l"), T0, &got));
    assert_string_equal(got.ts, "m1");
    assert_false(messages_get(s.e->messages, STR("m"), T0, &got));
    buf_fini(&odd);
    sim_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_messages__the_last_is_changed),
        cmocka_unit_test(test_messages__only_when_asked_for),
        cmocka_unit_test(test_messages__acknowledgements_change_that_of_the_alerts),
        cmocka_unit_test(test_messages__are_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
