// SPDX-License-Identifier: GPL-2.0-only
/*
 * The storm of queues that come and go (rtun_storm), with vhost-net: it is started
 * and stopped on queues that are detached, attached and closed meanwhile.
 *
 * accounting: vhost reads queues, writes to them, or does both. Each packet is read
 * by the program or the guest, or counted as dropped; and what is written by either is
 * received. chaos: everything at once, vhost too.
 */
#include <unistd.h>

#include "storm.h"
#include "storm_sum.h"
#include "harness.h"

#define LONG_TIME	86400
/* What vhost gives back finds room, whatever has come since. */
#define RING		2048
#define WINDOW		1024

static void __attribute__((constructor)) require(void)
{
	vhost_require();
}

/* The first of each takes memory that stays. */
static int warm_up(void)
{
	struct vhost vhost;
	int fd, err = vhost_open(&vhost, VHOST_V1 | VHOST_HDR);

	if (err)
		return err;
	fd = tun_create("first", TAP_NOPI | IFF_MULTI_QUEUE);
	if (fd < 0)
		return fd;
	err = vhost_set_backend(&vhost, fd);
	if (!err)
		err = vhost_set_backend(&vhost, -1);
	vhost_close(&vhost);
	close(fd);
	return err;
}

FIXTURE(accounting)
{
	struct storm_sum sum;
	struct baseline before;
};

FIXTURE_VARIANT(accounting)
{
	int flags;
	storm_change also;
};

FIXTURE_VARIANT_ADD(accounting, tap)
{
	.flags = IFF_TAP,
};

FIXTURE_VARIANT_ADD(accounting, tun)
{
	.flags = IFF_TUN,
};

FIXTURE_VARIANT_ADD(accounting, frames)
{
	.flags = IFF_TAP | LOAD_FRAMES,
};

FIXTURE_VARIANT_ADD(accounting, sndbuf)
{
	.flags = IFF_TAP,
	.also = sum_change_sndbuf,
};

FIXTURE_VARIANT_ADD(accounting, napi)
{
	.flags = IFF_TUN | IFF_NAPI,
};

FIXTURE_SETUP(accounting)
{
	ASSERT_EQ(0, ns_enter());
	ASSERT_EQ(0, warm_up());
	ASSERT_EQ(0, baseline_get(&self->before));
	ASSERT_EQ(0, load_start(&self->sum.load, variant->flags | LOAD_VHOST,
				SUM_QUEUES, RING, WINDOW, false));
}

FIXTURE_TEARDOWN(accounting)
{
}

/* What vhost has in its hands when a flow moves comes late: the order is not kept. */
TEST_F_TIMEOUT(accounting, every_packet, LONG_TIME)
{
	ASSERT_EQ(0, sum_run(&self->sum, variant->also));
	EXPECT_EQ(0, sum_wrong(&self->sum, false));
	EXPECT_LT(0, self->sum.load.guest_read);
	EXPECT_LT(0, self->sum.guest_wrote);
	EXPECT_EQ(0, baseline_left(&self->before));
}

FIXTURE(chaos)
{
	struct storm storm;
	struct baseline before;
};

FIXTURE_SETUP(chaos)
{
	ASSERT_EQ(0, ns_enter());
	ASSERT_EQ(0, warm_up());
	ASSERT_EQ(0, baseline_get(&self->before));
}

FIXTURE_TEARDOWN(chaos)
{
}

TEST_F_TIMEOUT(chaos, nothing_left, LONG_TIME)
{
	struct storm *storm = &self->storm;

	ASSERT_EQ(0, storm_start(storm, storm_seed(), true));
	storm_watch(storm, storm_ms());
	EXPECT_EQ(0, storm_stop(storm));
	EXPECT_EQ(0, storm_wrong(storm, BOUND_MS));
	EXPECT_LT(0, storm->done[OP_VHOST]);
	EXPECT_LT(0, storm->done[OP_GUEST]);
	EXPECT_EQ(0, baseline_left(&self->before));
}

TEST_HARNESS_MAIN
