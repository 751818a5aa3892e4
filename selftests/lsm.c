// SPDX-License-Identifier: GPL-2.0-only
/* What security modules are asked, and when; and that a no of theirs is heard. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "bpf.h"
#include "rtnl.h"
#include "rtun.h"
#include "tracefs.h"
#include "tun_test.h"
#include "harness.h"

#define HOOK	"security_"
#define OF_TUN	"tun_dev_"

FIXTURE(lsm)
{
	struct tracefs trace;
	bool traced;
};

FIXTURE_SETUP(lsm)
{
	char pid[16];
	int err;

	ASSERT_EQ(0, ns_enter());
	err = tracefs_new(&self->trace);
	if (err)
		SKIP(return, "no tracefs: %s", strerror(-err));
	self->traced = true;
	err = tracefs_write(&self->trace, "set_ftrace_filter", HOOK OF_TUN "*");
	if (!err)
		err = tracefs_write(&self->trace, "set_ftrace_filter",
				    HOOK "sk_clone");
	if (err == -EINVAL || err == -ENOENT)
		SKIP(return, "no function tracer, or no security modules");
	ASSERT_EQ(0, err);
	snprintf(pid, sizeof(pid), "%d", getpid());
	ASSERT_EQ(0, tracefs_write(&self->trace, "set_ftrace_pid", pid));
	ASSERT_EQ(0, tracefs_write(&self->trace, "current_tracer",
				   "function"));
}

FIXTURE_TEARDOWN(lsm)
{
	if (self->traced) {
		tracefs_write(&self->trace, "current_tracer", "nop");
		tracefs_delete(&self->trace);
	}
}

/* The hooks called since the last time, in order, by a space each. */
static const char *hooks(const struct tracefs *trace)
{
	static char buf[16384], names[1024];
	char *at = buf;
	size_t len = 0;
	int err = tracefs_take(trace, buf, sizeof(buf));

	if (err < 0)
		return strerror(-err);
	names[0] = '\0';
	while ((at = strstr(at, ": " HOOK))) {
		at += strlen(": " HOOK);
		if (!strncmp(at, OF_TUN, strlen(OF_TUN)))
			at += strlen(OF_TUN);
		len += snprintf(names + len, sizeof(names) - len, "%s%.*s",
				len ? " " : "", (int)strcspn(at, "\n "), at);
		if (len >= sizeof(names))
			return "too many";
	}
	return names;
}

TEST_F(lsm, device)
{
	int fd = tun_create("ours", IFF_TUN), other;

	ASSERT_LE(0, fd);
	EXPECT_STREQ("create alloc_security attach", hooks(&self->trace));
	/* A taken queue is refused after the question. */
	other = tun_create("ours", IFF_TUN);
	EXPECT_EQ(-EBUSY, other);
	EXPECT_STREQ("open attach", hooks(&self->trace));
	ASSERT_EQ(0, tun_ioctl(fd, TUNSETPERSIST, 1));
	close(fd);
	EXPECT_STREQ("", hooks(&self->trace));
	fd = tun_create("ours", IFF_TUN);
	ASSERT_LE(0, fd);
	EXPECT_STREQ("open attach", hooks(&self->trace));
	ASSERT_EQ(0, tun_ioctl(fd, TUNSETPERSIST, 0));
	close(fd);
	EXPECT_STREQ("free_security", hooks(&self->trace));
}

TEST_F(lsm, queues)
{
	int fd = tun_create("ours", IFF_TAP | IFF_MULTI_QUEUE), second;

	ASSERT_LE(0, fd);
	EXPECT_STREQ("create alloc_security attach", hooks(&self->trace));
	second = tun_create("ours", IFF_TAP | IFF_MULTI_QUEUE);
	ASSERT_LE(0, second);
	EXPECT_STREQ("open attach", hooks(&self->trace));
	ASSERT_EQ(0, tun_queue(second, IFF_DETACH_QUEUE));
	EXPECT_STREQ("", hooks(&self->trace));
	ASSERT_EQ(0, tun_queue(second, IFF_ATTACH_QUEUE));
	EXPECT_STREQ("attach_queue attach", hooks(&self->trace));
	EXPECT_EQ(-EINVAL, tun_queue(second, IFF_ATTACH_QUEUE));
	EXPECT_STREQ("", hooks(&self->trace));
	close(second);
	EXPECT_STREQ("", hooks(&self->trace));
	ASSERT_EQ(0, link_delete(tun_index(fd)));
	EXPECT_STREQ("free_security", hooks(&self->trace));
	close(fd);
	EXPECT_STREQ("", hooks(&self->trace));
}

/* A socket that leads to a queue has the queue's label, also when that is new. */
TEST_F(lsm, opened_socket)
{
	int fd, sock, second;

	if (!tun_is_rtun())
		SKIP(return, "the in-tree driver has no such sockets");
	fd = tun_open(0);
	ASSERT_LE(0, fd);
	sock = tun_ioctl(fd, RTUN_SOCKET, O_CLOEXEC);
	ASSERT_LE(0, sock);
	EXPECT_STREQ("sk_clone", hooks(&self->trace));
	ASSERT_EQ(0, tun_set_iff(fd, "ours", IFF_TUN));
	EXPECT_STREQ("create alloc_security attach sk_clone",
		     hooks(&self->trace));
	second = tun_ioctl(sock, RTUN_SOCKET, O_CLOEXEC);
	ASSERT_LE(0, second);
	EXPECT_STREQ("sk_clone", hooks(&self->trace));
	close(second);
	close(sock);
	close(fd);
}

