// SPDX-License-Identifier: GPL-2.0-only
/*
 * A queue as the backend of vhost-net, which takes packets out of its ring and
 * hands it batches of frames past read() and write().
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>
#include <linux/if_ether.h>

#include "flows.h"
#include "rtnl.h"
#include "tun_test.h"
#include "vhost_dev.h"
#include "harness.h"

#define FRAME_MAX	(VQ_ROOM - 64)	/* with its header, in one descriptor */
#define BIG		9000
#define WINDOW		300	/* packets under way: fewer than the ring has room for */
#define ROUNDS		40
#define BATCH		64	/* frames that vhost hands over in one call */

#define SELF		FIXTURE_DATA(backend)

static const uint8_t guest_mac[6] = { 2, 0, 0, 0, 0, 2 };

static void __attribute__((constructor)) require(void)
{
	vhost_require();
}

FIXTURE(backend)
{
	int fd, index, sock;
	bool tap, d4;
	struct vhost vhost;
	uint8_t mac[6];
	uint8_t out[65536], in[65536];
};

FIXTURE_VARIANT(backend)
{
	int flags;
	uint64_t features;
	int sndbuf;		/* INT_MAX: the device's own, without a limit */
	unsigned int chain;	/* descriptors of a buffer */
};

FIXTURE_VARIANT_ADD(backend, header_10)
{
	.flags = IFF_TAP | IFF_VNET_HDR, .sndbuf = INT_MAX, .chain = 1,
};

FIXTURE_VARIANT_ADD(backend, header_12)
{
	.flags = IFF_TAP | IFF_VNET_HDR, .features = VHOST_V1,
	.sndbuf = INT_MAX, .chain = 1,
};

FIXTURE_VARIANT_ADD(backend, mergeable)
{
	.flags = IFF_TAP | IFF_VNET_HDR, .features = VHOST_V1 | VHOST_MRG,
	.sndbuf = INT_MAX, .chain = 1,
};

FIXTURE_VARIANT_ADD(backend, mergeable_legacy)
{
	.flags = IFF_TAP | IFF_VNET_HDR, .features = VHOST_MRG,
	.sndbuf = INT_MAX, .chain = 1,
};

FIXTURE_VARIANT_ADD(backend, chains)
{
	.flags = IFF_TAP | IFF_VNET_HDR, .features = VHOST_V1,
	.sndbuf = INT_MAX, .chain = 4,
};

FIXTURE_VARIANT_ADD(backend, no_header)
{
	.flags = IFF_TAP, .features = VHOST_V1 | VHOST_HDR,
	.sndbuf = INT_MAX, .chain = 1,
};

FIXTURE_VARIANT_ADD(backend, sndbuf)
{
	.flags = IFF_TAP | IFF_VNET_HDR, .features = VHOST_V1 | VHOST_MRG,
	.sndbuf = 1 << 20, .chain = 1,
};

FIXTURE_VARIANT_ADD(backend, napi)
{
	.flags = IFF_TAP | IFF_VNET_HDR | IFF_NAPI,
	.features = VHOST_V1 | VHOST_MRG, .sndbuf = INT_MAX, .chain = 1,
};

FIXTURE_VARIANT_ADD(backend, multi_queue)
{
	.flags = IFF_TAP | IFF_VNET_HDR | IFF_MULTI_QUEUE,
	.features = VHOST_V1 | VHOST_MRG, .sndbuf = INT_MAX, .chain = 1,
};

FIXTURE_VARIANT_ADD(backend, tun)
{
	.flags = IFF_TUN | IFF_VNET_HDR, .features = VHOST_V1 | VHOST_MRG,
	.sndbuf = INT_MAX, .chain = 1,
};

FIXTURE_VARIANT_ADD(backend, tun_sndbuf)
{
	.flags = IFF_TUN | IFF_VNET_HDR, .features = VHOST_V1 | VHOST_MRG,
	.sndbuf = 1 << 20, .chain = 1,
};

