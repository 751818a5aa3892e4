// SPDX-License-Identifier: GPL-2.0-only
/* TUNSETTXFILTER: the addresses that may pass to the readers of a TAP. */
#include <errno.h>
#include <string.h>
#include <unistd.h>
#include <linux/if_ether.h>

#include "drops.h"
#include "flows.h"
#include "harness.h"

#define BAD_POINTER	((void *)8)
#define PACKET		100

FIXTURE(address)
{
	struct flows flows;
};

FIXTURE_SETUP(address)
{
	ASSERT_EQ(0, ns_enter());
	ASSERT_EQ(0, flows_open(&self->flows, IFF_TAP | IFF_MULTI_QUEUE, 1));
}

FIXTURE_TEARDOWN(address)
{
	flows_close(&self->flows);
}

#define ADDRESSES	64

struct address_filter {
	struct tun_filter head;
	uint8_t addr[ADDRESSES][ETH_ALEN];
};

static void nth_address(uint8_t addr[6], bool multicast, unsigned int n)
{
	memset(addr, 0, ETH_ALEN);
	addr[0] = multicast ? 3 : 2;
	addr[4] = n >> 8;
	addr[5] = n;
}

/* So many addresses of one kind, then so many of the other. */
static int set_addresses(int fd, int flags, int unicast, int multicast)
{
	struct address_filter filter = {
		.head.flags = flags,
		.head.count = unicast + multicast,
	};
	int n;

	for (n = 0; n < unicast; n++)
		nth_address(filter.addr[n], false, n);
	for (n = 0; n < multicast; n++)
		nth_address(filter.addr[unicast + n], true, n);
	return tun_ioctl_ptr(fd, TUNSETTXFILTER, &filter);
}

static bool passes(struct flows *flows, bool multicast, unsigned int n)
{
	uint8_t addr[6];

	nth_address(addr, multicast, n);
	return flows_pass(flows, addr, PACKET) == PACKET;
}

TEST_F(address, exact)
{
	struct flows *flows = &self->flows;
	int n, fd = flows->fd[0];

	EXPECT_TRUE(passes(flows, false, 0));
	ASSERT_EQ(8, set_addresses(fd, 0, 6, 2));
	for (n = 0; n < 8; n++)
		EXPECT_EQ(n < 6, passes(flows, false, n));
	for (n = 0; n < 4; n++)
		EXPECT_EQ(n < 2, passes(flows, true, n));
	EXPECT_EQ(4, flows_dropped(flows));
	ASSERT_EQ(1, set_addresses(fd, 0, 1, 0));
	EXPECT_TRUE(passes(flows, false, 0));
	EXPECT_FALSE(passes(flows, false, 1));
	EXPECT_FALSE(passes(flows, true, 0));
	ASSERT_EQ(0, set_addresses(fd, 0, 0, 0));
	EXPECT_TRUE(passes(flows, false, 1));
	EXPECT_TRUE(passes(flows, true, 0));
}

TEST_F(address, broadcast)
{
	static const uint8_t all[] = { 255, 255, 255, 255, 255, 255 };
	struct flows *flows = &self->flows;
	struct {
		struct tun_filter head;
		uint8_t addr[6];
	} filter = { .head.count = 1 };

	ASSERT_EQ(1, set_addresses(flows->fd[0], 0, 1, 0));
	EXPECT_EQ(-EAGAIN, flows_pass(flows, all, PACKET));
	memcpy(filter.addr, all, sizeof(all));
	ASSERT_EQ(1, tun_ioctl_ptr(flows->fd[0], TUNSETTXFILTER, &filter));
	EXPECT_EQ(PACKET, flows_pass(flows, all, PACKET));
}

/* From the ninth on only a hash is kept: others may pass, but not most. */
TEST_F(address, hashed)
{
	struct flows *flows = &self->flows;
	int n, passed = 0;

	ASSERT_EQ(8, set_addresses(flows->fd[0], 0, 8, 4));
	for (n = 0; n < 4; n++)
		EXPECT_TRUE(passes(flows, true, n));
	for (n = 4; n < 4 + ADDRESSES; n++)
		passed += passes(flows, true, n);
	EXPECT_GT(ADDRESSES / 2, passed);
	EXPECT_TRUE(passes(flows, false, 7));
	EXPECT_FALSE(passes(flows, false, 8));
}

