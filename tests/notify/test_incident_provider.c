/* test_incident_provider.c -- what is done with a provider's buttons is done here: once, in its
 * order, for the incident it is about; and the history knows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/sha256.h"
#include "engine_sim.h"
#include "notify/incident_priv.h"

#define CONFIG                                                                                     \
    "route: {receiver: r, group_by: [g], group_wait: 0s, group_interval: 5m, repeat_interval: "    \
    "1h}\n"                                                                                        \
    "receivers:\n"                                                                                 \
    "- {name: r, webhook_configs: [{url: 'http://h'}]}\n"                                          \
    "- {name: two, webhook_configs: [{url: 'http://h'}]}\n"
#define EXT                                                                                        \
    "escalation_policies: [{name: p, levels: [{}, {receivers: [two], after: 2m}]}]\n"              \
    "escalation_bindings: [{matchers: [sev=high], policy: p}]\n"

static struct incident_view only(struct sim *s)
{
    struct incident_view v, other;
    size_t at = 0;
    assert_true(incidents_next(s->e, s->now_ms, &at, &v));
    assert_false(incidents_next(s->e, s->now_ms, &at, &other));
    return v;
}

static struct provider_outcome say(struct sim *s, enum ack_via via, enum provider_change change,
                                   int64_t at_ms)
{
    char hex[SHA256_HEX_SIZE];
    sha256_hex(str_bytes(STR("{}:{g=\"1\"}")), hex);
    const struct provider_event p = {
        .via = via, .change = change, .key = {hex, sizeof(hex)}, .by = STR("bea"), .at_ms = at_ms};
    return incident_provider_event(s->e, &p, s->now_ms);
}

static struct provider_outcome pagerduty(struct sim *s, enum provider_change change, int64_t at_ms)
{
    return say(s, ACK_VIA_PAGERDUTY, change, at_ms);
}

static void begin(struct sim *s)
{
    sim_open(s, CONFIG, EXT);
    fire(s, "n=a g=1 sev=high");
    pass(s, MINUTE);
    assert_told(s, "+0s r first notification: a\n");
}

static void test_provider__acknowledges_and_takes_back(void **state)
{
    struct sim s;
    (void)state;
    begin(&s);
    struct provider_outcome o = pagerduty(&s, PROVIDER_ACK, s.now_ms);
    assert_int_equal(o.changed, 1);
    struct incident_view v = only(&s);
    assert_string_equal(o.id, v.id);
    assert_int_equal(v.state, INCIDENT_ACKED);
    assert_int_equal(v.acked_via, ACK_VIA_PAGERDUTY);
    assert_true(str_eq(v.acked_by, STR("bea")));
    pass(&s, 10 * MINUTE);
    assert_told(&s, "");
    o = pagerduty(&s, PROVIDER_UNACK, s.now_ms);
    assert_int_equal(o.changed, 1);
    assert_int_equal(only(&s).state, INCIDENT_OPEN);
    pass(&s, 5 * MINUTE); /* ten seconds later the ladder goes on */
    assert_told(&s, "+670s r repeat interval elapsed: a\n+790s two first notification: a\n");
    sim_close(&s);
}

static void test_provider__events_come_twice_and_late(void **state)
{
    struct sim s;
    (void)state;
    begin(&s);
    int64_t acked_ms = s.now_ms - 10 * SECOND;
    assert_int_equal(pagerduty(&s, PROVIDER_ACK, acked_ms).changed, 1);
    assert_int_equal(pagerduty(&s, PROVIDER_ACK, acked_ms).stale, 1);
    assert_int_equal(pagerduty(&s, PROVIDER_UNACK, acked_ms + SECOND).changed, 1);
    assert_int_equal(pagerduty(&s, PROVIDER_ACK, acked_ms).stale, 1); /* recorded and sent again */
    assert_int_equal(only(&s).state, INCIDENT_OPEN);
    assert_int_equal(pagerduty(&s, PROVIDER_UNACK, acked_ms + 2 * SECOND).same, 1);
    sim_close(&s);
}

