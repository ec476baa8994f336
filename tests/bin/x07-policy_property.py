"""Properties of x07-policy derive and diff, on random policies and flags.

What a policy allows is judged here by other means (ipaddress), at points: a
name or an address, and a port. For every derivation: a point is allowed
afterwards when it was before or was asked for, and is not denied. And diff
never says that nothing was granted when some point was.
"""
import ipaddress
import itertools
import json
import random
import subprocess
import sys

rng = random.Random(int(sys.argv[1]))
ROUNDS = int(sys.argv[2])
NAMES = ["a.example", "b.example", "www.a.example"]
V4 = ["10.0.0.%d" % i for i in range(8)]
V6 = ["a00::%x" % i for i in range(8)]   # begins with the bytes of 10.0.0.0
PORTS = [1, 80, 443, 65535]


def tool(*args):
    p = subprocess.run(("x07-policy",) + args, stdout=subprocess.PIPE,
                       stderr=subprocess.PIPE, text=True)
    return p.returncode, p.stdout, p.stderr


def host():
    """An entry's host: a name, an address, a block or a range."""
    kind = rng.randrange(5)
    if kind == 0:
        return rng.choice(NAMES)
    pool = rng.choice((V4, V6))
    if kind == 1:
        return rng.choice(pool)
    if kind == 2:
        bits = rng.randrange(29, 33) + (96 if pool is V6 else 0)
        return str(ipaddress.ip_network((rng.choice(pool), bits), strict=False))
    lo, hi = sorted(rng.sample(range(8), 2))
    return pool[lo] + "-" + pool[hi]


def ports():
    return sorted(rng.sample(PORTS, rng.randrange(1, 4)))


def spec(h, p):
    return ("[%s]" % h if ":" in h else h) + ":" + p


def covers(h, point):
    if h[:1].isalpha() and ":" not in h:
        return h == point
    if point in NAMES:
        return False
    a = ipaddress.ip_address(point)
    if "-" in h:
        lo, hi = map(ipaddress.ip_address, h.split("-"))
        return lo.version == a.version and lo <= a <= hi
    return a in ipaddress.ip_network(h, strict=False)


def allowed(entries, point, port):
    return any(covers(h, point) and port in p for h, p in entries)


def entries(policy):
    return [(e["host"], e["ports"]) for e in policy["net"]["allow_hosts"]]


