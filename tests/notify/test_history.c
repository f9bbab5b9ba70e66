/* test_history.c -- what was written is found after crashes, torn writes and flipped bits; a search
 * finds what looking at every event finds; time and size are bounded. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/hash.h"
#include "notify/history.h"
#include "notify_testing.h"
#include "support/fs_sim.h"

#define DIR "/d/notify/history"

static struct history *open_history(struct fs_sim *disk, uint64_t segment_bytes)
{
    struct history *h;
    struct diag d = {.text = ""};
    const struct history_options o = {.fs = fs_sim_fs(disk),
                                      .dir = DIR,
                                      .retention_ms = INT64_C(640000000),
                                      .bytes_max = HISTORY_BYTES_MIN,
                                      .segment_bytes = segment_bytes};
    if (history_open(&o, &h, &d) != OK)
        fail_msg("%s", d.text);
    return h;
}

static struct fs_sim *new_disk(uint64_t seed)
{
    struct fs_sim *disk = fs_sim_new(seed);
    assert_int_equal(fs_mkdir(fs_sim_fs(disk), "/d"), OK);
    assert_int_equal(fs_sync_dir(fs_sim_fs(disk), "/"), OK);
    return disk;
}

/* The i-th event of all tests: everything about it follows from i. */
struct made {
    struct history_event e;
    struct testing_labels labels;
    char text[64], reason[32];
    uint64_t fingerprints[3];
};

static void make(struct made *m, unsigned i)
{
    (void)snprintf(m->text, sizeof(m->text), "alertname=a%u job=j%u", i % 7, i % 3);
    (void)snprintf(m->reason, sizeof(m->reason), "event %u", i);
    m->e = (struct history_event){.kind = (enum history_kind)(1 + i % 6),
                                  .at_ms = 1000 + 10 * (int64_t)i - (i % 5 == 0 ? 35 : 0),
                                  .labels = testing_labels(&m->labels, m->text),
                                  .fingerprints = m->fingerprints,
                                  .fingerprint_count = i % 4};
    for (unsigned k = 0; k < 3; k++)
        m->fingerprints[k] = (i % 11 + k) * UINT64_C(0x9e3779b97f4a7c15);
    m->e.texts[HISTORY_REASON] = str_from(m->reason);
    if (i % 2 == 0)
        history_say(&m->e, HISTORY_LATENCY_MS, (int64_t)i - 10);
}

static void put(struct history *h, unsigned i)
{
    struct made m;
    make(&m, i);
    history_put(h, &m.e);
}

/* Which event is it? Fails the test when it is none as it was put. */
static unsigned number_of(const struct history_event *e)
{
    struct made m;
    unsigned i;
    char text[32];
    (void)snprintf(text, sizeof(text), STR_FMT, STR_ARG(e->texts[HISTORY_REASON]));
    if (sscanf(text, "event %u", &i) != 1)
        fail_msg("%s", text);
    make(&m, i);
    assert_int_equal(e->kind, m.e.kind);
    assert_int_equal(e->at_ms, m.e.at_ms);
    assert_int_equal(e->fingerprint_count, m.e.fingerprint_count);
    assert_memory_equal(e->fingerprints, m.e.fingerprints, e->fingerprint_count * sizeof(uint64_t));
    assert_int_equal(e->numbers_said, m.e.numbers_said);
    assert_int_equal(e->numbers[HISTORY_LATENCY_MS], m.e.numbers[HISTORY_LATENCY_MS]);
    assert_int_equal(e->labels.count, m.e.labels.count);
    for (size_t k = 0; k < e->labels.count; k++)
        assert_true(str_eq(e->labels.items[k].value, m.e.labels.items[k].value));
    return i;
}

enum { FOUND_MAX = 4096 };
struct found {
    unsigned numbers[FOUND_MAX];
    size_t count, stop_at; /* 0: never */
    uint64_t last_seq;
};

static bool take(void *arg, const struct history_event *e)
{
    struct found *f = arg;
    assert_true(f->count < FOUND_MAX);
    assert_true(f->count == 0 || e->seq < f->last_seq);
    f->last_seq = e->seq;
    f->numbers[f->count++] = number_of(e);
    return f->count != f->stop_at;
}

static const struct history_query ALL = {
    .start_ms = INT64_MIN, .end_ms = INT64_MAX, .limit = FOUND_MAX};

