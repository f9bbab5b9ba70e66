/* machine.c -- see machine.h. Kernel files are small texts. */
#include "base/machine.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/number.h"
#include "base/slice.h"

enum { TEXT_SIZE = 4096, GROUPS_MAX = 64 };

/* The start of a kernel file as text; "" when it cannot be read. */
static str read_text(const char *root, const char *path, char *text)
{
    char full[TEXT_SIZE];
    int n = snprintf(full, sizeof(full), "%s%s", root, path);
    int fd = n > 0 && (size_t)n < sizeof(full) ? open(full, O_RDONLY | O_CLOEXEC) : -1;
    ssize_t got = fd >= 0 ? read(fd, text, TEXT_SIZE - 1) : 0;
    if (fd >= 0)
        (void)close(fd);
    return (str){text, got > 0 ? (size_t)got : 0};
}

static str take_line(str *s)
{
    const char *at = s->len > 0 ? memchr(s->ptr, '\n', s->len) : NULL;
    str line = {s->ptr, at != NULL ? (size_t)(at - s->ptr) : s->len};
    size_t used = at != NULL ? line.len + 1 : line.len;
    *s = (str){s->ptr + used, s->len - used};
    return line;
}

/* The digits at the start of a text behind spaces; 0: none ("max"). */
static uint64_t number_at(str s)
{
    uint64_t n = 0;
    while (s.len > 0 && s.ptr[0] == ' ')
        s = (str){s.ptr + 1, s.len - 1};
    size_t digits = 0;
    while (digits < s.len && s.ptr[digits] >= '0' && s.ptr[digits] <= '9')
        digits++;
    return number_parse_u64((str){s.ptr, digits}, &n) == OK ? n : 0;
}

static uint64_t number_in(const char *root, const char *path)
{
    char text[TEXT_SIZE];
    return number_at(read_text(root, path, text));
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
    return a == 0 || (b != 0 && b < a) ? b : a;
}

/* The tightest limit of the group `dir` of a hierarchy and those above it. What a container sees as
 * the root is its own group. */
static uint64_t group_limit(const char *root, const char *base, str dir, const char *file)
{
    char path[TEXT_SIZE];
    uint64_t least = 0;
    for (unsigned i = 0; i < GROUPS_MAX; i++) {
        while (dir.len > 0 && dir.ptr[dir.len - 1] == '/')
            dir.len--;
        int n = snprintf(path, sizeof(path), "%s" STR_FMT "/%s", base, STR_ARG(dir), file);
        if (n > 0 && (size_t)n < sizeof(path))
            least = smaller(least, number_in(root, path));
        if (dir.len == 0)
            break;
        const char *slash = memrchr(dir.ptr, '/', dir.len);
        dir.len = slash != NULL ? (size_t)(slash - dir.ptr) : 0;
    }
    return least;
}

/* "0::/path" of version 2, "7:memory:/path" of version 1, among those of other controllers. */
static uint64_t groups_limit(const char *root)
{
    char text[TEXT_SIZE];
    str rest = read_text(root, "/proc/self/cgroup", text);
    uint64_t least =
        smaller(group_limit(root, "/sys/fs/cgroup", STR(""), "memory.max"),
                group_limit(root, "/sys/fs/cgroup/memory", STR(""), "memory.limit_in_bytes"));
    while (rest.len > 0) {
        str line = take_line(&rest);
        const char *path = line.len > 0 ? memchr(line.ptr, '/', line.len) : NULL;
        if (path == NULL)
            continue;
        str head = {line.ptr, (size_t)(path - line.ptr)};
        str dir = {path, line.len - head.len};
        if (str_eq(head, STR("0::")))
            least = smaller(least, group_limit(root, "/sys/fs/cgroup", dir, "memory.max"));
        else if (memmem(head.ptr, head.len, ":memory", 7) != NULL ||
                 memmem(head.ptr, head.len, ",memory", 7) != NULL)
            least = smaller(
                least, group_limit(root, "/sys/fs/cgroup/memory", dir, "memory.limit_in_bytes"));
    }
    return least;
}

static uint64_t total_memory(const char *root)
{
    char text[TEXT_SIZE];
    str rest = read_text(root, "/proc/meminfo", text);
    while (rest.len > 0) {
        str line = take_line(&rest);
        if (str_starts(line, STR("MemTotal:")))
            return number_at((str){line.ptr + 9, line.len - 9}) * 1024;
    }
    return 0;
}

uint64_t machine_memory_limit(const char *root, bool *of_group)
{
    uint64_t machine = total_memory(root), group = groups_limit(root);
    /* version 1 without a limit says nearly 2^63 */
    *of_group = group > 0 && (machine == 0 || group < machine);
    return *of_group ? group : machine;
}

uint64_t machine_resident(const char *root)
{
    char text[TEXT_SIZE];
    str s = read_text(root, "/proc/self/statm", text);
    const char *space = s.len > 0 ? memchr(s.ptr, ' ', s.len) : NULL;
    long page = sysconf(_SC_PAGESIZE);
    if (space == NULL || page <= 0)
        return 0;
    return number_at((str){space, s.len - (size_t)(space - s.ptr)}) * (uint64_t)page;
}
