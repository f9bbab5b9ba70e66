/* expo_om_lexer.rl -- tokens of OpenMetrics 1.0 and 0.0.1: see expo_priv.h. One machine for each
 * state; a blank is part of the token behind it. Messages quote how far the lexer got: it stops
 * where Prometheus' does. */
#include "ingest/expo_priv.h"

%%{
    machine expo_om;
    include expo_rules "expo_rules.rlh";

    action help { token = TOKEN_HELP; state = STATE_META1; }
    action type { token = TOKEN_TYPE; state = STATE_META1; }
    action unit { token = TOKEN_UNIT; state = STATE_META1; }
    action end_word { token = TOKEN_EOFWORD; state = STATE_INIT; }
    action value { token = TOKEN_VALUE; state = STATE_TIMESTAMP; }
    action timestamp { token = TOKEN_TIMESTAMP; }
    action exemplar_value { token = TOKEN_VALUE; state = STATE_ETIMESTAMP; }

    # Behind "# " bytes of 0 are passed over.
    help_word = 'H' 0* 'E' 0* 'L' 0* 'P' 0* ' ' 0*;
    type_word = 'T' 0* 'Y' 0* 'P' 0* 'E' 0* ' ' 0*;
    unit_word = 'U' 0* 'N' 0* 'I' 0* 'T' 0* ' ' 0*;
    end_of_file = 'E' 0* 'O' 0* 'F' 0*;
    words = help_word %!help %/help | type_word %!type %/type | unit_word %!unit %/unit
          | end_of_file %!end_word %/end_word
          | end_of_file '\n' @{ token = TOKEN_EOFWORD; state = STATE_INIT; fbreak; };

    field = ' ' (any - [ \n] - 0)+;
    line_break = '\n' @{ token = TOKEN_LINEBREAK; state = STATE_INIT; fbreak; };
    exemplar = ' # {' @{ token = TOKEN_COMMENT; state = STATE_EXEMPLAR; fbreak; };

    init := series_name | brace_open | '# ' 0* words;
    meta_name := family;
    meta_text := ' ' @rest_of_line (any - '\n')* '\n' @{ token = TOKEN_TEXT; state = STATE_INIT; fbreak; };
    labels := series_labels;
    label_value := quoted_line_over_0 %!label_value %/label_value;
    value := brace_open | field %!value %/value;
    timestamp := line_break | exemplar | field %!timestamp %/timestamp;
    exemplar_labels := name_of_label %!label_name %/label_name
                     | quoted_line @{ token = TOKEN_QSTRING; fbreak; }
                     | ',' @{ token = TOKEN_COMMA; fbreak; }
                     | [=] @{ token = TOKEN_EQUAL; state = STATE_EVALUE; fbreak; }
                     | '}' @{ token = TOKEN_BRACE_CLOSE; state = STATE_EVALUE; fbreak; };
    exemplar_value := quoted_line @{ token = TOKEN_LVALUE; state = STATE_EXEMPLAR; fbreak; }
                    | field %!exemplar_value %/exemplar_value;
    exemplar_timestamp := line_break | field %!timestamp %/timestamp;

    write data noerror nofinal;
}%%

static int machine_for(unsigned state)
{
    switch (state) {
    case STATE_META1:
        return expo_om_en_meta_name;
    case STATE_META2:
        return expo_om_en_meta_text;
    case STATE_LABELS:
        return expo_om_en_labels;
    case STATE_LVALUE:
        return expo_om_en_label_value;
    case STATE_VALUE:
        return expo_om_en_value;
    case STATE_TIMESTAMP:
        return expo_om_en_timestamp;
    case STATE_EXEMPLAR:
        return expo_om_en_exemplar_labels;
    case STATE_EVALUE:
        return expo_om_en_exemplar_value;
    case STATE_ETIMESTAMP:
        return expo_om_en_exemplar_timestamp;
    default:
        return expo_om_en_init;
    }
}

enum expo_token expo_om_lex(struct expo *x)
{
    if (x->pos >= x->len)
        return TOKEN_EOF;
    const unsigned char *page = (const unsigned char *)x->page;
    const unsigned char *p = page + x->pos, *pe = page + x->len, *eof = pe;
    enum expo_token token = TOKEN_INVALID;
    unsigned state = x->state;
    int cs = machine_for(state);

    x->token = x->pos;
    %% write exec;
    x->pos = (size_t)(p - page);
    x->state = state;
    return token;
}
