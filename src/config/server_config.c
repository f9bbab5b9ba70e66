/* server_config.c -- global, storage, otlp and tracing of prometheus.yml. */
#include <stddef.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "config/config_priv.h"

#define GLOBAL(name)  offsetof(struct global_config, name)
#define STORE(name)   offsetof(struct storage_config, name)
#define OTLP(name)    offsetof(struct otlp_config, name)
#define TRACING(name) offsetof(struct tracing_config, name)

/* ---- Global ---- */

static int compare_pairs(const void *a, const void *b)
{
    return str_cmp(((const struct pair *)a)->name, ((const struct pair *)b)->name);
}

/* $VAR, ${VAR} and $$ as Go's os.Expand does it; what is not set is empty. */
static err expand(struct decode *c, str text, str *out)
{
    struct buf b = {0};
    for (size_t i = 0; i < text.len;) {
        if (text.ptr[i] != '$' || i + 1 == text.len) {
            buf_put_u8(&b, (uint8_t)text.ptr[i++]);
            continue;
        }
        bool brace = text.ptr[++i] == '{';
        size_t start = i + brace, end = start;
        if (brace)
            while (end < text.len && text.ptr[end] != '}')
                end++;
        else
            while (end < text.len &&
                   (text.ptr[end] == '_' || (text.ptr[end] >= '0' && text.ptr[end] <= '9') ||
                    ((text.ptr[end] | 0x20) >= 'a' && (text.ptr[end] | 0x20) <= 'z')))
                end++;
        if (!brace && text.ptr[start] == '$') {
            buf_put_u8(&b, '$');
            i = start + 1;
            continue;
        }
        str name = arena_str(c->arena, (str){text.ptr + start, end - start});
        const char *value = name.ptr != NULL && name.len > 0 ? getenv(name.ptr) : NULL;
        if (value != NULL)
            buf_put_str(&b, str_from(value));
        if (!brace && name.len == 0) /* "$." stays but for the dollar */
            buf_put_u8(&b, (uint8_t)text.ptr[end++]);
        i = end + (brace && end < text.len);
    }
    *out = arena_str(c->arena, buf_str(&b));
    buf_fini(&b);
    return out->ptr != NULL ? OK : diag_set(c->d, ERR_LIMIT, "%s: too large", c->path);
}

static err global_finish(struct decode *c, const struct yaml *n, void *s)
{
    struct global_config *g = s;
    struct pairs *labels = &g->external_labels;
    if (g->names == NAMES_UNSET)
        g->names = NAMES_UTF8;
    for (size_t i = 0; i < labels->count; i++) {
        struct pair *p = &labels->items[i];
        if (!config_label_name_ok(p->name, g->names))
            return decode_fail_quoted(c, n, p->name, "is not a valid label name");
        TRY(expand(c, p->value, &p->value));
        if (!utf8_valid(p->value))
            return decode_fail_quoted(c, n, p->value, "is not a valid label value");
    }
    if (labels->count > 1)
        qsort(labels->items, labels->count, sizeof(*labels->items), compare_pairs);
    if (g->scrape_interval_ms == 0)
        g->scrape_interval_ms = 60000;
    if (g->scrape_timeout_ms > g->scrape_interval_ms)
        return decode_fail(c, n, "global scrape timeout greater than scrape interval");
    if (g->scrape_timeout_ms == 0)
        g->scrape_timeout_ms = MIN(10000, g->scrape_interval_ms);
    if (g->evaluation_interval_ms == 0)
        g->evaluation_interval_ms = 60000;
    if (n->type == YAML_NULL)
        g->escaping = ESCAPING_ALLOW_UTF8; /* shown when the section is missing, as upstream */
    return OK;
}

static bool print_scheme(const void *place, struct yaml_out *out)
{
    if (out != NULL)
        print_text(out, str_from(NAME_SCHEMES[*(const int *)place]));
    return true;
}

