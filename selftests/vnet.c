// SPDX-License-Identifier: GPL-2.0-only
/* The virtio-net header: whether there is one, its size, its byte order. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <linux/if_ether.h>
#include <linux/virtio_net.h>

#include "rtnl.h"
#include "tun_test.h"
#include "harness.h"

#define BAD_POINTER	((void *)8)
#define LEN		100

static const uint8_t peer_mac[6] = { 2, 0, 0, 0, 0, 2 };

static int get_int(int fd, unsigned long cmd)
{
	int value = -1, err = tun_ioctl_ptr(fd, cmd, &value);

	return err ? err : value;
}

static int set_int(int fd, unsigned long cmd, int value)
{
	return tun_ioctl_ptr(fd, cmd, &value);
}

#define SELF	FIXTURE_DATA(vnet)

FIXTURE(vnet)
{
	int fd, index, sock;
	bool tap;
	size_t pi_len;
	uint8_t mac[6];
	uint8_t out[8192], in[8192];
};

FIXTURE_VARIANT(vnet)
{
	int flags;
};

FIXTURE_VARIANT_ADD(vnet, tun)
{
	.flags = TUN_NOPI | IFF_VNET_HDR,
};

FIXTURE_VARIANT_ADD(vnet, tun_pi)
{
	.flags = IFF_TUN | IFF_VNET_HDR,
};

FIXTURE_VARIANT_ADD(vnet, tap)
{
	.flags = TAP_NOPI | IFF_VNET_HDR,
};

FIXTURE_VARIANT_ADD(vnet, tap_pi)
{
	.flags = IFF_TAP | IFF_VNET_HDR,
};

FIXTURE_VARIANT_ADD(vnet, tap_multi)
{
	.flags = TAP_NOPI | IFF_VNET_HDR | IFF_MULTI_QUEUE,
};

FIXTURE_SETUP(vnet)
{
	struct link_info info;

	ASSERT_EQ(0, ns_enter());
	self->fd = tun_create("ours", variant->flags);
	ASSERT_LE(0, self->fd);
	self->index = tun_index(self->fd);
	ASSERT_EQ(0, link_up(self->index, true));
	ASSERT_EQ(0, link_get(self->index, &info));
	memcpy(self->mac, info.addr, sizeof(self->mac));
	self->tap = variant->flags & IFF_TAP;
	self->pi_len = variant->flags & IFF_NO_PI ? 0 : sizeof(struct tun_pi);
	self->sock = packet_socket(self->index, ETH_P_ALL);
	ASSERT_LE(0, self->sock);
}

FIXTURE_TEARDOWN(vnet)
{
	close(self->sock);
	close(self->fd);
}

/* A frame of LEN bytes at the end of those headers; its place. */
static uint8_t *frame(SELF *self, size_t hdr_size, unsigned int seed)
{
	struct tun_pi pi = { .proto = htobe16(ETH_P_IP) };
	uint8_t *at = self->out + self->pi_len + hdr_size;

	memset(self->out, 0, self->pi_len + hdr_size);
	memcpy(self->out, &pi, self->pi_len);
	packet_fill(at, LEN, seed);
	if (self->tap)
		packet_eth(at, self->mac, peer_mac, PROTO_TEST);
	else
		at[0] = 0x45;
	return at;
}

/* Writes one with a header of that size, and sees it arrive. */
static int write_one(SELF *self, size_t hdr_size)
{
	size_t len = self->pi_len + hdr_size + LEN;
	uint8_t *at = frame(self, hdr_size, hdr_size);
	ssize_t ret = write_ret(self->fd, self->out, len);

	if (ret != (ssize_t)len)
		return ret < 0 ? ret : -EIO;
	ret = packet_recv(self->sock, self->in, sizeof(self->in), NULL);
	if (ret != LEN)
		return ret < 0 ? ret : -EMSGSIZE;
	return memcmp(at, self->in, LEN) ? -EBADMSG : 0;
}

static int send_one(SELF *self, unsigned int seed)
{
	int proto = self->tap ? PROTO_TEST : ETH_P_IP;
	uint8_t *at = frame(self, 0, seed);

	return packet_send(self->sock, self->index, proto, at, LEN);
}

static bool all_zero(const uint8_t *p, size_t len)
{
	while (len && !*p) {
		p++;
		len--;
	}
	return !len;
}

