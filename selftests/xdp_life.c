// SPDX-License-Identifier: GPL-2.0-only
/* XDP programs and frames while queues and devices come and go. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <linux/if_ether.h>

#include "xdp_dev.h"
#include "harness.h"

#define LEN		100
#define QUEUES		3
#define BURST		200
#define RING		4	/* packets that have room where it matters */
#define NOBODY		0x7ffffff0	/* no device has that index */
#define ERRORS		20000
#define LEAK_KB		4096	/* less than so many errors would leak */

FIXTURE(life)
{
	struct xdp_dev dev;
	int fd[QUEUES];
};

FIXTURE_SETUP(life)
{
	int i;

	ASSERT_EQ(0, ns_enter());
	ASSERT_EQ(0, xdp_open(&self->dev, "ours", TAP_NOPI | IFF_MULTI_QUEUE));
	self->fd[0] = self->dev.fd;
	for (i = 1; i < QUEUES; i++)
		self->fd[i] = -1;
}

FIXTURE_TEARDOWN(life)
{
	tun_close_all(self->fd + 1, QUEUES - 1);
	xdp_close(&self->dev);
}

static int attached(int index, struct link_info *info)
{
	int err = link_get(index, info);

	return err ? err : info->xdp_mode;
}

TEST_F(life, is_told)
{
	struct xdp_dev *dev = &self->dev;
	int prog = bpf_load_constant(BPF_PROG_TYPE_XDP, XDP_DROP);
	int id = bpf_id(prog), second, other;
	struct link_info info;

	ASSERT_LT(0, id);
	ASSERT_EQ(0, bpf_give_xdp(dev->index, prog));
	EXPECT_EQ(XDP_ATTACHED_DRV, attached(dev->index, &info));
	EXPECT_EQ(id, info.xdp_id);
	EXPECT_EQ(1, bpf_is_used(id));
	/* Another takes its place, and it is freed. */
	second = bpf_load_constant(BPF_PROG_TYPE_XDP, XDP_PASS);
	other = bpf_id(second);
	ASSERT_EQ(0, bpf_give_xdp(dev->index, second));
	EXPECT_EQ(0, bpf_wait_freed(id));
	ASSERT_EQ(XDP_ATTACHED_DRV, attached(dev->index, &info));
	EXPECT_EQ(other, info.xdp_id);
	ASSERT_EQ(0, bpf_remove_xdp(dev->index));
	EXPECT_EQ(0, bpf_wait_freed(other));
	EXPECT_EQ(XDP_ATTACHED_NONE, attached(dev->index, &info));
}

/* A bare packet has no link header for a program to look at. */
TEST_F(life, not_on_tun)
{
	int fd = tun_create("l3", TUN_NOPI);

	ASSERT_LE(0, fd);
	EXPECT_EQ(-EOPNOTSUPP, bpf_give_verdict(tun_index(fd), XDP_DROP));
	close(fd);
}

/* Gives the device a program that has run: its number. */
static int give_used(struct xdp_dev *dev)
{
	int prog = bpf_load_constant(BPF_PROG_TYPE_XDP, XDP_TX);
	int id = bpf_id(prog), err = bpf_give_xdp(dev->index, prog), i;

	for (i = 0; !err && i < 10; i++)
		err = xdp_send(dev, LEN, i);
	return err > 0 ? -EIO : err ?: id;
}

/* The program is the device's: it goes with it. */
TEST_F(life, close_with_program)
{
	struct xdp_dev *dev = &self->dev;
	int id = give_used(dev);

	ASSERT_LT(0, id);
	xdp_close(dev);
	ASSERT_EQ(0, link_wait_gone(dev->index));
	EXPECT_EQ(0, bpf_wait_freed(id));
}

TEST_F(life, delete_with_program)
{
	struct xdp_dev *dev = &self->dev;
	int id = give_used(dev);

	ASSERT_LT(0, id);
	ASSERT_EQ(0, link_delete(dev->index));
	EXPECT_EQ(0, bpf_wait_freed(id));
	EXPECT_EQ(-EBADFD, xdp_send(dev, LEN, 1));
	/* The file may be of another device then, which has none. */
	xdp_close(dev);
}

