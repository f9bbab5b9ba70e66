/* smtp_stub.c -- see smtp_stub.h. */
#include "support/smtp_stub.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/thread.h"

struct smtp_stub {
    struct smtp_stub_options o;
    int listener;
    unsigned port;
    pthread_t thread;
    struct mutex lock; /* guards text; rank: leaf */
    struct buf text;
};

struct session {
    struct smtp_stub *s;
    int fd;
    struct buf in;
    char line[4096];
};

static bool say(const struct session *c, const char *text)
{
    return send(c->fd, text, strlen(text), MSG_NOSIGNAL) == (ssize_t)strlen(text);
}

/* The next line, without its end; remembered. False: there is none. */
static bool hear(struct session *c)
{
    const char *end;
    while ((end = c->in.len > 0 ? memchr(c->in.ptr, '\n', c->in.len) : NULL) == NULL) {
        ssize_t n = read(c->fd, buf_reserve(&c->in, 4096), 4096);
        if (n <= 0)
            return false;
        c->in.len += (size_t)n;
    }
    size_t size = (size_t)(end - (const char *)c->in.ptr) + 1;
    mutex_lock(&c->s->lock);
    buf_put(&c->s->text, c->in.ptr, size);
    mutex_unlock(&c->s->lock);
    (void)snprintf(c->line, sizeof(c->line), "%.*s", (int)size, (const char *)c->in.ptr);
    c->line[strcspn(c->line, "\r\n")] = '\0';
    memmove(c->in.ptr, c->in.ptr + size, c->in.len - size);
    c->in.len -= size;
    return true;
}

static bool is_command(const struct session *c, const char *name)
{
    return strncasecmp(c->line, name, strlen(name)) == 0;
}

static bool hello(const struct session *c)
{
    char text[256];
    if (c->s->o.auth == NULL)
        return say(c, "250-stub\r\n250 SIZE 1000000\r\n");
    (void)snprintf(text, sizeof(text), "250-stub\r\n250 AUTH %s\r\n", c->s->o.auth);
    return say(c, text);
}

static bool login(struct session *c)
{
    if (is_command(c, "AUTH CRAM-MD5"))
        return say(c, "334 PHN0dWI+\r\n") && hear(c) && say(c, "235 in\r\n");
    if (is_command(c, "AUTH LOGIN"))
        return say(c, "334 VXNlcm5hbWU6\r\n") && hear(c) && say(c, "334 UGFzc3dvcmQ6\r\n") &&
               hear(c) && say(c, "235 in\r\n");
    bool initial = strlen(c->line) > strlen("AUTH PLAIN ");
    return (initial || (say(c, "334 \r\n") && hear(c))) && say(c, "235 in\r\n");
}

static bool message(struct session *c)
{
    if (!say(c, "354 go on\r\n"))
        return false;
    do {
        if (!hear(c))
            return false;
    } while (strcmp(c->line, ".") != 0);
    return say(c, "250 taken\r\n");
}

static void serve(struct smtp_stub *s, int fd)
{
    struct session c = {.s = s, .fd = fd};
    bool on = s->o.silent || say(&c, "220 stub\r\n");
    while (on && hear(&c)) {
        if (s->o.silent)
            continue;
        if (s->o.refuse != NULL && is_command(&c, s->o.refuse))
            on = say(&c, "550 5.1.1 refused, says the stub\r\n");
        else if (is_command(&c, "EHLO"))
            on = hello(&c);
        else if (is_command(&c, "AUTH"))
            on = login(&c);
        else if (is_command(&c, "DATA"))
            on = message(&c);
        else if (is_command(&c, "QUIT"))
            on = !say(&c, "221 bye\r\n");
        else
            on = say(&c, "250 ok\r\n");
    }
    buf_fini(&c.in);
    (void)close(fd);
}

static void *run(void *arg)
{
    struct smtp_stub *s = arg;
    for (;;) {
        int fd = accept(s->listener, NULL, NULL);
        if (fd < 0)
            return NULL;
        serve(s, fd);
    }
}

struct smtp_stub *smtp_stub_open(const struct smtp_stub_options *o)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(a);
    struct smtp_stub *s = mem_zalloc(1, sizeof(*s));
    s->o = *o;
    mutex_init(&s->lock);
    s->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (s->listener < 0 || bind(s->listener, (struct sockaddr *)&a, size) != 0 ||
        listen(s->listener, 16) != 0 ||
        getsockname(s->listener, (struct sockaddr *)&a, &size) != 0 ||
        thread_start(&s->thread, "smtp stub", run, s) != OK)
        abort();
    s->port = ntohs(a.sin_port);
    return s;
}

void smtp_stub_close(struct smtp_stub *s)
{
    (void)shutdown(s->listener, SHUT_RDWR);
    thread_join(s->thread);
    (void)close(s->listener);
    buf_fini(&s->text);
    mutex_fini(&s->lock);
    mem_free(s);
}

unsigned smtp_stub_port(const struct smtp_stub *s)
{
    return s->port;
}

const char *smtp_stub_text(struct smtp_stub *s)
{
    mutex_lock(&s->lock);
    const char *text = buf_cstr(&s->text);
    mutex_unlock(&s->lock);
    return text;
}
