/* reload.c -- see reload.h. */
#include "config/reload.h"

#include <stdio.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"

struct config_reloader {
    struct buf path;
    struct mutex reload_lock; /* one reload at a time, and the list of parts; rank: before `lock` */
    struct config_subscriber parts[CONFIG_SUBSCRIBERS_MAX];
    size_t count;
    struct mutex lock; /* guards all below; rank: leaf */
    struct cond stop;
    bool stopping;
    struct config *current;
    uint64_t checksum; /* of the files `current` was made of */
    /* the watching; set before its thread starts */
    pthread_t watcher;
    bool watching;
    int64_t interval_ms;
    err (*on_change)(void *arg, struct diag *d);
    void *arg;
};

struct config_reloader *config_reloader_open(const char *path)
{
    struct config_reloader *r = mem_zalloc(1, sizeof(*r));
    buf_put_str(&r->path, str_from(path));
    mutex_init(&r->reload_lock);
    mutex_init(&r->lock);
    cond_init(&r->stop);
    return r;
}

void config_reloader_close(struct config_reloader *r)
{
    if (r == NULL)
        return;
    mutex_lock(&r->lock);
    r->stopping = true;
    cond_signal(&r->stop);
    mutex_unlock(&r->lock);
    if (r->watching)
        thread_join(r->watcher);
    config_unref(r->current);
    buf_fini(&r->path);
    cond_fini(&r->stop);
    mutex_fini(&r->lock);
    mutex_fini(&r->reload_lock);
    mem_free(r);
}

void config_subscribe(struct config_reloader *r, const struct config_subscriber *s)
{
    mutex_lock(&r->reload_lock);
    ASSERT(r->count < CONFIG_SUBSCRIBERS_MAX);
    r->parts[r->count++] = *s;
    mutex_unlock(&r->reload_lock);
}

static unsigned parts_of(const struct config_reloader *r)
{
    unsigned parts = 0;
    for (size_t i = 0; i < r->count; i++)
        parts |= r->parts[i].parts;
    return parts;
}

unsigned config_parts(struct config_reloader *r)
{
    mutex_lock(&r->reload_lock);
    unsigned parts = parts_of(r);
    mutex_unlock(&r->reload_lock);
    return parts;
}

struct config *config_in_force(struct config_reloader *r)
{
    mutex_lock(&r->lock);
    struct config *c = r->current != NULL ? config_ref(r->current) : NULL;
    mutex_unlock(&r->lock);
    return c;
}

static void discard(struct config_reloader *r, void *const *prepared, size_t count)
{
    while (count-- > 0)
        if (r->parts[count].discard != NULL)
            r->parts[count].discard(r->parts[count].arg, prepared[count]);
}

/* Every part prepares, then every part commits. Holding reload_lock. */
static err put_in_force(struct config_reloader *r, struct config *fresh, struct diag *d)
{
    void *prepared[CONFIG_SUBSCRIBERS_MAX] = {NULL};
    for (size_t i = 0; i < r->count; i++) {
        const struct config_subscriber *s = &r->parts[i];
        err e = s->prepare != NULL ? s->prepare(s->arg, fresh, &prepared[i], d) : OK;
        if (e != OK) {
            (void)diag_set(d, e, "%s: %s", s->name, err_name(e));
            discard(r, prepared, i);
            return e;
        }
    }
    for (size_t i = 0; i < r->count; i++)
        r->parts[i].commit(r->parts[i].arg, fresh, prepared[i]);
    return OK;
}

/* Of all files, those that parts read themselves among them. Holding reload_lock. */
static uint64_t checksum(const struct config_reloader *r, const struct config *c)
{
    uint64_t sum = config_checksum(c);
    for (size_t i = 0; i < r->count; i++)
        if (r->parts[i].files != NULL)
            sum = config_checksum_more(sum, r->parts[i].files);
    return sum;
}

err config_reload(struct config_reloader *r, struct diag *d)
{
    struct config *fresh = NULL;
    uint64_t sum = 0;
    mutex_lock(&r->reload_lock);
    err e = config_load(buf_cstr(&r->path), &fresh, d);
    if (e == OK)
        e = config_supported(fresh, parts_of(r), 0, d);
    if (e == OK) {
        sum = checksum(r, fresh);
        e = put_in_force(r, fresh, d);
    }
    if (e == OK) {
        mutex_lock(&r->lock);
        struct config *old = r->current;
        r->current = fresh;
        r->checksum = sum;
        mutex_unlock(&r->lock);
        fresh = old;
    }
    mutex_unlock(&r->reload_lock);
    config_unref(fresh);
    return e;
}

/* ---- Watching ---- */

static bool has_changed(struct config_reloader *r)
{
    struct config *c = config_in_force(r);
    if (c == NULL)
        return false;
    mutex_lock(&r->reload_lock);
    uint64_t sum = checksum(r, c);
    mutex_unlock(&r->reload_lock);
    config_unref(c);
    mutex_lock(&r->lock);
    bool changed = sum != r->checksum;
    mutex_unlock(&r->lock);
    return changed;
}

/* Sleep one interval; false at the end. */
static bool wait_interval(struct config_reloader *r)
{
    uint64_t until = clock_mono_ns() + (uint64_t)r->interval_ms * 1000000;
    mutex_lock(&r->lock);
    while (!r->stopping && cond_wait_until(&r->stop, &r->lock, until))
        continue;
    bool go_on = !r->stopping;
    mutex_unlock(&r->lock);
    return go_on;
}

static void *watch(void *arg)
{
    struct config_reloader *r = arg;
    while (wait_interval(r)) {
        struct diag d = {.text = ""};
        if (!has_changed(r))
            continue;
        log_info("Configuration file change detected, reloading the configuration.");
        (void)r->on_change(r->arg, &d); /* says itself what went wrong */
    }
    return NULL;
}

err config_watch(struct config_reloader *r, int64_t interval_ms,
                 err (*reload)(void *arg, struct diag *d), void *arg)
{
    ASSERT(!r->watching);
    ASSERT(interval_ms > 0);
    r->interval_ms = interval_ms;
    r->on_change = reload;
    r->arg = arg;
    TRY(thread_start(&r->watcher, "config-watch", watch, r));
    r->watching = true;
    return OK;
}
