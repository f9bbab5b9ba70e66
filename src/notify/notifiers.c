/* notifiers.c -- see notifiers.h. */
#include "notify/notifiers.h"

#include <stdlib.h>

#include "base/mem.h"
#include "notify/ack_link.h"
#include "notify/inbound.h"
#include "notify/notifiers_priv.h"

/* ---- Clients ---- */

static int compare_clients(const void *pa, const void *pb)
{
    uintptr_t a = (uintptr_t)((const struct notifier_client *)pa)->config;
    uintptr_t b = (uintptr_t)((const struct notifier_client *)pb)->config;
    return (a > b) - (a < b);
}

struct http_client *notifiers_client(const struct notifiers *all,
                                     const struct integration_config *config)
{
    const struct notifier_client key = {config, NULL};
    const struct notifier_client *c =
        all->client_count == 0
            ? NULL
            : bsearch(&key, all->clients, all->client_count, sizeof(key), compare_clients);
    return c != NULL ? c->client : NULL;
}

static size_t count_integrations(const struct alertmanager_file *f)
{
    size_t count = 0;
    for (size_t i = 0; i < f->receivers.count; i++)
        count += f->receivers.items[i].integration_count;
    return count;
}

/* One that cannot be obeyed is left out: its deliveries fail, and say why. */
static void open_client(struct notifiers *all, const struct integration_config *config)
{
    struct diag ignored = {.text = ""};
    struct http_client *client;
    if (http_client_open(config->http, buf_str(&all->agent), &client, &ignored) == OK)
        all->clients[all->client_count++] = (struct notifier_client){config, client};
}

static void open_clients(struct notifiers *all)
{
    const struct alertmanager_file *f = all->file;
    all->clients = mem_zalloc(count_integrations(f) + 1, sizeof(*all->clients));
    for (size_t i = 0; i < f->receivers.count; i++) {
        const struct receiver_config *r = &f->receivers.items[i];
        for (size_t k = 0; k < r->integration_count; k++) {
            const struct integration *in = &r->integrations[k];
            if (in->config->http != NULL && integration_is_built(in->kind))
                open_client(all, in->config);
        }
    }
    if (all->client_count > 1)
        qsort(all->clients, all->client_count, sizeof(*all->clients), compare_clients);
}

/* ---- All of them ---- */

bool notifiers_canceled(void *arg)
{
    const struct notifiers *all = arg;
    return all->canceled != NULL && atomic_load(all->canceled);
}

static err open_acks(const struct notifiers_options *o, struct notifiers *all, struct diag *d)
{
    const struct acknowledgements *a = &o->ext->acknowledgements;
    if (a->links != NULL && a->links->enabled)
        TRY(ack_signer_open(a->links, o->server_url, &all->ack_signer, d));
    return a->inbound != NULL ? inbound_open(a->inbound, &all->inbound, d) : OK;
}

err notifiers_open(const struct notifiers_options *o, struct alertmanager_file *f,
                   struct notifiers **out, struct diag *d)
{
    struct notifiers *all = mem_zalloc(1, sizeof(*all));
    all->file = alertmanager_config_ref(f);
    all->canceled = o->canceled;
    all->fetch = http_fetch;
    buf_put_str(&all->external_url, o->external_url);
    buf_put_str(&all->agent, STR("Varve"));
    if (o->version.len > 0)
        buf_printf(&all->agent, "/" STR_FMT, STR_ARG(o->version));
    err e = notify_templates_open(f, &all->templates, d);
    if (e == OK && o->ext != NULL)
        e = open_acks(o, all, d);
    if (e != OK) {
        notifiers_close(all);
        return e;
    }
    open_clients(all);
    *out = all;
    return OK;
}

void notifiers_close(struct notifiers *all)
{
    if (all == NULL)
        return;
    for (size_t i = 0; i < all->client_count; i++)
        http_client_close(all->clients[i].client);
    mem_free(all->clients);
    notify_templates_close(all->templates);
    ack_signer_close(all->ack_signer);
    inbound_close(all->inbound);
    buf_fini(&all->external_url);
    buf_fini(&all->agent);
    alertmanager_config_unref(all->file);
    mem_free(all);
}

const struct ack_signer *notifiers_ack_signer(const struct notifiers *all)
{
    return all->ack_signer;
}

const struct inbound *notifiers_inbound(const struct notifiers *all)
{
    return all->inbound;
}

struct texts notifiers_problems(const struct notifiers *all)
{
    return notify_templates_problems(all->templates);
}

static struct notify_result not_built(void *arg, const struct notification *n, struct diag *d)
{
    (void)arg;
    (void)diag_set(d, ERR_UNSUPPORTED, "%s_configs are not built in: nothing was sent",
                   integration_name(n->kind));
    return (struct notify_result){NOTIFY_FAILED, 0};
}

struct notifier notifiers_of(struct notifiers *all, enum integration_kind kind)
{
    static struct notify_result (*const SEND[INTEGRATION_KINDS])(
        void *arg, const struct notification *n, struct diag *d) = {
        [INTEGRATION_WEBHOOK] = webhook_send,     [INTEGRATION_EMAIL] = email_send,
        [INTEGRATION_PAGERDUTY] = pagerduty_send, [INTEGRATION_OPSGENIE] = opsgenie_send,
        [INTEGRATION_SLACK] = slack_send,         [INTEGRATION_TELEGRAM] = telegram_send,
        [INTEGRATION_DISCORD] = discord_send,     [INTEGRATION_MSTEAMS] = msteams_send,
        [INTEGRATION_MSTEAMSV2] = msteamsv2_send,
    };
    return (struct notifier){all, SEND[kind] != NULL ? SEND[kind] : not_built};
}
