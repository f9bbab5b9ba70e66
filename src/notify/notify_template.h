/* notify_template.h -- the templates of notifications: those that come with the program, by
 * Alertmanager's names, those of the files under `templates:`, and the texts of the receivers.
 *
 * A set belongs to one configuration and is immutable once opened: any number of threads expand
 * texts at once. */
#ifndef NOTIFY_NOTIFY_TEMPLATE_H
#define NOTIFY_NOTIFY_TEMPLATE_H

#include "config/alertmanager_config.h"
#include "notify/notify_data.h"
#include "rules/template.h"

enum {
    NOTIFY_PROBLEMS_MAX = 100,              /* texts that do not parse, told of one file */
    NOTIFY_TEXT_BYTES_MAX = 32 << 20,       /* what one text may become */
    NOTIFY_TEMPLATES_BYTES_MAX = 256 << 20, /* names, places and sources of all */
};

struct notify_templates;

/* Parse the files that `f` names and all texts of its receivers; `f` is borrowed until the set is
 * closed. A file that does not parse is an error; a text that does not is a problem, and its
 * deliveries fail.
 *   ERR_INVALID  "path:line:column: template: ..."     ERR_IO, ERR_NOTFOUND, ERR_LIMIT  `d`: why */
MUST_USE err notify_templates_open(const struct alertmanager_file *f, struct notify_templates **out,
                                   struct diag *d);
void notify_templates_close(struct notify_templates *t); /* NULL is allowed */

/* Texts that do not parse, each with the place of its integration and its own. */
struct texts notify_templates_problems(const struct notify_templates *t);

/* Files that were read. */
size_t notify_templates_file_count(const struct notify_templates *t);

enum notify_format {
    NOTIFY_TEXT, /* a text without "{{" is taken as it is */
    NOTIFY_HTML, /* what actions insert is escaped for where it stands */
};

/* Append what `text` becomes on the data. Any text will do, but those of the configuration (the
 * same bytes in memory) were parsed before.
 *   ERR_INVALID  `d` has Go's words                    ERR_LIMIT, ERR_TIMEOUT  `d` names the limit
 */
MUST_USE err notify_expand(const struct notify_templates *t, const struct notify_data *data,
                           str text, enum notify_format format, struct buf *out, struct diag *d);

/* The data of a notification with the labels of its route, which are templates. As
 * notify_data_init(); notify_data_fini() is due whatever this returns. */
MUST_USE err notify_templates_data(const struct notify_templates *t, const struct notification *n,
                                   str external_url, struct notify_data *out, struct diag *d);

/* The templates that come with the program: texts, the last is NULL. */
extern const char *const NOTIFY_DEFAULT_TEMPLATES[];

#endif
