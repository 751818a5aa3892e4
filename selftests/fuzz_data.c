// SPDX-License-Identifier: GPL-2.0-only
/* Packets written, read, waited for, and sent to the devices: see fuzz.h. */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>

#include "fuzz.h"
#include "rtnl.h"
#include "tun_test.h"

#define PIECES	6
#define BURST	16

struct pieces {
	struct iovec iov[PIECES];
	int n;
};

static int epoll_fd;
/* A guess, which may be out of date. */
static atomic_int flags_of[FUZZ_SLOTS];

int fuzz_open_epoll(void)
{
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	return epoll_fd < 0 ? -errno : 0;
}

/* TUNGETIFF does not tell whether there is a PI header: the name does. */
static int guess_flags(struct fuzz_thread *t, int fd)
{
	unsigned int n, slot = fd - FUZZ_FD_BASE;
	struct ifreq ifr = { 0 };

	if (slot >= FUZZ_SLOTS)
		return 0;
	if (fuzz_one_in(t, 2) && !tun_ioctl_ptr(fd, TUNGETIFF, &ifr) &&
	    sscanf(ifr.ifr_name, "fuzz%u", &n) == 1)
		flags_of[slot] = (ifr.ifr_flags & ~IFF_NO_PI) |
				 (fuzz_device_flags(n) & IFF_NO_PI);
	return flags_of[slot];
}

/* A place of that length: before the page that faults, or anywhere. */
static uint8_t *some_place(struct fuzz_thread *t, size_t len)
{
	if (fuzz_one_in(t, 2))
		return t->end - len;
	return t->room + fuzz_pick(t, FUZZ_ROOM - len);
}

/* Cuts it into pieces, some of them empty. */
static void cut(struct fuzz_thread *t, struct pieces *pieces, uint8_t *at,
		size_t len)
{
	size_t part;
	int i;

	pieces->n = 1 + fuzz_pick(t, PIECES);
	for (i = 0; i < pieces->n; i++) {
		part = fuzz_pick(t, len < 64 ? len + 1 : 64);
		if (fuzz_one_in(t, 8))
			part = 0;
		if (i == pieces->n - 1)
			part = len;
		pieces->iov[i] = (struct iovec){ at, part };
		at += part;
		len -= part;
	}
}

/* A packet that the queue may take: its place and length. */
static uint8_t *some_write(struct fuzz_thread *t, int fd, size_t *len)
{
	uint8_t *at;

	*len = fuzz_put_write(t, t->room, guess_flags(t, fd));
	at = some_place(t, *len);
	memmove(at, t->room, *len);
	return at;
}

/* A packet is written as a whole. */
static long written(struct fuzz_thread *t, const char *name, long ret,
		    size_t len)
{
	if (ret >= 0 && (size_t)ret != len)
		fuzz_fail(t, 220, "%s: %ld of %zu bytes went", name, ret,
			  len);
	return ret;
}

static long run_write(struct fuzz_thread *t, const struct fuzz_row *row)
{
	int fd = fuzz_fd(t);
	size_t len;
	uint8_t *at = some_write(t, fd, &len), *log = t->room;

	t->expect = EXPECT_NO_FAULT;
	fuzz_note(t, "fd %d len %zu: %02x%02x%02x%02x %02x%02x%02x%02x", fd,
		  len, log[0], log[1], log[2], log[3], log[4], log[5], log[6],
		  log[7]);
	return written(t, row->name, write_ret(fd, at, len), len);
}

static long run_writev(struct fuzz_thread *t, const struct fuzz_row *row)
{
	struct pieces pieces;
	int fd = fuzz_fd(t);
	size_t len;
	uint8_t *at = some_write(t, fd, &len);

	cut(t, &pieces, at, len);
	t->expect = EXPECT_NO_FAULT;
	fuzz_note(t, "fd %d len %zu in %d, first %zu", fd, len, pieces.n,
		  pieces.iov[0].iov_len);
	return written(t, row->name,
		       fuzz_ret(writev(fd, pieces.iov, pieces.n)), len);
}

static int some_rwf(struct fuzz_thread *t)
{
	return fuzz_one_in(t, 8) ? 1 << fuzz_pick(t, 10) : RWF_NOWAIT;
}

