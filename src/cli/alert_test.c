/* alert_test.c -- varve alert test: a test notification through a receiver of a server. */
#include <stdio.h>

#include "base/compiler.h"
#include "base/mem.h"
#include "cli/alert_commands.h"

enum { TEST_TIMEOUT_MS = 40000 }; /* the server takes 30 s at most */

static void put_number(struct text_table *t, const struct jtree *n)
{
    char text[32];
    (void)snprintf(text, sizeof(text), "%lld", (long long)jtree_int(n, 0));
    text_table_put(t, str_from(text));
}

/* False: some were not sent. */
static bool show(const struct jtree *list)
{
    static const char *const HEAD[] = {"Integration", "Index", "Status", "Milliseconds", "Error"};
    struct text_table t = {0};
    bool all = true;
    text_table_begin(&t, HEAD, COUNT_OF(HEAD));
    for (size_t i = 0; i < jtree_count(list); i++) {
        const struct jtree *n = jtree_at(list, i);
        str status = jtree_text(jtree_get(n, "status"));
        all = all && str_eq(status, STR("sent"));
        text_table_put(&t, jtree_text(jtree_get(n, "integration")));
        put_number(&t, jtree_get(n, "index"));
        text_table_put(&t, status);
        put_number(&t, jtree_get(n, "latencyMs"));
        text_table_put(&t, jtree_text(jtree_get(n, "error")));
    }
    text_table_print(&t, stdout);
    text_table_fini(&t);
    return all;
}

static err ask(const struct alert_client_flags *f, const char *receiver, bool *all, struct diag *d)
{
    struct alert_client *c = NULL;
    struct buf path = {0}, text = {0};
    struct jtree *root = NULL;
    TRY(alert_client_open(f, &c, d));
    buf_put_str(&path, STR("/api/v1/alerting/test"));
    alert_client_param(&path, "receiver", str_from(receiver));
    err e = alert_client_send(c, "POST", buf_str(&path), (slice){NULL, 0}, &text, d);
    if (e == OK)
        e = jtree_parse_lax(buf_slice(&text), &root, d);
    const struct jtree *list = jtree_get(jtree_get(root, "data"), "integrations");
    if (e == OK && !jtree_is_array(list))
        e = diag_set(d, ERR_INVALID, "the server's answer has no list of integrations");
    if (e == OK)
        *all = show(list);
    jtree_free(root);
    alert_client_close(c);
    buf_fini(&path);
    buf_fini(&text);
    return e;
}

int alert_test(int argc, char **argv)
{
    struct flag flags[ALERT_CLIENT_FLAGS];
    struct alert_client_flags f;
    struct diag d = {.text = ""};
    char **rest = mem_zalloc((size_t)argc + 1, sizeof(*rest));
    int count = 0, code = 2;
    bool all = false;
    alert_client_flags(&f, flags);
    f.timeout_ms = TEST_TIMEOUT_MS;
    err e = flags_parse(flags, ALERT_CLIENT_FLAGS, argc, argv, rest, &count, &d);
    if (e == OK && count != 1)
        e = diag_set(&d, ERR_INVALID, "give the name of one receiver");
    if (e == ERR_NOTFOUND) {
        printf("usage: varve alert test [<flags>] <receiver>\n\nSend a test notification through "
               "all integrations of a receiver, and show what came of it.\n\nFlags:\n");
        flags_help(flags, ALERT_CLIENT_FLAGS, stdout);
        code = 0;
    } else if (e != OK) {
        (void)alert_failed("test", &d);
    } else {
        e = ask(&f, rest[0], &all, &d);
        code = e != OK ? alert_failed("test", &d) : all ? 0 : 1;
    }
    mem_free(rest);
    return code;
}
