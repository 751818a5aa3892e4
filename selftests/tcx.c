// SPDX-License-Identifier: GPL-2.0-only
/* BPF programs where packets come in: see tcx.h. */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <linux/bpf.h>

#include "tcx.h"

static long bpf(int cmd, union bpf_attr *attr)
{
	long ret = syscall(SYS_bpf, cmd, attr, sizeof(*attr));

	return ret < 0 ? -errno : ret;
}

static int attach(int index, const struct bpf_insn *code, size_t len)
{
	union bpf_attr load = {
		.prog_type = BPF_PROG_TYPE_SCHED_CLS,
		.insn_cnt = len, .insns = (uintptr_t)code,
		.license = (uintptr_t)"GPL",
	};
	union bpf_attr create = { .link_create = {
		.attach_type = BPF_TCX_INGRESS, .target_ifindex = index,
	} };
	int link, prog = bpf(BPF_PROG_LOAD, &load);

	if (prog < 0)
		return prog;
	create.link_create.prog_fd = prog;
	link = bpf(BPF_LINK_CREATE, &create);
	close(prog);
	return link;
}

/* Out they go by the other one, with whatever they are charged to. */
int tcx_redirect(int from, int to)
{
	const struct bpf_insn code[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_1,
		  .imm = to },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_2 },
		{ .code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_redirect },
		{ .code = BPF_JMP | BPF_EXIT },
	};

	return attach(from, code, sizeof(code) / sizeof(*code));
}

/* Their checksum is good, as a device would say that has looked at it. */
int tcx_vouch(int index)
{
	static const struct bpf_insn code[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_2,
		  .imm = BPF_CSUM_LEVEL_INC },
		{ .code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_csum_level },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0,
		  .imm = TCX_NEXT },
		{ .code = BPF_JMP | BPF_EXIT },
	};

	return attach(index, code, sizeof(code) / sizeof(*code));
}
