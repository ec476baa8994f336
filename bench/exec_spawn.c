/*
 * exec_spawn N PROGRAM [ARG...]: starts the program N times, one after the
 * other, and prints the median and the tenth percentile in microseconds.
 */
#include <sys/wait.h>

#include <err.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

extern char **environ;

static int
by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static double
once(char *argv[])
{
	double start = now();
	int status;
	pid_t pid;

	if (posix_spawn(&pid, argv[0], NULL, NULL, argv, environ) != 0)
		errx(1, "%s: not started", argv[0]);
	if (waitpid(pid, &status, 0) == -1 || status != 0)
		errx(1, "%s: status %d", argv[0], status);
	return now() - start;
}

int
main(int argc, char *argv[])
{
	size_t n = argc > 2 ? strtoul(argv[1], NULL, 10) : 0;
	double *t = calloc(n + 1, sizeof(*t));

	if (n == 0 || t == NULL)
		errx(2, "usage: exec_spawn N PROGRAM [ARG...]");
	for (size_t i = 0; i < 20; i++)
		once(argv + 2);
	for (size_t i = 0; i < n; i++)
		t[i] = once(argv + 2);
	qsort(t, n, sizeof(*t), by_value);
	printf("%.1f %.1f\n", t[n / 2], t[n / 10]);
	return 0;
}
