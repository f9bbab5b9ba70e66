/* api_rule_groups.c -- /config/v1/rules: groups of rules set by HTTP, on the paths of Mimir's
 * ruler.
 *
 *   GET                       /config/v1/rules                all namespaces, as YAML
 *   GET, POST, DELETE         /config/v1/rules/NAMESPACE      its groups; set one; remove all
 *   GET, DELETE               /config/v1/rules/NAMESPACE/NAME one group
 *
 * Slashes in names are %2F. */
#include "http/api.h"
#include "http/target.h"

static const char PREFIX[] = "/config/v1/rules";

static void fail(struct http_request *r, err e, const struct diag *d)
{
    enum api_error type = e == ERR_NOTFOUND                    ? API_NOT_FOUND
                          : e == ERR_INVALID || e == ERR_LIMIT ? API_BAD_DATA
                          : e == ERR_BUSY                      ? API_TIMEOUT
                                                               : API_INTERNAL;
    api_fail(r, type, d->text[0] != '\0' ? d->text : err_name(e));
}

/* The parts of the path behind PREFIX; {NULL, 0} when there is none. */
static void split_path(str path, str *namespace, str *name)
{
    str rest = {path.ptr + strlen(PREFIX), path.len - strlen(PREFIX)};
    *namespace = *name = (str){NULL, 0};
    if (rest.len < 2)
        return;
    rest = (str){rest.ptr + 1, rest.len - 1};
    const char *slash = memchr(rest.ptr, '/', rest.len);
    *namespace = (str){rest.ptr, slash != NULL ? (size_t)(slash - rest.ptr) : rest.len};
    if (slash != NULL && namespace->len + 1 < rest.len)
        *name = (str){slash + 1, rest.len - namespace->len - 1};
}

/* A part of the path as the name it stands for. */
static str name_of(str part, struct buf *out)
{
    if (part.ptr == NULL)
        return part;
    buf_put_str(out, part);
    for (size_t i = 0; i < out->len; i++)
        if (out->ptr[i] == TARGET_SLASH)
            out->ptr[i] = '/';
    return buf_str(out);
}

static void show(struct http_request *r, str namespace, str name)
{
    struct buf yaml = {0};
    err e = rules_groups_yaml(api_of(r)->rules, namespace, name, &yaml);
    if (e != OK) {
        const struct diag d = {.text = "no rule groups found"};
        fail(r, e, &d);
    } else {
        struct buf *b = http_out(r);
        http_answer(r, 200, "application/yaml");
        buf_put(b, yaml.ptr, yaml.len);
    }
    buf_fini(&yaml);
}

static void accepted(struct http_request *r)
{
    struct buf *b = http_out(r);
    http_answer(r, 202, "application/json");
    buf_put_str(b, STR("{\"status\":\"success\",\"data\":null,\"errorType\":\"\",\"error\":\"\"}"));
}

static void change(struct http_request *r, str namespace, str name)
{
    struct diag d = {.text = ""};
    err e;
    if (namespace.len == 0 || (http_method(r) == HTTP_POST && name.len > 0))
        e = diag_set(&d, ERR_NOTFOUND, "no such path: groups are set at %s/NAMESPACE", PREFIX);
    else if (http_method(r) == HTTP_POST)
        e = rules_set_group(api_of(r)->rules, namespace, http_body(r), &d);
    else
        e = rules_delete_group(api_of(r)->rules, namespace, name, &d);
    if (e != OK)
        fail(r, e, &d);
    else
        accepted(r);
}

void api_rule_groups(struct http_request *r)
{
    struct buf a = {0}, b = {0};
    str namespace, name;
    split_path(http_path(r), &namespace, &name);
    namespace = name_of(namespace, &a);
    name = name_of(name, &b);
    if (http_method(r) == HTTP_GET)
        show(r, namespace, name);
    else if (api_admin_allowed(r))
        change(r, namespace, name);
    buf_fini(&a);
    buf_fini(&b);
}
