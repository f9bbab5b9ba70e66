/* The examples of docs/formats/block.md, and a block that an earlier build wrote. With
 * GOLDEN_WRITE=DIR the block is written there instead (for a new format version). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "model/sample.h"
#include "storage/block_record.h"
#include "support/block_model.h"

static const char DOCUMENT[] = "../docs/formats/block.md";
static const char GOLDEN_DIR[] = "golden/block-1";

/* ---- Examples ---- */

static void encode_ulid(char *args, struct buf *out)
{
    ulid u;
    assert_int_equal(ulid_parse(str_from(args), &u), OK);
    buf_put(out, u.bytes, ULID_SIZE);
}

static void encode_column(char *args, struct buf *out)
{
    struct block_column c = {0}, back;
    long long min_ms, max_ms;
    unsigned long pos;
    assert_int_equal(sscanf(args, "%lu %u %u %lld %lld", &pos, &c.size, &c.count, &min_ms, &max_ms),
                     5);
    c.pos = pos;
    c.min_ms = min_ms;
    c.max_ms = max_ms;
    column_put(out, &c);
    assert_true(column_get(buf_slice(out), &back));
    assert_true(back.pos == c.pos && back.max_ms == c.max_ms);
}

static void encode_refs(char *args, struct buf *out)
{
    struct chunk_refs state = {0};
    char *rest = NULL;
    for (char *a = strtok_r(args, " ", &rest); a != NULL; a = strtok_r(NULL, " ", &rest)) {
        struct block_chunk c = {0};
        unsigned kind, start;
        unsigned long pos;
        assert_int_equal(sscanf(a, "%u,%u,%u,%lu,%u", &kind, &start, &c.column, &pos, &c.size), 5);
        c.kind = (uint8_t)kind;
        c.has_start = start != 0;
        c.pos = pos;
        chunk_ref_put(&state, &c, out);
    }
}

static void encode_posting(char *args, struct buf *out)
{
    struct posting p = {.is_inline = true, .value = POSTING_ANY_VALUE};
    char value[16];
    assert_int_equal(sscanf(args, "%u %15s %u", &p.name, value, &p.count), 3);
    if (strcmp(value, "any") != 0)
        p.value = (uint32_t)strtoul(value, NULL, 10);
    struct buf set = {0};
    postings_encode((uint32_t[]){5, 6}, 2, &set);
    p.bytes = buf_slice(&set);
    posting_put(out, &p);
    buf_fini(&set);
}

static void encode_set(char *args, struct buf *out)
{
    uint32_t ids[64];
    size_t n = 0;
    char *rest = NULL;
    for (char *a = strtok_r(args, " ", &rest); a != NULL; a = strtok_r(NULL, " ", &rest))
        ids[n++] = (uint32_t)strtoul(a, NULL, 10);
    postings_encode(ids, n, out);
}

/* The body, between header and checksum. */
static void encode_tombstones(char *args, struct buf *out)
{
    struct tombstones *t = tombstones_empty();
    char *rest = NULL;
    for (char *a = strtok_r(args, " ", &rest); a != NULL; a = strtok_r(NULL, " ", &rest)) {
        uint32_t id = (uint32_t)strtoul(a, &a, 10);
        while (*a == ':' || *a == ',') {
            struct interval v;
            v.min_ms = strtoll(a + 1, &a, 10);
            v.max_ms = strtoll(a + 2, &a, 10);
            struct tombstones *next = tombstones_add(t, &id, 1, v);
            tombstones_unref(t);
            t = next;
        }
    }
    struct buf file = {0};
    tombstones_encode(t, ulid_make(1, 2, 3), &file);
    buf_put(out, file.ptr + 24, file.len - 28);
    buf_fini(&file);
    tombstones_unref(t);
}

