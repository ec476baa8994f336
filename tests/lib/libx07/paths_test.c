/* Paths as text. */
#include <atf-c.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "x07.h"

ATF_TC_WITHOUT_HEAD(normalise);
ATF_TC_BODY(normalise, tc)
{
	static const struct {
		const char	*base, *path, *want;
	} rows[] = {
		{ "/", "/", "/" },
		{ "/", "//", "/" },
		{ "/", ".", "/" },
		{ "/", "..", "/" },
		{ "/", "../../..", "/" },
		{ "/", "a", "/a" },
		{ "/", "/a//b/", "/a/b" },
		{ "/", "/./a/./b/.", "/a/b" },
		{ "/", "/a/../b", "/b" },
		{ "/", "/a/b/../../../c", "/c" },
		{ "/", "/...", "/..." },
		{ "/", "/a..b/.c/d.", "/a..b/.c/d." },
		{ "/p/q", ".", "/p/q" },
		{ "/p/q", "r", "/p/q/r" },
		{ "/p/q", "../r", "/p/r" },
		{ "/p/q", "../../../r", "/r" },
		{ "/p/q", "/r", "/r" },
		{ "/p//q/.", "./r/", "/p/q/r" },
		{ "", "/r", "/r" },
		{ "not/absolute", "/r", "/r" },
	};

	(void)tc;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *got = path_normalise(rows[i].base, rows[i].path);

		ATF_REQUIRE_MSG(got != NULL, "%s %s", rows[i].base, rows[i].path);
		ATF_CHECK_STREQ(rows[i].want, got);
		free(got);
	}
}

ATF_TC_WITHOUT_HEAD(normalise_errors);
ATF_TC_BODY(normalise_errors, tc)
{
	char *name = malloc(PATH_MAX + 1), *path;

	(void)tc;
	ATF_REQUIRE(name != NULL);
	ATF_CHECK_ERRNO(EINVAL, path_normalise("/", "") == NULL);
	ATF_CHECK_ERRNO(EINVAL, path_normalise("", "a") == NULL);
	ATF_CHECK_ERRNO(EINVAL, path_normalise("not/absolute", "a") == NULL);
	memset(name, 'a', PATH_MAX);
	name[PATH_MAX] = '\0';
	ATF_CHECK_ERRNO(ENAMETOOLONG, path_normalise("/", name) == NULL);
	name[PATH_MAX - 1] = '\0';
	ATF_CHECK_ERRNO(ENAMETOOLONG, path_normalise("/", name) == NULL);
	name[PATH_MAX - 2] = '\0';
	path = path_normalise("/", name);
	ATF_REQUIRE(path != NULL);
	ATF_CHECK_EQ((size_t)PATH_MAX - 1, strlen(path));
	free(path);
	free(name);
}

ATF_TC_WITHOUT_HEAD(within);
ATF_TC_BODY(within, tc)
{
	(void)tc;
	ATF_CHECK(path_within("/", "/"));
	ATF_CHECK(path_within("/a", "/"));
	ATF_CHECK(path_within("/a", "/a"));
	ATF_CHECK(path_within("/a/b", "/a"));
	ATF_CHECK(!path_within("/", "/a"));
	ATF_CHECK(!path_within("/ab", "/a"));
	ATF_CHECK(!path_within("/a-b/c", "/a"));
	ATF_CHECK(!path_within("/b/a", "/a"));
}

ATF_TP_ADD_TCS(tp)
{
	ATF_TP_ADD_TC(tp, normalise);
	ATF_TP_ADD_TC(tp, normalise_errors);
	ATF_TP_ADD_TC(tp, within);
	return atf_no_error();
}
