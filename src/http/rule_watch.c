/* rule_watch.c -- see rule_watch.h. */
#include "http/rule_watch.h"

#include "base/clock.h"
#include "base/mem.h"

struct watched {
    struct active_query active;
    struct query_asker who;
    str text;
    int64_t start_ms, end_ms, step_ms;
    atomic_bool unused; /* the flag of a query that nobody can end */
};

/* Under the keys that Grafana's headers have for its own rules. */
static struct query_origin origin_of(const struct query_asker *who)
{
    struct query_origin o = {.client = STR("")};
    o.tags[ORIGIN_RULE_TYPE] = str_from(who->kind);
    o.tags[ORIGIN_RULE_FOLDER] = who->file;
    o.tags[ORIGIN_RULE_NAME] = who->group;
    return o;
}

static void *begin(void *arg, const struct query_asker *who, str text,
                   const struct query_options *o, struct query_progress **progress)
{
    struct insight *i = arg;
    struct watched *w = mem_zalloc(1, sizeof(*w));
    w->who = *who;
    w->text = text;
    w->start_ms = o->start_ms;
    w->end_ms = o->end_ms;
    w->step_ms = o->step_ms;
    w->active.cancel = who->off != NULL ? &who->off->canceled : &w->unused;
    w->active.info = (struct active_info){.kind = who->kind,
                                          .query = text,
                                          .start_ms = o->start_ms,
                                          .end_ms = o->end_ms,
                                          .step_ms = o->step_ms,
                                          .start_mono_ns = clock_mono_ns(),
                                          .origin = origin_of(who)};
    active_run(&w->active);
    active_add(&i->active, &w->active);
    *progress = &w->active.progress;
    return w;
}

static void end(void *arg, void *begun, const struct query *q, err status, const char *error)
{
    struct insight *i = arg;
    struct watched *w = begun;
    struct query_event e = {.kind = w->who.kind,
                            .text = w->text,
                            .start_ms = w->start_ms,
                            .end_ms = w->end_ms,
                            .step_ms = w->step_ms,
                            .duration_ns = clock_mono_ns() - w->active.info.start_mono_ns,
                            .status = status,
                            .error = error,
                            .origin = origin_of(&w->who),
                            .rule_file = w->who.file,
                            .rule_group = w->who.group};
    active_remove(&i->active, &w->active);
    if (q != NULL) {
        e.expr = query_expr(q);
        e.stats = query_result(q)->stats;
        insight_query(i, &e);
    }
    mem_free(w);
}

struct query_watch rule_watch(struct insight *insight)
{
    return (struct query_watch){insight, begin, end};
}