/* Our own acknowledgement comes back from a provider, also after it was taken back here. */
static void test_provider__echoes_change_nothing(void **state)
{
    struct sim s;
    (void)state;
    begin(&s);
    const struct incident_ack ack = {.by = STR("ann"), .comment = STR("on it")};
    assert_int_equal(incident_ack(s.e, str_from(only(&s).id), &ack, s.now_ms, NULL), OK);
    int64_t acked_ms = s.now_ms;
    pass(&s, 2 * SECOND);
    assert_int_equal(pagerduty(&s, PROVIDER_ACK, acked_ms + SECOND).same, 1);
    assert_true(str_eq(only(&s).acked_by, STR("ann")));
    assert_int_equal(incident_unack(s.e, str_from(only(&s).id), s.now_ms, NULL), OK);
    pass(&s, 2 * SECOND);
    assert_int_equal(say(&s, ACK_VIA_OPSGENIE, PROVIDER_ACK, acked_ms + SECOND).stale, 1);
    assert_int_equal(only(&s).state, INCIDENT_OPEN);
    assert_int_equal(say(&s, ACK_VIA_OPSGENIE, PROVIDER_ACK, s.now_ms).changed, 1);
    assert_int_equal(only(&s).acked_via, ACK_VIA_OPSGENIE);
    sim_close(&s);
}

static void test_provider__only_this_incident(void **state)
{
    struct sim s;
    (void)state;
    begin(&s);
    assert_int_equal(pagerduty(&s, PROVIDER_ACK, T0 - 6 * MINUTE).stale, 1); /* of one before */
    const struct provider_event strange[] = {
        {.key = STR(""), .by = STR("x"), .at_ms = s.now_ms},
        {.key = STR("zz"), .by = STR("x"), .at_ms = s.now_ms},
        {.key = STR("0000000000000000000000000000000000000000000000000000000000000000"),
         .by = STR("x"),
         .at_ms = s.now_ms},
        {.key = STR("zzzz000000000000000000000000000000000000000000000000000000000000"),
         .by = STR("x"),
         .at_ms = s.now_ms},
    };
    for (size_t i = 0; i < COUNT_OF(strange); i++) {
        struct provider_outcome o = incident_provider_event(s.e, &strange[i], s.now_ms);
        assert_int_equal(o.changed + o.same + o.stale, 0);
    }
    assert_int_equal(only(&s).state, INCIDENT_OPEN);
    resolve(&s, "n=a g=1 sev=high");
    assert_int_equal(pagerduty(&s, PROVIDER_ACK, s.now_ms).changed, 0);
    sim_close(&s);
}

/* What was heard is known after a crash: what was sent again then is old. */
static void test_provider__remembers(void **state)
{
    struct sim s;
    (void)state;
    begin(&s);
    int64_t at_ms = s.now_ms;
    assert_int_equal(pagerduty(&s, PROVIDER_ACK, at_ms).changed, 1);
    assert_int_equal(pagerduty(&s, PROVIDER_UNACK, at_ms + 1).changed, 1);
    engine_close(s.e);
    sim_open_engine(&s, MINUTE);
    pass(&s, SECOND);
    assert_int_equal(pagerduty(&s, PROVIDER_ACK, at_ms).stale, 1);
    assert_int_equal(pagerduty(&s, PROVIDER_ACK, s.now_ms).changed, 1);
    engine_close(s.e);
    sim_open_engine(&s, MINUTE);
    assert_int_equal(only(&s).acked_via, ACK_VIA_PAGERDUTY);
    sim_close(&s);
}

static void acknowledge(struct sim *s, int64_t expires_ms)
{
    struct incident_view v;
    size_t at = 0;
    const struct incident_ack ack = {
        .by = STR("ann"), .comment = STR("known"), .expires_ms = expires_ms};
    while (incidents_next(s->e, s->now_ms, &at, &v) && v.state == INCIDENT_RESOLVED)
        ;
    assert_int_equal(incident_ack(s->e, str_from(v.id), &ack, s->now_ms, NULL), OK);
}

/* The one that is not resolved. */
static struct incident_view current(struct sim *s)
{
    struct incident_view v;
    size_t at = 0;
    while (incidents_next(s->e, s->now_ms, &at, &v))
        if (v.state != INCIDENT_RESOLVED)
            return v;
    fail_msg("there is none");
    return v;
}

/* An alert that comes and goes: two incidents. */
static void flap(struct sim *s)
{
    resolve(s, "n=a g=1 sev=high");
    pass(s, 10 * MINUTE);
    buf_reset(&s->told);
    fire(s, "n=a g=1 sev=high");
    pass(s, 10 * MINUTE);
}

