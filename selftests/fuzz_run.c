// SPDX-License-Identifier: GPL-2.0-only
/* Threads that draw rows and call them, and their processes: see fuzz.h. */
#include <ctype.h>
#include <errno.h>
#include <grp.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fuzz.h"
#include "rtnl.h"
#include "tun_test.h"

#define PAGE	4096

static const struct fuzz_row *row_of[FUZZ_MAX_ROWS];
static int rows, weights;

static void __attribute__((constructor)) find_rows(void)
{
	static const struct fuzz_row *const table[] = {
		fuzz_ioctl_rows, fuzz_data_rows, fuzz_file_rows, fuzz_link_rows,
		fuzz_socket_rows,
	};
	const struct fuzz_row *row;
	size_t i, n = sizeof(table) / sizeof(*table);

	/* The last one is what only rtun has. */
	if (!tun_is_rtun())
		n--;
	for (i = 0; i < n; i++) {
		for (row = table[i]; row->name; row++) {
			if (rows == FUZZ_MAX_ROWS)
				abort();
			row_of[rows++] = row;
			weights += row->weight;
		}
	}
}

int fuzz_rows(void)
{
	return rows;
}

const struct fuzz_row *fuzz_row(int n)
{
	return row_of[n];
}

const char *fuzz_role_name(enum fuzz_role role)
{
	static const char *const name[] = { "root", "userns", "nobody" };

	return name[role];
}

bool fuzz_row_is_for(const struct fuzz_row *row, enum fuzz_role role)
{
	return role == ROLE_ROOT || !(row->flags & ROW_ROOT);
}

/* Whether the row must succeed at least once in a run. */
bool fuzz_row_can(const struct fuzz_row *row, enum fuzz_role role)
{
	if ((row->flags & (ROW_NEVER | ROW_CHANCE)) ||
	    !fuzz_row_is_for(row, role))
		return false;
	if (row->flags & ROW_REAL)
		return role == ROLE_ROOT;
	return role != ROLE_NOBODY || (row->flags & ROW_NOBODY);
}

/* One round of splitmix64. */
static uint64_t mix(uint64_t x)
{
	x += 0x9e3779b97f4a7c15;
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
	x = (x ^ x >> 27) * 0x94d049bb133111eb;
	return x ^ x >> 31;
}

uint32_t fuzz_random(struct fuzz_thread *t)
{
	t->random = mix(t->random);
	return t->random >> 32;
}

unsigned int fuzz_pick(struct fuzz_thread *t, unsigned int n)
{
	return fuzz_random(t) % n;
}

bool fuzz_one_in(struct fuzz_thread *t, unsigned int n)
{
	return !fuzz_pick(t, n);
}

/* Numbers at which something often changes. */
long fuzz_edge(struct fuzz_thread *t)
{
	static const long edges[] = {
		0, 1, -1, 2, 3, 0x7f, 0x80, 0xff, 0x100, 0x7fff, 0x8000,
		0xffff, 0x10000, INT32_MAX, INT32_MIN, UINT32_MAX, INT64_MAX,
		INT64_MIN, 1L << 32,
	};
	unsigned int n = fuzz_pick(t, 24);

	if (n < sizeof(edges) / sizeof(*edges))
		return edges[n];
	if (n < 22)
		return 1L << fuzz_pick(t, 64);
	return (long)fuzz_random(t) << 32 | fuzz_random(t);
}

int fuzz_slot(struct fuzz_thread *t)
{
	return FUZZ_FD_BASE + fuzz_pick(t, FUZZ_SLOTS);
}

int fuzz_socket_slot(struct fuzz_thread *t)
{
	return FUZZ_SOCKET_BASE + fuzz_pick(t, FUZZ_SOCKETS);
}

int fuzz_batch_slot(struct fuzz_thread *t)
{
	return FUZZ_BATCH_BASE + fuzz_pick(t, FUZZ_BATCHES);
}

/* The driver's ioctls work on each. */
int fuzz_ioctl_fd(struct fuzz_thread *t)
{
	unsigned int n = fuzz_pick(t, 16);

	return !n ? fuzz_socket_slot(t) : n == 1 ? fuzz_batch_slot(t) :
	       fuzz_fd(t);
}

int fuzz_fd(struct fuzz_thread *t)
{
	if (fuzz_one_in(t, 100))
		return fuzz_one_in(t, 2) ? -1 : FUZZ_FD_BASE + FUZZ_SLOTS;
	return fuzz_slot(t);
}

void *fuzz_bad_pointer(struct fuzz_thread *t)
{
	const uintptr_t bad[] = {
		0, 8, PAGE - 1, (uintptr_t)t->end, UINT32_MAX - 7,
		0x00007ffffffffff8, 0x0000800000000000, 0x00ffffffffffffff,
		0x8000000000000000, 0xffff888000000000, 0xffffffff81000000,
		UINTPTR_MAX,
	};

	return (void *)bad[fuzz_pick(t, sizeof(bad) / sizeof(*bad))];
}

