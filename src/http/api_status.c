/* api_status.c -- status routes: what this server is and what it holds. */
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/duration.h"
#include "base/number.h"
#include "http/api.h"
#include "http/json.h"
#include "http/metrics_json.h"

enum { STATUS_BYTES_MAX = 64 << 20 };

static void put_key(struct buf *b, const char *key, str value)
{
    buf_printf(b, "\"%s\":", key);
    json_html(b, value);
}

/* Clients compare the version as one of Prometheus to learn what the API can do: Grafana asks a
 * server below 2.24 for whole series where labels would do. So it is that of the API, and our own
 * behind the plus, which comparisons leave out. */
#define API_VERSION "3.14.0+varve."

static void put_build(struct http_request *r, struct buf *b)
{
    char version[64];
    (void)snprintf(version, sizeof(version), API_VERSION "%s", api_of(r)->version);
    buf_put_u8(b, '{');
    put_key(b, "version", str_from(version));
    buf_put_str(b, STR(",\"revision\":\"\",\"branch\":\"\",\"buildUser\":\"\",\"buildDate\":\"\","
                       "\"goVersion\":\"\"}"));
}

void api_buildinfo(struct http_request *r)
{
    struct buf *b = api_begin(r);
    put_build(r, b);
    api_end(b, NULL, 0, NULL, 0);
}

void root_version(struct http_request *r)
{
    http_answer(r, 200, "application/json");
    put_build(r, http_out(r));
}

static void put_time(struct buf *b, const char *key, int64_t ms)
{
    char text[64];
    put_key(b, key, (str){text, timestamp_format_rfc3339(ms, text)});
}

/* "15d", "15d or 1GiB", "" when nothing is ever deleted. */
static void put_retention(const struct api *api, struct buf *b)
{
    static const char *const UNITS[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
    char text[DURATION_SIZE_MAX];
    struct buf t = {0};
    if (api->retention_ms > 0)
        buf_put(&t, text, duration_format(api->retention_ms, text));
    if (api->retention_bytes > 0) {
        uint64_t n = api->retention_bytes;
        unsigned unit = 0;
        for (; n % 1024 == 0 && unit + 1 < COUNT_OF(UNITS); unit++)
            n /= 1024;
        buf_printf(&t, "%s%llu%s", t.len > 0 ? " or " : "", (unsigned long long)n, UNITS[unit]);
    }
    put_key(b, "storageRetention", buf_str(&t));
    buf_fini(&t);
}

void api_runtimeinfo(struct http_request *r)
{
    struct api *api = api_of(r);
    struct db_stats s;
    db_stats_of(api->db, &s);
    struct buf *b = api_begin(r);
    buf_put_u8(b, '{');
    put_time(b, "startTime", api->start_ms);
    buf_put_u8(b, ',');
    put_key(b, "CWD", str_from(api->cwd));
    buf_put_u8(b, ',');
    put_key(b, "hostname", str_from(api->hostname));
    buf_put_u8(b, ',');
    put_time(b, "serverTime", clock_wall_ms());
    buf_printf(b, ",\"reloadConfigSuccess\":%s,",
               atomic_load_explicit(&api->reload_ok, memory_order_relaxed) ? "true" : "false");
    put_time(b, "lastConfigTime", atomic_load_explicit(&api->reload_ms, memory_order_relaxed));
    buf_printf(b,
               ",\"corruptionCount\":%llu,\"goroutineCount\":0,\"GOMAXPROCS\":%u,"
               "\"GOMEMLIMIT\":0,\"GOGC\":\"\",\"GODEBUG\":\"\",\"walSync\":\"%s\",",
               (unsigned long long)(s.wal_corruptions + s.blocks_quarantined), thread_cpu_count(),
               db_sync_mode(api->db));
    put_retention(api, b);
    buf_put_u8(b, '}');
    api_end(b, NULL, 0, NULL, 0);
}

void api_flags(struct http_request *r)
{
    const struct api *api = api_of(r);
    struct buf *b = api_begin(r);
    buf_put_u8(b, '{');
    for (size_t i = 0; i < api->flag_count; i++) {
        if (i > 0)
            buf_put_u8(b, ',');
        put_key(b, api->flags[i].name, str_from(api->flags[i].value));
    }
    buf_put_u8(b, '}');
    api_end(b, NULL, 0, NULL, 0);
}

void api_config(struct http_request *r)
{
    struct buf yaml = {0};
    struct buf *b = api_begin(r);
    api_of(r)->config_yaml(&yaml);
    buf_put_u8(b, '{');
    put_key(b, "yaml", buf_str(&yaml));
    buf_put_u8(b, '}');
    api_end(b, NULL, 0, NULL, 0);
    buf_fini(&yaml);
}

void api_self_metrics(struct http_request *r)
{
    struct buf text = {0};
    struct regex *only = NULL;
    struct diag d = {.text = ""};
    str pattern = http_param(r, STR("metric_name_pattern"));
    if (pattern.len > 0 && regex_compile(pattern, &only, &d) != OK) {
        api_fail_param(r, "metric_name_pattern", d.text);
        return;
    }
    metrics_text(api_of(r), &text);
    struct buf *b = api_begin(r);
    metrics_json(buf_str(&text), only, b);
    api_end(b, NULL, 0, NULL, 0);
    if (only != NULL)
        regex_close(only);
    buf_fini(&text);
}

static void put_block(struct buf *b, const struct db_block_info *i)
{
    buf_printf(b,
               "{\"ulid\":\"%s\",\"minTime\":%lld,\"maxTime\":%lld,\"stats\":{\"numSamples\":%llu,"
               "\"numSeries\":%llu,\"numChunks\":%llu,\"numTombstones\":%llu,\"numBytes\":%llu},"
               "\"compaction\":{\"level\":%u,\"sources\":[",
               i->ulid, (long long)i->min_ms, (long long)i->max_ms, (unsigned long long)i->samples,
               (unsigned long long)i->series, (unsigned long long)i->chunks,
               (unsigned long long)i->tombstones, (unsigned long long)i->bytes, i->level);
    for (uint32_t k = 0; k < i->source_count; k++)
        buf_printf(b, "%s\"%s\"", k > 0 ? "," : "", i->sources[k]);
    buf_put_str(b, STR("]},\"version\":1}"));
}

void api_tsdb_blocks(struct http_request *r)
{
    struct arena a;
    struct db_block_info *blocks;
    size_t count;
    struct diag d = {.text = ""};
    arena_init(&a, STATUS_BYTES_MAX);
    err e = db_blocks(api_of(r)->db, &a, &blocks, &count);
    if (e != OK) {
        api_fail_err(r, e, &d);
    } else {
        struct buf *b = api_begin(r);
        buf_put_str(b, STR("{\"blocks\":["));
        for (size_t i = 0; i < count; i++) {
            if (i > 0)
                buf_put_u8(b, ',');
            put_block(b, &blocks[i]);
        }
        buf_put_str(b, STR("]}"));
        api_end(b, NULL, 0, NULL, 0);
    }
    arena_fini(&a);
}

void api_walreplay(struct http_request *r)
{
    struct db_stats s = {0};
    const struct api *api = api_of(r);
    if (atomic_load_explicit(&api->ready, memory_order_acquire))
        db_stats_of(api->db, &s);
    else
        db_opening_stats(&s);
    struct buf *b = api_begin(r);
    buf_printf(b, "{\"min\":%u,\"max\":%u,\"current\":%u}", s.wal_segment_first, s.wal_segment_last,
               s.wal_replay_current);
    api_end(b, NULL, 0, NULL, 0);
}
