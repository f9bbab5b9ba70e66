/* Series created many at a time are those that are created one by one: ids, labels, references. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "storage/registry.h"

enum { SETS = 3000, LABELS = 5, TEXT = 12 };

static uint64_t rng;

static uint64_t random_below(uint64_t n)
{
    rng ^= rng << 13;
    rng ^= rng >> 7;
    rng ^= rng << 17;
    return rng % n;
}

struct set {
    struct label items[LABELS];
    char names[LABELS][TEXT], values[LABELS][TEXT];
    struct labels labels;
};

static str text(char *to, char first, unsigned n)
{
    snprintf(to, TEXT, "%c%u", first, n);
    return (str){to, strlen(to)};
}

/* Labels a0, a1, ... : some of them are the texts of the set before, some equal, some different. */
static void make_set(struct set *s, const struct set *before)
{
    size_t count = 0;
    for (unsigned i = 0; i < LABELS; i++) {
        if (random_below(6) == 0)
            continue;
        struct label *l = &s->items[count];
        if (before != NULL && count < before->labels.count && random_below(2) == 0 &&
            (count == 0 || str_cmp(l[-1].name, before->items[count].name) < 0)) {
            *l = before->items[count++];
            continue;
        }
        str name = text(s->names[i], 'a', i);
        if (count > 0 && str_cmp(l[-1].name, name) >= 0)
            continue;
        *l = (struct label){name, text(s->values[i], 'v', (unsigned)random_below(1 + 6 * i))};
        count++;
    }
    s->labels = (struct labels){s->items, count};
}

static void assert_same_labels(struct registry *r, uint32_t id, struct labels want)
{
    struct label items[LABELS];
    assert_int_equal(registry_label_count(r, id), want.count);
    struct labels got = registry_labels(r, id, items);
    for (size_t i = 0; i < want.count; i++)
        assert_true(str_eq(got.items[i].name, want.items[i].name) &&
                    str_eq(got.items[i].value, want.items[i].value));
}

static struct registry_usage usage_of(struct registry *r)
{
    struct registry_usage u;
    registry_usage_of(r, &u);
    return u;
}

/* References are counted right if all goes with the series. */
static void assert_all_goes(struct registry *r)
{
    for (int i = 0; i < 3; i++) {
        (void)registry_window_next(r);
        (void)registry_forget(r, 1);
    }
    struct registry_usage u = usage_of(r);
    assert_int_equal(u.series, 0);
    assert_int_equal(u.pairs, 0);
    assert_int_equal(u.names, 0);
}

static void test_registry_create__all_as_one_by_one(void **state)
{
    (void)state;
    struct registry *one = registry_open(&(struct registry_options){.labels_seed = 7});
    struct registry *all = registry_open(&(struct registry_options){.labels_seed = 7});
    struct set *sets = calloc(SETS, sizeof(*sets));
    struct labels *labels = calloc(SETS, sizeof(*labels));
    uint32_t want[SETS], got[SETS];
    rng = (uint64_t)time(NULL) * 0x9e3779b97f4a7c15u | 1;
    print_message("seed %llu\n", (unsigned long long)rng);
    for (size_t i = 0; i < SETS; i++) {
        make_set(&sets[i], i > 0 ? &sets[i - 1] : NULL);
        labels[i] = sets[i].labels;
        assert_int_equal(registry_create(one, labels[i], NULL, &want[i], NULL, NULL), OK);
    }
    for (size_t i = 0, n; i < SETS; i += n) {
        n = MIN((size_t)random_below(200), SETS - i);
        assert_int_equal(registry_create_all(all, labels + i, n, got + i, NULL), OK);
    }
    assert_memory_equal(want, got, sizeof(want));
    for (size_t i = 0; i < SETS; i++)
        assert_same_labels(all, got[i], labels[i]);
    assert_int_equal(usage_of(one).pairs, usage_of(all).pairs);
    assert_in_range(usage_of(all).series, SETS / 10, SETS - 1);
    assert_int_equal(registry_create_all(all, labels, SETS, got, NULL), OK);
    assert_memory_equal(want, got, sizeof(want));
    assert_all_goes(all);
    registry_close(one);
    registry_close(all);
    free(sets);
    free(labels);
}

static void test_registry_create__all_up_to_the_limit(void **state)
{
    (void)state;
    struct registry *r =
        registry_open(&(struct registry_options){.labels_seed = 7, .series_max = 50});
    struct label items[100];
    struct labels sets[100];
    char values[100][TEXT];
    uint32_t ids[100];
    struct diag d = {.text = ""};
    for (unsigned i = 0; i < 100; i++) {
        items[i] = (struct label){STR("a"), text(values[i], 'v', i)};
        sets[i] = (struct labels){&items[i], 1};
    }
    assert_int_equal(registry_create_all(r, sets, 100, ids, &d), ERR_LIMIT);
    assert_non_null(strstr(d.text, "50"));
    for (uint32_t i = 0; i < 50; i++)
        assert_int_equal(ids[i], i);
    assert_int_equal(usage_of(r).series, 50);
    assert_int_equal(usage_of(r).pairs, 50);
    assert_int_equal(registry_create_all(r, sets, 50, ids, &d), OK);
    registry_close(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_registry_create__all_as_one_by_one),
        cmocka_unit_test(test_registry_create__all_up_to_the_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
