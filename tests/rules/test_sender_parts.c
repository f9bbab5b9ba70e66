/* test_sender_parts.c -- queues of alerts, alerts as JSON, URLs of Alertmanagers, the fan-out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <stdatomic.h>

#include "base/mem.h"
#include "rules/alert_fanout.h"
#include "rules/sender_alert.h"
#include "rules/sender_queue.h"
#include "rules/sender_target.h"
#include "support/config_text.h"

static struct config *config_of(const char *text)
{
    struct config *c = NULL;
    struct diag d = {.text = ""};
    if (config_from_text(text, &c, &d) != OK)
        fail_msg("%s", d.text);
    return c;
}

/* ---- Queues ---- */

static struct sent_alert *numbered(unsigned n)
{
    char text[16];
    int len = snprintf(text, sizeof(text), "%u", n);
    return sent_alert_new((str){text, (size_t)len});
}

/* Add alerts `from` to `to`; how many were lost. */
static size_t add_numbers(struct sender_queue *q, unsigned from, unsigned to)
{
    struct sent_alert *list[64] = {NULL};
    size_t n = 0;
    for (unsigned i = from; i <= to; i++)
        list[n++] = numbered(i);
    size_t lost = sender_queue_add(q, list, n);
    for (size_t i = 0; i < n; i++)
        sent_alert_unref(list[i]);
    return lost;
}

static void check_taken(struct sender_queue *q, size_t max, const char *want)
{
    struct sent_alert *list[64];
    char text[512] = "";
    size_t n = sender_queue_take(q, max, list), len = 0;
    for (size_t i = 0; i < n; i++) {
        len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%.*s", i > 0 ? " " : "",
                                (int)list[i]->len, list[i]->json);
        sent_alert_unref(list[i]);
    }
    assert_string_equal(text, want);
}

static void test_queue__loses_the_oldest(void **state)
{
    (void)state;
    struct sender_queue q;
    sender_queue_init(&q, 4);
    assert_int_equal(add_numbers(&q, 1, 3), 0);
    assert_int_equal(add_numbers(&q, 4, 6), 2);
    check_taken(&q, 2, "3 4");
    assert_int_equal(add_numbers(&q, 7, 8), 0);
    assert_int_equal(q.count, 4);
    check_taken(&q, 10, "5 6 7 8");
    check_taken(&q, 10, "");
    assert_int_equal(add_numbers(&q, 10, 19), 6); /* more than it holds at once */
    check_taken(&q, 3, "16 17 18");
    assert_int_equal(q.count, 1);
    sender_queue_fini(&q); /* frees what is left: leaks are found by the sanitizer */
}

static void test_queue__is_bounded_in_bytes(void **state)
{
    (void)state;
    struct sender_queue q;
    sender_queue_init(&q, 1000);
    size_t size = SENDER_QUEUE_BYTES_MAX / 3;
    struct sent_alert *big = mem_zalloc(1, sizeof(*big) + size);
    atomic_init(&big->refs, 1);
    big->len = size;
    size_t lost = 0;
    for (unsigned i = 0; i < 5; i++)
        lost += sender_queue_add(&q, &big, 1);
    assert_int_equal(q.count, 3);
    assert_int_equal(lost, 2);
    sent_alert_unref(big);
    sender_queue_fini(&q);
}

/* ---- Alerts ---- */

static void check_json(const struct alert *a, struct labels ls, const char *want)
{
    struct buf b = {0};
    sender_alert_json(a, ls, &b);
    assert_string_equal(buf_cstr(&b), want);
    buf_fini(&b);
}

