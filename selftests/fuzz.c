// SPDX-License-Identifier: GPL-2.0-only
/*
 * Calls at random by root, by an unprivileged user and by one who is root of a
 * user namespace, at once and on the same node: see fuzz.h.
 *
 * FUZZ_SEED: what to repeat. FUZZ_TIME: how long, in seconds (60). FUZZ_STEPS:
 * at most how many steps each thread makes. FUZZ_BOUND: the longest that a call
 * may take, in seconds (20).
 */
#include <errno.h>
#include <inttypes.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <linux/bpf.h>

#include "bpf.h"
#include "fuzz.h"
#include "rtnl.h"
#include "tun_test.h"

#define LOOK_MS		50
#define NUDGE_MS	100
#define PROGRESS_MS	10000
#define ALL_ROWS_S	30	/* in less, some may not have had their turn */
#define MANY_CALLS	200
#define USUAL_BOUND_S	20

static struct fuzz *fuzz;
static pid_t child[FUZZ_ROLES];
static int died;

static uint64_t env_number(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text && *text ? strtoull(text, NULL, 0) : otherwise;
}

static int make_spaces(void)
{
	fuzz->space[0] = ns_this();
	if (fuzz->space[0] < 0)
		return fuzz->space[0];
	fuzz->space[1] = ns_beside();
	return fuzz->space[1] < 0 ? fuzz->space[1] : 0;
}

/* For who may make none: devices to attach to, until somebody deletes them. */
static int make_public(void)
{
	char name[IFNAMSIZ];
	int n, fd, err = 0;

	for (n = 0; !err && n < FUZZ_NAMES; n++) {
		snprintf(name, sizeof(name), "fuzz%d", n);
		fd = tun_create(name, fuzz_device_flags(n));
		if (fd < 0)
			return fd;
		err = tun_ioctl(fd, TUNSETOWNER, FUZZ_NOBODY);
		if (!err)
			err = tun_ioctl(fd, TUNSETPERSIST, 1);
		close(fd);
	}
	return err;
}

/* A program of the type that the driver takes: it returns a packet's length. */
static int load_bpf(void)
{
	const struct bpf_insn insns[] = {
		{ .code = BPF_LDX | BPF_W | BPF_MEM, .dst_reg = BPF_REG_0,
		  .src_reg = BPF_REG_1,
		  .off = offsetof(struct __sk_buff, len) },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	union bpf_attr attr = {
		.prog_type = BPF_PROG_TYPE_SOCKET_FILTER,
		.insns = (uintptr_t)insns, .insn_cnt = 2,
		.license = (uintptr_t)"GPL",
	};
	int fd = syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof(attr));

	return fd < 0 ? -errno : fd;
}

/* Each does one thing to all packets; the last one is none that there is. */
static int load_xdp(int xdp[FUZZ_XDPS])
{
	static const int verdicts[FUZZ_XDPS] = {
		XDP_PASS, XDP_DROP, XDP_TX, XDP_ABORTED, 77,
	};
	int i;

	for (i = 0; i < FUZZ_XDPS; i++) {
		xdp[i] = bpf_load_constant(BPF_PROG_TYPE_XDP, verdicts[i]);
		if (xdp[i] < 0)
			return xdp[i];
	}
	return 0;
}

static int ask_features(void)
{
	int fd = tun_open(0), err;

	if (fd < 0)
		return fd;
	err = tun_ioctl_ptr(fd, TUNGETFEATURES, &fuzz->features);
	close(fd);
	return err;
}

static void init_threads(void)
{
	int i;

	for (i = 0; i < FUZZ_THREADS; i++) {
		struct fuzz_thread *t = &fuzz->thread[i];

		t->fuzz = fuzz;
		t->id = i;
		t->role = i < FUZZ_ROOTS ? ROLE_ROOT :
			  i < FUZZ_ROOTS + FUZZ_USERS ? ROLE_USERNS :
							ROLE_NOBODY;
		t->space = i == FUZZ_ROOTS - 1;
	}
	fuzz->running = FUZZ_THREADS;
}

static int init_barrier(void)
{
	pthread_barrierattr_t attr;

	pthread_barrierattr_init(&attr);
	pthread_barrierattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	return -pthread_barrier_init(&fuzz->barrier, &attr, FUZZ_ROLES);
}

/* All processes open a copy of the node, which any user may. */
static int set_node(void)
{
	static char node[64];
	int err;

	setenv("TUN_KIND", tun_kind(), 1);
	err = ns_public_node(node, sizeof(node));
	return err ? err : setenv("TUN_DEV", node, 1);
}

