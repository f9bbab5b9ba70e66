/* fs_guard.c -- SIGBUS from mapped files becomes ERR_IO. See fs.h, fs_guard(). */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stddef.h>

#include "base/assert.h"
#include "base/fs.h"
#include "base/log.h"

struct guard { /* one armed call, on its caller's stack */
    sigjmp_buf resume;
    struct guard *outer;
};

static _Thread_local struct guard *innermost;
static struct sigaction previous; /* written once, by install() */

/* Asynchronous signals (kill(2), a memory error found in passing) say nothing of our reads. */
static bool is_our_fault(const siginfo_t *info)
{
    return info->si_code > 0 && info->si_code != BUS_MCEERR_AO;
}

static void on_sigbus(int number, siginfo_t *info, void *context)
{
    (void)context;
    if (innermost != NULL && is_our_fault(info))
        siglongjmp(innermost->resume, 1);
    /* Not ours: as if the handler were not there. A fault happens again on return; a sent signal
     * must be sent again. */
    (void)sigaction(number, &previous, NULL);
    if (info->si_code <= 0)
        (void)raise(number);
}

static void install(void)
{
    /* SA_NODEFER: the handler leaves by a jump, so the signal must not stay blocked. */
    struct sigaction action = {.sa_sigaction = on_sigbus, .sa_flags = SA_SIGINFO | SA_NODEFER};
    ASSERT(sigemptyset(&action.sa_mask) == 0);
    ASSERT(sigaction(SIGBUS, &action, &previous) == 0);
}

err fs_guard(err (*read)(void *arg), void *arg)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    ASSERT(pthread_once(&once, install) == 0);
    struct guard guard;
    guard.outer = innermost;
    if (sigsetjmp(guard.resume, 0) != 0) {
        innermost = guard.outer;
        log_error("a mapped file could not be read");
        return ERR_IO;
    }
    innermost = &guard;
    err e = read(arg);
    innermost = guard.outer;
    return e;
}
