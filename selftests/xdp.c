// SPDX-License-Identifier: GPL-2.0-only
/* What an XDP program of a TAP device does to what is written. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <linux/if_ether.h>
#include <linux/virtio_net.h>

#include "tracefs.h"
#include "vnet_packet.h"
#include "xdp_dev.h"
#include "harness.h"

#define LEN		100
#define MARK		0x12345678
#define NOBODY		0x7ffffff0	/* no device has that index */
#define UNKNOWN		77
#define HEADROOM	192	/* that a program can count on, and an eBPF one */
#define LARGE		20000

FIXTURE(verdict)
{
	struct xdp_dev dev, other;
};

FIXTURE_VARIANT(verdict)
{
	int flags;
	bool block;
	int sndbuf;
	bool counts;	/* what is dropped, on every driver */
};

FIXTURE_VARIANT_ADD(verdict, plain)
{
	.counts = true,
};

FIXTURE_VARIANT_ADD(verdict, vnet)
{
	.flags = IFF_VNET_HDR,
	.counts = true,
};

FIXTURE_VARIANT_ADD(verdict, multi)
{
	.flags = IFF_MULTI_QUEUE,
	.counts = true,
};

FIXTURE_VARIANT_ADD(verdict, napi)
{
	.flags = IFF_NAPI,
	.counts = true,
};

/* The in-tree driver makes a packet of these first. */
FIXTURE_VARIANT_ADD(verdict, frags)
{
	.flags = IFF_NAPI | IFF_NAPI_FRAGS,
};

FIXTURE_VARIANT_ADD(verdict, block)
{
	.block = true,
};

FIXTURE_VARIANT_ADD(verdict, sndbuf)
{
	.sndbuf = 1 << 20,
};

FIXTURE_SETUP(verdict)
{
	struct xdp_dev *dev = &self->dev;

	ASSERT_EQ(0, ns_enter());
	ASSERT_EQ(0, xdp_open(dev, "ours", TAP_NOPI | variant->flags));
	ASSERT_EQ(0, xdp_open(&self->other, "other", TAP_NOPI));
	if (variant->block)
		ASSERT_EQ(0, fcntl(dev->fd, F_SETFL, 0));
	if (variant->sndbuf) {
		ASSERT_EQ(0, tun_ioctl_ptr(dev->fd, TUNSETSNDBUF,
					   &variant->sndbuf));
	}
}

FIXTURE_TEARDOWN(verdict)
{
	xdp_close(&self->dev);
	xdp_close(&self->other);
}

/* A blocking reader would wait. */
static bool lost(struct xdp_dev *dev)
{
	bool none;

	fcntl(dev->fd, F_SETFL, O_NONBLOCK);
	none = xdp_lost(dev);
	return none;
}

TEST_F(verdict, pass)
{
	struct xdp_dev *dev = &self->dev;

	ASSERT_EQ(0, bpf_give_verdict(dev->index, XDP_PASS));
	ASSERT_EQ(0, xdp_send(dev, LEN, 1));
	EXPECT_TRUE(xdp_received(dev, LEN));
	ASSERT_EQ(0, xdp_send(dev, ETH_HLEN, 2));
	EXPECT_TRUE(xdp_received(dev, ETH_HLEN));
	EXPECT_EQ(2, xdp_stats(dev).rx_packets);
	EXPECT_EQ(LEN + ETH_HLEN, xdp_stats(dev).rx_bytes);
	EXPECT_EQ(0, xdp_stats(dev).rx_dropped);
}

TEST_F(verdict, drop)
{
	struct xdp_dev *dev = &self->dev;

	ASSERT_EQ(0, bpf_give_verdict(dev->index, XDP_DROP));
	ASSERT_EQ(0, xdp_send(dev, LEN, 1));
	EXPECT_TRUE(lost(dev));
	EXPECT_EQ(0, xdp_stats(dev).rx_packets);
	if (variant->counts)
		EXPECT_EQ(1, xdp_stats(dev).rx_dropped);
	/* It is only the program that does. */
	ASSERT_EQ(0, bpf_remove_xdp(dev->index));
	ASSERT_EQ(0, xdp_send(dev, LEN, 2));
	EXPECT_TRUE(xdp_received(dev, LEN));
}

