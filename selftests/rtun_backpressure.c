// SPDX-License-Identifier: GPL-2.0-only
/*
 * Full queues that hold the stack back for programs that never asked for it:
 * by ethtool's private flag, which can change at any time, or by the module's
 * parameter; for no longer than a reader may take; and with no more waiting in the
 * ring than its reader takes in a set time.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <linux/if_link.h>
#include <linux/pkt_sched.h>
#include <linux/udp.h>

#include "flows.h"
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
#define ROOM		500	/* of a ring for which the limit matters */
#define LEAST		32	/* packets that may wait, however slow the reader */
#define LATE		16	/* places of packets that are cleared together */
#define STANDING	24	/* packets in the queueing discipline */
#define PACED		2000	/* packets, one each */
#define PACE_NS		300000
#define CUT		(LEAST + 10) /* pieces of so many bytes */
#define PIECE		100
#define LARGE		1000	/* bytes of data */
#define NETWORK		0xc6120000

static int open_sized(struct port *port, int flags, const char *qdisc,
		      int room)
{
	int err = port_open(port, "ours", flags, 1);

	if (!err)
		err = link_set_u32(port->index, IFLA_TXQLEN, room);
	if (!err)
		err = qdisc_set(port->index, TC_H_ROOT, HANDLE(1), qdisc,
				strcmp(qdisc, "pfifo") ? 0 : 1000);
	return err;
}

static int open_with(struct port *port, int flags, const char *qdisc)
{
	return open_sized(port, flags, qdisc, RING);
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

/* With more room than what waits may take. */
FIXTURE(limit)
{
	struct port port;
	int sent, read;
};

/* How many wait at least, and at most. */
FIXTURE_VARIANT(limit)
{
	const char *params;
	int slow[2];		/* while a reader is slow */
	int unknown[2];		/* when none was quick for long */
	int quick;		/* for one that is quick, at least */
};

FIXTURE_VARIANT_ADD(limit, default)
{
	.params = "backpressure=1",
	.slow = { 1, LEAST },
	.unknown = { 1, LEAST },
	.quick = 1,
};

/* Longer than any pause of the machine's while a ring is read. */
FIXTURE_VARIANT_ADD(limit, long_delay)
{
	.params = "backpressure=1 backpressure_delay=1000000",
	.slow = { 2 * LEAST, ROOM },
	.unknown = { 1, LEAST },
	.quick = ROOM - LATE,
};

FIXTURE_VARIANT_ADD(limit, any_time)
{
	.params = "backpressure=1 backpressure_delay=0",
	.slow = { ROOM / 2, ROOM },
	.unknown = { ROOM - LATE, ROOM },
	.quick = ROOM - LATE,
};

/* What waits in the queueing discipline is still the sender's. */
static int may_send_much(int sock)
{
	int buffer = 16 << 20;

	return setsockopt(sock, SOL_SOCKET, SO_SNDBUFFORCE, &buffer,
			  sizeof(buffer)) ? -errno : 0;
}

FIXTURE_SETUP(limit)
{
	int err = kmod_loaded() ? kmod_unload_when_idle() : 0;

	ASSERT_EQ(0, err);
	ASSERT_EQ(0, ns_enter());
	ASSERT_EQ(0, kmod_load_with(variant->params));
	ASSERT_EQ(0, open_sized(&self->port, TAP_NOPI, "pfifo", ROOM));
	ASSERT_EQ(0, may_send_much(self->port.sock));
}

FIXTURE_TEARDOWN(limit)
{
	port_close(&self->port);
	EXPECT_EQ(0, kmod_unload_when_idle());
	EXPECT_EQ(0, kmod_load());
}

#define SEND(count) do { \
	EXPECT_EQ(0, send_numbered(&self->port, self->sent, count)); \
	self->sent += (count); \
} while (0)

/* A packet each PAUSE milliseconds: with 1, the ring never has enough. */
#define READ(count, pause) do { \
	int last_ = self->read + (count); \
	\
	while (self->read < last_) { \
		ASSERT_EQ(0, port_read_numbered(&self->port, SIZE, \
						self->read++, 1)); \
		if (pause) \
			pause_ms(pause); \
	} \
} while (0)

