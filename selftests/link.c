// SPDX-License-Identifier: GPL-2.0-only
/* The device as rtnetlink, sysfs, procfs and uevents show it. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <linux/if_arp.h>
#include <linux/netlink.h>
#include <linux/sockios.h>

#include "rtnl.h"
#include "tun_test.h"
#include "harness.h"

FIXTURE(link)
{
	int fd, index;
};

FIXTURE_VARIANT(link)
{
	int flags;
};

FIXTURE_VARIANT_ADD(link, tun)
{
	.flags = IFF_TUN,
};

FIXTURE_VARIANT_ADD(link, tun_nopi)
{
	.flags = IFF_TUN | IFF_NO_PI,
};

FIXTURE_VARIANT_ADD(link, tap_multi)
{
	.flags = IFF_TAP | IFF_NO_PI | IFF_MULTI_QUEUE,
};

FIXTURE_SETUP(link)
{
	ASSERT_EQ(0, ns_enter());
	self->fd = tun_create("ours", variant->flags);
	ASSERT_LE(0, self->fd);
	self->index = tun_index(self->fd);
	ASSERT_LT(0, self->index);
}

FIXTURE_TEARDOWN(link)
{
	close(self->fd);
}

TEST_F(link, of_kind)
{
	EXPECT_EQ(1, link_count_kind(tun_kind(), "ours"));
	EXPECT_EQ(1, link_count_kind(tun_kind(), NULL));
	close(self->fd);
	self->fd = -1;
	EXPECT_EQ(0, link_count_kind(tun_kind(), NULL));
}

TEST_F(link, attributes)
{
	bool multi = variant->flags & IFF_MULTI_QUEUE;
	struct link_info info;

	ASSERT_EQ(0, link_get(self->index, &info));
	EXPECT_STREQ("ours", info.name);
	EXPECT_STREQ(tun_kind(), info.kind);
	EXPECT_EQ(variant->flags & TUN_TYPE_MASK, info.tun_type);
	EXPECT_EQ(!(variant->flags & IFF_NO_PI), info.pi);
	EXPECT_EQ(0, info.vnet_hdr);
	EXPECT_EQ(0, info.persist);
	EXPECT_EQ(multi, info.multi_queue);
	EXPECT_EQ(multi ? 1 : -1, info.queues);
	EXPECT_EQ(multi ? 0 : -1, info.disabled);
	EXPECT_EQ(-1, info.owner);
	EXPECT_EQ(-1, info.group);
	EXPECT_EQ(multi ? tun_max_queues() : 1, info.num_tx_queues);

	ASSERT_EQ(0, tun_ioctl(self->fd, TUNSETPERSIST, 1));
	ASSERT_EQ(0, tun_ioctl(self->fd, TUNSETOWNER, 1));
	ASSERT_EQ(0, tun_ioctl(self->fd, TUNSETGROUP, 2));
	ASSERT_EQ(0, link_get(self->index, &info));
	EXPECT_EQ(1, info.persist);
	EXPECT_EQ(1, info.owner);
	EXPECT_EQ(2, info.group);
	ASSERT_EQ(0, tun_ioctl(self->fd, TUNSETPERSIST, 0));
}

TEST_F(link, new_device)
{
	bool tap = variant->flags & IFF_TAP;
	struct link_info info;

	ASSERT_EQ(0, link_get(self->index, &info));
	EXPECT_EQ(tap ? ARPHRD_ETHER : ARPHRD_NONE, info.type);
	EXPECT_EQ(tap ? 6 : 0, info.addr_len);
	EXPECT_EQ(1500, info.mtu);
	EXPECT_EQ(tap ? 1000 : TUN_READQ_SIZE, info.txqlen);
	EXPECT_EQ(tap ? IFF_BROADCAST | IFF_MULTICAST :
		  IFF_POINTOPOINT | IFF_NOARP | IFF_MULTICAST, info.flags);
	if (tap) {
		/* Random, local, and no group address. */
		EXPECT_EQ(2, info.addr[0] & 3);
	}
}

