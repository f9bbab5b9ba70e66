/* notice.c -- see notice.h. A notice is told in rounds: each is a flush of a group that is in none
 * of the engine's tables, with a delivery for every integration that the notification log does not
 * know to be told. */
#include "base/log.h"
#include "base/mem.h"
#include "notify/flush_priv.h"
#include "notify/notice_priv.h"
#include "notify/state_value.h"

struct pending {
    struct due due; /* first: when its next round begins; while there is one, when that ends */
    struct arena arena;
    struct alert_notice n;
    int64_t put_ms; /* when it came */
    struct buf state_key;
    struct group *group; /* of the round; NULL: there is none */
    struct pending *next;
};

struct notices {
    struct pending *first;
    struct due_heap due;
    struct notice_counts counts;
    bool unsynced;
};

/* What flushes ask a route for. */
static const struct route_config NO_ROUTE_CONFIG;
static const struct route NOTICE_ROUTE = {.config = &NO_ROUTE_CONFIG,
                                          .group_interval_ms = NOTICE_ROUND_MS,
                                          .repeat_interval_ms = NOTICE_KNOWN_MS / 2};

/* ---- As bytes: docs/formats/notify-state.md ---- */

static void put_key(str id, str receiver, struct buf *out)
{
    buf_put_string(out, id);
    buf_put_string(out, receiver);
}

static void encode(const struct alert_notice *n, int64_t put_ms, struct buf *out)
{
    put_key(n->id, n->receiver, out);
    buf_put_zigzag(out, put_ms);
    buf_put_string(out, n->key);
    buf_put_u8(out, n->open ? 1 : 0);
    buf_put_string(out, n->title);
    buf_put_string(out, n->text);
    buf_put_string(out, n->html);
    buf_put_zigzag(out, n->starts_at_ms);
    buf_put_zigzag(out, n->ends_at_ms);
    buf_put_zigzag(out, n->expires_ms);
    value_put_labels(out, n->labels);
    value_put_labels(out, n->annotations);
}

/* NULL: it does not read back. */
static struct pending *decode(slice value)
{
    struct reader r = reader_of(value);
    struct pending *p = mem_zalloc(1, sizeof(*p));
    struct alert_notice *n = &p->n;
    arena_init(&p->arena, 4 * NOTICE_BYTES_MAX);
    n->id = value_text(&r, &p->arena);
    n->receiver = value_text(&r, &p->arena);
    p->put_ms = read_zigzag(&r);
    n->key = value_text(&r, &p->arena);
    n->open = read_u8(&r) != 0;
    n->title = value_text(&r, &p->arena);
    n->text = value_text(&r, &p->arena);
    n->html = value_text(&r, &p->arena);
    n->starts_at_ms = read_zigzag(&r);
    n->ends_at_ms = read_zigzag(&r);
    n->expires_ms = read_zigzag(&r);
    n->labels = value_labels(&r, &p->arena);
    n->annotations = value_labels(&r, &p->arena);
    bool good = !r.overrun && reader_left(&r) == 0 && !arena_exceeded(&p->arena) &&
                n->labels.count <= NOTICE_LABELS_MAX + 2;
    if (good && n->id.len > 0 && n->title.len > 0) {
        put_key(n->id, n->receiver, &p->state_key);
        return p;
    }
    arena_fini(&p->arena);
    mem_free(p);
    return NULL;
}

/* ---- Those that are pending ---- */

static struct pending *find(const struct notices *t, str id, str receiver)
{
    struct pending *p = t->first;
    while (p != NULL && (!str_eq(p->n.id, id) || !str_eq(p->n.receiver, receiver)))
        p = p->next;
    return p;
}

static void add(struct notices *t, struct pending *p, int64_t due_ms)
{
    p->next = t->first;
    t->first = p;
    t->counts.pending++;
    due_heap_set(&t->due, &p->due, due_ms);
}

/* It is in the list and heap no more; what was told of it goes on without it. */
static void drop(struct notices *t, struct pending *p)
{
    struct pending **place = &t->first;
    while (*place != p)
        place = &(*place)->next;
    *place = p->next;
    due_heap_remove(&t->due, &p->due);
    t->counts.pending--;
    if (p->group != NULL)
        group_unref(p->group);
    buf_fini(&p->state_key);
    arena_fini(&p->arena);
    mem_free(p);
}

static void forget(struct engine *e, struct pending *p)
{
    state_log_put(e->state, STATE_NOTICE, buf_slice(&p->state_key), NULL);
    drop(e->notices, p);
}

static void restore(void *arg, slice key, slice value)
{
    struct notices *t = arg;
    struct pending *p = t->counts.pending < NOTICES_MAX ? decode(value) : NULL;
    (void)key;
    if (p != NULL)
        add(t, p, p->put_ms); /* long ago: in the order they came */
}

