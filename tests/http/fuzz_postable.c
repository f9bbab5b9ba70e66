/* fuzz_postable.c -- bodies posted to the API of Alertmanager: of any bytes either an error with a
 * text comes, or alerts and silences whose every part can be read. */
#include <stdlib.h>

#include "http/postable.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_alerts(slice body)
{
    struct postable_alerts p;
    struct postable_error e;
    struct buf b = {0};
    if (postable_alerts_parse(body, 1000, &p, &e) != OK) {
        if (e.status < 400 || e.d.text[0] == '\0')
            abort();
    }
    for (size_t i = 0; i < p.count; i++) {
        labels_format(p.items[i].labels, &b);
        labels_format(p.items[i].annotations, &b);
        if (p.items[i].labels.count == 0)
            abort();
        for (size_t k = 1; k < p.items[i].labels.count; k++)
            if (str_cmp(p.items[i].labels.items[k - 1].name, p.items[i].labels.items[k].name) >= 0)
                abort();
    }
    buf_fini(&b);
    postable_alerts_fini(&p);
}

static void check_silence(slice body)
{
    struct postable_silence p;
    struct postable_error e;
    struct buf b = {0};
    if (postable_silence_parse(body, &p, &e) != OK) {
        if (e.status < 400 || e.d.text[0] == '\0')
            abort();
    } else {
        alert_matchers_format(&p.silence.matchers, &b);
        if (p.silence.matchers.count == 0)
            abort();
    }
    buf_fini(&b);
    postable_silence_fini(&p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int64_t ms;
    slice body = {data, size};
    check_alerts(body);
    check_silence(body);
    (void)postable_time(slice_text(body), &ms);
    (void)postable_is_uri(slice_text(body));
    (void)postable_is_uuid(slice_text(body));
    return 0;
}
