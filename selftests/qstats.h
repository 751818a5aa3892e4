/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the kernel counts of each queue (the netdev family of generic netlink),
 * and a driver's own statistics (ethtool -S).
 *
 * Functions return a value >= 0, or a negative errno.
 */
#ifndef QSTATS_H
#define QSTATS_H

#include <stdint.h>

/* Attributes that the kernel left out are -1. */
struct qstats {
	int64_t rx_packets, rx_bytes, rx_alloc_fail, rx_drops, rx_overruns;
	int64_t tx_packets, tx_bytes, tx_drops, tx_stop, tx_wake;
};

int qstats_device(int index, struct qstats *stats);
int qstats_queues(int index, struct qstats *stats, int max);

int64_t ethtool_stat(const char *dev, const char *name);
int ethtool_private_flags(const char *dev);
int ethtool_set_private_flags(const char *dev, uint32_t flags);

#endif /* QSTATS_H */
