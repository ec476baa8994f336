/*
 * What a container may fill of this machine's disk outside of the policy's roots: the
 * job's directories that it can write to. The gates show them to no program, but a
 * container that was taken over has them.
 */
#include <sys/stat.h>

#include <errno.h>
#include <ftw.h>
#include <stdlib.h>

#include "vm-ctr.h"
#include "x07.h"

#define OUT_BYTES	(INT64_C(64) << 20)
#define LOG_MORE	(INT64_C(1) << 20)	/* beside what is handed on */
#define ENTRY_BYTES	4096			/* of a name that has nothing in it */
#define FDS_OF_WALK	16
#define BLOCK		512

static int64_t used, most;

static int
add(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)path;
	(void)ftw;
	/* What cannot be looked into may hold anything. */
	if (type == FTW_DNR)
		return 1;
	/* One that is gone again has no size. */
	if (type != FTW_NS)
		used += st->st_blocks * BLOCK + ENTRY_BYTES;
	return used > most;
}

/* False when more is in there, or more than can be looked at. */
static bool
fits(const struct vm_run *r, const char *name, int64_t bytes)
{
	char *path;
	int ret;

	if (asprintf(&path, "%s/%s", r->dir, name) == -1)
		refuse_errno("memory");
	used = 0;
	most = bytes;
	ret = nftw(path, add, FDS_OF_WALK, FTW_PHYS | FTW_MOUNT);
	free(path);
	return ret == 0 || (ret == -1 && errno == ENOENT);
}

bool
room_left(const struct vm_run *r)
{
	if (fits(r, "out", OUT_BYTES) && (r->audit_fd == -1 ||
	    r->audit_bytes == 0 || fits(r, "audit", r->audit_bytes + LOG_MORE)))
		return true;
	note("the container fills this machine's disk by what only its gates may "
	    "write to (/x07/out, /x07/audit), and was ended");
	return false;
}
