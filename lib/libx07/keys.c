/*
 * keys.c - the table of policy keys.
 */
#include <stdlib.h>
#include <string.h>

#include "keys.h"

/* path, type, gate, sense,
   flags, min, max, max_items, max_len, dflt */
const struct key policy_keys[] = {
	{ "db.connect_timeout_ms", KEY_INT, BY_NET, MORE_UP_0_ANY,
	    0, 0, 600000, 0, 0, "5000" },
	{ "db.drivers.mysql", KEY_BOOL, BY_NET, MORE_UP,
	    KEY_REQUIRED, 0, 1, 0, 0, "0" },
	{ "db.drivers.postgres", KEY_BOOL, BY_NET, MORE_UP,
	    KEY_REQUIRED, 0, 1, 0, 0, "0" },
	{ "db.drivers.redis", KEY_BOOL, BY_NET, MORE_UP,
	    0, 0, 1, 0, 0, "0" },
	{ "db.drivers.sqlite", KEY_BOOL, BY_FRONT, MORE_UP,
	    KEY_REQUIRED, 0, 1, 0, 0, "0" },
	{ "db.enabled", KEY_BOOL, BY_NET, MORE_UP,
	    KEY_REQUIRED, 0, 1, 0, 0, "0" },
	{ "db.max_live_conns", KEY_INT, BY_NET, MORE_UP_0_ANY,
	    0, 0, 1024, 0, 0, "8" },
	{ "db.max_queries", KEY_INT, BY_FRONT, MORE_UP_0_ANY,
	    0, 0, 1000000, 0, 0, "1000" },
	{ "db.max_resp_bytes", KEY_INT, BY_FRONT, MORE_UP_0_ANY,
	    0, 0, 134217728, 0, 0, "8388608" },
	{ "db.max_rows", KEY_INT, BY_FRONT, MORE_UP_0_ANY,
	    0, 0, 1000000, 0, 0, "10000" },
	{ "db.max_sql_bytes", KEY_INT, BY_FRONT, MORE_UP_0_ANY,
	    0, 0, 10485760, 0, 0, "1048576" },
	{ "db.net.allow_cidrs", KEY_STRINGS, BY_NET, MORE_RANGES,
	    KEY_NOSEMI | KEY_ADDRS, 0, 0, 256, 255, NULL },
	{ "db.net.allow_dns", KEY_STRINGS, BY_NET, MORE_ITEMS,
	    KEY_NOSEMI | KEY_ADDRS, 0, 0, 256, 255, NULL },
	{ "db.net.allow_ports", KEY_INTS, BY_NET, MORE_ITEMS,
	    0, 1, 65535, 256, 0, NULL },
	{ "db.net.require_tls", KEY_BOOL, BY_FRONT, MORE_DOWN,
	    0, 0, 1, 0, 0, "1" },
	{ "db.net.require_verify", KEY_BOOL, BY_FRONT, MORE_DOWN,
	    0, 0, 1, 0, 0, "1" },
	{ "db.query_timeout_ms", KEY_INT, BY_FRONT, MORE_UP_0_ANY,
	    0, 0, 600000, 0, 0, "30000" },
	{ "db.sqlite.allow_create", KEY_BOOL, BY_FRONT, MORE_UP,
	    0, 0, 1, 0, 0, "0" },
	{ "db.sqlite.allow_in_memory", KEY_BOOL, BY_FRONT, MORE_UP,
	    0, 0, 1, 0, 0, "0" },
	{ "db.sqlite.allow_paths", KEY_STRINGS, BY_FRONT, MORE_PATHS,
	    KEY_NOSEMI, 0, 0, 256, 4096, NULL },
	{ "db.sqlite.readonly_only", KEY_BOOL, BY_FRONT, MORE_DOWN,
	    0, 0, 1, 0, 0, "0" },
	{ "env.allow_keys", KEY_STRINGS, BY_FRONT, MORE_ITEMS,
	    KEY_REQUIRED | KEY_NOSEMI, 0, 0, 256, 256, NULL },
	{ "env.deny_keys", KEY_STRINGS, BY_FRONT, MORE_WITHOUT,
	    KEY_REQUIRED | KEY_NOSEMI, 0, 0, 256, 256, NULL },
	{ "env.enabled", KEY_BOOL, BY_FRONT, MORE_UP,
	    KEY_REQUIRED, 0, 1, 0, 0, NULL },
	{ "fs.allow_glob", KEY_BOOL, BY_FS, MORE_UP,
	    0, 0, 1, 0, 0, "0" },
	{ "fs.allow_mkdir", KEY_BOOL, BY_FS, MORE_UP,
	    0, 0, 1, 0, 0, "0" },
	{ "fs.allow_remove", KEY_BOOL, BY_FS, MORE_UP,
	    0, 0, 1, 0, 0, "0" },
	{ "fs.allow_rename", KEY_BOOL, BY_FS, MORE_UP,
	    0, 0, 1, 0, 0, "0" },
	{ "fs.allow_symlinks", KEY_BOOL, BY_FS, MORE_UP,
	    0, 0, 1, 0, 0, "0" },
	{ "fs.allow_walk", KEY_BOOL, BY_FS, MORE_UP,
	    0, 0, 1, 0, 0, "0" },
	{ "fs.deny_hidden", KEY_BOOL, BY_FS, MORE_DOWN,
	    KEY_REQUIRED, 0, 1, 0, 0, NULL },
	{ "fs.enabled", KEY_BOOL, BY_FS, MORE_UP,
	    KEY_REQUIRED, 0, 1, 0, 0, NULL },
	{ "fs.max_depth", KEY_INT, BY_FS, MORE_UP_0_ANY,
	    0, 0, INT64_C(4294967295), 0, 0, "0" },
	{ "fs.max_entries", KEY_INT, BY_FS, MORE_UP_0_ANY,
	    0, 0, INT64_C(4294967295), 0, 0, "0" },
	{ "fs.max_read_bytes", KEY_INT, BY_FS, MORE_UP_0_ANY,
	    0, 0, INT64_C(4294967295), 0, 0, "0" },
	{ "fs.max_write_bytes", KEY_INT, BY_FS, MORE_UP_0_ANY,
	    0, 0, INT64_C(4294967295), 0, 0, "0" },
	{ "fs.read_roots", KEY_STRINGS, BY_FS, MORE_PATHS,
	    KEY_REQUIRED | KEY_NOSEMI, 0, 0, 128, 4096, NULL },
	{ "fs.write_roots", KEY_STRINGS, BY_FS, MORE_WRITES,
	    KEY_REQUIRED | KEY_NOSEMI, 0, 0, 128, 4096, NULL },
	{ "language.allow_ffi", KEY_BOOL, BY_NOBODY, MORE_UP,
	    KEY_REQUIRED, 0, 1, 0, 0, "0" },
	{ "language.allow_unsafe", KEY_BOOL, BY_NOBODY, MORE_UP,
	    KEY_REQUIRED, 0, 1, 0, 0, "0" },
	{ "limits.core_dumps", KEY_BOOL, BY_LIMIT, MORE_UP,
	    0, 0, 1, 0, 0, "0" },
	{ "limits.cpu_ms", KEY_INT, BY_LIMIT, MORE_UP,
	    KEY_REQUIRED, 1, 600000, 0, 0, NULL },
	{ "limits.fds", KEY_INT, BY_LIMIT, MORE_UP,
	    KEY_REQUIRED, 0, 1024, 0, 0, NULL },
	{ "limits.mem_bytes", KEY_INT, BY_LIMIT, MORE_UP,
	    KEY_REQUIRED, 1048576, INT64_C(17179869184), 0, 0, NULL },
	{ "limits.procs", KEY_INT, BY_LIMIT, MORE_UP,
	    KEY_REQUIRED, 0, 1024, 0, 0, NULL },
	{ "limits.wall_ms", KEY_INT, BY_LIMIT, MORE_UP,
	    KEY_REQUIRED, 1, 600000, 0, 0, NULL },
	{ "net.allow_dns", KEY_BOOL, BY_NET, MORE_UP,
	    KEY_REQUIRED, 0, 1, 0, 0, NULL },
	{ "net.allow_hosts", KEY_HOSTS, BY_NET, MORE_HOSTS,
	    KEY_REQUIRED, 1, 65535, 256, 255, NULL },
	{ "net.allow_tcp", KEY_BOOL, BY_NET, MORE_UP,
	    KEY_REQUIRED, 0, 1, 0, 0, NULL },
	{ "net.allow_udp", KEY_BOOL, BY_NET, MORE_UP,
	    KEY_REQUIRED, 0, 1, 0, 0, NULL },
	{ "net.enabled", KEY_BOOL, BY_NET, MORE_UP,
	    KEY_REQUIRED, 0, 1, 0, 0, NULL },
	{ "notes", KEY_STRING, BY_NOBODY, MORE_NOT,
	    KEY_NOFORM, 0, 0, 0, 4096, NULL },
	{ "policy_id", KEY_STRING, BY_NOBODY, MORE_NOT,
	    KEY_REQUIRED, 0, 0, 0, 64, NULL },
	{ "process.allow_args_regex_lite", KEY_STRINGS, BY_EXEC, MORE_ITEMS_0_ALL,
	    0, 0, 0, 128, 256, NULL },
	{ "process.allow_cwd", KEY_BOOL, BY_EXEC, MORE_UP,
	    0, 0, 1, 0, 0, "0" },
	{ "process.allow_cwd_roots", KEY_STRINGS, BY_EXEC, MORE_PATHS,
	    KEY_NOSEMI, 0, 0, 128, 4096, NULL },
	{ "process.allow_env_keys", KEY_STRINGS, BY_EXEC, MORE_ITEMS,
	    KEY_NOSEMI, 0, 0, 256, 256, NULL },
	{ "process.allow_exec", KEY_BOOL, BY_EXEC, MORE_UP,
	    KEY_REQUIRED, 0, 1, 0, 0, NULL },
	{ "process.allow_exec_prefixes", KEY_STRINGS, BY_EXEC, MORE_PATHS,
	    KEY_NOSEMI, 0, 0, 256, 4096, NULL },
	{ "process.allow_execs", KEY_STRINGS, BY_EXEC, MORE_EXECS,
	    KEY_NOSEMI, 0, 0, 256, 4096, NULL },
	{ "process.allow_exit", KEY_BOOL, BY_EXEC, MORE_UP,
	    KEY_REQUIRED, 0, 1, 0, 0, NULL },
	{ "process.allow_spawn", KEY_BOOL, BY_EXEC, MORE_UP,
	    KEY_REQUIRED, 0, 1, 0, 0, NULL },
	{ "process.enabled", KEY_BOOL, BY_EXEC, MORE_UP,
	    KEY_REQUIRED, 0, 1, 0, 0, NULL },
	{ "process.kill_on_drop", KEY_BOOL, BY_LIMIT, MORE_DOWN,
	    0, 0, 1, 0, 0, "1" },
	{ "process.kill_tree", KEY_BOOL, BY_LIMIT, MORE_DOWN,
	    0, 0, 1, 0, 0, "1" },
	{ "process.max_arg_bytes", KEY_INT, BY_EXEC, MORE_UP,
	    0, 0, 1048576, 0, 0, "4096" },
	{ "process.max_args", KEY_INT, BY_EXEC, MORE_UP,
	    0, 0, 1024, 0, 0, "64" },
	{ "process.max_env", KEY_INT, BY_EXEC, MORE_UP,
	    0, 0, 1024, 0, 0, "64" },
	{ "process.max_env_key_bytes", KEY_INT, BY_EXEC, MORE_UP,
	    0, 0, 4096, 0, 0, "256" },
	{ "process.max_env_val_bytes", KEY_INT, BY_EXEC, MORE_UP,
	    0, 0, 1048576, 0, 0, "4096" },
	{ "process.max_exe_bytes", KEY_INT, BY_EXEC, MORE_UP,
	    0, 0, 1048576, 0, 0, "4096" },
	{ "process.max_live", KEY_INT, BY_EXEC, MORE_UP,
	    KEY_REQUIRED, 0, 1024, 0, 0, NULL },
	{ "process.max_runtime_ms", KEY_INT, BY_LIMIT, MORE_UP_0_ALL,
	    0, 0, 600000, 0, 0, "0" },
	{ "process.max_spawns", KEY_INT, BY_EXEC, MORE_UP,
	    KEY_REQUIRED, 0, 1024, 0, 0, NULL },
	{ "process.max_stderr_bytes", KEY_INT, BY_LIMIT, MORE_UP_0_ALL,
	    0, 0, 268435456, 0, 0, "0" },
	{ "process.max_stdin_bytes", KEY_INT, BY_LIMIT, MORE_UP_0_ALL,
	    0, 0, 268435456, 0, 0, "0" },
	{ "process.max_stdout_bytes", KEY_INT, BY_LIMIT, MORE_UP_0_ALL,
	    0, 0, 268435456, 0, 0, "0" },
	{ "process.max_total_bytes", KEY_INT, BY_LIMIT, MORE_UP_0_ALL,
	    0, 0, 536870912, 0, 0, "0" },
	{ "project_root", KEY_STRING, BY_FS, MORE_NOT,
	    KEY_FORMONLY, 0, 0, 0, 0, NULL },
	{ "schema_version", KEY_STRING, BY_NOBODY, MORE_NOT,
	    KEY_REQUIRED | KEY_NOFORM, 0, 0, 0, 0, NULL },
	{ "threads.enabled", KEY_BOOL, BY_LIMIT, MORE_UP,
	    KEY_REQUIRED, 0, 1, 0, 0, "1" },
	{ "threads.max_blocking", KEY_INT, BY_LIMIT, MORE_UP,
	    KEY_REQUIRED, 0, 4096, 0, 0, "4" },
	{ "threads.max_queue", KEY_INT, BY_FRONT, MORE_UP_0_ANY,
	    KEY_REQUIRED, 0, 1000000, 0, 0, "1024" },
	{ "threads.max_workers", KEY_INT, BY_LIMIT, MORE_UP_0_ANY,
	    KEY_REQUIRED, 0, 256, 0, 0, "0" },
	{ "time.allow_local_tzid", KEY_BOOL, BY_FRONT, MORE_UP,
	    KEY_REQUIRED, 0, 1, 0, 0, NULL },
	{ "time.allow_monotonic", KEY_BOOL, BY_FRONT, MORE_UP,
	    KEY_REQUIRED, 0, 1, 0, 0, NULL },
	{ "time.allow_sleep", KEY_BOOL, BY_FRONT, MORE_UP,
	    KEY_REQUIRED, 0, 1, 0, 0, NULL },
	{ "time.allow_wall_clock", KEY_BOOL, BY_FRONT, MORE_UP,
	    KEY_REQUIRED, 0, 1, 0, 0, NULL },
	{ "time.enabled", KEY_BOOL, BY_FRONT, MORE_UP,
	    KEY_REQUIRED, 0, 1, 0, 0, NULL },
	{ "time.max_sleep_ms", KEY_INT, BY_FRONT, MORE_UP,
	    KEY_REQUIRED, 0, 86400000, 0, 0, NULL },
};
const size_t policy_nkeys = sizeof(policy_keys) / sizeof(policy_keys[0]);

