#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# systemd-networkd makes TUN and TAP interfaces from .netdev files, and programs
# attach to them. It runs as it would in a container: /sys is read-only, and then
# it waits for no udev.
set -euo pipefail

# shellcheck source-path=SCRIPTDIR source=clients_lib.sh
source "$(dirname -- "$0")/clients_lib.sh"
isolate "$@"

declare -A keep4=([left]=203.0.113.1 [right]=203.0.113.2)
declare -A keep6=([left]=2001:db8:1::1 [right]=2001:db8:1::2)
data=.linkinfo.info_data

# netdev NAMESPACE NAME KIND [SETTING...]
netdev()
{
	local file=$tmp/$1/$2.netdev

	printf '%s\n' '[NetDev]' "Name=$2" "Kind=$3" "[${3^}]" "${@:4}" >"$file"
}

# network NAMESPACE NAME ADDRESS...
network()
{
	local file=$tmp/$1/$2.network

	printf '%s\n' '[Match]' "Name=$2" '[Network]' 'LinkLocalAddressing=no' \
		'IPv6AcceptRA=no' 'ConfigureWithoutCarrier=yes' "${@:3}" >"$file"
}

configure()
{
	local ns end

	for ns in left right; do
		end=${ns:0:1}
		mkdir "$tmp/$ns"
		netdev "$ns" "own-$end" tun User=tester Group=tester
		network "$ns" "own-$end" "Address=${addr4[$ns]}/24" "Address=${addr6[$ns]}/64"
		netdev "$ns" "keep-$end" tap MultiQueue=yes KeepCarrier=yes
		network "$ns" "keep-$end" "Address=${keep4[$ns]}/24" "Address=${keep6[$ns]}/64"
	done
	netdev left plain-tun tun
	netdev left plain-tap tap
	netdev left pi tun PacketInfo=yes
	netdev left vnet tap VNetHeader=yes
	netdev left mq tap MultiQueue=yes
}

# Its directory in /run belongs to a user of its own.
networkd()
{
	# shellcheck disable=SC2016  # the inner shell's
	start "networkd-$1" "$1" bash -ec 'mkdir -p /run/systemd
		mount -t tmpfs tmpfs /run/systemd
		cp -r "$0" /run/systemd/network
		mount -o remount,bind,ro /sys
		SYSTEMD_LOG_TARGET=console exec /usr/lib/systemd/systemd-networkd' "$tmp/$1"
}

# is NAMESPACE NAME JQ-CONDITION
is()
{
	[[ $(link_of "$1" "$2" "$3" 2>/dev/null) == true ]]
}

# becomes NAMESPACE NAME JQ-CONDITION
becomes()
{
	retry "$patience" is "$@" ||
		complain "$2 is not $3: $(link_of "$1" "$2" "$data" | jq -c .)"
}

makes()
{
	local ns plain="$data | .persist and (.pi or .vnet_hdr or .multi_queue | not)"

	networkd left
	networkd right
	becomes left plain-tun "($plain) and $data.type == \"tun\"" &&
		becomes left plain-tap "($plain) and $data.type == \"tap\"" &&
		becomes left pi "$data.pi" && becomes left vnet "$data.vnet_hdr" &&
		becomes left mq "$data.multi_queue" || return
	for ns in left right; do
		becomes "$ns" "own-${ns:0:1}" "$data | .user == \"tester\" and .group == \"tester\"" &&
			becomes "$ns" "keep-${ns:0:1}" "$data.multi_queue" || return
	done
}

owner()
{
	local as=("${as_tester[@]}")

	start_openvpn right own-r udp --ifconfig-noexec &&
		start_openvpn left own-l udp --ifconfig-noexec &&
		check_tunnel networkd_owner own-l own-r && stop openvpn-left openvpn-right &&
		becomes left own-l '.flags | contains(["NO-CARRIER"])'
}

carrier='.flags | contains(["LOWER_UP"])'

# networkd's own queue must take no packets away from the program's.
keep()
{
	local ns dev

	addr4=([left]=${keep4[left]} [right]=${keep4[right]})
	addr6=([left]=${keep6[left]} [right]=${keep6[right]})
	becomes left keep-l "$carrier" && becomes right keep-r "$carrier" &&
		becomes left keep-l "$data | .numqueues == 0 and .numdisabled == 1" &&
		start_forwarder keep tap &&
		becomes left keep-l "$data | .numqueues == $queues and .numdisabled == 1" &&
		check_tunnel networkd_keep keep-l keep-r && stop_forwarder keep &&
		becomes left keep-l "$carrier" && stop networkd-left networkd-right || return
	for ns in left right; do
		dev=keep-${ns:0:1}
		becomes "$ns" "$dev" '.flags | contains(["NO-CARRIER"])' &&
			becomes "$ns" "$dev" "$data.numdisabled == 0" &&
			ip -n "$ns" link del "$dev" && gone "$ns" "$dev" || return
	done
}

begin 3 /usr/lib/systemd/systemd-networkd openvpn
make_certificates
configure
try networkd_makes makes
try networkd_owner owner
try networkd_keep_carrier keep
ktap_finished
