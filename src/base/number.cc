/* number.cc -- see number_priv.h: the C interface of C++17 <charconv>, which is exact, fast and
 * knows no locale. */
#include <charconv>
#include <cstring>
#include <system_error>

extern "C" {
#include "base/assert.h"
#include "base/number_priv.h"
}

enum { SCIENTIFIC_SIZE_MAX = 32 }; /* "1.2345678901234567e+308" and room */

/* The text is "d.ddde+dd" with two or three digits of exponent, or "de+dd". */
extern "C" void number_digits(double v, struct digits *out)
{
    char text[SCIENTIFIC_SIZE_MAX];
    auto r = std::to_chars(text, text + sizeof(text), v, std::chars_format::scientific);
    ASSERT(r.ec == std::errc());
    const char *e = r.ptr[-4] == 'e' ? r.ptr - 4 : r.ptr - 5;
    ASSERT(e > text && *e == 'e');
    int exponent = 0;
    for (const char *p = e + 2; p < r.ptr; p++)
        exponent = exponent * 10 + (*p - '0');
    out->text[0] = text[0];
    out->count = 1;
    if (e > text + 1) {
        out->count = static_cast<int>(e - text) - 1;
        memcpy(out->text + 1, text + 2, static_cast<size_t>(out->count) - 1);
    }
    if (out->text[0] == '0') /* only "0" itself */
        out->count = 0;
    out->point = out->count > 0 ? (e[1] == '-' ? -exponent : exponent) + 1 : 0;
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
