/* wal_dir.c -- the files of a log's directory: names, headers, leftovers, and making what a replay
 * found durable. */
#include "base/assert.h"
#include "base/log.h"
#include "base/mem.h"
#include "storage/wal_priv.h"

enum { COPY_SIZE = 1 << 20 }; /* bytes */

static void segment_name(struct buf *out, const char *dir, uint32_t segment, const char *suffix)
{
    buf_reset(out);
    buf_printf(out, "%s/%08x%s", dir, segment, suffix);
    (void)buf_cstr(out);
}

void wal_segment_path(struct buf *out, const char *dir, uint32_t segment)
{
    segment_name(out, dir, segment, ".wal");
}

void wal_companion_path(struct buf *out, const char *dir, uint32_t segment)
{
    segment_name(out, dir, segment, ".defs");
}

/* Is `name` eight hexadecimal digits and `suffix`? */
static bool parse_name(const char *name, const char *suffix, uint32_t *segment)
{
    str s = str_from(name);
    if (s.len != 8 + strlen(suffix) || !str_ends(s, str_from(suffix)))
        return false;
    uint32_t v = 0;
    for (size_t i = 0; i < 8; i++) {
        char c = s.ptr[i];
        bool digit = c >= '0' && c <= '9';
        if (!digit && !(c >= 'a' && c <= 'f'))
            return false;
        v = v << 4 | (uint32_t)(digit ? c - '0' : c - 'a' + 10);
    }
    *segment = v;
    return true;
}

/* The list of segments. */

void wal_dir_add(struct wal_dir *d, const struct wal_segment_file *file)
{
    if (d->count == d->cap) {
        d->cap = MAX(d->cap * 2, (size_t)16);
        d->files = mem_resize(d->files, d->cap, sizeof(*d->files));
    }
    d->files[d->count++] = *file;
}

void wal_dir_remove(struct wal_dir *d, size_t i)
{
    ASSERT(i < d->count);
    d->count--;
    memmove(&d->files[i], &d->files[i + 1], (d->count - i) * sizeof(*d->files));
}

void wal_dir_fini(struct wal_dir *d)
{
    mem_free(d->files);
    *d = (struct wal_dir){0};
}

static err unlink_if_there(struct fs *fs, const char *path)
{
    err e = fs_unlink(fs, path);
    return e == ERR_NOTFOUND ? OK : e;
}

static err unlink_segment(struct fs *fs, const char *dir, uint32_t segment)
{
    struct buf path = {0};
    wal_segment_path(&path, dir, segment);
    err e = unlink_if_there(fs, (const char *)path.ptr);
    wal_companion_path(&path, dir, segment);
    if (e == OK && unlink_if_there(fs, (const char *)path.ptr) != OK)
        log_warn("companion remains until the next start", LOG_INT("segment", segment));
    buf_fini(&path);
    return e;
}

err wal_dir_unlink(struct fs *fs, const char *dir, struct wal_dir *d, size_t i)
{
    TRY(unlink_segment(fs, dir, d->files[i].segment));
    wal_dir_remove(d, i);
    return OK;
}

/* Headers. */

/* Open `path`, tell its size and read its first `size` bytes, or fewer if it is shorter. What
 * cannot be read leaves `out` empty and `unreadable` set. */
static err read_front(struct wal_replayer *r, const char *path, size_t size, struct buf *out,
                      uint64_t *file_size, bool *unreadable)
{
    struct fs_file *f;
    size_t got = 0;
    buf_reset(out);
    TRY(fs_open(r->fs, path, FS_READ, &f));
    err e = fs_size(r->fs, f, file_size);
    *unreadable = e == OK && fs_read_at(r->fs, f, buf_reserve(out, size), size, 0, &got) != OK;
    out->len = *unreadable ? 0 : got;
    fs_close(r->fs, f);
    return e;
}

