/* fuzz_relabel.c -- any bytes as a configuration file, then a NUL, then label pairs: what loads
 * prints as YAML without end of memory, and its relabelling gives the same at once and step by
 * step, with unique, sorted names. */
#include <sys/mman.h>
#include <unistd.h>

#include <stdio.h>

#include "base/assert.h"
#include "base/mem.h"
#include "config/config.h"
#include "ingest/relabel.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { BUDGET = 4 << 20, LABELS_MAX = 16 };

/* Pairs of texts, each ended by a line break; sorted, unique names. */
static size_t read_labels(slice text, struct label *out)
{
    str parts[2 * LABELS_MAX];
    size_t n = 0, count = 0;
    while (text.len > 0 && n < COUNT_OF(parts)) {
        const uint8_t *end = memchr(text.ptr, '\n', text.len);
        size_t len = end != NULL ? (size_t)(end - text.ptr) : text.len;
        parts[n++] = (str){(const char *)text.ptr, len};
        len += end != NULL;
        text = (slice){text.ptr + len, text.len - len};
    }
    for (size_t i = 0; i + 1 < n; i += 2) {
        bool known = parts[i].len == 0;
        for (size_t k = 0; k < count; k++)
            known = known || str_eq(out[k].name, parts[i]);
        if (!known)
            out[count++] = (struct label){parts[i], parts[i + 1]};
    }
    return labels_sort(out, count);
}

static void check_sorted(struct labels ls)
{
    for (size_t i = 1; i < ls.count; i++)
        ASSERT(str_cmp(ls.items[i - 1].name, ls.items[i].name) < 0);
}

static void relabel_both_ways(const struct relabel_configs *rules, struct labels base)
{
    struct arena a, b;
    struct relabel_labels x, y;
    bool keep = true, step = true;
    arena_init(&a, BUDGET);
    arena_init(&b, BUDGET);
    relabel_labels_init(&x, &a);
    relabel_labels_init(&y, &b);
    err e = relabel_labels_base(&x, base), f = relabel_labels_base(&y, base);
    if (e == OK)
        e = relabel_run(rules, &x, &keep);
    for (size_t i = 0; f == OK && i < rules->count && step; i++)
        f = relabel_apply(&rules->items[i], &y, &step);
    ASSERT(e == f && (e != OK || keep == step));
    if (e == OK && keep) {
        struct labels p = relabel_labels_done(&x), q = relabel_labels_done(&y);
        check_sorted(p);
        ASSERT(labels_eq(p, q));
    }
    relabel_labels_fini(&x);
    relabel_labels_fini(&y);
    arena_fini(&a);
    arena_fini(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *nul = size > 0 ? memchr(data, '\0', size) : NULL;
    size_t yaml = nul != NULL ? (size_t)(nul - data) : size;
    struct label items[LABELS_MAX];
    struct diag d = {.text = ""};
    struct config *c = NULL;
    struct buf shown = {0};
    char path[64];
    int fd = memfd_create("fuzz", MFD_CLOEXEC);
    ASSERT(fd >= 0);
    if (yaml > 0)
        ASSERT(write(fd, data, yaml) == (ssize_t)yaml);
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    err e = config_load(path, &c, &d);
    (void)close(fd);
    if (e != OK) {
        ASSERT(d.text[0] != '\0');
        return 0;
    }
    config_yaml(c, &shown);
    slice rest = nul != NULL ? (slice){nul + 1, size - yaml - 1} : (slice){NULL, 0};
    struct labels base = {items, rest.len > 0 ? read_labels(rest, items) : 0};
    for (size_t i = 0; i < c->jobs.count; i++) {
        relabel_both_ways(&c->jobs.items[i].relabel, base);
        relabel_both_ways(&c->jobs.items[i].metric_relabel, base);
    }
    buf_fini(&shown);
    config_unref(c);
    return 0;
}
