/* texts.h -- borrowed lists of text and of named text, as configuration files give them. */
#ifndef BASE_TEXTS_H
#define BASE_TEXTS_H

#include <stddef.h>

#include "base/slice.h"

struct texts {
    str *items;
    size_t count;
};

struct pair {
    str name, value;
};

struct pairs { /* in the order of the file */
    struct pair *items;
    size_t count;
};

struct named_texts { /* one name, several values */
    str name;
    struct texts values;
};

struct multimap { /* in the order of the file */
    struct named_texts *items;
    size_t count;
};

#endif
