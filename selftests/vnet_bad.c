// SPDX-License-Identifier: GPL-2.0-only
/*
 * Headers that do not fit their packet: which of them are refused, as what
 * that is counted, and that the next packet passes.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "rtnl.h"
#include "tun_test.h"
#include "vnet_path.h"
#include "harness.h"

#define PAYLOAD		3000
#define BAD_POINTER	((void *)8)
#define CSUM		VIRTIO_NET_HDR_F_NEEDS_CSUM
#define TCPV4		VIRTIO_NET_HDR_GSO_TCPV4
#define TCPV6		VIRTIO_NET_HDR_GSO_TCPV6
#define UDP_L4		VIRTIO_NET_HDR_GSO_UDP_L4
#define UFO		VIRTIO_NET_HDR_GSO_UDP
#define ECN		VIRTIO_NET_HDR_GSO_ECN

/* What becomes of a write. */
enum fate {
	UNCOUNTED,		/* it does not fit what was written */
	FRAME_ERROR,		/* it does not fit what the packet is */
	DROPPED,
	PASSES,
	FATES
};

struct row {
	const char *what;
	struct virtio_net_hdr hdr;	/* offsets are from the IP header on */
	enum fate tun, tap;
	bool absolute;			/* offsets are from the frame on */
	bool since_7_3;			/* older kernels do not look */
};

#define ROW(_what, _fate, ...) \
	{ .what = _what, .tun = _fate, .tap = _fate, .hdr = { __VA_ARGS__ } }
#define ROW_ABSOLUTE(_what, _tun, _tap, ...) \
	{ .what = _what, .tun = _tun, .tap = _tap, .absolute = true, \
	  .hdr = { __VA_ARGS__ } }
#define ROW_7_3(_what, _fate, ...) \
	{ .what = _what, .tun = _fate, .tap = _fate, .since_7_3 = true, \
	  .hdr = { __VA_ARGS__ } }
#define SUM(_start, _offset) \
	.flags = CSUM, .csum_start = _start, .csum_offset = _offset
#define GSO(_type, _hdr_len, _size) \
	.gso_type = _type, .hdr_len = _hdr_len, .gso_size = _size

#define SELF	FIXTURE_DATA(bad)

FIXTURE(bad)
{
	struct vnet_path path;
	struct link_info before;
	int expected[FATES];
};

FIXTURE_VARIANT(bad)
{
	int flags;
	bool blocking;
};

FIXTURE_VARIANT_ADD(bad, tun)
{
	.flags = TUN_NOPI,
};

FIXTURE_VARIANT_ADD(bad, tun_blocking)
{
	.flags = TUN_NOPI, .blocking = true,
};

FIXTURE_VARIANT_ADD(bad, tap)
{
	.flags = TAP_NOPI,
};

FIXTURE_VARIANT_ADD(bad, tap_blocking)
{
	.flags = TAP_NOPI, .blocking = true,
};

FIXTURE_SETUP(bad)
{
	ASSERT_EQ(0, ns_enter());
	ASSERT_EQ(0, vnet_path_open(&self->path, variant->flags, 10));
	if (variant->blocking)
		fcntl(self->path.fd, F_SETFL,
		      fcntl(self->path.fd, F_GETFL) & ~O_NONBLOCK);
	ASSERT_EQ(0, link_get(self->path.index, &self->before));
}

FIXTURE_TEARDOWN(bad)
{
	vnet_path_close(&self->path);
}

static struct vnet_packet packet(int family, int protocol, size_t payload)
{
	struct vnet_packet p = {
		.family = family, .protocol = protocol, .payload = payload,
		.partial = true, .flags = VNET_ACK,
	};

	return p;
}

/* Since then the in-tree driver knows what a packet is before its header. */
static bool kernel_is_7_3(void)
{
	int major = 0, minor = 0;
	struct utsname name;

	return !uname(&name) &&
	       sscanf(name.release, "%d.%d", &major, &minor) == 2 &&
	       (major > 7 || (major == 7 && minor >= 3));
}

static void place_hdr(SELF *self, const struct row *row)
{
	struct virtio_net_hdr *hdr = &self->path.hdr;

	*hdr = row->hdr;
	if (row->absolute)
		return;
	if (hdr->flags & CSUM)
		hdr->csum_start += self->path.eth;
	if (hdr->hdr_len)
		hdr->hdr_len += self->path.eth;
}

/* Each row with the packet; a fate is noted, to be compared at the end. */
static void try_rows(struct __test_metadata *_metadata, SELF *self,
		     struct vnet_packet p, const struct row *row, int rows)
{
	size_t len = vnet_path_put(&self->path, &p);

