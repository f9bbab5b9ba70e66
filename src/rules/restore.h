/* restore.h -- what a group knows from before the process began: from the log of alerts, or else
 * from the series ALERTS_FOR_STATE. */
#ifndef RULES_RESTORE_H
#define RULES_RESTORE_H

#include "rules/group.h"

/* Take over from the log what it has of the rules that have no alerts yet; `now_ms` is the wall
 * clock. Before the group's first evaluation. */
void group_restore(struct group *g, int64_t now_ms);

/* After GROUP_EVALS_TO_RESTORE evaluations, the last as of `ts_ms`: rules that the log knew nothing
 * of look for ALERTS_FOR_STATE, as Prometheus does. */
void group_restore_for(struct group *g, int64_t ts_ms);

#endif
