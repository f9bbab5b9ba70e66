/* kube_store.c -- see kube_store.h. */
#include "ingest/kube_store.h"

#include "base/hash.h"
#include "base/mem.h"

/* ---- Trimming: an object is far larger than what its labels need ---- */

static void keep_containers(const struct jtree *list)
{
    static const char *const KEYS[] = {"name", "image", "ports", "restartPolicy", NULL};
    for (size_t i = 0; i < jtree_count(list); i++)
        jtree_keep(jtree_at(list, i), KEYS);
}

static void keep_statuses(const struct jtree *list)
{
    static const char *const KEYS[] = {"name", "containerID", NULL};
    for (size_t i = 0; i < jtree_count(list); i++)
        jtree_keep(jtree_at(list, i), KEYS);
}

static void trim(enum kube_kind kind, const struct jtree *o)
{
    static const char *const TOP[] = {"metadata",    "spec",      "status", "subsets",
                                      "addressType", "endpoints", "ports",  NULL};
    static const char *const META[] = {"name",        "namespace",       "uid", "labels",
                                       "annotations", "ownerReferences", NULL};
    static const char *const NO_SPEC[] = {"metadata", NULL};
    static const char *const POD_SPEC[] = {"nodeName", "containers", "initContainers", NULL};
    static const char *const POD_STATUS[] = {
        "podIP", "hostIP", "phase", "conditions", "containerStatuses", "initContainerStatuses",
        NULL};
    static const char *const NODE_STATUS[] = {"addresses", "daemonEndpoints", NULL};
    const struct jtree *spec = jtree_get(o, "spec"), *status = jtree_get(o, "status");
    jtree_keep(o, kind >= KUBE_NAMESPACE ? NO_SPEC : TOP);
    jtree_keep(jtree_get(o, "metadata"), META);
    if (kind == KUBE_POD) {
        jtree_keep(spec, POD_SPEC);
        jtree_keep(status, POD_STATUS);
        keep_containers(jtree_get(spec, "containers"));
        keep_containers(jtree_get(spec, "initContainers"));
        keep_statuses(jtree_get(status, "containerStatuses"));
        keep_statuses(jtree_get(status, "initContainerStatuses"));
    } else if (kind == KUBE_NODE) {
        jtree_keep(status, NODE_STATUS);
    }
}

/* ---- The map ---- */

static size_t slot_of(const struct kube_map *m, str key)
{
    size_t i = (size_t)hash64(str_bytes(key), 0) & (m->table_size - 1);
    while (m->table[i] != 0 && !str_eq(m->objects[m->table[i] - 1].key, key))
        i = (i + 1) & (m->table_size - 1);
    return i;
}

static void rebuild(struct kube_map *m, size_t size)
{
    mem_free(m->table);
    m->table = mem_zalloc(size, sizeof(*m->table));
    m->table_size = size;
    for (size_t i = 0; i < m->count; i++)
        m->table[slot_of(m, m->objects[i].key)] = (uint32_t)i + 1;
}

static void put_key(struct buf *out, str namespace, str name)
{
    buf_put_str(out, namespace);
    buf_put_u8(out, '/');
    buf_put_str(out, name);
}

static bool key_of(const struct jtree *object, struct buf *out)
{
    const struct jtree *meta = jtree_get(object, "metadata");
    str name = jtree_text(jtree_get(meta, "name"));
    put_key(out, jtree_text(jtree_get(meta, "namespace")), name);
    return name.len > 0;
}

err kube_put(struct kube_map *m, enum kube_kind kind, const struct jtree *object,
             uint64_t generation)
{
    struct buf key = {0};
    if (!key_of(object, &key)) {
        buf_fini(&key);
        return ERR_INVALID;
    }
    if (m->count * 2 + 2 > m->table_size)
        rebuild(m, m->table_size == 0 ? 64 : m->table_size * 2);
    size_t slot = slot_of(m, buf_str(&key));
    trim(kind, object);
    if (m->table[slot] == 0) {
        if (m->count == KUBE_OBJECTS_MAX) {
            buf_fini(&key);
            return ERR_LIMIT;
        }
        if (m->count == m->room) {
            m->room = m->room * 2 + 16;
            m->objects = mem_resize(m->objects, m->room, sizeof(*m->objects));
        }
        m->objects[m->count] = (struct kube_object){.key = buf_str(&key)};
        m->table[slot] = (uint32_t)++m->count;
        key = (struct buf){0}; /* its memory is the key's now */
    }
    struct kube_object *o = &m->objects[m->table[slot] - 1];
    jtree_free(o->tree);
    o->tree = jtree_hold(object);
    o->generation = generation;
    buf_fini(&key);
    return OK;
}

static void object_fini(struct kube_object *o)
{
    mem_free((void *)(uintptr_t)o->key.ptr);
    jtree_free(o->tree);
}

static void remove_at(struct kube_map *m, size_t i)
{
    object_fini(&m->objects[i]);
    m->objects[i] = m->objects[--m->count];
}

void kube_remove(struct kube_map *m, const struct jtree *object)
{
    struct buf key = {0};
    size_t slot = m->table_size > 0 && key_of(object, &key) ? slot_of(m, buf_str(&key)) : 0;
    if (m->table_size > 0 && m->table[slot] != 0 &&
        str_eq(m->objects[m->table[slot] - 1].key, buf_str(&key))) {
        remove_at(m, m->table[slot] - 1);
        rebuild(m, m->table_size);
    }
    buf_fini(&key);
}

const struct jtree *kube_find(const struct kube_map *m, str namespace, str name)
{
    struct buf key = {0};
    const struct jtree *found = NULL;
    put_key(&key, namespace, name);
    if (m->table_size > 0) {
        size_t slot = slot_of(m, buf_str(&key));
        found = m->table[slot] != 0 ? m->objects[m->table[slot] - 1].tree : NULL;
    }
    buf_fini(&key);
    return found;
}

void kube_sweep(struct kube_map *m, str namespace, uint64_t generation)
{
    for (size_t i = m->count; i-- > 0;) {
        const struct kube_object *o = &m->objects[i];
        bool in = namespace.len == 0 ||
                  (str_starts(o->key, namespace) && o->key.ptr[namespace.len] == '/');
        if (in && o->generation != generation)
            remove_at(m, i);
    }
    if (m->table_size > 0)
        rebuild(m, m->table_size);
}

void kube_map_fini(struct kube_map *m)
{
    for (size_t i = 0; i < m->count; i++)
        object_fini(&m->objects[i]);
    mem_free(m->objects);
    mem_free(m->table);
    *m = (struct kube_map){0};
}
