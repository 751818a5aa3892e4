// SPDX-License-Identifier: GPL-2.0-only
/* What a filter keeps from readers, and which of them a program chooses. */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>
#include <linux/filter.h>
#include <linux/if_ether.h>

#include "bpf.h"
#include "drops.h"
#include "flows.h"
#include "rtnl.h"
#include "harness.h"

#define BAD_POINTER	((void *)8)
#define SNAP		30	/* bytes that a filter lets through */
#define PACKET		100

static int set_program(int fd, unsigned long cmd, int prog)
{
	return tun_ioctl_ptr(fd, cmd, &prog);
}

static int set_classic(int fd, struct sock_filter *code, int len)
{
	struct sock_fprog prog = { .len = len, .filter = code };

	return tun_ioctl_ptr(fd, TUNATTACHFILTER, &prog);
}

static int set_classic_constant(int fd, int value)
{
	struct sock_filter code = BPF_STMT(BPF_RET | BPF_K, value);

	return set_classic(fd, &code, 1);
}

static ssize_t pass(struct flows *flows, size_t len)
{
	static const uint8_t dst[6] = { 2, 0, 0, 0, 0, 9 };

	return flows_pass(flows, dst, len);
}

/* Sends each of the flows once: how many were read. What is not, is counted. */
static int pass_flows(struct flows *flows, int from, int count)
{
	int64_t before = flows_dropped(flows);
	int n, err, want;

	for (n = from; n < from + count; n++) {
		err = flows_send(flows, flow_nth(n), n);
		if (err)
			return err;
	}
	want = count - (flows_dropped(flows) - before);
	n = flows_collect(flows, want);
	return n == want ? want : -EPROTO;
}

static int pass_flow(struct flows *flows, int n)
{
	return pass_flows(flows, n, 1);
}

/* Each flow is written by a queue, and comes back to it. */
static int spread_flows(struct flows *flows, int count)
{
	int n, err = 0;

	for (n = 0; !err && n < count; n++)
		err = flows_write(flows, n % flows->queues, flow_nth(n));
	return err;
}

/* Classic filters: of TAP devices only. */
FIXTURE(classic)
{
	struct flows flows;
};

FIXTURE_SETUP(classic)
{
	ASSERT_EQ(0, ns_enter());
	ASSERT_EQ(0, flows_open(&self->flows, IFF_TAP | IFF_MULTI_QUEUE,
				FLOW_QUEUES));
}

FIXTURE_TEARDOWN(classic)
{
	flows_close(&self->flows);
}

/* Ports of which one bit is set: half of the flows, on each queue. */
static struct sock_filter half[] = {
	BPF_STMT(BPF_LD | BPF_H | BPF_ABS, ETH_HLEN + 20 + 2),
	BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, FLOW_QUEUES, 0, 1),
	BPF_STMT(BPF_RET | BPF_K, 0xffff),
	BPF_STMT(BPF_RET | BPF_K, 0),
};

static bool in_half(unsigned int n)
{
	return flow_nth(n).sport & FLOW_QUEUES;
}

/* Given on one queue, it is for all. */
TEST_F(classic, every_queue)
{
	struct flows *flows = &self->flows;
	int q, n;

	ASSERT_EQ(0, spread_flows(flows, 64));
	ASSERT_EQ(0, set_classic(flows->fd[1], half, ARRAY_SIZE(half)));
	for (n = 0; n < 16; n++)
		EXPECT_EQ(in_half(n), pass_flow(flows, n));
	ASSERT_EQ(32, pass_flows(flows, 0, 64));
	for (q = 0; q < FLOW_QUEUES; q++)
		EXPECT_EQ(8, flows->got[q]) TH_LOG("queue %d", q);
	/* Any queue may take it back. */
	ASSERT_EQ(0, tun_ioctl(flows->fd[2], TUNDETACHFILTER, 0));
	EXPECT_EQ(64, pass_flows(flows, 0, 64));
}

