// SPDX-License-Identifier: GPL-2.0-only
/*
 * IFF_BACKPRESSURE: a full queue stops its transmit queue, and what is sent
 * waits in the queueing discipline until there is room.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <linux/if_packet.h>
#include <linux/pkt_sched.h>

#include "drops.h"
#include "flows.h"
#include "port.h"
#include "rtnl.h"
#include "harness.h"

#define RING		10
#define SENT		100
#define LIMIT		1000	/* of the queueing discipline */
#define HANDLE(n)	((n) << 16)
#define SIZE		100
#define LOAD		5000

FIXTURE(backpressure)
{
	struct port port;
};

FIXTURE_VARIANT(backpressure)
{
	int flags;
};

FIXTURE_VARIANT_ADD(backpressure, tun)
{
	.flags = TUN_NOPI | IFF_BACKPRESSURE,
};

FIXTURE_VARIANT_ADD(backpressure, tap)
{
	.flags = TAP_NOPI | IFF_BACKPRESSURE,
};

static int open_with(struct port *port, int flags, const char *qdisc)
{
	int err = port_open(port, "ours", flags, 1);

	if (!err)
		err = link_set_u32(port->index, IFLA_TXQLEN, RING);
	if (!err)
		err = qdisc_set(port->index, TC_H_ROOT, HANDLE(1), qdisc,
				strcmp(qdisc, "pfifo") ? 0 : LIMIT);
	return err;
}

FIXTURE_SETUP(backpressure)
{
	ASSERT_EQ(0, ns_enter());
	if (!tun_has_feature(IFF_BACKPRESSURE))
		SKIP(return, "this kernel's driver has no IFF_BACKPRESSURE");
	ASSERT_EQ(0, open_with(&self->port, variant->flags, "pfifo"));
}

FIXTURE_TEARDOWN(backpressure)
{
	port_close(&self->port);
}

static int send_numbered(struct port *port, int from, int count)
{
	int n;

	for (n = from; n < from + count; n++) {
		port_frame(port, SIZE, n);
		packet_send(port->sock, port->index, PROTO_TEST, port->out,
			    SIZE);
	}
	return 0;
}

static bool queue_is_empty(struct port *port)
{
	return wait_events(port->fd[0], POLLIN, 0) == 0;
}

static int64_t waiting(struct port *port)
{
	return qdisc_length(port->index, HANDLE(1));
}

/* The queue runs from a softirq, which nothing announces. */
static int wait_waiting(struct port *port, int64_t length)
{
	return wait_until(waiting(port) == length) ? 0 : -ETIMEDOUT;
}

TEST_F(backpressure, flag)
{
	int flags = tun_get_flags(self->port.fd[0]);

	ASSERT_LE(0, flags);
	EXPECT_EQ(IFF_BACKPRESSURE, flags & IFF_BACKPRESSURE);
}

TEST_F(backpressure, nothing_dropped)
{
	struct port *port = &self->port;

	send_numbered(port, 0, SENT);
	EXPECT_EQ(SENT - RING, waiting(port));
	EXPECT_EQ(0, port_counter(port, tx_dropped));
	ASSERT_EQ(0, port_read_numbered(port, SIZE, 0, SENT));
	EXPECT_TRUE(queue_is_empty(port));
	EXPECT_EQ(0, waiting(port));
	EXPECT_EQ(0, port_counter(port, tx_dropped));
	EXPECT_EQ(SENT, port_counter(port, tx_packets));
}

/* The queue stops and wakes many times over. */
TEST_F(backpressure, again_and_again)
{
	struct port *port = &self->port;
	int n;

	for (n = 0; n < 20; n++) {
		send_numbered(port, n * 15, 15);
		EXPECT_EQ(5, waiting(port));
		ASSERT_EQ(0, port_read_numbered(port, SIZE, n * 15, 15));
		EXPECT_TRUE(queue_is_empty(port));
	}
	EXPECT_EQ(0, port_counter(port, tx_dropped));
}

