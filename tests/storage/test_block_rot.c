#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "storage/block_dir.h"
#include "storage/block_verify.h"
#include "support/block_model.h"
#include "support/fs_sim.h"

#ifdef VARVE_SANITIZED
enum { FLIPS = 300 };
#else
enum { FLIPS = 4000 };
#endif

static const char DIR_SIM[] = "/blocks";
static const char *const FILES[] = {"chunks", "index.mdb", "meta.json", "sums", "tombstones"};

struct fixture {
    struct fs_sim *sim; /* NULL: a real disk */
    struct fs *fs;
    char dir[64];
    struct model_rng rng;
    struct model model;
    ulid ulid;
    char path[128];
};

static void setup(struct fixture *f, bool real, uint64_t seed)
{
    *f = (struct fixture){.rng = {seed}};
    print_message("SEED=%llu\n", (unsigned long long)seed);
    if (real) {
        (void)snprintf(f->dir, sizeof(f->dir), "/tmp/test_block_rot.XXXXXX");
        assert_non_null(mkdtemp(f->dir));
        f->fs = fs_posix();
    } else {
        f->sim = fs_sim_new(seed);
        f->fs = fs_sim_fs(f->sim);
        (void)snprintf(f->dir, sizeof(f->dir), "%s", DIR_SIM);
        assert_int_equal(fs_mkdir(f->fs, f->dir), OK);
    }
    model_init(&f->model);
    model_fill(
        &f->model, &f->rng,
        &(struct model_options){
            .series = 80, .samples_max = 40, .step_ms = 100, .histograms = true, .starts = true});
    f->ulid = ulid_new();
    struct diag d = {0};
    assert_int_equal(model_write(&f->model, f->fs, f->dir, f->ulid, NULL, &d), OK);
    (void)snprintf(f->path, sizeof(f->path), "%s", model_path(f->dir, f->ulid));
}

static void teardown(struct fixture *f)
{
    model_fini(&f->model);
    if (f->sim == NULL)
        assert_int_equal(fs_remove_tree(f->fs, f->dir), OK);
    fs_sim_free(f->sim);
}

/* Open and read everything: OK only with the right answer. */
static err read_all(struct fixture *f)
{
    struct block *b;
    struct diag d = {0};
    err e = block_open(f->fs, f->path, &b, &d);
    if (e != OK) {
        char name[ULID_TEXT_SIZE];
        ulid_format(f->ulid, name);
        assert_non_null(strstr(d.text, name));
        return e;
    }
    e = model_check_or_error(&f->model, b);
    assert_int_equal(block_is_damaged(b), e == ERR_CORRUPT);
    block_close(b);
    return e;
}

static const char *file_of(const struct fixture *f, const char *name)
{
    static char path[256];
    (void)snprintf(path, sizeof(path), "%s/%s", f->path, name);
    return path;
}

static void ignore_finding(void *arg, const char *text)
{
    (void)text;
    ++*(unsigned *)arg;
}

static void test_rot__every_flipped_bit_is_an_error(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f, false, (uint64_t)time(NULL));
    for (size_t k = 0; k < COUNT_OF(FILES); k++) {
        const char *path = file_of(&f, FILES[k]);
        uint64_t bits = fs_sim_bytes(f.sim, path).len * 8;
        for (int i = 0; i < FLIPS; i++) {
            uint64_t bit = model_below(&f.rng, bits);
            fs_sim_flip(f.sim, path, bit);
            err e = read_all(&f);
            if (e != ERR_CORRUPT && e != ERR_UNSUPPORTED)
                fail_msg("%s bit %llu: %s", FILES[k], (unsigned long long)bit, err_name(e));
            if (i % 20 == 0) {
                unsigned findings = 0;
                assert_int_equal(block_verify(f.fs, f.path, ignore_finding, &findings),
                                 ERR_CORRUPT);
                assert_true(findings > 0);
            }
            fs_sim_flip(f.sim, path, bit);
        }
    }
    assert_int_equal(read_all(&f), OK);
    model_verify(f.fs, f.path);
    teardown(&f);
}

