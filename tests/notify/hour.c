/* hour.c -- the engine and those who speak to providers on time that is told: `hour CONFIG DIR URL
 * MS` opens the engine at MS, then reads lines and obeys:
 *
 *   MS alerts JSON      what is posted to /api/v2/alerts
 *   MS silence JSON     what is posted to /api/v2/silences; the answer is "done ID"
 *   MS end ID           the silence ends
 *   MS pass             time goes by
 *
 * What is due before that moment is sent first. "send MS" says that a request follows, which waits
 * for a line, so that the provider knows what time it is; "done" is the answer to each line. It is
 * run by tests/e2e/replay_hour.py. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/http_client.h"
#include "base/mem.h"
#include "http/postable.h"
#include "notify/notifiers.h"

enum { LINE_BYTES_MAX = 1 << 20 };

struct hour {
    struct engine *e;
    int64_t tick_ms; /* groups without alerts go then, and each ENGINE_GC_MS */
    char *line;
};

static _Noreturn void die(const char *what, const char *why)
{
    fprintf(stderr, "%s: %s\n", what, why);
    exit(1);
}

static char *next_line(struct hour *h)
{
    if (fgets(h->line, LINE_BYTES_MAX, stdin) == NULL)
        return NULL;
    h->line[strcspn(h->line, "\n")] = '\0';
    return h->line;
}

static void send_one(struct hour *h, struct delivery *d, int64_t now_ms)
{
    const struct notification *n = delivery_notification(d);
    struct notifier who = notifiers_of(delivery_companion(d), n->kind);
    struct diag why = {.text = ""};
    printf("send %lld\n", (long long)now_ms);
    fflush(stdout);
    if (next_line(h) == NULL)
        die("stdin", "ended within a send");
    struct notify_result result = who.send(who.arg, n, &why);
    if (result.outcome == NOTIFY_FAILED)
        fprintf(stderr, "at %lld: %s\n", (long long)now_ms, why.text);
    engine_done(h->e, d, result, now_ms);
    if (engine_sync(h->e) != OK)
        die("sync", "failed");
}

static void run_until(struct hour *h, int64_t at_ms)
{
    for (;;) {
        int64_t now_ms = MIN(engine_next_ms(h->e), h->tick_ms);
        if (now_ms >= at_ms)
            break;
        if (now_ms == h->tick_ms)
            h->tick_ms += ENGINE_GC_MS;
        now_ms = MAX(now_ms, clock_wall_ms());
        clock_set_for_test(now_ms);
        for (struct delivery *d; (d = engine_take(h->e, now_ms)) != NULL;)
            send_one(h, d, now_ms);
    }
    clock_set_for_test(at_ms);
}

static void put_alerts(struct hour *h, str body, int64_t now_ms)
{
    struct postable_alerts p;
    struct postable_error e = {0};
    if (postable_alerts_parse(str_bytes(body), now_ms, &p, &e) != OK)
        die("alerts", e.d.text);
    if (p.invalid > 0)
        die("alerts", buf_cstr(&p.errors));
    if (engine_put(h->e, p.items, p.count, now_ms) != OK)
        die("alerts", "too many");
    postable_alerts_fini(&p);
}

static void put_silence(struct hour *h, str body, int64_t now_ms, char id[SILENCE_ID_SIZE + 1])
{
    struct postable_silence p;
    struct postable_error e = {0};
    struct diag d = {.text = ""};
    str made;
    if (postable_silence_parse(str_bytes(body), &p, &e) != OK)
        die("silence", e.d.text);
    if (silences_set(engine_silences(h->e), &p.silence, now_ms, &made, &d) != OK)
        die("silence", d.text);
    memcpy(id, made.ptr, MIN(made.len, (size_t)SILENCE_ID_SIZE));
    postable_silence_fini(&p);
}

static void obey(struct hour *h, char *line)
{
    char *rest, id[SILENCE_ID_SIZE + 1] = "";
    int64_t at_ms = strtoll(line, &rest, 10);
    char *word = strdup(rest + (*rest == ' ')); /* the line is read over by sends */
    char *what = strchr(word, ' ');
    if (what != NULL)
        *what++ = '\0';
    run_until(h, at_ms);
    if (strcmp(word, "alerts") == 0)
        put_alerts(h, str_from(what), at_ms);
    else if (strcmp(word, "silence") == 0)
        put_silence(h, str_from(what), at_ms, id);
    else if (strcmp(word, "end") == 0) {
        if (silences_expire(engine_silences(h->e), str_from(what), at_ms) != OK)
            die("end", what);
    } else if (strcmp(word, "pass") != 0)
        die("not understood", word);
    free(word);
    printf("done %s\n", id);
    fflush(stdout);
}

static void drop_notifiers(void *arg)
{
    notifiers_close(arg);
}

static struct engine *open_engine(char **argv, int64_t now_ms)
{
    struct alertmanager_file *f;
    struct notifiers *all;
    struct engine *e;
    struct diag d = {.text = ""};
    const struct notifiers_options no = {.external_url = str_from(argv[3]), .version = STR("1")};
    const struct engine_options eo = {
        .fs = fs_posix(), .dir = argv[2], .retention_ms = INT64_C(432000000), .seed = 1};
    if (alertmanager_config_load(argv[1], &f, &d) != OK || notifiers_open(&no, f, &all, &d) != OK)
        die(argv[1], d.text);
    const struct engine_companion companion = {.arg = all, .drop = drop_notifiers};
    if (engine_open(&eo, f, companion, now_ms, &e, &d) != OK)
        die(argv[2], d.text);
    alertmanager_config_unref(f);
    return e;
}

int main(int argc, char **argv)
{
    if (argc != 5)
        die("usage", "hour CONFIG DIR URL MS");
    int64_t now_ms = strtoll(argv[4], NULL, 10);
    http_library_init();
    clock_set_for_test(now_ms);
    struct hour h = {open_engine(argv, now_ms), now_ms + ENGINE_GC_MS,
                     mem_zalloc(LINE_BYTES_MAX, 1)};
    for (char *line; (line = next_line(&h)) != NULL;)
        obey(&h, line);
    engine_close(h.e);
    mem_free(h.line);
    return 0;
}
