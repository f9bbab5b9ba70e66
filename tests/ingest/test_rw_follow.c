/* test_rw_follow.c -- series that come in the order of the last time: whatever senders change from
 * request to request, what is stored is what a receiver stores that has never seen one before. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/mem.h"
#include "ingest/rw_priv.h"
#include "ingest/snappy.h"
#include "support/db_testing.h"

enum { METRICS = 200, SERIES = 400, REQUESTS = 60 };

static uint32_t rng(uint32_t *s)
{
    *s ^= *s << 13;
    *s ^= *s >> 17;
    *s ^= *s << 5;
    return *s;
}

/* ---- Requests ---- */

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

/* Labels of series `k`, from a few bytes to some hundred; `twist` changes one of their bytes. */
static void put_series_labels(struct buf *out, unsigned k, unsigned twist)
{
    static const char FILL[] = "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijklmn";
    char text[128];
    (void)snprintf(text, sizeof(text), "m%u", k % METRICS);
    put_label(out, "__name__", text);
    if (k % 5 != 0) {
        (void)snprintf(text, sizeof(text), "cluster-%u", k / 100);
        put_label(out, "cluster", text);
        (void)snprintf(text, sizeof(text), "%.*s", (int)(k * 7 % 64), FILL);
        put_label(out, "fill", text[0] == '\0' ? "x" : text);
    }
    (void)snprintf(text, sizeof(text), "%u%c", k, (char)('a' + twist % 26));
    put_label(out, "id", text);
    for (unsigned i = 0; i < k / 40 % 6; i++) {
        (void)snprintf(text, sizeof(text), "the same for all of label %u", i);
        put_label(out, (const char *[]){"p", "q", "r", "s", "t", "u"}[i], text);
    }
}

struct sender {
    uint32_t seed;
    unsigned order[SERIES], count;
    unsigned twist[SERIES];
};

/* What may happen from one push to the next; `calm` ones are all alike. */
static void change(struct sender *s, bool calm)
{
    if (calm)
        return;
    unsigned a = rng(&s->seed) % s->count, b = rng(&s->seed) % s->count, x = s->order[a];
    switch (rng(&s->seed) % 6) {
    case 0: /* two change places */
        s->order[a] = s->order[b];
        s->order[b] = x;
        break;
    case 1: /* one ends */
        if (s->count > SERIES / 2)
            s->order[a] = s->order[--s->count];
        break;
    case 2: /* one byte of its labels differs */
        s->twist[x]++;
        break;
    case 3: /* all come from another place on */
        for (unsigned i = 0; i < s->count; i++) {
            unsigned k = (a + i) % s->count;
            x = s->order[i];
            s->order[i] = s->order[k];
            s->order[k] = x;
        }
        break;
    default: /* nothing */
        break;
    }
}

static void put_request(struct sender *s, struct buf *out, int64_t ts_ms, bool calm)
{
    struct buf series = {0};
    unsigned first = calm ? 0 : rng(&s->seed) % 40, end = s->count;
    for (unsigned i = first; i < end; i++) {
        unsigned k = s->order[i], shape = calm ? 9 : rng(&s->seed) % 300;
        buf_reset(&series);
        put_series_labels(&series, k, s->twist[k]);
        if (shape == 0)
            buf_put(&series, "\x9a\x06\x03xyz", 6); /* an unknown field */
        put_sample(&series, rng(&s->seed) % 4 == 0 ? 0 : rng(&s->seed) % 1000, ts_ms);
        if (shape == 1) /* two samples */
            put_sample(&series, 5, ts_ms + 1);
        if (shape == 2) /* a label behind them */
            put_label(&series, "z", "1");
        put_field(out, 1, &series);
    }
    buf_fini(&series);
}

/* ---- Receivers ---- */

static void done(void *arg)
{
    *(bool *)arg = true;
}

/* Returns the status; adds to *followed the rows that were made without being looked up. */
static unsigned send_request(struct receiver *r, slice body, size_t *followed)
{
    struct remote_write *w;
    struct remote_write_reply reply;
    bool finished = false;
    remote_write_begin(r, STR(""), STR("snappy"), body, done, &finished, &w);
    assert_true(finished);
    *followed += w->followed ? w->row_count - w->item_count : 0;
    assert_int_equal(remote_write_finish(w, &reply), OK);
    buf_fini(&reply.text);
    return reply.status;
}

static struct receiver *receiver_for(struct db *db)
{
    struct receiver_options o = receiver_options_default(db);
    struct receiver *r;
    assert_int_equal(receiver_open(&o, &r), OK);
    return r;
}

/* Both stores hold the same, metric by metric. */
static void assert_same(struct db *a, struct db *b)
{
    for (unsigned k = 0; k < METRICS; k++) {
        char name[16];
        (void)snprintf(name, sizeof(name), "m%u", k);
        struct buf first = {0};
        buf_put_str(&first, str_from(testing_get(a, name, T0 - 100000, T0 + 100000)));
        assert_string_equal(testing_get(b, name, T0 - 100000, T0 + 100000), buf_cstr(&first));
        buf_fini(&first);
    }
}

