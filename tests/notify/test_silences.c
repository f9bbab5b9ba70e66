/* test_silences.c -- silences: states, what may change in place, what is refused, whom they mute,
 * how long they are kept, and what a restart finds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "notify/silences.h"
#include "notify_testing.h"
#include "support/fs_sim.h"

enum { HOUR = 3600000 };
static const int64_t NOW = INT64_C(1795449600000);

struct fixture {
    struct fs_sim *disk;
    struct state_log *state;
    struct silences *s;
    struct arena a;
    struct alert_matchers ms[32]; /* to be freed */
    size_t ms_count;
    char id[SILENCE_ID_SIZE + 1]; /* of what was set last */
    struct diag d;
};

static void open_all(struct fixture *fx)
{
    assert_int_equal(state_log_open(fs_sim_fs(fx->disk), "/notify", &fx->state, NULL), OK);
    fx->s = silences_open(fx->state, 10 * HOUR, 1);
}

static int setup(void **state)
{
    static struct fixture fx;
    fx = (struct fixture){.disk = fs_sim_new(1)};
    arena_init(&fx.a, 1 << 20);
    open_all(&fx);
    *state = &fx;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fx = *state;
    silences_close(fx->s);
    state_log_close(fx->state);
    fs_sim_free(fx->disk);
    for (size_t i = 0; i < fx->ms_count; i++)
        alert_matchers_fini(&fx->ms[i]);
    arena_fini(&fx->a);
    return 0;
}

static err set(struct fixture *fx, const char *id, const char *matchers, int64_t starts_ms,
               int64_t ends_ms, int64_t now_ms)
{
    struct alert_matchers *ms = &fx->ms[fx->ms_count++];
    str made = {"", 0};
    assert_int_equal(alert_matchers_parse(str_from(matchers), &fx->a, ms, NULL, NULL), OK);
    struct silence s = {.id = str_from(id),
                        .matchers = *ms,
                        .starts_at_ms = starts_ms,
                        .ends_at_ms = ends_ms,
                        .created_by = STR("me"),
                        .comment = STR("why")};
    fx->d = (struct diag){.text = ""};
    err e = silences_set(fx->s, &s, now_ms, &made, &fx->d);
    if (e == OK)
        memcpy(fx->id, made.ptr, SILENCE_ID_SIZE + 1);
    return e;
}

static size_t muted(struct fixture *fx, const char *labels, int64_t now_ms)
{
    struct testing_labels l;
    return silences_mute(fx->s, testing_labels(&l, labels), now_ms, NULL, 0);
}

static void test_silences__mute_while_active(void **state)
{
    struct fixture *fx = *state;
    assert_int_equal(set(fx, "", "a=~\"x|y\",b!=z", NOW + HOUR, NOW + 2 * HOUR, NOW), OK);
    const struct silence *s = silences_get(fx->s, str_from(fx->id));
    assert_int_equal(silence_state_at(s, NOW), SILENCE_PENDING);
    assert_int_equal(muted(fx, "a=x", NOW), 0);
    assert_int_equal(muted(fx, "a=x", NOW + HOUR), 1);
    assert_int_equal(muted(fx, "a=x", NOW + 2 * HOUR - 1), 1);
    assert_int_equal(muted(fx, "a=x", NOW + 2 * HOUR), 0); /* ended just now */
    assert_int_equal(muted(fx, "a=z", NOW + HOUR), 0);
    assert_int_equal(muted(fx, "a=y b=z", NOW + HOUR), 0);
    assert_int_equal(set(fx, "", "a=x", NOW, NOW + 5 * HOUR, NOW), OK);
    struct testing_labels l;
    str ids[1];
    assert_int_equal(silences_mute(fx->s, testing_labels(&l, "a=x"), NOW + HOUR, ids, 1), 2);
    assert_int_equal(ids[0].len, SILENCE_ID_SIZE);
}

static void test_silences__refuse(void **state)
{
    struct fixture *fx = *state;
    assert_int_equal(set(fx, "", "{}", NOW, NOW + HOUR, NOW), ERR_INVALID);
    assert_string_equal(fx->d.text, "invalid silence: at least one matcher required");
    assert_int_equal(set(fx, "", "a=\"\",b=~\".*\"", NOW, NOW + HOUR, NOW), ERR_INVALID);
    assert_string_equal(fx->d.text,
                        "invalid silence: at least one matcher must not match the empty string");
    assert_int_equal(set(fx, "", "a=b", NOW + 2, NOW + 1, NOW), ERR_INVALID);
    assert_string_equal(fx->d.text, "invalid silence: end time must not be before start time");
    assert_int_equal(set(fx, "", "a=b", NOW - 2, NOW - 1, NOW), ERR_INVALID);
    assert_string_equal(fx->d.text, "invalid silence: end time can't be in the past");
    assert_int_equal(set(fx, "nobody", "a=b", NOW, NOW + 1, NOW), ERR_NOTFOUND);
    assert_int_equal(silences_count(fx->s), 0);
}

