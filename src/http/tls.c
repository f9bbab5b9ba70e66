/* tls.c -- see tls.h. A new session learns versions, suites and what to ask of the client; the
 * library asks for a certificate at every handshake. */
#include "http/tls.h"

#include <arpa/inet.h>
#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/thread.h"

enum {
    PEM_BYTES_MAX = 1 << 20,
    PRIORITIES_BYTES_MAX = 64 << 10,
    CHAIN_MAX = 16,   /* certificates of a chain */
    SAN_MAX = 256,    /* bytes of a name compared */
    RETIRED_MAX = 16, /* identities kept for handshakes that began with them */
};

struct identity {
    gnutls_pcert_st chain[CHAIN_MAX];
    unsigned chain_count;
    gnutls_privkey_t key;
    gnutls_x509_trust_list_t trust; /* NULL: no CA */
    int client_auth;
    char **sans;
    size_t san_count;
    struct arena arena; /* of `priorities` */
    const char *priorities;
};

struct file_stamp {
    struct timespec changed;
    ino_t inode;
};

static struct {
    struct mutex lock; /* guards all; rank: leaf */
    struct identity *now, *retired[RETIRED_MAX];
    size_t next_retired;
    struct file_stamp stamps[3];
} tls;

static pthread_once_t tls_once = PTHREAD_ONCE_INIT;

static void tls_init(void)
{
    mutex_init(&tls.lock);
}

/* ---- Loading ---- */

static void identity_free(struct identity *id)
{
    if (id == NULL)
        return;
    for (unsigned i = 0; i < id->chain_count; i++)
        gnutls_pcert_deinit(&id->chain[i]);
    if (id->key != NULL)
        gnutls_privkey_deinit(id->key);
    if (id->trust != NULL)
        gnutls_x509_trust_list_deinit(id->trust, 1);
    for (size_t i = 0; i < id->san_count; i++)
        mem_free(id->sans[i]);
    mem_free(id->sans);
    arena_fini(&id->arena);
    mem_free(id);
}

/* PEM text, from a file or from the configuration itself. */
static err read_pem(str file, str text, struct buf *out, struct diag *d)
{
    if (file.len == 0) {
        buf_put_str(out, text);
        return OK;
    }
    err e = fs_read_file(fs_posix(), file.ptr, PEM_BYTES_MAX, out);
    return e == OK ? OK : diag_set(d, e, "TLS file %s: %s", file.ptr, err_name(e));
}

static gnutls_datum_t datum(const struct buf *b)
{
    return (gnutls_datum_t){b->ptr, (unsigned)b->len};
}

static err wrong(str file, const char *what, int rc, struct diag *d)
{
    return diag_set(d, ERR_INVALID, "%s %s: %s", what, file.len > 0 ? file.ptr : "(inline)",
                    gnutls_strerror(rc));
}

static err load_chain(struct identity *id, const struct tls_server_config *t, struct diag *d)
{
    struct buf pem = {0};
    unsigned count = CHAIN_MAX;
    err e = read_pem(t->cert_file, t->cert, &pem, d);
    if (e == OK) {
        gnutls_datum_t text = datum(&pem);
        int rc =
            gnutls_pcert_list_import_x509_raw(id->chain, &count, &text, GNUTLS_X509_FMT_PEM, 0);
        if (rc != 0)
            e = wrong(t->cert_file, "certificate", rc, d);
        else
            id->chain_count = count;
    }
    buf_fini(&pem);
    return e;
}

static err load_key(struct identity *id, const struct tls_server_config *t, struct diag *d)
{
    struct buf pem = {0};
    err e = read_pem(t->key_file, t->key, &pem, d);
    if (e == OK) {
        gnutls_datum_t text = datum(&pem);
        int rc = gnutls_privkey_init(&id->key);
        if (rc == 0)
            rc = gnutls_privkey_import_x509_raw(id->key, &text, GNUTLS_X509_FMT_PEM, NULL, 0);
        if (rc != 0)
            e = wrong(t->key_file, "private key", rc, d);
    }
    if (pem.len > 0)
        explicit_bzero(pem.ptr, pem.len);
    buf_fini(&pem);
    return e;
}

