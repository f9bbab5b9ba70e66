/* rule.h -- one rule: what its file says, ready to be evaluated, and what is known of it.
 *
 * The definition is constant. The state is changed by the evaluation of its group alone, under the
 * group's lock (group.h), and read by others under it. */
#ifndef RULES_RULE_H
#define RULES_RULE_H

#include <stdbool.h>
#include <stdint.h>

#include "config/rule_file.h"
#include "rules/alert.h"
#include "rules/rule_series.h"
#include "rules/rule_text.h"

enum rule_health { RULE_UNKNOWN, RULE_OK, RULE_ERR };

struct rule {
    /* definition; in the group's arena */
    str name;
    bool alerting;
    str expr;                          /* as it is printed again: what upstream shows and hashes */
    struct labels labels, annotations; /* as written, the group's labels included; sorted */
    int64_t for_ms, keep_firing_for_ms;
    bool looked_at;              /* between evaluations too: it is critical and fires at once */
    struct rule_text_set *texts; /* of labels and annotations; owned; NULL: of a recording rule */
    str generator_url;
    hash128 key; /* group, name and labels, and which of several such: what state is kept under */
    unsigned line, column; /* in its file */

    /* state */
    enum rule_health health;
    struct buf last_error; /* "" when healthy */
    uint64_t eval_ns;      /* the last evaluation took */
    int64_t last_eval_ms;  /* wall clock; ALERT_NEVER */
    struct rule_series written;
    struct alert_set alerts;
    bool restored; /* ALERTS may be written: what was before the start is known */
};

#endif
