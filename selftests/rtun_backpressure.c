// SPDX-License-Identifier: GPL-2.0-only
/*
 * Full queues that hold the stack back for programs that never asked for it:
 * by ethtool's private flag, which can change at any time, or by the module's
 * parameter; and for no longer than a reader may take.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <linux/if_link.h>
#include <linux/pkt_sched.h>

#include "kmod.h"
#include "port.h"
#include "qstats.h"
#include "rtnl.h"
#include "harness.h"

#define RING		10
#define SENT		100
#define HANDLE(n)	((n) << 16)
#define SIZE		100
#define LOAD		5000
#define CHANGES		10
#define STALL_MS	1000

static int open_with(struct port *port, int flags, const char *qdisc)
{
	int err = port_open(port, "ours", flags, 1);

	if (!err)
		err = link_set_u32(port->index, IFLA_TXQLEN, RING);
	if (!err)
		err = qdisc_set(port->index, TC_H_ROOT, HANDLE(1), qdisc,
				strcmp(qdisc, "pfifo") ? 0 : 1000);
	return err;
}

static int send_numbered(struct port *port, int from, int count)
{
	int n, err = 0;

	for (n = from; n < from + count; n++) {
		port_frame(port, SIZE, n);
		if (packet_send(port->sock, port->index, PROTO_TEST, port->out,
				SIZE) != SIZE)
			err = -ENOBUFS;
	}
	return err;
}

static int drain(struct port *port)
{
	int n = 0;

	while (wait_events(port->fd[0], POLLIN, 0) == POLLIN &&
	       read_ret(port->fd[0], port->in, PORT_ROOM) > 0)
		n++;
	return n;
}

static int64_t full_ring(void)
{
	return ethtool_stat("ours", "tx_drop_full_ring");
}

static int64_t waiting(struct port *port)
{
	return qdisc_length(port->index, HANDLE(1));
}

/* Until nothing waits in the queueing discipline: how long that took. */
static int64_t wait_let_go(struct port *port)
{
	int64_t start = now_ms();

	return wait_until(!waiting(port)) ? now_ms() - start : -ETIMEDOUT;
}

/* Sends and never gives up, with little room for what waits. */
struct sender {
	struct port *port;
	int sock, count, refused;
	atomic_bool done;
	pthread_t thread;
};

static void *sender_main(void *arg)
{
	struct sender *sender = arg;
	uint8_t frame[SIZE];
	uint32_t n;
	int ret;

	memcpy(frame, sender->port->out, sizeof(frame));
	for (n = 0; n < sender->count; n++) {
		memcpy(frame + SIZE - sizeof(n), &n, sizeof(n));
		while ((ret = packet_send(sender->sock, sender->port->index,
					  PROTO_TEST, frame, SIZE)) == -EAGAIN)
			wait_events(sender->sock, POLLOUT, WAIT_MS);
		if (ret != SIZE)
			sender->refused++;
	}
	sender->done = true;
	return NULL;
}

static int sender_start(struct sender *sender, struct port *port, int count)
{
	int buffer = 16 << 10;

	sender->port = port;
	sender->count = count;
	sender->done = false;
	sender->sock = packet_socket(port->index, 0);
	if (setsockopt(sender->sock, SOL_SOCKET, SO_SNDBUF, &buffer,
		       sizeof(buffer)))
		return -errno;
	port_frame(port, SIZE, 1);
	return -pthread_create(&sender->thread, NULL, sender_main, sender);
}

static void sender_end(struct sender *sender)
{
	pthread_join(sender->thread, NULL);
	close(sender->sock);
}

/* Reads while anything is sent, or waits. */
static int64_t read_until_done(struct port *port, struct sender *sender)
{
	int64_t received = 0;

	while (!sender->done || waiting(port) > 0) {
		if (wait_events(port->fd[0], POLLIN, 10) == POLLIN)
			received += drain(port);
	}
	return received;
}

FIXTURE(flag)
{
	struct port port;
};

FIXTURE_VARIANT(flag)
{
	int flags;
	const char *qdisc;
};

FIXTURE_VARIANT_ADD(flag, tun_pfifo)
{
	.flags = TUN_NOPI,
	.qdisc = "pfifo",
};

FIXTURE_VARIANT_ADD(flag, tap_pfifo_fast)
{
	.flags = TAP_NOPI,
	.qdisc = "pfifo_fast",
};

FIXTURE_VARIANT_ADD(flag, tap_fq_codel)
{
	.flags = TAP_NOPI,
	.qdisc = "fq_codel",
};