TEST_F(classic, truncates)
{
	struct flows *flows = &self->flows;

	tun_close_all(flows->fd + 1, FLOW_QUEUES - 1);
	ASSERT_EQ(0, set_classic_constant(flows->fd[0], SNAP));
	EXPECT_EQ(SNAP, pass(flows, PACKET));
	EXPECT_EQ(SNAP - 1, pass(flows, SNAP - 1));
	/* The last one counts. */
	ASSERT_EQ(0, set_classic_constant(flows->fd[0], SNAP * 2));
	EXPECT_EQ(SNAP * 2, pass(flows, PACKET));
	ASSERT_EQ(0, tun_ioctl(flows->fd[0], TUNDETACHFILTER, 0));
	EXPECT_EQ(PACKET, pass(flows, PACKET));
	EXPECT_EQ(0, flows_dropped(flows));
	/* There is none: nothing to say about it. */
	EXPECT_EQ(0, tun_ioctl(flows->fd[0], TUNDETACHFILTER, 0));
}

TEST_F(classic, get)
{
	struct sock_fprog prog = { .len = 99 };
	int fd = self->flows.fd[0];

	ASSERT_EQ(0, tun_ioctl_ptr(fd, TUNGETFILTER, &prog));
	EXPECT_EQ(0, prog.len);
	EXPECT_EQ(NULL, prog.filter);
	ASSERT_EQ(0, set_classic(self->flows.fd[1], half, ARRAY_SIZE(half)));
	ASSERT_EQ(0, tun_ioctl_ptr(fd, TUNGETFILTER, &prog));
	EXPECT_EQ(ARRAY_SIZE(half), prog.len);
	EXPECT_EQ(&half[0], prog.filter);
	EXPECT_EQ(-EFAULT, tun_ioctl_ptr(fd, TUNGETFILTER, BAD_POINTER));
}

/* What is refused changes nothing about the filter that is there. */
TEST_F(classic, refused)
{
	struct sock_filter bad = BPF_STMT(0xffff, 0);
	struct sock_filter no_end = BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0);
	int fd = self->flows.fd[0];

	tun_close_all(self->flows.fd + 1, FLOW_QUEUES - 1);
	ASSERT_EQ(0, set_classic_constant(fd, SNAP));
	EXPECT_EQ(-EINVAL, set_classic(fd, &bad, 1));
	EXPECT_EQ(-EINVAL, set_classic(fd, &no_end, 1));
	EXPECT_EQ(-EINVAL, set_classic(fd, half, 0));
	EXPECT_EQ(-EINVAL, set_classic(fd, NULL, 1));
	EXPECT_EQ(-EINVAL, set_classic(fd, half, BPF_MAXINSNS + 1));
	EXPECT_EQ(-EFAULT, set_classic(fd, BAD_POINTER, 1));
	EXPECT_EQ(-EFAULT, tun_ioctl_ptr(fd, TUNATTACHFILTER, BAD_POINTER));
	EXPECT_EQ(SNAP, pass(&self->flows, PACKET));
}

static bool says_nofilter(int fd)
{
	int flags = tun_get_flags(fd);

	return flags >= 0 && (flags & IFF_NOFILTER);
}

/* IFF_NO_PI is the same bit: only without it does the flag say anything. */
TEST_F(classic, flag)
{
	int fd[2], q;

	ASSERT_EQ(0, tun_attach_all("other", IFF_TAP | IFF_MULTI_QUEUE, fd, 2));
	for (q = 0; q < 2; q++)
		EXPECT_TRUE(says_nofilter(fd[q]));
	ASSERT_EQ(0, set_classic_constant(fd[0], SNAP));
	for (q = 0; q < 2; q++) {
		ASSERT_LE(0, tun_get_flags(fd[q]));
		EXPECT_FALSE(says_nofilter(fd[q]));
	}
	ASSERT_EQ(0, tun_ioctl(fd[0], TUNDETACHFILTER, 0));
	for (q = 0; q < 2; q++)
		EXPECT_TRUE(says_nofilter(fd[q]));
	tun_close_all(fd, 2);
}

