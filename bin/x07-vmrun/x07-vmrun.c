/*
 * x07-vmrun - run a program in a machine of its own, behind the gates of its policy.
 *
 * It chooses a backend, puts together what its driver needs, and watches over it. The
 * boundary is the driver's machine; inside, the same policy is enforced again by the
 * same gates. See x07-vmrun(1), x07-vm-driver(8).
 */
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vmrun.h"

#define LOG_BYTES	(INT64_C(64) << 20)

enum { OPT_IMAGE = CHAIN_OPT_OWN, OPT_DIGEST, OPT_SNAPSHOT, OPT_DEADLINE, OPT_CLOSURE, OPT_X07,
    OPT_BUILD };

static const struct option longopts[] = {
	CHAIN_LONGOPTS,
	{ "backend",	required_argument, NULL, 'b' },
	{ "image",	required_argument, NULL, OPT_IMAGE },
	{ "image-digest", required_argument, NULL, OPT_DIGEST },
	{ "snapshot",	no_argument, NULL, OPT_SNAPSHOT },
	{ "deadline",	required_argument, NULL, OPT_DEADLINE },
	{ "read",	required_argument, NULL, 'r' },
	{ "write",	required_argument, NULL, 'w' },
	{ "closure",	required_argument, NULL, OPT_CLOSURE },
	{ "usage",	required_argument, NULL, 'u' },
	{ "x07",	no_argument, NULL, OPT_X07 },
	{ "build",	no_argument, NULL, OPT_BUILD },
	{ NULL, 0, NULL, 0 },
};

static _Noreturn void
usage(void)
{
	fputs(
"usage: x07-vmrun [options] -p POLICY [--] program [argument ...]\n"
"       x07-vmrun image [-o DIR]\n"
"Runs a program in a virtual machine, behind the gates that its policy asks for.\n"
"\n"
"  -b, --backend NAME     auto, firecracker-ctr, qemu, apple-container, vz, podman,\n"
"                         docker (X07_VM_BACKEND)\n"
"  --image DIR|REF        the guest: a directory made by x07-vmrun image, or an OCI\n"
"                         reference (X07_VM_GUEST_IMAGE)\n"
"  --image-digest sha256:HEX  what it must be (X07_VM_GUEST_IMAGE_DIGEST)\n"
"  --snapshot             keep the booted guest, and start from it next time\n"
"                         (X07_VM_SNAPSHOT=1)\n"
"  --deadline UNIX_MS     end then at the latest, whatever the policy says\n"
"  -r, --read SRC[:DST], -w, --write SRC[:DST], --closure minimal|system|none\n"
"                         files that are shown beside the policy's, as x07-fsgate\n"
"                         shows them\n"
"  --build                it builds the program: only -r and -w are its files, there is\n"
"                         no network, and it may start what it likes\n"
"  --x07                  the program was made by the X07 compiler: X07_OS_* too\n"
"  -u, --usage FILE|fd:N  what was used, and which limit struck: JSON\n"
"  -p, --policy FILE      policy\n"
"  -P, --policy-fd FD     the same, compiled, on a descriptor\n"
"  -l, --log FILE|fd:N    audit log of the gates in the guest, JSON lines\n"
"  --i-accept-weaker-isolation  let podman and docker do: no kernel of its own\n"
"  -q, -v                 less, more messages\n"
"  -h, --help    --version\n", stdout);
	exit(0);
}

static bool
is_yes(const char *name)
{
	static const char *const yes[] = { "1", "true", "TRUE", "yes", "YES" };
	static const char *const no[] = { "", "0", "false", "FALSE", "no", "NO" };
	const char *value = getenv(name);

	for (size_t i = 0; value != NULL && i < sizeof(yes) / sizeof(yes[0]); i++)
		if (strcmp(value, yes[i]) == 0)
			return true;
	for (size_t i = 0; value != NULL && i < sizeof(no) / sizeof(no[0]); i++)
		if (strcmp(value, no[i]) == 0)
			return false;
	if (value != NULL)
		refuse("%s=%s: must be 1, true, yes, 0, false or no", name, value);
	return false;
}

/* For x07-fsgate, which puts the list of files together. */
static void
show(struct job *j, const char *flag, const char *arg)
{
	j->shown = reallocarray(j->shown, j->nshown + 2, sizeof(*j->shown));
	if (j->shown == NULL || (j->shown[j->nshown] = strdup(flag)) == NULL ||
	    (j->shown[j->nshown + 1] = strdup(arg)) == NULL)
		refuse_errno("memory");
	j->nshown += 2;
}

