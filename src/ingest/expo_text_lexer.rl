/* expo_text_lexer.rl -- tokens of the Prometheus text format, 0.0.4 and 1.0.0: see expo_priv.h. One
 * machine for each state; all but that of metadata's text begin with blanks, which are no part of
 * the token. Messages quote how far the lexer got: it stops where Prometheus' does. */
#include "ingest/expo_priv.h"

%%{
    machine expo_text;
    include expo_rules "expo_rules.rlh";

    action begin { start = p; }
    action value { token = TOKEN_VALUE; state = STATE_TIMESTAMP; }
    action timestamp { token = TOKEN_TIMESTAMP; }
    action help { token = TOKEN_HELP; state = STATE_META1; }
    action type { token = TOKEN_TYPE; state = STATE_META1; }
    action text { token = TOKEN_TEXT; state = STATE_INIT; }
    action no_text { start = p; token = TOKEN_TEXT; state = STATE_INIT; }
    action comment { token = TOKEN_COMMENT; state = STATE_INIT; fhold; fbreak; }
    action end_of_page { token = TOKEN_EOF; fhold; fbreak; }

    blank = [ \t];
    line_break = '\n' @{ token = TOKEN_LINEBREAK; state = STATE_INIT; fbreak; };

    # Behind "# ": HELP or TYPE and a blank, or any other comment. A 0 ends the page, unless it
    # comes later in such a comment: there it is passed over.
    help_word = 'H' 0* 'E' 0* 'L' 0* 'P' 0* blank (blank | 0)*;
    type_word = 'T' 0* 'Y' 0* 'P' 0* 'E' 0* blank (blank | 0)*;
    other_comment = ((any - blank - '\n' - 0) (any - '\n')*)? - ((help_word | type_word) any*);
    words = blank+ (help_word %!help | type_word %!type | other_comment '\n' @comment
                    | 0 @end_of_page);
    remark = ((any - blank - '\n' - 0) (any - '\n' - 0)*)? ('\n' @comment | 0 @end_of_page);

    init := blank* (series_name | brace_open | '#' (words | remark) | line_break
                    | 0 @end_of_page) >begin;
    meta_name := blank* family >begin;
    # The rest of the line with the blanks before it; nothing, where it is blank all over.
    filled = blank* (any - blank - '\n' - 0) @rest_of_line (any - '\n')* | blank+ 0 (any - '\n')*;
    meta_text := blank* %!no_text | filled >begin %!text;
    labels := blank* series_labels >begin;
    label_value := (blank (blank | 0)*)? (quoted_over_0 >begin %!label_value);
    value := blank* (brace_open | (any - [ \t\n{] - 0)+ %!value) >begin;
    timestamp := blank* (line_break | digit+ %!timestamp) >begin;

    write data noerror nofinal;
}%%

static int machine_for(unsigned state)
{
    switch (state) {
    case STATE_META1:
        return expo_text_en_meta_name;
    case STATE_META2:
        return expo_text_en_meta_text;
    case STATE_LABELS:
        return expo_text_en_labels;
    case STATE_LVALUE:
        return expo_text_en_label_value;
    case STATE_VALUE:
        return expo_text_en_value;
    case STATE_TIMESTAMP:
        return expo_text_en_timestamp;
    default:
        return expo_text_en_init;
    }
}

enum expo_token expo_text_lex(struct expo *x)
{
    if (x->pos >= x->len)
        return TOKEN_EOF; /* the token before stays the last */
    const unsigned char *page = (const unsigned char *)x->page, *start = NULL;
    const unsigned char *p = page + x->pos, *pe = page + x->len, *eof = pe;
    enum expo_token token = TOKEN_INVALID;
    unsigned state = x->state;
    int cs = machine_for(state);

    %% write exec;

    if (start == NULL) /* no byte fits, or there were none but blanks */
        start = p;
    x->token = (size_t)(start - page);
    x->pos = (size_t)(p - page);
    x->state = state;
    return token;
}