static const struct decode_field GLOBAL_FIELDS[] = {
    {.key = "scrape_interval", .kind = DECODE_DURATION, .offset = GLOBAL(scrape_interval_ms)},
    {.key = "scrape_timeout", .kind = DECODE_DURATION, .offset = GLOBAL(scrape_timeout_ms)},
    {.key = "scrape_protocols",
     .kind = DECODE_CUSTOM,
     .offset = GLOBAL(protocols),
     .custom = scrape_protocols_read,
     .print = scrape_protocols_print},
    {.key = "evaluation_interval",
     .kind = DECODE_DURATION,
     .offset = GLOBAL(evaluation_interval_ms)},
    {.key = "rule_query_offset", .kind = DECODE_DURATION, .offset = GLOBAL(rule_query_offset_ms)},
    {.key = "query_log_file", .kind = DECODE_PATH, .offset = GLOBAL(query_log_file)},
    {.key = "scrape_failure_log_file", .kind = DECODE_PATH, .offset = GLOBAL(failure_log_file)},
    {.key = "external_labels", .kind = DECODE_PAIRS, .offset = GLOBAL(external_labels)},
    {.key = "body_size_limit", .kind = DECODE_BYTES, .offset = GLOBAL(limits.body_size_bytes)},
    {.key = "sample_limit", .kind = DECODE_LIMIT, .offset = GLOBAL(limits.samples)},
    {.key = "target_limit", .kind = DECODE_LIMIT, .offset = GLOBAL(limits.targets)},
    {.key = "label_limit", .kind = DECODE_LIMIT, .offset = GLOBAL(limits.labels)},
    {.key = "label_name_length_limit",
     .kind = DECODE_LIMIT,
     .offset = GLOBAL(limits.label_name_bytes)},
    {.key = "label_value_length_limit",
     .kind = DECODE_LIMIT,
     .offset = GLOBAL(limits.label_value_bytes)},
    {.key = "keep_dropped_targets",
     .kind = DECODE_LIMIT,
     .offset = GLOBAL(limits.keep_dropped_targets)},
    {.key = "metric_name_validation_scheme",
     .kind = DECODE_CUSTOM,
     .offset = GLOBAL(names),
     .custom = name_scheme_read,
     .print = print_scheme},
    {.key = "metric_name_escaping_scheme",
     .kind = DECODE_ENUM,
     .offset = GLOBAL(escaping),
     .names = NAME_ESCAPINGS},
    {.key = "scrape_native_histograms",
     .kind = DECODE_TRISTATE,
     .offset = GLOBAL(scrape_native_histograms)},
    {.key = "convert_classic_histograms_to_nhcb",
     .kind = DECODE_BOOL,
     .offset = GLOBAL(convert_classic_histograms_to_nhcb)},
    {.key = "always_scrape_classic_histograms",
     .kind = DECODE_BOOL,
     .offset = GLOBAL(always_scrape_classic_histograms)},
    {.key = "extra_scrape_metrics", .kind = DECODE_BOOL, .offset = GLOBAL(extra_scrape_metrics)},
};

const struct decode_schema GLOBAL_SCHEMA = {
    .fields = GLOBAL_FIELDS,
    .field_count = COUNT_OF(GLOBAL_FIELDS),
    .size = sizeof(struct global_config),
    .finish = global_finish,
    .type = "config.plain",
};

/* ---- Storage: nested sections in one struct ---- */

static const struct decode_field RETENTION_FIELDS[] = {
    {.key = "time", .kind = DECODE_DURATION, .offset = STORE(retention_time_ms)},
    {.key = "size", .kind = DECODE_BYTES, .offset = STORE(retention_bytes)},
    {.key = "percentage", .kind = DECODE_FLOAT, .offset = STORE(retention_percentage)},
};

static err retention_check(struct decode *c, const struct yaml *n, const void *s)
{
    const struct storage_config *t = s;
    if (!(t->retention_percentage >= 0 && t->retention_percentage <= 100))
        return decode_fail(c, n, "storage.tsdb.retention.percentage must be in the range [0, 100]");
    return OK;
}

static const struct decode_schema RETENTION_SCHEMA = {
    .fields = RETENTION_FIELDS,
    .field_count = COUNT_OF(RETENTION_FIELDS),
    .size = sizeof(struct storage_config),
    .check = retention_check,
    .type = "config.plain",
};

