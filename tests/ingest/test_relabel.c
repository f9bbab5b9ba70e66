/* test_relabel.c -- relabelling: every action on tables of examples, and properties on random
 * sets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "base/hash.h"
#include "ingest/relabel.h"
#include "support/config_text.h"

enum { BUDGET = 16 << 20 };

/* "a=1,b=2" into labels, sorted as given. */
static void set_from(const char *text, struct relabel_labels *l, struct arena *a)
{
    struct label items[64];
    size_t count = 0;
    str s = arena_str(a, str_from(text));
    while (s.len > 0) {
        const char *comma = memchr(s.ptr, ',', s.len);
        str one = {s.ptr, comma != NULL ? (size_t)(comma - s.ptr) : s.len};
        const char *is = memchr(one.ptr, '=', one.len);
        assert_non_null(is);
        items[count++] = (struct label){{one.ptr, (size_t)(is - one.ptr)},
                                        {is + 1, (size_t)(one.ptr + one.len - is - 1)}};
        s = comma != NULL ? (str){comma + 1, s.len - one.len - 1} : (str){NULL, 0};
    }
    assert_int_equal(relabel_labels_base(l, (struct labels){items, count}), OK);
}

static void show(struct labels ls, struct buf *out)
{
    for (size_t i = 0; i < ls.count; i++)
        buf_printf(out, "%s" STR_FMT "=" STR_FMT, i > 0 ? "," : "", STR_ARG(ls.items[i].name),
                   STR_ARG(ls.items[i].value));
}

struct example {
    const char *rules, *before, *after; /* after NULL: dropped */
};

static void check(const struct example *e)
{
    struct diag d = {.text = ""};
    struct config *c = config_with_rules(e->rules, &d);
    struct arena a;
    struct relabel_labels l;
    struct buf got = {0};
    bool keep;
    if (c == NULL)
        fail_msg("%s: %s", e->rules, d.text);
    arena_init(&a, BUDGET);
    relabel_labels_init(&l, &a);
    set_from(e->before, &l, &a);
    assert_int_equal(relabel_run(&c->jobs.items[0].relabel, &l, &keep), OK);
    show(relabel_labels_done(&l), &got);
    if (keep != (e->after != NULL))
        fail_msg("%s on %s: %s", e->rules, e->before, keep ? "kept" : "dropped");
    if (keep && strcmp(buf_cstr(&got), e->after) != 0)
        fail_msg("%s on %s: got %s, want %s", e->rules, e->before, buf_cstr(&got), e->after);
    buf_fini(&got);
    relabel_labels_fini(&l);
    arena_fini(&a);
    config_unref(c);
}

static void check_all(const struct example *examples, size_t count)
{
    for (size_t i = 0; i < count; i++)
        check(&examples[i]);
}

static void test_relabel__replace(void **state)
{
    (void)state;
    static const struct example EXAMPLES[] = {
        {"[{source_labels: [a], regex: 'f(.*)', target_label: d, replacement: 'ch${1}-ch${1}'}]",
         "a=foo,b=bar,c=baz", "a=foo,b=bar,c=baz,d=choo-choo"},
        {"[{source_labels: [a, b], regex: 'f(.*);(.*)r', target_label: a, replacement: "
         "'b${1}${2}m'}]",
         "a=foo,b=bar", "a=boobam,b=bar"},
        {"[{source_labels: [a], target_label: b}]", "a=x", "a=x,b=x"},
        {"[{source_labels: [nothing], target_label: b}]", "a=x,b=y", "a=x"},
        {"[{target_label: b, replacement: fixed}]", "a=x", "a=x,b=fixed"},
        {"[{source_labels: [a], regex: x, target_label: b, replacement: ''}]", "a=x,b=y", "a=x"},
        {"[{source_labels: [a], regex: no, target_label: b, replacement: z}]", "a=x,b=y",
         "a=x,b=y"},
        {"[{source_labels: [a], regex: no, target_label: b}]", "a=x,b=y", "a=x,b=y"},
        {"[{source_labels: [a], regex: oo, target_label: b}]", "a=foo", "a=foo"}, /* anchored */
        {"[{source_labels: [a], regex: 'some-([^-]+)-([^,]+)', target_label: '${1}', replacement: "
         "'${2}'}]",
         "a=some-name-value", "a=some-name-value,name=value"},
        {"[{source_labels: [a], regex: '(.+)-(?P<n>.+)', target_label: x, replacement: "
         "'$n/$1/$$'}]",
         "a=one-two", "a=one-two,x=two/one/$"},
        {"[{source_labels: [a], regex: '(a)|(b)', target_label: x, replacement: '[$1$2$3]'}]",
         "a=b", "a=b,x=[b]"},
        {"[{source_labels: [a], regex: '(.*)', target_label: x, replacement: '$1x'}]", "a=b",
         "a=b"}, /* $1x is a name that no group has */
        {"[{source_labels: [a, b], separator: '', target_label: x}]", "a=1,b=2", "a=1,b=2,x=12"},
        {"[{source_labels: [a, b, c], separator: '--', target_label: x}]", "a=1,c=3",
         "a=1,c=3,x=1----3"},
        {"[{source_labels: [a], target_label: 'utf8.näme'}]", "a=1", "a=1,utf8.näme=1"},
        {"[{source_labels: [a], regex: '(.*)', target_label: '$1'}]", "b=1", "b=1"}, /* no name */
        {"[{source_labels: [__address__], regex: '(.*):\\d+', target_label: host}]",
         "__address__=h:90", "__address__=h:90,host=h"},
        {"[{source_labels: [a], target_label: b}, {source_labels: [b], target_label: c, "
         "replacement: 'x$1'}]",
         "a=1", "a=1,b=1,c=x1"},
    };
    check_all(EXAMPLES, COUNT_OF(EXAMPLES));
}

