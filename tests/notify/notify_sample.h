/* notify_sample.h -- a notification of two alerts that fire and one that ended, for tests of what
 * is made of it. */
#ifndef TESTS_NOTIFY_SAMPLE_H
#define TESTS_NOTIFY_SAMPLE_H

#include "base/clock.h"
#include "notify/notification.h"

enum { SAMPLE_ALERTS = 3 };

struct sample {
    struct label labels[SAMPLE_ALERTS][3], annotations[SAMPLE_ALERTS][2], group[1];
    struct live_alert live[SAMPLE_ALERTS];
    struct notified_alert alerts[SAMPLE_ALERTS];
    struct pair route[1];
    struct notification n;
};

static inline void sample_init(struct sample *s)
{
    static const char *const INSTANCES[] = {"a", "b", "c"};
    static const char *const SUMMARIES[] = {"x < \"1\"", "y", "z"};
    static const char *const URLS[] = {"http://g/a", "http://g/b?x=1&y=<2>", ""};
    memset(s, 0, sizeof(*s));
    for (size_t i = 0; i < SAMPLE_ALERTS; i++) {
        s->labels[i][0] = (struct label){STR("alertname"), STR("Up")};
        s->labels[i][1] = (struct label){STR("instance"), str_from(INSTANCES[i])};
        s->labels[i][2] = (struct label){STR("job"), STR("node")};
        s->annotations[i][0] = (struct label){STR("runbook"), STR("r")};
        s->annotations[i][1] = (struct label){STR("summary"), str_from(SUMMARIES[i])};
        s->live[i] = (struct live_alert){.fingerprint = 0xa1 + i,
                                         .labels = {s->labels[i], 3},
                                         .annotations = {s->annotations[i], 2},
                                         .generator_url = str_from(URLS[i]),
                                         .starts_at_ms = INT64_C(1795449600250)};
        s->alerts[i] = (struct notified_alert){&s->live[i], false, 0};
    }
    s->alerts[2].resolved = true;
    s->alerts[2].ends_at_ms = INT64_C(1795449660000);
    s->group[0] = (struct label){STR("alertname"), STR("Up")};
    s->route[0] = (struct pair){STR("owner"), STR("{{ .CommonLabels.job }}-team")};
    s->n = (struct notification){.group_key = STR("{}:{alertname=\"Up\"}"),
                                 .group_labels = {s->group, 1},
                                 .route_labels = {s->route, 1},
                                 .receiver = STR("all.x"),
                                 .alerts = s->alerts,
                                 .alert_count = SAMPLE_ALERTS,
                                 .firing_count = 2,
                                 .reason = REASON_NEW_ALERTS,
                                 .attempt = 1,
                                 .flushed_ms = INT64_C(1795449700000),
                                 .deadline_ms = clock_wall_ms() + 60000};
}

/* All of them ended. */
static inline void sample_resolve(struct sample *s)
{
    for (size_t i = 0; i < SAMPLE_ALERTS; i++) {
        s->alerts[i].resolved = true;
        s->alerts[i].ends_at_ms = INT64_C(1795449660000);
    }
    s->n.firing_count = 0;
    s->n.reason = REASON_ALL_RESOLVED;
}

#endif
