/* notify_data.c -- see notify_data.h. */
#include "notify/notify_data.h"

#include <stdio.h>
#include <string.h>

#include "rules/template.h"
#include "rules/template_time.h"

#define METHOD(name)                                                                               \
    static err name(struct template_call *c, const struct template_value *args, size_t count,      \
                    struct template_value *out)

/* ---- Pairs of names and values ---- */

enum { PAIR_NAME, PAIR_VALUE, PAIR_FIELDS };
static const char *const PAIR_NAMES[] = {"Name", "Value", NULL};
static const struct template_type PAIR = {
    .name = "template.Pair", .kind = TEMPLATE_KIND_OBJECT, .fields = PAIR_NAMES};

static void pairs_text(const struct template_value *v, struct buf *out)
{
    for (size_t i = 0; i < v->list.count; i++) {
        const struct template_value *pair = v->list.items[i].fields;
        buf_printf(out, "%s" STR_FMT "=" STR_FMT, i > 0 ? ", " : "", STR_ARG(pair[PAIR_NAME].s),
                   STR_ARG(pair[PAIR_VALUE].s));
    }
}

static err pairs_column(struct template_call *c, const struct template_value *pairs, size_t field,
                        struct template_value *out)
{
    size_t count = pairs->list.count;
    struct template_value *items = ARENA_ARRAY(c->arena, struct template_value, count + 1);
    if (items == NULL)
        return ERR_LIMIT;
    for (size_t i = 0; i < count; i++)
        items[i] = pairs->list.items[i].fields[field];
    *out = template_list(&TEMPLATE_STRINGS, items, count);
    return OK;
}

METHOD(pairs_names)
{
    (void)count;
    return pairs_column(c, &args[0], PAIR_NAME, out);
}

METHOD(pairs_values)
{
    (void)count;
    return pairs_column(c, &args[0], PAIR_VALUE, out);
}

static const struct template_func PAIRS_METHODS[] = {{"Names", pairs_names, {NULL}, false},
                                                     {"Values", pairs_values, {NULL}, false}};
static const struct template_type PAIRS = {.name = "template.Pairs",
                                           .kind = TEMPLATE_KIND_LIST,
                                           .elem = &PAIR,
                                           .methods = PAIRS_METHODS,
                                           .method_count = COUNT_OF(PAIRS_METHODS),
                                           .text = pairs_text};

/* ---- Labels and annotations ---- */

static bool is_alertname(const struct template_entry *e)
{
    return str_eq(e->key, STR("alertname"));
}

static err put_pair(const struct template_entry *e, struct arena *a, struct template_value *out)
{
    struct template_value *fields = ARENA_ARRAY(a, struct template_value, PAIR_FIELDS);
    if (fields == NULL)
        return ERR_LIMIT;
    fields[PAIR_NAME] = template_string(e->key);
    fields[PAIR_VALUE] = e->value;
    *out = template_object(&PAIR, fields);
    return OK;
}

/* By name, but alertname comes first. */
static err sorted_pairs(struct arena *a, const struct template_value *kv,
                        struct template_value *out)
{
    size_t count = kv->map.count, n = 0;
    const struct template_entry *entries = kv->map.entries;
    struct template_value *items = ARENA_ARRAY(a, struct template_value, count + 1);
    if (items == NULL)
        return ERR_LIMIT;
    for (size_t i = 0; i < count; i++)
        if (is_alertname(&entries[i]))
            TRY(put_pair(&entries[i], a, &items[n++]));
    for (size_t i = 0; i < count; i++)
        if (!is_alertname(&entries[i]))
            TRY(put_pair(&entries[i], a, &items[n++]));
    *out = template_list(&PAIRS, items, n);
    return OK;
}

METHOD(kv_sorted_pairs)
{
    (void)count;
    return sorted_pairs(c->arena, &args[0], out);
}

METHOD(kv_names)
{
    struct template_value pairs;
    (void)count;
    TRY(sorted_pairs(c->arena, &args[0], &pairs));
    return pairs_column(c, &pairs, PAIR_NAME, out);
}