static void test_relabel__keep_and_drop(void **state)
{
    (void)state;
    static const struct example EXAMPLES[] = {
        {"[{source_labels: [a], regex: '.*o.*', action: drop}]", "a=foo,b=bar", NULL},
        {"[{source_labels: [a], regex: 'o', action: drop}]", "a=foo", "a=foo"},
        {"[{source_labels: [a], regex: 'f|foo', action: keep}]", "a=foo", "a=foo"},
        {"[{source_labels: [a], regex: 'no-match', action: keep}]", "a=foo", NULL},
        {"[{source_labels: [a], regex: '', action: drop}]", "b=1", NULL},
        {"[{source_labels: [a], regex: '.+', action: Keep}]", "b=1", NULL},
        {"[{source_labels: [a, b], regex: '1;2', action: KEEP}]", "a=1,b=2", "a=1,b=2"},
        {"[{source_labels: [a], action: drop}]", "a=1", NULL},
        {"[{source_labels: [a], regex: 'f(.*)', target_label: d, replacement: 'x$1'}, "
         "{source_labels: [d], regex: xoo, action: drop}, {target_label: z, replacement: never}]",
         "a=foo", NULL},
        {"[{source_labels: [__port], target_label: port, action: keepequal}]", "__port=80,port=80",
         "__port=80,port=80"},
        {"[{source_labels: [__port], target_label: port, action: keepequal}]", "__port=80,port=81",
         NULL},
        {"[{source_labels: [__port], target_label: port, action: dropequal}]", "__port=80,port=80",
         NULL},
        {"[{source_labels: [__port], target_label: port, action: dropequal}]", "__port=80,port=81",
         "__port=80,port=81"},
    };
    check_all(EXAMPLES, COUNT_OF(EXAMPLES));
}

static void test_relabel__hashmod(void **state)
{
    (void)state;
    static const struct example EXAMPLES[] = {
        {"[{source_labels: [c], modulus: 1000, action: hashmod, target_label: d}]",
         "a=foo,b=bar,c=baz", "a=foo,b=bar,c=baz,d=976"},
        {"[{source_labels: [a], modulus: 1000, action: hashmod, target_label: d}]", "a=foo\nbar",
         "a=foo\nbar,d=734"},
        {"[{source_labels: [a, b], modulus: 18446744073709551615, action: hashmod, target_label: "
         "d}]",
         "a=1,b=2", "a=1,b=2,d=6914463422808845316"},
        {"[{source_labels: [a], modulus: 1, action: hashmod, target_label: d}]", "a=1", "a=1,d=0"},
    };
    check_all(EXAMPLES, COUNT_OF(EXAMPLES));
}

