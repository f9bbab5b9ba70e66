/* openapi_tables.c -- parameters, operations and schemas of the API: see openapi_tables.h. */
#include "http/openapi_tables.h"

#include "base/compiler.h"

#define REF(name)  "{$ref: '#/components/schemas/" name "'}"
#define LIST(item) "{type: array, items: " item "}"
#define STRINGS    LIST("{type: string}")

const struct openapi_tag OPENAPI_TAGS[] = {
    {"query", "Evaluating and inspecting PromQL"},
    {"metadata", "Series, labels and what is known about metrics"},
    {"search", "Finding names and values as they are typed"},
    {"targets", "Scraping and discovery"},
    {"rules", "Rules and alerts"},
    {"status", "This server"},
    {"admin", "Changing the store"},
    {"remote", "Remote write and read"},
    {"health", "Probes, and what is checked"},
    {"alertmanager", "Alertmanager's API v2; below /alertmanager, too"},
};
const size_t OPENAPI_TAG_COUNT = COUNT_OF(OPENAPI_TAGS);

const struct openapi_param OPENAPI_PARAMS[] = {
    {"query", "query", OPENAPI_TEXT, false, "A PromQL expression."},
    {"time", "time", OPENAPI_TIME, false, "Evaluation time; now when absent."},
    {"start", "start", OPENAPI_TIME, false, "Begin of the range, inclusive."},
    {"end", "end", OPENAPI_TIME, false, "End of the range, inclusive."},
    {"step", "step", OPENAPI_DURATION, false, "Distance of the evaluation times."},
    {"timeout", "timeout", OPENAPI_DURATION, false,
     "Longest the evaluation may take; at most --query.timeout."},
    {"limit", "limit", OPENAPI_INTEGER, false, "Most entries of the answer; 0: no limit."},
    {"lookback", "lookback_delta", OPENAPI_DURATION, false,
     "How old a sample may be to count as current."},
    {"stats", "stats", OPENAPI_TEXT, false, "true or all: add statistics of the evaluation."},
    {"nocache", "nocache", OPENAPI_BOOLEAN, false,
     "true: evaluate every step anew, and keep nothing of the answer."},
    {"trace", "trace", OPENAPI_BOOLEAN, false,
     "true: add where the time went, as \"trace\" beside \"data\"."},
    {"match", "match[]", OPENAPI_TEXTS, false, "Series selectors; the answer is their union."},
    {"name", "name", OPENAPI_TEXT, true, "A label name; UTF-8 names are escaped as U__..."},
    {"metric", "metric", OPENAPI_TEXT, false, "Only this metric."},
    {"per_metric", "limit_per_metric", OPENAPI_INTEGER, false, "Most entries of each metric."},
    {"target", "match_target", OPENAPI_TEXT, false, "A selector on the labels of targets."},
    {"state", "state", OPENAPI_TEXT, false, "active, dropped or any."},
    {"pool", "scrapePool", OPENAPI_TEXT, false, "Name of a scrape pool."},
    {"labels", "labels", OPENAPI_TEXT, false, "Labels of a target before relabeling, as JSON."},
    {"rule_type", "type", OPENAPI_TEXT, false, "alert or record."},
    {"rule_name", "rule_name[]", OPENAPI_TEXTS, false, "Only rules of these names."},
    {"rule_group", "rule_group[]", OPENAPI_TEXTS, false, "Only groups of these names."},
    {"receiver", "receiver", OPENAPI_TEXT, false, "The name of a receiver."},
    {"history_type", "type", OPENAPI_TEXTS, false, "Only events of these types."},
    {"history_matcher", "matcher", OPENAPI_TEXTS, false,
     "Matchers of the labels of alerts or groups; all must match."},
    {"fingerprint", "fingerprint", OPENAPI_TEXT, false,
     "Only events of this alert, 16 hex digits."},
    {"related", "related", OPENAPI_TEXT, false,
     "Only events around the begin of this alert, 16 hex digits, that are related to it."},
    {"cursor", "cursor", OPENAPI_TEXT, false, "nextCursor of the page before."},
    {"slo_service", "service[]", OPENAPI_TEXTS, false, "Only objectives of these services."},
    {"slo_name", "name[]", OPENAPI_TEXTS, false, "Only objectives of these names."},
    {"slo_id", "id[]", OPENAPI_TEXTS, false, "Only these objectives."},
    {"file", "file[]", OPENAPI_TEXTS, false, "Only groups of these files."},
    {"exclude_alerts", "exclude_alerts", OPENAPI_BOOLEAN, false, "Leave out active alerts."},
    {"group_limit", "group_limit", OPENAPI_INTEGER, false, "Groups of a page."},
    {"group_token", "group_next_token", OPENAPI_TEXT, false, "groupNextToken of the page before."},
    {"pattern", "metric_name_pattern", OPENAPI_TEXT, false,
     "Only metrics whose whole name matches this regular expression."},
    {"date", "date", OPENAPI_TEXT, false, "A day, such as 2006-01-02, in UTC."},
    {"focus_label", "focusLabel", OPENAPI_TEXT, false, "A label whose values are listed."},
    {"top_n", "topN", OPENAPI_INTEGER, false, "Entries of each list."},
    {"max_lifetime", "maxLifetime", OPENAPI_DURATION, false,
     "How long ago queries may have ended."},
    {"le", "le", OPENAPI_INTEGER, false, "Only metrics with at most so many requests."},
    {"match_pattern", "match_pattern", OPENAPI_TEXT, false,
     "Only metrics whose name has a match of this regular expression."},
    {"incident_id", "id", OPENAPI_TEXT, true, "The id of an incident."},
    {"incident_state", "state", OPENAPI_TEXT, false, "open, acked or resolved."},
    {"incident_matcher", "matcher", OPENAPI_TEXTS, false, "A matcher of the common labels."},
    {"ack_token", "token", OPENAPI_TEXT, false, "The token of a link."},
    {"ack_by", "by", OPENAPI_TEXT, false, "Who acknowledges; the receiver of the message."},
    {"ack_comment", "comment", OPENAPI_TEXT, false, "A comment."},
    {"inbound_token", "token", OPENAPI_TEXT, false, "The token of OpsGenie's webhooks."},
    {"window_name", "name", OPENAPI_TEXT, true, "The name of a maintenance window."},
    {"query_id", "id", OPENAPI_TEXT, true, "The id of an active query."},
    {"openapi_version", "openapi_version", OPENAPI_TEXT, false, "3.1 or 3.2."},
    {"skip_head", "skip_head", OPENAPI_BOOLEAN, false, "Only what is in blocks."},
    {"search", "search[]", OPENAPI_TEXTS, false, "Terms, at most 32; any of them may match."},
    {"fuzz_threshold", "fuzz_threshold", OPENAPI_INTEGER, false,
     "Least score of a match, 0 to 100."},
    {"fuzz_alg", "fuzz_alg", OPENAPI_TEXT, false, "subsequence or jarowinkler."},
    {"case_sensitive", "case_sensitive", OPENAPI_BOOLEAN, false, "true when absent."},
    {"sort_by", "sort_by", OPENAPI_TEXT, false, "alpha or score."},
    {"sort_dir", "sort_dir", OPENAPI_TEXT, false, "asc or dsc."},
    {"include_score", "include_score", OPENAPI_BOOLEAN, false, "Add the score of each result."},
    {"include_metadata", "include_metadata", OPENAPI_BOOLEAN, false,
     "Add type, help and unit of each metric."},
    {"batch_size", "batch_size", OPENAPI_INTEGER, false, "Results of a line."},
    {"label", "label", OPENAPI_TEXT, false, "The label whose values are searched."},
    {"health_check", "check", OPENAPI_TEXT, false, "Only the check of this name."},
    {"health_verbose", "verbose", OPENAPI_BOOLEAN, false, "false: without details."},
    {"health_fresh", "fresh", OPENAPI_BOOLEAN, false, "true: run all checks before the answer."},
};
const size_t OPENAPI_PARAM_COUNT = COUNT_OF(OPENAPI_PARAMS);

