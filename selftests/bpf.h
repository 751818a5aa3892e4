/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * BPF programs as instructions, and maps, by bpf(2) itself: no compiler and no
 * library has a part in them.
 *
 * Functions return a value >= 0, or a negative errno.
 */
#ifndef TUN_BPF_H
#define TUN_BPF_H

#include <stddef.h>
#include <stdint.h>
#include <linux/bpf.h>

#define INSN(_code, _dst, _src, _off, _imm) \
	((struct bpf_insn) { .code = (_code), .dst_reg = (_dst), \
			     .src_reg = (_src), .off = (_off), .imm = (_imm) })
#define INSN_SET(dst, imm)	INSN_OP(BPF_MOV, dst, imm)
#define INSN_COPY(dst, src)	INSN_OP_REG(BPF_MOV, dst, src)
#define INSN_OP(op, dst, imm) \
	INSN(BPF_ALU64 | BPF_K | (op), dst, 0, 0, imm)
#define INSN_OP_REG(op, dst, src) \
	INSN(BPF_ALU64 | BPF_X | (op), dst, src, 0, 0)
#define INSN_LOAD(size, dst, src, off) \
	INSN(BPF_LDX | BPF_MEM | (size), dst, src, off, 0)
#define INSN_STORE(size, dst, off, src) \
	INSN(BPF_STX | BPF_MEM | (size), dst, src, off, 0)
#define INSN_STORE_IMM(size, dst, off, imm) \
	INSN(BPF_ST | BPF_MEM | (size), dst, 0, off, imm)
/* Jumps over so many instructions. */
#define INSN_IF(op, dst, imm, over) \
	INSN(BPF_JMP | BPF_K | (op), dst, 0, over, imm)
#define INSN_IF_REG(op, dst, src, over) \
	INSN(BPF_JMP | BPF_X | (op), dst, src, over, 0)
#define INSN_CALL(func)		INSN(BPF_JMP | BPF_CALL, 0, 0, 0, func)
#define INSN_EXIT		INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0)
/* Into BPF_REG_0, of a packet whose context is BPF_REG_6. */
#define INSN_PACKET(size, off)	INSN(BPF_LD | BPF_ABS | (size), 0, 0, 0, off)
/* A map takes the room of two. */
#define INSN_MAP(dst, fd) \
	INSN(BPF_LD | BPF_DW | BPF_IMM, dst, BPF_PSEUDO_MAP_FD, 0, fd)
#define INSN_MAP_END		INSN(0, 0, 0, 0, 0)

int bpf_load(int type, const struct bpf_insn *code, size_t insns);
int bpf_load_constant(int type, int value);
int bpf_id(int prog);
int bpf_is_used(int id);
int bpf_wait_freed(int id);
int bpf_give_xdp(int ifindex, int prog);
int bpf_give_verdict(int ifindex, int verdict);
int bpf_give_redirect(int ifindex, int to);
int bpf_remove_xdp(int ifindex);
int bpf_attach_ingress(int prog, int ifindex);
int bpf_deny(const char *hook, int err);

int bpf_map(int type, int value_size, int entries);
int bpf_map_set(int map, uint32_t key, const void *value);
int64_t bpf_map_u64(int map, uint32_t key);

#endif /* TUN_BPF_H */
