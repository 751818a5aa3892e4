// SPDX-License-Identifier: GPL-2.0-only
/* Packets and the headers before them, right and wrong: see fuzz.h. */
#include <arpa/inet.h>
#include <string.h>
#include <linux/icmp.h>
#include <linux/if_arp.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <linux/virtio_net.h>

#include "fuzz.h"
#include "tun_test.h"

#define MAX_PACKET	65535
#define VLAN_HLEN	4

/* A kind of packet: makes one with len bytes of payload, returns its length. */
struct packet_kind {
	uint16_t proto;
	size_t (*make)(struct fuzz_thread *t, uint8_t *buf, size_t len);
};

static uint16_t checksum(uint32_t sum, const void *data, size_t len)
{
	const uint8_t *p = data;
	size_t i;

	for (i = 0; i < len; i++)
		sum += i & 1 ? p[i] : p[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return htons(~sum & 0xffff);
}

/* From the far end of a device's network to its near end. */
static struct flow some_flow(struct fuzz_thread *t)
{
	struct flow flow = flow_nth(fuzz_pick(t, 64));

	flow.daddr = fuzz_address(fuzz_pick(t, FUZZ_NAMES));
	flow.saddr = flow.daddr + 1;
	return flow;
}

static size_t make_udp4(struct fuzz_thread *t, uint8_t *buf, size_t len)
{
	size_t most = MAX_PACKET - sizeof(struct iphdr) - sizeof(struct udphdr);

	return packet_udp4(buf, some_flow(t), t->payload,
			   len < most ? len : most);
}

/* The IPv4 header of a packet with len more bytes behind it. */
static struct iphdr *put_ip4(struct fuzz_thread *t, uint8_t *buf, size_t len,
			     int protocol, int fragment)
{
	struct flow flow = some_flow(t);
	struct iphdr *ip = (void *)buf;

	*ip = (struct iphdr){
		.version = 4, .ihl = 5, .ttl = 64, .protocol = protocol,
		.tot_len = htons(sizeof(*ip) + len),
		.frag_off = htons(fragment),
		.id = fuzz_pick(t, 4),
		.saddr = htonl(flow.saddr), .daddr = htonl(flow.daddr),
	};
	ip->check = checksum(0, ip, sizeof(*ip));
	return ip;
}

static size_t fit(size_t len, size_t head)
{
	return len + head > MAX_PACKET ? MAX_PACKET : len + head;
}

static size_t make_echo(struct fuzz_thread *t, uint8_t *buf, size_t len)
{
	struct icmphdr *icmp = (void *)(buf + sizeof(struct iphdr));
	size_t total = fit(len, sizeof(struct iphdr) + sizeof(*icmp));

	len = total - sizeof(struct iphdr);
	put_ip4(t, buf, len, IPPROTO_ICMP, 0);
	memcpy(icmp, t->payload, len);
	icmp->type = ICMP_ECHO;
	icmp->code = icmp->checksum = 0;
	icmp->checksum = checksum(0, icmp, len);
	return total;
}

static size_t make_tcp(struct fuzz_thread *t, uint8_t *buf, size_t len)
{
	size_t total = fit(len, sizeof(struct iphdr) + sizeof(struct tcphdr));
	struct tcphdr *tcp = (void *)(buf + sizeof(struct iphdr));
	struct iphdr *ip;

	len = total - sizeof(*ip);
	ip = put_ip4(t, buf, len, IPPROTO_TCP, 0);
	memcpy(tcp, t->payload, len);
	memset(tcp, 0, sizeof(*tcp));
	tcp->source = htons(1024 + fuzz_pick(t, 64));
	tcp->dest = htons(9);
	tcp->doff = sizeof(*tcp) / 4;
	tcp->syn = fuzz_one_in(t, 2);
	tcp->ack = !tcp->syn;
	tcp->window = 1000;
	tcp->check = checksum(IPPROTO_TCP + len + (ntohl(ip->saddr) >> 16) +
			      (ntohl(ip->saddr) & 0xffff) +
			      (ntohl(ip->daddr) >> 16) +
			      (ntohl(ip->daddr) & 0xffff), tcp, len);
	return total;
}

static size_t make_fragment(struct fuzz_thread *t, uint8_t *buf, size_t len)
{
	static const int fragments[] = { 0x2000, 0x2001, 0x0001, 0x1fff, 185 };
	size_t total = fit(len & ~7ul, sizeof(struct iphdr));

	put_ip4(t, buf, total - sizeof(struct iphdr), IPPROTO_UDP,
		fragments[fuzz_pick(t, 5)]);
	memcpy(buf + sizeof(struct iphdr), t->payload,
	       total - sizeof(struct iphdr));
	return total;
}

static size_t make_ip6(struct fuzz_thread *t, uint8_t *buf, size_t len)
{
	static const uint8_t next[] = {
		IPPROTO_UDP, IPPROTO_TCP, IPPROTO_ICMPV6, IPPROTO_HOPOPTS,
		IPPROTO_FRAGMENT, IPPROTO_ROUTING, IPPROTO_NONE, 255,
	};
	size_t total = fit(len, sizeof(struct ipv6hdr));
	struct ipv6hdr *ip = (void *)buf;

	len = total - sizeof(*ip);
	*ip = (struct ipv6hdr){
		.version = 6, .hop_limit = 255, .payload_len = htons(len),
		.nexthdr = next[fuzz_pick(t, 8)],
	};
	ip->saddr.s6_addr[0] = 0xfe;
	ip->saddr.s6_addr[1] = 0x80;
	ip->saddr.s6_addr[15] = 2;
	ip->daddr.s6_addr[0] = 0xff;
	ip->daddr.s6_addr[1] = 2;
	ip->daddr.s6_addr[15] = 1;
	memcpy(ip + 1, t->payload, len);
	return total;
}

static size_t make_arp(struct fuzz_thread *t, uint8_t *buf, size_t len)
{
	struct flow flow = some_flow(t);
	uint32_t from = htonl(flow.saddr), to = htonl(flow.daddr);
	struct arphdr *arp = (void *)buf;
	uint8_t *p = (uint8_t *)(arp + 1);

	*arp = (struct arphdr){
		.ar_hrd = htons(ARPHRD_ETHER), .ar_pro = htons(ETH_P_IP),
		.ar_hln = ETH_ALEN, .ar_pln = 4,
		.ar_op = htons(1 + fuzz_pick(t, 2)),
	};
	memset(p, 2, 2 * (ETH_ALEN + 4));
	memcpy(p + ETH_ALEN, &from, 4);
	memcpy(p + 2 * ETH_ALEN + 4, &to, 4);
	return sizeof(*arp) + 2 * (ETH_ALEN + 4);
}

static size_t make_noise(struct fuzz_thread *t, uint8_t *buf, size_t len)
{
	memcpy(buf, t->payload, len);
	return len;
}

static size_t make_vlan(struct fuzz_thread *t, uint8_t *buf, size_t len)
{
	uint16_t tag[2] = { htons(fuzz_pick(t, 4) << 12 | fuzz_pick(t, 4)),
			    htons(ETH_P_IP) };

	if (fuzz_one_in(t, 4)) {
		tag[1] = htons(ETH_P_8021Q);
		memcpy(buf, tag, VLAN_HLEN);
		return VLAN_HLEN + make_vlan(t, buf + VLAN_HLEN, len);
	}
	memcpy(buf, tag, VLAN_HLEN);
	return VLAN_HLEN + make_echo(t, buf + VLAN_HLEN, len);
}

static const struct packet_kind kinds[] = {
	{ ETH_P_IP, make_udp4 },
	{ ETH_P_IP, make_udp4 },
	{ ETH_P_IP, make_echo },
	{ ETH_P_IP, make_tcp },
	{ ETH_P_IP, make_fragment },
	{ ETH_P_IPV6, make_ip6 },
	{ ETH_P_ARP, make_arp },
	{ ETH_P_8021Q, make_vlan },
	{ ETH_P_8021AD, make_vlan },
	{ PROTO_TEST, make_noise },
	{ 0x0040, make_noise },		/* a length: 802.3 */
};

static size_t some_length(struct fuzz_thread *t)
{
	static const size_t lengths[] = {
		0, 1, 2, 8, 40, 100, 500, 1400, 1472, 1473, 2048, 3900, 4096,
		9000, 32768, MAX_PACKET,
	};

	if (fuzz_one_in(t, 2))
		return fuzz_pick(t, 200);
	return lengths[fuzz_pick(t, 16) & fuzz_pick(t, 16)];
}

/* Bytes that are changed one by one are the headers', most of all. */
static size_t damage(struct fuzz_thread *t, uint8_t *buf, size_t len)
{
	unsigned int n = 1 + fuzz_pick(t, 8);

	while (len && n--) {
		size_t at = fuzz_pick(t, len < 80 ? len : 80);

		buf[at] = fuzz_one_in(t, 2) ? fuzz_edge(t) :
			  buf[at] ^ 1 << fuzz_pick(t, 8);
	}
	if (fuzz_one_in(t, 4))
		return fuzz_pick(t, len + 1);
	return fuzz_one_in(t, 8) ? len + fuzz_pick(t, 300) : len;
}

static size_t put_pi(struct fuzz_thread *t, uint8_t *buf, uint16_t proto)
{
	struct tun_pi pi = { .proto = htons(proto) };

	if (fuzz_one_in(t, 8))
		pi.flags = fuzz_edge(t);
	if (fuzz_one_in(t, 8))
		pi.proto = fuzz_edge(t);
	memcpy(buf, &pi, sizeof(pi));
	return sizeof(pi);
}

/* Where in the packet a tunnel's inner one might begin. */
static void put_tunnel(struct fuzz_thread *t,
		       struct virtio_net_hdr_v1_hash_tunnel *hdr, size_t ip_at)
{
	size_t outer = ip_at + (fuzz_one_in(t, 2) ? 20 : 40);
	size_t inner = outer + 8 + fuzz_pick(t, 32);

	if (fuzz_one_in(t, 2))
		hdr->hash_hdr.hdr.flags |= VIRTIO_NET_HDR_F_UDP_TUNNEL_CSUM;
	if (fuzz_one_in(t, 2))
		hdr->hash_hdr.hdr.csum_start = inner + 20;
	hdr->outer_th_offset = htole16(outer);
	hdr->inner_nh_offset = htole16(inner);
}

/* An offload that the packet behind it may be fit for. */
size_t fuzz_put_vnet(struct fuzz_thread *t, uint8_t *buf, size_t size,
		     size_t ip_at)
{
	static const uint8_t gso[] = {
		VIRTIO_NET_HDR_GSO_NONE, VIRTIO_NET_HDR_GSO_NONE,
		VIRTIO_NET_HDR_GSO_NONE, VIRTIO_NET_HDR_GSO_TCPV4,
		VIRTIO_NET_HDR_GSO_UDP, VIRTIO_NET_HDR_GSO_TCPV6,
		VIRTIO_NET_HDR_GSO_UDP_L4,
		VIRTIO_NET_HDR_GSO_TCPV4 | VIRTIO_NET_HDR_GSO_ECN,
		VIRTIO_NET_HDR_GSO_TCPV4 | VIRTIO_NET_HDR_GSO_UDP_TUNNEL_IPV4,
		VIRTIO_NET_HDR_GSO_UDP_L4 | VIRTIO_NET_HDR_GSO_UDP_TUNNEL_IPV4,
		VIRTIO_NET_HDR_GSO_TCPV6 | VIRTIO_NET_HDR_GSO_UDP_TUNNEL_IPV6,
		0xff,
	};
	static const uint16_t sizes[] = { 0, 1, 8, 100, 536, 1448, 0xffff };
	struct virtio_net_hdr_v1_hash_tunnel all = { 0 };
	struct virtio_net_hdr_v1 *hdr = &all.hash_hdr.hdr;

	hdr->gso_type = gso[fuzz_pick(t, sizeof(gso))];
	if (fuzz_one_in(t, 2)) {
		hdr->flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
		hdr->csum_start = ip_at + sizeof(struct iphdr);
		hdr->csum_offset = fuzz_one_in(t, 2) ? 6 : 16;
	}
	if (hdr->gso_type)
		hdr->gso_size = sizes[fuzz_pick(t, 7)];
	hdr->hdr_len = fuzz_one_in(t, 2) ? 0 : ip_at + 40;
	memset(buf, fuzz_one_in(t, 4) ? fuzz_edge(t) : 0, size);
	if (hdr->gso_type & VIRTIO_NET_HDR_GSO_UDP_TUNNEL)
		put_tunnel(t, &all, ip_at);
	if (fuzz_one_in(t, 4))
		damage(t, (uint8_t *)&all, sizeof(all));
	memcpy(buf, &all, size < sizeof(all) ? size : sizeof(all));
	return size;
}

/* A frame or an IP packet, for the stack or from it. */
size_t fuzz_put_packet(struct fuzz_thread *t, uint8_t *buf, bool ether,
		       uint16_t *proto)
{
	static const uint8_t mac[3][ETH_ALEN] = {
		{ 2, 0, 0, 0, 0, 2 }, { 255, 255, 255, 255, 255, 255 },
		{ 0x33, 0x33, 0, 0, 0, 1 },
	};
	const struct packet_kind *kind;
	size_t head = ether ? ETH_HLEN : 0, len;

	kind = &kinds[fuzz_pick(t, sizeof(kinds) / sizeof(*kinds))];
	*proto = kind->proto;
	if (ether)
		packet_eth(buf, mac[fuzz_pick(t, 3)], mac[0], kind->proto);
	len = head + kind->make(t, buf + head, some_length(t));
	return fuzz_one_in(t, 4) ? damage(t, buf, len) : len;
}

/* All that a write may be to a queue with those flags. */
size_t fuzz_put_write(struct fuzz_thread *t, uint8_t *buf, int flags)
{
	static const size_t vnet_sizes[] = { 10, 10, 12, 20, 24, 24, 9, 0 };
	bool pi = !(flags & IFF_NO_PI) ^ fuzz_one_in(t, 16);
	bool vnet = !!(flags & IFF_VNET_HDR) ^ fuzz_one_in(t, 16);
	bool ether = !!(flags & IFF_TAP) ^ fuzz_one_in(t, 16);
	size_t head = pi ? sizeof(struct tun_pi) : 0;
	size_t size = vnet ? vnet_sizes[fuzz_pick(t, 8)] : 0;
	uint16_t proto;
	size_t len;

	len = fuzz_put_packet(t, buf + head + size, ether, &proto);
	if (pi)
		put_pi(t, buf, proto);
	fuzz_put_vnet(t, buf + head, size, ether ? ETH_HLEN : 0);
	len += head + size;
	if (fuzz_one_in(t, 16))
		len = fuzz_pick(t, 20);
	return fuzz_one_in(t, 64) ? 60000 + fuzz_pick(t, 70000) : len;
}