static void check_senders(bool wide)
{
    struct fs_sim *sim[2] = {fs_sim_new(1), fs_sim_new(2)};
    struct db *db[2] = {testing_open(sim[0], NULL), testing_open(sim[1], NULL)};
    struct receiver *r = receiver_for(db[0]);
    struct sender *s = mem_zalloc(1, sizeof(*s));
    struct buf request = {0}, body = {0};
    size_t followed = 0, ignored = 0;
    r->wide = r->wide && wide;
    s->seed = 20261123;
    s->count = SERIES;
    for (unsigned i = 0; i < SERIES; i++)
        s->order[i] = i;
    print_message("seed %u\n", s->seed);
    for (unsigned i = 0; i < REQUESTS; i++) {
        bool calm = i < 4 || i % 8 == 0;
        change(s, calm);
        buf_reset(&request);
        buf_reset(&body);
        put_request(s, &request, T0 + 10 * i, calm);
        snappy_encode(buf_slice(&request), &body);
        struct receiver *fresh = receiver_for(db[1]);
        unsigned status = send_request(fresh, buf_slice(&body), &ignored);
        assert_int_equal(send_request(r, buf_slice(&body), &followed), status);
        receiver_close(fresh);
        if (i % 20 == 10) /* another epoch: ids are found anew */
            for (unsigned k = 0; k < 2; k++)
                assert_int_equal(db_cut(db[k]), OK);
    }
    assert_same(db[0], db[1]);
    assert_int_equal(ignored, 0);
    assert_true(followed > REQUESTS * SERIES / 2);
    assert_true(order_bytes(r->order) > 0);
    receiver_close(r);
    for (unsigned k = 0; k < 2; k++) {
        db_close(db[k]);
        fs_sim_free(sim[k]);
    }
    buf_fini(&request);
    buf_fini(&body);
    mem_free(s);
}

static void test_rw_follow__stores_what_a_new_receiver_stores(void **state)
{
    (void)state;
    check_senders(true);
    check_senders(false);
}

/* A request whose bytes are damaged is refused or stored as a new receiver does. */
static void test_rw_follow__damaged_requests(void **state)
{
    (void)state;
    struct fs_sim *sim[2] = {fs_sim_new(1), fs_sim_new(2)};
    struct db *db[2] = {testing_open(sim[0], NULL), testing_open(sim[1], NULL)};
    struct receiver *r = receiver_for(db[0]);
    struct sender *s = mem_zalloc(1, sizeof(*s));
    struct buf request = {0}, body = {0};
    size_t followed = 0;
    unsigned refused = 0;
    s->seed = 77;
    s->count = SERIES / 4;
    for (unsigned i = 0; i < s->count; i++)
        s->order[i] = i;
    for (unsigned i = 0; i < 4 * REQUESTS; i++) {
        buf_reset(&request);
        buf_reset(&body);
        put_request(s, &request, T0 + 10 * i, true);
        if (i % 4 == 3) {
            size_t at = rng(&s->seed) % request.len;
            request.ptr[at] = (uint8_t)(request.ptr[at] ^ 1u << rng(&s->seed) % 8);
            request.len -= rng(&s->seed) % 8 == 0 ? rng(&s->seed) % 60 : 0;
        }
        snappy_encode(buf_slice(&request), &body);
        struct receiver *fresh = receiver_for(db[1]);
        unsigned status = send_request(fresh, buf_slice(&body), &followed);
        assert_int_equal(send_request(r, buf_slice(&body), &followed), status);
        refused += status != 204;
        receiver_close(fresh);
    }
    assert_same(db[0], db[1]);
    assert_true(followed > REQUESTS * SERIES / 4);
    assert_in_range(refused, 1, REQUESTS);
    receiver_close(r);
    for (unsigned k = 0; k < 2; k++) {
        db_close(db[k]);
        fs_sim_free(sim[k]);
    }
    buf_fini(&request);
    buf_fini(&body);
    mem_free(s);
}

/* ---- The table ---- */

static struct order_series series_of(const char *labels, uint32_t id)
{
    return (struct order_series){{(const uint8_t *)labels, strlen(labels)}, id};
}

static void test_rw_order__forgets(void **state)
{
    (void)state;
    enum { ROOM = 64 << 10 };
    struct order *o = order_open(ROOM);
    struct order_series next[] = {series_of("label-one", 1), series_of("label-two", 2)};
    slice before = {(const uint8_t *)"label-zero", 10};
    size_t found = 0;
    for (uint64_t i = 0; i < 5000; i++) {
        order_learn(o, (hash128){i, i * 7919}, 3, NULL, 0, before, next, 2);
        assert_true(order_bytes(o) <= ROOM);
    }
    for (uint64_t i = 0; i < 5000; i++) {
        struct passage *p = order_find(o, (hash128){i, i * 7919}, 3);
        if (p == NULL)
            continue;
        found++;
        assert_int_equal(p->count, 2);
        assert_false(order_judge(o, p, false));
        order_release(p);
    }
    assert_in_range(found, 100, 2000);
    order_learn(o, (hash128){1, 2}, 2, NULL, 0, before, next, 2); /* of an epoch that is over */
    assert_null(order_find(o, (hash128){1, 2}, 2));
    order_learn(o, (hash128){1, 2}, 4, NULL, 0, before, next, 2);
    struct passage *p = order_find(o, (hash128){1, 2}, 4);
    assert_non_null(p);
    assert_int_equal(order_bytes(o), p->size); /* all of epoch 3 are gone */
    bool again[5];
    for (size_t i = 0; i < 5; i++)
        again[i] = order_judge(o, p, true);
    assert_true(again[0] && again[1] && !again[2] && again[3] && !again[4]);
    order_learn(o, (hash128){1, 2}, 4, p, 1, next[0].labels, next, 0); /* nothing new */
    order_learn(o, (hash128){1, 2}, 4, p, 2, next[1].labels, next, 1); /* one more */
    order_release(p);
    p = order_find(o, (hash128){1, 2}, 4);
    assert_int_equal(p->count, 3);
    order_release(p);
    order_close(o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rw_follow__stores_what_a_new_receiver_stores),
        cmocka_unit_test(test_rw_follow__damaged_requests),
        cmocka_unit_test(test_rw_order__forgets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
