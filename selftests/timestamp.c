// SPDX-License-Identifier: GPL-2.0-only
/* What a sender is told of its packets, and all of the carrier. */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <linux/errqueue.h>
#include <linux/ethtool.h>
#include <linux/net_tstamp.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>

#include "bpf.h"
#include "port.h"
#include "rtnl.h"
#include "harness.h"

#define LOCAL		0x0a000001u	/* the kernel's side, 10.0.0.1 */
#define PEER		0x0a000002u	/* ours */

FIXTURE(sender)
{
	struct port port;
	int sock;
};

FIXTURE_VARIANT(sender)
{
	int flags;
};

FIXTURE_VARIANT_ADD(sender, tun)
{
	.flags = TUN_NOPI,
};

FIXTURE_VARIANT_ADD(sender, tap)
{
	.flags = TAP_NOPI,
};

static int udp_socket(void)
{
	struct sockaddr_in peer = {
		.sin_family = AF_INET, .sin_port = htons(9),
		.sin_addr.s_addr = htonl(PEER),
	};
	int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
			  0);

	if (sock < 0 || connect(sock, (struct sockaddr *)&peer, sizeof(peer)))
		return -errno;
	return sock;
}

FIXTURE_SETUP(sender)
{
	ASSERT_EQ(0, ns_enter());
	ASSERT_EQ(0, port_open(&self->port, "ours", variant->flags, 1));
	ASSERT_EQ(0, addr_add4(self->port.index, LOCAL, 24));
	if (variant->flags & IFF_TAP)
		ASSERT_EQ(0, neigh_add4(self->port.index, PEER, port_peer));
	self->sock = udp_socket();
	ASSERT_LE(0, self->sock);
}

FIXTURE_TEARDOWN(sender)
{
	close(self->sock);
	port_close(&self->port);
}

/* What the error queue said of one packet. */
struct answer {
	struct sock_extended_err err;
	struct scm_timestamping stamp;
};

