// SPDX-License-Identifier: GPL-2.0

#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/skbuff.h>
#include <net/flow_dissector.h>
#include <net/ip.h>
#include <net/net_namespace.h>

#include "helpers.h"

/*
 * Most packets are TCP or UDP right behind an IP header without options. What the
 * dissector takes from them is taken here at once: it must stay the same, for all
 * packets of a flow are to have one hash.
 */
static bool fill_keys(struct flow_keys *keys, __be16 proto, const void *data, int len)
{
	const struct ipv6hdr *ip6 = data;
	const struct iphdr *ip = data;
	int header;

	switch (proto) {
	case htons(ETH_P_IP):
		header = sizeof(*ip);
		if (len < header + (int)sizeof(keys->ports.ports) || ip->ihl != 5 ||
		    ip_is_fragment(ip))
			return false;
		keys->basic.ip_proto = ip->protocol;
		keys->control.addr_type = FLOW_DISSECTOR_KEY_IPV4_ADDRS;
		memcpy(&keys->addrs.v4addrs, &ip->saddr, sizeof(keys->addrs.v4addrs));
		break;
	case htons(ETH_P_IPV6):
		header = sizeof(*ip6);
		if (len < header + (int)sizeof(keys->ports.ports))
			return false;
		keys->basic.ip_proto = ip6->nexthdr;
		keys->control.addr_type = FLOW_DISSECTOR_KEY_IPV6_ADDRS;
		memcpy(&keys->addrs.v6addrs, &ip6->saddr, sizeof(keys->addrs.v6addrs));
		break;
	default:
		return false;
	}
	keys->basic.n_proto = proto;
	memcpy(&keys->ports.ports, data + header, sizeof(keys->ports.ports));
	return keys->basic.ip_proto == IPPROTO_TCP || keys->basic.ip_proto == IPPROTO_UDP;
}

/* Whether a program dissects the packets of a namespace, as it likes. */
static bool has_program(const struct net *net)
{
	return rcu_access_pointer(init_net.bpf.run_array[NETNS_BPF_FLOW_DISSECTOR]) ||
	       rcu_access_pointer(net->bpf.run_array[NETNS_BPF_FLOW_DISSECTOR]);
}

/* What __skb_get_hash_symmetric() says. */
noinline u32 rtun_skb_get_hash_symmetric(const struct sk_buff *skb)
{
	int offset = skb_network_offset(skb);
	struct flow_keys keys = { 0 };

	if (likely(offset >= 0 && skb->dev && !skb_vlan_tag_present(skb) &&
		   !has_program(dev_net(skb->dev)) &&
		   fill_keys(&keys, skb->protocol, skb_network_header(skb),
			     (int)skb_headlen(skb) - offset)))
		return flow_hash_from_keys(&keys);
	return __skb_get_hash_symmetric(skb);
}

/* As the stack computes it for a packet of this frame. */
noinline u32 rtun_eth_hash_symmetric(const void *data, unsigned int len)
{
	static struct flow_dissector dissector __read_mostly = {
		.used_keys = BIT_ULL(FLOW_DISSECTOR_KEY_CONTROL) |
			     BIT_ULL(FLOW_DISSECTOR_KEY_BASIC) |
			     BIT_ULL(FLOW_DISSECTOR_KEY_IPV4_ADDRS) |
			     BIT_ULL(FLOW_DISSECTOR_KEY_IPV6_ADDRS) |
			     BIT_ULL(FLOW_DISSECTOR_KEY_PORTS),
		.offset = {
			[FLOW_DISSECTOR_KEY_CONTROL] = offsetof(struct flow_keys, control),
			[FLOW_DISSECTOR_KEY_BASIC] = offsetof(struct flow_keys, basic),
			[FLOW_DISSECTOR_KEY_IPV4_ADDRS] = offsetof(struct flow_keys, addrs),
			[FLOW_DISSECTOR_KEY_IPV6_ADDRS] = offsetof(struct flow_keys, addrs),
			[FLOW_DISSECTOR_KEY_PORTS] = offsetof(struct flow_keys, ports),
		},
	};
	const struct ethhdr *eth = data;
	struct flow_keys keys = { 0 };

	if (len >= ETH_HLEN && !has_program(&init_net) &&
	    fill_keys(&keys, eth->h_proto, data + ETH_HLEN, len - ETH_HLEN))
		return flow_hash_from_keys(&keys);
	memset(&keys, 0, sizeof(keys));
	if (len >= ETH_HLEN)
		__skb_flow_dissect(&init_net, NULL, &dissector, &keys, data,
				   eth->h_proto, ETH_HLEN, len, 0);
	return flow_hash_from_keys(&keys);
}
