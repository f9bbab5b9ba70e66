/* listen.c -- the listening socket. */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http/server_priv.h"

err server_listen(const char *address, int *out, unsigned *port, struct diag *d)
{
    char host[256] = "";
    const char *colon = strrchr(address, ':');
    if (colon == NULL || strlen(address) >= sizeof(host) || colon[1] == '\0')
        return diag_set(d, ERR_INVALID, "listen address \"%s\" is not host:port", address);
    size_t n = (size_t)(colon - address);
    bool brackets = n >= 2 && address[0] == '[' && address[n - 1] == ']';
    memcpy(host, address + (brackets ? 1 : 0), n - (brackets ? 2 : 0));
    struct addrinfo hints = {
        .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    struct addrinfo *found = NULL;
    int rc = getaddrinfo(host[0] != '\0' ? host : NULL, colon + 1, &hints, &found);
    if (rc != 0)
        return diag_set(d, ERR_INVALID, "listen address \"%s\": %s", address, gai_strerror(rc));
    int fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int on = 1;
    bool ok = fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 &&
              bind(fd, found->ai_addr, found->ai_addrlen) == 0 && listen(fd, 1024) == 0;
    int failed = errno;
    freeaddrinfo(found);
    if (!ok) {
        char text[128] = "";
        if (fd >= 0)
            (void)close(fd);
        return diag_set(d, ERR_IO, "listen on %s: %s", address,
                        strerror_r(failed, text, sizeof(text)));
    }
    struct sockaddr_storage bound;
    socklen_t size = sizeof(bound);
    if (getsockname(fd, (struct sockaddr *)&bound, &size) == 0) /* both families keep it there */
        *port = ntohs(((struct sockaddr_in *)&bound)->sin_port);
    *out = fd;
    return OK;
}
