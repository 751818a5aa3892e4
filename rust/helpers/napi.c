// SPDX-License-Identifier: GPL-2.0

#include <linux/netdevice.h>
#include <net/sock.h>

#include "helpers.h"

void rtun_napi_add_tx(struct net_device *dev, struct napi_struct *napi,
		      int (*poll)(struct napi_struct *napi, int budget))
{
	netif_napi_add_tx(dev, napi, poll);
}

/* As netif_napi_add_tx() does: it is not scheduled before it is enabled. */
void rtun_napi_set_sched(struct napi_struct *napi)
{
	set_bit(NAPI_STATE_SCHED, &napi->state);
}

void rtun___napi_del(struct napi_struct *napi)
{
	__netif_napi_del(napi);
}

/* A softirq that is raised here runs at once. */
void rtun_napi_schedule(struct napi_struct *napi)
{
	local_bh_disable();
	napi_schedule(napi);
	local_bh_enable();
}

/* Gives a context packets that are linked by next. */
void rtun_napi_receive_list(struct napi_struct *napi, struct sk_buff_head *queue,
			    struct sk_buff *first)
{
	struct sk_buff *skb, *next;

	spin_lock_bh(&queue->lock);
	skb_list_walk_safe(first, skb, next)
		__skb_queue_tail(queue, skb);
	spin_unlock(&queue->lock);
	napi_schedule(napi);
	local_bh_enable();
}

/* GRO is told of a packet that is charged to its writer: it may keep only its bytes. */
void rtun_napi_gro_receive(struct napi_struct *napi, struct sk_buff *skb)
{
	skb_prepare_for_gro(skb);
	napi_gro_receive(napi, skb);
}

void rtun_skb_queue_head_init(struct sk_buff_head *queue)
{
	skb_queue_head_init(queue);
}
