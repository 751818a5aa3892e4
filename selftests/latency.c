// SPDX-License-Identifier: GPL-2.0-only
/*
 * How long detach, attach and close take, on the in-tree driver and on rtun in
 * one boot: idle and under load, with 4 and 256 queues. Not a test: it prints
 * what it measured. Beside it, as "work", what this machine makes of WORK_US of plain
 * work between two such calls: a call can not be steadier than that.
 *
 * LATENCY_ROUNDS: samples of each (100).
 * LATENCY_FIFO: the caller has real-time priority. Then a call does not take longer
 * because the load has the CPU that is called on; the driver's waits count as ever.
 */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "load.h"
#include "rtnl.h"

#define MAX_ROUNDS	10000
#define WINDOW		128
#define ROOM		1024
#define CLOSE_ALL	5
#define WORK_US		50
#define WARM_UP		2	/* rounds that are not counted: nothing is in a cache */

enum op { DETACH, ATTACH, CLOSE, OPEN, OPS, ALL = OPS, WORK, ROWS };

enum node { TUN, RTUN, NODES };

static const char *const op_name[] = {
	"detach", "attach", "close", "TUNSETIFF", "close all", "work",
};

static const char *const node_path[NODES] = { "/dev/net/tun", "/dev/net/rtun" };
static const char *const node_kind[NODES] = { "tun", "rtun" };

struct samples {
	long ns[MAX_ROUNDS];
	int n;
};

static struct samples samples[NODES][ROWS];
static struct load load;
static long turns;		/* in WORK_US */

static int by_size(const void *a, const void *b)
{
	long x = *(const long *)a, y = *(const long *)b;

	return (x > y) - (x < y);
}

/* In microseconds. */
static double quantile(struct samples *s, int percent)
{
	if (!s->n)
		return 0;
	qsort(s->ns, s->n, sizeof(s->ns[0]), by_size);
	return s->ns[(s->n - 1) * percent / 100] / 1000.0;
}

static void add(enum node node, enum op op, long ns)
{
	struct samples *s = &samples[node][op];

	if (s->n < MAX_ROUNDS)
		s->ns[s->n++] = ns;
}

static long work(long turns)
{
	int64_t start = now_ns();

	while (turns--)
		__asm__ volatile("" ::: "memory");
	return now_ns() - start;
}

/* While nothing else runs: the quickest of some. */
static void measure_work(void)
{
	long ns, best = 0, many = 1000000;
	int n;

	for (n = 0; n < 5; n++) {
		ns = work(many);
		if (!best || ns < best)
			best = ns;
	}
	turns = many * 1000 * WORK_US / best;
}

static int sample(enum node node, enum op op, int slot)
{
	static int (*const how[])(struct load *load, int slot) = {
		load_detach, load_attach, load_close, load_open,
	};
	int err = how[op](&load, slot);

	if (!err)
		add(node, op, load.took_ns);
	return err;
}

static bool has_fewer(const struct link_info *info, int64_t queues)
{
	return info->queues + info->disabled < queues;
}

/*
 * The queue leaves and comes back, and is closed and opened. A reader that polls
 * the file just then is who really closes it.
 */
static int sample_round(enum node node, int slot)
{
	int op, err = 0;

	for (op = 0; !err && op < OPS; op++) {
		if (load.window)
			err = load_pass(&load, 4);
		if (!err && op == OPEN)
			err = link_wait(load.index, has_fewer, load.queues);
		if (!err)
			err = sample(node, op, slot);
	}
	if (!err && load.window)
		err = load_pass(&load, 4);
	add(node, WORK, work(turns));
	return err;
}

/*
 * All queues at once, as when a process dies. The device stays: its end takes
 * longer than all of them.
 */
static int sample_all(enum node node, int queues)
{
	int err = 0, index = 0, i, n, fds[MAX_QUEUES];
	int64_t start;

	for (n = 0; !err && n < CLOSE_ALL; n++) {
		err = tun_attach_all("every", TUN_NOPI | IFF_MULTI_QUEUE, fds,
				     queues);
		if (!err)
			err = tun_ioctl(fds[0], TUNSETPERSIST, 1);
		index = err ? err : tun_index(fds[0]);
		if (!err)
			err = link_up(index, true);
		start = now_ns();
		for (i = 0; !err && i < queues; i++)
			close(fds[i]);
		add(node, ALL, now_ns() - start);
	}
	return err ? err : link_delete(index);
}

static int measure(enum node node, int queues, bool busy, int rounds)
{
	struct load_result result;
	int err, n;

	setenv("TUN_DEV", node_path[node], 1);
	setenv("TUN_KIND", node_kind[node], 1);
	err = load_start(&load, IFF_TUN, queues, ROOM, busy ? WINDOW : 0,
			 false);
	for (n = 0; !err && n < WARM_UP + rounds; n++) {
		if (n <= WARM_UP)
			memset(samples[node], 0, sizeof(samples[node]));
		err = sample_round(node, 1 + n % (queues - 1));
	}
	if (!err)
		err = load_settle(&load, &result);
	if (!err)
		err = load_stop(&load);
	return err || busy ? err : sample_all(node, queues);
}

static void print(int queues, bool busy)
{
	int op;

	for (op = 0; op < ROWS; op++) {
		struct samples *tun = &samples[TUN][op];
		struct samples *rtun = &samples[RTUN][op];

		if (!tun->n || !rtun->n)
			continue;
		printf("%-9s %4d %-4s %6d | %9.0f %9.0f | %9.0f %9.0f | %6.3f %6.3f\n",
		       op_name[op], queues, busy ? "load" : "idle", tun->n,
		       quantile(tun, 50), quantile(tun, 99),
		       quantile(rtun, 50), quantile(rtun, 99),
		       quantile(rtun, 50) / quantile(tun, 50),
		       quantile(rtun, 99) / quantile(tun, 99));
	}
	fflush(stdout);
}

/* The load's threads have none. */
static int take_priority(void)
{
	struct sched_param param = { .sched_priority = 1 };

	return sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &param) ?
	       -errno : 0;
}

int main(void)
{
	static const int queues[] = { 4, 256 };
	const char *text = getenv("LATENCY_ROUNDS");
	int rounds = text && *text ? atoi(text) : 100;
	int i, busy, node, err;

	if (getenv("LATENCY_FIFO") && take_priority()) {
		perror("sched_setscheduler");
		return 1;
	}
	measure_work();
	printf("%-21s %6s | %19s | %19s | %13s\n", "", "", "tun, us", "rtun, us",
	       "rtun / tun");
	printf("%-9s %4s %-4s  %6s | %9s %9s | %9s %9s | %6s %6s\n", "", "of",
	       "", "times", "p50", "p99", "p50", "p99", "p50", "p99");
	for (i = 0; i < 2; i++) {
		for (busy = 0; busy < 2; busy++) {
			for (node = 0; node < NODES; node++) {
				err = measure(node, queues[i], busy, rounds);
				if (err) {
					fprintf(stderr, "%s: %s\n",
						node_path[node],
						strerror(-err));
					return 1;
				}
			}
			print(queues[i], busy);
		}
	}
	return 0;
}