FIXTURE_SETUP(backend)
{
	struct link_info info;
	int hdr;

	ASSERT_EQ(0, ns_enter());
	self->tap = variant->flags & IFF_TAP;
	self->d4 = !self->tap && variant->sndbuf == INT_MAX;
	ASSERT_EQ(0, vhost_open(&self->vhost, variant->features));
	self->vhost.rx.chain = self->vhost.tx.chain = variant->chain;
	self->fd = tun_create("ours", variant->flags | IFF_NO_PI);
	ASSERT_LE(0, self->fd);
	hdr = self->vhost.hdr;
	if (variant->flags & IFF_VNET_HDR)
		ASSERT_EQ(0, tun_ioctl_ptr(self->fd, TUNSETVNETHDRSZ, &hdr));
	if (variant->sndbuf != INT_MAX)
		ASSERT_EQ(0, tun_ioctl_ptr(self->fd, TUNSETSNDBUF,
					   &variant->sndbuf));
	self->index = tun_index(self->fd);
	ASSERT_EQ(0, link_get(self->index, &info));
	memcpy(self->mac, info.addr, sizeof(self->mac));
	ASSERT_EQ(0, link_set_u32(self->index, IFLA_MTU, BIG));
	ASSERT_EQ(0, link_up(self->index, true));
	self->sock = packet_socket(self->index, ETH_P_ALL);
	ASSERT_LE(0, self->sock);
	ASSERT_EQ(0, vhost_set_backend(&self->vhost, self->fd));
}

FIXTURE_TEARDOWN(backend)
{
	vhost_close(&self->vhost);
	close(self->sock);
	close(self->fd);
}

/* The in-tree driver takes a batch of an L3 device's frames for Ethernet. */
#define EXPECT_OUT(cond) do { \
	if (self->d4) \
		EXPECT_UNLESS_DEFECT("D4", cond); \
	else \
		EXPECT_TRUE(cond); \
} while (0)

static void frame(SELF *self, uint8_t *buf, size_t len, unsigned int seed)
{
	packet_fill(buf, len, seed);
	if (self->tap)
		packet_eth(buf, self->mac, guest_mac, PROTO_TEST);
	else
		buf[0] = 0x45;
}

static bool is_frame(SELF *self, const uint8_t *buf, ssize_t got, size_t len,
		     unsigned int seed)
{
	frame(self, self->out, len, seed);
	return got == (ssize_t)len && !memcmp(buf, self->out, len);
}

static int proto(SELF *self)
{
	return self->tap ? PROTO_TEST : ETH_P_IP;
}

/* The guest's frame is queued, the device is not told. */
static int queue_frame(SELF *self, size_t len, unsigned int seed)
{
	frame(self, self->out, len, seed);
	return vhost_queue(&self->vhost, self->out, len);
}

/* The next frame that came out of the device is that one. */
static bool came_out(SELF *self, size_t len, unsigned int seed)
{
	int got_proto = 0;
	ssize_t got = packet_recv(self->sock, self->in, sizeof(self->in),
				  &got_proto);

	return is_frame(self, self->in, got, len, seed) &&
	       got_proto == proto(self);
}

/* The stack's frame, to the guest. */
static int send_in(SELF *self, size_t len, unsigned int seed)
{
	int ret;

	frame(self, self->out, len, seed);
	ret = packet_send(self->sock, self->index, proto(self), self->out, len);
	return ret < 0 ? ret : 0;
}

static bool guest_got(SELF *self, size_t len, unsigned int seed)
{
	ssize_t got = vhost_recv(&self->vhost, self->in, sizeof(self->in));

	return is_frame(self, self->in, got, len, seed);
}

TEST_F(backend, transmit)
{
	ASSERT_EQ(0, queue_frame(self, 100, 1));
	ASSERT_EQ(0, vhost_kick(&self->vhost.tx));
	ASSERT_EQ(0, vhost_flush(&self->vhost));
	EXPECT_OUT(came_out(self, 100, 1));
}

