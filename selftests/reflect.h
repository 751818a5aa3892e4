/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * TCP through a device whose other end is a mirror: it swaps the addresses of
 * each packet, so that both ends of a connection are here. The sockets number
 * their packets (the IPv4 identification), which shows what is lost or late.
 *
 * Functions return a value >= 0, or a negative errno.
 */
#ifndef REFLECT_H
#define REFLECT_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define REFLECT_QUEUES	4
#define REFLECT_CONNS	4

struct reflect_flow {
	uint16_t port;		/* the client's, or 0 */
	bool started;
	uint16_t next;
};

struct reflect {
	int index, fd[REFLECT_QUEUES], back, client[REFLECT_CONNS],
	    server[REFLECT_CONNS];
	struct reflect_flow flow[2][REFLECT_CONNS];	/* to, from the server */
	atomic_bool stop;
	atomic_long packets, missing, late, bytes;
	pthread_t mirror, bulk;
	pthread_mutex_t lock;
	pthread_cond_t progress;
};

int reflect_start(struct reflect *r);
int reflect_pass(struct reflect *r, long packets);
long reflect_retransmitted(struct reflect *r);
void reflect_stop(struct reflect *r);

#endif /* REFLECT_H */
