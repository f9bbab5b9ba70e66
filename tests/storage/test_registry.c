#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "storage/admission.h"
#include "storage/registry.h"
#include "support/codec_classes.h"

enum { NAMES = 6, POD = 4, VALUES = 9, MODEL_MAX = 4000, ALIASES = 3, TEXT = 24 };

static const char *const NAME_TEXTS[NAMES] = {"__name__", "a", "instance", "job", "pod", "zone"};
static const char *const VALUE_TEXTS[VALUES] = {"",      "x",     "xy",    "yes", "no",
                                                "pod-1", "pod-2", "other", "xyz"};

struct entry {            /* a series as the model sees it */
    uint8_t value[NAMES]; /* index into VALUE_TEXTS; 0: absent */
    uint32_t serial;      /* makes label sets many: value of "pod" gets it appended when > 0 */
    uint32_t id;
    hash128 alias[ALIASES];
    unsigned alias_count;
    uint32_t active;
    bool live;
    int64_t last_ts_ms;
};

struct model {
    struct registry *r;
    struct admission *adm;
    struct entry e[MODEL_MAX];
    size_t count;
    uint64_t next_alias;
    struct rng rng;
};

static str cstr(const char *s)
{
    return (str){s, strlen(s)};
}

static uint64_t rnd(struct model *m, uint64_t n)
{
    return rng_u64(&m->rng) % n;
}

struct text_labels {
    struct label items[NAMES];
    char pod[TEXT];
    struct labels labels;
};

static void labels_make(const struct entry *e, struct text_labels *out)
{
    size_t n = 0;
    for (unsigned i = 0; i < NAMES; i++) {
        str value = cstr(VALUE_TEXTS[e->value[i]]);
        if (i == POD && e->serial > 0) {
            snprintf(out->pod, sizeof(out->pod), "pod-%u", e->serial);
            value = cstr(out->pod);
        }
        if (value.len > 0)
            out->items[n++] = (struct label){cstr(NAME_TEXTS[i]), value};
    }
    out->labels = (struct labels){out->items, n};
}

static hash128 new_alias(struct model *m)
{
    m->next_alias++;
    return hash128_of((slice){(const uint8_t *)&m->next_alias, 8}, 99);
}

static bool same_labels(const struct entry *a, const struct entry *b)
{
    return memcmp(a->value, b->value, NAMES) == 0 && a->serial == b->serial;
}

static struct entry *find_live(struct model *m, const struct entry *like)
{
    for (size_t i = 0; i < m->count; i++)
        if (m->e[i].live && same_labels(&m->e[i], like))
            return &m->e[i];
    return NULL;
}

static struct entry *find_id(struct model *m, uint32_t id)
{
    for (size_t i = 0; i < m->count; i++)
        if (m->e[i].live && m->e[i].id == id)
            return &m->e[i];
    return NULL;
}

static void step_create(struct model *m)
{
    struct entry e = {.live = true, .last_ts_ms = INT64_MIN};
    struct text_labels t;
    e.value[0] = (uint8_t)(1 + rnd(m, 3));
    for (unsigned i = 1; i < NAMES; i++)
        e.value[i] = (uint8_t)rnd(m, VALUES);
    e.serial = rnd(m, 2) != 0 ? 3 + (uint32_t)rnd(m, 500) : 0; /* "pod-1", "pod-2" are values */
    if (e.serial > 0)
        e.value[POD] = 0; /* the serial stands in its place: else two would be one */
    labels_make(&e, &t);
    hash128 alias = new_alias(m);
    bool with_alias = rnd(m, 4) != 0, created = false;
    uint32_t id = 0;
    struct entry *have = find_live(m, &e);
    if (have == NULL && m->count == MODEL_MAX)
        return;
    assert_int_equal(
        registry_create(m->r, t.labels, with_alias ? &alias : NULL, &id, &created, NULL), OK);
    assert_int_equal(created, have == NULL);
    if (have == NULL) {
        assert_null(find_id(m, id));
        e.id = id;
        e.active = registry_window(m->r);
        have = &m->e[m->count++];
        *have = e;
    }
    assert_int_equal(have->id, id);
    if (with_alias && have->alias_count < ALIASES)
        have->alias[have->alias_count++] = alias;
}

