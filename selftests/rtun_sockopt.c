// SPDX-License-Identifier: GPL-2.0-only
/* What a program sets on a queue's socket, and what that tells besides packets. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <linux/errqueue.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/net_tstamp.h>

#include "rtnl.h"
#include "rtun.h"
#include "tcx.h"
#include "tun_test.h"
#include "harness.h"

#define LEN	200
#define MTU	1500
#define MANY	2000
#define SNDBUF	20000
#define MAX_HELD	(SNDBUF / LEN + 1)
#define SELF	FIXTURE_DATA(sockopt)

FIXTURE(sockopt)
{
	int fd, sock, index, packet;
	uint8_t out[MTU], in[MTU];
	atomic_bool busy, stop;
};

FIXTURE_SETUP(sockopt)
{
	ASSERT_EQ(0, ns_enter());
	self->fd = tun_create("ours", TUN_NOPI);
	ASSERT_LE(0, self->fd);
	self->index = tun_index(self->fd);
	ASSERT_EQ(0, link_up(self->index, true));
	self->packet = packet_socket(self->index, ETH_P_ALL);
	ASSERT_LE(0, self->packet);
	self->sock = tun_ioctl(self->fd, RTUN_SOCKET, O_CLOEXEC);
	ASSERT_LE(0, self->sock);
	packet_fill(self->out, sizeof(self->out), 1);
	self->out[0] = 0x45;
}

FIXTURE_TEARDOWN(sockopt)
{
	close(self->packet);
	close(self->sock);
	close(self->fd);
}

static int set(int sock, int name, int value)
{
	return setsockopt(sock, SOL_SOCKET, name, &value, sizeof(value)) ?
	       -errno : 0;
}

static int get(int sock, int name)
{
	int value = -1;
	socklen_t len = sizeof(value);

	return getsockopt(sock, SOL_SOCKET, name, &value, &len) ? -errno :
	       value;
}

/* The stack sends a packet to the queue. */
static int feed(SELF *self)
{
	int ret = packet_send(self->packet, self->index, ETH_P_IP, self->out,
			      LEN);

	return ret < 0 ? ret : 0;
}

static int recv_ret(SELF *self, int flags)
{
	int ret = recv(self->sock, self->in, sizeof(self->in), flags);

	return ret < 0 ? -errno : ret;
}

static int send_ret(SELF *self, int flags)
{
	int ret = send(self->sock, self->out, LEN, flags);

	return ret < 0 ? -errno : ret;
}

/* What control data said. */
struct told {
	int received;
	struct sock_extended_err err;
	struct timespec stamp, ns;
	struct timeval us;
};

static int64_t in_ns(struct timespec time)
{
	return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static int64_t real_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return in_ns(now);
}

static void understand(const struct cmsghdr *cmsg, struct told *told)
{
	const void *data = CMSG_DATA(cmsg);

	if (cmsg->cmsg_level == SOL_PACKET &&
	    cmsg->cmsg_type == PACKET_TX_TIMESTAMP)
		memcpy(&told->err, data, sizeof(told->err));
	if (cmsg->cmsg_level != SOL_SOCKET)
		return;
	if (cmsg->cmsg_type == SCM_TIMESTAMPING)
		memcpy(&told->stamp, data, sizeof(told->stamp));
	else if (cmsg->cmsg_type == SCM_TIMESTAMPNS)
		memcpy(&told->ns, data, sizeof(told->ns));
	else if (cmsg->cmsg_type == SCM_TIMESTAMP)
		memcpy(&told->us, data, sizeof(told->us));
}

/* How many messages of control data there were, or the error. */
static int recv_told(SELF *self, int flags, struct told *told)
{
	char control[512];
	struct iovec iov = { self->in, sizeof(self->in) };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg;
	int n = 0;

	memset(told, 0, sizeof(*told));
	told->received = recvmsg(self->sock, &msg, flags | MSG_DONTWAIT);
	if (told->received < 0)
		return -errno;
	for (cmsg = CMSG_FIRSTHDR(&msg); cmsg; cmsg = CMSG_NXTHDR(&msg, cmsg)) {
		understand(cmsg, told);
		n++;
	}
	return n;
}

