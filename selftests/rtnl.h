/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The little of rtnetlink that the tests need, in the caller's namespace.
 * Functions return a value >= 0, or a negative errno.
 */
#ifndef RTNL_H
#define RTNL_H

#include <stdbool.h>
#include <stdint.h>
#include <linux/if_link.h>

/* What the kernel says about a link. Attributes it left out are -1. */
struct link_info {
	int index, type;
	unsigned int flags;
	char name[16], kind[16];
	int64_t mtu, min_mtu, max_mtu, txqlen, carrier, num_tx_queues;
	uint8_t addr[32];
	int addr_len;
	/* The link kind's own. */
	int64_t tun_type, owner, group, pi, vnet_hdr, persist, multi_queue;
	int64_t queues, disabled;
	int64_t xdp_mode, xdp_id;	/* XDP_ATTACHED_*, and of the program */
	struct rtnl_link_stats64 stats;
};

int link_index(const char *name);
int link_get(int index, struct link_info *info);
int link_count_kind(const char *kind, const char *name);
int link_create(const char *kind, const char *name);
int link_create_gretap(const char *name, uint32_t remote);
int link_create_vlan(int lower, const char *name, int id);
int link_create_veth(const char *name, const char *peer);
int link_delete(int index);
int link_delete_kind(const char *kind);
int link_up(int index, bool up);
int link_set_u32(int index, int attr, uint32_t value);
int link_set_u8(int index, int attr, uint8_t value);
int link_set_address(int index, const void *addr, int len);
int link_set_name(int index, const char *name);
int link_set_ns(int index, int ns_fd);
int link_set_xdp(int index, int prog, uint32_t flags);
int addr_add4(int index, uint32_t addr, int prefix);
int addr_add6(int index, const uint8_t addr[16], int prefix);
int neigh_add4(int index, uint32_t addr, const uint8_t mac[6]);
int qdisc_set_rate(int index, uint32_t rate, uint32_t burst);
int qdisc_add_slow(int index, uint32_t burst);
int qdisc_delete(int index);

/* Queueing disciplines: of so many packets, if limit is not 0. */
int qdisc_set(int index, uint32_t parent, uint32_t handle, const char *kind,
	      uint32_t limit);
int64_t qdisc_length(int index, uint32_t handle);

/* Waits, bounded, on notifications. */
int rtnl_monitor(void);
typedef bool link_pred(const struct link_info *info, int64_t arg);
int link_wait(int index, link_pred *pred, int64_t arg);
int link_wait_gone(int index);
bool link_is_running(const struct link_info *info, int64_t running);

#endif /* RTNL_H */
