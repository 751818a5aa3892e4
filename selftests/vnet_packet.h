/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * TCP and UDP packets of a known flow, made and taken apart, and the
 * virtio-net header that goes with them. Functions return a value >= 0, or a
 * negative errno.
 */
#ifndef VNET_PACKET_H
#define VNET_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <linux/virtio_net.h>

#define VNET_FROM	0x0a000002u	/* 10.0.0.2, fd00::a00:2 */
#define VNET_TO		0x0a000102u	/* 10.0.1.2, fd00::a00:102 */
#define VNET_PORT	9

#define VNET_FIN	0x01
#define VNET_PSH	0x08
#define VNET_ACK	0x10
#define VNET_CWR	0x80

struct vnet_packet {
	int family, protocol;
	size_t options;		/* between the IP header and TCP or UDP */
	size_t payload;
	uint8_t flags;		/* of TCP */
	uint32_t to;		/* instead of VNET_TO */
	bool partial;		/* its checksum is the pseudo header's only */
	/* What is where from the IP header on, and what parsing found. */
	size_t l4, data, len;
	uint32_t seq;		/* of TCP, or where a fragment belongs */
	bool fragment, more;
	bool good;		/* its checksum is */
};

void vnet_address6(uint8_t addr[16], uint32_t number);
size_t vnet_packet_make(void *buf, struct vnet_packet *p);
int vnet_packet_parse(const void *buf, size_t len, struct vnet_packet *p);
size_t vnet_csum_offset(const struct vnet_packet *p);
void vnet_hdr_set(struct virtio_net_hdr *hdr, const struct vnet_packet *p,
		  size_t head, int gso_type, int gso_size);
void vnet_hdr_swap(struct virtio_net_hdr *hdr);

#endif /* VNET_PACKET_H */
