/* sender_target.c -- see sender_target.h. */
#include "rules/sender_target.h"

#include <string.h>

#include "ingest/scrape_target.h"

#define ADDRESS STR("__address__")
#define SCHEME  STR("__scheme__")
#define PATH    STR("__alerts_path__")

/* Append the segments of `s` to a cleaned path: empty ones and "." vanish, ".." takes one back. */
static void join(struct buf *path, str s)
{
    while (s.len > 0) {
        const char *slash = memchr(s.ptr, '/', s.len);
        str part = {s.ptr, slash != NULL ? (size_t)(slash - s.ptr) : s.len};
        s = slash != NULL ? (str){slash + 1, s.len - part.len - 1} : (str){NULL, 0};
        if (part.len == 0 || str_eq(part, STR(".")))
            continue;
        if (str_eq(part, STR(".."))) {
            while (path->len > 0 && path->ptr[--path->len] != '/')
                ;
            continue;
        }
        buf_put_u8(path, '/');
        buf_put_str(path, part);
    }
}

void sender_post_path(str prefix, str api_version, struct buf *out)
{
    struct buf path = {0};
    join(&path, prefix);
    join(&path, STR("api"));
    join(&path, api_version);
    join(&path, STR("alerts"));
    buf_put_str(out, buf_str(&path));
    buf_fini(&path);
}

static void url_of(struct relabel_labels *l, struct buf *url)
{
    target_url(relabel_labels_get(l, SCHEME), relabel_labels_get(l, ADDRESS),
               relabel_labels_get(l, PATH), url);
}

/* A label of the target or its group comes before the section's setting. */
static err set_missing(struct relabel_labels *l, str name, str value)
{
    return relabel_labels_get(l, name).len == 0 ? relabel_labels_set(l, name, value) : OK;
}

err sender_target_url(const struct alertmanager_config *c, struct labels found,
                      struct relabel_labels *work, enum sender_verdict *verdict, struct buf *url)
{
    struct buf path = {0};
    bool keep = true;
    sender_post_path(c->path_prefix, c->api_version, &path);
    str kept_path = arena_str(work->arena, buf_str(&path));
    buf_fini(&path);
    if (kept_path.ptr == NULL)
        return ERR_LIMIT;
    TRY(relabel_labels_base(work, found));
    TRY(set_missing(work, SCHEME, c->scheme));
    TRY(set_missing(work, PATH, kept_path));
    size_t mark = url->len;
    url_of(work, url); /* as it was, should it be dropped */
    TRY(relabel_run(&c->relabel, work, &keep));
    *verdict = SENDER_DROPPED;
    if (!keep)
        return OK;
    url->len = mark;
    str address = relabel_labels_get(work, ADDRESS);
    *verdict = SENDER_INVALID;
    if (address.len > 0 && memchr(address.ptr, '/', address.len) != NULL)
        return OK;
    *verdict = SENDER_ACTIVE;
    url_of(work, url);
    return OK;
}
