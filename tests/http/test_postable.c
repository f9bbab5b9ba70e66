/* test_postable.c -- what is posted to the API of Alertmanager: what is taken, what is refused with
 * which code and words, and that nothing of any form does harm. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "http/postable.h"

static const int64_t NOW = INT64_C(1795449600000); /* 2026-11-23T16:00:00Z */

/* "422 602 text" of an error; "2 taken, 1 not: errors" else. */
static void read_alerts(const char *body, struct buf *out)
{
    struct postable_alerts p;
    struct postable_error e;
    buf_reset(out);
    if (postable_alerts_parse(str_bytes(str_from(body)), NOW, &p, &e) != OK)
        buf_printf(out, "%u %u %s", e.status, e.code, e.d.text);
    else
        buf_printf(out, "%zu taken, %zu not%s" STR_FMT, p.count, p.invalid,
                   p.invalid > 0 ? ": " : "", STR_ARG(buf_str(&p.errors)));
    (void)buf_cstr(out);
    postable_alerts_fini(&p);
}

static void test_alerts__answers(void **state)
{
    (void)state;
    static const char *const CASES[][2] = {
        {"[]", "0 taken, 0 not"},
        {"null", "0 taken, 0 not"},
        {"", "422 602 alerts in body is required"},
        {"{}", "400 400 parsing alerts body from \"\" failed, because it is of type object where a "
               "list of alerts is wanted"},
        {"[{]", "400 400 parsing alerts body from \"\" failed, because 1:3: string or '}' expected "
                "near ']'"},
        {"[{}]", "422 602 0.labels in body is required"},
        {"[{\"labels\":null}]", "422 602 0.labels in body is required"},
        {"[{\"labels\":{}}]", "0 taken, 1 not: at least one label pair required"},
        {"[{\"labels\":{\"a\":\"\"}}]", "0 taken, 1 not: at least one label pair required"},
        {"[{\"labels\":{\"a\":1}}]",
         "400 400 parsing alerts body from \"\" failed, because 0.labels is of type number where a "
         "string is wanted"},
        {"[{\"labels\":{\"a\":true}}]",
         "400 400 parsing alerts body from \"\" failed, because 0.labels is of type bool where a "
         "string is wanted"},
        {"[{\"labels\":[]}]",
         "400 400 parsing alerts body from \"\" failed, because 0.labels is of type array where an "
         "object is wanted"},
        {"[1]", "400 400 parsing alerts body from \"\" failed, because it is of type number where "
                "a list of objects is wanted"},
        {"[{\"labels\":{\"\":\"x\"}},{\"labels\":{\"a-b\":\"x\"}},{\"labels\":{\"q\":\"x\"},"
         "\"annotations\":{\"\":\"y\"}}]",
         "1 taken, 2 not: invalid label set: invalid name \"\"; invalid annotations: invalid name "
         "\"\""},
        {"[{\"labels\":{\"a\":\"x\"},\"startsAt\":\"bad\"}]",
         "400 400 parsing alerts body from \"\" failed, because 0.startsAt: \"bad\" is no time "
         "like 2006-01-02T15:04:05Z"},
        {"[{\"labels\":{\"a\":\"x\"}},{\"labels\":{\"a\":\"x\"},\"endsAt\":5}]",
         "400 400 parsing alerts body from \"\" failed, because 1.endsAt is of type number where a "
         "string is wanted"},
        {"[{\"labels\":{\"a\":\"x\"},\"startsAt\":\"2026-01-01T00:00:00Z\",\"endsAt\":"
         "\"2025-01-01T00:00:00Z\"}]",
         "0 taken, 1 not: start time must be before end time"},
        {"[{\"labels\":{\"a\":\"x\"},\"generatorURL\":\"::bad\"}]",
         "422 601 0.generatorURL in body must be of type uri: \"::bad\""},
        {"[{\"labels\":{\"a\":\"x\"},\"generatorURL\":\"\"}]", "1 taken, 0 not"},
        /* as vmalert sends it */
        {"[{\"labels\":{\"alertname\":\"a\",\"alertname\":\"b\"}}]", "1 taken, 0 not"},
        {"[{\"labels\":{\"a\":\"\xff\"}}]",
         "400 400 parsing alerts body from \"\" failed, because 1:17: unable to decode byte 0xff"},
        {"[[[[[[[[[[]]]]]]]]]]", "400 400 parsing alerts body from \"\" failed, because brackets "
                                 "are nested deeper than 8"},
    };
    struct buf b = {0};
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        read_alerts(CASES[i][0], &b);
        size_t n = strlen(CASES[i][1]); /* the parser's words may go on */
        if (strncmp((const char *)b.ptr, CASES[i][1], n) != 0)
            fail_msg("%s:\n%s\nwant\n%s", CASES[i][0], (const char *)b.ptr, CASES[i][1]);
    }
    buf_fini(&b);
}

