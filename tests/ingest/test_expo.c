/* test_expo.c -- exposition pages, entry by entry: what is read, what is refused and in which
 * words, and that known lines give what parsing them gives. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/number.h"
#include "ingest/expo.h"

/* "schema:count:sum[from-to:count ...]", "f" behind for one of floats, "g" for a gauge. */
static void put_histogram(const struct histogram *h, struct buf *out)
{
    struct arena a;
    struct histogram_bucket *buckets;
    size_t count;
    arena_init(&a, 1 << 20);
    assert_int_equal(histogram_buckets(h, &a, &buckets, &count), OK);
    buf_printf(out, "%d:%g:%g[", h->schema, h->count, h->sum);
    for (size_t i = 0; i < count; i++)
        buf_printf(out, "%s%g-%g:%g", i > 0 ? " " : "", buckets[i].lower, buckets[i].upper,
                   buckets[i].count);
    buf_printf(out, "]%s%s", h->is_float ? "f" : "", h->reset_hint == RESET_GAUGE ? "g" : "");
    arena_fini(&a);
}

/* One entry as a line of text: "name{labels} value@ts#start !{exemplar} value@ts". */
static void put_entry(struct expo *p, const struct expo_entry *e, struct buf *out)
{
    static const char *const KINDS[] = {
        [EXPO_TYPE] = "TYPE", [EXPO_HELP] = "HELP", [EXPO_UNIT] = "UNIT"};
    struct arena a;
    if (e->kind == EXPO_COMMENT)
        return;
    if (e->kind != EXPO_SERIES && e->kind != EXPO_HISTOGRAM) {
        buf_printf(out, "%s " STR_FMT " [" STR_FMT "]\n", KINDS[e->kind], STR_ARG(e->name),
                   STR_ARG(e->text));
        return;
    }
    arena_init(&a, 1 << 20);
    struct label *items;
    size_t count;
    assert_int_equal(expo_labels(p, &a, &items, &count), OK);
    labels_format((struct labels){items, count}, out);
    buf_put_u8(out, ' ');
    if (e->kind == EXPO_HISTOGRAM)
        put_histogram(e->histogram, out);
    else
        out->len += number_format_g(e->value, (char *)buf_reserve(out, NUMBER_SIZE_MAX));
    if (e->has_ts)
        buf_printf(out, "@%lld", (long long)e->ts_ms);
    if (e->start_ts_ms != 0)
        buf_printf(out, "#%lld", (long long)e->start_ts_ms);
    for (size_t i = 0; i < e->exemplar_count; i++) {
        const struct expo_exemplar *x = &e->exemplars[i];
        buf_put_str(out, STR(" !"));
        labels_format(x->exemplar.labels, out);
        buf_put_u8(out, ' ');
        out->len += number_format_g(x->exemplar.value, (char *)buf_reserve(out, NUMBER_SIZE_MAX));
        if (x->has_ts)
            buf_printf(out, "@%lld", (long long)x->exemplar.ts_ms);
    }
    buf_put_u8(out, '\n');
    arena_fini(&a);
}

/* The whole page so, and behind it "error: ..." when it ends in one. */
static void read_page(const struct expo_options *o, str text, struct buf *out)
{
    struct expo p;
    struct expo_entry e;
    struct buf page = {0};
    struct diag d = {.text = ""};
    buf_put_str(&page, text);
    expo_open(&p, &page, o);
    err r;
    while ((r = expo_next(&p, &e, &d)) == OK && e.kind != EXPO_END)
        put_entry(&p, &e, out);
    if (r != OK)
        buf_printf(out, "error: %s\n", d.text);
    expo_close(&p);
    buf_fini(&page);
}

static void check_with(struct expo_options o, str page, const char *expected)
{
    struct buf out = {0};
    read_page(&o, page, &out);
    assert_string_equal(buf_cstr(&out), expected);
    buf_fini(&out);
}

#define CHECK(page, expected)                                                                      \
    check_with((struct expo_options){.format = EXPO_TEXT}, STR(page), expected)
