// SPDX-License-Identifier: GPL-2.0-only
/* Each refusal by TUNSETIFF and TUNSETQUEUE names its reason in tracefs. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "rtnl.h"
#include "tracefs.h"
#include "tun_test.h"
#include "harness.h"

FIXTURE(refusal)
{
	struct tracefs trace;
	int fd;
	char said[4096];
};

FIXTURE_SETUP(refusal)
{
	ASSERT_EQ(0, ns_enter());
	ASSERT_EQ(0, tracefs_new(&self->trace));
	ASSERT_EQ(0, tracefs_write(&self->trace,
				   "events/rtun/rtun_refused/enable", "1"));
	self->fd = tun_open(0);
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(refusal)
{
	tracefs_write(&self->trace, "events/rtun/rtun_refused/enable", "0");
	tracefs_delete(&self->trace);
	close(self->fd);
}

/* Root reads the trace: only the ioctl is another user's. */
static int set_iff_as_user(int fd, const char *name, int flags)
{
	int err;

	if (setresuid(-1, 1, -1))
		return -errno;
	err = tun_set_iff(fd, name, flags);
	return setresuid(-1, 0, -1) ? -errno : err;
}

/* Was there one refusal, for this reason, with the errno that the caller got? */
#define EXPECT_REASON(ifname, ioctl, reason, err, expr) do { \
	char line[160]; \
	const char *at; \
	int got = (expr); \
	EXPECT_EQ(-(err), got); \
	snprintf(line, sizeof(line), \
		 "rtun_refused: ifname=%s ioctl=%s reason=%s errno=%d\n", \
		 ifname, ioctl, reason, got); \
	ASSERT_LE(0, tracefs_take(&self->trace, self->said, \
				  sizeof(self->said))); \
	at = strstr(self->said, "rtun_refused: "); \
	EXPECT_STREQ(line, at ? at : ""); \
} while (0)

#define EXPECT_IFF(ifname, reason, err, expr) \
	EXPECT_REASON(ifname, "TUNSETIFF", reason, err, expr)
#define EXPECT_QUEUE(ifname, reason, err, expr) \
	EXPECT_REASON(ifname, "TUNSETQUEUE", reason, err, expr)

TEST_F(refusal, new_device)
{
	int index = 1;

	EXPECT_IFF("ours", "neither IFF_TUN nor IFF_TAP", EINVAL,
		   tun_set_iff(self->fd, "ours", 0));
	EXPECT_IFF("a/b", "bad name", EINVAL,
		   tun_set_iff(self->fd, "a/b", IFF_TUN));
	EXPECT_IFF("%d%d", "bad name", EINVAL,
		   tun_set_iff(self->fd, "%d%d", IFF_TUN));
	ASSERT_EQ(0, tun_ioctl_ptr(self->fd, TUNSETIFINDEX, &index));
	EXPECT_IFF("ours", "index is in use", EBUSY,
		   tun_set_iff(self->fd, "ours", IFF_TUN));
	EXPECT_IFF("ours", "no CAP_NET_ADMIN to make a device", EPERM,
		   set_iff_as_user(self->fd, "ours", IFF_TUN));
}

TEST_F(refusal, name_in_use)
{
	int single = tun_create("single", IFF_TUN);
	int multi = tun_create("multi", IFF_TAP | IFF_MULTI_QUEUE);

	ASSERT_LE(0, single);
	ASSERT_LE(0, multi);
	EXPECT_IFF("lo", "device of another driver", EINVAL,
		   tun_set_iff(self->fd, "lo", IFF_TUN));
	EXPECT_IFF("lo", "device exists and IFF_TUN_EXCL is set", EBUSY,
		   tun_set_iff(self->fd, "lo", IFF_TUN | IFF_TUN_EXCL));
	EXPECT_IFF("single", "device exists and IFF_TUN_EXCL is set", EBUSY,
		   tun_set_iff(self->fd, "single", IFF_TUN | IFF_TUN_EXCL));
	EXPECT_IFF("single", "device has the other mode", EINVAL,
		   tun_set_iff(self->fd, "single", IFF_TAP));
	EXPECT_IFF("single", "IFF_MULTI_QUEUE differs from the device", EINVAL,
		   tun_set_iff(self->fd, "single", IFF_TUN | IFF_MULTI_QUEUE));
	EXPECT_IFF("multi", "IFF_MULTI_QUEUE differs from the device", EINVAL,
		   tun_set_iff(self->fd, "multi", IFF_TAP));
	EXPECT_IFF("single", "the one queue is in use", EBUSY,
		   tun_set_iff(self->fd, "single", IFF_TUN));
	EXPECT_IFF("single", "not the owner or group and no CAP_NET_ADMIN",
		   EPERM, set_iff_as_user(self->fd, "single", IFF_TUN));
	EXPECT_IFF("other", "file has a device already", EEXIST,
		   tun_set_iff(single, "other", IFF_TUN));
	close(single);
	close(multi);
}

TEST_F(refusal, too_many_queues)
{
	int n = tun_max_queues();
	int *fds = calloc(n, sizeof(*fds));

	ASSERT_NE(NULL, fds);
	ASSERT_EQ(0, tun_attach_all("ours", IFF_TUN | IFF_MULTI_QUEUE, fds, n));
	EXPECT_IFF("ours", "all queues are in use", E2BIG,
		   tun_set_iff(self->fd, "ours", IFF_TUN | IFF_MULTI_QUEUE));
	tun_close_all(fds, n);
	free(fds);
}

TEST_F(refusal, queue)
{
	int single = tun_create("single", IFF_TUN);
	int multi = tun_create("multi", IFF_TUN | IFF_MULTI_QUEUE);

	ASSERT_LE(0, single);
	ASSERT_LE(0, multi);
	EXPECT_QUEUE("", "queue is not attached", EINVAL,
		     tun_queue(self->fd, IFF_DETACH_QUEUE));
	EXPECT_QUEUE("", "queue is not detached", EINVAL,
		     tun_queue(self->fd, IFF_ATTACH_QUEUE));
	EXPECT_QUEUE("single", "device has one queue", EINVAL,
		     tun_queue(single, IFF_DETACH_QUEUE));
	EXPECT_QUEUE("multi", "queue is not detached", EINVAL,
		     tun_queue(multi, IFF_ATTACH_QUEUE));
	EXPECT_QUEUE("multi",
		     "neither IFF_ATTACH_QUEUE nor IFF_DETACH_QUEUE", EINVAL,
		     tun_queue(multi, 0));
	ASSERT_EQ(0, tun_queue(multi, IFF_DETACH_QUEUE));
	EXPECT_QUEUE("multi", "queue is not attached", EINVAL,
		     tun_queue(multi, IFF_DETACH_QUEUE));
	close(single);
	close(multi);
}

/* What is granted says nothing. */
TEST_F(refusal, granted)
{
	ASSERT_EQ(0, tun_set_iff(self->fd, "ours", IFF_TUN | IFF_MULTI_QUEUE));
	ASSERT_EQ(0, tun_queue(self->fd, IFF_DETACH_QUEUE));
	ASSERT_EQ(0, tun_queue(self->fd, IFF_ATTACH_QUEUE));
	EXPECT_EQ(0, tracefs_take(&self->trace, self->said,
				  sizeof(self->said)));
}

TEST_HARNESS_MAIN
