/* digester.c -- see digester.h. */
#include "notify/digester.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/sha256.h"
#include "base/thread.h"
#include "notify/digest_schedule.h"
#include "notify/digest_text.h"
#include "notify/engine_priv.h"
#include "notify/notice.h"

enum { ID_BYTES = 16 };

struct entry { /* a digest */
    const struct digest_config *config;
    char id[ID_BYTES];          /* hexadecimal: a hash of all that the file says of it */
    int64_t last_ms;            /* up to that, times of the schedule are done with; 0: it is new */
    int64_t covered_ms;         /* what happened before was told; 0: nothing was */
    int64_t looked_ms, next_ms; /* nothing comes between these */
};

struct digester {
    struct digester_options o;
    int64_t open_ms;
    struct alerting_ext *ext; /* held; NULL: there is no file */
    struct entry *entries;    /* of it */
    size_t count;
    bool looked; /* the configuration was, once */
    atomic_bool closing;
    struct mutex lock; /* for `woken` */
    struct cond woken;
    pthread_t thread;
    bool started;
};

/* ---- Which digests there are; under the engine's lock ---- */

static void identify(struct entry *e)
{
    const struct digest_config *c = e->config;
    char hex[SHA256_HEX_SIZE];
    struct buf all = {0};
    buf_put_string(&all, c->receiver);
    buf_put_string(&all, c->schedule.location);
    buf_put_varint(&all, c->include);
    for (size_t i = 0; i < c->schedule.times.count; i++)
        buf_put_string(&all, c->schedule.times.items[i]);
    for (size_t i = 0; i < c->matchers.count; i++)
        alert_matchers_format(&c->matchers.items[i], &all);
    sha256_hex(buf_slice(&all), hex);
    memcpy(e->id, hex, ID_BYTES);
    buf_fini(&all);
}

static slice key_of(const struct entry *e)
{
    return (slice){(const uint8_t *)e->id, ID_BYTES};
}

static void keep(struct engine *engine, const struct entry *e)
{
    struct buf value = {0};
    buf_put_zigzag(&value, e->last_ms);
    buf_put_zigzag(&value, e->covered_ms);
    slice bytes = buf_slice(&value);
    state_log_put(engine->state, STATE_DIGEST, key_of(e), &bytes);
    buf_fini(&value);
}

struct old_keys { /* of digests that are in the file no more */
    struct digester *d;
    struct buf keys;
};

static void restore(void *arg, slice key, slice value)
{
    struct old_keys *old = arg;
    struct reader r = reader_of(value);
    int64_t last_ms = read_zigzag(&r), covered_ms = read_zigzag(&r);
    bool known = false;
    for (size_t i = 0; i < old->d->count; i++) {
        struct entry *e = &old->d->entries[i];
        if (key.len != ID_BYTES || memcmp(key.ptr, e->id, ID_BYTES) != 0 || r.overrun)
            continue;
        e->last_ms = last_ms;
        e->covered_ms = covered_ms;
        known = true;
    }
    if (!known)
        buf_put_string(&old->keys, slice_text(key));
}

static void forget_old(struct engine *engine, const struct buf *keys)
{
    for (struct reader r = reader_of(buf_slice(keys)); reader_left(&r) > 0;)
        state_log_put(engine->state, STATE_DIGEST, read_string(&r), NULL);
}

/* A reload may have brought others. A digest that is new waits for its next time. */
static void refresh(struct digester *d, struct engine *engine, int64_t now_ms)
{
    struct alerting_ext *ext = engine->routing->companion.ext;
    struct old_keys old = {.d = d};
    if (d->looked && ext == d->ext)
        return;
    d->looked = true;
    alerting_ext_unref(d->ext);
    d->ext = ext != NULL ? alerting_ext_ref(ext) : NULL;
    d->count = ext != NULL ? ext->digests.count : 0;
    mem_free(d->entries);
    d->entries = mem_zalloc(d->count + 1, sizeof(*d->entries));
    for (size_t i = 0; i < d->count; i++) {
        d->entries[i].config = &ext->digests.items[i];
        identify(&d->entries[i]);
    }
    state_log_each(engine->state, STATE_DIGEST, restore, &old);
    forget_old(engine, &old.keys);
    buf_fini(&old.keys);
    for (size_t i = 0; i < d->count; i++) {
        if (d->entries[i].last_ms != 0)
            continue;
        d->entries[i].last_ms = now_ms;
        keep(engine, &d->entries[i]);
    }
}

