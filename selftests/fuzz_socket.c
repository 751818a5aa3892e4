// SPDX-License-Identifier: GPL-2.0-only
/*
 * What only rtun has: queues as sockets, and packed batches, malformed too: see
 * fuzz.h. Both have descriptors of their own, since the calls of fuzz_data.c take
 * what those of a plain file say at its word.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>
#include <linux/if_packet.h>

#include "batch.h"
#include "fuzz.h"
#include "tun_test.h"

#define ERESTARTSYS	512	/* the kernel's own */
#define MANY	8
#define PACKET_ROOM	(FUZZ_ROOM / 2 / MANY)

static long run_socket(struct fuzz_thread *t, const struct fuzz_row *row)
{
	static const int good[] = { 0, O_CLOEXEC, O_CLOEXEC | O_NONBLOCK };
	bool of_socket = fuzz_one_in(t, 4);
	int from = of_socket ? fuzz_socket_slot(t) : fuzz_fd(t);
	int to = fuzz_socket_slot(t);
	long arg = fuzz_one_in(t, 8) ? fuzz_edge(t) : good[fuzz_pick(t, 3)];
	int fd;

	fuzz_note(t, "of fd %d to %d flags %#lx", from, to, arg);
	fd = tun_ioctl(from, RTUN_SOCKET, arg);
	return fd < 0 ? fd : fuzz_put_slot(fd, to);
}

