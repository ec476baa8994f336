#!/bin/sh
# x07: wires the gates of the suite round one program, as a policy says. It
# decides nothing that a tool can decide: x07-policy reads policies and names
# the gates, libexec/x07 holds the front end's own tools, and the gates enforce.
# See x07(1), x07(7).
set -u
# cd must not look elsewhere.
unset CDPATH

version=0.1.0

usage()
{
	cat <<'END'
usage: x07 init [--template NAME]
       x07 run [options] [--] [program] [argument ...]
       x07 policy init|check|fmt|derive|diff|explain|suggest|... [argument ...]
       x07 bundle [options] --out PATH [--] [program]
       x07 bundle inspect|verify|extract FILE ...
       x07 doctor [-j]
       x07 help | version

options of run:
  --project FILE|DIR       the manifest x07.json (default: from here upwards)
  --profile NAME           one of its profiles; without a manifest: os, sandbox
  --program FILE           a program without a manifest (also .c, .x07.json)
  --policy FILE            the policy (sandbox), relative to the project root
  --sandbox-backend B      auto, vm (the default), os, none
  --i-accept-weaker-isolation
                           needed for the backends os and none
  --allow-host HOST:PORT[,PORT]     --allow-host-file FILE
  --deny-host HOST:*|HOST:PORT      --deny-host-file FILE
  --allow-read-root PATH            --allow-write-root PATH
                           derive a policy from the given one and run under that
  --input FILE | --stdin | --input-b64 TEXT
                           where the program's standard input comes from
  --cpu-time-limit-seconds N, --max-memory-bytes N, --max-output-bytes N
                           limits beside those of the policy
  --log FILE               append the gates' decisions, one JSON line each
  --report FILE, --report-out FILE
                           write what became of the run, one JSON document
  --strict                 refuse a policy that is not enforced in every key
  --trace                  deny nothing, and tell what would have been denied
  -q, --quiet              do not tell which keys are not enforced
  -v, --verbose            show the chain of gates as a command line
  --artifact FILE          a program that the X07 compiler made
  --world run-os|run-os-sandboxed, --os
                           the world, instead of the profile's
  --solve-fuel N, --module-root DIR, --compat VERSION,
  --cc-profile default|size, --max-c-bytes N, --auto-ffi, --no-auto-ffi,
  --debug-borrow-checks    for the X07 compiler
  --runner auto|os         accepted: there is no other
END
}

# plain TEXT: writes it as printable ASCII, the rest of it as \ooo: names in it may come
# from a project, and are not to talk to the terminal.
plain()
{
	printf '%s' "$1" | od -A n -v -t o1 | while read -r _octets; do
		for _o in $_octets; do
			case $_o in
			134) printf '\\134' ;;
			0[4567]?|1[0123456]?|17[0123456]) printf '%b' "\\0$_o" ;;
			*) printf '\\%s' "$_o" ;;
			esac
		done
	done
}

# One line on stderr; exit status 2 (usage, policy) unless another is given.
die()
{
	printf '%s\n' "$(plain "x07${command:+ $command}: $1")" >&2
	exit "${2-2}"
}

# ---- words: command lines that are built up and evaluated at the end ----

# quote WORD: in $quoted the text that the shell reads as this one word again.
quote()
{
	quoted=
	_rest=$1
	case $_rest in
	# Spelt out: what lies between A and z depends on the locale.
	''|*[!ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_./:=,@%+-]*) ;;
	*)
		quoted=$_rest
		return ;;
	esac
	while :; do
		case $_rest in
		*\'*)
			quoted="$quoted${_rest%%\'*}'\\''"
			_rest=${_rest#*\'} ;;
		*) break ;;
		esac
	done
	quoted="'$quoted$_rest'"
}

# put WORD...: appends them to $words and counts them in $count.
put()
{
	for _w; do
		quote "$_w"
		words="$words $quoted"
		count=$((count + 1))
	done
}

# keep NAME: keeps $words as $NAME and their number as $NAME_n, and starts anew.
keep()
{
	eval "$1=\$words $1_n=\$count"
	words='' count=0
}

# put_kept NAME: appends what was kept.
put_kept()
{
	eval "words=\$words\$$1 count=\$((count + $1_n))"
}

# ---- where things are ----

# find_tool NAME: its path in $tool, beside this script: what else PATH holds is
# none of ours.
find_tool()
{
	tool=$bindir/$1
	[ -x "$tool" ]
}