/* The key must be the certificate's: otherwise every handshake would fail. */
static err check_pair(const struct identity *id, const struct tls_server_config *t, struct diag *d)
{
    gnutls_pubkey_t pub;
    unsigned char a[64], b[64];
    size_t an = sizeof(a), bn = sizeof(b);
    if (gnutls_pubkey_init(&pub) != 0)
        return ERR_LIMIT;
    int rc = gnutls_pubkey_import_privkey(pub, id->key, 0, 0);
    if (rc == 0)
        rc = gnutls_pubkey_get_key_id(pub, GNUTLS_KEYID_USE_SHA256, a, &an);
    if (rc == 0)
        rc = gnutls_pubkey_get_key_id(id->chain[0].pubkey, GNUTLS_KEYID_USE_SHA256, b, &bn);
    gnutls_pubkey_deinit(pub);
    if (rc != 0)
        return wrong(t->key_file, "private key", rc, d);
    if (an != bn || memcmp(a, b, an) != 0)
        return diag_set(d, ERR_INVALID, "private key %s does not match the certificate",
                        t->key_file.len > 0 ? t->key_file.ptr : "(inline)");
    return OK;
}

static err load_ca(struct identity *id, const struct tls_server_config *t, struct diag *d)
{
    struct buf pem = {0};
    if (t->client_ca_file.len == 0 && t->client_ca.len == 0)
        return OK;
    err e = read_pem(t->client_ca_file, t->client_ca, &pem, d);
    if (e == OK) {
        gnutls_datum_t text = datum(&pem);
        int rc = gnutls_x509_trust_list_init(&id->trust, 0);
        if (rc == 0)
            rc = gnutls_x509_trust_list_add_trust_mem(id->trust, &text, NULL, GNUTLS_X509_FMT_PEM,
                                                      0, 0);
        if (rc <= 0)
            e = wrong(t->client_ca_file, "client CA", rc < 0 ? rc : GNUTLS_E_NO_CERTIFICATE_FOUND,
                      d);
    }
    buf_fini(&pem);
    return e;
}

/* What cannot be had together (suites of a version that is off) is told at once. */
static err check_priorities(const char *text, struct diag *d)
{
    gnutls_priority_t cache;
    int rc = gnutls_priority_init(&cache, text, NULL);
    if (rc != 0)
        return diag_set(d, ERR_INVALID, "TLS versions, cipher suites and curves: %s",
                        gnutls_strerror(rc));
    gnutls_priority_deinit(cache);
    return OK;
}

static err identity_load(const struct tls_server_config *t, struct identity **out, struct diag *d)
{
    struct identity *id = mem_zalloc(1, sizeof(*id));
    arena_init(&id->arena, PRIORITIES_BYTES_MAX);
    err e = tls_priorities(t, &id->arena, &id->priorities, d);
    if (e == OK)
        e = check_priorities(id->priorities, d);
    if (e == OK)
        e = load_chain(id, t, d);
    if (e == OK)
        e = load_key(id, t, d);
    if (e == OK)
        e = check_pair(id, t, d);
    if (e == OK)
        e = load_ca(id, t, d);
    if (e != OK) {
        identity_free(id);
        return e;
    }
    id->client_auth = t->client_auth;
    id->sans = mem_zalloc(t->client_allowed_sans.count + 1, sizeof(char *));
    for (; id->san_count < t->client_allowed_sans.count; id->san_count++) {
        str s = t->client_allowed_sans.items[id->san_count];
        char *copy = mem_zalloc(s.len + 1, 1);
        memcpy(copy, s.ptr, s.len);
        id->sans[id->san_count] = copy;
    }
    *out = id;
    return OK;
}

static struct file_stamp stamp_of(str path)
{
    struct stat st;
    if (path.len == 0 || stat(path.ptr, &st) != 0)
        return (struct file_stamp){0};
    return (struct file_stamp){st.st_mtim, st.st_ino};
}