/* A file that carries batches, of a device that has several queues. */
static long run_batch_file(struct fuzz_thread *t, const struct fuzz_row *row)
{
	unsigned int n = 2 + fuzz_pick(t, FUZZ_NAMES - 2);
	int fd, err, slot = fuzz_batch_slot(t);
	char name[IFNAMSIZ];

	snprintf(name, sizeof(name), "fuzz%u", n);
	fuzz_note(t, "fd %d of %s", slot, name);
	fd = open(tun_node(), O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	err = tun_set_iff(fd, name, fuzz_device_flags(n));
	if (!err)
		err = batch_set(fd, RTUN_BATCH_V1);
	if (!err)
		return fuzz_put_slot(fd, slot);
	close(fd);
	return err;
}

static long run_close_special(struct fuzz_thread *t, const struct fuzz_row *row)
{
	int fd = fuzz_one_in(t, 3) ? fuzz_batch_slot(t) : fuzz_socket_slot(t);

	fuzz_note(t, "fd %d", fd);
	return fuzz_ret(close(fd));
}

static int device_flags(int fd)
{
	struct ifreq ifr = { 0 };
	unsigned int n;

	if (tun_ioctl_ptr(fd, TUNGETIFF, &ifr) ||
	    sscanf(ifr.ifr_name, "fuzz%u", &n) != 1)
		return 0;
	return (ifr.ifr_flags & ~IFF_NO_PI) |
	       (fuzz_device_flags(n) & IFF_NO_PI);
}

static int some_flags(struct fuzz_thread *t, int usual)
{
	static const int odd[] = {
		0, MSG_MORE, MSG_ZEROCOPY, MSG_OOB, MSG_PEEK, MSG_TRUNC,
		MSG_ERRQUEUE, MSG_WAITALL, MSG_CONFIRM, MSG_EOR, MSG_BATCH,
		MSG_CMSG_CLOEXEC, MSG_DONTROUTE, MSG_NOSIGNAL,
	};
	unsigned int n = fuzz_pick(t, 32);

	if (n < 14)
		return odd[n] | (fuzz_one_in(t, 8) ? 0 : MSG_DONTWAIT);
	if (n == 14)
		return fuzz_edge(t);
	return usual | MSG_DONTWAIT;
}

/* A name or control data, which is of no use. */
static void add_useless(struct fuzz_thread *t, struct msghdr *msg)
{
	if (fuzz_one_in(t, 8)) {
		msg->msg_name = t->payload;
		msg->msg_namelen = fuzz_pick(t, 200);
	}
	if (fuzz_one_in(t, 4)) {
		msg->msg_control = t->payload + fuzz_pick(t, 64);
		msg->msg_controllen = fuzz_pick(t, 100);
	}
}

/* n packets, with something wrong with one of them sometimes. */
static void some_messages(struct fuzz_thread *t, int fd, struct mmsghdr *msg,
			  struct iovec *iov, int n)
{
	int flags = device_flags(fd), i;

	memset(msg, 0, n * sizeof(*msg));
	for (i = 0; i < n; i++) {
		uint8_t *at = t->room + i * PACKET_ROOM;
		size_t len = fuzz_put_write(t, at, flags);

		iov[i] = (struct iovec){ at, len < PACKET_ROOM ? len :
							       PACKET_ROOM };
		msg[i].msg_hdr.msg_iov = &iov[i];
		msg[i].msg_hdr.msg_iovlen = 1;
		add_useless(t, &msg[i].msg_hdr);
	}
	if (fuzz_one_in(t, 16))
		iov[fuzz_pick(t, n)].iov_base = fuzz_bad_pointer(t);
}

static long run_sendmsg(struct fuzz_thread *t, const struct fuzz_row *row)
{
	int fd = fuzz_socket_slot(t), flags = some_flags(t, MSG_MORE);
	struct mmsghdr msg;
	struct iovec iov;
	long ret;

	some_messages(t, fd, &msg, &iov, 1);
	fuzz_note(t, "fd %d len %zu flags %#x", fd, iov.iov_len, flags);
	ret = fuzz_ret(sendmsg(fd, &msg.msg_hdr, flags));
	if (ret >= 0 && ret != iov.iov_len)
		fuzz_fail(t, 220, "%s: %ld of %zu bytes went", row->name, ret,
			  iov.iov_len);
	return ret;
}

static long run_sendmmsg(struct fuzz_thread *t, const struct fuzz_row *row)
{
	int fd = fuzz_socket_slot(t), flags = some_flags(t, 0);
	int n = 1 + fuzz_pick(t, MANY);
	struct mmsghdr msg[MANY];
	struct iovec iov[MANY];
	long ret;

	some_messages(t, fd, msg, iov, n);
	fuzz_note(t, "fd %d, %d of them, flags %#x", fd, n, flags);
	ret = fuzz_ret(sendmmsg(fd, msg, n, flags));
	if (ret > n)
		fuzz_fail(t, 220, "%s: %ld of %d went", row->name, ret, n);
	return ret;
}

/* Room for n packets, which is not there for one of them sometimes. */
static void some_room(struct fuzz_thread *t, struct mmsghdr *msg,
		      struct iovec *iov, int n)
{
	static const size_t lengths[] = { 0, 1, 4, 14, 60, 100 };
	int i;

	memset(msg, 0, n * sizeof(*msg));
	for (i = 0; i < n; i++) {
		iov[i].iov_base = t->room + i * PACKET_ROOM;
		iov[i].iov_len = fuzz_one_in(t, 2) ? PACKET_ROOM :
						     lengths[fuzz_pick(t, 6)];
		msg[i].msg_hdr.msg_iov = &iov[i];
		msg[i].msg_hdr.msg_iovlen = 1;
		if (fuzz_one_in(t, 4)) {
			msg[i].msg_hdr.msg_control = t->room + FUZZ_ROOM / 2;
			msg[i].msg_hdr.msg_controllen = fuzz_pick(t, 200);
		}
	}
	if (fuzz_one_in(t, 16))
		iov[fuzz_pick(t, n)].iov_base = fuzz_bad_pointer(t);
}

static long run_recvmsg(struct fuzz_thread *t, const struct fuzz_row *row)
{
	int fd = fuzz_socket_slot(t);
	int flags = some_flags(t, fuzz_one_in(t, 4) ? MSG_PEEK : 0);
	struct mmsghdr msg;
	struct iovec iov;
	long ret;

	some_room(t, &msg, &iov, 1);
	fuzz_note(t, "fd %d len %zu flags %#x", fd, iov.iov_len, flags);
	ret = fuzz_ret(recvmsg(fd, &msg.msg_hdr, flags));
	if (ret >= 0 && ret > iov.iov_len && !(flags & MSG_TRUNC))
		fuzz_fail(t, 221, "%s: %ld bytes read into %zu", row->name, ret,
			  iov.iov_len);
	return ret;
}

static long run_recvmmsg(struct fuzz_thread *t, const struct fuzz_row *row)
{
	int fd = fuzz_socket_slot(t), flags = some_flags(t, MSG_WAITFORONE);
	int n = 1 + fuzz_pick(t, MANY);
	struct timespec limit = { .tv_nsec = fuzz_pick(t, 5000000) };
	struct mmsghdr msg[MANY];
	struct iovec iov[MANY];
	long ret;

	some_room(t, msg, iov, n);
	if (fuzz_one_in(t, 8))
		limit.tv_nsec = fuzz_edge(t);
	fuzz_note(t, "fd %d, %d of them, flags %#x", fd, n, flags);
	ret = fuzz_ret(recvmmsg(fd, msg, n, flags,
				fuzz_one_in(t, 2) ? &limit : NULL));
	if (ret > n)
		fuzz_fail(t, 221, "%s: %ld into %d", row->name, ret, n);
	return ret;
}

static int some_level(struct fuzz_thread *t)
{
	static const int levels[] = { SOL_SOCKET, SOL_PACKET, 0, -1 };

	return levels[fuzz_one_in(t, 8) ? fuzz_pick(t, 4) : 0];
}

static int some_option(struct fuzz_thread *t)
{
	static const int usual[] = {
		SO_SNDBUF, SO_SNDBUFFORCE, SO_RCVTIMEO, SO_SNDTIMEO, SO_RCVBUF,
		SO_ERROR, SO_TYPE, SO_ZEROCOPY,
	};

	return fuzz_one_in(t, 2) ? usual[fuzz_pick(t, 8)] :
	       fuzz_one_in(t, 8) ? (int)fuzz_edge(t) : (int)fuzz_pick(t, 84);
}

static long run_setsockopt(struct fuzz_thread *t, const struct fuzz_row *row)
{
	int fd = fuzz_socket_slot(t);
	int level = some_level(t), option = some_option(t);
	socklen_t len = fuzz_one_in(t, 8) ? fuzz_edge(t) : 4 << fuzz_pick(t, 3);
	long value[8] = { fuzz_one_in(t, 2) ? 20000 : fuzz_edge(t), 0 };
	void *at = fuzz_one_in(t, 16) ? fuzz_bad_pointer(t) : value;

	/* Who waits is to be woken by its own limit sometimes. */
	if (option == SO_RCVTIMEO || option == SO_SNDTIMEO)
		value[0] = fuzz_one_in(t, 4) ? fuzz_edge(t) : 0;
	fuzz_note(t, "fd %d level %d option %d len %u value %ld", fd, level,
		  option, len, value[0]);
	return fuzz_ret(setsockopt(fd, level, option, at, len));
}

static long run_getsockopt(struct fuzz_thread *t, const struct fuzz_row *row)
{
	int fd = fuzz_socket_slot(t);
	int level = some_level(t), option = some_option(t);
	socklen_t len = fuzz_one_in(t, 8) ? fuzz_edge(t) : fuzz_pick(t, 64);
	void *at = fuzz_one_in(t, 16) ? fuzz_bad_pointer(t) : t->room;

	fuzz_note(t, "fd %d level %d option %d len %u", fd, level, option, len);
	return fuzz_ret(getsockopt(fd, level, option, at, &len));
}

static long run_getsockname(struct fuzz_thread *t, const struct fuzz_row *row)
{
	int fd = fuzz_socket_slot(t);
	socklen_t len = fuzz_one_in(t, 4) ? fuzz_edge(t) : 64;
	void *at = fuzz_one_in(t, 16) ? fuzz_bad_pointer(t) : t->room;

	fuzz_note(t, "fd %d len %u", fd, len);
	if (fuzz_one_in(t, 2))
		return fuzz_ret(getpeername(fd, at, &len));
	return fuzz_ret(getsockname(fd, at, &len));
}

/* What a datagram socket without addresses can not do. */
static long run_address(struct fuzz_thread *t, const struct fuzz_row *row)
{
	int fd = fuzz_socket_slot(t), how = fuzz_pick(t, 5);
	socklen_t len = fuzz_pick(t, 130);

	fuzz_note(t, "fd %d call %d", fd, how);
	switch (how) {
	case 0:
		return fuzz_ret(bind(fd, (void *)t->payload, len));
	case 1:
		return fuzz_ret(connect(fd, (void *)t->payload, len));
	case 2:
		return fuzz_ret(listen(fd, 1));
	case 3:
		return fuzz_ret(accept4(fd, NULL, NULL, SOCK_CLOEXEC));
	}
	return fuzz_ret(shutdown(fd, fuzz_pick(t, 3)));
}

static long run_poll_special(struct fuzz_thread *t, const struct fuzz_row *row)
{
	struct pollfd pfd[] = {
		{ fuzz_socket_slot(t), POLLIN | POLLOUT, 0 },
		{ fuzz_batch_slot(t), POLLIN | POLLOUT, 0 },
	};

	return fuzz_ret(poll(pfd, 2, fuzz_pick(t, 4)));
}

/* A frame that is none, in one of the ways that there are. */
static void spoil(struct fuzz_thread *t, struct rtun_frame *frame)
{
	switch (fuzz_pick(t, 6)) {
	case 0:
		frame->size = fuzz_edge(t);
		break;
	case 1:
		frame->len = fuzz_edge(t);
		break;
	case 2:
		frame->whole = fuzz_edge(t);
		break;
	case 3:
		frame->offset = fuzz_edge(t);
		break;
	case 4:
		frame->flags = fuzz_edge(t);
		break;
	case 5:
		frame->size += fuzz_pick(t, 32) - 16;
		break;
	}
}

/* Frames in t->room: how many bytes. */
static size_t some_frames(struct fuzz_thread *t, int fd)
{
	int flags = device_flags(fd), n = 1 + fuzz_pick(t, MANY);
	size_t used = 0;

	while (n--) {
		struct rtun_frame *frame = (void *)(t->room + used);
		size_t len = fuzz_put_write(t, (void *)(frame + 1), flags);

		if (len > PACKET_ROOM - FRAME - RTUN_FRAME_ALIGN)
			len = fuzz_pick(t, 200);
		*frame = (struct rtun_frame){
			.size = RTUN_FRAME_SIZE(len), .len = len,
			.whole = fuzz_one_in(t, 2) ? len : 0,
			.offset = sizeof(*frame),
		};
		used += frame->size;
		if (fuzz_one_in(t, 12))
			spoil(t, frame);
	}
	return fuzz_one_in(t, 8) ? fuzz_pick(t, used) : used;
}

static long run_packed_write(struct fuzz_thread *t, const struct fuzz_row *row)
{
	int fd = fuzz_batch_slot(t);
	size_t len = some_frames(t, fd), first = fuzz_pick(t, len + 1);
	struct iovec iov[] = {
		{ t->room, first }, { t->room + first, len - first },
	};
	long ret;

	if (fuzz_one_in(t, 16))
		iov[fuzz_pick(t, 2)].iov_base = fuzz_bad_pointer(t);
	fuzz_note(t, "fd %d len %zu first %zu", fd, len, first);
	ret = fuzz_ret(writev(fd, iov, 2));
	if (ret > (long)len)
		fuzz_fail(t, 220, "%s: %ld of %zu bytes went", row->name, ret,
			  len);
	return ret;
}

static long run_packed_read(struct fuzz_thread *t, const struct fuzz_row *row)
{
	static const size_t lengths[] = {
		0, 1, 15, 16, 24, 40, 100, 4096, FUZZ_ROOM / 2,
	};
	int fd = fuzz_batch_slot(t);
	size_t len = lengths[fuzz_pick(t, 9)];
	void *at = t->room + fuzz_pick(t, 4096);
	long ret;

	if (fuzz_one_in(t, 16))
		at = fuzz_one_in(t, 2) ? t->constant : fuzz_bad_pointer(t);
	fuzz_note(t, "fd %d len %zu", fd, len);
	ret = read_ret(fd, at, len);
	if (ret > (long)len)
		fuzz_fail(t, 221, "%s: %ld bytes read into %zu", row->name, ret,
			  len);
	return ret;
}

/* What a file carries may change while others write and read. */
static long run_setbatch(struct fuzz_thread *t, const struct fuzz_row *row)
{
	struct rtun_batch arg = {
		.version = fuzz_one_in(t, 4) ? fuzz_edge(t) :
					       !fuzz_one_in(t, 4),
		.flags = fuzz_one_in(t, 8) ? fuzz_edge(t) : 0,
	};
	void *at = fuzz_one_in(t, 8) ? fuzz_bad_pointer(t) : &arg;
	int fd = fuzz_batch_slot(t);
	bool known = arg.version <= RTUN_BATCH_V1 && !arg.flags;

	if (!known || at != &arg)
		t->expect = EXPECT_ERROR;
	fuzz_note(t, "fd %d version %u flags %#x", fd, arg.version, arg.flags);
	return tun_ioctl_ptr(fd, RTUN_SETBATCH, at);
}

static long run_getbatch(struct fuzz_thread *t, const struct fuzz_row *row)
{
	int fd = fuzz_one_in(t, 2) ? fuzz_batch_slot(t) : fuzz_fd(t);

	fuzz_note(t, "fd %d", fd);
	return batch_get(fd);
}

#define ROW(_name, _weight, _run, _flags, ...) {			\
	.name = _name, .weight = _weight, .run = run_##_run,		\
	.flags = _flags, .errors = { __VA_ARGS__ } }
