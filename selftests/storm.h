/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Threads that do everything to a few devices in two namespaces, at random.
 * Functions return a value >= 0, or a negative errno.
 */
#ifndef STORM_H
#define STORM_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "tun_test.h"
#include "vhost_dev.h"

#define STORM_SPACES	2
#define STORM_ACTORS	3	/* in each namespace */
#define STORM_READERS	2	/* in each namespace; they wait for packets */
#define STORM_THREADS	(STORM_SPACES * (STORM_ACTORS + STORM_READERS + 1))
#define STORM_SLOTS	12
#define STORM_VHOSTS	3

enum storm_op {
	OP_OPEN, OP_CLOSE, OP_DETACH, OP_ATTACH, OP_PERSIST, OP_OWNER, OP_GROUP,
	OP_GETIFF, OP_SNDBUF, OP_CLASSIC, OP_FILTER, OP_STEER, OP_READ,
	OP_WRITE, OP_POLL, OP_DELETE, OP_MTU, OP_TXQLEN, OP_UP, OP_DOWN,
	OP_MOVE, OP_RENAME, OP_XDP, OP_SIGNAL, OP_VHOST, OP_GUEST,
	OP_SEND, OP_WAIT, STORM_OPS
};

struct storm_slot {
	pthread_rwlock_t lock;	/* who changes fd writes */
	int fd;
};

/* One vhost-net, which any queue may be behind. */
struct storm_vhost {
	pthread_mutex_t lock;
	struct vhost vhost;
};

struct storm;

struct storm_thread {
	struct storm *storm;
	int id, space;
	unsigned int random;
	atomic_int op;
	atomic_long since;	/* when the call began, or 0 */
	struct storm_slot own;	/* a reader's */
	pthread_t thread;
};

struct storm {
	int space[STORM_SPACES];
	int prog;		/* which takes all and chooses the first queue */
	atomic_bool stop;
	atomic_int running;
	struct storm_slot slot[STORM_SLOTS];
	bool has_vhosts;
	struct storm_vhost vhost[STORM_VHOSTS];
	struct storm_thread thread[STORM_THREADS];
	atomic_long done[STORM_OPS], failed[STORM_OPS], slowest[STORM_OPS];
	atomic_int odd_errno, odd_op;
};

unsigned int storm_random(unsigned int *state);
int storm_start(struct storm *storm, unsigned int seed, bool has_vhosts);
void storm_watch(struct storm *storm, int64_t ms);
int storm_stop(struct storm *storm);
/* How many calls took too long or said what they must not; it prints them all. */
int storm_wrong(struct storm *storm, long bound_ms);

#endif /* STORM_H */
