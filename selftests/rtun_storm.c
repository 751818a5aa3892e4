// SPDX-License-Identifier: GPL-2.0-only
/*
 * A storm of queues and devices that come and go.
 *
 * accounting: queues come and go under traffic in both directions, and each
 * packet is read, received or counted as dropped, for its queue as in sum; in some
 * variants something else is changed meanwhile. chaos: everything at once, devices and namespaces
 * too. Nobody may block, and at the end nothing may be left: no reference of the
 * module, no socket, no memory.
 *
 * STORM_SECONDS: how long each (3). STORM_SEED: what to repeat.
 */
#include <stdio.h>
#include <unistd.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/ip.h>

#include "bpf.h"
#include "kmod.h"
#include "load.h"
#include "storm.h"
#include "storm_sum.h"
#include "harness.h"

#define LONG_TIME	86400

/* The first device takes memory that stays. */
static int warm_up(void)
{
	int fd = tun_create("first", IFF_TAP | IFF_MULTI_QUEUE);

	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

/* What else an actor changes. */

static int change_length(struct load *load, int slot, unsigned int random)
{
	return load_resize(load, 1 + random % 512);
}

/* A program that says the same of all packets, or none for a negative value. */
static int change_program(int fd, unsigned long cmd, int value)
{
	int err, prog = -1;

	if (value >= 0) {
		prog = bpf_load_constant(BPF_PROG_TYPE_SOCKET_FILTER, value);
		if (prog < 0)
			return prog;
	}
	err = tun_ioctl_ptr(fd, cmd, &prog);
	close(prog);
	return err;
}

/* Flows of which one bit of the source port is set, or all. */
static int change_filter(struct load *load, int slot, unsigned int random)
{
	static struct sock_filter half[] = {
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS,
			 ETH_HLEN + sizeof(struct iphdr)),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 4, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 0xffff),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	struct sock_fprog prog = { .len = ARRAY_SIZE(half), .filter = half };
	int fd = load->slot[slot].fd;

	switch (random % 4) {
	case 0:
		return tun_ioctl_ptr(fd, TUNATTACHFILTER, &prog);
	case 1:
		return tun_ioctl(fd, TUNDETACHFILTER, 0);
	default:
		return change_program(fd, TUNSETFILTEREBPF,
				      random & 1 ? 0xffff : -1);
	}
}

static int change_steering(struct load *load, int slot, unsigned int random)
{
	return change_program(load->slot[slot].fd, TUNSETSTEERINGEBPF,
			      (int)(random % (SUM_QUEUES + 1)) - 1);
}

FIXTURE(accounting)
{
	struct storm_sum sum;
	struct baseline before;
};

FIXTURE_VARIANT(accounting)
{
	int flags;
	bool direct;	/* no queueing discipline, which may drop, too */
	int ring;	/* packets in each, or 0: 256 */
	storm_change also;
	bool moves;	/* flows, so that their order is not kept */
};

FIXTURE_VARIANT_ADD(accounting, tun)
{
	.flags = IFF_TUN,
};

FIXTURE_VARIANT_ADD(accounting, tap)
{
	.flags = IFF_TAP,
};

FIXTURE_VARIANT_ADD(accounting, frames)
{
	.flags = IFF_TAP | LOAD_FRAMES,
};

FIXTURE_VARIANT_ADD(accounting, resize)
{
	.flags = IFF_TUN,
	.direct = true,
	.also = change_length,
};

FIXTURE_VARIANT_ADD(accounting, napi)
{
	.flags = IFF_TUN | IFF_NAPI,
};

FIXTURE_VARIANT_ADD(accounting, napi_frags)
{
	.flags = IFF_TAP | IFF_NAPI | IFF_NAPI_FRAGS,
	.also = sum_change_sndbuf,
};

FIXTURE_VARIANT_ADD(accounting, sndbuf)
{
	.flags = IFF_TUN,
	.also = sum_change_sndbuf,
};

FIXTURE_VARIANT_ADD(accounting, filter)
{
	.flags = IFF_TAP,
	.also = change_filter,
};

FIXTURE_VARIANT_ADD(accounting, steering)
{
	.flags = IFF_TUN,
	.also = change_steering,
	.moves = true,
};

FIXTURE_VARIANT_ADD(accounting, backpressure)
{
	.flags = IFF_TUN | IFF_BACKPRESSURE,
	.ring = 16,
};

/* Each queue by a socket of its own, the file being closed. */
FIXTURE_VARIANT_ADD(accounting, sockets)
{
	.flags = IFF_TUN | LOAD_SOCKETS,
	.also = sum_change_sndbuf,
};

FIXTURE_VARIANT_ADD(accounting, packed)
{
	.flags = IFF_TAP | LOAD_PACKED,
};

FIXTURE_VARIANT_ADD(accounting, packed_napi)
{
	.flags = IFF_TUN | IFF_NAPI | LOAD_PACKED,
	.also = change_length,
	.direct = true,
};

FIXTURE_SETUP(accounting)
{
	ASSERT_EQ(0, ns_enter());
	ASSERT_EQ(0, warm_up());
	ASSERT_EQ(0, baseline_get(&self->before));
	ASSERT_EQ(0, load_start(&self->sum.load, variant->flags, SUM_QUEUES,
				variant->ring ?: 256, 1024, variant->direct));
}

FIXTURE_TEARDOWN(accounting)
{
}

TEST_F_TIMEOUT(accounting, every_packet, LONG_TIME)
{
	ASSERT_EQ(0, sum_run(&self->sum, variant->also));
	EXPECT_EQ(0, sum_wrong(&self->sum, !variant->moves));
	EXPECT_EQ(0, baseline_left(&self->before));
}

FIXTURE(chaos)
{
	struct storm storm;
	struct baseline before;
};

FIXTURE_SETUP(chaos)
{
	int err = kmod_loaded() ? kmod_unload_when_idle() : 0;

	ASSERT_EQ(0, err);
	ASSERT_EQ(0, ns_enter());
	ASSERT_EQ(0, kmod_load());
	ASSERT_EQ(0, warm_up());
	ASSERT_EQ(0, kmod_unload());
	ASSERT_EQ(0, baseline_get(&self->before));
	ASSERT_EQ(0, kmod_load());
}

/* The other tests want it loaded. */
FIXTURE_TEARDOWN(chaos)
{
	if (!kmod_loaded())
		EXPECT_EQ(0, kmod_load());
}

TEST_F_TIMEOUT(chaos, nothing_left, LONG_TIME)
{
	struct storm *storm = &self->storm;

	ASSERT_EQ(0, storm_start(storm, storm_seed(), false));
	storm_watch(storm, storm_ms());
	EXPECT_EQ(0, storm_stop(storm));
	EXPECT_EQ(0, storm_wrong(storm, BOUND_MS));
	EXPECT_EQ(0, kmod_unload_when_idle());
	EXPECT_EQ(0, baseline_left(&self->before));
}

TEST_HARNESS_MAIN