TEST_F(verdict, tx)
{
	struct xdp_dev *dev = &self->dev;

	ASSERT_EQ(0, bpf_give_verdict(dev->index, XDP_TX));
	ASSERT_EQ(0, xdp_send(dev, LEN, 1));
	EXPECT_TRUE(xdp_came_back(dev, dev->fd, dev, LEN));
	ASSERT_EQ(0, xdp_send(dev, LEN + 1, 2));
	EXPECT_TRUE(xdp_came_back(dev, dev->fd, dev, LEN + 1));
	EXPECT_TRUE(lost(dev));
	EXPECT_EQ(2, xdp_stats(dev).tx_packets);
	if (variant->counts)
		EXPECT_EQ(2, xdp_stats(dev).rx_packets);
	EXPECT_EQ(0, xdp_stats(dev).rx_dropped);
}

TEST_F(verdict, redirect)
{
	struct xdp_dev *dev = &self->dev, *other = &self->other;

	ASSERT_EQ(0, bpf_give_redirect(dev->index, other->index));
	ASSERT_EQ(0, xdp_send(dev, LEN, 1));
	EXPECT_TRUE(xdp_came_back(other, other->fd, dev, LEN));
	EXPECT_TRUE(lost(dev));
	EXPECT_EQ(1, xdp_stats(other).tx_packets);
	EXPECT_EQ(LEN, xdp_stats(other).tx_bytes);
	EXPECT_EQ(0, xdp_stats(other).rx_packets);
	if (variant->counts)
		EXPECT_EQ(1, xdp_stats(dev).rx_packets);
}

/* The frame's memory is the driver's to free. */
TEST_F(verdict, redirect_to_nobody)
{
	struct xdp_dev *dev = &self->dev;

	ASSERT_EQ(0, bpf_give_redirect(dev->index, NOBODY));
	ASSERT_EQ(0, xdp_send(dev, LEN, 1));
	EXPECT_TRUE(lost(dev));
	EXPECT_EQ(0, xdp_stats(dev).rx_packets);
	if (variant->counts)
		EXPECT_EQ(1, xdp_stats(dev).rx_dropped);
}

static bool traced(struct __test_metadata *_metadata, struct xdp_dev *dev,
		   int verdict, const char *action)
{
	char text[8192], want[64];
	struct tracefs trace;

	if (tracefs_new(&trace) ||
	    tracefs_write(&trace, "events/xdp/xdp_exception/enable", "1"))
		return false;
	ASSERT_EQ(0, bpf_give_verdict(dev->index, verdict));
	EXPECT_EQ(0, xdp_send(dev, LEN, 1));
	EXPECT_LT(0, tracefs_take(&trace, text, sizeof(text)));
	tracefs_write(&trace, "events/xdp/xdp_exception/enable", "0");
	tracefs_delete(&trace);
	snprintf(want, sizeof(want), "action=%s ifindex=%d", action,
		 dev->index);
	return strstr(text, want);
}

TEST_F(verdict, aborted)
{
	struct xdp_dev *dev = &self->dev;

	EXPECT_TRUE(traced(_metadata, dev, XDP_ABORTED, "ABORTED"));
	EXPECT_TRUE(lost(dev));
	if (variant->counts)
		EXPECT_EQ(1, xdp_stats(dev).rx_dropped);
}

TEST_F(verdict, unknown)
{
	struct xdp_dev *dev = &self->dev;
	char action[16];

	snprintf(action, sizeof(action), "0x%x", UNKNOWN);
	EXPECT_TRUE(traced(_metadata, dev, UNKNOWN, action));
	EXPECT_TRUE(lost(dev));
	if (variant->counts)
		EXPECT_EQ(1, xdp_stats(dev).rx_dropped);
}

/* What is larger than a page. */
TEST_F(verdict, large)
{
	struct xdp_dev *dev = &self->dev;

	ASSERT_EQ(0, bpf_give_verdict(dev->index, XDP_PASS));
	ASSERT_EQ(0, xdp_send(dev, LARGE, 1));
	EXPECT_TRUE(xdp_received(dev, LARGE));
	ASSERT_EQ(0, bpf_give_verdict(dev->index, XDP_DROP));
	ASSERT_EQ(0, xdp_send(dev, LARGE, 2));
	EXPECT_TRUE(lost(dev));
}

/* Each length around that where one buffer is not enough any more. */
TEST_F(verdict, every_length)
{
	struct xdp_dev *dev = &self->dev;
	int len;

	ASSERT_EQ(0, bpf_give_verdict(dev->index, XDP_PASS));
	for (len = 3200; len < 3900; len++) {
		ASSERT_EQ(0, xdp_send(dev, len, len));
		ASSERT_TRUE(xdp_received(dev, len)) TH_LOG("%d", len);
	}
}

