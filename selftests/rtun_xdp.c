// SPDX-License-Identifier: GPL-2.0-only
/* What rtun does with XDP frames beyond what the in-tree driver does. */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>
#include <linux/if_ether.h>

#include "batch.h"
#include "flows.h"
#include "qstats.h"
#include "xdp_dev.h"
#include "harness.h"

#define FLOWS		64
#define RING		5
#define LEN		100

/* What is written to dev is redirected to the queues of flows. */
FIXTURE(frames)
{
	struct flows flows;
	struct xdp_dev dev;
};

FIXTURE_SETUP(frames)
{
	ASSERT_EQ(0, ns_enter());
	ASSERT_EQ(0, flows_open(&self->flows, IFF_TAP | IFF_MULTI_QUEUE,
				FLOW_QUEUES));
	ASSERT_EQ(0, xdp_open(&self->dev, "source", TAP_NOPI));
	ASSERT_EQ(0, bpf_give_redirect(self->dev.index, self->flows.index));
}

FIXTURE_TEARDOWN(frames)
{
	flows_close(&self->flows);
	xdp_close(&self->dev);
}

/* The same packet as flows_send() sends, as a frame. */
static int send_frame(struct xdp_dev *dev, unsigned int n, uint32_t number)
{
	uint32_t be = htonl(number);

	packet_eth(dev->out, dev->mac, dev->mac, ETH_P_IP);
	return xdp_write(dev, ETH_HLEN + packet_udp4(dev->out + ETH_HLEN,
						     flow_reverse(flow_nth(n)),
						     &be, sizeof(be)));
}

/* Where a flow's frame comes out. */
static int frame_queue(struct flows *flows, struct xdp_dev *dev, int n)
{
	int i, err = send_frame(dev, n, 1);

	if (err)
		return err;
	err = flows_collect(flows, 1);
	if (err != 1)
		return err < 0 ? err : -ENOMSG;
	for (i = 0; !flows->got[i]; i++)
		;
	return i;
}

/* A frame goes where the stack's packets of its flow go. */
TEST_F(frames, by_flow)
{
	struct flows *flows = &self->flows;
	unsigned int used = 0;
	int n, queue;

	for (n = 0; n < FLOWS; n++) {
		queue = flows_send_to(flows, flow_nth(n));
		ASSERT_LE(0, queue);
		EXPECT_EQ(queue, frame_queue(flows, &self->dev, n));
		used |= 1 << queue;
	}
	EXPECT_EQ((1 << FLOW_QUEUES) - 1, used);
	/* Also where it was learned that they belong. */
	for (n = 0; n < FLOWS; n++) {
		ASSERT_EQ(0, flows_write(flows, n % FLOW_QUEUES, flow_nth(n)));
		EXPECT_EQ(n % FLOW_QUEUES, frame_queue(flows, &self->dev, n));
	}
}

/* Nothing that waits in a queue that is detached is lost. */
TEST_F(frames, move_with_their_flow)
{
	struct flows *flows = &self->flows;
	int i, q, n, err;

	for (i = 0; i < 2; i++) {
		for (n = 0; n < FLOWS; n++) {
			err = n & 1 ? send_frame(&self->dev, n, i) :
				      flows_send(flows, flow_nth(n), i);
			ASSERT_EQ(0, err);
		}
	}
	for (q = 0; q < FLOW_QUEUES - 1; q++)
		ASSERT_EQ(0, tun_queue(flows->fd[q], IFF_DETACH_QUEUE));
	for (n = 0; n < FLOWS; n++)
		ASSERT_EQ(0, send_frame(&self->dev, n, i));
	EXPECT_EQ(3 * FLOWS, flows_collect(flows, 3 * FLOWS));
	EXPECT_EQ(3 * FLOWS, flows->got[FLOW_QUEUES - 1]);
	EXPECT_EQ(0, flows_dropped(flows));
}

/* Each frame for which there is no room, or nobody, is counted. */
TEST_F(frames, counted)
{
	struct flows *flows = &self->flows;
	int n, q;

	ASSERT_EQ(0, link_set_u32(flows->index, IFLA_TXQLEN, RING));
	for (n = 0; n < RING + 3; n++)
		ASSERT_EQ(0, send_frame(&self->dev, 1, n));
	EXPECT_EQ(3, flows_dropped(flows));
	EXPECT_EQ(3, ethtool_stat("ours", "tx_drop_full_ring"));
	EXPECT_EQ(RING, flows_collect(flows, RING));
	EXPECT_TRUE(flows->in_order);
	for (q = 0; q < FLOW_QUEUES; q++)
		ASSERT_EQ(0, tun_queue(flows->fd[q], IFF_DETACH_QUEUE));
	for (n = 0; n < 4; n++)
		ASSERT_EQ(0, send_frame(&self->dev, 1, n));
	EXPECT_EQ(4, ethtool_stat("ours", "tx_drop_dev_ready"));
	EXPECT_EQ(7, flows_dropped(flows));
}