static void test_alert__is_json_of_the_api(void **state)
{
    (void)state;
    struct label labels[] = {{STR("alertname"), STR("A")}, {STR("b"), STR("<x> & \"y\"\n")}};
    struct label notes[] = {{STR("empty"), STR("")}, {STR("s"), STR("\xff\xe2\x82\xac")}};
    struct alert a = {.annotations = {notes, 2},
                      .starts_at_ms = 1700000000000,
                      .ends_at_ms = 1700000000120,
                      .generator_url = STR("http://h/graph?g0.expr=up&g0.tab=1")};
    check_json(&a, (struct labels){labels, 2},
               "{\"annotations\":{\"empty\":\"\",\"s\":\"\xef\xbf\xbd\xe2\x82\xac\"},"
               "\"endsAt\":\"2023-11-14T22:13:20.120Z\",\"startsAt\":\"2023-11-14T22:13:20.000Z\","
               "\"generatorURL\":\"http://h/graph?g0.expr=up\\u0026g0.tab=1\","
               "\"labels\":{\"alertname\":\"A\",\"b\":\"\\u003cx\\u003e \\u0026 \\\"y\\\"\\n\"}}");
    a = (struct alert){.starts_at_ms = 1, .ends_at_ms = 2};
    check_json(&a, (struct labels){NULL, 0},
               "{\"endsAt\":\"1970-01-01T00:00:00.002Z\","
               "\"startsAt\":\"1970-01-01T00:00:00.001Z\",\"labels\":{}}");
}

/* Labels as "a=1 b=2", "-" when they were dropped. */
static void check_relabel(const struct relabel_configs *rules, const char *want)
{
    struct label own[] = {{STR("alertname"), STR("A")}, {STR("region"), STR("own")}};
    struct label external[] = {{STR("region"), STR("ext")}, {STR("replica"), STR("r1")}};
    struct relabel_labels work;
    struct labels out;
    struct arena a;
    bool keep;
    char text[256] = "-";
    arena_init(&a, 1 << 20);
    relabel_labels_init(&work, &a);
    assert_int_equal(sender_relabel(&work, (struct labels){own, 2}, (struct labels){external, 2},
                                    rules, &keep, &out),
                     OK);
    for (size_t i = 0, len = 0; keep && i < out.count; i++)
        len += (size_t)snprintf(text + len, sizeof(text) - len, "%s" STR_FMT "=" STR_FMT,
                                i > 0 ? " " : "", STR_ARG(out.items[i].name),
                                STR_ARG(out.items[i].value));
    assert_string_equal(text, want);
    relabel_labels_fini(&work);
    arena_fini(&a);
}

static void test_alert__external_labels_then_rules(void **state)
{
    (void)state;
    const struct relabel_configs none = {NULL, 0};
    check_relabel(&none, "alertname=A region=own replica=r1");
    struct config *c = config_of("alerting:\n"
                                 "  alert_relabel_configs:\n"
                                 "  - {regex: replica, action: labeldrop}\n"
                                 "  - {source_labels: [region], target_label: zone}\n");
    check_relabel(&c->alerting.alert_relabel, "alertname=A region=own zone=own");
    config_unref(c);
    c = config_of("alerting:\n"
                  "  alert_relabel_configs:\n"
                  "  - {source_labels: [replica], regex: r1, action: drop}\n");
    check_relabel(&c->alerting.alert_relabel, "-");
    config_unref(c);
}

/* ---- URLs ---- */

static void check_path(const char *prefix, const char *want)
{
    struct buf b = {0};
    sender_post_path(str_from(prefix), STR("v2"), &b);
    assert_string_equal(buf_cstr(&b), want);
    buf_fini(&b);
}

static void test_target__path(void **state)
{
    (void)state;
    check_path("", "/api/v2/alerts");
    check_path("/", "/api/v2/alerts");
    check_path("am", "/am/api/v2/alerts");
    check_path("/am//x/./y/", "/am/x/y/api/v2/alerts");
    check_path("/am/../x", "/x/api/v2/alerts");
    check_path("../..", "/api/v2/alerts");
}