# find_helper NAME: the same for a tool of our own, in $tool.
find_helper()
{
	tool=${bindir%/*}/libexec/x07/$1
	[ -x "$tool" ] || die "the installation is not complete: no $tool" 1
}

# directory NAME: its real path in $directory, with the newlines it may end in.
directory()
{
	directory=$(cd -- "$1" 2>/dev/null && pwd -P 2>/dev/null && echo .)
	directory=${directory%??}
	[ -n "$directory" ]
}

# The working directory may be gone, or above it be no way for us.
need_here()
{
	[ -n "$here" ] || die "the working directory cannot be named; cd somewhere else"
}

# absolute PATH BASE: in $absolute.
absolute()
{
	case $1 in
	/*) absolute=$1 ;;
	*) absolute=${2%/}/$1 ;;
	esac
}

# ---- what is to be run ----

# The manifest's profile, or what holds without a manifest: $root, $world, $profile,
# $program, $build, $entry, $profile_*.
read_project()
{
	program='' build='' entry='' manifest='' profile_policy=''
	profile_input='' profile_fuel='' profile_cpu='' profile_mem=''
	profile_out='' profile_ffi=''
	if [ -z "$single$artifact" ]; then
		find_helper project
		set -- "$tool"
		[ -z "$project" ] || set -- "$@" -f "$project"
		[ -z "$profile" ] || set -- "$@" -p "$profile"
		[ -z "$world" ] || set -- "$@" -w "$world"
		_told=$("$@")
		case $? in
		0)
			eval "$_told"
			return ;;
		4) ;;
		*) exit 2 ;;
		esac
	fi
	root=$here
	case $profile,$world in
	,|os,) world=run-os ;;
	sandbox,) world=run-os-sandboxed ;;
	,*|os,*|sandbox,*) ;;
	*) die "unknown profile '$profile' (no x07.json here or above); available: os, sandbox" ;;
	esac
}

# How an entry comes to be a program: $target, and the words that $builder keeps.
choose_entry()
{
	_name=${1##*/}
	case $_name in
	*.c) _name=${_name%.c} ;;
	*.x07.json) _name=${_name%.x07.json} ;;
	*)
		target=$1
		return ;;
	esac
	_dir=${root%/}/.x07/build
	mkdir -p "$_dir" 2>/dev/null
	[ -w "$_dir" ] ||
	    die "cannot write $_dir, where ${1##*/} is to be built (read-only project?)" 1
	target=$_dir/$_name
	built=$target.$$
	case $1 in
	*.c) put cc -O2 -o "$built" "$1" ;;
	*)
		framed=yes quiet_build=-q
		put_compiler "$1" ;;
	esac
	keep builder
}

# The X07 compiler's command line, for the entry $1.
put_compiler()
{
	compiler=$(command -v x07-os-runner) || compiler=
	case $compiler in
	/*) ;;
	*) die "${1##*/} is an X07 program, and x07-os-runner of the X07 toolchain \
is not on PATH (x07 doctor tells what is there)" ;;
	esac
	put "$compiler" --world "$world" --compile-only --compiled-out "$built"
	if [ -n "$manifest" ]; then
		put --project "$manifest"
	else
		put --program "$1"
	fi
	if [ "$world" = run-os-sandboxed ]; then
		put --policy "$policy" --sandbox-backend os --i-accept-weaker-isolation
	fi
	[ -z "$mem" ] || put --max-memory-bytes "$mem"
	[ -z "$out" ] || put --max-output-bytes "$out"
	case $compiler_words:$profile_ffi in
	*--auto-ffi*|*--no-auto-ffi*) ;;
	*:yes) put --auto-ffi ;;
	*:no) put --no-auto-ffi ;;
	esac
	case $compiler_words in
	*--solve-fuel*) ;;
	*) [ -z "$profile_fuel" ] || put --solve-fuel "$profile_fuel" ;;
	esac
	eval "put $compiler_words"
}