/* Reads one that comes with an empty header of that size. */
static int read_one(SELF *self, size_t hdr_size)
{
	size_t head = self->pi_len + hdr_size;
	ssize_t ret;

	ret = send_one(self, hdr_size);
	if (ret != LEN)
		return ret;
	if (wait_events(self->fd, POLLIN, WAIT_MS) != POLLIN)
		return -ETIMEDOUT;
	memset(self->in, 0xa5, sizeof(self->in));
	ret = read_ret(self->fd, self->in, sizeof(self->in));
	if (ret != (ssize_t)(head + LEN))
		return ret < 0 ? ret : -EMSGSIZE;
	if (!all_zero(self->in + self->pi_len, hdr_size))
		return -EPROTO;
	return memcmp(self->out + self->pi_len, self->in + head, LEN) ?
	       -EBADMSG : 0;
}

TEST_F(vnet, reported)
{
	unsigned int features = 0;
	struct link_info info;
	char text[32];

	ASSERT_EQ(0, tun_ioctl_ptr(self->fd, TUNGETFEATURES, &features));
	EXPECT_EQ(IFF_VNET_HDR, features & IFF_VNET_HDR);
	EXPECT_EQ(IFF_VNET_HDR, tun_get_flags(self->fd) & IFF_VNET_HDR);
	ASSERT_EQ(0, link_get(self->index, &info));
	EXPECT_EQ(1, info.vnet_hdr);
	ASSERT_LT(0, netdev_attr("ours", "tun_flags", text, sizeof(text)));
	EXPECT_EQ(IFF_VNET_HDR, strtol(text, NULL, 0) & IFF_VNET_HDR);
}

TEST_F(vnet, not_asked_for)
{
	int fd = tun_create("without", variant->flags & ~IFF_VNET_HDR);
	struct link_info info;

	ASSERT_LE(0, fd);
	EXPECT_EQ(0, tun_get_flags(fd) & IFF_VNET_HDR);
	ASSERT_EQ(0, link_get(tun_index(fd), &info));
	EXPECT_EQ(0, info.vnet_hdr);
	/* The header's ioctls do not ask whether there is one. */
	EXPECT_EQ(10, get_int(fd, TUNGETVNETHDRSZ));
	EXPECT_EQ(0, set_int(fd, TUNSETVNETHDRSZ, 12));
	EXPECT_EQ(12, get_int(fd, TUNGETVNETHDRSZ));
	EXPECT_EQ(0, set_int(fd, TUNSETVNETLE, 1));
	close(fd);
}

TEST_F(vnet, size)
{
	static const int good[] = { 10, 11, 12, 20, 24, 64, 4096, INT32_MAX };
	static const int bad[] = { 9, 1, 0, -1, INT32_MIN };
	size_t i;

	EXPECT_EQ(10, get_int(self->fd, TUNGETVNETHDRSZ));
	for (i = 0; i < ARRAY_SIZE(good); i++) {
		EXPECT_EQ(0, set_int(self->fd, TUNSETVNETHDRSZ, good[i]));
		EXPECT_EQ(good[i], get_int(self->fd, TUNGETVNETHDRSZ));
	}
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		EXPECT_EQ(-EINVAL, set_int(self->fd, TUNSETVNETHDRSZ, bad[i]))
			TH_LOG("size %d", bad[i]);
		EXPECT_EQ(INT32_MAX, get_int(self->fd, TUNGETVNETHDRSZ));
	}
	EXPECT_EQ(-EFAULT, tun_ioctl_ptr(self->fd, TUNSETVNETHDRSZ,
					 BAD_POINTER));
	EXPECT_EQ(-EFAULT, tun_ioctl_ptr(self->fd, TUNGETVNETHDRSZ,
					 BAD_POINTER));
	EXPECT_EQ(INT32_MAX, get_int(self->fd, TUNGETVNETHDRSZ));
}

TEST_F(vnet, size_on_the_wire)
{
	static const int sizes[] = { 10, 11, 12, 20, 23, 24, 25, 64, 4000 };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		ASSERT_EQ(0, set_int(self->fd, TUNSETVNETHDRSZ, sizes[i]));
		EXPECT_EQ(0, write_one(self, sizes[i]))
			TH_LOG("size %d", sizes[i]);
		EXPECT_EQ(0, read_one(self, sizes[i]))
			TH_LOG("size %d", sizes[i]);
	}
}

