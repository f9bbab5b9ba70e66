/* test_machine.c -- limits of memory as the kernel's files tell them, in folders made to look so.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/fs.h"
#include "base/machine.h"

static char root[] = "/tmp/varve-machine-XXXXXX";

static int make_root(void **state)
{
    (void)state;
    (void)memcpy(root + sizeof(root) - 7, "XXXXXX", 6);
    return mkdtemp(root) != NULL ? 0 : -1;
}

static int remove_root(void **state)
{
    (void)state;
    return fs_remove_tree(fs_posix(), root) == OK ? 0 : -1;
}

static void put(const char *path, const char *text)
{
    char full[512];
    (void)snprintf(full, sizeof(full), "%s%s", root, path);
    for (char *p = full + strlen(root) + 1; (p = strchr(p, '/')) != NULL; p++) {
        *p = '\0';
        assert_int_equal(fs_mkdir(fs_posix(), full), OK);
        *p = '/';
    }
    FILE *f = fopen(full, "we");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

static void check_limit(uint64_t want, bool want_group)
{
    bool of_group;
    assert_int_equal(machine_memory_limit(root, &of_group), want);
    assert_int_equal(of_group, want_group);
}

static void test_memory__machine_alone(void **state)
{
    (void)state;
    check_limit(0, false);
    put("/proc/meminfo", "MemTotal:        8000000 kB\nMemFree:          100 kB\n");
    check_limit(8192000000, false);
    put("/proc/self/cgroup", "0::/system.slice/varve.service\n");
    put("/sys/fs/cgroup/system.slice/varve.service/memory.max", "max\n");
    check_limit(8192000000, false);
}

static void test_memory__version_2(void **state)
{
    (void)state;
    put("/proc/meminfo", "MemTotal:        8000000 kB\n");
    put("/proc/self/cgroup", "0::/system.slice/varve.service\n");
    put("/sys/fs/cgroup/system.slice/varve.service/memory.max", "536870912\n");
    check_limit(536870912, true);
    put("/sys/fs/cgroup/system.slice/memory.max", "268435456\n"); /* the group above is tighter */
    check_limit(268435456, true);
    put("/sys/fs/cgroup/memory.max", "134217728\n"); /* what a container sees as the root */
    check_limit(134217728, true);
}

static void test_memory__version_1(void **state)
{
    (void)state;
    put("/proc/meminfo", "MemTotal:        8000000 kB\n");
    put("/proc/self/cgroup",
        "12:pids:/docker/abc\n7:memory:/docker/abc\n3:cpu,cpuacct:/docker/abc\n");
    put("/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
    check_limit(8192000000, false);
    put("/sys/fs/cgroup/memory/docker/abc/memory.limit_in_bytes", "1073741824\n");
    check_limit(1073741824, true);
}

static void test_memory__of_this_process(void **state)
{
    (void)state;
    bool of_group;
    uint64_t resident = machine_resident(""), limit = machine_memory_limit("", &of_group);
    assert_true(resident > 100000);
    assert_true(limit >= resident);
    assert_int_equal(machine_resident(root), 0);
    put("/proc/self/statm", "1000 25 7 1 0 50 0\n");
    assert_true(machine_resident(root) >= 25 * 4096);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_memory__machine_alone, make_root, remove_root),
        cmocka_unit_test_setup_teardown(test_memory__version_2, make_root, remove_root),
        cmocka_unit_test_setup_teardown(test_memory__version_1, make_root, remove_root),
        cmocka_unit_test_setup_teardown(test_memory__of_this_process, make_root, remove_root),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
