/* selectors.c -- finding series by matchers among millions, in the head and in a block: the data
 * and the matchers of Prometheus' tsdb BenchmarkQuerier (PostingsForMatchers,
 * labelValuesWithMatchers).
 *
 *   bench_selectors [I_VALUES [head|block|both [FILTER]]]
 *
 * I_VALUES values of the label "i" (100,000: 5,000,010 series, about 2 GB) for each of ten "n".
 * Prints the CPU time of each selector (best and median of several runs, all ids at hand as an
 * array at the end) and whether it is below the aim: 1 ms for equality, 20 ms when a regex takes
 * part. FILTER: only selectors whose text contains it. The block is written to $TMPDIR or /tmp. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/mem.h"
#include "storage/block.h"
#include "storage/block_writer.h"
#include "storage/registry.h"

enum { N_VALUES = 10, PER_I = 50, TEXT = 96, MATCHERS_MAX = 64, RUNS_MAX = 41, LABELS = 3 };
static const double EQUAL_MS_MAX = 1, REGEX_MS_MAX = 20, RUN_BUDGET_MS = 300;

/* Makes values about 50 bytes long. */
#define SUFFIX "aaaaaaaaaabbbbbbbbbbccccccccccdddddddddd"

struct test {
    const char *text;  /* matchers; @ stands for SUFFIX */
    const char *label; /* not NULL: list the values of this label */
};

static const struct test TESTS[] = {
    {"n=1@", NULL},
    {"n=X@", NULL},
    {"n=1@ j=foo", NULL},
    {"n=X@ j=foo", NULL},
    {"j=foo n=1@", NULL},
    {"n=1@ j!=foo", NULL},
    {"n=1@ i!=2@", NULL},
    {"n=0_1@ j=foo a=1@", NULL},
    {"n=X@ j!=foo", NULL},
    {"i=~1[0-9] j=~foo|bar", NULL},
    {"j=~foo|bar", NULL},
    {"j=~XXX|YYY", NULL},
    {"j=~X.+", NULL},
    {"i=~(1|2|3|4|5|6|20|55)", NULL},
    {"i!~(1|2|3|4|5|6|20|55)", NULL},
    {"i=~X|Y|Z", NULL},
    {"i!~X|Y|Z", NULL},
    {"i=~.*", NULL},
    {"i=~1.*", NULL},
    {"i=~.*1", NULL},
    {"i=~.+", NULL},
    {"i=~.+ j=~X.+", NULL},
    {"i=~", NULL},
    {"i!=", NULL},
    {"n=1@ i=~.* j=foo", NULL},
    {"n=X@ i=~.* j=foo", NULL},
    {"n=1@ i=~.* i!=2@ j=foo", NULL},
    {"n=1@ i!=", NULL},
    {"n=1@ i!= j=foo", NULL},
    {"n=1@ i!= j=~X.+", NULL},
    {"n=1@ i!= j=~XXX|YYY", NULL},
    {"n=1@ i=~X|Y|Z j=foo", NULL},
    {"n=1@ i!~X|Y|Z j=foo", NULL},
    {"n=1@ i=~.+ j=foo", NULL},
    {"n=1@ i=~1.+ j=foo", NULL},
    {"n=1@ i=~.*1.* j=foo", NULL},
    {"n=1@ i=~.+ i!=2@ j=foo", NULL},
    {"n=1@ i=~.+ i!~2.* j=foo", NULL},
    {"n=1@ i=~.+ i!~.*2.* j=foo", NULL},
    {"n=X@ i=~.+ i!~.*2.* j=foo", NULL},
    {"i!~1.* i!~2.* i!~3.* i!~4.*", NULL},
    {"n=1@ i!~1.* i!~2.* i!~3.* i!~4.*", NULL},
    {"n=1@ i=~.+ i!~1.* i!~3.* j=foo", NULL},
    {"i=~1.+ i=~.*1.*", NULL},
    {"i!~1.+ i!~.*2.* i!=2@", NULL},
    /* Not upstream's: an automaton has to look at every value, or a real set of values is found. */
    {"i=~(1|2|3|4|5|6|20|55)@", NULL},
    {"i=~[0-9]*7a.+", NULL},
    {"n=1@ i=~[0-9]*7a.+", NULL},
    {"i=~.*[13579]aaa.*", NULL},
    {"i=1", "i"},
    {"n=1@", "i"},
    {"n=~.+", "i"},
    {"n=1@ j!=foo", "i"},
    {"n=1@ j=~X.+", "i"},
    {"n=1@ j=~XXX|YYY", "i"},
    {"n!=X@ j!=foo", "i"},
    {"n=1@ i=~.* j!=foo", "i"},
    {"i=1@", "i"},
    {"i=~1.+", "i"},
    {"i=~1.+ i=~.+ddd", "i"},
    {"j!=foo", "n"},
    {"i=1", "n"},
    {"i=~1.+", "n"},
    {"i=~1.+", "none"},
};

