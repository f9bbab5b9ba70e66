/* scrape_feed.h -- brings what discovery finds to the scraper: a configuration is applied to both,
 * and every change of targets is passed on. Threads: any. */
#ifndef INGEST_SCRAPE_FEED_H
#define INGEST_SCRAPE_FEED_H

#include "ingest/discovery.h"
#include "ingest/scrape.h"

struct scrape_feed;

/* The scraper must live longer than the feed. */
MUST_USE err scrape_feed_open(struct scraper *s, str user_agent, struct scrape_feed **out);
void scrape_feed_close(struct scrape_feed *f); /* NULL is allowed */

/* Discover and scrape as `config` says from now on; takes references. On an error all stays as it
 * was: those of scraper_apply() and discovery_apply(). */
MUST_USE err scrape_feed_apply(struct scrape_feed *f, struct config *config, struct diag *d);

/* What finds the targets, for its metrics; as long as the feed. */
struct discovery *scrape_feed_discovery(struct scrape_feed *f);

#endif