METHOD(kv_values)
{
    struct template_value pairs;
    (void)count;
    TRY(sorted_pairs(c->arena, &args[0], &pairs));
    return pairs_column(c, &pairs, PAIR_VALUE, out);
}

static bool in_list(const struct template_value *list, str s)
{
    for (size_t i = 0; i < list->list.count; i++)
        if (str_eq(list->list.items[i].s, s))
            return true;
    return false;
}

METHOD(kv_remove)
{
    size_t n = 0;
    struct template_entry *kept =
        ARENA_ARRAY(c->arena, struct template_entry, args[0].map.count + 1);
    (void)count;
    if (kept == NULL)
        return ERR_LIMIT;
    for (size_t i = 0; i < args[0].map.count; i++)
        if (!in_list(&args[1], args[0].map.entries[i].key))
            kept[n++] = args[0].map.entries[i];
    *out = template_map(args[0].type, kept, n);
    return OK;
}

static void put_entry(const struct template_entry *e, bool first, struct buf *out)
{
    buf_printf(out, "%s" STR_FMT "=" STR_FMT, first ? "" : ", ", STR_ARG(e->key),
               STR_ARG(e->value.s));
}

static void kv_text(const struct template_value *v, struct buf *out)
{
    bool first = true;
    for (unsigned pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < v->map.count; i++) {
            if (is_alertname(&v->map.entries[i]) != (pass == 0))
                continue;
            put_entry(&v->map.entries[i], first, out);
            first = false;
        }
    }
}

static const struct template_func KV_METHODS[] = {
    {"Names", kv_names, {NULL}, false},
    {"Remove", kv_remove, {&TEMPLATE_STRINGS}, false},
    {"SortedPairs", kv_sorted_pairs, {NULL}, false},
    {"Values", kv_values, {NULL}, false},
};
static const struct template_type KV = {.name = "template.KV",
                                        .kind = TEMPLATE_KIND_MAP,
                                        .elem = &TEMPLATE_STRING,
                                        .methods = KV_METHODS,
                                        .method_count = COUNT_OF(KV_METHODS),
                                        .text = kv_text};

/* ---- Alerts ---- */

enum {
    ALERT_STATUS,
    ALERT_LABELS,
    ALERT_ANNOTATIONS,
    ALERT_STARTS_AT,
    ALERT_ENDS_AT,
    ALERT_GENERATOR_URL,
    ALERT_FINGERPRINT,
    ALERT_FIELDS,
};
static const char *const ALERT_NAMES[] = {"Status", "Labels",       "Annotations", "StartsAt",
                                          "EndsAt", "GeneratorURL", "Fingerprint", NULL};
static const struct template_type ALERT = {
    .name = "template.Alert", .kind = TEMPLATE_KIND_OBJECT, .fields = ALERT_NAMES};
static const struct template_type ALERT_LIST = {
    .name = "[]template.Alert", .kind = TEMPLATE_KIND_LIST, .elem = &ALERT};

static err by_status(struct template_call *c, const struct template_value *alerts, str status,
                     struct template_value *out)
{
    size_t count = alerts->list.count, n = 0;
    struct template_value *items = ARENA_ARRAY(c->arena, struct template_value, count + 1);
    if (items == NULL)
        return ERR_LIMIT;
    for (size_t i = 0; i < count; i++)
        if (str_eq(alerts->list.items[i].fields[ALERT_STATUS].s, status))
            items[n++] = alerts->list.items[i];
    *out = template_list(&ALERT_LIST, items, n);
    return OK;
}

METHOD(alerts_firing)
{
    (void)count;
    return by_status(c, &args[0], STR("firing"), out);
}

METHOD(alerts_resolved)
{
    (void)count;
    return by_status(c, &args[0], STR("resolved"), out);
}

static const struct template_func ALERTS_METHODS[] = {{"Firing", alerts_firing, {NULL}, false},
                                                      {"Resolved", alerts_resolved, {NULL}, false}};
