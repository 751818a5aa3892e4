// SPDX-License-Identifier: GPL-2.0-only
/* Every ioctl, with good and bad arguments, and the errno of each. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <linux/if_arp.h>
#include <linux/ioctl.h>

#include "rtnl.h"
#include "tun_test.h"
#include "harness.h"

/* What must be on offer in every version of the interface. */
#define FEATURES_ALWAYS (IFF_TUN | IFF_TAP | IFF_NO_PI | IFF_ONE_QUEUE | \
			 IFF_MULTI_QUEUE | IFF_NO_CARRIER)
#define BAD_POINTER	((void *)8)

FIXTURE(setiff)
{
	int fd;
};

FIXTURE_SETUP(setiff)
{
	ASSERT_EQ(0, ns_enter());
	self->fd = tun_open(0);
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(setiff)
{
	close(self->fd);
}

TEST_F(setiff, name_given)
{
	char name[IFNAMSIZ];

	ASSERT_EQ(0, tun_set_iff(self->fd, "ours", IFF_TUN));
	ASSERT_EQ(0, tun_name(self->fd, name));
	EXPECT_STREQ("ours", name);
	EXPECT_LT(0, link_index("ours"));
}

TEST_F(setiff, name_pattern)
{
	struct ifreq ifr = { .ifr_name = "any%d", .ifr_flags = IFF_TAP };
	int other = tun_create("any%d", IFF_TAP);

	ASSERT_LE(0, other);
	ASSERT_EQ(0, tun_ioctl_ptr(self->fd, TUNSETIFF, &ifr));
	EXPECT_STREQ("any1", ifr.ifr_name);
	EXPECT_LT(0, link_index("any0"));
	EXPECT_LT(0, link_index("any1"));
	close(other);
}

TEST_F(setiff, name_empty)
{
	struct ifreq ifr = { .ifr_flags = IFF_TUN };
	int other;

	ASSERT_EQ(0, tun_ioctl_ptr(self->fd, TUNSETIFF, &ifr));
	EXPECT_STREQ("tun0", ifr.ifr_name);
	other = tun_create("", IFF_TAP);
	ASSERT_LE(0, other);
	EXPECT_LT(0, link_index("tap0"));
	close(other);
}

TEST_F(setiff, name_unterminated)
{
	ASSERT_EQ(0, tun_set_iff(self->fd, "abcdefghijklmnop", IFF_TUN));
	EXPECT_LT(0, link_index("abcdefghijklmno"));
}

TEST_F(setiff, name_invalid)
{
	static const char *const names[] = {
		"a/b", "a b", ".", "..", "a:b", "a%s", "%d%d", "a%",
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(names); i++) {
		EXPECT_EQ(-EINVAL, tun_set_iff(self->fd, names[i], IFF_TUN))
			TH_LOG("name '%s'", names[i]);
	}
	/* A refusal leaves the file usable. */
	EXPECT_EQ(0, tun_set_iff(self->fd, "ours", IFF_TUN));
}

TEST_F(setiff, type_missing)
{
	EXPECT_EQ(-EINVAL, tun_set_iff(self->fd, "ours", 0));
	EXPECT_EQ(-EINVAL, tun_set_iff(self->fd, "ours", IFF_NO_PI));
	EXPECT_EQ(-ENODEV, link_index("ours"));
	EXPECT_EQ(-EBADFD, tun_get_flags(self->fd));
}

TEST_F(setiff, type_both_is_tun)
{
	ASSERT_EQ(0, tun_set_iff(self->fd, "ours", IFF_TUN | IFF_TAP));
	EXPECT_EQ(IFF_TUN, tun_get_flags(self->fd) & (IFF_TUN | IFF_TAP));
}

TEST_F(setiff, type_mismatch)
{
	int other = tun_create("other", IFF_TAP);

	ASSERT_LE(0, other);
	EXPECT_EQ(-EINVAL, tun_set_iff(self->fd, "other", IFF_TUN));
	EXPECT_EQ(-EINVAL, tun_set_iff(self->fd, "other", 0));
	close(other);

	other = tun_create("other", IFF_TUN);
	ASSERT_LE(0, other);
	EXPECT_EQ(-EINVAL, tun_set_iff(self->fd, "other", IFF_TAP));
	close(other);
}

TEST_F(setiff, multi_queue_mismatch)
{
	int single = tun_create("single", IFF_TUN);
	int multi = tun_create("multi", IFF_TUN | IFF_MULTI_QUEUE);

	ASSERT_LE(0, single);
	ASSERT_LE(0, multi);
	EXPECT_EQ(-EINVAL, tun_set_iff(self->fd, "single",
				       IFF_TUN | IFF_MULTI_QUEUE));
	EXPECT_EQ(-EINVAL, tun_set_iff(self->fd, "multi", IFF_TUN));
	close(single);
	close(multi);
}

TEST_F(setiff, foreign_device)
{
	EXPECT_EQ(-EINVAL, tun_set_iff(self->fd, "lo", IFF_TUN));
	EXPECT_EQ(-EINVAL, tun_set_iff(self->fd, "lo", IFF_TAP));
	EXPECT_EQ(-EBUSY, tun_set_iff(self->fd, "lo", IFF_TUN | IFF_TUN_EXCL));
}

TEST_F(setiff, exclusive)
{
	int other = tun_create("other", IFF_TUN | IFF_MULTI_QUEUE);

	ASSERT_LE(0, other);
	EXPECT_EQ(-EBUSY, tun_set_iff(self->fd, "other", IFF_TUN |
				      IFF_MULTI_QUEUE | IFF_TUN_EXCL));
	EXPECT_EQ(0, tun_set_iff(self->fd, "fresh", IFF_TUN | IFF_TUN_EXCL));
	close(other);
}

TEST_F(setiff, single_queue_taken)
{
	int other = tun_create("other", IFF_TUN);

	ASSERT_LE(0, other);
	EXPECT_EQ(-EBUSY, tun_set_iff(self->fd, "other", IFF_TUN));
	close(other);
}

TEST_F(setiff, twice)
{
	ASSERT_EQ(0, tun_set_iff(self->fd, "ours", IFF_TUN | IFF_MULTI_QUEUE));
	EXPECT_EQ(-EEXIST, tun_set_iff(self->fd, "ours",
				       IFF_TUN | IFF_MULTI_QUEUE));
	EXPECT_EQ(-EEXIST, tun_set_iff(self->fd, "more", IFF_TUN));
	ASSERT_EQ(0, tun_queue(self->fd, IFF_DETACH_QUEUE));
	EXPECT_EQ(-EEXIST, tun_set_iff(self->fd, "ours",
				       IFF_TUN | IFF_MULTI_QUEUE));
	EXPECT_EQ(-ENODEV, link_index("more"));
}

TEST_F(setiff, bad_pointer)
{
	EXPECT_EQ(-EFAULT, tun_ioctl_ptr(self->fd, TUNSETIFF, BAD_POINTER));
	EXPECT_EQ(-EFAULT, tun_ioctl_ptr(self->fd, TUNSETIFF, NULL));
	EXPECT_EQ(-EBADFD, tun_get_flags(self->fd));
}

/* The name cannot be written back: an error, never a half-made answer. */
TEST_F(setiff, answer_unwritable)
{
	struct ifreq ifr = { .ifr_name = "ours%d", .ifr_flags = IFF_TUN };
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ASSERT_NE(MAP_FAILED, page);
	memcpy(page, &ifr, sizeof(ifr));
	ASSERT_EQ(0, mprotect(page, 4096, PROT_READ));
	EXPECT_EQ(-EFAULT, tun_ioctl_ptr(self->fd, TUNSETIFF, page));
}

static int carrier_of(int fd)
{
	struct link_info info;
	int err = link_get(tun_index(fd), &info);

	return err ? err : info.carrier;
}

TEST_F(setiff, no_carrier)
{
	int other = tun_create("with", IFF_TUN);

	ASSERT_LE(0, other);
	ASSERT_EQ(0, tun_set_iff(self->fd, "without",
				 IFF_TUN | IFF_NO_CARRIER));
	ASSERT_EQ(0, link_up(tun_index(self->fd), true));
	ASSERT_EQ(0, link_up(tun_index(other), true));
	EXPECT_EQ(0, carrier_of(self->fd));
	EXPECT_EQ(1, carrier_of(other));
	close(other);
}

/* A further queue says nothing of the carrier, whatever its flags. */
TEST_F(setiff, no_carrier_of_others)
{
	static const int flags[] = { IFF_NO_CARRIER, 0 };
	int i, second, index, other;

	for (i = 0; i < 2; i++) {
		int fd = tun_create("ours", IFF_TUN | IFF_MULTI_QUEUE | flags[i]);

		ASSERT_LE(0, fd);
		index = tun_index(fd);
		ASSERT_EQ(0, link_up(index, true));
		EXPECT_EQ(i, carrier_of(fd));
		second = tun_create("ours", IFF_TUN | IFF_MULTI_QUEUE | flags[!i]);
		ASSERT_LE(0, second);
		EXPECT_EQ(i, carrier_of(fd));
		ASSERT_EQ(0, tun_queue(second, IFF_DETACH_QUEUE));
		other = 1 - i;
		ASSERT_EQ(0, tun_ioctl_ptr(fd, TUNSETCARRIER, &other));
		close(fd);
		fd = tun_create("ours", IFF_TUN | IFF_MULTI_QUEUE | flags[i]);
		ASSERT_LE(0, fd);
		EXPECT_EQ(1 - i, carrier_of(fd));
		close(second);
		close(fd);
	}
}

/*
 * Persistence is shown among the flags and cannot be asked for so; bits that
 * stand for nothing say nothing.
 */
TEST_F(setiff, persist_is_no_request)
{
	struct link_info info;

	ASSERT_EQ(0, tun_set_iff(self->fd, "ours",
				 IFF_TAP | IFF_PERSIST | 0x000c));
	EXPECT_EQ(IFF_TAP, tun_get_flags(self->fd) & ~IFF_NOFILTER);
	ASSERT_EQ(0, link_get(tun_index(self->fd), &info));
	EXPECT_EQ(0, info.persist);
	close(self->fd);
	self->fd = tun_open(0);
	ASSERT_LE(0, self->fd);
	EXPECT_EQ(-ENODEV, link_index("ours"));
}

TEST_F(setiff, old_names)
{
	int fd = tun_create("tap", TUN_TAP_DEV);

	ASSERT_LE(0, fd);
	EXPECT_EQ(IFF_TAP, tun_get_flags(fd) & TUN_TYPE_MASK);
	ASSERT_EQ(0, tun_set_iff(self->fd, "tun", TUN_TUN_DEV));
	EXPECT_EQ(IFF_TUN, tun_get_flags(self->fd) & TUN_TYPE_MASK);
	close(fd);
}

FIXTURE(features)
{
	unsigned int features;
};

FIXTURE_SETUP(features)
{
	int fd;

	ASSERT_EQ(0, ns_enter());
	fd = tun_open(0);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, tun_ioctl_ptr(fd, TUNGETFEATURES, &self->features));
	close(fd);
}

