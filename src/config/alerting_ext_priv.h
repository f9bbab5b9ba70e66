/* alerting_ext_priv.h -- what the files that read the extensions of alertmanager.yml share. */
#ifndef CONFIG_ALERTING_EXT_PRIV_H
#define CONFIG_ALERTING_EXT_PRIV_H

#include "config/alerting_ext.h"
#include "config/alertmanager_priv.h"

struct alerting_ext_loader {         /* decode.user */
    struct alertmanager_loader base; /* first: matchers and warnings look there */
    struct alertmanager_file *alertmanager;
};

/* A field of a struct that is a list of structs, or one struct by pointer. */
#define EXT_FIELD(type, name, key_, kind_)                                                         \
    .key = (key_), .kind = (kind_), .offset = offsetof(struct type, name)
#define EXT_DURATION(type, name, key_)                                                             \
    {                                                                                              \
        EXT_FIELD(type, name, key_, DECODE_DURATION)                                               \
    }
#define EXT_MATCHERS(type, name, key_)                                                             \
    {                                                                                              \
        EXT_FIELD(type, name, key_, DECODE_CUSTOM), .custom = ext_read_matchers                    \
    }
#define EXT_MATCHER_SETS(type, name, key_)                                                         \
    {                                                                                              \
        EXT_FIELD(type, name, key_, DECODE_CUSTOM), .custom = ext_read_matcher_sets                \
    }

/* struct matcher_sets: a list of texts is one set; a list of such lists is several. */
err ext_read_matchers(struct decode *c, const struct yaml *n, void *place);
err ext_read_matcher_sets(struct decode *c, const struct yaml *n, void *place);

/* Names that the alertmanager.yml must have. */
err ext_check_receiver(struct decode *c, struct config_place p, str name);
err ext_check_receivers(struct decode *c, struct config_place p, struct texts names);
err ext_check_intervals(struct decode *c, struct config_place p, struct texts names);

extern const struct decode_schema ESCALATION_POLICY_SCHEMA, ESCALATION_BINDING_SCHEMA,
    ACKNOWLEDGEMENTS_SCHEMA, MAINTENANCE_SCHEMA, DELIVERY_SCHEMA, HEARTBEAT_SCHEMA, DIGEST_SCHEMA,
    HISTORY_SCHEMA;

/* Names across sections, when all is read. */
err escalation_check(struct decode *c, struct alerting_ext *f);
err delivery_check(struct decode *c, struct alerting_ext *f);
err upkeep_check(struct decode *c, const struct alerting_ext *f);

#endif
