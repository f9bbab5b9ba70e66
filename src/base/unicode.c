/* unicode.c -- see unicode.h: the tables of GNU libunistring. */
#include "base/unicode.h"

#include <unicase.h>
#include <unictype.h>

bool unicode_is_letter(uint32_t rune)
{
    return uc_is_general_category(rune, UC_CATEGORY_L);
}

bool unicode_is_digit(uint32_t rune)
{
    return uc_is_general_category(rune, UC_CATEGORY_Nd);
}

bool unicode_is_space(uint32_t rune)
{
    return uc_is_property_white_space(rune);
}

uint32_t unicode_upper(uint32_t rune)
{
    return uc_toupper(rune);
}

uint32_t unicode_lower(uint32_t rune)
{
    return uc_tolower(rune);
}

uint32_t unicode_title(uint32_t rune)
{
    return uc_totitle(rune);
}