/* A device without a queue can have a program, which waits for one. */
TEST_F(life, before_the_queue)
{
	struct xdp_dev *dev = &self->dev;

	ASSERT_EQ(0, tun_ioctl(dev->fd, TUNSETPERSIST, 1));
	xdp_close(dev);
	ASSERT_EQ(0, bpf_give_verdict(dev->index, XDP_DROP));
	ASSERT_EQ(0, xdp_open(dev, "ours", TAP_NOPI | IFF_MULTI_QUEUE));
	ASSERT_EQ(0, xdp_send(dev, LEN, 1));
	EXPECT_TRUE(xdp_lost(dev));
	EXPECT_EQ(1, xdp_stats(dev).rx_dropped);
	self->fd[1] = tun_create("ours", TAP_NOPI | IFF_MULTI_QUEUE);
	ASSERT_LE(0, self->fd[1]);
	ASSERT_EQ(dev->hdr + LEN, write_ret(self->fd[1], dev->out, LEN));
	EXPECT_TRUE(xdp_lost(dev));
	EXPECT_EQ(2, xdp_stats(dev).rx_dropped);
	ASSERT_EQ(0, tun_ioctl(dev->fd, TUNSETPERSIST, 0));
}

/* The queue that a program is told of a packet that is written on one. */
static int queue_seen(struct xdp_dev *dev, int fd)
{
	uint32_t queue, index;
	size_t len = xdp_make(dev, LEN, 1);

	if (write_ret(fd, dev->out, len) != len)
		return -EPROTO;
	if (packet_recv(dev->sock, dev->in, sizeof(dev->in), NULL) != len)
		return -ENOMSG;
	memcpy(&queue, dev->in + XDP_STAMP_QUEUE, sizeof(queue));
	memcpy(&index, dev->in + XDP_STAMP_DEVICE, sizeof(index));
	return index == dev->index ? queue : -ENODEV;
}

/* Each of n queues has a number of its own, and none is too high. */
static bool queues_differ(struct xdp_dev *dev, const int *fd, int n)
{
	unsigned int seen = 0;
	int i, queue;

	for (i = 0; i < n; i++) {
		queue = queue_seen(dev, fd[i]);
		if (queue < 0 || queue >= n || seen & 1 << queue)
			return false;
		seen |= 1 << queue;
	}
	return true;
}

TEST_F(life, queue_index)
{
	struct xdp_dev *dev = &self->dev;
	int i;

	ASSERT_EQ(0, xdp_stamp(dev));
	EXPECT_EQ(0, queue_seen(dev, self->fd[0]));
	for (i = 1; i < QUEUES; i++) {
		self->fd[i] = tun_create("ours", TAP_NOPI | IFF_MULTI_QUEUE);
		ASSERT_LE(0, self->fd[i]);
		EXPECT_EQ(i, queue_seen(dev, self->fd[i]));
	}
	/* The last one goes and comes back, and then one that is not. */
	ASSERT_EQ(0, tun_queue(self->fd[QUEUES - 1], IFF_DETACH_QUEUE));
	EXPECT_TRUE(queues_differ(dev, self->fd, QUEUES - 1));
	ASSERT_EQ(0, tun_queue(self->fd[QUEUES - 1], IFF_ATTACH_QUEUE));
	EXPECT_EQ(QUEUES - 1, queue_seen(dev, self->fd[QUEUES - 1]));
	ASSERT_EQ(0, tun_queue(self->fd[0], IFF_DETACH_QUEUE));
	ASSERT_EQ(0, tun_queue(self->fd[0], IFF_ATTACH_QUEUE));
	EXPECT_TRUE(queues_differ(dev, self->fd, QUEUES));
	close(self->fd[1]);
	self->fd[1] = tun_create("ours", TAP_NOPI | IFF_MULTI_QUEUE);
	ASSERT_LE(0, self->fd[1]);
	EXPECT_TRUE(queues_differ(dev, self->fd, QUEUES));
	if (tun_is_rtun())
		for (i = 0; i < QUEUES; i++)
			EXPECT_EQ(i, queue_seen(dev, self->fd[i]));
}

/* A queue that is detached can be written to, and its program runs. */
TEST_F(life, detached_writes)
{
	struct xdp_dev *dev = &self->dev;

	self->fd[1] = tun_create("ours", TAP_NOPI | IFF_MULTI_QUEUE);
	ASSERT_LE(0, self->fd[1]);
	ASSERT_EQ(0, bpf_give_verdict(dev->index, XDP_TX));
	ASSERT_EQ(0, tun_queue(self->fd[1], IFF_DETACH_QUEUE));
	xdp_make(dev, LEN, 1);
	ASSERT_EQ(LEN, write_ret(self->fd[1], dev->out, LEN));
	EXPECT_TRUE(xdp_came_back(dev, dev->fd, dev, LEN));
	/* There is nobody to send to. */
	ASSERT_EQ(0, tun_queue(self->fd[0], IFF_DETACH_QUEUE));
	ASSERT_EQ(LEN, write_ret(self->fd[1], dev->out, LEN));
	EXPECT_EQ(1, xdp_stats(dev).rx_packets);
	EXPECT_EQ(1, xdp_stats(dev).rx_dropped);
}