TEST_F(sockopt, values)
{
	static const int refused[] = {
		SO_BROADCAST, SO_MARK, SO_ATTACH_FILTER, SO_BINDTODEVICE,
		SO_PREFER_BUSY_POLL,
	};
	int i;

	/* As on every socket, the buffer's double is said. */
	EXPECT_EQ(0, set(self->sock, SO_RCVBUF, 30000));
	EXPECT_EQ(60000, get(self->sock, SO_RCVBUF));
	EXPECT_EQ(0, set(self->sock, SO_RCVBUFFORCE, 1 << 24));
	EXPECT_EQ(1 << 25, get(self->sock, SO_RCVBUF));
	EXPECT_EQ(0, set(self->sock, SO_BUSY_POLL, 50));
	EXPECT_EQ(50, get(self->sock, SO_BUSY_POLL));
	EXPECT_EQ(-EINVAL, set(self->sock, SO_BUSY_POLL, -1));
	EXPECT_EQ(0, get(self->sock, SO_ZEROCOPY));
	EXPECT_EQ(0, set(self->sock, SO_ZEROCOPY, 1));
	EXPECT_EQ(1, get(self->sock, SO_ZEROCOPY));
	EXPECT_EQ(-EINVAL, set(self->sock, SO_ZEROCOPY, 2));
	EXPECT_EQ(0, set(self->sock, SO_ZEROCOPY, 0));
	EXPECT_EQ(0, get(self->sock, SO_ZEROCOPY));
	EXPECT_EQ(-EINVAL, set(self->sock, SO_TIMESTAMPING, 1 << 30));
	for (i = 0; i < ARRAY_SIZE(refused); i++)
		EXPECT_EQ(-EOPNOTSUPP, set(self->sock, refused[i], 1));
}

/* The receive buffer is not what bounds the queue. */
TEST_F(sockopt, rcvbuf_and_room)
{
	int n;

	ASSERT_EQ(0, set(self->sock, SO_RCVBUF, 1));
	for (n = 0; n < 500; n++)
		ASSERT_EQ(0, feed(self));
	for (n = 0; recv_ret(self, MSG_DONTWAIT) == LEN; n++)
		;
	EXPECT_EQ(500, n);
}

/* It bounds the error queue. */
TEST_F(sockopt, rcvbuf_and_errors)
{
	struct told told;
	int n;

	ASSERT_EQ(0, set(self->sock, SO_RCVBUF, 1));
	ASSERT_EQ(0, set(self->sock, SO_TIMESTAMPING,
			 SOF_TIMESTAMPING_TX_SOFTWARE |
			 SOF_TIMESTAMPING_SOFTWARE |
			 SOF_TIMESTAMPING_OPT_TSONLY));
	for (n = 0; n < 500; n++)
		ASSERT_EQ(LEN, send_ret(self, 0));
	for (n = 0; recv_told(self, MSG_ERRQUEUE, &told) > 0; n++)
		;
	EXPECT_LT(0, n);
	EXPECT_GT(50, n);
}

/* When a packet came, not when it was read. */
TEST_F(sockopt, rx_timestamping)
{
	struct told told, again;
	int64_t before, after;

	ASSERT_EQ(0, set(self->sock, SO_TIMESTAMPING,
			 SOF_TIMESTAMPING_RX_SOFTWARE |
			 SOF_TIMESTAMPING_SOFTWARE));
	EXPECT_EQ(SOF_TIMESTAMPING_RX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE,
		  get(self->sock, SO_TIMESTAMPING));
	before = real_ns();
	ASSERT_EQ(0, feed(self));
	after = real_ns();
	while (real_ns() == after)
		;
	ASSERT_EQ(1, recv_told(self, MSG_PEEK, &again));
	ASSERT_EQ(1, recv_told(self, 0, &told));
	EXPECT_EQ(LEN, told.received);
	EXPECT_LE(before, in_ns(told.stamp));
	EXPECT_GE(after, in_ns(told.stamp));
	EXPECT_EQ(in_ns(told.stamp), in_ns(again.stamp));
	ASSERT_EQ(0, set(self->sock, SO_TIMESTAMPING, 0));
	ASSERT_EQ(0, feed(self));
	EXPECT_EQ(0, recv_told(self, 0, &told));
}

