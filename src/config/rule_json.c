/* rule_json.c -- a relabelling rule as JSON, in the names of its YAML keys. */
#include "config/config.h"

#include "base/utf8.h"

static void put_json(struct buf *out, const char *key, str value, bool first)
{
    static const char HEX[] = "0123456789abcdef";
    buf_printf(out, "%s\"%s\":\"", first ? "" : ",", key);
    for (size_t i = 0; i < value.len; i++) {
        uint8_t ch = (uint8_t)value.ptr[i];
        if (ch == '"' || ch == '\\')
            buf_printf(out, "\\%c", ch);
        else if (ch < ' ' || ch == '<' || ch == '>' || ch == '&')
            buf_printf(out, "\\u00%c%c", HEX[ch >> 4], HEX[ch & 15]);
        else
            buf_put_u8(out, ch);
    }
    buf_put_u8(out, '"');
}

void config_rule_json(const struct relabel_config *rule, struct buf *out)
{
    buf_put_u8(out, '{');
    bool first = true;
    if (rule->source_labels.count > 0) {
        struct buf list = {0};
        buf_put_str(out, STR("\"source_labels\":["));
        for (size_t i = 0; i < rule->source_labels.count; i++) {
            buf_reset(&list);
            put_json(&list, "", rule->source_labels.items[i], true);
            buf_printf(out, "%s", i > 0 ? "," : "");
            buf_put(out, list.ptr + 3, list.len - 3); /* behind the empty key */
        }
        buf_put_str(out, STR("]"));
        buf_fini(&list);
        first = false;
    }
    if (rule->separator.len > 0) {
        put_json(out, "separator", rule->separator, first);
        first = false;
    }
    if (rule->regex_text.len > 0) {
        put_json(out, "regex", rule->regex_text, first);
        first = false;
    }
    if (rule->modulus != 0) {
        buf_printf(out, "%s\"modulus\":%llu", first ? "" : ",", (unsigned long long)rule->modulus);
        first = false;
    }
    if (rule->target_label.len > 0) {
        put_json(out, "target_label", rule->target_label, first);
        first = false;
    }
    if (rule->replacement.len > 0) {
        put_json(out, "replacement", rule->replacement, first);
        first = false;
    }
    put_json(out, "action", str_from(config_action_name(rule->action)), first);
    buf_put_u8(out, '}');
}