/* Who goes past the queueing discipline finds the queue stopped. */
TEST_F(backpressure, bypass_refused)
{
	struct port *port = &self->port;
	int sock = packet_socket(port->index, 0), one = 1;

	ASSERT_EQ(0, setsockopt(sock, SOL_PACKET, PACKET_QDISC_BYPASS, &one,
				sizeof(one)));
	send_numbered(port, 0, RING);
	EXPECT_EQ(-ENOBUFS, packet_send(sock, port->index, PROTO_TEST,
					port->out, SIZE));
	ASSERT_EQ(0, port_read_numbered(port, SIZE, 0, RING));
	EXPECT_EQ(SIZE, packet_send(sock, port->index, PROTO_TEST, port->out,
				    SIZE));
	EXPECT_EQ(0, port_read(port, 0, port->out, SIZE));
	close(sock);
}

/* Without the flag, or without a queueing discipline, a full queue drops. */
static void drops_when_full(struct __test_metadata *_metadata,
			    struct port *port)
{
	int err = drops_start(PROTO_TEST);

	send_numbered(port, 0, SENT);
	EXPECT_EQ(SENT - RING, port_counter(port, tx_dropped));
	if (err != -EOPNOTSUPP) {
		ASSERT_EQ(0, err);
		EXPECT_EQ(SENT - RING, drops_count("FULL_RING"));
		EXPECT_EQ(SENT - RING, drops_count(NULL));
		drops_stop();
	}
	ASSERT_EQ(0, port_read_numbered(port, SIZE, 0, RING));
	EXPECT_TRUE(queue_is_empty(port));
}

TEST_F(backpressure, without_flag)
{
	port_close(&self->port);
	ASSERT_EQ(0, open_with(&self->port, variant->flags & ~IFF_BACKPRESSURE,
			       "pfifo"));
	drops_when_full(_metadata, &self->port);
}

TEST_F(backpressure, without_qdisc)
{
	port_close(&self->port);
	ASSERT_EQ(0, open_with(&self->port, variant->flags, "noqueue"));
	drops_when_full(_metadata, &self->port);
}

struct sender {
	struct port *port;
	int sock, refused;
	pthread_t thread;
};

static void *sender_main(void *arg)
{
	struct sender *sender = arg;
	uint8_t frame[SIZE];
	uint32_t n;

	memcpy(frame, sender->port->out, sizeof(frame));
	for (n = 0; n < LOAD; n++) {
		memcpy(frame + SIZE - sizeof(n), &n, sizeof(n));
		for (;;) {
			int ret = packet_send(sender->sock, sender->port->index,
					      PROTO_TEST, frame, SIZE);

			if (ret == SIZE)
				break;
			if (ret != -EAGAIN)
				sender->refused++;
			wait_events(sender->sock, POLLOUT, WAIT_MS);
		}
	}
	return NULL;
}

/* A sender whose buffer is smaller than the qdisc can lose nothing at all. */
TEST_F_TIMEOUT(backpressure, load, 120)
{
	struct sender sender = { .port = &self->port };
	struct port *port = &self->port;
	int buffer = 64 << 10;
	uint32_t n, got;

	sender.sock = packet_socket(port->index, 0);
	ASSERT_EQ(0, setsockopt(sender.sock, SOL_SOCKET, SO_SNDBUF, &buffer,
				sizeof(buffer)));
	port_frame(port, SIZE, 1);
	ASSERT_EQ(0, -pthread_create(&sender.thread, NULL, sender_main,
				     &sender));
	for (n = 0; n < LOAD; n++) {
		ASSERT_EQ(POLLIN, wait_events(port->fd[0], POLLIN, WAIT_MS))
			TH_LOG("packet %u", n);
		ASSERT_EQ(SIZE, read_ret(port->fd[0], port->in, PORT_ROOM));
		memcpy(&got, port->in + SIZE - sizeof(got), sizeof(got));
		ASSERT_EQ(n, got);
	}
	pthread_join(sender.thread, NULL);
	EXPECT_EQ(0, sender.refused);
	EXPECT_EQ(0, port_counter(port, tx_dropped));
	close(sender.sock);
}

