"""x07-vmrun_policy.py FILE [KEY=JSON ...]: a policy for a shell in this directory."""
import json
import os
import sys

here = os.getcwd()
policy = json.load(open(os.path.join(
    here, ".x07/policies/base/cli.sandbox.base.policy.json")))
policy["fs"].update(read_roots=[here], write_roots=[here + "/rw"])
policy["limits"].update(wall_ms=120000, cpu_ms=120000, procs=30, mem_bytes=268435456)
policy["process"].update(
    allow_spawn=True, allow_exec=True, allow_exec_prefixes=["/usr/bin/", "/bin/"],
    max_live=20, max_runtime_ms=120000, max_spawns=1000)
for arg in sys.argv[2:]:
    key, value = arg.split("=", 1)
    section, name = key.split(".")
    policy[section][name] = json.loads(value)
json.dump(policy, open(sys.argv[1], "w"), indent=1)
