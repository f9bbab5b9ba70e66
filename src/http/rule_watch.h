/* rule_watch.h -- queries of rules and objectives in the list of active queries, the statistics of
 * queries and metrics, and the logs, as those of clients are. */
#ifndef HTTP_RULE_WATCH_H
#define HTTP_RULE_WATCH_H

#include "http/insight.h"
#include "rules/query_watch.h"

/* `insight` is borrowed; it outlives the queries. */
struct query_watch rule_watch(struct insight *insight);

#endif
