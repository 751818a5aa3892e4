// SPDX-License-Identifier: GPL-2.0-only
/* The ioctls that a queue has in common with sockets, and TUNGETDEVNETNS. */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <linux/capability.h>
#include <linux/if_arp.h>
#include <linux/sockios.h>

#include "rtnl.h"
#include "tun_test.h"
#include "harness.h"

#define BAD_POINTER	((void *)8)

FIXTURE(sockios)
{
	int fd, index;
};

FIXTURE_VARIANT(sockios)
{
	int type;
};

FIXTURE_VARIANT_ADD(sockios, tun)
{
	.type = IFF_TUN,
};

FIXTURE_VARIANT_ADD(sockios, tap)
{
	.type = IFF_TAP,
};

FIXTURE_SETUP(sockios)
{
	ASSERT_EQ(0, ns_enter());
	self->fd = tun_create("ours", variant->type | IFF_MULTI_QUEUE);
	ASSERT_LE(0, self->fd);
	self->index = tun_index(self->fd);
	ASSERT_LT(0, self->index);
}

FIXTURE_TEARDOWN(sockios)
{
	close(self->fd);
}

/* The queue's device, whatever the name; what the request held is kept. */
TEST_F(sockios, get_address)
{
	bool tap = variant->type == IFF_TAP;
	struct ifreq ifr;
	struct link_info info;

	memset(&ifr, 0x5a, sizeof(ifr));
	ASSERT_EQ(0, tun_ioctl_ptr(self->fd, SIOCGIFHWADDR, &ifr));
	ASSERT_EQ(0, link_get(self->index, &info));
	EXPECT_EQ(tap ? ARPHRD_ETHER : ARPHRD_NONE, ifr.ifr_hwaddr.sa_family);
	EXPECT_EQ(0, memcmp(ifr.ifr_hwaddr.sa_data, info.addr, tap ? 6 : 0));
	EXPECT_EQ(0x5a, ifr.ifr_name[0]);
	EXPECT_EQ(0x5a, ifr.ifr_name[IFNAMSIZ - 1]);
	EXPECT_EQ(0x5a, ((char *)&ifr)[sizeof(ifr) - 1]);
}

/* A type without addresses has zeroes; one with long ones, their beginning. */
TEST_F(sockios, get_address_of_type)
{
	static const struct {
		int type, zeroes;
	} types[] = {
		{ ARPHRD_PPP, 14 }, { ARPHRD_ETHER, 0 }, { ARPHRD_TUNNEL6, 0 },
	};
	static const char none[14];
	struct link_info info;
	struct ifreq ifr;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(types); i++) {
		int n;

		memset(&ifr, 0x5a, sizeof(ifr));
		ASSERT_EQ(0, tun_ioctl(self->fd, TUNSETLINK, types[i].type));
		ASSERT_EQ(0, tun_ioctl_ptr(self->fd, SIOCGIFHWADDR, &ifr));
		ASSERT_EQ(0, link_get(self->index, &info));
		EXPECT_EQ(types[i].type, ifr.ifr_hwaddr.sa_family);
		n = info.addr_len < 14 ? info.addr_len : 14;
		EXPECT_EQ(0, memcmp(info.addr, ifr.ifr_hwaddr.sa_data, n));
		EXPECT_EQ(0, memcmp(none, ifr.ifr_hwaddr.sa_data,
				    types[i].zeroes));
	}
}

static int set_address(int fd, int family, const uint8_t addr[6])
{
	struct ifreq ifr = { .ifr_hwaddr.sa_family = family };

	memcpy(ifr.ifr_hwaddr.sa_data, addr, 6);
	return tun_ioctl_ptr(fd, SIOCSIFHWADDR, &ifr);
}

TEST_F(sockios, set_address)
{
	static const uint8_t mine[6] = { 2, 1, 2, 3, 4, 5 };
	static const uint8_t live[6] = { 2, 1, 2, 3, 4, 6 };
	static const uint8_t multicast[6] = { 1, 1, 2, 3, 4, 5 };
	static const uint8_t zero[6];
	struct link_info info;

	if (variant->type != IFF_TAP) {
		EXPECT_EQ(-EOPNOTSUPP,
			  set_address(self->fd, ARPHRD_NONE, mine));
		return;
	}
	ASSERT_EQ(0, set_address(self->fd, ARPHRD_ETHER, mine));
	EXPECT_EQ(-EINVAL, set_address(self->fd, ARPHRD_NONE, live));
	EXPECT_EQ(-EADDRNOTAVAIL,
		  set_address(self->fd, ARPHRD_ETHER, multicast));
	EXPECT_EQ(-EADDRNOTAVAIL, set_address(self->fd, ARPHRD_ETHER, zero));
	ASSERT_EQ(0, link_get(self->index, &info));
	EXPECT_EQ(0, memcmp(mine, info.addr, 6));
	ASSERT_EQ(0, link_up(self->index, true));
	ASSERT_EQ(0, set_address(self->fd, ARPHRD_ETHER, live));
	ASSERT_EQ(0, link_get(self->index, &info));
	EXPECT_EQ(0, memcmp(live, info.addr, 6));
	/* The owner of a queue needs no capability for it. */
	ASSERT_EQ(0, setresuid(-1, 1, -1));
	EXPECT_EQ(0, set_address(self->fd, ARPHRD_ETHER, mine));
	ASSERT_EQ(0, setresuid(-1, 0, -1));
}