static void check_url(const char *section, const char *address, const char *scheme,
                      enum sender_verdict want, const char *url)
{
    struct buf yaml = {0}, b = {0};
    buf_printf(&yaml, "alerting:\n  alertmanagers:\n  - %s\n", section);
    struct config *c = config_of(buf_cstr(&yaml));
    struct label found[] = {{STR("__address__"), str_from(address)},
                            {STR("__scheme__"), str_from(scheme)}};
    struct relabel_labels work;
    struct arena a;
    enum sender_verdict verdict;
    arena_init(&a, 1 << 20);
    relabel_labels_init(&work, &a);
    size_t count = scheme[0] != '\0' ? 2 : 1;
    assert_int_equal(sender_target_url(&c->alerting.alertmanagers.items[0],
                                       (struct labels){found, count}, &work, &verdict, &b),
                     OK);
    assert_int_equal(verdict, want);
    assert_string_equal(buf_cstr(&b), url);
    relabel_labels_fini(&work);
    arena_fini(&a);
    config_unref(c);
    buf_fini(&b);
    buf_fini(&yaml);
}

static void test_target__url(void **state)
{
    (void)state;
    check_url("{}", "h:9093", "", SENDER_ACTIVE, "http://h:9093/api/v2/alerts");
    check_url("{scheme: https, path_prefix: /am}", "h:9093", "", SENDER_ACTIVE,
              "https://h:9093/am/api/v2/alerts");
    check_url("{}", "h:9093", "https", SENDER_ACTIVE, "https://h:9093/api/v2/alerts");
    check_url("{relabel_configs: [{target_label: __alerts_path__, replacement: /other}]}", "h", "",
              SENDER_ACTIVE, "http://h/other");
    check_url("{relabel_configs: [{target_label: __address__, replacement: 'new:1'}]}", "h", "",
              SENDER_ACTIVE, "http://new:1/api/v2/alerts");
    check_url("{relabel_configs: [{source_labels: [__address__], regex: h.*, action: drop}]}",
              "h:9093", "", SENDER_DROPPED, "http://h:9093/api/v2/alerts");
    check_url("{relabel_configs: [{target_label: __address__, replacement: 'a/b'}]}", "h", "",
              SENDER_INVALID, "");
}

/* ---- Fan-out ---- */

static void tally(void *arg, const struct alert *alerts, size_t count)
{
    (void)alerts;
    *(size_t *)arg += count;
}

static void test_fanout__gives_to_all(void **state)
{
    (void)state;
    struct alert_fanout f;
    size_t one = 0, two = 0;
    const struct alert alerts[2] = {{.starts_at_ms = 1}, {.starts_at_ms = 2}};
    alert_fanout_init(&f);
    struct alert_sink s = alert_fanout_sink(&f);
    s.send(s.arg, alerts, 2); /* nobody there */
    assert_int_equal(alert_fanout_join(&f, (struct alert_sink){&one, tally}), OK);
    assert_int_equal(alert_fanout_join(&f, (struct alert_sink){&two, tally}), OK);
    s.send(s.arg, alerts, 2);
    alert_fanout_leave(&f, &one);
    s.send(s.arg, alerts, 1);
    assert_int_equal(one, 2);
    assert_int_equal(two, 3);
    for (unsigned i = 1; i < ALERT_SINKS_MAX; i++)
        assert_int_equal(alert_fanout_join(&f, (struct alert_sink){&one, tally}), OK);
    assert_int_equal(alert_fanout_join(&f, (struct alert_sink){&one, tally}), ERR_FULL);
    alert_fanout_fini(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_queue__loses_the_oldest),
        cmocka_unit_test(test_queue__is_bounded_in_bytes),
        cmocka_unit_test(test_alert__is_json_of_the_api),
        cmocka_unit_test(test_alert__external_labels_then_rules),
        cmocka_unit_test(test_target__path),
        cmocka_unit_test(test_target__url),
        cmocka_unit_test(test_fanout__gives_to_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