/* More room is room for those that wait, and nobody has to read first. */
TEST_F(backpressure, grow)
{
	struct port *port = &self->port;

	send_numbered(port, 0, SENT);
	ASSERT_EQ(SENT - RING, waiting(port));
	ASSERT_EQ(0, link_set_u32(port->index, IFLA_TXQLEN, 4 * RING));
	EXPECT_EQ(0, wait_waiting(port, SENT - 4 * RING));
	EXPECT_EQ(0, port_counter(port, tx_dropped));
	ASSERT_EQ(0, port_read_numbered(port, SIZE, 0, SENT));
	EXPECT_EQ(0, port_counter(port, tx_dropped));
}

/* Less room: what waits goes on all the same. */
TEST_F(backpressure, shrink)
{
	struct port *port = &self->port;
	int n = 0;

	send_numbered(port, 0, SENT);
	ASSERT_EQ(0, link_set_u32(port->index, IFLA_TXQLEN, RING / 2));
	while (n < SENT - RING &&
	       wait_events(port->fd[0], POLLIN, WAIT_MS) == POLLIN) {
		ASSERT_EQ(SIZE, read_ret(port->fd[0], port->in, PORT_ROOM));
		n++;
	}
	/* The rest of it was dropped by the ring, when it shrank. */
	EXPECT_LE(SENT - RING, n + port_counter(port, tx_dropped));
	EXPECT_EQ(0, waiting(port));
	while (!queue_is_empty(port))
		read_ret(port->fd[0], port->in, PORT_ROOM);
	send_numbered(port, 0, RING);
	EXPECT_EQ(0, port_read_numbered(port, SIZE, 0, RING));
}

/* A stop that is not for want of room does not end for its sake. */
TEST_F(backpressure, down_and_up)
{
	struct port *port = &self->port;

	send_numbered(port, 0, 2 * RING);
	ASSERT_EQ(0, port_up(port, false));
	ASSERT_EQ(0, port_read_numbered(port, SIZE, 0, RING));
	EXPECT_TRUE(queue_is_empty(port));
	ASSERT_EQ(0, port_up(port, true));
	send_numbered(port, 0, SENT);
	EXPECT_EQ(0, port_counter(port, tx_dropped));
	EXPECT_EQ(0, port_read_numbered(port, SIZE, 0, SENT));
}

TEST_F(backpressure, deleted)
{
	struct port *port = &self->port;

	send_numbered(port, 0, SENT);
	EXPECT_EQ(0, link_delete(port->index));
	EXPECT_EQ(-EBADFD, read_ret(port->fd[0], port->in, PORT_ROOM));
	EXPECT_EQ(-ENODEV, link_index("ours"));
}

/* The next user of a persistent device finds it at work. */
TEST_F(backpressure, persistent)
{
	static const int flags[] = { IFF_BACKPRESSURE, 0, IFF_BACKPRESSURE };
	struct port *port = &self->port;
	int type = variant->flags & ~IFF_BACKPRESSURE, i;

	ASSERT_EQ(0, tun_ioctl(port->fd[0], TUNSETPERSIST, 1));
	for (i = 0; i < ARRAY_SIZE(flags); i++) {
		int64_t before;

		send_numbered(port, 0, SENT);
		port_close(port);
		ASSERT_EQ(0, open_with(port, type | flags[i], "pfifo"));
		ASSERT_EQ(0, link_wait(port->index, link_is_running, true));
		EXPECT_EQ(flags[i], tun_get_flags(port->fd[0]) &
			  IFF_BACKPRESSURE);
		while (!queue_is_empty(port))
			read_ret(port->fd[0], port->in, PORT_ROOM);
		before = port_counter(port, tx_dropped);
		send_numbered(port, 0, 2 * RING);
		EXPECT_EQ(flags[i] ? 0 : RING,
			  port_counter(port, tx_dropped) - before);
		EXPECT_EQ(0, port_read_numbered(port, SIZE, 0,
						flags[i] ? 2 * RING : RING));
	}
	EXPECT_EQ(0, tun_ioctl(port->fd[0], TUNSETPERSIST, 0));
}

