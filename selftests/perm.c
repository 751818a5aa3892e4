// SPDX-License-Identifier: GPL-2.0-only
/* Who may create a device, and who may attach to one. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>
#include <linux/capability.h>

#include "rtnl.h"
#include "tun_test.h"
#include "harness.h"

#define OWNER	1234
#define GROUP	4321
#define OTHER	5678
#define NONE	-1

/* Not an errno that a test expects. */
#define SETUP_FAILED	200

struct identity {
	uid_t uid;
	gid_t gid;
	gid_t extra;		/* a supplementary group, or NONE */
	bool net_admin;
};

static const struct identity nobody = { OTHER, OTHER, NONE, false };

static int set_net_admin_only(bool net_admin)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct data[2] = { 0 };

	if (net_admin) {
		data[0].permitted = 1 << CAP_NET_ADMIN;
		data[0].effective = 1 << CAP_NET_ADMIN;
	}
	return syscall(SYS_capset, &head, data);
}

static int become(const struct identity *who)
{
	gid_t extra = who->extra;

	if (prctl(PR_SET_KEEPCAPS, 1) ||
	    setgroups(who->extra == (gid_t)NONE ? 0 : 1, &extra) ||
	    setresgid(who->gid, who->gid, who->gid) ||
	    setresuid(who->uid, who->uid, who->uid))
		return -1;
	return set_net_admin_only(who->net_admin);
}

/* Runs fn in a child with that identity: its result, 0 or negative errno. */
static int run_as(const struct identity *who, int (*fn)(void *arg), void *arg)
{
	pid_t pid = fork();

	if (pid < 0)
		return -SETUP_FAILED;
	if (!pid) {
		if (become(who))
			_exit(SETUP_FAILED);
		_exit(-fn(arg));
	}
	return -wait_exit(pid);
}

struct attach {
	int fd;
	int flags;
};

static int do_attach(void *arg)
{
	struct attach *attach = arg;

	return tun_set_iff(attach->fd, "ours", attach->flags);
}

/* The node's mode is not in question here: the file is opened by root. */
static int attach_as(const struct identity *who, int flags)
{
	struct attach attach = { .fd = tun_open(O_NONBLOCK), .flags = flags };
	int ret;

	if (attach.fd < 0)
		return attach.fd;
	ret = run_as(who, do_attach, &attach);
	close(attach.fd);
	return ret;
}

FIXTURE(create)
{
};

FIXTURE_SETUP(create)
{
	ASSERT_EQ(0, ns_enter());
}

FIXTURE_TEARDOWN(create)
{
}

TEST_F(create, unprivileged)
{
	EXPECT_EQ(-EPERM, attach_as(&nobody, IFF_TUN));
	EXPECT_EQ(-EPERM, attach_as(&nobody, IFF_TAP | IFF_MULTI_QUEUE));
	EXPECT_EQ(-ENODEV, link_index("ours"));
}

TEST_F(create, root_without_capability)
{
	static const struct identity who = { 0, 0, NONE, false };

	EXPECT_EQ(-EPERM, attach_as(&who, IFF_TUN));
}

TEST_F(create, capability_alone)
{
	static const struct identity who = { OTHER, OTHER, NONE, true };

	EXPECT_EQ(0, attach_as(&who, IFF_TUN));
	EXPECT_EQ(0, attach_as(&who, IFF_TAP));
}

/* The refusal of privilege comes before that of a missing type. */
TEST_F(create, privilege_first)
{
	EXPECT_EQ(-EPERM, attach_as(&nobody, 0));
}

/* A persistent device with an owner, a group, both, or neither. */
FIXTURE(attach)
{
	int flags;
};

FIXTURE_VARIANT(attach)
{
	bool owner, group;
};

FIXTURE_VARIANT_ADD(attach, ownerless)
{
	.owner = false,
};

FIXTURE_VARIANT_ADD(attach, owner)
{
	.owner = true,
};

FIXTURE_VARIANT_ADD(attach, group)
{
	.group = true,
};

FIXTURE_VARIANT_ADD(attach, owner_and_group)
{
	.owner = true,
	.group = true,
};

