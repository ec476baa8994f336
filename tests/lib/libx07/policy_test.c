/* policy.c, nearest.c, compile.c: every rule, both ways, and what gates get. */
#include <atf-c.h>
#include <stdlib.h>
#include <string.h>

#include "form.h"
#include "policy.h"

/* Valid, with every object there. */
static const char base[] =
    "{\"schema_version\":\"x07.run-os-policy@0.1.0\",\"policy_id\":\"t\","
    "\"limits\":{\"cpu_ms\":1,\"wall_ms\":1,\"mem_bytes\":1048576,\"fds\":0,"
    "\"procs\":0},"
    "\"fs\":{\"enabled\":false,\"read_roots\":[],\"write_roots\":[],"
    "\"deny_hidden\":true},"
    "\"net\":{\"enabled\":false,\"allow_dns\":false,\"allow_tcp\":false,"
    "\"allow_udp\":false,\"allow_hosts\":[]},"
    "\"db\":{\"enabled\":false,\"drivers\":{\"sqlite\":true,\"postgres\":false,"
    "\"mysql\":false},\"sqlite\":{},\"net\":{}},"
    "\"env\":{\"enabled\":false,\"allow_keys\":[],\"deny_keys\":[]},"
    "\"time\":{\"enabled\":true,\"allow_monotonic\":true,"
    "\"allow_wall_clock\":true,\"allow_sleep\":true,\"allow_local_tzid\":false,"
    "\"max_sleep_ms\":0},"
    "\"language\":{\"allow_unsafe\":false,\"allow_ffi\":false},"
    "\"threads\":{\"enabled\":true,\"max_workers\":0,\"max_blocking\":0,"
    "\"max_queue\":0},"
    "\"process\":{\"enabled\":true,\"allow_spawn\":false,\"max_live\":0,"
    "\"max_spawns\":0,\"allow_exec\":false,\"allow_exit\":true,"
    "\"allow_cwd_roots\":[\"r\"]}}";

/* The base with one value set: path gets the JSON text value. */
static char *
with(const char *text, const char *path, const char *value, size_t *len)
{
	struct json_error e;
	struct json *doc = json_parse(text, strlen(text), &e);
	struct json *vdoc = json_parse(value, strlen(value), &e);
	struct json_value *object;
	const char *dot;
	char part[64], *out;
	FILE *fp = open_memstream(&out, len);

	if (doc == NULL || vdoc == NULL || fp == NULL)
		atf_tc_fail("%s: %s", value, e.message);
	object = json_root(doc);
	for (; (dot = strchr(path, '.')) != NULL; path = dot + 1) {
		snprintf(part, sizeof(part), "%.*s", (int)(dot - path), path);
		object = json_member(object, part);
		ATF_REQUIRE_MSG(object != NULL, "%s", part);
	}
	json_set(doc, object, path, json_root(vdoc));
	json_write(fp, json_root(doc), JSON_COMPACT);
	ATF_REQUIRE(fclose(fp) == 0);
	json_free(doc);
	json_free(vdoc);
	return out;
}

/* What is wrong with a text: "" when nothing, else the first fault. */
static const char *
faults(const char *text, size_t len, size_t *n)
{
	static char buf[1024];
	struct policy_errors es;
	struct policy *p = policy_parse(text, len, &es);

	*n = es.n;
	buf[0] = '\0';
	if (es.n > 0)
		snprintf(buf, sizeof(buf), "%s: %s", es.list[0].path,
		    es.list[0].message);
	ATF_CHECK_EQ(p == NULL, es.n > 0);
	policy_errors_free(&es);
	policy_free(p);
	return buf;
}

/* The base with one value set must be valid (why NULL), or have one fault. */
static void
expect(const char *path, const char *value, const char *why)
{
	size_t len, n;
	char *text = with(base, path, value, &len), want[128];
	const char *got = faults(text, len, &n);

	if (why == NULL && n > 0)
		atf_tc_fail_nonfatal("%s = %.80s: %s", path, value, got);
	if (why != NULL) {
		snprintf(want, sizeof(want), "policy.%s", path);
		if (n != 1)
			atf_tc_fail_nonfatal("%s = %.80s: %zu faults (%s)", path,
			    value, n, got);
		else if (strncmp(got, want, strlen(want)) != 0 ||
		    strstr(got, why) == NULL)
			atf_tc_fail_nonfatal("%s = %.80s: %s", path, value, got);
	}
	free(text);
}