/* A disk is made for each run, and a whole system takes too long for that. */
static void
show_little(struct job *j)
{
	for (size_t i = 0; i < j->nshown; i += 2)
		if (strcmp(j->shown[i], "--closure") == 0)
			return;
	show(j, "--closure", "minimal");
}

/* The guest's image, and what it must be: options, then variables. */
static void
choose_image(struct job *j)
{
	if (j->image == NULL)
		j->image = getenv("X07_VM_GUEST_IMAGE");
	if (j->digest == NULL)
		j->digest = getenv("X07_VM_GUEST_IMAGE_DIGEST");
	if (j->digest != NULL && *j->digest == '\0')
		j->digest = NULL;
	if (j->digest != NULL && !vm_digest_valid(j->digest))
		refuse("%s is no digest: sha256: and 64 lower-case hexadecimal "
		    "digits (--image-digest, X07_VM_GUEST_IMAGE_DIGEST)",
		    j->digest);
	if (j->image != NULL && *j->image == '\0')
		j->image = NULL;
	if (j->image != NULL && j->backend.takes_directory && *j->image != '/' &&
	    (j->image = path_normalise(getcwd(NULL, 0), j->image)) == NULL)
		refuse_errno("--image");
	j->snapshot = is_yes("X07_VM_SNAPSHOT") || j->snapshot;
	if (j->image == NULL && j->backend.takes_directory)
		j->image = image_get(!j->chain.quiet, !j->snapshot);
	if (j->backend.takes_directory && image_has_disk(j->image))
		show_little(j);
	if (j->backend.takes_directory && j->snapshot)
		j->cache = image_cache();
}

/* The disk that the log is on is not the guest's to fill. */
static int64_t
log_bytes(void)
{
	const char *given = getenv("X07_VM_LOG_BYTES");
	int64_t bytes;

	if (given == NULL || *given == '\0')
		return LOG_BYTES;
	if (parse_size(given, &bytes) == -1)
		refuse("X07_VM_LOG_BYTES=%s: must be a size such as 64M, or 0 for "
		    "no limit", given);
	return bytes;
}

static int64_t
milliseconds(const char *arg)
{
	const char *why;
	int64_t n = strtonum(arg, 1, INT64_MAX, &why);

	if (why != NULL)
		refuse("--deadline %s: must be milliseconds since 1970", arg);
	return n;
}

static void
own_option(struct job *j, const char **backend, int opt, const char *arg)
{
	switch (opt) {
	case 'b':
		*backend = arg;
		break;
	case OPT_IMAGE:
		j->image = arg;
		break;
	case OPT_DIGEST:
		j->digest = arg;
		break;
	case 'r':
		show(j, "-r", arg);
		break;
	case 'w':
		show(j, "-w", arg);
		break;
	case OPT_CLOSURE:
		show(j, "--closure", arg);
		break;
	case 'u':
		outfile_option(&j->usage, "-u", arg, 0600);
		break;
	case OPT_SNAPSHOT:
		j->snapshot = true;
		break;
	case OPT_DEADLINE:
		j->not_after_ms = milliseconds(arg);
		break;
	case OPT_BUILD:
		j->build = true;
		break;
	case OPT_X07:
		j->x07 = true;
		break;
	case 'h':
		usage();
	default:
		/* getopt(3) has said what is wrong, in one line. */
		exit(EXIT_REFUSED);
	}
}

int
main(int argc, char *argv[])
{
	struct job j = { .chain = CHAIN_INIT, .usage = OUTFILE_NONE };
	const char *backend = NULL;
	int opt;

	setprogname("x07-vmrun");
	chain_hold_stdio(true);
	/* Where no file may be that large (ulimit -f), a line says which. */
	signal(SIGXFSZ, SIG_IGN);
	if (argc > 1 && strcmp(argv[1], "image") == 0)
		return image_main(argc - 1, argv + 1);
	while ((opt = getopt_long(argc, argv, "+b:r:u:w:" CHAIN_SHORTOPTS, longopts,
	    NULL)) != -1)
		if (!chain_option(&j.chain, opt, optarg))
			own_option(&j, &backend, opt, optarg);
	j.argv = argv + optind;
	if (is_yes("X07_I_ACCEPT_WEAKER_ISOLATION"))
		j.chain.weaker_ok = true;
	if (j.chain.dry_run)
		refuse("-n is not possible in a machine; try the policy with "
		    "x07 run --trace --sandbox-backend os");
	j.log_bytes = log_bytes();
	chain_program(&j.chain, argv, j.argv);
	if (j.chain.form == NULL)
		refuse("a policy is needed: -p FILE (make one: x07 policy init)");
	backend_choose(&j.backend, backend, j.chain.weaker_ok, j.chain.verbose);
	job_check(&j);
	choose_image(&j);
	return job_run(&j);
}