TEST_F(link, create_refused)
{
	EXPECT_EQ(-EOPNOTSUPP, link_create(tun_kind(), "other"));
	EXPECT_EQ(-ENODEV, link_index("other"));
}

TEST_F(link, mtu_limits)
{
	int max = variant->flags & IFF_TAP ? 65521 : 65535;
	struct link_info info;

	ASSERT_EQ(0, link_get(self->index, &info));
	EXPECT_EQ(68, info.min_mtu);
	EXPECT_EQ(max, info.max_mtu);
	EXPECT_EQ(0, link_set_u32(self->index, IFLA_MTU, 68));
	EXPECT_EQ(-EINVAL, link_set_u32(self->index, IFLA_MTU, 67));
	EXPECT_EQ(-EINVAL, link_set_u32(self->index, IFLA_MTU, 0));
	EXPECT_EQ(0, link_set_u32(self->index, IFLA_MTU, max));
	EXPECT_EQ(-EINVAL, link_set_u32(self->index, IFLA_MTU, max + 1));
	ASSERT_EQ(0, link_get(self->index, &info));
	EXPECT_EQ(max, info.mtu);
}

TEST_F(link, address)
{
	static const uint8_t mine[6] = { 2, 1, 2, 3, 4, 5 };
	static const uint8_t live[6] = { 2, 1, 2, 3, 4, 6 };
	static const uint8_t multicast[6] = { 1, 1, 2, 3, 4, 5 };
	static const uint8_t zero[6];
	struct link_info info;

	if (!(variant->flags & IFF_TAP)) {
		EXPECT_GT(0, link_set_address(self->index, mine, 6));
		ASSERT_EQ(0, link_get(self->index, &info));
		EXPECT_EQ(0, info.addr_len);
		return;
	}
	ASSERT_EQ(0, link_set_address(self->index, mine, 6));
	EXPECT_EQ(-EADDRNOTAVAIL,
		  link_set_address(self->index, multicast, 6));
	EXPECT_EQ(-EADDRNOTAVAIL, link_set_address(self->index, zero, 6));
	ASSERT_EQ(0, link_get(self->index, &info));
	EXPECT_EQ(0, memcmp(mine, info.addr, 6));
	ASSERT_EQ(0, link_up(self->index, true));
	ASSERT_EQ(0, link_set_address(self->index, live, 6));
	ASSERT_EQ(0, link_get(self->index, &info));
	EXPECT_EQ(0, memcmp(live, info.addr, 6));
}

/* A TAP lets multicast addresses be listed, and receives others all the same. */
TEST_F(link, multicast_list)
{
	static const uint8_t listed[6] = { 1, 0, 0x5e, 0, 0, 9 };
	static const uint8_t other[6] = { 1, 0, 0x5e, 0, 0, 10 };
	static const uint8_t sender[6] = { 2, 0, 0, 0, 0, 2 };
	bool tap = variant->flags & IFF_TAP;
	int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), heard, proto;
	struct ifreq ifr = { .ifr_name = "ours" };
	uint8_t frame[64] = { 0 };

	ASSERT_LE(0, sock);
	memcpy(ifr.ifr_hwaddr.sa_data, listed, sizeof(listed));
	EXPECT_EQ(tap ? 0 : -EINVAL, tun_ioctl_ptr(sock, SIOCADDMULTI, &ifr));
	EXPECT_EQ(tap ? 0 : -EINVAL, tun_ioctl_ptr(sock, SIOCDELMULTI, &ifr));
	EXPECT_EQ(tap ? -ENOENT : -EINVAL,
		  tun_ioctl_ptr(sock, SIOCDELMULTI, &ifr));
	close(sock);
	if (!tap)
		return;
	ASSERT_EQ(0, link_up(self->index, true));
	heard = packet_socket(self->index, PROTO_TEST);
	ASSERT_LE(0, heard);
	packet_eth(frame, other, sender, PROTO_TEST);
	ASSERT_EQ(sizeof(frame), write_ret(self->fd, frame, sizeof(frame)));
	ASSERT_EQ(POLLIN, wait_events(heard, POLLIN, WAIT_MS));
	EXPECT_LT(0, packet_recv(heard, frame, sizeof(frame), &proto));
	EXPECT_EQ(PROTO_TEST, proto);
	close(heard);
}

