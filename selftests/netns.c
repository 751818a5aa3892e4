// SPDX-License-Identifier: GPL-2.0-only
/* Devices and open files that end up in different network namespaces. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>
#include <linux/if_ether.h>

#include "rtnl.h"
#include "tun_test.h"
#include "harness.h"

#define LEN	64

FIXTURE(netns)
{
	int home, away;		/* namespaces; the test starts at home */
	int fd;
	uint8_t out[LEN], in[2048];
};

FIXTURE_VARIANT(netns)
{
	int flags;
};

FIXTURE_VARIANT_ADD(netns, tun)
{
	.flags = TUN_NOPI,
};

FIXTURE_VARIANT_ADD(netns, tap_multi)
{
	.flags = TAP_NOPI | IFF_MULTI_QUEUE,
};

FIXTURE_SETUP(netns)
{
	ASSERT_EQ(0, ns_enter());
	self->away = ns_this();
	ASSERT_LE(0, self->away);
	ASSERT_EQ(0, unshare(CLONE_NEWNET));
	self->home = ns_this();
	ASSERT_LE(0, self->home);
	self->fd = tun_open(O_NONBLOCK);
	ASSERT_LE(0, self->fd);
	packet_fill(self->out, LEN, 1);
	self->out[0] = 0x45;
}

FIXTURE_TEARDOWN(netns)
{
	close(self->fd);
	close(self->home);
	close(self->away);
}

/* The file remembers where it was opened. */
TEST_F(netns, of_opening)
{
	ASSERT_EQ(0, setns(self->away, CLONE_NEWNET));
	ASSERT_EQ(0, tun_set_iff(self->fd, "ours", variant->flags));
	EXPECT_EQ(-ENODEV, link_index("ours"));
	ASSERT_EQ(0, setns(self->home, CLONE_NEWNET));
	EXPECT_LT(0, link_index("ours"));
}

TEST_F(netns, same_name_in_both)
{
	int other;

	ASSERT_EQ(0, tun_set_iff(self->fd, "ours", variant->flags));
	ASSERT_EQ(0, setns(self->away, CLONE_NEWNET));
	other = tun_create("ours", variant->flags | IFF_TUN_EXCL);
	ASSERT_LE(0, other);
	EXPECT_LT(0, link_index("ours"));
	close(other);
	EXPECT_EQ(-ENODEV, link_index("ours"));
	ASSERT_EQ(0, setns(self->home, CLONE_NEWNET));
	EXPECT_LT(0, link_index("ours"));
}

/* The device moves, the file stays: packets flow, and the device obeys. */
TEST_F(netns, device_moves)
{
	char name[IFNAMSIZ];
	int index, sock;

	ASSERT_EQ(0, tun_set_iff(self->fd, "ours", variant->flags));
	ASSERT_EQ(0, link_set_ns(tun_index(self->fd), self->away));
	EXPECT_EQ(-ENODEV, link_index("ours"));
	ASSERT_EQ(0, tun_name(self->fd, name));
	EXPECT_STREQ("ours", name);

	ASSERT_EQ(0, setns(self->away, CLONE_NEWNET));
	index = link_index("ours");
	ASSERT_LT(0, index);
	ASSERT_EQ(0, link_up(index, true));
	sock = packet_socket(index, ETH_P_ALL);
	ASSERT_LE(0, sock);
	ASSERT_EQ(LEN, write_ret(self->fd, self->out, LEN));
	ASSERT_EQ(LEN, packet_recv(sock, self->in, sizeof(self->in), NULL));
	EXPECT_EQ(0, memcmp(self->in, self->out, LEN));
	ASSERT_EQ(LEN, packet_send(sock, index, ETH_P_IP, self->out, LEN));
	ASSERT_EQ(POLLIN, wait_events(self->fd, POLLIN, WAIT_MS));
	ASSERT_EQ(LEN, read_ret(self->fd, self->in, sizeof(self->in)));
	EXPECT_EQ(0, memcmp(self->in, self->out, LEN));
	close(sock);

	close(self->fd);
	self->fd = -1;
	EXPECT_EQ(-ENODEV, link_index("ours"));
}

/* TUNSETIFF looks in the file's namespace, not where the device went. */
TEST_F(netns, attach_after_move)
{
	int other;

	ASSERT_EQ(0, tun_set_iff(self->fd, "ours", variant->flags));
	ASSERT_EQ(0, tun_ioctl(self->fd, TUNSETPERSIST, 1));
	ASSERT_EQ(0, link_set_ns(tun_index(self->fd), self->away));
	other = tun_create("ours", variant->flags);
	ASSERT_LE(0, other);
	EXPECT_LT(0, link_index("ours"));
	close(other);
	EXPECT_EQ(-ENODEV, link_index("ours"));
	close(self->fd);

	ASSERT_EQ(0, setns(self->away, CLONE_NEWNET));
	EXPECT_LT(0, link_index("ours"));
	self->fd = tun_create("ours", variant->flags);
	ASSERT_LE(0, self->fd);
	EXPECT_EQ(IFF_PERSIST, tun_get_flags(self->fd) & IFF_PERSIST);
	EXPECT_EQ(0, tun_ioctl(self->fd, TUNSETPERSIST, 0));
}

/* Deletes the namespace that the device went to, with the file still open. */
TEST_F(netns, deleted_under_file)
{
	int index, second = -1;

	ASSERT_EQ(0, tun_set_iff(self->fd, "ours", variant->flags));
	if (variant->flags & IFF_MULTI_QUEUE) {
		second = tun_create("ours", variant->flags);
		ASSERT_LE(0, second);
		ASSERT_EQ(0, tun_queue(second, IFF_DETACH_QUEUE));
	}
	ASSERT_EQ(0, setns(self->away, CLONE_NEWNET));
	ASSERT_EQ(0, unshare(CLONE_NEWNET));
	close(self->away);
	self->away = ns_this();
	ASSERT_EQ(0, setns(self->home, CLONE_NEWNET));
	index = tun_index(self->fd);
	ASSERT_EQ(0, link_set_ns(index, self->away));
	EXPECT_LE(0, tun_get_flags(self->fd));

	close(self->away);
	index = wait_events(self->fd, POLLIN, WAIT_MS);
	EXPECT_EQ(POLLERR, index & POLLERR);
	EXPECT_EQ(-EBADFD, tun_get_flags(self->fd));
	EXPECT_EQ(-EBADFD, read_ret(self->fd, self->in, sizeof(self->in)));
	EXPECT_EQ(-EBADFD, write_ret(self->fd, self->out, LEN));
	if (second >= 0) {
		EXPECT_EQ(-EBADFD, tun_get_flags(second));
		close(second);
	}
	EXPECT_EQ(0, tun_set_iff(self->fd, "again", variant->flags));
	EXPECT_LT(0, link_index("again"));
}

/* The namespace of the opening lives on by the file alone. */
TEST_F(netns, left_behind)
{
	ASSERT_EQ(0, setns(self->away, CLONE_NEWNET));
	close(self->home);
	ASSERT_EQ(0, tun_set_iff(self->fd, "ours", variant->flags));
	EXPECT_LE(0, tun_get_flags(self->fd));
	EXPECT_EQ(-ENODEV, link_index("ours"));
	EXPECT_EQ(-EIO, write_ret(self->fd, self->out, LEN));
	EXPECT_EQ(-EAGAIN, read_ret(self->fd, self->in, sizeof(self->in)));
	self->home = -1;
}

TEST_HARNESS_MAIN