FIXTURE_TEARDOWN(features)
{
}

TEST_F(features, always_there)
{
	EXPECT_EQ(FEATURES_ALWAYS, self->features & FEATURES_ALWAYS);
}

TEST_F(features, also_when_attached)
{
	unsigned int features = 0;
	int fd = tun_create("ours", IFF_TUN);

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, tun_ioctl_ptr(fd, TUNGETFEATURES, &features));
	EXPECT_EQ(self->features, features);
	EXPECT_EQ(-EFAULT, tun_ioctl_ptr(fd, TUNGETFEATURES, BAD_POINTER));
	close(fd);
}

static const unsigned int known_flags[] = {
	IFF_NAPI, IFF_NAPI | IFF_NAPI_FRAGS, IFF_NO_CARRIER, IFF_NO_PI,
	IFF_ONE_QUEUE, IFF_VNET_HDR, IFF_MULTI_QUEUE, IFF_BACKPRESSURE,
};

/*
 * Reported means accepted, and a known flag not reported is refused. An in-tree driver
 * that does not report IFF_BACKPRESSURE (before 7.3) does not know it: to it the bit is
 * one of those that are ignored.
 */
TEST_F(features, reported_are_accepted)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(known_flags); i++) {
		unsigned int flags = known_flags[i];
		bool reported = (self->features & flags) == flags;
		bool known = tun_is_rtun() || flags != IFF_BACKPRESSURE;
		int fd = tun_create("ours", IFF_TAP | flags);

		EXPECT_EQ(reported || !known ? 0 : -EINVAL, fd < 0 ? fd : 0)
			TH_LOG("flags %#x", flags);
		close(fd);
	}
}

