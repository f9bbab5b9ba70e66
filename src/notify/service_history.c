/* service_history.c -- the section `history:` of the extensions file, over the flags. */
#include "base/log.h"
#include "notify/service_priv.h"

err service_plan_history(struct notify_service *s, const struct alerting_ext *ext,
                         struct history_plan *plan, struct diag *d)
{
    const struct history_config *c = ext != NULL ? ext->history : NULL;
    struct buf agent = {0};
    *plan = (struct history_plan){.retention_ms = s->history_ms, .bytes_max = s->history_bytes};
    if (c == NULL)
        return OK;
    if (s->history == NULL)
        return diag_set(d, ERR_INVALID,
                        "%s: history: the flag --alertmanager.history-retention=0s says that none "
                        "is kept",
                        ext->file);
    if (c->retention_ms != 0)
        plan->retention_ms = c->retention_ms;
    if (c->max_bytes != 0)
        plan->bytes_max = c->max_bytes;
    plan->same_post = c->webhook_url.len > 0 && history_posts_to(s->history, c->webhook_url);
    if (c->webhook_url.len == 0 || plan->same_post)
        return OK;
    buf_printf(&agent, "Varve/" STR_FMT, STR_ARG(buf_str(&s->version)));
    err e = history_post_open(c->webhook_url, buf_str(&agent), &plan->post, d);
    buf_fini(&agent);
    return e;
}

void service_drop_history_plan(struct history_plan *plan)
{
    history_post_close(plan->post);
    plan->post = NULL;
}

void service_keep_history(struct notify_service *s, struct history_plan *plan)
{
    if (s->history == NULL)
        return;
    history_set_limits(s->history, plan->retention_ms, plan->bytes_max);
    if (plan->same_post)
        return;
    if (plan->post != NULL && history_post_start(plan->post) != OK)
        log_error("events of the history are not posted: there is no thread");
    history_post_close(history_set_post(s->history, plan->post));
    plan->post = NULL;
}
