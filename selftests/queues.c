// SPDX-License-Identifier: GPL-2.0-only
/* Which queue a packet goes to, how many wait there, and what is counted. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "flows.h"
#include "rtnl.h"
#include "harness.h"

FIXTURE(queues)
{
	struct flows flows;
};

FIXTURE_VARIANT(queues)
{
	int flags;
};

FIXTURE_VARIANT_ADD(queues, tun)
{
	.flags = IFF_TUN | IFF_MULTI_QUEUE,
};

FIXTURE_VARIANT_ADD(queues, tap)
{
	.flags = IFF_TAP | IFF_MULTI_QUEUE,
};

FIXTURE_SETUP(queues)
{
	ASSERT_EQ(0, ns_enter());
	ASSERT_EQ(0, flows_open(&self->flows, variant->flags, FLOW_QUEUES));
}

FIXTURE_TEARDOWN(queues)
{
	flows_close(&self->flows);
}

/* What a queue writes comes back on it, and on no other. */
TEST_F(queues, flow_comes_back)
{
	struct flows *flows = &self->flows;
	int n, q;

	for (n = 0; n < 64; n++)
		ASSERT_EQ(0, flows_write(flows, n % FLOW_QUEUES, flow_nth(n)));
	for (q = 0; q < FLOW_QUEUES; q++) {
		for (n = q; n < 64; n += FLOW_QUEUES)
			ASSERT_EQ(0, flows_send(flows, flow_nth(n), n));
		ASSERT_EQ(16, flows_collect(flows, 16));
		EXPECT_EQ(16, flows->got[q]) TH_LOG("queue %d", q);
		EXPECT_TRUE(flows->in_order);
	}
}

/* A flow follows the queue that wrote it last, also to one that has written it before. */
TEST_F(queues, flow_moves)
{
	static const enum flow_guise guise[] = { FLOW_PLAIN, FLOW_OPTIONS, FLOW_V6 };
	struct flows *flows = &self->flows;
	int n, q, times;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(guise); i++) {
		flows->guise = guise[i];
		for (n = 3 * FLOW_QUEUES; n-- > 0;) {
			q = n % FLOW_QUEUES;
			for (times = 0; times < 3; times++)
				ASSERT_EQ(0, flows_write(flows, q, flow_nth(7)));
			EXPECT_EQ(q, flows_send_to(flows, flow_nth(7)))
				TH_LOG("guise %d", flows->guise);
		}
	}
}

/* What else is in its packets does not make it another flow. */
TEST_F(queues, flow_in_any_guise)
{
	static const enum flow_guise pair[][2] = {
		{ FLOW_PLAIN, FLOW_OPTIONS }, { FLOW_OPTIONS, FLOW_PLAIN },
		{ FLOW_V6, FLOW_V6 },
		{ FLOW_V6, FLOW_V6_OPTIONS }, { FLOW_V6_OPTIONS, FLOW_V6 },
		/* Not the other way: a packet socket has the wrong header found. */
		{ FLOW_TAGGED, FLOW_PLAIN },
	};
	struct flows *flows = &self->flows;
	size_t n, pairs = ARRAY_SIZE(pair) - !flows->head;
	int q;

	for (n = 0; n < pairs; n++) {
		for (q = 0; q < FLOW_QUEUES; q++) {
			flows->guise = pair[n][0];
			ASSERT_EQ(0, flows_write(flows, q, flow_nth(n)));
			flows->guise = pair[n][1];
			EXPECT_EQ(q, flows_send_to(flows, flow_nth(n)))
				TH_LOG("pair %zu", n);
		}
	}
}

TEST_F(queues, flows_spread)
{
	struct flows *flows = &self->flows;
	int first[FLOW_QUEUES], n, q;

	for (n = 0; n < 256; n++)
		ASSERT_EQ(0, flows_send(flows, flow_nth(n), n));
	ASSERT_EQ(256, flows_collect(flows, 256));
	for (q = 0; q < FLOW_QUEUES; q++) {
		EXPECT_LT(0, flows->got[q]) TH_LOG("queue %d", q);
		first[q] = flows->got[q];
	}
	/* Each to the queue of its first time. */
	for (n = 0; n < 256; n++)
		ASSERT_EQ(0, flows_send(flows, flow_nth(n), n));
	ASSERT_EQ(256, flows_collect(flows, 256));
	EXPECT_EQ(0, memcmp(first, flows->got, sizeof(first)));
}

