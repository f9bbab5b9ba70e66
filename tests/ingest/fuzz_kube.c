/* fuzz_kube.c -- any JSON as what an API server told: {"pods": [...], "nodes": [...], ...}, put,
 * built into targets of every role, and removed again. */
#include "base/assert.h"
#include "ingest/kube_labels.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const KINDS[KUBE_KINDS] = {"nodes",      "pods",        "services",
                                                  "endpoints",  "slices",      "ingresses",
                                                  "namespaces", "replicasets", "jobs"};
    struct kube_map maps[KUBE_KINDS] = {0};
    struct jtree *root = NULL;
    struct diag d = {.text = ""};
    if (jtree_parse((slice){data, size}, &root, &d) != OK)
        return 0;
    for (int kind = 0; kind < KUBE_KINDS; kind++) {
        const struct jtree *list = jtree_get(root, KINDS[kind]);
        for (size_t i = 0; i < jtree_count(list) && jtree_is_array(list); i++)
            (void)!kube_put(&maps[kind], (enum kube_kind)kind, jtree_at(list, i), 1);
    }
    for (int role = 0; role < KUBERNETES_ROLES; role++) {
        struct kubernetes_sd_config c = {.role = role,
                                         .attach_node = true,
                                         .attach_namespace = true,
                                         .attach_deployment = true,
                                         .attach_job = true,
                                         .attach_cronjob = true};
        struct sd_build b;
        struct sd_targets *t = NULL;
        sd_build_begin(&b);
        kube_build(&c, maps, &b);
        if (sd_build_end(&b, &t) == OK)
            for (size_t i = 0; i < sd_targets_count(t); i++)
                for (size_t k = 1; k < sd_targets_at(t, i).count; k++)
                    ASSERT(str_cmp(sd_targets_at(t, i).items[k - 1].name,
                                   sd_targets_at(t, i).items[k].name) < 0);
        sd_targets_unref(t);
    }
    for (int kind = 0; kind < KUBE_KINDS; kind++) {
        const struct jtree *list = jtree_get(root, KINDS[kind]);
        for (size_t i = 0; i < jtree_count(list) && jtree_is_array(list); i += 2)
            kube_remove(&maps[kind], jtree_at(list, i));
        kube_sweep(&maps[kind], (str){"shop", kind % 2 == 0 ? 4 : 0}, 2);
        kube_map_fini(&maps[kind]);
    }
    jtree_free(root);
    return 0;
}
