/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * /dev/vhost-net without a guest: its two virtqueues, worked by hand, with a
 * queue of the node under test behind them. The frames a guest would transmit
 * come out of the device, and what the stack sends is received by the guest.
 *
 * Functions return a value >= 0, or a negative errno.
 */
#ifndef VHOST_DEV_H
#define VHOST_DEV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <linux/bpf.h>
#include <linux/vhost.h>
#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <linux/virtio_ring.h>

#define VQ_SIZE		256	/* descriptors */
#define VQ_ROOM		4096	/* bytes behind each */

#define VHOST_V1	(1ULL << VIRTIO_F_VERSION_1)
#define VHOST_MRG	(1ULL << VIRTIO_NET_F_MRG_RXBUF)
/* vhost adds and removes the virtio-net header, the queue has none. */
#define VHOST_HDR	(1ULL << VHOST_NET_F_VIRTIO_NET_HDR)

struct vq {
	struct vring ring;
	uint8_t *room;
	unsigned int chain;	/* descriptors of one buffer: a power of 2 */
	uint16_t given, taken;	/* buffers to the device, and back */
	uint16_t lost;		/* that the device will not give back */
	bool any_order;		/* may be that in which they come back */
	int kick, call;
};

struct vhost {
	int fd;
	size_t hdr;		/* of virtio-net header before each frame */
	bool mergeable;
	void *mem;
	struct vq rx, tx;	/* as the guest sees it */
};

int vhost_open(struct vhost *vhost, uint64_t features);
void vhost_close(struct vhost *vhost);
int vhost_set_backend(struct vhost *vhost, int fd);
int vhost_set_rx_backend(struct vhost *vhost, int fd);
int vhost_set_tx_backend(struct vhost *vhost, int fd);
int vhost_busy_poll(struct vhost *vhost, unsigned int us);

/* To the device. */
int vhost_queue_hdr(struct vhost *vhost, const struct virtio_net_hdr *hdr,
		    const void *frame, size_t len);
int vhost_queue(struct vhost *vhost, const void *frame, size_t len);
int vhost_kick(struct vq *vq);
int vhost_flush(struct vhost *vhost);
int vhost_reclaim(struct vhost *vhost, int timeout_ms);
int vhost_settle(struct vhost *vhost);
int vhost_sent(struct vhost *vhost);
int vhost_send(struct vhost *vhost, const void *frame, size_t len);

/* From it. */
int vhost_fill(struct vhost *vhost, unsigned int buffers);
ssize_t vhost_recv(struct vhost *vhost, void *frame, size_t size);
bool vhost_has_received(struct vhost *vhost);

/* An XDP program that the driver itself runs, until the file is closed. */
int xdp_attach(int index, const struct bpf_insn *code, size_t insns);

/* For programs that are about vhost only: ends what cannot be run. */
void vhost_require(void);

#endif /* VHOST_DEV_H */
