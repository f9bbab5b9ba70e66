/* slo_file_priv.h -- what the readers of the formats of SLO files share. */
#ifndef CONFIG_SLO_FILE_PRIV_H
#define CONFIG_SLO_FILE_PRIV_H

#include "config/decode.h"
#include "config/slo_file.h"

struct slo_object;

struct slo_reader { /* decode.user: a set being read */
    struct arena *arena;
    struct diag *d;
    struct slo_def *defs;
    size_t def_count, def_room;
    struct slo_object *objects; /* of OpenSLO, in the order of the files */
    size_t object_count, object_room;
    struct slo_catalog *catalog;
    bool kubernetes; /* Sloth's resource is being read, else its file */
    struct sli_plugins sli_plugins;
    size_t sli_plugin_room;
    const struct slo_plugin_list *plugins; /* of all objectives; NULL: none */
};

/* One more objective, zeroed, with its place; NULL: no room, and `d` says so. */
struct slo_def *slo_reader_add(struct decode *c, const struct yaml *n);

/* Documents of the formats. openslo_read() keeps what it read; openslo_finish() makes objectives of
 * all that is kept, once every file is read. */
err sloth_read(struct decode *c, const struct yaml *doc);
err sloth_k8s_read(struct decode *c, const struct yaml *doc);
err slo_alert_windows_read(struct decode *c, const struct yaml *doc);
err openslo_read(struct decode *c, const struct yaml *doc);
err openslo_finish(struct slo_reader *r);
err openslo_alpha_read(struct decode *c, const struct yaml *doc);

/* Sloth's names of OpenSLO's objectives: `def` of a service becomes NAME-0, NAME-1, ... */
err slo_take_names(struct decode *c, const struct yaml *place, str name, size_t index,
                   struct slo_def *def);

/* A custom field: struct slo_text. */
err slo_text_field(struct decode *c, const struct yaml *n, void *place);

/* A custom field: struct slo_resource *, of `metadata`. */
err slo_resource_field(struct decode *c, const struct yaml *n, void *place);

/* Names as Sloth has them: letters, digits, ".", "_", "-", a letter or digit at both ends. */
err slo_check_name(struct decode *c, const struct yaml *n, const char *what, str name);

/* Names of labels: any text (YAML is UTF-8) but "" and "__name__". */
err slo_check_labels(struct decode *c, const struct yaml *n, const struct pairs *labels);

/* `later` wins; in the order of names, as Go prints maps. */
err slo_merge(struct decode *c, const struct pairs *first, const struct pairs *later,
              struct pairs *out);

/* Fill a window. `duration` is OpenSLO's shorthand: a number and one of m h d w M Q Y. `start` (may
 * be empty): "2026-01-31 12:30:00". */
err slo_window_fill(struct decode *c, const struct yaml *n, str duration, bool calendar, str start,
                    str zone, struct slo_window *out);

/* A duration in OpenSLO's shorthand without M, Q, Y. */
err slo_shorthand_ms(struct decode *c, const struct yaml *n, str text, int64_t *out);

/* Does the text hold {{.window}}? */
bool slo_has_window(str text);

#endif
