// SPDX-License-Identifier: GPL-2.0-only
/* Packets in both directions: every byte of them, and the wrong ones. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>
#include <linux/ethtool.h>
#include <linux/if_ether.h>
#include <linux/sockios.h>

#include "rtnl.h"
#include "tun_test.h"
#include "harness.h"

#define BAD_POINTER	((void *)8)
#define BIG		65535
#define LOCAL		0x0a000001u	/* the kernel's side, 10.0.0.1 */
#define PEER		0x0a000002u	/* ours */

static const uint8_t peer_mac[6] = { 2, 0, 0, 0, 0, 2 };

#define SELF	FIXTURE_DATA(data)

FIXTURE(data)
{
	int fd, index, sock;
	bool tap, pi;
	int proto;		/* of the packets that frame() makes */
	size_t pi_len, eth_len;
	uint8_t mac[6];
	uint8_t out[BIG + 64], in[BIG + 64];
};

FIXTURE_VARIANT(data)
{
	int flags;
};

FIXTURE_VARIANT_ADD(data, tun)
{
	.flags = IFF_TUN | IFF_NO_PI,
};

FIXTURE_VARIANT_ADD(data, tun_pi)
{
	.flags = IFF_TUN,
};

FIXTURE_VARIANT_ADD(data, tap)
{
	.flags = IFF_TAP | IFF_NO_PI,
};

FIXTURE_VARIANT_ADD(data, tap_pi)
{
	.flags = IFF_TAP,
};

FIXTURE_VARIANT_ADD(data, tap_multi)
{
	.flags = IFF_TAP | IFF_NO_PI | IFF_MULTI_QUEUE,
};

FIXTURE_VARIANT_ADD(data, tun_multi)
{
	.flags = IFF_TUN | IFF_NO_PI | IFF_MULTI_QUEUE,
};

FIXTURE_SETUP(data)
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
	self->proto = self->tap ? PROTO_TEST : ETH_P_IP;
	self->pi_len = self->pi ? sizeof(struct tun_pi) : 0;
	self->eth_len = self->tap ? ETH_HLEN : 0;
	self->sock = packet_socket(self->index, ETH_P_ALL);
	ASSERT_LE(0, self->sock);
}

FIXTURE_TEARDOWN(data)
{
	close(self->sock);
	close(self->fd);
}

/* A packet of len bytes on the link, packet information not counted. */
static size_t frame(SELF *self, uint8_t *buf, size_t len,
		    unsigned int seed)
{
	packet_fill(buf, len, seed);
	if (self->tap)
		packet_eth(buf, self->mac, peer_mac, self->proto);
	else if (len)
		buf[0] = 0x45;
	return len;
}

/* What user space writes for it. */
static size_t frame_pi(SELF *self, uint8_t *buf, size_t len,
		       unsigned int seed)
{
	struct tun_pi pi = { .proto = htons(self->proto) };

	memcpy(buf, &pi, self->pi_len);
	return self->pi_len + frame(self, buf + self->pi_len, len, seed);
}

static int send_frame(SELF *self, size_t len, unsigned int seed)
{
	frame(self, self->out, len, seed);
	return packet_send(self->sock, self->index, self->proto, self->out,
			   len);
}

static uint64_t rx_dropped(SELF *self)
{
	struct link_info info;

	return link_get(self->index, &info) ? ~0ull : info.stats.rx_dropped;
}

TEST_F(data, write_arrives)
{
	static const size_t sizes[] = {
		20, 60, 128, 129, 1500, 1514, 3000, 4095, 4096, 4097, 9000,
		32768, BIG,
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		size_t len = frame_pi(self, self->out, sizes[i], i);
		int proto = 0;

		ASSERT_EQ(len, write_ret(self->fd, self->out, len))
			TH_LOG("size %zu", sizes[i]);
		ASSERT_EQ(sizes[i], packet_recv(self->sock, self->in,
						sizeof(self->in), &proto));
		EXPECT_EQ(self->proto, proto);
		EXPECT_EQ(0, memcmp(self->out + self->pi_len, self->in,
				    sizes[i]))
			TH_LOG("size %zu", sizes[i]);
	}
}

