// SPDX-License-Identifier: GPL-2.0-only
/*
 * mq-forward: a cable between two multi-queue interfaces, one thread a queue.
 *
 *	mq-forward [-d NODE] [-m tun|tap] [-q QUEUES] [-i SECONDS] LEFT RIGHT
 *
 * LEFT and RIGHT are interface names, each with an optional "@NETNS", the name
 * of a network namespace as "ip netns" knows it. Both interfaces are created
 * with QUEUES queues and go when the program ends. What queue 2 of LEFT
 * receives is written to queue 2 of RIGHT, and the other way round: the kernel
 * sends a flow's packets to the queue that last wrote a packet of that flow, so
 * both directions of a connection stay on one queue.
 *
 * Commands on standard input, each answered by "ok" or "error: ...":
 *	detach N, attach N	take queue N of both interfaces out, put it back
 *	stats			one line a queue and interface, then "ok":
 *				NAME QUEUE on|off read N written N dropped N
 *	quit			(or end of input) stop and show the final figures
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "ifname.h"

#define MAX_QUEUES	256
#define MAX_PACKET	(65535 + 14 + 4)
#define BURST		64

/* Aligned: no queue's thread writes to a cache line of another queue. */
struct queue {
	alignas(64) int fd;
	bool attached;
	struct queue *peer;
	pthread_t thread;
	/* Held while a packet is between read() and write(). */
	pthread_mutex_t busy;
	atomic_ulong nr_read;
	atomic_ulong nr_written;
	atomic_ulong nr_dropped;
};

struct interface {
	char name[IFNAMSIZ];
	struct queue queues[MAX_QUEUES];
};

static struct interface sides[2];
static unsigned int nr_queues = 4;
static int stop_fd;

static void die(const char *what)
{
	fprintf(stderr, "mq-forward: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* A queue belongs to the namespace that its file was opened in. */
static void enter_netns(const char *name)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "/run/netns/%s", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || setns(fd, CLONE_NEWNET))
		die(path);
	close(fd);
}