#define CHECK_OM(page, expected)                                                                   \
    check_with((struct expo_options){.format = EXPO_OPENMETRICS}, STR(page), expected)

static void test_text__reads_series(void **state)
{
    (void)state;
    CHECK("", "");
    CHECK("\n\n", "");
    CHECK("a 1", "{__name__=\"a\"} 1\n");
    CHECK("a 1\nb{c=\"d\"} 2.5 1700000000000\n",
          "{__name__=\"a\"} 1\n{__name__=\"b\", c=\"d\"} 2.5@1700000000000\n");
    CHECK("a{ b = \"c\" , d=\"e\" , } \t 3 \t 4 \n", "{__name__=\"a\", b=\"c\", d=\"e\"} 3@4\n");
    CHECK("a\t+Inf\nb NaN\nc -inf\nd 0x1p3\n",
          "{__name__=\"a\"} +Inf\n{__name__=\"b\"} NaN\n{__name__=\"c\"} -Inf\n"
          "error: unsupported character in float while parsing: \"d 0x1p3\"\n");
    CHECK("a{b=\"\\\\ \\\" \\n \\x\"} 1\n", "{__name__=\"a\", b=\"\\\\ \\\" \\n \\\\x\"} 1\n");
    CHECK("a{b=\"x\ny\"} 1\n", "{__name__=\"a\", b=\"x\\ny\"} 1\n");
    CHECK("{\"my.metric\"} 1\n{\"x y\",\"l l\"=\"v\"} 2\na{\"b\"=\"c\"} 3\n",
          "{__name__=\"my.metric\"} 1\n{__name__=\"x y\", \"l l\"=\"v\"} 2\n"
          "{__name__=\"a\", b=\"c\"} 3\n");
    CHECK("{a=\"b\",\"m\"} 1\n", "{__name__=\"m\", a=\"b\"} 1\n");
    CHECK("# a comment\n#another\n#\nx 1\n", "{__name__=\"x\"} 1\n");
}

static void test_text__reads_metadata(void **state)
{
    (void)state;
    CHECK("# HELP a Some \\\\ help\\n here\\q\n# TYPE a counter\n",
          "HELP a [Some \\ help\n here\\q]\nTYPE a [counter]\n");
    CHECK("# HELP a\n# HELP b \n# HELP c  x \n", "HELP a []\nHELP b []\nHELP c [ x ]\n");
    CHECK("# HELP \"a b\" text\n# TYPE \"a b\" gauge\n", "HELP a b [text]\nTYPE a b [gauge]\n");
    CHECK("#  \tHELP\t a\tx\n", "HELP a [x]\n");
    CHECK("# TYPE a untyped\n# TYPE a info\n",
          "TYPE a [untyped]\nerror: invalid metric type \"info\"\n");
    CHECK("# TYPE a counter \n", "error: invalid metric type \"counter \"\n");
    CHECK("# HELPX a\n# TYP\n", "");
}

static void test_text__normalizes_bounds(void **state)
{
    (void)state;
    CHECK("# TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_bucket{le=\"1000000\"} "
          "1\nh_bucket{le=\"+Inf\"} 1\n",
          "TYPE h [histogram]\n{__name__=\"h_bucket\", le=\"1.0\"} 1\n"
          "{__name__=\"h_bucket\", le=\"1e+06\"} 1\n{__name__=\"h_bucket\", le=\"+Inf\"} 1\n");
    CHECK("# TYPE s summary\ns{quantile=\"0\",le=\"1\"} 1\n",
          "TYPE s [summary]\n{__name__=\"s\", quantile=\"0.0\", le=\"1\"} 1\n");
    CHECK("h_bucket{le=\"1\"} 1\n", "{__name__=\"h_bucket\", le=\"1\"} 1\n");
}

