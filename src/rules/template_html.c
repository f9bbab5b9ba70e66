/* template_html.c -- walks the nodes of templates with the context of the page, and makes of each
 * template, for each context it is called in, one that escapes.
 *
 * A template that calls itself is walked twice: first as if it ended in the context in which it
 * begins, then in the one that came out; when neither holds, that is an error. */
#include "rules/template_html.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/utf8.h"
#include "rules/template_html_context.h"
#include "rules/template_priv.h"

/* A template as it is when called in the context `in`. */
struct html_derived {
    struct html_derived *next;
    const struct template *source;
    struct html_context in, out; /* `out` is assumed while it is walked */
    str name;
    struct node *body;
    size_t calls;
};

struct jump { /* a {{break}} or {{continue}} */
    struct jump *next;
    const struct node *node;
    struct html_context c;
};

struct loop {
    struct jump *breaks, *continues;
};

struct walker {
    struct template_set *set;
    str root;                  /* the template that is to be executed */
    const struct template *at; /* whose nodes are walked */
    struct diag *diag;
    struct loop *loop;
    size_t steps, nesting;
};

static err walk_list(struct walker *w, struct html_context *c, const struct node *list,
                     struct node **out);
static err walk_template(struct walker *w, struct html_context *c, const struct node *call,
                         str name, struct html_derived **out);

/* ---- errors ---- */

static err no_memory(struct walker *w)
{
    return diag_set(w->diag, ERR_LIMIT, "templates need more than %d bytes",
                    TEMPLATE_SET_BYTES_MAX);
}

/* "html/template:NAME:LINE:COLUMN: words"; for no node without the place. */
static err fail(struct walker *w, const struct node *n, const char *format, ...) PRINTF_LIKE(3, 4);

static err fail(struct walker *w, const struct node *n, const char *format, ...)
{
    char words[DIAG_TEXT_SIZE];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(words, sizeof(words), format, args);
    va_end(args);
    str text = w->at->source->text;
    uint32_t line = 1, column = n->pos;
    for (uint32_t i = 0; i < n->pos && i < text.len; i++) {
        if (text.ptr[i] == '\n') {
            line++;
            column = n->pos - i - 1;
        }
    }
    return diag_at(w->diag, n->pos, n->pos, ERR_INVALID, "html/template:" STR_FMT ":%u:%u: %s",
                   STR_ARG(w->at->source->name), line, column, words);
}

/* A mistake within text has no place in Go's words. */
static err fail_in_text(struct walker *w, const struct diag *d)
{
    return diag_set(w->diag, ERR_INVALID, "html/template:" STR_FMT ": %s", STR_ARG(w->root),
                    d->text);
}

static err fail_ends(struct walker *w, const struct node *n, const char *before, const char *word,
                     const struct html_context *a, const struct html_context *b)
{
    struct buf text = {0};
    html_context_print(a, &text);
    buf_put_str(&text, STR(", "));
    html_context_print(b, &text);
    err e = fail(w, n, "%s{{%s}} branches end in different contexts: " STR_FMT, before, word,
                 STR_ARG(buf_str(&text)));
    buf_fini(&text);
    return e;
}

/* ---- nodes ---- */

static struct node *copy_node(struct walker *w, const struct node *n)
{
    struct node *copy = ARENA_NEW(&w->set->arena, struct node);
    if (copy != NULL) {
        *copy = *n;
        copy->next = NULL;
    }
    return copy;
}

static void append(struct node *list, struct node *n)
{
    if (list->list.last != NULL)
        list->list.last->next = n;
    else
        list->list.first = n;
    list->list.last = n;
    list->list.count++;
}

static err walk_text(struct walker *w, struct html_context *c, const struct node *n,
                     struct node **out)
{
    struct buf printed = {0};
    struct diag d = {0};
    err e = html_text(c, n->text, &printed, &d);
    *out = e == OK ? copy_node(w, n) : NULL;
    if (e != OK) {
        e = fail_in_text(w, &d);
    } else if (*out != NULL && !str_eq(buf_str(&printed), n->text)) {
        (*out)->text = arena_str(&w->set->arena, buf_str(&printed));
        if ((*out)->text.ptr == NULL)
            *out = NULL;
    }
    buf_fini(&printed);
    return e == OK && *out == NULL ? no_memory(w) : e;
}

