#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# wireguard-go, which reads and writes with offloads and a header of 10 bytes.
set -euo pipefail

# shellcheck source-path=SCRIPTDIR source=clients_lib.sh
source "$(dirname -- "$0")/clients_lib.sh"
isolate "$@"

has_socket()
{
	[[ -S /run/wireguard/$1.sock ]]
}

# peer NAMESPACE DEVICE PEER: as wg-quick would set it up.
peer()
{
	wg set "$2" listen-port 51820 private-key "$tmp/$1.key" peer "$(<"$tmp/$3.pub")" \
		endpoint "${wire[$3]}:51820" allowed-ips "${addr4[$3]}/32,${addr6[$3]}/128" &&
		ip -n "$1" addr add "${addr4[$1]}/24" dev "$2" &&
		ip -n "$1" addr add "${addr6[$1]}/64" dev "$2" nodad &&
		ip -n "$1" link set "$2" mtu 1420 up
}

# wg counts what it encrypted and what it could decrypt.
transferred()
{
	wg show "$1" transfer | awk -v n="$payload" '{ good = $2 > n && $3 > n } END { exit !good }' ||
		complain "wg: $(wg show "$1" transfer)"
}

offloads()
{
	on left ethtool -k wg-l | grep -q '^tcp-segmentation-offload: on' ||
		complain "$(on left ethtool -k wg-l | grep segm)"
}

tunnel()
{
	local ns

	for ns in left right; do
		(umask 077 && wg genkey >"$tmp/$ns.key")
		wg pubkey <"$tmp/$ns.key" >"$tmp/$ns.pub"
		start "wireguard-$ns" "$ns" env LOG_LEVEL=verbose \
			wireguard-go --foreground "wg-${ns:0:1}"
		retry "$patience" has_socket "wg-${ns:0:1}" ||
			complain "wireguard-go makes no socket" || return
	done
	peer left wg-l right && peer right wg-r left &&
		offloads && check_tunnel wireguard wg-l wg-r &&
		transferred wg-l && transferred wg-r &&
		stop wireguard-left wireguard-right && gone left wg-l && gone right wg-r
}

# The interface is deleted under the program, which ends.
deleted()
{
	start wireguard-left left wireguard-go --foreground wg-l
	retry "$patience" has_socket wg-l && ip -n left link del wg-l &&
		retry "$patience" ended wireguard-left ||
		complain "wireguard-go does not see that its interface is gone" || return
	stop wireguard-left
}

begin 2 wireguard-go wg
try wireguard tunnel
try wireguard_deleted deleted
ktap_finished