	for (; rows--; row++) {
		enum fate fate = self->path.eth ? row->tap : row->tun;

		if (row->since_7_3 && !kernel_is_7_3())
			continue;
		place_hdr(self, row);
		EXPECT_EQ(fate == PASSES ? 0 : -EINVAL,
			  vnet_path_write(&self->path, len))
			TH_LOG("%s", row->what);
		self->expected[fate]++;
	}
}

/* What the device says of all of them, and that it still works. */
static void settle(struct __test_metadata *_metadata, SELF *self)
{
	struct vnet_packet p = packet(AF_INET, IPPROTO_TCP, PAYLOAD);
	struct vnet_segments s;
	struct rtnl_link_stats64 *was = &self->before.stats;
	struct link_info after;
	int frame_errors;

	/* rtun counts every header that it refuses. */
	if (tun_is_rtun())
		self->expected[FRAME_ERROR] += self->expected[UNCOUNTED];
	ASSERT_EQ(0, link_get(self->path.index, &after));
	EXPECT_EQ(self->expected[PASSES],
		  after.stats.rx_packets - was->rx_packets);
	EXPECT_EQ(self->expected[DROPPED],
		  after.stats.rx_dropped - was->rx_dropped);
	while (wait_events(self->path.sink, POLLIN, 0) == POLLIN)
		read_ret(self->path.sink, self->path.in,
			 sizeof(self->path.in));
	ASSERT_EQ(0, vnet_path_send(&self->path, &p, TCPV4, 1000));
	ASSERT_EQ(0, vnet_path_gather(&self->path, &p, &s));
	EXPECT_EQ(3, s.n);
	frame_errors = after.stats.rx_frame_errors - was->rx_frame_errors;
	if (self->path.eth && self->expected[FRAME_ERROR])
		EXPECT_UNLESS_DEFECT("D3", frame_errors ==
				     self->expected[FRAME_ERROR]);
	else
		EXPECT_EQ(self->expected[FRAME_ERROR], frame_errors);
}

/* An IPv4 TCP packet of 3040 bytes: 20, 20, and the payload. */
#define LEN	(40 + PAYLOAD)

static const struct row csum_rows[] = {
	ROW("nothing to do", PASSES, .flags = 0),
	ROW("all right", PASSES, SUM(20, 16)),
	ROW("not where it should be, but inside", PASSES, SUM(24, 100)),
	ROW("up to the last byte", PASSES, SUM(20, LEN - 22)),
	ROW("a byte too far", UNCOUNTED, SUM(20, LEN - 21)),
	ROW("starts where it should be put", PASSES, SUM(LEN - 2, 0)),
	ROW("starts on the last byte", UNCOUNTED, SUM(LEN - 1, 0)),
	ROW("starts behind the packet", UNCOUNTED, SUM(LEN, 0)),
	ROW("starts far behind", UNCOUNTED, SUM(60000, 0)),
	ROW("far behind its start", UNCOUNTED, SUM(20, 60000)),
	ROW_ABSOLUTE("starts in the IP header", FRAME_ERROR, FRAME_ERROR,
		     SUM(19, 16), .hdr_len = 100),
	ROW_ABSOLUTE("starts at the frame's start", FRAME_ERROR, FRAME_ERROR,
		     SUM(0, 16), .hdr_len = 100),
	ROW("headers up to the last byte", PASSES, .hdr_len = LEN),
	ROW("headers beyond the packet", UNCOUNTED, .hdr_len = LEN + 1),
	ROW("headers far beyond", UNCOUNTED, .hdr_len = 65000),
	ROW_ABSOLUTE("headers of one byte", PASSES, UNCOUNTED, .hdr_len = 1),
	ROW_ABSOLUTE("headers of less than Ethernet's", PASSES, UNCOUNTED,
		     .hdr_len = 13),
	ROW_ABSOLUTE("headers of Ethernet's length", PASSES, PASSES,
		     .hdr_len = 14),
};

TEST_F(bad, checksum)
{
	try_rows(_metadata, self, packet(AF_INET, IPPROTO_TCP, PAYLOAD),
		 csum_rows, ARRAY_SIZE(csum_rows));
	settle(_metadata, self);
}

