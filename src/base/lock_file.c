/* lock_file.c -- flock(2), not fcntl: those vanish when any descriptor of the file is closed. */
#include "base/lock_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

enum { HOLDER_SIZE = 64 }; /* bytes of "pid 1234\n" that are read at most */

static int open_file(const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
    if (fd < 0 && (errno == EROFS || errno == EACCES || errno == ENOSPC))
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    return fd;
}

static err report_busy(int fd, const char *path, struct diag *d)
{
    char holder[HOLDER_SIZE + 1];
    ssize_t n = pread(fd, holder, HOLDER_SIZE, 0);
    holder[n > 0 ? n : 0] = '\0';
    holder[strcspn(holder, "\r\n")] = '\0';
    return diag_set(d, ERR_BUSY, "%s is locked by another process (%s)", path,
                    holder[0] != '\0' ? holder : "it left no name");
}

/* Who holds it is help for people only: that it cannot be written is no error. */
static void write_holder(int fd)
{
    char text[HOLDER_SIZE];
    int n = snprintf(text, sizeof(text), "pid %ld\n", (long)getpid());
    if (ftruncate(fd, 0) != 0 || pwrite(fd, text, (size_t)n, 0) != n)
        errno = 0;
}

err lock_file_open(const char *path, struct lock_file *out, struct diag *d)
{
    int fd = open_file(path);
    if (fd < 0) {
        err e = errno == ENOSPC || errno == EDQUOT ? ERR_NOSPACE : ERR_IO;
        return diag_set(d, e, "cannot open %s: %s", path, strerrordesc_np(errno));
    }
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        err e = errno == EWOULDBLOCK
                    ? report_busy(fd, path, d)
                    : diag_set(d, ERR_IO, "cannot lock %s: %s", path, strerrordesc_np(errno));
        close(fd);
        return e;
    }
    write_holder(fd);
    out->fd_plus_1 = fd + 1;
    return OK;
}

void lock_file_close(struct lock_file *f)
{
    if (f->fd_plus_1 > 0)
        close(f->fd_plus_1 - 1);
    f->fd_plus_1 = 0;
}
