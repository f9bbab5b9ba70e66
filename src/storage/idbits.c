/* idbits.c -- see idbits.h. */
#include "storage/idbits.h"

#include "base/compiler.h"

HOT_CLONES
size_t idbits_count(const uint64_t *bits, size_t words)
{
    size_t count = 0;
    for (size_t w = 0; w < words; w++)
        count += (size_t)__builtin_popcountll(bits[w]);
    return count;
}

bool idbits_meet(const uint64_t *a, const uint64_t *b, size_t words)
{
    for (size_t w = 0; w < words; w++)
        if ((a[w] & b[w]) != 0)
            return true;
    return false;
}

HOT_CLONES
void idbits_and(uint64_t *a, const uint64_t *b, size_t words)
{
    for (size_t w = 0; w < words; w++)
        a[w] &= b[w];
}

HOT_CLONES
void idbits_andnot(uint64_t *a, const uint64_t *b, size_t words)
{
    for (size_t w = 0; w < words; w++)
        a[w] &= ~b[w];
}

/* Series that are created together mostly match together: full words are common. */
HOT_CLONES
void idbits_list(const uint64_t *bits, size_t words, uint32_t *out)
{
    for (size_t w = 0; w < words; w++) {
        uint32_t first = (uint32_t)(w * 64);
        if (bits[w] == UINT64_MAX) {
            for (uint32_t i = 0; i < 64; i++)
                out[i] = first + i;
            out += 64;
            continue;
        }
        for (uint64_t left = bits[w]; left != 0; left &= left - 1)
            *out++ = first + (uint32_t)__builtin_ctzll(left);
    }
}

size_t idbits_filter(const uint64_t *bits, bool wanted, uint32_t *ids, size_t count)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        uint32_t id = ids[i];
        ids[kept] = id;
        kept += idbits_has(bits, id) == wanted;
    }
    return kept;
}
