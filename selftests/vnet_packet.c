// SPDX-License-Identifier: GPL-2.0-only
/* Packets of a known flow, and the header before them: see vnet_packet.h. */
#include <arpa/inet.h>
#include <byteswap.h>
#include <errno.h>
#include <string.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>

#include "tun_test.h"
#include "vnet_packet.h"

#define FRAG_OFFSET	0x1fff
#define FRAG_MORE	0x2000
#define SOURCE_PORT	1024
#define PAD_N		1	/* an IPv6 option */

void vnet_address6(uint8_t addr[16], uint32_t number)
{
	uint32_t be = htonl(number);

	memset(addr, 0, 16);
	addr[0] = 0xfd;
	memcpy(addr + 12, &be, sizeof(be));
}

static size_t l4_size(const struct vnet_packet *p)
{
	return p->protocol == IPPROTO_TCP ? sizeof(struct tcphdr) :
					    sizeof(struct udphdr);
}

size_t vnet_csum_offset(const struct vnet_packet *p)
{
	return p->protocol == IPPROTO_TCP ? offsetof(struct tcphdr, check) :
					    offsetof(struct udphdr, check);
}

static uint32_t destination(const struct vnet_packet *p)
{
	return p->to ? p->to : VNET_TO;
}

/* The pseudo header's part of the checksum. */
static uint32_t pseudo_sum(const uint8_t *buf, const struct vnet_packet *p)
{
	uint32_t sum = p->protocol + p->len - p->l4;

	if (p->family == AF_INET)
		return packet_sum(sum, buf + offsetof(struct iphdr, saddr), 8);
	return packet_sum(sum, buf + offsetof(struct ipv6hdr, saddr), 32);
}

static void make_ip4(uint8_t *buf, const struct vnet_packet *p)
{
	struct iphdr ip = {
		.version = 4, .ihl = (sizeof(ip) + p->options) / 4, .ttl = 64,
		.protocol = p->protocol, .tot_len = htons(p->len),
		.id = htons(0x1234),
		.saddr = htonl(VNET_FROM), .daddr = htonl(destination(p)),
	};

	memcpy(buf, &ip, sizeof(ip));
	memset(buf + sizeof(ip), 1, p->options);	/* no operation */
	ip.check = packet_checksum(packet_sum(0, buf, p->l4));
	memcpy(buf, &ip, sizeof(ip));
}

static void make_ip6(uint8_t *buf, const struct vnet_packet *p)
{
	struct ipv6hdr ip = {
		.version = 6, .hop_limit = 64,
		.nexthdr = p->options ? IPPROTO_HOPOPTS : p->protocol,
		.payload_len = htons(p->len - sizeof(ip)),
	};
	uint8_t *option = buf + sizeof(ip);

	vnet_address6(ip.saddr.s6_addr, VNET_FROM);
	vnet_address6(ip.daddr.s6_addr, destination(p));
	memcpy(buf, &ip, sizeof(ip));
	if (!p->options)
		return;
	memset(option, 0, p->options);
	option[0] = p->protocol;
	option[1] = p->options / 8 - 1;
	option[2] = PAD_N;
	option[3] = p->options - 4;
}

static void make_tcp(uint8_t *buf, const struct vnet_packet *p)
{
	struct tcphdr tcp = {
		.source = htons(SOURCE_PORT), .dest = htons(VNET_PORT),
		.seq = htonl(p->seq), .ack_seq = htonl(1),
		.doff = sizeof(tcp) / 4, .window = htons(1000),
	};

	memcpy(buf, &tcp, sizeof(tcp));
	buf[13] = p->flags;
}

static void make_udp(uint8_t *buf, const struct vnet_packet *p)
{
	struct udphdr udp = {
		.source = htons(SOURCE_PORT), .dest = htons(VNET_PORT),
		.len = htons(p->len - p->l4),
	};

	memcpy(buf, &udp, sizeof(udp));
}

/* Fills in the rest of what describes it, too; returns its length. */
size_t vnet_packet_make(void *buf, struct vnet_packet *p)
{
	bool ip4 = p->family == AF_INET;
	uint8_t *at = buf;
	uint16_t check;
	uint32_t sum;

	p->l4 = (ip4 ? sizeof(struct iphdr) : sizeof(struct ipv6hdr)) +
		p->options;
	p->data = p->l4 + l4_size(p);
	p->len = p->data + p->payload;
	if (ip4)
		make_ip4(at, p);
	else
		make_ip6(at, p);
	if (p->protocol == IPPROTO_TCP)
		make_tcp(at + p->l4, p);
	else
		make_udp(at + p->l4, p);
	packet_fill(at + p->data, p->payload, p->payload);
	sum = pseudo_sum(at, p);
	if (p->partial)
		check = ~packet_checksum(sum);
	else
		check = packet_checksum(packet_sum(sum, at + p->l4,
						   p->len - p->l4));
	memcpy(at + p->l4 + vnet_csum_offset(p), &check, sizeof(check));
	return p->len;
}