/* No Ethernet header: the program is not asked. */
TEST_F(verdict, short_frame)
{
	struct xdp_dev *dev = &self->dev;

	ASSERT_EQ(0, bpf_give_verdict(dev->index, XDP_TX));
	EXPECT_EQ(-EINVAL, xdp_send(dev, ETH_HLEN - 1, 1));
	EXPECT_EQ(-EINVAL, xdp_send(dev, 1, 1));
	EXPECT_TRUE(lost(dev));
}

/* What a program may change. */
FIXTURE(change)
{
	struct xdp_dev dev;
};

FIXTURE_VARIANT(change)
{
	int flags;
};

FIXTURE_VARIANT_ADD(change, plain)
{
	.flags = 0,
};

FIXTURE_VARIANT_ADD(change, vnet)
{
	.flags = IFF_VNET_HDR,
};

FIXTURE_SETUP(change)
{
	ASSERT_EQ(0, ns_enter());
	ASSERT_EQ(0, xdp_open(&self->dev, "ours", TAP_NOPI | variant->flags));
}

FIXTURE_TEARDOWN(change)
{
	xdp_close(&self->dev);
}

/* Four bytes in front of the packet, which go with it. */
static int give_metadata(struct xdp_dev *dev)
{
	const struct bpf_insn code[] = {
		INSN_COPY(BPF_REG_6, BPF_REG_1),
		INSN_SET(BPF_REG_2, -4),
		INSN_CALL(BPF_FUNC_xdp_adjust_meta),
		INSN_IF(BPF_JNE, BPF_REG_0, 0, 8),
		INSN_LOAD(BPF_W, BPF_REG_1, BPF_REG_6,
			  offsetof(struct xdp_md, data_meta)),
		INSN_LOAD(BPF_W, BPF_REG_2, BPF_REG_6,
			  offsetof(struct xdp_md, data)),
		INSN_COPY(BPF_REG_3, BPF_REG_1),
		INSN_OP(BPF_ADD, BPF_REG_3, 4),
		INSN_IF_REG(BPF_JGT, BPF_REG_3, BPF_REG_2, 3),
		INSN_STORE_IMM(BPF_W, BPF_REG_1, 0, MARK),
		INSN_SET(BPF_REG_0, XDP_PASS),
		INSN_EXIT,
		INSN_SET(BPF_REG_0, XDP_DROP),
		INSN_EXIT,
	};

	return XDP_GIVE(dev, code);
}

/* Lets pass what has those four bytes. */
static int want_metadata(int index)
{
	const struct bpf_insn code[] = {
		INSN_LOAD(BPF_W, BPF_REG_2, BPF_REG_1,
			  offsetof(struct __sk_buff, data_meta)),
		INSN_LOAD(BPF_W, BPF_REG_3, BPF_REG_1,
			  offsetof(struct __sk_buff, data)),
		INSN_COPY(BPF_REG_4, BPF_REG_2),
		INSN_OP(BPF_ADD, BPF_REG_4, 4),
		INSN_IF_REG(BPF_JGT, BPF_REG_4, BPF_REG_3, 4),
		INSN_LOAD(BPF_W, BPF_REG_5, BPF_REG_2, 0),
		INSN_IF(BPF_JNE, BPF_REG_5, MARK, 2),
		INSN_SET(BPF_REG_0, TCX_NEXT),
		INSN_EXIT,
		INSN_SET(BPF_REG_0, TCX_DROP),
		INSN_EXIT,
	};
	int link, prog = bpf_load(BPF_PROG_TYPE_SCHED_CLS, code,
				  ARRAY_SIZE(code));

	if (prog < 0)
		return prog;
	link = bpf_attach_ingress(prog, index);
	close(prog);
	return link;
}

TEST_F(change, metadata)
{
	struct xdp_dev *dev = &self->dev;
	int link = want_metadata(dev->index);

	ASSERT_LE(0, link);
	ASSERT_EQ(0, xdp_send(dev, LEN, 1));
	EXPECT_TRUE(xdp_lost(dev));
	ASSERT_EQ(0, give_metadata(dev));
	ASSERT_EQ(0, xdp_send(dev, LEN, 2));
	EXPECT_TRUE(xdp_received(dev, LEN));
	/* Also where the program is run over a packet. */
	ASSERT_EQ(0, xdp_send(dev, LARGE, 3));
	EXPECT_TRUE(xdp_received(dev, LARGE));
	ASSERT_EQ(0, bpf_remove_xdp(dev->index));
	ASSERT_EQ(0, xdp_send(dev, LEN, 4));
	EXPECT_TRUE(xdp_lost(dev));
	close(link);
}

