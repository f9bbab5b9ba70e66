/* thread.c -- see thread.h: locks, threads and the CPU count. The pool is in pool.c. */
#include "base/thread.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/log.h"
#include "base/number.h"
#include "base/slice.h"

enum {
    NAME_SIZE = 16,        /* bytes of a thread's name in the kernel, terminator included */
    STACK_BYTES = 8 << 20, /* of each thread, whatever `ulimit -s` says; touched pages only count */
    YIELDING_NICE = 10,
    LAST_NICE = 19,
    CGROUP_TEXT_SIZE = 4096 /* bytes read of a file below /proc or /sys */
};

static void must(int rc)
{
    ASSERT(rc == 0);
}

void mutex_init(struct mutex *m)
{
    pthread_mutexattr_t attr;
    must(pthread_mutexattr_init(&attr));
#ifndef NDEBUG
    must(pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_ERRORCHECK));
#endif
    must(pthread_mutex_init(&m->m, &attr));
    must(pthread_mutexattr_destroy(&attr));
}

void mutex_fini(struct mutex *m)
{
    must(pthread_mutex_destroy(&m->m));
}

void mutex_lock(struct mutex *m)
{
    must(pthread_mutex_lock(&m->m));
}

void mutex_unlock(struct mutex *m)
{
    must(pthread_mutex_unlock(&m->m));
}

void cond_init(struct cond *c)
{
    pthread_condattr_t attr;
    must(pthread_condattr_init(&attr));
    must(pthread_condattr_setclock(&attr, CLOCK_MONOTONIC));
    must(pthread_cond_init(&c->c, &attr));
    must(pthread_condattr_destroy(&attr));
}

void cond_fini(struct cond *c)
{
    must(pthread_cond_destroy(&c->c));
}

void cond_wait(struct cond *c, struct mutex *m)
{
    must(pthread_cond_wait(&c->c, &m->m));
}

bool cond_wait_until(struct cond *c, struct mutex *m, uint64_t deadline_mono_ns)
{
    struct timespec t = {(time_t)(deadline_mono_ns / 1000000000),
                         (long)(deadline_mono_ns % 1000000000)};
    int rc = pthread_cond_timedwait(&c->c, &m->m, &t);
    ASSERT(rc == 0 || rc == ETIMEDOUT);
    return rc == 0;
}

void cond_signal(struct cond *c)
{
    must(pthread_cond_signal(&c->c));
}

void cond_broadcast(struct cond *c)
{
    must(pthread_cond_broadcast(&c->c));
}

void rwlock_init(struct rwlock *l)
{
    pthread_rwlockattr_t attr;
    must(pthread_rwlockattr_init(&attr));
    must(pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP));
    must(pthread_rwlock_init(&l->l, &attr));
    must(pthread_rwlockattr_destroy(&attr));
}

void rwlock_fini(struct rwlock *l)
{
    must(pthread_rwlock_destroy(&l->l));
}

void rwlock_read(struct rwlock *l)
{
    must(pthread_rwlock_rdlock(&l->l));
}

void rwlock_write(struct rwlock *l)
{
    must(pthread_rwlock_wrlock(&l->l));
}

void rwlock_unlock(struct rwlock *l)
{
    must(pthread_rwlock_unlock(&l->l));
}

/* All signals but those a thread raises by itself: a blocked SIGBUS of a mapped page would kill the
 * process before fs_guard() sees it. */
static void block_signals(sigset_t *old)
{
    static const int OWN[] = {SIGBUS, SIGSEGV, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS};
    sigset_t all;
    must(sigfillset(&all));
    for (size_t i = 0; i < COUNT_OF(OWN); i++)
        must(sigdelset(&all, OWN[i]));
    must(pthread_sigmask(SIG_SETMASK, &all, old));
}

