// SPDX-License-Identifier: GPL-2.0-only
/*
 * Segments in a UDP tunnel: a header of 24 bytes says where in the packet the
 * inner one begins. What is forwarded is cut there, or passed on.
 */
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>
#include <linux/if_ether.h>

#include "rtnl.h"
#include "tun_test.h"
#include "vnet_path.h"
#include "harness.h"

#define HDR		sizeof(struct virtio_net_hdr_v1_hash_tunnel)
#define VXLAN_HLEN	8
#define PAYLOAD		5000
#define SIZE		1000
#define TSO		(TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6)
#define USO		(TUN_F_CSUM | TUN_F_USO4 | TUN_F_USO6)
#define TUNNEL		TUN_F_UDP_TUNNEL_GSO
#define TUNNEL_CSUM	(TUNNEL | TUN_F_UDP_TUNNEL_GSO_CSUM)

#define SELF	FIXTURE_DATA(tunnel)

FIXTURE(tunnel)
{
	struct vnet_path path;
	struct vnet_packet outer, inner;
	uint8_t copy[VNET_ROOM];
};

FIXTURE_VARIANT(tunnel)
{
	int outer, inner, protocol;	/* families, and of the inner */
	bool csum;			/* an outer one, to be done */
};

FIXTURE_VARIANT_ADD(tunnel, tcp4_in_udp4)
{
	.outer = AF_INET, .inner = AF_INET, .protocol = IPPROTO_TCP,
};

FIXTURE_VARIANT_ADD(tunnel, tcp6_in_udp4)
{
	.outer = AF_INET, .inner = AF_INET6, .protocol = IPPROTO_TCP,
};

FIXTURE_VARIANT_ADD(tunnel, udp4_in_udp4)
{
	.outer = AF_INET, .inner = AF_INET, .protocol = IPPROTO_UDP,
};

FIXTURE_VARIANT_ADD(tunnel, tcp4_in_udp4_csum)
{
	.outer = AF_INET, .inner = AF_INET, .protocol = IPPROTO_TCP,
	.csum = true,
};

FIXTURE_VARIANT_ADD(tunnel, tcp4_in_udp6_csum)
{
	.outer = AF_INET6, .inner = AF_INET, .protocol = IPPROTO_TCP,
	.csum = true,
};

FIXTURE_VARIANT_ADD(tunnel, udp6_in_udp6_csum)
{
	.outer = AF_INET6, .inner = AF_INET6, .protocol = IPPROTO_UDP,
	.csum = true,
};

FIXTURE_SETUP(tunnel)
{
	int size = HDR;

	ASSERT_EQ(0, ns_enter());
	ASSERT_EQ(0, vnet_path_open(&self->path, TAP_NOPI, HDR));
	ASSERT_EQ(0, tun_ioctl_ptr(self->path.sink, TUNSETVNETHDRSZ, &size));
	self->path.sink_hdr_size = HDR;
	self->inner = (struct vnet_packet){
		.family = variant->inner, .protocol = variant->protocol,
		.payload = PAYLOAD, .partial = true, .flags = VNET_ACK,
	};
	self->outer = (struct vnet_packet){
		.family = variant->outer, .protocol = IPPROTO_UDP,
		.partial = variant->csum,
	};
}

FIXTURE_TEARDOWN(tunnel)
{
	vnet_path_close(&self->path);
}

/* From the outer packet's payload on: VXLAN, Ethernet, and the inner packet. */
static size_t inner_at(SELF *self)
{
	return self->outer.data + VXLAN_HLEN + ETH_HLEN;
}

