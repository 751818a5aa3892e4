// SPDX-License-Identifier: GPL-2.0-only
/*
 * Packets written with checksums and segments left to the receiver: what the
 * stack forwards has them done, or says that they are to be done.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "rtnl.h"
#include "tcx.h"
#include "tun_test.h"
#include "vnet_path.h"
#include "harness.h"

#define MTU_PAYLOAD	1000
#define BIG		65535
#define TSO		(TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6)
#define USO		(TUN_F_CSUM | TUN_F_USO4 | TUN_F_USO6)

#define SELF	FIXTURE_DATA(write)

FIXTURE(write)
{
	struct vnet_path path;
};

FIXTURE_VARIANT(write)
{
	int flags, hdr_size;
	bool blocking;
};

FIXTURE_VARIANT_ADD(write, tun)
{
	.flags = TUN_NOPI, .hdr_size = 10,
};

FIXTURE_VARIANT_ADD(write, tun_blocking)
{
	.flags = TUN_NOPI, .hdr_size = 12, .blocking = true,
};

FIXTURE_VARIANT_ADD(write, tap)
{
	.flags = TAP_NOPI, .hdr_size = 10,
};

FIXTURE_VARIANT_ADD(write, tap_blocking)
{
	.flags = TAP_NOPI, .hdr_size = 20, .blocking = true,
};

FIXTURE_VARIANT_ADD(write, tap_multi)
{
	.flags = TAP_NOPI | IFF_MULTI_QUEUE, .hdr_size = 24,
};

FIXTURE_SETUP(write)
{
	ASSERT_EQ(0, ns_enter());
	ASSERT_EQ(0, vnet_path_open(&self->path, variant->flags,
				    variant->hdr_size));
	if (variant->blocking)
		fcntl(self->path.fd, F_SETFL,
		      fcntl(self->path.fd, F_GETFL) & ~O_NONBLOCK);
}

FIXTURE_TEARDOWN(write)
{
	vnet_path_close(&self->path);
}

static const struct {
	int family, protocol;
} kinds[] = {
	{ AF_INET, IPPROTO_TCP },
	{ AF_INET, IPPROTO_UDP },
	{ AF_INET6, IPPROTO_TCP },
	{ AF_INET6, IPPROTO_UDP },
};

static struct vnet_packet packet(int kind, size_t payload)
{
	struct vnet_packet p = {
		.family = kinds[kind].family, .protocol = kinds[kind].protocol,
		.payload = payload, .partial = true, .flags = VNET_ACK,
	};

	return p;
}

static int gso_of(const struct vnet_packet *p)
{
	if (p->protocol == IPPROTO_UDP)
		return VIRTIO_NET_HDR_GSO_UDP_L4;
	return p->family == AF_INET ? VIRTIO_NET_HDR_GSO_TCPV4 :
				      VIRTIO_NET_HDR_GSO_TCPV6;
}

/* The most payload that IP can say. */
static size_t most(const struct vnet_packet *p)
{
	size_t l3 = p->family == AF_INET ? 20 : 40;
	size_t l4 = p->protocol == IPPROTO_TCP ? 20 : 8;

	return BIG - l3 - l4 - p->options;
}

TEST_F(write, checksum_done)
{
	struct vnet_segments s;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		struct vnet_packet p = packet(i, MTU_PAYLOAD);

		p.partial = false;
		ASSERT_EQ(0, vnet_path_send(&self->path, &p, 0, 0));
		ASSERT_EQ(0, vnet_path_gather(&self->path, &p, &s))
			TH_LOG("kind %u", i);
		EXPECT_EQ(1, s.n);
		EXPECT_EQ(0, s.hdr.flags);
		EXPECT_EQ(0, s.hdr.gso_type);
	}
}

/* Lengths odd and even, and none: the checksum ends anywhere. */
TEST_F(write, checksum_to_do)
{
	static const size_t lengths[] = { 0, 1, 2, 17, 100, 1371 };
	struct vnet_segments s;
	unsigned int i, j;

	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		for (j = 0; j < ARRAY_SIZE(lengths); j++) {
			struct vnet_packet p = packet(i, lengths[j]);

			ASSERT_EQ(0, vnet_path_send(&self->path, &p, 0, 0));
			ASSERT_EQ(0, vnet_path_gather(&self->path, &p, &s))
				TH_LOG("kind %u length %zu", i, lengths[j]);
			EXPECT_EQ(1, s.n);
			EXPECT_TRUE(s.packet.good);
			EXPECT_EQ(0, s.hdr.flags);
			EXPECT_EQ(0, s.hdr.gso_type);
		}
	}
}

