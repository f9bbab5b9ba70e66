/* test_severity.c -- severities of providers by the label of alerts, in bodies that go over the
 * wire; and how long requests may take. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "config/alerting_ext.h"
#include "notify/sending.h"
#include "notify/severity.h"
#include "provider_stub.h"

static struct pair PAGERDUTY[] = {{STR("critical"), STR("critical")},
                                  {STR("page"), STR("critical")},
                                  {STR("low"), STR("info")},
                                  {STR("default"), STR("warning")}};
static struct pair OPSGENIE[] = {{STR("critical"), STR("P1")}, {STR("low"), STR("P5")}};

static struct delivery_config both(void)
{
    struct delivery_config d = {.request_timeout_ms = 0};
    d.severity_maps.pagerduty = (struct pairs){PAGERDUTY, COUNT_OF(PAGERDUTY)};
    d.severity_maps.opsgenie = (struct pairs){OPSGENIE, COUNT_OF(OPSGENIE)};
    return d;
}

/* The label "job" of the sample's alerts becomes "severity". */
static void label(struct sample *s, size_t alert, const char *severity)
{
    s->labels[alert][2] = (struct label){STR("severity"), str_from(severity)};
}

static void test_severity__is_that_of_the_worst(void **state)
{
    static const struct {
        const char *severities[SAMPLE_ALERTS]; /* the third has ended */
        const char *pagerduty, *opsgenie;
    } CASES[] = {
        {{"low", "critical", "low"}, "critical", "P1"},
        {{"low", "low", "critical"}, "info", "P5"},
        {{"page", "low", "low"}, "critical", "P5"},
        {{"odd", "low", "low"}, "warning", "P5"},
        {{"odd", "", "low"}, "warning", ""},
        {{"LOW", "", ""}, "warning", ""},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct sample s;
        struct delivery_config d = both();
        sample_init(&s);
        assert_true(str_eq(severity_for_pagerduty(&s.n), STR(""))); /* nothing is configured */
        s.n.delivery = &d;
        for (size_t k = 0; k < SAMPLE_ALERTS; k++)
            label(&s, k, CASES[i].severities[k]);
        assert_true(str_eq(severity_for_pagerduty(&s.n), str_from(CASES[i].pagerduty)));
        assert_true(str_eq(severity_for_opsgenie(&s.n), str_from(CASES[i].opsgenie)));
    }
    struct sample ended; /* then all count */
    struct delivery_config d = both();
    sample_init(&ended);
    sample_resolve(&ended);
    ended.n.delivery = &d;
    label(&ended, 2, "critical");
    assert_true(str_eq(severity_for_opsgenie(&ended.n), STR("P1")));
}

static void expect(enum integration_kind kind, const char *receiver, bool mapped, const char *want)
{
    struct delivery_config d = both();
    struct provider p = {.status = "202 Accepted"};
    provider_open(&p);
    label(&p.sample, 0, "critical");
    p.sample.n.delivery = mapped ? &d : NULL;
    provider_send(&p, kind, receiver);
    assert_int_equal(p.result.outcome, NOTIFY_SENT);
    if (*want != '!')
        provider_expect(&p, 0, want);
    else if (strstr(http_stub_request(p.stub, 0), want + 1) != NULL)
        fail_msg("%s in %s", want + 1, http_stub_request(p.stub, 0));
    provider_close(&p);
}

#define PD "pagerduty_configs: [{routing_key: key-1234, url: 'URL/v2'"
#define OG "opsgenie_configs: [{api_key: genie-1234, api_url: 'URL/'"

static void test_severity__where_the_receiver_says_none(void **state)
{
    (void)state;
    expect(INTEGRATION_PAGERDUTY, PD "}]", true, "\"severity\":\"critical\"");
    expect(INTEGRATION_PAGERDUTY, PD "}]", false, "\"severity\":\"error\"");
    expect(INTEGRATION_PAGERDUTY, PD ", severity: info}]", true, "\"severity\":\"info\"");
    expect(INTEGRATION_OPSGENIE, OG "}]", true, "\"priority\":\"P1\"");
    expect(INTEGRATION_OPSGENIE, OG "}]", false, "!priority");
    expect(INTEGRATION_OPSGENIE, OG ", priority: P4}]", true, "\"priority\":\"P4\"");
}

/* The receiver's timeout counts most, then request_timeout, then the kind's own. */
static void test_sending__takes_as_long_as_it_may(void **state)
{
    struct sample sample;
    struct delivery_config d = {.request_timeout_ms = 7000};
    (void)state;
    sample_init(&sample);
    struct sending s = {.n = &sample.n};
    assert_int_equal(sending_time_left_ms(&s, 0, 0), SENDING_TIMEOUT_MS);
    assert_int_equal(sending_time_left_ms(&s, 0, 9000), 9000);
    sample.n.delivery = &d;
    assert_int_equal(sending_time_left_ms(&s, 0, 9000), 7000);
    assert_int_equal(sending_time_left_ms(&s, 8000, 9000), 8000);
    sample.n.deadline_ms = clock_wall_ms() + 3000;
    assert_in_range(sending_time_left_ms(&s, 0, 9000), 1, 3000);
    sample.n.deadline_ms = clock_wall_ms() - 3000;
    assert_int_equal(sending_time_left_ms(&s, 0, 9000), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_severity__is_that_of_the_worst),
        cmocka_unit_test(test_severity__where_the_receiver_says_none),
        cmocka_unit_test(test_sending__takes_as_long_as_it_may),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