static unsigned i_values = 100000;

static void must(err e, const struct diag *d)
{
    if (e != OK) {
        (void)fprintf(stderr, "%s: %s\n", err_name(e), d->text);
        exit(1);
    }
}

static long peak_mb(void)
{
    struct rusage u;
    (void)getrusage(RUSAGE_SELF, &u);
    return u.ru_maxrss / 1024;
}

static double ms_since(uint64_t start_ns)
{
    return (double)(clock_thread_cpu_ns() - start_ns) / 1e6;
}

/* ---- Data ---- */

/* The five series of one "i" and "n", in the order in which upstream adds them. */
static const struct {
    const char *n_prefix, *j;
} KINDS[] = {{"", "foo"}, {"", "bar"}, {"0_", "bar"}, {"1_", "bar"}, {"2_", "foo"}};

static void set_text(struct label *l, const char *name, char *room, const char *prefix, unsigned v,
                     const char *suffix)
{
    int n = snprintf(room, TEXT, "%s%u%s", prefix, v, suffix);
    *l = (struct label){str_from(name), {room, (size_t)n}};
}

/* Series `kind` of (i, n): labels i, j, n. */
static void series_labels(struct label *ls, char (*room)[TEXT], unsigned n, unsigned i,
                          unsigned kind)
{
    set_text(&ls[0], "i", room[0], "", i, SUFFIX);
    ls[1] = (struct label){STR("j"), str_from(KINDS[kind].j)};
    set_text(&ls[2], "n", room[2], KINDS[kind].n_prefix, n, SUFFIX);
}

static struct registry *build_head(void)
{
    struct registry *r = registry_open(&(struct registry_options){.labels_seed = 42});
    struct label ls[LABELS];
    char room[LABELS][TEXT];
    uint32_t id;
    for (unsigned n = 0; n < N_VALUES; n++) {
        set_text(&ls[0], "a", room[0], "", n, SUFFIX);
        must(registry_create(r, (struct labels){ls, 1}, NULL, &id, NULL, NULL), NULL);
        for (unsigned i = 0; i < i_values; i++)
            for (unsigned k = 0; k < COUNT_OF(KINDS); k++) {
                series_labels(ls, room, n, i, k);
                must(registry_create(r, (struct labels){ls, LABELS}, NULL, &id, NULL, NULL), NULL);
            }
    }
    return r;
}

struct symbols_list {
    str *items;
    size_t count;
    struct arena a;
};

static int by_text(const void *a, const void *b)
{
    return str_cmp(*(const str *)a, *(const str *)b);
}

static void add_symbol(struct symbols_list *s, const char *prefix, unsigned v, const char *suffix)
{
    char room[TEXT];
    (void)snprintf(room, TEXT, "%s%u%s", prefix, v, suffix);
    s->items[s->count++] = arena_str(&s->a, str_from(room));
}