struct notices *notices_open(struct engine *e)
{
    struct notices *t = mem_zalloc(1, sizeof(*t));
    state_log_each(e->state, STATE_NOTICE, restore, t);
    return t;
}

void notices_close(struct engine *e)
{
    if (e->notices == NULL)
        return;
    while (e->notices->first != NULL)
        drop(e->notices, e->notices->first);
    due_heap_fini(&e->notices->due);
    mem_free(e->notices);
    e->notices = NULL;
}

/* ---- A round ---- */

static str copy(struct buf *to, str s)
{
    size_t at = to->len;
    buf_put_str(to, s);
    return (str){(const char *)to->ptr + at, s.len};
}

/* Deliveries outlive the notice: the group has all that they tell. */
static struct group *make_group(struct engine *e, const struct alert_notice *n)
{
    static const str PREFIX = {"varve notice:", sizeof("varve notice:") - 1};
    struct group *g = mem_zalloc(1, sizeof(*g));
    struct label *items = mem_zalloc(n->labels.count + 1, sizeof(*items));
    size_t bytes = PREFIX.len + n->key.len + n->title.len + n->text.len + n->html.len;
    for (size_t i = 0; i < n->labels.count; i++)
        bytes += n->labels.items[i].name.len + n->labels.items[i].value.len;
    (void)buf_reserve(&g->text, bytes); /* it grows no more */
    g->refs = 1;
    g->routing = routing_ref(e->routing);
    g->route = &NOTICE_ROUTE;
    g->alerts = alert_table_open();
    for (size_t i = 0; i < n->labels.count; i++)
        items[i] = (struct label){copy(&g->text, n->labels.items[i].name),
                                  copy(&g->text, n->labels.items[i].value)};
    g->labels = (struct labels){items, n->labels.count};
    g->notice = (struct notice_text){copy(&g->text, n->title), copy(&g->text, n->text),
                                     copy(&g->text, n->html), n->open};
    str prefix = copy(&g->text, PREFIX);
    g->key = (str){prefix.ptr, prefix.len + copy(&g->text, n->key).len};
    return g;
}

struct round {
    struct engine *e;
    struct pending *p;
    const struct receiver_config *receiver;
    struct live_alert *alert;
    struct flush *flush; /* NULL: nothing is to be sent */
    int64_t now_ms, deadline_ms;
};

static struct live_alert *make_alert(const struct alert_notice *n, int64_t now_ms)
{
    const struct live_alert a = {.labels = n->labels,
                                 .annotations = n->annotations,
                                 .generator_url = STR(""),
                                 .starts_at_ms = n->starts_at_ms,
                                 .ends_at_ms = n->open ? INT64_MAX : n->ends_at_ms,
                                 .updated_at_ms = now_ms};
    return live_alert_make(&a);
}

static struct delivery *make_delivery(const struct round *r, const struct integration *i)
{
    const struct alert_notice *n = &r->p->n;
    struct group *g = r->p->group;
    struct delivery *d = mem_zalloc(1, sizeof(*d));
    d->alerts = mem_zalloc(1, sizeof(*d->alerts));
    d->alerts[0] =
        (struct notified_alert){live_alert_ref(r->alert), !n->open, n->open ? 0 : n->ends_at_ms};
    d->fingerprints = mem_zalloc(1, sizeof(uint64_t));
    d->fingerprints[0] = r->alert->fingerprint;
    d->resolved_count = n->open ? 0 : 1;
    d->group = g;
    g->refs++;
    d->repeat_interval_ms = NOTICE_ROUTE.repeat_interval_ms;
    d->n = (struct notification){.group_key = g->key,
                                 .group_labels = g->labels,
                                 .receiver = r->receiver->name,
                                 .kind = i->kind,
                                 .index = i->index,
                                 .config = i->config,
                                 .alerts = d->alerts,
                                 .alert_count = 1,
                                 .firing_count = n->open ? 1 : 0,
                                 .reason = REASON_NOTICE,
                                 .notice = &g->notice,
                                 .flushed_ms = r->now_ms,
                                 .deadline_ms = r->deadline_ms};
    delivery_set_retries(d);
    return d;
}

/* Groups' keys in the notification log begin with a brace. */
static void sent_key(const struct alert_notice *n, const struct receiver_config *r,
                     const struct integration *i, struct buf *out)
{
    buf_printf(out, "notice/" STR_FMT ":" STR_FMT "/%s/%zu", STR_ARG(n->id), STR_ARG(r->name),
               integration_name(i->kind), i->index);
}

static bool was_told(const struct engine *e, const struct alert_notice *n,
                     const struct receiver_config *r, const struct integration *i, int64_t now_ms)
{
    struct buf key = {0};
    struct sent last;
    sent_key(n, r, i, &key);
    bool told = sent_log_get(e->sent, buf_str(&key), now_ms, &last);
    buf_fini(&key);
    return told;
}