/* What is in a header behind the part that is known is not looked at. */
TEST_F(vnet, rest_ignored)
{
	static const int sizes[] = { 12, 20, 23 };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		size_t len = self->pi_len + sizes[i] + LEN;

		ASSERT_EQ(0, set_int(self->fd, TUNSETVNETHDRSZ, sizes[i]));
		frame(self, sizes[i], i);
		memset(self->out + self->pi_len + 10, 0xff, sizes[i] - 10);
		EXPECT_EQ(len, write_ret(self->fd, self->out, len));
		EXPECT_EQ(LEN, packet_recv(self->sock, self->in,
					   sizeof(self->in), NULL));
	}
}

TEST_F(vnet, write_short)
{
	size_t len, least = self->pi_len + 12;
	struct link_info before, after;

	ASSERT_EQ(0, set_int(self->fd, TUNSETVNETHDRSZ, 12));
	frame(self, 12, 1);
	ASSERT_EQ(0, link_get(self->index, &before));
	for (len = 0; len < least; len++)
		EXPECT_EQ(-EINVAL, write_ret(self->fd, self->out, len))
			TH_LOG("length %zu", len);
	ASSERT_EQ(0, link_get(self->index, &after));
	EXPECT_EQ(before.stats.rx_dropped, after.stats.rx_dropped);
	/* rtun counts each that lacks a part of the virtio-net header. */
	EXPECT_EQ(before.stats.rx_frame_errors + (tun_is_rtun() ? 12 : 0),
		  after.stats.rx_frame_errors);
	/* A header and no packet, or half of an Ethernet header. */
	if (self->tap)
		least += ETH_HLEN - 1;
	for (; len <= least && !(self->pi_len && !self->tap); len++)
		EXPECT_EQ(-EINVAL, write_ret(self->fd, self->out, len))
			TH_LOG("length %zu", len);
	EXPECT_EQ(0, write_one(self, 12));
	EXPECT_EQ(0, wait_events(self->sock, POLLIN, 0));
}

/* No packet is as large as that header. */
TEST_F(vnet, size_beyond_all)
{
	ASSERT_EQ(0, set_int(self->fd, TUNSETVNETHDRSZ, INT32_MAX));
	frame(self, 10, 1);
	EXPECT_EQ(-EINVAL, write_ret(self->fd, self->out, sizeof(self->out)));
	ASSERT_EQ(LEN, send_one(self, 1));
	ASSERT_EQ(POLLIN, wait_events(self->fd, POLLIN, WAIT_MS));
	EXPECT_EQ(-EINVAL, read_ret(self->fd, self->in, sizeof(self->in)));
	EXPECT_EQ(-EAGAIN, read_ret(self->fd, self->in, sizeof(self->in)));
	ASSERT_EQ(0, set_int(self->fd, TUNSETVNETHDRSZ, 10));
	EXPECT_EQ(0, write_one(self, 10));
	EXPECT_EQ(0, read_one(self, 10));
}

/* Without room for the headers the packet is lost, and the caller told. */
TEST_F(vnet, read_no_room)
{
	size_t room, head = self->pi_len + 12;

	ASSERT_EQ(0, set_int(self->fd, TUNSETVNETHDRSZ, 12));
	for (room = 1; room < head; room++) {
		ASSERT_EQ(LEN, send_one(self, 1));
		ASSERT_EQ(POLLIN, wait_events(self->fd, POLLIN, WAIT_MS));
		EXPECT_EQ(-EINVAL, read_ret(self->fd, self->in, room))
			TH_LOG("room for %zu", room);
		EXPECT_EQ(-EAGAIN, read_ret(self->fd, self->in, room));
	}
	EXPECT_EQ(0, read_one(self, 12));
}