/* Queues that stop one by one: each has a queueing discipline. */
FIXTURE(queues)
{
	struct flows flows;
	struct flow flow[2];	/* to the first queue, and to the second */
};

FIXTURE_SETUP(queues)
{
	int n, q;

	ASSERT_EQ(0, ns_enter());
	if (!tun_has_feature(IFF_BACKPRESSURE))
		SKIP(return, "this kernel's driver has no IFF_BACKPRESSURE");
	ASSERT_EQ(0, flows_open(&self->flows, IFF_TUN | IFF_MULTI_QUEUE |
				IFF_BACKPRESSURE, 2));
	n = self->flows.index;
	ASSERT_EQ(0, link_set_u32(n, IFLA_TXQLEN, RING));
	ASSERT_EQ(0, qdisc_set(n, TC_H_ROOT, HANDLE(1), "mq", 0));
	for (q = 0; q < 2; q++) {
		ASSERT_EQ(0, qdisc_set(n, HANDLE(1) | (q + 1), HANDLE(q + 2),
				       "pfifo", LIMIT));
		self->flow[q] = flow_nth(q);
		ASSERT_EQ(0, flows_write(&self->flows, q, self->flow[q]));
		ASSERT_EQ(q, flows_send_to(&self->flows, self->flow[q]));
	}
}

FIXTURE_TEARDOWN(queues)
{
	flows_close(&self->flows);
}

static int send_flow(struct flows *flows, struct flow f, int count)
{
	int n, err = 0;

	for (n = 0; !err && n < count; n++)
		err = flows_send(flows, f, n);
	return err;
}

TEST_F(queues, one_stops_alone)
{
	struct flows *flows = &self->flows;
	struct pollfd one = { .fd = flows->fd[1], .events = POLLIN };
	uint8_t buf[200];

	ASSERT_EQ(0, send_flow(flows, self->flow[0], SENT));
	EXPECT_EQ(SENT - RING, qdisc_length(flows->index, HANDLE(2)));
	ASSERT_EQ(0, send_flow(flows, self->flow[1], RING));
	EXPECT_EQ(0, qdisc_length(flows->index, HANDLE(3)));
	EXPECT_EQ(1, poll(&one, 1, WAIT_MS));
	EXPECT_LT(0, read_ret(flows->fd[1], buf, sizeof(buf)));
	ASSERT_EQ(SENT + RING - 1, flows_collect(flows, SENT + RING - 1));
	EXPECT_TRUE(flows->in_order);
	EXPECT_EQ(SENT, flows->got[0]);
	EXPECT_EQ(0, flows_dropped(flows));
}

/* The stopped queue goes: what waited for it goes by the one that is left. */
static void end_stopped(struct __test_metadata *_metadata, struct flows *flows,
			struct flow f, bool closes)
{
	int got;

	ASSERT_EQ(0, send_flow(flows, f, 3 * RING));
	ASSERT_EQ(2 * RING, qdisc_length(flows->index, HANDLE(2)));
	if (closes) {
		close(flows->fd[0]);
		flows->fd[0] = -1;
	} else {
		ASSERT_EQ(0, tun_queue(flows->fd[0], IFF_DETACH_QUEUE));
	}
	got = flows_collect(flows, 3 * RING - flows_dropped(flows));
	EXPECT_LE(2 * RING, got);
	EXPECT_TRUE(flows->in_order);
	EXPECT_UNLESS_DEFECT("D6", 3 * RING == got + flows_dropped(flows));
	/* And it does not stay stopped. */
	ASSERT_EQ(0, send_flow(flows, f, 3 * RING));
	EXPECT_EQ(3 * RING, flows_collect(flows, 3 * RING));
}