static const struct template_type ALERTS = {.name = "template.Alerts",
                                            .kind = TEMPLATE_KIND_LIST,
                                            .elem = &ALERT,
                                            .methods = ALERTS_METHODS,
                                            .method_count = COUNT_OF(ALERTS_METHODS)};

/* ---- The whole ---- */

static const char *const DATA_NAMES[] = {"Receiver",
                                         "Status",
                                         "Alerts",
                                         "NotificationReason",
                                         "GroupLabels",
                                         "CommonLabels",
                                         "CommonAnnotations",
                                         "RouteLabels",
                                         "ExternalURL",
                                         NULL};
static_assert(COUNT_OF(DATA_NAMES) == NOTIFY_FIELDS + 1, "a name for each field");

METHOD(data_ack_url)
{
    (void)c, (void)count;
    *out = args[0].fields[NOTIFY_ACK_URL];
    return OK;
}

static const struct template_func DATA_METHODS[] = {{"AckURL", data_ack_url, {NULL}, false}};
static const struct template_type DATA_VALUE = {.name = "template.Data",
                                                .kind = TEMPLATE_KIND_OBJECT,
                                                .fields = DATA_NAMES,
                                                .methods = DATA_METHODS,
                                                .method_count = COUNT_OF(DATA_METHODS)};
static const struct template_type DATA = {.name = "*template.Data",
                                          .kind = TEMPLATE_KIND_OBJECT,
                                          .is_pointer = true,
                                          .target = &DATA_VALUE,
                                          .fields = DATA_NAMES,
                                          .methods = DATA_METHODS,
                                          .method_count = COUNT_OF(DATA_METHODS)};

void notify_quote_meta(str s, struct buf *out)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] != '\0' && strchr("\\.+*?()|[]{}^$", s.ptr[i]) != NULL)
            buf_put_u8(out, '\\');
        buf_put_u8(out, (uint8_t)s.ptr[i]);
    }
}

static struct labels pairs_of(const struct notified_alert *a, bool annotations)
{
    return annotations ? a->alert->annotations : a->alert->labels;
}

err notify_common(const struct notification *n, size_t count, bool annotations, struct arena *a,
                  struct labels *out)
{
    struct labels first = pairs_of(&n->alerts[0], annotations);
    struct label *items = ARENA_ARRAY(a, struct label, first.count + 1);
    size_t kept = 0;
    if (items == NULL)
        return ERR_LIMIT;
    for (size_t i = 0; i < first.count; i++) {
        bool common = true; /* what an alert does not have equals the empty text */
        for (size_t k = 1; common && k < count; k++)
            common = str_eq(labels_get(pairs_of(&n->alerts[k], annotations), first.items[i].name),
                            first.items[i].value);
        if (common)
            items[kept++] = first.items[i];
    }
    *out = (struct labels){items, kept};
    return OK;
}

/* The year 1, Go's time that is not set, stands for an end that nobody knows. */
static struct template_time time_of(int64_t ms)
{
    if (ms != 0)
        return template_time_ms(ms);
    return (struct template_time){.sec = INT64_C(-62135596800), .zone = "UTC"};
}

static err put_alert(const struct notified_alert *n, struct arena *a, struct template_value *out)
{
    const struct live_alert *alert = n->alert;
    struct template_value *f = ARENA_ARRAY(a, struct template_value, ALERT_FIELDS);
    char text[17];
    (void)snprintf(text, sizeof(text), "%016llx", (unsigned long long)alert->fingerprint);
    str fingerprint = arena_str(a, (str){text, 16});
    if (f == NULL || fingerprint.ptr == NULL)
        return ERR_LIMIT;
    f[ALERT_STATUS] = template_string(n->resolved ? STR("resolved") : STR("firing"));
    TRY(template_label_map(&KV, alert->labels, a, &f[ALERT_LABELS]));
    TRY(template_label_map(&KV, alert->annotations, a, &f[ALERT_ANNOTATIONS]));
    TRY(template_time_value(&TEMPLATE_TIME, template_time_ms(alert->starts_at_ms), a,
                            &f[ALERT_STARTS_AT]));
    TRY(template_time_value(&TEMPLATE_TIME, time_of(n->ends_at_ms), a, &f[ALERT_ENDS_AT]));
    f[ALERT_GENERATOR_URL] = template_string(alert->generator_url);
    f[ALERT_FINGERPRINT] = template_string(fingerprint);
    *out = template_object(&ALERT, f);
    return OK;
}