/* The carrier is the program's: on while it has the device open. */
TEST_F(link, carrier_of_persistent)
{
	struct link_info info;

	ASSERT_EQ(0, link_up(self->index, true));
	ASSERT_EQ(0, link_wait(self->index, link_is_running, true));
	ASSERT_EQ(0, tun_ioctl(self->fd, TUNSETPERSIST, 1));
	close(self->fd);
	ASSERT_EQ(0, link_get(self->index, &info));
	EXPECT_EQ(0, info.carrier);
	EXPECT_EQ(0, link_wait(self->index, link_is_running, false));
	EXPECT_EQ(-EPERM, link_set_u8(self->index, IFLA_CARRIER, 1));

	self->fd = tun_create("ours", variant->flags);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, link_get(self->index, &info));
	EXPECT_EQ(1, info.carrier);
	EXPECT_EQ(0, link_wait(self->index, link_is_running, true));
	EXPECT_EQ(0, link_set_u8(self->index, IFLA_CARRIER, 0));
	EXPECT_EQ(0, link_wait(self->index, link_is_running, false));
	EXPECT_EQ(0, link_set_u8(self->index, IFLA_CARRIER, 1));
	EXPECT_EQ(0, link_wait(self->index, link_is_running, true));
	EXPECT_EQ(0, tun_ioctl(self->fd, TUNSETPERSIST, 0));
}

TEST_F(link, sysfs)
{
	char buf[64], flags[16];

	ASSERT_LT(0, netdev_attr("ours", "tun_flags", buf, sizeof(buf)));
	snprintf(flags, sizeof(flags), "0x%x", variant->flags);
	EXPECT_STREQ(flags, buf);
	ASSERT_LT(0, netdev_attr("ours", "owner", buf, sizeof(buf)));
	EXPECT_STREQ("-1", buf);
	ASSERT_LT(0, netdev_attr("ours", "group", buf, sizeof(buf)));
	EXPECT_STREQ("-1", buf);

	ASSERT_EQ(0, tun_ioctl(self->fd, TUNSETOWNER, 1234));
	ASSERT_EQ(0, tun_ioctl(self->fd, TUNSETGROUP, 4321));
	ASSERT_EQ(0, tun_ioctl(self->fd, TUNSETPERSIST, 1));
	ASSERT_LT(0, netdev_attr("ours", "owner", buf, sizeof(buf)));
	EXPECT_STREQ("1234", buf);
	ASSERT_LT(0, netdev_attr("ours", "group", buf, sizeof(buf)));
	EXPECT_STREQ("4321", buf);
	ASSERT_LT(0, netdev_attr("ours", "tun_flags", buf, sizeof(buf)));
	snprintf(flags, sizeof(flags), "0x%x", variant->flags | IFF_PERSIST);
	EXPECT_STREQ(flags, buf);
	EXPECT_EQ(0, tun_ioctl(self->fd, TUNSETPERSIST, 0));
}

static int fdinfo_iff(int fd, char *name, size_t size)
{
	char path[64], buf[1024], *line;
	int len;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	len = read_file(path, buf, sizeof(buf));
	if (len < 0)
		return len;
	line = strstr(buf, "\niff:\t");
	if (!line)
		return -ENOENT;
	line += strlen("\niff:\t");
	snprintf(name, size, "%.*s", (int)strcspn(line, "\n"), line);
	return 0;
}

