/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A TAP device with an XDP program: frames that are written to it, and where
 * they come out. Functions return a value >= 0, or a negative errno.
 */
#ifndef XDP_DEV_H
#define XDP_DEV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <linux/bpf.h>

#include "bpf.h"
#include "rtnl.h"
#include "tun_test.h"

#define XDP_ROOM	(64 << 10)

struct xdp_dev {
	int fd, index, sock;
	size_t hdr;		/* bytes before each frame */
	uint8_t mac[6];
	uint8_t out[XDP_ROOM], in[XDP_ROOM];
};

int xdp_open(struct xdp_dev *dev, const char *name, int flags);
void xdp_close(struct xdp_dev *dev);

/* Frames, without what is before them: how long, or -EAGAIN if none comes. */
uint8_t *xdp_frame(struct xdp_dev *dev);
size_t xdp_make(struct xdp_dev *dev, size_t len, unsigned int seed);
int xdp_write(struct xdp_dev *dev, size_t len);
int xdp_send(struct xdp_dev *dev, size_t len, unsigned int seed);
int xdp_read(struct xdp_dev *dev, int fd);
int xdp_receive(struct xdp_dev *dev);
bool xdp_came_back(struct xdp_dev *dev, int fd, struct xdp_dev *sent,
		   size_t len);
bool xdp_received(struct xdp_dev *dev, size_t len);
bool xdp_lost(struct xdp_dev *dev);
struct rtnl_link_stats64 xdp_stats(struct xdp_dev *dev);

/* Programs. */
int xdp_program(const struct bpf_insn *code, size_t insns);
int xdp_give(struct xdp_dev *dev, const struct bpf_insn *code, size_t insns);
int xdp_adjust(struct xdp_dev *dev, int helper, int delta, int verdict);
int xdp_stamp(struct xdp_dev *dev);

#define XDP_GIVE(dev, code) \
	xdp_give(dev, code, sizeof(code) / sizeof(*(code)))

/* Where xdp_stamp() writes the queue's and the device's number. */
#define XDP_STAMP_QUEUE		14
#define XDP_STAMP_DEVICE	18
#define XDP_STAMP_END		22

#endif /* XDP_DEV_H */
