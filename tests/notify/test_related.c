/* test_related.c -- what is related to incidents and alerts: live and out of the history. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "engine_sim.h"
#include "notify/incident.h"
#include "notify/related.h"

#define CONFIG                                                                                     \
    "global: {resolve_timeout: 10h}\n"                                                             \
    "route: {receiver: r, group_by: [cluster, zone], group_wait: 0s, group_interval: 10s,"         \
    " routes: [{receiver: q, matchers: ['severity!=\"page\"']}]}\n"                                \
    "receivers: [{name: r, webhook_configs: [{url: 'http://h'}]}, {name: q}]\n"                    \
    "inhibit_rules: [{source_matchers: [n=power], target_matchers: [n=disk], equal: [rack]}]\n"
#define EXT                                                                                        \
    "escalation_policies: [{name: p, levels: [{}]}]\n"                                             \
    "escalation_bindings: [{matchers: ['severity=page'], policy: p}]\n"

static void open_all(struct sim *s)
{
    struct diag d = {.text = ""};
    const struct history_options o = {.fs = NULL,
                                      .dir = "/notify/history",
                                      .retention_ms = INT64_C(90) * 24 * HOUR,
                                      .bytes_max = HISTORY_BYTES_MIN};
    struct history_options own = o;
    *s = (struct sim){.now_ms = T0, .outcome = NOTIFY_SENT, .disk = fs_sim_new(1)};
    own.fs = fs_sim_fs(s->disk);
    assert_int_equal(history_open(&own, &s->history, &d), OK);
    s->f = testing_config(CONFIG);
    s->ext = testing_ext(s->f, EXT);
    sim_open_engine(s, 0);
}

static void close_all(struct sim *s)
{
    engine_close(s->e);
    s->e = NULL;
    history_close(s->history);
    sim_close(s);
}

static const char *the_incident(struct sim *s)
{
    struct incident_view v;
    size_t at = 0;
    assert_true(incidents_next(s->e, s->now_ms, &at, &v));
    return v.id;
}

/* What the service says when a provider took a notification of the group. */
static void tell(struct sim *s, const char *labels)
{
    struct testing_labels l, g;
    uint64_t fingerprint = alert_fingerprint(testing_labels(&l, labels));
    struct history_event e = {.kind = HISTORY_NOTIFICATION_SENT,
                              .at_ms = s->now_ms,
                              .labels = testing_labels(&g, "cluster=c zone=x\":{y"),
                              .fingerprints = &fingerprint,
                              .fingerprint_count = 1};
    e.texts[HISTORY_GROUP] = STR("{}:{cluster=\"c\", zone=\"x\\\":{y\"}");
    history_put(s->history, &e);
}

/* "service disk! +20s" for each: why, the label n, a mark when it ended, when it began. */
static void expect(const struct related *r, const char *want)
{
    struct buf got = {0};
    for (size_t i = 0; i < r->count; i++) {
        const struct related_alert *a = &r->items[i];
        buf_printf(&got, "%s " STR_FMT "%s +%llds\n", related_why_name(a->why),
                   STR_ARG(labels_get(a->labels, STR("n"))), a->firing ? "" : "!",
                   (long long)(a->starts_at_ms - T0) / SECOND);
    }
    assert_string_equal(buf_cstr(&got), want);
    buf_fini(&got);
}

static void expect_of_incident(struct sim *s, const char *id, bool history, const char *want)
{
    struct related r = {.count = 0};
    assert_int_equal(related_of_incident(s->e, str_from(id), s->now_ms, &r), OK);
    assert_int_equal(related_from_history(&r, history ? s->history : NULL, NULL), OK);
    related_sort(&r);
    expect(&r, want);
    assert_true(r.whole);
    assert_int_equal(r.more, 0);
    related_close(&r);
}

