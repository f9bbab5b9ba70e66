/* print.h -- structures back to YAML as Go's yaml.v2 writes them: the form /api/v1/status/config
 * shows. The tables of decode.h say how; secrets become <secret>, passwords in URLs xxxxx. */
#ifndef CONFIG_PRINT_H
#define CONFIG_PRINT_H

#include "base/buf.h"
#include "base/hash.h"
#include "config/decode.h"

struct yaml_out; /* an open document */

/* Append `s` as one document. */
void print_struct(const struct decode_schema *schema, const void *s, struct buf *out);

/* Hash of all that `s` says, secrets included: equal when nothing was changed. */
hash128 print_digest(const struct decode_schema *schema, const void *s);

/* Write one node. For functions `print` of DECODE_CUSTOM fields: these write one node and
 * return true, or return false when there is nothing to print; `out` is NULL when only that is
 * asked for. */
void print_map_begin(struct yaml_out *out);
void print_map_end(struct yaml_out *out);
void print_list_begin(struct yaml_out *out);
void print_flow_list_begin(struct yaml_out *out);
void print_list_end(struct yaml_out *out);
void print_text(struct yaml_out *out, str text); /* quoted when it would not read back as text */
void print_plain(struct yaml_out *out, const char *text); /* numbers, true, false */
void print_int(struct yaml_out *out, int64_t v);
void print_duration(struct yaml_out *out, int64_t ms);
void print_texts(struct yaml_out *out, struct texts list);
void print_pairs(struct yaml_out *out, const struct pairs *pairs); /* in the order of names */
void print_secrets(struct yaml_out *out, struct texts list);       /* as many <secret> */
void print_secret(struct yaml_out *out, str text);                 /* "" stays empty */
void print_fields(struct yaml_out *out, const struct decode_schema *schema, const void *s);

/* "10MB" in the words of alecthomas/units: 10MiB. */
size_t print_bytes_text(uint64_t v, char *out, size_t size);

/* `url` with its password as xxxxx, appended. */
void print_redacted_url(str url, struct buf *out);

#endif