static void test_text__says_what_is_wrong(void **state)
{
    (void)state;
    CHECK(
        "a",
        "error: expected value after metric, got \"\\n\" (\"INVALID\") while parsing: \"a\\n\"\n");
    CHECK("a{b='c'} 1\n",
          "error: expected label value, got \"'\" (\"INVALID\") while parsing: \"a{b='\"\n");
    CHECK("a{b=\n",
          "error: expected label value, got \"\\n\" (\"INVALID\") while parsing: \"a{b=\\n\"\n");
    CHECK("a{\xff=\"c\"} 1\n",
          "error: expected label name, got \"\\xff\" (\"INVALID\") while parsing: \"a{\\xff\"\n");
    CHECK("a{b=\"\xff\"} 1\n", "error: invalid UTF-8 label value: \"\\\"\\xff\\\"\"\n");
    CHECK("a true\n", "error: strconv.ParseFloat: parsing \"true\": invalid syntax while parsing: "
                      "\"a true\"\n");
    CHECK("a 1e999\n", "error: strconv.ParseFloat: parsing \"1e999\": value out of range while "
                       "parsing: \"a 1e999\"\n");
    CHECK("a 1_0\n", "error: unsupported character in float while parsing: \"a 1_0\"\n");
    CHECK("a 1 -1\n", "error: expected timestamp or new record, got \"-\" (\"INVALID\") while "
                      "parsing: \"a 1 -\"\n");
    CHECK("a 1 5 6\n",
          "error: expected next entry after timestamp, got \"6\\n\" (\"TIMESTAMP\") while "
          "parsing: \"a 1 5 6\\n\"\n");
    CHECK("a 1 99999999999999999999\n",
          "error: strconv.ParseInt: parsing \"99999999999999999999\": value out of range while "
          "parsing: \"a 1 99999999999999999999\"\n");
    CHECK("<html>\n",
          "error: expected a valid start token, got \"<\" (\"INVALID\") while parsing: \"<\"\n");
    CHECK("# HELP\n# TYPE\n", "");
    CHECK("# HELP 7\n", "error: expected metric name after HELP, got \"7\" (\"INVALID\") while "
                        "parsing: \"# HELP 7\"\n");
    CHECK("# HELP a \xff\n", "error: help text \"\\xff\" is not a valid utf8 string\n");
    CHECK("{a=\"b\"} 1\n", "error: metric name not set while parsing: \"{a=\\\"b\\\"} 1\"\n");
    CHECK("a{\"b\"} 1\n", "error: metric name already set while parsing: \"a{\\\"b\\\"}\"\n");
    CHECK("a{b} 1\n", "error: expected equal, got \"} \" (\"BCLOSE\") while parsing: \"a{b} \"\n");
}

static void test_text__zero_bytes(void **state)
{
    (void)state;
    CHECK("a 1\n\0b 2\n", "{__name__=\"a\"} 1\n"); /* ends the page, as upstream */
    CHECK("a{b=\"\0\"} 1\n", "{__name__=\"a\", b=\"\\x00\"} 1\n");
    CHECK("a\0{b=\"c\"} 1\n", "error: expected value after metric, got \"\\x00\" (\"INVALID\") "
                              "while parsing: \"a\\x00\"\n");
}

static void test_openmetrics__reads(void **state)
{
    (void)state;
    CHECK_OM("# EOF", "");
    CHECK_OM(
        "# TYPE a counter\n# HELP a x\\ny\n# UNIT a_s s\na_total 1\na_created 2.5 3.25\n# EOF\n",
        "TYPE a [counter]\nHELP a [x\ny]\nUNIT a_s [s]\n"
        "{__name__=\"a_total\"} 1\n{__name__=\"a_created\"} 2.5@3250\n");
    CHECK_OM(
        "# TYPE h histogram\nh_bucket{le=\"1\"} 4 # {trace_id=\"a b\"} 0.5 1.5\n"
        "h_bucket{le=\"+Inf\"} 4 7 # {} 0.25\n# EOF\n",
        "TYPE h [histogram]\n{__name__=\"h_bucket\", le=\"1.0\"} 4 !{trace_id=\"a b\"} 0.5@1500\n"
        "{__name__=\"h_bucket\", le=\"+Inf\"} 4@7000 !{} 0.25\n");
    CHECK_OM("# TYPE i info\ni_info{v=\"1\"} 1\n# TYPE s stateset\ns{s=\"a\"} 0\n# EOF\n",
             "TYPE i [info]\n{__name__=\"i_info\", v=\"1\"} 1\nTYPE s [stateset]\n"
             "{__name__=\"s\", s=\"a\"} 0\n");
    CHECK_OM("{\"a.b\",c=\"d\"} 1\n# EOF\n", "{__name__=\"a.b\", c=\"d\"} 1\n");
}