TEST_F(classic, reasons)
{
	struct flows *flows = &self->flows;
	int n, err = drops_start(PROTO_TEST);

	if (err == -EOPNOTSUPP)
		SKIP(return, "no tracepoint for drops");
	ASSERT_EQ(0, err);
	ASSERT_EQ(0, set_classic_constant(flows->fd[0], 0));
	for (n = 0; n < 3; n++)
		EXPECT_EQ(-EAGAIN, pass(flows, PACKET));
	EXPECT_EQ(3, flows_dropped(flows));
	EXPECT_EQ(3, drops_count("SOCKET_FILTER"));
	EXPECT_EQ(3, drops_count(NULL));
	drops_stop();
}

/* One more queue for a device with a filter that lets SNAP bytes through. */
static int open_filtered(struct flows *flows, int flags)
{
	int err;

	tun_close_all(flows->fd + 1, FLOW_QUEUES - 1);
	err = set_classic_constant(flows->fd[0], SNAP);
	if (err)
		return err;
	return tun_create("ours", IFF_TAP | IFF_MULTI_QUEUE | flags);
}

/* What the only queue that is left reads of a packet. */
static ssize_t pass_by(struct flows *flows, int fd)
{
	close(flows->fd[0]);
	flows->fd[0] = fd;
	return pass(flows, PACKET);
}

TEST_F(classic, new_queue)
{
	int fd = open_filtered(&self->flows, 0);

	ASSERT_LE(0, fd);
	EXPECT_UNLESS_DEFECT("D2", tun_get_flags(fd) >= 0);
	if (tun_get_flags(fd) < 0) {
		close(fd);
		return;
	}
	EXPECT_EQ(SNAP, pass_by(&self->flows, fd));
}

TEST_F(classic, new_queue_without)
{
	int fd = open_filtered(&self->flows, IFF_NOFILTER);

	ASSERT_LE(0, fd);
	EXPECT_EQ(PACKET, pass_by(&self->flows, fd));
}

TEST_F(classic, disabled_queue)
{
	struct flows *flows = &self->flows;
	int fd = flows->fd[0];

	tun_close_all(flows->fd + 1, FLOW_QUEUES - 1);
	ASSERT_EQ(0, set_classic_constant(fd, SNAP));
	ASSERT_EQ(0, tun_queue(fd, IFF_DETACH_QUEUE));
	ASSERT_EQ(0, tun_queue(fd, IFF_ATTACH_QUEUE));
	EXPECT_UNLESS_DEFECT("D2", !(tun_get_flags(fd) & IFF_DETACH_QUEUE));
	if (!(tun_get_flags(fd) & IFF_DETACH_QUEUE))
		EXPECT_EQ(SNAP, pass(flows, PACKET));
}

/* One that is away when the filter is set has it when it comes back. */
TEST_F(classic, set_while_disabled)
{
	struct flows *flows = &self->flows;
	int q, fd = flows->fd[0];

	ASSERT_EQ(0, tun_queue(fd, IFF_DETACH_QUEUE));
	ASSERT_EQ(0, set_classic_constant(flows->fd[1], SNAP));
	ASSERT_EQ(0, tun_queue(fd, IFF_ATTACH_QUEUE));
	EXPECT_UNLESS_DEFECT("D2", !(tun_get_flags(fd) & IFF_DETACH_QUEUE));
	if (tun_get_flags(fd) & IFF_DETACH_QUEUE)
		return;
	for (q = 1; q < FLOW_QUEUES; q++)
		ASSERT_EQ(0, tun_queue(flows->fd[q], IFF_DETACH_QUEUE));
	EXPECT_EQ(SNAP, pass(flows, PACKET));
}

/* The filter stays with a device that nobody has open. */
static int reopen_persistent(int flags)
{
	int fd = tun_create("ours", IFF_TAP | flags), err;

	if (fd < 0)
		return fd;
	err = set_classic_constant(fd, SNAP);
	if (!err)
		err = tun_ioctl(fd, TUNSETPERSIST, 1);
	close(fd);
	return err ? err : tun_create("ours", IFF_TAP | flags);
}

TEST_F(classic, persistent)
{
	static const int flags[] = { 0, IFF_MULTI_QUEUE };
	struct flows *flows = &self->flows;
	int i, fd;

	for (i = 0; i < ARRAY_SIZE(flags); i++) {
		tun_close_all(flows->fd, FLOW_QUEUES);
		fd = reopen_persistent(flags[i]);
		ASSERT_LE(0, fd);
		EXPECT_UNLESS_DEFECT("D2", tun_get_flags(fd) >= 0);
		if (tun_get_flags(fd) >= 0)
			EXPECT_FALSE(says_nofilter(fd));
		ASSERT_EQ(0, link_delete(link_index("ours")));
		close(fd);
	}
}

