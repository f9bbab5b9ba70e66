#include "ingest/scrape_feed.h"

#include "base/mem.h"
#include "base/thread.h"

enum { SETS_BYTES_MAX = 64 << 20 };

struct fed_job {
    str name; /* lives as long as the configuration */
    bool fed;
    struct sd_targets **parts; /* as they were passed on last; referenced */
    size_t part_count;
};

struct scrape_feed {
    struct scraper *scraper;
    struct discovery *discovery;
    struct mutex lock; /* guards the rest; before the scraper's locks and those of discovery */
    struct config *config;
    struct fed_job *jobs;
    size_t job_count;
    struct buf name; /* scratch */
};

static str set_name(struct buf *b, str job)
{
    buf_reset(b);
    buf_put_str(b, STR("scrape/"));
    buf_put_str(b, job);
    return buf_str(b);
}

static void forget_parts(struct fed_job *j)
{
    for (size_t i = 0; i < j->part_count; i++)
        sd_targets_unref(j->parts[i]);
    mem_free(j->parts);
    j->parts = NULL;
    j->part_count = 0;
}

static void forget_jobs(struct scrape_feed *f)
{
    for (size_t i = 0; i < f->job_count; i++)
        forget_parts(&f->jobs[i]);
    mem_free(f->jobs);
    f->jobs = NULL;
    f->job_count = 0;
    config_unref(f->config);
    f->config = NULL;
}

/* Targets are never changed in place: the same parts are the same targets. */
static bool is_news(const struct fed_job *j, const struct discovery_view *v)
{
    bool same = j->fed && j->part_count == v->count;
    for (size_t i = 0; same && i < v->count; i++)
        same = j->parts[i] == v->parts[i];
    return !same;
}

static void pass_on(struct scrape_feed *f, struct fed_job *j, const struct discovery_view *v)
{
    size_t total = 0, n = 0;
    for (size_t i = 0; i < v->count; i++)
        total += sd_targets_count(v->parts[i]);
    struct labels *all = mem_zalloc(total + 1, sizeof(*all));
    struct sd_targets **parts = mem_zalloc(v->count + 1, sizeof(struct sd_targets *));
    for (size_t i = 0; i < v->count; i++) {
        parts[i] = sd_targets_ref(v->parts[i]);
        for (size_t k = 0; k < sd_targets_count(v->parts[i]); k++)
            all[n++] = sd_targets_at(v->parts[i], k);
    }
    scraper_set_targets(f->scraper, j->name, all, n);
    mem_free(all);
    forget_parts(j);
    j->parts = parts;
    j->part_count = v->count;
    j->fed = true;
}

/* With the lock. */
static void feed(struct scrape_feed *f)
{
    for (size_t i = 0; i < f->job_count; i++) {
        struct discovery_view v;
        discovery_look(f->discovery, set_name(&f->name, f->jobs[i].name), &v);
        if (is_news(&f->jobs[i], &v))
            pass_on(f, &f->jobs[i], &v);
        discovery_view_fini(&v);
    }
}

/* On a thread of discovery's. */
static void changed(void *arg)
{
    struct scrape_feed *f = arg;
    mutex_lock(&f->lock);
    feed(f);
    mutex_unlock(&f->lock);
}

err scrape_feed_open(struct scraper *s, str user_agent, struct scrape_feed **out)
{
    struct scrape_feed *f = mem_zalloc(1, sizeof(*f));
    struct discovery_options o = {.user_agent = user_agent, .changed = changed, .arg = f};
    f->scraper = s;
    mutex_init(&f->lock);
    err e = discovery_open(&o, &f->discovery);
    if (e != OK) {
        scrape_feed_close(f);
        return e;
    }
    *out = f;
    return OK;
}

void scrape_feed_close(struct scrape_feed *f)
{
    if (f == NULL)
        return;
    discovery_close(f->discovery);
    forget_jobs(f);
    buf_fini(&f->name);
    mutex_fini(&f->lock);
    mem_free(f);
}

/* What discovery shall find for the jobs. */
static err apply_discovery(struct scrape_feed *f, struct config *config, struct diag *d)
{
    size_t count = config->jobs.count;
    struct discovery_set *sets = mem_zalloc(count + 1, sizeof(*sets));
    struct arena a;
    arena_init(&a, SETS_BYTES_MAX);
    for (size_t i = 0; i < count; i++) {
        const struct scrape_config *job = &config->jobs.items[i];
        sets[i] = (struct discovery_set){arena_str(&a, set_name(&f->name, job->job_name)),
                                         &job->discovery};
    }
    err e = arena_exceeded(&a) ? diag_set(d, ERR_LIMIT, "the names of jobs need too much memory")
                               : discovery_apply(f->discovery, config, sets, count, d);
    mem_free(sets);
    arena_fini(&a);
    return e;
}

err scrape_feed_apply(struct scrape_feed *f, struct config *config, struct diag *d)
{
    mutex_lock(&f->lock);
    err e = scraper_apply(f->scraper, config, d);
    if (e == OK && (e = apply_discovery(f, config, d)) != OK && f->config != NULL) {
        struct diag again = {.text = ""}; /* it was obeyed before */
        if (scraper_apply(f->scraper, f->config, &again) != OK)
            (void)diag_set(d, e, "%s", again.text);
    }
    if (e == OK) {
        forget_jobs(f);
        f->config = config_ref(config);
        f->job_count = config->jobs.count;
        f->jobs = mem_zalloc(f->job_count + 1, sizeof(*f->jobs));
        for (size_t i = 0; i < f->job_count; i++)
            f->jobs[i].name = config->jobs.items[i].job_name;
        feed(f);
    }
    mutex_unlock(&f->lock);
    return e;
}

struct discovery *scrape_feed_discovery(struct scrape_feed *f)
{
    return f->discovery;
}