static void test_openmetrics__says_what_is_wrong(void **state)
{
    (void)state;
    CHECK_OM("", "error: data does not end with # EOF\n");
    CHECK_OM("a 1\n", "{__name__=\"a\"} 1\nerror: data does not end with # EOF\n");
    CHECK_OM("a 1", "error: data does not end with # EOF\n");
    CHECK_OM("# EOF\na 1\n", "error: unexpected data after # EOF\n");
    CHECK_OM(
        "\n# EOF\n",
        "error: expected a valid start token, got \"\\n\" (\"INVALID\") while parsing: \"\\n\"\n");
    CHECK_OM(
        "a  1\n# EOF\n",
        "error: expected value after metric, got \"  \" (\"INVALID\") while parsing: \"a  \"\n");
    CHECK_OM(
        "# comment\n# EOF\n",
        "error: expected a valid start token, got \"# c\" (\"INVALID\") while parsing: \"# c\"\n");
    CHECK_OM("# TYPE a untyped\n# EOF\n", "error: invalid metric type \"untyped\"\n");
    CHECK_OM("# UNIT a s\n# EOF\n", "error: unit \"s\" not a suffix of metric \"a\"\n");
    CHECK_OM("# HELP a\n# EOF\n", "error: expected text in HELP\n");
    CHECK_OM("# TYPE  a counter\n# EOF\n", "error: expected metric name after TYPE, got \" \" "
                                           "(\"INVALID\") while parsing: \"# TYPE  \"\n");
    CHECK_OM("a{b=\"c\"d=\"e\"} 1\n# EOF\n", "error: expected comma or brace close, got \"d=\" "
                                             "(\"LNAME\") while parsing: \"a{b=\\\"c\\\"d=\"\n");
    CHECK_OM("a 1 NaN\n# EOF\n", "error: invalid timestamp NaN\n");
    CHECK_OM("a_total 1 # {a=\"b\"} 1 +Inf\n# EOF\n", "error: invalid exemplar timestamp +Inf\n");
    CHECK_OM(
        "a_total 1 # {a=\"b\"}\n# EOF\n",
        "error: expected value after exemplar labels, got \"\\n\" (\"INVALID\") while parsing: "
        "\"a_total 1 # {a=\\\"b\\\"}\\n\"\n");
    CHECK_OM("a_total 1 # x\n# EOF\n", "error: expected timestamp or new record, got \" # x\" "
                                       "(\"INVALID\") while parsing: \"a_total 1 # x\"\n");
}

static void test_openmetrics__created_lines_are_start_times(void **state)
{
    (void)state;
    struct expo_options o = {.format = EXPO_OPENMETRICS, .start_timestamps = true};
    check_with(
        o,
        STR("# TYPE a counter\na_total{x=\"1\"} 1\na_created{x=\"1\"} 10\na_total{x=\"2\"} 2\n"
            "# TYPE h histogram\nh_bucket{le=\"+Inf\"} 1\nh_sum 1\nh_count 1\nh_created 1.5\n"
            "# TYPE g gauge\ng_created 4\n# EOF\n"),
        "TYPE a [counter]\n{__name__=\"a_total\", x=\"1\"} 1#10000\n"
        "{__name__=\"a_total\", x=\"2\"} 2\nTYPE h [histogram]\n"
        "{__name__=\"h_bucket\", le=\"+Inf\"} 1#1500\n{__name__=\"h_sum\"} 1#1500\n"
        "{__name__=\"h_count\"} 1#1500\nTYPE g [gauge]\n{__name__=\"g_created\"} 4\n");
}