ATF_TC_WITHOUT_HEAD(integers);
ATF_TC_BODY(integers, tc)
{
	/* From the description of the format, not from keys.c. */
	static const struct {
		const char	*path;
		int64_t		 lo, hi;
	} ints[] = {
		{ "limits.cpu_ms", 1, 600000 },
		{ "limits.wall_ms", 1, 600000 },
		{ "limits.mem_bytes", 1048576, INT64_C(17179869184) },
		{ "limits.fds", 0, 1024 },
		{ "limits.procs", 0, 1024 },
		{ "fs.max_read_bytes", 0, INT64_C(4294967295) },
		{ "fs.max_write_bytes", 0, INT64_C(4294967295) },
		{ "fs.max_entries", 0, INT64_C(4294967295) },
		{ "fs.max_depth", 0, INT64_C(4294967295) },
		{ "db.max_live_conns", 0, 1024 },
		{ "db.max_queries", 0, 1000000 },
		{ "db.connect_timeout_ms", 0, 600000 },
		{ "db.query_timeout_ms", 0, 600000 },
		{ "db.max_sql_bytes", 0, 10485760 },
		{ "db.max_rows", 0, 1000000 },
		{ "db.max_resp_bytes", 0, 134217728 },
		{ "time.max_sleep_ms", 0, 86400000 },
		{ "threads.max_workers", 0, 256 },
		{ "threads.max_blocking", 0, 4096 },
		{ "threads.max_queue", 0, 1000000 },
		{ "process.max_live", 0, 1024 },
		{ "process.max_spawns", 0, 1024 },
		{ "process.max_exe_bytes", 0, 1048576 },
		{ "process.max_args", 0, 1024 },
		{ "process.max_arg_bytes", 0, 1048576 },
		{ "process.max_env", 0, 1024 },
		{ "process.max_env_key_bytes", 0, 4096 },
		{ "process.max_env_val_bytes", 0, 1048576 },
		{ "process.max_runtime_ms", 0, 600000 },
		{ "process.max_stdout_bytes", 0, 268435456 },
		{ "process.max_stderr_bytes", 0, 268435456 },
		{ "process.max_stdin_bytes", 0, 268435456 },
		{ "process.max_total_bytes", 0, 536870912 },
	};
	static const char *const wrong[] = {
		"1.0", "2e5", "1e400", "-0", "true", "null", "\"5\"", "[5]", "{}",
		"99999999999999999999999999", "-99999999999999999999999999",
	};
	char n[32], range[64];

	for (size_t i = 0; i < sizeof(ints) / sizeof(ints[0]); i++) {
		snprintf(range, sizeof(range), "an integer %lld..%lld (got",
		    (long long)ints[i].lo, (long long)ints[i].hi);
		for (int d = -1; d <= 1; d++) {
			snprintf(n, sizeof(n), "%lld", (long long)ints[i].lo + d);
			expect(ints[i].path, n, d < 0 ? range : NULL);
			snprintf(n, sizeof(n), "%lld", (long long)ints[i].hi + d);
			expect(ints[i].path, n, d > 0 ? range : NULL);
		}
		for (size_t j = 0; j < sizeof(wrong) / sizeof(wrong[0]); j++)
			expect(ints[i].path, wrong[j], range);
	}
}

ATF_TC_WITHOUT_HEAD(booleans);
ATF_TC_BODY(booleans, tc)
{
	static const char *const paths[] = {
		"limits.core_dumps", "fs.enabled", "fs.deny_hidden",
		"fs.allow_symlinks", "fs.allow_mkdir", "fs.allow_remove",
		"fs.allow_rename", "fs.allow_walk", "fs.allow_glob", "net.enabled",
		"net.allow_dns", "net.allow_tcp", "net.allow_udp", "db.enabled",
		"db.drivers.sqlite", "db.drivers.postgres", "db.drivers.mysql",
		"db.drivers.redis", "db.sqlite.readonly_only",
		"db.sqlite.allow_create", "db.sqlite.allow_in_memory",
		"db.net.require_tls", "db.net.require_verify", "env.enabled",
		"time.enabled", "time.allow_monotonic", "time.allow_wall_clock",
		"time.allow_sleep", "time.allow_local_tzid",
		"language.allow_unsafe", "language.allow_ffi", "threads.enabled",
		"process.enabled", "process.allow_exec", "process.allow_exit",
		"process.kill_on_drop", "process.kill_tree", "process.allow_cwd",
	};
	static const char *const wrong[] = { "0", "1", "null", "\"true\"", "[]" };

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		expect(paths[i], "true", NULL);
		expect(paths[i], "false", NULL);
		for (size_t j = 0; j < sizeof(wrong) / sizeof(wrong[0]); j++)
			expect(paths[i], wrong[j], "true or false (got ");
	}
	expect("process.allow_spawn", "1", "true or false (got 1)");
}

