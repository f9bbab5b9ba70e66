/* template_html_funcs.h -- what html/template puts behind the pipelines of actions. */
#ifndef RULES_TEMPLATE_HTML_FUNCS_H
#define RULES_TEMPLATE_HTML_FUNCS_H

#include "rules/template.h"

/* "_html_template_attrescaper" and its like; NULL when `name` is none of them. */
const struct template_func *template_html_func(str name);

enum { HTML_GROWTH_MAX = 8 }; /* bytes that one may become: "&#xfffd;" */

/* The text that arguments have: one string as it is, others as fmt.Sprint joins them. */
struct html_shown {
    str s;
    const struct template_type *type; /* TEMPLATE_STRING, or whose text is trusted */
    struct buf own;
};

/* Frees what html_shown() took. ERR_LIMIT: what it may become does not fit */
MUST_USE err html_shown(struct template_call *c, const struct template_value *args, size_t count,
                        struct html_shown *out);

/* template_html_funcs_code.c */
template_fn html_js_value, html_js_string, html_js_template, html_js_regexp, html_css_escape,
    html_css_filter;

#define HTML_FAILSAFE "ZgotmplZ" /* in the place of what is dangerous */

#endif
