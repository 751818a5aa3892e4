// SPDX-License-Identifier: GPL-2.0-only
/* Several packets a read() or write(), each in a frame: Documentation/batch.md. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>
#include <linux/if_ether.h>
#include <linux/virtio_net.h>

#include "batch.h"
#include "rtnl.h"
#include "tun_test.h"
#include "harness.h"

#define BAD_POINTER	((void *)8)
#define MANY		200	/* more than the driver takes at once */
#define HEADERS		16	/* at most, before a packet */

#define TSO_USO	(TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_USO4 | TUN_F_USO6)

static const uint8_t peer_mac[6] = { 2, 0, 0, 0, 0, 2 };

#define SELF	FIXTURE_DATA(batch)

FIXTURE(batch)
{
	int fd, index, sock;
	bool tap, pi, vnet;
	size_t head;		/* bytes before a packet in its frame */
	int proto;
	uint8_t mac[6];
	struct batch out, in;
	uint8_t packet[70000], other[70000];
};

FIXTURE_VARIANT(batch)
{
	int flags;
};

FIXTURE_VARIANT_ADD(batch, tun)
{
	.flags = IFF_TUN | IFF_NO_PI,
};

FIXTURE_VARIANT_ADD(batch, tun_pi_vnet)
{
	.flags = IFF_TUN | IFF_VNET_HDR,
};

FIXTURE_VARIANT_ADD(batch, tun_napi)
{
	.flags = IFF_TUN | IFF_NO_PI | IFF_NAPI,
};

FIXTURE_VARIANT_ADD(batch, tap)
{
	.flags = IFF_TAP | IFF_NO_PI,
};

FIXTURE_VARIANT_ADD(batch, tap_pi)
{
	.flags = IFF_TAP,
};

FIXTURE_VARIANT_ADD(batch, tap_vnet_multi)
{
	.flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | IFF_MULTI_QUEUE,
};

FIXTURE_SETUP(batch)
{
	struct link_info info;

	ASSERT_EQ(0, ns_enter());
	self->fd = tun_create("ours", variant->flags);
	ASSERT_LE(0, self->fd);
	self->index = tun_index(self->fd);
	ASSERT_LT(0, self->index);
	ASSERT_EQ(0, link_get(self->index, &info));
	memcpy(self->mac, info.addr, sizeof(self->mac));
	ASSERT_EQ(0, link_up(self->index, true));
	self->tap = variant->flags & IFF_TAP;
	self->pi = !(variant->flags & IFF_NO_PI);
	self->vnet = variant->flags & IFF_VNET_HDR;
	self->head = (self->pi ? sizeof(struct tun_pi) : 0) +
		     (self->vnet ? sizeof(struct virtio_net_hdr) : 0);
	self->proto = self->tap ? PROTO_TEST : ETH_P_IP;
	self->sock = packet_socket(self->index, ETH_P_ALL);
	ASSERT_LE(0, self->sock);
	ASSERT_EQ(0, batch_set(self->fd, RTUN_BATCH_V1));
}

FIXTURE_TEARDOWN(batch)
{
	close(self->sock);
	close(self->fd);
}

/* Of different lengths, and each one's own bytes. */
static size_t nth_len(unsigned int n)
{
	return 60 + n * 37 % 300;
}

static void make_packet(SELF *self, uint8_t *buf, size_t len, unsigned int n)
{
	packet_fill(buf, len, n);
	if (self->tap)
		packet_eth(buf, self->mac, peer_mac, self->proto);
	else
		buf[0] = 0x45;
}

/* A frame with a packet of len bytes, and the headers that are wanted. */
static struct rtun_frame *put_len(SELF *self, size_t len, unsigned int n)
{
	struct tun_pi pi = { .proto = htons(self->proto) };
	struct rtun_frame *frame;
	uint8_t *at;

