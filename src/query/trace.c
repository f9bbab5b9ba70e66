/* trace.c -- see trace.h. */
#include "query/trace.h"

#include "base/clock.h"

static const unsigned SUMMED = 1U << TRACE_SAMPLES | 1U << TRACE_CHUNKS | 1U << TRACE_BYTES |
                               1U << TRACE_CACHE_HITS | 1U << TRACE_CACHE_MISSES |
                               1U << TRACE_READ_NS;

struct trace *trace_open(struct arena *a)
{
    struct trace *t = arena_zalloc(a, 1, sizeof(*t));
    if (t == NULL)
        return NULL;
    t->arena = a;
    t->root = arena_zalloc(a, 1, sizeof(*t->root));
    if (t->root == NULL)
        return NULL;
    t->root->what = "execute";
    t->root->text = STR("");
    t->root->start_mono_ns = clock_mono_ns();
    t->current = t->root;
    return t;
}

struct trace_node *trace_begin(struct trace *t, const char *what, str text)
{
    if (LIKELY(t == NULL))
        return NULL;
    struct trace_node *n = NULL;
    if (t->node_count < TRACE_NODES_MAX)
        n = arena_zalloc(t->arena, 1, sizeof(*n));
    if (n == NULL) {
        t->dropped++;
        return NULL;
    }
    struct trace_node *p = t->current;
    n->what = what;
    n->text = text;
    n->parent = p;
    if (p->last != NULL)
        p->last->next = n;
    else
        p->first = n;
    p->last = n;
    t->current = n;
    t->node_count++;
    n->start_mono_ns = clock_mono_ns();
    return n;
}

void trace_set(struct trace_node *n, enum trace_count c, uint64_t value)
{
    if (n == NULL)
        return;
    n->counts[c] = value;
    n->set |= 1U << c;
}

static void end_node(struct trace_node *n, uint64_t now_ns)
{
    n->total_ns = now_ns - n->start_mono_ns;
    for (unsigned c = 0; c < TRACE_COUNTS && n->parent != NULL; c++)
        if ((n->set & SUMMED & 1U << c) != 0)
            trace_set(n->parent, (enum trace_count)c, n->parent->counts[c] + n->counts[c]);
}

void trace_end(struct trace *t, struct trace_node *n)
{
    if (LIKELY(t == NULL) || n == NULL)
        return;
    uint64_t now_ns = clock_mono_ns();
    struct trace_node *c = t->current;
    for (; c != n; c = c->parent) /* left open by an error */
        end_node(c, now_ns);
    end_node(n, now_ns);
    t->current = n->parent != NULL ? n->parent : n;
}

uint64_t trace_self_ns(const struct trace_node *n)
{
    uint64_t children_ns = 0;
    for (const struct trace_node *c = n->first; c != NULL; c = c->next)
        children_ns += c->total_ns;
    return n->total_ns - MIN(children_ns, n->total_ns);
}