err thread_start(pthread_t *out, const char *name, void *(*run)(void *), void *arg)
{
    pthread_attr_t attr;
    sigset_t old;
    must(pthread_attr_init(&attr));
    must(pthread_attr_setstacksize(&attr, STACK_BYTES));
    block_signals(&old);
    pthread_t t;
    int rc = pthread_create(&t, &attr, run, arg);
    must(pthread_sigmask(SIG_SETMASK, &old, NULL));
    must(pthread_attr_destroy(&attr));
    if (rc != 0) {
        log_error("cannot start a thread", LOG_CSTR("name", name), LOG_INT("errno", rc));
        return ERR_IO;
    }
    char short_name[NAME_SIZE];
    (void)snprintf(short_name, sizeof(short_name), "%s", name);
    (void)pthread_setname_np(t, short_name); /* only a debugging aid */
    *out = t;
    return OK;
}

void thread_join(pthread_t t)
{
    must(pthread_join(t, NULL));
}

/* The start of a small kernel file as text; "" when it cannot be read. */
static str read_text(const char *path, char *text)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, text, CGROUP_TEXT_SIZE - 1) : 0;
    if (fd >= 0)
        (void)close(fd);
    return (str){text, n > 0 ? (size_t)n : 0};
}

/* Split off what stands before the first `sep` (or the end) and step over it. */
static str take_until(str *s, char sep)
{
    const char *at = s->len > 0 ? memchr(s->ptr, sep, s->len) : NULL;
    str head = {s->ptr, at != NULL ? (size_t)(at - s->ptr) : s->len};
    size_t used = at != NULL ? head.len + 1 : head.len;
    *s = (str){s->ptr + used, s->len - used};
    return head;
}

/* cpu.max is "QUOTA PERIOD" in microseconds, or "max PERIOD": whole CPUs, rounded up; 0 = no limit.
 */
static unsigned quota_cpus(const char *dir)
{
    char path[CGROUP_TEXT_SIZE], text[CGROUP_TEXT_SIZE];
    int n = snprintf(path, sizeof(path), "/sys/fs/cgroup%s/cpu.max", dir);
    if (n < 0 || (size_t)n >= sizeof(path))
        return 0;
    str s = read_text(path, text);
    str quota = take_until(&s, ' '), period = take_until(&s, '\n');
    uint64_t quota_us, period_us;
    if (number_parse_u64(quota, &quota_us) != OK || number_parse_u64(period, &period_us) != OK ||
        period_us == 0)
        return 0;
    uint64_t cpus = quota_us / period_us + (quota_us % period_us != 0);
    return (unsigned)MIN(MAX(cpus, 1), 1u << 16);
}

/* The tightest quota of this process' cgroup (version 2: the line "0::/path") and its parents. */
static unsigned cgroup_cpus(void)
{
    char text[CGROUP_TEXT_SIZE], dir[CGROUP_TEXT_SIZE];
    str s = read_text("/proc/self/cgroup", text);
    str line = {"", 0};
    while (s.len > 0 && !str_starts(line, STR("0::/")))
        line = take_until(&s, '\n');
    if (!str_starts(line, STR("0::/")))
        return quota_cpus("");
    (void)snprintf(dir, sizeof(dir), STR_FMT, STR_ARG(((str){line.ptr + 3, line.len - 3})));
    unsigned least = 0;
    for (char *end = dir + strlen(dir); end != NULL; end = strrchr(dir, '/')) {
        *end = '\0';
        unsigned cpus = quota_cpus(dir);
        if (cpus > 0 && (least == 0 || cpus < least))
            least = cpus;
    }
    return least;
}

int thread_id(void)
{
    return gettid();
}

void thread_lower(int id, enum thread_share share)
{
    /* on Linux the thread's alone, not its process's */
    (void)setpriority(PRIO_PROCESS, (id_t)id, share == THREAD_LAST ? LAST_NICE : YIELDING_NICE);
}

void thread_yield_to_others(void)
{
    static _Thread_local bool done;
    if (!done)
        thread_lower(thread_id(), THREAD_YIELDS);
    done = true;
}

unsigned thread_cpu_count(void)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    unsigned cpus = 1;
    if (sched_getaffinity(0, sizeof(set), &set) == 0) {
        cpus = (unsigned)CPU_COUNT(&set);
    } else { /* more CPUs than cpu_set_t holds */
        long online = sysconf(_SC_NPROCESSORS_ONLN);
        cpus = online > 0 ? (unsigned)online : 1;
    }
    unsigned quota = cgroup_cpus();
    return MAX(quota > 0 ? MIN(cpus, quota) : cpus, 1u);
}