FIXTURE_SETUP(flag)
{
	ASSERT_EQ(0, ns_enter());
	ASSERT_EQ(0, open_with(&self->port, variant->flags, variant->qdisc));
	ASSERT_EQ(0, ethtool_private_flags("ours"));
	ASSERT_EQ(0, ethtool_set_private_flags("ours", 1));
	ASSERT_EQ(1, ethtool_private_flags("ours"));
}

FIXTURE_TEARDOWN(flag)
{
	port_close(&self->port);
}

/* A program that did not ask is not told, either. */
TEST_F(flag, not_shown_to_programs)
{
	EXPECT_EQ(0, tun_get_flags(self->port.fd[0]) & IFF_BACKPRESSURE);
}

TEST_F(flag, waits)
{
	struct port *port = &self->port;

	ASSERT_EQ(0, send_numbered(port, 0, 2 * RING));
	EXPECT_EQ(RING, waiting(port));
	EXPECT_EQ(0, full_ring());
	EXPECT_EQ(0, port_read_numbered(port, SIZE, 0, 2 * RING));
	EXPECT_EQ(0, port_counter(port, tx_dropped));
	EXPECT_LT(0, ethtool_stat("ours", "tx0_stop"));
	EXPECT_EQ(ethtool_stat("ours", "tx0_stop"),
		  ethtool_stat("ours", "tx0_wake"));
}

/* What the queueing discipline drops or refuses is its own affair. */
TEST_F_TIMEOUT(flag, load, 240)
{
	bool may_drop = !strcmp(variant->qdisc, "fq_codel");
	struct sender sender = { 0 };
	struct port *port = &self->port;
	int64_t received;

	ASSERT_EQ(0, sender_start(&sender, port, LOAD));
	received = read_until_done(port, &sender);
	sender_end(&sender);
	received += drain(port);
	if (!may_drop)
		EXPECT_EQ(LOAD, received + sender.refused);
	EXPECT_LT(0, received);
	EXPECT_EQ(0, waiting(port));
	EXPECT_EQ(0, full_ring());
	EXPECT_EQ(0, port_counter(port, tx_dropped));
	EXPECT_LT(0, ethtool_stat("ours", "tx0_stop"));
}

/* Off: what waits goes on at once, and finds the ring full. */
TEST_F(flag, off)
{
	struct port *port = &self->port;

	ASSERT_EQ(0, send_numbered(port, 0, 2 * RING));
	ASSERT_EQ(RING, waiting(port));
	ASSERT_EQ(0, ethtool_set_private_flags("ours", 0));
	EXPECT_EQ(0, ethtool_private_flags("ours"));
	EXPECT_LE(0, wait_let_go(port));
	EXPECT_EQ(RING, full_ring());
	send_numbered(port, 0, 1);
	EXPECT_EQ(RING + 1, full_ring());
	EXPECT_EQ(0, port_read_numbered(port, SIZE, 0, RING));
	ASSERT_EQ(0, ethtool_set_private_flags("ours", 1));
	ASSERT_EQ(0, send_numbered(port, 0, 2 * RING));
	EXPECT_EQ(RING + 1, full_ring());
	EXPECT_EQ(0, port_read_numbered(port, SIZE, 0, 2 * RING));
}

struct toggler {
	atomic_long times;
	int error;
	atomic_bool stop;
	pthread_t thread;
};

static void *toggler_main(void *arg)
{
	struct toggler *toggler = arg;
	int err;

	while (!toggler->stop) {
		err = ethtool_set_private_flags("ours", toggler->times & 1);
		if (err)
			toggler->error = err;
		toggler->times++;
	}
	return NULL;
}

/* However often it changes, no packet stays behind, and none goes unseen. */
TEST_F_TIMEOUT(flag, toggled, 240)
{
	struct toggler toggler = { 0 };
	struct sender sender = { 0 };
	struct port *port = &self->port;
	int64_t sent = 0, received = 0;

	if (!strcmp(variant->qdisc, "fq_codel"))
		SKIP(return, "which drops packets of its own");
	ASSERT_EQ(0, -pthread_create(&toggler.thread, NULL, toggler_main,
				     &toggler));
	/* A change takes a grace period, which can be longer than a load. */
	for (; toggler.times <= CHANGES; sent += LOAD) {
		ASSERT_EQ(0, sender_start(&sender, port, LOAD));
		received += read_until_done(port, &sender);
		sender_end(&sender);
	}
	toggler.stop = true;
	pthread_join(toggler.thread, NULL);
	received += drain(port);
	printf("# changed %ld times, %ld read, %ld dropped\n", toggler.times,
	       (long)received, (long)full_ring());
	EXPECT_EQ(0, toggler.error);
	EXPECT_EQ(sent, received + full_ring() + sender.refused);
	EXPECT_EQ(0, waiting(port));
}

