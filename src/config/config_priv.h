/* config_priv.h -- what the files that read prometheus.yml share: the tables of its sections. */
#ifndef CONFIG_CONFIG_PRIV_H
#define CONFIG_CONFIG_PRIV_H

#include "config/decode.h"
#include "config/print.h"
#include "config/prometheus_config.h"

enum { UNSUPPORTED_MAX = 32 }; /* parts that are understood and not acted upon, remembered */

struct config_loader {      /* decode.user of a prometheus.yml */
    struct regex **regexes; /* compiled so far; closed with the configuration */
    size_t regex_count, regex_room;
    struct {
        struct config_place place;
        const char *what;
    } unsupported[UNSUPPORTED_MAX];
    size_t unsupported_count;
};

/* A compiled expression is the loader's from here on; closed at the end of the configuration. */
void config_keep_regex(struct config_loader *l, struct regex *re);
void config_loader_fini(struct config_loader *l);

/* Take note that the section at `n` is understood but not acted upon. */
void config_note_unsupported(struct decode *c, const struct yaml *n, const char *what);

struct config_place config_place_of(const struct decode *c, const struct yaml *n);

/* An error at a place, in the words of decode_fail(). Returns ERR_INVALID. */
err config_fail_at(struct decode *c, struct config_place p, const char *format, ...)
    PRINTF_LIKE(3, 4);

/* http_config.c: inlined where a section speaks HTTP. */
extern const struct decode_schema HTTP_CLIENT_SCHEMA; /* struct http_client_config */
extern const struct decode_schema HTTP_TLS_SCHEMA;    /* struct http_tls_config */
bool http_client_is_default(const struct http_client_config *c);

/* relabel_config.c: a field for a list of rules; `null_text` when an element is empty. */
err relabel_read(struct decode *c, const struct yaml *n, struct relabel_configs *out,
                 const char *null_text);
bool relabel_print(const void *place, struct yaml_out *out);
err relabel_check_all(struct decode *c, struct relabel_configs *rules, int names);

/* sd_config.c: inlined where targets are found. */
extern const struct decode_schema SD_SCHEMA;           /* struct sd_configs */
extern const struct decode_schema TARGET_GROUP_SCHEMA; /* struct target_group */
extern const struct decode_schema KUBERNETES_SCHEMA;   /* struct kubernetes_sd_config */

/* Sections. */
extern const struct decode_schema SCRAPE_SCHEMA, ALERTING_SCHEMA, GLOBAL_SCHEMA, STORAGE_SCHEMA,
    OTLP_SCHEMA, TRACING_SCHEMA, REMOTE_WRITE_SCHEMA, REMOTE_READ_SCHEMA, CONFIG_SCHEMA,
    SCRAPE_FILE_SCHEMA, SIGV4_SCHEMA, AM_SCHEMA;

/* scrape_config.c: take over what `global` says and check the whole. */
err scrape_finish(struct decode *c, struct scrape_config *s, const struct global_config *g);
err scrape_protocols_read(struct decode *c, const struct yaml *n, void *place);
bool scrape_protocols_print(const void *place, struct yaml_out *out);
extern const char *const SCRAPE_PROTOCOL_NAMES[];
extern const char *const NAME_SCHEMES[], *const NAME_ESCAPINGS[];
err name_scheme_read(struct decode *c, const struct yaml *n, void *place);

/* Is `name` a label's name in `names` (enum name_scheme)? */
bool config_label_name_ok(str name, int names);

/* alerting_config.c: no URLs among static targets. */
err static_targets_check(struct decode *c, const struct sd_configs *all);

/* remote_config.c: is it a UUID; no reserved or authorization headers. */
bool config_is_uuid(str s);
err remote_headers_check(struct decode *c, const struct yaml *n, const struct pairs *headers,
                         bool tracing);

#endif
