/* service_acks.c -- acknowledgements that come by other ways than the API. */
#include "notify/ack_link.h"
#include "notify/service_priv.h"

err notify_service_read_ack_link(struct notify_service *s, str token, int64_t now_ms,
                                 struct ack_token *out)
{
    mutex_lock(&s->lock);
    struct engine_config held = engine_hold(s->engine);
    mutex_unlock(&s->lock);
    const struct ack_signer *signer = notifiers_ack_signer(held.companion);
    err e = signer != NULL ? ack_signer_read(signer, token, now_ms, out) : ERR_UNSUPPORTED;
    mutex_lock(&s->lock);
    engine_release(held);
    mutex_unlock(&s->lock);
    return e;
}
