/* rule_test_file.c -- see rule_test_file.h. */
#include "config/rule_test_file.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

#include "base/bytes.h"
#include "base/duration.h"
#include "base/fs.h"
#include "config/decode.h"
#include "config/scalar.h"
#include "model/sample.h"

#define FIELD(type, name) offsetof(struct type, name)

/* A list in a struct: a typed pointer with the count behind it, which is what struct structs is. */
#define LIST_FIELD(type, items, items_count)                                                       \
    static_assert(FIELD(type, items_count) ==                                                      \
                      FIELD(type, items) + offsetof(struct structs, count),                        \
                  "a list and its count are a struct structs")

/* ---- Values ---- */

/* A number as YAML writes it (.inf, .nan, 0x1f, 010, 1_000), and not as Prometheus does (Inf, NaN,
 * 0x1p3): promtool takes that for text, which is none. Nothing is 0. */
static err read_value(struct decode *c, const struct yaml *n, void *place)
{
    double v = 0;
    str s = n->type == YAML_SCALAR ? n->text : STR("");
    size_t sign = s.len > 0 && (s.ptr[0] == '-' || s.ptr[0] == '+');
    bool word = s.len > sign && (s.ptr[sign] | 0x20) >= 'a' && (s.ptr[sign] | 0x20) <= 'z';
    bool power =
        s.len > 0 && (memchr(s.ptr, 'p', s.len) != NULL ||
                      memchr(s.ptr, 'P', s.len) != NULL); /* of two, in a hexadecimal one */
    if (n->type != YAML_NULL && (word || power || !scalar_f64(n, &v)))
        return decode_fail(c, n, "must be a number");
    *(double *)place = isnan(v) ? f64_from_bits(NORMAL_NAN_BITS) : v;
    return OK;
}

static err read_start(struct decode *c, const struct yaml *n, void *place)
{
    struct diag why = {.text = ""};
    if (n->type == YAML_NULL)
        return OK;
    if (n->type != YAML_SCALAR || timestamp_parse(n->text, place, &why) != OK)
        return decode_fail(c, n, "%s", why.text[0] != '\0' ? why.text : "must be a time stamp");
    return OK;
}

/* ---- Tables ---- */

static const struct decode_field SERIES_FIELDS[] = {
    {.key = "series", .kind = DECODE_TEXT, .offset = FIELD(rule_test_series, series)},
    {.key = "values", .kind = DECODE_TEXT, .offset = FIELD(rule_test_series, values)},
};

static err series_finish(struct decode *c, const struct yaml *n, void *s)
{
    struct rule_test_series *v = s;
    (void)c;
    v->line = n->line;
    v->column = n->column;
    return OK;
}

static const struct decode_schema SERIES_SCHEMA = {
    .fields = SERIES_FIELDS,
    .field_count = COUNT_OF(SERIES_FIELDS),
    .size = sizeof(struct rule_test_series),
    .finish = series_finish,
    .type = "main.series",
};

static const struct decode_field ALERT_FIELDS[] = {
    {.key = "exp_labels", .kind = DECODE_PAIRS, .offset = FIELD(rule_test_alert, labels)},
    {.key = "exp_annotations", .kind = DECODE_PAIRS, .offset = FIELD(rule_test_alert, annotations)},
};

static const struct decode_schema ALERT_SCHEMA = {
    .fields = ALERT_FIELDS,
    .field_count = COUNT_OF(ALERT_FIELDS),
    .size = sizeof(struct rule_test_alert),
    .type = "main.alert",
};

LIST_FIELD(rule_test_alerts, expected, expected_count);
static const struct decode_field ALERTS_FIELDS[] = {
    {.key = "eval_time", .kind = DECODE_DURATION, .offset = FIELD(rule_test_alerts, eval_ms)},
    {.key = "alertname", .kind = DECODE_TEXT, .offset = FIELD(rule_test_alerts, alertname)},
    {.key = "exp_alerts",
     .kind = DECODE_STRUCTS,
     .offset = FIELD(rule_test_alerts, expected),
     .schema = &ALERT_SCHEMA},
};

static err alerts_finish(struct decode *c, const struct yaml *n, void *s)
{
    struct rule_test_alerts *v = s;
    (void)c;
    v->line = n->line;
    v->column = n->column;
    return OK;
}

static const struct decode_schema ALERTS_SCHEMA = {
    .fields = ALERTS_FIELDS,
    .field_count = COUNT_OF(ALERTS_FIELDS),
    .size = sizeof(struct rule_test_alerts),
    .finish = alerts_finish,
    .type = "main.alertTestCase",
};

static const struct decode_field SAMPLE_FIELDS[] = {
    {.key = "labels", .kind = DECODE_TEXT, .offset = FIELD(rule_test_sample, labels)},
    {.key = "value",
     .kind = DECODE_CUSTOM,
     .offset = FIELD(rule_test_sample, value),
     .custom = read_value},
    {.key = "histogram", .kind = DECODE_TEXT, .offset = FIELD(rule_test_sample, histogram)},
};

static const struct decode_schema SAMPLE_SCHEMA = {
    .fields = SAMPLE_FIELDS,
    .field_count = COUNT_OF(SAMPLE_FIELDS),
    .size = sizeof(struct rule_test_sample),
    .type = "main.sample",
};

LIST_FIELD(rule_test_query, expected, expected_count);
static const struct decode_field QUERY_FIELDS[] = {
    {.key = "expr", .kind = DECODE_TEXT, .offset = FIELD(rule_test_query, expr)},
    {.key = "eval_time", .kind = DECODE_DURATION, .offset = FIELD(rule_test_query, eval_ms)},
    {.key = "exp_samples",
     .kind = DECODE_STRUCTS,
     .offset = FIELD(rule_test_query, expected),
     .schema = &SAMPLE_SCHEMA},
};

