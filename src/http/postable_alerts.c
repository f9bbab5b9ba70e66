/* postable_alerts.c -- see postable.h: lists of alerts. A value of the wrong type spoils the whole
 * list, as upstream has it; a label set that cannot be one only its alert. */
#include <stdio.h>
#include <stdlib.h>

#include "base/utf8.h"
#include "http/postable_priv.h"

enum { ARENA_BYTES_MAX = 128 << 20 };

static const char WHAT[] = "alerts";

static err out_of_memory(struct postable_error *e)
{
    return postable_fail(e, 400, 400, "alerts of one request take more than %d bytes of memory",
                         ARENA_BYTES_MAX);
}

/* Read an object of texts; {NULL, 0} when there is none. */
static err read_pairs(const struct jtree *object, const char *key, size_t index, struct arena *a,
                      struct labels *out, struct postable_error *e)
{
    const struct jtree *n = jtree_get(object, key);
    struct jtree_member m = {0};
    char where[64];
    size_t count = 0;
    *out = (struct labels){NULL, 0};
    if (jtree_is_null(n))
        return OK;
    (void)snprintf(where, sizeof(where), "%zu.%s", index, key);
    if (!jtree_is_object(n))
        return postable_fail_type(e, WHAT, where, n, "an object");
    struct label *items = ARENA_ARRAY(a, struct label, jtree_count(n) + 1);
    if (items == NULL)
        return out_of_memory(e);
    while (jtree_next(n, &m)) {
        if (!jtree_is_text(m.value) && !jtree_is_null(m.value))
            return postable_fail_type(e, WHAT, where, m.value, "a string");
        items[count++] = (struct label){m.key, jtree_text(m.value)};
    }
    *out = (struct labels){items, count};
    return OK;
}

/* Fields, and what must be there. */
static err read_alert(const struct jtree *n, size_t index, struct arena *a,
                      struct engine_alert *out, struct postable_error *e)
{
    char prefix[32];
    str url;
    bool given;
    (void)snprintf(prefix, sizeof(prefix), "%zu.", index);
    if (!jtree_is_object(n))
        return postable_fail_type(e, WHAT, "", n, "a list of objects");
    TRY(read_pairs(n, "labels", index, a, &out->labels, e));
    TRY(read_pairs(n, "annotations", index, a, &out->annotations, e));
    TRY(postable_time_of(n, "startsAt", WHAT, prefix, &out->starts_at_ms, &given, e));
    TRY(postable_time_of(n, "endsAt", WHAT, prefix, &out->ends_at_ms, &given, e));
    TRY(postable_text(n, "generatorURL", WHAT, prefix, &url, e));
    out->generator_url = url.ptr != NULL ? url : STR("");
    if (url.len > 0 && !postable_is_uri(url))
        return postable_fail(e, 422, 601, "%sgeneratorURL in body must be of type uri: \"%.*s\"",
                             prefix, (int)MIN(url.len, (size_t)256), url.ptr);
    if (out->labels.items == NULL)
        return postable_fail(e, 422, 602, "%slabels in body is required", prefix);
    return OK;
}

/* ---- Is it an alert? ---- */

static size_t text_bytes(const struct engine_alert *a)
{
    size_t n = a->generator_url.len;
    const struct labels sets[] = {a->labels, a->annotations};
    for (size_t s = 0; s < COUNT_OF(sets); s++)
        for (size_t i = 0; i < sets[s].count; i++)
            n += sets[s].items[i].name.len + sets[s].items[i].value.len;
    return n;
}

static const struct label *nameless(struct labels ls)
{
    for (size_t i = 0; i < ls.count; i++)
        if (ls.items[i].name.len == 0)
            return &ls.items[i];
    return NULL;
}

static int compare_names(const void *pa, const void *pb)
{
    return str_cmp(((const struct label *)pa)->name, ((const struct label *)pb)->name);
}

/* False, and said in `why`, when it is none. Times are as the engine will fill them in. */
static bool check_alert(struct engine_alert *a, int64_t now_ms, struct diag *why)
{
    struct label *labels = (struct label *)(uintptr_t)a->labels.items;
    struct label *annotations = (struct label *)(uintptr_t)a->annotations.items;
    int64_t starts_at_ms = a->starts_at_ms != 0 ? a->starts_at_ms
                           : a->ends_at_ms != 0 ? a->ends_at_ms
                                                : now_ms;
    a->labels.count = labels_sort(labels, a->labels.count);
    if (a->annotations.count > 1)
        qsort(annotations, a->annotations.count, sizeof(*annotations), compare_names);
    *why = (struct diag){.text = ""};
    if (a->ends_at_ms != 0 && a->ends_at_ms < starts_at_ms)
        (void)diag_set(why, ERR_INVALID, "start time must be before end time");
    else if (a->labels.count == 0)
        (void)diag_set(why, ERR_INVALID, "at least one label pair required");
    else if (nameless(a->labels) != NULL)
        (void)diag_set(why, ERR_INVALID, "invalid label set: invalid name \"\"");
    else if (nameless(a->annotations) != NULL)
        (void)diag_set(why, ERR_INVALID, "invalid annotations: invalid name \"\"");
    else if (text_bytes(a) > POSTABLE_ALERT_BYTES_MAX)
        (void)diag_set(why, ERR_LIMIT, "alert is larger than %d bytes", POSTABLE_ALERT_BYTES_MAX);
    return why->text[0] == '\0';
}

static void take(struct postable_alerts *p, const struct engine_alert *read, int64_t now_ms)
{
    struct diag why;
    p->items[p->count] = *read;
    if (check_alert(&p->items[p->count], now_ms, &why)) {
        p->count++;
        return;
    }
    if (p->invalid < POSTABLE_ERRORS_MAX) {
        buf_put_str(&p->errors, p->invalid > 0 ? STR("; ") : STR(""));
        buf_put_str(&p->errors, str_from(why.text));
    }
    p->invalid++;
}

err postable_alerts_parse(slice body, int64_t now_ms, struct postable_alerts *out,
                          struct postable_error *e)
{
    *out = (struct postable_alerts){0};
    arena_init(&out->arena, ARENA_BYTES_MAX);
    TRY(postable_parse_body(body, WHAT, &out->root, e));
    if (jtree_is_null(out->root))
        return OK;
    if (!jtree_is_array(out->root))
        return postable_fail_type(e, WHAT, "", out->root, "a list of alerts");
    size_t count = jtree_count(out->root);
    if (count > POSTABLE_ALERTS_MAX)
        return postable_fail(e, 400, 400, "more than %d alerts in one request",
                             POSTABLE_ALERTS_MAX);
    struct engine_alert *read = ARENA_ARRAY(&out->arena, struct engine_alert, count + 1);
    out->items = ARENA_ARRAY(&out->arena, struct engine_alert, count + 1);
    if (read == NULL || out->items == NULL)
        return out_of_memory(e);
    for (size_t i = 0; i < count; i++)
        TRY(read_alert(jtree_at(out->root, i), i, &out->arena, &read[i], e));
    for (size_t i = 0; i < count; i++)
        take(out, &read[i], now_ms);
    if (out->invalid > POSTABLE_ERRORS_MAX)
        buf_printf(&out->errors, "; and %zu more", out->invalid - POSTABLE_ERRORS_MAX);
    return OK;
}

void postable_alerts_fini(struct postable_alerts *p)
{
    jtree_free(p->root);
    arena_fini(&p->arena);
    buf_fini(&p->errors);
    *p = (struct postable_alerts){0};
}
