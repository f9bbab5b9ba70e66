/* metrics_json.c -- see metrics_json.h. */
#include "http/metrics_json.h"

#include <math.h>

#include "base/number.h"
#include "http/json.h"

struct sample {
    str name, labels, le; /* labels as written, without braces, without le or quantile */
    str value;
};

struct writer {
    struct buf *out;
    const struct regex *only;
    str help_of, help; /* of the HELP line before */
    str family, type;
    bool skipped, open, any_family, any_metric;
    bool histogram_open, any_bucket, any_field;
    str histogram_labels;
};

static bool take_line(str *rest, str *line)
{
    if (rest->len == 0)
        return false;
    const char *end = memchr(rest->ptr, '\n', rest->len);
    size_t n = end != NULL ? (size_t)(end - rest->ptr) : rest->len;
    *line = (str){rest->ptr, n};
    *rest = (str){rest->ptr + n, rest->len - n};
    if (rest->len > 0)
        *rest = (str){rest->ptr + 1, rest->len - 1};
    return true;
}

/* Take the word up to the next blank off `rest`. */
static str take_word(str *rest)
{
    size_t n = 0;
    while (n < rest->len && rest->ptr[n] != ' ')
        n++;
    str word = {rest->ptr, n};
    *rest = (str){rest->ptr + n, rest->len - n};
    if (rest->len > 0)
        *rest = (str){rest->ptr + 1, rest->len - 1};
    return word;
}

/* A number; what JSON has no number for is a string in ProtoJSON. */
static void put_number(struct buf *b, str text)
{
    double v;
    if (number_parse_f64(text, false, &v) != OK || isnan(v))
        buf_put_str(b, STR("\"NaN\""));
    else if (isinf(v))
        buf_put_str(b, v > 0 ? STR("\"Infinity\"") : STR("\"-Infinity\""));
    else
        json_number(b, v);
}

/* "a="b",c="d"" as a list of pairs. */
static void put_labels(struct buf *b, str labels)
{
    struct buf value = {0};
    for (size_t i = 0; i < labels.len;) {
        size_t start = i;
        while (i < labels.len && labels.ptr[i] != '=')
            i++;
        buf_put_str(b, start > 0 ? STR(",{\"name\":") : STR("{\"name\":"));
        json_html(b, (str){labels.ptr + start, i - start});
        buf_reset(&value);
        for (i += 2; i < labels.len && labels.ptr[i] != '"'; i++) {
            if (labels.ptr[i] == '\\' && i + 1 < labels.len)
                buf_put_u8(&value, labels.ptr[++i] == 'n' ? '\n' : (uint8_t)labels.ptr[i]);
            else
                buf_put_u8(&value, (uint8_t)labels.ptr[i]);
        }
        buf_put_str(b, STR(",\"value\":"));
        json_html(b, buf_str(&value));
        buf_put_u8(b, '}');
        i += 2; /* the quote and a comma */
    }
    buf_fini(&value);
}

static void begin_metric(struct writer *w, str labels)
{
    buf_put_str(w->out, w->any_metric ? STR(",{") : STR("{"));
    w->any_metric = true;
    if (labels.len == 0)
        return;
    buf_put_str(w->out, STR("\"label\":["));
    put_labels(w->out, labels);
    buf_put_str(w->out, STR("],"));
}

static void put_simple(struct writer *w, const struct sample *s)
{
    begin_metric(w, s->labels);
    buf_put_str(w->out, str_eq(w->type, STR("counter")) ? STR("\"counter\":{\"value\":")
                                                        : STR("\"gauge\":{\"value\":"));
    put_number(w->out, s->value);
    buf_put_str(w->out, STR("}}"));
}

static void end_buckets(struct writer *w)
{
    if (w->any_bucket)
        buf_put_u8(w->out, ']');
    w->any_bucket = false;
}

static void end_histogram(struct writer *w)
{
    if (!w->histogram_open)
        return;
    end_buckets(w);
    buf_put_str(w->out, STR("}}"));
    w->histogram_open = false;
}

static void put_bucket(struct writer *w, const struct sample *s)
{
    buf_put_str(w->out, w->any_bucket ? STR(",{\"cumulativeCount\":\"")
                                      : STR("\"bucket\":[{\"cumulativeCount\":\""));
    buf_put_str(w->out, s->value);
    buf_put_str(w->out, STR("\",\"upperBound\":"));
    put_number(w->out, s->le);
    buf_put_u8(w->out, '}');
    w->any_bucket = w->any_field = true;
}

static void put_quantile(struct writer *w, const struct sample *s)
{
    buf_put_str(w->out,
                w->any_bucket ? STR(",{\"quantile\":") : STR("\"quantile\":[{\"quantile\":"));
    put_number(w->out, s->le);
    buf_put_str(w->out, STR(",\"value\":"));
    put_number(w->out, s->value);
    buf_put_u8(w->out, '}');
    w->any_bucket = w->any_field = true;
}

