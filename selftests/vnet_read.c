// SPDX-License-Identifier: GPL-2.0-only
/*
 * TUNSETOFFLOAD: which offloads there are, which features the device has by
 * them, and with which headers, or in which segments, packets are read then.
 */
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <linux/ethtool.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>

#include "offload.h"
#include "rtnl.h"
#include "tun_test.h"
#include "vnet_packet.h"
#include "harness.h"

#define TSO		(TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6)
#define USO		(TUN_F_CSUM | TUN_F_USO4 | TUN_F_USO6)
#define TUNNEL		(TUN_F_UDP_TUNNEL_GSO | TUN_F_UDP_TUNNEL_GSO_CSUM)
#define ALL_OFFLOADS	(TSO | USO | TUN_F_TSO_ECN | TUN_F_UFO | TUNNEL)
#define HDR		sizeof(struct virtio_net_hdr)
#define ROOM		(68 << 10)
#define VLAN_HLEN	4

static const uint8_t peer_mac[6] = { 2, 0, 0, 0, 0, 2 };

/* A feature that "ethtool -k" shows, and the offloads that turn it on. */
static const struct {
	const char *name;
	unsigned int offloads;
} features[] = {
	{ "tx-checksum-ip-generic", TUN_F_CSUM },
	{ "tx-tcp-segmentation", TUN_F_CSUM | TUN_F_TSO4 },
	{ "tx-tcp6-segmentation", TUN_F_CSUM | TUN_F_TSO6 },
	{ "tx-tcp-ecn-segmentation", TUN_F_CSUM | TUN_F_TSO_ECN },
	{ "tx-udp-segmentation", USO },
	{ "tx-udp_tnl-segmentation", TUN_F_CSUM | TUN_F_UDP_TUNNEL_GSO },
	{ "tx-udp_tnl-csum-segmentation", TUN_F_CSUM | TUNNEL },
};

#define SELF	FIXTURE_DATA(read)

FIXTURE(read)
{
	int fd, index, sock;
	size_t eth;
	uint8_t mac[6];
	uint8_t out[ROOM], in[ROOM];
};

FIXTURE_VARIANT(read)
{
	int flags;
};

FIXTURE_VARIANT_ADD(read, tun)
{
	.flags = TUN_NOPI | IFF_VNET_HDR,
};

FIXTURE_VARIANT_ADD(read, tap)
{
	.flags = TAP_NOPI | IFF_VNET_HDR,
};

FIXTURE_VARIANT_ADD(read, tap_multi)
{
	.flags = TAP_NOPI | IFF_VNET_HDR | IFF_MULTI_QUEUE,
};

/* A socket that sends packets with a header like the one that is read. */
static int vnet_socket(int index)
{
	int sock = packet_socket(index, 0), one = 1;

	if (sock >= 0 && setsockopt(sock, SOL_PACKET, PACKET_VNET_HDR, &one,
				    sizeof(one))) {
		close(sock);
		return -errno;
	}
	return sock;
}

FIXTURE_SETUP(read)
{
	struct link_info info;

	ASSERT_EQ(0, ns_enter());
	self->fd = tun_create("ours", variant->flags);
	ASSERT_LE(0, self->fd);
	self->index = tun_index(self->fd);
	ASSERT_EQ(0, link_up(self->index, true));
	ASSERT_EQ(0, link_get(self->index, &info));
	memcpy(self->mac, info.addr, sizeof(self->mac));
	self->eth = variant->flags & IFF_TAP ? ETH_HLEN : 0;
	self->sock = vnet_socket(self->index);
	ASSERT_LE(0, self->sock);
}

FIXTURE_TEARDOWN(read)
{
	close(self->sock);
	close(self->fd);
}

/* TSO, USO and the like can be asked for with checksums only. */
static bool offloads_are_valid(unsigned int offloads)
{
	unsigned int uso = offloads & (TUN_F_USO4 | TUN_F_USO6);
	bool tso = offloads & (TUN_F_TSO4 | TUN_F_TSO6);

	if (offloads & ~TUN_F_CSUM && !(offloads & TUN_F_CSUM))
		return false;
	if (offloads & TUN_F_TSO_ECN && !tso)
		return false;
	if (uso == TUN_F_USO4 || uso == TUN_F_USO6)
		return false;
	if (offloads & TUN_F_UDP_TUNNEL_GSO_CSUM &&
	    !(offloads & TUN_F_UDP_TUNNEL_GSO))
		return false;
	return !(offloads & TUN_F_UDP_TUNNEL_GSO) || tso || uso;
}