# Which program it is: its own words in $prefix. What follows -- are its
# arguments then. Fails when nothing but those words can be the program.
choose_program()
{
	prefix='' target='' built='' framed=no quiet_build='' words='' count=0
	keep builder
	if [ -n "$artifact" ]; then
		[ "$world" = run-os ] || die "--artifact is refused in run-os-sandboxed: \
policy.language must be enforced when a program is compiled; use --program or a manifest"
		absolute "$artifact" "$here"
		target=$absolute framed=yes
	elif [ -n "$single" ]; then
		absolute "$single" "$here"
		[ -f "$absolute" ] || die "--program $single: no such file"
		choose_entry "$absolute"
	elif [ -n "$program" ]; then
		choose_words
	elif [ -n "$build" ]; then
		die "$manifest: profiles.$profile.build needs a program to run afterwards"
	elif [ -n "$entry" ] && [ -f "$root/$entry" ]; then
		choose_entry "$root/$entry"
	else
		return 1
	fi
	if [ -n "$target" ]; then
		quote "$target"
		prefix=" $quoted"
	fi
}

# The profile's program, and its build.
choose_words()
{
	eval "set -- $program"
	case $1 in
	/*) ;;
	*/*)
		_first=${root%/}/$1
		shift
		set -- "$_first" "$@" ;;
	esac
	put "$@"
	prefix=$words
	words='' count=0
	[ -z "$build" ] || eval "put $build"
	keep builder
}

# Where the standard input comes from: $input_file, or the words that $feeder keeps.
choose_input()
{
	input_file='' words='' count=0
	case $input_kind in
	file)
		absolute "$input" "$here"
		input_file=$absolute ;;
	b64)
		find_helper input
		put "$tool" -b "$input" -- ;;
	'')
		if [ "$framed" = yes ] && [ $# -gt 0 ]; then
			find_helper input
			put "$tool" -n $# -- "$@"
		elif [ -n "$profile_input" ]; then
			input_file=${root%/}/$profile_input
			[ "$world" = run-os ] || put_project_input
		fi ;;
	esac
	keep feeder
	readable_input
}

# The profile's input below the project root, where a program of an earlier run may
# have put a link to what it was not given itself.
put_project_input()
{
	readable_input
	find_helper input
	put "$tool" -r "$root" -f "$profile_input" --
	input_file=
}

readable_input()
{
	[ -z "$input_file" ] || [ -r "$input_file" ] ||
	    die "cannot read the input: $input_file"
}

# ---- backend and policy ----

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
	while :; do
		case $backend in
		[[:space:]]*) backend=${backend#?} ;;
		*[[:space:]]) backend=${backend%?} ;;
		*) break ;;
		esac
	done
	case $backend in
	''|[Aa][Uu][Tt][Oo]) backend=auto ;;
	[Vv][Mm]) backend=vm ;;
	[Oo][Ss]|[Nn][Aa][Tt][Ii][Vv][Ee]) backend=os ;;
	[Nn][Oo][Nn][Ee]) backend=none ;;
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
	[ -n "$policy" ] || policy=$profile_policy
	[ -n "$policy" ] || die "run-os-sandboxed requires --policy FILE \
(make one: x07 policy init --template cli)"
	absolute "$policy" "$root"
	policy=$absolute
	if [ ! -f "$policy" ]; then
		_hint=${policy##*/}
		case $_hint in
		*.sandbox.base.policy.json)
			die "missing policy file: $policy (make it: x07 policy init \
--template ${_hint%.sandbox.base.policy.json})" ;;
		esac
		[ ! -e "$policy" ] || die "the policy is no regular file: $policy"
		die "missing policy file: $policy"
	fi
	if [ -n "$overrides" ]; then
		policy=$(eval "\"\$x07_policy\" derive -C \"\$root\" --for 'x07 $command' \
		    $overrides -- \"\$policy\"") || exit $?
	fi
}

# Sees that the policy is valid, and which of its keys nothing enforces: in
# $unenforced, and told once. X07 programs heed some of them by themselves.
check_policy()
{
	unenforced='' _shown=
	_rows=$("$x07_policy" explain -u -b "$backend" -C "$root" -- "$policy")
	case $? in
	0) return ;;
	1) ;;
	3) exit 3 ;;
	*) exit 2 ;;
	esac
	# No here-document: some shells want a file for it, and go on without.
	_ifs=$IFS IFS='
