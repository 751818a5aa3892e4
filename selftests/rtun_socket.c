// SPDX-License-Identifier: GPL-2.0-only
/* A queue as a socket with a descriptor of its own (RTUN_SOCKET). */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include <linux/if_ether.h>
#include <linux/virtio_net.h>

#include "batch.h"
#include "rtnl.h"
#include "tun_test.h"
#include "uring.h"
#include "harness.h"

#define MANY	64
#define LEN	200
#define ROOM	1000
#define ACCEPTS	2000
#define SELF	FIXTURE_DATA(socket)

static const uint8_t peer_mac[6] = { 2, 0, 0, 0, 0, 2 };

FIXTURE(socket)
{
	int fd, sock, index, packet;
	bool tap;
	size_t head;
	uint8_t mac[6];
	uint8_t out[MANY][ROOM], in[MANY][ROOM];
	struct mmsghdr msg[MANY];
	struct iovec iov[MANY];
	atomic_int other;
	atomic_bool stop;
};

FIXTURE_VARIANT(socket)
{
	int flags;
};

FIXTURE_VARIANT_ADD(socket, tun)
{
	.flags = TUN_NOPI,
};

FIXTURE_VARIANT_ADD(socket, tap)
{
	.flags = TAP_NOPI,
};

FIXTURE_VARIANT_ADD(socket, tap_vnet_multi)
{
	.flags = TAP_NOPI | IFF_VNET_HDR | IFF_MULTI_QUEUE,
};

static int open_socket(int fd, int flags)
{
	return tun_ioctl(fd, RTUN_SOCKET, flags);
}

FIXTURE_SETUP(socket)
{
	struct link_info info;

	ASSERT_EQ(0, ns_enter());
	self->fd = tun_create("ours", variant->flags);
	ASSERT_LE(0, self->fd);
	self->index = tun_index(self->fd);
	ASSERT_EQ(0, link_get(self->index, &info));
	memcpy(self->mac, info.addr, sizeof(self->mac));
	ASSERT_EQ(0, link_up(self->index, true));
	self->tap = variant->flags & IFF_TAP;
	if (variant->flags & IFF_VNET_HDR)
		self->head = sizeof(struct virtio_net_hdr);
	self->packet = packet_socket(self->index, ETH_P_ALL);
	ASSERT_LE(0, self->packet);
	self->sock = open_socket(self->fd, O_CLOEXEC);
	ASSERT_LE(0, self->sock);
}

FIXTURE_TEARDOWN(socket)
{
	close(self->packet);
	close(self->sock);
	close(self->fd);
}

static void make_packet(SELF *self, uint8_t *buf, unsigned int n)
{
	packet_fill(buf, LEN, n);
	if (self->tap)
		packet_eth(buf, self->mac, peer_mac, PROTO_TEST);
	else
		buf[0] = 0x45;
}

static int send_packets(SELF *self, int first, int end)
{
	uint8_t buf[LEN];
	int ret = 0;

	for (; first < end && ret >= 0; first++) {
		make_packet(self, buf, first);
		ret = packet_send(self->packet, self->index,
				  self->tap ? PROTO_TEST : ETH_P_IP, buf, LEN);
	}
	return ret < 0 ? ret : 0;
}

/* Is this the packet, behind an empty header if the device has one? */
static bool is_packet(SELF *self, const uint8_t *buf, unsigned int n)
{
	static const uint8_t none[sizeof(struct virtio_net_hdr)];
	uint8_t want[LEN];

	make_packet(self, want, n);
	return !memcmp(buf, none, self->head) &&
	       !memcmp(buf + self->head, want, LEN);
}

static void prepare(SELF *self, uint8_t buf[][ROOM], size_t len)
{
	int n;

	for (n = 0; n < MANY; n++) {
		self->iov[n] = (struct iovec){ buf[n], len };
		self->msg[n] = (struct mmsghdr){
			.msg_hdr = { .msg_iov = &self->iov[n],
				     .msg_iovlen = 1 },
		};
	}
}

static int recv_ret(int sock, void *buf, size_t len, int flags)
{
	int ret = recv(sock, buf, len, flags);

	return ret < 0 ? -errno : ret;
}

static int send_ret(int sock, const void *buf, size_t len, int flags)
{
	int ret = send(sock, buf, len, flags);

	return ret < 0 ? -errno : ret;
}