/* ---- One digest ---- */

static void take_slo(void *to, const struct digest_slo *slo)
{
    digest_take_slo(to, slo);
}

static err gather(struct digester *d, struct digest_facts *f)
{
    const struct view_filter all = {.active = true, .silenced = true, .inhibited = true};
    struct view v = {0};
    struct engine *engine = notify_service_lock(d->o.service);
    err e = view_alerts(engine, &all, f->until_ms, &v);
    if (e == OK)
        digest_take_silences(f, engine_silences(engine));
    notify_service_unlock(d->o.service);
    if (e == OK)
        digest_take_alerts(f, &v);
    view_close(&v);
    if (e == OK)
        e = digest_take_history(f, notify_service_history(d->o.service), &d->closing);
    if (e == OK && d->o.slos != NULL)
        d->o.slos(d->o.arg, take_slo, f);
    return e;
}

enum { NUMBERS = 5 };

/* How many of each, as annotations. */
static size_t number_annotations(const struct digest_facts *f, struct label out[NUMBERS],
                                 struct buf texts[NUMBERS])
{
    const struct {
        str name;
        enum digest_part part;
        size_t count;
    } ALL[NUMBERS] = {{STR("fired"), DIGEST_FIRED, f->totals[DIGEST_OF_FIRED]},
                      {STR("objectives"), DIGEST_SLO, f->slo_count},
                      {STR("open"), DIGEST_OPEN, f->totals[DIGEST_OF_OPEN]},
                      {STR("resolved"), DIGEST_RESOLVED, f->totals[DIGEST_OF_RESOLVED]},
                      {STR("silences"), DIGEST_SILENCES, f->silence_count}};
    size_t n = 0;
    for (size_t i = 0; i < NUMBERS; i++) {
        bool unknown =
            !f->has_history && (ALL[i].part == DIGEST_FIRED || ALL[i].part == DIGEST_RESOLVED);
        if ((f->config->include & (1u << ALL[i].part)) == 0 || unknown)
            continue;
        buf_printf(&texts[n], "%zu", ALL[i].count);
        out[n] = (struct label){ALL[i].name, buf_str(&texts[n])};
        n++;
    }
    return n;
}

static err put_notice(struct engine *engine, const struct entry *e, const struct digest_facts *f,
                      int64_t scheduled_ms, struct diag *why)
{
    struct buf id = {0}, title = {0}, text = {0}, html = {0}, numbers[NUMBERS] = {{0}};
    struct label annotations[NUMBERS];
    struct label labels[] = {{STR("alertname"), STR("Digest")},
                             {STR("receiver"), e->config->receiver},
                             {STR("severity"), STR("info")}};
    digest_write(f, &title, &text, &html);
    buf_printf(&id, "digest/%.*s/%lld", ID_BYTES, e->id, (long long)scheduled_ms);
    const struct alert_notice n = {
        .id = buf_str(&id),
        .receiver = e->config->receiver,
        .title = buf_str(&title),
        .text = buf_str(&text),
        .html = buf_str(&html),
        .labels = {labels, COUNT_OF(labels)},
        .annotations = {annotations, number_annotations(f, annotations, numbers)},
        .starts_at_ms = f->since_ms,
        .ends_at_ms = f->until_ms};
    err failed = notice_put(engine, &n, f->until_ms, why);
    for (size_t i = 0; i < NUMBERS; i++)
        buf_fini(&numbers[i]);
    buf_fini(&id);
    buf_fini(&title);
    buf_fini(&text);
    buf_fini(&html);
    return failed;
}