/* A device that takes it gets it undone, and is told so. */
TEST_F(write, checksum_passed_on)
{
	struct vnet_segments s;
	unsigned int i;

	ASSERT_EQ(0, tun_ioctl(self->path.sink, TUNSETOFFLOAD, TUN_F_CSUM));
	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		struct vnet_packet p = packet(i, MTU_PAYLOAD);

		ASSERT_EQ(0, vnet_path_send(&self->path, &p, 0, 0));
		ASSERT_EQ(0, vnet_path_gather(&self->path, &p, &s));
		EXPECT_TRUE(s.packet.partial);
		EXPECT_EQ(VIRTIO_NET_HDR_F_NEEDS_CSUM, s.hdr.flags);
		EXPECT_EQ(p.l4, s.hdr.csum_start);
		EXPECT_EQ(vnet_csum_offset(&p), s.hdr.csum_offset);
		EXPECT_EQ(0, s.hdr.gso_type);
		EXPECT_EQ(0, s.hdr.gso_size);
		EXPECT_EQ(0, s.hdr.hdr_len);
	}
}

/* Behind options, or an extension header, it starts later. */
TEST_F(write, options)
{
	struct vnet_segments s;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		struct vnet_packet p = packet(i, MTU_PAYLOAD);

		p.options = 8;
		ASSERT_EQ(0, vnet_path_send(&self->path, &p, 0, 0));
		ASSERT_EQ(0, vnet_path_gather(&self->path, &p, &s));
		p = packet(i, 5 * MTU_PAYLOAD);
		p.options = 8;	/* more padding is none to the stack */
		ASSERT_EQ(0, vnet_path_send(&self->path, &p, gso_of(&p),
					    MTU_PAYLOAD));
		ASSERT_EQ(0, vnet_path_gather(&self->path, &p, &s))
			TH_LOG("kind %u", i);
		EXPECT_EQ(5, s.n);
	}
}

/* What one kind is cut into, up to the largest packet there can be. */
static void segment(struct __test_metadata *_metadata, SELF *self, int kind,
		    size_t payload, size_t gso_size)
{
	struct vnet_packet p = packet(kind, payload);
	struct vnet_segments s;

	ASSERT_EQ(0, vnet_path_send(&self->path, &p, gso_of(&p), gso_size));
	ASSERT_EQ(0, vnet_path_gather(&self->path, &p, &s))
		TH_LOG("kind %d payload %zu size %zu", kind, payload, gso_size);
	EXPECT_EQ((payload + gso_size - 1) / gso_size, s.n);
	EXPECT_EQ(payload < gso_size ? payload : gso_size, s.size);
	EXPECT_EQ(payload - (s.n - 1) * gso_size, s.last);
	EXPECT_EQ(0, s.hdr.gso_type);
	EXPECT_EQ(0, s.hdr.flags);
}

TEST_F(write, segmented)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		struct vnet_packet p = packet(i, 0);

		segment(_metadata, self, i, 2000, 1000);
		segment(_metadata, self, i, 2001, 1000);
		segment(_metadata, self, i, 3999, 1001);
		segment(_metadata, self, i, 5000, 100);
		segment(_metadata, self, i, 30000, 1400);
		segment(_metadata, self, i, most(&p), 1400);
	}
}

/* As many as the receiver's ring has room for. */
TEST_F(write, many_segments)
{
	segment(_metadata, self, 0, 3200, 8);
	segment(_metadata, self, 1, 128, 1);
	segment(_metadata, self, 2, 3201, 8);
	segment(_metadata, self, 3, 1280, 10);
}

/* Not more than a segment: then it is none, and no error. */
TEST_F(write, one_segment)
{
	struct vnet_segments s;
	unsigned int i;

	ASSERT_EQ(0, tun_ioctl(self->path.sink, TUNSETOFFLOAD, TSO | USO));
	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		struct vnet_packet p = packet(i, MTU_PAYLOAD);

		ASSERT_EQ(0, vnet_path_send(&self->path, &p, gso_of(&p),
					    MTU_PAYLOAD));
		ASSERT_EQ(0, vnet_path_gather(&self->path, &p, &s));
		EXPECT_EQ(VIRTIO_NET_HDR_GSO_NONE, s.hdr.gso_type);
		EXPECT_EQ(0, s.hdr.gso_size);
		EXPECT_EQ(VIRTIO_NET_HDR_F_NEEDS_CSUM, s.hdr.flags);
	}
}