TEST_F(link, fdinfo)
{
	int other = tun_open(0);
	char name[32];

	ASSERT_LE(0, other);
	ASSERT_EQ(0, fdinfo_iff(other, name, sizeof(name)));
	EXPECT_STREQ("", name);
	ASSERT_EQ(0, fdinfo_iff(self->fd, name, sizeof(name)));
	EXPECT_STREQ("ours", name);
	ASSERT_EQ(0, link_set_name(self->index, "renamed"));
	ASSERT_EQ(0, fdinfo_iff(self->fd, name, sizeof(name)));
	EXPECT_STREQ("renamed", name);
	ASSERT_EQ(0, link_delete(self->index));
	ASSERT_EQ(0, fdinfo_iff(self->fd, name, sizeof(name)));
	EXPECT_STREQ("", name);
	close(other);
}

static int uevent_socket(void)
{
	struct sockaddr_nl addr = { .nl_family = AF_NETLINK, .nl_groups = 1 };
	int sock = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC,
			  NETLINK_KOBJECT_UEVENT);

	if (sock < 0 || bind(sock, (struct sockaddr *)&addr, sizeof(addr)))
		return -errno;
	return sock;
}

static int uevent_wait(int sock, const char *text)
{
	char buf[4096];

	while (wait_events(sock, POLLIN, WAIT_MS) > 0) {
		ssize_t len = recv(sock, buf, sizeof(buf) - 1, 0);

		if (len < 0)
			return -errno;
		buf[len] = '\0';
		if (!strcmp(buf, text))
			return 0;
	}
	return -ETIMEDOUT;
}

TEST_F(link, uevents)
{
	int sock = uevent_socket(), fd;

	ASSERT_LE(0, sock);
	fd = tun_create("other", variant->flags);
	ASSERT_LE(0, fd);
	EXPECT_EQ(0, uevent_wait(sock, "add@/devices/virtual/net/other"));
	close(fd);
	EXPECT_EQ(0, uevent_wait(sock, "remove@/devices/virtual/net/other"));
	close(sock);
}

static bool has_queues(const struct link_info *info, int64_t queues)
{
	return info->queues == queues;
}

/* Does the monitor hear of the link? Leaves nothing behind to read. */
static bool told(int sock)
{
	char buf[8192];
	bool any = wait_events(sock, POLLIN, WAIT_MS) == POLLIN;

	while (recv(sock, buf, sizeof(buf), MSG_DONTWAIT) > 0)
		;
	return any;
}

/* A change of owner or of queues is told to those who listen, when up. */
TEST_F(link, notifications)
{
	int sock, second;

	ASSERT_EQ(0, link_up(self->index, true));
	ASSERT_EQ(0, link_wait(self->index, link_is_running, true));
	sock = rtnl_monitor();
	ASSERT_LE(0, sock);
	ASSERT_EQ(0, tun_ioctl(self->fd, TUNSETOWNER, 1));
	EXPECT_TRUE(told(sock));
	ASSERT_EQ(0, tun_ioctl(self->fd, TUNSETGROUP, 1));
	EXPECT_TRUE(told(sock));
	ASSERT_EQ(0, tun_ioctl(self->fd, TUNSETPERSIST, 1));
	EXPECT_TRUE(told(sock));
	ASSERT_EQ(0, tun_ioctl(self->fd, TUNSETPERSIST, 0));
	EXPECT_TRUE(told(sock));
	second = tun_create("ours", variant->flags);
	if (!(variant->flags & IFF_MULTI_QUEUE)) {
		EXPECT_EQ(-EBUSY, second);
		close(sock);
		return;
	}
	ASSERT_LE(0, second);
	EXPECT_TRUE(told(sock));
	ASSERT_EQ(0, tun_queue(second, IFF_DETACH_QUEUE));
	EXPECT_TRUE(told(sock));
	EXPECT_EQ(0, link_wait(self->index, has_queues, 1));
	ASSERT_EQ(0, tun_queue(second, IFF_ATTACH_QUEUE));
	EXPECT_TRUE(told(sock));
	close(second);
	EXPECT_TRUE(told(sock));
	close(sock);
}

/* What the listeners have been told by now: the stack tells at once. */
static bool told_already(int sock)
{
	return wait_events(sock, POLLIN, 0) == POLLIN && told(sock);
}