static void stamps_of(const struct tls_server_config *t, struct file_stamp out[3])
{
    out[0] = stamp_of(t->cert_file);
    out[1] = stamp_of(t->key_file);
    out[2] = stamp_of(t->client_ca_file);
}

static bool stamps_eq(const struct file_stamp a[3], const struct file_stamp b[3])
{
    for (int i = 0; i < 3; i++)
        if (a[i].inode != b[i].inode || a[i].changed.tv_sec != b[i].changed.tv_sec ||
            a[i].changed.tv_nsec != b[i].changed.tv_nsec)
            return false;
    return true;
}

/* Handshakes under way may still use the old one. Under the lock. */
static void put_in_force(struct identity *id)
{
    struct identity **slot = &tls.retired[tls.next_retired++ % RETIRED_MAX];
    identity_free(*slot);
    *slot = tls.now;
    tls.now = id;
}

err tls_use(const struct tls_server_config *t, struct diag *d)
{
    struct identity *id;
    struct file_stamp stamps[3];
    (void)pthread_once(&tls_once, tls_init);
    stamps_of(t, stamps);
    TRY(identity_load(t, &id, d));
    mutex_lock(&tls.lock);
    memcpy(tls.stamps, stamps, sizeof(stamps));
    put_in_force(id);
    mutex_unlock(&tls.lock);
    return OK;
}

err tls_check(const struct tls_server_config *t, struct diag *d)
{
    struct identity *id;
    TRY(identity_load(t, &id, d));
    identity_free(id);
    return OK;
}

bool tls_changed(const struct tls_server_config *t)
{
    struct file_stamp stamps[3];
    (void)pthread_once(&tls_once, tls_init);
    stamps_of(t, stamps);
    mutex_lock(&tls.lock);
    bool changed = !stamps_eq(stamps, tls.stamps);
    mutex_unlock(&tls.lock);
    return changed;
}

void tls_forget(void)
{
    (void)pthread_once(&tls_once, tls_init);
    mutex_lock(&tls.lock);
    identity_free(tls.now);
    tls.now = NULL;
    for (size_t i = 0; i < RETIRED_MAX; i++) {
        identity_free(tls.retired[i]);
        tls.retired[i] = NULL;
    }
    mutex_unlock(&tls.lock);
}

/* ---- Handshakes ---- */

static bool san_is_allowed(const struct identity *id, gnutls_x509_crt_t leaf)
{
    if (id->san_count == 0)
        return true;
    for (unsigned seq = 0;; seq++) {
        char name[SAN_MAX];
        size_t size = sizeof(name);
        int rc = gnutls_x509_crt_get_subject_alt_name(leaf, seq, name, &size, NULL);
        if (rc == GNUTLS_E_SHORT_MEMORY_BUFFER)
            continue;
        if (rc < 0)
            return false;
        str got = {name, size};
        char text[64] = "";
        if (rc == GNUTLS_SAN_IPADDRESS &&
            inet_ntop(size == 4 ? AF_INET : AF_INET6, name, text, sizeof(text)) != NULL)
            got = str_from(text);
        for (size_t i = 0; i < id->san_count; i++)
            if (str_eq(got, str_from(id->sans[i])))
                return true;
    }
}

static int verify_chain(const struct identity *id, gnutls_session_t session)
{
    unsigned count = 0, status = 0;
    const gnutls_datum_t *raw = gnutls_certificate_get_peers(session, &count);
    if (raw == NULL && id->client_auth == CLIENT_AUTH_VERIFY_IF_GIVEN)
        return 0;
    gnutls_x509_crt_t chain[CHAIN_MAX];
    unsigned loaded = 0;
    bool good = raw != NULL && count > 0 && count <= CHAIN_MAX;
    for (; good && loaded < count; loaded++) {
        good = gnutls_x509_crt_init(&chain[loaded]) == 0;
        if (!good)
            break;
        if (gnutls_x509_crt_import(chain[loaded], &raw[loaded], GNUTLS_X509_FMT_DER) != 0) {
            gnutls_x509_crt_deinit(chain[loaded]);
            good = false;
            break;
        }
    }
    gnutls_typed_vdata_st purpose = {GNUTLS_DT_KEY_PURPOSE_OID,
                                     (unsigned char *)(uintptr_t)GNUTLS_KP_TLS_WWW_CLIENT, 0};
    if (good)
        good = gnutls_x509_trust_list_verify_crt2(id->trust, chain, count, &purpose, 1, 0, &status,
                                                  NULL) == 0 &&
               status == 0 && san_is_allowed(id, chain[0]);
    while (loaded > 0)
        gnutls_x509_crt_deinit(chain[--loaded]);
    return good ? 0 : GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR;
}

