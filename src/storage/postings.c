/* postings.c -- see postings.h. `struct postings` is CRoaring's bitmap under another name.
 * Stored forms: 0, then the first id and the differences - 1 as varints; or 1, then the portable
 * roaring format. */
#include "storage/postings.h"

#include <roaring/roaring.h>

#include "base/assert.h"
#include "base/compiler.h"
#include "base/mem.h"
#include "storage/idbits.h"

enum form { FORM_LIST = 0, FORM_ROARING = 1 };

static roaring_bitmap_t *bitmap(struct postings *p)
{
    return (roaring_bitmap_t *)p;
}

static const roaring_bitmap_t *bitmap_of(const struct postings *p)
{
    return (const roaring_bitmap_t *)p;
}

/* CRoaring returns NULL when malloc() does. */
static struct postings *owned(roaring_bitmap_t *b)
{
    ASSERT(b != NULL);
    return (struct postings *)b;
}

struct postings *postings_empty(void)
{
    return owned(roaring_bitmap_create());
}

struct postings *postings_range(uint32_t count)
{
    return count > 0 ? owned(roaring_bitmap_from_range(0, count, 1)) : postings_empty();
}

struct postings *postings_from(const uint32_t *ids, size_t count)
{
    return owned(roaring_bitmap_of_ptr(count, ids));
}

void postings_free(struct postings *p)
{
    if (p != NULL)
        roaring_bitmap_free(bitmap(p));
}

/* ---- From a bitmap ---- */

/* The portable format without runs: cookie, count of containers, for each its key and its ids - 1,
 * for each where it is, then the containers of 64 Ki ids: up to 4,096 ids as 16-bit numbers, more
 * as a bitmap. */
enum {
    COOKIE_NO_RUNS = 12346,
    CONTAINER_WORDS = 1024,
    CONTAINER_ARRAY_MAX = 4096,
    CONTAINER_BYTES = CONTAINER_WORDS * 8,
};

static void put_container(struct buf *out, const uint64_t *bits, size_t words, size_t count)
{
    if (count > CONTAINER_ARRAY_MAX) {
        buf_put(out, bits, words * sizeof(*bits));
        for (size_t i = words; i < CONTAINER_WORDS; i++)
            buf_put_u64(out, 0);
        return;
    }
    uint32_t ids[CONTAINER_ARRAY_MAX];
    uint8_t *to = buf_reserve(out, count * 2);
    idbits_list(bits, words, ids);
    for (size_t i = 0; i < count; i++)
        store_u16(to + 2 * i, (uint16_t)ids[i]);
    out->len += count * 2;
}

struct postings *postings_from_bits(const uint64_t *bits, size_t words)
{
    struct buf head = {0}, places = {0}, data = {0};
    uint32_t containers = 0;
    for (size_t w = 0; w < words; w += CONTAINER_WORDS) {
        size_t n = MIN(words - w, (size_t)CONTAINER_WORDS), count = idbits_count(bits + w, n);
        if (count == 0)
            continue;
        buf_put_u16(&head, (uint16_t)(w / CONTAINER_WORDS));
        buf_put_u16(&head, (uint16_t)(count - 1));
        buf_put_u32(&places, (uint32_t)data.len);
        put_container(&data, bits + w, n, count);
        containers++;
    }
    struct buf all = {0};
    uint32_t data_pos = 8 + containers * 8;
    buf_put_u32(&all, COOKIE_NO_RUNS);
    buf_put_u32(&all, containers);
    buf_put(&all, head.ptr, head.len);
    for (size_t i = 0; i < containers; i++)
        buf_put_u32(&all, load_u32(places.ptr + 4 * i) + data_pos);
    buf_put(&all, data.ptr, data.len);
    roaring_bitmap_t *made =
        roaring_bitmap_portable_deserialize_safe((const char *)all.ptr, all.len);
    buf_fini(&head);
    buf_fini(&places);
    buf_fini(&data);
    buf_fini(&all);
    return owned(made);
}

