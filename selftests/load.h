/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Traffic with a sequence number in each flow, from the stack to the queues of
 * one device, while a test lets the queues come and go. One thread reads all
 * queues, so that the order in which it reads is the order of the packets.
 *
 * Functions return a value >= 0, or a negative errno.
 */
#ifndef LOAD_H
#define LOAD_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "tun_test.h"
#include "vhost_dev.h"

#define LOAD_FLOWS	64
#define LOAD_SENDERS	2
#define LOAD_LATE	12

/* Flags: the first sender's packets are XDP frames (TAP only); queues are sockets
 * of their own (RTUN_SOCKET); a read() carries a batch; each slot has a vhost-net.
 */
#define LOAD_FRAMES	(1 << 20)
#define LOAD_SOCKETS	(1 << 21)
#define LOAD_PACKED	(1 << 22)
#define LOAD_VHOST	(1 << 23)

enum slot_state { SLOT_CLOSED, SLOT_ACTIVE, SLOT_DISABLED };

/* A place for a queue. Who closes it has the lock for writing. */
struct load_slot {
	pthread_rwlock_t lock;
	enum slot_state state;	/* under change */
	pthread_mutex_t change;
	int fd;
	int number;		/* the transmit queue that it is */
	/* Of vhost-net, which reads the queue, writes to it, or does both. */
	struct vhost vhost;
	bool guest_reads, guest_writes;
	unsigned int stops;
	uint16_t sent;		/* by vhost, those that are counted */
};

struct load_flow {
	uint32_t next;		/* the sender's */
	uint32_t seen;		/* the reader's: one more than the newest */
	int slot;		/* where the newest was read */
};

/* A packet read after a newer one of its flow. */
struct load_late {
	uint32_t flow, number, newest;
	int slot, newest_slot;
};

struct load;

struct load_sender {
	struct load *load;
	int id, sock;
	bool direct;		/* past the queueing discipline */
	int source;		/* what is written there is redirected, or -1 */
	uint64_t sent;
	pthread_t thread;
};

struct load {
	int index, flags, queues, window, senders, epoll, wake;
	struct load_slot slot[MAX_QUEUES];
	struct load_flow flow[LOAD_FLOWS];
	struct load_sender sender[LOAD_SENDERS];
	pthread_t reader;
	pthread_mutex_t lock;
	pthread_cond_t progress;
	int blocked;		/* senders without room, under lock */
	bool paused, parked;	/* the reader, under lock */
	bool direct;		/* all senders */
	bool frames;		/* the first sender's */
	bool sockets, packed, vhosts;
	pthread_mutex_t numbers;	/* held while a queue gets or loses its own */
	bool taken[MAX_QUEUES];
	pthread_mutex_t seen;	/* held while it is noted what was read */
	atomic_long read[MAX_QUEUES];	/* packets, by number */
	atomic_long guest_read;
	atomic_long guest_wrote[MAX_QUEUES];
	atomic_int room;	/* of the window, at the moment */
	atomic_bool stop_senders, stop_reader;
	atomic_long took_ns;	/* the last call that changed a queue */
	atomic_long slowest_send, slowest_read;	/* calls, in ms */
	atomic_long sent, received, dropped, written_off;
	atomic_long reordered, refused, alien;
	struct load_late late[LOAD_LATE];	/* the first few */
	pthread_rwlock_t sending;	/* written by who keeps packets out */
};

/* What became of the packets, after load_settle(). */
struct load_result {
	long sent, received, dropped, reordered;
	long uncounted;		/* neither received nor counted as dropped */
};

int load_start(struct load *load, int flags, int queues, uint32_t txqlen,
	       int window, bool direct);
int load_settle(struct load *load, struct load_result *result);
int load_stop(struct load *load);
void load_report(struct load *load, const struct load_result *result,
		 const char *what);

/* Waits. */
int load_pass(struct load *load, long packets);
int load_fill(struct load *load, int share);
void load_resume(struct load *load);

/* A slot's queue comes and goes. */
int load_open(struct load *load, int slot);
int load_close(struct load *load, int slot);
int load_detach(struct load *load, int slot);
int load_attach(struct load *load, int slot);
int load_resize(struct load *load, uint32_t txqlen);

/* vhost-net works for a slot, or stops (load_vhost.c). */
int load_vhost_start(struct load *load, int slot, bool reads, bool writes);
int load_vhost_stop(struct load *load, int slot);
int load_vhost_write(struct load *load, int slot, const void *packet,
		     size_t len, int count);

/* For load.c and load_vhost.c alone. */
void load_got(struct load *load, int slot, const void *packet, ssize_t len);
int load_watch(struct load *load, int slot, int fd);
int load_unwatch(struct load *load, int fd);
int load_vhost_open(struct load *load, int slot);
int load_vhost_clear(struct load *load, int slot);
int load_vhost_drain(struct load *load, int slot);

#endif /* LOAD_H */
