#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Each sample does what its first comment says.
set -euo pipefail

# shellcheck source-path=SCRIPTDIR source=traffic_lib.sh
source "$(dirname -- "$0")/traffic_lib.sh"
isolate "$@"
load_ktap

# start_simple NAME COMMAND...: runs simple-tun by COMMAND, until it says "ready".
start_simple()
{
	local name=$1

	shift
	start_pong "$name" "$@" "$samples/simple-tun"
}

# start_pong NAME COMMAND...: runs COMMAND -d NODE NAME until it says "ready".
start_pong()
{
	local name=$1 line

	shift
	mkfifo "$tmp/$name.out"
	"$@" -d "$tmp/node" "$name" >"$tmp/$name.out" 2>&1 &
	simple=$!
	exec {out}<"$tmp/$name.out"
	{ read -r -t "$patience" -u "$out" line && [[ $line == "ready $name" ]]; } ||
		complain "$*: ${line:-no answer}"
}

stop_simple()
{
	kill "$simple"
	wait "$simple" || true
}

answers_ping()
{
	local out

	ip addr add 198.51.100.1/24 dev "$1"
	ip link set "$1" up
	out=$(ping -q -c 5 -i 0.02 -W 5 "$2" 198.51.100.77) || complain "$out"
}

simple_tun_answers()
{
	start_simple tun-s env && answers_ping tun-s -s56 || return
	# Odd length, several bytes of checksum carry, largest at this MTU.
	ping -q -c 3 -i 0.02 -W 5 -s 1471 -p ff 198.51.100.78 >/dev/null &&
		stop_simple && ! ip link show dev tun-s 2>/dev/null
}

# batch_pong_answers PROGRAM: more than one packet at a time, so that some reads have
# several.
batch_pong_answers()
{
	local line

	start_pong tun-b "$samples/$1" && answers_ping tun-b -s56 &&
		ping -q -f -l 50 -c 200 198.51.100.78 >/dev/null || return
	read -r -t "$patience" -u "$out" line || return
	[[ $line == *" packets in one read" ]] || complain "$line" || return
	stop_simple && rm "$tmp/tun-b.out" && ! ip link show dev tun-b 2>/dev/null
}

mmsg_pong_answers()
{
	start_pong tun-m "$samples/mmsg-pong" && answers_ping tun-m -s56 &&
		ping -q -f -l 50 -c 200 198.51.100.78 >/dev/null &&
		stop_simple && ! ip link show dev tun-m 2>/dev/null
}

persist_adds()
{
	"$samples/persist" -d "$tmp/node" -u 65534 add tun-p >/dev/null &&
		ip link show dev tun-p >/dev/null
}

persist_refuses_second_add()
{
	! "$samples/persist" -d "$tmp/node" add tun-p 2>/dev/null
}

unprivileged=(setpriv --regid 65534 --clear-groups --reuid)

owner_needs_no_privilege()
{
	start_simple tun-p "${unprivileged[@]}" 65534 && answers_ping tun-p -s56 &&
		stop_simple && ip link show dev tun-p >/dev/null
}

others_are_refused()
{
	local out

	out=$("${unprivileged[@]}" 65533 "$samples/simple-tun" -d "$tmp/node" tun-p 2>&1) ||
		[[ $out == *"Operation not permitted"* ]] || complain "$out"
}

persist_deletes()
{
	"$samples/persist" -d "$tmp/node" del tun-p &&
		! ip link show dev tun-p 2>/dev/null
}

persist_multi_queue_tap()
{
	"$samples/persist" -d "$tmp/node" -m tap -q add tap-p >/dev/null &&
		! "$samples/persist" -d "$tmp/node" -m tap del tap-p 2>/dev/null &&
		"$samples/persist" -d "$tmp/node" -m tap -q del tap-p &&
		! ip link show dev tap-p 2>/dev/null
}

queue_states()
{
	ask fwd stats | awk '{ printf "%s ", $3 }'
}

forwarder_switches_queues()
{
	[[ $(queue_states) == "on on on on on on on on " ]] &&
		ask fwd detach 2 &&
		[[ $(queue_states) == "on on off on on on off on " ]] &&
		ask fwd attach 2 &&
		[[ $(queue_states) == "on on on on on on on on " ]]
}

forwarder_refuses_nonsense()
{
	! ask fwd detach 4 >/dev/null && ! ask fwd detach >/dev/null &&
		! ask fwd attach x >/dev/null && ! ask fwd dance >/dev/null
}

forwarder_shows_figures_itself()
{
	local out line

	mkfifo "$tmp/hold" "$tmp/every"
	"$samples/mq-forward" -d "$TUN_DEV" -m tap -q 1 -i 1 a%d b%d \
		<"$tmp/hold" >"$tmp/every" 2>&1 &
	exec {hold}>"$tmp/hold" {out}<"$tmp/every"
	read -r -t "$patience" -u "$out" line && [[ $line == "ready a0 b0" ]] || return
	read -r -t "$patience" -u "$out" line && [[ $line == "a0 0 on read "* ]] || return
	exec {hold}>&-
	wait "$!"
}

# A node that every user may open, in a file system of our own.
read -r major minor < <(stat -L -c '0x%t 0x%T' "$TUN_DEV")
mknod -m 666 "$tmp/node" c $((major)) $((minor))
chmod 755 "$tmp"
make_namespaces

ktap_print_header
ktap_set_plan 14
ktap_test_result simple_tun_answers_pings simple_tun_answers
if [[ $TUN_KIND == rtun ]]; then
	ktap_test_result batch_pong_answers_pings batch_pong_answers batch-pong
	ktap_test_result batch_pong_in_rust_answers_pings batch_pong_answers batch_pong
	ktap_test_result mmsg_pong_answers_pings mmsg_pong_answers
else # it has neither
	ktap_test_skip batch_pong_answers_pings
	ktap_test_skip batch_pong_in_rust_answers_pings
	ktap_test_skip mmsg_pong_answers_pings
fi
ktap_test_result persist_adds persist_adds
ktap_test_result persist_refuses_second_add persist_refuses_second_add
ktap_test_result persist_owner_needs_no_privilege owner_needs_no_privilege
ktap_test_result persist_others_are_refused others_are_refused
ktap_test_result persist_deletes persist_deletes
ktap_test_result persist_multi_queue_tap persist_multi_queue_tap
start_forwarder fwd tun
ktap_test_result forwarder_switches_queues forwarder_switches_queues
ktap_test_result forwarder_refuses_nonsense forwarder_refuses_nonsense
ktap_test_result forwarder_stops stop_forwarder fwd
ktap_test_result forwarder_shows_figures_itself forwarder_shows_figures_itself
ktap_finished