/* What is accepted is shown, by the ioctl and in sysfs, but for the carrier. */
TEST_F(features, shown)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(known_flags); i++) {
		unsigned int flags = IFF_TAP | known_flags[i];
		char text[16], expected[16];
		int fd;

		if ((self->features & flags) != flags)
			continue;
		fd = tun_create("ours", flags);
		ASSERT_LE(0, fd);
		flags &= ~IFF_NO_CARRIER;
		/* Of the same bit: nothing is filtered. */
		EXPECT_EQ(flags | IFF_NOFILTER, tun_get_flags(fd))
			TH_LOG("flags %#x", flags);
		snprintf(expected, sizeof(expected), "0x%x", flags);
		ASSERT_LT(0, netdev_attr("ours", "tun_flags", text,
					 sizeof(text)));
		EXPECT_STREQ(expected, text);
		close(fd);
	}
}

FIXTURE(attached)
{
	int fd, index;
};

FIXTURE_VARIANT(attached)
{
	int type;
};

FIXTURE_VARIANT_ADD(attached, tun)
{
	.type = IFF_TUN,
};

FIXTURE_VARIANT_ADD(attached, tap)
{
	.type = IFF_TAP,
};

FIXTURE_SETUP(attached)
{
	ASSERT_EQ(0, ns_enter());
	self->fd = tun_create("ours", variant->type | IFF_NO_PI);
	ASSERT_LE(0, self->fd);
	self->index = tun_index(self->fd);
	ASSERT_LT(0, self->index);
}

