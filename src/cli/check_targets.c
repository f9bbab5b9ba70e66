/* check_targets.c -- see check_targets.h. */
#include "cli/check_targets.h"

#include "ingest/discovery.h"
#include "ingest/scrape_target.h"

static err make_one(const struct scrape_config *job, const struct labels found, struct diag *d)
{
    struct arena a;
    struct labels discovered;
    struct scrape_target *t = NULL;
    arena_init(&a, SCRAPE_TARGET_BYTES_MAX);
    err e = scrape_target_make(job, found, &a, &discovered, &t, d);
    scrape_target_free(t);
    arena_fini(&a);
    return e;
}

err check_group_targets(const struct scrape_config *job, const struct static_sd_config *groups,
                        struct diag *d)
{
    err e = OK;
    for (size_t g = 0; e == OK && g < groups->group_count; g++) {
        struct static_sd_config one = {&groups->groups[g], 1};
        struct sd_build b = {0};
        struct sd_targets *targets;
        sd_build_begin(&b);
        sd_groups_static(&one, NULL, STR(""), &b);
        TRY(sd_build_end(&b, &targets));
        for (size_t i = 0; e == OK && i < sd_targets_count(targets); i++) {
            struct diag why = {.text = ""};
            e = make_one(job, sd_targets_at(targets, i), &why);
            if (e != OK)
                (void)diag_set(d, e, "instance %zu in group %zu: %s", i, g, why.text);
        }
        sd_targets_unref(targets);
    }
    return e;
}

err check_static_targets(const struct config *c, struct diag *d)
{
    for (size_t i = 0; i < c->jobs.count; i++) {
        const struct sd_configs *all = &c->jobs.items[i].discovery;
        for (size_t k = 0; k < all->count; k++) {
            const struct sd_config *sd = &all->items[k];
            struct diag why = {.text = ""};
            if (sd->kind != SD_STATIC)
                continue;
            err e = check_group_targets(&c->jobs.items[i], sd->static_, &why);
            if (e != OK)
                return diag_set(d, e, "%s:%u:%u: %s", sd->place.file, sd->place.line,
                                sd->place.column, why.text);
        }
    }
    return OK;
}
