/* replay.c -- see replay.h. What is kept under REPLAY_KEPT: version, which replay it is, the time
 * it has reached, and for each rule the alerts it has (alert_record.h), in the order of the files.
 */
#include "rules/replay.h"

#include "base/clock.h"
#include "base/mem.h"
#include "rules/alert_record.h"
#include "rules/group.h"

static const char REPLAY_KEPT[] = "rules_replay";
enum { KEPT_VERSION = 1 };

struct replay {
    const struct replay_options *o;
    struct rule_store *store;
    struct rule_appender plain; /* of the store */
    struct rules_env env;
    struct group **groups;
    int64_t *next_ms; /* of each group */
    size_t group_count;
    uint64_t since_checkpoint; /* samples */
    uint64_t told_mono_ns;
    struct replay_progress p;
};

static err no_memory(struct diag *d)
{
    return diag_set(d, ERR_LIMIT, "the rules need too much memory");
}

/* ---- Writing ---- */

/* To the store; when it has no room left, what it holds is cut into blocks first. */
static err append(void *arg, const struct rule_sample *samples, size_t count,
                  struct rule_appended *out, struct diag *d)
{
    struct replay *r = arg;
    struct diag why = {.text = ""};
    err e = r->plain.append(r->plain.arg, samples, count, out, &why);
    if (e == ERR_BUSY && r->o->db != NULL) {
        TRY(db_cut(r->o->db));
        why.text[0] = '\0';
        e = r->plain.append(r->plain.arg, samples, count, out, &why);
    }
    if (e != OK)
        return diag_set(d, e, "%s", why.text);
    for (size_t i = 0; i < COUNT_OF(out->refused); i++)
        r->p.refused += out->refused[i];
    r->p.samples += count;
    r->since_checkpoint += count;
    return OK;
}

/* ---- Groups ---- */

/* The group without its alerting rules; rules are in `a`. */
static err only_records(const struct rule_group_def *def, struct arena *a,
                        struct rule_group_def *out)
{
    *out = *def;
    out->rules = ARENA_ARRAY(a, struct rule_def, def->rule_count + 1);
    out->rule_count = 0;
    if (out->rules == NULL)
        return ERR_LIMIT;
    for (size_t i = 0; i < def->rule_count; i++)
        if (def->rules[i].record.text.len > 0)
            out->rules[out->rule_count++] = def->rules[i];
    return OK;
}

static err open_one(struct replay *r, const struct rule_file *f, const struct rule_group_def *def,
                    struct diag *d)
{
    const struct group_options o = {.file = f->path,
                                    .interval_ms = r->o->interval_ms,
                                    .query_offset_ms = r->o->query_offset_ms,
                                    .external_labels = r->o->external_labels};
    struct arena a;
    struct rule_group_def records;
    arena_init(&a, RULE_FILE_MEMORY_BYTES);
    err e = r->o->no_alerts ? only_records(def, &a, &records) : OK;
    if (e == OK)
        e = group_open(r->o->no_alerts ? &records : def, &o, &r->env, &r->groups[r->group_count],
                       d);
    arena_fini(&a);
    if (e != OK)
        return diag_set(d, e, "the rules need too much memory");
    struct group *g = r->groups[r->group_count++];
    g->evals = GROUP_EVALS_TO_RESTORE; /* nothing is to be found out of what was before */
    for (size_t i = 0; i < g->rule_count; i++)
        g->rules[i].restored = true;
    return OK;
}

static err open_groups(struct replay *r, const struct rule_file *files, size_t count,
                       struct diag *d)
{
    size_t groups = 0;
    for (size_t i = 0; i < count; i++)
        groups += files[i].group_count;
    if (groups > REPLAY_GROUPS_MAX)
        return diag_set(d, ERR_LIMIT, "more than %d groups of rules", REPLAY_GROUPS_MAX);
    r->groups = mem_zalloc(groups + 1, sizeof(struct group *));
    r->next_ms = mem_zalloc(groups + 1, sizeof(*r->next_ms));
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < files[i].group_count; k++)
            TRY(open_one(r, &files[i], &files[i].groups[k], d));
    return OK;
}

/* The first time of the group at or after `ms`, on whole milliseconds. */
static int64_t slot_from(const struct group *g, int64_t ms)
{
    int64_t slot_ms = group_slot_ns(g, ms * 1000000) / 1000000;
    while (slot_ms < ms)
        slot_ms += g->interval_ms;
    return slot_ms;
}

/* ---- Progress ---- */

