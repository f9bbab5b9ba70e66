/* regex_shift.c -- see regex_priv.h: sequences of bytes, classes and gaps, matched with a few
 * operations on one word for each byte of the text. As in regex_scan.c, what is not understood is
 * left to RE2.
 *
 * Each alternative has a place for its start and one behind each of its items; nothing leads to a
 * start. Any text is any bytes: an item's first byte never stands inside a rune, so gaps end where
 * runes do, and the one rune that ".+" needs at least is the byte it begins with. */
#include <string.h>

#include "base/compiler.h"
#include "base/regex_priv.h"

enum { PLACES_MAX = 64 };

struct maker {
    struct regex_shift *m;
    struct arena *arena;
    str left;
    unsigned places; /* made so far; the newest is where the alternative stands */
};

static void skip(str *s, size_t n)
{
    *s = (str){s->ptr + n, s->len - n};
}

static uint64_t newest(const struct maker *k)
{
    return (uint64_t)1 << (k->places - 1);
}

static bool add_place(struct maker *k)
{
    if (k->places == PLACES_MAX)
        return false;
    k->places++;
    return true;
}

static bool add_byte(struct maker *k, unsigned char c)
{
    if (!add_place(k))
        return false;
    k->m->step[c] |= newest(k);
    return true;
}

static void stay_on_any(struct maker *k)
{
    for (unsigned c = 0; c < 256; c++)
        k->m->stay[c] |= newest(k);
    k->m->sure |= newest(k); /* those that are no end are taken out at last */
}

static bool add_gap(struct maker *k, bool at_least_one)
{
    if (at_least_one) {
        if (!add_place(k))
            return false;
        for (unsigned c = 0; c < 256; c++)
            k->m->step[c] |= (c & 0xc0) != 0x80 ? newest(k) : 0;
    }
    stay_on_any(k);
    return true;
}

/* One byte of a set, and the quantifier that follows. */
static bool add_set(struct maker *k, const bool has[256])
{
    char how = regex_is_quantifier(k->left) ? k->left.ptr[0] : '\0';
    uint64_t before = newest(k);
    if (how == '{' || !add_place(k))
        return false;
    if (how != '\0')
        skip(&k->left, 1);
    if (how != '\0' && k->left.len > 0 && k->left.ptr[0] == '?') /* lazy: the same texts */
        skip(&k->left, 1);
    for (unsigned c = 0; c < 256; c++) {
        k->m->step[c] |= has[c] ? newest(k) : 0;
        k->m->stay[c] |= has[c] && (how == '*' || how == '+') ? newest(k) : 0;
    }
    k->m->skip |= how == '*' || how == '?' ? before : 0;
    return how == '\0' || !regex_is_quantifier(k->left);
}

/* \\d, \\w and \\s, which are ASCII. */
static bool take_perl_class(str *s, bool has[256])
{
    static const char WORD[] = "0123456789_ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    if (s->len < 2 || s->ptr[0] != '\\')
        return false;
    str members = s->ptr[1] == 'd'   ? (str){WORD, 10}
                  : s->ptr[1] == 'w' ? (str){WORD, sizeof(WORD) - 1}
                  : s->ptr[1] == 's' ? STR("\t\n\f\r ")
                                     : STR("");
    for (size_t i = 0; i < members.len; i++)
        has[(unsigned char)members.ptr[i]] = true;
    skip(s, members.len > 0 ? 2 : 0);
    return members.len > 0;
}

static bool add_item(struct maker *k)
{
    bool has[256] = {false};
    size_t gap_min = 0;
    str rune;
    if (regex_take_gap(&k->left, &gap_min))
        return add_gap(k, gap_min > 0);
    if (k->left.ptr[0] == '[')
        return regex_take_class(&k->left, k->arena, has) && add_set(k, has);
    if (take_perl_class(&k->left, has))
        return add_set(k, has);
    size_t size = regex_literal_size(k->left, &rune);
    if (size == 0)
        return false;
    skip(&k->left, size);
    if (rune.len == 1) {
        has[(unsigned char)rune.ptr[0]] = true;
        return add_set(k, has);
    }
    for (size_t i = 0; i < rune.len; i++)
        if (!add_byte(k, (unsigned char)rune.ptr[i]))
            return false;
    return !regex_is_quantifier(k->left);
}

static bool add_alternative(struct maker *k)
{
    if (!add_place(k))
        return false;
    k->m->start |= newest(k);
    while (k->left.len > 0 && k->left.ptr[0] != '|')
        if (!add_item(k))
            return false;
    k->m->end |= newest(k);
    return true;
}

/* The places that are reached without a byte, too. */
static inline uint64_t closed(const struct regex_shift *m, uint64_t at)
{
    for (uint64_t from = at & m->skip; from != 0; from = from << 1 & m->skip)
        at |= from << 1;
    return at;
}

struct regex_shift *regex_shift_make(str expr, struct arena *a)
{
    struct maker k = {.m = ARENA_NEW(a, struct regex_shift), .arena = a, .left = expr};
    if (k.m == NULL)
        return NULL;
    for (;;) {
        if (!add_alternative(&k))
            return NULL;
        if (k.left.len == 0)
            break;
        skip(&k.left, 1);
    }
    k.m->start = closed(k.m, k.m->start);
    k.m->sure &= k.m->end;
    return k.m;
}

bool regex_shift_match(const struct regex_shift *m, str s)
{
    uint64_t at = m->start;
    for (size_t i = 0; i < s.len && (at & m->sure) == 0; i++) {
        unsigned char c = (unsigned char)s.ptr[i];
        at = (at << 1 & m->step[c]) | (at & m->stay[c]);
        if (at == 0)
            return false;
        if (m->skip != 0)
            at = closed(m, at);
    }
    return (at & m->end) != 0;
}