static void expect_features(struct __test_metadata *_metadata,
			    unsigned int offloads)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(features); i++) {
		unsigned int needs = features[i].offloads;

		EXPECT_EQ((offloads & needs) == needs,
			  feature_get("ours", features[i].name))
			TH_LOG("%s with offloads %#x", features[i].name,
			       offloads);
	}
}

TEST_F(read, offloads)
{
	unsigned int offloads;

	for (offloads = 0; offloads <= ALL_OFFLOADS; offloads++)
		EXPECT_EQ(offloads_are_valid(offloads) ? 0 : -EINVAL,
			  tun_ioctl(self->fd, TUNSETOFFLOAD, offloads))
			TH_LOG("offloads %#x", offloads);
}

TEST_F(read, offloads_unknown)
{
	int bit;

	ASSERT_EQ(0, tun_ioctl(self->fd, TUNSETOFFLOAD, TSO));
	for (bit = 0; bit < 64; bit++) {
		unsigned long offloads = 1ul << bit;

		if (offloads & ALL_OFFLOADS)
			continue;
		EXPECT_EQ(-EINVAL, tun_ioctl(self->fd, TUNSETOFFLOAD, offloads))
			TH_LOG("bit %d", bit);
		EXPECT_EQ(-EINVAL, tun_ioctl(self->fd, TUNSETOFFLOAD,
					     offloads | ALL_OFFLOADS));
	}
	/* And nothing has changed. */
	expect_features(_metadata, TSO);
}

TEST_F(read, features)
{
	static const unsigned int sets[] = {
		TUN_F_CSUM, TUN_F_CSUM | TUN_F_TSO4, TUN_F_CSUM | TUN_F_TSO6,
		TSO, TSO | TUN_F_TSO_ECN, TUN_F_CSUM | TUN_F_UFO, USO,
		TSO | TUN_F_UDP_TUNNEL_GSO, USO | TUNNEL, ALL_OFFLOADS, 0,
	};
	size_t i;

	expect_features(_metadata, 0);
	for (i = 0; i < ARRAY_SIZE(sets); i++) {
		ASSERT_EQ(0, tun_ioctl(self->fd, TUNSETOFFLOAD, sets[i]));
		expect_features(_metadata, sets[i]);
	}
}

/* These are the stack's to choose, whatever a program takes. */
TEST_F(read, features_always)
{
	static const unsigned int sets[] = { 0, TSO, ALL_OFFLOADS };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(sets); i++) {
		ASSERT_EQ(0, tun_ioctl(self->fd, TUNSETOFFLOAD, sets[i]));
		EXPECT_EQ(1, feature_get("ours", "tx-scatter-gather"));
		EXPECT_EQ(1, feature_get("ours", "tx-scatter-gather-fraglist"));
		EXPECT_EQ(1, feature_get("ours", "tx-vlan-hw-insert"));
		EXPECT_EQ(1, feature_get("ours", "tx-vlan-stag-hw-insert"));
	}
}

/* The administrator can turn off what the program takes, and no more on. */
TEST_F(read, features_of_the_administrator)
{
	const char *tso = "tx-tcp-segmentation";

	EXPECT_EQ(ETHTOOL_F_WISH, feature_set("ours", tso, true));
	EXPECT_EQ(0, feature_get("ours", tso));
	ASSERT_EQ(0, tun_ioctl(self->fd, TUNSETOFFLOAD, TSO));
	EXPECT_EQ(1, feature_get("ours", tso));
	EXPECT_EQ(0, feature_set("ours", tso, false));
	EXPECT_EQ(0, feature_get("ours", tso));
	EXPECT_EQ(1, feature_get("ours", "tx-tcp6-segmentation"));
	EXPECT_EQ(0, feature_set("ours", tso, true));
	EXPECT_EQ(1, feature_get("ours", tso));
	/* The program has the last word. */
	EXPECT_EQ(0, feature_set("ours", tso, false));
	ASSERT_EQ(0, tun_ioctl(self->fd, TUNSETOFFLOAD, TSO));
	EXPECT_EQ(1, feature_get("ours", tso));
}

