/* alerting_ext_upkeep.c -- maintenance windows, heartbeats, digests, history. */
#include "base/duration.h"
#include "config/alerting_ext_priv.h"

/* ---- Maintenance ---- */

static err read_time(struct decode *c, const struct yaml *n, void *place)
{
    struct diag why = {.text = ""};
    str text;
    TRY(decode_text(c, n, &text));
    if (n->type == YAML_NULL)
        return OK;
    bool dashes = text.len > 10 && text.ptr[4] == '-'; /* no seconds since the epoch */
    if (!dashes || timestamp_parse(text, place, &why) != OK)
        return decode_fail(c, n, "\"" STR_FMT "\" must be a time such as 2026-11-23T02:00:00Z",
                           STR_ARG(text));
    return OK;
}

static const struct decode_field TOLD_FIELDS[] = {
    {AM_FIELD(maintenance_notify, receivers, DECODE_TEXTS), .required = true},
    EXT_DURATION(maintenance_notify, before_ms, "before"),
    AM_BOOL(maintenance_notify, on_start),
    AM_BOOL(maintenance_notify, on_end),
};

static err told_check(struct decode *c, const struct yaml *n, const void *s)
{
    const struct maintenance_notify *t = s;
    return t->receivers.count > 0 ? OK : decode_fail(c, n, "at least one receiver is needed");
}

static const struct decode_schema TOLD_SCHEMA = {
    .fields = TOLD_FIELDS,
    .field_count = COUNT_OF(TOLD_FIELDS),
    .size = sizeof(struct maintenance_notify),
    .check = told_check,
};

static const struct decode_field WINDOW_FIELDS[] = {
    {AM_FIELD(maintenance_window, name, DECODE_TEXT), .required = true},
    EXT_MATCHERS(maintenance_window, matchers, "matchers"),
    EXT_MATCHER_SETS(maintenance_window, matchers, "matcher_sets"),
    AM_TEXTS(maintenance_window, time_intervals),
    {EXT_FIELD(maintenance_window, starts_at_ms, "starts_at", DECODE_CUSTOM), .custom = read_time},
    {EXT_FIELD(maintenance_window, ends_at_ms, "ends_at", DECODE_CUSTOM), .custom = read_time},
    AM_TEXT(maintenance_window, comment),
    AM_TEXT(maintenance_window, created_by),
    EXT_MATCHERS(maintenance_window, override_matchers, "override_matchers"),
    {AM_FIELD(maintenance_window, notify, DECODE_POINTER), .schema = &TOLD_SCHEMA},
    AM_BOOL(maintenance_window, resend_on_end),
    AM_BOOL(maintenance_window, resolve_notifications),
};

static void window_defaults(void *s)
{
    struct maintenance_window *w = s;
    w->resend_on_end = w->resolve_notifications = true;
}

/* A window is silences, one for each list of matchers: their rules hold for it. */
static err check_muting(struct decode *c, const struct yaml *n, const struct matcher_sets *sets)
{
    for (size_t s = 0; s < sets->count; s++) {
        const struct alert_matchers *ms = &sets->items[s];
        bool all_empty = true;
        size_t bytes = 0;
        for (size_t i = 0; i < ms->count; i++) {
            all_empty = all_empty && ms->items[i].matches_empty;
            bytes += ms->items[i].name.len + ms->items[i].value.len;
        }
        if (all_empty)
            return decode_fail(c, n, "at least one matcher must not match the empty string");
        if (ms->count > ALERT_MATCHERS_MAX || bytes > MAINTENANCE_MATCHER_BYTES_MAX)
            return decode_fail(c, n, "a list has at most %d matchers and %d bytes",
                               ALERT_MATCHERS_MAX, MAINTENANCE_MATCHER_BYTES_MAX);
    }
    return OK;
}

bool maintenance_name_is_good(str name)
{
    bool good = name.len > 0 && !str_eq(name, STR(".")) && !str_eq(name, STR(".."));
    for (size_t i = 0; good && i < name.len; i++)
        good = name.ptr[i] != '/' && name.ptr[i] != '\\' && name.ptr[i] != '\0';
    return good;
}