'
	set -f
	for _row in $_rows; do
		case $framed:$_row in
		yes:*'only programs built by X07'*|\
		yes:*'the compiler of X07 programs'*) continue ;;
		*' no       - '*) ;;
		*) continue ;;
		esac
		unenforced="$unenforced ${_row%% *}"
		_shown="${_shown:+$_shown, }${_row%% *}"
	done
	set +f
	IFS=$_ifs
	[ -n "$unenforced" ] || return 0
	[ "$strict" = no ] || die "--strict: nothing enforces $_shown of $policy \
under sandbox_backend=$backend (x07-policy explain tells why)"
	[ "$quiet" = yes ] || printf '%s\n' "x07 run: not enforced under \
sandbox_backend=$backend: $_shown (x07-policy explain tells why; -q hides this)" >&2
}

# ---- the chain ----

# Limits of the run itself, as flags of x07-limit. What an X07 program may have of
# memory and output its compiler and its frame know.
put_limits()
{
	[ -z "$cpu" ] || put -c "${cpu}s"
	[ "$framed" = no ] || return 0
	[ -z "$mem" ] || put -m "$mem"
	[ -z "$out" ] || put -o "$out"
}

# Is there an x07-limit in the chain?
has_limits()
{
	case $backend:$framed:$cpu:$mem$out in
	none:no:*[0-9]*|none:yes:?*:*|os:*|vm:*) return 0 ;;
	esac
	return 1
}

# put_gates PHASE LOG USED: the gates of a phase. In the build phase the project can be
# written and nobody be talked to; a compiler may start what it likes.
put_gates()
{
	for _gate in $gates; do
		find_tool "$_gate" || die "$_gate is not installed" 1
		case $1:$_gate in
		build:x07-execgate) continue ;;
		build:x07-limit|run:*) put "$tool" -P 3 ;;
		*) put "$tool" ;;
		esac
		case $1:$_gate in
		*:x07-limit)
			put_limits
			[ -z "$3" ] || put -r "$3" ;;
		build:x07-fsgate)
			put_root -w "$root"
			[ "$framed" = no ] || put_root -r "${compiler%/*}" ;;
		esac
		[ -z "$2" ] || put -l "$2"
		[ "$trace:$1" != yes:run ] || put -n --i-accept-weaker-isolation -q
		put --
	done
}

# put_root FLAG DIR: for x07-fsgate, to which a bare colon ends the path.
put_root()
{
	_left='' _rest=$2
	while :; do
		case $_rest in
		*[:\\]*)
			_head=${_rest%%[:\\]*}
			_rest=${_rest#"$_head"}
			_left="$_left$_head\\${_rest%"${_rest#?}"}"
			_rest=${_rest#?} ;;
		*) break ;;
		esac
	done
	put "$1" "$_left$_rest"
}

# Framed input and output for what the X07 compiler made.
put_frame()
{
	[ "$framed" = yes ] || return 0
	put_kept feeder
	find_helper frame
	put "$tool"
	[ "$input_kind" != stdin ] || put -i
	[ -z "$out" ] || put -m "$out"
	put --
}

# put_build [-P FD -d|-D AT] LOG: the build phase, when there is one.
put_build()
{
	[ -n "$builder" ] || return 0
	find_helper build
	put "$tool"
	while [ $# -gt 1 ]; do
		put "$1"
		shift
	done
	[ -z "$quiet_build" ] || put "$quiet_build"
	[ -z "$built" ] || put -f "$built" -t "$target"
	put --
	keep outer
	case $world:$backend in
	run-os:*) ;;
	*:vm) put_build_machine "$1" ;;
	*) put_gates build "$1" '' ;;
	esac
	put_kept builder
	inner_n=0
	keep inner
	put_kept outer
	put "$inner_n"
	put_kept inner
}

# put_seal POLICY: puts it on descriptor 3 for all that follow.
put_seal()
{
	put "$x07_policy" seal -f 3 -C "$root"
	# What was checked is not what is used, if somebody replaced the file.
	[ "$strict" = no ] || put -s "$backend"
	[ "$strict:$framed" != yes:yes ] || put -x
	put "$1" --
}

# put_build_machine LOG: the same in a machine of its own.
put_build_machine()
{
	put "$_vmrun" -P 3 --build -q
	put_root -w "$root"
	[ "$framed" = no ] || put_root -r "${compiler%/*}"
	[ -z "$1" ] || put -l "$1"
	[ "$accept" = no ] || put --i-accept-weaker-isolation
	put --
}

# put_os LOG POLICY USED: all that stands before the program behind the gates.
put_os()
{
	find_helper environ
	put_seal "$2"
	put "$tool" -P 3
	[ "$framed" = no ] || put -w "$world"
	put --
	keep front
	put_frame
	_at=$count
	put_gates run "$1" "$3"
	keep behind
	put_kept front
	put_build -P 3 -d "$_at" "$1"
	put_kept behind
}

