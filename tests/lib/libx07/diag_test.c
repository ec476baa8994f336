/* Diagnostics and the audit log: whatever a program names, one safe line. */
#include <atf-c.h>
#include <err.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "x07.h"

ATF_TC_WITHOUT_HEAD(vis_encodes);
ATF_TC_BODY(vis_encodes, tc)
{
	char buf[64];

	(void)tc;
	ATF_CHECK_STREQ("plain text.", diag_vis(buf, sizeof(buf), "plain text.", 11));
	ATF_CHECK_STREQ("a\\012b", diag_vis(buf, sizeof(buf), "a\nb", 3));
	ATF_CHECK_STREQ("\\033[2J", diag_vis(buf, sizeof(buf), "\033[2J", 4));
	ATF_CHECK_STREQ("\\134x", diag_vis(buf, sizeof(buf), "\\x", 2));
	ATF_CHECK_STREQ("\\303\\244", diag_vis(buf, sizeof(buf), "\xc3\xa4", 2));
	ATF_CHECK_STREQ("a\\000b", diag_vis(buf, sizeof(buf), "a\0b", 3));
	ATF_CHECK_STREQ("", diag_vis(buf, sizeof(buf), "", 0));
}

ATF_TC_WITHOUT_HEAD(vis_truncates);
ATF_TC_BODY(vis_truncates, tc)
{
	char buf[16], in[200];

	(void)tc;
	memset(in, '\n', sizeof(in));
	for (size_t len = 0; len <= sizeof(in); len++) {
		memset(buf, 'X', sizeof(buf));
		diag_vis(buf, 12, in, len);
		ATF_REQUIRE(memchr(buf, '\0', 12) != NULL);
		ATF_REQUIRE_EQ('X', buf[12]);
		if (len > 2)
			ATF_CHECK(strstr(buf, "...") != NULL);
	}
}

/* Runs audit_verdict and reads the record back. */
static char *
record(const struct verdict *v, bool dry, const char *extra)
{
	static char buf[16384];
	int fd = open("log", O_RDWR | O_CREAT | O_TRUNC, 0600);
	ssize_t n;

	ATF_REQUIRE(fd != -1);
	audit_verdict(fd, v, true, dry, extra);
	n = pread(fd, buf, sizeof(buf) - 1, 0);
	ATF_REQUIRE(n > 0);
	buf[n] = '\0';
	close(fd);
	return buf;
}

ATF_TC_WITHOUT_HEAD(record_is_one_json_line);
ATF_TC_BODY(record_is_one_json_line, tc)
{
	struct verdict v = { .verb = "connect", .object = "a\"b\\c\n\xff:1",
	    .why = "not in net.allow_hosts", .key = "net.allow_hosts", .pid = 42 };
	char *line;

	(void)tc;
	setprogname("x07-test");
	line = record(&v, false, "\"n\":1");
	ATF_CHECK(strchr(line, '\n') == line + strlen(line) - 1);
	ATF_CHECK(strstr(line, "\"object\":\"a\\\"b\\\\c\\u000a\\u00ff:1\"") != NULL);
	ATF_CHECK(strstr(line, "\"verdict\":\"deny\"") != NULL);
	ATF_CHECK(strstr(line, "\"pid\":42") != NULL);
	ATF_CHECK(strstr(line, "\"gate\":\"x07-test\"") != NULL);
	ATF_CHECK(strstr(line, ",\"n\":1}\n") != NULL);
	ATF_CHECK(strstr(line, "hint") == NULL);
	ATF_CHECK(strstr(record(&v, true, NULL), "\"would-deny\"") != NULL);
	v.allowed = true;
	ATF_CHECK(strstr(record(&v, false, NULL), "\"allow\"") != NULL);
}

ATF_TC_WITHOUT_HEAD(record_is_bounded);
ATF_TC_BODY(record_is_bounded, tc)
{
	static char huge[100000];
	struct verdict v = { .verb = "exec", .object = huge, .why = huge,
	    .key = huge, .hint = huge };
	char *line;

	(void)tc;
	memset(huge, '\n', sizeof(huge) - 1);
	line = record(&v, false, NULL);
	ATF_CHECK(strlen(line) <= 8192);
	ATF_CHECK_EQ('}', line[strlen(line) - 2]);
	ATF_CHECK_EQ('\n', line[strlen(line) - 1]);
}

ATF_TP_ADD_TCS(tp)
{
	ATF_TP_ADD_TC(tp, vis_encodes);
	ATF_TP_ADD_TC(tp, vis_truncates);
	ATF_TP_ADD_TC(tp, record_is_one_json_line);
	ATF_TP_ADD_TC(tp, record_is_bounded);
	return atf_no_error();
}
