// SPDX-License-Identifier: GPL-2.0-only
/*
 * A storm of queues and devices that come and go.
 *
 * accounting: queues come and go under traffic, and each packet is read or
 * counted as dropped. chaos: everything at once, devices and namespaces too;
 * nobody may block, and at the end nothing may be left.
 *
 * STORM_SECONDS: how long each (5). STORM_SEED: what to repeat.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "kmod.h"
#include "load.h"
#include "rtnl.h"
#include "storm.h"
#include "harness.h"

#define QUEUES		4
#define ACTORS		3
#define LONG_TIME	86400

/* The longest that a call may take on an emulated, busy machine. */
#define BOUND_MS	WAIT_MS

static int64_t storm_ms(void)
{
	const char *text = getenv("STORM_SECONDS");

	return (text && *text ? atoi(text) : 5) * 1000LL;
}

static unsigned int storm_seed(void)
{
	const char *text = getenv("STORM_SEED");
	unsigned int seed;

	seed = text && *text ? strtoul(text, NULL, 0) : (unsigned int)time(NULL);
	printf("# STORM_SEED=%u\n", seed);
	fflush(stdout);
	return seed;
}

FIXTURE(accounting)
{
	struct load load;
	struct load_result result;
};

FIXTURE_VARIANT(accounting)
{
	int flags;
	bool direct;	/* no queueing discipline, which may drop, too */
	bool resize;
};

FIXTURE_VARIANT_ADD(accounting, tun)
{
	.flags = IFF_TUN,
};

FIXTURE_VARIANT_ADD(accounting, tap)
{
	.flags = IFF_TAP,
};

FIXTURE_VARIANT_ADD(accounting, resize)
{
	.flags = IFF_TUN,
	.direct = true,
	.resize = true,
};

FIXTURE_SETUP(accounting)
{
	ASSERT_EQ(0, ns_enter());
	ASSERT_EQ(0, load_start(&self->load, variant->flags, QUEUES, 256, 1024,
				variant->direct));
}

FIXTURE_TEARDOWN(accounting)
{
}

struct actor {
	struct load *load;
	unsigned int random;
	int64_t end, slowest;
	bool resize;
	long changes, errors;
	int error;
	pthread_t thread;
};

/* Slot 0 stays open, so that the device stays. */
static int change_slot(struct actor *actor, int slot)
{
	struct load *load = actor->load;
	unsigned int r = storm_random(&actor->random) % 4;

	switch (load->slot[slot].state) {
	case SLOT_CLOSED:
		return load_open(load, slot);
	case SLOT_ACTIVE:
		return r || !slot ? load_detach(load, slot) :
			load_close(load, slot);
	default:
		return r || !slot ? load_attach(load, slot) :
			load_close(load, slot);
	}
}

static void *actor_main(void *arg)
{
	struct actor *actor = arg;
	struct load *load = actor->load;
	int64_t start;
	int err;

	while ((start = now_ms()) < actor->end) {
		unsigned int r = storm_random(&actor->random);
		int slot = r % QUEUES;

		pthread_mutex_lock(&load->slot[slot].change);
		if (actor->resize && !(r >> 8 & 7))
			err = load_resize(load, 1 + (r >> 16) % 512);
		else
			err = change_slot(actor, slot);
		pthread_mutex_unlock(&load->slot[slot].change);
		actor->changes++;
		if (err) {
			actor->errors++;
			actor->error = err;
		}
		if (now_ms() - start > actor->slowest)
			actor->slowest = now_ms() - start;
	}
	return NULL;
}

TEST_F_TIMEOUT(accounting, every_packet, LONG_TIME)
{
	struct load_result *result = &self->result;
	struct actor actor[ACTORS] = { };
	unsigned int seed = storm_seed();
	int64_t end = now_ms() + storm_ms();
	struct link_info info;
	int i;

	for (i = 0; i < ACTORS; i++) {
		actor[i] = (struct actor){
			.load = &self->load, .random = seed + i, .end = end,
			.resize = variant->resize,
		};
		ASSERT_EQ(0, pthread_create(&actor[i].thread, NULL, actor_main,
					    &actor[i]));
	}
	for (i = 0; i < ACTORS; i++) {
		pthread_join(actor[i].thread, NULL);
		printf("# actor %d: %ld changes, the slowest took %lld ms\n", i,
		       actor[i].changes, (long long)actor[i].slowest);
		EXPECT_EQ(0, actor[i].errors) TH_LOG("%d", actor[i].error);
		EXPECT_LT(actor[i].slowest, BOUND_MS);
	}
	ASSERT_EQ(0, load_settle(&self->load, result));
	ASSERT_EQ(0, link_get(self->load.index, &info));
	load_stop(&self->load);
	load_report(&self->load, result, "rtun");
	EXPECT_EQ(0, result->uncounted);
	EXPECT_EQ(result->received, (long)info.stats.tx_packets);
	EXPECT_EQ(0, result->reordered);
	EXPECT_EQ(0, self->load.alien);
	EXPECT_LT(0, result->received);
}

FIXTURE(chaos)
{
	struct storm storm;
};

FIXTURE_SETUP(chaos)
{
	int err = kmod_loaded() ? kmod_unload_when_idle() : 0;

	ASSERT_EQ(0, err);
	ASSERT_EQ(0, ns_enter());
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
	int op;

	ASSERT_EQ(0, storm_start(storm, storm_seed()));
	storm_watch(storm, storm_ms());
	EXPECT_EQ(0, storm_stop(storm));
	for (op = 0; op < STORM_OPS; op++)
		printf("# %-8s %8ld done, %8ld refused, slowest %6ld ms\n",
		       storm_op_name[op], storm->done[op], storm->failed[op],
		       storm->slowest[op]);
	for (op = 0; op < STORM_OPS; op++) {
		EXPECT_LT(storm->slowest[op], BOUND_MS) {
			TH_LOG("%s", storm_op_name[op]);
		}
	}
	EXPECT_EQ(0, storm->odd_errno) {
		TH_LOG("%s: %d", storm_op_name[storm->odd_op],
		       storm->odd_errno);
	}
	EXPECT_EQ(0, kmod_unload_when_idle());
}

TEST_HARNESS_MAIN