static void test_rot__truncated_and_missing_files_are_errors(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f, false, (uint64_t)time(NULL));
    for (size_t k = 0; k < COUNT_OF(FILES); k++) {
        const char *path = file_of(&f, FILES[k]);
        slice whole = fs_sim_bytes(f.sim, path);
        struct buf copy = {0};
        buf_put(&copy, whole.ptr, whole.len);
        for (int i = 0; i < 40; i++) {
            size_t size = i < 4    ? (size_t)i
                          : i == 4 ? copy.len - 1
                                   : (size_t)model_below(&f.rng, copy.len);
            fs_sim_put(f.sim, path, (slice){copy.ptr, size});
            assert_int_equal(read_all(&f), ERR_CORRUPT);
        }
        buf_put_u8(&copy, 0);
        fs_sim_put(f.sim, path, buf_slice(&copy)); /* longer by a byte */
        assert_int_equal(read_all(&f), ERR_CORRUPT);
        assert_int_equal(fs_unlink(f.fs, path), OK);
        assert_int_equal(read_all(&f), ERR_NOTFOUND);
        fs_sim_put(f.sim, path, (slice){copy.ptr, copy.len - 1});
        buf_fini(&copy);
        assert_int_equal(read_all(&f), OK);
    }
    teardown(&f);
}

static void test_rot__swapped_ranges_are_errors(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f, false, (uint64_t)time(NULL));
    for (size_t k = 0; k < COUNT_OF(FILES); k++) {
        const char *path = file_of(&f, FILES[k]);
        slice whole = fs_sim_bytes(f.sim, path);
        struct buf copy = {0};
        buf_put(&copy, whole.ptr, whole.len);
        for (int i = 0; i < 60; i++) {
            size_t unit = i % 3 == 0 ? 4096 : i % 3 == 1 ? 64 : 8;
            if (2 * unit > copy.len)
                continue;
            size_t a = (size_t)model_below(&f.rng, copy.len / unit) * unit;
            size_t b = (size_t)model_below(&f.rng, copy.len / unit) * unit;
            if (memcmp(copy.ptr + a, copy.ptr + b, unit) == 0)
                continue;
            struct buf swapped = {0};
            buf_put(&swapped, copy.ptr, copy.len);
            memcpy(swapped.ptr + a, copy.ptr + b, unit);
            memcpy(swapped.ptr + b, copy.ptr + a, unit);
            fs_sim_put(f.sim, path, buf_slice(&swapped));
            buf_fini(&swapped);
            assert_int_equal(read_all(&f), ERR_CORRUPT);
        }
        fs_sim_put(f.sim, path, buf_slice(&copy));
        buf_fini(&copy);
    }
    assert_int_equal(read_all(&f), OK);
    teardown(&f);
}

static void test_rot__files_of_another_block_are_errors(void **state)
{
    (void)state;
    struct fixture f;
    struct diag d = {0};
    setup(&f, false, 77);
    ulid twin = ulid_new();
    assert_int_equal(model_write(&f.model, f.fs, f.dir, twin, NULL, &d), OK); /* the same content */
    char twin_path[128];
    (void)snprintf(twin_path, sizeof(twin_path), "%s", model_path(f.dir, twin));
    for (size_t k = 0; k < COUNT_OF(FILES); k++) {
        const char *path = file_of(&f, FILES[k]);
        struct buf mine = {0}, other = {0}, from = {0};
        buf_put(&mine, fs_sim_bytes(f.sim, path).ptr, fs_sim_bytes(f.sim, path).len);
        slice theirs = fs_sim_bytes(f.sim, fs_join(&from, twin_path, FILES[k]));
        buf_put(&other, theirs.ptr, theirs.len);
        fs_sim_put(f.sim, path, buf_slice(&other));
        assert_int_equal(read_all(&f), ERR_CORRUPT);
        fs_sim_put(f.sim, path, buf_slice(&mine));
        buf_fini(&mine);
        buf_fini(&other);
        buf_fini(&from);
    }
    assert_int_equal(read_all(&f), OK);
    teardown(&f);
}

static void write_byte(const char *path, size_t pos, uint8_t flip)
{
    int fd = open(path, O_RDWR | O_CLOEXEC);
    uint8_t byte;
    assert_true(fd >= 0);
    assert_int_equal(pread(fd, &byte, 1, (off_t)pos), 1);
    byte ^= flip;
    assert_int_equal(pwrite(fd, &byte, 1, (off_t)pos), 1);
    (void)close(fd);
}

static uint64_t size_of(struct fs *fs, const char *path)
{
    struct fs_file *file;
    uint64_t size;
    assert_int_equal(fs_open(fs, path, FS_READ, &file), OK);
    assert_int_equal(fs_size(fs, file, &size), OK);
    fs_close(fs, file);
    return size;
}