/* Lines of a histogram come as buckets, sum, count; the last bucket, +Inf, is the count. Those of a
 * summary come as quantiles, sum, count. */
static void put_histogram_line(struct writer *w, const struct sample *s)
{
    str part = {s->name.ptr + w->family.len, s->name.len - w->family.len};
    if (w->histogram_open && !str_eq(w->histogram_labels, s->labels))
        end_histogram(w);
    if (!w->histogram_open) {
        begin_metric(w, s->labels);
        buf_printf(w->out, "\"" STR_FMT "\":{", STR_ARG(w->type));
        w->histogram_open = true;
        w->any_field = false;
        w->histogram_labels = s->labels;
    }
    if (part.len == 0) {
        put_quantile(w, s);
        return;
    }
    if (str_eq(part, STR("_bucket"))) {
        if (!str_eq(s->le, STR("+Inf")))
            put_bucket(w, s);
        return;
    }
    end_buckets(w);
    buf_put_str(w->out, w->any_field ? STR(",") : STR(""));
    w->any_field = true;
    if (str_eq(part, STR("_sum"))) {
        buf_put_str(w->out, STR("\"sampleSum\":"));
        put_number(w->out, s->value);
    } else {
        buf_put_str(w->out, STR("\"sampleCount\":\""));
        buf_put_str(w->out, s->value);
        buf_put_u8(w->out, '"');
    }
}

/* Take `key`, le=" or quantile=", off the labels with its value; it stands last. */
static void split_last(struct sample *s, str key)
{
    if (s->labels.len <= key.len)
        return;
    const char *at = memmem(s->labels.ptr, s->labels.len, key.ptr, key.len);
    if (at == NULL || (at != s->labels.ptr && at[-1] != ','))
        return;
    size_t n = (size_t)(at - s->labels.ptr);
    s->le = (str){at + key.len, s->labels.len - n - key.len - 1};
    s->labels.len = n > 0 ? n - 1 : 0;
}

static struct sample parse_sample(str line)
{
    struct sample s = {.labels = {"", 0}, .le = {"", 0}};
    size_t n = 0;
    while (n < line.len && line.ptr[n] != ' ' && line.ptr[n] != '{')
        n++;
    s.name = (str){line.ptr, n};
    const char *close =
        n < line.len && line.ptr[n] == '{' ? memrchr(line.ptr, '}', line.len) : NULL;
    if (close != NULL) {
        size_t end = (size_t)(close - line.ptr);
        s.labels = (str){line.ptr + n + 1, end - n - 1};
        n = end + 1;
    }
    s.value = n < line.len ? (str){line.ptr + n + 1, line.len - n - 1} : (str){"", 0};
    return s;
}

static void end_family(struct writer *w)
{
    end_histogram(w);
    if (w->open)
        buf_put_str(w->out, STR("]}"));
    w->open = false;
}

static void begin_family(struct writer *w, str name, str type)
{
    end_family(w);
    w->family = name;
    w->type = type;
    w->skipped = w->only != NULL && !regex_match(w->only, name);
    if (w->skipped)
        return;
    buf_put_str(w->out, w->any_family ? STR(",{\"name\":") : STR("{\"name\":"));
    json_html(w->out, name);
    buf_put_str(w->out, STR(",\"help\":"));
    json_html(w->out, str_eq(w->help_of, name) ? w->help : STR(""));
    buf_put_str(w->out, STR(",\"type\":\""));
    for (size_t i = 0; i < type.len; i++)
        buf_put_u8(w->out, (uint8_t)(type.ptr[i] - ('a' - 'A')));
    buf_put_str(w->out, STR("\",\"metric\":["));
    w->open = w->any_family = true;
    w->any_metric = false;
}

static void take(struct writer *w, str line)
{
    if (str_starts(line, STR("# HELP "))) {
        str rest = {line.ptr + 7, line.len - 7};
        w->help_of = take_word(&rest);
        w->help = rest;
    } else if (str_starts(line, STR("# TYPE "))) {
        str rest = {line.ptr + 7, line.len - 7};
        str name = take_word(&rest);
        begin_family(w, name, rest);
    } else if (line.len > 0 && w->open && !w->skipped) {
        struct sample s = parse_sample(line);
        bool summary = str_eq(w->type, STR("summary"));
        if (!summary && !str_eq(w->type, STR("histogram"))) {
            put_simple(w, &s);
        } else if (summary || s.name.len > w->family.len) {
            split_last(&s, summary ? STR("quantile=\"") : STR("le=\""));
            put_histogram_line(w, &s);
        }
    }
}

void metrics_json(str text, const struct regex *only, struct buf *out)
{
    struct writer w = {.out = out, .only = only};
    str line;
    buf_put_u8(out, '[');
    while (take_line(&text, &line))
        take(&w, line);
    end_family(&w);
    buf_put_u8(out, ']');
}
