// SPDX-License-Identifier: GPL-2.0

#include <linux/bpf_trace.h>
#include <linux/filter.h>
#include <net/xdp.h>
#include <trace/events/xdp.h>

#include "helpers.h"

/* Programs run after this, until rtun_xdp_leave() is given what it returns. */
struct bpf_net_context *rtun_xdp_enter(struct bpf_net_context *context)
{
	local_bh_disable();
	return bpf_net_ctx_set(context);
}

void rtun_xdp_leave(struct bpf_net_context *context)
{
	bpf_net_ctx_clear(context);
	local_bh_enable();
}

u32 rtun_bpf_prog_run_xdp(const struct bpf_prog *prog, struct xdp_buff *xdp)
{
	return bpf_prog_run_xdp(prog, xdp);
}

/* The program sees the packet from its link header on. */
int rtun_do_xdp_generic(const struct bpf_prog *prog, struct sk_buff **skb,
			struct net_device *dev)
{
	(*skb)->dev = dev;
	if (!skb_mac_header_was_set(*skb))
		skb_reset_mac_header(*skb);
	return do_xdp_generic(prog, skb);
}

struct xdp_frame *rtun_xdp_convert_buff_to_frame(struct xdp_buff *xdp)
{
	return xdp_convert_buff_to_frame(xdp);
}

/* Neither step can fail: there is a device, and no allocator. */
void rtun_xdp_rxq_info_reg(struct xdp_rxq_info *info, struct net_device *dev, u32 index)
{
	WARN_ON_ONCE(xdp_rxq_info_reg(info, dev, index, 0));
	WARN_ON_ONCE(xdp_rxq_info_reg_mem_model(info, MEM_TYPE_PAGE_SHARED, NULL));
}

void rtun_trace_xdp_exception(const struct net_device *dev,
			      const struct bpf_prog *prog, u32 act)
{
	trace_xdp_exception(dev, prog, act);
}