#define SEND(_name, _weight, _run, ...)					\
	ROW(_name, _weight, _run, ROW_WAITS, EBADFD, EINVAL, EIO, ENOMEM,\
	    ENOBUFS, EMSGSIZE, EAGAIN, EBUSY, EFAULT, EISCONN,		\
	    EOPNOTSUPP, __VA_ARGS__)
#define RECV(_name, _weight, _run, ...)					\
	ROW(_name, _weight, _run, ROW_WAITS, EBADFD, EINVAL, EAGAIN,	\
	    EFAULT, EOPNOTSUPP, ENOMEM, __VA_ARGS__)

const struct fuzz_row fuzz_socket_rows[] = {
	ROW("RTUN_SOCKET", 20, socket, 0, EINVAL, ENOMEM, ENFILE, EBUSY),
	ROW("close special", 3, close_special, 0, EBADF),
	SEND("sendmsg", 30, sendmsg, 0),
	SEND("sendmmsg", 15, sendmmsg, 0),
	RECV("recvmsg", 25, recvmsg, 0),
	/* A signal between two messages is the next call's error, on any socket. */
	RECV("recvmmsg", 15, recvmmsg, ERESTARTSYS),
	ROW("setsockopt", 8, setsockopt, 0, EOPNOTSUPP, ENOPROTOOPT, EINVAL,
	    EFAULT, EPERM, EDOM, ENOMEM, ENODEV),
	ROW("getsockopt", 4, getsockopt, 0, EOPNOTSUPP, ENOPROTOOPT, EINVAL,
	    EFAULT, ENODATA, ENOTCONN, EPERM, ESRCH),
	ROW("getsockname", 4, getsockname, 0, EINVAL, EFAULT),
	ROW("bind, listen ...", 3, address, ROW_NEVER, EOPNOTSUPP, EINVAL,
	    ENOTCONN),
	ROW("poll special", 5, poll_special, ROW_WAITS, EINTR),
	ROW("batch file", 12, batch_file, 0, EEXIST, EINVAL, EBUSY,
	    E2BIG, EPERM, ENOMEM),
	ROW("packed write", 30, packed_write, ROW_WAITS, EBADFD, EINVAL, EIO,
	    ENOMEM, ENOBUFS, EMSGSIZE, EAGAIN, EBUSY, EFAULT),
	ROW("packed read", 20, packed_read, ROW_WAITS, EBADFD, EINVAL, EAGAIN,
	    EFAULT),
	ROW("RTUN_SETBATCH", 6, setbatch, 0, EOPNOTSUPP, EFAULT),
	ROW("RTUN_GETBATCH", 3, getbatch, 0, 0),
	{ }
};
