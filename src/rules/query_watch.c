/* query_watch.c -- see query_watch.h. */
#include "rules/query_watch.h"

static err run(const struct query_env *env, str text, const struct query_options *o,
               struct query **out, struct diag *d)
{
    TRY(query_prepare(env, text, o, out, d));
    return query_exec(*out, d);
}

err watched_query(const struct query_watch *w, const struct query_asker *who,
                  const struct query_env *env, str text, const struct query_options *o,
                  struct query **out, struct diag *d)
{
    struct query_options own = *o;
    struct diag why = {.text = ""};
    struct query *q = NULL;
    void *begun = NULL;
    own.canceled = NULL;
    if (who->off != NULL) { /* sequentially consistent: a stop is seen here or sets it again */
        atomic_store(&who->off->canceled, false);
        if (atomic_load(&who->off->stopped))
            atomic_store(&who->off->canceled, true);
        own.canceled = &who->off->canceled;
    }
    if (w != NULL)
        begun = w->begin(w->arg, who, text, &own, &own.progress);
    err e = run(env, text, &own, &q, &why);
    if (w != NULL)
        w->end(w->arg, begun, q, e, why.text);
    if (e == OK) {
        *out = q;
        return OK;
    }
    query_close(q);
    return diag_at(d, why.start, why.end, e, "%s", why.text);
}
