/* json.c -- writing answers: ns per point of a matrix, per value class, and per label set. */
#include <math.h>
#include <stdio.h>

#include "base/clock.h"
#include "http/json.h"

enum { POINTS = 1000000 };

static double value_of(int class, unsigned i)
{
    switch (class) {
    case 0:
        return i % 100000;
    case 1:
        return (double)(i % 100000) / 100;
    default:
        return sqrt(i + 0.5);
    }
}

int main(void)
{
    static const char *const CLASSES[] = {"integers", "two decimals", "17 digits"};
    struct buf b = {0};
    for (int class = 0; class < 3; class ++) {
        uint64_t start = clock_thread_cpu_ns();
        for (unsigned i = 0; i < POINTS; i++) {
            if (b.len > 1 << 20)
                buf_reset(&b);
            json_point(&b, INT64_C(1795000000000) + i * 15000, value_of(class, i));
        }
        printf("point, %-14s %6.1f ns\n", CLASSES[class],
               (double)(clock_thread_cpu_ns() - start) / POINTS);
        buf_reset(&b);
    }
    enum { STEPS = 250 };
    static uint8_t slots[STEPS * JSON_TIME_SLOT];
    static double values[STEPS];
    for (unsigned i = 0; i < STEPS; i++)
        json_time_slot(INT64_C(1795000000000) + i * 15000, slots + i * JSON_TIME_SLOT);
    for (int class = 0; class < 3; class ++) {
        for (unsigned i = 0; i < STEPS; i++)
            values[i] = value_of(class, i * 397);
        uint64_t begun = clock_thread_cpu_ns();
        for (unsigned i = 0; i < POINTS / STEPS; i++) {
            buf_reset(&b);
            json_points(&b, slots, values, STEPS);
        }
        printf("points, %-13s %6.1f ns, %4.1f bytes\n", CLASSES[class],
               (double)(clock_thread_cpu_ns() - begun) / POINTS, (double)b.len / STEPS);
        buf_reset(&b);
    }
    const struct label items[] = {{STR("__name__"), STR("node_cpu_seconds_total")},
                                  {STR("cpu"), STR("12")},
                                  {STR("instance"), STR("10.1.2.3:9100")},
                                  {STR("job"), STR("node")},
                                  {STR("mode"), STR("system")}};
    uint64_t start = clock_thread_cpu_ns();
    for (unsigned i = 0; i < POINTS; i++) {
        buf_reset(&b);
        labels_json(&b, (struct labels){items, COUNT_OF(items)});
    }
    printf("label set of 5        %6.1f ns\n", (double)(clock_thread_cpu_ns() - start) / POINTS);
    buf_fini(&b);
    return 0;
}