static int setup(void)
{
	int err, i;

	fuzz = mmap(NULL, sizeof(*fuzz), PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (fuzz == MAP_FAILED)
		return -errno;
	if (getrandom(&fuzz->seed, 4, 0) != 4)
		return -EIO;
	fuzz->seed = env_number("FUZZ_SEED", fuzz->seed);
	fuzz->steps = env_number("FUZZ_STEPS", 0);
	init_threads();
	for (i = 0; i < FUZZ_ROLES; i++) {
		if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0,
			       fuzz->inbox[i]))
			return -errno;
	}
	err = ns_enter();
	err = err ? err : set_node();
	err = err ? err : make_spaces();
	err = err ? err : make_public();
	err = err ? err : init_barrier();
	err = err ? err : ask_features();
	if (!err)
		fuzz->bpf = err = load_bpf();
	if (err >= 0)
		err = load_xdp(fuzz->xdp);
	return err < 0 ? err : 0;
}

static int start(void)
{
	int role;

	fflush(stdout);
	for (role = 0; role < FUZZ_ROLES; role++) {
		child[role] = fork();
		if (child[role] < 0)
			return -errno;
		if (!child[role])
			_exit(!!fuzz_process(fuzz, role));
	}
	/* Their files are theirs alone: what they leave open must go. */
	for (role = 0; role < FUZZ_ROLES; role++) {
		close(fuzz->inbox[role][0]);
		close(fuzz->inbox[role][1]);
	}
	return 0;
}

static void print_log(const struct fuzz_log *log, unsigned int last)
{
	unsigned int i;

	for (i = 1; i <= FUZZ_LOG; i++) {
		const struct fuzz_log *l = &log[(last + i) % FUZZ_LOG];

		if (l->step > last || !(l->text[0] || l->done))
			continue;
		printf("#     step %u %s %s", l->step, fuzz_row(l->row)->name,
		       l->text);
		if (l->done)
			printf(" = %ld\n", l->ret);
		else
			printf(" ...\n");
	}
}

static void print_thread(const struct fuzz_thread *t)
{
	printf("#   thread %d (%s %d)\n", t->id, fuzz_role_name(t->role),
	       t->tid);
	print_log(t->log, t->step);
}

static void print_stack(const struct fuzz_thread *t)
{
	char path[64], text[4096], *line, *rest;

	snprintf(path, sizeof(path), "/proc/%d/stack", t->tid);
	if (read_file(path, text, sizeof(text)) <= 0)
		return;
	for (line = strtok_r(text, "\n", &rest); line;
	     line = strtok_r(NULL, "\n", &rest))
		printf("#       %s\n", line);
}

/* Wakes who waits in a call. Returns one whose call lasts too long. */
static struct fuzz_thread *look(long bound_ms)
{
	int i;

	for (i = 0; i < FUZZ_THREADS; i++) {
		struct fuzz_thread *t = &fuzz->thread[i];
		long since = t->since, took = now_ms() - since;

		if (!since)
			continue;
		if (took > bound_ms)
			return t;
		if (took > NUDGE_MS && (fuzz_row(t->row)->flags & ROW_WAITS))
			syscall(SYS_tgkill, t->pid, t->tid, SIGUSR1);
	}
	return NULL;
}

static long total(void)
{
	long sum = 0;
	int role, row;

	for (role = 0; role < FUZZ_ROLES; role++) {
		for (row = 0; row < fuzz_rows(); row++)
			sum += fuzz->ok[role][row] + fuzz->refused[role][row];
	}
	return sum;
}

static bool reap(void)
{
	bool left = false;
	int role, status;

	for (role = 0; role < FUZZ_ROLES; role++) {
		if (child[role] <= 0)
			continue;
		if (waitpid(child[role], &status, WNOHANG) != child[role]) {
			left = true;
			continue;
		}
		child[role] = 0;
		if (status) {
			printf("# %s ended with status %#x\n",
			       fuzz_role_name(role), status);
			died++;
			fuzz->stop = true;
		}
	}
	return left;
}

static void give_up(const struct fuzz_thread *hung)
{
	int i, role;

	if (hung) {
		printf("# thread %d did not return:\n", hung->id);
		print_stack(hung);
	}
	for (i = 0; i < FUZZ_THREADS; i++)
		print_thread(&fuzz->thread[i]);
	for (role = 0; role < FUZZ_ROLES; role++) {
		if (child[role] > 0)
			kill(child[role], SIGKILL);
	}
	fflush(stdout);
}

/* Until the processes have ended; false if one did not. */
static bool watch(long run_ms, long bound_ms)
{
	int64_t start = now_ms(), next = start + PROGRESS_MS, end = 0;
	struct fuzz_thread *hung = NULL;

	while (reap()) {
		int64_t now = now_ms();

		if (now >= next) {
			printf("# %3" PRId64 " s: %ld calls, %d wrong\n",
			       (now - start) / 1000, total(), fuzz->failures);
			fflush(stdout);
			next += PROGRESS_MS;
		}
		if (now - start >= run_ms || !fuzz->running ||
		    fuzz->setup_error)
			fuzz->stop = true;
		if (fuzz->stop && !end)
			end = now + 3 * bound_ms;
		hung = look(bound_ms);
		if (hung || (end && now > end)) {
			give_up(hung);
			return false;
		}
		pause_ms(LOOK_MS);
	}
	return true;
}