# put_vm LOG POLICY USED: all that stands before the program in a machine of its own,
# where the gates are again.
put_vm()
{
	find_tool x07-vmrun || die "run-os-sandboxed defaults to \
sandbox_backend=vm and fails closed: x07-vmrun is not installed; install it, \
or accept weaker isolation: --sandbox-backend os --i-accept-weaker-isolation \
(X07_SANDBOX_BACKEND=os X07_I_ACCEPT_WEAKER_ISOLATION=1)"
	_vmrun=$tool
	put_seal "$2"
	keep front
	put_frame
	_at=$count
	put "$_vmrun" -P 3
	[ "$framed" = no ] || put --x07
	[ -z "$1" ] || put -l "$1"
	[ -z "$3" ] || put -u "$3"
	[ "$quiet" = no ] || put -q
	[ "$accept" = no ] || put --i-accept-weaker-isolation
	put --
	keep behind
	put_kept front
	put_build -P 3 -D "$_at" "$1"
	put_kept behind
}

# What a machine cannot do as it was asked is refused.
check_vm()
{
	[ "$trace" = no ] || die "--trace is for the gates of this kernel: add \
--sandbox-backend os --i-accept-weaker-isolation"
	case $framed:$cpu:$mem$out in
	*::|yes::*) ;;
	*) die "limits of a machine are those of the policy (limits.cpu_ms, \
limits.mem_bytes, process.max_stdout_bytes), not of flags or of the profile" ;;
	esac
}

# The same without a policy.
put_none()
{
	if [ "$framed" = yes ]; then
		find_helper environ
		put "$tool" -w "$world" --
	fi
	put_build ''
	put_frame
	has_limits || return 0
	find_tool x07-limit || die "x07-limit is not installed" 1
	put "$tool"
	put_limits
	[ -z "$3" ] || put -r "$3"
	put --
}

# put_chain LOG POLICY USED: what stands before the program. LOG, and USED for
# what x07-limit tells of limits, may be empty.
put_chain()
{
	[ "$framed" = yes ] || put_kept feeder
	case $backend in
	os) put_os "$@" ;;
	vm) put_vm "$@" ;;
	none) put_none "$@" ;;
	esac
}

# What stands before the chain when it is to be told about; "$@" is the program.
put_report()
{
	find_helper report
	put "$tool"
	[ -z "$report" ] || put -o "$report"
	if [ "$trace" = yes ]; then
		_name=${policy##*/}
		_dir=${root%/}/.x07/policies/_generated
		# A link, which a project can come with, would lead out of it.
		for _d in "${_dir%/*/*}" "${_dir%/*}" "$_dir"; do
			[ ! -h "$_d" ] || die "$_d: a link, which leads what is traced out of the project" 1
		done
		mkdir -p "$_dir" 2>/dev/null
		put -t "$_dir/${_name%.policy.json}.traced.policy.json"
		put -x "$x07_policy" -C "$root"
	fi
	! has_limits || put -u 8
	put -w "$world" -b "$backend"
	[ -z "$profile" ] || put -f "$profile"
	if [ "$world" = run-os-sandboxed ]; then
		put -p "$policy" -P 4 -a 9
		[ "$accept" = no ] || put -k
		[ -z "$log" ] || put -l "$log"
		for _gate in $gates; do
			put -g "$_gate"
		done
		for _key in $unenforced; do
			put -e "$_key"
		done
	fi
	put -n $# --
}

# Becomes the chain round the program; "$@" are its arguments, or itself.
start()
{
	choose_input "$@"
	if [ "$framed" = yes ]; then
		[ $# -eq 0 ] || [ -z "$input_kind" ] ||
		    die "an X07 program gets its arguments as input: give \
either words after -- or --input, --stdin, --input-b64"
		set --
	fi
	if [ -n "$prefix" ]; then
		eval "set -- $prefix \"\$@\""
		[ -n "$single$artifact" ] || cd -- "$root" || exit 2
	fi
	gates=
	[ "$backend" = none ] || gates=$("$x07_policy" plan) || exit $?
	[ "$backend" != vm ] || check_vm
	[ -z "$log" ] || open_log
	put_chain "${log:+fd:9}" "$policy" ''
	case $words:$1 in
	:-*) die "program $1: a name that begins with - needs its directory: ./$1" ;;
	esac
	[ "$verbose" = no ] || show "$@"
	if [ -n "$report" ] || [ "$trace" = yes ]; then
		words='' count=0
		put_report "$@"
		put_chain fd:9 /dev/fd/4 fd:8
	fi
	[ -z "$input_file" ] || exec <"$input_file"
	eval "exec $words \"\$@\""
}

# The gates share one descriptor: the file is not in the program's view.
open_log()
{
	_umask=$(umask)
	umask 077
	# A subshell: where a redirection of a special command fails the shell ends.
	(: >>"$log") 2>/dev/null || die "cannot write the log: $log"
	exec 9>>"$log"
	umask "$_umask"
}

# The chain as a command line to be pasted.
show()
{
	_kept=$words
	put "$@"
	_line=$words
	words=$_kept
	quote "$PWD"
	_line="cd $quoted &&$_line"
	if [ -n "$input_file" ]; then
		quote "$input_file"
		_line="$_line <$quoted"
	fi
	if [ -n "$log" ]; then
		quote "$log"
		_line="$_line 9>>$quoted"
	fi
	printf '%s\n' "x07 run: $_line" >&2
}

# ---- the commands ----

# full FLAG VALUE: an option that is given says something. An unset variable of a script
# must not choose the weaker default.
full()
{
	case $1:$2 in
	--input-b64:) ;;
	*:) die "$1: its argument is empty" ;;
	esac
}

