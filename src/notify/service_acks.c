/* service_acks.c -- acknowledgements that come by other ways than the API: what they must prove is
 * looked at without the lock. */
#include "base/log.h"
#include "notify/ack_link.h"
#include "notify/inbound.h"
#include "notify/service_priv.h"

static struct engine_config hold(struct notify_service *s)
{
    mutex_lock(&s->lock);
    struct engine_config held = engine_hold(s->engine);
    mutex_unlock(&s->lock);
    return held;
}

static void release(struct notify_service *s, struct engine_config held)
{
    mutex_lock(&s->lock);
    engine_release(held);
    mutex_unlock(&s->lock);
}

err notify_service_read_ack_link(struct notify_service *s, str token, int64_t now_ms,
                                 struct ack_token *out)
{
    struct engine_config held = hold(s);
    const struct ack_signer *signer = notifiers_ack_signer(held.companion);
    err e = signer != NULL ? ack_signer_read(signer, token, now_ms, out) : ERR_UNSUPPORTED;
    release(s, held);
    return e;
}

err notify_service_read_inbound(struct notify_service *s, enum ack_via from, str proof, slice body,
                                int64_t now_ms, struct inbound_event *out, struct diag *d)
{
    struct engine_config held = hold(s);
    const struct inbound *in = notifiers_inbound(held.companion);
    err e = from == ACK_VIA_PAGERDUTY ? inbound_pagerduty(in, proof, body, now_ms, out, d)
                                      : inbound_opsgenie(in, proof, body, now_ms, out, d);
    release(s, held);
    return e;
}
