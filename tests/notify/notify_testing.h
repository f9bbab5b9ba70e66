/* notify_testing.h -- configurations and label sets for tests of src/notify. */
#ifndef TESTS_NOTIFY_TESTING_H
#define TESTS_NOTIFY_TESTING_H

#include "config/alertmanager_config.h"

/* Load a configuration from text; fails the test when it is refused. */
static inline struct alertmanager_file *testing_config(const char *text)
{
    struct alertmanager_file *f = NULL;
    struct diag d = {.text = ""};
    if (alertmanager_config_parse("am.yml", str_bytes(str_from(text)), &f, &d) != OK)
        fail_msg("%s", d.text);
    return f;
}

struct testing_labels {
    struct label items[16];
    size_t count;
};

/* "a=b c=d": no spaces in values. The text must live as long as the labels. */
static inline struct labels testing_labels(struct testing_labels *l, const char *text)
{
    l->count = 0;
    while (*text != '\0') {
        size_t n = strcspn(text, " "), eq = strcspn(text, "=");
        l->items[l->count++] = (struct label){{text, eq}, {text + eq + 1, n - eq - 1}};
        text += n + (text[n] == ' ');
    }
    l->count = labels_sort(l->items, l->count);
    return (struct labels){l->items, l->count};
}

#endif
