/* fuzz_alerting_ext.c -- any bytes as the extensions file, and, before a line of three dashes, as
 * the alertmanager.yml it goes with (else a fixed one): an error has a text that names the file;
 * what is taken keeps what its header promises. */
#include <string.h>

#include "base/assert.h"
#include "config/alerting_ext.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char ALERTMANAGER[] =
    "route: {receiver: main}\n"
    "receivers: [{name: main}, {name: backup}, {name: third}]\n"
    "time_intervals: [{name: work, time_intervals: [{weekdays: ['monday:friday']}]}]\n";

static void check_ladders(const struct alerting_ext *f)
{
    for (size_t i = 0; i < f->escalation_policies.count; i++) {
        const struct escalation_policy *p = &f->escalation_policies.items[i];
        ASSERT(p->levels.count >= 1 && p->levels.count <= ESCALATION_LEVELS_MAX);
        for (size_t l = 1; l < p->levels.count; l++)
            ASSERT(p->levels.items[l].after_ms > p->levels.items[l - 1].after_ms);
        ASSERT(alerting_ext_policy(f, p->name) != NULL);
    }
    for (size_t i = 0; i < f->escalation_bindings.count; i++)
        ASSERT(f->escalation_bindings.items[i].to != NULL);
}

static void check_delivery(const struct delivery_config *d)
{
    const struct delivery_retry *r = &d->retry;
    ASSERT(r->initial_ms > 0 && r->initial_ms <= r->max_backoff_ms && r->multiplier >= 1);
    ASSERT(r->jitter >= 0 && r->jitter <= 1 && r->max_attempts >= 0);
    for (size_t i = 0; i < d->fallbacks.count; i++) {
        const struct delivery_fallback *f = &d->fallbacks.items[i];
        ASSERT(delivery_fallback_of(d, f->receiver) == f);
        ASSERT(delivery_fallback_of(d, f->to) == NULL && f->after_failures > 0);
    }
    for (size_t i = 0; i < d->rate_limits.count; i++) {
        const struct delivery_rate *one = &d->rate_limits.items[i];
        ASSERT(delivery_rate_of(d, one->receiver) == one);
        ASSERT(one->per_ms > 0 && one->burst > 0 && one->per_ms <= INT64_MAX / one->burst);
    }
}

static void check_ext(struct alertmanager_file *am, slice text)
{
    struct alerting_ext *f = NULL;
    struct diag d = {.text = ""};
    static const struct label LABEL = {{"severity", 8}, {"critical", 8}};
    if (alerting_ext_parse("ext.yml", text, am, &f, &d) != OK) {
        ASSERT(strncmp(d.text, "ext.yml", 7) == 0);
        return;
    }
    check_ladders(f);
    if (f->delivery != NULL)
        check_delivery(f->delivery);
    for (size_t i = 0; i < f->escalation_bindings.count; i++)
        (void)matcher_sets_match(&f->escalation_bindings.items[i].matchers,
                                 (struct labels){&LABEL, 1});
    ASSERT(alerting_ext_supported(f, &d) == OK || d.text[0] != '\0');
    (void)alerting_ext_warnings(f);
    alerting_ext_unref(f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct alertmanager_file *am = NULL;
    struct diag d = {.text = ""};
    slice text = {data, size}, first = {(const uint8_t *)ALERTMANAGER, sizeof(ALERTMANAGER) - 1};
    const uint8_t *dashes = memmem(data, size, "\n---\n", 5);
    if (dashes != NULL) {
        first = (slice){data, (size_t)(dashes - data) + 1};
        text = (slice){dashes + 5, size - first.len - 4};
    }
    if (alertmanager_config_parse("am.yml", first, &am, &d) != OK) {
        ASSERT(strncmp(d.text, "am.yml", 6) == 0);
        return 0;
    }
    check_ext(am, text);
    alertmanager_config_unref(am);
    return 0;
}