static void test_labels__type_and_unit(void **state)
{
    (void)state;
    struct expo_options o = {.format = EXPO_OPENMETRICS, .type_and_unit_labels = true};
    check_with(
        o,
        STR("# TYPE a_s counter\n# UNIT a_s s\na_s_total{__type__=\"x\",b=\"c\"} 1\nb 2\n# EOF\n"),
        "TYPE a_s [counter]\nUNIT a_s [s]\n"
        "{__name__=\"a_s_total\", __type__=\"counter\", __unit__=\"s\", b=\"c\"} 1\n"
        "{__name__=\"b\"} 2\n");
}

/* ---- Protobuf ---- */

static void put_bytes(struct buf *out, unsigned field, str s)
{
    buf_put_varint(out, field << 3 | 2);
    buf_put_string(out, s);
}

static void put_integer(struct buf *out, unsigned field, uint64_t v)
{
    buf_put_varint(out, field << 3);
    buf_put_varint(out, v);
}

static void put_double(struct buf *out, unsigned field, double v)
{
    buf_put_varint(out, field << 3 | 1);
    buf_put_u64(out, f64_bits(v));
}

static void put_label_pair(struct buf *out, unsigned field, const char *name, const char *value)
{
    struct buf b = {0};
    put_bytes(&b, 1, str_from(name));
    put_bytes(&b, 2, str_from(value));
    put_bytes(out, field, buf_str(&b));
    buf_fini(&b);
}

/* An exemplar {t="v"} `value`, at `seconds` unless 0. */
static void put_exemplar(struct buf *out, unsigned field, double value, uint64_t seconds)
{
    struct buf b = {0}, ts = {0};
    put_label_pair(&b, 1, "t", "v");
    put_double(&b, 2, value);
    put_integer(&ts, 1, seconds);
    if (seconds != 0)
        put_bytes(&b, 3, buf_str(&ts));
    put_bytes(out, field, buf_str(&b));
    buf_fini(&b);
    buf_fini(&ts);
}

/* A family of one metric {l="x"} whose value is the message `value` in `field`. */
static void put_family(struct buf *page, const char *name, const char *unit, unsigned type,
                       unsigned field, const struct buf *value, uint64_t ts_ms)
{
    struct buf family = {0}, metric = {0};
    put_label_pair(&metric, 1, "l", "x");
    put_bytes(&metric, field, buf_str(value));
    if (ts_ms != 0)
        put_integer(&metric, 6, ts_ms);
    put_bytes(&family, 1, str_from(name));
    put_bytes(&family, 2, STR("Help."));
    put_integer(&family, 3, type);
    put_bytes(&family, 4, buf_str(&metric));
    if (unit[0] != '\0')
        put_bytes(&family, 5, str_from(unit));
    buf_put_string(page, buf_str(&family));
    buf_fini(&family);
    buf_fini(&metric);
}

static void put_bucket(struct buf *out, double bound, uint64_t count, double exemplar)
{
    struct buf b = {0};
    put_integer(&b, 1, count);
    put_double(&b, 2, bound);
    if (exemplar != 0)
        put_exemplar(&b, 3, exemplar, 3);
    put_bytes(out, 3, buf_str(&b));
    buf_fini(&b);
}

/* Count 6, sum 1.5, buckets up to 1 and 10; native: zero bucket 1, bucket 0 with 2, bucket 1
 * with 3. */
static void put_both_histograms(struct buf *value, bool native)
{
    struct buf span = {0}, deltas = {0};
    put_integer(value, 1, 6);
    put_double(value, 2, 1.5);
    put_bucket(value, 1, 3, 0.5);
    put_bucket(value, 10, 6, 0);
    if (native) {
        put_integer(value, 5, zigzag(0));
        put_double(value, 6, 0.001);
        put_integer(value, 7, 1);
        put_integer(&span, 1, zigzag(0));
        put_integer(&span, 2, 2);
        put_bytes(value, 12, buf_str(&span));
        buf_put_varint(&deltas, zigzag(2));
        buf_put_varint(&deltas, zigzag(1));
        put_bytes(value, 13, buf_str(&deltas));
    }
    buf_fini(&span);
    buf_fini(&deltas);
}

