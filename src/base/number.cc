/* number.cc -- see number_priv.h: the C interface of C++17 <charconv>, which is exact, fast and
 * knows no locale. */
#include <charconv>
#include <system_error>

extern "C" {
#include "base/assert.h"
#include "base/number_priv.h"
}

enum { SCIENTIFIC_SIZE_MAX = 32 }; /* "1.2345678901234567e+308" and room */

extern "C" void number_digits(double v, struct digits *out)
{
    char text[SCIENTIFIC_SIZE_MAX];
    auto r = std::to_chars(text, text + sizeof(text), v, std::chars_format::scientific);
    ASSERT(r.ec == std::errc());
    const char *p = text;
    out->count = 0;
    for (; *p != 'e'; p++)
        if (*p != '.')
            out->text[out->count++] = *p;
    p++;
    int exponent = 0;
    auto e = std::from_chars(*p == '+' ? p + 1 : p, r.ptr, exponent);
    ASSERT(e.ec == std::errc());
    while (out->count > 0 && out->text[out->count - 1] == '0')
        out->count--; /* only "0" itself */
    out->point = out->count > 0 ? exponent + 1 : 0;
}

extern "C" enum number_read number_read_f64(const char *text, size_t size, bool hex, double *out)
{
    double v = 0;
    auto format = hex ? std::chars_format::hex : std::chars_format::general;
    auto r = std::from_chars(text, text + size, v, format);
    if (r.ptr != text + size || r.ec == std::errc::invalid_argument)
        return NUMBER_READ_BAD;
    if (r.ec == std::errc::result_out_of_range)
        return NUMBER_READ_RANGE;
    *out = v;
    return NUMBER_READ_OK;
}