FIXTURE_TEARDOWN(attached)
{
	close(self->fd);
}

TEST_F(attached, getiff)
{
	struct ifreq ifr = { .ifr_name = "junk", .ifr_flags = -1 };
	int mask = TUN_TYPE_MASK | IFF_NO_PI | IFF_MULTI_QUEUE |
		   IFF_VNET_HDR | IFF_PERSIST | IFF_DETACH_QUEUE;

	ASSERT_EQ(0, tun_ioctl_ptr(self->fd, TUNGETIFF, &ifr));
	EXPECT_STREQ("ours", ifr.ifr_name);
	EXPECT_EQ(variant->type | IFF_NO_PI, ifr.ifr_flags & mask);
	EXPECT_EQ(-EFAULT, tun_ioctl_ptr(self->fd, TUNGETIFF, BAD_POINTER));
	ASSERT_EQ(0, link_set_name(self->index, "renamed"));
	ASSERT_EQ(0, tun_ioctl_ptr(self->fd, TUNGETIFF, &ifr));
	EXPECT_STREQ("renamed", ifr.ifr_name);
}

/* What the interface was called before is nobody's business. */
TEST_F(attached, getiff_short_name)
{
	struct ifreq ifr = {}, expected = { .ifr_name = "x" };

	ASSERT_EQ(0, link_set_name(self->index, "a_longer_name_1"));
	ASSERT_EQ(0, link_set_name(self->index, expected.ifr_name));
	ASSERT_EQ(0, tun_ioctl_ptr(self->fd, TUNGETIFF, &ifr));
	EXPECT_EQ(0, memcmp(expected.ifr_name, ifr.ifr_name, IFNAMSIZ));
}

