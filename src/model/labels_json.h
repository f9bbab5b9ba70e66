/* labels_json.h -- a set of labels as a JSON object, names in the set's order. */
#ifndef MODEL_LABELS_JSON_H
#define MODEL_LABELS_JSON_H

#include "base/buf.h"
#include "model/labels.h"

void labels_json(struct buf *out, struct labels ls);
/* As Go's encoding/json writes a map: <, > and & are escaped as in json_html(). */
void labels_json_html(struct buf *out, struct labels ls);

#endif
