/* search.c -- see search.h. Reference: Prometheus util/strutil and web/api/v1/search_filters. The
 * order of the floating point operations is part of the result. */
#include "http/search.h"

#include <locale.h>
#include <pthread.h>
#include <wctype.h>

#include "base/utf8.h"

enum { PREFIX_MAX = 4 }; /* characters at the start that Winkler's bonus looks at */
static const double PREFIX_WEIGHT = 0.1;
static const double SCORE_INSIDE = 0.9; /* of a term that stands inside the name */

struct chars {
    const uint32_t *at;
    size_t count;
};

/* ---- Characters ---- */

static locale_t utf8_locale; /* for lower case only; 0 when the C library has none */
static pthread_once_t locale_once = PTHREAD_ONCE_INIT;

static void make_locale(void)
{
    utf8_locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
}

static uint32_t lower(uint32_t c)
{
    if (c < 0x80)
        return c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c;
    return utf8_locale != (locale_t)0 ? (uint32_t)towlower_l((wint_t)c, utf8_locale) : c;
}

static void decode(str s, bool ignore_case, struct buf *out)
{
    buf_reset(out);
    for (size_t i = 0; i < s.len;) {
        unsigned size;
        uint32_t c = utf8_decode((str){s.ptr + i, s.len - i}, &size);
        c = ignore_case ? lower(c) : c;
        buf_put(out, &c, sizeof(c));
        i += size;
    }
}

static struct chars chars_of(const struct buf *b)
{
    return (struct chars){(const uint32_t *)(const void *)b->ptr, b->len / sizeof(uint32_t)};
}

err search_add(struct search *s, str term)
{
    if (s->count == SEARCH_TERMS_MAX || term.len > SEARCH_TERM_BYTES_MAX)
        return ERR_LIMIT;
    (void)pthread_once(&locale_once, make_locale);
    decode(term, s->ignore_case, &s->terms[s->count++]);
    return OK;
}

void search_fini(struct search *s)
{
    for (unsigned i = 0; i < s->count; i++)
        buf_fini(&s->terms[i]);
    buf_fini(&s->value);
    buf_fini(&s->marks);
    s->count = 0;
}

static bool starts_with(struct chars text, struct chars term)
{
    return term.count == 0 || (text.count >= term.count &&
                               memcmp(text.at, term.at, term.count * sizeof(*term.at)) == 0);
}

static bool contains(struct chars text, struct chars term)
{
    for (size_t i = 0; i + term.count <= text.count; i++)
        if (starts_with((struct chars){text.at + i, text.count - i}, term))
            return true;
    return false;
}

/* ---- Subsequence ---- */

/* The score of the matches found greedily from `start`, where the first character matches; false
 * when the term does not come to its end. */
static bool score_from(struct chars text, struct chars term, size_t start, double *out)
{
    double score = 0, per_char = 1.0 / (double)text.count;
    size_t i = start, matched = 0, behind = 0; /* behind the last match */
    while (i < text.count && matched < term.count) {
        if (text.at[i] != term.at[matched]) {
            i++;
            continue;
        }
        size_t from = i;
        while (i < text.count && matched < term.count && text.at[i] == term.at[matched]) {
            i++;
            matched++;
        }
        if (from > behind)
            score -= (double)(from - behind) * per_char;
        score += (double)((i - from) * (i - from));
        behind = i;
    }
    if (matched < term.count)
        return false;
    if (text.count > behind)
        score -= (double)(text.count - behind) * per_char * 0.5;
    *out = score;
    return true;
}

static double subsequence(struct chars text, struct chars term)
{
    double best = -1;
    for (size_t i = 0; i + term.count <= text.count; i++) {
        double score;
        if (text.at[i] != term.at[0])
            continue;
        if (!score_from(text, term, i, &score))
            break; /* no later start can come to the end */
        best = MAX(best, score);
    }
    return best < 0 ? 0 : best / (double)(term.count * term.count);
}

/* ---- Jaro-Winkler ---- */

/* Mark characters that have a partner in the other text not too far away; how many. */
static size_t pair_chars(struct chars a, struct chars b, bool *in_a, bool *in_b)
{
    size_t reach = b.count / 2 > 1 ? b.count / 2 - 1 : 0, pairs = 0;
    for (size_t i = 0; i < a.count; i++) {
        size_t end = MIN(i + reach + 1, b.count);
        for (size_t k = i > reach ? i - reach : 0; k < end; k++) {
            if (in_b[k] || a.at[i] != b.at[k])
                continue;
            in_a[i] = in_b[k] = true;
            pairs++;
            break;
        }
    }
    return pairs;
}

static size_t count_swapped(struct chars a, struct chars b, const bool *in_a, const bool *in_b)
{
    size_t swapped = 0;
    for (size_t i = 0, k = 0; i < a.count; i++) {
        if (!in_a[i])
            continue;
        while (!in_b[k])
            k++;
        swapped += a.at[i] != b.at[k];
        k++;
    }
    return swapped;
}

static double jaro_winkler(struct search *s, struct chars a, struct chars b)
{
    if (a.count == b.count && starts_with(a, b))
        return 1;
    if (a.count == 0 || b.count == 0)
        return 0;
    if (a.count > b.count) {
        struct chars c = a;
        a = b;
        b = c;
    }
    buf_reset(&s->marks);
    bool *marks = (bool *)(void *)buf_reserve(&s->marks, a.count + b.count);
    memset(marks, 0, a.count + b.count);
    size_t n = pair_chars(a, b, marks, marks + a.count);
    if (n == 0)
        return 0;
    double pairs = (double)n;
    double swapped = (double)count_swapped(a, b, marks, marks + a.count);
    double per_a = 1.0 / (double)a.count, per_b = 1.0 / (double)b.count;
    double jaro = (pairs * per_a + pairs * per_b + (pairs - swapped * 0.5) / pairs) / 3.0;
    size_t prefix = 0;
    while (prefix < MIN((size_t)PREFIX_MAX, a.count) && a.at[prefix] == b.at[prefix])
        prefix++;
    return jaro + (double)prefix * PREFIX_WEIGHT * (1.0 - jaro);
}

/* ---- A name ---- */

static bool term_matches(struct search *s, struct chars term, struct chars value, double *score)
{
    *score = 1;
    if (starts_with(value, term)) /* an empty term too */
        return true;
    if (s->algorithm == SEARCH_SUBSEQUENCE) {
        *score = subsequence(value, term);
        return *score > 0 && *score >= s->threshold;
    }
    *score = SCORE_INSIDE;
    if (contains(value, term))
        return true;
    *score = s->threshold > 0 ? jaro_winkler(s, term, value) : 0;
    return s->threshold > 0 && *score >= s->threshold;
}

bool search_matches(struct search *s, str value, double *score)
{
    bool any = s->count == 0;
    *score = any ? 1 : 0;
    if (!any)
        decode(value, s->ignore_case, &s->value);
    for (unsigned i = 0; i < s->count; i++) {
        double one;
        if (!term_matches(s, chars_of(&s->terms[i]), chars_of(&s->value), &one))
            continue;
        any = true;
        *score = MAX(*score, one);
    }
    return any;
}
