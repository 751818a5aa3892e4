// SPDX-License-Identifier: GPL-2.0-only
/*
 * One of four queues is detached and attached again and again under load:
 * nothing is lost while there is room, and each flow stays in order. What the
 * in-tree driver does with the same load is shown beside it.
 *
 * DETACH_CYCLES: how often (100, or what can be done in 10 s).
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "load.h"
#include "reflect.h"
#include "rtnl.h"
#include "harness.h"

#define QUEUES		4
#define WINDOW		128	/* packets on their way */
#define ROOM		4096	/* more than can be on their way */
#define PACE		16	/* packets between two changes */

#define CYCLES		100
#define ENOUGH_MS	10000
#define LONG_TIME	86400

/*
 * Whether to go on after n cycles. Without a number to do, a slow kernel may
 * stop sooner, and the in-tree driver, which loses packets at once, too.
 */
static bool more_cycles(int n, int64_t start)
{
	const char *text = getenv("DETACH_CYCLES");

	if (text && *text)
		return n < atoi(text);
	return n < (tun_is_rtun() ? CYCLES : CYCLES / 5) &&
	       now_ms() - start < ENOUGH_MS;
}

FIXTURE(cycles)
{
	struct load load;
	struct load_result result;
};

FIXTURE_VARIANT(cycles)
{
	const char *node, *kind;
	int flags;
};

FIXTURE_VARIANT_ADD(cycles, in_tree_tun)
{
	.node = "/dev/net/tun", .kind = "tun", .flags = IFF_TUN,
};

FIXTURE_VARIANT_ADD(cycles, rtun_tun)
{
	.node = "/dev/net/rtun", .kind = "rtun", .flags = IFF_TUN,
};

FIXTURE_VARIANT_ADD(cycles, rtun_tap)
{
	.node = "/dev/net/rtun", .kind = "rtun", .flags = IFF_TAP,
};

FIXTURE_SETUP(cycles)
{
	setenv("TUN_DEV", variant->node, 1);
	setenv("TUN_KIND", variant->kind, 1);
	ASSERT_EQ(0, ns_enter());
	ASSERT_EQ(0, load_start(&self->load, variant->flags, QUEUES, ROOM,
				WINDOW, false));
}

FIXTURE_TEARDOWN(cycles)
{
}

/*
 * Every other change finds packets waiting in all queues, and more come before
 * any is read.
 */
static int change(struct load *load, int (*how)(struct load *load, int slot),
		  int slot, bool waiting)
{
	int err = waiting ? load_fill(load, 50) : 0;

	if (!err)
		err = how(load, slot);
	if (!err && waiting)
		err = load_fill(load, 100);
	load_resume(load);
	return err ? err : load_pass(load, PACE);
}

TEST_F_TIMEOUT(cycles, packets, LONG_TIME)
{
	struct load *load = &self->load;
	int64_t start = now_ms();
	int n;

	for (n = 0; more_cycles(n, start); n++) {
		int slot = n % QUEUES;

		ASSERT_EQ(0, change(load, load_detach, slot, n & 1));
		ASSERT_EQ(0, change(load, load_attach, slot, n & 2));
	}
	ASSERT_EQ(0, load_settle(load, &self->result));
	ASSERT_EQ(0, load_stop(load));
	printf("# %d cycles in %.1f s\n", n, (now_ms() - start) / 1000.0);
	load_report(load, &self->result, variant->kind);
	EXPECT_EQ(0, load->alien);
	if (!tun_is_rtun())
		return;
	EXPECT_EQ(self->result.sent, self->result.received);
	EXPECT_EQ(0, self->result.dropped);
	EXPECT_EQ(0, self->result.reordered);
}

FIXTURE(tcp)
{
	struct reflect reflect;
};

FIXTURE_VARIANT(tcp)
{
	const char *node, *kind;
};

FIXTURE_VARIANT_ADD(tcp, in_tree)
{
	.node = "/dev/net/tun", .kind = "tun",
};

FIXTURE_VARIANT_ADD(tcp, rtun)
{
	.node = "/dev/net/rtun", .kind = "rtun",
};

FIXTURE_SETUP(tcp)
{
	setenv("TUN_DEV", variant->node, 1);
	setenv("TUN_KIND", variant->kind, 1);
	ASSERT_EQ(0, ns_enter());
	ASSERT_EQ(0, reflect_start(&self->reflect));
}

FIXTURE_TEARDOWN(tcp)
{
	reflect_stop(&self->reflect);
}

TEST_F_TIMEOUT(tcp, connections, LONG_TIME)
{
	struct reflect *r = &self->reflect;
	int64_t start = now_ms();
	struct link_info info;
	int n;

	for (n = 0; more_cycles(n, start); n++) {
		int fd = r->fd[n % QUEUES];

		ASSERT_EQ(0, tun_queue(fd, IFF_DETACH_QUEUE));
		ASSERT_EQ(0, reflect_pass(r, PACE));
		ASSERT_EQ(0, tun_queue(fd, IFF_ATTACH_QUEUE));
		ASSERT_EQ(0, reflect_pass(r, PACE));
	}
	ASSERT_EQ(0, link_get(r->index, &info));
	printf("# %s, TCP: %d cycles in %.1f s, %ld packets, %ld bytes: missing %ld, late %ld, retransmitted %ld, counted as dropped %ld\n",
	       variant->kind, n, (now_ms() - start) / 1000.0, r->packets,
	       r->bytes, r->missing, r->late, reflect_retransmitted(r),
	       (long)info.stats.tx_dropped);
	fflush(stdout);
	if (!tun_is_rtun())
		return;
	EXPECT_EQ(0, r->missing);
	EXPECT_EQ(0, r->late);
	EXPECT_EQ(0, info.stats.tx_dropped);
}

TEST_HARNESS_MAIN
