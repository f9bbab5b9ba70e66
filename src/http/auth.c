/* auth.c -- see auth.h. */
#include "http/auth.h"

#include <stdatomic.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"
#include "http/digest.h"
#include "http/tls.h"

enum { AUTH_ARENA_BYTES_MAX = 32 << 20, KEY_SIZE = 32, KNOWN_SETS = 256, KNOWN_WAYS = 4 };

struct stamp { /* of a file: when it differs the file is read again */
    struct timespec changed;
    off_t size;
    ino_t inode;
};

struct outcome {
    err e;
    struct diag d;
};

struct rules { /* what the files say; counted */
    atomic_uint refs;
    struct arena arena;
    struct web_config web;
    struct web_tokens tokens;
};

struct known { /* a password that was right */
    uint8_t key[SHA256_SIZE];
    bool used;
};

struct auth {
    char *web_path, *token_path;
    bool has_tls;
    struct mutex refreshing; /* one refresh at a time; rank: before `lock` and that of tls.c */
    struct stamp web_stamp, token_stamp; /* guarded by `refreshing`, as is what follows */
    struct outcome files, certificate;   /* of the last look at what had changed */
    struct mutex lock;                   /* guards what follows; rank: leaf */
    struct rules *rules;
    struct auth_counters counters;
    uint8_t secret[KEY_SIZE]; /* of this process: cached keys mean nothing elsewhere */
    struct known known[KNOWN_SETS * KNOWN_WAYS];
    size_t next_known;
};

/* ---- Files ---- */

static struct stamp stamp_of(const char *path)
{
    struct stat st;
    if (path[0] == '\0' || stat(path, &st) != 0)
        return (struct stamp){.size = -1};
    return (struct stamp){st.st_mtim, st.st_size, st.st_ino};
}

static bool stamp_eq(struct stamp a, struct stamp b)
{
    return a.changed.tv_sec == b.changed.tv_sec && a.changed.tv_nsec == b.changed.tv_nsec &&
           a.size == b.size && a.inode == b.inode;
}

static void rules_put(struct rules *r)
{
    if (r == NULL || atomic_fetch_sub_explicit(&r->refs, 1, memory_order_acq_rel) > 1)
        return;
    arena_fini(&r->arena);
    mem_free(r);
}

static err rules_load(const struct auth *a, struct rules **out, struct diag *d)
{
    struct rules *r = mem_zalloc(1, sizeof(*r));
    err e = OK;
    atomic_store_explicit(&r->refs, 1, memory_order_relaxed);
    arena_init(&r->arena, AUTH_ARENA_BYTES_MAX);
    if (a->web_path[0] != '\0')
        e = web_config_load(a->web_path, &r->arena, &r->web, d);
    if (e == OK && a->token_path[0] != '\0')
        e = web_tokens_load(a->token_path, &r->arena, &r->tokens, d);
    if (e != OK)
        rules_put(r);
    else
        *out = r;
    return e;
}

static err use_tls(const struct auth *a, const struct rules *r, struct diag *d)
{
    if (r->web.has_tls != a->has_tls)
        return diag_set(d, ERR_INVALID, "%s: TLS can be switched on and off at a start only",
                        a->web_path);
    return a->has_tls ? tls_use(&r->web.tls, d) : OK;
}

static void put_in_force(struct auth *a, struct rules *fresh)
{
    mutex_lock(&a->lock);
    struct rules *old = a->rules;
    a->rules = fresh;
    mutex_unlock(&a->lock);
    rules_put(old);
}

/* What a look at files came to; told when it is news. */
static void note(struct auth *a, struct outcome *last, err e, const struct diag *d,
                 const char *good, const char *bad)
{
    bool news = e == OK || last->e == OK || strcmp(last->d.text, d->text) != 0;
    *last = (struct outcome){e, *d};
    if (!news)
        return;
    if (e == OK)
        log_info(good);
    else
        log_error(bad, LOG_CSTR("reason", d->text));
    mutex_lock(&a->lock);
    a->counters.reloads_failed += e != OK;
    a->counters.last_reload_ok = a->files.e == OK && a->certificate.e == OK;
    mutex_unlock(&a->lock);
}

static void reload(struct auth *a)
{
    struct diag d = {.text = ""};
    struct rules *fresh = NULL;
    err e = rules_load(a, &fresh, &d);
    if (e == OK)
        e = use_tls(a, fresh, &d);
    if (e == OK)
        put_in_force(a, fresh);
    else
        rules_put(fresh);
    note(a, &a->files, e, &d, "web configuration read again",
         "the web configuration is wrong; what was in force stays");
}

static struct rules *rules_get(struct auth *a)
{
    mutex_lock(&a->lock);
    struct rules *r = a->rules;
    (void)atomic_fetch_add_explicit(&r->refs, 1, memory_order_relaxed);
    mutex_unlock(&a->lock);
    return r;
}

