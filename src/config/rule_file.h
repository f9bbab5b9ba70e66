/* rule_file.h -- files of recording and alerting rules as structs, with the place of every value.
 *
 * Keys, checks and the words of errors are those of Prometheus 3.14's rulefmt. What an expression
 * or a template may say is known above: whoever does hands over two functions. Errors are
 * collected, so that a file's author sees all of them at once. */
#ifndef CONFIG_RULE_FILE_H
#define CONFIG_RULE_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"

enum {
    RULE_FILE_SIZE_MAX = 8 << 20,       /* bytes of a file: as any YAML file */
    RULE_FILE_MEMORY_BYTES = 256 << 20, /* of all that one file becomes */
    RULE_FILE_ERRORS_MAX = 1000,        /* that are told of one file; more are counted */
};

struct rule_text { /* a value; line 0: not given */
    str text;
    unsigned line, column; /* from 1; the column in characters */
};

struct rule_label {
    str name;
    struct rule_text value;
};

struct rule_labels { /* in the order of the file */
    struct rule_label *items;
    size_t count;
};

struct rule_def {
    struct rule_text record, alert, expr; /* one of the first two is set */
    int64_t for_ms, keep_firing_for_ms;
    struct rule_labels labels, annotations;
    unsigned line, column;
};

struct rule_group_def {
    str name;
    int64_t interval_ms; /* 0: global.evaluation_interval */
    int64_t query_offset_ms;
    bool has_query_offset; /* else global.rule_query_offset */
    int64_t limit;         /* of series or alerts of one rule; 0: none */
    struct rule_labels labels;
    struct rule_def *rules;
    size_t rule_count;
    unsigned line, column;
};

struct rule_file {
    str path;
    str source; /* the file's text, for rule_text_place() */
    struct rule_group_def *groups;
    size_t group_count;
};

struct rule_file_options {
    bool ignore_unknown_fields;
    bool one_group;    /* the text is one group, without `groups:` around it */
    bool legacy_names; /* global.metric_name_validation_scheme: legacy */
    /* Is `expr` PromQL? When it is not, `d` has the words and d->start the byte. NULL: not asked.
     */
    err (*check_expr)(void *arg, str expr, struct diag *d);
    /* Is `text` a template, for an alert of that name? NULL: not asked. */
    err (*check_template)(void *arg, str alert, str text, struct diag *d);
    void *arg;
};

struct rule_errors {
    str *items; /* "path: line:column: what is wrong"; in the order of the file */
    size_t count;
    size_t more; /* found, and not kept */
};

/* Read and check the rules in `text`, which is called `path`. All of the result is in `a`.
 *   ERR_INVALID, ERR_LIMIT  `errors` has at least one entry */
MUST_USE err rule_file_parse(const char *path, slice text, const struct rule_file_options *o,
                             struct arena *a, struct rule_file *out, struct rule_errors *errors);

/* The same of a file. ERR_NOTFOUND, ERR_IO too: then that is the error. */
MUST_USE err rule_file_read(const char *path, const struct rule_file_options *o, struct arena *a,
                            struct rule_file *out, struct rule_errors *errors);

/* Line and column in the file of the byte `offset` of a value's text, whatever way it is written
 * there (block, folded, quoted). */
void rule_text_place(const struct rule_file *f, const struct rule_text *t, size_t offset,
                     unsigned *line, unsigned *column);

/* Append one group, or a whole file, as YAML that is read to the same. */
void rule_group_yaml(const struct rule_group_def *g, struct buf *out);
void rule_file_yaml(const struct rule_file *f, struct buf *out);
/* The groups under another key than `groups`. */
void rule_file_yaml_as(const struct rule_file *f, str key, struct buf *out);

#endif