/* A list of n strings, each of len times c. */
static char *
list_of(size_t n, size_t len, const char *c)
{
	char *s = malloc(n * (len * strlen(c) + 3) + 3), *p = s;

	ATF_REQUIRE(s != NULL);
	*p++ = '[';
	for (size_t i = 0; i < n; i++) {
		p = stpcpy(p, i > 0 ? ",\"" : "\"");
		for (size_t j = 0; j < len; j++)
			p = stpcpy(p, c);
		*p++ = '"';
	}
	stpcpy(p, "]");
	return s;
}

static void
expect_list(const char *path, size_t n, size_t len, const char *c,
    const char *why)
{
	char *s = list_of(n, len, c);

	expect(path, s, why);
	free(s);
}

ATF_TC_WITHOUT_HEAD(lists);
ATF_TC_BODY(lists, tc)
{
	static const struct {
		const char	*path;
		size_t		 n, len;
	} lists[] = {
		{ "fs.read_roots", 128, 4096 },
		{ "fs.write_roots", 128, 4096 },
		{ "db.sqlite.allow_paths", 256, 4096 },
		{ "db.net.allow_dns", 256, 255 },
		{ "db.net.allow_cidrs", 256, 255 },
		{ "env.allow_keys", 256, 256 },
		{ "env.deny_keys", 256, 256 },
		{ "process.allow_execs", 256, 4096 },
		{ "process.allow_exec_prefixes", 256, 4096 },
		{ "process.allow_args_regex_lite", 128, 256 },
		{ "process.allow_env_keys", 256, 256 },
		{ "process.allow_cwd_roots", 128, 4096 },
	};

	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		expect_list(lists[i].path, lists[i].n, 1, "x", NULL);
		expect_list(lists[i].path, lists[i].n + 1, 1, "x", "at most");
		/* Characters count, not bytes. */
		expect_list(lists[i].path, 1, lists[i].len, "x", NULL);
		if (strcmp(lists[i].path, "process.allow_args_regex_lite") != 0)
			expect_list(lists[i].path, 1, lists[i].len, "\xc3\xa9", NULL);
		expect_list(lists[i].path, 1, lists[i].len + 1, "x", "[0]: must be");
		expect(lists[i].path, "[]", NULL);
		expect(lists[i].path, "[\"x\",\"\"]", "[1]: must be a string of 1..");
		expect(lists[i].path, "[1]", "[0]: must be a string");
		expect(lists[i].path, "[null]", "[0]: must be a string");
		expect(lists[i].path, "\"x\"", "a list of at most");
		expect(lists[i].path, "{}", "a list of at most");
		expect(lists[i].path, "[\"a;b\"]", "[0]: must not contain ';'");
	}
	expect("db.net.allow_ports", "[1,65535,1]", NULL);
	expect("db.net.allow_ports", "[0]", "[0]: must be an integer 1..65535");
	expect("db.net.allow_ports", "[65536]", "[0]: must be an integer 1..65535");
	expect("db.net.allow_ports", "[\"1\"]", "[0]: must be an integer 1..65535");
}

ATF_TC_WITHOUT_HEAD(strings);
ATF_TC_BODY(strings, tc)
{
	char *s;

	expect("schema_version", "\"x07.run-os-policy@0.2.0\"", "0.1.0");
	expect("schema_version", "\" x07.run-os-policy@0.1.0\"", "0.1.0");
	expect("schema_version", "1", "0.1.0");
	expect("policy_id", "\"A-z_0.9\"", NULL);
	expect("policy_id", "\"\"", "1..64");
	expect("policy_id", "\"a b\"", "1..64");
	expect("policy_id", "\"\\u00e9\"", "1..64");
	expect("policy_id", "\"a/b\"", "1..64");
	expect("policy_id", "null", "1..64");
	expect("notes", "\"\"", NULL);
	expect("notes", "\"a;\\n b\"", NULL);
	expect("notes", "3", "at most 4096");
	s = list_of(1, 64, "x");
	s[strlen(s) - 1] = '\0';
	expect("policy_id", s + 1, NULL);
	free(s);
	s = list_of(1, 65, "x");
	s[strlen(s) - 1] = '\0';
	expect("policy_id", s + 1, "1..64");
	free(s);
	s = list_of(1, 4096, "\xc3\xa9");
	s[strlen(s) - 1] = '\0';
	expect("notes", s + 1, NULL);
	free(s);
	s = list_of(1, 4097, "x");
	s[strlen(s) - 1] = '\0';
	expect("notes", s + 1, "at most 4096");
	free(s);
}

