/* Rot on a whole data directory: bits flip, files are cut off, vanish or change places. The store
 * starts, what it shows is right, what is missing it tells, and the rest stays.
 * Usage: [seed [places]]. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <inttypes.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "storage/db_priv.h"
#include "storage/tsdb_tool.h"
#include "support/db_model.h"
#include "support/fs_sim.h"

static uint64_t seed = 1, places = 40;

static struct db *open_db(struct fs_sim *sim)
{
    struct db_options o = db_options_default();
    struct diag d = {0};
    struct db *db;
    o.fs = fs_sim_fs(sim);
    o.path = "/data";
    o.no_background = true;
    if (db_open(&o, &db, &d) != OK)
        fail_msg("%s", d.text);
    return db;
}

/* A store with some blocks and a log; no time of a series is written twice. */
static struct fs_sim *make_store(struct db_model *m)
{
    struct fs_sim *sim = fs_sim_new(seed);
    struct db *db = open_db(sim);
    struct model_batch b;
    m->no_refusals = true;
    for (int i = 0; i < 24; i++) {
        db_model_make_batch(m, &b);
        assert_int_equal(db_model_commit(m, db, &b, false), OK);
        if (i % 7 == 6)
            assert_int_equal(db_cut(db), OK);
    }
    db_model_check_all(m, db);
    db_abandon(db);
    return sim;
}

struct files {
    struct buf names; /* NUL-terminated paths */
    size_t count;
};

static void add_files(struct fs *fs, const char *dir, struct files *f)
{
    struct buf names = {0}, path = {0}, inner = {0};
    assert_int_equal(fs_list(fs, dir, &names), OK);
    for (const char *n = NULL; (n = fs_list_next(&names, n)) != NULL;) {
        const char *text = fs_join(&path, dir, n);
        if (fs_list(fs, text, &inner) == OK) {
            add_files(fs, text, f);
        } else {
            buf_put(&f->names, text, strlen(text) + 1);
            f->count++;
        }
    }
    buf_fini(&names);
    buf_fini(&path);
    buf_fini(&inner);
}

static const char *file_at(const struct files *f, size_t i)
{
    const char *n = fs_list_next(&f->names, NULL);
    while (i-- > 0)
        n = fs_list_next(&f->names, n);
    return n;
}

static err verify(struct fs_sim *sim)
{
    FILE *null = fopen("/dev/null", "w");
    assert_non_null(null);
    err e = tsdb_verify(fs_sim_fs(sim), "/data", null, NULL);
    fclose(null);
    return e;
}

/* Open the damaged store, twice (the first start sets damaged parts aside). */
static void check_damaged(struct db_model *m, struct fs_sim *sim, const char *what)
{
    bool found = verify(sim) != OK;
    for (int i = 0; i < 2; i++) {
        struct db *db = open_db(sim);
        size_t missing = db_model_check_damaged(m, db);
        if (missing > 0 && !found)
            fail_msg("seed %" PRIu64 ": %s: verify found nothing", seed, what);
        if (i == 0)
            db_abandon(db);
        else
            db_close(db);
    }
}

struct rot {
    struct db_model *m;
    struct fs_sim *sim;
    struct files files;
};

static int set_up(void **state)
{
    static struct rot r;
    r = (struct rot){.m = db_model_new(seed)};
    r.sim = make_store(r.m);
    add_files(fs_sim_fs(r.sim), "/data", &r.files);
    *state = &r;
    return 0;
}

static int tear_down(void **state)
{
    struct rot *r = *state;
    buf_fini(&r->files.names);
    fs_sim_free(r->sim);
    db_model_free(r->m);
    return 0;
}

static void test_db_rot__flipped_bits(void **state)
{
    struct rot *r = *state;
    for (uint64_t i = 0; i < places; i++) {
        struct fs_sim *sim = fs_sim_clone(r->sim, i);
        const char *path = file_at(&r->files, i % r->files.count);
        size_t size = fs_sim_bytes(sim, path).len;
        if (size > 0) {
            fs_sim_flip(sim, path, db_model_random(r->m, size * 8));
            check_damaged(r->m, sim, path);
        }
        fs_sim_free(sim);
    }
}

