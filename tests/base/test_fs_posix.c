/* test_fs_posix.c -- the contract of fs.h, for real files and for the simulated disk alike; then
 * what only real files have: links, pipes, limits, and pages that cannot be read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/log.h"
#include "support/fs_sim.h"

struct place { /* where a test works */
    struct fs *fs;
    struct fs_sim *sim;
    char dir[64];
    struct buf paths[3];
};

static struct place here;

static int on_real_files(void **state)
{
    (void)state;
    here = (struct place){.fs = fs_posix(), .dir = "/tmp/varve-test-fs-XXXXXX"};
    return mkdtemp(here.dir) != NULL ? 0 : -1;
}

static int on_simulation(void **state)
{
    (void)state;
    here = (struct place){.sim = fs_sim_new(1), .dir = "/data"};
    here.fs = fs_sim_fs(here.sim);
    return fs_mkdir(here.fs, here.dir) == OK ? 0 : -1;
}

static int leave(void **state)
{
    (void)state;
    int rc = fs_remove_tree(here.fs, here.dir) == OK ? 0 : -1;
    fs_sim_free(here.sim);
    for (unsigned i = 0; i < 3; i++)
        buf_fini(&here.paths[i]);
    return rc;
}

/* Up to three paths at a time, so that one call may name two. */
static const char *in(const char *name)
{
    static unsigned turn;
    return fs_join(&here.paths[turn++ % 3], here.dir, name);
}

static slice text(const char *s)
{
    return str_bytes(str_from(s));
}

static void write_text(const char *name, const char *s)
{
    struct fs_file *f;
    assert_int_equal(fs_open(here.fs, in(name), FS_CREATE, &f), OK);
    assert_int_equal(fs_write_at(here.fs, f, s, strlen(s), 0), OK);
    fs_close(here.fs, f);
}

static void check_text(const char *name, const char *expected)
{
    struct buf b = {0};
    assert_int_equal(fs_read_file(here.fs, in(name), 1000, &b), OK);
    assert_string_equal(buf_cstr(&b), expected);
    assert_int_equal(b.len, strlen(expected));
    buf_fini(&b);
}

static void check_names(const char *dir, const char *expected, size_t size)
{
    struct buf names = {0};
    assert_int_equal(fs_list(here.fs, dir, &names), OK);
    assert_int_equal(names.len, size);
    if (size > 0)
        assert_memory_equal(names.ptr, expected, size);
    buf_fini(&names);
}

static void test_fs__reads_and_writes_at_positions(void **state)
{
    (void)state;
    struct fs_file *f;
    char out[32] = {0};
    size_t got;
    uint64_t size;
    assert_int_equal(fs_open(here.fs, in("a"), FS_CREATE, &f), OK);
    assert_int_equal(fs_write_at(here.fs, f, "hello", 5, 3), OK);
    assert_int_equal(fs_write_at(here.fs, f, "HE", 2, 3), OK);
    assert_int_equal(fs_size(here.fs, f, &size), OK);
    assert_int_equal(size, 8);
    assert_int_equal(fs_read_at(here.fs, f, out, 32, 1, &got), OK);
    assert_int_equal(got, 7);
    assert_memory_equal(out, "\0\0HEllo", 7);
    assert_int_equal(fs_read_at(here.fs, f, out, 32, 8, &got), OK);
    assert_int_equal(got, 0);
    assert_int_equal(fs_sync(here.fs, f), OK);
    assert_int_equal(fs_truncate(here.fs, f, 4), OK);
    assert_int_equal(fs_truncate(here.fs, f, 6), OK);
    fs_close(here.fs, f);
    fs_close(here.fs, NULL);
    assert_int_equal(fs_open(here.fs, in("a"), FS_APPEND, &f), OK);
    assert_int_equal(fs_write_at(here.fs, f, "!", 1, 6), OK);
    const uint8_t *map;
    assert_int_equal(fs_map(here.fs, f, 7, &map), OK);
    assert_memory_equal(map, "\0\0\0H\0\0!", 7);
    fs_unmap(here.fs, map, 7);
    fs_unmap(here.fs, NULL, 7);
    fs_close(here.fs, f);
}

