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

enum { METRICS = 200, SERIES = 400, REQUESTS = 60, THREADS = 3 };

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

/* Returns the status, 0 when there is none; adds to *followed the rows that were made without being
 * looked up. */
static unsigned send_request(struct receiver *r, slice body, size_t *followed)
{
    struct remote_write *w;
    struct remote_write_reply reply;
    bool finished = false;
    remote_write_begin(r, STR(""), STR("snappy"), body, done, &finished, &w);
    if (!finished)
        return 0;
    *followed += w->walk.rows;
    err e = remote_write_finish(w, &reply);
    if (e == ERR_RETRY) /* the store forgot series meanwhile */
        return send_request(r, body, followed);
    buf_fini(&reply.text);
    return e == OK ? reply.status : 0;
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
    assert_in_range(recall_bytes(r->recall), SERIES * 16, RECALL_BYTES_MAX);
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
    s->count = SERIES / 2;
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

/* ---- Several requests at once ---- */

struct client { /* sends one stream of requests to `receiver` */
    struct receiver *receiver;
    struct db *alone; /* receives the same from new receivers, afterwards */
    struct buf bodies[REQUESTS];
    size_t followed, stored;
};

static void make_bodies(struct client *c, unsigned stream)
{
    struct sender *s = mem_zalloc(1, sizeof(*s));
    struct buf request = {0};
    s->seed = 4711 + stream;
    s->count = SERIES;
    for (unsigned i = 0; i < SERIES; i++) {
        s->order[i] = i;
        s->twist[i] = stream; /* labels of their own */
    }
    for (unsigned i = 0; i < REQUESTS; i++) {
        bool calm = i % 4 != 3;
        if (!calm && rng(&s->seed) % 2 == 0) { /* two change places */
            unsigned a = rng(&s->seed) % SERIES, x = s->order[0];
            s->order[0] = s->order[a];
            s->order[a] = x;
        }
        buf_reset(&request);
        put_request(s, &request, T0 + 10 * i, calm);
        snappy_encode(buf_slice(&request), &c->bodies[i]);
    }
    buf_fini(&request);
    mem_free(s);
}

static void *client_main(void *arg)
{
    struct client *c = arg;
    for (unsigned i = 0; i < REQUESTS; i++)
        c->stored += send_request(c->receiver, buf_slice(&c->bodies[i]), &c->followed) == 204;
    return NULL;
}

static void test_rw_follow__requests_at_once(void **state)
{
    (void)state;
    struct fs_sim *sim[2] = {fs_sim_new(1), fs_sim_new(2)};
    struct db *db[2] = {testing_open(sim[0], NULL), testing_open(sim[1], NULL)};
    struct receiver *r = receiver_for(db[0]);
    struct client *clients = mem_zalloc(THREADS, sizeof(*clients));
    pthread_t threads[THREADS];
    size_t followed = 0, ignored = 0;
    for (unsigned i = 0; i < THREADS; i++) {
        clients[i].receiver = r;
        make_bodies(&clients[i], i);
    }
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(thread_start(&threads[i], "client", client_main, &clients[i]), OK);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(db_cut(db[0]), OK);
    for (unsigned i = 0; i < THREADS; i++) {
        thread_join(threads[i]);
        followed += clients[i].followed;
        assert_int_equal(clients[i].stored, REQUESTS);
        for (unsigned k = 0; k < REQUESTS; k++) {
            struct receiver *fresh = receiver_for(db[1]);
            assert_int_equal(send_request(fresh, buf_slice(&clients[i].bodies[k]), &ignored), 204);
            receiver_close(fresh);
            buf_fini(&clients[i].bodies[k]);
        }
    }
    assert_same(db[0], db[1]);
    assert_true(followed > THREADS * REQUESTS * SERIES / 2);
    receiver_close(r);
    for (unsigned k = 0; k < 2; k++) {
        db_close(db[k]);
        fs_sim_free(sim[k]);
    }
    mem_free(clients);
}

/* ---- The table ---- */

enum { RUN = 200 };

static void fill_run(struct recall_series *run, uint64_t stream)
{
    static const uint8_t LABELS[] = "labels of some length";
    for (uint64_t i = 0; i < RUN; i++)
        run[i] = (struct recall_series){{(stream << 32 | i) * 0x9e3779b97f4a7c15, stream << 32 | i},
                                        {LABELS, sizeof(LABELS)},
                                        (uint32_t)i};
}

static void test_rw_recall__bounded_by_bytes_and_idle_time(void **state)
{
    (void)state;
    enum { ROOM = 256 << 10, STREAMS = 100 };
    struct recall *r = recall_open(ROOM);
    struct recall_series run[RUN];
    uint32_t index;
    size_t found = 0, late = 0;
    for (uint64_t i = 0; i < STREAMS; i++) {
        fill_run(run, i);
        recall_learn(r, 3, 1000, run, RUN);
        assert_true(recall_bytes(r) <= ROOM);
    }
    assert_false(recall_has_room(r, ROOM / 10, 1000));
    for (uint64_t i = 0; i < STREAMS; i++) {
        fill_run(run, i);
        struct stretch *s = recall_find(r, run[0].hash, 3, 1000 + RECALL_IDLE_MS / 2, &index);
        if (s == NULL)
            continue;
        found++;
        assert_int_equal(s->count, RUN);
        assert_int_equal(index, 0);
        recall_release(r, s, RUN, 0);
    }
    assert_in_range(found, 5, 40);
    fill_run(run, STREAMS);
    recall_learn(r, 3, 1000 + RECALL_IDLE_MS, run, RUN); /* all were used since */
    assert_null(recall_find(r, run[0].hash, 3, 1000, &index));
    assert_true(recall_has_room(r, ROOM / 10, 1000 + 2 * RECALL_IDLE_MS));
    recall_learn(r, 3, 1000 + 2 * RECALL_IDLE_MS, run, RUN);
    struct stretch *s = recall_find(r, run[0].hash, 3, 1000 + 2 * RECALL_IDLE_MS, &index);
    assert_non_null(s);
    recall_release(r, s, RUN, 0);
    for (uint64_t i = 0; i < STREAMS; i++) {
        fill_run(run, i);
        s = recall_find(r, run[0].hash, 3, 1000 + 2 * RECALL_IDLE_MS, &index);
        if (s == NULL)
            continue;
        late++;
        recall_release(r, s, RUN, 0);
    }
    assert_in_range(late, found - 3, found - 1); /* some made room; sizes differ by their anchors */
    recall_close(r);
}

static void test_rw_recall__epochs_anchors_and_misfits(void **state)
{
    (void)state;
    struct recall *r = recall_open(RECALL_BYTES_MAX);
    struct recall_series run[RUN];
    uint32_t index;
    size_t empty = recall_bytes(r);
    fill_run(run, 7);
    recall_learn(r, 3, 0, run, RUN);
    for (uint32_t i = 0; i < RUN; i++) {
        struct stretch *s = recall_find(r, run[i].hash, 3, 0, &index);
        assert_int_equal(s != NULL, i == 0 || recall_is_anchor(run[i].hash));
        if (s == NULL)
            continue;
        assert_int_equal(index, i);
        assert_int_equal(s->entries[index].series, i);
        recall_release(r, s, 1, 0);
    }
    size_t one = recall_bytes(r);
    recall_learn(r, 3, 0, run, RUN); /* known */
    assert_int_equal(recall_bytes(r), one);
    recall_learn(r, 2, 0, run, RUN); /* of an epoch that is over */
    assert_null(recall_find(r, run[0].hash, 2, 0, &index));
    fill_run(run, 8);
    recall_learn(r, 4, 0, run, RUN);
    assert_int_equal(recall_bytes(r), one); /* what was of epoch 3 is gone */
    for (unsigned i = 0; i < 7; i++) {      /* it holds once in between */
        struct stretch *s = recall_find(r, run[0].hash, 4, 0, &index);
        assert_non_null(s);
        recall_release(r, s, i == 2 ? RUN : 0, i == 2 ? 0 : 17);
    }
    assert_null(recall_find(r, run[0].hash, 4, 0, &index));
    assert_int_equal(recall_bytes(r), empty);
    recall_close(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rw_follow__stores_what_a_new_receiver_stores),
        cmocka_unit_test(test_rw_follow__damaged_requests),
        cmocka_unit_test(test_rw_follow__requests_at_once),
        cmocka_unit_test(test_rw_recall__bounded_by_bytes_and_idle_time),
        cmocka_unit_test(test_rw_recall__epochs_anchors_and_misfits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