static off_t some_offset(struct fuzz_thread *t)
{
	return fuzz_one_in(t, 8) ? fuzz_edge(t) : -1;
}

static long run_pwritev2(struct fuzz_thread *t, const struct fuzz_row *row)
{
	off_t offset = some_offset(t);
	int fd = fuzz_fd(t), how = some_rwf(t);
	struct pieces pieces;
	size_t len;
	uint8_t *at = some_write(t, fd, &len);

	cut(t, &pieces, at, len);
	t->expect = EXPECT_NO_FAULT;
	fuzz_note(t, "fd %d len %zu in %d at %ld how %#x", fd, len, pieces.n,
		  offset, how);
	return written(t, row->name, fuzz_ret(pwritev2(fd, pieces.iov,
						       pieces.n, offset,
						       how)), len);
}

/* One piece, which is not empty, is not there. */
static void spoil(struct fuzz_thread *t, struct pieces *pieces)
{
	struct iovec *iov = &pieces->iov[fuzz_pick(t, pieces->n)];

	iov->iov_base = fuzz_bad_pointer(t);
	if (!iov->iov_len)
		iov->iov_len = 1 + fuzz_pick(t, 100);
}

static long run_write_bad(struct fuzz_thread *t, const struct fuzz_row *row)
{
	struct pieces pieces;
	int fd = fuzz_fd(t);
	size_t len;
	uint8_t *at = some_write(t, fd, &len);

	t->expect = EXPECT_ERROR;
	switch (fuzz_pick(t, 3)) {
	case 0:	/* beyond what is there */
		at = t->end - len;
		len += fuzz_one_in(t, 4) ? INT32_MAX - len :
					   1 + fuzz_pick(t, 99);
		break;
	case 1:
		at = fuzz_bad_pointer(t);
		len++;
		break;
	case 2:
		cut(t, &pieces, at, len);
		spoil(t, &pieces);
		/* The in-tree driver leaves out what a long header ends in. */
		if (!tun_is_rtun())
			t->expect = EXPECT_ANY;
		fuzz_note(t, "fd %d len %zu in %d", fd, len, pieces.n);
		return fuzz_ret(writev(fd, pieces.iov, pieces.n));
	}
	fuzz_note(t, "fd %d len %zu at %p", fd, len, at);
	return write_ret(fd, at, len);
}

static size_t some_read_length(struct fuzz_thread *t)
{
	static const size_t lengths[] = {
		0, 1, 3, 4, 5, 10, 13, 14, 15, 20, 64, 100,
	};
	unsigned int n = fuzz_pick(t, 32);

	if (n < 12)
		return lengths[n];
	return n < 24 ? 2048 : 70000;
}

/* What was read fits in where it was read to. */
static long was_read(struct fuzz_thread *t, const char *name, long ret,
		     size_t len)
{
	if (ret > 0 && (size_t)ret > len)
		fuzz_fail(t, 221, "%s: %ld bytes read into %zu", name, ret,
			  len);
	return ret;
}

static long run_read(struct fuzz_thread *t, const struct fuzz_row *row)
{
	size_t len = some_read_length(t);
	uint8_t *at = some_place(t, len);
	int fd = fuzz_fd(t);

	t->expect = EXPECT_NO_FAULT;
	fuzz_note(t, "fd %d len %zu", fd, len);
	return was_read(t, row->name, read_ret(fd, at, len), len);
}

static long run_readv(struct fuzz_thread *t, const struct fuzz_row *row)
{
	size_t len = some_read_length(t);
	struct pieces pieces;
	int fd = fuzz_fd(t);

	cut(t, &pieces, some_place(t, len), len);
	t->expect = EXPECT_NO_FAULT;
	fuzz_note(t, "fd %d len %zu in %d, first %zu", fd, len, pieces.n,
		  pieces.iov[0].iov_len);
	return was_read(t, row->name,
			fuzz_ret(readv(fd, pieces.iov, pieces.n)), len);
}

