/* sli_plugin.h -- declared SLI plugins: queries as templates, for objectives that name a plugin and
 * its options (`sli: plugin:`). Sloth's are programs in Go; these are documents `version:
 * varve/sli-plugin/v1` among the files of objectives. docs/slo.md has the format;
 * rules/sli_expand.h fills the templates in. */
#ifndef CONFIG_SLI_PLUGIN_H
#define CONFIG_SLI_PLUGIN_H

#include "config/decode.h"

enum {
    SLI_PLUGINS_MAX = 1000, /* of one set */
    SLI_OPTIONS_MAX = 100,  /* of one plugin */
};

struct slo_text { /* a value; line 0: not given */
    str text;
    unsigned line, column; /* from 1 */
};

struct sli_option {
    str name, description, fallback, pattern; /* `pattern` empty: anything */
    bool required;
};

struct sli_plugin {
    str path;
    unsigned line, column;
    str id, description;
    struct texts required_labels; /* that the file of objectives must have */
    struct sli_option *options;
    size_t option_count;
    struct slo_text error, total; /* total not given: `error` is a ratio */
};

struct sli_plugins { /* no id twice */
    struct sli_plugin *items;
    size_t count;
};

#define SLI_PLUGIN_VERSION "varve/sli-plugin/v1"

/* Fill `out` from a document. */
MUST_USE err sli_plugin_read(struct decode *c, const struct yaml *doc, struct sli_plugin *out);

/* NULL: there is none of that id. */
const struct sli_plugin *sli_plugin_find(const struct sli_plugins *plugins, str id);
const struct sli_option *sli_option_find(const struct sli_plugin *p, str name);

#endif
