// SPDX-License-Identifier: GPL-2.0-only
/*
 * vhost-net that leaves the guest's frames where they are (experimental_zcopytx):
 * the guest gets a buffer back when nobody uses it any more, whatever happens to
 * the queue meanwhile.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <linux/if_ether.h>

#include "port.h"
#include "rtnl.h"
#include "tcx.h"
#include "tun_test.h"
#include "vhost_dev.h"
#include "harness.h"

#define LEN		1500
#define COPIED		128	/* bytes of a frame that are copied all the same */
#define SHORT		100	/* a frame that vhost has copied as a whole */
#define WAITING		32	/* frames: fewer than vhost leaves in place */
#define ROUNDS		10
#define MIXED		100	/* frames, one in ten of which is not copied */

static pid_t loader;

/* The module's parameter is read when it is loaded: others want the default. */
static void __attribute__((constructor)) require(void)
{
	vhost_require();
	if (system("rmmod vhost_net && modprobe vhost_net experimental_zcopytx=1")) {
		ksft_print_header();
		ksft_exit_skip("vhost_net can not be loaded anew\n");
	}
	loader = getpid();
}

static void __attribute__((destructor)) restore(void)
{
	if (getpid() == loader && system("rmmod vhost_net"))
		ksft_print_msg("vhost_net can not be unloaded\n");
}

/* What the guest sends leaves by another device, where it can be made to wait. */
FIXTURE(zerocopy)
{
	struct port port;
	struct vhost vhost;
	int sink, sink_index, redirect;
};

FIXTURE_SETUP(zerocopy)
{
	struct port *port = &self->port;

	ASSERT_EQ(0, ns_enter());
	ASSERT_EQ(0, port_open(port, "ours", TAP_NOPI | IFF_MULTI_QUEUE, 2));
	/* A packet socket would keep each until it is read. */
	close(port->sock);
	port->sock = -1;
	self->sink = tun_create("sink", TAP_NOPI);
	ASSERT_LE(0, self->sink);
	self->sink_index = tun_index(self->sink);
	ASSERT_EQ(0, link_up(self->sink_index, true));
	self->redirect = tcx_redirect(port->index, self->sink_index);
	ASSERT_LE(0, self->redirect);
	ASSERT_EQ(0, vhost_open(&self->vhost, VHOST_V1 | VHOST_HDR));
	ASSERT_EQ(0, vhost_set_backend(&self->vhost, port->fd[0]));
}

/*
 * vhost last, which waits for all who have a frame. vhost_net forgets to free
 * what it counts them with if it is closed with a backend.
 */
FIXTURE_TEARDOWN(zerocopy)
{
	close(self->redirect);
	close(self->sink);
	port_close(&self->port);
	EXPECT_EQ(0, vhost_set_backend(&self->vhost, -1));
	vhost_close(&self->vhost);
}

static int queue_frame(struct vhost *vhost, struct port *port, size_t len,
		       unsigned int seed)
{
	port_frame(port, len, seed);
	return vhost_queue(vhost, port->out, len);
}

/* Whether the guest has a buffer back. */
static bool is_back(struct vhost *vhost)
{
	return __atomic_load_n(&vhost->tx.ring.used->idx, __ATOMIC_ACQUIRE) !=
	       vhost->tx.taken;
}

/* Until the device has received so many. */
static int wait_received(struct port *port, int64_t count)
{
	int64_t got;

	wait_until((got = port_counter(port, rx_packets)) == count || got < 0);
	return got < 0 ? got : got == count ? 0 : -ETIMEDOUT;
}

/* The next one that the sink reads is that one. */
static int sink_got(int sink, struct port *port)
{
	int events = wait_events(sink, POLLIN, WAIT_MS);
	ssize_t got;

	if (events != POLLIN)
		return events < 0 ? events : -ETIMEDOUT;
	got = read_ret(sink, port->in, sizeof(port->in));
	if (got != LEN)
		return got < 0 ? (int)got : -EMSGSIZE;
	return memcmp(port->in, port->out, LEN) ? -EBADMSG : 0;
}

