// SPDX-License-Identifier: GPL-2.0-only
/* Waiting for packets: poll, epoll, SIGIO, signals, and a device that goes. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>
#include <linux/if_ether.h>

#include "rtnl.h"
#include "tun_test.h"
#include "harness.h"

#define LEN	64

#define SELF	FIXTURE_DATA(poll)

FIXTURE(poll)
{
	int fd, index, sock;
	uint8_t out[LEN], in[2048];
};

FIXTURE_VARIANT(poll)
{
	int flags;
};

FIXTURE_VARIANT_ADD(poll, tun)
{
	.flags = TUN_NOPI,
};

FIXTURE_VARIANT_ADD(poll, tap_multi)
{
	.flags = TAP_NOPI | IFF_MULTI_QUEUE,
};

FIXTURE_SETUP(poll)
{
	ASSERT_EQ(0, ns_enter());
	self->fd = tun_create("ours", variant->flags);
	ASSERT_LE(0, self->fd);
	self->index = tun_index(self->fd);
	ASSERT_EQ(0, link_up(self->index, true));
	self->sock = packet_socket(self->index, ETH_P_ALL);
	ASSERT_LE(0, self->sock);
	packet_fill(self->out, LEN, 1);
	self->out[0] = 0x45;
}

FIXTURE_TEARDOWN(poll)
{
	close(self->sock);
	close(self->fd);
}

static int send_one(SELF *self)
{
	return packet_send(self->sock, self->index, ETH_P_IP, self->out, LEN);
}

static ssize_t read_one(SELF *self)
{
	return read_ret(self->fd, self->in, sizeof(self->in));
}

static void make_blocking(int fd)
{
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
}

TEST_F(poll, unattached)
{
	int fd = tun_open(O_NONBLOCK);

	ASSERT_LE(0, fd);
	EXPECT_EQ(POLLERR, wait_events(fd, POLLIN | POLLOUT, WAIT_MS) &
		  ~POLLHUP);
	close(fd);
}

TEST_F(poll, level)
{
	int any = POLLIN | POLLRDNORM | POLLOUT | POLLWRNORM;
	int in = POLLIN | POLLRDNORM, out = POLLOUT | POLLWRNORM;

	EXPECT_EQ(out, wait_events(self->fd, any, WAIT_MS));
	EXPECT_EQ(0, wait_events(self->fd, POLLIN, 0));
	ASSERT_EQ(LEN, send_one(self));
	EXPECT_EQ(in | out, wait_events(self->fd, any, WAIT_MS));
	ASSERT_EQ(LEN, send_one(self));
	ASSERT_EQ(LEN, read_one(self));
	EXPECT_EQ(in, wait_events(self->fd, in, 0));
	ASSERT_EQ(LEN, read_one(self));
	EXPECT_EQ(0, wait_events(self->fd, in, 0));
	EXPECT_EQ(-EAGAIN, read_one(self));
}

/* Not writable when down; told when it comes up. */
TEST_F(poll, writable_when_up)
{
	struct epoll_event event = { .events = EPOLLOUT | EPOLLET };
	int ep = epoll_create1(EPOLL_CLOEXEC);

	ASSERT_LE(0, ep);
	ASSERT_EQ(0, link_up(self->index, false));
	EXPECT_EQ(0, wait_events(self->fd, POLLOUT, 0));
	ASSERT_EQ(0, epoll_ctl(ep, EPOLL_CTL_ADD, self->fd, &event));
	EXPECT_EQ(0, epoll_wait(ep, &event, 1, 0));
	ASSERT_EQ(0, link_up(self->index, true));
	ASSERT_EQ(1, epoll_wait(ep, &event, 1, WAIT_MS));
	EXPECT_EQ(EPOLLOUT, event.events);
	close(ep);
}

TEST_F(poll, edge)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLET };
	int ep = epoll_create1(EPOLL_CLOEXEC);

	ASSERT_LE(0, ep);
	ASSERT_EQ(0, epoll_ctl(ep, EPOLL_CTL_ADD, self->fd, &event));
	EXPECT_EQ(0, epoll_wait(ep, &event, 1, 0));
	ASSERT_EQ(LEN, send_one(self));
	ASSERT_EQ(1, epoll_wait(ep, &event, 1, WAIT_MS));
	EXPECT_EQ(EPOLLIN, event.events);
	/* No news without a new packet, though one waits. */
	EXPECT_EQ(0, epoll_wait(ep, &event, 1, 0));
	ASSERT_EQ(LEN, send_one(self));
	EXPECT_EQ(1, epoll_wait(ep, &event, 1, WAIT_MS));
	ASSERT_EQ(LEN, read_one(self));
	ASSERT_EQ(LEN, read_one(self));
	EXPECT_EQ(0, epoll_wait(ep, &event, 1, 0));
	close(ep);
}