/* The in-tree driver lets anybody have such a device before 7.3.3. */
static bool ownerless_is_open(void)
{
	unsigned int major = 0, minor = 0, patch = 0;
	struct utsname uts;

	if (tun_is_rtun() || uname(&uts) ||
	    sscanf(uts.release, "%u.%u.%u", &major, &minor, &patch) < 2)
		return false;
	return (major << 16 | minor << 8 | patch) < 0x070303;
}

/* Whether who matches the owner and the group may attach. */
static bool may_attach(bool has_owner, bool has_group, bool owner, bool group)
{
	if (!has_owner && !has_group)
		return ownerless_is_open();
	return (!has_owner || owner) && (!has_group || group);
}

FIXTURE_SETUP(attach)
{
	int fd;

	ASSERT_EQ(0, ns_enter());
	self->flags = IFF_TUN | IFF_MULTI_QUEUE | IFF_NO_PI;
	fd = tun_create("ours", self->flags);
	ASSERT_LE(0, fd);
	if (variant->owner)
		ASSERT_EQ(0, tun_ioctl(fd, TUNSETOWNER, OWNER));
	if (variant->group)
		ASSERT_EQ(0, tun_ioctl(fd, TUNSETGROUP, GROUP));
	ASSERT_EQ(0, tun_ioctl(fd, TUNSETPERSIST, 1));
	close(fd);
}

FIXTURE_TEARDOWN(attach)
{
	link_delete(link_index("ours"));
}

TEST_F(attach, who)
{
	/* Which of owner and group an identity satisfies. */
	static const struct {
		struct identity id;
		bool owner, group;
	} who[] = {
		{ { OTHER, OTHER, NONE, false }, false, false },
		{ { OWNER, OTHER, NONE, false }, true, false },
		{ { OTHER, GROUP, NONE, false }, false, true },
		{ { OTHER, OTHER, GROUP, false }, false, true },
		{ { OWNER, GROUP, NONE, false }, true, true },
		{ { OWNER, OTHER, GROUP, false }, true, true },
		{ { 0, 0, NONE, false }, false, false },
		{ { GROUP, OWNER, NONE, false }, false, false },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(who); i++) {
		struct identity able = who[i].id;
		bool may = may_attach(variant->owner, variant->group,
				      who[i].owner, who[i].group);

		EXPECT_EQ(may ? 0 : -EPERM, attach_as(&who[i].id, self->flags))
			TH_LOG("identity %zu", i);
		able.net_admin = true;
		EXPECT_EQ(0, attach_as(&able, self->flags))
			TH_LOG("identity %zu with CAP_NET_ADMIN", i);
	}
}

/* What does not match is refused to all before who asks is looked at. */
TEST_F(attach, mismatch_first)
{
	EXPECT_EQ(-EINVAL, attach_as(&nobody, IFF_TUN));
	EXPECT_EQ(-EINVAL, attach_as(&nobody, IFF_TAP | IFF_MULTI_QUEUE));
	EXPECT_EQ(-EBUSY, attach_as(&nobody, self->flags | IFF_TUN_EXCL));
}

static int use_as_owner(void *arg)
{
	struct attach *attach = arg;
	uint8_t packet[20] = { 0x45 };
	int err = tun_set_iff(attach->fd, "ours", attach->flags);

	if (!err)
		err = tun_queue(attach->fd, IFF_DETACH_QUEUE);
	if (!err)
		err = tun_queue(attach->fd, IFF_ATTACH_QUEUE);
	if (!err && write_ret(attach->fd, packet, 20) != 20)
		err = -EIO;
	if (!err && read_ret(attach->fd, packet, 20) != -EAGAIN)
		err = -EIO;
	return err;
}

/* Attached means the use of it all, and no right to delete it otherwise. */
TEST_F(attach, owner_uses_queue)
{
	static const struct identity who = { OWNER, GROUP, NONE, false };
	struct attach attach = { .flags = self->flags };
	bool may = may_attach(variant->owner, variant->group, true, true);

	ASSERT_EQ(0, link_up(link_index("ours"), true));
	attach.fd = tun_open(O_NONBLOCK);
	ASSERT_LE(0, attach.fd);
	EXPECT_EQ(may ? 0 : -EPERM, run_as(&who, use_as_owner, &attach));
	close(attach.fd);
}

