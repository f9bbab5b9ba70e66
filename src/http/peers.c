/* peers.c -- see peers.h: a hash table with chains, as many entries as there are connections. */
#include "http/peers.h"

#include <netinet/in.h>
#include <string.h>

#include "base/mem.h"

enum { SLOTS = 1024 };

struct peers {
    struct peer *slots[SLOTS];
};

struct peers *peers_open(void)
{
    return mem_zalloc(1, sizeof(struct peers));
}

void peers_close(struct peers *p)
{
    for (unsigned i = 0; p != NULL && i < SLOTS; i++)
        for (struct peer *k = p->slots[i], *next; k != NULL; k = next) {
            next = k->next;
            mem_free(k);
        }
    mem_free(p);
}

static struct peer key_of(const struct sockaddr *address)
{
    struct peer k = {.family = address != NULL ? address->sa_family : AF_UNSPEC};
    if (k.family == AF_INET)
        memcpy(k.key, &((const struct sockaddr_in *)(const void *)address)->sin_addr, 4);
    else if (k.family == AF_INET6)
        memcpy(k.key, &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr, 8);
    return k;
}

static struct peer **slot_of(struct peers *p, const struct peer *key)
{
    uint64_t n;
    memcpy(&n, key->key, sizeof(n));
    return &p->slots[(n * UINT64_C(0x9e3779b97f4a7c15) >> 32) % SLOTS];
}

static struct peer *find(struct peers *p, const struct peer *key)
{
    struct peer *k = *slot_of(p, key);
    while (k != NULL && (k->family != key->family || memcmp(k->key, key->key, 8) != 0))
        k = k->next;
    return k;
}

struct peer *peers_find(struct peers *p, const struct sockaddr *address)
{
    struct peer key = key_of(address);
    return find(p, &key);
}

struct peer *peers_enter(struct peers *p, const struct sockaddr *address)
{
    struct peer key = key_of(address), *k = find(p, &key);
    if (k == NULL) {
        struct peer **slot = slot_of(p, &key);
        k = mem_alloc(sizeof(*k));
        *k = key;
        k->next = *slot;
        *slot = k;
    }
    k->connections++;
    return k;
}

void peers_leave(struct peers *p, struct peer *peer)
{
    if (--peer->connections > 0)
        return;
    struct peer **at = slot_of(p, peer);
    while (*at != peer)
        at = &(*at)->next;
    *at = peer->next;
    mem_free(peer);
}
