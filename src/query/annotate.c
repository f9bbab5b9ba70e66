/* annotate.c -- see annotate.h. Few distinct texts are expected: a list searched from the front. */
#include "query/annotate.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/duration.h"
#include "base/mem.h"
#include "base/number.h"
#include "base/utf8.h"
#include "query/ast.h"

enum { TEXT_SIZE = 1024 }; /* bytes of one annotation without its place */
enum { NO_PLACE = SIZE_MAX };

struct annotation {
    char *text; /* owned; without the place */
    size_t pos; /* byte of the query, or NO_PLACE */
    bool warning;
    bool counted; /* tells `count` when it is more than one */
    bool fix;     /* forced monotonicity: the numbers below complete the text */
    struct monotonicity_fix extent;
    int64_t ts_max_ms;
    uint64_t count;
};

void annotations_init(struct annotations *a, str query)
{
    *a = (struct annotations){.query = query};
    mutex_init(&a->lock);
}

void annotations_fini(struct annotations *a)
{
    for (size_t i = 0; i < a->count; i++)
        mem_free(a->items[i].text);
    mem_free(a->items);
    mutex_fini(&a->lock);
}

static char *text_copy(const char *text, size_t len)
{
    char *copy = mem_alloc(len + 1);
    memcpy(copy, text, len);
    copy[len] = 0;
    return copy;
}

/* The entry with this text and place, new when there is none (then *is_new); NULL when full. */
static struct annotation *find_or_add(struct annotations *a, bool warning, size_t pos,
                                      const char *text, size_t len, bool *is_new)
{
    *is_new = false;
    for (size_t i = 0; i < a->count; i++) {
        struct annotation *it = &a->items[i];
        if (it->pos == pos && it->warning == warning && strlen(it->text) == len &&
            memcmp(it->text, text, len) == 0)
            return it;
    }
    if (a->count == ANNOTATIONS_MAX) {
        a->left_out++;
        return NULL;
    }
    if (a->count == a->cap) {
        a->cap = a->cap > 0 ? 2 * a->cap : 8;
        a->items = mem_resize(a->items, a->cap, sizeof(*a->items));
    }
    struct annotation *it = &a->items[a->count++];
    *it = (struct annotation){.text = text_copy(text, len), .pos = pos, .warning = warning};
    *is_new = true;
    return it;
}

static void add_formatted(struct annotations *a, bool warning, size_t pos, uint64_t count,
                          const char *format, va_list args) __attribute__((format(printf, 5, 0)));

/* `count` 0: not counted. */
static void add_formatted(struct annotations *a, bool warning, size_t pos, uint64_t count,
                          const char *format, va_list args)
{
    char text[TEXT_SIZE];
    int prefix = snprintf(text, sizeof(text), "PromQL %s: ", warning ? "warning" : "info");
    int n = vsnprintf(text + prefix, sizeof(text) - (size_t)prefix, format, args);
    size_t len = (size_t)prefix + (size_t)(n > 0 ? n : 0);
    bool is_new;
    mutex_lock(&a->lock);
    struct annotation *it =
        find_or_add(a, warning, pos, text, len < sizeof(text) ? len : sizeof(text) - 1, &is_new);
    if (it != NULL && count > 0) {
        it->counted = true;
        it->count += count;
    }
    mutex_unlock(&a->lock);
}

void annotate_warning(struct annotations *a, size_t pos, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    add_formatted(a, true, pos, 0, format, args);
    va_end(args);
}

void annotate_info(struct annotations *a, size_t pos, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    add_formatted(a, false, pos, 0, format, args);
    va_end(args);
}

void annotate_counted(struct annotations *a, size_t pos, uint64_t count, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    add_formatted(a, true, pos, count, format, args);
    va_end(args);
}

void annotate_text(struct annotations *a, str text)
{
    bool is_new;
    mutex_lock(&a->lock);
    find_or_add(a, true, NO_PLACE, text.ptr, text.len < TEXT_SIZE ? text.len : TEXT_SIZE, &is_new);
    mutex_unlock(&a->lock);
}

