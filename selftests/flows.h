/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A device of several queues, flows sent to it, and which queue they reach.
 * Functions return a value >= 0, or a negative errno.
 */
#ifndef FLOWS_H
#define FLOWS_H

#include <stdbool.h>
#include <stdint.h>

#include "tun_test.h"

#define FLOW_QUEUES	4

/* What a packet has in it besides. */
enum flow_guise {
	FLOW_PLAIN,
	FLOW_OPTIONS,		/* of IPv4 */
	FLOW_TAGGED,		/* a VLAN, on a TAP */
	FLOW_V6,		/* other addresses */
	FLOW_V6_OPTIONS,
};

struct flows {
	int fd[MAX_QUEUES];
	int queues, index, sock;
	size_t head;		/* of link header in each packet */
	uint8_t mac[6];
	enum flow_guise guise;	/* of packets that are written and sent */
	int got[MAX_QUEUES];	/* packets that flows_collect() read, a queue */
	uint32_t last;		/* number of the packet read last */
	bool in_order;		/* numbers rose in each queue */
};

int flows_open(struct flows *flows, int flags, int queues);
void flows_close(struct flows *flows);
int flows_write(struct flows *flows, int queue, struct flow f);
int flows_send(struct flows *flows, struct flow f, uint32_t number);
int flows_collect(struct flows *flows, int packets);
int flows_send_to(struct flows *flows, struct flow f);
ssize_t flows_pass(struct flows *flows, const uint8_t dst[6], size_t len);
int64_t flows_dropped(struct flows *flows);

#endif /* FLOWS_H */
