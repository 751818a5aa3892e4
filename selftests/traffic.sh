#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Real traffic between two namespaces over multi-queue TUN or TAP interfaces:
# ping, TCP and UDP, IPv4 and IPv6, through the mq-forward sample.
set -euo pipefail

# shellcheck source-path=SCRIPTDIR source=traffic_lib.sh
source "$(dirname -- "$0")/traffic_lib.sh"
isolate "$@"
load_ktap

no_ping_lost()
{
	local out

	out=$(ip netns exec left ping -q -c 20 -i 0.02 -W 5 "$1") ||
		complain "$out" || return
	[[ $out == *" 0% packet loss"* && $out != *duplicates* ]] || complain "$out"
}

# Every stream must have brought data.
tcp_streams_complete()
{
	iperf "$1" -P 16 -t 2 -b $((300 / ${TEST_SLOW:-1}))K -l 4K --pacing-timer 50000 || return
	jq -e '[.end.streams[].receiver.bytes] | length == 16 and all(. > 0)' \
		"$tmp/iperf.json" >/dev/null && return
	complain "$(jq -c '[.end.streams[] |
		{bytes: .receiver.bytes, seconds: .receiver.seconds}]' "$tmp/iperf.json")"
}

# Chance may leave a queue without a flow: other ports, other queues.
every_queue_used()
{
	local mode=$1 address=$2 try

	for try in 1 2 3 4 5 6; do
		[[ -n $(idle_queues "$mode" "$tmp/start") ]] || return 0
		echo "# try $try: no packet yet on $(idle_queues "$mode" "$tmp/start")"
		tcp_streams_complete "$address" || return
	done
	complain "still no packet on $(idle_queues "$mode" "$tmp/start")"
}

# So many packets, however long that takes.
udp_complete()
{
	iperf "$1" -u -P 4 -k 1000 -b $((500 / ${TEST_SLOW:-1}))K -l 250 --pacing-timer 4000 || return
	jq -e '[.end.streams[].udp] | length == 4 and
		all(.packets > 100 and .lost_packets == 0 and .out_of_order == 0)' \
		"$tmp/iperf.json" >/dev/null && return
	complain "$(jq -c '[.end.streams[].udp |
		{packets, lost_packets, out_of_order}]' "$tmp/iperf.json")"
}

flows_in_order()
{
	"$here/udp-flows" -e -f 8 -r 200 -t 1.5 left right "$1" \
		>"$tmp/flows" && return
	complain "$(cat "$tmp/flows")"
}

low_rate()
{
	local name=$1 address=$2

	ktap_test_result "${name}_ping_loses_nothing" no_ping_lost "$address"
	ktap_test_result "${name}_udp_loses_nothing_in_order" udp_complete "$address"
	ktap_test_result "${name}_flows_lose_nothing_in_order" flows_in_order "$address"
}

tcp()
{
	local mode=$1 name=$2 address=$3

	ask "$mode" stats >"$tmp/start"
	ktap_test_result "${name}_tcp_streams_complete" tcp_streams_complete "$address"
	ktap_test_result "${name}_every_queue_carries_packets" every_queue_used "$mode" "$address"
}

interfaces_are_gone()
{
	! ip -n left link show dev "$1-l" >/dev/null 2>&1 &&
		! ip -n right link show dev "$1-r" >/dev/null 2>&1
}

run_mode()
{
	local mode=$1 before

	start_forwarder "$mode" "$mode"
	set_up_links "$mode"
	start_iperf_server
	before=$(drops "$mode")
	low_rate "${mode}_ipv4" "${addr4[right]}"
	low_rate "${mode}_ipv6" "${addr6[right]}"
	ktap_test_result "${mode}_no_drop_counted" [ "$(drops "$mode")" = "$before" ]
	tcp "$mode" "${mode}_ipv4" "${addr4[right]}"
	tcp "$mode" "${mode}_ipv6" "${addr6[right]}"
	stop_iperf_server
	ktap_test_result "${mode}_forwarder_stops" stop_forwarder "$mode"
	ktap_test_result "${mode}_interfaces_go_with_it" interfaces_are_gone "$mode"
}

ktap_print_header
ktap_set_plan 26
make_namespaces
run_mode tun
run_mode tap
ktap_finished
