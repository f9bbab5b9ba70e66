/* postable_silence.c -- see postable.h: a silence. */
#include <stdio.h>

#include "base/utf8.h"
#include "http/postable_priv.h"

enum { ARENA_BYTES_MAX = 16 << 20 };

static const char WHAT[] = "silence";

static err fail_limit(struct postable_error *e)
{
    return postable_fail(e, 400, 400, "silence takes more than %d bytes of memory",
                         ARENA_BYTES_MAX);
}

static err read_flag(const struct jtree *object, const char *key, const char *prefix, bool missing,
                     bool *out, struct postable_error *e)
{
    const struct jtree *n = jtree_get(object, key);
    char where[64];
    *out = jtree_bool(n, missing);
    if (jtree_is_null(n) || jtree_bool(n, true) == jtree_bool(n, false))
        return OK;
    (void)snprintf(where, sizeof(where), "%s%s", prefix, key);
    return postable_fail_type(e, WHAT, where, n, "a bool");
}

struct posted_matcher {
    str name, value;
    bool regex, equal;
};

static err read_matcher(const struct jtree *n, size_t index, struct posted_matcher *m,
                        struct postable_error *e)
{
    char prefix[32];
    (void)snprintf(prefix, sizeof(prefix), "matchers.%zu.", index);
    if (!jtree_is_object(n))
        return postable_fail_type(e, WHAT, "matchers", n, "a list of objects");
    TRY(read_flag(n, "isRegex", prefix, false, &m->regex, e));
    TRY(read_flag(n, "isEqual", prefix, true, &m->equal, e));
    TRY(postable_text(n, "name", WHAT, prefix, &m->name, e));
    return postable_text(n, "value", WHAT, prefix, &m->value, e);
}

/* The matchers as they were posted; *out is NULL when there is no list. */
static err read_matchers(const struct jtree *root, struct arena *a, struct posted_matcher **out,
                         size_t *count, struct postable_error *e)
{
    const struct jtree *list = jtree_get(root, "matchers");
    *out = NULL;
    *count = 0;
    if (jtree_is_null(list))
        return OK;
    if (!jtree_is_array(list))
        return postable_fail_type(e, WHAT, "matchers", list, "a list");
    if (jtree_count(list) > SILENCE_MATCHERS_MAX)
        return postable_fail(e, 400, 400, "silence has more than %d matchers",
                             SILENCE_MATCHERS_MAX);
    *count = jtree_count(list);
    *out = ARENA_ARRAY(a, struct posted_matcher, *count + 1);
    if (*out == NULL)
        return fail_limit(e);
    for (size_t i = 0; i < *count; i++)
        TRY(read_matcher(jtree_at(list, i), i, &(*out)[i], e));
    return OK;
}

static err read_annotations(const struct jtree *root, struct arena *a, struct pairs *out,
                            struct postable_error *e)
{
    const struct jtree *n = jtree_get(root, "annotations");
    struct jtree_member m = {0};
    if (jtree_is_null(n))
        return OK;
    if (!jtree_is_object(n))
        return postable_fail_type(e, WHAT, "annotations", n, "an object");
    out->items = ARENA_ARRAY(a, struct pair, jtree_count(n) + 1);
    if (out->items == NULL)
        return fail_limit(e);
    while (jtree_next(n, &m)) {
        if (!jtree_is_text(m.value))
            return postable_fail_type(e, WHAT, "annotations", m.value, "a string");
        out->items[out->count++] = (struct pair){m.key, jtree_text(m.value)};
    }
    return OK;
}

static err check_required(const struct silence *s, bool starts, bool ends,
                          const struct posted_matcher *ms, size_t count, struct postable_error *e)
{
    const struct {
        const char *name;
        bool given;
    } FIELDS[] = {{"comment", s->comment.ptr != NULL},
                  {"createdBy", s->created_by.ptr != NULL},
                  {"endsAt", ends},
                  {"matchers", ms != NULL}};
    for (size_t i = 0; i < COUNT_OF(FIELDS); i++)
        if (!FIELDS[i].given)
            return postable_fail(e, 422, 602, "%s in body is required", FIELDS[i].name);
    if (count == 0)
        return postable_fail(e, 422, 612, "matchers in body should have at least 1 items");
    for (size_t i = 0; i < count; i++)
        if (ms[i].name.ptr == NULL || ms[i].value.ptr == NULL)
            return postable_fail(e, 422, 602, "matchers.%zu.%s in body is required", i,
                                 ms[i].name.ptr == NULL ? "name" : "value");
    return starts ? OK : postable_fail(e, 422, 602, "startsAt in body is required");
}

/* Expressions are compiled here: an error of one is told in upstream's words, as a text. */
static err compile_matchers(struct postable_silence *p, const struct posted_matcher *ms,
                            size_t count, struct postable_error *e)
{
    struct alert_matchers *to = &p->silence.matchers;
    to->items = ARENA_ARRAY(&p->arena, struct matcher, count + 1);
    if (to->items == NULL)
        return fail_limit(e);
    for (size_t i = 0; i < count; i++) {
        enum matcher_type type = ms[i].regex ? (ms[i].equal ? MATCH_REGEX : MATCH_NOT_REGEX)
                                             : (ms[i].equal ? MATCH_EQUAL : MATCH_NOT_EQUAL);
        struct diag why = {.text = ""};
        struct buf quoted = {0};
        struct regex *plain = NULL;
        err failed = ms[i].regex ? regex_compile(ms[i].value, &plain, &why) : OK;
        regex_close(plain);
        if (failed == OK)
            failed = alert_matcher_init(&to->items[i], type, ms[i].name, ms[i].value, &why);
        if (failed == OK) {
            to->count++;
            continue;
        }
        utf8_quote(&quoted, ms[i].value);
        (void)postable_fail(e, 400, 0,
                            "invalid silence: invalid label matcher %zu: invalid regular "
                            "expression %s: %s",
                            i, buf_cstr(&quoted), why.text);
        buf_fini(&quoted);
        return ERR_INVALID;
    }
    return OK;
}

err postable_silence_parse(slice body, struct postable_silence *out, struct postable_error *e)
{
    struct silence *s = &out->silence;
    struct posted_matcher *ms;
    size_t count;
    bool starts, ends;
    *out = (struct postable_silence){0};
    arena_init(&out->arena, ARENA_BYTES_MAX);
    TRY(postable_parse_body(body, WHAT, &out->root, e));
    if (!jtree_is_object(out->root) && !jtree_is_null(out->root))
        return postable_fail_type(e, WHAT, "", out->root, "an object");
    TRY(postable_text(out->root, "id", WHAT, "", &s->id, e));
    TRY(postable_text(out->root, "comment", WHAT, "", &s->comment, e));
    TRY(postable_text(out->root, "createdBy", WHAT, "", &s->created_by, e));
    TRY(postable_time_of(out->root, "startsAt", WHAT, "", &s->starts_at_ms, &starts, e));
    TRY(postable_time_of(out->root, "endsAt", WHAT, "", &s->ends_at_ms, &ends, e));
    TRY(read_annotations(out->root, &out->arena, &s->annotations, e));
    TRY(read_matchers(out->root, &out->arena, &ms, &count, e));
    TRY(check_required(s, starts, ends, ms, count, e));
    return compile_matchers(out, ms, count, e);
}

void postable_silence_fini(struct postable_silence *p)
{
    alert_matchers_fini(&p->silence.matchers);
    jtree_free(p->root);
    arena_fini(&p->arena);
    *p = (struct postable_silence){0};
}
