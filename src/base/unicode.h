/* unicode.h -- properties and letter cases of characters (Unicode's simple mappings, one character
 * to one), as Go's unicode package. */
#ifndef BASE_UNICODE_H
#define BASE_UNICODE_H

#include <stdbool.h>
#include <stdint.h>

bool unicode_is_letter(uint32_t rune);
bool unicode_is_digit(uint32_t rune); /* decimal digits of every script */
bool unicode_is_space(uint32_t rune);

uint32_t unicode_upper(uint32_t rune);
uint32_t unicode_lower(uint32_t rune);
uint32_t unicode_title(uint32_t rune);

#endif
