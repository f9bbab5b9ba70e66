/* labels_json.h -- a set of labels as a JSON object, as Go's encoding/json writes a map. */
#ifndef MODEL_LABELS_JSON_H
#define MODEL_LABELS_JSON_H

#include "base/buf.h"
#include "model/labels.h"

/* Append it; <, > and & are escaped as in json_html(). Sorted labels give sorted keys. */
void labels_json_html(struct buf *out, struct labels ls);

#endif
