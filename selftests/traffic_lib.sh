# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# What the traffic tests share: two network namespaces, "left" and "right",
# with a multi-queue interface each, and the mq-forward sample between them.
#
# TUN_DEV		the device node, /dev/net/rtun if unset
# RTUN_SAMPLES		where the built samples are
# KSRC			a kernel source tree, for ktap_helpers.sh
# TEST_SLOW		how much less traffic the kernel can take (1)

TUN_DEV=${TUN_DEV:-/dev/net/rtun}
here=$(realpath -- "${BASH_SOURCE[0]%/*}")
samples=${RTUN_SAMPLES:-$here}
queues=4
patience=60 # seconds: a kernel that checks each access is slow, a busy machine too
declare -A to_forwarder from_forwarder forwarder_pid addr4 addr6
addr4=([left]=192.0.2.1 [right]=192.0.2.2)
addr6=([left]=2001:db8::1 [right]=2001:db8::2)

# Everything runs in namespaces of its own, which end with the script.
isolate()
{
	if [[ -z ${TRAFFIC_ISOLATED:-} ]]; then
		exec env TRAFFIC_ISOLATED=1 unshare --mount --net --pid --fork \
			--kill-child --mount-proc -- "$0" "$@"
	fi
	mkdir -p /run/netns
	mount -t tmpfs tmpfs /run/netns
	tmp=$(mktemp -d)
	mount -t tmpfs tmpfs "$tmp"
	trap 'umount -l "$tmp"; rmdir "$tmp"' EXIT
}

load_ktap()
{
	local dir

	for dir in "$here" "$here/kselftest" \
		   "${KSRC:-}/tools/testing/selftests/kselftest"; do
		if [[ -e $dir/ktap_helpers.sh ]]; then
			# shellcheck disable=SC1091
			source "$dir/ktap_helpers.sh"
			return
		fi
	done
	echo "Bail out! ktap_helpers.sh not found, KSRC must name a kernel tree"
	exit 1
}

# Prints what went wrong as a KTAP comment and fails.
complain()
{
	echo "# $*"
	return 1
}

# retry SECONDS COMMAND...: until it succeeds, at most that long.
retry()
{
	local deadline=$((SECONDS + $1))

	shift
	until "$@"; do
		((SECONDS < deadline)) || return 1
		sleep 0.05
	done
}

# start_forwarder ID MODE: interfaces ID-l and ID-r, reached by "ask ID".
start_forwarder()
{
	local in out line

	mkfifo "$tmp/$1.in" "$tmp/$1.out"
	"$samples/mq-forward" -d "$TUN_DEV" -m "$2" -q "$queues" \
		"$1-l@left" "$1-r@right" <"$tmp/$1.in" >"$tmp/$1.out" 2>&1 &
	forwarder_pid[$1]=$!
	exec {in}>"$tmp/$1.in" {out}<"$tmp/$1.out"
	to_forwarder[$1]=$in
	from_forwarder[$1]=$out
	{ read -r -t "$patience" -u "$out" line && [[ $line == ready* ]]; } ||
		complain "mq-forward: ${line:-no answer}"
}

# ask ID COMMAND...: prints the answer.
ask()
{
	local id=$1 line

	shift
	echo "$*" >&"${to_forwarder[$id]}"
	while read -r -t "$patience" -u "${from_forwarder[$id]}" line; do
		case $line in
		ok) return 0 ;;
		error:*) complain "mq-forward: $*: $line"; return 1 ;;
		*) echo "$line" ;;
		esac
	done
	complain "mq-forward does not answer to: $*"
}

# Ends the forwarder; fails if it does not end well.
stop_forwarder()
{
	local in=${to_forwarder[$1]} out=${from_forwarder[$1]} status=0

	ask "$1" quit >"$tmp/last-stats" || status=1
	exec {in}>&- {out}<&-
	wait "${forwarder_pid[$1]}" && return "$status"
}

make_namespaces()
{
	local ns

	for ns in left right; do
		ip netns add "$ns"
		ip -n "$ns" link set lo up
	done
}

answers()
{
	ip netns exec left ping -q -c 1 -W 1 "$1" >/dev/null 2>&1
}

# set_up_links ID: up, with addresses that can be used at once.
set_up_links()
{
	local ns dev

	for ns in left right; do
		dev=$1-${ns:0:1}
		printf '%s\n' "link set $dev addrgenmode none up" \
			"addr add ${addr4[$ns]}/24 dev $dev" \
			"addr add ${addr6[$ns]}/64 dev $dev nodad" |
			ip -n "$ns" -batch -
	done
	retry "$patience" answers "${addr4[right]}" && retry "$patience" answers "${addr6[right]}" &&
		return
	complain "the other namespace does not answer"
}

# drops ID: packets that either interface or the forwarder dropped.
drops()
{
	local by_forwarder

	by_forwarder=$(ask "$1" stats | awk '{ sum += $9 } END { print sum + 0 }')
	{
		ip -n left -j -s -s link show dev "$1-l"
		ip -n right -j -s -s link show dev "$1-r"
	} | jq -s --argjson sum "$by_forwarder" 'add | map(.stats64 |
		.tx.dropped + .rx.dropped + .rx.errors + .tx.errors) | add + $sum'
}

# idle_queues ID FILE: queues that have read or written nothing since FILE, which
# holds an earlier answer to "stats".
idle_queues()
{
	ask "$1" stats | awk '
		NR == FNR { was_read[$1, $2] = $5; was_written[$1, $2] = $7; next }
		$5 == was_read[$1, $2] || $7 == was_written[$1, $2] {
			printf "%s:%s ", $1, $2
		}' "$2" -
}

listening()
{
	[[ -n $(ip netns exec right ss -Hltn "sport = :5201") ]]
}

# A server whose report of the last run is all that $tmp/iperf.json holds.
start_iperf_server()
{
	: >"$tmp/iperf.json"
	ip netns exec right iperf3 -s -J >>"$tmp/iperf.json" 2>&1 &
	iperf_server=$!
	retry "$patience" listening || complain "iperf3 does not listen"
}

stop_iperf_server()
{
	kill "$iperf_server"
	wait "$iperf_server" || true
}

# reported FILE: it holds a whole report.
reported()
{
	[[ $(<"$1") == *$'\n}' ]]
}

# iperf ADDRESS OPTIONS...: leaves the receiver's report in $tmp/iperf.json
iperf()
{
	: >"$tmp/iperf.json"
	ip netns exec left timeout "$patience" iperf3 -c "$@" >"$tmp/iperf.out" 2>&1 ||
		complain "iperf3: $(tail -n 1 "$tmp/iperf.out")" || return
	retry "$patience" reported "$tmp/iperf.json" || complain "iperf3: no report from the server"
}