# number FLAG VALUE: a count, or the end.
number()
{
	case $2 in
	''|*[!0-9]*) die "$1 $2: must be a number from 0 up" ;;
	esac
}

# run and bundle: what is to be run, how, and under which policy.
run()
{
	bundle_out='' emit_dir='' oci_dir='' vm_words=''
	project='' profile='' world='' single='' artifact='' policy='' backend=''
	log='' report='' overrides='' named='' input='' input_kind='' cpu='' mem=''
	out='' compiler_words=''
	accept=no verbose=no quiet=no strict=no trace=no
	while [ $# -gt 0 ]; do
		case $1 in
		--?*=*)
			_flag=${1%%=*} _arg=${1#*=}
			shift
			set -- "$_flag" "$_arg" "$@"
			case $_flag in
			--i-accept-weaker-isolation|--verbose|--quiet|--help|\
			--stdin|--strict|--trace|--os|--host|\
			--auto-ffi|--no-auto-ffi|--debug-borrow-checks)
				die "$_flag takes no argument" ;;
			esac ;;
		esac
		case $1 in
		--) shift; break ;;
		--project|--profile|--world|--program|--artifact|--policy|\
		--sandbox-backend|--log|--report|--report-out|--input|--input-b64|\
		--cpu-time-limit-seconds|--max-memory-bytes|--max-output-bytes|\
		--solve-fuel|--module-root|--compat|--cc-profile|--max-c-bytes|--runner|\
		--allow-host|--allow-host-file|--deny-host|--deny-host-file|\
		--allow-read-root|--allow-write-root)
			[ $# -ge 2 ] || die "$1 needs an argument"
			full "$1" "$2"
			take_option "$1" "$2"
			shift 2 ;;
		--out|--emit-dir|--emit|--oci|--vm-backend|--vm-image|--vm-image-digest)
			[ "$command" = bundle ] ||
			    die "unknown option $1 (x07 run -h lists them)"
			[ $# -ge 2 ] || die "$1 needs an argument"
			full "$1" "$2"
			take_option "$1" "$2"
			shift 2 ;;
		--i-accept-weaker-isolation) accept=yes; shift ;;
		--stdin) take_input stdin ''; shift ;;
		--strict) strict=yes; shift ;;
		--trace) trace=yes; shift ;;
		--auto-ffi|--no-auto-ffi|--debug-borrow-checks)
			compiler_words="$compiler_words $1"; shift ;;
		--os) [ -n "$world" ] || world=run-os; shift ;;
		--host) die "--host: the host runner cannot run an OS world" ;;
		-q|--quiet) quiet=yes; shift ;;
		-v|--verbose) verbose=yes; shift ;;
		-h|--help) usage; exit 0 ;;
		-*) die "unknown option $1 (x07 run -h lists them)" ;;
		*) break ;;
		esac
	done
	check_options
	read_project
	check_world
	choose_backend
	[ "$world" = run-os ] || choose_policy
	[ -n "$cpu" ] || cpu=$profile_cpu
	[ -n "$mem" ] || mem=$profile_mem
	[ -n "$out" ] || out=$profile_out
	[ "$cpu" != 0 ] || cpu=
	choose_program || [ $# -gt 0 ] || no_program
	[ "$framed" = yes ] || [ -z "$compiler_words" ] ||
	    die "${compiler_words# } is for X07 programs, and this is none"
	if [ "$command" = bundle ]; then
		start_bundle "$@"
	fi
	[ "$world" = run-os ] || check_policy
	start "$@"
}

