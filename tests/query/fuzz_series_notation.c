/* Any bytes: no crash; a position inside the text for every error of the grammar; histograms of
 * what reads are written as text that reads to histograms which are written the same. */
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "base/assert.h"
#include "query/series_notation.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { BUDGET = 64 << 20, HISTOGRAMS_MAX = 8 };

static void check_text(const struct histogram *h)
{
    struct buf once = {0}, again = {0};
    struct arena a;
    struct series_notation n;
    buf_put_str(&once, STR("{} "));
    series_notation_format(h, &once);
    arena_init(&a, BUDGET);
    bool finite =
        memchr(once.ptr, '+', once.len) == NULL; /* neither +Inf nor 1e+20: no such tokens */
    if (finite && memmem(once.ptr, once.len, "_x", 2) == NULL) {
        ASSERT(series_notation_parse(buf_str(&once), &a, &n, NULL) == OK);
        ASSERT(n.count == 1 && n.places->histogram != NULL);
        buf_put_str(&again, STR("{} "));
        series_notation_format(n.places->histogram, &again);
        ASSERT(str_eq(buf_str(&once), buf_str(&again)));
    }
    arena_fini(&a);
    buf_fini(&once);
    buf_fini(&again);
}

static void check_series(str text)
{
    struct arena a;
    struct series_notation n;
    struct diag d = {.text = ""};
    size_t histograms = 0;
    arena_init(&a, BUDGET);
    if (series_notation_parse(text, &a, &n, &d) == OK) {
        ASSERT(n.count <= SERIES_NOTATION_PLACES_MAX);
        for (size_t i = 0; i < n.count && histograms < HISTOGRAMS_MAX; i++) {
            ASSERT(!n.places[i].empty || n.places[i].histogram == NULL);
            if (n.places[i].histogram != NULL) {
                check_text(n.places[i].histogram);
                histograms++;
            }
        }
    } else {
        ASSERT(d.text[0] != '\0');
        ASSERT(d.start <= d.end);
        ASSERT(d.end <= text.len);
    }
    arena_fini(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    str text = slice_text((slice){data, size});
    struct arena a;
    struct labels ls;
    check_series(text);
    arena_init(&a, BUDGET);
    (void)(series_notation_labels(text, &a, &ls, NULL) == OK);
    arena_fini(&a);
    return 0;
}