/* Which functions an action needs; at most three. */
struct escapers {
    const char *names[3];
    size_t count;
};

#define ESCAPER(name) "_html_template_" name

static void add(struct escapers *s, const char *name)
{
    s->names[s->count++] = name;
}

static err url_escapers(struct walker *w, const struct node *n, const struct html_context *c,
                        struct escapers *s)
{
    bool is_string = c->state == HTML_CSS_DOUBLE || c->state == HTML_CSS_SINGLE;
    if (c->url_part == HTML_URL_UNKNOWN) {
        struct buf shown = {0};
        node_print(n, DIAG_TEXT_SIZE / 2, &shown);
        err e = fail(w, n, STR_FMT " appears in an ambiguous context within a URL",
                     STR_ARG(buf_str(&shown)));
        buf_fini(&shown);
        return e;
    }
    if (c->url_part == HTML_URL_START)
        add(s, ESCAPER("urlfilter"));
    if (c->url_part == HTML_URL_QUERY)
        add(s, ESCAPER("urlescaper"));
    else
        add(s, is_string ? ESCAPER("cssescaper") : ESCAPER("urlnormalizer"));
    return OK;
}

/* The function of the state itself; NULL when it has none, or is that of a URL. */
static const char *state_escaper(enum html_state state)
{
    static const char *const NAMES[HTML_DEAD + 1] = {
        [HTML_TEXT] = ESCAPER("htmlescaper"),
        [HTML_ATTR_NAME] = ESCAPER("htmlnamefilter"),
        [HTML_COMMENT] = ESCAPER("commentescaper"),
        [HTML_RCDATA] = ESCAPER("rcdataescaper"),
        [HTML_SRCSET] = ESCAPER("srcsetescaper"),
        [HTML_JS] = ESCAPER("jsvalescaper"),
        [HTML_JS_DOUBLE] = ESCAPER("jsstrescaper"),
        [HTML_JS_SINGLE] = ESCAPER("jsstrescaper"),
        [HTML_JS_TEMPLATE] = ESCAPER("jstmpllitescaper"),
        [HTML_JS_REGEXP] = ESCAPER("jsregexpescaper"),
        [HTML_JS_BLOCK_COMMENT] = ESCAPER("commentescaper"),
        [HTML_JS_LINE_COMMENT] = ESCAPER("commentescaper"),
        [HTML_JS_OPEN_COMMENT] = ESCAPER("commentescaper"),
        [HTML_JS_CLOSE_COMMENT] = ESCAPER("commentescaper"),
        [HTML_CSS] = ESCAPER("cssvaluefilter"),
        [HTML_CSS_BLOCK_COMMENT] = ESCAPER("commentescaper"),
        [HTML_CSS_LINE_COMMENT] = ESCAPER("commentescaper"),
        [HTML_META_URL] = ESCAPER("urlfilter"),
    };
    return NAMES[state];
}

static bool is_url_state(enum html_state s)
{
    return s == HTML_URL || (s >= HTML_CSS_DOUBLE && s <= HTML_CSS_URL);
}

static err escapers_of(struct walker *w, const struct node *n, struct html_context *c,
                       struct escapers *s)
{
    if (is_url_state(c->state))
        TRY(url_escapers(w, n, c, s));
    else if (state_escaper(c->state) != NULL)
        add(s, state_escaper(c->state));
    if (c->state == HTML_JS)
        c->slash = HTML_SLASH_DIVISION; /* behind a value */
    if (c->delim == HTML_DELIM_SPACE)
        add(s, ESCAPER("nospaceescaper"));
    else if (c->delim != HTML_DELIM_NONE)
        add(s, ESCAPER("attrescaper"));
    return OK;
}

/* ---- pipelines ---- */

/* The function that a command calls, or an empty text. */
static str function_of(const struct node *command)
{
    const struct node *first = command->list.first;
    return first->type == NODE_IDENTIFIER ? first->text : STR("");
}

static bool is_predefined(str name)
{
    return str_eq(name, STR("html")) || str_eq(name, STR("urlquery"));
}

