/* printer.h -- syntax trees back to text, byte for byte as Prometheus prints them. */
#ifndef QUERY_PRINTER_H
#define QUERY_PRINTER_H

#include "base/buf.h"
#include "query/ast.h"

enum { EXPR_PRETTY_COLUMNS = 100 }; /* bytes a node may have on one line before it is split */

/* Append `e` on one line: Prometheus' String(). Parsing it again gives the same tree. */
void expr_format(const struct expr *e, struct buf *out);

/* Append `e` as /api/v1/format_query does: nodes that do not fit EXPR_PRETTY_COLUMNS on several
 * lines. */
void expr_pretty(const struct expr *e, struct buf *out);

#endif