/* The notice, and that it was made, come to disk together. */
static err commit(struct digester *d, struct entry *e, const struct digest_facts *f,
                  int64_t scheduled_ms, struct diag *why)
{
    struct engine *engine = notify_service_lock(d->o.service);
    err failed = put_notice(engine, e, f, scheduled_ms, why);
    if (failed == OK) {
        e->last_ms = scheduled_ms;
        e->covered_ms = f->until_ms;
        keep(engine, e);
    }
    notify_service_unlock(d->o.service);
    return failed;
}

static void tell(struct digester *d, struct entry *e, int64_t scheduled_ms, int64_t now_ms)
{
    struct digest_facts f;
    struct diag why = {.text = ""};
    int64_t since_ms =
        e->covered_ms != 0 ? e->covered_ms : digest_last_ms(&e->config->schedule, scheduled_ms - 1);
    digest_facts_init(&f, e->config, MIN(since_ms, now_ms), now_ms);
    err failed = gather(d, &f);
    if (failed == OK)
        failed = commit(d, e, &f, scheduled_ms, &why);
    digest_facts_fini(&f);
    if (failed == OK || failed == ERR_CANCELED)
        return;
    log_error("a digest could not be made; it is tried again",
              LOG_STR("receiver", e->config->receiver),
              LOG_CSTR("err", why.text[0] != '\0' ? why.text : err_name(failed)));
    e->next_ms = now_ms + DIGEST_RETRY_MS;
}

static void skip(struct digester *d, struct entry *e, int64_t scheduled_ms)
{
    log_warn("a digest is too late; the next one tells of its time as well",
             LOG_STR("receiver", e->config->receiver));
    e->last_ms = scheduled_ms;
    keep(notify_service_lock(d->o.service), e);
    notify_service_unlock(d->o.service);
}

static void look_at(struct digester *d, struct entry *e, int64_t now_ms)
{
    int64_t scheduled_ms = digest_last_ms(&e->config->schedule, now_ms);
    e->looked_ms = now_ms;
    e->next_ms = digest_next_ms(&e->config->schedule, now_ms);
    if (scheduled_ms <= e->last_ms)
        return;
    if (now_ms - scheduled_ms >= DIGEST_LATE_MS)
        skip(d, e, scheduled_ms);
    else
        tell(d, e, scheduled_ms, now_ms);
}

void digester_step(struct digester *d, int64_t now_ms)
{
    struct engine *engine = notify_service_lock(d->o.service);
    refresh(d, engine, now_ms);
    notify_service_unlock(d->o.service);
    if (now_ms >= d->open_ms && now_ms - d->open_ms < d->o.start_delay_ms)
        return;
    for (size_t i = 0; i < d->count && !atomic_load(&d->closing); i++)
        if (now_ms >= d->entries[i].next_ms || now_ms < d->entries[i].looked_ms)
            look_at(d, &d->entries[i], now_ms);
}

/* ---- The thread ---- */

static void *work(void *arg)
{
    struct digester *d = arg;
    while (!atomic_load(&d->closing)) {
        digester_step(d, clock_wall_ms());
        mutex_lock(&d->lock);
        uint64_t until_ns = clock_mono_ns() + (uint64_t)DIGEST_LOOK_MS * 1000000;
        while (!atomic_load(&d->closing) && cond_wait_until(&d->woken, &d->lock, until_ns))
            ;
        mutex_unlock(&d->lock);
    }
    return NULL;
}

struct digester *digester_open(const struct digester_options *o, int64_t now_ms)
{
    struct digester *d = mem_zalloc(1, sizeof(*d));
    d->o = *o;
    d->open_ms = now_ms;
    mutex_init(&d->lock);
    cond_init(&d->woken);
    return d;
}

err digester_start(struct digester *d)
{
    TRY(thread_start(&d->thread, "notify-digest", work, d));
    d->started = true;
    return OK;
}

void digester_close(struct digester *d)
{
    if (d == NULL)
        return;
    mutex_lock(&d->lock);
    atomic_store(&d->closing, true);
    cond_signal(&d->woken);
    mutex_unlock(&d->lock);
    if (d->started)
        thread_join(d->thread);
    alerting_ext_unref(d->ext);
    mem_free(d->entries);
    cond_fini(&d->woken);
    mutex_fini(&d->lock);
    mem_free(d);
}
