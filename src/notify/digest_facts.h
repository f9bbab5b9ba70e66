/* digest_facts.h -- what a digest tells: what fired, ended and is open by name of alert, silences
 * that stand, objectives that are short of budget. Alerts and silences are taken under the engine's
 * lock, the history is read without it. Bounded: names beyond DIGEST_NAMES_MAX are counted as one,
 * of silences and objectives DIGEST_ROWS_MAX are kept and all are counted. */
#ifndef NOTIFY_DIGEST_FACTS_H
#define NOTIFY_DIGEST_FACTS_H

#include "base/item_table.h"
#include "notify/view.h"

enum {
    DIGEST_NAMES_MAX = 10000,
    DIGEST_ROWS_MAX = 50,
    DIGEST_EVENTS_MAX = 2000000, /* of the history; older ones are not looked at */
    DIGEST_FACTS_BYTES_MAX = 4 << 20,
};

enum digest_count {
    DIGEST_OF_FIRED,
    DIGEST_OF_RESOLVED,
    DIGEST_OF_OPEN,
    DIGEST_OF_HELD,
    DIGEST_COUNTS
};

struct digest_name { /* of alerts */
    struct table_item item;
    size_t counts[DIGEST_COUNTS]; /* held: open ones that are silenced or inhibited */
    int64_t since_ms;             /* the oldest that is open */
    str name;                     /* behind the structure */
};

struct digest_silence {
    str matchers, by, comment;
    int64_t ends_at_ms;
};

struct digest_slo {
    str name, service;
    const struct pairs *labels;
    double remaining; /* of the budget; NaN: not known */
    double projected; /* at the end of the period; NaN: not known, or there is none */
};

struct digest_facts {
    const struct digest_config *config;
    int64_t since_ms, until_ms;
    struct arena arena;
    struct item_table names;
    size_t totals[DIGEST_COUNTS];
    bool has_history, has_all_events;
    struct digest_silence silences[DIGEST_ROWS_MAX]; /* those that end first */
    size_t silence_count;                            /* all */
    struct digest_slo slos[DIGEST_ROWS_MAX];         /* the worst */
    size_t slo_count, slos_known;                    /* that are short of budget; all */
};

void digest_facts_init(struct digest_facts *f, const struct digest_config *config, int64_t since_ms,
                       int64_t until_ms);
void digest_facts_fini(struct digest_facts *f);

/* What is open: a snapshot, read without the lock. */
void digest_take_alerts(struct digest_facts *f, const struct view *v);
/* With the lock. */
void digest_take_silences(struct digest_facts *f, const struct silences *all);
/* What fired and ended. NULL: none is kept.  ERR_IO, ERR_CANCELED */
MUST_USE err digest_take_history(struct digest_facts *f, struct history *h,
                                 const atomic_bool *canceled);
/* An objective; texts are borrowed for the call. */
void digest_take_slo(struct digest_facts *f, const struct digest_slo *slo);

/* Names that `count` is not 0 of, most first; all of them in *total. `out` has room for
 * DIGEST_ROWS_MAX; returns how many there are there. */
size_t digest_top(const struct digest_facts *f, enum digest_count count,
                  const struct digest_name **out, size_t *total);

#endif