/* What the sink is sent waits in front of it: the discipline's burst is used up. */
static int slow_down(struct port *port, int sink, int sink_index)
{
	int sock = packet_socket(sink_index, 0), ret;

	port_frame(port, LEN, 0);
	ret = qdisc_add_slow(sink_index, LEN);
	if (!ret)
		ret = packet_send(sock, sink_index, PROTO_TEST, port->out, LEN);
	close(sock);
	return ret < 0 ? ret : sink_got(sink, port);
}

/* What waits goes, as soon as something comes behind it. */
static int hurry(struct port *port, int sink_index)
{
	int sock = packet_socket(sink_index, 0), ret;

	ret = qdisc_set_rate(sink_index, 1 << 30, 1 << 20);
	if (!ret)
		ret = packet_send(sock, sink_index, PROTO_TEST, port->out, LEN);
	close(sock);
	return ret < 0 ? ret : 0;
}

/* Frames wait in front of the sink, in the guest's memory. */
static int let_wait(struct vhost *vhost, struct port *port, int sink,
		    int sink_index)
{
	int n, err = slow_down(port, sink, sink_index);

	for (n = 0; n < WAITING && !err; n++)
		err = queue_frame(vhost, port, LEN, n);
	if (!err)
		err = vhost_kick(&vhost->tx);
	return err ? err : wait_received(port, WAITING);
}

TEST_F(zerocopy, frames_arrive)
{
	struct port *port = &self->port;
	int n, round;

	for (round = 0; round < ROUNDS; round++) {
		for (n = 0; n < WAITING; n++)
			ASSERT_EQ(0, queue_frame(&self->vhost, port, LEN, n));
		ASSERT_EQ(0, vhost_kick(&self->vhost.tx));
		ASSERT_EQ(0, vhost_flush(&self->vhost));
		for (n = 0; n < WAITING; n++) {
			port_frame(port, LEN, n);
			ASSERT_EQ(0, sink_got(self->sink, port));
		}
	}
	EXPECT_EQ(ROUNDS * WAITING, port_counter(port, rx_packets));
	EXPECT_EQ(0, port_counter(port, rx_dropped));
}

/* What the guest writes while a frame waits is what arrives. */
TEST_F(zerocopy, used_in_place)
{
	struct port *port = &self->port;
	uint8_t *frame = self->vhost.tx.room + self->vhost.hdr;

	ASSERT_EQ(0, slow_down(port, self->sink, self->sink_index));
	ASSERT_EQ(0, queue_frame(&self->vhost, port, LEN, 1));
	ASSERT_EQ(0, vhost_kick(&self->vhost.tx));
	ASSERT_EQ(0, wait_received(port, 1));
	EXPECT_FALSE(is_back(&self->vhost));
	memset(frame + COPIED, 0x5a, LEN - COPIED);
	memset(port->out + COPIED, 0x5a, LEN - COPIED);
	ASSERT_EQ(0, hurry(port, self->sink_index));
	EXPECT_EQ(0, sink_got(self->sink, port));
	EXPECT_EQ(0, vhost_flush(&self->vhost));
}

TEST_F(zerocopy, waiting)
{
	ASSERT_EQ(0, let_wait(&self->vhost, &self->port, self->sink,
			      self->sink_index));
	EXPECT_FALSE(is_back(&self->vhost));
	ASSERT_EQ(0, qdisc_delete(self->sink_index));
	EXPECT_EQ(0, vhost_flush(&self->vhost));
}

/* The queue changes; the buffers come back all the same, and it goes on. */
TEST_F(zerocopy, detached)
{
	struct port *port = &self->port;

	ASSERT_EQ(0, let_wait(&self->vhost, port, self->sink,
			      self->sink_index));
	ASSERT_EQ(0, tun_queue(port->fd[0], IFF_DETACH_QUEUE));
	EXPECT_FALSE(is_back(&self->vhost));
	ASSERT_EQ(0, qdisc_delete(self->sink_index));
	EXPECT_EQ(0, vhost_flush(&self->vhost));
	ASSERT_EQ(0, tun_queue(port->fd[0], IFF_ATTACH_QUEUE));
	ASSERT_EQ(0, queue_frame(&self->vhost, port, LEN, 1));
	ASSERT_EQ(0, vhost_kick(&self->vhost.tx));
	EXPECT_EQ(0, sink_got(self->sink, port));
	EXPECT_EQ(0, vhost_flush(&self->vhost));
}