/* All names and values, ascending, without repeats. */
static void list_symbols(struct symbols_list *s)
{
    static const char *const WORDS[] = {"a", "i", "j", "n", "foo", "bar"};
    static const char *const PREFIXES[] = {"", "0_", "1_", "2_"};
    arena_init(&s->a, (size_t)1 << 30);
    s->items = mem_alloc((i_values + 64) * sizeof(str));
    for (size_t i = 0; i < COUNT_OF(WORDS); i++)
        s->items[s->count++] = str_from(WORDS[i]);
    for (unsigned i = 0; i < MAX(i_values, (unsigned)N_VALUES); i++)
        add_symbol(s, "", i, SUFFIX);
    for (size_t p = 1; p < COUNT_OF(PREFIXES); p++)
        for (unsigned n = 0; n < N_VALUES; n++)
            add_symbol(s, PREFIXES[p], n, SUFFIX);
    qsort(s->items, s->count, sizeof(str), by_text);
}

static uint32_t symbol_of(const struct symbols_list *s, str text)
{
    const str *at = bsearch(&text, s->items, s->count, sizeof(str), by_text);
    ASSERT(at != NULL);
    return (uint32_t)(at - s->items);
}

static void write_series(struct block_writer *w, const uint32_t *pairs, size_t count)
{
    static const int64_t ts = 1700000000000;
    static const double value = 0;
    struct diag d = {0};
    hash128 hash = hash128_of((slice){(const uint8_t *)pairs, 2 * count * sizeof(*pairs)}, 0);
    must(block_writer_series(w, pairs, count, hash), &d);
    must(block_writer_floats(w, &ts, &value, NULL, 1), &d);
}

static int by_pair(const void *a, const void *b)
{
    const uint32_t *x = a, *y = b;
    return x[0] != y[0] ? (x[0] < y[0] ? -1 : 1) : (x[1] > y[1]) - (x[1] < y[1]);
}

/* The fifty (j, n) of every "i", ascending. */
static void list_inner(const struct symbols_list *s, uint32_t (*inner)[2])
{
    struct label ls[LABELS];
    char room[LABELS][TEXT];
    for (unsigned n = 0; n < N_VALUES; n++)
        for (unsigned k = 0; k < COUNT_OF(KINDS); k++) {
            series_labels(ls, room, n, 0, k);
            uint32_t *to = inner[n * COUNT_OF(KINDS) + k];
            to[0] = symbol_of(s, ls[1].value);
            to[1] = symbol_of(s, ls[2].value);
        }
    qsort(inner, PER_I, sizeof(inner[0]), by_pair);
}

static bool is_i_value(str s)
{
    return s.len > sizeof(SUFFIX) - 1 && memchr(s.ptr, '_', s.len) == NULL;
}

static void write_block(const char *dir, ulid u)
{
    struct block_writer_options o = {.ulid = u, .level = 1};
    struct block_writer *w;
    struct diag d = {0};
    struct symbols_list s = {0};
    uint32_t inner[PER_I][2];
    list_symbols(&s);
    list_inner(&s, inner);
    must(block_writer_open(fs_posix(), dir, &o, &w, &d), &d);
    for (size_t i = 0; i < s.count; i++)
        must(block_writer_symbol(w, s.items[i]), &d);
    char room[TEXT];
    for (unsigned n = 0; n < N_VALUES; n++) {
        (void)snprintf(room, TEXT, "%u%s", n, SUFFIX);
        uint32_t pair[2] = {symbol_of(&s, STR("a")), symbol_of(&s, str_from(room))};
        write_series(w, pair, 1);
    }
    uint32_t i_name = symbol_of(&s, STR("i")), j_name = symbol_of(&s, STR("j")),
             n_name = symbol_of(&s, STR("n"));
    for (uint32_t v = 0; v < s.count; v++) {
        if (!is_i_value(s.items[v]))
            continue;
        for (unsigned k = 0; k < PER_I; k++) {
            uint32_t pairs[] = {i_name, v, j_name, inner[k][0], n_name, inner[k][1]};
            write_series(w, pairs, LABELS);
        }
    }
    must(block_writer_finish(w, NULL, &d), &d);
    mem_free(s.items);
    arena_fini(&s.a);
}

