/* series_notation.c -- see series_notation.h. The metric is read with PromQL's lexer, what follows
 * with a scanner of its own. */
#include "query/series_notation.h"

#include "base/bytes.h"
#include "model/histogram_math.h"
#include "model/sample.h"
#include "query/literal.h"
#include "query/quote.h"
#include "query/series_notation_priv.h"

static const char LABEL_SET[] = "label set", VALUES[] = "series values";

static err set_label(struct parser *p, struct list *ls, str name, str value)
{
    struct label *items = ls->items, *slot;
    for (size_t i = 0; str_eq(name, LABEL_NAME) && i < ls->count; i++)
        if (str_eq(items[i].name, name)) { /* a name within the braces gives way */
            items[i].value = value;
            return OK;
        }
    if ((slot = parser_push(p, ls, sizeof(*slot))) == NULL)
        return parser_no_memory(p);
    *slot = (struct label){name, value};
    return OK;
}

static err copy_text(struct parser *p, struct token t, str *out)
{
    *out = arena_str(p->arena, parser_text(p, t));
    return out->ptr == NULL ? parser_no_memory(p) : OK;
}

static err parse_label_value(struct parser *p, str *out)
{
    if (parser_peek(p) != TOKEN_STRING)
        return parser_unexpected(p, LABEL_SET, "string");
    return parse_string(p, parser_take(p), out);
}

/* a="b", "a"="b", or "m": the name of the metric. */
static err parse_label(struct parser *p, struct list *ls)
{
    enum token_type t = parser_peek(p);
    str name, value;
    if (t != TOKEN_STRING && t != TOKEN_IDENTIFIER)
        return parser_unexpected(p, LABEL_SET, "identifier or \"}\"");
    struct token first = parser_take(p);
    if (t == TOKEN_STRING)
        TRY(parse_string(p, first, &name));
    else
        TRY(copy_text(p, first, &name));
    if (parser_accept(p, TOKEN_EQUAL)) {
        TRY(parse_label_value(p, &value));
        return set_label(p, ls, name, value);
    }
    return t == TOKEN_STRING ? set_label(p, ls, LABEL_NAME, name)
                             : parser_unexpected(p, LABEL_SET, "\"=\"");
}

/* The part in braces; the opening one is next. */
static err parse_label_set(struct parser *p, struct list *ls)
{
    (void)parser_take(p);
    while (!parser_accept(p, TOKEN_RIGHT_BRACE)) {
        TRY(parse_label(p, ls));
        if (parser_accept(p, TOKEN_RIGHT_BRACE))
            return OK;
        if (!parser_accept(p, TOKEN_COMMA))
            return parser_unexpected(p, LABEL_SET, "\",\" or \"}\"");
    }
    return OK;
}

static err finish_labels(struct parser *p, struct list *ls, struct labels *out)
{
    struct label *items = ls->items;
    char quoted[QUOTE_TEXT_SIZE];
    size_t count = labels_sort(items, ls->count);
    for (size_t i = 1; i < count; i++)
        if (str_eq(items[i - 1].name, items[i].name)) {
            quote_text(items[i].name, quoted);
            return diag_set(p->diag, ERR_INVALID, "label name %s is not unique: invalid sample",
                            quoted);
        }
    *out = (struct labels){items, count};
    return OK;
}

/* A metric, or nothing. In a series, braces belong to it only directly behind its name. */
static err parse_metric(struct parser *p, bool in_series, struct labels *out)
{
    struct list ls = {0};
    str name = STR("");
    bool named = token_is_metric_name(parser_peek(p));
    if (named) {
        struct token t = parser_take(p);
        str text = p->lexer.text;
        TRY(copy_text(p, t, &name));
        if (in_series && (t.end == text.len || text.ptr[t.end] != '{')) {
            TRY(set_label(p, &ls, LABEL_NAME, name));
            return finish_labels(p, &ls, out);
        }
    }
    if (parser_peek(p) == TOKEN_LEFT_BRACE)
        TRY(parse_label_set(p, &ls));
    else if (in_series)
        return parser_unexpected(p, VALUES, NULL);
    if (named)
        TRY(set_label(p, &ls, LABEL_NAME, name));
    return finish_labels(p, &ls, out);
}

static err init(struct parser *p, str text, const struct promql_options *o, struct arena *a,
                struct diag *d)
{
    if (text.len > SERIES_NOTATION_TEXT_SIZE_MAX)
        return diag_set(d, ERR_LIMIT, "a series of more than %d bytes of text",
                        SERIES_NOTATION_TEXT_SIZE_MAX);
    *p = (struct parser){.options = o, .arena = a, .diag = d};
    lexer_init(&p->lexer, text);
    return OK;
}

err series_notation_labels(str text, struct arena *a, struct labels *out, struct diag *d)
{
    const struct promql_options options = {0};
    struct parser p;
    struct labels ls;
    TRY(init(&p, text, &options, a, d));
    TRY(parse_metric(&p, false, &ls));
    if (parser_peek(&p) != TOKEN_END)
        return parser_unexpected(&p, NULL, NULL);
    *out = ls;
    return OK;
}

/* ---- Values ---- */

/* May `more` places and one further follow? */
static err check_room(struct notation *n, uint64_t more)
{
    if (more < SERIES_NOTATION_PLACES_MAX - n->places.count)
        return OK;
    return diag_set(n->p.diag, ERR_LIMIT, "a series of more than %d values",
                    SERIES_NOTATION_PLACES_MAX);
}

static err add_place(struct notation *n, struct series_place place)
{
    struct series_place *slot = parser_push(&n->p, &n->places, sizeof(*slot));
    if (slot == NULL)
        return parser_no_memory(&n->p);
    *slot = place;
    return OK;
}

