/* template_value.h -- what templates compute with: Go's values as far as templates can see them.
 *
 * A value is its type and its content; strings, lists, maps and objects are borrowed (constants,
 * the caller's data or the arena of the execution). A value without type is "no value": Go's
 * untyped nil. Types are static tables: text/template compares and prints their names. */
#ifndef RULES_TEMPLATE_VALUE_H
#define RULES_TEMPLATE_VALUE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/slice.h"
#include "model/labels.h"

enum template_kind {
    TEMPLATE_KIND_ANY, /* interface {}: of parameters and elements, never of a value */
    TEMPLATE_KIND_BOOL,
    TEMPLATE_KIND_INT,
    TEMPLATE_KIND_UINT,
    TEMPLATE_KIND_FLOAT,
    TEMPLATE_KIND_STRING,
    TEMPLATE_KIND_LIST,
    TEMPLATE_KIND_MAP,    /* its keys are strings */
    TEMPLATE_KIND_OBJECT, /* a struct, or a pointer to one */
    TEMPLATE_KIND_TIME,
    TEMPLATE_KIND_FUNC, /* never printed; only `call` takes one */
};

struct template_func;
struct template_value;

struct template_type {
    const char *name; /* as Go prints it: "map[string]string" */
    enum template_kind kind;
    bool is_pointer;
    const struct template_type *elem;   /* of lists and maps */
    const struct template_type *target; /* of pointers: what they point to */
    const char *const *fields;          /* of objects: NULL-terminated names */
    const struct template_func *methods;
    size_t method_count;
    /* The text of a value whose Go type has a String method; else NULL. */
    void (*text)(const struct template_value *v, struct buf *out);
};

extern const struct template_type TEMPLATE_ANY, TEMPLATE_BOOL, TEMPLATE_INT, TEMPLATE_UINT8,
    TEMPLATE_FLOAT, TEMPLATE_STRING, TEMPLATE_HTML, TEMPLATE_URL, TEMPLATE_STRINGS,
    TEMPLATE_STRING_MAP, TEMPLATE_ANY_MAP, TEMPLATE_ANY_LIST;

struct template_time { /* an instant and the zone it is shown in */
    int64_t sec;       /* since 1970-01-01 UTC */
    int32_t nsec;
    int32_t offset_sec;   /* east of UTC */
    const char *zone;     /* "UTC", "CET" */
    const void *location; /* struct timezone of base/timezone.h; NULL: UTC */
};

struct template_value {
    const struct template_type *type; /* NULL: no value */
    bool boxed;                       /* it stands in an interface {} */
    union {
        bool truth;
        int64_t i;
        uint64_t u;
        double f;
        str s;
        struct {
            const struct template_value *items;
            size_t count;
        } list;
        struct {
            const struct template_entry *entries; /* sorted by key, no key twice */
            size_t count;
        } map;
        const struct template_value *fields; /* in the order of the type's names; NULL: nil */
        const struct template_time *time;    /* NULL: nil */
    };
};

struct template_entry {
    str key;
    struct template_value value;
};

static inline struct template_value template_bool(bool truth)
{
    return (struct template_value){.type = &TEMPLATE_BOOL, .truth = truth};
}

static inline struct template_value template_int(int64_t i)
{
    return (struct template_value){.type = &TEMPLATE_INT, .i = i};
}

static inline struct template_value template_float(double f)
{
    return (struct template_value){.type = &TEMPLATE_FLOAT, .f = f};
}

static inline struct template_value template_string(str s)
{
    return (struct template_value){.type = &TEMPLATE_STRING, .s = s};
}

static inline struct template_value template_list(const struct template_type *type,
                                                  const struct template_value *items, size_t count)
{
    return (struct template_value){.type = type, .list = {items, count}};
}

static inline struct template_value template_map(const struct template_type *type,
                                                 const struct template_entry *entries, size_t count)
{
    return (struct template_value){.type = type, .map = {entries, count}};
}

static inline struct template_value template_object(const struct template_type *type,
                                                    const struct template_value *fields)
{
    return (struct template_value){.type = type, .fields = fields};
}

/* `v` as an element of interface {} holds it. */
static inline struct template_value template_boxed(struct template_value v)
{
    v.boxed = true;
    return v;
}

/* The zero value of a type: "", 0, an empty list, nil. */
struct template_value template_zero(const struct template_type *type);

/* A map of type `type` (KIND_MAP of strings) with the labels of `ls`; strings are borrowed.
 *   ERR_LIMIT  arena budget */
MUST_USE err template_label_map(const struct template_type *type, struct labels ls, struct arena *a,
                                struct template_value *out);

/* A list of strings. ERR_LIMIT: arena budget */
MUST_USE err template_string_list(const str *items, size_t count, struct arena *a,
                                  struct template_value *out);

/* The entry of a map, or NULL. */
const struct template_value *template_map_get(const struct template_value *map, str key);

/* Go's truth: not zero, not empty, not nil. */
bool template_truth(const struct template_value *v);

/* What a pointer points to, as actions print it; any other value, and nil, as it is. */
struct template_value template_pointee(const struct template_value *v);

/* No value, or a pointer to nothing. */
bool template_is_nil(const struct template_value *v);

/* Bytes, elements or entries of a string, list or map. */
size_t template_len(const struct template_value *v);

/* Sort entries by key (byte order). */
void template_entries_sort(struct template_entry *entries, size_t count);

#endif