static bool were_all_told(const struct engine *e, const struct alert_notice *n,
                          const struct receiver_config *r, int64_t now_ms)
{
    bool told = true;
    for (size_t i = 0; told && i < r->integration_count; i++)
        told = was_told(e, n, r, &r->integrations[i], now_ms);
    return told;
}

static void queue_one(struct round *r, const struct integration *i)
{
    struct pending *p = r->p;
    if (was_told(r->e, &p->n, r->receiver, i, r->now_ms))
        return;
    if (p->group == NULL)
        p->group = make_group(r->e, &p->n);
    if (r->flush == NULL)
        r->flush = flush_begin(p->group, &p->group->running, r->now_ms);
    r->flush->deadline_ms = r->deadline_ms;
    struct delivery *d = make_delivery(r, i);
    sent_key(&p->n, r->receiver, i, &d->sent_key);
    flush_queue(r->e, r->flush, d, r->now_ms);
}

/* A receiver that a reload took away may come back. */
static void begin_round(struct engine *e, struct pending *p, int64_t now_ms)
{
    struct round r = {.e = e,
                      .p = p,
                      .receiver = alertmanager_receiver(e->file, p->n.receiver),
                      .now_ms = now_ms,
                      .deadline_ms = MIN(now_ms + NOTICE_ROUND_MS, p->n.expires_ms)};
    due_heap_set(&e->notices->due, &p->due, r.deadline_ms);
    if (r.receiver == NULL)
        return;
    r.alert = make_alert(&p->n, now_ms);
    for (size_t i = 0; i < r.receiver->integration_count; i++)
        queue_one(&r, &r.receiver->integrations[i]);
    live_alert_unref(r.alert);
    if (r.flush == NULL) /* a crash came between the last word and this one; or there are none */
        forget(e, p);
}

/* Deliveries that wait count as failed; those under way end by themselves. */
static void end_round(struct engine *e, struct pending *p)
{
    struct group *g = p->group;
    p->group = NULL;
    if (g->running != NULL)
        flush_abandon(e, g->running);
    group_unref(g);
}

static void look_at(struct engine *e, struct pending *p, int64_t now_ms)
{
    bool was_running = p->group != NULL;
    if (was_running)
        end_round(e, p);
    if (now_ms >= p->n.expires_ms) {
        log_error("a notice was not told in its time", LOG_STR("notice", p->n.id),
                  LOG_STR("receiver", p->n.receiver));
        e->notices->counts.expired++;
        forget(e, p);
    } else if (was_running) {
        due_heap_set(&e->notices->due, &p->due, now_ms + NOTICE_PAUSE_MS);
    } else {
        begin_round(e, p, now_ms);
    }
}

void notices_run(struct engine *e, int64_t now_ms)
{
    struct pending *p;
    while ((p = (struct pending *)due_heap_first(&e->notices->due)) != NULL && p->due.ms <= now_ms)
        look_at(e, p, now_ms);
}

int64_t notices_next_ms(const struct engine *e)
{
    const struct due *first = due_heap_first(&e->notices->due);
    return first != NULL ? first->ms : INT64_MAX;
}

bool notices_unsynced(struct engine *e)
{
    bool unsynced = e->notices->unsynced;
    e->notices->unsynced = false;
    return unsynced;
}

void notices_detach(struct engine *e, int64_t now_ms)
{
    for (struct pending *p = e->notices->first; p != NULL; p = p->next) {
        if (p->group == NULL)
            continue;
        end_round(e, p);
        due_heap_set(&e->notices->due, &p->due, now_ms + NOTICE_PAUSE_MS);
    }
}

void notice_flushed(struct engine *e, struct group *g, bool failed)
{
    struct pending *p = e->notices->first;
    while (p != NULL && p->group != g)
        p = p->next;
    if (p == NULL)
        return; /* called off meanwhile */
    p->group = NULL;
    group_unref(g);
    if (failed)
        return; /* the next round begins when this one had ended */
    e->notices->counts.told++;
    forget(e, p);
}

/* ---- Another one ---- */

static err check_labels(const char *what, struct labels ls, struct diag *d)
{
    if (ls.count > NOTICE_LABELS_MAX)
        return diag_set(d, ERR_INVALID, "more than %d %s", NOTICE_LABELS_MAX, what);
    for (size_t i = 0; i < ls.count; i++)
        if (ls.items[i].value.len == 0 ||
            (i > 0 && str_cmp(ls.items[i - 1].name, ls.items[i].name) >= 0))
            return diag_set(d, ERR_INVALID, "%s must be sorted and have values", what);
    return OK;
}