TEST_F(sockopt, rx_timestamp)
{
	struct told told;
	int64_t before, after;

	ASSERT_EQ(0, set(self->sock, SO_TIMESTAMPNS, 1));
	before = real_ns();
	ASSERT_EQ(0, feed(self));
	after = real_ns();
	ASSERT_EQ(1, recv_told(self, 0, &told));
	EXPECT_LE(before, in_ns(told.ns));
	EXPECT_GE(after, in_ns(told.ns));
	ASSERT_EQ(0, set(self->sock, SO_TIMESTAMP, 1));
	ASSERT_EQ(0, feed(self));
	ASSERT_EQ(1, recv_told(self, 0, &told));
	EXPECT_LE(after / 1000, told.us.tv_sec * 1000000LL + told.us.tv_usec);
	/* The file's reader is told nothing, and another socket neither. */
	ASSERT_EQ(0, feed(self));
	EXPECT_EQ(LEN, read_ret(self->fd, self->in, sizeof(self->in)));
	close(self->sock);
	self->sock = tun_ioctl(self->fd, RTUN_SOCKET, O_CLOEXEC);
	ASSERT_LE(0, self->sock);
	ASSERT_EQ(0, feed(self));
	EXPECT_EQ(0, recv_told(self, 0, &told));
}

/* A packet has the time at which its sender's clock wants it to go: not that. */
TEST_F(sockopt, rx_timestamp_of_paced)
{
	struct sock_txtime txtime = { .clockid = CLOCK_MONOTONIC };
	uint64_t when = now_ns() + 1000000;
	char control[CMSG_SPACE(sizeof(when))] = {};
	struct iovec iov = { self->out, LEN };
	struct sockaddr_ll to = {
		.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_IP),
		.sll_ifindex = self->index, .sll_halen = ETH_ALEN,
	};
	struct msghdr msg = {
		.msg_name = &to, .msg_namelen = sizeof(to),
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);
	struct told told;
	int64_t before;

	ASSERT_EQ(0, setsockopt(self->packet, SOL_SOCKET, SO_TXTIME, &txtime,
				sizeof(txtime)));
	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_TXTIME;
	cmsg->cmsg_len = CMSG_LEN(sizeof(when));
	memcpy(CMSG_DATA(cmsg), &when, sizeof(when));
	/* One that waited when nobody had asked has the time of its receipt. */
	ASSERT_EQ(LEN, sendmsg(self->packet, &msg, 0));
	ASSERT_EQ(0, set(self->sock, SO_TIMESTAMPNS, 1));
	before = real_ns();
	ASSERT_EQ(1, recv_told(self, 0, &told));
	EXPECT_LE(before, in_ns(told.ns));
	EXPECT_GE(real_ns(), in_ns(told.ns));
	before = real_ns();
	ASSERT_EQ(LEN, sendmsg(self->packet, &msg, 0));
	ASSERT_EQ(1, recv_told(self, 0, &told));
	EXPECT_LE(before, in_ns(told.ns));
	EXPECT_GE(real_ns(), in_ns(told.ns));
}

