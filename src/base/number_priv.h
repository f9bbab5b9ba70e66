/* number_priv.h -- what number.cc (C++17 <charconv>) gives number_format.c and number_parse.c. */
#ifndef BASE_NUMBER_PRIV_H
#define BASE_NUMBER_PRIV_H

#include <stdbool.h>
#include <stddef.h>

enum { NUMBER_DIGITS_MAX = 17 }; /* significant digits that identify any double */

struct digits { /* 0.DDDD * 10^point; no leading or trailing zero digit */
    char text[NUMBER_DIGITS_MAX];
    int count; /* 0 for the value 0 */
    int point;
};

enum number_read { NUMBER_READ_OK, NUMBER_READ_RANGE, NUMBER_READ_BAD };

/* The shortest digits that read back as `v`, the closest to it among them. `v` is finite and >= 0.
 */
void number_digits(double v, struct digits *out);

/* Read the whole of an unsigned decimal (hexadecimal without "0x" if `hex`), correctly rounded.
 * `out` is set only for NUMBER_READ_OK. */
enum number_read number_read_f64(const char *text, size_t size, bool hex, double *out);

#endif
