# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154  # variables of traffic_lib.sh and for the scripts
#
# What the scripts here share. A program makes a tunnel between two namespaces,
# "left" and "right", that see each other over a veth pair; the tunnel's two
# interfaces have other addresses than the pair. `check_tunnel` then sends over
# it. TUN_DEV is /dev/net/tun, whoever has it: programs know no other node.

# shellcheck source-path=SCRIPTDIR source=../traffic_lib.sh
source "${BASH_SOURCE[0]%/*}/../traffic_lib.sh"

declare -A pid_of print_of
declare -A wire=([left]=198.51.100.1 [right]=198.51.100.2)
# What is carried each way, and how long a program may take to do what it is told.
payload=$((512 << 10))
patience=90
as=()
as_tester=(setpriv --reuid tester --regid tester --clear-groups)

# begin PLAN PROGRAM...: all that a script needs before its first test.
begin()
{
	local plan=$1 program

	shift
	load_ktap
	for program; do
		type -P "$program" >/dev/null || {
			echo "1..0 # SKIP no $program: it is in a package of packages-clients"
			exit "$KSFT_SKIP"
		}
	done
	chmod 666 "$TUN_DEV" # as udev does
	make_namespaces
	make_wire
	head -c "$payload" /dev/urandom >"$tmp/sent"
	ktap_print_header
	ktap_set_plan "$plan"
}

make_wire()
{
	local ns

	ip -n left link add wire type veth peer name wire netns right
	for ns in left right; do
		ip -n "$ns" addr add "${wire[$ns]}/24" dev wire
		ip -n "$ns" link set wire up
	done
}

# on NAMESPACE COMMAND...
on()
{
	ip netns exec "$@"
}

# start NAME NAMESPACE COMMAND...: in the background; what it says is in $tmp/NAME.log
# and what it reads is $input.
start()
{
	local name=$1

	shift
	ip netns exec "$@" >"$tmp/$name.log" 2>&1 <"${input-/dev/null}" &
	pid_of[$name]=$!
}

runs()
{
	kill -0 "${pid_of[$1]}" 2>/dev/null
}

ended()
{
	! runs "$1"
}

# stop NAME...: each ends when it is asked to.
stop()
{
	local name status=0

	for name; do
		kill "${pid_of[$name]}" 2>/dev/null || :
		retry "$patience" ended "$name" || {
			complain "$name does not end" || status=1
			kill -KILL "${pid_of[$name]}"
		}
		wait "${pid_of[$name]}" || :
		unset "pid_of[$name]"
	done
	return "$status"
}

# What programs said, for a test that fails; none is left for the next one.
show_logs()
{
	local name

	for name in "${!pid_of[@]}"; do
		runs "$name" || echo "# $name has ended"
		tail -n 15 "$tmp/$name.log" | sed "s/^/# $name: /"
		stop "$name"
	done
}

# said NAME REGEX
said()
{
	grep -qE -- "$2" "$tmp/$1.log"
}

said_or_ended()
{
	said "$@" || ended "$1"
}

# says NAME REGEX: waits for it, as long as the program runs.
says()
{
	retry "$patience" said_or_ended "$@" || :
	said "$@" || complain "$1 does not say \"$2\""
}