TEST_F(data, read_delivers)
{
	static const size_t sizes[] = {
		20, 60, 128, 1499, 1500, 4096, 9000, 32768, 65521, BIG,
	};
	size_t i;

	ASSERT_EQ(0, link_set_u32(self->index, IFLA_MTU,
				  BIG - self->eth_len));
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct tun_pi pi = { .flags = 0xffff };

		ASSERT_EQ(sizes[i], send_frame(self, sizes[i], i));
		ASSERT_EQ(POLLIN, wait_events(self->fd, POLLIN, WAIT_MS));
		ASSERT_EQ(self->pi_len + sizes[i],
			  read_ret(self->fd, self->in, sizeof(self->in)));
		EXPECT_EQ(0, memcmp(self->in + self->pi_len, self->out,
				    sizes[i]))
			TH_LOG("size %zu", sizes[i]);
		if (!self->pi)
			continue;
		memcpy(&pi, self->in, sizeof(pi));
		EXPECT_EQ(0, pi.flags);
		EXPECT_EQ(self->proto, ntohs(pi.proto));
	}
}

/* The packet information says what a TUN packet is: not only IP. */
TEST_F(data, pi_names_protocol)
{
	int proto = 0;
	size_t len;

	if (self->tap)
		self->proto = PROTO_TEST + 1;
	else
		self->proto = self->pi ? ETH_P_PPP_MP : ETH_P_IPV6;
	len = frame_pi(self, self->out, 100, 1);
	if (!self->tap && !self->pi)
		self->out[0] = 0x60;
	ASSERT_EQ(len, write_ret(self->fd, self->out, len));
	ASSERT_EQ(100, packet_recv(self->sock, self->in, sizeof(self->in),
				   &proto));
	EXPECT_EQ(self->proto, proto);
	EXPECT_EQ(0, memcmp(self->out + self->pi_len, self->in, 100));
}

static ssize_t writev_pieces(int fd, uint8_t *buf, size_t len, size_t piece)
{
	struct iovec iov[64];
	int n;

	for (n = 0; len && n < 64; n++) {
		iov[n].iov_base = buf;
		iov[n].iov_len = len < piece || n == 63 ? len : piece;
		buf += iov[n].iov_len;
		len -= iov[n].iov_len;
	}
	return writev(fd, iov, n);
}

TEST_F(data, writev_split)
{
	static const size_t pieces[] = { 1, 2, 3, 7, 14, 100, 999 };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(pieces); i++) {
		size_t len = frame_pi(self, self->out, 1000, i);

		ASSERT_EQ(len, writev_pieces(self->fd, self->out, len,
					     pieces[i]));
		ASSERT_EQ(1000, packet_recv(self->sock, self->in,
					    sizeof(self->in), NULL));
		EXPECT_EQ(0, memcmp(self->out + self->pi_len, self->in, 1000))
			TH_LOG("pieces of %zu", pieces[i]);
	}
}

TEST_F(data, readv_split)
{
	struct iovec iov[] = {
		{ self->in, 1 }, { self->in + 1, 2 }, { self->in + 3, 0 },
		{ self->in + 3, 11 }, { self->in + 14, 500 },
		{ self->in + 514, 4096 },
	};

	ASSERT_EQ(1000, send_frame(self, 1000, 1));
	ASSERT_EQ(POLLIN, wait_events(self->fd, POLLIN, WAIT_MS));
	ASSERT_EQ(self->pi_len + 1000, readv(self->fd, iov, 6));
	EXPECT_EQ(0, memcmp(self->in + self->pi_len, self->out, 1000));
}