static void test_alerts__values(void **state)
{
    (void)state;
    static const char BODY[] =
        "[{\"labels\":{\"z\":\"1\",\"b\":\"\",\"a\":\"first\",\"a\":\"last\",\"n\":null},"
        "\"annotations\":{\"y\":\"\",\"x\":\"\\u00e9\"},\"generatorURL\":\"http://h/?a=%zz\","
        "\"startsAt\":\"2026-11-23T17:00:00.5+01:00\",\"endsAt\":\"0001-01-01T00:00:00.000Z\","
        "\"more\":[{}]}]";
    struct postable_alerts p;
    struct postable_error e;
    assert_int_equal(postable_alerts_parse(str_bytes(str_from(BODY)), NOW, &p, &e), OK);
    assert_int_equal(p.count, 1);
    struct buf b = {0};
    labels_format(p.items[0].labels, &b);
    labels_format(p.items[0].annotations, &b);
    assert_string_equal(buf_cstr(&b), "{a=\"last\", z=\"1\"}{x=\"\u00e9\", y=\"\"}");
    assert_int_equal(p.items[0].starts_at_ms, NOW + 500);
    assert_int_equal(p.items[0].ends_at_ms, 0);
    assert_true(str_eq(p.items[0].generator_url, STR("http://h/?a=%zz")));
    buf_fini(&b);
    postable_alerts_fini(&p);
}

static void test_alerts__limits(void **state)
{
    (void)state;
    struct buf body = {0}, b = {0};
    buf_put_str(&body, STR("[{\"labels\":{\"a\":\""));
    for (int i = 0; i < POSTABLE_ALERT_BYTES_MAX; i++)
        buf_put_u8(&body, 'x');
    buf_put_str(&body, STR("\"}},{\"labels\":{\"a\":\",{[,{[\"}}]"));
    read_alerts(buf_cstr(&body), &b);
    assert_string_equal((const char *)b.ptr, "1 taken, 1 not: alert is larger than 262144 bytes");
    buf_reset(&body);
    buf_put_u8(&body, '[');
    for (int i = 0; i <= POSTABLE_ALERTS_MAX; i++)
        buf_put_str(&body, STR("{},"));
    buf_put_str(&body, STR("{}]"));
    read_alerts(buf_cstr(&body), &b);
    assert_string_equal((const char *)b.ptr, "400 400 more than 50000 alerts in one request");
    buf_reset(&body);
    buf_put_u8(&body, '[');
    for (int i = 0; i < POSTABLE_VALUES_MAX; i++)
        buf_put_str(&body, STR("1,"));
    buf_put_str(&body, STR("1]"));
    read_alerts(buf_cstr(&body), &b);
    assert_non_null(strstr((const char *)b.ptr, "more than 1000000 values or 50000 alerts"));
    buf_reset(&body);
    buf_put_u8(&body, '[');
    for (int i = 0; i < 3 * POSTABLE_ALERTS_MAX; i++)
        buf_put_str(&body, STR("[],"));
    buf_put_str(&body, STR("[]]"));
    read_alerts(buf_cstr(&body), &b);
    assert_non_null(strstr((const char *)b.ptr, "more than 1000000 values or 50000 alerts"));
    buf_reset(&body);
    buf_put_u8(&body, '[');
    for (int i = 0; i <= POSTABLE_ERRORS_MAX; i++)
        buf_put_str(&body, STR("{\"labels\":{}},"));
    buf_put_str(&body, STR("{\"labels\":{}}]"));
    read_alerts(buf_cstr(&body), &b);
    assert_non_null(strstr((const char *)b.ptr, "; at least one label pair required; and 2 more"));
    buf_fini(&body);
    buf_fini(&b);
}

/* ---- Silences ---- */

static void read_silence(const char *body, struct buf *out)
{
    struct postable_silence p;
    struct postable_error e;
    buf_reset(out);
    if (postable_silence_parse(str_bytes(str_from(body)), &p, &e) != OK) {
        buf_printf(out, "%u %u %s", e.status, e.code, e.d.text);
    } else {
        const struct silence *s = &p.silence;
        alert_matchers_format(&s->matchers, out);
        buf_printf(out, " %lld %lld " STR_FMT "/" STR_FMT "/" STR_FMT,
                   (long long)(s->starts_at_ms - NOW), (long long)(s->ends_at_ms - NOW),
                   STR_ARG(s->id), STR_ARG(s->created_by), STR_ARG(s->comment));
        for (size_t i = 0; i < s->annotations.count; i++)
            buf_printf(out, " " STR_FMT "=" STR_FMT, STR_ARG(s->annotations.items[i].name),
                       STR_ARG(s->annotations.items[i].value));
    }
    (void)buf_cstr(out);
    postable_silence_fini(&p);
}

#define TIMES "\"startsAt\":\"2026-11-23T16:00:00Z\",\"endsAt\":\"2026-11-23T16:00:01.5Z\""
#define REST  "\"createdBy\":\"me\",\"comment\":\"\"," TIMES

