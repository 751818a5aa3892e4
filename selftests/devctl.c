// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a file says and sets of its device beyond a queue's needs: the link
 * address, the network namespaces, and two ioctls that are there for show.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <linux/if_arp.h>
#include <linux/if_ether.h>
#include <linux/nsfs.h>
#include <linux/sockios.h>

#include "rtnl.h"
#include "tun_test.h"
#include "harness.h"

#define BAD_POINTER	((void *)8)
#define NOBODY		65534

static const uint8_t good_mac[6] = { 2, 0, 0, 0, 0, 7 };
static const uint8_t multicast_mac[6] = { 3, 0, 0, 0, 0, 7 };
static const uint8_t no_mac[6];

#define SELF	FIXTURE_DATA(devctl)

FIXTURE(devctl)
{
	int fd, index, unattached;
	bool tap;
	uint8_t mac[6];
};

FIXTURE_VARIANT(devctl)
{
	int flags;
};

FIXTURE_VARIANT_ADD(devctl, tun)
{
	.flags = TUN_NOPI,
};

FIXTURE_VARIANT_ADD(devctl, tap)
{
	.flags = TAP_NOPI,
};

FIXTURE_VARIANT_ADD(devctl, tap_multi)
{
	.flags = TAP_NOPI | IFF_MULTI_QUEUE,
};

FIXTURE_SETUP(devctl)
{
	struct link_info info;

	ASSERT_EQ(0, ns_enter());
	self->fd = tun_create("ours", variant->flags);
	self->unattached = tun_open(O_NONBLOCK);
	ASSERT_LE(0, self->fd);
	ASSERT_LE(0, self->unattached);
	self->index = tun_index(self->fd);
	self->tap = variant->flags & IFF_TAP;
	ASSERT_EQ(0, link_get(self->index, &info));
	memcpy(self->mac, info.addr, sizeof(self->mac));
}

FIXTURE_TEARDOWN(devctl)
{
	close(self->unattached);
	close(self->fd);
}

static bool has_mac(SELF *self, const uint8_t mac[6])
{
	struct link_info info;

	return !link_get(self->index, &info) && info.addr_len == ETH_ALEN &&
	       !memcmp(info.addr, mac, ETH_ALEN);
}

static int set_mac(int fd, int family, const uint8_t mac[6])
{
	struct ifreq ifr = { .ifr_name = "lo" };

	ifr.ifr_hwaddr.sa_family = family;
	memcpy(ifr.ifr_hwaddr.sa_data, mac, ETH_ALEN);
	return tun_ioctl_ptr(fd, SIOCSIFHWADDR, &ifr);
}

/* The file's device, whatever the name says. */
TEST_F(devctl, get_address)
{
	struct ifreq ifr = { .ifr_name = "lo" };

	ASSERT_EQ(0, tun_ioctl_ptr(self->fd, SIOCGIFHWADDR, &ifr));
	EXPECT_EQ(self->tap ? ARPHRD_ETHER : ARPHRD_NONE,
		  ifr.ifr_hwaddr.sa_family);
	EXPECT_EQ(0, memcmp(ifr.ifr_hwaddr.sa_data, self->tap ? self->mac :
			    no_mac, ETH_ALEN));
	EXPECT_STREQ("lo", ifr.ifr_name);
	EXPECT_EQ(-EFAULT, tun_ioctl_ptr(self->fd, SIOCGIFHWADDR,
					 BAD_POINTER));
}

TEST_F(devctl, set_address)
{
	EXPECT_EQ(self->tap ? 0 : -EOPNOTSUPP,
		  set_mac(self->fd, ARPHRD_ETHER, good_mac));
	EXPECT_EQ(self->tap, has_mac(self, good_mac));
	/* Up or down. */
	ASSERT_EQ(0, link_up(self->index, true));
	EXPECT_EQ(self->tap ? 0 : -EOPNOTSUPP,
		  set_mac(self->fd, ARPHRD_ETHER, self->mac));
	EXPECT_EQ(self->tap, has_mac(self, self->mac));
	EXPECT_EQ(-EFAULT, tun_ioctl_ptr(self->fd, SIOCSIFHWADDR,
					 BAD_POINTER));
}