static err add_places(struct notation *n, struct series_place place, uint64_t count)
{
    TRY(count > 0 ? check_room(n, count - 1) : OK);
    for (uint64_t i = 0; i < count; i++)
        TRY(add_place(n, place));
    return OK;
}

/* The `xn` behind a value, if `needed` or if it is there. */
static err parse_times(struct notation *n, bool needed, uint64_t *out)
{
    *out = 0;
    if (!notation_accept(n, NOTE_TIMES))
        return needed ? notation_unexpected(n, VALUES, NULL) : OK;
    err e = notation_uint(n, out);
    return e == ERR_NOTFOUND ? notation_unexpected(n, VALUES, NULL) : e;
}

/* times + 1 values by repeated addition, which is what upstream does to the bit. */
static err add_floats(struct notation *n, double value, double step, uint64_t times)
{
    TRY(check_room(n, times));
    for (uint64_t i = 0; i <= times; i++) {
        TRY(add_place(n, (struct series_place){.value = value}));
        value += step;
    }
    return OK;
}

static err parse_floats(struct notation *n, double value)
{
    double step = 0;
    uint64_t times;
    bool stepped = notation_peek(n) == NOTE_ADD || n->type == NOTE_SUB;
    if (stepped) {
        err e = notation_number(n, &step);
        if (e != OK)
            return e == ERR_NOTFOUND ? notation_unexpected(n, VALUES, NULL) : e;
    }
    TRY(parse_times(n, stepped, &times));
    if (stepped)
        return add_floats(n, value, step, times);
    TRY(check_room(n, times)); /* nothing is added, so that the bits of a marker stay */
    return add_places(n, (struct series_place){.value = value}, times + 1);
}

/* The values behind `base` of {{...}}+{{...}}xn. */
static err add_histograms(struct notation *n, struct histogram *base, const struct histogram *step,
                          bool minus, uint64_t times)
{
    struct histogram_notes notes = {0};
    struct histogram *h = base;
    TRY(check_room(n, times));
    for (uint64_t i = 0; i <= times; i++) {
        TRY(add_place(n, (struct series_place){.histogram = h}));
        if (i == times)
            break;
        if (h->schema > step->schema)
            return parser_fail(&n->p, n->pos, n->pos,
                               "error combining histograms: cannot merge from schema %d to %d",
                               (int)step->schema, (int)h->schema);
        if (histogram_copy(h, n->p.arena, &h) != OK)
            return parser_no_memory(&n->p);
        err e = minus ? histogram_sub(h, step, n->p.arena, &notes)
                      : histogram_add(h, step, n->p.arena, &notes);
        if (e == ERR_LIMIT)
            return parser_no_memory(&n->p);
        if (e != OK)
            return parser_fail(&n->p, n->pos, n->pos,
                               "cannot apply this operation on histograms with a mix of "
                               "exponential and custom bucket schemas");
    }
    return OK;
}

static err parse_histograms(struct notation *n)
{
    struct histogram *base, *step;
    uint64_t times;
    (void)notation_take(n);
    TRY(notation_histogram(n, &base));
    bool minus = notation_peek(n) == NOTE_SUB;
    if (!minus && n->type != NOTE_ADD) {
        TRY(parse_times(n, false, &times));
        TRY(check_room(n, times));
        return add_places(n, (struct series_place){.histogram = base}, times + 1);
    }
    (void)notation_take(n);
    if (!notation_accept(n, NOTE_OPEN))
        return notation_unexpected(n, VALUES, NULL);
    TRY(notation_histogram(n, &step));
    TRY(parse_times(n, true, &times));
    return add_histograms(n, base, step, minus, times);
}

static err parse_blanks(struct notation *n)
{
    uint64_t count;
    (void)notation_take(n);
    bool repeated = notation_peek(n) == NOTE_TIMES;
    TRY(parse_times(n, false, &count));
    return add_places(n, (struct series_place){.empty = true}, repeated ? count : 1);
}

static err parse_item(struct notation *n)
{
    double value;
    enum note_type t = notation_peek(n);
    if (t == NOTE_BLANK)
        return parse_blanks(n);
    if (t == NOTE_OPEN)
        return parse_histograms(n);
    if (t == NOTE_NUMBER || t == NOTE_ADD || t == NOTE_SUB) {
        err e = notation_number(n, &value);
        if (e != OK)
            return e == ERR_NOTFOUND ? notation_unexpected(n, VALUES, NULL) : e;
        return parse_floats(n, value);
    }
    if (t != NOTE_WORD || n->token.type != TOKEN_IDENTIFIER)
        return notation_unexpected(n, NULL, NULL);
    if (!str_eq(notation_text(n, n->token), STR("stale")))
        return notation_unexpected(n, VALUES, "number or \"stale\"");
    (void)notation_take(n);
    return parse_floats(n, f64_from_bits(STALE_NAN_BITS));
}

static err parse_values(struct notation *n)
{
    if (notation_peek(n) != NOTE_SPACE && n->type != NOTE_END)
        return notation_unexpected(n, VALUES, NULL);
    while (notation_accept(n, NOTE_SPACE))
        if (notation_peek(n) != NOTE_END)
            TRY(parse_item(n));
    return notation_peek(n) == NOTE_END ? OK : notation_unexpected(n, NULL, NULL);
}

err series_notation_parse(str text, struct arena *a, struct series_notation *out, struct diag *d)
{
    const struct promql_options options = {0};
    struct notation n = {0};
    struct labels ls;
    TRY(init(&n.p, text, &options, a, d));
    TRY(parse_metric(&n.p, true, &ls));
    n.pos = n.p.last_end;
    TRY(parse_values(&n));
    *out = (struct series_notation){ls, n.places.items, n.places.count};
    return OK;
}