TEST_F(sockopt, tx_timestamping)
{
	int64_t before = real_ns();
	struct told told;
	unsigned int n;

	EXPECT_EQ(-EAGAIN, recv_told(self, MSG_ERRQUEUE, &told));
	ASSERT_EQ(0, set(self->sock, SO_TIMESTAMPING,
			 SOF_TIMESTAMPING_TX_SOFTWARE |
			 SOF_TIMESTAMPING_SOFTWARE | SOF_TIMESTAMPING_OPT_ID |
			 SOF_TIMESTAMPING_OPT_TSONLY));
	EXPECT_EQ(0, wait_events(self->sock, POLLIN, 0));
	for (n = 0; n < 3; n++)
		ASSERT_EQ(LEN, send_ret(self, 0));
	for (n = 0; n < 3; n++) {
		EXPECT_EQ(POLLERR, wait_events(self->sock, POLLIN, WAIT_MS));
		ASSERT_EQ(2, recv_told(self, MSG_ERRQUEUE, &told));
		EXPECT_EQ(0, told.received);
		EXPECT_EQ(ENOMSG, told.err.ee_errno);
		EXPECT_EQ(SO_EE_ORIGIN_TIMESTAMPING, told.err.ee_origin);
		EXPECT_EQ(SCM_TSTAMP_SND, told.err.ee_info);
		EXPECT_EQ(n, told.err.ee_data);
		EXPECT_LE(before, in_ns(told.stamp));
		EXPECT_GE(real_ns(), in_ns(told.stamp));
		before = in_ns(told.stamp);
	}
	EXPECT_EQ(0, wait_events(self->sock, POLLIN, 0));
	/* One that was refused did not go; one that is told may stay untold. */
	EXPECT_EQ(-1, send(self->sock, self->out, 0, 0));
	EXPECT_EQ(-EAGAIN, recv_told(self, MSG_ERRQUEUE, &told));
	ASSERT_EQ(LEN, send_ret(self, 0));
}

/* Who sleeps in poll() hears of it. */
TEST_F(sockopt, error_wakes)
{
	pid_t child;

	ASSERT_EQ(0, set(self->sock, SO_TIMESTAMPING,
			 SOF_TIMESTAMPING_TX_SOFTWARE));
	child = fork();
	if (!child)
		_exit(wait_events(self->sock, 0, WAIT_MS) == POLLERR ? 0 : 1);
	ASSERT_LT(0, child);
	ASSERT_EQ(0, wait_blocked(child, SYS_poll));
	ASSERT_EQ(LEN, send_ret(self, 0));
	EXPECT_EQ(0, wait_exit(child));
}

TEST_F(sockopt, zerocopy)
{
	struct told told;
	int n;

	/* Without the option the flag is ignored. */
	EXPECT_EQ(LEN, send_ret(self, MSG_ZEROCOPY));
	EXPECT_EQ(-EAGAIN, recv_told(self, MSG_ERRQUEUE, &told));
	ASSERT_EQ(0, set(self->sock, SO_ZEROCOPY, 1));
	EXPECT_EQ(LEN, send_ret(self, 0));
	EXPECT_EQ(-EAGAIN, recv_told(self, MSG_ERRQUEUE, &told));
	for (n = 0; n < 4; n++)
		ASSERT_EQ(LEN, send_ret(self, MSG_ZEROCOPY));
	EXPECT_EQ(POLLERR, wait_events(self->sock, 0, WAIT_MS));
	ASSERT_EQ(1, recv_told(self, MSG_ERRQUEUE, &told));
	EXPECT_EQ(0, told.err.ee_errno);
	EXPECT_EQ(SO_EE_ORIGIN_ZEROCOPY, told.err.ee_origin);
	EXPECT_EQ(SO_EE_CODE_ZEROCOPY_COPIED, told.err.ee_code);
	EXPECT_EQ(0, told.err.ee_info);
	EXPECT_EQ(3, told.err.ee_data);
	EXPECT_EQ(-EAGAIN, recv_told(self, MSG_ERRQUEUE, &told));
	/* A call that failed has no number. */
	EXPECT_EQ(-1, send(self->sock, self->out, 0, MSG_ZEROCOPY));
	ASSERT_EQ(LEN, send_ret(self, MSG_ZEROCOPY));
	ASSERT_EQ(1, recv_told(self, MSG_ERRQUEUE, &told));
	EXPECT_EQ(4, told.err.ee_info);
	EXPECT_EQ(4, told.err.ee_data);
	/* What nobody asks for goes with the socket. */
	ASSERT_EQ(LEN, send_ret(self, MSG_ZEROCOPY));
}