TEST_F(poll, level_epoll)
{
	struct epoll_event event = { .events = EPOLLIN };
	int ep = epoll_create1(EPOLL_CLOEXEC);

	ASSERT_LE(0, ep);
	ASSERT_EQ(0, epoll_ctl(ep, EPOLL_CTL_ADD, self->fd, &event));
	ASSERT_EQ(LEN, send_one(self));
	EXPECT_EQ(1, epoll_wait(ep, &event, 1, WAIT_MS));
	EXPECT_EQ(1, epoll_wait(ep, &event, 1, WAIT_MS));
	ASSERT_EQ(LEN, read_one(self));
	EXPECT_EQ(0, epoll_wait(ep, &event, 1, 0));
	close(ep);
}

/* Attached and detached queues, and the wake-up between. */
TEST_F(poll, detached)
{
	if (!(variant->flags & IFF_MULTI_QUEUE)) {
		EXPECT_EQ(-EINVAL, tun_queue(self->fd, IFF_DETACH_QUEUE));
		return;
	}
	ASSERT_EQ(0, tun_queue(self->fd, IFF_DETACH_QUEUE));
	EXPECT_EQ(0, wait_events(self->fd, POLLIN, 0));
	EXPECT_EQ(-EAGAIN, read_one(self));
	ASSERT_EQ(0, tun_queue(self->fd, IFF_ATTACH_QUEUE));
	ASSERT_EQ(LEN, send_one(self));
	EXPECT_EQ(POLLIN, wait_events(self->fd, POLLIN, WAIT_MS));
	EXPECT_EQ(LEN, read_one(self));
}

TEST_F(poll, sigio)
{
	const struct timespec now = { 0 }, wait = { .tv_sec = 10 };
	int flags = fcntl(self->fd, F_GETFL);
	siginfo_t info;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGIO);
	ASSERT_EQ(0, sigprocmask(SIG_BLOCK, &set, NULL));
	ASSERT_EQ(0, fcntl(self->fd, F_SETFL, flags | O_ASYNC));
	EXPECT_EQ(getpid(), fcntl(self->fd, F_GETOWN));
	ASSERT_EQ(LEN, send_one(self));
	EXPECT_EQ(SIGIO, sigtimedwait(&set, &info, &wait));
	ASSERT_EQ(LEN, read_one(self));

	ASSERT_EQ(0, fcntl(self->fd, F_SETFL, flags));
	ASSERT_EQ(LEN, send_one(self));
	ASSERT_EQ(POLLIN, wait_events(self->fd, POLLIN, WAIT_MS));
	EXPECT_EQ(-1, sigtimedwait(&set, &info, &now));
}

TEST_F(poll, sigio_chosen_signal)
{
	int nr = SIGRTMIN + 3;

	ASSERT_EQ(0, signal_block(nr));
	ASSERT_EQ(0, set_async(self->fd, nr, true));
	ASSERT_EQ(LEN, send_one(self));
	EXPECT_EQ(POLLIN, signal_band(self->fd, nr, WAIT_MS) & POLLIN);
}

/* Who was told that it can not write is told when it can, and nobody else. */
TEST_F(poll, sigio_when_up)
{
	int nr = SIGRTMIN + 3;

	ASSERT_EQ(0, signal_block(nr));
	ASSERT_EQ(0, set_async(self->fd, nr, true));
	ASSERT_EQ(0, link_up(self->index, false));
	ASSERT_EQ(0, wait_events(self->fd, POLLOUT, 0));
	EXPECT_EQ(0, signal_band(self->fd, nr, 0));
	ASSERT_EQ(0, link_up(self->index, true));
	EXPECT_EQ(POLLOUT, signal_band(self->fd, nr, WAIT_MS) & POLLOUT);
	ASSERT_EQ(0, link_up(self->index, false));
	ASSERT_EQ(0, link_up(self->index, true));
	EXPECT_EQ(0, signal_band(self->fd, nr, 0));
}

