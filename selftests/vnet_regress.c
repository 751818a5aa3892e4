// SPDX-License-Identifier: GPL-2.0-only
/*
 * Where the in-tree driver, or what it shares with others, broke on a
 * virtio-net header before: a test for each, by what it was.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <linux/if_ether.h>

#include "rtnl.h"
#include "tun_test.h"
#include "vnet_path.h"
#include "harness.h"

#define CSUM		VIRTIO_NET_HDR_F_NEEDS_CSUM
#define FLOOD		3000
#define FLOOD_LINES	300

#define SELF	FIXTURE_DATA(vnet_regress)

FIXTURE(vnet_regress)
{
	struct vnet_path path;
};

FIXTURE_VARIANT(vnet_regress)
{
	int flags;
	bool blocking;
};

FIXTURE_VARIANT_ADD(vnet_regress, tun)
{
	.flags = TUN_NOPI,
};

FIXTURE_VARIANT_ADD(vnet_regress, tap)
{
	.flags = TAP_NOPI,
};

FIXTURE_VARIANT_ADD(vnet_regress, tap_blocking)
{
	.flags = TAP_NOPI, .blocking = true,
};

FIXTURE_SETUP(vnet_regress)
{
	ASSERT_EQ(0, ns_enter());
	ASSERT_EQ(0, vnet_path_open(&self->path, variant->flags, 10));
	if (variant->blocking)
		fcntl(self->path.fd, F_SETFL,
		      fcntl(self->path.fd, F_GETFL) & ~O_NONBLOCK);
}

FIXTURE_TEARDOWN(vnet_regress)
{
	vnet_path_close(&self->path);
}

static const struct {
	int family, protocol, gso;
} kinds[] = {
	{ AF_INET, IPPROTO_TCP, VIRTIO_NET_HDR_GSO_TCPV4 },
	{ AF_INET6, IPPROTO_TCP, VIRTIO_NET_HDR_GSO_TCPV6 },
	{ AF_INET, IPPROTO_UDP, VIRTIO_NET_HDR_GSO_UDP_L4 },
	{ AF_INET6, IPPROTO_UDP, VIRTIO_NET_HDR_GSO_UDP_L4 },
};

static struct vnet_packet packet(int kind, size_t payload)
{
	struct vnet_packet p = {
		.family = kinds[kind].family, .protocol = kinds[kind].protocol,
		.payload = payload, .partial = true, .flags = VNET_ACK,
	};

	return p;
}

/* Passed on to devices that then computed a checksum beyond the packet. */
TEST_F(vnet_regress, gso_with_csum_start_beyond_2024)
{
	unsigned int i, start;

	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		struct vnet_packet p = packet(i, 3000);
		size_t len = vnet_path_put(&self->path, &p);

		for (start = len - 20; start < len + 20; start++) {
			vnet_hdr_set(&self->path.hdr, &p, self->path.eth,
				     kinds[i].gso, 1000);
			self->path.hdr.csum_start = start;
			/* Where a header just fits, it is one to TCP or UDP. */
			if (start + p.data - p.l4 <= len)
				continue;
			EXPECT_EQ(-EINVAL, vnet_path_write(&self->path, len))
				TH_LOG("kind %u start %u", i, start);
		}
	}
}

/* So did a csum_offset that was not the protocol's own. */
TEST_F(vnet_regress, gso_with_odd_csum_offset_2024)
{
	unsigned int i, offset;

	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		struct vnet_packet p = packet(i, 3000);
		size_t len = vnet_path_put(&self->path, &p);

		for (offset = 0; offset < 40; offset++) {
			if (offset == vnet_csum_offset(&p))
				continue;
			vnet_hdr_set(&self->path.hdr, &p, self->path.eth,
				     kinds[i].gso, 1000);
			self->path.hdr.csum_offset = offset;
			EXPECT_EQ(-EINVAL, vnet_path_write(&self->path, len))
				TH_LOG("kind %u offset %u", i, offset);
		}
	}
}

/* A csum_start within the IP header had GSO read before the packet. */
TEST_F(vnet_regress, csum_start_in_ip_header_2024)
{
	unsigned int i, start;

	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		struct vnet_packet p = packet(i, 3000);
		size_t least = p.family == AF_INET ||
			       p.protocol == IPPROTO_UDP ? 20 : 40;
		size_t len = vnet_path_put(&self->path, &p);

		for (start = 0; start < least; start++) {
			vnet_hdr_set(&self->path.hdr, &p, self->path.eth,
				     kinds[i].gso, 1000);
			self->path.hdr.csum_start = start;
			EXPECT_EQ(-EINVAL, vnet_path_write(&self->path, len))
				TH_LOG("kind %u start %u", i, start);
		}
	}
}

/*
 * The first cure of these refused good packets: those of a sender that sets
 * csum_start to TCP's or UDP's header, as all do, on a TUN, whose packets have
 * no link header, or with a hdr_len that is less than the headers.
 */