/* A device that takes segments undone gets the packet as it was written. */
TEST_F(write, segments_passed_on)
{
	struct vnet_segments s;
	unsigned int i;

	ASSERT_EQ(0, tun_ioctl(self->path.sink, TUNSETOFFLOAD, TSO | USO));
	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		struct vnet_packet p = packet(i, 20000);

		ASSERT_EQ(0, vnet_path_send(&self->path, &p, gso_of(&p), 1400));
		ASSERT_EQ(0, vnet_path_gather(&self->path, &p, &s))
			TH_LOG("kind %u", i);
		EXPECT_EQ(1, s.n);
		EXPECT_EQ(gso_of(&p), s.hdr.gso_type);
		EXPECT_EQ(1400, s.hdr.gso_size);
		EXPECT_EQ(VIRTIO_NET_HDR_F_NEEDS_CSUM, s.hdr.flags);
		EXPECT_EQ(p.l4, s.hdr.csum_start);
		EXPECT_EQ(vnet_csum_offset(&p), s.hdr.csum_offset);
		EXPECT_LE(p.data, s.hdr.hdr_len);
		EXPECT_GE(p.len, s.hdr.hdr_len);
	}
}

/* TCP's checksum may be complete already; its segments have new ones. */
TEST_F(write, segmented_without_needs_csum)
{
	struct vnet_segments s;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		struct vnet_packet p = packet(i, 5000);

		p.partial = false;
		if (p.protocol == IPPROTO_UDP) {
			EXPECT_EQ(-EINVAL, vnet_path_send(&self->path, &p,
							  gso_of(&p), 1000));
			continue;
		}
		ASSERT_EQ(0, vnet_path_send(&self->path, &p, gso_of(&p), 1000));
		ASSERT_EQ(0, vnet_path_gather(&self->path, &p, &s))
			TH_LOG("kind %u", i);
		EXPECT_EQ(5, s.n);
	}
}

/* CWR is the first segment's only; FIN and PSH are the last one's. */
TEST_F(write, ecn)
{
	int i;

	for (i = 0; i < 4; i += 2) {
		int family = kinds[i].family;
		struct vnet_packet p = packet(i, 5000);
		struct vnet_segments s;

		p.flags = VNET_ACK | VNET_CWR | VNET_PSH | VNET_FIN;
		ASSERT_EQ(0, vnet_path_send(&self->path, &p, gso_of(&p) |
					    VIRTIO_NET_HDR_GSO_ECN, 1000));
		ASSERT_EQ(0, vnet_path_gather(&self->path, &p, &s));
		EXPECT_EQ(5, s.n);
		EXPECT_EQ(VNET_ACK | VNET_CWR, s.first_flags)
			TH_LOG("family %d", family);
		EXPECT_EQ(VNET_ACK, s.middle_flags);
		EXPECT_EQ(VNET_ACK | VNET_PSH | VNET_FIN, s.last_flags);
	}
}

TEST_F(write, ecn_passed_on)
{
	struct vnet_packet p = packet(0, 5000);
	int type = VIRTIO_NET_HDR_GSO_TCPV4 | VIRTIO_NET_HDR_GSO_ECN;
	struct vnet_segments s;

	p.flags = VNET_ACK | VNET_CWR;
	/* Segments, but none with ECN. */
	ASSERT_EQ(0, tun_ioctl(self->path.sink, TUNSETOFFLOAD, TSO));
	ASSERT_EQ(0, vnet_path_send(&self->path, &p, type, 1000));
	ASSERT_EQ(0, vnet_path_gather(&self->path, &p, &s));
	EXPECT_EQ(5, s.n);
	EXPECT_EQ(VNET_ACK | VNET_CWR, s.first_flags);
	EXPECT_EQ(VNET_ACK, s.middle_flags);
	ASSERT_EQ(0, tun_ioctl(self->path.sink, TUNSETOFFLOAD,
			       TSO | TUN_F_TSO_ECN));
	ASSERT_EQ(0, vnet_path_send(&self->path, &p, type, 1000));
	ASSERT_EQ(0, vnet_path_gather(&self->path, &p, &s));
	EXPECT_EQ(1, s.n);
	EXPECT_EQ(type, s.hdr.gso_type);
}

/* Legacy UFO: gso_size is of fragments, and the checksum of all of them. */
TEST_F(write, ufo)
{
	struct vnet_packet p = packet(1, 5000);
	struct vnet_segments s;

	ASSERT_EQ(0, vnet_path_send(&self->path, &p, VIRTIO_NET_HDR_GSO_UDP,
				    1000));
	ASSERT_EQ(0, vnet_path_gather(&self->path, &p, &s));
	EXPECT_EQ(6, s.n);
	EXPECT_EQ(1000, s.size);
	EXPECT_EQ(8, s.last);
	EXPECT_TRUE(s.packet.fragment);
	EXPECT_EQ(0, s.hdr.gso_type);
}