static int came(SELF *self, unsigned int n)
{
	uint8_t want[LEN];
	int ret = packet_recv(self->packet, self->in[0], ROOM, NULL);

	if (ret != LEN)
		return ret < 0 ? ret : -EMSGSIZE;
	make_packet(self, want, n);
	return memcmp(want, self->in[0], LEN) ? -EBADMSG : 0;
}

TEST_F(socket, recvmmsg)
{
	int n;

	prepare(self, self->in, ROOM);
	EXPECT_EQ(-1, recvmmsg(self->sock, self->msg, MANY, MSG_DONTWAIT,
			       NULL));
	EXPECT_EQ(EAGAIN, errno);
	ASSERT_EQ(0, send_packets(self, 0, MANY));
	ASSERT_EQ(MANY, recvmmsg(self->sock, self->msg, MANY, MSG_DONTWAIT,
				 NULL));
	for (n = 0; n < MANY; n++) {
		EXPECT_EQ(self->head + LEN, self->msg[n].msg_len);
		EXPECT_EQ(0, self->msg[n].msg_hdr.msg_flags);
		EXPECT_TRUE(is_packet(self, self->in[n], n));
	}
	/* One is waited for, and not more. */
	ASSERT_EQ(0, send_packets(self, 0, 1));
	EXPECT_EQ(1, recvmmsg(self->sock, self->msg, MANY, MSG_WAITFORONE,
			      NULL));
}

TEST_F(socket, sendmmsg)
{
	int n;

	prepare(self, self->out, self->head + LEN);
	for (n = 0; n < MANY; n++)
		make_packet(self, self->out[n] + self->head, n);
	ASSERT_EQ(MANY, sendmmsg(self->sock, self->msg, MANY, 0));
	for (n = 0; n < MANY; n++) {
		EXPECT_EQ(self->head + LEN, self->msg[n].msg_len);
		ASSERT_EQ(0, came(self, n));
	}
	/* One that is none ends it, and the next call says why. */
	self->iov[3].iov_len = 0;
	EXPECT_EQ(3, sendmmsg(self->sock, self->msg, MANY, 0));
	EXPECT_EQ(-1, sendmmsg(self->sock, self->msg + 3, MANY - 3, 0));
	EXPECT_EQ(EINVAL, errno);
}

