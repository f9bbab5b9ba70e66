/* exemplar.c -- see exemplar.h. */
#include "model/exemplar.h"

#include "base/utf8.h"

static err fail(const struct exemplar *e, const char *what, struct diag *d)
{
    struct buf text = {0};
    labels_format(e->labels, &text);
    err code = diag_set(d, ERR_INVALID, "%s, got " STR_FMT, what, STR_ARG(buf_str(&text)));
    buf_fini(&text);
    return code;
}

err exemplar_check(const struct exemplar *e, struct diag *d)
{
    size_t runes = 0;
    for (size_t i = 0; i < e->labels.count; i++) {
        const struct label *l = &e->labels.items[i];
        if (l->name.len == 0 || !utf8_valid(l->name) || !utf8_valid(l->value))
            return fail(e, "invalid exemplar labels", d);
        if (i > 0 && str_cmp(e->labels.items[i - 1].name, l->name) >= 0)
            return fail(e, "exemplar labels are not sorted or repeat a name", d);
        runes += utf8_count(l->name) + utf8_count(l->value);
        if (runes > EXEMPLAR_LABELS_RUNES_MAX)
            return diag_set(d, ERR_INVALID,
                            "label length for exemplar exceeds maximum of %d UTF-8 characters",
                            EXEMPLAR_LABELS_RUNES_MAX);
    }
    return OK;
}
