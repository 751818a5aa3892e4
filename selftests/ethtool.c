// SPDX-License-Identifier: GPL-2.0-only
/* The device as ethtool shows and sets it, and TUNSETOFFLOAD. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include <linux/ethtool.h>
#include <linux/net_tstamp.h>
#include <linux/sockios.h>

#include "rtnl.h"
#include "tun_test.h"
#include "harness.h"

#ifndef TUN_F_UDP_TUNNEL_GSO /* since 6.17 */
#define TUN_F_UDP_TUNNEL_GSO		0x080
#define TUN_F_UDP_TUNNEL_GSO_CSUM	0x100
#endif

#define MAX_FEATURES	128
#define FEATURE_WORDS	(MAX_FEATURES / 32)

/* What a program may take over; the names are ethtool's. */
enum {
	CSUM	= 1 << 0,
	TSO	= 1 << 1,
	ECN	= 1 << 2,
	TSO6	= 1 << 3,
	USO	= 1 << 4,
	TNL	= 1 << 5,
	TNL_CSUM = 1 << 6,
	SG	= 1 << 7,
	FRAGLIST = 1 << 8,
	VLAN	= 1 << 9,
	STAG	= 1 << 10,
	USER	= CSUM | TSO | ECN | TSO6 | USO | TNL | TNL_CSUM,
	ALWAYS	= SG | FRAGLIST | VLAN | STAG,
};

static const char *const feature_names[] = {
	"tx-checksum-ip-generic", "tx-tcp-segmentation",
	"tx-tcp-ecn-segmentation", "tx-tcp6-segmentation",
	"tx-udp-segmentation", "tx-udp_tnl-segmentation",
	"tx-udp_tnl-csum-segmentation", "tx-scatter-gather",
	"tx-scatter-gather-fraglist", "tx-vlan-hw-insert",
	"tx-vlan-stag-hw-insert",
};

/* One ethtool ioctl on the device "ours". */
static int eth(void *cmd)
{
	struct ifreq ifr = { .ifr_name = "ours", .ifr_data = cmd };
	int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int ret;

	if (sock < 0)
		return -errno;
	ret = ioctl(sock, SIOCETHTOOL, &ifr) < 0 ? -errno : 0;
	close(sock);
	return ret;
}

static int eth_value(uint32_t cmd, uint32_t *value)
{
	struct ethtool_value ev = { .cmd = cmd, .data = *value };
	int err = eth(&ev);

	*value = ev.data;
	return err;
}

/* The kernel's numbers of our features: none is known before it is asked. */
static int feature_number(unsigned int ours)
{
	static struct {
		struct ethtool_gstrings head;
		char names[MAX_FEATURES][ETH_GSTRING_LEN];
	} set;
	unsigned int i;
	int err;

	if (!set.head.len) {
		struct {
			struct ethtool_sset_info head;
			uint32_t len;
		} info = { .head = {
			.cmd = ETHTOOL_GSSET_INFO,
			.sset_mask = 1ULL << ETH_SS_FEATURES,
		} };

		err = eth(&info);
		if (err || info.len > MAX_FEATURES)
			return err ? err : -E2BIG;
		set.head.cmd = ETHTOOL_GSTRINGS;
		set.head.string_set = ETH_SS_FEATURES;
		set.head.len = info.len;
		err = eth(&set);
		if (err)
			return err;
	}
	for (i = 0; i < set.head.len; i++)
		if (!strcmp(feature_names[ours], set.names[i]))
			return i;
	return -ENOENT;
}

struct features {
	int active, wanted, available, words;
};

static int features_get(struct features *f)
{
	struct {
		struct ethtool_gfeatures head;
		struct ethtool_get_features_block blocks[FEATURE_WORDS];
	} get = { .head = { ETHTOOL_GFEATURES, FEATURE_WORDS } };
	unsigned int i;
	int err = eth(&get);

	*f = (struct features) { .words = get.head.size };
	for (i = 0; !err && i < ARRAY_SIZE(feature_names); i++) {
		int n = feature_number(i);
		struct ethtool_get_features_block *block;
		uint32_t bit;

		if (n < 0)
			return n;
		block = &get.blocks[n / 32];
		bit = 1U << (n % 32);
		f->active |= block->active & bit ? 1 << i : 0;
		f->wanted |= block->requested & bit ? 1 << i : 0;
		f->available |= block->available & bit ? 1 << i : 0;
	}
	return err;
}