/* What does not fit is gone, and the packet information says so. */
TEST_F(data, read_truncated)
{
	struct tun_pi pi = { .flags = 0 };
	size_t room = 100;

	ASSERT_EQ(300, send_frame(self, 300, 1));
	ASSERT_EQ(POLLIN, wait_events(self->fd, POLLIN, WAIT_MS));
	memset(self->in, 0xa5, sizeof(self->in));
	ASSERT_EQ(room, read_ret(self->fd, self->in, room));
	EXPECT_EQ(0, memcmp(self->in + self->pi_len, self->out,
			    room - self->pi_len));
	EXPECT_EQ(0xa5, self->in[room]);
	EXPECT_EQ(-EAGAIN, read_ret(self->fd, self->in, room));
	if (!self->pi)
		return;
	memcpy(&pi, self->in, sizeof(pi));
	EXPECT_EQ(TUN_PKT_STRIP, pi.flags);
	/* An exact fit is no truncation. */
	ASSERT_EQ(300, send_frame(self, 300, 2));
	ASSERT_EQ(POLLIN, wait_events(self->fd, POLLIN, WAIT_MS));
	ASSERT_EQ(304, read_ret(self->fd, self->in, 304));
	memcpy(&pi, self->in, sizeof(pi));
	EXPECT_EQ(0, pi.flags);
}

TEST_F(data, read_no_room_for_pi)
{
	ASSERT_EQ(100, send_frame(self, 100, 1));
	ASSERT_EQ(POLLIN, wait_events(self->fd, POLLIN, WAIT_MS));
	EXPECT_EQ(self->pi ? -EINVAL : 3, read_ret(self->fd, self->in, 3));
	EXPECT_EQ(-EAGAIN, read_ret(self->fd, self->in, 3));
}

TEST_F(data, read_nothing)
{
	EXPECT_EQ(0, read_ret(self->fd, self->in, 0));
	ASSERT_EQ(100, send_frame(self, 100, 1));
	ASSERT_EQ(POLLIN, wait_events(self->fd, POLLIN, WAIT_MS));
	EXPECT_EQ(0, read_ret(self->fd, self->in, 0));
	EXPECT_EQ(self->pi_len + 100,
		  read_ret(self->fd, self->in, sizeof(self->in)));
}

TEST_F(data, read_bad_buffer)
{
	ssize_t ret;

	EXPECT_EQ(-EAGAIN, read_ret(self->fd, BAD_POINTER, 200));
	ASSERT_EQ(100, send_frame(self, 100, 1));
	ASSERT_EQ(POLLIN, wait_events(self->fd, POLLIN, WAIT_MS));
	ret = read_ret(self->fd, BAD_POINTER, 200);
	/* Without packet information the in-tree driver reports success. */
	if (ret != -EFAULT)
		EXPECT_EQ(self->pi ? -EFAULT : 100, ret);
	EXPECT_EQ(-EAGAIN, read_ret(self->fd, self->in, sizeof(self->in)));
	/* The queue works as before. */
	ASSERT_EQ(100, send_frame(self, 100, 2));
	ASSERT_EQ(POLLIN, wait_events(self->fd, POLLIN, WAIT_MS));
	ASSERT_EQ(self->pi_len + 100,
		  read_ret(self->fd, self->in, sizeof(self->in)));
	EXPECT_EQ(0, memcmp(self->in + self->pi_len, self->out, 100));
}

TEST_F(data, write_bad_buffer)
{
	uint8_t *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	size_t len;

	ASSERT_NE(MAP_FAILED, page);
	EXPECT_EQ(-EFAULT, write_ret(self->fd, BAD_POINTER, 100));
	/* Good at first, bad further on. */
	ASSERT_EQ(0, mprotect(page + 4096, 4096, PROT_NONE));
	len = frame_pi(self, self->out, 200, 1);
	memcpy(page + 4096 - 50, self->out, 50);
	EXPECT_EQ(-EFAULT, write_ret(self->fd, page + 4096 - 50, len));
	ASSERT_EQ(len, write_ret(self->fd, self->out, len));
	ASSERT_EQ(200, packet_recv(self->sock, self->in, sizeof(self->in),
				   NULL));
	EXPECT_EQ(0, memcmp(self->out + self->pi_len, self->in, 200));
	EXPECT_EQ(0, wait_events(self->sock, POLLIN, 0));
}

