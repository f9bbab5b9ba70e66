/* check_targets.h -- varve check config: can targets be made of the groups that a file names? */
#ifndef CLI_CHECK_TARGETS_H
#define CLI_CHECK_TARGETS_H

#include "config/config.h"

/* Make the targets of a job's groups, through its relabelling.
 *   ERR_INVALID  of the first that cannot be made: `d`: "instance 1 in group 0: why" */
MUST_USE err check_group_targets(const struct scrape_config *job,
                                 const struct static_sd_config *groups, struct diag *d);

/* Those of all static_configs of jobs and Alertmanagers; `d` begins with the place. */
MUST_USE err check_static_targets(const struct config *c, struct diag *d);

#endif