static int verify_client(gnutls_session_t session)
{
    mutex_lock(&tls.lock);
    const struct identity *id = tls.now;
    int rc = id == NULL                                      ? GNUTLS_E_CERTIFICATE_ERROR
             : id->client_auth < CLIENT_AUTH_VERIFY_IF_GIVEN ? 0
                                                             : verify_chain(id, session);
    mutex_unlock(&tls.lock);
    return rc;
}

static int retrieve(gnutls_session_t session, const gnutls_datum_t *names, int name_count,
                    const gnutls_pk_algorithm_t *algorithms, int algorithm_count,
                    gnutls_pcert_st **chain, unsigned *chain_count, gnutls_privkey_t *key)
{
    (void)session;
    (void)names;
    (void)name_count;
    (void)algorithms;
    (void)algorithm_count;
    mutex_lock(&tls.lock);
    struct identity *id = tls.now;
    if (id != NULL) {
        *chain = id->chain;
        *chain_count = id->chain_count;
        *key = id->key;
    }
    mutex_unlock(&tls.lock);
    return id != NULL ? 0 : -1;
}

/* What is asked of the client must be known before its first message is answered. */
static void ask_client(const struct identity *id, gnutls_session_t session)
{
    bool needed = id->client_auth == CLIENT_AUTH_REQUIRE_ANY ||
                  id->client_auth == CLIENT_AUTH_REQUIRE_AND_VERIFY;
    if (id->client_auth == CLIENT_AUTH_NONE)
        return;
    gnutls_certificate_server_set_request(session,
                                          needed ? GNUTLS_CERT_REQUIRE : GNUTLS_CERT_REQUEST);
    gnutls_session_set_verify_function(session, verify_client);
}

void tls_begin(void *session)
{
    static const gnutls_datum_t HTTP = {(unsigned char *)(uintptr_t) "http/1.1", 8};
    gnutls_session_t s = session;
    mutex_lock(&tls.lock);
    if (tls.now != NULL) {
        (void)gnutls_priority_set_direct(s, tls.now->priorities, NULL);
        ask_client(tls.now, s);
    }
    mutex_unlock(&tls.lock);
    (void)gnutls_alpn_set_protocols(s, &HTTP, 1, 0);
}

void *tls_retrieve_callback(void)
{
    static_assert(sizeof(void *) == sizeof(&retrieve), "a function fits a pointer, as POSIX says");
    void *p;
    gnutls_certificate_retrieve_function2 *f = retrieve;
    memcpy(&p, &f, sizeof(p));
    return p;
}

/* ---- Priorities ---- */

struct name_map {
    const char *go, *gnutls;
};

/* Go's suites. GnuTLS combines key exchanges with ciphers, whichever were named together; the
 * ciphers hold for TLS 1.3 too. */
