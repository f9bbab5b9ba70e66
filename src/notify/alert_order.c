/* alert_order.c -- see alert_order.h. */
#include "notify/alert_order.h"

int label_sets_order(struct labels a, struct labels b)
{
    if (a.count != b.count)
        return a.count < b.count ? -1 : 1;
    for (size_t i = 0; i < a.count; i++) {
        int name = str_cmp(a.items[i].name, b.items[i].name);
        if (name != 0)
            return name < 0 ? 1 : -1; /* the smaller name is the one that the other set lacks */
        int value = str_cmp(a.items[i].value, b.items[i].value);
        if (value != 0)
            return value;
    }
    return 0;
}

static int label_order(struct labels a, struct labels b, str name)
{
    str va = labels_get(a, name), vb = labels_get(b, name);
    if (va.ptr == NULL || vb.ptr == NULL)
        return (va.ptr == NULL) - (vb.ptr == NULL);
    return str_cmp(va, vb);
}

int alerts_order(const struct live_alert *a, const struct live_alert *b)
{
    int c = label_order(a->labels, b->labels, STR("job"));
    if (c == 0)
        c = label_order(a->labels, b->labels, STR("instance"));
    return c != 0 ? c : label_sets_order(a->labels, b->labels);
}
