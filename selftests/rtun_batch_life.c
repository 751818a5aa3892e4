// SPDX-License-Identifier: GPL-2.0-only
/* Batches, and what happens to a queue or its reader in the midst of them. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <linux/if_ether.h>
#include <linux/pkt_sched.h>

#include "batch.h"
#include "flows.h"
#include "rtnl.h"
#include "tcx.h"
#include "tun_test.h"
#include "uring.h"
#include "harness.h"

#define LEN	500
#define MTU	1500
#define RING	100

static void make_blocking(int fd)
{
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
}

/* A thread in one call, and what that says. */
struct call {
	int fd;
	bool write;
	struct batch *batch;
	size_t room;
	atomic_int tid;
	int ret;
	pthread_t thread;
};

static void *call_main(void *arg)
{
	struct call *call = arg;

	call->tid = syscall(SYS_gettid);
	call->ret = call->write ? batch_write(call->fd, call->batch) :
				  batch_read(call->fd, call->batch, call->room);
	return NULL;
}

/* Returns when the call sleeps. */
static int call_start(struct call *call)
{
	int err = -pthread_create(&call->thread, NULL, call_main, call);

	while (!err && !call->tid)
		sched_yield();
	return err ? err : wait_blocked(call->tid, call->write ? SYS_write :
							     SYS_read);
}

static int call_end(struct call *call)
{
	pthread_join(call->thread, NULL);
	return call->ret;
}

static int count_frames(struct batch *batch)
{
	struct rtun_frame frame;
	uint8_t *packet;
	int err, n = 0;

	while (!(err = batch_next(batch, &frame, &packet)))
		n++;
	return err == -ENODATA ? n : err;
}

#define SELF	FIXTURE_DATA(life)

FIXTURE(life)
{
	int fd, index, sock;
	struct batch out, in;
	uint8_t packet[LEN];
};

FIXTURE_SETUP(life)
{
	ASSERT_EQ(0, ns_enter());
	self->fd = tun_create("ours", TUN_NOPI);
	ASSERT_LE(0, self->fd);
	self->index = tun_index(self->fd);
	ASSERT_EQ(0, link_up(self->index, true));
	self->sock = packet_socket(self->index, ETH_P_ALL);
	ASSERT_LE(0, self->sock);
	ASSERT_EQ(0, batch_set(self->fd, RTUN_BATCH_V1));
	packet_fill(self->packet, LEN, 1);
	self->packet[0] = 0x45;
}

FIXTURE_TEARDOWN(life)
{
	close(self->sock);
	close(self->fd);
}

static int send_packets(SELF *self, int n)
{
	int ret = 0;

	while (n-- && ret >= 0)
		ret = packet_send(self->sock, self->index, ETH_P_IP,
				  self->packet, LEN);
	return ret < 0 ? ret : 0;
}

/* A reader waits for one packet, and not for more. */
TEST_F(life, reader_waits_for_one)
{
	struct call call = {
		.fd = self->fd, .batch = &self->in, .room = BATCH_ROOM,
	};

	make_blocking(self->fd);
	ASSERT_EQ(0, call_start(&call));
	ASSERT_EQ(0, send_packets(self, 1));
	EXPECT_LT(0, call_end(&call));
	EXPECT_EQ(1, count_frames(&self->in));
}

TEST_F(life, reader_of_a_device_that_goes)
{
	struct call call = {
		.fd = self->fd, .batch = &self->in, .room = BATCH_ROOM,
	};

	make_blocking(self->fd);
	ASSERT_EQ(0, call_start(&call));
	ASSERT_EQ(0, link_delete(self->index));
	EXPECT_EQ(-EBADFD, call_end(&call));
}

static void on_signal(int signal)
{
}

TEST_F(life, reader_and_a_signal)
{
	struct sigaction action = { .sa_handler = on_signal };
	struct call call = {
		.fd = self->fd, .batch = &self->in, .room = BATCH_ROOM,
	};

	ASSERT_EQ(0, sigaction(SIGUSR1, &action, NULL));
	make_blocking(self->fd);
	ASSERT_EQ(0, call_start(&call));
	ASSERT_EQ(0, pthread_kill(call.thread, SIGUSR1));
	EXPECT_EQ(-EINTR, call_end(&call));
}

