// SPDX-License-Identifier: GPL-2.0-only
/* Packets that come in by NAPI: IFF_NAPI, and IFF_NAPI_FRAGS. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>
#include <linux/if_ether.h>

#include "batch.h"
#include "port.h"
#include "rtnl.h"
#include "tun_test.h"
#include "harness.h"

#define SEGMENT		1000
#define SEGMENTS	48
#define MERGE_TRIES	50
#define ROUNDS		50

FIXTURE(napi)
{
	struct port port;
};

FIXTURE_VARIANT(napi)
{
	int flags;
};

FIXTURE_VARIANT_ADD(napi, tun)
{
	.flags = TUN_NOPI | IFF_MULTI_QUEUE | IFF_NAPI,
};

FIXTURE_VARIANT_ADD(napi, tap)
{
	.flags = TAP_NOPI | IFF_MULTI_QUEUE | IFF_NAPI,
};

FIXTURE_VARIANT_ADD(napi, frags)
{
	.flags = TAP_NOPI | IFF_MULTI_QUEUE | IFF_NAPI | IFF_NAPI_FRAGS,
};

FIXTURE_SETUP(napi)
{
	ASSERT_EQ(0, ns_enter());
	ASSERT_EQ(0, port_open(&self->port, "ours", variant->flags, 2));
}

FIXTURE_TEARDOWN(napi)
{
	port_close(&self->port);
}

TEST_F(napi, flags)
{
	unsigned int features = 0;
	int fd = self->port.fd[1];

	ASSERT_EQ(0, tun_ioctl_ptr(fd, TUNGETFEATURES, &features));
	EXPECT_EQ(IFF_NAPI | IFF_NAPI_FRAGS,
		  features & (IFF_NAPI | IFF_NAPI_FRAGS));
	EXPECT_EQ(variant->flags | IFF_NOFILTER, tun_get_flags(fd));
}

TEST_F(napi, delivers)
{
	static const size_t sizes[] = {
		20, 60, 128, 1500, 1514, 4096, 9000, 32768, 60000,
	};
	struct link_info info;
	uint64_t bytes = 0;
	int i;

	for (i = 0; i < 2 * ARRAY_SIZE(sizes); i++) {
		size_t len = sizes[i / 2];

		ASSERT_EQ(0, port_carries(&self->port, i % 2, len))
			TH_LOG("size %zu", len);
		bytes += len;
	}
	ASSERT_EQ(0, link_get(self->port.index, &info));
	EXPECT_EQ(i, info.stats.rx_packets);
	EXPECT_EQ(bytes, info.stats.rx_bytes);
	EXPECT_EQ(0, info.stats.rx_dropped);
}

TEST_F(napi, order_kept)
{
	int i;

	for (i = 0; i < 200; i++)
		ASSERT_EQ(60, port_write(&self->port, 0, 60, i));
	for (i = 0; i < 200; i++) {
		port_frame(&self->port, 60, i);
		ASSERT_EQ(0, port_came(&self->port, self->port.out, 60))
			TH_LOG("packet %d", i);
	}
}

/* The threads of the device's NAPI instances. */
static int count_threads(void)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	int n = 0;

	if (!proc)
		return -errno;
	while ((entry = readdir(proc))) {
		char path[300], comm[64];

		if (!isdigit(entry->d_name[0]))
			continue;
		snprintf(path, sizeof(path), "/proc/%s/comm", entry->d_name);
		if (read_file(path, comm, sizeof(comm)) > 0 &&
		    !strncmp(comm, "napi/ours-", 10))
			n++;
	}
	closedir(proc);
	return n;
}

/* That many, when threads that end have left /proc: how many else. */
static int napi_threads(int expected)
{
	int n;

	wait_until((n = count_threads()) == expected);
	return n;
}