	frame = batch_put(&self->out, NULL, self->head + len);
	if (!frame)
		return NULL;
	at = (uint8_t *)(frame + 1);
	if (self->pi)
		memcpy(at, &pi, sizeof(pi));
	if (self->vnet)
		memset(at + self->head - sizeof(struct virtio_net_hdr), 0,
		       sizeof(struct virtio_net_hdr));
	make_packet(self, at + self->head, len, n);
	return frame;
}

static struct rtun_frame *put(SELF *self, unsigned int n)
{
	return put_len(self, nth_len(n), n);
}

/* Is this, and nothing before it, what came in? */
static int came(SELF *self, size_t len, unsigned int n)
{
	ssize_t ret = packet_recv(self->sock, self->other, sizeof(self->other),
				  NULL);

	if (ret < 0)
		return ret;
	make_packet(self, self->packet, len, n);
	if (ret != len)
		return -EMSGSIZE;
	return memcmp(self->packet, self->other, len) ? -EBADMSG : 0;
}

/* Did those from first on come in, in their order, and nothing after them? */
static int all_came(SELF *self, unsigned int first, unsigned int end)
{
	int err = 0;

	for (; first < end && !err; first++)
		err = came(self, nth_len(first), first);
	if (err)
		return err;
	return wait_events(self->sock, POLLIN, 0) ? -E2BIG : 0;
}

static int send_len(SELF *self, size_t len, unsigned int n)
{
	int ret;

	make_packet(self, self->packet, len, n);
	ret = packet_send(self->sock, self->index, self->proto, self->packet,
			  len);
	return ret < 0 ? ret : 0;
}

static int send_some(SELF *self, unsigned int first, unsigned int end)
{
	int err = 0;

	for (; first < end && !err; first++)
		err = send_len(self, nth_len(first), first);
	return err;
}

/* Is the next frame that was read this packet, whole, behind its headers? */
static int is_next(SELF *self, size_t len, unsigned int n)
{
	static const struct virtio_net_hdr none;
	struct rtun_frame frame;
	struct tun_pi pi;
	uint8_t *at;
	int err = batch_next(&self->in, &frame, &at);

	if (err)
		return err;
	if (frame.len != self->head + len)
		return -EMSGSIZE;
	memcpy(&pi, at, sizeof(pi));
	if (self->pi && (pi.flags || ntohs(pi.proto) != self->proto))
		return -EPROTO;
	at += self->head;
	if (self->vnet && memcmp(at - sizeof(none), &none, sizeof(none)))
		return -EPROTO;
	make_packet(self, self->packet, len, n);
	return memcmp(self->packet, at, len) ? -EBADMSG : 0;
}

/* How many frames from first on were read, or what is wrong with one. */
static int count_read(SELF *self, unsigned int first)
{
	int err, n = 0;

	while (!(err = is_next(self, nth_len(first + n), first + n)))
		n++;
	return err == -ENODATA ? n : err;
}

#define STAT(self, name) ({ \
	struct link_info info_; \
	int err_ = link_get((self)->index, &info_); \
	err_ ? (int64_t)err_ : (int64_t)info_.stats.name; \
})

TEST_F(batch, write_arrives)
{
	uint64_t bytes = 0;
	int n;

	for (n = 0; n < MANY; n++) {
		ASSERT_NE(NULL, put(self, n));
		bytes += nth_len(n);
	}
	ASSERT_EQ(self->out.len, batch_write(self->fd, &self->out));
	EXPECT_EQ(0, all_came(self, 0, MANY));
	EXPECT_EQ(MANY, STAT(self, rx_packets));
	EXPECT_EQ(bytes, STAT(self, rx_bytes));
	EXPECT_EQ(0, STAT(self, rx_dropped));
}

TEST_F(batch, read_delivers)
{
	uint64_t bytes = 0;
	int n;

	for (n = 0; n < MANY; n++)
		bytes += nth_len(n);
	ASSERT_EQ(0, send_some(self, 0, MANY));
	ASSERT_LT(0, batch_read(self->fd, &self->in, BATCH_ROOM));
	EXPECT_EQ(MANY, count_read(self, 0));
	EXPECT_EQ(MANY, STAT(self, tx_packets));
	EXPECT_EQ(bytes, STAT(self, tx_bytes));
	EXPECT_EQ(-EAGAIN, batch_read(self->fd, &self->in, BATCH_ROOM));
}