void annotate_monotonicity(struct annotations *a, size_t pos, str metric,
                           const struct monotonicity_fix *fix)
{
    struct buf b = {0};
    buf_printf(&b, "PromQL info: input to histogram_quantile needed to be fixed for monotonicity "
                   "(see https://prometheus.io/docs/prometheus/latest/querying/functions/"
                   "#histogram_quantile)");
    if (metric.len > 0) {
        buf_put_str(&b, STR(" for metric name "));
        utf8_quote(&b, metric);
    }
    bool is_new;
    mutex_lock(&a->lock);
    struct annotation *it = find_or_add(a, false, pos, (const char *)b.ptr, b.len, &is_new);
    if (it != NULL) {
        struct monotonicity_fix *e = &it->extent;
        if (is_new) {
            it->fix = true;
            *e = *fix;
            it->ts_max_ms = fix->ts_ms;
        }
        e->bucket_min = fmin(e->bucket_min, fix->bucket_min);
        e->bucket_max = fmax(e->bucket_max, fix->bucket_max);
        e->diff_max = fmax(e->diff_max, fix->diff_max);
        e->ts_ms = MIN(e->ts_ms, fix->ts_ms);
        it->ts_max_ms = MAX(it->ts_max_ms, fix->ts_ms);
        it->count++;
    }
    mutex_unlock(&a->lock);
    buf_fini(&b);
}

bool annotations_count(struct annotations *a)
{
    mutex_lock(&a->lock);
    bool counts = a->left_out > 0;
    for (size_t i = 0; i < a->count; i++)
        counts = counts || a->items[i].counted || a->items[i].fix;
    mutex_unlock(&a->lock);
    return counts;
}

const char *annotation_quote(struct buf *b, str name)
{
    buf_reset(b);
    utf8_quote(b, name);
    return buf_cstr(b);
}

static void put_number(struct buf *b, double v)
{
    char text[NUMBER_SIZE_MAX];
    buf_put(b, text, number_format_g(v, text));
}

/* Go's %.2g: two significant digits, exponent of at least two digits, no trailing zeros. */
static void put_two_digits(struct buf *b, double v)
{
    buf_printf(b, "%.2g", v);
}

static void put_fix(struct buf *b, const struct annotation *it)
{
    char from[40], to[40];
    size_t from_size = timestamp_format_rfc3339(it->extent.ts_ms, from);
    size_t to_size = timestamp_format_rfc3339(it->ts_max_ms, to);
    buf_put_str(b, STR(", from buckets "));
    put_number(b, it->extent.bucket_min);
    buf_put_str(b, STR(" to "));
    put_number(b, it->extent.bucket_max);
    buf_put_str(b, STR(", with a max diff of "));
    put_two_digits(b, it->extent.diff_max);
    buf_printf(b, ", over %llu samples from %.*s to %.*s", (unsigned long long)it->count,
               (int)from_size, from, (int)to_size, to);
}

static int compare_texts(const void *pa, const void *pb)
{
    const str *a = pa, *b = pb;
    return str_cmp(*a, *b);
}

static err list_one(struct annotations *a, const struct annotation *it, struct arena *arena,
                    struct buf *b, str *out)
{
    buf_reset(b);
    buf_put_str(b, str_from(it->text));
    if (it->fix)
        put_fix(b, it);
    if (it->counted && it->count > 1)
        buf_printf(b, " (%llu occurrences)", (unsigned long long)it->count);
    if (it->pos != NO_PLACE) {
        char place[EXPR_POS_SIZE];
        expr_pos_format(a->query, it->pos, place);
        buf_printf(b, " (%s)", place);
    }
    *out = arena_str(arena, buf_str(b));
    return out->ptr != NULL ? OK : ERR_LIMIT;
}

err annotations_list(struct annotations *a, struct arena *arena, str **warnings,
                     size_t *warning_count, str **infos, size_t *info_count)
{
    str *lists[2];
    size_t counts[2] = {0, 0};
    struct buf b = {0};
    err e = OK;
    mutex_lock(&a->lock);
    for (int i = 0; i < 2; i++)
        lists[i] = ARENA_ARRAY(arena, str, a->count + 2);
    if (lists[0] == NULL || lists[1] == NULL)
        e = ERR_LIMIT;
    for (size_t i = 0; i < a->count && e == OK; i++) {
        int which = a->items[i].warning ? 0 : 1;
        e = list_one(a, &a->items[i], arena, &b, &lists[which][counts[which]]);
        counts[which] += e == OK;
    }
    if (e == OK && a->left_out > 0)
        lists[0][counts[0]++] = STR("PromQL warning: more annotations than can be told");
    mutex_unlock(&a->lock);
    buf_fini(&b);
    if (e != OK)
        return e;
    for (int i = 0; i < 2; i++)
        qsort(lists[i], counts[i], sizeof(str), compare_texts);
    *warnings = lists[0];
    *warning_count = counts[0];
    *infos = lists[1];
    *info_count = counts[1];
    return OK;
}