/* An instance for each queue, and none that outlives its queue. */
TEST_F(napi, instances)
{
	int *fd = self->port.fd, n;

	EXPECT_EQ(0, napi_threads(0));
	ASSERT_EQ(0, netdev_set_attr("ours", "threaded", "1"));
	EXPECT_EQ(2, napi_threads(2));
	for (n = 0; n < 3; n++) {
		ASSERT_EQ(0, tun_queue(fd[1], IFF_DETACH_QUEUE));
		ASSERT_EQ(0, tun_queue(fd[1], IFF_ATTACH_QUEUE));
		EXPECT_EQ(2, napi_threads(2));
		ASSERT_EQ(0, tun_queue(fd[1], IFF_DETACH_QUEUE));
		close(fd[1]);
		EXPECT_EQ(1, napi_threads(1));
		fd[1] = tun_create("ours", variant->flags);
		ASSERT_LE(0, fd[1]);
		EXPECT_EQ(2, napi_threads(2));
	}
	close(fd[1]);
	EXPECT_EQ(1, napi_threads(1));
	/* Each queue has what it asked for. */
	fd[1] = tun_create("ours", variant->flags & ~(IFF_NAPI |
						      IFF_NAPI_FRAGS));
	ASSERT_LE(0, fd[1]);
	EXPECT_EQ(1, napi_threads(1));
	EXPECT_EQ(0, port_carries(&self->port, 1, 100));
	ASSERT_EQ(0, link_delete(self->port.index));
	EXPECT_EQ(0, napi_threads(0));
}

/* The first queue decides nothing for the next. */
TEST_F(napi, second_queue_only)
{
	struct port *port = &self->port;
	int plain = variant->flags & ~(IFF_NAPI | IFF_NAPI_FRAGS);

	port_close(port);
	ASSERT_EQ(0, port_open(port, "ours", plain, 1));
	port->fd[1] = tun_create("ours", variant->flags);
	ASSERT_LE(0, port->fd[1]);
	ASSERT_EQ(0, netdev_set_attr("ours", "threaded", "1"));
	EXPECT_EQ(1, napi_threads(1));
	EXPECT_EQ(0, port_carries(port, 0, 100));
	EXPECT_EQ(0, port_carries(port, 1, 100));
	/* What TUNGETIFF says is of the device. */
	EXPECT_EQ(plain | IFF_NOFILTER, tun_get_flags(port->fd[1]));
	ASSERT_EQ(0, tun_queue(port->fd[1], IFF_DETACH_QUEUE));
	ASSERT_EQ(0, tun_queue(port->fd[1], IFF_ATTACH_QUEUE));
	EXPECT_EQ(1, napi_threads(1));
	EXPECT_EQ(0, port_carries(port, 1, 100));
}

TEST_F(napi, threaded)
{
	int i;

	ASSERT_EQ(0, netdev_set_attr("ours", "threaded", "1"));
	for (i = 0; i < 50; i++)
		ASSERT_EQ(0, port_carries(&self->port, i % 2, 100 + i));
	ASSERT_EQ(0, netdev_set_attr("ours", "threaded", "0"));
	ASSERT_EQ(0, port_carries(&self->port, 0, 100));
}

/* A disabled queue has nowhere to put a packet. */
TEST_F(napi, disabled)
{
	struct port *port = &self->port;
	int n;

	for (n = 0; n < 4; n++) {
		ASSERT_EQ(0, tun_queue(port->fd[1], IFF_DETACH_QUEUE));
		EXPECT_EQ(-EBUSY, port_write(port, 1, 100, n));
		EXPECT_EQ(0, port_carries(port, 0, 100));
		ASSERT_EQ(0, tun_queue(port->fd[1], IFF_ATTACH_QUEUE));
		EXPECT_EQ(0, port_carries(port, 1, 100));
	}
}

/* Comes and goes with the device being down and up. */
TEST_F(napi, down_and_up)
{
	struct port *port = &self->port;

	ASSERT_EQ(0, port_up(port, false));
	EXPECT_EQ(-EIO, port_write(port, 0, 100, 1));
	ASSERT_EQ(0, port_up(port, true));
	EXPECT_EQ(0, port_carries(port, 0, 100));
}

/* NAPI is turned off and on while others put packets there. */
/*
 * The in-tree driver was seen to leave a packet socket with memory that it does
 * not have, and once to oops in napi_get_frags(), in this program: what follows
 * on that kernel proves nothing.
 */