/* Large ones too, which are not in one piece. */
TEST_F(batch, sizes)
{
	static const size_t sizes[] = {
		20, 21, 60, 1500, 4000, 4096, 9000, 20000, 65000, 64,
	};
	size_t i, n = ARRAY_SIZE(sizes);

	ASSERT_EQ(0, link_set_u32(self->index, IFLA_MTU, 65500));
	for (i = 0; i < n; i++) {
		ASSERT_NE(NULL, put_len(self, sizes[i], i));
		ASSERT_EQ(0, send_len(self, sizes[i], i));
	}
	ASSERT_EQ(self->out.len, batch_write(self->fd, &self->out));
	for (i = 0; i < n; i++)
		ASSERT_EQ(0, came(self, sizes[i], i))
			TH_LOG("size %zu", sizes[i]);
	ASSERT_LT(0, batch_read(self->fd, &self->in, BATCH_ROOM));
	for (i = 0; i < n; i++)
		ASSERT_EQ(0, is_next(self, sizes[i], i))
			TH_LOG("size %zu", sizes[i]);
}

/* What was read may be written as it is. */
TEST_F(batch, read_can_be_written)
{
	ASSERT_EQ(0, send_some(self, 0, 10));
	ASSERT_LT(0, batch_read(self->fd, &self->in, BATCH_ROOM));
	ASSERT_EQ(self->in.len, batch_write(self->fd, &self->in));
	EXPECT_EQ(0, all_came(self, 0, 10));
}

/* Only what fits whole is taken; the rest waits. */
TEST_F(batch, read_what_fits)
{
	size_t room = 0;
	int n, first = 0;

	for (n = 0; n < 5; n++)
		room += RTUN_FRAME_SIZE(self->head + nth_len(n));
	ASSERT_EQ(0, send_some(self, 0, 12));
	/* One byte less, and the fifth does not fit. */
	ASSERT_LT(0, batch_read(self->fd, &self->in, room - 1));
	EXPECT_EQ(4, count_read(self, 0));
	first = 4;
	while (first < 12) {
		ASSERT_LT(0, batch_read(self->fd, &self->in, room));
		n = count_read(self, first);
		ASSERT_LT(0, n);
		first += n;
	}
	EXPECT_EQ(-EAGAIN, batch_read(self->fd, &self->in, room));
	EXPECT_EQ(12, STAT(self, tx_packets));
	EXPECT_EQ(0, STAT(self, tx_dropped));
}

/* One that fits in no buffer of this size is cut, whatever comes after. */
TEST_F(batch, read_cut)
{
	size_t room = FRAME + self->head + 100, whole = self->head + 300;
	struct rtun_frame frame;
	struct tun_pi pi;
	uint8_t *at;

	ASSERT_EQ(0, send_len(self, 300, 1));
	ASSERT_EQ(0, send_some(self, 0, 1));
	memset(self->in.buf, 0xa5, sizeof(self->in.buf));
	/* What is beyond a multiple of 8 is not used. */
	ASSERT_EQ(room & ~7ul, batch_read(self->fd, &self->in, room));
	EXPECT_EQ(0xa5, self->in.buf[room & ~7ul]);
	ASSERT_EQ(0, batch_next(&self->in, &frame, &at));
	EXPECT_EQ(RTUN_FRAME_CUT, frame.flags);
	EXPECT_EQ(whole, frame.whole);
	EXPECT_EQ((room & ~7ul) - FRAME, frame.len);
	memcpy(&pi, at, sizeof(pi));
	if (self->pi)
		EXPECT_EQ(TUN_PKT_STRIP, pi.flags);
	make_packet(self, self->packet, 300, 1);
	EXPECT_EQ(0, memcmp(at + self->head, self->packet,
			    frame.len - self->head));
	/* And then the one that fits. */
	ASSERT_LT(0, batch_read(self->fd, &self->in, room));
	EXPECT_EQ(1, count_read(self, 0));
	/* A cut one is not to be written. */
	ASSERT_EQ(0, send_len(self, 300, 1));
	ASSERT_LT(0, batch_read(self->fd, &self->in, room));
	EXPECT_EQ(-EINVAL, batch_write(self->fd, &self->in));
}

