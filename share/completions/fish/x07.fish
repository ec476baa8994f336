# fish completion for x07

# The names of the manifest's profiles: x07 tells them when it knows none such.
function __x07_profiles
    x07 run --profile '?' 2>&1 | string replace -rf '.*; available: ' '' |
        string split ', '
end

# Another tool's words behind "x07 NAME": its own completion does them.
function __x07_other
    set -l words (commandline -opc) (commandline -ct)
    complete -C "x07-$words[2] "(string join ' ' -- (string escape -- $words[3..-2]) $words[-1])
end

set -l commands init run policy bundle doctor help version
set -l none "not __fish_seen_subcommand_from $commands"
function __x07_run
    complete -c x07 -n '__fish_seen_subcommand_from run' $argv
end

complete -c x07 -f
complete -c x07 -n $none -a init -d 'make a manifest, and the policy it needs'
complete -c x07 -n $none -a run -d 'run a program in one of the worlds'
complete -c x07 -n $none -a policy -d 'make, check, derive and explain policies'
complete -c x07 -n $none -a bundle -d 'make an executable of a program and its policy'
complete -c x07 -n $none -a doctor -d 'tell what this machine can enforce'
complete -c x07 -n $none -a help -d 'show the options'
complete -c x07 -n $none -a version -d 'print the version'

complete -c x07 -n '__fish_seen_subcommand_from init' -l template -x -a 'cli http-client web-service fs-tool sqlite-app postgres-client worker worker-parallel'
complete -c x07 -n '__fish_seen_subcommand_from init' -s h -l help
complete -c x07 -n '__fish_seen_subcommand_from doctor' -s j -d JSON
complete -c x07 -n '__fish_seen_subcommand_from policy bundle' -a '(__x07_other)'

__x07_run -l project -r -F -d 'the manifest'
__x07_run -l profile -x -a '(__x07_profiles)' -d 'a profile of it'
__x07_run -l program -r -F -d 'a program without a manifest'
__x07_run -l artifact -r -F -d 'a compiled X07 program'
__x07_run -l policy -r -F -d 'the policy'
__x07_run -l sandbox-backend -x -a 'auto vm os none' -d 'what stands round the program'
__x07_run -l i-accept-weaker-isolation -d 'needed for os and none'
__x07_run -l allow-host -x -a '(__fish_print_hostnames)' -d 'add a host'
__x07_run -l allow-host-file -r -F -d 'add those of a file'
__x07_run -l deny-host -x -a '(__fish_print_hostnames)' -d 'take a host away'
__x07_run -l deny-host-file -r -F -d 'take those of a file away'
__x07_run -l allow-read-root -r -F -d 'add a root to read'
__x07_run -l allow-write-root -r -F -d 'add a root to write'
__x07_run -l input -r -F -d 'standard input'
__x07_run -l stdin -d 'take the standard input'
__x07_run -l input-b64 -x -d 'standard input'
__x07_run -l cpu-time-limit-seconds -x -d 'CPU time'
__x07_run -l max-memory-bytes -x -d memory
__x07_run -l max-output-bytes -x -d output
__x07_run -l log -r -F -d 'the decisions of the gates'
__x07_run -l report-out -r -F -d 'what became of the run'
__x07_run -l report -r -F -d 'what became of the run'
__x07_run -l strict -d 'refuse what is not enforced in every key'
__x07_run -l trace -d 'deny nothing, and tell what would have been denied'
__x07_run -s q -l quiet -d 'say less'
__x07_run -s v -l verbose -d 'show the chain of gates'
__x07_run -s h -l help -d help
__x07_run -l world -x -a 'run-os run-os-sandboxed' -d 'instead of that of the profile'
__x07_run -l os -d 'run-os, unless --world says otherwise'
__x07_run -l runner -x -a 'auto os' -d 'of the reference'
__x07_run -l auto-ffi -d 'for the X07 compiler'
__x07_run -l no-auto-ffi -d 'for the X07 compiler'
__x07_run -l solve-fuel -x -d 'for the X07 compiler'
__x07_run -l module-root -r -F -d 'for the X07 compiler'
__x07_run -l compat -x -d 'for the X07 compiler'
__x07_run -l cc-profile -x -a 'default size' -d 'for the X07 compiler'
__x07_run -l max-c-bytes -x -d 'for the X07 compiler'
__x07_run -l debug-borrow-checks -d 'for the X07 compiler'
__x07_run -a '(__fish_complete_subcommand --fcs-skip=2)'
functions -e __x07_run
