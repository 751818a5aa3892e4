// SPDX-License-Identifier: GPL-2.0-only
/* Virtqueues of /dev/vhost-net: see vhost_dev.h. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <linux/if_link.h>

#include "kselftest.h"
#include "tun_test.h"
#include "vhost_dev.h"

#define PAGE		4096
#define RING_BYTES	(4 * PAGE)	/* more than vring_size() */
#define VQ_BYTES	(RING_BYTES + VQ_SIZE * VQ_ROOM)
#define MEM_BYTES	(2 * VQ_BYTES)

enum { INDEX_RX, INDEX_TX };

void vhost_require(void)
{
	if (strcmp(tun_node(), "/dev/net/tun")) {
		ksft_print_header();
		ksft_exit_skip("vhost_net knows the queues of /dev/net/tun only\n");
	}
	if (system("modprobe -q vhost_net") || access("/dev/vhost-net", F_OK)) {
		ksft_print_header();
		ksft_exit_skip("the kernel has no vhost_net\n");
	}
}

static int set_vring(int fd, unsigned long cmd, unsigned int index,
		     unsigned int num)
{
	struct vhost_vring_state state = { .index = index, .num = num };

	return tun_ioctl_ptr(fd, cmd, &state);
}

static int set_vring_file(int fd, unsigned long cmd, unsigned int index,
			  int file)
{
	struct vhost_vring_file arg = { .index = index, .fd = file };

	return tun_ioctl_ptr(fd, cmd, &arg);
}

static int vq_open(struct vhost *vhost, struct vq *vq, unsigned int index)
{
	void *mem = vhost->mem + index * VQ_BYTES;
	struct vhost_vring_addr addr = { .index = index };
	int err;

	vring_init(&vq->ring, VQ_SIZE, mem, PAGE);
	vq->room = mem + RING_BYTES;
	vq->chain = 1;
	vq->kick = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	vq->call = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (vq->kick < 0 || vq->call < 0)
		return -errno;
	addr.desc_user_addr = (uintptr_t)vq->ring.desc;
	addr.avail_user_addr = (uintptr_t)vq->ring.avail;
	addr.used_user_addr = (uintptr_t)vq->ring.used;
	err = set_vring(vhost->fd, VHOST_SET_VRING_NUM, index, VQ_SIZE);
	if (!err)
		err = set_vring(vhost->fd, VHOST_SET_VRING_BASE, index, 0);
	if (!err)
		err = tun_ioctl_ptr(vhost->fd, VHOST_SET_VRING_ADDR, &addr);
	if (!err)
		err = set_vring_file(vhost->fd, VHOST_SET_VRING_KICK, index,
				     vq->kick);
	if (!err)
		err = set_vring_file(vhost->fd, VHOST_SET_VRING_CALL, index,
				     vq->call);
	return err;
}

/* The guest's addresses are our own. */
static int share_memory(struct vhost *vhost)
{
	struct {
		struct vhost_memory head;
		struct vhost_memory_region region;
	} table = {
		.head.nregions = 1,
		.region = {
			.guest_phys_addr = (uintptr_t)vhost->mem,
			.userspace_addr = (uintptr_t)vhost->mem,
			.memory_size = MEM_BYTES,
		},
	};

	return tun_ioctl_ptr(vhost->fd, VHOST_SET_MEM_TABLE, &table);
}

