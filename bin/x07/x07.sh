#!/bin/sh
# x07: wires the gates of the suite round one program, as a policy says. It
# decides nothing that a tool can decide: x07-policy reads policies and names
# the gates, and the gates enforce. See x07(1), x07(7).
set -u

version=0.1.0

usage()
{
	cat <<'EOF'
usage: x07 run [options] [--] program [argument ...]
       x07 policy init|check|compile|plan|... [argument ...]
       x07 help | version

options of run:
  --profile os|sandbox     os: the real system; sandbox: a policy is in force
  --policy FILE            the policy (sandbox), relative to the project root
  --sandbox-backend B      auto, vm (the default), os, none
  --i-accept-weaker-isolation
                           needed for the backends os and none
  --allow-host HOST:PORT[,PORT]     --allow-host-file FILE
  --deny-host HOST:*|HOST:PORT      --deny-host-file FILE
  --allow-read-root PATH            --allow-write-root PATH
                           derive a policy from --policy and run under that
  --log FILE               append the gates' decisions, one JSON line each
  -v, --verbose            show the chain of gates as a command line
EOF
}

# One line on stderr; exit status 2 (usage, policy) unless another is given.
die()
{
	printf '%s\n' "x07${command:+ $command}: $1" >&2
	exit "${2-2}"
}

# quote WORD: prints it so that the shell reads it as this one word again.
quote()
{
	_rest=$1
	case $_rest in
	''|*[!A-Za-z0-9_./:=,@%+-]*) ;;
	*)
		printf '%s' "$_rest"
		return ;;
	esac
	printf "'"
	while :; do
		case $_rest in
		*\'*)
			printf "%s'\\\\''" "${_rest%%\'*}"
			_rest=${_rest#*\'} ;;
		*) break ;;
		esac
	done
	printf "%s'" "$_rest"
}

# The path of a tool of this suite: beside this script, else on PATH.
find_tool()
{
	if [ -x "$bindir/$1" ]; then
		printf '%s\n' "$bindir/$1"
	else
		command -v "$1"
	fi
}

