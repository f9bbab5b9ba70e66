/* openapi_alertmanager.c -- the paths of Alertmanager's API v2 in the OpenAPI document. They stand
 * beside the API, and speak JSON without an envelope; so they are written out. */
#include "base/compiler.h"
#include "http/json.h"
#include "http/openapi_tables.h"

#define JSON(schema) "{content: {application/json: {schema: " schema "}}}"
#define REF(name)    "{$ref: '#/components/schemas/" name "'}"
#define LIST(item)   "{type: array, items: " item "}"
#define ANSWER(text, schema)                                                                       \
    "      responses:\n        '200':\n          description: " text "\n          content: "       \
    "{application/json: {schema: " schema "}}\n        default: "                                  \
    "{$ref: '#/components/responses/AlertmanagerError'}\n"
#define DONE(text)                                                                                 \
    "      responses:\n        '200': {description: " text "}\n        default: "                  \
    "{$ref: '#/components/responses/AlertmanagerError'}\n"
#define HEAD(method, id, summary)                                                                  \
    "    " method ":\n      operationId: " id                                                      \
    "\n      tags: [alertmanager]\n      summary: " summary "\n"
#define QUERY(name, type, text)                                                                    \
    "        - {name: " name ", in: query, description: \"" text "\", schema: " type "}\n"
#define FLAG(name, text) QUERY(name, "{type: boolean, default: true}", text)
#define SILENCE_ID                                                                                 \
    "      parameters:\n        - {name: silenceID, in: path, required: true, schema: {type: "     \
    "string, format: uuid}}\n"
#define TEXTS "{type: array, items: {type: string}}"
#define FILTERS                                                                                    \
    QUERY("filter", TEXTS, "One matcher each; all must match.")                                    \
    QUERY("receiver", "{type: string}", "A regular expression for the whole name of a receiver.")  \
    QUERY("receiver_matchers", TEXTS, "One matcher each, of the labels of receivers.")             \
    FLAG("active", "false: without those that are active.")                                        \
    FLAG("silenced", "false: without those that are silenced.")                                    \
    FLAG("inhibited", "false: without those that are inhibited.")

static const struct {
    const char *path, *operations;
} PATHS[] = {
    {"/api/v2/alerts",
     HEAD("get", "alertmanagerAlerts", "Alerts that have not ended.") "      parameters:\n" FILTERS
         ANSWER("Sorted by fingerprint.", LIST(REF("GettableAlert")))
             HEAD("post", "alertmanagerPostAlerts", "Take alerts in.") "      requestBody: " JSON(
                 LIST(REF("PostableAlert"))) "\n" DONE("They are taken in.")},
    {"/api/v2/alerts/groups",
     HEAD("get", "alertmanagerGroups", "Alerts in their groups.") "      parameters:\n" FILTERS
         FLAG("muted", "false: without groups that are muted by time.")
             ANSWER("Sorted by labels and receiver.", LIST(REF("AlertGroup")))},
    {"/api/v2/silences",
     HEAD("get", "alertmanagerSilences", "Silences.") "      parameters:\n" QUERY(
         "filter", TEXTS,
         "Only those that have each of these very matchers.") FLAG("active",
                                                                   "false: without active ones.")
         FLAG("pending", "false: without pending ones.") FLAG(
             "expired", "false: without expired "
                        "ones.") ANSWER("Active ones first, then pending, then expired.",
                                        LIST(REF("GettableSilence")))
             HEAD("post", "alertmanagerPostSilence", "Make a silence, or with an id change one.") "      requestBody: " JSON(
                 REF("PostableSilence")) "\n" ANSWER("Its id, which is another one when it could "
                                                     "not be changed in place.",
                                                     "{type: object, properties: {silenceID: "
                                                     "{type: string}}}")},
    {"/api/v2/silence/{silenceID}",
     HEAD("get", "alertmanagerSilence", "A silence.")
         SILENCE_ID ANSWER("It.", REF("GettableSilence"))
             HEAD("delete", "alertmanagerExpireSilence", "Let a silence end now.")
                 SILENCE_ID DONE("It has ended.")},
    {"/api/v2/status", HEAD("get", "alertmanagerStatus", "Configuration and version.")
                           ANSWER("Secrets are hidden.", "{type: object}")},
    {"/api/v2/receivers",
     HEAD("get", "alertmanagerReceivers", "Receivers.") "      parameters:\n" QUERY(
         "receiver_matchers", TEXTS, "One matcher each, of their labels.")
         ANSWER("In the order of the file.",
                LIST("{type: object, properties: {name: {type: string}, labels: " REF(
                    "Labels") "}}"))},
};

