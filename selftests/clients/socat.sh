#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# socat between an interface and a UDP socket, with and without packet information.
set -euo pipefail

# shellcheck source-path=SCRIPTDIR source=clients_lib.sh
source "$(dirname -- "$0")/clients_lib.sh"
isolate "$@"

# start_socat NAMESPACE TUN-ADDRESS: between socat's TUN address and
# the wire. The socket is not connected: it hears of no peer that is not there yet.
start_socat()
{
	local ns=$1 tun=$2 peer=left

	[[ $ns == right ]] || peer=right
	start "socat-$ns" "$ns" socat -b 65536 "$tun" \
		"UDP-DATAGRAM:${wire[$peer]}:7100,bind=${wire[$ns]}:7100"
}

is_up()
{
	[[ $(ip -n "$1" link show up dev "$2" 2>/dev/null) ]]
}

# tunnel NAME TYPE [OPTION]: socat's options for both interfaces.
tunnel()
{
	local ns dev pi=true

	[[ ! ${3-} ]] || pi=false
	for ns in left right; do
		dev=soc-${ns:0:1}
		start_socat "$ns" "TUN:${addr4[$ns]}/24,tun-type=$2,tun-name=$dev,iff-up${3:+,$3}"
		retry "$patience" is_up "$ns" "$dev" &&
			ip -n "$ns" addr add "${addr6[$ns]}/64" dev "$dev" nodad &&
			expect "$(link_of "$ns" "$dev" .linkinfo.info_data.pi)" "$pi" pi || return
	done
	check_tunnel "$1" soc-l soc-r &&
		stop socat-left socat-right && gone left soc-l && gone right soc-r
}

begin 3 socat
try socat_tun tunnel socat_tun tun iff-no-pi
try socat_tun_pi tunnel socat_tun_pi tun
try socat_tap tunnel socat_tap tap iff-no-pi
ktap_finished