static bool races_harm(int flags)
{
	return !tun_is_rtun() && (flags & IFF_NAPI_FRAGS);
}

TEST_F_TIMEOUT(napi, detach_race, 60)
{
	struct port_writer writer[2];
	struct link_info info;
	long n, written = 0;

	if (races_harm(variant->flags))
		SKIP(return, "the in-tree driver can harm the kernel here");
	ASSERT_EQ(0, port_writer_start(&writer[0], &self->port, 0,
					       100));
	ASSERT_EQ(0, port_writer_start(&writer[1], &self->port, 1,
					       100));
	for (n = 0; n < ROUNDS || !writer[0].written || !writer[1].written;
	     n++) {
		ASSERT_EQ(0, tun_queue(self->port.fd[n & 1],
				       IFF_DETACH_QUEUE));
		ASSERT_EQ(0, tun_queue(self->port.fd[n & 1],
				       IFF_ATTACH_QUEUE));
	}
	for (n = 0; n < 2; n++) {
		long done = port_writer_stop(&writer[n]);

		EXPECT_LT(0, done);
		written += done;
	}
	ASSERT_EQ(0, link_get(self->port.index, &info));
	EXPECT_EQ(written, info.stats.rx_packets);
}

TEST_F_TIMEOUT(napi, delete_race, 60)
{
	struct port_writer writer[2];
	long n;

	if (races_harm(variant->flags))
		SKIP(return, "the in-tree driver can harm the kernel here");
	for (n = 0; n < ROUNDS / 5; n++) {
		ASSERT_EQ(0, port_writer_start(&writer[0], &self->port, 0,
						       100));
		ASSERT_EQ(0, port_writer_start(&writer[1], &self->port, 1,
						       100));
		if (n & 1)
			ASSERT_EQ(0, tun_queue(self->port.fd[1],
					       IFF_DETACH_QUEUE));
		ASSERT_EQ(0, link_delete(self->port.index));
		EXPECT_LE(0, port_writer_stop(&writer[0]));
		EXPECT_LE(0, port_writer_stop(&writer[1]));
		port_close(&self->port);
		ASSERT_EQ(0, port_open(&self->port, "ours", variant->flags, 2));
	}
}

/* Segments of one connection are merged: bytes, and none out of place. */
FIXTURE(gro)
{
	struct port port;
	uint8_t data[SEGMENTS * SEGMENT];
};

FIXTURE_VARIANT(gro)
{
	int flags;
};

FIXTURE_VARIANT_ADD(gro, tun)
{
	.flags = TUN_NOPI | IFF_NAPI,
};

FIXTURE_VARIANT_ADD(gro, tap)
{
	.flags = TAP_NOPI | IFF_NAPI,
};

FIXTURE_SETUP(gro)
{
	ASSERT_EQ(0, ns_enter());
	ASSERT_EQ(0, port_open(&self->port, "ours", variant->flags, 1));
	packet_fill(self->data, sizeof(self->data), 1);
}

FIXTURE_TEARDOWN(gro)
{
	port_close(&self->port);
}

/* In port->out: how long it is. */
static size_t make_segment(struct port *port, int n, const uint8_t *data)
{
	size_t head = port_head(port);

	if (head)
		packet_eth(port->out, port->mac, port_peer, ETH_P_IP);
	return head + packet_tcp4(port->out + head, flow_nth(1),
				  1 + n * SEGMENT, data + n * SEGMENT, SEGMENT);
}

static int write_segment(struct port *port, int n, const uint8_t *data)
{
	size_t len = make_segment(port, n, data);

	return write_ret(port->fd[0], port->out, len) < 0 ? -EIO : 0;
}

/* In how many packets all segments came; an error if other bytes did. */
static int receive_segments(struct port *port, const uint8_t *data)
{
	size_t head = port_head(port) + 40, got = 0;
	int packets;

	for (packets = 0; got < SEGMENTS * SEGMENT; packets++) {
		ssize_t len = packet_recv(port->sock, port->in,
					  sizeof(port->in), NULL);

		if (len < 0)
			return len;
		len -= head;
		if (len <= 0 || len % SEGMENT ||
		    got + len > SEGMENTS * SEGMENT ||
		    memcmp(port->in + head, data + got, len))
			return -EBADMSG;
		got += len;
	}
	return packets;
}

