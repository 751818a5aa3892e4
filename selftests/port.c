// SPDX-License-Identifier: GPL-2.0-only
/* A device and what it carries: see port.h. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>
#include <linux/ethtool.h>
#include <linux/if_ether.h>
#include <linux/sockios.h>
#include <linux/virtio_net.h>

#include "port.h"
#include "rtnl.h"

const uint8_t port_peer[6] = { 2, 0, 0, 0, 0, 2 };

int port_open(struct port *port, const char *name, int flags, int queues)
{
	struct link_info info;
	int i, err;

	port->flags = flags;
	port->sock = -1;
	snprintf(port->name, sizeof(port->name), "%s", name);
	for (i = 0; i < PORT_QUEUES; i++)
		port->fd[i] = -1;
	err = tun_attach_all(name, flags, port->fd, queues);
	if (err)
		return err;
	port->index = tun_index(port->fd[0]);
	err = link_get(port->index, &info);
	if (!err)
		err = link_up(port->index, true);
	if (err)
		return err;
	memcpy(port->mac, info.addr, sizeof(port->mac));
	port->sock = packet_socket(port->index, ETH_P_ALL);
	return port->sock < 0 ? port->sock : 0;
}

void port_close(struct port *port)
{
	tun_close_all(port->fd, PORT_QUEUES);
	if (port->sock > 0)
		close(port->sock);
	port->sock = -1;
}

/* The packet socket is told that the device went, which is not news here. */
int port_up(struct port *port, bool up)
{
	int err = link_up(port->index, up), told;
	socklen_t len = sizeof(told);

	getsockopt(port->sock, SOL_SOCKET, SO_ERROR, &told, &len);
	return err;
}

/* How many packets may wait for those that follow. */
int port_rx_frames(struct port *port, uint32_t n)
{
	struct ethtool_coalesce set = {
		.cmd = ETHTOOL_SCOALESCE, .rx_max_coalesced_frames = n,
	};
	struct ifreq ifr = { .ifr_data = (char *)&set };
	int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), err;

	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", port->name);
	err = tun_ioctl_ptr(sock, SIOCETHTOOL, &ifr);
	close(sock);
	return err;
}

size_t port_head(const struct port *port)
{
	return port->flags & IFF_TAP ? ETH_HLEN : 0;
}

void port_frame(struct port *port, size_t len, unsigned int seed)
{
	packet_fill(port->out, len, seed);
	if (port->flags & IFF_TAP)
		packet_eth(port->out, port->mac, port_peer, PROTO_TEST);
	else
		port->out[0] = 0x45;
}

/* With an empty virtio header if the device wants one: the frame's length. */
int port_write(struct port *port, int queue, size_t len, unsigned int seed)
{
	struct virtio_net_hdr hdr = { 0 };
	struct iovec iov[] = { { &hdr, sizeof(hdr) }, { port->out, len } };
	bool vnet = port->flags & IFF_VNET_HDR;
	ssize_t ret;

	port_frame(port, len, seed);
	if (!vnet)
		return write_ret(port->fd[queue], port->out, len);
	ret = writev(port->fd[queue], iov, 2);
	if (ret < 0)
		return -errno;
	return ret < sizeof(hdr) ? -EIO : (int)(ret - sizeof(hdr));
}

/* Was this, and nothing before it, what came in? */
int port_came(struct port *port, const void *frame, size_t len)
{
	ssize_t ret = packet_recv(port->sock, port->in, sizeof(port->in), NULL);

	if (ret < 0)
		return ret;
	if (ret != len)
		return -EMSGSIZE;
	return memcmp(frame, port->in, len) ? -EBADMSG : 0;
}

int port_carries(struct port *port, int queue, size_t len)
{
	int ret = port_write(port, queue, len, len);

	if (ret != len)
		return ret < 0 ? ret : -EIO;
	return port_came(port, port->out, len);
}

/* Is this what a queue reads, behind an empty virtio header? */
int port_read(struct port *port, int queue, const void *frame, size_t len)
{
	static const struct virtio_net_hdr none;
	size_t head = port->flags & IFF_VNET_HDR ? sizeof(none) : 0;
	int events = wait_events(port->fd[queue], POLLIN, WAIT_MS);
	ssize_t ret;

	if (events != POLLIN)
		return events < 0 ? events : -ETIMEDOUT;
	ret = read_ret(port->fd[queue], port->in, sizeof(port->in));
	if (ret < 0)
		return ret;
	if (ret != head + len)
		return -EMSGSIZE;
	return memcmp(port->in, &none, head) ||
	       memcmp(port->in + head, frame, len) ? -EBADMSG : 0;
}

/* Does the first queue read the frames port_frame(len, n) next, from that n on? */
int port_read_numbered(struct port *port, size_t len, int from, int count)
{
	int n, err = 0;

	for (n = from; !err && n < from + count; n++) {
		port_frame(port, len, n);
		err = port_read(port, 0, port->out, len);
	}
	return err;
}

static void *writer_main(void *arg)
{
	struct port_writer *writer = arg;

	while (!writer->stop) {
		int ret = port_write(writer->port, writer->queue, writer->len,
				     1);

		if (ret == writer->len)
			writer->written++;
		else if (ret != -EBUSY && ret != -EBADFD && ret != -EIO)
			writer->odd = ret;
	}
	return NULL;
}

int port_writer_start(struct port_writer *writer, struct port *port, int queue,
		      size_t len)
{
	memset(writer, 0, sizeof(*writer));
	writer->port = port;
	writer->queue = queue;
	writer->len = len;
	return -pthread_create(&writer->thread, NULL, writer_main, writer);
}

long port_writer_stop(struct port_writer *writer)
{
	writer->stop = true;
	pthread_join(writer->thread, NULL);
	return writer->odd ? writer->odd : writer->written;
}