TEST_F(classic, persistent_without)
{
	int fd;

	tun_close_all(self->flows.fd, FLOW_QUEUES);
	fd = tun_create("ours", IFF_TAP);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, set_classic_constant(fd, SNAP));
	ASSERT_EQ(0, tun_ioctl(fd, TUNSETPERSIST, 1));
	close(fd);
	fd = tun_create("ours", IFF_TAP | IFF_NOFILTER);
	ASSERT_LE(0, fd);
	EXPECT_EQ(0, tun_ioctl(fd, TUNDETACHFILTER, 0));
	close(fd);
	/* Now there is none for the next. */
	fd = tun_create("ours", IFF_TAP);
	ASSERT_LE(0, fd);
	EXPECT_TRUE(says_nofilter(fd));
	EXPECT_EQ(0, tun_ioctl(fd, TUNSETPERSIST, 0));
	close(fd);
}

/* Memory of the process that gave the filter has no part in what it does. */
TEST_F(classic, of_another_process)
{
	int fd;
	pid_t pid;

	tun_close_all(self->flows.fd, FLOW_QUEUES);
	pid = fork();
	if (!pid) {
		struct sock_filter *code = mmap(NULL, 4096, PROT_READ |
						PROT_WRITE, MAP_PRIVATE |
						MAP_ANONYMOUS, -1, 0);

		*code = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SNAP);
		fd = tun_create("ours", IFF_TAP);
		_exit(fd < 0 || set_classic(fd, code, 1) ||
		      tun_ioctl(fd, TUNSETPERSIST, 1));
	}
	ASSERT_EQ(0, wait_exit(pid));
	fd = tun_create("ours", IFF_TAP);
	EXPECT_UNLESS_DEFECT("D2", tun_get_flags(fd) >= 0 &&
			     !says_nofilter(fd));
	close(fd);
	EXPECT_EQ(0, link_delete(link_index("ours")));
}

/* Sends until it is told to stop. */
struct sender {
	struct flows *flows;
	atomic_bool stop;
	atomic_uint sent;
	int err;		/* of the last that was refused */
	pthread_t thread;
};

static void *sender_main(void *arg)
{
	struct sender *sender = arg;

	while (!sender->stop) {
		int err = flows_send(sender->flows, flow_nth(sender->sent % 64),
				     sender->sent);

		if (err)
			sender->err = err;
		else
			sender->sent++;
	}
	return NULL;
}

/*
 * A packet is still in the old filter, which is as long as can be, when another
 * one takes its place.
 */
TEST_F(classic, replaced_while_it_runs)
{
	static struct sock_filter code[BPF_MAXINSNS];
	struct flows *flows = &self->flows;
	struct sender sender = { .flows = flows };
	int n;

	for (n = 0; n < BPF_MAXINSNS - 1; n++)
		code[n] = (struct sock_filter)BPF_STMT(BPF_ALU | BPF_ADD |
						       BPF_K, 1);
	code[n] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, 0);
	ASSERT_EQ(0, set_classic(flows->fd[0], code, BPF_MAXINSNS));
	ASSERT_EQ(0, pthread_create(&sender.thread, NULL, sender_main,
				    &sender));
	for (n = 0; n < 30; n++) {
		EXPECT_EQ(0, set_classic(flows->fd[n % FLOW_QUEUES], code,
					 BPF_MAXINSNS));
	}
	sender.stop = true;
	pthread_join(sender.thread, NULL);
	EXPECT_EQ(0, sender.err);
	EXPECT_LT(0, sender.sent);
	EXPECT_EQ(sender.sent, flows_dropped(flows));
}