TEST_F(data, write_undersize)
{
	size_t len, least = self->tap ? ETH_HLEN : 1;

	if (!self->tap && self->pi)
		least = 0;	/* The protocol is known without a byte. */
	frame_pi(self, self->out, 100, 1);
	for (len = 0; len < self->pi_len + least; len++)
		EXPECT_EQ(-EINVAL, write_ret(self->fd, self->out, len))
			TH_LOG("length %zu", len);
	EXPECT_EQ(len, write_ret(self->fd, self->out, len));
}

TEST_F(data, write_bad_version)
{
	uint64_t dropped = rx_dropped(self);
	size_t len = frame_pi(self, self->out, 100, 1);
	bool judged = !self->tap && !self->pi;
	int version;

	for (version = 0; version < 16; version++) {
		if (version == 4 || version == 6)
			continue;
		self->out[self->pi_len] = version << 4 | 5;
		EXPECT_EQ(judged ? -EINVAL : (ssize_t)len,
			  write_ret(self->fd, self->out, len))
			TH_LOG("version %d", version);
	}
	EXPECT_EQ(dropped + (judged ? 14 : 0), rx_dropped(self));
}

TEST_F(data, write_when_down)
{
	size_t len = frame_pi(self, self->out, 100, 1);
	uint64_t dropped;

	ASSERT_EQ(0, link_up(self->index, false));
	dropped = rx_dropped(self);
	EXPECT_EQ(-EIO, write_ret(self->fd, self->out, len));
	EXPECT_EQ(dropped + 1, rx_dropped(self));
	ASSERT_EQ(0, link_up(self->index, true));
	EXPECT_EQ(len, write_ret(self->fd, self->out, len));
}

/* Larger than any packet: an answer, whatever it is, and a queue that lives. */
TEST_F(data, write_oversize)
{
	static const size_t sizes[] = {
		65536, 131072, 1 << 20, 8 << 20, 64 << 20, 0x7ffff000,
	};
	uint8_t *big = mmap(NULL, 0x7ffff000, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	size_t i, len;

	ASSERT_NE(MAP_FAILED, big);
	frame_pi(self, big, 100, 1);
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		ssize_t ret = write_ret(self->fd, big, sizes[i]);

		EXPECT_TRUE(ret == (ssize_t)sizes[i] || ret == -EMSGSIZE ||
			    ret == -EINVAL || ret == -ENOMEM ||
			    ret == -ENOBUFS)
			TH_LOG("size %zu: %zd", sizes[i], ret);
		while (wait_events(self->sock, POLLIN, 0) > 0)
			packet_recv(self->sock, self->in, 1, NULL);
	}
	len = frame_pi(self, self->out, 100, 2);
	ASSERT_EQ(len, write_ret(self->fd, self->out, len));
	ASSERT_EQ(100, packet_recv(self->sock, self->in, sizeof(self->in),
				   NULL));
}

TEST_F(data, order_kept)
{
	unsigned int i;

	for (i = 0; i < 200; i++)
		ASSERT_EQ(60, send_frame(self, 60, i));
	for (i = 0; i < 200; i++) {
		ASSERT_EQ(POLLIN, wait_events(self->fd, POLLIN, WAIT_MS));
		ASSERT_EQ(self->pi_len + 60,
			  read_ret(self->fd, self->in, sizeof(self->in)));
		frame(self, self->out, 60, i);
		ASSERT_EQ(0, memcmp(self->in + self->pi_len, self->out, 60))
			TH_LOG("packet %u", i);
	}
	for (i = 0; i < 200; i++) {
		size_t len = frame_pi(self, self->out, 60, i);

		ASSERT_EQ(len, write_ret(self->fd, self->out, len));
	}
	for (i = 0; i < 200; i++) {
		ASSERT_EQ(60, packet_recv(self->sock, self->in,
					  sizeof(self->in), NULL));
		frame(self, self->out, 60, i);
		ASSERT_EQ(0, memcmp(self->in, self->out, 60))
			TH_LOG("packet %u", i);
	}
}

