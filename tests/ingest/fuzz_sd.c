/* fuzz_sd.c -- any bytes as what discovery reads: groups in JSON or YAML, a daemon's containers and
 * networks, a service's instances. The first byte chooses. What comes out is sorted label sets. */
#include "base/assert.h"
#include "ingest/sd_json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_targets(struct sd_build *b)
{
    struct sd_targets *t = NULL;
    if (sd_build_end(b, &t) != OK)
        return;
    for (size_t i = 0; i < sd_targets_count(t); i++) {
        struct labels l = sd_targets_at(t, i);
        for (size_t k = 0; k < l.count; k++) {
            ASSERT(l.items[k].name.len > 0 && l.items[k].value.len > 0);
            ASSERT(k == 0 || str_cmp(l.items[k - 1].name, l.items[k].name) < 0);
        }
    }
    sd_targets_unref(t);
}

static void groups(slice text, bool json)
{
    struct sd_build b;
    struct diag d = {.text = ""};
    sd_build_begin(&b);
    if (sd_groups_build("g", text, json, "__meta_url", STR("http://u"), &b, &d) == OK) {
        check_targets(&b);
    } else {
        ASSERT(d.text[0] != '\0');
        sd_build_abandon(&b);
    }
}

static void servers(slice text, bool docker, bool first)
{
    struct docker_sd_config d = {
        .port = 80, .match_first_network = first, .host_networking_host = STR("localhost")};
    struct consul_sd_config c = {.tag_separator = STR(",")};
    struct jtree *root = NULL;
    struct diag why = {.text = ""};
    struct sd_build b;
    if (jtree_parse(text, &root, &why) != OK)
        return;
    sd_build_begin(&b);
    if (docker)
        sd_docker_build(&d, jtree_get(root, "containers"), jtree_get(root, "networks"), &b);
    else
        sd_consul_build(&c, STR("web"), STR("dc1"), root, &b);
    check_targets(&b);
    jtree_free(root);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    slice text = {data + 1, size - 1};
    if ((data[0] & 1) != 0)
        groups(text, (data[0] & 2) != 0);
    else
        servers(text, (data[0] & 2) != 0, (data[0] & 4) != 0);
    return 0;
}