/* Makes the packet and its header; the length of the frame. */
static size_t make(SELF *self, int inner_gso)
{
	struct virtio_net_hdr_v1_hash_tunnel *hdr = &self->path.tunnel;
	static const uint8_t mac[6] = { 2, 0, 0, 0, 0, 9 };
	int proto = self->inner.family == AF_INET ? ETH_P_IP : ETH_P_IPV6;
	uint8_t *ip = vnet_path_frame(&self->path) + ETH_HLEN;
	uint16_t no_check = 0;
	size_t len;

	len = vnet_packet_make(self->copy, &self->inner);
	self->outer.payload = VXLAN_HLEN + ETH_HLEN + len;
	vnet_path_put(&self->path, &self->outer);
	memset(ip + self->outer.data, 0, VXLAN_HLEN);
	ip[self->outer.data] = 0x08;
	packet_eth(ip + self->outer.data + VXLAN_HLEN, mac, mac, proto);
	memcpy(ip + inner_at(self), self->copy, len);
	if (!self->outer.partial)
		memcpy(ip + self->outer.l4 + 6, &no_check, sizeof(no_check));

	memset(hdr, 0, sizeof(*hdr));
	vnet_hdr_set(&self->path.hdr, &self->inner, ETH_HLEN + inner_at(self),
		     inner_gso, SIZE);
	self->path.hdr.gso_type |= self->outer.family == AF_INET ?
				   VIRTIO_NET_HDR_GSO_UDP_TUNNEL_IPV4 :
				   VIRTIO_NET_HDR_GSO_UDP_TUNNEL_IPV6;
	if (self->outer.partial)
		self->path.hdr.flags |= VIRTIO_NET_HDR_F_UDP_TUNNEL_CSUM;
	hdr->outer_th_offset = htole16(ETH_HLEN + self->outer.l4);
	hdr->inner_nh_offset = htole16(ETH_HLEN + inner_at(self));
	return ETH_HLEN + self->outer.len;
}

static int gso_of(const struct vnet_packet *p)
{
	if (p->protocol == IPPROTO_UDP)
		return VIRTIO_NET_HDR_GSO_UDP_L4;
	return p->family == AF_INET ? VIRTIO_NET_HDR_GSO_TCPV4 :
				      VIRTIO_NET_HDR_GSO_TCPV6;
}

/* Reads an outer packet, and looks at the one in it. */
static int read_both(SELF *self, struct vnet_packet *outer,
		     struct vnet_packet *inner)
{
	uint8_t *ip = self->path.in + HDR;
	struct virtio_net_hdr hdr;
	size_t at;
	int err;

	err = vnet_path_read(&self->path, outer, &hdr);
	if (err)
		return err;
	at = outer->data + VXLAN_HLEN + ETH_HLEN;
	if (at > outer->len)
		return -EMSGSIZE;
	return vnet_packet_parse(ip + at, outer->len - at, inner);
}

/* Each segment has headers and checksums of its own, outer and inner. */
static void expect_segments(struct __test_metadata *_metadata, SELF *self)
{
	struct vnet_packet outer, inner;
	uint16_t check;
	size_t n;

	for (n = 0; n < PAYLOAD / SIZE; n++) {
		ASSERT_EQ(0, read_both(self, &outer, &inner))
			TH_LOG("segment %zu", n);
		EXPECT_EQ(SIZE, inner.payload);
		EXPECT_TRUE(inner.good);
		EXPECT_EQ(self->inner.family, inner.family);
		EXPECT_EQ(self->inner.protocol, inner.protocol);
		memcpy(&check, self->path.in + HDR + outer.l4 + 6, 2);
		EXPECT_EQ(self->outer.partial, check != 0);
		EXPECT_TRUE(outer.good || !check);
		EXPECT_EQ(0, self->path.in[1])
			TH_LOG("gso_type %#x", self->path.in[1]);
		EXPECT_EQ(0, memcmp(self->copy + self->inner.data + n * SIZE,
				    self->path.in + HDR + outer.data +
				    VXLAN_HLEN + ETH_HLEN + inner.data, SIZE));
	}
}

TEST_F(tunnel, segmented)
{
	size_t len = make(self, gso_of(&self->inner));

	ASSERT_EQ(0, vnet_path_write(&self->path, len));
	expect_segments(_metadata, self);
}

/* A device that takes no tunnels, though all else, has it cut as well. */
TEST_F(tunnel, segmented_for_plain_offloads)
{
	size_t len = make(self, gso_of(&self->inner));

	ASSERT_EQ(0, tun_ioctl(self->path.sink, TUNSETOFFLOAD, TSO | USO));
	ASSERT_EQ(0, vnet_path_write(&self->path, len));
	for (len = 0; len < PAYLOAD / SIZE; len++) {
		struct vnet_packet outer, inner;

		ASSERT_EQ(0, read_both(self, &outer, &inner));
		EXPECT_EQ(SIZE, inner.payload);
	}
}