/* More than vhost hands over at once, told of by one kick. */
TEST_F(backend, transmit_batches)
{
	unsigned int count = VQ_SIZE / variant->chain, n;
	struct link_info info;

	for (n = 0; n < 3 * count; n++) {
		ASSERT_EQ(0, queue_frame(self, 60 + n, n));
		if ((n + 1) % count)
			continue;
		ASSERT_EQ(0, vhost_kick(&self->vhost.tx));
		ASSERT_EQ(0, vhost_flush(&self->vhost));
	}
	for (n = 0; n < 3 * count && came_out(self, 60 + n, n); n++)
		;
	EXPECT_OUT(n == 3 * count);
	ASSERT_EQ(0, link_get(self->index, &info));
	EXPECT_EQ(3 * count, info.stats.rx_packets);
	EXPECT_EQ(0, info.stats.rx_dropped);
}

/*
 * In one batch with empty headers: what says something and fits, and what does not,
 * which is counted and takes none of the others along.
 */
TEST_F(backend, transmit_headers)
{
	static const struct virtio_net_hdr hdrs[] = {
		{ },
		{ .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		  .csum_start = 34, .csum_offset = 6 },
		{ .flags = VIRTIO_NET_HDR_F_DATA_VALID },
		{ .gso_type = 0x7f },			/* there is none */
		{ .hdr_len = 42, .gso_size = 7 },	/* of no matter */
		{ .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,	/* behind the end */
		  .csum_start = 34, .csum_offset = 70 },
		{ },
	};
	static const bool bad[ARRAY_SIZE(hdrs)] = { [3] = true, [5] = true };
	struct link_info info;
	unsigned int i;

	if (!self->tap || !(variant->flags & IFF_VNET_HDR))
		SKIP(return, "no header of a TAP's frames");
	for (i = 0; i < ARRAY_SIZE(hdrs); i++) {
		frame(self, self->out, 100, i);
		ASSERT_EQ(0, vhost_queue_hdr(&self->vhost, &hdrs[i], self->out,
					     100));
	}
	ASSERT_EQ(0, vhost_kick(&self->vhost.tx));
	ASSERT_EQ(0, vhost_flush(&self->vhost));
	for (i = 0; i < ARRAY_SIZE(hdrs); i++)
		if (!bad[i])
			EXPECT_TRUE(came_out(self, 100, i));
	ASSERT_EQ(0, link_get(self->index, &info));
	EXPECT_EQ(5, info.stats.rx_packets);
	EXPECT_UNLESS_DEFECT("D3", info.stats.rx_frame_errors == 2);
}

/* About a page a frame is too long for the batch, and goes by itself. */
TEST_F(backend, transmit_sizes)
{
	static const size_t sizes[] = {
		60, 14, 15, 64, 1514, 3000, 3300, 3400, 3500, 3600, 3700,
		FRAME_MAX, 61, BIG, 62,
	};
	size_t max = FRAME_MAX * variant->chain;
	int i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		if (sizes[i] <= max)
			ASSERT_EQ(0, queue_frame(self, sizes[i], i));
	}
	ASSERT_EQ(0, vhost_kick(&self->vhost.tx));
	ASSERT_EQ(0, vhost_flush(&self->vhost));
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		if (sizes[i] <= max && !came_out(self, sizes[i], i))
			break;
	}
	EXPECT_OUT(i == ARRAY_SIZE(sizes));
}

TEST_F(backend, receive)
{
	ASSERT_EQ(0, vhost_fill(&self->vhost, 4));
	ASSERT_EQ(0, send_in(self, 100, 1));
	EXPECT_TRUE(guest_got(self, 100, 1));
	ASSERT_EQ(0, send_in(self, 1514, 2));
	EXPECT_TRUE(guest_got(self, 1514, 2));
	EXPECT_FALSE(vhost_has_received(&self->vhost));
}