TEST_F(vnet, read_truncated)
{
	size_t rooms[] = { 0, 1, 14, LEN - 1, LEN }, head = self->pi_len + 12;
	struct tun_pi pi;
	size_t i;

	ASSERT_EQ(0, set_int(self->fd, TUNSETVNETHDRSZ, 12));
	for (i = 0; i < ARRAY_SIZE(rooms); i++) {
		size_t len = head + rooms[i];
		bool cut = rooms[i] < LEN;

		ASSERT_EQ(LEN, send_one(self, i));
		ASSERT_EQ(POLLIN, wait_events(self->fd, POLLIN, WAIT_MS));
		memset(self->in, 0xa5, sizeof(self->in));
		ASSERT_EQ(len, read_ret(self->fd, self->in, len));
		EXPECT_TRUE(all_zero(self->in + self->pi_len, 12));
		EXPECT_EQ(0, memcmp(self->out + self->pi_len, self->in + head,
				    rooms[i]));
		EXPECT_EQ(0xa5, self->in[len]);
		EXPECT_EQ(-EAGAIN, read_ret(self->fd, self->in, len));
		memset(&pi, 0, sizeof(pi));
		memcpy(&pi, self->in, self->pi_len);
		EXPECT_EQ(self->pi_len && cut ? TUN_PKT_STRIP : 0, pi.flags);
	}
}

TEST_F(vnet, bad_buffer)
{
	uint8_t *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	size_t len = self->pi_len + 10 + LEN, some = self->pi_len + 5;

	ASSERT_NE(MAP_FAILED, page);
	ASSERT_EQ(0, mprotect(page + 4096, 4096, PROT_NONE));
	EXPECT_EQ(-EFAULT, write_ret(self->fd, BAD_POINTER, len));
	/* Half of the header is there. */
	frame(self, 10, 1);
	memcpy(page + 4096 - some, self->out, some);
	EXPECT_EQ(-EFAULT, write_ret(self->fd, page + 4096 - some, len));
	ASSERT_EQ(LEN, send_one(self, 1));
	ASSERT_EQ(POLLIN, wait_events(self->fd, POLLIN, WAIT_MS));
	EXPECT_EQ(-EFAULT, read_ret(self->fd, page + 4096 - some, len));
	EXPECT_EQ(-EAGAIN, read_ret(self->fd, self->in, len));
	EXPECT_EQ(0, write_one(self, 10));
	EXPECT_EQ(0, read_one(self, 10));
	EXPECT_EQ(0, wait_events(self->sock, POLLIN, 0));
}

TEST_F(vnet, little_endian)
{
	EXPECT_EQ(0, get_int(self->fd, TUNGETVNETLE));
	EXPECT_EQ(0, set_int(self->fd, TUNSETVNETLE, 7));
	EXPECT_EQ(1, get_int(self->fd, TUNGETVNETLE));
	EXPECT_EQ(-EFAULT, tun_ioctl_ptr(self->fd, TUNSETVNETLE, BAD_POINTER));
	EXPECT_EQ(-EFAULT, tun_ioctl_ptr(self->fd, TUNGETVNETLE, BAD_POINTER));
	EXPECT_EQ(1, get_int(self->fd, TUNGETVNETLE));
	EXPECT_EQ(0, write_one(self, 10));
	EXPECT_EQ(0, set_int(self->fd, TUNSETVNETLE, 0));
	EXPECT_EQ(0, get_int(self->fd, TUNGETVNETLE));
	EXPECT_EQ(0, write_one(self, 10));
}

/* In kernels with CONFIG_TUN_VNET_CROSS_LE; the others know the number. */
TEST_F(vnet, big_endian)
{
	int err = get_int(self->fd, TUNGETVNETBE);

	if (err == -EINVAL) {
		EXPECT_EQ(-EINVAL, set_int(self->fd, TUNSETVNETBE, 0));
		EXPECT_EQ(-EINVAL, set_int(self->fd, TUNSETVNETBE, 1));
		EXPECT_EQ(-EINVAL, tun_ioctl_ptr(self->fd, TUNSETVNETBE,
						 BAD_POINTER));
		EXPECT_EQ(-EINVAL, tun_ioctl_ptr(self->fd, TUNGETVNETBE,
						 BAD_POINTER));
		return;
	}
	EXPECT_EQ(0, err);
	EXPECT_EQ(0, set_int(self->fd, TUNSETVNETBE, 7));
	EXPECT_EQ(1, get_int(self->fd, TUNGETVNETBE));
	EXPECT_EQ(0, get_int(self->fd, TUNGETVNETLE));
	EXPECT_EQ(-EFAULT, tun_ioctl_ptr(self->fd, TUNSETVNETBE, BAD_POINTER));
	EXPECT_EQ(-EFAULT, tun_ioctl_ptr(self->fd, TUNGETVNETBE, BAD_POINTER));
	EXPECT_EQ(0, set_int(self->fd, TUNSETVNETBE, 0));
	EXPECT_EQ(0, get_int(self->fd, TUNGETVNETBE));
}