TEST_F(socket, truncated)
{
	struct iovec iov = { self->in[0], 50 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	ASSERT_EQ(0, send_packets(self, 0, 3));
	EXPECT_EQ(50, recvmsg(self->sock, &msg, 0));
	EXPECT_EQ(MSG_TRUNC, msg.msg_flags);
	EXPECT_EQ(self->head + LEN,
		  recv_ret(self->sock, self->in[0], 50, MSG_TRUNC));
	EXPECT_EQ(self->head + LEN,
		  recv_ret(self->sock, self->in[0], ROOM, MSG_TRUNC));
	EXPECT_TRUE(is_packet(self, self->in[0], 2));
}

TEST_F(socket, peek)
{
	struct link_info info;
	int n;

	EXPECT_EQ(-EAGAIN, recv_ret(self->sock, self->in[0], ROOM,
				    MSG_PEEK | MSG_DONTWAIT));
	ASSERT_EQ(0, send_packets(self, 0, 2));
	for (n = 0; n < 3; n++) {
		memset(self->in[0], 0, ROOM);
		EXPECT_EQ(self->head + LEN, recv_ret(self->sock, self->in[0],
						     ROOM, MSG_PEEK));
		EXPECT_TRUE(is_packet(self, self->in[0], 0));
	}
	EXPECT_EQ(self->head + LEN, recv_ret(self->sock, self->in[0], 60,
					     MSG_PEEK | MSG_TRUNC));
	ASSERT_EQ(0, link_get(self->index, &info));
	EXPECT_EQ(0, info.stats.tx_packets);
	for (n = 0; n < 2; n++) {
		EXPECT_EQ(self->head + LEN,
			  recv_ret(self->sock, self->in[0], ROOM, 0));
		EXPECT_TRUE(is_packet(self, self->in[0], n));
	}
	ASSERT_EQ(0, link_get(self->index, &info));
	EXPECT_EQ(2, info.stats.tx_packets);
}

/* One queue: what is read on one is not there for the other. */
TEST_F(socket, shares_the_queue)
{
	uint8_t buf[ROOM];

	ASSERT_EQ(0, send_packets(self, 0, 3));
	EXPECT_EQ(self->head + LEN, read_ret(self->fd, buf, ROOM));
	EXPECT_EQ(self->head + LEN, recv_ret(self->sock, buf, ROOM, 0));
	EXPECT_TRUE(is_packet(self, buf, 1));
	EXPECT_EQ(self->head + LEN, read_ret(self->sock, buf, ROOM));
	EXPECT_TRUE(is_packet(self, buf, 2));
	EXPECT_EQ(-EAGAIN, read_ret(self->fd, buf, ROOM));
	/* Batches are the file's, datagrams the socket's. */
	ASSERT_EQ(0, batch_set(self->fd, RTUN_BATCH_V1));
	ASSERT_EQ(0, send_packets(self, 0, 1));
	EXPECT_EQ(self->head + LEN, read_ret(self->sock, buf, ROOM));
	EXPECT_TRUE(is_packet(self, buf, 0));
}

/* The queue ends with the last of its descriptors. */
TEST_F(socket, life)
{
	uint8_t buf[ROOM];
	int other = open_socket(self->fd, 0), sockets = sockets_used();

	ASSERT_LE(0, other);
	close(self->sock);
	EXPECT_GT(sockets, sockets_used());
	close(self->fd);
	ASSERT_EQ(self->index, link_index("ours"));
	ASSERT_EQ(0, send_packets(self, 0, 1));
	EXPECT_EQ(self->head + LEN, recv_ret(other, buf, ROOM, 0));
	/* What the file could do the socket can. */
	EXPECT_LE(0, tun_get_flags(other));
	EXPECT_EQ(0, tun_ioctl(other, TUNSETPERSIST, 0));
	self->fd = open_socket(other, 0);
	ASSERT_LE(0, self->fd);
	close(other);
	ASSERT_EQ(self->index, link_index("ours"));
	close(self->fd);
	EXPECT_GT(0, link_index("ours"));
	self->fd = -1;
	self->sock = -1;
}

/* A file for one direction does not become a way for both. */
TEST_F(socket, file_of_one_direction)
{
	static const int modes[] = { O_RDONLY, O_WRONLY };
	int i, fd, sock;

	for (i = 0; i < ARRAY_SIZE(modes); i++) {
		fd = open(tun_node(), modes[i] | O_CLOEXEC);
		ASSERT_LE(0, fd);
		EXPECT_EQ(-EBADF, open_socket(fd, O_CLOEXEC));
		ASSERT_EQ(0, tun_set_iff(fd, "one", variant->flags));
		EXPECT_EQ(-EBADF, open_socket(fd, O_CLOEXEC));
		close(fd);
	}
	/* What the socket is asked for does not depend on the file's. */
	sock = open_socket(self->sock, O_CLOEXEC);
	EXPECT_LE(0, sock);
	close(sock);
}

TEST_F(socket, device_goes)
{
	struct timeval limit = { .tv_sec = WAIT_MS / 1000 };
	uint8_t buf[ROOM];
	pid_t child;

	ASSERT_EQ(0, setsockopt(self->sock, SOL_SOCKET, SO_RCVTIMEO, &limit,
				sizeof(limit)));
	child = fork();
	if (!child)
		_exit(recv_ret(self->sock, buf, ROOM, 0) == -EBADFD ? 0 : 1);
	ASSERT_LT(0, child);
	ASSERT_EQ(0, wait_blocked(child, SYS_recvfrom));
	ASSERT_EQ(0, link_delete(self->index));
	EXPECT_EQ(0, wait_exit(child));
	EXPECT_EQ(-EBADFD, recv_ret(self->sock, buf, ROOM, 0));
	EXPECT_EQ(-EBADFD, send_ret(self->sock, buf, LEN, 0));
	EXPECT_EQ(POLLERR | POLLHUP, wait_events(self->sock, POLLIN, 0));
	/* And comes again. */
	ASSERT_EQ(0, tun_set_iff(self->sock, "again", variant->flags));
	EXPECT_EQ(-EAGAIN, recv_ret(self->sock, buf, ROOM, MSG_DONTWAIT));
}

TEST_F(socket, timeout)
{
	struct timeval limit = { .tv_usec = 50000 }, got;
	socklen_t len = sizeof(got);
	uint8_t buf[ROOM];
	int64_t start;

	ASSERT_EQ(0, setsockopt(self->sock, SOL_SOCKET, SO_RCVTIMEO, &limit,
				sizeof(limit)));
	ASSERT_EQ(0, getsockopt(self->sock, SOL_SOCKET, SO_RCVTIMEO, &got,
				&len));
	EXPECT_LE(limit.tv_usec, got.tv_usec);
	start = now_ms();
	EXPECT_EQ(-EAGAIN, recv_ret(self->sock, buf, ROOM, 0));
	EXPECT_LE(40, now_ms() - start);
	/* The file has none. */
	ASSERT_EQ(0, send_packets(self, 0, 1));
	EXPECT_EQ(self->head + LEN, recv_ret(self->sock, buf, ROOM, 0));
}

TEST_F(socket, options)
{
	static const int refused[] = {
		SO_BROADCAST, SO_MARK, SO_ATTACH_FILTER, SO_BINDTODEVICE,
	};
	int value = 20000, got = 0, one = 1;
	socklen_t len = sizeof(got);
	size_t i;

	ASSERT_EQ(0, setsockopt(self->sock, SOL_SOCKET, SO_SNDBUF, &value,
				sizeof(value)));
	ASSERT_EQ(0, getsockopt(self->sock, SOL_SOCKET, SO_SNDBUF, &got, &len));
	EXPECT_EQ(value, got);
	ASSERT_EQ(0, tun_ioctl_ptr(self->fd, TUNGETSNDBUF, &got));
	EXPECT_EQ(value, got);
	value = 0;
	EXPECT_EQ(-1, setsockopt(self->sock, SOL_SOCKET, SO_SNDBUF, &value,
				 sizeof(value)));
	EXPECT_EQ(EINVAL, errno);
	for (i = 0; i < ARRAY_SIZE(refused); i++) {
		EXPECT_EQ(-1, setsockopt(self->sock, SOL_SOCKET, refused[i],
					 &one, sizeof(one)));
		EXPECT_EQ(EOPNOTSUPP, errno);
	}
	EXPECT_EQ(-1, setsockopt(self->sock, SOL_PACKET, 1, &one, sizeof(one)));
	EXPECT_EQ(ENOPROTOOPT, errno);
	ASSERT_EQ(0, getsockopt(self->sock, SOL_SOCKET, SO_TYPE, &got, &len));
	EXPECT_EQ(SOCK_DGRAM, got);
}

TEST_F(socket, what_it_is_not)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	socklen_t len = sizeof(addr);
	uint8_t buf[LEN];

	EXPECT_EQ(-1, bind(self->sock, (void *)&addr, sizeof(addr)));
	EXPECT_EQ(-1, connect(self->sock, (void *)&addr, sizeof(addr)));
	EXPECT_EQ(-1, listen(self->sock, 1));
	EXPECT_EQ(-1, accept(self->sock, NULL, NULL));
	EXPECT_EQ(EOPNOTSUPP, errno);
	EXPECT_EQ(-1, shutdown(self->sock, SHUT_RDWR));
	EXPECT_EQ(EOPNOTSUPP, errno);
	ASSERT_EQ(0, getsockname(self->sock, (void *)&addr, &len));
	EXPECT_EQ(sizeof(addr.sun_family), len);
	make_packet(self, buf, 0);
	EXPECT_EQ(-EOPNOTSUPP, send_ret(self->sock, buf, LEN, MSG_OOB));
	EXPECT_EQ(-EOPNOTSUPP, recv_ret(self->sock, buf, LEN, MSG_OOB));
	EXPECT_EQ(-EAGAIN, recv_ret(self->sock, buf, LEN, MSG_ERRQUEUE));
	EXPECT_EQ(-EINVAL, open_socket(self->fd, O_APPEND));
}

