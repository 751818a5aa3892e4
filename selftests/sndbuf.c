// SPDX-License-Identifier: GPL-2.0-only
/*
 * The send buffer: how much of what was written may be in the stack at a time,
 * and who waits how for it to get through.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>
#include <linux/if_ether.h>

#include "rtnl.h"
#include "tcx.h"
#include "tun_test.h"
#include "harness.h"

#define BAD_POINTER	((void *)8)
#define LEN		1000
#define SNDBUF		20000
#define MTU		1500
#define MAX_HELD	(SNDBUF / LEN + 1)
/* As long as it takes to see that the in-tree driver wakes nobody. */
#define TREE_MS		1000

static int get_sndbuf(int fd)
{
	int value = -1, err = tun_ioctl_ptr(fd, TUNGETSNDBUF, &value);

	return err ? err : value;
}

static int set_sndbuf(int fd, int value)
{
	return tun_ioctl_ptr(fd, TUNSETSNDBUF, &value);
}

FIXTURE(value)
{
	int fd;
};

FIXTURE_VARIANT(value)
{
	int flags;
};

FIXTURE_VARIANT_ADD(value, tun)
{
	.flags = TUN_NOPI,
};

FIXTURE_VARIANT_ADD(value, tap)
{
	.flags = TAP_NOPI,
};