/* Returns what the kernel does: bits of ETHTOOL_F_*. */
static int feature_set(unsigned int ours, bool on)
{
	struct {
		struct ethtool_sfeatures head;
		struct ethtool_set_features_block blocks[FEATURE_WORDS];
	} set = { .head = { .cmd = ETHTOOL_SFEATURES } };
	struct ifreq ifr = { .ifr_name = "ours", .ifr_data = (void *)&set };
	int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int n = feature_number(ours), ret;
	struct features f;

	if (sock < 0 || n < 0)
		return sock < 0 ? -errno : n;
	ret = features_get(&f);
	if (ret)
		return ret;
	set.head.size = f.words;
	set.blocks[n / 32].valid = 1U << (n % 32);
	set.blocks[n / 32].requested = on ? 1U << (n % 32) : 0;
	ret = ioctl(sock, SIOCETHTOOL, &ifr);
	if (ret < 0)
		ret = -errno;
	close(sock);
	return ret;
}

static int features_active(void)
{
	struct features f;
	int err = features_get(&f);

	return err ? err : f.active;
}

FIXTURE(eth)
{
	int fd, index;
};

FIXTURE_VARIANT(eth)
{
	int flags;
};

FIXTURE_VARIANT_ADD(eth, tun)
{
	.flags = IFF_TUN | IFF_NO_PI,
};

FIXTURE_VARIANT_ADD(eth, tap_multi)
{
	.flags = IFF_TAP | IFF_NO_PI | IFF_MULTI_QUEUE,
};

FIXTURE_SETUP(eth)
{
	ASSERT_EQ(0, ns_enter());
	self->fd = tun_create("ours", variant->flags);
	ASSERT_LE(0, self->fd);
	self->index = tun_index(self->fd);
	ASSERT_LT(0, self->index);
}

FIXTURE_TEARDOWN(eth)
{
	close(self->fd);
}

/* All is available, and nothing that the reader did not ask for is on. */
TEST_F(eth, features_new_device)
{
	struct features f;

	ASSERT_EQ(0, features_get(&f));
	EXPECT_EQ(ALWAYS, f.active);
	EXPECT_EQ(ALWAYS | USER, f.available);
	EXPECT_EQ(ALWAYS | USER, f.wanted);
}

static const struct {
	unsigned long arg;
	int result, features;
} offloads[] = {
	{ TUN_F_CSUM, 0, CSUM },
	{ TUN_F_CSUM | TUN_F_UFO, 0, CSUM },
	{ TUN_F_CSUM | TUN_F_TSO4, 0, CSUM | TSO },
	{ TUN_F_CSUM | TUN_F_TSO6, 0, CSUM | TSO6 },
	{ TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO_ECN, 0, CSUM | TSO | ECN },
	{ TUN_F_CSUM | TUN_F_TSO6 | TUN_F_TSO_ECN, 0, CSUM | TSO6 | ECN },
	{ TUN_F_CSUM | TUN_F_USO4 | TUN_F_USO6, 0, CSUM | USO },
	{ TUN_F_CSUM | TUN_F_TSO4 | TUN_F_UDP_TUNNEL_GSO, 0,
	  CSUM | TSO | TNL },
	{ TUN_F_CSUM | TUN_F_TSO6 | TUN_F_UDP_TUNNEL_GSO |
	  TUN_F_UDP_TUNNEL_GSO_CSUM, 0, CSUM | TSO6 | TNL | TNL_CSUM },
	{ TUN_F_CSUM | TUN_F_USO4 | TUN_F_USO6 | TUN_F_UDP_TUNNEL_GSO, 0,
	  CSUM | USO | TNL },
	{ 0x1ff, 0, USER },
	{ 0, 0, 0 },
	/* What is without the one that it needs, or unknown. */
	{ TUN_F_TSO4, -EINVAL, 0 },
	{ TUN_F_TSO6 | TUN_F_TSO_ECN, -EINVAL, 0 },
	{ TUN_F_UFO, -EINVAL, 0 },
	{ TUN_F_USO4 | TUN_F_USO6, -EINVAL, 0 },
	{ TUN_F_TSO4 | TUN_F_UDP_TUNNEL_GSO, -EINVAL, 0 },
	{ TUN_F_CSUM | TUN_F_TSO_ECN, -EINVAL, 0 },
	{ TUN_F_CSUM | TUN_F_USO4, -EINVAL, 0 },
	{ TUN_F_CSUM | TUN_F_USO6, -EINVAL, 0 },
	{ TUN_F_CSUM | TUN_F_USO4 | TUN_F_UDP_TUNNEL_GSO, -EINVAL, 0 },
	{ TUN_F_CSUM | TUN_F_UDP_TUNNEL_GSO, -EINVAL, 0 },
	{ TUN_F_CSUM | TUN_F_UFO | TUN_F_UDP_TUNNEL_GSO, -EINVAL, 0 },
	{ TUN_F_CSUM | TUN_F_TSO4 | TUN_F_UDP_TUNNEL_GSO_CSUM, -EINVAL, 0 },
	{ TUN_F_CSUM | 0x200, -EINVAL, 0 },
	{ 0x80000000UL, -EINVAL, 0 },
	{ ~0UL, -EINVAL, 0 },
};

