// SPDX-License-Identifier: GPL-2.0-only
/*
 * What holds vhost-net back on a queue, and what becomes of the packets that it
 * has in its hands when the queue changes.
 */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <linux/if_ether.h>
#include <linux/pkt_sched.h>

#include "port.h"
#include "rtnl.h"
#include "tcx.h"
#include "tracefs.h"
#include "tun_test.h"
#include "vhost_dev.h"
#include "harness.h"

#define LEN		1000
#define SNDBUF		20000
#define MTU		1500
#define TURN		256	/* packets that vhost sends without a new look */
#define HANDLE(n)	((n) << 16)
/* As long as it takes to see that nothing happens. */
#define QUIET_MS	200

static void __attribute__((constructor)) require(void)
{
	vhost_require();
}

FIXTURE(limit)
{
	struct port port;
	struct vhost vhost;
};

FIXTURE_VARIANT(limit)
{
	int flags;
};

FIXTURE_VARIANT_ADD(limit, tap)
{
	.flags = TAP_NOPI,
};

FIXTURE_VARIANT_ADD(limit, tun)
{
	.flags = TUN_NOPI,
};

FIXTURE_SETUP(limit)
{
	ASSERT_EQ(0, ns_enter());
	ASSERT_EQ(0, vhost_open(&self->vhost, VHOST_V1 | VHOST_HDR));
}

FIXTURE_TEARDOWN(limit)
{
	vhost_close(&self->vhost);
	port_close(&self->port);
}

static int set_sndbuf(struct port *port, int value)
{
	return tun_ioctl_ptr(port->fd[0], TUNSETSNDBUF, &value);
}

static int queue_frame(struct vhost *vhost, struct port *port, size_t len,
		       unsigned int seed)
{
	port_frame(port, len, seed);
	return vhost_queue(vhost, port->out, len);
}

/* What the buffer takes in which one frame arrives, or a negative errno. */
static int buffer_of_frame(struct vhost *vhost, struct port *port,
			   struct tracefs *t)
{
	static char text[65536];
	const char *at;
	int err;

	err = tracefs_take(t, text, sizeof(text));
	if (err < 0)
		return err;
	err = queue_frame(vhost, port, LEN, 1);
	if (!err)
		err = vhost_kick(&vhost->tx);
	if (!err)
		err = vhost_flush(vhost);
	if (!err)
		err = port_came(port, port->out, LEN);
	if (!err)
		err = tracefs_take(t, text, sizeof(text));
	if (err < 0)
		return err;
	at = strstr(text, "dev=ours ");
	at = at ? strstr(at, "truesize=") : NULL;
	return at ? atoi(at + strlen("truesize=")) : -ENOENT;
}

/*
 * A limit that is far away changes nothing: the frame's buffer is the one that
 * vhost has made, and not another one that it was copied to.
 */
TEST_F(limit, batches_with_sndbuf)
{
	struct tracefs t;
	int without, with;

	if (variant->flags & IFF_TUN && !tun_is_rtun())
		SKIP(return, "the in-tree driver loses the packet: D4");
	ASSERT_EQ(0, port_open(&self->port, "ours", variant->flags, 1));
	ASSERT_EQ(0, tracefs_new(&t));
	ASSERT_EQ(0, tracefs_write(&t, "events/net/netif_receive_skb_entry/enable", "1"));
	ASSERT_EQ(0, tracefs_write(&t, "events/net/netif_receive_skb_list_entry/enable", "1"));
	ASSERT_EQ(0, vhost_set_backend(&self->vhost, self->port.fd[0]));
	without = buffer_of_frame(&self->vhost, &self->port, &t);
	EXPECT_LT(0, without);
	ASSERT_EQ(0, set_sndbuf(&self->port, 1 << 20));
	with = buffer_of_frame(&self->vhost, &self->port, &t);
	EXPECT_LT(0, with);
	tracefs_delete(&t);
	TH_LOG("%d bytes, with a limit %d", without, with);
	EXPECT_UNLESS_DEFECT("D10", without == with);
}

