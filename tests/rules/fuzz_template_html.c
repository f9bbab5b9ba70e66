/* Fuzz target: any text as a template that prints HTML. A value with a tag in it never gets out as
 * one, whatever page stands around it. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "rules/template_html.h"

static const struct template_limits LIMITS = {.depth_max = 50,
                                              .steps_max = 5000,
                                              .output_bytes_max = 1 << 16,
                                              .memory_bytes_max = 1 << 20,
                                              .time_ns_max = UINT64_C(2000) * 1000 * 1000};

static void check_output(str text, const struct buf *out)
{
    bool of_the_template = memmem(text.ptr, text.len, "zq", 2) != NULL;
    if (!of_the_template && out->len > 0 && memmem(out->ptr, out->len, "<zq", 3) != NULL)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct template_options options = {.limits = LIMITS};
    struct template_entry entries[] = {{STR("s"), template_string(STR("<zq a='b\"c`>&x:"))},
                                       {STR("t"), template_string(STR("javascript:<zq>"))}};
    struct template_value dot = template_map(&TEMPLATE_STRING_MAP, entries, 2);
    struct template_set *set = template_set_open(NULL);
    str text = {(const char *)data, size};
    struct diag d = {0};
    struct buf out = {0};
    err e = template_parse(set, STR("t"), text, &d);
    if (e == OK)
        e = template_html_escape(set, STR("t"), &d);
    if (e == OK)
        e = template_execute(set, STR("t"), &dot, &options, &out, &d);
    if ((e != OK) != (d.text[0] != '\0') || d.start > size || d.end > size)
        abort();
    check_output(text, &out);
    template_set_close(set);
    buf_fini(&out);
    return 0;
}
