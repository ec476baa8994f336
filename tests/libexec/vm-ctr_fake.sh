#!/bin/sh
# Stands for a container runtime: records its words, and then does what the test
# wants of that kind of call. $FAKE/KIND is sourced where there is one.
i=$(cat "$FAKE/count" 2>/dev/null || echo 0)
echo $((i + 1)) >"$FAKE/count"

case " $* " in
*" image inspect "* | *" images list "*) kind=inspect ;;
*" images tag "*) kind=tag ;;
*CgroupControllers*) kind=controllers ;;
*" info --format "* | *" version "* | *" system info "* | *" preflight "*) kind=probe ;;
*" kill --exec-id "*) kind=unexec ;;
*" exec "*) kind='exec' ;;
*" stop "* | *" SIGTERM "*) kind=soft ;;
*" SIGKILL "* | *" KILL "*) kind=hard ;;
*" tasks delete "*) kind=task ;;
*" rm -f "* | *" delete "*) kind=remove ;;
*" ps -a "* | *" list "*) kind=list ;;
*" containers info "* | *" inspect x07-"*) kind=info ;;
*" run "*) kind=run ;;
*) kind=unknown ;;
esac
printf '%s\n' "$@" >"$FAKE/words.$kind"
echo "$kind $*" >>"$FAKE/calls"

# shellcheck disable=SC2317 # by the trap
# ended STATUS: of run. Nothing runs any more, and what ended well was started; unless a
# test wants it otherwise.
ended()
{
	[ -e "$FAKE/runs_on" ] || : >"$FAKE/ran"
	[ "$1" -eq 0 ] && [ ! -e "$FAKE/unstarted" ] || return 0
	sed -nE 's/^type=bind,[a-z]+=(.*),[a-z]+=\/x07\/out.*/\1/p' "$FAKE/words.run" |
	    while read -r out; do : >"$out/started"; done
}
[ $kind != run ] || trap 'ended $?' EXIT
if [ $kind = hard ] && [ -e "$FAKE/ran" ]; then
	echo "Container is not running" >&2
	exit 1
fi

# shellcheck source=/dev/null
[ ! -e "$FAKE/$kind" ] || . "$FAKE/$kind"
exit 0