static const struct name_map SUITES[] = {
    {"TLS_RSA_WITH_AES_128_CBC_SHA", "+RSA:+AES-128-CBC:+SHA1"},
    {"TLS_RSA_WITH_AES_256_CBC_SHA", "+RSA:+AES-256-CBC:+SHA1"},
    {"TLS_RSA_WITH_AES_128_GCM_SHA256", "+RSA:+AES-128-GCM"},
    {"TLS_RSA_WITH_AES_256_GCM_SHA384", "+RSA:+AES-256-GCM"},
    {"TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA", "+ECDHE-ECDSA:+AES-128-CBC:+SHA1"},
    {"TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA", "+ECDHE-ECDSA:+AES-256-CBC:+SHA1"},
    {"TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA", "+ECDHE-RSA:+AES-128-CBC:+SHA1"},
    {"TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA", "+ECDHE-RSA:+AES-256-CBC:+SHA1"},
    {"TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "+ECDHE-ECDSA:+AES-128-GCM"},
    {"TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", "+ECDHE-ECDSA:+AES-256-GCM"},
    {"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "+ECDHE-RSA:+AES-128-GCM"},
    {"TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", "+ECDHE-RSA:+AES-256-GCM"},
    {"TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", "+ECDHE-RSA:+CHACHA20-POLY1305"},
    {"TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", "+ECDHE-ECDSA:+CHACHA20-POLY1305"},
    {"TLS_AES_128_GCM_SHA256", "+AES-128-GCM"},
    {"TLS_AES_256_GCM_SHA384", "+AES-256-GCM"},
    {"TLS_CHACHA20_POLY1305_SHA256", "+CHACHA20-POLY1305"},
};
static const struct name_map CURVES[] = {{"CurveP256", "+GROUP-SECP256R1"},
                                         {"CurveP384", "+GROUP-SECP384R1"},
                                         {"CurveP521", "+GROUP-SECP521R1"},
                                         {"X25519", "+GROUP-X25519"}};

static err put_names(const struct texts *names, const struct name_map *map, size_t count,
                     const char *what, struct buf *out, struct diag *d)
{
    for (size_t i = 0; i < names->count; i++) {
        size_t k = 0;
        while (k < count && !str_eq(names->items[i], str_from(map[k].go)))
            k++;
        if (k == count)
            return diag_set(d, ERR_INVALID, "unknown %s: \"" STR_FMT "\"", what,
                            STR_ARG(names->items[i]));
        buf_printf(out, ":%s", map[k].gnutls);
    }
    return OK;
}

static bool has_aead(const struct texts *suites)
{
    for (size_t i = 0; i < suites->count; i++)
        if (memmem(suites->items[i].ptr, suites->items[i].len, "GCM", 3) != NULL ||
            memmem(suites->items[i].ptr, suites->items[i].len, "CHACHA", 6) != NULL)
            return true;
    return false;
}

err tls_priorities(const struct tls_server_config *t, struct arena *a, const char **out,
                   struct diag *d)
{
    static const char *const VERSIONS[] = {"+VERS-TLS1.0", "+VERS-TLS1.1", "+VERS-TLS1.2",
                                           "+VERS-TLS1.3"};
    struct buf b = {0};
    bool suites = t->cipher_suites.count > 0, curves = t->curve_preferences.count > 0;
    buf_printf(&b, "NORMAL:-VERS-ALL");
    for (int v = t->max_version; v >= t->min_version; v--)
        buf_printf(&b, ":%s", VERSIONS[v]);
    if (suites)
        buf_printf(&b, ":-KX-ALL:-CIPHER-ALL:-MAC-ALL:+AEAD");
    err e = put_names(&t->cipher_suites, SUITES, COUNT_OF(SUITES), "cipher suite", &b, d);
    if (suites && e == OK && !has_aead(&t->cipher_suites)) /* TLS 1.3 knows no others */
        buf_printf(&b, ":+AES-128-GCM:+AES-256-GCM:+CHACHA20-POLY1305");
    if (curves)
        buf_printf(&b, ":-GROUP-ALL");
    if (e == OK)
        e = put_names(&t->curve_preferences, CURVES, COUNT_OF(CURVES), "curve", &b, d);
    if (e == OK && t->prefer_server_cipher_suites)
        buf_printf(&b, ":%%SERVER_PRECEDENCE");
    if (e == OK) {
        str text = arena_str(a, buf_str(&b));
        char *copy = arena_alloc(a, text.len + 1);
        if (text.ptr == NULL || copy == NULL) {
            e = ERR_LIMIT;
        } else {
            memcpy(copy, text.ptr, text.len);
            copy[text.len] = '\0';
            *out = copy;
        }
    }
    buf_fini(&b);
    return e;
}