/* ---- Matchers from text ---- */

struct selector {
    struct matcher ms[MATCHERS_MAX];
    size_t count;
    bool has_regex;
    struct arena a;
};

static str with_suffix(struct arena *a, str s)
{
    if (s.len == 0 || s.ptr[s.len - 1] != '@')
        return arena_str(a, s);
    char room[TEXT];
    (void)snprintf(room, TEXT, "%.*s%s", (int)s.len - 1, s.ptr, SUFFIX);
    return arena_str(a, str_from(room));
}

static void add_matcher(struct selector *s, str text)
{
    size_t at = 0;
    while (text.ptr[at] != '=' && text.ptr[at] != '!')
        at++;
    bool negative = text.ptr[at] == '!';
    bool regex = text.len > at + 1 && text.ptr[at + 1] == '~';
    size_t op = negative || regex ? 2 : 1;
    enum matcher_type type = regex ? (negative ? MATCH_NOT_REGEX : MATCH_REGEX)
                                   : (negative ? MATCH_NOT_EQUAL : MATCH_EQUAL);
    str value = with_suffix(&s->a, (str){text.ptr + at + op, text.len - at - op});
    struct diag d = {0};
    must(matcher_init(&s->ms[s->count++], type, (str){text.ptr, at}, value, &d), &d);
    s->has_regex |= regex;
}

static void parse(const char *text, struct selector *s)
{
    *s = (struct selector){.count = 0};
    arena_init(&s->a, 1 << 20);
    while (*text != '\0') {
        size_t n = strcspn(text, " ");
        add_matcher(s, (str){text, n});
        text += n + (text[n] == ' ');
    }
}

static void selector_fini(struct selector *s)
{
    for (size_t i = 0; i < s->count; i++)
        matcher_fini(&s->ms[i]);
    arena_fini(&s->a);
}

/* ---- Running ---- */

struct target { /* either */
    struct registry *head;
    struct block *block;
};

static size_t run_head(struct registry *r, const struct selector *s, const char *label)
{
    struct db_select_args args = {.matchers = s->ms, .matcher_count = s->count};
    struct arena a;
    struct diag d = {0};
    size_t n = 0;
    uint32_t *ids;
    str *values;
    bool more;
    arena_init(&a, SIZE_MAX / 2);
    if (label == NULL)
        must(registry_select(r, &args, &a, &ids, &n, &d), &d);
    else
        must(registry_label_values(r, str_from(label), &args, 0, &a, &values, &n, &more), &d);
    arena_fini(&a);
    return n;
}

static size_t run_block(struct block *b, const struct selector *s, const char *label)
{
    struct block_cursor *c = block_cursor_open(b);
    struct diag d = {0};
    size_t n;
    if (label == NULL) {
        struct postings *p;
        must(block_select(c, s->ms, s->count, &p, &d), &d);
        n = (size_t)postings_count(p);
        uint32_t *ids = mem_alloc((n + 1) * sizeof(*ids));
        postings_ids(p, ids);
        mem_free(ids);
        postings_free(p);
    } else {
        struct arena a;
        str *values;
        arena_init(&a, SIZE_MAX / 2);
        must(block_label_values(c, str_from(label), s->ms, s->count, 0, &a, &values, &n, &d), &d);
        arena_fini(&a);
    }
    block_cursor_close(c);
    return n;
}

