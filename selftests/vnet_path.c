// SPDX-License-Identifier: GPL-2.0-only
/* Packets with a virtio-net header, forwarded to a TUN: see vnet_path.h. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>
#include <linux/if_ether.h>

#include "rtnl.h"
#include "tun_test.h"
#include "vnet_path.h"

static const uint8_t peer_mac[6] = { 2, 0, 0, 0, 0, 2 };

/* No address of its own choice: it would talk about that. */
static int enable_ip6(const char *dev)
{
	char path[96];
	int err;

	snprintf(path, sizeof(path),
		 "/proc/sys/net/ipv6/conf/%s/addr_gen_mode", dev);
	err = write_file(path, "1");
	if (err)
		return err;
	snprintf(path, sizeof(path),
		 "/proc/sys/net/ipv6/conf/%s/disable_ipv6", dev);
	return write_file(path, "0");
}

static int device(const char *name, int flags, size_t hdr_size, int *index)
{
	int size = hdr_size, err, fd = tun_create(name, flags | IFF_VNET_HDR);

	if (fd < 0)
		return fd;
	*index = tun_index(fd);
	err = tun_ioctl_ptr(fd, TUNSETVNETHDRSZ, &size);
	if (!err)
		err = enable_ip6(name);
	if (!err)
		err = link_up(*index, true);
	if (err) {
		close(fd);
		return err;
	}
	return fd;
}

static int set_addresses(struct vnet_path *path)
{
	uint8_t addr[16];
	int err;

	err = addr_add4(path->index, VNET_NEAR, 24);
	if (!err)
		err = addr_add4(path->sink_index, VNET_FAR, 24);
	vnet_address6(addr, VNET_FAR);
	if (!err)
		err = addr_add6(path->sink_index, addr, 120);
	if (!err)
		err = write_file("/proc/sys/net/ipv4/ip_forward", "1");
	if (!err)
		err = write_file("/proc/sys/net/ipv6/conf/all/forwarding", "1");
	return err;
}

/* The one is "ours", the other "sink", which takes no offloads at first. */
int vnet_path_open(struct vnet_path *path, int flags, size_t hdr_size)
{
	struct link_info info;
	int err;

	memset(path, 0, sizeof(*path));
	path->hdr_size = hdr_size;
	path->sink_hdr_size = sizeof(struct virtio_net_hdr);
	path->eth = flags & IFF_TAP ? ETH_HLEN : 0;
	path->sink = -1;
	path->fd = device("ours", flags, hdr_size, &path->index);
	if (path->fd < 0)
		return path->fd;
	path->sink = device("sink", TUN_NOPI, path->sink_hdr_size,
			    &path->sink_index);
	if (path->sink < 0)
		return path->sink;
	err = link_get(path->index, &info);
	memcpy(path->mac, info.addr, sizeof(path->mac));
	return err ? err : set_addresses(path);
}

void vnet_path_close(struct vnet_path *path)
{
	close(path->fd);
	close(path->sink);
}

uint8_t *vnet_path_frame(struct vnet_path *path)
{
	return path->out + path->hdr_size;
}

/* Makes the packet to be written next; returns the length of its frame. */
size_t vnet_path_put(struct vnet_path *path, struct vnet_packet *p)
{
	int proto = p->family == AF_INET ? ETH_P_IP : ETH_P_IPV6;
	uint8_t *frame = vnet_path_frame(path);

	if (path->eth)
		packet_eth(frame, path->mac, peer_mac, proto);
	return path->eth + vnet_packet_make(frame + path->eth, p);
}

/* Writes the header and the frame of that length. */
int vnet_path_write(struct vnet_path *path, size_t len)
{
	size_t known = sizeof(path->tunnel), all = path->hdr_size + len;
	ssize_t ret;

	if (known > path->hdr_size)
		known = path->hdr_size;
	memset(path->out, 0, path->hdr_size);
	memcpy(path->out, &path->tunnel, known);
	ret = write_ret(path->fd, path->out, all);
	if (ret < 0)
		return ret;
	return ret == (ssize_t)all ? 0 : -EIO;
}

int vnet_path_send(struct vnet_path *path, struct vnet_packet *p,
		   int gso_type, int gso_size)
{
	size_t len = vnet_path_put(path, p);

	memset(&path->tunnel, 0, sizeof(path->tunnel));
	vnet_hdr_set(&path->hdr, p, path->eth, gso_type, gso_size);
	return vnet_path_write(path, len);
}

/* The next packet of the flow; the stack says things of its own in between. */
int vnet_path_read(struct vnet_path *path, struct vnet_packet *p,
		   struct virtio_net_hdr *hdr)
{
	size_t head = path->sink_hdr_size;
	ssize_t ret;
	int err;

	do {
		if (wait_events(path->sink, POLLIN, WAIT_MS) != POLLIN)
			return -ETIMEDOUT;
		ret = read_ret(path->sink, path->in, sizeof(path->in));
		if (ret < 0)
			return ret;
		if (ret < (ssize_t)head)
			return -EPROTO;
		memcpy(hdr, path->in, sizeof(*hdr));
		err = vnet_packet_parse(path->in + head, ret - head, p);
	} while (err == -ENOMSG);
	return err;
}

/* Where in the packet that was sent this segment's payload was. */
static size_t place_of(const struct vnet_packet *sent,
		       const struct vnet_packet *p, size_t done)
{
	if (p->fragment)	/* The UDP header is payload of the first. */
		return sent->l4 + p->seq;
	if (p->protocol == IPPROTO_TCP)
		return sent->data + p->seq - sent->seq;
	return sent->data + done;
}

static int check_segment(struct vnet_path *path, const struct vnet_packet *sent,
			 const struct vnet_packet *p, size_t done)
{
	uint8_t *frame = vnet_path_frame(path) + path->eth;
	uint8_t *at = path->in + path->sink_hdr_size;
	size_t place = place_of(sent, p, done), skip = 0;

	if (p->protocol != sent->protocol || p->options != sent->options)
		return -EPROTO;
	if (p->fragment && !p->seq)	/* but for its checksum */
		skip = p->data - p->l4 + 8;
	if (place + p->payload > sent->len ||
	    (!p->fragment && place != sent->data + done))
		return -ERANGE;
	return memcmp(frame + place + skip, at + p->data + skip,
		      p->payload - skip) ? -EILSEQ : 0;
}

/*
 * Reads segments until all of the packet's payload has come, in its order. The
 * checksums of all must be good, unless there is one and the sink does them.
 */
int vnet_path_gather(struct vnet_path *path, const struct vnet_packet *sent,
		     struct vnet_segments *s)
{
	struct virtio_net_hdr hdr;
	size_t done = 0, all = sent->payload;
	struct vnet_packet p;
	int err;

	memset(s, 0, sizeof(*s));
	do {
		err = vnet_path_read(path, &p, &hdr);
		if (err)
			return err;
		err = check_segment(path, sent, &p, done);
		if (err)
			return err;
		if (!p.fragment && !p.good &&
		    !(hdr.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM && p.partial))
			return -EBADMSG;
		if (p.fragment)
			all = sent->len - sent->l4;
		if (!s->n) {
			s->hdr = hdr;
			s->packet = p;
			s->size = p.payload;
			s->first_flags = p.flags;
		} else if (done + p.payload < all) {
			s->middle_flags |= p.flags;
		}
		if (done + p.payload < all && p.payload != s->size)
			return -EMSGSIZE;
		s->n++;
		s->last = p.payload;
		s->last_flags = p.flags;
		done += p.payload;
	} while (done < all);
	return 0;
}