/* vhost takes packets out of the ring many at a time. */
TEST_F(backend, receive_many)
{
	struct link_info info;
	int n;

	ASSERT_EQ(0, vhost_fill(&self->vhost, VQ_SIZE / variant->chain));
	for (n = 0; n < WINDOW; n++)
		ASSERT_EQ(0, send_in(self, 60 + n, n));
	for (n = 0; n < WINDOW; n++) {
		ASSERT_TRUE(guest_got(self, 60 + n, n))
			TH_LOG("frame %d", n);
	}
	ASSERT_EQ(0, link_get(self->index, &info));
	EXPECT_EQ(WINDOW, info.stats.tx_packets);
	EXPECT_EQ(0, info.stats.tx_dropped);
}

/* One that does not fit is lost if it may not take several buffers. */
TEST_F(backend, receive_big)
{
	bool fits = variant->features & VHOST_MRG || variant->chain > 2;

	ASSERT_EQ(0, vhost_fill(&self->vhost, 16));
	ASSERT_EQ(0, send_in(self, 100, 1));
	ASSERT_EQ(0, send_in(self, BIG, 2));
	ASSERT_EQ(0, send_in(self, 100, 3));
	EXPECT_TRUE(guest_got(self, 100, 1));
	if (fits)
		EXPECT_TRUE(guest_got(self, BIG, 2));
	EXPECT_TRUE(guest_got(self, 100, 3));
}

/* Packets wait for the guest's buffers, first in vhost, then in the ring. */
TEST_F(backend, receive_without_buffers)
{
	int n;

	for (n = 0; n < WINDOW; n++)
		ASSERT_EQ(0, send_in(self, 100, n));
	EXPECT_FALSE(vhost_has_received(&self->vhost));
	ASSERT_EQ(0, vhost_fill(&self->vhost, 8));
	for (n = 0; n < WINDOW; n++) {
		ASSERT_TRUE(guest_got(self, 100, n))
			TH_LOG("frame %d", n);
	}
}

TEST_F(backend, busy_poll)
{
	int n;

	ASSERT_EQ(0, vhost_busy_poll(&self->vhost, 50));
	ASSERT_EQ(0, vhost_fill(&self->vhost, 16));
	for (n = 0; n < 20; n++) {
		ASSERT_EQ(0, send_in(self, 100, n));
		ASSERT_TRUE(guest_got(self, 100, n));
		ASSERT_EQ(0, queue_frame(self, 100, n));
		ASSERT_EQ(0, vhost_kick(&self->vhost.tx));
		ASSERT_EQ(0, vhost_flush(&self->vhost));
		if (!came_out(self, 100, n))
			break;
	}
	EXPECT_OUT(n == 20);
}

/* What vhost had taken out of the ring goes back there, for a reader. */
TEST_F(backend, cleared)
{
	size_t hdr = variant->flags & IFF_VNET_HDR ? self->vhost.hdr : 0;
	int n;

	ASSERT_EQ(0, vhost_fill(&self->vhost, 2));
	for (n = 0; n < WINDOW; n++)
		ASSERT_EQ(0, send_in(self, 100, n));
	EXPECT_TRUE(guest_got(self, 100, 0));
	ASSERT_EQ(0, vhost_set_backend(&self->vhost, -1));
	/* It may have received some more until then. */
	for (n = 1; vhost_has_received(&self->vhost); n++)
		EXPECT_TRUE(guest_got(self, 100, n));
	for (; n < WINDOW; n++) {
		ssize_t len = read_ret(self->fd, self->in, sizeof(self->in));

		ASSERT_TRUE(is_frame(self, self->in + hdr, len - hdr, 100, n))
			TH_LOG("frame %d: %zd", n, len);
	}
	EXPECT_EQ(-EAGAIN, read_ret(self->fd, self->in, sizeof(self->in)));
	/* And back again. */
	ASSERT_EQ(0, vhost_set_backend(&self->vhost, self->fd));
	ASSERT_EQ(0, send_in(self, 100, n));
	EXPECT_TRUE(guest_got(self, 100, n));
}