/* Milliseconds of CPU time for a receive that is in vain. */
static int64_t cpu_of_recv(SELF *self, int flags)
{
	struct rusage first, last;
	int ret;

	getrusage(RUSAGE_SELF, &first);
	ret = recv_ret(self, flags);
	getrusage(RUSAGE_SELF, &last);
	if (ret != -EAGAIN)
		return -EPROTO;
	return (last.ru_stime.tv_sec - first.ru_stime.tv_sec) * 1000 +
	       (last.ru_stime.tv_usec - first.ru_stime.tv_usec) / 1000;
}

TEST_F(sockopt, busy_poll)
{
	struct timeval limit = { .tv_usec = 10000 };
	int64_t start, slept, busy;

	ASSERT_EQ(0, setsockopt(self->sock, SOL_SOCKET, SO_RCVTIMEO, &limit,
				sizeof(limit)));
	slept = cpu_of_recv(self, 0);
	ASSERT_LE(0, slept);
	ASSERT_EQ(0, set(self->sock, SO_BUSY_POLL, 300000));
	start = now_ms();
	busy = cpu_of_recv(self, 0);
	EXPECT_LE(290, now_ms() - start);
	EXPECT_LE(slept + 100, busy);
	/* Who does not wait does not look for long. */
	EXPECT_GT(slept + 100, cpu_of_recv(self, MSG_DONTWAIT));
	ASSERT_EQ(0, feed(self));
	EXPECT_EQ(LEN, recv_ret(self, 0));
}

/* Who looks for a packet sees that it comes, and that the device goes. */
TEST_F(sockopt, busy_poll_ends)
{
	int fds[2], n;
	pid_t child;
	char byte;

	ASSERT_EQ(0, pipe(fds));
	ASSERT_EQ(0, set(self->sock, SO_BUSY_POLL, 60000000));
	child = fork();
	if (!child) {
		for (n = 0; n < 20; n++) {
			if (write(fds[1], "r", 1) != 1 ||
			    recv_ret(self, 0) != LEN)
				_exit(1);
		}
		write(fds[1], "r", 1);
		_exit(recv_ret(self, 0) == -EBADFD ? 0 : 2);
	}
	ASSERT_LT(0, child);
	for (n = 0; n < 20; n++) {
		ASSERT_EQ(1, read(fds[0], &byte, 1));
		ASSERT_EQ(0, feed(self));
	}
	ASSERT_EQ(1, read(fds[0], &byte, 1));
	ASSERT_EQ(0, link_delete(self->index));
	EXPECT_EQ(0, wait_exit(child));
	close(fds[0]);
	close(fds[1]);
}

/* What is sent by an interface waits from now on: the one burst is used up. */
static int stall(SELF *self, int index)
{
	int sock = packet_socket(index, 0), ret;

	ret = sock < 0 ? sock : qdisc_add_slow(index, MTU);
	if (!ret)
		ret = packet_send(sock, index, ETH_P_IP, self->out, MTU);
	close(sock);
	return ret < 0 ? ret : 0;
}

/* Packets that were sent wait in a queueing discipline. */
static int hold(SELF *self, int *sink, int *redirect)
{
	int index, ret;

	*sink = tun_create("sink", TUN_NOPI);
	if (*sink < 0)
		return *sink;
	index = tun_index(*sink);
	ret = link_up(index, true);
	ret = ret ?: stall(self, index);
	if (ret)
		return ret;
	*redirect = tcx_redirect(self->index, index);
	return *redirect < 0 ? *redirect : index;
}

