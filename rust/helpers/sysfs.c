// SPDX-License-Identifier: GPL-2.0

#include <linux/netdevice.h>
#include <linux/sysfs.h>

#include "helpers.h"

struct net_device *rtun_to_net_dev(struct device *dev)
{
	return to_net_dev(dev);
}

int rtun_sysfs_emit_hex(char *page, u32 value)
{
	return sysfs_emit(page, "0x%x\n", value);
}

int rtun_sysfs_emit_decimal(char *page, s64 value)
{
	return sysfs_emit(page, "%lld\n", value);
}