static int64_t tick_ns(void)
{
	struct timespec res = {};

	clock_getres(CLOCK_MONOTONIC_COARSE, &res);
	return res.tv_sec * 1000000000ll + res.tv_nsec;
}

/*
 * They wait in the kernel, for a time that the administrator gives, for the next one to
 * join them; not beyond a tick of the clock, in which a busy machine may write but few.
 * So a packet comes of each tick that begins meanwhile, and one; the clock's hand can be
 * late at the start by another. But all go with a poll that finds nothing new, as there is
 * one when a packet comes while the context is polled: then it is tried again; and a
 * thread does that all the time, so that more may come of it.
 */
#define EXPECT_MERGED(more) do { \
	int64_t tick_ = tick_ns(), start_, most_; \
	int n_, tries_ = 0; \
	char wait_[24]; \
	\
	ASSERT_LT(0, tick_); \
	snprintf(wait_, sizeof(wait_), "%lld", 2 * (long long)tick_); \
	ASSERT_EQ(0, netdev_set_attr("ours", "gro_flush_timeout", wait_)); \
	do { \
		start_ = now_ns(); \
		for (n_ = 0; n_ < SEGMENTS; n_++) \
			ASSERT_EQ(0, write_segment(&self->port, n_, \
						   self->data)); \
		n_ = receive_segments(&self->port, self->data); \
		ASSERT_LT(0, n_); \
		most_ = (now_ns() - start_) / tick_ + 3 + (more); \
	} while (n_ > most_ && ++tries_ < MERGE_TRIES); \
	EXPECT_GE(most_, n_); \
} while (0)

TEST_F(gro, merges)
{
	EXPECT_MERGED(0);
}

TEST_F(gro, merges_threaded)
{
	ASSERT_EQ(0, netdev_set_attr("ours", "threaded", "1"));
	EXPECT_MERGED(SEGMENTS / 4);
}

TEST_F(gro, without_wait)
{
	int n;

	for (n = 0; n < SEGMENTS; n++)
		ASSERT_EQ(0, write_segment(&self->port, n, self->data));
	EXPECT_LT(0, receive_segments(&self->port, self->data));
}

/* What is held back for merging is not lost, and nobody waits for it. */
TEST_F(gro, close_while_held)
{
	int n, round;

	for (round = 0; round < 4; round++) {
		ASSERT_EQ(0, netdev_set_attr("ours", "gro_flush_timeout",
					     "1000000000"));
		for (n = 0; n < 4; n++)
			ASSERT_EQ(0, write_segment(&self->port, n, self->data));
		if (round & 1)
			ASSERT_EQ(0, link_delete(self->port.index));
		port_close(&self->port);
		EXPECT_EQ(-ENODEV, link_index("ours"));
		ASSERT_EQ(0, port_open(&self->port, "ours", variant->flags, 1));
	}
}

/* What is merged gives its bytes in the send buffer back, all of them. */
TEST_F(gro, send_buffer)
{
	int n, size = 1 << 16, fd = self->port.fd[0];
	static struct batch batch;

	if (!tun_is_rtun())
		SKIP(return, "the in-tree driver takes one packet at a time");
	for (n = 0; n < SEGMENTS; n++) {
		size_t len = make_segment(&self->port, n, self->data);

		ASSERT_NE(NULL, batch_put(&batch, self->port.out, len));
	}
	ASSERT_EQ(0, batch_set(fd, RTUN_BATCH_V1));
	ASSERT_EQ(0, tun_ioctl_ptr(fd, TUNSETSNDBUF, &size));
	for (n = 0; n < 10000 / SEGMENTS; n++) {
		ASSERT_EQ(POLLOUT, wait_events(fd, POLLOUT, WAIT_MS))
			TH_LOG("round %d", n);
		ASSERT_LT(0, batch_write(fd, &batch));
	}
}

/* The first buffer of a writev() is the packet's head, the others its pages. */
FIXTURE(frags)
{
	struct port port;
};

