/* scrape_failures.h -- scrape_failure_log_file: a line of JSON for each scrape that failed. The
 * file is opened for each line, so that it may be moved away at any time. Threads: any; lines do
 * not mix. */
#ifndef INGEST_SCRAPE_FAILURES_H
#define INGEST_SCRAPE_FAILURES_H

#include "base/slice.h"

/* Append {"time":...,"level":"ERROR","msg":reason,"job_name":...,"target":...}. What cannot be
 * written is logged. */
void scrape_failure_log(str path, str job, str url, str reason, int64_t time_ms);

#endif