FIXTURE_SETUP(value)
{
	ASSERT_EQ(0, ns_enter());
	self->fd = tun_create("ours", variant->flags);
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(value)
{
	close(self->fd);
}

TEST_F(value, as_it_was_set)
{
	static const int good[] = { 1, 2, 4096, 1 << 20, INT32_MAX };
	static const int bad[] = { 0, -1, INT32_MIN };
	size_t i;

	EXPECT_EQ(INT32_MAX, get_sndbuf(self->fd));
	for (i = 0; i < ARRAY_SIZE(good); i++) {
		EXPECT_EQ(0, set_sndbuf(self->fd, good[i]));
		EXPECT_EQ(good[i], get_sndbuf(self->fd));
	}
	ASSERT_EQ(0, set_sndbuf(self->fd, SNDBUF));
	for (i = 0; i < ARRAY_SIZE(bad); i++)
		EXPECT_EQ(-EINVAL, set_sndbuf(self->fd, bad[i]));
	EXPECT_EQ(-EFAULT, tun_ioctl_ptr(self->fd, TUNSETSNDBUF, BAD_POINTER));
	EXPECT_EQ(-EFAULT, tun_ioctl_ptr(self->fd, TUNGETSNDBUF, BAD_POINTER));
	EXPECT_EQ(SNDBUF, get_sndbuf(self->fd));
}

/* Set on one, it is that of all queues that are attached, and no other's. */
TEST_F(value, of_the_queues)
{
	int flags = variant->flags | IFF_MULTI_QUEUE, fd[4];

	ASSERT_EQ(0, tun_attach_all("multi", flags, fd, 3));
	ASSERT_EQ(0, tun_queue(fd[2], IFF_DETACH_QUEUE));
	ASSERT_EQ(0, set_sndbuf(fd[0], SNDBUF));
	EXPECT_EQ(SNDBUF, get_sndbuf(fd[0]));
	EXPECT_EQ(SNDBUF, get_sndbuf(fd[1]));
	EXPECT_EQ(INT32_MAX, get_sndbuf(fd[2]));
	fd[3] = tun_create("multi", flags);
	ASSERT_LE(0, fd[3]);
	EXPECT_EQ(INT32_MAX, get_sndbuf(fd[3]));
	ASSERT_EQ(0, tun_queue(fd[2], IFF_ATTACH_QUEUE));
	ASSERT_EQ(0, set_sndbuf(fd[2], 2 * SNDBUF));
	EXPECT_EQ(2 * SNDBUF, get_sndbuf(fd[0]));
	EXPECT_EQ(2 * SNDBUF, get_sndbuf(fd[3]));
	tun_close_all(fd, 4);
}

TEST_F(value, unattached)
{
	int fd = tun_open(0);

	ASSERT_LE(0, fd);
	EXPECT_EQ(-EBADFD, get_sndbuf(fd));
	EXPECT_EQ(-EBADFD, set_sndbuf(fd, SNDBUF));
	EXPECT_EQ(-EBADFD, set_sndbuf(fd, 0));
	close(fd);
}

#ifdef __x86_64__
TEST_F(value, compat)
{
	int *value = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	unsigned int addr = (uintptr_t)value;

	ASSERT_NE(MAP_FAILED, (void *)value);
	*value = SNDBUF;
	ASSERT_EQ(0, tun_ioctl_compat(self->fd, TUNSETSNDBUF, addr));
	*value = 0;
	ASSERT_EQ(0, tun_ioctl_compat(self->fd, TUNGETSNDBUF, addr));
	EXPECT_EQ(SNDBUF, *value);
}
#endif /* __x86_64__ */

/* What is written goes to another device, whose discipline keeps it. */
#define SELF	FIXTURE_DATA(sndbuf)

FIXTURE(sndbuf)
{
	int fd, index, sink, sink_index, redirect;
	uint8_t mac[6];
	uint8_t out[MTU + ETH_HLEN], in[MTU];
};

FIXTURE_VARIANT(sndbuf)
{
	int flags;
};

FIXTURE_VARIANT_ADD(sndbuf, tun)
{
	.flags = TUN_NOPI,
};

FIXTURE_VARIANT_ADD(sndbuf, tap)
{
	.flags = TAP_NOPI,
};

FIXTURE_VARIANT_ADD(sndbuf, tap_multi)
{
	.flags = TAP_NOPI | IFF_MULTI_QUEUE,
};

/* The discipline's one burst is used up at the start. */
static int stall(SELF *self)
{
	int sock = packet_socket(self->sink_index, 0), ret;

	ret = sock < 0 ? sock : qdisc_add_slow(self->sink_index, MTU);
	if (!ret)
		ret = packet_send(sock, self->sink_index, ETH_P_IP, self->out,
				  MTU);
	close(sock);
	return ret < 0 ? ret : 0;
}

FIXTURE_SETUP(sndbuf)
{
	struct link_info info;

	ASSERT_EQ(0, ns_enter());
	self->fd = tun_create("ours", variant->flags);
	self->sink = tun_create("sink", TUN_NOPI);
	ASSERT_LE(0, self->fd);
	ASSERT_LE(0, self->sink);
	self->index = tun_index(self->fd);
	self->sink_index = tun_index(self->sink);
	ASSERT_EQ(0, link_up(self->index, true));
	ASSERT_EQ(0, link_up(self->sink_index, true));
	ASSERT_EQ(0, link_get(self->index, &info));
	packet_fill(self->out, sizeof(self->out), 1);
	if (variant->flags & IFF_TAP)
		packet_eth(self->out, info.addr, info.addr, ETH_P_IP);
	else
		self->out[0] = 0x45;
	ASSERT_EQ(0, stall(self));
	/* Before the stack, which would let go of the writer's buffer. */
	self->redirect = tcx_redirect(self->index, self->sink_index);
	ASSERT_LE(0, self->redirect);
	ASSERT_EQ(0, set_sndbuf(self->fd, SNDBUF));
}

FIXTURE_TEARDOWN(sndbuf)
{
	close(self->redirect);
	close(self->sink);
	close(self->fd);
}

static ssize_t write_one(SELF *self)
{
	return write_ret(self->fd, self->out, LEN);
}

/* Writes until no more goes: how many packets went, or the error. */
static int fill(SELF *self)
{
	ssize_t ret;
	int n = 0;

	do {
		ret = write_one(self);
	} while (ret == LEN && ++n <= MAX_HELD);
	return ret == -EAGAIN ? n : ret < 0 ? ret : -E2BIG;
}

/* Lets go of all that is held, and of what is yet to come. */
static int release(SELF *self)
{
	return qdisc_delete(self->sink_index);
}

static void make_blocking(int fd)
{
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
}

TEST_F(sndbuf, nonblocking)
{
	struct link_info info;
	int n;

	EXPECT_EQ(POLLOUT, wait_events(self->fd, POLLOUT, WAIT_MS));
	n = fill(self);
	ASSERT_LT(0, n);
	EXPECT_EQ(-EAGAIN, write_one(self));
	EXPECT_EQ(0, wait_events(self->fd, POLLOUT, 0));
	/* Who is to try again has lost nothing. */
	ASSERT_EQ(0, link_get(self->index, &info));
	EXPECT_EQ(0, info.stats.rx_dropped);
	EXPECT_EQ(n, info.stats.rx_packets);
	ASSERT_EQ(0, release(self));
	EXPECT_EQ(POLLOUT, wait_events(self->fd, POLLOUT, WAIT_MS));
	EXPECT_EQ(LEN, write_one(self));
}

/* In pieces of half of the buffer, as sockets do: not for each byte of it. */
TEST_F(sndbuf, writable)
{
	int i, n = fill(self);

	ASSERT_LT(4, n);
	ASSERT_EQ(0, release(self));
	ASSERT_EQ(0, stall(self));
	for (i = 0; i < n / 4; i++)
		ASSERT_EQ(LEN, write_one(self));
	EXPECT_EQ(POLLOUT, wait_events(self->fd, POLLOUT, 0));
	for (; i < n * 3 / 4; i++)
		ASSERT_EQ(LEN, write_one(self));
	/* Room for some more, and no invitation. */
	EXPECT_EQ(0, wait_events(self->fd, POLLOUT, 0));
	EXPECT_EQ(LEN, write_one(self));
}

TEST_F(sndbuf, size_matters)
{
	int small = fill(self), large;

	ASSERT_LT(0, small);
	ASSERT_EQ(0, set_sndbuf(self->fd, 2 * SNDBUF));
	large = fill(self);
	EXPECT_LE(small - 1, large);
	EXPECT_GE(small + 1, large);
	ASSERT_EQ(0, set_sndbuf(self->fd, INT32_MAX));
	EXPECT_EQ(-E2BIG, fill(self));
}

/* The buffer is a queue's own: another queue may write. */
TEST_F(sndbuf, per_queue)
{
	int fd;

	if (!(variant->flags & IFF_MULTI_QUEUE))
		SKIP(return, "one queue only");
	fd = tun_create("ours", variant->flags);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, set_sndbuf(fd, SNDBUF));
	ASSERT_LT(0, fill(self));
	EXPECT_EQ(LEN, write_ret(fd, self->out, LEN));
	close(fd);
}

