/*
 * doctor.h - what the parts of doctor share.
 */
#ifndef DOCTOR_H
#define DOCTOR_H

#include <stdbool.h>

#include "os.h"

#define TEXT_MAX	512

/* Beside enum os_state: something that only some runs need is not there. */
#define STATE_ABSENT	(OS_STATE_MISSING + 1)

/* One row of the result. Texts are copied. */
void	tell(const char *name, int state, const char *detail, const char *fix);

/* ---- tools.c ---- */

/*
 * Looks for the programs beside the kernel that virtual machines, builds and
 * containers need.
 */
void	examine_programs(bool root);

/*
 * Runs argv, without input; in text what it said on stderr, last line.
 * Returns its exit status, 124 when it took longer than seconds.
 */
int	run_quietly(char *const argv[], unsigned seconds, char text[TEXT_MAX]);

/*
 * From hold_signals on, signals that would end us end what run_quietly runs, now
 * and later, so that there is a chance to tidy up; release_signals then obeys them.
 */
void	hold_signals(void);
void	release_signals(void);

/* Removes a directory of ours with all that is in it. */
void	remove_scratch(const char *dir);

#endif