/* So is each that a smaller ring throws away, like the stack's packets. */
TEST_F(frames, counted_by_smaller_ring)
{
	struct flows *flows = &self->flows;
	int n, err;

	for (n = 0; n < RING + 4; n++) {
		err = n & 1 ? send_frame(&self->dev, 1, n) :
			      flows_send(flows, flow_nth(1), n);
		ASSERT_EQ(0, err);
	}
	ASSERT_EQ(0, link_set_u32(flows->index, IFLA_TXQLEN, RING));
	EXPECT_EQ(4, flows_dropped(flows));
	EXPECT_EQ(4, ethtool_stat("ours", "tx_drop_full_ring"));
	EXPECT_EQ(RING, flows_collect(flows, RING));
	EXPECT_TRUE(flows->in_order);
}

/* What a program drops, and what it could not do. */
TEST_F(frames, reasons)
{
	struct xdp_dev *dev = &self->dev;

	ASSERT_EQ(0, bpf_give_verdict(dev->index, XDP_DROP));
	ASSERT_EQ(0, xdp_send(dev, LEN, 1));
	EXPECT_EQ(1, ethtool_stat("source", "rx_drop_xdp"));
	ASSERT_EQ(0, bpf_give_verdict(dev->index, XDP_ABORTED));
	ASSERT_EQ(0, xdp_send(dev, LEN, 2));
	ASSERT_EQ(0, xdp_send(dev, LEN, 3));
	EXPECT_EQ(2, ethtool_stat("source", "rx0_drop_xdp_error"));
	EXPECT_EQ(1, ethtool_stat("source", "rx0_drop_xdp"));
	EXPECT_EQ(3, xdp_stats(dev).rx_dropped);
}

/* What is written in a batch does not pass it by. */
TEST_F(frames, batch)
{
	static struct batch batch;
	struct xdp_dev *dev = &self->dev;
	int i;

	ASSERT_EQ(0, batch_set(dev->fd, RTUN_BATCH_V1));
	memset(&batch, 0, sizeof(batch));
	for (i = 0; i < 10; i++)
		batch_put(&batch, xdp_frame(dev), xdp_make(dev, LEN, 1));
	ASSERT_EQ(0, bpf_give_verdict(dev->index, XDP_DROP));
	ASSERT_EQ(batch.len, batch_write(dev->fd, &batch));
	EXPECT_EQ(-EAGAIN, xdp_receive(dev));
	ASSERT_EQ(0, bpf_give_verdict(dev->index, XDP_PASS));
	ASSERT_EQ(batch.len, batch_write(dev->fd, &batch));
	for (i = 0; i < 10; i++)
		EXPECT_TRUE(xdp_received(dev, LEN));
	EXPECT_EQ(-EAGAIN, xdp_receive(dev));
	EXPECT_EQ(10, xdp_stats(dev).rx_packets);
}

/* What is refused as a whole, no program has seen: it may be written again. */
TEST_F(frames, batch_refused)
{
	static struct batch batch;
	struct xdp_dev *dev = &self->dev;
	int i;

	xdp_close(dev);
	ASSERT_EQ(0, xdp_open(dev, "napi", TAP_NOPI | IFF_NAPI |
					   IFF_MULTI_QUEUE));
	ASSERT_EQ(0, batch_set(dev->fd, RTUN_BATCH_V1));
	memset(&batch, 0, sizeof(batch));
	for (i = 0; i < 10; i++)
		batch_put(&batch, xdp_frame(dev), xdp_make(dev, LEN, 1));
	ASSERT_EQ(0, bpf_give_redirect(dev->index, self->flows.index));
	ASSERT_EQ(0, tun_queue(dev->fd, IFF_DETACH_QUEUE));
	EXPECT_EQ(-EBUSY, batch_write(dev->fd, &batch));
	EXPECT_EQ(0, flows_collect(&self->flows, 0));
	ASSERT_EQ(0, tun_queue(dev->fd, IFF_ATTACH_QUEUE));
	EXPECT_EQ(batch.len, batch_write(dev->fd, &batch));
	EXPECT_EQ(10, flows_collect(&self->flows, 10));
}

TEST_HARNESS_MAIN