/* Sends until no more goes: how many packets went, or the error. */
static int fill(SELF *self)
{
	int n = 0, ret;

	do {
		ret = send_ret(self, MSG_DONTWAIT);
	} while (ret == LEN && ++n <= MAX_HELD);
	return ret == -EAGAIN ? n : ret < 0 ? ret : -E2BIG;
}

TEST_F(sockopt, send_timeout)
{
	struct timeval limit = { .tv_usec = 50000 }, got;
	int sink = -1, redirect = -1, index, n;
	socklen_t len = sizeof(got);
	struct link_info info;
	int64_t start;
	pid_t child;

	index = hold(self, &sink, &redirect);
	ASSERT_LT(0, index);
	ASSERT_EQ(0, set(self->sock, SO_SNDBUF, SNDBUF));
	n = fill(self);
	ASSERT_LT(0, n);
	EXPECT_EQ(0, wait_events(self->sock, POLLOUT, 0));
	ASSERT_EQ(0, setsockopt(self->sock, SOL_SOCKET, SO_SNDTIMEO, &limit,
				sizeof(limit)));
	ASSERT_EQ(0, getsockopt(self->sock, SOL_SOCKET, SO_SNDTIMEO, &got,
				&len));
	EXPECT_LE(limit.tv_usec, got.tv_usec);
	start = now_ms();
	EXPECT_EQ(-EAGAIN, send_ret(self, 0));
	EXPECT_LE(40, now_ms() - start);
	/* Nothing went, and nothing was lost. */
	ASSERT_EQ(0, link_get(self->index, &info));
	EXPECT_EQ(n, info.stats.rx_packets);
	EXPECT_EQ(0, info.stats.rx_dropped);
	/* With time enough, it goes when there is room. */
	limit.tv_sec = WAIT_MS / 1000;
	ASSERT_EQ(0, setsockopt(self->sock, SOL_SOCKET, SO_SNDTIMEO, &limit,
				sizeof(limit)));
	child = fork();
	if (!child)
		_exit(send_ret(self, 0) == LEN ? 0 : 1);
	ASSERT_LT(0, child);
	ASSERT_EQ(0, wait_blocked(child, SYS_sendto));
	ASSERT_EQ(0, qdisc_delete(index));
	EXPECT_EQ(0, wait_exit(child));
	close(redirect);
	close(sink);
}

/* A child that sends, or receives, and ends with what became of that. */
static pid_t call_start(SELF *self, bool sends, int want)
{
	pid_t child = fork();
	cpu_set_t last;
	int err;

	if (!child) {
		CPU_ZERO(&last);
		CPU_SET(get_nprocs() - 1, &last);
		sched_setaffinity(0, sizeof(last), &last);
		/* If nobody wakes it. */
		alarm(WAIT_MS / 1000);
		_exit((sends ? send_ret(self, 0) : recv_ret(self, 0)) != want);
	}
	if (child < 0)
		return -errno;
	err = wait_blocked(child, sends ? SYS_sendto : SYS_recvfrom);
	return err ?: child;
}

/* Of a buffer that any packet fills, the end of the last one makes room. */
TEST_F(sockopt, least_buffer)
{
	int sink = -1, redirect = -1, index, size, epoll;
	struct epoll_event event;
	pid_t child;

	index = hold(self, &sink, &redirect);
	ASSERT_LT(0, index);
	for (size = 1; size < 8; size++) {
		ASSERT_EQ(0, set(self->sock, SO_SNDBUF, size));
		EXPECT_EQ(POLLOUT, wait_events(self->sock, POLLOUT, 0));
		ASSERT_EQ(1, fill(self));
		event.events = EPOLLOUT | EPOLLET;
		epoll = epoll_create1(EPOLL_CLOEXEC);
		ASSERT_LE(0, epoll);
		ASSERT_EQ(0, epoll_ctl(epoll, EPOLL_CTL_ADD, self->sock,
				       &event));
		EXPECT_EQ(0, epoll_wait(epoll, &event, 1, 0));
		child = call_start(self, true, LEN);
		ASSERT_LT(0, child);
		ASSERT_EQ(0, qdisc_delete(index));
		ASSERT_EQ(0, wait_exit(child));
		EXPECT_EQ(1, epoll_wait(epoll, &event, 1, WAIT_MS));
		EXPECT_EQ(EPOLLOUT, event.events);
		close(epoll);
		ASSERT_EQ(0, stall(self, index));
	}
	close(redirect);
	close(sink);
}