/* No room for as much as the headers: nothing is lost. */
TEST_F(batch, read_no_room)
{
	size_t least = RTUN_FRAME_SIZE(self->head), room;

	ASSERT_EQ(0, send_some(self, 0, 3));
	EXPECT_EQ(0, batch_read(self->fd, &self->in, 0));
	for (room = 1; room < least; room++)
		EXPECT_EQ(-EINVAL, batch_read(self->fd, &self->in, room));
	ASSERT_LT(0, batch_read(self->fd, &self->in, BATCH_ROOM));
	EXPECT_EQ(3, count_read(self, 0));
}

/* Nor where headers have no room for what packets in tunnels need. */
TEST_F(batch, read_header_too_small)
{
	if (!self->vnet)
		SKIP(return, "no virtio-net header");
	ASSERT_EQ(0, tun_ioctl(self->fd, TUNSETOFFLOAD,
			       TSO_USO | TUN_F_UDP_TUNNEL_GSO));
	ASSERT_EQ(0, send_some(self, 0, 3));
	EXPECT_EQ(-EINVAL, batch_read(self->fd, &self->in, BATCH_ROOM));
	ASSERT_EQ(0, tun_ioctl(self->fd, TUNSETOFFLOAD, 0));
	ASSERT_LT(0, batch_read(self->fd, &self->in, BATCH_ROOM));
	EXPECT_EQ(3, count_read(self, 0));
}

static int split(struct iovec *iov, uint8_t *buf, size_t len, size_t piece)
{
	int n;

	for (n = 0; len && n < 64; n++) {
		iov[n].iov_base = buf;
		iov[n].iov_len = len < piece || n == 63 ? len : piece;
		buf += iov[n].iov_len;
		len -= iov[n].iov_len;
	}
	return n;
}

TEST_F(batch, in_pieces)
{
	static const size_t pieces[] = { 1, 3, 8, 15, 16, 17, 100, 999 };
	struct iovec iov[64];
	int count, n;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(pieces); i++) {
		self->out.len = 0;
		for (n = 0; n < 5; n++)
			ASSERT_NE(NULL, put(self, n));
		count = split(iov, self->out.buf, self->out.len, pieces[i]);
		ASSERT_EQ(self->out.len, writev(self->fd, iov, count));
		ASSERT_EQ(0, all_came(self, 0, 5))
			TH_LOG("pieces of %zu", pieces[i]);
		ASSERT_EQ(0, send_some(self, 0, 5));
		memset(self->in.buf, 0xa5, sizeof(self->in.buf));
		count = split(iov, self->in.buf, BATCH_ROOM, pieces[i]);
		self->in.at = 0;
		self->in.len = readv(self->fd, iov, count);
		ASSERT_EQ(5, count_read(self, 0))
			TH_LOG("pieces of %zu", pieces[i]);
	}
}

/* A frame may have room that its packet does not use. */
TEST_F(batch, slots)
{
	int n;

	for (n = 0; n < 10; n++) {
		struct rtun_frame *frame;

		self->out.len = n * 2048;
		frame = put(self, n);
		ASSERT_NE(NULL, frame);
		frame->size = 2048;
		frame->whole = frame->len;
	}
	self->out.len = n * 2048;
	ASSERT_EQ(self->out.len, batch_write(self->fd, &self->out));
	EXPECT_EQ(0, all_came(self, 0, 10));
}