static void find_all(struct history *h, struct found *f)
{
    uint64_t next;
    f->count = 0;
    assert_int_equal(history_search(h, &ALL, take, f, &next), OK);
    assert_int_equal(next, 0);
}

/* All from `first` to `last`, the newest first. */
static void expect_range(struct history *h, unsigned first, unsigned last)
{
    struct found f = {.count = 0};
    find_all(h, &f);
    assert_int_equal(f.count, last - first + 1);
    for (size_t i = 0; i < f.count; i++)
        assert_int_equal(f.numbers[i], last - i);
}

static void test_history__keeps_events_over_restarts(void **state)
{
    struct fs_sim *disk = new_disk(1);
    (void)state;
    for (unsigned i = 0; i < 90; i += 30) {
        struct history *h = open_history(disk, 700);
        for (unsigned k = i; k < i + 30; k++) {
            put(h, k);
            if (k % 10 == 0)
                assert_int_equal(history_flush(h, true), OK);
        }
        expect_range(h, 0, i + 29); /* also what was only put */
        struct found few = {.stop_at = 7};
        uint64_t next;
        assert_int_equal(history_search(h, &ALL, take, &few, &next), OK);
        assert_int_equal(few.count, 7);
        assert_int_equal(next, few.last_seq);
        history_close(h);
    }
    struct history *h = open_history(disk, 700);
    struct history_stats s;
    history_stats(h, &s);
    assert_true(s.segments > 5);
    assert_int_equal(s.damaged_bytes, 0);
    assert_int_equal(history_last_ms(h), 1000 + 890);
    history_close(h);
    fs_sim_free(disk);
}

/* Whatever operation the power fails at: what was synced is there, nothing else was invented. */
static void test_history__survives_crashes(void **state)
{
    (void)state;
    bool died = true;
    for (uint64_t at = 1; died; at++) {
        struct fs_sim *disk = new_disk(at);
        struct found f = {.count = 0};
        unsigned durable = 0, made = 0;
        fs_sim_die_at(disk, at);
        struct history *h = open_history(disk, 600);
        for (; made < 40; made++) {
            put(h, made);
            if (made % 4 == 3 && history_flush(h, true) == OK)
                durable = made + 1;
        }
        history_close(h);
        died = fs_sim_is_dead(disk);
        assert_true(died || durable == 40);
        fs_sim_crash(disk);
        h = open_history(disk, 600);
        find_all(h, &f);
        assert_true(f.count >= durable);
        for (size_t i = 0; i < durable; i++)
            assert_int_equal(f.numbers[f.count - 1 - i], i);
        put(h, 1000); /* and it goes on */
        assert_int_equal(history_flush(h, true), OK);
        find_all(h, &f);
        assert_int_equal(f.numbers[0], 1000);
        assert_true(f.count > durable);
        history_close(h);
        fs_sim_free(disk);
    }
}

static void test_history__goes_on_behind_a_torn_tail(void **state)
{
    struct fs_sim *disk = new_disk(1);
    struct history *h = open_history(disk, 1 << 20);
    (void)state;
    for (unsigned i = 0; i < 5; i++)
        put(h, i);
    history_close(h);
    size_t size = fs_sim_bytes(disk, DIR "/00000001").len;
    for (size_t cut = 0; cut < size; cut++) {
        struct fs_sim *torn = fs_sim_clone(disk, cut + 1);
        struct found f = {.count = 0};
        fs_sim_cut(torn, DIR "/00000001", cut);
        h = open_history(torn, 1 << 20);
        find_all(h, &f);
        size_t kept = f.count;
        assert_true(kept < 5);
        for (size_t i = 0; i < kept; i++)
            assert_int_equal(f.numbers[i], kept - 1 - i);
        for (unsigned i = (unsigned)kept; i < 8; i++)
            put(h, i);
        history_close(h);
        h = open_history(torn, 1 << 20);
        expect_range(h, 0, 7);
        history_close(h);
        fs_sim_free(torn);
    }
    fs_sim_free(disk);
}

