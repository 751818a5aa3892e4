// SPDX-License-Identifier: GPL-2.0-only
/* Flows and the queues they reach: see flows.h. */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/ipv6.h>

#include "flows.h"
#include "rtnl.h"

static const uint8_t peer_mac[6] = { 2, 0, 0, 0, 0, 2 };

int flows_open(struct flows *flows, int flags, int queues)
{
	struct link_info info;
	int i, err;

	memset(flows, 0, sizeof(*flows));
	for (i = 0; i < MAX_QUEUES; i++)
		flows->fd[i] = -1;
	flows->queues = queues;
	flows->head = flags & IFF_TAP ? ETH_HLEN : 0;
	err = tun_attach_all("ours", flags | IFF_NO_PI, flows->fd, queues);
	if (err)
		return err;
	flows->index = tun_index(flows->fd[0]);
	err = link_get(flows->index, &info);
	if (!err)
		err = link_up(flows->index, true);
	if (err)
		return err;
	memcpy(flows->mac, info.addr, sizeof(flows->mac));
	flows->sock = packet_socket(flows->index, 0);
	return flows->sock < 0 ? flows->sock : 0;
}

void flows_close(struct flows *flows)
{
	tun_close_all(flows->fd, flows->queues);
	if (flows->sock > 0)
		close(flows->sock);
}

/* Four bytes that say nothing, behind the header. */
static size_t add_options(uint8_t *ip, size_t len)
{
	struct iphdr *header = (void *)ip;

	memmove(ip + sizeof(*header) + 4, ip + sizeof(*header),
		len - sizeof(*header));
	memset(ip + sizeof(*header), IPOPT_NOOP, 4);
	header->ihl++;
	header->tot_len = htons(len + 4);
	header->check = 0;
	header->check = packet_checksum(packet_sum(0, ip, 4 * header->ihl));
	return len + 4;
}

/* The same ports under another header, perhaps with eight bytes that say nothing. */
static size_t make_v6(uint8_t *ip, size_t len, bool options)
{
	static const uint8_t pad[] = { IPPROTO_UDP, 0, 1, 4, 0, 0, 0, 0 };
	size_t more = options ? sizeof(pad) : 0, udp = len - sizeof(struct iphdr);
	const struct iphdr old = *(struct iphdr *)ip;
	struct ipv6hdr header = {
		.version = 6,
		.payload_len = htons(more + udp),
		.nexthdr = options ? IPPROTO_HOPOPTS : IPPROTO_UDP,
		.hop_limit = 64,
		.saddr.s6_addr32 = { htonl(0x20010db8), 0, 0, old.saddr },
		.daddr.s6_addr32 = { htonl(0x20010db8), 0, 0, old.daddr },
	};

	memmove(ip + sizeof(header) + more, ip + sizeof(old), udp);
	memcpy(ip, &header, sizeof(header));
	memcpy(ip + sizeof(header), pad, more);
	return sizeof(header) + more + udp;
}

static uint16_t flows_proto(const struct flows *flows)
{
	switch (flows->guise) {
	case FLOW_TAGGED:
		return ETH_P_8021Q;
	case FLOW_V6:
	case FLOW_V6_OPTIONS:
		return ETH_P_IPV6;
	default:
		return ETH_P_IP;
	}
}

static size_t flows_packet(struct flows *flows, uint8_t *buf, struct flow f,
			   uint32_t number)
{
	static const uint8_t tag[] = { 0, 1, ETH_P_IP >> 8, ETH_P_IP & 0xff };
	uint8_t *ip = buf + flows->head;
	uint32_t be = htonl(number);
	size_t len;

	if (flows->head)
		packet_eth(buf, flows->mac, peer_mac, flows_proto(flows));
	if (flows->guise == FLOW_TAGGED) {
		memcpy(ip, tag, sizeof(tag));
		ip += sizeof(tag);
	}
	len = packet_udp4(ip, f, &be, sizeof(be));
	if (flows->guise == FLOW_OPTIONS)
		len = add_options(ip, len);
	if (flows_proto(flows) == ETH_P_IPV6)
		len = make_v6(ip, len, flows->guise == FLOW_V6_OPTIONS);
	return ip - buf + len;
}