TEST_F(eth, offload)
{
	int before = ALWAYS;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(offloads); i++) {
		unsigned long arg = offloads[i].arg;

		EXPECT_EQ(offloads[i].result,
			  tun_ioctl(self->fd, TUNSETOFFLOAD, arg))
			TH_LOG("offload %#lx", arg);
		/* A refusal changes nothing. */
		if (!offloads[i].result)
			before = ALWAYS | offloads[i].features;
		EXPECT_EQ(before, features_active())
			TH_LOG("offload %#lx", arg);
	}
}

#ifdef __LP64__
TEST_F(eth, offload_high_bits)
{
	EXPECT_EQ(-EINVAL, tun_ioctl(self->fd, TUNSETOFFLOAD,
				     1UL << 32 | TUN_F_CSUM));
	EXPECT_EQ(0, tun_ioctl_compat(self->fd, TUNSETOFFLOAD, TUN_F_CSUM));
	EXPECT_EQ(ALWAYS | CSUM, features_active());
}
#endif

/* The administrator turns off what the reader takes, never on what it does not. */
TEST_F(eth, offload_and_ethtool)
{
	struct features f;

	ASSERT_EQ(0, tun_ioctl(self->fd, TUNSETOFFLOAD,
			       TUN_F_CSUM | TUN_F_TSO4));
	EXPECT_EQ(0, feature_set(__builtin_ctz(TSO), false));
	EXPECT_EQ(ALWAYS | CSUM, features_active());
	EXPECT_EQ(0, feature_set(__builtin_ctz(TSO), true));
	EXPECT_EQ(ALWAYS | CSUM | TSO, features_active());
	EXPECT_EQ(ETHTOOL_F_WISH, feature_set(__builtin_ctz(USO), true));
	EXPECT_EQ(ALWAYS | CSUM | TSO, features_active());
	/* Segments need checksums. */
	EXPECT_EQ(0, feature_set(__builtin_ctz(CSUM), false));
	EXPECT_EQ(0, features_active() & (CSUM | TSO));
	/* What the reader asks for next is wanted again, and on. */
	ASSERT_EQ(0, tun_ioctl(self->fd, TUNSETOFFLOAD,
			       TUN_F_CSUM | TUN_F_TSO6));
	ASSERT_EQ(0, features_get(&f));
	EXPECT_EQ(ALWAYS | CSUM | TSO6, f.active);
	EXPECT_EQ(ALWAYS | CSUM | TSO6, f.wanted);
}

/* They are the device's: they outlive the file, and any queue sets them. */
TEST_F(eth, offload_of_the_device)
{
	int second;

	ASSERT_EQ(0, tun_ioctl(self->fd, TUNSETOFFLOAD,
			       TUN_F_CSUM | TUN_F_TSO4));
	ASSERT_EQ(0, tun_ioctl(self->fd, TUNSETPERSIST, 1));
	close(self->fd);
	EXPECT_EQ(ALWAYS | CSUM | TSO, features_active());
	self->fd = tun_create("ours", variant->flags);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, tun_ioctl(self->fd, TUNSETPERSIST, 0));
	EXPECT_EQ(ALWAYS | CSUM | TSO, features_active());
	if (!(variant->flags & IFF_MULTI_QUEUE))
		return;
	second = tun_create("ours", variant->flags);
	ASSERT_LE(0, second);
	ASSERT_EQ(0, tun_queue(second, IFF_DETACH_QUEUE));
	EXPECT_EQ(0, tun_ioctl(second, TUNSETOFFLOAD, TUN_F_CSUM));
	EXPECT_EQ(ALWAYS | CSUM, features_active());
	close(second);
}

