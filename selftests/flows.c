// SPDX-License-Identifier: GPL-2.0-only
/* Flows and the queues they reach: see flows.h. */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>
#include <linux/if_ether.h>

#include "flows.h"
#include "rtnl.h"

static const uint8_t peer_mac[6] = { 2, 0, 0, 0, 0, 2 };

int flows_open(struct flows *flows, int flags, int queues)
{
	struct link_info info;
	int i, err;

	memset(flows, 0, sizeof(*flows));
	for (i = 0; i < MAX_QUEUES; i++)
		flows->fd[i] = -1;
	flows->queues = queues;
	flows->head = flags & IFF_TAP ? ETH_HLEN : 0;
	err = tun_attach_all("ours", flags | IFF_NO_PI, flows->fd, queues);
	if (err)
		return err;
	flows->index = tun_index(flows->fd[0]);
	err = link_get(flows->index, &info);
	if (!err)
		err = link_up(flows->index, true);
	if (err)
		return err;
	memcpy(flows->mac, info.addr, sizeof(flows->mac));
	flows->sock = packet_socket(flows->index, 0);
	return flows->sock < 0 ? flows->sock : 0;
}

void flows_close(struct flows *flows)
{
	tun_close_all(flows->fd, flows->queues);
	if (flows->sock > 0)
		close(flows->sock);
}

static size_t flows_packet(struct flows *flows, uint8_t *buf, struct flow f,
			   uint32_t number)
{
	uint32_t be = htonl(number);

	if (flows->head)
		packet_eth(buf, flows->mac, peer_mac, ETH_P_IP);
	return flows->head + packet_udp4(buf + flows->head, f, &be, sizeof(be));
}

/* The peer's packet comes in by a queue. */
int flows_write(struct flows *flows, int queue, struct flow f)
{
	uint8_t buf[128];
	size_t len = flows_packet(flows, buf, f, 0);
	ssize_t ret = write_ret(flows->fd[queue], buf, len);

	return ret < 0 ? ret : 0;
}

/* The answer goes out, to the queue that the driver chooses. */
int flows_send(struct flows *flows, struct flow f, uint32_t number)
{
	uint8_t buf[128];
	size_t len = flows_packet(flows, buf, flow_reverse(f), number);
	int ret = packet_send(flows->sock, flows->index, ETH_P_IP, buf, len);

	return ret < 0 ? ret : 0;
}

static int collect_one(struct flows *flows, int queue)
{
	uint32_t number, before = flows->got[queue] ? flows->last : 0;
	uint8_t buf[2048];
	ssize_t len = read_ret(flows->fd[queue], buf, sizeof(buf));

	if (len < 0)
		return len;
	if (len < (ssize_t)(flows->head + sizeof(number)))
		return -EMSGSIZE;
	memcpy(&number, buf + len - sizeof(number), sizeof(number));
	flows->last = ntohl(number);
	if (flows->last < before)
		flows->in_order = false;
	flows->got[queue]++;
	return 0;
}

/* Empties one queue: how many were in it. */
static int collect_queue(struct flows *flows, int queue)
{
	int err, n = 0;

	do {
		err = collect_one(flows, queue);
	} while (!err && ++n);
	return err == -EAGAIN || err == -EBADFD ? n : err;
}

/*
 * Reads until that many packets came, then what else is there. The number of
 * packets read in all.
 */
int flows_collect(struct flows *flows, int packets)
{
	struct pollfd pfd[MAX_QUEUES];
	int i, n, total = 0;

	memset(flows->got, 0, sizeof(flows->got));
	flows->in_order = true;
	for (i = 0; i < flows->queues; i++)
		pfd[i] = (struct pollfd){ flows->fd[i], POLLIN, 0 };
	for (;;) {
		n = poll(pfd, flows->queues, total < packets ? WAIT_MS : 0);
		if (n <= 0)
			return n < 0 ? -errno : total;
		for (i = 0; i < flows->queues; i++) {
			if (!(pfd[i].revents & POLLIN))
				continue;
			n = collect_queue(flows, i);
			if (n < 0)
				return n;
			total += n;
		}
	}
}

/* Sends one packet of the flow: the queue that it came to. */
int flows_send_to(struct flows *flows, struct flow f)
{
	int i, n = flows_send(flows, f, 0);

	if (n < 0)
		return n;
	n = flows_collect(flows, 1);
	if (n != 1)
		return n < 0 ? n : -ENOMSG;
	for (i = 0; !flows->got[i]; i++)
		;
	return i;
}

/*
 * Sends a packet that no protocol takes, and reads from the first queue: its
 * length there, or -EAGAIN if nothing came.
 */
ssize_t flows_pass(struct flows *flows, const uint8_t dst[6], size_t len)
{
	uint8_t packet[2048] = { 0 };
	int ret;

	packet_fill(packet, len, len);
	if (flows->head)
		packet_eth(packet, dst, flows->mac, PROTO_TEST);
	ret = packet_send(flows->sock, flows->index, PROTO_TEST, packet, len);
	if (ret < 0)
		return ret;
	return read_ret(flows->fd[0], packet, sizeof(packet));
}

/* How many packets to its queues the device has counted as dropped. */
int64_t flows_dropped(struct flows *flows)
{
	struct link_info info;
	int err = link_get(flows->index, &info);

	return err ? err : (int64_t)info.stats.tx_dropped;
}