int vhost_open(struct vhost *vhost, uint64_t features)
{
	int err;

	memset(vhost, 0, sizeof(*vhost));
	vhost->rx.kick = vhost->rx.call = -1;
	vhost->tx.kick = vhost->tx.call = -1;
	vhost->mergeable = features & VHOST_MRG;
	vhost->hdr = features & (VHOST_V1 | VHOST_MRG) ?
		     sizeof(struct virtio_net_hdr_mrg_rxbuf) :
		     sizeof(struct virtio_net_hdr);
	vhost->mem = mmap(NULL, MEM_BYTES, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (vhost->mem == MAP_FAILED)
		return -errno;
	vhost->fd = open("/dev/vhost-net", O_RDWR | O_CLOEXEC);
	if (vhost->fd < 0)
		return -errno;
	err = tun_ioctl(vhost->fd, VHOST_SET_OWNER, 0);
	if (!err)
		err = tun_ioctl_ptr(vhost->fd, VHOST_SET_FEATURES, &features);
	if (!err)
		err = share_memory(vhost);
	if (!err)
		err = vq_open(vhost, &vhost->rx, INDEX_RX);
	if (!err)
		err = vq_open(vhost, &vhost->tx, INDEX_TX);
	return err;
}

void vhost_close(struct vhost *vhost)
{
	if (!vhost->mem)
		return;
	close(vhost->fd);
	close(vhost->rx.kick);
	close(vhost->rx.call);
	close(vhost->tx.kick);
	close(vhost->tx.call);
	munmap(vhost->mem, MEM_BYTES);
	vhost->mem = NULL;
}

/* The queue that fd is, or none: -1. */

int vhost_set_rx_backend(struct vhost *vhost, int fd)
{
	return set_vring_file(vhost->fd, VHOST_NET_SET_BACKEND, INDEX_RX, fd);
}

int vhost_set_tx_backend(struct vhost *vhost, int fd)
{
	return set_vring_file(vhost->fd, VHOST_NET_SET_BACKEND, INDEX_TX, fd);
}

int vhost_set_backend(struct vhost *vhost, int fd)
{
	int err = vhost_set_rx_backend(vhost, fd);

	return err ? err : vhost_set_tx_backend(vhost, fd);
}

int vhost_busy_poll(struct vhost *vhost, unsigned int us)
{
	int err = set_vring(vhost->fd, VHOST_SET_VRING_BUSYLOOP_TIMEOUT,
			    INDEX_RX, us);

	if (err)
		return err;
	return set_vring(vhost->fd, VHOST_SET_VRING_BUSYLOOP_TIMEOUT, INDEX_TX,
			 us);
}

/* Buffers that the device has not given back yet. */
static unsigned int vq_pending(const struct vq *vq)
{
	return (uint16_t)(vq->given - vq->taken - vq->lost);
}

static unsigned int vq_buffers(const struct vq *vq)
{
	return VQ_SIZE / vq->chain;
}

/* The first descriptor of the nth buffer that is given. */
static unsigned int vq_head(const struct vq *vq, uint16_t nth)
{
	return nth % vq_buffers(vq) * vq->chain;
}

static uint8_t *vq_room(const struct vq *vq, unsigned int head)
{
	return vq->room + (size_t)head * VQ_ROOM;
}

/*
 * The device gets len bytes in the descriptors of a chain: the first hdr bytes
 * are by themselves if there are several.
 */
static void vq_give(struct vq *vq, size_t len, size_t hdr, int flags)
{
	unsigned int head = vq_head(vq, vq->given), i;
	uint8_t *p = vq_room(vq, head);
	struct vring_desc *desc = vq->ring.desc + head;

	for (i = 0; i < vq->chain; i++, desc++) {
		bool last = i + 1 == vq->chain;
		size_t part = last ? len : hdr;

		if (!last && i)
			part = len / (vq->chain - i);
		desc->addr = (uintptr_t)p;
		desc->len = part;
		desc->flags = flags | (last ? 0 : VRING_DESC_F_NEXT);
		desc->next = head + i + 1;
		p += part;
		len -= part;
	}
	vq->ring.avail->ring[vq->given % VQ_SIZE] = head;
	vq->given++;
	__atomic_store_n(&vq->ring.avail->idx, vq->given, __ATOMIC_RELEASE);
}

static bool vq_is_used(struct vq *vq)
{
	return __atomic_load_n(&vq->ring.used->idx, __ATOMIC_ACQUIRE) !=
	       vq->taken;
}

/* Waits for the next buffer that the device has used: its length. */
static int vq_take(struct vq *vq, unsigned int *head)
{
	struct vring_used_elem *used;
	eventfd_t count;

	while (!vq_is_used(vq)) {
		int events = wait_events(vq->call, POLLIN, WAIT_MS);

		if (events <= 0)
			return events < 0 ? events : -ETIMEDOUT;
		eventfd_read(vq->call, &count);
	}
	used = &vq->ring.used->ring[vq->taken % VQ_SIZE];
	*head = vq_head(vq, vq->taken + vq->lost);
	if (used->id != *head && !vq->any_order)
		return -EILSEQ;
	vq->taken++;
	return used->len;
}

int vhost_kick(struct vq *vq)
{
	return eventfd_write(vq->kick, 1) ? -errno : 0;
}

/* A frame whose virtio-net header begins so. The device is not told yet. */
int vhost_queue_hdr(struct vhost *vhost, const struct virtio_net_hdr *hdr,
		    const void *frame, size_t len)
{
	struct vq *vq = &vhost->tx;
	uint8_t *p = vq_room(vq, vq_head(vq, vq->given));

	if (vhost->hdr + len > (size_t)vq->chain * VQ_ROOM)
		return -EMSGSIZE;
	if (vq_pending(vq) == vq_buffers(vq))
		return -ENOSPC;
	memset(p, 0, vhost->hdr);
	memcpy(p, hdr, sizeof(*hdr));
	memcpy(p + vhost->hdr, frame, len);
	vq_give(vq, vhost->hdr + len, vhost->hdr, 0);
	return 0;
}

/* The same with an empty header. */
int vhost_queue(struct vhost *vhost, const void *frame, size_t len)
{
	static const struct virtio_net_hdr empty;

	return vhost_queue_hdr(vhost, &empty, frame, len);
}

/* Waits until the device has used all frames. */
int vhost_flush(struct vhost *vhost)
{
	unsigned int head;
	int ret = 0;

	while (vq_pending(&vhost->tx) && ret >= 0)
		ret = vq_take(&vhost->tx, &head);
	return ret < 0 ? ret : 0;
}

/* Takes back the frames that the device has used, at least one within the time. */
int vhost_reclaim(struct vhost *vhost, int timeout_ms)
{
	struct vq *vq = &vhost->tx;
	int n = 0, ret;
	unsigned int head;
	eventfd_t count;

	while (!vq_is_used(vq)) {
		ret = wait_events(vq->call, POLLIN, timeout_ms);
		if (ret <= 0)
			return ret;
		eventfd_read(vq->call, &count);
	}
	for (; vq_is_used(vq); n++) {
		ret = vq_take(vq, &head);
		if (ret < 0)
			return ret;
	}
	return n;
}

/* How far the device has come, between two turns of its worker. */
static int vq_fetched(struct vhost *vhost, unsigned int index)
{
	struct vhost_vring_state state = { .index = index };
	int err = tun_ioctl_ptr(vhost->fd, VHOST_GET_VRING_BASE, &state);

	return err ? err : (int)state.num;
}

/* How many frames it has taken, modulo 65536. */
int vhost_sent(struct vhost *vhost)
{
	return vq_fetched(vhost, INDEX_TX);
}

/*
 * Waits until the device is done with all frames. vhost forgets the buffers of a
 * batch that its backend refuses: how many.
 */
int vhost_settle(struct vhost *vhost)
{
	struct vq *vq = &vhost->tx;
	int ret, lost;
	unsigned int head;

	wait_until((ret = vq_fetched(vhost, INDEX_TX)) == vq->given || ret < 0);
	if (ret != vq->given)
		return ret < 0 ? ret : -ETIMEDOUT;
	while (vq_is_used(vq)) {
		ret = vq_take(vq, &head);
		if (ret < 0)
			return ret;
	}
	lost = vq_pending(vq);
	vq->lost += lost;
	return lost;
}

int vhost_send(struct vhost *vhost, const void *frame, size_t len)
{
	int err = vhost_queue(vhost, frame, len);

	if (!err)
		err = vhost_kick(&vhost->tx);
	return err ? err : vhost_flush(vhost);
}

static void give_room(struct vhost *vhost)
{
	struct vq *vq = &vhost->rx;

	vq_give(vq, (size_t)vq->chain * VQ_ROOM, vhost->hdr,
		VRING_DESC_F_WRITE);
}

/* Room for packets to come. */
int vhost_fill(struct vhost *vhost, unsigned int buffers)
{
	while (buffers--) {
		if (vq_pending(&vhost->rx) == vq_buffers(&vhost->rx))
			return -ENOSPC;
		give_room(vhost);
	}
	return vhost_kick(&vhost->rx);
}

bool vhost_has_received(struct vhost *vhost)
{
	return vq_is_used(&vhost->rx);
}

/* The header must be empty but for the number of buffers. */
static int check_header(struct vhost *vhost, const uint8_t *p,
			unsigned int *buffers)
{
	struct virtio_net_hdr_mrg_rxbuf hdr = { .num_buffers = 1 };
	static const struct virtio_net_hdr empty;

	memcpy(&hdr, p, vhost->hdr);
	if (memcmp(&hdr.hdr, &empty, sizeof(empty)))
		return -EBADMSG;
	*buffers = hdr.num_buffers;
	return hdr.num_buffers && (vhost->mergeable || hdr.num_buffers == 1) ?
	       0 : -EPROTO;
}

/* Waits for a frame, and gives its buffers back: the frame's length. */
ssize_t vhost_recv(struct vhost *vhost, void *frame, size_t size)
{
	unsigned int buffers = 1, head, i;
	size_t total = 0, skip = vhost->hdr;
	int len, err;

	for (i = 0; i < buffers; i++, skip = 0) {
		len = vq_take(&vhost->rx, &head);
		if (len < 0)
			return len;
		if (len < (int)skip || total + len - skip > size)
			return -EMSGSIZE;
		if (!i) {
			err = check_header(vhost, vq_room(&vhost->rx, head),
					   &buffers);
			if (err)
				return err;
		}
		memcpy(frame + total, vq_room(&vhost->rx, head) + skip,
		       len - skip);
		total += len - skip;
		give_room(vhost);
	}
	err = vhost_kick(&vhost->rx);
	return err ? err : (ssize_t)total;
}

int xdp_attach(int index, const struct bpf_insn *code, size_t insns)
{
	union bpf_attr attr = {
		.prog_type = BPF_PROG_TYPE_XDP,
		.insn_cnt = insns,
		.insns = (uintptr_t)code,
		.license = (uintptr_t)"GPL",
	};
	union bpf_attr link = { 0 };
	int prog, ret;

	prog = syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof(attr));
	if (prog < 0)
		return -errno;
	link.link_create.prog_fd = prog;
	link.link_create.target_ifindex = index;
	link.link_create.attach_type = BPF_XDP;
	link.link_create.flags = XDP_FLAGS_DRV_MODE;
	ret = syscall(SYS_bpf, BPF_LINK_CREATE, &link, sizeof(link));
	if (ret < 0)
		ret = -errno;
	close(prog);
	return ret;
}
