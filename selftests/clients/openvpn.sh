#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# OpenVPN over UDP and TCP, with TUN and TAP, and as a user who owns the interface.
set -euo pipefail

# shellcheck source-path=SCRIPTDIR source=clients_lib.sh
source "$(dirname -- "$0")/clients_lib.sh"
isolate "$@"

# tunnel NAME PROTOCOL DEVICE [OPTION...]
tunnel()
{
	start_openvpn right "$3-r" "$2" "${@:4}" && start_openvpn left "$3-l" "$2" "${@:4}" &&
		says openvpn-right 'Initialization Sequence Completed' &&
		says openvpn-left 'Initialization Sequence Completed' || return
	check_tunnel "$1" "$3-l" "$3-r" || return
	stop openvpn-left openvpn-right && gone left "$3-l" && gone right "$3-r"
}

# Root makes the interfaces and gives them to a user, whose programs attach to them.
owner()
{
	local ns dev as=("${as_tester[@]}")

	for ns in left right; do
		dev=own-${ns:0:1}
		on "$ns" openvpn --mktun --dev "$dev" --dev-type tun --user tester >"$tmp/mktun" ||
			complain "$(tail -n 3 "$tmp/mktun")" || return
		ip -n "$ns" addr add "${addr4[$ns]}/24" dev "$dev" &&
			ip -n "$ns" addr add "${addr6[$ns]}/64" dev "$dev" nodad &&
			ip -n "$ns" link set "$dev" up &&
			start_openvpn "$ns" "$dev" udp --ifconfig-noexec || return
	done
	check_tunnel openvpn_owner own-l own-r &&
		stop openvpn-left openvpn-right || return
	for ns in left right; do
		dev=own-${ns:0:1}
		expect "$(link_of "$ns" "$dev" .linkinfo.info_data.user)" tester "the owner" &&
			on "$ns" openvpn --rmtun --dev "$dev" --dev-type tun >"$tmp/rmtun" &&
			gone "$ns" "$dev" || return
	done
}

# With the module under its own name and node, whoever has /dev/net/tun.
other_node()
{
	local node=(--dev node-l --dev-type tun --dev-node /dev/net/rtun)

	insmod "$RTUN_KO" || complain "no module $RTUN_KO" || return
	chmod 666 /dev/net/rtun
	on left openvpn --mktun "${node[@]}" >"$tmp/mktun" &&
		expect "$(link_of left node-l .linkinfo.info_kind)" rtun "the kind of node-l" &&
		on left openvpn --rmtun "${node[@]}" >"$tmp/rmtun" && gone left node-l &&
		tunnel openvpn_node udp node --dev-node /dev/net/rtun || return
	rmmod rtun || complain "the module is in use"
}

begin 5 openvpn openssl
make_certificates
try openvpn_udp tunnel openvpn_udp udp ovpn
try openvpn_tcp tunnel openvpn_tcp tcp ovpn
try openvpn_tap tunnel openvpn_tap udp otap
try openvpn_owner owner
try openvpn_node other_node
ktap_finished
