/* sender_queue.h -- alerts that wait for an Alertmanager: each as the JSON it is sent as, shared by
 * the queues it stands in; and a queue of them, bounded in number and bytes, that loses its oldest
 * when it is full. */
#ifndef RULES_SENDER_QUEUE_H
#define RULES_SENDER_QUEUE_H

#include <stddef.h>

#include "base/slice.h"

enum { SENDER_QUEUE_BYTES_MAX = 256 << 20 }; /* of alerts in one queue */

struct sent_alert { /* immutable, counted */
    _Atomic unsigned refs;
    size_t len;
    char json[];
};

struct sent_alert *sent_alert_new(str json);
struct sent_alert *sent_alert_ref(struct sent_alert *a);
void sent_alert_unref(struct sent_alert *a); /* NULL is allowed */

struct sender_queue { /* private but for count */
    struct sent_alert **ring;
    size_t capacity, head, count, bytes;
};

void sender_queue_init(struct sender_queue *q, size_t capacity); /* at least 1 */
void sender_queue_fini(struct sender_queue *q);

/* Append references to alerts; returns how many were lost for it, the oldest. */
size_t sender_queue_add(struct sender_queue *q, struct sent_alert *const *alerts, size_t count);

/* Move the first, at most `max`, to `out`: their references are the caller's. Returns how many. */
size_t sender_queue_take(struct sender_queue *q, size_t max, struct sent_alert **out);

#endif
