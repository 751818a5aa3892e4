// SPDX-License-Identifier: GPL-2.0

#include <linux/virtio_net.h>

#include "helpers.h"

int rtun_virtio_net_hdr_to_skb(struct sk_buff *skb,
			       const struct virtio_net_hdr_v1_hash_tunnel *hdr,
			       bool tunnel, bool little_endian)
{
	return virtio_net_hdr_tnl_to_skb(skb, hdr, tunnel, tunnel,
					 little_endian);
}

int rtun_virtio_net_hdr_from_skb(const struct sk_buff *skb,
				 struct virtio_net_hdr_v1_hash_tunnel *hdr,
				 bool tunnel, bool little_endian, int vlan_hlen)
{
	return virtio_net_hdr_tnl_from_skb(skb, hdr, tunnel, little_endian,
					   vlan_hlen, true, false);
}
