/* check_targets.c -- see check_targets.h. */
#include "cli/check_targets.h"

#include "ingest/discovery.h"
#include "ingest/scrape_target.h"
#include "rules/sender_set.h"
#include "rules/sender_target.h"

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

/* An Alertmanager at an address that relabelling leaves unusable would never be told. */
static err check_alertmanager(const struct alertmanager_config *am, struct labels found,
                              struct diag *d)
{
    struct arena a;
    struct relabel_labels work;
    struct buf url = {0};
    enum sender_verdict verdict = SENDER_ACTIVE;
    arena_init(&a, SENDER_TARGET_BYTES_MAX);
    relabel_labels_init(&work, &a);
    err e = sender_target_url(am, found, &work, &verdict, &url);
    if (e == OK && verdict == SENDER_INVALID)
        e = diag_set(d, ERR_INVALID, "\"" STR_FMT "\" is not a valid hostname",
                     STR_ARG(relabel_labels_get(&work, STR("__address__"))));
    relabel_labels_fini(&work);
    arena_fini(&a);
    buf_fini(&url);
    return e;
}

static err check_alertmanagers(const void *am, const struct static_sd_config *groups,
                               struct diag *d)
{
    err e = OK;
    struct sd_build b = {0};
    struct sd_targets *targets;
    sd_build_begin(&b);
    sd_groups_static(groups, NULL, STR(""), &b);
    TRY(sd_build_end(&b, &targets));
    for (size_t i = 0; e == OK && i < sd_targets_count(targets); i++)
        e = check_alertmanager(am, sd_targets_at(targets, i), d);
    sd_targets_unref(targets);
    return e;
}

typedef err check_groups(const void *of, const struct static_sd_config *groups, struct diag *d);

static err check_jobs_groups(const void *job, const struct static_sd_config *groups, struct diag *d)
{
    return check_group_targets(job, groups, d);
}

static err check_discovery(const struct sd_configs *all, check_groups *check, const void *of,
                           struct diag *d)
{
    for (size_t k = 0; k < all->count; k++) {
        const struct sd_config *sd = &all->items[k];
        struct diag why = {.text = ""};
        if (sd->kind != SD_STATIC)
            continue;
        err e = check(of, sd->static_, &why);
        if (e != OK)
            return diag_set(d, e, "%s:%u:%u: %s", sd->place.file, sd->place.line, sd->place.column,
                            why.text);
    }
    return OK;
}

err check_static_targets(const struct config *c, struct diag *d)
{
    for (size_t i = 0; i < c->jobs.count; i++)
        TRY(check_discovery(&c->jobs.items[i].discovery, check_jobs_groups, &c->jobs.items[i], d));
    for (size_t i = 0; i < c->alerting.alertmanagers.count; i++) {
        const struct alertmanager_config *am = &c->alerting.alertmanagers.items[i];
        TRY(check_discovery(&am->discovery, check_alertmanagers, am, d));
    }
    return OK;
}