/* How many wait in the ring: the queueing discipline drops none. */
#define IN_RING()	(self->sent - self->read - waiting(&self->port))

/* A reader is known by how quick it was; until then there is room for all. */
TEST_F_TIMEOUT(limit, slow_reader, 120)
{
	int n, most = 0;

	SEND(2 * ROOM);
	EXPECT_EQ(ROOM, IN_RING());
	READ(ROOM - LEAST / 2, 1);
	for (n = 0; n < 4 * LEAST; n++) {
		READ(1, 1);
		if (most < IN_RING())
			most = IN_RING();
	}
	printf("# %d waited at most\n", most);
	EXPECT_LE(variant->slow[0], most);
	EXPECT_GE(variant->slow[1], most);
	READ(self->sent - self->read, 0);
	EXPECT_EQ(0, waiting(&self->port));
	EXPECT_EQ(0, full_ring());
	EXPECT_EQ(0, port_counter(&self->port, tx_dropped));
}

/* The limit goes down when it was not reached for long, and up with use. */
TEST_F_TIMEOUT(limit, down_and_up, 120)
{
	int n;

	SEND(1);
	READ(1, 1100);
	SEND(1);
	READ(1, 0);
	SEND(ROOM);
	EXPECT_LE(variant->unknown[0], IN_RING());
	EXPECT_GE(variant->unknown[1], IN_RING());
	/* On a machine that is slow enough, a limit may be old at any time. */
	for (n = 0; n < 20 && IN_RING() < variant->quick; n++) {
		READ(ROOM, 0);
		SEND(ROOM);
	}
	printf("# %d wait after %d times\n", (int)IN_RING(), n);
	EXPECT_LE(variant->quick, IN_RING());
	READ(ROOM, 0);
	EXPECT_EQ(0, waiting(&self->port));
	EXPECT_EQ(0, full_ring());
}

/* Whatever the limit is, and however it changes, nobody waits for ever. */
TEST_F_TIMEOUT(limit, load, 240)
{
	struct sender sender = { 0 };
	struct port *port = &self->port;
	int64_t received = 0;

	ASSERT_EQ(0, sender_start(&sender, port, 4 * LOAD));
	while (!sender.done || waiting(port) > 0) {
		int n;

		for (n = 0; n < 100; n++) {
			if (wait_events(port->fd[0], POLLIN, 10) == POLLIN &&
			    read_ret(port->fd[0], port->in, PORT_ROOM) > 0)
				received++;
			if (n % 32 == 0)
				pause_ms(1);
		}
		received += drain(port);
	}
	sender_end(&sender);
	received += drain(port);
	EXPECT_EQ(4 * LOAD, received + sender.refused);
	EXPECT_EQ(0, waiting(port));
	EXPECT_EQ(0, full_ring());
	EXPECT_EQ(0, port_counter(port, tx_dropped));
}

/* The number of the next packet that comes. */
static int64_t read_number(int fd)
{
	uint8_t buf[2048];
	uint32_t number;
	ssize_t len;

	if (wait_events(fd, POLLIN, WAIT_MS) != POLLIN)
		return -ETIMEDOUT;
	len = read_ret(fd, buf, sizeof(buf));
	if (len < (ssize_t)sizeof(number))
		return len < 0 ? len : -EMSGSIZE;
	memcpy(&number, buf + len - sizeof(number), sizeof(number));
	return ntohl(number);
}

/*
 * What the limit is for: fq_codel lets another flow overtake one that waits. One of
 * several others at least is not taken for the same.
 */
TEST(overtakes)
{
	struct flows flows;
	int64_t number;
	int n, behind = 0;

	ASSERT_EQ(0, ns_enter());
	ASSERT_EQ(0, flows_open(&flows, IFF_TUN, 1));
	ASSERT_EQ(0, ethtool_set_private_flags("ours", 1));
	ASSERT_EQ(0, may_send_much(flows.sock));
	ASSERT_EQ(0, qdisc_set(flows.index, TC_H_ROOT, HANDLE(1), "fq_codel",
			       0));
	for (n = 0; n < 3 * ROOM; n++)
		ASSERT_EQ(0, flows_send(&flows, flow_nth(0), n));
	/* With them, the first flow uses up what fq_codel gives a new one. */
	for (n = 0; n < ROOM + 4 * LEAST; n++) {
		ASSERT_LE(0, read_number(flows.fd[0]));
		pause_ms(1);
	}
	for (n = 1; n <= 3; n++)
		ASSERT_EQ(0, flows_send(&flows, flow_nth(n), 3 * ROOM + n));
	while ((number = read_number(flows.fd[0])) >= 0 && number < 3 * ROOM)
		behind++;
	printf("# behind %d\n", behind);
	EXPECT_LT(3 * ROOM, number);
	/* And one that was on its way when the lane was stopped. */
	EXPECT_GE(LEAST + 1, behind);
	EXPECT_EQ(0, full_ring());
	flows_close(&flows);
}