TEST_F(classic, not_of_tun)
{
	int fd = tun_create("other", TUN_NOPI);

	ASSERT_LE(0, fd);
	EXPECT_EQ(-EINVAL, set_classic_constant(fd, SNAP));
	EXPECT_EQ(-EINVAL, tun_ioctl_ptr(fd, TUNATTACHFILTER, BAD_POINTER));
	EXPECT_EQ(-EINVAL, tun_ioctl_ptr(fd, TUNGETFILTER, BAD_POINTER));
	EXPECT_EQ(-EINVAL, tun_ioctl(fd, TUNDETACHFILTER, 0));
	EXPECT_EQ(-EINVAL, tun_ioctl_ptr(fd, TUNSETTXFILTER, BAD_POINTER));
	EXPECT_TRUE(says_nofilter(fd));
	close(fd);
}

/* The BPF programs of a device, of either type. */
FIXTURE(program)
{
	struct flows flows;
};

FIXTURE_VARIANT(program)
{
	int flags;
};

FIXTURE_VARIANT_ADD(program, tun)
{
	.flags = IFF_TUN | IFF_MULTI_QUEUE,
};

FIXTURE_VARIANT_ADD(program, tap)
{
	.flags = IFF_TAP | IFF_MULTI_QUEUE,
};

FIXTURE_SETUP(program)
{
	ASSERT_EQ(0, ns_enter());
	ASSERT_EQ(0, flows_open(&self->flows, variant->flags, FLOW_QUEUES));
}

FIXTURE_TEARDOWN(program)
{
	flows_close(&self->flows);
}

static const unsigned long program_cmds[] = {
	TUNSETFILTEREBPF, TUNSETSTEERINGEBPF,
};

/* A program of our own for each: it is the device that keeps it. */
static int set_code(int fd, unsigned long cmd, const struct bpf_insn *code,
		    size_t insns)
{
	int err, prog = bpf_load(BPF_PROG_TYPE_SOCKET_FILTER, code, insns);

	if (prog < 0)
		return prog;
	err = set_program(fd, cmd, prog);
	close(prog);
	return err;
}

static int set_constant(int fd, unsigned long cmd, int value)
{
	int err, prog = bpf_load_constant(BPF_PROG_TYPE_SOCKET_FILTER, value);

	if (prog < 0)
		return prog;
	err = set_program(fd, cmd, prog);
	close(prog);
	return err;
}

TEST_F(program, refused)
{
	int xdp = bpf_load_constant(BPF_PROG_TYPE_XDP, XDP_PASS);
	int fd = self->flows.fd[0], i;

	ASSERT_LE(0, xdp);
	for (i = 0; i < ARRAY_SIZE(program_cmds); i++) {
		unsigned long cmd = program_cmds[i];

		EXPECT_EQ(-EINVAL, set_program(fd, cmd, xdp));
		EXPECT_EQ(-EINVAL, set_program(fd, cmd, fd));
		EXPECT_EQ(-EBADF, set_program(fd, cmd, -2));
		EXPECT_EQ(-EBADF, set_program(fd, cmd, 9999));
		EXPECT_EQ(-EFAULT, tun_ioctl_ptr(fd, cmd, BAD_POINTER));
		EXPECT_EQ(0, set_program(fd, cmd, -1));
	}
	close(xdp);
}

/* Whatever ends the use of a program gives it back. */
static int use_and_free(struct flows *flows, unsigned long cmd, int how)
{
	int prog = bpf_load_constant(BPF_PROG_TYPE_SOCKET_FILTER, 0xffff);
	int err, id;

	if (prog < 0)
		return prog;
	id = bpf_id(prog);
	err = set_program(flows->fd[0], cmd, prog);
	close(prog);
	if (!err && bpf_is_used(id) != 1)
		err = -ESTALE;
	if (!err && how == 0)
		err = set_program(flows->fd[1], cmd, -1);
	else if (!err && how == 1)
		err = set_constant(flows->fd[1], cmd, 1);
	else if (!err)
		err = link_delete(flows->index);
	return err ? err : bpf_wait_freed(id);
}

TEST_F(program, filter_freed)
{
	int how;

	for (how = 0; how < 3; how++)
		EXPECT_EQ(0, use_and_free(&self->flows, TUNSETFILTEREBPF, how))
			TH_LOG("way %d", how);
}