/* A frame that is queued without a backend goes when there is one. */
TEST_F(backend, set_later)
{
	ASSERT_EQ(0, vhost_set_backend(&self->vhost, -1));
	ASSERT_EQ(0, queue_frame(self, 100, 1));
	ASSERT_EQ(0, vhost_kick(&self->vhost.tx));
	EXPECT_EQ(0, wait_events(self->sock, POLLIN, 50));
	ASSERT_EQ(0, vhost_set_backend(&self->vhost, self->fd));
	ASSERT_EQ(0, vhost_flush(&self->vhost));
	EXPECT_OUT(came_out(self, 100, 1));
}

/* Numbered packets to the guest, at most WINDOW of them under way. */
struct sender {
	SELF *self;
	int sock;
	atomic_int sent, received;
	atomic_bool stop;
	pthread_t thread;
	int err;
};

static void *sender_main(void *arg)
{
	struct sender *sender = arg;
	SELF *self = sender->self;
	uint8_t buf[100];

	while (!sender->stop && sender->err >= 0) {
		if (sender->sent - sender->received >= WINDOW) {
			sched_yield();
			continue;
		}
		frame(self, buf, sizeof(buf), sender->sent);
		sender->err = packet_send(sender->sock, self->index,
					  proto(self), buf, sizeof(buf));
		if (sender->err >= 0)
			sender->sent++;
	}
	return NULL;
}

static int sender_start(struct sender *sender, SELF *self)
{
	memset(sender, 0, sizeof(*sender));
	sender->self = self;
	sender->sock = self->sock;
	return -pthread_create(&sender->thread, NULL, sender_main, sender);
}

/* How many packets were sent. */
static int sender_stop(struct sender *sender)
{
	sender->stop = true;
	pthread_join(sender->thread, NULL);
	return sender->err < 0 ? sender->err : sender->sent;
}

/* The guest reads count more packets, in order. */
static bool guest_reads(SELF *self, struct sender *sender, int count)
{
	for (; count; count--) {
		if (!guest_got(self, 100, sender->received))
			return false;
		sender->received++;
	}
	return true;
}

/* Nothing is lost and the order is kept. */
TEST_F_TIMEOUT(backend, set_under_load, 240)
{
	struct link_info info;
	struct sender sender;
	int n, sent;

	ASSERT_EQ(0, vhost_fill(&self->vhost, 64 / variant->chain));
	ASSERT_EQ(0, sender_start(&sender, self));
	for (n = 0; n < ROUNDS; n++) {
		EXPECT_TRUE(guest_reads(self, &sender, 20));
		EXPECT_EQ(0, vhost_set_backend(&self->vhost, -1));
		queue_frame(self, 100, n);
		vhost_kick(&self->vhost.tx);
		EXPECT_EQ(0, vhost_set_backend(&self->vhost, self->fd));
		EXPECT_EQ(0, vhost_flush(&self->vhost));
	}
	sent = sender_stop(&sender);
	ASSERT_LE(0, sent);
	EXPECT_TRUE(guest_reads(self, &sender, sent - sender.received))
		TH_LOG("%d of %d received", sender.received, sent);
	ASSERT_EQ(0, link_get(self->index, &info));
	EXPECT_EQ(0, info.stats.tx_dropped);
	EXPECT_EQ(sent, info.stats.tx_packets);
}

/* vhost has the file: the device lives on, until there is no backend. */
TEST_F(backend, file_closed)
{
	close(self->fd);
	self->fd = -1;
	ASSERT_EQ(0, vhost_fill(&self->vhost, 4));
	ASSERT_EQ(0, send_in(self, 100, 1));
	EXPECT_TRUE(guest_got(self, 100, 1));
	ASSERT_EQ(0, vhost_set_backend(&self->vhost, -1));
	EXPECT_EQ(0, link_wait_gone(self->index));
	EXPECT_EQ(-ENODEV, link_index("ours"));
}

