// SPDX-License-Identifier: GPL-2.0-only
/* Each packet accounted for, while queues come and go: see storm_sum.h. */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <linux/if_ether.h>

#include "batch.h"
#include "qstats.h"
#include "rtnl.h"
#include "storm.h"
#include "storm_sum.h"

#define ARRAY_SIZE(array)	(sizeof(array) / sizeof(*(array)))

int64_t storm_ms(void)
{
	const char *text = getenv("STORM_SECONDS");

	return (text && *text ? atoi(text) : 3) * 1000LL;
}

unsigned int storm_seed(void)
{
	const char *text = getenv("STORM_SEED");
	unsigned int seed;

	seed = text && *text ? strtoul(text, NULL, 0) : (unsigned int)time(NULL);
	printf("# STORM_SEED=%u\n", seed);
	fflush(stdout);
	return seed;
}

int baseline_get(struct baseline *before)
{
	int err = rcu_barrier();

	if (err)
		return err;
	before->refs = tun_module_refs();
	before->sockets = sockets_used();
	return before->sockets < 0 ? before->sockets : slabs_get(&before->slabs);
}

int baseline_left(const struct baseline *before)
{
	int sockets, refs, left;

	/* A socket that was charged has the module until a grace period is over. */
	wait_until((refs = tun_module_refs()) <= before->refs);
	left = rcu_barrier() != 0;
	sockets = sockets_used();
	if (refs != before->refs && before->refs >= 0) {
		printf("# references of the module: %d, and %d before\n", refs,
		       before->refs);
		left++;
	}
	if (sockets != before->sockets) {
		printf("# sockets: %d, and %d before\n", sockets,
		       before->sockets);
		left++;
	}
	return left + slabs_grown(&before->slabs);
}

/* From one packet on its way, to no limit at all. */
int sum_change_sndbuf(struct load *load, int slot, unsigned int random)
{
	static const int sizes[] = { 1, 2000, 100000, INT32_MAX };

	return tun_ioctl_ptr(load->slot[slot].fd, TUNSETSNDBUF,
			     &sizes[random % ARRAY_SIZE(sizes)]);
}