/* Another process asked for the signals. */
TEST_F(poll, sigio_other_owner)
{
	const struct timespec wait = { .tv_sec = 10 };
	int ready[2];
	sigset_t set;
	pid_t pid;
	char c;

	sigemptyset(&set);
	sigaddset(&set, SIGIO);
	ASSERT_EQ(0, sigprocmask(SIG_BLOCK, &set, NULL));
	ASSERT_EQ(0, pipe(ready));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		siginfo_t info;

		if (write(ready[1], "", 1) != 1)
			_exit(1);
		_exit(sigtimedwait(&set, &info, &wait) == SIGIO ? 0 : 2);
	}
	ASSERT_EQ(1, read(ready[0], &c, 1));
	ASSERT_EQ(0, fcntl(self->fd, F_SETOWN, pid));
	ASSERT_EQ(0, fcntl(self->fd, F_SETFL, O_NONBLOCK | O_ASYNC));
	ASSERT_EQ(LEN, send_one(self));
	EXPECT_EQ(0, wait_exit(pid));
}

/* One blocking call in a thread of its own. */
struct caller {
	SELF *self;
	pthread_t thread;
	int ready[2];
	pid_t tid;
	bool polls;
	ssize_t ret;
};

static void *call(void *arg)
{
	struct caller *caller = arg;
	pid_t tid = gettid();

	if (write(caller->ready[1], &tid, sizeof(tid)) != sizeof(tid))
		caller->ret = -EPIPE;
	else if (caller->polls)
		caller->ret = wait_events(caller->self->fd, POLLIN, WAIT_MS);
	else
		caller->ret = read_one(caller->self);
	return NULL;
}

/* Returns when the thread sleeps in its call. */
static int call_start(struct caller *caller, SELF *self,
		      bool polls)
{
	caller->self = self;
	caller->polls = polls;
	if (!polls)
		make_blocking(self->fd);
	if (pipe(caller->ready) ||
	    pthread_create(&caller->thread, NULL, call, caller))
		return -EAGAIN;
	if (read(caller->ready[0], &caller->tid, sizeof(pid_t)) !=
	    sizeof(pid_t))
		return -EPIPE;
	return wait_blocked(caller->tid, polls ? SYS_poll : SYS_read);
}

static ssize_t call_end(struct caller *caller)
{
	pthread_join(caller->thread, NULL);
	return caller->ret;
}

TEST_F(poll, reader_wakes)
{
	struct caller caller;

	ASSERT_EQ(0, call_start(&caller, self, false));
	ASSERT_EQ(LEN, send_one(self));
	EXPECT_EQ(LEN, call_end(&caller));
	EXPECT_EQ(0, memcmp(self->in, self->out, LEN));
}

TEST_F(poll, poller_wakes)
{
	struct caller caller;

	ASSERT_EQ(0, call_start(&caller, self, true));
	ASSERT_EQ(LEN, send_one(self));
	EXPECT_EQ(POLLIN, call_end(&caller));
}

/* A packet wakes one reader or another, and none is lost. */
TEST_F(poll, two_readers)
{
	struct caller first, second;
	ssize_t sum;

	ASSERT_EQ(0, call_start(&first, self, false));
	ASSERT_EQ(0, call_start(&second, self, false));
	ASSERT_EQ(LEN, send_one(self));
	ASSERT_EQ(LEN, send_one(self));
	sum = call_end(&first);
	sum += call_end(&second);
	EXPECT_EQ(2 * LEN, sum);
}

static void on_signal(int nr)
{
}

static void catch_signal(int flags)
{
	struct sigaction action = {
		.sa_handler = on_signal, .sa_flags = flags,
	};

	sigaction(SIGUSR1, &action, NULL);
}

TEST_F(poll, signal_interrupts_reader)
{
	struct caller caller;

	catch_signal(0);
	ASSERT_EQ(0, call_start(&caller, self, false));
	ASSERT_EQ(0, pthread_kill(caller.thread, SIGUSR1));
	EXPECT_EQ(-EINTR, call_end(&caller));
	/* The next call finds the queue as it was. */
	ASSERT_EQ(LEN, send_one(self));
	EXPECT_EQ(LEN, read_one(self));
}

static sig_atomic_t handled;