/* The administrator's word outlives the program, and is the last. */
TEST_F(flag, persistent)
{
	struct port *port = &self->port;

	ASSERT_EQ(0, tun_ioctl(port->fd[0], TUNSETPERSIST, 1));
	port_close(port);
	ASSERT_EQ(0, open_with(port, variant->flags, variant->qdisc));
	EXPECT_EQ(1, ethtool_private_flags("ours"));
	ASSERT_EQ(0, link_wait(port->index, link_is_running, true));
	ASSERT_EQ(0, send_numbered(port, 0, 2 * RING));
	EXPECT_EQ(RING, waiting(port));
	ASSERT_EQ(0, ethtool_set_private_flags("ours", 0));
	port_close(port);
	ASSERT_EQ(0, open_with(port, variant->flags | IFF_BACKPRESSURE,
			       variant->qdisc));
	EXPECT_EQ(0, ethtool_private_flags("ours"));
	EXPECT_EQ(IFF_BACKPRESSURE,
		  tun_get_flags(port->fd[0]) & IFF_BACKPRESSURE);
	EXPECT_EQ(0, tun_ioctl(port->fd[0], TUNSETPERSIST, 0));
}

/* With a bound that a test can wait for. */
FIXTURE(stall)
{
	struct port port;
};

FIXTURE_SETUP(stall)
{
	int err = kmod_loaded() ? kmod_unload_when_idle() : 0;

	ASSERT_EQ(0, err);
	ASSERT_EQ(0, ns_enter());
	ASSERT_EQ(0, kmod_load_with("backpressure=1 backpressure_stall=1000"));
	ASSERT_EQ(0, open_with(&self->port, TAP_NOPI, "pfifo"));
	ASSERT_EQ(1, ethtool_private_flags("ours"));
}

/* The other tests want it loaded, as it was. */
FIXTURE_TEARDOWN(stall)
{
	port_close(&self->port);
	EXPECT_EQ(0, kmod_unload_when_idle());
	EXPECT_EQ(0, kmod_load());
}

TEST_F(stall, ends)
{
	struct port *port = &self->port;
	int64_t took;

	ASSERT_EQ(0, send_numbered(port, 0, SENT));
	EXPECT_EQ(SENT - RING, waiting(port));
	took = wait_let_go(port);
	printf("# let go after %ld ms\n", (long)took);
	EXPECT_LE(STALL_MS / 2, took);
	EXPECT_EQ(SENT - RING, full_ring());
	/* And nobody waits while it does not read. */
	send_numbered(port, 0, RING);
	EXPECT_EQ(0, waiting(port));
	EXPECT_EQ(SENT, full_ring());
	/* But as soon as it does. */
	ASSERT_EQ(0, port_read_numbered(port, SIZE, 0, 1));
	ASSERT_EQ(0, send_numbered(port, SENT, RING));
	EXPECT_EQ(RING - 1, waiting(port));
	EXPECT_EQ(SENT, full_ring());
	EXPECT_EQ(0, port_read_numbered(port, SIZE, 1, RING - 1));
	EXPECT_EQ(0, port_read_numbered(port, SIZE, SENT, RING));
	EXPECT_EQ(SENT, full_ring());
}

/* A sender whose buffer waits in the queueing discipline is not kept. */
TEST_F(stall, sender)
{
	struct sender sender = { 0 };
	struct port *port = &self->port;
	int64_t start = now_ms();

	ASSERT_EQ(0, sender_start(&sender, port, 10 * SENT));
	sender_end(&sender);
	EXPECT_LE(STALL_MS / 2, now_ms() - start);
	EXPECT_LE(0, wait_let_go(port));
	EXPECT_EQ(10 * SENT - RING, full_ring() + sender.refused);
	EXPECT_EQ(RING, drain(port));
}

/* Who reads slowly is waited for. */
TEST_F(stall, slow_reader)
{
	struct port *port = &self->port;
	int n;

	ASSERT_EQ(0, send_numbered(port, 0, SENT));
	for (n = 0; n < 8; n++) {
		ASSERT_EQ(0, port_read_numbered(port, SIZE, n, 1));
		pause_ms(STALL_MS * 2 / 5);
	}
	EXPECT_LT(0, waiting(port));
	EXPECT_EQ(0, full_ring());
	EXPECT_EQ(0, port_read_numbered(port, SIZE, n, SENT - n));
	EXPECT_EQ(0, full_ring());
}

/* The device goes while its timer runs. */
TEST_F(stall, deleted)
{
	struct port *port = &self->port;

	ASSERT_EQ(0, send_numbered(port, 0, SENT));
	EXPECT_EQ(0, link_delete(port->index));
	EXPECT_EQ(-EBADFD, read_ret(port->fd[0], port->in, PORT_ROOM));
}

TEST_HARNESS_MAIN
