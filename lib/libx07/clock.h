/*
 * clock.h - the clocks of this machine in milliseconds.
 */
#ifndef CLOCK_H
#define CLOCK_H

#include <stdint.h>
#include <time.h>

/* What the clock shows, clock_gettime(2), in whole milliseconds. */
int64_t	clock_ms(clockid_t);

#endif
