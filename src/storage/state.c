/* state.c -- magic, checksum, fixed fields, then the two stores. */
#include "storage/state.h"

#include "base/hash.h"
#include "base/log.h"

static const char MAGIC[8] = "VARVEST1";
enum { BODY_POS = 12 }; /* after magic and checksum */

void state_encode(const struct state *s, struct metadata_store *metadata,
                  struct exemplar_store *exemplars, struct buf *out)
{
    size_t start = out->len;
    buf_put(out, MAGIC, sizeof(MAGIC));
    buf_put_u32(out, 0); /* checksum, below */
    buf_put_u64(out, s->label_seed);
    buf_put_u32(out, s->wal_first);
    buf_put_u64(out, (uint64_t)s->clock_ms);
    metadata_store_encode(metadata, out);
    exemplar_store_encode(exemplars, out);
    slice body = {out->ptr + start + BODY_POS, out->len - start - BODY_POS};
    store_u32(out->ptr + start + sizeof(MAGIC), checksum32(body, 0));
}

err state_decode(slice bytes, struct state *out, struct metadata_store *metadata,
                 struct exemplar_store *exemplars)
{
    struct reader r = reader_of(bytes);
    slice magic = read_bytes(&r, sizeof(MAGIC));
    uint32_t sum = read_u32(&r);
    if (r.overrun || memcmp(magic.ptr, MAGIC, sizeof(MAGIC)) != 0)
        return ERR_CORRUPT;
    if (checksum32((slice){r.pos, reader_left(&r)}, 0) != sum)
        return ERR_CORRUPT;
    struct state s = {.label_seed = read_u64(&r), .wal_first = read_u32(&r)};
    s.clock_ms = (int64_t)read_u64(&r);
    TRY(metadata_store_decode(metadata, &r));
    TRY(exemplar_store_decode(exemplars, &r, s.label_seed));
    if (r.overrun || reader_left(&r) > 0)
        return ERR_CORRUPT;
    *out = s;
    return OK;
}

static err set_aside(struct fs *fs, const char *dir, const char *path)
{
    struct buf to = {0};
    log_error("the state file is damaged and set aside; metadata and exemplars before the last "
              "cut are lost, samples are not",
              LOG_CSTR("path", path));
    err e = fs_rename(fs, path, fs_join(&to, dir, "state.damaged"));
    buf_fini(&to);
    return e == OK ? ERR_CORRUPT : e;
}

err state_load(struct fs *fs, const char *dir, struct state *out, struct metadata_store *metadata,
               struct exemplar_store *exemplars)
{
    struct buf path = {0}, bytes = {0};
    fs_join(&path, dir, "state");
    err e = fs_read_file(fs, buf_cstr(&path), STATE_SIZE_MAX, &bytes);
    if (e == OK)
        e = state_decode(buf_slice(&bytes), out, metadata, exemplars);
    if (e == ERR_LIMIT || e == ERR_INVALID || e == ERR_CORRUPT)
        e = set_aside(fs, dir, buf_cstr(&path));
    buf_fini(&bytes);
    buf_fini(&path);
    return e;
}

err state_save(struct fs *fs, const char *dir, const struct state *s,
               struct metadata_store *metadata, struct exemplar_store *exemplars)
{
    struct buf path = {0}, bytes = {0};
    state_encode(s, metadata, exemplars, &bytes);
    err e = fs_write_file(fs, fs_join(&path, dir, "state"), buf_slice(&bytes));
    buf_fini(&bytes);
    buf_fini(&path);
    return e;
}