/* What was made for a device that came to nothing is given back. */
TEST_F(lsm, refused)
{
	int index = 1, fd = tun_open(0);

	ASSERT_LE(0, fd);
	EXPECT_EQ(-EINVAL, tun_set_iff(fd, "lo", IFF_TUN));
	EXPECT_EQ(-EBUSY, tun_set_iff(fd, "lo", IFF_TUN | IFF_TUN_EXCL));
	EXPECT_STREQ("", hooks(&self->trace));
	EXPECT_EQ(-EINVAL, tun_set_iff(fd, "ours", 0));
	EXPECT_STREQ("create", hooks(&self->trace));
	ASSERT_EQ(0, tun_ioctl_ptr(fd, TUNSETIFINDEX, &index));
	EXPECT_EQ(-EBUSY, tun_set_iff(fd, "ours", IFF_TUN));
	EXPECT_STREQ("create alloc_security attach free_security",
		     hooks(&self->trace));
	close(fd);
}

/* An errno that the driver has no reason of its own to give. */
#define NO	(-EKEYREJECTED)

FIXTURE(deny)
{
	int no;			/* what says it, or -1 */
};

FIXTURE_SETUP(deny)
{
	char list[256];
	int err;

	self->no = -1;
	ASSERT_EQ(0, ns_enter());
	if (mount("securityfs", "/sys/kernel/security", "securityfs", 0, NULL) &&
	    errno != EBUSY)
		SKIP(return, "no securityfs: %s", strerror(errno));
	err = read_file("/sys/kernel/security/lsm", list, sizeof(list));
	ASSERT_LT(0, err);
	if (!strstr(list, "bpf"))
		SKIP(return, "no security module can be loaded: %s", list);
}

FIXTURE_TEARDOWN(deny)
{
	if (self->no >= 0)
		close(self->no);
}

#define DENY(hook) do { \
	self->no = bpf_deny("tun_dev_" hook, NO); \
	ASSERT_LE(0, self->no) \
		TH_LOG("%s: %s", hook, strerror(-self->no)); \
} while (0)

#define ALLOW() do { \
	ASSERT_EQ(0, close(self->no)); \
	self->no = -1; \
} while (0)

/* Nothing is left of a device that may not be: not even its name is taken. */
#define EXPECT_NO_DEVICE(flags) do { \
	int fd_ = tun_open(0); \
	ASSERT_LE(0, fd_); \
	EXPECT_EQ(NO, tun_set_iff(fd_, "ours", flags)); \
	EXPECT_EQ(-ENODEV, link_index("ours")); \
	EXPECT_EQ(-EBADFD, tun_get_flags(fd_)); \
	ALLOW(); \
	EXPECT_EQ(0, tun_set_iff(fd_, "ours", flags)); \
	EXPECT_LT(0, link_index("ours")); \
	close(fd_); \
} while (0)

TEST_F(deny, create_denied)
{
	int fd = tun_create("other", IFF_TUN | IFF_MULTI_QUEUE), second;

	ASSERT_LE(0, fd);
	DENY("create");
	/* It is asked for new devices only. */
	second = tun_create("other", IFF_TUN | IFF_MULTI_QUEUE);
	EXPECT_LE(0, second);
	close(second);
	EXPECT_NO_DEVICE(IFF_TUN);
	close(fd);
}

TEST_F(deny, alloc_denied)
{
	DENY("alloc_security");
	EXPECT_NO_DEVICE(IFF_TAP);
}

TEST_F(deny, attach_denied)
{
	int fd, second, flags = IFF_TAP | IFF_MULTI_QUEUE;
	struct link_info info;

	DENY("attach");
	EXPECT_NO_DEVICE(flags);

	fd = tun_create("ours", flags);
	ASSERT_LE(0, fd);
	DENY("attach");
	EXPECT_EQ(NO, tun_create("ours", flags));
	ASSERT_EQ(0, link_get(tun_index(fd), &info));
	EXPECT_EQ(1, info.queues);
	EXPECT_EQ(0, info.disabled);
	/* Nor may a queue come back. */
	ASSERT_EQ(0, tun_queue(fd, IFF_DETACH_QUEUE));
	EXPECT_EQ(NO, tun_queue(fd, IFF_ATTACH_QUEUE));
	ASSERT_EQ(0, link_get(tun_index(fd), &info));
	EXPECT_EQ(0, info.queues);
	EXPECT_EQ(1, info.disabled);
	ALLOW();
	EXPECT_EQ(0, tun_queue(fd, IFF_ATTACH_QUEUE));
	second = tun_create("ours", flags);
	EXPECT_LE(0, second);
	close(second);
	close(fd);
}

TEST_F(deny, open_denied)
{
	int fd = tun_create("ours", IFF_TUN);

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, tun_ioctl(fd, TUNSETPERSIST, 1));
	close(fd);
	DENY("open");
	EXPECT_EQ(NO, tun_create("ours", IFF_TUN));
	/* It is asked for devices that there are. */
	fd = tun_create("other", IFF_TUN);
	EXPECT_LE(0, fd);
	close(fd);
	ALLOW();
	fd = tun_create("ours", IFF_TUN);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, tun_ioctl(fd, TUNSETPERSIST, 0));
	close(fd);
}

TEST_F(deny, attach_queue_denied)
{
	int fd = tun_create("ours", IFF_TUN | IFF_MULTI_QUEUE);

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, tun_queue(fd, IFF_DETACH_QUEUE));
	DENY("attach_queue");
	EXPECT_EQ(NO, tun_queue(fd, IFF_ATTACH_QUEUE));
	EXPECT_TRUE(tun_get_flags(fd) & IFF_DETACH_QUEUE);
	ALLOW();
	EXPECT_EQ(0, tun_queue(fd, IFF_ATTACH_QUEUE));
	EXPECT_FALSE(tun_get_flags(fd) & IFF_DETACH_QUEUE);
	close(fd);
}

TEST_HARNESS_MAIN