/* Which replay it is: where it begins, with which rules; where it ends may change. */
static hash128 identity(const struct replay *r)
{
    struct buf b = {0};
    buf_put_zigzag(&b, r->o->start_ms);
    buf_put_u8(&b, r->o->no_alerts);
    for (size_t i = 0; i < r->group_count; i++) {
        group_key(r->groups[i], &b);
        buf_put_u64(&b, r->groups[i]->digest.lo);
        buf_put_u64(&b, r->groups[i]->digest.hi);
        buf_put_zigzag(&b, r->groups[i]->interval_ms);
        buf_put_zigzag(&b, r->groups[i]->query_offset_ms);
    }
    hash128 h = hash128_of(buf_slice(&b), 0);
    buf_fini(&b);
    return h;
}

static void encode(const struct replay *r, struct buf *out)
{
    struct buf alerts = {0};
    hash128 id = identity(r);
    buf_put_u8(out, KEPT_VERSION);
    buf_put_u64(out, id.lo);
    buf_put_u64(out, id.hi);
    buf_put_zigzag(out, r->p.at_ms);
    for (size_t i = 0; i < r->group_count; i++)
        for (size_t k = 0; k < r->groups[i]->rule_count; k++) {
            buf_reset(&alerts);
            alert_record_encode(&r->groups[i]->rules[k].alerts, &alerts);
            buf_put_string(out, buf_str(&alerts));
        }
    buf_fini(&alerts);
}

static err settle(struct replay *r, bool all, struct diag *d)
{
    return r->o->settle != NULL ? r->o->settle(r->o->settle_arg, all, d) : OK;
}

/* Samples first, durably, then how far they go. */
static err checkpoint(struct replay *r, struct diag *d)
{
    struct buf b = {0};
    r->since_checkpoint = 0;
    TRY(settle(r, true, d));
    if (r->o->db == NULL)
        return OK;
    err e = db_cut(r->o->db);
    if (e != OK)
        return diag_set(d, e, "samples cannot be written: %s", err_name(e));
    encode(r, &b);
    if (b.len > REPLAY_STATE_BYTES_MAX)
        e = diag_set(d, ERR_LIMIT, "the alerts of a replay need more than %d MiB",
                     REPLAY_STATE_BYTES_MAX >> 20);
    else if ((e = db_keep(r->o->db, REPLAY_KEPT, buf_slice(&b))) != OK)
        (void)diag_set(d, e, "progress cannot be kept: %s", err_name(e));
    buf_fini(&b);
    return e;
}

/* Take the alerts of every rule from `in`; none is restored, all are as the last step left them. */
static err decode_alerts(struct replay *r, struct reader *in)
{
    for (size_t i = 0; i < r->group_count; i++)
        for (size_t k = 0; k < r->groups[i]->rule_count; k++) {
            struct alert_set *s = &r->groups[i]->rules[k].alerts;
            slice bytes = read_string(in);
            if (in->overrun)
                return ERR_CORRUPT;
            TRY(alert_record_decode(bytes, s));
            for (size_t n = 0; n < s->count; n++)
                s->items[n]->restored = false;
        }
    return reader_left(in) == 0 ? OK : ERR_CORRUPT;
}

/* False: there is no earlier run of this replay. */
static err resume(struct replay *r, bool *resumed, struct diag *d)
{
    struct buf b = {0};
    *resumed = false;
    err e = db_kept(r->o->db, REPLAY_KEPT, REPLAY_STATE_BYTES_MAX, &b);
    if (e == ERR_NOTFOUND || e == ERR_CORRUPT) {
        buf_fini(&b);
        return OK;
    }
    if (e != OK)
        return diag_set(d, e, "the progress of an earlier run cannot be read");
    struct reader in = reader_of(buf_slice(&b));
    hash128 id = identity(r);
    uint8_t version = read_u8(&in);
    uint64_t lo = read_u64(&in), hi = read_u64(&in);
    int64_t at_ms = read_zigzag(&in);
    if (!in.overrun && version == KEPT_VERSION && lo == id.lo && hi == id.hi) {
        e = decode_alerts(r, &in);
        *resumed = e == OK;
        if (e == OK)
            r->p.at_ms = at_ms;
        else
            (void)diag_set(d, e, "the progress of an earlier run is damaged: begin anew");
    }
    buf_fini(&b);
    return e;
}

/* Where each group goes on. After a restart its last step is done once more: it gives the same
 * samples, and what it wrote is then known, so that what comes no more is marked stale. */
static void begin(struct replay *r, bool resumed)
{
    for (size_t i = 0; i < r->group_count; i++) {
        const struct group *g = r->groups[i];
        r->next_ms[i] = slot_from(g, r->o->start_ms);
        if (resumed && r->p.at_ms >= r->next_ms[i])
            r->next_ms[i] = slot_from(g, r->p.at_ms - g->interval_ms + 1);
    }
    if (!resumed)
        r->p.at_ms = r->o->start_ms;
    r->p.begun_ms = r->p.at_ms;
}