/* A multi-byte field, read by the driver: beyond the packet is refused. */
static int write_hdr_len(SELF *self, uint16_t hdr_len)
{
	struct virtio_net_hdr hdr = { .hdr_len = hdr_len };
	size_t len = self->pi_len + 10 + LEN;
	ssize_t ret;

	frame(self, 10, 1);
	memcpy(self->out + self->pi_len, &hdr, sizeof(hdr));
	ret = write_ret(self->fd, self->out, len);
	if (ret < 0)
		return ret;
	return packet_recv(self->sock, self->in, sizeof(self->in), NULL);
}

/* Little-endian wins, then big-endian; else it is the machine's own. */
TEST_F(vnet, byte_order)
{
	uint16_t own = 0x0040, little = htole16(0x0040), big = htobe16(0x0040);

	EXPECT_EQ(LEN, write_hdr_len(self, own));
	ASSERT_EQ(0, set_int(self->fd, TUNSETVNETLE, 1));
	EXPECT_EQ(LEN, write_hdr_len(self, little));
	EXPECT_EQ(-EINVAL, write_hdr_len(self, big));
	if (set_int(self->fd, TUNSETVNETBE, 1))
		return;
	EXPECT_EQ(LEN, write_hdr_len(self, little));
	ASSERT_EQ(0, set_int(self->fd, TUNSETVNETLE, 0));
	EXPECT_EQ(LEN, write_hdr_len(self, big));
	EXPECT_EQ(-EINVAL, write_hdr_len(self, little));
	ASSERT_EQ(0, set_int(self->fd, TUNSETVNETBE, 0));
	EXPECT_EQ(LEN, write_hdr_len(self, own));
}

/* Size and byte order are the device's: all queues have them, later ones too. */
TEST_F(vnet, of_the_device)
{
	int fd[3];

	ASSERT_EQ(0, tun_attach_all("multi", variant->flags | IFF_MULTI_QUEUE,
				    fd, 2));
	ASSERT_EQ(0, set_int(fd[0], TUNSETVNETHDRSZ, 12));
	ASSERT_EQ(0, set_int(fd[1], TUNSETVNETLE, 1));
	EXPECT_EQ(12, get_int(fd[1], TUNGETVNETHDRSZ));
	EXPECT_EQ(1, get_int(fd[0], TUNGETVNETLE));
	ASSERT_EQ(0, tun_queue(fd[1], IFF_DETACH_QUEUE));
	ASSERT_EQ(0, set_int(fd[1], TUNSETVNETHDRSZ, 20));
	EXPECT_EQ(20, get_int(fd[0], TUNGETVNETHDRSZ));
	fd[2] = tun_create("multi", variant->flags | IFF_MULTI_QUEUE);
	ASSERT_LE(0, fd[2]);
	EXPECT_EQ(20, get_int(fd[2], TUNGETVNETHDRSZ));
	EXPECT_EQ(1, get_int(fd[2], TUNGETVNETLE));
	tun_close_all(fd, 3);
}

/* The first queue says whether there is a header, the next ones do not. */
TEST_F(vnet, later_queues)
{
	int flags = variant->flags | IFF_MULTI_QUEUE, fd[2];

	fd[0] = tun_create("multi", flags);
	fd[1] = tun_create("multi", flags & ~IFF_VNET_HDR);
	ASSERT_LE(0, fd[0]);
	ASSERT_LE(0, fd[1]);
	EXPECT_EQ(IFF_VNET_HDR, tun_get_flags(fd[0]) & IFF_VNET_HDR);
	EXPECT_EQ(IFF_VNET_HDR, tun_get_flags(fd[1]) & IFF_VNET_HDR);
	tun_close_all(fd, 2);
	fd[0] = tun_create("multi", flags & ~IFF_VNET_HDR);
	fd[1] = tun_create("multi", flags);
	ASSERT_LE(0, fd[0]);
	ASSERT_LE(0, fd[1]);
	EXPECT_EQ(0, tun_get_flags(fd[0]) & IFF_VNET_HDR);
	EXPECT_EQ(0, tun_get_flags(fd[1]) & IFF_VNET_HDR);
	tun_close_all(fd, 2);
}