ATF_TC_WITHOUT_HEAD(hosts);
ATF_TC_BODY(hosts, tc)
{
	static const char key[] = "net.allow_hosts";
	char *s, entry[1024];
	size_t i, n;

	expect(key, "[{\"host\":\"Example.com\",\"ports\":[443,443,1]}]", NULL);
	/* What the reference takes stays a policy, even if it matches nothing. */
	expect(key, "[{\"host\":\"*.example.com\",\"ports\":[443]}]", NULL);
	expect(key, "[{\"host\":\"10.0.0.0/8\",\"ports\":[443]}]", NULL);
	expect(key, "[{\"host\":\"\",\"ports\":[1]}]", "[0].host: must be a string");
	expect(key, "[{\"host\":1,\"ports\":[1]}]", "[0].host: must be a string");
	expect(key, "[{\"host\":\"a;b\",\"ports\":[1]}]", "[0].host: must not contain");
	expect(key, "[{\"host\":\"a b\",\"ports\":[1]}]", "[0].host: must not contain");
	expect(key, "[{\"host\":\"a\\tb\",\"ports\":[1]}]", "must not contain");
	expect(key, "[{\"host\":\"a\\u00a0b\",\"ports\":[1]}]", "must not contain");
	expect(key, "[{\"host\":\"a\\u2003b\",\"ports\":[1]}]", "must not contain");
	expect(key, "[{\"host\":\"a\\u200bb\",\"ports\":[1]}]", NULL);
	expect(key, "[{\"host\":\"a\",\"ports\":[]}]", "[0].ports: must be a list of 1..64");
	expect(key, "[{\"host\":\"a\",\"ports\":[0]}]", "[0].ports[0]: must be an integer");
	expect(key, "[{\"host\":\"a\",\"ports\":[65536]}]", "[0].ports[0]: must be");
	expect(key, "[{\"host\":\"a\",\"ports\":443}]", "[0].ports: must be a list");
	expect(key, "[{\"host\":\"a\"}]", "[0].ports: missing");
	expect(key, "[{\"ports\":[1]}]", "[0].host: missing");
	expect(key, "[{\"host\":\"a\",\"ports\":[1],\"port\":1}]", "[0].port: unknown");
	expect(key, "[{\"host\":\"a\",\"host\":\"b\",\"ports\":[1]}]", "given twice");
	expect(key, "[\"a:1\"]", "[0]: must be an object");
	expect(key, "{}", "a list of at most 256");
	for (n = 64; n <= 65; n++) {
		size_t at = (size_t)snprintf(entry, sizeof(entry),
		    "[{\"host\":\"a\",\"ports\":[");
		for (i = 1; i <= n; i++)
			at += (size_t)snprintf(entry + at, sizeof(entry) - at,
			    "%s%zu", i > 1 ? "," : "", i);
		snprintf(entry + at, sizeof(entry) - at, "]}]");
		expect(key, entry, n == 64 ? NULL : "1..64 ports (got 65)");
	}
	for (n = 255; n <= 256; n++) {
		char name[300];

		memset(name, 'x', n);
		name[n] = '\0';
		snprintf(entry, sizeof(entry), "[{\"host\":\"%s\",\"ports\":[1]}]",
		    name);
		expect(key, entry, n == 255 ? NULL : "1..255 bytes");
	}
	for (n = 256; n <= 257; n++) {
		static const char one[] = ",{\"host\":\"a\",\"ports\":[1]}";

		s = malloc(n * sizeof(one) + 2);
		ATF_REQUIRE(s != NULL);
		s[0] = '\0';
		for (i = 0; i < n; i++)
			memcpy(s + i * strlen(one), one, sizeof(one));
		s[0] = '[';
		strcat(s, "]");
		expect(key, s, n == 256 ? NULL : "at most 256 items (got 257)");
		free(s);
	}
}

