/* ast_json.h -- a syntax tree as /api/v1/parse_query shows it: an object a node with its kind as
 * "type", keys sorted, strings escaped for HTML. Format: Prometheus web/api/v1, translateAST. */
#ifndef HTTP_AST_JSON_H
#define HTTP_AST_JSON_H

#include "base/buf.h"
#include "query/ast.h"

void ast_json(struct buf *b, const struct expr *e);

#endif