TEST_F(backend, device_deleted)
{
	struct sender sender;
	int n;

	ASSERT_EQ(0, vhost_fill(&self->vhost, 64 / variant->chain));
	ASSERT_EQ(0, sender_start(&sender, self));
	EXPECT_TRUE(guest_reads(self, &sender, 100));
	for (n = 0; n < BATCH / 2; n++)
		ASSERT_EQ(0, queue_frame(self, 100, n));
	ASSERT_EQ(0, vhost_kick(&self->vhost.tx));
	EXPECT_EQ(0, link_delete(self->index));
	EXPECT_EQ(-ENODEV, link_index("ours"));
	sender_stop(&sender);
	EXPECT_LE(0, vhost_settle(&self->vhost));
	/* The guest does not hear of it: what it sends is lost. */
	ASSERT_EQ(0, queue_frame(self, 100, n));
	ASSERT_EQ(0, vhost_kick(&self->vhost.tx));
	EXPECT_LE(0, vhost_settle(&self->vhost));
	EXPECT_EQ(0, vhost_set_backend(&self->vhost, -1));
}

/* Without traffic: the backend stays, and goes with its file. */
TEST_F(backend, device_deleted_idle)
{
	ASSERT_EQ(0, vhost_fill(&self->vhost, 4));
	ASSERT_EQ(0, link_delete(self->index));
	EXPECT_EQ(-EBADFD, read_ret(self->fd, self->in, sizeof(self->in)));
}

/* What is no queue of a device is refused, and the backend stays. */
TEST_F(backend, not_a_backend)
{
	int fresh = tun_open(0), null = open("/dev/null", O_RDWR);

	ASSERT_LE(0, fresh);
	ASSERT_LE(0, null);
	EXPECT_EQ(-ENOTSOCK, vhost_set_backend(&self->vhost, null));
	EXPECT_EQ(-EINVAL, vhost_set_backend(&self->vhost, fresh));
	ASSERT_EQ(0, vhost_fill(&self->vhost, 4));
	ASSERT_EQ(0, send_in(self, 100, 1));
	EXPECT_TRUE(guest_got(self, 100, 1));
	close(fresh);
	close(null);
}

/*
 * XDP sends each of the guest's frames back: not an skb is in the ring. A driver
 * need not have XDP on an L3 device.
 */
TEST_F(backend, xdp_tx)
{
	static const struct bpf_insn code[] = {
		{ BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, XDP_TX },
		{ BPF_JMP | BPF_EXIT, 0, 0, 0, 0 },
	};
	int n, link = xdp_attach(self->index, code, ARRAY_SIZE(code));

	if (!self->tap && link == -EOPNOTSUPP)
		return;
	ASSERT_LE(0, link);
	ASSERT_EQ(0, vhost_fill(&self->vhost, 64 / variant->chain));
	for (n = 0; n < BATCH; n++)
		ASSERT_EQ(0, queue_frame(self, 100 + n, n));
	ASSERT_EQ(0, vhost_kick(&self->vhost.tx));
	ASSERT_EQ(0, vhost_flush(&self->vhost));
	for (n = 0; n < BATCH; n++) {
		ASSERT_TRUE(guest_got(self, 100 + n, n))
			TH_LOG("frame %d", n);
	}
	EXPECT_EQ(0, wait_events(self->sock, POLLIN, 0));
	close(link);
}

#define QUEUES	FIXTURE_DATA(queues)

/* Two queues of one device, each the backend of a vhost-net of its own. */
FIXTURE(queues)
{
	struct flows flows;
	struct vhost vhost[2];
};

FIXTURE_SETUP(queues)
{
	int i;

	ASSERT_EQ(0, ns_enter());
	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, vhost_open(&self->vhost[i], VHOST_V1 | VHOST_HDR));
	ASSERT_EQ(0, flows_open(&self->flows, IFF_TAP | IFF_MULTI_QUEUE, 2));
}

FIXTURE_TEARDOWN(queues)
{
	int i;

	for (i = 0; i < 2; i++)
		vhost_close(&self->vhost[i]);
	flows_close(&self->flows);
}

/* The guest's packet of that flow, by one of its queues. */
static int guest_writes(QUEUES *self, int queue, struct flow f)
{
	uint8_t buf[128] = { 0 };
	size_t len;

	packet_eth(buf, self->flows.mac, guest_mac, ETH_P_IP);
	len = ETH_HLEN + packet_udp4(buf + ETH_HLEN, f, "ping", 4);
	return vhost_send(&self->vhost[queue], buf, len);
}

