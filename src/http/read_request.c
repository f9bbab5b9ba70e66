/* read_request.c -- see read_request.h. */
#include "http/read_request.h"

#include "ingest/protobuf.h"

struct decoder {
    struct read_request *r;
    struct labels external;
    struct arena *a;
    struct diag *d;
};

static err bad(struct diag *d)
{
    return diag_set(d, ERR_INVALID, "proto: malformed ReadRequest");
}

static err no_memory(const struct decoder *c)
{
    return diag_set(c->d, ERR_LIMIT, "request needs too much memory (limit %zu bytes)",
                    c->a->budget_bytes);
}

/* One more place; the array is doubled at every power of two. */
static err grow(struct decoder *c, struct read_matchers *list)
{
    size_t have = list->count;
    if ((have & (have - 1)) != 0)
        return OK;
    struct matcher *items =
        arena_grow(c->a, list->items, have, have == 0 ? 1 : 2 * have, sizeof(*items));
    if (items == NULL)
        return no_memory(c);
    list->items = items;
    return OK;
}

static err add(struct decoder *c, struct read_matchers *list, enum matcher_type type, str name,
               str value)
{
    TRY(grow(c, list));
    if (matcher_init(&list->items[list->count], type, name, value, c->d) != OK)
        return ERR_UNSUPPORTED;
    list->count++;
    return OK;
}

/* Labels that the series carries itself are asked for in the store; of a label that it has from
 * outside the store knows nothing. */
static err add_matcher(struct decoder *c, struct read_query *q, enum matcher_type type, str name,
                       str value)
{
    str outside = labels_get(c->external, name);
    if (outside.ptr == NULL)
        return add(c, &q->matchers, type, name, value);
    TRY(add(c, &q->external, type, name, value));
    if (matcher_matches(&q->external.items[q->external.count - 1], outside))
        return OK;
    return add(c, &q->matchers, type, name, value);
}

/* LabelMatcher {type=1, name=2, value=3}. */
static err read_matcher(struct decoder *c, struct read_query *q, slice message)
{
    uint64_t type = 0;
    str name = {"", 0}, value = {"", 0};
    struct pb p = pb_of(message);
    while (pb_next(&p)) {
        if (p.field == 1)
            type = pb_varint(&p);
        else if (p.field == 2)
            name = pb_text(&p);
        else if (p.field == 3)
            value = pb_text(&p);
        else
            pb_skip(&p);
    }
    if (p.bad)
        return bad(c->d);
    if (type > MATCH_NOT_REGEX)
        return diag_set(c->d, ERR_UNSUPPORTED, "invalid matcher type");
    if (c->r->matcher_count++ == READ_MATCHERS_MAX)
        return diag_set(c->d, ERR_INVALID, "too many matchers (limit %d)", READ_MATCHERS_MAX);
    str n = arena_str(c->a, name), v = arena_str(c->a, value);
    if (n.ptr == NULL || v.ptr == NULL)
        return no_memory(c);
    return add_matcher(c, q, (enum matcher_type)type, n, v);
}

/* ReadHints {step_ms=1, func=2, start_ms=3, end_ms=4, ...}: the range may only become narrower. */
static err read_hints(struct decoder *c, struct read_query *q, slice message)
{
    int64_t start_ms = 0, end_ms = 0;
    struct pb p = pb_of(message);
    while (pb_next(&p)) {
        if (p.field == 2)
            q->labels_only = str_eq(pb_text(&p), STR("series"));
        else if (p.field == 3)
            start_ms = (int64_t)pb_varint(&p);
        else if (p.field == 4)
            end_ms = (int64_t)pb_varint(&p);
        else
            pb_skip(&p);
    }
    if (p.bad)
        return bad(c->d);
    if ((start_ms != 0 || end_ms != 0) && start_ms <= end_ms) {
        q->min_ms = MAX(q->min_ms, start_ms);
        q->max_ms = MIN(q->max_ms, end_ms);
    }
    return OK;
}

/* Query {start_timestamp_ms=1, end_timestamp_ms=2, matchers=3, hints=4}. */
static err read_query(struct decoder *c, slice message)
{
    if (c->r->query_count == READ_QUERIES_MAX)
        return diag_set(c->d, ERR_INVALID, "too many queries (limit %d)", READ_QUERIES_MAX);
    struct read_query *q = &c->r->queries[c->r->query_count++];
    slice hints = {0};
    bool hinted = false;
    struct pb p = pb_of(message);
    while (pb_next(&p)) {
        if (p.field == 1) {
            q->min_ms = (int64_t)pb_varint(&p);
        } else if (p.field == 2) {
            q->max_ms = (int64_t)pb_varint(&p);
        } else if (p.field == 3) {
            TRY(read_matcher(c, q, pb_bytes(&p)));
        } else if (p.field == 4) {
            hints = pb_bytes(&p);
            hinted = true;
        } else {
            pb_skip(&p);
        }
    }
    if (p.bad)
        return bad(c->d);
    return hinted ? read_hints(c, q, hints) : OK;
}

struct type_choice { /* the first type of the client's list that we have */
    bool any, found;
    enum read_type type;
};

static void offer(struct type_choice *c, uint64_t type)
{
    c->any = true;
    if (c->found || type > READ_CHUNKS)
        return;
    c->found = true;
    c->type = (enum read_type)type;
}

/* accepted_response_types=2, packed or not. */
static void read_types(struct pb *p, struct type_choice *c)
{
    if (p->wire != PB_BYTES) {
        offer(c, pb_varint(p));
        return;
    }
    struct pb packed = pb_of(pb_bytes(p));
    while (packed.pos < packed.end)
        offer(c, pb_raw_varint(&packed));
    p->bad |= packed.bad;
}

err read_request_decode(slice message, struct labels external, struct arena *a,
                        struct read_request *out, struct diag *d)
{
    struct decoder c = {.r = out, .external = external, .a = a, .d = d};
    struct type_choice choice = {0};
    struct pb p = pb_of(message);
    *out = (struct read_request){.queries = ARENA_ARRAY(a, struct read_query, READ_QUERIES_MAX)};
    if (out->queries == NULL)
        return no_memory(&c);
    while (pb_next(&p)) {
        if (p.field == 1)
            TRY(read_query(&c, pb_bytes(&p)));
        else if (p.field == 2)
            read_types(&p, &choice);
        else
            pb_skip(&p);
    }
    if (p.bad)
        return bad(d);
    if (choice.any && !choice.found)
        return diag_set(d, ERR_INVALID,
                        "server does not support any of the requested response types; supported: "
                        "SAMPLES, STREAMED_XOR_CHUNKS");
    out->type = choice.type;
    return OK;
}

static void fini_matchers(struct read_matchers *m)
{
    for (size_t i = 0; i < m->count; i++)
        matcher_fini(&m->items[i]);
}

void read_request_fini(struct read_request *r)
{
    for (size_t i = 0; i < r->query_count; i++) {
        fini_matchers(&r->queries[i].matchers);
        fini_matchers(&r->queries[i].external);
    }
    *r = (struct read_request){0};
}

bool read_query_matches(const struct read_query *q, struct labels merged)
{
    return matchers_match(q->external.items, q->external.count, merged);
}
