/* SPDX-License-Identifier: GPL-2.0 */
/* The trace events, which tracefs shows in events/rtun. */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM rtun

#if !defined(RTUN_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define RTUN_TRACE_H

#include <linux/if_tun.h>
#include <linux/tracepoint.h>

/* An ioctl that binds a file, or attaches a queue, said no. */
TRACE_EVENT(rtun_refused,
	TP_PROTO(const char *ifname, unsigned int cmd, const char *reason, int err),
	TP_ARGS(ifname, cmd, reason, err),

	TP_STRUCT__entry(
		__string(ifname, ifname)
		__string(reason, reason)
		__field(unsigned int, cmd)
		__field(int, err)
	),

	TP_fast_assign(
		__assign_str(ifname);
		__assign_str(reason);
		__entry->cmd = cmd;
		__entry->err = err;
	),

	TP_printk("ifname=%s ioctl=%s reason=%s errno=%d",
		  __get_str(ifname),
		  __print_symbolic(__entry->cmd,
				   { TUNSETIFF, "TUNSETIFF" },
				   { TUNSETQUEUE, "TUNSETQUEUE" }),
		  __get_str(reason), __entry->err)
);

#endif /* RTUN_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