# Builds what is to be built, and becomes x07-bundle.
start_bundle()
{
	for _flag in ${log:+--log} ${report:+--report} ${input_kind:+--input}; do
		die "$_flag is for x07 run: a bundle is run later"
	done
	[ "$framed" = no ] || die "${target##*/} is an X07 program, which reads and \
writes frames; the bundler of the X07 toolchain makes a plain executable of it"
	[ -n "$bundle_out" ] || die "--out PATH is missing"
	eval "set -- $prefix \"\$@\""
	[ $# -eq 1 ] || die "a bundle gets its arguments when it is run: $2"
	case $1 in
	*/*) absolute "$1" "$here"; set -- "$absolute" ;;
	esac
	words='' count=0
	if [ -n "$builder" ]; then
		gates=
		if [ "$world" = run-os-sandboxed ]; then
			gates=$("$x07_policy" plan) || exit $?
			put "$x07_policy" seal -f 3 -C "$root" "$policy" --
		fi
		put_build ''
	fi
	find_tool x07-bundle || die "x07-bundle is not installed" 1
	put "$tool" --world "$world" --root "$root" --out "$bundle_out"
	[ -z "$manifest" ] || put --manifest "$manifest"
	[ -z "$emit_dir" ] || put --emit-dir "$emit_dir"
	[ -z "$oci_dir" ] || put --oci "$oci_dir"
	eval "put $vm_words"
	if [ "$world" = run-os-sandboxed ]; then
		put --policy "$policy" --sandbox-backend "$backend"
		[ "$accept" = no ] || put --i-accept-weaker-isolation
	fi
	put --
	eval "exec $words \"\$@\""
}

take_option()
{
	case $1 in
	--project) project=$2 ;;
	--profile) profile=$2 ;;
	--world) world=$2 ;;
	--program) single=$2 ;;
	--artifact) artifact=$2 ;;
	--policy) policy=$2 ;;
	--sandbox-backend) backend=$2 ;;
	--log) log=$2 ;;
	--out)
		absolute "$2" "$here"
		bundle_out=$absolute ;;
	--emit-dir|--emit)
		absolute "$2" "$here"
		emit_dir=$absolute ;;
	--oci)
		absolute "$2" "$here"
		oci_dir=$absolute ;;
	--vm-*)
		quote "$2"
		vm_words="$vm_words $1 $quoted" ;;
	--report|--report-out) report=$2 ;;
	--input) take_input file "$2" ;;
	--input-b64) take_input b64 "$2" ;;
	--cpu-time-limit-seconds) number "$1" "$2"; cpu=$2 ;;
	--max-memory-bytes) number "$1" "$2"; mem=$2 ;;
	--max-output-bytes) number "$1" "$2"; out=$2 ;;
	--solve-fuel|--max-c-bytes)
		number "$1" "$2"
		compiler_words="$compiler_words $1 $2" ;;
	--runner)
		case $2 in
		auto|os) ;;
		host) die "--runner host: the host runner cannot run an OS world" ;;
		*) die "--runner $2: must be auto, os or host" ;;
		esac ;;
	--module-root|--compat|--cc-profile)
		quote "$2"
		compiler_words="$compiler_words $1 $quoted" ;;
	*)
		quote "$2"
		overrides="$overrides $1 $quoted"
		named="$named $1" ;;
	esac
}

take_input()
{
	[ -z "$input_kind" ] ||
	    die "only one of --input, --stdin and --input-b64 can be given"
	input_kind=$1 input=$2
}

check_options()
{
	case ${project:+x}${single:+x}${artifact:+x} in
	xx*) die "only one of --project, --program and --artifact can be given" ;;
	esac
	# Two profiles need no manifest to mean something.
	case ${single:+x}${artifact:+x}:$profile in
	:*|x:|x:os|x:sandbox) ;;
	*) die "--profile needs a project, and there is none with --program or --artifact" ;;
	esac
	case $world in
	''|run-os|run-os-sandboxed) ;;
	*) die "world $world is not an OS world; x07 run takes run-os and run-os-sandboxed" ;;
	esac
	case $report in
	runner|wrapped)
		die "--report $report: here it names a file; write ./$report if that is the one" ;;
	esac
	for _name in log report; do
		eval "_value=\$$_name"
		[ -z "$_value" ] || absolute "$_value" "$here"
		[ -z "$_value" ] || eval "$_name=\$absolute"
	done
}

# Options that only mean something under a policy, or under one backend.
check_world()
{
	[ "$world" = run-os ] || return 0
	[ -z "$policy" ] || die "--policy is only valid for run-os-sandboxed; add --profile sandbox"
	for _flag in $named ${log:+--log}; do
		die "$_flag requires run-os-sandboxed; add --profile sandbox"
	done
	[ "$strict$trace" = nono ] ||
	    die "--strict and --trace require run-os-sandboxed; add --profile sandbox"
}

no_program()
{
	_usage='x07 run [options] -- program [argument ...]'
	[ "$command" = run ] || _usage='x07 bundle [options] --out PATH -- program'
	[ -z "$entry" ] || die "no program: $root/$entry does not exist, and no \
command was given; usage: $_usage"
	die "no program given; usage: $_usage"
}

# The manifest, and the policy when the project starts sandboxed.
init()
{
	template=
	while [ $# -gt 0 ]; do
		case $1 in
		--template)
			[ $# -ge 2 ] || die "$1 needs an argument"
			template=$2
			full "$1" "$2"
			shift 2 ;;
		--template=*)
			template=${1#*=}
			full --template "$template"
			shift ;;
		-h|--help) usage; exit 0 ;;
		*) die "unknown argument $1; usage: x07 init [--template NAME]" ;;
		esac
	done
	find_helper project
	set -- ${template:+-t "$template"}
	_policy=$("$tool" init -n "$@") || exit $?
	if [ -n "$_policy" ]; then
		_there=unchanged
		[ -e "$_policy" ] || _there=created
		if ! "$x07_policy" init --template "$template" \
		    --out "$here/$_policy" --mkdir-out >/dev/null; then
			# Another one is there, or nothing can be made.
			[ "$_there" = created ] || exit 20
			exit 2
		fi
		printf '%s\n' "$_there $_policy"
	fi
	exec "$tool" init "$@"
}

# What a sandboxed run would get here decides whether it can run.
doctor()
{
	world=run-os-sandboxed backend='' accept=no
	if _why=$(choose_backend 2>&1); then
		choose_backend
		set -- -b "$backend" "$@"
	else
		set -- -W "${_why#x07 doctor: }" "$@"
	fi
	find_helper doctor
	exec "$tool" -B "$bindir" -L "${tool%/*}" "$@"
}

command=
self=$0
case $self in
*/*) ;;
*) self=$(command -v -- "$0") || self=/ ;;
esac
# Started through a link: the suite is where it leads.
if [ -h "$self" ]; then
	self=$(readlink -f -- "$self" && echo .) && self=${self%??}
fi
directory "${self%/*}/" || die "cannot find the directory of $self"
bindir=$directory
directory . || :
here=$directory
find_tool x07-policy || die "x07-policy is not installed"
x07_policy=$tool

case ${1-} in
init|run)
	command=$1
	shift
	need_here
	"$command" "$@" ;;
policy)
	command=policy
	shift
	[ $# -gt 0 ] || die "which one? x07 policy init, check, derive, explain, ... (x07-policy -h)"
	exec "$x07_policy" "$@" ;;
bundle)
	command=bundle
	shift
	case ${1-} in
	inspect|verify|extract|-h|--help)
		find_tool x07-bundle || die "x07-bundle is not installed" 1
		exec "$tool" "$@" ;;
	esac
	need_here
	run "$@" ;;
doctor)
	command=doctor
	shift
	doctor "$@" ;;
version|--version) printf 'x07 %s\n' "$version" ;;
help|-h|--help) usage ;;
'') usage >&2; exit 2 ;;
*) die "unknown command '$1'; available: init, run, policy, bundle, doctor, help, version" ;;
esac
