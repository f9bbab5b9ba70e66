/* http_multi.c -- see http_multi.h. */
#include "base/http_multi.h"

#include <curl/curl.h>

#include "base/clock.h"
#include "base/http_client_priv.h"
#include "base/mem.h"

struct entry {
    struct http_call call;
    struct http_reply reply;
    struct diag d;
    void *tag;
    err e;
    bool done, added;
    struct entry *next;
};

struct http_multi {
    CURLM *multi;
    struct entry *entries;
};

struct http_multi *http_multi_open(void)
{
    struct http_multi *m = mem_zalloc(1, sizeof(*m));
    http_library_init();
    m->multi = curl_multi_init();
    return m;
}

static void entry_free(struct http_multi *m, struct entry *e)
{
    if (e->added)
        (void)curl_multi_remove_handle(m->multi, e->call.easy);
    http_call_end(&e->call);
    http_reply_fini(&e->reply);
    mem_free(e);
}

void http_multi_close(struct http_multi *m)
{
    if (m == NULL)
        return;
    while (m->entries != NULL) {
        struct entry *e = m->entries;
        m->entries = e->next;
        entry_free(m, e);
    }
    (void)curl_multi_cleanup(m->multi);
    mem_free(m);
}

static void add(struct http_multi *m, struct entry *e)
{
    (void)curl_easy_setopt(e->call.easy, CURLOPT_PRIVATE, (char *)e);
    e->added = curl_multi_add_handle(m->multi, e->call.easy) == CURLM_OK;
    if (!e->added) {
        e->e = diag_set(&e->d, ERR_IO, "no memory for a transfer");
        e->done = true;
    }
}

void http_multi_start(struct http_multi *m, struct http_client *c,
                      const struct http_request_options *o, void *tag)
{
    struct entry *e = mem_zalloc(1, sizeof(*e));
    struct http_request_options own = *o;
    own.canceled = NULL;
    e->tag = tag;
    e->next = m->entries;
    m->entries = e;
    e->e = m->multi != NULL ? http_call_begin(&e->call, c, &own, &e->reply, &e->d) : ERR_IO;
    e->done = e->e != OK;
    if (!e->done)
        add(m, e);
}

void http_multi_cancel(struct http_multi *m, const void *tag)
{
    for (struct entry **place = &m->entries; *place != NULL;) {
        struct entry *e = *place;
        if (e->tag != tag) {
            place = &e->next;
            continue;
        }
        *place = e->next;
        entry_free(m, e);
    }
}

/* Take note of transfers that ended; those that are redirected go on. */
static void collect(struct http_multi *m)
{
    CURLMsg *msg;
    int left;
    while ((msg = curl_multi_info_read(m->multi, &left)) != NULL) {
        struct entry *e = NULL;
        bool again = false;
        if (msg->msg != CURLMSG_DONE)
            continue;
        int code = (int)msg->data.result;
        (void)curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, (char **)&e);
        (void)curl_multi_remove_handle(m->multi, e->call.easy);
        e->added = false;
        e->e = http_call_done(&e->call, code, &again, &e->d);
        e->done = e->e != OK || !again;
        if (!e->done)
            add(m, e);
    }
}

static bool take_done(struct http_multi *m, struct http_multi_result *out)
{
    for (struct entry **place = &m->entries; *place != NULL; place = &(*place)->next) {
        struct entry *e = *place;
        if (!e->done)
            continue;
        *place = e->next;
        *out = (struct http_multi_result){e->tag, e->e, e->d, e->reply};
        e->reply = (struct http_reply){0};
        entry_free(m, e);
        return true;
    }
    return false;
}

bool http_multi_wait(struct http_multi *m, int wake_fd, int64_t timeout_ms,
                     struct http_multi_result *out)
{
    uint64_t until = clock_mono_ns() + (uint64_t)MAX(timeout_ms, 0) * 1000000;
    for (;;) {
        int running;
        if (m->multi != NULL)
            (void)curl_multi_perform(m->multi, &running);
        collect(m);
        if (take_done(m, out))
            return true;
        uint64_t now = clock_mono_ns();
        if (now >= until)
            return false;
        struct curl_waitfd wake = {.fd = wake_fd, .events = CURL_WAIT_POLLIN};
        int left_ms = (int)MIN((until - now) / 1000000 + 1, 60000);
        (void)curl_multi_poll(m->multi, &wake, wake_fd >= 0 ? 1 : 0, left_ms, NULL);
        if (wake_fd >= 0 && wake.revents != 0)
            return false;
    }
}