static long run_preadv2(struct fuzz_thread *t, const struct fuzz_row *row)
{
	size_t len = some_read_length(t);
	off_t offset = some_offset(t);
	int fd = fuzz_fd(t), how = some_rwf(t);
	struct pieces pieces;

	cut(t, &pieces, some_place(t, len), len);
	t->expect = EXPECT_NO_FAULT;
	fuzz_note(t, "fd %d len %zu in %d at %ld how %#x", fd, len, pieces.n,
		  offset, how);
	return was_read(t, row->name, fuzz_ret(preadv2(fd, pieces.iov,
						       pieces.n, offset,
						       how)), len);
}

/* A packet may end before what is not there. */
static long run_read_bad(struct fuzz_thread *t, const struct fuzz_row *row)
{
	size_t len = 1 + some_read_length(t);
	struct pieces pieces;
	int fd = fuzz_fd(t);

	fuzz_note(t, "fd %d len %zu", fd, len);
	if (fuzz_one_in(t, 2)) {
		/* The in-tree driver does not look whether it could copy. */
		t->expect = tun_is_rtun() ? EXPECT_ERROR : EXPECT_ANY;
		return read_ret(fd, fuzz_one_in(t, 2) ? t->constant :
				fuzz_bad_pointer(t), len);
	}
	cut(t, &pieces, some_place(t, len), len);
	spoil(t, &pieces);
	return fuzz_ret(readv(fd, pieces.iov, pieces.n));
}

static long run_poll(struct fuzz_thread *t, const struct fuzz_row *row)
{
	struct pollfd pfd[4];
	int i, ret, n = 1 + fuzz_pick(t, 4);

	for (i = 0; i < n; i++) {
		pfd[i].fd = fuzz_fd(t);
		pfd[i].events = fuzz_one_in(t, 4) ? fuzz_edge(t) :
						    POLLIN | POLLOUT;
	}
	fuzz_note(t, "fd %d and %d more for %#x", pfd[0].fd, n - 1,
		  pfd[0].events);
	ret = fuzz_ret(poll(pfd, n, fuzz_pick(t, 4)));
	for (i = 0; ret > 0 && i < n; i++) {
		int more = POLLERR | POLLHUP | POLLNVAL;

		if (pfd[i].revents & ~(pfd[i].events | more))
			fuzz_fail(t, 222, "%s: %#x, asked for %#x", row->name,
				  pfd[i].revents, pfd[i].events);
	}
	return ret;
}

static long run_epoll_ctl(struct fuzz_thread *t, const struct fuzz_row *row)
{
	static const int ops[] = {
		EPOLL_CTL_ADD, EPOLL_CTL_ADD, EPOLL_CTL_MOD, EPOLL_CTL_DEL,
	};
	struct epoll_event event = { .events = EPOLLIN | EPOLLOUT };
	int fd = fuzz_fd(t), op = ops[fuzz_pick(t, 4)];

	if (fuzz_one_in(t, 2))
		event.events = fuzz_random(t);
	fuzz_note(t, "fd %d op %d for %#x", fd, op, event.events);
	return fuzz_ret(epoll_ctl(epoll_fd, op, fd, &event));
}

static long run_epoll_wait(struct fuzz_thread *t, const struct fuzz_row *row)
{
	struct epoll_event events[4];

	return fuzz_ret(epoll_wait(epoll_fd, events, 4, fuzz_pick(t, 4)));
}

static long burst(struct fuzz_thread *t, const void *buf, size_t len, int index,
		  int proto)
{
	int n = 1 + fuzz_pick(t, BURST);
	long ret;

	do {
		ret = packet_send(t->packet, index, proto, buf, len);
	} while (ret >= 0 && --n);
	return ret;
}