TEST_F(queues, detach_stopped)
{
	struct flows *flows = &self->flows;

	end_stopped(_metadata, flows, self->flow[0], false);
	ASSERT_EQ(0, tun_queue(flows->fd[0], IFF_ATTACH_QUEUE));
	ASSERT_EQ(0, flows_write(flows, 0, self->flow[0]));
	ASSERT_EQ(0, send_flow(flows, self->flow[0], 3 * RING));
	EXPECT_EQ(3 * RING, flows_collect(flows, 3 * RING));
	EXPECT_EQ(3 * RING, flows->got[0]);
}

TEST_F(queues, close_stopped)
{
	end_stopped(_metadata, &self->flows, self->flow[0], true);
}

/*
 * What moves from a queue that leaves may fill another one's ring. Then that one's
 * packets wait, too, but for the first, which finds out.
 */
TEST_F(queues, filled_by_another)
{
	struct flows *flows = &self->flows;
	int64_t dropped;

	ASSERT_EQ(0, send_flow(flows, self->flow[0], RING / 2));
	ASSERT_EQ(0, send_flow(flows, self->flow[1], RING));
	ASSERT_EQ(0, tun_queue(flows->fd[1], IFF_DETACH_QUEUE));
	dropped = flows_dropped(flows);
	ASSERT_EQ(0, send_flow(flows, self->flow[0], SENT));
	EXPECT_GE(1, flows_dropped(flows) - dropped);
	EXPECT_LE(RING / 2 + SENT - 1,
		  flows_collect(flows, RING / 2 + SENT - 1));
}

/* What waits for a queue that comes back may fill its ring: the rest waits on. */
TEST_F(queues, filled_by_attach)
{
	struct flows *flows = &self->flows;
	int64_t dropped;

	ASSERT_EQ(0, tun_queue(flows->fd[1], IFF_DETACH_QUEUE));
	dropped = flows_dropped(flows);
	ASSERT_EQ(0, send_flow(flows, self->flow[1], 3 * RING));
	ASSERT_EQ(0, tun_queue(flows->fd[1], IFF_ATTACH_QUEUE));
	EXPECT_EQ(3 * RING, flows_collect(flows, 3 * RING));
	EXPECT_TRUE(flows->in_order);
	EXPECT_EQ(dropped, flows_dropped(flows));
}

/* All queues are stopped, and all go. */
TEST_F(queues, detach_all_stopped)
{
	struct flows *flows = &self->flows;
	int q;

	for (q = 0; q < 2; q++)
		ASSERT_EQ(0, send_flow(flows, self->flow[q], 3 * RING));
	for (q = 0; q < 2; q++)
		ASSERT_EQ(0, tun_queue(flows->fd[q], IFF_DETACH_QUEUE));
	for (q = 0; q < 2; q++)
		ASSERT_EQ(0, tun_queue(flows->fd[q], IFF_ATTACH_QUEUE));
	flows_collect(flows, 0);
	for (q = 0; q < 2; q++) {
		ASSERT_EQ(0, flows_write(flows, q, self->flow[q]));
		ASSERT_EQ(0, send_flow(flows, self->flow[q], 3 * RING));
		EXPECT_LE(3 * RING, flows_collect(flows, 3 * RING));
	}
}

TEST_F(queues, delete_stopped)
{
	struct flows *flows = &self->flows;

	ASSERT_EQ(0, send_flow(flows, self->flow[0], 3 * RING));
	EXPECT_EQ(0, link_delete(flows->index));
	EXPECT_EQ(-ENODEV, link_index("ours"));
}

TEST_HARNESS_MAIN