TEST_F(attached, getiff_detached)
{
	int fd = tun_create("multi", variant->type | IFF_MULTI_QUEUE);

	ASSERT_LE(0, fd);
	EXPECT_EQ(IFF_MULTI_QUEUE, tun_get_flags(fd) &
		  (IFF_MULTI_QUEUE | IFF_DETACH_QUEUE));
	ASSERT_EQ(0, tun_queue(fd, IFF_DETACH_QUEUE));
	EXPECT_EQ(IFF_MULTI_QUEUE | IFF_DETACH_QUEUE, tun_get_flags(fd) &
		  (IFF_MULTI_QUEUE | IFF_DETACH_QUEUE));
	close(fd);
}

TEST_F(attached, persist)
{
	ASSERT_EQ(0, tun_ioctl(self->fd, TUNSETPERSIST, 1));
	EXPECT_EQ(IFF_PERSIST, tun_get_flags(self->fd) & IFF_PERSIST);
	ASSERT_EQ(0, tun_ioctl(self->fd, TUNSETPERSIST, 7));
	EXPECT_EQ(IFF_PERSIST, tun_get_flags(self->fd) & IFF_PERSIST);
	ASSERT_EQ(0, tun_ioctl(self->fd, TUNSETPERSIST, 0));
	EXPECT_EQ(0, tun_get_flags(self->fd) & IFF_PERSIST);
	ASSERT_EQ(0, tun_ioctl(self->fd, TUNSETPERSIST, 0));
}

TEST_F(attached, owner)
{
	struct link_info info;

	ASSERT_EQ(0, link_get(self->index, &info));
	EXPECT_EQ(-1, info.owner);
	EXPECT_EQ(-EINVAL, tun_ioctl(self->fd, TUNSETOWNER, -1));
	ASSERT_EQ(0, tun_ioctl(self->fd, TUNSETOWNER, 1234));
	ASSERT_EQ(0, link_get(self->index, &info));
	EXPECT_EQ(1234, info.owner);
	/* A bad value changes nothing, and there is no way back to none. */
	EXPECT_EQ(-EINVAL, tun_ioctl(self->fd, TUNSETOWNER, -1));
	ASSERT_EQ(0, link_get(self->index, &info));
	EXPECT_EQ(1234, info.owner);
}

TEST_F(attached, group)
{
	struct link_info info;

	ASSERT_EQ(0, link_get(self->index, &info));
	EXPECT_EQ(-1, info.group);
	EXPECT_EQ(-EINVAL, tun_ioctl(self->fd, TUNSETGROUP, -1));
	ASSERT_EQ(0, tun_ioctl(self->fd, TUNSETGROUP, 4321));
	ASSERT_EQ(0, link_get(self->index, &info));
	EXPECT_EQ(4321, info.group);
	EXPECT_EQ(-EINVAL, tun_ioctl(self->fd, TUNSETGROUP, -1));
}

TEST_F(attached, carrier)
{
	int on = 1, off = 0;

	ASSERT_EQ(0, link_up(self->index, true));
	EXPECT_EQ(1, carrier_of(self->fd));
	ASSERT_EQ(0, tun_ioctl_ptr(self->fd, TUNSETCARRIER, &off));
	EXPECT_EQ(0, carrier_of(self->fd));
	EXPECT_EQ(0, link_wait(self->index, link_is_running, false));
	ASSERT_EQ(0, tun_ioctl_ptr(self->fd, TUNSETCARRIER, &on));
	EXPECT_EQ(1, carrier_of(self->fd));
	EXPECT_EQ(0, link_wait(self->index, link_is_running, true));
	EXPECT_EQ(-EFAULT, tun_ioctl_ptr(self->fd, TUNSETCARRIER,
					 BAD_POINTER));
	EXPECT_EQ(1, carrier_of(self->fd));
}