static int by_double(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

struct run_time {
    double best_ms, median_ms;
    size_t found;
};

static struct run_time measure(const struct target *t, const struct test *test)
{
    struct run_time out = {0};
    double ms[RUNS_MAX], spent = 0;
    size_t runs = 0;
    while (runs < RUNS_MAX && (runs < 3 || spent < RUN_BUDGET_MS)) {
        struct selector s;
        uint64_t start = clock_thread_cpu_ns();
        parse(test->text, &s); /* compiling is part of a query */
        out.found = t->head != NULL ? run_head(t->head, &s, test->label)
                                    : run_block(t->block, &s, test->label);
        selector_fini(&s);
        ms[runs] = ms_since(start);
        spent += ms[runs++];
    }
    qsort(ms, runs, sizeof(ms[0]), by_double);
    out.best_ms = ms[0];
    out.median_ms = ms[runs / 2];
    return out;
}

static void run_all(const struct target *t, const char *filter)
{
    unsigned held = 0, all = 0;
    printf("%-44s %10s %10s %10s %6s\n", t->head != NULL ? "head" : "block", "found", "best ms",
           "median ms", "aim");
    for (size_t i = 0; i < COUNT_OF(TESTS); i++) {
        struct selector s;
        char text[160];
        (void)snprintf(text, sizeof(text), "%s%s%s", TESTS[i].label != NULL ? TESTS[i].label : "",
                       TESTS[i].label != NULL ? " of " : "", TESTS[i].text);
        if (filter != NULL && strstr(text, filter) == NULL)
            continue;
        parse(TESTS[i].text, &s);
        double aim = s.has_regex || TESTS[i].label != NULL ? REGEX_MS_MAX : EQUAL_MS_MAX;
        selector_fini(&s);
        struct run_time m = measure(t, &TESTS[i]);
        bool ok = m.median_ms <= aim;
        held += ok;
        all++;
        printf("%-44s %10zu %10.3f %10.3f %6.0f %s\n", text, m.found, m.best_ms, m.median_ms, aim,
               ok ? "" : "MISSED");
        (void)fflush(stdout);
    }
    printf("%u of %u within their aim; peak %ld MB\n", held, all, peak_mb());
}

static void bench_head(const char *filter)
{
    uint64_t start = clock_thread_cpu_ns();
    struct target t = {.head = build_head()};
    printf("head: %u series built in %.1f s of CPU, %.0f MB\n", registry_series_count(t.head),
           ms_since(start) / 1e3, (double)registry_bytes(t.head) / 1e6);
    run_all(&t, filter);
    registry_close(t.head);
}

static void bench_block(const char *filter)
{
    const char *tmp = getenv("TMPDIR");
    char dir[256], path[512], name[ULID_TEXT_SIZE];
    struct target t = {0};
    struct diag d = {0};
    ulid u = ulid_new();
    (void)snprintf(dir, sizeof(dir), "%s/bench_selectors.XXXXXX", tmp != NULL ? tmp : "/tmp");
    if (mkdtemp(dir) == NULL)
        exit(1);
    uint64_t start = clock_thread_cpu_ns();
    write_block(dir, u);
    ulid_format(u, name);
    (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
    must(block_open(fs_posix(), path, &t.block, &d), &d);
    printf("block: %llu series written and opened in %.1f s of CPU, index %.0f MB\n",
           (unsigned long long)block_meta_of(t.block)->series, ms_since(start) / 1e3,
           (double)block_meta_of(t.block)->index_size / 1e6);
    run_all(&t, filter);
    block_close(t.block);
    must(fs_remove_tree(fs_posix(), dir), &d);
}

int main(int argc, char **argv)
{
    const char *what = argc > 2 ? argv[2] : "both", *filter = argc > 3 ? argv[3] : NULL;
    if (argc > 1)
        i_values = (unsigned)strtoul(argv[1], NULL, 10);
    if (i_values < N_VALUES)
        return 2;
    if (strcmp(what, "block") != 0)
        bench_head(filter);
    if (strcmp(what, "head") != 0)
        bench_block(filter);
    return 0;
}
