/* rule_place.c -- from a byte of a value back to its place in the file. Block, folded and quoted
 * texts differ from what stands in the file in white space and escapes only, so both are walked
 * side by side, black byte by black byte. */
#include "config/rule_file.h"

struct walk { /* in the file */
    str s;
    size_t pos;
    unsigned line, column;
    char quote; /* ' or " around the text; 0: none */
};

static void step(struct walk *w)
{
    char ch = w->s.ptr[w->pos++];
    if (ch == '\n') {
        w->line++;
        w->column = 1;
    } else if (((unsigned char)ch & 0xc0) != 0x80) { /* not inside a character */
        w->column++;
    }
}

static bool at_end(const struct walk *w)
{
    return w->pos >= w->s.len;
}

static bool is_space(char ch)
{
    return ch == ' ' || ch == '\t' || ch == '\n' || ch == '\r';
}

static void skip_spaces(struct walk *w)
{
    while (!at_end(w) && is_space(w->s.ptr[w->pos]))
        step(w);
}

static void skip_line(struct walk *w)
{
    while (!at_end(w) && w->s.ptr[w->pos] != '\n')
        step(w);
}

static void go_to(struct walk *w, unsigned line, unsigned column)
{
    while (!at_end(w) && (w->line < line || (w->line == line && w->column < column)))
        step(w);
}

/* Behind anchors, tags, the opening quote or the head of a block. */
static void skip_head(struct walk *w)
{
    while (!at_end(w) && (w->s.ptr[w->pos] == '&' || w->s.ptr[w->pos] == '!')) {
        while (!at_end(w) && !is_space(w->s.ptr[w->pos]))
            step(w);
        skip_spaces(w);
    }
    if (at_end(w))
        return;
    char ch = w->s.ptr[w->pos];
    if (ch == '|' || ch == '>') {
        skip_line(w);
    } else if (ch == '"' || ch == '\'') {
        w->quote = ch;
        step(w);
    }
}

/* Bytes of the escape that starts here. */
static size_t escape_size(const struct walk *w)
{
    switch (w->s.ptr[w->pos + 1]) {
    case 'x':
        return 4;
    case 'u':
        return 6;
    case 'U':
        return 10;
    default:
        return 2;
    }
}

static bool at_escape(const struct walk *w)
{
    return w->quote == '"' && w->pos + 1 < w->s.len && w->s.ptr[w->pos] == '\\';
}

/* Bytes that stand in the file for one black byte of the text. */
static size_t size_in_file(const struct walk *w, char ch)
{
    if (at_escape(w))
        return escape_size(w);
    return w->quote == '\'' && ch == '\'' ? 2 : 1;
}

/* Does the escape stand for white space, or for a line that goes on? */
static bool is_white_escape(const struct walk *w)
{
    char ch = w->s.ptr[w->pos + 1];
    size_t size = escape_size(w);
    if (size == 2)
        return ch == 'n' || ch == 't' || ch == 'r' || is_space(ch);
    if (w->pos + size > w->s.len)
        return false;
    const char *digits = w->s.ptr + w->pos + 2, *last = digits + size - 4; /* two that matter */
    for (const char *p = digits; p < last; p++)
        if (*p != '0')
            return false;
    return (last[0] == '2' && last[1] == '0') ||
           (last[0] == '0' &&
            (last[1] == '9' || (last[1] | 0x20) == 'a' || (last[1] | 0x20) == 'd'));
}

static void skip_white(struct walk *w)
{
    skip_spaces(w);
    while (at_escape(w) && is_white_escape(w)) {
        for (size_t n = escape_size(w); n > 0; n--)
            step(w);
        skip_spaces(w);
    }
}

void rule_text_place(const struct rule_file *f, const struct rule_text *t, size_t offset,
                     unsigned *line, unsigned *column)
{
    struct walk w = {.s = f->source, .line = 1, .column = 1};
    go_to(&w, t->line, t->column);
    skip_head(&w);
    *line = t->line;
    *column = t->column;
    for (size_t i = 0; i <= offset && i <= t->text.len; i++) {
        char ch = i < t->text.len ? t->text.ptr[i] : ' ';
        if (is_space(ch)) { /* right behind the black byte before it, should the walk end here */
            *line = w.line;
            *column = w.column;
            continue;
        }
        skip_white(&w);
        if (at_end(&w))
            return;
        *line = w.line;
        *column = w.column;
        for (size_t n = size_in_file(&w, ch); n > 0 && !at_end(&w); n--)
            step(&w);
    }
}