static void test_relabel__labels(void **state)
{
    (void)state;
    static const struct example EXAMPLES[] = {
        {"[{regex: '(b.*)', action: labelmap, replacement: 'bar_${1}'}]", "a=foo,b1=bar,b2=baz",
         "a=foo,b1=bar,b2=baz,bar_b1=bar,bar_b2=baz"},
        {"[{regex: '__meta_(my.*)', action: labelmap}]", "__meta_my_bar=aaa,__meta_other=ccc,a=foo",
         "__meta_my_bar=aaa,__meta_other=ccc,a=foo,my_bar=aaa"},
        {"[{regex: 'x|y', action: labelmap, replacement: one}]", "x=1,y=2", "one=2,x=1,y=2"},
        {"[{regex: '(a|b)', action: labelmap, replacement: 'b'}]", "a=1,b=2", "a=1,b=2"},
        {"[{regex: 'b.*', action: labeldrop}]", "a=foo,b1=bar,b2=baz", "a=foo"},
        {"[{regex: 'b', action: labeldrop}]", "a=foo,b1=bar", "a=foo,b1=bar"},
        {"[{regex: 'a|b.*', action: labelkeep}]", "a=foo,b1=bar,c=baz", "a=foo,b1=bar"},
        {"[{regex: 'none', action: labelkeep}]", "a=foo", ""},
    };
    check_all(EXAMPLES, COUNT_OF(EXAMPLES));
}

static void test_relabel__case(void **state)
{
    (void)state;
    static const struct example EXAMPLES[] = {
        {"[{source_labels: [foo], action: uppercase, target_label: u}, {source_labels: [foo], "
         "action: lowercase, target_label: l}]",
         "foo=bAr123Foo", "foo=bAr123Foo,l=bar123foo,u=BAR123FOO"},
        {"[{source_labels: [a], action: uppercase, target_label: a}]", "a=ärger Ω ß",
         "a=ÄRGER Ω ß"},
        {"[{source_labels: [a], action: lowercase, target_label: a}]", "a=ÄRGER ΩЖ", "a=ärger ωж"},
        {"[{source_labels: [none], action: lowercase, target_label: a}]", "a=x", ""},
    };
    check_all(EXAMPLES, COUNT_OF(EXAMPLES));
}

static void test_relabel__newlines_match(void **state)
{
    (void)state;
    static const struct example EXAMPLES[] = {
        {"[{source_labels: [a], regex: 'x.y', target_label: b, replacement: z}]", "a=x\ny",
         "a=x\ny,b=z"},
        {"[{source_labels: [a], target_label: b}]", "a=x\ny", "a=x\ny,b=x\ny"},
    };
    check_all(EXAMPLES, COUNT_OF(EXAMPLES));
}

static void test_relabel__legacy_names_are_checked_after_expansion(void **state)
{
    (void)state;
    struct diag d = {.text = ""};
    struct config *c = NULL;
    struct arena a;
    struct relabel_labels l;
    bool keep;
    assert_int_equal(
        config_from_text("scrape_configs:\n- job_name: j\n"
                         "  metric_name_validation_scheme: legacy\n"
                         "  relabel_configs:\n"
                         "  - {source_labels: [a], target_label: 'x$1', replacement: v}\n",
                         &c, &d),
        OK);
    arena_init(&a, BUDGET);
    relabel_labels_init(&l, &a);
    set_from("a=-y", &l, &a);
    assert_int_equal(relabel_run(&c->jobs.items[0].relabel, &l, &keep), OK);
    assert_int_equal(l.count, 1);
    relabel_labels_reset(&l, &a);
    set_from("a=y", &l, &a);
    assert_int_equal(relabel_run(&c->jobs.items[0].relabel, &l, &keep), OK);
    assert_true(str_eq(relabel_labels_get(&l, STR("xy")), STR("v")));
    relabel_labels_fini(&l);
    arena_fini(&a);
    config_unref(c);
}

/* A value that doubles with each rule ends at a limit, not at the end of memory. */
static void test_relabel__growth_is_bounded(void **state)
{
    (void)state;
    struct buf rules = {0};
    struct diag d = {.text = ""};
    struct arena a;
    struct relabel_labels l;
    bool keep;
    buf_put_str(&rules, STR("["));
    for (int i = 0; i < 40; i++)
        buf_printf(&rules, "%s{source_labels: [a], target_label: a, replacement: '$1$1$1$1'}",
                   i > 0 ? ", " : "");
    buf_put_str(&rules, STR("]"));
    struct config *c = config_with_rules(buf_cstr(&rules), &d);
    assert_non_null(c);
    arena_init(&a, BUDGET);
    relabel_labels_init(&l, &a);
    set_from("a=x", &l, &a);
    assert_int_equal(relabel_run(&c->jobs.items[0].relabel, &l, &keep), ERR_LIMIT);
    relabel_labels_fini(&l);
    arena_fini(&a);
    config_unref(c);
    buf_fini(&rules);
}