/* The text of `name` in one of `words`, each between blanks? */
static bool is_one_of(str name, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (str_eq(name, str_from(words[i])))
            return true;
    return false;
}

/* "html" and "urlquery" do what these do: they take their places. */
static bool does_the_same(str predefined, str escaper)
{
    static const char *const AS_HTML[] = {ESCAPER("attrescaper"), ESCAPER("htmlescaper"),
                                          ESCAPER("rcdataescaper")};
    static const char *const AS_QUERY[] = {ESCAPER("urlescaper"), ESCAPER("urlnormalizer")};
    return str_eq(predefined, STR("html")) ? is_one_of(escaper, AS_HTML, COUNT_OF(AS_HTML))
                                           : is_one_of(escaper, AS_QUERY, COUNT_OF(AS_QUERY));
}

/* Does `next` change nothing of what `last` made? */
static bool is_redundant(str last, str next)
{
    static const char *const SAFE_IN_ATTRS[] = {ESCAPER("commentescaper"), ESCAPER("cssescaper"),
                                                ESCAPER("jsregexpescaper"), ESCAPER("jsstrescaper"),
                                                ESCAPER("jstmpllitescaper")};
    if (str_eq(next, STR(ESCAPER("attrescaper"))))
        return is_one_of(last, SAFE_IN_ATTRS, COUNT_OF(SAFE_IN_ATTRS));
    if (str_eq(next, STR(ESCAPER("htmlescaper"))))
        return str_eq(last, STR(ESCAPER("commentescaper")));
    return str_eq(next, STR(ESCAPER("urlnormalizer"))) && str_eq(last, STR(ESCAPER("urlescaper")));
}

/* Append a call of `name` to the pipe's commands unless it would change nothing. */
static err add_command(struct walker *w, struct node *pipe, str name)
{
    struct node *last = pipe->pipe.last_command;
    if (is_redundant(function_of(last), name))
        return OK;
    struct node *word = ARENA_NEW(&w->set->arena, struct node);
    struct node *command = ARENA_NEW(&w->set->arena, struct node);
    if (word == NULL || command == NULL)
        return no_memory(w);
    *word = (struct node){.type = NODE_IDENTIFIER, .pos = pipe->pos, .text = name};
    *command = (struct node){.type = NODE_COMMAND, .pos = pipe->pos, .list = {word, word, 1}};
    last->next = command;
    pipe->pipe.last_command = command;
    return OK;
}

/* The pipe with commands of its own, without the last when `drop_last`. */
static struct node *copy_pipe(struct walker *w, const struct node *pipe, bool drop_last)
{
    struct node *copy = copy_node(w, pipe), *previous = NULL;
    for (const struct node *cmd = pipe->pipe.commands; copy != NULL && cmd != NULL;
         cmd = cmd->next) {
        if (drop_last && cmd->next == NULL && previous != NULL)
            break;
        struct node *own = copy_node(w, cmd);
        if (own == NULL)
            return NULL;
        if (previous == NULL)
            copy->pipe.commands = own;
        else
            previous->next = own;
        copy->pipe.last_command = previous = own;
    }
    return copy;
}

/* {{html .A .B}}: its arguments are joined first, then what "html" does is done. */
static err split_call(struct walker *w, struct node *command)
{
    struct node *word = copy_node(w, command->list.first);
    if (word == NULL)
        return no_memory(w);
    word->next = command->list.first->next;
    word->text = STR("_eval_args_");
    command->list.first = word;
    return OK;
}

/* The pipe with the escapers behind it. */
static err escape_pipe(struct walker *w, const struct node *pipe, struct escapers *s,
                       struct node **out)
{
    const struct node *last = pipe->pipe.last_command;
    str predefined = is_predefined(function_of(last)) ? function_of(last) : STR("");
    bool replaced = false;
    for (size_t i = 0; i < s->count && predefined.len > 0; i++) {
        if (does_the_same(predefined, str_from(s->names[i]))) {
            s->names[i] = str_eq(predefined, STR("html")) ? "html" : "urlquery";
            replaced = true;
        }
    }
    bool alone = pipe->pipe.commands == last;
    struct node *copy = copy_pipe(w, pipe, replaced && !alone);
    if (copy == NULL)
        return no_memory(w);
    bool split = predefined.len > 0 && alone && last->list.count > 1;
    if (split)
        TRY(split_call(w, copy->pipe.last_command));
    if (split && !replaced)
        TRY(add_command(w, copy, predefined));
    for (size_t i = 0; i < s->count; i++)
        TRY(add_command(w, copy, str_from(s->names[i])));
    *out = copy;
    return OK;
}