#define SEARCH_PARAMS                                                                              \
    "match search fuzz_threshold fuzz_alg case_sensitive sort_by sort_dir include_score start "    \
    "end "                                                                                         \
    "limit batch_size"
#define NDJSON "application/x-ndjson"

const struct openapi_operation OPENAPI_OPERATIONS[] = {
    {"/query", "get post", "query", "query", "Evaluate at one time.",
     "query! time timeout limit lookback stats trace nocache", REF("QueryData"), NULL, false,
     false},
    {"/query_range", "get post", "queryRange", "query", "Evaluate over a range of times.",
     "query! start! end! step! timeout limit lookback stats trace nocache", REF("QueryData"), NULL,
     false, false},
    {"/query_exemplars", "get post", "queryExemplars", "query",
     "Exemplars of all selectors of an expression.", "query! start end",
     LIST(REF("ExemplarSeries")), NULL, false, false},
    {"/format_query", "get post", "formatQuery", "query", "The expression, laid out for reading.",
     "query!", "{type: string}", NULL, false, false},
    {"/parse_query", "get post", "parseQuery", "query", "The syntax tree of an expression.",
     "query!", REF("Node"), NULL, false, false},
    {"/series", "get post", "series", "metadata", "Label sets of series.", "match! start end limit",
     LIST(REF("Labels")), NULL, false, false},
    {"/labels", "get post", "labels", "metadata", "Label names.", "match start end limit", STRINGS,
     NULL, false, false},
    {"/label/{name}/values", "get post", "labelValues", "metadata", "Values of a label.",
     "name match start end limit", STRINGS, NULL, false, false},
    {"/metadata", "get", "metadata", "metadata", "Type, help and unit of metrics.",
     "limit per_metric metric", "{type: object, additionalProperties: " LIST(REF("Metadata")) "}",
     NULL, false, false},
    {"/search/metric_names", "get post", "searchMetricNames", "search", "Find metric names.",
     SEARCH_PARAMS " include_metadata", REF("SearchLine"), NDJSON, false, false},
    {"/search/label_names", "get post", "searchLabelNames", "search", "Find label names.",
     SEARCH_PARAMS, REF("SearchLine"), NDJSON, false, false},
    {"/search/label_values", "get post", "searchLabelValues", "search", "Find values of a label.",
     "label! " SEARCH_PARAMS, REF("SearchLine"), NDJSON, false, false},
    {"/targets", "get", "targets", "targets", "Targets and their state.", "state pool",
     REF("Targets"), NULL, false, false},
    {"/targets/metadata", "get", "targetsMetadata", "targets", "Metadata as targets expose it.",
     "target metric limit", LIST(REF("TargetMetadata")), NULL, false, false},
    {"/targets/relabel_steps", "get", "relabelSteps", "targets",
     "What each relabeling rule of a pool does to labels.", "pool! labels!", "{type: object}", NULL,
     false, false},
    {"/scrape_pools", "get", "scrapePools", "targets", "Names of all scrape pools.", "",
     "{type: object, properties: {scrapePools: " STRINGS "}}", NULL, false, false},
    {"/scrape_pools/config", "get", "scrapePoolConfig", "targets", "Configuration of a pool.",
     "pool!", REF("Yaml"), NULL, false, false},
    {"/alertmanagers", "get", "alertmanagers", "targets", "Alertmanagers alerts are sent to.", "",
     "{type: object}", NULL, false, false},
    {"/alerting/incidents", "get", "incidents", "rules", "Incidents of escalation policies.",
     "incident_state incident_matcher", "{type: array, items: {type: object}}", NULL, false, false},
    {"/alerting/incidents/{id}", "get", "incident", "rules",
     "One incident, with the alerts that are related to it.", "incident_id!", "{type: object}",
     NULL, false, false},
    {"/alerting/incidents/{id}/ack", "post", "ackIncident", "rules",
     "Acknowledge an incident: a JSON object with by, comment, expires.", "incident_id!",
     "{type: object}", NULL, false, false},
    {"/alerting/incidents/{id}/unack", "post", "unackIncident", "rules",
     "Take an acknowledgement back.", "incident_id!", "{type: object}", NULL, false, false},
    {"/alerting/incidents/{id}/escalate", "post", "escalateIncident", "rules",
     "Tell the next level of an incident now.", "incident_id!", "{type: object}", NULL, false,
     false},
    {"/alerting/ack", "get post", "ackByLink", "rules",
     "The page behind a link in a message: a GET shows the incident, a POST acknowledges it.",
     "ack_token! ack_by ack_comment", "{type: string}", "text/html", false, false},
    {"/alerting/inbound/pagerduty", "post", "inboundPagerDuty", "rules",
     "A webhook of PagerDuty, version 3, with X-PagerDuty-Signature.", "", "{type: object}", NULL,
     false, false},
    {"/alerting/inbound/opsgenie", "post", "inboundOpsGenie", "rules",
     "A webhook of OpsGenie; the token may be in X-OpsGenie-Token or Authorization, too.",
     "inbound_token", "{type: object}", NULL, false, false},
    {"/alerting/maintenance", "get", "maintenance", "rules",
     "Maintenance windows, with what is under way and what comes next.", "",
     "{type: array, items: {type: object}}", NULL, false, false},
    {"/alerting/maintenance", "post", "addMaintenance", "rules",
     "Make a window: a JSON object with name, matchers, starts_at, ends_at, comment, created_by, "
     "override_matchers, notify.",
     "", "{type: object}", NULL, false, false},
    {"/alerting/maintenance/{name}", "delete", "removeMaintenance", "rules",
     "Take an ad-hoc window away.", "window_name!", "{type: object}", NULL, false, false},
    {"/alerting/maintenance/{name}/override", "post", "overrideMaintenance", "rules",
     "End what is under way, for good: a JSON object with by, reason.", "window_name!",
     "{type: object}", NULL, false, false},
    {"/alerting/heartbeats", "get", "heartbeats", "rules",
     "Heartbeats to the outside, and whether they are heard.", "",
     "{type: array, items: {type: object}}", NULL, false, false},
    {"/alerting/test", "post", "alertingTest", "rules",
     "Send a test notification through all integrations of a receiver.", "receiver!",
     "{type: object}", NULL, false, false},
    {"/alerting/history", "get", "alertingHistory", "rules",
     "What happened to alerts, notifications and silences, the newest first.",
     "start end history_type history_matcher fingerprint related limit cursor", "{type: object}",
     NULL, false, false},
    {"/slos", "get", "slos", "rules", "Service level objectives: budgets, burn rates, months.",
     "slo_service slo_name slo_id match", "{type: object}", NULL, false, false},
    {"/rules", "get", "rules", "rules", "Rule groups with their state.",
     "rule_type rule_name rule_group file match exclude_alerts group_limit group_token",
     REF("Rules"), NULL, false, false},
    {"/alerts", "get", "alerts", "rules", "Active alerts.", "", "{type: object}", NULL, false,
     false},
    {"/status/config", "get", "statusConfig", "status", "The configuration in force.", "",
     REF("Yaml"), NULL, false, false},
    {"/status/flags", "get", "statusFlags", "status", "Command line flags.", "",
     "{type: object, additionalProperties: {type: string}}", NULL, false, false},
    {"/status/runtimeinfo", "get", "statusRuntimeinfo", "status", "The running process.", "",
     "{type: object}", NULL, false, false},
    {"/status/buildinfo", "get", "statusBuildinfo", "status", "Version of the program.", "",
     "{type: object, additionalProperties: {type: string}}", NULL, false, false},
    {"/status/tsdb", "get", "statusTsdb", "status",
     "What series consist of: of the head, or with a selector, time or label of any series.",
     "limit top_n match start end date focus_label", "{type: object}", NULL, false, false},
    {"/status/tsdb/blocks", "get", "statusTsdbBlocks", "status", "Blocks on disk.", "",
     "{type: object}", NULL, false, false},
    {"/status/active_queries", "get", "statusActiveQueries", "status",
     "Queries that wait, run or are being answered.", "", LIST(REF("ActiveQuery")), NULL, false,
     false},
    {"/status/active_queries/{id}/cancel", "post", "cancelQuery", "admin", "End a query.",
     "query_id", "{type: object, properties: {id: {type: string}}}", NULL, false, false},
    {"/status/top_queries", "get", "statusTopQueries", "status",
     "The last queries by count, duration, samples and memory.", "top_n max_lifetime",
     "{type: object}", "application/json", false, false},
    {"/status/metric_names_stats", "get", "statusMetricNamesStats", "status",
     "How often, and when last, queries asked for each metric.", "limit le match_pattern",
     "{type: object}", "application/json", false, false},
    {"/admin/status/metric_names_stats/reset", "post", "resetMetricNamesStats", "admin",
     "Forget how often metrics were asked for.", "", NULL, NULL, false, false},
    {"/status/walreplay", "get", "statusWalreplay", "status", "How far the log has been replayed.",
     "", "{type: object}", NULL, false, false},
    {"/status/self_metrics", "get", "statusSelfMetrics", "status",
     "The server's own metrics as metric families.", "pattern", LIST("{type: object}"), NULL, false,
     false},
    {"/features", "get", "features", "status", "What this server can do.", "",
     "{type: object, additionalProperties: {type: object, additionalProperties: {type: boolean}}}",
     NULL, false, false},
    {"/notifications", "get", "notifications", "status", "What operators should know now.", "",
     LIST(REF("Notification")), NULL, false, false},
    {"/notifications/live", "get", "notificationsLive", "status",
     "Notifications as they change; 204 when too many listen.", "", REF("Event"),
     "text/event-stream", false, true},
    {"/openapi.yaml", "get", "openapi", "status", "This document.", "openapi_version",
     "{type: string}", "application/yaml", false, false},
    {"/admin/tsdb/snapshot", "post put", "snapshot", "admin", "Make a snapshot of the store.",
     "skip_head", "{type: object, properties: {name: {type: string}}}", NULL, false, false},
    {"/admin/tsdb/delete_series", "post put", "deleteSeries", "admin", "Delete samples of series.",
     "match! start end", NULL, NULL, false, false},
    {"/admin/tsdb/clean_tombstones", "post put", "cleanTombstones", "admin",
     "Take what was deleted off the disk.", "", NULL, NULL, false, false},
    {"/write", "post", "write", "remote", "Remote write 1.0 and 2.0, snappy.", "", NULL, NULL, true,
     false},
    {"/push", "post", "push", "remote", "The same as write.", "", NULL, NULL, true, false},
    {"/read", "post", "read", "remote", "Remote read, snappy.", "",
     "{type: string, format: binary}", "application/x-protobuf", true, false},
    {"/health", "get", "health", "health", "What all checks say; 503 when it is unhealthy.",
     "health_check health_verbose health_fresh", "{type: object}", "application/json", false,
     false},
    {"/health/status", "get", "healthStatus", "health", "The same, always 200.",
     "health_check health_verbose health_fresh", "{type: object}", "application/json", false,
     false},
    {"/health/live", "get", "healthLive", "health", "Is the process alive?", "", "{type: object}",
     "application/json", false, false},
    {"/health/ready", "get", "healthReady", "health", "Can it serve? 503 with the reasons.", "",
     "{type: object}", "application/json", false, false},
    {"/health/startup", "get", "healthStartup", "health",
     "Has it started? 503 with phase and progress.", "", "{type: object}", "application/json",
     false, false},
    {"/health/metrics", "get", "healthMetrics", "health", "What all checks say, as metrics.", "",
     "{type: string}", "text/plain", false, false},
};
const size_t OPENAPI_OPERATION_COUNT = COUNT_OF(OPENAPI_OPERATIONS);

