/* config_text.c -- see config_text.h. */
#include "support/config_text.h"

#include <stdlib.h>
#include <unistd.h>

err config_from_text(const char *text, struct config **out, struct diag *d)
{
    char name[] = "/tmp/varve_test_config_XXXXXX";
    int fd = mkstemp(name);
    if (fd < 0)
        return ERR_IO;
    size_t size = strlen(text);
    err e = write(fd, text, size) == (ssize_t)size ? OK : ERR_IO;
    (void)close(fd);
    if (e == OK)
        e = config_load(name, out, d);
    (void)unlink(name);
    return e;
}

struct config *config_with_rules(const char *rules, struct diag *d)
{
    struct buf text = {0};
    struct config *c = NULL;
    buf_printf(&text, "scrape_configs:\n- job_name: j\n  relabel_configs: %s\n", rules);
    err e = config_from_text(buf_cstr(&text), &c, d);
    buf_fini(&text);
    return e == OK ? c : NULL;
}