ATF_TC_WITHOUT_HEAD(patterns);
ATF_TC_BODY(patterns, tc)
{
	static const char key[] = "process.allow_args_regex_lite";

	expect(key, "[\"a.*\",\".\",\"\\\\**\",\"\\\\\\\\\",\"a*b*\",\" x \"]", NULL);
	expect(key, "[\"*\"]", "nothing before it");
	expect(key, "[\"a**\"]", "nothing before it");
	expect(key, "[\"\\\\\"]", "ends in a backslash");
	expect(key, "[\"a\\\\\"]", "ends in a backslash");
	expect(key, "[\"\\\\;\"]", "';'");
	expect(key, "[\";\"]", "';'");
}

ATF_TC_WITHOUT_HEAD(missing);
ATF_TC_BODY(missing, tc)
{
	static const char *const required[] = {
		"schema_version", "policy_id", "limits", "fs", "net", "env", "time",
		"process", "limits.cpu_ms", "limits.wall_ms", "limits.mem_bytes",
		"limits.fds", "limits.procs", "fs.enabled", "fs.read_roots",
		"fs.write_roots", "fs.deny_hidden", "net.enabled", "net.allow_dns",
		"net.allow_tcp", "net.allow_udp", "net.allow_hosts", "env.enabled",
		"env.allow_keys", "env.deny_keys", "time.enabled",
		"time.allow_monotonic", "time.allow_wall_clock", "time.allow_sleep",
		"time.max_sleep_ms", "time.allow_local_tzid", "process.enabled",
		"process.allow_spawn", "process.max_live", "process.max_spawns",
		"process.allow_exec", "process.allow_exit", "db.enabled", "db.drivers",
		"db.drivers.sqlite", "db.drivers.postgres", "db.drivers.mysql",
		"language.allow_unsafe", "language.allow_ffi", "threads.enabled",
		"threads.max_workers", "threads.max_blocking", "threads.max_queue",
	};
	static const char *const optional[] = {
		"\"db\":", "\"language\":", "\"threads\":", "\"sqlite\":{", "\"net\":{}",
		"\"allow_cwd_roots\":",
	};
	char *text, *p, want[128];
	const char *got, *last;
	size_t i, n;

	/* Renaming takes away; the new name is the second fault, or the first. */
	for (i = 0; i < sizeof(required) / sizeof(required[0]); i++) {
		struct policy_errors es;
		bool found = false;
		char quoted[64];
		const char *scope = base;

		last = strrchr(required[i], '.');
		if (last != NULL) {
			snprintf(quoted, sizeof(quoted), "\"%.*s\":{",
			    (int)strcspn(required[i], "."), required[i]);
			scope = strstr(base, quoted);
		}
		if (strncmp(required[i], "db.drivers.", 11) == 0)
			scope = strstr(base, "\"drivers\":{");
		ATF_REQUIRE(scope != NULL);
		snprintf(quoted, sizeof(quoted), "\"%s\":",
		    last == NULL ? required[i] : last + 1);
		text = strdup(base);
		ATF_REQUIRE(text != NULL);
		p = strstr(text + (scope - base), quoted);
		ATF_REQUIRE_MSG(p != NULL, "%s", required[i]);
		p[1] = '#';
		snprintf(want, sizeof(want), "policy.%s", required[i]);
		ATF_CHECK(policy_parse(text, strlen(text), &es) == NULL);
		for (n = 0; n < es.n; n++)
			if (strcmp(es.list[n].path, want) == 0 &&
			    strncmp(es.list[n].message, "missing", 7) == 0)
				found = true;
		ATF_CHECK_MSG(found, "%s", required[i]);
		policy_errors_free(&es);
		free(text);
	}
	/* The same with what may be absent leaves one fault: the new name. */
	for (i = 0; i < sizeof(optional) / sizeof(optional[0]); i++) {
		text = strdup(base);
		ATF_REQUIRE(text != NULL);
		p = strstr(text, optional[i]);
		ATF_REQUIRE_MSG(p != NULL, "%s", optional[i]);
		if (strcmp(optional[i], "\"net\":{}") == 0)
			p = strstr(text, "\"net\":{}");
		p[1] = '#';
		got = faults(text, strlen(text), &n);
		ATF_CHECK_EQ_MSG(n, 1, "%s: %zu faults, %s", optional[i], n, got);
		ATF_CHECK_MSG(strstr(got, "unknown key") != NULL, "%s", got);
		free(text);
	}
}