/* What is wrong with the frame at the end of a buffer. */
enum wrong {
	WRONG_SIZE_0, WRONG_SIZE_SMALL, WRONG_SIZE_ODD, WRONG_SIZE_BEYOND,
	WRONG_SIZE_MAX, WRONG_LEN_LARGE, WRONG_LEN_MAX, WRONG_OFFSET_0,
	WRONG_OFFSET_LARGE, WRONG_FLAG, WRONG_WHOLE, WRONG_SHORT,
	WRONG_BYTE, WRONG_EMPTY, WRONG_KINDS
};

static void spoil(SELF *self, struct rtun_frame *frame, enum wrong wrong)
{
	size_t begin = (uint8_t *)frame - self->out.buf;

	switch (wrong) {
	case WRONG_SIZE_0:
		frame->size = 0;
		break;
	case WRONG_SIZE_SMALL:
		frame->size = 8;
		break;
	case WRONG_SIZE_ODD:
		frame->size -= 4;
		frame->len -= 8;
		break;
	case WRONG_SIZE_BEYOND:
		frame->size += 8;
		break;
	case WRONG_SIZE_MAX:
		frame->size = 0xfffffff8;
		break;
	case WRONG_LEN_LARGE:
		frame->len = frame->size - FRAME + 1;
		break;
	case WRONG_LEN_MAX:
		frame->len = 0xffffffff;
		break;
	case WRONG_OFFSET_0:
		frame->offset = 0;
		break;
	case WRONG_OFFSET_LARGE:
		frame->offset = 24;
		break;
	case WRONG_FLAG:
		frame->flags = 0x8000;
		break;
	case WRONG_WHOLE:
		frame->whole = frame->len + 1;
		break;
	case WRONG_SHORT:
		self->out.len = begin + FRAME - 1;
		break;
	case WRONG_BYTE:
		self->out.len = begin + 1;
		break;
	default:
		frame->len = 0;
		self->out.len = begin + FRAME;
		frame->size = FRAME;
	}
}

/* Those before a bad frame stand; the next call says what is wrong with it. */
TEST_F(batch, bad_frame)
{
	int64_t errors = 0;
	enum wrong wrong;

	for (wrong = 0; wrong < WRONG_KINDS; wrong++) {
		size_t good;
		int n, ret;

		self->out.len = 0;
		for (n = 0; n < 3; n++)
			ASSERT_NE(NULL, put(self, n));
		good = self->out.len;
		spoil(self, put(self, n), wrong);
		ret = batch_write(self->fd, &self->out);
		EXPECT_EQ(good, ret)
			TH_LOG("kind %d", wrong);
		EXPECT_EQ(0, all_came(self, 0, 3));
		EXPECT_EQ(errors, STAT(self, rx_frame_errors));
		ret = write_ret(self->fd, self->out.buf + good,
				self->out.len - good);
		EXPECT_EQ(-EINVAL, ret)
			TH_LOG("kind %d", wrong);
		/* A packet that is too short for its headers is none. */
		if (wrong != WRONG_EMPTY || (self->vnet && !self->pi))
			errors++;
		EXPECT_EQ(errors, STAT(self, rx_frame_errors));
	}
	EXPECT_EQ(0, all_came(self, 0, 0));
}

/* The frame is good, and its packet is none. A program skips it by its size. */
TEST_F(batch, bad_packet)
{
	static const uint8_t zeros[HEADERS + 13];
	size_t good, bad, len;
	int n;

	for (n = 0; n < 3; n++)
		ASSERT_NE(NULL, put(self, n));
	good = self->out.len;
	/* Shorter than its headers, or of no version of IP. */
	len = self->tap ? self->head + 13 : self->pi ? 3 : 2;
	ASSERT_NE(NULL, batch_put(&self->out, zeros, len));
	bad = self->out.len;
	for (n = 3; n < 6; n++)
		ASSERT_NE(NULL, put(self, n));
	EXPECT_EQ(good, batch_write(self->fd, &self->out));
	EXPECT_EQ(0, all_came(self, 0, 3));
	EXPECT_EQ(0, STAT(self, rx_dropped));
	EXPECT_EQ(-EINVAL, write_ret(self->fd, self->out.buf + good,
				     self->out.len - good));
	EXPECT_EQ(self->out.len - bad, write_ret(self->fd, self->out.buf + bad,
						 self->out.len - bad));
	EXPECT_EQ(0, all_came(self, 3, 6));
	EXPECT_EQ(6, STAT(self, rx_packets));
	/* As for a single packet: counted only if it was looked into. */
	EXPECT_EQ(self->tap || self->pi ? 0 : 1, STAT(self, rx_dropped));
}

