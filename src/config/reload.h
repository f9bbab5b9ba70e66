/* reload.h -- the configuration in force, and how it is replaced: all or nothing. Parts of the
 * server subscribe; a reload loads and checks the files, asks every part to prepare, and only when
 * all can does every part commit. Otherwise what was in force stays, to the last setting.
 *
 * Threads: any; one reload at a time. Parts are called in the order in which they subscribed, on
 * the thread that reloads, with no lock of theirs held. */
#ifndef CONFIG_RELOAD_H
#define CONFIG_RELOAD_H

#include "config/config.h"

enum { CONFIG_SUBSCRIBERS_MAX = 16 };

struct config_subscriber {
    const char *name;  /* for messages; static */
    unsigned parts;    /* enum config_part: sections it acts on */
    const char *files; /* patterns, with commas between, of files that it reads besides: they are
                          watched, too; NULL: none */
    /* Do all that may fail; nothing may change yet. `*prepared` is handed to commit or discard.
     * NULL: nothing can fail. `fresh` is borrowed: take a reference to keep it. */
    err (*prepare)(void *arg, struct config *fresh, void **prepared, struct diag *d);
    void (*commit)(void *arg, struct config *fresh, void *prepared); /* cannot fail */
    void (*discard)(void *arg,
                    void *prepared); /* somebody else could not prepare; NULL: nothing to do */
    void *arg;
};

struct config_reloader;

/* `path` "" is no file: the defaults. Nothing is loaded yet. */
struct config_reloader *config_reloader_open(const char *path);
void config_reloader_close(struct config_reloader *r); /* stops the watching; NULL is allowed */

/* Add a part. Before the first load it is configured by that; afterwards the reload after next. */
void config_subscribe(struct config_reloader *r, const struct config_subscriber *s);

/* Load and put in force.
 *   ERR_NOTFOUND, ERR_IO, ERR_INVALID, ERR_LIMIT, ERR_UNSUPPORTED  `d`: why; nothing changed */
MUST_USE err config_reload(struct config_reloader *r, struct diag *d);

/* The configuration in force, or NULL before the first load; drop it with config_unref(). */
struct config *config_in_force(struct config_reloader *r);

/* Parts that somebody subscribed for. */
unsigned config_parts(struct config_reloader *r);

/* From now on look every `interval_ms` whether the files changed (by checksum), and call
 * `reload(arg)` when they did, until it says OK. For --enable-feature=auto-reload-config.   ERR_IO
 * no thread */
MUST_USE err config_watch(struct config_reloader *r, int64_t interval_ms,
                          err (*reload)(void *arg, struct diag *d), void *arg);

#endif
