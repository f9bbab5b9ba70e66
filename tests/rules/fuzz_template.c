/* Fuzz target: any text as a template of a rule, parsed and expanded with tight limits. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "rules/rule_template.h"

static const struct label LABELS[] = {{{"instance", 8}, {"a:9100", 6}}, {{"job", 3}, {"<i>", 3}}};

static err run_query(void *arg, str expr, struct arena *a, struct template_sample **out,
                     size_t *count, struct diag *d)
{
    (void)arg, (void)expr;
    struct template_sample *samples = ARENA_ARRAY(a, struct template_sample, 2);
    if (samples == NULL)
        return diag_set(d, ERR_LIMIT, "no memory");
    samples[0] = (struct template_sample){{LABELS, 2}, 1.5};
    samples[1] = (struct template_sample){{LABELS, 1}, -3};
    *out = samples;
    *count = 2;
    return OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct template_query query = {NULL, run_query};
    static const struct template_limits limits = {.depth_max = 50,
                                                  .steps_max = 5000,
                                                  .output_bytes_max = 1 << 16,
                                                  .memory_bytes_max = 1 << 20,
                                                  .queries_max = 100,
                                                  .time_ns_max = UINT64_C(2000) * 1000 * 1000};
    struct rule_template_host host = {
        .external_url = STR("http://x:1/p"), .ts_ms = 1000, .query = &query, .limits = &limits};
    struct rule_template *t = NULL;
    struct diag d = {0};
    struct buf out = {0};
    if (rule_template_open(STR("F"), (str){(const char *)data, size}, &t, &d) != OK) {
        if (d.text[0] == '\0' || d.start > size || d.end > size)
            abort();
        return 0;
    }
    err e = rule_template_expand(t, &host, (struct labels){LABELS, 2}, 2.5, &out, &d);
    if ((e != OK) != (d.text[0] != '\0') || out.len > limits.output_bytes_max + 4096)
        abort();
    rule_template_close(t);
    buf_fini(&out);
    return 0;
}