static err query_finish(struct decode *c, const struct yaml *n, void *s)
{
    struct rule_test_query *v = s;
    (void)c;
    v->line = n->line;
    v->column = n->column;
    return OK;
}

static const struct decode_schema QUERY_SCHEMA = {
    .fields = QUERY_FIELDS,
    .field_count = COUNT_OF(QUERY_FIELDS),
    .size = sizeof(struct rule_test_query),
    .finish = query_finish,
    .type = "main.promqlTestCase",
};

LIST_FIELD(rule_test, series, series_count);
LIST_FIELD(rule_test, alerts, alerts_count);
LIST_FIELD(rule_test, queries, queries_count);
static const struct decode_field TEST_FIELDS[] = {
    {.key = "interval", .kind = DECODE_DURATION, .offset = FIELD(rule_test, interval_ms)},
    {.key = "input_series",
     .kind = DECODE_STRUCTS,
     .offset = FIELD(rule_test, series),
     .schema = &SERIES_SCHEMA},
    {.key = "alert_rule_test",
     .kind = DECODE_STRUCTS,
     .offset = FIELD(rule_test, alerts),
     .schema = &ALERTS_SCHEMA},
    {.key = "promql_expr_test",
     .kind = DECODE_STRUCTS,
     .offset = FIELD(rule_test, queries),
     .schema = &QUERY_SCHEMA},
    {.key = "external_labels", .kind = DECODE_PAIRS, .offset = FIELD(rule_test, external_labels)},
    {.key = "external_url", .kind = DECODE_TEXT, .offset = FIELD(rule_test, external_url)},
    {.key = "name", .kind = DECODE_TEXT, .offset = FIELD(rule_test, name)},
    {.key = "start_timestamp",
     .kind = DECODE_CUSTOM,
     .offset = FIELD(rule_test, start_ms),
     .custom = read_start},
};

static err test_finish(struct decode *c, const struct yaml *n, void *s)
{
    struct rule_test *v = s;
    (void)c;
    v->line = n->line;
    v->column = n->column;
    return OK;
}

static const struct decode_schema TEST_SCHEMA = {
    .fields = TEST_FIELDS,
    .field_count = COUNT_OF(TEST_FIELDS),
    .size = sizeof(struct rule_test),
    .finish = test_finish,
    .type = "main.testGroup",
};

static err read_rule_files(struct decode *c, const struct yaml *n, void *place)
{
    struct texts *files = place;
    TRY(decode_texts(c, n, files));
    for (size_t i = 0; i < files->count; i++)
        TRY(decode_path(c, files->items[i], &files->items[i]));
    return OK;
}

static err read_order(struct decode *c, const struct yaml *n, void *place)
{
    struct texts *names = place;
    TRY(decode_texts(c, n, names));
    for (size_t i = 1; i < names->count; i++)
        for (size_t k = 0; k < i; k++)
            if (str_eq(names->items[i], names->items[k]))
                return decode_fail(c, n, "group name repeated in evaluation order: " STR_FMT,
                                   STR_ARG(names->items[i]));
    return OK;
}

LIST_FIELD(rule_test_file, tests, test_count);
static const struct decode_field FILE_FIELDS[] = {
    {.key = "rule_files",
     .kind = DECODE_CUSTOM,
     .offset = FIELD(rule_test_file, rule_files),
     .custom = read_rule_files},
    {.key = "evaluation_interval",
     .kind = DECODE_DURATION,
     .offset = FIELD(rule_test_file, evaluation_interval_ms)},
    {.key = "group_eval_order",
     .kind = DECODE_CUSTOM,
     .offset = FIELD(rule_test_file, group_eval_order),
     .custom = read_order},
    {.key = "tests",
     .kind = DECODE_STRUCTS,
     .offset = FIELD(rule_test_file, tests),
     .schema = &TEST_SCHEMA},
    {.key = "fuzzy_compare", .kind = DECODE_BOOL, .offset = FIELD(rule_test_file, fuzzy_compare)},
};

static err file_finish(struct decode *c, const struct yaml *n, void *s)
{
    enum { INTERVAL_MS_DEFAULT = 60 * 1000 };
    struct rule_test_file *f = s;
    (void)c;
    (void)n;
    if (f->evaluation_interval_ms == 0)
        f->evaluation_interval_ms = INTERVAL_MS_DEFAULT;
    for (size_t i = 0; i < f->test_count; i++)
        if (f->tests[i].interval_ms == 0)
            f->tests[i].interval_ms = f->evaluation_interval_ms;
    return OK;
}

static const struct decode_schema FILE_SCHEMA = {
    .fields = FILE_FIELDS,
    .field_count = COUNT_OF(FILE_FIELDS),
    .size = sizeof(struct rule_test_file),
    .finish = file_finish,
    .type = "main.unitTestFile",
};

/* ---- Files ---- */

err rule_test_file_parse(const char *path, slice text, struct arena *a, struct rule_test_file *out,
                         struct diag *d)
{
    struct decode c = {.path = path, .arena = a, .d = d};
    return decode_document(&c, &FILE_SCHEMA, text, out);
}

err rule_test_file_read(const char *path, struct arena *a, struct rule_test_file *out,
                        struct diag *d)
{
    struct buf text = {0};
    err e = fs_read_file(fs_posix(), path, RULE_TEST_FILE_SIZE_MAX, &text);
    if (e == OK)
        e = rule_test_file_parse(path, buf_slice(&text), a, out, d);
    else
        (void)diag_set(d, e, "open %s: %s", path,
                       e == ERR_NOTFOUND ? "no such file or directory"
                       : e == ERR_LIMIT  ? "larger than 8 MiB"
                                         : "cannot be read");
    buf_fini(&text);
    return e;
}