TEST_F(life, poll)
{
	EXPECT_EQ(POLLOUT, wait_events(self->fd, POLLIN | POLLOUT, 0));
	ASSERT_EQ(0, send_packets(self, 2));
	EXPECT_EQ(POLLIN, wait_events(self->fd, POLLIN, WAIT_MS));
	ASSERT_LT(0, batch_read(self->fd, &self->in,
				RTUN_FRAME_SIZE(LEN)));
	EXPECT_EQ(POLLIN, wait_events(self->fd, POLLIN, 0));
	ASSERT_LT(0, batch_read(self->fd, &self->in, BATCH_ROOM));
	EXPECT_EQ(0, wait_events(self->fd, POLLIN, 0));
}

/* By io_uring, which waits when there is nothing. */
TEST_F(life, io_uring)
{
	struct io_uring_sqe sqe = {
		.opcode = IORING_OP_READ, .fd = self->fd, .off = -1,
		.addr = (uintptr_t)self->in.buf, .len = BATCH_ROOM,
	};
	struct io_uring_cqe cqe;
	struct uring uring;
	int n, err = uring_open(&uring);

	if (err == -EOPNOTSUPP)
		SKIP(return, "no io_uring");
	ASSERT_EQ(0, err);
	make_blocking(self->fd);
	for (n = 0; n < 10; n++)
		ASSERT_NE(NULL, batch_put(&self->out, self->packet, LEN));
	EXPECT_EQ(self->out.len, uring_call(&uring, IORING_OP_WRITE, self->fd,
					    self->out.buf, self->out.len));
	for (n = 0; n < 10; n++)
		EXPECT_EQ(LEN, packet_recv(self->sock, self->in.buf, BATCH_ROOM,
					   NULL));
	ASSERT_EQ(0, send_packets(self, 10));
	err = uring_call(&uring, IORING_OP_READ, self->fd, self->in.buf,
			 BATCH_ROOM);
	ASSERT_EQ(10 * RTUN_FRAME_SIZE(LEN), err);
	self->in.len = err;
	EXPECT_EQ(10, count_frames(&self->in));
	/* A read that comes before its packet. */
	ASSERT_EQ(0, uring_submit(&uring, &sqe));
	ASSERT_EQ(0, send_packets(self, 1));
	ASSERT_EQ(0, uring_wait(&uring, &cqe));
	EXPECT_EQ(RTUN_FRAME_SIZE(LEN), cqe.res);
	uring_close(&uring);
}

/* One batch is read, and who was held back by the full queue goes on. */
TEST_F(life, backpressure)
{
	struct link_info info;
	int fd = tun_create("held", TUN_NOPI | IFF_BACKPRESSURE), n, got = 0;

	ASSERT_LE(0, fd);
	close(self->fd);
	self->fd = fd;
	self->index = tun_index(fd);
	close(self->sock);
	ASSERT_EQ(0, link_set_u32(self->index, IFLA_TXQLEN, RING));
	ASSERT_EQ(0, qdisc_set(self->index, TC_H_ROOT, 1 << 16, "pfifo",
			       10 * RING));
	ASSERT_EQ(0, link_up(self->index, true));
	self->sock = packet_socket(self->index, ETH_P_ALL);
	ASSERT_LE(0, self->sock);
	ASSERT_EQ(0, batch_set(fd, RTUN_BATCH_V1));
	ASSERT_EQ(0, send_packets(self, 5 * RING));
	while (got < 5 * RING) {
		ASSERT_EQ(POLLIN, wait_events(fd, POLLIN, WAIT_MS));
		ASSERT_LT(0, batch_read(fd, &self->in, BATCH_ROOM));
		n = count_frames(&self->in);
		ASSERT_LT(0, n);
		got += n;
	}
	ASSERT_EQ(0, link_get(self->index, &info));
	EXPECT_EQ(0, info.stats.tx_dropped);
	EXPECT_EQ(5 * RING, info.stats.tx_packets);
}

/* What is written goes to another device, whose discipline keeps it. */
static int hold(SELF *self, int *sink)
{
	int index, sock, err;

	*sink = tun_create("sink", TUN_NOPI);
	if (*sink < 0)
		return *sink;
	index = tun_index(*sink);
	err = link_up(index, true);
	sock = packet_socket(index, 0);
	if (!err)
		err = qdisc_add_slow(index, MTU);
	/* The discipline's one burst is used up at the start. */
	memcpy(self->out.buf, self->packet, LEN);
	if (!err)
		err = packet_send(sock, index, ETH_P_IP, self->out.buf, MTU);
	close(sock);
	return err < 0 ? err : tcx_redirect(self->index, index);
}

