/* alert_fanout.c -- see alert_fanout.h. */
#include "rules/alert_fanout.h"

void alert_fanout_init(struct alert_fanout *f)
{
    *f = (struct alert_fanout){.count = 0};
    rwlock_init(&f->lock);
}

void alert_fanout_fini(struct alert_fanout *f)
{
    rwlock_fini(&f->lock);
}

err alert_fanout_join(struct alert_fanout *f, struct alert_sink s)
{
    rwlock_write(&f->lock);
    bool room = f->count < ALERT_SINKS_MAX;
    if (room)
        f->sinks[f->count++] = s;
    rwlock_unlock(&f->lock);
    return room ? OK : ERR_FULL;
}

void alert_fanout_leave(struct alert_fanout *f, const void *arg)
{
    unsigned kept = 0;
    rwlock_write(&f->lock);
    for (unsigned i = 0; i < f->count; i++)
        if (f->sinks[i].arg != arg)
            f->sinks[kept++] = f->sinks[i];
    f->count = kept;
    rwlock_unlock(&f->lock);
}

static void send(void *arg, const struct alert *alerts, size_t count)
{
    struct alert_fanout *f = arg;
    rwlock_read(&f->lock);
    for (unsigned i = 0; i < f->count; i++)
        f->sinks[i].send(f->sinks[i].arg, alerts, count);
    rwlock_unlock(&f->lock);
}

struct alert_sink alert_fanout_sink(struct alert_fanout *f)
{
    return (struct alert_sink){.arg = f, .send = send};
}
