// SPDX-License-Identifier: GPL-2.0-only
/* Programs and maps: see bpf.h. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bpf.h"
#include "btf.h"
#include "rtnl.h"
#include "tun_test.h"

static int sys_bpf(int cmd, union bpf_attr *attr)
{
	int ret = syscall(SYS_bpf, cmd, attr, sizeof(*attr));

	return ret < 0 ? -errno : ret;
}

int bpf_load(int type, const struct bpf_insn *code, size_t insns)
{
	union bpf_attr attr = {
		.prog_type = type,
		.insns = (uintptr_t)code,
		.insn_cnt = insns,
		.license = (uintptr_t)"GPL",
	};

	return sys_bpf(BPF_PROG_LOAD, &attr);
}

int bpf_load_constant(int type, int value)
{
	const struct bpf_insn code[] = {
		INSN(BPF_ALU | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, value),
		INSN_EXIT,
	};

	return bpf_load(type, code, sizeof(code) / sizeof(*code));
}

int bpf_id(int prog)
{
	struct bpf_prog_info info = { 0 };
	union bpf_attr attr = {
		.info = {
			.bpf_fd = prog,
			.info_len = sizeof(info),
			.info = (uintptr_t)&info,
		},
	};
	int err = sys_bpf(BPF_OBJ_GET_INFO_BY_FD, &attr);

	return err ? err : (int)info.id;
}

/* Does anybody have the program still? */
int bpf_is_used(int id)
{
	union bpf_attr attr = { .prog_id = id };
	int fd = sys_bpf(BPF_PROG_GET_FD_BY_ID, &attr);

	if (fd >= 0)
		close(fd);
	return fd == -ENOENT ? 0 : fd < 0 ? fd : 1;
}

/* Returns when nobody has. Nothing announces that. */
int bpf_wait_freed(int id)
{
	int used;

	return wait_until((used = bpf_is_used(id)) <= 0) ? used : -ETIMEDOUT;
}

/* The device's driver has it now, and the only reference to it. */
int bpf_give_xdp(int ifindex, int prog)
{
	int err;

	if (prog < 0)
		return prog;
	err = link_set_xdp(ifindex, prog, XDP_FLAGS_DRV_MODE);
	close(prog);
	return err;
}

int bpf_give_verdict(int ifindex, int verdict)
{
	return bpf_give_xdp(ifindex, bpf_load_constant(BPF_PROG_TYPE_XDP,
						       verdict));
}

/* All frames go out by the device of the other index. */
int bpf_give_redirect(int ifindex, int to)
{
	const struct bpf_insn code[] = {
		INSN_SET(BPF_REG_1, to),
		INSN_SET(BPF_REG_2, 0),
		INSN_CALL(BPF_FUNC_redirect),
		INSN_EXIT,
	};

	return bpf_give_xdp(ifindex, bpf_load(BPF_PROG_TYPE_XDP, code,
					      sizeof(code) / sizeof(*code)));
}

int bpf_remove_xdp(int ifindex)
{
	return link_set_xdp(ifindex, -1, XDP_FLAGS_DRV_MODE);
}

/* A link, which ends with its descriptor: after XDP, before the protocols. */
int bpf_attach_ingress(int prog, int ifindex)
{
	union bpf_attr attr = {
		.link_create = {
			.prog_fd = prog,
			.target_ifindex = ifindex,
			.attach_type = BPF_TCX_INGRESS,
		},
	};

	return sys_bpf(BPF_LINK_CREATE, &attr);
}

/*
 * A security module that says no to what this process does, by one hook and with
 * that negative errno, until the descriptor is closed. -EOPNOTSUPP: the kernel has
 * no such modules.
 */
int bpf_deny(const char *hook, int err)
{
	const struct bpf_insn code[] = {
		INSN_CALL(BPF_FUNC_get_current_pid_tgid),
		INSN_OP(BPF_RSH, BPF_REG_0, 32),
		INSN_IF(BPF_JNE, BPF_REG_0, getpid(), 2),
		INSN_SET(BPF_REG_0, err),
		INSN_EXIT,
		INSN_SET(BPF_REG_0, 0),
		INSN_EXIT,
	};
	char function[64];
	union bpf_attr load = {
		.prog_type = BPF_PROG_TYPE_LSM,
		.expected_attach_type = BPF_LSM_MAC,
		.insns = (uintptr_t)code,
		.insn_cnt = sizeof(code) / sizeof(*code),
		.license = (uintptr_t)"GPL",
	};
	union bpf_attr attach = { 0 };
	int id, prog, link;

	snprintf(function, sizeof(function), "bpf_lsm_%s", hook);
	id = btf_function(function);
	if (id < 0)
		return id == -ENOENT ? -EOPNOTSUPP : id;
	load.attach_btf_id = id;
	prog = sys_bpf(BPF_PROG_LOAD, &load);
	if (prog < 0)
		return prog;
	attach.raw_tracepoint.prog_fd = prog;
	link = sys_bpf(BPF_RAW_TRACEPOINT_OPEN, &attach);
	close(prog);
	return link;
}

/* Keys are numbers of 32 bits. */
int bpf_map(int type, int value_size, int entries)
{
	union bpf_attr attr = {
		.map_type = type,
		.key_size = sizeof(uint32_t),
		.value_size = value_size,
		.max_entries = entries,
	};

	return sys_bpf(BPF_MAP_CREATE, &attr);
}

int bpf_map_set(int map, uint32_t key, const void *value)
{
	union bpf_attr attr = {
		.map_fd = map,
		.key = (uintptr_t)&key,
		.value = (uintptr_t)value,
	};

	return sys_bpf(BPF_MAP_UPDATE_ELEM, &attr);
}

int64_t bpf_map_u64(int map, uint32_t key)
{
	uint64_t value;
	union bpf_attr attr = {
		.map_fd = map,
		.key = (uintptr_t)&key,
		.value = (uintptr_t)&value,
	};
	int err = sys_bpf(BPF_MAP_LOOKUP_ELEM, &attr);

	return err ? err : (int64_t)value;
}