TEST_F(data, nowait)
{
	struct iovec iov = { self->in, sizeof(self->in) };
	size_t len = frame_pi(self, self->out, 100, 1);
	int flags = fcntl(self->fd, F_GETFL);

	ASSERT_EQ(0, fcntl(self->fd, F_SETFL, flags & ~O_NONBLOCK));
	EXPECT_EQ(-1, preadv2(self->fd, &iov, 1, -1, RWF_NOWAIT));
	EXPECT_EQ(EAGAIN, errno);
	ASSERT_EQ(100, send_frame(self, 100, 3));
	ASSERT_EQ(POLLIN, wait_events(self->fd, POLLIN, WAIT_MS));
	EXPECT_EQ(self->pi_len + 100,
		  preadv2(self->fd, &iov, 1, -1, RWF_NOWAIT));
	EXPECT_EQ(0, memcmp(self->in + self->pi_len, self->out, 100));

	frame_pi(self, self->out, 100, 1);
	iov.iov_base = self->out;
	iov.iov_len = len;
	EXPECT_EQ(len, pwritev2(self->fd, &iov, 1, -1, RWF_NOWAIT));
	ASSERT_EQ(100, packet_recv(self->sock, self->in, sizeof(self->in),
				   NULL));
	EXPECT_EQ(0, memcmp(self->out + self->pi_len, self->in, 100));
}

/* A file that may block writes as one that may not, and waits to read. */
TEST_F(data, blocking_file)
{
	int flags = fcntl(self->fd, F_GETFL);
	size_t len = frame_pi(self, self->out, 1000, 1);

	ASSERT_EQ(0, fcntl(self->fd, F_SETFL, flags & ~O_NONBLOCK));
	ASSERT_EQ(len, write_ret(self->fd, self->out, len));
	ASSERT_EQ(1000, packet_recv(self->sock, self->in, sizeof(self->in),
				    NULL));
	EXPECT_EQ(0, memcmp(self->out + self->pi_len, self->in, 1000));
	ASSERT_EQ(1000, send_frame(self, 1000, 2));
	ASSERT_EQ(self->pi_len + 1000,
		  read_ret(self->fd, self->in, sizeof(self->in)));
	EXPECT_EQ(0, memcmp(self->in + self->pi_len, self->out, 1000));
}

static int udp_socket(struct __test_metadata *_metadata)
{
	struct sockaddr_in local = {
		.sin_family = AF_INET, .sin_port = htons(9),
		.sin_addr.s_addr = htonl(LOCAL),
	};
	int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	ASSERT_LE(0, sock);
	ASSERT_EQ(0, bind(sock, (struct sockaddr *)&local, sizeof(local)));
	return sock;
}

/* Through the kernel's own UDP, both ways. */
TEST_F(data, udp)
{
	struct sockaddr_in peer = {
		.sin_family = AF_INET, .sin_port = htons(1024),
		.sin_addr.s_addr = htonl(PEER),
	};
	struct flow to_us = flow_reverse(flow_nth(0));
	size_t len, head = self->pi_len + self->eth_len;
	char text[] = "one packet of user data";
	int sock;

	ASSERT_EQ(0, addr_add4(self->index, LOCAL, 24));
	if (self->tap)
		ASSERT_EQ(0, neigh_add4(self->index, PEER, peer_mac));
	sock = udp_socket(_metadata);
	ASSERT_EQ(sizeof(text), sendto(sock, text, sizeof(text), 0,
				       (struct sockaddr *)&peer,
				       sizeof(peer)));
	ASSERT_EQ(POLLIN, wait_events(self->fd, POLLIN, WAIT_MS));
	len = read_ret(self->fd, self->in, sizeof(self->in));
	ASSERT_EQ(head + 28 + sizeof(text), len);
	EXPECT_TRUE(packet_is(self->in + head, len - head, to_us));
	EXPECT_EQ(0, memcmp(self->in + len - sizeof(text), text,
			    sizeof(text)));
	if (self->tap)
		EXPECT_EQ(0, memcmp(self->in + self->pi_len, peer_mac, 6));

	self->proto = ETH_P_IP;
	frame_pi(self, self->out, 100, 1);
	len = packet_udp4(self->out + head, flow_nth(0), text, sizeof(text));
	ASSERT_EQ(head + len, write_ret(self->fd, self->out, head + len));
	ASSERT_EQ(POLLIN, wait_events(sock, POLLIN, WAIT_MS));
	ASSERT_EQ(sizeof(text), recv(sock, self->in, sizeof(self->in), 0));
	EXPECT_EQ(0, memcmp(self->in, text, sizeof(text)));
	close(sock);
}

