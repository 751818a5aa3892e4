// SPDX-License-Identifier: GPL-2.0

#include <linux/bpf.h>
#include <linux/filter.h>

#include "helpers.h"

struct bpf_prog *rtun_bpf_prog_get_socket_filter(u32 fd)
{
	return bpf_prog_get_type(fd, BPF_PROG_TYPE_SOCKET_FILTER);
}

/* The packet's control block is for the program's use, and is the stack's after. */
u32 rtun_bpf_prog_run(const struct bpf_prog *prog, struct sk_buff *skb)
{
	return bpf_prog_run_save_cb(prog, skb);
}