ATF_TC_WITHOUT_HEAD(across);
ATF_TC_BODY(across, tc)
{
	static const struct {
		const char *process, *path, *why;
	} cases[] = {
		{ "\"allow_execs\":[\"/x\"],\"max_runtime_ms\":1,\"max_live\":1,"
		  "\"max_spawns\":1", NULL, NULL },
		{ "\"allow_exec_prefixes\":[\"/x/\"],\"max_runtime_ms\":1,"
		  "\"max_live\":1,\"max_spawns\":1", NULL, NULL },
		{ "\"allow_execs\":[],\"allow_exec_prefixes\":[],"
		  "\"max_runtime_ms\":1,\"max_live\":1,\"max_spawns\":1",
		    "policy.process.allow_execs", "allow_spawn" },
		{ "\"allow_execs\":[\"/x\"],\"max_live\":1,\"max_spawns\":1",
		    "policy.process.max_runtime_ms", "allow_spawn" },
		{ "\"allow_execs\":[\"/x\"],\"max_runtime_ms\":0,\"max_live\":1,"
		  "\"max_spawns\":1", "policy.process.max_runtime_ms", "allow_spawn" },
		{ "\"allow_execs\":[\"/x\"],\"max_runtime_ms\":1,\"max_live\":0,"
		  "\"max_spawns\":1", "policy.process.max_live", "allow_spawn" },
		{ "\"allow_execs\":[\"/x\"],\"max_runtime_ms\":1,\"max_live\":1,"
		  "\"max_spawns\":0", "policy.process.max_spawns", "allow_spawn" },
	};
	char process[512], *text;
	const char *got;
	size_t len, n;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		snprintf(process, sizeof(process), "{\"enabled\":true,"
		    "\"allow_spawn\":true,\"allow_exec\":false,\"allow_exit\":true,%s}",
		    cases[i].process);
		text = with(base, "process", process, &len);
		got = faults(text, len, &n);
		if (cases[i].path == NULL)
			ATF_CHECK_STREQ(got, "");
		else
			ATF_CHECK_MSG(n == 1 && strncmp(got, cases[i].path,
			    strlen(cases[i].path)) == 0 &&
			    strstr(got, cases[i].why) != NULL, "%s", got);
		free(text);
	}
	expect("db", "{\"enabled\":true,\"drivers\":{\"sqlite\":false,"
	    "\"postgres\":false,\"mysql\":false}}", ".drivers: one of them");
	expect("db", "{\"enabled\":true,\"drivers\":{\"sqlite\":false,"
	    "\"postgres\":false,\"mysql\":false,\"redis\":true}}", NULL);
	expect("db", "{\"enabled\":false,\"drivers\":{\"sqlite\":false,"
	    "\"postgres\":false,\"mysql\":false}}", NULL);
	/* allow_cwd: with roots it is in booleans. */
	text = with(base, "process.allow_cwd_roots", "[]", &len);
	got = faults(text, len, &n);
	ATF_CHECK_STREQ(got, "");
	free(text);
	expect("process", "{\"enabled\":true,\"allow_spawn\":false,\"max_live\":0,"
	    "\"max_spawns\":0,\"allow_exec\":false,\"allow_exit\":true,"
	    "\"allow_cwd\":true}", ".allow_cwd_roots: must not be empty");
}

