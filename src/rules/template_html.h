/* template_html.h -- templates that print HTML: what actions insert is escaped for the place where
 * it stands (text, attribute, URL, script, style), as Go's html/template does it, with its words
 * for errors and "ZgotmplZ" in the place of what is dangerous.
 *
 * Values of type TEMPLATE_HTML (safeHtml) and TEMPLATE_URL (safeUrl) are trusted where such a text
 * may stand. One difference from Go: a template that ends in another context than it begins in does
 * so each time it is called; Go forgets that at the second call, and escapes too little. */
#ifndef RULES_TEMPLATE_HTML_H
#define RULES_TEMPLATE_HTML_H

#include "rules/template.h"

/* Bounds of one template_html_escape(), against templates that call each other in ever new
 * contexts. */
enum { TEMPLATE_HTML_STEPS_MAX = 1000000 };

/* Make template `name`, and all that it calls, print HTML: from then on template_execute() of
 * `name` escapes. Others of the set are executed as before. Nothing may be parsed into the set any
 * more. May be called for several names, and again.
 *   ERR_INVALID  `d` has Go's words: "html/template:NAME:LINE:COLUMN: ..."; do not execute `name`
 *   ERR_LIMIT    the set's memory, or too much to look at; the same */
MUST_USE err template_html_escape(struct template_set *set, str name, struct diag *d);

#endif
