/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A device that is up, its queues, and a packet socket that hears what comes
 * in by them. Functions return a value >= 0, or a negative errno.
 */
#ifndef PORT_H
#define PORT_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

#include "tun_test.h"

#define PORT_QUEUES	4
#define PORT_ROOM	70000

struct port {
	int fd[PORT_QUEUES], index, sock, flags;
	char name[IFNAMSIZ];
	uint8_t mac[6];
	uint8_t out[PORT_ROOM], in[PORT_ROOM];
};

extern const uint8_t port_peer[6];

int port_open(struct port *port, const char *name, int flags, int queues);
void port_close(struct port *port);
int port_up(struct port *port, bool up);
int port_rx_frames(struct port *port, uint32_t n);
size_t port_head(const struct port *port);

/* Packets that no protocol takes, in port->out. */
void port_frame(struct port *port, size_t len, unsigned int seed);
int port_write(struct port *port, int queue, size_t len, unsigned int seed);
int port_came(struct port *port, const void *frame, size_t len);
int port_carries(struct port *port, int queue, size_t len);
int port_read(struct port *port, int queue, const void *frame, size_t len);
int port_read_numbered(struct port *port, size_t len, int from, int count);

/* Writes packets until it is stopped: how many, or a strange answer. */
struct port_writer {
	struct port *port;
	int queue, odd;
	size_t len;
	atomic_long written;
	atomic_bool stop;
	pthread_t thread;
};

int port_writer_start(struct port_writer *writer, struct port *port, int queue,
		      size_t len);
long port_writer_stop(struct port_writer *writer);

/* A counter, as rtnetlink tells it. */
#define port_counter(port, name) ({ \
	struct link_info info_; \
	int err_ = link_get((port)->index, &info_); \
	err_ ? (int64_t)err_ : (int64_t)info_.stats.name; \
})

#endif /* PORT_H */