unsigned int fuzz_name(struct fuzz_thread *t, char name[IFNAMSIZ])
{
	unsigned int n = fuzz_pick(t, FUZZ_NAMES);

	snprintf(name, IFNAMSIZ, "fuzz%u", n);
	return n;
}

int fuzz_device_flags(unsigned int name)
{
	return (name & 1 ? IFF_TAP : IFF_TUN) |
	       (name < 2 ? 0 : IFF_MULTI_QUEUE) | (name < 4 ? IFF_NO_PI : 0);
}

uint32_t fuzz_address(unsigned int name)
{
	return 0x0a4d0001 | name << 8;
}

static struct fuzz_log *current_log(struct fuzz_thread *t)
{
	return &t->log[t->step % FUZZ_LOG];
}

void fuzz_note(struct fuzz_thread *t, const char *format, ...)
{
	struct fuzz_log *log = current_log(t);
	va_list args;
	char *at;

	va_start(args, format);
	vsnprintf(log->text, sizeof(log->text), format, args);
	va_end(args);
	for (at = log->text; *at; at++) {
		if (!isprint((unsigned char)*at))
			*at = '?';
	}
}

/* Each kind of failure of each row once, and with what led to it. */
void fuzz_fail(struct fuzz_thread *t, int kind, const char *format, ...)
{
	struct fuzz *fuzz = t->fuzz;
	int i, key = (t->row + 1) * 1000 + kind;
	struct fuzz_failure *failure;
	va_list args;

	fuzz->failures++;
	for (i = 0; i < FUZZ_FAILURES; i++) {
		int free = 0;

		failure = &fuzz->failure[i];
		if (failure->key == key)
			return;
		if (!failure->key &&
		    atomic_compare_exchange_strong(&failure->key, &free, key))
			break;
	}
	if (i == FUZZ_FAILURES)
		return;
	failure->thread = t->id;
	failure->last = t->step;
	memcpy(failure->log, t->log, sizeof(failure->log));
	va_start(args, format);
	vsnprintf(failure->what, sizeof(failure->what), format, args);
	va_end(args);
}

static bool documented(struct fuzz_thread *t, const struct fuzz_row *row,
		       int err)
{
	int i;

	if (err == EBADF || (err == EINTR && (row->flags & ROW_WAITS)))
		return true;
	if (err == EPERM && t->role == ROLE_NOBODY && (row->flags & ROW_ADMIN))
		return true;
	for (i = 0; i < FUZZ_ERRNOS && row->errors[i]; i++) {
		if (row->errors[i] == err)
			return true;
	}
	return false;
}

static void check_refused(struct fuzz_thread *t, const struct fuzz_row *row,
			  int err)
{
	int kind = err < FUZZ_ALL_ERRNOS ? err : FUZZ_ALL_ERRNOS - 1;

	t->fuzz->seen[t->row][kind] = true;
	if (!documented(t, row, err))
		fuzz_fail(t, kind, "%s: refused with %d (%s)", row->name, err,
			  strerrorname_np(err) ?: "?");
	/* The in-tree driver has its defects D2 and D7. */
	if (err == EFAULT && t->expect == EXPECT_NO_FAULT && tun_is_rtun())
		fuzz_fail(t, 200, "%s: EFAULT, and all memory is there",
			  row->name);
}

static void check_done(struct fuzz_thread *t, const struct fuzz_row *row)
{
	if (t->expect == EXPECT_ERROR)
		fuzz_fail(t, 201, "%s: done, which cannot be", row->name);
	if (row->flags & ROW_NEVER)
		fuzz_fail(t, 202, "%s: done, and is to be refused", row->name);
	if ((row->flags & ROW_ADMIN) && t->role == ROLE_NOBODY)
		fuzz_fail(t, 203, "%s: done without privilege", row->name);
}

static void account(struct fuzz_thread *t, long ret)
{
	const struct fuzz_row *row = row_of[t->row];
	struct fuzz *fuzz = t->fuzz;
	long took = now_ms() - t->since;

	t->since = 0;
	if (!(row->flags & ROW_WAITS) && took > fuzz->slowest[t->row])
		fuzz->slowest[t->row] = took;
	current_log(t)->ret = ret;
	current_log(t)->done = true;
	if (ret < 0) {
		fuzz->refused[t->role][t->row]++;
		check_refused(t, row, -ret);
	} else {
		fuzz->ok[t->role][t->row]++;
		check_done(t, row);
	}
}

static int draw_row(struct fuzz_thread *t)
{
	int at, n;

	do {
		at = fuzz_pick(t, weights);
		for (n = 0; at >= row_of[n]->weight; n++)
			at -= row_of[n]->weight;
	} while (!fuzz_row_is_for(row_of[n], t->role));
	return n;
}

static void step(struct fuzz_thread *t)
{
	struct fuzz_log *log = current_log(t);

	t->random = mix(t->fuzz->seed) ^ mix((uint64_t)t->id << 32 | t->step);
	t->row = draw_row(t);
	t->expect = EXPECT_ANY;
	log->step = t->step;
	log->row = t->row;
	log->done = false;
	log->text[0] = '\0';
	t->since = now_ms();
	account(t, row_of[t->row]->run(t, row_of[t->row]));
	t->step++;
}

