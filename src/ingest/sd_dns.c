/* sd_dns.c -- dns_sd_configs: SRV, A, AAAA, MX and NS records through the system's resolver. A name
 * that does not exist has no targets; a name whose servers fail keeps the targets it had. */
#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <netdb.h>
#include <resolv.h>
#include <stdio.h>

#undef MIN /* of sys/param.h */
#undef MAX

#include "base/mem.h"
#include "ingest/discovery_priv.h"

enum { ANSWER_BYTES_MAX = 65535, TIMEOUT_S = 2, TRIES = 2 };

static const int TYPES[] = {ns_t_srv, ns_t_a, ns_t_aaaa, ns_t_mx, ns_t_ns};

struct record {
    char target[NS_MAXDNAME]; /* with the final dot, as upstream's labels have it */
    unsigned port;            /* of SRV */
};

/* The name at `p` within the answer, or the address. */
static bool read_record(ns_msg *m, ns_rr *rr, struct record *out)
{
    const uint8_t *data = ns_rr_rdata(*rr);
    size_t size = ns_rr_rdlen(*rr), skip = 0;
    *out = (struct record){.port = 0};
    switch (ns_rr_type(*rr)) {
    case ns_t_a:
        return size == 4 && inet_ntop(AF_INET, data, out->target, sizeof(out->target)) != NULL;
    case ns_t_aaaa:
        return size == 16 && inet_ntop(AF_INET6, data, out->target, sizeof(out->target)) != NULL;
    case ns_t_srv:
        skip = 6;
        break;
    case ns_t_mx:
        skip = 2;
        break;
    case ns_t_ns:
        break;
    default:
        return false; /* a CNAME on the way to an A, for example */
    }
    if (size <= skip)
        return false;
    if (skip == 6)
        out->port = (unsigned)data[4] << 8 | data[5];
    char name[NS_MAXDNAME];
    if (dn_expand(ns_msg_base(*m), ns_msg_end(*m), data + skip, name, sizeof(name)) < 0)
        return false;
    return snprintf(out->target, sizeof(out->target), "%s.", name) < (int)sizeof(out->target);
}

static void put_target(struct sd_build *b, const struct dns_sd_config *c, str name, int type,
                       const struct record *r)
{
    static const char *const META[] = {"__meta_dns_srv_record_target", NULL, NULL,
                                       "__meta_dns_mx_record_target",
                                       "__meta_dns_ns_record_target"};
    char host[NS_MAXDNAME + 16];
    size_t size = strlen(r->target);
    unsigned port = type == DNS_SD_SRV ? r->port : (unsigned)c->port;
    while (size > 0 && r->target[size - 1] == '.')
        size--;
    bool v6 = memchr(r->target, ':', size) != NULL;
    int n = snprintf(host, sizeof(host), "%s%.*s%s:%u", v6 ? "[" : "", (int)size, r->target,
                     v6 ? "]" : "", port);
    sd_build_label(b, "__address__", (str){host, (size_t)n});
    sd_build_label(b, "__meta_dns_name", name);
    if (META[type] != NULL)
        sd_build_label(b, META[type], str_from(r->target));
    if (type == DNS_SD_SRV)
        sd_build_number(b, "__meta_dns_srv_record_port", r->port);
    sd_build_target(b);
    sd_build_back(b, 0);
}

static err put_answer(struct sd_build *b, const struct dns_sd_config *c, str name,
                      const uint8_t *answer, int size, struct diag *d)
{
    ns_msg m;
    if (ns_initparse(answer, size, &m) != 0)
        return diag_set(d, ERR_INVALID, "a server's answer for \"" STR_FMT "\" is malformed",
                        STR_ARG(name));
    unsigned count = ns_msg_count(m, ns_s_an);
    for (unsigned i = 0; i < count; i++) {
        ns_rr rr;
        struct record r;
        if (ns_parserr(&m, ns_s_an, (int)i, &rr) != 0)
            return diag_set(d, ERR_INVALID, "a server's answer for \"" STR_FMT "\" is malformed",
                            STR_ARG(name));
        if ((int)ns_rr_type(rr) == TYPES[c->type] && read_record(&m, &rr, &r))
            put_target(b, c, name, c->type, &r);
    }
    return OK;
}

static err look_up(struct sd_provider *p, str name, uint8_t *answer, struct diag *d)
{
    const struct dns_sd_config *c = p->sd->dns;
    struct __res_state state = {0};
    struct sd_build b;
    struct sd_targets *targets = NULL;
    if (res_ninit(&state) != 0) /* anew each time: resolv.conf may have changed */
        return diag_set(d, ERR_IO, "could not load resolv.conf");
    state.retrans = TIMEOUT_S;
    state.retry = TRIES;
    int size = res_nsearch(&state, name.ptr, ns_c_in, TYPES[c->type], answer, ANSWER_BYTES_MAX);
    int why = state.res_h_errno;
    res_nclose(&state);
    if (size < 0 && why != HOST_NOT_FOUND && why != NO_DATA)
        return diag_set(d, ERR_IO,
                        "could not resolve \"" STR_FMT
                        "\": all servers responded with errors to at least one search domain",
                        STR_ARG(name));
    sd_build_begin(&b);
    err e = size > 0 ? put_answer(&b, c, name, answer, MIN(size, ANSWER_BYTES_MAX), d) : OK;
    if (e != OK) {
        sd_build_abandon(&b);
        return e;
    }
    TRY(sd_build_end(&b, &targets));
    sd_put(p, name, targets);
    return OK;
}

static err refresh(struct sd_provider *p, void *answer, struct diag *d)
{
    err first = OK;
    for (size_t i = 0; i < p->sd->dns->names.count && !sd_stopping(p); i++) {
        err e = look_up(p, p->sd->dns->names.items[i], answer, d);
        sd_stats_count(sd_stats_of(p), SD_DNS_LOOKUPS);
        if (e != OK)
            sd_stats_count(sd_stats_of(p), SD_DNS_FAILURES);
        first = first != OK ? first : e;
    }
    return first;
}

void sd_dns_run(struct sd_provider *p)
{
    uint8_t *answer = mem_alloc(ANSWER_BYTES_MAX);
    sd_refresh(p, p->sd->dns->refresh_interval_ms, refresh, answer);
    mem_free(answer);
}