/* A finite send buffer: as much as it takes, then EAGAIN, or a wait. */
TEST_F(life, send_buffer)
{
	int size = 10 * LEN, n, ret, went, sink, redirect;
	struct call call = { .write = true, .batch = &self->in };

	redirect = hold(self, &sink);
	ASSERT_LE(0, redirect);
	ASSERT_EQ(0, tun_ioctl_ptr(self->fd, TUNSETSNDBUF, &size));
	for (n = 0; n < 100; n++)
		ASSERT_NE(NULL, batch_put(&self->out, self->packet, LEN));
	ret = batch_write(self->fd, &self->out);
	went = ret / (int)RTUN_FRAME_SIZE(LEN);
	ASSERT_LT(0, went);
	EXPECT_GT(20, went);
	EXPECT_EQ(0, ret % RTUN_FRAME_SIZE(LEN));
	EXPECT_EQ(-EAGAIN, write_ret(self->fd, self->out.buf + ret,
				     self->out.len - ret));
	EXPECT_EQ(0, wait_events(self->fd, POLLOUT, 0));
	/* A blocking one waits until all went. */
	make_blocking(self->fd);
	call.fd = self->fd;
	self->in.len = self->out.len - ret;
	memcpy(self->in.buf, self->out.buf + ret, self->in.len);
	ASSERT_EQ(0, call_start(&call));
	ASSERT_EQ(0, qdisc_delete(tun_index(sink)));
	EXPECT_EQ(self->in.len, call_end(&call));
	close(redirect);
	close(sink);
}

/* One that waits has written something when the device goes. */
TEST_F(life, writer_of_a_device_that_goes)
{
	struct call call = { .write = true, .batch = &self->out };
	int size = 10 * LEN, n, sink, redirect;

	redirect = hold(self, &sink);
	ASSERT_LE(0, redirect);
	ASSERT_EQ(0, tun_ioctl_ptr(self->fd, TUNSETSNDBUF, &size));
	for (n = 0; n < 100; n++)
		ASSERT_NE(NULL, batch_put(&self->out, self->packet, LEN));
	make_blocking(self->fd);
	call.fd = self->fd;
	ASSERT_EQ(0, call_start(&call));
	ASSERT_EQ(0, link_delete(self->index));
	n = call_end(&call);
	EXPECT_LT(0, n);
	EXPECT_EQ(0, n % RTUN_FRAME_SIZE(LEN));
	EXPECT_EQ(-EBADFD, batch_write(self->fd, &self->out));
	close(redirect);
	close(sink);
}

/* Two queues, batches on both: what waited in one that leaves is not lost. */
TEST_F(life, detach)
{
	static struct flows flows;
	struct link_info info;
	int n, got = 0, queue;

	/* Of the same name. */
	close(self->fd);
	self->fd = -1;
	ASSERT_EQ(0, flows_open(&flows, IFF_TAP | IFF_MULTI_QUEUE, 2));
	for (queue = 0; queue < 2; queue++)
		ASSERT_EQ(0, batch_set(flows.fd[queue], RTUN_BATCH_V1));
	for (n = 0; n < RING; n++)
		ASSERT_EQ(0, flows_send(&flows, flow_nth(n), n));
	/* A few are read before, so that the ring's start is odd. */
	for (queue = 0; queue < 2; queue++) {
		if (batch_read(flows.fd[queue], &self->in, 500) > 0)
			got += count_frames(&self->in);
	}
	ASSERT_LT(0, got);
	ASSERT_EQ(0, tun_queue(flows.fd[1], IFF_DETACH_QUEUE));
	EXPECT_EQ(-EAGAIN, batch_read(flows.fd[1], &self->in, BATCH_ROOM));
	ASSERT_LT(0, batch_read(flows.fd[0], &self->in, BATCH_ROOM));
	EXPECT_EQ(RING, got + count_frames(&self->in));
	ASSERT_EQ(0, link_get(flows.index, &info));
	EXPECT_EQ(0, info.stats.tx_dropped);
	flows_close(&flows);
}

/* Readers of batches while queues come and go: all packets are accounted for. */
struct reader {
	int fd;
	atomic_long got;
	atomic_int odd;
	atomic_bool stop;
	pthread_t thread;
};

