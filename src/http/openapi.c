/* openapi.c -- see openapi.h. */
#include "http/openapi.h"

#include "http/json.h"
#include "http/openapi_tables.h"

/* ---- Parameters ---- */

static const struct openapi_param *find_param(str name)
{
    for (size_t i = 0; i < OPENAPI_PARAM_COUNT; i++)
        if (str_eq(name, str_from(OPENAPI_PARAMS[i].key)))
            return &OPENAPI_PARAMS[i];
    return NULL;
}

/* Take the next of "a b c!" off `rest`; '!' says that it is required. */
static bool next_param(str *rest, const struct openapi_param **out, bool *required)
{
    size_t n = 0;
    while (rest->len > 0 && rest->ptr[0] == ' ')
        *rest = (str){rest->ptr + 1, rest->len - 1};
    while (n < rest->len && rest->ptr[n] != ' ')
        n++;
    if (n == 0)
        return false;
    str word = {rest->ptr, n};
    *rest = (str){rest->ptr + n, rest->len - n};
    *required = word.ptr[word.len - 1] == '!';
    word.len -= *required;
    *out = find_param(word);
    return *out != NULL;
}

static void put_schema(struct buf *b, const char *indent, enum openapi_type type)
{
    static const char *const SCHEMAS[] = {
        [OPENAPI_TEXT] = "{type: string}",
        [OPENAPI_TEXTS] = "{type: array, items: {type: string}}",
        [OPENAPI_INTEGER] = "{type: integer, format: int64, minimum: 0}",
        [OPENAPI_BOOLEAN] = "{type: boolean}",
        [OPENAPI_TIME] = "{$ref: '#/components/schemas/Time'}",
        [OPENAPI_DURATION] = "{$ref: '#/components/schemas/Duration'}",
    };
    buf_printf(b, "%sschema: %s\n", indent, SCHEMAS[type]);
}

/* With `all_optional` they may also stand in a form. */
static void put_params(struct buf *b, const struct openapi_operation *o, bool all_optional)
{
    str rest = str_from(o->params);
    const struct openapi_param *p;
    bool required;
    if (rest.len == 0)
        return;
    buf_put_str(b, STR("      parameters:\n"));
    while (next_param(&rest, &p, &required)) {
        buf_printf(b, "        - name: \"%s\"\n          in: %s\n          required: %s\n", p->name,
                   p->in_path ? "path" : "query",
                   p->in_path || (required && !all_optional) ? "true" : "false");
        buf_put_str(b, STR("          description: "));
        json_str(b, str_from(p->text));
        buf_put_str(b, STR("\n"));
        put_schema(b, "          ", p->type);
    }
}

/* The same parameters as fields of a form. */
static void put_form(struct buf *b, const struct openapi_operation *o)
{
    str rest = str_from(o->params);
    const struct openapi_param *p;
    bool required, any = false;
    while (next_param(&rest, &p, &required)) {
        if (p->in_path)
            continue;
        if (!any)
            buf_put_str(b, STR("      requestBody:\n        content:\n"
                               "          application/x-www-form-urlencoded:\n"
                               "            schema:\n              type: object\n"
                               "              properties:\n"));
        any = true;
        buf_printf(b, "                \"%s\": ", p->name);
        buf_put_str(b, p->type == OPENAPI_TEXTS ? STR("{type: array, items: {type: string}}\n")
                                                : STR("{type: string}\n"));
    }
}

/* ---- Operations ---- */

static void put_answer(struct buf *b, const struct openapi_operation *o)
{
    buf_put_str(b, STR("      responses:\n"));
    if (o->media == NULL && o->data == NULL) {
        buf_put_str(b,
                    STR("        '204':\n          description: Done; there is nothing to say.\n"));
    } else if (o->media != NULL) {
        buf_printf(b,
                   "        '200':\n          description: Success.\n          content:\n"
                   "            %s:\n              %s: %s\n",
                   o->media, o->items ? "itemSchema" : "schema",
                   o->data != NULL ? o->data : "{type: string}");
    } else {
        buf_printf(b,
                   "        '200':\n          description: Success.\n          content:\n"
                   "            application/json:\n              schema:\n"
                   "                allOf:\n"
                   "                  - {$ref: '#/components/schemas/Success'}\n"
                   "                  - {type: object, properties: {data: %s}}\n",
                   o->data);
    }
    buf_put_str(b, STR("        default: {$ref: '#/components/responses/Error'}\n"));
}