/* A VLAN above hands checksums down. It hears of a change later, so make two. */
TEST_F(eth, offload_of_a_vlan)
{
	int vlan;

	if (!(variant->flags & IFF_TAP))
		SKIP(return, "a VLAN needs Ethernet");
	ASSERT_EQ(0, link_set_name(self->index, "lower"));
	vlan = link_create_vlan(self->index, "ours", 5);
	ASSERT_LE(0, vlan);
	EXPECT_EQ(0, features_active() & CSUM);
	ASSERT_EQ(0, link_delete(link_index("ours")));
	ASSERT_EQ(0, tun_ioctl(self->fd, TUNSETOFFLOAD, TUN_F_CSUM));
	vlan = link_create_vlan(self->index, "ours", 5);
	ASSERT_LE(0, vlan);
	EXPECT_EQ(CSUM, features_active() & CSUM);
}

TEST_F(eth, driver_info)
{
	struct ethtool_drvinfo info = { .cmd = ETHTOOL_GDRVINFO };

	ASSERT_EQ(0, eth(&info));
	EXPECT_STREQ(tun_kind(), info.driver);
	EXPECT_STREQ(tun_is_rtun() ? "0.1.0" : "1.6", info.version);
	EXPECT_STREQ(variant->flags & IFF_TAP ? "tap" : "tun", info.bus_info);
	EXPECT_EQ(tun_is_rtun(), info.n_stats > 0);
}

/* The same level by ethtool and by TUNSETDEBUG. */
TEST_F(eth, message_level)
{
	uint32_t level = ~0;

	ASSERT_EQ(0, eth_value(ETHTOOL_GMSGLVL, &level));
	EXPECT_EQ(0, level);
	level = 5;
	ASSERT_EQ(0, eth_value(ETHTOOL_SMSGLVL, &level));
	level = 0;
	ASSERT_EQ(0, eth_value(ETHTOOL_GMSGLVL, &level));
	EXPECT_EQ(5, level);
	ASSERT_EQ(0, tun_ioctl(self->fd, TUNSETDEBUG, 3));
	ASSERT_EQ(0, eth_value(ETHTOOL_GMSGLVL, &level));
	EXPECT_EQ(3, level);
	ASSERT_EQ(0, tun_ioctl(self->fd, TUNSETDEBUG, -1));
	ASSERT_EQ(0, eth_value(ETHTOOL_GMSGLVL, &level));
	EXPECT_EQ(~0U, level);
}

/* An ioctl that has never done anything. */
TEST_F(eth, no_checksum)
{
	EXPECT_EQ(0, tun_ioctl(self->fd, TUNSETNOCSUM, 1));
	EXPECT_EQ(0, tun_ioctl(self->fd, TUNSETNOCSUM, 0));
	EXPECT_EQ(ALWAYS, features_active());
}

TEST_F(eth, link)
{
	int on = 1, off = 0;
	uint32_t link = ~0;

	ASSERT_EQ(0, eth_value(ETHTOOL_GLINK, &link));
	EXPECT_EQ(0, link);
	ASSERT_EQ(0, link_up(self->index, true));
	ASSERT_EQ(0, eth_value(ETHTOOL_GLINK, &link));
	EXPECT_EQ(1, link);
	ASSERT_EQ(0, tun_ioctl_ptr(self->fd, TUNSETCARRIER, &off));
	ASSERT_EQ(0, eth_value(ETHTOOL_GLINK, &link));
	EXPECT_EQ(0, link);
	ASSERT_EQ(0, tun_ioctl_ptr(self->fd, TUNSETCARRIER, &on));
	ASSERT_EQ(0, eth_value(ETHTOOL_GLINK, &link));
	EXPECT_EQ(1, link);
}

static int combined(struct __test_metadata *_metadata)
{
	struct ethtool_channels channels = { .cmd = ETHTOOL_GCHANNELS };

	EXPECT_EQ(0, eth(&channels));
	EXPECT_EQ(0, channels.rx_count + channels.max_rx);
	EXPECT_EQ(0, channels.tx_count + channels.max_tx);
	return channels.combined_count;
}