TEST_F(attached, carrier_needs_a_queue)
{
	int fd = tun_create("multi", variant->type | IFF_MULTI_QUEUE);
	int on = 1, off = 0;

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, tun_queue(fd, IFF_DETACH_QUEUE));
	EXPECT_EQ(0, tun_ioctl_ptr(fd, TUNSETCARRIER, &off));
	EXPECT_EQ(-EPERM, tun_ioctl_ptr(fd, TUNSETCARRIER, &on));
	close(fd);
}

TEST_F(attached, link_type)
{
	static const struct {
		int type, addr_len;
	} types[] = {
		{ ARPHRD_ETHER, 6 }, { ARPHRD_NONE, 0 }, { ARPHRD_PPP, 0 },
		{ ARPHRD_TUNNEL, 4 }, { ARPHRD_SIT, 4 }, { ARPHRD_IPGRE, 4 },
		{ ARPHRD_TUNNEL6, 16 }, { ARPHRD_IP6GRE, 16 },
		{ ARPHRD_IEEE802154, 8 }, { ARPHRD_6LOWPAN, 8 },
		{ ARPHRD_FDDI, 6 }, { ARPHRD_LOCALTLK, 1 },
		{ ARPHRD_INFINIBAND, 0 },
	};
	struct link_info info;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(types); i++) {
		ASSERT_EQ(0, tun_ioctl(self->fd, TUNSETLINK, types[i].type));
		ASSERT_EQ(0, link_get(self->index, &info));
		EXPECT_EQ(types[i].type, info.type);
		EXPECT_EQ(types[i].addr_len, info.addr_len)
			TH_LOG("type %d", types[i].type);
	}
}

TEST_F(attached, link_type_when_up)
{
	struct link_info before, after;

	ASSERT_EQ(0, link_get(self->index, &before));
	ASSERT_EQ(0, link_up(self->index, true));
	EXPECT_EQ(-EBUSY, tun_ioctl(self->fd, TUNSETLINK, ARPHRD_PPP));
	ASSERT_EQ(0, link_get(self->index, &after));
	EXPECT_EQ(before.type, after.type);
	ASSERT_EQ(0, link_up(self->index, false));
	EXPECT_EQ(0, tun_ioctl(self->fd, TUNSETLINK, ARPHRD_PPP));
}

TEST_F(attached, set_queue_arguments)
{
	int multi = tun_create("multi", variant->type | IFF_MULTI_QUEUE);

	ASSERT_LE(0, multi);
	/* One queue only. */
	EXPECT_EQ(-EINVAL, tun_queue(self->fd, IFF_DETACH_QUEUE));
	EXPECT_EQ(-EINVAL, tun_queue(self->fd, IFF_ATTACH_QUEUE));
	/* Neither, both, and what is so already. */
	EXPECT_EQ(-EINVAL, tun_queue(multi, 0));
	EXPECT_EQ(-EINVAL, tun_queue(multi, IFF_ATTACH_QUEUE));
	EXPECT_EQ(-EINVAL, tun_queue(multi, IFF_ATTACH_QUEUE |
				     IFF_DETACH_QUEUE));
	ASSERT_EQ(0, tun_queue(multi, IFF_DETACH_QUEUE));
	EXPECT_EQ(-EINVAL, tun_queue(multi, IFF_DETACH_QUEUE));
	EXPECT_EQ(-EINVAL, tun_queue(multi, 0));
	EXPECT_EQ(0, tun_queue(multi, IFF_ATTACH_QUEUE | IFF_DETACH_QUEUE));
	EXPECT_EQ(-EFAULT, tun_ioctl_ptr(multi, TUNSETQUEUE, BAD_POINTER));
	close(multi);
}