void openapi_alertmanager_paths(struct buf *out, str root)
{
    for (size_t i = 0; i < COUNT_OF(PATHS); i++) {
        buf_printf(out, "  %s:\n    servers:\n      - url: ", PATHS[i].path);
        json_str(out, root.len > 0 ? root : STR("/"));
        buf_printf(out, "\n%s", PATHS[i].operations);
    }
}

const char OPENAPI_ALERTMANAGER_ERROR[] =
    "    AlertmanagerError:\n"
    "      description: The request failed.\n"
    "      content:\n"
    "        application/json:\n"
    "          schema:\n"
    "            oneOf:\n"
    "              - {type: string}\n"
    "              - {type: object, properties: {code: {type: integer}, message: {type: "
    "string}}}\n";

const char OPENAPI_ALERTMANAGER_SCHEMAS[] =
    "    PostableAlert:\n"
    "      type: object\n"
    "      required: [labels]\n"
    "      properties: {labels: " REF("Labels") ", annotations: " REF(
        "Labels") ", startsAt: {type:"
                  " string, format: date-time}, endsAt: {type: string, format: date-time}, "
                  "generatorURL: {type:"
                  " string, format: uri-reference}}\n"
                  "    GettableAlert:\n"
                  "      allOf:\n"
                  "        - " REF(
                      "PostableAlert") "\n"
                                       "        - type: object\n"
                                       "          required: [receivers, fingerprint, startsAt, "
                                       "updatedAt, endsAt, annotations, "
                                       "status]\n"
                                       "          properties:\n"
                                       "            receivers: {type: array, items: {type: object, "
                                       "properties: {name: {type: "
                                       "string}}}}\n"
                                       "            fingerprint: {type: string}\n"
                                       "            updatedAt: {type: string, format: date-time}\n"
                                       "            status: {type: object, properties: {state: "
                                       "{enum: [unprocessed, active, "
                                       "suppressed]}, silencedBy: " TEXTS ", inhibitedBy: " TEXTS
                                       ", mutedBy: " TEXTS "}}\n"
                                       "    AlertGroup:\n"
                                       "      type: object\n"
                                       "      required: [labels, receiver, alerts]\n"
                                       "      properties: {labels: " REF(
                                           "Labels") ", receiver: {type: object, properties: "
                                                     "{name: "
                                                     "{type: string}}}, routeLabels: " REF("Labels") ", alerts: " LIST(
                                                         REF("GettableAlert")) "}\n"
                                                                               "    "
                                                                               "PostableSilence:\n"
                                                                               "      type: "
                                                                               "object\n"
                                                                               "      required: "
                                                                               "[matchers, "
                                                                               "startsAt, endsAt, "
                                                                               "createdBy, "
                                                                               "comment]\n"
                                                                               "      properties:\n"
                                                                               "        id: {type: "
                                                                               "string}\n"
                                                                               "        matchers: "
                                                                               "{type: array, "
                                                                               "minItems: 1, "
                                                                               "items: {type: "
                                                                               "object, required: "
                                                                               "[name, value], "
                                                                               "properties: {name: "
                                                                               "{type: string}, "
                                                                               "value: {type: "
                                                                               "string}, isRegex: "
                                                                               "{type: boolean}, "
                                                                               "isEqual: "
                                                                               "{type: boolean, "
                                                                               "default: true}}}}\n"
                                                                               "        startsAt: "
                                                                               "{type: string, "
                                                                               "format: "
                                                                               "date-time}\n"
                                                                               "        endsAt: "
                                                                               "{type: string, "
                                                                               "format: "
                                                                               "date-time}\n"
                                                                               "        createdBy: "
                                                                               "{type: string}\n"
                                                                               "        comment: "
                                                                               "{type: string}\n"
                                                                               "        "
                                                                               "annotations: " REF(
                                                                                   "Labels") "\n"
                                                                                             "    "
                                                                                             "Getta"
                                                                                             "bleSi"
                                                                                             "lence"
                                                                                             ":\n"
                                                                                             "     "
                                                                                             " allO"
                                                                                             "f:\n"
                                                                                             "     "
                                                                                             "   "
                                                                                             "-"
                                                                                             " " REF(
                                                                                                 "P"
                                                                                                 "o"
                                                                                                 "s"
                                                                                                 "t"
                                                                                                 "a"
                                                                                                 "b"
                                                                                                 "l"
                                                                                                 "e"
                                                                                                 "S"
                                                                                                 "i"
                                                                                                 "l"
                                                                                                 "e"
                                                                                                 "n"
                                                                                                 "c"
                                                                                                 "e") "\n"
                                                                                                      "        - type: object\n"
                                                                                                      "          required: [id, status, updatedAt]\n"
                                                                                                      "          properties: {updatedAt: {type: string, format: date-time}, status: {type: object, "
                                                                                                      "properties: {state: {enum: [expired, active, pending]}}}}\n";