static void step_resolve(struct model *m)
{
    enum { BATCH = 150 };
    hash128 aliases[BATCH];
    uint32_t expected[BATCH], out[BATCH];
    if (m->count == 0)
        return;
    for (unsigned i = 0; i < BATCH; i++) {
        const struct entry *e = &m->e[rnd(m, m->count)];
        aliases[i] = new_alias(m);
        expected[i] = SERIES_NONE;
        if (e->alias_count > 0 && rnd(m, 8) != 0) {
            aliases[i] = e->alias[rnd(m, e->alias_count)];
            expected[i] = e->live ? e->id : SERIES_NONE;
        }
    }
    uint32_t epoch = registry_resolve(m->r, aliases, BATCH, out);
    assert_int_equal(epoch, registry_epoch(m->r));
    assert_memory_equal(out, expected, sizeof(out));
}

static void step_admit(struct model *m)
{
    static const struct admission_rules rules = {.min_ms = 0, .max_ms = INT64_MAX, .log_mark = 1};
    struct admission_counts counts = {0};
    uint8_t verdict;
    if (m->count == 0)
        return;
    for (unsigned i = 0; i < 40; i++) {
        struct entry *e = &m->e[rnd(m, m->count)];
        if (!e->live)
            continue;
        struct db_row row = {.ts_ms = (int64_t)rnd(m, 1000), .value = 1, .series = e->id};
        admission_check(m->adm, &row, 1, &rules, &verdict, &counts);
        enum admit expected = row.ts_ms > e->last_ts_ms   ? ADMIT_OK
                              : row.ts_ms < e->last_ts_ms ? ADMIT_OUT_OF_ORDER
                                                          : ADMIT_REPEATED;
        assert_int_equal(verdict & ADMIT_MASK, expected);
        if (admit_writes(verdict))
            e->active = registry_window(m->r);
        e->last_ts_ms = MAX(e->last_ts_ms, row.ts_ms);
    }
    admission_accept(m->adm);
}

static void step_forget(struct model *m)
{
    uint32_t window = registry_window_next(m->r), epoch = registry_epoch(m->r);
    size_t expected = 0;
    for (size_t i = 0; i < m->count; i++) {
        if (m->e[i].live && m->e[i].active + 2 <= window) {
            m->e[i].live = false;
            expected++;
        }
    }
    assert_int_equal(registry_forget(m->r, 2), expected);
    assert_int_equal(registry_epoch(m->r), epoch + 1);
    assert_true(registry_epoch_valid(m->r, epoch));
    assert_true(registry_epoch_valid(m->r, epoch + 1));
    assert_false(registry_epoch_valid(m->r, epoch - 1));
    /* Entries that are gone for good make room in the model, but some stay, to resolve in vain. */
    for (size_t i = 0; i < m->count; i++)
        if (!m->e[i].live && rnd(m, 3) == 0)
            m->e[i--] = m->e[--m->count];
}

/* ---- Selecting ---- */

enum { MATCHERS_MAX = 4 };

static void random_matcher(struct model *m, struct matcher *out)
{
    static const char *const regexes[] = {".*",           ".+",      "x.*",       "x|yes",
                                          "pod-1.*",      "|x",      "(?i)YES",   "[^x]+",
                                          "pod-(1|2|33)", "nothing", "pod-[0-9]", ""};
    enum matcher_type type = (enum matcher_type)rnd(m, 4);
    const char *name = rnd(m, 12) == 0 ? "unknown" : NAME_TEXTS[rnd(m, NAMES)];
    const char *value = type == MATCH_REGEX || type == MATCH_NOT_REGEX
                            ? regexes[rnd(m, COUNT_OF(regexes))]
                            : VALUE_TEXTS[rnd(m, VALUES)];
    assert_int_equal(matcher_init(out, type, cstr(name), cstr(value), NULL), OK);
}