TEST_F(eth, channels)
{
	bool multi = variant->flags & IFF_MULTI_QUEUE;
	struct ethtool_channels channels = { .cmd = ETHTOOL_GCHANNELS };
	int fds[2];

	ASSERT_EQ(0, eth(&channels));
	EXPECT_EQ(1, channels.combined_count);
	EXPECT_EQ(multi ? tun_max_queues() : 1, channels.max_combined);
	channels.cmd = ETHTOOL_SCHANNELS;
	EXPECT_EQ(-EOPNOTSUPP, eth(&channels));
	if (!multi)
		return;
	ASSERT_EQ(0, tun_attach_all("ours", variant->flags, fds, 2));
	EXPECT_EQ(3, combined(_metadata));
	ASSERT_EQ(0, tun_queue(fds[0], IFF_DETACH_QUEUE));
	EXPECT_EQ(2, combined(_metadata));
	ASSERT_EQ(0, tun_queue(fds[0], IFF_ATTACH_QUEUE));
	EXPECT_EQ(3, combined(_metadata));
	tun_close_all(fds, 2);
	EXPECT_EQ(1, combined(_metadata));
	ASSERT_EQ(0, tun_queue(self->fd, IFF_DETACH_QUEUE));
	EXPECT_EQ(0, combined(_metadata));
}

static int rx_frames(uint32_t n)
{
	struct ethtool_coalesce set = {
		.cmd = ETHTOOL_SCOALESCE, .rx_max_coalesced_frames = n,
	}, get = { .cmd = ETHTOOL_GCOALESCE };
	int err = eth(&set);

	if (!err)
		err = eth(&get);
	return err ? err : (int)get.rx_max_coalesced_frames;
}

/* At most what NAPI takes in one round. */
TEST_F(eth, coalesce)
{
	struct ethtool_coalesce coalesce = { .cmd = ETHTOOL_GCOALESCE };

	ASSERT_EQ(0, eth(&coalesce));
	EXPECT_EQ(0, coalesce.rx_max_coalesced_frames);
	EXPECT_EQ(1, rx_frames(1));
	EXPECT_EQ(64, rx_frames(64));
	EXPECT_EQ(64, rx_frames(65));
	EXPECT_EQ(0, rx_frames(0));
	EXPECT_EQ(64, rx_frames(~0));
	/* Nothing else is to be set. */
	coalesce.cmd = ETHTOOL_SCOALESCE;
	coalesce.rx_max_coalesced_frames = 7;
	coalesce.rx_coalesce_usecs = 1;
	EXPECT_EQ(-EOPNOTSUPP, eth(&coalesce));
	coalesce.rx_coalesce_usecs = 0;
	coalesce.tx_max_coalesced_frames = 1;
	EXPECT_EQ(-EOPNOTSUPP, eth(&coalesce));
	coalesce.cmd = ETHTOOL_GCOALESCE;
	ASSERT_EQ(0, eth(&coalesce));
	EXPECT_EQ(64, coalesce.rx_max_coalesced_frames);
}

struct link_settings {
	struct ethtool_link_settings base;
	uint32_t masks[3 * SCHAR_MAX];
};

/* The first answer is how many words a mask has, below zero. */
static int link_settings_get(struct link_settings *s)
{
	int err;

	memset(s, 0, sizeof(*s));
	s->base.cmd = ETHTOOL_GLINKSETTINGS;
	err = eth(s);
	if (err)
		return err;
	s->base.cmd = ETHTOOL_GLINKSETTINGS;
	s->base.link_mode_masks_nwords = -s->base.link_mode_masks_nwords;
	return eth(s);
}

TEST_F(eth, link_settings_new_device)
{
	struct link_settings s;
	char buf[32];
	int i;

	ASSERT_EQ(0, link_settings_get(&s));
	EXPECT_EQ(SPEED_10000, s.base.speed);
	EXPECT_EQ(DUPLEX_FULL, s.base.duplex);
	EXPECT_EQ(PORT_TP, s.base.port);
	EXPECT_EQ(0, s.base.phy_address);
	EXPECT_EQ(AUTONEG_DISABLE, s.base.autoneg);
	for (i = 0; i < 3 * s.base.link_mode_masks_nwords; i++)
		EXPECT_EQ(0, s.masks[i]);
	ASSERT_EQ(0, link_up(self->index, true));
	ASSERT_LT(0, netdev_attr("ours", "speed", buf, sizeof(buf)));
	EXPECT_STREQ("10000", buf);
	ASSERT_LT(0, netdev_attr("ours", "duplex", buf, sizeof(buf)));
	EXPECT_STREQ("full", buf);
}

