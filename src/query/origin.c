/* origin.c -- see origin.h. Headers: what Grafana and its alerting forward to data sources. */
#include "query/origin.h"

#include "base/compiler.h"
#include "base/utf8.h"

static const struct {
    const char *header, *key;
} TAGS[ORIGIN_TAG_COUNT] = {
    [ORIGIN_USER_AGENT] = {"User-Agent", "userAgent"},
    [ORIGIN_FORWARDED_FOR] = {"X-Forwarded-For", "forwardedFor"},
    [ORIGIN_ORG_ID] = {"X-Grafana-Org-Id", "grafanaOrgId"},
    [ORIGIN_USER] = {"X-Grafana-User", "grafanaUser"},
    [ORIGIN_DASHBOARD_UID] = {"X-Dashboard-Uid", "dashboardUid"},
    [ORIGIN_DASHBOARD_TITLE] = {"X-Dashboard-Title", "dashboardTitle"},
    [ORIGIN_PANEL_ID] = {"X-Panel-Id", "panelId"},
    [ORIGIN_PANEL_TITLE] = {"X-Panel-Title", "panelTitle"},
    [ORIGIN_PANEL_PLUGIN] = {"X-Panel-Plugin-Id", "panelPluginId"},
    [ORIGIN_QUERY_GROUP] = {"X-Query-Group-Id", "queryGroupId"},
    [ORIGIN_DATASOURCE_UID] = {"X-Datasource-Uid", "datasourceUid"},
    [ORIGIN_PLUGIN] = {"X-Plugin-Id", "pluginId"},
    [ORIGIN_FROM_ALERT] = {"FromAlert", "fromAlert"},
    [ORIGIN_RULE_UID] = {"X-Rule-Uid", "ruleUid"},
    [ORIGIN_RULE_NAME] = {"X-Rule-Name", "ruleName"},
    [ORIGIN_RULE_FOLDER] = {"X-Rule-Folder", "ruleFolder"},
    [ORIGIN_RULE_SOURCE] = {"X-Rule-Source", "ruleSource"},
    [ORIGIN_RULE_TYPE] = {"X-Rule-Type", "ruleType"},
    [ORIGIN_TRACEPARENT] = {"traceparent", "traceparent"},
};

const char *origin_header(enum origin_tag t)
{
    return TAGS[t].header;
}

const char *origin_key(enum origin_tag t)
{
    return TAGS[t].key;
}

static err copy_text(str from, struct arena *a, str *out)
{
    str s = {from.ptr, MIN(from.len, (size_t)ORIGIN_TEXT_MAX)};
    *out = s.len > 0 ? arena_str(a, s) : (str){"", 0};
    return out->ptr != NULL ? OK : ERR_LIMIT;
}

err origin_copy(const struct query_origin *from, struct arena *a, struct query_origin *out)
{
    struct query_origin o;
    TRY(copy_text(from->client, a, &o.client));
    for (unsigned t = 0; t < ORIGIN_TAG_COUNT; t++)
        TRY(copy_text(from->tags[t], a, &o.tags[t]));
    *out = o;
    return OK;
}