/* "html" and "urlquery" may only come last, and not where they do too little. */
static err check_predefined(struct walker *w, const struct node *n, const struct html_context *c)
{
    bool unquoted = c->state == HTML_ATTR && c->delim == HTML_DELIM_SPACE;
    for (const struct node *cmd = n->control.pipe->pipe.commands; cmd != NULL; cmd = cmd->next) {
        str name = function_of(cmd);
        if (is_predefined(name) && (cmd->next != NULL || (unquoted && str_eq(name, STR("html")))))
            return fail(w, n, "predefined escaper \"" STR_FMT "\" disallowed in template",
                        STR_ARG(name));
    }
    return OK;
}

static err walk_action(struct walker *w, struct html_context *c, const struct node *n,
                       struct node **out)
{
    struct escapers s = {.count = 0};
    struct node *copy = copy_node(w, n);
    if (copy == NULL)
        return no_memory(w);
    *out = copy;
    if (n->control.pipe->pipe.variable_count > 0)
        return OK;
    *c = html_context_nudge(*c);
    TRY(check_predefined(w, n, c));
    TRY(escapers_of(w, n, c, &s));
    return escape_pipe(w, n->control.pipe, &s, &copy->control.pipe);
}

/* ---- branches and loops ---- */

static err join(struct walker *w, struct html_context *c, const struct html_context *other,
                const struct node *n, const char *before, const char *word)
{
    struct html_context joined;
    if (!html_context_join(c, other, &joined))
        return fail_ends(w, n, before, word, c, other);
    *c = joined;
    return OK;
}

static err walk_branch(struct walker *w, struct html_context *c, const struct node *n,
                       struct node **out)
{
    struct html_context other = *c;
    struct node *copy = copy_node(w, n);
    if (copy == NULL)
        return no_memory(w);
    *out = copy;
    TRY(walk_list(w, c, n->control.body, &copy->control.body));
    if (n->control.otherwise != NULL)
        TRY(walk_list(w, &other, n->control.otherwise, &copy->control.otherwise));
    return join(w, c, &other, n, "", n->type == NODE_IF ? "if" : "with");
}

static err join_jumps(struct walker *w, struct html_context *c, const struct loop *loop)
{
    for (const struct jump *j = loop->breaks; j != NULL; j = j->next)
        TRY(join(w, c, &j->c, j->node, "at range loop break: ", "range"));
    for (const struct jump *j = loop->continues; j != NULL; j = j->next)
        TRY(join(w, c, &j->c, j->node, "at range loop continue: ", "range"));
    return OK;
}

/* A loop's body once; `c` is where it ends, jumps included. */
static err walk_turn(struct walker *w, struct html_context *c, const struct node *n,
                     struct loop *loop, struct node **body)
{
    struct loop *outer = w->loop;
    w->loop = loop;
    err e = walk_list(w, c, n->control.body, body);
    w->loop = outer;
    return e;
}

/* The second turn begins where the first ended: it must end there, too. */
static err walk_again(struct walker *w, struct html_context *c, const struct node *n)
{
    struct loop again = {0};
    struct html_context end = *c;
    struct html_derived *known = w->set->html;
    struct node *unused;
    TRY(walk_turn(w, &end, n, &again, &unused));
    w->set->html = known; /* what was found on the way was for this turn only */
    TRY(join(w, c, &end, n, "on range loop re-entry: ", "range"));
    return join_jumps(w, c, &again);
}