/* One packet always goes, however little the buffer has room for. */
TEST_F(sndbuf, smallest)
{
	ASSERT_EQ(0, set_sndbuf(self->fd, 1));
	EXPECT_EQ(1, fill(self));
	ASSERT_EQ(0, release(self));
	EXPECT_EQ(LEN, write_one(self));
}

/* And the stack keeps none: it lets go of the buffer as it takes a packet. */
TEST_F(sndbuf, packets_arrive)
{
	int sock = packet_socket(self->index, ETH_P_ALL), i;

	ASSERT_LE(0, sock);
	close(self->redirect);
	self->redirect = -1;
	ASSERT_EQ(0, set_sndbuf(self->fd, 1));
	for (i = 0; i < 100; i++) {
		ASSERT_EQ(LEN, write_one(self));
		ASSERT_EQ(LEN, packet_recv(sock, self->in, sizeof(self->in),
					   NULL));
		EXPECT_EQ(0, memcmp(self->in, self->out, LEN));
	}
	close(sock);
}

TEST_F(sndbuf, nowait)
{
	struct iovec iov = { self->out, LEN };

	ASSERT_LT(0, fill(self));
	make_blocking(self->fd);
	EXPECT_EQ(-1, pwritev2(self->fd, &iov, 1, -1, RWF_NOWAIT));
	EXPECT_EQ(EAGAIN, errno);
}

TEST_F(sndbuf, edge)
{
	struct epoll_event event = { .events = EPOLLOUT | EPOLLET };
	int ep = epoll_create1(EPOLL_CLOEXEC);

	ASSERT_LE(0, ep);
	ASSERT_LT(0, fill(self));
	ASSERT_EQ(0, epoll_ctl(ep, EPOLL_CTL_ADD, self->fd, &event));
	EXPECT_EQ(0, epoll_wait(ep, &event, 1, 0));
	ASSERT_EQ(0, release(self));
	ASSERT_EQ(1, epoll_wait(ep, &event, 1, WAIT_MS));
	EXPECT_EQ(EPOLLOUT, event.events);
	close(ep);
}