/* The sum of the three is no 16-bit number. */
TEST_F(bad, checksum_wraps)
{
	static const uint16_t pairs[][2] = {
		{ 0xffff, 0xffff }, { 0xffff, 0 }, { 0xfffe, 0 },
		{ 0xfffe, 2 }, { 0xfff0, 100 }, { 20, 0xffff },
		{ 34, 0xffec }, { 0x8000, 0x8000 }, { 0xfffd, 1 },
	};
	struct vnet_packet p = packet(AF_INET, IPPROTO_TCP, PAYLOAD);
	size_t i, len = vnet_path_put(&self->path, &p);
	static const uint16_t hdr_lens[] = { 0, 60, 200 };
	struct link_info after;

	for (i = 0; i < 3 * ARRAY_SIZE(pairs); i++) {
		self->path.hdr = (struct virtio_net_hdr){
			.flags = CSUM, .csum_start = pairs[i / 3][0],
			.csum_offset = pairs[i / 3][1],
			.hdr_len = hdr_lens[i % 3],
			.gso_type = i & 1 ? TCPV4 : 0, .gso_size = 1000,
		};
		EXPECT_EQ(-EINVAL, vnet_path_write(&self->path, len))
			TH_LOG("start %#x offset %#x hdr_len %u",
			       pairs[i / 3][0], pairs[i / 3][1],
			       hdr_lens[i % 3]);
	}
	ASSERT_EQ(0, link_get(self->path.index, &after));
	EXPECT_EQ(self->before.stats.rx_packets, after.stats.rx_packets);
}

static const struct row tcp_rows[] = {
	ROW("all right", PASSES, SUM(20, 16), GSO(TCPV4, 40, 1000)),
	ROW("no size", FRAME_ERROR, SUM(20, 16), GSO(TCPV4, 40, 0)),
	ROW("a size with a meaning of its own", FRAME_ERROR, SUM(20, 16),
	    GSO(TCPV4, 40, 0xffff)),
	ROW("the largest size", PASSES, SUM(20, 16), GSO(TCPV4, 40, 0xfffe)),
	ROW("a type between others", FRAME_ERROR, SUM(20, 16),
	    GSO(2, 40, 1000)),
	ROW("a type above the others", FRAME_ERROR, SUM(20, 16),
	    GSO(6, 40, 1000)),
	ROW("a type of all bits", FRAME_ERROR, SUM(20, 16),
	    GSO(0x7f, 40, 1000)),
	ROW("ECN of nothing", FRAME_ERROR, SUM(20, 16), GSO(ECN, 40, 1000)),
	ROW("an unknown type and no more", FRAME_ERROR, .gso_type = 2),
	ROW("a tunnel, in a header too short for it", FRAME_ERROR, SUM(20, 16),
	    GSO(TCPV4 | VIRTIO_NET_HDR_GSO_UDP_TUNNEL_IPV4, 40, 1000)),
	ROW("no TCP header fits behind csum_start", FRAME_ERROR,
	    SUM(LEN - 18, 16), GSO(TCPV4, 0, 1000)),
	ROW("not the place of TCP's checksum", FRAME_ERROR, SUM(20, 6),
	    GSO(TCPV4, 40, 1000)),
	ROW_ABSOLUTE("no IPv6 header fits before csum_start", FRAME_ERROR,
		     FRAME_ERROR, SUM(39, 16), GSO(TCPV6, 100, 1000)),
	ROW("UDP's segments with TCP's checksum", FRAME_ERROR, SUM(20, 16),
	    GSO(UDP_L4, 28, 1000)),
	/* Without a checksum to do, the packet is looked at. */
	ROW("TCP, as it is", PASSES, GSO(TCPV4, 40, 1000)),
	ROW_7_3("IPv6, and it is not", FRAME_ERROR, GSO(TCPV6, 40, 1000)),
	ROW("UDP, and it is not", FRAME_ERROR, GSO(UDP_L4, 28, 1000)),
	ROW_7_3("fragments, and it is not", FRAME_ERROR, GSO(UFO, 28, 1000)),
};

TEST_F(bad, tcp_segments)
{
	try_rows(_metadata, self, packet(AF_INET, IPPROTO_TCP, PAYLOAD),
		 tcp_rows, ARRAY_SIZE(tcp_rows));
	settle(_metadata, self);
}

static const struct row udp_rows[] = {
	ROW("all right", PASSES, SUM(20, 6), GSO(UDP_L4, 28, 1000)),
	ROW("as many segments as may be", PASSES, SUM(20, 6),
	    GSO(UDP_L4, 28, 24)),
	ROW("more than may be", FRAME_ERROR, SUM(20, 6), GSO(UDP_L4, 28, 23)),
	ROW("no checksum to do", FRAME_ERROR, GSO(UDP_L4, 28, 1000)),
	ROW("not the place of UDP's checksum", FRAME_ERROR, SUM(20, 16),
	    GSO(UDP_L4, 28, 1000)),
	ROW("UDP with ECN", FRAME_ERROR, SUM(20, 6),
	    GSO(UDP_L4 | ECN, 28, 1000)),
	ROW("no size", FRAME_ERROR, SUM(20, 6), GSO(UDP_L4, 28, 0)),
	ROW("a size with a meaning of its own", FRAME_ERROR, SUM(20, 6),
	    GSO(UDP_L4, 28, 0xffff)),
	ROW("fragments", PASSES, SUM(20, 6), GSO(UFO, 28, 1000)),
	ROW("fragments, no checksum to do", PASSES, GSO(UFO, 28, 1000)),
	ROW("fragments of no size", FRAME_ERROR, SUM(20, 6), GSO(UFO, 28, 0)),
	ROW_7_3("TCP, and it is not", FRAME_ERROR, GSO(TCPV4, 40, 1000)),
};