FIXTURE_SETUP(frags)
{
	ASSERT_EQ(0, ns_enter());
	ASSERT_EQ(0, port_open(&self->port, "ours", TAP_NOPI | IFF_NAPI |
			       IFF_NAPI_FRAGS, 1));
}

FIXTURE_TEARDOWN(frags)
{
	port_close(&self->port);
}

#define PIECES	64

/* Writes port->out in pieces of those lengths, up to one below 0. */
static ssize_t write_pieces(struct port *port, const int *len)
{
	struct iovec iov[PIECES];
	uint8_t *at = port->out;
	ssize_t ret;
	int n;

	for (n = 0; n < PIECES && len[n] >= 0; n++) {
		iov[n].iov_base = at;
		iov[n].iov_len = len[n];
		at += len[n];
	}
	ret = writev(port->fd[0], iov, n);
	return ret < 0 ? -errno : ret;
}

/* All buffers had the first one's length. */
TEST_F(frags, cve_2024_56372)
{
	static const int cases[][8] = {
		{ 60, -1 }, { 14, 1, -1 }, { 14, 100, -1 }, { 100, 14, -1 },
		{ 64, 1, 2, 3, 4, 5, -1 }, { 14, 4096, 4096, 4096, -1 },
		{ 1000, 4096, 1, 4095, 7, -1 }, { 4096, 60, 4096, 60, -1 },
		{ 9000, 4096, 10, -1 }, { 200, 300, 400, 500, 600, 700, -1 },
	};
	int i, n;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		size_t len = 0;

		for (n = 0; cases[i][n] >= 0; n++)
			len += cases[i][n];
		port_frame(&self->port, len, i);
		ASSERT_EQ(len, write_pieces(&self->port, cases[i]));
		ASSERT_EQ(0, port_came(&self->port, self->port.out, len))
			TH_LOG("case %d", i);
	}
}

/* What is refused is refused whole; the next packet is not its worse. */
TEST_F(frags, refused)
{
	static const struct {
		int err, len[8];
	} cases[] = {
		{ EINVAL, { 60, 0, 60, -1 } }, { EINVAL, { 60, 60, 0, -1 } },
		{ EINVAL, { 60, 4097, -1 } }, { EINVAL, { 60, 60, 8192, -1 } },
		{ EINVAL, { 13, -1 } }, { EINVAL, { 1, 2, 3, -1 } },
	};
	struct link_info info;
	int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		port_frame(&self->port, 9000, i);
		EXPECT_EQ(-cases[i].err,
			  write_pieces(&self->port, cases[i].len))
			TH_LOG("case %d", i);
		EXPECT_EQ(0, port_carries(&self->port, 0, 100 + i));
	}
	ASSERT_EQ(0, link_get(self->port.index, &info));
	EXPECT_EQ(i, info.stats.rx_packets);
}

TEST_F(frags, too_many_pieces)
{
	int len[PIECES + 1], n;

	for (n = 0; n <= PIECES; n++)
		len[n] = 20;
	port_frame(&self->port, 20 * PIECES, 1);
	EXPECT_EQ(-EMSGSIZE, write_pieces(&self->port, len));
	len[18] = -1;
	port_frame(&self->port, 20 * 18, 1);
	EXPECT_EQ(20 * 18, write_pieces(&self->port, len));
	EXPECT_EQ(0, port_came(&self->port, self->port.out, 20 * 18));
}

/* A packet longer than any. */
TEST_F(frags, cve_2023_3812)
{
	static const size_t sizes[] = { 65535, 65536, 66000, PORT_ROOM };
	int len[20], i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		EXPECT_EQ(-EMSGSIZE, port_write(&self->port, 0, sizes[i], i))
			TH_LOG("size %zu", sizes[i]);
	}
	/* In pieces, too. */
	len[0] = 1000;
	for (i = 1; i < 17; i++)
		len[i] = 4096;
	len[17] = -1;
	port_frame(&self->port, PORT_ROOM, 1);
	EXPECT_EQ(-EMSGSIZE, write_pieces(&self->port, len));
	EXPECT_EQ(0, port_carries(&self->port, 0, 60000));
}

