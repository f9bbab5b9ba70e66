/* slo_resource.c -- metadata of Sloth's Kubernetes resource, which its rules take over. */
#include "config/print.h"
#include "config/slo_file_priv.h"

#define META(name) offsetof(struct slo_resource, name)

static const struct decode_field META_FIELDS[] = {
    {.key = "annotations", .kind = DECODE_PAIRS, .offset = META(annotations)},
    {.key = "labels", .kind = DECODE_PAIRS, .offset = META(labels)},
    {.key = "name", .kind = DECODE_TEXT, .offset = META(name)},
    {.key = "namespace", .kind = DECODE_TEXT, .offset = META(space)},
};
static const struct decode_schema META_SCHEMA = {
    .fields = META_FIELDS,
    .field_count = COUNT_OF(META_FIELDS),
    .size = sizeof(struct slo_resource),
};

/* The cluster adds keys of its own (uid, managedFields): they are left alone. */
err slo_resource_field(struct decode *c, const struct yaml *n, void *place)
{
    struct slo_resource **out = place;
    bool ignored = c->ignore_unknown;
    *out = ARENA_NEW(c->arena, struct slo_resource);
    if (*out == NULL)
        return diag_set(c->d, ERR_LIMIT, "%s: too large", c->path);
    c->ignore_unknown = true;
    err e = decode_struct(c, &META_SCHEMA, n, *out);
    c->ignore_unknown = ignored;
    return e;
}

void slo_resource_yaml(const struct slo_resource *r, struct buf *out)
{
    print_struct(&META_SCHEMA, r, out);
}