TEST_F(devctl, set_address_bad)
{
	int bad_family = self->tap ? -EINVAL : -EOPNOTSUPP;
	int bad_mac = self->tap ? -EADDRNOTAVAIL : -EOPNOTSUPP;

	EXPECT_EQ(bad_family, set_mac(self->fd, ARPHRD_NONE, good_mac));
	EXPECT_EQ(bad_family, set_mac(self->fd, 0, good_mac));
	EXPECT_EQ(bad_family, set_mac(self->fd, 0xffff, multicast_mac));
	EXPECT_EQ(bad_mac, set_mac(self->fd, ARPHRD_ETHER, multicast_mac));
	EXPECT_EQ(bad_mac, set_mac(self->fd, ARPHRD_ETHER, no_mac));
	EXPECT_EQ(self->tap, has_mac(self, self->mac));
}

/* Who may use the device may set its address. */
TEST_F(devctl, set_address_unprivileged)
{
	ASSERT_EQ(0, setuid(NOBODY));
	EXPECT_EQ(self->tap ? 0 : -EOPNOTSUPP,
		  set_mac(self->fd, ARPHRD_ETHER, good_mac));
	EXPECT_EQ(self->tap, has_mac(self, good_mac));
}

/* The address's length goes with the type; of longer ones this is the start. */
TEST_F(devctl, address_of_another_type)
{
	static const int types[] = {
		ARPHRD_TUNNEL, ARPHRD_TUNNEL6, ARPHRD_PPP, ARPHRD_ETHER,
	};
	struct ifreq ifr;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(types); i++) {
		ASSERT_EQ(0, tun_ioctl(self->fd, TUNSETLINK, types[i]));
		memset(&ifr, 0, sizeof(ifr));
		ASSERT_EQ(0, tun_ioctl_ptr(self->fd, SIOCGIFHWADDR, &ifr));
		EXPECT_EQ(types[i], ifr.ifr_hwaddr.sa_family);
		EXPECT_EQ(self->tap ? 0 : -EOPNOTSUPP,
			  set_mac(self->fd, types[i], good_mac));
		if (self->tap && types[i] != ARPHRD_ETHER)
			EXPECT_EQ(-EINVAL, set_mac(self->fd, ARPHRD_ETHER,
						   good_mac));
	}
}

static ino_t inode_of(int fd)
{
	struct stat st;

	return fstat(fd, &st) ? 0 : st.st_ino;
}

TEST_F(devctl, namespaces)
{
	static const unsigned long cmds[] = { TUNGETDEVNETNS, SIOCGSKNS };
	ino_t ours = inode_of(ns_this());
	size_t i;
	int ns;

	for (i = 0; i < ARRAY_SIZE(cmds); i++) {
		/* Their argument is not one. */
		ns = tun_ioctl_ptr(self->fd, cmds[i], BAD_POINTER);
		ASSERT_LT(0, ns);
		EXPECT_EQ(CLONE_NEWNET, ioctl(ns, NS_GET_NSTYPE));
		EXPECT_EQ(ours, inode_of(ns));
		EXPECT_EQ(FD_CLOEXEC, fcntl(ns, F_GETFD));
		close(ns);
	}
}

/* The device's goes with the device, the file's is where it was opened. */
TEST_F(devctl, namespaces_differ)
{
	ino_t ours = inode_of(ns_this());
	int other = ns_beside(), ns;

	ASSERT_LE(0, other);
	ASSERT_NE(ours, inode_of(other));
	ASSERT_EQ(0, link_set_ns(self->index, other));
	ns = tun_ioctl(self->fd, TUNGETDEVNETNS, 0);
	EXPECT_EQ(inode_of(other), inode_of(ns));
	close(ns);
	ns = tun_ioctl(self->fd, SIOCGSKNS, 0);
	EXPECT_EQ(ours, inode_of(ns));
	close(ns);
	/* Who is elsewhere asks the same. */
	ASSERT_EQ(0, setns(other, CLONE_NEWNET));
	ns = tun_ioctl(self->fd, SIOCGSKNS, 0);
	EXPECT_EQ(ours, inode_of(ns));
	close(ns);
	close(other);
}

TEST_F(devctl, namespaces_unprivileged)
{
	ASSERT_EQ(0, setuid(NOBODY));
	EXPECT_EQ(-EPERM, tun_ioctl(self->fd, TUNGETDEVNETNS, 0));
	EXPECT_EQ(-EPERM, tun_ioctl(self->fd, SIOCGSKNS, 0));
}