TEST_F(program, steering_freed)
{
	int how;

	for (how = 0; how < 3; how++)
		EXPECT_EQ(0, use_and_free(&self->flows, TUNSETSTEERINGEBPF,
					  how))
			TH_LOG("way %d", how);
}

/* What it returns is how many bytes may pass. */
TEST_F(program, filter_length)
{
	static const struct {
		int value;
		ssize_t len;
	} cases[] = {
		{ SNAP, SNAP }, { 1, 1 }, { PACKET - 1, PACKET - 1 },
		{ PACKET, PACKET }, { PACKET + 1, PACKET }, { -1, PACKET },
		{ INT32_MAX, PACKET }, { INT32_MIN, PACKET },
	};
	struct flows *flows = &self->flows;
	int i, fd = flows->fd[0];

	tun_close_all(flows->fd + 1, FLOW_QUEUES - 1);
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		ASSERT_EQ(0, set_constant(fd, TUNSETFILTEREBPF,
					  cases[i].value));
		EXPECT_EQ(cases[i].len, pass(flows, PACKET))
			TH_LOG("value %d", cases[i].value);
	}
	EXPECT_EQ(0, flows_dropped(flows));
	ASSERT_EQ(0, set_constant(fd, TUNSETFILTEREBPF, 0));
	EXPECT_EQ(-EAGAIN, pass(flows, PACKET));
	EXPECT_EQ(1, flows_dropped(flows));
	ASSERT_EQ(0, set_program(fd, TUNSETFILTEREBPF, -1));
	EXPECT_EQ(PACKET, pass(flows, PACKET));
	EXPECT_EQ(1, flows_dropped(flows));
}

TEST_F(program, filter_reason)
{
	struct flows *flows = &self->flows;
	int n, err = drops_start(PROTO_TEST);

	if (err == -EOPNOTSUPP)
		SKIP(return, "no tracepoint for drops");
	ASSERT_EQ(0, err);
	ASSERT_EQ(0, set_constant(flows->fd[0], TUNSETFILTEREBPF, 0));
	for (n = 0; n < 3; n++)
		EXPECT_EQ(-EAGAIN, pass(flows, PACKET));
	EXPECT_EQ(3, drops_count("TAP_FILTER"));
	EXPECT_EQ(3, drops_count(NULL));
	drops_stop();
}

/* It sees the packet, from the link header on, and is for every queue. */
TEST_F(program, filter_looks)
{
	struct flows *flows = &self->flows;
	const struct bpf_insn code[] = {
		INSN_COPY(BPF_REG_6, BPF_REG_1),
		INSN_PACKET(BPF_H, flows->head + 22),
		INSN_OP(BPF_AND, BPF_REG_0, FLOW_QUEUES),
		INSN_OP(BPF_MUL, BPF_REG_0, 0xffff),
		INSN_EXIT,
	};
	int q;

	ASSERT_EQ(0, spread_flows(flows, 64));
	ASSERT_EQ(0, set_code(flows->fd[2], TUNSETFILTEREBPF, code,
			      ARRAY_SIZE(code)));
	ASSERT_EQ(32, pass_flows(flows, 0, 64));
	for (q = 0; q < FLOW_QUEUES; q++)
		EXPECT_EQ(8, flows->got[q]) TH_LOG("queue %d", q);
	for (q = 0; q < 16; q++)
		EXPECT_EQ(in_half(q), pass_flow(flows, q));
}

/* What others kept in the packet's control block is not for it to see. */
TEST_F(program, filter_control_block)
{
	const struct bpf_insn code[] = {
		INSN_LOAD(BPF_W, BPF_REG_0, BPF_REG_1,
			  offsetof(struct __sk_buff, cb[0])),
		INSN_LOAD(BPF_W, BPF_REG_2, BPF_REG_1,
			  offsetof(struct __sk_buff, cb[1])),
		INSN_OP_REG(BPF_OR, BPF_REG_0, BPF_REG_2),
		INSN_LOAD(BPF_W, BPF_REG_2, BPF_REG_1,
			  offsetof(struct __sk_buff, cb[4])),
		INSN_OP_REG(BPF_OR, BPF_REG_0, BPF_REG_2),
		INSN_IF(BPF_JNE, BPF_REG_0, 0, 1),
		INSN_SET(BPF_REG_0, SNAP),
		INSN_EXIT,
	};
	struct flows *flows = &self->flows;
	int n;

	tun_close_all(flows->fd + 1, FLOW_QUEUES - 1);
	ASSERT_EQ(0, set_code(flows->fd[0], TUNSETFILTEREBPF, code,
			      ARRAY_SIZE(code)));
	for (n = 0; n < 8; n++)
		EXPECT_EQ(SNAP, pass(flows, PACKET));
}