/* A TUN device's packets have no header that tells the protocol. */
static long send_packets(struct fuzz_thread *t, bool vnet)
{
	struct virtio_net_hdr hdr;
	size_t head = vnet ? sizeof(hdr) : 0, len;
	int one = vnet, bypass = fuzz_one_in(t, 4);
	char name[IFNAMSIZ];
	uint16_t proto;
	bool ether;
	int index;

	if (t->packet < 0)
		return -EPERM;
	ether = fuzz_name(t, name) & 1;
	fuzz_put_vnet(t, t->room, head, ether ? ETH_HLEN : 0);
	len = fuzz_put_packet(t, t->room + head, ether, &proto);
	fuzz_note(t, "%s len %zu proto %#x", name, head + len, proto);
	index = link_index(name);
	if (index < 0)
		return index;
	if (setsockopt(t->packet, SOL_PACKET, PACKET_VNET_HDR, &one,
		       sizeof(one)) ||
	    setsockopt(t->packet, SOL_PACKET, PACKET_QDISC_BYPASS, &bypass,
		       sizeof(bypass)))
		return -errno;
	return burst(t, t->room, head + len, index, proto);
}

static long run_send(struct fuzz_thread *t, const struct fuzz_row *row)
{
	return send_packets(t, false);
}

static long run_send_vnet(struct fuzz_thread *t, const struct fuzz_row *row)
{
	return send_packets(t, true);
}

static long run_send_udp(struct fuzz_thread *t, const struct fuzz_row *row)
{
	static const size_t lengths[] = { 0, 1, 100, 1472, 4000, 65507 };
	unsigned int n = fuzz_pick(t, FUZZ_NAMES);
	struct sockaddr_in to = {
		.sin_family = AF_INET,
		.sin_port = htons(1024 + fuzz_pick(t, 64)),
		.sin_addr.s_addr = htonl(fuzz_address(n) + 1),
	};
	size_t len = lengths[fuzz_pick(t, 6)];

	fuzz_note(t, "fuzz%u len %zu", n, len);
	return fuzz_ret(sendto(t->udp, t->payload, len, 0,
			       (struct sockaddr *)&to, sizeof(to)));
}

#define DATA(_name, _weight, _run, _flags, ...) {			\
	.name = _name, .weight = _weight, .run = run_##_run,		\
	.flags = _flags, .errors = { __VA_ARGS__ } }
#define WRITE(_name, _weight, _run, _flags, ...) {			\
	.name = _name, .weight = _weight, .run = run_##_run,		\
	.flags = ROW_WAITS | _flags,					\
	.errors = { EBADFD, EINVAL, EIO, ENOMEM, ENOBUFS, EMSGSIZE,	\
		    EAGAIN, EBUSY, __VA_ARGS__ } }
#define READ(_name, _weight, _run, _flags, ...)				\
	DATA(_name, _weight, _run, ROW_WAITS | _flags, EBADFD, EINVAL,	\
	     EAGAIN, EFAULT, __VA_ARGS__)
#define SEND(_name, _weight, _run, _flags, ...)				\
	DATA(_name, _weight, _run, _flags, EINVAL, ENETDOWN, ENOBUFS,	\
	     EMSGSIZE, EAGAIN, __VA_ARGS__)

const struct fuzz_row fuzz_data_rows[] = {
	WRITE("write", 60, write, ROW_NOBODY, 0),
	WRITE("writev", 20, writev, 0, 0),
	WRITE("pwritev2", 10, pwritev2, 0, EOPNOTSUPP),
	WRITE("write, bad", 10, write_bad, ROW_CHANCE, EFAULT),
	READ("read", 50, read, ROW_NOBODY, 0),
	READ("readv", 15, readv, 0, 0),
	READ("preadv2", 15, preadv2, 0, EOPNOTSUPP),
	READ("read, bad", 10, read_bad, ROW_CHANCE, 0),
	DATA("poll", 20, poll, ROW_WAITS | ROW_NOBODY, EINTR),
	DATA("epoll_ctl", 15, epoll_ctl, 0, EEXIST, ENOENT, EINVAL),
	DATA("epoll_wait", 8, epoll_wait, ROW_WAITS, EINTR),
	/* ENOMEM is for what the stack cannot segment, if there is no qdisc. */
	SEND("send", 60, send, ROW_ADMIN, ENODEV, ENXIO, EINTR, ENOMEM),
	SEND("send, offloads", 20, send_vnet, ROW_ADMIN, ENODEV, ENXIO, EINTR,
	     ENOMEM),
	SEND("send UDP", 20, send_udp, 0, ENETUNREACH, EHOSTUNREACH,
	     ECONNREFUSED, EPERM),
	{ }
};