static void test_history__loses_one_event_to_a_flipped_bit(void **state)
{
    struct fs_sim *disk = new_disk(1);
    struct history *h = open_history(disk, 1 << 20);
    (void)state;
    for (unsigned i = 0; i < 12; i++)
        put(h, i);
    history_close(h);
    uint64_t bits = 8 * fs_sim_bytes(disk, DIR "/00000001").len;
    for (uint64_t bit = 0; bit < bits; bit += 11) {
        struct fs_sim *rotten = fs_sim_clone(disk, bit + 1);
        struct found f = {.count = 0};
        fs_sim_flip(rotten, DIR "/00000001", bit);
        h = open_history(rotten, 1 << 20);
        find_all(h, &f); /* checks each */
        assert_int_equal(f.count, bit < 8 * 24 ? 0 : 11);
        history_close(h);
        fs_sim_free(rotten);
    }
    fs_sim_free(disk);
}

/* ---- Searches ---- */

static uint64_t random_state;

static unsigned draw(unsigned below)
{
    random_state = random_state * UINT64_C(6364136223846793005) + 1442695040888963407;
    return (unsigned)(random_state >> 33) % below;
}

static bool has_fingerprint(const struct history_event *e, uint64_t f)
{
    for (size_t i = 0; i < e->fingerprint_count; i++)
        if (e->fingerprints[i] == f)
            return true;
    return false;
}

/* Page through what a query finds, and compare with all events that pass. */
static void check_query(struct history *h, struct history_query q, const char *job, unsigned count)
{
    struct found f = {.count = 0};
    uint64_t next = 0;
    unsigned pages = 0;
    do {
        size_t before = f.count;
        q.before_seq = next;
        assert_int_equal(history_search(h, &q, take, &f, &next), OK);
        assert_true(f.count - before <= q.limit);
        assert_true(next == 0 || f.count - before == q.limit);
        assert_true(pages++ < FOUND_MAX);
    } while (next != 0);
    size_t at = 0;
    for (unsigned i = count; i > 0; i--) {
        struct made m;
        make(&m, i - 1);
        if (m.e.at_ms < q.start_ms || m.e.at_ms > q.end_ms ||
            (q.kinds != 0 && (q.kinds & 1U << m.e.kind) == 0) ||
            (q.has_fingerprint && !has_fingerprint(&m.e, q.fingerprint)) ||
            (job != NULL && strstr(m.text, job) == NULL))
            continue;
        assert_true(at < f.count);
        assert_int_equal(f.numbers[at++], i - 1);
    }
    assert_int_equal(at, f.count);
}

static void test_history__finds_what_brute_force_finds(void **state)
{
    struct fs_sim *disk = new_disk(1);
    struct history *h = open_history(disk, 900);
    struct arena a;
    struct alert_matchers job1;
    unsigned count = 0;
    (void)state;
    random_state = hash_random_seed();
    print_message("seed %llu\n", (unsigned long long)random_state);
    arena_init(&a, 1 << 20);
    assert_int_equal(alert_matchers_parse(STR("job=~\"j1|x\""), &a, &job1, NULL, NULL), OK);
    for (unsigned round = 0; round < 200; round++) {
        for (unsigned n = draw(4); n > 0 && count < 500; n--)
            put(h, count++);
        if (draw(8) == 0) { /* what is known of segments is learnt anew */
            history_close(h);
            h = open_history(disk, 900);
        }
        int64_t start_ms = draw(2) == 0 ? INT64_MIN : 900 + (int64_t)draw(10 * count + 100);
        struct history_query q = {
            .start_ms = start_ms,
            .end_ms = draw(2) == 0 ? INT64_MAX : 900 + (int64_t)draw(10 * count + 100),
            .kinds = draw(2) == 0 ? 0 : draw(1 << 7),
            .has_fingerprint = draw(3) == 0,
            .fingerprint = draw(16) * UINT64_C(0x9e3779b97f4a7c15),
            .limit = 1 + draw(40),
        };
        bool by_job = draw(3) == 0;
        q.matchers = &job1;
        q.matchers_count = by_job;
        check_query(h, q, by_job ? "job=j1" : NULL, count);
    }
    alert_matchers_fini(&job1);
    arena_fini(&a);
    history_close(h);
    fs_sim_free(disk);
}

/* ---- Bounds ---- */

