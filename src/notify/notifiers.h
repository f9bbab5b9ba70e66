/* notifiers.h -- all who speak to providers, of one configuration: webhooks, e-mail, PagerDuty,
 * OpsGenie, Slack, Telegram, Discord, Microsoft Teams.
 *
 * After a reload, the notifiers of the older configuration must live as long as deliveries of it do
 * (as that configuration must); both sets may be used side by side. */
#ifndef NOTIFY_NOTIFIERS_H
#define NOTIFY_NOTIFIERS_H

#include <stdatomic.h>

#include "config/alerting_ext.h"
#include "notify/notification.h"

struct notifiers_options {
    str external_url; /* under which people see this server, without a slash at the end */
    str server_url;   /* the same of its API */
    str version;      /* told to providers: "Varve/1.2.3" */
    const struct alerting_ext *ext; /* loaded with the configuration, for the call; NULL: none */
    const atomic_bool *canceled;    /* once it is true, requests under way end; NULL: never */
};

struct ack_signer;
struct inbound;
struct notifiers;

/* Read templates and set up a client for each integration of `f`, which is held until the notifiers
 * are closed. Texts of `o` are copied. Nothing is sent.
 *   ERR_INVALID, ERR_NOTFOUND, ERR_IO, ERR_LIMIT  a file of templates or of a secret of the
 * extensions; `d` has its place */
MUST_USE err notifiers_open(const struct notifiers_options *o, struct alertmanager_file *f,
                            struct notifiers **out, struct diag *d);
void notifiers_close(struct notifiers *all); /* NULL is allowed; no send() may be under way */

/* Who sends what is of that kind. For kinds that are not built in, it fails and says so. */
struct notifier notifiers_of(struct notifiers *all, enum integration_kind kind);

/* Who signs links in messages, and knows them again; NULL: there are no links. */
const struct ack_signer *notifiers_ack_signer(const struct notifiers *all);

/* Who knows webhooks of providers by their proofs; NULL: none may come. */
const struct inbound *notifiers_inbound(const struct notifiers *all);

/* Templates of receivers that do not parse ("am.yml:5:7: slack_configs: title: ..."): what they are
 * in will not be sent. Worth a warning at each load. */
struct texts notifiers_problems(const struct notifiers *all);

#endif