static void test_fs__opens_by_mode(void **state)
{
    (void)state;
    struct fs_file *f;
    assert_int_equal(fs_open(here.fs, in("a"), FS_READ, &f), ERR_NOTFOUND);
    assert_int_equal(fs_open(here.fs, in("a"), FS_READ_FOLLOW, &f), ERR_NOTFOUND);
    assert_int_equal(fs_open(here.fs, in("a"), FS_APPEND, &f), ERR_NOTFOUND);
    assert_int_equal(fs_open(here.fs, in("none/a"), FS_CREATE, &f), ERR_NOTFOUND);
    write_text("a", "x");
    assert_int_equal(fs_open(here.fs, in("a"), FS_CREATE, &f), ERR_IO);
    assert_int_equal(fs_open(here.fs, in("a"), FS_READ, &f), OK);
    assert_int_equal(fs_write_at(here.fs, f, "y", 1, 0), ERR_IO);
    fs_close(here.fs, f);
    assert_int_equal(fs_open(here.fs, here.dir, FS_READ, &f), ERR_INVALID);
    assert_int_equal(fs_open(here.fs, here.dir, FS_APPEND, &f), ERR_INVALID);
}

static void test_fs__directories(void **state)
{
    (void)state;
    check_names(here.dir, "", 0);
    assert_int_equal(fs_mkdir(here.fs, in("d")), OK);
    assert_int_equal(fs_mkdir(here.fs, in("d")), OK);
    assert_int_equal(fs_make_dir(here.fs, in("e")), OK);
    assert_int_equal(fs_mkdir(here.fs, in("none/d")), ERR_NOTFOUND);
    write_text("c", "c");
    assert_int_equal(fs_mkdir(here.fs, in("c")), ERR_IO);
    write_text("B", "b");
    check_names(here.dir, "B\0c\0d\0e", 8);
    assert_int_equal(fs_rename(here.fs, in("B"), in("d/b")), OK);
    assert_int_equal(fs_rename(here.fs, in("B"), in("d/b")), ERR_NOTFOUND);
    assert_int_equal(fs_rename(here.fs, in("c"), in("d/b")), OK); /* replaced */
    check_text("d/b", "c");
    assert_int_equal(fs_link(here.fs, in("d/b"), in("l")), OK);
    assert_int_equal(fs_link(here.fs, in("d/b"), in("l")), ERR_IO);
    assert_int_equal(fs_rmdir(here.fs, in("d")), ERR_IO);
    assert_int_equal(fs_unlink(here.fs, in("d")), ERR_INVALID);
    assert_int_equal(fs_unlink(here.fs, in("d/b")), OK);
    assert_int_equal(fs_unlink(here.fs, in("d/b")), ERR_NOTFOUND);
    check_text("l", "c");
    assert_int_equal(fs_sync_dir(here.fs, here.dir), OK);
    assert_int_equal(fs_sync_dir(here.fs, in("none")), ERR_NOTFOUND);
    assert_int_equal(fs_rename(here.fs, in("d"), in("f")), OK);
    assert_int_equal(fs_rmdir(here.fs, in("f")), OK);
    struct buf names = {0};
    assert_int_equal(fs_list(here.fs, in("f"), &names), ERR_NOTFOUND);
    buf_fini(&names);
    struct fs_usage usage;
    assert_int_equal(fs_usage(here.fs, here.dir, &usage), OK);
    assert_true(usage.total_bytes > 0 && usage.free_bytes <= usage.total_bytes);
}

static void test_fs__read_file_is_bounded(void **state)
{
    (void)state;
    struct buf b = {0};
    write_text("a", "12345");
    buf_put_u8(&b, '0');
    assert_int_equal(fs_read_file(here.fs, in("a"), 5, &b), OK); /* appended */
    assert_string_equal(buf_cstr(&b), "012345");
    assert_int_equal(fs_read_file(here.fs, in("a"), 4, &b), ERR_LIMIT);
    assert_int_equal(fs_read_file(here.fs, in("b"), 4, &b), ERR_NOTFOUND);
    assert_int_equal(b.len, 6);
    buf_fini(&b);
}