/* What a packet that is not taken was put into. */
static void waste(struct port *port)
{
	int len[17], bad[17], n;

	for (n = 0; n < 16; n++)
		len[n] = bad[n] = n ? 4096 : 1000;
	len[16] = -1;
	bad[15] = 0;
	bad[16] = -1;
	for (n = 0; n < 1000; n++)
		write_pieces(port, n & 1 ? len : bad);
}

TEST_F(frags, cve_2022_49871)
{
	long before, after;

	port_frame(&self->port, PORT_ROOM, 1);
	ASSERT_EQ(0, port_up(&self->port, false));
	waste(&self->port);
	before = memory_kb();
	waste(&self->port);
	after = memory_kb();
	ASSERT_LT(0, before);
	/* It would be 60 MB. */
	EXPECT_GT(20000, before - after);
	ASSERT_EQ(0, port_up(&self->port, true));
	EXPECT_EQ(0, port_carries(&self->port, 0, 1000));
}

TEST_F(frags, bad_memory)
{
	uint8_t *bad = (uint8_t *)8;
	struct iovec iov[] = {
		{ self->port.out, 100 }, { self->port.out, 4096 }, { bad, 100 },
	};
	int n;

	port_frame(&self->port, 4096, 1);
	for (n = 0; n < 3; n++) {
		ASSERT_EQ(-1, writev(self->port.fd[0], iov, 3));
		EXPECT_EQ(EFAULT, errno);
		EXPECT_EQ(0, port_carries(&self->port, 0, 1000));
	}
}

/* The head that describes a packet may have a buffer of its own, or not. */
TEST_F(frags, packet_information)
{
	struct tun_pi pi = { .proto = htobe16(PROTO_TEST) };
	struct port *port = &self->port;
	int flags = IFF_TAP | IFF_NAPI | IFF_NAPI_FRAGS;
	uint8_t head[104];
	struct iovec alone[] = {
		{ &pi, 4 }, { port->out, 100 }, { port->out + 100, 900 },
	};
	struct iovec joined[] = { { head, 104 }, { port->out + 100, 900 } };

	port_close(port);
	ASSERT_EQ(0, port_open(port, "ours", flags, 1));
	port_frame(port, 1000, 1);
	ASSERT_EQ(1004, writev(port->fd[0], alone, 3));
	EXPECT_EQ(0, port_came(port, port->out, 1000));
	memcpy(head, &pi, 4);
	memcpy(head + 4, port->out, 100);
	ASSERT_EQ(1004, writev(port->fd[0], joined, 2));
	EXPECT_EQ(0, port_came(port, port->out, 1000));
}

TEST_F(frags, needs_napi_and_tap)
{
	static const int flags[] = {
		IFF_TAP | IFF_NAPI_FRAGS, IFF_TUN | IFF_NAPI_FRAGS,
		IFF_TUN | IFF_NAPI | IFF_NAPI_FRAGS,
		IFF_TAP | IFF_MULTI_QUEUE | IFF_NAPI_FRAGS,
	};
	int i;

	for (i = 0; i < ARRAY_SIZE(flags); i++)
		EXPECT_EQ(-EINVAL, tun_create("other", flags[i]))
			TH_LOG("flags %#x", flags[i]);
	EXPECT_EQ(-ENODEV, link_index("other"));
	EXPECT_EQ(-EINVAL, tun_create("ours", flags[0]));
	/* Before it is asked whether that exists. */
	EXPECT_EQ(-EINVAL, tun_create("ours", IFF_NAPI | IFF_NAPI_FRAGS |
					      IFF_TUN_EXCL));
}

/* The other direction has no part in it. */
TEST_F(frags, read)
{
	uint8_t in[200];

	port_frame(&self->port, 100, 1);
	ASSERT_EQ(100, packet_send(self->port.sock, self->port.index,
				   PROTO_TEST, self->port.out, 100));
	ASSERT_EQ(100, read_ret(self->port.fd[0], in, sizeof(in)));
	EXPECT_EQ(0, memcmp(in, self->port.out, 100));
}

TEST_HARNESS_MAIN