static err read_retention(struct decode *c, const struct yaml *n, void *place)
{
    struct storage_config *t = place, part;
    if (n->type == YAML_NULL)
        return OK;
    TRY(decode_struct(c, &RETENTION_SCHEMA, n, &part));
    t->has_retention = true;
    t->retention_time_ms = part.retention_time_ms;
    t->retention_bytes = part.retention_bytes;
    t->retention_percentage = part.retention_percentage;
    return OK;
}

static bool print_part(const struct decode_schema *schema, const void *s, bool any,
                       struct yaml_out *out)
{
    if (!any || out == NULL)
        return any;
    print_map_begin(out);
    print_fields(out, schema, s);
    print_map_end(out);
    return true;
}

static bool print_retention(const void *place, struct yaml_out *out)
{
    const struct storage_config *t = place;
    return print_part(&RETENTION_SCHEMA, t, t->has_retention, out);
}

static const char *const FLOAT_ENCODINGS[] = {"", "xor", "xor2", NULL};
static const struct decode_field ENCODING_FIELDS[] = {
    {.key = "floats",
     .kind = DECODE_ENUM,
     .offset = STORE(float_chunk_encoding),
     .names = FLOAT_ENCODINGS},
};
static const struct decode_schema ENCODING_SCHEMA = {
    .fields = ENCODING_FIELDS,
    .field_count = COUNT_OF(ENCODING_FIELDS),
    .size = sizeof(struct storage_config),
    .type = "config.plain",
};

static err read_encoding(struct decode *c, const struct yaml *n, void *place)
{
    struct storage_config *t = place, part;
    TRY(decode_struct(c, &ENCODING_SCHEMA, n, &part));
    t->float_chunk_encoding = part.float_chunk_encoding;
    return OK;
}

static bool print_encoding(const void *place, struct yaml_out *out)
{
    const struct storage_config *t = place;
    return print_part(&ENCODING_SCHEMA, t, t->float_chunk_encoding != 0, out);
}

static const struct decode_field TSDB_FIELDS[] = {
    {.key = "out_of_order_time_window",
     .kind = DECODE_DURATION,
     .offset = STORE(out_of_order_time_window_ms)},
    {.key = "stale_series_compaction_threshold",
     .kind = DECODE_FLOAT,
     .offset = STORE(stale_series_compaction_threshold)},
    {.key = "chunk_encoding",
     .kind = DECODE_CUSTOM,
     .custom = read_encoding,
     .print = print_encoding},
    {.key = "retention", .kind = DECODE_CUSTOM, .custom = read_retention, .print = print_retention},
};

static err tsdb_check(struct decode *c, const struct yaml *n, const void *s)
{
    const struct storage_config *t = s;
    if (!(t->stale_series_compaction_threshold >= 0 && t->stale_series_compaction_threshold <= 1))
        return decode_fail(c, n, "stale_series_compaction_threshold must be in the range [0, 1]");
    return OK;
}

static const struct decode_schema TSDB_SCHEMA = {
    .fields = TSDB_FIELDS,
    .field_count = COUNT_OF(TSDB_FIELDS),
    .size = sizeof(struct storage_config),
    .check = tsdb_check,
    .type = "config.plain",
};

static err read_tsdb(struct decode *c, const struct yaml *n, void *place)
{
    struct storage_config *t = place, part;
    if (n->type == YAML_NULL)
        return OK;
    TRY(decode_struct(c, &TSDB_SCHEMA, n, &part));
    part.exemplars_max = t->exemplars_max;
    part.has_exemplars = t->has_exemplars;
    part.has_tsdb = true;
    *t = part;
    return OK;
}

static bool print_tsdb(const void *place, struct yaml_out *out)
{
    const struct storage_config *t = place;
    return print_part(&TSDB_SCHEMA, t, t->has_tsdb, out);
}

static const struct decode_field EXEMPLAR_FIELDS[] = {
    {.key = "max_exemplars", .kind = DECODE_INT, .offset = STORE(exemplars_max)},
};
static const struct decode_schema EXEMPLAR_SCHEMA = {
    .fields = EXEMPLAR_FIELDS,
    .field_count = COUNT_OF(EXEMPLAR_FIELDS),
    .size = sizeof(struct storage_config),
    .type = "config.ExemplarsConfig",
};

