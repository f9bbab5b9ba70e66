/* The examples of docs/formats/chunks.md, both ways. With CODEC_GOLDEN_PRINT in the environment the
 * test prints what it would expect there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "model/sample.h"
#include "storage/codec_histogram.h"
#include "storage/codec_int.h"
#include "storage/codec_time.h"
#include "storage/codec_value.h"
#include "storage/codec_xor.h"
#include "support/codec_check.h"

enum { VALUES_MAX = 32 };

struct example {
    char line[512];
    char kind[16];
    uint32_t n;
    char *token[VALUES_MAX];
    uint8_t bytes[256];
    size_t len;
};

static struct codec_scratch *scratch;

/* "kind token... = hex..." */
static void parse(struct example *e)
{
    char *save, *hex = strchr(e->line, '=');
    assert_non_null(hex);
    *hex++ = '\0';
    char *word = strtok_r(e->line, " ", &save);
    (void)snprintf(e->kind, sizeof(e->kind), "%s", word);
    while ((word = strtok_r(NULL, " ", &save)) != NULL)
        e->token[e->n++] = word;
    for (word = strtok_r(hex, " \n", &save); word != NULL; word = strtok_r(NULL, " \n", &save))
        if (word[0] != '-' && word[0] != '?')
            e->bytes[e->len++] = (uint8_t)strtoul(word, NULL, 16);
}

static double number(const char *token)
{
    if (strcmp(token, "stale") == 0)
        return f64_from_bits(STALE_NAN_BITS);
    if (strcmp(token, "nan") == 0)
        return f64_from_bits(NORMAL_NAN_BITS);
    if (strncmp(token, "bits:", 5) == 0)
        return f64_from_bits(strtoull(token + 5, NULL, 16));
    return strtod(token, NULL);
}

static void check_bytes(const struct example *e, const struct buf *b)
{
    if (getenv("CODEC_GOLDEN_PRINT") != NULL) {
        printf("%s", e->kind);
        for (uint32_t i = 0; i < e->n; i++)
            printf(" %s", e->token[i]);
        printf(" =%s", b->len == 0 ? " -" : "");
        for (size_t i = 0; i < b->len; i++)
            printf(" %02x", b->ptr[i]);
        printf("\n");
        return;
    }
    assert_int_equal(b->len, e->len);
    if (e->len > 0)
        assert_memory_equal(b->ptr, e->bytes, e->len);
}

static void check_ints(const struct example *e, struct buf *b)
{
    int64_t v[VALUES_MAX], out[VALUES_MAX + CODEC_PAD];
    bool times = strcmp(e->kind, "time") == 0;
    for (uint32_t i = 0; i < e->n; i++)
        v[i] = strtoll(e->token[i], NULL, 10);
    if (times)
        time_encode(v, e->n, scratch, b);
    else
        int_encode(v, e->n, scratch, b);
    check_bytes(e, b);
    slice s = padded_copy(b->ptr, b->len, 0);
    assert_int_equal(times ? time_decode(s, e->n, out) : int_decode(s, e->n, out), OK);
    assert_memory_equal(out, v, e->n * sizeof(*v));
    padded_free(s);
}

static void check_values(const struct example *e, struct buf *b)
{
    double v[VALUES_MAX], out[VALUES_MAX + CODEC_PAD];
    for (uint32_t i = 0; i < e->n; i++)
        v[i] = number(e->token[i]);
    value_encode(v, e->n, scratch, b);
    check_bytes(e, b);
    slice s = padded_copy(b->ptr, b->len, 0);
    assert_int_equal(value_decode(s, e->n, out), OK);
    assert_memory_equal(out, v, e->n * sizeof(*v));
    padded_free(s);
}

static void check_xor(const struct example *e, struct buf *b)
{
    double v[VALUES_MAX], out[VALUES_MAX + CODEC_PAD];
    struct xor_state s = {0};
    uint8_t *p = buf_reserve(b, VALUES_MAX * XOR_APPEND_BYTES_MAX);
    for (uint32_t i = 0; i < e->n; i++) {
        v[i] = number(e->token[i]);
        xor_append(&s, v[i], p);
    }
    b->len = xor_finish(&s, p);
    check_bytes(e, b);
    assert_int_equal(xor_decode_finished(buf_slice(b), e->n, out), OK);
    assert_memory_equal(out, v, e->n * sizeof(*v));
}

static void check_histograms(const struct example *e, struct buf *b)
{
    struct histogram_span span = {-1, 2};
    double counts[2][2] = {{2, 0}, {2, 3}};
    struct histogram_side sides[2] = {{&span, counts[0], 1, 2}, {&span, counts[1], 1, 2}};
    struct histogram stale = {.sum = f64_from_bits(STALE_NAN_BITS)};
    struct histogram h[2] = {{3, RESET_NO, false, 0x1p-128, 1, 3, 1.5, sides[0], {0}, NULL, 0},
                             {3, RESET_NO, false, 0x1p-128, 1, 6, 2.75, sides[1], {0}, NULL, 0}};
    const struct histogram *pair[] = {&h[0], &h[1]}, *one[] = {&stale};
    struct histogram *out;
    struct arena a;
    bool is_pair = strcmp(e->token[0], "pair") == 0;
    uint32_t n = is_pair ? 2 : 1;
    arena_init(&a, 1 << 20);
    histogram_column_encode(is_pair ? pair : one, n, scratch, b);
    check_bytes(e, b);
    slice s = padded_copy(b->ptr, b->len, 0);
    assert_int_equal(histogram_column_decode(s, n, &a, &out), OK);
    assert_true(is_pair ? out[1].count == 6 && out[1].positive.counts[1] == 3
                        : value_is_stale(out[0].sum));
    padded_free(s);
    arena_fini(&a);
}

static void check(struct example *e)
{
    static const struct {
        const char *kind;
        void (*check)(const struct example *e, struct buf *b);
    } kinds[] = {
        {"int", check_ints},
        {"time", check_ints},
        {"value", check_values},
        {"xor", check_xor},
        {"histogram", check_histograms},
    };
    struct buf b = {0};
    bool known = false;
    parse(e);
    for (size_t k = 0; k < COUNT_OF(kinds); k++)
        if (strcmp(e->kind, kinds[k].kind) == 0) {
            kinds[k].check(e, &b);
            known = true;
        }
    assert_true(known);
    buf_fini(&b);
}

static void test_golden__examples_of_the_document(void **state)
{
    FILE *f = fopen("../docs/formats/chunks.md", "r");
    struct example e = {0};
    bool inside = false;
    int examples = 0;
    (void)state;
    assert_non_null(f);
    while (fgets(e.line, sizeof(e.line), f) != NULL) {
        if (strncmp(e.line, "```", 3) == 0)
            inside = !inside && strncmp(e.line, "```golden", 9) == 0;
        else if (inside) {
            check(&e);
            examples++;
            e = (struct example){0};
        }
    }
    (void)fclose(f);
    assert_true(examples >= 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden__examples_of_the_document),
    };
    scratch = codec_scratch_new();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    codec_scratch_free(scratch);
    return failed;
}