/* A device keeps its programs while nobody has it open. */
TEST_F(program, persistent)
{
	struct flows *flows = &self->flows;
	int fd = flows->fd[0];

	ASSERT_EQ(0, set_constant(fd, TUNSETFILTEREBPF, SNAP));
	ASSERT_EQ(0, set_constant(fd, TUNSETSTEERINGEBPF, 3));
	ASSERT_EQ(0, tun_ioctl(fd, TUNSETPERSIST, 1));
	tun_close_all(flows->fd, FLOW_QUEUES);
	ASSERT_EQ(0, tun_attach_all("ours", variant->flags | IFF_NO_PI,
				    flows->fd, FLOW_QUEUES));
	EXPECT_EQ(3, flows_send_to(flows, flow_nth(0)));
	tun_close_all(flows->fd + 1, FLOW_QUEUES - 1);
	EXPECT_EQ(SNAP, pass(flows, PACKET));
	EXPECT_EQ(0, tun_ioctl(flows->fd[0], TUNSETPERSIST, 0));
}

/* The low 16 bits of what it returns, modulo the number of queues. */
TEST_F(program, steering)
{
	static const int values[] = {
		0, 1, 2, 3, 4, 5, 6, 99, 255, 256, 0xffff, 0x10000, 0x10002,
		-1, -2, INT32_MAX, INT32_MIN,
	};
	struct flows *flows = &self->flows;
	int i, queues;

	for (queues = FLOW_QUEUES; queues > 1; queues--) {
		for (i = 0; i < ARRAY_SIZE(values); i++) {
			ASSERT_EQ(0, set_constant(flows->fd[0],
						  TUNSETSTEERINGEBPF,
						  values[i]));
			EXPECT_EQ((values[i] & 0xffff) % queues,
				  flows_send_to(flows, flow_nth(i)))
				TH_LOG("value %d of %d", values[i], queues);
		}
		/* The last one goes: no other changes its number. */
		close(flows->fd[queues - 1]);
		flows->fd[queues - 1] = -1;
	}
	EXPECT_EQ(0, flows_send_to(flows, flow_nth(0)));
}

TEST_F(program, steering_looks)
{
	struct flows *flows = &self->flows;
	const struct bpf_insn code[] = {
		INSN_COPY(BPF_REG_6, BPF_REG_1),
		INSN_PACKET(BPF_H, flows->head + 22),
		INSN_EXIT,
	};
	int n;

	ASSERT_EQ(0, set_code(flows->fd[0], TUNSETSTEERINGEBPF, code,
			      ARRAY_SIZE(code)));
	for (n = 0; n < 16; n++)
		EXPECT_EQ(flow_nth(n).sport % FLOW_QUEUES,
			  flows_send_to(flows, flow_nth(n)));
}

/* Who wrote a flow counts without a program, and not under one. */
TEST_F(program, steering_and_flows)
{
	struct flows *flows = &self->flows;
	int hashed = flows_send_to(flows, flow_nth(1));
	int other = (hashed + 1) % FLOW_QUEUES;

	ASSERT_LE(0, hashed);
	ASSERT_EQ(0, set_constant(flows->fd[0], TUNSETSTEERINGEBPF, hashed));
	ASSERT_EQ(0, flows_write(flows, other, flow_nth(1)));
	EXPECT_EQ(hashed, flows_send_to(flows, flow_nth(1)));
	ASSERT_EQ(0, set_program(flows->fd[0], TUNSETSTEERINGEBPF, -1));
	EXPECT_EQ(hashed, flows_send_to(flows, flow_nth(1)));
	ASSERT_EQ(0, flows_write(flows, other, flow_nth(1)));
	EXPECT_EQ(other, flows_send_to(flows, flow_nth(1)));
}