static err walk_range(struct walker *w, struct html_context *c, const struct node *n,
                      struct node **out)
{
    struct html_context start = *c, other = *c;
    struct loop loop = {0};
    struct node *copy = copy_node(w, n);
    if (copy == NULL)
        return no_memory(w);
    *out = copy;
    TRY(walk_turn(w, c, n, &loop, &copy->control.body));
    TRY(join_jumps(w, c, &loop));
    if (!html_context_equal(c, &start))
        TRY(walk_again(w, c, n));
    if (n->control.otherwise != NULL)
        TRY(walk_list(w, &other, n->control.otherwise, &copy->control.otherwise));
    return join(w, c, &other, n, "", "range");
}

static err walk_jump(struct walker *w, struct html_context *c, const struct node *n,
                     struct node **out)
{
    struct jump *j = ARENA_NEW(&w->set->arena, struct jump);
    *out = copy_node(w, n);
    if (j == NULL || *out == NULL)
        return no_memory(w);
    struct jump **at = n->type == NODE_BREAK ? &w->loop->breaks : &w->loop->continues;
    while (*at != NULL)
        at = &(*at)->next;
    *j = (struct jump){NULL, n, *c};
    *at = j;
    *c = (struct html_context){.state = HTML_DEAD};
    return OK;
}

static err walk_call(struct walker *w, struct html_context *c, const struct node *n,
                     struct node **out)
{
    struct html_derived *derived = NULL;
    *out = copy_node(w, n);
    if (*out == NULL)
        return no_memory(w);
    TRY(walk_template(w, c, n, n->call.name, &derived));
    (*out)->call.name = derived->name;
    return OK;
}

static err walk_node(struct walker *w, struct html_context *c, const struct node *n,
                     struct node **out)
{
    if (++w->steps > TEMPLATE_HTML_STEPS_MAX)
        return diag_set(w->diag, ERR_LIMIT, "templates take more than %d steps to escape",
                        TEMPLATE_HTML_STEPS_MAX);
    if (n->type == NODE_TEXT)
        return walk_text(w, c, n, out);
    if (n->type == NODE_ACTION)
        return walk_action(w, c, n, out);
    if (n->type == NODE_IF || n->type == NODE_WITH)
        return walk_branch(w, c, n, out);
    if (n->type == NODE_RANGE)
        return walk_range(w, c, n, out);
    if (n->type == NODE_TEMPLATE)
        return walk_call(w, c, n, out);
    return walk_jump(w, c, n, out);
}

static err walk_list(struct walker *w, struct html_context *c, const struct node *list,
                     struct node **out)
{
    struct node *copy = copy_node(w, list);
    err e = OK;
    if (copy == NULL)
        return no_memory(w);
    copy->list.first = copy->list.last = NULL;
    copy->list.count = 0;
    if (++w->nesting > HTML_NESTING_MAX)
        e = diag_set(w->diag, ERR_LIMIT, "templates call each other more than %d deep",
                     HTML_NESTING_MAX);
    for (const struct node *n = list->list.first; n != NULL && e == OK && c->state != HTML_DEAD;
         n = n->next) {
        struct node *made = NULL;
        e = walk_node(w, c, n, &made);
        if (e == OK)
            append(copy, made);
    }
    w->nesting--;
    *out = copy;
    return e;
}

/* ---- templates ---- */

static struct html_derived *find_derived(const struct template_set *set, const struct template *t,
                                         const struct html_context *in)
{
    for (struct html_derived *d = set->html; d != NULL; d = d->next)
        if (d->source == t && html_context_equal(&d->in, in))
            return d;
    return NULL;
}

static struct html_derived *add_derived(struct walker *w, const struct template *t,
                                        const struct html_context *in)
{
    struct html_derived *d = ARENA_NEW(&w->set->arena, struct html_derived);
    struct buf name = {0};
    if (d == NULL)
        return NULL;
    html_context_mangle(in, t->name, &name);
    *d = (struct html_derived){.next = w->set->html, .source = t, .in = *in, .out = *in};
    d->name = arena_str(&w->set->arena, buf_str(&name));
    buf_fini(&name);
    if (d->name.ptr == NULL)
        return NULL;
    w->set->html = d;
    return d;
}

