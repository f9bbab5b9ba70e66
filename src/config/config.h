/* config.h -- prometheus.yml read into a struct config (prometheus_config.h), printed back,
 * counted. What a file says is obeyed or refused by name: a part that is understood and not acted
 * upon is an error that says so. */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/hash.h"
#include "config/prometheus_config.h"

enum config_part { /* sections that need someone who acts on them; bits */
                   CONFIG_SCRAPE = 1,
                   CONFIG_RULES = 2,
                   CONFIG_ALERTING = 4,
                   CONFIG_REMOTE_WRITE = 8,
                   CONFIG_REMOTE_READ = 16,
};

/* Read and check `path` and the scrape_config_files it names; "" gives the defaults. The result
 * has one reference; drop it with config_unref().
 *   ERR_NOTFOUND, ERR_IO  a file cannot be read; `d` says so
 *   ERR_INVALID, ERR_LIMIT  `d`: path:line:column: what is wrong */
MUST_USE err config_load(const char *path, struct config **out, struct diag *d);

/* Is everything in `c` acted upon, when those parts are? ERR_UNSUPPORTED: the `index`-th that is
 * not, from 0, is named in `d`; OK: there are no more. */
MUST_USE err config_supported(const struct config *c, unsigned parts, size_t index, struct diag *d);

/* Another reference to `c`, which is shared by threads; the last unref frees it. */
struct config *config_ref(struct config *c);
void config_unref(struct config *c); /* NULL is allowed */

/* Append the configuration as YAML with its defaults and without its secrets, as
 * /api/v1/status/config shows it. */
void config_yaml(const struct config *c, struct buf *out);

/* The same of one job, as /api/v1/scrape_pools/config shows it. */
void config_job_yaml(const struct scrape_config *job, struct buf *out);

/* Hashes of all that a job, a section of discovery or an Alertmanager says, secrets included: equal
 * when a reload did not change it. */
hash128 config_job_digest(const struct scrape_config *job);
hash128 config_sd_digest(const struct sd_config *sd);
hash128 config_alertmanager_digest(const struct alertmanager_config *am);

/* One relabelling rule as the JSON of /api/v1/targets/relabel_steps has it, appended. */
void config_rule_json(const struct relabel_config *rule, struct buf *out);

/* "replace", "keep", ... of an enum relabel_action; static. */
const char *config_action_name(int action);

/* Append `url` with its password as xxxxx. */
void config_redacted_url(str url, struct buf *out);

/* Read the target groups of a file of file_sd or an answer of http_sd (JSON is YAML).
 *   ERR_INVALID, ERR_LIMIT  `d`: what is wrong, and where */
MUST_USE err config_target_groups(const char *name, slice text, struct arena *a,
                                  struct static_sd_config *out, struct diag *d);

/* Files that match `pattern` (* ? [ ] in the last part), sorted, in `a`.
 * ERR_INVALID: the pattern is none. */
MUST_USE err config_glob(str pattern, struct arena *a, struct texts *out);

/* Checksum of the bytes of the configuration file and of the files it names (rule files,
 * scrape_config_files): equal while nothing changed. Unreadable files count as such. */
uint64_t config_checksum(const struct config *c);
/* `sum` with the bytes of more files: patterns with commas between. */
uint64_t config_checksum_more(uint64_t sum, const char *patterns);

#endif