/* Offloads are the device's: they outlive the file that set them. */
TEST_F(read, offloads_of_the_device)
{
	int index, fd = tun_create("other", variant->flags);

	ASSERT_LE(0, fd);
	index = tun_index(fd);
	ASSERT_EQ(0, tun_ioctl(fd, TUNSETPERSIST, 1));
	ASSERT_EQ(0, tun_ioctl(fd, TUNSETOFFLOAD, TSO));
	close(fd);
	EXPECT_EQ(1, feature_get("other", "tx-tcp-segmentation"));
	fd = tun_create("other", variant->flags);
	ASSERT_LE(0, fd);
	EXPECT_EQ(index, tun_index(fd));
	EXPECT_EQ(1, feature_get("other", "tx-tcp-segmentation"));
	ASSERT_EQ(0, tun_ioctl(fd, TUNSETPERSIST, 0));
	close(fd);
}

/* Nobody asks whether there is a header to say it with. */
TEST_F(read, offloads_without_a_header)
{
	int fd = tun_create("other", variant->flags & ~IFF_VNET_HDR);

	ASSERT_LE(0, fd);
	EXPECT_EQ(0, tun_ioctl(fd, TUNSETOFFLOAD, TSO));
	EXPECT_EQ(1, feature_get("other", "tx-tcp-segmentation"));
	close(fd);
}

static struct vnet_packet packet(int family, int protocol, size_t payload)
{
	struct vnet_packet p = {
		.family = family, .protocol = protocol, .payload = payload,
		.partial = true, .flags = VNET_ACK,
	};

	return p;
}

static const struct {
	int family, protocol, gso;
	unsigned int offloads;
} kinds[] = {
	{ AF_INET, IPPROTO_TCP, VIRTIO_NET_HDR_GSO_TCPV4,
	  TUN_F_CSUM | TUN_F_TSO4 },
	{ AF_INET6, IPPROTO_TCP, VIRTIO_NET_HDR_GSO_TCPV6,
	  TUN_F_CSUM | TUN_F_TSO6 },
	{ AF_INET, IPPROTO_UDP, VIRTIO_NET_HDR_GSO_UDP_L4, USO },
	{ AF_INET6, IPPROTO_UDP, VIRTIO_NET_HDR_GSO_UDP_L4, USO },
	{ AF_INET, IPPROTO_TCP,
	  VIRTIO_NET_HDR_GSO_TCPV4 | VIRTIO_NET_HDR_GSO_ECN,
	  TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO_ECN },
	{ AF_INET6, IPPROTO_TCP,
	  VIRTIO_NET_HDR_GSO_TCPV6 | VIRTIO_NET_HDR_GSO_ECN,
	  TUN_F_CSUM | TUN_F_TSO6 | TUN_F_TSO_ECN },
};

/* The stack sends it on that device, in segments of that size if any. */
static int send_packet(SELF *self, int sock, int index, struct vnet_packet *p,
		       int gso_type, int gso_size)
{
	int proto = p->family == AF_INET ? ETH_P_IP : ETH_P_IPV6;
	struct virtio_net_hdr hdr;
	size_t len;
	int ret;

	if (self->eth)
		packet_eth(self->out + HDR, peer_mac, self->mac, proto);
	len = vnet_packet_make(self->out + HDR + self->eth, p);
	vnet_hdr_set(&hdr, p, self->eth, gso_type, gso_size);
	memcpy(self->out, &hdr, HDR);
	len += HDR + self->eth;
	ret = packet_send(sock, index, proto, self->out, len);
	if (ret < 0)
		return ret;
	return (size_t)ret == len ? 0 : -EIO;
}

/* Reads a packet with that many bytes of link header. */
static int read_packet(SELF *self, size_t head, struct vnet_packet *p,
		       struct virtio_net_hdr *hdr)
{
	ssize_t ret;

	if (wait_events(self->fd, POLLIN, WAIT_MS) != POLLIN)
		return -ETIMEDOUT;
	ret = read_ret(self->fd, self->in, sizeof(self->in));
	if (ret < (ssize_t)(HDR + head))
		return ret < 0 ? ret : -EPROTO;
	memcpy(hdr, self->in, HDR);
	return vnet_packet_parse(self->in + HDR + head, ret - HDR - head, p);
}