static void check_page(struct expo_options o, const struct buf *page, const char *expected)
{
    o.format = EXPO_PROTOBUF;
    check_with(o, buf_str(page), expected);
}

static void test_protobuf__numbers(void **state)
{
    (void)state;
    struct buf page = {0}, v = {0}, created = {0};
    put_double(&v, 1, 5);
    put_exemplar(&v, 2, 0.25, 0);
    put_integer(&created, 1, 7);
    put_integer(&created, 2, 500000000);
    put_bytes(&v, 3, buf_str(&created));
    put_family(&page, "c_s_total", "s", 0, 3, &v, 0);
    buf_reset(&v);
    put_double(&v, 1, -1);
    put_family(&page, "g", "", 1, 2, &v, 1234);
    put_family(&page, "u", "", 3, 5, &v, 0);
    check_page((struct expo_options){.format = EXPO_PROTOBUF}, &page,
               "HELP c_s_total [Help.]\nUNIT c_s_total [s]\nTYPE c_s_total []\n"
               "{__name__=\"c_s_total\", l=\"x\"} 5#7500 !{t=\"v\"} 0.25\n"
               "HELP g [Help.]\nTYPE g []\n{__name__=\"g\", l=\"x\"} -1@1234\n"
               "HELP u [Help.]\nTYPE u []\n{__name__=\"u\", l=\"x\"} -1\n");
    buf_fini(&page);
    buf_fini(&v);
    buf_fini(&created);
}

static void test_protobuf__summaries(void **state)
{
    (void)state;
    struct buf page = {0}, v = {0}, q = {0};
    put_integer(&v, 1, 4);
    put_double(&v, 2, 3);
    put_double(&q, 1, 0.5);
    put_double(&q, 2, 9);
    put_bytes(&v, 3, buf_str(&q));
    put_family(&page, "s", "", 2, 4, &v, 0);
    check_page((struct expo_options){.format = EXPO_PROTOBUF}, &page,
               "HELP s [Help.]\nTYPE s []\n{__name__=\"s_count\", l=\"x\"} 4\n"
               "{__name__=\"s_sum\", l=\"x\"} 3\n{__name__=\"s\", l=\"x\", quantile=\"0.5\"} 9\n");
    buf_fini(&page);
    buf_fini(&v);
    buf_fini(&q);
}

#define CLASSIC                                                                                    \
    "{__name__=\"h_count\", l=\"x\"} 6\n{__name__=\"h_sum\", l=\"x\"} 1.5\n"                       \
    "{__name__=\"h_bucket\", l=\"x\", le=\"1.0\"} 3 !{t=\"v\"} 0.5@3000\n"                         \
    "{__name__=\"h_bucket\", l=\"x\", le=\"10.0\"} 6\n"                                            \
    "{__name__=\"h_bucket\", l=\"x\", le=\"+Inf\"} 6\n"
#define NATIVE                                                                                     \
    "{__name__=\"h\", l=\"x\"} 0:6:1.5[-0.001-0.001:1 0.5-1:2 1-2:3] !{t=\"v\"} 0.5@3000\n"
#define HEAD "HELP h [Help.]\nTYPE h []\n"

static void test_protobuf__histograms(void **state)
{
    (void)state;
    struct buf both = {0}, classic = {0}, v = {0};
    put_both_histograms(&v, true);
    put_family(&both, "h", "", 4, 7, &v, 0);
    buf_reset(&v);
    put_both_histograms(&v, false);
    put_family(&classic, "h", "", 4, 7, &v, 0);
    struct expo_options o = {.format = EXPO_PROTOBUF};
    check_page(o, &both, HEAD CLASSIC);
    o.native_histograms = true;
    check_page(o, &both, HEAD NATIVE);
    check_page(o, &classic, HEAD CLASSIC);
    o.classic_histograms = true;
    check_page(o, &both, HEAD NATIVE CLASSIC);
    o = (struct expo_options){.format = EXPO_PROTOBUF, .convert_classic = true};
    check_page(o, &classic,
               HEAD "{__name__=\"h\", l=\"x\"} -53:6:1.5[-inf-1:3 1-10:3] !{t=\"v\"} 0.5@3000\n");
    buf_fini(&both);
    buf_fini(&classic);
    buf_fini(&v);
}

