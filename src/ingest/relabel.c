/* relabel.c -- see relabel.h. */
#include "ingest/relabel.h"

#include <locale.h>
#include <pthread.h>
#include <wctype.h>

#include "base/bytes.h"
#include "base/md5.h"
#include "base/number.h"
#include "base/utf8.h"

/* ---- The set: labels of the start in front, what rules wrote behind, as upstream's builder ----
 */

void relabel_labels_init(struct relabel_labels *l, struct arena *a)
{
    *l = (struct relabel_labels){.arena = a};
}

void relabel_labels_reset(struct relabel_labels *l, struct arena *a)
{
    struct buf join = l->join, value = l->value;
    *l = (struct relabel_labels){.arena = a, .join = join, .value = value};
}

void relabel_labels_fini(struct relabel_labels *l)
{
    buf_fini(&l->join);
    buf_fini(&l->value);
}

static err reserve(struct relabel_labels *l, size_t count)
{
    if (count <= l->room)
        return OK;
    if (count > RELABEL_LABELS_MAX)
        return ERR_LIMIT;
    size_t room = MAX(count, l->room * 2 + 8);
    struct label *items = arena_grow(l->arena, l->items, l->count, room, sizeof(*items));
    if (items == NULL)
        return ERR_LIMIT;
    l->items = items;
    l->room = room;
    return OK;
}

err relabel_labels_base(struct relabel_labels *l, struct labels base)
{
    TRY(reserve(l, base.count + 4));
    if (base.count > 0)
        memcpy(l->items, base.items, base.count * sizeof(*base.items));
    l->count = l->base_count = base.count;
    return OK;
}

static size_t find(const struct relabel_labels *l, str name)
{
    size_t i = 0;
    while (i < l->count && !str_eq(l->items[i].name, name))
        i++;
    return i;
}

str relabel_labels_get(const struct relabel_labels *l, str name)
{
    size_t i = find(l, name);
    return i < l->count ? l->items[i].value : STR("");
}

static void remove_at(struct relabel_labels *l, size_t i)
{
    memmove(&l->items[i], &l->items[i + 1], (l->count - i - 1) * sizeof(*l->items));
    l->count--;
    l->base_count -= i < l->base_count;
}

void relabel_labels_del(struct relabel_labels *l, str name)
{
    size_t i = find(l, name);
    if (i < l->count)
        remove_at(l, i);
}

err relabel_labels_set(struct relabel_labels *l, str name, str value)
{
    size_t i = find(l, name);
    if (value.len > 0 && i < l->count && i >= l->base_count) {
        l->items[i].value = value;
        return OK;
    }
    if (i < l->count)
        remove_at(l, i);
    if (value.len == 0)
        return OK;
    TRY(reserve(l, l->count + 1));
    l->items[l->count++] = (struct label){name, value};
    return OK;
}

struct labels relabel_labels_done(struct relabel_labels *l)
{
    l->count = l->count > 0 ? labels_sort(l->items, l->count) : 0;
    l->base_count = l->count;
    return (struct labels){l->items, l->count};
}

/* ---- Rules ---- */

/* The values of the source labels with the separator between them. A single one is not copied. */
static str joined(const struct relabel_config *r, struct relabel_labels *l)
{
    if (r->source_labels.count == 1)
        return relabel_labels_get(l, r->source_labels.items[0]);
    buf_reset(&l->join);
    for (size_t i = 0; i < r->source_labels.count; i++) {
        if (i > 0)
            buf_put_str(&l->join, r->separator);
        buf_put_str(&l->join, relabel_labels_get(l, r->source_labels.items[i]));
    }
    return buf_str(&l->join);
}

static err set_copy(struct relabel_labels *l, str name, str value)
{
    if (name.len > RELABEL_VALUE_BYTES_MAX || value.len > RELABEL_VALUE_BYTES_MAX)
        return ERR_LIMIT;
    str copy = arena_str(l->arena, value);
    return copy.ptr != NULL ? relabel_labels_set(l, name, copy) : ERR_LIMIT;
}

static bool name_ok(str name, int names)
{
    return names == NAMES_LEGACY ? label_name_is_legacy(name) : name.len > 0 && utf8_valid(name);
}

static bool has_variable(str s)
{
    return s.len > 0 && memchr(s.ptr, '$', s.len) != NULL;
}

/* Could the expansion of `pattern` for a match in `s` be too large? Each variable gives at most the
 * whole of `s`. */
static bool expands_too_far(str pattern, str s)
{
    size_t variables = 0;
    for (size_t i = 0; i < pattern.len; i++)
        variables += pattern.ptr[i] == '$';
    return pattern.len > RELABEL_VALUE_BYTES_MAX ||
           (variables > 0 && s.len > (RELABEL_VALUE_BYTES_MAX - pattern.len) / variables);
}

/* Expand `pattern` for `s` into l->value. *matched is false when the expression does not match. */
static err expand(const struct relabel_config *r, struct relabel_labels *l, str s, str pattern,
                  bool *matched)
{
    if (expands_too_far(pattern, s))
        return ERR_LIMIT;
    buf_reset(&l->value);
    *matched = regex_expand(r->regex, s, pattern, &l->value);
    return OK;
}