static void test_fs__write_file_replaces(void **state)
{
    (void)state;
    assert_int_equal(fs_write_file(here.fs, in("a"), text("one")), OK);
    write_text("a.tmp", "left by a crash");
    assert_int_equal(fs_write_file(here.fs, in("a"), text("")), OK);
    check_text("a", "");
    assert_int_equal(fs_write_file(here.fs, in("a"), text("three")), OK);
    check_text("a", "three");
    check_names(here.dir, "a", 2);
    assert_int_equal(fs_write_file(here.fs, in("none/a"), text("x")), ERR_NOTFOUND);
}

static void test_fs__paths(void **state)
{
    (void)state;
    struct buf b = {0};
    assert_string_equal(fs_join(&b, "a", "b"), "a/b");
    assert_string_equal(fs_join(&b, "/", "b"), "/b");
    assert_string_equal(fs_join(&b, "", "b"), "b");
    assert_string_equal(fs_parent(&b, "/a/b"), "/a");
    assert_string_equal(fs_parent(&b, "/a"), "/");
    assert_string_equal(fs_parent(&b, "a"), ".");
    buf_fini(&b);
}

static void test_fs__remove_tree(void **state)
{
    (void)state;
    assert_int_equal(fs_mkdir(here.fs, in("t")), OK);
    assert_int_equal(fs_mkdir(here.fs, in("t/u")), OK);
    assert_int_equal(fs_mkdir(here.fs, in("t/u/v")), OK);
    write_text("t/a", "a");
    write_text("t/u/b", "b");
    assert_int_equal(fs_remove_tree(here.fs, in("t")), OK);
    assert_int_equal(fs_remove_tree(here.fs, in("t")), ERR_NOTFOUND);
    write_text("f", "f");
    assert_int_equal(fs_remove_tree(here.fs, in("f")), OK);
    check_names(here.dir, "", 0);
}

/* Real files only. */

static void test_fs_posix__links_are_not_followed(void **state)
{
    (void)state;
    struct fs_file *f;
    assert_int_equal(fs_mkdir(here.fs, in("outside")), OK);
    write_text("outside/a", "precious");
    assert_int_equal(fs_mkdir(here.fs, in("t")), OK);
    assert_int_equal(symlink(in("outside"), in("t/dir")), 0);
    assert_int_equal(symlink(in("outside/a"), in("t/file")), 0);
    assert_int_equal(fs_open(here.fs, in("t/file"), FS_READ, &f), ERR_INVALID);
    assert_int_equal(fs_open(here.fs, in("t/file"), FS_APPEND, &f), ERR_INVALID);
    check_text("t/file", "precious"); /* fs_read_file() follows */
    assert_int_equal(fs_remove_tree(here.fs, in("t")), OK);
    check_text("outside/a", "precious");
}

static void test_fs_posix__pipes_do_not_block(void **state)
{
    (void)state;
    struct fs_file *f;
    assert_int_equal(mkfifo(in("p"), 0600), 0);
    assert_int_equal(fs_open(here.fs, in("p"), FS_READ, &f), ERR_INVALID);
    assert_int_equal(fs_open(here.fs, in("p"), FS_READ_FOLLOW, &f), ERR_INVALID);
    assert_int_equal(fs_open(here.fs, in("p"), FS_APPEND, &f), ERR_INVALID);
}