/* Frames that wait are lost with the queue, not leaked. */
TEST_F(life, frames_wait)
{
	struct xdp_dev *dev = &self->dev;
	int i, round;

	ASSERT_EQ(0, bpf_give_verdict(dev->index, XDP_TX));
	self->fd[1] = tun_create("ours", TAP_NOPI | IFF_MULTI_QUEUE);
	ASSERT_LE(0, self->fd[1]);
	for (round = 0; round < 4; round++) {
		for (i = 0; i < 20; i++)
			ASSERT_EQ(0, xdp_send(dev, LEN, i));
		ASSERT_EQ(0, tun_queue(self->fd[round & 1], IFF_DETACH_QUEUE));
		ASSERT_EQ(0, tun_queue(self->fd[round & 1], IFF_ATTACH_QUEUE));
		ASSERT_EQ(0, link_set_u32(dev->index, IFLA_TXQLEN,
					  round & 1 ? 1000 : 7));
	}
	tun_close_all(self->fd + 1, 1);
}

/* The ring that frames are sent into. */
FIXTURE(ring)
{
	struct xdp_dev dev, to;
};

FIXTURE_SETUP(ring)
{
	ASSERT_EQ(0, ns_enter());
	ASSERT_EQ(0, xdp_open(&self->dev, "ours", TAP_NOPI));
	ASSERT_EQ(0, xdp_open(&self->to, "to", TAP_NOPI));
}

FIXTURE_TEARDOWN(ring)
{
	xdp_close(&self->dev);
	xdp_close(&self->to);
}

static int drain(struct xdp_dev *dev)
{
	int n = 0;

	while (xdp_read(dev, dev->fd) >= 0)
		n++;
	return n;
}

TEST_F(ring, tx_full)
{
	struct xdp_dev *dev = &self->dev;
	int i;

	ASSERT_EQ(0, link_set_u32(dev->index, IFLA_TXQLEN, RING));
	ASSERT_EQ(0, bpf_give_verdict(dev->index, XDP_TX));
	for (i = 0; i < RING + 3; i++)
		ASSERT_EQ(0, xdp_send(dev, LEN, i));
	EXPECT_EQ(3, xdp_stats(dev).tx_dropped);
	EXPECT_EQ(RING + 3, xdp_stats(dev).rx_packets);
	EXPECT_EQ(0, xdp_stats(dev).rx_dropped);
	EXPECT_EQ(RING, drain(dev));
	EXPECT_EQ(RING, xdp_stats(dev).tx_packets);
}

TEST_F(ring, redirect_full)
{
	struct xdp_dev *dev = &self->dev, *to = &self->to;
	int i;

	ASSERT_EQ(0, link_set_u32(to->index, IFLA_TXQLEN, RING));
	ASSERT_EQ(0, bpf_give_redirect(dev->index, to->index));
	for (i = 0; i < RING + 3; i++)
		ASSERT_EQ(0, xdp_send(dev, LEN, i));
	EXPECT_EQ(3, xdp_stats(to).tx_dropped);
	EXPECT_EQ(RING + 3, xdp_stats(dev).rx_packets);
	EXPECT_EQ(RING, drain(to));
	EXPECT_EQ(RING, xdp_stats(to).tx_packets);
}

/* Frames and the stack's packets are read in the order in which they came. */
TEST_F(ring, mixed)
{
	struct xdp_dev *dev = &self->dev, *to = &self->to;
	int i;

	ASSERT_EQ(0, bpf_give_redirect(dev->index, to->index));
	for (i = 0; i < 20; i++) {
		size_t len = xdp_make(dev, LEN + i, i);

		if (i & 1) {
			ASSERT_EQ(0, xdp_write(dev, len));
		} else {
			ASSERT_EQ(len, packet_send(to->sock, to->index,
						   PROTO_TEST, dev->out, len));
		}
	}
	for (i = 0; i < 20; i++) {
		size_t len = xdp_make(dev, LEN + i, i);

		EXPECT_TRUE(xdp_came_back(to, to->fd, dev, len));
	}
	EXPECT_EQ(20, xdp_stats(to).tx_packets);
}

