/* Fuzz target: webhooks of providers with the right proof, their signatures, tokens of links, and
 * incidents as they are kept. The first byte chooses. */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/sha256.h"
#include "base/utf8.h"
#include "notify/ack_link.h"
#include "notify/inbound.h"
#include "notify/incident_priv.h"

#define SECRET "a-secret-of-the-fuzzer"

static const int64_t NOW = INT64_C(1795449600000);

static void require(bool good)
{
    if (!good)
        abort();
}

static struct fixture {
    struct inbound *in;
    struct ack_signer *signer;
} open_once(void)
{
    static struct fixture fx; /* lives as long as the program */
    char path[64];
    if (fx.in != NULL)
        return fx;
    (void)snprintf(path, sizeof(path), "/tmp/varve-fuzz-inbound-%d", (int)getpid());
    FILE *f = fopen(path, "w");
    require(f != NULL && fputs(SECRET "\n", f) >= 0 && fclose(f) == 0);
    const struct ack_inbound config = {str_from(path), str_from(path)};
    const struct ack_links links = {true, STR("http://x"), str_from(path), 60000};
    require(inbound_open(&config, &fx.in, NULL) == OK);
    require(ack_signer_open(&links, STR(""), &fx.signer, NULL) == OK);
    require(unlink(path) == 0);
    return fx;
}

static void check_event(const struct inbound_event *e)
{
    require(e->name.len > 0 && e->event.via < ACK_VIA_BEFORE);
    require(e->event.by.len > 0 && e->event.by.len <= INCIDENT_BY_BYTES_MAX);
    require(utf8_valid(e->event.by));
    for (size_t i = 0; i < e->event.by.len; i++)
        require((uint8_t)e->event.by.ptr[i] >= ' ');
}

static void fuzz_pagerduty(const struct inbound *in, slice body)
{
    uint8_t mac[HMAC_SHA256_SIZE];
    struct buf header = {0};
    struct inbound_event e = {.root = NULL};
    struct diag d = {.text = ""};
    hmac_sha256(str_bytes(STR(SECRET)), body, mac);
    buf_put_str(&header, STR("v1="));
    for (size_t i = 0; i < sizeof(mac); i++)
        buf_printf(&header, "%02x", mac[i]);
    err result = inbound_pagerduty(in, buf_str(&header), body, NOW, &e, &d);
    require(result == OK || (result == ERR_INVALID && d.text[0] != '\0'));
    if (result == OK)
        check_event(&e);
    inbound_event_fini(&e);
    buf_fini(&header);
}

static void fuzz_opsgenie(const struct inbound *in, slice body)
{
    struct inbound_event e = {.root = NULL};
    struct diag d = {.text = ""};
    err result = inbound_opsgenie(in, STR(SECRET), body, NOW, &e, &d);
    require(result == OK || (result == ERR_INVALID && d.text[0] != '\0'));
    if (result == OK)
        check_event(&e);
    inbound_event_fini(&e);
}

/* Nobody guesses a proof. */
static void fuzz_proofs(struct fixture fx, str text)
{
    struct inbound_event e = {.root = NULL};
    struct ack_token t = {.expires_ms = 0};
    const slice body = str_bytes(STR("{}"));
    require(inbound_pagerduty(fx.in, text, body, NOW, &e, NULL) == ERR_ORDER);
    if (!str_eq(text, STR(SECRET)))
        require(inbound_opsgenie(fx.in, text, body, NOW, &e, NULL) == ERR_ORDER);
    require(ack_signer_read(fx.signer, text, NOW, &t) == ERR_INVALID);
    ack_token_fini(&t);
}

/* What reads back is written as it was read. */
static void fuzz_incident(slice bytes)
{
    struct incident *i = incident_decode(bytes);
    struct buf once = {0}, twice = {0};
    if (i == NULL)
        return;
    incident_encode(i, &once);
    struct incident *again = incident_decode(buf_slice(&once));
    require(again != NULL);
    incident_encode(again, &twice);
    require(str_eq(buf_str(&once), buf_str(&twice)));
    incident_free(again);
    incident_free(i);
    buf_fini(&once);
    buf_fini(&twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fixture fx = open_once();
    if (size == 0)
        return 0;
    const slice rest = {data + 1, size - 1};
    switch (data[0] % 4) {
    case 0:
        fuzz_pagerduty(fx.in, rest);
        break;
    case 1:
        fuzz_opsgenie(fx.in, rest);
        break;
    case 2:
        fuzz_proofs(fx, slice_text(rest));
        break;
    default:
        fuzz_incident(rest);
        break;
    }
    return 0;
}
