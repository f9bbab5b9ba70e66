/* test_trace.c -- traces of queries: which nodes there are, what they count, and that of a failed
 * one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "query/engine.h"
#include "support/fake_source.h"

static struct fake_store *store;
static struct pool *pool;

static int setup(void **state)
{
    (void)state;
    store = fake_store_open();
    assert_int_equal(pool_open("query", 2, 16, &pool), OK);
    for (int i = 0; i < 3; i++) {
        char name[2] = {(char)('a' + i), '\0'};
        size_t series = fake_store_series(store, "__name__", "m", "i", name, NULL);
        for (int k = 0; k <= 10; k++)
            fake_store_add(store, series, k * 10000, k);
    }
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    pool_close(pool);
    fake_store_close(store);
    return 0;
}

/* "what text{children}", without what depends on time. */
static void draw(const struct trace_node *n, struct buf *b)
{
    buf_printf(b, "%s", n->what);
    if (n->text.len > 0)
        buf_printf(b, " " STR_FMT, STR_ARG(n->text));
    uint64_t children_ns = 0;
    if (n->first != NULL)
        buf_put_u8(b, '{');
    for (const struct trace_node *c = n->first; c != NULL; c = c->next) {
        draw(c, b);
        children_ns += c->total_ns;
        if (c->next != NULL)
            buf_put_str(b, STR("; "));
    }
    if (n->first != NULL)
        buf_put_u8(b, '}');
    assert_true(children_ns <= n->total_ns);
    assert_int_equal(trace_self_ns(n), n->total_ns - children_ns);
}

static struct query *run(const char *text, bool traced, err expected)
{
    struct query_env env = {.source = &FAKE_SOURCE, .store = store, .pool = pool};
    struct query_options o = {.end_ms = 60000, .step_ms = 20000, .trace = traced};
    struct query *q;
    struct diag d = {.text = ""};
    assert_int_equal(query_prepare(&env, str_from(text), &o, &q, &d), OK);
    assert_int_equal(query_exec(q, &d), expected);
    return q;
}

static void test_trace__table(void **state)
{
    (void)state;
    static const struct {
        const char *query, *nodes;
        uint64_t samples; /* read */
    } CASES[] = {
        {"1", "execute{sort}", 0},
        {"m", "execute{evaluate m{select {__name__=\"m\"}; read and evaluate}; sort}", 33},
        {"sum(rate(m[20s]))",
         "execute{evaluate sum(rate(m[20s])){select {__name__=\"m\"}; read and evaluate}; sort}",
         33},
        {"m + on (i) m",
         "execute{evaluate m + on (i) m{evaluate m{select {__name__=\"m\"}; read and evaluate}; "
         "evaluate m{select again {__name__=\"m\"}; read and evaluate}}; sort}",
         66},
        {"max_over_time(sum(m)[20s:10s])",
         "execute{evaluate max_over_time(sum(m)[20s:10s]){evaluate sum(m){select "
         "{__name__=\"m\"}; read and evaluate}; read and evaluate}; sort}",
         33},
        {"scalar(m{i=\"a\"}) * m",
         "execute{evaluate scalar(m{i=\"a\"}) * m{select {__name__=\"m\"}; evaluate "
         "scalar(m{i=\"a\"}){evaluate m{i=\"a\"}{select {i=\"a\",__name__=\"m\"}; read and "
         "evaluate}}; read and evaluate}; sort}",
         44},
    };
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct query *q = run(CASES[i].query, true, OK);
        struct buf b = {0};
        const struct trace *t = query_trace(q);
        draw(t->root, &b);
        print_message("%s\n", buf_cstr(&b));
        assert_string_equal(buf_cstr(&b), CASES[i].nodes);
        assert_int_equal(t->root->counts[TRACE_SAMPLES], CASES[i].samples);
        const struct query_stats *s = &query_result(q)->stats;
        assert_int_equal(s->samples_read, CASES[i].samples);
        assert_int_equal(s->bytes_read, 16 * CASES[i].samples);
        assert_int_equal(s->chunks_read, CASES[i].samples / 11);
        buf_fini(&b);
        query_close(q);
    }
}

static void test_trace__of_an_error(void **state)
{
    (void)state;
    struct query *q = run("m + on () m", true, ERR_INVALID);
    struct buf b = {0};
    draw(query_trace(q)->root, &b);
    assert_true(query_trace(q)->current == query_trace(q)->root);
    assert_non_null(strstr(buf_cstr(&b), "execute{evaluate m + on () m{"));
    buf_fini(&b);
    query_close(q);
}

static void test_trace__only_when_asked_for(void **state)
{
    (void)state;
    struct query *q = run("m", false, OK);
    assert_null(query_trace(q));
    query_close(q);
}

static void test_trace__nodes_are_bounded(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, 64 << 20);
    struct trace *t = trace_open(&a);
    for (size_t i = 0; i < TRACE_NODES_MAX + 5; i++) {
        struct trace_node *n = trace_begin(t, "x", STR(""));
        trace_set(n, TRACE_SAMPLES, 1);
        trace_end(t, n);
    }
    assert_int_equal(t->dropped, 5);
    assert_int_equal(t->root->counts[TRACE_SAMPLES], TRACE_NODES_MAX);
    arena_fini(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_trace__table),
        cmocka_unit_test(test_trace__of_an_error),
        cmocka_unit_test(test_trace__only_when_asked_for),
        cmocka_unit_test(test_trace__nodes_are_bounded),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
