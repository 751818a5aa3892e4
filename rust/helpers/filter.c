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

static void free_classic(struct rcu_head *rcu)
{
	struct bpf_prog_aux *aux = container_of(rcu, struct bpf_prog_aux, rcu);

	bpf_prog_destroy(aux->prog);
}

/* A classic program has no type, and bpf_prog_destroy() does not wait for who runs it. */
void rtun_bpf_prog_release_rcu(struct bpf_prog *prog)
{
	if (prog->type != BPF_PROG_TYPE_UNSPEC)
		bpf_prog_put(prog);
	else
		call_rcu(&prog->aux->rcu, free_classic);
}