const struct key_object policy_objects[] = {
	{ "", true },
	{ "db", false },
	{ "db.drivers", true },
	{ "db.net", false },
	{ "db.sqlite", false },
	{ "env", true },
	{ "fs", true },
	{ "language", false },
	{ "limits", true },
	{ "net", true },
	{ "process", true },
	{ "threads", false },
	{ "time", true },
};
const size_t policy_nobjects = sizeof(policy_objects) / sizeof(policy_objects[0]);

static int
key_cmp(const void *path, const void *key)
{
	return strcmp(path, ((const struct key *)key)->path);
}

const struct key *
key_find(const char *path)
{
	return bsearch(path, policy_keys, policy_nkeys, sizeof(policy_keys[0]),
	    key_cmp);
}

bool
key_is_list(const struct key *key)
{
	return key->type == KEY_STRINGS || key->type == KEY_INTS ||
	    key->type == KEY_HOSTS;
}

const char *
key_gate_name(enum key_gate gate)
{
	static const char *const names[] = {
		[BY_NOBODY] = "-",
		[BY_FRONT] = "x07",
		[BY_LIMIT] = "x07-limit",
		[BY_NET] = "x07-netgate",
		[BY_FS] = "x07-fsgate",
		[BY_EXEC] = "x07-execgate",
	};

	return names[gate];
}

size_t
key_strlen(const char *s, size_t len)
{
	size_t i, n = 0;

	/* Every byte that is not a continuation byte starts a code point. */
	for (i = 0; i < len; i++)
		if (((unsigned char)s[i] & 0xc0) != 0x80)
			n++;
	return n;
}