TEST_F(address, all_multicast)
{
	struct flows *flows = &self->flows;
	int n;

	ASSERT_EQ(2, set_addresses(flows->fd[0], TUN_FLT_ALLMULTI, 2, 0));
	for (n = 0; n < ADDRESSES; n++)
		EXPECT_TRUE(passes(flows, true, n));
	EXPECT_TRUE(passes(flows, false, 1));
	EXPECT_FALSE(passes(flows, false, 2));
	/* Only with an address is it a filter. */
	ASSERT_EQ(0, set_addresses(flows->fd[0], TUN_FLT_ALLMULTI, 0, 0));
	EXPECT_TRUE(passes(flows, false, 2));
}

/* A ninth address that cannot be hashed turns the filter off. */
TEST_F(address, too_many_unicast)
{
	struct flows *flows = &self->flows;

	ASSERT_EQ(1, set_addresses(flows->fd[0], 0, 1, 0));
	EXPECT_FALSE(passes(flows, false, 20));
	ASSERT_EQ(0, set_addresses(flows->fd[0], 0, 9, 0));
	EXPECT_TRUE(passes(flows, false, 20));
	EXPECT_TRUE(passes(flows, true, 20));
}

TEST_F(address, bad_pointer)
{
	int fd = self->flows.fd[0];
	uint8_t *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct tun_filter *head = (void *)(page + 4096 - sizeof(*head));

	ASSERT_NE(MAP_FAILED, page);
	ASSERT_EQ(0, mprotect(page + 4096, 4096, PROT_NONE));
	ASSERT_EQ(1, set_addresses(fd, 0, 1, 0));
	EXPECT_EQ(-EFAULT, tun_ioctl_ptr(fd, TUNSETTXFILTER, BAD_POINTER));
	head->count = 1;
	EXPECT_EQ(-EFAULT, tun_ioctl_ptr(fd, TUNSETTXFILTER, head));
	head->count = 0xffff;
	EXPECT_EQ(-EFAULT, tun_ioctl_ptr(fd, TUNSETTXFILTER, head));
	/* What was there is there. */
	EXPECT_FALSE(passes(&self->flows, false, 1));
	head->count = 0;
	EXPECT_EQ(0, tun_ioctl_ptr(fd, TUNSETTXFILTER, head));
	EXPECT_TRUE(passes(&self->flows, false, 1));
}

/* Of the device: every queue has it, and a persistent device keeps it. */
TEST_F(address, of_device)
{
	struct flows *flows = &self->flows;
	int second = tun_create("ours", TAP_NOPI | IFF_MULTI_QUEUE);

	ASSERT_LE(0, second);
	ASSERT_EQ(1, set_addresses(second, 0, 1, 0));
	ASSERT_EQ(0, tun_ioctl(second, TUNSETPERSIST, 1));
	close(second);
	EXPECT_FALSE(passes(flows, false, 1));
	close(flows->fd[0]);
	flows->fd[0] = tun_create("ours", TAP_NOPI | IFF_MULTI_QUEUE);
	ASSERT_LE(0, flows->fd[0]);
	EXPECT_FALSE(passes(flows, false, 1));
	EXPECT_TRUE(passes(flows, false, 0));
	EXPECT_EQ(0, tun_ioctl(flows->fd[0], TUNSETPERSIST, 0));
}

TEST_F(address, reason)
{
	struct flows *flows = &self->flows;
	int err = drops_start(PROTO_TEST);

	if (err == -EOPNOTSUPP)
		SKIP(return, "no tracepoint for drops");
	ASSERT_EQ(0, err);
	ASSERT_EQ(1, set_addresses(flows->fd[0], 0, 1, 0));
	EXPECT_FALSE(passes(flows, false, 1));
	EXPECT_FALSE(passes(flows, true, 1));
	EXPECT_EQ(2, drops_count("TAP_TXFILTER"));
	EXPECT_EQ(2, drops_count(NULL));
	drops_stop();
}

TEST_HARNESS_MAIN