/* Read a copy of the header at `pos` of what was read, of the segment `number`. */
static err decode_at(const struct buf *bytes, size_t pos, uint32_t number, struct wal_header *out)
{
    struct wal_header h;
    if (bytes->len < pos + WAL_HEADER_COPY_SIZE)
        return ERR_CORRUPT;
    TRY(wal_header_decode((slice){bytes->ptr + pos, WAL_HEADER_COPY_SIZE}, &h));
    if (h.segment != number)
        return ERR_CORRUPT; /* a copy of another segment under this name */
    *out = h;
    return OK;
}

static err decode_companion(struct wal_replayer *r, uint32_t number, struct wal_header *out)
{
    struct buf bytes = {0};
    uint64_t size;
    bool unreadable;
    struct wal_header h;
    wal_companion_path(&r->path, r->dir, number);
    err e =
        read_front(r, (const char *)r->path.ptr, WAL_HEADER_COPY_SIZE, &bytes, &size, &unreadable);
    if (e == OK)
        e = wal_companion_header_decode(buf_slice(&bytes), &h);
    buf_fini(&bytes);
    if (e != OK || h.segment != number)
        return ERR_CORRUPT;
    *out = h;
    return OK;
}

/* Find the header in one of its three copies; `front` is what the segment starts with. */
static err choose_header(struct wal_replayer *r, struct wal_segment_file *file,
                         const struct buf *front)
{
    struct wal_header second;
    err e = decode_at(front, 0, file->segment, &file->header);
    err e2 = decode_at(front, WAL_HEADER_COPY_POS, file->segment, &second);
    file->header_damaged = e == ERR_CORRUPT || e2 == ERR_CORRUPT;
    if (e != ERR_CORRUPT)
        return e;
    if (e2 == ERR_CORRUPT)
        return decode_companion(r, file->segment, &file->header);
    file->header = second;
    return e2;
}

/* Read the header of `file`.
 *   ERR_CORRUPT  no copy is good      ERR_IO  no copy is, and it is the disk's fault
 *   ERR_INVALID  not a regular file */
static err read_header(struct wal_replayer *r, struct wal_segment_file *file)
{
    struct buf front = {0};
    bool unreadable = false;
    wal_segment_path(&r->path, r->dir, file->segment);
    err e =
        read_front(r, (const char *)r->path.ptr, WAL_HEADER_SIZE, &front, &file->size, &unreadable);
    if (e == OK)
        e = choose_header(r, file, &front);
    buf_fini(&front);
    return e == ERR_CORRUPT && unreadable ? ERR_IO : e;
}

/* Does any place in the file look like a group, whatever segment it was written for? */
static err looks_used(struct wal_replayer *r, uint32_t segment, bool *out)
{
    struct fs_file *f;
    uint64_t size;
    *out = false;
    wal_segment_path(&r->path, r->dir, segment);
    TRY(fs_open(r->fs, (const char *)r->path.ptr, FS_READ, &f));
    err e = fs_size(r->fs, f, &size);
    if (e == OK)
        wal_input_attach(r->in, f, size);
    for (uint64_t pos = WAL_HEADER_SIZE; e == OK && !*out && pos < size; pos += WAL_SECTOR) {
        slice bytes;
        e = wal_input_get(r->in, pos, sizeof(uint32_t), &bytes);
        *out = e == OK && bytes.len == sizeof(uint32_t) && wal_group_magic_at(bytes.ptr);
    }
    if (wal_input_unreadable(r->in) > 0)
        *out = true; /* better kept than missed */
    wal_input_detach(r->in);
    fs_close(r->fs, f);
    return e;
}

/* Move a segment nobody can read out of the way, whole; its new path is in `r->path`. */
static err set_aside(struct wal_replayer *r, const struct wal_segment_file *file)
{
    struct buf from = {0};
    wal_segment_path(&from, r->dir, file->segment);
    wal_segment_path(&r->path, r->quarantine_dir, file->segment);
    err e = fs_make_dir(r->fs, r->quarantine_dir);
    if (e == OK)
        e = fs_rename(r->fs, (const char *)from.ptr, (const char *)r->path.ptr);
    if (e == OK)
        e = fs_sync_dir(r->fs, r->quarantine_dir);
    if (e == OK)
        e = fs_sync_dir(r->fs, r->dir);
    buf_fini(&from);
    return e;
}

