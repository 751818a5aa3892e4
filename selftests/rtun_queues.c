// SPDX-License-Identifier: GPL-2.0-only
/* What rtun promises of a queue that goes: nothing is lost unseen. */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "flows.h"
#include "rtnl.h"
#include "harness.h"

#define PACKETS	50

FIXTURE(moving)
{
	struct flows flows;
};

FIXTURE_VARIANT(moving)
{
	int flags;
};

FIXTURE_VARIANT_ADD(moving, tun)
{
	.flags = IFF_TUN | IFF_MULTI_QUEUE,
};

FIXTURE_VARIANT_ADD(moving, tap)
{
	.flags = IFF_TAP | IFF_MULTI_QUEUE,
};

FIXTURE_SETUP(moving)
{
	ASSERT_EQ(0, ns_enter());
	ASSERT_EQ(0, flows_open(&self->flows, variant->flags, 2));
}

FIXTURE_TEARDOWN(moving)
{
	flows_close(&self->flows);
}

static int64_t dropped(struct flows *flows)
{
	struct link_info info;
	int err = link_get(flows->index, &info);

	return err ? err : (int64_t)info.stats.tx_dropped;
}

/* Learns the flow on a queue, and leaves packets of it there. */
static int fill(struct flows *flows, int queue, struct flow f, int count)
{
	int n, err = flows_write(flows, queue, f);

	for (n = 0; !err && n < count; n++)
		err = flows_send(flows, f, n);
	return err;
}

TEST_F(moving, to_the_queue_left)
{
	struct flows *flows = &self->flows;
	int n, queue;

	for (queue = 0; queue < 2; queue++) {
		ASSERT_EQ(0, fill(flows, queue, flow_nth(1), PACKETS));
		ASSERT_EQ(0, tun_queue(flows->fd[queue], IFF_DETACH_QUEUE));
		/* Newer packets of the flow come after those that moved. */
		for (n = PACKETS; n < PACKETS + 10; n++)
			ASSERT_EQ(0, flows_send(flows, flow_nth(1), n));
		ASSERT_EQ(PACKETS + 10, flows_collect(flows, PACKETS + 10));
		EXPECT_EQ(PACKETS + 10, flows->got[!queue]);
		EXPECT_TRUE(flows->in_order);
		EXPECT_EQ(0, dropped(flows));
		ASSERT_EQ(0, tun_queue(flows->fd[queue], IFF_ATTACH_QUEUE));
	}
}

/* A flow that is written elsewhere moves when its packets have been read. */
TEST_F(moving, in_order_when_written_elsewhere)
{
	struct flows *flows = &self->flows;
	int queue, n;

	for (queue = 0; queue < 2; queue++) {
		ASSERT_EQ(0, fill(flows, queue, flow_nth(1), PACKETS));
		ASSERT_EQ(0, flows_write(flows, queue, flow_nth(1)));
		ASSERT_EQ(0, flows_write(flows, !queue, flow_nth(1)));
		for (n = PACKETS; n < PACKETS + 10; n++)
			ASSERT_EQ(0, flows_send(flows, flow_nth(1), n));
		ASSERT_EQ(PACKETS + 10, flows_collect(flows, PACKETS + 10));
		EXPECT_EQ(PACKETS + 10, flows->got[queue]);
		ASSERT_EQ(0, flows_write(flows, !queue, flow_nth(1)));
		EXPECT_EQ(!queue, flows_send_to(flows, flow_nth(1)));
		ASSERT_EQ(0, flows_write(flows, queue, flow_nth(1)));
		EXPECT_EQ(queue, flows_send_to(flows, flow_nth(1)));
	}
}

/* Nor does it overtake them when nothing was written or read for long. */
TEST_F(moving, in_order_after_a_pause)
{
	struct flows *flows = &self->flows;
	int n;

	ASSERT_EQ(0, fill(flows, 0, flow_nth(1), PACKETS));
	pause_ms(1500);
	for (n = PACKETS; n < PACKETS + 10; n++) {
		ASSERT_EQ(0, flows_write(flows, 1, flow_nth(1)));
		ASSERT_EQ(0, flows_send(flows, flow_nth(1), n));
	}
	ASSERT_EQ(PACKETS + 10, flows_collect(flows, PACKETS + 10));
	EXPECT_EQ(PACKETS + 10, flows->got[0]);
	EXPECT_TRUE(flows->in_order);
}