static void test_silence__answers(void **state)
{
    (void)state;
    static const char *const CASES[][2] = {
        {"", "422 602 silence in body is required"},
        {"{}", "422 602 comment in body is required"},
        {"null", "422 602 comment in body is required"},
        {"[]", "400 400 parsing silence body from \"\" failed, because it is of type array where "
               "an object is wanted"},
        {"{\"comment\":\"\"}", "422 602 createdBy in body is required"},
        {"{\"comment\":\"\",\"createdBy\":\"\"}", "422 602 endsAt in body is required"},
        {"{" REST "}", "422 602 matchers in body is required"},
        {"{\"comment\":\"\",\"createdBy\":\"\",\"endsAt\":\"2026-11-23T16:00:00Z\",\"matchers\":"
         "[{\"name\":\"a\",\"value\":\"b\"}]}",
         "422 602 startsAt in body is required"},
        {"{" REST ",\"matchers\":[]}", "422 612 matchers in body should have at least 1 items"},
        {"{" REST ",\"matchers\":[{}]}", "422 602 matchers.0.name in body is required"},
        {"{" REST ",\"matchers\":[{\"name\":\"a\"}]}",
         "422 602 matchers.0.value in body is required"},
        {"{" REST ",\"matchers\":[{\"name\":\"a\",\"value\":\"\",\"isRegex\":\"f\"}]}",
         "400 400 parsing silence body from \"\" failed, because matchers.0.isRegex is of type "
         "string where a bool is wanted"},
        {"{" REST ",\"matchers\":[{\"name\":\"b\",\"value\":\"(\",\"isRegex\":true}]}",
         "400 0 invalid silence: invalid label matcher 0: invalid regular expression \"(\": error "
         "parsing regexp: missing closing ): `(`"},
        {"{" REST ",\"id\":\"i\",\"annotations\":{\"x\":\"y\"},\"matchers\":["
         "{\"name\":\"a\",\"value\":\"1\"},{\"name\":\"b\",\"value\":\"2\",\"isEqual\":false},"
         "{\"name\":\"c\",\"value\":\"3\",\"isRegex\":true},"
         "{\"name\":\"d\",\"value\":\"4\",\"isRegex\":true,\"isEqual\":false}]}",
         "{a=\"1\",b!=\"2\",c=~\"3\",d!~\"4\"} 0 1500 i/me/ x=y"},
    };
    struct buf b = {0};
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        read_silence(CASES[i][0], &b);
        assert_string_equal((const char *)b.ptr, CASES[i][1]);
    }
    buf_fini(&b);
}

/* ---- Forms of text ---- */

static void test_text__times(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t ms; /* from NOW; -1: no time */
    } CASES[] = {
        {"2026-11-23T16:00:00Z", 0},
        {"2026-11-23t16:00:00z", 0},
        {"2026-11-23T16:00:00.123456789Z", 123},
        {"2026-11-23T18:30:00+02:30", 0},
        {"2026-11-23T16:00:00", 0},
        {"2026-11-23 16:00:01", 1000},
        {"2026-11-23T16:00", 0},
        {"2026-11-23", -1},
        {"1795449600", -1},
        {"1795449600.0000000", -1},
        {"2026-13-23T16:00:00Z", -1},
        {"2026-11-23T16:00:00Zx", -1},
        {"", -1},
        {"2026-11-23T16:00:00.00000000000000000000000000000000000000000000000000000000Z", -1},
    };
    int64_t ms;
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        bool ok = postable_time(str_from(CASES[i].text), &ms);
        if (ok != (CASES[i].ms >= 0) || (ok && ms != NOW + CASES[i].ms))
            fail_msg("%s", CASES[i].text);
    }
    assert_true(postable_time(STR("0001-01-01T00:00:00Z"), &ms));
    assert_int_equal(ms, 0);
}

static void test_text__uris_and_ids(void **state)
{
    (void)state;
    static const char *const GOOD[] = {"http://x/?a=1&b=%zz", "/graph?x", "mailto:a@b",
                                       "x-1:", "https://h:9090/a%20b"};
    static const char *const BAD[] = {"", "::bad", "foo", "1http://x", "http://x/%zz", "/a\nb"};
    for (size_t i = 0; i < COUNT_OF(GOOD); i++)
        assert_true(postable_is_uri(str_from(GOOD[i])));
    for (size_t i = 0; i < COUNT_OF(BAD); i++)
        assert_false(postable_is_uri(str_from(BAD[i])));
    assert_true(postable_is_uuid(STR("12345678-1234-abCD-1234-123456789012")));
    assert_false(postable_is_uuid(STR("12345678-1234-abCD-1234-12345678901")));
    assert_false(postable_is_uuid(STR("12345678-1234-abCg-1234-123456789012")));
    assert_false(postable_is_uuid(STR("12345678112341abCD112341123456789012")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_alerts__answers), cmocka_unit_test(test_alerts__values),
        cmocka_unit_test(test_alerts__limits),  cmocka_unit_test(test_silence__answers),
        cmocka_unit_test(test_text__times),     cmocka_unit_test(test_text__uris_and_ids),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
