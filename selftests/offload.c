// SPDX-License-Identifier: GPL-2.0-only
/* A device's offload features, by their names: see offload.h. */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include <linux/ethtool.h>
#include <linux/if.h>
#include <linux/sockios.h>

#include "offload.h"
#include "tun_test.h"

#define MAX_FEATURES	256
#define BLOCKS		(MAX_FEATURES / 32)

static int ethtool(const char *dev, void *request)
{
	int sock = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq ifr = { .ifr_data = request };
	int ret;

	if (sock < 0)
		return -errno;
	memcpy(ifr.ifr_name, dev, strnlen(dev, IFNAMSIZ - 1));
	ret = ioctl(sock, SIOCETHTOOL, &ifr);
	ret = ret < 0 ? -errno : ret;
	close(sock);
	return ret;
}

/* A name's bit, which may differ from kernel to kernel. */
static int feature_bit(const char *dev, const char *feature)
{
	struct {
		struct ethtool_gstrings head;
		char name[MAX_FEATURES][ETH_GSTRING_LEN];
	} strings;
	unsigned int i;
	int err;

	/* A length of none is "all of them". */
	memset(&strings, 0, sizeof(strings));
	strings.head.cmd = ETHTOOL_GSTRINGS;
	strings.head.string_set = ETH_SS_FEATURES;
	err = ethtool(dev, &strings);
	if (err)
		return err;
	for (i = 0; i < strings.head.len && i < MAX_FEATURES; i++)
		if (!strncmp(strings.name[i], feature, ETH_GSTRING_LEN))
			return i;
	return -ENOENT;
}

struct features {
	struct ethtool_gfeatures head;
	struct ethtool_get_features_block block[BLOCKS];
};

static int features_read(const char *dev, struct features *features)
{
	memset(features, 0, sizeof(*features));
	features->head.cmd = ETHTOOL_GFEATURES;
	features->head.size = BLOCKS;
	return ethtool(dev, features);
}

/* 1 when the feature is on. */
int feature_get(const char *dev, const char *feature)
{
	int err, bit = feature_bit(dev, feature);
	struct features features;

	if (bit < 0)
		return bit;
	err = features_read(dev, &features);
	return err ? err : features.block[bit / 32].active >> bit % 32 & 1;
}

/* For a device that follows another one's in its own time, unannounced. */
int feature_wait(const char *dev, const char *feature, bool on)
{
	int ret;

	wait_until((ret = feature_get(dev, feature)) == on || ret < 0);
	return ret < 0 ? ret : ret == on ? 0 : -ETIMEDOUT;
}

/* ETHTOOL_F_WISH when the device does not do as it is told. */
int feature_set(const char *dev, const char *feature, bool on)
{
	struct {
		struct ethtool_sfeatures head;
		struct ethtool_set_features_block block[BLOCKS];
	} set = { .head = { .cmd = ETHTOOL_SFEATURES } };
	int err, bit = feature_bit(dev, feature);
	struct features features;

	if (bit < 0)
		return bit;
	err = features_read(dev, &features);
	if (err)
		return err;
	/* As many blocks as the kernel has, no more and no less. */
	set.head.size = features.head.size;
	set.block[bit / 32].valid = 1u << bit % 32;
	set.block[bit / 32].requested = on ? 1u << bit % 32 : 0;
	return ethtool(dev, &set);
}