TEST_F(attached, set_index_refused)
{
	int index = 77;

	EXPECT_EQ(-EPERM, tun_ioctl_ptr(self->fd, TUNSETIFINDEX, &index));
	EXPECT_EQ(-EPERM, tun_ioctl_ptr(self->fd, TUNSETIFINDEX, BAD_POINTER));
}

TEST_F(attached, unknown)
{
	EXPECT_EQ(-EINVAL, tun_ioctl_ptr(self->fd, _IO('T', 190), NULL));
	EXPECT_EQ(-EINVAL, tun_ioctl_ptr(self->fd, _IO('T', 1), NULL));
	EXPECT_EQ(-EINVAL, tun_ioctl_ptr(self->fd, _IO('r', 202), NULL));
	EXPECT_EQ(0, isatty(self->fd));
	EXPECT_EQ(EINVAL, errno);
}

FIXTURE(unattached)
{
	int fd;
};

FIXTURE_SETUP(unattached)
{
	ASSERT_EQ(0, ns_enter());
	self->fd = tun_open(O_NONBLOCK);
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(unattached)
{
	close(self->fd);
}

TEST_F(unattached, ioctls)
{
	static const unsigned long cmds[] = {
		TUNGETIFF, TUNSETPERSIST, TUNSETOWNER, TUNSETGROUP,
		TUNSETLINK, TUNSETCARRIER, _IO('T', 190), _IO('r', 202),
	};
	struct ifreq ifr = { .ifr_flags = 0 };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cmds); i++) {
		EXPECT_EQ(-EBADFD, tun_ioctl_ptr(self->fd, cmds[i], &ifr))
			TH_LOG("ioctl %#lx", cmds[i]);
	}
	EXPECT_EQ(-EBADFD, tun_ioctl_ptr(self->fd, TUNGETIFF, NULL));
	EXPECT_EQ(-EINVAL, tun_queue(self->fd, IFF_ATTACH_QUEUE));
	EXPECT_EQ(-EINVAL, tun_queue(self->fd, IFF_DETACH_QUEUE));
	EXPECT_EQ(-EFAULT, tun_ioctl_ptr(self->fd, TUNSETQUEUE, BAD_POINTER));
}

TEST_F(unattached, read_and_write)
{
	char buf[64] = { 0x45 };

	EXPECT_EQ(-EBADFD, read_ret(self->fd, buf, sizeof(buf)));
	EXPECT_EQ(-EBADFD, read_ret(self->fd, buf, 0));
	EXPECT_EQ(-EBADFD, write_ret(self->fd, buf, sizeof(buf)));
	EXPECT_EQ(-EBADFD, write_ret(self->fd, buf, 0));
}

TEST_F(unattached, set_index)
{
	int index = 4242;

	ASSERT_EQ(0, tun_ioctl_ptr(self->fd, TUNSETIFINDEX, &index));
	ASSERT_EQ(0, tun_set_iff(self->fd, "ours", IFF_TUN));
	EXPECT_EQ(4242, link_index("ours"));
}

TEST_F(unattached, set_index_bad)
{
	int negative = -1, most_negative = INT32_MIN;

	EXPECT_EQ(-EINVAL, tun_ioctl_ptr(self->fd, TUNSETIFINDEX, &negative));
	EXPECT_EQ(-EINVAL, tun_ioctl_ptr(self->fd, TUNSETIFINDEX,
					 &most_negative));
	EXPECT_EQ(-EFAULT, tun_ioctl_ptr(self->fd, TUNSETIFINDEX,
					 BAD_POINTER));
	ASSERT_EQ(0, tun_set_iff(self->fd, "ours", IFF_TUN));
	EXPECT_LT(0, link_index("ours"));
}

TEST_F(unattached, set_index_in_use)
{
	int index = link_index("lo"), any = 0;

	ASSERT_EQ(1, index);
	ASSERT_EQ(0, tun_ioctl_ptr(self->fd, TUNSETIFINDEX, &index));
	EXPECT_EQ(-EBUSY, tun_set_iff(self->fd, "ours", IFF_TUN));
	EXPECT_EQ(-ENODEV, link_index("ours"));
	ASSERT_EQ(0, tun_ioctl_ptr(self->fd, TUNSETIFINDEX, &any));
	EXPECT_EQ(0, tun_set_iff(self->fd, "ours", IFF_TUN));
}