/* An entry that nobody refreshes goes away: the hash decides again. */
TEST_F_TIMEOUT(queues, flow_ages, 60)
{
	int64_t end = now_ms() + 4 * WAIT_MS;
	int hashed, learned, now;

	hashed = flows_send_to(&self->flows, flow_nth(1));
	ASSERT_LE(0, hashed);
	learned = (hashed + 1) % FLOW_QUEUES;
	ASSERT_EQ(0, flows_write(&self->flows, learned, flow_nth(1)));
	EXPECT_EQ(learned, flows_send_to(&self->flows, flow_nth(1)));
	/* Nothing but the choice itself tells that the entry is gone. */
	do {
		pause_ms(50);
		now = flows_send_to(&self->flows, flow_nth(1));
	} while (now == learned && now_ms() < end);
	EXPECT_EQ(hashed, now);
}

TEST_F(queues, detach_keeps_others)
{
	struct flows *flows = &self->flows;
	int n, total;

	for (n = 0; n < 64; n++)
		ASSERT_EQ(0, flows_write(flows, n % FLOW_QUEUES, flow_nth(n)));
	ASSERT_EQ(0, tun_queue(flows->fd[0], IFF_DETACH_QUEUE));
	for (n = 0; n < 64; n++)
		ASSERT_EQ(0, flows_send(flows, flow_nth(n), n));
	total = flows_collect(flows, 64);
	EXPECT_EQ(64, total);
	EXPECT_EQ(0, flows->got[0]);
	EXPECT_LE(16, flows->got[1]);
	EXPECT_LE(16, flows->got[2]);

	ASSERT_EQ(0, tun_queue(flows->fd[0], IFF_ATTACH_QUEUE));
	ASSERT_EQ(0, flows_write(flows, 0, flow_nth(0)));
	EXPECT_EQ(0, flows_send_to(flows, flow_nth(0)));
	ASSERT_EQ(0, flows_write(flows, 3, flow_nth(0)));
	EXPECT_EQ(3, flows_send_to(flows, flow_nth(0)));
}

/* Who waits for a queue has nothing to see when it goes. */
TEST_F(queues, detach_wakes_nobody)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLOUT | EPOLLET };
	int epoll = epoll_create1(EPOLL_CLOEXEC), fd = self->flows.fd[0];

	ASSERT_LE(0, epoll);
	ASSERT_EQ(0, epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event));
	/* What is so from the start. */
	ASSERT_EQ(1, epoll_wait(epoll, &event, 1, WAIT_MS));
	ASSERT_EQ(EPOLLOUT, event.events);
	ASSERT_EQ(0, tun_queue(fd, IFF_DETACH_QUEUE));
	EXPECT_EQ(0, epoll_wait(epoll, &event, 1, 0));
	ASSERT_EQ(0, tun_queue(fd, IFF_ATTACH_QUEUE));
	ASSERT_EQ(0, flows_write(&self->flows, 0, flow_nth(0)));
	ASSERT_EQ(0, flows_send(&self->flows, flow_nth(0), 0));
	ASSERT_EQ(1, epoll_wait(epoll, &event, 1, WAIT_MS));
	EXPECT_EQ(EPOLLIN | EPOLLOUT, event.events);
	close(epoll);
}

struct pair {
	struct flows *flows;
	atomic_bool stop;
};

/* On the first CPU, with whose timer the qdisc sends. */
static void *send_all(void *arg)
{
	struct pair *pair = arg;
	uint32_t n;

	for (n = 0; !pair->stop; n++) {
		/* The qdisc is full, or not. */
		if (flows_send(pair->flows, flow_nth(n % 64), n) == -ENOBUFS)
			sched_yield();
	}
	return NULL;
}

static void *read_all(void *arg)
{
	struct pair *pair = arg;
	uint8_t buf[256];
	int q;

	for (q = 0; !pair->stop; q = (q + 1) % FLOW_QUEUES)
		read_ret(pair->flows->fd[q], buf, sizeof(buf));
	return NULL;
}

static int start_on_first_cpu(pthread_t *thread, void *(*main)(void *arg),
			      void *arg)
{
	cpu_set_t cpu;
	int err;

	CPU_ZERO(&cpu);
	CPU_SET(0, &cpu);
	err = pthread_create(thread, NULL, main, arg);
	return err ?: pthread_setaffinity_np(*thread, sizeof(cpu), &cpu);
}