const char *const OPENAPI_COMPONENTS[] = {
    "components:\n"
    "  responses:\n"
    "    Error:\n"
    "      description: The request failed; warnings may be present.\n"
    "      content:\n"
    "        application/json:\n"
    "          schema: {$ref: '#/components/schemas/Failure'}\n",
    OPENAPI_ALERTMANAGER_ERROR,
    "  schemas:\n"
    "    Time:\n"
    "      description: Seconds since the epoch, or RFC 3339.\n"
    "      oneOf: [{type: number}, {type: string, format: date-time}]\n"
    "    Duration:\n"
    "      description: Seconds, or a duration such as 1h30m.\n"
    "      oneOf: [{type: number}, {type: string}]\n"
    "    Success:\n"
    "      type: object\n"
    "      required: [status]\n"
    "      properties:\n"
    "        status: {const: success}\n"
    "        warnings: {type: array, items: {type: string}}\n"
    "        infos: {type: array, items: {type: string}}\n"
    "    Failure:\n"
    "      type: object\n"
    "      required: [status, errorType, error]\n"
    "      properties:\n"
    "        status: {const: error}\n"
    "        errorType: {enum: [bad_data, execution, canceled, timeout, internal, unavailable,"
    " not_found, not_acceptable]}\n"
    "        error: {type: string}\n"
    "        warnings: {type: array, items: {type: string}}\n"
    "        infos: {type: array, items: {type: string}}\n"
    "    Labels:\n"
    "      type: object\n"
    "      additionalProperties: {type: string}\n"
    "    Point:\n"
    "      description: Time in seconds and the value as text.\n"
    "      type: array\n"
    "      prefixItems: [{type: number}, {type: string}]\n"
    "    HistogramPoint:\n"
    "      type: array\n"
    "      prefixItems: [{type: number}, {$ref: '#/components/schemas/Histogram'}]\n"
    "    Histogram:\n"
    "      type: object\n"
    "      properties:\n"
    "        count: {type: string}\n"
    "        sum: {type: string}\n"
    "        buckets:\n"
    "          description: Boundary rule, lower and upper boundary, count.\n"
    "          type: array\n"
    "          items: {type: array, prefixItems: [{enum: [0, 1, 2, 3]}, {type: string},"
    " {type: string}, {type: string}]}\n"
    "    Series:\n"
    "      type: object\n"
    "      required: [metric]\n"
    "      properties:\n"
    "        metric: {$ref: '#/components/schemas/Labels'}\n"
    "        value: {$ref: '#/components/schemas/Point'}\n"
    "        histogram: {$ref: '#/components/schemas/HistogramPoint'}\n"
    "        values: {type: array, items: {$ref: '#/components/schemas/Point'}}\n"
    "        histograms: {type: array, items: {$ref: "
    "'#/components/schemas/HistogramPoint'}}\n", /* C wants no literal of more than 4095 bytes
                                                  */
    "    QueryData:\n"
    "      type: object\n"
    "      required: [resultType, result]\n"
    "      properties:\n"
    "        resultType: {enum: [matrix, vector, scalar, string]}\n"
    "        result:\n"
    "          anyOf:\n"
    "            - {type: array, items: {$ref: '#/components/schemas/Series'}}\n"
    "            - {$ref: '#/components/schemas/Point'}\n"
    "        stats: {type: object}\n"
    "    ExemplarSeries:\n"
    "      type: object\n"
    "      properties:\n"
    "        seriesLabels: {$ref: '#/components/schemas/Labels'}\n"
    "        exemplars:\n"
    "          type: array\n"
    "          items:\n"
    "            type: object\n"
    "            properties:\n"
    "              labels: {$ref: '#/components/schemas/Labels'}\n"
    "              value: {type: string}\n"
    "              timestamp: {type: number}\n"
    "    Node:\n"
    "      type: object\n"
    "      required: [type]\n"
    "      properties:\n"
    "        type: {enum: [aggregation, binaryExpr, call, durationExpr, matrixSelector,"
    " numberLiteral, parenExpr, stringLiteral, subquery, unaryExpr, vectorSelector]}\n"
    "    Metadata:\n"
    "      type: object\n"
    "      properties: {type: {type: string}, help: {type: string}, unit: {type: string}}\n"
    "    TargetMetadata:\n"
    "      type: object\n"
    "      properties: {target: {$ref: '#/components/schemas/Labels'}, metric: {type: string},"
    " type: {type: string}, help: {type: string}, unit: {type: string}}\n"
    "    Targets:\n"
    "      type: object\n"
    "      properties: {activeTargets: {type: array, items: {type: object}},"
    " droppedTargets: {type: array, items: {type: object}},"
    " droppedTargetCounts: {type: [object, 'null']}}\n"
    "    Rules:\n"
    "      type: object\n"
    "      properties: {groups: {type: array, items: {type: object}},"
    " groupNextToken: {type: string}}\n"
    "    Yaml:\n"
    "      type: object\n"
    "      properties: {yaml: {type: string}}\n"
    "    ActiveQuery:\n"
    "      description: Times in milliseconds; headers of Grafana that came with it are there "
    "too.\n"
    "      type: object\n"
    "      required: [id, kind, state, query]\n"
    "      properties: {id: {type: string}, kind: {type: string}, state: {enum: [queued, running,"
    " sending]}, query: {type: string}, start: {type: integer}, end: {type: integer}, step: {type:"
    " integer}, duration: {type: string}, elapsedSeconds: {type: number}, queueSeconds: {type:"
    " number}, series: {type: integer}, samples: {type: integer}, bytes: {type: integer},"
    " memoryBytes: {type: integer}, remote_addr: {type: string}, userAgent: {type: string},"
    " dashboardUid: {type: string}, panelId: {type: string}}\n"
    "    SearchLine:\n"
    "      description: A batch, or the last line.\n"
    "      type: object\n"
    "      properties:\n"
    "        results: {type: array, items: {type: object}}\n"
    "        warnings: {type: array, items: {type: string}}\n"
    "        status: {enum: [success, error]}\n"
    "        has_more: {type: boolean}\n"
    "        errorType: {type: string}\n"
    "        error: {type: string}\n"
    "    Notification:\n"
    "      type: object\n"
    "      properties: {text: {type: string}, date: {type: string, format: date-time},"
    " active: {type: boolean}}\n"
    "    Event:\n"
    "      type: object\n"
    "      properties: {data: {type: string, contentMediaType: application/json,"
    " contentSchema: {$ref: '#/components/schemas/Notification'}}}\n",
    OPENAPI_ALERTMANAGER_SCHEMAS};
const size_t OPENAPI_COMPONENT_COUNT = COUNT_OF(OPENAPI_COMPONENTS);
