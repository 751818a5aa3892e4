#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# A queue as a datagram socket (RTUN_SOCKET) of Go's net package and of tokio, each
# as two of the types that they have. `vm/clients` builds the programs.
set -euo pipefail

# shellcheck source-path=SCRIPTDIR source=clients_lib.sh
source "$(dirname -- "$0")/clients_lib.sh"
isolate "$@"

build=$(dirname -- "$0")/../../build

needs_rtun()
{
	[[ $(</sys/module/tun/taint) != *O* ]] || return 0
	echo "1..0 # SKIP the in-tree driver has no RTUN_SOCKET"
	exit "$KSFT_SKIP"
}

# answers PROGRAM KIND: pings, one at a time and many, and ends.
answers()
{
	local dev=pong out size

	start pong left "$1" "$2" "$TUN_DEV" "$dev"
	says pong "^ready $dev" || return
	ip -n left addr add "${addr4[left]}/24" dev "$dev" &&
		ip -n left link set "$dev" up || return
	for size in 56 1472; do # none is cut into fragments
		out=$(on left ping -q -c 3 -i 0.05 -w "$patience" -s "$size" \
			"${addr4[right]}" 2>&1) || complain "$size bytes: $out" || return
	done
	# With -w it would go on sending until 500 are answered, and lose the last.
	out=$(on left timeout "$patience" ping -q -A -l 20 -c 500 "${addr4[right]}" 2>&1) ||
		complain "$out" || return
	[[ $out == *" 0% packet loss"* ]] || complain "$out" || return
	stop pong && gone left "$dev"
}

load_ktap
needs_rtun
begin 4 "$build/go/pong" "$build/tokio/target/release/tokio-pong"
try go_packet_conn answers "$build/go/pong" packet
try go_conn answers "$build/go/pong" conn
try tokio_udp_socket answers "$build/tokio/target/release/tokio-pong" udp
try tokio_unix_datagram answers "$build/tokio/target/release/tokio-pong" unix
ktap_finished