/*
 * A packet that a timer sends interrupts whoever reads. It must not wait for one
 * who waits for that reader.
 */
TEST_F(queues, detach_amid_timers)
{
	struct flows *flows = &self->flows;
	struct pair pair = { .flows = flows };
	int64_t end = now_ms() + 3000;
	pthread_t sender, reader;
	int n;

	ASSERT_EQ(0, qdisc_set_rate(flows->index, 1 << 21, 256));
	ASSERT_EQ(0, start_on_first_cpu(&sender, send_all, &pair));
	ASSERT_EQ(0, start_on_first_cpu(&reader, read_all, &pair));
	for (n = 0; now_ms() < end; n++) {
		ASSERT_EQ(0, tun_queue(flows->fd[n % FLOW_QUEUES],
				       IFF_DETACH_QUEUE));
		ASSERT_EQ(0, tun_queue(flows->fd[n % FLOW_QUEUES],
				       IFF_ATTACH_QUEUE));
	}
	pair.stop = true;
	pthread_join(sender, NULL);
	pthread_join(reader, NULL);
	TH_LOG("%d detached", n);
}

/* The flows of a queue that went spread over those that are left. */
TEST_F(queues, detach_spreads_flows)
{
	struct flows *flows = &self->flows;
	int n, q, used = 0;

	for (n = 0; n < 64; n++)
		ASSERT_EQ(0, flows_write(flows, FLOW_QUEUES - 1, flow_nth(n)));
	ASSERT_EQ(0, tun_queue(flows->fd[FLOW_QUEUES - 1], IFF_DETACH_QUEUE));
	for (n = 0; n < 64; n++)
		ASSERT_EQ(0, flows_send(flows, flow_nth(n), n));
	EXPECT_EQ(64, flows_collect(flows, 64));
	EXPECT_EQ(0, flows->got[FLOW_QUEUES - 1]);
	for (q = 0; q < FLOW_QUEUES; q++)
		used += !!flows->got[q];
	EXPECT_UNLESS_DEFECT("D1", used > 1);
}

TEST_F(queues, close_one)
{
	struct flows *flows = &self->flows;
	int n;

	close(flows->fd[1]);
	flows->fd[1] = -1;
	for (n = 0; n < 64; n++)
		ASSERT_EQ(0, flows_send(flows, flow_nth(n), n));
	EXPECT_EQ(64, flows_collect(flows, 64));
	flows->fd[1] = tun_create("ours", variant->flags | IFF_NO_PI);
	ASSERT_LE(0, flows->fd[1]);
	ASSERT_EQ(0, flows_write(flows, 1, flow_nth(3)));
	EXPECT_EQ(1, flows_send_to(flows, flow_nth(3)));
}

/* A packet that no queue can take is a counted drop. */
TEST_F(queues, all_disabled)
{
	struct flows *flows = &self->flows;
	struct link_info before, after;
	int q;

	for (q = 0; q < FLOW_QUEUES; q++)
		ASSERT_EQ(0, tun_queue(flows->fd[q], IFF_DETACH_QUEUE));
	ASSERT_EQ(0, link_get(flows->index, &before));
	for (q = 0; q < 10; q++)
		flows_send(flows, flow_nth(q), q);
	ASSERT_EQ(0, link_get(flows->index, &after));
	EXPECT_EQ(10, after.stats.tx_dropped - before.stats.tx_dropped);
	EXPECT_EQ(0, flows_collect(flows, 0));
	ASSERT_EQ(0, tun_queue(flows->fd[2], IFF_ATTACH_QUEUE));
	EXPECT_EQ(2, flows_send_to(flows, flow_nth(0)));
}

/* Each writer counts for the whole device. */
TEST_F(queues, statistics)
{
	struct flows *flows = &self->flows;
	size_t len = flows->head + 32;
	struct link_info info;
	int n;

	for (n = 0; n < 40; n++)
		ASSERT_EQ(0, flows_write(flows, n % FLOW_QUEUES, flow_nth(n)));
	for (n = 0; n < 30; n++)
		ASSERT_EQ(0, flows_send(flows, flow_nth(n), n));
	ASSERT_EQ(30, flows_collect(flows, 30));
	ASSERT_EQ(0, link_get(flows->index, &info));
	EXPECT_EQ(40, info.stats.rx_packets);
	EXPECT_EQ(40 * len, info.stats.rx_bytes);
	EXPECT_EQ(30, info.stats.tx_packets);
	EXPECT_EQ(30 * len, info.stats.tx_bytes);
	EXPECT_EQ(0, info.stats.tx_dropped);
}