/* -EAGAIN: it has nothing to say. */
static int read_answer(int sock, struct answer *answer)
{
	char control[512];
	struct msghdr msg = {
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg;

	memset(answer, 0, sizeof(*answer));
	if (recvmsg(sock, &msg, MSG_ERRQUEUE) < 0)
		return -errno;
	for (cmsg = CMSG_FIRSTHDR(&msg); cmsg; cmsg = CMSG_NXTHDR(&msg, cmsg)) {
		if (cmsg->cmsg_level == SOL_SOCKET &&
		    cmsg->cmsg_type == SCM_TIMESTAMPING)
			memcpy(&answer->stamp, CMSG_DATA(cmsg),
			       sizeof(answer->stamp));
		else if (cmsg->cmsg_level == SOL_IP &&
			 cmsg->cmsg_type == IP_RECVERR)
			memcpy(&answer->err, CMSG_DATA(cmsg),
			       sizeof(answer->err));
	}
	return 0;
}

static int wait_answer(int sock, struct answer *answer)
{
	int events = wait_events(sock, 0, WAIT_MS);

	if (!(events & POLLERR))
		return events < 0 ? events : -ETIMEDOUT;
	return read_answer(sock, answer);
}

static int want_stamps(int sock)
{
	int flags = SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE |
		    SOF_TIMESTAMPING_OPT_ID | SOF_TIMESTAMPING_OPT_TSONLY;

	return setsockopt(sock, SOL_SOCKET, SO_TIMESTAMPING, &flags,
			  sizeof(flags)) ? -errno : 0;
}

static int64_t stamp_ns(const struct answer *answer)
{
	return answer->stamp.ts[0].tv_sec * 1000000000LL +
	       answer->stamp.ts[0].tv_nsec;
}

static int64_t real_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

/* Of the moment when the driver had it: not when it was read, nor if. */
TEST_F(sender, stamps)
{
	struct answer answer;
	int n;

	ASSERT_EQ(0, want_stamps(self->sock));
	for (n = 0; n < 3; n++) {
		int64_t before = real_ns();

		ASSERT_EQ(4, send(self->sock, "text", 4, 0));
		ASSERT_EQ(0, wait_answer(self->sock, &answer));
		EXPECT_EQ(SO_EE_ORIGIN_TIMESTAMPING, answer.err.ee_origin);
		EXPECT_EQ(SCM_TSTAMP_SND, answer.err.ee_info);
		EXPECT_EQ(n, answer.err.ee_data);
		EXPECT_LE(before, stamp_ns(&answer));
		EXPECT_GE(real_ns(), stamp_ns(&answer));
		EXPECT_EQ(-EAGAIN, read_answer(self->sock, &answer));
	}
	for (n = 0; n < 3; n++) {
		ASSERT_EQ(port_head(&self->port) + 32,
			  read_ret(self->port.fd[0], self->port.in, PORT_ROOM));
	}
	EXPECT_EQ(-EAGAIN, read_answer(self->sock, &answer));
}

TEST_F(sender, no_stamp_unasked)
{
	struct answer answer;

	ASSERT_EQ(4, send(self->sock, "text", 4, 0));
	EXPECT_EQ(-EAGAIN, read_answer(self->sock, &answer));
}

/* A packet that the filter drops was never sent. */
TEST_F(sender, no_stamp_when_filtered)
{
	int prog = bpf_load_constant(BPF_PROG_TYPE_SOCKET_FILTER, 0), none = -1;
	struct answer answer;

	ASSERT_LE(0, prog);
	ASSERT_EQ(0, want_stamps(self->sock));
	ASSERT_EQ(0, tun_ioctl_ptr(self->port.fd[0], TUNSETFILTEREBPF, &prog));
	send(self->sock, "text", 4, 0);
	EXPECT_EQ(1, port_counter(&self->port, tx_dropped));
	EXPECT_EQ(-EAGAIN, read_answer(self->sock, &answer));
	ASSERT_EQ(0, tun_ioctl_ptr(self->port.fd[0], TUNSETFILTEREBPF, &none));
	ASSERT_EQ(4, send(self->sock, "text", 4, 0));
	ASSERT_EQ(0, wait_answer(self->sock, &answer));
	EXPECT_EQ(1, answer.err.ee_data);
	close(prog);
}

/* A sender has its memory back though nobody reads, and may change it. */
TEST_F(sender, zero_copy)
{
	char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	size_t head = port_head(&self->port) + 28;
	struct answer answer;
	int one = 1;

	ASSERT_NE(MAP_FAILED, page);
	memset(page, 'a', 8192);
	ASSERT_EQ(0, link_set_u32(self->port.index, IFLA_MTU, 9000));
	ASSERT_EQ(0, setsockopt(self->sock, SOL_SOCKET, SO_ZEROCOPY, &one,
				sizeof(one)));
	ASSERT_EQ(8000, send(self->sock, page, 8000, MSG_ZEROCOPY));
	ASSERT_EQ(0, wait_answer(self->sock, &answer));
	EXPECT_EQ(SO_EE_ORIGIN_ZEROCOPY, answer.err.ee_origin);
	EXPECT_EQ(0, answer.err.ee_info);
	EXPECT_EQ(0, answer.err.ee_data);
	EXPECT_EQ(SO_EE_CODE_ZEROCOPY_COPIED, answer.err.ee_code);
	memset(page, 'b', 8192);
	ASSERT_EQ(head + 8000, read_ret(self->port.fd[0], self->port.in,
					PORT_ROOM));
	EXPECT_EQ('a', self->port.in[head]);
	EXPECT_EQ('a', self->port.in[head + 7999]);
	/* A sender that is gone is nobody's concern. */
	ASSERT_EQ(8000, send(self->sock, page, 8000, MSG_ZEROCOPY));
	close(self->sock);
	ASSERT_EQ(head + 8000, read_ret(self->port.fd[0], self->port.in,
					PORT_ROOM));
	EXPECT_EQ('b', self->port.in[head]);
	self->sock = udp_socket();
}

/* What the sender's buffer counted is free once the driver has the packet. */
TEST_F(sender, buffer_is_free)
{
	int queued, n;

	for (n = 0; n < 50; n++) {
		ASSERT_EQ(4, send(self->sock, "text", 4, 0));
		ASSERT_EQ(0, ioctl(self->sock, SIOCOUTQ, &queued));
		EXPECT_EQ(0, queued);
	}
}

TEST_F(sender, ethtool_info)
{
	struct ethtool_ts_info info = { .cmd = ETHTOOL_GET_TS_INFO };
	struct ifreq ifr = { .ifr_name = "ours", .ifr_data = (char *)&info };

	ASSERT_EQ(0, ioctl(self->sock, SIOCETHTOOL, &ifr));
	EXPECT_EQ(SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_RX_SOFTWARE |
		  SOF_TIMESTAMPING_SOFTWARE, info.so_timestamping);
	EXPECT_EQ(-1, info.phc_index);
	EXPECT_EQ(0, info.tx_types);
	EXPECT_EQ(0, info.rx_filters);
}

static int set_carrier(struct port *port, int on)
{
	return tun_ioctl_ptr(port->fd[0], TUNSETCARRIER, &on);
}

static int carrier_changes(const char *attr)
{
	char buf[32];
	int err = netdev_attr("ours", attr, buf, sizeof(buf));

	return err < 0 ? err : atoi(buf);
}

/* Each change is told once to those who listen, and counted. */
TEST_F(sender, carrier)
{
	struct port *port = &self->port;
	int n, ups, downs, changes;

	ASSERT_EQ(0, link_wait(port->index, link_is_running, true));
	ups = carrier_changes("carrier_up_count");
	downs = carrier_changes("carrier_down_count");
	changes = carrier_changes("carrier_changes");
	ASSERT_LE(0, ups);
	for (n = 1; n <= 3; n++) {
		ASSERT_EQ(0, set_carrier(port, 0));
		ASSERT_EQ(0, link_wait(port->index, link_is_running, false));
		ASSERT_EQ(0, set_carrier(port, 0));
		ASSERT_EQ(0, set_carrier(port, 5));
		ASSERT_EQ(0, link_wait(port->index, link_is_running, true));
		ASSERT_EQ(0, set_carrier(port, 1));
		EXPECT_EQ(ups + n, carrier_changes("carrier_up_count"));
		EXPECT_EQ(downs + n, carrier_changes("carrier_down_count"));
		EXPECT_EQ(changes + 2 * n, carrier_changes("carrier_changes"));
	}
}

/* Reads notifications until one says that the link is in that state. */
static int told_running(int monitor, int index, bool running)
{
	char buf[16384];

	while (wait_events(monitor, POLLIN, WAIT_MS) == POLLIN) {
		struct nlmsghdr *nlh = (void *)buf;
		int len = recv(monitor, buf, sizeof(buf), 0);

		for (; NLMSG_OK(nlh, len); nlh = NLMSG_NEXT(nlh, len)) {
			struct ifinfomsg *ifi = NLMSG_DATA(nlh);

			if (nlh->nlmsg_type == RTM_NEWLINK &&
			    ifi->ifi_index == index &&
			    !!(ifi->ifi_flags & IFF_LOWER_UP) == running)
				return 0;
		}
	}
	return -ETIMEDOUT;
}

TEST_F(sender, carrier_notified)
{
	struct port *port = &self->port;
	int monitor;

	ASSERT_EQ(0, link_wait(port->index, link_is_running, true));
	monitor = rtnl_monitor();
	ASSERT_LE(0, monitor);
	ASSERT_EQ(0, set_carrier(port, 0));
	EXPECT_EQ(0, told_running(monitor, port->index, false));
	ASSERT_EQ(0, set_carrier(port, 1));
	EXPECT_EQ(0, told_running(monitor, port->index, true));
	close(monitor);
}

/* What comes in does not depend on it; what goes out waits for none. */
TEST_F(sender, without_carrier)
{
	struct port *port = &self->port;

	ASSERT_EQ(0, set_carrier(port, 0));
	ASSERT_EQ(0, link_wait(port->index, link_is_running, false));
	EXPECT_EQ(0, port_carries(port, 0, 100));
	send(self->sock, "text", 4, 0);
	EXPECT_EQ(0, wait_events(port->fd[0], POLLIN, 0));
	ASSERT_EQ(0, set_carrier(port, 1));
	ASSERT_EQ(0, link_wait(port->index, link_is_running, true));
	EXPECT_EQ(4, send(self->sock, "text", 4, 0));
	EXPECT_EQ(POLLIN, wait_events(port->fd[0], POLLIN, WAIT_MS));
}

TEST_HARNESS_MAIN