static err check(const struct alert_notice *n, struct diag *d)
{
    if (n->id.len == 0 || n->id.len > NOTICE_KEY_BYTES_MAX || n->key.len > NOTICE_KEY_BYTES_MAX)
        return diag_set(d, ERR_INVALID, "a notice needs an id, of at most %d bytes like its key",
                        NOTICE_KEY_BYTES_MAX);
    if (n->title.len == 0 || memchr(n->title.ptr, '\n', n->title.len) != NULL)
        return diag_set(d, ERR_INVALID, "a notice needs a title of one line");
    TRY(check_labels("labels", n->labels, d));
    TRY(check_labels("annotations", n->annotations, d));
    return labels_get(n->labels, STR("alertname")).len > 0
               ? OK
               : diag_set(d, ERR_INVALID, "a notice needs a label alertname");
}

/* Annotations with those that the texts make, in order. */
static size_t fill_annotations(const struct alert_notice *n, struct label *out)
{
    const struct label own[] = {{STR("description"), n->text.len > 0 ? n->text : n->title},
                                {STR("summary"), n->title}};
    size_t count = 0;
    for (size_t i = 0; i < n->annotations.count; i++)
        out[count++] = n->annotations.items[i];
    for (size_t i = 0; i < COUNT_OF(own); i++)
        if (labels_get(n->annotations, own[i].name).len == 0)
            out[count++] = own[i];
    return labels_sort(out, count);
}

static void fill_in(struct alert_notice *n, int64_t now_ms)
{
    if (n->key.len == 0)
        n->key = n->id;
    if (n->starts_at_ms == 0)
        n->starts_at_ms = n->ends_at_ms != 0 ? MIN(now_ms, n->ends_at_ms) : now_ms;
    if (n->ends_at_ms == 0)
        n->ends_at_ms = MAX(now_ms, n->starts_at_ms);
    if (n->expires_ms == 0)
        n->expires_ms = now_ms + NOTICE_KEPT_MS;
}

static void keep(struct engine *e, const struct pending *p)
{
    struct buf value = {0};
    encode(&p->n, p->put_ms, &value);
    slice bytes = buf_slice(&value);
    state_log_put(e->state, STATE_NOTICE, buf_slice(&p->state_key), &bytes);
    buf_fini(&value);
}

/* The end comes: what of the same was not told yet must leave nothing open behind it. */
static void shut(struct engine *e, const struct alert_notice *end, int64_t now_ms)
{
    for (struct pending *p = e->notices->first; p != NULL; p = p->next) {
        if (!p->n.open || !str_eq(p->n.key, end->key) || !str_eq(p->n.receiver, end->receiver))
            continue;
        p->n.open = false;
        p->n.ends_at_ms = end->ends_at_ms;
        keep(e, p);
        if (p->group != NULL) {
            end_round(e, p);
            due_heap_set(&e->notices->due, &p->due, now_ms + NOTICE_PAUSE_MS);
        }
    }
}

static err put(struct engine *e, const struct alert_notice *n, int64_t now_ms, struct diag *d)
{
    struct buf value = {0};
    encode(n, now_ms, &value);
    struct pending *p = value.len <= NOTICE_BYTES_MAX ? decode(buf_slice(&value)) : NULL;
    buf_fini(&value);
    if (p == NULL)
        return diag_set(d, ERR_LIMIT, "a notice has more than %d bytes", NOTICE_BYTES_MAX);
    if (!n->open)
        shut(e, n, now_ms);
    keep(e, p);
    add(e->notices, p, now_ms);
    e->notices->unsynced = true;
    return OK;
}

err notice_put(struct engine *e, const struct alert_notice *n, int64_t now_ms, struct diag *d)
{
    struct label annotations[NOTICE_LABELS_MAX + 2];
    struct alert_notice whole = *n;
    TRY(check(n, d));
    const struct receiver_config *r = alertmanager_receiver(e->file, n->receiver);
    if (r == NULL)
        return diag_set(d, ERR_NOTFOUND, "there is no receiver \"" STR_FMT "\"",
                        STR_ARG(n->receiver));
    if (find(e->notices, n->id, n->receiver) != NULL || were_all_told(e, n, r, now_ms))
        return OK;
    if (e->notices->counts.pending >= NOTICES_MAX ||
        !state_log_has_room(e->state, NOTICE_BYTES_MAX))
        return diag_set(d, ERR_LIMIT, "too many notices are not told yet");
    whole.annotations = (struct labels){annotations, fill_annotations(n, annotations)};
    fill_in(&whole, now_ms);
    return put(e, &whole, now_ms, d);
}

bool notice_is_pending(const struct engine *e, str id, str receiver)
{
    return find(e->notices, id, receiver) != NULL;
}

void notice_count(const struct engine *e, struct notice_counts *out)
{
    *out = e->notices->counts;
}
