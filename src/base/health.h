/* health.h -- is the program well: checks that run in the background, each on a thread of its own,
 * and a snapshot of what they found, which is read without waiting for any of them.
 *
 * A check runs once in `ttl_ms` (10 % sooner or later, so that they do not run together). A run
 * that takes longer than its time is a failure when that time has passed, and again each ttl_ms
 * while it hangs. What a check says counts at once when it is the first word, afterwards when
 * `failure_threshold` results in a row differ from what is believed. A result older than three
 * ttl_ms is HEALTH_UNKNOWN. A run that fails is repeated once, 100 ms later, if its time is not up.
 * Checks of other programs (`external`) have a circuit breaker: after HEALTH_BREAKER_FAILURES
 * failures they are not asked for HEALTH_BREAKER_MS, and fail.
 *
 * Score: 100 times the weighted mean of 1 (healthy), 0.5 (degraded), 0 (unhealthy); unknown counts
 * as 0 when critical, else not at all. Status: unhealthy when a critical check is unhealthy or
 * unknown; else degraded when any check is not healthy or the score is below 80.
 *
 * Threads: any. Nothing is called with a lock held. */
#ifndef BASE_HEALTH_H
#define BASE_HEALTH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/slice.h"
#include "base/timing.h"

enum {
    HEALTH_CHECKS_MAX = 32,
    HEALTH_DETAILS_MAX = 12,
    HEALTH_MESSAGE_SIZE = 160,
    HEALTH_TEXT_SIZE = 64,
    HEALTH_NAME_SIZE = 48,
    HEALTH_WAITERS_MAX = 64, /* who wait for a forced round */
    HEALTH_SCORE_DEGRADED = 80,
    HEALTH_BREAKER_FAILURES = 5,
    HEALTH_BREAKER_MS = 30000,
};

enum health_status {
    HEALTH_HEALTHY,
    HEALTH_DEGRADED,
    HEALTH_UNHEALTHY,
    HEALTH_UNKNOWN,
    HEALTH_STATUSES
};
const char *health_status_name(enum health_status s);

enum health_circuit { HEALTH_CLOSED, HEALTH_OPEN, HEALTH_HALF_OPEN };
const char *health_circuit_name(enum health_circuit c);

/* ---- What a check says ---- */

struct health_detail {
    const char *name; /* static */
    enum { HEALTH_NUMBER, HEALTH_TEXT, HEALTH_NOTHING } kind;
    double number;
    char text[HEALTH_TEXT_SIZE];
};

struct health_report {
    enum health_status before; /* what is believed of the check, for hysteresis */
    enum health_status status; /* HEALTH_HEALTHY at first */
    char message[HEALTH_MESSAGE_SIZE];
    struct health_detail details[HEALTH_DETAILS_MAX];
    unsigned detail_count;
};

/* At least as bad as `s`: the message of the worst is kept, the first of them. */
void health_say(struct health_report *r, enum health_status s, const char *format, ...)
    PRINTF_LIKE(3, 4);
/* Details; those behind HEALTH_DETAILS_MAX are left out, long texts are cut. Not a number: null. */
void health_number(struct health_report *r, const char *name, double v);
void health_text(struct health_report *r, const char *name, str v);

/* The status of a quantity that is bad when it is large; back to a milder one `margin` below the
 * bound that was passed. */
enum health_status health_level(enum health_status before, double v, double warn, double critical,
                                double margin);

struct health_check {
    const char *name, *type; /* copied, cut at HEALTH_NAME_SIZE - 1 bytes */
    bool critical;           /* without it the server is of no use */
    bool readiness;          /* while it is unhealthy, clients shall go elsewhere */
    bool external;           /* depends on other programs: more time, a circuit breaker */
    unsigned weight;         /* 0: 3 when critical, else 1 */
    void (*run)(void *arg, struct health_report *out);
    void *arg; /* until health_close() */
};

/* ---- Running them ---- */

struct health_options {
    int64_t ttl_ms;             /* 0: 10 s */
    int64_t local_ms;           /* time of a run; 0: 1 s */
    int64_t external_ms;        /* the same of external checks; 0: 3 s */
    int64_t round_ms;           /* of a forced round; 0: 5 s */
    unsigned failure_threshold; /* 0: 2 */
    const char *readiness; /* names, comma-separated, of checks that have `readiness` though they
                              were registered without; borrowed; NULL: none */
};

struct health;

/*   ERR_IO  no thread */
MUST_USE err health_open(const struct health_options *o, struct health **out);
/* Waits for runs under way. NULL is allowed. */
void health_close(struct health *h);

/* Add a check; it runs at once, and until health_close().
 *   ERR_FULL  HEALTH_CHECKS_MAX are there      ERR_IO  no thread */
MUST_USE err health_register(struct health *h, const struct health_check *c);

/* ---- The snapshot ---- */

enum health_result { /* of a run, for counters */
                     HEALTH_RAN_HEALTHY,
                     HEALTH_RAN_DEGRADED,
                     HEALTH_RAN_UNHEALTHY,
                     HEALTH_RAN_TIMEOUT,
                     HEALTH_RESULTS
};
const char *health_result_name(enum health_result r);

struct health_view {
    char name[HEALTH_NAME_SIZE], type[HEALTH_NAME_SIZE];
    bool critical, readiness, external;
    unsigned weight;
    enum health_status status;            /* what is believed */
    struct health_report report;          /* the last result */
    uint64_t latency_ns;                  /* of the last run that ended */
    int64_t last_run_ms, last_success_ms; /* since the epoch; 0: never */
    unsigned consecutive_failures;
    uint64_t results[HEALTH_RESULTS];
    uint64_t skipped; /* runs that were due while one hung */
    enum health_circuit circuit;
    const struct timing *seconds; /* how long runs took; until health_close() */
};

struct health_snapshot { /* immutable */
    _Atomic unsigned refs;
    uint64_t made_mono_ns;
    uint64_t longest_ns; /* the longest of the last runs */
    enum health_status status;
    unsigned score; /* 0 to 100 */
    size_t count;   /* checks in the order of their registration */
    struct health_view checks[];
};
struct health_snapshot *health_look(struct health *h);
void health_unlook(struct health_snapshot *s);

/* Run all checks now and call `done(arg)`, once, on a thread of health's, when they have, or after
 * round_ms; with others who ask meanwhile. False, and `done` is not called: a forced round was less
 * than ttl_ms ago, too many wait, or it closes. */
bool health_refresh(struct health *h, void (*done)(void *arg), void *arg);

/* Run all checks now, for what they look at has changed much. */
void health_hurry(struct health *h);

/* ---- The rules, for those who test them ---- */

struct health_belief { /* zero-initialised: nothing known */
    bool any;
    enum health_status status, mildest; /* mildest: of the results that differ */
    unsigned streak;                    /* results in a row that differ from status */
    unsigned failures;                  /* unhealthy results in a row */
};
void health_take(struct health_belief *b, enum health_status result, unsigned threshold);

struct health_breaker { /* zero-initialised: closed */
    enum health_circuit circuit;
    unsigned failures;
    uint64_t open_until_mono_ns;
};
/* May the other side be asked at this time? */
bool health_breaker_allows(struct health_breaker *b, uint64_t now_mono_ns);
void health_breaker_note(struct health_breaker *b, bool failed, uint64_t now_mono_ns);

void health_judge(const struct health_view *checks, size_t count, enum health_status *status,
                  unsigned *score);

#endif
