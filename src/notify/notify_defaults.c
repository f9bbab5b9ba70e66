/* notify_defaults.c -- the templates that come with the program. Their names are Alertmanager's,
 * and they print what its own print (but for email.default.html, whose looks are ours, and for
 * links by which incidents are acknowledged, where there are any): files of
 * users call them, and replace them by name. */
#include "notify/notify_template.h"

/* clang-format off */
#define DEFINE(name, body) "{{define \"" name "\"}}" body "{{end}}"
#define CALL(name, data)   "{{template \"" name "\" " data "}}"
#define ALIAS(name, other) DEFINE(name, CALL(other, "."))
#define EMPTY(name)        DEFINE(name, "")

#define BASICS                                                                                     \
    DEFINE("__alertmanager", "Alertmanager")                                                       \
    DEFINE("__alertmanagerURL", "{{.ExternalURL}}/#/alerts?receiver={{urlquery .Receiver}}")       \
    DEFINE("__subject",                                                                            \
        "[{{toUpper .Status}}{{with .Alerts.Firing}}:{{len .}}{{end}}] "                           \
        "{{join \" \" .GroupLabels.Values}} "                                                      \
        "{{if gt (len .CommonLabels) (len .GroupLabels)}}"                                         \
        "({{join \" \" (.CommonLabels.Remove .GroupLabels.Names).Values}}){{end}}")                \
    DEFINE("__ack_text", "{{with .AckURL}}Acknowledge: {{.}}\n{{end}}")                            \
    DEFINE("__ack_markdown", "{{with .AckURL}}[Acknowledge]({{.}})\n{{end}}")                      \
    EMPTY("__description")

/* Pairs, alerts, and alerts by their state; "marked" for chats that read Markdown. */
#define LISTS                                                                                      \
    DEFINE("__annotation_values", "{{join \" \" .CommonAnnotations.Values}}")                      \
    DEFINE("__pairs", "{{range .SortedPairs}} - {{.Name}} = {{.Value}}\n{{end}}")                  \
    DEFINE("__pairs_marked", "{{range .SortedPairs}}  - {{.Name}} = {{.Value}}\n{{end}}")          \
    DEFINE("__text_alert_list",                                                                    \
        "{{range .}}"                                                                              \
        "Labels:\n" CALL("__pairs", ".Labels")                                                     \
        "Annotations:\n" CALL("__pairs", ".Annotations")                                           \
        "Source: {{.GeneratorURL}}\n"                                                              \
        "{{end}}")                                                                                 \
    DEFINE("__text_alert_list_markdown",                                                           \
        "{{range .}}"                                                                              \
        "\nLabels:\n" CALL("__pairs_marked", ".Labels")                                            \
        "\nAnnotations:\n" CALL("__pairs_marked", ".Annotations")                                  \
        "\nSource: {{.GeneratorURL}}\n"                                                            \
        "{{end}}\n")                                                                               \
    DEFINE("__by_state",                                                                           \
        "\n{{with .Alerts.Firing}}\nAlerts Firing:\n" CALL("__text_alert_list", ".") "\n{{end}}"   \
        "\n{{with .Alerts.Resolved}}\nAlerts Resolved:\n" CALL("__text_alert_list", ".")           \
        "\n{{end}}\n")                                                                             \
    DEFINE("__by_state_marked",                                                                    \
        "\n{{with .Alerts.Firing}}\n# Alerts Firing:\n"                                            \
        CALL("__text_alert_list_markdown", ".") "\n{{end}}"                                        \
        "\n{{with .Alerts.Resolved}}\n# Alerts Resolved:\n"                                        \
        CALL("__text_alert_list_markdown", ".") "\n{{end}}\n")                                     \
    DEFINE("__by_state_dense",                                                                     \
        "{{with .Alerts.Firing}}Alerts Firing:\n" CALL("__text_alert_list", ".") "{{end}}\n"       \
        "{{with .Alerts.Resolved}}Alerts Resolved:\n" CALL("__text_alert_list", ".") "{{end}}")

#define PAGES                                                                                      \
    ALIAS("pagerduty.default.description", "__subject")                                            \
    ALIAS("pagerduty.default.client", "__alertmanager")                                            \
    ALIAS("pagerduty.default.clientURL", "__alertmanagerURL")                                      \
    ALIAS("pagerduty.default.instances", "__text_alert_list")                                      \
    ALIAS("opsgenie.default.message", "__subject")                                                 \
    DEFINE("opsgenie.default.description",                                                         \
        CALL("__annotation_values", ".") "\n" CALL("__by_state_dense", "."))                       \
    ALIAS("opsgenie.default.source", "__alertmanagerURL")                                          \
    ALIAS("pushover.default.title", "__subject")                                                   \
    DEFINE("pushover.default.message", CALL("__annotation_values", ".") CALL("__by_state", "."))   \
    ALIAS("pushover.default.url", "__alertmanagerURL")                                             \
    ALIAS("victorops.default.entity_display_name", "__subject")                                    \
    ALIAS("victorops.default.monitoring_tool", "__alertmanager")                                   \
    ALIAS("victorops.default.state_message", "opsgenie.default.description")                       \
    ALIAS("sns.default.subject", "__subject")                                                      \
    ALIAS("sns.default.message", "pushover.default.message")

