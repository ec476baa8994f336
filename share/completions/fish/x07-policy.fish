# fish completion for x07-policy

function __x07_policy_keys
    set -l words (commandline -opc)
    x07-policy explain -j -- $words[-1] 2>/dev/null |
        string replace -rf '^\{"key":"([a-z_.]*)".*' '$1'
end

set -l commands init check fmt get explain diff derive suggest compile plan seal
set -l none "not __fish_seen_subcommand_from $commands"
function __x07_policy_option
    complete -c x07-policy -n "__fish_seen_subcommand_from $argv[1]" $argv[2..-1]
end

complete -c x07-policy -n $none -f
complete -c x07-policy -n $none -a init -d 'make a base policy'
complete -c x07-policy -n $none -a check -d 'tell everything that is wrong with policies'
complete -c x07-policy -n $none -a fmt -d 'print canonical bytes, or write them'
complete -c x07-policy -n $none -a get -d 'print one value'
complete -c x07-policy -n $none -a explain -d 'tell what enforces each key on this machine'
complete -c x07-policy -n $none -a diff -d 'tell what one policy grants beyond another'
complete -c x07-policy -n $none -a derive -d 'make a policy from a base and what one run needs'
complete -c x07-policy -n $none -a suggest -d 'print the policy that allows what a log shows as denied'
complete -c x07-policy -n $none -a compile -d 'print the normal form'
complete -c x07-policy -n $none -a plan -d 'print the chain of gates'
complete -c x07-policy -n $none -a seal -d 'run a program with the sealed normal form'

__x07_policy_option init -f -l template -x -a 'cli http-client web-service fs-tool sqlite-app postgres-client worker worker-parallel'
__x07_policy_option init -l project -r -d 'its directory is the root'
__x07_policy_option init -l policy-id -x
__x07_policy_option init -l out -r
__x07_policy_option init -l mkdir-out
__x07_policy_option init -l force
__x07_policy_option init -l emit -x -a 'report policy'
__x07_policy_option check -s j -d JSON
__x07_policy_option fmt -s d -d 'show the difference'
__x07_policy_option fmt -s w -d write
__x07_policy_option explain -s b -l backend -x -a 'os vm'
__x07_policy_option explain -s j -l json
__x07_policy_option explain -s u -l unenforced -d 'only what is not enforced'
__x07_policy_option diff -s q -d 'only the exit status'
for o in allow-host deny-host for
    __x07_policy_option derive -l $o -x
end
for o in allow-host-file deny-host-file allow-read-root allow-write-root
    __x07_policy_option derive -l $o -r
end
__x07_policy_option 'get explain diff derive suggest compile seal' -s C -r -d 'project root'
__x07_policy_option seal -s f -x -d descriptor
__x07_policy_option seal -s s -x -a 'os vm' -d 'refuse what is not enforced'
__x07_policy_option seal -s x -d 'made by the X07 compiler'
complete -c x07-policy -n '__fish_seen_subcommand_from get; and test (count (commandline -opc)) -gt 2' -a '(__x07_policy_keys)'
functions -e __x07_policy_option
