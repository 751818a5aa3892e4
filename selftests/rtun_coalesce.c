// SPDX-License-Identifier: GPL-2.0-only
/*
 * Packets that are sent with MSG_MORE: ethtool's rx-frames says how many of them
 * wait for those that follow. None is lost, none is stuck.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <linux/if_ether.h>

#include "batch.h"
#include "port.h"
#include "rtnl.h"
#include "tun_test.h"
#include "harness.h"

#define LEN	200
#define FRAMES	4

FIXTURE(coalesce)
{
	struct port port;
	int sock;
};

FIXTURE_VARIANT(coalesce)
{
	int flags;
};

FIXTURE_VARIANT_ADD(coalesce, tun)
{
	.flags = TUN_NOPI | IFF_MULTI_QUEUE,
};

FIXTURE_VARIANT_ADD(coalesce, tap)
{
	.flags = TAP_NOPI | IFF_MULTI_QUEUE,
};

FIXTURE_SETUP(coalesce)
{
	ASSERT_EQ(0, ns_enter());
	ASSERT_EQ(0, port_open(&self->port, "ours", variant->flags, 2));
	self->sock = tun_ioctl(self->port.fd[0], RTUN_SOCKET, O_CLOEXEC);
	ASSERT_LE(0, self->sock);
	ASSERT_EQ(0, port_rx_frames(&self->port, FRAMES));
}

FIXTURE_TEARDOWN(coalesce)
{
	close(self->sock);
	port_close(&self->port);
}

static int send_nth(struct port *port, int sock, unsigned int n, int flags)
{
	int ret;

	port_frame(port, LEN, n);
	ret = send(sock, port->out, LEN, flags | MSG_DONTWAIT);
	return ret < 0 ? -errno : ret;
}

/* Packets first to end - 1 come, in this order. */
static int all_came(struct port *port, unsigned int first, unsigned int end)
{
	int err = 0;

	for (; first < end && !err; first++) {
		port_frame(port, LEN, first);
		err = port_came(port, port->out, LEN);
	}
	return err;
}

/* They are handed up by who sends them: what has not come by now, waits. */
static bool nothing_comes(struct port *port)
{
	return recv(port->sock, port->in, sizeof(port->in), MSG_DONTWAIT) < 0 &&
	       errno == EAGAIN;
}

TEST_F(coalesce, goes_with_the_last)
{
	struct port *port = &self->port;
	int n;

	for (n = 0; n < 3; n++)
		ASSERT_EQ(LEN, send_nth(port, self->sock, n, MSG_MORE));
	EXPECT_TRUE(nothing_comes(port));
	ASSERT_EQ(LEN, send_nth(port, self->sock, 3, 0));
	EXPECT_EQ(0, all_came(port, 0, 4));
	EXPECT_TRUE(nothing_comes(port));
	EXPECT_EQ(4, port_counter(port, rx_packets));
	EXPECT_EQ(0, port_counter(port, rx_dropped));
}

/* One more than rx-frames takes all along. */
TEST_F(coalesce, no_more_than_rx_frames)
{
	struct port *port = &self->port;
	unsigned int frames, n, sent = 0;

	for (frames = 1; frames <= FRAMES; frames++) {
		ASSERT_EQ(0, port_rx_frames(port, frames));
		for (n = 0; n < frames; n++)
			ASSERT_EQ(LEN, send_nth(port, self->sock, sent + n,
						MSG_MORE));
		EXPECT_TRUE(nothing_comes(port));
		ASSERT_EQ(LEN, send_nth(port, self->sock, sent + n, MSG_MORE));
		EXPECT_EQ(0, all_came(port, sent, sent + frames + 1));
		sent += frames + 1;
	}
}

/* Zero, also when some wait already, and a number below theirs. */
TEST_F(coalesce, turned_down)
{
	struct port *port = &self->port;
	int n;

	for (n = 0; n < 3; n++)
		ASSERT_EQ(LEN, send_nth(port, self->sock, n, MSG_MORE));
	ASSERT_EQ(0, port_rx_frames(port, 1));
	ASSERT_EQ(LEN, send_nth(port, self->sock, 3, MSG_MORE));
	EXPECT_EQ(0, all_came(port, 0, 4));
	ASSERT_EQ(LEN, send_nth(port, self->sock, 4, MSG_MORE));
	EXPECT_TRUE(nothing_comes(port));
	ASSERT_EQ(0, port_rx_frames(port, 0));
	ASSERT_EQ(LEN, send_nth(port, self->sock, 5, MSG_MORE));
	EXPECT_EQ(0, all_came(port, 4, 6));
	ASSERT_EQ(LEN, send_nth(port, self->sock, 6, MSG_MORE));
	EXPECT_EQ(0, all_came(port, 6, 7));
}