#define KEEP EXT "acknowledgements: {clear_on_resolve: false}\n"

static void test_ack__may_outlive_its_incident(void **state)
{
    struct sim s;
    (void)state;
    sim_open(&s, CONFIG, KEEP);
    fire(&s, "n=a g=1 sev=high");
    pass(&s, MINUTE);
    acknowledge(&s, s.now_ms + HOUR);
    flap(&s);
    struct incident_view v = current(&s);
    assert_int_equal(v.state, INCIDENT_ACKED);
    assert_int_equal(v.acked_via, ACK_VIA_BEFORE);
    assert_true(str_eq(v.acked_by, STR("ann")));
    assert_int_equal(v.ack_expires_ms, T0 + MINUTE + HOUR);
    assert_told(&s, "+660s r first notification: a\n"); /* and not the second level */
    engine_close(s.e);
    sim_open_engine(&s, SECOND);
    pass(&s, MINUTE);
    assert_int_equal(current(&s).acked_via, ACK_VIA_BEFORE);
    pass(&s, HOUR); /* it lapses when it would have */
    assert_int_equal(current(&s).state, INCIDENT_OPEN);
    assert_non_null(strstr(buf_cstr(&s.told), "two first notification: a\n"));
    sim_close(&s);
}

static void test_ack__lapses_between_incidents(void **state)
{
    struct sim s;
    (void)state;
    sim_open(&s, CONFIG, KEEP);
    fire(&s, "n=a g=1 sev=high");
    pass(&s, MINUTE);
    acknowledge(&s, s.now_ms + 5 * MINUTE);
    flap(&s);
    assert_int_equal(current(&s).state, INCIDENT_OPEN);
    sim_close(&s);
}

/* What was taken back in the last one does not come back from one before that. */
static void test_ack__the_last_incident_counts(void **state)
{
    struct sim s;
    (void)state;
    sim_open(&s, CONFIG, KEEP);
    fire(&s, "n=a g=1 sev=high");
    pass(&s, MINUTE);
    acknowledge(&s, 0);
    flap(&s);
    assert_int_equal(incident_unack(s.e, str_from(current(&s).id), s.now_ms, NULL), OK);
    flap(&s);
    assert_int_equal(current(&s).state, INCIDENT_OPEN);
    sim_close(&s);
}

static void test_ack__ends_with_its_incident(void **state)
{
    struct sim s;
    (void)state;
    sim_open(&s, CONFIG, EXT);
    fire(&s, "n=a g=1 sev=high");
    pass(&s, MINUTE);
    acknowledge(&s, 0);
    flap(&s);
    assert_int_equal(current(&s).state, INCIDENT_OPEN);
    sim_close(&s);
}

/* A record as older versions of the program wrote it reads back. */
static void test_state__older_records(void **state)
{
    struct sim s;
    struct buf now = {0};
    (void)state;
    begin(&s);
    struct incident *i = incident_find(s.e, str_from(only(&s).id));
    incident_encode(i, &now);
    size_t more = 2 + COUNT_OF(i->heard_ms); /* all zero: a byte each */
    struct incident *older = incident_decode((slice){now.ptr, now.len - more});
    assert_non_null(older);
    assert_string_equal(older->id, i->id);
    assert_int_equal(older->via, ACK_VIA_API);
    incident_free(older);
    assert_null(incident_decode((slice){now.ptr, now.len - 1}));
    now.ptr[now.len - more] = ACK_VIAS;
    assert_null(incident_decode(buf_slice(&now)));
    buf_fini(&now);
    sim_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_provider__acknowledges_and_takes_back),
        cmocka_unit_test(test_provider__events_come_twice_and_late),
        cmocka_unit_test(test_provider__echoes_change_nothing),
        cmocka_unit_test(test_provider__only_this_incident),
        cmocka_unit_test(test_provider__remembers),
        cmocka_unit_test(test_ack__may_outlive_its_incident),
        cmocka_unit_test(test_ack__lapses_between_incidents),
        cmocka_unit_test(test_ack__the_last_incident_counts),
        cmocka_unit_test(test_ack__ends_with_its_incident),
        cmocka_unit_test(test_state__older_records),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