static int udp_socket(void)
{
	struct sockaddr_in local = {
		.sin_family = AF_INET, .sin_port = htons(VNET_PORT),
		.sin_addr.s_addr = htonl(VNET_NEAR),
	};
	int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (sock < 0 || bind(sock, (struct sockaddr *)&local, sizeof(local)))
		return -errno;
	return sock;
}

/* To the stack itself, in so many parts for the socket. */
static void receive(struct __test_metadata *_metadata, SELF *self,
		    int gso_type, size_t payload, size_t gso_size)
{
	uint8_t *frame = vnet_path_frame(&self->path) + self->path.eth;
	size_t done = 0, size = sizeof(self->path.in);
	struct vnet_packet p = packet(1, payload);
	int sock = udp_socket();
	ssize_t part;

	ASSERT_LE(0, sock);
	p.to = VNET_NEAR;
	ASSERT_EQ(0, vnet_path_send(&self->path, &p, gso_type, gso_size));
	while (done < payload) {
		ASSERT_EQ(POLLIN, wait_events(sock, POLLIN, WAIT_MS));
		part = recv(sock, self->path.in, size, 0);
		ASSERT_LT(0, part);
		if (gso_type)
			EXPECT_LE(part, gso_size);
		EXPECT_EQ(0, memcmp(frame + p.data + done, self->path.in,
				    part));
		done += part;
	}
	EXPECT_EQ(payload, done);
	EXPECT_EQ(0, wait_events(sock, POLLIN, 0));
	close(sock);
}

TEST_F(write, to_a_socket)
{
	receive(_metadata, self, VIRTIO_NET_HDR_GSO_NONE, 100, 0);
	receive(_metadata, self, VIRTIO_NET_HDR_GSO_NONE, 1371, 0);
	receive(_metadata, self, VIRTIO_NET_HDR_GSO_UDP_L4, 900, 1000);
	receive(_metadata, self, VIRTIO_NET_HDR_GSO_UDP_L4, 5500, 1000);
	receive(_metadata, self, VIRTIO_NET_HDR_GSO_UDP_L4, 65507, 1400);
}

/* Flags that only a reader is told do not vouch for a writer's checksum. */
TEST_F(write, data_valid)
{
	static const int flags[] = {
		VIRTIO_NET_HDR_F_DATA_VALID, VIRTIO_NET_HDR_F_RSC_INFO,
		VIRTIO_NET_HDR_F_UDP_TUNNEL_CSUM, 0xf0,
	};
	struct vnet_packet p = packet(1, 100);
	size_t i, len, size = sizeof(self->path.in);
	int sock = udp_socket();

	ASSERT_LE(0, sock);
	p.to = VNET_NEAR;
	for (i = 0; i < ARRAY_SIZE(flags); i++) {
		p.payload = 100;
		p.partial = true;	/* that is, wrong for a complete one */
		len = vnet_path_put(&self->path, &p);
		memset(&self->path.tunnel, 0, sizeof(self->path.tunnel));
		self->path.hdr.flags = flags[i];
		EXPECT_EQ(0, vnet_path_write(&self->path, len));
		/* The next one arrives, with the flag or without. */
		p.payload = 50 + i;
		p.partial = i & 1;
		len = vnet_path_put(&self->path, &p);
		vnet_hdr_set(&self->path.hdr, &p, self->path.eth, 0, 0);
		self->path.hdr.flags |= flags[i];
		EXPECT_EQ(0, vnet_path_write(&self->path, len));
		ASSERT_EQ(POLLIN, wait_events(sock, POLLIN, WAIT_MS));
		EXPECT_EQ(p.payload, recv(sock, self->path.in, size, 0))
			TH_LOG("flags %#x", flags[i]);
	}
	EXPECT_EQ(0, wait_events(sock, POLLIN, 0));
	close(sock);
}

/* One that another device has looked at: the reader need not. */
TEST_F(write, data_valid_passed_on)
{
	struct vnet_segments s;
	unsigned int i;
	int vouch = tcx_vouch(self->path.index);

	ASSERT_LE(0, vouch);
	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		struct vnet_packet p = packet(i, MTU_PAYLOAD);

		p.partial = false;
		ASSERT_EQ(0, vnet_path_send(&self->path, &p, 0, 0));
		ASSERT_EQ(0, vnet_path_gather(&self->path, &p, &s));
		EXPECT_EQ(VIRTIO_NET_HDR_F_DATA_VALID, s.hdr.flags);
		EXPECT_EQ(0, s.hdr.csum_start);
		EXPECT_EQ(0, s.hdr.csum_offset);
	}
	close(vouch);
}