/* ---- Steps ---- */

static void tell(struct replay *r, bool now)
{
    uint64_t ns = clock_mono_ns();
    if (r->o->progress == NULL ||
        (!now && ns - r->told_mono_ns < (uint64_t)REPLAY_TOLD_MS * 1000000))
        return;
    r->told_mono_ns = ns;
    r->o->progress(r->o->arg, &r->p);
}

/* The group that is due first; of several the first in the files. */
static size_t first_due(const struct replay *r)
{
    size_t first = 0;
    for (size_t i = 1; i < r->group_count; i++)
        if (r->next_ms[i] < r->next_ms[first])
            first = i;
    return first;
}

static void step(struct replay *r, size_t which)
{
    struct group *g = r->groups[which];
    int64_t ts_ms = r->next_ms[which];
    group_eval(g, ts_ms);
    r->next_ms[which] = ts_ms + g->interval_ms;
    r->p.evaluations += g->rule_count;
    for (size_t i = 0; i < g->rule_count; i++) {
        const struct rule *rule = &g->rules[i];
        if (rule->last_error.len == 0)
            continue;
        r->p.failures++;
        if (r->o->failed != NULL)
            r->o->failed(r->o->arg, rule->name, ts_ms, buf_str(&rule->last_error));
    }
}

/* A moment is done with all groups that are due then, so that a checkpoint stands between two. */
static err run_steps(struct replay *r, struct diag *d)
{
    uint64_t limit = r->o->checkpoint_samples > 0 ? r->o->checkpoint_samples
                                                  : (uint64_t)REPLAY_CHECKPOINT_SAMPLES;
    while (r->group_count > 0) {
        size_t which = first_due(r);
        int64_t ts_ms = r->next_ms[which];
        if (ts_ms > r->o->end_ms)
            break;
        if (ts_ms > r->p.at_ms) {
            if (r->o->stop != NULL && atomic_load_explicit(r->o->stop, memory_order_relaxed)) {
                TRY(checkpoint(r, d));
                return diag_set(d, ERR_CANCELED, "interrupted");
            }
            TRY(settle(r, false, d));
            if (r->since_checkpoint >= limit)
                TRY(checkpoint(r, d));
            tell(r, false);
        }
        step(r, which);
        r->p.at_ms = MAX(r->p.at_ms, ts_ms);
    }
    r->p.at_ms = MAX(r->p.at_ms, r->o->end_ms);
    TRY(checkpoint(r, d));
    tell(r, true);
    return OK;
}

static void open_env(struct replay *r)
{
    const struct replay_options *o = r->o;
    if (o->sink != NULL) {
        r->plain = *o->sink;
    } else {
        r->store = rule_store_open(o->db);
        rule_store_take_old(r->store);
        r->plain = rule_store_appender(r->store);
    }
    r->env = (struct rules_env){
        .querier = {.remote = o->source,
                    .env = {.source = &QUERY_SOURCE_DB, .store = o->db, .pool = o->pool},
                    .options = {.experimental_functions = true,
                                .fill_modifiers = true,
                                .extended_range_selectors = true,
                                .subquery_step_ms = o->interval_ms}},
        .append = {r, append},
        .external_url = o->external_url,
        .resend_delay_ms = RULES_RESEND_DELAY_MS,
        .outage_tolerance_ms = RULES_OUTAGE_TOLERANCE_MS,
        .grace_period_ms = RULES_GRACE_PERIOD_MS,
    };
}

static void close_replay(struct replay *r)
{
    for (size_t i = 0; i < r->group_count; i++)
        group_close(r->groups[i]);
    rule_store_close(r->store);
    mem_free(r->groups);
    mem_free(r->next_ms);
}

err replay_run(const struct rule_file *files, size_t file_count, const struct replay_options *o,
               struct replay_progress *out, struct diag *d)
{
    const int64_t far_ms = INT64_C(9000000000000); /* nanoseconds of slots fit 64 bits */
    struct replay r = {.o = o};
    bool resumed = false;
    *out = (struct replay_progress){0};
    if (o->start_ms > o->end_ms || o->start_ms < -far_ms || o->end_ms > far_ms)
        return diag_set(d, ERR_INVALID, "the end is before the start, or a time is out of range");
    open_env(&r);
    err e = open_groups(&r, files, file_count, d);
    if (e == OK && !o->restart && o->db != NULL)
        e = resume(&r, &resumed, d);
    if (e == OK) {
        begin(&r, resumed);
        e = run_steps(&r, d);
    }
    *out = r.p;
    close_replay(&r);
    return e == ERR_LIMIT && d->text[0] == '\0' ? no_memory(d) : e;
}