/* No copy of the header is left. A segment is used only once its header is durable: without groups
 * this is what a crash left of a new one; with groups, rot took the header. */
static err handle_headerless(struct wal_replayer *r, const struct wal_segment_file *file)
{
    bool used;
    TRY(looks_used(r, file->segment, &used));
    if (!used) {
        if (r->may_change && unlink_segment(r->fs, r->dir, file->segment) != OK)
            log_warn("leftover segment remains", LOG_INT("segment", file->segment));
        return OK;
    }
    struct wal_damage damage = {.size = file->size};
    r->segment = file->segment;
    if (r->may_change && set_aside(r, file) == OK)
        damage.quarantined = (const char *)r->path.ptr;
    wal_rot_publish(r, &damage);
    return OK;
}

/* Read the header of segment `number` and list it. */
static err add_segment(struct wal_replayer *r, uint32_t number, struct wal_dir *d)
{
    struct wal_segment_file file = {.segment = number};
    err e = read_header(r, &file);
    if (e == ERR_INVALID || e == ERR_NOTFOUND)
        return OK; /* a link or the like; fs said so */
    if (e == ERR_CORRUPT)
        return handle_headerless(r, &file);
    TRY(e);
    uint64_t seq = MAX(file.header.previous.last_seq, MAX(file.header.first_seq, 1ull) - 1);
    d->last_seq = MAX(d->last_seq, seq);
    wal_dir_add(d, &file);
    return OK;
}

static struct wal_segment_file *find_segment(struct wal_dir *d, uint32_t segment)
{
    for (size_t i = 0; i < d->count; i++)
        if (d->files[i].segment == segment)
            return &d->files[i];
    return NULL;
}

/* A companion belongs to a segment or goes. */
static void add_companion(struct wal_replayer *r, uint32_t number, struct wal_dir *d)
{
    struct wal_segment_file *file = find_segment(d, number);
    struct buf path = {0}, front = {0};
    bool unreadable;
    wal_companion_path(&path, r->dir, number);
    if (file != NULL)
        (void)read_front(r, (const char *)path.ptr, 1, &front, &file->companion_size, &unreadable);
    else if (r->may_change && fs_unlink(r->fs, (const char *)path.ptr) != OK)
        log_warn("companion without segment remains", LOG_INT("segment", number));
    buf_fini(&path);
    buf_fini(&front);
}

/* An unfinished copy (wal_dir_settle()) goes; what is not ours stays. */
static void handle_other(struct wal_replayer *r, const char *name)
{
    if (str_ends(str_from(name), STR(".wal.tmp")) && r->may_change) {
        if (fs_unlink(r->fs, fs_join(&r->path, r->dir, name)) != OK)
            log_warn("leftover file remains", LOG_CSTR("name", name));
    } else if (strcmp(name, "quarantine") != 0) {
        log_info("foreign file in the write-ahead log's directory", LOG_CSTR("name", name));
    }
}

static err read_names(struct wal_replayer *r, const struct buf *names, uint32_t first_segment,
                      struct wal_dir *d)
{
    uint32_t number;
    for (const char *s = fs_list_next(names, NULL); s != NULL; s = fs_list_next(names, s)) {
        if (!parse_name(s, ".wal", &number))
            continue;
        d->last_number = MAX(d->last_number, number);
        if (number >= first_segment)
            TRY(add_segment(r, number, d));
        else if (r->may_change && unlink_segment(r->fs, r->dir, number) != OK)
            log_warn("segment already stored elsewhere remains", LOG_INT("segment", number));
    }
    for (const char *s = fs_list_next(names, NULL); s != NULL; s = fs_list_next(names, s)) {
        if (parse_name(s, ".defs", &number))
            add_companion(r, number, d);
        else if (!parse_name(s, ".wal", &number))
            handle_other(r, s);
    }
    return OK;
}