/* Has refused connections made on a descriptor that comes and goes. */
static void *accept_main(void *arg)
{
	SELF *self = arg;

	while (!atomic_load(&self->stop)) {
		int ret = accept(atomic_load(&self->other), NULL, NULL);

		if (ret >= 0 || (errno != EOPNOTSUPP && errno != EBADF))
			return "accept()";
	}
	return NULL;
}

/* The socket that accept() makes, and throws away, may be the last to go. */
TEST_F(socket, accept_while_it_is_closed)
{
	pthread_t thread;
	void *wrong;
	int n;

	atomic_init(&self->stop, false);
	atomic_init(&self->other, open_socket(self->fd, O_CLOEXEC));
	ASSERT_EQ(0, pthread_create(&thread, NULL, accept_main, self));
	for (n = 0; n < ACCEPTS; n++) {
		int sock = open_socket(self->fd, O_CLOEXEC);

		ASSERT_LE(0, sock);
		EXPECT_EQ(0, close(atomic_exchange(&self->other, sock)));
	}
	atomic_store(&self->stop, true);
	ASSERT_EQ(0, pthread_join(thread, &wrong));
	EXPECT_EQ(NULL, wrong);
	EXPECT_EQ(0, close(self->other));
}

/* Control data is a program's, whatever it looks like to the kernel's users. */
TEST_F(socket, control_data)
{
	uint64_t control[2] = { 2, 0x4141414141414141 };
	struct iovec iov = { self->out[0], self->head + LEN };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
		.msg_controllen = sizeof(control),
	};

	make_packet(self, self->out[0] + self->head, 1);
	EXPECT_EQ(self->head + LEN, sendmsg(self->sock, &msg, 0));
	EXPECT_EQ(0, came(self, 1));
	iov.iov_base = self->in[0];
	ASSERT_EQ(0, send_packets(self, 1, 2));
	EXPECT_EQ(self->head + LEN, recvmsg(self->sock, &msg, 0));
	EXPECT_TRUE(is_packet(self, self->in[0], 1));
	EXPECT_EQ(0, msg.msg_controllen);
}