/* A virtio-net header that speaks of what is not there. */
TEST_F(batch, bad_vnet_header)
{
	struct virtio_net_hdr hdr = {
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .csum_start = 5000,
	};
	struct rtun_frame *frame;
	size_t good;

	if (!self->vnet)
		SKIP(return, "the device has no such header");
	ASSERT_NE(NULL, put(self, 0));
	good = self->out.len;
	frame = put(self, 1);
	ASSERT_NE(NULL, frame);
	memcpy((uint8_t *)(frame + 1) + self->head - sizeof(hdr), &hdr,
	       sizeof(hdr));
	EXPECT_EQ(good, batch_write(self->fd, &self->out));
	EXPECT_EQ(0, STAT(self, rx_frame_errors));
	EXPECT_EQ(-EINVAL, write_ret(self->fd, frame, self->out.len - good));
	EXPECT_EQ(1, STAT(self, rx_frame_errors));
	EXPECT_EQ(0, all_came(self, 0, 1));
}

/* Memory that ends: what is before its end counts, in both directions. */
TEST_F(batch, bad_memory)
{
	uint8_t *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	size_t good;
	int n;

	ASSERT_NE(MAP_FAILED, page);
	ASSERT_EQ(0, mprotect(page + 4096, 4096, PROT_NONE));
	EXPECT_EQ(-EFAULT, write_ret(self->fd, BAD_POINTER, 100));
	for (n = 0; n < 3; n++)
		ASSERT_NE(NULL, put(self, n));
	good = self->out.len;
	ASSERT_NE(NULL, put(self, 3));
	memcpy(page + 4096 - good - 32, self->out.buf, good + 32);
	EXPECT_EQ(good, write_ret(self->fd, page + 4096 - good - 32,
				  self->out.len));
	EXPECT_EQ(0, all_came(self, 0, 3));
	EXPECT_EQ(-EFAULT, write_ret(self->fd, page + 4096 - 32,
				     self->out.len - good));

	ASSERT_EQ(0, send_some(self, 0, 6));
	ASSERT_EQ(good, read_ret(self->fd, page + 4096 - good - 32, 8000));
	memcpy(self->in.buf, page + 4096 - good - 32, good);
	self->in.len = good;
	EXPECT_EQ(3, count_read(self, 0));
	/* What could not be copied is counted. */
	EXPECT_EQ(3, STAT(self, tx_packets));
	EXPECT_EQ(3, STAT(self, tx_dropped));
	ASSERT_EQ(0, send_some(self, 0, 1));
	EXPECT_EQ(-EFAULT, read_ret(self->fd, BAD_POINTER, 200));
	EXPECT_EQ(4, STAT(self, tx_dropped));
	munmap(page, 8192);
}

TEST_F(batch, nothing)
{
	EXPECT_EQ(0, batch_write(self->fd, &self->out));
	EXPECT_EQ(-EAGAIN, batch_read(self->fd, &self->in, BATCH_ROOM));
}

/* Down, it takes nothing, and counts what it was given. */
TEST_F(batch, down)
{
	ASSERT_NE(NULL, put(self, 0));
	ASSERT_NE(NULL, put(self, 1));
	ASSERT_EQ(0, link_up(self->index, false));
	EXPECT_EQ(-EIO, batch_write(self->fd, &self->out));
	EXPECT_EQ(1, STAT(self, rx_dropped));
}