/* Who attaches to a persistent device says anew; its size and order stay. */
TEST_F(vnet, persistent)
{
	int fd = tun_create("stays", variant->flags), index;

	ASSERT_LE(0, fd);
	index = tun_index(fd);
	ASSERT_EQ(0, tun_ioctl(fd, TUNSETPERSIST, 1));
	ASSERT_EQ(0, set_int(fd, TUNSETVNETHDRSZ, 12));
	ASSERT_EQ(0, set_int(fd, TUNSETVNETLE, 1));
	close(fd);
	fd = tun_create("stays", variant->flags & ~IFF_VNET_HDR);
	ASSERT_LE(0, fd);
	EXPECT_EQ(index, tun_index(fd));
	EXPECT_EQ(0, tun_get_flags(fd) & IFF_VNET_HDR);
	close(fd);
	fd = tun_create("stays", variant->flags);
	ASSERT_LE(0, fd);
	EXPECT_EQ(IFF_VNET_HDR, tun_get_flags(fd) & IFF_VNET_HDR);
	EXPECT_EQ(12, get_int(fd, TUNGETVNETHDRSZ));
	EXPECT_EQ(1, get_int(fd, TUNGETVNETLE));
	ASSERT_EQ(0, tun_ioctl(fd, TUNSETPERSIST, 0));
	close(fd);
}

/* Bytes of the header are not the packet's. */
TEST_F(vnet, statistics)
{
	struct link_info before, after;

	ASSERT_EQ(0, set_int(self->fd, TUNSETVNETHDRSZ, 20));
	ASSERT_EQ(0, link_get(self->index, &before));
	ASSERT_EQ(0, write_one(self, 20));
	ASSERT_EQ(0, read_one(self, 20));
	ASSERT_EQ(0, link_get(self->index, &after));
	EXPECT_EQ(1, after.stats.rx_packets - before.stats.rx_packets);
	EXPECT_EQ(LEN, after.stats.rx_bytes - before.stats.rx_bytes);
	EXPECT_EQ(1, after.stats.tx_packets - before.stats.tx_packets);
	EXPECT_EQ(LEN, after.stats.tx_bytes - before.stats.tx_bytes);
}

TEST(unattached)
{
	static const unsigned long cmds[] = {
		TUNGETVNETHDRSZ, TUNSETVNETHDRSZ, TUNGETVNETLE, TUNSETVNETLE,
		TUNGETVNETBE, TUNSETVNETBE,
	};
	int value = 12, fd;
	size_t i;

	ASSERT_EQ(0, ns_enter());
	fd = tun_open(O_NONBLOCK);
	ASSERT_LE(0, fd);
	for (i = 0; i < ARRAY_SIZE(cmds); i++) {
		EXPECT_EQ(-EBADFD, tun_ioctl_ptr(fd, cmds[i], &value));
		EXPECT_EQ(-EBADFD, tun_ioctl_ptr(fd, cmds[i], BAD_POINTER));
	}
	close(fd);
}

#ifdef __x86_64__
TEST(compat)
{
	unsigned int addr;
	int *value, fd;

	ASSERT_EQ(0, ns_enter());
	value = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	ASSERT_NE(MAP_FAILED, (void *)value);
	addr = (uintptr_t)value;
	fd = tun_create("ours", TAP_NOPI | IFF_VNET_HDR);
	ASSERT_LE(0, fd);
	*value = 12;
	ASSERT_EQ(0, tun_ioctl_compat(fd, TUNSETVNETHDRSZ, addr));
	*value = 0;
	ASSERT_EQ(0, tun_ioctl_compat(fd, TUNGETVNETHDRSZ, addr));
	EXPECT_EQ(12, *value);
	ASSERT_EQ(0, tun_ioctl_compat(fd, TUNSETVNETLE, addr));
	ASSERT_EQ(0, tun_ioctl_compat(fd, TUNGETVNETLE, addr));
	EXPECT_EQ(1, *value);
	close(fd);
}
#endif /* __x86_64__ */

TEST_HARNESS_MAIN
