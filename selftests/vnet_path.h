/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A device with a virtio-net header that a test writes to, and another, a TUN,
 * to which the stack forwards what was written: what the other cannot take is
 * segmented and checksummed on the way. Functions return a value >= 0, or a
 * negative errno.
 */
#ifndef VNET_PATH_H
#define VNET_PATH_H

#include <stdint.h>
#include <linux/virtio_net.h>

#include "vnet_packet.h"

#define VNET_NEAR	(VNET_FROM - 1)	/* the stack's own addresses */
#define VNET_FAR	(VNET_TO - 1)
#define VNET_ROOM	(68 << 10)

struct vnet_path {
	int fd, index, sink, sink_index;
	size_t eth;		/* bytes of link header */
	size_t hdr_size, sink_hdr_size;
	uint8_t mac[6];
	/* What is written next, in the machine's byte order. */
	union {
		struct virtio_net_hdr hdr;
		struct virtio_net_hdr_v1_hash_tunnel tunnel;
	};
	/* A header of the size set, and the frame behind it. */
	uint8_t out[VNET_ROOM], in[VNET_ROOM];
};

/* What a packet was cut into. */
struct vnet_segments {
	int n;
	size_t size, last;	/* bytes of payload in each, and in the last */
	uint8_t first_flags, middle_flags, last_flags;
	struct virtio_net_hdr hdr;	/* of the first */
	struct vnet_packet packet;
};

int vnet_path_open(struct vnet_path *path, int flags, size_t hdr_size);
void vnet_path_close(struct vnet_path *path);
uint8_t *vnet_path_frame(struct vnet_path *path);
size_t vnet_path_put(struct vnet_path *path, struct vnet_packet *p);
int vnet_path_write(struct vnet_path *path, size_t len);
int vnet_path_send(struct vnet_path *path, struct vnet_packet *p,
		   int gso_type, int gso_size);
int vnet_path_read(struct vnet_path *path, struct vnet_packet *p,
		   struct virtio_net_hdr *hdr);
int vnet_path_gather(struct vnet_path *path, const struct vnet_packet *sent,
		     struct vnet_segments *segments);

#endif /* VNET_PATH_H */
