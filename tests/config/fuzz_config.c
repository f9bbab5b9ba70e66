/* fuzz_config.c -- any bytes as prometheus.yml, by the whole loader: an error has a text that names
 * the file; what is taken is printed as a configuration that is taken too. */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/assert.h"
#include "config/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Other files are no part of the input. */
static bool looks_outside(const uint8_t *data, size_t size)
{
    return memmem(data, size, "scrape_config_files", 19) != NULL;
}

static err load(const void *data, size_t size, struct config **out, struct diag *d)
{
    char path[64];
    int fd = memfd_create("config", 0);
    ASSERT(fd >= 0);
    ASSERT(write(fd, data, size) == (ssize_t)size);
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    err e = config_load(path, out, d);
    ASSERT(e == OK || strncmp(d->text, path, strlen(path)) == 0);
    (void)close(fd);
    return e;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct config *c = NULL, *again = NULL;
    struct diag d = {.text = ""};
    struct buf text = {0};
    if (looks_outside(data, size) || load(data, size, &c, &d) != OK)
        return 0;
    (void)!config_supported(c, 0, 0, &d);
    config_yaml(c, &text);
    d.text[0] = '\0';
    /* $$ in an external label becomes $, which then means something else, upstream too */
    err e = memchr(data, '$', size) == NULL ? load(text.ptr, text.len, &again, &d) : OK;
    if (e != OK)
        fprintf(stderr, "%s\n%s\n", d.text, buf_cstr(&text));
    ASSERT(e == OK);
    config_unref(again);
    config_unref(c);
    buf_fini(&text);
    return 0;
}