/* Passed on, with the offsets that the sink's own frame has. */
TEST_F(tunnel, passed_on)
{
	struct virtio_net_hdr_v1_hash_tunnel hdr, sent;
	size_t len = make(self, gso_of(&self->inner));
	struct vnet_packet outer, inner;

	sent = self->path.tunnel;
	ASSERT_EQ(0, tun_ioctl(self->path.sink, TUNSETOFFLOAD,
			       TSO | USO | TUNNEL_CSUM));
	ASSERT_EQ(0, vnet_path_write(&self->path, len));
	ASSERT_EQ(0, read_both(self, &outer, &inner));
	EXPECT_EQ(PAYLOAD, inner.payload);
	EXPECT_TRUE(inner.partial);
	memcpy(&hdr, self->path.in, sizeof(hdr));
	EXPECT_EQ(sent.hash_hdr.hdr.gso_type, hdr.hash_hdr.hdr.gso_type);
	EXPECT_EQ(sent.hash_hdr.hdr.flags, hdr.hash_hdr.hdr.flags);
	EXPECT_EQ(SIZE, hdr.hash_hdr.hdr.gso_size);
	EXPECT_EQ(inner_at(self) + self->inner.l4,
		  hdr.hash_hdr.hdr.csum_start);
	EXPECT_EQ(vnet_csum_offset(&self->inner), hdr.hash_hdr.hdr.csum_offset);
	EXPECT_EQ(self->outer.l4, le16toh(hdr.outer_th_offset));
	EXPECT_EQ(inner_at(self), le16toh(hdr.inner_nh_offset));
	EXPECT_EQ(0, hdr.hash_hdr.hash_value_lo);
	EXPECT_EQ(0, hdr.hash_hdr.hash_value_hi);
	EXPECT_EQ(0, hdr.hash_hdr.hash_report);
}

/* Packets that are in no tunnel have nothing in those fields. */
TEST_F(tunnel, plain)
{
	static const uint8_t none[HDR];
	struct vnet_packet p = self->inner;
	struct vnet_segments s;

	ASSERT_EQ(0, tun_ioctl(self->path.sink, TUNSETOFFLOAD,
			       TSO | USO | TUNNEL_CSUM));
	ASSERT_EQ(0, vnet_path_send(&self->path, &p, gso_of(&p), SIZE));
	ASSERT_EQ(0, vnet_path_gather(&self->path, &p, &s));
	EXPECT_EQ(gso_of(&p), s.hdr.gso_type);
	EXPECT_EQ(0, memcmp(self->path.in + 10, none, HDR - 10));
}

/* The reader's header has no room for what its offloads need to be told. */
TEST_F(tunnel, read_header_too_small)
{
	size_t len = make(self, gso_of(&self->inner));
	int small = 12;

	ASSERT_EQ(0, tun_ioctl(self->path.sink, TUNSETOFFLOAD,
			       TSO | USO | TUNNEL_CSUM));
	ASSERT_EQ(0, tun_ioctl_ptr(self->path.sink, TUNSETVNETHDRSZ, &small));
	while (wait_events(self->path.sink, POLLIN, 0) == POLLIN)
		read_ret(self->path.sink, self->path.in, VNET_ROOM);
	ASSERT_EQ(0, vnet_path_write(&self->path, len));
	ASSERT_EQ(POLLIN, wait_events(self->path.sink, POLLIN, WAIT_MS));
	EXPECT_EQ(tun_is_rtun() ? -EINVAL : -EFAULT,
		  read_ret(self->path.sink, self->path.in, VNET_ROOM));
}

