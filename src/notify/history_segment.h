/* history_segment.h -- one file of the history: its frame, and what is known of it. */
#ifndef NOTIFY_HISTORY_SEGMENT_H
#define NOTIFY_HISTORY_SEGMENT_H

#include "notify/history_event.h"

enum {
    HISTORY_HEADER_BYTES = 24, /* magic, seed, checksum of both */
    HISTORY_FRAME_BYTES = 8,   /* of a record: size, checksum */
    HISTORY_FILTER_WORDS = 1024,
};

struct history_segment {
    uint64_t number, size_bytes; /* the name; what is good of the file */
    bool known;                  /* what follows is */
    uint64_t count, last_seq;
    int64_t min_ms, max_ms;                /* when its events happened */
    uint64_t filter[HISTORY_FILTER_WORDS]; /* a Bloom filter of fingerprints */
};

/* "DIR/00000001" */
const char *history_segment_path(struct buf *out, const char *dir, uint64_t number);
/* The number of a file's name; 0: it is no segment. */
uint64_t history_segment_number(const char *name);

void history_header_put(struct buf *out, uint64_t seed);
/* Append a record's frame; it will stand at `pos_bytes` of its file. */
void history_record_put(struct buf *out, uint64_t seed, uint64_t pos_bytes, slice payload);

/* Walk through the records of a file. */
struct history_cursor {
    slice file;
    uint64_t seed;
    size_t pos_bytes;       /* behind the last record */
    uint64_t damaged_bytes; /* that were passed over, with whole records behind them */
    uint64_t budget_bytes;  /* of the search for these */
};
/* False: the file has no good header, and so no records. */
bool history_cursor_begin(struct history_cursor *c, slice file);
bool history_cursor_next(struct history_cursor *c, slice *payload);

/* Note an event in what is known of a segment. */
void history_segment_note(struct history_segment *s, const struct history_event *e);
/* What is known of an empty segment. */
void history_segment_clear(struct history_segment *s);
/* May a segment that is known have events that match? */
bool history_segment_may_match(const struct history_segment *s, const struct history_query *q);

#endif