#ifdef __x86_64__
FIXTURE(compat)
{
	int fd;
	void *low;
	struct ifreq *ifr;
};

/* The request ends where the mapping does: one byte more is a fault. */
FIXTURE_SETUP(compat)
{
	ASSERT_EQ(0, ns_enter());
	self->fd = tun_open(0);
	ASSERT_LE(0, self->fd);
	self->low = mmap(NULL, 8192, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	ASSERT_NE(MAP_FAILED, self->low);
	ASSERT_EQ(0, mprotect(self->low + 4096, 4096, PROT_NONE));
	self->ifr = self->low + 4096 - COMPAT_IFREQ;
}

FIXTURE_TEARDOWN(compat)
{
	close(self->fd);
}

TEST_F(compat, ifreq)
{
	unsigned int addr = (uintptr_t)self->ifr;

	memcpy(self->ifr->ifr_name, "ours%d", sizeof("ours%d"));
	self->ifr->ifr_flags = IFF_TUN | IFF_MULTI_QUEUE;
	EXPECT_EQ(-EFAULT, tun_ioctl_ptr(self->fd, TUNSETIFF, self->ifr));
	ASSERT_EQ(0, tun_ioctl_compat(self->fd, TUNSETIFF, addr));
	EXPECT_STREQ("ours0", self->ifr->ifr_name);
	self->ifr->ifr_flags = 0;
	ASSERT_EQ(0, tun_ioctl_compat(self->fd, TUNGETIFF, addr));
	EXPECT_EQ(IFF_TUN | IFF_MULTI_QUEUE, self->ifr->ifr_flags &
		  (TUN_TYPE_MASK | IFF_MULTI_QUEUE));
	self->ifr->ifr_flags = IFF_DETACH_QUEUE;
	EXPECT_EQ(0, tun_ioctl_compat(self->fd, TUNSETQUEUE, addr));
	EXPECT_EQ(-EFAULT, tun_ioctl_compat(self->fd, TUNGETIFF, addr + 16));
}

TEST_F(compat, values)
{
	uint32_t *word = self->low;
	unsigned int addr = (uintptr_t)word;
	struct link_info info;

	ASSERT_EQ(0, tun_ioctl_compat(self->fd, TUNGETFEATURES, addr));
	EXPECT_EQ(FEATURES_ALWAYS, *word & FEATURES_ALWAYS);
	*word = 4343;
	ASSERT_EQ(0, tun_ioctl_compat(self->fd, TUNSETIFINDEX, addr));
	ASSERT_EQ(0, tun_set_iff(self->fd, "ours", IFF_TUN));
	ASSERT_EQ(0, tun_ioctl_compat(self->fd, TUNSETOWNER, 1234));
	EXPECT_EQ(-EINVAL, tun_ioctl_compat(self->fd, TUNSETOWNER, -1));
	ASSERT_EQ(0, tun_ioctl_compat(self->fd, TUNSETGROUP, 4321));
	*word = 0;
	ASSERT_EQ(0, tun_ioctl_compat(self->fd, TUNSETCARRIER, addr));
	ASSERT_EQ(0, tun_ioctl_compat(self->fd, TUNSETPERSIST, 1));
	ASSERT_EQ(0, link_get(4343, &info));
	EXPECT_EQ(1234, info.owner);
	EXPECT_EQ(4321, info.group);
	EXPECT_EQ(0, info.carrier);
	EXPECT_EQ(1, info.persist);
	EXPECT_EQ(-EINVAL, tun_ioctl_compat(self->fd, _IO('T', 190), 0));
	ASSERT_EQ(0, tun_ioctl_compat(self->fd, TUNSETPERSIST, 0));
}
#endif /* __x86_64__ */

TEST_HARNESS_MAIN