/* Offloads are told when they change; what stays as it was is not. */
TEST_F(link, notifications_of_settings)
{
	int sock, on = 1;

	ASSERT_EQ(0, link_up(self->index, true));
	ASSERT_EQ(0, link_wait(self->index, link_is_running, true));
	ASSERT_EQ(0, tun_ioctl(self->fd, TUNSETPERSIST, 1));
	sock = rtnl_monitor();
	ASSERT_LE(0, sock);
	ASSERT_EQ(0, tun_ioctl(self->fd, TUNSETPERSIST, 1));
	EXPECT_FALSE(told_already(sock));
	ASSERT_EQ(0, tun_ioctl(self->fd, TUNSETOFFLOAD, TUN_F_CSUM));
	EXPECT_TRUE(told_already(sock));
	ASSERT_EQ(0, tun_ioctl(self->fd, TUNSETOFFLOAD, TUN_F_CSUM));
	EXPECT_FALSE(told_already(sock));
	EXPECT_EQ(-EINVAL, tun_ioctl(self->fd, TUNSETOFFLOAD, TUN_F_TSO4));
	EXPECT_FALSE(told_already(sock));
	ASSERT_EQ(0, tun_ioctl(self->fd, TUNSETDEBUG, 1));
	ASSERT_EQ(0, tun_ioctl(self->fd, TUNSETNOCSUM, 1));
	ASSERT_EQ(0, tun_ioctl_ptr(self->fd, TUNSETCARRIER, &on));
	EXPECT_EQ(-EINVAL, tun_ioctl(self->fd, TUNSETOWNER, -1));
	EXPECT_EQ(-EBUSY, tun_ioctl(self->fd, TUNSETLINK, ARPHRD_PPP));
	EXPECT_FALSE(told_already(sock));
	ASSERT_EQ(0, tun_ioctl(self->fd, TUNSETPERSIST, 0));
	close(sock);
}

/* A device that no queue is left of is still shown, and counts them. */
TEST_F(link, attributes_without_queue)
{
	bool multi = variant->flags & IFF_MULTI_QUEUE;
	struct link_info info;
	char buf[16], flags[16];

	ASSERT_EQ(0, tun_ioctl(self->fd, TUNSETPERSIST, 1));
	close(self->fd);
	ASSERT_EQ(0, link_get(self->index, &info));
	EXPECT_EQ(1, info.persist);
	EXPECT_EQ(variant->flags & TUN_TYPE_MASK, info.tun_type);
	EXPECT_EQ(!(variant->flags & IFF_NO_PI), info.pi);
	EXPECT_EQ(multi ? 0 : -1, info.queues);
	EXPECT_EQ(multi ? 0 : -1, info.disabled);
	ASSERT_LT(0, netdev_attr("ours", "tun_flags", buf, sizeof(buf)));
	snprintf(flags, sizeof(flags), "0x%x", variant->flags | IFF_PERSIST);
	EXPECT_STREQ(flags, buf);

	/* Who attaches next says anew whether there are packet headers. */
	self->fd = tun_create("ours", variant->flags ^ IFF_NO_PI);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, link_get(self->index, &info));
	EXPECT_EQ(!!(variant->flags & IFF_NO_PI), info.pi);
	EXPECT_EQ(1, info.persist);
	EXPECT_EQ(multi ? 1 : -1, info.queues);
	ASSERT_EQ(0, tun_ioctl(self->fd, TUNSETPERSIST, 0));
}

TEST_F(link, sysfs_is_read_only)
{
	static const char *const attrs[] = { "tun_flags", "owner", "group" };
	char path[64];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(attrs); i++) {
		struct stat st;

		snprintf(path, sizeof(path), "/sys/class/net/ours/%s",
			 attrs[i]);
		ASSERT_EQ(0, stat(path, &st));
		EXPECT_EQ(S_IFREG | 0444, st.st_mode);
	}
}

TEST_HARNESS_MAIN
