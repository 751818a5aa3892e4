#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# DPDK's testpmd forwards between two TAP interfaces of four queues each, as
# net_tap makes them: persistent, with a signal for what can be read. A bridge
# joins each to one of the two namespaces.
set -euo pipefail

# shellcheck source-path=SCRIPTDIR source=clients_lib.sh
source "$(dirname -- "$0")/clients_lib.sh"
isolate "$@"

# What the processor does not know, DPDK does not start on.
needs_sse()
{
	grep -qw sse4_2 /proc/cpuinfo && return
	echo "1..0 # SKIP the processor has no SSE4.2, which DPDK needs"
	exit "$KSFT_SKIP"
}

# join NAMESPACE TAP: pmd-l or pmd-r, bridged to the TAP interface.
join()
{
	local end=pmd-${1:0:1}

	printf '%s\n' "link add $end type veth peer name $end netns $1" \
		"link add br-$end type bridge" "link set $end master br-$end up" \
		"link set $2 master br-$end up" "link set br-$end up" | ip -n pmd -batch - &&
		printf '%s\n' "link set $end up" "addr add ${addr4[$1]}/24 dev $end" \
			"addr add ${addr6[$1]}/64 dev $end nodad" | ip -n "$1" -batch -
}

testpmd()
{
	mkfifo "$tmp/keys"
	exec {keys}<>"$tmp/keys"
	input=$tmp/keys start testpmd pmd dpdk-testpmd -l 0-1 --no-huge -m 64 --no-pci \
		--no-telemetry --file-prefix rtun \
		--vdev net_tap0,iface=dtap0 --vdev net_tap1,iface=dtap1 -- \
		--interactive --auto-start --nb-cores 1 --rxq "$queues" --txq "$queues" \
		--total-num-mbufs 8192 --forward-mode io
	says testpmd 'testpmd> '
}

# More flows than it takes to have some on every queue.
many_flows()
{
	start_iperf_server
	iperf "${addr4[right]}" -P 24 -t 1 -b 100K -l 1K || return
	iperf "${addr4[right]}" -P 24 -t 1 -b 100K -l 1K || return
	stop_iperf_server
}

# Streams are shown only if they have carried something.
every_queue_used()
{
	local port queue

	for port in 0 1; do
		for ((queue = 0; queue < queues; queue++)); do
			says testpmd "RX Port= $port/Queue= $queue -> TX Port= $((1 - port))/Queue= $queue" ||
				return
		done
	done
}

forwarded()
{
	testpmd && join left dtap0 && join right dtap1 &&
		expect "$(link_of pmd dtap0 .linkinfo.info_data.numqueues)" "$queues" "the number of queues" &&
		check_tunnel dpdk pmd-l pmd-r && counted pmd dtap0 && counted pmd dtap1 &&
		many_flows || return
	echo 'quit' >&"$keys"
	every_queue_used && stop testpmd && gone pmd dtap0 && gone pmd dtap1
}

begin 1 dpdk-testpmd
needs_sse
ip netns add pmd
try dpdk_testpmd forwarded
ktap_finished