static int compare_u32(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static size_t naive_select(struct model *m, const struct matcher *ms, size_t count, uint32_t *out)
{
    size_t n = 0;
    for (size_t i = 0; i < m->count; i++) {
        struct text_labels t;
        labels_make(&m->e[i], &t);
        if (m->e[i].live && matchers_match(ms, count, t.labels))
            out[n++] = m->e[i].id;
    }
    qsort(out, n, sizeof(out[0]), compare_u32);
    return n;
}

static int compare_text(const void *a, const void *b)
{
    return str_cmp(*(const str *)a, *(const str *)b);
}

static void check_listing(struct model *m, const struct db_select_args *args, const uint32_t *ids,
                          size_t count)
{
    static str texts[MODEL_MAX * NAMES];
    static struct label items[NAMES];
    bool names = rnd(m, 2) != 0;
    str name = cstr(NAME_TEXTS[rnd(m, NAMES)]);
    struct arena a;
    size_t n = 0, distinct = 0;
    arena_init(&a, 16 << 20);
    for (size_t i = 0; i < count; i++) {
        struct labels ls = registry_labels(m->r, ids[i], items);
        if (!names && labels_get(ls, name).ptr != NULL)
            texts[n++] = labels_get(ls, name);
        for (size_t k = 0; names && k < ls.count; k++)
            texts[n++] = ls.items[k].name;
    }
    qsort(texts, n, sizeof(str), compare_text);
    for (size_t i = 0; i < n; i++)
        if (i == 0 || !str_eq(texts[i], texts[i - 1]))
            texts[distinct++] = texts[i];
    size_t limit = rnd(m, 3) == 0 ? 1 + rnd(m, 4) : 0, got;
    str *out;
    bool more;
    err e = names ? registry_label_names(m->r, args, limit, &a, &out, &got, &more)
                  : registry_label_values(m->r, name, args, limit, &a, &out, &got, &more);
    assert_int_equal(e, OK);
    assert_int_equal(got, limit > 0 ? MIN(limit, distinct) : distinct);
    assert_int_equal(more, got < distinct);
    for (size_t i = 0; i < got; i++)
        assert_true(str_eq(out[i], texts[i]));
    arena_fini(&a);
}

static void step_select(struct model *m)
{
    struct matcher ms[MATCHERS_MAX];
    static uint32_t expected[MODEL_MAX];
    size_t count = rnd(m, MATCHERS_MAX + 1), n = 0;
    for (size_t i = 0; i < count; i++)
        random_matcher(m, &ms[i]);
    struct db_select_args args = {.matchers = ms, .matcher_count = count};
    struct registry_pin pin;
    struct arena a;
    uint32_t *ids;
    arena_init(&a, 1 << 20);
    registry_pin(m->r, &pin);
    size_t want = naive_select(m, ms, count, expected);
    assert_int_equal(registry_select(m->r, &args, &a, &ids, &n, NULL), OK);
    assert_int_equal(n, want);
    if (n > 0)
        assert_memory_equal(ids, expected, n * sizeof(uint32_t));
    check_listing(m, &args, ids, n);
    if (n > 1) {
        args.series_max = n - 1;
        assert_int_equal(registry_select(m->r, &args, &a, &ids, &n, NULL), ERR_LIMIT);
    }
    registry_unpin(m->r, &pin);
    arena_fini(&a);
    for (size_t i = 0; i < count; i++)
        matcher_fini(&ms[i]);
}

static void check_all(struct model *m)
{
    size_t live = 0;
    for (size_t i = 0; i < m->count; i++) {
        const struct entry *e = &m->e[i];
        struct label items[NAMES];
        struct text_labels t;
        if (!e->live)
            continue;
        live++;
        labels_make(e, &t);
        assert_int_equal(registry_label_count(m->r, e->id), t.labels.count);
        assert_true(labels_eq(registry_labels(m->r, e->id, items), t.labels));
        assert_true(hash128_eq(registry_hash(m->r, e->id), labels_hash(t.labels, 7)));
    }
    assert_int_equal(registry_series_count(m->r), live);
}

static void run_model(uint64_t seed, unsigned steps)
{
    struct model *m = mem_zalloc(1, sizeof(*m));
    m->r = registry_open(&(struct registry_options){.labels_seed = 7});
    m->adm = admission_open(m->r);
    m->rng = rng_of(seed);
    for (unsigned i = 0; i < steps; i++) {
        unsigned what = (unsigned)rnd(m, 1000);
        if (what < 700)
            step_create(m);
        else if (what < 800)
            step_resolve(m);
        else if (what < 950)
            step_admit(m);
        else if (what < 992)
            step_select(m);
        else if (what < 999)
            step_forget(m);
        else
            check_all(m);
    }
    check_all(m);
    admission_close(m->adm);
    registry_close(m->r);
    mem_free(m);
}

static void test_registry__model(void **state)
{
    (void)state;
    uint64_t seed = hash_random_seed();
    print_message("seed %llu\n", (unsigned long long)seed);
    run_model(1, 6000);
    run_model(seed, 8000);
}

/* ---- Memory comes back, ids are used again ---- */

static uint32_t create_one(struct registry *r, unsigned i, const char *metric)
{
    char text[TEXT];
    snprintf(text, sizeof(text), "v%u", i);
    struct label items[] = {{STR("__name__"), cstr(metric)}, {STR("i"), cstr(text)}};
    hash128 alias = hash128_of(str_bytes(cstr(text)), strlen(metric));
    uint32_t id;
    assert_int_equal(registry_create(r, (struct labels){items, 2}, &alias, &id, NULL, NULL), OK);
    return id;
}

static void test_registry__churn_does_not_grow(void **state)
{
    (void)state;
    enum { PER_WINDOW = 3000, WINDOWS = 40 };
    struct registry *r = registry_open(&(struct registry_options){.labels_seed = 1});
    uint64_t bytes_early = 0;
    uint32_t id_max = 0;
    for (unsigned w = 0; w < WINDOWS; w++) {
        for (unsigned i = 0; i < PER_WINDOW; i++) {
            uint32_t id = create_one(r, w * PER_WINDOW + i, "churn");
            id_max = MAX(id_max, id);
        }
        registry_window_next(r);
        (void)registry_forget(r, 2);
        if (w == 8)
            bytes_early = registry_bytes(r);
    }
    struct registry_usage u;
    registry_usage_of(r, &u);
    assert_true(id_max < 6 * PER_WINDOW);
    assert_true(u.total_bytes <= bytes_early + bytes_early / 4);
    assert_int_equal(u.created, PER_WINDOW * WINDOWS);
    assert_int_equal(u.created, u.removed + u.series);
    for (unsigned i = 0; i < 4; i++) {
        registry_window_next(r);
        (void)registry_forget(r, 2);
    }
    registry_usage_of(r, &u);
    assert_int_equal(u.series + u.series_forgotten + u.pairs + u.names, 0);
    assert_int_equal(u.postings_bytes + u.labels_bytes, 0);
    assert_true(u.total_bytes < 1 << 20);
    registry_close(r);
}

/* ---- Bitmaps of large sets ---- */

enum { WIDE_SERIES = 9000 }; /* enough for a bitmap of a label, and for lists of ids to be left */

/* Series i has the label "rare" when 3 divides it, "some" when 7 does, and always "i". */
static uint32_t create_wide(struct registry *r, unsigned i)
{
    char text[TEXT], some[TEXT];
    struct label items[4];
    size_t n = 0;
    snprintf(text, sizeof(text), "v%u", i);
    snprintf(some, sizeof(some), "s%u", i % 5);
    items[n++] = (struct label){STR("__name__"), STR("wide")};
    items[n++] = (struct label){STR("i"), cstr(text)};
    if (i % 3 == 0)
        items[n++] = (struct label){STR("rare"), cstr(text)};
    if (i % 7 == 0)
        items[n++] = (struct label){STR("some"), cstr(some)};
    uint32_t id;
    assert_int_equal(registry_create(r, (struct labels){items, n}, NULL, &id, NULL, NULL), OK);
    return id;
}

static bool wide_matches(unsigned i, size_t query)
{
    bool odd = i % 2 != 0; /* the last digit of v<i> */
    switch (query) {
    case 0:
        return i % 3 == 0;
    case 1:
        return i % 3 != 0;
    case 2:
        return i % 3 == 0 && i % 7 != 0;
    case 3:
        return i % 7 == 0 && i % 3 != 0;
    case 4:
        return odd && i % 3 == 0;
    case 5:
        return !odd && !(i % 7 == 0 && i % 5 < 2);
    case 6:
        return i == 42;
    case 7:
        return i % 7 == 0 && i % 5 == 1 && i % 3 == 0;
    default:
        return true;
    }
}

static void check_wide(struct registry *r, const uint32_t *id_of, unsigned from, unsigned to)
{
    static const struct {
        enum matcher_type type;
        const char *name, *value;
    } QUERIES[][2] = {
        {{MATCH_NOT_EQUAL, "rare", ""}, {MATCH_REGEX, "i", ".*"}},
        {{MATCH_REGEX, "rare", ""}, {MATCH_NOT_EQUAL, "i", "v"}},
        {{MATCH_REGEX, "rare", "(.+)"}, {MATCH_EQUAL, "some", ""}},
        {{MATCH_NOT_REGEX, "some", "|x"}, {MATCH_NOT_REGEX, "rare", "^.+$"}},
        {{MATCH_REGEX, "i", ".*[13579]"}, {MATCH_NOT_REGEX, "rare", ""}},
        {{MATCH_NOT_REGEX, "i", "v.*[13579]"}, {MATCH_NOT_REGEX, "some", "s[01]"}},
        {{MATCH_REGEX, "i", "v4(2|x)"}, {MATCH_NOT_EQUAL, "rare", "v45"}},
        {{MATCH_EQUAL, "some", "s1"}, {MATCH_NOT_EQUAL, "rare", ""}},
        {{MATCH_EQUAL, "__name__", "wide"}, {MATCH_NOT_REGEX, "some", "a.*"}},
    };
    uint32_t *want = mem_alloc(WIDE_SERIES * 2 * sizeof(*want));
    for (size_t q = 0; q < COUNT_OF(QUERIES); q++) {
        struct matcher ms[2];
        for (size_t k = 0; k < 2; k++)
            assert_int_equal(matcher_init(&ms[k], QUERIES[q][k].type, cstr(QUERIES[q][k].name),
                                          cstr(QUERIES[q][k].value), NULL),
                             OK);
        struct db_select_args args = {.matchers = ms, .matcher_count = 2};
        struct arena a;
        uint32_t *ids;
        size_t n, expected = 0;
        arena_init(&a, 1 << 20);
        for (unsigned i = from; i < to; i++)
            if (wide_matches(i, q))
                want[expected++] = id_of[i];
        qsort(want, expected, sizeof(*want), compare_u32);
        assert_int_equal(registry_select(r, &args, &a, &ids, &n, NULL), OK);
        if (n != expected || (n > 0 && memcmp(ids, want, n * sizeof(*want)) != 0))
            fail_msg("query %zu: %zu series, not %zu", q, n, expected);
        arena_fini(&a);
        matcher_fini(&ms[0]);
        matcher_fini(&ms[1]);
    }
    mem_free(want);
}

/* What is known of all series with a label follows creation, forgetting and ids used again. */
static void test_registry__large_sets_follow_changes(void **state)
{
    (void)state;
    struct registry *r = registry_open(&(struct registry_options){.labels_seed = 1});
    uint32_t *id_of = mem_zalloc(WIDE_SERIES * 3, sizeof(*id_of));
    for (unsigned i = 0; i < WIDE_SERIES; i++)
        id_of[i] = create_wide(r, i);
    check_wide(r, id_of, 0, WIDE_SERIES);
    uint64_t bytes = registry_bytes(r);
    check_wide(r, id_of, 0, WIDE_SERIES);
    (void)registry_window_next(r);
    for (unsigned i = WIDE_SERIES; i < 2 * WIDE_SERIES; i++)
        id_of[i] = create_wide(r, i);
    check_wide(r, id_of, 0, 2 * WIDE_SERIES);
    (void)registry_window_next(r);
    assert_int_equal(registry_forget(r, 2), WIDE_SERIES);
    check_wide(r, id_of, WIDE_SERIES, 2 * WIDE_SERIES);
    (void)registry_forget(r, 2); /* frees them */
    for (unsigned i = 2 * WIDE_SERIES; i < 3 * WIDE_SERIES; i++)
        id_of[i] = create_wide(r, i);
    check_wide(r, id_of, WIDE_SERIES, 3 * WIDE_SERIES);
    for (unsigned i = 0; i < 3; i++) {
        (void)registry_window_next(r);
        (void)registry_forget(r, 2);
    }
    check_wide(r, id_of, 0, 0);
    assert_true(registry_bytes(r) < bytes);
    mem_free(id_of);
    registry_close(r);
}

/* ---- Pins ---- */

static void test_registry__pin_keeps_labels_and_ids(void **state)
{
    (void)state;
    struct registry *r = registry_open(&(struct registry_options){.labels_seed = 1});
    uint32_t id = create_one(r, 1, "pinned");
    struct registry_pin pin, later;
    struct label items[4];
    registry_pin(r, &pin);
    struct labels ls = registry_labels(r, id, items);
    for (unsigned i = 0; i < 5; i++) {
        registry_window_next(r);
        (void)registry_forget(r, 2);
        for (unsigned k = 0; k < 2000; k++)
            assert_int_not_equal(create_one(r, i * 2000 + k + 10, "other"), id);
    }
    assert_true(str_eq(labels_get(ls, STR("__name__")), STR("pinned")));
    assert_true(str_eq(labels_get(registry_labels(r, id, items), STR("i")), STR("v1")));
    struct registry_usage u;
    registry_usage_of(r, &u);
    assert_true(u.series_forgotten >= 1);
    registry_pin(r, &later);
    registry_unpin(r, &pin);
    (void)registry_forget(r, 100);
    registry_usage_of(r, &u);
    assert_int_equal(u.series_forgotten, 0); /* the later pin could not find them */
    registry_unpin(r, &later);
    struct arena a;
    arena_init(&a, 1 << 16);
    assert_int_equal(registry_labels_copy(r, id, &a, &ls), ERR_NOTFOUND);
    assert_int_equal(registry_labels_copy(r, 1u << 27, &a, &ls), ERR_NOTFOUND);
    id = create_one(r, 77, "copied");
    assert_int_equal(registry_labels_copy(r, id, &a, &ls), OK);
    assert_true(str_eq(labels_get(ls, STR("i")), STR("v77")));
    arena_fini(&a);
    registry_close(r);
}

/* ---- Aliases ---- */

static void test_registry__many_aliases(void **state)
{
    (void)state;
    struct registry *r = registry_open(&(struct registry_options){.labels_seed = 1});
    struct label items[] = {{STR("__name__"), STR("m")}};
    hash128 aliases[10];
    uint32_t id = 0, out[10];
    for (unsigned i = 0; i < 10; i++) {
        aliases[i] = hash128_of((slice){(const uint8_t *)&i, 4}, 5);
        for (unsigned again = 0; again < 2; again++)
            assert_int_equal(
                registry_create(r, (struct labels){items, 1}, &aliases[i], &id, NULL, NULL), OK);
        (void)registry_resolve(r, aliases, i + 1, out);
        unsigned known = 0;
        for (unsigned k = 0; k <= i; k++)
            known += out[k] == id;
        assert_int_equal(known, MIN(i + 1, (unsigned)REGISTRY_ALIASES_MAX));
        assert_int_equal(out[i], id);
    }
    registry_close(r);
}

enum { ORDER_SERIES = 2600, ORDER_FORGOTTEN = 1100, ORDER_UNKNOWN = ORDER_SERIES };

/* Resolve series number order[i] of create_one(), for all i, and compare with ids[]. */
static void check_order(struct registry *r, const uint32_t *order, size_t count,
                        const uint32_t *ids)
{
    hash128 *aliases = test_malloc(count * sizeof(*aliases));
    uint32_t *out = test_malloc(count * sizeof(*out)); /* exact: writing beyond is seen */
    for (size_t i = 0; i < count; i++) {
        char text[TEXT];
        snprintf(text, sizeof(text), "v%u", order[i]);
        aliases[i] = hash128_of(str_bytes(cstr(text)), strlen("order"));
    }
    (void)registry_resolve(r, aliases, count, out);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(out[i], ids[order[i]]);
    test_free(aliases);
    test_free(out);
}

/* Series are found in any order of asking: that of their ids, which needs no table, with holes,
 * unknown and repeated ones, backwards, and where some were forgotten. */
static void test_registry__resolves_in_any_order(void **state)
{
    (void)state;
    static uint32_t ids[ORDER_SERIES + 1], order[ORDER_SERIES * 2];
    struct registry *r = registry_open(&(struct registry_options){.labels_seed = 1});
    struct rng rng = rng_of(42);
    ids[ORDER_UNKNOWN] = SERIES_NONE;
    for (unsigned i = 0; i < ORDER_SERIES; i++) {
        if (i == ORDER_FORGOTTEN)
            for (unsigned k = 0; k < 3; k++)
                (void)registry_window_next(r);
        ids[i] = create_one(r, i, "order");
    }
    for (unsigned part = 0; part < 3; part++) {
        size_t n = 0;
        for (uint32_t i = 0; i < ORDER_SERIES; i++)
            order[n++] = i;
        check_order(r, order, n, ids);
        check_order(r, order + 1000, 60, ids); /* over the end of a page */
        for (uint32_t i = 0; i < ORDER_SERIES; i++)
            order[i] = ORDER_SERIES - 1 - i;
        check_order(r, order, n, ids);
        for (unsigned often = 2; often < 200; often = often * 3 + 1) {
            n = 0;
            for (uint32_t i = 0; i < ORDER_SERIES; i++) {
                uint32_t what = (uint32_t)(rng_u64(&rng) % (often * 4));
                if (what == 0)
                    i = (uint32_t)(rng_u64(&rng) % ORDER_SERIES) / 2 + i / 2; /* a jump */
                order[n++] = what == 1 ? ORDER_UNKNOWN : what == 2 && i > 0 ? i - 1 : i;
                if (n == COUNT_OF(order))
                    break;
            }
            check_order(r, order, n, ids);
        }
        if (part == 0) { /* the first ones go; they are freed by the next call */
            assert_int_equal(registry_forget(r, 2), ORDER_FORGOTTEN);
            for (uint32_t i = 0; i < ORDER_FORGOTTEN; i++)
                ids[i] = SERIES_NONE;
        } else if (part == 1) {
            assert_int_equal(registry_forget(r, 2), 0);
        }
    }
    registry_close(r);
}

static void test_registry__limit(void **state)
{
    (void)state;
    struct registry *r =
        registry_open(&(struct registry_options){.labels_seed = 1, .series_max = 3});
    struct diag d = {.text = ""};
    for (unsigned i = 0; i < 3; i++)
        (void)create_one(r, i, "m");
    struct label items[] = {{STR("__name__"), STR("new")}};
    uint32_t id;
    assert_int_equal(registry_create(r, (struct labels){items, 1}, NULL, &id, NULL, &d), ERR_LIMIT);
    assert_non_null(strstr(d.text, "3"));
    assert_int_equal(create_one(r, 2, "m"), 2);
    struct registry_usage u;
    registry_usage_of(r, &u);
    assert_int_equal(u.series, 3);
    assert_int_equal(u.pairs, 4);
    registry_close(r);
}

static void test_registry__canceled_and_late(void **state)
{
    (void)state;
    struct registry *r = registry_open(&(struct registry_options){.labels_seed = 1});
    atomic_bool canceled = true;
    struct db_select_args args = {.canceled = &canceled};
    struct arena a;
    uint32_t *ids;
    size_t n;
    arena_init(&a, 1 << 16);
    assert_int_equal(registry_select(r, &args, &a, &ids, &n, NULL), ERR_CANCELED);
    args = (struct db_select_args){.deadline_mono_ns = 1};
    assert_int_equal(registry_select(r, &args, &a, &ids, &n, NULL), ERR_TIMEOUT);
    arena_fini(&a);
    arena_init(&a, 64);
    for (unsigned i = 0; i < 100; i++)
        (void)create_one(r, i, "m");
    args = (struct db_select_args){.deadline_mono_ns = 0};
    assert_int_equal(registry_select(r, &args, &a, &ids, &n, NULL), ERR_LIMIT);
    arena_fini(&a);
    registry_close(r);
}

static void test_registry__top(void **state)
{
    (void)state;
    struct registry *r = registry_open(&(struct registry_options){.labels_seed = 1});
    for (unsigned i = 0; i < 30; i++)
        (void)create_one(r, i, i % 3 == 0 ? "aa" : i < 20 ? "b" : "c");
    struct arena a;
    struct db_top *top;
    size_t n;
    arena_init(&a, 1 << 16);
    assert_int_equal(registry_top(r, TOP_SERIES_BY_METRIC, 2, &a, &top, &n), OK);
    assert_int_equal(n, 2);
    assert_true(str_eq(top[0].name, STR("b")));
    assert_int_equal(top[0].value, 13);
    assert_true(str_eq(top[1].name, STR("aa")));
    assert_int_equal(top[1].value, 10);
    assert_int_equal(registry_top(r, TOP_VALUES_BY_LABEL, 10, &a, &top, &n), OK);
    assert_int_equal(n, 2);
    assert_true(str_eq(top[0].name, STR("i")));
    assert_int_equal(top[0].value, 30);
    assert_int_equal(registry_top(r, TOP_BYTES_BY_LABEL, 10, &a, &top, &n), OK);
    assert_int_equal(top[0].value, 10 * 2 + 20 * 3);
    assert_int_equal(top[1].value, 10 * 2 + 20);
    assert_int_equal(registry_top(r, TOP_SERIES_BY_PAIR, 4, &a, &top, &n), OK);
    assert_true(str_eq(top[0].name, STR("__name__=b")));
    assert_true(str_eq(top[3].name, STR("i=v0")));
    assert_int_equal(top[3].value, 1);
    arena_fini(&a);
    registry_close(r);
}

/* ---- Threads ---- */

struct crowd {
    struct registry *r;
    atomic_bool stop;
    atomic_uint found;
};

static void *crowd_reader(void *arg)
{
    struct crowd *c = arg;
    unsigned found = 0;
    struct matcher m;
    assert_int_equal(matcher_init(&m, MATCH_REGEX, STR("i"), STR("v.*[05]"), NULL), OK);
    struct db_select_args args = {.matchers = &m, .matcher_count = 1};
    while (!atomic_load(&c->stop)) {
        struct registry_pin pin;
        struct arena a;
        uint32_t *ids;
        size_t n;
        arena_init(&a, 1 << 20);
        registry_pin(c->r, &pin);
        assert_int_equal(registry_select(c->r, &args, &a, &ids, &n, NULL), OK);
        for (size_t i = 0; i < n; i++) {
            struct label items[2];
            struct labels ls = registry_labels(c->r, ids[i], items);
            assert_true(regex_match(m.regex, labels_get(ls, STR("i"))));
            found++;
        }
        registry_unpin(c->r, &pin);
        arena_fini(&a);
    }
    matcher_fini(&m);
    atomic_fetch_add(&c->found, found);
    return NULL;
}

static void *crowd_creator(void *arg)
{
    struct crowd *c = arg;
    for (unsigned i = 0; !atomic_load(&c->stop); i++) {
        uint32_t out[16];
        hash128 aliases[16];
        for (unsigned k = 0; k < 16; k++) {
            char text[TEXT];
            snprintf(text, sizeof(text), "v%u", i % 3000 + k);
            aliases[k] = hash128_of(str_bytes(cstr(text)), strlen("crowd"));
        }
        (void)registry_resolve(c->r, aliases, 16, out);
        for (unsigned k = 0; k < 16; k++)
            if (out[k] == SERIES_NONE)
                (void)create_one(c->r, i % 3000 + k, "crowd");
    }
    return NULL;
}

/* The commit thread forgets and admits while others create, resolve and read. */
static void test_registry__threads(void **state)
{
    (void)state;
    struct crowd c = {.r = registry_open(&(struct registry_options){.labels_seed = 3})};
    struct admission *a = admission_open(c.r);
    pthread_t threads[3];
    static const struct admission_rules rules = {.min_ms = 0, .max_ms = INT64_MAX, .log_mark = 1};
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(
            pthread_create(&threads[i], NULL, i == 0 ? crowd_creator : crowd_reader, &c), 0);
    for (unsigned i = 0; i < 40; i++) {
        for (unsigned k = 0; k < 50; k++) {
            struct db_row row = {.ts_ms = i, .value = k, .series = create_one(c.r, k * 7, "crowd")};
            struct admission_counts counts = {0};
            uint8_t verdict;
            admission_check(a, &row, 1, &rules, &verdict, &counts);
            assert_int_equal(verdict & ADMIT_MASK, ADMIT_OK);
        }
        admission_accept(a);
        registry_window_next(c.r);
        (void)registry_forget(c.r, 2);
    }
    atomic_store(&c.stop, true);
    for (unsigned i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    assert_true(registry_series_count(c.r) >= 50);
    admission_close(a);
    registry_close(c.r);
}

/* Values of "i" under `matcher` (or all): the first `limit` in order. Their texts are v0 .. v<count
 * - 1> but for every `left_out`th. */
static void check_values(struct registry *r, const struct db_select_args *args, unsigned count,
                         unsigned left_out, size_t limit)
{
    static str want[20000];
    static char texts[20000][16];
    struct arena a;
    str *have;
    size_t n, all = 0;
    bool more;
    arena_init(&a, 16 << 20);
    for (unsigned i = 0; i < count; i++) {
        if (left_out > 0 && i % left_out == 0)
            continue;
        (void)snprintf(texts[i], sizeof(texts[i]), "v%u", i);
        want[all++] = str_from(texts[i]);
    }
    qsort(want, all, sizeof(str), compare_text);
    assert_int_equal(registry_label_values(r, STR("i"), args, limit, &a, &have, &n, &more), OK);
    assert_int_equal(n, limit > 0 ? MIN(limit, all) : all);
    assert_int_equal(more, n < all);
    for (size_t i = 0; i < n; i++)
        assert_true(str_eq(have[i], want[i]));
    arena_fini(&a);
}

/* Among many values the limit cuts while they are collected, whoever is asked: the values, as here,
 * where most series are selected, or the series, where few are. */
static void test_registry__limits_many_values(void **state)
{
    (void)state;
    enum { COUNT = 20000 };
    static const size_t LIMITS[] = {0, 1, 7, 1000, 5000, 19999, 20000, 30000};
    static const char *const METRICS[] = {"b", "absent|b"};
    struct registry *r = registry_open(&(struct registry_options){.labels_seed = 1});
    for (unsigned i = 0; i < COUNT; i++)
        (void)create_one(r, COUNT - 1 - i, (COUNT - 1 - i) % 5 == 0 ? "a" : "b");
    for (size_t i = 0; i < COUNT_OF(LIMITS); i++) {
        struct db_select_args none = {0};
        check_values(r, &none, COUNT, 0, LIMITS[i]);
        for (size_t k = 0; k < COUNT_OF(METRICS); k++) {
            struct matcher m;
            struct db_select_args args = {.matchers = &m, .matcher_count = 1};
            assert_int_equal(matcher_init(&m, k == 0 ? MATCH_EQUAL : MATCH_REGEX, LABEL_NAME,
                                          str_from(METRICS[k]), NULL),
                             OK);
            check_values(r, &args, COUNT, 5, LIMITS[i]);
            matcher_fini(&m);
        }
    }
    registry_close(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_registry__model),
        cmocka_unit_test(test_registry__churn_does_not_grow),
        cmocka_unit_test(test_registry__large_sets_follow_changes),
        cmocka_unit_test(test_registry__pin_keeps_labels_and_ids),
        cmocka_unit_test(test_registry__many_aliases),
        cmocka_unit_test(test_registry__resolves_in_any_order),
        cmocka_unit_test(test_registry__limit),
        cmocka_unit_test(test_registry__canceled_and_late),
        cmocka_unit_test(test_registry__top),
        cmocka_unit_test(test_registry__limits_many_values),
        cmocka_unit_test(test_registry__threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