ATF_TC_WITHOUT_HEAD(strict);
ATF_TC_BODY(strict, tc)
{
	static const char *const roots[] = { "[]", "1", "null", "\"\"", "{}" };
	struct policy_errors es;
	char *text;
	size_t n, len;

	for (size_t i = 0; i < sizeof(roots) / sizeof(roots[0]); i++) {
		faults(roots[i], strlen(roots[i]), &n);
		ATF_CHECK(n > 0);
	}
	expect("Fs", "{}", "did you mean fs?");
	expect("fs.deny_hiden", "true", "did you mean deny_hidden?");
	expect("fs.denyHidden", "true", "did you mean deny_hidden?");
	expect("fs.deny-hidden", "true", "did you mean deny_hidden?");
	expect("net.allow_host", "[]", "did you mean allow_hosts?");
	expect("limits.wall_sm", "1", "did you mean wall_ms?");
	expect("cpu_ms", "1", "did you mean limits.cpu_ms?");
	expect("process.limits", "1", "did you mean limits?");
	expect("zzz", "1", "unknown key");
	expect("project_root", "\"/\"", "unknown key");
	expect("db.extra", "1", "unknown key");
	expect("db.drivers.oracle", "true", "unknown key");
	expect("db.sqlite.x", "1", "unknown key");
	expect("db.net.x", "1", "unknown key");
	expect("threads.x", "1", "unknown key");
	expect("language.x", "1", "unknown key");
	expect("time.x", "1", "unknown key");
	expect("env.x", "1", "unknown key");
	expect("limits", "[]", "must be an object");
	expect("db.sqlite", "null", "must be an object");
	/* Names are untrusted. */
	text = with(base, "x\x1b\xc3\xa9", "1", &len);
	ATF_CHECK_STREQ(faults(text, len, &n),
	    "policy.x\\033\\303\\251: unknown key");
	free(text);

	/* A dot in a name is not a path. */
	text = strdup("{\"fs.enabled\":true,\"\":1,\"fs\":{\"\":1}}");
	ATF_REQUIRE(text != NULL);
	ATF_CHECK(policy_parse(text, strlen(text), &es) == NULL);
	ATF_CHECK_STREQ(es.list[es.n - 1].message, "unknown key");
	policy_errors_free(&es);
	free(text);
}

ATF_TC_WITHOUT_HEAD(order);
ATF_TC_BODY(order, tc)
{
	static const char text[] = "{\n  \"time\": 1,\n  \"fs\": {\"enabled\": 1,\n"
	    "  \"enabled\": 2},\n  \"time\": 3,\n  \"limits\": {\"fds\": 1e9}}";
	static const size_t places[][2] = {
		{ 2, 11 }, { 3, 9 }, { 3, 9 }, { 3, 9 }, { 3, 21 }, { 4, 3 },
		{ 5, 3 }, { 6, 13 },
	};
	struct policy_errors es;
	size_t i, skip = 0;

	ATF_REQUIRE(policy_parse(text, strlen(text), &es) == NULL);
	/* First what the whole policy lacks, at its brace. */
	while (skip < es.n && es.list[skip].line == 1)
		skip++;
	ATF_CHECK_EQ(skip, 5);	/* schema_version policy_id env net process */
	for (i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		ATF_REQUIRE(skip + i < es.n);
		ATF_CHECK_EQ_MSG(es.list[skip + i].line, places[i][0], "%s",
		    es.list[skip + i].path);
		ATF_CHECK_EQ_MSG(es.list[skip + i].column, places[i][1], "%s",
		    es.list[skip + i].path);
	}
	for (i = 1; i < es.n; i++)
		ATF_CHECK(es.list[i].at >= es.list[i - 1].at);
	policy_errors_free(&es);
}

static size_t nskipped;

static void
count_skipped(void *arg, const char *key, size_t index, const char *host,
    const char *why)
{
	ATF_CHECK_STREQ((char *)arg, "arg");
	ATF_CHECK_EQ(index, 1);
	if (strcmp(key, "net.allow_hosts") == 0)
		ATF_CHECK_STREQ(host, "*.example.com");
	else {
		ATF_CHECK_STREQ(key, "db.net.allow_cidrs");
		ATF_CHECK_STREQ(host, "10.0.0.0/33");
	}
	ATF_CHECK(why != NULL);
	nskipped++;
}

