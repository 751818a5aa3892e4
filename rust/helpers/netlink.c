// SPDX-License-Identifier: GPL-2.0

#include <net/netlink.h>

#include "helpers.h"

int rtun_nla_put_u8(struct sk_buff *skb, int attrtype, u8 value)
{
	return nla_put_u8(skb, attrtype, value);
}

int rtun_nla_put_u32(struct sk_buff *skb, int attrtype, u32 value)
{
	return nla_put_u32(skb, attrtype, value);
}

size_t rtun_nla_total_size(int payload)
{
	return nla_total_size(payload);
}

void rtun_nl_set_err_msg(struct netlink_ext_ack *extack, const char *msg)
{
	if (extack)
		extack->_msg = msg;
}