TEST_F(read, checksum)
{
	struct virtio_net_hdr hdr;
	struct vnet_packet p, got;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		p = packet(kinds[i].family, kinds[i].protocol, 1000);
		ASSERT_EQ(0, tun_ioctl(self->fd, TUNSETOFFLOAD, 0));
		ASSERT_EQ(0, send_packet(self, self->sock, self->index, &p, 0,
					 0));
		ASSERT_EQ(0, read_packet(self, self->eth, &got, &hdr));
		EXPECT_TRUE(got.good);
		EXPECT_EQ(0, hdr.flags);
		ASSERT_EQ(0, tun_ioctl(self->fd, TUNSETOFFLOAD, TUN_F_CSUM));
		ASSERT_EQ(0, send_packet(self, self->sock, self->index, &p, 0,
					 0));
		ASSERT_EQ(0, read_packet(self, self->eth, &got, &hdr));
		EXPECT_TRUE(got.partial);
		EXPECT_EQ(VIRTIO_NET_HDR_F_NEEDS_CSUM, hdr.flags);
		EXPECT_EQ(self->eth + p.l4, hdr.csum_start);
		EXPECT_EQ(vnet_csum_offset(&p), hdr.csum_offset);
		EXPECT_EQ(0, hdr.gso_type);
		EXPECT_EQ(0, hdr.gso_size);
		EXPECT_EQ(0, hdr.hdr_len);
	}
}

/* The whole packet to who takes it, up to the largest that the stack makes. */
TEST_F(read, segments_to_do)
{
	static const size_t sizes[] = { 1401, 5000, 30000, 65400 };
	struct virtio_net_hdr hdr;
	struct vnet_packet p, got;
	size_t i, j;

	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		ASSERT_EQ(0, tun_ioctl(self->fd, TUNSETOFFLOAD,
				       kinds[i].offloads));
		for (j = 0; j < ARRAY_SIZE(sizes); j++) {
			p = packet(kinds[i].family, kinds[i].protocol,
				   sizes[j]);
			ASSERT_EQ(0, send_packet(self, self->sock, self->index,
						 &p, kinds[i].gso, 1400));
			ASSERT_EQ(0, read_packet(self, self->eth, &got, &hdr))
				TH_LOG("kind %zu size %zu", i, sizes[j]);
			EXPECT_EQ(p.payload, got.payload);
			EXPECT_EQ(kinds[i].gso, hdr.gso_type);
			EXPECT_EQ(1400, hdr.gso_size);
			EXPECT_LE(self->eth + p.data, hdr.hdr_len);
			EXPECT_GE(self->eth + p.len, hdr.hdr_len);
			EXPECT_EQ(VIRTIO_NET_HDR_F_NEEDS_CSUM, hdr.flags);
			EXPECT_EQ(self->eth + p.l4, hdr.csum_start);
			EXPECT_EQ(vnet_csum_offset(&p), hdr.csum_offset);
			EXPECT_TRUE(got.partial);
			EXPECT_EQ(0, memcmp(self->in + HDR, self->out + HDR,
					    self->eth + p.len));
		}
	}
	EXPECT_EQ(0, wait_events(self->fd, POLLIN, 0));
}

/* Segments when not all of its offloads are on: which ones does not matter. */
TEST_F(read, segments_done)
{
	unsigned int sets[] = { 0, TUN_F_CSUM, 0 };
	struct virtio_net_hdr hdr;
	struct vnet_packet p, got;
	size_t i, j, n;

	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		sets[2] = ALL_OFFLOADS & ~TUNNEL & ~kinds[i].offloads;
		sets[2] |= TUN_F_CSUM;
		if (!(sets[2] & (TUN_F_TSO4 | TUN_F_TSO6)))
			sets[2] &= ~TUN_F_TSO_ECN;
		for (j = 0; j < ARRAY_SIZE(sets); j++) {
			ASSERT_EQ(0, tun_ioctl(self->fd, TUNSETOFFLOAD,
					       sets[j]));
			p = packet(kinds[i].family, kinds[i].protocol, 5000);
			ASSERT_EQ(0, send_packet(self, self->sock, self->index,
						 &p, kinds[i].gso, 1000));
			for (n = 0; n < 5; n++) {
				ASSERT_EQ(0, read_packet(self, self->eth, &got,
							 &hdr))
					TH_LOG("kind %zu offloads %#x", i,
					       sets[j]);
				EXPECT_EQ(1000, got.payload);
				EXPECT_EQ(0, hdr.gso_type);
				EXPECT_EQ(0, hdr.gso_size);
				EXPECT_TRUE(hdr.flags ? got.partial : got.good);
			}
			EXPECT_EQ(0, wait_events(self->fd, POLLIN, 0));
		}
	}
}

/* UFO is taken, and there is none. */
TEST_F(read, ufo)
{
	ASSERT_EQ(0, tun_ioctl(self->fd, TUNSETOFFLOAD,
			       TUN_F_CSUM | TUN_F_UFO));
	expect_features(_metadata, TUN_F_CSUM);
	EXPECT_GE(0, feature_get("ours", "tx-udp-fragmentation"));
}