/* The packet begins later. */
TEST_F(change, shrink_head)
{
	struct xdp_dev *dev = &self->dev;
	size_t len = xdp_make(dev, LEN, 1);
	uint8_t *frame = xdp_frame(dev);

	ASSERT_EQ(0, xdp_adjust(dev, BPF_FUNC_xdp_adjust_head, 4, XDP_PASS));
	memmove(frame + 4, frame, len);
	memset(frame, 0xee, 4);
	ASSERT_EQ(0, xdp_write(dev, len + 4));
	ASSERT_EQ(len, packet_recv(dev->sock, dev->in, sizeof(dev->in), NULL));
	EXPECT_EQ(0, memcmp(dev->in, frame + 4, len));
}

/* It begins earlier, with a header that the program makes. */
TEST_F(change, grow_head)
{
	struct xdp_dev *dev = &self->dev;
	const struct bpf_insn code[] = {
		INSN_COPY(BPF_REG_6, BPF_REG_1),
		INSN_SET(BPF_REG_2, -ETH_HLEN),
		INSN_CALL(BPF_FUNC_xdp_adjust_head),
		INSN_IF(BPF_JNE, BPF_REG_0, 0, 10),
		INSN_LOAD(BPF_W, BPF_REG_1, BPF_REG_6,
			  offsetof(struct xdp_md, data)),
		INSN_LOAD(BPF_W, BPF_REG_2, BPF_REG_6,
			  offsetof(struct xdp_md, data_end)),
		INSN_COPY(BPF_REG_3, BPF_REG_1),
		INSN_OP(BPF_ADD, BPF_REG_3, ETH_HLEN),
		INSN_IF_REG(BPF_JGT, BPF_REG_3, BPF_REG_2, 5),
		INSN_STORE_IMM(BPF_DW, BPF_REG_1, 0, 2),
		INSN_STORE_IMM(BPF_W, BPF_REG_1, 8, 0),
		INSN_STORE_IMM(BPF_H, BPF_REG_1, 12, htons(PROTO_TEST)),
		INSN_SET(BPF_REG_0, XDP_PASS),
		INSN_EXIT,
		INSN_SET(BPF_REG_0, XDP_DROP),
		INSN_EXIT,
	};

	ASSERT_EQ(0, XDP_GIVE(dev, code));
	ASSERT_EQ(0, xdp_send(dev, LEN, 1));
	ASSERT_EQ(LEN + ETH_HLEN, packet_recv(dev->sock, dev->in,
					      sizeof(dev->in), NULL));
	EXPECT_EQ(0, memcmp(dev->in + ETH_HLEN, xdp_frame(dev), LEN));
	/* As the writer wrote it. */
	EXPECT_EQ(LEN, xdp_stats(dev).rx_bytes);
}

/* There is as much room as any driver promises, and not without end. */
TEST_F(change, headroom)
{
	struct xdp_dev *dev = &self->dev;
	int len, full = 3400;

	for (len = LEN; len <= full; len += full - LEN) {
		ASSERT_EQ(0, xdp_adjust(dev, BPF_FUNC_xdp_adjust_head,
					-HEADROOM, XDP_TX));
		ASSERT_EQ(0, xdp_send(dev, len, 1));
		ASSERT_EQ(len + HEADROOM, xdp_read(dev, dev->fd));
		EXPECT_EQ(0, memcmp(dev->in + dev->hdr + HEADROOM,
				    xdp_frame(dev), len));
	}
	ASSERT_EQ(0, xdp_adjust(dev, BPF_FUNC_xdp_adjust_head, -2000, XDP_TX));
	ASSERT_EQ(0, xdp_send(dev, LEN, 1));
	EXPECT_TRUE(xdp_lost(dev));
}