/* One queue, and the ring behind it. */
FIXTURE(ring)
{
	struct flows flows;
};

FIXTURE_SETUP(ring)
{
	ASSERT_EQ(0, ns_enter());
	ASSERT_EQ(0, flows_open(&self->flows, IFF_TUN | IFF_MULTI_QUEUE, 1));
}

FIXTURE_TEARDOWN(ring)
{
	flows_close(&self->flows);
}

/* Numbered from 0; a drop is not an error to a packet socket's sender. */
static void send_numbered(struct flows *flows, int from, int count)
{
	int n;

	for (n = from; n < from + count; n++)
		flows_send(flows, flow_nth(0), n);
}

TEST_F(ring, full)
{
	struct link_info info;

	ASSERT_EQ(0, link_get(self->flows.index, &info));
	ASSERT_EQ(TUN_READQ_SIZE, info.txqlen);
	send_numbered(&self->flows, 0, TUN_READQ_SIZE);
	EXPECT_EQ(0, flows_dropped(&self->flows));
	send_numbered(&self->flows, TUN_READQ_SIZE, 100);
	EXPECT_EQ(100, flows_dropped(&self->flows));
	ASSERT_EQ(TUN_READQ_SIZE, flows_collect(&self->flows, TUN_READQ_SIZE));
	EXPECT_TRUE(self->flows.in_order);
	EXPECT_EQ(TUN_READQ_SIZE - 1, self->flows.last);
	/* There is room again. */
	send_numbered(&self->flows, 0, 100);
	EXPECT_EQ(100, flows_collect(&self->flows, 100));
	EXPECT_EQ(100, flows_dropped(&self->flows));
}

TEST_F(ring, grow)
{
	struct flows *flows = &self->flows;

	send_numbered(flows, 0, 500);
	ASSERT_EQ(0, link_set_u32(flows->index, IFLA_TXQLEN, 1200));
	send_numbered(flows, 500, 800);
	EXPECT_EQ(100, flows_dropped(flows));
	ASSERT_EQ(1200, flows_collect(flows, 1200));
	EXPECT_TRUE(flows->in_order);
	EXPECT_EQ(1199, flows->last);
}

/* What fits stays, the oldest first. */
TEST_F(ring, shrink)
{
	struct flows *flows = &self->flows;

	send_numbered(flows, 0, 40);
	ASSERT_EQ(0, link_set_u32(flows->index, IFLA_TXQLEN, 50));
	send_numbered(flows, 40, 20);
	ASSERT_EQ(0, link_set_u32(flows->index, IFLA_TXQLEN, 30));
	ASSERT_EQ(30, flows_collect(flows, 30));
	EXPECT_TRUE(flows->in_order);
	EXPECT_EQ(29, flows->last);
	send_numbered(flows, 0, 30);
	EXPECT_EQ(30, flows_collect(flows, 30));
}

TEST_F(ring, length_zero)
{
	struct flows *flows = &self->flows;

	ASSERT_EQ(0, link_set_u32(flows->index, IFLA_TXQLEN, 0));
	send_numbered(flows, 0, 5);
	EXPECT_EQ(5, flows_dropped(flows));
	EXPECT_EQ(0, flows_collect(flows, 0));
	ASSERT_EQ(0, link_set_u32(flows->index, IFLA_TXQLEN, 10));
	send_numbered(flows, 0, 10);
	EXPECT_EQ(10, flows_collect(flows, 10));
}

/* A new queue, and one that was disabled meanwhile, have the new length. */
TEST_F(ring, length_of_other_queues)
{
	struct flows *flows = &self->flows;
	int second = tun_create("ours", IFF_TUN | IFF_NO_PI | IFF_MULTI_QUEUE);

	ASSERT_LE(0, second);
	ASSERT_EQ(0, tun_queue(second, IFF_DETACH_QUEUE));
	ASSERT_EQ(0, link_set_u32(flows->index, IFLA_TXQLEN, 20));
	close(flows->fd[0]);
	flows->fd[0] = second;
	ASSERT_EQ(0, tun_queue(second, IFF_ATTACH_QUEUE));
	send_numbered(flows, 0, 30);
	EXPECT_EQ(20, flows_collect(flows, 20));

	second = tun_create("ours", IFF_TUN | IFF_NO_PI | IFF_MULTI_QUEUE);
	ASSERT_LE(0, second);
	close(flows->fd[0]);
	flows->fd[0] = second;
	send_numbered(flows, 0, 30);
	EXPECT_EQ(20, flows_collect(flows, 20));
}