/*
 * User namespaces. The child talks by exit status; what it leaves to be seen
 * from outside is seen while it waits.
 */
FIXTURE(userns)
{
	char node[32];
};

FIXTURE_SETUP(userns)
{
	ASSERT_EQ(0, ns_enter());
	ASSERT_EQ(0, ns_public_node(self->node, sizeof(self->node)));
}

FIXTURE_TEARDOWN(userns)
{
}

/* Root in a user namespace where uid 0 stands for the caller's. */
static int userns_enter(int flags)
{
	char map[32];
	uid_t uid = geteuid();

	if (unshare(CLONE_NEWUSER | flags))
		return -errno;
	snprintf(map, sizeof(map), "0 %u 1", uid);
	return write_file("/proc/self/uid_map", map);
}

/* The dumpable flag went with the change of user; the maps need it. */
static int userns_enter_as(int flags)
{
	if (prctl(PR_SET_DUMPABLE, 1))
		return -errno;
	return userns_enter(flags);
}

static int userns_create(void *arg)
{
	const char *node = arg;
	struct link_info info;
	int err = userns_enter_as(CLONE_NEWNET);
	int fd;

	if (err)
		return -SETUP_FAILED;
	fd = open(node, O_RDWR);
	if (fd < 0)
		return -errno;
	err = tun_set_iff(fd, "ours", IFF_TUN);
	if (err)
		return err;
	err = link_up(tun_index(fd), true);
	if (err)
		return err;
	/* Only uid 0 exists here. */
	if (tun_ioctl(fd, TUNSETOWNER, OTHER) != -EINVAL ||
	    tun_ioctl(fd, TUNSETGROUP, OTHER) != -EINVAL)
		return -EXDEV;
	err = tun_ioctl(fd, TUNSETOWNER, 0);
	if (err)
		return err;
	err = link_get(tun_index(fd), &info);
	return err ? err : info.owner == 0 ? 0 : -ERANGE;
}

TEST_F(userns, create_in_own_namespace)
{
	EXPECT_EQ(0, run_as(&nobody, userns_create, self->node));
}

static int userns_napi(void *arg)
{
	const char *node = arg;
	int err = userns_enter_as(CLONE_NEWNET), fd;

	if (err)
		return -SETUP_FAILED;
	fd = open(node, O_RDWR);
	if (fd < 0)
		return -errno;
	if (tun_set_iff(fd, "ours", IFF_TAP | IFF_NAPI | IFF_NAPI_FRAGS) !=
	    -EPERM)
		return -EXDEV;
	/* The right is looked at first. */
	if (tun_set_iff(fd, "ours", IFF_TUN | IFF_NAPI_FRAGS) != -EPERM)
		return -EXDEV;
	return tun_set_iff(fd, "ours", IFF_TAP | IFF_NAPI);
}

/* Packets in pieces of one's choice are for the real root. */
TEST_F(userns, napi_frags)
{
	EXPECT_EQ(0, run_as(&nobody, userns_napi, self->node));
}

static int userns_foreign(void *arg)
{
	const char *node = arg;
	int fd = open(node, O_RDWR);

	if (fd < 0 || userns_enter_as(CLONE_NEWNET))
		return -SETUP_FAILED;
	return tun_set_iff(fd, "ours", IFF_TUN);
}

/* The file belongs to the namespace of its opening: no right there. */
TEST_F(userns, create_in_outer_namespace)
{
	EXPECT_EQ(-EPERM, run_as(&nobody, userns_foreign, self->node));
	EXPECT_EQ(-ENODEV, link_index("ours"));
}

static int userns_set_owner(void *arg)
{
	int fd = *(int *)arg;

	if (userns_enter_as(0))
		return -SETUP_FAILED;
	return tun_ioctl(fd, TUNSETOWNER, 0);
}

/* An owner set in a user namespace is that user outside. */
TEST_F(userns, owner_mapped)
{
	struct link_info info;
	int fd = tun_create("ours", IFF_TUN);

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, run_as(&nobody, userns_set_owner, &fd));
	ASSERT_EQ(0, link_get(tun_index(fd), &info));
	EXPECT_EQ(OTHER, info.owner);
	close(fd);
}

TEST_HARNESS_MAIN