/* They do nothing, and say that it is done. */
TEST_F(devctl, for_show)
{
	EXPECT_EQ(0, tun_ioctl(self->fd, TUNSETNOCSUM, 0));
	EXPECT_EQ(0, tun_ioctl(self->fd, TUNSETNOCSUM, 1));
	EXPECT_EQ(0, tun_ioctl_ptr(self->fd, TUNSETNOCSUM, BAD_POINTER));
	EXPECT_EQ(0, tun_ioctl(self->fd, TUNSETDEBUG, 0x8));
	EXPECT_EQ(0, tun_ioctl(self->fd, TUNSETDEBUG, 0));
	EXPECT_EQ(-EBADFD, tun_ioctl(self->unattached, TUNSETNOCSUM, 0));
	EXPECT_EQ(-EBADFD, tun_ioctl(self->unattached, TUNSETDEBUG, 0));
}

TEST_F(devctl, unattached)
{
	struct ifreq ifr = { .ifr_name = "ours" };
	int fd = self->unattached, ns;

	EXPECT_EQ(-EBADFD, tun_ioctl_ptr(fd, SIOCGIFHWADDR, &ifr));
	EXPECT_EQ(-EBADFD, set_mac(fd, ARPHRD_ETHER, good_mac));
	EXPECT_EQ(-EFAULT, tun_ioctl_ptr(fd, SIOCGIFHWADDR, BAD_POINTER));
	EXPECT_EQ(-EFAULT, tun_ioctl_ptr(fd, SIOCSIFHWADDR, BAD_POINTER));
	EXPECT_EQ(-EBADFD, tun_ioctl(fd, TUNGETDEVNETNS, 0));
	ns = tun_ioctl(fd, SIOCGSKNS, 0);
	EXPECT_EQ(inode_of(ns_this()), inode_of(ns));
	close(ns);
}

/* The numbers of sockets are not the file's, but for those two. */
TEST_F(devctl, other_socket_ioctls)
{
	static const unsigned long cmds[] = {
		SIOCGIFFLAGS, SIOCSIFFLAGS, SIOCGIFMTU, SIOCGIFINDEX,
		SIOCETHTOOL, SIOCGIFNAME,
	};
	struct ifreq ifr = { .ifr_name = "ours" };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cmds); i++) {
		EXPECT_EQ(-EINVAL, tun_ioctl_ptr(self->fd, cmds[i], &ifr))
			TH_LOG("ioctl %#lx", cmds[i]);
		EXPECT_EQ(-EFAULT, tun_ioctl_ptr(self->fd, cmds[i],
						 BAD_POINTER));
		EXPECT_EQ(-EBADFD, tun_ioctl_ptr(self->unattached, cmds[i],
						 &ifr));
	}
}

#ifdef __x86_64__
/* The request ends where the mapping does: one byte more is a fault. */
TEST_F(devctl, compat)
{
	void *low = mmap(NULL, 8192, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	struct ifreq *ifr = low + 4096 - COMPAT_IFREQ;
	unsigned int addr = (uintptr_t)ifr;
	int ns;

	ASSERT_NE(MAP_FAILED, low);
	ASSERT_EQ(0, mprotect(low + 4096, 4096, PROT_NONE));
	EXPECT_EQ(-EFAULT, tun_ioctl_ptr(self->fd, SIOCGIFHWADDR, ifr));
	ASSERT_EQ(0, tun_ioctl_compat(self->fd, SIOCGIFHWADDR, addr));
	EXPECT_EQ(self->tap ? ARPHRD_ETHER : ARPHRD_NONE,
		  ifr->ifr_hwaddr.sa_family);
	memcpy(ifr->ifr_hwaddr.sa_data, good_mac, ETH_ALEN);
	EXPECT_EQ(self->tap ? 0 : -EOPNOTSUPP,
		  tun_ioctl_compat(self->fd, SIOCSIFHWADDR, addr));
	EXPECT_EQ(self->tap, has_mac(self, good_mac));
	EXPECT_EQ(-EFAULT, tun_ioctl_compat(self->fd, SIOCGIFHWADDR,
					    addr + 16));
	ns = tun_ioctl_compat(self->fd, TUNGETDEVNETNS, 0);
	EXPECT_EQ(inode_of(ns_this()), inode_of(ns));
	close(ns);
	ns = tun_ioctl_compat(self->fd, SIOCGSKNS, 0);
	EXPECT_EQ(inode_of(ns_this()), inode_of(ns));
	close(ns);
	EXPECT_EQ(0, tun_ioctl_compat(self->fd, TUNSETNOCSUM, 1));
	EXPECT_EQ(0, tun_ioctl_compat(self->fd, TUNSETDEBUG, 0));
}
#endif /* __x86_64__ */

TEST_HARNESS_MAIN
