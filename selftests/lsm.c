// SPDX-License-Identifier: GPL-2.0-only
/*
 * What security modules are asked, and when. No module of the guest says no:
 * the tests look at the calls.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "rtnl.h"
#include "tracefs.h"
#include "tun_test.h"
#include "harness.h"

#define HOOK "security_tun_dev_"

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
	err = tracefs_write(&self->trace, "set_ftrace_filter", HOOK "*");
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

TEST_HARNESS_MAIN