/* A packet of many segments is one, and counted as what was read. */
TEST_F(read, statistics)
{
	struct vnet_packet p = packet(AF_INET, IPPROTO_TCP, 20000), got;
	struct link_info before, after;
	struct virtio_net_hdr hdr;

	ASSERT_EQ(0, tun_ioctl(self->fd, TUNSETOFFLOAD, TSO));
	ASSERT_EQ(0, link_get(self->index, &before));
	ASSERT_EQ(0, send_packet(self, self->sock, self->index, &p,
				 VIRTIO_NET_HDR_GSO_TCPV4, 1000));
	ASSERT_EQ(0, read_packet(self, self->eth, &got, &hdr));
	ASSERT_EQ(0, link_get(self->index, &after));
	EXPECT_EQ(1, after.stats.tx_packets - before.stats.tx_packets);
	EXPECT_EQ(self->eth + p.len,
		  after.stats.tx_bytes - before.stats.tx_bytes);
}

/* A packet larger than the buffer is cut, its header is not. */
TEST_F(read, truncated)
{
	struct vnet_packet p = packet(AF_INET, IPPROTO_TCP, 20000);
	struct virtio_net_hdr hdr;

	ASSERT_EQ(0, tun_ioctl(self->fd, TUNSETOFFLOAD, TSO));
	ASSERT_EQ(0, send_packet(self, self->sock, self->index, &p,
				 VIRTIO_NET_HDR_GSO_TCPV4, 1000));
	ASSERT_EQ(POLLIN, wait_events(self->fd, POLLIN, WAIT_MS));
	ASSERT_EQ(1500, read_ret(self->fd, self->in, 1500));
	memcpy(&hdr, self->in, HDR);
	EXPECT_EQ(VIRTIO_NET_HDR_GSO_TCPV4, hdr.gso_type);
	EXPECT_EQ(1000, hdr.gso_size);
	EXPECT_EQ(0, memcmp(self->in + HDR, self->out + HDR, 1500 - HDR));
	EXPECT_EQ(-EAGAIN, read_ret(self->fd, self->in, 1500));
}

/* The same packet in either byte order, where the kernel knows both. */
TEST_F(read, byte_order)
{
	static const unsigned long orders[] = { TUNSETVNETLE, TUNSETVNETBE };
	struct vnet_packet p = packet(AF_INET, IPPROTO_TCP, 5000), got;
	struct virtio_net_hdr hdr;
	int on = 1, off = 0;
	size_t i;

	ASSERT_EQ(0, tun_ioctl(self->fd, TUNSETOFFLOAD, TSO));
	for (i = 0; i < ARRAY_SIZE(orders); i++) {
		bool swap = orders[i] == TUNSETVNETLE ?
			    htole16(1) != 1 : htobe16(1) != 1;
		int err = tun_ioctl_ptr(self->fd, orders[i], &on);

		if (err == -EINVAL && orders[i] == TUNSETVNETBE)
			continue;
		ASSERT_EQ(0, err);
		ASSERT_EQ(0, send_packet(self, self->sock, self->index, &p,
					 VIRTIO_NET_HDR_GSO_TCPV4, 1000));
		ASSERT_EQ(0, read_packet(self, self->eth, &got, &hdr));
		if (swap)
			vnet_hdr_swap(&hdr);
		EXPECT_EQ(1000, hdr.gso_size);
		EXPECT_EQ(self->eth + p.l4, hdr.csum_start);
		EXPECT_EQ(vnet_csum_offset(&p), hdr.csum_offset);
		ASSERT_EQ(0, tun_ioctl_ptr(self->fd, orders[i], &off));
	}
}