/* A renewed certificate, under the names the configuration has. */
static void renew_certificate(struct auth *a)
{
    struct diag d = {.text = ""};
    struct rules *r = rules_get(a);
    if (tls_changed(&r->web.tls)) {
        err e = tls_use(&r->web.tls, &d);
        note(a, &a->certificate, e, &d, "TLS files read again",
             "renewed TLS files are wrong; the old ones stay in force");
    }
    rules_put(r);
}

err auth_refresh(struct auth *a, struct diag *d)
{
    mutex_lock(&a->refreshing);
    struct stamp web = stamp_of(a->web_path), tokens = stamp_of(a->token_path);
    if (!stamp_eq(web, a->web_stamp) || !stamp_eq(tokens, a->token_stamp)) {
        a->web_stamp = web;
        a->token_stamp = tokens;
        reload(a);
    }
    if (a->has_tls)
        renew_certificate(a);
    const struct outcome *last = a->files.e != OK ? &a->files : &a->certificate;
    err e = last->e;
    if (e != OK)
        *d = last->d;
    mutex_unlock(&a->refreshing);
    return e;
}

/* ---- Passwords ---- */

struct credentials {
    struct buf text; /* user:password */
    str user, password;
};

static bool has_scheme(str header, const char *scheme)
{
    size_t n = strlen(scheme);
    return header.len > n && strncasecmp(header.ptr, scheme, n) == 0 && header.ptr[n] == ' ';
}

static bool credentials_read(str header, struct credentials *out)
{
    *out = (struct credentials){0};
    str text = {header.ptr + 6, header.len - 6};
    if (digest_base64_decode(text, &out->text) != OK)
        return false;
    str both = buf_str(&out->text);
    const char *colon = both.len > 0 ? memchr(both.ptr, ':', both.len) : NULL;
    if (colon == NULL)
        return false;
    out->user = (str){both.ptr, (size_t)(colon - both.ptr)};
    out->password = (str){colon + 1, both.len - out->user.len - 1};
    return true;
}

static void credentials_fini(struct credentials *c)
{
    if (c->text.len > 0)
        explicit_bzero(c->text.ptr, c->text.len);
    buf_fini(&c->text);
}

static const struct pair *user_find(const struct rules *r, str user)
{
    for (size_t i = 0; i < r->web.users.count; i++)
        if (str_eq(r->web.users.items[i].name, user))
            return &r->web.users.items[i];
    return NULL;
}

static void put_counted(struct buf *b, str s)
{
    uint64_t n = s.len;
    buf_put(b, &n, sizeof(n));
    buf_put_str(b, s);
}

/* What a right password is remembered by: lengths first, so that no two triples are one. */
static err cache_key(const struct auth *a, const struct credentials *c, str hash,
                     uint8_t out[SHA256_SIZE])
{
    struct buf b = {0};
    put_counted(&b, c->user);
    put_counted(&b, hash);
    put_counted(&b, c->password);
    err e = digest_hmac((slice){a->secret, sizeof(a->secret)}, buf_slice(&b), out);
    explicit_bzero(b.ptr, b.len);
    buf_fini(&b);
    return e;
}

/* The keys are keyed hashes: where one lies tells nothing. */
static struct known *known_set(struct auth *a, const uint8_t key[SHA256_SIZE])
{
    return &a->known[(size_t)(key[0] % KNOWN_SETS) * KNOWN_WAYS];
}

static bool is_known(struct auth *a, const uint8_t key[SHA256_SIZE])
{
    bool found = false;
    mutex_lock(&a->lock);
    const struct known *set = known_set(a, key);
    for (size_t i = 0; i < KNOWN_WAYS; i++)
        found |= set[i].used && digest_equal(set[i].key, key, SHA256_SIZE);
    mutex_unlock(&a->lock);
    return found;
}

static void remember(struct auth *a, const uint8_t key[SHA256_SIZE])
{
    mutex_lock(&a->lock);
    struct known *k = known_set(a, key) + a->next_known++ % KNOWN_WAYS;
    memcpy(k->key, key, SHA256_SIZE);
    k->used = true;
    mutex_unlock(&a->lock);
}

/* What the password of a user that does not exist is compared with: the dearest hash there is, so
 * that nobody learns from the time who exists. (All of them should have one cost.) */
static str hash_of_nobody(const struct rules *r)
{
    const struct pair *dearest = &r->web.users.items[0];
    for (size_t i = 1; i < r->web.users.count; i++)
        if (memcmp(r->web.users.items[i].value.ptr + 4, dearest->value.ptr + 4, 2) > 0)
            dearest = &r->web.users.items[i];
    return dearest->value;
}

static bool verify(struct auth *a, str password, str hash)
{
    mutex_lock(&a->lock);
    a->counters.verifications++;
    mutex_unlock(&a->lock);
    return digest_bcrypt_matches(password, hash);
}

