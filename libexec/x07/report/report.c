/*
 * report: runs the chain of a run as if it were not there, and then says what
 * became of it: one JSON document (--report), or what the gates would have
 * denied and the policy that would not (--trace).
 */
#include <sys/socket.h>
#include <sys/wait.h>

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "child.h"
#include "clock.h"
#include "digest.h"
#include "json.h"
#include "os.h"
#include "outfile.h"
#include "report.h"
#include "x07.h"

#define SCHEMA		"x07.os-run.report@0.1.0"
#define RECORD_MAX	(16 << 10)	/* bytes of one audit record */
#define USAGE_MAX	(1 << 20)
#define WORDS_MAX	1000		/* of the program that are listed */

struct words {
	const char	*list[128];
	size_t		 n;
};

static struct {
	const char	*out;		/* -o, else NULL */
	struct outfile	 place;
	const char	*log;		/* -l */
	const char	*policy;	/* -p */
	int		 policy_fd;	/* -P: where the chain finds its bytes */
	int		 audit_fd;	/* -a: where the chain finds its log */
	int		 usage_fd;	/* -u: where x07-limit puts its report */
	const char	*world, *backend, *profile;
	const char	*suggested;	/* -t: where --trace puts a policy */
	const char	*x07_policy, *root;
	bool		 weaker;
	struct words	 gates, missing, unenforced;
	const char	*const *program;
	size_t		 nprogram;
} run = { .place = OUTFILE_NONE, .policy_fd = -1, .audit_fd = -1, .usage_fd = -1 };

static char		 digest[DIGEST_HEX];
static int		 audit[2] = { -1, -1 }, log_fd = -1;
static int		 used_fd = -1;	/* ours of usage_fd */
static struct denials	*denials;
static pid_t		 parent;

/* ---- before ---- */

#define OWN_FD	16	/* ours are from here up: the chain's numbers are below */

static int
own_fd(int fd)
{
	int own = fd != -1 ? fcntl(fd, F_DUPFD_CLOEXEC, OWN_FD) : -1;

	if (own == -1)
		refuse_errno("descriptors");
	close(fd);
	return own;
}

/*
 * The bytes that the chain enforces are the bytes of the digest: it reads our
 * copy, whatever becomes of the file.
 */
static void
seal_policy(void)
{
	size_t len;
	int fd = open(run.policy, O_RDONLY | O_CLOEXEC);
	char *bytes = fd != -1 ? read_all(fd, JSON_TEXT_MAX, &len) : NULL;

	if (bytes == NULL)
		refuse_errno("%s", run.policy);
	close(fd);
	digest_of(bytes, len, digest);
	fd = own_fd(os_seal(bytes, len));
	if (lseek(fd, 0, SEEK_SET) == -1 || dup2(fd, run.policy_fd) == -1)
		refuse_errno("%s", run.policy);
	close(fd);
	free(bytes);
}

/* Sees that the report can be put there, before anything is run. */
static void
open_place(void)
{
	struct outfile *o = &run.place;

	outfile_option(o, "--report", run.out, 0666);
	if (o->opened)
		o->fd = own_fd(o->fd);
	if (o->dir != -1)
		o->dir = own_fd(o->dir);
}

/* A file without a name, for what x07-limit tells. */
static int
open_usage(void)
{
	FILE *f = tmpfile();
	int fd;

	if (f == NULL)
		refuse_errno("report");
	fd = own_fd(dup(fileno(f)));
	fclose(f);
	return fd;
}

static void
become_chain(void *arg)
{
	(void)arg;
	/* No gate: where the platform cannot, the chain merely outlives us. */
	if (os_die_with_parent(parent) == -1 && errno == ESRCH)
		_exit(EXIT_REFUSED);
	if ((run.audit_fd != -1 && dup2(audit[1], run.audit_fd) == -1) ||
	    (used_fd != -1 && dup2(used_fd, run.usage_fd) == -1))
		refuse_errno("descriptors");
}

/* ---- during ---- */

/* One record of a gate; false when there is none now. */
static bool
take_record(void)
{
	char buf[RECORD_MAX];
	ssize_t n = recv(audit[0], buf, sizeof(buf), MSG_DONTWAIT);

	if (n <= 0)
		return n == -1 && errno == EINTR;
	denials_add(denials, buf, (size_t)n);
	if (run.suggested != NULL)
		trace_add(buf, (size_t)n);
	if (log_fd != -1 && write(log_fd, buf, (size_t)n) == -1)
		note("--log %s: %s", run.log, strerror(errno));
	return true;
}

