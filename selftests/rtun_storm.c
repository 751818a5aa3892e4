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
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/ip.h>

#include "batch.h"
#include "bpf.h"
#include "kmod.h"
#include "load.h"
#include "qstats.h"
#include "rtnl.h"
#include "slab.h"
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

	return (text && *text ? atoi(text) : 3) * 1000LL;
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

/* What must be at the end as it was before. */
struct baseline {
	struct slabs slabs;
	int sockets;
};

/* The first device takes memory that stays. */
static int warm_up(void)
{
	int fd = tun_create("first", IFF_TAP | IFF_MULTI_QUEUE);

	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

static int baseline_get(struct baseline *before)
{
	int err = rcu_barrier();

	if (err)
		return err;
	before->sockets = sockets_used();
	return before->sockets < 0 ? before->sockets : slabs_get(&before->slabs);
}

/* What else an actor changes by a file of the device. */

static int change_length(struct load *load, int fd, unsigned int random)
{
	return load_resize(load, 1 + random % 512);
}

/* From one packet on its way, to no limit at all. */
static int change_sndbuf(struct load *load, int fd, unsigned int random)
{
	static const int sizes[] = { 1, 2000, 100000, INT32_MAX };

	return tun_ioctl_ptr(fd, TUNSETSNDBUF,
			     &sizes[random % ARRAY_SIZE(sizes)]);
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
static int change_filter(struct load *load, int fd, unsigned int random)
{
	static struct sock_filter half[] = {
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS,
			 ETH_HLEN + sizeof(struct iphdr)),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 4, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 0xffff),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	struct sock_fprog prog = { .len = ARRAY_SIZE(half), .filter = half };

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

static int change_steering(struct load *load, int fd, unsigned int random)
{
	return change_program(fd, TUNSETSTEERINGEBPF,
			      (int)(random % (QUEUES + 1)) - 1);
}

FIXTURE(accounting)
{
	struct load load;
	struct load_result result;
	struct baseline before;
};

FIXTURE_VARIANT(accounting)
{
	int flags;
	bool direct;	/* no queueing discipline, which may drop, too */
	int ring;	/* packets in each, or 0: 256 */
	int (*also)(struct load *load, int fd, unsigned int random);
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
	.also = change_sndbuf,
};

FIXTURE_VARIANT_ADD(accounting, sndbuf)
{
	.flags = IFF_TUN,
	.also = change_sndbuf,
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
	.also = change_sndbuf,
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
	ASSERT_EQ(0, load_start(&self->load, variant->flags, QUEUES,
				variant->ring ?: 256, 1024, variant->direct));
}

FIXTURE_TEARDOWN(accounting)
{
}

struct actor {
	struct load *load;
	unsigned int random;
	int64_t end, slowest;
	int (*also)(struct load *load, int fd, unsigned int random);
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
		if (actor->also && !(r >> 8 & 3) && load->slot[slot].fd >= 0)
			err = actor->also(load, load->slot[slot].fd, r >> 16);
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

/* Writes to any queue, in the other direction. */
struct writer {
	struct load *load;
	unsigned int random;
	int64_t end, slowest;
	long written, errors, refused;
	long of_number[QUEUES];	/* of those written, by transmit queue */
	bool limited;		/* by a send buffer */
	int error;
	pthread_t thread;
};

/* Of a flow that is not sent: what is learned of it moves none that is. */
static size_t build_write(struct writer *writer, uint8_t *buf)
{
	static const uint8_t mac[6] = { 2, 0, 0, 0, 0, 2 };
	unsigned int n = storm_random(&writer->random) % LOAD_FLOWS;
	size_t head = writer->load->flags & IFF_TAP ? ETH_HLEN : 0;

	if (head)
		packet_eth(buf, mac, mac, ETH_P_IP);
	return head + packet_udp4(buf + head, flow_nth(LOAD_FLOWS + n), "", 1);
}

/* A detached queue whose NAPI is off; a send buffer that is full. */
static bool may_refuse(const struct writer *writer, int ret)
{
	return (ret == -EBUSY && (writer->load->flags & IFF_NAPI)) ||
	       (ret == -EAGAIN && writer->limited);
}

/* One packet, or several in one call, of which fewer may go: how many went. */
static int write_some(struct writer *writer, int fd)
{
	static struct batch batch;	/* there is one writer */
	uint8_t packet[128];
	size_t len = build_write(writer, packet);
	int ret, n;

	if (!writer->load->packed) {
		ret = write_ret(fd, packet, len);
		return ret < 0 ? ret : ret == len ? 1 : -EMSGSIZE;
	}
	batch.len = 0;
	for (n = storm_random(&writer->random) % 100; n >= 0; n--)
		batch_put(&batch, packet, len);
	ret = batch_write(fd, &batch);
	return ret < 0 ? ret : ret / (int)RTUN_FRAME_SIZE(len);
}

static void write_one(struct writer *writer, struct load_slot *slot)
{
	int64_t start = now_ms();
	int ret = write_some(writer, slot->fd);

	if (now_ms() - start > writer->slowest)
		writer->slowest = now_ms() - start;
	if (ret >= 0) {
		writer->written += ret;
		writer->of_number[slot->number] += ret;
		return;
	}
	if (may_refuse(writer, ret)) {
		writer->refused++;
		return;
	}
	writer->errors++;
	writer->error = ret;
}

static void *writer_main(void *arg)
{
	struct writer *writer = arg;

	while (now_ms() < writer->end) {
		unsigned int n = storm_random(&writer->random) % QUEUES;
		struct load_slot *slot = &writer->load->slot[n];

		pthread_rwlock_rdlock(&slot->lock);
		if (slot->fd >= 0)
			write_one(writer, slot);
		pthread_rwlock_unlock(&slot->lock);
		sched_yield();
	}
	return NULL;
}

static int storm_begin(struct load *load, struct actor *actor,
		       struct writer *writer,
		       int (*also)(struct load *load, int fd,
				   unsigned int random))
{
	unsigned int seed = storm_seed();
	int64_t end = now_ms() + storm_ms();
	int i, err = 0;

	for (i = 0; !err && i < ACTORS; i++) {
		actor[i] = (struct actor){
			.load = load, .random = seed + i, .end = end,
			.also = also,
		};
		err = -pthread_create(&actor[i].thread, NULL, actor_main,
				      &actor[i]);
	}
	*writer = (struct writer){
		.load = load, .random = seed + i, .end = end,
		.limited = also == change_sndbuf,
	};
	return err ? err : -pthread_create(&writer->thread, NULL, writer_main,
					   writer);
}

static void storm_end(struct __test_metadata *_metadata, struct actor *actor,
		      struct writer *writer)
{
	int i;

	for (i = 0; i < ACTORS; i++) {
		pthread_join(actor[i].thread, NULL);
		printf("# actor %d: %ld changes, the slowest took %lld ms\n", i,
		       actor[i].changes, (long long)actor[i].slowest);
		EXPECT_EQ(0, actor[i].errors) TH_LOG("%d", actor[i].error);
		EXPECT_LT(actor[i].slowest, BOUND_MS);
	}
	pthread_join(writer->thread, NULL);
	printf("# %ld written, %ld refused, the slowest took %lld ms\n",
	       writer->written, writer->refused, (long long)writer->slowest);
	EXPECT_EQ(0, writer->errors) TH_LOG("%d", writer->error);
	EXPECT_LT(writer->slowest, BOUND_MS);
}

/* Those who send and read. */
static void load_bounded(struct __test_metadata *_metadata, struct load *load)
{
	printf("# the slowest send took %ld ms, read %ld ms\n",
	       (long)load->slowest_send, (long)load->slowest_read);
	EXPECT_LT(load->slowest_send, BOUND_MS);
	EXPECT_LT(load->slowest_read, BOUND_MS);
}

/* What each queue has counted is what was read and written by it, and no drop is lost. */
static void check_queues(struct __test_metadata *_metadata, struct load *load,
			 const struct load_result *result,
			 const struct writer *writer)
{
	struct qstats queue[QUEUES], all;
	long sent = 0, dropped = 0;
	int i;

	ASSERT_EQ(0, qstats_device(load->index, &all));
	ASSERT_EQ(QUEUES, qstats_queues(load->index, queue, QUEUES));
	for (i = 0; i < QUEUES; i++) {
		EXPECT_EQ(load->read[i], queue[i].tx_packets)
			TH_LOG("queue %d", i);
		EXPECT_EQ(writer->of_number[i], queue[i].rx_packets)
			TH_LOG("queue %d", i);
		EXPECT_EQ(0, queue[i].rx_drops);
		sent += queue[i].tx_packets + queue[i].tx_drops;
		dropped += queue[i].tx_drops;
	}
	EXPECT_EQ(result->sent, sent);
	EXPECT_EQ(all.tx_drops, dropped);
}

/* A socket that was charged has the module until a grace period is over. */
static int module_refs_left(void)
{
	int refs;

	wait_until((refs = tun_module_refs()) <= 0);
	return refs;
}

/* All is as it was. */
static void nothing_left(struct __test_metadata *_metadata,
			 const struct baseline *before)
{
	EXPECT_EQ(0, rcu_barrier());
	EXPECT_EQ(before->sockets, sockets_used());
	EXPECT_EQ(0, slabs_grown(&before->slabs));
}

TEST_F_TIMEOUT(accounting, every_packet, LONG_TIME)
{
	struct load_result *result = &self->result;
	struct actor actor[ACTORS];
	struct writer writer;
	struct link_info info;

	ASSERT_EQ(0, storm_begin(&self->load, actor, &writer, variant->also));
	storm_end(_metadata, actor, &writer);
	ASSERT_EQ(0, load_settle(&self->load, result));
	ASSERT_EQ(0, link_get(self->load.index, &info));
	check_queues(_metadata, &self->load, result, &writer);
	ASSERT_EQ(0, load_stop(&self->load));
	load_report(&self->load, result, "rtun");
	load_bounded(_metadata, &self->load);
	EXPECT_EQ(0, result->uncounted);
	EXPECT_EQ(result->received, (long)info.stats.tx_packets);
	EXPECT_EQ(writer.written, (long)info.stats.rx_packets);
	EXPECT_EQ(0, (long)info.stats.rx_dropped);
	if (!variant->moves)
		EXPECT_EQ(0, result->reordered);
	EXPECT_EQ(0, self->load.alien);
	EXPECT_LT(0, result->received);
	EXPECT_LT(0, writer.written);
	EXPECT_EQ(0, module_refs_left());
	nothing_left(_metadata, &self->before);
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
	nothing_left(_metadata, &self->before);
}

TEST_HARNESS_MAIN
