#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# openconnect to an ocserv, over TLS and DTLS, and with vhost-net at openconnect's
# interface.
set -euo pipefail

# shellcheck source-path=SCRIPTDIR source=clients_lib.sh
source "$(dirname -- "$0")/clients_lib.sh"
isolate "$@"

# The server's own addresses are the first ones of its networks.
addr4=([right]=192.0.2.1)
addr6=([right]=2001:db8::1)

make_certificate()
{
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 \
		-subj "/CN=${wire[right]}" -addext "subjectAltName=IP:${wire[right]}" \
		-keyout "$tmp/key" -out "$tmp/crt" 2>/dev/null
	pin=$(openssl x509 -in "$tmp/crt" -noout -pubkey | openssl pkey -pubin -outform der |
		openssl dgst -sha256 -binary | base64)
}

configure()
{
	openssl rand -hex 16 >"$tmp/password"
	{ cat "$tmp/password" "$tmp/password"; } | ocpasswd -c "$tmp/users" tester >/dev/null
	chmod 755 "$tmp"
	cat >"$tmp/ocserv.conf" <<-END
		auth = "plain[passwd=$tmp/users]"
		listen-host = ${wire[right]}
		tcp-port = 443
		udp-port = 443
		run-as-user = ocserv
		run-as-group = ocserv
		socket-file = $tmp/ocserv.socket
		pid-file = $tmp/ocserv.pid
		use-occtl = false
		isolate-workers = false
		server-cert = $tmp/crt
		server-key = $tmp/key
		device = vpns
		mtu = 1400
		dpd = 90
		keepalive = 300
		ipv4-network = 192.0.2.0/24
		ipv6-network = 2001:db8::/64
		ipv6-subnet-prefix = 128
		route = 192.0.2.0/24
		route = 2001:db8::/64
	END
}

# client OPTION...: it takes its addresses from the server.
client()
{
	input=$tmp/password start openconnect left openconnect --verbose --non-inter \
		--protocol anyconnect --user tester --passwd-on-stdin \
		--servercert "pin-sha256:$pin" --interface oc-l "$@" \
		"https://${wire[right]}"
	says openconnect 'Configured as' || return
	retry "$patience" has_addresses || complain "no addresses"
}

has_addresses()
{
	addr4[left]=$(address_of 4) && addr6[left]=$(address_of 6)
}

address_of()
{
	ip -n left -"$1" -j addr show dev oc-l scope global 2>/dev/null |
		jq -er '.[0].addr_info[0].local'
}

# tunnel NAME SAYING OPTION...: with what openconnect says when it is so.
tunnel()
{
	local name=$1 saying=$2

	shift 2
	start ocserv right ocserv --foreground --config "$tmp/ocserv.conf"
	retry "$patience" listens right 443 || complain "ocserv does not listen" || return
	client "$@" && says openconnect "$saying" &&
		check_tunnel "$name" oc-l vpns0 &&
		stop openconnect && gone left oc-l && gone right vpns0 && stop ocserv
}

begin 3 openconnect ocserv openssl
make_certificate
configure
NOVHOST=1 try openconnect_tls tunnel openconnect_tls CSTP --no-dtls
NOVHOST=1 try openconnect_dtls tunnel openconnect_dtls Established.DTLS
if modprobe vhost_net; then
	try openconnect_vhost tunnel openconnect_vhost Using.vhost-net
	rmmod vhost_net || true # modprobe -r would take tun along
else
	ktap_test_skip openconnect_vhost
fi
ktap_finished