/* The guest sends all that it can: how much that was, or a negative errno. */
static int send_all(struct vhost *vhost, struct port *port, int max)
{
	int sent = 0, err;

	while (sent < max) {
		err = queue_frame(vhost, port, LEN, sent);
		if (!err) {
			sent++;
			continue;
		}
		if (err != -ENOSPC)
			return err;
		err = vhost_kick(&vhost->tx);
		if (err)
			return err;
		err = vhost_reclaim(vhost, QUIET_MS);
		if (err <= 0)
			return err ? err : sent;
	}
	return sent;
}

/* What the stack holds, comes back as room, and what was held back then goes. */
TEST_F(limit, sndbuf)
{
	struct port *port = &self->port;
	struct link_info info;
	int sink, sink_index, sock, redirect, sent;

	ASSERT_EQ(0, port_open(port, "ours", variant->flags, 1));
	sink = tun_create("sink", TUN_NOPI);
	ASSERT_LE(0, sink);
	sink_index = tun_index(sink);
	ASSERT_EQ(0, link_up(sink_index, true));
	/* The discipline's one burst is used up at once. */
	ASSERT_EQ(0, qdisc_add_slow(sink_index, MTU));
	sock = packet_socket(sink_index, 0);
	ASSERT_LE(0, sock);
	ASSERT_LT(0, packet_send(sock, sink_index, ETH_P_IP, port->out, MTU));
	/* Before the stack, which would let go of the sender's buffer. */
	redirect = tcx_redirect(port->index, sink_index);
	ASSERT_LE(0, redirect);
	ASSERT_EQ(0, set_sndbuf(port, SNDBUF));
	ASSERT_EQ(0, vhost_set_backend(&self->vhost, port->fd[0]));

	sent = send_all(&self->vhost, port, 8 * VQ_SIZE);
	/* Those that are in the virtqueue, and those that have left it. */
	EXPECT_LT(VQ_SIZE, sent);
	EXPECT_GE(VQ_SIZE + TURN + SNDBUF / LEN + 1, sent);
	ASSERT_EQ(0, link_get(port->index, &info));
	EXPECT_EQ(sent - VQ_SIZE, info.stats.rx_packets);
	EXPECT_EQ(0, info.stats.rx_dropped);

	ASSERT_EQ(0, qdisc_delete(sink_index));
	ASSERT_EQ(0, vhost_flush(&self->vhost));
	ASSERT_EQ(0, link_get(port->index, &info));
	EXPECT_EQ(sent, info.stats.rx_packets);
	EXPECT_EQ(0, info.stats.rx_dropped);
	close(redirect);
	close(sock);
	close(sink);
}

/* The next frame that the guest gets is that one. */
static bool guest_got(struct vhost *vhost, struct port *port, unsigned int seed)
{
	ssize_t got = vhost_recv(vhost, port->in, sizeof(port->in));

	port_frame(port, LEN, seed);
	return got == LEN && !memcmp(port->in, port->out, LEN);
}

static int send_in(struct port *port, unsigned int from, unsigned int count)
{
	int ret = 0;

	for (; count && ret >= 0; count--) {
		port_frame(port, LEN, from++);
		ret = packet_send(port->sock, port->index, PROTO_TEST,
				  port->out, LEN);
	}
	return ret < 0 ? ret : 0;
}

/* How many packets wait in a queue. */
static int read_all(struct port *port, int fd)
{
	int n = 0;

	while (read_ret(fd, port->in, sizeof(port->in)) >= 0)
		n++;
	return n;
}

/* While the guest has no room, packets wait in the ring, then in the qdisc. */
TEST_F_TIMEOUT(limit, backpressure, 120)
{
	struct port *port = &self->port;
	const int count = 500;
	struct link_info info;
	int n;

	if (!tun_has_feature(IFF_BACKPRESSURE))
		SKIP(return, "this kernel's driver has no IFF_BACKPRESSURE");
	ASSERT_EQ(0, port_open(port, "ours",
			       variant->flags | IFF_BACKPRESSURE, 1));
	ASSERT_EQ(0, link_set_u32(port->index, IFLA_TXQLEN, 100));
	ASSERT_EQ(0, qdisc_set(port->index, TC_H_ROOT, HANDLE(1), "pfifo",
			       count));
	ASSERT_EQ(0, vhost_set_backend(&self->vhost, port->fd[0]));
	ASSERT_EQ(0, send_in(port, 0, count));
	EXPECT_LT(0, qdisc_length(port->index, HANDLE(1)));
	ASSERT_EQ(0, vhost_fill(&self->vhost, 16));
	for (n = 0; n < count; n++) {
		ASSERT_TRUE(guest_got(&self->vhost, port, n))
			TH_LOG("frame %d", n);
	}
	ASSERT_EQ(0, link_get(port->index, &info));
	EXPECT_EQ(0, info.stats.tx_dropped);
	EXPECT_EQ(count, info.stats.tx_packets);
}