TEST_F(ring, down)
{
	struct xdp_dev *dev = &self->dev, *to = &self->to;

	ASSERT_EQ(0, bpf_give_redirect(dev->index, to->index));
	ASSERT_EQ(0, link_up(to->index, false));
	ASSERT_EQ(0, xdp_send(dev, LEN, 1));
	EXPECT_EQ(1, xdp_stats(dev).rx_dropped);
	ASSERT_EQ(0, link_up(to->index, true));
	ASSERT_EQ(0, xdp_send(dev, LEN, 2));
	EXPECT_TRUE(xdp_came_back(to, to->fd, dev, LEN));
}

/* Nobody has the other device open. */
TEST_F(ring, nobody_reads)
{
	struct xdp_dev *dev = &self->dev, *to = &self->to;
	int i;

	ASSERT_EQ(0, tun_ioctl(to->fd, TUNSETPERSIST, 1));
	close(to->fd);
	ASSERT_EQ(0, bpf_give_redirect(dev->index, to->index));
	for (i = 0; i < 20; i++)
		ASSERT_EQ(0, xdp_send(dev, LEN, i));
	EXPECT_EQ(0, xdp_stats(to).tx_packets);
	to->fd = tun_create("to", TAP_NOPI);
	ASSERT_LE(0, to->fd);
	ASSERT_EQ(0, tun_ioctl(to->fd, TUNSETPERSIST, 0));
	EXPECT_EQ(-EAGAIN, xdp_read(to, to->fd));
	ASSERT_EQ(0, xdp_send(dev, LEN, 1));
	EXPECT_TRUE(xdp_came_back(to, to->fd, dev, LEN));
}

struct reader {
	struct xdp_dev *dev;
	atomic_int tid;
	int got;
	pthread_t thread;
};

static void *reader_main(void *arg)
{
	struct reader *reader = arg;

	reader->tid = syscall(SYS_gettid);
	reader->got = xdp_read(reader->dev, reader->dev->fd);
	return NULL;
}

/* A reader that sleeps is woken by a frame. */
TEST_F(ring, wakes_reader)
{
	struct xdp_dev *dev = &self->dev, *to = &self->to;
	struct reader reader = { .dev = to };

	ASSERT_EQ(0, bpf_give_redirect(dev->index, to->index));
	ASSERT_EQ(0, fcntl(to->fd, F_SETFL, 0));
	ASSERT_EQ(0, pthread_create(&reader.thread, NULL, reader_main,
				    &reader));
	ASSERT_TRUE(wait_until(reader.tid));
	ASSERT_EQ(0, wait_blocked(reader.tid, SYS_read));
	ASSERT_EQ(0, xdp_send(dev, LEN, 1));
	pthread_join(reader.thread, NULL);
	EXPECT_EQ(LEN, reader.got);
}

/* Many at once, by the program of another kind of device. */
TEST_F(ring, from_veth)
{
	struct xdp_dev *to = &self->to;
	struct xdp_dev veth = { .sock = -1 };
	int i, peer, n = 0;

	ASSERT_EQ(0, link_create_veth("veth", "peer"));
	veth.index = link_index("veth");
	peer = link_index("peer");
	ASSERT_EQ(0, link_up(veth.index, true));
	ASSERT_EQ(0, link_up(peer, true));
	ASSERT_EQ(0, bpf_give_redirect(veth.index, to->index));
	veth.sock = packet_socket(peer, 0);
	ASSERT_LE(0, veth.sock);
	for (i = 0; i < BURST; i++) {
		size_t len = xdp_make(&veth, LEN, i);

		ASSERT_EQ(len, packet_send(veth.sock, peer, PROTO_TEST,
					   veth.out, len));
	}
	for (i = 0; i < BURST; i++) {
		xdp_make(&veth, LEN, i);
		n += xdp_came_back(to, to->fd, &veth, LEN);
	}
	EXPECT_EQ(BURST, n);
	EXPECT_EQ(BURST, xdp_stats(to).tx_packets);
	EXPECT_EQ(0, xdp_stats(to).tx_dropped);
	close(veth.sock);
	ASSERT_EQ(0, link_delete(veth.index));
}

