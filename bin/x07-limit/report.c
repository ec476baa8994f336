/* What was used: a JSON file for programs, a line for people. */
#include <sys/stat.h>
#include <sys/wait.h>

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "limits.h"
#include "outfile.h"

#define LAST_WORDS_MS	1000

static struct outfile file = OUTFILE_NONE;

void
report_open(const char *spec)
{
	outfile_option(&file, "-r", spec, S_IRUSR | S_IWUSR);
}

bool
report_replaces(void)
{
	return file.dir != -1;
}

size_t
report_fds(int fds[2])
{
	return outfile_fds(&file, fds);
}

/* A JSON string; bytes that are not ASCII are taken for Latin-1, as in the log. */
static void
put_string(FILE *f, const char *s)
{
	putc('"', f);
	for (; *s != '\0'; s++) {
		unsigned char c = (unsigned char)*s;

		if (c == '"' || c == '\\')
			fprintf(f, "\\%c", c);
		else if (c < 0x20 || c >= 0x7f)
			fprintf(f, "\\u%04x", c);
		else
			putc(c, f);
	}
	putc('"', f);
}

static void
put_member(FILE *f, const char *name, int64_t n)
{
	if (n < 0)
		fprintf(f, ",\n  \"%s\": null", name);
	else
		fprintf(f, ",\n  \"%s\": %" PRId64, name, n);
}

/* The limits in force: value, and what held it. */
static void
put_limits(FILE *f, const struct plan *p)
{
	const char *sep = "";

	fprintf(f, ",\n  \"limits\": {");
	for (int l = 0; l < NLIMITS; l++) {
		if (p->limit[l] < 0)
			continue;
		fprintf(f, "%s\n    \"%s\": {\"value\": %" PRId64 ", \"by\": ",
		    sep, limit_rows[l].name, p->limit[l]);
		put_string(f, p->how[l]);
		fprintf(f, "}");
		sep = ",";
	}
	fprintf(f, "%s}", *sep != '\0' ? "\n  " : "");
}

static void
put_report(FILE *f, const struct plan *p, const struct used *u)
{
	int ws = u->end.wstatus;

	fprintf(f, "{\n  \"schema_version\": \"x07.limit.report@0.1.0\",\n"
	    "  \"program\": ");
	put_string(f, limits_program(p->argv));
	put_member(f, "status", u->status);
	put_member(f, "exit", WIFEXITED(ws) ? WEXITSTATUS(ws) : -1);
	put_member(f, "signal", WIFSIGNALED(ws) ? WTERMSIG(ws) : -1);
	fprintf(f, ",\n  \"struck\": ");
	if (u->struck == LIM_NONE)
		fprintf(f, "null");
	else
		put_string(f, limit_rows[u->struck].name);
	put_member(f, "wall_ms", u->wall_ms);
	put_member(f, "user_ms", u->end.user_us / 1000);
	put_member(f, "sys_ms", u->end.sys_us / 1000);
	put_member(f, "cpu_ms", u->sum.cpu_us / 1000);
	put_member(f, "peak_memory_bytes", u->sum.mem_peak > 0 ?
	    u->sum.mem_peak : u->end.maxrss);
	fprintf(f, ",\n  \"peak_memory_of\": \"%s\"", u->sum.mem_peak > 0 ?
	    "tree" : "largest process");
	put_member(f, "peak_tasks", u->sum.tasks_peak > 0 ?
	    u->sum.tasks_peak : -1);
	put_member(f, "stdin_bytes", u->bytes[0]);
	put_member(f, "stdout_bytes", u->bytes[1]);
	put_member(f, "stderr_bytes", u->bytes[2]);
	put_limits(f, p);
	fprintf(f, "\n}\n");
}

/* Bytes as "1.5M": three digits are enough for people. */
static void
put_bytes(FILE *f, int64_t n)
{
	static const char letters[] = " KMGTPE";
	int64_t factor = 1;
	size_t i = 0;

	for (; n / factor >= 1024; factor *= 1024)
		i++;
	if (i == 0)
		fprintf(f, "%" PRId64, n);
	else
		fprintf(f, "%.1f%c", (double)n / (double)factor, letters[i]);
}

/* "1.2s of 2s", rounded for people. */
static void
put_used(FILE *f, const char *what, enum unit unit, int64_t used, int64_t limit)
{
	char text[32];

	fprintf(f, ", %s ", what);
	if (unit == UNIT_TIME)
		fprintf(f, "%.2fs", (double)used / 1000);
	else if (unit == UNIT_BYTES)
		put_bytes(f, used);
	else
		fprintf(f, "%" PRId64, used);
	if (limit >= 0)
		fprintf(f, " of %s", limits_text(unit, limit, text));
}

static void
put_info(FILE *f, const struct plan *p, const struct used *u)
{
	static const enum limit streams[3] = { LIM_STDIN, LIM_STDOUT, LIM_STDERR };

	fprintf(f, "status %d", u->status);
	if (u->struck != LIM_NONE)
		fprintf(f, " (%s limit)", limit_rows[u->struck].what);
	put_used(f, "wall", UNIT_TIME, u->wall_ms, p->limit[LIM_WALL]);
	put_used(f, "CPU", UNIT_TIME, u->sum.cpu_us / 1000, p->limit[LIM_CPU]);
	put_used(f, "memory", UNIT_BYTES, u->sum.mem_peak > 0 ?
	    u->sum.mem_peak : u->end.maxrss, p->limit[LIM_MEM]);
	if (u->sum.tasks_peak > 0)
		put_used(f, "tasks", UNIT_COUNT, u->sum.tasks_peak,
		    limits_tasks(p));
	for (int i = 0; i < 3; i++)
		if (u->bytes[i] >= 0)
			put_used(f, limit_rows[streams[i]].what, UNIT_BYTES,
			    u->bytes[i], p->limit[streams[i]]);
	if (p->limit[LIM_TOTAL] >= 0 && (u->bytes[1] >= 0 || u->bytes[2] >= 0))
		put_used(f, limit_rows[LIM_TOTAL].what, UNIT_BYTES,
		    (u->bytes[1] > 0 ? u->bytes[1] : 0) +
		    (u->bytes[2] > 0 ? u->bytes[2] : 0), p->limit[LIM_TOTAL]);
}

/* Room for all of it first: what is written is written whole. */
static void
put_file(const struct plan *p, const struct used *u)
{
	char *text = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&text, &size);

	if (f != NULL)
		put_report(f, p, u);
	if (f == NULL || fclose(f) == EOF || outfile_write(&file, text, size) == -1)
		note("cannot write the report: %s", strerror(errno));
	free(text);
}

void
report_write(const struct plan *p, const struct used *u)
{
	struct pollfd errors = { .fd = STDERR_FILENO, .events = POLLOUT };
	char *text = NULL;
	size_t size = 0, lost = diag_lost();
	FILE *f;

	if (outfile_wanted(&file))
		put_file(p, u);
	/* Who was slow to read may catch up now: nothing runs that has to be held. */
	if (lost > 0 || p->info)
		poll(&errors, 1, LAST_WORDS_MS);
	if (lost > 0)
		note("%zu lines were lost, because nobody read them%s%s", lost,
		    u->struck != LIM_NONE ? "; what struck: " : "",
		    u->struck != LIM_NONE ? limit_rows[u->struck].what : "");
	if (p->info && (f = open_memstream(&text, &size)) != NULL) {
		put_info(f, p, u);
		if (fclose(f) == 0)
			note("%s", text);
		free(text);
	}
}
