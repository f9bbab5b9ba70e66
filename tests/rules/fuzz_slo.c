/* fuzz_slo.c -- files of objectives and their plugins: whatever is accepted becomes rules that read
 * back as YAML, and periods in which the present lies. */
#include <stdint.h>
#include <stdlib.h>

#include "config/yaml.h"
#include "query/parser.h"
#include "rules/rule_check.h"
#include "rules/sli_expand.h"
#include "rules/slo_budget.h"
#include "rules/slo_query.h"
#include "rules/slo_rules.h"

#define NOW 1795392000000LL

static void check_yaml(const struct rule_group_def *groups, size_t count)
{
    struct arena a;
    struct rule_file f;
    struct rule_errors errors;
    struct buf text = {0};
    struct rule_file_options o = {0};
    arena_init(&a, RULE_FILE_MEMORY_BYTES);
    slo_rules_yaml(groups, count, &text);
    if (text.len <= RULE_FILE_SIZE_MAX) {
        if (rule_file_parse("f", buf_slice(&text), &o, &a, &f, &errors) != OK)
            abort();
        if (f.group_count != count)
            abort();
    }
    buf_fini(&text);
    arena_fini(&a);
}

/* Documents read back as YAML, one or more. */
static void check_documents(const struct slo_set *set, const struct slo_rules_options *o,
                            struct arena *a)
{
    struct buf text = {0};
    struct yaml *docs = NULL;
    struct diag d = {.text = ""};
    struct arena tree;
    arena_init(&tree, YAML_TREE_BYTES_MAX);
    if (slo_rules_documents(set, o, a, &text, &d) == OK && text.len <= YAML_SIZE_MAX &&
        (yaml_parse_all(buf_slice(&text), &tree, &docs, &d) != OK || docs->first == NULL))
        abort();
    arena_fini(&tree);
    buf_fini(&text);
}

static void check_def(const struct slo_def *def)
{
    struct slo_events e;
    if (def->slice_ms < 60000 || 86400000 % def->slice_ms != 0 || slo_error_budget(def) < 0)
        abort();
    if (def->window.calendar) {
        struct slo_period p = slo_period_of(&def->window, NOW);
        if (p.start_ms > NOW || p.end_ms <= NOW)
            abort();
    }
    slo_query_events(def, def->slice_ms, &e);
    slo_events_fini(&e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct slo_rules_options OPTIONS = {
        .period_ms = 30 * SLO_DAY_MS, .version = "v", .generated_by_tool = true};
    struct arena a;
    struct slo_set set = {0};
    struct rule_group_def *groups;
    size_t count;
    struct diag d = {.text = ""};
    arena_init(&a, 64 << 20);
    if (slo_text_read("f", (slice){data, size}, &a, &set, &d) == OK &&
        sli_expand(&set, &a, &d) == OK) {
        for (size_t i = 0; i < set.count; i++)
            check_def(&set.defs[i]);
        if (slo_rules_make(&set, &OPTIONS, &a, &groups, &count, &d) == OK) {
            check_yaml(groups, count);
            check_documents(&set, &OPTIONS, &a);
        } else if (d.text[0] == '\0') {
            abort();
        }
    } else if (d.text[0] == '\0') {
        abort();
    }
    arena_fini(&a);
    return 0;
}