static void print_failures(void)
{
	int i;

	for (i = 0; i < FUZZ_FAILURES && fuzz->failure[i].key; i++) {
		struct fuzz_failure *f = &fuzz->failure[i];
		struct fuzz_thread *t = &fuzz->thread[f->thread];

		printf("# %s (thread %d, %s, step %u), after:\n", f->what,
		       t->id, fuzz_role_name(t->role), f->last);
		print_log(f->log, f->last);
	}
}

static void print_row(int n)
{
	const struct fuzz_row *row = fuzz_row(n);
	int role, err;

	printf("# %-18s", row->name);
	for (role = 0; role < FUZZ_ROLES; role++)
		printf(" %7ld %7ld", fuzz->ok[role][n], fuzz->refused[role][n]);
	printf(" %5ld ", fuzz->slowest[n]);
	for (err = 0; err < FUZZ_ALL_ERRNOS; err++) {
		if (fuzz->seen[n][err])
			printf(" %s", strerrorname_np(err) ?: "?");
	}
	printf("\n");
}

static void print_table(void)
{
	int role, n;

	printf("# %-18s", "done and refused");
	for (role = 0; role < FUZZ_ROLES; role++)
		printf(" %15s", fuzz_role_name(role));
	printf("   ms\n");
	for (n = 0; n < fuzz_rows(); n++)
		print_row(n);
	printf("# %ld calls\n", total());
	fflush(stdout);
}

/* A slow kernel, for which the bound is longer, leaves time for fewer calls. */
static bool had_its_chance(int role, int n, int64_t ms, uint64_t bound_ms)
{
	return ms * USUAL_BOUND_S >= ALL_ROWS_S * (int64_t)bound_ms ||
	       fuzz->ok[role][n] + fuzz->refused[role][n] >= MANY_CALLS;
}

/* Rows that can succeed and never did. */
static int never_done(int64_t ms, uint64_t bound_ms)
{
	int role, n, never = 0;

	for (role = 0; role < FUZZ_ROLES; role++) {
		for (n = 0; n < fuzz_rows(); n++) {
			if (!fuzz_row_can(fuzz_row(n), role) ||
			    fuzz->ok[role][n] ||
			    !had_its_chance(role, n, ms, bound_ms))
				continue;
			printf("# never done by %s: %s\n", fuzz_role_name(role),
			       fuzz_row(n)->name);
			never++;
		}
	}
	return never;
}

static int links_left(void)
{
	int i, left, sum = fuzz->left[ROLE_USERNS];

	for (i = 0; i < FUZZ_SPACES; i++) {
		if (setns(fuzz->space[i], CLONE_NEWNET))
			return -errno;
		left = fuzz_links_left();
		if (left < 0)
			return left;
		sum += left;
	}
	return sum;
}

/* A namespace that ended a moment ago is taken down by a kernel thread. */
static int module_users(void)
{
	int users;

	wait_until((users = tun_module_refs()) <= 0);
	return users;
}

static void report(bool ended, int64_t ms, uint64_t bound_ms)
{
	print_table();
	print_failures();
	ksft_test_result(ended, "every call returned\n");
	ksft_test_result(!died, "no process died\n");
	ksft_test_result(!fuzz->failures, "every result is documented\n");
	if (ms >= ALL_ROWS_S * 1000)
		ksft_test_result(!never_done(ms, bound_ms),
				 "every call was done once\n");
	else
		ksft_test_result_skip("every call was done once: in %d s\n",
				      ALL_ROWS_S);
	/* A process that cannot be ended holds devices. */
	ksft_test_result(ended && !links_left(), "no device is left\n");
	ksft_test_result(ended && !module_users(), "no module reference\n");
}

int main(void)
{
	uint64_t seconds = env_number("FUZZ_TIME", 60);
	uint64_t bound = env_number("FUZZ_BOUND", USUAL_BOUND_S) * 1000;
	int64_t began;
	bool ended;
	int err;

	ksft_print_header();
	if (geteuid())
		ksft_exit_skip("must be run as root\n");
	ksft_set_plan(6);
	err = setup();
	if (err)
		ksft_exit_fail_msg("setup: %s\n", strerrorname_np(-err));
	printf("# FUZZ_SEED=%" PRIu64 " FUZZ_TIME=%" PRIu64 " FUZZ_STEPS=%u",
	       fuzz->seed, seconds, fuzz->steps);
	printf(" TUN_KIND=%s\n", tun_kind());
	err = start();
	if (err)
		ksft_exit_fail_msg("fork: %s\n", strerrorname_np(-err));
	began = now_ms();
	ended = watch(seconds * 1000, bound);
	if (fuzz->setup_error)
		ksft_exit_fail_msg("setup of a thread: %s\n",
				   strerrorname_np(-fuzz->setup_error));
	report(ended, now_ms() - began, bound);
	ksft_finished();
}
