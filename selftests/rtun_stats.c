// SPDX-License-Identifier: GPL-2.0-only
/*
 * What is counted of each queue: packets and bytes both ways, and every drop
 * by its name, in the kernel's queue statistics and in ethtool's.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>
#include <linux/filter.h>
#include <linux/if_link.h>
#include <linux/pkt_sched.h>
#include <linux/virtio_net.h>

#include "flows.h"
#include "port.h"
#include "qstats.h"
#include "rtnl.h"
#include "harness.h"

#define RING	10
#define SIZE	100

FIXTURE(counters)
{
	struct flows flows;
	struct qstats all, queue[FLOW_QUEUES];
};

FIXTURE_VARIANT(counters)
{
	int flags;
};

FIXTURE_VARIANT_ADD(counters, tun)
{
	.flags = TUN_NOPI,
};

FIXTURE_VARIANT_ADD(counters, tap)
{
	.flags = TAP_NOPI,
};

FIXTURE_SETUP(counters)
{
	struct flows *flows = &self->flows;

	ASSERT_EQ(0, ns_enter());
	ASSERT_EQ(0, flows_open(flows, variant->flags | IFF_MULTI_QUEUE,
				FLOW_QUEUES));
	ASSERT_EQ(0, link_set_u32(flows->index, IFLA_TXQLEN, RING));
	ASSERT_EQ(0, qdisc_set(flows->index, TC_H_ROOT, 1 << 16, "noqueue", 0));
}

FIXTURE_TEARDOWN(counters)
{
	flows_close(&self->flows);
}

/* Packets to a queue; one that is dropped is sent, too. */
static int send_to(struct flows *flows, int queue, int count)
{
	int n, err = flows_write(flows, queue, flow_nth(queue));

	for (n = 0; !err && n < count; n++) {
		err = flows_send(flows, flow_nth(queue), n);
		if (err == -ENOBUFS)
			err = 0;
	}
	return err;
}

/* One more to each queue than to the one before. */
static int send_all(struct flows *flows, int base)
{
	int q, err = 0;

	for (q = 0; !err && q < FLOW_QUEUES; q++)
		err = send_to(flows, q, base + q);
	return err;
}

static int64_t stat_of(int queue, const char *name)
{
	char full[64];

	snprintf(full, sizeof(full), name, queue);
	return ethtool_stat("ours", full);
}

static void get(struct __test_metadata *_metadata, struct flows *flows,
		struct qstats *all, struct qstats *queue)
{
	struct link_info info;

	ASSERT_EQ(0, qstats_device(flows->index, all));
	ASSERT_EQ(FLOW_QUEUES, qstats_queues(flows->index, queue, FLOW_QUEUES));
	ASSERT_EQ(0, link_get(flows->index, &info));
	EXPECT_EQ((int64_t)info.stats.tx_packets, all->tx_packets);
	EXPECT_EQ((int64_t)info.stats.tx_bytes, all->tx_bytes);
	EXPECT_EQ((int64_t)info.stats.tx_dropped, all->tx_drops);
	EXPECT_EQ((int64_t)info.stats.rx_packets, all->rx_packets);
	EXPECT_EQ((int64_t)info.stats.rx_bytes, all->rx_bytes);
}

TEST_F(counters, traffic)
{
	struct qstats *all = &self->all, *queue = self->queue;
	struct flows *flows = &self->flows;
	int q, sum = 0;

	ASSERT_EQ(0, send_all(flows, 2));
	ASSERT_EQ(4 * 2 + 6, flows_collect(flows, 4 * 2 + 6));
	get(_metadata, flows, all, queue);
	for (q = 0; q < FLOW_QUEUES; q++) {
		EXPECT_EQ(2 + q, queue[q].tx_packets);
		EXPECT_EQ((2 + q) * queue[0].tx_bytes / 2, queue[q].tx_bytes);
		EXPECT_EQ(0, queue[q].tx_drops);
		EXPECT_EQ(1, queue[q].rx_packets);
		EXPECT_EQ(queue[0].rx_bytes, queue[q].rx_bytes);
		EXPECT_EQ(0, queue[q].rx_drops);
		sum += queue[q].tx_packets;
	}
	EXPECT_EQ(sum, all->tx_packets);
	EXPECT_EQ(FLOW_QUEUES, all->rx_packets);
}

TEST_F(counters, full_ring)
{
	struct qstats *all = &self->all, *queue = self->queue;
	struct flows *flows = &self->flows;
	int q;

	ASSERT_EQ(0, send_all(flows, RING + 1));
	get(_metadata, flows, all, queue);
	for (q = 0; q < FLOW_QUEUES; q++) {
		EXPECT_EQ(1 + q, queue[q].tx_drops);
		EXPECT_EQ(1 + q, stat_of(q, "tx%d_drop_full_ring"));
	}
	EXPECT_EQ(1 + 2 + 3 + 4, all->tx_drops);
	EXPECT_EQ(1 + 2 + 3 + 4, ethtool_stat("ours", "tx_drop_full_ring"));
	EXPECT_EQ(4 * RING, flows_collect(flows, 4 * RING));
}