static err window_finish(struct decode *c, const struct yaml *n, void *s)
{
    struct maintenance_window *w = s;
    bool once = w->starts_at_ms != 0 || w->ends_at_ms != 0;
    w->place = config_place_of(c, n);
    if (w->name.len == 0)
        return decode_fail(c, n, "a maintenance window needs a name");
    if (!maintenance_name_is_good(w->name))
        return decode_fail(c, n,
                           "the name of a maintenance window has no slashes, and is not \".\"");
    if (w->matchers.count == 0)
        return decode_fail(c, n, "matchers are missing");
    TRY(check_muting(c, n, &w->matchers));
    if (w->name.len + w->comment.len + w->created_by.len > MAINTENANCE_TEXT_BYTES_MAX)
        return decode_fail(c, n, "name, comment and created_by have at most %d bytes",
                           MAINTENANCE_TEXT_BYTES_MAX);
    if (once == (w->time_intervals.count > 0))
        return decode_fail(c, n, "either time_intervals or starts_at and ends_at must be given");
    if (once && (w->starts_at_ms == 0 || w->ends_at_ms <= w->starts_at_ms))
        return decode_fail(c, n, "starts_at must be given, and ends_at must be after it");
    return OK;
}

const struct decode_schema MAINTENANCE_SCHEMA = {
    .fields = WINDOW_FIELDS,
    .field_count = COUNT_OF(WINDOW_FIELDS),
    .size = sizeof(struct maintenance_window),
    .defaults = window_defaults,
    .finish = window_finish,
};

static err check_windows(struct decode *c, const struct alerting_ext *f)
{
    for (size_t i = 0; i < f->maintenance_windows.count; i++) {
        const struct maintenance_window *w = &f->maintenance_windows.items[i];
        for (size_t k = 0; k < i; k++)
            if (str_eq(f->maintenance_windows.items[k].name, w->name))
                return config_fail_at(c, w->place,
                                      "there are two maintenance windows \"" STR_FMT "\"",
                                      STR_ARG(w->name));
        TRY(ext_check_intervals(c, w->place, w->time_intervals));
        if (w->notify != NULL)
            TRY(ext_check_receivers(c, w->place, w->notify->receivers));
    }
    return OK;
}

/* ---- Heartbeats ---- */

static const struct decode_field OPSGENIE_FIELDS[] = {
    AM_PATH(heartbeat_opsgenie, api_key_file),
    AM_SECRET(heartbeat_opsgenie, api_key),
    {AM_FIELD(heartbeat_opsgenie, api_url, DECODE_CUSTOM), .custom = read_url},
};

static err opsgenie_check(struct decode *c, const struct yaml *n, const void *s)
{
    const struct heartbeat_opsgenie *o = s;
    return o->api_key.len > 0 && o->api_key_file.len > 0
               ? decode_fail(c, n, "at most one of api_key and api_key_file must be given")
               : OK;
}

static const struct decode_schema HEARTBEAT_OPSGENIE_SCHEMA = {
    .fields = OPSGENIE_FIELDS,
    .field_count = COUNT_OF(OPSGENIE_FIELDS),
    .size = sizeof(struct heartbeat_opsgenie),
    .check = opsgenie_check,
};

static const char *const METHODS[] = {"GET", "POST", NULL};

static const struct decode_field HEARTBEAT_FIELDS[] = {
    {AM_FIELD(heartbeat_config, name, DECODE_TEXT), .required = true},
    {AM_FIELD(heartbeat_config, opsgenie, DECODE_POINTER), .schema = &HEARTBEAT_OPSGENIE_SCHEMA},
    AM_SECRET_URL(heartbeat_config, url),
    AM_PATH(heartbeat_config, url_file),
    {AM_FIELD(heartbeat_config, method, DECODE_ENUM), .names = METHODS},
    {EXT_FIELD(heartbeat_config, http, "http_config", DECODE_POINTER),
     .schema = &HTTP_CLIENT_SCHEMA},
    EXT_DURATION(heartbeat_config, interval_ms, "interval"),
    AM_TEXT(heartbeat_config, only_if),
};

