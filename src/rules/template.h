/* template.h -- Go's text/template: parse once, execute on values.
 *
 * A set holds named templates that may call each other, as Go's associated templates do. Texts of
 * errors are Go's own. Threads: a set may be executed by several threads once nobody parses into
 * it any more; an execution belongs to one thread.
 *
 * What Go allows and this does not: imaginary and complex numbers, and calling values as functions
 * (`call` reports that its argument is no function; no data here has functions). */
#ifndef RULES_TEMPLATE_H
#define RULES_TEMPLATE_H

#include "base/buf.h"
#include "rules/template_value.h"

/* Bounds of parsing, fixed. */
enum {
    TEMPLATE_TEXT_BYTES_MAX = 4 << 20, /* one text */
    TEMPLATE_SET_BYTES_MAX = 64 << 20, /* parsed, all templates of a set */
    TEMPLATE_NESTING_MAX = 200,        /* actions and parentheses within each other */
    TEMPLATE_PARAMS_MAX = 5,           /* of one function */
};

/* Bounds of one execution. */
struct template_limits {
    size_t depth_max;        /* templates within each other */
    size_t steps_max;        /* actions, calls and iterations */
    size_t output_bytes_max; /* what is printed, also by calls within */
    size_t memory_bytes_max; /* values made on the way */
    size_t queries_max;      /* that functions ask of the store */
    uint64_t time_ns_max;    /* of the thread's CPU, without that of queries */
};
extern const struct template_limits TEMPLATE_LIMITS_DEFAULT;

struct template_exec; /* one running execution */

struct template_options {
    struct template_limits limits;
    void *host; /* what functions need to know (struct template_call) */
};

/* What a function may use while it runs. */
struct template_call {
    struct arena *arena; /* for results: lives as long as the execution */
    void *host;          /* of the options */
    struct diag *diag;   /* why the call failed, without "error calling ..." */
    struct template_exec *exec;
};

/* A function of templates. Arguments have been checked against `params`: a value of the parameter's
 * type, for TEMPLATE_ANY any value or none. A method gets its receiver as first argument. */
typedef err template_fn(struct template_call *c, const struct template_value *args, size_t count,
                        struct template_value *out);

struct template_func {
    const char *name;
    template_fn *call;
    const struct template_type *params[TEMPLATE_PARAMS_MAX]; /* ends with NULL */
    bool variadic;                                           /* the last may come 0..n times */
};

/* Functions of one purpose; `base` is searched next (last of all Go's own: len, printf, ...). */
struct template_funcs {
    const struct template_func *items;
    size_t count;
    const struct template_funcs *base;
};

const struct template_func *template_func_find(const struct template_funcs *funcs, str name);

struct template_set;

/* An empty set whose templates call `funcs` (borrowed for the set's life; NULL: only Go's own). */
struct template_set *template_set_open(const struct template_funcs *funcs);
void template_set_close(struct template_set *set);

/* Parse `text` as template `name`, with all that it defines; both are copied. Redefinition
 * replaces, unless the new body is empty (Go's rule). After an error the set may hold some of the
 * text's definitions. ERR_INVALID  `d` has Go's words: "template: NAME:LINE: ..." and the byte
 * range ERR_LIMIT    too long, too deep or too much; `d` names the limit */
MUST_USE err template_parse(struct template_set *set, str name, str text, struct diag *d);

/* Is there a template of this name with a body? */
bool template_defined(const struct template_set *set, str name);

/* Execute template `name` on `data` and append what it prints to `out`; on error too, what was
 * printed until then. `options` NULL: default limits, no host, text.
 *   ERR_INVALID   `d` has Go's words: "template: NAME:LINE:COLUMN: executing ..."
 *   ERR_LIMIT, ERR_TIMEOUT  in the same form; `d` names the limit
 *   others        of a function that failed (a query was canceled) */
MUST_USE err template_execute(const struct template_set *set, str name,
                              const struct template_value *data,
                              const struct template_options *options, struct buf *out,
                              struct diag *d);

/* For functions that execute a template within the running one. */
MUST_USE err template_execute_inner(struct template_exec *x, str name,
                                    const struct template_value *data, struct buf *out,
                                    struct diag *d);

/* For functions, before they ask the store. ERR_LIMIT  beyond queries_max; `d` names it */
MUST_USE err template_exec_query(struct template_exec *x, struct diag *d);

/* CPU time that a function spent on other work (a query) and that the time limit leaves out. */
void template_exec_pause(struct template_exec *x, uint64_t ns);

#endif