/* Nothing of the sums goes with a queue, or with what the stack counts. */
TEST_F(counters, queue_gone)
{
	struct flows *flows = &self->flows;
	struct qstats after;
	int q;

	ASSERT_EQ(0, send_all(flows, RING));
	ASSERT_EQ(4 * RING, flows_collect(flows, 4 * RING));
	get(_metadata, flows, &self->all, self->queue);
	for (q = 1; q < FLOW_QUEUES; q++) {
		close(flows->fd[q]);
		flows->fd[q] = -1;
	}
	ASSERT_EQ(0, link_up(flows->index, false));
	ASSERT_EQ(0, link_up(flows->index, true));
	EXPECT_EQ(1, qstats_queues(flows->index, self->queue, FLOW_QUEUES));
	EXPECT_EQ(RING, self->queue[0].tx_packets);
	ASSERT_EQ(0, qstats_device(flows->index, &after));
	EXPECT_EQ(0, memcmp(&after, &self->all, sizeof(after)));
	EXPECT_EQ(4 * RING, after.tx_packets);
	EXPECT_EQ(1 + 2 + 3, ethtool_stat("ours", "tx_drop_full_ring"));
}

/* A queue that comes back under a number goes on to count. */
TEST_F(counters, number_again)
{
	struct flows *flows = &self->flows;

	ASSERT_EQ(0, send_to(flows, 3, 5));
	ASSERT_EQ(5, flows_collect(flows, 5));
	close(flows->fd[3]);
	flows->fd[3] = tun_create("ours", variant->flags | IFF_MULTI_QUEUE);
	ASSERT_LE(0, flows->fd[3]);
	ASSERT_EQ(0, send_to(flows, 3, 2));
	ASSERT_EQ(2, flows_collect(flows, 2));
	get(_metadata, flows, &self->all, self->queue);
	EXPECT_EQ(7, self->queue[3].tx_packets);
	EXPECT_EQ(2, self->queue[3].rx_packets);
}

TEST_F(counters, no_queue)
{
	struct flows *flows = &self->flows;
	int q;

	ASSERT_EQ(0, send_to(flows, 2, 3));
	for (q = 0; q < FLOW_QUEUES; q++)
		ASSERT_EQ(0, tun_queue(flows->fd[q], IFF_DETACH_QUEUE));
	/* What waited went from one to the next, and to nobody at last. */
	EXPECT_EQ(3, ethtool_stat("ours", "tx_drop_dev_ready"));
	EXPECT_EQ(-ENOBUFS, flows_send(flows, flow_nth(2), 0));
	EXPECT_EQ(4, ethtool_stat("ours", "tx_drop_dev_ready"));
	ASSERT_EQ(0, qstats_device(flows->index, &self->all));
	EXPECT_EQ(4, self->all.tx_drops);
}

TEST_F(counters, shrink)
{
	struct flows *flows = &self->flows;

	ASSERT_EQ(0, send_to(flows, 1, RING));
	ASSERT_EQ(0, link_set_u32(flows->index, IFLA_TXQLEN, RING - 4));
	EXPECT_EQ(4, stat_of(1, "tx%d_drop_full_ring"));
	EXPECT_EQ(RING - 4, flows_collect(flows, RING - 4));
	get(_metadata, flows, &self->all, self->queue);
	EXPECT_EQ(4, self->queue[1].tx_drops);
	EXPECT_EQ(RING - 4, self->queue[1].tx_packets);
}

/* Memory that is not there. */
static void *bad_memory(void)
{
	void *page = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS,
			  -1, 0);

	return page == MAP_FAILED ? NULL : page;
}

TEST_F(counters, reader_lost)
{
	struct flows *flows = &self->flows;
	void *bad = bad_memory();
	uint8_t buf[24];

	ASSERT_NE(NULL, bad);
	ASSERT_EQ(0, send_to(flows, 2, 3));
	EXPECT_EQ(-EFAULT, read_ret(flows->fd[2], bad, 200));
	EXPECT_EQ(sizeof(buf), read_ret(flows->fd[2], buf, sizeof(buf)));
	EXPECT_EQ(1, flows_collect(flows, 1));
	get(_metadata, flows, &self->all, self->queue);
	EXPECT_EQ(2, self->queue[2].tx_packets);
	EXPECT_EQ(1, self->queue[2].tx_drops);
	EXPECT_EQ(1, stat_of(2, "tx%d_drop_ucopy_fault"));
	EXPECT_EQ(1, stat_of(2, "tx%d_truncated"));
}

