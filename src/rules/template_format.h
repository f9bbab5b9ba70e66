/* template_format.h -- Go's fmt: values to text. */
#ifndef RULES_TEMPLATE_FORMAT_H
#define RULES_TEMPLATE_FORMAT_H

#include "base/buf.h"
#include "rules/template_value.h"

enum {
    FORMAT_WIDTH_MAX = 1000000, /* Go's own bound of widths and precisions */
    FORMAT_DEPTH_MAX = 100,     /* lists in lists */
};

/* fmt.Sprint(v): what an action prints. Appends at most `bytes_max` bytes.
 *   ERR_LIMIT  longer or too deep; what fits was appended */
MUST_USE err template_format(const struct template_value *v, size_t bytes_max, struct buf *out);

/* fmt.Sprint (blanks where neither neighbour is a string) and fmt.Sprintln (blanks everywhere and
 * a newline) of several values. */
MUST_USE err template_sprint(const struct template_value *values, size_t count, bool is_line,
                             size_t bytes_max, struct buf *out);

/* fmt.Sprintf, with Go's marks for what does not fit ("%!d(string=x)"). Pointers within lists and
 * %p of lists and maps, which Go prints as addresses, appear as what they point to. */
MUST_USE err template_sprintf(str format, const struct template_value *values, size_t count,
                              size_t bytes_max, struct buf *out);

/* How one verb is written. */
struct format_flags {
    bool plus, minus, sharp, space, zero;
    bool plus_v, sharp_v; /* of %+v and %#v */
    int width, precision; /* -1: not given */
};

struct formatter {
    struct buf *out;
    size_t end; /* of `out`, in bytes */
    struct format_flags flags;
    unsigned depth;
    err failed; /* ERR_LIMIT once something did not fit */
};

/* `v` by a verb; for numbers and strings: template_verbs.c. */
void format_value(struct formatter *f, const struct template_value *v, uint32_t verb);
void format_bool(struct formatter *f, const struct template_value *v, uint32_t verb);
void format_integer(struct formatter *f, const struct template_value *v, uint32_t verb);
void format_float(struct formatter *f, const struct template_value *v, uint32_t verb);
void format_string(struct formatter *f, const struct template_value *v, str s, uint32_t verb);
/* "%!x(type=value)" */
void format_bad_verb(struct formatter *f, const struct template_value *v, uint32_t verb);

/* Append, or latch the limit. */
void format_put(struct formatter *f, str s);
/* Append `s` in the width of the flags. */
void format_pad(struct formatter *f, str s);

#endif
