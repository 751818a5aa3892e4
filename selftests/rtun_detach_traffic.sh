#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Queues are detached and attached again while traffic runs: every flow stays in
# order, nothing is lost that no counter shows, a detached queue carries nothing
# and an attached one carries packets again.
set -euo pipefail

# shellcheck source-path=SCRIPTDIR source=traffic_lib.sh
source "$(dirname -- "$0")/traffic_lib.sh"
isolate "$@"
load_ktap

# total_read ID: packets that all queues of both interfaces have read.
total_read()
{
	ask "$1" stats | awk '{ sum += $5 } END { print sum }'
}

# queue_packets ID QUEUE: packets read and written on that queue, both ends.
queue_packets()
{
	ask "$1" stats | awk -v q="$2" '$2 == q { sum += $5 + $7 } END { print sum }'
}

more_read()
{
	(($(total_read "$1") >= $2))
}

# pass_packets ID N: waits until N more packets have gone through.
pass_packets()
{
	retry 20 more_read "$1" $(($(total_read "$1") + $2)) ||
		complain "traffic has stopped"
}

# New flows until one comes to the queue: old ones stay where they were learnt.
new_flows_use_queue()
{
	local id=$1 queue=$2 before=$3 try

	for try in 1 2 3 4 5 6; do
		"$here/udp-flows" -f 16 -r 20 -t 0.3 -p $((7100 + try)) \
			left right "${addr4[right]}" >"$tmp/new" ||
			complain "new flows: $(cat "$tmp/new")" || return
		(($(queue_packets "$id" "$queue") > before)) && return
	done
	complain "no packet on queue $queue after it was attached"
}

cycle()
{
	local id=$1 queue=$2 before after

	ask "$id" detach "$queue" || return
	before=$(queue_packets "$id" "$queue")
	pass_packets "$id" 200 || return
	after=$(queue_packets "$id" "$queue")
	((before == after)) ||
		complain "queue $queue carried $((after - before)) packets" || return
	ask "$id" attach "$queue" || return
	pass_packets "$id" 200 || return
	new_flows_use_queue "$id" "$queue" "$after"
}

# Two queues out at once: down to half, and back in another order.
two_at_once()
{
	ask "$1" detach 0 && ask "$1" detach 3 && pass_packets "$1" 200 &&
		ask "$1" attach 3 && pass_packets "$1" 200 &&
		ask "$1" attach 0 && pass_packets "$1" 200
}

start_flows()
{
	mkfifo "$tmp/flows"
	"$here/udp-flows" "$@" -f 12 -r $((80 / ${TEST_SLOW:-1})) -t 0 left right "${addr4[right]}" \
		>"$tmp/flows" &
	flows=$!
	exec {flows_out}<"$tmp/flows"
	rm "$tmp/flows"
	{ read -r -t "$patience" -u "$flows_out" line && [[ $line == running ]]; } ||
		complain "udp-flows: ${line:-no answer}"
}

# Leaves the report in $tmp/report.
stop_flows()
{
	kill -TERM "$flows"
	cat <&"$flows_out" >"$tmp/report"
	exec {flows_out}<&-
	wait "$flows" || true
}

in_order()
{
	awk '/^(forward|back) sent/ { n++; bad += $9 + $11 }
		END { exit !n || bad }' "$tmp/report" ||
		complain "$(cat "$tmp/report")"
}

# all_drops ID: on the way, and by the sockets at both ends, which a busy machine does
# not empty in time.
all_drops()
{
	local ns sum

	sum=$(drops "$1")
	for ns in left right; do
		sum+=" $(ip netns exec "$ns" nstat -asz UdpRcvbufErrors |
			awk '$1 == "UdpRcvbufErrors" { print $2 }')"
	done
	echo "$((${sum// /+}))"
}

# losses_are_counted ID DROPS-BEFORE
losses_are_counted()
{
	local lost dropped

	lost=$(awk '/^(forward|back) sent/ { sum += $7 } END { print sum }' "$tmp/report")
	dropped=$(($(all_drops "$1") - $2))
	((lost <= dropped)) || complain "$lost lost, $dropped counted as dropped"
}

two_way_flows()
{
	local mode=$1 before queue

	before=$(all_drops "$mode")
	start_flows -e
	for ((queue = 0; queue < queues; queue++)); do
		ktap_test_result "${mode}_queue_${queue}_out_and_in" cycle "$mode" "$queue"
	done
	ktap_test_result "${mode}_two_queues_out_and_in" two_at_once "$mode"
	stop_flows
	ktap_test_result "${mode}_two_way_flows_stay_in_order" in_order
	ktap_test_result "${mode}_two_way_losses_are_counted" losses_are_counted "$mode" "$before"
}

down_to_one_queue()
{
	local queue

	for ((queue = 0; queue < queues - 1; queue++)); do
		ask "$1" detach "$queue" && pass_packets "$1" 200 || return
	done
}

# Nothing comes back: no queue ever learns these flows.
one_way_flows()
{
	local mode=$1 before

	before=$(all_drops "$mode")
	start_flows
	ktap_test_result "${mode}_down_to_one_queue" down_to_one_queue "$mode"
	stop_flows
	ktap_test_result "${mode}_one_way_flows_stay_in_order" in_order
	ktap_test_result "${mode}_one_way_losses_are_counted" losses_are_counted "$mode" "$before"
}

run_mode()
{
	start_forwarder "$1" "$1"
	set_up_links "$1"
	two_way_flows "$1"
	one_way_flows "$1"
	stop_forwarder "$1"
}

ktap_print_header
ktap_set_plan 20
make_namespaces
run_mode tun
run_mode tap
ktap_finished
