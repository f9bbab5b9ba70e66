/* sd_file.c -- file_sd_configs: target groups from files, read when inotify reports a change in one
 * of their folders, and every refresh interval. A bad file keeps the groups it had. */
#include <stdio.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "ingest/discovery_priv.h"

enum {
    SETTLE_MS = 50, /* after an event: editors write in several steps */
    EVENTS = IN_CREATE | IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_DELETE_SELF,
};

static err read_one(struct sd_provider *p, str path, struct diag *d)
{
    struct buf text = {0};
    struct sd_build b;
    struct sd_targets *targets = NULL;
    err e = fs_read_file(fs_posix(), path.ptr, SD_BODY_BYTES_MAX, &text); /* ends with a NUL */
    if (e != OK) {
        buf_fini(&text);
        return diag_set(d, e, "%s: %s", path.ptr,
                        e == ERR_NOTFOUND ? "no such file" : "cannot be read");
    }
    bool json = str_ends(path, STR(".json")) || str_ends(path, STR(".JSON"));
    sd_build_begin(&b);
    e = sd_groups_build(path.ptr, buf_slice(&text), json, "__meta_filepath", path, &b, d);
    if (e == OK)
        e = sd_build_end(&b, &targets);
    else
        sd_build_abandon(&b);
    buf_fini(&text);
    struct stat now;
    if (e == OK) {
        sd_put(p, path, targets);
        if (stat(path.ptr, &now) == 0)
            sd_put_time(p, path, now.st_mtim.tv_sec * 1000 + now.st_mtim.tv_nsec / 1000000);
    }
    return e;
}

/* All files; the first error is reported, the others are read nevertheless. */
static err read_all(struct sd_provider *p, struct diag *d)
{
    err first = OK;
    sd_sweep_begin(p);
    for (size_t i = 0; i < p->sd->file->files.count; i++) {
        struct arena a;
        struct texts files;
        arena_init(&a, 16 << 20);
        err e = config_glob(p->sd->file->files.items[i], &a, &files);
        for (size_t k = 0; e == OK && k < files.count; k++) {
            err one = read_one(p, files.items[k], d);
            if (one != OK) {
                sd_stats_count(sd_stats_of(p), SD_FILE_READ_ERRORS);
                sd_keep(p, files.items[k]);
            }
            first = first != OK ? first : one;
        }
        first = first != OK ? first : e;
        arena_fini(&a);
    }
    sd_sweep_end(p);
    return first;
}

/* Folders are watched, not files: a file that is replaced is another one. Adding a watch again
 * changes nothing; folders that appear later are found at the next refresh. */
static void watch_folders(struct sd_provider *p, int fd)
{
    for (size_t i = 0; fd >= 0 && i < p->sd->file->files.count; i++) {
        struct buf path = {0}, folder = {0};
        buf_put_str(&path, p->sd->file->files.items[i]);
        if (inotify_add_watch(fd, fs_parent(&folder, buf_cstr(&path)), EVENTS) < 0)
            sd_stats_count(sd_stats_of(p), SD_FILE_WATCH_ERRORS);
        buf_fini(&path);
        buf_fini(&folder);
    }
}

static void drain(int fd)
{
    char events[4096];
    while (read(fd, events, sizeof(events)) > 0)
        continue;
}

void sd_file_run(struct sd_provider *p)
{
    int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC); /* without it the interval alone is left */
    if (fd < 0)
        sd_stats_count(sd_stats_of(p), SD_FILE_WATCH_ERRORS);
    do {
        struct diag d = {.text = ""};
        if (fd >= 0) {
            if (!sd_sleep(p, SETTLE_MS, -1))
                break;
            drain(fd);
        }
        watch_folders(p, fd);
        uint64_t begin = clock_mono_ns();
        err e = read_all(p, &d);
        sd_stats_time(sd_stats_of(p), SD_FILE_SCAN, clock_mono_ns() - begin);
        if (e != OK)
            sd_failed(p, d.text[0] != '\0' ? d.text : err_name(e));
        else
            sd_well(p);
    } while (sd_sleep(p, p->sd->file->refresh_interval_ms, fd));
    if (fd >= 0)
        (void)close(fd);
}