static void test_silences__change_in_place_or_anew(void **state)
{
    struct fixture *fx = *state;
    char first[SILENCE_ID_SIZE + 1];
    assert_int_equal(set(fx, "", "a=b", NOW - HOUR, NOW + HOUR, NOW), OK);
    memcpy(first, fx->id, sizeof(first));
    assert_int_equal(silences_get(fx->s, str_from(first))->starts_at_ms, NOW); /* not earlier */
    assert_int_equal(set(fx, first, "a=b", NOW, NOW + 3 * HOUR, NOW + 1000), OK);
    assert_string_equal(fx->id, first); /* longer: the same */
    assert_int_equal(muted(fx, "a=b", NOW + 2 * HOUR), 1);
    assert_int_equal(set(fx, first, "a=c", NOW, NOW + 3 * HOUR, NOW + HOUR), OK);
    assert_string_not_equal(fx->id, first); /* other matchers: another */
    assert_int_equal(silences_get(fx->s, str_from(first))->ends_at_ms, NOW + HOUR);
    assert_int_equal(muted(fx, "a=b", NOW + 2 * HOUR), 0);
    assert_int_equal(muted(fx, "a=c", NOW + 2 * HOUR), 1);
    assert_int_equal(set(fx, first, "a=b", NOW + 2 * HOUR, NOW + 4 * HOUR, NOW + 2 * HOUR), OK);
    assert_string_not_equal(fx->id, first); /* what has ended does not come back */
}

static void test_silences__expire(void **state)
{
    struct fixture *fx = *state;
    assert_int_equal(set(fx, "", "a=b", NOW + HOUR, NOW + 2 * HOUR, NOW), OK);
    assert_int_equal(silences_expire(fx->s, str_from(fx->id), NOW + 5), OK);
    const struct silence *s = silences_get(fx->s, str_from(fx->id));
    assert_int_equal(s->starts_at_ms, NOW + 5);
    assert_int_equal(s->ends_at_ms, NOW + 5);
    assert_int_equal(silences_expire(fx->s, str_from(fx->id), NOW + HOUR), OK);
    assert_int_equal(s->ends_at_ms, NOW + 5); /* once */
    assert_int_equal(silences_expire(fx->s, STR("nobody"), NOW), ERR_NOTFOUND);
    silences_gc(fx->s, NOW + 10 * HOUR);
    assert_int_equal(silences_count(fx->s), 1);
    silences_gc(fx->s, NOW + 10 * HOUR + 5);
    assert_int_equal(silences_count(fx->s), 0);
}

static void test_silences__live_through_restarts(void **state)
{
    struct fixture *fx = *state;
    assert_int_equal(set(fx, "", "a=~\"b.*\",\"c d\"!=\"\\\"\"", NOW, NOW + HOUR, NOW), OK);
    assert_int_equal(state_log_sync(fx->state), OK);
    struct fs_sim *after = fs_sim_clone(fx->disk, 3);
    fs_sim_crash(after);
    silences_close(fx->s);
    state_log_close(fx->state);
    fs_sim_free(fx->disk);
    fx->disk = after;
    open_all(fx);
    const struct silence *s = silences_get(fx->s, str_from(fx->id));
    assert_non_null(s);
    struct buf text = {0};
    alert_matchers_format(&s->matchers, &text);
    assert_string_equal(buf_cstr(&text), "{a=~\"b.*\",\"c d\"!=\"\\\"\"}");
    buf_fini(&text);
    assert_true(str_eq(s->comment, STR("why")));
    assert_int_equal(muted(fx, "a=bcd", NOW), 1);
}

#define WITH_FIXTURE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FIXTURE(test_silences__mute_while_active),       WITH_FIXTURE(test_silences__refuse),
        WITH_FIXTURE(test_silences__change_in_place_or_anew), WITH_FIXTURE(test_silences__expire),
        WITH_FIXTURE(test_silences__live_through_restarts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