/* Walk the body as if it ended in `assumed`; does it? */
static err try_body(struct walker *w, struct html_derived *d, const struct html_context *start,
                    struct html_context *end, bool *holds)
{
    struct html_derived *known = w->set->html;
    size_t calls = d->calls;
    d->out = *start;
    *end = *start;
    TRY(walk_list(w, end, d->source->plain, &d->body));
    *holds = d->calls == calls || html_context_equal(start, end);
    if (!*holds)
        w->set->html = known;
    return OK;
}

static err walk_body(struct walker *w, struct html_derived *d)
{
    struct html_context first, second;
    bool holds = false;
    TRY(try_body(w, d, &d->in, &first, &holds));
    if (holds) {
        d->out = first;
        return OK;
    }
    struct diag *diag = w->diag, ignored = {0};
    w->diag = &ignored;
    err e = try_body(w, d, &first, &second, &holds);
    w->diag = diag;
    if (e == ERR_LIMIT)
        return diag_set(diag, e, "%s", ignored.text);
    if (e != OK || !holds)
        return fail(w, d->source->plain, "cannot compute output context for template " STR_FMT,
                    STR_ARG(d->name));
    d->out = second;
    return OK;
}

static err no_such_template(struct walker *w, const struct node *call, str name, bool is_known)
{
    struct buf quoted = {0};
    utf8_quote(&quoted, name);
    err e = is_known ? fail(w, call, STR_FMT " is an incomplete or empty template",
                            STR_ARG(buf_str(&quoted)))
                     : fail(w, call, "no such template " STR_FMT, STR_ARG(buf_str(&quoted)));
    buf_fini(&quoted);
    return e;
}

static err walk_template(struct walker *w, struct html_context *c, const struct node *call,
                         str name, struct html_derived **out)
{
    struct template *t = template_find(w->set, name);
    if (t == NULL || t->body == NULL)
        return no_such_template(w, call, name, t != NULL);
    if (t->plain == NULL)
        t->plain = t->body;
    struct html_derived *d = find_derived(w->set, t, c);
    if (d != NULL) {
        d->calls++;
    } else {
        const struct template *at = w->at;
        struct loop *loop = w->loop;
        d = add_derived(w, t, c);
        if (d == NULL)
            return no_memory(w);
        w->at = t;
        w->loop = NULL;
        err e = walk_body(w, d);
        w->at = at;
        w->loop = loop;
        TRY(e);
    }
    *c = d->out;
    *out = d;
    return OK;
}

/* What was walked becomes what is executed. */
static err put_in_force(struct walker *w)
{
    for (const struct html_derived *d = w->set->html; d != NULL; d = d->next) {
        struct template *t = template_add(w->set, d->name);
        if (t == NULL)
            return no_memory(w);
        t->source = d->source->source;
        t->body = d->body;
    }
    return OK;
}

static err ends_within(struct walker *w, str name, const struct html_context *c)
{
    struct buf text = {0};
    html_context_print(c, &text);
    err e = diag_set(w->diag, ERR_INVALID,
                     "html/template:" STR_FMT ": ends in a non-text context: " STR_FMT,
                     STR_ARG(name), STR_ARG(buf_str(&text)));
    buf_fini(&text);
    return e;
}

static err undefined_template(str name, struct diag *d)
{
    struct buf quoted = {0};
    utf8_quote(&quoted, name);
    err e = diag_set(d, ERR_INVALID, "html/template: " STR_FMT " is undefined",
                     STR_ARG(buf_str(&quoted)));
    buf_fini(&quoted);
    return e;
}

err template_html_escape(struct template_set *set, str name, struct diag *d)
{
    struct html_context c = {0};
    struct html_derived *derived = NULL, *known = set->html;
    struct diag local = {0};
    const struct template *t = template_find(set, name);
    struct walker w = {.set = set, .root = name, .at = t, .diag = d != NULL ? d : &local};
    if (t == NULL || t->body == NULL)
        return undefined_template(name, d);
    set->is_html = true;
    err e = walk_template(&w, &c, t->body, name, &derived);
    if (e == OK && c.state != HTML_TEXT)
        e = ends_within(&w, name, &c);
    if (e == OK)
        e = put_in_force(&w);
    if (e != OK)
        set->html = known;
    return e;
}