static void test_db_rot__cut_and_missing_files(void **state)
{
    struct rot *r = *state;
    for (size_t i = seed % 2; i<r->files.count * 2; i += places> 100 ? 1 : 3) {
        struct fs_sim *sim = fs_sim_clone(r->sim, i);
        const char *path = file_at(&r->files, i / 2);
        size_t size = fs_sim_bytes(sim, path).len;
        bool log = str_starts(str_from(path), STR("/data/wal/"));
        /* A log whose end or segment is gone cannot be told from a shorter one. */
        if (i % 2 == 0)
            fs_sim_cut(sim, path, log ? size : db_model_random(r->m, size + 1));
        else if (!log)
            assert_int_equal(fs_unlink(fs_sim_fs(sim), path), OK);
        check_damaged(r->m, sim, path);
        fs_sim_free(sim);
    }
}

/* Every file takes the contents of the same file of another block. */
static void test_db_rot__misdirected_files(void **state)
{
    struct rot *r = *state;
    for (size_t i = 0; i < r->files.count; i++) {
        for (size_t k = i % 5; k < r->files.count;
             k += 1 + r->files.count / (places > 100 ? 6 : 1)) {
            struct fs_sim *sim = fs_sim_clone(r->sim, i);
            const char *to = file_at(&r->files, i), *from = file_at(&r->files, k);
            struct buf copy = {0};
            slice bytes = fs_sim_bytes(sim, from);
            buf_put(&copy, bytes.ptr, bytes.len);
            if (i != k && !str_starts(str_from(to), STR("/data/wal/"))) {
                fs_sim_put(sim, to, buf_slice(&copy));
                check_damaged(r->m, sim, to);
            }
            buf_fini(&copy);
            fs_sim_free(sim);
        }
    }
}

/* What people and other programs leave about is not touched and does no harm. */
static void test_db_rot__foreign_entries(void **state)
{
    struct rot *r = *state;
    struct fs_sim *sim = fs_sim_clone(r->sim, 5);
    struct fs *fs = fs_sim_fs(sim);
    slice text = str_bytes(STR("not ours"));
    fs_sim_put(sim, "/data/notes.txt", text);
    fs_sim_put(sim, "/data/blocks/README", text);
    fs_sim_put(sim, "/data/wal/readme", text);
    fs_sim_put_special(sim, "/data/blocks/01ARZ3NDEKTSV4RRFFQ69G5FAV");
    fs_sim_put_special(sim, "/data/wal/pipe");
    assert_int_equal(fs_mkdir(fs, "/data/blocks/lost+found"), OK);
    struct db *db = open_db(sim);
    assert_int_equal(db_model_check_damaged(r->m, db), 0);
    db_close(db);
    assert_int_equal(fs_sim_bytes(sim, "/data/notes.txt").len, text.len);
    assert_int_equal(fs_sim_bytes(sim, "/data/blocks/README").len, text.len);
    assert_int_equal(fs_sim_bytes(sim, "/data/wal/readme").len, text.len);
    fs_sim_free(sim);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(int argc, char **argv)
{
    if (argc > 1)
        seed = strtoull(argv[1], NULL, 10);
    if (argc > 2)
        places = strtoull(argv[2], NULL, 10);
    db_tuning = (struct db_tuning){16 << 10, 256 << 10, 64 << 10};
    log_configure(LOG_ERROR + 1, LOG_LOGFMT);
    const struct CMUnitTest tests[] = {
        TEST(test_db_rot__flipped_bits),
        TEST(test_db_rot__cut_and_missing_files),
        TEST(test_db_rot__misdirected_files),
        TEST(test_db_rot__foreign_entries),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
