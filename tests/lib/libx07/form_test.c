/* form.c, keys.c: one form per policy, and nothing else is read. */
#include <atf-c.h>
#include <stdlib.h>
#include <string.h>

#include "form.h"
#include "keys.h"

/* A form with every scalar at its least value and a few list items. */
static char *
sample(size_t *len)
{
	struct form_writer *w = form_writer_new();
	const struct key *key;
	char n[32];

	ATF_REQUIRE(w != NULL);
	for (key = policy_keys; key < policy_keys + policy_nkeys; key++) {
		if (key_is_list(key) || (key->flags & KEY_NOFORM) != 0)
			continue;
		snprintf(n, sizeof(n), "%lld", (long long)key->min);
		form_writer_add(w, key->path, key->type != KEY_STRING ? n :
		    (key->flags & KEY_FORMONLY) != 0 ? "/a b\xff" : "id");
	}
	form_writer_add(w, "fs.read_roots", "z");
	form_writer_add(w, "fs.read_roots", "\xc3\xa9 %\n=");
	form_writer_add(w, "fs.read_roots", "z");
	form_writer_add(w, "net.allow_hosts", "[2001:db8::/32]:80,443");
	return form_writer_finish(w, len);
}

/* The sample with the first old replaced by new. */
static char *
changed(const char *old, const char *new)
{
	size_t len;
	char *s = sample(&len), *p = strstr(s, old), *out;

	if (p == NULL)
		atf_tc_fail("no \"%s\" in the sample", old);
	ATF_REQUIRE(asprintf(&out, "%.*s%s%s", (int)(p - s), s, new,
	    p + strlen(old)) != -1);
	free(s);
	return out;
}

ATF_TC_WITHOUT_HEAD(table);
ATF_TC_BODY(table, tc)
{
	const struct key *k;

	for (k = policy_keys; k < policy_keys + policy_nkeys; k++) {
		ATF_CHECK_MSG(k == policy_keys || strcmp(k[-1].path, k->path) < 0,
		    "%s is not in order", k->path);
		ATF_CHECK(key_find(k->path) == k);
		/* A scalar that may be absent needs a default for the form. */
		if (!key_is_list(k) && (k->flags & (KEY_NOFORM | KEY_FORMONLY |
		    KEY_REQUIRED)) == 0)
			ATF_CHECK_MSG(k->dflt != NULL, "%s", k->path);
		if (key_is_list(k))
			ATF_CHECK_MSG(k->max_items > 0 && k->dflt == NULL, "%s",
			    k->path);
		/* So may a required one of an object that may be absent. */
		if (!key_is_list(k) && (strncmp(k->path, "db.", 3) == 0 ||
		    strncmp(k->path, "threads.", 8) == 0 ||
		    strncmp(k->path, "language.", 9) == 0))
			ATF_CHECK_MSG(k->dflt != NULL, "%s", k->path);
	}
	ATF_CHECK(key_find("fs") == NULL);
	ATF_CHECK(key_find("") == NULL);
	ATF_CHECK_EQ(key_strlen("a\xc3\xa9\xf0\x9f\x98\x80", 7), 3);
}

ATF_TC_WITHOUT_HEAD(reads);
ATF_TC_BODY(reads, tc)
{
	char err[256], *again, *text;
	const char *const *items;
	struct form *f;
	size_t len, n;

	text = sample(&len);
	f = form_parse(text, len, err, sizeof(err));
	if (f == NULL)
		atf_tc_fail("%s", err);
	ATF_CHECK_STREQ(form_get(f, "project_root"), "/a b\xff");
	ATF_CHECK_STREQ(form_get(f, "policy_id"), "id");
	ATF_CHECK_EQ(form_int(f, "limits.mem_bytes", 7), 1048576);
	ATF_CHECK_EQ(form_int(f, "no.such", 7), 7);
	ATF_CHECK_EQ(form_bool(f, "net.enabled", true), false);
	ATF_CHECK_EQ(form_bool(f, "no.such", true), true);
	ATF_REQUIRE_EQ(form_list(f, "fs.read_roots", &items), 2);
	ATF_CHECK_STREQ(items[0], "\xc3\xa9 %\n=");
	ATF_CHECK_STREQ(items[1], "z");
	ATF_REQUIRE_EQ(form_list(f, "net.allow_hosts", &items), 1);
	ATF_CHECK_STREQ(items[0], "[2001:db8::/32]:80,443");
	ATF_CHECK_EQ(form_list(f, "fs.write_roots", &items), 0);
	again = form_text(f, &n);
	ATF_REQUIRE_EQ(n, len);
	ATF_CHECK(memcmp(again, text, len) == 0);
	free(again);
	free(text);
	form_free(f);
}