TEST_F(sockios, set_address_is_told)
{
	static const uint8_t mine[6] = { 2, 1, 2, 3, 4, 5 };
	int sock;

	if (variant->type != IFF_TAP)
		SKIP(return, "no address");
	ASSERT_EQ(0, link_up(self->index, true));
	ASSERT_EQ(0, link_wait(self->index, link_is_running, true));
	sock = rtnl_monitor();
	ASSERT_LE(0, sock);
	ASSERT_EQ(0, set_address(self->fd, ARPHRD_ETHER, mine));
	EXPECT_EQ(POLLIN, wait_events(sock, POLLIN, WAIT_MS));
	close(sock);
}

TEST_F(sockios, arguments)
{
	static const unsigned long cmds[] = {
		SIOCGIFHWADDR, SIOCSIFHWADDR, SIOCGIFNAME, SIOCGIFINDEX,
		SIOCSIFADDR, 0x89fe,
	};
	struct ifreq ifr = { .ifr_name = "lo" };
	int fd = tun_open(0);
	size_t i;

	ASSERT_LE(0, fd);
	for (i = 0; i < ARRAY_SIZE(cmds); i++) {
		EXPECT_EQ(-EFAULT, tun_ioctl_ptr(self->fd, cmds[i],
						 BAD_POINTER));
		/* The request is read before a device is looked for. */
		EXPECT_EQ(-EFAULT, tun_ioctl_ptr(fd, cmds[i], BAD_POINTER));
		EXPECT_EQ(-EBADFD, tun_ioctl_ptr(fd, cmds[i], &ifr));
		if (i >= 2)
			EXPECT_EQ(-EINVAL, tun_ioctl_ptr(self->fd, cmds[i],
							 &ifr));
	}
	close(fd);
}

TEST_F(sockios, of_detached_queue)
{
	struct ifreq ifr;

	ASSERT_EQ(0, tun_queue(self->fd, IFF_DETACH_QUEUE));
	EXPECT_EQ(0, tun_ioctl_ptr(self->fd, SIOCGIFHWADDR, &ifr));
	ASSERT_EQ(0, link_delete(self->index));
	EXPECT_EQ(-EBADFD, tun_ioctl_ptr(self->fd, SIOCGIFHWADDR, &ifr));
}

#ifdef __x86_64__
TEST_F(sockios, compat)
{
	void *low = mmap(NULL, 8192, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	struct ifreq *ifr = low + 4096 - COMPAT_IFREQ;
	struct link_info info;

	ASSERT_NE(MAP_FAILED, low);
	ASSERT_EQ(0, mprotect(low + 4096, 4096, PROT_NONE));
	ASSERT_EQ(0, tun_ioctl_compat(self->fd, SIOCGIFHWADDR,
				      (uintptr_t)ifr));
	if (variant->type != IFF_TAP)
		return;
	ifr->ifr_hwaddr.sa_data[5] ^= 1;
	ASSERT_EQ(0, tun_ioctl_compat(self->fd, SIOCSIFHWADDR,
				      (uintptr_t)ifr));
	ASSERT_EQ(0, link_get(self->index, &info));
	EXPECT_EQ(0, memcmp(ifr->ifr_hwaddr.sa_data, info.addr, 6));
}
#endif

/* The namespace that fd stands for, by its inode. */
static ino_t ns_of(int fd)
{
	struct stat st;
	int err = fstat(fd, &st);

	close(fd);
	return err ? 0 : st.st_ino;
}

static ino_t ns_own(void)
{
	return ns_of(ns_this());
}

/* The file's namespace stays, the device's moves with it. */
TEST_F(sockios, namespaces)
{
	ino_t here = ns_own(), there;
	int child;

	EXPECT_EQ(here, ns_of(tun_ioctl(self->fd, SIOCGSKNS, 0)));
	EXPECT_EQ(here, ns_of(tun_ioctl(self->fd, TUNGETDEVNETNS, 0)));
	child = ns_beside();
	ASSERT_LE(0, child);
	ASSERT_EQ(0, link_set_ns(self->index, child));
	EXPECT_EQ(here, ns_of(tun_ioctl(self->fd, SIOCGSKNS, 0)));
	there = ns_of(tun_ioctl(self->fd, TUNGETDEVNETNS, 0));
	EXPECT_EQ(ns_of(child), there);
}

static int drop_net_admin(void)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &head, data))
		return -errno;
	data[0].effective &= ~(1U << CAP_NET_ADMIN);
	return syscall(SYS_capset, &head, data) ? -errno : 0;
}

TEST_F(sockios, namespaces_permission)
{
	int fd = tun_open(0);

	ASSERT_LE(0, fd);
	EXPECT_EQ(-EBADFD, tun_ioctl(fd, TUNGETDEVNETNS, 0));
	EXPECT_EQ(ns_own(), ns_of(tun_ioctl(fd, SIOCGSKNS, 0)));
	ASSERT_EQ(0, drop_net_admin());
	EXPECT_EQ(-EPERM, tun_ioctl(fd, SIOCGSKNS, 0));
	EXPECT_EQ(-EPERM, tun_ioctl(self->fd, SIOCGSKNS, 0));
	EXPECT_EQ(-EBADFD, tun_ioctl(fd, TUNGETDEVNETNS, 0));
	EXPECT_EQ(-EPERM, tun_ioctl(self->fd, TUNGETDEVNETNS, 0));
	close(fd);
}

TEST_HARNESS_MAIN