static void heartbeat_defaults(void *s)
{
    struct heartbeat_config *h = s;
    h->interval_ms = 60000;
}

static err heartbeat_finish(struct decode *c, const struct yaml *n, void *s)
{
    struct heartbeat_config *h = s;
    bool url = h->url.len > 0 || h->url_file.len > 0;
    h->place = config_place_of(c, n);
    if (h->name.len == 0)
        return decode_fail(c, n, "a heartbeat needs a name");
    if (h->opsgenie == NULL && !url)
        return decode_fail(c, n,
                           "opsgenie, url or url_file must be given: a heartbeat goes "
                           "somewhere");
    if (h->opsgenie != NULL && (url || h->method != HEARTBEAT_GET))
        return decode_fail(c, n, "opsgenie and url cannot both be given");
    TRY(check_not_both(c, n, h->url, h->url_file, "url"));
    return h->interval_ms >= 1000 ? OK : decode_fail(c, n, "interval must be at least 1s");
}

const struct decode_schema HEARTBEAT_SCHEMA = {
    .fields = HEARTBEAT_FIELDS,
    .field_count = COUNT_OF(HEARTBEAT_FIELDS),
    .size = sizeof(struct heartbeat_config),
    .defaults = heartbeat_defaults,
    .finish = heartbeat_finish,
};

/* As for receivers: what a heartbeat does not say it has from `global`. */
static err check_key(struct decode *c, const struct heartbeat_config *h)
{
    const struct alerting_ext_loader *l = c->user;
    const struct alertmanager_global *g = &l->alertmanager->global;
    const struct heartbeat_opsgenie *o = h->opsgenie;
    bool own = o != NULL && (o->api_key.len > 0 || o->api_key_file.len > 0);
    return o == NULL || own || g->opsgenie_api_key.len > 0 || g->opsgenie_api_key_file.len > 0
               ? OK
               : config_fail_at(c, h->place,
                                "api_key or api_key_file is missing, and there is no OpsGenie key "
                                "in %s",
                                l->alertmanager->file);
}

static err check_heartbeats(struct decode *c, const struct alerting_ext *f)
{
    if (f->heartbeats.count > HEARTBEATS_MAX)
        return config_fail_at(c, f->heartbeats.items[HEARTBEATS_MAX].place,
                              "there are more than %d heartbeats", HEARTBEATS_MAX);
    for (size_t i = 0; i < f->heartbeats.count; i++)
        TRY(check_key(c, &f->heartbeats.items[i]));
    for (size_t i = 0; i < f->heartbeats.count; i++)
        for (size_t k = 0; k < i; k++)
            if (str_eq(f->heartbeats.items[k].name, f->heartbeats.items[i].name))
                return config_fail_at(c, f->heartbeats.items[i].place,
                                      "there are two heartbeats \"" STR_FMT "\"",
                                      STR_ARG(f->heartbeats.items[i].name));
    return OK;
}

/* ---- Digests ---- */

static bool minute_of(str s, int32_t *out)
{
    bool good = s.len == 5 && s.ptr[2] == ':';
    for (size_t i = 0; good && i < 5; i++)
        good = i == 2 || (s.ptr[i] >= '0' && s.ptr[i] <= '9');
    if (!good)
        return false;
    *out = ((s.ptr[0] - '0') * 10 + s.ptr[1] - '0') * 60 + (s.ptr[3] - '0') * 10 + s.ptr[4] - '0';
    return s.ptr[3] < '6' && *out < 24 * 60;
}

static err schedule_finish(struct decode *c, const struct yaml *n, void *s)
{
    struct digest_schedule *t = s;
    struct diag why = {.text = ""};
    if (t->times.count == 0)
        return decode_fail(c, n, "at least one time is needed");
    t->minutes = ARENA_ARRAY(c->arena, int32_t, t->times.count);
    if (t->minutes == NULL)
        return config_over_budget(c);
    for (size_t i = 0; i < t->times.count; i++)
        if (!minute_of(t->times.items[i], &t->minutes[i]))
            return decode_fail(c, n, "\"" STR_FMT "\" must be a time of the day such as 08:00",
                               STR_ARG(t->times.items[i]));
    if (t->location.len > 0 && zone_find(t->location, &t->zone, &why) != OK)
        return decode_fail(c, n, "%s", why.text);
    return OK;
}