/* And the other way: what is written goes to one. */
TEST_F(ring, to_veth)
{
	struct xdp_dev *dev = &self->dev;
	int peer, index, sock, i;

	ASSERT_EQ(0, link_create_veth("veth", "peer"));
	index = link_index("veth");
	peer = link_index("peer");
	ASSERT_EQ(0, link_up(index, true));
	ASSERT_EQ(0, link_up(peer, true));
	/* It takes frames only while the other end has a program. */
	ASSERT_EQ(0, bpf_give_verdict(peer, XDP_PASS));
	ASSERT_EQ(0, bpf_give_redirect(dev->index, index));
	sock = packet_socket(peer, PROTO_TEST);
	ASSERT_LE(0, sock);
	for (i = 0; i < 20; i++) {
		ASSERT_EQ(0, xdp_send(dev, LEN, i));
		ASSERT_EQ(LEN, packet_recv(sock, dev->in, sizeof(dev->in),
					   NULL));
		EXPECT_EQ(0, memcmp(dev->in, xdp_frame(dev), LEN));
	}
	EXPECT_EQ(20, xdp_stats(dev).rx_packets);
	close(sock);
	ASSERT_EQ(0, link_delete(index));
}

/* A redirection that fails: the frame's page was freed twice, or not at all. */
TEST_F(ring, xdp_error_put_page)
{
	struct xdp_dev *dev = &self->dev;
	long before;
	int i;

	ASSERT_EQ(0, bpf_give_redirect(dev->index, NOBODY));
	before = memory_kb();
	for (i = 0; i < ERRORS; i++)
		ASSERT_EQ(0, xdp_send(dev, LEN, 1));
	EXPECT_GT(LEAK_KB, before - memory_kb());
	EXPECT_EQ(ERRORS, xdp_stats(dev).rx_dropped);
	/* What finds no room is another such case. */
	ASSERT_EQ(0, link_set_u32(dev->index, IFLA_TXQLEN, RING));
	ASSERT_EQ(0, bpf_give_verdict(dev->index, XDP_TX));
	before = memory_kb();
	for (i = 0; i < ERRORS; i++)
		ASSERT_EQ(0, xdp_send(dev, LEN, 1));
	EXPECT_GT(LEAK_KB, before - memory_kb());
	EXPECT_EQ(RING, drain(dev));
	ASSERT_EQ(0, bpf_remove_xdp(dev->index));
	ASSERT_EQ(0, xdp_send(dev, LEN, 1));
	EXPECT_TRUE(xdp_received(dev, LEN));
}

/* Programs come and go while a thread writes. */
struct writer {
	struct xdp_dev *dev;
	atomic_bool stop;
	long written;
	int error;
	pthread_t thread;
};

static void *writer_main(void *arg)
{
	struct writer *writer = arg;

	xdp_make(writer->dev, LEN, 1);
	while (!writer->stop) {
		int err = xdp_write(writer->dev, LEN);

		if (err)
			writer->error = err;
		else
			writer->written++;
	}
	return NULL;
}

TEST_F(ring, under_traffic)
{
	static const int verdicts[] = { XDP_DROP, XDP_PASS, XDP_ABORTED };
	struct writer writer = { .dev = &self->dev };
	int index = self->dev.index, i;
	struct rtnl_link_stats64 stats;
	long counted;

	ASSERT_EQ(0, pthread_create(&writer.thread, NULL, writer_main,
				    &writer));
	for (i = 0; i < 60; i++) {
		ASSERT_EQ(0, bpf_give_verdict(index, verdicts[i % 3]));
		if (i % 4 == 3)
			ASSERT_EQ(0, bpf_remove_xdp(index));
	}
	writer.stop = true;
	pthread_join(writer.thread, NULL);
	stats = xdp_stats(&self->dev);
	EXPECT_EQ(0, writer.error);
	EXPECT_LT(0, stats.rx_packets);
	EXPECT_LT(0, stats.rx_dropped);
	counted = stats.rx_packets + stats.rx_dropped;
	/* The in-tree driver may run a new program over a packet. */
	if (tun_is_rtun())
		EXPECT_EQ(writer.written, counted);
	EXPECT_GE(writer.written, counted);
}

/* A writer's device goes with its program in use. */
TEST_F(ring, delete_under_traffic)
{
	struct writer writer = { .dev = &self->dev };

	ASSERT_EQ(0, bpf_give_redirect(self->dev.index, self->to.index));
	ASSERT_EQ(0, pthread_create(&writer.thread, NULL, writer_main,
				    &writer));
	ASSERT_TRUE(wait_until(xdp_read(&self->to, self->to.fd) >= 0));
	ASSERT_EQ(0, link_delete(self->to.index));
	ASSERT_EQ(0, link_delete(self->dev.index));
	writer.stop = true;
	pthread_join(writer.thread, NULL);
	EXPECT_EQ(-EBADFD, xdp_write(&self->dev, LEN));
}

TEST_HARNESS_MAIN
