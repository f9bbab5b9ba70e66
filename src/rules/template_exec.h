/* template_exec.h -- one running execution, shared by the files that walk the nodes. */
#ifndef RULES_TEMPLATE_EXEC_H
#define RULES_TEMPLATE_EXEC_H

#include "rules/template_priv.h"

enum {
    EXEC_NESTING_MAX = 2000, /* actions, pipelines and templates within each other: C stack */
    EXEC_CONTEXT_MAX = 400,  /* bytes of a node that an error shows */
    EXEC_STEPS_PER_LOOK = 64 /* at the clock */
};

enum flow { FLOW_ON, FLOW_BREAK, FLOW_CONTINUE };

struct variable {
    str name;
    struct template_value value;
};

struct regex_search;

enum { EXEC_REGEXES = 8 };

struct regex_memo { /* a compiled expression, for the next call with the same one */
    struct regex_search *re;
    str expr; /* in the arena */
};

struct template_exec {
    const struct template_set *set;
    const struct template_options *options;
    struct diag *diag;
    struct arena *arena;
    struct buf *out;
    size_t printed_bytes; /* all output so far, of inner executions too */
    const struct template *running;
    const struct node *at; /* what an error is about; NULL: the whole template */
    enum flow flow;
    size_t depth, nesting;
    size_t steps;
    size_t queries;           /* asked so far */
    uint64_t deadline_cpu_ns; /* of this thread */
    struct variable *variables;
    size_t variable_count, variable_cap;
    struct regex_memo regexes[EXEC_REGEXES];
    unsigned next_regex; /* the place that is used next */
};

/* Report "template: NAME:LINE:COLUMN: executing "NAME" at <NODE>: words"; returns `e`. */
err exec_fail(struct template_exec *x, err e, const char *format, ...) PRINTF_LIKE(3, 4);

/* Count one step; look at the limits. */
MUST_USE err exec_step(struct template_exec *x);

/* One level deeper; exec_leave() ends it, also after an error of exec_enter(). */
MUST_USE err exec_enter(struct template_exec *x);
void exec_leave(struct template_exec *x);

MUST_USE err exec_push(struct template_exec *x, str name, struct template_value v);
MUST_USE err exec_set(struct template_exec *x, str name, struct template_value v);
MUST_USE err exec_get(struct template_exec *x, str name, struct template_value *out);

/* Evaluate a pipeline and set its variables. */
MUST_USE err eval_pipeline(struct template_exec *x, const struct template_value *dot,
                           const struct node *pipe, struct template_value *out);

/* What a call passes besides the function's parameters. */
struct call_site {
    const struct node *node; /* what "error calling" points to */
    str name;
    const struct node *args;               /* the first, or NULL */
    size_t arg_count;                      /* of `args` */
    const struct template_value *final;    /* what the pipeline hands over; NULL: nothing */
    const struct template_value *receiver; /* of a method; NULL: a function */
};

/* Call a function with its arguments evaluated and checked: template_call.c. */
MUST_USE err eval_call(struct template_exec *x, const struct template_value *dot,
                       const struct template_func *f, bool is_builtin, const struct call_site *site,
                       struct template_value *out);

/* A constant, field, variable or pipeline as an argument of type `type`. */
MUST_USE err eval_arg(struct template_exec *x, const struct template_value *dot,
                      const struct template_type *type, const struct node *n,
                      struct template_value *out);

/* An operand that is no constant: field, variable, chain or function without arguments, pipeline.
 */
MUST_USE err eval_operand(struct template_exec *x, const struct template_value *dot,
                          const struct node *n, struct template_value *out);

/* The value of a number: float when written as one, else int. */
MUST_USE err eval_number(struct template_exec *x, const struct node *n, struct template_value *out);

/* The Go type of a value as messages name it. */
const char *template_type_name(const struct template_value *v);

/* For functions: bytes that a text they make may have (what the execution's memory has left), and
 * the text in `b` as their result when `e` is OK; frees `b`. */
size_t call_room(const struct template_call *c);
MUST_USE err call_text(struct template_call *c, struct buf *b, err e, struct template_value *out);

/* The compiled expression, which lives until the execution ends or other ones take its place.
 *   ERR_INVALID  `d` has Go's words      ERR_LIMIT */
MUST_USE err exec_regex(struct template_exec *x, str expr, const struct regex_search **out,
                        struct diag *d);

/* Append `v` as an action prints it. */
MUST_USE err exec_print(struct template_exec *x, const struct template_value *v);
MUST_USE err exec_write(struct template_exec *x, str text);

#endif