static int read_number(struct flows *flows, int queue, uint32_t *number)
{
	uint8_t packet[2048];
	ssize_t len = read_ret(flows->fd[queue], packet, sizeof(packet));

	if (len < (ssize_t)sizeof(*number))
		return len < 0 ? len : -EMSGSIZE;
	memcpy(number, packet + len - sizeof(*number), sizeof(*number));
	*number = ntohl(*number);
	return 0;
}

/* A ring that is never empty, but is read, keeps the flow: some of it waits there. */
TEST_F(moving, in_order_from_a_ring_never_empty)
{
	struct flows *flows = &self->flows;
	int64_t start = now_ms();
	uint32_t number;
	int n;

	ASSERT_EQ(0, fill(flows, 0, flow_nth(1), PACKETS));
	for (n = 0; now_ms() - start < 2000; n++) {
		ASSERT_EQ(0, flows_write(flows, 1, flow_nth(1)));
		ASSERT_EQ(0, flows_send(flows, flow_nth(1), PACKETS + n));
		ASSERT_EQ(0, read_number(flows, 0, &number));
		ASSERT_EQ(n, number);
		pause_ms(10);
	}
	ASSERT_EQ(PACKETS, flows_collect(flows, PACKETS));
	EXPECT_EQ(PACKETS, flows->got[0]);
	EXPECT_TRUE(flows->in_order);
}

/* What its reader has in hand waits, too: nothing else says that it was passed on. */
TEST_F(moving, in_order_with_one_in_hand)
{
	struct flows *flows = &self->flows;
	uint32_t number;

	ASSERT_EQ(0, fill(flows, 0, flow_nth(1), 1));
	ASSERT_EQ(0, read_number(flows, 0, &number));
	ASSERT_EQ(0, flows_write(flows, 1, flow_nth(1)));
	ASSERT_EQ(0, flows_send(flows, flow_nth(1), 1));
	EXPECT_EQ(0, read_number(flows, 0, &number));
	/* The reader asks for more: it has passed it on. */
	EXPECT_EQ(-EAGAIN, read_number(flows, 0, &number));
	ASSERT_EQ(0, flows_write(flows, 1, flow_nth(1)));
	ASSERT_EQ(0, flows_send(flows, flow_nth(1), 2));
	EXPECT_EQ(0, read_number(flows, 1, &number));
	/* To ask if there is more is to say the same. */
	EXPECT_EQ(0, wait_events(flows->fd[1], POLLIN, 0));
	ASSERT_EQ(0, flows_write(flows, 0, flow_nth(1)));
	ASSERT_EQ(0, flows_send(flows, flow_nth(1), 3));
	EXPECT_EQ(0, read_number(flows, 0, &number));
}

/* A program that stopped with one in hand does not keep a flow for ever. */
TEST_F(moving, not_kept_by_one_in_hand)
{
	struct flows *flows = &self->flows;
	int64_t start = now_ms();
	uint32_t number;

	ASSERT_EQ(0, fill(flows, 0, flow_nth(1), 1));
	ASSERT_EQ(0, read_number(flows, 0, &number));
	ASSERT_TRUE(wait_until(!flows_write(flows, 1, flow_nth(1)) &&
			       !flows_send(flows, flow_nth(1), 0) &&
			       wait_events(flows->fd[1], POLLIN, 0) == POLLIN));
	EXPECT_LT(100, now_ms() - start);
}

/* A flow from the nth on whose hash says that queue. */
static int flow_on(struct flows *flows, int queue, int n)
{
	int end = n + 64, on;

	for (; n < end; n++) {
		on = flows_send_to(flows, flow_nth(n));
		if (on < 0 || on == queue)
			return on < 0 ? on : n;
	}
	return -ENOENT;
}

/* Whether the flow's next packet comes to that queue, which is emptied. */
static bool comes_to(struct flows *flows, int queue, struct flow f)
{
	uint32_t number;
	bool came = false;

	if (flows_send(flows, f, 0))
		return false;
	while (!read_number(flows, queue, &number))
		came = true;
	return came;
}

/*
 * What was learned of a flow ages, and it goes where its hash says: not before
 * those that wait. Another flow, learned after it, shows when.
 */
