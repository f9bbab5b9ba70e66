/* relabel_config.c -- relabelling rules of prometheus.yml: read, compiled, checked, printed. */
#include <stddef.h>
#include <strings.h>

#include "base/mem.h"
#include "base/utf8.h"

#include "config/config.h"
#include "config/config_priv.h"
#include "model/labels.h"

#define RULE(name) offsetof(struct relabel_config, name)

static const char *const ACTIONS[] = {"replace",   "keep",      "drop",     "keepequal",
                                      "dropequal", "hashmod",   "labelmap", "labeldrop",
                                      "labelkeep", "lowercase", "uppercase"};

const char *config_action_name(int action)
{
    return ACTIONS[action];
}

static err read_action(struct decode *c, const struct yaml *n, void *place)
{
    str text;
    TRY(decode_text(c, n, &text));
    if (n->type == YAML_NULL)
        return decode_fail(c, n, "relabel action cannot be empty");
    for (int i = 0; i < (int)COUNT_OF(ACTIONS); i++) {
        if (text.len == strlen(ACTIONS[i]) && strncasecmp(text.ptr, ACTIONS[i], text.len) == 0) {
            *(int *)place = i;
            return OK;
        }
    }
    return decode_fail(c, n, "unknown relabel action \"" STR_FMT "\"", STR_ARG(text));
}

static bool print_action(const void *place, struct yaml_out *out)
{
    if (out != NULL)
        print_text(out, str_from(ACTIONS[*(const int *)place]));
    return true;
}

/* ---- Expressions ---- */

static err compile(struct decode *c, const struct yaml *n, str text, struct regex **out)
{
    struct diag why = {.text = ""};
    struct regex *re = NULL;
    err e = regex_compile(text, &re, &why);
    if (e != OK)
        return decode_fail(c, n, "%s", why.text[0] != '\0' ? why.text : "regex too large");
    config_keep_regex(c->user, re);
    *out = re;
    return OK;
}

static bool print_regex(const void *place, struct yaml_out *out)
{
    const struct relabel_config *r =
        (const struct relabel_config *)((const uint8_t *)place - RULE(regex_text));
    if (r->regex_is_default)
        return false;
    if (out != NULL && r->regex_text.len == 0)
        print_plain(out, "null"); /* as upstream: null reads as "" */
    else if (out != NULL)
        print_text(out, r->regex_text);
    return true;
}

static err read_regex(struct decode *c, const struct yaml *n, void *place)
{
    struct relabel_config *r = (struct relabel_config *)((uint8_t *)place - RULE(regex_text));
    TRY(decode_text(c, n, &r->regex_text));
    r->regex_is_default = false;
    return compile(c, n, r->regex_text, &r->regex);
}

static const struct decode_field FIELDS[] = {
    {.key = "source_labels", .kind = DECODE_TEXTS, .offset = RULE(source_labels), .flow = true},
    {.key = "separator", .kind = DECODE_TEXT, .offset = RULE(separator)},
    {.key = "regex",
     .kind = DECODE_CUSTOM,
     .offset = RULE(regex_text),
     .custom = read_regex,
     .print = print_regex},
    {.key = "modulus", .kind = DECODE_U64, .offset = RULE(modulus)},
    {.key = "target_label", .kind = DECODE_TEXT, .offset = RULE(target_label)},
    {.key = "replacement", .kind = DECODE_TEXT, .offset = RULE(replacement)},
    {.key = "action",
     .kind = DECODE_CUSTOM,
     .offset = RULE(action),
     .custom = read_action,
     .print = print_action},
};

static void defaults(void *s)
{
    struct relabel_config *r = s;
    r->separator = STR(";");
    r->regex_text = STR("(.*)");
    r->regex_is_default = true;
    r->replacement = STR("$1");
    r->action = RELABEL_REPLACE;
}

static err finish(struct decode *c, const struct yaml *n, void *s)
{
    struct relabel_config *r = s;
    r->place = config_place_of(c, n);
    for (size_t i = 0; i < r->source_labels.count; i++) {
        str name = r->source_labels.items[i];
        if (!config_label_name_ok(name, NAMES_UTF8))
            return decode_fail(c, n, "\"" STR_FMT "\" is not a valid label name", STR_ARG(name));
    }
    return r->regex == NULL ? compile(c, n, r->regex_text, &r->regex) : OK;
}

static const struct decode_schema RELABEL_SCHEMA = {
    .fields = FIELDS,
    .field_count = COUNT_OF(FIELDS),
    .size = sizeof(struct relabel_config),
    .defaults = defaults,
    .finish = finish,
    .type = "relabel.plain",
};

err relabel_read(struct decode *c, const struct yaml *n, struct relabel_configs *out,
                 const char *null_text)
{
    struct relabel_configs list = {0};
    if (n->type == YAML_NULL)
        return OK;
    if (n->type != YAML_LIST)
        return decode_fail(c, n, "must be a list");
    size_t count = 0;
    for (const struct yaml *child = n->first; child != NULL; child = child->next)
        count++;
    list.items = ARENA_ARRAY(c->arena, struct relabel_config, count + 1);
    if (list.items == NULL)
        return diag_set(c->d, ERR_LIMIT, "%s: too large", c->path);
    for (const struct yaml *child = n->first; child != NULL; child = child->next) {
        if (child->type == YAML_NULL)
            return decode_fail(c, child, "%s", null_text);
        TRY(decode_struct(c, &RELABEL_SCHEMA, child, &list.items[list.count++]));
    }
    *out = list;
    return OK;
}