static err read_exemplars(struct decode *c, const struct yaml *n, void *place)
{
    struct storage_config *t = place, part;
    if (n->type == YAML_NULL)
        return OK;
    TRY(decode_struct(c, &EXEMPLAR_SCHEMA, n, &part));
    t->exemplars_max = part.exemplars_max;
    t->has_exemplars = true;
    return OK;
}

static bool print_exemplars(const void *place, struct yaml_out *out)
{
    const struct storage_config *t = place;
    return print_part(&EXEMPLAR_SCHEMA, t, t->has_exemplars, out);
}

static const struct decode_field STORAGE_FIELDS[] = {
    {.key = "tsdb", .kind = DECODE_CUSTOM, .custom = read_tsdb, .print = print_tsdb},
    {.key = "exemplars", .kind = DECODE_CUSTOM, .custom = read_exemplars, .print = print_exemplars},
};

static void storage_defaults(void *s)
{
    ((struct storage_config *)s)->exemplars_max = 100000;
}

const struct decode_schema STORAGE_SCHEMA = {
    .fields = STORAGE_FIELDS,
    .field_count = COUNT_OF(STORAGE_FIELDS),
    .size = sizeof(struct storage_config),
    .defaults = storage_defaults,
    .type = "config.StorageConfig",
};

/* ---- OTLP ---- */

static const char *const TRANSLATIONS[] = {"UnderscoreEscapingWithSuffixes",
                                           "UnderscoreEscapingWithoutSuffixes",
                                           "NoUTF8EscapingWithSuffixes", "NoTranslation", NULL};

static err read_translation(struct decode *c, const struct yaml *n, void *place)
{
    str text;
    TRY(decode_text(c, n, &text));
    for (int i = 0; TRANSLATIONS[i] != NULL; i++) {
        if (str_eq(text, str_from(TRANSLATIONS[i])) || text.len == 0) {
            *(int *)place = i;
            return OK;
        }
    }
    return decode_fail(c, n, "unsupported OTLP translation strategy \"" STR_FMT "\"",
                       STR_ARG(text));
}

static bool print_translation(const void *place, struct yaml_out *out)
{
    if (out != NULL)
        print_text(out, str_from(TRANSLATIONS[*(const int *)place]));
    return true;
}

static const struct decode_field OTLP_FIELDS[] = {
    {.key = "promote_all_resource_attributes",
     .kind = DECODE_BOOL,
     .offset = OTLP(promote_all_resource_attributes)},
    {.key = "promote_resource_attributes",
     .kind = DECODE_TEXTS,
     .offset = OTLP(promote_resource_attributes)},
    {.key = "ignore_resource_attributes",
     .kind = DECODE_TEXTS,
     .offset = OTLP(ignore_resource_attributes)},
    {.key = "translation_strategy",
     .kind = DECODE_CUSTOM,
     .offset = OTLP(translation),
     .custom = read_translation,
     .print = print_translation},
    {.key = "keep_identifying_resource_attributes",
     .kind = DECODE_BOOL,
     .offset = OTLP(keep_identifying_resource_attributes)},
    {.key = "convert_histograms_to_nhcb",
     .kind = DECODE_BOOL,
     .offset = OTLP(convert_histograms_to_nhcb)},
    {.key = "promote_scope_metadata", .kind = DECODE_BOOL, .offset = OTLP(promote_scope_metadata)},
    {.key = "label_name_underscore_sanitization",
     .kind = DECODE_BOOL,
     .offset = OTLP(label_name_underscore_sanitization)},
    {.key = "label_name_preserve_multiple_underscores",
     .kind = DECODE_BOOL,
     .offset = OTLP(label_name_preserve_multiple_underscores)},
};

static void otlp_defaults(void *s)
{
    struct otlp_config *o = s;
    o->label_name_underscore_sanitization = o->label_name_preserve_multiple_underscores = true;
}