/* The system takes a part of the write only; the rest fails. */
static void test_fs_posix__short_write_is_an_error(void **state)
{
    (void)state;
    struct rlimit old, limit;
    struct fs_file *f;
    static const char bytes[10000];
    uint64_t size;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    assert_true(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
    limit = (struct rlimit){6000, old.rlim_max};
    assert_int_equal(fs_open(here.fs, in("a"), FS_CREATE, &f), OK);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    assert_int_equal(fs_write_at(here.fs, f, bytes, sizeof(bytes), 0), ERR_IO);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    assert_int_equal(fs_size(here.fs, f, &size), OK);
    assert_int_equal(size, 6000);
    fs_close(here.fs, f);
}

static void test_fs_posix__descriptors_do_not_leak_to_programs(void **state)
{
    (void)state;
    struct fs_file *f;
    assert_int_equal(fs_open(here.fs, in("a"), FS_CREATE, &f), OK);
    struct buf command = {0};
    buf_printf(&command, "ls -l /proc/self/fd | grep -q %s", here.dir);
    pid_t child = fork();
    if (child == 0) {
        (void)execl("/bin/sh", "sh", "-c", buf_cstr(&command), (char *)NULL);
        _exit(99);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 1);
    buf_fini(&command);
    fs_close(here.fs, f);
}

/* Pages that cannot be read. */

struct mapped {
    const volatile uint8_t *bytes;
    unsigned depth;
    err inner;
};

static err touch(void *arg)
{
    struct mapped *m = arg;
    if (m->depth > 0) {
        m->depth--;
        m->inner = fs_guard(touch, m);
        return ERR_BUSY;
    }
    return m->bytes[4096] == 0 ? OK : ERR_CORRUPT;
}

static void test_fs_guard__unreadable_page_is_an_error(void **state)
{
    (void)state;
    struct fs_file *f;
    const uint8_t *map;
    assert_int_equal(fs_open(here.fs, in("a"), FS_CREATE, &f), OK);
    assert_int_equal(fs_truncate(here.fs, f, 8192), OK);
    assert_int_equal(fs_map(here.fs, f, 8192, &map), OK);
    struct mapped m = {.bytes = map};
    assert_int_equal(fs_guard(touch, &m), OK);
    assert_int_equal(fs_truncate(here.fs, f, 100), OK);
    for (unsigned i = 0; i < 100; i++) {
        m = (struct mapped){.bytes = map};
        assert_int_equal(fs_guard(touch, &m), ERR_IO);
    }
    m = (struct mapped){.bytes = map, .depth = 1}; /* the inner guard catches, the outer goes on */
    assert_int_equal(fs_guard(touch, &m), ERR_BUSY);
    assert_int_equal(m.inner, ERR_IO);
    assert_int_equal(fs_truncate(here.fs, f, 8192), OK);
    m = (struct mapped){.bytes = map};
    assert_int_equal(fs_guard(touch, &m), OK);
    fs_unmap(here.fs, map, 8192);
    fs_close(here.fs, f);
}

static err nothing(void *arg)
{
    (void)arg;
    return OK;
}

static err raise_it(void *arg)
{
    (void)arg;
    (void)raise(SIGBUS); /* as kill(2) would: no fault of a mapped page */
    return OK;
}

static int how_child_dies(err (*read)(void *arg))
{
    pid_t child = fork();
    if (child == 0) {
        struct rlimit none = {0, 0};
        (void)setrlimit(RLIMIT_CORE, &none);
        (void)signal(SIGBUS, SIG_DFL); /* not the sanitizer's */
        (void)!freopen("/dev/null", "w", stderr);
        (void)!fs_guard(nothing, NULL);
        (void)!fs_guard(read, NULL);
        (void)raise(SIGBUS);
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void test_fs_guard__other_bus_errors_kill(void **state)
{
    (void)state;
    assert_int_equal(how_child_dies(nothing), SIGBUS); /* outside of any guard */
    assert_int_equal(how_child_dies(raise_it), SIGBUS);
}

#define BOTH(f)                                                                                    \
    cmocka_unit_test_setup_teardown(f, on_real_files, leave),                                      \
        cmocka_unit_test_setup_teardown(f, on_simulation, leave)
#define REAL(f) cmocka_unit_test_setup_teardown(f, on_real_files, leave)

int main(void)
{
    log_configure((enum log_level)(LOG_ERROR + 1), LOG_LOGFMT);
    const struct CMUnitTest tests[] = {
        REAL(test_fs_guard__other_bus_errors_kill), /* before the handler is installed here */
        BOTH(test_fs__reads_and_writes_at_positions),
        BOTH(test_fs__opens_by_mode),
        BOTH(test_fs__directories),
        BOTH(test_fs__read_file_is_bounded),
        BOTH(test_fs__write_file_replaces),
        BOTH(test_fs__paths),
        BOTH(test_fs__remove_tree),
        REAL(test_fs_posix__links_are_not_followed),
        REAL(test_fs_posix__pipes_do_not_block),
        REAL(test_fs_posix__short_write_is_an_error),
        REAL(test_fs_posix__descriptors_do_not_leak_to_programs),
        REAL(test_fs_guard__unreadable_page_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
