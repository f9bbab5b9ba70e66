/* relabel.c -- ns per set of labels for relabelling as pods of Kubernetes get it: 30 labels, 12
 * rules (keep, replace, labelmap, labeldrop). Usage: bench_relabel FILE with those rules in its
 * first job; without FILE one is written below /tmp. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "config/config.h"
#include "ingest/relabel.h"

enum { LABELS = 30, ROUNDS = 20000 };

static const char RULES[] =
    "scrape_configs:\n- job_name: j\n  relabel_configs:\n"
    "  - {source_labels: [__meta_kubernetes_pod_annotation_scrape], regex: 'true', action: keep}\n"
    "  - {source_labels: [__meta_kubernetes_pod_phase], regex: Pending|Failed|Succeeded, action: "
    "drop}\n"
    "  - {source_labels: [__meta_kubernetes_pod_annotation_path], regex: (.+), target_label: "
    "__metrics_path__}\n"
    "  - {source_labels: [__address__, __meta_kubernetes_pod_annotation_port], regex: "
    "'([^:]+)(?::\\d+)?;(\\d+)', replacement: '$1:$2', target_label: __address__}\n"
    "  - {regex: __meta_kubernetes_pod_label_(.+), action: labelmap}\n"
    "  - {source_labels: [__meta_kubernetes_namespace], target_label: namespace}\n"
    "  - {source_labels: [__meta_kubernetes_pod_name], target_label: pod}\n"
    "  - {source_labels: [__meta_kubernetes_pod_node_name], target_label: node}\n"
    "  - {source_labels: [__address__], modulus: 4, target_label: __tmp_shard, action: hashmod}\n"
    "  - {source_labels: [__tmp_shard], regex: '[0-3]', action: keep}\n"
    "  - {target_label: cluster, replacement: eu-1}\n"
    "  - {regex: pod_template_hash|controller_uid, action: labeldrop}\n";

static size_t fill(struct label *items, struct arena *a)
{
    static const char *const NAMES[] = {
        "namespace",           "pod_name", "pod_node_name", "pod_phase", "pod_annotation_scrape",
        "pod_annotation_port", "pod_ip"};
    static const char *const VALUES[] = {"shop", "web-7d4b9c-x2x1p", "node-17", "Running", "true",
                                         "9100", "10.1.2.3"};
    char text[128];
    size_t n = 0;
    items[n++] = (struct label){STR("__address__"), STR("10.1.2.3:8080")};
    for (size_t i = 0; i < COUNT_OF(NAMES); i++) {
        (void)snprintf(text, sizeof(text), "__meta_kubernetes_%s", NAMES[i]);
        items[n++] = (struct label){arena_str(a, str_from(text)), str_from(VALUES[i])};
    }
    while (n < LABELS) {
        (void)snprintf(text, sizeof(text), "__meta_kubernetes_pod_%s_l%zu",
                       n % 2 == 0 ? "label" : "labelpresent", n);
        items[n] = (struct label){arena_str(a, str_from(text)), STR("value")};
        n++;
    }
    return labels_sort(items, n);
}

static const char *default_file(void)
{
    static char path[] = "/tmp/bench_relabel_XXXXXX";
    int fd = mkstemp(path);
    if (fd < 0 || write(fd, RULES, sizeof(RULES) - 1) != (ssize_t)sizeof(RULES) - 1)
        return NULL;
    (void)close(fd);
    return path;
}

int main(int argc, char **argv)
{
    struct diag d = {.text = ""};
    struct config *c = NULL;
    struct arena a, base_arena;
    struct label items[LABELS];
    struct relabel_labels l;
    const char *path = argc > 1 ? argv[1] : default_file();
    bool keep = true;
    size_t kept = 0, left = 0;
    if (path == NULL || config_load(path, &c, &d) != OK || c->jobs.count == 0) {
        (void)fprintf(stderr, "bench_relabel: %s\n", d.text);
        return 1;
    }
    arena_init(&base_arena, 1 << 20);
    arena_init(&a, 1 << 20);
    struct labels base = {items, fill(items, &base_arena)};
    relabel_labels_init(&l, &a);
    uint64_t start = clock_mono_ns();
    for (int i = 0; i < ROUNDS; i++) {
        arena_reset(&a);
        relabel_labels_reset(&l, &a);
        if (relabel_labels_base(&l, base) != OK ||
            relabel_run(&c->jobs.items[0].relabel, &l, &keep) != OK)
            return 1;
        kept += keep;
        left = relabel_labels_done(&l).count;
    }
    printf("%zu rules on %zu labels, %zu left, %zu of %d kept: %.0f ns a set\n",
           c->jobs.items[0].relabel.count, base.count, left, kept, ROUNDS,
           (double)(clock_mono_ns() - start) / ROUNDS);
    relabel_labels_fini(&l);
    arena_fini(&a);
    arena_fini(&base_arena);
    config_unref(c);
    if (argc < 2)
        (void)unlink(path);
    return 0;
}