/* A hint, and often a wrong one: less than the headers, none, or all of it. */
TEST_F(write, hdr_len)
{
	struct vnet_segments s;
	unsigned int i, j;

	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		struct vnet_packet p = packet(i, 5000);
		size_t len = vnet_path_put(&self->path, &p);
		size_t head = self->path.eth + p.l4;
		size_t lens[] = {
			0, head, head + 1, head + 8, head + 20, 128, 1000,
			4095, len - 1, len,
		};

		for (j = 0; j < ARRAY_SIZE(lens); j++) {
			vnet_hdr_set(&self->path.hdr, &p, self->path.eth,
				     gso_of(&p), 1000);
			self->path.hdr.hdr_len = lens[j];
			ASSERT_EQ(0, vnet_path_write(&self->path, len));
			ASSERT_EQ(0, vnet_path_gather(&self->path, &p, &s))
				TH_LOG("kind %u hdr_len %zu", i, lens[j]);
			EXPECT_EQ(5, s.n);
		}
	}
}

/* In as many pieces as there are bytes in the headers, and in two. */
TEST_F(write, in_pieces)
{
	size_t sizes[] = { 1, 7, 10, 11, 24, 40, 100, 4096 }, i;
	struct vnet_packet p = packet(0, 5000);
	struct iovec iov[64];
	struct vnet_segments s;

	vnet_path_put(&self->path, &p);
	vnet_hdr_set(&self->path.hdr, &p, self->path.eth, gso_of(&p), 1000);
	memcpy(self->path.out, &self->path.hdr, sizeof(self->path.hdr));
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		size_t all = self->path.hdr_size + self->path.eth + p.len;
		size_t at = 0;
		int n;

		for (n = 0; at < all; n++) {
			size_t part = n < 63 ? sizes[i] : all;

			if (part > all - at)
				part = all - at;
			iov[n] = (struct iovec){ self->path.out + at, part };
			at += part;
		}
		ASSERT_EQ(all, writev(self->path.fd, iov, n));
		ASSERT_EQ(0, vnet_path_gather(&self->path, &p, &s))
			TH_LOG("pieces of %zu", sizes[i]);
		EXPECT_EQ(5, s.n);
	}
}

/* The same header in either byte order, where the kernel knows both. */
TEST_F(write, byte_order)
{
	static const unsigned long orders[] = { TUNSETVNETLE, TUNSETVNETBE };
	struct vnet_packet p = packet(0, 5000);
	size_t i, len = vnet_path_put(&self->path, &p);
	int on = 1, off = 0;
	struct vnet_segments s;

	for (i = 0; i < ARRAY_SIZE(orders); i++) {
		bool swap = orders[i] == TUNSETVNETLE ?
			    htole16(1) != 1 : htobe16(1) != 1;
		int err = tun_ioctl_ptr(self->path.fd, orders[i], &on);

		if (err == -EINVAL && orders[i] == TUNSETVNETBE)
			continue;
		ASSERT_EQ(0, err);
		vnet_hdr_set(&self->path.hdr, &p, self->path.eth, gso_of(&p),
			     1000);
		if (swap)
			vnet_hdr_swap(&self->path.hdr);
		ASSERT_EQ(0, vnet_path_write(&self->path, len));
		ASSERT_EQ(0, vnet_path_gather(&self->path, &p, &s));
		EXPECT_EQ(5, s.n);
		vnet_hdr_swap(&self->path.hdr);
		EXPECT_EQ(-EINVAL, vnet_path_write(&self->path, len));
		ASSERT_EQ(0, tun_ioctl_ptr(self->path.fd, orders[i], &off));
	}
}

/* One packet, with the bytes of its link header and not of the virtio one. */
TEST_F(write, statistics)
{
	struct vnet_packet p = packet(0, 20000);
	struct link_info before, after;
	struct vnet_segments s;

	ASSERT_EQ(0, link_get(self->path.index, &before));
	ASSERT_EQ(0, vnet_path_send(&self->path, &p, gso_of(&p), 1000));
	ASSERT_EQ(0, link_get(self->path.index, &after));
	EXPECT_EQ(1, after.stats.rx_packets - before.stats.rx_packets);
	EXPECT_EQ(self->path.eth + p.len,
		  after.stats.rx_bytes - before.stats.rx_bytes);
	EXPECT_EQ(0, vnet_path_gather(&self->path, &p, &s));
}

TEST_HARNESS_MAIN