TEST_F_TIMEOUT(moving, in_order_beyond_its_age, 60)
{
	struct flows *flows = &self->flows;
	int waits, other, n;

	waits = flow_on(flows, 1, 1);
	ASSERT_LT(0, waits);
	other = flow_on(flows, 0, waits + 1);
	ASSERT_LT(0, other);
	ASSERT_EQ(0, fill(flows, 0, flow_nth(waits), PACKETS));
	ASSERT_EQ(0, flows_write(flows, 1, flow_nth(other)));
	ASSERT_TRUE(comes_to(flows, 1, flow_nth(other)));
	ASSERT_TRUE(wait_until(!comes_to(flows, 1, flow_nth(other))));
	for (n = PACKETS; n < PACKETS + 10; n++)
		ASSERT_EQ(0, flows_send(flows, flow_nth(waits), n));
	EXPECT_EQ(PACKETS + 11, flows_collect(flows, PACKETS + 11));
	EXPECT_EQ(PACKETS + 11, flows->got[0]);
	EXPECT_EQ(1, flows_send_to(flows, flow_nth(waits)));
}

/* No reader, and so a ring that stays full, does not keep a flow for ever. */
TEST_F(moving, not_kept_by_a_full_ring)
{
	struct flows *flows = &self->flows;
	int64_t start = now_ms();

	ASSERT_EQ(0, fill(flows, 0, flow_nth(1), PACKETS));
	ASSERT_TRUE(wait_until(!flows_write(flows, 1, flow_nth(1)) &&
			       !flows_send(flows, flow_nth(1), 0) &&
			       wait_events(flows->fd[1], POLLIN, 0) == POLLIN));
	EXPECT_LT(100, now_ms() - start);
}

/* Waiting packets of many flows: each flow goes where its next packet goes. */
TEST_F(moving, flows_stay_whole)
{
	struct flows *flows = &self->flows;
	int n;

	for (n = 0; n < PACKETS; n++) {
		ASSERT_EQ(0, flows_write(flows, 1, flow_nth(n)));
		ASSERT_EQ(0, flows_send(flows, flow_nth(n), n));
	}
	ASSERT_EQ(0, tun_queue(flows->fd[1], IFF_DETACH_QUEUE));
	ASSERT_EQ(PACKETS, flows_collect(flows, PACKETS));
	EXPECT_EQ(PACKETS, flows->got[0]);
	EXPECT_TRUE(flows->in_order);
}

/* No room for all: what is left over is counted. */
TEST_F(moving, no_room)
{
	struct flows *flows = &self->flows;
	int read;

	ASSERT_EQ(0, link_set_u32(flows->index, IFLA_TXQLEN, PACKETS));
	ASSERT_EQ(0, fill(flows, 0, flow_nth(1), PACKETS - 10));
	ASSERT_EQ(0, fill(flows, 1, flow_nth(2), PACKETS - 10));
	ASSERT_EQ(0, tun_queue(flows->fd[1], IFF_DETACH_QUEUE));
	read = flows_collect(flows, PACKETS);
	EXPECT_EQ(PACKETS, read);
	EXPECT_EQ(2 * (PACKETS - 10) - PACKETS, dropped(flows));
}

/* No queue to go to: all counted. */
TEST_F(moving, no_queue)
{
	struct flows *flows = &self->flows;

	ASSERT_EQ(0, tun_queue(flows->fd[0], IFF_DETACH_QUEUE));
	ASSERT_EQ(0, fill(flows, 1, flow_nth(1), PACKETS));
	ASSERT_EQ(0, tun_queue(flows->fd[1], IFF_DETACH_QUEUE));
	EXPECT_EQ(0, flows_collect(flows, 0));
	EXPECT_EQ(PACKETS, dropped(flows));
}

/* A closed queue's packets are moved or counted, too. */
TEST_F(moving, close_accounts)
{
	struct flows *flows = &self->flows;
	int read;

	ASSERT_EQ(0, fill(flows, 1, flow_nth(1), PACKETS));
	close(flows->fd[1]);
	flows->fd[1] = -1;
	read = flows_collect(flows, 0);
	ASSERT_LE(0, read);
	EXPECT_EQ(PACKETS, read + dropped(flows));
}

/* A shorter ring throws away only what it counts. */
TEST_F(moving, shrink_accounts)
{
	struct flows *flows = &self->flows;

	ASSERT_EQ(0, fill(flows, 1, flow_nth(1), PACKETS));
	ASSERT_EQ(0, link_set_u32(flows->index, IFLA_TXQLEN, 20));
	EXPECT_EQ(20, flows_collect(flows, 20));
	EXPECT_EQ(PACKETS - 20, dropped(flows));
}

TEST_HARNESS_MAIN
