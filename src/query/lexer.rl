/* lexer.rl -- PromQL's tokens; see lexer.h. Four scanners for four surroundings: plain text, { },
 * [ ] before its first number, and [ ] after it. */
#include "query/lexer_priv.h"

/* A token of fixed meaning, of a word of `type`. */
#define EMIT(type) lexer_emit(lx, type, (size_t)(ts - data), (size_t)(te - data))
#define START      ((size_t)(ts - data))
#define END        ((size_t)(te - data))

%%{
    machine promql;
    alphtype unsigned char;

    blank = [ \t\n\r]+;
    comment = '#' [^\r\n]*;
    word = [a-zA-Z_] [a-zA-Z0-9_]*;
    metric_word = [a-zA-Z_:] [a-zA-Z0-9_:]*;
    number_start = [0-9] | '.' [0-9];

    # UTF-8 in its shortest form, without surrogates. U+FFFD (EF BF BD) is refused as it stands for
    # bytes that were not UTF-8.
    tail = 0x80..0xbf;
    utf8_2 = 0xc2..0xdf tail;
    utf8_3 = 0xe0 0xa0..0xbf tail | (0xe1..0xec | 0xee) tail tail | 0xed 0x80..0x9f tail
           | 0xef (0x80..0xbe tail | 0xbf (tail - 0xbd));
    utf8_4 = 0xf0 0x90..0xbf tail tail | 0xf1..0xf3 tail tail tail | 0xf4 0x80..0x8f tail tail;
    utf8_long = utf8_2 | utf8_3 | utf8_4;

    escape_rune = 'u' ([0-9a-cA-CefEF] xdigit{3} | [dD] [0-7] xdigit{2})
                | 'U' '000' ('0' ([0-9a-cA-CefEF] xdigit{3} | [dD] [0-7] xdigit{2}) | [1-9a-fA-F] xdigit{4})
                | 'U' '0010' xdigit{4};
    escape = '\\' ([abfnrtv\\] | [0-3] [0-7]{2} | 'x' xdigit{2} | escape_rune);
    double_quoted = '"' ((0x00..0x7f - ["\\\n]) | utf8_long | escape | '\\"')* '"';
    single_quoted = "'" ((0x00..0x7f - ['\\\n]) | utf8_long | escape | "\\'")* "'";
    raw_quoted = '`' ((0x00..0x7f - '`') | utf8_long)* '`';
    string = double_quoted | single_quoted | raw_quoted;
    string_start = ["'`];

    plain := |*
        blank;
        comment;
        string       => { EMIT(TOKEN_STRING); fbreak; };
        string_start => { lexer_bad_string(lx, START); fbreak; };
        number_start => { lexer_number(lx, START); fbreak; };

        'and'i     => { EMIT(TOKEN_AND); fbreak; };
        'or'i      => { EMIT(TOKEN_OR); fbreak; };
        'unless'i  => { EMIT(TOKEN_UNLESS); fbreak; };
        'atan2'i   => { EMIT(TOKEN_ATAN2); fbreak; };

        'avg'i          => { EMIT(TOKEN_AVG); fbreak; };
        'bottomk'i      => { EMIT(TOKEN_BOTTOMK); fbreak; };
        'count'i        => { EMIT(TOKEN_COUNT); fbreak; };
        'count_values'i => { EMIT(TOKEN_COUNT_VALUES); fbreak; };
        'group'i        => { EMIT(TOKEN_GROUP); fbreak; };
        'limit_ratio'i  => { EMIT(TOKEN_LIMIT_RATIO); fbreak; };
        'limitk'i       => { EMIT(TOKEN_LIMITK); fbreak; };
        'max'i          => { EMIT(TOKEN_MAX); fbreak; };
        'min'i          => { EMIT(TOKEN_MIN); fbreak; };
        'quantile'i     => { EMIT(TOKEN_QUANTILE); fbreak; };
        'stddev'i       => { EMIT(TOKEN_STDDEV); fbreak; };
        'stdvar'i       => { EMIT(TOKEN_STDVAR); fbreak; };
        'sum'i          => { EMIT(TOKEN_SUM); fbreak; };
        'topk'i         => { EMIT(TOKEN_TOPK); fbreak; };

        'anchored'i    => { EMIT(TOKEN_ANCHORED); fbreak; };
        'bool'i        => { EMIT(TOKEN_BOOL); fbreak; };
        'by'i          => { EMIT(TOKEN_BY); fbreak; };
        'fill'i        => { lexer_fill(lx, TOKEN_FILL, START, END); fbreak; };
        'fill_left'i   => { lexer_fill(lx, TOKEN_FILL_LEFT, START, END); fbreak; };
        'fill_right'i  => { lexer_fill(lx, TOKEN_FILL_RIGHT, START, END); fbreak; };
        'group_left'i  => { EMIT(TOKEN_GROUP_LEFT); fbreak; };
        'group_right'i => { EMIT(TOKEN_GROUP_RIGHT); fbreak; };
        'ignoring'i    => { EMIT(TOKEN_IGNORING); fbreak; };
        'offset'i      => { EMIT(TOKEN_OFFSET); fbreak; };
        'on'i          => { EMIT(TOKEN_ON); fbreak; };
        'smoothed'i    => { EMIT(TOKEN_SMOOTHED); fbreak; };
        'without'i     => { EMIT(TOKEN_WITHOUT); fbreak; };

        'end'i    => { EMIT(TOKEN_END_WORD); fbreak; };
        'max_of'i => { EMIT(TOKEN_MAX_OF); fbreak; };
        'min_of'i => { EMIT(TOKEN_MIN_OF); fbreak; };
        'range'i  => { EMIT(TOKEN_RANGE); fbreak; };
        'start'i  => { EMIT(TOKEN_START); fbreak; };
        'step'i   => { EMIT(TOKEN_STEP); fbreak; };

        'inf'i | 'nan'i => { EMIT(TOKEN_NUMBER); fbreak; };
        word            => { EMIT(TOKEN_IDENTIFIER); fbreak; };
        metric_word     => { EMIT(TOKEN_METRIC_IDENTIFIER); fbreak; };

        ','  => { EMIT(TOKEN_COMMA); fbreak; };
        '+'  => { EMIT(TOKEN_ADD); fbreak; };
        '-'  => { EMIT(TOKEN_SUB); fbreak; };
        '*'  => { EMIT(TOKEN_MUL); fbreak; };
        '/'  => { EMIT(TOKEN_DIV); fbreak; };
        '%'  => { EMIT(TOKEN_MOD); fbreak; };
        '^'  => { EMIT(TOKEN_POW); fbreak; };
        '@'  => { EMIT(TOKEN_AT); fbreak; };
        '==' => { EMIT(TOKEN_EQ); fbreak; };
        '!=' => { EMIT(TOKEN_NE); fbreak; };
        '<'  => { EMIT(TOKEN_LT); fbreak; };
        '<=' => { EMIT(TOKEN_LE); fbreak; };
        '</' => { EMIT(TOKEN_TRIM_UPPER); fbreak; };
        '>'  => { EMIT(TOKEN_GT); fbreak; };
        '>=' => { EMIT(TOKEN_GE); fbreak; };
        '>/' => { EMIT(TOKEN_TRIM_LOWER); fbreak; };
        '='  => { EMIT(TOKEN_EQUAL); fbreak; };
        '=~' => { lexer_fail_char(lx, START, "unexpected character after '='", START + 1); fbreak; };
        '!'  => { lexer_fail_char(lx, START, "unexpected character after '!'", START + 1); fbreak; };

        '(' => { lexer_paren(lx, TOKEN_LEFT_PAREN, START); fbreak; };
        ')' => { lexer_paren(lx, TOKEN_RIGHT_PAREN, START); fbreak; };
        '[' => { lexer_bracket(lx, TOKEN_LEFT_BRACKET, START); fbreak; };
        ']' => { lexer_bracket(lx, TOKEN_RIGHT_BRACKET, START); fbreak; };
        '{' => { lexer_brace(lx, TOKEN_LEFT_BRACE, START); fbreak; };
        any => { lexer_fail_char(lx, START, "unexpected character", START); fbreak; };
    *|;

    in_braces := |*
        blank;
        comment;
        string       => { EMIT(TOKEN_STRING); fbreak; };
        string_start => { lexer_bad_string(lx, START); fbreak; };
        word         => { EMIT(TOKEN_IDENTIFIER); fbreak; };
        ','  => { EMIT(TOKEN_COMMA); fbreak; };
        '='  => { EMIT(TOKEN_EQUAL); fbreak; };
        '!=' => { EMIT(TOKEN_NE); fbreak; };
        '=~' => { EMIT(TOKEN_REGEX); fbreak; };
        '!~' => { EMIT(TOKEN_NOT_REGEX); fbreak; };
        '}'  => { lexer_brace(lx, TOKEN_RIGHT_BRACE, START); fbreak; };
        '!'  => {
            lexer_fail_char(lx, START, "unexpected character after '!' inside braces", START + 1);
            fbreak;
        };
        '{' => { lexer_fail(lx, START, "unexpected left brace '{'"); fbreak; };
        any => { lexer_fail_char(lx, START, "unexpected character inside braces", START); fbreak; };
    *|;

    in_duration := |*
        blank;
        number_start => { lexer_number(lx, START); fbreak; };
        'step'i   => { lexer_duration_word(lx, TOKEN_STEP, START, END); fbreak; };
        'range'i  => { lexer_duration_word(lx, TOKEN_RANGE, START, END); fbreak; };
        'min_of'i => { lexer_duration_word(lx, TOKEN_MIN_OF, START, END); fbreak; };
        'max_of'i => { lexer_duration_word(lx, TOKEN_MAX_OF, START, END); fbreak; };
        word      => { lexer_duration_word(lx, TOKEN_IDENTIFIER, START, END); fbreak; };
        ','  => { EMIT(TOKEN_COMMA); fbreak; };
        '+'  => { EMIT(TOKEN_ADD); fbreak; };
        '-'  => { EMIT(TOKEN_SUB); fbreak; };
        '*'  => { EMIT(TOKEN_MUL); fbreak; };
        '/'  => { EMIT(TOKEN_DIV); fbreak; };
        '%'  => { EMIT(TOKEN_MOD); fbreak; };
        '^'  => { EMIT(TOKEN_POW); fbreak; };
        ':'  => { lexer_colon(lx, START); fbreak; };
        '('  => { lexer_paren(lx, TOKEN_LEFT_PAREN, START); fbreak; };
        ')'  => { lexer_paren(lx, TOKEN_RIGHT_PAREN, START); fbreak; };
        ']'  => { lexer_bracket(lx, TOKEN_RIGHT_BRACKET, START); fbreak; };
        any  => {
            lexer_fail_char(lx, START, "unexpected character in duration expression", START);
            fbreak;
        };
    *|;

    in_brackets := |*
        blank;
        comment;
        string       => { EMIT(TOKEN_STRING); fbreak; };
        string_start => { lexer_bad_string(lx, START); fbreak; };
        number_start => { lexer_number(lx, START); fbreak; };
        'step'i   => { lexer_duration_word(lx, TOKEN_STEP, START, END); fbreak; };
        'range'i  => { lexer_duration_word(lx, TOKEN_RANGE, START, END); fbreak; };
        'min_of'i => { lexer_duration_word(lx, TOKEN_MIN_OF, START, END); fbreak; };
        'max_of'i => { lexer_duration_word(lx, TOKEN_MAX_OF, START, END); fbreak; };
        word      => { lexer_duration_word(lx, TOKEN_IDENTIFIER, START, END); fbreak; };
        ','  => { EMIT(TOKEN_COMMA); fbreak; };
        '+'  => { EMIT(TOKEN_ADD); fbreak; };
        '-'  => { EMIT(TOKEN_SUB); fbreak; };
        '*'  => { EMIT(TOKEN_MUL); fbreak; };
        '/'  => { EMIT(TOKEN_DIV); fbreak; };
        '%'  => { EMIT(TOKEN_MOD); fbreak; };
        '^'  => { EMIT(TOKEN_POW); fbreak; };
        '@'  => { EMIT(TOKEN_AT); fbreak; };
        '==' => { EMIT(TOKEN_EQ); fbreak; };
        '!=' => { EMIT(TOKEN_NE); fbreak; };
        '<'  => { EMIT(TOKEN_LT); fbreak; };
        '<=' => { EMIT(TOKEN_LE); fbreak; };
        '</' => { EMIT(TOKEN_TRIM_UPPER); fbreak; };
        '>'  => { EMIT(TOKEN_GT); fbreak; };
        '>=' => { EMIT(TOKEN_GE); fbreak; };
        '>/' => { EMIT(TOKEN_TRIM_LOWER); fbreak; };
        '='  => { EMIT(TOKEN_EQUAL); fbreak; };
        '=~' => { lexer_fail_char(lx, START, "unexpected character after '='", START + 1); fbreak; };
        '!'  => { lexer_fail_char(lx, START, "unexpected character after '!'", START + 1); fbreak; };
        ':'  => { lexer_colon(lx, START); fbreak; };
        '('  => { lexer_paren(lx, TOKEN_LEFT_PAREN, START); fbreak; };
        ')'  => { lexer_paren(lx, TOKEN_RIGHT_PAREN, START); fbreak; };
        '['  => { lexer_fail(lx, START, "unexpected left bracket '['"); fbreak; };
        ']'  => { lexer_bracket(lx, TOKEN_RIGHT_BRACKET, START); fbreak; };
        '{'  => { lexer_brace(lx, TOKEN_LEFT_BRACE, START); fbreak; };
        any  => { lexer_fail_char(lx, START, "unexpected character", START); fbreak; };
    *|;

    write data noerror nofinal;
}%%

static int scanner_for(const struct lexer *lx)
{
    if (lx->brace_open)
        return promql_en_in_braces;
    if (lx->bracket_open)
        return lx->in_duration ? promql_en_in_duration : promql_en_in_brackets;
    return promql_en_plain;
}

struct token lexer_next(struct lexer *lx)
{
    if (lx->token.type == TOKEN_ERROR)
        return lx->token;
    const unsigned char *data = (const unsigned char *)lx->text.ptr;
    const unsigned char *p = data + lx->pos, *pe = data + lx->text.len, *eof = pe;
    const unsigned char *ts = NULL, *te = NULL;
    int cs = scanner_for(lx), act = 0;

    lx->token.type = TOKEN_END;
    lx->token.start = lx->token.end = UINT32_MAX;
    %% write exec;
    (void)act;
    if (lx->token.start == UINT32_MAX)
        lexer_end(lx);
    return lx->token;
}