ATF_TC_WITHOUT_HEAD(refuses);
ATF_TC_BODY(refuses, tc)
{
	static const struct {
		const char *old, *new, *why;
	} bad[] = {
		{ "x07-policy 1\n", "x07-policy 2\n", "line 1" },
		{ "x07-policy 1\n", "", "line 1" },
		{ "x07-policy 1\n", "x07-policy 1 \n", "line 1" },
		{ "x07-policy 1\n", "x07-policy 1\n\n", "key value" },
		{ "db.enabled 0\n", "db.enabled 0\r\n", "encoded" },
		{ "db.enabled 0\n", "", "expected \"end" },
		{ "db.enabled 0\n", "db.enabled 0\ndb.enabled 0\n", "twice" },
		{ "db.enabled 0\n", "db.enabled 0\ndb.enabled 1\n", "twice" },
		{ "db.enabled 0\n", "db.enabled 2\n", "neither 0 nor 1" },
		{ "db.enabled 0\n", "db.enabled true\n", "neither 0 nor 1" },
		{ "db.enabled 0\n", "db.enabled\n", "key value" },
		{ "db.enabled 0\n", "db.enabled \n", "empty" },
		{ "db.enabled 0\n", "db.enabled  0\n", "encoded" },
		{ "db.enabled 0\n", "db.enabled %30\n", "must not be encoded" },
		{ "db.enabled 0\n", "db.enabled 0\ndb.enabler 0\n", "unknown key" },
		{ "limits.fds 0\n", "limits.fds 1025\n", "out of range" },
		{ "limits.fds 0\n", "limits.fds 00\n", "not an integer" },
		{ "limits.fds 0\n", "limits.fds +1\n", "not an integer" },
		{ "limits.fds 0\n", "limits.fds -1\n", "not an integer" },
		{ "limits.fds 0\n", "limits.fds 99999999999999999999\n",
		    "not an integer" },
		{ "limits.fds 0\n", "limits.fds 1%00\n", "must not be encoded" },
		{ "limits.fds 0\n", "limits.fds 1%0\n", "bad %XX" },
		{ "limits.fds 0\n", "limits.fds 1%\n", "bad %XX" },
		{ "fs.read_roots z", "fs.read_roots %C3%a9", "bad %XX" },
		{ "fs.read_roots z", "fs.read_roots z\x7f", "encoded" },
		{ "fs.read_roots z", "fs.read_roots z%3B", "';'" },
		{ "fs.read_roots z", "fs.read_roots ", "order" },
		{ "fs.read_roots z", "fs.read_roots z\nfs.read_roots z", "order" },
		{ "[2001:db8::/32]:80", "*.example.com:80", "" },
		{ "db.net.require_tls", "db.net.allow_cidrs 10.0.0.0/33\ndb.net.require_tls",
		    "db.net.allow_cidrs: " },
		{ ":80,443", ":80,0", "1 to 65535" },
		{ ":80,443", "", "expected" },
		{ "project_root /", "project_root ", "absolute" },
		{ "policy_id id", "notes id", "unknown key" },
		{ "policy_id id", "schema_version 1", "unknown key" },
		{ "fs.max_depth", "fs.max_a", "unknown key" },
		{ "\nend ", "\nend 1", "not complete" },
		{ "\nend ", "\nEnd ", "order" },
	};
	char err[256], *text;
	size_t i, len;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		text = changed(bad[i].old, bad[i].new);
		if (form_parse(text, strlen(text), err, sizeof(err)) != NULL)
			atf_tc_fail_nonfatal("accepted %s for %s", bad[i].new,
			    bad[i].old);
		else if (strstr(err, bad[i].why) == NULL)
			atf_tc_fail_nonfatal("%s for %s: %s", bad[i].new,
			    bad[i].old, err);
		free(text);
	}
	/* Cut anywhere, it is no form. */
	text = sample(&len);
	for (i = 0; i < len; i++)
		ATF_CHECK_MSG(form_parse(text, i, err, sizeof(err)) == NULL,
		    "accepted %zu bytes of %zu", i, len);
	text[len++] = '\n';	/* over the NUL */
	ATF_CHECK(form_parse(text, len, err, sizeof(err)) == NULL);
	ATF_CHECK(strstr(err, "behind") != NULL);
	free(text);
	ATF_CHECK(form_parse("x07-policy 1\nend 0\n", 19, err, sizeof(err)) == NULL);
	ATF_CHECK(strstr(err, "no line for") != NULL);
}

ATF_TC_WITHOUT_HEAD(nul);
ATF_TC_BODY(nul, tc)
{
	char err[256], *text;
	size_t len;

	/* A NUL in a key must not make a shorter key of it. */
	text = sample(&len);
	*strstr(text, "db.enabled 0") = '\0';
	ATF_CHECK(form_parse(text, len, err, sizeof(err)) == NULL);
	free(text);
	text = sample(&len);
	strstr(text, "db.enabled 0")[10] = '\0';
	ATF_CHECK(form_parse(text, len, err, sizeof(err)) == NULL);
	free(text);
}

ATF_TC_WITHOUT_HEAD(too_many);
ATF_TC_BODY(too_many, tc)
{
	char err[256], item[16], *text;
	size_t i, len, n;

	for (n = 127; n <= 128; n++) {
		struct form_writer *w = form_writer_new();
		const char *const *items;
		struct form *f;

		text = sample(&len);
		f = form_parse(text, len, err, sizeof(err));
		ATF_REQUIRE(f != NULL && w != NULL);
		free(text);
		for (i = 0; i < policy_nkeys; i++)
			if (form_get(f, policy_keys[i].path) != NULL &&
			    !key_is_list(&policy_keys[i]))
				form_writer_add(w, policy_keys[i].path,
				    form_get(f, policy_keys[i].path));
		for (i = 0; i <= n; i++) {
			snprintf(item, sizeof(item), "r%zu", i);
			form_writer_add(w, "fs.write_roots", item);
		}
		form_free(f);
		text = form_writer_finish(w, &len);
		f = form_parse(text, len, err, sizeof(err));
		if (n == 127) {
			ATF_REQUIRE_MSG(f != NULL, "%s", err);
			ATF_CHECK_EQ(form_list(f, "fs.write_roots", &items), 128);
		} else {
			ATF_CHECK(f == NULL);
			ATF_CHECK(strstr(err, "more than 128") != NULL);
		}
		free(text);
		form_free(f);
	}
}

ATF_TP_ADD_TCS(tp)
{
	ATF_TP_ADD_TC(tp, table);
	ATF_TP_ADD_TC(tp, reads);
	ATF_TP_ADD_TC(tp, refuses);
	ATF_TP_ADD_TC(tp, nul);
	ATF_TP_ADD_TC(tp, too_many);
	return atf_no_error();
}