TEST_F(vnet_regress, valid_csum_start_refused_2024)
{
	struct vnet_segments s;
	unsigned int i, j;

	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		struct vnet_packet p = packet(i, 3000);
		size_t len = vnet_path_put(&self->path, &p);
		size_t lens[] = { 0, self->path.eth + p.l4,
				  self->path.eth + p.data, };

		for (j = 0; j < ARRAY_SIZE(lens); j++) {
			vnet_hdr_set(&self->path.hdr, &p, self->path.eth,
				     kinds[i].gso, 1000);
			self->path.hdr.hdr_len = lens[j];
			ASSERT_EQ(0, vnet_path_write(&self->path, len))
				TH_LOG("kind %u hdr_len %zu", i, lens[j]);
			ASSERT_EQ(0, vnet_path_gather(&self->path, &p, &s));
			EXPECT_EQ(3, s.n);
		}
	}
}

/* The quick path's buffer is a page: what does not fit takes the other one. */
TEST_F(vnet_regress, build_skb_size_limit)
{
	int sock = packet_socket(self->path.index, PROTO_TEST);
	uint8_t *frame = vnet_path_frame(&self->path);
	static const int sizes[] = { 10, 4000 };
	size_t i, len;

	ASSERT_LE(0, sock);
	memset(&self->path.tunnel, 0, sizeof(self->path.tunnel));
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		ASSERT_EQ(0, tun_ioctl_ptr(self->path.fd, TUNSETVNETHDRSZ,
					   &sizes[i]));
		self->path.hdr_size = sizes[i];
		frame = vnet_path_frame(&self->path);
		if (!self->path.eth)
			SKIP(goto out, "the quick path is TAP's");
		for (len = 3300; len < 4200; len++) {
			packet_fill(frame, len, len);
			packet_eth(frame, self->path.mac, self->path.mac,
				   PROTO_TEST);
			ASSERT_EQ(0, vnet_path_write(&self->path, len));
			ASSERT_EQ(len, packet_recv(sock, self->path.in,
						   VNET_ROOM, NULL));
			ASSERT_EQ(0, memcmp(frame, self->path.in, len))
				TH_LOG("length %zu", len);
		}
	}
out:
	close(sock);
}

/* How many lines the kernel has to say since a position in its log. */
static int log_lines(int kmsg)
{
	char line[8192];
	int n = 0;
	ssize_t ret;

	do {
		ret = read_ret(kmsg, line, sizeof(line));
		n += ret > 0;
	} while (ret > 0 || ret == -EPIPE);
	return ret == -EAGAIN ? n : ret;
}

/* A line for each of them filled the log, and took the console's time. */
TEST_F(vnet_regress, log_flood_by_bad_headers)
{
	int kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC), i;
	static const struct virtio_net_hdr bad[] = {
		{ .gso_type = 0x7f, .gso_size = 1000 },
		{ .gso_type = 2 },
		{ .flags = CSUM, .gso_type = VIRTIO_NET_HDR_GSO_TCPV4 },
		{ .flags = CSUM, .csum_start = 0xffff, .csum_offset = 0x64 },
		{ .flags = CSUM, .csum_start = 2, .csum_offset = 0xffff,
		  .hdr_len = 100 },
	};
	struct vnet_packet p = packet(0, 3000);
	size_t len = vnet_path_put(&self->path, &p);
	int lines;

	ASSERT_LE(0, kmsg);
	ASSERT_LE(0, lseek(kmsg, 0, SEEK_END));
	for (i = 0; i < FLOOD; i++) {
		self->path.hdr = bad[i % ARRAY_SIZE(bad)];
		ASSERT_EQ(-EINVAL, vnet_path_write(&self->path, len))
			TH_LOG("header %zu", i % ARRAY_SIZE(bad));
	}
	lines = log_lines(kmsg);
	EXPECT_LE(0, lines);
	EXPECT_GT(FLOOD_LINES, lines);
	close(kmsg);
}

/*
 * Segments wait that the reader takes, and then it does not any more. Offloads
 * and header size may change at any time: who reads gets a packet or an error.
 */
TEST_F(vnet_regress, offloads_off_while_segments_wait)
{
	static const unsigned int offloads[] = { 0, TUN_F_CSUM };
	struct vnet_packet p = packet(0, 3000), got;
	struct virtio_net_hdr hdr;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(offloads); i++) {
		ASSERT_EQ(0, tun_ioctl(self->path.sink, TUNSETOFFLOAD,
				       TUN_F_CSUM | TUN_F_TSO4));
		ASSERT_EQ(0, vnet_path_send(&self->path, &p, kinds[0].gso,
					    1000));
		ASSERT_EQ(POLLIN, wait_events(self->path.sink, POLLIN,
					      WAIT_MS));
		ASSERT_EQ(0, tun_ioctl(self->path.sink, TUNSETOFFLOAD,
				       offloads[i]));
		ASSERT_EQ(0, vnet_path_read(&self->path, &got, &hdr));
		EXPECT_EQ(3000, got.payload);
		EXPECT_EQ(kinds[0].gso, hdr.gso_type);
		EXPECT_EQ(1000, hdr.gso_size);
	}
}

TEST_HARNESS_MAIN