/* The in-tree driver would warn of it: a reader's fault is not the kernel's. */
TEST_F(tunnel, offload_off_while_it_waits)
{
	size_t len = make(self, gso_of(&self->inner));
	struct vnet_packet p = self->inner;
	struct vnet_segments s;

	if (!tun_is_rtun())
		SKIP(return, "a warning, which ends the run");
	ASSERT_EQ(0, tun_ioctl(self->path.sink, TUNSETOFFLOAD,
			       TSO | USO | TUNNEL_CSUM));
	while (wait_events(self->path.sink, POLLIN, 0) == POLLIN)
		read_ret(self->path.sink, self->path.in, VNET_ROOM);
	ASSERT_EQ(0, vnet_path_write(&self->path, len));
	ASSERT_EQ(POLLIN, wait_events(self->path.sink, POLLIN, WAIT_MS));
	ASSERT_EQ(0, tun_ioctl(self->path.sink, TUNSETOFFLOAD, 0));
	EXPECT_EQ(-EINVAL, read_ret(self->path.sink, self->path.in,
				    VNET_ROOM));
	ASSERT_EQ(0, vnet_path_send(&self->path, &p, gso_of(&p), SIZE));
	ASSERT_EQ(0, vnet_path_gather(&self->path, &p, &s));
	EXPECT_EQ(PAYLOAD / SIZE, s.n);
}

static uint64_t frame_errors(SELF *self)
{
	struct link_info info;

	return link_get(self->path.index, &info) ? ~0ull :
						   info.stats.rx_frame_errors;
}

#define BOTH	VIRTIO_NET_HDR_GSO_UDP_TUNNEL

/* One thing wrong at a time. */
TEST_F(tunnel, malformed)
{
	size_t len = make(self, gso_of(&self->inner)), i;
	struct virtio_net_hdr_v1_hash_tunnel good = self->path.tunnel, *hdr;
	int outer = le16toh(good.outer_th_offset);
	int inner = le16toh(good.inner_nh_offset);
	uint64_t before = frame_errors(self);
	static const uint8_t types[] = {
		0, VIRTIO_NET_HDR_GSO_UDP, VIRTIO_NET_HDR_GSO_ECN, 2, 6,
	};

	hdr = &self->path.tunnel;
	for (i = 0; i < 5 + 5; i++) {
		*hdr = good;
		switch (i) {
		case 0:
			self->path.hdr.flags &= ~VIRTIO_NET_HDR_F_NEEDS_CSUM;
			break;
		case 1:
			self->path.hdr.gso_type |= BOTH;
			break;
		case 2:		/* no room for IP */
			hdr->outer_th_offset = htole16(outer == 34 ? 33 : 53);
			break;
		case 3:		/* nor for UDP */
			hdr->inner_nh_offset = htole16(outer + 7);
			break;
		case 4:		/* nor for the inner IP */
			hdr->inner_nh_offset =
				htole16(self->path.hdr.csum_start - 19);
			break;
		default:
			self->path.hdr.gso_type &= BOTH;
			self->path.hdr.gso_type |= types[i - 5];
		}
		EXPECT_EQ(-EINVAL, vnet_path_write(&self->path, len))
			TH_LOG("row %zu", i);
	}
	EXPECT_UNLESS_DEFECT("D3", frame_errors(self) == before + i);
	EXPECT_LT(outer, inner);
	*hdr = good;
	EXPECT_EQ(0, vnet_path_write(&self->path, len));
}

/* The least that is taken is after an Ethernet header, which TUN has not. */
TEST_F(tunnel, not_on_tun)
{
	int fd = tun_create("other", TUN_NOPI | IFF_VNET_HDR), size = HDR;
	size_t len = make(self, gso_of(&self->inner)) - ETH_HLEN;
	struct virtio_net_hdr_v1_hash_tunnel *hdr = &self->path.tunnel;

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, tun_ioctl_ptr(fd, TUNSETVNETHDRSZ, &size));
	ASSERT_EQ(0, link_up(tun_index(fd), true));
	hdr->outer_th_offset = htole16(self->outer.l4);
	hdr->inner_nh_offset = htole16(inner_at(self));
	self->path.hdr.csum_start -= ETH_HLEN;
	self->path.hdr.hdr_len -= ETH_HLEN;
	memmove(self->path.out + HDR, self->path.out + HDR + ETH_HLEN, len);
	memcpy(self->path.out, hdr, HDR);
	EXPECT_EQ(-EINVAL, write_ret(fd, self->path.out, HDR + len));
	close(fd);
}

TEST_HARNESS_MAIN