static const struct {
    const char *name;
    void (*encode)(char *args, struct buf *out);
} KINDS[] = {{"ulid ", encode_ulid}, {"column ", encode_column},
             {"refs ", encode_refs}, {"posting ", encode_posting},
             {"set ", encode_set},   {"tombstones ", encode_tombstones}};

static void check_example(char *line)
{
    char *want = strstr(line, " = ");
    struct buf have = {0}, text = {0};
    assert_non_null(want);
    *want = '\0';
    want += 3;
    want[strcspn(want, "\n")] = '\0';
    for (size_t i = 0; i < COUNT_OF(KINDS); i++) {
        size_t n = strlen(KINDS[i].name);
        if (strncmp(line, KINDS[i].name, n) == 0)
            KINDS[i].encode(line + n, &have);
    }
    for (size_t i = 0; i < have.len; i++)
        buf_printf(&text, "%s%02x", i > 0 ? " " : "", have.ptr[i]);
    assert_string_equal(buf_cstr(&text), want);
    buf_fini(&have);
    buf_fini(&text);
}

static void test_golden__examples_of_the_document(void **state)
{
    (void)state;
    char line[1024];
    bool inside = false;
    int count = 0;
    FILE *f = fopen(DOCUMENT, "r");
    assert_non_null(f);
    while (fgets(line, sizeof(line), f) != NULL) {
        if (strncmp(line, "```", 3) == 0) {
            inside = !inside && strncmp(line, "```golden", 9) == 0;
        } else if (inside) {
            check_example(line);
            count++;
        }
    }
    (void)fclose(f);
    assert_true(count >= (int)COUNT_OF(KINDS));
}

/* ---- A stored block ---- */

static struct model_series *add(struct model *m, const char *name, const char *value)
{
    struct label items[] = {{LABEL_NAME, STR("golden")}, {str_from(name), str_from(value)}};
    return model_add(m, (struct labels){items, 2});
}

/* What the stored block holds. */
static void fill(struct model *m)
{
    struct model_series *flat = add(m, "a", "flat"), *counter = add(m, "b", "counter ünïcode");
    struct model_series *special = add(m, "c", "special"), *h = add(m, "d", "histograms");
    static const uint64_t BITS[] = {STALE_NAN_BITS, NORMAL_NAN_BITS, UINT64_C(0x8000000000000000),
                                    UINT64_C(0x7ff0000000000000), 1};
    for (int i = 0; i < 1000; i++) {
        int64_t ts = 1700000000000 + i * 15000 + i * 31 % 7;
        model_put(flat, (struct model_sample){.ts_ms = ts, .value = 42});
        model_put(counter, (struct model_sample){.ts_ms = ts,
                                                 .value = i * 10 + i * 13 % 10,
                                                 .start_ms = i < 500 ? 0 : 1700000000000 - 1});
        if (i < 100)
            model_put(special, (struct model_sample){.ts_ms = ts * 2 + i * i,
                                                     .value = f64_from_bits(BITS[i % 5])});
        if (i % 10 == 0)
            model_put(h,
                      (struct model_sample){.ts_ms = ts, .histogram = m->histograms[i / 10 % 12]});
    }
    model_sort(m);
}

static void test_golden__a_block_of_format_1(void **state)
{
    (void)state;
    const char *write_to = getenv("GOLDEN_WRITE");
    ulid u = ulid_make(1700000000000, 0x1234, 0x56789abcdef01234);
    struct model m;
    struct diag d = {0};
    struct block *b;
    model_init(&m);
    fill(&m);
    if (write_to != NULL)
        assert_int_equal(model_write(&m, fs_posix(), write_to, u, NULL, &d), OK);
    const char *path = model_path(write_to != NULL ? write_to : GOLDEN_DIR, u);
    assert_int_equal(block_open(fs_posix(), path, &b, &d), OK);
    model_check(&m, b);
    block_close(b);
    model_verify(fs_posix(), path);
    model_fini(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden__examples_of_the_document),
        cmocka_unit_test(test_golden__a_block_of_format_1),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