err wal_dir_read(struct wal_replayer *r, uint32_t first_segment, struct wal_dir *d)
{
    struct buf names = {0};
    err e = fs_list(r->fs, r->dir, &names);
    if (e == OK)
        e = read_names(r, &names, first_segment, d);
    buf_fini(&names);
    if (first_segment > 0)
        d->last_number = MAX(d->last_number, first_segment - 1);
    return e;
}

/* Durability of what was replayed. */

static err copy_file(struct fs *fs, struct fs_file *from, struct fs_file *to, uint64_t size)
{
    struct buf piece = {0};
    err e = OK;
    for (uint64_t pos = 0; e == OK && pos < size;) {
        size_t want = (size_t)MIN(size - pos, (uint64_t)COPY_SIZE), got = 0;
        uint8_t *p = buf_reserve(&piece, want);
        e = fs_read_at(fs, from, p, want, pos, &got);
        if (e == OK && got == 0)
            e = ERR_IO;
        if (e == OK)
            e = fs_write_at(fs, to, p, got, pos);
        pos += got;
    }
    buf_fini(&piece);
    return e == OK ? fs_sync(fs, to) : e;
}

/* A sync failed, so the kernel may have dropped what it could not write, and a second sync would
 * say OK: only new bytes in a new file are sure. */
static err rewrite(struct fs *fs, const char *dir, const char *path, uint64_t size)
{
    struct buf temporary = {0};
    struct fs_file *from, *to;
    buf_printf(&temporary, "%s.tmp", path);
    const char *tmp = buf_cstr(&temporary);
    err e = unlink_if_there(fs, tmp);
    if (e == OK)
        e = fs_open(fs, path, FS_READ, &from);
    if (e == OK) {
        e = fs_open(fs, tmp, FS_CREATE, &to);
        if (e == OK) {
            e = copy_file(fs, from, to, size);
            fs_close(fs, to);
        }
        fs_close(fs, from);
    }
    if (e == OK)
        e = fs_rename(fs, tmp, path);
    if (e == OK)
        e = fs_sync_dir(fs, dir);
    buf_fini(&temporary);
    return e;
}

static err cut_and_sync(struct fs *fs, const char *path, struct wal_segment_file *file)
{
    struct fs_file *f;
    TRY(fs_open(fs, path, FS_APPEND, &f));
    err e = file->size > file->end ? fs_truncate(fs, f, file->end) : OK;
    if (e == OK) {
        file->size = MIN(file->size, file->end);
        e = fs_sync(fs, f);
        file->rewrite_needed = e != OK;
    }
    fs_close(fs, f);
    return e;
}

static err settle_file(struct fs *fs, const char *dir, struct wal_segment_file *file)
{
    struct buf path = {0};
    wal_segment_path(&path, dir, file->segment);
    err e = OK;
    if (!file->rewrite_needed)
        e = cut_and_sync(fs, (const char *)path.ptr, file);
    if (file->rewrite_needed)
        e = rewrite(fs, dir, (const char *)path.ptr, file->size);
    if (e == OK)
        file->sync_needed = file->rewrite_needed = false;
    buf_fini(&path);
    return e;
}

err wal_dir_settle(struct fs *fs, const char *dir, struct wal_dir *d)
{
    for (size_t i = 0; i < d->count; i++)
        if (d->files[i].sync_needed)
            TRY(settle_file(fs, dir, &d->files[i]));
    return OK;
}

void wal_dir_drop_empty(struct fs *fs, const char *dir, struct wal_dir *d)
{
    while (d->count > 1 && !d->files[d->count - 2].has_groups)
        if (wal_dir_unlink(fs, dir, d, d->count - 2) != OK)
            return; /* the next start tries again */
}