POINTS = [(x, p) for x in NAMES + V4 + V6 for p in PORTS]
base = json.loads(tool("init", "--template", "http-client", "--emit", "policy")[1])
wider_seen = same_seen = 0
for i in range(ROUNDS):
    have = [(host(), ports()) for _ in range(rng.randrange(5))]
    allow = [(host(), ports()) for _ in range(rng.choice((0, 0, 1, 3)))]
    deny = [(host(), rng.choice((ports(), PORTS)))
            for _ in range(rng.choice((0, 1, 2)) or (0 if allow else 1))]
    base["net"]["allow_hosts"] = [{"host": h, "ports": p} for h, p in have]
    base["net"]["allow_dns"] = rng.random() < .5
    with open("base.json", "w") as f:
        json.dump(base, f)
    flags = []
    for h, p in allow:
        flags += ["--allow-host", spec(h, ",".join(map(str, p)))]
    for h, p in deny:
        flags += ["--deny-host", spec(h, "*" if p is PORTS else
                                      ",".join(map(str, p)))]
    status, out, err = tool("derive", *flags, "base.json")
    assert status == 0, (flags, err)
    path = out.rstrip("\n")
    with open(path) as f:
        text = f.read()
    derived = json.loads(text)
    got = entries(derived)
    what = "base %s, flags %s, derived %s" % (have, flags, got)

    for x, p in POINTS:
        want = ((allowed(have, x, p) or allowed(allow, x, p))
                and not allowed(deny, x, p))
        assert allowed(got, x, p) == want, "%s:%d: %s" % (x, p, what)

    # The same again is the same file; any order of flags of a kind, the same points.
    status, again, err = tool("derive", *flags, "base.json")
    assert again == out and open(path).read() == text, what

    gained = [q for q in POINTS if allowed(got, *q) and not allowed(have, *q)]
    dns = derived["net"]["allow_dns"] and not base["net"]["allow_dns"]
    status, out, err = tool("diff", "base.json", path)
    assert status in (0, 1), err
    # The points are not all there is, so wider without a point is no fault,
    assert status == 1 or not (gained or dns), "not told: %s: %s" % (gained, what)
    # except when the flags only deny.
    if not allow:
        assert status == 0, "denying granted: %s: %s" % (out, what)
    wider_seen += status == 1
    same_seen += status == 0
    # And what derive asked for explains every line.
    for line in out.splitlines():
        key = line.split()[1]
        assert key in ("net.allow_hosts:", "net.allow_dns:", "policy_id:"), line

    wants_name = any(h in NAMES and allowed(got, h, q)
                     for h, p in allow for q in p)
    assert derived["net"]["allow_dns"] == (base["net"]["allow_dns"] or wants_name), what

    # Against an unrelated policy, both ways; in some rounds one of another family,
    # or one of pieces.
    other = [(host(), ports()) for _ in range(rng.randrange(5))]
    if i % 4 == 0:
        have = [(V6[0], ports())]
        other = [(V4[0], ports())]
    if i % 2:
        have = [(V4[j], [443]) for j in range(8) if rng.random() < .8]
        other = [("-".join(V4[j] for j in sorted(rng.sample(range(8), 2))), [443])]
    if i % 4 != 2:
        base["net"]["allow_hosts"] = [{"host": h, "ports": p} for h, p in have]
        with open("base.json", "w") as f:
            json.dump(base, f)
    base["net"]["allow_hosts"] = [{"host": h, "ports": p} for h, p in other]
    with open("other.json", "w") as f:
        json.dump(base, f)
    for old, new, a, b in (("base.json", "other.json", have, other),
                           ("other.json", "base.json", other, have)):
        status = tool("diff", "-q", old, new)[0]
        gained = [q for q in POINTS if allowed(b, *q) and not allowed(a, *q)]
        # Every host here consists of such points alone.
        assert status == (1 if gained else 0), (status, gained, a, b)
assert wider_seen > ROUNDS // 10 and same_seen > ROUNDS // 10, (wider_seen, same_seen)

# Roots: what x07-fsgate lets be written and read is what the nearest root above says,
# a write root where two are at one place; below it dot names are hidden.
PARTS = ["a", "b", ".h"]
PATHS = ["."] + ["/".join(p) for n in (1, 2, 3) for p in itertools.product(PARTS, repeat=n)]


def granted(fs, path):
    """What may be done with a path: 0 nothing, 1 read, 2 write."""
    parts = [p for p in path.split("/") if p != "."]
    for n in range(len(parts), -1, -1):
        above = "/".join(parts[:n]) or "."
        level = 2 if above in fs["write_roots"] else above in fs["read_roots"]
        if level:
            hidden = any(p[0] == "." for p in parts[n:])
            return 0 if hidden and fs["deny_hidden"] else level
    return 0


def roots():
    return rng.sample(PATHS[:13], rng.randrange(4))


gains = 0
for _ in range(ROUNDS):
    a, b = dict(base["fs"]), dict(base["fs"])
    a.update(read_roots=roots(), write_roots=roots(), deny_hidden=rng.random() < .7)
    b.update(a)
    b[rng.choice(("read_roots", "write_roots"))] = roots()
    for name, fs in (("base.json", a), ("other.json", b)):
        with open(name, "w") as f:
            json.dump(dict(base, fs=fs), f)
    status, out, err = tool("diff", "base.json", "other.json")
    assert status in (0, 1), err
    gained = [p for p in PATHS if granted(b, p) > granted(a, p)]
    assert status == 1 or not gained, "not told: %s: %s %s" % (gained, a, b)
    assert tool("diff", "-q", "other.json", "other.json")[0] == 0, b
    gains += bool(gained)
assert gains > ROUNDS // 10, gains