/* Bytes and packets are counted as user space moved them. */
TEST_F(data, statistics)
{
	struct link_info before, after;
	unsigned int i;

	ASSERT_EQ(0, link_get(self->index, &before));
	for (i = 0; i < 10; i++) {
		size_t len = frame_pi(self, self->out, 100 + i, i);

		ASSERT_EQ(len, write_ret(self->fd, self->out, len));
	}
	for (i = 0; i < 7; i++)
		ASSERT_EQ(200 + i, send_frame(self, 200 + i, i));
	for (i = 0; i < 7; i++) {
		ASSERT_EQ(POLLIN, wait_events(self->fd, POLLIN, WAIT_MS));
		ASSERT_EQ(self->pi_len + 200 + i,
			  read_ret(self->fd, self->in, sizeof(self->in)));
	}
	ASSERT_EQ(0, link_get(self->index, &after));
	EXPECT_EQ(10, after.stats.rx_packets - before.stats.rx_packets);
	EXPECT_EQ(1045, after.stats.rx_bytes - before.stats.rx_bytes);
	EXPECT_EQ(7, after.stats.tx_packets - before.stats.tx_packets);
	EXPECT_EQ(1421, after.stats.tx_bytes - before.stats.tx_bytes);
	EXPECT_EQ(0, after.stats.tx_dropped);
	EXPECT_EQ(0, after.stats.rx_errors + after.stats.tx_errors);
}

/* A TAP with a VLAN device on it: the stack keeps the tag beside the frame. */
FIXTURE(vlan)
{
	int fd, index, sock;
	size_t pi_len;
	uint8_t frame[64], tagged[72], in[128];
};

FIXTURE_VARIANT(vlan)
{
	int flags;
};

FIXTURE_VARIANT_ADD(vlan, tap)
{
	.flags = IFF_TAP | IFF_NO_PI,
};

FIXTURE_VARIANT_ADD(vlan, tap_pi)
{
	.flags = IFF_TAP,
};

FIXTURE_SETUP(vlan)
{
	static const uint8_t tag[4] = { ETH_P_8021Q >> 8, 0, 0, 42 };
	struct tun_pi pi = { .proto = htons(ETH_P_8021Q) };
	struct link_info info;
	int lower;

	ASSERT_EQ(0, ns_enter());
	self->fd = tun_create("ours", variant->flags);
	ASSERT_LE(0, self->fd);
	lower = tun_index(self->fd);
	ASSERT_EQ(0, link_up(lower, true));
	ASSERT_EQ(0, link_create_vlan(lower, "vlan", 42));
	self->index = link_index("vlan");
	ASSERT_LT(0, self->index);
	ASSERT_EQ(0, link_up(self->index, true));
	ASSERT_EQ(0, link_get(self->index, &info));
	self->sock = packet_socket(self->index, ETH_P_ALL);
	ASSERT_LE(0, self->sock);

	self->pi_len = variant->flags & IFF_NO_PI ? 0 : sizeof(pi);
	packet_fill(self->frame, sizeof(self->frame), 1);
	packet_eth(self->frame, info.addr, peer_mac, PROTO_TEST);
	memcpy(self->tagged, &pi, self->pi_len);
	memcpy(self->tagged + self->pi_len, self->frame, 12);
	memcpy(self->tagged + self->pi_len + 12, tag, 4);
	memcpy(self->tagged + self->pi_len + 16, self->frame + 12, 52);
}