/* Packets wait while the device is down, and none comes. */
TEST_F(ring, down_and_up)
{
	struct flows *flows = &self->flows;

	send_numbered(flows, 0, 10);
	ASSERT_EQ(0, link_up(flows->index, false));
	EXPECT_EQ(-ENETDOWN, flows_send(flows, flow_nth(0), 10));
	ASSERT_EQ(0, link_up(flows->index, true));
	send_numbered(flows, 10, 10);
	ASSERT_EQ(20, flows_collect(flows, 20));
	EXPECT_TRUE(flows->in_order);
}

/* The reason of a drop, as the kernel's own trace event tells it. */
#define TRACE	"/sys/kernel/tracing/instances/rtun_selftest"

FIXTURE(reason)
{
	struct flows flows;
};

FIXTURE_SETUP(reason)
{
	ASSERT_EQ(0, ns_enter());
	ASSERT_EQ(0, unshare(CLONE_NEWNS));
	ASSERT_EQ(0, mount("tracefs", "/sys/kernel/tracing", "tracefs", 0,
			   NULL));
	rmdir(TRACE);
	ASSERT_EQ(0, mkdir(TRACE, 0700));
	ASSERT_EQ(0, flows_open(&self->flows, IFF_TUN | IFF_MULTI_QUEUE, 1));
	ASSERT_EQ(0, link_set_u32(self->flows.index, IFLA_TXQLEN, 1));
	ASSERT_EQ(0, write_file(TRACE "/events/skb/kfree_skb/enable", "1"));
}

FIXTURE_TEARDOWN(reason)
{
	write_file(TRACE "/events/skb/kfree_skb/enable", "0");
	flows_close(&self->flows);
	rmdir(TRACE);
}

static bool traced(const char *reason)
{
	static char buf[65536];

	return read_file(TRACE "/trace", buf, sizeof(buf)) > 0 &&
	       strstr(buf, reason);
}

TEST_F(reason, full_ring)
{
	send_numbered(&self->flows, 0, 1);
	EXPECT_FALSE(traced("reason: FULL_RING"));
	send_numbered(&self->flows, 1, 1);
	EXPECT_TRUE(traced("reason: FULL_RING"));
}

TEST_F(reason, no_queue)
{
	ASSERT_EQ(0, tun_queue(self->flows.fd[0], IFF_DETACH_QUEUE));
	EXPECT_FALSE(traced("reason: DEV_READY"));
	send_numbered(&self->flows, 0, 1);
	EXPECT_TRUE(traced("reason: DEV_READY"));
}

TEST_F(reason, write_when_down)
{
	ASSERT_EQ(0, link_up(self->flows.index, false));
	EXPECT_EQ(-EIO, flows_write(&self->flows, 0, flow_nth(0)));
	EXPECT_TRUE(traced("reason: DEV_READY"));
}

FIXTURE(all_queues)
{
	struct flows flows;
};

FIXTURE_SETUP(all_queues)
{
	ASSERT_EQ(0, ns_enter());
	ASSERT_EQ(0, flows_open(&self->flows, IFF_TAP | IFF_MULTI_QUEUE,
				tun_max_queues()));
}

FIXTURE_TEARDOWN(all_queues)
{
	/* At once: closing them one by one takes long. */
	link_delete(self->flows.index);
	flows_close(&self->flows);
}

TEST_F(all_queues, every_queue_carries)
{
	struct flows *flows = &self->flows;
	int n, max = tun_max_queues();

	for (n = 0; n < max; n++)
		ASSERT_EQ(0, flows_write(flows, n, flow_nth(n)));
	for (n = 0; n < max; n++)
		ASSERT_EQ(0, flows_send(flows, flow_nth(n), n));
	ASSERT_EQ(max, flows_collect(flows, max));
	for (n = 0; n < max; n++) {
		EXPECT_EQ(1, flows->got[n])
			TH_LOG("queue %d", n);
	}
}

TEST_HARNESS_MAIN
