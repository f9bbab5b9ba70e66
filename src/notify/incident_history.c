/* incident_history.c -- what the history is told of incidents. */
#include "notify/incident_priv.h"

void incident_tell(const struct engine *e, const struct incident *i, enum history_kind kind,
                   const char *why, str by, int64_t now_ms)
{
    struct history_event said = {.kind = kind, .at_ms = now_ms, .labels = i->labels};
    if (e->history == NULL)
        return;
    said.texts[HISTORY_ID] = str_from(i->id);
    said.texts[HISTORY_GROUP] = i->group_key;
    said.texts[HISTORY_REASON] = str_from(why);
    said.texts[HISTORY_BY] = by;
    if (kind == HISTORY_ACKED)
        said.texts[HISTORY_COMMENT] = buf_str(&i->comment);
    if (kind == HISTORY_ACKED && i->ack_expires_ms != 0)
        history_say(&said, HISTORY_ENDS_AT_MS, i->ack_expires_ms);
    if (kind == HISTORY_ESCALATED)
        history_say(&said, HISTORY_LEVEL,
                    (int64_t)((i->next_step - 1) % i->policy.levels.count) + 1);
    history_put(e->history, &said);
}
