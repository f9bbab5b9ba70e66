/* regex_scan.c -- see regex_priv.h.
 *
 * The recognisers know a small part of the syntax whose meaning Go and RE2 share: literal runes,
 * backslash before punctuation, groups, '|', classes of plain ASCII characters. At anything else
 * they give up; expressions that are wrong always contain something else, so RE2 reports them. */
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "base/regex.h"
#include "base/regex_priv.h"

struct set { /* strings in the arena */
    str *items;
    size_t count, cap;
};

struct scanner {
    str left; /* what is still to be read */
    struct arena *arena;
    bool has_group;
};

static bool is_special(char c)
{
    return c != '\0' && strchr("\\.+*?()|[{^$", c) != NULL;
}

bool regex_is_quantifier(str s)
{
    return s.len > 0 && s.ptr[0] != '\0' && strchr("*+?{", s.ptr[0]) != NULL;
}

static bool is_alnum(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_punct(char c)
{
    return c > ' ' && c < 0x7f && !is_alnum(c);
}

static void skip(str *s, size_t n)
{
    *s = (str){s->ptr + n, s->len - n};
}

size_t regex_literal_size(str s, str *out)
{
    if (s.len == 0)
        return 0;
    if (s.ptr[0] == '\\') {
        if (s.len < 2 || !is_punct(s.ptr[1]))
            return 0;
        *out = (str){s.ptr + 1, 1};
        return 2;
    }
    if (is_special(s.ptr[0]))
        return 0;
    size_t n = 1;
    while (n < s.len && ((unsigned char)s.ptr[n] & 0xc0) == 0x80)
        n++;
    *out = (str){s.ptr, n};
    return n;
}

/* Bytes of the longest run of literal runes that no quantifier follows at the start of `s`. */
static size_t run_size(str s)
{
    str rune, left = s;
    for (size_t n; (n = regex_literal_size(left, &rune)) > 0; skip(&left, n))
        if (regex_is_quantifier((str){left.ptr + n, left.len - n}))
            break;
    return s.len - left.len;
}

/* That run, unescaped into the arena, off the front of `s`. NULL pointer: over budget. */
static str take_literals(str *s, struct arena *a)
{
    str run = {s->ptr, run_size(*s)}, rune;
    size_t size = 0;
    char *text = arena_alloc(a, run.len + 1);
    if (text == NULL)
        return (str){NULL, 0};
    skip(s, run.len);
    while (run.len > 0) {
        skip(&run, regex_literal_size(run, &rune));
        memcpy(text + size, rune.ptr, rune.len);
        size += rune.len;
    }
    return (str){text, size};
}

static bool set_add(struct set *s, struct arena *a, str item)
{
    if (s->count == REGEX_LITERALS_MAX)
        return false;
    if (s->count == s->cap) {
        size_t cap = MAX(s->cap * 2, (size_t)1); /* most hold one string */
        str *items = arena_grow(a, s->items, s->count, cap, sizeof(*items));
        if (items == NULL)
            return false;
        s->items = items;
        s->cap = cap;
    }
    s->items[s->count++] = item;
    return true;
}

/* left = every string of `left` followed by every string of `right`. */
static bool set_multiply(struct set *left, const struct set *right, struct arena *a)
{
    struct set product = {0};
    if (left->count == 1 && left->items[0].len == 0) {
        *left = *right;
        return true;
    }
    for (size_t i = 0; i < left->count; i++) {
        for (size_t j = 0; j < right->count; j++) {
            str x = left->items[i], y = right->items[j];
            char *text = arena_alloc(a, x.len + y.len + 1);
            if (text == NULL)
                return false;
            memcpy(text, x.ptr, x.len);
            memcpy(text + x.len, y.ptr, y.len);
            if (!set_add(&product, a, (str){text, x.len + y.len}))
                return false;
        }
    }
    *left = product;
    return true;
}

/* "[abc0-9]" of plain ASCII; the bracket is still in front. */
static bool scan_class(struct scanner *sc, struct set *out)
{
    static const char ASCII[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    skip(&sc->left, 1);
    while (sc->left.len > 0 && sc->left.ptr[0] != ']') {
        char c = sc->left.ptr[0];
        if (is_alnum(c) && sc->left.len > 2 && sc->left.ptr[1] == '-') {
            char last = sc->left.ptr[2];
            if (!is_alnum(last) || last < c)
                return false;
            for (const char *p = ASCII; *p != '\0'; p++)
                if (*p >= c && *p <= last && !set_add(out, sc->arena, (str){p, 1}))
                    return false;
            bool gap = (c <= '9' && last > '9') || (c <= 'Z' && last > 'Z');
            if (gap) /* the range holds punctuation too */
                return false;
            skip(&sc->left, 3);
            continue;
        }
        if (!is_alnum(c) && (c == '\0' || strchr("_.:/ ", c) == NULL))
            return false;
        if (!set_add(out, sc->arena, (str){sc->left.ptr, 1}))
            return false;
        skip(&sc->left, 1);
    }
    if (sc->left.len == 0 || out->count == 0)
        return false;
    skip(&sc->left, 1);
    return true;
}

bool regex_take_class(str *s, struct arena *a, bool has[256])
{
    struct scanner sc = {.left = *s, .arena = a};
    struct set members = {0};
    if (!scan_class(&sc, &members))
        return false;
    for (size_t i = 0; i < members.count; i++)
        has[(unsigned char)members.items[i].ptr[0]] = true;
    *s = sc.left;
    return true;
}

static bool scan_alternatives(struct scanner *sc, struct set *out, unsigned depth);

/* "(...)" or "(?:...)"; the parenthesis is still in front. */
static bool scan_group(struct scanner *sc, struct set *out, unsigned depth)
{
    skip(&sc->left, 1);
    if (str_starts(sc->left, STR("?:")))
        skip(&sc->left, 2);
    else if (str_starts(sc->left, STR("?")))
        return false;
    else
        sc->has_group = true;
    if (depth == REGEX_NESTING_MAX || !scan_alternatives(sc, out, depth + 1))
        return false;
    if (sc->left.len == 0 || sc->left.ptr[0] != ')')
        return false;
    skip(&sc->left, 1);
    return true;
}

/* One literal run, class or group with nothing repeated. */
static bool scan_atom(struct scanner *sc, struct set *out, unsigned depth)
{
    bool ok;
    if (sc->left.ptr[0] == '(') {
        ok = scan_group(sc, out, depth);
    } else if (sc->left.ptr[0] == '[') {
        ok = scan_class(sc, out);
    } else {
        str text = take_literals(&sc->left, sc->arena);
        ok = text.len > 0 && set_add(out, sc->arena, text);
    }
    return ok && !regex_is_quantifier(sc->left);
}

/* Atoms one after the other, up to '|', ')' or the end. */
static bool scan_sequence(struct scanner *sc, struct set *out, unsigned depth)
{
    if (!set_add(out, sc->arena, STR("")))
        return false;
    while (sc->left.len > 0 && sc->left.ptr[0] != '|' && sc->left.ptr[0] != ')') {
        struct set atom = {0};
        if (!scan_atom(sc, &atom, depth) || !set_multiply(out, &atom, sc->arena))
            return false;
    }
    return true;
}

static bool scan_alternatives(struct scanner *sc, struct set *out, unsigned depth)
{
    for (;;) {
        struct set sequence = {0};
        if (!scan_sequence(sc, &sequence, depth))
            return false;
        for (size_t i = 0; i < sequence.count; i++)
            if (!set_add(out, sc->arena, sequence.items[i]))
                return false;
        if (sc->left.len == 0 || sc->left.ptr[0] != '|')
            return true;
        skip(&sc->left, 1);
    }
}

static int by_text(const void *a, const void *b)
{
    return str_cmp(*(const str *)a, *(const str *)b);
}

static size_t sort_unique(str *items, size_t count)
{
    qsort(items, count, sizeof(*items), by_text);
    size_t kept = 0;
    for (size_t i = 0; i < count; i++)
        if (kept == 0 || !str_eq(items[kept - 1], items[i]))
            items[kept++] = items[i];
    return kept;
}

static str common_prefix(str a, str b)
{
    size_t n = 0;
    while (n < a.len && n < b.len && a.ptr[n] == b.ptr[n])
        n++;
    return (str){a.ptr, n};
}

static bool scan_literals(str expr, struct arena *a, struct regex_facts *out)
{
    struct scanner sc = {.left = expr, .arena = a};
    struct set set = {0};
    if (!scan_alternatives(&sc, &set, 0) || sc.left.len > 0)
        return false;
    out->has_group = sc.has_group;
    out->literals = set.items;
    out->literal_count = sort_unique(set.items, set.count);
    out->prefix = common_prefix(set.items[0], set.items[out->literal_count - 1]);
    return true;
}

bool regex_take_gap(str *s, size_t *gap_min)
{
    if (s->len < 2 || s->ptr[0] != '.' || (s->ptr[1] != '*' && s->ptr[1] != '+'))
        return false;
    size_t size = s->len > 2 && s->ptr[2] == '?' ? 3 : 2;
    if (regex_is_quantifier((str){s->ptr + size, s->len - size}))
        return false;
    *gap_min += s->ptr[1] == '+';
    skip(s, size);
    return true;
}

static bool scan_glob(str expr, struct arena *a, struct regex_glob *out)
{
    struct regex_glob g = {0};
    for (;;) {
        g.parts[g.count] = take_literals(&expr, a);
        if (g.parts[g.count].ptr == NULL)
            return false;
        g.count++;
        if (expr.len == 0)
            break;
        if (g.count == REGEX_GLOB_PARTS_MAX || !regex_take_gap(&expr, &g.gap_min[g.count]))
            return false;
        /* ".+.*": one gap. A gap of several must be counted in runes, which bytes are not. */
        while (regex_take_gap(&expr, &g.gap_min[g.count]))
            ;
        if (g.gap_min[g.count] > 1)
            return false;
    }
    *out = g;
    return g.count > 1;
}

/* Bytes of the class "[...]" at the start of `s`; all of `s` when it does not end. */
static size_t class_size(str s)
{
    size_t i = 1;
    i += i < s.len && s.ptr[i] == '^';
    i += i < s.len && s.ptr[i] == ']'; /* in front a member */
    while (i < s.len && s.ptr[i] != ']') {
        if (s.ptr[i] == '[') /* "[:alpha:]": no need to know */
            return s.len;
        i += s.ptr[i] == '\\' ? 2 : 1;
    }
    return MIN(i + 1, s.len);
}

/* Is there a '|' outside of all groups? `true` when unsure. */
static bool may_have_alternatives(str s)
{
    size_t depth = 0;
    while (s.len > 0) {
        char c = s.ptr[0];
        if ((c == '|' && depth == 0) || (c == ')' && depth == 0))
            return true;
        if (c == '\\' && (s.len < 2 || s.ptr[1] == 'Q')) /* "\Q..." holds what it likes */
            return true;
        depth += c == '(';
        depth -= c == ')';
        size_t size = c == '[' ? class_size(s) : c == '\\' ? 2 : 1;
        if (c == '[' && size == s.len && s.ptr[s.len - 1] != ']')
            return true;
        skip(&s, size);
    }
    return depth > 0;
}

/* Matching is anchored anyway: take '^' off the front and '$' off the end. */
static str without_anchors(str s)
{
    if (str_starts(s, STR("^")) && !regex_is_quantifier((str){s.ptr + 1, s.len - 1}))
        skip(&s, 1);
    if (!str_ends(s, STR("$")))
        return s;
    size_t backslashes = 0;
    while (backslashes + 1 < s.len && s.ptr[s.len - 2 - backslashes] == '\\')
        backslashes++;
    return backslashes % 2 == 0 ? (str){s.ptr, s.len - 1} : s;
}

/* The inside of "(...)" or "(?:...)" around all of `s`, when it holds no other parenthesis, escape
 * or class; else `s`. */
static str without_group(str s, bool *captures)
{
    *captures = false;
    bool plain = str_starts(s, STR("(?:"));
    if (!str_starts(s, STR("(")) || !str_ends(s, STR(")")) || s.len < 2 || (plain && s.len < 4))
        return s;
    size_t head = plain ? 3 : 1;
    str inside = {s.ptr + head, s.len - head - 1};
    for (size_t i = 0; i < inside.len; i++)
        if (inside.ptr[i] == '\0' || strchr("()[\\", inside.ptr[i]) != NULL)
            return s;
    *captures = !plain;
    return inside;
}

void regex_scan(str expr, struct arena *a, struct regex_facts *out)
{
    bool captures;
    *out = (struct regex_facts){0};
    expr = without_anchors(expr);
    if (scan_literals(expr, a, out))
        return;
    out->literals = NULL;
    out->has_group = true; /* unless shown otherwise below */
    if (scan_glob(without_group(expr, &captures), a, &out->glob)) {
        out->is_glob = true;
        out->has_group = captures;
        out->prefix = out->glob.parts[0];
        return;
    }
    out->shift = regex_shift_make(without_group(expr, &captures), a);
    if (out->shift != NULL)
        out->has_group = captures;
    if (!may_have_alternatives(expr))
        out->prefix = take_literals(&expr, a);
}

bool regex_glob_match(const struct regex_glob *g, str s)
{
    if (!str_starts(s, g->parts[0]))
        return false;
    skip(&s, g->parts[0].len);
    for (size_t i = 1; i + 1 < g->count; i++) {
        if (s.len < g->gap_min[i])
            return false;
        skip(&s, g->gap_min[i]);
        str part = g->parts[i];
        const char *at = memmem(s.ptr, s.len, part.ptr, part.len);
        if (at == NULL)
            return false;
        skip(&s, (size_t)(at - s.ptr) + part.len);
    }
    str last = g->parts[g->count - 1];
    return s.len >= g->gap_min[g->count - 1] + last.len && str_ends(s, last);
}
