#include "ingest/scrape_static.h"

#include "base/mem.h"

enum { STATIC_BYTES_MAX = 256 << 20 };

static struct labels static_labels(const struct target_group *g, str address, struct arena *a)
{
    struct label *items = ARENA_ARRAY(a, struct label, g->labels.count + 1);
    size_t n = 0;
    if (items == NULL)
        return (struct labels){NULL, 0};
    items[n++] = (struct label){STR("__address__"), address};
    for (size_t i = 0; i < g->labels.count; i++)
        if (!str_eq(g->labels.items[i].name, STR("__address__"))) /* the target's own wins */
            items[n++] = (struct label){g->labels.items[i].name, g->labels.items[i].value};
    return (struct labels){items, labels_sort(items, n)};
}

static void set_job(struct scraper *s, const struct scrape_config *job)
{
    struct arena a;
    struct labels *all = NULL;
    size_t count = 0;
    arena_init(&a, STATIC_BYTES_MAX);
    for (size_t i = 0; i < job->discovery.count; i++) {
        const struct sd_config *sd = &job->discovery.items[i];
        for (size_t k = 0; sd->kind == SD_STATIC && k < sd->static_->group_count; k++) {
            const struct target_group *g = &sd->static_->groups[k];
            all = mem_resize(all, count + g->targets.count + 1, sizeof(*all));
            for (size_t t = 0; t < g->targets.count; t++)
                all[count++] = static_labels(g, g->targets.items[t], &a);
        }
    }
    scraper_set_targets(s, job->job_name, all, count);
    mem_free(all);
    arena_fini(&a);
}

static bool is_static(const struct scrape_config *job)
{
    bool only = true;
    for (size_t i = 0; i < job->discovery.count; i++)
        only &= job->discovery.items[i].kind == SD_STATIC;
    return only;
}

void scraper_set_static(struct scraper *s, const struct config *config)
{
    for (size_t i = 0; i < config->jobs.count; i++)
        if (is_static(&config->jobs.items[i]))
            set_job(s, &config->jobs.items[i]);
}