/* Each number of the queues that are left is one of them. */
static void numbers_are_queues(struct __test_metadata *_metadata,
			       struct flows *flows, int queues)
{
	int n, q;

	for (n = 0; n < queues; n++) {
		ASSERT_EQ(0, set_constant(flows->fd[0], TUNSETSTEERINGEBPF,
					  n + queues));
		ASSERT_EQ(0, flows_send(flows, flow_nth(n), n));
	}
	ASSERT_EQ(queues, flows_collect(flows, queues));
	for (q = 0; q < FLOW_QUEUES; q++) {
		bool off = tun_get_flags(flows->fd[q]) & IFF_DETACH_QUEUE;

		EXPECT_EQ(!off, flows->got[q]) TH_LOG("queue %d", q);
	}
}

TEST_F(program, steering_and_detach)
{
	struct flows *flows = &self->flows;
	int q;

	for (q = 0; q < FLOW_QUEUES - 1; q++) {
		ASSERT_EQ(0, tun_queue(flows->fd[q], IFF_DETACH_QUEUE));
		numbers_are_queues(_metadata, flows, FLOW_QUEUES - 1 - q);
	}
	ASSERT_EQ(0, tun_queue(flows->fd[q], IFF_DETACH_QUEUE));
	EXPECT_GE(0, flows_send(flows, flow_nth(0), 0));
	EXPECT_EQ(1, flows_dropped(flows));
	for (q = 0; q < FLOW_QUEUES; q++) {
		ASSERT_EQ(0, tun_queue(flows->fd[q], IFF_ATTACH_QUEUE));
		numbers_are_queues(_metadata, flows, q + 1);
	}
}

/* What the program sent to a queue stays there when another one comes back. */
TEST_F(program, steering_and_attach)
{
	struct flows *flows = &self->flows;
	int n, sent = 0;

	for (n = 0; n < 16; n++)
		ASSERT_EQ(0, flows_write(flows, 1, flow_nth(n)));
	ASSERT_EQ(0, set_constant(flows->fd[0], TUNSETSTEERINGEBPF, 0));
	ASSERT_EQ(0, tun_queue(flows->fd[1], IFF_DETACH_QUEUE));
	for (n = 0; n < 16; n++)
		ASSERT_EQ(0, flows_send(flows, flow_nth(n), sent++));
	ASSERT_EQ(0, tun_queue(flows->fd[1], IFF_ATTACH_QUEUE));
	for (n = 0; n < 16; n++)
		ASSERT_EQ(0, flows_send(flows, flow_nth(n), sent++));
	EXPECT_EQ(sent, flows_collect(flows, sent));
	EXPECT_EQ(sent, flows->got[0]);
	EXPECT_TRUE(flows->in_order);
}

/* The queue that it chooses may be gone by the time that it is looked for, also the last. */
TEST_F_TIMEOUT(program, steering_while_queues_leave, 120)
{
	struct flows *flows = &self->flows;
	struct sender sender = { .flows = flows };
	/* The in-tree driver waits for a grace period each time. */
	int n, q, rounds = tun_is_rtun() ? 600 : 20;

	ASSERT_EQ(0, set_constant(flows->fd[0], TUNSETSTEERINGEBPF, 0xffff));
	ASSERT_EQ(0, pthread_create(&sender.thread, NULL, sender_main,
				    &sender));
	for (n = 0; n < rounds; n++) {
		unsigned int sent = sender.sent;

		for (q = 0; q < FLOW_QUEUES; q++)
			EXPECT_EQ(0, tun_queue(flows->fd[q],
					       n & 1 ? IFF_ATTACH_QUEUE :
						       IFF_DETACH_QUEUE));
		if (n & 1)
			EXPECT_TRUE(wait_until(sender.sent > sent + 10));
	}
	sender.stop = true;
	ASSERT_EQ(0, pthread_join(sender.thread, NULL));
	flows_collect(flows, 0);
	EXPECT_EQ(FLOW_QUEUES - 1, flows_send_to(flows, flow_nth(0)));
}

TEST_HARNESS_MAIN
