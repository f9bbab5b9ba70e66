/* test_notifications.c -- what is active, and who is told of what. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "http/notifications.h"

struct ear {
    unsigned woken, idled;
};

static void wake(void *arg)
{
    ((struct ear *)arg)->woken++;
}

static void idle(void *arg)
{
    ((struct ear *)arg)->idled++;
}

static void check_list(struct notifications *n, const char *want)
{
    struct buf b = {0};
    notifications_json(n, &b);
    buf_put_u8(&b, 0);
    assert_string_equal((const char *)b.ptr, want);
    buf_fini(&b);
}

static void check_events(struct notifications *n, struct subscriber *s, const char *want)
{
    struct buf b = {0};
    notifications_take(n, s, &b, idle);
    buf_put_u8(&b, 0);
    assert_string_equal((const char *)b.ptr, want);
    buf_fini(&b);
}

static void test_notifications__list(void **state)
{
    (void)state;
    struct notifications n;
    notifications_init(&n, 1);
    clock_set_for_test(1500);
    check_list(&n, "[]");
    notifications_set(&n, "a", false); /* was not set */
    notifications_set(&n, "a", true);
    clock_set_for_test(2000);
    notifications_set(&n, "b", true);
    check_list(&n, "[{\"text\":\"a\",\"date\":\"1970-01-01T00:00:01.5Z\",\"active\":true},"
                   "{\"text\":\"b\",\"date\":\"1970-01-01T00:00:02Z\",\"active\":true}]");
    notifications_set(&n, "a", true); /* again: a new time */
    notifications_set(&n, "b", false);
    check_list(&n, "[{\"text\":\"a\",\"date\":\"1970-01-01T00:00:02Z\",\"active\":true}]");
    clock_set_for_test(INT64_MIN);
    notifications_fini(&n);
}

static void test_notifications__subscribers(void **state)
{
    (void)state;
    struct notifications n;
    struct ear ear = {0, 0};
    struct subscriber *s, *other;
    notifications_init(&n, 1);
    clock_set_for_test(1000);
    notifications_set(&n, "a", true);
    assert_int_equal(notifications_subscribe(&n, wake, &ear, &s), OK);
    assert_int_equal(notifications_subscribe(&n, wake, &ear, &other), ERR_BUSY);
    check_events(&n, s,
                 "data: {\"text\":\"a\",\"date\":\"1970-01-01T00:00:01Z\",\"active\":true}\n\n");
    check_events(&n, s, "");
    assert_int_equal(ear.idled, 1);
    assert_int_equal(ear.woken, 0);
    notifications_set(&n, "a", false);
    notifications_set(&n, "b", true);
    assert_int_equal(ear.woken, 2);
    check_events(&n, s,
                 "data: {\"text\":\"a\",\"date\":\"1970-01-01T00:00:01Z\",\"active\":false}\n\n"
                 "data: {\"text\":\"b\",\"date\":\"1970-01-01T00:00:01Z\",\"active\":true}\n\n");
    notifications_unsubscribe(&n, s);
    assert_int_equal(notifications_subscribe(&n, wake, &ear, &other), OK);
    notifications_unsubscribe(&n, other);
    clock_set_for_test(INT64_MIN);
    notifications_fini(&n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_notifications__list),
                                       cmocka_unit_test(test_notifications__subscribers)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