bool relabel_print(const void *place, struct yaml_out *out)
{
    const struct relabel_configs *list = place;
    if (list->count == 0 || out == NULL)
        return list->count > 0;
    print_list_begin(out);
    for (size_t i = 0; i < list->count; i++) {
        print_map_begin(out);
        print_fields(out, &RELABEL_SCHEMA, &list->items[i]);
        print_map_end(out);
    }
    print_list_end(out);
    return true;
}

/* ---- Checks, once the scheme of names is known ---- */

bool config_label_name_ok(str name, int names)
{
    return name.len > 0 && (names == NAMES_LEGACY ? label_name_is_legacy(name) : utf8_valid(name));
}

static bool is_word(char ch)
{
    return (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || (ch >= '0' && ch <= '9') ||
           ch == '_';
}

/* Bytes of a variable at the start of `s`, "$1", "${name}"; 0: none. */
static size_t variable_size(str s)
{
    size_t i = 1;
    if (s.len < 2 || s.ptr[0] != '$')
        return 0;
    bool brace = s.ptr[1] == '{';
    i += brace;
    size_t start = i;
    while (i < s.len && is_word(s.ptr[i]))
        i++;
    if (i == start || (brace && (i == s.len || s.ptr[i] != '}')))
        return 0;
    return brace ? i + 1 : i;
}

/* A legacy name in which variables may stand. */
static bool is_legacy_template(str s)
{
    if (s.len == 0 || (s.ptr[0] >= '0' && s.ptr[0] <= '9'))
        return false;
    for (size_t i = 0; i < s.len;) {
        size_t size = is_word(s.ptr[i]) ? 1 : variable_size((str){s.ptr + i, s.len - i});
        if (size == 0)
            return false;
        i += size;
    }
    return true;
}

static bool template_ok(str s, int names)
{
    return names == NAMES_LEGACY ? is_legacy_template(s) : config_label_name_ok(s, names);
}

static err check_target(struct decode *c, const struct relabel_config *r, int names)
{
    if (r->target_label.len == 0)
        return config_fail_at(c, r->place,
                              "relabel configuration for %s action requires 'target_label' value",
                              ACTIONS[r->action]);
    bool variable = memchr(r->target_label.ptr, '$', r->target_label.len) != NULL;
    bool good = r->action == RELABEL_REPLACE && variable
                    ? template_ok(r->target_label, names)
                    : config_label_name_ok(r->target_label, names);
    if (!good)
        return config_fail_at(c, r->place,
                              "\"" STR_FMT "\" is invalid 'target_label' for %s action",
                              STR_ARG(r->target_label), ACTIONS[r->action]);
    return OK;
}

static bool is_plain(const struct relabel_config *r, bool regex_too)
{
    return (!regex_too || r->regex_is_default) && r->modulus == 0 &&
           str_eq(r->separator, STR(";")) && str_eq(r->replacement, STR("$1"));
}

static err check_rule(struct decode *c, const struct relabel_config *r, int names)
{
    int a = r->action;
    bool equal = a == RELABEL_KEEPEQUAL || a == RELABEL_DROPEQUAL;
    bool letters = a == RELABEL_LOWERCASE || a == RELABEL_UPPERCASE;
    if (a == RELABEL_HASHMOD && r->modulus == 0)
        return config_fail_at(c, r->place,
                              "relabel configuration for hashmod requires non-zero modulus");
    if (a == RELABEL_REPLACE || a == RELABEL_HASHMOD || letters || equal)
        TRY(check_target(c, r, names));
    if ((letters || equal) && !str_eq(r->replacement, STR("$1")))
        return config_fail_at(c, r->place, "'replacement' can not be set for %s action",
                              ACTIONS[a]);
    if (a == RELABEL_LABELMAP && !template_ok(r->replacement, names))
        return config_fail_at(c, r->place, "\"" STR_FMT "\" is invalid 'replacement' for %s action",
                              STR_ARG(r->replacement), ACTIONS[a]);
    if (equal && !is_plain(r, true))
        return config_fail_at(
            c, r->place,
            "%s action requires only 'source_labels' and `target_label`, and no other fields",
            ACTIONS[a]);
    if ((a == RELABEL_LABELDROP || a == RELABEL_LABELKEEP) &&
        (r->source_labels.items != NULL || r->target_label.len > 0 || !is_plain(r, false)))
        return config_fail_at(c, r->place, "%s action requires only 'regex', and no other fields",
                              ACTIONS[a]);
    return OK;
}

err relabel_check_all(struct decode *c, struct relabel_configs *rules, int names)
{
    for (size_t i = 0; i < rules->count; i++) {
        rules->items[i].names = names;
        TRY(check_rule(c, &rules->items[i], names));
    }
    return OK;
}
