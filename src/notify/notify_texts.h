/* notify_texts.h -- the texts of an integration's configuration that are templates. */
#ifndef NOTIFY_NOTIFY_TEXTS_H
#define NOTIFY_NOTIFY_TEXTS_H

#include "config/receiver_config.h"

struct notify_text {
    const char *key; /* "title"; "fields.value" of what stands in a list */
    str text;        /* not empty; as long-lived as the configuration */
    bool html;       /* it becomes HTML: what it prints is escaped */
};

/* Details of PagerDuty's events that the configuration need not name. */
struct pagerduty_detail {
    const char *name, *text;
};
enum { PAGERDUTY_DETAILS = 4 };
extern const struct pagerduty_detail PAGERDUTY_DETAIL[PAGERDUTY_DETAILS];

/* Call `see` for every template of an integration; of kinds that are not built in there is none. */
void notify_each_text(const struct integration *i,
                      void (*see)(void *arg, const struct notify_text *t), void *arg);

#endif