/* The peer's packet comes in by a queue. */
int flows_write(struct flows *flows, int queue, struct flow f)
{
	uint8_t buf[128];
	size_t len = flows_packet(flows, buf, f, 0);
	ssize_t ret = write_ret(flows->fd[queue], buf, len);

	return ret < 0 ? ret : 0;
}

/* The answer goes out, to the queue that the driver chooses. */
int flows_send(struct flows *flows, struct flow f, uint32_t number)
{
	uint8_t buf[128];
	size_t len = flows_packet(flows, buf, flow_reverse(f), number);
	int ret = packet_send(flows->sock, flows->index, flows_proto(flows), buf,
			      len);

	return ret < 0 ? ret : 0;
}

static int collect_one(struct flows *flows, int queue)
{
	uint32_t number, before = flows->got[queue] ? flows->last : 0;
	uint8_t buf[2048];
	ssize_t len = read_ret(flows->fd[queue], buf, sizeof(buf));

	if (len < 0)
		return len;
	if (len < (ssize_t)(flows->head + sizeof(number)))
		return -EMSGSIZE;
	memcpy(&number, buf + len - sizeof(number), sizeof(number));
	flows->last = ntohl(number);
	if (flows->last < before)
		flows->in_order = false;
	flows->got[queue]++;
	return 0;
}

/* Empties one queue: how many were in it. */
static int collect_queue(struct flows *flows, int queue)
{
	int err, n = 0;

	do {
		err = collect_one(flows, queue);
	} while (!err && ++n);
	return err == -EAGAIN || err == -EBADFD ? n : err;
}

/*
 * Reads until that many packets came, then what else is there. The number of
 * packets read in all.
 */
int flows_collect(struct flows *flows, int packets)
{
	struct pollfd pfd[MAX_QUEUES];
	int i, n, total = 0;

	memset(flows->got, 0, sizeof(flows->got));
	flows->in_order = true;
	for (i = 0; i < flows->queues; i++)
		pfd[i] = (struct pollfd){ flows->fd[i], POLLIN, 0 };
	for (;;) {
		n = poll(pfd, flows->queues, total < packets ? WAIT_MS : 0);
		if (n <= 0)
			return n < 0 ? -errno : total;
		for (i = 0; i < flows->queues; i++) {
			if (!(pfd[i].revents & POLLIN))
				continue;
			n = collect_queue(flows, i);
			if (n < 0)
				return n;
			total += n;
		}
	}
}

/* Sends one packet of the flow: the queue that it came to. */
int flows_send_to(struct flows *flows, struct flow f)
{
	int i, n = flows_send(flows, f, 0);

	if (n < 0)
		return n;
	n = flows_collect(flows, 1);
	if (n != 1)
		return n < 0 ? n : -ENOMSG;
	for (i = 0; !flows->got[i]; i++)
		;
	return i;
}

/*
 * Sends a packet that no protocol takes, and reads from the first queue: its
 * length there, or -EAGAIN if nothing came.
 */
ssize_t flows_pass(struct flows *flows, const uint8_t dst[6], size_t len)
{
	uint8_t packet[2048] = { 0 };
	int ret;

	packet_fill(packet, len, len);
	if (flows->head)
		packet_eth(packet, dst, flows->mac, PROTO_TEST);
	ret = packet_send(flows->sock, flows->index, PROTO_TEST, packet, len);
	if (ret < 0)
		return ret;
	return read_ret(flows->fd[0], packet, sizeof(packet));
}

/* How many packets to its queues the device has counted as dropped. */
int64_t flows_dropped(struct flows *flows)
{
	struct link_info info;
	int err = link_get(flows->index, &info);

	return err ? err : (int64_t)info.stats.tx_dropped;
}
