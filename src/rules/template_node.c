/* template_node.c -- nodes as Go prints them in error messages. */
#include "base/utf8.h"
#include "rules/template_priv.h"

struct printer {
    struct buf *out;
    size_t end; /* of `out`: nothing is begun behind it */
};

static void print(const struct printer *p, const struct node *n);

static void print_list(const struct printer *p, const struct node *first, const char *between)
{
    for (const struct node *n = first; n != NULL && p->out->len < p->end; n = n->next) {
        if (n != first)
            buf_put_str(p->out, str_from(between));
        print(p, n);
    }
}

static void print_path(const struct printer *p, const struct node *n, bool dot_first)
{
    for (uint32_t i = 0; i < n->path.count; i++) {
        if (i > 0 || dot_first)
            buf_put_u8(p->out, '.');
        buf_put_str(p->out, n->path.names[i]);
    }
}

static void print_in_parens(const struct printer *p, const struct node *n)
{
    bool is_pipe = n->type == NODE_PIPE;
    if (is_pipe)
        buf_put_u8(p->out, '(');
    print(p, n);
    if (is_pipe)
        buf_put_u8(p->out, ')');
}

static void print_command(const struct printer *p, const struct node *n)
{
    for (const struct node *arg = n->list.first; arg != NULL && p->out->len < p->end;
         arg = arg->next) {
        if (arg != n->list.first)
            buf_put_u8(p->out, ' ');
        print_in_parens(p, arg);
    }
}

static void print_pipe(const struct printer *p, const struct node *n)
{
    for (uint32_t i = 0; i < n->pipe.variable_count; i++) {
        buf_put_str(p->out, i > 0 ? STR(", ") : STR(""));
        print(p, n->pipe.variables[i]);
    }
    if (n->pipe.variable_count > 0)
        buf_put_str(p->out, n->pipe.is_assign ? STR(" = ") : STR(" := "));
    print_list(p, n->pipe.commands, " | ");
}

static void print_control(const struct printer *p, const struct node *n, const char *word)
{
    buf_printf(p->out, "{{%s ", word);
    print(p, n->control.pipe);
    buf_put_str(p->out, STR("}}"));
    print(p, n->control.body);
    if (n->control.otherwise != NULL) {
        buf_put_str(p->out, STR("{{else}}"));
        print(p, n->control.otherwise);
    }
    buf_put_str(p->out, STR("{{end}}"));
}

static void print_call(const struct printer *p, const struct node *n)
{
    buf_put_str(p->out, STR("{{template "));
    utf8_quote(p->out, n->call.name);
    if (n->call.pipe != NULL) {
        buf_put_u8(p->out, ' ');
        print(p, n->call.pipe);
    }
    buf_put_str(p->out, STR("}}"));
}

static void print_action(const struct printer *p, const struct node *n)
{
    buf_put_str(p->out, STR("{{"));
    print(p, n->control.pipe);
    buf_put_str(p->out, STR("}}"));
}

static void print_text(const struct printer *p, const struct node *n)
{
    buf_put_str(p->out, n->text);
}

static void print_constant(const struct printer *p, const struct node *n)
{
    buf_put_str(p->out, n->constant.source);
}

static void print_bool(const struct printer *p, const struct node *n)
{
    buf_put_str(p->out, n->truth ? STR("true") : STR("false"));
}

static void print_word(const struct printer *p, const struct node *n)
{
    static const char *const WORDS[] = {
        [NODE_BREAK] = "{{break}}", [NODE_CONTINUE] = "{{continue}}", [NODE_DOT] = ".",
        [NODE_ELSE] = "{{else}}",   [NODE_END] = "{{end}}",           [NODE_NIL] = "nil"};
    buf_put_str(p->out, str_from(WORDS[n->type]));
}

static void print_chain(const struct printer *p, const struct node *n)
{
    print_in_parens(p, n->path.term);
    print_path(p, n, true);
}

static void print_field(const struct printer *p, const struct node *n)
{
    print_path(p, n, true);
}

static void print_variable(const struct printer *p, const struct node *n)
{
    print_path(p, n, false);
}

static void print_nodes(const struct printer *p, const struct node *n)
{
    print_list(p, n->list.first, "");
}

static void print_if(const struct printer *p, const struct node *n)
{
    print_control(p, n, "if");
}

static void print_range(const struct printer *p, const struct node *n)
{
    print_control(p, n, "range");
}

static void print_with(const struct printer *p, const struct node *n)
{
    print_control(p, n, "with");
}

static void print(const struct printer *p, const struct node *n)
{
    static void (*const PRINTERS[])(const struct printer *, const struct node *) = {
        [NODE_TEXT] = print_text,
        [NODE_ACTION] = print_action,
        [NODE_BOOL] = print_bool,
        [NODE_BREAK] = print_word,
        [NODE_CHAIN] = print_chain,
        [NODE_COMMAND] = print_command,
        [NODE_CONTINUE] = print_word,
        [NODE_DOT] = print_word,
        [NODE_ELSE] = print_word,
        [NODE_END] = print_word,
        [NODE_FIELD] = print_field,
        [NODE_IDENTIFIER] = print_text,
        [NODE_IF] = print_if,
        [NODE_LIST] = print_nodes,
        [NODE_NIL] = print_word,
        [NODE_NUMBER] = print_constant,
        [NODE_PIPE] = print_pipe,
        [NODE_RANGE] = print_range,
        [NODE_STRING] = print_constant,
        [NODE_TEMPLATE] = print_call,
        [NODE_VARIABLE] = print_variable,
        [NODE_WITH] = print_with,
    };
    if (p->out->len < p->end)
        PRINTERS[n->type](p, n);
}

void node_print(const struct node *n, size_t bytes_max, struct buf *out)
{
    struct printer p = {out, out->len + bytes_max};
    size_t end = p.end;
    print(&p, n);
    if (out->len > end) { /* cut between characters */
        while (end > 0 && (out->ptr[end] & 0xc0) == 0x80)
            end--;
        out->len = end;
    }
}
