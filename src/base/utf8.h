/* utf8.h -- UTF-8 validation and runes, as Go's unicode/utf8. */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/slice.h"

/* Is every byte of `s` part of a valid, shortest-form encoding of a scalar value? */
bool utf8_valid(str s);

/* Number of runes; an invalid byte counts as one. */
size_t utf8_count(str s);

/* The rune at the start of `s` (not empty) and its size in bytes; U+FFFD and 1 for an invalid byte. */
uint32_t utf8_decode(str s, unsigned *size);

/* Append the encoding of `rune`; surrogates and values above U+10FFFF become U+FFFD. */
void utf8_append(struct buf *b, uint32_t rune);

/* Append `s` as Go's strconv.Quote (%q) prints it, with the double quotes. */
void utf8_quote(struct buf *b, str s);

#endif