/* What a program writes and the stack does not get. */
TEST_F(counters, writer_lost)
{
	struct flows *flows = &self->flows;
	uint8_t buf[SIZE] = { 0 };
	void *bad = bad_memory();

	ASSERT_NE(NULL, bad);
	/* No version of IP. An Ethernet frame may have anything in it. */
	if (variant->flags & IFF_TUN) {
		EXPECT_EQ(-EINVAL, write_ret(flows->fd[1], buf, sizeof(buf)));
		EXPECT_EQ(1, stat_of(1, "rx%d_drop_invalid"));
	}
	EXPECT_EQ(-EFAULT, write_ret(flows->fd[1], bad, SIZE));
	EXPECT_EQ(1, stat_of(1, "rx%d_drop_ucopy_fault"));
	ASSERT_EQ(0, link_up(flows->index, false));
	buf[0] = 0x45;
	EXPECT_EQ(-EIO, write_ret(flows->fd[1], buf, sizeof(buf)));
	EXPECT_EQ(1, stat_of(1, "rx%d_drop_dev_ready"));
	ASSERT_EQ(0, qstats_device(flows->index, &self->all));
	EXPECT_EQ(variant->flags & IFF_TUN ? 3 : 2, self->all.rx_drops);
	EXPECT_EQ(0, self->all.rx_packets);
}

TEST(filtered)
{
	struct sock_filter drop_all[] = { BPF_STMT(BPF_RET | BPF_K, 0) };
	struct sock_fprog fprog = { 1, drop_all };
	static struct port port;
	struct tun_filter none = { .count = 1 };
	uint8_t filter[sizeof(none) + 6] = { 0 };

	ASSERT_EQ(0, ns_enter());
	ASSERT_EQ(0, port_open(&port, "ours", TAP_NOPI, 1));
	port_frame(&port, SIZE, 1);
	ASSERT_EQ(0, tun_ioctl_ptr(port.fd[0], TUNATTACHFILTER, &fprog));
	packet_send(port.sock, port.index, PROTO_TEST, port.out, SIZE);
	EXPECT_EQ(1, ethtool_stat("ours", "tx0_drop_socket_filter"));
	ASSERT_EQ(0, tun_ioctl_ptr(port.fd[0], TUNDETACHFILTER, &fprog));
	memcpy(filter, &none, sizeof(none));
	ASSERT_EQ(1, tun_ioctl_ptr(port.fd[0], TUNSETTXFILTER, filter));
	packet_send(port.sock, port.index, PROTO_TEST, port.out, SIZE);
	EXPECT_EQ(1, ethtool_stat("ours", "tx0_drop_tap_txfilter"));
	EXPECT_EQ(2, port_counter(&port, tx_dropped));
	port_close(&port);
}

TEST(bad_header)
{
	struct virtio_net_hdr hdr = {
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .csum_start = 5000,
	};
	struct iovec iov[] = { { &hdr, sizeof(hdr) }, { NULL, SIZE } };
	static struct port port;

	ASSERT_EQ(0, ns_enter());
	ASSERT_EQ(0, port_open(&port, "ours", TAP_NOPI | IFF_VNET_HDR, 1));
	port_frame(&port, SIZE, 1);
	iov[1].iov_base = port.out;
	ASSERT_EQ(-1, writev(port.fd[0], iov, 2));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(1, ethtool_stat("ours", "rx0_drop_bad_header"));
	EXPECT_EQ(1, port_counter(&port, rx_frame_errors));
	EXPECT_EQ(0, port_counter(&port, rx_dropped));
	port_close(&port);
}

/* How often the stack was told to wait. */
TEST(stop_and_wake)
{
	static struct port port;
	struct qstats stats;
	int n;

	ASSERT_EQ(0, ns_enter());
	ASSERT_EQ(0, port_open(&port, "ours", TUN_NOPI | IFF_BACKPRESSURE, 1));
	ASSERT_EQ(0, link_set_u32(port.index, IFLA_TXQLEN, RING));
	ASSERT_EQ(0, qdisc_set(port.index, TC_H_ROOT, 1 << 16, "pfifo", 100));
	port_frame(&port, SIZE, 1);
	for (n = 0; n < RING + 1; n++)
		packet_send(port.sock, port.index, PROTO_TEST, port.out, SIZE);
	ASSERT_EQ(0, qstats_device(port.index, &stats));
	EXPECT_EQ(1, stats.tx_stop);
	EXPECT_EQ(0, stats.tx_wake);
	for (n = 0; n < RING + 1; n++)
		ASSERT_EQ(0, port_read(&port, 0, port.out, SIZE));
	ASSERT_EQ(0, qstats_device(port.index, &stats));
	EXPECT_EQ(1, stats.tx_stop);
	EXPECT_EQ(1, stats.tx_wake);
	EXPECT_EQ(RING + 1, stats.tx_packets);
	EXPECT_EQ(0, stats.tx_drops);
	port_close(&port);
}

TEST_HARNESS_MAIN