/* Below 4 GB, where a 32-bit call's argument may point, too. */
static int make_room(struct fuzz_thread *t)
{
	t->room = mmap(NULL, FUZZ_ROOM + 3 * PAGE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	if (t->room == MAP_FAILED)
		return -errno;
	t->end = t->room + FUZZ_ROOM;
	t->constant = t->end + PAGE;
	t->payload = t->room + FUZZ_ROOM / 2;
	packet_fill(t->room, FUZZ_ROOM, t->id);
	if (mprotect(t->end, PAGE, PROT_NONE) ||
	    mprotect(t->constant, PAGE, PROT_READ) ||
	    mprotect(t->constant + PAGE, PAGE, PROT_NONE))
		return -errno;
	return 0;
}

static int thread_start(struct fuzz_thread *t)
{
	t->tid = gettid();
	if (t->role == ROLE_ROOT &&
	    setns(t->fuzz->space[t->space], CLONE_NEWNET))
		return -errno;
	t->packet = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC,
			   0);
	t->udp = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (t->udp < 0 || (t->packet < 0 && t->role != ROLE_NOBODY))
		return -errno;
	return make_room(t);
}

static void *thread_main(void *arg)
{
	struct fuzz_thread *t = arg;
	struct fuzz *fuzz = t->fuzz;
	int err = thread_start(t);

	if (err)
		fuzz->setup_error = err;
	while (!err && !fuzz->stop && (!fuzz->steps || t->step < fuzz->steps))
		step(t);
	fuzz->running--;
	return NULL;
}

static void ignore(int sig)
{
}

/* SIGUSR1 ends a call that waits; the signals of F_SETSIG end none. */
static void ignore_signals(void)
{
	struct sigaction action = { .sa_handler = ignore };

	sigaction(SIGUSR1, &action, NULL);
	action.sa_flags = SA_RESTART;
	sigaction(SIGIO, &action, NULL);
	sigaction(SIGUSR2, &action, NULL);
	sigaction(SIGURG, &action, NULL);
	sigaction(SIGRTMIN, &action, NULL);
	signal(SIGPIPE, SIG_IGN);
}

static int become(uid_t uid)
{
	if (setgroups(0, NULL) || setresgid(uid, uid, uid) ||
	    setresuid(uid, uid, uid) || prctl(PR_SET_DUMPABLE, 1))
		return -errno;
	return 0;
}

static int become_role(enum fuzz_role role)
{
	char map[32];
	int err;

	if (role == ROLE_ROOT)
		return 0;
	err = become(role == ROLE_NOBODY ? FUZZ_NOBODY : FUZZ_USER);
	if (err || role == ROLE_NOBODY)
		return err;
	if (unshare(CLONE_NEWUSER | CLONE_NEWNET))
		return -errno;
	snprintf(map, sizeof(map), "0 %d 1", FUZZ_USER);
	err = write_file("/proc/self/setgroups", "deny");
	if (!err)
		err = write_file("/proc/self/uid_map", map);
	return err ? err : write_file("/proc/self/gid_map", map);
}

/*
 * Links of the kind under test that are here though no queue has a file any
 * more: only persistent ones may be. All are deleted.
 */
int fuzz_links_left(void)
{
	struct if_nameindex *all = if_nameindex(), *link;
	struct link_info info;
	int left = 0, err;

	for (link = all; link && link->if_index; link++) {
		if (!link_get(link->if_index, &info) &&
		    !strcmp(info.kind, tun_kind()) && info.persist != 1) {
			printf("# %s is left, not persistent\n", info.name);
			left++;
		}
	}
	if_freenameindex(all);
	err = link_delete_kind(tun_kind());
	return err ? err : left + link_count_kind(tun_kind(), NULL);
}

int fuzz_process(struct fuzz *fuzz, enum fuzz_role role)
{
	int err, i;

	ignore_signals();
	setpgid(0, 0);
	err = become_role(role);
	if (!err)
		err = fuzz_open_epoll();
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (err)
		fuzz->setup_error = err;
	for (i = 0; !err && i < FUZZ_THREADS; i++) {
		struct fuzz_thread *t = &fuzz->thread[i];

		if (t->role != role)
			continue;
		t->pid = getpid();
		err = -pthread_create(&t->thread, NULL, thread_main, t);
	}
	while (!err && i-- > 0) {
		if (fuzz->thread[i].role == role)
			pthread_join(fuzz->thread[i].thread, NULL);
	}
	/* Nobody passes descriptors on any more; then nobody has any. */
	pthread_barrier_wait(&fuzz->barrier);
	fuzz_close_all(fuzz, role);
	pthread_barrier_wait(&fuzz->barrier);
	fuzz->left[role] = role == ROLE_USERNS ? fuzz_links_left() : 0;
	fflush(stdout);
	return err;
}
