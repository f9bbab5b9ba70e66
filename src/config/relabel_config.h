/* relabel_config.h -- rules of relabelling as checked structures, and where a section stands. */
#ifndef CONFIG_RELABEL_CONFIG_H
#define CONFIG_RELABEL_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/regex.h"
#include "base/texts.h"

struct config_place { /* where a section stands, for messages */
    const char *file;
    unsigned line, column;
};

enum relabel_action {
    RELABEL_REPLACE,
    RELABEL_KEEP,
    RELABEL_DROP,
    RELABEL_KEEPEQUAL,
    RELABEL_DROPEQUAL,
    RELABEL_HASHMOD,
    RELABEL_LABELMAP,
    RELABEL_LABELDROP,
    RELABEL_LABELKEEP,
    RELABEL_LOWERCASE,
    RELABEL_UPPERCASE,
};

enum name_scheme { NAMES_UNSET, NAMES_LEGACY, NAMES_UTF8 }; /* metric_name_validation_scheme */

struct relabel_config {
    struct texts source_labels;
    str separator;       /* ";" */
    str regex_text;      /* "(.*)" */
    struct regex *regex; /* compiled, anchored */
    uint64_t modulus;
    str target_label;
    str replacement; /* "$1" */
    int action;      /* enum relabel_action */
    int names;       /* enum name_scheme: of labels that are written */
    bool regex_is_default;
    struct config_place place;
};

struct relabel_configs {
    struct relabel_config *items;
    size_t count;
};

#endif