TEST_F(bad, udp_segments)
{
	try_rows(_metadata, self, packet(AF_INET, IPPROTO_UDP, PAYLOAD),
		 udp_rows, ARRAY_SIZE(udp_rows));
	settle(_metadata, self);
}

static const struct row ip6_rows[] = {
	ROW("all right", PASSES, SUM(40, 16), GSO(TCPV6, 60, 1000)),
	ROW("TCP, as it is", PASSES, GSO(TCPV6, 60, 1000)),
	ROW_7_3("IPv4, and it is not", FRAME_ERROR, GSO(TCPV4, 60, 1000)),
	ROW_ABSOLUTE("starts in the IP header", FRAME_ERROR, FRAME_ERROR,
		     SUM(39, 16), GSO(TCPV6, 100, 1000)),
};

TEST_F(bad, ip6_segments)
{
	try_rows(_metadata, self, packet(AF_INET6, IPPROTO_TCP, PAYLOAD),
		 ip6_rows, ARRAY_SIZE(ip6_rows));
	settle(_metadata, self);
}

/* What the packet is, is asked first; how long its headers are, before that. */
TEST_F(bad, packet_and_header)
{
	struct vnet_packet p = packet(AF_INET, IPPROTO_TCP, PAYLOAD);
	size_t len = vnet_path_put(&self->path, &p);
	uint8_t *ip = vnet_path_frame(&self->path) + self->path.eth;

	if (!tun_is_rtun() && !kernel_is_7_3())
		SKIP(return, "asked in another order before 7.3");
	ip[0] = 0x55;
	self->path.hdr = (struct virtio_net_hdr){ .gso_type = 2 };
	EXPECT_EQ(-EINVAL, vnet_path_write(&self->path, len));
	self->expected[self->path.eth ? FRAME_ERROR : DROPPED]++;
	self->path.hdr.hdr_len = 65000;
	EXPECT_EQ(-EINVAL, vnet_path_write(&self->path, len));
	self->expected[UNCOUNTED]++;
	settle(_metadata, self);
}

/* A header is there, a packet is not, or not all of it. */
TEST_F(bad, packet_missing)
{
	uint8_t *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct vnet_packet p = packet(AF_INET, IPPROTO_TCP, PAYLOAD);
	size_t len, some = 10 + self->path.eth;

	ASSERT_NE(MAP_FAILED, page);
	ASSERT_EQ(0, mprotect(page + 4096, 4096, PROT_NONE));
	memset(&self->path.hdr, 0, sizeof(self->path.hdr));
	/* What is no Ethernet frame is not counted, what is no IP packet is. */
	EXPECT_EQ(-EINVAL, vnet_path_write(&self->path, 0));
	if (!self->path.eth)
		self->expected[DROPPED]++;
	else
		EXPECT_EQ(-EINVAL, vnet_path_write(&self->path, 13));
	EXPECT_EQ(-EFAULT, write_ret(self->path.fd, BAD_POINTER, 100));
	len = vnet_path_put(&self->path, &p);
	memcpy(page + 4096 - some, self->path.out, some);
	EXPECT_EQ(-EFAULT, write_ret(self->path.fd, page + 4096 - some,
				     10 + len));
	self->expected[DROPPED]++;
	settle(_metadata, self);
}

TEST_F(bad, when_down)
{
	struct vnet_packet p = packet(AF_INET, IPPROTO_TCP, PAYLOAD);
	struct link_info before, after;

	ASSERT_EQ(0, link_up(self->path.index, false));
	ASSERT_EQ(0, link_get(self->path.index, &before));
	EXPECT_EQ(-EIO, vnet_path_send(&self->path, &p, TCPV4, 1000));
	ASSERT_EQ(0, link_get(self->path.index, &after));
	EXPECT_EQ(1, after.stats.rx_dropped - before.stats.rx_dropped);
	/* A bad header is said first. */
	EXPECT_EQ(-EINVAL, vnet_path_send(&self->path, &p, TCPV4, 0));
	ASSERT_EQ(0, link_get(self->path.index, &after));
	EXPECT_EQ(1, after.stats.rx_dropped - before.stats.rx_dropped);
}

TEST_HARNESS_MAIN