/* Whatever is set is what is shown: it means nothing to the device. */
TEST_F(eth, link_settings_set)
{
	struct link_settings s, now;
	char buf[32];
	int nwords;

	ASSERT_EQ(0, link_settings_get(&s));
	nwords = s.base.link_mode_masks_nwords;
	s.base.cmd = ETHTOOL_SLINKSETTINGS;
	s.base.speed = 1234;
	s.base.duplex = DUPLEX_HALF;
	s.base.port = PORT_FIBRE;
	s.base.phy_address = 7;
	s.base.autoneg = AUTONEG_ENABLE;
	s.masks[0] = 1;
	s.masks[nwords] = 2;
	s.masks[2 * nwords] = 4;
	ASSERT_EQ(0, eth(&s));
	ASSERT_EQ(0, link_settings_get(&now));
	EXPECT_EQ(1234, now.base.speed);
	EXPECT_EQ(DUPLEX_HALF, now.base.duplex);
	EXPECT_EQ(PORT_FIBRE, now.base.port);
	EXPECT_EQ(7, now.base.phy_address);
	EXPECT_EQ(AUTONEG_ENABLE, now.base.autoneg);
	EXPECT_EQ(1, now.masks[0]);
	EXPECT_EQ(2, now.masks[nwords]);
	EXPECT_EQ(4, now.masks[2 * nwords]);
	ASSERT_EQ(0, link_up(self->index, true));
	ASSERT_LT(0, netdev_attr("ours", "speed", buf, sizeof(buf)));
	EXPECT_STREQ("1234", buf);
}

/* They are the device's, and stay with it. */
TEST_F(eth, settings_of_persistent)
{
	struct link_settings s;
	uint32_t level = 9;

	ASSERT_EQ(0, tun_ioctl(self->fd, TUNSETPERSIST, 1));
	ASSERT_EQ(0, link_settings_get(&s));
	s.base.cmd = ETHTOOL_SLINKSETTINGS;
	s.base.speed = SPEED_100;
	ASSERT_EQ(0, eth(&s));
	ASSERT_EQ(0, eth_value(ETHTOOL_SMSGLVL, &level));
	close(self->fd);
	self->fd = tun_create("ours", variant->flags);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, tun_ioctl(self->fd, TUNSETPERSIST, 0));
	ASSERT_EQ(0, link_settings_get(&s));
	EXPECT_EQ(SPEED_100, s.base.speed);
	ASSERT_EQ(0, eth_value(ETHTOOL_GMSGLVL, &level));
	EXPECT_EQ(9, level);
}

TEST_F(eth, time_stamps)
{
	struct ethtool_ts_info info = { .cmd = ETHTOOL_GET_TS_INFO };

	ASSERT_EQ(0, eth(&info));
	EXPECT_EQ(SOF_TIMESTAMPING_TX_SOFTWARE |
		  SOF_TIMESTAMPING_RX_SOFTWARE |
		  SOF_TIMESTAMPING_SOFTWARE, info.so_timestamping);
	EXPECT_EQ(-1, info.phc_index);
}

/* What there is no hardware for. */
TEST_F(eth, not_supported)
{
	static const uint32_t cmds[] = {
		ETHTOOL_GRINGPARAM, ETHTOOL_GPAUSEPARAM, ETHTOOL_NWAY_RST,
		ETHTOOL_GREGS, ETHTOOL_GEEPROM, ETHTOOL_GWOL,
		ETHTOOL_PHYS_ID, ETHTOOL_RESET,
	};
	char buf[256];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cmds); i++) {
		memset(buf, 0, sizeof(buf));
		memcpy(buf, &cmds[i], sizeof(cmds[i]));
		EXPECT_EQ(-EOPNOTSUPP, eth(buf))
			TH_LOG("command %#x", cmds[i]);
	}
}

TEST_HARNESS_MAIN
