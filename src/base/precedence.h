/* precedence.h -- work that somebody waits for goes before work that can wait.
 *
 * The system's scheduler alone does not see to it: a thread of low priority, once it runs, keeps
 * its processor for some milliseconds, and a write passes through several threads. So who has long
 * work asks between two pieces of it whether urgent work is under way, and lets it pass. One count
 * for the whole process. */
#ifndef BASE_PRECEDENCE_H
#define BASE_PRECEDENCE_H

#include <stdint.h>

enum { PRECEDENCE_WAIT_MS_MAX = 20 }; /* nobody gives way longer at once */

/* Urgent work begins, and ends: in pairs, on whatever threads. */
void precedence_begin(void);
void precedence_end(void);

/* Between two pieces of work that can wait: wait until no urgent work is under way, but no longer
 * than the calling thread has worked since it last did, so that half of its time is its own however
 * much is urgent. Costs one load while nothing is. */
void precedence_give_way(void);

#endif