/* A full queue is read at once; what was lost before that is counted. */
TEST_F(batch, full_ring)
{
	ASSERT_EQ(0, link_set_u32(self->index, IFLA_TXQLEN, 100));
	ASSERT_EQ(0, send_some(self, 0, 150));
	ASSERT_LT(0, batch_read(self->fd, &self->in, BATCH_ROOM));
	EXPECT_EQ(100, count_read(self, 0));
	EXPECT_EQ(100, STAT(self, tx_packets));
	EXPECT_EQ(50, STAT(self, tx_dropped));
}

/* It is the file's: one packet a call before and after. */
TEST_F(batch, off_and_on)
{
	EXPECT_EQ(RTUN_BATCH_V1, batch_get(self->fd));
	ASSERT_EQ(0, batch_set(self->fd, RTUN_BATCH_OFF));
	EXPECT_EQ(RTUN_BATCH_OFF, batch_get(self->fd));
	ASSERT_EQ(0, send_some(self, 0, 2));
	EXPECT_EQ(self->head + nth_len(0),
		  read_ret(self->fd, self->in.buf, BATCH_ROOM));
	ASSERT_EQ(0, batch_set(self->fd, RTUN_BATCH_V1));
	ASSERT_LT(0, batch_read(self->fd, &self->in, BATCH_ROOM));
	EXPECT_EQ(1, count_read(self, 1));
}

TEST_F(batch, unknown)
{
	struct rtun_batch arg = { .version = RTUN_BATCH_V1, .flags = 1 };

	EXPECT_EQ(-EOPNOTSUPP, batch_set(self->fd, RTUN_BATCH_V1 + 1));
	EXPECT_EQ(-EOPNOTSUPP, batch_set(self->fd, 0xffff));
	EXPECT_EQ(-EOPNOTSUPP, tun_ioctl_ptr(self->fd, RTUN_SETBATCH, &arg));
	EXPECT_EQ(-EFAULT, tun_ioctl_ptr(self->fd, RTUN_SETBATCH, BAD_POINTER));
	EXPECT_EQ(-EFAULT, tun_ioctl_ptr(self->fd, RTUN_GETBATCH, BAD_POINTER));
	EXPECT_EQ(RTUN_BATCH_V1, batch_get(self->fd));
	/* A newest version that is passed back is no matter. */
	arg = (struct rtun_batch){ .version = RTUN_BATCH_V1, .newest = 9 };
	EXPECT_EQ(0, tun_ioctl_ptr(self->fd, RTUN_SETBATCH, &arg));
}

/* Before there is a device, and when there is another one. */
TEST_F(batch, stays_with_the_file)
{
	int fd = tun_open(O_NONBLOCK);

	ASSERT_LE(0, fd);
	EXPECT_EQ(RTUN_BATCH_OFF, batch_get(fd));
	ASSERT_EQ(0, batch_set(fd, RTUN_BATCH_V1));
	ASSERT_NE(NULL, put(self, 0));
	EXPECT_EQ(-EBADFD, batch_write(fd, &self->out));
	EXPECT_EQ(-EBADFD, batch_read(fd, &self->in, BATCH_ROOM));
	close(self->fd);
	self->fd = fd;
	ASSERT_EQ(0, tun_set_iff(fd, "other", variant->flags));
	ASSERT_EQ(0, link_delete(tun_index(fd)));
	EXPECT_EQ(-EBADFD, batch_read(fd, &self->in, BATCH_ROOM));
	ASSERT_EQ(0, tun_set_iff(fd, "third", variant->flags));
	EXPECT_EQ(RTUN_BATCH_V1, batch_get(fd));
	self->index = tun_index(fd);
	ASSERT_EQ(0, link_up(self->index, true));
	EXPECT_EQ(self->out.len, batch_write(fd, &self->out));
}

TEST_HARNESS_MAIN