static void test_history__keeps_a_time_and_a_size(void **state)
{
    struct fs_sim *disk = new_disk(1);
    struct history *h = open_history(disk, 600);
    struct history_stats s;
    struct found f = {.count = 0};
    (void)state;
    for (unsigned i = 0; i < 100; i++)
        put(h, i);
    assert_int_equal(history_flush(h, true), OK);
    history_gc(h, 2000);
    expect_range(h, 0, 99);
    history_close(h);
    h = open_history(disk, 600);
    history_gc(h, 1500 + INT64_C(640000000)); /* what is older than 1500 may go */
    find_all(h, &f);
    assert_in_range(f.count, 50, 70);
    assert_int_equal(f.numbers[0], 99);
    history_gc(h, 3000 + INT64_C(640000000)); /* all is too old */
    find_all(h, &f);
    assert_int_equal(f.count, 0);
    history_stats(h, &s);
    assert_int_equal(s.segments, 0);
    history_close(h);
    h = open_history(disk, 16000);
    for (unsigned i = 100; i < 10100; i++) /* more than bytes_max */
        put(h, i);
    assert_int_equal(history_flush(h, true), OK);
    history_stats(h, &s);
    assert_true(s.bytes > HISTORY_BYTES_MIN / 2);
    for (unsigned i = 10100; i < 30000; i++)
        put(h, i);
    assert_int_equal(history_flush(h, true), OK);
    history_gc(h, 2000);
    history_stats(h, &s);
    assert_in_range(s.bytes, HISTORY_BYTES_MIN - 33000, HISTORY_BYTES_MIN);
    history_close(h);
    fs_sim_free(disk);
}

/* A segment ends after a part of the retention, so that time can be let go of in parts. */
static void test_history__ends_segments_by_time(void **state)
{
    struct fs_sim *disk = new_disk(1);
    struct history *h = open_history(disk, 1 << 20);
    struct history_stats s;
    struct made m;
    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        make(&m, i);
        m.e.at_ms = 6000000 * (int64_t)i; /* a segment has 10,000,000 ms */
        history_put(h, &m.e);
    }
    assert_int_equal(history_flush(h, true), OK);
    history_stats(h, &s);
    assert_int_equal(s.segments, 2);
    history_close(h);
    fs_sim_free(disk);
}

static void test_history__waits_for_a_full_disk(void **state)
{
    struct fs_sim *disk = new_disk(1);
    struct history_stats s;
    struct made m;
    (void)state;
    fs_sim_set_capacity(disk, 400);
    struct history *h = open_history(disk, 600);
    for (unsigned i = 0; i < 20; i++)
        put(h, i);
    assert_int_equal(history_flush(h, true), ERR_NOSPACE);
    assert_int_equal(history_flush(h, true), ERR_NOSPACE);
    history_stats(h, &s);
    assert_int_equal(s.failures, 2);
    assert_true(s.waiting_bytes > 0);
    fs_sim_set_capacity(disk, 0);
    fs_sim_fail(disk, SIM_SYNC, 2, SIM_EIO, false);
    put(h, 20);
    (void)!history_flush(h, true);
    put(h, 21);
    assert_int_equal(history_flush(h, true), OK);
    expect_range(h, 0, 21);
    /* what is too large, or too much, is counted */
    char *text = calloc(1, HISTORY_EVENT_BYTES_MAX + 1);
    memset(text, 'x', HISTORY_EVENT_BYTES_MAX);
    make(&m, 22);
    m.e.texts[HISTORY_ERROR] = (str){text, HISTORY_EVENT_BYTES_MAX};
    history_put(h, &m.e);
    history_stats(h, &s);
    assert_int_equal(s.dropped, 1);
    m.e.texts[HISTORY_ERROR].len -= 1000;
    for (unsigned i = 0; i < HISTORY_WAITING_BYTES_MAX / HISTORY_EVENT_BYTES_MAX + 5; i++)
        history_put(h, &m.e);
    history_stats(h, &s);
    assert_in_range(s.dropped, 3, 6);
    free(text);
    history_close(h);
    fs_sim_free(disk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_history__keeps_events_over_restarts),
        cmocka_unit_test(test_history__survives_crashes),
        cmocka_unit_test(test_history__goes_on_behind_a_torn_tail),
        cmocka_unit_test(test_history__loses_one_event_to_a_flipped_bit),
        cmocka_unit_test(test_history__finds_what_brute_force_finds),
        cmocka_unit_test(test_history__keeps_a_time_and_a_size),
        cmocka_unit_test(test_history__ends_segments_by_time),
        cmocka_unit_test(test_history__waits_for_a_full_disk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
