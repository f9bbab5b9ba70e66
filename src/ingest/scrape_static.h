/* scrape_static.h -- the targets of static_configs, which need no discovery. */
#ifndef INGEST_SCRAPE_STATIC_H
#define INGEST_SCRAPE_STATIC_H

#include "ingest/scrape.h"

/* Give the scraper the static targets of all jobs of `config`. Jobs with other discovery are left
 * alone. */
void scraper_set_static(struct scraper *s, const struct config *config);

#endif