/* The packets that vhost gives back were sent by a device that is gone. */
TEST_F(limit, given_back_to_another_device)
{
	struct port *port = &self->port;
	int flags = variant->flags | IFF_MULTI_QUEUE;
	int index, other, n;

	ASSERT_EQ(0, port_open(port, "ours", flags, 1));
	ASSERT_EQ(0, vhost_set_backend(&self->vhost, port->fd[0]));
	/* It takes them, and has nowhere to put them. */
	ASSERT_EQ(0, send_in(port, 0, 40));
	ASSERT_EQ(0, link_delete(port->index));
	ASSERT_EQ(0, tun_set_iff(port->fd[0], "theirs", flags));
	other = tun_create("theirs", flags);
	ASSERT_LE(0, other);
	index = tun_index(port->fd[0]);
	ASSERT_EQ(0, link_up(index, true));
	ASSERT_EQ(0, vhost_set_backend(&self->vhost, -1));
	/* Those that are too many, those that go elsewhere, and the others. */
	ASSERT_EQ(0, link_set_u32(index, IFLA_TXQLEN, 10));
	ASSERT_EQ(0, tun_queue(port->fd[0], IFF_DETACH_QUEUE));
	ASSERT_EQ(0, tun_queue(port->fd[0], IFF_ATTACH_QUEUE));
	read_all(port, port->fd[0]);
	read_all(port, other);
	close(other);
	/* And it goes on. */
	port->index = index;
	close(port->sock);
	port->sock = packet_socket(index, ETH_P_ALL);
	ASSERT_LE(0, port->sock);
	ASSERT_EQ(0, vhost_set_backend(&self->vhost, port->fd[0]));
	ASSERT_EQ(0, vhost_fill(&self->vhost, 16));
	ASSERT_EQ(0, send_in(port, 0, 5));
	for (n = 0; n < 5; n++)
		EXPECT_TRUE(guest_got(&self->vhost, port, n));
}

/* Nobody reads what was given back to a detached queue that is closed. */
TEST_F(limit, given_back_and_closed)
{
	struct port *port = &self->port;
	struct link_info info;
	int read;

	ASSERT_EQ(0, port_open(port, "ours", variant->flags | IFF_MULTI_QUEUE,
			       2));
	ASSERT_EQ(0, tun_queue(port->fd[1], IFF_DETACH_QUEUE));
	ASSERT_EQ(0, send_in(port, 0, 40));
	ASSERT_EQ(0, vhost_fill(&self->vhost, 1));
	ASSERT_EQ(0, vhost_set_backend(&self->vhost, port->fd[0]));
	/* It has taken all of them, and the guest has room for two. */
	EXPECT_TRUE(guest_got(&self->vhost, port, 0));
	EXPECT_TRUE(guest_got(&self->vhost, port, 1));
	ASSERT_EQ(0, tun_queue(port->fd[1], IFF_ATTACH_QUEUE));
	ASSERT_EQ(0, tun_queue(port->fd[0], IFF_DETACH_QUEUE));
	ASSERT_EQ(0, vhost_set_backend(&self->vhost, -1));
	close(port->fd[0]);
	port->fd[0] = -1;
	read = read_all(port, port->fd[1]);
	ASSERT_EQ(0, link_get(port->index, &info));
	EXPECT_EQ(0, read);
	if (tun_is_rtun())
		EXPECT_EQ(40, info.stats.tx_packets + info.stats.tx_dropped);
}

TEST_HARNESS_MAIN