static int
wait_for(struct child *c)
{
	struct pollfd fds[2] = {
		{ .fd = c->events, .events = POLLIN },
		{ .fd = audit[0], .events = POLLIN },
	};
	int wstatus;

	for (;;) {
		if (poll(fds, 2, -1) == -1)
			continue;
		if (fds[1].revents != 0 && !take_record() &&
		    (fds[1].revents & POLLHUP) != 0)
			fds[1].fd = -1;
		if (fds[0].revents != 0 && child_event(c, &wstatus))
			break;
	}
	while (audit[0] != -1 && take_record())
		continue;
	return wstatus;
}

/* ---- afterwards ---- */

static struct json *
new_document(void)
{
	struct json_error error;
	struct json *doc = json_parse("{}", 2, &error);

	if (doc == NULL)
		refuse("report: %s", error.message);
	return doc;
}

static void
set_string(struct json *doc, struct json_value *o, const char *name,
    const char *value)
{
	json_set(doc, o, name, value != NULL ? json_new_string(doc, value) :
	    json_new(doc, JSON_NULL));
}

static void
set_words(struct json *doc, struct json_value *o, const char *name,
    const char *const *list, size_t n)
{
	struct json_value *a = json_new(doc, JSON_ARRAY);

	for (size_t i = 0; i < n; i++)
		json_append(a, json_new_string(doc, list[i]));
	json_set(doc, o, name, a);
}

static void
set_policy(struct json *doc, struct json_value *root)
{
	struct json_value *o = json_new(doc, JSON_OBJECT);
	char text[sizeof(digest) + 16];

	if (run.policy == NULL) {
		set_string(doc, root, "policy", NULL);
		return;
	}
	snprintf(text, sizeof(text), "sha256:%s", digest);
	set_string(doc, o, "path", run.policy);
	set_string(doc, o, "digest", text);
	set_words(doc, o, "not_enforced", run.unenforced.list, run.unenforced.n);
	json_set(doc, root, "policy", o);
}

static void
set_exit(struct json *doc, struct json_value *root, int wstatus)
{
	struct json_value *o = json_new(doc, JSON_OBJECT);

	json_set(doc, o, "status", json_new_int(doc, child_status(wstatus)));
	json_set(doc, o, "signal", WIFSIGNALED(wstatus) ?
	    json_new_int(doc, WTERMSIG(wstatus)) : json_new(doc, JSON_NULL));
	json_set(doc, root, "exit", o);
}

/* What x07-limit wrote of the limits used, as it is; null when it wrote nothing. */
static struct json_value *
read_usage(void)
{
	struct json_error error;
	struct json *doc = NULL;
	char *text = NULL;
	size_t len;

	if (used_fd != -1 && lseek(used_fd, 0, SEEK_SET) == 0)
		text = read_all(used_fd, USAGE_MAX, &len);
	if (text != NULL)
		doc = json_parse(text, len, &error);
	free(text);
	return doc != NULL ? json_root(doc) : NULL;
}

static int
put(struct json *doc)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);
	int ret = -1;

	if (f != NULL) {
		json_write(f, json_root(doc), JSON_PRETTY);
		if (fclose(f) == 0)
			ret = outfile_write(&run.place, text, len);
	}
	free(text);
	return ret;
}

static int
write_report(int wstatus, int64_t started, int64_t wall)
{
	struct json *doc = new_document();
	struct json_value *root = json_root(doc), *o, *used = read_usage();

	set_string(doc, root, "schema_version", SCHEMA);
	set_string(doc, root, "world", run.world);
	set_string(doc, root, "profile", run.profile);
	set_words(doc, root, "program", run.program,
	    run.nprogram < WORDS_MAX ? run.nprogram : WORDS_MAX);
	json_set(doc, root, "program_words",
	    json_new_int(doc, (int64_t)run.nprogram));
	set_string(doc, root, "sandbox_backend", run.backend);
	json_set(doc, root, "weaker_isolation", json_new_bool(doc, run.weaker));
	set_policy(doc, root);
	o = json_new(doc, JSON_OBJECT);
	set_words(doc, o, "used", run.gates.list, run.gates.n);
	set_words(doc, o, "not_available", run.missing.list, run.missing.n);
	json_set(doc, root, "gates", o);
	json_set(doc, root, "limits", used != NULL ? used :
	    json_new(doc, JSON_NULL));
	denials_report(denials, doc, root);
	json_set(doc, root, "started_unix_ms", json_new_int(doc, started));
	json_set(doc, root, "wall_ms", json_new_int(doc, wall));
	set_exit(doc, root, wstatus);
	return put(doc);
}