static void *reader_main(void *arg)
{
	static _Thread_local struct batch batch;
	struct reader *reader = arg;
	int ret;

	/* The last look comes after the sender's end. */
	for (bool last = false; !last;) {
		last = reader->stop;
		do {
			ret = batch_read(reader->fd, &batch, 3000);
			if (ret > 0)
				ret = count_frames(&batch);
			if (ret > 0)
				reader->got += ret;
			else if (ret != -EAGAIN)
				reader->odd = ret;
		} while (ret > 0);
		wait_events(reader->fd, POLLIN, 1);
	}
	return NULL;
}

TEST_F(life, detach_under_traffic)
{
	static struct flows flows;
	struct reader reader[2] = { };
	struct link_info info;
	int n, sent = 0, queue;

	/* Of the same name. */
	close(self->fd);
	self->fd = -1;
	ASSERT_EQ(0, flows_open(&flows, IFF_TUN | IFF_MULTI_QUEUE, 2));
	for (queue = 0; queue < 2; queue++) {
		reader[queue].fd = flows.fd[queue];
		ASSERT_EQ(0, batch_set(flows.fd[queue], RTUN_BATCH_V1));
		ASSERT_EQ(0, pthread_create(&reader[queue].thread, NULL,
					    reader_main, &reader[queue]));
	}
	for (n = 0; n < 100; n++) {
		int flags = n % 2 ? IFF_ATTACH_QUEUE : IFF_DETACH_QUEUE;

		for (; sent < 20 * (n + 1); sent++)
			ASSERT_EQ(0, flows_send(&flows, flow_nth(sent % 16),
						sent));
		ASSERT_EQ(0, tun_queue(flows.fd[1], flags));
	}
	for (queue = 0; queue < 2; queue++) {
		reader[queue].stop = true;
		pthread_join(reader[queue].thread, NULL);
		EXPECT_EQ(0, reader[queue].odd);
	}
	ASSERT_EQ(0, link_get(flows.index, &info));
	EXPECT_EQ(sent, reader[0].got + reader[1].got + info.stats.tx_dropped);
	EXPECT_EQ(reader[0].got + reader[1].got, info.stats.tx_packets);
	flows_close(&flows);
}

/* A device that goes while batches are read and written. */
static void *writer_main(void *arg)
{
	struct reader *writer = arg;
	struct batch *batch = calloc(1, sizeof(*batch));
	uint8_t packet[LEN] = { 0x45 };
	int n, ret = 0;

	for (n = 0; n < 100; n++)
		batch_put(batch, packet, LEN);
	/* It is down for a moment before it is gone. */
	while (ret >= 0 || ret == -EIO) {
		ret = batch_write(writer->fd, batch);
		if (ret > 0)
			writer->got++;
	}
	free(batch);
	writer->odd = ret;
	return NULL;
}

static void *busy_reader_main(void *arg)
{
	struct reader *reader = arg;
	struct batch *batch = calloc(1, sizeof(*batch));
	int ret;

	do {
		ret = batch_read(reader->fd, batch, BATCH_ROOM);
		if (ret > 0)
			reader->got += count_frames(batch);
	} while (ret > 0 || ret == -EAGAIN);
	free(batch);
	reader->odd = ret;
	return NULL;
}

TEST_F(life, deletion_under_traffic)
{
	int n;

	for (n = 0; n < 10; n++) {
		struct reader writer = { }, reader = { };
		char name[16];
		int fd;

		snprintf(name, sizeof(name), "gone%d", n);
		fd = tun_create(name, TUN_NOPI);
		ASSERT_LE(0, fd);
		writer.fd = fd;
		reader.fd = fd;
		close(self->fd);
		self->fd = fd;
		self->index = tun_index(fd);
		ASSERT_EQ(0, batch_set(fd, RTUN_BATCH_V1));
		ASSERT_EQ(0, link_up(self->index, true));
		close(self->sock);
		self->sock = packet_socket(self->index, ETH_P_ALL);
		ASSERT_LE(0, self->sock);
		ASSERT_EQ(0, pthread_create(&writer.thread, NULL, writer_main,
					    &writer));
		ASSERT_EQ(0, pthread_create(&reader.thread, NULL,
					    busy_reader_main, &reader));
		while (!writer.got || !reader.got)
			ASSERT_EQ(0, send_packets(self, 1));
		ASSERT_EQ(0, link_delete(self->index));
		pthread_join(writer.thread, NULL);
		pthread_join(reader.thread, NULL);
		EXPECT_EQ(-EBADFD, writer.odd);
		EXPECT_EQ(-EBADFD, reader.odd);
	}
}

TEST_HARNESS_MAIN