static void on_counted(int nr)
{
	handled = 1;
}

TEST_F(poll, signal_restarts_reader)
{
	struct sigaction action = {
		.sa_handler = on_counted, .sa_flags = SA_RESTART,
	};
	struct caller caller;

	ASSERT_EQ(0, sigaction(SIGUSR1, &action, NULL));
	ASSERT_EQ(0, call_start(&caller, self, false));
	ASSERT_EQ(0, pthread_kill(caller.thread, SIGUSR1));
	ASSERT_TRUE(wait_until(handled));
	ASSERT_EQ(0, wait_blocked(caller.tid, SYS_read));
	ASSERT_EQ(LEN, send_one(self));
	EXPECT_EQ(LEN, call_end(&caller));
}

TEST_F(poll, reader_of_deleted_device)
{
	struct caller caller;
	ssize_t ret;

	ASSERT_EQ(0, call_start(&caller, self, false));
	ASSERT_EQ(0, link_delete(self->index));
	ret = call_end(&caller);
	EXPECT_TRUE(ret == -EBADFD || ret == -EFAULT) TH_LOG("read: %zd", ret);
	EXPECT_EQ(-EBADFD, read_one(self));
	EXPECT_EQ(-EBADFD, write_ret(self->fd, self->out, LEN));
	EXPECT_UNLESS_DEFECT("D7", ret == -EBADFD);
}

TEST_F(poll, poller_of_deleted_device)
{
	struct caller caller;
	ssize_t ret;

	ASSERT_EQ(0, call_start(&caller, self, true));
	ASSERT_EQ(0, link_delete(self->index));
	ret = call_end(&caller);
	EXPECT_EQ(POLLERR, ret & POLLERR);
	ret = wait_events(self->fd, POLLIN | POLLOUT, WAIT_MS);
	EXPECT_EQ(POLLERR, ret & ~POLLHUP);
	if (tun_is_rtun())
		EXPECT_EQ(POLLERR | POLLHUP, ret);
}

TEST_F(poll, epoll_of_deleted_device)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLET };
	int ep = epoll_create1(EPOLL_CLOEXEC);

	ASSERT_LE(0, ep);
	ASSERT_EQ(0, epoll_ctl(ep, EPOLL_CTL_ADD, self->fd, &event));
	EXPECT_EQ(0, epoll_wait(ep, &event, 1, 0));
	ASSERT_EQ(0, link_delete(self->index));
	ASSERT_EQ(1, epoll_wait(ep, &event, 1, WAIT_MS));
	EXPECT_EQ(EPOLLERR, event.events & EPOLLERR);
	close(ep);
}

/* A reader of a disabled queue waits on, and gets what comes later. */
TEST_F(poll, reader_of_detached_queue)
{
	struct caller caller;

	if (!(variant->flags & IFF_MULTI_QUEUE)) {
		EXPECT_EQ(-EINVAL, tun_queue(self->fd, IFF_ATTACH_QUEUE));
		return;
	}
	ASSERT_EQ(0, call_start(&caller, self, false));
	ASSERT_EQ(0, tun_queue(self->fd, IFF_DETACH_QUEUE));
	EXPECT_EQ(0, wait_blocked(caller.tid, SYS_read));
	ASSERT_EQ(0, tun_queue(self->fd, IFF_ATTACH_QUEUE));
	EXPECT_EQ(0, wait_blocked(caller.tid, SYS_read));
	ASSERT_EQ(LEN, send_one(self));
	EXPECT_EQ(LEN, call_end(&caller));
}

TEST_F(poll, reader_of_detached_queue_deleted)
{
	struct caller caller;
	ssize_t ret;

	if (!(variant->flags & IFF_MULTI_QUEUE)) {
		EXPECT_EQ(-EINVAL, tun_queue(self->fd, IFF_DETACH_QUEUE));
		return;
	}
	ASSERT_EQ(0, tun_queue(self->fd, IFF_DETACH_QUEUE));
	ASSERT_EQ(0, call_start(&caller, self, false));
	ASSERT_EQ(0, link_delete(self->index));
	ret = call_end(&caller);
	EXPECT_TRUE(ret == -EBADFD || ret == -EFAULT) TH_LOG("read: %zd", ret);
	EXPECT_UNLESS_DEFECT("D7", ret == -EBADFD);
}

TEST_HARNESS_MAIN