TEST_F(sndbuf, sigio)
{
	int nr = SIGRTMIN + 3;

	ASSERT_EQ(0, signal_block(nr));
	ASSERT_EQ(0, set_async(self->fd, nr, true));
	ASSERT_LT(0, fill(self));
	/* Who was told that there is no room is told when there is. */
	ASSERT_EQ(0, wait_events(self->fd, POLLOUT, 0));
	EXPECT_EQ(0, signal_band(self->fd, nr, 0));
	ASSERT_EQ(0, release(self));
	EXPECT_EQ(POLLOUT, signal_band(self->fd, nr, WAIT_MS) & POLLOUT);
}

/* A thread that writes one packet more than there is room for. */
struct writer {
	SELF *self;
	int done;		/* an eventfd */
	pid_t tid;
	ssize_t ret;
	pthread_t thread;
};

static void *writer_main(void *arg)
{
	struct writer *writer = arg;
	uint64_t one = 1;

	__atomic_store_n(&writer->tid, gettid(), __ATOMIC_RELEASE);
	writer->ret = write_one(writer->self);
	write_ret(writer->done, &one, sizeof(one));
	return NULL;
}

static void ignore(int nr)
{
}

/* Returns when it waits for room. */
static int writer_start(struct writer *writer, SELF *self)
{
	struct sigaction action = { .sa_handler = ignore };
	int n = fill(self);

	memset(writer, 0, sizeof(*writer));
	writer->self = self;
	writer->done = eventfd(0, EFD_CLOEXEC);
	make_blocking(self->fd);
	if (n <= 0 || writer->done < 0)
		return n < 0 ? n : -EIO;
	sigaction(SIGUSR1, &action, NULL);
	if (pthread_create(&writer->thread, NULL, writer_main, writer))
		return -EAGAIN;
	if (!wait_until(__atomic_load_n(&writer->tid, __ATOMIC_ACQUIRE)))
		return -ETIMEDOUT;
	return wait_blocked(writer->tid, SYS_write);
}

static bool writer_returns(struct writer *writer, int timeout_ms)
{
	return wait_events(writer->done, POLLIN, timeout_ms) == POLLIN;
}

/* A signal, in case that nothing else has woken it. */
static void writer_end(struct writer *writer)
{
	do {
		pthread_kill(writer->thread, SIGUSR1);
	} while (!writer_returns(writer, 100));
	pthread_join(writer->thread, NULL);
	close(writer->done);
}

static int patience(void)
{
	return tun_is_rtun() ? WAIT_MS : TREE_MS;
}

TEST_F(sndbuf, blocked_until_signal)
{
	struct writer writer;

	ASSERT_EQ(0, writer_start(&writer, self));
	EXPECT_FALSE(writer_returns(&writer, 0));
	writer_end(&writer);
	EXPECT_EQ(-EINTR, writer.ret);
}

/* Woken on the in-tree driver only where somebody polls, too. */
TEST_F(sndbuf, blocked_and_polled)
{
	struct writer writer;

	ASSERT_EQ(0, writer_start(&writer, self));
	EXPECT_EQ(0, wait_events(self->fd, POLLOUT, 0));
	ASSERT_EQ(0, release(self));
	EXPECT_TRUE(writer_returns(&writer, WAIT_MS));
	writer_end(&writer);
	EXPECT_EQ(LEN, writer.ret);
}

TEST_F(sndbuf, blocked)
{
	struct writer writer;
	bool woken;

	ASSERT_EQ(0, writer_start(&writer, self));
	ASSERT_EQ(0, release(self));
	woken = writer_returns(&writer, patience());
	writer_end(&writer);
	EXPECT_UNLESS_DEFECT("D11", woken && writer.ret == LEN);
}

static void *deleter_main(void *arg)
{
	SELF *self = arg;

	return (void *)(long)link_delete(self->index);
}

/* The device goes, and with it who waits for room: nothing else lets go. */
TEST_F(sndbuf, blocked_when_deleted)
{
	struct writer writer;
	pthread_t deleter;
	void *err;
	bool woken;

	ASSERT_EQ(0, writer_start(&writer, self));
	ASSERT_EQ(0, pthread_create(&deleter, NULL, deleter_main, self));
	woken = writer_returns(&writer, patience());
	writer_end(&writer);
	pthread_join(deleter, &err);
	EXPECT_EQ(0, (long)err);
	EXPECT_UNLESS_DEFECT("D5", woken && writer.ret == -EBADFD);
}

TEST_HARNESS_MAIN
