// SPDX-License-Identifier: GPL-2.0

#include <linux/if_tun.h>
#include <linux/net.h>

#include "helpers.h"

#define CREATE_TRACE_POINTS
#include "trace.h"

void rtun_trace_refused(const char *ifname, unsigned int cmd, const char *reason, int err)
{
	trace_rtun_refused(ifname, cmd, reason, err);
	net_dbg_ratelimited("rtun: %s: %s: %s (%d)\n", ifname,
			    cmd == TUNSETIFF ? "TUNSETIFF" : "TUNSETQUEUE", reason, err);
}
