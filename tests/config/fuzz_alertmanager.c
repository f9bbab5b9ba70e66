/* fuzz_alertmanager.c -- any bytes as alertmanager.yml: an error has a text that names the file;
 * what is taken finds its receivers by name and can be shown. */
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "config/alertmanager_config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct alertmanager_file *f = NULL;
    struct diag d = {.text = ""};
    struct buf text = {0};
    if (alertmanager_config_parse("am.yml", (slice){data, size}, &f, &d) != OK) {
        ASSERT(strncmp(d.text, "am.yml", 6) == 0);
        return 0;
    }
    ASSERT(f->receivers.count > 0);
    for (size_t i = 0; i < f->receivers.count; i++)
        ASSERT(alertmanager_receiver(f, f->receivers.items[i].name) == &f->receivers.items[i]);
    alertmanager_config_yaml(f, &text);
    ASSERT(text.len > 0);
    (void)alertmanager_config_digest(f);
    (void)alertmanager_config_warnings(f);
    buf_fini(&text);
    alertmanager_config_unref(f);
    return 0;
}