/* Lets nobody run on the last processor for a while. */
static void *busy_main(void *arg)
{
	const struct sched_param param = { .sched_priority = 1 };
	int64_t end = now_ms() + WAIT_MS;
	SELF *self = arg;
	cpu_set_t last;

	CPU_ZERO(&last);
	CPU_SET(get_nprocs() - 1, &last);
	if (sched_setaffinity(0, sizeof(last), &last) ||
	    sched_setscheduler(0, SCHED_RR, &param))
		return "the last processor";
	atomic_store(&self->busy, true);
	while (!atomic_load(&self->stop) && now_ms() < end)
		;
	return NULL;
}

/* Calls that sleep when the file is bound anew are not calls on that device. */
TEST_F(sockopt, bound_anew)
{
	int sink = -1, redirect = -1, index;
	pid_t sender, receiver;
	pthread_t thread;
	cpu_set_t first;
	void *wrong;

	if (get_nprocs() < 2)
		SKIP(return, "one processor");
	CPU_ZERO(&first);
	CPU_SET(0, &first);
	ASSERT_EQ(0, sched_setaffinity(0, sizeof(first), &first));
	index = hold(self, &sink, &redirect);
	ASSERT_LT(0, index);
	ASSERT_EQ(0, set(self->sock, SO_SNDBUF, SNDBUF));
	ASSERT_LT(0, fill(self));
	sender = call_start(self, true, -EBADFD);
	receiver = call_start(self, false, -EBADFD);
	ASSERT_LT(0, sender);
	ASSERT_LT(0, receiver);
	/* They are woken, and see nothing until it is bound. */
	ASSERT_EQ(0, pthread_create(&thread, NULL, busy_main, self));
	EXPECT_TRUE(wait_until(atomic_load(&self->busy)));
	EXPECT_EQ(0, link_delete(self->index));
	EXPECT_EQ(0, tun_set_iff(self->fd, "again", TUN_NOPI));
	atomic_store(&self->stop, true);
	ASSERT_EQ(0, pthread_join(thread, &wrong));
	EXPECT_EQ(NULL, wrong);
	EXPECT_EQ(0, wait_exit(sender));
	EXPECT_EQ(0, wait_exit(receiver));
	close(redirect);
	close(sink);
}

TEST_F(sockopt, sigio)
{
	int sink = -1, redirect = -1, index, other, nr = SIGRTMIN + 3;

	ASSERT_EQ(0, signal_block(nr));
	index = hold(self, &sink, &redirect);
	ASSERT_LT(0, index);
	/* Another one, which goes: it is told of nothing then. */
	other = tun_ioctl(self->fd, RTUN_SOCKET, O_CLOEXEC);
	ASSERT_LE(0, other);
	ASSERT_EQ(0, set_async(other, nr, true));
	ASSERT_EQ(0, feed(self));
	EXPECT_EQ(POLLIN, signal_band(other, nr, WAIT_MS) & POLLIN);
	close(other);
	ASSERT_EQ(0, feed(self));
	EXPECT_EQ(0, signal_band(self->sock, nr, 0));
	ASSERT_EQ(0, set_async(self->sock, nr, true));
	ASSERT_EQ(0, feed(self));
	EXPECT_EQ(POLLIN, signal_band(self->sock, nr, WAIT_MS) & POLLIN);
	ASSERT_EQ(0, set(self->sock, SO_SNDBUF, SNDBUF));
	ASSERT_LT(0, fill(self));
	EXPECT_EQ(0, signal_band(self->sock, nr, 0));
	ASSERT_EQ(0, qdisc_delete(index));
	EXPECT_EQ(POLLOUT, signal_band(self->sock, nr, WAIT_MS) & POLLOUT);
	ASSERT_EQ(0, set_async(self->sock, nr, false));
	ASSERT_EQ(0, feed(self));
	EXPECT_EQ(0, signal_band(self->sock, nr, 0));
	ASSERT_EQ(0, set_async(self->sock, nr, true));
	ASSERT_EQ(0, link_delete(self->index));
	EXPECT_EQ(POLLHUP, signal_band(self->sock, nr, WAIT_MS) & POLLHUP);
	close(redirect);
	close(sink);
}