static err replace(const struct relabel_config *r, struct relabel_labels *l, str s)
{
    str target = r->target_label;
    bool matched = true;
    if (r->regex_is_default && !has_variable(target) && name_ok(target, r->names)) {
        if (str_eq(r->replacement, STR("$1"))) /* the whole value, as it is */
            return set_copy(l, target, s);
        if (!has_variable(r->replacement))
            return relabel_labels_set(l, target, r->replacement);
    }
    if (has_variable(target)) {
        TRY(expand(r, l, s, target, &matched));
        target = arena_str(l->arena, buf_str(&l->value));
        if (target.ptr == NULL)
            return ERR_LIMIT;
    }
    if (!matched || !name_ok(target, r->names))
        return OK;
    if (!has_variable(r->replacement))
        return regex_match(r->regex, s) ? relabel_labels_set(l, target, r->replacement) : OK;
    TRY(expand(r, l, s, r->replacement, &matched));
    return matched ? set_copy(l, target, buf_str(&l->value)) : OK;
}

static pthread_once_t letters_once = PTHREAD_ONCE_INIT;
static locale_t letters; /* set once by find_letters(); glibc's built-in locale, never freed */

static void find_letters(void)
{
    letters = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
}

static uint32_t change_letter(uint32_t rune, bool up)
{
    if (rune < 0x80) {
        bool is = up ? rune >= 'a' && rune <= 'z' : rune >= 'A' && rune <= 'Z';
        return is ? rune ^ 0x20 : rune;
    }
    if (letters == (locale_t)0)
        return rune;
    return (uint32_t)(up ? towupper_l((wint_t)rune, letters) : towlower_l((wint_t)rune, letters));
}

static err change_case(const struct relabel_config *r, struct relabel_labels *l, str s, bool up)
{
    (void)pthread_once(&letters_once, find_letters);
    buf_reset(&l->value);
    while (s.len > 0) {
        unsigned size;
        uint32_t rune = utf8_decode(s, &size);
        utf8_append(&l->value, change_letter(rune, up));
        s = (str){s.ptr + size, s.len - size};
    }
    return set_copy(l, r->target_label, buf_str(&l->value));
}

static err hash_mod(const struct relabel_config *r, struct relabel_labels *l, str s)
{
    uint8_t sum[16];
    char text[24];
    md5_of((slice){s.len > 0 ? (const uint8_t *)s.ptr : (const uint8_t *)"", s.len}, sum);
    uint64_t v = 0;
    for (size_t i = 8; i < 16; i++)
        v = v << 8 | sum[i];
    v %= r->modulus;
    size_t n = sizeof(text);
    do {
        text[--n] = (char)('0' + v % 10);
        v /= 10;
    } while (v > 0);
    return set_copy(l, r->target_label, (str){text + n, sizeof(text) - n});
}

/* Every label as it is at the start of the rule; what the rule writes does not count. */
static err label_map(const struct relabel_config *r, struct relabel_labels *l)
{
    size_t count = l->count;
    struct label *before = arena_grow(l->arena, l->items, count, count + 1, sizeof(*before));
    if (before == NULL)
        return ERR_LIMIT;
    for (size_t i = 0; i < count; i++) {
        bool matched;
        TRY(expand(r, l, before[i].name, r->replacement, &matched));
        if (!matched)
            continue;
        str name = arena_str(l->arena, buf_str(&l->value));
        if (name.ptr == NULL || name.len > RELABEL_VALUE_BYTES_MAX)
            return ERR_LIMIT;
        if (name.len > 0)
            TRY(relabel_labels_set(l, name, before[i].value));
    }
    return OK;
}

/* Remove the labels whose names match, or those whose names do not. */
static void label_filter(const struct relabel_config *r, struct relabel_labels *l, bool drop)
{
    size_t kept = 0, base = 0;
    for (size_t i = 0; i < l->count; i++) {
        if (regex_match(r->regex, l->items[i].name) == drop)
            continue;
        base += i < l->base_count;
        l->items[kept++] = l->items[i];
    }
    l->count = kept;
    l->base_count = base;
}

err relabel_apply(const struct relabel_config *r, struct relabel_labels *l, bool *keep)
{
    str s = joined(r, l);
    *keep = true;
    switch ((enum relabel_action)r->action) {
    case RELABEL_DROP:
        *keep = !regex_match(r->regex, s);
        return OK;
    case RELABEL_KEEP:
        *keep = regex_match(r->regex, s);
        return OK;
    case RELABEL_DROPEQUAL:
        *keep = !str_eq(relabel_labels_get(l, r->target_label), s);
        return OK;
    case RELABEL_KEEPEQUAL:
        *keep = str_eq(relabel_labels_get(l, r->target_label), s);
        return OK;
    case RELABEL_REPLACE:
        return replace(r, l, s);
    case RELABEL_LOWERCASE:
        return change_case(r, l, s, false);
    case RELABEL_UPPERCASE:
        return change_case(r, l, s, true);
    case RELABEL_HASHMOD:
        return hash_mod(r, l, s);
    case RELABEL_LABELMAP:
        return label_map(r, l);
    case RELABEL_LABELDROP:
        label_filter(r, l, true);
        return OK;
    case RELABEL_LABELKEEP:
        label_filter(r, l, false);
        return OK;
    }
    return ERR_INVALID;
}

err relabel_run(const struct relabel_configs *rules, struct relabel_labels *l, bool *keep)
{
    *keep = true;
    for (size_t i = 0; i < rules->count && *keep; i++)
        TRY(relabel_apply(&rules->items[i], l, keep));
    return OK;
}

void relabel_sanitize(str name, struct buf *out)
{
    for (size_t i = 0; i < name.len; i++) {
        char ch = name.ptr[i];
        bool good = (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || ch == '_' ||
                    (ch >= '0' && ch <= '9');
        buf_put_u8(out, good ? (uint8_t)ch : '_');
    }
}