static void test_text__classic_histograms_become_native(void **state)
{
    (void)state;
    struct expo_options o = {.format = EXPO_TEXT, .convert_classic = true};
    str page = STR(
        "a 1\n# TYPE h histogram\nh_bucket{le=\"1\",x=\"y\"} 3\nh_bucket{x=\"y\",le=\"+Inf\"} 6\n"
        "h_sum{x=\"y\"} 1.5\nh_count{x=\"y\"} 6\nh_bucket{le=\"2\",x=\"z\"} 1\nh_count{x=\"z\"} 2\n"
        "h_bucket{le=\"bad\",x=\"w\"} 1\nh_created 5\n# TYPE g gauge\ng 2\n");
    check_with(o, page,
               "{__name__=\"a\"} 1\nTYPE h [histogram]\n"
               "{__name__=\"h\", x=\"y\"} -53:6:1.5[-inf-1:3 1-inf:3]\n"
               "{__name__=\"h\", x=\"z\"} -53:2:0[-inf-2:1 2-inf:1]\n"
               "{__name__=\"h_created\"} 5\nTYPE g [gauge]\n{__name__=\"g\"} 2\n");
    o.classic_histograms = true;
    check_with(
        o, STR("# TYPE h histogram\nh_bucket{le=\"1\"} 3\nh_count 3\ng 2\n"),
        "TYPE h [histogram]\n{__name__=\"h_bucket\", le=\"1.0\"} 3\n{__name__=\"h_count\"} 3\n"
        "{__name__=\"h\"} -53:3:0[-inf-1:3]\n{__name__=\"g\"} 2\n");
}

static void test_protobuf__says_what_is_wrong(void **state)
{
    (void)state;
    struct buf page = {0}, v = {0};
    struct expo_options o = {.format = EXPO_PROTOBUF};
    put_double(&v, 1, 5);
    put_family(&page, "a_total", "s", 0, 3, &v, 0);
    check_page(o, &page, "error: unit \"s\" not a suffix of counter \"a_total\"\n");
    buf_reset(&page);
    put_family(&page, "", "", 0, 3, &v, 0);
    check_page(o, &page, "error: invalid metric name: \n");
    buf_reset(&page);
    put_family(&page, "a", "", 9, 3, &v, 0);
    check_page(o, &page, "error: unknown metric type for metric \"a\": 9\n");
    buf_reset(&page);
    buf_put_str(&page, STR("\xff\x01"));
    check_page(o, &page, "error: proto: malformed MetricFamily: it is longer than the page\n");
    buf_fini(&page);
    buf_fini(&v);
}

/* Read `text` twice, the second time by keys alone where that is possible: the same comes out. */
static void check_known(enum expo_format format, str text, size_t taken_min)
{
    struct expo p, q;
    struct expo_entry e, f;
    struct buf page = {0}, again = {0};
    struct diag d = {.text = ""};
    struct expo_options o = {.format = format};
    size_t taken = 0;
    slice key;
    buf_put_str(&page, text);
    buf_put_str(&again, text);
    expo_open(&p, &page, &o);
    expo_open(&q, &again, &o);
    for (;;) {
        assert_int_equal(expo_next(&p, &e, &d), OK);
        bool known = expo_peek(&q, &key) && str_eq(slice_text(key), slice_text(e.key));
        if (known && e.kind != EXPO_SERIES && e.kind != EXPO_COMMENT && e.kind != EXPO_END) {
            expo_take_metadata(&q, key, e.kind, e.type, e.name);
            taken++;
        } else if (known && e.kind == EXPO_SERIES && expo_take(&q, key, &f)) {
            assert_true(f.value == e.value || (f.value != f.value && e.value != e.value));
            assert_int_equal(f.has_ts, e.has_ts);
            assert_true(!f.has_ts || f.ts_ms == e.ts_ms);
            taken++;
        } else {
            assert_int_equal(expo_next(&q, &f, &d), OK);
        }
        assert_int_equal(p.pos, q.pos);
        assert_int_equal(p.state, q.state);
        assert_int_equal(p.type, q.type);
        if (e.kind == EXPO_END)
            break;
    }
    assert_true(taken >= taken_min);
    expo_close(&p);
    expo_close(&q);
    buf_fini(&page);
    buf_fini(&again);
}