/* The mapped files change under an open block: errors or right answers, no signal. */
static void test_rot__after_opening(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f, true, (uint64_t)time(NULL));
    unsigned errors = 0;
    for (int k = 0; k < 2; k++) {
        const char *path = file_of(&f, FILES[k]);
        uint64_t size = size_of(f.fs, path);
        for (int i = 0; i < FLIPS; i++) {
            struct block *b;
            struct diag d = {0};
            size_t pos = (size_t)model_below(&f.rng, size);
            uint8_t flip = (uint8_t)(1u << model_below(&f.rng, 8));
            assert_int_equal(block_open(f.fs, f.path, &b, &d), OK);
            write_byte(path, pos, flip);
            err e = model_check_or_error(&f.model, b);
            assert_true(e == OK || e == ERR_CORRUPT);
            errors += e != OK;
            struct block_scrub *s = block_scrub_open(b);
            uint64_t bytes;
            bool done = false;
            struct diag why = {0};
            assert_int_equal(block_scrub_step(s, UINT64_MAX, &bytes, &done, &why), ERR_CORRUPT);
            assert_non_null(strstr(why.text, FILES[k]));
            block_scrub_close(s);
            block_close(b);
            write_byte(path, pos, flip);
        }
    }
    assert_true(errors > FLIPS); /* all in chunks, most in the index */
    assert_int_equal(read_all(&f), OK);
    teardown(&f);
}

/* The handler of fs_guard(): cmocka puts its own in the way for each test. */
static struct sigaction guard_action;

static err nothing(void *arg)
{
    (void)arg;
    return OK;
}

static void test_rot__truncated_after_opening_is_no_signal(void **state)
{
    (void)state;
    struct sigaction cmockas;
    assert_int_equal(sigaction(SIGBUS, &guard_action, &cmockas), 0);
    for (int k = 0; k < 2; k++) {
        struct fixture f;
        struct block *b;
        struct diag d = {0};
        setup(&f, true, 5);
        assert_int_equal(block_open(f.fs, f.path, &b, &d), OK);
        assert_int_equal(truncate(file_of(&f, FILES[k]), 0), 0);
        assert_int_equal(model_check_or_error(&f.model, b), ERR_IO);
        block_close(b);
        teardown(&f);
    }
    assert_int_equal(sigaction(SIGBUS, &cmockas, NULL), 0);
}

static void test_rot__removed_while_open_is_still_readable(void **state)
{
    (void)state;
    struct fixture f;
    struct block *b;
    struct diag d = {0};
    setup(&f, true, 6);
    assert_int_equal(block_open(f.fs, f.path, &b, &d), OK);
    assert_int_equal(block_dir_remove(f.fs, f.dir, f.ulid), OK);
    model_check(&f.model, b);
    block_close(b);
    teardown(&f);
}

/* ---- meta.json and the directory ---- */

static void test_rot__bad_meta_is_listed_and_never_deleted(void **state)
{
    (void)state;
    static const char *const TEXTS[] = {
        "",
        "{",
        "null",
        "{}",
        "[1,2]",
        "not json",
        "{\"version\": 1}",
        "{\"varve\": {\"format\": 99, \"checksum\": \"0000000000000000\"}}",
        "{\"minTime\": 99999999999999999999999999, \"checksum\": \"0000000000000000\"}",
    };
    struct fixture f;
    setup(&f, false, 8);
    const char *path = file_of(&f, "meta.json");
    struct buf good = {0};
    buf_put(&good, fs_sim_bytes(f.sim, path).ptr, fs_sim_bytes(f.sim, path).len);
    for (size_t i = 0; i < COUNT_OF(TEXTS); i++) {
        struct block_list l;
        fs_sim_put(f.sim, path, str_bytes(str_from(TEXTS[i])));
        assert_int_equal(read_all(&f), ERR_CORRUPT);
        assert_int_equal(block_dir_scan(f.fs, f.dir, &l), OK);
        assert_int_equal(l.count, 1);
        assert_int_equal(l.items[0].status, ERR_CORRUPT);
        assert_true(ulid_eq(l.items[0].ulid, f.ulid));
        assert_non_null(strstr(l.items[0].diag.text, "meta.json"));
        block_list_fini(&l);
    }
    fs_sim_put(f.sim, path, buf_slice(&good));
    assert_int_equal(read_all(&f), OK);
    /* The directory under another block's name. */
    char other[128];
    (void)snprintf(other, sizeof(other), "%s", model_path(f.dir, ulid_new()));
    assert_int_equal(fs_rename(f.fs, f.path, other), OK);
    struct block *b;
    struct diag d = {0};
    struct block_list l;
    assert_int_equal(block_open(f.fs, other, &b, &d), ERR_CORRUPT);
    assert_int_equal(block_dir_scan(f.fs, f.dir, &l), OK);
    assert_int_equal(l.count, 1);
    assert_int_equal(l.items[0].status, ERR_CORRUPT);
    block_list_fini(&l);
    buf_fini(&good);
    teardown(&f);
}

