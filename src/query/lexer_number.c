/* lexer_number.c -- where a number or duration ends, exactly as Prometheus sees it: it takes
 * whatever looks like one, and leaves it to the parser to say that 1e or 0x1.5 has no value. */
#include "query/lexer_priv.h"
#include "query/quote.h"

struct scan {
    str text;
    size_t pos;
    bool hex;
};

static bool at(const struct scan *s, const char *set)
{
    char c = s->pos < s->text.len ? s->text.ptr[s->pos] : '\0';
    return c != '\0' && strchr(set, c) != NULL;
}

static bool accept(struct scan *s, const char *set)
{
    bool yes = at(s, set);
    s->pos += yes;
    return yes;
}

static bool at_end(const struct scan *s)
{
    return s->pos == s->text.len;
}

static const char *digits(const struct scan *s)
{
    return s->hex ? "0123456789abcdefABCDEF" : "0123456789";
}

static bool at_word(const struct scan *s)
{
    return at(s, "0123456789_abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");
}

/* Digits, dots, exponents and underscores in an order that may make a number. On failure `pos` is
 * where it stopped making sense. */
static bool scan_body(struct scan *s)
{
    bool dot = false, exponent = false;
    for (;;) {
        if (at(s, ".")) {
            s->pos++;
            if (dot || accept(s, "_.") || s->hex)
                return false;
            dot = true;
        } else if (at(s, "eE")) {
            s->pos++;
            if (exponent)
                return false;
            exponent = true;
            (void)accept(s, "+-");
            if (accept(s, "._eE") || at_end(s))
                return false;
        } else if (accept(s, "_")) {
            if (accept(s, "._eE") || at_end(s))
                return false;
        } else if (at(s, digits(s))) {
            while (accept(s, digits(s)))
                ;
        } else {
            return true;
        }
    }
}

static bool scan_number(struct scan *s)
{
    if (accept(s, "0") && accept(s, "xX")) {
        (void)accept(s, "_"); /* 0x_1F */
        s->hex = true;
    }
    (void)accept(s, ".");
    (void)accept(s, digits(s));
    return scan_body(s) && !at_word(s);
}

bool lexer_decimal(str text, size_t start, size_t *end)
{
    struct scan s = {text, start, false};
    (void)accept(&s, ".");
    (void)accept(&s, digits(&s));
    bool ok = scan_body(&s) && s.pos > start && (at(&s, "x") || !at_word(&s));
    *end = s.pos;
    return ok;
}

/* After its first number: a unit, more numbers with units, and nothing that goes on as a word. */
static bool scan_units(struct scan *s)
{
    static const char DECIMAL[] = "0123456789";
    if (!accept(s, "smhdwy"))
        return false;
    (void)accept(s, "s"); /* ms; hs and the like are found out when the duration is read */
    while (accept(s, DECIMAL)) {
        while (accept(s, DECIMAL))
            ;
        if (!accept(s, "smhdw"))
            return false;
        (void)accept(s, "s");
    }
    bool word = at_word(s);
    s->pos += word;
    return !word;
}

void lexer_number(struct lexer *lx, size_t start)
{
    char quoted[QUOTE_TEXT_SIZE];
    struct scan s = {lx->text, start, false};
    if (scan_number(&s)) {
        lexer_emit(lx, TOKEN_NUMBER, start, s.pos);
    } else if (scan_units(&s)) {
        lexer_emit(lx, TOKEN_DURATION, start, s.pos);
    } else {
        quote_text((str){lx->text.ptr + start, s.pos - start}, quoted);
        lexer_fail(lx, start, "bad number or duration syntax: %s", quoted);
    }
    lx->got_duration = true;
    lx->in_duration = false;
}