static const struct decode_field SCHEDULE_FIELDS[] = {
    {AM_FIELD(digest_schedule, times, DECODE_TEXTS), .required = true},
    AM_TEXT(digest_schedule, location),
};

static const struct decode_schema SCHEDULE_SCHEMA = {
    .fields = SCHEDULE_FIELDS,
    .field_count = COUNT_OF(SCHEDULE_FIELDS),
    .size = sizeof(struct digest_schedule),
    .finish = schedule_finish,
};

static const struct decode_field DIGEST_FIELDS[] = {
    {AM_FIELD(digest_config, receiver, DECODE_TEXT), .required = true},
    EXT_MATCHERS(digest_config, matchers, "matchers"),
    EXT_MATCHER_SETS(digest_config, matchers, "matcher_sets"),
    {AM_FIELD(digest_config, schedule, DECODE_STRUCT), .schema = &SCHEDULE_SCHEMA,
     .required = true},
    {EXT_FIELD(digest_config, include_names, "include", DECODE_TEXTS)},
};

static err digest_finish(struct decode *c, const struct yaml *n, void *s)
{
    static const char *const PARTS[] = {"fired", "resolved", "open", "silences", "slo"};
    struct digest_config *d = s;
    d->place = config_place_of(c, n);
    for (size_t i = 0; i < d->include_names.count; i++) {
        size_t k = 0;
        while (k < COUNT_OF(PARTS) && !str_eq(d->include_names.items[i], str_from(PARTS[k])))
            k++;
        if (k == COUNT_OF(PARTS))
            return decode_fail(c, n, "\"" STR_FMT "\" is nothing a digest can include",
                               STR_ARG(d->include_names.items[i]));
        d->include |= 1u << k;
    }
    if (d->include_names.count == 0)
        d->include = (1u << COUNT_OF(PARTS)) - 1;
    return OK;
}

const struct decode_schema DIGEST_SCHEMA = {
    .fields = DIGEST_FIELDS,
    .field_count = COUNT_OF(DIGEST_FIELDS),
    .size = sizeof(struct digest_config),
    .finish = digest_finish,
};

/* ---- History ---- */

static const struct decode_field HISTORY_FIELDS[] = {
    EXT_DURATION(history_config, retention_ms, "retention"),
    {AM_FIELD(history_config, max_bytes, DECODE_BYTES)},
    {AM_FIELD(history_config, webhook_url, DECODE_TEXT)},
};

static err history_check(struct decode *c, const struct yaml *n, const void *s)
{
    const struct history_config *h = s;
    const struct yaml *url = n->type == YAML_MAP ? yaml_get(n, STR("webhook_url")) : NULL;
    bool has_retention = n->type == YAML_MAP && yaml_get(n, STR("retention")) != NULL;
    bool has_bytes = n->type == YAML_MAP && yaml_get(n, STR("max_bytes")) != NULL;
    str checked;
    if ((has_retention && h->retention_ms == 0) || (has_bytes && h->max_bytes < 1 << 20))
        return decode_fail(c, n, "retention must be longer than 0s, max_bytes at least 1MB");
    return h->webhook_url.len > 0 ? read_url(c, url, &checked) : OK;
}

const struct decode_schema HISTORY_SCHEMA = {
    .fields = HISTORY_FIELDS,
    .field_count = COUNT_OF(HISTORY_FIELDS),
    .size = sizeof(struct history_config),
    .check = history_check,
};

err upkeep_check(struct decode *c, const struct alerting_ext *f)
{
    TRY(check_windows(c, f));
    TRY(check_heartbeats(c, f));
    for (size_t i = 0; i < f->digests.count; i++)
        TRY(ext_check_receiver(c, f->digests.items[i].place, f->digests.items[i].receiver));
    return OK;
}