static void test_related__finds_service_group_and_source(void **state)
{
    struct sim s;
    char id[INCIDENT_ID_SIZE + 1];
    (void)state;
    open_all(&s);
    fire(&s, "n=early service=shop severity=low");
    pass(&s, 6 * MINUTE);
    fire(&s, "n=soon service=shop severity=low");
    fire(&s, "n=gone service=shop severity=low");
    pass(&s, MINUTE);
    resolve(&s, "n=gone service=shop severity=low");
    pass(&s, MINUTE);
    fire(&s, "n=mine service=shop severity=page cluster=c zone=x\":{y");
    fire(&s, "n=mine2 service=shop severity=page cluster=c zone=x\":{y");
    pass(&s, SECOND);
    tell(&s, "n=mine service=shop severity=page cluster=c zone=x\":{y");
    tell(&s, "n=mine2 service=shop severity=page cluster=c zone=x\":{y");
    (void)snprintf(id, sizeof(id), "%s", the_incident(&s));
    fire(&s, "n=sibling service=else severity=low cluster=c zone=x\":{y");
    fire(&s, "n=other service=else severity=low cluster=d zone=x\":{y");
    pass(&s, 6 * MINUTE);
    fire(&s, "n=late service=shop severity=low");
    fire(&s, "n=power rack=7");
    fire(&s, "n=disk rack=7 severity=page cluster=c zone=x\":{y"); /* of the group, inhibited */
    pass(&s, MINUTE);
    expect_of_incident(&s, id, false,
                       "inhibits power +841s\nservice gone! +360s\nservice soon +360s\n"
                       "group sibling +481s\n");
    pass(&s, HOUR); /* what ended is known to the history alone */
    expect_of_incident(&s, id, false,
                       "inhibits power +841s\nservice soon +360s\ngroup sibling +481s\n");
    expect_of_incident(&s, id, true,
                       "inhibits power +841s\nservice gone! +360s\nservice soon +360s\n"
                       "group sibling +481s\n");
    resolve(&s, "n=mine service=shop severity=page cluster=c zone=x\":{y");
    resolve(&s, "n=mine2 service=shop severity=page cluster=c zone=x\":{y");
    resolve(&s, "n=disk rack=7 severity=page cluster=c zone=x\":{y");
    pass(&s, HOUR); /* the group is gone, and its alerts are not its relatives */
    expect_of_incident(&s, id, true,
                       "service gone! +360s\nservice soon +360s\ngroup sibling +481s\n");
    struct related r = {.count = 0};
    assert_int_equal(related_of_incident(s.e, STR("0123456789abcdef"), s.now_ms, &r), ERR_NOTFOUND);
    related_close(&r);
    close_all(&s);
}

static void test_related__of_an_alert_is_in_the_history(void **state)
{
    struct sim s;
    struct testing_labels l;
    struct related r = {.count = 0};
    enum related_why why;
    const char *mine = "n=mine severity=page cluster=c zone=x\":{y";
    (void)state;
    open_all(&s);
    fire(&s, mine);
    pass(&s, HOUR);
    resolve(&s, mine);
    pass(&s, HOUR);
    fire(&s, mine); /* again */
    tell(&s, mine);
    fire(&s, "n=sibling severity=low cluster=c zone=x\":{y");
    pass(&s, HOUR);
    uint64_t fingerprint = alert_fingerprint(testing_labels(&l, mine));
    assert_int_equal(related_of_alert(s.history, fingerprint, INT64_MAX, NULL, &r), OK);
    assert_int_equal(r.subject.start_ms, T0 + 2 * HOUR);
    assert_true(related_labels(&r.subject, testing_labels(&l, "n=z cluster=c zone=x\":{y"), &why));
    assert_int_equal(why, RELATED_GROUP);
    assert_false(related_labels(&r.subject, testing_labels(&l, "n=z cluster=d zone=x\":{y"), &why));
    assert_int_equal(related_from_history(&r, s.history, NULL), OK);
    related_sort(&r);
    expect(&r, "group sibling! +7200s\n");
    related_close(&r);
    r = (struct related){.count = 0};
    assert_int_equal(related_of_alert(s.history, fingerprint, T0 + HOUR, NULL, &r), OK);
    assert_int_equal(r.subject.start_ms, T0);
    related_close(&r);
    r = (struct related){.count = 0};
    assert_int_equal(related_of_alert(s.history, 1, INT64_MAX, NULL, &r), ERR_NOTFOUND);
    related_close(&r);
    close_all(&s);
}

/* A storm: a hundred are told, the others counted. */
static void test_related__is_bounded(void **state)
{
    struct sim s;
    char labels[64];
    (void)state;
    open_all(&s);
    fire(&s, "n=mine service=shop severity=page");
    for (int i = 0; i < RELATED_KNOWN_MAX + 50; i++) {
        (void)snprintf(labels, sizeof(labels), "i=%d service=shop severity=low", i);
        fire(&s, labels);
    }
    pass(&s, SECOND);
    struct related r = {.count = 0};
    assert_int_equal(related_of_incident(s.e, str_from(the_incident(&s)), s.now_ms, &r), OK);
    assert_int_equal(related_from_history(&r, s.history, NULL), OK);
    related_sort(&r);
    assert_int_equal(r.count, RELATED_MAX);
    assert_int_equal(r.more, RELATED_KNOWN_MAX - RELATED_MAX);
    assert_false(r.whole);
    related_close(&r);
    close_all(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_related__finds_service_group_and_source),
        cmocka_unit_test(test_related__of_an_alert_is_in_the_history),
        cmocka_unit_test(test_related__is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