# The directory with x07.json, going up from here; without one, here.
find_project_root()
{
	_dir=$(pwd -P)
	while [ -n "$_dir" ]; do
		if [ -f "$_dir/x07.json" ]; then
			printf '%s\n' "$_dir"
			return
		fi
		_dir=${_dir%/*}
	done
	pwd -P
}

# yes_or_no NAME VALUE: 0 yes, 1 no; anything else is an error, even when unused.
yes_or_no()
{
	case $2 in
	1|true|TRUE|yes|YES) return 0 ;;
	''|0|false|FALSE|no|NO) return 1 ;;
	esac
	die "$1=$2: must be 1, true, yes, 0, false or no"
}

# Which backend the run gets, in $backend, or the end of it.
choose_backend()
{
	[ -n "$backend" ] || backend=${X07_SANDBOX_BACKEND-}
	backend=$(printf '%s' "$backend" | tr -d ' \t' | tr '[:upper:]' '[:lower:]')
	case $backend in
	''|auto) backend=auto ;;
	native) backend=os ;;
	vm|os|none) ;;
	*) die "sandbox backend '$backend' is not auto, vm, os or none" ;;
	esac
	if yes_or_no X07_I_ACCEPT_WEAKER_ISOLATION \
	    "${X07_I_ACCEPT_WEAKER_ISOLATION-}"; then
		accept=yes
	fi

	case $world:$backend in
	run-os:vm)
		die "sandbox_backend=vm is only supported for run-os-sandboxed (--profile sandbox)" 1 ;;
	run-os:*)
		backend=none ;;
	*:auto)
		backend=vm ;;
	*:os|*:none)
		[ "$accept" = yes ] || die "run-os-sandboxed defaults to \
sandbox_backend=vm and fails closed; for sandbox_backend=$backend add \
--i-accept-weaker-isolation, or set X07_I_ACCEPT_WEAKER_ISOLATION=1"
		# There is no null backend: a policy that is not enforced is no
		# policy, so none means the gates of this kernel as well.
		backend=os ;;
	esac
}

# The effective policy, absolute, in $policy.
choose_policy()
{
	[ -n "$policy" ] || die "run-os-sandboxed requires --policy FILE \
(make one: x07 policy init --template cli)"
	case $policy in
	/*) ;;
	*) policy=$root/$policy ;;
	esac
	[ -f "$policy" ] || die "missing policy file: $policy"
	[ -n "$overrides" ] || return 0
	policy=$(eval "\"\$x07_policy\" derive -C \"\$root\" --for 'x07 run' \
	    $overrides -- \"\$policy\"") || exit $?
}

# The clean environment of the program, as quoted words for env(1), in
# $environment; the rules are in x07(7).
choose_environment()
{
	_path='' _rest=${PATH-}:
	while [ -n "$_rest" ]; do
		_dir=${_rest%%:*}
		_rest=${_rest#*:}
		case $_dir in
		/*) _path=${_path:+$_path:}$_dir ;;
		esac
	done
	environment="$(quote "PATH=${_path:-/usr/local/bin:/usr/bin:/bin}") HOME=/tmp"
	[ -z "${LANG+set}" ] || environment="$environment $(quote "LANG=$LANG")"

	_enabled=0 _allow='' _deny=' ' _tz=UTC0
	while read -r _key _value; do
		case $_key=$_value in
		env.enabled=1) _enabled=1 ;;
		env.allow_keys=*) _allow="$_allow $_value" ;;
		env.deny_keys=*) _deny="$_deny$_value " ;;
		time.allow_local_tzid=1) _tz=${TZ-} ;;
		esac
	done <<EOF
$form
EOF
	[ -z "$_tz" ] || environment="$environment $(quote "TZ=$_tz")"
	[ "$_enabled" = 1 ] || return 0
	for _key in $_allow; do
		case $_deny in
		*" $_key "*) continue ;;
		esac
		# What is no shell name cannot be in our own environment either.
		case $_key in
		[0-9]*|*[!A-Za-z0-9_]*) continue ;;
		esac
		eval "[ -n \"\${$_key+set}\" ]" || continue
		eval "_value=\$$_key"
		# shellcheck disable=SC2154 # set by eval
		environment="$environment $(quote "$_key=$_value")"
	done
}

# The gates in front of the program, as quoted words, in $chain.
choose_chain()
{
	chain=
	_gates=$("$x07_policy" plan) || exit $?
	for _gate in $_gates; do
		_tool=$(find_tool "$_gate") || die "$_gate is not installed" 1
		chain="$chain $(quote "$_tool") -P 3"
		[ -z "$log" ] || chain="$chain -l $(quote "$log")"
		chain="$chain --"
	done
	[ -n "$chain" ] || die "x07-policy named no gates: nothing to run behind" 1
}

run_sandboxed()
{
	choose_backend
	choose_policy
	form=$("$x07_policy" compile -C "$root" -- "$policy") || exit $?
	if [ "$backend" = vm ]; then
		_vmrun=$(find_tool x07-vmrun) || die "run-os-sandboxed defaults to \
sandbox_backend=vm and fails closed: x07-vmrun is not installed; install it, \
or accept weaker isolation: --sandbox-backend os --i-accept-weaker-isolation \
(X07_SANDBOX_BACKEND=os X07_I_ACCEPT_WEAKER_ISOLATION=1)"
		exec "$_vmrun" -p "$policy" -- "$@"
	fi
	choose_environment
	choose_chain
	# Compiled once, so that a policy file replaced meanwhile changes nothing.
	_command="env -i $environment $(quote "$x07_policy") seal -f 3 /dev/fd/4 --$chain"
	if [ "$verbose" = yes ]; then
		_shown=
		for _w; do
			_shown="$_shown $(quote "$_w")"
		done
		printf '%s\n' "x07 run: $_command$_shown 4<policy.form" >&2
	fi
	eval "exec $_command \"\$@\"" 4<<EOF
$form
EOF
}

run()
{
	profile='' policy='' backend='' log='' overrides='' named=''
	accept=no verbose=no
	while [ $# -gt 0 ]; do
		case $1 in
		--?*=*)
			_flag=${1%%=*} _arg=${1#*=}
			shift
			set -- "$_flag" "$_arg" "$@"
			case $_flag in
			--i-accept-weaker-isolation|--verbose|--help)
				die "$_flag takes no argument" ;;
			esac ;;
		esac
		case $1 in
		--) shift; break ;;
		--profile|--policy|--sandbox-backend|--log|\
		--allow-host|--allow-host-file|--deny-host|--deny-host-file|\
		--allow-read-root|--allow-write-root)
			[ $# -ge 2 ] || die "$1 needs an argument"
			case $1 in
			--profile) profile=$2 ;;
			--policy) policy=$2 ;;
			--sandbox-backend) backend=$2 ;;
			--log) log=$2 ;;
			*)
				overrides="$overrides $1 $(quote "$2")"
				named="$named $1" ;;
			esac
			shift 2 ;;
		--i-accept-weaker-isolation) accept=yes; shift ;;
		-v|--verbose) verbose=yes; shift ;;
		-h|--help) usage; exit 0 ;;
		-*) die "unknown option $1 (x07 run -h lists them)" ;;
		*) break ;;
		esac
	done
	[ $# -gt 0 ] || die "no program given; usage: x07 run [options] -- program [argument ...]"

	case ${profile:-os} in
	os) world=run-os ;;
	sandbox) world=run-os-sandboxed ;;
	*) die "unknown profile '$profile'; available: os, sandbox" ;;
	esac
	root=$(find_project_root)
	case $log in
	''|/*) ;;
	*) log=$(pwd -P)/$log ;;
	esac
	if [ "$world" = run-os-sandboxed ]; then
		run_sandboxed "$@"
	fi
	[ -z "$policy" ] || die "--policy is only valid for run-os-sandboxed; add --profile sandbox"
	[ -z "$named" ] || die "${named# } requires run-os-sandboxed; add --profile sandbox"
	choose_backend
	exec "$@"
}

command=
case $0 in
*/*) bindir=${0%/*} ;;
*) bindir=$(command -v -- "$0") && bindir=${bindir%/*} ;;
esac
bindir=$(cd -- "${bindir:-/}" && pwd -P) || exit 2
x07_policy=$(find_tool x07-policy) || die "x07-policy is not installed"

case ${1-} in
run)
	command=run
	shift
	run "$@" ;;
policy)
	command=policy
	shift
	[ $# -gt 0 ] || die "which one? x07 policy init, check, compile, plan, ... (x07-policy -h)"
	exec "$x07_policy" "$@" ;;
version|--version) printf 'x07 %s\n' "$version" ;;
help|-h|--help) usage ;;
'') usage >&2; exit 2 ;;
*) die "unknown command '$1'; available: run, policy, help, version" ;;
esac
