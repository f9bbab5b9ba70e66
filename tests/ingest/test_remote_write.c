/* test_remote_write.c -- requests of the common shape and of others, against a store: what is
 * guessed about a request must not show. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ingest/remote_write.h"
#include "ingest/snappy.h"
#include "support/db_testing.h"

struct fixture {
    struct fs_sim *sim;
    struct db *db;
    struct receiver *receiver;
    struct buf request, series;
};

static struct fixture open_fixture(void)
{
    struct fixture f = {.sim = fs_sim_new(1)};
    f.db = testing_open(f.sim, NULL);
    struct receiver_options o = receiver_options_default(f.db);
    assert_int_equal(receiver_open(&o, &f.receiver), OK);
    return f;
}

static void close_fixture(struct fixture *f)
{
    receiver_close(f->receiver);
    db_close(f->db);
    fs_sim_free(f->sim);
    buf_fini(&f->request);
    buf_fini(&f->series);
}

static void put_field(struct buf *out, unsigned field, const struct buf *bytes)
{
    buf_put_u8(out, (uint8_t)(field << 3 | 2));
    buf_put_string(out, buf_str(bytes));
}

static void put_label(struct buf *out, const char *name, const char *value)
{
    struct buf label = {0};
    buf_put_u8(&label, 0x0a);
    buf_put_string(&label, str_from(name));
    buf_put_u8(&label, 0x12);
    buf_put_string(&label, str_from(value));
    put_field(out, 1, &label);
    buf_fini(&label);
}

static void put_sample(struct buf *out, double value, int64_t ts_ms)
{
    struct buf sample = {0};
    if (f64_bits(value) != 0) {
        buf_put_u8(&sample, 0x09);
        buf_put_u64(&sample, f64_bits(value));
    }
    buf_put_u8(&sample, 0x10);
    buf_put_varint(&sample, (uint64_t)ts_ms);
    put_field(out, 2, &sample);
    buf_fini(&sample);
}

static void end_series(struct fixture *f)
{
    put_field(&f->request, 1, &f->series);
    buf_reset(&f->series);
}

static void done(void *arg)
{
    *(bool *)arg = true;
}

/* Send what was put together; returns the status. */
static unsigned send_request(struct fixture *f)
{
    struct buf body = {0};
    struct remote_write *w;
    struct remote_write_reply reply;
    bool finished = false;
    snappy_encode(buf_slice(&f->request), &body);
    remote_write_begin(f->receiver, STR(""), STR("snappy"), buf_slice(&body), done, &finished, &w);
    assert_true(finished);
    assert_int_equal(remote_write_finish(w, &reply), OK);
    buf_fini(&reply.text);
    buf_fini(&body);
    buf_reset(&f->request);
    return reply.status;
}

static const char *stored(struct fixture *f, const char *name)
{
    return testing_get(f->db, name, T0 - 100000, T0 + 100000);
}

/* Common series, zeros left out, all found again and in another order. */
static void test_remote_write__common_shape(void **state)
{
    (void)state;
    struct fixture f = open_fixture();
    static const char *const NAMES[] = {"a", "b", "c", "d", "e"};
    for (int round = 0; round < 4; round++) {
        for (int i = 0; i < 5; i++) {
            int k = round == 3 ? 4 - i : i;
            put_label(&f.series, "__name__", NAMES[k]);
            put_sample(&f.series, k == 2 ? 0 : k + round * 10, T0 + round);
            end_series(&f);
        }
        assert_int_equal(send_request(&f), 204);
    }
    assert_string_equal(stored(&f, "a"), "0:0 1:10 2:20 3:30");
    assert_string_equal(stored(&f, "c"), "0:0 1:0 2:0 3:0");
    assert_string_equal(stored(&f, "e"), "0:4 1:14 2:24 3:34");
    close_fixture(&f);
}

/* Behind a common first series: two samples, a label between or behind them, an
 * unknown field. Twice, so that they are known the second time. */
static void test_remote_write__other_shapes_behind_a_common_one(void **state)
{
    (void)state;
    struct fixture f = open_fixture();
    for (int round = 0; round < 2; round++) {
        int64_t t = T0 + 10 * round;
        put_label(&f.series, "__name__", "first");
        put_sample(&f.series, 1, t);
        end_series(&f);
        put_label(&f.series, "__name__", "two");
        put_sample(&f.series, 2, t);
        put_sample(&f.series, 3, t + 1);
        end_series(&f);
        put_label(&f.series, "__name__", "two"); /* known, with one more label behind a sample */
        put_sample(&f.series, 4, t);
        put_label(&f.series, "z", "1");
        put_sample(&f.series, 5, t + 1);
        end_series(&f);
        put_label(&f.series, "__name__", "unknown_field");
        buf_put(&f.series, "\x9a\x06\x03xyz", 6);
        put_sample(&f.series, 6, t);
        end_series(&f);
        put_label(&f.series, "__name__", "last");
        put_sample(&f.series, 7, t);
        end_series(&f);
        assert_int_equal(send_request(&f), 204);
    }
    assert_string_equal(stored(&f, "first"), "0:1 10:1");
    assert_string_equal(stored(&f, "two"), "0:2 1:3 10:2 11:3|0:4 1:5 10:4 11:5");
    assert_string_equal(stored(&f, "unknown_field"), "0:6 10:6");
    assert_string_equal(stored(&f, "last"), "0:7 10:7");
    close_fixture(&f);
}

/* A message that ends like a sample but is none, and labels that are malformed. */
static void test_remote_write__malformed_is_refused_whole(void **state)
{
    (void)state;
    struct fixture f = open_fixture();
    for (int kind = 0; kind < 2; kind++) {
        put_label(&f.series, "__name__", "good");
        put_sample(&f.series, 1, T0);
        end_series(&f);
        buf_put_u8(&f.series, 0x0a);
        buf_put_u8(&f.series, kind == 0 ? 0x7f : 0x03); /* a label that ends behind the message */
        put_sample(&f.series, 2, T0);
        end_series(&f);
        assert_int_equal(send_request(&f), 400);
    }
    assert_string_equal(stored(&f, "good"), "");
    close_fixture(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_remote_write__common_shape),
        cmocka_unit_test(test_remote_write__other_shapes_behind_a_common_one),
        cmocka_unit_test(test_remote_write__malformed_is_refused_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
