/* config_files.c -- patterns of files, and the checksum that tells whether any of them changed. */
#include <glob.h>
#include <string.h>

#include "base/fs.h"
#include "base/hash.h"
#include "config/config.h"
#include "config/yaml.h"

enum { CONFIG_FILES_MAX = 10000 }; /* that one pattern may name */

err config_glob(str pattern, struct arena *a, struct texts *out)
{
    glob_t found = {0};
    str text = arena_str(a, pattern);
    *out = (struct texts){0};
    if (text.ptr == NULL)
        return ERR_LIMIT;
    int rc = glob(text.ptr, 0, NULL, &found);
    if (rc == GLOB_NOMATCH)
        return OK;
    if (rc != 0)
        return ERR_IO;
    err e = found.gl_pathc <= CONFIG_FILES_MAX ? OK : ERR_LIMIT;
    out->items = ARENA_ARRAY(a, str, found.gl_pathc + 1);
    for (size_t i = 0; e == OK && i < found.gl_pathc; i++) {
        out->items[out->count] = arena_str(a, str_from(found.gl_pathv[i]));
        e = out->items[out->count++].ptr != NULL ? OK : ERR_LIMIT;
    }
    globfree(&found);
    return out->items != NULL ? e : ERR_LIMIT;
}

static uint64_t add_file(uint64_t sum, const char *path)
{
    struct buf text = {0};
    sum = hash64(str_bytes(str_from(path)), sum);
    err e = fs_read_file(fs_posix(), path, YAML_SIZE_MAX, &text);
    sum = e == OK ? hash64(buf_slice(&text), sum) : sum + (uint64_t)e;
    buf_fini(&text);
    return sum;
}

static uint64_t add_pattern(uint64_t sum, str pattern)
{
    struct arena a;
    struct texts files;
    arena_init(&a, 16 << 20);
    err e = config_glob(pattern, &a, &files);
    for (size_t k = 0; e == OK && k < files.count; k++)
        sum = add_file(sum, files.items[k].ptr);
    arena_fini(&a);
    return sum;
}

static uint64_t add_patterns(uint64_t sum, const struct texts *patterns)
{
    for (size_t i = 0; i < patterns->count; i++)
        sum = add_pattern(sum, patterns->items[i]);
    return sum;
}

uint64_t config_checksum_more(uint64_t sum, const char *patterns)
{
    while (*patterns != '\0') {
        size_t n = strcspn(patterns, ",");
        sum = add_pattern(sum, (str){patterns, n});
        patterns += n + (patterns[n] == ',');
    }
    return sum;
}

uint64_t config_checksum(const struct config *c)
{
    uint64_t sum = 0;
    if (c->file[0] != '\0')
        sum = add_file(sum, c->file);
    sum = add_patterns(sum, &c->rule_files);
    return add_patterns(sum, &c->scrape_config_files);
}