ATF_TC_WITHOUT_HEAD(compile);
ATF_TC_BODY(compile, tc)
{
	static char arg[] = "arg";
	static const char *const want[] = {
		"[2001:db8::1]:1", "[::1]:2", "[fd00::/8]:1", "example.com:80,443",
	};
	struct policy_errors es;
	struct policy *p;
	struct form *f;
	const char *const *items;
	char *text, *more, *form, err[256];
	size_t len, i;

	text = with(base, "net.allow_hosts",
	    "[{\"host\":\"Example.COM\",\"ports\":[443,80,443]},"
	    "{\"host\":\"*.example.com\",\"ports\":[1]},"
	    "{\"host\":\"2001:DB8::1\",\"ports\":[1]},"
	    "{\"host\":\"fd00::/8\",\"ports\":[1]},"
	    "{\"host\":\"[::1]\",\"ports\":[2]},"
	    "{\"host\":\"example.com\",\"ports\":[80,443]}]", &len);
	more = with(text, "db.net.allow_cidrs",
	    "[\"10.0.0.0/8\",\"10.0.0.0/33\"]", &len);
	p = policy_parse(more, len, &es);
	ATF_REQUIRE(p != NULL);
	form = policy_form(p, "/ro ot", &len, count_skipped, arg);
	ATF_CHECK_EQ(nskipped, 2);
	f = form_parse(form, len, err, sizeof(err));
	if (f == NULL)
		atf_tc_fail("%s", err);
	ATF_REQUIRE_EQ(form_list(f, "net.allow_hosts", &items), 4);
	for (i = 0; i < 4; i++)
		ATF_CHECK_STREQ(items[i], want[i]);
	ATF_REQUIRE_EQ(form_list(f, "db.net.allow_cidrs", &items), 1);
	ATF_CHECK_STREQ(items[0], "10.0.0.0/8");
	free(more);
	ATF_CHECK_STREQ(form_get(f, "project_root"), "/ro ot");
	ATF_CHECK_STREQ(form_get(f, "policy_id"), "t");
	ATF_CHECK(form_get(f, "notes") == NULL);
	/* Said, and defaults. */
	ATF_CHECK_EQ(form_int(f, "limits.mem_bytes", 0), 1048576);
	ATF_CHECK_EQ(form_bool(f, "fs.deny_hidden", false), true);
	ATF_CHECK_EQ(form_bool(f, "limits.core_dumps", true), false);
	ATF_CHECK_EQ(form_int(f, "process.max_args", 0), 64);
	ATF_CHECK_EQ(form_bool(f, "process.kill_tree", false), true);
	ATF_CHECK_EQ(form_bool(f, "db.net.require_tls", false), true);
	form_free(f);
	policy_free(p);
	free(form);
	free(text);
}

ATF_TC_WITHOUT_HEAD(defaults);
ATF_TC_BODY(defaults, tc)
{
	static const struct {
		const char	*path;
		int64_t		 n;
	} dflts[] = {
		{ "db.enabled", 0 }, { "db.drivers.sqlite", 0 },
		{ "db.net.require_tls", 1 }, { "db.net.require_verify", 1 },
		{ "language.allow_unsafe", 0 }, { "language.allow_ffi", 0 },
		{ "threads.enabled", 1 }, { "threads.max_workers", 0 },
		{ "threads.max_blocking", 4 }, { "threads.max_queue", 1024 },
		{ "process.max_exe_bytes", 4096 }, { "process.max_env", 64 },
		{ "process.max_runtime_ms", 0 }, { "process.kill_on_drop", 1 },
		{ "process.allow_cwd", 0 }, { "fs.allow_walk", 0 },
		{ "fs.max_depth", 0 },
	};
	struct policy_errors es;
	struct policy *p;
	struct form *f;
	char *text, *form, err[256];
	size_t len, i;

	/* Without the optional objects. */
	text = strdup(base);
	ATF_REQUIRE(text != NULL);
	for (i = 0; i < 2; i++) {
		char *from = strstr(text, i == 0 ? "\"db\":" : "\"language\":");
		char *to = strstr(text, i == 0 ? "\"env\":" : "\"process\":");

		memmove(from, to, strlen(to) + 1);
	}
	p = policy_parse(text, strlen(text), &es);
	ATF_REQUIRE(p != NULL);
	form = policy_form(p, "/", &len, NULL, NULL);
	f = form_parse(form, len, err, sizeof(err));
	if (f == NULL)
		atf_tc_fail("%s", err);
	for (i = 0; i < sizeof(dflts) / sizeof(dflts[0]); i++)
		ATF_CHECK_EQ_MSG(form_int(f, dflts[i].path, -1), dflts[i].n, "%s",
		    dflts[i].path);
	form_free(f);
	policy_free(p);
	free(form);
	free(text);
}

ATF_TP_ADD_TCS(tp)
{
	ATF_TP_ADD_TC(tp, integers);
	ATF_TP_ADD_TC(tp, booleans);
	ATF_TP_ADD_TC(tp, lists);
	ATF_TP_ADD_TC(tp, strings);
	ATF_TP_ADD_TC(tp, hosts);
	ATF_TP_ADD_TC(tp, patterns);
	ATF_TP_ADD_TC(tp, missing);
	ATF_TP_ADD_TC(tp, across);
	ATF_TP_ADD_TC(tp, strict);
	ATF_TP_ADD_TC(tp, order);
	ATF_TP_ADD_TC(tp, compile);
	ATF_TP_ADD_TC(tp, defaults);
	return atf_no_error();
}