/* The tag is put in when the packet is read: what is behind it starts later. */
TEST_F(read, vlan)
{
	struct vnet_packet p = packet(AF_INET, IPPROTO_TCP, 5000), got;
	struct virtio_net_hdr hdr;
	int index, sock;

	if (!self->eth)
		SKIP(return, "a VLAN needs Ethernet");
	ASSERT_EQ(0, link_create_vlan(self->index, "vlan", 42));
	index = link_index("vlan");
	ASSERT_EQ(0, link_up(index, true));
	sock = vnet_socket(index);
	ASSERT_LE(0, sock);
	ASSERT_EQ(0, tun_ioctl(self->fd, TUNSETOFFLOAD, TSO));
	ASSERT_EQ(0, feature_wait("vlan", "tx-checksum-ip-generic", true));
	ASSERT_EQ(0, send_packet(self, sock, index, &p,
				 VIRTIO_NET_HDR_GSO_TCPV4, 1000));
	ASSERT_EQ(0, read_packet(self, ETH_HLEN + VLAN_HLEN, &got, &hdr));
	EXPECT_EQ(0, memcmp(self->in + HDR + 12, "\x81\x00\x00\x2a", 4));
	EXPECT_EQ(5000, got.payload);
	EXPECT_EQ(VIRTIO_NET_HDR_GSO_TCPV4, hdr.gso_type);
	EXPECT_EQ(1000, hdr.gso_size);
	EXPECT_EQ(VIRTIO_NET_HDR_F_NEEDS_CSUM, hdr.flags);
	EXPECT_EQ(ETH_HLEN + VLAN_HLEN + p.l4, hdr.csum_start);
	EXPECT_EQ(vnet_csum_offset(&p), hdr.csum_offset);
	ASSERT_EQ(0, tun_ioctl(self->fd, TUNSETOFFLOAD, 0));
	ASSERT_EQ(0, send_packet(self, sock, index, &p,
				 VIRTIO_NET_HDR_GSO_TCPV4, 1000));
	ASSERT_EQ(0, read_packet(self, ETH_HLEN + VLAN_HLEN, &got, &hdr));
	EXPECT_TRUE(got.good);
	EXPECT_EQ(0, hdr.flags);
	EXPECT_EQ(0, hdr.gso_type);
	close(sock);
}

/* Two tags are no reason to cut it: the program is to see the segments' size. */
TEST_F(read, double_vlan)
{
	struct vnet_packet p = packet(AF_INET, IPPROTO_TCP, 5000), got;
	size_t head = ETH_HLEN + 2 * VLAN_HLEN;
	struct virtio_net_hdr hdr;
	int index, sock;

	if (!self->eth)
		SKIP(return, "a VLAN needs Ethernet");
	ASSERT_EQ(0, tun_ioctl(self->fd, TUNSETOFFLOAD, TSO));
	ASSERT_EQ(0, link_create_vlan(self->index, "outer", 42));
	ASSERT_EQ(0, link_up(link_index("outer"), true));
	ASSERT_EQ(0, link_create_vlan(link_index("outer"), "inner", 43));
	index = link_index("inner");
	ASSERT_EQ(0, link_up(index, true));
	ASSERT_EQ(0, feature_wait("inner", "tx-tcp-segmentation", true));
	sock = vnet_socket(index);
	ASSERT_LE(0, sock);
	ASSERT_EQ(0, send_packet(self, sock, index, &p,
				 VIRTIO_NET_HDR_GSO_TCPV4, 1000));
	ASSERT_EQ(0, read_packet(self, head, &got, &hdr));
	EXPECT_EQ(0, memcmp(self->in + HDR + 12,
			    "\x81\x00\x00\x2a\x81\x00\x00\x2b", 8));
	EXPECT_EQ(5000, got.payload);
	EXPECT_EQ(VIRTIO_NET_HDR_GSO_TCPV4, hdr.gso_type);
	EXPECT_EQ(1000, hdr.gso_size);
	EXPECT_EQ(head + p.l4, hdr.csum_start);
	close(sock);
}

TEST(unattached)
{
	int fd;

	ASSERT_EQ(0, ns_enter());
	fd = tun_open(0);
	ASSERT_LE(0, fd);
	EXPECT_EQ(-EBADFD, tun_ioctl(fd, TUNSETOFFLOAD, 0));
	EXPECT_EQ(-EBADFD, tun_ioctl(fd, TUNSETOFFLOAD, TSO));
	close(fd);
}

#ifdef __x86_64__
TEST(compat)
{
	int fd;

	ASSERT_EQ(0, ns_enter());
	fd = tun_create("ours", TAP_NOPI | IFF_VNET_HDR);
	ASSERT_LE(0, fd);
	EXPECT_EQ(0, tun_ioctl_compat(fd, TUNSETOFFLOAD, TSO));
	EXPECT_EQ(1, feature_get("ours", "tx-tcp-segmentation"));
	EXPECT_EQ(-EINVAL, tun_ioctl_compat(fd, TUNSETOFFLOAD, TUN_F_TSO4));
	EXPECT_EQ(-EINVAL, tun_ioctl_compat(fd, TUNSETOFFLOAD, -1));
	close(fd);
}
#endif /* __x86_64__ */

TEST_HARNESS_MAIN