static int open_queue(const char *node, const char *name, short flags,
		      char *real_name)
{
	struct ifreq ifr = { .ifr_flags = flags };
	int fd;

	fd = open(node, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		die(node);
	if (set_ifname(&ifr, name) || ioctl(fd, TUNSETIFF, &ifr))
		die(name);
	memcpy(real_name, ifr.ifr_name, IFNAMSIZ);
	return fd;
}

static void open_interface(struct interface *side, const char *node,
			   char *spec, short flags, int home)
{
	char *netns = strchr(spec, '@');
	unsigned int i;

	if (netns) {
		*netns++ = '\0';
		enter_netns(netns);
	}
	/* The first queue settles the name (it may have held a "%d"). */
	for (i = 0; i < nr_queues; i++) {
		struct queue *q = &side->queues[i];

		q->fd = open_queue(node, i ? side->name : spec, flags,
				   side->name);
		q->attached = true;
		pthread_mutex_init(&q->busy, NULL);
	}
	if (netns && setns(home, CLONE_NEWNET))
		die("return to the first namespace");
}

static void add_one(atomic_ulong *counter)
{
	atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

/* False: the device is gone. */
static bool forward_burst(struct queue *from, struct queue *to, char *buf)
{
	ssize_t len;
	int i;

	for (i = 0; i < BURST; i++) {
		len = read(from->fd, buf, MAX_PACKET);
		if (len < 0)
			return errno == EAGAIN || errno == EINTR;
		add_one(&from->nr_read);
		if (write(to->fd, buf, len) == len)
			add_one(&to->nr_written);
		else
			add_one(&to->nr_dropped);
	}
	return true;
}

static void *queue_thread(void *arg)
{
	struct queue *from = arg;
	struct pollfd fds[] = {
		{ .fd = from->fd, .events = POLLIN },
		{ .fd = stop_fd, .events = POLLIN },
	};
	char *buf = malloc(MAX_PACKET);
	bool alive = buf;

	while (alive) {
		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			break;
		if (fds[1].revents)
			break;
		pthread_mutex_lock(&from->busy);
		alive = forward_burst(from, from->peer, buf);
		pthread_mutex_unlock(&from->busy);
	}
	free(buf);
	return NULL;
}

static void start(void)
{
	unsigned int side, i;

	for (side = 0; side < 2; side++) {
		for (i = 0; i < nr_queues; i++) {
			struct queue *q = &sides[side].queues[i];

			q->peer = &sides[!side].queues[i];
			errno = pthread_create(&q->thread, NULL, queue_thread, q);
			if (errno)
				die("pthread_create");
		}
	}
}

static void stop(void)
{
	unsigned int side, i;

	/* Nobody reads it: it stays readable and wakes every thread. */
	if (eventfd_write(stop_fd, 1))
		die("eventfd");
	for (side = 0; side < 2; side++)
		for (i = 0; i < nr_queues; i++)
			pthread_join(sides[side].queues[i].thread, NULL);
}

static int set_queue(struct queue *q, bool attach)
{
	struct ifreq ifr = {
		.ifr_flags = attach ? IFF_ATTACH_QUEUE : IFF_DETACH_QUEUE,
	};

	if (q->attached == attach)
		return 0;
	if (ioctl(q->fd, TUNSETQUEUE, &ifr))
		return -1;
	q->attached = attach;
	return 0;
}

/* While paused, no packet is in our hands: what was read is written. */
static void pause_all(void)
{
	unsigned int side, i;

	for (side = 0; side < 2; side++)
		for (i = 0; i < nr_queues; i++)
			pthread_mutex_lock(&sides[side].queues[i].busy);
}

static void resume_all(void)
{
	unsigned int side, i;

	for (side = 0; side < 2; side++)
		for (i = 0; i < nr_queues; i++)
			pthread_mutex_unlock(&sides[side].queues[i].busy);
}

/*
 * Switching a queue moves flows to other queues, that is to other threads. They
 * are paused so that none of them overtakes a packet of the same flow that
 * another thread has read and not yet written.
 */
static void switch_queue(const char *arg, bool attach)
{
	unsigned long index;
	char *end;
	int err = 0;

	index = strtoul(arg, &end, 10);
	if (end == arg || index >= nr_queues) {
		puts("error: no such queue");
		return;
	}

	pause_all();
	if (set_queue(&sides[0].queues[index], attach) ||
	    set_queue(&sides[1].queues[index], attach))
		err = errno;
	resume_all();

	if (err)
		printf("error: %s\n", strerror(err));
	else
		puts("ok");
}

static void show_stats(void)
{
	unsigned int side, i;

	for (side = 0; side < 2; side++) {
		for (i = 0; i < nr_queues; i++) {
			struct queue *q = &sides[side].queues[i];

			printf("%s %u %s read %lu written %lu dropped %lu\n",
			       sides[side].name, i, q->attached ? "on" : "off",
			       q->nr_read, q->nr_written, q->nr_dropped);
		}
	}
	puts("ok");
}

/* False: the user wants to end. */
static bool run_command(char *line)
{
	static const char blanks[] = "\n ";
	char *verb = strtok(line, blanks);
	char *arg = strtok(NULL, blanks);

	if (!verb)
		return true;
	if (!strcmp(verb, "quit"))
		return false;
	if (!strcmp(verb, "stats"))
		show_stats();
	else if (!strcmp(verb, "detach") && arg)
		switch_queue(arg, false);
	else if (!strcmp(verb, "attach") && arg)
		switch_queue(arg, true);
	else
		puts("error: commands are detach N, attach N, stats, quit");
	return true;
}

static void command_loop(int interval)
{
	struct pollfd in = { .fd = STDIN_FILENO, .events = POLLIN };
	char line[128];

	/* Unbuffered, or poll() would not see a line that stdio holds. */
	setvbuf(stdin, NULL, _IONBF, 0);
	for (;;) {
		int ready = poll(&in, 1, interval > 0 ? interval * 1000 : -1);

		if (ready == 0)
			show_stats();
		if (ready <= 0)
			continue;
		if (!fgets(line, sizeof(line), stdin) || !run_command(line))
			return;
	}
}

static int show_usage(void)
{
	fputs("usage: mq-forward [-d NODE] [-m tun|tap] [-q QUEUES] [-i SECONDS]\n"
	      "                  LEFT[@NETNS] RIGHT[@NETNS]\n",
	      stderr);
	return 2;
}

int main(int argc, char **argv)
{
	short flags = IFF_TUN | IFF_NO_PI | IFF_MULTI_QUEUE;
	const char *node = "/dev/net/rtun";
	int interval = 0;
	int home, opt;

	while ((opt = getopt(argc, argv, "d:m:q:i:")) != -1) {
		if (opt == 'd')
			node = optarg;
		else if (opt == 'm' && !strcmp(optarg, "tap"))
			flags = IFF_TAP | IFF_NO_PI | IFF_MULTI_QUEUE;
		else if (opt == 'm' && !strcmp(optarg, "tun"))
			flags = IFF_TUN | IFF_NO_PI | IFF_MULTI_QUEUE;
		else if (opt == 'q')
			nr_queues = atoi(optarg);
		else if (opt == 'i')
			interval = atoi(optarg);
		else
			return show_usage();
	}
	if (argc - optind != 2 || nr_queues < 1 || nr_queues > MAX_QUEUES)
		return show_usage();

	setvbuf(stdout, NULL, _IOLBF, 0);
	home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	stop_fd = eventfd(0, EFD_CLOEXEC);
	if (home < 0 || stop_fd < 0)
		die("start");
	open_interface(&sides[0], node, argv[optind], flags, home);
	open_interface(&sides[1], node, argv[optind + 1], flags, home);
	start();
	printf("ready %s %s\n", sides[0].name, sides[1].name);

	command_loop(interval);

	stop();
	show_stats();
	return 0;
}