static enum auth_verdict check_password(struct auth *a, const struct rules *r, str header,
                                        bool compute)
{
    struct credentials c;
    uint8_t key[SHA256_SIZE];
    enum auth_verdict verdict = AUTH_UNKNOWN;
    if (r->web.users.count > 0 && credentials_read(header, &c)) {
        const struct pair *user = user_find(r, c.user);
        str hash = user != NULL ? user->value : hash_of_nobody(r);
        bool keyed = cache_key(a, &c, hash, key) == OK;
        if (user != NULL && keyed && is_known(a, key)) {
            verdict = AUTH_ALLOWED;
        } else if (!compute) {
            verdict = AUTH_PASSWORD;
        } else if (verify(a, c.password, hash) && user != NULL) {
            verdict = AUTH_ALLOWED;
            if (keyed)
                remember(a, key);
        }
    }
    if (r->web.users.count > 0)
        credentials_fini(&c);
    return verdict;
}

/* ---- Tokens ---- */

static enum auth_verdict check_token(const struct rules *r, str token, unsigned scope)
{
    uint8_t sum[SHA256_SIZE];
    const struct web_token *found = NULL;
    if (digest_sha256(str_bytes(token), sum) != OK)
        return AUTH_UNKNOWN;
    for (size_t i = 0; i < r->tokens.count; i++)
        if (digest_equal(r->tokens.items[i].sha256, sum, SHA256_SIZE))
            found = &r->tokens.items[i];
    if (found == NULL)
        return AUTH_UNKNOWN;
    return (found->scopes & scope) != 0 ? AUTH_ALLOWED : AUTH_REFUSED;
}

/* A file of tokens that has none lets nobody in; a web configuration without users asks nobody, as
 * upstream. */
static bool asks(const struct auth *a, const struct rules *r)
{
    return r->web.users.count > 0 || a->token_path[0] != '\0';
}

static enum auth_verdict decide(struct auth *a, str header, unsigned scope, bool compute)
{
    struct rules *r = rules_get(a);
    enum auth_verdict verdict = AUTH_UNKNOWN;
    if (!asks(a, r))
        verdict = AUTH_ALLOWED;
    else if (header.len > AUTH_HEADER_MAX)
        verdict = AUTH_UNKNOWN;
    else if (has_scheme(header, "Bearer"))
        verdict = check_token(r, (str){header.ptr + 7, header.len - 7}, scope);
    else if (has_scheme(header, "Basic"))
        verdict = check_password(a, r, header, compute);
    rules_put(r);
    return verdict;
}

enum auth_verdict auth_check(struct auth *a, str authorization, unsigned scope)
{
    return decide(a, authorization, scope, false);
}

enum auth_verdict auth_verify(struct auth *a, str authorization, unsigned scope)
{
    return decide(a, authorization, scope, true);
}

bool auth_is_on(struct auth *a)
{
    struct rules *r = rules_get(a);
    bool on = asks(a, r);
    rules_put(r);
    return on;
}

const char *auth_challenge(struct auth *a)
{
    struct rules *r = rules_get(a);
    const char *challenge = r->web.users.count > 0 ? "Basic" : "Bearer";
    rules_put(r);
    return challenge;
}

bool auth_has_tls(const struct auth *a)
{
    return a->has_tls;
}

struct auth_counters auth_counters_of(struct auth *a)
{
    mutex_lock(&a->lock);
    struct auth_counters c = a->counters;
    mutex_unlock(&a->lock);
    return c;
}

void auth_with_config(struct auth *a, void (*fn)(void *arg, const struct web_config *w), void *arg)
{
    struct rules *r = rules_get(a);
    fn(arg, &r->web);
    rules_put(r);
}

/* ---- Life ---- */

static char *copy_of(const char *s)
{
    size_t n = strlen(s) + 1;
    return memcpy(mem_alloc(n), s, n);
}

err auth_open(const char *web_config_path, const char *token_path, struct auth **out,
              struct diag *d)
{
    struct auth *a = mem_zalloc(1, sizeof(*a));
    a->web_path = copy_of(web_config_path);
    a->token_path = copy_of(token_path);
    mutex_init(&a->lock);
    mutex_init(&a->refreshing);
    a->counters.last_reload_ok = true;
    a->web_stamp = stamp_of(web_config_path);
    a->token_stamp = stamp_of(token_path);
    err e = rules_load(a, &a->rules, d);
    if (e == OK) {
        a->has_tls = a->rules->web.has_tls;
        e = use_tls(a, a->rules, d);
    }
    if (e == OK && digest_random(a->secret, sizeof(a->secret)) != OK)
        e = diag_set(d, ERR_IO, "no random bytes for the password cache");
    if (e != OK) {
        auth_close(a);
        return e;
    }
    *out = a;
    return OK;
}

void auth_close(struct auth *a)
{
    if (a == NULL)
        return;
    rules_put(a->rules);
    if (a->has_tls)
        tls_forget();
    mutex_fini(&a->lock);
    mutex_fini(&a->refreshing);
    explicit_bzero(a->secret, sizeof(a->secret));
    mem_free(a->web_path);
    mem_free(a->token_path);
    mem_free(a);
}