FIXTURE_TEARDOWN(vlan)
{
	close(self->sock);
	close(self->fd);
}

TEST_F(vlan, read_has_tag)
{
	size_t len = self->pi_len + 68;
	uint8_t *in = self->in;

	ASSERT_EQ(64, packet_send(self->sock, self->index, PROTO_TEST,
				  self->frame, 64));
	ASSERT_EQ(POLLIN, wait_events(self->fd, POLLIN, WAIT_MS));
	ASSERT_EQ(len, read_ret(self->fd, in, sizeof(self->in)));
	EXPECT_EQ(0, memcmp(in + self->pi_len, self->tagged + self->pi_len,
			    68));
}

static int turn_off_offload(void)
{
	struct ethtool_value value = { .cmd = ETHTOOL_GFLAGS };
	struct ifreq ifr = { .ifr_name = "ours", .ifr_data = (char *)&value };
	int err, sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	err = tun_ioctl_ptr(sock, SIOCETHTOOL, &ifr);
	if (!err && !(value.data & ETH_FLAG_TXVLAN))
		err = -EOPNOTSUPP;
	value.cmd = ETHTOOL_SFLAGS;
	value.data &= ~ETH_FLAG_TXVLAN;
	if (!err)
		err = tun_ioctl_ptr(sock, SIOCETHTOOL, &ifr);
	close(sock);
	return err;
}

/* Where the tag is put into the frame makes no difference to a reader. */
TEST_F(vlan, read_without_offload)
{
	size_t len = self->pi_len + 68;

	ASSERT_EQ(0, turn_off_offload());
	ASSERT_EQ(64, packet_send(self->sock, self->index, PROTO_TEST,
				  self->frame, 64));
	ASSERT_EQ(POLLIN, wait_events(self->fd, POLLIN, WAIT_MS));
	ASSERT_EQ(len, read_ret(self->fd, self->in, sizeof(self->in)));
	EXPECT_EQ(0, memcmp(self->in + self->pi_len,
			    self->tagged + self->pi_len, 68));
}

/* Cut inside the tag, and right after it. */
TEST_F(vlan, read_truncated)
{
	static const size_t rooms[] = { 11, 12, 14, 16, 17, 67 };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rooms); i++) {
		size_t len = self->pi_len + rooms[i];
		struct tun_pi pi = { .flags = 0 };

		ASSERT_EQ(64, packet_send(self->sock, self->index, PROTO_TEST,
					  self->frame, 64));
		ASSERT_EQ(POLLIN, wait_events(self->fd, POLLIN, WAIT_MS));
		memset(self->in, 0xa5, sizeof(self->in));
		ASSERT_EQ(len, read_ret(self->fd, self->in, len));
		EXPECT_EQ(0, memcmp(self->in + self->pi_len,
				    self->tagged + self->pi_len, rooms[i]))
			TH_LOG("room for %zu", rooms[i]);
		EXPECT_EQ(0xa5, self->in[len]);
		EXPECT_EQ(-EAGAIN, read_ret(self->fd, self->in, len));
		memcpy(&pi, self->in, self->pi_len);
		EXPECT_EQ(self->pi_len ? TUN_PKT_STRIP : 0, pi.flags);
	}
}

TEST_F(vlan, write_tagged)
{
	size_t len = self->pi_len + 68;

	ASSERT_EQ(len, write_ret(self->fd, self->tagged, len));
	ASSERT_EQ(64, packet_recv(self->sock, self->in, sizeof(self->in),
				  NULL));
	EXPECT_EQ(0, memcmp(self->in, self->frame, 64));
}

TEST_HARNESS_MAIN