TEST_F(zerocopy, device_deleted)
{
	struct port *port = &self->port;

	ASSERT_EQ(0, let_wait(&self->vhost, port, self->sink,
			      self->sink_index));
	ASSERT_EQ(0, link_delete(port->index));
	EXPECT_FALSE(is_back(&self->vhost));
	ASSERT_EQ(0, qdisc_delete(self->sink_index));
	EXPECT_EQ(0, vhost_flush(&self->vhost));
	/* What comes when there is no device comes back, too. */
	ASSERT_EQ(0, queue_frame(&self->vhost, port, LEN, 1));
	ASSERT_EQ(0, vhost_kick(&self->vhost.tx));
	EXPECT_EQ(0, vhost_flush(&self->vhost));
}

struct clearer {
	struct vhost *vhost;
	atomic_int tid;
	int err;
	pthread_t thread;
};

static void *clear_backend(void *arg)
{
	struct clearer *clearer = arg;

	clearer->tid = gettid();
	clearer->err = vhost_set_backend(clearer->vhost, -1);
	return NULL;
}

/* vhost waits for its buffers, then the queue's last file is closed. */
TEST_F(zerocopy, closed)
{
	struct port *port = &self->port;
	struct clearer clearer = { .vhost = &self->vhost };

	ASSERT_EQ(0, let_wait(&self->vhost, port, self->sink,
			      self->sink_index));
	close(port->fd[0]);
	port->fd[0] = -1;
	ASSERT_EQ(0, pthread_create(&clearer.thread, NULL, clear_backend,
				    &clearer));
	ASSERT_TRUE(wait_until(clearer.tid));
	EXPECT_EQ(0, wait_blocked_hard(clearer.tid, SYS_ioctl));
	EXPECT_FALSE(is_back(&self->vhost));
	ASSERT_EQ(0, qdisc_delete(self->sink_index));
	pthread_join(clearer.thread, NULL);
	EXPECT_EQ(0, clearer.err);
	EXPECT_EQ(0, vhost_flush(&self->vhost));
	EXPECT_LT(0, link_index("ours"));
	close(port->fd[1]);
	port->fd[1] = -1;
	EXPECT_GT(0, link_index("ours"));
}

static size_t mixed_len(int n)
{
	return n % 10 ? SHORT + n : LEN;
}

/*
 * vhost says that more follow (MSG_MORE), here for short frames, too. However many
 * ethtool says are to wait for them: none is lost, and each is in its place.
 */
TEST_F(zerocopy, rx_frames)
{
	static const unsigned int frames[] = { 0, 1, 7, 64 };
	struct port *port = &self->port;
	int i, n;

	/* A frame that is copied is done with before those that are not. */
	self->vhost.tx.any_order = true;
	close(self->redirect);
	self->redirect = -1;
	port->sock = packet_socket(port->index, ETH_P_ALL);
	ASSERT_LE(0, port->sock);
	for (i = 0; i < ARRAY_SIZE(frames); i++) {
		ASSERT_EQ(0, port_rx_frames(port, frames[i]));
		for (n = 0; n < MIXED; n++)
			ASSERT_EQ(0, queue_frame(&self->vhost, port,
						 mixed_len(n), n));
		ASSERT_EQ(0, vhost_kick(&self->vhost.tx));
		for (n = 0; n < MIXED; n++) {
			port_frame(port, mixed_len(n), n);
			ASSERT_EQ(0, port_came(port, port->out, mixed_len(n)))
				TH_LOG("rx-frames %u, frame %d", frames[i], n);
		}
		ASSERT_EQ(0, vhost_flush(&self->vhost));
	}
	EXPECT_EQ(MIXED * ARRAY_SIZE(frames), port_counter(port, rx_packets));
}

TEST_HARNESS_MAIN