TEST_F(socket, zerocopy_copies)
{
	make_packet(self, self->out[0] + self->head, 1);
	EXPECT_EQ(self->head + LEN, send_ret(self->sock, self->out[0],
					     self->head + LEN, MSG_ZEROCOPY));
	EXPECT_EQ(0, came(self, 1));
}

TEST_F(socket, epoll)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLET };
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	uint8_t buf[ROOM];

	ASSERT_LE(0, epoll);
	ASSERT_EQ(0, epoll_ctl(epoll, EPOLL_CTL_ADD, self->sock, &event));
	EXPECT_EQ(0, epoll_wait(epoll, &event, 1, 0));
	EXPECT_EQ(POLLOUT, wait_events(self->sock, POLLIN | POLLOUT, 0));
	ASSERT_EQ(0, send_packets(self, 0, 1));
	ASSERT_EQ(1, epoll_wait(epoll, &event, 1, WAIT_MS));
	EXPECT_EQ(EPOLLIN, event.events);
	EXPECT_EQ(self->head + LEN, recv_ret(self->sock, buf, ROOM, 0));
	EXPECT_EQ(0, epoll_wait(epoll, &event, 1, 0));
	/* Closed while it is watched. */
	close(self->sock);
	self->sock = -1;
	ASSERT_EQ(0, send_packets(self, 0, 1));
	EXPECT_EQ(0, epoll_wait(epoll, &event, 1, 0));
	close(epoll);
}

/* io_uring's receive: once, and again and again into buffers of its own. */
TEST_F(socket, io_uring)
{
	struct io_uring_sqe sqe = {
		.opcode = IORING_OP_RECV, .fd = self->sock,
		.ioprio = IORING_RECV_MULTISHOT,
		.flags = IOSQE_BUFFER_SELECT,
	}, buffers = {
		.opcode = IORING_OP_PROVIDE_BUFFERS, .fd = MANY,
		.addr = (uintptr_t)self->in, .len = ROOM,
	};
	struct io_uring_cqe cqe;
	struct uring uring;
	int n, err = uring_open(&uring);

	if (err == -EOPNOTSUPP)
		SKIP(return, "no io_uring");
	ASSERT_EQ(0, err);
	make_packet(self, self->out[0] + self->head, 1);
	EXPECT_EQ(self->head + LEN,
		  uring_call(&uring, IORING_OP_SEND, self->sock, self->out[0],
			     self->head + LEN));
	EXPECT_EQ(0, came(self, 1));
	ASSERT_EQ(0, uring_submit(&uring, &buffers));
	ASSERT_EQ(0, uring_wait(&uring, &cqe));
	ASSERT_EQ(0, cqe.res);
	ASSERT_EQ(0, uring_submit(&uring, &sqe));
	ASSERT_EQ(0, send_packets(self, 0, 10));
	for (n = 0; n < 10; n++) {
		ASSERT_EQ(0, uring_wait(&uring, &cqe));
		ASSERT_EQ(self->head + LEN, cqe.res);
		ASSERT_TRUE(cqe.flags & IORING_CQE_F_BUFFER);
		EXPECT_TRUE(is_packet(self, self->in[cqe.flags >>
						     IORING_CQE_BUFFER_SHIFT],
				      n));
		EXPECT_TRUE(cqe.flags & IORING_CQE_F_MORE);
	}
	uring_close(&uring);
}

TEST_HARNESS_MAIN