static void encode_list(const uint32_t *ids, size_t count, struct buf *out)
{
    buf_put_u8(out, FORM_LIST);
    buf_put_varint(out, ids[0]);
    for (size_t i = 1; i < count; i++)
        buf_put_varint(out, ids[i] - ids[i - 1] - 1);
}

void postings_encode(const uint32_t *ids, size_t count, struct buf *out)
{
    ASSERT(count > 0);
    if (count < POSTINGS_LIST_MAX) {
        encode_list(ids, count, out);
        return;
    }
    struct postings *p = postings_from(ids, count);
    (void)roaring_bitmap_run_optimize(bitmap(p));
    size_t size = roaring_bitmap_portable_size_in_bytes(bitmap(p));
    buf_put_u8(out, FORM_ROARING);
    uint8_t *to = buf_reserve(out, size);
    out->len += roaring_bitmap_portable_serialize(bitmap(p), (char *)to);
    postings_free(p);
}

/* Most differences take one byte. */
static inline uint64_t read_step(struct reader *r)
{
    if (LIKELY(r->pos != r->end && *r->pos < 0x80 && !r->overrun))
        return *r->pos++;
    return read_varint(r);
}

/* The ids of a stored list into `ids` (room for POSTINGS_LIST_MAX). */
static err decode_list(slice bytes, uint32_t id_limit, uint32_t *ids, size_t *count)
{
    struct reader r = reader_of(bytes);
    uint64_t id = read_varint(&r);
    size_t n = 0;
    for (;;) {
        if (r.overrun || id >= id_limit || n == POSTINGS_LIST_MAX)
            return ERR_CORRUPT;
        ids[n++] = (uint32_t)id;
        if (reader_left(&r) == 0)
            break;
        uint64_t step = read_step(&r);
        if (step >= id_limit)
            return ERR_CORRUPT;
        id += step + 1;
    }
    *count = n;
    return OK;
}

static err decode_roaring(slice bytes, uint32_t id_limit, roaring_bitmap_t **out)
{
    const char *p = (const char *)bytes.ptr;
    if (roaring_bitmap_portable_deserialize_size(p, bytes.len) != bytes.len)
        return ERR_CORRUPT;
    roaring_bitmap_t *b = roaring_bitmap_portable_deserialize_safe(p, bytes.len);
    if (b == NULL)
        return ERR_CORRUPT;
    if (roaring_bitmap_is_empty(b) || roaring_bitmap_maximum(b) >= id_limit) {
        roaring_bitmap_free(b);
        return ERR_CORRUPT;
    }
    *out = b;
    return OK;
}

err postings_decode_or(slice bytes, uint32_t id_limit, struct postings *p)
{
    if (bytes.len < 2)
        return ERR_CORRUPT;
    slice rest = {bytes.ptr + 1, bytes.len - 1};
    if (bytes.ptr[0] == FORM_LIST) {
        uint32_t ids[POSTINGS_LIST_MAX];
        size_t count;
        TRY(decode_list(rest, id_limit, ids, &count));
        roaring_bitmap_add_many(bitmap(p), count, ids);
        return OK;
    }
    if (bytes.ptr[0] != FORM_ROARING)
        return ERR_CORRUPT;
    roaring_bitmap_t *b;
    TRY(decode_roaring(rest, id_limit, &b));
    roaring_bitmap_or_inplace(bitmap(p), b);
    roaring_bitmap_free(b);
    return OK;
}

static err list_meets(slice list, uint32_t id_limit, const struct postings *among,
                      const uint64_t *bits, bool *out)
{
    struct reader r = reader_of(list);
    uint64_t id = read_varint(&r);
    *out = false;
    for (;;) {
        if (r.overrun || id >= id_limit)
            return ERR_CORRUPT;
        *out = bits != NULL ? idbits_has(bits, (uint32_t)id) : postings_has(among, (uint32_t)id);
        if (*out || reader_left(&r) == 0)
            return OK;
        uint64_t step = read_step(&r);
        if (step >= id_limit)
            return ERR_CORRUPT;
        id += step + 1;
    }
}