static void test_take__gives_what_parsing_gives(void **state)
{
    (void)state;
    check_known(
        EXPO_TEXT,
        STR("# HELP a b\n# TYPE a counter\na 1\na{b=\"c\"} 2 3\na{b=\"}\"} NaN\na{b=\"x} 3\n\"} 5\n"
            "{\"q\"} 1e9\n x 1\na{b=\"c\"}  4\t5 \n# c\n\n"),
        7);
    check_known(EXPO_OPENMETRICS,
                STR("# TYPE a counter\na_total 1\na_total{b=\"}\"} 2 3.5\n{\"q\"} 1\n"
                    "a_total{b=\"c\"} 4 # {x=\"y\"} 1\n# EOF\n"),
                4);
}

static void test_take__does_not_believe_a_broken_value(void **state)
{
    (void)state;
    static const char *const LINES[] = {"a x\n",          "a 1 2 3\n", "a 1e999\n",
                                        "a{b=\"c\"} 1\n", "a\n",       "a 1 99999999999999999999\n",
                                        "a 0x1p1\n",      "a 1\r\n"};
    for (size_t i = 0; i < COUNT_OF(LINES); i++) {
        struct expo p;
        struct expo_entry e;
        struct buf page = {0};
        struct expo_options o = {.format = EXPO_TEXT};
        buf_put_str(&page, str_from(LINES[i]));
        expo_open(&p, &page, &o);
        assert_false(expo_take(&p, (slice){page.ptr, 1}, &e));
        assert_int_equal(p.pos, 0);
        expo_close(&p);
        buf_fini(&page);
    }
}

static void test_labels__too_many(void **state)
{
    (void)state;
    struct buf text = {0}, out = {0};
    struct expo_options o = {.format = EXPO_TEXT};
    buf_put_str(&text, STR("a{"));
    for (int i = 0; i < EXPO_LABELS_MAX + 1; i++)
        buf_printf(&text, "l%d=\"\",", i);
    buf_put_str(&text, STR("} 1\n"));
    read_page(&o, buf_str(&text), &out);
    assert_string_equal(buf_cstr(&out), "error: more than 4096 labels in one line\n");
    buf_fini(&text);
    buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text__reads_series),
        cmocka_unit_test(test_text__reads_metadata),
        cmocka_unit_test(test_text__normalizes_bounds),
        cmocka_unit_test(test_text__says_what_is_wrong),
        cmocka_unit_test(test_text__zero_bytes),
        cmocka_unit_test(test_openmetrics__reads),
        cmocka_unit_test(test_openmetrics__says_what_is_wrong),
        cmocka_unit_test(test_openmetrics__created_lines_are_start_times),
        cmocka_unit_test(test_labels__type_and_unit),
        cmocka_unit_test(test_protobuf__numbers),
        cmocka_unit_test(test_protobuf__summaries),
        cmocka_unit_test(test_protobuf__histograms),
        cmocka_unit_test(test_protobuf__says_what_is_wrong),
        cmocka_unit_test(test_text__classic_histograms_become_native),
        cmocka_unit_test(test_take__gives_what_parsing_gives),
        cmocka_unit_test(test_take__does_not_believe_a_broken_value),
        cmocka_unit_test(test_labels__too_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