/* Attributes must not be empty or repeated; blanks around them do not count. */
static err check_attributes(struct decode *c, const struct yaml *n, struct texts *list,
                            const char *key, const char *adjective)
{
    for (size_t i = 0; i < list->count; i++) {
        str *s = &list->items[i];
        while (s->len > 0 && strchr(" \t\r\n", s->ptr[0]) != NULL)
            *s = (str){s->ptr + 1, s->len - 1};
        while (s->len > 0 && strchr(" \t\r\n", s->ptr[s->len - 1]) != NULL)
            s->len--;
        if (s->len == 0)
            return decode_fail(c, n, "invalid '%s': empty %s OTel resource attribute", key,
                               adjective);
        for (size_t k = 0; k < i; k++)
            if (str_eq(*s, list->items[k]))
                return decode_fail(
                    c, n, "invalid '%s': duplicated %s OTel resource attribute \"" STR_FMT "\"",
                    key, adjective, STR_ARG(*s));
    }
    return OK;
}

static err otlp_finish(struct decode *c, const struct yaml *n, void *s)
{
    struct otlp_config *o = s;
    if (o->promote_all_resource_attributes) {
        if (o->promote_resource_attributes.count > 0)
            return decode_fail(c, n,
                               "'promote_all_resource_attributes' and "
                               "'promote_resource_attributes' cannot be configured simultaneously");
        return check_attributes(c, n, &o->ignore_resource_attributes, "ignore_resource_attributes",
                                "ignored");
    }
    if (o->ignore_resource_attributes.count > 0)
        return decode_fail(c, n,
                           "'ignore_resource_attributes' cannot be configured unless "
                           "'promote_all_resource_attributes' is true");
    return check_attributes(c, n, &o->promote_resource_attributes, "promote_resource_attributes",
                            "promoted");
}

const struct decode_schema OTLP_SCHEMA = {
    .fields = OTLP_FIELDS,
    .field_count = COUNT_OF(OTLP_FIELDS),
    .size = sizeof(struct otlp_config),
    .defaults = otlp_defaults,
    .finish = otlp_finish,
    .type = "config.plain",
};

/* ---- Tracing ---- */

static const struct decode_field TRACING_FIELDS[] = {
    {.key = "client_type", .kind = DECODE_TEXT, .offset = TRACING(client_type)},
    {.key = "endpoint", .kind = DECODE_TEXT, .offset = TRACING(endpoint)},
    {.key = "sampling_fraction", .kind = DECODE_FLOAT, .offset = TRACING(sampling_fraction)},
    {.key = "insecure", .kind = DECODE_BOOL, .offset = TRACING(insecure)},
    {.key = "tls_config",
     .kind = DECODE_STRUCT,
     .offset = TRACING(tls),
     .schema = &HTTP_TLS_SCHEMA},
    {.key = "headers", .kind = DECODE_PAIRS, .offset = TRACING(headers)},
    {.key = "compression", .kind = DECODE_TEXT, .offset = TRACING(compression)},
    {.key = "timeout", .kind = DECODE_DURATION, .offset = TRACING(timeout_ms)},
};

static void tracing_defaults(void *s)
{
    ((struct tracing_config *)s)->client_type = STR("grpc");
}

static err tracing_check(struct decode *c, const struct yaml *n, const void *s)
{
    const struct tracing_config *t = s;
    if (!str_eq(t->client_type, STR("grpc")) && !str_eq(t->client_type, STR("http")))
        return decode_fail(
            c, n, "expected tracing client type to be to be http or grpc, but got " STR_FMT,
            STR_ARG(t->client_type));
    TRY(remote_headers_check(c, n, &t->headers, true));
    if (t->endpoint.len == 0)
        return decode_fail(c, n, "tracing endpoint must be set");
    if (t->compression.len > 0 && !str_eq(t->compression, STR("gzip")))
        return decode_fail(c, n,
                           "invalid compression type " STR_FMT " provided, valid options: gzip",
                           STR_ARG(t->compression));
    config_note_unsupported(c, n, "tracing");
    return OK;
}

const struct decode_schema TRACING_SCHEMA = {
    .fields = TRACING_FIELDS,
    .field_count = COUNT_OF(TRACING_FIELDS),
    .size = sizeof(struct tracing_config),
    .defaults = tracing_defaults,
    .check = tracing_check,
    .type = "config.plain",
};