err postings_stored_meet(slice bytes, uint32_t id_limit, const struct postings *among,
                         const uint64_t *bits, bool *out)
{
    if (bytes.len < 2)
        return ERR_CORRUPT;
    slice rest = {bytes.ptr + 1, bytes.len - 1};
    if (bytes.ptr[0] == FORM_LIST)
        return list_meets(rest, id_limit, among, bits, out);
    if (bytes.ptr[0] != FORM_ROARING)
        return ERR_CORRUPT;
    roaring_bitmap_t *b;
    TRY(decode_roaring(rest, id_limit, &b));
    *out = roaring_bitmap_intersect(b, bitmap_of(among));
    roaring_bitmap_free(b);
    return OK;
}

static bool mark_one(uint32_t id, void *bits)
{
    idbits_set(bits, id);
    return true;
}

void postings_mark(const struct postings *p, uint64_t *bits)
{
    (void)roaring_iterate(bitmap_of(p), mark_one, bits);
}

err postings_decode_mark(slice bytes, uint32_t id_limit, uint64_t *bits, struct postings *p)
{
    if (bytes.len < 2 || bytes.ptr[0] != FORM_LIST)
        return postings_decode_or(bytes, id_limit, p);
    uint32_t ids[POSTINGS_LIST_MAX];
    size_t count;
    TRY(decode_list((slice){bytes.ptr + 1, bytes.len - 1}, id_limit, ids, &count));
    for (size_t i = 0; i < count; i++)
        idbits_set(bits, ids[i]);
    return OK;
}

err postings_decode(slice bytes, uint32_t id_limit, struct postings **out)
{
    if (bytes.len > 1 && bytes.ptr[0] == FORM_ROARING) {
        roaring_bitmap_t *b;
        TRY(decode_roaring((slice){bytes.ptr + 1, bytes.len - 1}, id_limit, &b));
        *out = owned(b);
        return OK;
    }
    struct postings *p = postings_empty();
    err e = postings_decode_or(bytes, id_limit, p);
    if (e != OK)
        postings_free(p);
    else
        *out = p;
    return e;
}

void postings_and(struct postings *a, const struct postings *b)
{
    roaring_bitmap_and_inplace(bitmap(a), bitmap_of(b));
}

void postings_or(struct postings *a, const struct postings *b)
{
    roaring_bitmap_or_inplace(bitmap(a), bitmap_of(b));
}

void postings_andnot(struct postings *a, const struct postings *b)
{
    roaring_bitmap_andnot_inplace(bitmap(a), bitmap_of(b));
}

bool postings_meet(const struct postings *a, const struct postings *b)
{
    return roaring_bitmap_intersect(bitmap_of(a), bitmap_of(b));
}

uint64_t postings_count(const struct postings *p)
{
    return roaring_bitmap_get_cardinality(bitmap_of(p));
}

bool postings_has(const struct postings *p, uint32_t id)
{
    return roaring_bitmap_contains(bitmap_of(p), id);
}

bool postings_eq(const struct postings *a, const struct postings *b)
{
    return roaring_bitmap_equals(bitmap_of(a), bitmap_of(b));
}

/* Ids without gaps are written straight: those of a label that all series of a block have. */
HOT_CLONES
static void put_range(uint32_t first, size_t count, uint32_t *out)
{
    for (size_t i = 0; i < count; i++)
        out[i] = first + (uint32_t)i;
}

void postings_ids(const struct postings *p, uint32_t *out)
{
    uint64_t count = postings_count(p);
    uint32_t first = roaring_bitmap_minimum(bitmap_of(p));
    if (count > 0 && roaring_bitmap_maximum(bitmap_of(p)) - first == count - 1)
        put_range(first, (size_t)count, out);
    else
        roaring_bitmap_to_uint32_array(bitmap_of(p), out);
}
