/* senders.c -- see senders.h. */
#include "notify/senders.h"

#include "base/clock.h"
#include "base/compiler.h"
#include "base/mem.h"
#include "base/thread.h"

struct job {
    struct delivery *delivery;
    struct job *next;
};

struct lane { /* lives while it has jobs or senders */
    const void *key;
    struct job *first, **last;
    unsigned sending;
    struct lane *next;
};

struct senders {
    void (*send)(void *arg, struct delivery *d);
    void *arg;
    struct mutex lock; /* guards what follows; rank: leaf */
    struct cond work;  /* a job came, or the end */
    struct cond ended; /* a thread has */
    struct lane *lanes;
    struct senders_count count;
    size_t idle;
    bool closing;
};

/* ---- Lanes; under the lock ---- */

static struct lane *lane_of(struct senders *s, const void *key)
{
    struct lane **place = &s->lanes; /* as many as integrations are busy */
    while (*place != NULL && (*place)->key != key)
        place = &(*place)->next;
    if (*place == NULL) {
        *place = mem_zalloc(1, sizeof(**place));
        (*place)->key = key;
        (*place)->last = &(*place)->first;
    }
    return *place;
}

static void remove_lane(struct senders *s, const struct lane *l)
{
    struct lane **place = &s->lanes;
    while (*place != l)
        place = &(*place)->next;
    *place = l->next;
}

/* A handful of lanes that hang must not have all threads. */
static bool may_have_another(const struct senders *s, const struct lane *l)
{
    return l->sending == 0 ||
           (l->sending < SENDERS_OF_LANE_MAX && s->count.sending < SENDERS_SHARED_MAX);
}

/* Where the first stands that has a job and may have another sender; NULL there: none has. */
static struct lane **find_lane(struct senders *s)
{
    struct lane **place = &s->lanes;
    while (*place != NULL && ((*place)->first == NULL || !may_have_another(s, *place)))
        place = &(*place)->next;
    return place;
}

/* That one; it goes to the end, so that all have their turn. */
static struct lane *next_lane(struct senders *s)
{
    struct lane **place = find_lane(s);
    struct lane *l = *place;
    if (l == NULL)
        return NULL;
    *place = l->next;
    l->next = NULL;
    while (*place != NULL)
        place = &(*place)->next;
    *place = l;
    return l;
}

static struct delivery *take_job(struct senders *s, struct lane *l)
{
    struct job *j = l->first;
    struct delivery *d = j->delivery;
    l->first = j->next;
    if (l->first == NULL)
        l->last = &l->first;
    l->sending++;
    s->count.queued--;
    s->count.sending++;
    mem_free(j);
    return d;
}

static void leave(struct senders *s, struct lane *l)
{
    l->sending--;
    s->count.sending--;
    if (l->sending > 0 || l->first != NULL)
        return;
    remove_lane(s, l);
    mem_free(l);
}

/* ---- Threads ---- */

/* Wait for work; false: there is none for this thread any more. */
static bool wait_for_work(struct senders *s)
{
    uint64_t until_ns = clock_mono_ns() + (uint64_t)SENDERS_IDLE_MS * 1000000;
    if (s->closing && s->count.queued == 0)
        return false;
    s->idle++;
    bool in_time = cond_wait_until(&s->work, &s->lock, until_ns);
    s->idle--;
    return in_time || s->count.queued > 0;
}

static void *sender(void *arg);

/* Another thread, unless there are enough. False: there is none at all. */
static bool start_one(struct senders *s)
{
    pthread_t t;
    if (s->count.threads >= SENDERS_MAX)
        return true;
    s->count.threads++;
    if (thread_start(&t, "notify-send", sender, s) != OK) {
        s->count.threads--;
        return s->count.threads > 0;
    }
    (void)pthread_detach(t);
    return true;
}

/* Who ended one job may have taken one of another lane, and hang there: what may begin now is
 * somebody else's. */
static void pass_on(struct senders *s)
{
    if (*find_lane(s) == NULL)
        return;
    if (s->idle > 0)
        cond_signal(&s->work);
    else
        (void)start_one(s);
}

static void *sender(void *arg)
{
    struct senders *s = arg;
    mutex_lock(&s->lock);
    for (;;) {
        struct lane *l = next_lane(s);
        if (l == NULL) {
            if (!wait_for_work(s))
                break;
            continue;
        }
        struct delivery *d = take_job(s, l);
        pass_on(s);
        mutex_unlock(&s->lock);
        s->send(s->arg, d);
        mutex_lock(&s->lock);
        leave(s, l);
        if (s->closing)
            cond_broadcast(&s->work);
    }
    s->count.threads--;
    cond_signal(&s->ended); /* with the lock: whoever waits frees it */
    mutex_unlock(&s->lock);
    return NULL;
}

struct senders *senders_open(void (*send)(void *arg, struct delivery *d), void *arg)
{
    struct senders *s = mem_zalloc(1, sizeof(*s));
    s->send = send;
    s->arg = arg;
    mutex_init(&s->lock);
    cond_init(&s->work);
    cond_init(&s->ended);
    return s;
}

bool senders_put(struct senders *s, struct delivery *d)
{
    mutex_lock(&s->lock);
    struct lane *l = lane_of(s, delivery_notification(d)->config);
    bool spoken_for = s->idle <= s->count.queued; /* those that wait for work */
    bool can = !may_have_another(s, l) || !spoken_for || start_one(s);
    if (can) {
        struct job *j = mem_zalloc(1, sizeof(*j));
        j->delivery = d;
        *l->last = j;
        l->last = &j->next;
        s->count.queued++;
        cond_signal(&s->work);
    } else if (l->first == NULL && l->sending == 0) {
        remove_lane(s, l);
        mem_free(l);
    }
    mutex_unlock(&s->lock);
    return can;
}

void senders_count(struct senders *s, struct senders_count *out)
{
    mutex_lock(&s->lock);
    *out = s->count;
    mutex_unlock(&s->lock);
}

void senders_close(struct senders *s)
{
    if (s == NULL)
        return;
    mutex_lock(&s->lock);
    s->closing = true;
    cond_broadcast(&s->work);
    while (s->count.threads > 0)
        cond_wait(&s->ended, &s->lock);
    mutex_unlock(&s->lock);
    cond_fini(&s->ended);
    cond_fini(&s->work);
    mutex_fini(&s->lock);
    mem_free(s);
}