static bool guest_reads_flow(struct vhost *vhost, struct flow f)
{
	uint8_t buf[2048];
	ssize_t len = vhost_recv(vhost, buf, sizeof(buf));

	return len > ETH_HLEN &&
	       packet_is(buf + ETH_HLEN, len - ETH_HLEN, flow_reverse(f));
}

TEST_F(queues, flow_comes_back)
{
	int n;

	for (n = 0; n < 2; n++) {
		ASSERT_EQ(0, vhost_fill(&self->vhost[n], 64));
		ASSERT_EQ(0, vhost_set_backend(&self->vhost[n],
					       self->flows.fd[n]));
	}
	for (n = 0; n < 32; n++)
		ASSERT_EQ(0, guest_writes(self, n % 2, flow_nth(n)));
	for (n = 0; n < 32; n++)
		ASSERT_EQ(0, flows_send(&self->flows, flow_nth(n), n));
	for (n = 0; n < 32; n++) {
		EXPECT_TRUE(guest_reads_flow(&self->vhost[n % 2], flow_nth(n)))
			TH_LOG("flow %d", n);
	}
}

/* As with read() and write(): a detached queue transmits, and nothing comes. */
TEST_F(queues, detach_and_attach)
{
	struct flows *flows = &self->flows;
	struct vhost *vhost = &self->vhost[0];
	struct link_info info;
	int n;

	ASSERT_EQ(0, vhost_fill(vhost, 64));
	ASSERT_EQ(0, vhost_set_backend(vhost, flows->fd[0]));
	for (n = 1; n <= 5; n++) {
		ASSERT_EQ(0, guest_writes(self, 0, flow_nth(0)));
		ASSERT_EQ(0, flows_send(flows, flow_nth(0), 0));
		EXPECT_TRUE(guest_reads_flow(vhost, flow_nth(0)));

		ASSERT_EQ(0, tun_queue(flows->fd[0], IFF_DETACH_QUEUE));
		EXPECT_EQ(0, guest_writes(self, 0, flow_nth(0)));
		EXPECT_EQ(1, flows_send_to(flows, flow_nth(0)));
		EXPECT_FALSE(vhost_has_received(vhost));
		ASSERT_EQ(0, tun_queue(flows->fd[0], IFF_ATTACH_QUEUE));
	}
	ASSERT_EQ(0, link_get(flows->index, &info));
	EXPECT_EQ(10, info.stats.rx_packets);
}

/* With packets in vhost's hands and frames on their way. */
TEST_F_TIMEOUT(queues, detach_under_load, 120)
{
	struct flows *flows = &self->flows;
	struct vhost *vhost = &self->vhost[0];
	int n;

	ASSERT_EQ(0, vhost_set_backend(vhost, flows->fd[0]));
	ASSERT_EQ(0, vhost_fill(vhost, 4));
	for (n = 0; n < 20; n++) {
		int i;

		ASSERT_EQ(0, guest_writes(self, 0, flow_nth(n)));
		for (i = 0; i < 100; i++)
			flows_send(flows, flow_nth(n), i);
		EXPECT_TRUE(guest_reads_flow(vhost, flow_nth(n)));
		ASSERT_EQ(0, tun_queue(flows->fd[0], IFF_DETACH_QUEUE));
		EXPECT_EQ(0, guest_writes(self, 0, flow_nth(n)));
		ASSERT_EQ(0, tun_queue(flows->fd[0], IFF_ATTACH_QUEUE));
		/* It begins anew with what vhost has still in its hands. */
		EXPECT_EQ(0, vhost_set_backend(vhost, -1));
		while (vhost_has_received(vhost))
			ASSERT_TRUE(guest_reads_flow(vhost, flow_nth(n)));
		flows_collect(flows, 0);
		ASSERT_EQ(0, vhost_set_backend(vhost, flows->fd[0]));
	}
}

TEST_HARNESS_MAIN