/* A device with fq_codel whose reader has not been known for long. */
static int open_unknown(struct flows *flows)
{
	int err = flows_open(flows, IFF_TUN, 1), n;

	if (!err)
		err = ethtool_set_private_flags("ours", 1);
	if (!err)
		err = qdisc_set(flows->index, TC_H_ROOT, HANDLE(1), "fq_codel",
				0);
	for (n = 0; !err && n < 2; n++) {
		if (n)
			pause_ms(1100);
		err = flows_send(flows, flow_nth(0), n);
		if (!err && read_number(flows->fd[0]) != n)
			err = -EIO;
	}
	return err;
}

/* A socket to whom the device leads. */
static int udp_through(struct flows *flows)
{
	struct sockaddr_in to = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(NETWORK + 2),
		.sin_port = htons(9),
	};
	int sock, err = addr_add4(flows->index, NETWORK + 1, 24);

	if (err)
		return err;
	sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (sock < 0 || connect(sock, (struct sockaddr *)&to, sizeof(to)))
		return -errno;
	return sock;
}

static int send_large(int sock, uint32_t number)
{
	uint8_t data[LARGE] = { 0 };

	number = htonl(number);
	memcpy(data + LARGE - sizeof(number), &number, sizeof(number));
	return send(sock, data, LARGE, 0) == LARGE ? 0 : -errno;
}

/*
 * As many packets as TCP has ready wait in the queueing discipline all the time: no
 * standing queue for CoDel, since now and then it is empty.
 */
TEST(runs_empty)
{
	int64_t start, last, number;
	struct flows flows;
	int n, pace, sock;

	ASSERT_EQ(0, ns_enter());
	ASSERT_EQ(0, open_unknown(&flows));
	sock = udp_through(&flows);
	ASSERT_LE(0, sock);
	for (n = 0; n < LEAST + STANDING; n++)
		ASSERT_EQ(0, send_large(sock, n));
	start = last = now_ns();
	for (n = 0; (number = read_number(flows.fd[0])) == n && n < PACED; n++) {
		ASSERT_EQ(0, send_large(sock, n + LEAST + STANDING));
		while (now_ns() - last < PACE_NS)
			;
		last = now_ns();
	}
	pace = (last - start) / (n ?: 1) / 1000;
	printf("# %d packets, %d us each\n", n, pace);
	if (number != n && pace > PACE_NS / 1000 * 2)
		SKIP(return, "the machine is too slow");
	EXPECT_EQ(n, number);
	close(sock);
	flows_close(&flows);
}

/* The pieces of a packet that the stack cuts come together, however few may wait. */
TEST(cut)
{
	static const uint8_t data[CUT * PIECE];
	int n, size = PIECE, sock;
	struct flows flows;

	ASSERT_EQ(0, ns_enter());
	ASSERT_EQ(0, open_unknown(&flows));
	sock = udp_through(&flows);
	ASSERT_LE(0, sock);
	ASSERT_EQ(0, setsockopt(sock, IPPROTO_UDP, UDP_SEGMENT, &size,
				sizeof(size)));
	for (n = 0; n < 2; n++) {
		ASSERT_EQ(sizeof(data), send(sock, data, sizeof(data), 0));
		/* The last one stops the lane. */
		EXPECT_EQ(n, qdisc_length(flows.index, HANDLE(1)) > 0);
	}
	for (n = 0; n < 2 * CUT; n++)
		ASSERT_LE(0, read_number(flows.fd[0]));
	EXPECT_EQ(0, full_ring());
	close(sock);
	flows_close(&flows);
}

TEST_HARNESS_MAIN
