/* Directories that are removed with all that is in them, and nothing else. */
#include <sys/stat.h>

#include <atf-c.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "remove.h"

#define DEEP	3000		/* levels: PATH_MAX several times */

static void
make_file(const char *name)
{
	int fd = open(name, O_WRONLY | O_CREAT, 0400);

	ATF_REQUIRE(fd != -1);
	close(fd);
}

static void
is_gone(const char *name)
{
	struct stat st;

	ATF_CHECK_ERRNO(ENOENT, lstat(name, &st) == -1);
}

ATF_TC_WITHOUT_HEAD(all);
ATF_TC_BODY(all, tc)
{
	char name[32];

	ATF_REQUIRE(mkdir("d", 0755) == 0 && mkdir("d/a", 0755) == 0 &&
	    mkdir("d/a/b", 0755) == 0 && mkdir("kept", 0755) == 0);
	make_file("kept/f");
	make_file("d/a/f");
	make_file("d/a/b/.f");
	ATF_REQUIRE(symlink("../kept", "d/l") == 0 &&
	    symlink("/nonexistent", "d/a/l") == 0 && mkfifo("d/p", 0600) == 0);
	for (int i = 0; i < 500; i++) {
		snprintf(name, sizeof(name), "d/a/b/%d", i);
		make_file(name);
	}
	ATF_REQUIRE(chmod("d/a/b", 0) == 0 && chmod("d/a", 0300) == 0 &&
	    chmod("d", 0500) == 0);
	ATF_CHECK_EQ(0, remove_tree("d"));
	is_gone("d");
	ATF_CHECK_EQ(0, access("kept/f", F_OK));
	/* What is not there is gone, and a link is only itself. */
	ATF_CHECK_EQ(0, remove_tree("d"));
	ATF_REQUIRE_EQ(0, symlink("kept", "l"));
	ATF_CHECK_EQ(0, remove_tree("l"));
	is_gone("l");
	ATF_CHECK_EQ(0, access("kept/f", F_OK));
}

ATF_TC_WITHOUT_HEAD(deep);
ATF_TC_BODY(deep, tc)
{
	int top = open(".", O_RDONLY | O_DIRECTORY);

	ATF_REQUIRE(mkdir("d", 0755) == 0 && chdir("d") == 0);
	/* Names that are used on the way may be there already. */
	make_file(".x07-deep-0");
	ATF_REQUIRE_EQ(0, mkdir(".x07-deep-1", 0755));
	make_file(".x07-deep-1/f");
	for (int i = 0; i < DEEP; i++) {
		make_file("f");
		ATF_REQUIRE(mkdir("sub", 0755) == 0 && chdir("sub") == 0);
		ATF_REQUIRE_EQ(0, chmod(".", i % 2 == 0 ? 0700 : 0300));
	}
	ATF_REQUIRE_EQ(0, fchdir(top));
	ATF_CHECK_EQ(0, remove_tree("d"));
	is_gone("d");
}

ATF_TP_ADD_TCS(tp)
{
	ATF_TP_ADD_TC(tp, all);
	ATF_TP_ADD_TC(tp, deep);
	return atf_no_error();
}