# Either end knows the other by its certificate's fingerprint.
make_certificates()
{
	local ns

	for ns in left right; do
		openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes \
			-days 2 -subj "/CN=$ns" -keyout "$tmp/$ns.key" -out "$tmp/$ns.crt" \
			2>/dev/null
		print_of[$ns]=$(openssl x509 -in "$tmp/$ns.crt" -noout -sha256 -fingerprint)
	done
	chmod 644 "$tmp"/*.key # for users other than root
	install -d -m 1777 "$tmp/tester"
	chmod 755 "$tmp"
}

# start_openvpn NAMESPACE DEVICE PROTOCOL [OPTION...]: one end; by the command $as.
start_openvpn()
{
	local ns=$1 dev=$2 proto=$3 peer=left role=(--tls-server --dh none) type=tun

	shift 3
	[[ $ns == right ]] || { peer=right && role=(--tls-client); }
	[[ $proto != tcp ]] || proto=tcp-${role[0]#--tls-}
	[[ $dev != *tap* ]] || type=tap
	start "openvpn-$ns" "$ns" "${as[@]}" openvpn --dev "$dev" --dev-type "$type" \
		--topology subnet --proto "$proto" \
		--local "${wire[$ns]}" --remote "${wire[$peer]}" \
		--ifconfig "${addr4[$ns]}" 255.255.255.0 --ifconfig-ipv6 "${addr6[$ns]}/64" "${addr6[$peer]}" \
		"${role[@]}" --cert "$tmp/$ns.crt" --key "$tmp/$ns.key" \
		--peer-fingerprint "${print_of[$peer]#*=}" \
		--tmp-dir "$tmp/tester" --disable-dco --persist-tun --keepalive 10 120 --verb 3 "$@"
}

is_link()
{
	ip -n "$1" link show dev "$2" >/dev/null 2>&1
}

no_link()
{
	! is_link "$@"
}

# link_of NAMESPACE NAME JQ-EXPRESSION
link_of()
{
	ip -n "$1" -d -j -s link show dev "$2" | jq -r ".[0] | $3"
}

# expect VALUE WANTED WHAT
expect()
{
	[[ $1 == "$2" ]] || complain "$3 is $1, not $2"
}

# listens NAMESPACE PORT
listens()
{
	[[ -n $(on "$1" ss -Htln "sport = :$2") ]]
}

# carry FROM TO ADDRESS: what arrives is what was sent.
carry()
{
	local to=$2 port=7000 file=$tmp/got-$2 tcp=TCP4 address=$3 receiver

	[[ $address != *:* ]] || { tcp=TCP6 && address="[$address]"; }
	ip netns exec "$to" timeout "$patience" socat -u "$tcp-LISTEN:$port,bind=$address,reuseaddr" \
		"CREATE:$file" &
	receiver=$!
	retry "$patience" listens "$to" "$port" &&
		on "$1" timeout "$patience" socat -u "OPEN:$tmp/sent" "$tcp:$address:$port" ||
		complain "$1 cannot send to $3" || { kill "$receiver"; wait "$receiver"; return 1; }
	wait "$receiver" || :
	cmp "$tmp/sent" "$file" ||
		complain "what $to received at $3 is not what $1 sent"
}

# carry_both_ways ADDRESS-RIGHT ADDRESS-LEFT: at the same time.
carry_both_ways()
{
	local other status=0

	carry left right "$1" &
	other=$!
	carry right left "$2" || status=1
	wait "$other" && return "$status"
}

# pings ADDRESS: packets of one byte more than a header, and of several fragments.
pings()
{
	local size out

	for size in 1 1300 4000; do
		out=$(on left ping -q -c 3 -i 0.05 -w "$patience" -s "$size" "$1" 2>&1) &&
			[[ $out != *duplicates* ]] || complain "$size bytes: $out" || return
	done
}

# counted NAMESPACE LINK: what was carried each way is in its counters, with no error.
counted()
{
	link_of "$1" "$2" ".stats64 | select(.rx.bytes > $payload and .tx.bytes > $payload
		and .rx.errors == 0 and .tx.errors == 0) | .rx.packets" | grep -q . ||
		complain "$1 $2: $(link_of "$1" "$2" .stats64 | jq -c .)"
}

# figures NAME: how fast iperf3 sends here, for who reads it: it is not judged but
# for something to have arrived.
figures()
{
	local tcp udp

	iperf "$2" -t 1 && tcp=$(jq -e '.end.sum_received.bits_per_second | select(. > 0)' \
		"$tmp/iperf.json") || complain "iperf3 carried no TCP" || return
	iperf "$2" -u -t 1 -b 1M -l 1000 && udp=$(jq -er '.end.streams[0].udp |
		select(.packets > .lost_packets) |
		"\(.lost_packets) of \(.packets) UDP packets lost"' "$tmp/iperf.json") ||
		complain "iperf3 carried no UDP" || return
	jq -nr --arg name "$1" --argjson tcp "$tcp" --arg udp "$udp" \
		'"# figure \($name): TCP \($tcp / 1e5 | round / 10) Mbit/s, \($udp)"'
}

# check_tunnel NAME LINK-LEFT LINK-RIGHT: data arrives whole, both ways at once, over
# IPv4 and IPv6.
check_tunnel()
{
	local ns address

	for address in "${addr4[right]}" "${addr6[right]}"; do
		pings "$address" || complain "$address does not answer" || return
	done
	carry_both_ways "${addr4[right]}" "${addr4[left]}" &&
		carry_both_ways "${addr6[right]}" "${addr6[left]}" &&
		counted left "$2" && counted right "$3" || return
	start_iperf_server && figures "$1" "${addr4[right]}" && stop_iperf_server
}

# gone NAMESPACE LINK: the interface is not there (any more).
gone()
{
	retry "$patience" no_link "$@" || complain "$1 still has $2"
}

# try NAME FUNCTION ARGUMENT...: a test; if it fails, with what the programs said.
try()
{
	local name=$1

	shift
	ktap_test_result "$name" try_and_tell "$@"
}

try_and_tell()
{
	"$@" && return
	show_logs
	return 1
}