#define CHATS                                                                                      \
    ALIAS("slack.default.title", "__subject")                                                      \
    ALIAS("slack.default.username", "__alertmanager")                                              \
    DEFINE("slack.default.fallback",                                                               \
        CALL("slack.default.title", ".") " | " CALL("slack.default.titlelink", "."))               \
    EMPTY("slack.default.callbackid")                                                              \
    EMPTY("slack.default.pretext")                                                                 \
    ALIAS("slack.default.titlelink", "__alertmanagerURL")                                          \
    EMPTY("slack.default.iconemoji")                                                               \
    EMPTY("slack.default.iconurl")                                                                 \
    DEFINE("slack.default.text", "{{with .AckURL}}<{{.}}|Acknowledge>{{end}}")                                                                    \
    EMPTY("slack.default.footer")                                                                  \
    DEFINE("telegram.default.message", CALL("__ack_text", ".") CALL("__by_state", "."))                                                \
    EMPTY("discord.default.content")                                                               \
    ALIAS("discord.default.title", "__subject")                                                    \
    DEFINE("discord.default.message", CALL("__ack_markdown", ".") CALL("__by_state", "."))                                                 \
    ALIAS("webex.default.message", "pushover.default.message")                                     \
    ALIAS("msteams.default.summary", "__subject")                                                  \
    ALIAS("msteams.default.title", "__subject")                                                    \
    DEFINE("msteams.default.text", CALL("__ack_markdown", ".") CALL("__by_state_marked", "."))                                             \
    ALIAS("msteamsv2.default.title", "__subject")                                                  \
    ALIAS("msteamsv2.default.text", "msteams.default.text")

/* One table with its styles inline: what mail programs agree on. */
#define ROW  "<tr><td style=\"padding:10px 20px;font-size:14px;line-height:1.5\">\n"
#define DONE "\n</td></tr>\n"
#define MAIL_PAIRS(field, title)                                                                   \
    "{{with " field "}}<strong>" title "</strong><br />\n"                                         \
    "{{range .SortedPairs}}{{.Name}} = {{.Value}}<br />\n{{end}}{{end}}"
#define MAIL                                                                                       \
    ALIAS("email.default.subject", "__subject")                                                    \
    DEFINE("__mail_alerts",                                                                        \
        "{{range .}}" ROW                                                                          \
        MAIL_PAIRS(".Labels", "Labels") MAIL_PAIRS(".Annotations", "Annotations")                  \
        "<a href=\"{{.GeneratorURL}}\" style=\"color:#2266aa\">Source</a>" DONE "{{end}}")         \
    DEFINE("__mail_heading",                                                                       \
        "{{len .Alerts}} alert{{if gt (len .Alerts) 1}}s{{end}} for "                              \
        "{{range .GroupLabels.SortedPairs}}{{.Name}}={{.Value}} {{end}}")                          \
    DEFINE("email.default.html",                                                                   \
        "<!DOCTYPE html>\n<html>\n<head>\n"                                                        \
        "<meta http-equiv=\"Content-Type\" content=\"text/html; charset=UTF-8\" />\n"              \
        "<meta name=\"viewport\" content=\"width=device-width\" />\n"                              \
        "<title>" CALL("__subject", ".") "</title>\n</head>\n"                                     \
        "<body style=\"margin:0;padding:20px;background-color:#f2f2f2;"                            \
        "font-family:Helvetica,Arial,sans-serif\">\n"                                              \
        "<table width=\"600\" align=\"center\" cellpadding=\"0\" cellspacing=\"0\" "               \
        "style=\"background-color:#ffffff;border:1px solid #dddddd\">\n"                           \
        "{{if .Alerts.Firing}}<tr><td align=\"center\" bgcolor=\"#b3261e\" "                       \
        "style=\"padding:20px;font-size:16px;color:#ffffff\">\n"                                   \
        "{{else}}<tr><td align=\"center\" bgcolor=\"#2e7d32\" "                                    \
        "style=\"padding:20px;font-size:16px;color:#ffffff\">\n{{end}}"                            \
        CALL("__mail_heading", ".") DONE                                                           \
        ROW "<a href=\"" CALL("__alertmanagerURL", ".") "\" style=\"color:#2266aa\">View in "      \
        CALL("__alertmanager", ".") "</a>" DONE                                                    \
        "{{with .AckURL}}" ROW "<a href=\"{{.}}\" style=\"display:inline-block;padding:8px 16px;"   \
        "background-color:#2266aa;color:#ffffff;text-decoration:none\">Acknowledge</a>" DONE        \
        "{{end}}"                                                                                  \
        "{{with .Alerts.Firing}}" ROW "<strong>[{{len .}}] Firing</strong>" DONE                   \
        CALL("__mail_alerts", ".") "{{end}}"                                                       \
        "{{with .Alerts.Resolved}}" ROW "<strong>[{{len .}}] Resolved</strong>" DONE               \
        CALL("__mail_alerts", ".") "{{end}}"                                                       \
        "<tr><td align=\"center\" style=\"padding:20px;font-size:12px\">"                          \
        "<a href=\"{{.ExternalURL}}\" style=\"color:#888888\">Sent by "                            \
        CALL("__alertmanager", ".") "</a></td></tr>\n</table>\n</body>\n</html>\n")
/* clang-format on */

const char *const NOTIFY_DEFAULT_TEMPLATES[] = {BASICS LISTS, PAGES CHATS, MAIL, NULL};
