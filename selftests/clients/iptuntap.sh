#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# ip tuntap: what it makes, shows and deletes, and what a user may do with it.
set -euo pipefail

# shellcheck source-path=SCRIPTDIR source=clients_lib.sh
source "$(dirname -- "$0")/clients_lib.sh"
isolate "$@"

# shown JQ-EXPRESSION: of the only interface that there is.
shown()
{
	on left ip -j tuntap show | jq -r ".[0] | $1"
}

# seen: what the driver's files in sysfs say, as ip tuntap shows them, and what its
# netlink attributes say, in words of the former.
seen()
{
	{ on left ip -j tuntap show && ip -n left -d -j link show dev dev0; } | jq -rs '
		.[1][0].linkinfo.info_data as $data |
		(.[0][0].flags - ["filter"] | sort | join(" ")),
		([$data.type, ("pi", "vnet_hdr", "multi_queue", "persist" | select($data[.]))] |
			sort | join(" "))'
}

# makes MODE [FLAG...]
makes()
{
	local flags

	flags=$(printf '%s\n' persist "$@" | sort | xargs)
	on left ip tuntap add mode "$1" name dev0 "${@:2}" &&
		expect "$(seen)" "$flags"$'\n'"$flags" "what is seen of $*" &&
		on left ip tuntap del mode "$1" name dev0 "${@:2}" && gone left dev0
}

every_flag()
{
	makes tun && makes tap && makes tun pi && makes tap vnet_hdr &&
		makes tun multi_queue && makes tap pi vnet_hdr multi_queue
}

# It is there already, or it was made otherwise.
refuses()
{
	local status=0

	on left ip tuntap add mode tap name tap0 multi_queue || return
	on left ip tuntap add mode tap name tap0 2>"$tmp/err" && status=1
	on left ip tuntap del mode tap name tap0 2>>"$tmp/err" && status=1
	on left ip tuntap del mode tun name tap0 multi_queue 2>>"$tmp/err" && status=1
	on left ip tuntap del mode tap name tap0 multi_queue || return
	expect "$(grep -c 'Device or resource busy' "$tmp/err")" 1 "the number of EBUSY" &&
		expect "$(grep -c 'Invalid argument' "$tmp/err")" 2 "the number of EINVAL" &&
		return "$status"
}

has_program()
{
	[[ $(on left ip -d tuntap show) == *"openvpn(${pid_of[openvpn-left]})"* ]]
}

owner()
{
	local ns dev as=(setpriv --reuid 65534 --regid 65534 --clear-groups)

	for ns in left right; do
		dev=own-${ns:0:1}
		on "$ns" ip tuntap add mode tun name "$dev" user tester group tester &&
			ip -n "$ns" addr add "${addr4[$ns]}/24" dev "$dev" &&
			ip -n "$ns" addr add "${addr6[$ns]}/64" dev "$dev" nodad &&
			ip -n "$ns" link set "$dev" up || return
	done
	expect "$(shown .user)$(shown .group)" 10001000 "the owner and group" || return
	start_openvpn left own-l udp --ifconfig-noexec
	says openvpn-left 'Operation not permitted' || return
	stop openvpn-left
	as=("${as_tester[@]}")
	start_openvpn right own-r udp --ifconfig-noexec
	start_openvpn left own-l udp --ifconfig-noexec
	retry "$patience" has_program || complain "ip tuntap shows no openvpn" || return
	! on left ip tuntap del mode tun name own-l 2>"$tmp/err" &&
		grep -q 'Device or resource busy' "$tmp/err" ||
		complain "it can be deleted under openvpn: $(<"$tmp/err")" || return
	check_tunnel iptuntap_owner own-l own-r && stop openvpn-left openvpn-right || return
	for ns in left right; do
		on "$ns" ip tuntap del mode tun name "own-${ns:0:1}" &&
			gone "$ns" "own-${ns:0:1}" || return
	done
}

begin 3 ip openvpn openssl
make_certificates
try iptuntap_every_flag every_flag
try iptuntap_refuses refuses
try iptuntap_owner owner
ktap_finished
