/* check_web.c -- see check_web.h. */
#include "cli/check_web.h"

#include <stdio.h>
#include <string.h>

#include "config/web_config.h"
#include "http/tls.h"

enum { FILE_BYTES_MAX = 32 << 20 };

static err check_web(const char *path, struct arena *a, struct diag *d)
{
    struct web_config w = {0};
    TRY(web_config_load(path, a, &w, d));
    return w.has_tls ? tls_check(&w.tls, d) : OK;
}

static err check_tokens(const char *path, struct arena *a, struct diag *d)
{
    struct web_tokens t;
    return web_tokens_load(path, a, &t, d);
}

static int check_all(int argc, char **argv, const char *what,
                     err (*check)(const char *path, struct arena *a, struct diag *d))
{
    bool help = argc > 0 && (strcmp(argv[0], "--help") == 0 || strcmp(argv[0], "-h") == 0);
    int code = 0;
    if (argc == 0 || help) {
        (void)fprintf(help ? stdout : stderr, "usage: varve check %s <files>...\n", what);
        return help ? 0 : 2;
    }
    for (int i = 0; i < argc; i++) {
        struct diag d = {.text = ""};
        struct arena a;
        arena_init(&a, FILE_BYTES_MAX);
        err e = check(argv[i], &a, &d);
        if (e == OK)
            (void)fprintf(stderr, "%s SUCCESS\n", argv[i]);
        else
            (void)fprintf(stderr, "%s FAILED: %s\n", argv[i],
                          d.text[0] != '\0' ? d.text : err_name(e));
        code |= e != OK;
        arena_fini(&a);
    }
    return code;
}

int check_web_config(int argc, char **argv)
{
    return check_all(argc, argv, "web-config", check_web);
}

int check_token_file(int argc, char **argv)
{
    return check_all(argc, argv, "token-file", check_tokens);
}