static void test_rot__scan_leaves_unknown_names_alone(void **state)
{
    (void)state;
    struct fixture f;
    struct block_list l;
    struct buf names = {0};
    setup(&f, false, 9);
    assert_int_equal(fs_mkdir(f.fs, "/blocks/tmp-garbage"), OK);
    assert_int_equal(fs_mkdir(f.fs, "/blocks/del-01M83MHWZZSN9M7RP7KF168JSA"), OK);
    assert_int_equal(fs_mkdir(f.fs, "/blocks/lost+found"), OK);
    fs_sim_put(f.sim, "/blocks/note.txt", str_bytes(STR("hello")));
    fs_sim_put_special(f.sim, "/blocks/pipe");
    assert_int_equal(block_dir_scan(f.fs, f.dir, &l), OK);
    assert_int_equal(l.count, 1);
    assert_int_equal(l.items[0].status, OK);
    assert_int_equal(l.items[0].meta.series, f.model.count);
    block_list_fini(&l);
    assert_int_equal(fs_list(f.fs, f.dir, &names), OK);
    struct buf want = {0};
    buf_put(&want, strrchr(f.path, '/') + 1, ULID_TEXT_SIZE);
    buf_put(&want, "lost+found\0note.txt\0pipe", 25);
    assert_int_equal(names.len, want.len);
    assert_memory_equal(names.ptr, want.ptr, want.len);
    buf_fini(&want);
    buf_fini(&names);
    teardown(&f);
}

static void test_rot__quarantine_keeps_everything(void **state)
{
    (void)state;
    struct fixture f;
    struct diag d = {0};
    setup(&f, false, 10);
    fs_sim_flip(f.sim, file_of(&f, "index.mdb"), 12345);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(block_dir_quarantine(f.fs, f.dir, "/quarantine", f.ulid), OK);
        assert_int_equal(model_write(&f.model, f.fs, f.dir, f.ulid, NULL, &d), OK);
    }
    struct buf names = {0};
    assert_int_equal(fs_list(f.fs, "/quarantine", &names), OK);
    assert_int_equal(names.len, 27 + 29 + 29);
    for (size_t at = 0; at < names.len; at += strlen((char *)names.ptr + at) + 1) {
        struct buf path = {0}, files = {0};
        assert_int_equal(
            fs_list(f.fs, fs_join(&path, "/quarantine", (char *)names.ptr + at), &files), OK);
        assert_int_equal(files.len, sizeof("chunks\0index.mdb\0meta.json\0sums\0tombstones"));
        buf_fini(&path);
        buf_fini(&files);
    }
    buf_fini(&names);
    assert_int_equal(read_all(&f), OK);
    teardown(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rot__every_flipped_bit_is_an_error),
        cmocka_unit_test(test_rot__truncated_and_missing_files_are_errors),
        cmocka_unit_test(test_rot__swapped_ranges_are_errors),
        cmocka_unit_test(test_rot__files_of_another_block_are_errors),
        cmocka_unit_test(test_rot__after_opening),
        cmocka_unit_test(test_rot__truncated_after_opening_is_no_signal),
        cmocka_unit_test(test_rot__removed_while_open_is_still_readable),
        cmocka_unit_test(test_rot__bad_meta_is_listed_and_never_deleted),
        cmocka_unit_test(test_rot__scan_leaves_unknown_names_alone),
        cmocka_unit_test(test_rot__quarantine_keeps_everything),
    };
    if (fs_guard(nothing, NULL) != OK || sigaction(SIGBUS, NULL, &guard_action) != 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
