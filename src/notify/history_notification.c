/* history_notification.c -- see history_notification.h. */
#include "notify/history_notification.h"

#include "base/mem.h"

void history_put_notification(struct history *h, struct history_event e,
                              const struct notification *n)
{
    size_t count = MIN(n->alert_count, (size_t)HISTORY_FINGERPRINTS_MAX);
    if (h == NULL)
        return;
    uint64_t *fingerprints = mem_zalloc(count + 1, sizeof(*fingerprints));
    for (size_t i = 0; i < count; i++)
        fingerprints[i] = n->alerts[i].alert->fingerprint;
    e.labels = n->group_labels;
    e.fingerprints = fingerprints;
    e.fingerprint_count = count;
    e.texts[HISTORY_RECEIVER] = n->receiver;
    e.texts[HISTORY_INTEGRATION] = str_from(integration_name(n->kind));
    e.texts[HISTORY_GROUP] = n->group_key;
    history_say(&e, HISTORY_INDEX, (int64_t)n->index);
    history_say(&e, HISTORY_ATTEMPT, n->attempt);
    history_say(&e, HISTORY_ALERTS, (int64_t)n->alert_count);
    history_put(h, &e);
    mem_free(fingerprints);
}
