/* messages.c -- see messages.h. */
#include "notify/messages.h"

#include "base/hash.h"
#include "base/item_table.h"
#include "base/log.h"
#include "base/mem.h"
#include "notify/incident_priv.h"

struct entry {
    struct table_item item;
    int64_t expires_at_ms;
    struct message_ref ref;
    size_t key_bytes;
    char key[];
};

struct messages {
    struct state_log *state;
    struct item_table entries;
};

/* ---- Entries ---- */

static str key_of(const struct entry *e)
{
    return (str){e->key, e->key_bytes};
}

static bool has_key(const struct table_item *item, const void *key)
{
    return str_eq(key_of((const struct entry *)item), *(const str *)key);
}

static struct table_item *find(const struct messages *m, str key)
{
    return item_table_find(&m->entries, hash64(str_bytes(key), m->entries.seed), has_key, &key);
}

static void set_entry(struct messages *m, str key, const struct message_ref *ref,
                      int64_t expires_at_ms)
{
    struct table_item *old = find(m, key);
    struct entry *e = mem_alloc(sizeof(*e) + key.len);
    *e = (struct entry){.item = {hash64(str_bytes(key), m->entries.seed)},
                        .expires_at_ms = expires_at_ms,
                        .ref = *ref,
                        .key_bytes = key.len};
    memcpy(e->key, key.ptr, key.len);
    if (old != NULL)
        item_table_remove(&m->entries, old);
    item_table_put(&m->entries, &e->item);
}

/* ---- On disk ---- */

static bool take_text(struct reader *r, char out[MESSAGE_ID_SIZE])
{
    slice text = read_string(r);
    if (text.len >= MESSAGE_ID_SIZE)
        return false;
    if (text.len > 0)
        memcpy(out, text.ptr, text.len);
    out[text.len] = '\0';
    return true;
}

static void restore(void *arg, slice key, slice value)
{
    struct message_ref ref = {.ts = ""};
    struct reader r = reader_of(value);
    int64_t expires_at_ms = read_zigzag(&r);
    bool good = take_text(&r, ref.channel) && take_text(&r, ref.ts);
    if (good && !r.overrun && reader_left(&r) == 0)
        set_entry(arg, slice_text(key), &ref, expires_at_ms);
    else
        log_error("a chat's message in the state of notifications cannot be read: the next one is "
                  "new");
}

struct messages *messages_open(struct state_log *state)
{
    struct messages *m = mem_zalloc(1, sizeof(*m));
    m->state = state;
    item_table_init(&m->entries);
    state_log_each(state, STATE_MESSAGE, restore, m);
    return m;
}

void messages_close(struct messages *m)
{
    if (m == NULL)
        return;
    item_table_fini(&m->entries);
    mem_free(m);
}

/* ---- The table ---- */

bool messages_get(const struct messages *m, str key, int64_t now_ms, struct message_ref *out)
{
    const struct entry *e = (const struct entry *)find(m, key);
    if (e == NULL || e->expires_at_ms <= now_ms)
        return false;
    *out = e->ref;
    return true;
}

void messages_put(struct messages *m, str key, const struct message_ref *ref, int64_t expires_at_ms)
{
    struct buf value = {0};
    buf_put_zigzag(&value, expires_at_ms);
    buf_put_string(&value, str_from(ref->channel));
    buf_put_string(&value, str_from(ref->ts));
    slice bytes = buf_slice(&value);
    state_log_put(m->state, STATE_MESSAGE, str_bytes(key), &bytes);
    set_entry(m, key, ref, expires_at_ms);
    buf_fini(&value);
}

void messages_gc(struct messages *m, int64_t now_ms)
{
    size_t at = 0;
    for (struct table_item *i; (i = item_table_next(&m->entries, &at)) != NULL;) {
        const struct entry *e = (const struct entry *)i;
        if (e->expires_at_ms > now_ms)
            continue;
        state_log_put(m->state, STATE_MESSAGE, str_bytes(key_of(e)), NULL);
        item_table_remove(&m->entries, i);
        at--;
    }
}

/* ---- Deliveries ---- */

static bool changes_messages(const struct notification *n)
{
    return n->kind == INTEGRATION_SLACK && n->notice == NULL &&
           ((const struct slack_config *)(const void *)n->config)->update_message;
}

/* What is told of an acknowledgement has a key of its own; the message is that of the alerts. */
static str message_key(const struct delivery *d)
{
    static const str ACK = {":ack", 4};
    str key = buf_str(&d->sent_key);
    return d->n.ack != NULL && str_ends(key, ACK) ? (str){key.ptr, key.len - ACK.len} : key;
}

void message_attach(struct engine *e, struct delivery *d, int64_t now_ms)
{
    if (!changes_messages(&d->n))
        return;
    d->n.message = &d->message;
    if (d->n.reason == REASON_FIRST) /* it fires anew: nobody looks for that above */
        return;
    if (messages_get(e->messages, message_key(d), now_ms, &d->message) && d->n.ack == NULL)
        d->n.still_acked = incident_still_acked(e, d->group->incident);
}

void message_sent(struct engine *e, const struct delivery *d, int64_t now_ms)
{
    if (d->n.message != NULL && d->message.ts[0] != '\0')
        messages_put(e->messages, message_key(d), &d->message,
                     now_ms + MIN(2 * d->repeat_interval_ms, e->retention_ms));
}