/* Slot 0 stays open, so that the device stays. */
static int change_slot(struct sum_actor *actor, int slot)
{
	struct load *load = &actor->sum->load;
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

/* It reads, writes, or does both. */
static int change_vhost(struct load *load, int slot, unsigned int r)
{
	struct load_slot *s = &load->slot[slot];

	if (s->guest_reads || s->guest_writes)
		return load_vhost_stop(load, slot);
	return load_vhost_start(load, slot, r % 4, r % 4 != 1);
}

static int change_one(struct sum_actor *actor, int slot, unsigned int r)
{
	struct storm_sum *sum = actor->sum;
	struct load *load = &sum->load;

	if (sum->also && !(r & 3) && load->slot[slot].fd >= 0)
		return sum->also(load, slot, r >> 8);
	if (load->vhosts && !(r >> 2 & 1))
		return change_vhost(load, slot, r >> 8);
	return change_slot(actor, slot);
}

static void *actor_main(void *arg)
{
	struct sum_actor *actor = arg;
	struct storm_sum *sum = actor->sum;
	int64_t start;
	int err;

	while ((start = now_ms()) < sum->end) {
		unsigned int r = storm_random(&actor->random);
		int slot = r % SUM_QUEUES;

		pthread_mutex_lock(&sum->load.slot[slot].change);
		err = change_one(actor, slot, r >> 8);
		pthread_mutex_unlock(&sum->load.slot[slot].change);
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

/* Of a flow that is not sent: what is learned of it moves none that is. */
static size_t build_write(struct sum_writer *writer, uint8_t *buf)
{
	static const uint8_t mac[6] = { 2, 0, 0, 0, 0, 2 };
	unsigned int n = storm_random(&writer->random) % LOAD_FLOWS;
	size_t head = writer->sum->load.flags & IFF_TAP ? ETH_HLEN : 0;

	if (head)
		packet_eth(buf, mac, mac, ETH_P_IP);
	return head + packet_udp4(buf + head, flow_nth(LOAD_FLOWS + n), "", 1);
}

/* A detached queue whose NAPI is off; a send buffer that is full. */
static bool may_refuse(const struct storm_sum *sum, int ret)
{
	return (ret == -EBUSY && (sum->load.flags & IFF_NAPI)) ||
	       (ret == -EAGAIN && sum->limited);
}

/* One packet, or several in one call, of which fewer may go: how many went. */
static int write_some(struct sum_writer *writer, int slot)
{
	static struct batch batch;	/* there is one writer */
	struct load *load = &writer->sum->load;
	unsigned int r = storm_random(&writer->random);
	int fd = load->slot[slot].fd, ret, n;
	uint8_t packet[128];
	size_t len = build_write(writer, packet);

	/* Those that vhost takes it counts itself. */
	if (load->slot[slot].guest_writes && r >> 8 & 3)
		return load_vhost_write(load, slot, packet, len, r % 100);
	if (!load->packed) {
		ret = write_ret(fd, packet, len);
		return ret < 0 ? ret : ret == len ? 1 : -EMSGSIZE;
	}
	batch.len = 0;
	for (n = r % 100; n >= 0; n--)
		batch_put(&batch, packet, len);
	ret = batch_write(fd, &batch);
	return ret < 0 ? ret : ret / (int)RTUN_FRAME_SIZE(len);
}

static void write_one(struct sum_writer *writer, int slot)
{
	int64_t start = now_ms();
	int ret = write_some(writer, slot);

	if (now_ms() - start > writer->slowest)
		writer->slowest = now_ms() - start;
	if (ret >= 0) {
		writer->written += ret;
		writer->of_number[writer->sum->load.slot[slot].number] += ret;
		return;
	}
	if (may_refuse(writer->sum, ret)) {
		writer->refused++;
		return;
	}
	writer->errors++;
	writer->error = ret;
}

static void *writer_main(void *arg)
{
	struct sum_writer *writer = arg;

	while (now_ms() < writer->sum->end) {
		int slot = storm_random(&writer->random) % SUM_QUEUES;
		struct load_slot *s = &writer->sum->load.slot[slot];

		pthread_rwlock_rdlock(&s->lock);
		if (s->fd >= 0)
			write_one(writer, slot);
		pthread_rwlock_unlock(&s->lock);
		sched_yield();
	}
	return NULL;
}

/* What vhost has sent is counted when it stops. */
static int stop_vhosts(struct storm_sum *sum)
{
	struct sum_writer *writer = &sum->writer;
	int i, err = 0;

	for (i = 0; !err && i < SUM_QUEUES; i++)
		err = load_vhost_stop(&sum->load, i);
	for (i = 0; i < SUM_QUEUES; i++) {
		long count = sum->load.guest_wrote[i];

		writer->of_number[i] += count;
		writer->written += count;
		sum->guest_wrote += count;
	}
	return err;
}

/* What vhost gave back to a detached queue waits there until that is attached. */
static int attach_all(struct load *load)
{
	int i, err = 0;

	for (i = 0; !err && i < SUM_QUEUES; i++) {
		if (load->slot[i].state == SLOT_DISABLED)
			err = load_attach(load, i);
	}
	return err;
}

int sum_run(struct storm_sum *sum, storm_change also)
{
	unsigned int seed = storm_seed();
	int i, err = 0;

	sum->also = also;
	sum->limited = also == sum_change_sndbuf;
	sum->end = now_ms() + storm_ms();
	for (i = 0; !err && i < SUM_ACTORS; i++) {
		struct sum_actor *actor = &sum->actor[i];

		actor->sum = sum;
		actor->random = seed + i;
		err = -pthread_create(&actor->thread, NULL, actor_main, actor);
	}
	sum->writer.sum = sum;
	sum->writer.random = seed + i;
	if (!err)
		err = -pthread_create(&sum->writer.thread, NULL, writer_main,
				      &sum->writer);
	if (err)
		return err;
	for (i = 0; i < SUM_ACTORS; i++)
		pthread_join(sum->actor[i].thread, NULL);
	pthread_join(sum->writer.thread, NULL);
	err = stop_vhosts(sum);
	if (!err)
		err = attach_all(&sum->load);
	return err ? err : load_settle(&sum->load, &sum->result);
}

static void must_be(struct storm_sum *sum, const char *what, long expected,
		    long found)
{
	if (expected == found)
		return;
	printf("# %s: %ld, and must be %ld\n", what, found, expected);
	sum->wrong++;
}

static void must_be_below(struct storm_sum *sum, const char *what, long bound,
			  long found)
{
	if (found < bound)
		return;
	printf("# %s: %ld, and must be below %ld\n", what, found, bound);
	sum->wrong++;
}

static void check_threads(struct storm_sum *sum)
{
	struct sum_writer *writer = &sum->writer;
	struct load *load = &sum->load;
	int i;

	for (i = 0; i < SUM_ACTORS; i++) {
		struct sum_actor *actor = &sum->actor[i];

		printf("# actor %d: %ld changes, the slowest took %lld ms\n", i,
		       actor->changes, (long long)actor->slowest);
		must_be(sum, "an actor's errors", 0, actor->errors);
		must_be(sum, "the last of them", 0, actor->error);
		must_be_below(sum, "its slowest change", BOUND_MS,
			      actor->slowest);
	}
	if (load->vhosts)
		printf("# vhost: %ld read, %ld written\n",
		       (long)load->guest_read, sum->guest_wrote);
	printf("# %ld written, %ld refused, the slowest took %lld ms\n",
	       writer->written, writer->refused, (long long)writer->slowest);
	must_be(sum, "the writer's errors", 0, writer->errors);
	must_be(sum, "the last of them", 0, writer->error);
	must_be_below(sum, "its slowest write", BOUND_MS, writer->slowest);
	printf("# the slowest send took %ld ms, read %ld ms\n",
	       (long)load->slowest_send, (long)load->slowest_read);
	must_be_below(sum, "the slowest send", BOUND_MS, load->slowest_send);
	must_be_below(sum, "the slowest read", BOUND_MS, load->slowest_read);
}

/*
 * What each queue has counted is what was read and written by it, and no drop is
 * lost.
 */
static int check_queues(struct storm_sum *sum)
{
	struct qstats queue[SUM_QUEUES], all;
	struct load *load = &sum->load;
	long sent = 0, dropped = 0, refused = 0;
	int i, err = qstats_device(load->index, &all);

	if (err)
		return err;
	i = qstats_queues(load->index, queue, SUM_QUEUES);
	must_be(sum, "the number of queues", SUM_QUEUES, i);
	while (--i >= 0) {
		must_be(sum, "packets of a queue", load->read[i],
			queue[i].tx_packets);
		must_be(sum, "written packets of a queue",
			sum->writer.of_number[i],
			queue[i].rx_packets + queue[i].rx_drops);
		refused += queue[i].rx_drops;
		sent += queue[i].tx_packets + queue[i].tx_drops;
		dropped += queue[i].tx_drops;
	}
	must_be(sum, "packets and drops of all queues", sum->result.sent, sent);
	must_be(sum, "drops of all queues", all.tx_drops, dropped);
	must_be(sum, "refused packets of all queues", all.rx_drops, refused);
	/* vhost does not hear that NAPI is off, and why its frames are dropped. */
	if (!load->vhosts || !(load->flags & IFF_NAPI))
		must_be(sum, "refused packets", 0, refused);
	return 0;
}

int sum_wrong(struct storm_sum *sum, bool in_order)
{
	struct load_result *result = &sum->result;
	struct load *load = &sum->load;
	struct link_info info;
	int err = link_get(load->index, &info);

	if (!err)
		err = check_queues(sum);
	if (!err)
		err = load_stop(load);
	if (err)
		return err;
	check_threads(sum);
	load_report(load, result, "rtun");
	must_be(sum, "packets that are not accounted for", 0,
		result->uncounted);
	must_be(sum, "tx_packets", result->received, info.stats.tx_packets);
	must_be(sum, "rx_packets and rx_dropped", sum->writer.written,
		info.stats.rx_packets + info.stats.rx_dropped);
	if (in_order)
		must_be(sum, "reordered packets", 0, result->reordered);
	must_be(sum, "packets that nobody sent", 0, load->alien);
	/* There was traffic at all. */
	must_be_below(sum, "no packet received", 1, !result->received);
	must_be_below(sum, "no packet written", 1, !sum->writer.written);
	return sum->wrong;
}