/* What a run with --trace was for. */
static void
tell_trace(void)
{
	if (!denials_any(denials)) {
		note("--trace: nothing would have been denied (files are not watched: "
		    "what is outside of the roots is not there in a real run)");
		return;
	}
	denials_print(denials);
	trace_suggest(run.x07_policy, run.root, run.policy, run.suggested);
}

/* ---- options ---- */

static _Noreturn void
usage(int status)
{
	fputs("usage: report [-o FILE] [-l LOG -a FD] [-p POLICY -P FD] [-u FD]\n"
	    "              [-w WORLD] [-b BACKEND] [-f PROFILE] [-k] [-g GATE]... [-G GATE]...\n"
	    "              [-e KEY]... [-t POLICY -x X07-POLICY -C ROOT]\n"
	    "              [-n N] [--] program [argument ...]\n"
	    "  -n N  the last N words are what is told as the program\n",
	    status == 0 ? stdout : stderr);
	exit(status);
}

static void
add(struct words *w, const char *word)
{
	if (w->n == sizeof(w->list) / sizeof(w->list[0]))
		refuse("report: too many of one option");
	w->list[w->n++] = word;
}

static int
number(const char *arg, int min)
{
	const char *why;
	long long n = strtonum(arg, min, 1 << 20, &why);

	if (why != NULL)
		usage(EXIT_REFUSED);
	return (int)n;
}

static void
options(int argc, char *argv[])
{
	int ch;

	while ((ch = getopt(argc, argv, "+C:G:P:a:b:e:f:g:hkl:n:o:p:t:u:w:x:")) != -1)
		switch (ch) {
		case 'C': run.root = optarg; break;
		case 'G': add(&run.missing, optarg); break;
		case 'P': run.policy_fd = number(optarg, 3); break;
		case 'a': run.audit_fd = number(optarg, 3); break;
		case 'b': run.backend = optarg; break;
		case 'e': add(&run.unenforced, optarg); break;
		case 'f': run.profile = optarg; break;
		case 'g': add(&run.gates, optarg); break;
		case 'h': usage(0);
		case 'k': run.weaker = true; break;
		case 'l': run.log = optarg; break;
		case 'n': run.nprogram = (size_t)number(optarg, 0); break;
		case 'o': run.out = optarg; break;
		case 'p': run.policy = optarg; break;
		case 't': run.suggested = optarg; break;
		case 'u': run.usage_fd = number(optarg, 3); break;
		case 'w': run.world = optarg; break;
		case 'x': run.x07_policy = optarg; break;
		default: usage(EXIT_REFUSED);
		}
	if ((size_t)(argc - optind) < run.nprogram || optind == argc ||
	    (run.policy == NULL) != (run.policy_fd == -1) ||
	    (run.log != NULL && run.audit_fd == -1) ||
	    (run.suggested != NULL && (run.x07_policy == NULL ||
	    run.root == NULL || run.policy == NULL || run.audit_fd == -1)))
		usage(EXIT_REFUSED);
	run.program = (const char *const *)argv + (argc - (int)run.nprogram);
}

int
main(int argc, char *argv[])
{
	int64_t started = clock_ms(CLOCK_REALTIME), start = clock_ms(CLOCK_MONOTONIC);
	struct child child;
	int wstatus;

	setprogname("x07 run");
	options(argc, argv);
	if (run.out != NULL)
		open_place();
	if (run.log != NULL)
		log_fd = own_fd(audit_open("-l", run.log));
	if (run.policy != NULL)
		seal_policy();
	denials = denials_new();
	if (run.audit_fd != -1) {
		if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0,
		    audit) == -1)
			refuse_errno("report");
		audit[0] = own_fd(audit[0]);
		audit[1] = own_fd(audit[1]);
	}
	if (run.usage_fd != -1)
		used_fd = open_usage();
	parent = getpid();
	if (child_start(&child, argv + optind, become_chain, NULL) == -1)
		refuse_errno("%s", argv[optind]);
	if (run.policy_fd != -1)
		close(run.policy_fd);
	if (audit[1] != -1)
		close(audit[1]);
	wstatus = wait_for(&child);
	if (run.suggested != NULL)
		tell_trace();
	if (run.out != NULL && write_report(wstatus, started,
	    clock_ms(CLOCK_MONOTONIC) - start) == -1) {
		note("--report %s: %s", run.out, strerror(errno));
		if (child_status(wstatus) == 0)
			return EXIT_REFUSED;
	}
	child_imitate(wstatus);
}