static err put_alerts(struct notify_data *data, const struct notification *n)
{
    struct template_value *items =
        ARENA_ARRAY(&data->arena, struct template_value, n->alert_count + 1);
    if (items == NULL)
        return ERR_LIMIT;
    for (size_t i = 0; i < n->alert_count; i++) {
        TRY(put_alert(&n->alerts[i], &data->arena, &items[i]));
        data->firing = data->firing || !n->alerts[i].resolved;
    }
    data->fields[NOTIFY_ALERTS] = template_list(&ALERTS, items, n->alert_count);
    return OK;
}

static err put_receiver(struct notify_data *data, str receiver)
{
    struct buf quoted = {0};
    notify_quote_meta(receiver, &quoted);
    str copy = arena_str(&data->arena, buf_str(&quoted));
    buf_fini(&quoted);
    data->fields[NOTIFY_RECEIVER] = template_string(copy);
    return copy.ptr != NULL ? OK : ERR_LIMIT;
}

static err put_labels(struct notify_data *data, const struct notification *n)
{
    struct labels common;
    struct arena *a = &data->arena;
    TRY(template_label_map(&KV, n->group_labels, a, &data->fields[NOTIFY_GROUP_LABELS]));
    TRY(notify_common(n, n->alert_count, false, a, &common));
    TRY(template_label_map(&KV, common, a, &data->fields[NOTIFY_COMMON_LABELS]));
    TRY(notify_common(n, n->alert_count, true, a, &common));
    TRY(template_label_map(&KV, common, a, &data->fields[NOTIFY_COMMON_ANNOTATIONS]));
    const struct labels none = {NULL, 0};
    return template_label_map(&KV, none, a, &data->fields[NOTIFY_ROUTE_LABELS]);
}

static err put_all(struct notify_data *data, const struct notification *n, str external_url)
{
    TRY(put_receiver(data, n->receiver));
    TRY(put_alerts(data, n));
    TRY(put_labels(data, n));
    data->fields[NOTIFY_STATUS] = template_string(data->firing ? STR("firing") : STR("resolved"));
    data->fields[NOTIFY_REASON] = template_string(str_from(notify_reason_text(n->reason)));
    data->fields[NOTIFY_EXTERNAL_URL] = template_string(external_url);
    notify_data_ack_url(data, STR(""));
    return OK;
}

void notify_data_ack_url(struct notify_data *data, str url)
{
    data->fields[NOTIFY_ACK_URL] = template_string(url);
}

static err too_large(err e, struct diag *d)
{
    return e == OK ? OK
                   : diag_set(d, e, "the data of the notification needs more than %d bytes",
                              NOTIFY_DATA_BYTES_MAX);
}

err notify_data_init(struct notify_data *data, const struct notification *n, str external_url,
                     struct diag *d)
{
    *data = (struct notify_data){.firing = false};
    arena_init(&data->arena, NOTIFY_DATA_BYTES_MAX);
    data->root = template_object(&DATA, data->fields);
    return too_large(put_all(data, n, external_url), d);
}

void notify_data_fini(struct notify_data *data)
{
    arena_fini(&data->arena);
}

err notify_data_route_labels(struct notify_data *data, struct labels labels, struct diag *d)
{
    struct labels copy;
    err e = labels_copy(labels, &data->arena, &copy);
    if (e == OK)
        e = template_label_map(&KV, copy, &data->arena, &data->fields[NOTIFY_ROUTE_LABELS]);
    return too_large(e, d);
}