TEST_F(change, tail)
{
	struct xdp_dev *dev = &self->dev;
	const uint8_t zero[20] = { 0 };

	ASSERT_EQ(0, xdp_adjust(dev, BPF_FUNC_xdp_adjust_tail, -10, XDP_PASS));
	ASSERT_EQ(0, xdp_send(dev, LEN, 1));
	EXPECT_TRUE(xdp_received(dev, LEN - 10));
	ASSERT_EQ(0, xdp_adjust(dev, BPF_FUNC_xdp_adjust_tail, 20, XDP_PASS));
	ASSERT_EQ(0, xdp_send(dev, LEN, 2));
	ASSERT_EQ(LEN + 20, packet_recv(dev->sock, dev->in, sizeof(dev->in),
					NULL));
	EXPECT_EQ(0, memcmp(dev->in, xdp_frame(dev), LEN));
	EXPECT_EQ(0, memcmp(dev->in + LEN, zero, sizeof(zero)));
	/* Not into what the kernel keeps behind it. */
	ASSERT_EQ(0, xdp_adjust(dev, BPF_FUNC_xdp_adjust_tail, 4000, XDP_PASS));
	ASSERT_EQ(0, xdp_send(dev, LEN, 3));
	EXPECT_TRUE(xdp_lost(dev));
}

/* The checksum that a virtio-net header asks for is of what was written. */
TEST_F(change, vnet_csum)
{
	struct xdp_dev *dev = &self->dev;
	struct vnet_packet p = {
		.family = AF_INET, .protocol = IPPROTO_UDP, .payload = 50,
		.partial = true,
	};
	struct virtio_net_hdr *hdr = (void *)dev->out;
	int sock;
	size_t len;

	if (!dev->hdr)
		return;
	sock = packet_socket(dev->index, ETH_P_IP);
	ASSERT_LE(0, sock);
	ASSERT_EQ(0, bpf_give_verdict(dev->index, XDP_PASS));
	len = ETH_HLEN + vnet_packet_make(xdp_frame(dev) + ETH_HLEN, &p);
	packet_eth(xdp_frame(dev), dev->mac, dev->mac, ETH_P_IP);
	vnet_hdr_set(hdr, &p, ETH_HLEN, VIRTIO_NET_HDR_GSO_NONE, 0);
	EXPECT_EQ(0, xdp_write(dev, len));
	EXPECT_EQ(len, packet_recv(sock, dev->in, sizeof(dev->in), NULL));
	/* Cut to less than that by the program, it is no packet. */
	ASSERT_EQ(0, xdp_adjust(dev, BPF_FUNC_xdp_adjust_tail,
				-(int)(len - ETH_HLEN - 20), XDP_PASS));
	EXPECT_EQ(-EINVAL, xdp_write(dev, len));
	close(sock);
}

/* The program sees what is to be cut in segments, too. */
TEST_F(change, gso)
{
	struct xdp_dev *dev = &self->dev;
	struct vnet_packet p = {
		.family = AF_INET, .protocol = IPPROTO_TCP, .payload = 3000,
		.flags = VNET_ACK, .partial = true,
	};
	struct virtio_net_hdr *hdr = (void *)dev->out;
	size_t len;
	int sock;

	if (!dev->hdr)
		return;
	sock = packet_socket(dev->index, ETH_P_IP);
	ASSERT_LE(0, sock);
	for (p.payload = 3000; p.payload <= 60000; p.payload += 57000) {
		len = ETH_HLEN + vnet_packet_make(xdp_frame(dev) + ETH_HLEN, &p);
		packet_eth(xdp_frame(dev), dev->mac, dev->mac, ETH_P_IP);
		vnet_hdr_set(hdr, &p, ETH_HLEN, VIRTIO_NET_HDR_GSO_TCPV4, 1000);
		ASSERT_EQ(0, bpf_give_verdict(dev->index, XDP_PASS));
		EXPECT_EQ(0, xdp_write(dev, len));
		EXPECT_EQ(len, packet_recv(sock, dev->in, sizeof(dev->in), NULL));
		ASSERT_EQ(0, bpf_give_verdict(dev->index, XDP_DROP));
		EXPECT_EQ(0, xdp_write(dev, len));
		EXPECT_EQ(-EAGAIN, read_ret(sock, dev->in, sizeof(dev->in)));
		ASSERT_EQ(0, bpf_give_verdict(dev->index, XDP_TX));
		EXPECT_EQ(0, xdp_write(dev, len));
		EXPECT_EQ(-EAGAIN, read_ret(sock, dev->in, sizeof(dev->in)));
		EXPECT_EQ(len, xdp_read(dev, dev->fd));
	}
	close(sock);
}

TEST_HARNESS_MAIN