/* ---- Properties on random sets ---- */

static uint64_t next_random(uint64_t *s)
{
    *s = *s * 6364136223846793005u + 1442695040888963407u;
    return *s >> 33;
}

static void random_set(uint64_t *seed, struct relabel_labels *l, struct arena *a)
{
    struct label items[12];
    size_t count = 0;
    for (char name = 'a'; name < 'm'; name++) {
        if (next_random(seed) % 2 == 0)
            continue;
        char value[8];
        int n = snprintf(value, sizeof(value), "v%u", (unsigned)(next_random(seed) % 5));
        items[count++] =
            (struct label){arena_str(a, (str){&name, 1}), arena_str(a, (str){value, (size_t)n})};
    }
    assert_int_equal(relabel_labels_base(l, (struct labels){items, count}), OK);
}

static struct config *rules_or_fail(const char *rules)
{
    struct diag d = {.text = ""};
    struct config *c = config_with_rules(rules, &d);
    if (c == NULL)
        fail_msg("%s: %s", rules, d.text);
    return c;
}

/* keep and drop are opposites; labelkeep and labeldrop of one expression share out the labels; a
 * hash is below its modulus and the same again; names stay unique and sorted. */
static void test_relabel__properties(void **state)
{
    (void)state;
    uint64_t seed = hash_random_seed();
    print_message("seed %llu\n", (unsigned long long)seed);
    struct config *keep_it =
        rules_or_fail("[{source_labels: [a, b], regex: 'v[0-2];.*', action: keep}]");
    struct config *drop_it =
        rules_or_fail("[{source_labels: [a, b], regex: 'v[0-2];.*', action: drop}]");
    struct config *lk = rules_or_fail("[{regex: '[a-f]', action: labelkeep}]");
    struct config *ld = rules_or_fail("[{regex: '[a-f]', action: labeldrop}]");
    struct config *hash =
        rules_or_fail("[{source_labels: [a, c], modulus: 7, action: hashmod, target_label: h},"
                      " {regex: '([a-d])', action: labelmap, replacement: 'h$1'}]");
    for (int round = 0; round < 300; round++) {
        struct arena a;
        struct relabel_labels l[5];
        struct config *const all[] = {keep_it, drop_it, lk, ld, hash};
        uint64_t start = seed;
        bool keep[5];
        size_t count = 0;
        arena_init(&a, BUDGET);
        for (size_t i = 0; i < 5; i++) {
            seed = start;
            relabel_labels_init(&l[i], &a);
            random_set(&seed, &l[i], &a);
            count = l[i].count;
            assert_int_equal(relabel_run(&all[i]->jobs.items[0].relabel, &l[i], &keep[i]), OK);
        }
        assert_true(keep[0] != keep[1]);
        assert_int_equal(l[2].count + l[3].count, count);
        str h = relabel_labels_get(&l[4], STR("h"));
        assert_true(h.len == 1 && h.ptr[0] >= '0' && h.ptr[0] < '7');
        struct labels done = relabel_labels_done(&l[4]);
        for (size_t i = 1; i < done.count; i++)
            assert_true(str_cmp(done.items[i - 1].name, done.items[i].name) < 0);
        for (size_t i = 0; i < 5; i++)
            relabel_labels_fini(&l[i]);
        arena_fini(&a);
    }
    config_unref(keep_it);
    config_unref(drop_it);
    config_unref(lk);
    config_unref(ld);
    config_unref(hash);
}

static void test_relabel__sanitize(void **state)
{
    (void)state;
    struct buf b = {0};
    relabel_sanitize(STR("app.kubernetes.io/name-ü1"), &b);
    assert_string_equal(buf_cstr(&b), "app_kubernetes_io_name___1");
    buf_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_relabel__replace),
        cmocka_unit_test(test_relabel__keep_and_drop),
        cmocka_unit_test(test_relabel__hashmod),
        cmocka_unit_test(test_relabel__labels),
        cmocka_unit_test(test_relabel__case),
        cmocka_unit_test(test_relabel__newlines_match),
        cmocka_unit_test(test_relabel__legacy_names_are_checked_after_expansion),
        cmocka_unit_test(test_relabel__growth_is_bounded),
        cmocka_unit_test(test_relabel__properties),
        cmocka_unit_test(test_relabel__sanitize),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
