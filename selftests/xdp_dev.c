// SPDX-License-Identifier: GPL-2.0-only
/* A TAP device with an XDP program: see xdp_dev.h. */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>
#include <linux/if_ether.h>
#include <linux/virtio_net.h>

#include "xdp_dev.h"

static const uint8_t peer_mac[6] = { 2, 0, 0, 0, 0, 2 };

int xdp_open(struct xdp_dev *dev, const char *name, int flags)
{
	struct link_info info;
	int err;

	memset(dev, 0, sizeof(*dev));
	dev->sock = -1;
	dev->fd = tun_create(name, flags);
	if (dev->fd < 0)
		return dev->fd;
	if (flags & IFF_VNET_HDR)
		dev->hdr = sizeof(struct virtio_net_hdr);
	dev->index = tun_index(dev->fd);
	err = link_up(dev->index, true);
	if (err)
		return err;
	err = link_get(dev->index, &info);
	memcpy(dev->mac, info.addr, sizeof(dev->mac));
	dev->sock = packet_socket(dev->index, PROTO_TEST);
	return err ? err : dev->sock < 0 ? dev->sock : 0;
}

void xdp_close(struct xdp_dev *dev)
{
	if (dev->fd >= 0)
		close(dev->fd);
	if (dev->sock >= 0)
		close(dev->sock);
	dev->fd = dev->sock = -1;
}

uint8_t *xdp_frame(struct xdp_dev *dev)
{
	return dev->out + dev->hdr;
}

/* Makes a frame that no protocol takes; what is before it, says nothing. */
size_t xdp_make(struct xdp_dev *dev, size_t len, unsigned int seed)
{
	memset(dev->out, 0, dev->hdr);
	packet_fill(xdp_frame(dev), len, seed);
	packet_eth(xdp_frame(dev), dev->mac, peer_mac, PROTO_TEST);
	return len;
}

int xdp_write(struct xdp_dev *dev, size_t len)
{
	ssize_t ret = write_ret(dev->fd, dev->out, dev->hdr + len);

	return ret < 0 ? ret : ret == dev->hdr + len ? 0 : -EPROTO;
}

int xdp_send(struct xdp_dev *dev, size_t len, unsigned int seed)
{
	return xdp_write(dev, xdp_make(dev, len, seed));
}

/* What a reader gets, from one of the device's queues. */
int xdp_read(struct xdp_dev *dev, int fd)
{
	ssize_t ret = read_ret(fd, dev->in, sizeof(dev->in));

	if (ret < 0)
		return ret;
	return ret < dev->hdr ? -EPROTO : ret - dev->hdr;
}

/* What the stack gets. */
int xdp_receive(struct xdp_dev *dev)
{
	return read_ret(dev->sock, dev->in, sizeof(dev->in));
}

/* Is it what was written to sent that is read, with a header of zeroes? */
bool xdp_came_back(struct xdp_dev *dev, int fd, struct xdp_dev *sent,
		   size_t len)
{
	static const uint8_t zero[sizeof(struct virtio_net_hdr)];

	if (wait_events(fd, POLLIN, WAIT_MS) <= 0)
		return false;
	return xdp_read(dev, fd) == len && !memcmp(dev->in, zero, dev->hdr) &&
	       !memcmp(dev->in + dev->hdr, xdp_frame(sent), len);
}

bool xdp_received(struct xdp_dev *dev, size_t len)
{
	return packet_recv(dev->sock, dev->in, sizeof(dev->in), NULL) == len &&
	       !memcmp(dev->in, xdp_frame(dev), len);
}

/* Nobody has it: to receive it would not have taken longer than the write. */
bool xdp_lost(struct xdp_dev *dev)
{
	return xdp_receive(dev) == -EAGAIN && xdp_read(dev, dev->fd) == -EAGAIN;
}

struct rtnl_link_stats64 xdp_stats(struct xdp_dev *dev)
{
	struct link_info info;

	memset(&info, 0, sizeof(info));
	link_get(dev->index, &info);
	return info.stats;
}

int xdp_program(const struct bpf_insn *code, size_t insns)
{
	return bpf_load(BPF_PROG_TYPE_XDP, code, insns);
}

int xdp_give(struct xdp_dev *dev, const struct bpf_insn *code, size_t insns)
{
	return bpf_give_xdp(dev->index, xdp_program(code, insns));
}

/* Moves one end of a frame; XDP_DROP if that is refused. */
int xdp_adjust(struct xdp_dev *dev, int helper, int delta, int verdict)
{
	const struct bpf_insn code[] = {
		INSN_SET(BPF_REG_2, delta),
		INSN_CALL(helper),
		INSN_IF(BPF_JEQ, BPF_REG_0, 0, 2),
		INSN_SET(BPF_REG_0, XDP_DROP),
		INSN_EXIT,
		INSN_SET(BPF_REG_0, verdict),
		INSN_EXIT,
	};

	return XDP_GIVE(dev, code);
}

/* Writes into each frame what the program is told of where it came in. */
int xdp_stamp(struct xdp_dev *dev)
{
	const struct bpf_insn code[] = {
		INSN_LOAD(BPF_W, BPF_REG_2, BPF_REG_1,
			  offsetof(struct xdp_md, data)),
		INSN_LOAD(BPF_W, BPF_REG_3, BPF_REG_1,
			  offsetof(struct xdp_md, data_end)),
		INSN_COPY(BPF_REG_4, BPF_REG_2),
		INSN_OP(BPF_ADD, BPF_REG_4, XDP_STAMP_END),
		INSN_IF_REG(BPF_JGT, BPF_REG_4, BPF_REG_3, 4),
		INSN_LOAD(BPF_W, BPF_REG_5, BPF_REG_1,
			  offsetof(struct xdp_md, rx_queue_index)),
		INSN_STORE(BPF_W, BPF_REG_2, XDP_STAMP_QUEUE, BPF_REG_5),
		INSN_LOAD(BPF_W, BPF_REG_5, BPF_REG_1,
			  offsetof(struct xdp_md, ingress_ifindex)),
		INSN_STORE(BPF_W, BPF_REG_2, XDP_STAMP_DEVICE, BPF_REG_5),
		INSN_SET(BPF_REG_0, XDP_PASS),
		INSN_EXIT,
	};

	return XDP_GIVE(dev, code);
}