/* Whatever is written on the queue next comes after them. */
TEST_F(coalesce, written_otherwise)
{
	struct port *port = &self->port;
	struct {
		struct rtun_frame frame;
		uint8_t packet[RTUN_FRAME_SIZE(LEN) - sizeof(struct rtun_frame)];
	} buf = { .frame = {
		.size = sizeof(buf), .len = LEN, .offset = sizeof(buf.frame),
	} };

	ASSERT_EQ(LEN, send_nth(port, self->sock, 0, MSG_MORE));
	EXPECT_EQ(LEN, port_write(port, 0, LEN, 1));
	EXPECT_EQ(0, all_came(port, 0, 2));
	ASSERT_EQ(0, batch_set(port->fd[0], RTUN_BATCH_V1));
	ASSERT_EQ(LEN, send_nth(port, self->sock, 2, MSG_MORE));
	port_frame(port, LEN, 3);
	memcpy(buf.packet, port->out, LEN);
	EXPECT_EQ(sizeof(buf), write_ret(port->fd[0], &buf, sizeof(buf)));
	EXPECT_EQ(0, all_came(port, 2, 4));
}

/* One that is refused lets those before it go. */
TEST_F(coalesce, refused)
{
	struct port *port = &self->port;

	ASSERT_EQ(LEN, send_nth(port, self->sock, 0, MSG_MORE));
	EXPECT_EQ(-1, send(self->sock, port->out, 0, MSG_MORE));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(0, all_came(port, 0, 1));
}

/* Those that wait do not keep their sender from the room that they take. */
TEST_F(coalesce, send_buffer)
{
	struct port *port = &self->port;
	int sndbuf = 1, n;

	ASSERT_EQ(0, tun_ioctl_ptr(port->fd[0], TUNSETSNDBUF, &sndbuf));
	for (n = 0; n < 20; n++)
		ASSERT_EQ(LEN, send_nth(port, self->sock, n, MSG_MORE));
	ASSERT_EQ(LEN, send_nth(port, self->sock, n, 0));
	EXPECT_EQ(0, all_came(port, 0, 21));
}

/* Nor from being told of it: who asks before each one is not left waiting. */
TEST_F(coalesce, poll)
{
	struct port *port = &self->port;
	int sndbuf = 16 << 10, n;

	ASSERT_EQ(0, port_rx_frames(port, 64));
	ASSERT_EQ(0, tun_ioctl_ptr(port->fd[0], TUNSETSNDBUF, &sndbuf));
	for (n = 0; n < 60; n++) {
		ASSERT_EQ(POLLOUT, wait_events(self->sock, POLLOUT, WAIT_MS))
			TH_LOG("packet %d", n);
		ASSERT_EQ(LEN, send_nth(port, self->sock, n, MSG_MORE));
	}
	ASSERT_EQ(LEN, send_nth(port, self->sock, n, 0));
	EXPECT_EQ(0, all_came(port, 0, 61));
}

TEST_F(coalesce, detached)
{
	struct port *port = &self->port;

	ASSERT_EQ(LEN, send_nth(port, self->sock, 0, MSG_MORE));
	ASSERT_EQ(LEN, send_nth(port, self->sock, 1, MSG_MORE));
	EXPECT_TRUE(nothing_comes(port));
	ASSERT_EQ(0, tun_queue(port->fd[0], IFF_DETACH_QUEUE));
	EXPECT_EQ(0, all_came(port, 0, 2));
	/* A detached queue holds none back. */
	ASSERT_EQ(LEN, send_nth(port, self->sock, 2, MSG_MORE));
	EXPECT_EQ(0, all_came(port, 2, 3));
	ASSERT_EQ(0, tun_queue(port->fd[0], IFF_ATTACH_QUEUE));
	ASSERT_EQ(LEN, send_nth(port, self->sock, 3, MSG_MORE));
	EXPECT_TRUE(nothing_comes(port));
	ASSERT_EQ(LEN, send_nth(port, self->sock, 4, 0));
	EXPECT_EQ(0, all_came(port, 3, 5));
	EXPECT_EQ(5, port_counter(port, rx_packets));
}

TEST_F(coalesce, closed)
{
	struct port *port = &self->port;

	ASSERT_EQ(LEN, send_nth(port, self->sock, 0, MSG_MORE));
	ASSERT_EQ(LEN, send_nth(port, self->sock, 1, MSG_MORE));
	close(self->sock);
	self->sock = -1;
	EXPECT_TRUE(nothing_comes(port));
	close(port->fd[0]);
	port->fd[0] = -1;
	EXPECT_EQ(0, all_came(port, 0, 2));
	EXPECT_EQ(2, port_counter(port, rx_packets));
}

/* The device goes, with what waits, and the queue is bound to another one. */
TEST_F(coalesce, deleted)
{
	struct port *port = &self->port;
	int refs = tun_module_refs(), n;

	for (n = 0; n < 3; n++)
		ASSERT_EQ(LEN, send_nth(port, self->sock, n, MSG_MORE));
	ASSERT_EQ(0, link_delete(port->index));
	EXPECT_EQ(-EBADFD, send_nth(port, self->sock, 3, MSG_MORE));
	close(port->sock);
	tun_close_all(port->fd + 1, 1);
	ASSERT_EQ(0, tun_set_iff(self->sock, "again", variant->flags));
	port->index = tun_index(self->sock);
	ASSERT_EQ(0, link_up(port->index, true));
	port->sock = packet_socket(port->index, ETH_P_ALL);
	ASSERT_LE(0, port->sock);
	ASSERT_EQ(LEN, send_nth(port, self->sock, 4, 0));
	EXPECT_EQ(0, all_came(port, 4, 5));
	EXPECT_TRUE(nothing_comes(port));
	EXPECT_GE(refs, tun_module_refs());
}

TEST_HARNESS_MAIN
