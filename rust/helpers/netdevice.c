// SPDX-License-Identifier: GPL-2.0

#include <linux/etherdevice.h>
#include <linux/netdevice.h>

#include "helpers.h"

void *rtun_netdev_priv(const struct net_device *dev)
{
	return netdev_priv(dev);
}

struct net_device *rtun_netdev_from_priv(const void *priv)
{
	return (void *)priv - offsetof(struct net_device, priv);
}

void rtun_dev_hold(struct net_device *dev)
{
	netdev_hold(dev, NULL, GFP_ATOMIC);
}

void rtun_dev_put(struct net_device *dev)
{
	netdev_put(dev, NULL);
}

void rtun_dev_copy_name(const struct net_device *dev, char *name)
{
	/* Behind the end there may be that of the name before. */
	strscpy_pad(name, dev->name, IFNAMSIZ);
}

struct net *rtun_dev_net(const struct net_device *dev)
{
	return dev_net(dev);
}

void rtun_dev_net_set(struct net_device *dev, struct net *net)
{
	dev_net_set(dev, net);
}

enum netdev_reg_state rtun_dev_reg_state(const struct net_device *dev)
{
	return READ_ONCE(dev->reg_state);
}

bool rtun_dev_has_gso_udp_tunnel(const struct net_device *dev)
{
	return dev->features & NETIF_F_GSO_UDP_TUNNEL;
}

/* No lock around transmit, the driver's own statistics; a reader in hardware's place. */
void rtun_dev_set_software(struct net_device *dev, netdev_features_t offloads)
{
	dev->lltx = true;
	dev->vlan_features = NETIF_F_SG | NETIF_F_FRAGLIST | offloads;
	dev->hw_features = dev->vlan_features |
			   NETIF_F_HW_VLAN_CTAG_TX | NETIF_F_HW_VLAN_STAG_TX;
	dev->features = dev->hw_features;
	dev->hw_enc_features = dev->hw_features;
}

/* What ether_setup() says of a device that owns its packets for any time. */
void rtun_tap_priv_flags(struct net_device *dev)
{
	dev->priv_flags &= ~IFF_TX_SKB_SHARING;
	dev->priv_flags |= IFF_LIVE_ADDR_CHANGE;
}

void rtun_netif_tx_start_all_queues(struct net_device *dev)
{
	netif_tx_start_all_queues(dev);
}

void rtun_netif_tx_stop_all_queues(struct net_device *dev)
{
	netif_tx_stop_all_queues(dev);
}

bool rtun_netif_running(const struct net_device *dev)
{
	return netif_running(dev);
}

bool rtun_txq_has_qdisc(struct net_device *dev, unsigned int txq)
{
	return !qdisc_txq_has_no_queue(netdev_get_tx_queue(dev, txq));
}

/*
 * Packets that wait there, as many as those that are to be cut become. RCU keeps the qdisc; other
 * CPUs change what is read.
 */
unsigned int rtun_txq_backlog(struct net_device *dev, unsigned int txq)
{
	struct Qdisc *qdisc = rcu_dereference(netdev_get_tx_queue(dev, txq)->qdisc);
	u32 packets, bytes;

	qdisc_qstats_qlen_backlog(qdisc, &packets, &bytes);
	return max(packets, bytes / READ_ONCE(dev->mtu));
}

bool rtun_netdev_xmit_more(void)
{
	return netdev_xmit_more();
}

/* Both say whether that is new. */
bool rtun_txq_stop(struct net_device *dev, unsigned int txq)
{
	struct netdev_queue *queue = netdev_get_tx_queue(dev, txq);
	bool stopped = netif_tx_queue_stopped(queue);

	netif_tx_stop_queue(queue);
	return !stopped;
}

bool rtun_txq_wake(struct net_device *dev, unsigned int txq)
{
	struct netdev_queue *queue = netdev_get_tx_queue(dev, txq);

	/* Most are not stopped: their cache lines stay shared. */
	if (!netif_tx_queue_stopped(queue))
		return false;
	netif_tx_wake_queue(queue);
	return true;
}

void rtun_txq_trans_cond_update(struct net_device *dev, unsigned int txq)
{
	txq_trans_cond_update(netdev_get_tx_queue(dev, txq));
}

void rtun_dev_stats_to_stats64(const struct net_device *dev, struct rtnl_link_stats64 *stats)
{
	netdev_stats_to_stats64(stats, &dev->stats);
}

struct pcpu_sw_netstats __percpu *rtun_netstats_alloc(void)
{
	return netdev_alloc_pcpu_stats(struct pcpu_sw_netstats);
}

void rtun_netstats_free(struct pcpu_sw_netstats __percpu *stats)
{
	free_percpu(stats);
}

/* Of Rust's pointers, none is of another address space: a call with one is not inlined. */
static struct pcpu_sw_netstats __percpu *as_percpu(void *stats)
{
	return (struct pcpu_sw_netstats __force __percpu *)(unsigned long)stats;
}

/* The task stays on its CPU meanwhile. */
void rtun_netstats_rx_add(void *stats, unsigned int packets, unsigned int len)
{
	struct pcpu_sw_netstats *here = this_cpu_ptr(as_percpu(stats));
	unsigned long flags = u64_stats_update_begin_irqsave(&here->syncp);

	u64_stats_add(&here->rx_packets, packets);
	u64_stats_add(&here->rx_bytes, len);
	u64_stats_update_end_irqrestore(&here->syncp, flags);
}

void rtun_netstats_tx_add(void *stats, unsigned int packets, unsigned int len)
{
	struct pcpu_sw_netstats *here = this_cpu_ptr(as_percpu(stats));
	unsigned long flags = u64_stats_update_begin_irqsave(&here->syncp);

	u64_stats_add(&here->tx_packets, packets);
	u64_stats_add(&here->tx_bytes, len);
	u64_stats_update_end_irqrestore(&here->syncp, flags);
}

void rtun_netstats_tx_sub(struct pcpu_sw_netstats __percpu *stats, unsigned int len)
{
	struct pcpu_sw_netstats *here = get_cpu_ptr(stats);
	unsigned long flags = u64_stats_update_begin_irqsave(&here->syncp);

	/* What is added is a long, of 32 bits on some. */
	u64_stats_set(&here->tx_packets, u64_stats_read(&here->tx_packets) - 1);
	u64_stats_set(&here->tx_bytes, u64_stats_read(&here->tx_bytes) - len);
	u64_stats_update_end_irqrestore(&here->syncp, flags);
	put_cpu_ptr(stats);
}

void rtun_dev_set_sysfs_group(struct net_device *dev, const struct attribute_group *group)
{
	dev->sysfs_groups[0] = group;
}

void rtun_eth_hw_addr_random(struct net_device *dev)
{
	eth_hw_addr_random(dev);
}

int rtun_notifier_to_errno(int ret)
{
	return notifier_to_errno(ret);
}

struct net_device *rtun_netdev_notifier_info_to_dev(void *info)
{
	return netdev_notifier_info_to_dev(info);
}

/* Packets that are linked by next and prev, from first to last. Softirqs are off. */
void rtun_netif_receive_skb_list(struct sk_buff *first, struct sk_buff *last)
{
	struct list_head list;

	if (first == last) {
		if (first)
			netif_receive_skb(first);
		return;
	}
	list.next = &first->list;
	list.prev = &last->list;
	first->list.prev = &list;
	last->list.next = &list;
	netif_receive_skb_list(&list);
}