static void *feed_main(void *arg)
{
	SELF *self = arg;

	while (!atomic_load(&self->stop)) {
		if (feed(self) || recv_ret(self, MSG_DONTWAIT) != LEN)
			return "a packet";
	}
	return NULL;
}

/* Sockets come and go while those that are there are told. */
TEST_F(sockopt, sigio_while_it_is_closed)
{
	pthread_t thread;
	void *wrong;
	int n;

	signal(SIGIO, SIG_IGN);
	ASSERT_EQ(0, pthread_create(&thread, NULL, feed_main, self));
	for (n = 0; n < MANY; n++) {
		int sock = tun_ioctl(self->fd, RTUN_SOCKET, O_CLOEXEC);

		ASSERT_LE(0, sock);
		ASSERT_EQ(0, set_async(sock, 0, true));
		EXPECT_EQ(0, close(sock));
	}
	atomic_store(&self->stop, true);
	ASSERT_EQ(0, pthread_join(thread, &wrong));
	EXPECT_EQ(NULL, wrong);
}

/* It is connected to a peer without a name, which is where packets come from. */
TEST_F(sockopt, names)
{
	struct sockaddr_un from = { .sun_family = AF_INET };
	socklen_t len = sizeof(from);

	ASSERT_EQ(0, getpeername(self->sock, (void *)&from, &len));
	EXPECT_EQ(sizeof(from.sun_family), len);
	EXPECT_EQ(AF_UNIX, from.sun_family);
	ASSERT_EQ(0, feed(self));
	memset(&from, 0, sizeof(from));
	len = sizeof(from);
	EXPECT_EQ(LEN, recvfrom(self->sock, self->in, sizeof(self->in), 0,
				(void *)&from, &len));
	EXPECT_EQ(sizeof(from.sun_family), len);
	EXPECT_EQ(AF_UNIX, from.sun_family);
	EXPECT_EQ(LEN, sendto(self->sock, self->out, LEN, 0, (void *)&from,
			      len));
	/* As Go makes it of that. */
	EXPECT_EQ(LEN, sendto(self->sock, self->out, LEN, 0, (void *)&from,
			      len + 1));
	from.sun_path[0] = 'a';
	EXPECT_EQ(-1, sendto(self->sock, self->out, LEN, 0, (void *)&from,
			     len + 1));
	EXPECT_EQ(EISCONN, errno);
	from.sun_path[0] = 0;
	EXPECT_EQ(-1, sendto(self->sock, self->out, LEN, 0, (void *)&from,
			     len + 2));
	EXPECT_EQ(EISCONN, errno);
	EXPECT_EQ(-1, sendto(self->sock, self->out, LEN, 0, (void *)&from, 1));
	EXPECT_EQ(EISCONN, errno);
	from.sun_family = AF_INET;
	EXPECT_EQ(-1, sendto(self->sock, self->out, LEN, 0, (void *)&from,
			     len));
	EXPECT_EQ(EISCONN, errno);
}

TEST_HARNESS_MAIN