static int parse_ip4(const uint8_t *buf, size_t len, struct vnet_packet *p)
{
	struct iphdr ip;
	uint16_t frag;

	if (len < sizeof(ip))
		return -EMSGSIZE;
	memcpy(&ip, buf, sizeof(ip));
	if (ip.saddr != htonl(VNET_FROM) || ip.daddr != htonl(VNET_TO))
		return -ENOMSG;
	p->protocol = ip.protocol;
	p->l4 = ip.ihl * 4;
	p->options = p->l4 - sizeof(ip);
	frag = ntohs(ip.frag_off);
	p->more = frag & FRAG_MORE;
	p->fragment = frag & (FRAG_MORE | FRAG_OFFSET);
	p->seq = (frag & FRAG_OFFSET) * 8;
	if (p->l4 > len || ntohs(ip.tot_len) != len)
		return -EMSGSIZE;
	return packet_checksum(packet_sum(0, buf, p->l4)) ? -EBADMSG : 0;
}

static int parse_ip6(const uint8_t *buf, size_t len, struct vnet_packet *p)
{
	uint8_t from[16], to[16];
	struct ipv6hdr ip;

	if (len < sizeof(ip))
		return -EMSGSIZE;
	memcpy(&ip, buf, sizeof(ip));
	vnet_address6(from, VNET_FROM);
	vnet_address6(to, VNET_TO);
	if (memcmp(&ip.saddr, from, 16) || memcmp(&ip.daddr, to, 16))
		return -ENOMSG;
	if (ntohs(ip.payload_len) != len - sizeof(ip))
		return -EMSGSIZE;
	p->protocol = ip.nexthdr;
	p->options = 0;
	if (ip.nexthdr == IPPROTO_HOPOPTS && len >= sizeof(ip) + 8) {
		p->protocol = buf[sizeof(ip)];
		p->options = (buf[sizeof(ip) + 1] + 1) * 8;
	}
	p->l4 = sizeof(ip) + p->options;
	p->fragment = p->more = false;
	return p->l4 > len ? -EMSGSIZE : 0;
}

static void parse_checksum(const uint8_t *buf, struct vnet_packet *p)
{
	uint32_t sum = pseudo_sum(buf, p);
	uint16_t check, pseudo = ~packet_checksum(sum);

	memcpy(&check, buf + p->l4 + vnet_csum_offset(p), sizeof(check));
	p->partial = check == pseudo;
	p->good = !packet_checksum(packet_sum(sum, buf + p->l4,
					      p->len - p->l4));
}

/*
 * Refuses what is not of the flow (ENOMSG), what has lengths that do not fit
 * (EMSGSIZE), and a bad IPv4 checksum (EBADMSG).
 */
int vnet_packet_parse(const void *buf, size_t len, struct vnet_packet *p)
{
	const uint8_t *at = buf;
	uint16_t udp_len;
	int err;

	memset(p, 0, sizeof(*p));
	p->len = len;
	p->family = len && at[0] >> 4 == 6 ? AF_INET6 : AF_INET;
	err = p->family == AF_INET6 ? parse_ip6(at, len, p) :
				      parse_ip4(at, len, p);
	if (err)
		return err;
	p->data = p->l4;
	if (!p->fragment)
		p->data += l4_size(p);
	if (p->data > len)
		return -EMSGSIZE;
	p->payload = len - p->data;
	if (p->fragment)
		return 0;
	parse_checksum(at, p);
	if (p->protocol == IPPROTO_TCP) {
		memcpy(&p->seq, at + p->l4 + 4, sizeof(p->seq));
		p->seq = ntohl(p->seq);
		p->flags = at[p->l4 + 13];
		return 0;
	}
	memcpy(&udp_len, at + p->l4 + 4, sizeof(udp_len));
	return ntohs(udp_len) == len - p->l4 ? 0 : -EMSGSIZE;
}

/* The header for a packet with head bytes before it: in the machine's order. */
void vnet_hdr_set(struct virtio_net_hdr *hdr, const struct vnet_packet *p,
		  size_t head, int gso_type, int gso_size)
{
	memset(hdr, 0, sizeof(*hdr));
	hdr->gso_type = gso_type;
	hdr->gso_size = gso_size;
	hdr->hdr_len = gso_type ? head + p->data : 0;
	if (p->partial) {
		hdr->flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
		hdr->csum_start = head + p->l4;
		hdr->csum_offset = vnet_csum_offset(p);
	}
}

/* To the other byte order, and back. */
void vnet_hdr_swap(struct virtio_net_hdr *hdr)
{
	hdr->hdr_len = bswap_16(hdr->hdr_len);
	hdr->gso_size = bswap_16(hdr->gso_size);
	hdr->csum_start = bswap_16(hdr->csum_start);
	hdr->csum_offset = bswap_16(hdr->csum_offset);
}
