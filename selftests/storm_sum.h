/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Queues that come and go under traffic in both directions, and the sums at the end.
 * Functions return a value >= 0, or a negative errno.
 *
 * STORM_SECONDS: how long (3). STORM_SEED: what to repeat.
 */
#ifndef STORM_SUM_H
#define STORM_SUM_H

#include "load.h"
#include "slab.h"

#define SUM_QUEUES	4
#define SUM_ACTORS	3

/* The longest that a call may take on an emulated, busy machine. */
#define BOUND_MS	WAIT_MS

int64_t storm_ms(void);
unsigned int storm_seed(void);

/* What must be at the end as it was before. */
struct baseline {
	struct slabs slabs;
	int sockets;
	int refs;		/* of the module, if it is loaded */
};

int baseline_get(struct baseline *before);
/* Waits. How much is left; it is printed. */
int baseline_left(const struct baseline *before);

/* What else an actor changes, by the slot's file if it needs one. */
typedef int (*storm_change)(struct load *load, int slot, unsigned int random);

struct storm_sum;

struct sum_actor {
	struct storm_sum *sum;
	unsigned int random;
	int64_t slowest;
	long changes, errors;
	int error;
	pthread_t thread;
};

/* Writes to any queue, in the other direction. */
struct sum_writer {
	struct storm_sum *sum;
	unsigned int random;
	int64_t slowest;
	long written, errors, refused;
	long of_number[SUM_QUEUES];	/* of those written, by transmit queue */
	int error;
	pthread_t thread;
};

struct storm_sum {
	struct load load;
	struct load_result result;
	storm_change also;
	bool limited;		/* writers, by a send buffer that changes */
	int64_t end;
	struct sum_actor actor[SUM_ACTORS];
	struct sum_writer writer;
	long guest_wrote;	/* by vhost, of those written */
	int wrong;
};

int sum_change_sndbuf(struct load *load, int slot, unsigned int random);

/* For the time that a storm takes; then it stops the traffic, and counts. */
int sum_run(struct storm_sum *sum, storm_change also);
/* How many figures are not as they must be; they are printed. */
int sum_wrong(struct storm_sum *sum, bool in_order);

#endif /* STORM_SUM_H */