static void put_method(struct buf *b, const struct openapi_operation *o, const char *method)
{
    bool form = strcmp(method, "get") != 0 && !o->raw_body;
    buf_printf(
        b, "    %s:\n      operationId: %s%s\n      tags: [%s]\n      summary: ", method, o->id,
        strcmp(method, o->methods) == 0 || strncmp(o->methods, method, strlen(method)) == 0 ? ""
        : strcmp(method, "put") == 0 ? "ByPut"
                                     : "ByForm",
        o->tag);
    json_str(b, str_from(o->summary));
    buf_put_u8(b, '\n');
    put_params(b, o, form);
    if (form)
        put_form(b, o);
    if (o->raw_body)
        buf_put_str(b, STR("      requestBody:\n        required: true\n        content:\n"
                           "          application/x-protobuf:\n"
                           "            schema: {type: string, format: binary}\n"));
    put_answer(b, o);
}

/* Operations of one path that differ stand one after the other. */
static void put_path(struct buf *b, const struct openapi_operation *o, str root)
{
    static const char *const METHODS[] = {"get", "post", "put", "delete"};
    if (o == OPENAPI_OPERATIONS || strcmp(o[-1].path, o->path) != 0)
        buf_printf(b, "  %s:\n", o->path);
    if (strcmp(o->tag, "health") == 0) { /* beside the API, not below it */
        buf_put_str(b, STR("    servers:\n      - url: "));
        json_str(b, root.len > 0 ? root : STR("/"));
        buf_put_u8(b, '\n');
    }
    for (size_t i = 0; i < COUNT_OF(METHODS); i++)
        if (strstr(o->methods, METHODS[i]) != NULL)
            put_method(b, o, METHODS[i]);
}

void openapi_yaml(bool is_32, const char *version, str base, struct buf *out)
{
    str below = STR("/api/v1");
    str root = {base.ptr, base.len >= below.len ? base.len - below.len : 0};
    buf_printf(out, "openapi: %s\ninfo:\n  title: Varve API\n  version: \"%s\"\n",
               is_32 ? "3.2.0" : "3.1.0", version);
    buf_put_str(out, STR("  description: Prometheus' HTTP API as Varve serves it.\n"
                         "servers:\n  - url: "));
    json_str(out, base);
    buf_put_str(out, STR("\ntags:\n"));
    for (size_t i = 0; i < OPENAPI_TAG_COUNT; i++)
        buf_printf(out, "  - {name: %s, description: \"%s\"}\n", OPENAPI_TAGS[i].name,
                   OPENAPI_TAGS[i].text);
    buf_put_str(out, STR("paths:\n"));
    for (size_t i = 0; i < OPENAPI_OPERATION_COUNT; i++)
        if (is_32 || !OPENAPI_OPERATIONS[i].items)
            put_path(out, &OPENAPI_OPERATIONS[i], root);
    openapi_alertmanager_paths(out, root);
    for (size_t i = 0; i < OPENAPI_COMPONENT_COUNT; i++)
        buf_put_str(out, str_from(OPENAPI_COMPONENTS[i]));
}

bool openapi_has(str path, str method)
{
    for (size_t i = 0; i < OPENAPI_OPERATION_COUNT; i++)
        if (str_eq(path, str_from(OPENAPI_OPERATIONS[i].path)) &&
            memmem(OPENAPI_OPERATIONS[i].methods, strlen(OPENAPI_OPERATIONS[i].methods), method.ptr,
                   method.len) != NULL)
            return true;
    return false;
}
