/* peers.h -- how many connections each client address has: an IPv4 address, or the /64 of an IPv6
 * one. Not thread-safe. */
#ifndef HTTP_PEERS_H
#define HTTP_PEERS_H

#include <stdint.h>

struct sockaddr;
struct peers;

struct peer {
    struct peer *next;
    uint8_t key[8];
    unsigned family, connections;
    unsigned verifying; /* passwords of this client being checked or waiting for it */
};

struct peers *peers_open(void);
void peers_close(struct peers *p); /* NULL is allowed */

/* The client of an address with a connection, or NULL. */
struct peer *peers_find(struct peers *p, const struct sockaddr *address);
/* A connection of the client opens (never NULL) and closes. */
struct peer *peers_enter(struct peers *p, const struct sockaddr *address);
void peers_leave(struct peers *p, struct peer *peer);

#endif
