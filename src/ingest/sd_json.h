/* sd_json.h -- what the answers of discovery servers say, apart from asking them: targets of parsed
 * documents. Nodes that are missing or of another type are empty; nothing here fails but for size.
 */
#ifndef INGEST_SD_JSON_H
#define INGEST_SD_JSON_H

#include "base/jtree.h"
#include "config/config.h"
#include "ingest/sd_targets.h"

/* sd_groups.c: target groups, [{"targets": [...], "labels": {...}}], as a file or server has them,
 * into `b`; `meta` (name, value) is added to each group. `json`: else YAML.
 *   ERR_INVALID  `d`: "NAME: why" */
MUST_USE err sd_groups_build(const char *name, slice text, bool json, const char *meta,
                             str meta_value, struct sd_build *b, struct diag *d);

/* sd_docker.c: the lists of containers and of networks. */
void sd_docker_build(const struct docker_sd_config *c, const struct jtree *containers,
                     const struct jtree *networks, struct sd_build *b);

/* sd_consul.c: the instances of a service. */
void sd_consul_build(const struct consul_sd_config *c, str service, str datacenter,
                     const struct jtree *instances, struct sd_build *b);

#endif
