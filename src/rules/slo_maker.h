/* slo_maker.h -- the rules of one objective while plugins make them: groups that grow, and the
 * writing of expressions and labels. Private to the plugins of objectives (slo_plugin*.c) and
 * slo_rules.c. */
#ifndef RULES_SLO_MAKER_H
#define RULES_SLO_MAKER_H

#include "base/buf.h"
#include "rules/slo_rules.h"

enum {
    SLO_GROUP_SLI,
    SLO_GROUP_META,
    SLO_GROUP_ALERTS,
    SLO_GROUPS_USUAL,
    SLO_GROUPS_MAX = SLO_GROUPS_USUAL + SLO_PLUGINS_MAX,
};

struct slo_group { /* of rules; without any it is left out */
    str name;
    int64_t interval_ms;
    struct rule_def *rules;
    size_t count, room;
};

struct slo_maker { /* of one objective */
    struct arena *arena;
    struct diag *d;
    const struct slo_def *def;
    const struct slo_rules_options *options;
    struct slo_pace paces[SLO_PACES];
    int64_t windows[SLO_WINDOWS_MAX]; /* ascending, without the period */
    size_t window_count;
    int64_t period_ms;
    bool full; /* the arena is */
    struct slo_group groups[SLO_GROUPS_MAX];
    size_t group_count;
    struct buf text; /* being written */
};

/* Begin an objective: no rules yet. `text` is kept: its memory serves all objectives of a set. */
void slo_maker_begin(struct slo_maker *m, const struct slo_def *def);

/* One more group of that name; NULL: no room, and the maker is full. */
struct slo_group *slo_maker_group(struct slo_maker *m, const char *prefix, int64_t interval_ms);

/* ---- Text ---- */

void slo_put(struct slo_maker *m, const char *text);
void slo_put_number(struct slo_maker *m, double v);
void slo_put_ratio(struct slo_maker *m, int64_t window_ms); /* `slo:sli_error:ratio_rate5m{...}` */

/* The ratio over the whole period, an average of that over the shortest window: 30 days of raw
 * samples would be too dear. */
void slo_put_period(struct slo_maker *m, str window);

/* What was written since the last take, as a string of the arena. */
str slo_take(struct slo_maker *m);
str slo_window_text(struct slo_maker *m, int64_t window_ms);
str slo_metric_name(struct slo_maker *m, int64_t window_ms);

/* ---- Labels ---- */

/* Room for `more` labels. */
MUST_USE bool slo_labels_begin(struct slo_maker *m, struct rule_labels *out, size_t more);

/* The objective's labels; `window` may be empty. There is room for `more`. */
struct rule_labels slo_labels_of(struct slo_maker *m, size_t more, str window);

/* Set a label; a later one wins, as where Go copies maps over each other. Kept in order of names.
 */
void slo_set_label(struct rule_labels *to, str name, str value);
void slo_set_pairs(struct rule_labels *to, const struct pairs *from);

/* ---- Rules ---- */

/* One more rule of a group; the text being written is its expression. NULL: no room. */
struct rule_def *slo_add_rule(struct slo_maker *m, struct slo_group *g);

/* One more recording rule, with the objective's labels and `window` (may be empty). */
struct rule_def *slo_record(struct slo_maker *m, struct slo_group *g, str name, str window);

struct rule_text slo_text_of(const struct slo_maker *m, str text);

#endif
