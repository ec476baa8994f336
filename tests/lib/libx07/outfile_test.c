/* Files that are replaced as a whole, and those that are not. */
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <atf-c.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "outfile.h"

#define NOBODY	65534

/* The file has that text, nothing else is there, and its mode. */
static void
holds(const char *name, const char *text, mode_t mode, int files)
{
	struct stat st;
	DIR *d = opendir(".");
	int n = 0;

	ATF_CHECK(atf_utils_compare_file(name, text));
	ATF_CHECK_EQ(0, stat(name, &st));
	ATF_CHECK_EQ_MSG(mode, st.st_mode & 0777, "mode %o", st.st_mode);
	ATF_REQUIRE(d != NULL);
	while (readdir(d) != NULL)
		n++;
	ATF_CHECK_EQ(files + 2, n);
	closedir(d);
}

static int
put(const char *name, const char *text, unsigned how)
{
	struct outfile o;

	if (outfile_open(&o, name, 0644, how) == -1)
		return -1;
	ATF_CHECK(outfile_wanted(&o));
	return outfile_write(&o, text, strlen(text));
}

ATF_TC_WITHOUT_HEAD(replaced);
ATF_TC_BODY(replaced, tc)
{
	static const unsigned hows[] = { 0, OUTFILE_WHOLE };
	struct outfile o;
	char buf[16];
	int fd;

	umask(022);
	for (size_t i = 0; i < 2; i++) {
		ATF_REQUIRE_EQ(0, put("f", "new\n", hows[i]));
		holds("f", "new\n", 0644, 1);
		ATF_REQUIRE_EQ(0, chmod("f", 0640));
		fd = open("f", O_RDONLY);
		/* Nothing is changed before it is all known. */
		ATF_REQUIRE_EQ(0, outfile_open(&o, "f", 0644, hows[i]));
		holds("f", "new\n", 0640, 1);
		ATF_REQUIRE_EQ(0, outfile_write(&o, "other\n", 6));
		holds("f", "other\n", 0640, 1);
		/* Who had it open has what was there. */
		ATF_CHECK_EQ(4, read(fd, buf, sizeof(buf)));
		ATF_CHECK_EQ(0, memcmp(buf, "new\n", 4));
		close(fd);
		ATF_REQUIRE_EQ(0, unlink("f"));
	}
}

ATF_TC_WITHOUT_HEAD(links);
ATF_TC_BODY(links, tc)
{
	struct stat st;

	umask(022);
	ATF_REQUIRE_EQ(0, symlink("f", "l"));
	/* One that leads nowhere is replaced, as is any when that is asked for. */
	ATF_REQUIRE_EQ(0, put("l", "a\n", 0));
	ATF_REQUIRE_EQ(0, lstat("l", &st));
	ATF_CHECK(S_ISREG(st.st_mode));
	ATF_REQUIRE_EQ(0, rename("l", "f"));
	ATF_REQUIRE_EQ(0, symlink("f", "l"));
	ATF_REQUIRE_EQ(0, put("l", "b\n", 0));
	holds("f", "b\n", 0644, 2);
	ATF_REQUIRE_EQ(0, put("l", "c\n", OUTFILE_WHOLE));
	holds("f", "c\n", 0644, 2);
	ATF_REQUIRE_EQ(0, lstat("l", &st));
	ATF_CHECK(S_ISLNK(st.st_mode));
	ATF_REQUIRE_EQ(0, put("l", "d\n", OUTFILE_WHOLE | OUTFILE_NOFOLLOW));
	holds("f", "c\n", 0644, 2);
	holds("l", "d\n", 0644, 2);
}

ATF_TC_WITHOUT_HEAD(full);
ATF_TC_BODY(full, tc)
{
	static const char text[] = "a text that is longer than a file may be\n";
	static const struct rlimit few = { 10, 10 };
	static const unsigned hows[] = { 0, OUTFILE_WHOLE };

	umask(022);
	ATF_REQUIRE_EQ(0, put("f", "old\n", 0));
	signal(SIGXFSZ, SIG_IGN);
	ATF_REQUIRE_EQ(0, setrlimit(RLIMIT_FSIZE, &few));
	for (size_t i = 0; i < 2; i++) {
		ATF_CHECK_ERRNO(EFBIG, put("f", text, hows[i]) == -1);
		holds("f", "old\n", 0644, 1);
		ATF_CHECK_ERRNO(EFBIG, put("g", text, hows[i]) == -1);
		ATF_CHECK_EQ(-1, access("g", F_OK));
		holds("f", "old\n", 0644, 1);
	}
	ATF_CHECK_EQ(0, put("f", "fits\n", 0));
	holds("f", "fits\n", 0644, 1);
}

ATF_TC_WITHOUT_HEAD(in_place);
ATF_TC_BODY(in_place, tc)
{
	char buf[16];
	int fd;

	ATF_REQUIRE_EQ(0, mkfifo("p", 0600));
	fd = open("p", O_RDONLY | O_NONBLOCK);
	ATF_REQUIRE_EQ(0, put("p", "piped\n", 0));
	ATF_CHECK_EQ(6, read(fd, buf, sizeof(buf)));
	ATF_CHECK_EQ(0, read(fd, buf, sizeof(buf)));
	ATF_CHECK_EQ(0, put("/dev/null", "gone\n", OUTFILE_WHOLE));
	ATF_CHECK_EQ(0, put("/dev/null", "gone\n", 0));
	ATF_CHECK_ERRNO(ENOSPC, put("/dev/full", "no\n", 0) == -1);
	ATF_CHECK_ERRNO(EISDIR, put(".", "no\n", 0) == -1);
	ATF_CHECK_ERRNO(ENOENT, put("", "no\n", 0) == -1);
	ATF_CHECK_ERRNO(ENOENT, put("none/f", "no\n", OUTFILE_WHOLE) == -1);
}

/* As an ordinary user: root may write everywhere. 0 when all is as it should be. */
static int
try_closed(void)
{
	if (geteuid() == 0 && (setgid(NOBODY) == -1 || setuid(NOBODY) == -1))
		return 1;
	umask(022);
	if (mkdir("d", 0755) == -1 || put("d/f", "old\n", 0) == -1 ||
	    chmod("d", 0555) == -1)
		return 2;
	/* No other file can be made there. */
	if (put("d/f", "new\n", OUTFILE_WHOLE) != -1 || errno != EACCES)
		return 3;
	if (put("d/g", "new\n", 0) != -1 || errno != EACCES)
		return 4;
	if (put("d/f", "new\n", 0) == -1 || chmod("d/f", 0444) == -1)
		return 5;
	if (put("d/f", "no\n", 0) != -1 || errno != EACCES)
		return 6;
	return chmod("d", 0755);
}

ATF_TC_WITHOUT_HEAD(closed);
ATF_TC_BODY(closed, tc)
{
	int wstatus;
	pid_t pid;

	ATF_REQUIRE_EQ(0, chmod(".", 0777));
	pid = fork();
	if (pid == 0)
		_exit(try_closed());
	ATF_REQUIRE_EQ(pid, waitpid(pid, &wstatus, 0));
	ATF_CHECK_EQ_MSG(0, wstatus, "status %x", wstatus);
	ATF_CHECK(atf_utils_compare_file("d/f", "new\n"));
}

ATF_TP_ADD_TCS(tp)
{
	ATF_TP_ADD_TC(tp, replaced);
	ATF_TP_ADD_TC(tp, links);
	ATF_TP_ADD_TC(tp, full);
	ATF_TP_ADD_TC(tp, in_place);
	ATF_TP_ADD_TC(tp, closed);
	return atf_no_error();
}
